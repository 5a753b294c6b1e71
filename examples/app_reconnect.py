"""An app that comes back after each outage, until it has had enough. `app_reconnect.py [URL]`

`reconnect` may be a number of seconds; `Backoff` waits longer each time, and not all clients wait
equally long. Without a URL it talks to a server that hangs up now and then.
"""

from __future__ import annotations

import sys

from websocket import Backoff, WebSocketApp
from websocket.testing import Connection, serve

ENOUGH = 3  # connections


class Client:
    def __init__(self, url: str):
        self.connections = 0
        self.app = WebSocketApp(
            url,
            on_open=self.on_open,
            on_reconnect=self.on_open,  # unset, on_open is called again
            on_message=self.on_message,
            on_error=self.on_error,
            on_close=self.on_close,
        )

    def run(self) -> None:
        policy = Backoff(first=0.1, maximum=5.0, attempts=5)
        self.app.run_forever(reconnect=policy, timeout=10)

    def on_open(self, app: WebSocketApp) -> None:
        self.connections += 1
        print(f"connection {self.connections}")
        app.send("Hello")

    def on_message(self, app: WebSocketApp, message: str) -> None:
        print("received:", message)
        if self.connections == ENOUGH:
            app.close()

    def on_error(self, app: WebSocketApp, exc: Exception) -> None:
        # Each failed attempt and each lost connection; a callback's exception, too.
        print("trouble:", exc)

    def on_close(self, app: WebSocketApp, code: int | None, reason: str | None) -> None:
        print("closed for good with", code)  # once, however many connections there were


def unreliable(connection: Connection) -> None:
    connection.send(f"you said {connection.recv()!r}")
    connection.drop()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Client(sys.argv[1]).run()
    else:
        with serve(unreliable) as server:
            Client(server.url).run()
