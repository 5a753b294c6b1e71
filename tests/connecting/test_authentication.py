"""Promise: credentials go to the server that they are for, in answer to its challenge if need be,
and to nobody else; they are in no message."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

import websocket
from websocket import Request, Response
from websocket.testing import Server, accept, expect_request, script, send, serve


class Guard:
    """A server's `on_request`: wants a value of Authorization, notes what came."""

    def __init__(self, wanted: str | None, challenge: str = 'Basic realm="x"'):
        self.wanted = wanted
        self.challenge = challenge
        self.seen: list[str | None] = []

    def __call__(self, request: Request) -> Response | None:
        self.seen.append(request.headers.get("Authorization"))
        if self.wanted is None or self.seen[-1] == self.wanted:
            return None
        return Response(401, {"WWW-Authenticate": self.challenge}, b"who are you?")


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def connect(server: Any, **options: Any) -> None:
    websocket.create_connection(server.url, timeout=10, **options).close()


def test_a_pair_is_sent_at_once() -> None:
    guard = Guard(basic("usér", "pass:word"))
    with serve(on_request=guard) as server:
        connect(server, auth=("usér", "pass:word"))
    assert guard.seen == [guard.wanted]


def test_the_user_of_the_url() -> None:
    guard = Guard(basic("me", "p@ss"))
    with serve(on_request=guard) as server:
        url = server.url.replace("://", "://me:p%40ss@")
        websocket.create_connection(url, timeout=10).close()
    assert guard.seen == [guard.wanted]


def test_auth_wins_over_the_url_and_a_header_over_both() -> None:
    guard = Guard(None)
    with serve(on_request=guard) as server:
        url = server.url.replace("://", "://me:w@")
        websocket.create_connection(url, timeout=10, auth=("other", "w")).close()
        header = {"Authorization": "Bearer t"}
        websocket.create_connection(url, timeout=10, auth=("other", "w"), header=header).close()
    assert guard.seen == [basic("other", "w"), "Bearer t"]


def test_a_callable_answers_the_challenge() -> None:
    """It is asked before the first request, with "", and once more with the challenge."""
    guard = Guard("Bearer fresh", 'Bearer realm="x", error="invalid_token"')
    challenges: list[str] = []

    def auth(challenge: str) -> str | None:
        challenges.append(challenge)
        return "Bearer fresh" if challenge else "Bearer stale"

    with serve(on_request=guard) as server:
        connect(server, auth=auth)
    assert guard.seen == ["Bearer stale", "Bearer fresh"]
    assert challenges == ["", guard.challenge]


def test_several_challenges_arrive_in_one() -> None:
    asked: list[str] = []
    reply = (
        b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nWWW-Authenticate: Digest nonce=1\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    with (
        script(expect_request(), send(reply)) as server,
        pytest.raises(websocket.WebSocketBadStatusException),
    ):
        connect(server, auth=asked.append)
    assert asked == ["", "Basic, Digest nonce=1"]


def test_none_gives_up() -> None:
    guard = Guard("never")
    with (
        serve(on_request=guard) as server,
        pytest.raises(websocket.WebSocketBadStatusException) as caught,
    ):
        connect(server, auth=lambda challenge: None)
    assert guard.seen == [None]
    assert caught.value.status_code == 401
    assert caught.value.resp_body == b"who are you?"
    assert caught.value.hint is not None and "auth=" in caught.value.hint


def test_a_second_401_is_final() -> None:
    guard = Guard("never")
    with (
        serve(on_request=guard) as server,
        pytest.raises(websocket.WebSocketBadStatusException),
    ):
        connect(server, auth=lambda challenge: "wrong")
    assert guard.seen == ["wrong", "wrong"]


def test_a_pair_is_not_sent_twice() -> None:
    guard = Guard("never")
    with (
        serve(on_request=guard) as server,
        pytest.raises(websocket.WebSocketBadStatusException) as caught,
    ):
        connect(server, auth=("me", "s3cret-word"))
    assert len(guard.seen) == 1
    assert "s3cret-word" not in str(caught.value)


def test_the_retry_reads_nothing_of_the_refusal() -> None:
    """An endless body behind the 401 delays nothing: the retry has a connection of its own."""
    refusal = b"HTTP/1.1 401 No\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 1000

    def step(peer: Any) -> None:
        peer.read_request()
        if peer.number == 0:
            peer.send(refusal)
            peer.hang()
        accept()(peer)

    with script(step) as server:
        ws = websocket.create_connection(server.url, timeout=10, auth=lambda challenge: "x")
        ws.shutdown()


@pytest.mark.parametrize(
    "options",
    [
        {"auth": ("me", "s3cret-word")},
        {"auth": lambda challenge: "Bearer s3cret-word"},
        {"header": {"Authorization": "Bearer s3cret-word"}},
        {"header": ["Proxy-Authorization: Bearer s3cret-word"]},
        {"header": ["Cookie: s3cret-word"]},
        {"cookie": "a=s3cret-word"},
        {},
    ],
)
def test_no_credentials_for_another_origin(options: Any) -> None:
    """A redirect to another port gets none of them."""
    guard = Guard(None)
    strange: list[Request] = []

    def stranger(request: Request) -> Response | None:
        strange.append(request)
        return Response(302, {"Location": home.url + "/welcome"})

    def at_home(request: Request) -> Response | None:
        guard(request)
        if request.path == "/welcome":
            return None
        return Response(302, {"Location": abroad.url + "/x"})

    with serve(on_request=at_home) as home, serve(on_request=stranger) as abroad:
        url = home.url if options else home.url.replace("://", "://me:s3cret-word@")
        websocket.create_connection(url, timeout=10, **options).close()
    assert len(strange) == 1
    lines = [f"{name}: {value}" for name, value in strange[0].headers.raw_items()]
    assert "s3cret" not in "\n".join(lines)
    assert basic("me", "s3cret-word") not in "\n".join(lines)
    assert strange[0].headers["host"] == abroad.url.removeprefix("ws://")
    assert len(guard.seen) == 2


def test_a_stranger_may_not_ask() -> None:
    """The 401 of another origin is not put to the callable."""
    asked: list[str] = []

    def auth(challenge: str) -> str:
        asked.append(challenge)
        return "Bearer x"

    guard = Guard("never")
    with (
        serve(on_request=guard) as abroad,
        serve(on_request=lambda request: Response(302, {"Location": abroad.url})) as home,
        pytest.raises(websocket.WebSocketBadStatusException),
    ):
        connect(home, auth=auth)
    assert asked == [""]
    assert guard.seen == [None]


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login me password s3cret-word\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))
    return path


def test_netrc_only_when_asked_for(netrc: Path) -> None:
    guard = Guard(None)
    with serve(on_request=guard) as server:
        connect(server)
        connect(server, auth="netrc")
        url = server.url.replace("://", "://url:w@")
        websocket.create_connection(url, timeout=10, auth="netrc").close()
        netrc.write_text("machine elsewhere login me password w\n")
        connect(server, auth="netrc")
        netrc.unlink()
        connect(server, auth="netrc")
    assert guard.seen == [None, basic("me", "s3cret-word"), basic("url", "w"), None, None]


def test_a_broken_netrc_is_not_quoted(netrc: Path, ws_server: Server) -> None:
    netrc.write_text("machine 127.0.0.1 login me password s3cret-word s3cret-word\n")
    with pytest.raises(ValueError, match="cannot be understood") as caught:
        connect(ws_server, auth="netrc")
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("auth", "error"),
    [
        ("me:s3cret", TypeError),
        (("s3cret",), TypeError),
        (("s3cret", 1), TypeError),
        ((b"s3cret", b"x"), TypeError),
        (("a:b", "s3cret"), ValueError),
        (("a", "s3cret\ud800"), ValueError),
        (lambda challenge: "s3cret\r\nX: y", ValueError),
        (lambda challenge: b"s3cret", TypeError),
        (1, TypeError),
    ],
)
def test_what_cannot_travel_raises_before_dialling(auth: Any, error: type[Exception]) -> None:
    with script() as server:
        with pytest.raises(error) as caught:
            connect(server, auth=auth)
        assert server.received == []
    assert "s3cret" not in str(caught.value)
