"""`Receiving`: what users may receive, in each form in which they want it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from . import _tracing
from ._abnf import ABNF
from ._exceptions import WebSocketConnectionClosedException, WebSocketPayloadException
from ._parts import Parts, abnf_of
from ._protocol.ready import Ready
from ._streaming import Pieces
from ._transport.deadline import Deadline
from ._wire.batches import frame_of
from ._wire.frames import BINARY, CLOSE, TEXT, Frame

if TYPE_CHECKING:
    from ._connection import Connection
    from ._latest import Latest
    from ._protocol.receiving import Receiver

__all__ = ["Receiving"]

_NORMAL_ENDINGS = (1000, 1001, 1005)


class Receiving(Parts):
    """The receive verbs of `WebSocket`; any thread may call them, each message goes to one."""

    # Messages that `recv` may take without a look, the next one last; None where it has to look.
    _ready: Ready | None = None

    def _adopt(self, connection: Connection | None) -> None:
        super()._adopt(connection)
        self._choose_way()

    def _choose_way(self) -> None:
        # The short way is for whole messages, read by the Receiver alone.
        connection = self._connection
        usual = not (self._classic_reading or self.fire_cont_frame)
        self._ready = connection.receiver.ready if usual and connection is not None else None

    def recv(self, timeout: float | None = None) -> str | bytes:
        """The next message: str for text, bytes for binary; "" when the peer's close frame came.

        Waits until `timeout` seconds are over, whatever trickles in; without one, as long as the
        link is not silent for longer than `settimeout` allows. Raises WebSocketTimeoutException,
        WebSocketConnectionClosedException, and after telling the peer
        WebSocketProtocolException (1002) and WebSocketPayloadException (1007, 1009).
        """
        ready = self._ready
        if ready and not _tracing.on:
            try:
                message = ready.pop()
                if not ready.late:
                    return message
                ready.append(message)
            except IndexError:
                pass  # another thread has taken it
        connection = self._connection
        if timeout is None and ready is not None and connection is not None:
            item: str | bytes | Frame = connection.receive()
        else:
            item = self._receive_item(False, timeout)
        if not isinstance(item, Frame):
            return item
        if item.opcode == TEXT:
            return item.text if item.text is not None else _text(item.data)
        return item.data if item.opcode == BINARY else ""

    def _receive(self, control: bool, timeout: float | None, opcode: int | None = None) -> Frame:
        item = self._receive_item(control, timeout, opcode)
        return item if isinstance(item, Frame) else frame_of(item)

    def _receive_item(
        self, control: bool, timeout: float | None, opcode: int | None = None
    ) -> str | bytes | Frame:
        connection = self._connection
        if connection is None or self._classic_reading:
            return self._receive_in_parts(control, timeout)
        receiver = connection.receiver
        deadline = None if timeout is None else Deadline(max(timeout, 0))
        if opcode is not None:
            fragments = self.fire_cont_frame
            pull = partial(_next_of_kind, receiver, opcode, fragments)
            return connection.receive(pull, control, deadline)
        if self.fire_cont_frame:
            return connection.receive(receiver.next_frame, control, deadline)
        if deadline is None:
            return connection.receive(None, control)
        return connection.receive(receiver.next_item, control, deadline)

    def recv_data(self, control_frame: bool = False) -> tuple[int, bytes]:
        """(opcode, data) of the next message, text as UTF-8 bytes; waits and raises as `recv`.

        The peer's close frame is (8, its body). With `control_frame` pings and pongs come, too.
        """
        frame = self._receive(control_frame, None)
        return frame.opcode, frame.data

    def recv_data_frame(self, control_frame: bool = False) -> tuple[int, ABNF]:
        """Like `recv_data`, with the message as an `ABNF`."""
        frame = self._receive(control_frame, None)
        return frame.opcode, abnf_of(frame)

    def recv_text(self, timeout: float | None = None) -> str:
        """The next message, which has to be text; raises TypeError, and leaves it first in line,
        when it is binary. Otherwise as `recv`; raises WebSocketConnectionClosedException instead of
        returning "" at the end."""
        frame = self._receive_kind(TEXT, timeout)
        return frame.text if frame.text is not None else _text(frame.data)

    def recv_bytes(self, timeout: float | None = None) -> bytes:
        """The next message, which has to be binary; as `recv_text` otherwise."""
        return self._receive_kind(BINARY, timeout).data

    def recv_json(
        self, loads: Callable[[str], Any] | None = None, timeout: float | None = None
    ) -> Any:
        """The next message, text, through `loads` (default: `json.loads`)."""
        text = self.recv_text(timeout)
        if loads is None:
            import json

            loads = json.loads
        return loads(text)

    def _receive_kind(self, opcode: int, timeout: float | None) -> Frame:
        frame = self._receive(False, timeout, opcode)
        connection = self._connection
        if frame.opcode == CLOSE and connection is not None:
            raise connection.closed_error()
        if frame.opcode != opcode:  # it was read by parts
            if connection is not None:
                connection.put_back(frame)
            raise _wrong_kind(frame, opcode)
        return frame

    def recv_streaming(self) -> Iterator[str | bytes]:
        """The pieces of the next message as they arrive, text cut at code points.

        Each step waits and raises as `recv` does. Leaving early discards the rest of the message.
        After a timeout the iteration may go on. Ends at once when the peer's close frame comes
        instead of a message.
        """
        connection = self._connection
        if connection is None:
            raise WebSocketConnectionClosedException("Connection is already closed.")
        return Pieces(connection)

    def latest(self, n: int) -> Latest:
        """An iterator over the newest `n` messages, for feeds of which only the newest count.

        From now on a thread of its own reads; older messages are dropped and counted (`dropped`).
        Ended by the iterator's `close()` or the end of the connection; until then `recv` and the
        like would take messages away. Raises RuntimeError while another `latest` reads.
        """
        from ._latest import latest

        return latest(self, n)

    def __iter__(self) -> Iterator[str | bytes]:
        """Messages until the connection ends: normally (1000, 1001, no code) the iteration ends,
        otherwise it raises WebSocketConnectionClosedException."""
        while True:
            try:
                message = self.recv()
            except WebSocketConnectionClosedException:
                if self.close_code in _NORMAL_ENDINGS:
                    return
                raise
            connection = self._connection
            if message == "" and connection is not None and connection.receiver.peer_close:
                if self.close_code in _NORMAL_ENDINGS:
                    return
                raise connection.closed_error()
            yield message

    def __next__(self) -> str | bytes:
        """One `recv()`."""
        return self.recv()

    def next(self) -> str | bytes:
        """One `recv()`."""
        return self.recv()


def _next_of_kind(receiver: Receiver, opcode: int, fragments: bool) -> Frame | None:
    """The next message, if it is of that kind. What is not stays first in line, and no other thread
    comes in between: this is called with the read lock."""
    item = receiver.next_frame() if fragments else receiver.next_item()
    frame = frame_of(item) if isinstance(item, (str, bytes)) else item
    if frame is None or frame.opcode >= CLOSE or frame.opcode == opcode or receiver.ready.late:
        return frame
    receiver.put_back(frame)
    raise _wrong_kind(frame, opcode)


def _wrong_kind(frame: Frame, opcode: int) -> TypeError:
    kinds = ABNF.OPCODE_MAP
    return TypeError(f"the next message is {kinds[frame.opcode]}, expected {kinds[opcode]}")


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise WebSocketPayloadException(
            f"cannot decode: a text is not UTF-8 ({exc.reason})"
        ) from exc
