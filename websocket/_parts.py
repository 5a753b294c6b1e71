"""`Parts`: receiving through the parts that a subclass overrides or a program replaces.

They are websocket-client's: `recv_frame` pulls a frame out of `frame_buffer`, which reads by
`_recv`; `cont_frame` puts fragments together; `send` sends the answers. A connection goes this way
only if one of them is not ours any more, which is looked up when it begins.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

from ._abnf import ABNF, continuous_frame, frame_buffer
from ._connection import Connection
from ._exceptions import (
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketProtocolException,
)
from ._sending import Sending
from ._transport.deadline import Deadline
from ._wire.frames import CLOSE, PING, Frame, parse_close

__all__ = ["Parts", "abnf_of"]


class Parts(Sending):
    """What `WebSocket` has for those who take it apart."""

    _classic_reading = False  # whether anything here is in use; what the hot path looks at
    _frame_buffer: Any = None  # assigned, or asked for
    _cont_frame: Any = None
    _cont_frame_assigned = False
    _deadline: Deadline | None = None  # of the read under way, for `_recv`
    _size = 0  # bytes of the message under way
    _counted = 0  # frames that were read by parts

    def _adopt(self, connection: Connection | None) -> None:
        super()._adopt(connection)
        if isinstance(self._frame_buffer, frame_buffer):
            self._frame_buffer.clear()
            self._frame_buffer.recv_buffer = []
        if not self._cont_frame_assigned and self._cont_frame is not None:
            self._cont_frame = None
        if self._size:
            self._size = 0
        classic = self._reads_by_parts("send")
        if classic is not self._classic_reading:
            self._classic_reading = classic

    def _overridden(self, *names: str) -> bool:
        """Whether one of these methods is not ours any more."""
        # Not by `__dict__`, which CPython makes for the first who looks at it.
        for name in names:
            found = getattr(getattr(self, name, None), "__func__", None)
            if found is not getattr(Parts, name):
                return True
        return False

    def _reads_by_parts(self, *others: str) -> bool:
        return (
            self._frame_buffer is not None
            or self._cont_frame_assigned
            or self._overridden("_recv", "recv_frame", *others)
        )

    # --- the parts --------------------------------------------------------------------------------

    def recv_frame(self) -> ABNF:
        """The next frame as it came: fragments by themselves, pings and closes unanswered.

        Waits and raises as `recv` does.
        """
        connection = self._connection
        if (connection is None or self._classic_reading) and self._reads_by_parts():
            frame = self.frame_buffer.recv_frame()
            self._count(frame)
            return frame  # type: ignore[no-any-return]
        if connection is None:
            raise WebSocketConnectionClosedException("Connection is already closed.")
        return abnf_of(connection.receive(connection.receiver.next_frame, True, answer=False))

    @property
    def frame_buffer(self) -> Any:
        """The classic pull parser over `_recv`; assigned, or asked for, it is what reads frames."""
        if self._frame_buffer is None:
            self.frame_buffer = frame_buffer(self._recv, self.skip_utf8_validation)
        return self._frame_buffer

    @frame_buffer.setter
    def frame_buffer(self, buffer: Any) -> None:
        self._frame_buffer = buffer
        self._classic_reading = True
        self._choose_way()

    @property
    def cont_frame(self) -> Any:
        """What puts fragments together when frames are read by parts; it may be assigned."""
        if self._cont_frame is None:
            self._cont_frame = continuous_frame(self.fire_cont_frame, self.skip_utf8_validation)
        return self._cont_frame

    @cont_frame.setter
    def cont_frame(self, assembler: Any) -> None:
        self._cont_frame = assembler
        self._cont_frame_assigned = self._classic_reading = True
        self._choose_way()

    def _recv(self, bufsize: int) -> bytes:
        """At most `bufsize` bytes of the stream, below all frames."""
        connection = self._connection
        if connection is None or connection.over:
            raise WebSocketConnectionClosedException("socket is already closed.")
        connection.open_hatch()
        data = connection.stream.read(bufsize, False, self._deadline)
        if not data:
            connection.end()
            raise WebSocketConnectionClosedException("Connection to remote host was lost.")
        return data

    def _send(self, data: bytes) -> int:
        """Write bytes of the stream, below all frames."""
        return self._open_connection().send_raw(data, False)

    # --- receiving by them ------------------------------------------------------------------------

    def _receive_in_parts(self, control: bool, timeout: float | None) -> Frame:
        connection = self._connection
        by_parts = self._reads_by_parts()
        own_answers = self._overridden("send")
        if connection is None:
            if not by_parts:
                raise WebSocketConnectionClosedException("Connection is already closed.")
            return self._receive_unconnected(control, own_answers)
        if by_parts:
            connection.open_hatch()
        deadline = None if timeout is None else Deadline(timeout)
        pull = partial(self._pull, connection, by_parts, own_answers, deadline)
        return connection.receive(pull, control, deadline, answer=not own_answers)

    def _receive_unconnected(self, control: bool, own_answers: bool) -> Frame:
        """Where the parts need no connection of ours to find their bytes."""
        while True:
            with self.readlock:
                frame = self._next_by_parts(None)
            if own_answers:
                self._answer(frame)
            if frame.opcode == CLOSE:
                self.connected = False
            if frame.opcode <= CLOSE or control:
                return frame

    def _pull(
        self,
        connection: Connection,
        by_parts: bool,
        own_answers: bool,
        deadline: Deadline | None,
    ) -> Frame | None:
        """What `Connection.receive` asks for: a message or a control frame; with its read lock."""
        receiver = connection.receiver
        # What the Receiver has begun, it finishes: it alone has those bytes.
        begun = receiver.ready or receiver.detour or not (receiver.idle and receiver.at_border)
        if by_parts and not begun:
            self._deadline = deadline
            frame = self._next_by_parts(connection)
            if frame.opcode == CLOSE:
                receiver.peer_close = parse_close(frame.data)
        else:
            pull = receiver.next_frame if self.fire_cont_frame else receiver.next_message
            pulled = pull()
            if pulled is None:
                return None
            frame = pulled
        if own_answers:
            self._answer(frame)
        return frame

    def _next_by_parts(self, connection: Connection | None) -> Frame:
        while True:
            counted = self._counted
            part = self.recv_frame()
            if not part:
                raise WebSocketProtocolException(f"Not a valid frame {part}")
            if self._counted == counted:  # a `recv_frame` that does without ours
                self._count(part)
            if part.opcode >= CLOSE:
                return Frame(part.opcode, _octets(part.data))
            self.cont_frame.validate(part)
            self._size += len(part.data)
            if connection is not None:
                connection.receiver._limit(self._size)
            self.cont_frame.add(part)
            if self.cont_frame.is_fire(part):
                self._size = 0
                opcode, part = self.cont_frame.extract(part)
                return Frame(opcode, _octets(part.data), bool(part.fin))

    def _count(self, part: Any) -> None:
        self._counted += 1
        if self._connection is not None and isinstance(part, ABNF):
            frame = Frame(part.opcode, _octets(part.data), bool(part.fin))
            frame.masked = bool(part.mask_value)
            self._connection.receiver.count.frame(frame)

    def _answer(self, frame: Frame) -> None:
        """Answer pings and closes by the `send` that has been put in the place of ours."""
        connection = self._connection
        with suppress(WebSocketException):  # the peer may be gone: the next read will tell
            if frame.opcode == PING and (connection is None or connection.autoping):
                self.pong(frame.data)
            elif frame.opcode == CLOSE and (connection is None or connection.autoclose):
                self.send_close(parse_close(frame.data).code)  # RFC 6455 5.5.1: echo the code


def abnf_of(frame: Frame) -> ABNF:
    """A frame as users hold it."""
    return ABNF(
        int(frame.fin),
        int(frame.rsv1),
        int(frame.rsv2),
        int(frame.rsv3),
        frame.opcode,
        int(frame.masked),
        frame.data,
    )


def _octets(data: Any) -> bytes:
    return data.encode() if isinstance(data, str) else bytes(data)
