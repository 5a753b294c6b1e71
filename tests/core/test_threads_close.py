"""Sentence 4 about threads: `close` from anywhere, by its deadline, whatever the others do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from raw_peer import (
    BINARY,
    CLOSE,
    TEXT,
    Stop,
    Task,
    Wire,
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

_SLACK = 0.5 * 3
_AFTERWARDS = 1.0 * 3
"""Seconds of the promises; three times as much, since machines that run tests are busy."""


@contextmanager
def _silent(wire: Wire) -> Iterator[None]:
    yield


@contextmanager
def _flooding(wire: Wire) -> Iterator[None]:
    with Stop() as stop:
        Task(lambda: wire.flood(text("flood" * 20) * 100, stop))
        yield


@contextmanager
def _pinging(wire: Wire) -> Iterator[None]:
    with Stop() as stop:
        Task(lambda: wire.flood(frame(9, b"ping") * 500, stop))
        yield


@contextmanager
def _dripping(wire: Wire) -> Iterator[None]:
    with Stop() as stop:
        Task(lambda: wire.drip(frame(BINARY, bytes(60_000)), stop, 0.02))
        yield


@contextmanager
def _dripping_fragments(wire: Wire) -> Iterator[None]:
    with Stop() as stop:
        wire.send(frame(TEXT, b"begin", False))
        Task(lambda: wire.flood(frame(0, b"", False), stop))
        yield


_PeerKind = Callable[[Wire], AbstractContextManager[None]]
_PEERS: list[Any] = [_silent, _flooding, _pinging, _dripping, _dripping_fragments]
peers = pytest.mark.parametrize("peer", _PEERS, ids=[p.__name__[1:] for p in _PEERS])


def _close_in_time(ws: websocket.WebSocket, timeout: float) -> float:
    begin = time.monotonic()
    ws.close(timeout=timeout)
    took = time.monotonic() - begin
    assert took < timeout + _SLACK
    assert not ws.connected
    assert ws.closed
    return time.monotonic()


def _ends_soon(task: Task[object], closed_at: float) -> None:
    exc = task.exception()
    assert isinstance(exc, websocket.WebSocketConnectionClosedException), repr(exc)
    assert task.ended_at - closed_at < _AFTERWARDS


def _reads_for_ever(ws: websocket.WebSocket) -> Callable[[], None]:
    def read() -> None:
        while True:
            ws.recv()

    return read


@both_ways
@peers
def test_close_alone(tls: bool, peer: _PeerKind) -> None:
    with connected(tls) as (ws, wire), peer(wire):
        _close_in_time(ws, 0.5)


@both_ways
@peers
def test_close_while_another_thread_reads(tls: bool, peer: _PeerKind) -> None:
    with connected(tls) as (ws, wire), peer(wire):
        reader = blocked_reader(ws, _reads_for_ever(ws))
        _ends_soon(reader, _close_in_time(ws, 0.5))


@both_ways
@peers
def test_close_while_another_thread_is_stuck_in_a_send(tls: bool, peer: _PeerKind) -> None:
    with stuck(tls) as (ws, wire):
        writer = blocked_writer(ws)
        with peer(wire):
            _ends_soon(writer, _close_in_time(ws, 0.5))


@both_ways
@peers
def test_close_while_others_read_and_send(tls: bool, peer: _PeerKind) -> None:
    with stuck(tls) as (ws, wire):
        writer = blocked_writer(ws)
        with peer(wire):
            reader = blocked_reader(ws, _reads_for_ever(ws))
            closed_at = _close_in_time(ws, 0.5)
            _ends_soon(reader, closed_at)
            _ends_soon(writer, closed_at)


@both_ways
def test_close_of_a_connection_whose_buffers_are_full(tls: bool) -> None:
    """Nobody is inside, but there is no room for the close frame."""
    with stuck(tls) as (ws, wire):
        ws.settimeout(0)
        wire.send(frame(9, b"x" * 100) * 20_000 + text("x"))
        while True:
            try:
                assert ws.recv() == "x"
                break
            except websocket.WebSocketTimeoutException:
                time.sleep(0.01)
        _close_in_time(ws, 0.3)


@both_ways
def test_the_reader_inside_sees_the_reply_for_close(tls: bool) -> None:
    """No waiting for the deadline when the peer answers at once."""
    with connected(tls) as (ws, wire):
        reader = blocked_reader(ws)
        closing = Task(lambda: ws.close(timeout=20))
        assert wire.next_frame() == (True, CLOSE, b"\x03\xe8")
        wire.send(text("too late") + close_frame(1000, "bye"))
        closing.result(10)
        try:
            assert reader.result() == ""
        except websocket.WebSocketConnectionClosedException:
            pass
        assert (ws.close_code, ws.close_reason) == (1000, "bye")
        assert ws.close_frame is not None
        assert ws.close_frame.data == b"\x03\xe8bye"


@both_ways
def test_many_closes_at_once(tls: bool) -> None:
    """One close frame on the wire, and each call within its own time."""
    with connected(tls) as (ws, wire):
        reader = blocked_reader(ws)
        barrier = threading.Barrier(6)

        def close(timeout: float) -> None:
            barrier.wait(20)
            _close_in_time(ws, timeout)

        tasks = [Task(lambda t=t: close(t)) for t in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)]
        for task in tasks:
            task.result()
        assert isinstance(reader.exception(), ConnectionError)
        assert [seen.opcode for seen in wire.frames()] == [CLOSE]


@both_ways
def test_many_readers_and_writers_end(tls: bool) -> None:
    with stuck(tls) as (ws, _):
        tasks: list[Task[object]] = [Task(_reads_for_ever(ws)) for _ in range(4)]
        tasks.append(blocked_writer(ws))
        tasks += [Task(lambda: ws.send_bytes(bytes(1000))) for _ in range(4)]
        closed_at = _close_in_time(ws, 0.3)
        for task in tasks:
            _ends_soon(task, closed_at)


@both_ways
def test_a_thread_that_waits_for_anothers_fragments_ends(tls: bool) -> None:
    """It waits for no socket: the end has to reach it all the same."""
    with connected(tls) as (ws, wire):
        begun, go_on = threading.Event(), threading.Event()

        def parts() -> Iterator[str]:
            yield "one"
            begun.set()
            go_on.wait(20)
            yield "two"

        sender = Task(lambda: ws.send(parts()))
        begun.wait(20)
        waiting = Task(lambda: ws.send("waits for its turn"))
        time.sleep(0.05)
        assert waiting.running
        _ends_soon(waiting, _close_in_time(ws, 0.2))
        go_on.set()
        assert isinstance(sender.exception(), ConnectionError)
        assert [seen.opcode for seen in wire.frames()] == [TEXT, CLOSE]


@both_ways
def test_waiters_for_the_end_and_for_pongs_end(tls: bool) -> None:
    with connected(tls) as (ws, _):
        waiter = ws.ping("unanswered")
        for_pong = Task(waiter.wait)
        for_end = Task(ws.wait_closed)
        closed_at = _close_in_time(ws, 0.2)
        _ends_soon(for_pong, closed_at)
        assert for_end.result() is True


@both_ways
def test_shutdown_ends_everybody_at_once(tls: bool) -> None:
    with stuck(tls) as (ws, _):
        writer = blocked_writer(ws)
        reader = blocked_reader(ws)
        begin = time.monotonic()
        ws.shutdown()
        assert time.monotonic() - begin < _SLACK
        _ends_soon(reader, begin)
        _ends_soon(writer, begin)


@both_ways
def test_abort_wakes_the_reader(tls: bool) -> None:
    with connected(tls) as (ws, _):
        reader = blocked_reader(ws)
        begin = time.monotonic()
        ws.abort()
        _ends_soon(reader, begin)


@both_ways
def test_close_calls_a_connect_in_another_thread_off(tls: bool) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:  # it never answers
        ws = websocket.WebSocket()
        url = f"{'wss' if tls else 'ws'}://127.0.0.1:{listener.getsockname()[1]}/"
        connecting = Task(lambda: ws.connect(url))
        accepted, _ = listener.accept()
        with accepted:
            accepted.recv(1)
            begin = time.monotonic()
            ws.close()
            _ends_soon(connecting, begin)
