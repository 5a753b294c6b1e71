"""How long we may wait: until when (`Deadline`), and whether it was called off (`Attempt`)."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress

from websocket._exceptions import (
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Protocol

    class Shutdownable(Protocol):
        """What `Attempt` asks of a socket that it watches."""

        def shutdown(self, how: int, /) -> object: ...


__all__ = ["Attempt", "Deadline", "shut_down"]


class Deadline:
    """An instant made from a duration; everything below a public verb passes instants around.

    `Deadline(seconds)` starts now; `None` and infinity mean no limit, a negative one has passed.
    `at` is the instant by `time.monotonic()`, or None.
    """

    __slots__ = ("at", "seconds")

    def __init__(self, seconds: float | None):
        self.seconds = None if seconds == float("inf") else seconds
        self.at = None if self.seconds is None else time.monotonic() + self.seconds

    def remaining(self) -> float | None:
        """Seconds that are left, 0.0 once it has passed, None without limit."""
        return None if self.at is None else max(0.0, self.at - time.monotonic())

    @property
    def expired(self) -> bool:
        """True once the instant is reached."""
        return self.at is not None and time.monotonic() >= self.at

    def __repr__(self) -> str:
        return f"Deadline({self.seconds!r}, remaining={self.remaining()!r})"


class Attempt:
    """One attempt to connect, which has a deadline and which any thread may call off.

    The connecting thread alone calls `watch`, `unwatch`, `check` and `wait`; `cancel` and `ring`
    may be called from any thread, and `cancel` also from a signal handler that interrupted the
    connecting thread.

    Around a blocking call the order is: begin it, `watch` its socket, wait, `check`, `unwatch`,
    close. A socket that a `cancel` found too early to be shut down (Linux answers ENOTCONN before
    `connect`) is caught by `watch`, which raises when the attempt is already off.
    """

    __slots__ = ("_bell", "_guard", "_watched", "cancelled", "deadline")

    def __init__(self, deadline: Deadline):
        self.deadline = deadline
        self.cancelled = False  # a latch
        # Held while a socket is shut down, and by `unwatch` before its owner closes it: so no
        # shutdown can hit a descriptor number that was given out anew. Re-entrant for the sake of
        # a signal handler that finds its own thread inside.
        self._guard = threading.RLock()
        self._watched: dict[int, Shutdownable] = {}
        # A lock used as a bell, since `Event.set` in a signal handler can deadlock with the
        # `Event.wait` that it interrupted; releasing a bare lock cannot.
        self._bell = threading.Lock()
        self._bell.acquire()

    def watch(self, sock: Shutdownable) -> None:
        """Have `cancel` shut this socket down; raises at once if the attempt is already off."""
        with self._guard:
            self._watched[id(sock)] = sock
        if self.cancelled:
            self.unwatch(sock)
            raise self._closed("connecting")

    def unwatch(self, sock: Shutdownable) -> None:
        """Forget a socket, before it is closed or handed on; unknown ones are no error."""
        with self._guard:
            self._watched.pop(id(sock), None)

    def cancel(self) -> None:
        """Call the attempt off and wake whoever waits in it; never blocks, may be repeated."""
        self.cancelled = True
        with self._guard:
            for sock in tuple(self._watched.values()):
                shut_down(sock)
        self.ring()

    def check(self, doing: str = "connecting") -> None:
        """Raise if there is nothing left to wait for; `doing` is what the message says was cut.

        Raises WebSocketConnectionClosedException after `cancel`, WebSocketTimeoutException once
        the deadline has passed.
        """
        if self.cancelled:
            raise self._closed(doing)
        if self.deadline.at is not None and self.deadline.expired:
            raise WebSocketTimeoutException(
                f"Timed out after {self.deadline.seconds:g} s while {doing}"
            )

    def late(self, exc: WebSocketTimeoutException, doing: str) -> WebSocketException:
        """A wait that ran out, told as what our deadline has cut, if it has; the hint stays."""
        try:
            self.check(doing)
        except WebSocketTimeoutException as late:
            return WebSocketTimeoutException(*late.args, hint=exc.hint)
        return exc

    @contextmanager
    def limited(self, seconds: float | None) -> Generator[None, None, None]:
        """Give what is done inside `seconds` at most, less where the attempt has less left."""
        whole, part = self.deadline, Deadline(seconds)
        if part.at is not None and (whole.at is None or part.at < whole.at):
            self.deadline = part
        try:
            yield
        finally:
            self.deadline = whole

    def wait(self, seconds: float | None = None) -> None:
        """Sleep until `ring`, `cancel`, the deadline, or `seconds`; may also return early.

        Returns without saying why: the caller looks at its own condition and calls `check`.
        """
        limits = [s for s in (seconds, self.deadline.remaining()) if s is not None]
        self._bell.acquire(timeout=min([*limits, threading.TIMEOUT_MAX]))

    def ring(self) -> None:
        """End the present `wait`, or the next one."""
        with suppress(RuntimeError):  # already rung
            self._bell.release()

    @staticmethod
    def _closed(doing: str) -> WebSocketConnectionClosedException:
        return WebSocketConnectionClosedException(f"The connection was closed while {doing}")


def shut_down(sock: Shutdownable, how: int = socket.SHUT_RDWR) -> None:
    """Shut a socket down below any TLS that it speaks; one that is not connected is no error."""
    try:
        # eventlet's class has no methods, only its objects do.
        if isinstance(sock, socket.socket) and hasattr(socket.socket, "shutdown"):
            # Not `sock.shutdown`: that of SSLSocket drops its TLS state under the reader's feet.
            socket.socket.shutdown(sock, how)
        else:
            sock.shutdown(how)
    except OSError:
        pass
