"""Promise: our CONNECT copes with what a proxy answers: in any cut, too early, too long, wrong."""

from __future__ import annotations

import base64
import io
import logging
import socket
import time
from typing import Any

import pytest

import websocket
from websocket import WebSocketProxyException
from websocket.testing import (
    Conversation,
    Server,
    Step,
    accept,
    delay,
    drip,
    drop,
    expect_request,
    frame,
    hang,
    repeat,
    reset,
    script,
    send,
)

OK = b"HTTP/1.1 200 Connection established\r\n\r\n"
TEXT = 0x1


def tunnel(reply: bytes = OK) -> Step:
    """Read the CONNECT and reply; what follows in the script is the server behind the proxy."""

    def step(peer: Conversation) -> None:
        assert peer.read_request().method == "CONNECT"
        peer.send(reply)
        peer.request = None

    return step


def connect(proxy: Any, url: str = "ws://server.test/", **options: Any) -> websocket.WebSocket:
    options.setdefault("timeout", 10)
    return websocket.create_connection(
        url, http_proxy_host="127.0.0.1", http_proxy_port=proxy.port, **options
    )


def refused(proxy: Any, **options: Any) -> WebSocketProxyException:
    with pytest.raises(WebSocketProxyException) as caught:
        connect(proxy, **options)
    return caught.value


def test_the_request_is_what_proxies_expect() -> None:
    with script(tunnel(), accept()) as proxy:
        connect(
            proxy,
            http_proxy_auth=("usér", "pass:word"),
            proxy_header={"X-Route": "blue", "User-Agent": "me"},
        ).shutdown()
        head = proxy.received[0].split(b"\r\n\r\n")[0].decode().split("\r\n")
    token = base64.b64encode("usér:pass:word".encode()).decode()
    assert head == [
        "CONNECT server.test:80 HTTP/1.1",
        "Host: server.test:80",
        f"Proxy-Authorization: Basic {token}",
        "X-Route: blue",
        "User-Agent: me",
    ]


def test_the_server_sees_nothing_of_the_proxy() -> None:
    with script(tunnel(), accept()) as proxy:
        connect(proxy, http_proxy_auth=("u", "w"), proxy_header=["X-Route: blue"]).shutdown()
        request = proxy.received[0].split(b"\r\n\r\n")[1]
    assert b"Proxy-Authorization" not in request
    assert b"X-Route" not in request


def test_ipv6_targets_are_bracketed() -> None:
    with script(tunnel(), accept()) as proxy:
        connect(proxy, "ws://[::1]:8080/").shutdown()
        assert proxy.received[0].startswith(b"CONNECT [::1]:8080 HTTP/1.1\r\nHost: [::1]:8080\r\n")


@pytest.mark.parametrize("version", [b"HTTP/1.0 200 OK", b"HTTP/1.1 200 ", b"HTTP/1.1 200"])
def test_old_and_terse_proxies_are_accepted(version: bytes) -> None:
    reply = version + b"\r\nContent-Length: 5\r\n\r\n"  # RFC 9110 9.3.6: to be ignored
    with script(tunnel(reply), accept(), send(frame(TEXT, "hi"))) as proxy:
        ws = connect(proxy)
        assert ws.recv() == "hi"
        ws.shutdown()


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_the_reply_may_come_in_any_cut(size: int) -> None:
    def step(peer: Conversation) -> None:
        peer.read_request()
        peer.drip(b"HTTP/1.1 200 OK\r\nVia: 1.1 x\r\n\r\n", 0.001, size)
        peer.request = None

    with script(step, accept(), send(frame(TEXT, "hi"))) as proxy:
        ws = connect(proxy)
        assert ws.recv() == "hi"
        ws.shutdown()


def test_bytes_behind_the_reply_are_kept() -> None:
    """An interim response of the server arrives in one piece with the proxy's 200."""
    early = OK + b"HTTP/1.1 103 Early Hints\r\n\r\n"
    with script(tunnel(early), accept(), send(frame(TEXT, "hi"))) as proxy:
        ws = connect(proxy)
        assert ws.recv() == "hi"
        ws.shutdown()


def test_interim_responses_are_skipped() -> None:
    with script(tunnel(b"HTTP/1.1 100 Continue\r\n\r\n" + OK), accept()) as proxy:
        connect(proxy).shutdown()


def test_a_flood_of_interim_responses_ends() -> None:
    with script(expect_request(), repeat(send(b"HTTP/1.1 100 Continue\r\n\r\n"))) as proxy:
        assert "max_interim" in str(refused(proxy))


def test_endless_headers_end() -> None:
    start = send(b"HTTP/1.1 200 OK\r\n")
    with script(expect_request(), start, repeat(send(b"X-A: " + b"y" * 1000 + b"\r\n"))) as proxy:
        assert "max_head" in str(refused(proxy))
    with script(expect_request(), start, repeat(send(b"X: y\r\n" * 50))) as proxy:
        assert "max_head_lines" in str(refused(proxy))
    with script(expect_request(), start, repeat(send(b"y" * 10_000))) as proxy:
        assert "max_head" in str(refused(proxy))


def test_an_endless_body_ends() -> None:
    head = b"HTTP/1.1 503 No\r\nContent-Length: 10000000000\r\n\r\n"
    with script(expect_request(), send(head), repeat(send(b"z" * 65536))) as proxy:
        exc = refused(proxy)
    assert len(exc.response.body) == 65536


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    """At most about a second, for an error that is already known."""
    head = b"HTTP/1.1 403 No\r\nContent-Length: 100\r\n\r\npart"
    started = time.monotonic()
    with script(expect_request(), send(head), hang()) as proxy:
        exc = refused(proxy, timeout=30)
        assert time.monotonic() - started < 10
    assert exc.response.body == b"part"


def test_407_brings_status_headers_and_a_remedy() -> None:
    reply = (
        b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic realm=x\r\nProxy-Authenticate: NTLM\r\n"
        b"Content-Length: 4\r\n\r\nnope"
    )
    with script(expect_request(), send(reply)) as proxy:
        exc = refused(proxy)
        assert exc.status_code == 407
        assert exc.response.headers.get_all("Proxy-Authenticate") == ["Basic realm=x", "NTLM"]
        assert exc.response.body == b"nope"
        assert "failed CONNECT via proxy status: 407" in str(exc)
        assert exc.hint is not None and "http_proxy_auth" in exc.hint
        assert exc.hint in str(exc)


@pytest.mark.parametrize("status", [201, 204, 301, 400, 401, 404, 500, 502, 504])
def test_any_status_but_200_is_a_refusal(status: int) -> None:
    reply = b"HTTP/1.1 %d Whatever\r\nLocation: http://elsewhere\r\nContent-Length: 0\r\n\r\n"
    with script(expect_request(), send(reply % status)) as proxy:
        assert refused(proxy).status_code == status


@pytest.mark.parametrize(
    ("steps", "hint"),
    [
        ([send(b"SSH-2.0-OpenSSH_9.2\r\n")], "SSH"),
        ([expect_request(), send(b"\x15\x03\x01\x00\x02\x02\x0a")], "https://"),
        ([expect_request(), send(b"\x05\xff")], None),
        ([expect_request(), send(b"HTTP/1.1 2OO OK\r\n\r\n")], None),
        ([expect_request(), send(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n")], None),
        ([expect_request(), send(b"HTTP/1.1 200 OK\r\n\xff: x\r\n\r\n")], None),
        ([expect_request(), drop()], "hung up"),
        ([expect_request(), send(b"HTTP/1.1 200 O"), drop()], "hung up"),
        ([expect_request(), reset()], "hung up"),
        ([drop()], None),
    ],
)
def test_nonsense_is_refused_with_a_remedy(steps: list[Step], hint: str | None) -> None:
    with script(*steps) as proxy:
        exc = refused(proxy)
    assert f"proxy http://127.0.0.1:{proxy.port}" in str(exc)
    if hint is not None:
        assert hint in (exc.hint or "")
    assert "wss://" not in str(exc)


def test_nobody_listens(unused_port: int) -> None:
    """It stays a ConnectionRefusedError, and is a WebSocketProxyException."""
    with pytest.raises(ConnectionRefusedError) as caught:
        websocket.create_connection("ws://server.test/", proxy=f"http://127.0.0.1:{unused_port}")
    assert isinstance(caught.value, WebSocketProxyException)
    assert caught.value.hint


def test_the_name_of_the_proxy_has_no_address() -> None:
    with pytest.raises(websocket.WebSocketAddressException) as caught:
        websocket.create_connection("ws://server.test/", proxy="http://proxy.invalid:1", timeout=20)
    assert isinstance(caught.value, WebSocketProxyException)


@pytest.mark.parametrize("limit", ["timeout", "http_proxy_timeout"])
@pytest.mark.parametrize(
    "step", [hang(), drip(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000, 0.05), hang(False)]
)
def test_a_proxy_that_drips_ends_at_the_deadline(limit: str, step: Step) -> None:
    options = {"timeout": None, limit: 0.5}
    with script(step) as proxy:
        started = time.monotonic()
        exc = refused(proxy, **options)
        assert time.monotonic() - started < 5
    assert isinstance(exc, websocket.WebSocketTimeoutException)
    assert "0.5 s" in str(exc)


def test_the_timeout_of_the_proxy_is_not_that_of_the_server() -> None:
    """The tunnel stands in time; the server behind it may take longer."""
    with script(tunnel(), delay(0.6), accept(), send(frame(TEXT, "hi"))) as proxy:
        ws = connect(proxy, http_proxy_timeout=0.5, timeout=20)
        assert ws.gettimeout() == 20
        assert ws.sock.gettimeout() == 20
        assert ws.recv() == "hi"
        ws.shutdown()


def test_credentials_are_in_no_text(caplog: pytest.LogCaptureFixture) -> None:
    """Not in the exception, not in the log, not in the trace; a proxy that repeats them in its
    answer changes nothing."""
    token = base64.b64encode(b"u:s3cret-word").decode()
    reply = f"HTTP/1.1 407 s3cret-word\r\nX-Echo: {token} s3cret-word\r\n\r\n{token}".encode()
    output = io.StringIO()
    websocket.enableTrace(True, logging.StreamHandler(output))
    try:
        with (
            caplog.at_level(logging.DEBUG, "websocket"),
            script(expect_request(), send(reply)) as proxy,
        ):
            url = f"http://u:s3cret-word@127.0.0.1:{proxy.port}"
            with pytest.raises(WebSocketProxyException) as caught:
                websocket.create_connection("ws://server.test/", proxy=url, timeout=10)
    finally:
        websocket.enableTrace(False)
    text = str(caught.value) + repr(caught.value) + caplog.text + output.getvalue()
    assert "CONNECT server.test:80" in output.getvalue()
    assert "s3cret-word" not in text
    assert token not in text


def test_sockopt_and_source_address_hold_for_the_proxy(ws_server: Server) -> None:
    with script(tunnel(), accept()) as proxy:
        ws = connect(
            proxy,
            sockopt=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 5000)],
            source_address=("127.0.0.1", 0),
        )
        assert ws.sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) <= 10_000
        ws.shutdown()


@pytest.mark.parametrize(
    "options",
    [
        {"proxy_header": {"X": "a\r\nY: b"}},
        {"proxy_header": ["X: a\nY: b"]},
        {"proxy_header": {"X\r\n": "a"}},
        {"http_proxy_auth": ("a\r\nb", "c")},
        {"http_proxy_auth": ("a", "b\0c")},
    ],
)
def test_injection_raises_before_anything_is_sent(options: Any) -> None:
    with script(expect_request()) as proxy:
        with pytest.raises(ValueError, match="must"):
            connect(proxy, **options)
        assert b"".join(proxy.received) == b""
        proxy.failures.clear()
