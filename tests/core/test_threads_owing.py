"""Sentence 3 about threads: nobody but the caller of a send verb ever waits to write."""

from __future__ import annotations

import resource
import threading
import time
from typing import Any

import pytest
from raw_peer import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Stop,
    Task,
    blocked_reader,
    blocked_writer,
    both_ways,
    close_frame,
    connected,
    frame,
    stuck,
    text,
)

import websocket


@both_ways
def test_a_pong_does_not_wait_for_a_stuck_writer(tls: bool) -> None:
    """The reader gets what is behind the ping; the pong follows the writer's frame."""
    with stuck(tls, timeout=30) as (ws, wire):
        writer = blocked_writer(ws)
        wire.send(frame(PING, b"first") + frame(PING, b"newest") + text("behind"))
        assert ws.recv() == "behind"
        assert writer.running
        large = wire.next_frame()
        assert (large.opcode, len(large.data)) == (BINARY, 8 << 20)
        assert wire.next_frame() == (True, PONG, b"newest")  # RFC 6455 5.5.3: only the newest
        writer.result()


@both_ways
def test_a_close_reply_does_not_wait_for_a_stuck_writer(tls: bool) -> None:
    with stuck(tls, timeout=30) as (ws, wire):
        writer = blocked_writer(ws)
        wire.send(close_frame(4001, "enough"))
        assert ws.recv() == ""
        assert writer.running
        assert len(wire.next_frame().data) == 8 << 20
        assert wire.next_frame() == (True, CLOSE, b"\x0f\xa1")
        writer.result()
        wire.expect_end()


@both_ways
def test_what_is_owed_goes_before_the_next_message(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        lock: Any = ws.lock
        holding, let_go = threading.Event(), threading.Event()

        def hold() -> None:
            with lock:
                holding.set()
                let_go.wait(20)

        holder = Task(hold)
        holding.wait(20)
        wire.send(frame(PING, b"owed") + text("x"))
        assert ws.recv() == "x"
        let_go.set()
        holder.result()
        ws.send("data")
        assert [wire.next_frame(), wire.next_frame()] == [
            (True, PONG, b"owed"),
            (True, TEXT, b"data"),
        ]


@both_ways
def test_a_waiting_reader_pays_as_soon_as_there_is_room(tls: bool) -> None:
    """Nobody sends any more: the reader itself has to notice that the peer reads again."""
    with stuck(tls, timeout=0.3) as (ws, wire):
        connection: Any = ws._connection
        for number in range(100_000):
            wire.send(frame(PING, b"%0100d" % number) + text("go on"))
            assert ws.recv(timeout=20) == "go on"
            if connection._owed or connection.stream.unsent:
                break
        assert connection._owed or connection.stream.unsent
        for number in range(3):
            wire.send(frame(PING, b"last %d" % number))
        ws.settimeout(20)
        reader = blocked_reader(ws)
        while wire.next_frame() != (True, PONG, b"last 2"):
            pass
        assert reader.running
        wire.send(text("end"))
        assert reader.result() == "end"


@both_ways
def test_a_flood_of_pings_from_a_peer_that_never_reads(tls: bool) -> None:
    """100,000 pings: the reader still gets the text behind them, and memory does not grow."""
    with stuck(tls, timeout=30) as (ws, wire):
        pings = b"".join(frame(PING, b"%0120d" % number) for number in range(1000))
        for _ in range(5):
            wire.send(pings)
        wire.send(text("warm"))
        assert ws.recv() == "warm"
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        def flood() -> None:
            for _ in range(100):
                wire.send(pings)
            wire.send(text("behind the flood"))

        flooding = Task(flood)
        assert ws.recv() == "behind the flood"
        flooding.result()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 8 << 10, f"{grown} KiB"
        connection: Any = ws._connection
        assert len(connection._owed) <= 1
        if not tls:
            assert len(connection.stream.unsent) < 200


@both_ways
def test_a_reader_does_not_spin_while_somebody_keeps_the_write_lock(tls: bool) -> None:
    """Something is owed, the socket is writable, and yet there is nothing to do."""
    with connected(tls) as (ws, wire):
        with ws.lock:
            spent: list[float] = []

            def read() -> Any:
                begin = time.thread_time()
                try:
                    return ws.recv()
                finally:
                    spent.append(time.thread_time() - begin)

            wire.send(frame(PING, b"owed"))
            reader = blocked_reader(ws, read)
            connection: Any = ws._connection
            while not connection._owed:
                time.sleep(0.01)
            time.sleep(1.0)
            wire.send(text("done"))
            assert reader.result() == "done"
            assert spent[0] < 0.5
        ws.send("x")
        assert wire.next_frame() == (True, PONG, b"owed")


@both_ways
def test_what_is_owed_while_others_hold_the_lock_is_not_forgotten(tls: bool) -> None:
    """Threads that owe meet in the lock; each debt is paid by one of them, with no other event."""
    with connected(tls) as (ws, wire):
        connection: Any = ws._connection
        for turn in range(300):
            barrier = threading.Barrier(2)

            def owe(opcode: int, data: bytes, barrier: threading.Barrier = barrier) -> None:
                barrier.wait(20)
                connection.owe(opcode, data)

            payload = b"%d" % turn
            tasks = [Task(lambda p=payload: owe(PING, p)), Task(lambda p=payload: owe(PONG, p))]
            seen = {wire.next_frame().opcode, wire.next_frame().opcode}
            assert seen == {PING, PONG}
            for task in tasks:
                task.result()


@both_ways
def test_send_waits_only_as_long_as_the_timeout_says(tls: bool) -> None:
    with stuck(tls, timeout=0.3) as (ws, _):
        begin = time.monotonic()
        with pytest.raises(websocket.WebSocketTimeoutException):
            ws.send_bytes(bytes(8 << 20))
        assert 0.25 < time.monotonic() - begin < 5
        assert not ws.connected


@both_ways
def test_pongs_flow_while_messages_are_received_without_end(tls: bool) -> None:
    with connected(tls, timeout=20) as (ws, wire), Stop() as stop:
        flooding = Task(lambda: wire.flood(text("data") * 50 + frame(PING, b"!"), stop))
        answers = Task(lambda: [wire.next_frame() for _ in range(20)])
        while answers.running:
            assert ws.recv() == "data"
        assert answers.result() == [(True, PONG, b"!")] * 20
        stop.set()
        ending = Task(lambda: (flooding.result(), wire.send(text("end"))))
        while ws.recv() != "end":
            pass
        assert ending.result()[0] > 0
