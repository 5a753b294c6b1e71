"""A stream to the server that leads through a proxy, and what goes wrong on that way."""

from __future__ import annotations

import socket

from .._exceptions import WebSocketException, WebSocketProxyException, WebSocketTimeoutException
from .deadline import Attempt
from .names import look_up
from .options import TransportOptions
from .proxies import Proxy, sslopt_for
from .proxy_errors import at_the_proxy, python_socks_class
from .proxy_tunnels import connect_by_http, connect_by_socks, require_python_socks
from .sockets import start_tls
from .streams import PlainStream, Stream
from .tcp import dial

__all__ = ["reach_through"]

_SOCKS_PATIENCE = 60.0  # seconds, where nobody has set a timeout: as it was in websocket-client


def reach_through(
    proxy: Proxy, host: str, port: int, options: TransportOptions, attempt: Attempt
) -> Stream:
    """A stream to `host` and `port` through a proxy; SOCKS 4 and 5 are told addresses."""
    socks = proxy.scheme.startswith("socks")
    seconds = options.http_proxy_timeout
    if socks:
        require_python_socks()
        if seconds is None and attempt.deadline.at is None:
            seconds = _SOCKS_PATIENCE
    with attempt.limited(seconds):
        targets = [host]
        if proxy.scheme in ("socks4", "socks5"):
            targets = _addresses(host, port, proxy, attempt)
        for target in targets:
            try:
                return _tunnel(proxy, target, port, options, attempt)
            except WebSocketProxyException as exc:
                # What is an OSError happened before the proxy could say anything about the target.
                if target is targets[-1] or isinstance(exc, OSError):
                    raise
        raise AssertionError("unreachable")  # pragma: no cover


def _addresses(host: str, port: int, proxy: Proxy, attempt: Attempt) -> list[str]:
    """The addresses of a name, IPv4 first: not every SOCKS proxy knows more."""
    found = look_up(host, port, attempt)
    v4 = [str(each[4][0]) for each in found if each[0] == socket.AF_INET]
    v6 = [str(each[4][0]) for each in found if each[0] == socket.AF_INET6]
    addresses = list(dict.fromkeys(v4 if proxy.scheme == "socks4" else [*v4, *v6]))
    if not addresses:
        raise WebSocketProxyException(
            f"proxy {proxy}: SOCKS 4 reaches IPv4 addresses only, and {host} has none",
            hint="use socks4a or socks5h, if the proxy knows them",
        )
    return addresses


def _tunnel(
    proxy: Proxy, host: str, port: int, options: TransportOptions, attempt: Attempt
) -> Stream:
    """One connection to the proxy and the conversation that makes a tunnel of it."""
    try:
        stream: Stream = PlainStream(dial(proxy.host, proxy.port, options, attempt))
    except (OSError, WebSocketException) as exc:
        raise _proxy_trouble(exc, proxy, attempt) from exc
    try:
        attempt.watch(stream.socket)
        if proxy.scheme == "https":
            sslopt = sslopt_for(options)
            stream = start_tls(stream, sslopt, proxy.host, attempt.deadline, "http")
            attempt.watch(stream.socket)
        if proxy.scheme.startswith("socks"):
            connect_by_socks(stream, proxy, host, port, attempt)
        else:
            connect_by_http(stream, proxy, host, port, options, attempt)
    except BaseException as exc:
        attempt.unwatch(stream.socket)
        stream.close()
        if not isinstance(exc, (OSError, WebSocketException)):
            raise
        told = _proxy_trouble(exc, proxy, attempt)
        if told is exc:
            raise
        raise told from exc
    attempt.unwatch(stream.socket)
    return stream


def _proxy_trouble(
    exc: OSError | WebSocketException, proxy: Proxy, attempt: Attempt
) -> WebSocketProxyException:
    """What went wrong on the way to the proxy, or in the conversation with it."""
    if attempt.cancelled:
        attempt.check("connecting through a proxy")
    if isinstance(exc, WebSocketTimeoutException):
        exc = attempt.late(exc, "connecting through it")
    also: tuple[type[BaseException], ...] = ()
    if proxy.scheme.startswith("socks"):
        name = "ProxyError"
        if isinstance(exc, OSError):
            late = isinstance(exc, TimeoutError)
            name = "ProxyTimeoutError" if late else "ProxyConnectionError"
        also = (python_socks_class(name),)
    return at_the_proxy(exc, str(proxy), *also)
