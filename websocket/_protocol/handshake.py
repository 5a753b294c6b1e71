"""`Opening`: the opening handshake (RFC 6455 4.1): the request we send, the response we accept."""

from __future__ import annotations

import os
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol, cast

from .._exceptions import WebSocketException
from .._wire.http1 import (
    Headers,
    Request,
    Response,
    check_header_name,
    check_header_value,
    is_token,
    parse_header_line,
)
from .._wire.urls import WebSocketURI, same_origin
from .receiving import Inflating
from .sending import Deflating

__all__ = ["Agreement", "Extending", "HeaderOption", "Opening", "accept_value", "header_lines"]

HeaderOption = Mapping[str, str | None] | Iterable[str] | str | None

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SECRETS = ("authorization", "cookie", "proxy-authorization")
# A custom header of one of these names takes the place of the line that we would have sent.
_REPLACING = ("upgrade", "host", "origin", "connection", "user-agent")


class Extending(Protocol):
    """What is offered in Sec-WebSocket-Extensions, and what becomes of the answer."""

    def offer(self) -> str:
        """The value to send."""
        ...

    def agree(self, answer: str) -> tuple[Inflating, Deflating]:
        """The two halves that the answer asks for; raises WebSocketException for a bad answer."""
        ...


class Agreement(NamedTuple):
    """What client and server settled in the opening handshake."""

    subprotocol: str | None
    inflater: Inflating | None
    deflater: Deflating | None


def accept_value(key: str) -> str:
    """What proves that the server has read our key (RFC 6455 4.2.2, 5.4)."""
    import hashlib

    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    return b2a_base64(digest, newline=False).decode()


def header_lines(header: HeaderOption) -> list[tuple[str, str]]:
    """The `header` option, in each form that users give it, as names and values.

    A mapping's None values are left out; a str is one line. Raises TypeError for values that are
    not strings and ValueError for what could smuggle in a line of its own.
    """
    if not header:
        return []
    if isinstance(header, str):
        return [parse_header_line(header)]
    if not isinstance(header, Mapping):
        return [parse_header_line(line) for line in header]
    given = cast("Mapping[str, str | None]", header)
    pairs = [(name, value) for name, value in given.items() if value is not None]
    for name, value in pairs:
        check_header_name(name)
        check_header_value(value, f"header {name!r}")
    return pairs


class Opening:
    """One opening handshake, redirects included: fields in, an `Agreement` out.

    `cookies(uri)` gives the stored cookies for each hop. Across origins (scheme, host, port) what
    belongs to the first one stays there: Authorization, Cookie, Proxy-Authorization, `host`.
    """

    def __init__(
        self,
        uri: WebSocketURI,
        *,
        header: HeaderOption = None,
        cookie: str | None = None,
        origin: str | None = None,
        suppress_origin: bool = False,
        host: str | None = None,
        suppress_host: bool = False,
        connection: str | None = None,
        subprotocols: Iterable[str] | None = None,
        user_agent: str | None = None,
        require_subprotocol: bool = True,
        authorization: str | None = None,
        cookies: Callable[[WebSocketURI], str] | None = None,
        extension: Extending | None = None,
    ):
        self.uri = uri
        self._custom = Headers(header_lines(header))
        self._cookie = _checked(cookie, "cookie")
        self._origin = _checked(origin, "origin")
        self._suppress_origin = suppress_origin
        self._host = _checked(host, "host")
        self._suppress_host = suppress_host
        self._connection = parse_header_line(connection or "Connection: Upgrade")
        self._subprotocols = _subprotocols(subprotocols)
        self._user_agent = _checked(user_agent, "user_agent")
        self._require_subprotocol = require_subprotocol
        self.authorization = _checked(authorization, "authorization")
        self._cookies = cookies
        self._extension = extension
        self.key = self._custom.get("Sec-WebSocket-Key") or ""
        self._at_home = True  # every hop so far went to the first origin

    def request(self, uri: WebSocketURI | None = None) -> Request:
        """The request for `uri`, a redirect's target, or for the first one; with a new key.

        Once a redirect has led to another origin, the secrets stay away even from a way back: it
        was a stranger who chose that way.
        """
        uri = uri or self.uri
        self._at_home = at_home = self._at_home and same_origin(uri, self.uri)
        custom = self._custom.copy()
        if not at_home:
            for name in (*_SECRETS, "host"):
                custom.pop(name, None)
        if "Sec-WebSocket-Key" not in custom:
            self.key = b2a_base64(os.urandom(16), newline=False).decode()
        cookie = self._cookie_line(uri, at_home)
        if cookie and "Cookie" not in custom:
            custom.add("Cookie", cookie)
        headers = Headers()
        for name, value in self._own_lines(uri, at_home, custom):
            if name.lower() in _REPLACING and name in custom:
                for own in custom.get_all(name):
                    headers.add(name, own)
                del custom[name]
            else:
                headers.add(name, value)
        for name, value in custom.raw_items():
            headers.add(name, value)
        return Request(uri.resource_name, headers)

    def _own_lines(
        self, uri: WebSocketURI, at_home: bool, custom: Headers
    ) -> Iterable[tuple[str, str]]:
        """The lines that are ours to send, in the order of websocket-client, in front of the
        custom headers."""
        yield "Upgrade", "websocket"
        if not self._suppress_host:
            yield "Host", self._host if at_home and self._host else uri.host_header
        if not self._suppress_origin:
            yield "Origin", uri.origin if self._origin is None else self._origin
        if "Sec-WebSocket-Key" not in custom:
            yield "Sec-WebSocket-Key", self.key
        if "Sec-WebSocket-Version" not in custom:
            yield "Sec-WebSocket-Version", "13"
        yield self._connection
        if self._subprotocols:
            yield "Sec-WebSocket-Protocol", ",".join(self._subprotocols)
        if self._extension is not None:
            yield "Sec-WebSocket-Extensions", self._extension.offer()
        if self._user_agent is not None:
            yield "User-Agent", self._user_agent
        if at_home and self.authorization and "Authorization" not in custom:
            yield "Authorization", self.authorization

    def _cookie_line(self, uri: WebSocketURI, at_home: bool) -> str:
        stored = self._cookies(uri) if self._cookies is not None else ""
        return "; ".join(part for part in (stored, self._cookie if at_home else None) if part)

    # --- the answer ------------------------------------------------------------------------------

    def accept(self, response: Response) -> Agreement:
        """Check a 101 by RFC 6455 4.1; raises WebSocketException that says what was wrong."""
        if response.version != "HTTP/1.1":
            raise _refused(response, f"the version is {response.version}, expected HTTP/1.1")
        headers = response.headers
        for name, token in (("Upgrade", "websocket"), ("Connection", "upgrade")):
            if token not in [each.lower() for each in _tokens(headers.get_all(name))]:
                raise _refused(response, f"{name} is {headers.get(name)!r}, expected {token!r}")
        expected = accept_value(self.key)
        if headers.get("Sec-WebSocket-Accept") != expected:
            got = headers.get("Sec-WebSocket-Accept")
            raise _refused(response, f"Sec-WebSocket-Accept is {got!r}, expected {expected!r}")
        subprotocol = self._accept_subprotocol(response)
        inflater, deflater = self._accept_extensions(response)
        return Agreement(subprotocol, inflater, deflater)

    def _accept_subprotocol(self, response: Response) -> str | None:
        chosen = _tokens(response.headers.get_all("Sec-WebSocket-Protocol"))
        by_line = _tokens(self._custom.get_all("Sec-WebSocket-Protocol"))
        asked = [*self._subprotocols, *by_line]
        if not chosen:
            if self._subprotocols and self._require_subprotocol:
                raise _refused(
                    response,
                    f"no subprotocol was chosen of {', '.join(asked)}",
                    hint="require_subprotocol=False accepts that",
                )
            return None
        if len(chosen) > 1 or chosen[0].lower() not in [each.lower() for each in asked]:
            raise _refused(
                response,
                f"subprotocol {', '.join(chosen)!r}, expected one of: {', '.join(asked) or 'none'}",
            )
        return chosen[0].lower()

    def _accept_extensions(self, response: Response) -> tuple[Inflating | None, Deflating | None]:
        answer = ", ".join(response.headers.get_all("Sec-WebSocket-Extensions"))
        if not answer.strip(" ,"):
            return None, None
        if self._extension is None:
            raise _refused(
                response,
                f"an extension that was not offered: {answer!r}",
                hint='compression="deflate" offers one' if "deflate" in answer else None,
            )
        try:
            return self._extension.agree(answer)
        except WebSocketException as exc:
            raise _refused(response, str(exc)) from exc


def _checked(value: str | None, what: str) -> str | None:
    if value is not None:
        check_header_value(value, what)
    return value


def _subprotocols(subprotocols: Iterable[str] | None) -> list[str]:
    if isinstance(subprotocols, str):
        subprotocols = [subprotocols]
    names = list(subprotocols or ())
    for name in names:
        _checked(name, "subprotocols")
        if not is_token(name):
            raise ValueError(f"subprotocol {name!r} is not a token (RFC 6455 4.1)")
    return names


def _tokens(values: Iterable[str]) -> list[str]:
    return [token.strip() for value in values for token in value.split(",") if token.strip()]


def _refused(response: Response, what: str, hint: str | None = None) -> WebSocketException:
    exc = WebSocketException(f"Invalid WebSocket Header: {what}", hint=hint)
    exc.response = response
    return exc
