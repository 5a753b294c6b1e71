"""`Loop`: an event loop that lets one thread run a thousand `WebSocketApp`s.

It has the verbs that `run_forever(dispatcher=...)` asks of a loop, those of rel: `signal`, `abort`,
`read`, `timeout`, `buffwrite`. Who watches what is kept under a guard, so that every verb may be
called from any thread; only waiting, and calling back, is the loop's own thread's.
"""

from __future__ import annotations

import heapq
import itertools
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from . import _logging
from ._loop_parts import Buffer, Timer, Watch, Write
from ._loop_poll import READ, WRITE, Poll, new_poll

__all__ = ["Loop"]

_LONGEST_WAIT = 1.0  # seconds; then we look for sockets that were closed without a word
_HELPERS = 64  # threads at most, which exist only while there is something to do for them


class Loop:
    """Register apps with `app.run_forever(dispatcher=loop)`, then call `run()`.

    `run` works in the thread that calls it, and the apps are called back there. All other verbs may
    be called from any thread, `stop` and `abort` from signal handlers, too. An app's first
    connection is made by the thread that calls `run_forever`; later ones, and those that callbacks
    ask for, by helper threads, so a server that is slow to answer delays nobody else.
    """

    def __init__(self) -> None:
        self._guard = threading.RLock()
        self._watches: dict[int, dict[int, Watch]] = {READ: {}, WRITE: {}}  # by number
        self._buffers: dict[int, Buffer] = {}
        self._timers: list[Timer] = []  # a heap
        self._count = itertools.count()
        self._signals: dict[int, Callable[[], object]] = {}
        self._handlers: dict[int, Any] = {}  # those that were there before ours
        self._jobs: deque[tuple[Callable[[], object], Callable[[], object]]] = deque()
        self._unfinished = 0  # jobs
        self._helpers = 0
        self._poll: Poll | None = None
        self._turns = 0
        self._waker: tuple[socket.socket, socket.socket] | None = None
        self._thread: int | None = None
        self._waiting = False
        self._stopping = False

    # --- what an app asks ------------------------------------------------------------------------

    def signal(self, number: int, callback: Callable[[], object]) -> None:
        """Call back when the process gets this signal, until `run` ends, and in the next `run`;
        raises ValueError outside of the main thread."""
        self._signals[number] = callback
        self._install(number)

    def abort(self) -> None:
        """The same as `stop`; what apps register for SIGINT."""
        self.stop()

    def read(self, sock: Any, callback: Callable[[], object]) -> Watch:
        """Call back whenever `sock` is readable, until that returns something falsy."""
        return self._watch(Watch(self._unwatch, sock, READ, callback))

    def write(self, sock: Any, callback: Callable[[], object]) -> Watch:
        """Call back whenever `sock` is writable, until that returns something falsy."""
        return self._watch(Watch(self._unwatch, sock, WRITE, callback))

    def timeout(self, seconds: float | None, callback: Callable[..., object], *args: Any) -> Timer:
        """Call back with `args` after so many seconds, and again as long as that returns True."""
        timer = Timer(self._cancel, seconds or 0.0, next(self._count), callback, args)
        with self._guard:
            heapq.heappush(self._timers, timer)
        self._wake()
        return timer

    def buffwrite(
        self,
        sock: Any,
        data: bytes,
        send: Callable[[Any, bytes], int],
        on_disconnect: Callable[[BaseException], object] | None = None,
    ) -> None:
        """Write all of `data` by `send(sock, data) -> int` whenever the socket is writable, behind
        what was given before; `on_disconnect(exc)` if that fails."""
        number = sock.fileno()
        with self._guard:
            buffer = self._buffers.get(number)
            if buffer is None or buffer.sock is not sock:
                buffer = Buffer(self._buffers, self._guard, sock)
                self.write(sock, buffer.write)
                self._buffers[number] = buffer
            buffer.writes.append(Write(data, send, on_disconnect))

    def call_in_thread(self, work: Callable[[], object], then: Callable[[], object]) -> None:
        """Call `work()` in a helper thread, and after it `then()` in the loop's thread."""
        with self._guard:
            self._jobs.append((work, then))
            self._unfinished += 1
            if self._helpers >= _HELPERS:
                return
            self._helpers += 1
        threading.Thread(target=self._help, name="websocket loop helper", daemon=True).start()

    # --- running ---------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether some thread is in `run`."""
        return self._thread is not None

    @property
    def here(self) -> bool:
        """Whether the thread that asks is in `run`: in a callback, or a signal handler."""
        return self._thread == threading.get_ident()

    def run(self) -> None:
        """Serve until `stop`, or until there is nothing left to wait for.

        KeyboardInterrupt and SystemExit of a callback go on to the caller, who may call `run`
        again; other exceptions are logged. Raises RuntimeError where it runs already.
        """
        self._begin()
        try:
            while not self._stopping and (
                self._watches[READ] or self._watches[WRITE] or self._timers or self._unfinished
            ):
                self._turn()
        finally:
            self._finish()

    def stop(self) -> None:
        """Have `run` return after the callback that is running; before a run it does nothing."""
        self._stopping = True
        self._wake()

    def _begin(self) -> None:
        with self._guard:
            if self._thread is not None:
                raise RuntimeError("this loop is running already")
            self._thread = threading.get_ident()
            self._stopping = False
            self._poll = new_poll()
            self._waker = socket.socketpair()
            for end in self._waker:
                end.setblocking(False)
            self._poll.watch(self._waker[0].fileno(), READ)
            for number in {*self._watches[READ], *self._watches[WRITE]}:
                self._tell_poll(number)
        if threading.current_thread() is threading.main_thread():
            for number in self._signals:
                self._install(number)

    def _finish(self) -> None:
        with self._guard:
            poll, waker = self._poll, self._waker
            self._poll = self._waker = self._thread = None
        if poll is not None and waker is not None:
            poll.close()
            for end in waker:
                end.close()
        if threading.current_thread() is threading.main_thread():
            import signal  # here, since it is slow to import

            while self._handlers:
                signal.signal(*self._handlers.popitem())

    def _turn(self) -> None:
        """Wait once, and call back for all that is ready then."""
        poll, waker = self._poll, self._waker
        assert poll is not None and waker is not None
        woken = waker[0].fileno()
        kinds = (self._watches[READ], poll.readable), (self._watches[WRITE], poll.writable)
        self._turns = turn = self._turns + 1
        self._waiting = True  # from here on a signal handler has to wake us, too
        seconds = self._until_timer() if self._timers else _LONGEST_WAIT
        ready = poll.wait(0.0 if self._stopping else seconds)
        self._waiting = False
        for number, events in ready:
            for watches, kind in kinds:
                watch = watches.get(number) if events & kind else None
                # What has come in this turn may be another socket with the same number.
                if watch is None or watch.since == turn:
                    continue
                if self._stopping:
                    return
                try:
                    if watch.callback():
                        continue
                except Exception as exc:
                    self._failed(watch.callback, exc)
                watch.delete()
            if number == woken:
                self._drain_waker()
        if not ready:
            self._forget_closed()
        if self._timers:
            self._call_timers()

    def _until_timer(self) -> float:
        with self._guard:
            due = self._timers[0].due if self._timers else float("inf")
        return min(max(0.0, due - time.monotonic()), _LONGEST_WAIT)

    def _call_timers(self) -> None:
        now = time.monotonic()
        while not self._stopping:
            with self._guard:
                if not self._timers or self._timers[0].due > now:
                    return
                timer = heapq.heappop(self._timers)
            callback = timer.callback
            if callback is not None and self._call(callback, *timer.args) is True:
                timer.due = time.monotonic() + timer.seconds
                with self._guard:
                    if timer.callback is not None:
                        heapq.heappush(self._timers, timer)

    def _call(self, callback: Callable[..., object], *args: Any) -> object:
        try:
            return callback(*args)
        except Exception as exc:
            self._failed(callback, exc)
            return False

    def _failed(self, callback: Callable[..., object], exc: Exception) -> None:
        """One app's failure must not end the others."""
        _logging.error(f"error from callback {callback}: {exc}", exc)

    def _cancel(self, timer: Timer) -> None:
        with self._guard:
            timer.callback = None
            if timer in self._timers:
                self._timers.remove(timer)
                heapq.heapify(self._timers)
        self._wake()

    def _help(self) -> None:
        while True:
            with self._guard:
                if not self._jobs:
                    self._helpers -= 1
                    return
                work, then = self._jobs.popleft()
            self._call(work)
            self.timeout(0, then)
            with self._guard:
                self._unfinished -= 1

    # --- waking and signals ----------------------------------------------------------------------

    def _wake(self) -> None:
        """Have a `select` that waits look anew; any thread, or a signal handler above it."""
        if self.here and not self._waiting:
            return
        with self._guard:
            if self._waker is not None:
                with suppress(OSError):  # full: it will wake up
                    self._waker[1].send(b"\0")

    def _drain_waker(self) -> None:
        assert self._waker is not None
        with suppress(OSError):
            self._waker[0].recv(4096)

    def _install(self, number: int) -> None:
        import signal

        if number not in self._handlers:
            self._handlers[number] = signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: object) -> None:
        self._signals[number]()

    # --- watching --------------------------------------------------------------------------------

    def _watch(self, watch: Watch) -> Watch:
        number = watch.number
        with self._guard:
            for watches in self._watches.values():
                # Whatever was known of this number belonged to a socket that is closed by now.
                if number in watches and watches[number].sock is not watch.sock:
                    del watches[number]
            watch.since = self._turns
            self._watches[watch.kind][number] = watch
            self._tell_poll(number)
        self._wake()
        return watch

    def _unwatch(self, watch: Watch) -> None:
        with self._guard:
            watches = self._watches[watch.kind]
            if watches.get(watch.number) is watch:
                del watches[watch.number]
                self._tell_poll(watch.number)
        self._wake()

    def _tell_poll(self, number: int) -> None:
        """Have this number watched for what is wanted now; with the guard held."""
        if self._poll is None:
            return
        wanted = [kind for kind, watches in self._watches.items() if number in watches]
        try:
            self._poll.watch(number, sum(wanted))
        except (ValueError, OSError):  # closed meanwhile
            for kind in wanted:
                del self._watches[kind][number]

    def _forget_closed(self) -> None:
        with self._guard:
            for watches in self._watches.values():
                for watch in list(watches.values()):
                    if watch.sock.fileno() != watch.number:
                        self._unwatch(watch)
            for number, buffer in list(self._buffers.items()):
                if buffer.sock.fileno() != number:
                    del self._buffers[number]
