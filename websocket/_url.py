"""A door: what a URL says, and which proxy leads to a host."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ._exceptions import WebSocketProxyException
from ._transport.proxy_choice import (
    bypasses,
    in_network as _is_address_in_network,
    no_proxy_entries,
    split_proxy_url,
)
from ._transport.proxy_environment import environment_proxy
from ._wire.urls import parse_url

__all__ = [
    "_is_address_in_network",
    "_is_ip_address",
    "_is_no_proxy_host",
    "_is_subnet_address",
    "get_proxy_info",
    "parse_url",
]

ProxyAuth = tuple[str, str] | None


def get_proxy_info(
    hostname: str,
    is_secure: bool,
    proxy_host: str | None = None,
    proxy_port: int | str | None = 0,
    proxy_auth: ProxyAuth = None,
    no_proxy: Sequence[str] | str | None = None,
    proxy_type: str | None = "http",
) -> tuple[str | None, int | str | None, ProxyAuth]:
    """(host, port, auth) of the proxy to take to `hostname`, (None, 0, None) for none.

    The one that is given, else the environment's, whose port is None where it names none. Raises
    WebSocketProxyException for a given host without a port and a variable that is no URL.
    """
    if _is_no_proxy_host(hostname, no_proxy, 443 if is_secure else 80):
        return None, 0, None
    if proxy_host:
        if not proxy_port:
            raise WebSocketProxyException("Cannot use port 0 when proxy_host specified")
        return proxy_host, proxy_port, proxy_auth
    named = environment_proxy(is_secure, os.environ)
    if named is None:
        return None, 0, None
    url, variable = named
    if "://" not in url:
        return None, 0, None
    try:
        _, host, port, auth = split_proxy_url(url)
    except ValueError as exc:
        raise WebSocketProxyException(f"{exc} (environment variable {variable})") from exc
    return host, port, auth


def _is_no_proxy_host(hostname: str, no_proxy: Sequence[str] | str | None, port: int = 0) -> bool:
    """Whether a host is reached without a proxy, by `no_proxy` or, if empty, the environment."""
    entries = no_proxy_entries(no_proxy, os.environ)
    return bypasses(hostname, port, entries) is not None


def _is_ip_address(addr: str) -> bool:
    """Whether this is an IPv4 or IPv6 address."""
    return _is_address_in_network(addr, addr)


def _is_subnet_address(hostname: str) -> bool:
    """Whether this is a network like 10.0.0.0/8."""
    return "/" in hostname and _is_address_in_network(hostname.partition("/")[0], hostname)
