"""Promise: the examples on the pages about apps, reconnecting and keepalive run as they stand."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import pytest

from websocket.testing import serve

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [
    pytest.param(block, id=f"{page}-{number}")
    for page in ("app", "reconnecting", "keepalive")
    for number, block in enumerate(BLOCK.findall((DOCS / f"{page}.md").read_text()), 1)
]


def feed(peer: Any) -> None:
    peer.send("news")
    list(peer)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_runs(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With a server of our own in the place of example.com; it ends, and raises nothing."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with serve(feed) as server:
            assert "wss://example.com/feed" in block
            source = block.replace("wss://example.com/feed", server.url)
            exec(compile(source, "page", "exec"), {"__name__": "page"})
            assert server.errors == []
    finally:
        signal.signal(signal.SIGTERM, handler)
