"""Promise: a message costs no more system calls than this; strace counts them, no clock does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from components import component
from counting import Server, Workload
from raw_peer import both_ways

both_twins = pytest.mark.parametrize("pure", [False, True], ids=["c", "python"])

# Per message; it was so many in brackets in 2026-11. Whoever saves some lowers the bound.
BUDGET = {
    "an exchange of 32 B": (Workload("echo", "/echo?size=32&text=1", 400), 6.2),  # (6.0)
    "sending 32 B": (Workload("send", "/send?", 400), 2.2),  # (2.0)
    "receiving 32 B": (Workload("receive", "/flood?size=32", 20_000), 0.012),  # (0.005)
    "receiving 1 KiB": (Workload("receive", "/flood?size=1024&text=1", 2000), 0.3),  # (0.13)
    # How much a read finds is the network's matter: 12 plain and 96 over TLS, whose records are
    # 16 KiB, or 192 if each read finds but one part of a record.
    "receiving 1 MiB": (Workload("receive", "/flood?size=1048576", 8), 200.0),
}


@both_ways
@both_twins
@pytest.mark.parametrize("what", BUDGET)
def test_a_message_stays_within_its_system_calls(
    server: Server, tmp_path: Path, what: str, tls: bool, pure: bool
) -> None:
    strace, told = component("strace"), tmp_path / "told"
    work, most = BUDGET[what]

    def calls(run: Callable[[Sequence[str]], str]) -> float:
        # Without futex: its number depends on who else wants to run, and says nothing about us.
        run([strace, "-f", "-qq", "-c", "-e", "trace=!futex", "-o", str(told)])
        return _total(told.read_text())

    assert server.per_message(calls, work, tls=tls, pure=pure) <= most


def _total(table: str) -> int:
    """The sum of strace's column "calls"."""
    rows = [line.split() for line in table.splitlines()]
    numbers = [int(row[3]) for row in rows if len(row) > 4 and row[3].isdigit()]
    assert len(numbers) > 5, f"strace told something else: {table}"
    return sum(numbers[:-1])  # the last one is its own total
