"""The server process: raw sockets that send ready-made frames and count bytes.

It never unmasks, parses a payload or builds a frame while it is being measured, so that it costs
less than any client. `python server.py [CERTIFICATE KEY]` prints two ports, plain and TLS.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress

from rows import Row, payload_of, row_of_path

_CHUNK = 1 << 18
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CLOSE = b"\x88\x02\x03\xe8"


def frame(opcode: int, payload: bytes, fin: bool = True, rsv1: bool = False) -> bytes:
    """One unmasked frame (RFC 6455 5.2)."""
    first = opcode | (0x80 if fin else 0) | (0x40 if rsv1 else 0)
    length = len(payload)
    if length < 126:
        return bytes((first, length)) + payload
    if length < 65536:
        return bytes((first, 126)) + length.to_bytes(2, "big") + payload
    return bytes((first, 127)) + length.to_bytes(8, "big") + payload


def message_of(row: Row) -> bytes:
    """The message of this row on the wire."""
    payload, opcode = payload_of(row), 1 if row.text else 2
    if row.deflate:
        squeezer = zlib.compressobj(wbits=-12)
        squeezed = squeezer.compress(payload) + squeezer.flush(zlib.Z_SYNC_FLUSH)
        return frame(opcode, squeezed[:-4], rsv1=True)
    if not row.fragment:
        return frame(opcode, payload)
    starts = range(0, len(payload), row.fragment)
    return b"".join(
        frame(
            0 if start else opcode,
            payload[start : start + row.fragment],
            fin=start + row.fragment >= len(payload),
        )
        for start in starts
    )


def _shake_hands(sock: socket.socket) -> Row:
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
    row = row_of_path(lines[0].split(b" ")[1].decode())
    answer = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n"
    )
    if row.deflate and b"permessage-deflate" in fields.get(b"sec-websocket-extensions", b""):
        answer += b"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n"
    sock.sendall(answer + b"\r\n")
    return row


def _frames(sock: socket.socket) -> Iterator[int]:
    """The opcode of each frame that comes from the client, once it is whole."""
    scratch = bytearray(_CHUNK)
    view = memoryview(scratch)
    held = b""
    while True:
        size = _length_of(held)
        if size is None or len(held) < size:
            if size is not None and size - len(held) > 65536:
                missing = size - len(held)
                while missing:
                    count = sock.recv_into(view, min(missing, _CHUNK))
                    if not count:
                        return
                    missing -= count
                yield held[0] & 15
                held = b""
                continue
            piece = sock.recv(65536)
            if not piece:
                return
            held += piece
            continue
        yield held[0] & 15
        held = held[size:]


def _length_of(held: bytes) -> int | None:
    """The bytes of the masked frame that begins here; None while that cannot be known."""
    if len(held) < 2:
        return None
    short = held[1] & 127
    if short < 126:
        return short + 6
    if len(held) < 10:
        return None
    wide = 2 if short == 126 else 8
    return int.from_bytes(held[2 : 2 + wide], "big") + wide + 6


def _play(sock: socket.socket, row: Row) -> None:
    message = message_of(row)
    if row.kind in ("flood", "app"):
        chunk = message * max(1, _CHUNK // len(message))
        while True:
            sock.sendall(chunk)
    if row.kind == "send":
        scratch = bytearray(_CHUNK)
        while sock.recv_into(scratch):
            pass
        return
    for opcode in _frames(sock):
        if opcode == 8:
            sock.sendall(_CLOSE)
            return
        sock.sendall(message)


def _serve(sock: socket.socket, context: ssl.SSLContext | None) -> None:
    with suppress(OSError, ValueError), sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is None:
            _play(sock, _shake_hands(sock))
            return
        with context.wrap_socket(sock, server_side=True) as over_tls:
            _play(over_tls, _shake_hands(over_tls))


def _accept(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=_serve, args=(sock, context), daemon=True).start()


def main() -> None:
    """Listen on two ports of the loopback interface until standard input ends."""
    contexts: list[ssl.SSLContext | None] = [None]
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        contexts.append(context)
    ports: list[int] = []
    for context_or_none in contexts:
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        ports.append(listener.getsockname()[1])
        arguments = (listener, context_or_none)
        threading.Thread(target=_accept, args=arguments, daemon=True).start()
    print(*ports, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
