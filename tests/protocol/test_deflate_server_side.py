"""Promise: in the role of a server, as `websocket.testing` is, we answer by RFC 7692 7.1."""

from __future__ import annotations

from typing import Any

import pytest

from websocket import Deflate
from websocket._protocol.deflate import answer_offers

NAME = "permessage-deflate"


@pytest.mark.parametrize(
    ("settings", "offers", "answer"),
    [
        ({}, NAME, NAME),
        ({}, f"{NAME}; client_max_window_bits", NAME),
        ({}, f"{NAME}; client_max_window_bits=9", NAME),
        ({}, f"{NAME}; server_max_window_bits=10", f"{NAME}; server_max_window_bits=10"),
        ({}, f"{NAME}; server_no_context_takeover", f"{NAME}; server_no_context_takeover"),
        ({}, f"{NAME}; client_no_context_takeover", f"{NAME}; client_no_context_takeover"),
        ({"client_max_window_bits": 9}, NAME, NAME),  # the client cannot be bound: not offered
        (
            {"client_max_window_bits": 9},
            f"{NAME}; client_max_window_bits",
            f"{NAME}; client_max_window_bits=9",
        ),
        (
            {"client_max_window_bits": 12},
            f"{NAME}; client_max_window_bits=10",
            f"{NAME}; client_max_window_bits=10",
        ),
        ({"server_max_window_bits": 9}, NAME, f"{NAME}; server_max_window_bits=9"),
        (
            {"server_max_window_bits": 12},
            f"{NAME}; server_max_window_bits=10",
            f"{NAME}; server_max_window_bits=10",
        ),
        ({"server_no_context_takeover": True}, NAME, f"{NAME}; server_no_context_takeover"),
        # The first offer that can be accepted counts; others are declined, not refused.
        ({}, f"{NAME}; foo, {NAME}; server_max_window_bits=99, {NAME}", NAME),
        ({}, f"x-other; a=1, {NAME}", NAME),
        ({}, f"{NAME}; server_max_window_bits=8, {NAME}", f"{NAME}; server_max_window_bits=8"),
    ],
)
def test_a_server_accepts_the_first_good_offer(
    settings: dict[str, Any], offers: str, answer: str
) -> None:
    answered = answer_offers(offers, Deflate(**settings))
    assert answered is not None and answered[0] == answer


@pytest.mark.parametrize("offers", ["", "x-other", f"{NAME}; foo", f"{NAME};", f"{NAME}; {NAME}=1"])
def test_a_server_declines_what_it_cannot_accept(offers: str) -> None:
    assert answer_offers(offers, Deflate()) is None


@pytest.mark.parametrize("server_bits", [None, 8, 9, 12, 15])
@pytest.mark.parametrize("client_bits", [None, 8, 9, 12, 15])
@pytest.mark.parametrize("alone", [False, True])
def test_both_sides_of_ours_understand_each_other(
    server_bits: int | None, client_bits: int | None, alone: bool
) -> None:
    client = Deflate(server_bits, client_bits, alone, alone)
    server = Deflate(client_max_window_bits=11)
    answered = answer_offers(client.offer(), server)
    assert answered is not None
    answer, server_inflater, server_deflater = answered
    client_inflater, client_deflater = client.agree(answer)
    for sending, receiving in (
        (client_deflater, server_inflater),
        (server_deflater, client_inflater),
    ):
        for number in range(50):
            message = b"message %d, " % number * (number * 7)
            squeezed = sending.deflate(message, True, True)
            assert squeezed is not None
            assert receiving.inflate(squeezed, True, len(message)) == message
