"""`Session`: one call of `run_forever`, from its first attempt to its one `on_close`.

    connecting -> open -> ended -> waiting -> connecting ... -> finished

`run` takes these steps in a loop; where a program has brought a dispatcher, `_dispatched` takes the
same steps. `stop`, from any thread or signal handler, is a latch that every step looks at and that
ends every wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from . import _logging
from ._core import WebSocket, getdefaulttimeout
from ._delivery import Delivery
from ._exceptions import WebSocketConnectionClosedException, WebSocketTimeoutException
from ._reconnect import Plan
from ._transport.deadline import Attempt, Deadline
from ._wire.frames import CLOSE, NO_STATUS, Frame, parse_close

if TYPE_CHECKING:
    from ._app import WebSocketApp

__all__ = ["Session"]

_NORMAL = (1000, 1001, None)  # close codes of a server that just goes

_recv_data_frame = WebSocket.recv_data_frame


class Session(Delivery):
    """One run. `make` gives a new WebSocket, `connect_options` URL and options of an attempt."""

    def __init__(
        self,
        app: WebSocketApp,
        make: Callable[[], Any],
        connect_options: Callable[[], tuple[str, dict[str, Any]]],
        plan: Plan | None,
        timeout: float | None,
    ):
        self.app = app
        self.stopped = False  # a latch
        self._make = make
        self._options = connect_options
        self._plan = plan
        self._timeout = getdefaulttimeout() if timeout is None else timeout
        self._attempt: Attempt | None = None
        self._ws: Any = None
        self._genuine = False  # whether it receives as our class does
        self._receive: Callable[[float | None], str | bytes | Frame] = self._receive_classic
        self._connections = 0
        self._close_frame: Any = None
        self._finishing = threading.Lock()  # taken once, never given back
        self._stepping: int | None = None  # the thread that takes the steps, while it does

    # --- the steps --------------------------------------------------------------------------------

    def run(self) -> None:
        """Take all steps until the run is over; SystemExit goes on to the caller."""
        self._stepping = threading.get_ident()
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
        """One attempt and its callback; what was in the way, None if nothing was, or stopped."""
        ending = self.dial()
        return ending if ending is not None or self.stopped else self._opened(self._ws)

    def dial(self) -> BaseException | None:
        """One attempt without its callback, the step that waits for the network."""
        app = self.app
        attempt = self._attempt = Attempt(Deadline(self._timeout))
        if self.stopped:
            return None
        try:
            url, options = self._options()
        except Exception as exc:  # of the program's own functions
            return None if self.stopped else exc
        try:
            ws = self._ws = app.sock = self._make()
            ws.settimeout(getdefaulttimeout())
            ws.connect(url, _attempt=attempt, **options)
        except Exception as exc:
            if isinstance(exc, (ValueError, TypeError)) and not isinstance(exc, OSError):
                raise  # misuse: nothing that time could heal. An SSLCertVerificationError is both.
            return None if self.stopped else exc
        return None

    def _opened(self, ws: Any) -> BaseException | None:
        app = self.app
        genuine = isinstance(ws, WebSocket) and type(ws).recv_data_frame is _recv_data_frame
        self._genuine = genuine
        self._receive = partial(ws._receive_item, True) if genuine else self._receive_classic
        self._ready = ws._ready if genuine else None
        self._connections += 1
        app.last_close_frame = None
        if self._plan is not None:
            self._plan.connected()
        _logging.info("Websocket connected")
        if self.stopped:
            return None
        app._start_ping_thread_if_overridden()
        again = self._connections > 1 and app.on_reconnect
        return self._call(app.on_reconnect if again else app.on_open)

    def _call(self, callback: Callable[..., object] | None) -> BaseException | None:
        """What gets out of a callback, which is nothing unless `_callback` was overridden."""
        try:
            self.app._callback(callback)
        except Exception as exc:
            return exc
        return None

    def converse(self) -> BaseException | None:
        """Deliver what comes; what ended the connection, None if we did."""
        while not self.stopped:
            try:
                item = self._receive(None)
            except WebSocketTimeoutException as exc:
                if self._ws.connected:
                    continue  # the link was silent for as long as the default timeout
                return None if self.stopped else exc  # a pong was missed
            except Exception as exc:
                return None if self.stopped else exc
            ending = self._take(item)
            if ending is not None:
                return ending
        return None

    def _take(self, item: str | bytes | Frame) -> BaseException | None:
        """Deliver it, and what came with it; what ended the connection, if that is what it is."""
        try:
            if not isinstance(item, Frame):
                self.deliver(item)
            elif item.opcode != CLOSE:
                self.deliver_frame(item)
            else:
                return self._server_closed(item)
        except Exception as exc:  # of a `_callback` that lets it through
            return exc
        return None

    def _receive_classic(self, timeout: float | None) -> Frame:
        """From an object of the program's, or by its own `recv_data_frame`."""
        opcode, frame = self._ws.recv_data_frame(True)
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

    def ended(self, ending: BaseException | None) -> float | None:
        """Report an ending; seconds until the next attempt, None if there is none."""
        app = self.app
        app._stop_ping_thread()
        if ending is None:
            return None
        seconds = None
        if self._plan is not None and not self.stopped:
            seconds = self._plan.next_wait(ending)
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

    # --- stopping ---------------------------------------------------------------------------------

    def stop(self) -> None:
        """End the run as soon as possible; the connection is the caller's to close."""
        self.stopped = True
        attempt = self._attempt
        if attempt is not None:
            attempt.cancel()

    def busy_here(self) -> bool:
        """Whether we are in a signal handler that has interrupted a read or a write of the run."""
        connection = getattr(self._ws, "_connection", None)
        return connection is not None and connection.busy_here()

    def in_callback(self) -> bool:
        """Whether we are in a callback: the next step of this thread will find the latch."""
        return self._stepping == threading.get_ident() and not self.busy_here()

    def close_later(self, wait: bool, how: dict[str, Any]) -> bool:
        """Whether somebody else sees to the closing, as an event loop may do."""
        return False

    def stopped_outside(self) -> None:
        """The connection was closed by `close()`; the loop finds out by itself."""

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

    @property
    def finished(self) -> bool:
        """Whether `finish` has been called."""
        return self._finishing.locked()

    def finish(self) -> None:
        """The end of the run: everything released, and one `on_close`; any thread, once."""
        if not self._finishing.acquire(blocking=False):
            return
        app, ws = self.app, self._ws
        self.stopped = True
        app._stop_ping_thread()
        if ws is not None:
            with suppress(Exception):
                ws.close()  # keep_running = False in a callback has left that to us
            if self._close_frame is None:
                self._close_frame_of(ws)
            with suppress(Exception):
                ws.shutdown()
        frame = self._close_frame if self._close_frame is not None else app.last_close_frame
        app._run_is_over(self)
        app._callback(app.on_close, *app._get_close_args(frame))
