"""Scripted peers on loopback for the tests of the doors, and what they read and answer."""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import threading
from collections.abc import Callable

import trustme

Handler = Callable[[socket.socket], None]


class Peer:
    """A listening socket whose connections are given to one handler each, in a thread."""

    def __init__(self, handler: Handler):
        self._handler = handler
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.failures: list[BaseException] = []
        self._ended = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            connection.settimeout(10)
            try:
                self._handler(connection)
            except (ConnectionError, EOFError):
                pass  # the client has gone first
            except BaseException as exc:
                self.failures.append(exc)
            finally:
                connection.close()
                self._ended.release()

    def wait(self) -> None:
        """Until a handler has ended by itself."""
        assert self._ended.acquire(timeout=10)

    def close(self) -> None:
        """No more connections; the present one is cut off, if it has not ended."""
        socket.socket.shutdown(self._listener, socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # closed already
        self._thread.join(10)
        assert self.failures == []


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    """What a TLS server for "localhost" needs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def read_head(connection: socket.socket) -> bytes:
    """An HTTP head, and no byte more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            raise EOFError
        head += byte
    return head


def accepting(head: bytes, more: str = "") -> bytes:
    """The 101 that answers an opening request."""
    lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:-2])
    guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    digest = hashlib.sha1((lines["Sec-WebSocket-Key"] + guid).encode()).digest()
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\n{more}\r\n"
    ).encode()


def read_frame(connection: socket.socket) -> tuple[int, bytes]:
    """(opcode, payload) of a short masked frame."""
    first, second = exactly(connection, 2)
    assert second & 0x80 and second & 0x7F < 126
    key = exactly(connection, 4)
    payload = exactly(connection, second & 0x7F)
    return first & 0x0F, bytes(octet ^ key[i % 4] for i, octet in enumerate(payload))


def exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data
