"""`DispatchedSession`: a run whose waiting is done by a dispatcher that the program has brought.

An event loop (rel, our `Loop`) takes the steps by its callbacks, while `run_forever` returns at
once: `start`, `on_readable`, `retry`. A dispatcher in the manner of websocket-client's own, whose
`read` returns when the connection has ended, waits in their place: `run_with`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ._dispatcher import WrappedDispatcher
from ._exceptions import WebSocketConnectionClosedException, WebSocketTimeoutException
from ._loop import Loop
from ._queued import BuffwriteStream, LoopStream, QueuedStream
from ._session import Session
from ._wire.frames import CLOSE

__all__ = ["DispatchedSession"]

_AT_A_TIME = 64  # messages for one app before the caller's loop sees to the others


class DispatchedSession(Session):
    """A `Session` with a dispatcher."""

    dispatcher: Any = None  # an event loop
    _waiter: Any = None  # a dispatcher whose `read` waits
    _ending: BaseException | None = None  # why that has returned

    # --- a dispatcher whose `read` waits ----------------------------------------------------------

    def run_with(self, dispatcher: Any) -> None:
        """As `run`, with `dispatcher.read(sock, read_callback, check_callback)` for the waiting."""
        self._waiter = dispatcher
        self.run()

    def converse(self) -> BaseException | None:
        """Deliver what comes; what ended the connection, None if we did."""
        if self._waiter is None:
            return super().converse()
        self._ending = None
        if not self.stopped:
            self._waiter.read(self._ws.sock, self._read_on, self.check)
        return self._ending

    def _read_on(self) -> bool:
        """Deliver what has come; whether to go on listening."""
        if self.stopped or self._ending is not None:
            return False
        self._ending = self._drain()
        return self._ending is None and not self.stopped

    # --- an event loop ----------------------------------------------------------------------------

    def start(self, dispatcher: Any) -> None:
        """Take the first step; the others come by the loop's callbacks."""
        self.dispatcher = dispatcher
        self._begin()

    def _begin(self) -> None:
        if self._step(self.connect) and not self.finished:
            self._listen()

    def _step(self, step: Callable[[], BaseException | None]) -> bool:
        """Take a step and what follows from it; whether the socket is still to be read."""
        self._stepping = threading.get_ident()
        try:
            ending = step()
            if ending is None and not self.stopped:
                return True
            seconds = self.ended(ending)
            if seconds is not None:
                self.dispatcher.reconnect(seconds, self.retry)
                return False
        except (KeyboardInterrupt, SystemExit) as exc:
            self.interrupted(exc)
            self.finish()
            raise
        except BaseException:
            self.finish()
            raise
        finally:
            self._stepping = None
        self.finish()
        return self.app.has_errored

    def _listen(self) -> None:
        ws, dispatcher = self._ws, self.dispatcher
        connection = getattr(ws, "_connection", None)
        if connection is None or not isinstance(dispatcher, WrappedDispatcher):
            dispatcher.read(ws.sock, self.on_readable, self.check)
            return
        # Not ws.sock: each callback reads all that there is, so nothing is ever held back.
        loop = dispatcher.dispatcher
        own = isinstance(loop, Loop)
        stream: QueuedStream = (
            LoopStream(connection, loop) if own else BuffwriteStream(connection, dispatcher)
        )
        connection.stream = stream
        stream.listen(dispatcher.read(stream.socket, self.on_readable, self.check))

    def on_readable(self) -> bool:
        """Deliver what has come, without waiting for more; whether to go on listening."""
        connection = getattr(self._ws, "_connection", None)
        stream = None if connection is None else connection.stream
        if isinstance(stream, BuffwriteStream) and not stream.called():
            return False
        if self.finished:
            return False
        if self._stepping is not None:
            return True
        return self._step(self._drain)

    def _drain(self) -> BaseException | None:
        ws = self._ws
        connection = getattr(ws, "_connection", None)
        count = 0
        while not self.stopped:
            try:
                frame = self._receive(0)
                if frame.opcode == CLOSE:
                    return self._server_closed(frame)
            except WebSocketTimeoutException as exc:
                return None if self.stopped or ws.connected else exc
            except Exception as exc:
                return None if self.stopped else exc
            try:
                self.deliver(frame)
            except Exception as exc:  # of a `_callback` that lets it through
                return exc
            count += 1
            if connection is None or (count >= _AT_A_TIME and not connection.unread_here()):
                return None
        return None

    def check(self) -> bool:
        """The dispatcher's periodic look: whether to look again. The keepalive has a timer."""
        return not self.finished

    def retry(self, reconnecting: bool = True) -> None:
        """The wait is over: the next attempt."""
        if self.stopped:
            self.finish()
        elif not self.finished:
            self._begin()

    def disconnected(self, exc: BaseException | str, reconnecting: bool = False) -> bool:
        """A dispatcher says that the connection has ended, why ever."""
        ending = WebSocketConnectionClosedException(exc) if isinstance(exc, str) else exc
        if self._waiter is not None:
            self._ending = ending
            return False
        return False if self.finished else self._step(lambda: ending)

    def stopped_outside(self) -> None:
        """`close()` was called: no event of the loop may ever come, so finish here and now."""
        if self.dispatcher is not None and self._stepping != threading.get_ident():
            self.finish()
