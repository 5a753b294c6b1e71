"""The options that `connect`, `create_connection` and `run_forever` take, with their types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    import http.cookiejar

    from ._cookiejar import SimpleCookieJar
    from ._protocol.deflate import Deflate

__all__ = ["Auth", "ConnectionOptions", "FurtherOptions", "Header", "HeaderOption", "ProxyOption"]

Header = Mapping[str, str | None] | Iterable[str] | str
HeaderOption = Header | Callable[[], Header | None] | None
Auth = tuple[str, str] | Callable[[str], str | None] | Literal["netrc"] | None
ProxyOption = str | Literal[False] | Callable[[str, int, bool], str | None] | None


class FurtherOptions(TypedDict, total=False):
    """The options of `connect` that `WebSocketApp` and its `run_forever` do not name themselves."""

    # The opening request
    cookiejar: SimpleCookieJar | http.cookiejar.CookieJar | None
    connection: str | None
    require_subprotocol: bool | None
    user_agent: str | None
    auth: Auth

    # The way to the server
    address: tuple[str, int] | None
    source_address: tuple[str, int] | None
    unix_socket: str | None
    redirect_limit: int | None
    proxy: ProxyOption
    proxy_sslopt: Mapping[str, Any] | None
    proxy_header: Header | None

    # Limits
    max_size: int | None
    max_head: int | None
    max_head_lines: int | None
    max_body: int | None
    max_interim: int | None

    # The open connection
    compression: Literal["deflate"] | Deflate | None
    autoping: bool | None
    autoclose: bool | None


class ConnectionOptions(FurtherOptions, total=False):
    """Every option of `connect`; each may be None, which means its default.

    Durations are seconds, sizes are bytes. Options that nobody knows are ignored.
    """

    # The opening request
    header: HeaderOption
    cookie: str | None
    origin: str | None
    suppress_origin: bool | None
    host: str | None
    suppress_host: bool | None
    subprotocols: Sequence[str] | None

    # The way to the server
    timeout: float | None
    socket: Any
    sockopt: Sequence[tuple[Any, ...]] | None
    sslopt: Mapping[str, Any] | None
    proxy_type: str | None
    http_proxy_host: str | None
    http_proxy_port: int | str | None
    http_proxy_auth: tuple[str, str] | None
    http_proxy_timeout: float | None
    http_no_proxy: Sequence[str] | str | None

    # The open connection
    ping_interval: float | None
    ping_timeout: float | None
