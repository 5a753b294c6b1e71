"""Ending what the main thread waits in, be it a line being typed, from another thread."""

from __future__ import annotations

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

    It knocks by SIGURG, which nothing else uses here and which does no harm when it comes late;
    SIGINT may be ignored, for a program in the background. A signal that comes just before the
    main thread begins to wait does not wake it (there is no closing that gap), so the knocking is
    repeated until it has been heard.
    """

    def __init__(self) -> None:
        self.over = threading.Event()
        self.status = 0
        self._lock = threading.Lock()
        self._heard = threading.Event()

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
            if threading.current_thread() is threading.main_thread():
                self._before = signal.signal(signal.SIGURG, self._hear)
            else:
                self._heard.set()  # signals do not reach this thread; the next line will do

        def __exit__(self, *_: object) -> None:
            self._heard.set()
            if self._before is not None:
                signal.signal(signal.SIGURG, self._before)

        def _hear(self, *_: object) -> None:
            if self.over.is_set() and not self._heard.is_set():
                self._heard.set()
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
