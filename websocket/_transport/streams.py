"""`Stream`, the seam: bytes to and from the server; `PlainStream`, a connected socket.

A stream has few verbs. Reading may run ahead without taking anything away from those who watch the
descriptor: `PlainStream` peeks, and removes from the kernel only what was consumed. The hatch
(`stop_reading_ahead`) opens for good; behind it exactly the missing bytes are read. Nothing here
locks: `read` belongs to whoever holds the read lock, `write*` and `flush` to the write lock's
holder.
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from typing import Any, Protocol

from .._exceptions import WebSocketException, WebSocketTimeoutException
from .deadline import Deadline, shut_down
from .waiting import patience, queued_in_kernel, translated, wait_for

__all__ = ["LARGE", "Bytes", "PlainStream", "Stream"]

CHUNK = (1 << 16) + 16  # what one peek takes: the knee of the curve, and a header
LARGE = 1 << 18  # what one exact read takes at most: an announced length is only a claim

_PEEK = getattr(socket, "MSG_PEEK", 0)
_DONTWAIT = getattr(socket, "MSG_DONTWAIT", 0)
# Linux drops bytes without copying them; for TCP only (tcp(7)).
_TRUNC = getattr(socket, "MSG_TRUNC", 0) if sys.platform == "linux" else 0

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


class PlainStream:
    """A connected socket; `recv` and `send` as they are below any subclass that redefines them."""

    __slots__ = (
        "_peeked",
        "_peeking",
        "_recv",
        "_recv_into",
        "_send",
        "_truncate",
        "half_sent",
        "socket",
        "unsent",
    )

    def __init__(self, sock: socket.socket):
        self.unsent: bytes = b""
        self.half_sent = False
        self._peeked = 0  # bytes handed out that the kernel still has
        self._peeking = _PEEK != 0
        self._truncate = _TRUNC if sock.family in (socket.AF_INET, socket.AF_INET6) else 0
        self.move_to(sock)

    def move_to(self, sock: socket.socket) -> None:
        """Go on with another object for the same descriptor (TLS puts its face there)."""
        self.socket = sock
        # Not sock.recv: the face of a TLS stream is an SSLSocket and stands above this one.
        self._recv: Any = socket.socket.recv.__get__(sock)
        self._recv_into: Any = socket.socket.recv_into.__get__(sock)
        self._send: Any = socket.socket.send.__get__(sock)

    def read(self, missing: int, ahead: bool, deadline: Deadline | None = None) -> bytes:
        if self._peeked:
            self._remove(self._peeked)
        if ahead and self._peeking:
            data: bytes
            if deadline is None:
                try:
                    data = self._recv(CHUNK, _PEEK)
                except OSError as exc:
                    self._stumble(exc, True, None)
                    data = self._insist(self._recv, (CHUNK, _PEEK), None)
            else:
                data = self._insist(self._recv, (CHUNK, _PEEK), deadline)
            self._peeked = len(data)
            return data
        count = missing if missing < LARGE else LARGE
        return self._insist(self._recv, (count, 0), deadline)  # type: ignore[no-any-return]

    def read_into(self, room: memoryview, deadline: Deadline | None = None) -> int:
        if self._peeked:
            self._remove(self._peeked)
        return self._insist(self._recv_into, (room, 0, 0), deadline)  # type: ignore[no-any-return]

    def _insist(self, call: Any, arguments: tuple[Any, ...], deadline: Deadline | None) -> Any:
        """Call until there is something; the last of its arguments are flags."""
        if deadline is not None:
            arguments = (*arguments[:-1], arguments[-1] | _DONTWAIT)
        while True:
            try:
                if deadline is not None:
                    self._await(True, deadline)
                return call(*arguments)
            except WebSocketException:
                raise
            except OSError as exc:
                self._stumble(exc, True, deadline)

    def _remove(self, count: int) -> None:
        """Take out of the kernel what was looked at and consumed; it is there, so nothing waits."""
        self._peeked = 0
        while count:
            try:
                taken = self._recv(count, self._truncate) if self._truncate else self._recv(count)
            except OSError as exc:
                raise translated(exc) from exc
            if not taken:  # the connection was reset since
                return
            count -= len(taken)

    def give_back(self, data: bytes) -> bytes:
        if not self._peeked:
            return data
        self._remove(self._peeked - len(data))
        return b""

    def stop_reading_ahead(self) -> None:
        self._peeking = False

    def pending(self) -> int:
        return 0

    def queued(self) -> int:
        return max(0, queued_in_kernel(self.socket) - self._peeked)

    def write(self, data: Bytes, deadline: Deadline | None = None) -> None:
        begun = bool(self.unsent)
        if begun:
            data, self.unsent = self.unsent + data, b""
        try:
            if deadline is None:
                sent: int = self._send(data)
                if sent == len(data):
                    return
                begun = True
                data = memoryview(data)[sent:]
        except OSError as exc:
            self.half_sent = begun
            self._stumble(exc, False, deadline)
        self._write_rest(memoryview(data), begun, deadline)

    def write_on(self, data: bytes, sent: int) -> None:
        """The rest of what somebody else has begun to send, and waits for it."""
        self._write_rest(memoryview(data)[sent:], sent > 0, None)

    def _write_rest(self, rest: memoryview, begun: bool, deadline: Deadline | None) -> None:
        while rest:
            try:
                if deadline is None:
                    sent: int = self._send(rest)
                else:
                    self._await(False, deadline)
                    sent = self._send(rest, _DONTWAIT)
                begun = begun or sent > 0
                rest = rest[sent:]
            except WebSocketException:
                self.half_sent = begun
                raise
            except OSError as exc:
                self.half_sent = begun
                self._stumble(exc, False, deadline)
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
                sent = self._send(self.unsent, _DONTWAIT)
            except (BlockingIOError, InterruptedError, TimeoutError):
                return
            except OSError as exc:
                self.unsent = b""
                raise translated(exc) from exc
            self.unsent = self.unsent[sent:]

    def wait(self, write: bool, seconds: float | None) -> bool:
        if self._peeked:
            self._remove(self._peeked)
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

    def _stumble(self, exc: OSError, read: bool, deadline: Deadline | None) -> None:
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
        self._peeked = 0
        for _ in range(16):
            try:
                if not wait_for(self.socket.fileno(), True, False, 0)[0]:
                    return
                if not self._recv(LARGE):
                    return
            except (OSError, ValueError):
                return

    def wake(self) -> None:
        shut_down(self.socket)

    def close(self) -> None:
        self.socket.close()

    def release(self) -> None:
        # Referred to by the four attributes and by the call.
        if sys.getrefcount(self.socket) <= 5:
            with suppress(OSError):
                self.socket.close()
