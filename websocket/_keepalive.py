"""Pings for every connection from one timer thread, and when a pong is missed.

`Heartbeat` decides by the time alone and can be tested without waiting; `watch` puts it on the one
daemon thread that serves the whole process, which ends when nobody needs it any more.
"""

from __future__ import annotations

import heapq
import itertools
import os
import threading
import time
from collections import deque
from typing import Any, Protocol
from weakref import ref

__all__ = ["Heartbeat", "Watched", "forget", "turn", "watch"]

# How often to look whether a reader that is behind has caught up, and how long a sign of death has
# to last: a pong may be in the very bytes that are being parsed.
_GRACE = 0.05


class Watched(Protocol):
    """What the timer asks of a connection; none of it waits."""

    heartbeat: Heartbeat

    @property
    def over(self) -> bool:
        """Whether there is nothing left to keep alive."""
        ...

    def send_ping(self, payload: bytes) -> None:
        """Write a ping, or owe it."""
        ...

    def unread(self) -> int:
        """About how many bytes have arrived that nobody has parsed."""
        ...

    def consumed(self) -> int:
        """How many bytes have been parsed since the connection began."""
        ...

    def pong_missed(self) -> None:
        """End it: the peer is dead."""
        ...


class Heartbeat:
    """The pings of one connection as a function of monotonic time, in seconds.

    A ping falls due every `interval`; its pong is missed when `timeout` (None: never) has passed
    and the reader has seen all that had arrived by then. A pong to a later ping answers the earlier
    ones; one that answers no ping of ours says nothing. `payload` None draws a new one each time.
    """

    def __init__(
        self, interval: float, timeout: float | None, now: float, payload: bytes | None = None
    ):
        self.interval = interval
        self.timeout = timeout
        self._payload = payload
        self._next_ping = now + interval
        self._unanswered: deque[tuple[float, float, bytes]] = deque()  # (due, sent, payload)
        self._must_consume: int | None = None
        self._suspect_since: float | None = None

    def due(self) -> float:
        """The next instant at which `turn` has something to do."""
        if self.timeout is None or not self._unanswered:
            return self._next_ping
        missed = self._unanswered[0][0] + self.timeout
        return min(self._next_ping, missed)

    def ping(self, now: float) -> bytes | None:
        """The payload of the ping that is due, if one is."""
        if now < self._next_ping:
            return None
        payload = os.urandom(4) if self._payload is None else self._payload
        self._unanswered.append((self._next_ping, now, payload))
        if self.timeout is None and len(self._unanswered) > 16:
            self._unanswered.popleft()
        # From when it was due, but a process that slept does not catch up with a burst.
        self._next_ping = max(self._next_ping + self.interval, now)
        return payload

    def pong(self, payload: bytes, now: float) -> float | None:
        """A pong has been read; the round trip in seconds, None if it answers no ping of ours."""
        if not any(payload == sent for _, _, sent in self._unanswered):
            return None
        self._must_consume = self._suspect_since = None
        while True:
            _, sent_at, sent = self._unanswered.popleft()
            if sent == payload:
                return now - sent_at

    def missed(self, now: float, unread: int, consumed: int) -> bool:
        """Whether the oldest pong is missed, given what the reader has still before it."""
        if self.timeout is None or not self._unanswered:
            return False
        if now < self._unanswered[0][0] + self.timeout:
            return False
        if self._must_consume is None:
            self._must_consume = consumed + unread
        if unread and consumed < self._must_consume:
            self._suspect_since = None
            return False
        if self._suspect_since is None:
            self._suspect_since = now
        return now - self._suspect_since >= _GRACE


def turn(connection: Watched, now: float) -> float | None:
    """Do what is due on a connection; the instant of the next turn, None for never."""
    heartbeat = connection.heartbeat
    if connection.over:
        return None
    payload = heartbeat.ping(now)
    if payload is not None:
        connection.send_ping(payload)
    if heartbeat.missed(now, connection.unread(), connection.consumed()):
        connection.pong_missed()
        return None
    due = heartbeat.due()
    return due if due > now else now + _GRACE


def watch(connection: Watched) -> None:
    """Have the timer thread see to this connection until it is over or forgotten; any thread."""
    _timer.add(connection)


class _Timer:
    """One daemon thread with a heap of instants; it runs while the heap is not empty."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._heap: list[tuple[float, int, ref[Watched]]] = []
        self._count = itertools.count()
        self._thread: threading.Thread | None = None

    def add(self, connection: Watched) -> None:
        with self._wake:
            self._push(connection.heartbeat.due(), ref(connection))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="websocket keepalive", daemon=True
                )
                self._thread.start()
            else:
                self._wake.notify()

    def _push(self, due: float, connection: ref[Any]) -> None:
        heapq.heappush(self._heap, (due, next(self._count), connection))

    def _run(self) -> None:
        while True:
            with self._wake:
                entry = self._next_entry()
                if entry is None:
                    self._thread = None
                    return
            reference = entry[2]
            connection = reference()
            if connection is not None:
                due = turn(connection, time.monotonic())
                if due is not None:
                    with self._wake:
                        self._push(due, reference)
            del connection  # do not keep it alive while waiting

    def _next_entry(self) -> tuple[float, int, ref[Watched]] | None:
        """Wait until the first entry is due; None when there is none left."""
        while self._heap:
            connection = self._heap[0][2]()
            if connection is None or connection.over:
                heapq.heappop(self._heap)
                continue
            del connection
            left = self._heap[0][0] - time.monotonic()
            if left <= 0:
                return heapq.heappop(self._heap)
            self._wake.wait(left)
        return None

    def nudge(self) -> None:
        """A connection has ended: see whether the thread can, too."""
        with self._wake:
            self._wake.notify()


_timer = _Timer()


def forget() -> None:
    """A watched connection is over; the timer thread need not wait for its next turn."""
    _timer.nudge()


def _start_anew() -> None:
    global _timer
    _timer = _Timer()  # the thread did not come along into the child


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
