"""`WebSocketApp`: callbacks and public verbs; one call of `run_forever` is a `Session`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from . import _logging
from ._abnf import ABNF
from ._cookiejar import SimpleCookieJar
from ._core import WebSocket, getdefaulttimeout
from ._dispatcher import Dispatcher, DispatcherBase, SSLDispatcher, WrappedDispatcher
from ._exceptions import WebSocketConnectionClosedException, WebSocketException
from ._reconnect import Plan
from ._session import Session
from ._wire.urls import parse_url

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import ConnectionOptions, HeaderOption

__all__ = ["WebSocketApp", "set_reconnect"]

_default_reconnect: float = 0

_read_by_selector = Dispatcher.read


def set_reconnect(reconnectInterval: float) -> None:
    """Seconds before each new attempt in runs that are not told; 0, the default: no attempt."""
    global _default_reconnect
    _default_reconnect = reconnectInterval


class WebSocketApp:
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
        on_open: Callable[[Any], object] | None = None,
        on_reconnect: Callable[[Any], object] | None = None,
        on_message: Callable[[Any, Any], object] | None = None,
        on_error: Callable[[Any, Any], object] | None = None,
        on_close: Callable[[Any, Any, Any], object] | None = None,
        on_ping: Callable[[Any, bytes], object] | None = None,
        on_pong: Callable[[Any, bytes], object] | None = None,
        on_cont_message: Callable[[Any, bytes, int], object] | None = None,
        keep_running: bool = True,
        get_mask_key: Callable[[int], bytes | str] | None = None,
        cookie: str | None = None,
        subprotocols: Sequence[str] | None = None,
        on_data: Callable[[Any, Any, int, Any], object] | None = None,
        socket: Any = None,
    ):
        self.url = url
        self.header: HeaderOption = header if header is not None else []
        self.cookie = cookie
        self.on_open = on_open
        self.on_reconnect = on_reconnect
        self.on_message = on_message
        self.on_data = on_data
        self.on_error = on_error
        self.on_close = on_close
        self.on_ping = on_ping
        self.on_pong = on_pong
        self.on_cont_message = on_cont_message
        self.get_mask_key = get_mask_key
        self.subprotocols = subprotocols
        self.prepared_socket = socket
        self.sock: Any = None
        self.last_ping_tm = 0.0
        self.last_pong_tm = 0.0
        self.ping_thread: threading.Thread | None = None
        self.stop_ping: threading.Event | None = None
        self.ping_interval: float = 0
        self.ping_timeout: float | None = None
        self.ping_payload: str | bytes = ""
        self.has_errored = False
        self.has_done_teardown = False
        self.has_done_teardown_lock = threading.Lock()
        self.last_close_frame: ABNF | None = None
        self._keep_running = False
        self._session: Session | None = None
        self._thread: int | None = None  # of the run

    # --- verbs -------------------------------------------------------------------------------------

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

        Any thread, callback or signal handler may call it, in every phase of the run; waits for the
        closing handshake where there is a connection. Before a run it does nothing.
        """
        session, sock = self._session, self.sock
        self._keep_running = False
        if session is not None:
            session.stop()
        if sock is not None:
            sock.close(**kwargs)
            frame = getattr(sock, "close_frame", None)
            if frame is not None:
                self.last_close_frame = frame
            if self.sock is sock:
                self.sock = None
        if session is not None:
            session.stopped_outside()

    @property
    def keep_running(self) -> bool:
        """Whether a run goes on; assigning False, in a callback or another thread, ends it."""
        return self._keep_running

    @keep_running.setter
    def keep_running(self, keep_running: bool) -> None:
        self._keep_running = keep_running
        session = self._session
        if not keep_running and session is not None:
            session.interrupt_reading()

    def ready(self) -> Any:
        """Truthy while there is an open connection."""
        return self.sock and self.sock.connected

    # --- running -----------------------------------------------------------------------------------

    def run_forever(
        self,
        sockopt: Any = None,
        sslopt: Any = None,
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
        reconnect: Any = None,
        *,
        timeout: float | None = None,
        retry: Callable[[BaseException], bool] | None = None,
        **options: Unpack[ConnectionOptions],
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
        self._check_run(ping_interval, ping_timeout)
        if reconnect is None:
            reconnect = _default_reconnect
        plan = Plan(reconnect, retry) if reconnect or callable(reconnect) else None
        self.ping_interval = ping_interval or 0
        self.ping_timeout = ping_timeout
        self.ping_payload = ping_payload
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
        session = Session(
            self,
            lambda: self._make_socket(sockopt, sslopt, skip_utf8_validation),
            lambda first: self._attempt_options(first, given),
            plan,
            timeout if timeout is not None else getdefaulttimeout(),
        )
        return self._run(session, dispatcher)

    def _check_run(self, ping_interval: float | None, ping_timeout: float | None) -> None:
        if ping_timeout is not None and ping_timeout <= 0:
            raise WebSocketException(f"Ensure ping_timeout > 0: it is {ping_timeout!r}")
        if ping_interval is not None and ping_interval < 0:
            raise WebSocketException(f"Ensure ping_interval >= 0: it is {ping_interval!r}")
        if ping_timeout and ping_interval and ping_interval <= ping_timeout:
            raise WebSocketException(
                f"Ensure ping_interval > ping_timeout: {ping_interval!r} and {ping_timeout!r}"
            )
        if self.sock or (self._session is not None and not self._session.finished):
            raise WebSocketException("socket is already opened")

    def _run(self, session: Session, dispatcher: Any) -> bool:
        self.has_errored = False
        self.has_done_teardown = False
        self.last_close_frame = None
        self._thread = threading.get_ident()
        self._keep_running = True
        self._session = session
        try:
            chosen = self.create_dispatcher(
                self.ping_timeout, dispatcher, self._is_secure(), session.disconnected
            )
        except BaseException:
            self._run_is_over(session)
            raise
        if dispatcher is None and type(chosen).read is _read_by_selector:
            session.run()
        else:
            session.start(chosen)
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

    def _attempt_options(self, first: bool, given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """URL and options of one attempt; a socket of the user's serves only for the first."""
        own_pings = self.ping_interval and not self._overrides("_send_ping")
        options = dict(
            given,
            header=self.header() if callable(self.header) else self.header,
            cookie=self.cookie,
            subprotocols=self.subprotocols,
            socket=self.prepared_socket if first else None,
            ping_interval=self.ping_interval if own_pings else None,
            ping_timeout=self.ping_timeout if own_pings else None,
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
            self._session = None
            self._thread = None
            self.has_done_teardown = True

    def create_dispatcher(
        self,
        ping_timeout: float | None,
        dispatcher: Any = None,
        is_ssl: bool = False,
        handleDisconnect: Callable[..., object] | None = None,
    ) -> DispatcherBase:
        """What waits for the socket: a caller's loop wrapped, or the sign that the run just reads."""
        if dispatcher is not None:
            return WrappedDispatcher(self, ping_timeout, dispatcher, handleDisconnect)
        kind = SSLDispatcher if is_ssl else Dispatcher
        return kind(self, ping_timeout or 10)

    # --- pings of a subclass -----------------------------------------------------------------------

    def _overrides(self, name: str) -> bool:
        return name in self.__dict__ or getattr(type(self), name) is not getattr(WebSocketApp, name)

    def _start_ping_thread_if_overridden(self) -> None:
        if self.ping_interval and self._overrides("_send_ping"):
            self._start_ping_thread()

    def _start_ping_thread(self) -> None:
        """Run `_send_ping` in a thread of its own; the library's own pings need none."""
        self.last_ping_tm = self.last_pong_tm = 0.0
        self.stop_ping = threading.Event()
        self.ping_thread = threading.Thread(target=self._send_ping, daemon=True)
        self.ping_thread.start()

    def _stop_ping_thread(self) -> None:
        if self.stop_ping is not None:
            self.stop_ping.set()
        thread = self.ping_thread
        if thread is not None and thread is not threading.current_thread() and thread.is_alive():
            thread.join(3)
            if thread.is_alive():
                _logging.warning("the ping thread has not stopped within 3 s")
        self.last_ping_tm = self.last_pong_tm = 0.0
        self.stop_ping = self.ping_thread = None

    def _send_ping(self) -> None:
        """Send a ping every interval until `stop_ping` is set."""
        stop = self.stop_ping
        while stop is not None and not stop.wait(self.ping_interval) and self._keep_running:
            self.last_ping_tm = time.time()
            with suppress(Exception):
                self.sock.ping(self.ping_payload)

    # --- callbacks ---------------------------------------------------------------------------------

    def _callback(self, callback: Callable[..., object] | None, *args: Any) -> None:
        if not callback:
            return
        try:
            callback(self, *args)
        except Exception as exc:
            _logging.error(f"error from callback {callback}: {exc}", exc)
            if self.on_error and callback is not self.on_error:
                self._report(exc)

    def _report(self, exc: Exception) -> None:
        """Tell `on_error` of another callback's failure; its own is only logged."""
        try:
            assert self.on_error is not None
            self.on_error(self, exc)
        except Exception as own:
            _logging.error(f"error from callback {self.on_error}: {own}", own)

    def _get_close_args(self, close_frame: Any) -> list[Any]:
        """What `on_close` is told: [code, reason], None for what was not said."""
        if not self.on_close or close_frame is None:
            return [None, None]
        return list(self._parse_close_frame(close_frame))

    def _parse_close_frame(self, close_frame: Any) -> tuple[int | None, str | None]:
        data = close_frame.data if close_frame is not None else b""
        body = data.encode() if isinstance(data, str) else bytes(data or b"")
        if len(body) < 2:
            return None, None
        return int.from_bytes(body[:2], "big"), body[2:].decode(errors="replace") or None
