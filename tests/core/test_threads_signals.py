"""Sentence 4, below one's own stack: handlers and callbacks that close, KeyboardInterrupt."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from raw_peer import (
    CLOSE,
    PATIENCE,
    TEXT,
    Task,
    both_ways,
    connected,
    frame,
    is_reading,
    is_writing,
    stuck,
    text,
    until,
)

import websocket

_SIGNAL = signal.SIGUSR1


@contextmanager
def _handler(handle: Callable[[], object]) -> Iterator[None]:
    """`handle` runs in the main thread, which is the test's, on top of whatever it does."""
    before = signal.signal(_SIGNAL, lambda number, stack: handle())
    try:
        yield
    finally:
        signal.signal(_SIGNAL, before)


def _interrupt_once(condition: Callable[[], bool]) -> Task[None]:
    """Interrupt the main thread as soon as it is where we want it."""
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        until(condition)
        time.sleep(0.05)  # from the flag into the system call
        signal.pthread_kill(main, _SIGNAL)

    return Task(interrupt)


def _closing(ws: websocket.WebSocket, took: list[float]) -> Callable[[], None]:
    def close() -> None:
        begin = time.monotonic()
        ws.close(1000, "from a handler", timeout=10)
        took.append(time.monotonic() - begin)

    return close


@both_ways
@pytest.mark.parametrize("timeout", [None, PATIENCE])
def test_a_handler_closes_below_a_recv(tls: bool, timeout: float | None) -> None:
    """The close frame goes out, nothing is waited for, the interrupted call raises."""
    took: list[float] = []
    with connected(tls, timeout=timeout) as (ws, wire), _handler(_closing(ws, took)):
        interrupting = _interrupt_once(lambda: is_reading(ws))
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            ws.recv()
        interrupting.result()
        assert took[0] < 1.5
        assert ws.closed
        assert wire.frames() == [(True, CLOSE, b"\x03\xe8from a handler")]


@both_ways
def test_a_handler_closes_below_a_recv_with_a_timeout_of_its_own(tls: bool) -> None:
    took: list[float] = []
    with connected(tls) as (ws, wire), _handler(_closing(ws, took)):
        wire.send(frame(TEXT, b"unfinished")[:5])
        interrupting = _interrupt_once(lambda: is_reading(ws))
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            ws.recv(timeout=PATIENCE)
        interrupting.result()
        assert took[0] < 1.5
        assert [seen.opcode for seen in wire.frames()] == [CLOSE]


@both_ways
@pytest.mark.parametrize("timeout", [None, PATIENCE])
def test_a_handler_closes_below_a_send(tls: bool, timeout: float | None) -> None:
    """No close frame in the middle of the frame that is stuck; the interrupted call raises."""
    took: list[float] = []
    with stuck(tls, timeout=timeout) as (ws, wire), _handler(_closing(ws, took)):
        interrupting = _interrupt_once(lambda: is_writing(ws))
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            ws.send_bytes(bytes(8 << 20))
        interrupting.result()
        assert took[0] < 1.5
        assert ws.closed
        assert wire.frames() == []  # half a frame, and nothing behind it


@both_ways
def test_a_handler_closes_while_the_other_half_is_busy_in_a_thread(tls: bool) -> None:
    took: list[float] = []
    with stuck(tls) as (ws, _), _handler(_closing(ws, took)):
        writer = Task(lambda: ws.send_bytes(bytes(8 << 20)))
        until(lambda: is_writing(ws))
        interrupting = _interrupt_once(lambda: is_reading(ws))
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            ws.recv()
        interrupting.result()
        assert took[0] < 1.5
        assert isinstance(writer.exception(), websocket.WebSocketConnectionClosedException)


@both_ways
def test_a_handler_that_closes_and_raises(tls: bool) -> None:
    """The handler's own exception is the one that goes on, as with any other call."""
    with stuck(tls) as (ws, _):

        def close_and_raise() -> None:
            ws.close()
            raise KeyboardInterrupt

        with _handler(close_and_raise):
            for interrupted, condition in (
                (lambda: ws.recv(), is_reading),
                (lambda: ws.send_bytes(bytes(8 << 20)), is_writing),
            ):
                if ws.closed:
                    break
                interrupting = _interrupt_once(lambda c=condition: c(ws))
                with pytest.raises(KeyboardInterrupt):
                    interrupted()
                interrupting.result()
        assert ws.closed


@both_ways
def test_a_trace_handler_closes_inside_recv(tls: bool) -> None:
    """A callback under the read lock; the message that was traced is not delivered any more."""
    with connected(tls) as (ws, wire):

        class Closes(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if "Rcv decoded" in record.getMessage():
                    ws.close(timeout=10)

        websocket.enableTrace(True, Closes())
        try:
            wire.send(text("seen by the handler"))
            begin = time.monotonic()
            with pytest.raises(websocket.WebSocketConnectionClosedException):
                ws.recv()
            assert time.monotonic() - begin < 3
        finally:
            websocket.enableTrace(False)
        assert [seen.opcode for seen in wire.frames()] == [CLOSE]


@both_ways
def test_keyboard_interrupt_in_recv_loses_nothing(tls: bool) -> None:
    """Whoever catches it may go on reading, also in the middle of a message."""
    with connected(tls) as (ws, wire):

        def interrupt() -> None:
            raise KeyboardInterrupt

        with _handler(interrupt):
            whole = text("whole" * 1000)
            for cut in (0, 1, 700):
                wire.send(whole[:cut])
                interrupting = _interrupt_once(lambda: is_reading(ws))
                with pytest.raises(KeyboardInterrupt):
                    ws.recv()
                interrupting.result()
                assert ws.connected
                wire.send(whole[cut:])
                assert ws.recv() == "whole" * 1000
        ws.send("still there")
        assert wire.next_frame().data == b"still there"


@both_ways
def test_keyboard_interrupt_in_send_ends_the_connection(tls: bool) -> None:
    """Half a frame has gone: nothing may follow it."""
    with stuck(tls) as (ws, wire):

        def interrupt() -> None:
            raise KeyboardInterrupt

        with _handler(interrupt):
            interrupting = _interrupt_once(lambda: is_writing(ws))
            with pytest.raises(KeyboardInterrupt):
                ws.send_bytes(bytes(8 << 20))
            interrupting.result()
        assert not ws.connected
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            ws.send("more")
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            ws.recv()
        assert wire.frames() == []


@both_ways
def test_handlers_that_do_nothing_disturb_nothing(tls: bool) -> None:
    """EINTR everywhere: a message each way, again and again, under a rain of signals."""
    main = threading.main_thread().ident
    assert main is not None
    count: list[int] = []
    with connected(tls) as (ws, wire), _handler(lambda: count.append(1)):
        stop = threading.Event()

        def rain() -> None:
            while not stop.wait(0.0005):
                signal.pthread_kill(main, _SIGNAL)

        def echo() -> None:
            for _ in range(300):
                seen = wire.next_frame()
                wire.send(frame(seen.opcode, seen.data))

        raining, echoing = Task(rain), Task(echo)
        try:
            for number in range(300):
                message = f"{number}" * (number * 10)
                ws.send(message)
                assert ws.recv() == message
        finally:
            stop.set()
            raining.result()
        echoing.result()
        assert count


@both_ways
def test_handlers_that_ask_and_ping_disturb_nothing(tls: bool) -> None:
    """On top of a recv or a send a handler may look at the object, and send if nobody does."""
    main = threading.main_thread().ident
    assert main is not None
    with connected(tls) as (ws, wire):
        stop = threading.Event()
        refused: list[BaseException] = []

        def handle() -> None:
            assert ws.connected
            assert ws.close_code is None
            try:
                ws.pong("from a handler")
            except RuntimeError as exc:
                refused.append(exc)  # on top of a send of ours

        def rain() -> None:
            while not stop.wait(0.001):
                signal.pthread_kill(main, _SIGNAL)

        def echo() -> Any:
            count = 0
            while count < 300:
                seen = wire.next_frame()
                if seen.opcode == TEXT:
                    wire.send(frame(TEXT, seen.data))
                    count += 1

        with _handler(handle):
            raining, echoing = Task(rain), Task(echo)
            try:
                for number in range(300):
                    ws.send(f"{number}")
                    assert ws.recv() == f"{number}"
            finally:
                stop.set()
                raining.result()
        echoing.result()


def _converse(ws: websocket.WebSocket) -> None:
    while True:
        ws.send("x" * 100)
        if ws.recv() == "":
            raise websocket.WebSocketConnectionClosedException("closed by the echo")


@both_ways
def test_a_rain_of_closes_never_hangs(tls: bool) -> None:
    """A handler that closes hits some other instruction each time; recv and send always end."""
    for turn in range(60):
        with connected(tls) as (ws, wire), _handler(ws.close):

            def echo(wire: Any = wire) -> None:
                try:
                    while True:
                        seen = wire.next_frame()
                        wire.send(frame(seen.opcode, seen.data) + frame(9, b"p"))
                except (OSError, EOFError):
                    pass

            def strike(delay: float = turn * 0.0001) -> None:
                time.sleep(0.002 + delay)
                signal.pthread_kill(threading.main_thread().ident or 0, _SIGNAL)

            echoing, striking = Task(echo), Task(strike)
            begin = time.monotonic()
            with pytest.raises(websocket.WebSocketConnectionClosedException):
                _converse(ws)
            assert time.monotonic() - begin < 5
            striking.result()
            echoing.result()
            assert ws.closed
