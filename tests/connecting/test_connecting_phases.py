"""Promise: in every phase of connecting, `timeout` ends it, `close()` from another thread ends it,
and nothing stays open behind it (the census in conftest.py looks).

The deadline is one for all: name, TCP, proxy, TLS, opening handshake and redirects together.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import pytest
from papers import Papers

import websocket
from websocket.testing import Conversation, drip, expect_request, hang, repeat, script, send

SLACK = 5.0  # seconds; a loaded machine, and far less than waiting for ever


class Scene(NamedTuple):
    """Where to connect to, and how to know that the phase has been entered."""

    url: str
    options: dict[str, Any]
    entered: Callable[[], object]


Stage = Callable[[Papers, ExitStack], Scene]


def in_name_lookup(papers: Papers, stack: ExitStack) -> Scene:
    asked, release = threading.Event(), threading.Event()
    real = socket.getaddrinfo

    def stuck(*args: Any, **kwargs: Any) -> Any:
        asked.set()
        release.wait(30)
        return real("127.0.0.1", 1)

    patch = stack.enter_context(pytest.MonkeyPatch.context())
    stack.callback(_join_lookups)
    stack.callback(release.set)
    patch.setattr(socket, "getaddrinfo", stuck)
    return Scene("ws://server.test/", {}, lambda: asked.wait(10))


def _join_lookups() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("websocket: looking up"):
            thread.join(10)


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port that answers no SYN: its listener takes nobody in."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def in_tcp(papers: Papers, stack: ExitStack) -> Scene:
    port = stack.enter_context(full_backlog())
    return Scene(f"ws://127.0.0.1:{port}/", {}, lambda: time.sleep(0.1))


def in_tcp_to_a_proxy(papers: Papers, stack: ExitStack) -> Scene:
    port = stack.enter_context(full_backlog())
    options = {"proxy": f"http://127.0.0.1:{port}"}
    return Scene("ws://server.test/", options, lambda: time.sleep(0.1))


def before_a(proxy_scheme: str) -> Stage:
    def stage(papers: Papers, stack: ExitStack) -> Scene:
        proxy = stack.enter_context(script(hang()))
        options = {"proxy": f"{proxy_scheme}://127.0.0.1:{proxy.port}"}
        return Scene("ws://localhost/", options, proxy.wait_received)

    stage.__name__ = f"in_{proxy_scheme}"
    return stage


def in_a_dripping_connect(papers: Papers, stack: ExitStack) -> Scene:
    reply = b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000
    proxy = stack.enter_context(script(expect_request(), drip(reply, 0.05)))
    options = {"proxy": f"http://127.0.0.1:{proxy.port}"}
    return Scene("ws://server.test/", options, proxy.wait_received)


def in_connect_inside_tls(papers: Papers, stack: ExitStack) -> Scene:
    proxy = stack.enter_context(script(hang(), ssl=papers.context))
    options = {"proxy": f"https://localhost:{proxy.port}", "sslopt": papers.sslopt}
    return Scene("wss://localhost/", options, proxy.wait_received)


def in_tls_inside_tls(papers: Papers, stack: ExitStack) -> Scene:
    steps = (expect_request(), send(b"HTTP/1.1 200 OK\r\n\r\n"), hang())
    proxy = stack.enter_context(script(*steps, ssl=papers.context))
    options = {"proxy": f"https://localhost:{proxy.port}", "sslopt": papers.sslopt}
    return Scene("wss://localhost/", options, lambda: proxy.wait_received(b"\x16\x03\x01"))


def in_tls(papers: Papers, stack: ExitStack) -> Scene:
    server = stack.enter_context(script(hang()))
    return Scene(f"wss://127.0.0.1:{server.port}/", {}, server.wait_received)


def in_a_dripping_tls(papers: Papers, stack: ExitStack) -> Scene:
    record = b"\x16\x03\x03\x40\x00" + bytes(2000)
    server = stack.enter_context(script(drip(record, 0.05)))
    return Scene(f"wss://127.0.0.1:{server.port}/", {}, server.wait_received)


def in_the_head(papers: Papers, stack: ExitStack) -> Scene:
    server = stack.enter_context(script(hang()))
    return Scene(server.url, {}, server.wait_received)


def in_the_head_inside_tls(papers: Papers, stack: ExitStack) -> Scene:
    server = stack.enter_context(script(hang(), ssl=papers.context))
    options = {"sslopt": papers.sslopt}
    return Scene(f"wss://localhost:{server.port}/", options, server.wait_received)


def in_a_dripping_head(papers: Papers, stack: ExitStack) -> Scene:
    reply = b"HTTP/1.1 101 Switching Protocols\r\n" + b"A: b\r\n" * 1000
    server = stack.enter_context(script(expect_request(), drip(reply, 0.05)))
    return Scene(server.url, {}, server.wait_received)


def in_dripping_interim_responses(papers: Papers, stack: ExitStack) -> Scene:
    reply = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    server = stack.enter_context(script(expect_request(), repeat(drip(reply, 0.05))))
    return Scene(server.url, {"max_interim": 10**6}, server.wait_received)


def in_the_second_hop(papers: Papers, stack: ExitStack) -> Scene:
    def step(peer: Conversation) -> None:
        if peer.number:
            peer.hang()
        peer.read_request()
        peer.send(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n")

    server = stack.enter_context(script(step))
    return Scene(server.url, {}, lambda: server.wait_received(b"/there", connection=1))


def in_a_slow_redirect_loop(papers: Papers, stack: ExitStack) -> Scene:
    def step(peer: Conversation) -> None:
        peer.read_request()
        peer.delay(0.1)
        peer.send(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")

    server = stack.enter_context(script(step))
    options = {"redirect_limit": 10**6}
    return Scene(server.url, options, lambda: server.wait_received(connection=1))


STAGES: list[Stage] = [
    in_name_lookup,
    in_tcp,
    in_tcp_to_a_proxy,
    before_a("http"),
    before_a("https"),
    before_a("socks4"),
    before_a("socks4a"),
    before_a("socks5"),
    before_a("socks5h"),
    in_a_dripping_connect,
    in_connect_inside_tls,
    in_tls_inside_tls,
    in_tls,
    in_a_dripping_tls,
    in_the_head,
    in_the_head_inside_tls,
    in_a_dripping_head,
    in_dripping_interim_responses,
    in_the_second_hop,
    in_a_slow_redirect_loop,
]
each_stage = pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)


@each_stage
def test_the_deadline_ends_it(stage: Stage, papers: Papers) -> None:
    with ExitStack() as stack:
        scene = stage(papers, stack)
        started = time.monotonic()
        with pytest.raises(websocket.WebSocketTimeoutException) as caught:
            websocket.create_connection(scene.url, timeout=0.7, **scene.options)
        took = time.monotonic() - started
        assert 0.6 < took < 0.7 + SLACK
        assert "0.7 s" in str(caught.value)


@pytest.mark.parametrize(
    ("stage", "timeout"),
    [
        pytest.param(stage, timeout, id=f"{stage.__name__}-{timeout}")
        for stage in STAGES
        for timeout in (30, None)
        if timeout or stage is not in_name_lookup
    ],
)
def test_close_ends_it(stage: Stage, timeout: float | None, papers: Papers) -> None:
    """With a timeout and without one; a name lookup without a timeout excepted."""
    with ExitStack() as stack:
        scene = stage(papers, stack)
        ws = websocket.WebSocket()
        ws.settimeout(timeout)
        outcome: list[BaseException | float] = []

        def connect() -> None:
            try:
                ws.connect(scene.url, **scene.options)
            except BaseException as exc:
                outcome.extend([exc, time.monotonic()])

        thread = threading.Thread(target=connect)
        thread.start()
        scene.entered()
        closed = time.monotonic()
        ws.close()
        thread.join(20)
        assert not thread.is_alive()
        error, ended = outcome
        assert isinstance(error, websocket.WebSocketConnectionClosedException), error
        assert isinstance(ended, float) and ended - closed < SLACK
        assert not ws.connected
        assert ws.sock is None


def test_a_refusal_is_told_although_its_body_drips(papers: Papers) -> None:
    """The status is known: that is worth more than a timeout."""
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\n"
    with (
        script(expect_request(), send(head), hang()) as server,
        pytest.raises(websocket.WebSocketBadStatusException),
    ):
        websocket.create_connection(server.url, timeout=0.5)


def test_the_object_connects_again_behind_all_that(papers: Papers) -> None:
    from websocket.testing import serve

    ws = websocket.WebSocket()
    with script(hang()) as stuck, pytest.raises(websocket.WebSocketTimeoutException):
        ws.connect(stuck.url, timeout=0.3)
    with serve() as server:
        ws.connect(server.url, timeout=10)
        ws.send("hello")
        assert ws.recv() == "hello"
        ws.close()
