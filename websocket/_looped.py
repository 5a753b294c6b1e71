"""`LoopedSession`: a run whose steps are the callbacks of an event loop, rel or our `Loop`.

`run_forever` returns at once; then the loop calls `_on_readable`, `retry`, `check`, `disconnected`.
Nothing of that waits for the network, but for connecting under rel, and closing in its thread.

Others end a run so: they set `stopped`, close the connection, and ask to `leave`. Whoever takes a
step looks at `_leave` behind it, whoever asks to leave looks whether a step is being taken: one of
them finishes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from . import _logging
from ._connection import Connection
from ._dispatched import DispatchedSession
from ._dispatcher import WrappedDispatcher
from ._exceptions import WebSocketConnectionClosedException, WebSocketTimeoutException
from ._loop import Loop
from ._loop_parts import Timer
from ._queued import BuffwriteStream, LoopStream
from ._transport.streams import Stream
from ._wire.frames import CLOSE, Close, Frame, check_close

__all__ = ["LoopedSession"]

_AT_A_TIME = 64  # messages for one app before the loop sees to the others


class LoopedSession(DispatchedSession):
    """A `Session` for every kind of dispatcher: `start` gives it an event loop."""

    dispatcher: Any = None  # a WrappedDispatcher, or what a subclass of the app has made
    _loop: Loop | None = None  # behind it, if it is ours
    _stream: LoopStream | BuffwriteStream | None = None  # of the present connection
    _connection: Connection | None = None  # the same
    _leave = False  # a latch: nobody is in the way of `finish`
    _closing = False  # a latch: we have said goodbye by way of `_loop`, which waits for the answer
    _dialled: BaseException | None = None  # how a connecting in a helper thread has ended
    _retrying: Any = None
    _farewell: Timer | None = None

    # --- connecting ------------------------------------------------------------------------------

    def start(self, dispatcher: Any) -> None:
        """Take the first step; the others come by the loop's callbacks. Raises what misuse does."""
        self.dispatcher = dispatcher
        loop = getattr(dispatcher, "dispatcher", None)
        self._loop = loop if isinstance(loop, Loop) else None
        self._leave = self.stopped  # whoever has stopped us did not know of the loop
        self._begin(True)

    def _begin(self, misuse_raises: bool) -> None:
        loop = self._loop
        if loop is not None and loop.here:
            loop.call_in_thread(self._dial_aside, self._after_dialling)
        elif self._step(self.connect, misuse_raises) and not self.stopped:
            self._listen()

    def _dial_aside(self) -> None:
        try:
            self._dialled = self.dial()
        except Exception as exc:
            self._dialled = exc

    def _after_dialling(self) -> None:
        if not self.finished:
            if self._step(self._connect_on) and not self.stopped:
                self._listen()
            return
        ws = self._ws  # somebody has called it off
        if ws is not None:
            ws.shutdown()
            if self.app.sock is ws:
                self.app.sock = None

    def _connect_on(self) -> BaseException | None:
        ending, self._dialled = self._dialled, None
        if isinstance(ending, (ValueError, TypeError)) and not isinstance(ending, OSError):
            raise ending
        return ending if ending is not None or self.stopped else self._opened(self._ws)

    def _opened(self, ws: Any) -> BaseException | None:
        connection = getattr(ws, "_connection", None)
        if isinstance(connection, Connection) and isinstance(self.dispatcher, WrappedDispatcher):
            with connection.write_lock:
                if self._loop is not None:
                    self._stream = LoopStream(connection, self._loop)
                else:
                    self._stream = BuffwriteStream(connection, self.dispatcher)
                connection.move_to(cast(Stream, self._stream))
            self._connection = connection
        return super()._opened(ws)

    def _listen(self) -> None:
        stream, connection = self._stream, self._connection
        if stream is None or connection is None:
            self.dispatcher.read(self._ws.sock, partial(self._on_readable, None), self.check)
            return
        # Not ws.sock: each callback reads all that there is, so nothing is ever held back.
        on_readable = partial(self._on_readable, stream)
        if isinstance(stream, BuffwriteStream):
            on_readable = partial(stream.in_event, on_readable)
        try:
            if self._loop is not None:
                stream.listen(self._loop.read(stream.socket, on_readable))
            else:
                check = partial(self._check, stream, on_readable)
                stream.listen(self.dispatcher.read(stream.socket, on_readable, check))
        except (OSError, ValueError):  # closed meanwhile, by somebody who will finish
            return
        if connection.unread_here():  # came with the response, and is nothing to wait for
            on_readable()

    # --- steps -----------------------------------------------------------------------------------

    def _step(self, step: Callable[[], BaseException | None], misuse_raises: bool = False) -> bool:
        """Take a step and what follows from it; whether the socket is still to be read."""
        self._stepping = threading.get_ident()
        going_on = False
        try:
            ending = step()
            if ending is None:
                going_on = True
            elif self._closing:
                self._leave = True
            else:
                self._go_on_after(ending)
        except (KeyboardInterrupt, SystemExit) as exc:
            self.interrupted(exc)
            self._leave = True
            raise
        except BaseException as exc:
            self._leave = True
            if misuse_raises or not isinstance(exc, Exception):
                raise
            self._report(exc)
        finally:
            self._stepping = None
            if self._leave:
                self._finish_now()
        return going_on and not self._finishing.locked()

    def _go_on_after(self, ending: BaseException) -> None:
        seconds = self.ended(ending)
        if seconds is None:
            self._leave = True
        elif not self.stopped:  # else whoever has stopped us asks to leave
            self._retrying = self.dispatcher.reconnect(seconds, self.retry)

    def _report(self, exc: Exception) -> None:
        """Misuse that a later attempt has met, in the url or the header that a function gave."""
        self.app.has_errored = True
        _logging.error(f"{exc} - goodbye", exc)
        self._let_go()
        self.app._callback(self.app.on_error, exc)

    def _on_readable(self, stream: LoopStream | BuffwriteStream | None) -> bool:
        """Deliver what has come, without waiting for more; whether to go on listening."""
        if stream is not self._stream or self._finishing.locked():
            return False
        return (self._stepping is not None or self._step(self._drain)) and stream is self._stream

    def _drain(self) -> BaseException | None:
        connection = self._connection
        if connection is None:
            return super()._drain()
        ws, count = self._ws, 0
        genuine = self._genuine and ws._connection is connection
        while not self.stopped:
            try:
                if genuine and not ws._classic_reading:
                    item = connection.receive_arrived(ws.fire_cont_frame, count > 0)
                else:
                    item = self._receive_otherwise(connection)
            except Exception as exc:
                return None if self.stopped else exc
            if item is None:
                return None
            ending = self._take(item)
            if ending is not None or (isinstance(item, Frame) and item.opcode == CLOSE):
                return ending
            if connection.settled == connection.filled:
                return None  # the loop will say when there is more
            count += 1
            if count >= _AT_A_TIME and not connection.unread_here():
                return None
        return None

    def _receive_otherwise(self, connection: Connection) -> str | bytes | Frame | None:
        """What has come to a WebSocket that reads in a way of its own."""
        if not connection.read_lock.acquire(False):
            return None  # another thread reads: in `close`, to the end
        try:
            return self._receive(0)
        except WebSocketTimeoutException:
            if connection.over:  # a pong was missed
                raise
            return None
        finally:
            connection.read_lock.release()

    def deliver_frame(self, frame: Frame) -> None:
        """Call back for it, unless goodbye was said; behind that no message comes at all."""
        if not self._closing:
            super().deliver_frame(frame)

    def _check(self, stream: Any, on_readable: Callable[[], bool]) -> bool:
        if stream is self._stream and self._connection is not None and self._connection.over:
            on_readable()
        return stream is self._stream and not self.finished

    def retry(self, reconnecting: bool = True) -> None:
        """The wait is over: the next attempt."""
        self._retrying = None
        if not (self.finished or self.stopped):
            self._begin(False)

    def disconnected(self, exc: BaseException | str, reconnecting: bool = False) -> bool:
        """A dispatcher says that the connection has ended, why ever."""
        if self._waiter is not None:
            return super().disconnected(exc, reconnecting)
        if self.stopped or self._stepping is not None:  # the read that follows will find out
            return False
        stream, ending = self._stream, exc
        if stream is None and isinstance(self.dispatcher, WrappedDispatcher):
            return False  # of a connection that is gone
        if isinstance(stream, BuffwriteStream) and stream.failure is not None:
            ending = stream.failure
        if not isinstance(ending, BaseException):
            ending = WebSocketConnectionClosedException(ending)
        return False if self.finished else self._step(partial(_as_it_is, ending))

    # --- ending ----------------------------------------------------------------------------------

    def close_later(self, wait: bool, how: dict[str, Any]) -> bool:
        """Have `Loop` do the closing handshake; its own thread does not wait for it, others do if
        they want to. False where that is not possible. Raises as `WebSocket.close`."""
        loop, connection = self._loop, self._connection
        if loop is None or connection is None or not loop.running:
            return False
        if self.finished or not connection.connected:
            return False
        if self._stepping == threading.get_ident() and not loop.here:
            return False  # in on_open, called by `run_forever`: the loop does not know us yet
        said, timeout = _goodbye(**how)
        if loop.here:
            self._say_goodbye(connection, said, timeout)
            return True
        loop.timeout(0, self._say_goodbye, connection, said, timeout)
        if wait and not connection.wait_ended(timeout):  # the loop has stopped, or is in a callback
            connection.end()
            self.stop()
            self.stopped_outside()
        return True

    def _say_goodbye(self, connection: Connection, said: Close, timeout: float | None) -> None:
        if self._closing or connection is not self._connection or self._loop is None:
            return
        self._closing = True
        self.app.sock = None
        connection.receiver.discard_ready()
        connection.owe(CLOSE, said)
        if timeout is not None:
            self._farewell = self._loop.timeout(timeout, self.stopped_outside)

    def _server_closed(self, frame: Frame) -> BaseException | None:
        if self._closing:
            self._close_frame = frame
            self._leave = True
            return None
        return super()._server_closed(frame)

    def stopped_outside(self) -> None:
        """Ask to leave: the connection was closed, or has had its time for that."""
        if self.dispatcher is None:
            return
        self._leave = True
        loop = self._loop
        if self._stepping is not None:
            return  # the step will end with it
        if loop is not None and loop.running and not loop.here:
            loop.timeout(0, self._finish_now)
        else:
            self._finish_now()

    def _finish_now(self) -> None:
        if self._closing:
            self._let_go()
        self.finish()

    def _let_go(self) -> None:
        super()._let_go()
        self._stream = self._connection = None

    def finish(self) -> None:
        """The end of the run: everything released, and one `on_close`; any thread, once."""
        if self._loop is not None:
            for timer in (self._retrying, self._farewell):
                if timer is not None:
                    timer.delete()
        super().finish()


def _as_it_is(ending: BaseException) -> BaseException:
    return ending


def _goodbye(
    status: int = 1000, reason: str | bytes | None = b"", timeout: float | None = 3
) -> tuple[Close, float | None]:
    """What `close` was told, in the manner of `WebSocket.close`."""
    return Close(status, check_close(status, reason).decode()), timeout
