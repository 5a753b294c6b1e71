"""`Line`: one accepted socket, plain or TLS, that one thread reads while others write."""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._exceptions import WebSocketConnectionClosedException, WebSocketTimeoutException
from .._wire.http1 import HeadReader, Request
from ._waiting import Alarm, instant, left, wait

if TYPE_CHECKING:
    from ssl import SSLContext, SSLSocket

__all__ = ["Line"]

_CHUNK = 65536
_LAST_CHANCE = 0.25  # seconds to complete a request when the server closes
_PATIENCE = 1.0  # seconds for the peer to take what was written last


class Line:
    """Bytes from and to a peer; any thread.

    The socket does not block, and threads wait outside of it; so a lock around each short call is
    all that TLS needs, where two threads may never be inside of one connection. What is written
    goes through a queue: order is the order of the calls, and whoever holds the lock sends for all.
    """

    def __init__(self, sock: socket.socket, context: SSLContext | None = None) -> None:
        sock.setblocking(False)
        if sock.family != getattr(socket, "AF_UNIX", None):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock: socket.socket = sock
        self._tls: SSLSocket | None = None
        if context is not None:
            self.sock = self._tls = context.wrap_socket(
                sock, server_side=True, do_handshake_on_connect=False
            )
        self._inside = threading.Lock()
        self._writing = threading.Lock()
        self._queue: deque[memoryview] = deque()
        # The last one out closes the descriptor, so nobody ever polls a recycled number.
        self._counting = threading.Lock()
        self._users = 0
        self._finishing = False
        self.closed: bool = False
        self._helped = False  # somebody is in `help`

    # --- reading ----------------------------------------------------------------------------------

    def handshake(self, until: float | None) -> None:
        """The TLS handshake; nothing on a plain socket."""
        if self._tls is None:
            return
        with _Visit(self):
            while True:
                done, wants_write = self._attempt(self._shake_hands, None, False)
                if done is not None:
                    return
                wait(self.sock, until, read=not wants_write, write=wants_write)

    def _shake_hands(self, _: None) -> bool:
        assert self._tls is not None
        self._tls.do_handshake()
        return True

    def read(
        self, until: float | None = None, alarm: Alarm | None = None, size: int = _CHUNK
    ) -> bytes | None:
        """The next bytes, b"" at the end, None if the alarm rang before any came.

        Meanwhile what is queued is sent. Raises WebSocketTimeoutException at `until` and
        WebSocketConnectionClosedException when the peer has reset the connection.
        """
        with _Visit(self):
            while True:
                data, wants_write = self._attempt(self.sock.recv, size, False)
                if data is not None:
                    return bytes(data)
                if alarm is not None and alarm.rang:
                    return None
                owing = bool(self._queue) and not self._flush(None, patient=False)
                wait(
                    self.sock,
                    until,
                    read=not wants_write,
                    write=wants_write or owing,
                    alarm=alarm,
                )

    def read_request(self, until: float | None, alarm: Alarm) -> tuple[Request, bytes] | None:
        """The request, and what came behind it; None if the end came before it, or a moment has
        passed since the alarm: some clients cannot be answered before they have asked.

        Raises WebSocketException for what is no HTTP request.
        """
        reader = HeadReader("request")
        heeded: Alarm | None = alarm
        while True:
            try:
                data = self.read(until, heeded)
            except WebSocketTimeoutException:
                return None
            if data is None:
                heeded, until = None, instant(_LAST_CHANCE)
                continue
            used = reader.feed(data) if data else None
            if used is not None:
                return reader.head(), data[used:]
            if not data:
                return None

    def wait_gone(self, alarm: Alarm) -> None:
        """Wait, without reading, until the peer has gone or the alarm rings."""
        with _Visit(self):
            wait(self.sock, None, alarm=alarm)

    # --- writing ----------------------------------------------------------------------------------

    def write(self, data: bytes, until: float | None = None, alarm: Alarm | None = None) -> bool:
        """Send, and wait until the kernel has taken it; False if the alarm rang before.

        Raises WebSocketTimeoutException at `until` (the rest stays queued), and
        WebSocketConnectionClosedException.
        """
        self._queue.append(memoryview(data))
        return self.flush(until, alarm)

    def write_soon(self, data: bytes) -> bool:
        """Send without waiting; what the kernel does not take stays queued. Whether it took all."""
        self._queue.append(memoryview(data))
        with _Visit(self):
            return self._flush(None, patient=False)

    def flush(self, until: float | None = None, alarm: Alarm | None = None) -> bool:
        """Send all that is queued; waits, raises and returns as `write`."""
        with _Visit(self):
            return self._flush(until, True, alarm)

    def needs_help(self) -> bool:
        """Whether something is queued and nobody has been asked to `help`: the caller has to."""
        with self._counting:
            asked, self._helped = self._helped, self._helped or bool(self._queue)
            return self._helped and not asked

    def help(self) -> None:
        """Send what is queued until nothing is, or the connection has ended."""
        try:
            while True:
                self.flush()
                with self._counting:
                    if not self._queue:
                        self._helped = False
                        return
        except WebSocketConnectionClosedException:
            pass  # then nobody waits for it

    @property
    def backlog(self) -> int:
        """So many bytes are queued."""
        return sum(map(len, list(self._queue)))

    def _flush(self, until: float | None, patient: bool, alarm: Alarm | None = None) -> bool:
        """Whether all was sent."""
        while self._queue:
            if not self._begin_writing(until, patient):
                return False
            try:
                while self._queue:
                    if self._send_some():
                        continue
                    if not patient or (alarm is not None and alarm.rang):
                        return False
                    wait(self.sock, until, write=True, alarm=alarm)
            except WebSocketConnectionClosedException:
                self._queue.clear()
                raise
            finally:
                self._writing.release()
        return True

    def _begin_writing(self, until: float | None, patient: bool) -> bool:
        if not patient:
            return self._writing.acquire(blocking=False)
        seconds = left(until)
        if not self._writing.acquire(timeout=-1 if seconds is None else seconds):
            raise WebSocketTimeoutException("Connection timed out")
        return True

    def _send_some(self) -> bool:
        """Whether the kernel took some; with the write lock held."""
        first = self._queue[0]
        sent = len(first)
        if sent:  # OpenSSL will not send nothing
            # Always the same bytes until they went: OpenSSL demands it.
            sent, _ = self._attempt(self.sock.send, first[:_CHUNK], True)
        if sent is None:
            return False
        if sent == len(first):
            self._queue.popleft()
        else:
            self._queue[0] = first[sent:]
        return True

    def _attempt(
        self, call: Callable[[Any], Any], argument: Any, writing: bool
    ) -> tuple[Any, bool]:
        """(result, _), or (None, whether to wait for writing rather than for reading)."""
        try:
            with self._inside:
                return call(argument), False
        except BlockingIOError:
            return None, writing
        except OSError as exc:
            wants_write = None if self._tls is None else _tls_wants_write(exc)
            if wants_write is None:
                raise WebSocketConnectionClosedException("Connection to the peer was lost") from exc
            return None, wants_write

    # --- ending -----------------------------------------------------------------------------------

    def half_close(self, farewell: bool = False) -> None:
        """Send the end of the stream; on TLS its own end before, only if `farewell`."""
        if farewell:
            self._say_farewell()
        try:
            with _Visit(self):
                socket.socket.shutdown(self.sock, socket.SHUT_WR)
        except (WebSocketConnectionClosedException, OSError):
            pass  # it has ended by itself

    def finish(self, patience: float = _PATIENCE, alarm: Alarm | None = None) -> None:
        """End in good order: send what is queued and the end of the stream, then wait at most
        `patience` seconds, or until the alarm rings, for the peer's end.

        Closing a socket with bytes unread resets the connection, which can overtake what was sent.
        """
        with self._counting:
            if self._finishing or self.closed:
                return
            self._finishing = True
        try:
            self.flush(instant(_PATIENCE))
            self.half_close(farewell=True)
            with _Visit(self):
                self._drain(instant(patience), alarm)
        except (WebSocketConnectionClosedException, WebSocketTimeoutException):
            pass
        finally:
            self.close()

    def _say_farewell(self) -> None:
        if self._tls is None:
            return
        try:
            with _Visit(self), self._inside:
                self._tls.unwrap()
        except (OSError, ValueError):
            pass  # it is sent, and the peer's one is not awaited; or there was no TLS yet

    def _drain(self, until: float | None, alarm: Alarm | None) -> None:
        while True:
            try:
                # Ciphertext is as good as anything to be thrown away.
                if not socket.socket.recv(self.sock, _CHUNK):
                    return
            except BlockingIOError:
                if alarm is not None and alarm.rang:
                    return
                wait(self.sock, until, read=True, alarm=alarm)
            except OSError:
                return
            if left(until) == 0:
                return

    def abort(self) -> None:
        """End now, and wake everybody who waits; the descriptor stays until `close`."""
        try:
            with _Visit(self):
                # Not that of SSLSocket: it would drop the TLS state under a reader.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
        except (WebSocketConnectionClosedException, OSError):
            pass  # it has ended by itself

    def close(self) -> None:
        """End now, wake everybody; the last one to leave closes the descriptor. May be repeated."""
        self.abort()
        self._enter(closing=True)
        self.leave()

    def reset(self) -> None:
        """End with a TCP reset."""
        try:
            with _Visit(self):
                no_linger = struct.pack("ii", 1, 0)
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
        except (WebSocketConnectionClosedException, OSError):
            pass  # it has ended by itself
        # Not `close`, whose shutdown would send an end before the reset.
        self._enter(closing=True)
        self.leave()

    def _enter(self, closing: bool = False) -> None:
        with self._counting:
            self._users += 1
            if closing:
                self.closed = True

    def enter(self) -> None:
        """Keep the descriptor until `leave`; raises WebSocketConnectionClosedException."""
        with self._counting:
            if self.closed:
                raise WebSocketConnectionClosedException("Connection is already closed.")
            self._users += 1

    def leave(self) -> None:
        """The other half of `enter`."""
        with self._counting:
            self._users -= 1
            if self.closed and not self._users:
                self.sock.close()


class _Visit:
    """A stay inside of a line."""

    __slots__ = ("_line",)

    def __init__(self, line: Line) -> None:
        self._line = line

    def __enter__(self) -> None:
        self._line.enter()

    def __exit__(self, *_: object) -> None:
        self._line.leave()


def _tls_wants_write(exc: OSError) -> bool | None:
    """Whether a TLS call has to wait for writing (True) or reading (False); None if it failed."""
    import ssl

    if isinstance(exc, ssl.SSLWantReadError):
        return False
    return True if isinstance(exc, ssl.SSLWantWriteError) else None
