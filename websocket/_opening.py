"""What `connect()` was asked for -> an open `Connection`, and what the handshake said."""

from __future__ import annotations

from ._agreed import handshake_response, keep
from ._connection import Connection
from ._cookiejar import SimpleCookieJar, jar_header, jar_store
from ._protocol.handshake import Opening, header_lines
from ._protocol.receiving import Receiver
from ._protocol.sending import Sender
from ._transport.connecting import open_connection
from ._transport.deadline import Attempt, Deadline
from ._transport.exchange import REDIRECTS, exchange, refuse
from ._transport.options import TransportOptions
from ._wire.urls import parse_uri, same_origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ._authorization import Authorization
    from ._protocol.deflate import Deflate
    from ._transport.streams import Stream
    from ._wire.http1 import Request, Response
    from ._wire.urls import WebSocketURI

__all__ = ["CookieJar", "Settings", "establish", "handshake_response", "make_connection"]

CookieJar = SimpleCookieJar(domain_only=True)
"""Process-wide: keeps only cookies that name a Domain, and a Domain that covers their host."""

_TRANSPORT = frozenset(
    (
        "address",
        "source_address",
        "unix_socket",
        "socket",
        "max_head",
        "max_head_lines",
        "max_body",
        "max_interim",
        "redirect_limit",
        "proxy",
        "proxy_type",
        "proxy_sslopt",
        "http_proxy_host",
        "http_proxy_port",
        "http_proxy_auth",
        "http_proxy_timeout",
        "http_no_proxy",
    )
)
_OPENING = frozenset(
    (
        "cookie",
        "origin",
        "suppress_origin",
        "host",
        "suppress_host",
        "connection",
        "subprotocols",
        "require_subprotocol",
        "user_agent",
    )
)

_NOTHING_SAID = TransportOptions(sslopt={})


class Settings:
    """What a `WebSocket` was constructed with, as far as its connections depend on it."""

    __slots__ = ("get_mask_key", "skip_utf8_validation", "sockopt", "sslopt", "timeout")

    def __init__(
        self,
        sockopt: Any,
        sslopt: Mapping[str, Any],
        timeout: float | None,
        get_mask_key: Callable[[int], bytes | str] | None,
        skip_utf8_validation: bool,
    ):
        self.sockopt = sockopt
        self.sslopt = sslopt
        self.timeout = timeout
        self.get_mask_key = get_mask_key
        self.skip_utf8_validation = skip_utf8_validation


class Established:
    """An open connection and what `keep` has kept of the heads that opened it."""

    __slots__ = ("connection", "heads", "subprotocol")

    def __init__(self, connection: Connection, heads: bytes, subprotocol: str | None):
        self.connection = connection
        self.heads = heads
        self.subprotocol = subprotocol


class _Jars:
    """The cookies of all hops: `CookieJar`, and that of `connect(cookiejar=)`."""

    __slots__ = ("_own",)

    def __init__(self, own: Any):
        self._own = own

    def header(self, uri: WebSocketURI) -> str:
        shared = CookieJar.header(uri.host, uri.path, uri.secure)
        if self._own is None:
            return shared
        own = jar_header(self._own, uri.host, uri.port, uri.path, uri.secure)
        # What came in this connect() is in both jars; a name is sent once, the nearer jar's value.
        names = {pair.partition("=")[0] for pair in own.split("; ")}
        rest = [pair for pair in shared.split("; ") if pair.partition("=")[0] not in names]
        return "; ".join(pair for pair in (own, *rest) if pair)

    def store(self, values: list[str], uri: WebSocketURI) -> None:
        CookieJar.store(values, uri.host, uri.path, uri.secure)
        if self._own is None:
            self._own = SimpleCookieJar()
        jar_store(self._own, values, uri.host, uri.port, uri.path, uri.secure)


class _Opener:
    """The opening handshake, with the cookies of all hops; what the transport asks of us."""

    def __init__(
        self, uri: WebSocketURI, options: Mapping[str, Any], extension: Deflate | None = None
    ):
        self.uri = uri
        self._at_home = True  # no hop so far has left the first origin
        header: Any = options.get("header")
        header = header() if callable(header) else header
        self._jars = _Jars(options.get("cookiejar"))
        auth, self._authorization = options.get("auth"), None
        if auth is not None or uri.username is not None:
            self._authorization = _authorization(auth, uri)
        given = _given(options, _OPENING) if options else {}
        self.opening = Opening(
            uri,
            header=header,
            authorization=None if self._authorization is None else self._authorization.value,
            cookies=self._jars.header,
            extension=extension,
            **given,
        )

    def request(self, uri: WebSocketURI) -> Request:
        self._at_home = self._at_home and (uri is self.uri or same_origin(uri, self.uri))
        return self.opening.request(uri)

    def note(self, uri: WebSocketURI, response: Response) -> None:
        """Store the cookies of a 101 or a redirect (RFC 6265 5.3)."""
        values = response.headers.get_all("Set-Cookie")
        if values and (response.status == 101 or 300 <= response.status < 400):
            self._jars.store(values, uri)

    def answer(self, uri: WebSocketURI, response: Response) -> bool:
        """Whether there are other credentials for the challenge of a 401; never for strangers."""
        if not self._at_home or self._authorization is None:
            return False
        challenge = ", ".join(response.headers.get_all("WWW-Authenticate"))
        value = self._authorization.answer(challenge)
        if value is not None:
            self.opening.authorization = value
        return value is not None


def _authorization(auth: Any, uri: WebSocketURI) -> Authorization:
    from ._authorization import Authorization  # here, since few programs need it

    return Authorization(auth, uri)


def _given(options: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None and name in names}


def establish(
    url: str, options: Mapping[str, Any], settings: Settings, attempt: Attempt
) -> Established:
    """Dial, shake hands and set up both halves; raises what is in the way, leaves nothing open."""
    pings = _pings(options) if options else None
    opener = _Opener(parse_uri(url), options, _extension(options.get("compression")))
    opened = open_connection(opener, _connect_options(options, settings), attempt)
    try:
        agreement = opener.opening.accept(opened.response)
        sock = opened.stream.socket
        if options.get("socket") is None and sock.gettimeout() != settings.timeout:
            sock.settimeout(settings.timeout)
    except BaseException:
        opened.stream.close()
        raise
    connection = make_connection(opened.stream, options, settings)
    if agreement.inflater is not None:
        connection.receiver.use(agreement.inflater)
        connection.sender.use(agreement.deflater)
    if pings is not None:
        from ._pulse import start_pulse  # here, since few programs need it

        start_pulse(connection, *pings, options.get("_on_ping"))
    redirected = opened.uri is not opener.uri
    heads = keep(opened.response.heads, opener.opening.key, options, redirected)
    return Established(connection, heads, agreement.subprotocol)


def _extension(compression: Any) -> Deflate | None:
    if compression is None:
        return None
    from ._protocol.deflate import as_deflate  # here, since few programs need it

    return as_deflate(compression)


def _pings(options: Mapping[str, Any]) -> tuple[float, float | None, bytes | None] | None:
    """Interval, timeout and payload of the keepalive, if one is wanted; raises ValueError."""
    interval, timeout = options.get("ping_interval") or 0, options.get("ping_timeout")
    payload = options.get("_ping_payload")
    if not interval >= 0:
        raise ValueError(f"ping_interval is {interval!r}, expected seconds, or 0 for no pings")
    if timeout is not None and not timeout > 0:
        raise ValueError(f"ping_timeout is {timeout!r}, expected seconds, or None for no limit")
    data = payload.encode() if isinstance(payload, str) else payload
    if data is not None and len(data) > 125:  # RFC 6455 5.5
        raise ValueError(f"ping_payload is {len(data)} bytes long, expected at most 125")
    return (interval, timeout, data) if interval else None


def open_handshake(
    stream: Stream, uri: WebSocketURI, options: Mapping[str, Any]
) -> handshake_response:
    """The opening handshake alone, on a stream that is open already; a redirect is returned."""
    opener = _Opener(uri, options)
    attempt = Attempt(Deadline(None))
    response = exchange(stream, opener.request(uri), TransportOptions(), attempt)
    opener.note(uri, response)
    headers = response.headers.as_dict()
    if response.status in REDIRECTS:
        return handshake_response(response.status, headers, None)
    if response.status != 101:
        refuse(stream, response, TransportOptions(), attempt)
    agreement = opener.opening.accept(response)
    return handshake_response(response.status, headers, agreement.subprotocol)


def make_connection(
    stream: Any, options: Mapping[str, Any], settings: Settings, tolerate_masks: bool = False
) -> Connection:
    """Both halves of the protocol around an open stream."""
    receiver = Receiver(
        max_size=options.get("max_size"),
        check_utf8=not settings.skip_utf8_validation,
        tolerate_masks=tolerate_masks,
    )
    return Connection(
        stream,
        receiver,
        Sender(get_mask_key=settings.get_mask_key),
        autoping=options.get("autoping") is not False,
        autoclose=options.get("autoclose") is not False,
    )


def _connect_options(options: Mapping[str, Any], settings: Settings) -> TransportOptions:
    if not (options or settings.sockopt or settings.sslopt):
        return _NOTHING_SAID
    sslopt, proxy_header = options.get("sslopt"), options.get("proxy_header")
    sslopt = {**settings.sslopt, **sslopt} if sslopt else settings.sslopt
    if sslopt or options.get("proxy_sslopt"):
        from ._transport.tls import check_keys  # here, since it is for TLS

        check_keys(sslopt, options.get("proxy_sslopt"))
    return TransportOptions(
        # "in connect() too": there they come on top of what the constructor was given
        sockopt=(*settings.sockopt, *(options.get("sockopt") or ())),
        sslopt=sslopt,
        proxy_header=header_lines(proxy_header) if proxy_header else (),
        **_given(options, _TRANSPORT),
    )
