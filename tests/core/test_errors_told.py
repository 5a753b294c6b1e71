"""Errors: the peer is told, the connection is dead, and no offset of a lost stream is special."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

import pytest
from raw_peer import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    TEXT,
    Peer,
    Stop,
    Task,
    blocked_reader,
    blocked_writer,
    both_ways,
    client,
    close_frame,
    connected,
    frame,
    receive_all,
    stuck,
    text,
    until,
)

import websocket

_BAD: dict[str, tuple[bytes, type[Exception], int]] = {
    "reserved bit": (b"\xf1\x00", websocket.WebSocketProtocolException, 1002),
    "opcode 3": (b"\x83\x00", websocket.WebSocketProtocolException, 1002),
    "masked": (b"\x81\x81abcd!", websocket.WebSocketProtocolException, 1002),
    "continuation of nothing": (
        frame(CONT, b"x"),
        websocket.WebSocketProtocolException,
        1002,
    ),
    "close code 999": (
        frame(CLOSE, b"\x03\xe7"),
        websocket.WebSocketProtocolException,
        1002,
    ),
    "not UTF-8": (frame(TEXT, b"\xff"), websocket.WebSocketPayloadException, 1007),
    "half of a character": (frame(TEXT, b"\xc3"), websocket.WebSocketPayloadException, 1007),
    "too big": (frame(BINARY, bytes(2000)), websocket.WebSocketPayloadException, 1009),
    "too big as announced": (
        b"\x82\x7f" + struct.pack("!Q", 1 << 60),
        websocket.WebSocketPayloadException,
        1009,
    ),
}
bad = pytest.mark.parametrize("what", _BAD)


@both_ways
@bad
def test_the_peer_is_told_and_the_connection_is_dead(tls: bool, what: str) -> None:
    data, kind, code = _BAD[what]
    with connected(tls, max_size=1000) as (ws, wire):
        wire.send(text("before") + data + text("behind"))
        assert ws.recv() == "before"
        with pytest.raises(kind) as caught:
            ws.recv()
        assert caught.value.close_code == code  # type: ignore[attr-defined]
        assert not ws.connected
        assert ws.closed
        assert isinstance(ws.exception(), kind)
        assert wire.next_frame() == (True, CLOSE, struct.pack("!H", code))
        for call in (ws.recv, lambda: ws.send("x"), ws.ping, lambda: ws.recv(timeout=1)):
            with pytest.raises(websocket.WebSocketConnectionClosedException):
                call()
        ws.close()
        ws.close(1002)
        wire.expect_end()


@both_ways
@bad
@pytest.mark.parametrize("closes", [False, True], ids=["stays", "closes at once"])
def test_the_peer_can_read_it_while_it_floods(tls: bool, what: str, closes: bool) -> None:
    """No reset overtakes the close frame, though the flood is not read any more."""
    data, kind, code = _BAD[what]
    with connected(tls, max_size=1000) as (ws, wire), Stop() as stop:
        wire.send(data)
        flooding = Task(lambda: wire.flood(text("flood") * 2000, stop))
        until(lambda: not flooding.running or ws.connected)
        with pytest.raises(kind):
            ws.recv()
        if closes:
            ws.close()
        stop.wait(0.3)
        assert wire.next_frame() == (True, CLOSE, struct.pack("!H", code))
        stop.set()
        flooding.result()


@both_ways
def test_the_error_is_told_behind_a_frame_under_way(tls: bool) -> None:
    """A writer is stuck: the close frame follows its frame, also when `close` comes meanwhile."""
    for closes in (False, True):
        with stuck(tls) as (ws, wire):
            writer = blocked_writer(ws)
            wire.send(b"\xf1\x00")
            with pytest.raises(websocket.WebSocketProtocolException):
                ws.recv()
            assert writer.running
            closing = Task(lambda: ws.close(timeout=20)) if closes else None
            assert len(wire.next_frame().data) == 8 << 20
            assert wire.next_frame() == (True, CLOSE, b"\x03\xea")
            writer.result()
            if closing is not None:
                closing.result()
                wire.expect_end()


@both_ways
def test_close_after_an_error_frees_a_writer_that_is_stuck_for_ever(tls: bool) -> None:
    with stuck(tls) as (ws, wire):
        writer = blocked_writer(ws)
        wire.send(b"\xf1\x00")
        with pytest.raises(websocket.WebSocketProtocolException):
            ws.recv()
        ws.close(timeout=0.1)
        assert isinstance(writer.exception(), websocket.WebSocketConnectionClosedException)


@both_ways
def test_a_reader_and_a_waiting_sender_learn_of_the_error_of_another_thread(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        begun, go_on = threading.Event(), threading.Event()

        def parts() -> Any:
            yield "a"
            begun.set()
            go_on.wait(20)

        sending = Task(lambda: ws.send(parts()))
        begun.wait(20)
        waiting = Task(lambda: ws.send("x"))
        first = blocked_reader(ws)
        second = Task(ws.recv)
        wire.send(b"\xf1\x00")
        kinds = {type(first.exception()), type(second.exception())}
        assert kinds == {
            websocket.WebSocketProtocolException,
            websocket.WebSocketConnectionClosedException,
        }
        assert isinstance(waiting.exception(), websocket.WebSocketConnectionClosedException)
        go_on.set()
        assert isinstance(sending.exception(), websocket.WebSocketConnectionClosedException)


_STREAM = (
    text("one")
    + frame(TEXT, b"tw", False)
    + frame(PING, b"?")
    + frame(CONT, b"o")
    + text("3" * 130)
)
_MESSAGES = ["one", "two", "3" * 130]


def _whole_before(cut: int) -> list[str]:
    ends = [5, 5 + 4 + 3 + 3, len(_STREAM)]
    return [message for message, end in zip(_MESSAGES, ends, strict=True) if end <= cut]


@both_ways
@pytest.mark.parametrize("how", ["eof", "reset"])
def test_a_stream_that_ends_anywhere(tls: bool, how: str) -> None:
    """Whole messages before the cut are delivered, then comes the one right exception."""
    with Peer(tls) as peer:
        for cut in range(0, len(_STREAM) + 1, 1 if not tls else 3):
            accepting = Task(peer.accept)
            ws = client(peer, timeout=10)
            wire = accepting.result()
            wire.send(_STREAM[:cut])
            before: list[Any] = []
            if how == "reset":
                before = [ws.recv() for _ in _whole_before(cut)]
                wire.reset()
            else:
                wire.hang_up()
            received, error = receive_all(ws)
            assert before + received == _whole_before(cut)
            assert isinstance(error, websocket.WebSocketConnectionClosedException)
            assert isinstance(error, ConnectionError)
            assert error.status_code is None
            if how == "reset" and not tls:
                assert isinstance(error.__cause__, OSError)
            assert ws.close_code == 1006
            assert isinstance(ws.exception(), websocket.WebSocketConnectionClosedException)
            assert not ws.connected


def _send_on(ws: websocket.WebSocket) -> None:
    for _ in range(1000):
        ws.send_bytes(bytes(10_000))


@both_ways
def test_a_reset_while_sending(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        wire.reset()
        with pytest.raises(websocket.WebSocketConnectionClosedException) as caught:
            _send_on(ws)
        assert isinstance(caught.value.__cause__, OSError)
        assert not ws.connected


@both_ways
def test_a_reset_wakes_a_stuck_writer_and_a_reader(tls: bool) -> None:
    with stuck(tls) as (ws, wire):
        writer = blocked_writer(ws)
        reader = blocked_reader(ws)
        wire.reset()
        for task in (writer, reader):
            assert isinstance(task.exception(), websocket.WebSocketConnectionClosedException)


def test_what_the_peer_said_before_it_went_can_still_be_read() -> None:
    """A send that finds nobody there does not throw away what has arrived."""
    with connected() as (ws, wire):
        wire.send(text("last words") + close_frame(1001, "going"))
        wire.hang_up()
        sock: Any = ws._connection.stream.socket  # type: ignore[union-attr]
        del sock
        try:
            for _ in range(100):
                ws.send("x")
        except websocket.WebSocketConnectionClosedException:
            pass
        try:
            assert ws.recv() == "last words"
            assert ws.recv() == ""
            assert (ws.close_code, ws.close_reason) == (1001, "going")
        except websocket.WebSocketConnectionClosedException:
            pytest.skip("the kernel dropped it with the reset")


def test_garbage_in_the_place_of_tls_records() -> None:
    """Someone cuts into the TLS stream: closed with the cause, never a message."""
    for garbage in (b"\x17\x03\x03\x00\x00" * 3, b"\x17\x03\x03\x00\x20" + bytes(32), b"HTTP/1.1"):
        with connected(True, timeout=10) as (ws, wire):
            raw = socket.socket(fileno=socket.dup(wire.sock.fileno()))
            with raw:
                raw.sendall(garbage + bytes(70_000))
                with pytest.raises(websocket.WebSocketConnectionClosedException):
                    ws.recv()
                assert not ws.connected


@both_ways
@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999, None])
def test_our_reply_echoes_the_code(tls: bool, code: int | None) -> None:
    with connected(tls) as (ws, wire):
        wire.send(close_frame(code, "why" if code else "") + text("behind"))
        assert ws.recv() == ""
        assert ws.close_code == (code or 1005)
        assert ws.close_reason == ("why" if code else "")
        assert ws.exception() is None
        assert not ws.connected
        with pytest.raises(websocket.WebSocketConnectionClosedException) as caught:
            ws.recv()
        assert caught.value.status_code == code
        assert caught.value.reason == ("why" if code else None)
        ws.close()
        ws.close(1011)
        body = b"" if code is None else struct.pack("!H", code)
        assert wire.frames() == [(True, CLOSE, body)]


@both_ways
@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_one_close_frame_ever(tls: bool, first: str) -> None:
    with connected(tls) as (ws, wire):
        if first == "ours":
            ws.send_close(1000, "ours")
            assert not ws.connected
            with pytest.raises(websocket.WebSocketConnectionClosedException):
                ws.send("behind a close")
            wire.send(text("still comes") + close_frame(1000, "reply"))
            assert ws.recv() == "still comes"
            assert ws.recv() == ""
        else:
            wire.send(close_frame(4000))
            assert ws.recv() == ""
        for call in (lambda: ws.send_close(1001), lambda: ws.send(b"\x03\xe8", CLOSE)):
            with pytest.raises(websocket.WebSocketConnectionClosedException):
                call()
        ws.close()
        assert [seen.opcode for seen in wire.frames()] == [CLOSE]


@both_ways
def test_close_gets_the_peers_frame(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        closing = Task(lambda: ws.close(3001, "ours"))
        assert wire.next_frame() == (True, CLOSE, b"\x0b\xb9ours")
        wire.send(text("dropped") * 1000 + frame(TEXT, b"cut", False) + close_frame(3002, "theirs"))
        closing.result()
        assert (ws.close_code, ws.close_reason) == (3002, "theirs")
        assert ws.close_frame is not None
        assert ws.close_frame.data == b"\x0b\xbatheirs"
        wire.expect_end()


@both_ways
def test_data_sent_before_close_is_delivered(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        for number in range(100):
            ws.send(f"{number}")
        closing = Task(ws.close)
        assert [wire.next_frame().data for _ in range(100)] == [b"%d" % n for n in range(100)]
        assert wire.next_frame().opcode == CLOSE
        wire.send(close_frame())
        closing.result()


@pytest.mark.parametrize(
    "bad_close",
    [
        lambda ws: ws.close(999),
        lambda ws: ws.close(1005),
        lambda ws: ws.close(1000, "x" * 124),
        lambda ws: ws.send_close(5),
        lambda ws: ws.send_close(1000, "é" * 62),
    ],
)
def test_codes_and_reasons_that_cannot_travel(bad_close: Callable[[Any], None]) -> None:
    """ValueError before anything is sent; the connection is as it was."""
    with connected() as (ws, wire):
        with pytest.raises(ValueError, match=r"code|reason"):
            bad_close(ws)
        assert ws.connected
        ws.send("fine")
        assert wire.next_frame().data == b"fine"


def test_wrong_arguments_of_send_harm_nothing() -> None:
    with connected() as (ws, wire):
        for call in (
            lambda: ws.send(5),
            lambda: ws.send("x", 3),
            lambda: ws.send("x", 77),
            lambda: ws.ping("x" * 126),
            lambda: ws.send({"a": 1}),
            lambda: ws.send("ŝ", BINARY),
        ):
            with pytest.raises((TypeError, ValueError)):
                call()
        ws.set_mask_key(lambda size: b"abc")
        with pytest.raises(ValueError, match="4"):
            ws.send("x")
        ws.set_mask_key(None)
        assert ws.connected
        ws.send("fine")
        assert wire.next_frame().data == b"fine"


@both_ways
def test_connect_twice_closes_the_first_and_reuse_after_close_works(tls: bool) -> None:
    with Peer(tls) as peer:
        accepting = Task(peer.accept)
        ws = client(peer)
        first = accepting.result()
        accepting = Task(lambda: peer.accept(text("second")))
        ws.connect(peer.url)
        second = accepting.result()
        assert first.frames() == []
        assert ws.connected
        assert ws.recv() == "second"
        second.send(b"\xf1\x00")
        with pytest.raises(websocket.WebSocketProtocolException):
            ws.recv()
        accepting = Task(lambda: peer.accept(text("third")))
        ws.connect(peer.url)
        accepting.result()
        assert ws.connected
        assert ws.exception() is None
        assert ws.close_code is None
        assert ws.recv() == "third"
        ws.shutdown()


@both_ways
def test_without_autoping(tls: bool) -> None:
    with connected(tls, autoping=False, glued=frame(PING, b"?") + text("x")) as (ws, wire):
        assert ws.recv_data(True) == (PING, b"?")
        assert ws.recv() == "x"
        ws.pong("by hand")
        assert wire.next_frame().data == b"by hand"


@both_ways
def test_without_autoclose(tls: bool) -> None:
    with connected(tls, autoclose=False, glued=close_frame(4000, "?")) as (ws, wire):
        assert ws.recv_data() == (CLOSE, b"\x0f\xa0?")
        assert not ws.connected
        ws.send_close(4001)
        assert wire.frames() == [(True, CLOSE, b"\x0f\xa1")]
    with connected(tls, autoclose=False, glued=close_frame(4000)) as (ws, wire):
        assert ws.recv() == ""
        ws.close(4002)
        assert wire.frames() == [(True, CLOSE, b"\x0f\xa2")]


@both_ways
def test_raw_frames_are_not_answered(tls: bool) -> None:
    with connected(tls, glued=frame(PING, b"?") + close_frame()) as (ws, wire):
        assert ws.recv_frame().opcode == PING
        assert ws.recv_frame().opcode == CLOSE
        ws.shutdown()
        assert wire.frames() == []


@both_ways
def test_the_peers_reason_cannot_steer_a_terminal(tls: bool) -> None:
    """The message has it written out, the attributes as it came."""
    reason = "\x1b[2J\nERROR all is well \u202e\x9b1m"
    with connected(tls, glued=close_frame(4000, reason)) as (ws, _):
        assert ws.recv() == ""
        with pytest.raises(websocket.WebSocketConnectionClosedException) as caught:
            ws.recv()
        assert caught.value.reason == ws.close_reason == reason
        assert r"\x1b[2J\nERROR all is well \u202e\x9b1m" in str(caught.value)
        assert str(caught.value).isprintable()


@both_ways
def test_iteration_ends_with_a_normal_close_and_raises_otherwise(tls: bool) -> None:
    for code in (1000, 1001, None):
        with connected(tls, glued=text("a") + text("") + text("b") + close_frame(code)) as (ws, _):
            assert list(ws) == ["a", "", "b"]
    with connected(tls, glued=text("a") + close_frame(1011, "oops")) as (ws, _):
        messages = iter(ws)
        assert next(messages) == "a"
        with pytest.raises(websocket.WebSocketConnectionClosedException) as caught:
            next(messages)
        assert (caught.value.status_code, caught.value.reason) == (1011, "oops")
    with connected(tls, glued=text("a")) as (ws, wire):
        wire.hang_up()
        messages = iter(ws)
        assert next(messages) == "a"
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            next(messages)
        assert next(iter(["x"])) == "x"
    with connected(tls, glued=text("a")) as (ws, _):
        assert next(ws) == "a"


@both_ways
@pytest.mark.parametrize("error", [None, ValueError("x"), KeyboardInterrupt()])
def test_with_closes(tls: bool, error: BaseException | None) -> None:
    with connected(tls) as (ws, wire):
        answering = Task(lambda: (wire.next_frame(), wire.send(close_frame())))
        try:
            with ws:
                if error is not None:
                    raise error
        except BaseException as exc:
            assert exc is error
        seen = answering.result()[0]
        assert seen.data == (b"\x03\xe8" if error is None else b"\x03\xf3")
        assert ws.closed


@both_ways
def test_wait_closed_and_what_is_known_without_waiting(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        assert ws.wait_closed(0) is False
        assert ws.latency == 0.0
        assert (ws.close_code, ws.close_reason, ws.exception(), ws.closed) == (None,) * 3 + (False,)
        waiting = Task(lambda: ws.wait_closed(20))
        reader = blocked_reader(ws)
        assert ws.connected  # none of these waits for the reader
        assert ws.local_address[0] == ws.remote_address[0] == "127.0.0.1"
        wire.send(close_frame(4000))
        assert reader.result() == ""
        assert waiting.result() is True
        assert ws.wait_closed() is True
        assert ws.closed
