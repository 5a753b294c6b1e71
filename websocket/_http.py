"""A door: opening sockets, by a proxy or not, and reading HTTP heads from them by hand."""

from __future__ import annotations

import socket
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from . import _tracing
from ._classic import connect, proxy_info
from ._exceptions import WebSocketAddressException, WebSocketException, WebSocketProxyException
from ._logging import dump, redact_head
from ._socket import recv_line, send
from ._transport.deadline import Attempt, Deadline
from ._transport.names import look_up
from ._transport.proxy_errors import python_socks_class
from ._transport.tls import check_fingerprint, context_for, server_hostname_for
from ._url import get_proxy_info, parse_url
from ._wire.http1 import HeadReader, Request, encode_request, encode_response

__all__ = [
    "HAVE_PYTHON_SOCKS",
    "ProxyConnectionError",
    "ProxyError",
    "ProxyTimeoutError",
    "_get_addrinfo_list",
    "_ssl_socket",
    "_start_proxied_socket",
    "_tunnel",
    "_wrap_sni_socket",
    "connect",
    "parse_url",
    "proxy_info",
    "read_headers",
    "recv_line",
    "send",
    "socket",
]


def _python_socks() -> tuple[bool, Any, Any, Any]:
    try:
        from python_socks import ProxyConnectionError, ProxyTimeoutError
    except ImportError:
        # Never raised: there is no SOCKS without that package.
        connection_error = type("ProxyConnectionError", (OSError,), {"__module__": __name__})
        timeout_error = type("ProxyTimeoutError", (TimeoutError,), {"__module__": __name__})
        return False, python_socks_class("ProxyError"), connection_error, timeout_error
    return True, python_socks_class("ProxyError"), ProxyConnectionError, ProxyTimeoutError


HAVE_PYTHON_SOCKS, ProxyError, ProxyConnectionError, ProxyTimeoutError = _python_socks()


def __getattr__(name: str) -> Any:
    if name == "ssl":  # slow to import, and hardly anybody asks for it here
        import ssl

        return ssl
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def read_headers(sock: Any) -> tuple[int, dict[str, str], str | None]:
    """Read a response head, and not one byte more: (status, headers, status message or None).

    Names in lower case, the last value of each. Waits and raises as `_socket.recv`, and
    WebSocketException for what is no response head.
    """
    reader = HeadReader("response")
    while reader.missing:
        line = recv_line(sock)
        try:
            line.decode()
        except UnicodeDecodeError as exc:
            raise WebSocketException(
                f"Invalid header: expected UTF-8, got 0x{line[exc.start]:02x} at byte {exc.start}"
            ) from None  # the cause would carry the whole line
        reader.feed(line)
    response = reader.head()
    if _tracing.on:
        dump("response header", redact_head(encode_response(response).decode()))
    return response.status, response.headers.as_dict(), response.reason or None


# --- steps of `connect` that programs call one by one ---------------------------------------------


def _get_addrinfo_list(
    hostname: str, port: int, is_secure: bool, proxy: Any
) -> tuple[list[Any], bool, tuple[str, str] | None]:
    """(addresses to dial, whether CONNECT must follow, credentials for it)."""
    attempt = Attempt(Deadline(None))
    if not isinstance(hostname, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise WebSocketAddressException(f"{hostname!r} is no host name")
    proxy_host, proxy_port, auth = get_proxy_info(
        hostname, is_secure, proxy.proxy_host, proxy.proxy_port, proxy.auth, proxy.no_proxy
    )
    if proxy_host is None:
        return look_up(hostname, port, attempt), False, None
    return look_up(proxy_host, int(proxy_port or 80), attempt), True, auth


def _start_proxied_socket(url: str, options: Any, proxy: Any) -> tuple[Any, Any]:
    """`connect` by a SOCKS proxy."""
    if not HAVE_PYTHON_SOCKS:
        raise WebSocketException(
            "Python Socks is needed for SOCKS proxying but is not available",
            hint="pip install 'websocket-client[socks]'",
        )
    if not proxy.proxy_port:
        raise WebSocketProxyException("Cannot use port 0 when proxy_host specified")
    return connect(url, options, proxy, None)


def _tunnel(sock: Any, host: str, port: int, auth: tuple[str, str] | None) -> Any:
    """Ask the HTTP proxy behind `sock` for a way to host and port; returns `sock`."""
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    request = Request(target, {"Host": target}, method="CONNECT")
    if auth and auth[0]:
        user, password = auth[0], auth[1] if len(auth) > 1 else None
        pair = user if password is None else f"{user}:{password}"
        request.headers["Proxy-Authorization"] = "Basic " + b64encode(pair.encode()).decode()
    head = encode_request(request)
    if _tracing.on:
        dump("request header", redact_head(head.decode()))
    try:
        send(sock, head)
        status, _, _ = read_headers(sock)
    except WebSocketException as exc:
        raise WebSocketProxyException(str(exc)) from exc
    if status != 200:
        raise WebSocketProxyException(f"failed CONNECT via proxy status: {status}")
    return sock


def _ssl_socket(sock: Any, user_sslopt: Mapping[str, Any], hostname: str) -> Any:
    """TLS over a connected socket, as `ssl.SSLSocket`."""
    check_hostname = user_sslopt.get("check_hostname")
    return _wrap_sni_socket(sock, user_sslopt, hostname, check_hostname)


def _wrap_sni_socket(
    sock: Any, sslopt: Mapping[str, Any], hostname: str, check_hostname: bool | None
) -> Any:
    options = {**sslopt, "check_hostname": check_hostname}
    wrapped = context_for(options).wrap_socket(
        sock,
        do_handshake_on_connect=sslopt.get("do_handshake_on_connect", True),
        suppress_ragged_eofs=sslopt.get("suppress_ragged_eofs", True),
        server_hostname=server_hostname_for(options, hostname),
    )
    if sslopt.get("fingerprint"):
        try:
            check_fingerprint(wrapped.getpeercert(True) or b"", sslopt["fingerprint"])
        except BaseException:
            wrapped.close()
            raise
    return wrapped
