"""The memory of a connection that waits: little enough that a program may hold thousands of them.

What is not needed until the first message, ping or end is not there before. Bytes are counted, as
`tracemalloc` sees them: those of the objects that belong to the connections.
"""

from __future__ import annotations

import base64
import gc
import hashlib
import socket
import threading
import tracemalloc
from typing import Any

import pytest
from raw_peer import PATIENCE, Peer, Task, both_ways, client, papers, text

import websocket
from websocket._wire.http1 import encode_request, encode_response

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

_CONNECTIONS = 200
_LIMIT = {False: 2048, True: 4608}  # bytes each, plain and over TLS (OpenSSL's own are not counted)


def _open(peer: Peer, count: int) -> list[websocket.WebSocket]:
    options: dict[str, Any] = {"sslopt": {"context": papers()[1]}} if peer.tls else {}
    accepting = Task(lambda: [peer.accept() for _ in range(count)])
    held = [websocket.create_connection(peer.url, **options) for _ in range(count)]
    accepting.result()
    return held


def _grown(peer: Peer, held: list[websocket.WebSocket]) -> float:
    """Bytes that each of so many further connections holds, the peer's side left out."""
    ours = [
        tracemalloc.Filter(False, name, all_frames=True)
        for name in ("*raw_peer.py", "*tracemalloc.py")
    ]
    gc.collect()
    before = tracemalloc.take_snapshot().filter_traces(ours)
    held += _open(peer, _CONNECTIONS)
    gc.collect()
    after = tracemalloc.take_snapshot().filter_traces(ours)
    return sum(each.size_diff for each in after.compare_to(before, "filename")) / _CONNECTIONS


@both_ways
def test_an_idle_connection_is_small_and_has_no_thread(tls: bool) -> None:
    with Peer(tls) as peer:
        held = _open(peer, 40)  # what the first ones cost is not theirs alone
        threads = threading.active_count()
        tracemalloc.start(25)  # frames: enough to see whose they are
        try:
            each = _grown(peer, held)
        finally:
            tracemalloc.stop()
        assert threading.active_count() <= threads
        for ws in held:
            ws.shutdown()
    assert each < _LIMIT[tls], f"{each:.0f} bytes"


def test_what_was_left_out_is_there_for_who_asks() -> None:
    with Peer() as peer:
        accepting = Task(lambda: peer.accept(text("hello")))
        ws = client(peer)
        wire = accepting.result()
        assert ws.request is not None and ws.response is not None
        assert ws.request.path == "/" == ws.path
        assert ws.request.headers["Sec-WebSocket-Version"] == "13"
        assert ws.response.status == 101 == ws.status
        assert ws.response is ws.response and ws.headers is ws.headers
        assert (ws.headers or {})["upgrade"] == "websocket"
        assert (ws.sock_opt.sockopt, ws.sock_opt.sslopt, ws.sock_opt.timeout) == ([], {}, None)
        assert ws.sock_opt is ws.sock_opt
        ws.sock_opt.timeout = 5
        assert ws.gettimeout() == ws.timeout == 5
        assert ws.latency == 0.0 and not ws.wait_closed(0)
        assert ws.recv() == "hello"
        ws.shutdown()
        assert ws.wait_closed(0)
        wire.expect_end()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"timeout": 5, "max_size": 10, "header": None, "suppress_origin": False},
        {"header": ["X-One: 1", "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw=="]},
        {"cookie": "a=b", "origin": "http://elsewhere", "subprotocols": ["chat"]},
        {"auth": ("user", "secret")},
        {"suppress_origin": True, "suppress_host": True, "user_agent": "me"},
        {"compression": "deflate"},
        {"unheard_of": 1},
    ],
    ids=lambda options: " ".join(options) or "none",
)
def test_the_request_is_told_as_it_was_sent(options: dict[str, Any]) -> None:
    """Also where it was not kept, since it follows from the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        answering = Task(lambda: _answer(listener))
        ws = websocket.create_connection(
            f"ws://127.0.0.1:{port}/some%20/path?query=1", require_subprotocol=False, **options
        )
        sock, sent, answered = answering.result()
        with sock:
            assert ws.request is not None and ws.response is not None
            assert encode_request(ws.request) == sent
            assert encode_response(ws.response) == answered
            ws.shutdown()


def _answer(listener: socket.socket) -> tuple[socket.socket, bytes, bytes]:
    """Shake hands with the next who comes; its request, and what was said."""
    sock, _ = listener.accept()
    sock.settimeout(PATIENCE)
    asked = b""
    while b"\r\n\r\n" not in asked:
        asked += sock.recv(4096)
    key = asked.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    answer = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\nX-Other: a\r\nX-Other: b\r\n\r\n"
    )
    sock.sendall(answer)
    return sock, asked, answer


def test_threads_that_need_the_same_thing_at_once_get_the_same_thing() -> None:
    """A lock or a latch that is made late is one for all."""
    with Peer() as peer:
        accepting = Task(lambda: [peer.accept() for _ in range(50)])
        held = [client(peer) for _ in range(50)]
        accepting.result()
        start = threading.Barrier(4)

        def ask() -> list[list[Any]]:
            start.wait()
            return [
                [connection._descriptor_lock, connection._latch, connection.pings]
                for connection in (ws._connection for ws in held)
                if connection is not None
            ]

        tasks = [Task(ask) for _ in range(4)]
        first, *others = [task.result() for task in tasks]
        assert len(first) == 50
        for other in others:
            assert [[id(each) for each in some] for some in other] == [
                [id(each) for each in some] for some in first
            ]
        for ws in held:
            ws.shutdown()
