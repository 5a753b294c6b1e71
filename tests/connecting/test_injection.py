"""Promise: no argument smuggles a line of its own into a request; it raises, and nothing is sent.

Every argument of `connect` that ends in a request is tried with CR, LF and NUL.
"""

from __future__ import annotations

from typing import Any

import pytest

import websocket
from websocket import Request, Response
from websocket.testing import script, serve

EVILS = [
    "x\r\nX-Evil: 1",
    "x\nX-Evil: 1",
    "x\rX-Evil: 1",
    "x\0X-Evil: 1",
    "x\r\n\r\nGET / HTTP/1.1",
]

# What the refusals say: what was expected, or which argument it was.
REASONS = "expected|must |no host name|is not a token"

each_evil = pytest.mark.parametrize("evil", EVILS)


def nothing_sent(url: str = "", **options: Any) -> None:
    with script() as server:
        options.setdefault("timeout", 10)
        with pytest.raises(ValueError, match=REASONS):
            websocket.create_connection(url.format(port=server.port) or server.url, **options)
    assert b"".join(server.received) == b""


@each_evil
@pytest.mark.parametrize(
    "url",
    [
        "ws://127.0.0.1:{port}/EVIL",
        "ws://127.0.0.1:{port}/?EVIL",
        "ws://127.0.0.1:{port}/#EVIL",
        "ws://EVIL:{port}/",
        "ws://127.0.0.1:{port}EVIL/",
        "ws://EVIL:w@127.0.0.1:{port}/",
        "ws://u:EVIL@127.0.0.1:{port}/",
        "EVILws://127.0.0.1:{port}/",
        "ws+unix:/tmp/EVIL:/",
    ],
)
def test_url(url: str, evil: str) -> None:
    nothing_sent(url.replace("EVIL", evil))


@pytest.mark.parametrize("evil", ["%0d%0aX-Evil:%201", "%00"])
def test_encoded_in_the_user_info(evil: str) -> None:
    """Decoded, it would be a line break inside of credentials."""
    nothing_sent(f"ws://u{evil}:w@127.0.0.1:{{port}}/")


def test_encoded_in_the_path_it_stays_encoded() -> None:
    seen: list[Request] = []
    with serve(on_request=seen.append) as server:  # type: ignore[arg-type]
        websocket.create_connection(server.url + "/a%0d%0aX-Evil:1", timeout=10).close()
    assert seen[0].path == "/a%0d%0aX-Evil:1"
    assert "X-Evil" not in seen[0].headers


@each_evil
@pytest.mark.parametrize(
    "name", ["cookie", "host", "origin", "user_agent", "connection", "subprotocols"]
)
def test_texts(name: str, evil: str) -> None:
    value: Any = evil
    if name == "connection":
        value = "Connection: " + evil
    if name == "subprotocols":
        value = [evil]
    nothing_sent(**{name: value})


@each_evil
@pytest.mark.parametrize(
    "shape",
    [
        lambda evil: {"X-Mine": evil},
        lambda evil: {evil: "value"},
        lambda evil: [f"X-Mine: {evil}"],
        lambda evil: (f"X-Mine{evil}: value",),
        lambda evil: f"X-Mine: {evil}",
        lambda evil: iter([f"X-Mine: {evil}"]),
        lambda evil: lambda: {"X-Mine": evil},
        lambda evil: {"Sec-WebSocket-Key": evil},
        lambda evil: {"Sec-WebSocket-Version": evil},
    ],
)
def test_header_in_each_shape(shape: Any, evil: str) -> None:
    nothing_sent(header=shape(evil))


@pytest.mark.parametrize(
    "header",
    [["no colon"], [": no name"], ["na me: x"], {"": "x"}, {"na me": "x"}, {"näme": "x"}],
)
def test_header_lines_that_are_none(header: Any) -> None:
    nothing_sent(header=header)


@each_evil
def test_auth(evil: str) -> None:
    nothing_sent(auth=lambda challenge: evil)


@each_evil
def test_what_an_auth_callable_says_later(evil: str) -> None:
    """The first request has gone; the second one has not."""
    seen: list[Request] = []

    def refuse(request: Request) -> Response:
        seen.append(request)
        return Response(401, {"WWW-Authenticate": "X"})

    with serve(on_request=refuse) as server, pytest.raises(ValueError, match=REASONS):
        websocket.create_connection(
            server.url, timeout=10, auth=lambda challenge: evil if challenge else None
        )
    assert len(seen) == 1


def test_basic_credentials_travel_encoded() -> None:
    """Line breaks in a password are bytes like all others once they are base64."""
    seen: list[Request] = []
    with serve(on_request=seen.append) as server:  # type: ignore[arg-type]
        websocket.create_connection(server.url, timeout=10, auth=("u", "a\r\nX-Evil: 1")).close()
    assert "X-Evil" not in seen[0].headers


@each_evil
@pytest.mark.parametrize("name", ["proxy", "http_proxy_host"])
def test_proxy(name: str, evil: str) -> None:
    value = f"http://{evil}:1" if name == "proxy" else evil
    nothing_sent(http_proxy_port=1, **{name: value})


@each_evil
def test_redirect_targets(evil: str) -> None:
    """A server cannot make us write a line; CR and LF end its own line, NUL is refused."""
    reply = f"HTTP/1.1 302 Found\r\nLocation: /{evil}\r\nContent-Length: 0\r\n\r\n".encode()

    def step(peer: Any) -> None:
        assert "x-evil" not in peer.read_request().headers
        peer.send(reply)

    with script(step) as server, pytest.raises(websocket.WebSocketException):
        websocket.create_connection(server.url, timeout=10)


@pytest.mark.parametrize(
    "cookie", [b"a=x\rX-Evil: 1", b"a=x\0y", b"a=\x01; Path=/", b"a\x00=1", b"a=1; Path=/\x00"]
)
@pytest.mark.parametrize("standard", [False, True])
def test_cookies_of_the_server(cookie: bytes, standard: bool) -> None:
    """What cannot be sent back is not kept, or the answer is refused altogether."""
    import http.cookiejar

    jar = http.cookiejar.CookieJar() if standard else None

    def step(peer: Any) -> None:
        request = peer.read_request()
        assert "x-evil" not in request.headers
        assert "\0" not in request.headers.get("cookie", "")
        location = b"/there" if request.path == "/" else b"/"
        head = b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n" % location
        peer.send(head + b"Set-Cookie: " + cookie + b"\r\n\r\n")

    with script(step) as server, pytest.raises(websocket.WebSocketException):
        websocket.create_connection(server.url, timeout=10, cookiejar=jar)
