"""Keeping an idle connection open, and noticing a dead one. `app_keepalive.py [URL]`

Pings come from a timer of their own, so a slow callback stops none of them. Without a URL it talks
to a server that answers, then to one that is dead: connected, and silent for ever.
"""

from __future__ import annotations

import sys
import time

from websocket import WebSocketApp
from websocket.testing import accept, hang, script, serve


def watch(url: str) -> None:
    pongs = 0
    start = time.monotonic()

    def on_pong(app: WebSocketApp, payload: bytes) -> None:
        nonlocal pongs
        pongs += 1
        print(f"  pong after {app.sock.latency * 1000:.1f} ms")
        if pongs == 3:
            app.close()

    def on_error(app: WebSocketApp, exc: Exception) -> None:
        print(f"  {exc}, {time.monotonic() - start:.1f} s after the start")

    app = WebSocketApp(url, on_pong=on_pong, on_error=on_error)
    # A pong that is missing for `ping_timeout` seconds ends the connection; then, with `reconnect`,
    # there would be a new one. Real programs take something like 20 and 10.
    app.run_forever(ping_interval=0.5, ping_timeout=0.4, timeout=10)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        watch(sys.argv[1])
    else:
        with serve() as alive:
            print("a server that answers:")
            watch(alive.url)
        with script(accept(), hang()) as dead:
            print("a server that does not:")
            watch(dead.url)
