"""Promise: `ClientProtocol` behaves as its documentation says, call by call: states, events, what
is to be sent, and which errors each verb raises where."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from websocket._exceptions import (
    InvalidState,
    WebSocketBadStatusException,
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketPayloadException,
    WebSocketProtocolException,
)
from websocket._protocol.client import SEND_EOF, ClientProtocol, State
from websocket._protocol.handshake import accept_value
from websocket._wire.decoding import FrameDecoder
from websocket._wire.frames import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    Frame,
    encode_frame,
)
from websocket._wire.http1 import HeadReader, Request, Response
from websocket._wire.urls import parse_uri

CLOSE_1000 = encode_frame(CLOSE, b"\x03\xe8bye", None)


def wire(opcode: int, payload: bytes = b"", fin: bool = True) -> bytes:
    return encode_frame(opcode, payload, None, fin)


def sent(protocol: ClientProtocol) -> list[Frame | bytes]:
    """What is to be sent, as the server reads it; SEND_EOF as it is."""
    decoder = FrameDecoder()
    found: list[Frame | bytes] = []
    for data in protocol.data_to_send():
        if data == SEND_EOF:
            found.append(SEND_EOF)
            continue
        decoder.feed(data)
        while (frame := decoder.next()) is not None:
            assert frame.masked
            found.append(frame)
    assert decoder.at_border
    return found


def connecting(**options: Any) -> tuple[ClientProtocol, str]:
    """A protocol whose request is out, and the accept value that fits."""
    protocol = ClientProtocol("ws://example.com/", **options)
    request = protocol.connect()
    protocol.send_request(request)
    protocol.data_to_send()
    return protocol, accept_value(request.headers["Sec-WebSocket-Key"])


def response(accept: str, *more: str) -> bytes:
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Sec-WebSocket-Accept: {accept}", *more, "", ""]
    return "\r\n".join(lines).encode()


def opened(**options: Any) -> ClientProtocol:
    return ClientProtocol("ws://example.com/", state=State.OPEN, **options)


# --- opening --------------------------------------------------------------------------------------


def test_the_request_can_be_changed_before_it_is_sent() -> None:
    protocol = ClientProtocol(parse_uri("wss://user:pass@example.com:8443/chat?x=1"), "https://o")
    request = protocol.connect()
    assert isinstance(request, Request)
    assert request.path == "/chat?x=1"
    assert request.headers["Origin"] == "https://o"
    assert request.headers["Host"] == "example.com:8443"
    assert request.headers["Authorization"] == "Basic dXNlcjpwYXNz"
    assert protocol.data_to_send() == []
    request.path = "/other"
    request.headers["User-Agent"] = "me"
    request.headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    protocol.send_request(request)
    [data] = protocol.data_to_send()
    reader = HeadReader("request")
    assert reader.feed(data) == len(data)
    assert reader.head().path == "/other"
    assert reader.head().headers["user-agent"] == "me"
    protocol.receive_data(response("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
    assert protocol.state is State.OPEN


def test_without_options_nothing_is_added() -> None:
    request = ClientProtocol("ws://example.com/").connect()
    assert "Origin" not in request.headers
    assert "Sec-WebSocket-Extensions" not in request.headers
    assert "Sec-WebSocket-Protocol" not in request.headers


def test_an_injected_line_is_not_sent() -> None:
    protocol = ClientProtocol("ws://example.com/")
    request = protocol.connect()
    request.headers["X-A"] = "1\r\nX-Evil: 2"
    with pytest.raises(ValueError, match="X-A"):
        protocol.send_request(request)
    assert protocol.data_to_send() == []


@pytest.mark.parametrize("step", [1, 20, 10**6])
def test_the_response_is_the_first_event_and_frames_may_be_glued_to_it(step: int) -> None:
    protocol, accept = connecting()
    stream = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 3
    stream += response(accept, "X-A: 1", "X-A: 2") + wire(TEXT, b"hello") + wire(PING, b"p")
    for at in range(0, len(stream), step):
        assert not protocol.close_expected()
        protocol.receive_data(bytearray(stream[at : at + step]))  # any bytes-like will do
    first, *frames = protocol.events_received()
    assert isinstance(first, Response)
    assert (first.status, first.headers.get_all("x-a")) == (101, ["1", "2"])
    assert frames == [Frame(TEXT, b"hello"), Frame(PING, b"p")]
    assert all(type(frame.data) is bytes for frame in frames if isinstance(frame, Frame))
    assert protocol.events_received() == []
    assert protocol.handshake_exc is None
    assert (protocol.state, protocol.close_expected()) == (State.OPEN, False)
    assert sent(protocol) == [Frame(PONG, b"p")]


def test_interim_responses_are_limited() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    protocol, accept = connecting()
    protocol.receive_data(interim * 16 + response(accept))
    assert protocol.state is State.OPEN
    protocol, accept = connecting()
    protocol.receive_data(interim * 17 + response(accept))
    assert "more than 16 interim" in str(protocol.handshake_exc)
    assert protocol.events_received() == []


def test_the_subprotocol_that_was_chosen() -> None:
    protocol, accept = connecting(subprotocols=["chat", "superchat"])
    assert protocol.subprotocol is None
    protocol.receive_data(response(accept, "Sec-WebSocket-Protocol: superchat"))
    assert protocol.subprotocol == "superchat"
    protocol, accept = connecting(subprotocols=["chat"])
    protocol.receive_data(response(accept))
    assert (protocol.state, protocol.subprotocol) == (State.OPEN, None)


REFUSED: dict[str, tuple[str, str]] = {
    "accept": (response("wrong").decode(), "Sec-WebSocket-Accept"),
    "no upgrade": ("HTTP/1.1 101 OK\r\n\r\n", "Upgrade is None"),
    "version": ("HTTP/1.0 101 OK\r\n\r\n", "HTTP/1.0"),
    "status": ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "Handshake status 200 OK"),
    "no reason": ("HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", "Handshake status 404"),
    "redirect": ("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "status 302"),
}


@pytest.mark.parametrize(("stream", "what"), REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("bytewise", [False, True])
def test_a_refusal_gives_its_response_and_the_reason(
    stream: str, what: str, bytewise: bool
) -> None:
    protocol, _ = connecting()
    for piece in stream if bytewise else [stream]:
        protocol.receive_data(piece.encode())
    [event] = protocol.events_received()
    assert isinstance(event, Response)
    assert isinstance(protocol.handshake_exc, WebSocketException)
    assert protocol.handshake_exc.response is event
    assert what in str(protocol.handshake_exc)
    # The end of our half tells the server to close (RFC 6455 4.1 leaves no other use for it).
    assert protocol.data_to_send() == [SEND_EOF]
    assert (protocol.state, protocol.close_expected()) == (State.CONNECTING, True)
    protocol.receive_data(b"more " + CLOSE_1000)
    assert protocol.events_received() == []
    with pytest.raises(InvalidState):
        protocol.send_request(protocol.connect())
    protocol.receive_eof()
    assert protocol.data_to_send() == []
    assert (protocol.state, protocol.close_expected()) == (State.CLOSED, False)
    assert (protocol.close_code, protocol.close_reason) == (1006, "")


def test_what_is_no_response_gives_no_event() -> None:
    protocol, _ = connecting()
    protocol.receive_data(b"SSH-2.0-OpenSSH\r\n")
    assert protocol.events_received() == []
    assert "Invalid status line" in str(protocol.handshake_exc)
    assert protocol.data_to_send() == [SEND_EOF]
    assert protocol.close_expected()


BODIES = {
    "sized": b"Content-Length: 5\r\n\r\nhello ignored",
    "chunked": b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    "until the end": b"\r\nhello",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("bytewise", [False, True])
def test_a_refusal_carries_its_body(body: bytes, bytewise: bool) -> None:
    protocol, _ = connecting()
    stream = b"HTTP/1.1 403 Forbidden\r\nX-A: 1\r\nX-A: 2\r\n" + body
    for piece in [stream[at : at + 1] for at in range(len(stream))] if bytewise else [stream]:
        protocol.receive_data(piece)
    if protocol.handshake_exc is None:
        assert body == BODIES["until the end"]
        assert protocol.events_received() == []
        protocol.receive_eof()
    exc = protocol.handshake_exc
    assert isinstance(exc, WebSocketBadStatusException)
    assert (exc.status_code, exc.status_message, exc.resp_body) == (403, "Forbidden", b"hello")
    assert exc.response.headers.get_all("X-A") == ["1", "2"]
    [event] = protocol.events_received()
    assert event is exc.response
    assert exc.response.body == b"hello"
    assert protocol.data_to_send() == [SEND_EOF]


def test_a_refusals_body_is_kept_up_to_a_limit() -> None:
    protocol, _ = connecting()
    protocol.receive_data(b"HTTP/1.1 500 Oops\r\n\r\n" + bytes(40000))
    assert protocol.handshake_exc is None
    protocol.receive_data(bytes(40000))
    assert isinstance(protocol.handshake_exc, WebSocketBadStatusException)
    assert len(protocol.handshake_exc.resp_body or b"") == 65536


@pytest.mark.parametrize("stream", [b"", b"HTTP/1.1 101 Swi", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_the_end_before_the_response(stream: bytes) -> None:
    protocol, _ = connecting()
    protocol.receive_data(stream)
    assert protocol.handshake_exc is None
    protocol.receive_eof()
    assert isinstance(protocol.handshake_exc, WebSocketConnectionClosedException)
    assert protocol.data_to_send() == [SEND_EOF]
    assert (protocol.state, protocol.close_expected()) == (State.CLOSED, False)
    assert protocol.close_exc.__cause__ is protocol.handshake_exc


def test_at_most_one_extension() -> None:
    with pytest.raises(ValueError, match="at most one"):
        ClientProtocol("ws://example.com/", extensions=[object(), object()])  # type: ignore[list-item]


# --- receiving ------------------------------------------------------------------------------------


def test_an_event_per_frame() -> None:
    protocol = opened()
    protocol.receive_data(wire(TEXT, b"a", False) + wire(PONG, b"x") + wire(CONT, b"b")[:1])
    assert protocol.events_received() == [Frame(TEXT, b"a", False), Frame(PONG, b"x")]
    protocol.receive_data(wire(CONT, b"b")[1:] + wire(BINARY, b"c"))
    assert protocol.events_received() == [Frame(CONT, b"b"), Frame(BINARY, b"c")]
    assert protocol.data_to_send() == []
    protocol.receive_data(b"")
    assert protocol.events_received() == []


def test_pings_are_answered_in_order_until_the_servers_close() -> None:
    """RFC 6455 5.5.2; behind our own close frame, too."""
    protocol = opened()
    protocol.receive_data(wire(PING, b"1") + wire(PING, b""))
    protocol.send_close(1000)
    protocol.receive_data(wire(PING, b"2"))
    close = Frame(CLOSE, b"\x03\xe8")
    assert sent(protocol) == [Frame(PONG, b"1"), Frame(PONG, b""), close, Frame(PONG, b"2")]
    protocol.receive_data(CLOSE_1000 + wire(PING, b"3"))
    assert sent(protocol) == []


@pytest.mark.parametrize(
    ("body", "code", "reason"),
    [(b"\x03\xe8bye", 1000, "bye"), (b"", 1005, ""), (b"\x0f\xa0", 4000, "")],
)
def test_the_servers_close_is_echoed(body: bytes, code: int, reason: str) -> None:
    protocol = opened()
    protocol.receive_data(wire(TEXT, b"a", False) + wire(CLOSE, body) + wire(TEXT, b"ignored"))
    assert protocol.events_received() == [Frame(TEXT, b"a", False), Frame(CLOSE, body)]
    assert sent(protocol) == [Frame(CLOSE, body)]
    assert (protocol.state, protocol.close_expected()) == (State.CLOSING, True)
    assert protocol.close_code is protocol.close_reason is None
    with pytest.raises(AssertionError):
        _ = protocol.close_exc
    protocol.receive_data(wire(TEXT, b"ignored") + b"\xff\xff")
    assert protocol.events_received() == []
    protocol.receive_eof()
    assert protocol.events_received() == []
    assert protocol.data_to_send() == [SEND_EOF]
    assert (protocol.state, protocol.close_expected()) == (State.CLOSED, False)
    assert (protocol.close_code, protocol.close_reason) == (code, reason)
    exc = protocol.close_exc
    assert isinstance(exc, WebSocketConnectionClosedException)
    assert (exc.status_code, exc.reason) == (code, reason)
    assert exc.__cause__ is None


def test_our_close_is_not_answered_again() -> None:
    protocol = opened()
    protocol.send_close(1001, "going")
    assert sent(protocol) == [Frame(CLOSE, b"\x03\xe9going")]
    assert (protocol.state, protocol.close_expected()) == (State.CLOSING, True)
    protocol.receive_data(wire(TEXT, b"late") + CLOSE_1000)
    assert protocol.events_received() == [Frame(TEXT, b"late"), Frame(CLOSE, b"\x03\xe8bye")]
    assert protocol.data_to_send() == []
    assert protocol.close_expected()
    protocol.receive_eof()
    assert (protocol.close_code, protocol.close_reason) == (1000, "bye")
    assert protocol.data_to_send() == [SEND_EOF]


@pytest.mark.parametrize("half", [b"", b"\x81", wire(TEXT, b"half")[:4]])
def test_the_end_without_a_close_is_1006(half: bytes) -> None:
    protocol = opened()
    protocol.receive_data(wire(TEXT, b"whole") + half)
    protocol.receive_eof()
    assert protocol.events_received() == [Frame(TEXT, b"whole")]
    assert protocol.data_to_send() == [SEND_EOF]
    assert (protocol.state, protocol.close_code, protocol.close_reason) == (State.CLOSED, 1006, "")
    assert protocol.close_exc.status_code == 1006


@pytest.mark.parametrize("closed", [False, True])
def test_nothing_is_received_behind_the_end(closed: bool) -> None:
    protocol = opened()
    if closed:
        protocol.receive_data(CLOSE_1000)
    protocol.receive_eof()
    protocol.data_to_send()
    for receive in (protocol.receive_eof, lambda: protocol.receive_data(b"x")):
        with pytest.raises(EOFError):
            receive()
    assert protocol.data_to_send() == []


FAULTS: dict[str, tuple[bytes, int, type[WebSocketException]]] = {
    "opcode": (b"\x83\x00", 1002, WebSocketProtocolException),
    "rsv": (b"\xf1\x00", 1002, WebSocketProtocolException),
    "mask": (encode_frame(TEXT, b"x", b"abcd"), 1002, WebSocketProtocolException),
    "order": (wire(CONT, b"x"), 1002, WebSocketProtocolException),
    "close code": (wire(CLOSE, b"\x03\xed"), 1002, WebSocketProtocolException),
    "utf-8": (wire(TEXT, b"\xff"), 1007, WebSocketPayloadException),
    "size": (wire(BINARY, bytes(101)), 1009, WebSocketPayloadException),
}


@pytest.mark.parametrize(("bad", "code", "kind"), FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("closing", [False, True])
def test_a_fault_of_the_server_fails_the_connection(
    bad: bytes, code: int, kind: type[WebSocketException], closing: bool
) -> None:
    """What came before is delivered, the server is told once, and nothing more is read."""
    protocol = opened(max_size=100)
    if closing:
        protocol.send_close()
    protocol.data_to_send()
    protocol.receive_data(wire(TEXT, b"before") + bad + wire(TEXT, b"behind") + wire(PING))
    assert protocol.events_received() == [Frame(TEXT, b"before")]
    found = sent(protocol)
    if closing:
        assert found == []
    else:
        [close] = found
        assert isinstance(close, Frame)
        assert (close.opcode, close.data[:2]) == (CLOSE, code.to_bytes(2, "big"))
        assert len(close.data) > 10
    assert (protocol.state, protocol.close_expected()) == (State.CLOSING, True)
    protocol.receive_data(CLOSE_1000)
    assert protocol.events_received() == []
    protocol.receive_eof()
    assert protocol.data_to_send() == [SEND_EOF]
    assert protocol.close_code == 1006
    assert type(protocol.close_exc.__cause__) is kind


# --- sending --------------------------------------------------------------------------------------

VERBS: dict[str, Callable[[ClientProtocol], None]] = {
    "send_text": lambda protocol: protocol.send_text(b"x"),
    "send_binary": lambda protocol: protocol.send_binary(b"x"),
    "send_continuation": lambda protocol: protocol.send_continuation(b"x", True),
    "send_close": lambda protocol: protocol.send_close(),
    "send_ping": lambda protocol: protocol.send_ping(b"x"),
    "send_pong": lambda protocol: protocol.send_pong(b"x"),
}


def test_messages_fragments_and_control_frames() -> None:
    protocol = opened()
    protocol.send_text("é".encode())
    protocol.send_binary(bytearray(b"b"), fin=False)
    protocol.send_ping(memoryview(b"p"))
    protocol.send_continuation(b"c", fin=False)
    protocol.send_pong(b"")
    protocol.send_continuation(b"d", fin=True)
    protocol.send_close(1000, "bye")
    assert sent(protocol) == [
        Frame(TEXT, "é".encode()),
        Frame(BINARY, b"b", False),
        Frame(PING, b"p"),
        Frame(CONT, b"c", False),
        Frame(PONG, b""),
        Frame(CONT, b"d"),
        Frame(CLOSE, b"\x03\xe8bye"),
    ]
    assert protocol.data_to_send() == []


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", [State.CONNECTING, State.CLOSED])
def test_nothing_is_sent_before_the_opening_and_behind_the_end(verb: str, state: State) -> None:
    protocol, _ = connecting()
    if state is State.CLOSED:
        protocol = opened()
        protocol.receive_eof()
        protocol.data_to_send()
    with pytest.raises(InvalidState, match=state.name.lower()):
        VERBS[verb](protocol)
    assert protocol.data_to_send() == []


@pytest.mark.parametrize("verb", VERBS)
def test_only_pings_and_pongs_are_sent_while_closing(verb: str) -> None:
    protocol = opened()
    protocol.send_close()
    protocol.data_to_send()
    if verb in ("send_ping", "send_pong"):
        VERBS[verb](protocol)
        assert len(sent(protocol)) == 1
        return
    with pytest.raises(InvalidState, match="closing"):
        VERBS[verb](protocol)
    assert protocol.data_to_send() == []


MISUSE: dict[str, Callable[[ClientProtocol], None]] = {
    "continuation of nothing": lambda protocol: protocol.send_continuation(b"", False),
    "illegal code": lambda protocol: protocol.send_close(999),
    "code 1005": lambda protocol: protocol.send_close(1005),
    "code 1006": lambda protocol: protocol.send_close(1006),
    "huge code": lambda protocol: protocol.send_close(70000),
    "long reason": lambda protocol: protocol.send_close(1000, "x" * 124),
    "surrogate": lambda protocol: protocol.send_close(1000, "\ud800"),
    "reason without code": lambda protocol: protocol.send_close(reason="why"),
    "long ping": lambda protocol: protocol.send_ping(bytes(126)),
    "long pong": lambda protocol: protocol.send_pong(bytes(126)),
    "ping of wide items": lambda protocol: protocol.send_ping(memoryview(bytes(128)).cast("I")),
    "fail with an illegal code": lambda protocol: protocol.fail(1005),
    "fail with a long reason": lambda protocol: protocol.fail(1011, "x" * 124),
}


@pytest.mark.parametrize("misuse", MISUSE.values(), ids=MISUSE.keys())
def test_misuse_is_refused_and_changes_nothing(misuse: Callable[[ClientProtocol], None]) -> None:
    protocol = opened()
    with pytest.raises(WebSocketProtocolException):
        misuse(protocol)
    assert protocol.data_to_send() == []
    assert (protocol.state, protocol.close_expected()) == (State.OPEN, False)
    protocol.receive_data(wire(TEXT, b"still reading"))
    assert protocol.events_received() == [Frame(TEXT, b"still reading")]
    protocol.send_text(b"still sending")
    protocol.send_close(1000)
    assert len(sent(protocol)) == 2


@pytest.mark.parametrize("verb", ["send_text", "send_binary"])
def test_a_message_inside_of_a_message_is_refused(verb: str) -> None:
    protocol = opened()
    protocol.send_text(b"a", fin=False)
    with pytest.raises(WebSocketProtocolException, match="continuation"):
        VERBS[verb](protocol)
    protocol.send_continuation(b"b", fin=True)
    assert sent(protocol) == [Frame(TEXT, b"a", False), Frame(CONT, b"b")]
    with pytest.raises(WebSocketProtocolException):
        protocol.send_continuation(b"c", fin=True)


# --- fail -----------------------------------------------------------------------------------------


def test_fail_tells_the_server_and_reads_nothing_more() -> None:
    protocol = opened()
    protocol.fail(1011, "broken")
    assert sent(protocol) == [Frame(CLOSE, b"\x03\xf3broken")]
    assert (protocol.state, protocol.close_expected()) == (State.CLOSING, True)
    protocol.receive_data(wire(PING) + wire(TEXT, b"x") + CLOSE_1000)
    assert (protocol.events_received(), protocol.data_to_send()) == ([], [])
    protocol.fail(1011)
    assert protocol.data_to_send() == []
    protocol.receive_eof()
    assert protocol.data_to_send() == [SEND_EOF]
    assert protocol.close_code == 1006
    protocol.fail(1011)
    assert (protocol.state, protocol.data_to_send()) == (State.CLOSED, [])


def test_fail_with_1006_says_nothing() -> None:
    protocol = opened()
    protocol.fail(1006)
    assert protocol.data_to_send() == []
    assert protocol.close_expected()
    with pytest.raises(InvalidState):
        protocol.send_text(b"x")
    protocol.receive_eof()
    assert protocol.data_to_send() == [SEND_EOF]


def test_fail_while_closing_sends_no_second_close() -> None:
    protocol = opened()
    protocol.send_close(1000)
    protocol.data_to_send()
    protocol.fail(1002)
    assert protocol.data_to_send() == []
    protocol.receive_data(wire(TEXT, b"x"))
    assert protocol.events_received() == []


def test_fail_while_connecting_fails_the_handshake() -> None:
    protocol, accept = connecting()
    protocol.fail(1011, "changed my mind")
    assert str(protocol.handshake_exc) == "changed my mind"
    assert protocol.data_to_send() == [SEND_EOF]
    assert protocol.close_expected()
    protocol.receive_data(response(accept))
    assert (protocol.events_received(), protocol.state) == ([], State.CONNECTING)


# --- the rest -------------------------------------------------------------------------------------


def test_attributes() -> None:
    logger = logging.getLogger("test")
    protocol = opened(logger=logger)
    assert isinstance(protocol.id, uuid.UUID)
    assert protocol.id == protocol.id != opened().id
    assert protocol.logger is logger
    assert opened().logger.name == "websocket"  # type: ignore[union-attr]
    assert protocol.close_code is protocol.close_reason is protocol.handshake_exc is None
    assert [state.name for state in State] == ["CONNECTING", "OPEN", "CLOSING", "CLOSED"]
    assert SEND_EOF == b""


def test_the_limit_of_a_message_is_a_mebibyte_by_default() -> None:
    protocol = opened()
    protocol.receive_data(wire(BINARY, bytes(2**20)))
    assert len(protocol.events_received()) == 1
    protocol.receive_data(b"\x82\x7f" + (2**20 + 1).to_bytes(8, "big"))
    [close] = sent(protocol)
    assert isinstance(close, Frame)
    assert close.data[:2] == b"\x03\xf1"
    protocol = opened(max_size=None)
    protocol.receive_data(wire(BINARY, bytes(2**20 + 1)))
    assert len(protocol.events_received()) == 1
