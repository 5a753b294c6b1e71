"""Promise: any message, in any fragments, cut anywhere on its way, arrives as it was sent; and over
any stream of frames, good or bad, we come to the same result as websockets' sans-I/O core.
"""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from websockets.client import ClientProtocol as Theirs
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.protocol import OPEN
from websockets.uri import parse_uri as their_uri

import websocket
from websocket import Deflate, WebSocketPayloadException
from websocket._protocol.deflate import answer_offers
from websocket._protocol.receiving import Receiver
from websocket._protocol.sending import Sender
from websocket._wire.frames import BINARY, CLOSE, CONT, PING, PONG, TEXT, encode_frame

COMPRESSIBLE = st.builds(
    lambda seed, size, letters: bytes(random.Random(seed).choices(range(97, 97 + letters), k=size)),
    st.integers(0, 2**32),
    st.integers(0, 30_000),
    st.integers(1, 26),
)
PAYLOADS = st.one_of(COMPRESSIBLE, st.binary(max_size=300), st.sampled_from([b"", b"a", b"\x00"]))
SETTINGS = st.builds(
    Deflate,
    st.sampled_from([None, 8, 9, 12, 15]),
    st.sampled_from([None, 8, 9, 12, 15]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0, 1, 6, 9]),
    st.sampled_from([1, 5, 9]),
    st.sampled_from([0, 100]),
)


def fragments(payload: bytes, cuts: list[int]) -> list[bytes]:
    """`payload` cut at fractions of its length, 0 to 100."""
    places = [0, *sorted(len(payload) * cut // 100 for cut in cuts), len(payload)]
    return [payload[a:b] for a, b in pairwise(places)]


@settings(deadline=None, max_examples=150)
@given(
    SETTINGS,
    SETTINGS,
    st.lists(
        st.tuples(
            PAYLOADS, st.lists(st.integers(0, 100), max_size=4), st.booleans(), st.booleans()
        ),
        max_size=6,
    ),
    st.integers(1, 5000),
    st.booleans(),
)
def test_any_message_in_any_fragments_and_any_cuts(
    client: Deflate,
    server: Deflate,
    messages: list[tuple[bytes, list[int], bool, bool]],
    cut: int,
    from_server: bool,
) -> None:
    """Through the whole protocol floor, both ways, pings between fragments, some uncompressed."""
    answered = answer_offers(client.offer(), server)
    assert answered is not None
    answer, server_inflater, server_deflater = answered
    inflater, deflater = client.agree(answer)
    if from_server:
        deflater, server_inflater = server_deflater, inflater
    sender = Sender(server=from_server, deflater=deflater)
    largest = max((len(message[0]) for message in messages), default=0)
    receiver = Receiver(server=not from_server, max_size=largest, inflater=server_inflater)
    wire, pings = b"", 0
    for payload, cuts, compress, ping in messages:
        pieces = fragments(payload, cuts)
        for number, piece in enumerate(pieces):
            opcode = CONT if number else BINARY
            wire += sender.message(opcode, piece, number == len(pieces) - 1, compress)
            if ping:
                wire += sender.ping(b"ping")
                pings += 1
    received = []
    for at in range(0, len(wire), cut):
        receiver.feed(wire[at : at + cut])
        while (frame := receiver.next_message()) is not None:
            received.append((frame.opcode, frame.data))
    assert [data for opcode, data in received if opcode == BINARY] == [m[0] for m in messages]
    assert sum(opcode == PING for opcode, _ in received) == pings


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200), st.sampled_from([None, 0, 1, 50, 10_000]), st.data())
def test_any_bytes_at_all(payload: bytes, limit: int | None, data: st.DataObject) -> None:
    """Fuzzing: documented errors only, and however it was fragmented, the same outcome."""
    whole = outcome([payload], limit)
    cuts = data.draw(st.lists(st.integers(0, 100), max_size=4))
    cut = outcome(fragments(payload, cuts), limit)
    # Of a stream that is bad and too large the one or the other shows first.
    assert cut == whole or {cut, whole} == {1007, 1009}


def outcome(pieces: list[bytes], limit: int | None) -> bytes | int | None:
    inflater, _ = Deflate().agree("permessage-deflate")
    out = b""
    try:
        for number, piece in enumerate(pieces):
            left = None if limit is None else limit - len(out)
            out += inflater.inflate(piece, number == len(pieces) - 1, left)
    except WebSocketPayloadException as exc:
        return exc.close_code
    assert limit is None or len(out) <= limit
    return out


# --- beside websockets ----------------------------------------------------------------------------


def ours(max_size: int | None) -> websocket.ClientProtocol:
    client = websocket.ClientProtocol(
        "ws://localhost/", max_size=max_size, state=websocket.State.OPEN
    )
    inflater, deflater = Deflate().agree("permessage-deflate")
    client._receiver.use(inflater)
    client._sender.use(deflater)
    return client


def theirs(max_size: int | None) -> Theirs:
    client = Theirs(their_uri("ws://localhost/"), max_size=max_size, state=OPEN)
    client.extensions = [PerMessageDeflate(False, False, 15, 15)]
    return client


def random_frames(chance: random.Random) -> bytes:
    """Frames of a server, most of them right. Left out is where the two are known to differ: text
    that is not UTF-8 and streams that were cut off, which only we fail, and a close frame between
    fragments, which only they fail."""
    sender = Sender(server=True, deflater=Deflate().agree("permessage-deflate")[1])
    wire, fragmented = b"", False
    for _ in range(chance.randrange(1, 12)):
        kind = chance.random()
        payload = chance.choice([b"", b"text", b"a" * chance.randrange(3000), b"\xe2\x82\xac" * 9])
        if kind < 0.75:
            fin = chance.random() < 0.7
            opcode = CONT if fragmented else chance.choice([TEXT, BINARY])
            wire += sender.message(opcode, payload, fin, chance.random() < 0.7)
            fragmented = not fin
        elif kind < 0.85:
            wire += encode_frame(chance.choice([PING, PONG]), payload[:100], None)
        elif kind < 0.9 and not fragmented:
            wire += encode_frame(CLOSE, chance.choice([b"", b"\x03\xe8bye", b"\x0f\xa0"]), None)
        else:
            opcode = chance.choice([CONT, TEXT, BINARY, PING, 3, 0xB])
            fin, rsv = chance.random() < 0.6, chance.choice([0, 4, 4, 2, 1, 7])
            # Neither UTF-8 nor a stream if it counts as a beginning, else nothing special.
            bad = b"\xff" * chance.randrange(1, 200) if opcode == BINARY and rsv else b"plain"
            wire += encode_frame(opcode, bad, None, fin, rsv)
    return wire


def events(client: Any, wire: bytes, cuts: list[int]) -> list[tuple[int, bytes, bool]]:
    for begin, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        client.receive_data(wire[begin:end])
    return [(int(f.opcode), bytes(f.data), f.fin) for f in client.events_received()]


def said(client: Any) -> list[tuple[int, int | None]]:
    """Opcode, and close code, of what a client has written."""
    receiver = Receiver(server=True)
    receiver.feed(b"".join(client.data_to_send()))
    found = []
    while (frame := receiver.next_frame()) is not None:
        code = int.from_bytes(frame.data[:2], "big") if frame.opcode == CLOSE else None
        found.append((frame.opcode, code))
    return found


@pytest.mark.parametrize("seed", range(400))
@pytest.mark.parametrize("max_size", [None, 1000])
def test_the_same_events_and_errors_as_websockets(seed: int, max_size: int | None) -> None:
    chance = random.Random(seed)
    wire = random_frames(chance)
    cuts = sorted(chance.randrange(len(wire) + 1) for _ in range(chance.randrange(4)))
    we, they = ours(max_size), theirs(max_size)
    our_events, their_events = events(we, wire, cuts), events(they, wire, cuts)
    our_words, their_words = said(we), said(they)
    if "decompression failed" in str(they.parser_exc) and our_words[-1] == (CLOSE, 1007):
        our_words[-1] = (CLOSE, 1002)  # they have no code for that alone
    assert our_events == their_events
    assert our_words == their_words
