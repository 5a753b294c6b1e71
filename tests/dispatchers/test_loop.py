"""Promise: `Loop` is the event loop that it says it is: readers, writers, timers, signals, threads.

Every verb may be called from any thread. What one callback does wrong, what a closed socket has
left behind, and a peer that does not read are nobody else's trouble.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from collections.abc import Iterator

import pytest
from helpers_loops import run

from websocket import Loop


@pytest.fixture(params=["epoll", "selectors"])
def loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Loop:
    """Once by epoll, once as where there is none."""
    if request.param == "selectors":
        monkeypatch.delattr(select, "epoll", raising=False)
    return Loop()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


# --- running --------------------------------------------------------------------------------------


def test_run_ends_when_there_is_nothing_to_wait_for(loop: Loop) -> None:
    run(loop)
    assert not loop.running


def test_stop_in_a_callback_in_a_thread_and_in_a_signal_handler(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Each ends a `run` that would go on for ever, and it can be run again."""
    loop.read(pair[0], lambda: True)
    loop.timeout(0, loop.stop)
    run(loop)
    stopper = threading.Thread(target=loop.stop)
    loop.timeout(0, stopper.start)
    run(loop)
    stopper.join()
    loop.signal(signal.SIGUSR1, loop.abort)
    # Sent by another thread, so that it arrives while the loop waits.
    sender = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
    sender.start()
    run(loop)
    sender.join()


def test_stop_before_run_does_nothing(loop: Loop) -> None:
    called: list[int] = []
    loop.stop()
    loop.timeout(0, called.append, 1)
    run(loop)
    assert called == [1]


def test_two_runs_at_once_are_refused(loop: Loop) -> None:
    refused: list[bool] = []

    def nested() -> None:
        with pytest.raises(RuntimeError, match="running already"):
            loop.run()
        refused.append(loop.here)

    loop.timeout(0, nested)
    run(loop)
    assert refused == [True]


def test_interrupts_go_on_to_the_caller_who_may_run_again(loop: Loop) -> None:
    called: list[int] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    loop.timeout(0, interrupt)
    loop.timeout(0.01, called.append, 1)
    with pytest.raises(KeyboardInterrupt):
        run(loop)
    assert not loop.running
    run(loop)
    assert called == [1]


def test_signal_handlers_are_as_before_when_run_has_ended(loop: Loop) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    heard: list[int] = []
    loop.signal(signal.SIGUSR1, lambda: heard.append(1))
    for _ in range(2):
        loop.timeout(0, signal.raise_signal, signal.SIGUSR1)
        run(loop)
        assert signal.getsignal(signal.SIGUSR1) is before
    assert heard == [1, 1]


# --- timers ---------------------------------------------------------------------------------------


def test_timers_fire_in_their_order_with_their_arguments(loop: Loop) -> None:
    called: list[tuple[int, ...]] = []
    loop.timeout(0.04, lambda *args: called.append(args), 3)
    loop.timeout(0.02, lambda *args: called.append(args), 1, 2)
    loop.timeout(None, lambda *args: called.append(args))
    run(loop)
    assert called == [(), (1, 2), (3,)]


def test_a_timer_is_repeated_while_it_returns_true(loop: Loop) -> None:
    """True itself: what merely is truthy does not count."""
    called: list[str] = []

    def three_times() -> bool:
        called.append("three")
        return called.count("three") < 3

    def once() -> str:
        called.append("once")
        return "truthy"

    for seconds in (0.0, 0.01):
        loop.timeout(seconds, three_times)
        loop.timeout(seconds, once)
        run(loop)
        assert (called.count("three"), called.count("once")) == (3, 1)
        called.clear()


def test_a_deleted_timer_does_not_fire_nor_keep_the_loop(loop: Loop) -> None:
    called: list[str] = []
    timers = [loop.timeout(100, called.append, "far"), loop.timeout(0.05, called.append, "near")]
    repeated = loop.timeout(0, lambda: repeated.delete() or True)  # in the middle of its call
    loop.timeout(0, lambda: [timer.delete() for timer in timers] and None)
    run(loop)
    assert called == []


def test_a_timer_set_by_another_thread_wakes_the_loop(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    loop.read(pair[0], lambda: True)
    setter = threading.Thread(target=loop.timeout, args=(0, loop.stop))
    loop.timeout(0, setter.start)
    run(loop)
    setter.join()


# --- readers and writers --------------------------------------------------------------------------


def test_a_reader_is_called_until_it_returns_something_falsy(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    theirs.sendall(b"abc")
    got: list[bytes] = []

    def read() -> bool:
        got.append(ours.recv(1))
        return len(got) < 2

    loop.read(ours, read)
    run(loop)
    assert got == [b"a", b"b"]


def test_readers_may_be_registered_by_other_threads(loop: Loop) -> None:
    """While the loop waits, and many at a time."""
    pairs = [socket.socketpair() for _ in range(20)]
    got: list[bytes] = []

    def register(number: int) -> None:
        ours, theirs = pairs[number]

        def read() -> None:
            got.append(ours.recv(10))
            if len(got) == len(pairs):
                loop.stop()

        loop.read(ours, read)
        theirs.send(str(number).encode())

    threads = [threading.Thread(target=register, args=(number,)) for number in range(len(pairs))]
    keep = loop.timeout(100, loop.stop)
    loop.timeout(0, lambda: [thread.start() for thread in threads] and None)
    run(loop)
    keep.delete()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(str(number).encode() for number in range(len(pairs)))
    for ours, theirs in pairs:
        ours.close()
        theirs.close()


def test_what_a_reader_raises_ends_only_that_reader(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    theirs.send(b"x")
    called: list[str] = []

    def fail() -> None:
        called.append("reader")
        raise ZeroDivisionError

    loop.read(ours, fail)
    loop.timeout(0.02, called.append, "timer")
    run(loop)
    assert called == ["reader", "timer"]


def test_a_closed_socket_keeps_nobody_waiting(loop: Loop) -> None:
    """Closed without a word to the loop: `run` ends all the same."""
    ours, theirs = socket.socketpair()
    loop.read(ours, lambda: True)
    ours.close()
    theirs.close()
    run(loop)


def test_a_recycled_number_belongs_to_the_new_socket(loop: Loop) -> None:
    """What a closed socket has left in the loop never gets, nor eats, the events of its heir."""
    got: list[str] = []
    old, peer = socket.socketpair()
    number = old.fileno()
    stale = loop.read(old, lambda: got.append("stale") or True)
    loop.buffwrite(old, b"x", lambda sock, data: got.append("stale write") or 1)
    loop.timeout(0.01, lambda: None)
    old.close()
    new, new_peer = socket.socketpair()
    assert number in (new.fileno(), new_peer.fileno())
    heir, other = (new, new_peer) if new.fileno() == number else (new_peer, new)
    loop.read(heir, lambda: got.append(heir.recv(10).decode()))
    stale.delete()  # late, and without effect
    other.send(b"fresh")
    run(loop)
    assert got == ["fresh"]
    for sock in (peer, new, new_peer):
        sock.close()


def test_a_watch_that_is_deleted_in_the_same_turn_is_not_called(loop: Loop) -> None:
    """Both are ready; whichever is called first takes the other away."""
    pairs = [socket.socketpair() for _ in range(2)]
    called: list[int] = []
    watches = []
    for number, (ours, theirs) in enumerate(pairs):

        def read(number: int = number) -> None:
            called.append(number)
            watches[1 - number].delete()

        theirs.send(b"x")
        watches.append(loop.read(ours, read))
    run(loop)
    assert len(called) == 1
    for ours, theirs in pairs:
        ours.close()
        theirs.close()


# --- buffwrite ------------------------------------------------------------------------------------


def test_buffwrite_keeps_the_order_and_loses_nothing(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Though `send` takes only a part of what it is offered, and threads add to it meanwhile."""
    ours, theirs = pair
    chunks = [bytes([number]) * 30_000 for number in range(10)]
    got = bytearray()

    def send(sock: socket.socket, data: bytes) -> int:
        return sock.send(data[:1000])

    def read() -> bool:
        got.extend(theirs.recv(1 << 16))
        return len(got) < sum(map(len, chunks))

    def give() -> None:
        for chunk in chunks[1:]:
            loop.buffwrite(ours, chunk, send)

    loop.buffwrite(ours, chunks[0], send)
    giver = threading.Thread(target=give)
    loop.timeout(0, giver.start)
    loop.read(theirs, read)
    run(loop)
    giver.join()
    assert bytes(got) == b"".join(chunks)


def test_buffwrite_tells_its_errors(loop: Loop, pair: tuple[socket.socket, socket.socket]) -> None:
    """Once; what stood behind it in the queue is dropped, other sockets go on."""
    told: list[BaseException] = []

    def fail(sock: socket.socket, data: bytes) -> int:
        raise BrokenPipeError

    loop.buffwrite(pair[0], b"x", fail, told.append)
    loop.buffwrite(pair[0], b"y", fail, told.append)
    loop.buffwrite(pair[1], b"z", lambda sock, data: sock.send(data))
    run(loop)
    assert [type(exc) for exc in told] == [BrokenPipeError]
    assert pair[0].recv(10) == b"z"


def test_a_peer_that_does_not_read_stops_nobody_else(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    """The socket blocks, the loop does not."""
    ours, theirs = pair
    total = 4_000_000
    got = 0
    loop.buffwrite(ours, bytes(total), lambda sock, data: sock.send(data))
    turns: list[int] = []

    def tick() -> bool:
        turns.append(1)
        if len(turns) == 20:
            loop.read(theirs, read)
        return len(turns) < 20

    def read() -> bool:
        nonlocal got
        got += len(theirs.recv(1 << 16))
        return got < total

    loop.timeout(0.005, tick)
    run(loop)
    assert (len(turns), got) == (20, total)


# --- helper threads -------------------------------------------------------------------------------


def test_work_in_a_helper_thread_delays_nobody(loop: Loop) -> None:
    """It runs beside the loop, its sequel in the loop's thread; `run` waits for both."""
    may_end = threading.Event()
    order: list[tuple[str, bool]] = []

    def work() -> None:
        assert may_end.wait(30)
        order.append(("work", loop.here))

    def tick() -> None:
        order.append(("tick", loop.here))
        may_end.set()

    loop.call_in_thread(work, lambda: order.append(("then", loop.here)))
    loop.timeout(0.02, tick)
    run(loop)
    assert order == [("tick", True), ("work", False), ("then", True)]


def test_a_bounded_number_of_helpers_does_any_amount_of_work(loop: Loop) -> None:
    running = 0
    most = 0
    guard = threading.Lock()
    done: list[int] = []

    def work() -> None:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.002)
        with guard:
            running -= 1

    for number in range(300):
        loop.call_in_thread(work, lambda number=number: done.append(number))
    run(loop)
    assert sorted(done) == list(range(300))
    assert most <= 64
