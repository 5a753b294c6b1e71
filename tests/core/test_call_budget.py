"""The call budget: what a small message costs in Python calls, exact on any machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from raw_peer import both_ways, connected, text

from websocket import backend


def _calls(call: Callable[[], Any]) -> list[str]:
    """The Python functions that run in `call`, itself left out."""
    names: list[str] = []

    def note(where: FrameType, event: str, argument: object) -> None:
        if event == "call":
            names.append(where.f_code.co_name)

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return names[1:] if names and names[0] == "<lambda>" else names


@both_ways
def test_a_buffered_text_message(tls: bool) -> None:
    """websocket-client needs 97 calls for it."""
    with connected(tls, glued=text("warm") + text("x" * 64) * 20) as (ws, _):
        assert ws.recv() == "warm"
        assert _calls(ws.recv) == ["recv"]


@both_ways
def test_a_small_text_message_sent(tls: bool) -> None:
    with connected(tls) as (ws, _):
        ws.send("warm")
        calls = _calls(lambda: ws.send("x" * 64))
        assert len(calls) <= (12 if tls else 2 if backend() == "c" else 9), calls


@both_ways
def test_a_small_text_message_that_has_to_be_read(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        for _ in range(2):
            wire.send(text("x" * 64))
            assert ws.recv() == "x" * 64
        wire.send(text("x" * 64))
        calls = _calls(ws.recv)
        assert len(calls) <= (11 if tls else 3 if backend() == "c" else 7), calls
