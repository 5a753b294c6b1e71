"""The options that `connect`, `create_connection`, `reconnecting` and `run_forever` take, as types.

For type checkers, and for programs that annotate with them: nothing here runs when we connect, so
no module of ours imports this one but for its types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    import http.cookiejar
    import ssl
    from os import PathLike

    from ._cookiejar import SimpleCookieJar
    from ._protocol.deflate import Deflate

__all__ = [
    "Auth",
    "CommonOptions",
    "ConnectOptions",
    "CreateOptions",
    "FurtherOptions",
    "Header",
    "HeaderOption",
    "ProxyOption",
    "ReconnectingOptions",
    "SSLOption",
    "SSLOptions",
    "SocketOptions",
]

Header = Mapping[str, str | None] | Iterable[str] | str
HeaderOption = Header | Callable[[], Header | None] | None
Auth = tuple[str, str] | Callable[[str], str | None] | Literal["netrc"] | None
ProxyOption = str | Literal[False] | Callable[[str, int, bool], str | None] | None
SocketOptions = Iterable[Sequence[Any]] | None
"""The arguments of one `setsockopt` after the other."""


class SSLOptions(TypedDict, total=False):
    """The keys of `sslopt`; None is as good as absent, and what is not a key raises ValueError."""

    # Whom we trust
    context: ssl.SSLContext | None
    cert_reqs: int | None
    check_hostname: bool | None
    ca_certs: str | PathLike[str] | None
    ca_cert_path: str | PathLike[str] | None
    server_hostname: str | None
    fingerprint: str | None

    # The client's certificate
    certfile: str | PathLike[str] | None
    keyfile: str | PathLike[str] | None
    password: str | bytes | Callable[[], str | bytes] | None
    cert_chain: Sequence[Any] | None

    # How TLS is spoken
    ssl_version: int | None
    ciphers: str | None
    ecdh_curve: str | None
    do_handshake_on_connect: bool | None
    suppress_ragged_eofs: bool | None


SSLOption = SSLOptions | Mapping[str, Any] | None
"""A mapping of any type, too: that is what a variable is in a program which does not know ours."""


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
    proxy_sslopt: SSLOption
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


class CommonOptions(FurtherOptions, total=False):
    """Every option of a connection but `timeout`, which some functions name themselves."""

    # The opening request
    header: HeaderOption
    cookie: str | None
    origin: str | None
    suppress_origin: bool | None
    host: str | None
    suppress_host: bool | None
    subprotocols: Sequence[str] | None

    # The way to the server
    socket: Any
    sockopt: SocketOptions
    sslopt: SSLOption
    proxy_type: str | None
    http_proxy_host: str | None
    http_proxy_port: int | str | None
    http_proxy_auth: tuple[str, str] | None
    http_proxy_timeout: float | None
    http_no_proxy: Sequence[str] | str | None

    # The open connection
    ping_interval: float | None
    ping_timeout: float | None


class ConnectOptions(CommonOptions, total=False):
    """Every option of `connect`; each may be None, which means its default.

    `create_connection` and `reconnecting` take them, too. Durations are seconds, sizes are bytes.
    Options that nobody knows are ignored when they come, but a type checker reports them.
    """

    timeout: float | None


class CreateOptions(CommonOptions, total=False):
    """The options of `create_connection` besides `timeout`: those of `connect` and `WebSocket`."""

    get_mask_key: Callable[[int], bytes | str] | None
    fire_cont_frame: bool | None
    enable_multithread: bool | None
    skip_utf8_validation: bool | None
    dispatcher: Any


class ReconnectingOptions(CreateOptions, total=False):
    """The options of `reconnecting`: those of `create_connection`."""

    timeout: float | None
