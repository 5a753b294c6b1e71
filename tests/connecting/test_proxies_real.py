"""Promise: ws and wss go through the proxies that people run, and what is sent comes back.

squid (in clear and by TLS), tinyproxy with a password, dante and microsocks are started here.
"""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from papers import Papers

import websocket
from websocket.testing import Server

pytestmark = pytest.mark.timeout(60)


def echoed(url: str, papers: Papers, **options: Any) -> None:
    """Open, exchange some messages of several sizes, close."""
    sslopt = papers.sslopt
    with websocket.create_connection(url, timeout=20, sslopt=sslopt, **options) as ws:
        for message in ("hello", "x" * 70_000, "é" * 1000):
            ws.send(message)
            assert ws.recv() == message
        ws.send_bytes(b"\0" * 300_000)
        assert ws.recv() == b"\0" * 300_000


def test_http_proxy(server: Server, squid: tuple[int, int], papers: Papers) -> None:
    """squid by CONNECT, named by the classic arguments and by URL."""
    echoed(server.url, papers, http_proxy_host="127.0.0.1", http_proxy_port=squid[0])
    echoed(server.url, papers, proxy=f"http://127.0.0.1:{squid[0]}")


def test_https_proxy(server: Server, squid: tuple[int, int], papers: Papers) -> None:
    """TLS to squid, and for wss TLS inside TLS; `ws.sock` is an SSLSocket in both cases."""
    proxy = f"https://localhost:{squid[1]}"
    echoed(server.url, papers, proxy=proxy)
    with websocket.create_connection(
        server.url, timeout=20, sslopt=papers.sslopt, proxy=proxy
    ) as ws:
        assert isinstance(ws.sock, ssl.SSLSocket)
        assert ws.sock.version() in ("TLSv1.2", "TLSv1.3")
    echoed(
        server.url,
        papers,
        http_proxy_host="localhost",
        http_proxy_port=squid[1],
        proxy_type="https",
        proxy_sslopt=papers.sslopt,
    )


def test_http_proxy_with_password(server: Server, tinyproxy: int, papers: Papers) -> None:
    """tinyproxy asks for Basic credentials; they come by argument or in the URL."""
    echoed(
        server.url,
        papers,
        http_proxy_host="127.0.0.1",
        http_proxy_port=str(tinyproxy),
        http_proxy_auth=("someone", "s3cret-word"),
    )
    echoed(server.url, papers, proxy=f"http://someone:s3cret-word@127.0.0.1:{tinyproxy}/")


def test_http_proxy_that_wants_a_password(server: Server, tinyproxy: int, papers: Papers) -> None:
    """Without it, and with a wrong one, the error has status, headers and remedy, no password."""
    for user in ("", "someone:wr0ng-word@"):
        with pytest.raises(websocket.WebSocketProxyException) as caught:
            echoed(server.url, papers, proxy=f"http://{user}127.0.0.1:{tinyproxy}/")
        exc = caught.value
        assert exc.status_code in (401, 407)
        assert exc.response.status == exc.status_code
        assert f"status: {exc.status_code}" in str(exc)
        assert "wr0ng-word" not in str(exc)


@pytest.mark.parametrize("scheme", ["socks4", "socks5", "socks5h"])
def test_socks_by_dante(scheme: str, server: Server, dante: int, papers: Papers) -> None:
    echoed(server.url, papers, proxy=f"{scheme}://127.0.0.1:{dante}")
    echoed(
        server.url,
        papers,
        http_proxy_host="127.0.0.1",
        http_proxy_port=dante,
        proxy_type=scheme,
    )


@pytest.mark.parametrize("scheme", ["socks", "socks5", "socks5h"])
def test_socks_by_microsocks(scheme: str, server: Server, microsocks: int, papers: Papers) -> None:
    echoed(server.url, papers, proxy=f"{scheme}://127.0.0.1:{microsocks}")


def test_socks_with_password(server: Server, guarded_microsocks: int, papers: Papers) -> None:
    port = guarded_microsocks
    echoed(server.url, papers, proxy=f"socks5h://someone:s3cret-word@127.0.0.1:{port}")
    echoed(
        server.url,
        papers,
        http_proxy_host="127.0.0.1",
        http_proxy_port=port,
        proxy_type="socks5",
        http_proxy_auth=("someone", "s3cret-word"),
    )


def test_socks_refusal(server: Server, guarded_microsocks: int, papers: Papers) -> None:
    """A wrong password: our exception and python-socks', a remedy, and no password in the text."""
    import python_socks

    for user in ("", "someone:wr0ng-word@"):
        with pytest.raises(websocket.WebSocketProxyException) as caught:
            echoed(server.url, papers, proxy=f"socks5h://{user}127.0.0.1:{guarded_microsocks}")
        assert isinstance(caught.value, python_socks.ProxyError)
        assert "wr0ng-word" not in repr(caught.value)
        assert "credentials" in (caught.value.hint or "")


@pytest.mark.parametrize("scheme", ["http", "https", "socks5h"])
def test_a_server_that_cannot_be_reached(
    scheme: str, squid: tuple[int, int], dante: int, papers: Papers, unused_port: int
) -> None:
    """The proxy's word on it arrives as WebSocketProxyException."""
    port = {"http": squid[0], "https": squid[1], "socks5h": dante}[scheme]
    with pytest.raises(websocket.WebSocketProxyException) as caught:
        echoed(f"ws://127.0.0.1:{unused_port}/", papers, proxy=f"{scheme}://localhost:{port}")
    assert caught.value.status_code == (None if scheme == "socks5h" else 503)


def test_tls_to_a_proxy_that_speaks_none(
    squid: tuple[int, int], tinyproxy: int, papers: Papers
) -> None:
    """An SSLError or, where it waits for the end of a line, a timeout; both with the remedy."""
    for port, also in ((squid[0], ssl.SSLError), (tinyproxy, websocket.WebSocketTimeoutException)):
        proxy = f"https://localhost:{port}"
        with pytest.raises(websocket.WebSocketProxyException) as caught:
            echoed("wss://localhost/", papers, proxy=proxy, http_proxy_timeout=2)
        assert isinstance(caught.value, also)
        assert caught.value.hint is not None and "http://" in caught.value.hint
        assert caught.value.hint in str(caught.value)


def test_no_tls_to_a_proxy_that_wants_it(squid: tuple[int, int], papers: Papers) -> None:
    with pytest.raises(websocket.WebSocketProxyException) as caught:
        echoed("wss://localhost/", papers, proxy=f"http://localhost:{squid[1]}")
    assert "https://" in (caught.value.hint or "")


def test_a_proxy_whose_certificate_is_not_trusted(
    server: Server, squid: tuple[int, int], papers: Papers
) -> None:
    """Trust is that of `sslopt`, or of `proxy_sslopt`, with the name of the proxy."""
    proxy = f"https://localhost:{squid[1]}"
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        websocket.create_connection(server.url, proxy=proxy, timeout=20)
    exc = caught.value
    assert isinstance(exc, websocket.WebSocketProxyException)
    assert "proxy_sslopt ca_certs" in (exc.hint or "")
    assert exc.verify_code in (18, 19, 20)
    with pytest.raises(websocket.WebSocketProxyException):
        echoed(server.url, papers, proxy=proxy, proxy_sslopt={"server_hostname": "other.test"})
    with pytest.raises(websocket.WebSocketProxyException):
        echoed(server.url, papers, proxy=proxy, proxy_sslopt={})


def test_the_environment_names_the_proxy(
    server: Server, squid: tuple[int, int], papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the way of each kind of connection; `no_proxy` leads past it."""
    variable = "https_proxy" if server.url.startswith("wss") else "http_proxy"
    monkeypatch.setenv(variable, f"http://127.0.0.1:{squid[0]}")
    with websocket.create_connection(server.url, timeout=20, sslopt=papers.sslopt) as ws:
        assert ws.remote_address == ("127.0.0.1", squid[0])
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    with websocket.create_connection(server.url, timeout=20, sslopt=papers.sslopt) as ws:
        assert ws.remote_address == ("127.0.0.1", server.port)
