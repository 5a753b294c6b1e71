"""Promise: streamlink's plugin API for WebSocket works with us unchanged."""

from __future__ import annotations

import queue
from pathlib import Path
from typing import Any

import dependent
import neighbours
import pytest
from dependent import Dependents
from papers import Papers

from websocket.testing import Connection, serve

pytestmark = dependent.marks


class Broadcaster:
    """A live stream's messages; keeps what its viewers leave with."""

    def __init__(self) -> None:
        self.left: queue.SimpleQueue[tuple[int | None, str | None]] = queue.SimpleQueue()

    def __call__(self, connection: Connection) -> None:
        headers = connection.request.headers
        assert headers["X-Plugin"] == "yes"
        assert headers["User-Agent"].startswith("Mozilla/")
        assert headers["Cookie"] == "user=me; theme=dark"
        assert headers["Origin"] == "https://live.example"
        assert connection.recv() == '{"command":"subscribe"}'
        connection.send(connection.request.path)
        connection.send(bytes(100_000))
        connection.ping("seen?")
        list(connection)
        self.left.put((connection.close_code, connection.close_reason))


@pytest.mark.parametrize("way", ["ws", "wss", "wss by proxy"])
def test_messages_reconnecting_and_closing(
    dependents: Dependents, papers: Papers, way: str, tmp_path: Path
) -> None:
    broadcaster = Broadcaster()
    context = papers.context if "wss" in way else None
    with serve(broadcaster, ssl=context, subprotocols=["msg.nicovideo.jp#json"]) as server:
        arguments: dict[str, Any] = {
            "url": f"{server.url}/live",
            "ca": str(papers.ca),
            "trace": way == "ws",
            "proxy": None,
        }
        if "proxy" not in way:
            watch(dependents, arguments)
        else:
            with neighbours.tinyproxy(tmp_path, ("someone", "s3cret")) as port:
                arguments["proxy"] = f"http://some%6Fne:s3cret@127.0.0.1:{port}"
                watch(dependents, arguments)
        left = [broadcaster.left.get(timeout=dependent.PATIENCE) for _ in range(2)]
    assert left == [(1000, ""), (4001, "enough")]
    assert not server.errors


def watch(dependents: Dependents, arguments: dict[str, Any]) -> None:
    with dependents.running("streamlink_plugin", **arguments) as run:
        for path in ("/live", "/live?second"):
            assert run.next() == ["message", path]
            assert run.next() == ["binary", 100_000, True]
            assert run.next() == ["ping", "seen?"]
            assert run.next() == ["pong", "alive?"]
            run.tell("go on")
            while (said := run.next()) == ["pong", "alive?"]:
                pass
            assert said[0] == "close"
        assert said == ["close", 4001, None]  # the server repeats the code, not the reason
        assert run.next() == ["alive", False]
        run.finish()
