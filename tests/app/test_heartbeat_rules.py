"""Promise: a dead peer is noticed within interval + timeout, never a false alarm.

`Heartbeat` and `turn` are functions of the time that they are given, so nobody waits here.
"""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest
from hypothesis import given, strategies as st

from websocket import _keepalive
from websocket._keepalive import Heartbeat, turn, watch

GRACE = 0.05
STEP = 0.01


class Fake:
    """A connection as the timer sees it."""

    def __init__(
        self, interval: float = 10, timeout: float | None = 4, payload: bytes | None = None
    ):
        self.heartbeat = Heartbeat(interval, timeout, 0.0, payload)
        self.over = False
        self.sent: list[tuple[float, bytes]] = []
        self.in_kernel = 0
        self.read = 0
        self.dead_at: float | None = None
        self.now = 0.0

    def send_ping(self, payload: bytes) -> None:
        self.sent.append((self.now, payload))

    def unread(self) -> int:
        return self.in_kernel

    def consumed(self) -> int:
        return self.read

    def pong_missed(self) -> None:
        self.dead_at = self.now
        self.over = True

    def run(self, until: float) -> None:
        """Take the turns as the timer would, exactly when they are due."""
        due: float | None = max(self.heartbeat.due(), self.now)
        while due is not None and due <= until:
            self.now = due
            due = turn(self, due)
        self.now = until

    def pong(self, payload: bytes, at: float) -> float | None:
        self.run(at)
        return self.heartbeat.pong(payload, at)


def test_pings_are_sent_every_interval_from_the_first_one_on() -> None:
    """The first ping comes an interval after the connection; no drift."""
    fake = Fake(10, None)
    fake.run(100)
    assert [at for at, _ in fake.sent] == pytest.approx([10 * n for n in range(1, 11)])
    assert fake.dead_at is None  # without a timeout nobody dies


def test_random_payloads_differ() -> None:
    """Payload None draws one each time."""
    fake = Fake(10, None)
    fake.run(100)
    assert len({payload for _, payload in fake.sent}) == 10


def test_a_silent_peer_is_dead_after_the_timeout() -> None:
    """10 + 4 seconds, and a moment in which the pong may be in the bytes that are being read."""
    fake = Fake()
    fake.run(100)
    assert fake.dead_at == pytest.approx(14 + GRACE, abs=0.06)
    assert len(fake.sent) == 1


def test_a_pong_in_time_keeps_it_alive_and_is_measured() -> None:
    """Round trips are seconds between ping and pong."""
    fake = Fake(10, 4)
    for n in range(1, 6):
        fake.run(10 * n)
        assert fake.pong(fake.sent[-1][1], 10 * n + 3.5) == pytest.approx(3.5)
    assert fake.dead_at is None


def test_a_pong_with_another_payload_says_nothing() -> None:
    """Nor does one that nobody has asked for."""
    fake = Fake()
    assert fake.pong(b"unasked", 5) is None
    fake.run(10)
    assert fake.pong(b"wrong", 11) is None
    fake.run(100)
    assert fake.dead_at == pytest.approx(14 + GRACE, abs=0.06)


def test_a_pong_to_a_later_ping_answers_the_earlier_ones() -> None:
    """RFC 6455 5.5.3: a peer may answer only the most recent ping."""
    fake = Fake(10, 35)
    fake.run(30)
    assert fake.pong(fake.sent[2][1], 31) == pytest.approx(1)
    fake.run(64)
    assert fake.dead_at is None
    fake.run(100)
    assert fake.dead_at == pytest.approx(75 + GRACE, abs=0.06)  # the ping at 40


def test_a_pong_to_an_earlier_ping_does_not_answer_a_later_one() -> None:
    """The later one still has to be answered in its time."""
    fake = Fake(10, 35)
    fake.run(20)
    assert fake.pong(fake.sent[0][1], 21) == pytest.approx(11)
    fake.run(100)
    assert fake.dead_at == pytest.approx(55 + GRACE, abs=0.06)


def test_one_pong_answers_all_pings_of_the_same_payload() -> None:
    """With the payload of an app, "", nobody can tell which one was meant: a slow reader must not
    take the answer to the newest for an answer to the oldest alone."""
    fake = Fake(10, 4, b"")
    fake.in_kernel = 2  # the pong: our reader is in a slow callback
    fake.run(35)
    assert len(fake.sent) == 3
    assert fake.pong(b"", 35) is not None
    fake.read, fake.in_kernel = 2, 0
    fake.run(39.9)
    assert fake.dead_at is None


def test_a_reader_that_is_behind_delays_the_verdict() -> None:
    """While what had arrived at the deadline is not consumed, the pong may be in it."""
    fake = Fake()
    fake.in_kernel = 100
    fake.run(50)
    assert fake.dead_at is None
    fake.read = 99
    fake.run(51)
    assert fake.dead_at is None
    fake.read = 100  # all of it, and no pong; that there are new bytes does not matter
    fake.run(52)
    assert fake.dead_at == pytest.approx(51 + GRACE, abs=GRACE + 0.02)


def test_data_without_a_pong_is_no_sign_of_life() -> None:
    """A peer that sends and sends and never answers is noticed all the same."""
    fake = Fake()
    at = 0.0
    while fake.dead_at is None and at < 20:
        at += STEP
        fake.in_kernel = 50  # there always is something to read
        fake.read += 50
        fake.run(at)
    assert fake.dead_at is not None
    assert fake.dead_at < 14.5


def test_nothing_unread_is_enough_for_the_verdict() -> None:
    """A reader stuck in mid-frame, or nobody who reads: consumed stays below what was counted."""
    fake = Fake()
    fake.in_kernel = 7
    fake.run(20)
    fake.in_kernel = 0
    fake.run(21)
    assert fake.dead_at is not None


def test_a_process_that_was_held_up_gives_the_peer_its_time() -> None:
    """A callback in C that kept the GIL, or SIGSTOP: the ping goes late and counts from then on."""
    fake = Fake(10, 4)
    fake.now = 60.0
    due = turn(fake, 60.0)
    assert [at for at, _ in fake.sent] == [60.0]
    assert due == pytest.approx(64)
    fake.run(63.9)
    assert fake.dead_at is None
    assert len(fake.sent) == 1  # no burst
    fake.run(80)
    assert fake.dead_at == pytest.approx(64 + GRACE, abs=0.06)


def test_a_pong_that_comes_while_suspected_clears_the_suspicion() -> None:
    """For that there is a moment of grace."""
    fake = Fake()
    fake.run(14 + GRACE / 2)
    assert fake.dead_at is None
    assert fake.pong(fake.sent[0][1], 14 + GRACE / 2) is not None
    fake.run(23)
    assert fake.dead_at is None


def test_without_a_timeout_unanswered_pings_cost_no_memory() -> None:
    """A server that never answers, for a year."""
    fake = Fake(1, None)
    fake.run(1000)
    assert len(fake.heartbeat._unanswered) <= 16


@given(
    interval=st.floats(0.5, 100),
    part=st.floats(0.01, 0.99),
    answers=st.integers(0, 5),
    delay=st.floats(0, 0.99),
)
def test_a_death_is_noticed_in_time_and_no_life_is_taken(
    interval: float, part: float, answers: int, delay: float
) -> None:
    """Whenever the peer dies, the verdict comes within interval + timeout + 0.5 s of its last
    answer's ping, and never before the timeout."""
    timeout = interval * part
    fake = Fake(interval, timeout)
    for n in range(1, answers + 1):
        fake.run(interval * n * (1 + 1e-9))
        assert fake.dead_at is None
        fake.pong(fake.sent[-1][1], fake.now + timeout * delay)
    fake.run(interval * (answers + 3))
    assert fake.dead_at is not None
    due = interval * (answers + 1) + timeout
    assert due <= fake.dead_at * (1 + 1e-6)
    assert fake.dead_at <= due * (1 + 1e-6) + 0.5


@given(st.lists(st.tuples(st.sampled_from("tpw"), st.floats(0, 5)), max_size=40))
def test_a_peer_that_answers_each_ping_at_once_never_dies(events: list[tuple[str, float]]) -> None:
    """Whatever the times, and whatever unasked pongs it sends in between."""
    fake = Fake(3, 2)
    answered = 0
    for kind, seconds in events:
        end = fake.now + seconds
        while True:
            due = max(fake.heartbeat.due(), fake.now)
            if due > end:
                break
            fake.run(due)
            for _, payload in fake.sent[answered:]:
                fake.heartbeat.pong(payload, fake.now)
            answered = len(fake.sent)
        fake.now = end
        if kind == "w":
            fake.heartbeat.pong(b"unasked", fake.now)
    assert fake.dead_at is None


# --- the thread -----------------------------------------------------------------------------------


class Waiting(Fake):
    """One whose pings can be waited for."""

    def __init__(self, interval: float, failing: bool = False):
        super().__init__(interval, None)
        self.heartbeat._next_ping = _keepalive.time.monotonic() + interval
        self.pinged = threading.Semaphore(0)
        self.failing = failing

    def send_ping(self, payload: bytes) -> None:
        self.pinged.release()
        if self.failing:
            raise LookupError("a mask key function of the user's")


def timer_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "websocket keepalive"]


def test_a_connection_that_fails_does_not_end_the_keepalive_of_others() -> None:
    """The thread survives what a user's function does in it."""
    bad, good = Waiting(0.01, failing=True), Waiting(0.02)
    watch(bad)
    watch(good)
    for _ in range(3):
        assert good.pinged.acquire(timeout=20)
        assert bad.pinged.acquire(timeout=20)
    assert len(timer_threads()) == 1
    bad.over = good.over = True
    _keepalive.forget()


def test_ended_connections_leave_the_list_long_before_they_are_due() -> None:
    """10,000 reconnects with pings every hour must not leave 10,000 entries."""
    keeper = Waiting(3600)
    watch(keeper)
    for _ in range(500):
        fake = Waiting(3600)
        watch(fake)
        fake.over = True
        _keepalive.forget()
    assert len(_keepalive._timer._heap) < 10
    keeper.over = True
    _keepalive.forget()


def test_a_forgotten_connection_is_not_kept_alive() -> None:
    """The timer holds it weakly, and goes away when there is none left."""
    fake: Any = Waiting(3600)
    watch(fake)
    reference = weakref.ref(fake)
    del fake
    gc.collect()
    assert reference() is None
    _keepalive.forget()
    for thread in timer_threads():
        thread.join(20)
    assert timer_threads() == []
