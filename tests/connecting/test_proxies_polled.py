"""Promise: a program that polls `ws.sock` and looks at `pending()` misses no message behind a
proxy, TLS inside TLS included, also where two inner records arrive in one outer record.

This is how kubernetes' client reads: poll the descriptor, then take exactly one message.
"""

from __future__ import annotations

import select
import ssl
from collections.abc import Callable

import pytest
from papers import Papers

import websocket
from websocket.testing import Conversation, Server, accept, frame, script

TEXT = 0x1
PATIENCE = 10_000  # milliseconds; a message that is missed costs all of it, and the test


def polled(ws: websocket.WebSocket, count: int) -> list[str]:
    """So many messages, each read only after the socket has shown that there is one."""
    messages: list[str] = []
    while len(messages) < count:
        sock = ws.sock
        if not (isinstance(sock, ssl.SSLSocket) and sock.pending()):
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            assert poll.poll(PATIENCE), f"left waiting after {messages}"
        opcode, received = ws.recv_data_frame(True)
        assert opcode == TEXT
        messages.append(received.data.decode())
    return messages


def two_layers(
    papers: Papers, inner: Callable[[bytes], list[bytes]]
) -> Callable[[Conversation], None]:
    """An https proxy and the server behind it in one: `inner` makes of the client's request the
    texts to send; all of their inner records leave in one outer record."""

    def step(peer: Conversation) -> None:
        assert peer.read_request().method == "CONNECT"
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        engine = papers.context.wrap_bio(incoming, outgoing, server_side=True)

        def pump(act: Callable[[], object]) -> object:
            while True:
                try:
                    return act()
                except ssl.SSLWantReadError:
                    if outgoing.pending:
                        peer.send(outgoing.read())
                    incoming.write(peer.expect(bool))

        pump(engine.do_handshake)
        if outgoing.pending:
            peer.send(outgoing.read())
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            part = pump(engine.read)
            assert isinstance(part, bytes)
            request += part
        for data in inner(request):
            engine.write(data)  # a record each
        peer.send(outgoing.read())
        peer.hang()

    return step


def answer(request: bytes) -> bytes:
    from websocket._wire.http1 import HeadReader

    reader = HeadReader("request")
    reader.feed(request)
    return accept()(reader.head())


@pytest.mark.parametrize("glued", [False, True])
def test_two_inner_records_in_one_outer_record(papers: Papers, glued: bool) -> None:
    """Also in the outer record that brings the 101, and in the inner one, too."""
    texts = [frame(TEXT, text) for text in ("one", "two", "three")]

    def inner(request: bytes) -> list[bytes]:
        return (
            [answer(request) + texts[0], texts[1] + texts[2]]
            if glued
            else [answer(request), *texts]
        )

    with script(two_layers(papers, inner), ssl=papers.context) as proxy:
        ws = websocket.create_connection(
            "wss://localhost/",
            proxy=f"https://localhost:{proxy.port}",
            sslopt=papers.sslopt,
            timeout=20,
        )
        assert polled(ws, 3) == ["one", "two", "three"]
        ws.shutdown()


def test_ws_through_an_https_proxy(papers: Papers) -> None:
    """One layer of TLS, the proxy's: `ws.sock` is an SSLSocket here, too."""

    def step(peer: Conversation) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.request = None
        data = accept()(peer.read_request())
        peer.send(data + frame(TEXT, "one") + frame(TEXT, "two"))
        peer.send(frame(TEXT, "three"))

    with script(step, ssl=papers.context) as proxy:
        ws = websocket.create_connection(
            "ws://server.test/",
            proxy=f"https://localhost:{proxy.port}",
            sslopt=papers.sslopt,
            timeout=20,
        )
        assert isinstance(ws.sock, ssl.SSLSocket)
        assert polled(ws, 3) == ["one", "two", "three"]
        ws.shutdown()


def test_in_clear(papers: Papers) -> None:
    def step(peer: Conversation) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.request = None
        peer.send(accept()(peer.read_request()) + frame(TEXT, "one") + frame(TEXT, "two"))

    with script(step) as proxy:
        ws = websocket.create_connection(
            "ws://server.test/", proxy=f"http://127.0.0.1:{proxy.port}", timeout=20
        )
        assert polled(ws, 2) == ["one", "two"]
        ws.shutdown()


@pytest.mark.parametrize("kind", ["http", "https", "socks5h"])
def test_real_proxies(
    kind: str, server: Server, squid: tuple[int, int], dante: int, papers: Papers
) -> None:
    port = {"http": squid[0], "https": squid[1], "socks5h": dante}[kind]
    ws = websocket.create_connection(
        server.url, proxy=f"{kind}://localhost:{port}", sslopt=papers.sslopt, timeout=20
    )
    texts = [f"message {number}" for number in range(50)]
    for text in texts:
        ws.send(text)
    assert polled(ws, 50) == texts
    ws.close()


def test_a_message_taken_before_the_descriptor_was(papers: Papers) -> None:
    """Read ahead first, poll later: what was read ahead is given back when `sock` is looked at."""

    def inner(request: bytes) -> list[bytes]:
        return [answer(request), *(frame(TEXT, text) for text in ("one", "two", "three"))]

    with script(two_layers(papers, inner), ssl=papers.context) as proxy:
        ws = websocket.create_connection(
            "wss://localhost/",
            proxy=f"https://localhost:{proxy.port}",
            sslopt=papers.sslopt,
            timeout=20,
        )
        assert ws.recv() == "one"
        assert polled(ws, 2) == ["two", "three"]
        ws.shutdown()
