"""`ws.stats()`: exactly what was sent and received, by whatever verb; what waits does not count."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from raw_peer import (
    BINARY,
    CONT,
    PING,
    PONG,
    TEXT,
    Peer,
    Task,
    blocked_reader,
    both_ways,
    client,
    close_frame,
    connected,
    frame,
    text,
    until,
)

import websocket
from websocket import ABNF, Stats
from websocket.testing import serve

SIZES = [0, 1, 125, 126, 65535, 65536, 1 << 20]


def _sent(ws: websocket.WebSocket) -> tuple[int, int, int]:
    stats = ws.stats()
    return stats.messages_sent, stats.payload_bytes_sent, stats.wire_bytes_sent


def _received(ws: websocket.WebSocket) -> tuple[int, int, int]:
    stats = ws.stats()
    return stats.messages_received, stats.payload_bytes_received, stats.wire_bytes_received


@both_ways
@pytest.mark.parametrize("size", SIZES)
def test_a_message_of_each_size_is_counted_as_it_travels(tls: bool, size: int) -> None:
    with connected(tls) as (ws, wire):
        payload = b"x" * size
        received = 0
        for message in (frame(BINARY, payload), frame(TEXT, payload)):
            sending = Task(lambda message=message: wire.send(message))
            assert len(ws.recv()) == size
            sending.result()
            received += len(message)
        assert _received(ws) == (2, 2 * size, received)

        reading = Task(lambda: [wire.next_frame(), wire.next_frame()])
        sent = ws.send_bytes(payload) + ws.send("x" * size)
        assert [len(seen.data) for seen in reading.result()] == [size, size]
        assert _sent(ws) == (2, 2 * size, sent)


@both_ways
@pytest.mark.parametrize("letters", [10, 100_000])
def test_text_is_counted_in_bytes(tls: bool, letters: int) -> None:
    with connected(tls) as (ws, wire):
        sending = Task(lambda: wire.send(text("ä" * letters)))
        assert ws.recv() == "ä" * letters
        sending.result()
        reading = Task(wire.next_frame)
        sent = ws.send("ä" * letters)
        reading.result()
        assert _received(ws) == (1, 2 * letters, len(text("ä" * letters)))
        assert _sent(ws) == (1, 2 * letters, sent)


@both_ways
def test_what_waits_to_be_received_does_not_count(tls: bool) -> None:
    messages = ["one", "zwölf", "x" * 200, "last"]
    with connected(tls, glued=b"".join(map(text, messages))) as (ws, _):
        payload = wire_bytes = 0
        for number, message in enumerate(messages, 1):
            assert ws.recv() == message
            payload += len(message.encode())
            wire_bytes += len(text(message))
            assert _received(ws) == (number, payload, wire_bytes)


@both_ways
def test_what_goes_back_to_the_kernel_does_not_count(tls: bool) -> None:
    with connected(tls, glued=text("one") + text("two") + text("three")) as (ws, _):
        assert ws.recv() == "one"
        ws.fileno()  # the hatch opens
        assert _received(ws) == (1, 3, 5)
        assert [ws.recv(), ws.recv()] == ["two", "three"]
        assert _received(ws) == (3, 11, 17)


def test_a_message_of_the_wrong_kind_counts_when_it_is_taken() -> None:
    with connected(glued=text("one") + text("two")) as (ws, _):
        with pytest.raises(TypeError):
            ws.recv_bytes()
        assert _received(ws)[:2] == (0, 0)
        assert [ws.recv(), ws.recv()] == ["one", "two"]
        assert _received(ws) == (2, 6, 10)


@both_ways
def test_fragments_are_one_message_and_pings_are_none(tls: bool) -> None:
    parts = (
        frame(TEXT, b"ab", False),
        frame(PING, b"?"),
        frame(CONT, b"", False),
        frame(CONT, b"c" * 300),
    )
    with connected(tls, glued=b"".join(parts)) as (ws, wire):
        assert ws.recv() == "ab" + "c" * 300
        assert _received(ws) == (1, 302, sum(map(len, parts)))
        pong = wire.next_frame()
        assert (pong.opcode, pong.data) == (PONG, b"?")
        sent = ws.send(["a", "bc", "d" * 70_000])
        for _ in range(3):
            wire.next_frame()
        assert _sent(ws) == (1, 70_003, sent + 7)
        stats = ws.stats()
        assert (stats.pings_received, stats.pongs_sent) == (1, 1)
        assert (stats.pings_sent, stats.pongs_received) == (0, 0)


def test_a_message_under_way_counts_its_bytes_as_they_are_handed_out() -> None:
    with connected() as (ws, wire):
        whole = frame(BINARY, bytes(100_000))
        wire.send(whole[:60_000])
        pieces = ws.recv_streaming()
        have = len(next(pieces))
        assert _received(ws)[:2] == (0, have)
        wire.send(whole[60_000:])
        have += sum(map(len, pieces))
        assert have == 100_000
        assert _received(ws) == (1, 100_000, len(whole))


def test_fragments_that_are_received_one_by_one() -> None:
    parts = frame(TEXT, b"a", False) + frame(CONT, b"b", False) + frame(CONT, b"c")
    with connected(glued=parts, fire_cont_frame=True) as (ws, _):
        for expected in ((0, 1, 3), (0, 2, 6), (1, 3, 9)):
            ws.recv_data_frame()
            assert _received(ws) == expected


@both_ways
def test_frames_of_ones_own(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        own = ABNF.create_frame("x" * 126, ABNF.OPCODE_TEXT)
        bare = ABNF(1, 0, 0, 0, ABNF.OPCODE_BINARY, 0, b"bare")
        assert ws.send_frame(own) == 8 + 126
        assert ws.send_frame(bare) == 2 + 4
        assert _sent(ws) == (2, 130, 140)
        ws.send_frame(ABNF.create_frame("", ABNF.OPCODE_PING))
        assert (*_sent(ws), ws.stats().pings_sent) == (2, 130, 146, 1)
        assert wire.next_frame().data == b"x" * 126
        assert wire.take(6) == frame(BINARY, b"bare")


class _Notes(websocket.WebSocket):
    """Reads and writes by its own hands, as programs do that take websocket-client apart."""

    def recv_frame(self) -> ABNF:
        return super().recv_frame()

    def _send(self, data: bytes) -> int:
        return super()._send(data[:1000])


class _Loner(_Notes):
    """Has no need of ours at all."""

    def recv_frame(self) -> ABNF:
        return ABNF(1, 0, 0, 0, ABNF.OPCODE_TEXT, 0, b"made up")

    def _send(self, data: bytes) -> int:
        return len(data)


def test_receiving_by_parts() -> None:
    parts = frame(TEXT, b"a", False) + frame(PING, b"") + frame(CONT, b"b" * 130) + text("next")
    with connected(glued=parts, class_=_Notes) as (ws, _):
        assert [ws.recv(), ws.recv()] == ["a" + "b" * 130, "next"]
        assert (*_received(ws), ws.stats().pings_received) == (2, 135, len(parts), 1)
    with connected(class_=_Loner) as (ws, _):
        assert ws.recv() == "made up"
        assert _received(ws) == (1, 7, 9)


def test_writing_by_parts() -> None:
    with connected(class_=_Loner) as (ws, _):
        ws.send_frame(ABNF.create_frame("made up", ABNF.OPCODE_TEXT))
        assert _sent(ws) == (1, 7, 13)


@both_ways
def test_what_could_not_be_sent_does_not_count(tls: bool) -> None:
    with connected(tls) as (ws, _):
        with pytest.raises(UnicodeEncodeError):
            ws.send("\ud800")
        with pytest.raises(TypeError):
            ws.send(["a", b"b"])
        assert _sent(ws) == (0, 0, 0)


@both_ways
def test_what_close_discards_was_never_received(tls: bool) -> None:
    ahead = text("one") + text("two") + text("three")
    behind = text("late") + frame(BINARY, b"la", False) + frame(CONT, b"ter")
    with connected(tls, glued=ahead) as (ws, wire):
        assert ws.recv() == "one"
        wire.send(behind + close_frame(1000))
        ws.close()
        assert ws.closed
        stats = ws.stats()
        assert (stats.messages_received, stats.payload_bytes_received) == (1, 3)
        # All of it has travelled.
        assert stats.wire_bytes_received == len(ahead + behind + close_frame(1000))
        assert stats.wire_bytes_sent == 6 + 2


def test_after_the_end_and_before_the_first_connection() -> None:
    assert websocket.WebSocket().stats() == Stats()
    before = time.time()
    with connected(glued=text("x")) as (ws, wire):
        ws.send("abc")
        ws.recv()
        wire.hang_up()
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            ws.recv()
        stats = ws.stats()
        assert (stats.messages_sent, stats.messages_received) == (1, 1)
        assert stats.opened_at is not None
        assert before <= stats.opened_at <= time.time()
        assert stats.seconds_open == ws.stats().seconds_open, "it goes on after the end"


def test_a_new_connection_begins_anew() -> None:
    with Peer() as peer:
        accepting = Task(peer.accept)
        ws = client(peer)
        accepting.result()
        ws.send("abc")
        first = ws.stats()
        accepting = Task(peer.accept)
        ws.connect(peer.url)
        accepting.result()
        assert _sent(ws) == (0, 0, 0)
        assert first.messages_sent == 1  # a snapshot stays what it was
        ws.shutdown()


@both_ways
def test_round_trips(tls: bool) -> None:
    with connected(tls) as (ws, wire):
        assert ws.stats().last_round_trip is None
        for answer in (b"1", b"2"):
            waiter = ws.ping(answer)
            assert wire.next_frame().data == answer
            wire.send(frame(PONG, answer) + text("go on"))
            assert ws.recv() == "go on"
            last = waiter.wait(0)
        wire.send(frame(PONG, b"that nobody asked for") + text("go on"))
        ws.recv()
        stats = ws.stats()
        assert (stats.round_trips, stats.pings_sent, stats.pongs_received) == (2, 2, 3)
        assert stats.last_round_trip == last == ws.latency
        shortest, mean = stats.shortest_round_trip, stats.mean_round_trip
        assert shortest is not None
        assert mean is not None
        assert stats.longest_round_trip is not None
        assert 0 <= shortest <= mean <= stats.longest_round_trip
        assert mean == pytest.approx((shortest + stats.longest_round_trip) / 2)


def test_keepalive_pings_count_too() -> None:
    with connected(ping_interval=0.05, ping_timeout=10) as (ws, wire):
        reader = blocked_reader(ws)
        wire.send(frame(PONG, wire.next_frame().data))
        until(lambda: ws.stats().round_trips == 1)
        assert ws.stats().pings_sent >= 1
        wire.send(text("enough"))
        assert reader.result() == "enough"


def test_compression() -> None:
    with serve(compression="deflate") as server:
        ws = websocket.create_connection(server.url, compression="deflate")
        with ws:
            message = "the same again " * 2000
            assert ws.stats().compression_ratio_sent is None
            sent = ws.send(message)
            assert ws.recv() == message
            stats = ws.stats()
            assert stats.payload_bytes_sent == stats.payload_bytes_received == len(message)
            header = 8 if sent > 131 else 6
            assert stats.compression_ratio_sent == len(message) / (sent - header)
            assert stats.compression_ratio_received is not None
            assert stats.compression_ratio_received > 10
            sent += ws.send("as it is", compress=False) + ws.send(["in ", "fragments"])
            assert _sent(ws) == (3, len(message) + 8 + 12, sent)
            assert [ws.recv(), ws.recv()] == ["as it is", "in fragments"]
            assert _received(ws)[:2] == (3, len(message) + 8 + 12)


def test_no_ratio_without_compression() -> None:
    with connected(glued=text("x")) as (ws, _):
        ws.send("x")
        ws.recv()
        stats = ws.stats()
        assert (stats.compression_ratio_sent, stats.compression_ratio_received) == (None, None)


def test_the_snapshot_as_a_dict_goes_through_json() -> None:
    with connected(glued=text("x")) as (ws, _):
        ws.recv()
        stats = ws.stats()
        told: dict[str, Any] = json.loads(json.dumps(stats.as_dict()))
        assert told == stats.as_dict()
        assert told["messages_received"] == stats.messages_received == 1
        assert all(getattr(stats, name) == value for name, value in told.items())


@both_ways
def test_a_look_from_another_thread_never_goes_back(tls: bool) -> None:
    """While one thread receives and another sends."""
    number = 20_000
    with connected(tls) as (ws, wire):
        done = threading.Event()

        def look() -> Stats:
            before = ws.stats()
            while not done.is_set():
                now = ws.stats()
                for name in ("messages_received", "payload_bytes_sent", "wire_bytes_sent"):
                    assert getattr(now, name) >= getattr(before, name), name
                assert now.messages_received <= number
                before = now
            return ws.stats()

        looking = Task(look)
        answering = Task(lambda: [wire.next_frame() for _ in range(200)])
        sending = Task(lambda: wire.send(text("tick") * number))
        sender = Task(lambda: [ws.send("x" * size) for size in range(200)])
        for _ in range(number):
            ws.recv()
        for task in (answering, sending, sender):
            task.result()
        done.set()
        stats = looking.result()
        assert (stats.messages_received, stats.wire_bytes_received) == (number, 6 * number)
        assert (stats.messages_sent, stats.payload_bytes_sent) == (200, sum(range(200)))
