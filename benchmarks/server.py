"""The server process: raw sockets that send ready-made frames and count bytes.

It never unmasks, inflates or builds a frame while it is being measured, so that it costs less than
any client. `python server.py [CERTIFICATE KEY]` prints two ports, plain and TLS.
"""

from __future__ import annotations

import base64
import hashlib
import resource
import selectors
import socket
import ssl
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bio import BioStream
from cores import take_the_server_s_core
from rows import Part, part_of_path
from wire import CLOSE, FrameCounter, frame, message_of, pieces_of

_CHUNK = 1 << 18
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_PERIOD = 0.1  # seconds from one message to the next on a connection of a group
_RECORDS = 1000  # that are sealed before they are sent


class Parked:
    """Connections on which nothing happens; closed when their client has gone."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._groups: dict[int, list[Any]] = defaultdict(list)
        threading.Thread(target=self._watch, daemon=True).start()

    def keep(self, sock: Any, group: int) -> None:
        """Hold on to it; its client shows by leaving that it is no longer needed."""
        if group:
            self._groups[group].append(sock)
        self._selector.register(sock, selectors.EVENT_READ)

    def members(self, group: int) -> list[Any]:
        """The connections of a group, in the order in which they came."""
        return self._groups[group]

    def _watch(self) -> None:
        while True:
            for chosen, _ in self._selector.select(_PERIOD):
                sock: Any = chosen.fileobj
                self._selector.unregister(sock)
                for group in [key for key, members in self._groups.items() if sock in members]:
                    del self._groups[group]
                sock.close()


_parked = Parked()


def _shake_hands(sock: Any) -> Part:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = sock.recv(65536)
        if not piece:
            raise ConnectionError("gone before its request was whole")
        head += piece
    lines = head.split(b"\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in lines[1:] if b": " in line)
    key = next(line[19:] for line in lines if line.lower().startswith(b"sec-websocket-key: "))
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
    part = part_of_path(lines[0].split(b" ")[1].decode())
    answer = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n"
    )
    if part.deflate and b"permessage-deflate" in fields.get(b"sec-websocket-extensions", b""):
        answer += b"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n"
    sock.sendall(answer + b"\r\n")
    return part


def _echo(sock: Any, part: Part) -> None:
    """A message of ours for each one of theirs; the answer to a close frame."""
    pieces = list(pieces_of(part)) if part.size > _CHUNK else [message_of(part)]
    scratch, counter = bytearray(_CHUNK), FrameCounter()
    while not counter.is_closed:
        count = sock.recv_into(scratch)
        if not count:
            return
        messages = counter.feed(scratch, count)
        if messages and len(pieces) == 1:
            sock.sendall(pieces[0] * messages)
            continue
        for _ in range(messages):
            for piece in pieces:
                sock.sendall(piece)
    sock.sendall(CLOSE)


def _flood(sock: Any, part: Part) -> None:
    """Messages without end."""
    if part.records:
        message = message_of(part)
        while True:
            sock.send_records(message, _RECORDS)
    if part.size > _CHUNK:
        while True:
            for piece in pieces_of(part):
                sock.sendall(piece)
    message = message_of(part)
    chunk = message * max(1, _CHUNK // len(message))
    while True:
        sock.sendall(chunk)


def _send(sock: Any, part: Part) -> None:
    """The client sends; we throw it away."""
    scratch = bytearray(_CHUNK)
    while sock.recv_into(scratch):
        pass


def _duplex_flood(sock: Any, part: Part) -> None:
    """Messages without end, while we throw away what comes."""

    def flood() -> None:
        with suppress(OSError):
            _flood(sock, part)

    writer = threading.Thread(target=flood, daemon=True)
    writer.start()
    _send(sock, part)


def _spread(sock: Any, part: Part) -> None:
    """`count` messages to each connection of the group, one after the other in equal steps."""
    message = message_of(part)
    sends = [member.sendall for member in _parked.members(part.group)]
    step = _PERIOD / len(sends)
    due = time.monotonic()
    for _ in range(part.count):
        for send in sends:
            wait = due - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            send(message)
            due += step


def _burst(sock: Any, part: Part) -> None:
    """A message to all connections of the group at once, `count` times; it says when it began."""
    sends = [member.sendall for member in _parked.members(part.group)]
    padding = bytes(part.size - 8)
    for _ in range(part.count):
        message = frame(2, time.monotonic_ns().to_bytes(8, "big") + padding)
        for send in sends:
            send(message)
        time.sleep(_PERIOD)


_PARTS: dict[str, Callable[[Any, Part], None]] = {
    "burst": _burst,
    "duplex_flood": _duplex_flood,
    "echo": _echo,
    "flood": _flood,
    "send": _send,
    "spread": _spread,
}


def _serve(sock: socket.socket, context: ssl.SSLContext | None) -> None:
    stream: Any = sock
    try:
        with suppress(OSError, ValueError, StopIteration):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                stream = BioStream(sock, context)
            part = _shake_hands(stream)
            if part.role in ("idle", "group"):
                _parked.keep(sock, part.group)
                return
            _PARTS[part.role](stream, part)
        sock.close()
    except BaseException:
        sock.close()
        raise


def _accept(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=_serve, args=(sock, context), daemon=True).start()


def main() -> None:
    """Listen on two ports of the loopback interface until standard input ends."""
    take_the_server_s_core()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    contexts: list[ssl.SSLContext | None] = [None]
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        contexts.append(context)
    ports: list[int] = []
    for context_or_none in contexts:
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        ports.append(listener.getsockname()[1])
        arguments = (listener, context_or_none)
        threading.Thread(target=_accept, args=arguments, daemon=True).start()
    print(*ports, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
