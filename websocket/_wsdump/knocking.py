"""Ending what the main thread waits in, be it a line being typed, from another thread."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from typing import Any

__all__ = ["Door", "Ended"]

_AGAIN = 0.1  # seconds


class Ended(BaseException):
    """Raised in the main thread when another one has said that it is the end."""


class Door:
    """`end(status)` in one thread raises `Ended` in the main thread inside of `with door:`.

    It knocks by SIGURG, which nothing else uses here and which does no harm when it comes late. One
    signal is not enough: when it comes just before the main thread begins to wait it wakes nobody,
    and what its handler raises inside of `input()` can get lost there. So the knocking goes on
    until the main thread has left. Ctrl+C is passed on in the same way, for the same reasons.
    """

    def __init__(self) -> None:
        self.over = threading.Event()
        self.status = 0
        self._lock = threading.Lock()
        self._heard = threading.Event()
        self._interrupted = False

    if sys.platform == "win32":

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None:
            self._heard.set()

        def _knock(self) -> None:
            # Nothing interrupts the reading of a console there.
            if not self._heard.wait(_AGAIN):
                sys.stdout.flush()
                os._exit(self.status)

    else:
        _before: Any = None

        def __enter__(self) -> None:
            if threading.current_thread() is not threading.main_thread():
                self._heard.set()  # signals do not reach this thread; the next line will do
                return
            self._before = signal.signal(signal.SIGURG, self._hear)
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                # Threads inherit the mask, so it is the watcher who gets it.
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
                threading.Thread(target=self._watch, daemon=True).start()

        def __exit__(self, *_: object) -> None:
            self._heard.set()
            gc.enable()
            if self._before is not None:
                signal.signal(signal.SIGURG, self._before)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

        def _watch(self) -> None:
            signal.sigwait({signal.SIGINT})
            self._interrupted = True
            self._knock()

        def _hear(self, *_: object) -> None:
            if self._heard.is_set() or not (self._interrupted or self.over.is_set()):
                return
            # From 3.12 on `input()` lets the collector run while this is on its way up, and the
            # collector prints it as an exception that nobody handles.
            gc.disable()
            if self._interrupted:
                raise KeyboardInterrupt
            raise Ended

        def _knock(self) -> None:
            main = threading.main_thread().ident
            while main is not None and not self._heard.is_set():
                signal.pthread_kill(main, signal.SIGURG)
                self._heard.wait(_AGAIN)

    def end(self, status: int) -> bool:
        """Say that it is the end, and with what exit status; False if that had been said before.

        Returns when the main thread has heard it. Not for the main thread.
        """
        if not self.say(status):
            return False
        self._knock()
        return True

    def say(self, status: int) -> bool:
        """The same without waking anybody; any thread."""
        with self._lock:
            if self.over.is_set():
                return False
            self.status = status
            self.over.set()
            return True
