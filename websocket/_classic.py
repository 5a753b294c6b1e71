"""websocket-client's own way of connecting, part by part.

Programs call these parts, or put others in their place (`websocket._core.connect = ...`). A
`WebSocket` connects this way only then.
"""

from __future__ import annotations

from ._exceptions import WebSocketException
from ._opening import handshake_response, open_handshake
from ._transport.connecting import as_stream, open_stream
from ._transport.deadline import Attempt, Deadline
from ._transport.exchange import REDIRECTS
from ._transport.options import TransportOptions
from ._wire.urls import parse_uri

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from ._transport.options import ProxyChoice

    Address = tuple[str, int, str]

__all__ = [
    "connect",
    "connect_in_parts",
    "handshake",
    "proxy_info",
    "sock_opt",
]


class sock_opt:
    """The socket options of one `WebSocket`: `sockopt`, `sslopt` and `timeout` in seconds."""

    # The list and the dict of those who gave none are made when somebody asks: there may be
    # thousands of connections.
    __slots__ = ("_sockopt", "_sslopt", "timeout")

    def __init__(self, sockopt: Any, sslopt: Mapping[str, Any] | None):
        self._sockopt: Any = sockopt
        self._sslopt: Mapping[str, Any] | None = sslopt
        self.timeout: float | None = None

    @property
    def sockopt(self) -> Any:
        """Arguments of `setsockopt`, a tuple for each call."""
        if self._sockopt is None:
            self._sockopt = list["Any"]()
        return self._sockopt

    @sockopt.setter
    def sockopt(self, sockopt: Any) -> None:
        self._sockopt = sockopt

    @property
    def sslopt(self) -> Mapping[str, Any]:
        """Options of TLS."""
        if self._sslopt is None:
            self._sslopt = dict[str, "Any"]()
        return self._sslopt

    @sslopt.setter
    def sslopt(self, sslopt: Mapping[str, Any]) -> None:
        self._sslopt = sslopt

    def given(self) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """`sockopt` and `sslopt` as they are, for who only reads them."""
        return tuple(self._sockopt or ()), self._sslopt or {}


class proxy_info:
    """Which proxy to take, from the options of `WebSocket.connect`; the port stays as it was given.

    Raises WebSocketProxyException, which is python-socks' ProxyError, too, for a `proxy_type` that
    nobody knows.
    """

    def __init__(self, **options: Any):
        self.proxy_host: str | None = options.get("http_proxy_host")
        self.proxy_port: int | str | None = options.get("http_proxy_port", 0)
        self.auth: tuple[str, str] | None = options.get("http_proxy_auth")
        self.no_proxy: Sequence[str] | str | None = options.get("http_no_proxy")
        self.proxy_timeout: float | None = options.get("http_proxy_timeout")
        self.proxy_protocol: str = options.get("proxy_type") or "http"
        self.proxy: ProxyChoice = options.get("proxy")
        self.proxy_sslopt: Mapping[str, Any] | None = options.get("proxy_sslopt")
        if self.proxy_host:
            self._check_protocol()

    def _check_protocol(self) -> None:
        from ._transport.proxies import SCHEMES  # here, since few programs need them
        from ._transport.proxy_errors import proxy_exception, python_socks_class

        if self.proxy_protocol not in SCHEMES:
            raise proxy_exception(
                f"Only {', '.join(SCHEMES)} proxy protocols are supported, "
                f"got proxy_type {self.proxy_protocol!r}",
                python_socks_class("ProxyError"),
            )


_PROXY_ATTRIBUTES = {
    "http_proxy_host": "proxy_host",
    "http_proxy_port": "proxy_port",
    "http_proxy_auth": "auth",
    "http_no_proxy": "no_proxy",
    "http_proxy_timeout": "proxy_timeout",
    "proxy_type": "proxy_protocol",
    "proxy": "proxy",
    "proxy_sslopt": "proxy_sslopt",
}


def _proxy_options(proxy: Any) -> dict[str, Any]:
    """A `proxy_info`, or what a program uses in its place, as options of the transport."""
    found = {option: getattr(proxy, name, None) for option, name in _PROXY_ATTRIBUTES.items()}
    if not found["http_proxy_host"]:
        found["proxy_type"] = None  # it is about that host; the environment says its own
    return {option: value for option, value in found.items() if value is not None}


def connect(url: str, options: Any, proxy: Any, socket: Any) -> tuple[Any, Address]:
    """Open the socket for `url`, by the proxy that `proxy` names and with TLS for wss.

    `options` is anything with `sockopt`, `sslopt` and `timeout`, `proxy` a `proxy_info` or None.
    Returns the socket and (host, port, resource). Raises what `WebSocket.connect` raises.
    """
    uri = parse_uri(url)
    attempt = Attempt(Deadline(options.timeout))
    transport = TransportOptions(
        sockopt=tuple(options.sockopt or ()),
        sslopt=options.sslopt,
        socket=socket,
        **_proxy_options(proxy),
    )
    stream = open_stream(uri, transport, attempt)
    attempt.unwatch(stream.socket)
    if socket is None:
        stream.socket.settimeout(options.timeout)
    stream.stop_reading_ahead()
    return stream.socket, (uri.host, uri.port, uri.resource_name)


def handshake(
    sock: Any, url: str, hostname: str, port: int, resource: str, **options: Any
) -> handshake_response:
    """The opening handshake on an open socket; raises WebSocketException for a bad answer.

    Returns the response, also a redirect's (`status` 301 and the like).
    """
    uri = parse_uri(url)._replace(host=hostname, port=port)
    path, _, query = resource.partition("?")
    return open_handshake(as_stream(sock), uri._replace(path=path, query=query), options)


def connect_in_parts(
    url: str,
    parts: tuple[Callable[..., Any], Callable[..., Any]],
    options: Any,
    proxy: Any,
    given: dict[str, Any],
) -> tuple[Any, handshake_response]:
    """Connect by `parts`, a `connect` and a `handshake`, and follow redirects, one part a step."""
    dial, shake_hands = parts
    socket = given.pop("socket", None)
    limit = given.pop("redirect_limit", None)
    for hop in range((3 if limit is None else limit) + 1):
        try:
            sock, address = dial(url, options, proxy, socket)
        except ValueError as exc:
            if hop:
                raise WebSocketException(f"Invalid redirect target {url!r}: {exc}") from exc
            raise
        try:
            response = shake_hands(sock, url, *address, **given)
            if response.status not in REDIRECTS:
                return sock, response
            headers: dict[str, str] = response.headers or {}
            location = headers.get("location")
            if location is None:
                raise WebSocketException(
                    f"Redirect response without Location header, status {response.status}"
                )
            url = location
        except BaseException:
            sock.close()
            raise
        sock.close()
        socket = None
    raise WebSocketException("Redirect limit exhausted")
