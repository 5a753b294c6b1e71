"""`DuckStream`: anything with `recv` and `send` as a stream, and hardly more asked of it."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from typing import Any

from .deadline import Deadline
from .streams import LARGE, Bytes
from .waiting import queued_in_kernel, translated, wait_for

__all__ = ["DuckStream"]


class DuckStream:
    """A test double, a green socket, a socket of another make: `recv`, `send`, `close`, and if it
    has them `gettimeout`, `settimeout`, `shutdown`, `fileno`, `pending`.

    Read exactly, one call at a time; deadlines by its own `settimeout`, where it has one.
    """

    __slots__ = ("_timeout", "half_sent", "socket", "unsent")

    _IN_RECORDS = False  # whether a write that was begun shows only in its retries

    def __init__(self, sock: Any):
        self.socket = sock
        self.unsent: bytes = b""
        self.half_sent = False
        self._timeout: Any = ...  # its own, while we have set another

    def read(self, missing: int, ahead: bool, deadline: Deadline | None = None) -> bytes:
        while True:
            try:
                data = self._timed(self.socket.recv, min(missing, LARGE), deadline)
                return bytes(data or b"")
            except OSError as exc:
                self._stumble(exc, True, deadline)

    def read_into(self, room: memoryview, deadline: Deadline | None = None) -> int:
        data = self.read(len(room), False, deadline)  # a double may have no `recv_into`
        room[: len(data)] = data
        return len(data)

    def _timed(self, call: Any, argument: Any, deadline: Deadline | None) -> Any:
        if deadline is None:
            return call(argument)
        if deadline.expired:
            return self._at_once(call, argument)
        return self._with_timeout(deadline.remaining(), call, argument)

    def _at_once(self, call: Any, argument: Any) -> Any:
        """Call it so that it does not wait, if it can be told so."""
        return self._with_timeout(0, call, argument)

    def _with_timeout(self, seconds: float | None, call: Any, argument: Any) -> Any:
        if not hasattr(self.socket, "settimeout"):
            return call(argument)
        before = self._timeout = self.patience(None)
        self.socket.settimeout(seconds)
        try:
            return call(argument)
        finally:
            self.socket.settimeout(before)
            self._timeout = ...

    def _stumble(self, exc: OSError, read: bool, deadline: Deadline | None) -> None:
        """As PlainStream's; "want read" and "want write" are how a TLS socket says EAGAIN."""
        if isinstance(exc, InterruptedError):
            return
        if _means_later(exc):
            if type(exc).__name__ == "SSLWantWriteError":
                read = False
            elif type(exc).__name__ == "SSLWantReadError":
                read = True
            limit = self.patience(deadline)
            if limit == 0 and deadline is None:
                exc = BlockingIOError()
            elif any(wait_for(self.fileno(), read, not read, limit)):
                return
            else:
                exc = TimeoutError()
        raise translated(exc) from exc

    def give_back(self, data: bytes) -> bytes:
        return data

    def caught_up(self) -> bool:
        return False

    def stop_reading_ahead(self) -> None:
        """It never did."""

    def pending(self) -> int:
        return int(self.socket.pending()) if hasattr(self.socket, "pending") else 0

    def queued(self) -> int:
        waiting = self.pending()
        if not waiting and hasattr(self.socket, "fileno"):
            with suppress(TypeError, AttributeError):  # a double's descriptor may be anything
                waiting = queued_in_kernel(self.socket)
        return waiting

    def write(self, data: Bytes, deadline: Deadline | None = None) -> None:
        begun = bool(self.unsent) or self._IN_RECORDS
        if self.unsent:
            data, self.unsent = self.unsent + data, b""
        while data:
            try:
                sent: int = self._timed(self.socket.send, data, deadline)
                begun = begun or sent > 0
                data = memoryview(data)[sent:]
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
                if deadline is None:
                    sent = self._at_once(self.socket.send, self.unsent)
                else:
                    sent = self._timed(self.socket.send, self.unsent, deadline)
            except OSError as exc:
                if _means_later(exc) or isinstance(exc, (InterruptedError, TimeoutError)):
                    return
                self.unsent = b""
                raise translated(exc) from exc
            self.unsent = self.unsent[sent:]

    def wait(self, write: bool, seconds: float | None) -> bool:
        return True  # a double's fileno() is often an invention: nothing but `recv` tells

    def patience(self, deadline: Deadline | None) -> float | None:
        if deadline is not None:
            return deadline.remaining()
        timeout: Any = self._timeout
        if timeout is ... and hasattr(self.socket, "gettimeout"):
            timeout = self.socket.gettimeout()
        return None if timeout is ... else timeout

    def settimeout(self, timeout: float | None) -> None:
        self.socket.settimeout(timeout)

    def share_locks(self, read_lock: Any, write_lock: Any) -> None:
        """It keeps nothing that its user could disturb."""

    def finish(self) -> None:
        """A half-close is not among the verbs that we ask of it."""

    def wake(self) -> None:
        with suppress(OSError, AttributeError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def fileno(self) -> int:
        return int(self.socket.fileno())

    def close(self) -> None:
        if getattr(self.socket, "_closed", False) is True:
            return  # by somebody else; a double may count the calls
        with suppress(OSError):
            self.socket.close()

    def release(self) -> None:
        if sys.getrefcount(self.socket) <= 2:  # by the attribute and by the call
            self.close()


def _means_later(exc: OSError) -> bool:
    # By name: whoever has made a TLS socket has imported ssl, we need not.
    return isinstance(exc, BlockingIOError) or type(exc).__name__ in (
        "SSLWantReadError",
        "SSLWantWriteError",
    )
