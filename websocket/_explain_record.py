"""The steps of an examination, as they are noted and as they are shown; no secret among them."""

from __future__ import annotations

import re
import time
from binascii import b2a_base64
from collections.abc import Iterable
from typing import Any, NamedTuple

from ._wire.http1 import Request
from ._wire.urls import WebSocketURI

__all__ = ["Explanation", "Record", "Secrets", "Step", "shown", "shown_url"]

OK, WARNING, FAILED, SKIPPED = "ok", "warning", "failed", "skipped"

_LONGEST = 300  # characters of a text that the other side had a hand in
_SHORTEST_SECRET = 3  # characters; hiding less would hide half of each sentence
_SECRET_NAME = re.compile(
    "auth|bearer|cookie|credential|key|passw|secret|session|signature|token", re.IGNORECASE
)
_ORDER = ("url", "proxy", "lookup", "tcp", "unix", "tunnel", "tls", "http", "ping", "close")


class Step(NamedTuple):
    """One step on the way to the server.

    `name` is one of url, proxy, lookup, tcp, unix, tunnel, tls, http, ping, close. `outcome` is
    "ok", "warning", "failed" or "skipped". `detail` is for people and may change, `facts` is for
    programs. `seconds` is how long it took. `hint` is what to do, or None.
    """

    name: str
    outcome: str
    detail: str
    seconds: float
    hint: str | None
    facts: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The step as what JSON can hold."""
        return {**self._asdict(), "seconds": round(self.seconds, 6)}


class Explanation:
    """What `explain` found out: `str()` is for people, `steps` and `as_dict()` are for programs.

    `url` is the one that was asked for, without user, password and query. `seconds` is how long all
    of it took. `format` is the version of `as_dict()`: new keys may come, none will go.
    """

    format = 1

    def __init__(self, url: str, steps: Iterable[Step]):
        self.url = url
        self.steps: tuple[Step, ...] = tuple(steps)
        self.seconds = sum(step.seconds for step in self.steps)

    @property
    def ok(self) -> bool:
        """Whether no step failed; warnings are no failures."""
        return not any(step.outcome == FAILED for step in self.steps)

    def as_dict(self) -> dict[str, Any]:
        """All of it as what JSON can hold; durations in seconds."""
        return {
            "format": self.format,
            "url": self.url,
            "ok": self.ok,
            "seconds": round(self.seconds, 6),
            "steps": [step.as_dict() for step in self.steps],
        }

    def __str__(self) -> str:
        worst = next((step for step in self.steps if step.outcome == FAILED), None)
        if worst is not None:
            verdict = f"fails at {worst.name}"
        else:
            doubtful = [step.name for step in self.steps if step.outcome == WARNING]
            verdict = f"works, with a warning at {', '.join(doubtful)}" if doubtful else "works"
        rows = [f"{self.url} {verdict} ({_duration(self.seconds)} in all)"]
        for step in self.steps:
            took = "" if step.outcome == SKIPPED else _duration(step.seconds)
            row = f"  {step.name:<7} {step.outcome:<7} {took:>9}"
            for text in (*step.detail.split("; "), *([f"hint: {step.hint}"] if step.hint else [])):
                rows.append(f"{row}  {text}".rstrip())
                row = " " * len(row)
        return "\n".join(rows)

    def __repr__(self) -> str:
        return f"<Explanation {self.url} {'ok' if self.ok else 'not ok'}>"


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


class Record:
    """Takes the steps down: each lasts from its `begin` to the next one's, or to the end."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.absent = {"unix", "tunnel"}  # steps that are not on this way
        self.name = ""
        self.outcome = OK
        self.detail: list[str] = []
        self.facts: dict[str, Any] = {}
        self.hint: str | None = None
        self._since = 0.0
        self._until: float | None = None

    def begin(self, name: str) -> None:
        """The step before has ended, this one begins."""
        self.end()
        self.name, self.outcome, self.detail, self.facts, self.hint = name, OK, [], {}, None
        self._since, self._until = time.monotonic(), None

    def prepared(self) -> None:
        """What the present step has done so far was for us and not for the network."""
        self._since = time.monotonic()

    def done(self, detail: str, **facts: Any) -> None:
        """The present step has done its work, which took until now; more may be told of it."""
        if self._until is None:
            self._until = time.monotonic()
        self.detail.append(detail)
        self.facts.update(facts)

    def warn(self, detail: str, hint: str | None = None) -> None:
        """There is something about the present step that deserves a look."""
        self.done(detail)
        self.outcome, self.hint = WARNING, hint

    def fail(self, detail: str, hint: str | None) -> None:
        """The present step has failed; those behind it are skipped."""
        self.done(detail)
        self.outcome, self.hint = FAILED, hint
        name = self.name
        self.end()
        for later in _ORDER[_ORDER.index(name) + 1 :]:
            if later not in self.absent:
                detail = f"not reached: {name} failed"
                self.steps.append(Step(later, SKIPPED, detail, 0.0, None, {}))

    def end(self) -> None:
        """The present step is over."""
        if self.name:
            until = time.monotonic() if self._until is None else self._until
            detail = "; ".join(filter(None, self.detail))
            took = until - self._since
            self.steps.append(Step(self.name, self.outcome, detail, took, self.hint, self.facts))
            self.name = ""


class Secrets:
    """What no text may show, whoever repeats it."""

    def __init__(self, uri: WebSocketURI):
        self._known: set[str] = set()
        self._add(uri.username, uri.password, uri.query)

    def note(self, request: Request) -> None:
        """Learn the credentials that are about to be sent."""
        for name, value in request.headers.raw_items():
            if name.lower() == "sec-websocket-protocol":
                # Where browsers cannot set headers, servers take tokens as subprotocols.
                self._add(*(each.strip() for each in value.split(",") if _SECRET_NAME.search(each)))
            elif _SECRET_NAME.search(name) and not name.lower().startswith("sec-websocket-"):
                pairs = [each.partition("=")[2].strip() for each in value.split(";")]
                self._add(value, *value.split(), *pairs)

    def note_user(self, user: str | None, password: str | None) -> None:
        """Learn a user's name and password, also as they travel (RFC 7617)."""
        self._add(user, password)
        if user is not None:
            self._add(b2a_base64(f"{user}:{password or ''}".encode(), newline=False).decode())

    def _add(self, *texts: str | None) -> None:
        self._known |= {text for text in texts if text and len(text) >= _SHORTEST_SECRET}

    def hidden(self, text: str) -> str:
        """The text without them, on one line, and unable to steer a terminal."""
        for secret in sorted(self._known, key=len, reverse=True):
            # A short one may be a part of any word.
            edge = r"\b" if len(secret) < 8 and secret.isalnum() else ""
            text = re.sub(edge + re.escape(secret) + edge, "***", text)
        return shown(text)


def shown(text: str) -> str:
    """A text of the other side as one line of bounded length, control characters written out."""
    text = " ".join(text.split())
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "..."
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def shown_url(uri: WebSocketURI) -> str:
    """A URL without user, password and what its query says."""
    scheme = "wss" if uri.secure else "ws"
    query = "?***" if uri.query else ""
    if uri.unix_path is not None:
        return shown(f"{scheme}+unix:{uri.unix_path}:{uri.path or '/'}{query}")
    host = f"[{uri.host}]" if ":" in uri.host else uri.host
    port = "" if uri.port == (443 if uri.secure else 80) else f":{uri.port}"
    return shown(f"{scheme}://{host}{port}{uri.path or '/'}{query}")
