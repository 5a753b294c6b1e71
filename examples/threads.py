"""One connection, one thread that reads and four that write. `threads.py [URL]`

The URL's server has to echo what it gets. Messages of several threads never mix, and a thread that
waits in `recv()` keeps nobody from sending; over wss, too.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter

from websocket import WebSocket, create_connection
from websocket.testing import serve

WRITERS = 4
MESSAGES = 250


def write(ws: WebSocket, name: str) -> None:
    for number in range(MESSAGES):
        ws.send(f"{name} {number}")


def talk(url: str) -> None:
    with create_connection(url, timeout=10) as ws:
        writers = [threading.Thread(target=write, args=(ws, f"writer-{n}")) for n in range(WRITERS)]
        for writer in writers:
            writer.start()

        received: Counter[str] = Counter()
        for _ in range(WRITERS * MESSAGES):
            received[ws.recv_text().split()[0]] += 1

        for writer in writers:
            writer.join()
    for name, count in sorted(received.items()):
        print(f"{name}: {count} messages came back")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        talk(sys.argv[1])
    else:
        with serve() as server:
            talk(server.url)
