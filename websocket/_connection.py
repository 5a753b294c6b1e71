"""`Connection`: one open connection = protocol + transport + the locks that keep threads apart.

Six sentences hold here, and tests/core/test_threads_*.py prove each of them:

1. The two halves share nothing, so a blocked writer never stops the reader, nor the reverse.
2. Order is read lock, then write lock; who holds the write lock never waits for the read lock.
3. Only the caller of a send verb waits to write. A pong, a close reply, a keepalive ping is written
   without waiting, or owed: whoever next holds the write lock sends what is owed first, and a
   waiting reader waits for writable, too, while something is owed.
4. `close` may be called from anywhere; it ends by its deadline, and ends everybody else's wait.
   Under a signal handler or a callback of its own thread it waits for nothing.
5. Waking is a shutdown of the socket; the woken find out why and raise.
6. The last one out closes the descriptor.

`_line` holds the locks, what is owed and the end, `_writing` the sending half, `_reading` the
receiving half, `_arriving` how event loops read; here is the closing handshake, which needs both.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

from . import _logging, _tracing
from ._arriving import Arriving
from ._exceptions import WebSocketException
from ._transport.deadline import Deadline
from ._wire.frames import CLOSE, Close

__all__ = ["Connection"]

_PATIENCE = 1.0  # seconds for our last words behind another thread's frame


class Connection(Arriving):
    """Verbs for reading, writing and ending; any thread, several at once."""

    __slots__ = ()

    def lose(self, failure: WebSocketException) -> None:
        """The keepalive found the peer dead: wake everybody; who reads gets `failure`."""
        self._failure = failure
        self.receiver.discard_ready()
        self._remember(failure)
        self.sender.abandon()
        self._announce_end()
        self.wake()

    def busy_here(self) -> bool:
        """Whether the calling thread is in the middle of a read or a write: a signal handler is."""
        read_lock: Any = self.read_lock
        write_lock: Any = self.write_lock
        return bool(read_lock._is_owned() or write_lock._is_owned())

    def close(self, said: Close, timeout: float | None) -> None:
        """The closing handshake, at most `timeout` seconds (None: no limit), then the end.

        Data that came before the peer's close frame is discarded. Any thread; below a read or a
        write of the same thread (signal handler, callback) nothing is waited for.
        """
        if self.over and CLOSE not in self._owed and not self.stream.unsent:
            self.end()
            return
        self._closing = True
        self.receiver.discard_ready()
        if self.busy_here():
            self._close_from_within(said)
            return
        deadline = Deadline(timeout)
        try:
            self._say_close(said, deadline)
            self._await_close(deadline)
        finally:
            self.end()

    def _close_from_within(self, said: Close) -> None:
        if self._begin_writing():
            try:
                with suppress(WebSocketException):
                    self._debts().setdefault(CLOSE, said)
                    self._pay()
            finally:
                self._end_writing()
        self.end()

    def _say_close(self, said: Close, deadline: Deadline) -> None:
        lock = self.write_lock
        if not (lock.acquire(blocking=False) or _acquire(lock, deadline)):
            return  # somebody is stuck in a send: the end will wake them
        try:
            self._writing = True
            if self._message_done is not None:
                self._let_others_send()
            if self._owed:
                said = self._owed.pop(CLOSE, said)
            data = self.sender.close(said.code, said.reason)
            if data or self.stream.unsent:
                self.stream.write(data, deadline)
                if data:
                    (self._sent or self.sent).frame(data)
                if _tracing.on:
                    _logging.trace(f"++Sent raw: {data!r}")
        except WebSocketException:
            pass  # what is lost need not be told the end
        finally:
            self._writing = False
            lock.release()

    def _await_close(self, deadline: Deadline) -> None:
        """Read until the peer's close frame, or let the reader inside do that."""
        lock = self.read_lock
        if not (lock.acquire(blocking=False) or _acquire(lock, deadline)):
            return
        try:
            self._reading = True
            receiver = self.receiver
            while receiver.peer_close is None and not self.over:
                frame = receiver.next_piece()
                if frame is None:
                    self._fill(deadline)
                    continue
                if frame.opcode < CLOSE:
                    receiver.count.came_late(frame)
                if deadline.expired:  # a flood gives us no time to wait
                    return
        except WebSocketException:
            pass
        finally:
            self._reading = False
            lock.release()

    def fail_sending(self, code: int) -> None:
        """A message was begun and cannot be ended: say so, and be done."""
        try:
            self._say_close(Close(code, ""), Deadline(_PATIENCE))
        finally:
            self.end()


def _acquire(lock: Any, deadline: Deadline) -> bool:
    left = deadline.remaining()
    if left is None:
        return bool(lock.acquire())
    return bool(lock.acquire(timeout=min(left, threading.TIMEOUT_MAX)))
