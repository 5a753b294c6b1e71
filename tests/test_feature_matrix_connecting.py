"""Promise: the cells about this library in the matrix of docs/features.md are true where they are
about the way to the server. See test_feature_matrix.py."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import papers
import pytest
from documents import row

import websocket
from websocket import Request, Response, create_connection
from websocket.testing import Server, serve

TIMEOUT = 20.0  # seconds; what nothing here should take


@pytest.fixture
def seen() -> list[Request]:
    """The requests that have come to `server`."""
    return []


@pytest.fixture
def server(seen: list[Request]) -> Iterator[Server]:
    """Redirects from /moved, wants a fresh token or a user for /private, and echoes elsewhere."""

    def answer(request: Request) -> Response | None:
        seen.append(request)
        if request.path == "/moved":
            return Response(302, {"Location": "/", "Set-Cookie": "a=1"})
        if request.path == "/private" and request.headers.get("Authorization") != "Bearer fresh":
            return Response(401, {"WWW-Authenticate": "Bearer"})
        return None

    with serve(on_request=answer) as running:
        yield running


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that never answers: Linux drops the SYNs for a listener whose backlog is full."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(20):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            if not select.select([], [filler], [], 0.2)[1]:
                break
        else:
            pytest.skip("a full backlog still answers here")
        yield int(full.getsockname()[1])


def connect(url: str, **options: object) -> None:
    create_connection(url, **{"timeout": TIMEOUT, **options}).close()


@row("one deadline from the name to the answer", "yes")
def test_one_deadline(black_hole: int) -> None:
    """For dialling, and for an answer that does not come."""
    with pytest.raises(websocket.WebSocketTimeoutException):
        connect(f"ws://127.0.0.1:{black_hole}", timeout=0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(websocket.WebSocketTimeoutException),
    ):
        connect(f"ws://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2)


@row("IPv4 and IPv6 race (RFC 8305)", "yes")
def test_addresses_race(server: Server, black_hole: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second address wins long before the first, which never answers, has used up the time."""
    kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    answers = [(*kind, ("127.0.0.1", port)) for port in (black_hole, server.port)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    connect(f"ws://two.addresses:{server.port}")


@row("proxies", "HTTP, HTTPS, SOCKS")
def test_kinds_of_proxies() -> None:
    """Each of them is tried, and refused by a port where nothing listens."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        for scheme in ("http", "https", "socks4", "socks4a", "socks5", "socks5h"):
            proxy = f"{scheme}://127.0.0.1:{nobody.getsockname()[1]}"
            with pytest.raises(websocket.WebSocketProxyException) as refused:
                connect("ws://198.51.100.1/", proxy=proxy)
            assert isinstance(refused.value, ConnectionRefusedError)


@row("proxies from the environment", "yes")
def test_proxies_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(websocket.WebSocketProxyException):
            connect("ws://198.51.100.1/")


@row("redirects", "yes")
@row("cookies by RFC 6265", "yes")
def test_redirects_and_their_cookies(server: Server, seen: list[Request]) -> None:
    connect(f"{server.url}/moved")
    assert [request.path for request in seen] == ["/moved", "/"]
    assert seen[1].headers["Cookie"] == "a=1"


@row("credentials stay behind at a redirect to another host", "yes")
def test_credentials_stay_behind(server: Server, seen: list[Request]) -> None:
    elsewhere = Response(302, {"Location": server.url})
    with serve(on_request=lambda request: elsewhere) as first:
        connect(first.url, header={"Authorization": "secret"}, cookie="a=secret")
    assert "secret" not in str(dict(seen[0].headers))


@row("user and password of the URL", "yes")
def test_user_of_the_url(server: Server, seen: list[Request]) -> None:
    connect(server.url.replace("//", "//user:password@"))
    assert seen[0].headers["Authorization"].startswith("Basic ")


@row("an answer to a 401", "a function")
def test_an_answer_to_a_401(server: Server, seen: list[Request]) -> None:
    connect(
        f"{server.url}/private", auth=lambda challenge: "Bearer " + ("fresh" if challenge else "x")
    )
    assert [request.headers["Authorization"] for request in seen] == ["Bearer x", "Bearer fresh"]


@row("credentials from `.netrc`", "yes")
def test_netrc(
    server: Server, seen: list[Request], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    connect(server.url, auth="netrc")
    assert seen[0].headers["Authorization"].startswith("Basic ")


@row("certificate pins", "yes")
def test_pins(tmp_path: Path) -> None:
    issued = papers.issue(tmp_path)
    with serve(ssl=issued.context) as server, pytest.raises(ssl.SSLError):
        connect(server.url, sslopt={**issued.sslopt, "fingerprint": "00" * 32})


@row("unix sockets", "yes")
def test_unix_sockets(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with serve(unix_socket=path):
        connect("ws://localhost/", unix_socket=path)
