"""Promise: Chromium is driven by us: by DevTools as scripts do it, and by selenium's BiDi."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn

import dependent
import pytest
from components import component
from dependent import Dependents

import websocket
from websocket.testing import serve

pytestmark = dependent.marks

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--proxy-server=direct://",
)

PAGE = b"""<!doctype html><title>A page</title><body>
<script>console.log("the page says \xc3\xbc")</script>"""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    """The URL of a page that writes to the console."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def devtools(tmp_path: Path) -> Iterator[int]:
    """The port at which a new Chromium offers its DevTools."""
    profile = tmp_path / "profile"
    command = [component("chromium"), *FLAGS, f"--user-data-dir={profile}"]
    with (tmp_path / "output.log").open("wb") as output:
        process = subprocess.Popen(
            [*command, "--remote-debugging-port=0", "about:blank"], stdout=output, stderr=output
        )
    try:
        chosen = profile / "DevToolsActivePort"
        until = time.monotonic() + dependent.PATIENCE
        while not (chosen.exists() and chosen.read_text().strip()):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.05)  # Chromium tells nobody
        yield int(chosen.read_text().split()[0])
    finally:
        process.terminate()
        process.wait(dependent.PATIENCE)


def targets(port: int) -> list[dict[str, str]]:
    connection = HTTPConnection("127.0.0.1", port, timeout=dependent.PATIENCE)
    connection.request("GET", "/json")
    found: list[dict[str, str]] = json.loads(connection.getresponse().read())
    connection.close()
    return found


class DevTools:
    """A session, as scripts have it: send a command, read until its answer, keep the events."""

    def __init__(self, url: str):
        self.ws = websocket.create_connection(
            url, timeout=dependent.PATIENCE, suppress_origin=True, enable_multithread=True
        )
        self.events: list[dict[str, Any]] = []
        self._last = 0

    def call(self, method: str, **params: object) -> dict[str, Any]:
        self._last += 1
        self.ws.send(json.dumps({"id": self._last, "method": method, "params": params}))
        while (message := json.loads(self.ws.recv())).get("id") != self._last:
            self.events.append(message)
        assert "error" not in message, message
        result: dict[str, Any] = message["result"]
        return result

    def evaluate(self, expression: str) -> Any:
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        return answer["result"].get("value")

    def event(self, method: str) -> dict[str, Any]:
        for seen in self.events:
            if seen["method"] == method:
                return seen
        while (message := json.loads(self.ws.recv()))["method"] != method:
            self.events.append(message)
        return dict(message)


def test_a_devtools_session(devtools: int, page: str) -> None:
    (target,) = [each for each in targets(devtools) if each["type"] == "page"]
    session = DevTools(target["webSocketDebuggerUrl"])
    session.call("Page.enable")
    session.call("Runtime.enable")
    session.call("Page.navigate", url=page)
    assert session.event("Runtime.consoleAPICalled")["params"]["args"][0]["value"] == (
        "the page says \u00fc"
    )
    session.event("Page.loadEventFired")
    assert session.evaluate("document.title") == "A page"
    picture = base64.b64decode(session.call("Page.captureScreenshot")["data"])
    assert picture.startswith(b"\x89PNG\r\n")
    assert session.evaluate("'\u00fc'.repeat(3000000)") == "\u00fc" * 3_000_000  # one large message
    assert session.evaluate(json.dumps("y" * 2_000_000) + ".length") == 2_000_000
    session.ws.close()
    assert not session.ws.connected


def test_a_page_that_is_closed_ends_its_session(devtools: int) -> None:
    (target,) = [each for each in targets(devtools) if each["type"] == "page"]
    page = DevTools(target["webSocketDebuggerUrl"])
    page.call("Runtime.enable")
    ended: list[object] = []

    def closer(app: websocket.WebSocketApp) -> None:
        app.send(
            json.dumps(
                {"id": 1, "method": "Target.closeTarget", "params": {"targetId": target["id"]}}
            )
        )

    version = HTTPConnection("127.0.0.1", devtools, timeout=dependent.PATIENCE)
    version.request("GET", "/json/version")
    url = json.loads(version.getresponse().read())["webSocketDebuggerUrl"]
    version.close()
    app = websocket.WebSocketApp(
        url,
        on_open=closer,
        on_message=lambda app, message: app.close(),
        on_close=lambda app, code, reason: ended.append((code, reason)),
    )
    assert app.run_forever(suppress_origin=True) is False
    assert len(ended) == 1
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        read_on(page.ws)
    page.ws.close()


def read_on(ws: websocket.WebSocket) -> NoReturn:
    while True:
        ws.recv()


def test_a_page_talks_to_the_testing_server(devtools: int, page: str) -> None:
    """A browser is the strictest of clients: it agrees with our server, compression included."""
    (target,) = [each for each in targets(devtools) if each["type"] == "page"]
    session = DevTools(target["webSocketDebuggerUrl"])
    session.call("Page.enable")
    session.call("Page.navigate", url=page)
    session.event("Page.loadEventFired")
    with serve(compression="deflate", subprotocols=["chat"]) as server:
        answer = session.evaluate(
            f"""new Promise((done) => {{
                const ws = new WebSocket("{server.url}/", ["chat"]);
                ws.onopen = () => ws.send("\u00fc".repeat(100000));
                ws.onmessage = (event) => {{
                    ws.answer = event.data.length;
                    ws.close(3000, "bye");
                }};
                ws.onclose = (event) =>
                    done([ws.answer, ws.protocol, ws.extensions, event.code, event.wasClean]);
            }})"""
        )
    assert answer[:2] == [100_000, "chat"]
    assert answer[2].startswith("permessage-deflate")
    assert answer[3:] == [3000, True]
    session.ws.close()


def test_selenium_by_bidi(dependents: Dependents, page: str, tmp_path: Path) -> None:
    profile = tmp_path / "profile"
    arguments = {
        "browser": component("chromium"),
        "driver": component("chromedriver"),
        "flags": [*FLAGS, f"--user-data-dir={profile}"],
        "url": page,
    }
    with dependents.running("bidi", **arguments) as run:
        assert run.next() == ["the page says \u00fc"]
        assert run.next() == "A page"
        assert run.next() == 42
        assert run.next() == ["iVBOR", True]
        assert run.next() == 3_000_000
        assert run.next() == "quit"
        run.finish()
