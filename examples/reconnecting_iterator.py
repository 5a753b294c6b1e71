"""Reconnecting without callbacks: a loop over connections. `reconnecting_iterator.py [URL]`

Each turn of the loop has an open connection; when its body ends, the next one is opened, after the
waits of the policy. `break` ends it, and so does `close()` of the iterator, from anywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from websocket import Backoff, WebSocketConnectionClosedException, reconnecting
from websocket.testing import Connection, serve

PRICES = ["100", "101", "99", "102", "103"]


def follow(url: str) -> None:
    seen = 0
    for ws in reconnecting(url, backoff=Backoff(first=0.1, maximum=5.0), timeout=10):
        print("connected")
        try:
            ws.send(f"from {seen}")  # where we had stopped
            for message in ws:
                print("received:", message)
                seen += 1
        except WebSocketConnectionClosedException as exc:
            print("lost:", exc)
        if seen >= len(PRICES):
            ws.close()
            break


def prices(connection: Connection) -> None:
    """Two prices, and the connection is gone."""
    first = int(str(connection.recv()).split()[1])
    for price in part(first):
        connection.send(price)
    if first % 4 == 0:
        connection.drop()  # else an orderly end


def part(first: int) -> Iterator[str]:
    yield from PRICES[first : first + 2]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        follow(sys.argv[1])
    else:
        with serve(prices) as server:
            follow(server.url)
