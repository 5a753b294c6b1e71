"""`Session`: one call of `run_forever`, from its first attempt to its one `on_close`.

    connecting -> open -> ended -> waiting -> connecting ... -> finished

`run` takes these steps in a loop of its own. With an event loop of the caller's the same steps are
taken by its callbacks: `start`, `on_readable`, `retry`. `stop`, from any thread or signal handler,
is a latch that every step looks at and that ends every wait.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from . import _logging
from ._core import WebSocket, getdefaulttimeout
from ._dispatcher import DispatchedStream, WrappedDispatcher
from ._exceptions import WebSocketConnectionClosedException, WebSocketTimeoutException
from ._reconnect import Plan
from ._transport.deadline import Attempt, Deadline
from ._wire.frames import BINARY, CLOSE, CONT, NO_STATUS, PING, TEXT, Frame, parse_close

if TYPE_CHECKING:
    from ._app import WebSocketApp

__all__ = ["Session"]

_NORMAL = (1000, 1001, None)  # close codes of a server that just goes
_AT_A_TIME = 64  # messages for one app before the caller's loop sees to the others


class Session:
    """One run. `make` gives a new WebSocket, `connect_options` the options of each attempt."""

    def __init__(
        self,
        app: WebSocketApp,
        make: Callable[[], Any],
        connect_options: Callable[[bool], tuple[str, dict[str, Any]]],
        plan: Plan | None,
        timeout: float | None,
    ):
        self.app = app
        self.stopped = False  # a latch
        self.finished = False  # a latch
        self.dispatcher: Any = None
        self._make = make
        self._options = connect_options
        self._plan = plan
        self._timeout = timeout
        self._attempt: Attempt | None = None
        self._ws: Any = None
        self._connections = 0
        self._close_frame: Any = None
        self._finishing = threading.Lock()
        self._stepping: int | None = None  # the thread that is in a callback of the caller's loop

    # --- a loop of its own -------------------------------------------------------------------------

    def run(self) -> None:
        """Take all steps until the run is over; SystemExit goes on to the caller."""
        try:
            while True:
                ending = self.connect()
                if ending is None:
                    ending = self.converse()
                seconds = self.ended(ending)
                if seconds is None or not self.wait(seconds):
                    break
        except (KeyboardInterrupt, SystemExit) as exc:
            self.interrupted(exc)
            if isinstance(exc, SystemExit):
                raise
        finally:
            self.finish()

    def connect(self) -> BaseException | None:
        """One attempt and its callback; None when it has succeeded, else what was in the way."""
        app = self.app
        attempt = self._attempt = Attempt(Deadline(self._timeout))
        try:
            if self.stopped:
                return None
            url, options = self._options(self._connections == 0)
            ws = self._ws = app.sock = self._make()
            ws.settimeout(getdefaulttimeout())
            ws.connect(url, _attempt=attempt, **options)
        except (ValueError, TypeError):
            raise  # misuse: nothing that callbacks could heal
        except Exception as exc:
            return exc
        self._connections += 1
        app.last_close_frame = None
        if self._plan is not None:
            self._plan.connected()
        _logging.info("Websocket connected")
        app._start_ping_thread_if_overridden()
        again = app.on_reconnect if self._connections > 1 and app.on_reconnect else app.on_open
        app._callback(again)
        return None

    def converse(self) -> BaseException | None:
        """Deliver what comes; what ended the connection, None if we did."""
        while not self.stopped:
            try:
                frame = self._receive(None)
            except WebSocketTimeoutException as exc:
                if not self._ws.connected:
                    return exc  # a pong was missed
            except Exception as exc:
                return None if self.stopped else exc
            else:
                if frame.opcode == CLOSE:
                    return self._server_closed(frame)
                self.deliver(frame)
        return None

    def _receive(self, timeout: float | None) -> Frame:
        ws = self._ws
        if isinstance(ws, WebSocket) and type(ws).recv_data_frame is WebSocket.recv_data_frame:
            return ws._receive(True, timeout)
        opcode, frame = ws.recv_data_frame(True)
        return Frame(opcode, bytes(frame.data), bool(frame.fin))

    def _server_closed(self, frame: Frame) -> BaseException | None:
        """The peer's close frame, as the exception that stands for it."""
        self._close_frame = frame
        if self.stopped:
            return None
        said = parse_close(frame.data)
        code = None if said.code == NO_STATUS else said.code
        text = "Connection closed"
        if code is not None:
            text += f"{' normally' if code == 1000 else ''} (code {code})"
        if said.reason:
            text += f": {said.reason}"
        return WebSocketConnectionClosedException(
            text, status_code=code, reason=said.reason or None
        )

    def deliver(self, frame: Frame) -> None:
        """Call back for a message, a fragment, a ping or a pong."""
        app, opcode = self.app, frame.opcode
        if opcode == PING:
            app._callback(app.on_ping, frame.data)
        elif opcode > PING:
            app.last_pong_tm = time.time()
            app._callback(app.on_pong, frame.data)
        elif opcode == CONT:
            if app.on_data:
                app._callback(app.on_data, frame.data, opcode, int(frame.fin))
            app._callback(app.on_cont_message, frame.data, int(frame.fin))
        else:
            data: str | bytes = frame.data
            if opcode == TEXT and not self._ws.skip_utf8_validation:
                data = frame.text if frame.text is not None else frame.data.decode(errors="replace")
            if app.on_data:
                app._callback(app.on_data, data, opcode, True)
            if app.on_message:
                app._callback(app.on_message, data)

    def ended(self, ending: BaseException | None) -> float | None:
        """Report an ending; seconds until the next attempt, None if there is none."""
        app = self.app
        app._stop_ping_thread()
        if ending is None or self.stopped:
            return None
        seconds = None if self._plan is None else self._plan.next_wait(ending)
        by_server = self._close_frame is not None
        normal = by_server and getattr(ending, "status_code", None) in _NORMAL
        if not by_server:
            app.has_errored = True
        log = _logging.info if normal or seconds is not None else _logging.error
        log(f"{ending} - {'goodbye' if seconds is None else 'reconnect'}")
        self._let_go()
        if not normal:
            app._callback(app.on_error, ending)
        if seconds is not None:
            self._close_frame = None
            _logging.info(f"reconnect() - retrying in {seconds:.3g} seconds")
        return seconds

    def wait(self, seconds: float) -> bool:
        """Wait before the next attempt; False when the run was stopped meanwhile."""
        attempt = self._attempt = Attempt(Deadline(seconds))
        while not self.stopped and not attempt.deadline.expired:
            attempt.wait()
        return not self.stopped

    def interrupted(self, exc: BaseException) -> None:
        """KeyboardInterrupt or SystemExit: a disconnection without a closing handshake."""
        self.stopped = True
        self.app.has_errored = True
        _logging.info(f"tearing down on exception {exc!r}")
        ws = self._ws
        if ws is not None:
            with suppress(Exception):
                ws.close(timeout=0)
            self._ws = None  # nobody has waited for its answer
        self.app._callback(self.app.on_error, exc)

    # --- stopping ----------------------------------------------------------------------------------

    def stop(self) -> None:
        """End the run as soon as possible; the connection is the caller's to close."""
        self.stopped = True
        attempt = self._attempt
        if attempt is not None:
            attempt.cancel()

    def interrupt_reading(self) -> None:
        """Stop, from a thread that will not wait for a closing handshake."""
        self.stop()
        ws = self._ws
        if ws is not None and threading.get_ident() != self.app._thread:
            with suppress(Exception):
                ws.close(timeout=0)

    def _let_go(self) -> None:
        """Be done with the present connection."""
        ws = self._ws
        if ws is not None:
            if self._close_frame is None:
                self._close_frame_of(ws)
            with suppress(Exception):
                ws.shutdown()

    def _close_frame_of(self, ws: Any) -> None:
        frame = getattr(ws, "close_frame", None)
        if frame is None and isinstance(ws, WebSocket):
            frame = ws._peer_close_frame()
        self._close_frame = frame

    def finish(self) -> None:
        """The end of the run: everything released, and one `on_close`."""
        with self._finishing:
            if self.finished:
                return
            self.finished = True
        app, ws = self.app, self._ws
        app._stop_ping_thread()
        if ws is not None:
            if isinstance(self.dispatcher, WrappedDispatcher):
                self.dispatcher.remove(ws)
            with suppress(Exception):
                ws.close()  # keep_running = False in a callback has left that to us
            if self._close_frame is None:
                self._close_frame_of(ws)
            with suppress(Exception):
                ws.shutdown()
        frame = self._close_frame if self._close_frame is not None else app.last_close_frame
        app._run_is_over(self)
        app._callback(app.on_close, *app._get_close_args(frame))

    # --- the caller's loop -------------------------------------------------------------------------

    def start(self, dispatcher: Any) -> None:
        """Take the first step; the others come by the dispatcher's callbacks."""
        self.dispatcher = dispatcher
        self._step(self.connect)

    def _step(self, step: Callable[[], BaseException | None]) -> bool:
        """Take a step and what follows from it; whether the socket is still to be read."""
        self._stepping = threading.get_ident()
        try:
            ending = step()
            going_on = ending is None and not self.stopped
            if going_on:
                if step == self.connect:
                    self._listen()
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
        ws = self._ws
        connection = getattr(ws, "_connection", None)
        if connection is None or not isinstance(self.dispatcher, WrappedDispatcher):
            sock = ws.sock
        else:
            # Not ws.sock: each callback reads all that there is, so nothing is ever held back.
            sock = connection.stream.socket
            connection.stream = DispatchedStream(connection.stream, self.dispatcher)
        self.dispatcher.read(sock, self.on_readable, self.check)

    def on_readable(self) -> bool:
        """Deliver what has come, without waiting for more; whether to go on listening."""
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
            except WebSocketTimeoutException as exc:
                return None if ws.connected else exc
            except Exception as exc:
                return None if self.stopped else exc
            if frame.opcode == CLOSE:
                return self._server_closed(frame)
            self.deliver(frame)
            count += 1
            if connection is None or (count >= _AT_A_TIME and not connection.unread_here()):
                return None
        return None

    def check(self) -> bool:
        """The loop's periodic look: whether to look again. The keepalive has its own timer."""
        return not self.finished

    def retry(self, reconnecting: bool = True) -> None:
        """The wait is over: the next attempt."""
        if self.stopped:
            self.finish()
        elif not self.finished:
            self._step(self.connect)

    def disconnected(self, exc: BaseException | str, reconnecting: bool = False) -> bool:
        """A dispatcher says that the connection has ended, why ever."""
        if isinstance(exc, str):
            exc = WebSocketConnectionClosedException(exc)
        ending = exc
        return False if self.finished else self._step(lambda: ending)

    def stopped_outside(self) -> None:
        """`close()` was called: no event of the loop may ever come, so finish here and now."""
        if self.dispatcher is not None and self._stepping != threading.get_ident():
            self.finish()
