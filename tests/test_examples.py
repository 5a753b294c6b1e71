"""Promise: every example runs as it is and ends by itself; so do the Python blocks of README.

What they print is for people; here it only has to be something, and the exit status 0.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from websocket import WebSocketTimeoutException
from websocket.testing import Connection, Server, serve

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
DOCUMENTS = [ROOT / "README.md", ROOT / "docs" / "loop.md"]
BLOCKS = [
    pytest.param(block, id=f"{path.name}-{number}")
    for path in DOCUMENTS
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", path.read_text(), re.S), 1)
]

# What the blocks take for granted: a transport of the reader's own.
PRELUDE = """
import socket, sys

class my_transport:
    sock = socket.create_connection(("127.0.0.1", {port}))

    @classmethod
    def write(cls, data):
        cls.sock.sendall(data) if data else cls.sock.shutdown(socket.SHUT_WR)

    @classmethod
    def read(cls):
        data = cls.sock.recv(65536)
        if not data:
            cls.sock.close()
            sys.exit()
        return data
"""


def ran(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", *command],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(example: Path) -> None:
    done = ran(str(example))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout and not done.stderr


@pytest.fixture
def server() -> Iterator[Server]:
    """An echo server that closes when nothing comes any more."""

    def handler(connection: Connection) -> None:
        try:
            while True:
                connection.send(connection.recv(timeout=2))
        except WebSocketTimeoutException:
            pass

    with serve(handler) as server:
        yield server


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_of_the_documents_runs(block: str, server: Server) -> None:
    """Against a server of ours in the place of those that it names."""
    block = re.sub(r"wss?://(example\.com|localhost)[^\"]*", server.url, block)
    prelude = PRELUDE.format(port=server.port) if "my_transport" in block else ""
    done = ran("-c", prelude + block)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
