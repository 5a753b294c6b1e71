"""`send` of an iterable, `recv_streaming`, typed receiving, and waiters of pings."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from raw_peer import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    Seen,
    Task,
    blocked_reader,
    both_ways,
    close_frame,
    connected,
    frame,
    stuck,
    text,
    until,
)

import websocket


@both_ways
@pytest.mark.parametrize(
    ("payload", "opcode", "expected"),
    [
        (["a", "bc", ""], TEXT, [b"a", b"bc", b""]),
        (("é", "x"), TEXT, ["é".encode(), b"x"]),
        ([b"a", bytearray(b"b"), memoryview(b"c")], BINARY, [b"a", b"b", b"c"]),
        (["one"], TEXT, [b"one"]),
    ],
)
def test_a_sequence_is_one_message_a_fragment_an_item(
    tls: bool, payload: Any, opcode: int, expected: list[bytes]
) -> None:
    with connected(tls) as (ws, wire):
        sent = ws.send(payload)
        seen = [wire.next_frame() for _ in expected]
        assert [part.data for part in seen] == expected
        assert [part.opcode for part in seen] == [opcode] + [CONT] * (len(expected) - 1)
        assert [part.fin for part in seen] == [False] * (len(expected) - 1) + [True]
        assert sent == sum(6 + len(part.data) for part in seen)


@both_ways
def test_items_go_as_soon_as_they_are_there(tls: bool) -> None:
    """A generator may wait for what the peer says to its first item."""
    with connected(tls) as (ws, wire):

        def talk() -> Iterator[str]:
            yield "question"
            assert wire.next_frame() == Seen(False, TEXT, b"question")
            wire.send(text("answer"))
            yield str(ws.recv())

        ws.send(talk())
        assert wire.next_frame() == Seen(False, CONT, b"answer")
        assert wire.next_frame() == Seen(True, CONT, b"")


@both_ways
def test_an_opcode_that_is_given_wins(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        ws.send(iter([b"\xc3", b"\xa9"]), TEXT)
        assert wire.next_frame() == Seen(False, TEXT, b"\xc3")
        ws.send(iter(()))
        for _ in range(2):
            wire.next_frame()
        assert wire.next_frame() == Seen(True, BINARY, b"")


@both_ways
def test_other_threads_data_wait_but_not_their_control_frames(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        begun, go_on = threading.Event(), threading.Event()

        def parts() -> Iterator[str]:
            yield "first"
            begun.set()
            assert go_on.wait(20)
            yield "last"

        sending = Task(lambda: ws.send(parts()))
        begun.wait(20)
        others = [Task(lambda: ws.send("other")), Task(lambda: ws.send(iter(["o", "ther"])))]
        ws.ping("ping")
        wire.send(frame(PING, b"theirs") + text("x"))
        assert ws.recv() == "x"
        time.sleep(0.05)
        assert all(other.running for other in others)
        go_on.set()
        sending.result()
        for other in others:
            other.result()
        seen = [wire.next_frame() for _ in range(9)]
        assert seen[:5] == [
            Seen(False, TEXT, b"first"),
            Seen(True, PING, b"ping"),
            Seen(True, PONG, b"theirs"),
            Seen(False, CONT, b"last"),
            Seen(True, CONT, b""),
        ]
        ends = [part.fin for part in seen[5:]]
        assert ends in ([True, False, False, True], [False, False, True, True])


@both_ways
def test_data_wait_for_the_turn_no_longer_than_the_timeout(tls: bool) -> None:
    with connected(tls, timeout=0.1) as (ws, wire):
        begun, go_on = threading.Event(), threading.Event()

        def parts() -> Iterator[str]:
            yield "first"
            begun.set()
            assert go_on.wait(20)

        sending = Task(lambda: ws.send(parts()))
        begun.wait(20)
        with pytest.raises(websocket.WebSocketTimeoutException):
            ws.send("other")
        ws.settimeout(0)
        with pytest.raises(websocket.WebSocketWouldBlockException):
            ws.send(iter(["other"]))
        ws.settimeout(20)
        go_on.set()
        sending.result()
        ws.send("now")
        assert [wire.next_frame().data for _ in range(3)] == [b"first", b"", b"now"]


def _mixed() -> Iterator[Any]:
    yield "a"
    yield b"b"


def _raises() -> Iterator[Any]:
    yield b"a"
    raise LookupError("the source has dried up")


def _raises_ours() -> Iterator[Any]:
    yield "a"
    raise websocket.WebSocketConnectionClosedException("of another connection")


@both_ways
@pytest.mark.parametrize(
    ("source", "error"),
    [
        (_mixed, TypeError),
        (_raises, LookupError),
        (_raises_ours, websocket.WebSocketConnectionClosedException),
    ],
)
def test_half_a_message_fails_with_1011(tls: bool, source: Any, error: type[Exception]) -> None:
    """The exception goes on, and whoever reads learns of the end."""
    with connected(tls) as (ws, wire):
        reader = blocked_reader(ws)
        with pytest.raises(error):
            ws.send(source())
        assert not ws.connected
        assert isinstance(reader.exception(), websocket.WebSocketConnectionClosedException)
        seen = wire.frames()
        assert [(part.opcode, part.fin) for part in seen[1:]] == [(CLOSE, True)]
        assert seen[1].data == b"\x03\xf3"
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            ws.send("more")


@both_ways
@pytest.mark.parametrize(
    "payload",
    [["a", b"b"], ("a", 1), [b"a", "b"], {"a": "b"}, iter([1, 2]), [None]],
    ids=["mixed", "int", "mixed too", "mapping", "ints", "None"],
)
def test_wrong_items_that_are_seen_at_once_harm_nothing(tls: bool, payload: Any) -> None:
    with connected(tls) as (ws, wire):
        with pytest.raises(TypeError):
            ws.send(payload)
        assert ws.connected
        ws.send("fine")
        assert wire.next_frame().data == b"fine"


@both_ways
def test_a_source_that_raises_before_its_first_item_harms_nothing(tls: bool) -> None:
    def broken() -> Iterator[str]:
        raise LookupError("at once")
        yield ""

    with connected(tls) as (ws, wire):
        with pytest.raises(LookupError):
            ws.send(broken())
        ws.send("fine")
        assert wire.next_frame().data == b"fine"


@both_ways
@pytest.mark.parametrize("inner", ["message", ["another", "message"]])
def test_a_message_inside_of_a_message_of_the_same_thread(tls: bool, inner: Any) -> None:
    """It would wait for itself for ever."""
    with connected(tls) as (ws, wire):

        def nested() -> Iterator[str]:
            yield "outer"
            ws.send(inner)

        with pytest.raises(RuntimeError):
            ws.send(nested())
        assert [part.opcode for part in wire.frames()] == [TEXT, CLOSE]


@both_ways
def test_a_fragment_that_times_out_ends_the_connection(tls: bool) -> None:
    with stuck(tls, timeout=0.2) as (ws, _):
        with pytest.raises(websocket.WebSocketTimeoutException):
            ws.send(bytes(100_000) for _ in range(1000))
        assert not ws.connected
        assert ws.closed


# --- receiving in pieces --------------------------------------------------------------------------


@both_ways
def test_pieces_come_as_bytes_arrive(tls: bool) -> None:
    """Not by frame; text cut at code points."""
    whole = frame(TEXT, "aé€😀".encode(), False) + frame(CONT, b"!")
    with connected(tls) as (ws, wire):
        pieces = ws.recv_streaming()
        received: list[Any] = []
        for byte in whole[:-1]:
            wire.send(bytes((byte,)))
            try:
                ws.settimeout(0.02)
                received.append(next(pieces))
            except websocket.WebSocketTimeoutException:
                pass
        ws.settimeout(10)
        wire.send(whole[-1:] + text("next"))
        received += list(pieces)
        assert received == ["a", "é", "€", "😀", "!"]
        assert list(pieces) == []
        assert ws.recv() == "next"


@both_ways
@pytest.mark.parametrize("again", ["recv", "streaming", "frames"])
def test_leaving_early_discards_the_rest(tls: bool, again: str) -> None:
    with connected(tls) as (ws, wire):
        whole = frame(BINARY, bytes(1000), False) + frame(CONT, bytes(1000))
        wire.send(whole[:500])
        left = ws.recv_streaming()
        assert set(next(left)) == {0}
        wire.send(whole[500:] + text("next"))
        if again == "recv":
            assert ws.recv() == "next"
        elif again == "streaming":
            assert list(ws.recv_streaming()) == ["next"]
        else:
            assert list(ws)[:1] == ["next"] if False else ws.recv_data() == (TEXT, b"next")
        with pytest.raises(RuntimeError):
            next(left)
        wire.send(frame(TEXT, b"a", False))
        other = ws.recv_streaming()
        assert next(other) == "a"
        with pytest.raises(RuntimeError):
            next(left)  # nor does it take another message's pieces
        wire.send(frame(CONT, b"b"))
        assert list(other) == ["b"]


@both_ways
def test_pings_between_the_pieces_are_answered(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        wire.send(frame(TEXT, b"a", False) + frame(PING, b"?") + frame(CONT, b"b"))
        assert "".join(map(str, ws.recv_streaming())) == "ab"
        assert wire.next_frame() == (True, PONG, b"?")


@both_ways
def test_pieces_never_pretend_an_end(tls: bool) -> None:
    """The peer closes or goes in the middle of a message: an exception, not the end of the loop."""
    for ending in (close_frame(1000), b""):
        with connected(tls) as (ws, wire):
            wire.send(frame(TEXT, b"half", False) + ending)
            pieces = ws.recv_streaming()
            assert next(pieces) == "half"
            if not ending:
                wire.hang_up()
            with pytest.raises(websocket.WebSocketConnectionClosedException):
                list(pieces)
    with connected(tls, glued=close_frame(1000)) as (ws, _):
        assert list(ws.recv_streaming()) == []


@both_ways
def test_pieces_that_are_not_utf8(tls: bool) -> None:
    with connected(tls, glued=frame(TEXT, b"ok\xff")) as (ws, wire):
        with pytest.raises(websocket.WebSocketPayloadException):
            list(ws.recv_streaming())
        assert wire.next_frame() == (True, CLOSE, b"\x03\xef")


@both_ways
def test_a_message_that_recv_has_begun_goes_on_in_pieces(tls: bool) -> None:
    with connected(tls, glued=frame(TEXT, b"first", False)) as (ws, wire):
        with pytest.raises(websocket.WebSocketTimeoutException):
            ws.recv(timeout=0.05)
        wire.send(frame(CONT, b" second"))
        assert "".join(map(str, ws.recv_streaming())) == "first second"


@both_ways
def test_typed_receiving_leaves_the_wrong_kind_first_in_line(tls: bool) -> None:
    glued = text('{"a": 1}') + frame(BINARY, b"\x00") + text("t") + frame(BINARY, b"b")
    with connected(tls, glued=glued + close_frame(1000)) as (ws, _):
        with pytest.raises(TypeError):
            ws.recv_bytes()
        assert ws.recv_json() == {"a": 1}
        with pytest.raises(TypeError):
            ws.recv_text(timeout=5)
        assert ws.recv() == b"\x00"
        with pytest.raises(TypeError):
            ws.recv_bytes()
        assert list(ws.recv_streaming()) == ["t"]
        with pytest.raises(TypeError):
            ws.recv_json()
        assert ws.recv_bytes() == b"b"
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            ws.recv_text()


# --- waiters --------------------------------------------------------------------------------------


@both_ways
def test_a_waiter_is_fulfilled_by_whoever_reads(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        first, second, third = ws.ping("1"), ws.ping("2"), ws.ping(None)
        payloads = [wire.next_frame().data for _ in range(3)]
        assert payloads[:2] == [b"1", b"2"]
        assert len(payloads[2]) == 4
        waiting = Task(lambda: first.wait(20))
        with pytest.raises(websocket.WebSocketTimeoutException):
            second.wait(0.01)
        wire.send(frame(PONG, b"unasked") + frame(PONG, b"2") + text("x"))
        assert ws.recv() == "x"
        # RFC 6455 5.5.3: a pong answers every ping before its own.
        assert 0 <= waiting.result() < 20
        assert 0 <= second.wait(0) < 20
        assert ws.latency > 0
        with pytest.raises(websocket.WebSocketTimeoutException):
            third.wait(0.01)
        wire.send(close_frame())
        assert ws.recv() == ""
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            third.wait()


def test_a_payload_may_be_used_again_once_nobody_waits_for_it() -> None:
    with connected() as (ws, wire):
        held = ws.ping("same")
        with pytest.raises(RuntimeError):
            ws.ping("same")
        del held
        gc.collect()
        for _ in range(3):
            ws.ping("same")
        held = ws.ping("same")
        for _ in range(5):
            wire.next_frame()
        wire.send(frame(PONG, b"same") + text("x"))
        assert ws.recv() == "x"
        assert ws.ping("same") is not held


@both_ways
def test_a_ping_that_cannot_be_sent_leaves_no_waiter(tls: bool) -> None:
    with connected(tls) as (ws, _):
        ws.shutdown()
        for _ in range(2):
            with pytest.raises(websocket.WebSocketConnectionClosedException):
                ws.ping("x")


@both_ways
def test_trace_shows_automatic_answers(tls: bool) -> None:
    import logging

    lines: list[str] = []

    class Keeps(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    websocket.enableTrace(True, Keeps())
    try:
        with connected(tls, glued=frame(PING, b"?") + close_frame(4000)) as (ws, wire):
            ws.send("hello")
            assert ws.recv() == ""
            until(lambda: len(wire.frames()) == 3)
    finally:
        websocket.enableTrace(False)
    sent = [line for line in lines if line.startswith("++Sent raw: ")]
    first_bytes = [eval(line.removeprefix("++Sent raw: "))[0] & 15 for line in sent]
    assert first_bytes == [TEXT, PONG, CLOSE]
