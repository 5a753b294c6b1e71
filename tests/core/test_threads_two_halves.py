"""Sentences 1 and 2 about threads: the halves share nothing; read lock, then write lock."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from raw_peer import (
    BINARY,
    Task,
    blocked_reader,
    blocked_writer,
    both_ways,
    connected,
    frame,
    is_writing,
    stuck,
    text,
)


@both_ways
def test_a_blocked_writer_does_not_stop_the_reader(tls: bool) -> None:
    """The peer does not read; what it sends arrives all the same."""
    with stuck(tls, timeout=30) as (ws, wire):
        writer = blocked_writer(ws)
        for number in range(200):
            wire.send(text(f"message {number}"))
            assert ws.recv() == f"message {number}"
        assert writer.running
        ws.shutdown()
        assert isinstance(writer.exception(), ConnectionError)


@both_ways
def test_a_waiting_reader_does_not_stop_writers(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        reader = blocked_reader(ws)
        for number in range(200):
            ws.send(f"{number}")
            assert wire.next_frame().data == b"%d" % number
        assert reader.running
        wire.send(text("at last"))
        assert reader.result() == "at last"


@both_ways
def test_a_reader_in_mid_frame_does_not_stop_writers(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        whole = frame(BINARY, bytes(70_000))
        wire.send(whole[:40_000])
        reader = blocked_reader(ws)
        ws.send("meanwhile")
        assert wire.next_frame().data == b"meanwhile"
        wire.send(whole[40_000:])
        assert reader.result() == bytes(70_000)


class _Ordered:
    """A lock that notes whoever waits for it while holding `inner`: the wrong order."""

    def __init__(self, lock: Any, inner: Any, offences: list[str]):
        self._lock, self._inner, self._offences = lock, inner, offences

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if blocking and self._inner._is_owned() and not self._lock._is_owned():
            self._offences.append(threading.current_thread().name)
        taken: bool = self._lock.acquire(blocking, timeout)
        return taken

    def release(self) -> None:
        self._lock.release()

    def _is_owned(self) -> bool:
        return bool(self._lock._is_owned())

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


@both_ways
def test_nobody_who_holds_the_write_lock_waits_for_the_read_lock(tls: bool) -> None:
    """Seen over everything that a connection does: messages, pings, the hatch, the end."""
    with connected(tls) as (ws, wire):
        connection: Any = ws._connection
        offences: list[str] = []
        connection.read_lock = _Ordered(connection.read_lock, connection.write_lock, offences)
        connection.stream.share_locks(connection.read_lock, connection.write_lock)
        reader = blocked_reader(ws)
        wire.send(frame(9, b"ping") + text("one"))
        assert reader.result() == "one"
        ws.send("data")
        ws.send(part for part in ("in ", "parts"))
        ws.ping()
        assert ws.sock is not None
        reader = blocked_reader(ws)
        closing = Task(lambda: ws.close(timeout=0.2))
        closing.result()
        assert isinstance(reader.exception(), ConnectionError)
        assert offences == []


@both_ways
def test_a_read_inside_of_a_read_of_the_same_thread_is_refused(tls: bool) -> None:
    """Only a signal handler or a callback can get there; it must not spoil the read below it."""
    with connected(tls, glued=text("whole")) as (ws, _):
        connection: Any = ws._connection
        pull = connection.receiver.next_message
        refused: list[BaseException] = []

        def nosy() -> Any:
            if not refused:
                with pytest.raises(RuntimeError) as caught:
                    ws.recv()
                refused.append(caught.value)
            return pull()

        assert connection.receive(nosy).data == b"whole"
        assert refused


@both_ways
def test_a_send_inside_of_a_send_of_the_same_thread_is_refused(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        refused: list[BaseException] = []

        def key(size: int) -> bytes:
            if not refused:
                with pytest.raises(RuntimeError) as caught:
                    ws.send("inner")
                refused.append(caught.value)
            return b"abcd"

        ws.set_mask_key(key)
        ws.send("outer")
        assert refused
        assert wire.next_frame().data == b"outer"
        assert not is_writing(ws)
