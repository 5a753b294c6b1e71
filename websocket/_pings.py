"""Pings that somebody waits for: `Waiter`, and which pong answers which of them; `Latch`."""

from __future__ import annotations

import threading
import time
from weakref import WeakValueDictionary

from ._exceptions import WebSocketConnectionClosedException, WebSocketTimeoutException

__all__ = ["Latch", "Pings", "RoundTrips", "Waiter"]


class Latch:
    """A door that opens once; any thread may wait for it, and a signal handler may open it.

    Not a `threading.Event`: its `set` in a handler can deadlock with the `wait` of its own thread.
    """

    __slots__ = ("_is_open", "_lock")

    def __init__(self) -> None:
        self._is_open = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def open(self) -> None:
        """Let everybody pass from now on."""
        self._is_open = True
        try:
            self._lock.release()
        except RuntimeError:  # it was open
            pass

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is open, at most `timeout` seconds; whether it is."""
        if not self._is_open:
            seconds = -1 if timeout is None else min(max(timeout, 0), threading.TIMEOUT_MAX)
            if self._lock.acquire(timeout=seconds):
                self.open()  # for the next one
        return self._is_open


class Waiter:
    """What `ping()` returns; fulfilled by whichever thread reads the pong."""

    def __init__(self) -> None:
        self._sent = time.monotonic()
        self._done = Latch()
        self._seconds: float | None = None

    def wait(self, timeout: float | None = None) -> float:
        """Wait for the pong, at most `timeout` seconds; the round trip in seconds. Any thread.

        Somebody has to be reading meanwhile (`recv` or the like in another thread). Raises
        WebSocketTimeoutException when the time is up, WebSocketConnectionClosedException when the
        connection ends first.
        """
        if not self._done.wait(timeout):
            raise WebSocketTimeoutException(f"No pong within {timeout:g} s")
        if self._seconds is None:
            raise WebSocketConnectionClosedException("The connection ended before the pong")
        return self._seconds

    def answer(self, now: float) -> float:
        """The pong has come; returns the round trip in seconds."""
        self._seconds = now - self._sent
        self._done.open()
        return self._seconds

    def give_up(self) -> None:
        """The connection has ended."""
        self._done.open()


class RoundTrips:
    """What pings of one connection took, in seconds; for one reading thread, anybody may look."""

    __slots__ = ("count", "last", "longest", "shortest", "total")

    def __init__(self) -> None:
        self.count = 0
        self.last = self.longest = self.shortest = self.total = 0.0

    def note(self, seconds: float) -> None:
        """One more was measured."""
        self.last = seconds
        self.total += seconds
        self.longest = max(self.longest, seconds)
        self.shortest = min(self.shortest, seconds) if self.count else seconds
        self.count += 1


class Pings:
    """The pings of one connection that have not been answered and whose waiter somebody holds.

    A waiter that was dropped is not waited for: `ws.ping()` in a loop needs no pongs.
    """

    __slots__ = ("_lock", "_waiters", "round_trips")

    def __init__(self) -> None:
        # Re-entrant for the sake of a signal handler that ends the connection below a read.
        self._lock = threading.RLock()
        self._waiters: WeakValueDictionary[bytes, Waiter] = WeakValueDictionary()
        self.round_trips = RoundTrips()

    def sent(self, payload: bytes) -> Waiter:
        """Note a ping before it is written; raises RuntimeError while this payload is awaited."""
        waiter = Waiter()
        with self._lock:
            if payload in self._waiters:
                raise RuntimeError(f"a ping with payload {payload!r} is still awaited")
            self._waiters[payload] = waiter
        return waiter

    def forget(self, payload: bytes) -> None:
        """It could not be written."""
        with self._lock:
            self._waiters.pop(payload, None)

    def answered(self, payload: bytes) -> float | None:
        """A pong has come: it answers its ping and every one before it (RFC 6455 5.5.3).

        Returns the round trip of its ping in seconds, None if nobody waits for it.
        """
        now = time.monotonic()
        with self._lock:
            if payload not in self._waiters:
                return None
            seconds = None
            for earlier in list(self._waiters):
                waiter = self._waiters.pop(earlier, None)
                if waiter is not None:
                    seconds = waiter.answer(now)
                if earlier == payload:
                    break
            return seconds

    def give_up(self) -> None:
        """The connection has ended."""
        with self._lock:
            for waiter in list(self._waiters.values()):
                waiter.give_up()
            self._waiters.clear()
