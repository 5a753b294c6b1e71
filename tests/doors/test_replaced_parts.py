"""Promise: parts that a subclass overrides or a program replaces are what the connection uses."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
import trustme
from doors_peer import Peer, accepting, read_frame, read_head, server_context

import websocket
from websocket import ABNF, WebSocket, _core
from websocket._abnf import continuous_frame, frame_buffer
from websocket._exceptions import (
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketPayloadException,
    WebSocketProtocolException,
    WebSocketTimeoutException,
)
from websocket._handshake import handshake_response

Listen = Callable[[Callable[[socket.socket], None]], Peer]
HELLO = b"\x81\x05hello"


class FakeSocket:
    """A socket with the seven verbs that programs' own doubles have."""

    def __init__(self, *pieces: bytes | Exception):
        self.pieces = list(pieces)
        self.sent: list[bytes] = []
        self.closed = False
        self._timeout: float | None = None

    def recv(self, count: int) -> bytes:
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        if len(piece) > count:
            self.pieces.insert(0, piece[count:])
        return piece[:count]

    def send(self, data: bytes) -> int:
        self.sent.append(bytes(data))
        return len(data)

    def gettimeout(self) -> float | None:
        return self._timeout

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def close(self) -> None:
        self.closed = True

    def shutdown(self, how: int) -> None:
        pass

    def fileno(self) -> int:
        return 99


def serving(*frames: bytes, sink: list[tuple[int, bytes]] | None = None) -> Any:
    """A server that shakes hands, sends these frames, and collects what comes."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(accepting(read_head(connection)) + b"".join(frames))
        while True:
            frame = read_frame(connection)
            if sink is not None:
                sink.append(frame)
            if frame[0] == ABNF.OPCODE_CLOSE:
                connection.sendall(b"\x88" + bytes([len(frame[1])]) + frame[1])
                return

    return serve


def url(server: Peer) -> str:
    return f"ws://127.0.0.1:{server.port}/"


# --- a socket of the program's own ----------------------------------------------------------------


def test_a_socket_double_with_seven_verbs() -> None:
    """Assigned by hand: read, written (one whole frame a `send`), polled and closed."""
    ws = WebSocket()
    ws.sock = fake = FakeSocket(HELLO, TimeoutError(), b"\x81\x03", TimeoutError(), b"you")
    ws.connected = True
    assert ws.recv() == "hello"
    for _ in range(2):
        with pytest.raises(WebSocketTimeoutException):
            ws.recv()
    assert ws.recv() == "you"
    assert ws.fileno() == 99
    ws.settimeout(3)
    assert fake.gettimeout() == 3
    ws.set_mask_key(lambda count: "abcd")
    assert ws.send("Hello") == 11
    ws.send_binary(bytes(70000))
    assert fake.sent[0] == b"\x81\x85abcd)\x07\x0f\x08\x0e"
    assert [len(each) for each in fake.sent[1:]] == [70014]
    fake.pieces.append(b"\x88\x02\x03\xe8")
    ws.close()
    assert (ws.connected, ws.sock, fake.closed) == (False, None, True)
    assert fake.sent[-1][:2] == b"\x88\x82"


def test_masked_frames_are_tolerated_there() -> None:
    ws = WebSocket()
    ws.sock = FakeSocket(b"\x81\x85abcd)\x07\x0f\x08\x0e")
    assert ws.recv() == "Hello"


def test_a_close_that_comes_ends_an_assigned_connected() -> None:
    ws = WebSocket()
    ws.sock = FakeSocket(b"\x88\x00")
    ws.connected = True
    assert ws.connected is True
    assert ws.recv() == ""
    assert ws.connected is False
    with pytest.raises(WebSocketConnectionClosedException):
        ws.recv()


def test_replacing_the_socket_of_a_connection_leaves_it_connected(peer: Listen) -> None:
    """Programs wrap `ws.sock`, to count bytes for example."""
    taken: list[int] = []

    class Counting:
        def __init__(self, sock: Any):
            self._sock = sock

        def recv(self, count: int) -> bytes:
            data: bytes = self._sock.recv(count)
            taken.append(len(data))
            return data

        def __getattr__(self, name: str) -> Any:
            return getattr(self._sock, name)

    ws = websocket.create_connection(url(peer(serving(HELLO))), timeout=10)
    ws.sock = Counting(ws.sock)
    assert ws.connected is True
    assert ws.recv() == "hello"
    assert sum(taken) == len(HELLO)
    ws.close()
    assert ws.close_code == 1000


# --- the frame buffer -----------------------------------------------------------------------------


class Noting(frame_buffer):
    """Notes each length that is read strictly."""

    def __init__(self, recv: Callable[[int], bytes], skip_utf8_validation: bool = False):
        super().__init__(recv, skip_utf8_validation)
        self.strict: list[int] = []
        self.lengths: list[int | None] = []

    def recv_strict(self, bufsize: int) -> bytes:
        self.strict.append(bufsize)
        return super().recv_strict(bufsize)

    def recv_length(self) -> None:
        super().recv_length()
        self.lengths.append(self.length)


def test_a_frame_buffer_of_ones_own_reads_the_frames(peer: Listen) -> None:
    long = b"\x82\x7e\x01\x00" + bytes(256)
    ws = websocket.create_connection(url(peer(serving(HELLO, long))), timeout=10)
    ws.frame_buffer = mine = Noting(ws._recv)
    assert ws.recv() == "hello"
    assert ws.recv_data() == (2, bytes(256))
    assert mine.lengths == [5, 256]
    assert mine.strict == [2, 5, 2, 2, 256]
    ws.close()
    assert ws.close_code == 1000


def test_a_frame_buffer_given_before_connecting_stays(peer: Listen) -> None:
    """As a subclass does in its `__init__`; nothing of a former connection is left in it."""

    class Mine(WebSocket):
        def __init__(self, **options: Any):
            super().__init__(**options)
            self.frame_buffer = Noting(self._recv)

    server = peer(serving(HELLO))
    ws = Mine()
    for _ in range(2):
        ws.connect(url(server), timeout=10)
        assert ws.recv() == "hello"
        ws.frame_buffer.recv_buffer = [b"half a frame"]
        ws.shutdown()
    assert ws.frame_buffer.lengths == [5, 5]


def test_changing_in_the_middle_of_a_message_loses_nothing(peer: Listen) -> None:
    """What has been read of it is finished first."""
    gate = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.sendall(accepting(read_head(connection)) + b"\x01\x02he\x80\x03l")
        assert gate.wait(10)
        connection.sendall(b"lo" + HELLO)
        assert read_frame(connection)[0] == ABNF.OPCODE_CLOSE

    ws = websocket.create_connection(url(peer(serve)), timeout=10)
    with pytest.raises(WebSocketTimeoutException):
        ws.recv(timeout=0.05)
    ws.frame_buffer = Noting(ws._recv)
    gate.set()
    assert ws.recv() == "hello"
    assert ws.recv() == "hello"
    ws.close()


def test_the_frame_buffer_can_be_driven_by_hand() -> None:
    ws = WebSocket()
    ws.sock = FakeSocket(b"foo", TimeoutError(), b"bar", b"baz")
    with pytest.raises(WebSocketTimeoutException):
        ws.frame_buffer.recv_strict(9)
    assert ws.frame_buffer.recv_strict(9) == b"foobarbaz"
    with pytest.raises(WebSocketConnectionClosedException):
        ws.frame_buffer.recv_strict(1)


def test_a_cont_frame_of_ones_own_puts_fragments_together(peer: Listen) -> None:
    added: list[bytes] = []

    class Adding(continuous_frame):
        def add(self, frame: ABNF) -> None:
            added.append(frame.data)
            super().add(frame)

    ws = websocket.create_connection(url(peer(serving(b"\x01\x02he\x80\x03llo"))), timeout=10)
    assert isinstance(ws.cont_frame, continuous_frame)
    ws.cont_frame = Adding(False, False)
    assert ws.recv() == "hello"
    assert added == [b"he", b"llo"]
    ws.close()


# --- overridden verbs -----------------------------------------------------------------------------


class ByRecv(WebSocket):
    taken = 0

    def _recv(self, bufsize: int) -> bytes:
        data = super()._recv(bufsize)
        self.taken += len(data)
        return data


class ByFrame(WebSocket):
    def recv_frame(self) -> ABNF:
        frame = super().recv_frame()
        if frame.opcode == ABNF.OPCODE_TEXT:
            frame.data = frame.data.upper()
        return frame


def test_an_overridden_recv_sees_every_byte(peer: Listen) -> None:
    frames = HELLO, b"\x01\x01a\x89\x00\x80\x01b"
    sent: list[tuple[int, bytes]] = []
    server = peer(serving(*frames, sink=sent))
    ws = websocket.create_connection(url(server), timeout=10, class_=ByRecv)
    assert [ws.recv(), ws.recv()] == ["hello", "ab"]
    assert ws.taken == sum(map(len, frames))  # type: ignore[attr-defined]
    ws.close()
    assert sent[0] == (ABNF.OPCODE_PONG, b"")


def test_parts_over_tls(peer: Listen) -> None:
    """Several frames in one TLS record, and one in several."""
    authority = trustme.CA()
    context = server_context(authority)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.sendall(accepting(read_head(tls)) + HELLO + HELLO + b"\x82\x7e\x01")
            for piece in (b"\x00", bytes(100), bytes(156)):
                tls.sendall(piece)
            assert read_frame(tls)[0] == ABNF.OPCODE_CLOSE
            tls.sendall(b"\x88\x02\x03\xe8")

    server = peer(serve)
    with authority.cert_pem.tempfile() as trusted:
        ws = websocket.create_connection(
            f"wss://localhost:{server.port}",
            timeout=10,
            class_=ByRecv,
            sslopt={"ca_certs": trusted},
        )
    assert [ws.recv(), ws.recv(), ws.recv()] == ["hello", "hello", bytes(256)]
    ws.close()
    assert ws.close_code == 1000


def test_the_socket_of_a_connection_can_be_read_by_hand(peer: Listen) -> None:
    """Also what came glued to the response and behind a message that was received."""
    ws = websocket.create_connection(url(peer(serving(HELLO, HELLO, HELLO))), timeout=10)
    assert ws.recv() == "hello"
    assert websocket.recv(ws.sock, 7) == HELLO
    assert ws.recv() == "hello"
    frame = ABNF.create_frame("raw", ABNF.OPCODE_TEXT).format()
    assert websocket.send(ws.sock, frame) == len(frame)
    ws.close()
    assert ws.close_code == 1000


def test_an_overridden_recv_frame_is_what_messages_are_made_of(peer: Listen) -> None:
    ws = websocket.create_connection(url(peer(serving(HELLO))), timeout=10, class_=ByFrame)
    assert ws.recv() == "HELLO"
    ws.close()
    assert ws.close_code == 1000


def test_a_recv_of_ones_own_needs_no_socket() -> None:
    class FromMemory(WebSocket):
        rest = HELLO + b"\x8a\x00\x88\x02\x03\xe8"

        def _recv(self, bufsize: int) -> bytes:
            data, self.rest = self.rest[:bufsize], self.rest[bufsize:]
            return data

    ws = FromMemory()
    assert ws.recv() == "hello"
    assert ws.recv_data(True) == (ABNF.OPCODE_PONG, b"")
    assert ws.recv_data() == (ABNF.OPCODE_CLOSE, b"\x03\xe8")
    assert ws.connected is False


@pytest.mark.parametrize("kind", [ByRecv, ByFrame])
def test_the_peers_close_by_parts(peer: Listen, kind: type[WebSocket]) -> None:
    """Echoed with its code; the next read raises; nothing is left open."""
    sent: list[tuple[int, bytes]] = []
    server = peer(serving(b"\x88\x05\x0f\xa0bye", sink=sent))
    ws = websocket.create_connection(url(server), timeout=10, class_=kind)
    assert ws.recv() == ""
    assert (ws.connected, ws.close_code, ws.close_reason) == (False, 4000, "bye")
    with pytest.raises(WebSocketConnectionClosedException, match="4000"):
        ws.recv()
    ws.close()
    server.wait()
    assert sent == [(ABNF.OPCODE_CLOSE, b"\x0f\xa0")]


@pytest.mark.parametrize(
    ("frame", "error", "code"),
    [
        (b"\x83\x00", WebSocketProtocolException, 1002),
        (b"\x80\x00", WebSocketProtocolException, 1002),
        (b"\x81\x01\xff", WebSocketPayloadException, 1007),
        (b"\x82\x7e\x02\x00" + bytes(512), WebSocketPayloadException, 1009),
        (b"\x88\x02\x03\xe7", WebSocketProtocolException, 1002),
    ],
)
def test_errors_by_parts_are_told_to_the_peer(
    peer: Listen, frame: bytes, error: type[Exception], code: int
) -> None:
    sent: list[tuple[int, bytes]] = []
    server = peer(serving(frame, sink=sent))
    ws = websocket.create_connection(url(server), timeout=10, class_=ByRecv, max_size=500)
    with pytest.raises(error):
        ws.recv()
    assert ws.connected is False
    with pytest.raises(WebSocketConnectionClosedException):
        ws.recv()
    server.wait()
    assert sent == [(ABNF.OPCODE_CLOSE, code.to_bytes(2, "big"))]


def test_a_timeout_by_parts_loses_nothing(peer: Listen) -> None:
    gate = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.sendall(accepting(read_head(connection)) + HELLO[:4])
        assert gate.wait(10)
        connection.sendall(HELLO[4:])
        assert read_frame(connection)[0] == ABNF.OPCODE_CLOSE

    ws = websocket.create_connection(url(peer(serve)), timeout=10, class_=ByRecv)
    with pytest.raises(WebSocketTimeoutException):
        ws.recv(timeout=0.05)
    gate.set()
    assert ws.recv() == "hello"
    ws.close()


def test_close_in_another_thread_ends_a_read_by_parts(peer: Listen) -> None:
    ws = websocket.create_connection(url(peer(serving(HELLO))), timeout=10, class_=ByRecv)
    assert ws.recv() == "hello"
    closer = threading.Timer(0.05, ws.close)
    closer.start()
    try:
        assert ws.recv() == ""
    except WebSocketConnectionClosedException:
        pass
    closer.join(10)
    assert not ws.connected


def test_an_overridden_send_sends_everything(peer: Listen) -> None:
    """Also the answers to pings and to the peer's close."""
    opcodes: list[int] = []

    class BySend(WebSocket):
        def send(self, payload: Any, opcode: int = ABNF.OPCODE_TEXT, compress: bool = True) -> int:
            opcodes.append(opcode)
            return super().send(payload, opcode, compress)

    sent: list[tuple[int, bytes]] = []
    server = peer(serving(b"\x89\x01p", HELLO, b"\x88\x02\x03\xe9", sink=sent))
    ws = websocket.create_connection(url(server), timeout=10, class_=BySend)
    ws.send_text("text")
    ws.send_bytes(b"bytes")
    ws.ping("ping")
    assert ws.recv() == "hello"
    assert ws.recv() == ""
    ws.close()
    server.wait()
    assert opcodes == [1, 2, 9, 10, 8]
    assert sent == [
        (1, b"text"),
        (2, b"bytes"),
        (9, b"ping"),
        (10, b"p"),
        (8, b"\x03\xe9"),
    ]


def test_an_overridden_send_sees_our_close(peer: Listen) -> None:
    ws = websocket.create_connection(url(peer(serving())), timeout=10)
    said: list[tuple[Any, int]] = []
    send = ws.send

    def noting(payload: Any, opcode: int = ABNF.OPCODE_TEXT) -> int:
        said.append((payload, opcode))
        return send(payload, opcode)

    ws.send = noting  # type: ignore[method-assign,assignment]
    ws.close(reason="done")
    assert said == [(b"\x03\xe8done", ABNF.OPCODE_CLOSE)]
    assert ws.close_code == 1000


def test_a_plain_connection_does_not_go_by_parts(
    peer: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The classic path is chosen once per connection, and only where it has to be."""
    ws = websocket.create_connection(url(peer(serving(HELLO))), timeout=10)
    monkeypatch.setattr(ws, "_receive_in_parts", None)
    assert ws.recv() == "hello"
    ws.close()


# --- locks and the handshake's result -------------------------------------------------------------


def test_the_locks_keep_others_out(peer: Listen) -> None:
    """`with ws.lock` keeps frames of other threads away, `with ws.readlock` their reads."""
    ws = websocket.create_connection(url(peer(serving(HELLO))), timeout=10)
    got: list[Any] = []
    reader = threading.Thread(target=lambda: got.append(ws.recv()))
    with ws.readlock, ws.lock:
        reader.start()
        reader.join(0.05)
        assert (reader.is_alive(), got) == (True, [])
    reader.join(10)
    assert got == ["hello"]
    ws.close()


def test_the_result_of_the_handshake_is_an_object_of_the_door(peer: Listen) -> None:
    ws = websocket.create_connection(url(peer(serving())), timeout=10)
    assert isinstance(ws.handshake_response, handshake_response)
    assert ws.handshake_response.status == 101
    assert ws.handshake_response.headers["upgrade"] == "websocket"  # type: ignore[index]
    ws.close()


# --- functions of _core that are replaced ---------------------------------------------------------


def test_a_replaced_connect_is_called_with_four_arguments(
    peer: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[Any, ...]] = []
    real = _core.connect

    def noting(*arguments: Any) -> Any:
        calls.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(_core, "connect", noting)
    server = peer(serving(HELLO))
    ws = WebSocket()
    ws.connect(url(server), timeout=7, http_proxy_host="p", http_proxy_port="1", http_no_proxy="*")
    (called_url, options, proxy, sock), *others = calls
    assert not others
    assert (called_url, sock) == (url(server), None)
    assert options is ws.sock_opt
    assert options.timeout == 7
    assert (proxy.proxy_host, proxy.proxy_port, proxy.no_proxy) == ("p", "1", "*")
    assert ws.recv() == "hello"
    assert (ws.connected, ws.status) == (True, 101)
    ws.close()
    assert ws.close_code == 1000


def test_a_replaced_connect_may_give_any_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)

    def serve() -> None:
        theirs.sendall(accepting(read_head(theirs)) + HELLO)

    server = threading.Thread(target=serve)
    server.start()
    monkeypatch.setattr(_core, "connect", lambda *_: (ours, ("example.com", 80, "/")))
    ws = WebSocket()
    with theirs:
        ws.connect("ws://example.com/")
        assert ws.sock is ours
        assert ws.recv() == "hello"
        server.join(10)
    ws.shutdown()


def test_replaced_parts_follow_redirects(monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = [FakeSocket(), FakeSocket()]
    dialled: list[str] = []

    def connect(to: str, *_: Any) -> Any:
        dialled.append(to)
        return sockets[len(dialled) - 1], ("h", 80, "/")

    answers = [
        handshake_response(302, {"location": "ws://second"}, None),
        handshake_response(101, {}, "chat"),
    ]
    monkeypatch.setattr(_core, "connect", connect)
    monkeypatch.setattr(_core, "handshake", lambda *_, **__: answers.pop(0))
    ws = WebSocket()
    ws.connect("ws://first", redirect_limit=1)
    assert dialled == ["ws://first", "ws://second"]
    assert (ws.connected, ws.sock, ws.subprotocol) == (True, sockets[1], "chat")
    assert [each.closed for each in sockets] == [True, False]


@pytest.mark.parametrize(
    ("headers", "limit", "message"),
    [
        ({"location": "ws://again"}, 0, "Redirect limit exhausted"),
        ({}, 3, "Location"),
        ({"location": "nonsense"}, 3, "Invalid redirect target 'nonsense'"),
    ],
)
def test_replaced_parts_that_lead_nowhere(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], limit: int, message: str
) -> None:
    made: list[FakeSocket] = []

    def connect(to: str, *_: Any) -> Any:
        websocket.parse_uri(to)
        made.append(FakeSocket())
        return made[-1], ("h", 80, "/")

    monkeypatch.setattr(_core, "connect", connect)
    monkeypatch.setattr(_core, "handshake", lambda *_, **__: handshake_response(302, headers, None))
    ws = WebSocket()
    with pytest.raises(WebSocketException, match=message):
        ws.connect("ws://first", redirect_limit=limit)
    assert (ws.connected, ws.sock) == (False, None)
    assert all(each.closed for each in made)


def test_replaced_trace_sees_frames_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(_core, "isEnabledForTrace", lambda: True)
    monkeypatch.setattr(_core, "trace", lines.append)
    ws = WebSocket()
    ws.sock = FakeSocket()
    ws.send_frame(ABNF.create_frame("hi", ABNF.OPCODE_TEXT))
    assert [line.partition(":")[0] for line in lines] == ["++Sent raw", "++Sent decoded"]
    assert "opcode=1" in lines[1]


def test_core_shows_the_ssl_module() -> None:
    import ssl

    assert _core.ssl is ssl
