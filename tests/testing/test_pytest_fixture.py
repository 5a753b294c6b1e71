"""Promise: pytest finds `ws_server`, whose servers end with the test, and fail it if they fail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

import websocket
from websocket.testing import Servers, accept, expect_frame

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "testing.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def ran(folder: Path, program: str, *options: str, **environment: str) -> tuple[int, str]:
    """Exit status and output of pytest in a process of its own."""
    (folder / "test_it.py").write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=50,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
    return done.returncode, done.stdout


def run_with_plugin(folder: Path, program: str) -> tuple[int, str]:
    return ran(folder, program, "-p", "_websocket_pytest", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")


HEAD = "import pytest, threading, websocket\nfrom websocket.testing import *\n"
WORKS = (
    HEAD
    + """
threads = threading.active_count()

def test_echo(ws_server: Servers):
    ws = websocket.create_connection(ws_server.url, timeout=10)
    ws.send("hello")
    assert ws.recv() == "hello"
    assert ws_server.url == ws_server.url
    ws.close()

def test_everything_has_ended():
    assert threading.active_count() == threads

def test_a_handler_and_options(ws_server):
    server = ws_server(lambda connection: connection.send("hi"), subprotocols=["chat"])
    ws = websocket.create_connection(server.url, timeout=10, subprotocols=["chat"])
    assert (ws.subprotocol, ws.recv()) == ("chat", "hi")
    ws.close()

def test_all_kinds(ws_server, tmp_path):
    path = tmp_path / "x.jsonl"
    for server in (
        ws_server.script(accept(), expect_frame(1, b"x"), send(frame(1, "x")), drop()),
        ws_server.record(path, ws_server.url),
    ):
        ws = websocket.create_connection(server.url, timeout=10)
        ws.send("x")
        assert ws.recv() == "x"
        ws.close()
    server.close()
    ws = websocket.create_connection(ws_server.replay(path).url, timeout=10)
    ws.send("x")
    assert ws.recv() == "x"
    ws.close()
"""
)


def test_the_fixture_starts_every_kind_of_server(tmp_path: Path) -> None:
    status, output = run_with_plugin(tmp_path, WORKS)
    assert status == 0, output
    assert "4 passed" in output


def test_pytest_finds_it_by_the_entry_point(tmp_path: Path) -> None:
    """What setup.cfg says, installed beside the interpreter's packages."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    info = tmp_path / "site" / "like_ours-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: like-ours\nVersion: 1.0\n")
    lines = config["options.entry_points"]["pytest11"].strip()
    (info / "entry_points.txt").write_text(f"[pytest11]\n{lines}\n")
    paths = f"{ROOT}{os.pathsep}{tmp_path / 'site'}"
    status, output = ran(tmp_path, WORKS, PYTHONPATH=paths)
    assert status == 0, output
    assert config["options"]["py_modules"].split() == ["_websocket_pytest"]
    assert (ROOT / "_websocket_pytest.py").is_file()


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (
            "def handler(connection):\n"
            "        message = connection.recv()\n"
            "        assert message == 'expected'\n"
            "    server = ws_server(handler)\n"
            "    ws = websocket.create_connection(server.url, timeout=10)\n"
            "    ws.send('other')\n"
            "    ws.recv_data_frame(True)",
            "assert 'other' == 'expected'",
        ),
        (
            "server = ws_server.script(accept(), expect_frame(1, b'x'))\n"
            "    websocket.create_connection(server.url, timeout=10).close()",
            "expected a TEXT frame",
        ),
        (
            "event = RecordedEvent(0.0, 'sent', 'text', 'x')\n"
            "    server = ws_server.replay(Recording('', '', [event]))\n"
            "    websocket.create_connection(server.url, timeout=10).close()",
            "expected 'x', but the connection has ended",
        ),
    ],
)
def test_what_goes_wrong_in_a_server_fails_the_test(tmp_path: Path, body: str, seen: str) -> None:
    """With the assertion as pytest explains it, though it was in another thread."""
    status, output = run_with_plugin(tmp_path, f"{HEAD}\ndef test_it(ws_server):\n    {body}\n")
    assert status == 1
    assert seen.lower() in output.lower(), output


def test_a_test_without_the_fixture_does_not_import_the_package(tmp_path: Path) -> None:
    """So gevent can patch before, and coverage can begin before."""
    program = "import sys\n\ndef test_it():\n    assert 'websocket' not in sys.modules\n"
    status, output = run_with_plugin(tmp_path, program)
    assert status == 0, output


def test_servers_end_with_the_block_and_raise_what_went_wrong_first() -> None:
    def expect_nothing() -> None:
        with Servers() as servers:
            server = servers.script(accept(), expect_frame(1))
            websocket.create_connection(server.url, timeout=10).close()

    with pytest.raises(AssertionError, match="step 2"):
        expect_nothing()
    with Servers() as servers:
        url = servers.url
    with pytest.raises(OSError, match="refused"):
        websocket.create_connection(url, timeout=10)


TESTS = [block for block in BLOCKS if "def test_" in block]


@pytest.mark.parametrize("block", TESTS, ids=range(len(TESTS)))
def test_the_tests_on_the_page_pass(tmp_path: Path, block: str) -> None:
    """docs/testing.md shows tests; here pytest runs them as they stand."""
    with Servers() as servers:
        block = block.replace("wss://example.com", servers.url)
        recording = tmp_path / "tests" / "feed.jsonl"
        recording.parent.mkdir()
        recording.write_text(
            '{"format": "websocket-recording", "version": 1}\n'
            '{"time": 0.1, "direction": "sent", "type": "text", "data": "subscribe"}\n'
            '{"time": 0.2, "direction": "received", "type": "text", "data": "news"}\n'
        )
        status, output = run_with_plugin(tmp_path, block)
    assert status == 0, output
