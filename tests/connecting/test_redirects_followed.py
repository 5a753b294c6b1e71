"""Promise: redirects lead where HTTP says, never from wss to ws, and not further than allowed."""

from __future__ import annotations

from typing import Any

import pytest
from papers import Papers

import websocket
from websocket import Request, Response, WebSocketException
from websocket.testing import Server, Step, accept, drop, expect_request, script, send, serve


class Moving:
    """A server's `on_request` that sends everybody who asks for "/" to `location`."""

    def __init__(self, location: str, status: int = 302):
        self.location = location
        self.status = status
        self.seen: list[str] = []

    def __call__(self, request: Request) -> Response | None:
        self.seen.append(request.path)
        if request.path.partition("?")[0] != "/":
            return None
        return Response(self.status, {"Location": self.location})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/there?q=1", "/there?q=1"),
        ("there", "/there"),
        ("//{address}/there", "/there"),
        ("ws://{address}/there", "/there"),
        ("http://{address}/there#part", "/there"),
        ("HTTP://{address}/é b", "/%C3%A9%20b"),
    ],
)
def test_targets(status: int, location: str, expected: str) -> None:
    """Absolute, without scheme, relative; http means ws."""
    moving = Moving("", status)
    with serve(on_request=moving) as server:
        moving.location = location.format(address=server.url.removeprefix("ws://"))
        ws = websocket.create_connection(server.url, timeout=10)
        assert ws.path == expected
        ws.close()
    assert moving.seen == ["/", expected]


def test_what_was_asked_for_and_where_it_ended() -> None:
    """`repr` has the URL that the program knows; the rest tells of the last hop."""
    with (
        serve() as end,
        serve(on_request=Moving(f"{end.url}/there")) as start,
        websocket.create_connection(start.url, timeout=10) as ws,
    ):
        assert repr(ws) == f"<WebSocket open {start.url}>"
        assert ws.request is not None
        assert ws.request.headers["Host"] == end.url.removeprefix("ws://")
        assert (ws.path, ws.is_ssl()) == ("/there", False)
        assert ws.remote_address == ("127.0.0.1", end.port)


def test_https_means_wss(papers: Papers) -> None:
    moving = Moving("")
    with serve(on_request=moving) as server, serve(ssl=papers.context) as secure:
        moving.location = secure.url.replace("wss://", "https://")
        ws = websocket.create_connection(server.url, timeout=10, sslopt=papers.sslopt)
        assert ws.is_ssl()
        ws.close()


@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_never_from_wss_to_ws(scheme: str, papers: Papers, ws_server: Server) -> None:
    location = ws_server.url.replace("ws://", f"{scheme}://u:s3cret@") + "/?s3cret=1"
    with (
        serve(ssl=papers.context, on_request=Moving(location)) as server,
        pytest.raises(WebSocketException, match="from wss to ws") as caught,
    ):
        websocket.create_connection(server.url, timeout=10, sslopt=papers.sslopt)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "location",
    [
        "ftp://host/",
        "file:///etc/passwd",
        "ws+unix:/tmp/x:/",
        "javascript:1",
        "ws://",
        "ws://h:0/",
        "http://a b/",
        "mailto:x",
        "ws://u:s3cret@h:port/",
    ],
)
def test_other_targets_are_refused(location: str) -> None:
    with (
        serve(on_request=Moving(location)) as server,
        pytest.raises(WebSocketException, match="Invalid redirect target") as caught,
    ):
        websocket.create_connection(server.url, timeout=10)
    assert "s3cret" not in str(caught.value)


def test_no_target() -> None:
    reply = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"
    with (
        script(expect_request(), send(reply)) as server,
        pytest.raises(WebSocketException, match="without Location header, status 302"),
    ):
        websocket.create_connection(server.url, timeout=10)


@pytest.mark.parametrize(("limit", "requests"), [(None, 4), (0, 1), (1, 2), (7, 8)])
def test_a_loop_ends(limit: int | None, requests: int) -> None:
    moving = Moving("/")
    with (
        serve(on_request=moving) as server,
        pytest.raises(WebSocketException, match="Redirect limit exhausted"),
    ):
        websocket.create_connection(server.url, timeout=20, redirect_limit=limit)
    assert len(moving.seen) == requests


def test_the_last_redirect_allowed_is_followed() -> None:
    moving = Moving("/there")
    with serve(on_request=moving) as server:
        websocket.create_connection(server.url, timeout=10, redirect_limit=1).close()


@pytest.mark.parametrize(
    "steps",
    [
        [send(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 9999999\r\n\r\n")],
        [send(b"HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n"), drop()],
    ],
)
def test_bodies_of_redirects_are_not_waited_for(steps: list[Step]) -> None:
    def step(peer: Any) -> None:
        if peer.read_request().path == "/there":
            accept()(peer)
            return
        for each in steps:
            each(peer)

    with script(step) as server:
        websocket.create_connection(server.url, timeout=10).shutdown()


def test_the_request_is_made_anew_for_each_hop() -> None:
    """A fresh key, the new Host and Origin; options that are no secrets go along."""
    requests: list[Request] = []
    moving = Moving("")

    def note(request: Request) -> Response | None:
        requests.append(request)
        return moving(request)

    def note_abroad(request: Request) -> None:
        requests.append(request)

    with serve(on_request=note) as home, serve(on_request=note_abroad) as abroad:
        moving.location = abroad.url + "/there"
        options: dict[str, Any] = {"header": {"X-Mine": "1"}, "host": "first.test"}
        websocket.create_connection(home.url, timeout=10, **options).close()
        first, second = requests
        assert first.headers["host"] == "first.test"
        assert second.headers["host"] == abroad.url.removeprefix("ws://")
        assert second.headers["origin"] == abroad.url.replace("ws", "http")
        assert first.headers["sec-websocket-key"] != second.headers["sec-websocket-key"]
        assert second.headers["x-mine"] == "1"


def test_the_proxy_is_chosen_anew_for_each_hop() -> None:
    """The target may need another proxy, or none."""
    asked: list[tuple[str, int, bool]] = []
    moving = Moving("")
    with serve(on_request=moving) as home, serve() as abroad:
        moving.location = f"ws://localhost:{abroad.port}/there"

        def pick(host: str, port: int, secure: bool) -> None:
            asked.append((host, port, secure))

        websocket.create_connection(home.url, timeout=10, proxy=pick).close()
        assert asked == [("127.0.0.1", home.port, False), ("localhost", abroad.port, False)]


def test_no_proxy_is_looked_at_for_each_hop(unused_port: int) -> None:
    moving = Moving("")
    with serve(on_request=moving) as home, serve() as abroad:
        moving.location = f"ws://localhost:{abroad.port}/there"
        with pytest.raises(websocket.WebSocketProxyException):
            websocket.create_connection(
                home.url,
                timeout=10,
                proxy=f"http://127.0.0.1:{unused_port}",
                http_no_proxy=["127.0.0.1"],
            )
    assert moving.seen == ["/"]
