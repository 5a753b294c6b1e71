"""Streams of a run under an event loop: a write never waits, the loop sends what has to wait.

`LoopStream` writes what the kernel takes and has our own `Loop` tell when there is room for the
rest. `BuffwriteStream` hands every frame to the `buffwrite` of a loop such as rel.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ._connection import Connection
from ._dispatcher import WrappedDispatcher
from ._exceptions import WebSocketException
from ._loop import Loop
from ._loop_parts import Watch
from ._transport.deadline import Deadline
from ._transport.streams import Bytes

__all__ = ["BuffwriteStream", "LoopStream", "QueuedStream"]

_AT_A_TIME = 1 << 16  # bytes handed down at once: what is not taken of it is copied
_events = threading.local()  # `inside`: whether this thread is in a call about some socket
_ENOUGH = 1 << 16  # bytes in somebody else's queue behind which control frames stay owed


class QueuedStream:
    """What both have in common; all else goes straight to the stream of `connection` below.

    All of it belongs to whoever holds the write lock of the connection.
    """

    def __init__(self, connection: Connection):
        self._connection = connection
        self._below = below = connection.stream
        # What is asked for at each event goes there without a detour over `__getattr__`.
        self.read, self.caught_up = below.read, below.caught_up
        self._queue: deque[memoryview] = deque()
        self._queued = 0  # bytes
        self._watch: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)

    def write(self, data: Bytes, deadline: Deadline | None = None) -> None:
        """Have all of `data` written; waits only if there is a deadline, as `close` gives one."""
        if data:
            self._queue.append(memoryview(bytes(data)))
            self._queued += len(data)
            self._push(data)
        if deadline is not None:
            self._wait_until_sent(deadline)

    def write_now(self, data: Bytes) -> None:
        """Have all of `data` written."""
        self.write(data)

    def _push(self, data: Bytes) -> None:
        raise NotImplementedError

    def _wait_until_sent(self, deadline: Deadline) -> None:
        raise NotImplementedError

    def _take(self, most: int) -> memoryview:
        """At most so many bytes from the head of the queue."""
        head = self._queue.popleft()
        if len(head) > most:
            self._queue.appendleft(head[most:])
            head = head[:most]
        self._queued -= len(head)
        return head

    def _send_without_waiting(self) -> None:
        below = self._below
        below.flush()
        while self._queue and not below.unsent:
            below.write_now(self._take(_AT_A_TIME))

    def wait(self, write: bool, seconds: float | None) -> bool:
        """Wait for readable; when it is writable is the loop's business."""
        return self._below.wait(False, seconds)

    def listen(self, watch: Any) -> None:
        """Note what the loop gave for the watching of our socket; it ends with us."""
        self._watch = watch

    def finish(self) -> None:
        """Send what goes without waiting, then as the stream below."""
        with suppress(WebSocketException):
            self._send_without_waiting()
        self._below.finish()

    def close(self) -> None:
        """Have the loop forget the socket, then close it: the number may be another's at once."""
        watch, self._watch = self._watch, None
        delete = getattr(watch, "delete", None)
        if delete is not None:
            delete()
        self._below.close()


class LoopStream(QueuedStream):
    """For `Loop`: writes go to the kernel at once, what it does not take when there is room."""

    def __init__(self, connection: Connection, loop: Loop):
        super().__init__(connection)
        self._loop = loop
        self._room: Watch | None = None

    @property
    def unsent(self) -> bool:
        """Whether something waits for room."""
        return bool(self._queue or self._below.unsent)

    def _push(self, data: Bytes) -> None:
        self.flush()

    def flush(self) -> None:
        """Send what the kernel takes; have the loop call while there is more."""
        self._send_without_waiting()
        if self.unsent:
            if self._room is None:
                self._room = self._loop.write(self._below.socket, self._on_writable)
        elif self._room is not None:
            self._forget_room()

    def _forget_room(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            room.delete()

    def _on_writable(self) -> bool:
        # Who holds the write lock instead of us does not wait, and flushes, too.
        self._connection._try_to_pay()
        return not (self._connection.over or self._below.half_sent)

    def _wait_until_sent(self, deadline: Deadline) -> None:
        """The loop does it."""

    def close(self) -> None:
        self._forget_room()
        super().close()


class BuffwriteStream(QueuedStream):
    """For a loop such as rel: each frame goes to its `buffwrite`, which calls `_send` with it.

    The bytes that count are those in our own queue, so that `close` need not wait for the loop.
    """

    def __init__(self, connection: Connection, dispatcher: WrappedDispatcher):
        super().__init__(connection)
        self._dispatcher = dispatcher
        self._due = 0  # bytes that the loop has asked for, at most
        self._pushing: int | None = None  # the thread that is in `buffwrite`
        self._closing = False  # whether a timer of the loop will close
        self._left = False  # whether another thread than the loop's was the last one out
        self._loop_thread: int | None = None  # once it has called
        self.failure: WebSocketException | None = None  # of a write; rel gives a text only

    @property
    def unsent(self) -> bool:
        """Whether so much waits that control frames had better be owed."""
        return self._queued > _ENOUGH or bool(self._below.unsent)

    def _push(self, data: Bytes) -> None:
        self._pushing = threading.get_ident()
        try:
            self._dispatcher.send(self._below.socket, bytes(data), self._send)
        finally:
            self._pushing = None

    def _send(self, sock: Any, data: bytes) -> int:
        """What the loop calls with `data`, or a part of it, when the socket is writable: send as
        much of what waits. All of it, since rel does not look at the number that is returned."""
        self._due += len(data)
        connection = self._connection
        if self._pushing == threading.get_ident():  # such a loop does not wait for anything
            self._send_due()
        elif connection._begin_writing():
            self._loop_thread = threading.get_ident()
            try:
                self._send_due()
            finally:
                connection._end_writing()
            if connection._owed and not self.unsent:
                connection._try_to_pay()
        return len(data)

    def _send_due(self) -> None:
        try:
            while self._due > 0 and self._queue:
                part = self._take(self._due)
                self._due -= len(part)
                self._below.write(part)
        except WebSocketException as exc:
            self.failure = exc
            self._connection.sender.abandon()
            raise
        if not self._queue:
            self._due = 0

    def _wait_until_sent(self, deadline: Deadline) -> None:
        # The loop may be waiting for us, or have ended.
        while self._queue:
            self._below.write(self._take(_AT_A_TIME), deadline)

    def flush(self) -> None:
        """The queue is the loop's to send."""
        self._below.flush()

    def in_event(self, callback: Callable[[], bool]) -> bool:
        """Around each call of the loop about our socket; False if all that is left is to close."""
        self._loop_thread = threading.get_ident()
        if self._left:
            self._left = False
            self._close_soon()
            return False
        before, _events.inside = getattr(_events, "inside", False), True
        try:
            return callback()
        except BaseException:  # it ends the loop: there may be no timers any more
            if self._closing:
                self._close_here()
            raise
        finally:
            _events.inside = before

    def close(self) -> None:
        # rel does not bear it that events go while it looks at those that have come: in its own
        # thread its next timers close; elsewhere we have it find the end of the stream first.
        if not self._dispatcher.is_running():
            self._close_here()
        elif self._loop_thread not in (None, threading.get_ident()):
            self._left = True
            self._below.wake()
        elif getattr(_events, "inside", False):
            self._close_soon()
        else:
            self._close_here()

    def _close_soon(self) -> None:
        self._closing = True
        self._dispatcher.timeout(0, self._close_here)

    def _close_here(self) -> None:
        self._dispatcher.release(self._below.socket)
        super().close()
