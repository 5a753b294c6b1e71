"""WebSocketApp, the callback face: say hello, print what comes back, close. `app_echo.py [URL]`

The URL's server has to echo what it gets.
"""

from __future__ import annotations

import sys

from websocket import WebSocketApp
from websocket.testing import serve


def on_open(app: WebSocketApp) -> None:
    print("open")
    app.send("Hello")
    app.send_bytes(b"\x00\x01\x02")


def on_message(app: WebSocketApp, message: str | bytes) -> None:
    print("received:", message)
    if isinstance(message, bytes):
        app.close()  # in a callback, in another thread, in a signal handler: as you like


def on_error(app: WebSocketApp, exc: Exception) -> None:
    print("error:", exc)


def on_close(app: WebSocketApp, code: int | None, reason: str | None) -> None:
    print("closed with", code, reason)


def talk(url: str) -> None:
    app = WebSocketApp(
        url, on_open=on_open, on_message=on_message, on_error=on_error, on_close=on_close
    )
    app.run_forever(timeout=10)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        talk(sys.argv[1])
    else:
        with serve() as server:
            talk(server.url)
