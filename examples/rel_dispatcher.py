"""An app under an event loop of another make: rel. `rel_dispatcher.py [URL]`

Needs `pip install rel`. Any loop that has its verbs `signal`, `abort`, `read`, `timeout` and
`buffwrite` will do; `websocket.Loop` is one that comes along.
"""

from __future__ import annotations

import sys

import rel

from websocket import WebSocketApp
from websocket.testing import serve


def on_open(app: WebSocketApp) -> None:
    print("open")
    app.send("Hello")


def on_message(app: WebSocketApp, message: str) -> None:
    print("received:", message)
    app.close()


def on_close(app: WebSocketApp, code: int | None, reason: str | None) -> None:
    print("closed with", code)
    rel.abort()


def talk(url: str) -> None:
    app = WebSocketApp(url, on_open=on_open, on_message=on_message, on_close=on_close)
    app.run_forever(dispatcher=rel, reconnect=5, timeout=10)  # returns at once
    rel.signal(2, rel.abort)  # Ctrl-C
    rel.dispatch()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        talk(sys.argv[1])
    else:
        with serve() as server:
            talk(server.url)
