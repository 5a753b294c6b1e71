"""A service that ends in good order when it is told to. `stop_on_sigterm.py [URL]`

`close()` may be called in a signal handler, whatever the program is doing: connecting, reading,
calling back, waiting for the next attempt. Without a URL it sends itself a SIGTERM after a moment.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

from websocket import Backoff, WebSocketApp
from websocket.testing import Connection, serve


def run(url: str) -> None:
    def on_message(app: WebSocketApp, message: str) -> None:
        print("received:", message)

    def on_close(app: WebSocketApp, code: int | None, reason: str | None) -> None:
        print("closed with", code)

    def stop(number: int, frame: FrameType | None) -> None:
        print("told to stop:", signal.Signals(number).name)
        app.close()

    app = WebSocketApp(url, on_message=on_message, on_close=on_close)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    app.run_forever(reconnect=Backoff(), ping_interval=20, ping_timeout=10, timeout=10)
    print("the end")


def chatter(connection: Connection) -> None:
    for number in range(3):
        connection.send(f"news {number}")
    for _ in connection:
        pass


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run(sys.argv[1])
    else:
        with serve(chatter) as server:
            killer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM))
            killer.start()
            run(server.url)
