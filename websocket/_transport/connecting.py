"""From a URL to an open stream behind a 101: address, TCP, TLS, opening handshake, redirects.

    open_connection   the whole way, redirects included
      open_stream       TCP or a unix socket or the user's own, and TLS over it
      exchange          one request, its response head; interim responses are skipped

One `Attempt` covers all of it: its deadline, and the wish of another thread to call it off.
"""

from __future__ import annotations

import os

from .._exceptions import WebSocketException, WebSocketTimeoutException
from .._logging import debug
from .._wire import patterns
from .._wire.urls import resolve_location, same_origin
from .exchange import REDIRECTS, exchange, refuse
from .proxy_environment import environment_proxy
from .sockets import as_stream, speaks_tls, start_tls
from .streams import PlainStream
from .tcp import dial, dial_unix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn, Protocol

    from .._wire.http1 import Request, Response
    from .._wire.urls import WebSocketURI
    from .deadline import Attempt
    from .options import TransportOptions
    from .streams import Stream

    class Opener(Protocol):
        """What knows the request to send; `Opening` of the protocol floor, with the cookies."""

        uri: WebSocketURI

        def request(self, uri: WebSocketURI) -> Request:
            """The opening request for this hop."""
            ...

        def note(self, uri: WebSocketURI, response: Response) -> None:
            """Look at a response: 101, redirect or refusal."""
            ...

        def answer(self, uri: WebSocketURI, response: Response) -> bool:
            """Whether there are credentials for the challenge of a 401 that are worth a try."""
            ...


__all__ = [
    "REDIRECTS",
    "Opened",
    "as_stream",
    "open_connection",
    "open_stream",
    "start_tls",
]


_user_info = patterns.sub(r"(?s)//.*@")


class Opened:
    """A stream with the 101 behind it, and what was said on the way."""

    __slots__ = ("request", "response", "stream", "uri")

    def __init__(self, stream: Stream, request: Request, response: Response, uri: WebSocketURI):
        self.stream = stream
        self.request = request
        self.response = response
        self.uri = uri


def open_connection(
    opener: Opener,
    options: TransportOptions,
    attempt: Attempt,
    opens: Callable[..., Stream] | None = None,
) -> Opened:
    """Dial, shake hands, follow redirects; raises what is in the way, and leaves nothing open.

    `opens` takes the place of `open_stream` for who wants to see each of its steps.
    """
    uri, hops, first = opener.uri, 0, True
    while True:
        home = uri is opener.uri or same_origin(uri, opener.uri)
        stream = (opens or open_stream)(uri, options, attempt, first, home)
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
    if isinstance(exc, WebSocketTimeoutException):
        raise attempt.late(exc, doing)
    raise exc


# --- the stream -----------------------------------------------------------------------------------


def open_stream(
    uri: WebSocketURI,
    options: TransportOptions,
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
        if uri.secure and not (given is not None and speaks_tls(given)):
            stream = start_tls(stream, options.sslopt, uri.host, attempt.deadline)
            attempt.watch(stream.socket)
    except BaseException as exc:
        _give_up(stream, exc, attempt, f"shaking hands by TLS with {uri.host}")
    return stream


def _reach(uri: WebSocketURI, options: TransportOptions, attempt: Attempt, at_home: bool) -> Stream:
    """A stream that leads to the server, whatever is in between, before its own TLS."""
    unix_path = uri.unix_path or (options.unix_socket if at_home else None)
    if unix_path is not None:
        return PlainStream(dial_unix(unix_path, options, attempt))
    host, port = uri.host, uri.port
    if at_home and options.address is not None:
        host, port = options.address
    if _is_direct(options, uri.secure):
        debug(f"proxy for {host}:{port}: none (none is configured)")
        return PlainStream(dial(host, port, options, attempt))
    # Here, since few programs need them.
    from .proxies import choose_proxy
    from .proxy_route import reach_through

    proxy = choose_proxy(host, port, uri.secure, options)
    if proxy is None:
        return PlainStream(dial(host, port, options, attempt))
    return reach_through(proxy, host, port, options, attempt)


def _is_direct(options: TransportOptions, secure: bool) -> bool:
    """Whether nobody has said a word about proxies."""
    return (
        options.proxy is None
        and not options.http_proxy_host
        and environment_proxy(secure, os.environ) is None
    )


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
    bare = _user_info("//***@", location).partition("?")[0]
    return bare if len(bare) <= 100 else bare[:100] + "..."
