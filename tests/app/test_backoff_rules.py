"""Promise: what `Backoff`, `reconnect=` and `retry=` say about waits and giving up."""

from __future__ import annotations

import ssl
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime, formatdate
from typing import Any

import pytest
from hypothesis import given, strategies as st

from websocket import (
    Backoff,
    WebSocketAddressException,
    WebSocketBadStatusException,
    WebSocketConnectionClosedException,
    WebSocketProxyException,
    WebSocketTimeoutException,
    _reconnect,
)
from websocket._reconnect import Outage, Plan, retry_after, worth_retrying


class Clock:
    """Stands for `time` in the module, so that nobody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return time.time()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_reconnect, "time", clock)
    return clock


def refused(status: int, **headers: str) -> WebSocketBadStatusException:
    return WebSocketBadStatusException("refused", status, resp_headers=headers)


def after(value: str) -> WebSocketBadStatusException:
    return WebSocketBadStatusException("refused", 503, resp_headers={"retry-after": value})


# --- how long -------------------------------------------------------------------------------------


def test_waits_grow_by_the_factor_up_to_the_maximum() -> None:
    """Defaults without jitter: 1, 2, 4, ... 60, 60."""
    backoff = Backoff(jitter=0)
    assert [backoff.wait(n) for n in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff.wait(100_000) == 60


@given(
    st.floats(0, 100), st.floats(0, 1000), st.floats(1, 10), st.floats(0, 2), st.integers(0, 2000)
)
def test_jitter_only_lengthens_and_has_its_bounds(
    first: float, maximum: float, factor: float, jitter: float, count: int
) -> None:
    """Never shorter than without, never longer than the part that was asked for."""
    plain = Backoff(first, maximum, factor, 0).wait(count)
    wait = Backoff(first, maximum, factor, jitter).wait(count)
    assert plain <= wait <= plain * (1 + jitter) + 1e-9


def test_jitter_is_chance() -> None:
    """Clients that lost the same server do not come back in step."""
    assert len({Backoff().wait(3) for _ in range(20)}) > 10


@pytest.mark.parametrize(
    "bad", [{"first": -1}, {"maximum": -1}, {"factor": 0.5}, {"jitter": -0.1}, {"stable_after": -1}]
)
def test_a_backoff_that_makes_no_sense_is_refused(bad: dict[str, float]) -> None:
    """The message names the argument."""
    with pytest.raises(ValueError, match=next(iter(bad))):
        Backoff(**bad)  # type: ignore[arg-type]


def test_positional_order_and_repr() -> None:
    """The order is part of the promise; the repr can be typed in again."""
    backoff = Backoff(1, 2, 3, 4, 5, 6, 7)
    assert vars(backoff) == {
        "first": 1,
        "maximum": 2,
        "factor": 3,
        "jitter": 4,
        "attempts": 5,
        "max_elapsed": 6,
        "stable_after": 7,
    }
    assert vars(eval(repr(backoff))) == vars(backoff)


# --- Retry-After ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        (" 12 ", 12),
        ("-5", 0),
        ("", 0),
        ("soon", 0),
        ("1.5", 0),
        ("9" * 400, 86400),
    ],
)
def test_retry_after_in_seconds(value: str, seconds: float) -> None:
    """Digits only (RFC 9110 10.2.3); nonsense counts as absent, and a day is the most."""
    assert retry_after(after(value)) == seconds


def test_retry_after_as_a_date() -> None:
    """All three forms of RFC 9110 5.6.7, also where the form names no zone."""
    then = datetime.now(timezone.utc) + timedelta(seconds=100)
    assert 97 < retry_after(after(format_datetime(then, usegmt=True))) <= 100
    assert 97 < retry_after(after(then.strftime("%A, %d-%b-%y %H:%M:%S GMT"))) <= 100
    assert 97 < retry_after(after(then.strftime("%a %b %d %H:%M:%S %Y"))) <= 100
    assert retry_after(after(formatdate(time.time() - 100, usegmt=True))) == 0


def test_retry_after_of_what_is_no_refusal() -> None:
    """Any exception may be asked."""
    assert retry_after(None) == 0
    assert retry_after(OSError()) == 0
    assert retry_after(WebSocketBadStatusException("x", 503)) == 0


def test_retry_after_only_lengthens(clock: Clock) -> None:
    """A server that asks for less than the policy gets what the policy says."""
    outage = Outage(Backoff(5, jitter=0))
    assert outage.next_wait(after("1")) == 5
    assert outage.next_wait(after("300")) == 300
    assert Plan(2, None).next_wait(after("300")) == 300
    assert Plan(2, None).next_wait(after("1")) == 2


# --- how often ------------------------------------------------------------------------------------


def test_attempts_count_failed_attempts_in_a_row(clock: Clock) -> None:
    """The third failed attempt is the last one of attempts=3."""
    outage = Outage(Backoff(attempts=3))
    assert outage.next_wait(OSError()) is not None
    assert outage.next_wait(OSError()) is not None
    assert outage.next_wait(OSError()) is None


def test_a_lost_connection_is_no_failed_attempt(clock: Clock) -> None:
    """However often it is lost, as long as the next attempt succeeds."""
    outage = Outage(Backoff(attempts=1))
    for _ in range(10):
        outage.connected()
        assert outage.next_wait(OSError()) is not None
    assert outage.next_wait(OSError()) is None


def test_max_elapsed_counts_from_the_beginning_of_the_outage(clock: Clock) -> None:
    """The wait that would go beyond it is not begun."""
    outage = Outage(Backoff(first=10, factor=1, jitter=0, max_elapsed=25))
    assert outage.next_wait(None) == 10
    clock.now += 10
    assert outage.next_wait(None) == 10
    clock.now += 10
    assert outage.next_wait(None) is None


def test_a_stable_connection_starts_the_next_outage_afresh(clock: Clock) -> None:
    """After stable_after seconds waits and max_elapsed begin anew; before that they go on."""
    outage = Outage(Backoff(jitter=0, stable_after=10, max_elapsed=1000))
    assert [outage.next_wait(None) for _ in range(3)] == [1, 2, 4]
    outage.connected()
    clock.now += 9.9
    assert outage.next_wait(None) == 8
    outage.connected()
    clock.now += 10
    assert outage.next_wait(None) == 1


# --- whether --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exc", "worth"),
    [
        (refused(400), False),
        (refused(401), False),
        (refused(403), False),
        (refused(404), False),
        (refused(408), True),
        (refused(425), True),
        (refused(429), True),
        (refused(500), True),
        (refused(503), True),
        (ValueError("bad url"), False),
        (TypeError("bad type"), False),
        (ssl.SSLCertVerificationError(1, "self-signed"), False),
        (ssl.SSLError(1, "handshake"), True),
        (ConnectionRefusedError(), True),
        (WebSocketAddressException("no such name"), True),
        (WebSocketTimeoutException("late"), True),
        (WebSocketProxyException("proxy"), True),
        (WebSocketConnectionClosedException("gone"), True),
        (RuntimeError("a token could not be had"), True),
        (None, True),
    ],
)
def test_what_is_worth_another_attempt(exc: BaseException | None, worth: bool) -> None:
    """Everything but misuse, failed certificates and most refusals with 4xx."""
    assert worth_retrying(exc) is worth


def test_a_plan_of_seconds_retries_everything() -> None:
    """As websocket-client did."""
    plan = Plan(1.5, None)
    assert plan.next_wait(refused(403)) == 1.5
    assert plan.next_wait(ValueError()) == 1.5


def test_a_plan_by_a_function() -> None:
    """It is told how many failures there were in a row, and the exception; None ends the run."""
    asked: list[Any] = []

    def reconnect(failures: int, exc: BaseException) -> float | None:
        asked.append((failures, type(exc)))
        return 0.5 if failures < 3 else None

    plan = Plan(reconnect, None)
    assert plan.next_wait(OSError()) == 0.5
    plan.connected()
    assert [plan.next_wait(KeyError()) for _ in range(3)] == [0.5, 0.5, None]
    assert asked == [(1, OSError), (1, KeyError), (2, KeyError), (3, KeyError)]


def test_a_predicate_decides_alone() -> None:
    """It overrides what is retried by default, in both directions."""
    assert Plan(Backoff(), lambda exc: True).next_wait(refused(403)) is not None
    assert Plan(Backoff(), lambda exc: False).next_wait(OSError()) is None
    assert Plan(1, lambda exc: isinstance(exc, OSError)).next_wait(refused(503)) is None
    assert Plan(Backoff(), None).next_wait(refused(403)) is None


@pytest.mark.parametrize("bad", [-1, "5", [1]])
def test_a_plan_that_makes_no_sense_is_refused(bad: Any) -> None:
    """The message says what was expected."""
    with pytest.raises(ValueError, match="expected seconds, a Backoff or a callable"):
        Plan(bad, None)
