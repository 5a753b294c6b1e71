"""A python-socketio client that does what such programs do, as told by the test."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Any

import requests  # pyright: ignore[reportMissingImports, reportMissingModuleSource]
import socketio  # pyright: ignore[reportMissingImports]
from talking import PATIENCE, arguments, say, told

session = requests.Session()
if arguments["ca"]:
    session.verify = arguments["ca"]
session.cookies.set("shop", "7", domain="localhost.local", path="/")
client = socketio.Client(
    http_session=session,
    reconnection_delay=0.1,
    reconnection_delay_max=0.2,
    randomization_factor=0,
    websocket_extra_options={"header": {"X-By": "us"}} if arguments["extra"] else {},
)
events: SimpleQueue[tuple[str, Any]] = SimpleQueue()
client.on("connect", lambda: events.put(("connect", None)))
client.on("disconnect", lambda reason: events.put(("disconnect", reason)))
client.on("added", lambda data: events.put(("added", data)))
client.on("blob", lambda data: events.put(("blob", data)))


def expect(name: str) -> Any:
    found, value = events.get(timeout=PATIENCE)
    assert found == name, (found, value)
    return value


client.connect(
    arguments["url"],
    transports=arguments["transports"],
    auth={"token": "t"},
    wait_timeout=PATIENCE,
)
expect("connect")
say({"transport": client.transport(), "sum": client.call("add", (1, 2), timeout=PATIENCE)})
say(expect("added"))
for times in (1, 3000):
    data = bytes(range(256)) * times
    client.emit("blob", data)
    answer = expect("blob")
    assert answer["back"] == data[::-1]
    say(answer["size"])

told()  # the server is gone and back
say({"lost": expect("disconnect")})
expect("connect")
say({"transport": client.transport(), "sum": client.call("add", (3, 4), timeout=PATIENCE)})
say(expect("added"))

client.disconnect()
say({"left": expect("disconnect")})
client.connect(arguments["url"], transports=["websocket"], wait_timeout=PATIENCE)
expect("connect")
client.emit("leave")
say({"thrown out": expect("disconnect")})
client.wait()
