"""Promise: what bin/bench says about a row follows from its figures; its server counts right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent.parent / "benchmarks"


def told(code: str) -> str:
    """What `code` prints in a process of its own, which sees the modules of the benchmarks."""
    ended = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=BENCHMARKS
    )
    return ended.stdout.strip()


@pytest.mark.parametrize(
    ("goal", "ours", "words"),
    [
        ("Goal(floor=1.1)", 10.9, "met: goal met; ahead of every peer"),
        ("Goal(floor=1.1)", 11.5, "must: goal missed by 5 %; ahead of every peer"),
        ("Goal(floor=1.1)", 12.1, "level: goal missed by 10 %; level with quick"),
        ("Goal(figure=20)", 15.0, "behind: goal met; behind quick by 25 %"),
        (
            "Goal(figure=20, is_the_must=True)",
            15.0,
            "met: goal met; behind quick by 25 %; the goal is the must",
        ),
    ],
)
def test_a_row_is_judged_by_its_goal_and_its_peers(goal: str, ours: float, words: str) -> None:
    figures = {"floor": 10.0, "ours": ours, "ours, pure Python": 1.0, "quick": 12.0, "slow": 90.0}
    said = {name: {"figure": figure} for name, figure in figures.items()}
    said["other"] = {"note": "has nothing of the kind"}
    assert words == told(
        "from rows import Goal, Row; from verdicts import verdict;"
        f"print('{{}}: {{}}'.format(*verdict(Row('a row', 'echo', goal={goal}), {said!r})))"
    )


def test_a_library_that_failed_is_behind() -> None:
    said = {"ours": {"note": "no answer within 30 s"}, "quick": {"figure": 1.0}}
    assert told(
        "from rows import Goal, Row; from verdicts import verdict;"
        f"print(*verdict(Row('a row', 'echo', goal=Goal(figure=1)), {said!r}))"
    ) == ("behind no figure: no answer within 30 s")


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_the_server_counts_messages_however_they_are_cut(step: int) -> None:
    """Empty, small and larger messages, one of them in three frames with a ping in between."""
    code = f"""
from wire import FrameCounter, masked
cut = bytearray(masked(300))
cut[0] &= 0x7F
middle = bytes([0x00, 0x80, 0, 0, 0, 0])
ping = bytes([0x89, 0x81, 0, 0, 0, 0, 7])
last = bytes([0x80]) + masked(70000)[1:]
goodbye = bytes([0x88, 0x80, 0, 0, 0, 0])
stream = masked(0) + masked(5) + cut + middle + ping + last + masked(126) + goodbye
counter, count = FrameCounter(), 0
for start in range(0, len(stream), {step}):
    assert not counter.is_closed
    piece = bytearray(stream[start : start + {step}])
    count += counter.feed(piece + bytearray(9), len(piece))
print(count, counter.is_closed)
"""
    assert told(code) == "4 True"


def test_every_row_has_a_title_of_its_own() -> None:
    assert told("from rows import ROWS; print(len(ROWS) - len({row.title for row in ROWS}))") == "0"
