"""Promise: `websocket._http` opens sockets and reads heads by hand, as programs call it."""

from __future__ import annotations

import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme
from doors_peer import Peer, read_head, server_context

import websocket
from websocket import _http
from websocket._exceptions import (
    WebSocketAddressException,
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketProxyException,
)

Listen = Callable[[Callable[[socket.socket], None]], Peer]


class Options:
    """Any object with these three will do."""

    def __init__(self, timeout: float | None = 10, **sslopt: Any):
        self.timeout = timeout
        self.sockopt: list[tuple[int, int, int]] = []
        self.sslopt = sslopt


def echo(connection: socket.socket) -> None:
    while data := connection.recv(100):
        connection.sendall(data)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_echo(peer: Listen, authority: trustme.CA) -> Peer:
    context = server_context(authority)

    def over_tls(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as wrapped:
                echo(wrapped)
        except ssl.SSLError:
            pass  # the client refused our certificate

    return peer(over_tls)


def a_proxy(port: int, requests: list[bytes]) -> Callable[[socket.socket], None]:
    """An HTTP proxy that leads to `port` whatever is asked for."""

    def handle(connection: socket.socket) -> None:
        requests.append(read_head(connection))
        with socket.create_connection(("127.0.0.1", port), 10) as onward:
            connection.sendall(b"HTTP/1.1 200 Go ahead\r\n\r\n")
            while data := connection.recv(100):
                onward.sendall(data)
                connection.sendall(onward.recv(100))

    return handle


@pytest.fixture
def heads() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    with ours, theirs:
        yield ours, theirs


# --- connect --------------------------------------------------------------------------------------


def test_connect_opens_a_socket_and_says_where_to(peer: Listen) -> None:
    server = peer(echo)
    url = f"ws://127.0.0.1:{server.port}/chat?room=1"
    sock, address = _http.connect(url, Options(5), _http.proxy_info(), None)
    with sock:
        assert address == ("127.0.0.1", server.port, "/chat?room=1")
        assert sock.gettimeout() == 5
        sock.sendall(b"ping")
        assert sock.recv(10) == b"ping"


def test_connect_sets_the_socket_options(peer: Listen) -> None:
    server = peer(echo)
    options = Options()
    options.sockopt = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)]
    sock, _ = _http.connect(f"ws://127.0.0.1:{server.port}", options, None, None)
    with sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_connect_gives_a_tls_socket_for_wss(tls_echo: Peer, authority: trustme.CA) -> None:
    """An `ssl.SSLSocket` that a program reads and writes itself."""
    with authority.cert_pem.tempfile() as trusted:
        options = Options(ca_certs=trusted)
        url = f"wss://localhost:{tls_echo.port}"
        sock, address = _http.connect(url, options, _http.proxy_info(), None)
    with sock:
        assert isinstance(sock, ssl.SSLSocket)
        assert address == ("localhost", tls_echo.port, "/")
        websocket.send(sock, b"secret")
        assert websocket.recv(sock, 100) == b"secret"


def test_connect_verifies_unless_told_otherwise(tls_echo: Peer) -> None:
    url = f"wss://localhost:{tls_echo.port}"
    with pytest.raises(ssl.SSLCertVerificationError):
        _http.connect(url, Options(), None, None)
    sock, _ = _http.connect(url, Options(cert_reqs=ssl.CERT_NONE), None, None)
    sock.close()


def test_connect_uses_the_socket_that_it_is_given() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sock, address = _http.connect("ws://example.com/x", Options(), None, ours)
        assert sock is ours
        assert address == ("example.com", 80, "/x")


def test_connect_goes_by_the_proxy(peer: Listen) -> None:
    server = peer(echo)
    requests: list[bytes] = []
    proxy = peer(a_proxy(server.port, requests))
    info = _http.proxy_info(
        http_proxy_host="127.0.0.1",
        http_proxy_port=str(proxy.port),
        http_proxy_auth=("user", "secret"),
    )
    sock, address = _http.connect("ws://example.com:8765/", Options(), info, None)
    with sock:
        assert address == ("example.com", 8765, "/")
        sock.sendall(b"ping")
        assert sock.recv(10) == b"ping"
    credentials = b64encode(b"user:secret")
    assert requests[0].startswith(b"CONNECT example.com:8765 HTTP/1.1\r\n")
    assert b"Basic " + credentials + b"\r\n" in requests[0]


def test_connect_heeds_no_proxy(peer: Listen) -> None:
    server = peer(echo)
    info = _http.proxy_info(
        http_proxy_host="127.0.0.1", http_proxy_port=1, http_no_proxy=["127.0.0.1"]
    )
    sock, _ = _http.connect(f"ws://127.0.0.1:{server.port}", Options(), info, None)
    sock.close()


def test_a_socks_proxy_without_a_port_is_refused_before_dialling() -> None:
    for port in (0, None):
        info = _http.proxy_info(
            http_proxy_host="127.0.0.1", http_proxy_port=port, proxy_type="socks5"
        )
        with pytest.raises(WebSocketProxyException, match="port 0"):
            _http.connect("ws://example.com", Options(), info, None)
        with pytest.raises(WebSocketProxyException, match="port 0"):
            _http._start_proxied_socket("ws://example.com", Options(), info)


# --- proxy_info -----------------------------------------------------------------------------------


def test_proxy_info_keeps_what_it_was_told() -> None:
    info = _http.proxy_info(
        http_proxy_host="proxy.example",
        http_proxy_port="8080",
        http_proxy_auth=("user", "secret"),
        http_no_proxy=["localhost"],
        http_proxy_timeout=2.5,
        proxy_type="socks5h",
        header={"ignored": "option"},
    )
    assert info.proxy_host == "proxy.example"
    assert info.proxy_port == "8080"
    assert info.auth == ("user", "secret")
    assert info.no_proxy == ["localhost"]
    assert info.proxy_timeout == 2.5
    assert info.proxy_protocol == "socks5h"


def test_proxy_info_without_options() -> None:
    info = _http.proxy_info()
    assert (info.proxy_host, info.proxy_port, info.auth) == (None, 0, None)
    assert (info.no_proxy, info.proxy_timeout, info.proxy_protocol) == (None, None, "http")
    explicit = _http.proxy_info(http_proxy_host="h", http_proxy_port=1, proxy_type=None)
    assert explicit.proxy_protocol == "http"


def test_an_unknown_proxy_type_is_a_proxy_error() -> None:
    """By python-socks' name for it, and by ours."""
    with pytest.raises(_http.ProxyError, match="badval") as caught:
        _http.proxy_info(http_proxy_host="h", http_proxy_port=1, proxy_type="badval")
    assert isinstance(caught.value, WebSocketProxyException)


def test_the_socks_names_are_those_of_the_package_if_it_is_there() -> None:
    try:
        import python_socks
    except ImportError:
        assert not _http.HAVE_PYTHON_SOCKS
        assert issubclass(_http.ProxyError, Exception)
        assert issubclass(_http.ProxyConnectionError, OSError)
        assert issubclass(_http.ProxyTimeoutError, TimeoutError)
    else:
        assert _http.HAVE_PYTHON_SOCKS
        assert _http.ProxyError is python_socks.ProxyError
        assert _http.ProxyConnectionError is python_socks.ProxyConnectionError
        assert _http.ProxyTimeoutError is python_socks.ProxyTimeoutError


def test_without_python_socks_its_absence_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "HAVE_PYTHON_SOCKS", False)
    info = _http.proxy_info(http_proxy_host="h", http_proxy_port=1, proxy_type="socks5")
    with pytest.raises(WebSocketException, match="Python Socks is needed"):
        _http._start_proxied_socket("ws://example.com", Options(), info)


# --- heads ----------------------------------------------------------------------------------------


def test_read_headers_takes_the_head_and_no_byte_more(
    heads: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = heads
    theirs.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nX-Two: 1\r\nx-two: 2\r\n"
        b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n\x81\x02hi"
    )
    assert _http.read_headers(ours) == (
        101,
        {"upgrade": "WebSocket", "x-two": "2", "set-cookie": "a=1; b=2"},
        "Switching Protocols",
    )
    assert ours.recv(100) == b"\x81\x02hi"


def test_a_head_without_a_reason(heads: tuple[socket.socket, socket.socket]) -> None:
    heads[1].sendall(b"HTTP/1.1 204\r\n\r\n")
    assert _http.read_headers(heads[0]) == (204, {}, None)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"GARBAGE\r\n\r\n", "Invalid status line"),
        (b"HTTP/1.1 XX Nothing\r\n\r\n", "Invalid status line"),
        (b"HTTP/1.1 101 Fine\r\nno colon here\r\n\r\n", "Invalid header"),
        (b"HTTP/1.1\xff 101 Fine\r\n\r\n", "UTF-8.*at byte 8"),
    ],
)
def test_what_is_no_head(
    head: bytes, message: str, heads: tuple[socket.socket, socket.socket]
) -> None:
    heads[1].sendall(head)
    with pytest.raises(WebSocketException, match=message):
        _http.read_headers(heads[0])


def test_a_head_that_ends_early(heads: tuple[socket.socket, socket.socket]) -> None:
    heads[1].sendall(b"HTTP/1.1 101 Swi")
    heads[1].close()
    with pytest.raises(WebSocketConnectionClosedException):
        _http.read_headers(heads[0])


def test_the_trace_of_a_head_hides_secrets(
    heads: tuple[socket.socket, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    heads[1].sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=secret\r\n\r\n")
    websocket.enableTrace(True)
    try:
        _http.read_headers(heads[0])
    finally:
        websocket.enableTrace(False)
    assert "response header" in caplog.text
    assert "secret" not in caplog.text


def test_recv_line_and_parse_url_are_here_too(heads: tuple[socket.socket, socket.socket]) -> None:
    heads[1].sendall(b"line\nrest")
    assert _http.recv_line(heads[0]) == b"line\n"
    assert _http.parse_url("wss://h:1/p?q") == ("h", 1, "/p?q", True)


# --- the steps of connect -------------------------------------------------------------------------


def test_addresses_are_those_of_the_host_or_of_its_proxy() -> None:
    found, by_proxy, auth = _http._get_addrinfo_list("127.0.0.1", 80, False, _http.proxy_info())
    assert [(each[4], by_proxy, auth) for each in found] == [(("127.0.0.1", 80), False, None)]
    info = _http.proxy_info(
        http_proxy_host="127.0.0.2", http_proxy_port="8080", http_proxy_auth=("u", "p")
    )
    found, by_proxy, auth = _http._get_addrinfo_list("example.com", 80, False, info)
    assert [(each[4], by_proxy, auth) for each in found] == [
        (("127.0.0.2", 8080), True, ("u", "p"))
    ]


def test_a_host_that_is_none_has_no_address() -> None:
    with pytest.raises(WebSocketAddressException):
        _http._get_addrinfo_list(None, 80, False, _http.proxy_info())  # type: ignore[arg-type]


def test_a_tunnel_through_an_http_proxy(peer: Listen) -> None:
    server = peer(echo)
    requests: list[bytes] = []
    proxy = peer(a_proxy(server.port, requests))
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as sock:
        assert _http._tunnel(sock, "::1", 443, ("user", "secret")) is sock
        sock.sendall(b"ping")
        assert sock.recv(10) == b"ping"
    assert requests[0].decode().split("\r\n") == [
        "CONNECT [::1]:443 HTTP/1.1",
        "Host: [::1]:443",
        f"Proxy-Authorization: Basic {b64encode(b'user:secret').decode()}",
        "",
        "",
    ]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 403 No\r\n\r\n", b"nonsense\r\n", b""])
def test_a_tunnel_that_is_refused(peer: Listen, answer: bytes) -> None:
    def refuse(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(answer)

    proxy = peer(refuse)
    sock = socket.create_connection(("127.0.0.1", proxy.port), 10)
    with sock, pytest.raises(WebSocketProxyException) as caught:
        _http._tunnel(sock, "example.com", 80, None)
    assert "403" in str(caught.value) or b"403" not in answer


def test_tls_over_a_socket_of_ones_own(tls_echo: Peer, authority: trustme.CA) -> None:
    with authority.cert_pem.tempfile() as trusted:
        plain = socket.create_connection(("127.0.0.1", tls_echo.port), 10)
        with _http._ssl_socket(plain, {"ca_certs": trusted}, "localhost") as sock:
            assert isinstance(sock, ssl.SSLSocket)
            assert sock.version() is not None
        plain = socket.create_connection(("127.0.0.1", tls_echo.port), 10)
        with plain, pytest.raises(ssl.SSLCertVerificationError):
            _http._ssl_socket(plain, {"ca_certs": trusted}, "example.com")
        plain = socket.create_connection(("127.0.0.1", tls_echo.port), 10)
        with _http._ssl_socket(
            plain, {"ca_certs": trusted, "check_hostname": False}, "example.com"
        ):
            pass


def test_a_pinned_certificate_is_checked_there_too(tls_echo: Peer, authority: trustme.CA) -> None:
    plain = socket.create_connection(("127.0.0.1", tls_echo.port), 10)
    options = {"cert_reqs": ssl.CERT_NONE, "fingerprint": "00" * 32}
    with plain, pytest.raises(ssl.SSLCertVerificationError, match="fingerprint"):
        _http._ssl_socket(plain, options, "localhost")


def test_the_door_shows_the_modules_that_programs_patch() -> None:
    assert _http.ssl is ssl
    assert _http.socket is socket
