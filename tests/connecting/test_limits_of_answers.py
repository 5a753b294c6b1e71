"""Promise: an answer that never ends, or is absurdly large, costs bounded memory and time, and the
error names the option that set the limit."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

import websocket
from websocket.testing import Step, accept, expect_request, frame, repeat, script, send

MB = 1 << 20
GIGABYTES = b"HTTP/1.1 404 Not Found\r\nContent-Length: 10000000000\r\n\r\n"
CHUNKS = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n"
UNSIZED = b"HTTP/1.1 404 Not Found\r\n\r\n"
START = b"HTTP/1.1 101 Switching Protocols\r\n"


def failed(*steps: Step, **options: Any) -> websocket.WebSocketException:
    """What connecting raises; it may not have taken more than a few megabytes."""
    with script(expect_request(), *steps) as server:
        tracemalloc.start()
        try:
            with pytest.raises(websocket.WebSocketException) as caught:
                websocket.create_connection(server.url, timeout=30, **options)
            assert tracemalloc.get_traced_memory()[1] < 8 * MB
        finally:
            tracemalloc.stop()
    return caught.value


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (GIGABYTES, b"x" * 65536),
        (UNSIZED, b"x" * 65536),
        (CHUNKS, b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        (CHUNKS, b"1\r\nx\r\n" * 1000),
        (CHUNKS, b"0000000000"),
    ],
)
def test_bodies_without_end(head: bytes, piece: bytes) -> None:
    """64 KiB of it are kept, or what max_body says."""
    exc = failed(send(head), repeat(send(piece)))
    assert isinstance(exc, websocket.WebSocketBadStatusException)
    assert len(exc.resp_body or b"") <= 65536
    exc = failed(send(head), repeat(send(piece)), max_body=100)
    assert isinstance(exc, websocket.WebSocketBadStatusException)
    assert len(exc.resp_body or b"") <= 100


@pytest.mark.parametrize(
    ("start", "piece", "option"),
    [
        (START, b"X-A: " + b"b" * 10_000 + b"\r\n", "max_head"),
        (START, b"a" * 10_000, "max_head"),
        (START, b"a: b\r\n" * 100, "max_head_lines"),
        (b"HTTP/1.1 101 ", b"a" * 10_000, "max_head"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 10, "max_interim"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", "max_interim"),
    ],
)
def test_heads_without_end(start: bytes, piece: bytes, option: str) -> None:
    assert option in str(failed(send(start), repeat(send(piece))))


@pytest.mark.parametrize(
    ("headers", "option"),
    [
        ({"X-A": "b" * 200}, {"max_head": 300}),
        ({f"X-{number}": "b" for number in range(20)}, {"max_head_lines": 10}),
    ],
)
def test_the_limits_are_options(headers: dict[str, str], option: dict[str, int]) -> None:
    """A head that is fine by default is too large by a smaller limit."""
    assert next(iter(option)) in str(failed(accept(headers), **option))
    with script(accept(headers)) as server:
        websocket.create_connection(server.url, timeout=10).shutdown()


def test_interim_responses_up_to_the_limit() -> None:
    interim = send(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 16)
    with script(expect_request(), interim, accept(), send(frame(0x1, "hi"))) as server:
        ws = websocket.create_connection(server.url, timeout=10)
        assert ws.recv() == "hi"
        ws.shutdown()
    assert "max_interim" in str(failed(interim, max_interim=15))
