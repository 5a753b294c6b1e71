"""Attach to a container's streams by docker's SDK, over WebSocket."""

from __future__ import annotations

import docker  # pyright: ignore[reportMissingImports]
from talking import arguments, say

import websocket

api = docker.APIClient(base_url=arguments["url"], version="1.43", timeout=30)
params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1, "logs": 1}
sock = api.attach_socket("f00d", params=params, ws=True)
say([type(sock).__name__, sock.connected])
sock.send("echo hi\n")
say(sock.recv().decode())
sock.send_binary(b"cat\n")
output = sock.recv()
say([type(output).__name__, len(output)])
sock.settimeout(0.2)
try:
    sock.recv()
except websocket.WebSocketTimeoutException:
    say("quiet")
sock.settimeout(30)
sock.send("exit\n")
say(sock.recv().decode())
say([sock.recv(), sock.connected])
try:
    sock.recv()
except websocket.WebSocketConnectionClosedException:
    say("closed")
sock.close()
api.close()
