"""Promise: `send_frame` puts whole frames on the wire, or says exactly how much of one, and leaves
nothing half done when anything is wrong."""

from __future__ import annotations

import array
import errno
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from raw_peer import two_ends

from websocket._wire.decoding import FrameDecoder
from websocket._wire.frames import BINARY, TEXT, Frame, encode_frame
from websocket._wire.masking import fresh_key
from websocket._wire.speedups import send_frame

Sockets = tuple[socket.socket, socket.socket]


class Stream:
    """What `send_frame` marks."""

    half_sent = False


@pytest.fixture(autouse=True)
def _built() -> None:  # pyright: ignore[reportUnusedFunction]
    if send_frame is None:
        pytest.skip("the accelerator was not built, is not wanted, or cannot do it here")


@pytest.fixture(params=["pair", "tcp"])
def sockets(request: pytest.FixtureRequest) -> Iterator[Sockets]:
    left, right = two_ends(request.param)
    left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with left, right:
        left.setblocking(False)
        right.settimeout(20)
        yield left, right


def send(
    sock: Any, payload: Any, opcode: int = BINARY, next_key: Callable[[], Any] = fresh_key
) -> tuple[Any, Stream]:
    stream = Stream()
    return send_frame(stream, sock, opcode, payload, next_key), stream


def received(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = sock.recv(1 << 16)
        assert piece
        data += piece
    return bytes(data)


def decoded(data: bytes) -> Frame:
    decoder = FrameDecoder()
    decoder.feed(data)
    frame = decoder.next()
    assert frame is not None
    assert decoder.at_border
    return frame


def drained(sock: socket.socket) -> int:
    """Read until there is nothing left."""
    sock.setblocking(False)
    count = 0
    try:
        while piece := sock.recv(1 << 16):
            count += len(piece)
    except BlockingIOError:
        pass
    sock.settimeout(20)
    return count


SIZES = [0, 1, 125, 126, *range(4080, 4098), 65535, 65536, 1 << 20]


@pytest.mark.parametrize("size", SIZES)
def test_the_peer_gets_what_was_sent(sockets: Sockets, size: int) -> None:
    left, right = sockets
    payload = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    taken, stream = send(left, payload)
    total = len(encode_frame(BINARY, payload, b"abcd"))
    if taken == total:
        assert not stream.half_sent
        frame = decoded(received(right, total))
    else:  # the kernel has said "so much"
        data, sent = taken
        assert len(data) == total
        assert 0 < sent < total
        assert stream.half_sent
        assert received(right, sent) == data[:sent]
        frame = decoded(data)
    assert (frame.fin, frame.masked, frame.opcode, frame.data) == (True, True, BINARY, payload)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("", b""),
        ("text", b"text"),
        ("t\u00e9xt \U0001f600", "t\u00e9xt \U0001f600".encode()),
        ("x" * 5000 + "\u00e9", b"x" * 5000 + "\u00e9".encode()),
        (bytearray(b"array"), b"array"),
        (memoryview(b"abcdefgh")[::2], b"aceg"),
        (memoryview(b"abcdefgh")[::-1], b"hgfedcba"),
        (array.array("H", [1, 2]), array.array("H", [1, 2]).tobytes()),
    ],
)
def test_every_kind_of_payload(sockets: Sockets, payload: Any, expected: bytes) -> None:
    left, right = sockets
    taken, _ = send(left, payload, TEXT)
    assert decoded(received(right, taken)).data == expected
    if isinstance(payload, bytearray):
        payload.append(0)  # nobody holds it any more
        del payload[-1:]


@pytest.mark.parametrize("size", [10, 4096, 100_000])
def test_no_room_at_all_sends_nothing(sockets: Sockets, size: int) -> None:
    left, right = sockets
    for step in 1 << 16, 1:  # over TCP there may be room for less where there was none for more
        for _ in range(1 << 16):
            try:
                left.send(bytes(step))
            except BlockingIOError:
                break
    taken, stream = send(left, bytes(size))
    data, sent = taken
    assert (sent, stream.half_sent) == (0, False)
    assert decoded(data).data == bytes(size)
    assert drained(right)


def test_a_small_frame_may_be_cut(sockets: Sockets) -> None:
    """Where it was built on the stack the rest of it is handed out all the same."""
    left, right = sockets
    payload = bytes(range(256)) * 15
    sent_before = 0
    for _ in range(10_000):
        taken, stream = send(left, payload)
        if type(taken) is int:
            sent_before += taken
            continue
        data, sent = taken
        assert decoded(data).data == payload
        assert stream.half_sent is (sent > 0)
        assert received(right, sent_before + sent)[sent_before:] == data[:sent]
        return
    pytest.fail("the buffers of this system have no end")


def test_a_peer_that_is_gone(sockets: Sockets) -> None:
    left, right = sockets
    right.close()

    def go_on() -> None:
        for _ in range(1000):
            send(left, bytes(1000))

    with pytest.raises(ConnectionError):
        go_on()


def test_a_shutdown_for_writing_is_a_broken_pipe(sockets: Sockets) -> None:
    """And no signal."""
    left, _ = sockets
    left.shutdown(socket.SHUT_WR)
    with pytest.raises(BrokenPipeError):
        send(left, b"x")


def test_a_closed_socket_is_an_error_as_from_the_socket_itself(sockets: Sockets) -> None:
    left, _ = sockets
    left.close()
    with pytest.raises(OSError) as caught:  # noqa: PT011 - by its number
        send(left, b"x")
    assert caught.value.errno == errno.EBADF


class Number:
    """Something with a descriptor."""

    def __init__(self, number: Any):
        self.number = number

    def fileno(self) -> Any:
        return self.number


@pytest.mark.parametrize(
    ("sock", "error"),
    [
        *((Number(-1), OSError), (Number("x"), TypeError), (Number(1 << 40), OSError)),
        *((object(), AttributeError), (None, AttributeError)),
    ],
)
def test_what_is_no_socket(sock: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        send(sock, b"x")


def test_a_descriptor_that_is_no_socket() -> None:
    reading, writing = os.pipe()
    try:
        with pytest.raises(OSError) as caught:  # noqa: PT011 - by its number
            send(Number(writing), b"x")
        assert caught.value.errno == errno.ENOTSOCK
    finally:
        os.close(reading)
        os.close(writing)


def test_the_descriptor_is_asked_for_when_everything_else_is_done(sockets: Sockets) -> None:
    """A key function that closes the socket: nothing goes to who owns that number next."""
    left, right = sockets

    def key() -> bytes:
        left.close()
        return b"abcd"

    with pytest.raises(OSError) as caught:  # noqa: PT011 - by its number
        send(left, b"x", next_key=key)
    assert caught.value.errno == errno.EBADF
    assert right.recv(10) == b""


@pytest.mark.parametrize(
    ("payload", "error"),
    [(5, TypeError), (None, TypeError), ("\ud800", UnicodeEncodeError), ([1], TypeError)],
)
def test_what_is_no_payload_sends_nothing(
    sockets: Sockets, payload: Any, error: type[Exception]
) -> None:
    left, right = sockets
    with pytest.raises(error):
        send(left, payload)
    assert drained(right) == 0


@pytest.mark.parametrize("key", [b"abc", b"", "abcd", None, 5])
def test_what_is_no_key_sends_nothing(sockets: Sockets, key: Any) -> None:
    left, right = sockets
    with pytest.raises((TypeError, ValueError)):
        send(left, b"x", next_key=lambda: key)
    assert drained(right) == 0


def test_no_key_left_is_said_and_sends_nothing(sockets: Sockets) -> None:
    left, right = sockets
    pool: list[bytes] = []
    with pytest.raises(IndexError):
        send(left, b"x", next_key=pool.pop)
    assert drained(right) == 0


@pytest.mark.parametrize("count", [0, 1, 4, 6])
def test_the_number_of_arguments(count: int) -> None:
    with pytest.raises(TypeError):
        send_frame(*[None] * count)


def test_a_stream_that_cannot_be_marked(sockets: Sockets) -> None:
    left, _ = sockets

    def go_on() -> None:
        for _ in range(1000):
            send_frame(object(), left, BINARY, bytes(100_000), fresh_key)

    with pytest.raises(AttributeError):
        go_on()


def test_with_a_timeout_it_does_not_wait_either(sockets: Sockets) -> None:
    left, _ = sockets
    left.settimeout(30)
    for _ in range(1000):
        taken, _stream = send(left, bytes(100_000))
        if type(taken) is not int:
            break
    assert left.gettimeout() == 30


def test_a_socket_that_waits_is_waited_for(sockets: Sockets) -> None:
    left, right = sockets
    left.setblocking(True)
    payload = bytes(range(256)) * 8000
    total = len(encode_frame(BINARY, payload, b"abcd"))
    got: list[bytes] = []
    reading = threading.Thread(target=lambda: got.append(received(right, total)))
    reading.start()
    taken, stream = send(left, payload)
    if type(taken) is not int:
        left.sendall(taken[0][taken[1] :])
        assert stream.half_sent
    reading.join(20)
    assert decoded(got[0]).data == payload


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals need the main thread"
)
def test_a_signal_handler_that_raises_is_heard(sockets: Sockets) -> None:
    left, right = sockets

    class Alarm(Exception):
        pass

    def handler(*_: object) -> None:
        raise Alarm

    before = signal.signal(signal.SIGUSR1, handler)
    try:

        def key() -> bytes:
            os.kill(os.getpid(), signal.SIGUSR1)
            return b"abcd"

        with pytest.raises(Alarm):
            send(left, b"x", next_key=key)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert drained(right) == 0
