"""Time: a deadline for `recv(timeout=)`, silence for `settimeout`, and nothing is ever lost."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest
from raw_peer import (
    BINARY,
    PING,
    TEXT,
    Stop,
    Task,
    both_ways,
    connected,
    frame,
    stuck,
    text,
)

import websocket


def _times_out(call: Any, at_least: float, at_most: float) -> None:
    begin = time.monotonic()
    with pytest.raises(websocket.WebSocketTimeoutException) as caught:
        call()
    took = time.monotonic() - begin
    assert isinstance(caught.value, TimeoutError)
    assert at_least * 0.95 <= took < at_most


@both_ways
@pytest.mark.parametrize("what", ["silence", "drip", "pings", "fragments", "tiny pings"])
def test_recv_timeout_is_a_deadline(tls: bool, what: str) -> None:
    """Whatever trickles or pours in; +0.25 s is the promise, three times that is tested."""
    with connected(tls) as (ws, wire), Stop() as stop:
        if what == "drip":
            Task(lambda: wire.drip(frame(BINARY, bytes(60_000)), stop, 0.02))
        elif what == "pings":
            Task(lambda: wire.flood(frame(PING, b"p" * 100) * 100, stop))
            Task(wire.frames)
        elif what == "tiny pings":
            Task(lambda: wire.flood(frame(PING) * 30_000, stop))
            Task(wire.frames)
        elif what == "fragments":
            wire.send(frame(TEXT, b"", False))
            Task(lambda: wire.flood(frame(0, b"x", False) * 100, stop))
        for timeout in (0.2, 0.4):
            _times_out(lambda t=timeout: ws.recv(timeout=t), timeout, timeout + 0.75)
        stop.set()
        ws.shutdown()


@both_ways
def test_timeouts_lose_nothing(tls: bool) -> None:
    """At every step of a stream that comes byte by byte, in messages long and short."""
    stream = text("short") + frame(TEXT, b"in ", False) + frame(PING, b"?") + frame(0, b"parts")
    with connected(tls) as (ws, wire):
        received: list[Any] = []
        for byte in stream:
            wire.send(bytes((byte,)))
            try:
                received.append(ws.recv(timeout=0.01))
            except websocket.WebSocketTimeoutException:
                pass
        while len(received) < 2:
            received.append(ws.recv(timeout=10))
        assert received == ["short", "in parts"]
        assert wire.next_frame().data == b"?"


@both_ways
def test_settimeout_is_the_longest_silence(tls: bool) -> None:
    """Any byte counts: a message that drips for longer than the timeout arrives."""
    with connected(tls, timeout=0.6) as (ws, wire), Stop() as stop:
        Task(lambda: wire.drip(text("slow and steady"), stop, 0.1))
        begin = time.monotonic()
        assert ws.recv() == "slow and steady"
        assert time.monotonic() - begin > 0.6
        _times_out(ws.recv, 0.6, 3)


@both_ways
def test_timeout_zero_would_block(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        ws.settimeout(0)
        with pytest.raises(websocket.WebSocketWouldBlockException) as caught:
            ws.recv()
        assert isinstance(caught.value, BlockingIOError)
        assert isinstance(caught.value, websocket.WebSocketTimeoutException)
        ws.send("does not wait")
        assert wire.next_frame().data == b"does not wait"
        wire.send(frame(PING, b"?") + text("x"))
        while True:
            try:
                assert ws.recv() == "x"
                break
            except websocket.WebSocketWouldBlockException:
                time.sleep(0.005)
        assert wire.next_frame().data == b"?"


@both_ways
def test_timeout_zero_would_block_while_something_is_owed(tls: bool) -> None:
    with stuck(tls) as (ws, wire):
        ws.settimeout(0)
        wire.send(frame(PING, b"x" * 100) * 5000 + text("x"))
        connection: Any = ws._connection
        while True:
            try:
                assert ws.recv() == "x"
                break
            except websocket.WebSocketWouldBlockException:
                time.sleep(0.005)
        assert connection._owed or connection.stream.unsent
        with pytest.raises(websocket.WebSocketWouldBlockException):
            ws.recv()


@both_ways
@pytest.mark.parametrize("timeout", [0.01, 0, -1])
def test_recv_with_little_time_takes_what_is_there(tls: bool, timeout: float) -> None:
    with connected(tls, glued=text("one") + text("two")) as (ws, _):
        assert ws.recv(timeout=timeout) == "one"
        assert ws.recv(timeout=timeout) == "two"
        with pytest.raises(websocket.WebSocketTimeoutException):
            ws.recv(timeout=timeout)


@both_ways
def test_recv_timeout_holds_although_the_sockets_own_is_shorter_or_longer(tls: bool) -> None:
    with connected(tls) as (ws, _):
        ws.settimeout(0.1)
        _times_out(lambda: ws.recv(timeout=0.4), 0.4, 3)
        ws.settimeout(30)
        _times_out(lambda: ws.recv(timeout=0.2), 0.2, 3)


@both_ways
@pytest.mark.parametrize("timeout", [0.2, 0])
def test_a_send_that_times_out_half_way_kills_the_connection(tls: bool, timeout: float) -> None:
    """Nothing may follow half a frame: not a message, not a pong, not a close."""
    with stuck(tls) as (ws, wire):
        ws.settimeout(timeout)
        with pytest.raises(websocket.WebSocketTimeoutException):
            ws.send_bytes(b"x" * (8 << 20))
        assert not ws.connected
        assert ws.closed
        assert isinstance(ws.exception(), websocket.WebSocketTimeoutException)
        for call in (lambda: ws.send("more"), lambda: ws.ping(), ws.recv, lambda: ws.pong("!")):
            with pytest.raises(websocket.WebSocketConnectionClosedException):
                call()
        ws.close()
        assert wire.frames() == []


def test_a_send_that_times_out_before_its_first_byte_harms_nothing() -> None:
    """Over TLS it cannot be taken back: its record has a number (see the test above)."""
    with stuck(False, timeout=0.1) as (ws, wire):
        sent, refused = 0, 0
        while refused < 3:  # the kernels take a little more each time, then no more
            try:
                ws.send_bytes(b"x")
                sent += 1
            except websocket.WebSocketTimeoutException:
                if not ws.connected:
                    pytest.skip("the kernel took half a frame")
                refused += 1
        assert ws.connected
        reading = Task(lambda: [wire.next_frame().data for _ in range(sent + 1)])
        ws.settimeout(20)
        ws.send("and now")
        assert reading.result() == [b"x"] * sent + [b"and now"]


@both_ways
def test_a_send_may_take_longer_than_the_timeout_while_the_link_is_not_silent(tls: bool) -> None:
    with stuck(tls, timeout=0.7) as (ws, wire):
        sending = Task(lambda: ws.send_bytes(bytes(600_000)))

        def sip() -> None:
            for _ in range(12):
                time.sleep(0.1)
                wire.take(40_000)

        sip()
        while sending.running:  # it may be through between this look and the next bite
            with suppress(TimeoutError):
                wire.take(1000, 0.2)
        assert sending.result() > 600_000


@both_ways
def test_timeouts_over_tls_records_that_are_cut(tls: bool) -> None:
    """The peer's bytes stop in the middle of a frame, again and again."""
    with connected(tls) as (ws, wire):
        payload = bytes(range(256)) * 400
        whole = frame(BINARY, payload) * 3
        received: list[Any] = []
        for begin in range(0, len(whole), 9_973):
            wire.send(whole[begin : begin + 9_973])
            try:
                received.append(ws.recv(timeout=0.02))
            except websocket.WebSocketTimeoutException:
                pass
        while len(received) < 3:
            received.append(ws.recv(timeout=10))
        assert received == [payload] * 3
