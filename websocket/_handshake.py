"""A door: the opening handshake on an open socket, and its steps one by one."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from . import _socket
from ._classic import handshake
from ._exceptions import WebSocketBadStatusException, WebSocketException
from ._http import read_headers
from ._logging import error
from ._opening import CookieJar, _Opener, handshake_response
from ._protocol.handshake import Opening
from ._transport.connecting import REDIRECTS
from ._wire.http1 import BodyReader, Response
from ._wire.urls import parse_uri

__all__ = [
    "SUCCESS_STATUSES",
    "SUPPORTED_REDIRECT_STATUSES",
    "VERSION",
    "CookieJar",
    "_create_sec_websocket_key",
    "_get_handshake_headers",
    "_get_resp_headers",
    "_validate",
    "handshake",
    "handshake_response",
]

VERSION = 13
SUPPORTED_REDIRECT_STATUSES = REDIRECTS
SUCCESS_STATUSES = (*REDIRECTS, 101)

_AT_A_TIME = 16384
_LONGEST_BODY = 65536


def _create_sec_websocket_key() -> str:
    """16 random bytes in base64 (RFC 6455 4.1)."""
    return b64encode(os.urandom(16)).decode()


def _get_handshake_headers(
    resource: str, url: str, host: str, port: int, options: Mapping[str, Any]
) -> tuple[list[str], str]:
    """(the lines of the opening request with the two empty ones at its end, its key)."""
    path, _, query = resource.partition("?")
    uri = parse_uri(url)._replace(host=host, port=port, path=path, query=query)
    opener = _Opener(uri, options)
    request = opener.request(uri)
    lines = [f"{request.method} {request.path} {request.version}"]
    lines += [f"{name}: {value}" for name, value in request.headers.raw_items()]
    return [*lines, "", ""], opener.opening.key


def _get_resp_headers(
    sock: Any, success_statuses: tuple[int, ...] = SUCCESS_STATUSES
) -> tuple[int, dict[str, str]]:
    """(status, headers) of the response; WebSocketBadStatusException, with the body as far as its
    length is told, for a status that is none of these."""
    status, headers, message = read_headers(sock)
    if status in success_statuses:
        return status, headers
    length = headers.get("content-length", "0")
    hint = None if length.isdecimal() else f"Invalid content-length: {length!r}"
    body = _read_body(sock, status, headers)
    shown = None if body is None else body.decode(errors="replace")
    raise WebSocketBadStatusException(
        f"Handshake status {status} {message} -+-+- {headers} -+-+- {shown}",
        status,
        message,
        headers,
        body,
        hint=hint,
    )


def _read_body(sock: Any, status: int, headers: Mapping[str, str]) -> bytes | None:
    if "content-length" not in headers and "transfer-encoding" not in headers:
        return None
    reader = BodyReader(Response(status, headers), _LONGEST_BODY)
    try:
        while not reader.done:
            reader.feed(_socket.recv(sock, min(reader.missing, _AT_A_TIME)))
    except WebSocketException:
        pass  # what has come is better than nothing
    return reader.body


def _validate(
    headers: Mapping[str, str], key: str, subprotocols: Iterable[str] | None
) -> tuple[bool, str | None]:
    """Whether the headers of a 101 accept the handshake that had this key; the subprotocol."""
    opening = Opening(
        parse_uri("ws://localhost"), header={"Sec-WebSocket-Key": key}, subprotocols=subprotocols
    )
    try:
        agreement = opening.accept(Response(101, headers))
    except WebSocketException as exc:
        error(str(exc))
        return False, None
    return True, agreement.subprotocol
