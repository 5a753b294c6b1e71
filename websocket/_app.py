"""`WebSocketApp`: callbacks and public verbs; one call of `run_forever` is a `Session`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from ._abnf import ABNF
from ._callbacks import ORIGINALS, Callbacks
from ._cookiejar import SimpleCookieJar
from ._core import WebSocket
from ._dispatcher import Dispatcher, DispatcherBase, SSLDispatcher, WrappedDispatcher
from ._exceptions import WebSocketConnectionClosedException, WebSocketException
from ._keepalive import check_pings
from ._looped import LoopedSession
from ._reconnect import Backoff, Plan
from ._wire.urls import parse_url

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from . import _callback_types as types
    from ._options import FurtherOptions, HeaderOption, SocketOptions, SSLOption
    from ._session import Session

__all__ = ["WebSocketApp", "set_reconnect"]

_default_reconnect: float = 0

_read_by_selector = Dispatcher.read


def set_reconnect(reconnectInterval: float) -> None:
    """Seconds before each new attempt in runs that are not told; 0, the default: no attempt."""
    global _default_reconnect
    _default_reconnect = reconnectInterval


class WebSocketApp(Callbacks):
    """A connection that lives by callbacks: set them, then `run_forever()`.

    `url` and `header` may be callables, asked before every attempt. Callbacks get the app, then:

        on_open()  on_reconnect()               connected; again (on_open where that is unset)
        on_message(message)                     str for text, bytes for binary
        on_data(data, opcode, fin)              the same before it; fragments with on_cont_message
        on_cont_message(data, fin)              later fragments; set, it delivers each by itself
        on_ping(payload)  on_pong(payload)      bytes
        on_error(exception)                     a failed attempt, a lost connection, a callback
        on_close(code, reason)                  once a run, last; both None where nothing was said

    They run in the thread of `run_forever`, may be assigned at any time, and an exception in one of
    them is logged and given to `on_error`. `send*` and `close` may be called from any thread.
    """

    def __init__(
        self,
        url: str | Callable[[], str],
        header: HeaderOption = None,
        on_open: types.OnOpen | None = None,
        on_reconnect: types.OnReconnect | None = None,
        on_message: types.OnMessage | None = None,
        on_error: types.OnError | None = None,
        on_close: types.OnClose | None = None,
        on_ping: types.OnPing | None = None,
        on_pong: types.OnPong | None = None,
        on_cont_message: types.OnContMessage | None = None,
        keep_running: bool = True,
        get_mask_key: Callable[[int], bytes | str] | None = None,
        cookie: str | None = None,
        subprotocols: Sequence[str] | None = None,
        on_data: types.OnData | None = None,
        socket: Any = None,
    ):
        self.url = url
        self.header: HeaderOption = header if header is not None else []
        self.cookie = cookie
        self.on_open: types.OnOpen | None = on_open
        self.on_reconnect: types.OnReconnect | None = on_reconnect
        self.on_message: types.OnMessage | None = on_message
        self.on_data: types.OnData | None = on_data
        self.on_error: types.OnError | None = on_error
        self.on_close: types.OnClose | None = on_close
        self.on_ping: types.OnPing | None = on_ping
        self.on_pong: types.OnPong | None = on_pong
        self.on_cont_message: types.OnContMessage | None = on_cont_message
        self.get_mask_key = get_mask_key
        self.subprotocols = subprotocols
        self.prepared_socket = socket
        self.sock: Any = None
        self.last_ping_tm: float = 0.0
        self.last_pong_tm: float = 0.0
        self.ping_thread: threading.Thread | None = None
        self.stop_ping: threading.Event | None = None
        self.ping_interval: float = 0
        self.ping_timeout: float | None = None
        self.ping_payload: str | bytes = ""
        self.has_errored: bool = False
        self.has_done_teardown: bool = False
        self.has_done_teardown_lock: threading.Lock = threading.Lock()
        self.last_close_frame: ABNF | None = None
        self._keep_running = False
        self._session: Session | None = None
        self._stops = 0  # how often somebody wanted the run to end
        self._spent_socket: Any = None

    # --- verbs ------------------------------------------------------------------------------------

    def send(self, data: Any, opcode: int = ABNF.OPCODE_TEXT) -> None:
        """Send a message; raises WebSocketConnectionClosedException when there is no connection,
        and as `WebSocket.send` does."""
        sock = self.sock
        if not sock or sock.send(data, opcode) == 0:
            raise WebSocketConnectionClosedException("Connection is already closed.")

    def send_text(self, text_data: str) -> None:
        """Send a text message; raises as `send`."""
        self.send(text_data, ABNF.OPCODE_TEXT)

    def send_bytes(self, data: Any) -> None:
        """Send a binary message; raises as `send`."""
        self.send(data, ABNF.OPCODE_BINARY)

    def close(self, **kwargs: Any) -> None:
        """End the run: `status`, `reason` and `timeout` are those of `WebSocket.close`.

        Any thread, callback or signal handler may call it, in every phase of the run. Waits for the
        closing handshake where there is a connection, but not in a signal handler that has
        interrupted the run: there `run_forever` does. Before a run it does nothing.
        """
        self._stops += 1  # for a run that has been entered and has no session yet
        self._keep_running = False
        session, sock = self._session, self.sock
        if session is not None:
            if session.close_later(True, kwargs):
                return
            session.stop()
        if sock is not None:
            if session is not None and session.busy_here():
                # In a signal handler nobody may wait for the reader that it has interrupted.
                self._close_behind(session, sock, kwargs)
            else:
                self._close_now(sock, kwargs)
        if session is not None:
            session.stopped_outside()

    def _close_behind(self, session: Session, sock: Any, how: dict[str, Any]) -> None:
        def close() -> None:
            self._close_now(sock, how)
            session.stopped_outside()

        threading.Thread(target=close, name="websocket close", daemon=True).start()

    def _close_now(self, sock: Any, how: dict[str, Any]) -> None:
        try:
            sock.close(**how)
        except Exception:
            with suppress(Exception):
                sock.shutdown()  # the run has been told to end, and must not hang in a read
            raise
        frame = getattr(sock, "close_frame", None)
        if frame is not None:
            self.last_close_frame = frame
        if self.sock is sock:
            self.sock = None

    @property
    def keep_running(self) -> bool:
        """Whether a run goes on; assigning False, in a callback, another thread or a signal
        handler, ends it. The assignment does not wait for the closing handshake."""
        return self._keep_running

    @keep_running.setter
    def keep_running(self, keep_running: bool) -> None:
        self._keep_running = keep_running
        if keep_running:
            return
        self._stops += 1
        session, sock = self._session, self.sock
        if session is not None and not session.close_later(False, {}):
            session.stop()
            if sock is not None and not session.in_callback():
                self._close_behind(session, sock, {})
            else:
                session.stopped_outside()

    def ready(self) -> Any:
        """Truthy while there is an open connection."""
        return self.sock and self.sock.connected

    # --- running ----------------------------------------------------------------------------------

    def run_forever(
        self,
        sockopt: SocketOptions = None,
        sslopt: SSLOption = None,
        ping_interval: float | None = 0,
        ping_timeout: float | None = None,
        ping_payload: str | bytes = "",
        http_proxy_host: str | None = None,
        http_proxy_port: int | str | None = None,
        http_no_proxy: Sequence[str] | str | None = None,
        http_proxy_auth: tuple[str, str] | None = None,
        http_proxy_timeout: float | None = None,
        skip_utf8_validation: bool = False,
        host: str | None = None,
        origin: str | None = None,
        dispatcher: Any = None,
        suppress_origin: bool = False,
        suppress_host: bool = False,
        proxy_type: str | None = None,
        reconnect: float | Backoff | Callable[[int, BaseException], float | None] | None = None,
        *,
        timeout: float | None = None,
        retry: Callable[[BaseException], bool] | None = None,
        **options: Unpack[FurtherOptions],
    ) -> bool:
        """Connect and call back until the connection ends, or, with `reconnect`, until `close()`.

        `reconnect` is a number of seconds, a `Backoff`, or a callable(failures, exc) that gives the
        seconds or None; `retry(exc)` decides what is worth it. `ping_interval` sends pings from a
        timer of their own, and a pong that is missing for `ping_timeout` seconds ends the
        connection. `timeout` bounds each attempt to connect. With `dispatcher`, an event loop such
        as `Loop` or rel, it returns at once. The other options are those of `WebSocket.connect`.

        Returns False when the run was ended by the server's close frame or by `close()`, True when
        any other failure was seen. Raises WebSocketException and ValueError for bad arguments.
        """
        stops = self._stops
        check_pings(ping_interval, ping_timeout)
        given: dict[str, Any] = dict(
            options,
            http_proxy_host=http_proxy_host,
            http_proxy_port=http_proxy_port,
            http_no_proxy=http_no_proxy,
            http_proxy_auth=http_proxy_auth,
            http_proxy_timeout=http_proxy_timeout,
            host=host,
            origin=origin,
            suppress_origin=suppress_origin,
            suppress_host=suppress_host,
            proxy_type=proxy_type,
        )
        if given.get("cookiejar") is None:
            given["cookiejar"] = SimpleCookieJar()  # this run's session, on no other connection
        make = partial(self._make_socket, sockopt, sslopt, skip_utf8_validation)
        options_of_attempt = partial(self._attempt_options, given)
        session = LoopedSession(self, make, options_of_attempt, _plan(reconnect, retry), timeout)
        return self._run(
            session, dispatcher, stops, (ping_interval or 0, ping_timeout, ping_payload)
        )

    def _run(
        self,
        session: LoopedSession,
        dispatcher: Any,
        stops: int,
        pings: tuple[float, float | None, str | bytes],
    ) -> bool:
        with self.has_done_teardown_lock:
            if self.sock or self._session is not None:
                raise WebSocketException("socket is already opened")
            self._session = session
        self.ping_interval, self.ping_timeout, self.ping_payload = pings
        self.has_errored = self.has_done_teardown = False
        self.last_close_frame = None
        self._keep_running = True
        if self._stops != stops:  # closed since `run_forever` was entered
            session.stop()
        try:
            chosen = self.create_dispatcher(
                self.ping_timeout, dispatcher, self._is_secure(), session.disconnected
            )
        except BaseException:
            self._run_is_over(session)
            raise
        if dispatcher is not None or isinstance(chosen, WrappedDispatcher):
            session.start(chosen)
        elif type(chosen) in (Dispatcher, SSLDispatcher) and Dispatcher.read is _read_by_selector:
            session.run()
        else:
            session.run_with(chosen)
        return self.has_errored

    def _is_secure(self) -> bool:
        return not callable(self.url) and parse_url(self.url)[3]

    def _make_socket(self, sockopt: Any, sslopt: Any, skip_utf8_validation: bool) -> Any:
        return WebSocket(
            self.get_mask_key,
            sockopt=sockopt,
            sslopt=sslopt,
            fire_cont_frame=self.on_cont_message is not None,
            skip_utf8_validation=skip_utf8_validation,
            enable_multithread=True,
        )

    def _attempt_options(self, given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """URL and options of one attempt; a socket of the user's serves only for one."""
        own_pings = self._own_pings()
        socket = None if self.prepared_socket is self._spent_socket else self.prepared_socket
        self._spent_socket = self.prepared_socket
        options = dict(
            given,
            header=self.header() if callable(self.header) else self.header,
            cookie=self.cookie,
            subprotocols=self.subprotocols,
            socket=socket,
            ping_interval=None if own_pings else self.ping_interval,
            ping_timeout=None if own_pings else self.ping_timeout,
            _ping_payload=self.ping_payload,
            _on_ping=self._note_ping,
        )
        return (self.url() if callable(self.url) else self.url), options

    def _note_ping(self) -> None:
        self.last_ping_tm = time.time()

    def _run_is_over(self, session: Session) -> None:
        if self._session is session:
            self.sock = None
            self._keep_running = False
            self.has_done_teardown = True
            self._session = None

    def create_dispatcher(
        self,
        ping_timeout: float | None,
        dispatcher: Any = None,
        is_ssl: bool = False,
        handleDisconnect: Callable[..., object] | None = None,
    ) -> DispatcherBase:
        """What waits for the socket: a caller's loop, wrapped, or the sign that the run reads."""
        if dispatcher is not None:
            return WrappedDispatcher(self, ping_timeout, dispatcher, handleDisconnect)
        kind = SSLDispatcher if is_ssl else Dispatcher
        return kind(self, ping_timeout or 10)


def _plan(reconnect: Any, retry: Callable[[BaseException], bool] | None) -> Plan | None:
    if reconnect is None:
        reconnect = _default_reconnect
    return Plan(reconnect, retry) if reconnect or callable(reconnect) else None


ORIGINALS.update(vars(WebSocketApp))
