"""Sentences 4 and 6 about threads, where messages were parsed ahead of those who ask for them: an
end ends their delivery, too; any thread takes the next one; the hatch shows what nobody has."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from raw_peer import (
    BINARY,
    PATIENCE,
    Stop,
    Task,
    blocked_writer,
    both_ways,
    close_frame,
    connected,
    frame,
    is_writing,
    receive_all,
    stuck,
    text,
    until,
)

import websocket
from websocket._wire import masking

End = Callable[[websocket.WebSocket], object]


def _lose(ws: websocket.WebSocket) -> None:
    """As the keepalive does when a pong is missed."""
    connection: Any = ws._connection
    connection.lose(websocket.WebSocketTimeoutException("ping/pong timed out"))


ENDS: dict[str, End] = {
    "shutdown": lambda ws: ws.shutdown(),
    "close": lambda ws: ws.close(timeout=0),
    "lose": _lose,
}
ends = pytest.mark.parametrize("end", list(ENDS.values()), ids=list(ENDS))


def _ready(ws: websocket.WebSocket) -> Any:
    connection: Any = ws._connection
    return connection.receiver.ready


@both_ways
@ends
def test_an_end_ends_the_delivery_of_what_was_parsed_ahead(tls: bool, end: End) -> None:
    """Sentence 4: `close` ends by its deadline, and with it what others would get."""
    with connected(tls) as (ws, wire):
        wire.send(b"".join(map(text, "abcdef")))
        assert ws.recv() == "a"
        assert _ready(ws)
        Task(lambda: end(ws)).result()
        for call in (ws.recv, ws.recv_data, ws.recv_frame, ws.recv_text):
            with pytest.raises(websocket.WebSocketException):
                call()
        assert receive_all(ws).messages == []


@ends
def test_what_a_reader_parses_while_it_ends_goes_to_nobody(end: End) -> None:
    """Between its parsing and its leaving another thread may look: that is too late, too."""
    with connected() as (ws, wire):
        wire.send(text("a") + text("b"))
        assert ws.recv() == "a"
        end(ws)
        _ready(ws).extend(["too", "late"])
        with pytest.raises(websocket.WebSocketException):
            ws.recv()
        with pytest.raises(websocket.WebSocketException):
            ws.recv()


@both_ways
@ends
def test_no_recv_that_begins_behind_the_end_gives_a_message(tls: bool, end: End) -> None:
    """Sentence 4, with three readers in a flood of small messages."""
    for _ in range(5):
        with connected(tls) as (ws, wire), Stop() as stop:
            under_way, ended = threading.Event(), threading.Event()
            late: list[Any] = []
            feeding = Task(lambda w=wire, s=stop: w.flood(text("x") * 500, s))
            draining = Task(wire.frames)
            readers = [
                Task(lambda it=(ws, under_way, ended, late): _read_on(*it)) for _ in range(3)
            ]
            assert under_way.wait(PATIENCE)
            end(ws)
            ended.set()
            for reader in readers:
                assert isinstance(reader.exception(), websocket.WebSocketException)
            assert late == []
            stop.set()
            ws.shutdown()
            wire.hang_up()
            feeding.exception()
            draining.exception()


def _read_on(
    ws: websocket.WebSocket, under_way: threading.Event, ended: threading.Event, late: list[Any]
) -> None:
    count = 0
    while True:
        too_late = ended.is_set()
        message = ws.recv()
        count += 1
        if count == 700:
            under_way.set()
        if too_late:
            late.append(message)


@both_ways
@pytest.mark.parametrize("before", [1, 100, 3000])
def test_the_hatch_opens_while_threads_take_what_was_parsed_ahead(tls: bool, before: int) -> None:
    """Nothing is lost, nothing comes twice, and each thread sees its messages in order."""
    messages = [text(str(number)) for number in range(20_000)]
    with connected(tls) as (ws, wire):
        under_way = threading.Event()

        def read() -> list[int]:
            found: list[int] = []
            with suppress(websocket.WebSocketConnectionClosedException):
                while message := ws.recv(timeout=PATIENCE):
                    found.append(int(message))
                    if len(found) == before:
                        under_way.set()
            return found

        readers: list[Task[list[int]]] = [Task(read) for _ in range(2)]
        feeding = Task(lambda: wire.send(b"".join(messages[:10_000])))
        assert under_way.wait(PATIENCE)
        assert ws.sock is not None
        feeding.result()
        wire.send(b"".join(messages[10_000:]) + close_frame())
        found = [reader.result() for reader in readers]
        for numbers in found:
            assert numbers == sorted(numbers)
        assert sorted(found[0] + found[1]) == list(range(20_000))


@both_ways
@pytest.mark.parametrize("taken", [1, 2, 40, 99])
@pytest.mark.parametrize("look", ["sock", "fileno"])
def test_the_hatch_shows_exactly_what_was_not_delivered(tls: bool, taken: int, look: str) -> None:
    """The bytes themselves, as a program that reads the socket gets them."""
    messages = [text(f"message {number}") for number in range(100)]
    with connected(tls) as (ws, wire):
        wire.send(b"".join(messages))
        for number in range(taken):
            assert ws.recv() == f"message {number}"
        if look == "fileno":
            assert ws.fileno() >= 0
        sock = ws.sock
        expected = b"".join(messages[taken:])
        found = b""
        while len(found) < len(expected):
            assert (tls and sock.pending()) or select.select([sock], [], [], 10)[0]
            found += sock.recv(1 << 16)
        assert found == expected
        assert not select.select([sock], [], [], 0)[0]


@both_ways
def test_two_threads_put_back_what_they_did_not_want(tls: bool) -> None:
    """Each message goes to one: `recv_text` leaves what is binary first in line."""
    count = 300
    with connected(tls) as (ws, wire):
        wire.send(b"".join(frame(BINARY, b"%d" % number) for number in range(count)))
        begin = threading.Barrier(2)
        found: list[int] = []

        def read() -> None:
            begin.wait(PATIENCE)
            while True:
                with suppress(TypeError):
                    ws.recv_text(timeout=PATIENCE)
                found.append(int(ws.recv_bytes(timeout=PATIENCE)))

        readers: list[Task[None]] = [Task(read) for _ in range(2)]
        until(lambda: len(found) == count)
        wire.send(close_frame())
        for reader in readers:
            assert isinstance(reader.exception(), (ConnectionError, ValueError))
        assert sorted(found) == list(range(count))


def test_who_puts_back_closes_if_it_ended_meanwhile() -> None:
    """Sentence 6: the last one out closes the descriptor, also out of this."""
    with connected() as (ws, wire):
        wire.send(frame(BINARY, b"x"))
        connection: Any = ws._connection
        number = connection.stream.socket.fileno()
        put_back = connection.receiver.put_back

        class Receiver:
            def __getattr__(self, name: str) -> Any:
                return getattr(below, name)

            def put_back(self, message: Any) -> None:
                Task(ws.shutdown).result()
                put_back(message)

        below = connection.receiver
        connection.receiver = Receiver()
        with pytest.raises(TypeError):
            ws.recv_text()
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(number)


# --- sending in one call -----------------------------------------------------------------------


@pytest.mark.parametrize("keys", ["some", "none"])
def test_a_peer_that_is_gone_is_told_as_such(keys: str) -> None:
    """Whether or not the pool of masking keys was empty just then."""
    with connected() as (ws, wire):
        wire.reset()

        def send() -> None:
            for _ in range(10_000):
                if keys == "none":
                    masking._keys.clear()
                ws.send("x")

        with pytest.raises(websocket.WebSocketConnectionClosedException):
            send()


def test_a_socket_that_the_user_has_closed_is_told_as_such() -> None:
    with connected() as (ws, _):
        ws.sock.close()
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            ws.send("x")


@both_ways
@pytest.mark.parametrize("size", [300_000, 3 << 20])
def test_a_signal_handler_that_raises_in_the_middle_of_a_frame_ends_it(
    tls: bool, size: int
) -> None:
    """Half of it is on its way: nothing may follow, or the peer would read nonsense."""

    class Alarm(Exception):
        pass

    def handler(*_: object) -> None:
        raise Alarm

    before = signal.signal(signal.SIGUSR1, handler)
    main = threading.main_thread().ident
    assert main is not None
    try:
        with stuck(tls) as (ws, wire):

            def interrupt() -> None:
                until(lambda: is_writing(ws))
                sock: Any = ws._connection.stream.socket  # type: ignore[union-attr]
                until(lambda: not select.select([], [sock], [], 0.05)[1])
                signal.pthread_kill(main, signal.SIGUSR1)

            interrupting = Task(interrupt)
            with pytest.raises(Alarm):
                ws.send_bytes(bytes(size))
            interrupting.result()
            assert not ws.connected
            with pytest.raises(websocket.WebSocketConnectionClosedException):
                ws.send("never")
            assert wire.frames() == []
    finally:
        signal.signal(signal.SIGUSR1, before)


@both_ways
@pytest.mark.parametrize("message", [bytes(1 << 20), "x" * (1 << 20)], ids=["bytes", "text"])
def test_a_handler_that_raises_behind_the_header_of_a_large_message_ends_it(
    tls: bool, message: bytes | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The header has gone by then, in a write of its own: nothing else may follow it."""
    with connected(tls) as (ws, _):
        stream: Any = ws._connection.stream  # type: ignore[union-attr]
        write = type(stream).write

        def write_and_raise(self: Any, data: bytes, deadline: Any = None) -> None:
            write(self, data, deadline)
            raise ZeroDivisionError  # as a signal handler may, on the way back

        with monkeypatch.context() as patch:
            patch.setattr(type(stream), "write", write_and_raise)
            with pytest.raises(ZeroDivisionError):
                ws.send(message)
        assert not ws.connected
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            ws.send("never")


def test_a_large_text_that_cannot_be_encoded_harms_nothing() -> None:
    with connected() as (ws, wire):
        with pytest.raises(UnicodeEncodeError):
            ws.send("\ud800" * (1 << 19) + "x")
        ws.send("fine")
        assert wire.next_frame().data == b"fine"


@pytest.mark.parametrize("size", [10, 5000, 100_000])
def test_a_timeout_ends_it_only_in_the_middle_of_a_frame(size: int) -> None:
    """Otherwise nothing has begun, and one may go on."""
    with stuck(False) as (ws, wire):
        ws.settimeout(0.2)

        def send() -> None:
            for _ in range(100_000):
                ws.send_bytes(bytes(size))

        with pytest.raises(websocket.WebSocketTimeoutException):
            send()
        draining = Task(wire.frames)
        if ws.connected:
            ws.settimeout(PATIENCE)
            ws.send("last")
            ws.close(timeout=0)
            *frames, last, _close = draining.result()
            assert last.data == b"last"
        else:
            frames = draining.result()
        assert {seen.data for seen in frames} <= {bytes(size)}


def test_an_end_wakes_a_writer_in_one_call() -> None:
    """Sentence 5: waking is a shutdown of the socket."""
    with stuck(False) as (ws, _):
        writer = blocked_writer(ws, 400_000)
        ws.shutdown()
        assert isinstance(writer.exception(), websocket.WebSocketConnectionClosedException)


def test_a_socket_pair_without_a_timeout() -> None:
    """A socket of the user's own."""
    left, right = socket.socketpair()
    with left, right:
        ws = websocket.WebSocket()
        ws.sock = left
        reading = Task(lambda: _take(right, 14 + 400_000))
        assert ws.send_bytes(bytes(400_000)) == 400_014
        assert len(reading.result()) == 400_014


def _take(sock: socket.socket, size: int) -> bytes:
    sock.settimeout(PATIENCE)
    data = b""
    while len(data) < size:
        data += sock.recv(1 << 16)
    return data
