"""Promise: whatever is wrong on the way, `explain` says where, why and what to do, in time."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from websocket import Response, WebSocketException, explain
from websocket.testing import (
    Connection,
    Server,
    accept,
    drop,
    expect_request,
    frame,
    hang,
    script,
    send,
    serve,
)

CLOSE = 8


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def silent() -> Iterator[tuple[str, int]]:
    """An address from which nothing comes back: its backlog is full, so the kernel says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield listener.getsockname()
        for sock in waiting:
            sock.close()


def failed_at(report: Any, name: str) -> Any:
    """The step that failed, which has to be this one and the last before those skipped."""
    assert not report.ok
    at = [step.outcome for step in report.steps].index("failed")
    assert report.steps[at].name == name, str(report)
    assert all(step.outcome == "skipped" for step in report.steps[at + 1 :])
    assert report.steps[-1].name == "close"
    assert f"fails at {name}" in str(report)
    return report.steps[at]


def test_a_name_without_address() -> None:
    step = failed_at(explain("ws://no-such-host.invalid/", timeout=20), "lookup")
    assert "no-such-host.invalid" in step.detail and step.hint


def test_a_port_where_nobody_listens(unused_port: int) -> None:
    report = explain(f"wss://127.0.0.1:{unused_port}/")
    step = failed_at(report, "tcp")
    assert "Connection refused" in step.detail and "is the server running" in step.hint
    assert [step.name for step in report.steps[-4:]] == ["tls", "http", "ping", "close"]
    assert "hint: nothing listens there" in str(report)


def test_a_proxy_where_nobody_listens(unused_port: int) -> None:
    report = explain("ws://example.com/", proxy=f"http://127.0.0.1:{unused_port}")
    step = failed_at(report, "tcp")
    assert f"the proxy http://127.0.0.1:{unused_port} cannot be reached" in step.hint
    assert "tunnel" in [step.name for step in report.steps]


def test_a_silent_address_fails_within_the_deadline(silent: tuple[str, int]) -> None:
    start = time.monotonic()
    step = failed_at(explain(f"ws://127.0.0.1:{silent[1]}/", timeout=0.5), "tcp")
    assert time.monotonic() - start < 5
    assert "no answer" in step.detail and "firewall" in step.hint


def test_a_silent_address_beside_one_that_answers_is_a_warning(
    silent: tuple[str, int], clear: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
    found = [(*kind, silent), (*kind, ("127.0.0.1", clear.port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
    report = explain("ws://two.example/", timeout=4)
    assert report.ok
    (step,) = [step for step in report.steps if step.outcome != "ok"]
    assert (step.name, step.outcome) == ("tcp", "warning")
    assert step.facts["addresses"][0]["error"] == "no answer"


@pytest.mark.parametrize("status", [200, 401, 403, 404, 407, 426, 429, 500, 502, 503])
def test_an_http_status_has_its_hint(status: int) -> None:
    with serve(on_request=lambda _: Response(status, body=b"a page")) as server:
        step = failed_at(explain(server.url), "http")
    assert step.facts["status"] == status
    assert step.detail.startswith(str(status)) and step.hint


def test_an_answer_that_is_no_websocket_handshake() -> None:
    answer = b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    with script(expect_request(), send(answer)) as server:
        step = failed_at(explain(server.url), "http")
    assert "Sec-WebSocket-Accept" in step.detail


def test_a_server_that_hangs_up_on_the_request() -> None:
    with script(expect_request(), drop()) as server:
        step = failed_at(explain(server.url), "http")
    assert "wss://" in step.hint


def test_a_server_that_says_nothing_fails_at_the_deadline() -> None:
    with script(expect_request(), hang()) as server:
        start = time.monotonic()
        step = failed_at(explain(server.url, timeout=0.3), "http")
    assert time.monotonic() - start < 5
    assert "the 0.3 s for all steps were over" in step.detail


def test_a_ping_that_is_not_answered() -> None:
    with script(accept(), hang()) as server:
        step = failed_at(explain(server.url, timeout=1), "ping")
    assert "no pong" in step.detail and "RFC 6455" in step.hint


def test_a_server_that_closes_with_an_error() -> None:
    """What it says may not steer the terminal."""
    with script(accept(), send(frame(CLOSE, b"\x03\xf0go \x1b[31maway"))) as server:
        step = failed_at(explain(server.url), "ping")
    assert r"closed with 1008: go \x1b[31maway" in step.detail


def test_plain_http_where_tls_was_expected(clear: Server) -> None:
    step = failed_at(explain(f"wss://127.0.0.1:{clear.port}/"), "tls")
    assert "ws://" in step.hint


def test_a_redirect_that_leads_nowhere() -> None:
    with serve(on_request=lambda _: Response(302, headers={"Location": "ftp://x/"})) as server:
        step = failed_at(explain(server.url), "http")
    assert step.facts["status"] == 302 and "Invalid redirect target" in step.detail


def test_redirects_without_end() -> None:
    with serve(on_request=lambda _: Response(302, headers={"Location": "/again"})) as server:
        step = failed_at(explain(server.url), "http")
    assert "Redirect limit exhausted" in step.detail


def test_an_environment_that_names_an_impossible_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is no misuse of ours, and just what a doctor is asked about."""
    monkeypatch.setenv("http_proxy", "ftp://user:hush-hush@proxy:3128")
    step = failed_at(explain("ws://127.0.0.1/"), "proxy")
    assert "http_proxy" in step.detail and "hush-hush" not in step.detail


@pytest.mark.parametrize(
    ("url", "options", "error"),
    [
        ("http://example.com/", {}, ValueError),
        ("nonsense", {}, ValueError),
        (7, {}, TypeError),
        ("ws://127.0.0.1/", {"header": "A: b\nc"}, ValueError),
        ("ws://127.0.0.1/", {"proxy": "ftp://proxy/"}, ValueError),
        ("ws://127.0.0.1/", {"proxy": 7}, TypeError),
        ("ws://127.0.0.1/", {"ping_interval": -1}, ValueError),
        ("ws://127.0.0.1/", {"auth": "no pair"}, TypeError),
    ],
)
def test_misuse_raises(url: Any, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        explain(url, **options)


def test_misuse_of_sockets_and_tls_raises_and_leaves_nothing_open(secure: Server) -> None:
    """The census of every test sees to the second half."""
    with pytest.raises(ValueError, match="ca_certs"):
        explain(secure.url, sslopt={"ca_cert": "x"})
    with pytest.raises(TypeError, match="sockopt"):
        explain(secure.url, sockopt=[("a", "b", "c")])


def test_ctrl_c_ends_it_and_leaves_nothing_open(silent: tuple[str, int]) -> None:
    """The census of every test sees to the second half."""
    interrupt = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):
        explain(f"ws://127.0.0.1:{silent[1]}/", timeout=30)
    interrupt.join()


@pytest.mark.parametrize("message", [None, b"x" * 100_000])
def test_a_flood_does_not_keep_it_beyond_the_deadline(message: bytes | None) -> None:
    """Neither one of pings, which are answered, nor one of messages."""

    def flood(connection: Connection) -> None:
        with suppress(WebSocketException):
            while True:
                connection.ping(b"x") if message is None else connection.send(message)

    with serve(flood) as server:
        start = time.monotonic()
        explain(server.url, timeout=1)
        assert time.monotonic() - start < 10


def test_several_threads_may_ask_at_once(clear: Server) -> None:
    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(explain, [clear.url] * 16))
    assert all(report.ok for report in reports)
