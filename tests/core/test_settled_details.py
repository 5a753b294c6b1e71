"""Promise: details that programs notice: close without connection, EAGAIN, a timeout under TLS."""

from __future__ import annotations

import errno
import socket

import pytest

import websocket


def test_close_without_a_connection_does_nothing_whatever_the_code() -> None:
    websocket.WebSocket().close(5)


def test_would_block_says_eagain() -> None:
    error = websocket.WebSocketWouldBlockException("nothing now")
    assert error.errno == errno.EAGAIN
    assert str(error) == "nothing now"
    assert isinstance(error, (BlockingIOError, TimeoutError))


def test_the_timeout_of_a_socket_of_ones_own_governs_the_tls_handshake() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()) as own:
            own.settimeout(0.2)
            with pytest.raises(websocket.WebSocketTimeoutException):
                websocket.create_connection("wss://127.0.0.1/", socket=own)
