"""Promise: a signal handler may raise at any moment while plain messages are read: what it costs is
at most the one that was just being handed over; none comes twice or in the wrong order."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from raw_peer import BINARY, connected, frame, text

import websocket

LIBRARY = str(Path(websocket.__file__).parent)
ROUNDS = 150
IN_A_ROUND = 2000  # messages, of about 50 bytes: some chunks


class Interruption(Exception):
    """What the handler raises."""


@pytest.fixture
def interruptions() -> Iterator[list[int]]:
    """So many as the list has: one in each millisecond, or so, of CPU time in the library."""
    seen: list[int] = []

    def interrupt(number: int, where: FrameType | None) -> None:
        if where is not None and where.f_code.co_filename.startswith(LIBRARY):
            seen.append(number)
            raise Interruption

    before = signal.signal(signal.SIGVTALRM, interrupt)
    try:
        yield seen
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@pytest.mark.parametrize("timeout", [None, 20.0])
def test_only_what_was_being_handed_over_is_lost(
    interruptions: list[int], timeout: float | None
) -> None:
    with connected() as (ws, wire):
        ws.settimeout(timeout)
        numbers: list[int] = []

        def read(end: bytes) -> None:
            while (message := ws.recv()) != end:
                if isinstance(message, str):
                    numbers.append(int(message[:9]))

        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0001, 0.0003)
        for start in range(0, ROUNDS * IN_A_ROUND, IN_A_ROUND):
            sent = range(start, start + IN_A_ROUND)
            end = b"end %d" % start
            whole = b"".join(text(f"{number:9} {'x' * 40}") for number in sent)
            wire.send(whole + frame(BINARY, end) * 10)  # some may be lost
            reading = True
            while reading:
                try:
                    read(end)
                    reading = False
                except Interruption:
                    pass
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        ws.send("still there")
        assert wire.next_frame().data == b"still there"
    assert interruptions
    assert sorted(set(numbers)) == numbers
    assert len(numbers) >= ROUNDS * IN_A_ROUND - len(interruptions)
