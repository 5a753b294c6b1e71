"""Promise: an event costs a loop few calls, exactly counted, and leaves nothing behind that came.

A callback may receive by itself meanwhile; what its reads have brought is delivered all the same.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from helpers_loops import Noted, run
from raw_peer import PING, PONG, Peer, Task, Wire, both_ways, close_frame, frame, papers, text

from websocket import Loop, WebSocketApp, backend


@contextmanager
def looped(loop: Loop, app: WebSocketApp, peer: Peer) -> Iterator[Wire]:
    """The other end of an app that the loop serves; it says goodbye in the end."""
    accepting = Task(peer.accept)
    app.run_forever(dispatcher=loop, sslopt={"context": papers()[1]} if peer.tls else None)
    wire = accepting.result()
    yield wire
    wire.send(close_frame())
    run(loop)


def _counted(on_message: Callable[[WebSocketApp, Any], object], names: list[str]) -> Any:
    """The same callback, and the Python functions that run from its end to its next call."""

    def note(where: FrameType, event: str, argument: object) -> None:
        if event == "call":
            names.append(where.f_code.co_name)

    def callback(app: WebSocketApp, message: Any) -> None:
        sys.setprofile(None)
        on_message(app, message)
        sys.setprofile(note)

    return callback


@both_ways
def test_the_calls_of_an_event(tls: bool) -> None:
    """One turn of the loop, one look, one callback."""
    loop, names, numbers = Loop(), list[str](), list[int]()

    def on_message(app: WebSocketApp, message: Any) -> None:
        numbers.append(len(names))
        names.clear()
        if len(numbers) < 5:
            wire.send(text("x" * 64))
        else:
            loop.stop()

    with Peer(tls) as peer:
        app = WebSocketApp(peer.url, on_message=_counted(on_message, names))
        with looped(loop, app, peer) as wire:
            wire.send(text("x" * 64))
            try:
                run(loop)
            finally:
                sys.setprofile(None)
            most = (33 if tls else 17) + (0 if backend() == "c" else 3)
            assert max(numbers[1:]) <= most, numbers


@both_ways
def test_what_has_come_together_is_one_event(tls: bool) -> None:
    """Each message costs its callback, and no other call."""
    loop, names, numbers = Loop(), list[str](), list[int]()

    def on_message(app: WebSocketApp, message: Any) -> None:
        numbers.append(len(names))
        names.clear()
        if message == "last":
            loop.stop()

    with Peer(tls) as peer:
        app = WebSocketApp(peer.url, on_message=_counted(on_message, names))
        with looped(loop, app, peer) as wire:
            wire.send(text("x") * 50 + text("last"))
            try:
                run(loop)
            finally:
                sys.setprofile(None)
            assert numbers[1:] == [1] * 50, numbers  # the one is the callback


@both_ways
def test_a_callback_that_receives_leaves_nothing_behind(tls: bool) -> None:
    """Its read brings more than it takes: messages, a ping behind which there is more."""
    loop, taken = Loop(), list[Any]()
    rest = text("third") + frame(PING, b"fourth") + text("fifth")

    def on_message(app: Noted, message: Any) -> None:
        if message == "first":
            wire.send(text("second") + rest)
            taken.append(app.sock.recv())
        elif message == "fifth":
            loop.stop()

    with Peer(tls) as peer:
        app = Noted(peer.url, on_message=on_message)
        with looped(loop, app, peer) as wire:
            wire.send(text("first"))
            run(loop)
            assert taken == ["second"]
            assert app.messages() == ["first", "third", "fifth"]
            assert wire.next_frame()[1:] == (PONG, b"fourth")


@both_ways
def test_a_message_that_comes_byte_by_byte(tls: bool) -> None:
    loop, left = Loop(), bytearray(text("whole") + text("last"))

    def drip() -> bool:
        wire.send(bytes((left.pop(0),)))
        return bool(left)

    def on_message(app: Noted, message: Any) -> None:
        if message == "last":
            loop.stop()

    with Peer(tls) as peer:
        app = Noted(peer.url, on_message=on_message)
        with looped(loop, app, peer) as wire:
            loop.timeout(0, drip)
            run(loop)
            assert app.messages() == ["whole", "last"]
