"""`replay`: a server that plays the server's part of a recorded conversation."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from .._exceptions import WebSocketConnectionClosedException, WebSocketTimeoutException
from .._protocol.deflate import Deflate, as_deflate
from .._records import RecordedEvent, Recording, read_recording
from .._wire.frames import ABNORMAL, CLOSE, NO_STATUS, PONG
from ._connection import Connection
from ._conversation import shown
from ._opening import Rules, Subprotocols
from ._script import ScriptFailure
from ._server import Server

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["Replay", "replay"]

Message = str | bytes

_MESSAGES = ("text", "binary")
_LONGEST_WAIT = 1e6  # seconds; poll() takes no more than 24 days at once


def replay(
    source: str | os.PathLike[str] | Recording,
    *,
    speed: float | None = None,
    check: bool | Callable[[Message, Message], object] = True,
    timeout: float = 5.0,
    on_message: Callable[[Message], object] | None = None,
    ssl: SSLContext | None = None,
    subprotocols: Subprotocols | None = None,
    unix_socket: str | None = None,
    compression: Literal["deflate"] | Deflate | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Replay:
    """A server that says to a client what was recorded as received, listening when this returns.

    `source` is a file of `record` or of `wsdump --record`, or what `read_recording` made of one.
    The first client is given the first recorded connection, the second the next, and behind the
    last it begins again.

    Where the recording has a message of the client, the server waits for it, at most `timeout`
    seconds, and goes on if it is the same; `check(recorded, came)` may decide that otherwise, as
    for messages with an id or a time in them. What the client did not do as recorded raises a
    ScriptFailure at the end of the `with` block. With `check` False nothing is waited for.

    `speed` 1.0 keeps the recorded pauses, 2.0 halves them; None leaves them out. `on_message` is
    called with each message that comes, in the connection's thread. A client that asks for
    subprotocols gets the first one unless `subprotocols` says something else. The other arguments
    are those of `serve`. Raises OSError and ValueError as `read_recording` does, and ValueError for
    a `speed` that is not above 0.
    """
    if speed is not None and not 0 < speed < float("inf"):
        raise ValueError(f"speed is {speed}, expected a number above 0, or None")
    if isinstance(source, Recording):
        name, recording = "recording", source
    else:
        name, recording = os.fspath(source), read_recording(source)
    how = _Manner(str(name), speed, check, timeout, on_message)
    rules = Rules(subprotocols or _first, compression=as_deflate(compression))
    return Replay(recording, how, rules, ssl, unix_socket, host, port)


class _Manner(NamedTuple):
    """What `replay` was told about playing."""

    name: str
    speed: float | None
    check: bool | Callable[[Message, Message], object]
    timeout: float
    on_message: Callable[[Message], object] | None


class Replay(Server):
    """What `replay` returns: a `Server`; leaving its block raises what went wrong first."""

    def __init__(
        self,
        recording: Recording,
        how: _Manner,
        rules: Rules,
        context: SSLContext | None,
        unix_socket: str | None,
        host: str,
        port: int,
    ) -> None:
        self._parts = _parts(recording)
        self._how = how
        super().__init__(self._play, rules, context, unix_socket, host, port)

    def _play(self, connection: Connection) -> None:
        part = self._parts[connection.number % len(self._parts)]
        _Performance(connection, part, self._how).play()

    @property
    def _blamed(self) -> Sequence[BaseException]:
        return self.errors


Part = list[tuple[int, RecordedEvent]]
"""The events of one connection, with their lines in the file."""


def _parts(recording: Recording) -> list[Part]:
    """The connections of a recording in the order in which they began; at least one."""
    found: dict[int, Part] = {}
    for line, event in enumerate(recording.events, 2):
        found.setdefault(event.connection, []).append((line, event))
    return list(found.values()) or [[]]


def _first(offered: list[str]) -> str:
    return offered[0]


class _Performance:
    """One connection of a client, and the recorded one that is played to it."""

    def __init__(self, connection: Connection, part: Part, how: _Manner) -> None:
        self._connection = connection
        self._part = part
        self._how = how
        self._early: deque[Message] = deque()  # came while something else was waited for
        # When we were at which time of the recording, last.
        begins = part[0][1].time if part and part[0][1].type == "open" else 0.0
        self._here = time.monotonic(), begins

    def play(self) -> None:
        """Say and await everything in turn. Raises ScriptFailure."""
        for place, (_, event) in enumerate(self._part):
            try:
                if self._step(event):
                    return
            except WebSocketConnectionClosedException:
                self._miss(place, "but the connection has ended")
                return
            except WebSocketTimeoutException:
                self._miss(place, "but it has not come in time")
        self._stay()

    def _step(self, event: RecordedEvent) -> bool:
        """Play one event; whether it was the end."""
        if event.direction == "received":
            self._pause(event.time)
            return self._say(event)
        if self._how.check is False:
            return False
        if event.type in _MESSAGES:
            self._await(event)
        elif event.type == "close":
            self._stay()
            return True
        return False

    def _say(self, event: RecordedEvent) -> bool:
        connection = self._connection
        if event.type in _MESSAGES:
            connection.send(event.data)
        elif event.type == "ping":
            connection.ping(event.data)
        elif event.type == "pong":
            connection.send_frame(PONG, event.data)
        elif event.type == "close":
            if event.code == ABNORMAL:
                connection.drop()
            elif event.code == NO_STATUS:
                connection.send_frame(CLOSE)
                connection.close()
            else:
                connection.close(event.code or NO_STATUS, event.reason)
            return True
        return False

    def _await(self, event: RecordedEvent) -> None:
        check, speed = self._how.check, self._how.speed
        pause = 0.0 if speed is None else (event.time - self._here[1]) / speed
        came = self._next(min(self._how.timeout + max(0.0, pause), _LONGEST_WAIT))
        self._here = time.monotonic(), event.time
        if callable(check):
            same = bool(check(event.data, came))
        else:
            same = type(came) is type(event.data) and came == event.data
        if not same:
            raise self._failure(event, f"got {_shown(came)}")

    def _next(self, timeout: float) -> Message:
        return self._early.popleft() if self._early else self._receive(timeout)

    def _pause(self, until: float) -> None:
        """Wait until it is the time `until` of the recording."""
        speed = self._how.speed
        if speed is None:
            return
        began, time_then = self._here
        end = began + (until - time_then) / speed
        while (seconds := end - time.monotonic()) > 0:
            try:
                message = self._receive(min(seconds, _LONGEST_WAIT))
            except WebSocketTimeoutException:
                continue
            if self._how.check is not False:
                self._early.append(message)

    def _stay(self) -> None:
        """Wait for the client to go; there is nothing that it could say any more."""
        while True:
            try:
                message = self._early.popleft() if self._early else self._receive(None)
            except WebSocketConnectionClosedException:
                return
            if self._how.check is not False:
                raise ScriptFailure(
                    f"{self._how.name}: expected no more messages, got {_shown(message)}"
                )

    def _receive(self, timeout: float | None) -> Message:
        message = self._connection.recv(timeout)
        if self._how.on_message is not None:
            self._how.on_message(message)
        return message

    def _miss(self, place: int, why: str) -> None:
        """Raise ScriptFailure if a message of the client is missing from this place on."""
        for line, event in self._part[place:]:
            if event.direction == "sent" and event.type in _MESSAGES and self._how.check:
                raise self._failure(event, why, line)

    def _failure(self, event: RecordedEvent, what: str, line: int = 0) -> ScriptFailure:
        line = line or next(number for number, each in self._part if each is event)
        return ScriptFailure(
            f"{self._how.name}, line {line}: expected {_shown(event.data)}, {what}"
        )


def _shown(message: Message) -> str:
    if isinstance(message, bytes):
        return shown(message)
    return (
        repr(message) if len(message) <= 80 else f"{message[:60]!r}... ({len(message)} characters)"
    )
