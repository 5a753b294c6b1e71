"""Promise: docker's SDK attaches to containers by us unchanged."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import dependent
from dependent import Dependents

from websocket.testing import Connection, serve

pytestmark = dependent.marks


def container(connection: Connection) -> None:
    """A container with a shell, as the daemon shows it: output is binary."""
    parts = urlsplit(connection.request.path)
    assert parts.path == "/v1.43/containers/f00d/attach/ws"
    assert parse_qs(parts.query)["logs"] == ["1"]
    assert connection.recv() == "echo hi\n"
    connection.send(b"hi\r\n")
    assert connection.recv() == b"cat\n"
    connection.send(bytes(2_000_000))
    assert connection.recv() == "exit\n"
    connection.send(b"bye")


def test_attach_and_talk(dependents: Dependents) -> None:
    with serve(container) as server:
        url = f"tcp://127.0.0.1:{server.port}"
        with dependents.running("docker_attach", url=url) as run:
            assert run.next() == ["WebSocket", True]
            assert run.next() == "hi\r\n"
            assert run.next() == ["bytes", 2_000_000]
            assert run.next() == "quiet"
            assert run.next() == "bye"
            assert run.next() == ["", False]
            assert run.next() == "closed"
            run.finish()
    assert not server.errors
