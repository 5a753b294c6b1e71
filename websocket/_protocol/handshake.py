"""`Opening`: the opening handshake (RFC 6455 4.1): the request we send, the response we accept."""

from __future__ import annotations

import os
from binascii import b2a_base64
from collections import namedtuple
from collections.abc import Iterable, Mapping

from .._exceptions import WebSocketException
from .._wire.http1 import (
    Headers,
    Request,
    check_header_name,
    check_header_value,
    is_token,
    parse_header_line,
)
from .._wire.urls import same_origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NamedTuple, Protocol

    from .._wire.http1 import Response
    from .._wire.urls import WebSocketURI
    from .receiving import Inflating
    from .sending import Deflating

    class Extending(Protocol):
        """What is offered in Sec-WebSocket-Extensions, and what becomes of the answer."""

        def offer(self) -> str:
            """The value to send."""
            ...

        def agree(self, answer: str) -> tuple[Inflating, Deflating]:
            """The two halves that the answer asks for; raises WebSocketException for a bad one."""
            ...

else:
    Extending = object

__all__ = ["Agreement", "Extending", "HeaderOption", "Opening", "accept_value", "header_lines"]

HeaderOption = Mapping[str, str | None] | Iterable[str] | str | None

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SECRETS = ("authorization", "cookie", "proxy-authorization")
_UPGRADE = ("Connection", "Upgrade")
# Options that become a line's value as they are.
_VALUES = ("cookie", "origin", "host", "user_agent", "authorization")
_NOTHING_GIVEN = (None,) * len(_VALUES)
# A custom header of one of these names takes the place of the line that we would have sent.
_REPLACING = ("upgrade", "host", "origin", "connection", "user-agent")


if TYPE_CHECKING:

    class Agreement(NamedTuple):
        """What client and server settled in the opening handshake."""

        subprotocol: str | None
        inflater: Inflating | None
        deflater: Deflating | None

else:
    Agreement = namedtuple("Agreement", "subprotocol inflater deflater")


def accept_value(key: str) -> str:
    """What proves that the server has read our key (RFC 6455 4.2.2, 5.4)."""
    try:  # without OpenSSL, which takes longer to load than all the rest
        engine: Any = __import__("_sha1")
    except ImportError:  # a Python that was built without it
        engine = __import__("hashlib")
    digest: bytes = engine.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
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
    if not _is_mapping(header):
        return [parse_header_line(line) for line in header]
    given: Any = header
    pairs: list[tuple[str, str]]
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
        self._custom = Headers(header_lines(header)) if header else None
        self._cookie = cookie
        self._origin = origin
        self._suppress_origin = suppress_origin
        self._host = host
        self._suppress_host = suppress_host
        self._connection = parse_header_line(connection) if connection else _UPGRADE
        self._subprotocols = _subprotocols(subprotocols) if subprotocols else []
        self._user_agent = user_agent
        self._require_subprotocol = require_subprotocol
        self.authorization = authorization
        values = (cookie, origin, host, user_agent, authorization)
        if values != _NOTHING_GIVEN:
            for name, value in zip(_VALUES, values, strict=True):
                _check(value, name)
        self._cookies = cookies
        self._extension = extension
        self.key = "" if self._custom is None else self._custom.get("Sec-WebSocket-Key", "")
        self._at_home = True  # every hop so far went to the first origin

    def request(self, uri: WebSocketURI | None = None) -> Request:
        """The request for `uri`, a redirect's target, or for the first one; with a new key.

        Once a redirect has led to another origin, the secrets stay away even from a way back: it
        was a stranger who chose that way.
        """
        uri = uri or self.uri
        self._at_home = at_home = self._at_home and (uri is self.uri or same_origin(uri, self.uri))
        custom: Headers | tuple[()] = ()
        if self._custom is not None:
            custom = self._custom.copy()
            if not at_home:
                for name in (*_SECRETS, "host"):
                    custom.pop(name, None)
        if "Sec-WebSocket-Key" not in custom:
            self.key = b2a_base64(os.urandom(16), newline=False).decode()
        lines = self._own_lines(uri, at_home, custom)
        cookie = self._cookie_line(uri, at_home)
        own_cookie = cookie and "Cookie" not in custom
        if custom:
            lines = _replaced(lines, custom)
            lines += custom.raw_items()
        if own_cookie:
            lines.append(("Cookie", cookie))
        return Request(uri.resource_name, Headers.of(lines))

    def _own_lines(
        self, uri: WebSocketURI, at_home: bool, custom: Headers | tuple[()]
    ) -> list[tuple[str, str]]:
        """The lines that are ours to send, in the order of websocket-client, in front of the
        custom headers."""
        host = uri.host_header
        lines = [("Upgrade", "websocket")]
        if not self._suppress_host:
            lines.append(("Host", self._host if at_home and self._host else host))
        if not self._suppress_origin:
            origin = self._origin
            if origin is None:
                origin = ("https://" if uri.secure else "http://") + host
            lines.append(("Origin", origin))
        if "Sec-WebSocket-Key" not in custom:
            lines.append(("Sec-WebSocket-Key", self.key))
        if "Sec-WebSocket-Version" not in custom:
            lines.append(("Sec-WebSocket-Version", "13"))
        lines.append(self._connection)
        if self._subprotocols:
            lines.append(("Sec-WebSocket-Protocol", ",".join(self._subprotocols)))
        if self._extension is not None:
            lines.append(("Sec-WebSocket-Extensions", self._extension.offer()))
        if self._user_agent is not None:
            lines.append(("User-Agent", self._user_agent))
        if at_home and self.authorization and "Authorization" not in custom:
            lines.append(("Authorization", self.authorization))
        return lines

    def _cookie_line(self, uri: WebSocketURI, at_home: bool) -> str:
        stored = self._cookies(uri) if self._cookies is not None else ""
        own = self._cookie if at_home else None
        return f"{stored}; {own}" if stored and own else stored or own or ""

    # --- the answer ------------------------------------------------------------------------------

    def accept(self, response: Response) -> Agreement:
        """Check a 101 by RFC 6455 4.1; raises WebSocketException that says what was wrong."""
        if response.version != "HTTP/1.1":
            raise _refused(response, f"the version is {response.version}, expected HTTP/1.1")
        headers = response.headers
        said = headers.by_name
        for name, token in (("upgrade", "websocket"), ("connection", "upgrade")):
            values = ", ".join(said.get(name, ())).lower()
            if values != token and token not in _tokens([values]):
                shown = f"{name.title()} is {headers.get(name)!r}"
                raise _refused(response, f"{shown}, expected {token!r}")
        expected = accept_value(self.key)
        if said.get("sec-websocket-accept") != [expected]:
            got = headers.get("Sec-WebSocket-Accept")
            raise _refused(response, f"Sec-WebSocket-Accept is {got!r}, expected {expected!r}")
        subprotocol = inflater = deflater = None
        if self._subprotocols or "sec-websocket-protocol" in said:
            subprotocol = self._accept_subprotocol(response)
        if "sec-websocket-extensions" in said:
            inflater, deflater = self._accept_extensions(response)
        return Agreement(subprotocol, inflater, deflater)

    def _accept_subprotocol(self, response: Response) -> str | None:
        chosen = _tokens([response.headers.get("Sec-WebSocket-Protocol", "")])
        custom = self._custom.get_all("Sec-WebSocket-Protocol") if self._custom else ()
        asked = [*self._subprotocols, *_tokens(custom)]
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
        answer = response.headers.get("Sec-WebSocket-Extensions", "")
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


def _replaced(lines: list[tuple[str, str]], custom: Headers) -> list[tuple[str, str]]:
    """Our lines, with the custom ones that take the place of some; those are removed there."""
    result: list[tuple[str, str]] = []
    for name, value in lines:
        if name.lower() in _REPLACING and name in custom:
            result += [(name, own) for own in custom.get_all(name)]
            del custom[name]
        else:
            result.append((name, value))
    return result


def _is_mapping(header: object) -> bool:
    return isinstance(header, Mapping)


def _check(value: str | None, what: str) -> None:
    if value is not None:
        check_header_value(value, what)


def _subprotocols(subprotocols: Iterable[str] | None) -> list[str]:
    if isinstance(subprotocols, str):
        subprotocols = [subprotocols]
    names = list(subprotocols or ())
    for name in names:
        _check(name, "subprotocols")
        if not is_token(name):
            raise ValueError(f"subprotocol {name!r} is not a token (RFC 6455 4.1)")
    return names


def _tokens(values: Iterable[str]) -> list[str]:
    return [token.strip() for value in values for token in value.split(",") if token.strip()]


def _refused(response: Response, what: str, hint: str | None = None) -> WebSocketException:
    exc = WebSocketException(f"Invalid WebSocket Header: {what}", hint=hint)
    exc.response = response
    return exc
