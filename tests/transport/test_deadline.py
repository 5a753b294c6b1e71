"""Promise: a wait ends at its instant, or when any thread, or a signal handler, calls it off."""

from __future__ import annotations

import signal
import socket
import threading
import time

import pytest

from websocket._exceptions import WebSocketConnectionClosedException, WebSocketTimeoutException
from websocket._transport.deadline import Attempt, Deadline


def test_without_a_limit_nothing_ever_expires() -> None:
    for deadline in (Deadline(None), Deadline(float("inf"))):
        assert deadline.at is None
        assert deadline.remaining() is None
        assert not deadline.expired


def test_a_deadline_is_an_instant_of_the_monotonic_clock() -> None:
    before = time.monotonic()
    deadline = Deadline(60)
    assert deadline.at is not None
    assert before + 60 <= deadline.at <= time.monotonic() + 60
    remaining = deadline.remaining()
    assert remaining is not None
    assert 0 < remaining <= 60
    assert not deadline.expired


@pytest.mark.parametrize("seconds", [0, -5])
def test_a_deadline_that_has_passed_has_nothing_left_and_never_less(seconds: float) -> None:
    deadline = Deadline(seconds)
    assert deadline.expired
    assert deadline.remaining() == 0.0


def test_check_says_what_was_cut_by_the_deadline() -> None:
    attempt = Attempt(Deadline(0))
    with pytest.raises(WebSocketTimeoutException, match="after 0 s while looking for it"):
        attempt.check("looking for it")


def test_check_is_silent_while_there_is_time() -> None:
    Attempt(Deadline(60)).check()
    Attempt(Deadline(None)).check()


def test_a_cancelled_attempt_says_closed_even_after_its_deadline() -> None:
    attempt = Attempt(Deadline(0))
    attempt.cancel()
    assert attempt.cancelled
    with pytest.raises(WebSocketConnectionClosedException, match="closed while connecting"):
        attempt.check()


def test_cancel_shuts_the_watched_socket_down_and_leaves_others_alone() -> None:
    watched, its_peer = socket.socketpair()
    dropped, other_peer = socket.socketpair()
    with watched, its_peer, dropped, other_peer:
        attempt = Attempt(Deadline(None))
        attempt.watch(watched)
        attempt.watch(dropped)
        attempt.unwatch(dropped)
        attempt.cancel()
        assert its_peer.recv(1) == b""
        other_peer.sendall(b"x")
        assert dropped.recv(1) == b"x"
        assert watched.fileno() >= 0, "the last one out closes, not the canceller"


def test_watching_on_a_cancelled_attempt_raises_and_keeps_nothing() -> None:
    sock, peer = socket.socketpair()
    with sock, peer:
        attempt = Attempt(Deadline(None))
        attempt.cancel()
        with pytest.raises(WebSocketConnectionClosedException):
            attempt.watch(sock)
        attempt.cancel()
        peer.sendall(b"x")
        assert sock.recv(1) == b"x"


def test_cancel_may_be_repeated_and_forgives_sockets_that_are_closed() -> None:
    attempt = Attempt(Deadline(None))
    sock = socket.socket()
    attempt.watch(sock)
    sock.close()
    attempt.cancel()
    attempt.cancel()
    attempt.unwatch(sock)
    attempt.unwatch(sock)


def test_a_socket_that_is_no_socket_is_shut_down_by_its_own_method() -> None:
    """Users pass test doubles and wrapped sockets as `socket=`."""

    class Double:
        how: int | None = None

        def shutdown(self, how: int, /) -> None:
            self.how = how

    double = Double()
    attempt = Attempt(Deadline(None))
    attempt.watch(double)
    attempt.cancel()
    assert double.how == socket.SHUT_RDWR


@pytest.mark.parametrize("wake", ["cancel", "ring"])
def test_another_thread_ends_a_wait_without_limit(wake: str) -> None:
    attempt = Attempt(Deadline(None))
    thread = threading.Thread(target=getattr(attempt, wake))
    thread.start()
    attempt.wait()  # a hang here is the failure: pytest-timeout reports it
    thread.join()
    assert attempt.cancelled == (wake == "cancel")


def test_a_ring_before_the_wait_is_not_lost_and_counts_once() -> None:
    attempt = Attempt(Deadline(0.05))
    attempt.ring()
    attempt.ring()
    attempt.wait()
    assert not attempt.deadline.expired, "the bell had been rung: no wait"
    attempt.wait()
    assert attempt.deadline.expired, "one bell: two rings are one"


def test_a_wait_ends_at_the_deadline_or_after_its_own_seconds() -> None:
    start = time.monotonic()
    Attempt(Deadline(0.05)).wait()
    Attempt(Deadline(0.05)).wait(600)
    Attempt(Deadline(None)).wait(0.05)
    Attempt(Deadline(1e12)).wait(0.05)
    assert 0.15 <= time.monotonic() - start < 60


def test_a_signal_handler_may_cancel_the_wait_that_it_interrupted() -> None:
    """House, thread sentence 4: `close()` may come from a signal handler on the same stack."""
    attempt = Attempt(Deadline(None))
    watched, peer = socket.socketpair()

    def handler(number: int, frame: object) -> None:
        attempt.cancel()

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with watched, peer:
            attempt.watch(watched)
            main = threading.main_thread().ident
            assert main is not None
            threading.Thread(target=signal.pthread_kill, args=(main, signal.SIGUSR1)).start()
            while not attempt.cancelled:
                attempt.wait()
            assert peer.recv(1) == b""
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_socket_is_never_shut_down_after_unwatch_returned() -> None:
    """Else a descriptor number that was given out anew could be hit by a late shutdown."""

    class Slow:
        def __init__(self) -> None:
            self.inside = threading.Event()
            self.go_on = threading.Event()
            self.done = False

        def shutdown(self, how: int, /) -> None:
            self.inside.set()
            self.go_on.wait()
            self.done = True

    slow = Slow()
    attempt = Attempt(Deadline(None))
    attempt.watch(slow)
    done_at_unwatch: list[bool] = []

    def unwatch() -> None:
        attempt.unwatch(slow)
        done_at_unwatch.append(slow.done)

    canceller, owner = threading.Thread(target=attempt.cancel), threading.Thread(target=unwatch)
    canceller.start()
    slow.inside.wait()
    owner.start()
    owner.join(0.2)
    early = list(done_at_unwatch)
    slow.go_on.set()
    canceller.join()
    owner.join()
    assert early == [], "unwatch waits for the shutdown under way"
    assert done_at_unwatch == [True]
