"""The rows of the table: what is measured, in which unit, against which server."""

from __future__ import annotations

import json
import random
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

__all__ = ["ROWS", "Row", "payload_of", "row_of_path"]

_SENTENCE = b"All that glitters is not gold; often have you heard that told. "


class Row(NamedTuple):
    """One workload. `kind` says what the client does, the rest what travels."""

    title: str
    kind: str  # echo, flood, send, connect, app (run_forever), idle or import
    size: int = 0  # bytes of a message
    text: bool = False
    tls: bool = False
    deflate: bool = False
    fragment: int = 0  # bytes of a fragment; 0: none
    unit: str = "us"

    @property
    def path(self) -> str:
        """The resource under which the server plays its part of this row."""
        said = {
            name: int(value)
            for name, value in self._asdict().items()
            if name in ("size", "text", "deflate", "fragment")
        }
        return f"/{self.kind}?{urlencode(said)}"


ROWS = (
    Row("echo 32 B", "echo", 32),
    Row("echo 1 KiB", "echo", 1 << 10),
    Row("echo 1 KiB text", "echo", 1 << 10, text=True),
    Row("echo 64 KiB", "echo", 1 << 16),
    Row("echo 1 MiB", "echo", 1 << 20),
    Row("receive flood 32 B", "flood", 32),
    Row("receive flood 1 KiB text", "flood", 1 << 10, text=True),
    Row("receive flood 1 MiB", "flood", 1 << 20),
    Row("send 32 B", "send", 32),
    Row("send 1 KiB text", "send", 1 << 10, text=True),
    Row("send 1 MiB", "send", 1 << 20),
    Row("connect + close", "connect"),
    Row("64 MiB in 4 KiB fragments", "flood", 1 << 26, fragment=4096, unit="ms"),
    Row("200,000 one-byte fragments", "flood", 200_000, fragment=1, unit="ms"),
    Row("deflate echo 1 KiB JSON", "echo", 1 << 10, text=True, deflate=True),
    Row("run_forever flood 32 B", "app", 32),
    Row("wss echo 1 KiB", "echo", 1 << 10, tls=True),
    Row("wss flood 32 B", "flood", 32, tls=True),
    Row("wss flood 1 MiB", "flood", 1 << 20, tls=True),
    Row("wss connect + close", "connect", tls=True),
    Row("import, beyond the bare interpreter", "import", unit="ms"),
    Row("idle connection, user memory", "idle", unit="KiB"),
)


def row_of_path(path: str) -> Row:
    """The row that a client asks for by its URL, as far as the server has to know it."""
    url = urlsplit(path)
    said = {name: int(value) for name, value in parse_qsl(url.query)}
    return Row(
        "",
        url.path.strip("/"),
        said.get("size", 0),
        bool(said.get("text")),
        deflate=bool(said.get("deflate")),
        fragment=said.get("fragment", 0),
    )


def payload_of(row: Row) -> bytes:
    """The message that travels in both directions; the same one in every process."""
    if row.deflate:
        return _document(row.size)
    if row.text:
        return (_SENTENCE * (row.size // len(_SENTENCE) + 1))[: row.size]
    return (bytes(range(256)) * (row.size // 256 + 1))[: row.size]


def _document(size: int) -> bytes:
    """JSON of about `size` bytes, as alike and as unlike as the messages of an API."""
    chance = random.Random(7)
    rows: list[dict[str, object]] = []
    while len(json.dumps(rows)) < size:
        rows.append(
            {
                "id": chance.randrange(10**8),
                "price": round(chance.uniform(1, 1000), 2),
                "side": chance.choice(["buy", "sell"]),
            }
        )
    return json.dumps(rows).encode()
