"""`websocket.testing.serve`: handlers and the clients that they talk to."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from websockets.sync.client import connect, unix_connect

import websocket
from websocket.testing import Connection, echo, serve

TIMEOUT = 10.0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def dial(url: str, **options: Any) -> websocket.WebSocket:
    return websocket.create_connection(url, timeout=TIMEOUT, **options)


class Kept:
    """A handler that hands its connections to the test, and keeps them until they end."""

    def __init__(self) -> None:
        self.queue: queue.Queue[Connection] = queue.Queue()

    def __call__(self, connection: Connection) -> None:
        self.queue.put(connection)
        for _ in connection:
            pass

    def get(self) -> Connection:
        return self.queue.get(timeout=TIMEOUT)


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.mark.parametrize("message", ["", "hé 👋", b"", b"\x00\xff", "x" * 70000, b"y" * 3_000_000])
def test_echo_with_our_client(message: str | bytes) -> None:
    """The default handler sends back text as text and bytes as bytes, at any length."""
    with serve() as server, dial(server.url) as ws:
        if isinstance(message, str):
            ws.send(message)
        else:
            ws.send_binary(message)
        assert ws.recv() == message
        ws.close()
        assert ws.close_code == 1000


def test_echo_with_a_foreign_client() -> None:
    """Somebody else's client understands us, pings and the closing handshake included."""
    with serve() as server, connect(server.url, compression=None) as peer:
        peer.send("text")
        assert peer.recv(TIMEOUT) == "text"
        peer.send([b"frag", b"ments"])
        assert peer.recv(TIMEOUT) == b"fragments"
        assert peer.ping(b"?").wait(TIMEOUT)
        peer.close(3000, "enough")
        assert (peer.close_code, peer.close_reason) == (3000, "")


def test_the_url_takes_a_path_and_a_query(kept: Kept) -> None:
    with serve(kept) as server, dial(server.url + "/chat?room=1") as ws:
        assert kept.get().request.path == "/chat?room=1"
        assert ws.connected
    assert server.url == f"ws://127.0.0.1:{server.port}"


def test_tls_echo_both_ways_at_once(
    server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    """A thread that sends and one that receives share a TLS connection without a fault."""

    def flood(connection: Connection) -> None:
        sender = threading.Thread(target=lambda: [connection.send(b"s" * 500) for _ in range(2000)])
        sender.start()
        got = sum(len(connection.recv()) for _ in range(2000))
        sender.join()
        connection.send(str(got))

    with (
        serve(flood, ssl=server_context) as server,
        connect(server.url, ssl=client_context, compression=None) as peer,
    ):
        assert server.url.startswith("wss://")
        sender = threading.Thread(target=lambda: [peer.send(b"c" * 700) for _ in range(2000)])
        sender.start()
        received = [peer.recv(TIMEOUT) for _ in range(2001)]
        sender.join()
    assert sum(map(len, received[:-1])) == 2000 * 500
    assert received[-1] == str(2000 * 700)
    assert server.errors == []


def test_tls_with_our_client(
    server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    with (
        serve(ssl=server_context) as server,
        dial(server.url, sslopt={"context": client_context}) as ws,
    ):
        ws.send_binary(b"z" * 1_000_000)
        assert ws.recv() == b"z" * 1_000_000


def test_a_client_that_distrusts_us_harms_nobody(
    server_context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    """A failed TLS handshake, or plain text on a TLS port, ends that connection only."""
    with serve(ssl=server_context) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(server.url, ssl=ssl.create_default_context())
        with socket.create_connection(("127.0.0.1", server.port), TIMEOUT) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while plain.recv(100):
                pass
        with connect(server.url, ssl=client_context) as peer:
            peer.send("still here")
            assert peer.recv(TIMEOUT) == "still here"


def test_unix_socket(tmp_path: Path) -> None:
    """ws+unix URLs, with a path that needs escaping; the socket is gone afterwards."""
    path = tmp_path / "a b:c.sock"
    with serve(unix_socket=str(path)) as server:
        assert server.url.startswith("ws+unix:/")
        assert server.port == 0
        with unix_connect(str(path)) as peer:
            peer.send("foreign")
            assert peer.recv(TIMEOUT) == "foreign"
        with dial(server.url + "/chat") as ws:
            ws.send("ours")
            assert ws.recv() == "ours"
    assert not path.exists()


def test_ipv6_loopback() -> None:
    try:
        server = serve(host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    with server, dial(server.url) as ws:
        assert "[::1]" in server.url
        ws.send("six")
        assert ws.recv() == "six"


def test_recv_times_out_and_loses_nothing(kept: Kept) -> None:
    """A message that arrives in two parts, with a timeout between them, is received."""
    timed_out = threading.Event()
    got: queue.Queue[str | bytes] = queue.Queue()

    def handler(connection: Connection) -> None:
        with pytest.raises(websocket.WebSocketTimeoutException):
            connection.recv(timeout=0.05)
        timed_out.set()
        got.put(connection.recv(timeout=TIMEOUT))

    with serve(handler) as server, dial(server.url, get_mask_key=lambda _: b"\0\0\0\0") as ws:
        ws.sock.send(b"\x81\x85\0\0\0\0he")
        assert timed_out.wait(TIMEOUT)
        ws.sock.send(b"llo")
        assert got.get(timeout=TIMEOUT) == "hello"
        assert ws.recv() == ""
    assert server.errors == []


def test_a_handler_that_returns_closes_with_1000_and_one_that_raises_with_1011(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And the exception is logged, and kept for the test to see."""

    def handler(connection: Connection) -> None:
        if connection.recv() == "fail":
            raise LookupError("as told")

    with serve(handler) as server:
        for message, code in (("return", 1000), ("fail", 1011)):
            with connect(server.url) as peer:
                peer.send(message)
                with pytest.raises(Exception, match=str(code)):
                    peer.recv(TIMEOUT)
                assert peer.close_code == code
    assert [str(error) for error in server.errors] == ["as told"]
    assert "LookupError" in caplog.text


def test_the_handler_closes_with_its_own_code_and_the_client_with_its_own() -> None:
    ends: queue.Queue[tuple[int | None, str | None]] = queue.Queue()

    def handler(connection: Connection) -> None:
        if connection.request.path == "/server":
            connection.close(3001, "mine")
        for _ in connection:
            pass
        ends.put((connection.close_code, connection.close_reason))

    with serve(handler) as server:
        with connect(server.url + "/server") as peer:
            with pytest.raises(Exception, match="mine"):
                peer.recv(TIMEOUT)
            assert (peer.close_code, peer.close_reason) == (3001, "mine")
        assert ends.get(timeout=TIMEOUT) == (3001, "mine")  # echoed by the client
        with connect(server.url) as peer:
            peer.close(3002, "yours")
        assert ends.get(timeout=TIMEOUT) == (3002, "yours")
        ws = dial(server.url)
        ws.shutdown()
        assert ends.get(timeout=TIMEOUT) == (1006, None)
    assert server.errors == []


def test_recv_behind_the_end_says_what_the_client_said() -> None:
    ends: queue.Queue[websocket.WebSocketConnectionClosedException] = queue.Queue()

    def handler(connection: Connection) -> None:
        for _ in range(2):
            with pytest.raises(websocket.WebSocketConnectionClosedException) as caught:
                connection.recv()
            ends.put(caught.value)
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            connection.send("too late")

    with serve(handler) as server:
        dial(server.url).close(3003, b"because")
        for _ in range(2):
            error = ends.get(timeout=TIMEOUT)
            assert (error.status_code, error.reason) == (3003, "because")
    assert server.errors == []


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x81\x02hi", 1002),  # not masked
        (b"\xc1\x80\0\0\0\0", 1002),  # a reserved bit
        (b"\x80\x80\0\0\0\0", 1002),  # a continuation of nothing
        (b"\x81\x81\0\0\0\0\xff", 1007),
    ],
)
def test_a_client_that_breaks_the_rules_is_told(sent: bytes, code: int) -> None:
    """The server is no lenient peer: it sees what a client does wrong."""
    with serve() as server, dial(server.url) as ws:
        ws.sock.send(sent)
        frame = ws.recv_frame()
        assert (frame.opcode, int.from_bytes(frame.data[:2], "big")) == (8, code)
    assert len(server.errors) == 1


def test_ping_and_frames_as_they_come() -> None:
    """recv_frame shows pongs and fragments, and answers nothing by itself."""
    frames: queue.Queue[tuple[int, bytes, bool]] = queue.Queue()

    def handler(connection: Connection) -> None:
        connection.ping("beat")
        for _ in range(4):
            frame = connection.recv_frame(TIMEOUT)
            frames.put((frame.opcode, frame.data, frame.fin))

    with serve(handler) as server, dial(server.url) as ws:
        ws.ping("mine")
        ws.send_frame(websocket.ABNF.create_frame("a", websocket.ABNF.OPCODE_TEXT, 0))
        ws.send_frame(websocket.ABNF.create_frame("b", websocket.ABNF.OPCODE_CONT, 1))
        assert ws.recv() == ""  # answers the ping on the way; our own one has no answer
        got = {frames.get(timeout=TIMEOUT) for _ in range(4)}
    assert got == {(9, b"mine", True), (1, b"a", False), (0, b"b", True), (10, b"beat", True)}


def test_low_level_sends() -> None:
    """Frames and bytes that no decent server sends arrive as they are."""

    def handler(connection: Connection) -> None:
        connection.send_frame(1, "one", fin=False)
        connection.send_frame(0, b"two", rsv=0)
        connection.send_frame(2, b"masked", masked=True)
        connection.send_raw(b"\x82\x01!")
        connection.send_frame(8, b"\x03\xe9")
        connection.send_frame(1, "behind the close")

    with serve(handler) as server, socket.create_connection(("127.0.0.1", server.port)) as peer:
        peer.settimeout(TIMEOUT)
        peer.sendall(REQUEST)
        stream = b""
        while not stream.endswith(b"behind the close"):
            stream += peer.recv(65536)
        peer.sendall(b"\x88\x80\0\0\0\0")
        while data := peer.recv(65536):
            stream += data
    _, _, frames = stream.partition(b"\r\n\r\n")
    assert frames.startswith(b"\x01\x03one\x80\x03two\x82\x86")
    assert frames.endswith(b"\x82\x01!\x88\x02\x03\xe9\x81\x10behind the close")


REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def test_bytes_behind_the_request_are_the_first_message() -> None:
    with serve() as server, socket.create_connection(("127.0.0.1", server.port)) as peer:
        peer.settimeout(TIMEOUT)
        peer.sendall(REQUEST + b"\x81\x85\0\0\0\0early")
        stream = b""
        while not stream.endswith(b"\x81\x05early"):
            stream += peer.recv(65536)


@pytest.mark.parametrize("end", [Connection.drop, Connection.reset])
def test_a_handler_may_drop_the_client(end: Callable[[Connection], None]) -> None:
    def handler(connection: Connection) -> None:
        end(connection)
        assert connection.close_code == 1006

    with serve(handler) as server:
        ws = dial(server.url)
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            ws.recv()
        assert ws.close_code == 1006
    assert server.errors == []


def test_sends_of_many_threads_do_not_mix(kept: Kept) -> None:
    with serve(kept) as server, dial(server.url) as ws:
        connection = kept.get()

        def work(letter: str) -> None:
            for size in range(300):
                connection.send(letter * size * 20)

        threads = [threading.Thread(target=work, args=(letter,)) for letter in "abcd"]
        for thread in threads:
            thread.start()
        for _ in range(1200):
            assert len(set(ws.recv())) <= 1
        for thread in threads:
            thread.join()


def test_close_from_another_thread_wakes_the_handler(kept: Kept) -> None:
    with serve(kept) as server, connect(server.url) as peer:
        connection = kept.get()
        connection.close(3004)
        assert not connection.open
        with pytest.raises(Exception, match="3004"):
            peer.recv(TIMEOUT)


def test_transport_is_the_socket(kept: Kept) -> None:
    with serve(kept) as server, dial(server.url) as ws:
        assert kept.get().transport.getpeername() == ws.sock.getsockname()


def test_send_refuses_what_is_no_message(kept: Kept) -> None:
    with serve(kept) as server, dial(server.url), pytest.raises(TypeError):
        kept.get().send(5)  # type: ignore[arg-type]


def test_a_compression_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="expected None, 'deflate' or a Deflate"):
        serve(compression="gzip")  # type: ignore[arg-type]


def test_a_port_in_use_is_an_error() -> None:
    with serve() as server, pytest.raises(OSError, match=r"in use"):
        serve(port=server.port)


def test_echo_is_a_handler_like_any_other() -> None:
    with serve(echo) as server, dial(server.url) as ws:
        ws.send("x")
        assert ws.recv() == "x"
