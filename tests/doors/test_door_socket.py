"""Promise: `websocket._socket` reads and writes any socket by hand, one call each."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import websocket
from websocket import _core, _socket
from websocket._exceptions import (
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    theirs.settimeout(10)
    with ours, theirs:
        yield ours, theirs


class Scripted:
    """A socket that answers calls from a list; exceptions are raised."""

    def __init__(self, *answers: Any, timeout: float | None = 5.0):
        self.answers = list(answers)
        self.timeout = timeout
        self.calls: list[tuple[str, Any]] = []
        self.alarm, self._silent = socket.socketpair()
        self._silent.send(b"x")  # readable and writable at once

    def fileno(self) -> int:
        return self.alarm.fileno()

    def gettimeout(self) -> float | None:
        return self.timeout

    def recv(self, count: int) -> Any:
        return self._answer("recv", count)

    def send(self, data: bytes) -> Any:
        return self._answer("send", data)

    def _answer(self, verb: str, argument: Any) -> Any:
        self.calls.append((verb, argument))
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close(self) -> None:
        self.alarm.close()
        self._silent.close()


@pytest.fixture
def scripted() -> Iterator[type[Scripted]]:
    made: list[Scripted] = []

    class Remembered(Scripted):
        def __init__(self, *answers: Any, timeout: float | None = 5.0):
            super().__init__(*answers, timeout=timeout)
            made.append(self)

    yield Remembered
    for each in made:
        each.close()


def test_the_functions_are_public_too() -> None:
    """`websocket.recv`, `websocket.send` and `websocket.recv_line` are the same verbs."""
    assert websocket.recv is _socket.recv
    assert websocket.send is _socket.send
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"one\ntwo")
        assert websocket.recv_line(ours) == b"one\n"
        assert websocket.recv(ours, 10) == b"two"


def test_recv_is_one_call_and_takes_what_is_there(
    pair: tuple[socket.socket, socket.socket], scripted: type[Scripted]
) -> None:
    ours, theirs = pair
    theirs.sendall(b"hello")
    assert _socket.recv(ours, 3) == b"hel"
    assert _socket.recv(ours, 100) == b"lo"
    double = scripted(b"ab")
    assert _socket.recv(double, 7) == b"ab"
    assert double.calls == [("recv", 7)]


def test_send_is_one_call_may_be_partial_and_encodes_text(
    pair: tuple[socket.socket, socket.socket], scripted: type[Scripted]
) -> None:
    ours, theirs = pair
    assert _socket.send(ours, "grüß") == 6
    assert theirs.recv(10) == "grüß".encode()
    double = scripted(2)
    assert _socket.send(double, b"abcdef") == 2
    assert double.calls == [("send", b"abcdef")]


def test_a_silent_peer_is_a_timeout(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].settimeout(0.01)
    with pytest.raises(WebSocketTimeoutException, match=r"^Connection timed out$"):
        _socket.recv(pair[0], 1)


def _fill(send: Callable[[bytes], int]) -> None:
    """Send until it raises."""
    while True:
        send(bytes(1 << 20))


def test_a_peer_that_takes_nothing_is_a_timeout(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    pair[0].settimeout(0.01)
    with pytest.raises(WebSocketTimeoutException, match=r"^Connection timed out$"):
        _fill(lambda data: _socket.send(pair[0], data))


def test_a_timeout_of_zero_raises_at_once(pair: tuple[socket.socket, socket.socket]) -> None:
    """`settimeout(0)`: an error that is a BlockingIOError and one of ours."""
    pair[0].settimeout(0)
    with pytest.raises(BlockingIOError) as caught:
        _socket.recv(pair[0], 1)
    assert isinstance(caught.value, WebSocketTimeoutException)


def test_the_end_of_the_stream_is_an_exception(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].close()
    with pytest.raises(
        WebSocketConnectionClosedException, match=r"^Connection to remote host was lost\.$"
    ):
        _socket.recv(pair[0], 1)


@pytest.mark.parametrize("verb", ["recv", "send"])
def test_no_socket_is_a_closed_one(verb: str) -> None:
    with pytest.raises(WebSocketConnectionClosedException, match=r"^socket is already closed\.$"):
        getattr(_socket, verb)(None, 1)


def test_sending_behind_the_end_of_tls_is_a_closed_socket(scripted: type[Scripted]) -> None:
    double = scripted(ssl.SSLEOFError(8, "EOF occurred in violation of protocol"))
    with pytest.raises(WebSocketConnectionClosedException, match=r"^socket is already closed\.$"):
        _socket.send(double, b"x")


def test_a_tls_timeout_keeps_its_text(scripted: type[Scripted]) -> None:
    double = scripted(ssl.SSLError("The read operation timed out"))
    with pytest.raises(WebSocketTimeoutException, match=r"^The read operation timed out$"):
        _socket.recv(double, 1)


@pytest.mark.parametrize("verb", ["recv", "send"])
def test_other_errors_stay_what_they_are(verb: str, scripted: type[Scripted]) -> None:
    for error in (ConnectionResetError(errno.ECONNRESET, "reset"), ssl.SSLError(1, "bad mac")):
        with pytest.raises(type(error)) as caught:
            getattr(_socket, verb)(scripted(error), 1)
        assert caught.value is error


@pytest.mark.parametrize(
    "not_now",
    [
        BlockingIOError(errno.EAGAIN, "again"),
        ssl.SSLWantReadError(2, "want read"),
        ssl.SSLWantWriteError(3, "want write"),
    ],
)
def test_not_now_is_waited_for_and_tried_again(not_now: OSError, scripted: type[Scripted]) -> None:
    reading, writing = scripted(not_now, b"data"), scripted(not_now, 4)
    assert _socket.recv(reading, 4) == b"data"
    assert _socket.send(writing, b"data") == 4
    assert len(reading.calls) == len(writing.calls) == 2


def test_not_now_for_too_long(
    pair: tuple[socket.socket, socket.socket], scripted: type[Scripted]
) -> None:
    """A read is timed out; a write has sent nothing, which is what it returns."""
    double = scripted(BlockingIOError(errno.EAGAIN, "again"), timeout=0.01)
    assert double.alarm.recv(1) == b"x"  # no longer readable
    with pytest.raises(WebSocketTimeoutException, match="Connection timed out"):
        _socket.recv(double, 1)

    ours, _ = pair
    ours.setblocking(False)
    with pytest.raises(BlockingIOError):
        _fill(ours.send)
    stuck = scripted(BlockingIOError(errno.EAGAIN, "again"), timeout=0.01)
    stuck.fileno = ours.fileno  # type: ignore[method-assign]
    assert _socket.send(stuck, b"x") == 0


def test_recv_line_takes_no_byte_behind_the_line(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    pair[1].sendall(b"first\r\nsecond")
    assert _socket.recv_line(pair[0]) == b"first\r\n"
    assert pair[0].recv(100) == b"second"


def test_recv_line_reads_by_the_recv_of_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs put a `recv` of their own into `websocket._socket`."""
    given = [b"a", b"b", b"\n"]
    monkeypatch.setattr(_socket, "recv", lambda sock, count: given.pop(0))
    assert _socket.recv_line(object()) == b"ab\n"


def test_a_line_has_a_bound(pair: tuple[socket.socket, socket.socket]) -> None:
    """A peer cannot fill the memory with a line that never ends."""
    ours, theirs = pair
    flood = threading.Thread(target=theirs.sendall, args=(b"x" * 70000,))
    flood.start()
    with pytest.raises(WebSocketException, match="65536"):
        _socket.recv_line(ours)
    while _socket.recv(ours, 1 << 16) and flood.is_alive():
        pass
    flood.join(10)


def test_the_default_timeout_is_the_one_of_connections() -> None:
    assert _socket.getdefaulttimeout() is None
    _socket.setdefaulttimeout(7.5)
    try:
        assert websocket.getdefaulttimeout() == _core.getdefaulttimeout() == 7.5
    finally:
        _socket.setdefaulttimeout(None)


def test_socket_options() -> None:
    options = _socket.sock_opt(None, None)
    assert (list(options.sockopt), dict(options.sslopt), options.timeout) == ([], {}, None)
    given = _socket.sock_opt([(6, 1, 1)], {"check_hostname": False})
    given.timeout = 3
    assert (given.sockopt, given.sslopt, given.timeout) == (
        [(6, 1, 1)],
        {"check_hostname": False},
        3,
    )
    assert isinstance(websocket.WebSocket().sock_opt, _socket.sock_opt)


def test_the_default_options_are_a_list_that_connections_use(
    peer: Any,
) -> None:
    """Programs append to `DEFAULT_SOCKET_OPTION`; what is in it is set on every new socket."""
    assert (socket.SOL_TCP, socket.TCP_NODELAY, 1) in _socket.DEFAULT_SOCKET_OPTION
    assert websocket.DEFAULT_SOCKET_OPTION is _socket.DEFAULT_SOCKET_OPTION
    mine = [*_socket.DEFAULT_SOCKET_OPTION, (socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)]
    server = peer(lambda connection: None)
    options = _socket.sock_opt(None, None)
    options.timeout = 10
    url = f"ws://127.0.0.1:{server.port}"
    sizes: list[int] = []
    for entries in (list(_socket.DEFAULT_SOCKET_OPTION), mine):
        before = _socket.DEFAULT_SOCKET_OPTION[:]
        _socket.DEFAULT_SOCKET_OPTION[:] = entries
        try:
            sock, _ = _core.connect(url, options, None, None)
        finally:
            _socket.DEFAULT_SOCKET_OPTION[:] = before
        with sock:
            sizes.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))
    assert sizes[1] < sizes[0]
