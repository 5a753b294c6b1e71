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

from . import _logging
from ._exceptions import WebSocketException

__all__ = ["Heartbeat", "Watched", "check_pings", "forget", "turn", "watch"]

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
    `pong` belongs to the reader's thread, the rest to the timer's.
    """

    def __init__(
        self, interval: float, timeout: float | None, now: float, payload: bytes | None = None
    ):
        self.interval = interval
        self.timeout = timeout
        self._payload = payload
        self._next_ping = now + interval
        self._guard = threading.Lock()  # of what follows
        self._unanswered: deque[tuple[float, bytes]] = deque()  # (when handed over, payload)
        self._must_consume: int | None = None
        self._suspect_since: float | None = None

    def due(self) -> float:
        """The next instant at which `turn` has something to do."""
        since = self._waiting_since()
        if self.timeout is None or since is None:
            return self._next_ping
        return min(self._next_ping, since + self.timeout)

    def _waiting_since(self) -> float | None:
        with self._guard:
            return self._unanswered[0][0] if self._unanswered else None

    def ping(self, now: float) -> bytes | None:
        """The payload of the ping that is due, if one is.

        It counts from now, sent or only owed. Not from when it was due: a process that was held up
        (a callback in C that kept the GIL, SIGSTOP) has not given the peer a chance to answer.
        """
        if now < self._next_ping:
            return None
        payload = os.urandom(4) if self._payload is None else self._payload
        with self._guard:
            self._unanswered.append((now, payload))
            if self.timeout is None and len(self._unanswered) > 16:
                self._unanswered.popleft()
        self._next_ping += self.interval
        if self._next_ping <= now:  # no burst to catch up
            self._next_ping = now + self.interval
        return payload

    def pong(self, payload: bytes, now: float) -> float | None:
        """A pong has been read; the round trip in seconds, None if it answers no ping of ours.

        It answers the newest ping with this payload and all before it: a peer that was slow needs
        to answer only the most recent one (RFC 6455 5.5.3).
        """
        with self._guard:
            matching = [at for at, sent in self._unanswered if sent == payload]
            if not matching:
                return None
            self._must_consume = self._suspect_since = None
            while self._unanswered and self._unanswered[0][0] <= matching[-1]:
                self._unanswered.popleft()
        return now - matching[0]

    def missed(self, now: float, unread: int, consumed: int) -> bool:
        """Whether the oldest pong is missed, given what the reader has still before it."""
        with self._guard:
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


def check_pings(interval: float | None, timeout: float | None) -> None:
    """The rules of `run_forever`; raises WebSocketException."""
    if timeout is not None and timeout <= 0:
        raise WebSocketException(f"Ensure ping_timeout > 0: it is {timeout!r}")
    if interval is not None and interval < 0:
        raise WebSocketException(f"Ensure ping_interval >= 0: it is {interval!r}")
    if timeout and interval and interval <= timeout:
        raise WebSocketException(
            f"Ensure ping_interval > ping_timeout: they are {interval!r} and {timeout!r}"
        )


class _Timer:
    """One daemon thread with a heap of instants; it runs while the heap is not empty."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._heap: list[tuple[float, int, ref[Watched]]] = []
        self._count = itertools.count()
        self._thread: threading.Thread | None = None
        self._gone = 0  # connections that have ended, at most so many are still in the heap

    def add(self, connection: Watched) -> None:
        with self._wake:
            self._push(connection.heartbeat.due(), ref(connection))
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="websocket keepalive", daemon=True)
                thread.start()
                self._thread = thread
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
                due = _turn_safely(connection)
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
            self._wake.wait(min(left, threading.TIMEOUT_MAX))
        return None

    def nudge(self) -> None:
        """A connection has ended: see whether the thread can, too."""
        with self._wake:
            self._gone += 1
            if self._gone * 2 > len(self._heap):
                # Not at every end, which would cost as much as there are connections.
                self._heap[:] = [entry for entry in self._heap if _alive(entry[2]())]
                heapq.heapify(self._heap)
                self._gone = 0
            self._wake.notify()


def _alive(connection: Watched | None) -> bool:
    return connection is not None and not connection.over


def _turn_safely(connection: Watched) -> float | None:
    """`turn`; a mask key function of the user's that fails there must not end all keepalive."""
    try:
        return turn(connection, time.monotonic())
    except Exception as exc:
        _logging.error(f"the keepalive of a connection failed: {exc!r}", exc)
        return time.monotonic() + connection.heartbeat.interval


_timer = _Timer()


def forget() -> None:
    """A watched connection is over; the timer thread need not wait for its next turn."""
    _timer.nudge()


def _start_anew() -> None:
    global _timer
    _timer = _Timer()  # the thread did not come along into the child


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
