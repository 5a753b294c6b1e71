"""Promise: `receive_messages` hands out what has come whole, leaves in the kernel's queue all that
it does not hand out, and takes out of it exactly what was consumed."""

from __future__ import annotations

import random
import signal
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest
from raw_peer import text, two_ends

from websocket._wire.batches import parse_messages_in_python
from websocket._wire.frames import BINARY, CLOSE, CONT, PING, TEXT, encode_frame
from websocket._wire.speedups import receive_messages

CHUNK = (1 << 16) + 16
PATIENCE = 20
Sockets = tuple[socket.socket, socket.socket]


@pytest.fixture(autouse=True)
def _built() -> None:  # pyright: ignore[reportUnusedFunction]
    if receive_messages is None:
        pytest.skip("the accelerator was not built, is not wanted, or cannot do it here")


def discarding(sock: socket.socket) -> int:
    """The flag that drops bytes without copying them, where there is one."""
    tcp = sock.family != getattr(socket, "AF_UNIX", None)
    return getattr(socket, "MSG_TRUNC", 0) if tcp and sys.platform == "linux" else 0


@pytest.fixture(params=["pair", "tcp"])
def sockets(request: pytest.FixtureRequest) -> Iterator[Sockets]:
    """Ours and the peer's; a pair of AF_UNIX does not know how to discard."""
    left, right = two_ends(request.param)
    with left, right:
        left.settimeout(PATIENCE)
        right.settimeout(PATIENCE)
        yield left, right


def receive(
    sock: Any, consumed: int = 0, max_size: int = -1, ahead: bool = True, wait: bool = True
) -> tuple[bytes | None, list[Any], int, int]:
    answer: tuple[bytes | None, list[Any], int, int] = receive_messages(
        sock, consumed, discarding(sock), max_size, ahead, wait
    )
    return answer


def queued(sock: socket.socket) -> bytes:
    """What the kernel still has; nothing is taken out of it."""
    sock.setblocking(False)
    try:
        return sock.recv(1 << 20, socket.MSG_PEEK)
    except BlockingIOError:
        return b""
    finally:
        sock.settimeout(PATIENCE)


def exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += sock.recv(size - len(data))
    return data


def binary(data: bytes) -> bytes:
    return encode_frame(BINARY, data, None)


def test_whole_messages_come_as_str_and_bytes(sockets: Sockets) -> None:
    ours, peers = sockets
    wire = text("grüße") + binary(b"\0\1") + text("")
    peers.sendall(wire)
    assert receive(ours) == (b"", ["grüße", b"\0\1", ""], len(wire), 9)
    assert queued(ours) == wire  # nobody has consumed them yet


def test_what_was_consumed_is_taken_out(sockets: Sockets) -> None:
    ours, peers = sockets
    peers.sendall(text("one") + text("two"))
    _, messages, wire, _ = receive(ours)
    assert messages == ["one", "two"]
    peers.sendall(text("three"))
    assert receive(ours, wire)[1] == ["three"]
    assert queued(ours) == text("three")


@pytest.mark.parametrize(
    "odd",
    [
        text("cut")[:-1],
        b"\x82",
        encode_frame(PING, b"?", None),
        encode_frame(CLOSE, b"\x03\xe8", None),
        encode_frame(TEXT, b"part", None, False),
        encode_frame(CONT, b"part", None),
        encode_frame(BINARY, b"masked", b"abcd"),
        encode_frame(TEXT, b"\xff", None),
        b"\xc1\x00",
        b"\x82\x7e\x00\x01x",
    ],
    ids=str,
)
def test_what_is_not_plain_stays_behind_messages_and_is_shown_in_front(
    sockets: Sockets, odd: bytes
) -> None:
    ours, peers = sockets
    peers.sendall(text("before") + odd)
    rest, messages, wire, payload = receive(ours)
    assert (rest, messages, wire, payload) == (b"", ["before"], len(text("before")), 6)
    assert receive(ours, wire) == (odd, [], 0, 0)
    assert queued(ours) == odd


def test_not_ahead_one_message_is_taken_and_nothing_else_touched(sockets: Sockets) -> None:
    """For those who watch the descriptor: it shows what was not handed out."""
    ours, peers = sockets
    peers.sendall(text("one") + text("two") + encode_frame(PING, b"?", None))
    for message in "one", "two":
        assert receive(ours, ahead=False) == (None, [message], len(text(message)), 3)
    assert receive(ours, ahead=False) == (None, [], 0, 0)
    assert queued(ours) == encode_frame(PING, b"?", None)


def test_not_ahead_what_is_cut_or_large_stays_as_it_is(sockets: Sockets) -> None:
    ours, peers = sockets
    for odd in text("cut")[:-1], binary(bytes(5000)), text("1234567"):
        peers.sendall(odd)
        assert receive(ours, 0, 6, ahead=False) == (None, [], 0, 0)
        assert ours.recv(1 << 16) == odd


def test_without_waiting_a_message_that_is_alone_is_taken_out(sockets: Sockets) -> None:
    """A loop has to know that the descriptor will say when there is more."""
    ours, peers = sockets
    with pytest.raises(BlockingIOError):
        receive(ours, wait=False)
    peers.sendall(text("one"))
    assert receive(ours, wait=False) == (None, ["one"], 5, 3)
    assert queued(ours) == b""
    peers.sendall(text("one") + text("two"))
    assert receive(ours, wait=False) == (b"", ["one", "two"], 10, 6)
    assert queued(ours) == text("one") + text("two")
    peers.sendall(b"\x81")
    assert receive(ours, 10, wait=False) == (b"\x81", [], 0, 0)
    assert queued(ours) == b"\x81"


def test_what_is_too_large_is_not_plain(sockets: Sockets) -> None:
    ours, peers = sockets
    peers.sendall(text("1234") + text("12345"))
    assert receive(ours, 0, 4)[1] == ["1234"]
    assert receive(ours, len(text("1234")), 4)[:2] == (text("12345"), [])


def test_the_end_is_told_as_often_as_it_is_asked_for(sockets: Sockets) -> None:
    ours, peers = sockets
    peers.sendall(text("last"))
    peers.close()
    assert receive(ours)[1] == ["last"]
    assert receive(ours, len(text("last"))) == (b"", [], 0, 0)
    assert receive(ours) == (b"", [], 0, 0)


def test_any_cut_gives_the_same_messages(sockets: Sockets) -> None:
    ours, peers = sockets
    chance = random.Random(9)
    frames = [
        encode_frame(
            chance.choice([TEXT, BINARY]), b"x" * chance.choice([0, 5, 125, 126, 70]), None
        )
        for _ in range(400)
    ]
    wire = b"".join(frames)
    cuts = sorted(chance.sample(range(1, len(wire)), 60))
    expected, _, _ = parse_messages_in_python(wire, 0, -1)
    found: list[Any] = []
    consumed = 0
    for begin, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        peers.sendall(wire[begin:end])
        rest, messages, consumed, _ = receive(ours, consumed)
        found += messages
        assert bool(rest) is not bool(messages)
    while len(found) < len(expected):
        _, messages, consumed, _ = receive(ours, consumed)
        found += messages
    assert found == expected


def test_more_than_a_chunk_comes_in_turns(sockets: Sockets) -> None:
    ours, peers = sockets
    frame = binary(bytes(1000))
    sender = threading.Thread(target=peers.sendall, args=(frame * 500,))
    sender.start()
    count = consumed = 0
    while count < 500:
        rest, messages, consumed, payload = receive(ours, consumed)
        assert payload == 1000 * len(messages)
        count += len(messages)
        if rest:  # cut: taken out for real, or the kernel might have no room for the end of it
            assert len(rest) < len(frame)
            assert exactly(ours, len(frame)) == frame
            count += 1
    sender.join(PATIENCE)
    assert count == 500


def test_of_a_large_message_the_beginning_is_shown(sockets: Sockets) -> None:
    ours, peers = sockets
    peers.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    frame = binary(bytes(CHUNK))
    sender = threading.Thread(target=peers.sendall, args=(frame,))
    sender.start()
    rest, messages, wire, payload = receive(ours)
    assert (messages, wire, payload) == ([], 0, 0)
    assert rest is not None and frame.startswith(rest)
    assert 2 < len(rest) <= 1 << 14  # the rest is better received where it stays
    taken = 0
    while taken < len(frame):
        taken += len(ours.recv(1 << 20))
    sender.join(PATIENCE)


def test_it_waits_as_long_as_the_socket_says(sockets: Sockets) -> None:
    ours, peers = sockets
    ours.settimeout(0.05)
    with pytest.raises(TimeoutError):
        receive(ours)
    ours.settimeout(0)
    with pytest.raises(BlockingIOError):
        receive(ours)
    peers.sendall(text("there"))
    ours.settimeout(PATIENCE)
    assert receive(ours)[1] == ["there"]
    ours.settimeout(None)
    assert receive(ours, 0)[1] == ["there"]


@pytest.mark.parametrize("timeout", [None, PATIENCE])
def test_a_signal_handler_runs_and_the_wait_goes_on(
    sockets: Sockets, timeout: float | None
) -> None:
    ours, peers = sockets
    ours.settimeout(timeout)

    def handle(number: int, frame: FrameType | None) -> None:
        peers.sendall(text("from the handler"))

    before = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert receive(ours)[1] == ["from the handler"]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("timeout", [None, PATIENCE])
def test_a_handler_that_raises_loses_nothing(sockets: Sockets, timeout: float | None) -> None:
    """What was consumed is gone, what comes later is there."""
    ours, peers = sockets
    ours.settimeout(timeout)
    peers.sendall(text("one"))
    assert receive(ours)[1] == ["one"]

    def handle(number: int, frame: FrameType | None) -> None:
        raise ZeroDivisionError

    before = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(ZeroDivisionError):
            receive(ours, len(text("one")))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    peers.sendall(text("two"))
    assert receive(ours)[1] == ["two"]


def test_a_reset_and_a_closed_socket_are_errors() -> None:
    ours, peers = two_ends("tcp")
    with ours:
        peers.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peers.close()
        with pytest.raises(ConnectionResetError):
            receive(ours)
        ours.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            receive(ours)


def test_readers_of_several_connections_do_not_share_a_buffer() -> None:
    """Sentence: the GIL is released while it waits and reads."""
    pairs = [socket.socketpair() for _ in range(4)]
    failures: list[BaseException] = []

    def read(sock: socket.socket, letter: str) -> None:
        try:
            count = consumed = 0
            while count < 300:
                rest, messages, consumed, _ = receive(sock, consumed)
                assert rest is not None
                assert set(rest[2:]) <= {ord(letter)} or len(rest) < 5
                assert {*messages} <= {letter * 500}
                count += len(messages)
        except BaseException as exc:
            failures.append(exc)

    readers = [
        threading.Thread(target=read, args=(left, letter))
        for (left, _), letter in zip(pairs, "abcd", strict=True)
    ]
    for left, right in pairs:
        left.settimeout(PATIENCE)
        right.settimeout(PATIENCE)
    for reader in readers:
        reader.start()
    for _ in range(300):
        for (_, right), letter in zip(pairs, "abcd", strict=True):
            right.sendall(text(letter * 500))
    for reader in readers:
        reader.join(PATIENCE)
    for pair in pairs:
        for sock in pair:
            sock.close()
    assert not failures


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ((), TypeError),
        ((0, 0, -1, True), TypeError),
        (("0", 0, -1, True, True), TypeError),
        ((0, None, -1, True, True), TypeError),
        ((0, 0, "all", True, True), TypeError),
        ((-1, 0, -1, True, True), ValueError),
        ((CHUNK + 1, 0, -1, True, True), ValueError),
    ],
)
def test_bad_arguments_are_refused(arguments: tuple[Any, ...], kind: type[Exception]) -> None:
    left, right = socket.socketpair()
    with left, right, pytest.raises(kind):
        receive_messages(left, *arguments)
