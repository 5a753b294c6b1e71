"""Recorded conversations: a file of JSON lines, a heading and then one event a line.

    {"format": "websocket-recording", "version": 1, "url": "wss://...", "started": "2026-..."}
    {"time": 0.0, "direction": "sent", "type": "open"}
    {"time": 0.25, "direction": "sent", "type": "text", "data": "hello"}
    {"time": 0.31, "direction": "received", "type": "binary", "data": "AAEC"}
    {"time": 2.5, "direction": "received", "type": "close", "code": 1000, "reason": "bye"}

Directions are the client's. docs/wsdump.md tells the format for others who write or read it.
"""

from __future__ import annotations

import json
import os
import re
import stat
import threading
import time
from base64 import b64decode, b64encode
from contextlib import suppress
from typing import Any, Literal, NamedTuple, cast

from ._wire.frames import check_close
from ._wire.urls import parse_uri

__all__ = [
    "FORMAT",
    "LONGEST_LINE",
    "VERSION",
    "RecordedEvent",
    "Recording",
    "Writer",
    "read_recording",
]

FORMAT = "websocket-recording"
VERSION = 1
LONGEST_LINE = 1 << 26
"""Bytes; a message of 48 MiB fits, and a file without line ends does not fill the memory."""

Direction = Literal["sent", "received"]
Kind = Literal["open", "text", "binary", "ping", "pong", "close"]

_DIRECTIONS = ("sent", "received")
_KINDS = ("open", "text", "binary", "ping", "pong", "close")
# JSON leaves as they are: what steers terminals and editors that show the file, and what some tools
# take for the end of a line.
_UNSEEN = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_WITH_DATA = ("text", "binary", "ping", "pong")
_LONGEST_CONTROL = 125  # RFC 6455 5.5
_END_OF_TIME = 1e9  # seconds; beyond it is no clock but a mistake
# RFC 6455 7.1.5: what an end without a code, and one without a close frame, are called. They never
# travel, so here they cannot be mistaken for codes that did.
_NO_STATUS, _ABNORMAL = 1005, 1006


class RecordedEvent(NamedTuple):
    """One event of a recorded conversation.

    `time` is in seconds since the recording began. `direction` is "sent" (by the client) or
    "received" (by it). `type` is "open", "text", "binary", "ping", "pong" or "close". `data` is a
    str for a text, bytes for binary messages, pings and pongs. A close has `code` and `reason`:
    1005 is a close frame without a code, 1006 an end without a close frame. `connection` counts the
    connections of a recording from 0.
    """

    time: float
    direction: Direction
    type: Kind
    data: str | bytes = b""
    code: int | None = None
    reason: str = ""
    connection: int = 0


class Recording(NamedTuple):
    """What `read_recording` found: the URL without credentials and query, when it began, events.

    The event at `events[i]` stands in line i + 2 of the file.
    """

    url: str
    started: str
    events: list[RecordedEvent]


# --- writing --------------------------------------------------------------------------------------


class Writer:
    """A file that is being recorded to; every line is with the system when `write` returns.

    What the file held is gone at the first event, not before: when there is no connection, nothing
    is lost. A new file is for its owner only, since messages may be secret. Any thread may write.
    """

    def __init__(self, path: str | os.PathLike[str], url: str) -> None:
        """`url` may be empty. Raises OSError where the file cannot be written, and ValueError for
        what is no URL."""
        self._url = _without_secrets(url) if url else ""
        flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)  # that is for Windows
        descriptor = os.open(path, flags, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self._lock = threading.Lock()
        self._start: float | None = None

    def write(
        self,
        direction: Direction,
        type: Kind,
        data: str | bytes = b"",
        code: int | None = None,
        reason: str = "",
        connection: int = 0,
    ) -> None:
        """Append an event that happens now; nothing behind `close`.

        Raises ValueError for what `read_recording` would not take, and OSError.
        """
        with self._lock:
            if self._file.closed:
                return
            now = time.monotonic()
            seconds = 0.0 if self._start is None else round(now - self._start, 6)
            event = RecordedEvent(seconds, direction, type, data, code, reason, connection)
            _check(event)
            line = _line(_as_json(event))
            self._file.write(line if self._start is not None else self._begun() + line)
            if self._start is None:
                self._start = now
            self._file.flush()

    def _begun(self) -> bytes:
        """The heading, for a file that is empty from now on."""
        if stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
            self._file.seek(0)
            self._file.truncate()
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return _line({"format": FORMAT, "version": VERSION, "url": self._url, "started": started})

    def close(self) -> None:
        """End the recording. May be called again."""
        with self._lock, suppress(OSError):  # which `write` has raised before
            self._file.close()


def _without_secrets(url: str) -> str:
    """The URL without user and password, and without the query, where tokens travel."""
    uri = parse_uri(url)
    scheme = "wss" if uri.secure else "ws"
    if uri.unix_path is not None:
        return f"{scheme}+unix:{uri.unix_path}:{uri.path}"
    return f"{scheme}://{uri.host_header}{uri.path}"


def _as_json(event: RecordedEvent) -> dict[str, Any]:
    """The event as its line says it: without what its kind has not, or goes without saying."""
    fields: dict[str, Any] = {
        "time": event.time,
        "direction": event.direction,
        "type": event.type,
    }
    if event.connection:
        fields["connection"] = event.connection
    if event.type == "close":
        return {**fields, "code": event.code, "reason": event.reason}
    if event.type not in _WITH_DATA:
        return fields
    data = event.data
    return {**fields, "data": data if isinstance(data, str) else b64encode(data).decode()}


def _line(fields: dict[str, Any]) -> bytes:
    text = _UNSEEN.sub(
        lambda found: f"\\u{ord(found[0]):04x}", json.dumps(fields, ensure_ascii=False)
    )
    line = text.encode() + b"\n"
    if len(line) > LONGEST_LINE:
        raise ValueError(f"an event of {len(line)} bytes is too long to be recorded")
    return line


# --- reading --------------------------------------------------------------------------------------


def read_recording(path: str | os.PathLike[str]) -> Recording:
    """The recording in a file.

    Raises OSError, and ValueError with the file's name and the line's number for what is no
    recording, of a version that is not known, broken, or longer than `LONGEST_LINE`.
    """
    name = os.fspath(path)
    number = 0
    url = started = ""
    events: list[RecordedEvent] = []
    with open(path, "rb") as file:
        try:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), 1):
                fields = _fields(line)
                if number == 1:
                    url, started = _heading(fields)
                    continue
                event = _event(fields)
                if events and event.time < events[-1].time:
                    raise ValueError(f"time {event.time} is before that of the line above")
                events.append(event)
            if not number:
                raise ValueError("the file is empty, expected a recording")
        except ValueError as exc:
            raise ValueError(f"{name}, line {number or 1}: {exc}") from exc
    return Recording(url, started, events)


def _fields(line: bytes) -> dict[str, Any]:
    """The JSON object of a line."""
    if len(line) > LONGEST_LINE:
        raise ValueError(f"longer than {LONGEST_LINE} bytes")
    try:
        found = json.loads(line.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError) as exc:
        cut = "" if line.endswith(b"\n") else "; it is cut off, without it the rest can be read"
        raise ValueError(f"expected a JSON object{cut} ({_first_line(exc)})") from exc
    if not isinstance(found, dict):
        raise ValueError("expected a JSON object")
    return cast("dict[str, Any]", found)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number in JSON")


def _first_line(exc: BaseException) -> str:
    return str(exc).partition("\n")[0]


def _heading(fields: dict[str, Any]) -> tuple[str, str]:
    if fields.get("format") != FORMAT:
        raise ValueError(f'expected "format": "{FORMAT}"; this is no recording')
    version = fields.get("version")
    if type(version) is not int or version != VERSION:
        raise ValueError(f"version {version!r:.20} is not known, expected {VERSION}")
    url, started = fields.get("url", ""), fields.get("started", "")
    if not (isinstance(url, str) and isinstance(started, str)):
        raise ValueError("url and started are strings")
    return url, started


def _event(fields: dict[str, Any]) -> RecordedEvent:
    """The event that a line's object stands for; fields that are not known are passed over."""
    kind = fields.get("type")
    event = RecordedEvent(
        _seconds(fields.get("time")),
        cast("Direction", fields.get("direction")),
        cast("Kind", kind),
        b"" if kind not in _WITH_DATA else _data(fields.get("data", ""), kind == "text"),
        fields.get("code"),
        fields.get("reason", ""),
        fields.get("connection", 0),
    )
    _check(event)
    return event


def _data(value: object, text: bool) -> str | bytes:
    if not isinstance(value, str):
        raise ValueError("data is a string")
    try:
        return value if text else b64decode(value, validate=True)
    except ValueError as exc:
        raise ValueError(f"data is not in Base64: {exc}") from exc


def _seconds(value: object) -> float:
    if type(value) not in (int, float):
        raise ValueError("time is a number")
    seconds = cast("float", value)
    if not 0 <= seconds < _END_OF_TIME:  # False for what is infinite, too
        raise ValueError(f"time is in seconds, from 0 to {_END_OF_TIME:g}")
    return float(seconds)


def _check(event: RecordedEvent) -> None:
    """Raise ValueError for what cannot have happened."""
    if event.direction not in _DIRECTIONS:
        raise ValueError(f"direction is one of {', '.join(_DIRECTIONS)}")
    if event.type not in _KINDS:
        raise ValueError(f"type is one of {', '.join(_KINDS)}")
    if type(event.connection) is not int or event.connection < 0:
        raise ValueError("connection is a number from 0")
    if isinstance(event.data, str) != (event.type == "text"):
        raise ValueError("data is a string for a text, bytes for all else")
    if isinstance(event.data, str):
        event.data.encode()  # half a surrogate pair cannot travel; UnicodeEncodeError is ValueError
    elif event.type in ("ping", "pong") and len(event.data) > _LONGEST_CONTROL:
        raise ValueError(f"a {event.type} has at most {_LONGEST_CONTROL} bytes of data")
    if event.type == "close":
        _check_close(event)


def _check_close(event: RecordedEvent) -> None:
    if type(event.code) is not int or type(event.reason) is not str:
        raise ValueError("a close has a code, which is a number, and a reason, a string")
    if event.code not in (_NO_STATUS, _ABNORMAL):
        check_close(event.code, event.reason)
    elif event.reason:
        raise ValueError(f"code {event.code} has no reason")
