"""Promise: cookies come back to those who set them and to nobody else; by default they live for one
`connect()`, longer in a jar that the program gives."""

from __future__ import annotations

import http.cookiejar
from collections.abc import Iterator
from typing import Any

import pytest
from papers import Papers

import websocket
from websocket import Request, Response
from websocket._cookiejar import SimpleCookieJar
from websocket._opening import CookieJar
from websocket.testing import serve


@pytest.fixture(autouse=True)
def _empty_shared_jar() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    CookieJar.clear()
    yield
    CookieJar.clear()


class Baker:
    """A server's `on_request` that sets cookies in a redirect or in its 101."""

    def __init__(self, *cookies: str, location: str | None = None):
        self.cookies = cookies
        self.location = location
        self.seen: list[str | None] = []

    def __call__(self, request: Request) -> Response | None:
        self.seen.append(request.headers.get("Cookie"))
        lines = [("Set-Cookie", cookie) for cookie in self.cookies]
        if self.location is not None and request.path == "/":
            return Response(302, [*lines, ("Location", self.location)])
        return Response(101, lines)


def connect(server: Any, **options: Any) -> websocket.WebSocket:
    return websocket.create_connection(server.url, timeout=10, **options)


def test_a_cookie_lives_through_the_redirects_of_one_connect() -> None:
    baker = Baker("a=1", "b=2; Path=/elsewhere", "c=3; Max-Age=0", location="/there")
    with serve(on_request=baker) as server:
        connect(server, cookie="own=0").close()
        connect(server).close()
    assert baker.seen == ["own=0", "a=1; own=0", None, "a=1"]


@pytest.mark.parametrize("make", [SimpleCookieJar, http.cookiejar.CookieJar])
def test_a_jar_of_the_program_lives_longer(make: Any) -> None:
    """Ours and the standard library's."""
    jar = make()
    baker = Baker("a=1; Path=/", "late=1; Max-Age=0")
    with serve(on_request=baker) as server:
        connect(server, cookiejar=jar).close()
        connect(server, cookiejar=jar).close()
        connect(server).close()
    assert baker.seen == [None, "a=1", None]


@pytest.mark.parametrize("make", [SimpleCookieJar, http.cookiejar.CookieJar])
def test_secure_cookies_stay_on_wss(make: Any, papers: Papers) -> None:
    jar = make()
    baker = Baker("s=1; Secure; Path=/", "p=2; Path=/")
    with serve(on_request=baker, ssl=papers.context) as secure, serve(on_request=baker) as clear:
        connect(secure, cookiejar=jar, sslopt=papers.sslopt).close()
        connect(secure, cookiejar=jar, sslopt=papers.sslopt).close()
        baker.cookies = ()
        connect(clear, cookiejar=jar).close()
    assert sorted((baker.seen[1] or "").split("; ")) == ["p=2", "s=1"]
    assert baker.seen[2] == "p=2"


@pytest.mark.parametrize(
    "cookie", ["x=1; Domain=example.com", "x=1; Domain=.test", "x=1; Domain=0.0.1", "x=1; Domain=1"]
)
def test_nobody_sets_cookies_for_others(cookie: str) -> None:
    jar = SimpleCookieJar()
    baker = Baker(cookie)
    with serve(on_request=baker) as server:
        connect(server, cookiejar=jar).close()
        connect(server, cookiejar=jar).close()
    assert baker.seen == [None, None]
    assert jar.get("example.com") == jar.get("www.example.com") == jar.get("a.test") == ""
    assert CookieJar.get("example.com") == ""


def reached(url: str, server: Any, **options: Any) -> None:
    """Connect to a name that has no address of its own."""
    options["address"] = ("127.0.0.1", server.port)
    websocket.create_connection(url, timeout=10, **options).close()


def test_the_jar_of_the_process_keeps_what_names_a_domain() -> None:
    """As in websocket-client; it goes to the domain and all below it, from every connection."""
    baker = Baker("host_only=1", "shared=2; Domain=example.com")
    with serve(on_request=baker) as server:
        reached("ws://a.example.com/", server)
        baker.cookies = ()
        for name in ("a.example.com", "b.example.com", "example.com", "badexample.com", "x.test"):
            reached(f"ws://{name}/", server)
    assert baker.seen == [None, "shared=2", "shared=2", "shared=2", None, None]


def test_a_name_is_sent_once() -> None:
    """A cookie with a Domain is in both jars; the nearer one speaks."""
    baker = Baker("a=1; Domain=example.com", location="/there")
    with serve(on_request=baker) as server:
        reached("ws://example.com/", server)
    assert baker.seen == [None, "a=1"]


def test_cookies_do_not_follow_a_redirect_to_another_host() -> None:
    baker = Baker("a=1", location="")
    stranger = Baker()
    with serve(on_request=baker) as home, serve(on_request=stranger) as abroad:
        baker.location = f"ws://localhost:{abroad.port}/"
        connect(home, cookie="own=1").close()
    assert baker.seen == ["own=1"]
    assert stranger.seen == [None]


def test_a_refusal_sets_no_cookies() -> None:
    jar = SimpleCookieJar()

    def refuse(request: Request) -> Response:
        return Response(403, {"Set-Cookie": "a=1"})

    with serve(on_request=refuse) as server:
        with pytest.raises(websocket.WebSocketBadStatusException) as caught:
            connect(server, cookiejar=jar)
        assert jar.get("127.0.0.1") == ""
        assert caught.value.resp_headers is not None
        assert "a=1" not in str(caught.value)


def test_cookies_stand_last_and_own_ones_behind_stored_ones() -> None:
    requests: list[Request] = []
    jar = SimpleCookieJar()
    jar.store(["stored=1"], "127.0.0.1", "/", False)
    with serve(on_request=requests.append) as server:  # type: ignore[arg-type]
        connect(server, cookiejar=jar, cookie="own=2", header={"X-Mine": "3"}).close()
    lines = list(requests[0].headers.raw_items())
    assert lines[-2:] == [("X-Mine", "3"), ("Cookie", "stored=1; own=2")]


def test_an_empty_cookie_is_none() -> None:
    """python-engineio passes cookie=""."""
    requests: list[Request] = []
    with serve(on_request=requests.append) as server:  # type: ignore[arg-type]
        connect(server, cookie="").close()
    assert "Cookie" not in requests[0].headers
