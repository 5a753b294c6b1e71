"""From a URL to an open stream behind a 101: address, TCP, TLS, opening handshake, redirects.

    open_connection   the whole way, redirects included
      open_stream       TCP or a unix socket or the user's own, and TLS over it
      exchange          one request, its response head; interim responses are skipped

One `Attempt` covers all of it: its deadline, and the wish of another thread to call it off.
"""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol

from .._exceptions import (
    WebSocketBadStatusException,
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
)
from .. import _logging
from .._logging import dump, redact_head
from .._wire.http1 import BodyReader, HeadReader, Request, Response, encode_request, encode_response
from .._wire.urls import WebSocketURI, resolve_location, same_origin
from .deadline import Attempt, Deadline
from .options import ConnectOptions
from .streams import DuckStream, PlainStream, Stream
from .tcp import dial, dial_unix
from .tls import check_fingerprint, context_for, explain_tls_error, server_hostname_for

if TYPE_CHECKING:
    from .tls_stream import TLSStream

__all__ = ["REDIRECTS", "Opened", "Opener", "as_stream", "exchange", "open_connection", "open_stream", "refuse", "start_tls"]

REDIRECTS = (301, 302, 303, 307, 308)
_BODY_PATIENCE = 1.0  # seconds for the body of a refusal: an error report never waits for long

_HINTS = {
    200: "this is a web page, not a WebSocket: check the path of the URL",
    400: "the server did not like the request: check headers, subprotocols and the path",
    401: "credentials are missing or wrong: put them into the URL or header=",
    403: "not allowed: the server may want another Origin (origin=), a token or a cookie",
    404: "nothing at this path: check the path of the URL",
    407: "the proxy wants credentials",
    426: "the server wants another protocol or version",
    429: "too many requests: wait, then try again",
    502: "a gateway cannot reach the WebSocket server behind it",
    503: "the server is overloaded or restarting: try again later",
}


class Opener(Protocol):
    """What knows the request to send; `Opening` of the protocol floor, with the user's cookies."""

    uri: WebSocketURI

    def request(self, uri: WebSocketURI) -> Request:
        """The opening request for this hop."""
        ...

    def note(self, uri: WebSocketURI, response: Response) -> None:
        """Look at a response: 101, redirect or refusal."""
        ...


class Opened(NamedTuple):
    """A stream with the 101 behind it, and what was said on the way."""

    stream: Stream
    request: Request
    response: Response
    uri: WebSocketURI


def open_connection(opener: Opener, options: ConnectOptions, attempt: Attempt) -> Opened:
    """Dial, shake hands, follow redirects; raises what is in the way, and leaves nothing open."""
    uri = opener.uri
    for _ in range(options.redirect_limit + 1):
        stream = open_stream(uri, options, attempt, first=uri is opener.uri)
        try:
            request = opener.request(uri)
            response = exchange(stream, request, options, attempt)
            opener.note(uri, response)
            if response.status == 101:
                attempt.unwatch(stream.socket)
                attempt.check()
                return Opened(stream, request, response, uri)
            if response.status not in REDIRECTS:
                refuse(stream, response, options, attempt)
            uri = _redirected(uri, response)
        except BaseException as exc:
            _give_up(stream, exc, attempt)
        attempt.unwatch(stream.socket)
        stream.close()
    raise WebSocketException(f"Redirect limit exhausted: {options.redirect_limit} were followed")


def _give_up(stream: Stream, exc: BaseException, attempt: Attempt) -> NoReturn:
    attempt.unwatch(stream.socket)
    stream.close()
    if attempt.cancelled and isinstance(exc, Exception):
        attempt.check()
    if isinstance(exc, WebSocketTimeoutException) and attempt.deadline.expired:
        attempt.check("waiting for the opening handshake")
    raise exc


# --- the stream ------------------------------------------------------------------------------------


def open_stream(
    uri: WebSocketURI, options: ConnectOptions, attempt: Attempt, first: bool = True
) -> Stream:
    """A stream to the server that `uri` names, with TLS over it for wss.

    `first` is False behind a redirect: the user's socket and address were for the first hop.
    """
    if first and options.socket is not None:
        stream = as_stream(options.socket)
    else:
        stream = PlainStream(_dial(uri, options, attempt, first))
    try:
        attempt.watch(stream.socket)
        if uri.secure and not _is_tls(stream.socket):
            stream = start_tls(stream, options.sslopt, uri.host, attempt.deadline)
            attempt.watch(stream.socket)
    except BaseException as exc:
        _give_up(stream, exc, attempt)
    return stream


def _dial(
    uri: WebSocketURI, options: ConnectOptions, attempt: Attempt, first: bool
) -> socket.socket:
    unix_path = uri.unix_path or (options.unix_socket if first else None)
    if unix_path is not None:
        return dial_unix(unix_path, options, attempt)
    host, port = options.address if first and options.address is not None else (uri.host, uri.port)
    return dial(host, port, options, attempt)


def start_tls(lower: Stream, sslopt: Any, host: str, deadline: Deadline) -> TLSStream:
    """TLS over an open stream, verified; raises ssl.SSLError with host and remedy in its text."""
    context = context_for(sslopt)
    # Here, since they import ssl: a program that never speaks TLS does not wait for it.
    from .tls_socket import TLSSocket
    from .tls_stream import TLSStream

    stream = TLSStream(lower, context, server_hostname_for(sslopt, host))
    try:
        stream.handshake(deadline)
        fingerprint = (sslopt or {}).get("fingerprint")
        if fingerprint is not None:
            check_fingerprint(stream.engine.getpeercert(True) or b"", fingerprint)
    except OSError as exc:
        told = explain_tls_error(exc, host)
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
    from .tls_socket import TLSSocket
    from .tls_stream import GuardedTLSStream

    if isinstance(sock, TLSSocket) and sock.stream is not None:
        return sock.stream
    return GuardedTLSStream(sock)  # type: ignore[arg-type]


def _is_tls(sock: Any) -> bool:
    ssl = sys.modules.get("ssl")  # who has made a TLS socket has imported it
    return ssl is not None and isinstance(sock, ssl.SSLSocket)


# --- the opening handshake, seen as bytes ----------------------------------------------------------


def exchange(
    stream: Stream, request: Request, options: ConnectOptions, attempt: Attempt
) -> Response:
    """Send one request and read the head of its final response."""
    head = encode_request(request)
    if _logging.tracing:
        dump("request header", redact_head(head.decode()))
    deadline = attempt.deadline if attempt.deadline.at is not None else None
    stream.write(head, deadline)
    for _ in range(options.max_interim + 1):
        reader = HeadReader("response", options.max_head, options.max_head_lines)
        response = _read_head(stream, reader, attempt, deadline)
        if _logging.tracing:
            dump("response header", redact_head(encode_response(response).decode()))
        if response.status == 101 or response.status >= 200:
            return response
    raise WebSocketException(
        f"More than {options.max_interim} interim responses before the answer (max_interim)"
    )


def _read_head(
    stream: Stream, reader: HeadReader[Response], attempt: Attempt, deadline: Deadline | None
) -> Response:
    while True:
        data = stream.read(reader.missing, True, deadline)
        if not data:
            attempt.check()
            raise WebSocketConnectionClosedException(
                "Connection to remote host was lost.",
                hint="the server hung up during the opening handshake",
            )
        taken = reader.feed(data)
        if taken is not None:
            stream.give_back(data[taken:])
            return reader.head()


def refuse(
    stream: Stream, response: Response, options: ConnectOptions, attempt: Attempt
) -> NoReturn:
    """Read the body of a response that is neither 101 nor a redirect, and raise what it means."""
    response.body = _read_body(stream, response, options.max_body, attempt)
    shown = {
        name: "<hidden>" if name == "set-cookie" else value
        for name, value in response.headers.as_dict().items()
    }
    body = response.body
    exc = WebSocketBadStatusException(
        f"Handshake status {response.status} {response.reason} -+-+- {shown} -+-+- "
        f"{body.decode(errors='replace') if body is not None else None}",
        response.status,
        response.reason or None,
        response.headers.as_dict(),
        body,
        hint=_HINTS.get(response.status),
    )
    exc.response = response
    raise exc


def _read_body(stream: Stream, response: Response, limit: int, attempt: Attempt) -> bytes | None:
    """As much of the body as comes soon; None where there is none."""
    reader = BodyReader(response, limit)
    left = attempt.deadline.remaining()
    patience = Deadline(_BODY_PATIENCE if left is None else min(left, _BODY_PATIENCE))
    try:
        while not reader.done:
            data = stream.read(reader.missing, False, patience)
            if not data:
                reader.feed_eof()
            reader.feed(data)
    except WebSocketException:
        attempt.check()  # otherwise: what has come is better than nothing
    return reader.body if reader.body or "content-length" in response.headers else None


def _redirected(uri: WebSocketURI, response: Response) -> WebSocketURI:
    """Where a redirect leads; never from wss to ws."""
    location = response.headers.get("location")
    if location is None:
        raise WebSocketException(
            f"Redirect response without Location header, status {response.status}"
        )
    try:
        target = resolve_location(uri, location)
    except ValueError as exc:
        raise WebSocketException(f"Invalid redirect target {location!r}: {exc}") from exc
    if uri.secure and not target.secure:
        raise WebSocketException(
            f"Invalid redirect target {location!r}: it leads from wss to ws, without encryption",
            hint="connect to that URL yourself if you trust it",
        )
    return target if not same_origin(uri, target) else target._replace(
        username=uri.username, password=uri.password
    )
