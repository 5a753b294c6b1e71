"""Promise: every rule of RFC 6455 about what may come is checked, as soon as it can be known, in
each role; what came before the fault is delivered first."""

from __future__ import annotations

import tracemalloc

import pytest

from websocket._exceptions import (
    WebSocketException,
    WebSocketPayloadException,
    WebSocketProtocolException,
)
from websocket._protocol.receiving import Receiver
from websocket._wire.frames import BINARY, CLOSE, CONT, PING, PONG, TEXT, Close, Frame, encode_frame

KEY = b"\x11\x22\x33\x44"


def wire(opcode: int, payload: bytes = b"", fin: bool = True, rsv: int = 0) -> bytes:
    return encode_frame(opcode, payload, None, fin, rsv)


def pull(receiver: Receiver) -> list[Frame]:
    found: list[Frame] = []
    while (message := receiver.next_message()) is not None:
        found.append(message)
    return found


def refuse(receiver: Receiver, *pieces: bytes) -> WebSocketException:
    """Feed the pieces; one of them has to be refused."""

    def feed_all() -> None:
        for piece in pieces:
            receiver.feed(piece)
            pull(receiver)

    with pytest.raises(WebSocketException) as caught:
        feed_all()
    return caught.value


# --- headers --------------------------------------------------------------------------------------

FORBIDDEN: dict[str, tuple[bytes, str]] = {
    **{
        f"opcode {op}": (wire(op), f"Invalid opcode {op}") for op in (3, 4, 5, 6, 7, *range(11, 16))
    },
    **{f"rsv {rsv} on text": (wire(TEXT, b"x", rsv=rsv), "rsv") for rsv in range(1, 8)},
    **{f"rsv {rsv} on ping": (wire(PING, b"x", rsv=rsv), "rsv") for rsv in range(1, 8)},
    "rsv 4 on close": (wire(CLOSE, rsv=4), "rsv"),
    "fragmented ping": (wire(PING, b"", False), "ping frame: fragmented"),
    "fragmented pong": (wire(PONG, b"", False), "pong frame: fragmented"),
    "fragmented close": (wire(CLOSE, b"", False), "close frame: fragmented"),
    "long ping": (wire(PING, bytes(126)), "ping frame: 126 bytes"),
    "long pong": (wire(PONG, bytes(126)), "pong frame: 126 bytes"),
    "long close": (wire(CLOSE, b"\x03\xe8" + b"x" * 124), "close frame: 126 bytes"),
    "continuation of nothing": (wire(CONT, b"x"), "cont, expected a text or binary frame"),
    "open continuation of nothing": (wire(CONT, b"x", False), "cont, expected"),
    "text in a message": (wire(TEXT, b"x", False) + wire(TEXT, b"y"), "expected a continuation"),
    "binary in a message": (wire(BINARY, b"", False) + wire(BINARY), "expected a continuation"),
    "continuation behind the end": (
        wire(TEXT, b"x", False) + wire(CONT, b"y") + wire(CONT, b"z"),
        "cont, expected",
    ),
    "length 125 in 16 bits": (b"\x82\x7e\x00\x7d" + bytes(125), "shortest form"),
    "length 65535 in 64 bits": (b"\x82\x7f" + (65535).to_bytes(8, "big"), "shortest form"),
    "top bit of the length": (b"\x82\x7f\x80" + bytes(7), "most significant bit"),
    "masked": (encode_frame(TEXT, b"x", KEY), "expected unmasked"),
    "masked ping": (encode_frame(PING, b"", KEY), "expected unmasked"),
}


@pytest.mark.parametrize(("stream", "what"), FORBIDDEN.values(), ids=FORBIDDEN.keys())
@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
def test_forbidden_frames_are_refused_behind_what_came_before(
    stream: bytes, what: str, bytewise: bool
) -> None:
    receiver = Receiver()
    stream = wire(TEXT, b"before") + wire(PING, b"p") + stream
    delivered: list[bytes] = []

    def feed_all() -> None:
        for piece in [stream[at : at + 1] for at in range(len(stream))] if bytewise else [stream]:
            receiver.feed(piece)
            while (message := receiver.next_message()) is not None:
                delivered.append(message.data)

    with pytest.raises(WebSocketProtocolException, match=what) as caught:
        feed_all()
    assert caught.value.close_code == 1002
    assert delivered[:2] == [b"before", b"p"]


@pytest.mark.parametrize("opcode", [3, 7, 11, 15])
def test_a_header_is_judged_before_its_payload(opcode: int) -> None:
    exc = refuse(Receiver(), wire(opcode, bytes(100))[:2])
    assert exc.close_code == 1002


@pytest.mark.parametrize(
    "header",
    [
        wire(PING, bytes(126))[:4],
        wire(PING, b"abc", False)[:2],
        wire(TEXT, b"abc", rsv=1)[:2],
        encode_frame(TEXT, b"abc", KEY)[:6],
        wire(CONT, b"abc")[:2],
        wire(TEXT, b"", False) + wire(TEXT, b"abc")[:2],
    ],
)
def test_each_fault_of_a_header_shows_without_payload(header: bytes) -> None:
    assert refuse(Receiver(), header).close_code == 1002


@pytest.mark.parametrize("server", [False, True])
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, PONG, CLOSE])
@pytest.mark.parametrize("size", [0, 2, 125])
def test_masks_have_to_fit_the_role(server: bool, opcode: int, size: int) -> None:
    """RFC 6455 5.1: a client masks every frame, a server none."""
    payload = (b"\x03\xe8" + b"x" * 123)[:size] if opcode == CLOSE else bytes(size)
    right, wrong = (KEY, None) if server else (None, KEY)
    receiver = Receiver(server=server)
    receiver.feed(encode_frame(opcode, payload, right))
    assert [(frame.opcode, frame.data) for frame in pull(receiver)] == [(opcode, payload)]
    expected = "masked" if server else "unmasked"
    exc = refuse(Receiver(server=server), encode_frame(opcode, payload, wrong))
    assert isinstance(exc, WebSocketProtocolException)
    assert f"expected {expected} frames" in str(exc)


def test_masks_may_be_tolerated() -> None:
    receiver = Receiver(tolerate_masks=True)
    receiver.feed(encode_frame(TEXT, b"masked", KEY) + wire(TEXT, b"bare"))
    assert [frame.data for frame in pull(receiver)] == [b"masked", b"bare"]


# --- order ----------------------------------------------------------------------------------------


def test_control_frames_come_between_fragments() -> None:
    receiver = Receiver()
    receiver.feed(wire(TEXT, b"a", False) + wire(PING, b"1") + wire(CONT, b"b", False))
    receiver.feed(wire(PONG, b"2") + wire(CONT, b"") + wire(BINARY, b"c"))
    assert [(frame.opcode, frame.data, frame.fin) for frame in pull(receiver)] == [
        (PING, b"1", True),
        (PONG, b"2", True),
        (TEXT, b"ab", True),
        (BINARY, b"c", True),
    ]


def test_empty_messages_and_fragments_are_messages() -> None:
    receiver = Receiver()
    receiver.feed(wire(TEXT) + wire(BINARY, b"", False) + wire(CONT, b"", False) + wire(CONT))
    assert pull(receiver) == [Frame(TEXT, b""), Frame(BINARY, b"")]


def test_a_close_inside_of_a_message_is_a_close() -> None:
    receiver = Receiver()
    receiver.feed(wire(TEXT, b"half", False) + wire(CLOSE, b"\x03\xe9bye") + wire(CONT, b"rest"))
    assert [frame.opcode for frame in pull(receiver)] == [CLOSE]
    assert receiver.peer_close == Close(1001, "bye")


@pytest.mark.parametrize("garbage", [wire(TEXT, b"x"), b"\xff\xff", wire(CLOSE, b"\x03\xe8")])
def test_data_behind_a_close_is_ignored(garbage: bytes) -> None:
    """RFC 6455 5.5.1; also what cannot be a frame, in the same read and in later ones."""
    receiver = Receiver()
    receiver.feed(wire(CLOSE, b"\x0f\xa0") + garbage)
    assert [frame.opcode for frame in pull(receiver)] == [CLOSE]
    receiver.feed(garbage)
    assert pull(receiver) == []
    assert receiver.next_frame() is None
    assert receiver.next_piece() is None
    assert receiver.peer_close == Close(4000, "")
    assert receiver.at_border


@pytest.mark.parametrize("body", [b"\x03", b"\x03\xec", b"\x03\xe8\xff", b"\x07\xd0"])
def test_a_bad_close_frame_is_no_close(body: bytes) -> None:
    receiver = Receiver()
    exc = refuse(receiver, wire(CLOSE, body))
    assert isinstance(exc, WebSocketProtocolException)
    assert receiver.peer_close is None


# --- UTF-8 ----------------------------------------------------------------------------------------

NOT_UTF8 = {
    "a lone continuation byte": b"\x80",
    "a byte that never occurs": b"\xff",
    "an overlong slash": b"\xc0\xaf",
    "overlong in three": b"\xe0\x80\xaf",
    "overlong in four": b"\xf0\x80\x80\xaf",
    "a high surrogate": b"\xed\xa0\x80",
    "a low surrogate": b"\xed\xbf\xbf",
    "a pair of surrogates": b"\xed\xa0\x80\xed\xb0\x80",
    "beyond U+10FFFF": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "a start and no continuation": b"\xe2\x28\xa1",
}
CUT_SHORT = [b"\xce", b"\xe2\x82", b"\xf0\x9f\x98"]


@pytest.mark.parametrize("bad", [*NOT_UTF8.values(), *CUT_SHORT])
@pytest.mark.parametrize("before", [b"", "κόσμε".encode(), b"x" * 70000])
def test_invalid_text_is_refused(bad: bytes, before: bytes) -> None:
    for stream in (
        wire(TEXT, before + bad),
        wire(TEXT, before, False) + wire(CONT, bad),
        wire(TEXT, b"", False) + wire(CONT, before + bad, False) + wire(CONT),
    ):
        exc = refuse(Receiver(), stream)
        assert isinstance(exc, WebSocketPayloadException)
        assert exc.close_code == 1007
        half = len(stream) // 2
        assert refuse(Receiver(), stream[:half], stream[half:]).close_code == 1007


@pytest.mark.parametrize("bad", NOT_UTF8.values(), ids=NOT_UTF8.keys())
def test_invalid_text_is_refused_at_the_byte_that_shows_it(bad: bytes) -> None:
    """Autobahn 6.4.1 to 6.4.4: in a fragment, and in a frame of which the end never comes."""
    shows = next(at for at in range(1, len(bad) + 1) if not could_be_utf8(bad[:at]))
    frame = wire(TEXT, b"ok" + bad + b"never comes")
    receiver = Receiver()
    receiver.feed(frame[: 4 + shows - 1])
    assert receiver.next_message() is None
    exc = refuse(receiver, frame[4 + shows - 1 : 4 + shows])
    assert exc.close_code == 1007
    exc = refuse(Receiver(), wire(TEXT, b"ok", False) + wire(CONT, bad[:shows], False))
    assert exc.close_code == 1007
    assert refuse(Receiver(), wire(TEXT, b"ok" + bad[:shows], False)).close_code == 1007


def could_be_utf8(data: bytes) -> bool:
    for tail in (b"", *(bytes([a]) * n for a in range(0x80, 0xC0, 0x10) for n in (1, 2, 3))):
        try:
            (data + tail).decode()
        except UnicodeDecodeError:
            continue
        return True
    return False


def test_a_code_point_may_be_cut_anywhere() -> None:
    text = "aé€😀\U0010ffff\ud7ff\ue000"
    data = text.encode()
    for cut in range(len(data) + 1):
        receiver = Receiver()
        receiver.feed(wire(TEXT, data[:cut], False) + wire(PING) + wire(CONT, data[cut:]))
        assert [frame.data.decode() for frame in pull(receiver)] == ["", text]
        receiver = Receiver()
        whole = wire(TEXT, data)
        receiver.feed(whole[: 2 + cut])
        found = pull(receiver)
        receiver.feed(whole[2 + cut :])
        assert [frame.data.decode() for frame in found + pull(receiver)] == [text]


def test_a_text_that_came_in_one_piece_is_decoded_once() -> None:
    receiver = Receiver()
    receiver.feed(wire(TEXT, "κόσμε".encode()) + wire(BINARY, b"x"))
    assert [frame.text for frame in pull(receiver)] == ["κόσμε", None]


def test_validation_can_be_switched_off() -> None:
    receiver = Receiver(check_utf8=False)
    receiver.feed(wire(TEXT, b"\xff") + wire(TEXT, b"\xff", False) + wire(CONT, b"\xfe"))
    receiver.feed(wire(TEXT, b"\xff\xfe")[:3])
    assert [frame.data for frame in pull(receiver)] == [b"\xff", b"\xff\xfe"]


def test_binary_is_not_validated() -> None:
    receiver = Receiver()
    receiver.feed(wire(BINARY, b"\xff") + wire(BINARY, b"\xff", False) + wire(CONT, b"\xff"))
    assert [frame.data for frame in pull(receiver)] == [b"\xff", b"\xff\xff"]


# --- limits ---------------------------------------------------------------------------------------


def test_a_message_of_the_limit_passes_and_one_byte_more_does_not() -> None:
    receiver = Receiver(max_size=10)
    receiver.feed(wire(TEXT, b"x" * 10) + wire(BINARY, b"x" * 4, False) + wire(CONT, b"x" * 6))
    receiver.feed(wire(PING, b"x" * 125))  # control frames are no messages
    assert [len(frame.data) for frame in pull(receiver)] == [10, 10, 125]
    for stream in (
        wire(TEXT, b"x" * 11),
        wire(BINARY, b"x" * 4, False) + wire(CONT, b"x" * 7),
        wire(BINARY, b"x" * 10, False) + wire(CONT, b"", False) + wire(CONT, b"x", False),
        wire(BINARY, b"x" * 11, False),
    ):
        exc = refuse(Receiver(max_size=10), stream)
        assert isinstance(exc, WebSocketPayloadException)
        assert exc.close_code == 1009
        assert "max_size is 10" in str(exc)


def test_the_limit_counts_each_message_anew() -> None:
    receiver = Receiver(max_size=10)
    for _ in range(5):
        receiver.feed(wire(TEXT, b"x" * 5, False) + wire(CONT, b"x" * 5) + wire(BINARY, b"x" * 10))
        receiver.feed(wire(BINARY, b"x" * 10)[:6])
        assert len(pull(receiver)) == 2
        receiver.feed(wire(BINARY, b"x" * 10)[6:])
        assert len(pull(receiver)) == 1


@pytest.mark.parametrize("announced", [11, 200, 70000, 2**62, 2**63 - 1])
def test_the_limit_is_checked_on_the_announced_length(announced: int) -> None:
    header = wire(BINARY, bytes(200))[:4] if announced == 200 else None
    if announced == 11:
        header = wire(BINARY, bytes(11))[:2]
    header = header or b"\x82\x7f" + announced.to_bytes(8, "big")
    assert refuse(Receiver(max_size=10), header).close_code == 1009
    fragment = wire(BINARY, b"x" * 9, False)
    cont = bytes([0x80]) + header[1:]
    assert refuse(Receiver(max_size=19), fragment + cont).close_code == 1009


def test_a_huge_announcement_without_a_limit_allocates_nothing() -> None:
    receiver = Receiver()
    tracemalloc.start()
    try:
        receiver.feed(b"\x81\x7f" + (2**62).to_bytes(8, "big") + b"text")
        assert receiver.next_message() is None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16384
    assert receiver.missing == 2**62 - 4


def test_no_limit_by_default() -> None:
    receiver = Receiver()
    receiver.feed(wire(BINARY, bytes(1 << 20), False) + wire(CONT, bytes(1 << 20)))
    assert [len(frame.data) for frame in pull(receiver)] == [1 << 21]
