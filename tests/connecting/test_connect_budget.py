"""Promise: connecting and closing cost no more Python calls and system calls than this.

Counted, never timed: the same on any machine. Whoever saves some lowers the bound.
"""

from __future__ import annotations

import gc
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from components import component
from raw_peer import Peer, Task, both_ways, client, close_frame

from websocket._transport.deadline import Attempt, Deadline
from websocket._transport.names import look_up

CALLS = {False: 220, True: 380}
"""Per connect and close, over TLS if True; it was 198 and 346 in 2026-11."""

# (a socket that sends ready-made bytes, with the same options and `close`, needs 12)
SYSTEM_CALLS = 25

_WARM_UP = 3


def _answer(peer: Peer, count: int) -> None:
    """So many connections, one after the other, each until its close frame is answered."""
    for _ in range(count):
        wire = peer.accept()
        wire.next_frame()
        wire.send(close_frame())
        wire.expect_end()


def _connect_and_close(peer: Peer, timeout: float | None = None) -> None:
    client(peer, timeout=timeout).close()


def _calls(peer: Peer, timeout: float | None) -> Counter[str]:
    """How often each Python function runs."""
    names: Counter[str] = Counter()

    def note(where: FrameType, event: str, argument: object) -> None:
        if event == "call":
            names[f"{Path(where.f_code.co_filename).stem}.{where.f_code.co_name}"] += 1

    sys.setprofile(note)
    try:
        _connect_and_close(peer, timeout)
    finally:
        sys.setprofile(None)
    return names


@both_ways
@pytest.mark.parametrize("timeout", [None, 10.0])
def test_python_calls(tls: bool, timeout: float | None) -> None:
    """websocket-client needs 640 of them for ws."""
    with Peer(tls) as peer:
        answering = Task(lambda: _answer(peer, _WARM_UP + 1))
        for _ in range(_WARM_UP):
            _connect_and_close(peer, timeout)
        calls = _calls(peer, timeout)
        answering.result()
    further = 35 if timeout else 0  # waits that end in time
    assert sum(calls.values()) <= CALLS[tls] + further, calls.most_common()


def test_nothing_is_left_to_the_garbage_collector() -> None:
    """What refers to itself in a circle stays until it comes by, and makes it come more often."""
    with Peer() as peer:
        answering = Task(lambda: _answer(peer, 3))
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for _ in range(3):
                _connect_and_close(peer)
            gc.collect()
            left = [type(each) for each in gc.garbage]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
        answering.result()
    assert [kind for kind in left if kind.__module__.partition(".")[0] == "websocket"] == []


def test_an_address_starts_no_thread() -> None:
    """Only a name is looked up beside us; the thread would cost more than all the rest."""
    with Peer() as peer:
        answering = Task(lambda: _answer(peer, 1))
        calls = _calls(peer, 10.0)
        answering.result()
    assert calls["threading.start"] == 0


PROGRAM = """
import sys, websocket
for _ in range(int(sys.argv[2])):
    websocket.create_connection(sys.argv[1]).close()
"""


def _system_calls(told: Path, count: int) -> int:
    with Peer() as peer:
        answering = Task(lambda: _answer(peer, count))
        program = [sys.executable, "-c", PROGRAM, peer.url, str(count)]
        # Without futex: its number depends on who else wants to run, and says nothing about us.
        strace = [component("strace"), "-f", "-qq", "-c", "-e", "trace=!futex", "-o", str(told)]
        subprocess.run([*strace, *program], check=True, timeout=60)
        answering.result()
    rows = [line.split() for line in told.read_text().splitlines()]
    numbers = [int(row[3]) for row in rows if len(row) > 4 and row[3].isdigit()]
    assert len(numbers) > 5, "strace told something else"
    return sum(numbers[:-1])  # the last one is its own total


def test_system_calls(tmp_path: Path) -> None:
    few, many = (_system_calls(tmp_path / str(count), count) for count in (5, 25))
    assert (many - few) / 20 <= SYSTEM_CALLS


def test_an_address_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """But a resolver that a program has put in the place of the system's sees it as it sees all."""
    asked: list[str] = []
    system = socket.getaddrinfo

    def theirs(host: str, *rest: Any) -> Any:
        asked.append(host)
        return system(host, *rest)

    for host, port in (("127.0.0.1", 80), ("::1", 443), ("0:0:0::1", 8080)):
        quick = look_up(host, port, Attempt(Deadline(None)))
        with monkeypatch.context() as patched:
            patched.setattr(socket, "getaddrinfo", theirs)
            assert look_up(host, port, Attempt(Deadline(None))) == quick
    assert asked == ["127.0.0.1", "::1", "0:0:0::1"]
