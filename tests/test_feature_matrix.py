"""Promise: each cell about this library in the matrix of docs/features.md is true.

A test proves a row: `@row` says which, and what the cell has to say; those about the way to the
server are in test_feature_matrix_connecting.py. tests/test_documentation.py compares them with the
page, so no row can be added, or changed, without its proof. How the cells about others can be
checked is said there.
"""

from __future__ import annotations

import importlib.metadata
import os
import select
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import papers
import pytest
from documents import row

import websocket
from websocket import create_connection
from websocket.testing import (
    Connection,
    Server,
    accept,
    expect_frame,
    frame,
    hang,
    script,
    send,
    serve,
)

TIMEOUT = 20.0  # seconds; what nothing here should take


@pytest.fixture
def server() -> Iterator[Server]:
    """Says "news" to each client, then echoes."""

    def converse(connection: Connection) -> None:
        connection.send("news")
        for message in connection:
            connection.send(message)

    with serve(converse, compression="deflate") as running:
        yield running


# --- how you use it -------------------------------------------------------------------------------


@row("blocking code", "yes")
@row("`with` closes", "yes")
def test_blocking_code(server: Server) -> None:
    with create_connection(server.url, timeout=TIMEOUT) as ws:
        ws.send("x")
        assert [ws.recv(), ws.recv()] == ["news", "x"]
    assert ws.closed and ws.close_code == 1000


@row("the API of websocket-client", "yes")
def test_the_names_of_websocket_client() -> None:
    classes = ("WebSocket", "WebSocketApp", "ABNF", "frame_buffer", "continuous_frame")
    functions = ("create_connection", "enableTrace", "setdefaulttimeout", "set_reconnect")
    assert all(callable(getattr(websocket, name)) for name in classes + functions)


@row("callbacks", "`WebSocketApp`")
@row("many connections in one thread", "`Loop`")
def test_callbacks_of_two_apps_in_one_thread(server: Server) -> None:
    loop, came = websocket.Loop(), []

    def on_message(app: Any, message: Any) -> None:
        came.append((message, threading.get_ident()))
        app.close()

    for _ in range(2):
        app = websocket.WebSocketApp(server.url, on_message=on_message)
        app.run_forever(dispatcher=loop, timeout=TIMEOUT)
    loop.run()
    assert came == [("news", threading.get_ident())] * 2


@row("reconnecting", "`reconnecting`, and apps")
def test_reconnecting() -> None:
    connections: list[Connection] = []

    def drop_the_first(connection: Connection) -> None:
        connections.append(connection)
        if len(connections) % 2:
            connection.drop()
        else:
            connection.send("second")
            list(connection)

    with serve(drop_the_first) as server:
        backoff = websocket.Backoff(first=0.01, jitter=0)
        for ws in websocket.reconnecting(server.url, backoff=backoff, timeout=TIMEOUT):
            try:
                assert ws.recv() == "second"
                break
            except websocket.WebSocketConnectionClosedException:
                continue
        ws.close()
        app = websocket.WebSocketApp(server.url, on_message=lambda app, _: app.close())
        app.run_forever(reconnect=backoff, timeout=TIMEOUT)
    assert len(connections) == 4


@row("the protocol without I/O", "`ClientProtocol`")
def test_the_protocol_without_io() -> None:
    protocol = websocket.ClientProtocol("ws://nowhere.invalid/path")
    protocol.send_request(protocol.connect())
    assert protocol.data_to_send()[0].startswith(b"GET /path HTTP/1.1\r\n")


@row("a server", "for tests")
@row("help for your tests", "servers, scripts")
def test_servers_for_tests() -> None:
    with script(accept(), send(frame(0x1, "hello"))) as scripted, serve() as server:
        for url in (scripted.url, server.url):
            with create_connection(url, timeout=TIMEOUT) as ws:
                ws.send("hello")
                assert ws.recv() == "hello"


@row("iteration ends at a normal close", "yes")
def test_iteration_ends() -> None:
    say = serve(lambda connection: connection.send("x"))
    with say as server, create_connection(server.url, timeout=TIMEOUT) as ws:
        assert list(ws) == ["x"]


@row("newest messages only", "`latest(n)`")
def test_latest(server: Server) -> None:
    with create_connection(server.url, timeout=TIMEOUT) as ws:
        newest: Any = ws.latest(1)
        assert next(newest) == "news"
        newest.close()


@row("a command line", "`wsdump`")
def test_the_command() -> None:
    commands = importlib.metadata.entry_points(group="console_scripts", name="wsdump")
    assert {command.value for command in commands} == {"websocket._wsdump:main"}


# --- on the wire ----------------------------------------------------------------------------------


@row("compression (RFC 7692)", "on request")
def test_compression(server: Server) -> None:
    for asked, agreed in ((None, False), ("deflate", True)):
        with create_connection(server.url, timeout=TIMEOUT, compression=asked) as ws:
            assert ("permessage-deflate" in str(ws.response.headers)) is agreed


@row("limit on the size of a message", "on request")
@row("the server is told its errors (1002, 1007, 1009)", "yes")
@pytest.mark.parametrize(
    ("sent", "code"),
    [(frame(0x3, b""), 1002), (frame(0x1, b"\xff"), 1007), (frame(0x1, b"x" * 11), 1009)],
)
def test_errors_are_told(sent: bytes, code: int) -> None:
    steps = (
        accept(),
        send(sent),
        expect_frame(0x8, lambda body: body[:2] == code.to_bytes(2, "big")),
    )
    with (
        script(*steps) as server,
        create_connection(server.url, max_size=10) as ws,
        pytest.raises(websocket.WebSocketException),
    ):
        ws.recv(timeout=TIMEOUT)


def test_without_max_size_there_is_no_limit(server: Server) -> None:
    with create_connection(server.url, timeout=TIMEOUT) as ws:
        ws.send(bytes(3_000_000))
        assert (ws.recv(), len(ws.recv())) == ("news", 3_000_000)


@row("a message received in pieces", "`recv_streaming`")
def test_received_in_pieces() -> None:
    half = threading.Event()

    def send_halves(peer: Any) -> None:
        peer.send(frame(0x1, "one", fin=False))
        assert half.wait(TIMEOUT)
        peer.send(frame(0x0, "two"))

    with script(accept(), send_halves) as server, create_connection(server.url) as ws:
        pieces = iter(ws.recv_streaming())
        assert next(pieces) == "one"
        half.set()
        assert list(pieces) == ["two"]


@row("a message sent in pieces", "an iterable")
def test_sent_in_pieces() -> None:
    came: list[tuple[bytes, bool]] = []

    def take(connection: Connection) -> None:
        while not came or not came[-1][1]:
            part = connection.recv_frame(timeout=TIMEOUT)
            came.append((bytes(part.data), bool(part.fin)))

    with serve(take) as server, create_connection(server.url, timeout=TIMEOUT) as ws:
        ws.send(iter(("one", "two")))
        assert list(ws) == []
    assert came[0] == (b"one", False) and came[-1][1]


@row("pings are answered while nobody receives", "no")
def test_pings_wait_for_a_receive() -> None:
    """What is sent goes first; the pong follows when somebody receives."""
    expected = (expect_frame(0x1, b"first"), send(frame(0x1, "x")), expect_frame(0xA, b"ping"))
    pinging = script(accept(), send(frame(0x9, b"ping")), *expected)
    with pinging as server, create_connection(server.url, timeout=TIMEOUT) as ws:
        assert select.select([ws], [], [], TIMEOUT)[0]
        ws.send("first")
        assert ws.recv() == "x"


@row("keepalive, and noticing a dead server", "on request")
def test_keepalive() -> None:
    with (
        script(accept(), hang()) as server,
        create_connection(server.url, ping_interval=0.05, ping_timeout=0.05) as ws,
        pytest.raises(websocket.WebSocketTimeoutException, match="ping/pong"),
    ):
        ws.recv(timeout=TIMEOUT)


@row("round trips measured", "`ping().wait()`, `latency`")
def test_round_trips(server: Server) -> None:
    with create_connection(server.url, timeout=TIMEOUT) as ws:
        waiter = ws.ping()
        ws.send("x")
        assert [ws.recv(), ws.recv()] == ["news", "x"]
        assert waiter.wait(TIMEOUT) > 0 and ws.latency > 0


# --- waiting, and threads -------------------------------------------------------------------------


@row("a limit for one receive", "`recv(timeout=)`")
def test_a_limit_for_one_receive(server: Server) -> None:
    with create_connection(server.url, timeout=TIMEOUT) as ws:
        assert ws.recv() == "news"
        with pytest.raises(websocket.WebSocketTimeoutException):
            ws.recv(timeout=0.01)
        ws.send("still there")
        assert ws.recv() == "still there"


@row("one thread reads, another writes, over TLS", "yes")
def test_two_threads_over_tls(tmp_path: Any) -> None:
    issued = papers.issue(tmp_path)
    numbers = [str(number) for number in range(500)]
    with (
        serve(ssl=issued.context) as server,
        create_connection(server.url, timeout=TIMEOUT, sslopt=issued.sslopt) as ws,
    ):
        assert isinstance(ws.sock, ssl.SSLSocket)
        writer = threading.Thread(target=lambda: [ws.send(each) for each in numbers])
        writer.start()
        assert [ws.recv() for _ in numbers] == numbers
        writer.join(TIMEOUT)


@row("threads in the background", "none; one in all with keepalive")
def test_threads_in_the_background() -> None:
    def names() -> list[str]:
        there = set(threading.enumerate()) - before
        return [each.name for each in there if not each.name.startswith("websocket.testing")]

    with script(accept(), hang()) as server:
        before = {each for each in threading.enumerate() if each.name != "websocket keepalive"}
        with create_connection(server.url, timeout=TIMEOUT) as quiet:
            silent = {each for each in names() if each != "websocket keepalive"}
            pinging = [create_connection(server.url, ping_interval=60) for _ in range(2)]
            assert not silent and names() == ["websocket keepalive"]
            for ws in (quiet, *pinging):
                ws.shutdown()


@row("the descriptor can be polled", "yes")
def test_the_descriptor_can_be_polled() -> None:
    """Also for a message that came together with the answer to the handshake."""
    together = script(lambda peer: peer.send(accept()(peer.read_request()) + frame(0x1, "x")))
    with together as server, create_connection(server.url, timeout=TIMEOUT) as ws:
        assert select.select([ws], [], [], TIMEOUT)[0]
        assert ws.recv() == "x"
        ws.shutdown()


# --- the package ----------------------------------------------------------------------------------


@row("Python", "3.10 and later")
@row("required packages", "none")
@row("types are shipped", "yes")
def test_the_package() -> None:
    about = importlib.metadata.metadata("websocket-client")
    assert about["Requires-Python"] == ">=3.10"
    assert not [each for each in about.get_all("Requires-Dist") or [] if "extra ==" not in each]
    assert files(websocket).joinpath("py.typed").is_file()


@row("runs without its compiled part", "yes")
def test_without_the_compiled_part() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import websocket; print(websocket.backend())"],
        env={**os.environ, "WEBSOCKET_CLIENT_PURE_PYTHON": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=True,
    )
    assert done.stdout.split() == ["python"]
