"""Which hosts are reached without a proxy, and the parts of a proxy's URL."""

from __future__ import annotations

import socket

from .._wire import patterns
from .._wire.urls import parse_uri

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._wire.urls import WebSocketURI

__all__ = ["bypasses", "in_network", "no_proxy_entries", "split_proxy_url"]


_entries = patterns.split(r"[,\s]+")
_scheme = patterns.match(r"([A-Za-z][A-Za-z0-9+.\-]*)://")
_hostport = patterns.fullmatch(r"(\[[^\]]*\]|[^:]*):([0-9]+)")
_authority = patterns.match(r"[^/?#]*")


def no_proxy_entries(given: Sequence[str] | str | None, environ: Mapping[str, str]) -> list[str]:
    """What `http_no_proxy` lists, a str as a comma list; if it is empty, what `no_proxy` says."""
    text = given if isinstance(given, str) else ",".join(given or ())
    text = text or environ.get("no_proxy", environ.get("NO_PROXY", ""))
    return [entry for entry in _entries(text) if entry]


def bypasses(host: str, port: int, entries: Sequence[str]) -> str | None:
    """The first of `entries` that takes `host` and `port` out of proxying, or None.

    `*` is every host, `example.com` and `.example.com` are that host and all below it,
    `*.example.com` only those below, `10.0.0.0/8` is a network; `:8080` behind any of them limits
    it to that port. Names match label by label whatever their case; nothing is looked up.
    """
    host = _bare(host)
    address = _packed(host)
    for entry in entries:
        name, own_port = _split_port(entry.strip())
        if own_port is not None and own_port != port:
            continue
        if name == "*":
            return entry
        if in_network(host, name) if address is not None else _covers(name, host):
            return entry
    return None


def in_network(address: str, network: str) -> bool:
    """Whether an IPv4 or IPv6 address is in a network like 10.0.0.0/8, or is that one address."""
    base, slash, bits = network.partition("/")
    packed, first = _packed(_bare(address)), _packed(_bare(base))
    if packed is None or first is None or len(packed) != len(first):
        return False
    if not slash:
        return packed == first
    width = 8 * len(first)
    if not (bits.isascii() and bits.isdigit() and int(bits) <= width):
        return False
    shift = width - int(bits)
    network_part = int.from_bytes(first, "big") >> shift
    if network_part << shift != int.from_bytes(first, "big"):  # 10.0.0.1/8 is no network
        return False
    return int.from_bytes(packed, "big") >> shift == network_part


def split_proxy_url(url: str) -> tuple[str, str, int | None, tuple[str, str] | None]:
    """(scheme, host, port or None, (user, password) or None) of a proxy URL; host:port means http.

    Raises ValueError for what is no URL with a host, and never shows its credentials.
    """
    found = _scheme(url)
    scheme, rest = (
        (found[1].lower(), url[found.end() :]) if found else ("http", url.removeprefix("//"))
    )
    authority = _authority(rest)[0]
    try:
        parts: WebSocketURI = parse_uri("ws://" + authority)
    except ValueError as exc:
        text = str(exc).partition(", got")[0]
        raise ValueError(f"the URL of the proxy cannot be understood: {text}") from None
    has_port = _hostport(authority.rpartition("@")[2]) is not None
    user = parts.user_info
    return scheme, parts.host, parts.port if has_port else None, user


def _split_port(entry: str) -> tuple[str, int | None]:
    """An entry without its port; of bare IPv6 addresses the colons are no port's."""
    found = _hostport(entry)
    if found is None or len(found[2]) > 5:
        return _bare(entry), None
    return _bare(found[1]), int(found[2])


def _bare(name: str) -> str:
    """A name as it is compared: lower case, A-labels, no brackets, no root's dot, no zone."""
    name = name.lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    if ":" in name:
        return name.partition("%")[0] if "/" not in name else name
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            pass  # no host will be called so
    return name.removesuffix(".")


def _packed(text: str) -> bytes | None:
    """The bytes of an address, None for a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
    return None


def _covers(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    domain = pattern.removeprefix(".")
    return bool(domain) and (host == domain or host.endswith("." + domain))
