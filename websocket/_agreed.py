"""What the opening handshake said: kept in few bytes, told again for who asks; `Agreed`.

There may be thousands of connections, and few programs look at their handshakes. A request that
follows from the URL alone is kept as its key, any other as it was on the wire.
"""

from __future__ import annotations

from ._protocol.handshake import Opening
from ._wire.http1 import HeadReader
from ._wire.urls import parse_uri

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._wire.http1 import Request, Response

__all__ = ["Agreed", "handshake_response", "keep"]

_KEY_LENGTH = 24  # characters of Sec-WebSocket-Key (RFC 6455 4.1: 16 bytes in base64)
_OTHERS = (b"\r\nCookie: ", b"\r\nAuthorization: ")  # lines that no option of `connect` asked for

# What does not change a request; of all others we say that they might.
_SILENT = frozenset(
    (
        *("timeout", "sockopt", "sslopt", "max_size", "autoping", "autoclose", "socket", "address"),
        *("ping_interval", "ping_timeout", "source_address", "unix_socket", "dispatcher"),
        *("max_head", "max_head_lines", "max_body", "max_interim", "redirect_limit"),
        *("proxy", "proxy_type", "proxy_sslopt", "proxy_header", "http_proxy_host"),
        *("http_proxy_port", "http_proxy_auth", "http_proxy_timeout", "http_no_proxy"),
        *("get_mask_key", "enable_multithread", "fire_cont_frame", "skip_utf8_validation"),
        *("_attempt", "_on_ping", "_ping_payload"),
    )
)
_SWITCHES = ("suppress_origin", "suppress_host")


class handshake_response:
    """What the opening handshake gave: `status`, `headers` (a dict) and `subprotocol`."""

    def __init__(self, status: int | None, headers: dict[str, str] | None, subprotocol: str | None):
        self.status = status
        self.headers = headers
        self.subprotocol = subprotocol


if TYPE_CHECKING:
    _Said = handshake_response | None
    # The bytes, so that nobody takes this for what is in others, and what they say.
    _Handshake = tuple[bytes, Request | None, Response | None, _Said]


def keep(heads: bytes, key: str, options: Mapping[str, Any], redirected: bool) -> bytes:
    """What `tell` needs of the bytes of request and response; `options` are those of `connect`."""
    if redirected or len(key) != _KEY_LENGTH or (options and _tell(options)):
        return heads
    end = heads.index(b"\r\n\r\n") + 4
    for line in _OTHERS:
        if heads.find(line, 0, end) >= 0:
            return heads
    return key.encode() + heads[end:]


def _tell(options: Mapping[str, Any]) -> bool:
    """Whether one of them may have changed the request."""
    return not _SILENT.issuperset(options) and any(
        not (name in _SILENT or value is None or (value is False and name in _SWITCHES))
        for name, value in options.items()
    )


def tell(heads: bytes, url: str) -> tuple[Request, Response] | tuple[None, None]:
    """The request to `url` and its response again; None where nothing was kept."""
    if not heads:
        return None, None
    request: Request
    if heads.startswith(b"GET "):  # no key does
        asked = HeadReader("request", len(heads), len(heads))
        heads = heads[asked.feed(heads) :]
        request = asked.head()
    else:
        request = Opening(parse_uri(url)).request()
        request.headers["Sec-WebSocket-Key"] = heads[:_KEY_LENGTH].decode()
        heads = heads[_KEY_LENGTH:]
    answered = HeadReader("response", len(heads), len(heads))
    answered.feed(heads)
    return request, answered.head()


class Agreed:
    """The opening handshake behind the present or last connection, for any thread.

    Only its bytes are kept: few programs look at it, and there may be thousands of connections.
    """

    _url = ""  # that was asked for, also behind redirects: it is what the program knows
    _heads = b""  # what `keep` has kept of request and response
    _chosen: str | None = None  # the subprotocol
    _read: _Handshake | None = None  # what somebody who asked found in such heads

    def _shook_hands(self, url: str, heads: bytes, subprotocol: str | None) -> None:
        """Remember what the opening handshake was."""
        self._url = url
        self._heads = heads
        if self._chosen != subprotocol:
            self._chosen = subprotocol
        if self._read is not None:
            self._read = None

    def _handshake(self) -> _Handshake:
        """What the opening handshake was; read anew for the first who asks."""
        heads, read = self._heads, self._read
        if read is None or read[0] is not heads:
            read = self._read = self._read_heads(heads)
        return read

    def _read_heads(self, heads: bytes) -> _Handshake:
        request, response = tell(heads, self._url)
        if response is None:
            return heads, None, None, None
        status, headers = response.status, response.headers.as_dict()
        return heads, request, response, handshake_response(status, headers, self._chosen)

    @property
    def request(self) -> Request | None:
        """The opening request, or None before."""
        return self._handshake()[1]

    @property
    def response(self) -> Response | None:
        """The answer to it, or None before."""
        return self._handshake()[2]

    @property
    def handshake_response(self) -> _Said:
        """Status, headers and subprotocol, or None before; it may be assigned."""
        return self._handshake()[3]

    @handshake_response.setter
    def handshake_response(self, said: _Said) -> None:
        self._read = (*self._handshake()[:3], said)

    def getstatus(self) -> int | None:
        """The HTTP status of the handshake, or None before."""
        return self.handshake_response.status if self.handshake_response else None

    @property
    def status(self) -> int | None:
        """The same as `getstatus()`."""
        return self.getstatus()

    def getheaders(self) -> dict[str, str] | None:
        """The response's headers with lower-case names, the last value of each; None before."""
        return self.handshake_response.headers if self.handshake_response else None

    @property
    def headers(self) -> dict[str, str] | None:
        """The same as `getheaders()`."""
        return self.getheaders()

    def getsubprotocol(self) -> str | None:
        """The subprotocol that the server chose, in lower case, or None."""
        return self.handshake_response.subprotocol if self.handshake_response else None

    @property
    def subprotocol(self) -> str | None:
        """The same as `getsubprotocol()`."""
        return self.getsubprotocol()

    @property
    def path(self) -> str | None:
        """Path and query that were requested, or None before the handshake."""
        return self.request.path if self.request is not None else None
