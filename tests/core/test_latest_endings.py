"""`ws.latest(n)` ends as `for message in ws` does, where it is iterated; or by `close()`."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from raw_peer import (
    CLOSE,
    PATIENCE,
    PING,
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
    stuck,
    text,
    until,
)

import websocket
from websocket import WebSocketConnectionClosedException, WebSocketException

ROOT = Path(__file__).resolve().parent.parent.parent


def _rest(ticks: Any) -> tuple[list[Any], WebSocketException | None]:
    """What is still handed out, and with what it ends."""
    seen: list[Any] = []
    try:
        for tick in ticks:
            seen.append(tick)
    except WebSocketException as exc:
        return seen, exc
    return seen, None


def _no_thread_left() -> None:
    until(lambda: not [t for t in threading.enumerate() if t.name == "websocket latest"])


@both_ways
@pytest.mark.parametrize("code", [1000, 1001, None])
def test_a_normal_close_ends_the_iteration_behind_what_was_kept(
    tls: bool, code: int | None
) -> None:
    with connected(tls) as (ws, wire):
        ticks = ws.latest(2)
        wire.send(text("a") + text("b") + text("c") + close_frame(code))
        _no_thread_left()
        assert _rest(ticks) == (["b", "c"], None)
        assert ticks.dropped == 1
        assert _rest(ticks) == ([], None)
        assert ws.close_code == (code or 1005)


@both_ways
def test_another_close_code_raises_behind_what_was_kept(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        ticks = ws.latest(2)
        wire.send(text("a") + close_frame(1013, "too many"))
        seen, exc = _rest(ticks)
        assert seen == ["a"]
        assert isinstance(exc, WebSocketConnectionClosedException)
        assert (exc.status_code, exc.reason) == (1013, "too many")
        assert _rest(ticks) == ([], None)
        _no_thread_left()


@both_ways
def test_a_lost_connection_raises(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        ticks = ws.latest(2)
        wire.send(text("a"))
        wire.hang_up()
        seen, exc = _rest(ticks)
        assert seen == ["a"]
        assert isinstance(exc, WebSocketConnectionClosedException)
        assert ws.close_code == 1006


def test_what_the_server_does_wrong_raises_and_the_server_is_told() -> None:
    with connected() as (ws, wire):
        ticks = ws.latest(2)
        wire.send(text("a") + frame(3))
        seen, exc = _rest(ticks)
        assert seen == ["a"]
        assert isinstance(exc, websocket.WebSocketProtocolException)
        assert wire.next_frame() == (True, CLOSE, b"\x03\xea")


def test_a_missed_pong_raises() -> None:
    with connected(ping_interval=0.1, ping_timeout=0.1) as (ws, wire):
        ticks = ws.latest(1)
        assert wire.next_frame().opcode == PING
        seen, exc = _rest(ticks)
        assert seen == []
        assert isinstance(exc, websocket.WebSocketTimeoutException)
        assert "ping/pong" in str(exc)


@both_ways
@pytest.mark.parametrize("flooded", [False, True], ids=["silent", "flooded"])
def test_close_of_the_connection_ends_the_iteration_in_another_thread(
    tls: bool, flooded: bool
) -> None:
    """Normally, if the server answers; wherever the thread was when we began."""
    with connected(tls) as (ws, wire), Stop() as stop:
        ticks = ws.latest(1)
        iterating = Task(lambda: _rest(ticks))
        if flooded:
            flooding = Task(lambda: wire.flood(text("tick") * 100, stop, PATIENCE))
            until(lambda: ticks.dropped > 1000)
        closing = Task(lambda: ws.close(timeout=PATIENCE))
        assert wire.next_frame() == (True, CLOSE, b"\x03\xe8")
        if flooded:
            stop.set()
            flooding.result()
        wire.send(close_frame(1000))
        closing.result()
        _, exc = iterating.result()
        assert exc is None
        _no_thread_left()


def test_close_of_the_connection_behind_a_message_on_its_way_ends_it_normally() -> None:
    """The thread waits, too, while our close frame has to wait for another thread's message."""
    with stuck(False) as (ws, wire):
        writer = blocked_writer(ws, 1 << 22)
        ticks = ws.latest(1)
        iterating = Task(lambda: _rest(ticks))
        closing = Task(lambda: ws.close(timeout=PATIENCE))
        time.sleep(0.5)  # more than twice as long as the thread waits at a time
        assert len(wire.next_frame().data) == 1 << 22
        assert writer.result() > 1 << 22
        assert wire.next_frame() == (True, CLOSE, b"\x03\xe8")
        wire.send(close_frame(1000))
        closing.result()
        assert iterating.result() == ([], None)


def test_close_of_the_connection_without_an_answer_raises() -> None:
    """As for `for message in ws`: nobody has said that this was the end of the feed."""
    with connected() as (ws, _):
        ticks = ws.latest(1)
        iterating = Task(lambda: _rest(ticks))
        ws.close(timeout=0.1)
        seen, exc = iterating.result()
        assert seen == []
        assert isinstance(exc, WebSocketConnectionClosedException)
        _no_thread_left()


@pytest.mark.parametrize("verb", ["shutdown", "abort"])
def test_shutdown_and_abort_end_it(verb: str) -> None:
    with connected() as (ws, _):
        ticks = ws.latest(1)
        iterating = Task(lambda: _rest(ticks))
        getattr(ws, verb)()
        assert isinstance(iterating.result()[1], WebSocketConnectionClosedException)
        _no_thread_left()


def test_connecting_anew_ends_it_and_the_new_connection_is_left_alone() -> None:
    with Peer() as first, Peer() as second:
        accepting = Task(first.accept)
        ws = client(first)
        accepting.result()
        ticks = ws.latest(1)
        accepting = Task(second.accept)
        ws.connect(second.url)
        wire = accepting.result()
        assert isinstance(_rest(ticks)[1], WebSocketConnectionClosedException)
        _no_thread_left()
        wire.send(text("new"))
        assert ws.recv() == "new"
        ws.shutdown()


def test_assigning_another_socket_ends_it() -> None:
    ours, theirs = socket.socketpair()
    with connected() as (ws, _), ours, theirs:
        ticks = ws.latest(1)
        iterating = Task(lambda: _rest(ticks))
        ws.sock = ours
        assert isinstance(iterating.result()[1], WebSocketConnectionClosedException)
        _no_thread_left()
        theirs.sendall(text("through the new one"))
        assert ws.recv() == "through the new one"


def test_the_block_ends_the_thread_when_an_exception_leaves_it() -> None:
    with connected() as (ws, _):
        with pytest.raises(KeyError), ws.latest(1):
            raise KeyError
        _no_thread_left()
        assert ws.connected


def test_close_does_not_wait_for_a_thread_that_reads_beside_it() -> None:
    """Somebody in `recv` keeps ours from the line; it ends as soon as it gets there."""
    with connected() as (ws, wire):
        reading = blocked_reader(ws)
        ticks = ws.latest(1)
        closing = Task(ticks.close)
        closing.result()
        assert reading.running
        assert list(ticks) == []
        wire.send(text("for recv") + text("for recv, too"))
        assert reading.result() == "for recv"
        _no_thread_left()
        assert ws.recv() == "for recv, too"


def test_a_signal_handler_may_close_what_its_thread_iterates() -> None:
    with connected() as (ws, _):
        ticks = ws.latest(1)
        before = signal.signal(signal.SIGUSR1, lambda *_: ticks.close())
        main = threading.get_ident()
        shelf: Any = ticks._shelf

        def interrupt() -> None:
            until(lambda: shelf.changed._waiters)
            signal.pthread_kill(main, signal.SIGUSR1)

        try:
            task = Task(interrupt)
            assert list(ticks) == []
            task.result()
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert ws.connected


def test_close_in_the_middle_of_a_step_of_the_same_thread_returns() -> None:
    """As a signal handler finds it: this thread is in the middle of taking a message."""
    with connected() as (ws, _):
        ticks = ws.latest(1)
        shelf: Any = ticks._shelf
        with shelf.changed:
            ticks.close()
        assert list(ticks) == []
        _no_thread_left()


def test_the_interpreter_exits_quietly_while_it_reads() -> None:
    program = (
        "import sys, websocket\n"
        "ws = websocket.create_connection(sys.argv[1])\n"
        "ticks = ws.latest(1)\n"
        "print(next(ticks))\n"
    )
    with Peer() as peer:
        accepting = Task(peer.accept)
        started = subprocess.Popen(
            [sys.executable, "-c", program, peer.url],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        accepting.result().send(text("tick"))
        assert started.communicate(timeout=PATIENCE) == ("tick\n", "")
        assert started.returncode == 0
