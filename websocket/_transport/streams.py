"""`Stream`, the seam: bytes to and from the server; `PlainStream`, a connected socket.

A stream has few verbs. Reading may run ahead without taking anything away from those who watch the
descriptor: `PlainStream` peeks, and removes from the kernel only what was consumed. The hatch
(`stop_reading_ahead`) opens for good; behind it exactly the missing bytes are read. Nothing here
locks: `read` belongs to whoever holds the read lock, `write*` and `flush` to the write lock's
holder.
"""

from __future__ import annotations

import _socket
import socket
import sys
from contextlib import suppress
from typing import Any, Protocol

from .._exceptions import WebSocketException, WebSocketTimeoutException
from .deadline import Deadline, shut_down
from .waiting import patience, queued_in_kernel, translated, wait_for

__all__ = ["LARGE", "Bytes", "PlainStream", "Stream", "is_native"]

CHUNK = (1 << 16) + 16  # what one peek takes: the knee of the curve, and a header
LARGE = 1 << 18  # what one exact read takes at most: an announced length is only a claim

_PEEK = int(getattr(socket, "MSG_PEEK", 0))  # int: each `|` of an enum costs a microsecond
_DONTWAIT = int(getattr(socket, "MSG_DONTWAIT", 0))
# Linux drops bytes without copying them; for TCP only (tcp(7)).
_TRUNC = int(getattr(socket, "MSG_TRUNC", 0)) if sys.platform == "linux" else 0

Bytes = bytes | bytearray | memoryview


class Stream(Protocol):
    """A stream of bytes to the server; plain, TLS, or TLS inside TLS."""

    half_sent: bool
    """True once a `write` has failed when a part of it, or of something before it, had gone."""

    @property
    def unsent(self) -> bytes | bool:
        """Truthy while bytes that were begun by `write_now` wait to be sent by `flush`."""
        ...

    @property
    def socket(self) -> Any:
        """The socket that users see."""
        ...

    def read(self, missing: int, ahead: bool, deadline: Deadline | None = None) -> bytes:
        """At least one byte, b"" at the end; at most `missing`, unless `ahead` is True."""
        ...

    def read_into(self, room: memoryview, deadline: Deadline | None = None) -> int:
        """Like `read`, straight into `room`: at least one byte, how many; 0 at the end."""
        ...

    def give_back(self, data: bytes) -> bytes:
        """Undo the reading of `data`, the unconsumed end of what the last `read` returned; returns
        it where that is too late, since it has left the kernel for good."""
        ...

    def caught_up(self) -> bool:
        """Whether the last `read` took all that had come by then, so that whoever waits for the
        descriptor will be told of more; all of that has to have been consumed."""
        ...

    def stop_reading_ahead(self) -> None:
        """Open the hatch: from here on what has not been consumed can be seen from outside."""
        ...

    def pending(self) -> int:
        """Bytes that can be read although the descriptor does not show them."""
        ...

    def queued(self) -> int:
        """About how many bytes have arrived that `read` has not handed out; any thread."""
        ...

    def write(self, data: Bytes, deadline: Deadline | None = None) -> None:
        """All of `data`, behind what is unsent; waits for the kernel to take it."""
        ...

    def write_now(self, data: Bytes) -> None:
        """What the kernel takes of `data` without waiting; the rest is unsent."""
        ...

    def flush(self, deadline: Deadline | None = None) -> None:
        """What the kernel takes of the unsent bytes without waiting, or until `deadline`."""
        ...

    def wait(self, write: bool, seconds: float | None) -> bool:
        """Wait at most `seconds` for readable or, if asked, writable; whether it is worth reading,
        which it is, too, when something is wrong. As the caller of `read`."""
        ...

    def patience(self, deadline: Deadline | None) -> float | None:
        """How long one wait may last: until the deadline, else as the socket's own timeout says."""
        ...

    def settimeout(self, timeout: float | None) -> None:
        """Set the socket's own timeout; any thread."""
        ...

    def share_locks(self, read_lock: Any, write_lock: Any) -> None:
        """Take the locks of the connection, for what users do to the socket behind its back."""
        ...

    def finish(self) -> None:
        """Say that no more will be written (a half-close), and drop what waits to be read."""
        ...

    def wake(self) -> None:
        """End every wait in `read` and `write`, in all threads; any thread may call it."""
        ...

    def close(self) -> None:
        """Close the descriptor, and no more than that; nobody may be inside."""
        ...

    def release(self) -> None:
        """Close the descriptor unless somebody else still holds the socket; for finalisers."""
        ...


def is_native(sock: Any) -> bool:
    """Whether this socket waits as the system does: those of green threads let others run."""
    return isinstance(sock, _socket.socket)


class PlainStream:
    """A connected socket; `recv` and `send` as they are below any subclass that redefines them."""

    __slots__ = ("half_sent", "peeked", "peeking", "socket", "truncate", "unsent")

    def __init__(self, sock: socket.socket):
        self.unsent: bytes = b""
        self.half_sent = False
        self.peeked = 0  # bytes handed out that the kernel still has
        self.peeking = _PEEK != 0
        self.truncate = _TRUNC if sock.family in (socket.AF_INET, socket.AF_INET6) else 0
        # Below it is `socket.socket.recv(self.socket)`, never `self.socket.recv()`: the face of a
        # TLS stream is an SSLSocket and stands above this one.
        self.socket = sock

    def move_to(self, sock: socket.socket) -> None:
        """Go on with another object for the same descriptor (TLS puts its face there)."""
        self.socket = sock

    def read(self, missing: int, ahead: bool, deadline: Deadline | None = None) -> bytes:
        if self.peeked:
            self._remove(self.peeked)
        peeking = ahead and self.peeking
        size, flags = (CHUNK, _PEEK) if peeking else (missing if missing < LARGE else LARGE, 0)
        data: bytes
        if deadline is None:
            try:
                data = socket.socket.recv(self.socket, size, flags)
            except OSError as exc:
                self.stumble(exc, True, None)
                data = self._insist(socket.socket.recv, (size, flags), None)
        elif peeking and deadline.seconds == 0 and self.socket.gettimeout() is None:
            data = self._look()
        else:
            data = self._insist(socket.socket.recv, (size, flags), deadline)
        if peeking:
            self.peeked = len(data)
        return data

    def _look(self) -> bytes:
        """What has come already, without a wait for it."""
        try:
            return socket.socket.recv(self.socket, CHUNK, _PEEK | _DONTWAIT)
        except BlockingIOError:
            raise WebSocketTimeoutException("Connection timed out") from None
        except OSError as exc:
            self.stumble(exc, True, None)
        return self._look()

    def caught_up(self) -> bool:
        caught_up = 0 < self.peeked < CHUNK
        if caught_up:
            self._remove(self.peeked)
        return caught_up

    def read_into(self, room: memoryview, deadline: Deadline | None = None) -> int:
        if self.peeked:
            self._remove(self.peeked)
        whole = (room, 0, 0)
        return self._insist(socket.socket.recv_into, whole, deadline)  # type: ignore[no-any-return]

    def _insist(self, call: Any, arguments: tuple[Any, ...], deadline: Deadline | None) -> Any:
        """Call until there is something; the last of its arguments are flags."""
        if deadline is not None:
            arguments = (*arguments[:-1], arguments[-1] | _DONTWAIT)
        while True:
            try:
                if deadline is not None:
                    self._await(True, deadline)
                return call(self.socket, *arguments)
            except WebSocketException:
                raise
            except OSError as exc:
                self.stumble(exc, True, deadline)

    def _remove(self, count: int) -> None:
        """Take out of the kernel what was looked at and consumed; it is there, so nothing waits."""
        self.peeked = 0
        while count:
            try:
                taken = socket.socket.recv(self.socket, count, self.truncate)
            except OSError as exc:
                raise translated(exc) from exc
            if not taken:  # the connection was reset since
                return
            count -= len(taken)

    def give_back(self, data: bytes) -> bytes:
        if not self.peeked:
            return data
        self._remove(self.peeked - len(data))
        return b""

    def stop_reading_ahead(self) -> None:
        self.peeking = False

    def pending(self) -> int:
        return 0

    def queued(self) -> int:
        return max(0, queued_in_kernel(self.socket) - self.peeked)

    def write(self, data: Bytes, deadline: Deadline | None = None) -> None:
        begun = bool(self.unsent)
        if begun:
            data, self.unsent = self.unsent + data, b""
        try:
            if deadline is None:
                sent = socket.socket.send(self.socket, data)
                if sent == len(data):
                    return
                begun = True
                data = memoryview(data)[sent:]
        except OSError as exc:
            self.half_sent = begun
            self.stumble(exc, False, deadline)
        self._write_rest(memoryview(data), begun, deadline)

    def write_on(self, data: bytes, sent: int) -> None:
        """The rest of what somebody else has begun to send, and waits for it."""
        self._write_rest(memoryview(data)[sent:], sent > 0, None)

    def _write_rest(self, rest: memoryview, begun: bool, deadline: Deadline | None) -> None:
        while rest:
            self.half_sent = begun
            try:
                if deadline is None:
                    sent = socket.socket.send(self.socket, rest)
                else:
                    if not _DONTWAIT or self.socket.gettimeout():  # it would wait, for too long
                        self._await(False, deadline)
                    sent = socket.socket.send(self.socket, rest, _DONTWAIT)
                begun = begun or sent > 0
                rest = rest[sent:]
            except WebSocketException:
                raise
            except OSError as exc:
                self.stumble(exc, False, deadline)
        self.half_sent = False

    def write_now(self, data: Bytes) -> None:
        self.unsent += bytes(data)
        self.flush()

    def flush(self, deadline: Deadline | None = None) -> None:
        while self.unsent:
            try:
                # A socket with a timeout would wait for it in spite of MSG_DONTWAIT.
                if deadline is not None or self.socket.gettimeout():
                    limit = 0 if deadline is None else deadline.remaining()
                    if not wait_for(self.socket.fileno(), False, True, limit)[1]:
                        return
                sent = socket.socket.send(self.socket, self.unsent, _DONTWAIT)
            except (BlockingIOError, InterruptedError, TimeoutError):
                return
            except OSError as exc:
                self.unsent = b""
                raise translated(exc) from exc
            self.unsent = self.unsent[sent:]

    def wait(self, write: bool, seconds: float | None) -> bool:
        if self.peeked:
            self._remove(self.peeked)
        try:
            return wait_for(self.socket.fileno(), True, write, seconds)[0]
        except OSError:
            return True  # the read will say what is wrong

    def patience(self, deadline: Deadline | None) -> float | None:
        return patience(self.socket, deadline)

    def settimeout(self, timeout: float | None) -> None:
        self.socket.settimeout(timeout)

    def share_locks(self, read_lock: Any, write_lock: Any) -> None:
        """A plain socket keeps nothing that its user could disturb."""

    def _await(self, read: bool, deadline: Deadline) -> None:
        if not any(wait_for(self.socket.fileno(), read, not read, deadline.remaining())):
            raise WebSocketTimeoutException("Connection timed out")

    def stumble(self, exc: OSError, read: bool, deadline: Deadline | None) -> None:
        """Raise one of ours, or return for another try (EINTR, or readiness that was not true)."""
        if isinstance(exc, BlockingIOError) and self.socket.gettimeout() != 0:
            if any(wait_for(self.socket.fileno(), read, not read, patience(self.socket, deadline))):
                return
            exc = TimeoutError()
        elif isinstance(exc, InterruptedError):
            return
        raise translated(exc) from exc

    def finish(self) -> None:
        """Half-close; then read away what has come: closing with unread bytes would be a reset,
        which can destroy our last words on their way (RFC 1122 4.2.2.13)."""
        shut_down(self.socket, socket.SHUT_WR)
        self._drop_unread()

    def _drop_unread(self) -> None:
        self.peeked = 0
        for _ in range(16):
            try:
                waits = not _DONTWAIT or self.socket.gettimeout()
                if waits and not wait_for(self.socket.fileno(), True, False, 0)[0]:
                    return
                if not socket.socket.recv(self.socket, CHUNK, _DONTWAIT):
                    return
            except (OSError, ValueError):
                return

    def wake(self) -> None:
        shut_down(self.socket)

    def close(self) -> None:
        self.socket.close()

    def release(self) -> None:
        if sys.getrefcount(self.socket) <= 2:  # by the attribute and by the call
            with suppress(OSError):
                self.socket.close()
