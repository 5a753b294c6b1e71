"""`DispatchedSession`: a run whose waiting is done by a dispatcher that the program has brought.

A dispatcher in the manner of websocket-client's own has a `read` that returns when the connection
has ended; it waits in the place of `Session.run`. Of event loops `_looped` knows.
"""

from __future__ import annotations

from typing import Any

from ._exceptions import WebSocketConnectionClosedException, WebSocketTimeoutException
from ._session import Session
from ._wire.frames import CLOSE, Frame

__all__ = ["DispatchedSession"]

_AT_A_TIME = 64  # messages before the dispatcher may look at what else there is


class DispatchedSession(Session):
    """A `Session` with a dispatcher whose `read` waits."""

    _waiter: Any = None
    _ending: BaseException | None = None  # why that has returned

    def run_with(self, dispatcher: Any) -> None:
        """As `run`, with `dispatcher.read(sock, read_callback, check_callback)` for the waiting."""
        self._waiter = dispatcher
        self.run()

    def converse(self) -> BaseException | None:
        """Deliver what comes; what ended the connection, None if we did."""
        if self._waiter is None:
            return super().converse()
        self._ending = None
        try:
            if not self.stopped:
                self._waiter.read(self._ws.sock, self._read_on, self.check)
        except Exception as exc:
            # Such a dispatcher looks at `app.sock.sock`, and `close` in another thread takes it.
            return None if self.stopped else exc
        return self._ending

    def _read_on(self) -> bool:
        """Deliver what has come; whether to go on listening."""
        if self.stopped or self._ending is not None:
            return False
        self._ending = self._drain()
        return self._ending is None and not self.stopped

    def _drain(self) -> BaseException | None:
        ws = self._ws
        connection = getattr(ws, "_connection", None)
        count = 0
        while not self.stopped:
            try:
                item = self._receive(0)
            except WebSocketTimeoutException as exc:
                return None if self.stopped or ws.connected else exc
            except Exception as exc:
                return None if self.stopped else exc
            ending = self._take(item)
            if ending is not None or (isinstance(item, Frame) and item.opcode == CLOSE):
                return ending
            count += 1
            if connection is None or (count >= _AT_A_TIME and not connection.unread_here()):
                return None
        return None

    def check(self) -> bool:
        """The dispatcher's periodic look: whether to look again. The keepalive has a timer."""
        return not self.finished

    def disconnected(self, exc: BaseException | str, reconnecting: bool = False) -> bool:
        """The dispatcher says that the connection has ended, why ever; whether to go on."""
        if isinstance(exc, str):
            exc = WebSocketConnectionClosedException(exc)
        self._ending = exc
        return False
