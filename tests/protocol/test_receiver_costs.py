"""Promise: receiving and sending cost what the bytes are worth: a small budget of calls a message,
work and memory linear in what came, however it was cut."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable

import pytest

from websocket._exceptions import WebSocketPayloadException
from websocket._protocol.receiving import Receiver
from websocket._protocol.sending import Sender
from websocket._wire.frames import BINARY, CONT, PING, TEXT, Frame, encode_frame


def wire(opcode: int, payload: bytes = b"", fin: bool = True) -> bytes:
    return encode_frame(opcode, payload, None, fin)


def calls(work: Callable[[], object]) -> int:
    """How many Python functions ran: exact on any machine."""
    count = 0

    def profile(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    gc.collect()
    gc.disable()  # somebody else's finaliser would be counted
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(before)
        gc.enable()
    return count - 1  # `work` itself


def drain(receiver: Receiver, kept: list[Frame]) -> None:
    while (message := receiver.next_message()) is not None:
        kept.append(message)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", [0, 64, 125])
def test_a_small_message_of_a_flood_costs_one_call(opcode: int, size: int) -> None:
    """All that have come are parsed in one call; then each is only taken."""
    receiver = Receiver(max_size=1 << 20)
    receiver.feed(wire(opcode, b"x" * size) * 1000)
    assert calls(lambda: [receiver.next_item() for _ in range(1000)]) <= 1000 + 2
    assert receiver.next_item() is None
    assert receiver.at_border


def test_a_medium_message_of_a_flood_costs_two_calls() -> None:
    """Without the accelerator an extended length has a function of its own."""
    receiver = Receiver()
    receiver.feed(wire(BINARY, bytes(1000)) * 1000)
    assert calls(lambda: [receiver.next_item() for _ in range(1000)]) <= 2 * 1000 + 2


@pytest.mark.parametrize("size", [0, 64, 1000])
def test_a_sent_message_costs_five_calls(size: int) -> None:
    """message, its key in two steps, encode_frame, mask."""
    sender = Sender()
    payload = b"x" * size
    sender.message(BINARY, payload)

    def send() -> None:
        for _ in range(100):
            sender.message(BINARY, payload)

    # A new pool of keys every 256 messages costs calls of its own.
    assert min(calls(send) for _ in range(3)) <= 5 * 100


def test_a_server_does_not_pay_for_masks() -> None:
    sender = Sender(server=True)
    assert calls(lambda: sender.message(BINARY, b"x")) <= 3


def test_byte_by_byte_costs_the_same_for_each_byte() -> None:
    """Calls per byte do not grow with what has been collected, nor does what is copied."""

    def cost(size: int) -> int:
        receiver = Receiver()
        stream = wire(TEXT, b"x" * size)
        pieces = [stream[at : at + 1] for at in range(len(stream))]

        def feed() -> None:
            for piece in pieces:
                receiver.feed(piece)
                receiver.next_message()

        return calls(feed)

    small, large = cost(1000), cost(10000)
    assert large < 10.5 * small


class CountingBytes(bytes):
    """Bytes that count how many of them are copied by slicing and joining."""

    copied = 0

    def __getitem__(self, key: object) -> CountingBytes:  # type: ignore[override]
        piece = super().__getitem__(key)  # type: ignore[index]
        if isinstance(piece, int):
            return piece  # type: ignore[return-value]
        CountingBytes.copied += len(piece)
        return CountingBytes(piece)

    def __add__(self, other: bytes) -> CountingBytes:  # type: ignore[override]
        CountingBytes.copied += len(self) + len(other)
        return CountingBytes(super().__add__(other))


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_bytes_are_copied_a_few_times_at_most(step: int) -> None:
    stream = wire(BINARY, bytes(3000), False) + wire(CONT, bytes(5000))
    stream = (stream + wire(PING, b"ping")) * 3
    CountingBytes.copied = 0
    receiver = Receiver()
    kept: list[Frame] = []
    for at in range(0, len(stream), step):
        receiver.feed(CountingBytes(stream[at : at + step]))
        drain(receiver, kept)
    assert len(kept) == 6
    assert CountingBytes.copied <= 2 * len(stream) + 1000


def test_a_flood_in_one_piece_is_not_copied_again_for_each_message() -> None:
    CountingBytes.copied = 0
    receiver = Receiver()
    stream = wire(TEXT, b"x" * 20) * 5000
    receiver.feed(CountingBytes(stream))
    kept: list[Frame] = []
    drain(receiver, kept)
    assert len(kept) == 5000
    assert CountingBytes.copied <= len(stream)


def test_two_hundred_thousand_fragments_of_a_byte() -> None:
    """Memory for the message and one read, not for a fragment each."""
    receiver = Receiver(max_size=200_000)
    receiver.feed(wire(TEXT, b"x", False))
    assert receiver.next_message() is None
    read = wire(CONT, b"x", False) * 20_000
    tracemalloc.start()
    try:
        for _ in range(10):
            receiver.feed(read[:-3] if _ == 9 else read)
            assert receiver.next_message() is None
        receiver.feed(wire(CONT, b""))
        message = receiver.next_message()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert message == Frame(TEXT, b"x" * 200_000)
    assert peak < 1_000_000


def test_empty_fragments_cost_no_memory() -> None:
    receiver = Receiver(max_size=10)
    receiver.feed(wire(BINARY, b"", False))
    read = wire(CONT, b"", False) * 10_000
    tracemalloc.start()
    try:
        for _ in range(10):
            receiver.feed(read)
            assert receiver.next_message() is None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000


def test_a_large_message_is_held_once_and_let_go() -> None:
    """While it is read at most twice its size; behind it nothing of it is kept."""
    size = 8 << 20
    stream = wire(BINARY, bytes(size))
    receiver = Receiver()
    tracemalloc.start()
    try:
        message = None
        for at in range(0, len(stream), 1 << 16):
            receiver.feed(stream[at : at + (1 << 16)])
            message = receiver.next_message()
        assert message is not None
        assert len(message.data) == size
        del message
        left, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * size + (1 << 20)
    assert left < 1 << 20


def test_a_message_over_the_limit_is_never_collected() -> None:
    receiver = Receiver(max_size=1 << 20)
    fragment = wire(BINARY, bytes(1 << 16), False)
    cont = wire(CONT, bytes(1 << 16), False)
    tracemalloc.start()
    try:
        receiver.feed(fragment)
        for _ in range(15):
            assert receiver.next_message() is None
            receiver.feed(cont)
        assert receiver.next_message() is None
        receiver.feed(cont)
        with pytest.raises(WebSocketPayloadException):
            receiver.next_message()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 << 20
