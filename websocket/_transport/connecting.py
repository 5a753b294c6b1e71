"""From a URL to an open stream behind a 101: address, TCP, TLS, opening handshake, redirects.

    open_connection   the whole way, redirects included
      open_stream       TCP or a unix socket or the user's own, and TLS over it
      exchange          one request, its response head; interim responses are skipped

One `Attempt` covers all of it: its deadline, and the wish of another thread to call it off.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol

from .._exceptions import (
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketProxyException,
    WebSocketTimeoutException,
)
from .._wire.http1 import Request, Response
from .._wire.urls import WebSocketURI, resolve_location, same_origin
from .deadline import Attempt, Deadline
from .duck_stream import DuckStream
from .exchange import REDIRECTS, exchange, refuse
from .options import ConnectOptions
from .proxies import Proxy, choose_proxy, sslopt_for
from .proxy_errors import at_the_proxy, python_socks_class
from .proxy_tunnels import connect_by_http, connect_by_socks, require_python_socks
from .streams import PlainStream, Stream
from .tcp import dial, dial_unix, look_up
from .tls import HUNG_UP, check_fingerprint, context_for, explain_tls_error, server_hostname_for

if TYPE_CHECKING:
    from .tls_stream import TLSStream

__all__ = [
    "REDIRECTS",
    "Opened",
    "Opener",
    "as_stream",
    "open_connection",
    "open_stream",
    "start_tls",
]

_SOCKS_PATIENCE = 60.0  # seconds, where nobody has set a timeout: as it was in websocket-client


class Opener(Protocol):
    """What knows the request to send; `Opening` of the protocol floor, with the user's cookies."""

    uri: WebSocketURI

    def request(self, uri: WebSocketURI) -> Request:
        """The opening request for this hop."""
        ...

    def note(self, uri: WebSocketURI, response: Response) -> None:
        """Look at a response: 101, redirect or refusal."""
        ...

    def answer(self, uri: WebSocketURI, response: Response) -> bool:
        """Whether there are credentials for the challenge of a 401 that are worth another try."""
        ...


class Opened(NamedTuple):
    """A stream with the 101 behind it, and what was said on the way."""

    stream: Stream
    request: Request
    response: Response
    uri: WebSocketURI


def open_connection(opener: Opener, options: ConnectOptions, attempt: Attempt) -> Opened:
    """Dial, shake hands, follow redirects; raises what is in the way, and leaves nothing open."""
    uri, hops, first = opener.uri, 0, True
    while True:
        stream = open_stream(uri, options, attempt, first, same_origin(uri, opener.uri))
        try:
            request = opener.request(uri)
            response = exchange(stream, request, options, attempt)
            opener.note(uri, response)
            if response.status == 101:
                attempt.unwatch(stream.socket)
                attempt.check()
                return Opened(stream, request, response, uri)
            if response.status in REDIRECTS:
                uri, hops = _redirected(uri, response), hops + 1
                if hops > options.redirect_limit:
                    raise WebSocketException(
                        f"Redirect limit exhausted: {options.redirect_limit} were followed"
                    )
            elif response.status != 401 or not (
                # The user's own socket cannot be dialled again.
                (options.socket is None or not first) and opener.answer(uri, response)
            ):
                refuse(stream, response, options, attempt)
        except BaseException as exc:
            _give_up(stream, exc, attempt, "waiting for the opening handshake")
        attempt.unwatch(stream.socket)
        stream.close()
        first = False


def _give_up(stream: Stream, exc: BaseException, attempt: Attempt, doing: str) -> NoReturn:
    attempt.unwatch(stream.socket)
    stream.close()
    if attempt.cancelled and isinstance(exc, Exception):
        attempt.check()
    if isinstance(exc, WebSocketTimeoutException) and attempt.deadline.expired:
        attempt.check(doing)
    raise exc


# --- the stream -----------------------------------------------------------------------------------


def open_stream(
    uri: WebSocketURI,
    options: ConnectOptions,
    attempt: Attempt,
    first: bool = True,
    at_home: bool = True,
) -> Stream:
    """A stream to the server that `uri` names, with TLS over it for wss; `attempt` watches it.

    `first` is False for all streams but the first: the user's socket serves once. `at_home` is
    False where a redirect has led elsewhere: the user's address and unix socket were not for there.
    """
    given = options.socket if first else None
    if given is not None:
        stream = as_stream(given)
    else:
        stream = _reach(uri, options, attempt, at_home)
    try:
        attempt.watch(stream.socket)
        if uri.secure and not (given is not None and _speaks_tls(given)):
            stream = start_tls(stream, options.sslopt, uri.host, attempt.deadline)
            attempt.watch(stream.socket)
    except BaseException as exc:
        _give_up(stream, exc, attempt, f"shaking hands by TLS with {uri.host}")
    return stream


def _reach(uri: WebSocketURI, options: ConnectOptions, attempt: Attempt, at_home: bool) -> Stream:
    """A stream that leads to the server, whatever is in between, before its own TLS."""
    unix_path = uri.unix_path or (options.unix_socket if at_home else None)
    if unix_path is not None:
        return PlainStream(dial_unix(unix_path, options, attempt))
    host, port = uri.host, uri.port
    if at_home and options.address is not None:
        host, port = options.address
    proxy = choose_proxy(host, port, uri.secure, options)
    if proxy is None:
        return PlainStream(dial(host, port, options, attempt))
    return _reach_through(proxy, host, port, options, attempt)


def start_tls(
    lower: Stream,
    sslopt: Mapping[str, Any] | None,
    host: str,
    deadline: Deadline,
    plain: str = "ws",
) -> TLSStream:
    """TLS over an open stream, verified; raises ssl.SSLError with host and remedy in its text.

    `plain` is the scheme that the remedy names where the other side does not speak TLS.
    """
    context = context_for(sslopt)
    # Here, since they import ssl: a program that never speaks TLS does not wait for it.
    from .tls_socket import TLSSocket
    from .tls_stream import TLSStream

    stream = TLSStream(lower, context, server_hostname_for(sslopt, host))
    try:
        stream.handshake(deadline)
        fingerprint = (sslopt or {}).get("fingerprint")
        if fingerprint is not None:
            certificate = stream.ask(lambda engine: engine.getpeercert(True))
            check_fingerprint(certificate or b"", fingerprint)
    except WebSocketConnectionClosedException as exc:
        raise WebSocketConnectionClosedException(
            *exc.args, hint=HUNG_UP.format(plain=plain)
        ) from exc
    except OSError as exc:
        told = explain_tls_error(exc, host, plain)
        if told is exc:
            raise
        raise told from exc
    if isinstance(lower, PlainStream):
        lower.move_to(TLSSocket(lower.socket))
    if isinstance(stream.socket, TLSSocket):
        stream.socket.stream = stream
    return stream


def as_stream(sock: Any) -> Stream:
    """Any socket, real or not, as a stream; a real one that is no TLS socket is read ahead."""
    if not isinstance(sock, socket.socket):
        return DuckStream(sock)
    if not _is_tls(sock):
        return PlainStream(sock)
    from .guarded_stream import GuardedTLSStream
    from .tls_socket import TLSSocket

    if isinstance(sock, TLSSocket) and sock.stream is not None:
        return sock.stream
    return GuardedTLSStream(sock)  # type: ignore[arg-type]


def _speaks_tls(sock: Any) -> bool:
    """Whether a socket of any make is one of TLS; gevent's and pyOpenSSL's are no SSLSocket."""
    return _is_tls(sock) or hasattr(sock, "getpeercert") or hasattr(sock, "get_peer_certificate")


def _is_tls(sock: Any) -> bool:
    ssl = sys.modules.get("ssl")  # who has made a TLS socket has imported it
    return ssl is not None and isinstance(sock, ssl.SSLSocket)


# --- through a proxy ------------------------------------------------------------------------------


def _reach_through(
    proxy: Proxy, host: str, port: int, options: ConnectOptions, attempt: Attempt
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
    proxy: Proxy, host: str, port: int, options: ConnectOptions, attempt: Attempt
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
    if isinstance(exc, TimeoutError):
        try:
            attempt.check("connecting through it")
        except WebSocketTimeoutException as timeout:
            exc = timeout
    also: tuple[type[BaseException], ...] = ()
    if proxy.scheme.startswith("socks"):
        name = "ProxyError"
        if isinstance(exc, OSError):
            late = isinstance(exc, TimeoutError)
            name = "ProxyTimeoutError" if late else "ProxyConnectionError"
        also = (python_socks_class(name),)
    return at_the_proxy(exc, str(proxy), *also)


# --- redirects ------------------------------------------------------------------------------------


def _redirected(uri: WebSocketURI, response: Response) -> WebSocketURI:
    """Where a redirect leads; never from wss to ws."""
    location = response.headers.get("location")
    if location is None:
        raise WebSocketException(
            f"Redirect response without Location header, status {response.status}"
        )
    shown = repr(_without_secrets(location))
    try:
        target = resolve_location(uri, location)
    except ValueError as exc:
        raise WebSocketException(f"Invalid redirect target {shown}: {exc}") from exc
    if uri.secure and not target.secure:
        raise WebSocketException(
            f"Invalid redirect target {shown}: it leads from wss to ws, without encryption",
            hint="connect to that URL yourself if you trust it",
        )
    if not same_origin(uri, target):
        return target._replace(username=None, password=None)
    return target._replace(username=uri.username, password=uri.password)


def _without_secrets(location: str) -> str:
    """A target as errors may show it: no user info, no query."""
    bare = re.sub(r"//.*@", "//***@", location, flags=re.DOTALL).partition("?")[0]
    return bare if len(bare) <= 100 else bare[:100] + "..."
