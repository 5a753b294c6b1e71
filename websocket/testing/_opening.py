"""The server's half of the opening handshake: which response a request gets (RFC 6455 4.2)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from .._protocol.deflate import Deflate, Deflater, Inflater, answer_offers
from .._protocol.handshake import accept_value
from .._wire.http1 import Headers, Request, Response

__all__ = ["Agreement", "Rules", "answer", "completed", "refusal", "switching"]

Subprotocols = Sequence[str] | Callable[[list[str]], "str | None"]

_KEY_BYTES = 16  # RFC 6455 4.1: the key is that many bytes, in Base64


class Rules(NamedTuple):
    """What `serve` was told about handshakes."""

    subprotocols: Subprotocols | None = None
    origins: Sequence[str | None] | None = None
    on_request: Callable[[Request], Response | None] | None = None
    compression: Deflate | None = None


class Agreement(NamedTuple):
    """What client and server settled, as far as the open connection depends on it."""

    subprotocol: str | None = None
    inflater: Inflater | None = None
    deflater: Deflater | None = None


def answer(request: Request, rules: Rules) -> tuple[Response, Agreement]:
    """The response, status 101 where all is well, and what it agrees to.

    Raises what `on_request` raises, and TypeError for what it should not return.
    """
    said = None if rules.on_request is None else rules.on_request(request)
    if said is not None:
        if not isinstance(said, Response):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"on_request returned a {type(said).__name__}, expected None or a Response"
            )
        if said.status != 101:
            return said, Agreement()
    refused = _fault(request) or _foreign(request, rules.origins)
    if refused is not None:
        return refused, Agreement()
    subprotocol = _choose(_tokens(request, "Sec-WebSocket-Protocol"), rules.subprotocols)
    response = switching(request, () if said is None else said.headers, subprotocol)
    name = "Sec-WebSocket-Extensions"
    if rules.compression is None or name in response.headers:
        return response, Agreement(subprotocol)
    agreed = answer_offers(", ".join(request.headers.get_all(name)), rules.compression)
    if agreed is None:
        return response, Agreement(subprotocol)
    response.headers[name], inflater, deflater = agreed
    return response, Agreement(subprotocol, inflater, deflater)


def switching(
    request: Request,
    headers: Headers | Iterable[tuple[str, str]] = (),
    subprotocol: str | None = None,
) -> Response:
    """The 101 that this request deserves; `headers` are added, or replace those of their name."""
    extra = Headers(headers)
    ours = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", accept_value(request.headers.get("Sec-WebSocket-Key", ""))),
    ]
    if subprotocol is not None:
        ours.append(("Sec-WebSocket-Protocol", subprotocol))
    lines = [line for line in ours if line[0] not in extra]
    return Response(101, [*lines, *extra.raw_items()], reason="Switching Protocols")


def refusal(status: int, text: str, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """A response that says why in plain text."""
    lines = [("Content-Type", "text/plain; charset=utf-8"), *headers]
    return Response(status, lines, (text + "\n").encode())


def completed(response: Response, method: str) -> Response:
    """The response as it is sent: with a reason, a Content-Length and `Connection: close`."""
    headers = Headers(response.headers)
    body = response.body or b""
    framed = "Content-Length" in headers or "Transfer-Encoding" in headers
    # RFC 9110 8.6: these have no body, and say so by themselves.
    if response.status >= 200 and response.status != 204 and not framed:
        headers.add("Content-Length", str(len(body)))
    if "Connection" not in headers:
        headers.add("Connection", "close")
    return Response(
        response.status,
        headers,
        b"" if method == "HEAD" else body,
        response.reason or _reason(response.status),
    )


def _reason(status: int) -> str:
    from http import HTTPStatus

    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _fault(request: Request) -> Response | None:
    """What is wrong with the handshake."""
    upgrades = [token.lower() for token in _tokens(request, "Upgrade")]
    connection = [token.lower() for token in _tokens(request, "Connection")]
    if "websocket" not in upgrades or "upgrade" not in connection:
        headers = [("Upgrade", "websocket")]
        return refusal(426, "This is a WebSocket server: expected an upgrade", headers)
    if request.method != "GET":
        return refusal(405, f"Expected GET, got {request.method}", [("Allow", "GET")])
    if request.version != "HTTP/1.1":
        return refusal(400, f"Expected HTTP/1.1, got {request.version}")
    if "Host" not in request.headers:
        return refusal(400, "Expected a Host header, got none")
    version = request.headers.get("Sec-WebSocket-Version", "none")
    if version != "13":  # RFC 6455 4.4
        headers = [("Sec-WebSocket-Version", "13")]
        return refusal(426, f"Expected Sec-WebSocket-Version 13, got {version}", headers)
    if not _is_key(request.headers.get("Sec-WebSocket-Key", "")):
        return refusal(400, "Expected a Sec-WebSocket-Key of 16 bytes in Base64")
    return None


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def _foreign(request: Request, origins: Sequence[str | None] | None) -> Response | None:
    origin = request.headers.get("Origin")
    if origins is None or origin in origins:
        return None
    shown = "A request without Origin" if origin is None else f"Origin {origin}"
    return refusal(403, f"{shown} is not allowed here")


def _choose(offered: list[str], known: Subprotocols | None) -> str | None:
    if known is None or not offered:
        return None
    if callable(known):
        return known(offered)
    return next((name for name in offered if name in known), None)


def _tokens(request: Request, name: str) -> list[str]:
    values = ",".join(request.headers.get_all(name)).split(",")
    return [token.strip() for token in values if token.strip()]
