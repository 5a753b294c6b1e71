"""Promise: slack_sdk's Socket Mode client for websocket-client works with us unchanged."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dependent
import neighbours
import pytest
from dependent import Dependents

from websocket import WebSocketConnectionClosedException
from websocket.testing import Connection, Server, serve

pytestmark = dependent.marks


class Slack:
    """Hands out URLs of sockets, and is what is behind them."""

    def __init__(self) -> None:
        self.server: Server = serve(self.socket)
        self.acknowledged: list[int] = []
        self.code: int | None = None
        self.pinged = threading.Event()
        self.gone = threading.Event()
        self._count = 0
        slack = self

        class Api(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.dumps(slack.open(self.path, self.headers["Authorization"])).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Api)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()
        self.api = f"http://127.0.0.1:{self._http.server_port}/api/"

    def open(self, path: str, authorization: str) -> dict[str, object]:
        """The answer to apps.connections.open: each time another ticket."""
        if path != "/api/apps.connections.open" or authorization != "Bearer xapp-1":
            return {"ok": False, "error": "invalid_auth"}
        self._count += 1
        return {"ok": True, "url": f"{self.server.url}/link?ticket={self._count}"}

    def socket(self, connection: Connection) -> None:
        """Which asks to come again, gets lost, or stays: one after the other.

        The client now and then replaces a session that it has only just begun: that one is over
        before its envelope is acknowledged, and does not count.
        """
        number = len(self.acknowledged) + 1
        event = {"type": "message", "text": f"ol\u00e1 {number}"}
        envelope = {"envelope_id": number, "type": "events_api", "payload": {"event": event}}
        try:
            connection.send(json.dumps({"type": "hello"}))
            connection.send(json.dumps(envelope))
            answer = json.loads(connection.recv())
        except WebSocketConnectionClosedException:
            return
        self.acknowledged.append(answer["envelope_id"])
        if number == 1:
            connection.send(json.dumps({"type": "disconnect", "reason": "refresh_requested"}))
        elif number == 2:
            while connection.recv_frame().opcode != 9:  # the client's keepalive
                pass
            self.pinged.set()
            connection.drop()
            return
        list(connection)
        if number == 3:
            self.code = connection.close_code
            self.gone.set()

    def close(self) -> None:
        self.server.close()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def slack() -> Iterator[Slack]:
    slack = Slack()
    yield slack
    slack.close()
    assert not slack.server.errors


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxied"])
def test_envelopes_keepalive_and_coming_back(
    dependents: Dependents, slack: Slack, proxied: bool, tmp_path: Path
) -> None:
    if not proxied:
        converse(dependents, slack, None, None)
        return
    with neighbours.tinyproxy(tmp_path, ("someone", "s3cret")) as port:
        converse(dependents, slack, "127.0.0.1", port)


def converse(dependents: Dependents, slack: Slack, host: str | None, port: int | None) -> None:
    arguments = {"api": slack.api, "proxy_host": host, "proxy_port": port}
    with dependents.running("slack_socket_mode", **arguments) as run:
        for number in (1, 2, 3):
            assert run.next() == {"type": "events_api", "text": f"ol\u00e1 {number}"}
        assert slack.pinged.is_set()
        run.tell("close from the main thread, which is not the one that runs the session")
        assert run.next() == ["connected", True]
        assert run.next() == ["closed", False, False]
        assert run.next() == [True, True]
        run.finish()
    assert slack.gone.wait(dependent.PATIENCE)
    assert slack.code == 1000
    assert slack.acknowledged == [1, 2, 3]
