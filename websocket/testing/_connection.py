"""`Connection`: what a handler holds; one open connection in the server's role."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

from .._exceptions import (
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
)
from .._protocol.receiving import Receiver
from .._protocol.sending import Payload, Sender
from .._wire.frames import ABNORMAL, BINARY, CLOSE, NO_STATUS, PING, TEXT, Frame, encode_frame
from .._wire.http1 import Request
from .._wire.masking import fresh_key
from ._line import Line
from ._opening import Agreement
from ._waiting import Alarm, instant, left

__all__ = ["Connection"]

_CLOSE_TIMEOUT = 5.0  # seconds for the peer to answer our close frame


class Connection:
    """A client's connection; any thread may use it, one at a time receives.

    `request` is the client's opening request, `subprotocol` what was agreed on, or None. `number`
    counts the server's connections from 0.
    """

    def __init__(self, line: Line, request: Request, agreed: Agreement, alarm: Alarm) -> None:
        self.number = 0
        self.request = request
        self.subprotocol: str | None = agreed.subprotocol
        self._line = line
        self._alarm = alarm
        self._receiver = Receiver(server=True, inflater=agreed.inflater)
        self._reading = threading.Lock()
        self._sender = Sender(server=True, deflater=agreed.deflater)
        self._encoding = threading.Lock()  # never held while waiting
        self._over = False

    def __repr__(self) -> str:
        state = "open" if self.open else f"closed {self.close_code}"
        return f"<Connection {self.request.path.partition('?')[0]} {state}>"

    # --- receiving --------------------------------------------------------------------------------

    def recv(self, timeout: float | None = None) -> str | bytes:
        """The next message: str for text, bytes for binary. Pings are answered meanwhile.

        Waits at most `timeout` seconds, None for ever. Raises WebSocketTimeoutException, after
        which nothing is lost; WebSocketConnectionClosedException once the connection has ended
        (`close()` of the server ends it, too); and WebSocketProtocolException or
        WebSocketPayloadException, after telling the client, for what it did wrong.
        """
        until = instant(timeout)
        while True:
            frame = self._next(self._receiver.next_message, until)
            if frame.opcode == TEXT:
                return frame.text if frame.text is not None else frame.data.decode()
            if frame.opcode == BINARY:
                return frame.data
            if frame.opcode == PING:
                self._pong(frame.data)
            elif frame.opcode == CLOSE:
                self._answer_close()
                raise self._closed_error()

    def recv_frame(self, timeout: float | None = None) -> Frame:
        """The next frame as it came: fragments by themselves, pings and closes unanswered.

        A `Frame` has `opcode`, `data`, `fin`, `rsv1` to `rsv3`. Waits and raises as `recv`.
        """
        return self._next(self._receiver.next_frame, instant(timeout))

    def __iter__(self) -> Iterator[str | bytes]:
        """Messages until the connection ends, in whatever way."""
        while True:
            try:
                message = self.recv()
            except WebSocketConnectionClosedException:
                return
            yield message

    def _next(self, pull: Callable[[], Frame | None], until: float | None) -> Frame:
        seconds = left(until)
        if not self._reading.acquire(timeout=-1 if seconds is None else seconds):
            raise WebSocketTimeoutException("Connection timed out")
        try:
            while True:
                if self._over or self._receiver.peer_close is not None:
                    raise self._closed_error()
                frame = pull()
                if frame is not None:
                    return frame
                data = self._line.read(until)
                if not data:
                    raise WebSocketConnectionClosedException("The client has gone")
                self._receiver.feed(data)
        except WebSocketTimeoutException:
            raise
        except WebSocketConnectionClosedException:
            self._end()
            raise
        except WebSocketException as exc:
            self._fail(exc.close_code or 1002)
            raise
        finally:
            self._reading.release()

    def _pong(self, payload: bytes) -> None:
        with self._encoding:
            if self._sender.our_close is None:
                self._line.write_soon(self._sender.pong(payload))

    def _answer_close(self) -> None:
        said = self._receiver.peer_close
        assert said is not None
        self._say_close(said.code, "")
        # RFC 6455 7.1.1: the server ends TCP first. The client has no more to say, so nobody waits.
        self._end(patience=0)

    def feed(self, data: bytes) -> None:
        """Take bytes that came together with the request, before anybody receives."""
        if data:
            self._receiver.feed(data)

    # --- sending ----------------------------------------------------------------------------------

    def send(self, data: str | Payload) -> None:
        """Send one message: text for a str, binary for bytes-like data.

        Waits until the kernel has taken it. Raises WebSocketConnectionClosedException once the
        connection has ended or a close frame was sent, TypeError for other data.
        """
        if isinstance(data, str):
            self._send(lambda: self._sender.message(TEXT, data.encode()))
        else:
            payload = memoryview(data)  # raises TypeError
            self._send(lambda: self._sender.message(BINARY, payload.cast("B")))

    def ping(self, payload: str | Payload = b"") -> None:
        """Send a ping; the answer is seen by `recv_frame` only. Waits and raises as `send`."""
        encoded = payload.encode() if isinstance(payload, str) else bytes(payload)
        self._send(lambda: self._sender.ping(encoded))

    def send_frame(
        self,
        opcode: int,
        payload: str | Payload = b"",
        fin: bool = True,
        rsv: int = 0,
        masked: bool = False,
    ) -> None:
        """Send one frame whatever RFC 6455 says to it, also behind a close frame.

        `rsv` is the three reserved bits, 0 to 7. After a close frame sent this way none is sent by
        itself. Waits and raises as `send`.
        """
        encoded = payload.encode() if isinstance(payload, str) else payload
        frame = encode_frame(opcode, encoded, fresh_key() if masked else None, fin, rsv)
        with self._encoding:
            if opcode == CLOSE:
                self._sender.abandon()
        self._line.write(frame)

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are. Waits and raises as `send`."""
        self._line.write(data)

    def offer(self, frame: bytes, limit: int) -> bool:
        """Send a frame without waiting; whether the connection is open, and fewer than `limit`
        bytes were waiting for the client before. For `Server.broadcast`."""
        with self._encoding:
            if not self.open or self._line.backlog > limit:
                return False
            try:
                self._line.write_soon(frame)
            except WebSocketConnectionClosedException:
                return False
        return True

    def _send(self, encode: Callable[[], bytes]) -> None:
        with self._encoding:
            if self._over:
                raise self._closed_error()
            data = encode()
            self._line.write_soon(data)
        self._line.flush()

    # --- ending -----------------------------------------------------------------------------------

    def close(self, code: int = 1000, reason: str = "", timeout: float = _CLOSE_TIMEOUT) -> None:
        """The closing handshake, then the end of TCP; what still comes is discarded.

        Waits at most `timeout` seconds for the client's close frame. Does nothing on a connection
        that has ended. Raises ValueError for a code or reason that cannot travel.
        """
        self._say_close(code, reason)
        until = instant(timeout)
        seconds = left(until)
        if self._over or not self._reading.acquire(timeout=-1 if seconds is None else seconds):
            self._end()
            return
        try:
            receiver = self._receiver
            while not self._over and receiver.peer_close is None and left(until):
                if receiver.next_piece() is None:
                    data = self._line.read(until)
                    if not data:
                        break
                    receiver.feed(data)
        except WebSocketException:
            pass  # whatever it was, this is the end
        finally:
            self._reading.release()
        self._end(patience=0 if self._receiver.peer_close is not None else 1)

    def say_close(self, code: int) -> None:
        """Send a close frame without waiting, and leave the rest to the handler's thread."""
        self._say_close(code, "")

    def drop(self) -> None:
        """End TCP without a close frame."""
        self._end(patience=0)

    def reset(self) -> None:
        """End TCP with a reset."""
        self._over = True
        self._line.reset()

    def _say_close(self, code: int, reason: str) -> None:
        with self._encoding:
            data = self._sender.close(code, reason)
            if data and not self._over:
                try:
                    self._line.write_soon(data)
                except WebSocketConnectionClosedException:
                    pass  # then nobody needs to be told

    def _fail(self, code: int) -> None:
        self._say_close(code, "")
        self._end()

    def _end(self, patience: float = 1.0) -> None:
        self._over = True
        self._sender.abandon()
        self._line.finish(patience, self._alarm)

    def _closed_error(self) -> WebSocketConnectionClosedException:
        said = self._receiver.peer_close
        if said is None:
            return WebSocketConnectionClosedException("Connection is already closed.")
        code = None if said.code == NO_STATUS else said.code
        return WebSocketConnectionClosedException(
            f"The client has closed the connection (code {said.code})",
            status_code=code,
            reason=said.reason or None,
        )

    # --- what became of it ------------------------------------------------------------------------

    @property
    def open(self) -> bool:
        """Whether messages may be sent and received: no close frame has gone or come."""
        return not (
            self._over
            or self._line.closed
            or self._receiver.peer_close is not None
            or self._sender.our_close is not None
        )

    @property
    def close_code(self) -> int | None:
        """The client's close code; 1005 it said none, 1006 it is gone without, None while open."""
        said = self._receiver.peer_close
        if said is not None:
            return said.code
        return ABNORMAL if self._over else None

    @property
    def close_reason(self) -> str | None:
        """The client's close reason; None before its close frame came."""
        said = self._receiver.peer_close
        return None if said is None else said.reason

    @property
    def transport(self) -> socket.socket:
        """The socket (an SSLSocket over TLS), which does not block: to look at, to set options."""
        return self._line.sock
