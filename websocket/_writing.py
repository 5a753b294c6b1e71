"""`Writing`: the sending half of a connection: one frame at a time, one message at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from . import _logging, _tracing
from ._exceptions import (
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
    WebSocketWouldBlockException,
)
from ._line import Line
from ._protocol.counting import MEDIUM, SHORT
from ._protocol.receiving import Receiver
from ._protocol.sending import Payload, Sender
from ._transport.deadline import Deadline
from ._transport.streams import PlainStream, Stream
from ._transport.waiting import translated
from ._wire.frames import Close
from ._wire.masking import fresh_key, next_key
from ._wire.speedups import send_frame

__all__ = ["Writing"]

_LARGE = 1 << 19  # bytes of a message that is not copied in one piece
_PATIENCE = 1.0  # seconds for the control frames of others behind our own frame


class Writing(Line):
    """The send verbs. Their caller is the only one who ever waits to write."""

    __slots__ = ("_direct",)

    def __init__(self, stream: Stream, receiver: Receiver, sender: Sender):
        super().__init__(stream, receiver, sender)
        self._direct: PlainStream | None = None  # to which the accelerator may write
        self.move_to(stream)

    def move_to(self, stream: Stream) -> None:
        """Go on by another stream, as one that puts an event loop's above ours; under the lock."""
        self.stream = stream
        direct = isinstance(stream, PlainStream) and send_frame is not None
        self._direct = stream if direct else None  # type: ignore[assignment]

    def send(self, opcode: int, payload: Payload | str, compress: bool = True) -> int:
        """Write one frame of data, a whole message; waits for the kernel to take it.

        Returns the number of bytes on the wire. Raises WebSocketTimeoutException and
        WebSocketConnectionClosedException; if half of the frame had gone, the connection is over.
        """
        encoded = False  # from there on half a frame may have gone, whatever gets in the way
        try:
            with self.write_lock:
                if not (
                    self._writing
                    or self.over
                    or self._owed
                    or self._message_owner is not None
                    or self.stream.unsent
                    or _tracing.on
                ):  # as `_write`, with the fewest calls
                    try:
                        self._writing = True
                        direct, sent = self._direct, self._sent or self.sent
                        plain = self.sender.plain
                        if plain and len(payload) > _LARGE and _may_be_cut(payload):
                            encoded = True
                            taken = self._send_large(opcode, payload)
                        elif plain and direct is not None:
                            sock = direct.socket
                            try:
                                try:
                                    taken = send_frame(direct, sock, opcode, payload, next_key)
                                except IndexError:  # the pool of keys is empty
                                    taken = send_frame(direct, sock, opcode, payload, fresh_key)
                            except OSError as exc:
                                raise translated(exc) from exc
                            if type(taken) is not int:
                                encoded = True
                                data, begun = taken  # there is no room for all of it
                                direct.write_on(data, begun)
                                taken = len(data)
                        else:
                            data = self.sender.message(opcode, payload, True, compress)
                            encoded = True
                            self.stream.write(data)
                            taken = len(data)
                            sent.saved += self.sender.saved
                        sent.messages += 1  # as `Sent.frame` does it
                        sent.wire += taken
                        if taken > SHORT:
                            sent.headers += 2 if taken <= MEDIUM else 8
                        return taken
                    except BaseException as exc:
                        self._not_written(exc, encoded)
                        raise
                    finally:
                        self._writing = False
        finally:
            if self._owed or self._chores:
                self._after_writing()
        return self._write(True, self.sender.message, opcode, payload, True, compress)

    def send_control(self, opcode: int, payload: Payload) -> int:
        """Write a ping or a pong; waits and raises as `send`."""
        return self._write(False, self.sender.message, opcode, payload)

    def _send_large(self, opcode: int, payload: Any) -> int:
        """Masked and written piece by piece: all of it would be copied once more otherwise."""
        count = 0
        try:
            for piece in self.sender.in_pieces(opcode, payload):
                self.stream.write(piece)
                count += len(piece)
        except BaseException:
            if count:
                self.stream.half_sent = True
            raise
        return count

    def send_raw(self, frame: bytes, is_data: bool) -> int:
        """Write bytes that are a frame already."""
        return self._write(is_data, self.sender.raw, frame)

    def send_fragment(self, opcode: int, payload: Payload, fin: bool, compress: bool = True) -> int:
        """One fragment of the message that this thread has begun with `begin_message`; `compress`
        of the first one counts for all."""
        return self._write(False, self.sender.message, opcode, payload, fin, compress)

    def send_close(self, said: Close) -> int:
        """Write our close frame, if none was sent before; data may still be received."""
        if self.receiver.peer_close is not None:
            self._chores = True  # with ours the handshake is complete
        return self._write(False, self.sender.close, said.code, said.reason)

    def _write(self, in_turn: bool, encode: Callable[..., bytes], *what: Any) -> int:
        data = b""
        try:
            with self.write_lock:
                if self._writing:
                    raise RuntimeError("a send inside of a send: called from a signal handler?")
                if in_turn and self._message_owner is not None:
                    self._wait_for_turn()
                try:
                    self._writing = True
                    if self.over:
                        raise self.closed_error()
                    if self._owed or self.stream.unsent:
                        self._pay()
                    data = encode(*what)
                    if data:
                        self.stream.write(data)
                        self.sent.frame(data, self.sender.saved)
                except BaseException as exc:
                    self._not_written(exc, bool(data))
                    raise
                finally:
                    self._writing = False
        finally:
            if self._owed or self._chores:
                self._after_writing()
        if _tracing.on:
            _logging.trace(f"++Sent raw: {data!r}")
        return len(data)

    def _after_writing(self) -> None:
        """What others wished for while we kept them out."""
        if self._owed:
            self._pay_on_leaving()
        if self._chores:
            self._do_chores()

    def _pay_on_leaving(self) -> None:
        """Pay what others came to owe while we kept them out; as a send verb we may wait for room,
        and after us perhaps nobody comes by."""
        deadline = Deadline(_PATIENCE)
        while self._try_to_pay() and self.stream.unsent and not deadline.expired:
            if self._begin_writing():
                try:
                    with suppress(WebSocketException):
                        self.stream.flush(deadline)
                finally:
                    self._end_writing()

    def _not_written(self, exc: BaseException, encoded: bool) -> None:
        """What a frame that did not go out means for the connection."""
        ours = isinstance(exc, WebSocketException)
        said = self.sender.our_close is not None
        if ours and (self.over or (said and not encoded)):
            raise self.closed_error() from exc
        if isinstance(exc, Exception) and not self.stream.half_sent:
            if isinstance(exc, WebSocketConnectionClosedException):
                self._remember(exc)
                self.sender.abandon()  # what the peer sent before it went may still be read
                return
            if not said and (not encoded or isinstance(exc, WebSocketTimeoutException)):
                self.sender.unsent()
                return  # nothing has begun, nothing is harmed
        if ours:
            self._remember(exc)  # type: ignore[arg-type]
        self.end()

    # --- a message in fragments keeps other threads' data out, but not their control frames ------

    def begin_message(self) -> None:
        """Claim the data frames for this thread's fragments; waits for other such messages."""
        with self.write_lock:
            if self._message_owner is not None:
                self._wait_for_turn()
            self._message_owner = threading.get_ident()

    def end_message(self) -> None:
        """Let others send data again."""
        with self.write_lock:
            self._message_owner = None
            self._let_others_send()
        if self._chores:
            self._do_chores()

    def _wait_for_turn(self) -> None:
        if self._message_owner == threading.get_ident():
            raise RuntimeError("a message inside of a message: its fragments are still being sent")
        patience = self.stream.patience(None)
        if self._message_done is None:
            self._message_done = threading.Condition(self.write_lock)
        free = self._message_done.wait_for(
            lambda: self._message_owner is None or self.over or self.sender.our_close is not None,
            patience,
        )
        if not free:
            kind = WebSocketWouldBlockException if patience == 0 else WebSocketTimeoutException
            raise kind("Another thread's message is still being sent")
        if self._message_owner is not None:
            raise self.closed_error()


def _may_be_cut(payload: Payload | str) -> bool:
    """Whether so many characters, or items, are so many bytes, without a doubt."""
    return payload.isascii() if isinstance(payload, str) else type(payload) is bytes
