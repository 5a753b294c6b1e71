"""The other end of a connection, byte by byte in the hands of a test; plain or TLS.

It is neither `websocket.testing` nor any library: what a test sends is what the client sees. Every
wait in here has an end.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Generic, NamedTuple, TypeVar

import pytest
import trustme

import websocket

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

PATIENCE = 20.0
"""Seconds that anything in a test may take on a loaded machine before we call it a hang."""

both_ways = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])

SMALL_BUFFERS: list[tuple[int, int, int]] = [(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)]
"""As `sockopt=`: the client's kernel takes little, so a writer is soon stuck."""

_ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

_Result = TypeVar("_Result", covariant=True)


class Seen(NamedTuple):
    """A frame of the client, unmasked."""

    fin: bool
    opcode: int
    data: bytes


def frame(opcode: int, data: bytes = b"", fin: bool = True) -> bytes:
    """A frame as servers send it."""
    length = len(data)
    first = opcode | (0x80 if fin else 0)
    if length < 126:
        return bytes((first, length)) + data
    if length < 65536:
        return struct.pack("!BBH", first, 126, length) + data
    return struct.pack("!BBQ", first, 127, length) + data


def text(data: str) -> bytes:
    """A text message."""
    return frame(TEXT, data.encode())


def close_frame(code: int | None = 1000, reason: str = "") -> bytes:
    """A close frame; None for one without a code."""
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason.encode())


@functools.lru_cache(maxsize=1)
def papers() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context and one of a client that trusts it."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(server)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client)
    return server, client


class Wire:
    """The server's end of one connection; several threads may use it, over TLS too."""

    def __init__(self, sock: socket.socket, tls: bool):
        self._lock = threading.Lock()  # OpenSSL allows one thread at a time
        self.sock = sock
        self._buffer = b""
        if tls:
            sock.settimeout(PATIENCE)
            self.sock = papers()[0].wrap_socket(sock, server_side=True)
        self.sock.settimeout(0)

    def _patiently(self, call: Callable[[], Any], read: bool, timeout: float) -> Any:
        until = time.monotonic() + timeout
        while True:
            with self._lock:
                try:
                    return call()
                except ssl.SSLWantReadError:
                    read = True
                except ssl.SSLWantWriteError:
                    read = False
                except BlockingIOError:
                    pass
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError("the client kept the test waiting")
            wanted: list[Any] = [self.sock]
            select.select(wanted if read else [], [] if read else wanted, [], min(left, 0.2))

    def shake_hands(self, glued: bytes = b"") -> None:
        """Answer the opening request with a 101, and `glued` in the same segment."""
        while b"\r\n\r\n" not in self._buffer:
            self._more(PATIENCE)
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        (key,) = [
            line.split(b":", 1)[1].strip()
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key:")
        ]
        accept = base64.b64encode(hashlib.sha1(key + _ACCEPT).digest())
        self.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + glued
        )

    def send(self, data: bytes, timeout: float = PATIENCE) -> None:
        """All of `data`."""
        rest = memoryview(data)
        while rest:
            piece = rest[: 1 << 16]
            rest = rest[
                self._patiently(lambda piece=piece: self.sock.send(piece), False, timeout) :
            ]

    def drip(self, data: bytes, stop: threading.Event, interval: float = 0.05) -> None:
        """One byte after the other until `stop`, or nobody listens any more."""
        with suppress(OSError):
            for byte in data:
                if stop.wait(interval):
                    return
                self.send(bytes((byte,)))

    def flood(self, data: bytes, stop: threading.Event, patience: float = 0.5) -> int:
        """The same bytes again and again until `stop`, or nobody listens; how often they went.

        Whoever wants to send more behind it needs `patience`: TLS cannot leave a record half sent.
        """
        count = 0
        with suppress(OSError):
            while not stop.is_set():
                self.send(data, patience)
                count += 1
        return count

    def _more(self, timeout: float) -> None:
        data = self._patiently(lambda: self.sock.recv(1 << 16), True, timeout)
        if not data:
            raise EOFError("the client has hung up")
        self._buffer += data

    def take(self, count: int, timeout: float = PATIENCE) -> bytes:
        """Exactly `count` bytes."""
        while len(self._buffer) < count:
            self._more(timeout)
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def next_frame(self, timeout: float = PATIENCE) -> Seen:
        """The client's next frame; EOFError at the end."""
        first, second = self.take(2, timeout)
        assert second & 0x80, "a client has to mask its frames"
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self.take(2, timeout))
        elif length == 127:
            (length,) = struct.unpack("!Q", self.take(8, timeout))
        key = self.take(4, timeout)
        data = self.take(length, timeout)
        pad = key * (length // 4 + 1)
        whole = int.from_bytes(data, "big") ^ int.from_bytes(pad[:length], "big")
        return Seen(bool(first & 0x80), first & 0x0F, whole.to_bytes(length, "big"))

    def frames(self, timeout: float = PATIENCE) -> list[Seen]:
        """Every frame until the client hangs up; half a frame at the end is none."""
        seen: list[Seen] = []
        with suppress(EOFError, ConnectionError, ssl.SSLError):
            while True:
                seen.append(self.next_frame(timeout))
        return seen

    def expect_end(self) -> None:
        """The client hangs up without another byte."""
        try:
            rest = self.take(1)
        except (EOFError, ConnectionError, ssl.SSLError):
            return
        raise AssertionError(f"expected the end, got {rest!r}")

    def hang_up(self) -> None:
        """Close, as the peers of this world do: without a word."""
        with self._lock:
            self.sock.close()

    def reset(self) -> None:
        """Close with a reset."""
        with self._lock:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.close()


class Peer:
    """A listening socket; `url` leads to it."""

    def __init__(self, tls: bool = False, rcvbuf: int | None = None):
        self.tls = tls
        if tls:
            papers()  # before two threads ask for them
        self._listener = socket.create_server(("127.0.0.1", 0))
        if rcvbuf is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self._listener.settimeout(PATIENCE)
        self._wires: list[Wire] = []
        port = self._listener.getsockname()[1]
        self.url = f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/"

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for wire in self._wires:
            wire.hang_up()

    def accept(self, glued: bytes = b"") -> Wire:
        """The next connection, behind the opening handshake."""
        sock, _ = self._listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            wire = Wire(sock, self.tls)
        except BaseException:
            sock.close()
            raise
        self._wires.append(wire)
        wire.shake_hands(glued)
        return wire


class Task(Generic[_Result]):
    """A call in a thread of its own, and what became of it."""

    def __init__(self, call: Callable[[], _Result]):
        self._call = call
        self._result: Any
        self._exception: BaseException | None = None
        self.ended_at = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._call()
        except BaseException as exc:
            self._exception = exc
        self.ended_at = time.monotonic()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._thread.is_alive()

    def _join(self, timeout: float) -> None:
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "a call in another thread does not end"

    def result(self, timeout: float = PATIENCE) -> _Result:
        """What it returned; raises what it raised."""
        self._join(timeout)
        if self._exception is not None:
            raise self._exception
        result: _Result = self._result
        return result

    def exception(self, timeout: float = PATIENCE) -> BaseException | None:
        """What it raised, if it did."""
        self._join(timeout)
        exc, self._exception = self._exception, None
        return exc


def client(peer: Peer, class_: Any = websocket.WebSocket, **options: Any) -> websocket.WebSocket:
    """A client of `peer` that trusts it."""
    if peer.tls:
        options.setdefault("sslopt", {"context": papers()[1]})
    return websocket.create_connection(peer.url, class_=class_, **options)


def two_ends(kind: str) -> tuple[socket.socket, socket.socket]:
    """Of a "pair" of AF_UNIX, or of a connection by "tcp"."""
    if kind == "pair":
        return socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        left = socket.create_connection(listener.getsockname())
        return left, listener.accept()[0]


@contextmanager
def connected(
    tls: bool = False, glued: bytes = b"", rcvbuf: int | None = None, **options: Any
) -> Iterator[tuple[websocket.WebSocket, Wire]]:
    """Both ends of an open connection; the client is shut down at the end."""
    with Peer(tls, rcvbuf) as peer:
        accepting = Task(lambda: peer.accept(glued))
        ws = client(peer, **options)
        try:
            yield ws, accepting.result()
        finally:
            ws.shutdown()


@contextmanager
def stuck(tls: bool, **options: Any) -> Iterator[tuple[websocket.WebSocket, Wire]]:
    """Both ends of a connection whose buffers are small: a large `send` blocks until it is read."""
    with connected(tls, rcvbuf=4096, sockopt=SMALL_BUFFERS, **options) as (ws, wire):
        yield ws, wire


def until(condition: Callable[[], Any], timeout: float = PATIENCE) -> None:
    """Wait for what has no event of its own."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.002)


def is_reading(ws: websocket.WebSocket) -> bool:
    """Whether some thread is inside a read."""
    connection: Any = ws._connection
    return bool(connection._reading)


def is_writing(ws: websocket.WebSocket) -> bool:
    """Whether some thread is inside a write."""
    connection: Any = ws._connection
    return bool(connection._writing)


def blocked_writer(ws: websocket.WebSocket, size: int = 8 << 20) -> Task[int]:
    """A thread that is stuck in the middle of a large message."""
    task = Task(lambda: ws.send_bytes(bytes(size)))
    until(lambda: is_writing(ws))
    sock: Any = ws._connection.stream.socket  # type: ignore[union-attr]
    until(lambda: not select.select([], [sock], [], 0)[1] or not task.running)
    return task


def blocked_reader(ws: websocket.WebSocket, call: Callable[[], Any] | None = None) -> Task[Any]:
    """A thread that waits in `recv`, or in `call`."""
    task = Task(call or ws.recv)
    until(lambda: is_reading(ws) or not task.running)
    return task


def receive_all(ws: websocket.WebSocket, timeout: float | None = None) -> Received:
    """Messages until an exception says that there are no more, and that exception."""
    messages: list[Any] = []
    try:
        while True:
            messages.append(ws.recv() if timeout is None else ws.recv(timeout=timeout))
    except websocket.WebSocketException as exc:
        return Received(messages, exc)


class Received(NamedTuple):
    """What `receive_all` has seen."""

    messages: list[Any]
    error: websocket.WebSocketException


class Stop(threading.Event):
    """An event that is set at the end of a block, for threads of the peer."""

    def __enter__(self) -> Stop:
        return self

    def __exit__(self, *_: object) -> None:
        self.set()
