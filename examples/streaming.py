"""A large message in pieces, both ways, without ever holding it whole. `streaming.py [URL]`

The URL's server has to echo what it gets.
"""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Iterator

from websocket import WebSocket, create_connection
from websocket.testing import serve

PIECES = 256
PIECE = 64 * 1024


def pieces() -> Iterator[bytes]:
    for number in range(PIECES):
        yield bytes([number % 256]) * PIECE


def receive(ws: WebSocket) -> None:
    digest = hashlib.sha256()
    size = 0
    for piece in ws.recv_streaming():
        assert isinstance(piece, bytes)
        digest.update(piece)
        size += len(piece)
    print(f"received {size} bytes, sha256 {digest.hexdigest()[:16]}...")


def talk(url: str) -> None:
    with create_connection(url, timeout=10) as ws:
        # Somebody has to read while we write, or a server that echoes as it reads gets stuck.
        reader = threading.Thread(target=receive, args=(ws,))
        reader.start()
        sent = ws.send(pieces())  # an iterable is one message, a fragment an item
        print(f"sent one message of {PIECES} fragments, {sent} bytes on the wire")
        reader.join()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        talk(sys.argv[1])
    else:
        with serve() as server:
            talk(server.url)
