"""What the user decided about how to reach the server, in one object instead of a dictionary."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Literal

    # None: the `http_proxy_*` options, then the environment; False: no proxy; a URL; or who tells
    # it when called with host, port and whether TLS will be spoken.
    ProxyChoice = Literal[False] | str | Callable[[str, int, bool], str | None] | None

__all__ = ["TransportOptions"]


class TransportOptions:
    """Options of one connection attempt; durations are seconds, sizes are bytes.

    The deadline of the attempt itself is not here but in `Attempt`; `socket` is a connected socket,
    or anything that behaves like one, for the first hop; `address` and `unix_socket` are dialled
    instead of what the URL names, as long as redirects stay on its origin. `proxy_header` are
    names and values that go to an HTTP proxy.
    """

    # No dataclass: that module alone would cost as much start-up time as all of ours.
    def __init__(
        self,
        *,
        # TCP
        sockopt: Sequence[tuple[Any, ...]] = (),
        address: tuple[str, int] | None = None,
        source_address: tuple[str, int] | None = None,
        unix_socket: str | None = None,
        socket: Any = None,
        # TLS
        sslopt: Mapping[str, Any] | None = None,
        # The opening handshake, seen as bytes
        max_head: int = 65536,
        max_head_lines: int = 256,
        max_body: int = 65536,
        max_interim: int = 16,
        redirect_limit: int = 3,
        # Proxies
        proxy: ProxyChoice = None,
        proxy_type: str | None = None,
        proxy_sslopt: Mapping[str, Any] | None = None,
        proxy_header: Sequence[tuple[str, str]] = (),
        http_proxy_host: str | None = None,
        http_proxy_port: int | str | None = 0,
        http_proxy_auth: tuple[str, str] | None = None,
        http_proxy_timeout: float | None = None,
        http_no_proxy: Sequence[str] | str | None = None,
    ):
        self.sockopt = sockopt
        self.address = address
        self.source_address = source_address
        self.unix_socket = unix_socket
        self.socket = socket
        self.sslopt = sslopt
        self.max_head = max_head
        self.max_head_lines = max_head_lines
        self.max_body = max_body
        self.max_interim = max_interim
        self.redirect_limit = redirect_limit
        self.proxy = proxy
        self.proxy_type = proxy_type
        self.proxy_sslopt = proxy_sslopt
        self.proxy_header = proxy_header
        self.http_proxy_host = http_proxy_host
        self.http_proxy_port = http_proxy_port
        self.http_proxy_auth = http_proxy_auth
        self.http_proxy_timeout = http_proxy_timeout
        self.http_no_proxy = http_no_proxy
