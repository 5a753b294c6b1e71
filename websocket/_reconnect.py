"""When to try again: `Backoff`, and `reconnecting()`, the iterator for blocking code."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ._cookiejar import SimpleCookieJar
from ._core import WebSocket, getdefaulttimeout
from ._exceptions import WebSocketBadStatusException, WebSocketConnectionClosedException
from ._transport.deadline import Attempt, Deadline

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ._options import ReconnectingOptions

__all__ = ["Backoff", "Outage", "Plan", "Reconnecting", "reconnecting", "worth_retrying"]

_NORMAL = (1000, 1001, 1005)  # close codes of a server that just goes

# RFC 9110 15.5: the request was at fault, except where it was only too early or too often.
_TRY_AGAIN = (408, 425, 429)
_A_DAY = 86400.0  # seconds; more than that no server may ask for


class Backoff:
    """How long to wait before each further attempt; a value, usable in any number of threads.

    The first wait is `first` seconds, each further one `factor` times as long, up to `maximum`; a
    random part of up to `jitter` times the wait comes on top, so that clients do not return in
    step. `attempts` is the number of consecutive failed attempts after which to give up,
    `max_elapsed` the seconds of an outage; None is no limit. A connection that has lasted
    `stable_after` seconds makes the next outage start from the beginning.
    """

    def __init__(
        self,
        first: float = 1.0,
        maximum: float = 60.0,
        factor: float = 2.0,
        jitter: float = 0.5,
        attempts: int | None = None,
        max_elapsed: float | None = None,
        stable_after: float = 10.0,
    ):
        for name, value, least in (
            ("first", first, 0),
            ("maximum", maximum, 0),
            ("factor", factor, 1),
            ("jitter", jitter, 0),
            ("stable_after", stable_after, 0),
        ):
            if not value >= least:
                raise ValueError(f"{name} is {value!r}, expected a number of at least {least}")
        self.first = first
        self.maximum = maximum
        self.factor = factor
        self.jitter = jitter
        self.attempts = attempts
        self.max_elapsed = max_elapsed
        self.stable_after = stable_after

    def __repr__(self) -> str:
        return f"Backoff({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    def wait(self, count: int) -> float:
        """Seconds before attempt number `count` + 1 of an outage, chance included."""
        try:
            plain = min(self.maximum, self.first * self.factor**count)
        except OverflowError:
            plain = self.maximum
        return plain * (1 + self.jitter * _chance())


def _chance() -> float:
    """From 0 up to 1: without `random`, which takes a millisecond to import."""
    return int.from_bytes(os.urandom(6), "big") / (1 << 48)


class Outage:
    """Where a run stands with its attempts: how many have failed in a row, and since when."""

    def __init__(self, backoff: Backoff):
        self._backoff = backoff
        self._waits = 0
        self._failed = 0
        self._since: float | None = None
        self._connected_at: float | None = None

    def connected(self) -> None:
        """An attempt has succeeded."""
        self._failed = 0
        self._connected_at = time.monotonic()

    def next_wait(self, exc: BaseException | None) -> float | None:
        """After a failed attempt or a lost connection: seconds to wait, None to give up."""
        now = time.monotonic()
        backoff = self._backoff
        if self._connected_at is None:
            self._failed += 1
        elif now - self._connected_at >= backoff.stable_after:
            self._waits, self._since = 0, None
        self._connected_at = None
        if self._since is None:
            self._since = now
        if backoff.attempts is not None and self._failed >= backoff.attempts:
            return None
        wait = max(backoff.wait(self._waits), retry_after(exc))
        self._waits += 1
        if backoff.max_elapsed is not None and now + wait - self._since > backoff.max_elapsed:
            return None
        return wait


def retry_after(exc: BaseException | None) -> float:
    """The seconds that a refusal asks for in Retry-After (RFC 9110 10.2.3), else 0."""
    headers: Mapping[str, str] = getattr(exc, "resp_headers", None) or {}
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _A_DAY)
    if not text:
        return 0.0
    from datetime import timezone
    from email.utils import parsedate_to_datetime

    try:
        when = parsedate_to_datetime(text)
        if when.tzinfo is None:  # RFC 9110 5.6.7: it is in UTC, also where it does not say so
            when = when.replace(tzinfo=timezone.utc)
        return min(max(0.0, when.timestamp() - time.time()), _A_DAY)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def worth_retrying(exc: BaseException | None) -> bool:
    """Whether time can heal it: not misuse, not a certificate, not most refusals with 4xx."""
    if isinstance(exc, WebSocketBadStatusException):
        return not 400 <= exc.status_code < 500 or exc.status_code in _TRY_AGAIN
    # A failed certificate verification is among these: it is a ValueError, too.
    return not isinstance(exc, (ValueError, TypeError))


def _closed_by(code: int, reason: str | None) -> WebSocketConnectionClosedException:
    """A close by the peer as the exception that `retry` predicates look at."""
    said = code if code not in (1005, 1006) else None  # RFC 6455 7.4.1: these never travel
    return WebSocketConnectionClosedException(
        f"Connection closed (code {code})", status_code=said, reason=reason or None
    )


class Reconnecting(Iterator[WebSocket]):
    """What `reconnecting()` returns: an iterator of open connections, which `close()` ends."""

    def __init__(
        self,
        url: str | Callable[[], str],
        backoff: Backoff | None,
        retry: Callable[[BaseException], bool] | None,
        options: dict[str, Any],
    ):
        self._url = url
        self._outage = Outage(backoff if backoff is not None else Backoff())
        self._retry = retry if retry is not None else worth_retrying
        self._timeout = options.pop("timeout", None)
        self._made = {
            name: options.pop(name)
            for name in ("get_mask_key", "fire_cont_frame", "skip_utf8_validation")
            if name in options
        }
        if options.get("cookiejar") is None:
            options["cookiejar"] = SimpleCookieJar()  # one session's cookies, for its attempts only
        self._options = options
        self._ws: WebSocket | None = None
        self._waiting: Attempt | None = None
        self._closed = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> WebSocket:
        """Close the connection before, wait if there was one, and open the next.

        Raises the last exception when the policy gives up, StopIteration after `close()`.
        """
        if self._ws is not None:
            lost = self._leave(self._ws)
            self._wait(lost)
        while not self._closed:
            made = self._open()
            if self._closed:
                break
            if isinstance(made, WebSocket):
                return made
            if not self._retry(made):
                raise made
            self._wait(made)
        raise StopIteration

    def _leave(self, ws: WebSocket) -> BaseException | None:
        """Be done with a connection; what had ended it, None if nothing had or it just closed."""
        lost: BaseException | None = ws.exception()
        normal = lost is None and ws.close_code in _NORMAL
        if ws.close_code is not None and lost is None:
            lost = _closed_by(ws.close_code, ws.close_reason)
        ws.close()
        if self._closed or lost is None or self._retry(lost):
            return None if normal else lost
        self._closed = True
        if normal:
            return None
        raise lost

    def _open(self) -> WebSocket | Exception:
        """The next connection, or what is in its way."""
        ws = self._ws = WebSocket(**self._made)
        ws.settimeout(self._timeout if self._timeout is not None else getdefaulttimeout())
        self._waiting = attempt = Attempt(Deadline(ws.gettimeout()))
        if self._closed:
            attempt.cancel()
        options: Any = dict(self._options, _attempt=attempt)
        try:
            ws.connect(self._url() if callable(self._url) else self._url, **options)
        except Exception as exc:
            return exc
        self._outage.connected()
        if self._closed:
            ws.close()
        return ws

    def _wait(self, lost: BaseException | None) -> None:
        """Wait as the policy says, or raise if it gives up."""
        if self._closed:
            return
        seconds = self._outage.next_wait(lost)
        if seconds is None:
            self._closed = True
            if lost is not None:
                raise lost
            return
        self._waiting = attempt = Attempt(Deadline(seconds))
        while not (self._closed or attempt.cancelled or attempt.deadline.expired):
            attempt.wait()

    def close(self) -> None:
        """End the iteration, its waits and its connection; any thread or signal handler."""
        self._closed = True
        waiting, ws = self._waiting, self._ws
        if waiting is not None:
            waiting.cancel()
        if ws is not None:
            ws.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def reconnecting(
    url: str | Callable[[], str],
    backoff: Backoff | None = None,
    retry: Callable[[BaseException], bool] | None = None,
    **options: Unpack[ReconnectingOptions],
) -> Reconnecting:
    """Open connections to `url`, one after the other, for `for ws in reconnecting(url): ...`.

    Each turn of the loop gets an open `WebSocket`; when its body ends, by whatever end of the
    connection, the next one is opened, after the waits that `backoff` tells. Misuse, failed
    certificates and refusals with 4xx (but 408, 425, 429) are raised, unless `retry(exc)` says
    otherwise; the last exception is raised when the policy gives up. Leave with `break`, or from
    another thread by the iterator's `close()`. `options` are those of `create_connection`.
    """
    return Reconnecting(url, backoff, retry, dict(options))


class Plan:
    """What a run of WebSocketApp does after an ending: `next_wait` in seconds, None for the end.

    `reconnect` is a number of seconds, a `Backoff`, or a callable(failures, exc) that gives the
    seconds or None. `retry(exc)` decides which endings are worth another attempt; by default all
    are for a number or a callable, and those of `worth_retrying` for a Backoff.
    """

    def __init__(self, reconnect: Any, retry: Callable[[BaseException], bool] | None):
        self._ask: Any = None  # a callable of the user's
        self._failures = 0
        self._retry = retry
        if isinstance(reconnect, Backoff):
            self._outage: Outage | None = Outage(reconnect)
            self._retry = retry if retry is not None else worth_retrying
        else:
            self._outage = None
            if callable(reconnect):
                self._ask = reconnect
            elif isinstance(reconnect, (int, float)) and reconnect >= 0:
                self._seconds = float(reconnect)
            else:
                raise ValueError(
                    f"reconnect is {reconnect!r}, expected seconds, a Backoff or a callable"
                )

    def connected(self) -> None:
        """An attempt has succeeded."""
        self._failures = 0
        if self._outage is not None:
            self._outage.connected()

    def next_wait(self, exc: BaseException) -> float | None:
        """Seconds to wait before the next attempt; None when the run is to end."""
        if self._retry is not None and not self._retry(exc):
            return None
        if self._outage is not None:
            return self._outage.next_wait(exc)
        self._failures += 1
        seconds = self._seconds if self._ask is None else self._ask(self._failures, exc)
        return None if seconds is None else max(float(seconds), retry_after(exc))
