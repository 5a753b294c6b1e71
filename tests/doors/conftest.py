"""Peers on loopback for the tests of the doors."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from doors_peer import Handler, Peer


@pytest.fixture
def peer() -> Iterator[Callable[[Handler], Peer]]:
    """`peer(handler)` listens, and hands each connection to `handler`, one after the other."""
    peers: list[Peer] = []

    def start(handler: Handler) -> Peer:
        peers.append(Peer(handler))
        return peers[-1]

    yield start
    for each in peers:
        each.close()
