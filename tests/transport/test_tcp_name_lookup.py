"""Promise: a name lookup ends in time like any other phase, and its errors say what to do."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from websocket._exceptions import (
    WebSocketAddressException,
    WebSocketConnectionClosedException,
    WebSocketTimeoutException,
)
from websocket._transport.deadline import Attempt, Deadline
from websocket._transport.names import look_up
from websocket._transport.options import TransportOptions
from websocket._transport.tcp import dial

HOST = "server.test"


class Resolver:
    """A `getaddrinfo` that takes positional arguments only, and as long as it is told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.threads: list[threading.Thread] = []
        self.asked = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.outcome: BaseException | list[Any] = []

    def __call__(self, *args: Any) -> list[Any]:
        self.calls.append(args)
        self.threads.append(threading.current_thread())
        self.asked.set()
        self.go_on.wait()
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.go_on.set()
    for thread in resolver.threads:
        if thread is not threading.current_thread():
            thread.join()


@pytest.fixture(params=[None, 30.0], ids=["no deadline", "deadline"])
def attempt(request: pytest.FixtureRequest) -> Attempt:
    return Attempt(Deadline(request.param))


def test_a_patched_lookup_is_honoured_and_called_by_position(
    resolver: Resolver, attempt: Attempt
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = listener.getsockname()
        resolver.outcome = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", where)]
        with dial(HOST, 4444, TransportOptions(), attempt) as sock:
            assert sock.getpeername() == where
    assert resolver.calls == [(HOST, 4444, 0, socket.SOCK_STREAM, socket.IPPROTO_TCP)]


@pytest.mark.parametrize(
    ("code", "remedy"), [(socket.EAI_NONAME, "spelled right"), (socket.EAI_AGAIN, "name server")]
)
def test_an_unknown_name_says_which_and_what_to_do(
    resolver: Resolver, attempt: Attempt, code: int, remedy: str
) -> None:
    resolver.outcome = socket.gaierror(code, "text of the resolver")
    with pytest.raises(WebSocketAddressException) as caught:
        dial(HOST, 80, TransportOptions(), attempt)
    assert HOST in str(caught.value)
    assert "text of the resolver" in str(caught.value)
    assert caught.value.hint is not None
    assert remedy in caught.value.hint
    assert caught.value.__cause__ is resolver.outcome


@pytest.mark.parametrize("host", ["a" * 70 + ".test", "a\0b", None, 5])
def test_what_is_no_host_name_is_an_address_error_too(attempt: Attempt, host: Any) -> None:
    """Contract section 1: also a TypeError from host handling."""
    with pytest.raises(WebSocketAddressException, match="cannot be looked up") as caught:
        dial(host, 80, TransportOptions(), attempt)
    if isinstance(host, str):
        assert repr(host) in str(caught.value)


def test_a_lookup_without_addresses_is_an_address_error(
    resolver: Resolver, attempt: Attempt
) -> None:
    with pytest.raises(WebSocketAddressException, match=f"{HOST} gave no address"):
        dial(HOST, 80, TransportOptions(), attempt)


def test_a_literal_address_gives_itself(attempt: Attempt) -> None:
    found = look_up("127.0.0.1", 80, attempt)
    assert [address[4] for address in found] == [("127.0.0.1", 80)]


def test_a_lookup_that_hangs_ends_at_the_deadline(resolver: Resolver) -> None:
    resolver.go_on.clear()
    start = time.monotonic()
    with pytest.raises(WebSocketTimeoutException, match=f"looking up the name {HOST}"):
        dial(HOST, 80, TransportOptions(), Attempt(Deadline(0.1)))
    assert 0.09 <= time.monotonic() - start < 5
    assert resolver.threads[0].daemon, "or else it would hold up the exit of the interpreter"


def test_cancel_ends_a_lookup_that_hangs(resolver: Resolver) -> None:
    resolver.go_on.clear()
    attempt = Attempt(Deadline(600))

    def cancel() -> None:
        resolver.asked.wait()
        attempt.cancel()

    thread = threading.Thread(target=cancel, daemon=True)
    thread.start()
    with pytest.raises(WebSocketConnectionClosedException, match=f"looking up the name {HOST}"):
        dial(HOST, 80, TransportOptions(), attempt)
    thread.join()


def test_without_a_deadline_no_thread_is_started(resolver: Resolver) -> None:
    resolver.outcome = socket.gaierror(socket.EAI_NONAME, "no")
    with pytest.raises(WebSocketAddressException):
        look_up(HOST, 80, Attempt(Deadline(None)))
    assert resolver.threads == [threading.current_thread()]


def test_a_cancel_during_a_lookup_without_deadline_takes_effect_after_it(
    resolver: Resolver,
) -> None:
    resolver.outcome = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9))]
    resolver.go_on.clear()
    attempt = Attempt(Deadline(None))

    def cancel() -> None:
        resolver.asked.wait()
        attempt.cancel()
        resolver.go_on.set()

    thread = threading.Thread(target=cancel, daemon=True)
    thread.start()
    with pytest.raises(WebSocketConnectionClosedException):
        dial(HOST, 80, TransportOptions(), attempt)
    thread.join()


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_what_is_not_about_the_name_passes_through(
    resolver: Resolver, attempt: Attempt, error: type[BaseException]
) -> None:
    resolver.outcome = error()
    with pytest.raises(error):
        look_up(HOST, 80, attempt)
