"""Sentence 1 at full speed: a healthy connection stays healthy whatever the threads do."""

from __future__ import annotations

import threading
from typing import Any

from raw_peer import PING, TEXT, Task, Wire, both_ways, connected, frame, text

_MANY = 100_000


def _read_all(wire: Wire, count: int) -> list[bytes]:
    return [wire.next_frame().data for _ in range(count)]


@both_ways
def test_a_hundred_thousand_messages_in_two_threads(tls: bool) -> None:
    """websocket-client 1.9.2 lost half of its healthy connections in such an exchange over wss."""
    with connected(tls, timeout=30) as (ws, wire):
        half = _MANY // 2

        def write() -> None:
            for number in range(half):
                ws.send(f"{number}")

        def feed() -> None:
            for begin in range(0, half, 50):
                wire.send(b"".join(text(f"<{n}>") for n in range(begin, begin + 50)))

        writing, feeding = Task(write), Task(feed)
        reading = Task(lambda: _read_all(wire, half))
        for number in range(half):
            assert ws.recv() == f"<{number}>"
        writing.result(50)
        feeding.result(50)
        assert reading.result(50) == [b"%d" % number for number in range(half)]
        assert ws.connected


@both_ways
def test_three_writers_and_a_reader(tls: bool) -> None:
    """Frames never interleave, and each thread's messages keep their order."""
    count = 1500
    with connected(tls, timeout=30) as (ws, wire):

        def write(name: str) -> None:
            for number in range(count):
                filling = name * (1 + number % 7 * 3000)
                ws.send(f"{name} {number} {filling}")

        tasks = [Task(lambda n=name: write(n)) for name in "abc"]

        def read() -> None:
            while ws.recv() != "end":
                pass

        reading = Task(read)
        following = dict.fromkeys("abc", 0)
        # Some for each of ours: a peer who floods from another thread of this process would fight
        # with the writers for the GIL.
        news = (frame(PING, b"?") + text("news")) * 5
        while sum(following.values()) < 3 * count:
            seen = wire.next_frame()
            assert seen.fin
            if seen.opcode == TEXT:
                name, number, filling = seen.data.decode().split(" ")
                assert int(number) == following[name]
                assert filling == name * (1 + following[name] % 7 * 3000)
                following[name] += 1
                wire.send(news)
            else:
                assert seen.data == b"?"
        for task in tasks:
            task.result()
        draining = Task(wire.frames)
        wire.send(text("end"))
        reading.result()
        ws.shutdown()
        draining.result()


@both_ways
def test_many_readers_get_each_message_once(tls: bool) -> None:
    count = 3000
    with connected(tls, timeout=30) as (ws, wire):
        lock = threading.Lock()
        got: list[str] = []

        def read() -> None:
            while True:
                message = ws.recv()
                if message == "end":
                    return
                with lock:
                    got.append(str(message))

        tasks = [Task(read) for _ in range(4)]
        wire.send(b"".join(text(str(number)) for number in range(count)) + text("end") * 4)
        for task in tasks:
            task.result()
        assert sorted(map(int, got)) == list(range(count))


@both_ways
def test_large_messages_both_ways_at_once(tls: bool) -> None:
    """Neither half waits for the other, with both kernels' buffers full."""
    size = 8 << 20
    with connected(tls, timeout=30) as (ws, wire):
        payload = bytes(range(256)) * (size // 256)
        sending = Task(lambda: ws.send_bytes(payload))
        receiving: Task[Any] = Task(ws.recv)
        feeding = Task(lambda: wire.send(frame(2, payload)))
        assert wire.next_frame().data == payload
        assert receiving.result() == payload
        sending.result()
        feeding.result()
