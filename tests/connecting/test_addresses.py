"""Promise: the URL names the server; address=, source_address=, unix sockets and socket= say how to
get there. The name in the URL is what is verified and sent as Host."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from papers import Papers

import websocket
from websocket import Request, Response
from websocket.testing import Server, serve


def echoed(ws: websocket.WebSocket) -> None:
    ws.send("hello")
    assert ws.recv() == "hello"
    ws.close()


def test_address_is_dialled_instead_of_the_url() -> None:
    requests: list[Request] = []
    with serve(on_request=requests.append) as server:  # type: ignore[arg-type]
        echoed(
            websocket.create_connection(
                "ws://server.invalid:81/path", address=("127.0.0.1", server.port), timeout=10
            )
        )
    assert requests[0].headers["host"] == "server.invalid:81"
    assert requests[0].headers["origin"] == "http://server.invalid:81"


def test_the_certificate_is_for_the_name_of_the_url(papers: Papers, wss_server: Server) -> None:
    address = ("127.0.0.1", wss_server.port)
    options: dict[str, Any] = {"address": address, "timeout": 10, "sslopt": papers.sslopt}
    echoed(websocket.create_connection("wss://localhost:1/", **options))
    with pytest.raises(ssl.SSLCertVerificationError, match=r"server\.test"):
        websocket.create_connection("wss://server.test/", **options)


def test_the_address_holds_for_redirects_at_home_and_not_elsewhere(ws_server: Server) -> None:
    def move(request: Request) -> Response | None:
        if request.path == "/":
            return Response(302, {"Location": "/there"})
        if request.path == "/there":
            return Response(302, {"Location": ws_server.url})
        return None

    with serve(on_request=move) as server:
        address = ("127.0.0.1", server.port)
        ws = websocket.create_connection("ws://server.invalid/", address=address, timeout=10)
        assert ws.remote_address == ("127.0.0.1", ws_server.port)
        echoed(ws)


def test_the_address_is_what_a_proxy_is_asked_for(ws_server: Server) -> None:
    asked: list[tuple[str, int, bool]] = []

    def pick(host: str, port: int, secure: bool) -> None:
        asked.append((host, port, secure))

    address = ("127.0.0.1", ws_server.port)
    url = "ws://server.invalid/"
    echoed(websocket.create_connection(url, address=address, proxy=pick, timeout=10))
    assert asked == [(*address, False)]


def test_source_address(ws_server: Server) -> None:
    ws = websocket.create_connection(
        ws_server.url, source_address=("127.0.0.2", 0), timeout=10, proxy=False
    )
    assert ws.local_address[0] == "127.0.0.2"
    echoed(ws)


@pytest.mark.parametrize("secure", [False, True])
def test_unix_sockets(secure: bool, tmp_path: Path, papers: Papers) -> None:
    """By URL, whose host is localhost, and by option, where the URL's host counts."""
    requests: list[Request] = []
    path = str(tmp_path / "so cket")
    scheme = "wss" if secure else "ws"
    options: dict[str, Any] = {"timeout": 10}
    if secure:
        options["sslopt"] = papers.sslopt
    with serve(
        unix_socket=path,
        ssl=papers.context if secure else None,
        on_request=requests.append,  # type: ignore[arg-type]
    ) as server:
        echoed(websocket.create_connection(server.url + "/a?b", **options))
        url = f"{scheme}+unix:{path.replace(' ', '%20')}:/a?b"
        echoed(websocket.create_connection(url, **options))
        echoed(
            websocket.create_connection(f"{scheme}://localhost/a?b", unix_socket=path, **options)
        )
    assert [request.path for request in requests] == ["/a?b"] * 3
    assert {request.headers["host"] for request in requests} == {"localhost"}


def test_no_proxy_for_unix_sockets(tmp_path: Path, unused_port: int) -> None:
    path = str(tmp_path / "socket")
    with serve(unix_socket=path) as server:
        proxy = f"http://127.0.0.1:{unused_port}"
        echoed(websocket.create_connection(server.url, proxy=proxy, timeout=10))


def test_no_redirect_leads_to_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with serve(unix_socket=path) as hidden:

        def move(request: Request) -> Response:
            return Response(302, {"Location": hidden.url})

        with (
            serve(on_request=move) as server,
            pytest.raises(websocket.WebSocketException, match="Invalid redirect target"),
        ):
            websocket.create_connection(server.url, timeout=10)


def dialled(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), 10)


def test_a_socket_of_the_user(ws_server: Server) -> None:
    """Neither name nor proxy counts, and its timeout stays."""
    sock = dialled(ws_server)
    sock.settimeout(7)
    ws = websocket.create_connection(
        "ws://server.invalid/", socket=sock, proxy="http://proxy.invalid:1", timeout=10
    )
    assert ws.sock is sock
    assert sock.gettimeout() == 7
    echoed(ws)


def test_tls_over_a_socket_of_the_user(wss_server: Server, papers: Papers) -> None:
    """Where the URL is wss; verified as usual."""
    ws = websocket.create_connection(
        "wss://localhost/", socket=dialled(wss_server), sslopt=papers.sslopt, timeout=10
    )
    assert isinstance(ws.sock, ssl.SSLSocket)
    echoed(ws)
    with pytest.raises(ssl.SSLCertVerificationError):
        websocket.create_connection("wss://localhost/", socket=dialled(wss_server), timeout=10)


def test_tls_over_a_socketpair(papers: Papers) -> None:
    """What has no address is good enough."""
    import threading

    ours, theirs = socket.socketpair()
    answers: list[bytes] = []

    def server() -> None:
        with papers.context.wrap_socket(theirs, server_side=True) as tls:
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                request += tls.recv(1000)
            from websocket._wire.http1 import HeadReader
            from websocket.testing import accept

            reader = HeadReader("request")
            reader.feed(request)
            tls.sendall(accept()(reader.head()) + b"\x81\x02hi")
            answers.append(tls.recv(100))

    thread = threading.Thread(target=server)
    thread.start()
    ws = websocket.create_connection(
        "wss://localhost/", socket=ours, sslopt=papers.sslopt, timeout=10
    )
    assert ws.recv() == "hi"
    ws.shutdown()
    thread.join(10)
    assert not thread.is_alive()


def test_a_ready_tls_socket_is_used_as_it_is(wss_server: Server, papers: Papers) -> None:
    context = ssl.create_default_context(cafile=str(papers.ca))
    sock = context.wrap_socket(dialled(wss_server), server_hostname="localhost")
    ws = websocket.create_connection("wss://server.invalid/", socket=sock, timeout=10)
    assert ws.sock is sock
    echoed(ws)


def test_a_redirect_dials_by_itself(ws_server: Server) -> None:
    """The user's socket served the first request."""

    def move(request: Request) -> Response:
        return Response(302, {"Location": ws_server.url})

    with serve(on_request=move) as server:
        sock = dialled(server)
        ws = websocket.create_connection("ws://server.invalid/", socket=sock, timeout=10)
        assert ws.sock is not sock
        assert sock.fileno() == -1
        echoed(ws)


def test_a_socket_of_the_user_is_closed_when_connecting_fails() -> None:
    with serve(on_request=lambda request: Response(403)) as server:
        sock = dialled(server)
        with pytest.raises(websocket.WebSocketBadStatusException):
            websocket.create_connection("ws://server.invalid/", socket=sock, timeout=10)
        assert sock.fileno() == -1


def test_a_socket_of_the_user_is_not_dialled_again_for_a_401() -> None:
    def refuse(request: Request) -> Response:
        return Response(401, {"WWW-Authenticate": "X"})

    with serve(on_request=refuse) as server:
        with pytest.raises(websocket.WebSocketBadStatusException) as caught:
            websocket.create_connection(
                "ws://server.invalid/",
                socket=dialled(server),
                timeout=10,
                auth=lambda challenge: challenge or None,
            )
        assert caught.value.status_code == 401
