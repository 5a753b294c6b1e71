"""A trading bot as people write them: an app in a thread, reconnecting, headers from a browser."""

from __future__ import annotations

import json
import threading
from typing import Any

from talking import PATIENCE, arguments, say, told

import websocket

websocket.enableTrace(True)

COPIED = """\
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0
Accept: */*
Accept-Language: de-DE,de;q=0.8,en-US;q=0.5,en;q=0.3
Accept-Encoding: gzip, deflate, br, zstd
Pragma: no-cache
Cache-Control: no-cache
Sec-Fetch-Mode: websocket"""
COOKIE = "__cf_bm=a.b-1~c; session=%7B%22id%22%3A1%7D; theme=\u00fc; empty="


class Bot:
    """Subscribes on each connection, counts ticks, answers quotes with orders."""

    def __init__(self) -> None:
        self.ticks = 0
        self.app = websocket.WebSocketApp(
            arguments["url"],
            header=self.header,
            cookie=COOKIE,
            on_open=self.on_open,
            on_message=self.on_message,
            on_error=self.on_error,
            on_close=self.on_close,
            on_pong=self.on_pong,
        )
        self.ponged = threading.Event()
        self.thread = threading.Thread(
            target=self.app.run_forever,
            kwargs={
                "ping_interval": 0.4,
                "ping_timeout": 0.3,
                "ping_payload": "tick",
                "reconnect": 0.2,
                "origin": "https://exchange.example",
                "skip_utf8_validation": True,
                "sockopt": arguments["sockopt"],
            },
            daemon=True,
        )

    def header(self) -> list[str]:
        return [*COPIED.splitlines(), f"X-Ticks: {self.ticks}"]

    def on_open(self, app: websocket.WebSocketApp) -> None:
        app.send(json.dumps({"op": "subscribe", "args": ["BTC-USD"]}))
        say(["open", app.sock is not None and app.sock.connected])

    def on_message(self, app: websocket.WebSocketApp, message: Any) -> None:
        data = json.loads(message)
        if data["price"] is None:
            say(["quote", self.ticks])
        else:
            self.ticks += 1

    def on_pong(self, app: websocket.WebSocketApp, payload: bytes) -> None:
        self.ponged.set()

    def on_error(self, app: websocket.WebSocketApp, error: Exception) -> None:
        say(["error", type(error).__name__])

    def on_close(self, app: websocket.WebSocketApp, code: Any, reason: Any) -> None:
        say(["close", code, reason])


bot = Bot()
bot.thread.start()
while (order := told()) is not None:
    bot.app.send(json.dumps(order))
assert bot.ponged.wait(PATIENCE)
bot.app.close()
bot.thread.join(PATIENCE)
say(["ended", not bot.thread.is_alive(), bot.app.keep_running, bot.app.sock is None])
