"""Which proxy a connection goes through, and by which rule: arguments, then the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from .._logging import debug, warning
from .options import TransportOptions
from .proxy_choice import bypasses, no_proxy_entries, split_proxy_url
from .proxy_environment import environment_proxy
from .proxy_errors import proxy_exception, python_socks_class

__all__ = ["Proxy", "choose_by_rule", "choose_proxy", "sslopt_for"]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_SOCKS_PORT = 1080
SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
# What desktops write into all_proxy, and browsers take for SOCKS 5 that looks up the names, too.
_ALIASES = {"socks": "socks5h"}

# Of `sslopt`, what says whom to trust; the rest is between us and the server.
_TRUST = ("ssl_version", "ca_certs", "ca_cert_path", "ciphers", "ecdh_curve")
_LENIENCE = ("cert_reqs", "check_hostname")


class Proxy(NamedTuple):
    """A proxy and how to speak to it; its text form shows no credentials."""

    scheme: str
    host: str
    port: int
    username: str | None = None
    password: str | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text may show."""
        return tuple(each for each in (self.password,) if each)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def __repr__(self) -> str:
        return f"<Proxy {self}>"


def choose_proxy(
    host: str,
    port: int,
    secure: bool,
    options: TransportOptions,
    environ: Mapping[str, str] = os.environ,
) -> Proxy | None:
    """The proxy for a connection to `host` and `port`, None for a direct one.

    The first of these that says something: `proxy=`, `http_proxy_host=`, the environment.
    `http_no_proxy` excepts hosts from each of them, `no_proxy` of the environment from the last
    two. Logs which proxy it is and why. Raises WebSocketProxyException (a ValueError, too) for one
    that is described in a way that cannot work.
    """
    found, rule = choose_by_rule(host, port, secure, options, environ)
    debug(f"proxy for {host}:{port}: {found or 'none'} ({rule})")
    return found


def choose_by_rule(
    host: str,
    port: int,
    secure: bool,
    options: TransportOptions,
    environ: Mapping[str, str] = os.environ,
) -> tuple[Proxy | None, str]:
    """As `choose_proxy`, and the rule that decided, in words."""
    if options.proxy is False:
        return None, "proxy=False"
    explicit = options.proxy is not None
    entries = no_proxy_entries(options.http_no_proxy, {} if explicit else environ)
    excepted = bypasses(host, port, entries)
    if excepted is not None:
        return None, f"{excepted!r} in {'http_no_proxy' if options.http_no_proxy else 'no_proxy'}"
    if explicit:
        return _from_argument(host, port, secure, options)
    if options.http_proxy_host:
        return _from_parts(options), "http_proxy_host"
    named = environment_proxy(secure, environ)
    if named is None:
        return None, "none is configured"
    url, variable = named
    if "://" not in url:
        warning(f"{variable} is ignored, since it has no scheme: http://host:port would do")
        return None, f"{variable} has no scheme"
    return parse_proxy(url, variable), f"environment variable {variable}"


def _from_argument(
    host: str, port: int, secure: bool, options: TransportOptions
) -> tuple[Proxy | None, str]:
    choice, rule = options.proxy, "proxy="
    if callable(choice):
        choice, rule = choice(host, port, secure), "the callable given as proxy="
    if choice is None or choice is False:
        return None, rule
    if not isinstance(choice, str):
        raise TypeError(f"proxy is a {type(choice).__name__}, expected a URL, a callable or False")
    proxy = parse_proxy(choice, "proxy")
    if proxy.username is None and options.http_proxy_auth:
        return _with_credentials(proxy, options.http_proxy_auth), rule
    return proxy, rule


def _from_parts(options: TransportOptions) -> Proxy:
    scheme = "http" if options.proxy_type is None else options.proxy_type
    if scheme not in SCHEMES:
        raise proxy_exception(
            f"proxy_type {scheme!r} is unknown: expected one of {', '.join(SCHEMES)}",
            python_socks_class("ProxyError"),
            ValueError,
        )
    port = _port(options.http_proxy_port)
    try:
        _, host, _, _ = split_proxy_url("http://" + _bracketed(options.http_proxy_host))
    except (ValueError, TypeError):
        raise proxy_exception(
            f"http_proxy_host {_shown(options.http_proxy_host)!r} is no host name or address",
            ValueError,
            hint="a whole URL goes into proxy=",
        ) from None
    proxy = Proxy(scheme, host, port)
    return _with_credentials(proxy, options.http_proxy_auth) if options.http_proxy_auth else proxy


def _bracketed(host: Any) -> str:
    bare = str(host)
    if any(mark in bare for mark in "/@?#") or (":" in bare and bare.count(":") == 1):
        raise ValueError
    return f"[{bare}]" if ":" in bare and not bare.startswith("[") else bare


def _shown(host: Any) -> str:
    return str(host).rpartition("@")[2][:100]


def _port(given: Any) -> int:
    try:
        port = int(given or 0)
    except (TypeError, ValueError):
        port = -1
    if port == 0:
        raise proxy_exception("Cannot use port 0 when proxy_host specified", ValueError)
    if not 0 < port < 65536:
        raise proxy_exception(f"http_proxy_port {given!r} is no number from 1 to 65535", ValueError)
    return port


def _with_credentials(proxy: Proxy, auth: Any) -> Proxy:
    if isinstance(auth, str) or not 1 <= len(auth) <= 2:
        raise TypeError("http_proxy_auth must be a pair (user, password)")
    pair = (*auth, None)[:2]
    if not all(each is None or isinstance(each, str) for each in pair):
        raise TypeError("http_proxy_auth must be a pair of str")
    username, password = pair
    return _checked(proxy._replace(username=username, password=password), "http_proxy_auth")


def parse_proxy(url: str, source: str) -> Proxy:
    """A proxy's URL taken apart; what is wrong is said without its credentials."""
    try:
        scheme, host, port, user = split_proxy_url(url)
    except ValueError as exc:
        raise proxy_exception(f"{source}: {exc}", ValueError) from None
    scheme = _ALIASES.get(scheme, scheme)
    if scheme not in SCHEMES:
        raise proxy_exception(
            f"{source} has the scheme {scheme!r}: expected one of {', '.join(SCHEMES)}",
            python_socks_class("ProxyError"),
            ValueError,
        )
    username, password = user or (None, None)
    port = _DEFAULT_PORTS.get(scheme, _SOCKS_PORT) if port is None else port
    return _checked(Proxy(scheme, host, port, username, password), source)


def _checked(proxy: Proxy, source: str) -> Proxy:
    """Refuse credentials that cannot travel as they are, before anything is sent."""
    user, password = proxy.username or "", proxy.password or ""
    fault = None
    if any(mark in user + password for mark in "\r\n\0"):
        fault = "must not hold CR, LF or NUL"
    elif proxy.scheme.startswith("socks"):
        if not (user + password).isascii():
            fault = "must be ASCII for a SOCKS proxy"
        elif max(len(user), len(password)) > 255:  # RFC 1929 section 2
            fault = "must have at most 255 characters for a SOCKS proxy"
    elif ":" in user:  # RFC 7617 section 2
        fault = "must have no colon in the user's name"
    if fault is not None:
        raise proxy_exception(f"{source}: user and password {fault}", ValueError)
    return proxy


def sslopt_for(options: TransportOptions) -> Mapping[str, Any]:
    """How to speak TLS with a proxy: `proxy_sslopt`, else whom `sslopt` trusts, no client key."""
    if options.proxy_sslopt is not None:
        return options.proxy_sslopt
    given = options.sslopt or {}
    # A pinned server may go without verification; the pin says nothing about the proxy.
    keys = _TRUST if given.get("fingerprint") is not None else (*_TRUST, *_LENIENCE)
    trust = {key: given[key] for key in keys if given.get(key) is not None}
    context = given.get("context")
    return trust if context is None else {"context": without_client_key(context)}


def without_client_key(context: Any) -> Any:
    """A new context that trusts whom `context` trusts; a client key in it cannot be seen."""
    import ssl

    fresh = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    fresh.check_hostname = False
    fresh.verify_mode = context.verify_mode
    fresh.check_hostname = context.check_hostname
    fresh.minimum_version = max(fresh.minimum_version, ssl.TLSVersion.TLSv1_2)
    fresh.set_alpn_protocols(["http/1.1"])
    known = context.get_ca_certs(True) if type(context) is ssl.SSLContext else []
    if known:
        fresh.load_verify_locations(cadata=b"".join(known))
    elif fresh.verify_mode != ssl.CERT_NONE:
        fresh.load_default_certs()
    return fresh
