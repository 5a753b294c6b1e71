"""Random operations of several threads against a random peer: nothing but what is documented."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from raw_peer import (
    BINARY,
    CONT,
    PING,
    PONG,
    TEXT,
    Stop,
    Task,
    Wire,
    both_ways,
    close_frame,
    connected,
    frame,
    text,
)

import websocket

_OPERATIONS = 250
_DOCUMENTED = (
    websocket.WebSocketTimeoutException,
    websocket.WebSocketConnectionClosedException,
    websocket.WebSocketProtocolException,
    websocket.WebSocketPayloadException,
)


def _speak(dice: random.Random) -> Iterator[bytes]:
    """What a peer says, and now and then what it must not; never the same data twice."""
    for number in range(100_000):
        kind = dice.random()
        if kind < 0.5:
            yield text(f"m{number:06}" + "x" * dice.choice((0, 10, 200, 5000)))
        elif kind < 0.7:
            yield frame(TEXT, b"m%06d" % number, False) + frame(PING, b"p") + frame(CONT, b"xx")
        elif kind < 0.9:
            yield frame(dice.choice((PING, PONG)), b"%d" % number)
        elif kind < 0.997:
            yield frame(BINARY, bytes(dice.randrange(40_000)))
        elif kind < 0.9985:
            yield close_frame(dice.choice((1000, 1011, None)))
        else:
            yield dice.choice((b"\xf1\x00", frame(CONT, b"?"), frame(TEXT, b"\xff")))


def _play(wire: Wire, seed: int, stop: threading.Event) -> None:
    """Speak in random cuts with random pauses; go with or without a word."""
    dice = random.Random(seed)
    with suppress(OSError):
        for said in _speak(dice):
            while said and not stop.is_set():
                cut = dice.choice((1, 7, 1000, 1 << 20))
                wire.send(said[:cut], 2)
                said = said[cut:]
            if dice.random() < 0.05:
                stop.wait(dice.random() * 0.01)
            if stop.is_set() or dice.random() < 0.0005:
                break
        if dice.random() < 0.5:
            wire.reset()


class _Client:
    """One connection, what came out of it, and what must be true of that."""

    def __init__(self, ws: websocket.WebSocket):
        self.ws = ws
        self.received: list[tuple[int, str]] = []
        self.ended = threading.Event()

    def receive(self, dice: random.Random) -> None:
        message = self.ws.recv(timeout=dice.choice((0, 0.001, 0.05, 0.3)))
        if message and isinstance(message, str):
            assert message.startswith("m") and set(message[7:]) <= {"x"}
            self.received.append((int(message[1:7]), message))

    def stream(self, dice: random.Random) -> None:
        self.ws.settimeout(0.3)
        for _ in self.ws.recv_streaming():
            if dice.random() < 0.2:
                break

    def act(self, dice: random.Random) -> None:
        ws = self.ws
        acts: list[Callable[[], Any]] = [
            lambda: ws.send("s" * dice.choice((0, 100, 70_000))),
            lambda: ws.send_bytes(bytes(dice.randrange(3000))),
            lambda: ws.send(str(number) for number in range(dice.randrange(5))),
            lambda: ws.ping(None),
            lambda: ws.pong("?"),
            lambda: ws.ping(None).wait(0.001),
            lambda: ws.settimeout(dice.choice((0.05, 0.3, 1))),
            lambda: (ws.sock, ws.closed, ws.connected, ws.close_code, ws.latency),
            lambda: ws.recv(timeout=0.01),
            lambda: ws.wait_closed(0.001),
        ]
        dice.choice(acts)()

    def end(self, dice: random.Random) -> None:
        time.sleep(dice.random() * 0.3)
        dice.choice(
            (self.ws.close, self.ws.shutdown, lambda: self.ws.close(timeout=0.05), self.ws.abort)
        )()

    def repeat(self, call: Callable[[random.Random], None], seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(_OPERATIONS):
            try:
                call(dice)
            except websocket.WebSocketTimeoutException as exc:
                assert isinstance(exc, TimeoutError)
            except websocket.WebSocketConnectionClosedException:
                if self.ws.closed:
                    break
            except _DOCUMENTED:
                assert not self.ws.connected
            except RuntimeError as exc:
                assert "discarded" in str(exc) or "awaited" in str(exc)


@both_ways
@pytest.mark.parametrize("seed", range(12))
def test_random_operations(tls: bool, seed: int) -> None:
    """Whatever happens: documented exceptions, whole messages in order, an end, no leak."""
    dice = random.Random(seed)
    with connected(tls, timeout=0.3) as (ws, wire), Stop() as stop:
        client = _Client(ws)
        playing = [Task(lambda: _play(wire, seed, stop))]
        if dice.random() < 0.8:
            playing.append(Task(lambda: _drain(wire, stop)))
        calls: list[Callable[[random.Random], None]] = [client.receive, client.act, client.act]
        if seed % 3 == 0:
            calls.append(client.stream)
        tasks = [
            Task(lambda c=call, n=number: client.repeat(c, seed * 100 + n))
            for number, call in enumerate(calls)
        ]
        if seed % 2:
            tasks.append(Task(lambda: client.end(dice)))
        for task in tasks:
            task.result(40)
        numbers = [number for number, _ in client.received]
        assert numbers == sorted(set(numbers)), "a message came twice, or out of order"
        begin = time.monotonic()
        ws.close(timeout=0.2)
        assert time.monotonic() - begin < 0.2 + 1.5
        assert ws.closed
        assert not ws.connected
        stop.set()
        for task in playing:
            task.result()


def _drain(wire: Wire, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            wire.take(1, 0.1)
        except TimeoutError:
            continue
        except (OSError, EOFError, ValueError):
            return
