"""Promise: `dial` gives the first address that answers, in time, and leaks no descriptor."""

from __future__ import annotations

import errno
import os
import resource
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from websocket._exceptions import (
    WebSocketAddressException,
    WebSocketConnectionClosedException,
    WebSocketTimeoutException,
)
from websocket._transport.deadline import Attempt, Deadline
from websocket._transport.options import TransportOptions
from websocket._transport.tcp import DEFAULT_SOCKET_OPTION, dial

Answer = tuple[int, int, int, str, Any]
V4, V6 = socket.AF_INET, socket.AF_INET6

# What tests name as a host; nothing is ever looked up for real.
HOST = "server.test"


def at(ip: str, port: int) -> Answer:
    if ":" in ip:
        return V6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (ip, port, 0, 0)
    return V4, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (ip, port)


def attempt(seconds: float | None = 30.0) -> Attempt:
    return Attempt(Deadline(seconds))


@pytest.fixture(autouse=True)
def _no_descriptor_leaks() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    before = set(os.listdir("/proc/self/fd"))
    yield
    assert set(os.listdir("/proc/self/fd")) <= before


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@pytest.fixture
def port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port that refuses, and that nobody else is given meanwhile: bound, not listening."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield int(sock.getsockname()[1])


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that never answers: Linux drops the SYNs for a listener whose backlog is full."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(20):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            poller = select.poll()
            poller.register(filler, select.POLLOUT)
            if not poller.poll(200):
                break
        else:
            pytest.skip("a full backlog still answers here")
        yield int(full.getsockname()[1])


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`names(answer, ...)`: what every name lookup gives from now on."""

    def names(*answers: Answer) -> None:
        def getaddrinfo(*args: Any) -> list[Answer]:
            return list(answers)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return names


class Script:
    """`connect_ex` answers by IP, in place of the network; else the real one is asked."""

    def __init__(self) -> None:
        self.answers: dict[str, int] = {}
        self.asked: list[str] = []
        self.sockets: list[socket.socket] = []


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    plan = Script()

    class Scripted(socket.socket):
        def connect_ex(self, address: Any, /) -> int:
            plan.asked.append(address[0])
            plan.sockets.append(self)
            answer = plan.answers.get(address[0])
            return super().connect_ex(address) if answer is None else answer

    monkeypatch.setattr(socket, "socket", Scripted)
    return plan


def test_the_socket_is_connected_blocks_and_has_no_timeout(
    listener: socket.socket, port: int
) -> None:
    socket.setdefaulttimeout(1.0)
    try:
        with dial("127.0.0.1", port, TransportOptions(), attempt()) as sock:
            assert sock.gettimeout() is None
            peer, _ = listener.accept()
            with peer:
                peer.sendall(b"hello")
                assert sock.recv(5) == b"hello"
    finally:
        socket.setdefaulttimeout(None)


def test_default_socket_options_are_those_of_the_contract() -> None:
    assert (socket.SOL_TCP, socket.TCP_NODELAY, 1) in DEFAULT_SOCKET_OPTION
    assert (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in DEFAULT_SOCKET_OPTION
    assert (socket.SOL_TCP, socket.TCP_KEEPIDLE, 30) in DEFAULT_SOCKET_OPTION
    assert (socket.SOL_TCP, socket.TCP_KEEPINTVL, 10) in DEFAULT_SOCKET_OPTION
    assert (socket.SOL_TCP, socket.TCP_KEEPCNT, 3) in DEFAULT_SOCKET_OPTION


def test_defaults_are_applied_and_the_users_sockopt_after_them(port: int) -> None:
    options = TransportOptions(sockopt=[(socket.SOL_TCP, socket.TCP_KEEPIDLE, 77)])
    with dial("127.0.0.1", port, options, attempt()) as sock:
        assert sock.getsockopt(socket.SOL_TCP, socket.TCP_NODELAY) == 1
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.SOL_TCP, socket.TCP_KEEPCNT) == 3
        assert sock.getsockopt(socket.SOL_TCP, socket.TCP_KEEPIDLE) == 77


def test_a_program_may_change_the_defaults_in_place(port: int) -> None:
    DEFAULT_SOCKET_OPTION.append((socket.SOL_TCP, socket.TCP_KEEPCNT, 9))
    try:
        with dial("127.0.0.1", port, TransportOptions(), attempt()) as sock:
            assert sock.getsockopt(socket.SOL_TCP, socket.TCP_KEEPCNT) == 9
    finally:
        DEFAULT_SOCKET_OPTION.pop()


def test_options_are_set_before_connecting(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = socket.socket.connect_ex

    def connect_ex(self: socket.socket, address: Any) -> int:
        seen.append(self.getsockopt(socket.SOL_TCP, socket.TCP_KEEPIDLE))
        return real(self, address)

    monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)
    dial("127.0.0.1", port, TransportOptions(), attempt()).close()
    assert seen == [30]


def test_an_unknown_socket_option_is_named(port: int) -> None:
    with pytest.raises(OSError, match=r"socket option \(1, 9999, 1\)") as caught:
        dial("127.0.0.1", port, TransportOptions(sockopt=[(1, 9999, 1)]), attempt())
    assert caught.value.errno == errno.ENOPROTOOPT


@pytest.mark.parametrize("bad", [(1,), (1, 2), ("a", 2, 3), (1, 2, 10**30), (), 5])
def test_a_malformed_socket_option_is_named(port: int, bad: Any) -> None:
    with pytest.raises(TypeError) as caught:
        dial("127.0.0.1", port, TransportOptions(sockopt=[bad]), attempt())
    assert repr(bad) in str(caught.value)


def test_families_take_turns_the_first_of_the_lookup_leads(
    names: Callable[..., None], script: Script
) -> None:
    """RFC 8305 section 4."""
    order = ["::1", "::2", "::3", "127.0.0.1", "127.0.0.2"]
    names(*(at(ip, 1) for ip in [*order, "::1"]))
    script.answers = dict.fromkeys(order, errno.ECONNREFUSED)
    with pytest.raises(ConnectionRefusedError, match="5 addresses tried"):
        dial(HOST, 1, TransportOptions(), attempt())
    assert script.asked == ["::1", "127.0.0.1", "::2", "127.0.0.2", "::3"]


@pytest.mark.parametrize(
    "number",
    [errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ETIMEDOUT, errno.EACCES],
)
def test_any_error_tries_the_next_address(
    number: int, port: int, names: Callable[..., None], script: Script
) -> None:
    names(at("127.0.0.9", port), at("127.0.0.1", port))
    script.answers["127.0.0.9"] = number
    with dial(HOST, port, TransportOptions(), attempt()) as sock:
        assert sock.getpeername() == ("127.0.0.1", port)


def test_a_refusal_starts_the_next_address_at_once(
    port: int, dead_port: int, names: Callable[..., None]
) -> None:
    """40 head starts of 250 ms would need 10 s."""
    names(*(at(f"127.0.0.{i}", dead_port) for i in range(1, 41)), at("127.0.0.1", port))
    start = time.monotonic()
    dial(HOST, port, TransportOptions(), attempt()).close()
    assert time.monotonic() - start < 5


def test_a_silent_address_is_overtaken_after_its_head_start_and_closed(
    port: int, black_hole: int, names: Callable[..., None], script: Script
) -> None:
    """RFC 8305 section 5: 250 ms."""
    names(at("127.0.0.1", black_hole), at("127.0.0.1", port))
    start = time.monotonic()
    with dial(HOST, port, TransportOptions(), attempt()) as sock:
        assert 0.24 <= time.monotonic() - start < 5
        assert sock.getpeername() == ("127.0.0.1", port)
        loser, winner = script.sockets
        assert winner is sock
        assert loser.fileno() == -1


def test_a_failure_does_not_end_the_race_of_those_still_under_way(
    black_hole: int, dead_port: int, names: Callable[..., None]
) -> None:
    names(at("127.0.0.1", black_hole), at("127.0.0.1", dead_port))
    with pytest.raises(WebSocketTimeoutException):
        dial(HOST, 1, TransportOptions(), attempt(0.6))


@pytest.mark.parametrize("poll", [True, False], ids=["poll", "select"])
def test_the_deadline_ends_the_wait_naming_host_and_phase(
    poll: bool, black_hole: int, names: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not poll:
        monkeypatch.delattr(select, "poll")
    names(at("127.0.0.1", black_hole))
    start = time.monotonic()
    with pytest.raises(WebSocketTimeoutException, match=f"connecting to {HOST} port {black_hole}"):
        dial(HOST, black_hole, TransportOptions(), attempt(0.3))
    assert 0.28 <= time.monotonic() - start < 5


def test_without_poll_select_connects(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """eventlet removes `select.poll`."""
    monkeypatch.delattr(select, "poll")
    with dial("127.0.0.1", port, TransportOptions(), attempt()) as sock:
        assert sock.getpeername()[1] == port


def test_without_poll_select_sees_a_refusal(
    dead_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(select, "poll")
    with pytest.raises(ConnectionRefusedError):
        dial("127.0.0.1", dead_port, TransportOptions(), attempt())


def test_a_deadline_that_has_passed_connects_nowhere(port: int, script: Script) -> None:
    with pytest.raises(WebSocketTimeoutException):
        dial("127.0.0.1", port, TransportOptions(), attempt(0))
    assert script.asked == []


@pytest.mark.parametrize("seconds", [None, 30.0])
def test_cancel_from_another_thread_ends_a_connect_under_way(
    seconds: float | None,
    black_hole: int,
    names: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names(at("127.0.0.1", black_hole), at("127.0.0.2", black_hole))
    polling = threading.Event()
    real = select.poll

    class Poll:
        def __init__(self) -> None:
            self.real = real()
            self.register = self.real.register

        def poll(self, milliseconds: float) -> list[tuple[int, int]]:
            if milliseconds > 1000:  # both are under way, there is nothing left to start
                polling.set()
            return self.real.poll(milliseconds)

    monkeypatch.setattr(select, "poll", Poll)
    tried = attempt(seconds)
    cancelled_at: list[float] = []

    def cancel() -> None:
        polling.wait()
        time.sleep(0.05)  # let the poll begin: nothing tells from outside that it has
        cancelled_at.append(time.monotonic())
        tried.cancel()

    thread = threading.Thread(target=cancel, daemon=True)
    thread.start()
    with pytest.raises(WebSocketConnectionClosedException, match=f"connecting to {HOST}"):
        dial(HOST, black_hole, TransportOptions(), tried)
    assert time.monotonic() - cancelled_at[0] < 1
    thread.join()


def test_a_cancelled_attempt_dials_nowhere(port: int, script: Script) -> None:
    tried = attempt(None)
    tried.cancel()
    with pytest.raises(WebSocketConnectionClosedException):
        dial("127.0.0.1", port, TransportOptions(), tried)
    assert script.asked == []


def test_a_cancel_between_the_start_of_a_connect_and_its_watch_is_seen(
    black_hole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = attempt(None)
    real = socket.socket.connect_ex

    def connect_ex(self: socket.socket, address: Any) -> int:
        tried.cancel()
        return real(self, address)

    monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)
    with pytest.raises(WebSocketConnectionClosedException):
        dial("127.0.0.1", black_hole, TransportOptions(), tried)


def test_the_winner_is_handed_over_unwatched(listener: socket.socket, port: int) -> None:
    tried = attempt()
    with dial("127.0.0.1", port, TransportOptions(), tried) as sock:
        tried.cancel()
        peer, _ = listener.accept()
        with peer:
            sock.sendall(b"x")
            assert peer.recv(1) == b"x"


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ValueError])
def test_an_exception_in_the_wait_closes_every_socket(
    error: type[BaseException],
    black_hole: int,
    names: Callable[..., None],
    script: Script,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names(at("127.0.0.1", black_hole), at("127.0.0.2", black_hole))
    real = select.poll

    class Poll:
        def __init__(self) -> None:
            self.real = real()
            self.register = self.real.register

        def poll(self, milliseconds: float) -> list[tuple[int, int]]:
            if milliseconds > 1000:
                raise error
            return self.real.poll(milliseconds)

    monkeypatch.setattr(select, "poll", Poll)
    with pytest.raises(error):
        dial(HOST, black_hole, TransportOptions(), attempt())
    assert [sock.fileno() for sock in script.sockets] == [-1, -1]


def test_a_refusal_keeps_its_class_and_tells_where_and_what_to_do(
    dead_port: int, names: Callable[..., None]
) -> None:
    """Contract 6.5: failures carry `remote_ip`."""
    names(at("127.0.0.1", dead_port))
    with pytest.raises(ConnectionRefusedError) as caught:
        dial(HOST, dead_port, TransportOptions(), attempt())
    error: Any = caught.value
    assert error.errno == errno.ECONNREFUSED
    assert error.remote_ip == "127.0.0.1"
    assert error.hint in str(error)
    assert f"{HOST} port {dead_port}" in str(error)
    assert "1 address tried" in str(error)


def test_the_most_telling_error_of_all_addresses_is_raised(
    names: Callable[..., None], script: Script
) -> None:
    names(*(at(f"127.0.0.{i}", 1) for i in range(1, 5)))
    script.answers = {
        "127.0.0.1": errno.ENETUNREACH,
        "127.0.0.2": errno.EADDRNOTAVAIL,
        "127.0.0.3": errno.ECONNREFUSED,
        "127.0.0.4": errno.ETIMEDOUT,
    }
    with pytest.raises(ConnectionRefusedError, match="4 addresses tried") as caught:
        dial(HOST, 1, TransportOptions(), attempt())
    assert vars(caught.value)["remote_ip"] == "127.0.0.3"
    script.answers["127.0.0.3"] = errno.EHOSTUNREACH
    with pytest.raises(TimeoutError) as timeout:
        dial(HOST, 1, TransportOptions(), attempt())
    assert timeout.value.errno == errno.ETIMEDOUT
    assert not isinstance(timeout.value, WebSocketTimeoutException), "the kernel's, not ours"


def test_a_family_that_the_kernel_lacks_is_one_more_failure(
    port: int, names: Callable[..., None]
) -> None:
    names((9999, socket.SOCK_STREAM, 0, "", ("nowhere", port)), at("127.0.0.1", port))
    dial(HOST, port, TransportOptions(), attempt()).close()


def test_the_source_address_is_what_the_server_sees(listener: socket.socket, port: int) -> None:
    options = TransportOptions(source_address=("127.0.0.5", 0))
    with dial("127.0.0.1", port, options, attempt()):
        peer, seen = listener.accept()
        peer.close()
        assert seen[0] == "127.0.0.5"


def test_addresses_of_another_family_than_the_source_are_skipped(
    port: int, names: Callable[..., None], script: Script
) -> None:
    names(at("::1", port), at("127.0.0.1", port))
    options = TransportOptions(source_address=("127.0.0.1", 0))
    dial(HOST, port, options, attempt()).close()
    assert script.asked == ["127.0.0.1"]
    options = TransportOptions(source_address=("::1", 0))
    script.answers["::1"] = errno.ECONNREFUSED
    with pytest.raises(ConnectionRefusedError, match="1 address tried"):
        dial(HOST, port, options, attempt())


def test_no_address_of_the_sources_family_is_said(port: int, names: Callable[..., None]) -> None:
    names(at("127.0.0.1", port))
    with pytest.raises(WebSocketAddressException, match="source_address"):
        dial(HOST, port, TransportOptions(source_address=("::1", 0)), attempt())


def test_a_source_address_of_another_machine_is_named(port: int) -> None:
    options = TransportOptions(source_address=("192.0.2.1", 0))
    with pytest.raises(OSError, match=r"source_address \('192.0.2.1', 0\)") as caught:
        dial("127.0.0.1", port, options, attempt())
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_a_fixed_source_port_serves_all_addresses_that_race(
    port: int, black_hole: int, names: Callable[..., None]
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = int(probe.getsockname()[1])
    names(at("127.0.0.1", black_hole), at("127.0.0.1", port))
    options = TransportOptions(source_address=("127.0.0.1", free))
    with dial(HOST, port, options, attempt()) as sock:
        assert sock.getsockname() == ("127.0.0.1", free)


def test_descriptors_beyond_1024_work(port: int) -> None:
    """`select.select` cannot; promises, "WebSocketApp"."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1500:
        pytest.skip("this user may not open so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1500), hard))
    null = os.open(os.devnull, os.O_RDONLY)
    many = [null]
    try:
        while many[-1] < 1100:
            many.append(os.dup(null))
        with dial("127.0.0.1", port, TransportOptions(), attempt()) as sock:
            assert sock.fileno() > 1024
    finally:
        for descriptor in many:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
