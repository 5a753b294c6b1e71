"""Promise: what is recorded can be read, and what is no recording is refused with its line."""

from __future__ import annotations

import base64
import json
import os
import re
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from websocket import _records
from websocket._records import LONGEST_LINE, Writer
from websocket.testing import RecordedEvent, Recording, read_recording

HEADING: dict[str, object] = {
    "format": "websocket-recording",
    "version": 1,
    "url": "wss://example.com/feed",
    "started": "2026-02-03T04:05:06Z",
}
EVENT: dict[str, object] = {"time": 1, "direction": "sent", "type": "text", "data": "hello"}

in_one_file = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recording.jsonl"


def written(path: Path, *lines: object) -> Path:
    """A file of these lines, those that are no text or bytes as JSON."""
    raw = [
        line
        if isinstance(line, bytes)
        else (line if isinstance(line, str) else json.dumps(line)).encode() + b"\n"
        for line in lines
    ]
    path.write_bytes(b"".join(raw))
    return path


def complaint(path: Path, *lines: object) -> str:
    with pytest.raises(ValueError, match=re.escape(f"{path}, line {len(lines) or 1}: ")) as caught:
        read_recording(written(path, *lines))
    assert len(str(caught.value)) < 1000
    return str(caught.value).partition(": ")[2]


# --- the format -----------------------------------------------------------------------------------


def test_the_lines_are_these(path: Path) -> None:
    """The format is a promise to other programs: version 1 never looks different."""
    writer = Writer(path, "wss://alice:secret@Example.com/feed?token=secret")
    writer.write("sent", "open")
    writer.write("sent", "text", "grüße 日本\n\x1b\x9b\u202e\u2028")
    writer.write("received", "binary", b"\x00\x01\x02", connection=3)
    writer.write("received", "ping", b"")
    writer.write("received", "close", code=1000, reason="bye")
    writer.write("received", "close", code=1006)
    writer.close()
    lines = path.read_bytes().split(b"\n")
    heading = json.loads(lines[0])
    assert list(heading) == ["format", "version", "url", "started"]
    assert (heading["format"], heading["version"]) == ("websocket-recording", 1)
    assert heading["url"] == "wss://example.com/feed"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", heading["started"])
    timeless = [re.sub(rb'"time": [0-9.e-]+', b'"time": T', line) for line in lines[1:]]
    assert timeless == [
        b'{"time": T, "direction": "sent", "type": "open"}',
        '{"time": T, "direction": "sent", "type": "text", "data": '
        '"grüße 日本\\n\\u001b\\u009b\\u202e\\u2028"}'.encode(),
        b'{"time": T, "direction": "received", "type": "binary", "connection": 3, "data": "AAEC"}',
        b'{"time": T, "direction": "received", "type": "ping", "data": ""}',
        b'{"time": T, "direction": "received", "type": "close", "code": 1000, "reason": "bye"}',
        b'{"time": T, "direction": "received", "type": "close", "code": 1006, "reason": ""}',
        b"",
    ]


def test_fields_that_are_not_known_are_passed_over(path: Path) -> None:
    """So that a later minor addition, or a note by hand, breaks nothing."""
    found = read_recording(written(path, {**HEADING, "by": "x"}, {**EVENT, "note": [1]}))
    assert found == Recording(
        "wss://example.com/feed",
        "2026-02-03T04:05:06Z",
        [RecordedEvent(1.0, "sent", "text", "hello")],
    )


def test_what_need_not_be_there_need_not_be_there(path: Path) -> None:
    minimal = {"format": "websocket-recording", "version": 1}
    ping = {"time": 0, "direction": "received", "type": "ping"}
    assert read_recording(written(path, minimal, ping)) == Recording(
        "", "", [RecordedEvent(0.0, "received", "ping")]
    )


messages = st.one_of(
    st.tuples(st.just("text"), st.text()),
    st.tuples(st.just("binary"), st.binary()),
    st.tuples(st.sampled_from(["ping", "pong"]), st.binary(max_size=125)),
    st.tuples(st.just("open"), st.just(b"")),
)
closes = st.tuples(
    st.sampled_from([1000, 1001, 1003, 1011, 3000, 4999]), st.text(max_size=30)
) | st.tuples(st.sampled_from([1005, 1006]), st.just(""))
items = st.lists(
    st.tuples(st.sampled_from(["sent", "received"]), messages | closes, st.integers(0, 3))
)


@in_one_file
@given(items=items)
def test_what_is_written_is_read(path: Path, items: list[tuple[Any, Any, int]]) -> None:
    writer = Writer(path, "ws://example.com/")
    expected: list[tuple[object, ...]] = []
    for direction, (kind, data), connection in [("sent", ("open", b""), 0), *items]:
        if isinstance(kind, int):
            writer.write(direction, "close", code=kind, reason=data, connection=connection)
            expected.append((direction, "close", b"", kind, data, connection))
        else:
            writer.write(direction, kind, data, connection=connection)
            expected.append((direction, kind, data, None, "", connection))
    writer.close()
    assert [tuple(event[1:]) for event in read_recording(path).events] == expected


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heading", "said"),
    [
        ({**HEADING, "version": 2}, "version 2 is not known, expected 1"),
        ({**HEADING, "version": True}, "version True is not known"),
        ({**HEADING, "version": "1"}, "version '1' is not known"),
        ({**HEADING, "version": ["x" * 9999]}, "version ['xxx"),
        ({**HEADING, "format": "har"}, "this is no recording"),
        ({**HEADING, "url": 5}, "url and started are strings"),
        (EVENT, "this is no recording"),
        ([1], "expected a JSON object"),
        ("", "expected a JSON object"),
        (b"\xff\xfe\x00", "expected a JSON object"),
        (b"\x1f\x8b\x08 packed\n", "expected a JSON object"),
    ],
)
def test_a_heading_of_something_else(path: Path, heading: object, said: str) -> None:
    assert said in complaint(path, heading)


def test_an_empty_file(path: Path) -> None:
    assert "the file is empty" in complaint(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"time": None}, "time is a number"),
        ({"time": "1"}, "time is a number"),
        ({"time": True}, "time is a number"),
        ({"time": -0.1}, "time is in seconds, from 0"),
        ({"time": 1e9}, "time is in seconds"),
        ({"time": 10**400}, "time is in seconds"),
        ({"direction": "up"}, "direction is one of sent, received"),
        ({"direction": None}, "direction is one of"),
        ({"direction": ["sent"]}, "direction is one of"),
        ({"type": "cont"}, "type is one of open, text,"),
        ({"type": None}, "type is one of"),
        ({"type": {}}, "type is one of"),
        ({"data": 5}, "data is a string"),
        ({"data": None}, "data is a string"),
        ({"data": "\ud800"}, "surrogates not allowed"),
        ({"type": "binary", "data": "?"}, "data is not in Base64"),
        ({"type": "binary", "data": "AAE"}, "padding"),
        ({"type": "binary", "data": "ü"}, "ASCII"),
        ({"type": "ping", "data": base64.b64encode(b"x" * 126).decode()}, "at most 125 bytes"),
        ({"connection": -1}, "connection is a number from 0"),
        ({"connection": 1.5}, "connection is a number from 0"),
        ({"type": "close", "data": ""}, "a close has a code"),
        ({"type": "close", "data": "", "code": 1004}, "1004"),
        ({"type": "close", "data": "", "code": 1000, "reason": None}, "a close has a code"),
        ({"type": "close", "data": "", "code": 1000, "reason": "x" * 124}, "too long"),
        ({"type": "close", "data": "", "code": 1000, "reason": "\udfff"}, "surrogates"),
        ({"type": "close", "data": "", "code": 1006, "reason": "x"}, "code 1006 has no reason"),
    ],
)
def test_an_event_that_cannot_be(path: Path, change: dict[str, object], said: str) -> None:
    assert said in complaint(path, HEADING, EVENT, {**EVENT, **change})


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        '{"time": NaN}',
        '{"time": 1e999}',
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"time": ' + "9" * 5000 + "}",
        "\x00" * 100,
        "null",
        "",
    ],
)
def test_a_broken_line(path: Path, line: str) -> None:
    complaint(path, HEADING, EVENT, line)


def test_time_does_not_run_backwards(path: Path) -> None:
    assert "before" in complaint(path, HEADING, EVENT, {**EVENT, "time": 0.5})


def test_a_line_that_was_cut_off_is_called_so(path: Path) -> None:
    """As by a power cut: what is before it can be had by removing it."""
    cut = json.dumps(EVENT).encode()[:20]
    assert "cut off" in complaint(path, HEADING, EVENT, cut)
    assert read_recording(written(path, HEADING, json.dumps(EVENT).encode())).events


def test_a_line_that_is_too_long_is_not_taken_into_memory(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file without a line end cannot fill the memory."""
    monkeypatch.setattr(_records, "LONGEST_LINE", 10_000)
    writer = Writer(path, "ws://example.com/")
    writer.write("sent", "open")
    with pytest.raises(ValueError, match="too long to be recorded"):
        writer.write("sent", "text", "x" * 10_000)
    writer.write("sent", "text", "x" * 9_000)
    writer.close()
    assert len(read_recording(path).events) == 2
    written(path, HEADING, b" " * 10_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="line 2: longer than 10000 bytes"):
            read_recording(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert LONGEST_LINE == 1 << 26


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
nearly = st.fixed_dictionaries(
    {},
    optional={
        "time": st.floats() | st.integers() | junk,
        "direction": st.sampled_from(["sent", "received"]) | junk,
        "type": st.sampled_from(["open", "text", "binary", "ping", "close"]) | junk,
        "data": st.text(st.characters(exclude_categories=[])) | st.just("AAEC") | junk,
        "code": st.integers(0, 6000) | junk,
        "reason": st.text(st.characters(exclude_categories=[])) | junk,
        "connection": st.integers(-2, 5) | junk,
    },
)


def refused_or_sound(path: Path) -> None:
    try:
        found = read_recording(path)
    except ValueError as exc:
        assert re.match(re.escape(str(path)) + r", line \d+: ", str(exc))
        return
    again = Writer(path, "ws://example.com/")  # all that was read can be written, and so sent
    for event in found.events:
        again.write(*event[1:])
    again.close()


@in_one_file
@given(lines=st.lists(nearly, min_size=1, max_size=4))
def test_whatever_fields_a_line_has_it_is_read_or_refused(
    path: Path, lines: list[dict[str, object]]
) -> None:
    refused_or_sound(written(path, HEADING, *lines))


@in_one_file
@given(data=st.binary(max_size=200), heading=st.booleans())
def test_whatever_bytes_a_file_has_it_is_read_or_refused(
    path: Path, data: bytes, heading: bool
) -> None:
    refused_or_sound(written(path, *([HEADING] if heading else []), data))


@in_one_file
@given(data=st.data())
def test_a_recording_with_some_bytes_changed_is_read_or_refused(
    path: Path, data: st.DataObject
) -> None:
    raw = bytearray(
        written(path, HEADING, EVENT, {**EVENT, "type": "ping", "data": ""}).read_bytes()
    )
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    refused_or_sound(path)


# --- the writer -----------------------------------------------------------------------------------


def test_nothing_is_lost_before_the_first_event(path: Path) -> None:
    path.write_text("precious\n" * 100)
    writer = Writer(path, "ws://example.com/")
    assert path.read_text() == "precious\n" * 100
    writer.write("sent", "open")
    assert len(read_recording(path).events) == 1
    writer.close()


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_new_file_is_for_its_owner(path: Path) -> None:
    Writer(path, "ws://example.com/").close()
    assert path.stat().st_mode & 0o077 == 0


def test_what_cannot_be_read_is_not_written(path: Path) -> None:
    writer = Writer(path, "ws://example.com/")
    writer.write("sent", "open")
    before = path.read_bytes()
    for arguments in (
        ("sent", "text", b"bytes"),
        ("sent", "text", "\ud800"),
        ("sent", "binary", "text"),
        ("away", "text", "x"),
        ("sent", "close"),
        ("sent", "ping", b"x" * 126),
    ):
        with pytest.raises(ValueError, match=r"."):
            writer.write(*arguments)
    assert path.read_bytes() == before
    writer.close()
    writer.write("sent", "text", "too late")
    writer.close()
    assert path.read_bytes() == before


def test_threads_do_not_mix_their_lines_and_times_do_not_run_backwards(path: Path) -> None:
    writer = Writer(path, "ws://example.com/")

    def work(number: int) -> None:
        for count in range(100):
            writer.write("sent", "text", f"{number} {count} " + "x" * 500)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    events = read_recording(path).events
    assert len(events) == 400
    ones = [event.data for event in events if str(event.data).startswith("1 ")]
    assert [str(data).split()[1] for data in ones] == [str(count) for count in range(100)]


def test_a_url_that_is_none_is_refused_before_the_file_is_made(path: Path) -> None:
    with pytest.raises(ValueError, match="http"):
        Writer(path, "http://example.com/")
    assert not path.exists()
