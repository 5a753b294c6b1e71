"""Promise: compression works with the servers that people run (websockets, aiohttp, node's ws) and,
for `websocket.testing`, with other clients; whatever each of them is told to negotiate.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import random
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from components import component
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.sync.client import connect
from websockets.sync.server import serve as websockets_serve

import websocket
from websocket import Deflate
from websocket.testing import serve

TIMEOUT = 20.0
NODE_WS = "8.18.0"


def converse(ws: websocket.WebSocket, seed: int = 1) -> None:
    """Have an echo server send back messages of all kinds, and close."""
    chance = random.Random(seed)
    for size in (0, 1, 0, 125, 126, 5000, 65_536, 0, 40, 41):
        text = "".join(chance.choices("abcdé€😀", k=size))
        ws.send(text)
        assert ws.recv() == text
        ws.send_bytes(chance.randbytes(size))
        assert isinstance(ws.recv(), bytes)
        ws.send(text, compress=False)
        assert ws.recv() == text
    ws.send(iter(["in ", "", "three ", "fragments"]))
    assert ws.recv() == "in three fragments"
    for number in range(100):
        text = f"message {number}: {chance.random()} " * chance.randrange(40)
        ws.send(text)
        assert ws.recv() == text
    ws.close()
    assert ws.close_code == 1000


def talk(url: str, compression: Deflate) -> str:
    """Connect, converse; returns what was agreed on."""
    ws = websocket.create_connection(url, timeout=TIMEOUT, compression=compression)
    assert ws.response is not None
    agreed = ws.response.headers["Sec-WebSocket-Extensions"]
    converse(ws)
    return agreed


OURS = [
    Deflate(),
    Deflate(client_max_window_bits=15, level=9, mem_level=9),
    Deflate(client_max_window_bits=8),
    Deflate(client_no_context_takeover=True),
    Deflate(server_no_context_takeover=True, client_no_context_takeover=True),
    Deflate(server_max_window_bits=9, client_max_window_bits=9),
    Deflate(server_max_window_bits=12, threshold=1000),
]


@pytest.fixture(params=OURS, ids=lambda ours: ours.offer().partition("; ")[2])
def ours(request: pytest.FixtureRequest) -> Deflate:
    settings: Deflate = request.param
    return settings


# --- websockets -----------------------------------------------------------------------------------


def _echo(connection: Any) -> None:
    for message in connection:
        connection.send(message)


@pytest.fixture(
    scope="module",
    params=[
        ServerPerMessageDeflateFactory(),
        ServerPerMessageDeflateFactory(True, True),
        ServerPerMessageDeflateFactory(server_max_window_bits=9, client_max_window_bits=9),
        ServerPerMessageDeflateFactory(client_max_window_bits=8),
    ],
    ids=["default", "no takeover", "windows of 9", "our window of 8"],
)
def websockets_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An echo server of websockets'; on Python 3.10 it leaves a pipe open when it is shut down."""
    with websockets_serve(
        _echo, "127.0.0.1", 0, extensions=[request.param], max_size=None
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        websocket.create_connection(url, timeout=TIMEOUT).close()  # from now on it is serving
        yield url
        server.shutdown()
        thread.join()


def test_with_websockets_as_the_server(websockets_url: str, ours: Deflate) -> None:
    assert talk(websockets_url, ours).startswith("permessage-deflate")


@pytest.mark.parametrize(
    "theirs",
    [
        ClientPerMessageDeflateFactory(client_max_window_bits=True),
        ClientPerMessageDeflateFactory(True, True),
        ClientPerMessageDeflateFactory(server_max_window_bits=9, client_max_window_bits=9),
        ClientPerMessageDeflateFactory(server_max_window_bits=8),
    ],
    ids=["default", "no takeover", "windows of 9", "our window of 8"],
)
def test_with_websockets_as_the_client(
    theirs: ClientPerMessageDeflateFactory, ours: Deflate
) -> None:
    if ours.client_max_window_bits == 8:
        pytest.skip("websockets has no compressor with a window of 8 bits")
    chance = random.Random(2)
    with (
        serve(compression=ours) as server,
        connect(server.url, extensions=[theirs], compression=None, max_size=None) as client,
    ):
        assert [extension.name for extension in client.protocol.extensions] == [
            "permessage-deflate"
        ]
        for size in (0, 1, 0, 100, 5000, 70_000, *range(100)):
            text = "".join(chance.choices("abcdé€😀", k=size))
            client.send(text)
            assert client.recv() == text
        client.send(["in ", "", "three ", "fragments"])
        assert client.recv() == "in three fragments"


# --- aiohttp --------------------------------------------------------------------------------------


@contextmanager
def _aiohttp() -> Iterator[str]:
    """An echo server of aiohttp's in a thread; its URL."""

    async def echo(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse(max_msg_size=0)
        await response.prepare(request)
        async for message in response:
            if message.type is WSMsgType.TEXT:
                await response.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await response.send_bytes(message.data)
        return response

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/", echo)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        urls.append(f"ws://127.0.0.1:{runner.addresses[0][1]}/")
        loops.append((asyncio.get_running_loop(), asyncio.Event()))
        started.set()
        await loops[0][1].wait()
        await runner.cleanup()

    urls: list[str] = []
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    started = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert started.wait(TIMEOUT)
    try:
        yield urls[0]
    finally:
        loops[0][0].call_soon_threadsafe(loops[0][1].set)
        thread.join()


def test_with_aiohttp_as_the_server(ours: Deflate) -> None:
    with _aiohttp() as url:
        assert talk(url, ours).startswith("permessage-deflate")


# --- node's ws ------------------------------------------------------------------------------------

ECHO = """
const { WebSocketServer } = require("ws");
const options = JSON.parse(process.argv[1]);
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, maxPayload: 0,
                                     perMessageDeflate: options });
server.on("connection", (peer) =>
  peer.on("message", (data, binary) => peer.send(binary ? data : data.toString())));
server.on("listening", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
"""


@pytest.fixture(scope="session")
def node_ws() -> Path:
    """A folder, outside of the project, in which node finds `ws`."""
    npm = component("npm")
    component("node")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / "websocket-client-tests" / f"ws-{NODE_WS}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be installing it
        if not (folder / "node_modules" / "ws" / "package.json").exists():
            command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund"]
            done = subprocess.run(
                [*command, f"ws@{NODE_WS}"], capture_output=True, text=True, check=False
            )
            if done.returncode:
                reason = f"npm cannot install ws: {done.stderr.strip()[-300:]}"
                if os.environ.get("CI") == "true":
                    pytest.fail(reason, pytrace=False)
                pytest.skip(reason)
    return folder


@pytest.mark.parametrize(
    "theirs",
    [
        '{"threshold": 0}',
        '{"threshold": 0, "serverNoContextTakeover": true, "clientNoContextTakeover": true}',
        '{"threshold": 0, "serverMaxWindowBits": 9, "clientMaxWindowBits": 9}',
        '{"threshold": 0, "serverMaxWindowBits": 8, "clientMaxWindowBits": 8}',
        '{"threshold": 1024, "clientMaxWindowBits": 15}',
    ],
)
def test_with_node_ws_as_the_server(node_ws: Path, theirs: str, ours: Deflate) -> None:
    with subprocess.Popen(
        [component("node"), "-e", ECHO, "--", theirs],
        cwd=node_ws,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        agreed = talk(f"ws://127.0.0.1:{port}/", ours)
        assert agreed.startswith("permessage-deflate")
