"""Two things at once without callbacks: a thread receives, another sends.

`two_things_at_once.py [URL]`. The URL's server has to echo what it gets. Both use one connection,
over wss too; `close()` here ends the `recv()` there.
"""

from __future__ import annotations

import sys
import threading

from websocket import WebSocket, WebSocketConnectionClosedException, create_connection
from websocket.testing import serve

MESSAGES = 5


def receive(ws: WebSocket, all_there: threading.Event) -> None:
    count = 0
    try:
        for message in ws:
            print("received:", message)
            count += 1
            if count == MESSAGES:
                all_there.set()
    except WebSocketConnectionClosedException:
        pass
    print("the reader has ended")


def talk(url: str) -> None:
    ws = create_connection(url, timeout=10, ping_interval=20, ping_timeout=10)
    all_there = threading.Event()
    reader = threading.Thread(target=receive, args=(ws, all_there))
    reader.start()
    for number in range(MESSAGES):
        ws.send(f"message {number}")  # whatever the reader is doing
    all_there.wait(10)
    ws.close()
    reader.join()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        talk(sys.argv[1])
    else:
        with serve() as server:
            talk(server.url)
