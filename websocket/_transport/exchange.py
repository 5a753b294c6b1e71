"""One request and the head of its answer over a stream, and what an answer that refuses means."""

from __future__ import annotations

import sys
from contextlib import suppress

from .. import _logging, _tracing
from .._exceptions import (
    WebSocketBadStatusException,
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
)
from .._wire.http1 import BodyReader, HeadReader, encode_request, encode_response
from .deadline import Deadline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from .._wire.http1 import Request, Response
    from .deadline import Attempt
    from .options import TransportOptions
    from .streams import Stream

__all__ = ["REDIRECTS", "exchange", "read_body", "refuse"]

REDIRECTS = (301, 302, 303, 307, 308)
_BODY_PATIENCE = 1.0  # seconds for the body of a refusal: an error report never waits for long

_HUNG_UP = (
    "the server hung up without an answer: if it speaks TLS on this port, use wss://; else host,"
    " port or a filter on the way may be wrong"
)
_HUNG_UP_IN_ANSWER = "the server hung up in the middle of its answer"
_HINTS = {
    200: "this is a web page, not a WebSocket: check the path of the URL",
    400: "the server did not like the request: check headers, subprotocols and the path",
    401: "credentials are missing or wrong: give auth=(user, password), or header=",
    403: "not allowed: the server may want another Origin (origin=), a token or a cookie",
    404: "nothing at this path: check the path of the URL",
    405: "this path takes no GET: check the path of the URL",
    407: "a proxy on the way wants credentials: http_proxy_auth=, or user and password in its URL",
    426: "the server wants another protocol or version than RFC 6455's 13",
    429: "too many requests: wait, then try again",
    500: "the server has failed: its log should tell why",
    502: "a gateway cannot reach the WebSocket server behind it",
    503: "the server is overloaded or restarting: try again later",
    504: "a gateway waits in vain for the WebSocket server behind it",
}


def exchange(
    stream: Stream,
    request: Request,
    options: TransportOptions,
    attempt: Attempt,
    *,
    hide: tuple[str, ...] = (),
) -> Response:
    """Send one request and read the head of its final response; interim ones are skipped.

    Bytes behind the head go back to the stream. `hide` are secrets that the trace must not show,
    also where the other side repeats them.
    """
    head = encode_request(request)
    if _tracing.on:
        _trace("request header", head, hide)
    deadline = attempt.deadline if attempt.deadline.at is not None else None
    try:
        # Who does not read all of it may have said why, by a response or a TLS alert.
        with suppress(WebSocketConnectionClosedException):
            stream.write(head, deadline)
        for _ in range(options.max_interim + 1):
            reader = HeadReader("response", options.max_head, options.max_head_lines)
            response = _read_head(stream, reader, attempt, deadline)
            response.heads = head + response.heads
            if _tracing.on:
                _trace("response header", encode_response(response), hide)
            if response.status == 101 or response.status >= 200:
                return response
    except WebSocketConnectionClosedException as exc:
        attempt.check()
        if exc.hint is not None:
            raise
        raise WebSocketConnectionClosedException(*exc.args, hint=_why_lost(exc)) from exc
    raise WebSocketException(
        f"More than {options.max_interim} interim responses before the answer (max_interim)"
    )


def _why_lost(exc: WebSocketConnectionClosedException) -> str | None:
    """What to do about a connection that was lost before the answer."""
    ssl = sys.modules.get("ssl")  # who speaks TLS has imported it
    cause = exc.__cause__
    if ssl is None or cause is None or not isinstance(cause, ssl.SSLError):
        return _HUNG_UP
    # Since TLS 1.3 a server refuses our certificate only behind the handshake (RFC 8446 4.4.2.4).
    from .tls import explain_tls_error

    hint: str | None = getattr(explain_tls_error(cause, ""), "hint", None)
    return hint


def _trace(title: str, head: bytes, hide: tuple[str, ...]) -> None:
    text = _logging.redact_head(head.decode())
    for secret in hide:
        text = text.replace(secret, "<hidden>")
    _logging.dump(title, text)


def _read_head(
    stream: Stream, reader: HeadReader, attempt: Attempt, deadline: Deadline | None
) -> Response:
    before = bytearray()  # of the head
    while True:
        data = stream.read(reader.missing, True, deadline)
        if not data:
            raise WebSocketConnectionClosedException(
                "Connection to remote host was lost.",
                hint=_HUNG_UP_IN_ANSWER if before else _HUNG_UP,
            )
        taken = reader.feed(data)
        if taken is not None:
            stream.give_back(data[taken:])
            response: Response = reader.head()
            response.heads = bytes(before) + data[:taken]
            return response
        before += data


def refuse(
    stream: Stream, response: Response, options: TransportOptions, attempt: Attempt
) -> NoReturn:
    """Read the body of a response that is neither 101 nor a redirect, and raise what it means."""
    response.body = read_body(stream, response, options.max_body, attempt)
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
        hint=_hint(response),
    )
    exc.response = response
    raise exc


def _hint(response: Response) -> str | None:
    hint = _HINTS.get(response.status)
    seconds = response.headers.get("retry-after", "")
    if hint is not None and len(seconds) < 10 and seconds.isascii() and seconds.isdigit():
        hint = f"{hint} (Retry-After: {seconds} s)"
    return hint


def read_body(stream: Stream, response: Response, limit: int, attempt: Attempt) -> bytes | None:
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
    except (WebSocketTimeoutException, WebSocketConnectionClosedException):
        if attempt.cancelled:
            attempt.check()
        # Otherwise what has come is better than nothing, and a refusal tells more than a timeout.
    return reader.body if reader.body or "content-length" in response.headers else None
