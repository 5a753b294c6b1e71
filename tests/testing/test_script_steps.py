"""`websocket.testing.script`: each step does what it says, and failures are loud."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import trustme

import websocket
from websocket.testing import (
    Conversation,
    ScriptFailure,
    ScriptServer,
    accept,
    delay,
    drip,
    drop,
    expect,
    expect_frame,
    expect_request,
    frame,
    frames,
    half_close,
    hang,
    receive,
    repeat,
    reset,
    script,
    send,
)

TIMEOUT = 10.0


def dial(url: str, **options: Any) -> websocket.WebSocket:
    return websocket.create_connection(url, timeout=TIMEOUT, **options)


def raw(server: ScriptServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), TIMEOUT)


def go_on_sending(client: socket.socket, data: bytes, pause: float = 0) -> None:
    """Send, until that fails."""
    for _ in range(1000):
        client.sendall(data)
        time.sleep(pause)


def talk(server: ScriptServer, data: bytes, last: bool = False) -> None:
    """A client that sends, and waits for the server to end the connection at once."""
    with server, raw(server) as client:
        client.sendall(data)
        if last:
            client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b""


def read_all(sock: socket.socket) -> bytes:
    stream = b""
    while data := sock.recv(65536):
        stream += data
    return stream


def test_send_is_followed_by_the_end_of_the_stream() -> None:
    with script(send(b"one"), send(b"two")) as server, raw(server) as client:
        assert read_all(client) == b"onetwo"


def test_send_of_a_function_gets_the_request() -> None:
    def answer(request: websocket.Request) -> bytes:
        return request.path.encode()

    with script(send(answer)) as server, raw(server) as client:
        client.sendall(b"GET /path HTTP/1.1\r\n\r\n")
        assert read_all(client) == b"/path"


def test_accept_is_a_whole_handshake() -> None:
    """As a step of its own, behind expect_request, and as bytes to be sent in any way."""
    for steps in (
        [accept()],
        [expect_request(), accept()],
        [send(accept())],
        [drip(accept(), every=0.001, size=10)],
    ):
        with script(*steps, send(frame(0x1, "hi")), expect_frame(0x8)) as server:
            ws = dial(server.url)
            assert ws.recv() == "hi"
            ws.close(timeout=0)


def test_accept_adds_headers_and_a_subprotocol() -> None:
    steps = [accept({"Set-Cookie": "a=1"}, subprotocol="chat"), hang()]
    with script(*steps) as server, dial(server.url, subprotocols=["chat"]) as ws:
        assert ws.subprotocol == "chat"
        assert (ws.getheaders() or {}).get("set-cookie") == "a=1"
        ws.close(timeout=0)


def test_drip_sends_piece_by_piece() -> None:
    """Not before its time: six bytes, two at once, take two pauses."""
    with script(drip(b"abcdef", every=0.05, size=2)) as server, raw(server) as client:
        start = time.monotonic()
        assert client.recv(1) == b"a"
        assert read_all(client) == b"bcdef"
        assert time.monotonic() - start >= 0.08


def test_delay_waits_and_records() -> None:
    with script(delay(0.1), send(b"late")) as server, raw(server) as client:
        start = time.monotonic()
        client.sendall(b"meanwhile")
        assert server.wait_received(b"meanwhile") == b"meanwhile"
        assert read_all(client) == b"late"
        assert time.monotonic() - start >= 0.08


def test_a_delay_ends_with_the_server() -> None:
    start = time.monotonic()
    with script(delay(60), send(b"never")) as server, raw(server) as client:
        server.close()
        assert read_all(client) == b""
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("read", [True, False])
def test_hang_ends_with_the_server(read: bool) -> None:
    start = time.monotonic()
    with script(hang(read)) as server, raw(server) as client:
        client.sendall(b"x")
        server.close()
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("read", [True, False])
def test_hang_ends_when_the_client_goes(read: bool) -> None:
    gone = threading.Event()
    with script(hang(read), lambda peer: gone.set()) as server:
        raw(server).close()
        assert gone.wait(TIMEOUT)


def test_hang_without_reading_blocks_the_client() -> None:
    """Buffers fill up, and a client that sends has to wait."""
    with script(hang(read=False)) as server, raw(server) as client:
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            go_on_sending(client, bytes(1 << 20))
        assert server.received == [b""]


def test_a_send_to_a_client_that_does_not_read_ends_with_the_server() -> None:
    start = time.monotonic()
    with script(repeat(send(bytes(1 << 20)))) as server, raw(server) as client:
        assert client.recv(1) == b"\0"
        server.close()
    assert time.monotonic() - start < 5


def test_drop_is_an_end_without_a_word() -> None:
    """The client sees TCP's end, and is told by a reset when it goes on sending."""
    with script(expect(b"hello"), send(b"x"), drop()) as server, raw(server) as client:
        client.sendall(b"hello")
        assert read_all(client) == b"x"
        with pytest.raises(ConnectionError):
            go_on_sending(client, b"is anybody there?", 0.01)


def test_reset_is_a_reset() -> None:
    with script(expect(b"hello"), reset()) as server, raw(server) as client:
        client.sendall(b"hello")
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_half_close_goes_on_receiving() -> None:
    with script(send(b"x"), half_close(), expect(b"more")) as server, raw(server) as client:
        assert read_all(client) == b"x"
        client.sendall(b"more")
        assert server.wait_received(4) == b"more"


def test_repeat_does_a_step_so_many_times() -> None:
    with script(repeat(send(b"ab"), 3)) as server, raw(server) as client:
        assert read_all(client) == b"ababab"


def test_repeat_without_a_number_ends_when_the_client_goes() -> None:
    with script(repeat(send(b"flood"))) as server, raw(server) as client:
        assert client.recv(3) == b"flo"
    assert server.failures == []


def test_a_plain_function_is_a_step() -> None:
    """Different for each connection, for instance."""

    def by_number(peer: Conversation) -> None:
        peer.send(b"number %d" % peer.number)
        if peer.number:
            peer.receive(2)
            peer.reset()

    with script(by_number) as server:
        with raw(server) as first:
            assert read_all(first) == b"number 0"
        with raw(server) as second:
            second.sendall(b"go")
            with pytest.raises(ConnectionResetError):
                read_all(second)


def test_receive_and_expect_take_bytes_in_order() -> None:
    seen: list[bytes] = []

    def rest(data: bytes) -> bool:
        return data.endswith(b".")

    steps = [lambda peer: seen.append(peer.receive(3)), expect(b"def"), expect(rest), send(b"ok")]
    with script(*steps) as server, raw(server) as client:
        for byte in b"abcdefghi.":
            client.sendall(bytes([byte]))
        assert read_all(client) == b"ok"
        assert server.received == [b"abcdefghi."]
    assert seen == [b"abc"]


def test_received_has_what_each_client_sent() -> None:
    """Every byte, whether or not a step asked for it; frames can be read from it."""
    with script(accept(), hang()) as server:
        for number, text in enumerate(("first", "second")):
            ws = dial(server.url)
            ws.send(text)
            server.wait_received(lambda data: frames(data), connection=number)
            ws.shutdown()
        assert [[f.data for f in frames(data)] for data in server.received] == [
            [b"first"],
            [b"second"],
        ]


def test_wait_received_gives_up() -> None:
    with script(hang()) as server, raw(server) as client:
        client.sendall(b"something")
        with pytest.raises(AssertionError, match="something"):
            server.wait_received(b"else", timeout=0.1)


# --- failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (expect(b"abc"), r"connection 0, step 1, expect\(b'abc'\): expected b'abc', got b'abX'"),
        (expect(b"abXYZ"), r"got b'abX' and then the end"),
        (expect(lambda data: False), r"got b'abX' and then the end"),
        (receive(4), r"expected 4 bytes, got b'abX' and then the end"),
        (expect_request(), r"expected a request"),
        (expect_frame(1), r"expected a text frame|expected a frame"),
        (accept(), r"accept\(\): expected a request"),
    ],
)
def test_what_was_expected_and_did_not_come_fails_the_with_block(step: Any, message: str) -> None:
    server = script(step, hang())
    with pytest.raises(ScriptFailure, match=message):
        talk(server, b"abX", last=True)
    assert len(server.failures) == 1


@pytest.mark.parametrize("step", [expect(b"abc", timeout=0.1), receive(3, timeout=0.1)])
def test_what_does_not_come_in_time_fails(step: Any) -> None:
    with pytest.raises(ScriptFailure, match=r"0\.1 seconds"):
        talk(script(step), b"a")


def test_an_expectation_that_is_open_when_the_block_is_left_fails() -> None:
    """The client has never done what was expected of it."""
    server = script(receive(1))
    with raw(server):
        server.wait_received(0)
        with pytest.raises(ScriptFailure, match="the server was closed"), server:
            pass


def test_what_is_on_its_way_when_the_block_is_left_counts() -> None:
    done: list[bytes] = []
    with script(expect(b"abc"), expect(b"def"), lambda peer: done.append(b"!")) as server:
        client = raw(server)
        client.sendall(b"abcdef")
    client.close()
    assert done == [b"!"]


def test_expect_request_and_frame_check() -> None:
    good = [
        expect_request(lambda request: request.path == "/right"),
        accept(),
        expect_frame(0x1, b"text"),
        expect_frame(0x8, lambda payload: payload.startswith(b"\x03\xe8")),
    ]
    with script(*good) as server:
        ws = dial(server.url + "/right")
        ws.send("text")
        ws.close(timeout=0)


def test_what_differs_from_expect_request_and_frame_fails() -> None:
    head = b"GET /wrong HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\n"
    with pytest.raises(ScriptFailure, match="unexpected Request"):
        talk(script(expect_request(lambda request: request.path == "/right")), head)
    data = frame(0x1, "other", masked=True)
    with pytest.raises(ScriptFailure, match="expected the payload b'text', got <Frame text"):
        talk(script(expect_frame(0x1, b"text")), data)
    with pytest.raises(ScriptFailure, match="expected a binary frame, got <Frame text"):
        talk(script(expect_request(), expect_frame(0x2)), head + data)


def test_an_assertion_of_a_plain_function_fails_the_block() -> None:
    def step(peer: Conversation) -> None:
        raise AssertionError("my own")

    with pytest.raises(ScriptFailure, match="step: my own"):
        talk(script(step), b"")


def test_an_exception_of_the_block_goes_first_and_names_the_failure() -> None:
    def work() -> None:
        with script(expect(b"x")) as server, raw(server) as client:
            client.sendall(b"y")
            assert read_all(client) == b""
            raise LookupError

    with pytest.raises(LookupError) as caught:
        work()
    assert isinstance(caught.value.__context__, ScriptFailure)


# --- the same over other lines --------------------------------------------------------------------


def test_tls() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)
    steps = [accept(), expect_frame(0x1, b"secret"), drip(frame(0x1, "slow"), every=0.01)]
    for end, graceful in ((half_close(), True), (drop(), False)):
        with script(*steps, end, ssl=context) as server:
            assert server.url.startswith("wss://")
            with client_context.wrap_socket(
                raw(server), server_hostname="127.0.0.1", suppress_ragged_eofs=False
            ) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\n")
                sock.sendall(frame(0x1, "secret"))
                stream = b""
                while not stream.endswith(b"slow"):
                    stream += sock.recv(100)
                if graceful:
                    assert sock.recv(1) == b""
                else:
                    with pytest.raises(ssl.SSLEOFError):
                        sock.recv(1)
            assert server.wait_received(b"secret").startswith(b"GET / ")


def test_unix_socket(tmp_path: Path) -> None:
    with script(accept(), hang(), unix_socket=str(tmp_path / "s")) as server:
        ws = dial(server.url)
        assert ws.connected
        ws.shutdown()
