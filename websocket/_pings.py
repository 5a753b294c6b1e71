"""Pings that somebody waits for: `Waiter`, and which pong answers which of them."""

from __future__ import annotations

import threading
import time
from weakref import WeakValueDictionary

from ._exceptions import WebSocketConnectionClosedException, WebSocketTimeoutException

__all__ = ["Pings", "Waiter"]


class Waiter:
    """What `ping()` returns; fulfilled by whichever thread reads the pong."""

    def __init__(self) -> None:
        self._sent = time.monotonic()
        self._done = threading.Event()
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
        self._done.set()
        return self._seconds

    def give_up(self) -> None:
        """The connection has ended."""
        self._done.set()


class Pings:
    """The pings of one connection that have not been answered and whose waiter somebody holds.

    A waiter that was dropped is not waited for: `ws.ping()` in a loop needs no pongs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiters: WeakValueDictionary[bytes, Waiter] = WeakValueDictionary()

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
