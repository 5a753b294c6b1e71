"""A python-socketio server in threads, by werkzeug; says its port and what happens."""

from __future__ import annotations

import ssl
from typing import Any

import socketio  # pyright: ignore[reportMissingImports]
from talking import arguments, say
from werkzeug.serving import make_server  # pyright: ignore[reportMissingImports]

server = socketio.Server(async_mode="threading", ping_interval=1, ping_timeout=5)


@server.event
def connect(sid: str, environ: dict[str, Any], auth: object) -> None:
    say({"connected": auth, "cookie": environ.get("HTTP_COOKIE"), "by": environ.get("HTTP_X_BY")})


@server.event
def disconnect(sid: str, reason: str) -> None:
    say({"disconnected": reason})


@server.on("add")
def add(sid: str, *numbers: int) -> int:
    server.emit("added", {"numbers": numbers}, to=sid)
    return sum(numbers)


@server.on("blob")
def blob(sid: str, data: bytes) -> None:
    server.emit("blob", {"back": data[::-1], "size": len(data)}, to=sid)


@server.on("leave")
def leave(sid: str) -> None:
    server.disconnect(sid)


context = None
if arguments["certificate"]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments["certificate"], arguments["key"])
listener = make_server(
    "127.0.0.1",
    arguments["port"],
    socketio.WSGIApp(server),
    threaded=True,
    ssl_context=context,
)
say({"port": listener.port})
listener.serve_forever()
