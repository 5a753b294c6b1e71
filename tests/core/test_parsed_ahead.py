"""What was parsed ahead shows nowhere: each verb, the trace, the keepalive and the errors see the
messages one by one, in their order."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from raw_peer import (
    BINARY,
    CONT,
    PING,
    PONG,
    TEXT,
    Task,
    both_ways,
    close_frame,
    connected,
    frame,
    receive_all,
    text,
    until,
)

import websocket

FRAGMENTS = frame(TEXT, b"fr", False) + frame(PING, b"?") + frame(CONT, b"ag")


def _connection(ws: websocket.WebSocket) -> Any:
    return ws._connection


@both_ways
def test_every_verb_behind_a_recv_that_has_parsed_ahead(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        wire.send(
            b"".join(map(text, "abcde"))
            + frame(BINARY, b"f")
            + text("g")
            + FRAGMENTS
            + text("h")
            + text("i")
            + frame(PING, b"!")
            + text("j")
            + close_frame(1000)
        )
        assert ws.recv() == "a"
        assert ws.recv_data() == (TEXT, b"b")
        opcode, seen = ws.recv_data_frame()
        assert (opcode, seen.data) == (TEXT, b"c")
        assert ws.recv_frame().data == b"d"
        assert list(ws.recv_streaming()) == ["e"]
        with pytest.raises(TypeError):
            ws.recv_text()
        with pytest.raises(TypeError):
            ws.recv_text()
        assert ws.recv() == b"f"
        with pytest.raises(TypeError):
            ws.recv_bytes()
        assert ws.recv_text() == "g"
        assert ws.recv() == "frag"
        assert ws.recv() == "h"
        assert ws.recv_data(control_frame=True) == (TEXT, b"i")
        assert ws.recv_data(control_frame=True) == (PING, b"!")
        assert "".join(map(str, ws.recv_streaming())) == "j"
        assert ws.recv() == ""
        assert [wire.next_frame().data for _ in range(2)] == [b"?", b"!"]
        assert ws.close_code == 1000


@both_ways
def test_fragments_one_by_one_are_switched_on_in_between(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        wire.send(text("a") + text("b") + text("c") + FRAGMENTS)
        assert ws.recv() == "a"
        ws.fire_cont_frame = True
        assert ws.recv_data() == (TEXT, b"b")
        assert ws.recv_data() == (TEXT, b"c")
        assert ws.recv_data() == (TEXT, b"fr")
        assert ws.recv_data() == (CONT, b"ag")


@both_ways
def test_messages_come_before_the_error_and_nothing_behind_it(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        wire.send(text("a") + text("b") + text("c") + frame(TEXT, b"\xff") + text("never"))
        received, error = receive_all(ws)
        assert received == ["a", "b", "c"]
        assert isinstance(error, websocket.WebSocketPayloadException)
        assert wire.next_frame().data == b"\x03\xef"
        assert receive_all(ws).messages == []


@both_ways
def test_messages_come_before_the_one_that_is_too_big(tls: bool) -> None:
    with connected(tls, max_size=5) as (ws, wire):
        wire.send(text("a") + text("12345") + text("123456") + text("never"))
        received, error = receive_all(ws)
        assert received == ["a", "12345"]
        assert isinstance(error, websocket.WebSocketPayloadException)
        assert wire.next_frame().data == b"\x03\xf1"


def test_a_limit_beyond_all_numbers_is_no_error() -> None:
    with connected(max_size=1 << 80) as (ws, wire):
        wire.send(text("a") + text("b"))
        assert (ws.recv(), ws.recv()) == ("a", "b")


@both_ways
@pytest.mark.parametrize("size", [0, 3 << 20])
@pytest.mark.parametrize("wrong", [b"\xff", b""])
def test_without_validation_bytes_come_as_they_are(tls: bool, size: int, wrong: bytes) -> None:
    """Small or large, ASCII up to there or not."""
    for beginning in b"a", "é".encode():
        data = beginning * size + wrong
        with connected(tls, skip_utf8_validation=True) as (ws, wire):
            sending = Task(
                lambda wire=wire, data=data: wire.send(text("a") + frame(TEXT, data) + text("b"))
            )
            assert ws.recv() == "a"
            assert ws.recv_data() == (TEXT, data)
            assert ws.recv() == "b"
            sending.result()


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def lines() -> Iterator[_Lines]:
    handler = _Lines()
    yield handler
    websocket.enableTrace(False)


@both_ways
def test_the_trace_switched_on_in_between_shows_each_message_once(tls: bool, lines: _Lines) -> None:
    with connected(tls) as (ws, wire):
        wire.send(b"".join(map(text, "abcdef")))
        assert ws.recv() == "a"
        websocket.enableTrace(True, lines)
        assert [ws.recv() for _ in range(2)] == ["b", "c"]
        websocket.enableTrace(False)
        assert ws.recv() == "d"
        websocket.enableTrace(True, lines)
        assert [ws.recv() for _ in range(2)] == ["e", "f"]
        raw = [line for line in lines.lines if line.startswith("++Rcv raw")]
        assert raw == [f"++Rcv raw: {text(letter)!r}" for letter in "bcef"]


@both_ways
def test_the_keepalive_knows_of_messages_that_wait_in_here(tls: bool) -> None:
    """A reader that is behind is no reason to take the peer for dead."""
    with connected(tls) as (ws, wire):
        wire.send(text("a") + text("b") + text("c"))
        assert ws.recv() == "a"
        connection = _connection(ws)
        until(lambda: connection.receiver.ready)
        assert connection.unread() > 0
        consumed = connection.parsed
        assert ws.recv() == "b"
        assert connection.unread() > 0
        assert connection.parsed == consumed
        assert ws.recv() == "c"
        assert connection.unread() == 0


@both_ways
def test_a_pong_behind_messages_that_nobody_takes_is_not_missed(tls: bool) -> None:
    with connected(tls, ping_interval=0.1, ping_timeout=0.05) as (ws, wire):
        ping = wire.next_frame()
        wire.send(text("a") + text("b") + frame(PONG, ping.data))
        assert ws.recv() == "a"
        again = wire.next_frame()  # the next ping: the timer has judged in between
        assert again.opcode == PING
        assert ws.recv() == "b"
        wire.send(frame(PONG, again.data) + text("c"))
        assert ws.recv() == "c"


@both_ways
def test_reading_by_parts_begins_in_between(tls: bool) -> None:
    """The classic parser gets what was parsed ahead and not delivered, in its turn."""
    with connected(tls) as (ws, wire):
        wire.send(b"".join(map(text, "abcdef")))
        assert ws.recv() == "a"
        parser = ws.frame_buffer
        assert ws.recv_data() == (TEXT, b"b")
        assert ws.recv() == "c"
        assert parser.recv_frame().data == b"d"
        assert ws.recv_frame().data == b"e"
        assert ws.recv() == "f"


@both_ways
def test_large_and_small_in_turn(tls: bool) -> None:
    """Frames that are received in their place between others that are parsed ahead."""
    said: list[str | bytes] = []
    for size in (10, 70_000, 3, 300_000, 5, 5, 1 << 20, 1, 65_537, 65_536, 16_384):
        said += ["t" * size, b"b" * size, "é" * (size // 2)]
    stream = b"".join(
        frame(TEXT, item.encode()) if isinstance(item, str) else frame(BINARY, item)
        for item in said
    )
    with connected(tls) as (ws, wire):
        sending = Task(lambda: wire.send(stream + close_frame()))
        for item in said:
            assert ws.recv() == item
        assert ws.recv() == ""
        sending.result()
