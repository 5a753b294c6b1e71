"""The hatch: who watches the descriptor is never left waiting for a message that has arrived."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from raw_peer import (
    BINARY,
    PING,
    TEXT,
    Task,
    Wire,
    blocked_reader,
    both_ways,
    connected,
    frame,
    receive_all,
    text,
    until,
)

import websocket

_Watch = Callable[[websocket.WebSocket, float], bool]


def _by_sock(ws: websocket.WebSocket, seconds: float) -> bool:
    """As kubernetes' client: `pending()` first where it is TLS, then poll the socket."""
    sock = ws.sock
    if isinstance(sock, ssl.SSLSocket) and sock.pending():
        return True
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _by_fileno(ws: websocket.WebSocket, seconds: float) -> bool:
    return _pending(ws) or bool(select.select([ws.fileno()], [], [], seconds)[0])


def _by_itself(ws: websocket.WebSocket, seconds: float) -> bool:
    return _pending(ws) or bool(select.select([ws], [], [], seconds)[0])


def _pending(ws: websocket.WebSocket) -> bool:
    return isinstance(ws.sock, ssl.SSLSocket) and ws.sock.pending() > 0


watchers = pytest.mark.parametrize("watch", [_by_sock, _by_fileno, _by_itself])


def _read_watching(ws: websocket.WebSocket, watch: _Watch, messages: list[str]) -> None:
    for message in messages:
        assert watch(ws, 10), f"{message} has arrived and does not show"
        assert ws.recv(timeout=10) == message
    if messages:
        assert not watch(ws, 0), "nothing is there and yet it shows"


@both_ways
@watchers
@pytest.mark.parametrize("before", [0, 1, 16, 100])
def test_watching_from_any_message_on(tls: bool, watch: _Watch, before: int) -> None:
    """All in one segment, or in one TLS record, read ahead or not by then."""
    with connected(tls) as (ws, wire):
        messages = [f"message {number}" for number in range(before + 50)]
        wire.send(b"".join(map(text, messages)))
        for message in messages[:before]:
            assert ws.recv() == message
        _read_watching(ws, watch, messages[before:])
        wire.send(text("one more"))
        _read_watching(ws, watch, ["one more"])


@both_ways
@watchers
@pytest.mark.parametrize("before", [0, 1, 3])
def test_frames_glued_to_the_101(tls: bool, watch: _Watch, before: int) -> None:
    messages = ["one", "two", "three", "four"]
    with connected(tls, glued=b"".join(map(text, messages))) as (ws, _):
        for message in messages[:before]:
            assert ws.recv() == message
        _read_watching(ws, watch, messages[before:])


@both_ways
@pytest.mark.parametrize("cut", range(1, len(text("first") + text("other")) + 1))
def test_the_hatch_opens_over_a_frame_cut_anywhere(tls: bool, cut: int) -> None:
    """Before the cut and behind it: what is whole shows, and nothing is lost or comes twice."""
    stream = text("first") + text("other")
    with connected(tls, glued=text("zero")) as (ws, wire):
        assert ws.recv() == "zero"
        wire.send(stream[:cut])
        received, error = receive_all(ws, timeout=0.02)
        assert isinstance(error, websocket.WebSocketTimeoutException)
        assert received == ["first", "other"][: cut // 7]
        assert ws.sock is not None
        wire.send(stream[cut:] + text("last"))
        _read_watching(ws, _by_sock, ["first", "other", "last"][len(received) :])


@both_ways
def test_a_long_frame_cut_by_a_timeout_and_then_watched(tls: bool) -> None:
    whole = frame(BINARY, bytes(range(256)) * 1000)
    with connected(tls) as (ws, wire):
        wire.send(whole[:150_000])
        with pytest.raises(websocket.WebSocketTimeoutException):
            ws.recv(timeout=0.2)
        sock = ws.sock
        wire.send(whole[150_000:] + text("behind"))
        until(lambda: _by_sock(ws, 0))
        assert ws.recv(timeout=10) == bytes(range(256)) * 1000
        _read_watching(ws, _by_sock, ["behind"])
        assert sock is ws.sock


@both_ways
def test_the_hatch_opens_while_another_thread_reads(tls: bool) -> None:
    """The reader inside has peeked at more than it takes: on leaving it puts that straight."""
    with connected(tls) as (ws, wire):
        reader = blocked_reader(ws)
        assert ws.sock is not None
        wire.send(text("for the reader") + text("two") + text("three"))
        assert reader.result() == "for the reader"
        _read_watching(ws, _by_sock, ["two", "three"])


@both_ways
def test_kubernetes_reads_and_writes(tls: bool) -> None:
    """Poll, read exactly one frame with its control frames; write frames of one's own making."""
    with connected(tls, glued=frame(PING, b"?") + text("\x00out")) as (ws, wire):
        ws.sock.settimeout(7)
        assert _by_sock(ws, 10)
        opcode, seen = ws.recv_data_frame(True)
        assert (opcode, seen.data) == (PING, b"?")
        assert _by_sock(ws, 10)
        opcode, seen = ws.recv_data_frame(True)
        assert (opcode, seen.data) == (TEXT, b"\x00out")
        raw = websocket.ABNF.create_frame(b"raw", BINARY).format()
        assert ws.sock.send(raw) == len(raw)
        ws.sock.sendall(raw)
        ws.send("cooked")
        assert [wire.next_frame().data for _ in range(4)] == [b"?", b"raw", b"raw", b"cooked"]


@both_ways
def test_the_users_writes_and_ours_never_mix(tls: bool) -> None:
    """Over TLS the face takes the connection's own lock: records are numbered."""
    with connected(tls, timeout=20) as (ws, wire):
        sock = ws.sock
        raw = websocket.ABNF.create_frame(b"r" * 30_000, BINARY).format()

        def write_raw() -> None:
            for _ in range(100):
                with ws.lock:  # what a program has to do over plain sockets
                    sock.sendall(raw)

        def write() -> None:
            for _ in range(100):
                ws.send_bytes(b"w" * 30_000)

        tasks = [Task(write_raw), Task(write)]
        seen = [wire.next_frame().data for _ in range(200)]
        assert seen.count(b"r" * 30_000) == seen.count(b"w" * 30_000) == 100
        for task in tasks:
            task.result()


@both_ways
def test_the_sockets_own_timeout_governs(tls: bool) -> None:
    with connected(tls, timeout=30) as (ws, wire):
        ws.sock.settimeout(0.1)
        begin = time.monotonic()
        with pytest.raises(websocket.WebSocketTimeoutException):
            ws.recv()
        assert time.monotonic() - begin < 3
        ws.sock.settimeout(0)
        with pytest.raises(websocket.WebSocketWouldBlockException):
            ws.recv()
        ws.sock.settimeout(None)
        Task(lambda: (time.sleep(0.2), wire.send(text("late"))))
        assert ws.recv() == "late"
        assert ws.gettimeout() == 30


@both_ways
def test_a_program_that_polls_between_exact_reads_sees_no_busy_loop(tls: bool) -> None:
    """Half a frame does not show for ever: what was looked at has been taken out."""
    with connected(tls) as (ws, wire):
        assert ws.sock is not None
        wire.send(text("half a frame")[:6])
        until(lambda: _by_sock(ws, 0))
        with pytest.raises(websocket.WebSocketTimeoutException):
            ws.recv(timeout=0.05)
        assert not _by_sock(ws, 0.05)
        wire.send(text("half a frame")[6:])
        _read_watching(ws, _by_sock, ["half a frame"])


def test_the_face_of_tls() -> None:
    """`ws.sock` is an `ssl.SSLSocket` with its verbs; those that know something may be asked from
    any thread while others read."""
    with connected(True) as (ws, wire):
        sock = ws.sock
        assert isinstance(sock, ssl.SSLSocket)
        assert ws.is_ssl()
        reader = blocked_reader(ws)
        assert sock.version() in ("TLSv1.2", "TLSv1.3")
        assert sock.cipher()
        assert sock.getpeercert(True)
        assert sock.selected_alpn_protocol() is None
        assert sock.server_side is False
        assert sock.server_hostname == "127.0.0.1"
        assert sock.pending() == 0
        assert not sock.session_reused
        wire.send(text("x"))
        assert reader.result() == "x"
        wire.send(b"raw bytes")
        buffer = bytearray(3)
        assert sock.recv(4) == b"raw "
        assert sock.pending() == 5
        assert sock.recv_into(buffer) == 3
        assert bytes(buffer) == b"byt"
        assert sock.read(10) == b"es"
        sock.settimeout(0)
        with pytest.raises(ssl.SSLWantReadError):
            sock.recv(1)
        plain = sock.unwrap()
        assert type(plain) is socket.socket
        plain.close()


def test_writes_by_the_face_with_timeout_zero() -> None:
    """What was taken is sent in the end; what is refused was not taken: nothing is lost."""
    with connected(True, rcvbuf=4096, sockopt=[(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)]) as (
        ws,
        wire,
    ):
        sock = ws.sock
        sock.settimeout(0)
        taken = 0
        with suppress(ssl.SSLWantWriteError):
            while taken < 1 << 30:
                taken += sock.send(b"x" * 10_000)
        assert taken < 1 << 30
        reading = Task(lambda: wire.take(taken + 3))
        while reading.running:
            try:
                sock.send(b"end")
                break
            except ssl.SSLWantWriteError:
                select.select([], [sock], [], 1)
        sock.settimeout(10)
        sock.send(b"!")
        assert reading.result() == b"x" * taken + b"end"


def _trickle(wire: Wire, stream: bytes) -> None:
    for byte in stream:
        wire.send(bytes((byte,)))


@both_ways
def test_watching_a_stream_that_comes_byte_by_byte(tls: bool) -> None:
    messages = [f"{number}" * number for number in range(1, 30)]
    with connected(tls) as (ws, wire):
        feeding = Task(lambda: _trickle(wire, b"".join(map(text, messages))))
        received: list[Any] = []
        while len(received) < len(messages):
            assert _by_sock(ws, 10)
            try:
                received.append(ws.recv(timeout=0))
            except websocket.WebSocketTimeoutException:
                pass
        assert received == messages
        feeding.result()
