"""`WebSocket` = protocol + transport + locks behind the verbs that users know; `create_connection`.

What an open connection is, and which thread may do what in it, stands in `_connection`; here the
arguments that users give become its verbs, and its frames become what users expect to get.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, overload

from . import _classic, _raw
from ._abnf import ABNF
from ._classic import connect, handshake
from ._defaults import getdefaulttimeout, setdefaulttimeout
from ._exceptions import (
    WebSocketException,
)
from ._logging import isEnabledForTrace, trace
from ._opening import establish, make_connection
from ._receiving import Receiving
from ._transport.connecting import as_stream
from ._transport.deadline import Attempt, Deadline
from ._wire.frames import CLOSE, Close, check_close

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ._options import ConnectOptions, CreateOptions

__all__ = ["WebSocket", "create_connection", "getdefaulttimeout", "setdefaulttimeout"]

_INTERNAL_ERROR = 1011


class WebSocket(Receiving):
    """A WebSocket connection: `connect()`, then send and receive, then `close()`.

    One thread may receive while another sends, over TLS too; any number may send, their messages
    never mix; `close()` may be called from any thread, callback or signal handler. Receiving from
    several threads gives each message to one of them. A timeout while receiving loses nothing;
    after any other error the connection is over and the object may `connect()` again.

    `sockopt` and `sslopt` describe the sockets to be made; `get_mask_key(4)` gives masking keys;
    `fire_cont_frame` delivers each fragment by itself; `skip_utf8_validation` leaves text unchecked
    until it has to be a str. Keywords that nobody knows are ignored. No I/O happens here.
    """

    _attempt: Attempt | None = None

    # --- connecting ------------------------------------------------------------------------------

    def connect(self, url: str, **options: Unpack[ConnectOptions]) -> None:
        """Open a connection to `url` (ws, wss, ws+unix); what was open on this object is closed.

        Waits for name, TCP, proxy, TLS, handshake and redirects together at most `timeout` seconds
        (default: what `settimeout` said); `close()` in another thread calls it off. Raises
        ValueError (bad arguments), OSError and ssl.SSLError (no way there), and the exceptions of
        this package: WebSocketTimeoutException, WebSocketAddressException,
        WebSocketBadStatusException (refused), WebSocketException (a bad answer).
        """
        if "timeout" in options:
            self._keep_timeout(options["timeout"])
        if connect is not _classic.connect or handshake is not _classic.handshake:
            self._connect_in_parts(url, dict(options))
            return
        if self._connection is not None:
            self._connection.end()
        private: dict[str, Any] = dict(options)
        attempt: Attempt = private.get("_attempt") or Attempt(Deadline(self._kept_timeout))
        self._attempt = attempt
        try:
            made = establish(url, options, self._settings(), attempt)
            self._adopt(made.connection)
        finally:
            self._attempt = None
        if attempt.cancelled:
            made.connection.end()
            attempt.check()
        self._shook_hands(url, made.heads, made.subprotocol)

    def _connect_in_parts(self, url: str, options: dict[str, Any]) -> None:
        """Connect by the parts that a program has put in the place of ours."""
        if self._connection is not None:
            self._connection.end()
        sock, said = _classic.connect_in_parts(
            url, (connect, handshake), self.sock_opt, _classic.proxy_info(**options), options
        )
        self._adopt(make_connection(as_stream(sock), options, self._settings(), True))
        self._shook_hands(url, b"", None)
        self.handshake_response = said

    # --- frames of one's own ---------------------------------------------------------------------

    def send_frame(self, frame: ABNF) -> int:
        """Write a frame of one's own making; returns its length on the wire. Raises as `send`."""
        if self.get_mask_key:
            frame.get_mask_key = self.get_mask_key
        data = frame.format()
        if isEnabledForTrace():
            trace(f"++Sent raw: {data!r}")
            trace(f"++Sent decoded: {frame}")
        if self._overridden("_send"):
            with self.lock:
                connection = self._connection
                written = connection.sent.wire if connection is not None else 0
                rest = data
                while rest:
                    rest = rest[self._send(rest) :]
                if connection is not None and connection.sent.wire == written:
                    connection.sent.frame(data)  # it went without us
            return len(data)
        return self._open_connection().send_raw(data, frame.opcode < CLOSE)

    # --- ending ----------------------------------------------------------------------------------

    def close(
        self, status: int = 1000, reason: str | bytes | None = b"", timeout: float | None = 3
    ) -> None:
        """The closing handshake, at most `timeout` seconds (None: no limit), then the end.

        Any thread, callback or signal handler may call it; others that wait in this connection end
        with WebSocketConnectionClosedException, and `connect()` in another thread is called off.
        Does nothing when not connected. Raises ValueError for a code or reason that cannot travel.
        """
        attempt = self._attempt
        if attempt is not None:
            attempt.cancel()
        connection = self._connection
        if self._connected_says is False or not (connection or self._connected_says):
            return
        text = ""
        if connection is None or not connection.over:
            text = check_close(status, reason).decode()
        self._connected_says = None
        # Without a connection a program has said that there is one: its own `send` knows where.
        if connection is None or (self._overridden("send") and self.connected):
            with suppress(WebSocketException):
                self.send_close(status, reason)
        if connection is not None:
            try:
                connection.close(Close(status, text), timeout)
            except Exception:  # a double of a socket may do anything; it ends all the same
                pass
            self._note_close_frame()

    def shutdown(self) -> None:
        """Close the socket at once, without a close frame; any thread."""
        if self._connection is not None:
            self._connection.end()
        self._connected_says = None

    def abort(self) -> None:
        """Wake whoever waits in this connection: they raise WebSocketConnectionClosedException."""
        connection = self._connection
        if connection is not None and self.connected:
            connection.wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close: with 1000, or with 1011 when an exception leaves the block."""
        self.close(1000 if kind is None else _INTERNAL_ERROR)


_Made = TypeVar("_Made")


@overload
def create_connection(
    url: str, timeout: float | None = None, **options: Unpack[CreateOptions]
) -> WebSocket: ...
@overload
def create_connection(
    url: str, timeout: float | None, class_: Callable[..., _Made], **options: Any
) -> _Made: ...
@overload
def create_connection(
    url: str, timeout: float | None = None, *, class_: Callable[..., _Made], **options: Any
) -> _Made: ...
def create_connection(
    url: str, timeout: float | None = None, class_: Any = WebSocket, **options: Any
) -> Any:
    """Connect to `url` and return the open `WebSocket`; waits and raises as `WebSocket.connect`.

    `timeout` (default: `getdefaulttimeout()`) bounds connecting as a whole, and afterwards how long
    the link may be silent. `class_` is made instead of WebSocket; it must take any keyword.
    """
    ours = class_ is WebSocket  # which needs no list and no dict to be told that there is nothing
    from_constructor: dict[str, Any] = {
        "sockopt": options.pop("sockopt", None) or (None if ours else []),
        "sslopt": options.pop("sslopt", None) or (None if ours else {}),
        "fire_cont_frame": options.pop("fire_cont_frame", None) or False,
        "enable_multithread": options.pop("enable_multithread", True),
        "skip_utf8_validation": options.pop("skip_utf8_validation", None) or False,
    }
    ws = class_(**from_constructor, **options)
    timeout = timeout if timeout is not None else getdefaulttimeout()
    if timeout is not None or not ours:
        ws.settimeout(timeout)
    ws.connect(url, **options)
    return ws


def __getattr__(name: str) -> Any:
    if name == "ssl":  # programs patch `websocket._core.ssl`
        return sys.modules.get("ssl") or __import__("ssl")
    if name in ("recv", "send"):  # and these, in tests with a double of the socket
        return getattr(_raw, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
