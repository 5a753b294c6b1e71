"""`Latest`: the newest messages of a connection, read by a thread of its own; older ones dropped.

The thread holds a `_Shelf`, not the `Latest` that users hold: so dropping the last reference to
that shows, and ends the thread. Whatever ends it takes nothing away from those who read next: a
message is either on the shelf or still in the connection.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from operator import index
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from ._connection import Connection
from ._exceptions import (
    WebSocketConnectionClosedException,
    WebSocketPayloadException,
    WebSocketTimeoutException,
    WebSocketWouldBlockException,
)
from ._transport.deadline import Deadline
from ._wire.frames import BINARY, CLOSE, Frame

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._receiving import Receiving

__all__ = ["Latest", "latest"]

_NORMAL_ENDINGS = (1000, 1001, 1005)
_A_LOOK = 0.2  # seconds until the thread looks again whether it is to end
_PATIENCE = 1.0  # seconds for a thread that another one's `recv` keeps waiting


class Latest(Iterator[str | bytes]):
    """What `WebSocket.latest` returns: an iterator over the newest messages; any thread.

    `close()`, the end of the `with` block, the end of the connection and dropping the last
    reference end its thread. What was kept by then is still handed out.
    """

    def __init__(self, ws: Receiving, shelf: Any):
        self._ws = ws
        self._shelf: _Shelf = shelf

    def __next__(self) -> str | bytes:
        """The oldest message kept; without one, waits for the next as long as `settimeout` says.

        Raises WebSocketTimeoutException when none has come, and the iteration may go on. When
        nothing is left, it is over: with what ended the connection, raised once, unless that was
        a normal end (close codes 1000, 1001 or none) or our `close()`.
        """
        shelf, timeout = self._shelf, self._ws.gettimeout()
        with shelf.changed:
            if not shelf.changed.wait_for(lambda: shelf.kept or shelf.ended, timeout):
                if timeout == 0:
                    raise WebSocketWouldBlockException("No message is here (timeout is 0)")
                raise WebSocketTimeoutException(f"No message within {timeout:g} s")
            frame = shelf.kept.popleft() if shelf.kept else None
        if frame is not None:
            return _message(frame)
        raise shelf.verdict()

    @property
    def dropped(self) -> int:
        """How many messages have made room for newer ones so far."""
        return self._shelf.dropped

    def close(self) -> None:
        """End the thread and leave the connection open; any thread or signal handler.

        Returns when nobody reads here any more, so that `recv` gets what comes next.
        """
        self._shelf.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # No more than that: the garbage collector may come while this thread holds the lock.
        self._shelf.stopped = True


class _Stopped(Exception):
    """Leaves a read without taking a message out of it."""


class _Shelf:
    """The messages kept, and the thread that puts them there."""

    def __init__(self, ws: Receiving, connection: Connection, size: int):
        self._ws = ws
        self._connection = connection
        self.kept: deque[Frame] = deque(maxlen=size)
        self.dropped = 0
        self.stopped = False  # a latch: the thread is to end
        self.ended = False  # a latch: nothing more is put here
        self.failure: Exception | None = None  # what ended the connection, if it was an error
        # Re-entrant for the sake of a signal handler that closes while its thread iterates.
        self.changed = threading.Condition(threading.RLock())
        self._thread = threading.Thread(target=self._run, name="websocket latest", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def close(self) -> None:
        """Have the thread end, and wait for that, but not for somebody who keeps it waiting."""
        self.stopped = True
        if self._thread is not threading.current_thread():
            self._thread.join(_PATIENCE)
        self._end()

    def verdict(self) -> Exception:
        """What the iteration ends with; a failure is told once."""
        failure, self.failure = self.failure, None
        return StopIteration() if failure is None else failure

    def _end(self) -> None:
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def _run(self) -> None:
        try:
            self._read()
        except _Stopped:
            pass
        except Exception as exc:
            self.failure = exc.with_traceback(None)  # its frames hold us
        finally:
            self._end()

    def _read(self) -> None:
        """Keep what comes until the connection ends normally; raises what ended it otherwise."""
        connection = self._connection
        while not self.stopped:
            try:
                frame = self._next_frame()
            except WebSocketTimeoutException:
                # Where it is no silence but the keepalive's finding, it is the end.
                if connection.over and isinstance(connection.error, WebSocketTimeoutException):
                    raise
                continue
            except WebSocketConnectionClosedException:
                if self._ended_normally():
                    return
                raise
            if frame.opcode == CLOSE:
                if self._ended_normally():
                    return
                raise connection.closed_error()
            self._keep(frame)

    def _next_frame(self) -> Frame:
        ws, connection = self._ws, self._connection
        if ws._connection is not connection:  # the program has connected anew
            raise connection.closed_error()
        if ws._classic_reading:
            return ws._receive(False, _A_LOOK)
        return connection.receive(self._pull, False, Deadline(_A_LOOK))

    def _pull(self) -> Frame | None:
        if self.stopped:
            raise _Stopped
        return self._connection.receiver.next_message()

    def _keep(self, frame: Frame) -> None:
        with self.changed:
            if len(self.kept) == self.kept.maxlen:
                self.dropped += 1
            self.kept.append(frame)
            self.changed.notify()

    def _ended_normally(self) -> bool:
        """Whether the peer said so; while our own `close()` waits for its answer, so do we."""
        connection = self._connection
        while not (self.stopped or connection.connected) and connection.close_code is None:
            connection.wait_ended(_A_LOOK)
        return connection.close_code in _NORMAL_ENDINGS


_shelves: WeakValueDictionary[int, _Shelf] = WeakValueDictionary()
"""Who reads, by the identity of the connection, which each of them holds."""
_guard = threading.Lock()


def latest(ws: Receiving, n: int) -> Latest:
    """Read the connection of `ws` from now on, and keep the newest `n` messages."""
    size = index(n)
    if size < 1:
        raise ValueError(f"n is {n!r}, expected a whole number of at least 1")
    connection = ws._connection
    if connection is None:
        raise WebSocketConnectionClosedException("Connection is already closed.")
    with _guard:
        before = _shelves.get(id(connection))
        if before is not None and not (before.ended or before.stopped):
            raise RuntimeError("latest() reads this connection already: close() that first")
        shelf = _Shelf(ws, connection, size)
        _shelves[id(connection)] = shelf
    shelf.start()
    return Latest(ws, shelf)


def _message(frame: Frame) -> str | bytes:
    if frame.opcode == BINARY:
        return frame.data
    if frame.text is not None:
        return frame.text
    try:
        return frame.data.decode()
    except UnicodeDecodeError as exc:  # only where `skip_utf8_validation` has let it pass
        raise WebSocketPayloadException(
            f"cannot decode: a text is not UTF-8 ({exc.reason})"
        ) from exc
