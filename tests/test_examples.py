"""Promise: every example runs as it is and ends by itself; so do the Python blocks of README and
of every page in docs/.

What they print is for people; here it only has to be something, and the exit status 0.
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import documents
import papers
import pytest
from environments.conftest import REQUIREMENTS, _interpreter as interpreter_with

from websocket import Request, Response, WebSocketTimeoutException
from websocket.testing import Connection, Server, serve

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
DOCUMENTS = [ROOT / "README.md", *documents.pages()]
BLOCKS = [
    pytest.param(block, id=f"{path.relative_to(ROOT).with_suffix('')}-{number}")
    for path in DOCUMENTS
    for number, block in enumerate(documents.python_blocks(path), 1)
]

# What the blocks take for granted: a transport of the reader's own ...
TRANSPORT = """
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

# ... and, as the pages say at their beginning, an open connection.
OPEN = """
import websocket
ws = websocket.create_connection("{url}/feed", timeout=10)
"""


def ran(
    *command: str, folder: Path = ROOT, python: Path | str = sys.executable
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-W", "error::ResourceWarning", *command],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(example: Path) -> None:
    done = ran(str(example))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout and not done.stderr


def converse(connection: Connection) -> None:
    """/feed has news first; all is echoed, and the connection closed when nothing comes any more.
    /busy is closed at once."""
    if connection.request.path == "/busy":
        connection.close(1013, "try again later")
        return
    if connection.request.path == "/feed":
        connection.send("news")
    try:
        while True:
            connection.send(connection.recv(timeout=2))
    except WebSocketTimeoutException:
        pass


def refuse(request: Request) -> Response | None:
    return Response(403, body=b"not for you") if request.path == "/private" else None


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> papers.Papers:
    """The certificates that the blocks name, as files in the folder where they run."""
    return papers.issue(tmp_path_factory.mktemp("pages"))


@pytest.fixture
def servers(issued: papers.Papers) -> Iterator[tuple[Server, Server]]:
    """The same server, plain and over TLS."""
    issued.context.load_verify_locations(issued.ca)
    issued.context.verify_mode = ssl.CERT_OPTIONAL
    with (
        serve(converse, subprotocols=["chat"], on_request=refuse, compression="deflate") as plain,
        serve(converse, ssl=issued.context) as secure,
    ):
        yield plain, secure


def test_every_program_on_a_page_is_marked_as_one() -> None:
    """Else it would not run here: `python` is the one name for a program in Python."""
    names = {name for path in DOCUMENTS for name in documents.block_names(path)}
    assert {name for name in names if not name.startswith("{")} <= {"", "console", "python", "text"}


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_of_the_documents_runs(
    block: str, servers: tuple[Server, Server], issued: papers.Papers
) -> None:
    """Against servers of ours in the place of those that it names; device.local speaks TLS."""
    plain, secure = servers
    block = re.sub(r"wss?://(?:example\.com|localhost:8000)", plain.url, block)
    block = block.replace("wss://device.local", secure.url)
    der = ssl.PEM_cert_to_DER_cert(issued.certificate.read_text())
    block = block.replace("5F:3B:...", hashlib.sha256(der).hexdigest())
    prelude = TRANSPORT.format(port=plain.port) if "my_transport" in block else ""
    if re.search(r"\bws\b", block) and not re.search(r"\bws =|as ws\b|for ws\b|\bws[:,)]", block):
        prelude = OPEN.format(url=plain.url)
    elif "import" not in block:
        prelude = "import websocket\n"
    patched = next((kind for kind in REQUIREMENTS if f"import {kind}" in block), None)
    python = interpreter_with(patched) if patched else sys.executable
    done = ran("-c", prelude + block, folder=issued.ca.parent, python=python)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
