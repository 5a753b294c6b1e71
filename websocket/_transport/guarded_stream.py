"""`GuardedTLSStream`: an `SSLSocket` that the user made, kept safe from two threads at once."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from typing import Any

from .deadline import Deadline
from .duck_stream import DuckStream
from .waiting import wait_for

__all__ = ["GuardedTLSStream"]


class GuardedTLSStream(DuckStream):
    """The socket is used as it is, one thread at a time under a mutex.

    It is switched to non-blocking for each call and back, and waited for outside of the mutex.
    """

    __slots__ = ("_mutex",)

    # OpenSSL wants the bytes of a record that it could not write once more, and nothing else.
    _IN_RECORDS = True

    def __init__(self, sock: ssl.SSLSocket):
        super().__init__(sock)
        self._mutex = threading.RLock()

    def _timed(self, call: Any, argument: Any, deadline: Deadline | None) -> Any:
        while True:
            try:
                return self._at_once(call, argument)
            except ssl.SSLWantReadError:
                read = True
            except ssl.SSLWantWriteError:
                read = False
            limit = self.patience(deadline)
            if limit == 0 and deadline is None:
                raise BlockingIOError
            if not any(wait_for(self.socket.fileno(), read, not read, limit)):
                raise TimeoutError

    def _at_once(self, call: Any, argument: Any) -> Any:
        with self._mutex:
            timeout = self.socket.gettimeout()
            self.socket.settimeout(0)
            try:
                return call(argument)
            finally:
                if self.socket.gettimeout() == 0:  # nobody has set another one meanwhile
                    self.socket.settimeout(timeout)

    def pending(self) -> int:
        with self._mutex:
            return super().pending()

    def wait(self, write: bool, seconds: float | None) -> bool:
        try:
            return self.pending() > 0 or wait_for(self.fileno(), True, write, seconds)[0]
        except (OSError, ValueError):
            return True  # the read will say what is wrong

    def patience(self, deadline: Deadline | None) -> float | None:
        if deadline is not None:
            return deadline.remaining()
        with self._mutex:
            timeout: float | None = self.socket.gettimeout()
            return timeout

    def settimeout(self, timeout: float | None) -> None:
        with self._mutex:
            self.socket.settimeout(timeout)

    def wake(self) -> None:
        # The `shutdown` of SSLSocket drops its TLS state: the next read would return ciphertext.
        with suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)
