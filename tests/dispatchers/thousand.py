"""A program: a thousand apps in one thread, all with descriptors above 1024.

`thousand.py URL INTERVAL`, with the interval of pings in seconds.
Prints what the test wants to know as JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from typing import Any

import websocket

APPS = 1000
_DEADLINE = 100.0


def main(url: str, ping_interval: float) -> dict[str, Any]:
    spare = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    loop = websocket.Loop()
    got: dict[int, str] = {}
    closed: list[tuple[Any, Any]] = []
    lowest = sys.maxsize
    apps: list[websocket.WebSocketApp] = []

    def on_message(app: Any, message: str) -> None:
        got[id(app)] = message
        if len(got) == APPS:
            loop.stop()

    for number in range(APPS):
        app = websocket.WebSocketApp(
            url,
            on_open=lambda app, number=number: app.send(f"message of {number}"),
            on_message=on_message,
            on_close=lambda _, code, reason: closed.append((code, reason)),
        )
        app.run_forever(
            dispatcher=loop, ping_interval=ping_interval, ping_timeout=ping_interval / 2
        )
        lowest = min(lowest, app.sock._connection.stream.socket.fileno())
        apps.append(app)
    loop.timeout(_DEADLINE, loop.stop)
    loop.run()
    complete = sorted(got.values()) == sorted(f"message of {n}" for n in range(APPS))
    threads = threading.active_count()

    loop.timeout(2 * ping_interval, loop.stop)  # idle, but for two pings each
    wall, cpu = time.monotonic(), time.process_time()
    loop.run()
    share = (time.process_time() - cpu) / (time.monotonic() - wall)

    pinged = sum(app.last_pong_tm > 0 for app in apps)
    for app in apps:
        loop.timeout(0, app.close)
    loop.timeout(_DEADLINE, loop.stop)
    look = loop.timeout(0.05, lambda: loop.stop() if len(closed) == APPS else True)
    loop.run()
    look.delete()
    for number in spare:
        os.close(number)
    return {
        "complete": complete,
        "closed": len(closed),
        "codes": sorted({code for code, _ in closed}),
        "lowest": lowest,
        "threads": threads,
        "share": share,
        "pinged": pinged,
    }


if __name__ == "__main__":
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    print(json.dumps(main(sys.argv[1], float(sys.argv[2]))))
