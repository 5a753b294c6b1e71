"""Promise: what is offered and accepted of permessage-deflate is RFC 7692 7.1, to the letter.

Every answer that the RFC forbids, or that lacks what was demanded, is refused with a reason; every
one that it allows is accepted, and kept to.
"""

from __future__ import annotations

import zlib
from types import SimpleNamespace
from typing import Any

import pytest

from websocket import ClientProtocol, Deflate, WebSocketException
from websocket._protocol.deflate import Deflater, Inflater

NAME = "permessage-deflate"


def distances(deflater: Deflater, far: int) -> bool:
    """Whether the compressor looks back `far` bytes."""
    marker = b"0123456789abcdefghijklmnopqrstuvwxyz"
    noise = b"".join(n.to_bytes(2, "big") for n in range(20000))[: far - len(marker)]
    once = deflater.deflate(marker + noise, False, True)
    twice = deflater.deflate(marker, True, False)
    assert once is not None and twice is not None
    return len(twice) < len(marker) // 2


def inflater_bits(inflater: Inflater) -> int:
    """The window that an inflater asks zlib for."""
    asked: list[int] = []

    def decompressobj(wbits: int) -> Any:
        asked.append(-wbits)
        return zlib.decompressobj(wbits)

    inflater._zlib = SimpleNamespace(decompressobj=decompressobj, error=zlib.error)
    inflater.inflate(b"\x00", True, None)
    return asked[0]


# --- the offer ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "offer"),
    [
        ({}, "client_max_window_bits"),
        ({"client_max_window_bits": 10}, "client_max_window_bits=10"),
        ({"server_max_window_bits": 9}, "server_max_window_bits=9; client_max_window_bits"),
        (
            {"server_no_context_takeover": True},
            "server_no_context_takeover; client_max_window_bits",
        ),
        (
            {"client_no_context_takeover": True},
            "client_no_context_takeover; client_max_window_bits",
        ),
        (
            {
                "server_max_window_bits": 8,
                "client_max_window_bits": 15,
                "server_no_context_takeover": True,
                "client_no_context_takeover": True,
            },
            "server_no_context_takeover; client_no_context_takeover; "
            "server_max_window_bits=8; client_max_window_bits=15",
        ),
    ],
)
def test_the_offer_says_what_was_asked_for(settings: dict[str, Any], offer: str) -> None:
    assert Deflate(**settings).offer() == f"{NAME}; {offer}"


@pytest.mark.parametrize(
    "settings",
    [
        {"server_max_window_bits": 7},
        {"server_max_window_bits": 16},
        {"client_max_window_bits": 7},
        {"client_max_window_bits": 0},
        {"client_max_window_bits": 16},
        {"level": 10},
        {"level": -2},
        {"mem_level": 0},
        {"mem_level": 10},
        {"threshold": -1},
    ],
)
def test_settings_out_of_range_are_refused_at_once(settings: dict[str, Any]) -> None:
    """Not at the first message, hours later."""
    (name,) = settings
    with pytest.raises(ValueError, match=name):
        Deflate(**settings)


def test_settings_show_in_the_repr() -> None:
    text = repr(Deflate(client_max_window_bits=9, level=1))
    assert "client_max_window_bits=9" in text and "level=1" in text and "zlib=zlib" in text


# --- answers that are refused ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("x-webkit-deflate-frame", "nothing else was offered"),
        (f"{NAME}, {NAME}", "nothing else was offered"),
        (f"{NAME}, bbf-usp-protocol", "nothing else was offered"),
        ("permessage-bzip2", "nothing else was offered"),
        (f"{NAME}; foo", "unknown parameter 'foo'"),
        (f"{NAME}; foo=1", "unknown parameter 'foo'"),
        (f"{NAME}; Server_No_Context_Takeover", "unknown parameter"),
        (f"{NAME}; server_no_context_takeover; server_no_context_takeover", "twice"),
        (f"{NAME}; client_no_context_takeover; client_no_context_takeover", "twice"),
        (f"{NAME}; server_max_window_bits=10; server_max_window_bits=10", "twice"),
        (f"{NAME}; client_max_window_bits=10; client_max_window_bits=11", "twice"),
        (f"{NAME}; server_no_context_takeover=1", "expected no value"),
        (f"{NAME}; client_no_context_takeover=true", "expected no value"),
        (f'{NAME}; client_no_context_takeover=""', "expected no value"),
        (f"{NAME}; server_max_window_bits", "expected 8 to 15"),
        (f"{NAME}; client_max_window_bits", "has no value"),
        (f"{NAME}; server_max_window_bits=7", "expected 8 to 15"),
        (f"{NAME}; server_max_window_bits=16", "expected 8 to 15"),
        (f"{NAME}; client_max_window_bits=7", "expected 8 to 15"),
        (f"{NAME}; client_max_window_bits=16", "expected 8 to 15"),
        (f"{NAME}; client_max_window_bits=08", "expected 8 to 15"),
        (f"{NAME}; client_max_window_bits=010", "expected 8 to 15"),
        (f"{NAME}; client_max_window_bits=+9", "expected 8 to 15"),
        (f"{NAME}; client_max_window_bits=9.0", "expected 8 to 15"),
        (f"{NAME}; client_max_window_bits=ten", "expected 8 to 15"),
        (f"{NAME}; client_max_window_bits=-9", "expected 8 to 15"),
        (f'{NAME}; client_max_window_bits=""', "expected 8 to 15"),
        (f"{NAME}; client_max_window_bits=", "malformed"),
        (f"{NAME}; =9", "malformed"),
        (f"{NAME};", "malformed"),
        (f"{NAME};; client_max_window_bits=9", "malformed"),
        (f"{NAME} client_max_window_bits=9", "malformed"),
        (f"{NAME}=1", "malformed"),
        (f'{NAME}; client_max_window_bits="9', "malformed"),
        (f'"{NAME}"', "malformed"),
        (f"{NAME}; client_max_window_bits=９", "malformed"),
    ],
)
def test_a_bad_answer_is_refused_with_a_reason(answer: str, reason: str) -> None:
    with pytest.raises(WebSocketException, match=reason):
        Deflate().agree(answer)


@pytest.mark.parametrize(
    ("settings", "answer", "reason"),
    [
        ({"server_max_window_bits": 10}, NAME, "expected 10 or less"),
        (
            {"server_max_window_bits": 10},
            f"{NAME}; server_max_window_bits=11",
            "expected 10 or less",
        ),
        ({"server_no_context_takeover": True}, NAME, "was demanded"),
    ],
)
def test_a_server_that_does_not_comply_is_refused(
    settings: dict[str, Any], answer: str, reason: str
) -> None:
    """What was asked of the server has to be in its answer (RFC 7692 7.1.1.1, 7.1.2.1)."""
    with pytest.raises(WebSocketException, match=reason):
        Deflate(**settings).agree(answer)


def test_a_bad_answer_fails_the_handshake() -> None:
    """The reason reaches who connects, with the response, and nothing counts as agreed."""
    client = ClientProtocol("ws://localhost/", extensions=[Deflate()])
    request = client.connect()
    assert request.headers["Sec-WebSocket-Extensions"] == f"{NAME}; client_max_window_bits"
    client.send_request(request)
    client.receive_data(response_to(request, f"{NAME}; foo"))
    assert isinstance(client.handshake_exc, WebSocketException)
    assert "unknown parameter 'foo'" in str(client.handshake_exc)


def response_to(request: Any, extensions: str | None) -> bytes:
    from websocket._protocol.handshake import accept_value
    from websocket._wire.http1 import Response, encode_response

    lines = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", accept_value(request.headers["Sec-WebSocket-Key"])),
    ]
    if extensions is not None:
        lines.append(("Sec-WebSocket-Extensions", extensions))
    return encode_response(Response(101, lines, reason="Switching Protocols"))


# --- answers that are accepted --------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        NAME,
        f" , {NAME} ,, ",
        f"{NAME};client_max_window_bits=9",
        f"{NAME} ;\tclient_max_window_bits = 9 ",
        f'{NAME}; client_max_window_bits="9"',
        f'{NAME}; client_max_window_bits="\\9"',
        f"{NAME}; server_no_context_takeover; client_no_context_takeover",
        f"{NAME}; server_max_window_bits=8; client_max_window_bits=8",
        f"{NAME}; server_max_window_bits=15; client_max_window_bits=15",
    ],
)
def test_what_the_rfc_allows_is_accepted(answer: str) -> None:
    """A server may bind itself unasked (7.1.1.1, 7.1.2.1): gorilla/websocket answers both
    `..._no_context_takeover` to everyone, websockets `server_max_window_bits=12`."""
    inflater, deflater = Deflate().agree(answer)
    squeezed = deflater.deflate(b"hello", True, True)
    assert squeezed is not None
    assert zlib.decompressobj(-15).decompress(squeezed + b"\x00\x00\xff\xff") == b"hello"
    assert inflater.inflate(squeezed, True, None) == b"hello"


def test_no_answer_means_no_compression() -> None:
    client = ClientProtocol("ws://localhost/", extensions=[Deflate()])
    request = client.connect()
    client.send_request(request)
    client.receive_data(response_to(request, None))
    assert client.handshake_exc is None
    client.data_to_send()
    client.send_text(b"a" * 1000)
    (frame,) = client.data_to_send()
    assert frame[0] == 0x81 and len(frame) > 1000


@pytest.mark.parametrize(
    ("settings", "answer", "bits"),
    [
        ({}, NAME, 12),  # the server takes anything up to 15; 12 cost least for the same ratio
        ({}, f"{NAME}; client_max_window_bits=15", 12),
        ({}, f"{NAME}; client_max_window_bits=11", 11),
        ({}, f"{NAME}; client_max_window_bits=9", 9),
        ({"client_max_window_bits": 15}, NAME, 15),
        ({"client_max_window_bits": 15}, f"{NAME}; client_max_window_bits=13", 13),
        ({"client_max_window_bits": 10}, NAME, 10),
        ({"client_max_window_bits": 10}, f"{NAME}; client_max_window_bits=9", 9),
        ({"client_max_window_bits": 10}, f"{NAME}; client_max_window_bits=15", 10),
    ],
)
def test_our_window_is_the_smaller_of_what_was_agreed_and_what_we_want(
    settings: dict[str, Any], answer: str, bits: int
) -> None:
    """RFC 7692 7.1.2.2: an agreed window is an upper bound, and so is a value that we offered, also
    when the server ignores it."""
    settings = {**settings, "level": 9}
    reach = 2**bits - 262  # zlib keeps that much ahead of where it looks
    assert distances(Deflate(**settings).agree(answer)[1], reach - 50)
    assert not distances(Deflate(**settings).agree(answer)[1], 2**bits + 50)


@pytest.mark.parametrize(
    ("answer", "bits"),
    [
        (NAME, 15),
        (f"{NAME}; server_max_window_bits=15", 15),
        (f"{NAME}; server_max_window_bits=10", 10),
        (f"{NAME}; server_max_window_bits=9", 9),
        (f"{NAME}; server_max_window_bits=8", 9),  # zlib in its place makes 9
    ],
)
def test_memory_for_inflating_is_what_the_server_needs(answer: str, bits: int) -> None:
    assert inflater_bits(Deflate().agree(answer)[0]) == bits


@pytest.mark.parametrize(
    ("settings", "answer", "alone"),
    [
        ({}, NAME, False),
        ({}, f"{NAME}; client_no_context_takeover", True),
        ({"client_no_context_takeover": True}, NAME, True),
        ({"client_no_context_takeover": True}, f"{NAME}; client_no_context_takeover", True),
    ],
)
def test_context_is_dropped_when_either_side_said_so(
    settings: dict[str, Any], answer: str, alone: bool
) -> None:
    """RFC 7692 7.1.1.2: what we offered binds us also when the server does not repeat it."""
    _, deflater = Deflate(**settings).agree(answer)
    message = b"a text that does not repeat within itself: 0123456789"
    first, second = (deflater.deflate(message, True, True) for _ in range(2))
    assert first is not None and second is not None
    assert (first == second) is alone
    assert (len(second) < len(first)) is not alone
