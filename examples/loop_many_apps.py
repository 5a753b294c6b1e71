"""A hundred apps in one thread, by `websocket.Loop`. `loop_many_apps.py [URL]`

The URL's server has to echo what it gets. docs/loop.md says more.
"""

from __future__ import annotations

import sys
import threading
import time

from websocket import Loop, WebSocketApp
from websocket.testing import serve

APPS = 100


def talk(url: str) -> None:
    loop = Loop()
    answers: list[str] = []

    def on_open(app: WebSocketApp) -> None:
        app.send("Hello")

    def on_message(app: WebSocketApp, message: str) -> None:
        answers.append(message)
        app.close()  # in the loop's thread this does not wait; the loop does the rest

    start = time.monotonic()
    for _ in range(APPS):
        app = WebSocketApp(url, on_open=on_open, on_message=on_message)
        app.run_forever(dispatcher=loop, timeout=10)
    loop.run()  # until `stop()`, or until no app is left
    took = time.monotonic() - start
    print(f"{len(answers)} answers in {took:.2f} s, in {threading.current_thread().name}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        talk(sys.argv[1])
    else:
        with serve() as server:
            talk(server.url)
