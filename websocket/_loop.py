"""`Loop`: an event loop that lets one thread run a thousand `WebSocketApp`s, without other packages.

It has the verbs that `run_forever(dispatcher=...)` asks of a loop, those of rel: `signal`, `abort`,
`read`, `timeout`, `buffwrite`.
"""

from __future__ import annotations

import heapq
import itertools
import selectors
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from . import _logging

__all__ = ["Loop"]

_LONGEST_WAIT = 3600.0
_AT_A_TIME = 16384  # bytes of one write: what a socket that is writable takes without waiting


class Loop:
    """Register apps with `app.run_forever(dispatcher=loop)`, then call `run()`.

    `run` works in the thread that calls it, and all callbacks of the apps run there. `stop` and
    `timeout` may be called from any thread or signal handler, the other verbs from the loop's own
    thread or before it runs. A connection is made in the thread that asks for it: the first by
    `run_forever`, later ones, when an app reconnects, by the loop, which waits for it; give
    `run_forever` a `timeout`.
    """

    def __init__(self) -> None:
        self._selector: selectors.BaseSelector | None = None
        self._readers: dict[int, tuple[Any, Callable[[], object]]] = {}
        self._writers: dict[int, tuple[Any, deque[_Write]]] = {}
        self._timers: list[tuple[float, int, float, Callable[..., object], tuple[Any, ...]]] = []
        self._count = itertools.count()
        self._waker: tuple[socket.socket, socket.socket] | None = None
        self._guard = threading.RLock()
        self._stopping = False

    # --- what an app asks --------------------------------------------------------------------------

    def signal(self, number: int, callback: Callable[[], object]) -> None:
        """Call back when the process gets this signal; only from the main thread."""
        signal.signal(number, lambda *_: callback())

    def abort(self) -> None:
        """The same as `stop`."""
        self.stop()

    def read(self, sock: Any, callback: Callable[[], object]) -> None:
        """Call back whenever `sock` is readable, until it returns something falsy."""
        number = sock.fileno()
        self._forget(number)
        self._readers[number] = (sock, callback)
        self._register(number)

    def timeout(self, seconds: float | None, callback: Callable[..., object], *args: Any) -> None:
        """Call back with `args` after so many seconds, and again as long as it returns True."""
        seconds = seconds or 0.0
        with self._guard:
            entry = (time.monotonic() + seconds, next(self._count), seconds, callback, args)
            heapq.heappush(self._timers, entry)
        self._wake()

    def buffwrite(
        self,
        sock: Any,
        data: bytes,
        send: Callable[[Any, bytes], int],
        on_disconnect: Callable[[BaseException], object] | None = None,
    ) -> None:
        """Write all of `data` by `send(sock, data) -> int` as the socket takes it, behind what was
        given before; `on_disconnect(exc)` if that fails."""
        number = sock.fileno()
        with self._guard:
            waiting = self._writers.setdefault(number, (sock, deque()))[1]
            waiting.append(_Write(data, send, on_disconnect))
            first = len(waiting) == 1
        if first:
            self._register(number)
        self._wake()

    def remove(self, sock: Any) -> None:
        """Forget a socket that is about to be closed."""
        for kind in (self._readers, self._writers):
            for number in [n for n, entry in list(kind.items()) if entry[0] is sock]:
                kind.pop(number, None)  # type: ignore[attr-defined]
                self._register(number)
        self._wake()

    # --- running -----------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until `stop`, or until there is nothing left to wait for; KeyboardInterrupt and
        SystemExit of a callback go on to the caller, who may call `run` again."""
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._waker = socket.socketpair()
        try:
            for end in self._waker:
                end.setblocking(False)
            self._selector.register(self._waker[0], selectors.EVENT_READ)
            for number in {*self._readers, *self._writers}:
                self._register(number)
            while not self._stopping and (self._readers or self._writers or self._timers):
                self._turn()
        finally:
            selector, waker = self._selector, self._waker
            with self._guard:
                self._selector = self._waker = None
            selector.close()
            for end in waker:
                end.close()

    def stop(self) -> None:
        """Have `run` return after the callback that is running; any thread or signal handler."""
        self._stopping = True
        self._wake()

    def _wake(self) -> None:
        with self._guard:
            if self._waker is not None:
                with suppress(OSError):  # full: it will wake up anyway
                    self._waker[1].send(b"\0")

    def _turn(self) -> None:
        assert self._selector is not None and self._waker is not None
        with self._guard:
            due = self._timers[0][0] if self._timers else None
        wait = _LONGEST_WAIT if due is None else max(0.0, due - time.monotonic())
        for key, events in self._selector.select(min(wait, _LONGEST_WAIT)):
            if key.fileobj is self._waker[0]:
                with suppress(OSError):
                    self._waker[0].recv(4096)
                continue
            if events & selectors.EVENT_WRITE:
                self._write(key.fd)
            if events & selectors.EVENT_READ:
                self._read(key.fd)
            if self._stopping:
                return
        self._call_timers()

    def _read(self, number: int) -> None:
        entry = self._readers.get(number)
        if entry is not None and not self._call(entry[1]) and self._readers.get(number) is entry:
            del self._readers[number]
            self._register(number)

    def _write(self, number: int) -> None:
        entry = self._writers.get(number)
        if entry is None:
            return
        sock, waiting = entry
        write = waiting[0]
        try:
            write.data = write.data[write.send(sock, write.data[:_AT_A_TIME]) :]
        except Exception as exc:
            self._writers.pop(number, None)
            self._register(number)
            if write.on_disconnect is not None:
                write.on_disconnect(exc)
            return
        if not write.data:
            with self._guard:
                waiting.popleft()
                if not waiting:
                    self._writers.pop(number, None)
            if not waiting:
                self._register(number)

    def _call_timers(self) -> None:
        now = time.monotonic()
        while not self._stopping:
            with self._guard:
                if not self._timers or self._timers[0][0] > now:
                    return
                _, _, seconds, callback, args = heapq.heappop(self._timers)
            if self._call(callback, *args) is True and seconds:
                self.timeout(seconds, callback, *args)

    def _call(self, callback: Callable[..., object], *args: Any) -> object:
        try:
            return callback(*args)
        except Exception as exc:  # one app's failure must not end the others
            _logging.error(f"error from callback {callback}: {exc}", exc)
            return False

    # --- the selector ------------------------------------------------------------------------------

    def _register(self, number: int) -> None:
        """Tell the selector what is wanted of this descriptor now."""
        selector = self._selector
        if selector is None:
            return
        events = (selectors.EVENT_READ if number in self._readers else 0) | (
            selectors.EVENT_WRITE if number in self._writers else 0
        )
        with suppress(KeyError, ValueError, OSError):
            selector.unregister(number)
        if events:
            try:
                selector.register(number, events)
            except (ValueError, OSError):  # closed meanwhile
                self._forget(number)

    def _forget(self, number: int) -> None:
        """What was known of this number belonged to a socket that is closed by now."""
        self._readers.pop(number, None)
        stale = self._writers.get(number)
        if stale is not None and stale[0].fileno() != number:
            del self._writers[number]


class _Write:
    """Bytes that wait for their turn, and what to do with them."""

    __slots__ = ("data", "on_disconnect", "send")

    def __init__(
        self,
        data: bytes,
        send: Callable[[Any, bytes], int],
        on_disconnect: Callable[[BaseException], object] | None,
    ):
        self.data = data
        self.send = send
        self.on_disconnect = on_disconnect
