"""Promise: a unix socket is dialled by the same rules as a TCP address: in time, and leak-free."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from websocket._exceptions import (
    WebSocketConnectionClosedException,
    WebSocketException,
    WebSocketTimeoutException,
)
from websocket._transport.deadline import Attempt, Deadline
from websocket._transport.options import TransportOptions
from websocket._transport.tcp import dial_unix


def attempt(seconds: float | None = 30.0) -> Attempt:
    return Attempt(Deadline(seconds))


@pytest.fixture(autouse=True)
def _no_descriptor_leaks() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    before = set(os.listdir("/proc/self/fd"))
    yield
    assert set(os.listdir("/proc/self/fd")) <= before


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "s"))
        sock.listen(0)
        yield sock


@pytest.fixture
def path(listener: socket.socket) -> str:
    return str(listener.getsockname())


@pytest.fixture
def full(path: str) -> Iterator[str]:
    """A path whose backlog is full: Linux answers EAGAIN."""
    fillers: list[socket.socket] = []
    while True:
        filler = socket.socket(socket.AF_UNIX)
        fillers.append(filler)
        filler.setblocking(False)
        if filler.connect_ex(path) == errno.EAGAIN:
            break
    yield path
    for filler in fillers:
        filler.close()


def test_the_socket_is_connected_blocks_and_has_no_timeout(
    listener: socket.socket, path: str
) -> None:
    with dial_unix(path, TransportOptions(), attempt()) as sock:
        assert sock.gettimeout() is None
        peer, _ = listener.accept()
        with peer:
            peer.sendall(b"hello")
            assert sock.recv(5) == b"hello"


def test_a_path_object_will_do(path: str) -> None:
    dial_unix(Path(path), TransportOptions(), attempt()).close()


def test_options_of_tcp_are_left_out_the_others_are_set(path: str) -> None:
    options = TransportOptions(
        sockopt=[
            (socket.SOL_TCP, socket.TCP_NODELAY, 1),
            (socket.SOL_SOCKET, socket.SO_PASSCRED, 1),
        ]
    )
    with dial_unix(path, options, attempt()) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED) == 1


def test_a_missing_path_says_which_and_what_to_do(tmp_path: Path) -> None:
    missing = str(tmp_path / "nobody")
    with pytest.raises(FileNotFoundError) as caught:
        dial_unix(missing, TransportOptions(), attempt())
    assert caught.value.errno == errno.ENOENT
    assert missing in str(caught.value)
    assert str(vars(caught.value)["hint"]) in str(caught.value)
    assert vars(caught.value)["remote_ip"] == missing


def test_a_socket_without_a_server_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as orphan:
        orphan.bind(str(tmp_path / "s"))
    with pytest.raises(ConnectionRefusedError):
        dial_unix(str(tmp_path / "s"), TransportOptions(), attempt())


def test_a_path_that_is_too_long_is_an_os_error() -> None:
    with pytest.raises(OSError, match="too long"):
        dial_unix("/" + "x" * 300, TransportOptions(), attempt())


def test_a_full_backlog_is_waited_for(listener: socket.socket, full: str) -> None:
    done: list[socket.socket] = []
    thread = threading.Thread(
        target=lambda: done.append(dial_unix(full, TransportOptions(), attempt()))
    )
    thread.start()
    while not done:
        listener.accept()[0].close()
        thread.join(0.1)
    thread.join()
    done[0].close()


def test_a_full_backlog_is_waited_for_until_the_deadline(full: str) -> None:
    start = time.monotonic()
    with pytest.raises(WebSocketTimeoutException, match=full):
        dial_unix(full, TransportOptions(), attempt(0.2))
    assert 0.19 <= time.monotonic() - start < 5


def test_cancel_ends_the_wait_for_a_full_backlog(full: str) -> None:
    tried = attempt(None)
    timer = threading.Timer(0.1, tried.cancel)
    timer.start()
    with pytest.raises(WebSocketConnectionClosedException):
        dial_unix(full, TransportOptions(), tried)
    timer.join()


def test_a_platform_without_unix_sockets_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "AF_UNIX")
    with pytest.raises(WebSocketException, match="no unix sockets"):
        dial_unix("/s", TransportOptions(), attempt())
