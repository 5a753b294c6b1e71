"""Sockets that are not ours: test doubles, wrappers that misbehave, a user's own SSLSocket."""

from __future__ import annotations

import itertools
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from raw_peer import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Peer,
    Stop,
    Task,
    Wire,
    blocked_reader,
    blocked_writer,
    close_frame,
    frame,
    papers,
    receive_all,
    text,
)

import websocket


class Double:
    """What programs assign to `ws.sock`: these methods and no others."""

    def __init__(self, incoming: bytes = b"", chunk: int = 1 << 20):
        self.incoming = incoming
        self.chunk = chunk
        self.sent: list[bytes] = []
        self.timeout: float | None = None
        self.closed = False

    def recv(self, count: int) -> bytes:
        count = min(count, self.chunk)
        data, self.incoming = self.incoming[:count], self.incoming[count:]
        return data

    def send(self, data: bytes) -> int:
        self.sent.append(bytes(data))
        return len(data)

    def gettimeout(self) -> float | None:
        return self.timeout

    def settimeout(self, timeout: float | None) -> None:
        self.timeout = timeout

    def close(self) -> None:
        self.closed = True

    def shutdown(self, how: int) -> None:
        pass

    def fileno(self) -> int:
        return 987_654


def _assigned(sock: Any) -> websocket.WebSocket:
    ws = websocket.WebSocket()
    ws.sock = sock
    ws.connected = True
    return ws


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1 << 20])
def test_a_double_reads_and_writes(chunk: int) -> None:
    """Cut anywhere; masked frames are tolerated here (K10); one whole frame a send."""
    masked = b"\x81\x83abcd" + bytes(a ^ b for a, b in zip(b"one", b"abc", strict=True))
    double = Double(masked + frame(PING, b"?") + text("two") + close_frame(4000), chunk)
    ws = _assigned(double)
    assert ws.sock is double
    assert ws.recv() == "one"
    assert ws.recv() == "two"
    ws.send("three")
    assert ws.recv() == ""
    assert [data[0] & 15 for data in double.sent] == [PONG, TEXT, CLOSE]
    assert [len(data) for data in double.sent] == [7, 11, 8]
    assert double.closed


def test_a_double_at_its_end() -> None:
    ws = _assigned(Double(text("x")[:2]))
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        ws.recv()
    assert ws.sock is None


def test_a_double_without_timeouts_and_without_shutdown() -> None:
    class Bare:
        def __init__(self) -> None:
            self.incoming = text("x") + frame(PING)
            self.sent = b""

        def recv(self, count: int) -> bytes:
            data, self.incoming = self.incoming[:count], self.incoming[count:]
            return data

        def send(self, data: bytes) -> int:
            self.sent += bytes(data)
            return len(data)

        def close(self) -> None:
            pass

    bare = Bare()
    ws = _assigned(bare)
    assert ws.recv(timeout=1) == "x"
    ws.send("y")
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        ws.recv()
    assert len(bare.sent) == 7 + 6


class Torture:
    """A real socket whose calls go wrong in turn, and then right."""

    def __init__(self, sock: socket.socket, troubles: list[Callable[[], BaseException] | str]):
        self._sock = sock
        self._troubles = itertools.cycle([None, *troubles])

    def _trouble(self) -> str | None:
        trouble = next(self._troubles)
        if callable(trouble):
            raise trouble()
        return trouble

    def recv(self, count: int) -> bytes:
        if self._trouble() == "short":
            count = 1
        return self._sock.recv(count)

    def send(self, data: bytes) -> int:
        try:
            if self._trouble() == "short":
                data = bytes(memoryview(data)[:1])
        except ssl.SSLWantReadError:  # would mean to wait for the peer, who has nothing to say
            raise ssl.SSLWantWriteError(3, "write") from None
        return self._sock.send(data)

    def __getattr__(self, name: str) -> Any:
        if name not in ("gettimeout", "settimeout", "close", "shutdown", "fileno"):
            raise AttributeError(name)
        return getattr(self._sock, name)


_HARMLESS: list[Any] = [
    InterruptedError,
    "short",
    BlockingIOError,
    lambda: ssl.SSLWantReadError(2, "read"),
    lambda: ssl.SSLWantWriteError(3, "write"),
    "short",
]


@contextmanager
def _between(troubles: list[Any]) -> Iterator[tuple[websocket.WebSocket, socket.socket]]:
    left, right = socket.socketpair()
    with left, right:
        right.settimeout(20)
        left.settimeout(20)
        yield _assigned(Torture(left, troubles)), right


@pytest.mark.parametrize("first", range(len(_HARMLESS)))
def test_troubles_that_are_none(first: int) -> None:
    """Each call in turn interrupted, short, or "not yet": every message arrives whole."""
    with _between(_HARMLESS[first:] + _HARMLESS[:first]) as (ws, other):
        messages = ["", "a", "message" * 40]

        def feed() -> None:
            for message in messages * 5:
                for byte in frame(PING, b"?") + text(message):
                    other.sendall(bytes((byte,)))
                    time.sleep(0.0001)

        feeding, draining = Task(feed), Task(lambda: _texts(other, 15))
        for message in messages * 5:
            assert ws.recv() == message
            ws.send(message)
        feeding.result()
        assert draining.result() == [len(message) for message in messages * 5]


def _texts(sock: socket.socket, count: int) -> list[int]:
    """The lengths of so many text messages of the client, control frames left out."""
    lengths: list[int] = []
    buffer = b""
    while len(lengths) < count:
        while len(buffer) < 4 or len(buffer) < (whole := _whole_length(buffer)):
            buffer += sock.recv(1 << 16)
        if buffer[0] & 15 == TEXT:
            lengths.append(whole - (8 if buffer[1] & 127 == 126 else 6))
        buffer = buffer[whole:]
    return lengths


def _whole_length(buffer: bytes) -> int:
    length = buffer[1] & 127
    return 6 + length if length < 126 else 8 + int.from_bytes(buffer[2:4], "big")


def test_timeouts_of_every_call_lose_nothing() -> None:
    with _between([TimeoutError, "short", TimeoutError]) as (ws, other):
        other.sendall(text("one") + frame(BINARY, bytes(300)))
        received: list[Any] = []
        while len(received) < 2:
            try:
                received.append(ws.recv())
            except websocket.WebSocketTimeoutException:
                pass
        assert received == ["one", bytes(300)]


def _send_some(ws: websocket.WebSocket) -> None:
    for _ in range(10):
        ws.send("a message")


@pytest.mark.parametrize("turn", range(4))
def test_a_reset_of_any_call(turn: int) -> None:
    troubles: list[Any] = ["short"] * turn + [ConnectionResetError]
    with _between(troubles) as (ws, other):
        other.sendall(text("a message"))
        error = receive_all(ws).error
        assert isinstance(error, websocket.WebSocketConnectionClosedException)
        assert isinstance(error.__cause__, ConnectionResetError)
        assert not ws.connected
    with _between(troubles) as (ws, _):
        with pytest.raises(websocket.WebSocketConnectionClosedException) as caught:
            _send_some(ws)
        assert isinstance(caught.value.__cause__, ConnectionResetError)
        assert not ws.connected


def test_a_double_that_times_out_in_mid_frame_is_dead() -> None:
    with _between(["short", TimeoutError, TimeoutError]) as (ws, _):
        with pytest.raises(websocket.WebSocketTimeoutException):
            _send_some(ws)
        assert not ws.connected


def test_a_pong_never_waits_in_a_wrapper() -> None:
    """Its send would block: it is told not to."""
    left, right = socket.socketpair()
    with left, right:
        left.settimeout(None)
        ws = _assigned(Torture(left, []))
        left.setblocking(False)
        try:
            while True:
                left.send(bytes(1 << 16))
        except BlockingIOError:
            pass
        left.settimeout(None)
        right.sendall(frame(PING, b"?") * 100 + text("behind"))
        reading = Task(ws.recv)
        assert reading.result(10) == "behind"
        assert left.gettimeout() is None


# --- a user's own SSLSocket -----------------------------------------------------------------------


@contextmanager
def _ready_made(how: str, rcvbuf: int | None = None) -> Iterator[tuple[websocket.WebSocket, Wire]]:
    with Peer(True, rcvbuf) as peer:
        accepting = Task(peer.accept)
        port = int(peer.url.rpartition(":")[2].strip("/"))
        plain = socket.create_connection(("127.0.0.1", port))
        if rcvbuf is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sock = papers()[1].wrap_socket(plain, server_hostname="127.0.0.1")
        sock.settimeout(20)
        with sock:
            made = websocket.WebSocket()
            made.connect(peer.url, socket=sock)
            ws = made
            if how == "assigned":
                ws = websocket.WebSocket()
                ws.sock = sock
            try:
                yield ws, accepting.result()
            finally:
                ws.shutdown()
                made.shutdown()


ready = pytest.mark.parametrize("how", ["socket=", "assigned"])


@ready
def test_an_ssl_socket_of_the_users_with_two_threads(how: str) -> None:
    """One thread at a time inside OpenSSL, and none waits for the other."""
    count = 3000
    with _ready_made(how) as (ws, wire):

        def write() -> None:
            for number in range(count):
                ws.send(f"{number}")

        def feed() -> None:
            for number in range(0, count, 10):
                wire.send(b"".join(text(f"<{n}>") for n in range(number, number + 10)))

        writing, feeding = Task(write), Task(feed)
        reading = Task(lambda: [wire.next_frame().data for _ in range(count)])
        for number in range(count):
            assert ws.recv() == f"<{number}>"
        for task in (writing, feeding, reading):
            task.result(50)
        assert ws.sock.gettimeout() == 20


@ready
def test_an_ssl_socket_of_the_users_keeps_every_promise(how: str) -> None:
    with _ready_made(how) as (ws, wire):
        sock = ws.sock
        assert isinstance(sock, ssl.SSLSocket)
        with pytest.raises(websocket.WebSocketTimeoutException):
            ws.recv(timeout=0.05)
        sock.settimeout(0)
        with pytest.raises(websocket.WebSocketWouldBlockException):
            ws.recv()
        sock.settimeout(0.1)
        with pytest.raises(websocket.WebSocketTimeoutException):
            ws.recv()
        ws.settimeout(20)
        assert sock.gettimeout() == 20
        reader = blocked_reader(ws)
        ws.send("meanwhile")
        assert wire.next_frame().data == b"meanwhile"
        wire.send(frame(PING, b"?") + text("x"))
        assert reader.result() == "x"
        assert wire.next_frame() == (True, PONG, b"?")
        wire.send(text("shown") * 2)
        assert ws.recv() == "shown"
        assert sock.pending() > 0
        assert ws.recv() == "shown"


@ready
@pytest.mark.parametrize("inside", ["reader", "writer", "both"])
def test_close_with_others_inside_an_ssl_socket_of_the_users(how: str, inside: str) -> None:
    with _ready_made(how, 4096) as (ws, wire), Stop() as stop:
        ws.sock.settimeout(None)
        tasks: list[Task[Any]] = []
        if inside != "reader":
            tasks.append(blocked_writer(ws))
        if inside != "writer":
            Task(lambda: wire.flood(text("flood") * 100, stop))

            def read() -> None:
                while True:
                    ws.recv()

            tasks.append(blocked_reader(ws, read))
        begin = time.monotonic()
        ws.connected = True
        ws.close(timeout=0.3)
        assert time.monotonic() - begin < 1.8
        for task in tasks:
            assert isinstance(task.exception(), websocket.WebSocketConnectionClosedException)


@ready
def test_a_pong_does_not_wait_in_an_ssl_socket_of_the_users(how: str) -> None:
    with _ready_made(how, 4096) as (ws, wire):
        for _ in range(50):
            wire.send(frame(PING, b"%0120d" % 7) * 500)
        wire.send(text("behind"))
        assert ws.recv() == "behind"
        draining = Task(wire.frames)
        ws.settimeout(20)
        ws.send("and on")
        ws.shutdown()
        seen = draining.result()
        assert (True, TEXT, b"and on") in seen
        pongs = [part for part in seen if part.opcode != TEXT]
        assert pongs
        assert all(part == (True, PONG, b"%0120d" % 7) for part in pongs)
