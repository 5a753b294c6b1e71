"""What streamlink's plugins do with its WebsocketClient: talk, reconnect, close."""

from __future__ import annotations

import logging
from typing import Any

from streamlink import Streamlink  # pyright: ignore[reportMissingImports]
from streamlink.logger import TRACE  # pyright: ignore[reportMissingImports]
from streamlink.plugin.api.websocket import (  # pyright: ignore[reportMissingImports]
    WebsocketClient,
)
from talking import PATIENCE, arguments, say, told

if arguments["trace"]:
    logging.basicConfig()
    logging.getLogger("streamlink").setLevel(TRACE)
    logging.getLogger("streamlink").addHandler(logging.StreamHandler())


class Stream(WebsocketClient):  # type: ignore[misc]
    """A plugin's client."""

    def on_open(self, wsapp: Any) -> None:
        super().on_open(wsapp)
        self.send_json({"command": "subscribe"})

    def on_message(self, wsapp: Any, data: Any) -> None:
        if isinstance(data, str):
            say(["message", data])

    def on_data(self, wsapp: Any, data: Any, data_type: int, cont: Any) -> None:
        if data_type == self.OPCODE_BINARY:
            say(["binary", len(data), cont])

    def on_ping(self, wsapp: Any, data: bytes) -> None:
        say(["ping", data.decode()])

    def on_pong(self, wsapp: Any, data: bytes) -> None:
        say(["pong", data.decode()])

    def on_error(self, wsapp: Any, error: Exception) -> None:
        say(["error", type(error).__name__])

    def on_close(self, wsapp: Any, status: int, message: str) -> None:
        say(["close", status, message])


session = Streamlink()
if arguments["proxy"]:
    session.set_option("http-proxy", arguments["proxy"])
client = Stream(
    session,
    arguments["url"],
    subprotocols=["msg.nicovideo.jp#json"],
    header={"X-Plugin": "yes"},
    cookie="user=me; theme=dark",
    origin="https://live.example",
    sslopt={"ca_certs": arguments["ca"]},
    ping_interval=0.3,
    ping_payload="alive?",
)
client.start()
told()
client.reconnect(arguments["url"] + "?second")
assert client.reconnect_done.wait(PATIENCE)
told()
client.close(4001, "enough")
say(["alive", client.is_alive()])
