"""Promise: `websocket._handshake` shakes hands on a socket that a program has opened itself."""

from __future__ import annotations

import re
import socket
from base64 import b64decode
from collections.abc import Callable
from contextlib import closing

import pytest
from doors_peer import Peer, accepting, read_frame, read_head

import websocket
from websocket import _handshake, _opening
from websocket._exceptions import WebSocketBadStatusException, WebSocketException

Listen = Callable[[Callable[[socket.socket], None]], Peer]

KEY = "c6b8hTg4EeGb2gQMztV1/g=="
GOOD = {
    "upgrade": "websocket",
    "connection": "Upgrade",
    "sec-websocket-accept": "Kxep+hNu9n51529fGidYu7a3wO0=",
}


def dialled(peer: Peer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", peer.port), 10)


def test_handshake_on_an_open_socket(peer: Listen) -> None:
    """Nothing behind the response head is taken; the socket then belongs to a WebSocket."""
    heads: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        heads.append(read_head(connection))
        more = "Sec-WebSocket-Protocol: chat\r\nX-Two: 1\r\nX-Two: 2\r\n"
        connection.sendall(accepting(heads[0], more) + b"\x81\x05early")
        assert read_frame(connection) == (1, b"reply")

    sock = dialled(peer(serve))
    ws = websocket.WebSocket()
    answer = _handshake.handshake(
        sock,
        "ws://example.com:8080/chat",
        "example.com",
        8080,
        "/chat?x",
        header={"X-Mine": "1"},
        subprotocols=["chat"],
        timeout=5,
    )
    assert isinstance(answer, _handshake.handshake_response)
    assert (answer.status, answer.subprotocol) == (101, "chat")
    assert type(answer.headers) is dict
    assert answer.headers["x-two"] == "2"
    ws.sock = sock
    with closing(ws.sock):
        assert ws.recv() == "early"
        ws.send("reply")
    lines = heads[0].decode().split("\r\n")
    assert lines[0] == "GET /chat?x HTTP/1.1"
    assert {"Host: example.com:8080", "Origin: http://example.com:8080", "X-Mine: 1"} <= set(lines)


def test_handshake_returns_a_redirect(peer: Listen) -> None:
    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: ws://elsewhere/\r\n\r\n")

    with dialled(peer(serve)) as sock:
        answer = _handshake.handshake(sock, "ws://h/", "h", 80, "/")
    assert (answer.status, answer.headers, answer.subprotocol) == (
        302,
        {"location": "ws://elsewhere/"},
        None,
    )


def test_handshake_refused(peer: Listen) -> None:
    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nnope")

    with dialled(peer(serve)) as sock, pytest.raises(WebSocketBadStatusException) as caught:
        _handshake.handshake(sock, "ws://h/", "h", 80, "/")
    assert (caught.value.status_code, caught.value.resp_body) == (403, b"nope")


def test_handshake_answered_wrongly(peer: Listen) -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(accepting(read_head(connection)).replace(b"Accept: ", b"Accept: x"))

    with dialled(peer(serve)) as sock, pytest.raises(WebSocketException, match="Accept"):
        _handshake.handshake(sock, "ws://h/", "h", 80, "/")


def test_a_key_is_sixteen_random_bytes() -> None:
    keys = {_handshake._create_sec_websocket_key() for _ in range(10)}
    assert len(keys) == 10
    assert all(len(b64decode(key)) == 16 for key in keys)


def test_the_lines_of_the_request() -> None:
    lines, key = _handshake._get_handshake_headers(
        "/path?q",
        "wss://example.com:8443/",
        "example.com",
        8443,
        {"header": ["X-Mine: 1"], "cookie": "a=b", "subprotocols": ["x", "y"], "timeout": None},
    )
    assert lines == [
        "GET /path?q HTTP/1.1",
        "Upgrade: websocket",
        "Host: example.com:8443",
        "Origin: https://example.com:8443",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        "Connection: Upgrade",
        "Sec-WebSocket-Protocol: x,y",
        "X-Mine: 1",
        "Cookie: a=b",
        "",
        "",
    ]
    assert re.fullmatch(r"[A-Za-z0-9+/]{22}==", key)


def test_lines_that_are_left_out_or_replaced() -> None:
    options = {"suppress_host": True, "suppress_origin": True}
    lines, _ = _handshake._get_handshake_headers("/", "ws://h", "h", 80, options)
    assert not [line for line in lines if line.startswith(("Host:", "Origin:"))]
    options = {"header": {"Sec-WebSocket-Key": KEY}, "host": "other"}
    lines, key = _handshake._get_handshake_headers("/", "ws://h", "h", 80, options)
    assert key == KEY
    assert "Host: other" in lines


def test_get_resp_headers_returns_success_and_redirects() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 101 Yes\r\nA: b\r\n\r\nHTTP/1.1 307 There\r\nLocation: x\r\n\r\n")
        assert _handshake._get_resp_headers(ours) == (101, {"a": "b"})
        assert _handshake._get_resp_headers(ours) == (307, {"location": "x"})


@pytest.mark.parametrize(
    ("rest", "body"),
    [
        (b"Content-Length: 4\r\n\r\nbody and more", b"body"),
        (b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", b"body"),
        (b"Content-Length: 40\r\n\r\ncut", b"cut"),
        (b"\r\n", None),
    ],
)
def test_get_resp_headers_reads_the_body_of_a_refusal(rest: bytes, body: bytes | None) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(b"HTTP/1.1 404 Not Here\r\n" + rest)
        with pytest.raises(WebSocketBadStatusException) as caught:
            _handshake._get_resp_headers(ours)
    assert caught.value.status_code == 404
    assert caught.value.status_message == "Not Here"
    assert caught.value.resp_body == body
    assert str(caught.value).startswith("Handshake status 404 Not Here -+-+- {")


def test_a_body_whose_length_is_nonsense_is_said() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 400 Bad\r\nContent-Length: abc\r\n\r\n")
        with pytest.raises(WebSocketException, match="Invalid content-length"):
            _handshake._get_resp_headers(ours)


def test_validate() -> None:
    assert _handshake._validate(GOOD, KEY, None) == (True, None)
    chosen = {**GOOD, "sec-websocket-protocol": "Sub1"}
    assert _handshake._validate(chosen, KEY, ["suB2", "sUb1"]) == (True, "sub1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("upgrade", "http"),
        ("connection", "close"),
        ("sec-websocket-accept", "something"),
        ("sec-websocket-protocol", "foreign"),
        ("upgrade", None),
        ("sec-websocket-accept", None),
    ],
)
def test_validate_refuses(name: str, value: str | None) -> None:
    headers = {key: old for key, old in GOOD.items() if key != name}
    if value is not None:
        headers[name] = value
    assert _handshake._validate(headers, KEY, None) == (False, None)


def test_validate_refuses_no_choice_of_those_asked_for() -> None:
    assert _handshake._validate(GOOD, KEY, ["a"]) == (False, None)


def test_the_cookie_jar_is_the_one_of_the_process(peer: Listen) -> None:
    """What a program puts into it travels with the next connection to that domain."""
    assert _handshake.CookieJar is _opening.CookieJar
    heads: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        heads.append(read_head(connection))
        connection.sendall(accepting(heads[-1]))

    server = peer(serve)
    _handshake.CookieJar.add("door=open; domain=jar.example")
    try:
        with dialled(server) as sock:
            _handshake.handshake(sock, "ws://jar.example/", "jar.example", 80, "/")
    finally:
        _handshake.CookieJar.clear()
    assert b"\r\nCookie: door=open\r\n" in heads[0]
