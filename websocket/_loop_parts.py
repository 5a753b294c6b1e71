"""What a `Loop` keeps: sockets that are watched, calls that are to come, bytes that wait."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ["Buffer", "Timer", "Watch", "Write"]

_AT_A_TIME = 4096  # bytes of one write: what a socket that is writable takes without waiting


class Watch:
    """A socket that is watched; what `Loop.read` and `Loop.write` return."""

    __slots__ = ("_unwatch", "callback", "kind", "number", "since", "sock")

    def __init__(
        self,
        unwatch: Callable[[Watch], object],
        sock: Any,
        kind: int,
        callback: Callable[[], object],
    ):
        self._unwatch = unwatch
        self.sock: Any = sock
        self.number: int = sock.fileno()
        self.kind: int = kind
        self.since: int = 0  # in which turn of the loop it came; an event of that is not for us
        self.callback: Callable[[], object] = callback
        if self.number < 0:
            raise ValueError("the socket is closed, expected one that is open")

    def delete(self) -> None:
        """Watch it no longer; any thread, best before the socket is closed."""
        self._unwatch(self)


class Timer:
    """A call that is to come; what `Loop.timeout` returns."""

    __slots__ = ("_cancel", "args", "callback", "due", "rank", "seconds")

    def __init__(
        self,
        cancel: Callable[[Timer], object],
        seconds: float,
        rank: int,
        callback: Callable[..., object],
        args: tuple[Any, ...],
    ):
        self._cancel = cancel
        self.seconds: float = seconds
        self.due: float = time.monotonic() + seconds
        self.rank: int = rank
        self.callback: Callable[..., object] | None = callback
        self.args: tuple[Any, ...] = args

    def __lt__(self, other: Timer) -> bool:
        return (self.due, self.rank) < (other.due, other.rank)

    def delete(self) -> None:
        """Do not call; any thread."""
        self._cancel(self)


class Write:
    """Bytes that wait for their turn, and what to do with them."""

    __slots__ = ("data", "on_disconnect", "send")

    def __init__(
        self,
        data: bytes,
        send: Callable[[Any, bytes], int],
        on_disconnect: Callable[[BaseException], object] | None,
    ):
        self.data = memoryview(data)
        self.send = send
        self.on_disconnect = on_disconnect


class Buffer:
    """What `Loop.buffwrite` was given for one socket."""

    def __init__(self, buffers: dict[int, Buffer], guard: Any, sock: Any):
        self._buffers = buffers  # those of the loop, by number
        self._guard = guard
        self._number: int = sock.fileno()
        self.sock = sock
        self.writes: deque[Write] = deque()

    def write(self) -> bool:
        """Write a part; whether there is more."""
        head = self.writes[0]
        try:
            sent = head.send(self.sock, bytes(head.data[:_AT_A_TIME]))
        except (BlockingIOError, InterruptedError):
            return True
        except Exception as exc:
            with self._guard:
                self._forget()
            if head.on_disconnect is not None:
                head.on_disconnect(exc)
            return False
        head.data = head.data[sent:]
        with self._guard:
            if not head.data:
                self.writes.popleft()
            if not self.writes:
                self._forget()
            return bool(self.writes)

    def _forget(self) -> None:
        if self._buffers.get(self._number) is self:
            del self._buffers[self._number]
