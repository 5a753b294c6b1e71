"""The clients that are measured: each does `count` messages of a row, and checks their lengths.

A client is made for one row and is asked for batches. It imports its library when it is made: the
libraries live in different environments. `Floor` is what nobody can beat by much: a blocking socket
that sends ready-made frames and counts bytes.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any, Protocol

from rows import Row, payload_of
from server import message_of

__all__ = ["Client", "Floor", "WebSocketClient", "WebSocketClientDeflate", "Websockets"]


class Client(Protocol):
    """What the measurement asks for."""

    def connect(self) -> Any:
        """Open one connection more and return it."""
        ...

    def run(self, count: int) -> int:
        """Do what the row says `count` times, or a little more; returns how many times."""
        ...


class _Blocking:
    """One that sends and receives by calls; below are the four verbs of each library."""

    def __init__(self, row: Row, url: str, authority: str):
        self.row, self.url, self.authority = row, url, authority
        payload = payload_of(row)
        self.message: str | bytes = payload.decode() if row.text else payload
        self.connection: Any = None
        if row.kind not in ("connect", "app", "idle"):
            self.connection = self.connect()

    def connect(self) -> Any:
        raise NotImplementedError

    def run(self, count: int) -> int:
        getattr(self, f"_{self.row.kind}")(count)
        return count

    def _sending(self) -> Any:
        return self.connection.send

    def _echo(self, count: int) -> None:
        send, receive = self._sending(), self.connection.recv
        message, size = self.message, len(self.message)
        for _ in range(count):
            send(message)
            if len(receive()) != size:
                raise AssertionError("what came back has another length")

    def _flood(self, count: int) -> None:
        receive, size = self.connection.recv, len(self.message)
        for _ in range(count):
            if len(receive()) != size:
                raise AssertionError("what came has another length")

    def _send(self, count: int) -> None:
        send, message = self._sending(), self.message
        for _ in range(count):
            send(message)

    def _connect(self, count: int) -> None:
        for _ in range(count):
            self.connect().close()


class WebSocketClient(_Blocking):
    """`websocket`: ours, or websocket-client, which has the same interface."""

    def connect(self) -> Any:
        import websocket

        options: dict[str, Any] = {"sslopt": {"ca_certs": self.authority}} if self.row.tls else {}
        connection: Any = websocket.create_connection(self.url, **options)
        return connection

    def _sending(self) -> Any:
        return self.connection.send if self.row.text else self.connection.send_binary

    def _app(self, count: int) -> None:
        import websocket

        left = count

        def on_message(app: Any, message: bytes) -> None:
            nonlocal left
            left -= 1
            if not left:
                raise _EnoughError

        # Not `app.close()`: the server floods and does not look for our close frame.
        websocket.WebSocketApp(self.url, on_message=on_message, on_error=_leave).run_forever()
        if left:
            raise AssertionError("run_forever ended early")


class _EnoughError(Exception):
    """Enough messages have come."""


def _leave(app: Any, error: Exception) -> None:
    app.keep_running = False
    if app.sock is not None:
        app.sock.shutdown()


class WebSocketClientDeflate(WebSocketClient):
    """Ours with compression, which websocket-client does not have."""

    def connect(self) -> Any:
        import websocket

        connection: Any = websocket.create_connection(self.url, compression="deflate")
        return connection


class Websockets(_Blocking):
    """websockets' threading client."""

    def connect(self) -> Any:
        from websockets.sync.client import connect

        context: ssl.SSLContext | None = None
        if self.row.tls:
            # As a program that keeps one per peer would.
            context = self.context = getattr(self, "context", None) or ssl.create_default_context(
                cafile=self.authority
            )
        return connect(
            self.url,
            ssl=context,
            compression="deflate" if self.row.deflate else None,
            max_size=None,
            proxy=None,
        )


class Floor(_Blocking):
    """A blocking socket; parses nothing, masks nothing."""

    def __init__(self, row: Row, url: str, authority: str):
        self.context: ssl.SSLContext | None = None
        if row.tls:
            self.context = ssl.create_default_context(cafile=authority)
        address, _, self.path = url.partition("://")[2].partition("/")
        host, _, port = address.rpartition(":")
        self.host, self.address = host, ("127.0.0.1", int(port))
        self.wire = len(message_of(row))
        super().__init__(row, url, authority)

    def connect(self) -> Any:
        sock = socket.create_connection(self.address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context is not None:
            sock = self.context.wrap_socket(sock, server_hostname=self.host)
        sock.sendall(
            f"GET /{self.path} HTTP/1.1\r\nHost: {self.host}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(65536)  # a flood's first messages, too; nobody misses them
        return sock

    def _echo(self, count: int) -> None:
        sock, wire = self.connection, self.wire
        ready = _masked(len(self.message))
        scratch = bytearray(max(wire, 65536))
        for _ in range(count):
            sock.sendall(ready)
            left = wire
            while left:
                left -= sock.recv_into(scratch, left)

    def _flood(self, count: int) -> None:
        receive = self.connection.recv
        left = count * self.wire
        while left > 0:
            left -= len(receive(65536))

    def _send(self, count: int) -> None:
        sock = self.connection
        ready = _masked(len(self.message))
        for _ in range(count):
            sock.sendall(ready)

    def _connect(self, count: int) -> None:
        for _ in range(count):
            sock = self.connect()
            sock.sendall(b"\x88\x82\0\0\0\0\x03\xe8")
            sock.recv(4)
            sock.close()


def _masked(size: int) -> bytes:
    """A frame as a client sends it, its masking key and payload zeros."""
    if size < 126:
        header = bytes((0x82, 0x80 | size))
    elif size < 65536:
        header = b"\x82\xfe" + size.to_bytes(2, "big")
    else:
        header = b"\x82\xff" + size.to_bytes(8, "big")
    return header + bytes(4 + size)
