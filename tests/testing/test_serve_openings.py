"""`websocket.testing.serve`: which handshakes it accepts, and how it refuses the others."""

from __future__ import annotations

import base64
import http.client
import socket
from collections.abc import Mapping
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

import websocket
from websocket.testing import Connection, Server, serve

TIMEOUT = 10.0


def dial(url: str, **options: Any) -> websocket.WebSocket:
    return websocket.create_connection(url, timeout=TIMEOUT, **options)


def get(
    server: Server, path: str = "/", method: str = "GET", headers: Mapping[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    """An HTTP request by somebody else's client."""
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
    try:
        client.request(method, path, headers=dict(headers or {}))
        response = client.getresponse()
        return response, response.read()
    finally:
        client.close()


HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


# --- subprotocols ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "offered", "chosen"),
    [
        (["a", "b"], ["b", "a"], "b"),  # the client's order decides
        (["a", "b"], ["c", "a"], "a"),
        (["a"], [], None),
        (None, ["a"], None),
        (["a"], ["c"], None),
        (lambda offered: offered[-1], ["x", "y"], "y"),
        (lambda offered: None, ["x"], None),
    ],
)
def test_subprotocol_choice(known: Any, offered: list[str], chosen: str | None) -> None:
    seen: list[str | None] = []

    def handler(connection: Connection) -> None:
        seen.append(connection.subprotocol)

    with (
        serve(handler, subprotocols=known) as server,
        connect(server.url, subprotocols=offered or None) as peer,  # type: ignore[arg-type]
    ):
        assert peer.subprotocol == chosen
    assert seen == [chosen]


def test_our_client_is_told_the_subprotocol() -> None:
    with (
        serve(subprotocols=["chat"]) as server,
        dial(server.url, subprotocols=["other", "chat"]) as ws,
    ):
        assert ws.subprotocol == "chat"


# --- origins --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origins", "origin", "status"),
    [
        (None, "http://evil.example", 101),
        (["http://good.example"], "http://good.example", 101),
        (["http://good.example"], "http://evil.example", 403),
        (["http://good.example"], None, 403),
        (["http://good.example", None], None, 101),
    ],
)
def test_origins(origins: list[str | None] | None, origin: str | None, status: int) -> None:
    """Only allowed origins get in; None among them allows a request that has none."""
    options: dict[str, Any] = {"suppress_origin": True} if origin is None else {"origin": origin}
    with serve(origins=origins) as server:
        if status == 101:
            dial(server.url, **options).close()
        else:
            with pytest.raises(websocket.WebSocketBadStatusException) as caught:
                dial(server.url, **options)
            assert caught.value.status_code == status


# --- on_request -----------------------------------------------------------------------------------


def test_basic_auth() -> None:
    """401 with a challenge for those without the password, a connection for those with it."""
    expected = "Basic " + base64.b64encode(b"user:secret").decode()

    def check(request: websocket.Request) -> websocket.Response | None:
        if request.headers.get("Authorization") == expected:
            return None
        return websocket.Response(401, {"WWW-Authenticate": 'Basic realm="tests"'}, b"who?")

    with serve(on_request=check) as server:
        with pytest.raises(websocket.WebSocketBadStatusException) as caught:
            dial(server.url)
        assert caught.value.status_code == 401
        assert caught.value.resp_body == b"who?"
        with pytest.raises(InvalidStatus) as refused:
            connect(server.url)
        assert refused.value.response.headers["WWW-Authenticate"] == 'Basic realm="tests"'
        url = server.url.replace("ws://", "ws://user:secret@")
        dial(url).close()
        with connect(url):
            pass


def test_health_check_is_plain_http() -> None:
    """Not every request is a handshake; length, reason and Connection are filled in."""

    def check(request: websocket.Request) -> websocket.Response | None:
        return websocket.Response(200, (), b"OK\n") if request.path == "/health" else None

    with serve(on_request=check) as server:
        response, body = get(server, "/health")
        assert (response.status, response.reason, body) == (200, "OK", b"OK\n")
        assert response.getheader("Content-Length") == "3"
        assert response.getheader("Connection") == "close"
        response, body = get(server, "/health", "HEAD")
        assert (response.getheader("Content-Length"), body) == ("3", b"")
        with connect(server.url):
            pass


def test_what_on_request_says_of_length_and_reason_stays() -> None:
    """A lying server can be made of it."""
    said = websocket.Response(
        503, {"content-length": "2", "connection": "keep-alive"}, b"four", "Not now"
    )
    with serve(on_request=lambda request: said) as server:
        response, body = get(server)
    assert (response.status, response.reason, body) == (503, "Not now", b"fo")
    assert response.getheader("Connection") == "keep-alive"


def test_redirect() -> None:
    with serve() as target:

        def move(request: websocket.Request) -> websocket.Response:
            return websocket.Response(302, {"Location": target.url + "/there"})

        with serve(on_request=move) as server, dial(server.url) as ws:
            ws.send("moved")
            assert ws.recv() == "moved"


def test_a_101_of_on_request_adds_to_ours() -> None:
    """Cookies and the like; a header of the same name takes the place of ours."""

    def decorate(request: websocket.Request) -> websocket.Response:
        headers = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Upgrade", "WebSocket")]
        return websocket.Response(101, headers)

    with serve(on_request=decorate) as server, connect(server.url) as peer:
        assert peer.response is not None
        assert peer.response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
        assert peer.response.headers.get_all("Upgrade") == ["WebSocket"]


@pytest.mark.parametrize("result", [OSError("disk"), "200 OK"])
def test_an_on_request_that_fails_is_a_500(result: Any) -> None:
    def check(request: websocket.Request) -> Any:
        if isinstance(result, Exception):
            raise result
        return result

    with serve(on_request=check) as server:
        response, _ = get(server, headers=HANDSHAKE)
        assert response.status == 500
    assert len(server.errors) == 1


# --- faulty requests ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "status", "header"),
    [
        ({"Upgrade": "h2c"}, 426, ("Upgrade", "websocket")),
        ({"Connection": "close"}, 426, ("Upgrade", "websocket")),
        ({"Sec-WebSocket-Version": "8"}, 426, ("Sec-WebSocket-Version", "13")),
        ({"Sec-WebSocket-Key": "short"}, 400, None),
        ({"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAA"}, 400, None),
    ],
)
def test_bad_handshakes(
    changes: dict[str, str], status: int, header: tuple[str, str] | None
) -> None:
    """RFC 6455 4.2: the server notices what a client gets wrong."""
    with serve() as server:
        response, _ = get(server, headers={**HANDSHAKE, **changes})
        assert response.status == status
        if header is not None:
            assert response.getheader(header[0]) == header[1]


def test_the_method_has_to_be_get() -> None:
    with serve() as server:
        response, _ = get(server, method="PUT", headers=HANDSHAKE)
        assert (response.status, response.getheader("Allow")) == (405, "GET")


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\0\0", b"GET /\r\n\r\n", b"GET / HTTP/1.1\r\n: x\r\n"]
)
def test_what_is_no_request_gets_a_400(sent: bytes) -> None:
    with serve() as server, socket.create_connection(("127.0.0.1", server.port)) as peer:
        peer.settimeout(TIMEOUT)
        peer.sendall(sent)
        stream = b""
        while data := peer.recv(65536):
            stream += data
    assert stream.startswith(b"HTTP/1.1 400 ")
