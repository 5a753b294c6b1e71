"""Promise: whatever a proxy answers or a redirect names, in whatever cut, only our exceptions come
out, and the cut makes no difference."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from websocket import Response, WebSocketException, parse_uri
from websocket._transport.connecting import _redirected
from websocket._transport.deadline import Attempt, Deadline
from websocket._transport.options import TransportOptions
from websocket._transport.proxies import Proxy
from websocket._transport.proxy_tunnels import connect_by_http, connect_by_socks


class Fed:
    """As much of a stream as a conversation needs; what it gives is fixed beforehand."""

    def __init__(self, pieces: list[bytes]):
        self.pieces = [piece for piece in pieces if piece]

    def read(self, missing: int, ahead: bool, deadline: Deadline | None = None) -> bytes:
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if not ahead and len(piece) > missing:
            self.pieces.insert(0, piece[missing:])
            piece = piece[:missing]
        return piece

    def give_back(self, data: bytes) -> bytes:
        if data:
            self.pieces.insert(0, data)
        return b""

    def write(self, data: Any, deadline: Deadline | None = None) -> None:
        """Nobody reads it."""


def cut(data: bytes, places: list[int]) -> list[bytes]:
    borders = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(borders)]


Talk = Callable[[Any], object]


def by_http(stream: Any) -> None:
    proxy = Proxy("http", "proxy", 1, "me", "s3cret")
    options = TransportOptions(max_head=300, max_head_lines=5, max_interim=2, max_body=50)
    connect_by_http(stream, proxy, "host", 1, options, Attempt(Deadline(None)))


def by_socks(scheme: str) -> Talk:
    def talk(stream: Any) -> None:
        proxy = Proxy(scheme, "proxy", 1, "me", "s3cret")
        connect_by_socks(stream, proxy, "host", 1, Attempt(Deadline(None)))

    return talk


def outcome(talk: Talk, pieces: list[bytes]) -> tuple[str, bytes]:
    """What was raised, if anything, and the bytes that are left where it was a success."""
    stream = Fed(pieces)
    try:
        talk(stream)
    except WebSocketException as exc:
        assert "s3cret" not in str(exc)
        return type(exc).__name__, b""
    return "", b"".join(stream.pieces)


HEADS = st.lists(
    st.sampled_from(
        [
            b"HTTP/1.1 200 OK",
            b"HTTP/1.0 200",
            b"HTTP/1.1 407 Auth",
            b"HTTP/1.1 100 Go",
            b"Content-Length: 5",
            b"Transfer-Encoding: chunked",
            b"5\r\nabcde\r\n0",
            b"X: " + b"y" * 200,
            b"",
            b"\xff\x00",
            b"no colon",
        ]
    ),
    max_size=12,
).map(b"\r\n".join)
PLACES = st.lists(st.integers(0, 1000), max_size=30)


@settings(max_examples=300, deadline=None)
@given(st.one_of(HEADS, st.binary(max_size=60)), PLACES)
@example(b"HTTP/1.1 200 OK\r\n\r\nearly", [1, 2, 3, 19, 20])
def test_answers_to_connect(data: bytes, places: list[int]) -> None:
    assert outcome(by_http, cut(data, places)) == outcome(by_http, [data])


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["socks4a", "socks5h"]),
    st.one_of(
        st.binary(max_size=40),
        st.binary(max_size=30).map(lambda data: b"\x05\x00\x05\x00\x00" + data),
        st.binary(max_size=30).map(lambda data: b"\x05\x02\x01\x00\x05\x00\x00" + data),
        st.binary(max_size=20).map(lambda data: b"\x00\x5a" + data),
    ),
    PLACES,
)
@example("socks5h", b"\x05\x00\x05\x00\x00\x03\x02\xff\xff\x00\x50rest", [])
def test_answers_of_socks(scheme: str, data: bytes, places: list[int]) -> None:
    pytest.importorskip("python_socks")
    talk = by_socks(scheme)
    assert outcome(talk, cut(data, places)) == outcome(talk, [data])


SCHEMES = ["ws:", "wss:", "http:", "HTTPS:", "ftp:", "a"]
MARKS = ["//", "/", ":", "@", "?", "#", "..", ".", "[", "%", "\\", ";", " ", "\t", "%0d%0a"]
PARTS = st.sampled_from([*SCHEMES, *MARKS, "host", ":80", "[::1]", "é", "xn--", "０"])


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(["ws://u:p@first.test/a/b?c", "wss://first.test:8/", "wss+unix:/a:/b"]),
    st.one_of(st.lists(PARTS, max_size=8).map("".join), st.text(max_size=20)),
)
def test_redirect_targets(base: str, location: str) -> None:
    """A target is a WebSocket's, keeps secrets at home, and never leads out of TLS."""
    uri = parse_uri(base)
    try:
        target = _redirected(uri, Response(302, [("Location", location)]))
    except WebSocketException:
        return
    assert target.secure or not uri.secure
    assert (target.host, target.port) == (uri.host, uri.port) or target.user_info is None
    assert target.unix_path == uri.unix_path or target.unix_path is None
    assert not set(target.resource_name + target.host) & set("\r\n\0 ")
