"""Promise: on a real connection compression changes nothing but the bytes on the wire, and what a
server does wrong with it is told to it, and ends the connection.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator

import pytest

import websocket
from websocket import ABNF, Deflate
from websocket._protocol.deflate import answer_offers
from websocket._protocol.sending import Sender
from websocket.testing import (
    Connection,
    Server,
    Step,
    accept,
    expect_frame,
    frame,
    script,
    send,
    serve,
)

TIMEOUT = 10.0
AGREED = accept({"Sec-WebSocket-Extensions": "permessage-deflate"})
HELLO = bytes.fromhex("f248cdc9c90700")
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def dial(url: str, **options: object) -> websocket.WebSocket:
    options = {"compression": "deflate", **options}
    return websocket.create_connection(url, timeout=TIMEOUT, **options)


def told(code: int) -> Step:
    """The step of a script that waits for a close frame with this code."""
    return expect_frame(CLOSE, lambda payload: payload[:2] == code.to_bytes(2, "big"))


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(compression="deflate") as server:
        yield server


# --- what a server may do wrong -------------------------------------------------------------------


@pytest.mark.parametrize(
    "stream",
    [
        frame(PING, b"", rsv=4),
        frame(CLOSE, b"\x03\xe8", rsv=4),
        frame(TEXT, HELLO[:3], fin=False, rsv=4) + frame(CONT, HELLO[3:], rsv=4),
        frame(TEXT, b"Hel", fin=False) + frame(CONT, b"lo", rsv=4),
        frame(TEXT, HELLO, rsv=6),
        frame(TEXT, HELLO, rsv=5),
        frame(TEXT, HELLO, rsv=2),
    ],
)
def test_reserved_bits_in_the_wrong_place_fail_with_1002(stream: bytes) -> None:
    """RFC 7692 6: RSV1 stands on the first frame of a data message; the others mean nothing yet."""
    with script(AGREED, send(stream), told(1002)) as peer:
        ws = dial(peer.url)
        with pytest.raises(websocket.WebSocketProtocolException, match="rsv"):
            ws.recv()
        assert not ws.connected
        ws.close()


def test_rsv1_without_an_agreement_fails_with_1002() -> None:
    with script(accept(), send(frame(TEXT, HELLO, rsv=4)), told(1002)) as peer:
        ws = dial(peer.url)
        with pytest.raises(websocket.WebSocketProtocolException, match="rsv"):
            ws.recv()
        ws.close()


def test_an_answer_to_no_offer_fails_the_handshake() -> None:
    """RFC 6455 9.1."""
    with (
        script(AGREED) as peer,
        pytest.raises(websocket.WebSocketException, match="not offered") as caught,
    ):
        dial(peer.url, compression=None)
    assert caught.value.hint is not None and "compression" in caught.value.hint


@pytest.mark.parametrize(
    "answer", ["permessage-deflate; foo", "permessage-deflate; client_max_window_bits"]
)
def test_a_bad_answer_fails_the_handshake(answer: str) -> None:
    with (
        script(accept({"Sec-WebSocket-Extensions": answer})) as peer,
        pytest.raises(websocket.WebSocketException, match="permessage-deflate: ") as caught,
    ):
        dial(peer.url)
    assert caught.value.response is not None
    assert caught.value.response.headers["Sec-WebSocket-Extensions"] == answer


def test_a_bad_stream_fails_with_1007_behind_the_messages_before_it() -> None:
    stream = frame(TEXT, HELLO, rsv=4) + frame(TEXT, b"\xff" * 5, rsv=4)
    with script(AGREED, send(stream), told(1007)) as peer:
        ws = dial(peer.url)
        assert ws.recv() == "Hello"
        with pytest.raises(websocket.WebSocketPayloadException, match="Invalid compressed data"):
            ws.recv()
        assert not ws.connected
        ws.close()


def test_text_that_is_not_utf8_when_inflated_fails_with_1007_at_its_first_fragment() -> None:
    peer = zlib.compressobj(wbits=-15)
    bad = peer.compress(b"fine \xf4\x90") + peer.flush(zlib.Z_SYNC_FLUSH)
    with script(AGREED, send(frame(TEXT, bad, fin=False, rsv=4)), told(1007)) as server:
        ws = dial(server.url)
        with pytest.raises(websocket.WebSocketPayloadException, match="UTF-8"):
            ws.recv()
        ws.close()


@pytest.mark.parametrize("fragments", [1, 3])
def test_max_size_bounds_what_is_inflated(fragments: int) -> None:
    peer = zlib.compressobj(wbits=-15)
    stream = b""
    for number in range(fragments):
        part = peer.compress(bytes(1 << 20)) + peer.flush(zlib.Z_SYNC_FLUSH)
        last = number == fragments - 1
        opcode, rsv = (CONT, 0) if number else (BINARY, 4)
        stream += frame(opcode, part[:-4] if last else part, fin=last, rsv=rsv)
    size = fragments << 20
    for limit in (size, size - 1):
        steps = [told(1009)] if limit < size else [told(1000), send(frame(CLOSE, b"\x03\xe8"))]
        with script(AGREED, send(stream), *steps) as server:
            ws = dial(server.url, max_size=limit)
            if limit == size:
                assert ws.recv() == bytes(size)
            else:
                with pytest.raises(websocket.WebSocketPayloadException, match="too big") as caught:
                    ws.recv()
                assert caught.value.close_code == 1009
            ws.close()


def test_a_close_in_the_middle_of_a_compressed_message_is_a_close() -> None:
    """The message is dropped, the closing handshake goes as ever (RFC 6455 5.4, 5.5.1)."""
    stream = (
        frame(TEXT, HELLO[:3], fin=False, rsv=4) + frame(PING, b"p") + frame(CONT, b"", fin=False)
    )
    stream += frame(CLOSE, b"\x0f\xa1done")
    with script(AGREED, send(stream), expect_frame(PONG, b"p"), told(4001)) as peer:
        ws = dial(peer.url)
        assert ws.recv() == ""
        assert (ws.close_code, ws.close_reason) == (4001, "done")
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            ws.recv()
        ws.close()


# --- what we do -----------------------------------------------------------------------------------


def test_messages_are_compressed_unless_asked_not_to_be(server: Server) -> None:
    ws = dial(server.url)
    text = "a text that can be compressed " * 100
    first, again = ws.send(text), ws.send(text)
    assert first < 100 and again < first
    assert ws.send(text, compress=False) > len(text)
    assert ws.send(text) <= again
    for _ in range(4):
        assert ws.recv() == text
    ws.close()


def test_a_message_in_fragments_is_compressed_or_not_as_a_whole(server: Server) -> None:
    ws = dial(server.url)
    parts = ["a text that can be compressed "] * 100
    compressed = ws.send(iter(parts))
    plain = ws.send(iter(parts), compress=False)
    assert compressed < len("".join(parts)) / 2 < plain
    assert ws.recv() == ws.recv() == "".join(parts)
    ws.close()


def test_a_threshold_counts_for_whole_messages(server: Server) -> None:
    ws = dial(server.url, compression=Deflate(threshold=1000))
    assert ws.send("a" * 999) > 999 and ws.send("a" * 1000) < 100
    assert ws.recv() == "a" * 999 and ws.recv() == "a" * 1000
    ws.close()


def test_frames_and_pieces_come_inflated() -> None:
    stream = frame(TEXT, HELLO[:3], fin=False, rsv=4) + frame(CONT, HELLO[3:])
    bye = (told(1000), send(frame(CLOSE, b"\x03\xe8")))
    with script(AGREED, send(3 * stream), *bye) as peer:
        ws = dial(peer.url)
        assert "".join(piece for piece in ws.recv_streaming() if isinstance(piece, str)) == "Hello"
        first, second = ws.recv_frame(), ws.recv_frame()
        assert first.data + second.data == b"Hello"
        assert (first.opcode, first.fin, first.rsv1) == (ABNF.OPCODE_TEXT, 0, 0)
        assert ws.recv() == "Hello"
        ws.close()


def test_a_message_that_was_not_sent_is_not_referred_to() -> None:
    """When a send fails before its first byte the connection lives on; the compressor has taken the
    message in, the server has not seen it."""
    keys = [b"abcd", b"abc", b"abcd"]
    received: list[str | bytes] = []

    def handler(connection: Connection) -> None:
        received.extend(connection)

    with serve(handler, compression="deflate") as server:
        ws = websocket.WebSocket(get_mask_key=lambda _: keys.pop(0) if keys else b"abcd")
        ws.connect(server.url, compression="deflate", timeout=TIMEOUT)
        text = "a text that the server should know only when it has got it"
        ws.send("first")
        with pytest.raises(ValueError, match="expected 4"):
            ws.send(text)
        ws.send(text)
        ws.close()
    assert received == ["first", text]


def test_messages_of_several_threads_stay_whole(server: Server) -> None:
    """One compressor for all of them: what goes in first has to go out first."""
    ws = dial(server.url)
    texts = [[f"thread {n}, message {m}: " + "x" * (m * 37) for m in range(100)] for n in range(4)]
    threads = [threading.Thread(target=lambda t=each: [ws.send(x) for x in t]) for each in texts]
    for thread in threads:
        thread.start()
    received = [ws.recv() for _ in range(400)]
    for thread in threads:
        thread.join()
    assert sorted(map(str, received)) == sorted(text for each in texts for text in each)
    ws.close()


def test_an_app_compresses(server: Server) -> None:
    got: list[object] = []

    def on_message(app: websocket.WebSocketApp, message: str) -> None:
        got.append(message)
        assert app.sock is not None and app.sock.response is not None
        got.append(app.sock.response.headers.get("Sec-WebSocket-Extensions"))
        app.close()

    app = websocket.WebSocketApp(
        server.url, on_open=lambda app: app.send("a" * 1000), on_message=on_message
    )
    app.run_forever(compression="deflate")
    assert got == ["a" * 1000, "permessage-deflate"]


@pytest.mark.parametrize(
    ("value", "error"), [("gzip", ValueError), (True, TypeError), (b"deflate", TypeError)]
)
def test_a_compression_that_is_none_is_refused(value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="expected None, 'deflate' or a Deflate"):
        websocket.create_connection("ws://127.0.0.1:9", compression=value)


def test_the_sans_io_client_compresses() -> None:

    client = websocket.ClientProtocol("ws://localhost/", extensions=[Deflate()])
    request = client.connect()
    client.send_request(request)
    answered = answer_offers(request.headers["Sec-WebSocket-Extensions"], Deflate())
    assert answered is not None
    answer, _, deflater = answered
    client.receive_data(accept({"Sec-WebSocket-Extensions": answer})(request))
    sender = Sender(server=True, deflater=deflater)
    client.receive_data(sender.message(TEXT, b"a" * 1000))
    _, message = client.events_received()
    assert isinstance(message, websocket.Frame)
    assert (message.opcode, message.data, message.rsv1) == (TEXT, b"a" * 1000, False)
