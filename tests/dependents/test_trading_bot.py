"""Promise: the script that most users have: an app in a thread, reconnecting for ever."""

from __future__ import annotations

import json
import queue
import socket
import threading
from typing import Any

import dependent
from dependent import Dependents

from websocket import Request, Response
from websocket.testing import Connection, serve

pytestmark = dependent.marks

TICKS = 300


class Exchange:
    """Loses its first client, refuses the second, gets silent to the third, keeps the fourth."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.left: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self.silence = threading.Event()

    def __enter__(self) -> Exchange:
        return self

    def __exit__(self, *_: object) -> None:
        self.silence.set()

    def admit(self, request: Request) -> Response | None:
        self.requests.append(request)
        return Response(503, [], b"maintenance") if len(self.requests) == 2 else None

    def trade(self, connection: Connection) -> None:
        number = len(self.requests)
        assert json.loads(connection.recv())["op"] == "subscribe"
        for price in range(TICKS):
            connection.send(json.dumps({"price": price, "name": "\u20bf"}))
        connection.send(json.dumps({"price": None}))
        if number == 1:
            self.orders.put(json.loads(connection.recv()))
            connection.drop()
        elif number == 3:
            self.silence.wait(dependent.PATIENCE)  # reads nothing, so it answers no ping
            connection.drop()
        else:
            self.orders.put(json.loads(connection.recv()))
            list(connection)
            self.left.put(connection.close_code)


def test_a_bot_survives_what_exchanges_do(dependents: Dependents) -> None:
    exchange = Exchange()
    sockopt = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    with serve(exchange.trade, on_request=exchange.admit) as server:
        url = f"{server.url}/ws/v2?compress=false&stream=btcusdt@trade"
        with dependents.running("trading_bot", url=url, sockopt=sockopt) as bot, exchange:
            assert bot.next() == ["open", True]
            assert bot.next() == ["quote", TICKS]
            bot.tell({"buy": 1})
            assert exchange.orders.get(timeout=dependent.PATIENCE) == {"buy": 1}
            assert [bot.next() for _ in range(7)] == [
                ["error", "WebSocketConnectionClosedException"],
                ["error", "WebSocketBadStatusException"],
                ["open", True],
                ["quote", 2 * TICKS],
                ["error", "WebSocketTimeoutException"],
                ["open", True],
                ["quote", 3 * TICKS],
            ]
            exchange.silence.set()
            bot.tell({"sell": 1})
            assert exchange.orders.get(timeout=dependent.PATIENCE) == {"sell": 1}
            bot.tell(None)
            assert bot.next() == ["close", 1000, None]
            assert bot.next() == ["ended", True, False, True]
            bot.finish()
    assert exchange.left.get(timeout=dependent.PATIENCE) == 1000
    assert not server.errors
    check(exchange.requests)


def check(requests: list[Request]) -> None:
    """The callable's headers are fresh each time; the cookie travels as it was copied."""
    assert [request.headers["X-Ticks"] for request in requests] == [
        "0",
        str(TICKS),
        str(TICKS),
        str(2 * TICKS),
    ]
    for request in requests:
        assert request.path == "/ws/v2?compress=false&stream=btcusdt@trade"
        assert request.headers["User-Agent"].endswith("Firefox/128.0")
        assert request.headers["Origin"] == "https://exchange.example"
        assert request.headers["Cookie"] == (
            "__cf_bm=a.b-1~c; session=%7B%22id%22%3A1%7D; theme=\u00fc; empty="
        )
