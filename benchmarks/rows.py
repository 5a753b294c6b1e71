"""The rows of the tables: what is measured, in which unit, and the goal that was set for it."""

from __future__ import annotations

import json
import random
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

__all__ = ["BLOCK", "ROWS", "Goal", "Part", "Row", "part_of_path", "payload_of"]

BLOCK = 1 << 20
"""Payloads repeat after so many bytes, so that the server need not hold the large ones."""

_SENTENCE = b"All that glitters is not gold; often have you heard that told.\r\n"  # 64 bytes


class Goal(NamedTuple):
    """What a row is to reach: times the floor, times the "BIO" floor, or a figure in its unit."""

    floor: float | None = None
    bio: float | None = None
    figure: float | None = None
    is_the_must: bool = False  # the goal itself is behind a peer: whoever meets it has done enough


class Part(NamedTuple):
    """What the server has to know, in the path of the URL."""

    role: str
    size: int = 0  # bytes of a message
    text: bool = False
    deflate: bool = False
    fragment: int = 0  # bytes of a fragment; 0: messages are whole
    records: bool = False  # each message in a TLS record of its own
    group: int = 0  # connections that get their messages in turn or all at once
    count: int = 0  # how many of them there are, or how many rounds they get

    @property
    def path(self) -> str:
        """The resource under which the server plays this part."""
        said = {name: int(value) for name, value in self._asdict().items() if name != "role"}
        return f"/{self.role}?{urlencode(said)}"


class Row(NamedTuple):
    """One workload. `kind` says what the client does, the rest what travels."""

    title: str
    kind: str
    size: int = 0
    text: bool = False
    tls: bool = False
    deflate: bool = False
    fragment: int = 0
    records: bool = False
    count: int = 1  # connections or threads
    unit: str = "us"
    goal: Goal | None = None
    section: str = "ws"
    quick: bool = True  # whether it is part of a quick run
    heavy: bool = False  # one library at a time, once: memory, or seconds for one message

    def part(self, group: int = 0) -> Part:
        """The server's part."""
        role = _ROLES.get(self.kind, self.kind)
        return Part(
            role,
            self.size,
            self.text,
            self.deflate,
            self.fragment,
            self.records,
            group,
            self.count if role == "group" else 0,
        )

    @property
    def has_two_at_work(self) -> bool:
        """Whether the client could do two things at the same time, if it were given two cores."""
        return self.kind.startswith("duplex")

    @property
    def is_measured_alone(self) -> bool:
        """Whether a process can answer for one figure only."""
        return self.heavy or self.kind in ("peak", "idle", "traced")


_ROLES = {
    "app_echo": "echo",
    "app_flood": "flood",
    "burst": "group",
    "connect": "echo",
    "duplex_echo": "echo",
    "peak": "flood",
    "polled": "group",
    "spread": "group",
    "threads": "echo",
    "traced": "idle",
}
_KIB, _MIB = 1 << 10, 1 << 20

_PLAIN = (
    Row("echo 32 B", "echo", 32, goal=Goal(floor=1.10)),
    Row("echo 1 KiB", "echo", _KIB, goal=Goal(floor=1.10), quick=False),
    Row("echo 1 KiB text", "echo", _KIB, text=True, goal=Goal(floor=1.10)),
    Row("echo 64 KiB", "echo", 64 * _KIB, goal=Goal(floor=1.20)),
    Row("echo 64 KiB text", "echo", 64 * _KIB, text=True, goal=Goal(floor=1.20), quick=False),
    Row("echo 1 MiB", "echo", _MIB, goal=Goal(floor=1.20)),
    Row("echo 1 MiB text", "echo", _MIB, text=True, goal=Goal(floor=1.40)),
    Row("receive flood 32 B", "flood", 32, goal=Goal(figure=0.12)),
    Row("receive flood 1 KiB text", "flood", _KIB, text=True, goal=Goal(figure=0.28)),
    Row("receive flood 1 MiB", "flood", _MIB, goal=Goal(floor=1.0)),
    Row("send 32 B", "send", 32, goal=Goal(floor=1.05)),
    Row("send 1 KiB text", "send", _KIB, text=True, goal=Goal(floor=1.05)),
    Row("send 1 MiB", "send", _MIB, goal=Goal(floor=1.20)),
    Row("connect + close", "connect", goal=Goal(floor=1.5)),
    Row(
        "deflate echo 1 KiB JSON",
        "echo",
        _KIB,
        text=True,
        deflate=True,
        goal=Goal(figure=52),
    ),
    Row(
        "64 MiB in 4 KiB fragments",
        "flood",
        64 * _MIB,
        fragment=4 * _KIB,
        unit="ms",
        goal=Goal(figure=60),
    ),
    Row(
        "200,000 one-byte fragments",
        "flood",
        200_000,
        fragment=1,
        unit="ms",
        goal=Goal(figure=10, is_the_must=True),
    ),
    Row("import, CPU", "import", unit="ms", goal=Goal(figure=12)),
)

_TLS = (
    Row("wss echo 32 B", "echo", 32, tls=True, goal=Goal(floor=1.08)),
    Row("wss echo 1 KiB text", "echo", _KIB, text=True, tls=True, goal=Goal(floor=1.10)),
    Row("wss echo 64 KiB", "echo", 64 * _KIB, tls=True, goal=Goal(floor=1.0)),
    Row("wss echo 1 MiB", "echo", _MIB, tls=True, goal=Goal(floor=0.85)),
    Row("wss flood 32 B", "flood", 32, tls=True, goal=Goal(figure=0.12)),
    Row("wss flood 1 KiB text", "flood", _KIB, text=True, tls=True, goal=Goal(figure=0.80)),
    Row("wss flood 1 MiB", "flood", _MIB, tls=True, goal=Goal(figure=500)),
    Row(
        "wss flood 32 B, one record a message",
        "flood",
        32,
        tls=True,
        records=True,
        goal=Goal(figure=0.95),
    ),
    Row("wss connect + close", "connect", tls=True, goal=Goal(floor=1.12, is_the_must=True)),
)

_MORE = (
    Row("run_forever flood 32 B", "app_flood", 32, goal=Goal(figure=0.20)),
    Row("run_forever flood 1 KiB text", "app_flood", _KIB, text=True, goal=Goal(figure=0.40)),
    Row("run_forever echo 32 B", "app_echo", 32, goal=Goal(floor=1.14)),
    Row(
        "two threads, 1 KiB echoed",
        "duplex_echo",
        _KIB,
        goal=Goal(floor=1.10, is_the_must=True),
    ),
    Row(
        "two threads, 1 KiB both ways",
        "duplex_flood",
        _KIB,
        goal=Goal(floor=1.10, is_the_must=True),
    ),
    Row(
        "wss two threads, 1 KiB echoed",
        "duplex_echo",
        _KIB,
        tls=True,
        goal=Goal(bio=1.0, is_the_must=True),
    ),
    Row(
        "wss two threads, 1 KiB both ways",
        "duplex_flood",
        _KIB,
        tls=True,
        goal=Goal(bio=1.0, is_the_must=True),
    ),
    Row("500 connections, each 64 B per 100 ms", "spread", 64, count=500, goal=Goal(figure=10.9)),
    Row("the same, polled by selectors", "polled", 64, count=500, quick=False),
    Row(
        "500 connections, p99 of a burst to all",
        "burst",
        64,
        count=500,
        unit="ms",
        goal=Goal(figure=2.5),
    ),
)

_MEMORY = (
    Row("idle connection, Python's memory", "traced", count=100, unit="KiB", goal=Goal(figure=1.5)),
    Row("idle connection, all memory", "idle", count=100, unit="KiB"),
    Row("peak of a 256 MiB message", "peak", 256 * _MIB, unit="x", goal=Goal(figure=1.005)),
    Row(
        "peak of 64 MiB in 4 KiB fragments",
        "peak",
        64 * _MIB,
        fragment=4 * _KIB,
        unit="x",
        goal=Goal(figure=1.05),
        quick=False,
    ),
)

_SCALING = (
    *(
        Row(f"idle connections: {count:,}", "idle", count=count, unit="KiB", quick=False)
        for count in (1, 10, 1000, 10_000)
    ),
    Row("echo 0 B", "echo", 0, quick=False),
    Row("echo 1 B", "echo", 1, quick=False),
    Row("echo 8 KiB", "echo", 8 * _KIB, quick=False),
    Row("echo 16 MiB", "echo", 16 * _MIB, unit="ms", quick=False, heavy=True),
    Row("echo 256 MiB", "echo", 256 * _MIB, unit="ms", quick=False, heavy=True),
    *(
        Row(f"echo 1 KiB, {count} at a time", "threads", _KIB, count=count, quick=False)
        for count in (1, 4, 16, 64)
    ),
)

ROWS: tuple[Row, ...] = (
    *_PLAIN,
    *(row._replace(section="wss") for row in _TLS),
    *(row._replace(section="more") for row in _MORE),
    *(row._replace(section="memory") for row in _MEMORY),
    *(row._replace(section="scaling") for row in _SCALING),
)


def part_of_path(path: str) -> Part:
    """The part that a client asks for by its URL."""
    url = urlsplit(path)
    said = {name: int(value) for name, value in parse_qsl(url.query)}
    part = Part(url.path.strip("/"), **said)
    return part._replace(text=bool(part.text), deflate=bool(part.deflate))


def payload_of(part: Row | Part) -> bytes:
    """The message that travels in both directions; the same one in every process."""
    if part.deflate:
        return _document(part.size)
    pattern = _SENTENCE if part.text else bytes(range(256))
    return (pattern * (part.size // len(pattern) + 1))[: part.size]


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
