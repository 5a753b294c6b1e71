"""`websocket.testing.serve`: broadcasts, and how the server ends."""

from __future__ import annotations

import os
import queue
import socket
import threading
import time
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

import websocket
from websocket.testing import Connection, Server, serve

TIMEOUT = 10.0

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def dial(url: str, **options: Any) -> websocket.WebSocket:
    return websocket.create_connection(url, timeout=TIMEOUT, **options)


def raw(server: Server) -> socket.socket:
    """A TCP connection to the server."""
    return socket.create_connection(("127.0.0.1", server.port), TIMEOUT)


def read_all(sock: socket.socket) -> bytes:
    stream = b""
    while data := sock.recv(65536):
        stream += data
    return stream


def keep(connection: Connection) -> None:
    """A handler that receives until the end."""
    for _ in connection:
        pass


class Kept(queue.Queue[Connection]):
    """Like `keep`, but the test gets the connection."""

    def __call__(self, connection: Connection) -> None:
        self.put(connection)
        keep(connection)


# --- broadcast ------------------------------------------------------------------------------------


def test_broadcast_reaches_every_open_connection() -> None:
    with serve(keep) as server:
        clients = [dial(server.url) for _ in range(5)]
        assert server.broadcast("news") == 5
        assert server.broadcast(b"data") == 5
        for ws in clients:
            assert (ws.recv(), ws.recv()) == ("news", b"data")
            ws.close()


def test_broadcast_skips_what_is_not_open() -> None:
    """A connection whose close frame is on its way, either way, is neither listed nor sent to."""
    kept = Kept()
    with serve(kept) as server:
        staying, leaving = dial(server.url), raw(server)
        with staying, leaving:
            first = kept.get(timeout=TIMEOUT)
            leaving.sendall(REQUEST)
            second = kept.get(timeout=TIMEOUT)
            assert set(server.connections) == {first, second}
            closing = threading.Thread(target=second.close, args=(3000,))
            closing.start()
            stream = b""
            while not stream.endswith(b"\x88\x02\x0b\xb8"):
                stream += leaving.recv(65536)
            assert server.connections == [first]
            assert server.broadcast("only for some") == 1
            leaving.sendall(b"\x88\x80\0\0\0\0")
            assert read_all(leaving) == b""
            closing.join()
            assert staying.recv() == "only for some"


def test_broadcast_never_waits_for_who_does_not_read() -> None:
    """A slow client is skipped once it has too much to catch up with; it loses no part of what it
    was sent, and the others get everything at once."""
    kept = Kept()
    size = 700_000
    with serve(kept) as server, raw(server) as slow, dial(server.url) as quick:
        slow.sendall(REQUEST)
        for _ in range(2):
            kept.get(timeout=TIMEOUT)
        counts: list[int] = []
        while not counts or counts[-1] == 2:
            counts.append(server.broadcast(bytes(size)))
            assert len(quick.recv()) == size
            assert len(counts) < 100, "no slow client was ever skipped"
        assert counts[-1] == 1
        for connection in server.connections:
            threading.Thread(target=connection.close, daemon=True).start()
        stream = b""
        while not stream.endswith(b"\x88\x02\x03\xe8"):
            data = slow.recv(1 << 20)
            assert data
            stream += data
        _, _, frames = stream.partition(b"\r\n\r\n")
        assert len(frames) == (len(counts) - 1) * (size + 10) + 4


# --- close ----------------------------------------------------------------------------------------


def test_close_says_1001_and_waits_for_handlers() -> None:
    """A handler that still has to do something after its client has gone is waited for."""
    done = threading.Event()
    inside = threading.Event()

    def handler(connection: Connection) -> None:
        inside.set()
        keep(connection)
        time.sleep(0.1)
        done.set()

    server = serve(handler)
    with connect(server.url) as peer:
        assert inside.wait(TIMEOUT)
        closer = threading.Thread(target=server.close)
        closer.start()
        with pytest.raises(Exception, match="1001"):
            peer.recv(TIMEOUT)
        closer.join(TIMEOUT)
        assert done.is_set()
        assert peer.close_code == 1001


def test_close_answers_503_to_handshakes_under_way_and_to_new_ones() -> None:
    """Half a request, no request at all, a slow on_request, and somebody who comes late."""
    asked, go_on = threading.Event(), threading.Event()

    def check(request: websocket.Request) -> None:
        if request.path == "/slow":
            asked.set()
            go_on.wait(TIMEOUT)

    server = serve(keep, on_request=check)
    with raw(server) as silent, raw(server) as half, raw(server) as slow:
        half.sendall(REQUEST[:50])
        slow.sendall(REQUEST.replace(b"GET /", b"GET /slow"))
        assert asked.wait(TIMEOUT)
        closer = threading.Thread(target=server.close)
        closer.start()
        for sock in (silent, half):
            assert read_all(sock).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            sock.close()
        with pytest.raises(InvalidStatus) as caught:
            connect(server.url)
        assert caught.value.response.status_code == 503
        go_on.set()
        assert read_all(slow).startswith(b"HTTP/1.1 503 ")
        slow.close()
        closer.join(TIMEOUT)
    with pytest.raises(ConnectionRefusedError):
        raw(server)


def test_close_is_bounded_by_a_client_that_does_not_answer() -> None:
    """It is cut off after a second, which wakes a handler that waits to send to it, too."""
    stuck = threading.Event()

    def flood(connection: Connection) -> None:
        stuck.set()
        while True:
            connection.send(bytes(100_000))

    server = serve(flood)
    with raw(server) as sleeper:
        sleeper.sendall(REQUEST)
        assert stuck.wait(TIMEOUT)
        start = time.monotonic()
        server.close()
        assert time.monotonic() - start < 4
    assert server.errors == []


def test_close_is_bounded_by_a_handler_that_does_not_end() -> None:
    inside, go_on = threading.Event(), threading.Event()

    def handler(connection: Connection) -> None:
        inside.set()
        go_on.wait(TIMEOUT)

    server = serve(handler)
    with dial(server.url):
        assert inside.wait(TIMEOUT)
        start = time.monotonic()
        server.close(timeout=0.2)
        assert time.monotonic() - start < 4
        go_on.set()


def test_close_may_be_called_often_and_from_anywhere() -> None:
    """By a handler, by several threads at once, and again afterwards."""

    def handler(connection: Connection) -> None:
        connection.recv()
        servers[0].close()

    servers = [serve(handler)]
    with servers[0] as server:
        ws = dial(server.url)
        ws.send("go")
        threads = [threading.Thread(target=server.close) for _ in range(3)]
        for thread in threads:
            thread.start()
        ws.recv()
        for thread in threads:
            thread.join(TIMEOUT)
    servers[0].close()


def test_an_idle_server_starts_and_ends_at_once() -> None:
    """No polling: a hundred of them are no matter of seconds."""
    start = time.monotonic()
    for _ in range(100):
        with serve():
            pass
    assert time.monotonic() - start < 5


def test_nothing_is_left_behind() -> None:
    """No thread and no descriptor, whatever state the connections were in."""
    threads = set(threading.enumerate())
    descriptors = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    server = serve(keep)
    with raw(server), raw(server) as half, dial(server.url), raw(server) as gone:
        half.sendall(REQUEST[:30])
        gone.sendall(REQUEST)
        gone.close()
        dial(server.url).close()
        server.close()
        assert set(threading.enumerate()) - threads == set()
    if descriptors is not None:
        assert len(os.listdir("/proc/self/fd")) == descriptors
