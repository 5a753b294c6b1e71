"""Sentences 5 and 6 about threads: waking is a raw shutdown, the last one out closes."""

from __future__ import annotations

import gc
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest
from raw_peer import (
    CLOSE,
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

_ROOT = Path(__file__).resolve().parents[2]


def _descriptor(ws: websocket.WebSocket) -> int:
    """Without opening the hatch."""
    connection: Any = ws._connection
    number: int = connection.stream.socket.fileno()
    return number


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


@both_ways
@pytest.mark.parametrize("waiting", [False, True], ids=["nothing waits", "data wait"])
def test_the_users_own_shutdown_means_closed(tls: bool, waiting: bool) -> None:
    """Over TLS no byte that was under way may come out as a message, least of all ciphertext."""
    with connected(tls) as (ws, wire):
        sock = ws.sock
        if waiting:
            wire.send(text("never") * 10)
            until(lambda: _readable(sock))
        sock.shutdown(socket.SHUT_RDWR)
        received, error = receive_all(ws)
        assert isinstance(error, websocket.WebSocketConnectionClosedException)
        assert received == ([] if tls or not waiting else ["never"] * 10)
        assert not ws.connected


def _readable(sock: Any) -> bool:
    import select

    return bool(select.select([sock], [], [], 0)[0])


@both_ways
def test_the_users_shutdown_wakes_a_reader(tls: bool) -> None:
    with connected(tls) as (ws, _):
        sock = ws.sock
        reader = blocked_reader(ws)
        sock.shutdown(socket.SHUT_RDWR)
        assert isinstance(reader.exception(), websocket.WebSocketConnectionClosedException)


@both_ways
def test_the_users_close_of_the_socket_means_closed(tls: bool) -> None:
    with connected(tls) as (ws, _):
        ws.sock.close()
        for call in (ws.recv, lambda: ws.recv(timeout=1), lambda: ws.send("x")):
            with pytest.raises(websocket.WebSocketConnectionClosedException):
                call()


@both_ways
def test_a_reader_inside_closes_the_descriptor_on_leaving(tls: bool) -> None:
    """Not the thread that calls `shutdown`: the number must not be given away under a reader."""
    with connected(tls) as (ws, _):
        number = _descriptor(ws)
        connection: Any = ws._connection
        order: list[str] = []
        close = connection.stream.close
        in_read = connection.stream.read

        class Stream:
            def __getattr__(self, name: str) -> Any:
                return getattr(below, name)

            def read(self, *args: Any) -> bytes:
                try:
                    return in_read(*args)  # type: ignore[no-any-return]
                finally:
                    order.append("left")

            def close(self) -> None:
                order.append("closed")
                close()

        below = connection.stream
        connection.move_to(Stream())
        connection._source = None  # nor a way around it
        reader = blocked_reader(ws)
        ws.shutdown()
        assert isinstance(reader.exception(), ConnectionError)
        assert order == ["left", "closed"]
        assert not _is_open(number)


@both_ways
@pytest.mark.parametrize("inside", ["nobody", "reader", "writer", "both"])
@pytest.mark.parametrize("how", ["close", "shutdown", "peer"])
def test_the_descriptor_is_closed_whoever_was_inside(tls: bool, inside: str, how: str) -> None:
    with stuck(tls) as (ws, wire):
        number = _descriptor(ws)
        tasks: list[Task[Any]] = []
        if inside in ("writer", "both"):
            tasks.append(blocked_writer(ws))
        if inside in ("reader", "both"):
            tasks.append(blocked_reader(ws))
        if how == "close":
            ws.close(timeout=0.1)
        elif how == "shutdown":
            ws.shutdown()
        else:
            wire.reset()
            assert isinstance(receive_all(ws).error, websocket.WebSocketConnectionClosedException)
        for task in tasks:
            assert isinstance(task.exception(), ConnectionError)
        until(lambda: not _is_open(number))


@both_ways
def test_no_thread_touches_a_recycled_descriptor(tls: bool) -> None:
    """Numbers that become free are taken at once by sockets full of bait; nobody may swallow it."""
    for _ in range(30):
        with connected(tls) as (ws, wire), Stop() as stop:
            number = _descriptor(ws)
            tasks: list[Task[Any]] = [Task(lambda: _read_on(ws)) for _ in range(3)]
            tasks += [Task(lambda: _send_on(ws)) for _ in range(2)]
            feeding = Task(lambda: wire.flood(text("x") * 20, stop))
            draining = Task(wire.frames)
            ending = [Task(lambda: ws.close(timeout=0)), Task(ws.shutdown), Task(ws.abort)]
            until(lambda n=number: not _is_open(n))
            left, right = socket.socketpair()
            with left, right:
                for end in (left, right):
                    end.send(b"bait")
                for task in tasks:
                    assert isinstance(task.exception(), websocket.WebSocketException)
                for task in ending:
                    task.result()
                for end in (left, right):
                    end.settimeout(1)
                    assert end.recv(10) == b"bait"
            stop.set()
            feeding.result()
            wire.hang_up()
            draining.exception()


def _read_on(ws: websocket.WebSocket) -> None:
    while ws.recv():
        pass
    raise websocket.WebSocketConnectionClosedException("the peer's close")


def _send_on(ws: websocket.WebSocket) -> None:
    while True:
        ws.send("data")


@both_ways
def test_the_peers_close_frees_the_descriptor_at_once(tls: bool) -> None:
    """websocket-client leaks it then (contract: `recv` returns "", nobody calls `shutdown`)."""
    with connected(tls) as (ws, wire):
        number = _descriptor(ws)
        wire.send(close_frame(1000))
        assert ws.recv() == ""
        assert not _is_open(number)
        assert [seen.opcode for seen in wire.frames()] == [CLOSE]


@both_ways
def test_dropping_the_last_reference_closes_at_once(tls: bool) -> None:
    """Without the cyclic collector, without a warning, and without a word to the peer."""
    with Peer(tls) as peer:
        gc.collect()
        gc.disable()
        try:
            accepting = Task(peer.accept)
            ws = client(peer)
            wire = accepting.result()
            ws.send("x")
            wire.next_frame()
            number = _descriptor(ws)
            gone = weakref.ref(ws._connection)  # type: ignore[arg-type]
            del ws
            assert gone() is None
            assert not _is_open(number)
            assert wire.frames() == []
        finally:
            gc.enable()


@both_ways
@pytest.mark.parametrize("use", ["fileno", "glance", "error", "wait", "failed"])
def test_dropping_it_closes_whatever_it_was_used_for(tls: bool, use: str) -> None:
    with Peer(tls) as peer:
        gc.collect()
        gc.disable()
        try:
            accepting = Task(lambda: peer.accept(b"\xf0\x00" if use == "failed" else b""))
            ws = client(peer)
            accepting.result()
            number = _descriptor(ws)
            if use == "fileno":
                assert ws.fileno() == number
            elif use == "glance":
                assert ws.sock.getpeername()
                ws.sock.settimeout(3)
            elif use == "error":
                try:
                    ws.recv(timeout=0.01)
                except websocket.WebSocketTimeoutException:
                    pass
            elif use == "wait":
                assert not ws.wait_closed(0.01)
            else:
                try:
                    ws.recv()
                except websocket.WebSocketProtocolException:
                    pass
                assert isinstance(ws.exception(), websocket.WebSocketProtocolException)
            del ws
            assert not _is_open(number)
        finally:
            gc.enable()


@both_ways
def test_a_socket_that_the_program_holds_is_left_alone(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        sock = ws.sock
        ws._connection = None
        gc.collect()
        assert _is_open(sock.fileno())
        sock.sendall(frame(0, b"raw"))
        assert wire.take(5) == frame(0, b"raw")
        wire.send(b"answer")
        assert sock.recv(6) == b"answer"
        assert isinstance(sock, ssl.SSLSocket) is tls
        sock.close()


def test_a_socket_of_the_users_own_is_left_alone() -> None:
    left, right = socket.socketpair()
    with left, right:
        ws = websocket.WebSocket()
        ws.sock = left
        right.sendall(text("x"))
        assert ws.recv() == "x"
        del ws
        assert left.fileno() >= 0


@both_ways
def test_a_forked_child_does_not_cut_its_parent_off(tls: bool) -> None:
    """It drops its copy, collects, exits: the parent's connection does not notice."""
    with connected(tls, glued=text("glued")) as (ws, wire):
        wire.send(text("before the fork"))
        assert ws.recv() == "glued"
        pid = os.fork()
        if pid == 0:
            try:
                ws._connection = None
                gc.collect()
            finally:
                os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert ws.recv() == "before the fork"
        ws.send("after the fork")
        assert wire.next_frame().data == b"after the fork"
        wire.send(text("and back"))
        assert ws.recv() == "and back"


_PROGRAM = """
import gc, sys, threading, time
sys.path[:0] = [{root!r}, {tests!r}]
from raw_peer import Peer, Task, client, is_reading, until
with Peer({tls}) as peer:
    for number in range(3):
        accepting = Task(peer.accept)
        ws = client(peer)
        wire = accepting.result()
        ws.send("x")
        if number == 1:
            ws.sock.settimeout(3)
        del ws
        wire.hang_up()
    accepting = Task(peer.accept)
    kept = client(peer)
    wire = accepting.result()
{ending}
"""

_ENDINGS = {
    "kept at the end": "",
    "a daemon reads": """
    threading.Thread(target=kept.recv, daemon=True).start()
    until(lambda: is_reading(kept))
    sys.stdout.write("ends\\n"); sys.stdout.flush()
    wire = None
    import os
    peer._wires.clear()
    keep = (peer, accepting)
    peer.__class__.__exit__ = lambda *_: peer._listener.close()
""",
    "in a cycle": "    kept.myself = kept; del kept; gc.collect()",
}


@both_ways
@pytest.mark.parametrize("ending", _ENDINGS)
def test_no_resource_warning(tls: bool, ending: str) -> None:
    """Also on interpreter exit, with a daemon that still reads; and the exit is quick."""
    program = _PROGRAM.format(
        root=str(_ROOT), tests=str(_ROOT / "tests"), tls=tls, ending=_ENDINGS[ending]
    )
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error::ResourceWarning", "-c", program],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    # What the tests' own peer leaves open when the interpreter goes is not ours to judge.
    ours = [line for line in done.stderr.splitlines() if "laddr" in line and "raddr" in line]
    assert done.returncode == 0, done.stderr
    if ending != "a daemon reads":
        assert done.stderr == ""
    assert ours == [] or ending == "a daemon reads"
    assert time.monotonic() - begin < 30


def test_threads_that_end_together_close_once() -> None:
    """The end found by many at once: one close of the descriptor, and no complaint."""
    for _ in range(100):
        with connected(glued=close_frame()) as (ws, _):
            barrier = threading.Barrier(4)

            def end(call: Any, barrier: threading.Barrier = barrier) -> Any:
                barrier.wait(20)
                return call()

            number = _descriptor(ws)
            tasks = [
                Task(lambda c=call: end(c)) for call in (ws.recv, ws.close, ws.shutdown, ws.recv)
            ]
            for task in tasks:
                exc = task.exception()
                assert exc is None or isinstance(exc, websocket.WebSocketException), repr(exc)
            until(lambda n=number: not _is_open(n))
