"""`ws.latest(n)`: a thread of its own keeps the newest n messages; no others are lost."""

from __future__ import annotations

import gc
import itertools
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from raw_peer import (
    BINARY,
    CONT,
    PATIENCE,
    TEXT,
    Peer,
    Stop,
    Task,
    Wire,
    both_ways,
    client,
    connected,
    frame,
    is_reading,
    text,
    until,
)

import websocket


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "websocket latest"]


def _count(wire: Wire, stop: threading.Event) -> int:
    """Send 0, 1, 2, ... until `stop`; the last number."""
    last = -1
    for number in itertools.count():
        if stop.is_set():
            return last
        wire.send(text(str(number)))
        last = number
    raise AssertionError


@both_ways
def test_the_newest_are_kept_and_the_others_counted(tls: bool) -> None:
    with connected(tls) as (ws, wire), ws.latest(3) as ticks:
        assert ticks.dropped == 0
        wire.send(b"".join(text(str(number)) for number in range(10)))
        until(lambda: ticks.dropped == 7)
        assert [next(ticks), next(ticks), next(ticks)] == ["7", "8", "9"]
        wire.send(frame(BINARY, b"one more"))
        assert next(ticks) == b"one more"
        assert ticks.dropped == 7


@both_ways
def test_one_who_keeps_pace_gets_all(tls: bool) -> None:
    with connected(tls) as (ws, wire), ws.latest(1) as ticks:
        for number in range(50):
            wire.send(text(str(number)))
            assert next(ticks) == str(number)
        assert ticks.dropped == 0


@both_ways
def test_a_flood_leaves_the_newest_and_each_message_is_accounted_for(tls: bool) -> None:
    """Kept or dropped: the sum is what was sent, the order is kept, and the end is not missing."""
    with connected(tls) as (ws, wire), Stop() as stop:
        counting = Task(lambda: _count(wire, stop))
        ticks = ws.latest(5)
        seen: list[int] = []
        while ticks.dropped < 2000:
            seen.append(int(next(ticks)))
        stop.set()
        sent = counting.result() + 1
        wire.send(frame(8, b"\x03\xe8"))
        until(lambda: not _threads())
        rest = [int(tick) for tick in ticks]
        seen += rest
        assert len(rest) <= 5
        assert seen == sorted(set(seen))
        assert seen[-1] == sent - 1
        assert len(seen) + ticks.dropped == sent


@both_ways
def test_close_gives_the_connection_back_and_loses_nothing(tls: bool) -> None:
    """By turns with `recv`, while messages come without a pause: the numbers have no gap."""
    with connected(tls) as (ws, wire), Stop() as stop:
        counting = Task(lambda: _count(wire, stop))
        seen: list[Any] = []
        for _ in range(10):
            with ws.latest(1_000_000) as ticks:
                seen += [next(ticks) for _ in range(20)]
            seen += ticks  # what was kept when it closed
            assert not _threads()
            seen += [ws.recv() for _ in range(20)]
            assert ticks.dropped == 0
        stop.set()
        counting.result()
        assert seen == [str(number) for number in range(len(seen))]


def test_close_while_nothing_comes_leaves_the_connection_open() -> None:
    with connected() as (ws, wire):
        ticks = ws.latest(2)
        until(lambda: is_reading(ws))
        ticks.close()
        ticks.close()
        assert not _threads()
        assert list(ticks) == []
        wire.send(text("later"))
        assert ws.recv() == "later"
        ws.send("still open")
        assert wire.next_frame().data == b"still open"


def test_close_wakes_a_thread_that_iterates() -> None:
    with connected() as (ws, _):
        ticks = ws.latest(1)
        iterating = Task(lambda: list(ticks))
        ticks.close()
        assert iterating.result() == []


@both_ways
def test_dropping_the_last_reference_ends_the_thread_and_loses_nothing(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        wire.send(text("first"))
        for tick in ws.latest(1):
            assert tick == "first"
            break
        gc.collect()
        until(lambda: not _threads())
        wire.send(text("second"))
        assert ws.recv() == "second"


def test_dropping_all_ends_the_thread_and_closes_the_connection() -> None:
    with Peer() as peer:
        accepting = Task(peer.accept)
        ticks = client(peer).latest(1)
        wire = accepting.result()
        wire.send(text("the iterator alone keeps it open"))
        assert next(ticks) == "the iterator alone keeps it open"
        del ticks
        wire.expect_end()
        until(lambda: not _threads())


def test_a_second_one_is_refused_while_the_first_reads() -> None:
    with connected() as (ws, wire):
        first = ws.latest(1)
        with pytest.raises(RuntimeError, match="close"):
            ws.latest(1)
        wire.send(text("for the first"))
        assert next(first) == "for the first"
        first.close()
        with ws.latest(1) as second:
            wire.send(text("for the second"))
            assert next(second) == "for the second"
        assert list(first) == []


def test_a_second_one_follows_at_once_on_one_that_was_dropped() -> None:
    with connected() as (ws, wire):
        for word in ("one", "two", "three"):
            wire.send(text(word))
            assert next(ws.latest(1)) == word


@pytest.mark.parametrize("n", [0, -1])
def test_n_is_at_least_one(n: int) -> None:
    with connected() as (ws, _), pytest.raises(ValueError, match=r"n is -?\d, expected"):
        ws.latest(n)


@pytest.mark.parametrize("n", [None, 1.5, "3"])
def test_n_is_a_whole_number(n: Any) -> None:
    with connected() as (ws, _), pytest.raises(TypeError):
        ws.latest(n)


def test_without_a_connection_it_raises() -> None:
    with pytest.raises(websocket.WebSocketConnectionClosedException):
        websocket.WebSocket().latest(1)


def test_silence_raises_by_the_timeout_and_the_iteration_goes_on() -> None:
    with connected(timeout=0.05) as (ws, wire), ws.latest(1) as ticks:
        for _ in range(2):
            with pytest.raises(websocket.WebSocketTimeoutException, match=r"within 0\.05 s"):
                next(ticks)
        ws.settimeout(PATIENCE)
        wire.send(text("after all"))
        assert next(ticks) == "after all"
        ws.settimeout(0)
        with pytest.raises(BlockingIOError):
            next(ticks)
        assert ws.connected


def test_any_number_of_threads_may_iterate() -> None:
    """Each message goes to one of them."""
    with connected() as (ws, wire):
        ticks = ws.latest(1000)
        tasks = [Task(lambda: list(ticks)) for _ in range(4)]
        wire.send(b"".join(text(str(number)) for number in range(1000)) + frame(8, b"\x03\xe8"))
        seen = [int(tick) for task in tasks for tick in task.result()]
        assert sorted(seen) == list(range(1000))


def test_sending_goes_on_and_pings_are_answered() -> None:
    with connected() as (ws, wire), ws.latest(1) as ticks:
        wire.send(frame(9, b"are you there"))
        assert wire.next_frame() == (True, 10, b"are you there")
        ws.send("hello")
        assert wire.next_frame() == (True, TEXT, b"hello")
        waiter = ws.ping("measure")
        assert wire.next_frame() == (True, 9, b"measure")
        wire.send(frame(10, b"measure") + text("and a tick"))
        assert waiter.wait(PATIENCE) >= 0
        assert next(ticks) == "and a tick"


def test_messages_are_whole_however_they_come() -> None:
    """`fire_cont_frame` is about `recv`."""
    with connected(fire_cont_frame=True) as (ws, wire), ws.latest(1) as ticks, Stop() as stop:
        wire.send(frame(TEXT, b"in ", False) + frame(CONT, b"two ", False))
        wire.drip(frame(CONT, b"and a half"), stop, 0.001)
        assert next(ticks) == "in two and a half"


def test_text_that_is_none_raises_where_it_was_not_checked_before() -> None:
    with connected(skip_utf8_validation=True) as (ws, wire), ws.latest(2) as ticks:
        wire.send(frame(TEXT, b"\xff") + text("fine"))
        with pytest.raises(websocket.WebSocketPayloadException):
            next(ticks)
        assert next(ticks) == "fine"


def test_what_a_subclass_overrides_is_used() -> None:
    class Shouting(websocket.WebSocket):
        def recv_frame(self) -> websocket.ABNF:
            seen = super().recv_frame()
            if seen.opcode == TEXT:
                seen.data = seen.data.upper()
            return seen

    with connected(class_=Shouting) as (ws, wire), ws.latest(1) as ticks:
        wire.send(text("quiet"))
        assert next(ticks) == "QUIET"


@pytest.fixture
def _often() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """Garbage is collected all the time."""
    before = gc.get_threshold()
    gc.set_threshold(1)
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("_often")
def test_many_that_are_dropped_under_load_all_end() -> None:
    with connected() as (ws, wire), Stop() as stop:
        counting = Task(lambda: _count(wire, stop))
        last = -1
        for _ in range(20):
            number = int(next(ws.latest(1)))
            assert number > last
            last = number
        stop.set()
        counting.result()
        until(lambda: not _threads())
