"""Clients of a few lines over a blocking socket: the floor, the "BIO" floor, and wsproto's."""

from __future__ import annotations

import socket
from collections.abc import Callable
from itertools import repeat
from typing import Any

from bio import BioStream
from clients import Blocking, kept_context
from rows import Row
from wire import CLOSE, header, masked, message_of

__all__ = ["BioFloor", "Floor", "Wsproto", "ask"]

_GOODBYE = b"\x88\x82\0\0\0\0\x03\xe8"


def dial(address: tuple[str, int]) -> socket.socket:
    """A connection without delay of small packets."""
    sock = socket.create_connection(address)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def ask(stream: Any, host: str, path: str) -> None:
    """The opening handshake, unchecked. The first messages of a flood are lost."""
    stream.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += stream.recv(65536)


def _length_on_the_wire(row: Row) -> int:
    if row.fragment or row.deflate:
        return len(message_of(row.part()))
    return len(header(2, row.size)) + row.size


class Floor(Blocking):
    """A blocking socket that sends ready-made frames and counts bytes.

    It parses nothing, masks nothing and checks nothing: nobody can be faster by much.
    """

    has_own_threads = True

    def __init__(self, row: Row, url: str, authority: str):
        place, _, path = url.partition("://")[2].partition("/")
        self.host, _, port = place.rpartition(":")
        self.path, self.address = f"/{path}", ("127.0.0.1", int(port))
        self.wire = _length_on_the_wire(row)
        self.ready = masked(row.size) if row.kind != "peak" else b""
        self.scratch = bytearray(max(self.wire, 65536) if row.kind != "peak" else 0)
        super().__init__(row, url, authority)

    def connect(self) -> Any:
        sock = self.secured(dial(self.address))
        ask(sock, self.host, self.path)
        return sock

    def secured(self, sock: socket.socket) -> Any:
        """The same over TLS, where the row asks for it."""
        context = kept_context(self)
        return context.wrap_socket(sock, server_hostname=self.host) if context else sock

    def sender(self, connection: Any) -> Callable[[Any], object]:
        sendall, ready = connection.sendall, self.ready
        return lambda message: sendall(ready)

    def receiver(self, connection: Any) -> Callable[[], Any]:
        receive, wire, scratch = connection.recv_into, self.wire, bytearray(len(self.scratch))

        def count() -> None:
            left = wire
            while left > 0:
                left -= receive(scratch, left)

        return count

    def check(self, message: Any) -> None:
        """It does not look at payloads."""

    def descriptor(self, connection: Any) -> int:
        """What a selector watches."""
        return connection.fileno()  # type: ignore[no-any-return]

    def _echo(self, count: int, connection: Any = None) -> None:
        sock = connection or self.connection
        sendall, receive, ready, wire = sock.sendall, sock.recv_into, self.ready, self.wire
        scratch = bytearray(len(self.scratch))
        for _ in repeat(None, count):
            sendall(ready)
            left = wire
            while left > 0:
                left -= receive(scratch, left)

    def _flood(self, count: int) -> None:
        receive, left = self.connection.recv, count * self.wire
        while left > 0:
            left -= len(receive(65536))

    def _send(self, count: int) -> None:
        sendall, ready = self.connection.sendall, self.ready
        for _ in repeat(None, count):
            sendall(ready)

    def _peak(self, count: int) -> None:
        view, position = memoryview(bytearray(self.row.size)), 0
        while position < len(view):
            position += self.connection.recv_into(view[position:])

    def _connect(self, count: int) -> None:
        for _ in repeat(None, count):
            sock = self.connect()
            sock.sendall(_GOODBYE)
            if sock.recv(4) != CLOSE:
                raise AssertionError("the server did not say goodbye")
            sock.close()

    _app_echo, _app_flood = _echo, _flood


class BioFloor(Floor):
    """The same with TLS over two memory buffers under a lock, which two threads may share."""

    def secured(self, sock: socket.socket) -> Any:
        context = kept_context(self)
        return BioStream(sock, context, self.host) if context else sock

    def _flood(self, count: int) -> None:
        receive, left, scratch = self.connection.recv_into, count * self.wire, self.scratch
        while left > 0:
            left -= receive(scratch)


class Wsproto(Floor):
    """wsproto's protocol, with the loop around it that its documentation shows."""

    has_own_threads = False

    def connect(self) -> Any:
        return _WsprotoConnection(self.secured(dial(self.address)), self.host, self.path, self.row)

    def sender(self, connection: Any) -> Callable[[Any], object]:
        return connection.send  # type: ignore[no-any-return]

    def receiver(self, connection: Any) -> Callable[[], Any]:
        return connection.recv  # type: ignore[no-any-return]

    check = Blocking.check
    _echo, _flood, _send = Blocking._echo, Blocking._flood, Blocking._send
    _connect, _peak = Blocking._connect, Blocking._peak
    _app_echo, _app_flood = Blocking._echo, Blocking._flood


class _WsprotoConnection:
    def __init__(self, sock: Any, host: str, path: str, row: Row):
        from wsproto import ConnectionType, WSConnection
        from wsproto.events import AcceptConnection, BytesMessage, Message, Request, TextMessage
        from wsproto.extensions import PerMessageDeflate

        self.sock, self.protocol, self.message = sock, WSConnection(ConnectionType.CLIENT), Message
        self.outgoing = TextMessage if row.text else BytesMessage
        self.events: Any = iter(())
        extensions = [PerMessageDeflate()] if row.deflate else []
        sock.sendall(self.protocol.send(Request(host=host, target=path, extensions=extensions)))
        while not isinstance(self._next(), AcceptConnection):
            pass

    def _next(self) -> Any:
        while True:
            for event in self.events:
                return event
            self.protocol.receive_data(self.sock.recv(65536) or None)
            self.events = self.protocol.events()

    def send(self, message: Any) -> None:
        self.sock.sendall(self.protocol.send(self.outgoing(data=message)))

    def recv(self) -> Any:
        parts: list[Any] = []
        while True:
            event = self._next()
            if not isinstance(event, self.message):
                continue
            if event.message_finished and not parts:
                return event.data if isinstance(event.data, str) else bytes(event.data)
            parts.append(event.data)
            if event.message_finished:
                return (b"" if isinstance(event.data, (bytes, bytearray)) else "").join(parts)

    def fileno(self) -> int:
        return self.sock.fileno()  # type: ignore[no-any-return]

    def close(self) -> None:
        from wsproto.events import CloseConnection

        self.sock.sendall(self.protocol.send(CloseConnection(code=1000)))
        while not isinstance(self._next(), CloseConnection):
            pass
        self.sock.close()
