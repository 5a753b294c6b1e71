"""Promise: --record writes down what is said; --replay says it again, as client or as server."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from wsdump_process import PATIENCE, Piped, Terminal

from websocket import WebSocket, create_connection
from websocket.testing import (
    Connection,
    RecordedEvent,
    accept,
    drop,
    expect_frame,
    frame,
    hang,
    read_recording,
    replay,
    script,
    send,
    serve,
)

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "talk.jsonl"


def finished(*arguments: object, stdin: bytes = b"") -> tuple[int, str, str]:
    """Status, stdout and stderr of a run whose stdin ends at once."""
    with Piped(*map(str, arguments)) as wsdump:
        wsdump.type(stdin)
        wsdump.end()
        status = wsdump.wait()
    return status, wsdump.out.decode(), wsdump.err.decode()


def said(path: Path) -> list[tuple[Any, ...]]:
    """The events of a file: direction, type, and the data, or the code and reason of a close."""
    return [
        (event.direction, event.type, (event.code, event.reason) if event.code else event.data)
        for event in read_recording(path).events
    ]


def recording(path: Path, *events: RecordedEvent, version: int = 1) -> Path:
    """A file as it could have been recorded."""
    lines: list[dict[str, object]] = [{"format": "websocket-recording", "version": version}]
    for event in events:
        fields = {name: value for name, value in event._asdict().items() if value is not None}
        if event.type != "text":
            fields["data"] = ""
        lines.append(fields)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def sent(time: float, text: str) -> RecordedEvent:
    return RecordedEvent(time, "sent", "text", text)


def received(time: float, text: str) -> RecordedEvent:
    return RecordedEvent(time, "received", "text", text)


# --- recording ------------------------------------------------------------------------------------


def test_both_directions_are_written_down(path: Path) -> None:
    """Messages whole, binary ones and pings, the close with code and reason; stdout stays."""
    items = frame(TEXT, "grü", fin=False) + frame(PING, "there?") + frame(0, "ße")
    items += frame(BINARY, b"\x00\xff") + frame(CLOSE, b"\x0f\xa0later")
    steps = (accept(), expect_frame(TEXT, b"first"), expect_frame(TEXT, b"second"), send(items))
    with script(*steps, hang()) as server:
        status, out, _ = finished(
            *("--raw", "-t", "first", "--wait", "30", "--record", path, server.url),
            stdin=b"second\n",
        )
    assert (status, out) == (3, "grü\nb'there?'\nb'\\xc3\\x9fe'\nb'\\x00\\xff'\n\n")
    assert said(path) == [
        ("sent", "open", b""),
        ("sent", "text", "first"),
        ("sent", "text", "second"),
        ("received", "ping", b"there?"),
        ("received", "text", "grüße"),
        ("received", "binary", b"\x00\xff"),
        ("received", "close", (4000, "later")),
    ]
    times = [event.time for event in read_recording(path).events]
    assert times == sorted(times) and times[0] == 0.0


def test_neither_headers_nor_credentials_nor_the_query_are_written_down(path: Path) -> None:
    with serve() as server:
        url = server.url.replace("ws://", "ws://alice:pa55word@") + "/feed?token=s3cret"
        options = ["--header", "Authorization: Bearer t0ken", "--cookie", "session=c00kie"]
        status, _, err = finished("-r", "-t", "x", "--count", "1", *options, "--record", path, url)
    assert (status, err) == (0, "")
    text = path.read_text()
    for secret in ("alice", "pa55word", "s3cret", "t0ken", "c00kie"):
        assert secret not in text
    assert read_recording(path).url == f"{server.url}/feed"


def test_what_has_happened_is_in_the_file_while_it_goes_on_and_after_ctrl_c(path: Path) -> None:
    with serve() as server, Piped("-r", "--record", str(path), server.url) as wsdump:
        wsdump.type(b"one\n")
        wsdump.until_out(b"one\n")
        expected = [
            ("sent", "open", b""),
            ("sent", "text", "one"),
            ("received", "text", "one"),
        ]
        assert said(path) == expected
        wsdump.interrupt()
        assert wsdump.wait() == 0
    assert said(path) == expected


def test_on_a_terminal_our_own_close_is_written_down_too(path: Path) -> None:
    with serve() as server, Terminal("--record", str(path), server.url) as terminal:
        terminal.until(lambda: terminal.rows()[-1:] == [">"])
        terminal.type(b"hello\r")
        terminal.until(lambda: "< hello" in terminal.rows() and terminal.rows()[-1] == ">")
        terminal.type(b"\x04")
        assert terminal.wait() == 0
    assert said(path)[-3:] == [
        ("received", "text", "hello"),
        ("sent", "close", (1000, "")),
        ("received", "close", (1000, "")),
    ]


def test_a_lost_connection_is_code_1006(path: Path) -> None:
    with script(accept(), send(frame(TEXT, "x")), drop()) as server:
        assert finished("-r", "--wait", "30", "--record", path, server.url)[0] == 3
    assert said(path)[-1] == ("received", "close", (1006, ""))


def test_connections_are_counted_with_reconnect(path: Path) -> None:
    def handler(connection: Connection) -> None:
        connection.send(f"{connection.recv()}!")

    with (
        serve(handler) as server,
        Piped("-r", "--reconnect", "--record", str(path), server.url) as wsdump,
    ):
        for line in (b"one", b"two"):
            wsdump.type(line + b"\n")
            wsdump.until_out(line + b"!\n\n")
        wsdump.interrupt()
        assert wsdump.wait() == 0
    texts = [
        (event.connection, event.data)
        for event in read_recording(path).events
        if event.direction == "received" and event.type == "text"
    ]
    assert [data for _, data in texts] == ["one!", "two!"]
    assert texts[0][0] < texts[1][0]


def test_a_recording_survives_the_attempt_to_make_the_next(path: Path) -> None:
    path.write_text("precious\n")
    refusal = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    with script(send(refusal)) as server:
        assert finished("--record", path, server.url)[0] == 1
    assert path.read_text() == "precious\n"


def test_a_file_that_cannot_be_written_is_one_line_and_status_1(tmp_path: Path) -> None:
    with serve() as server:
        status, out, err = finished("--record", tmp_path / "none" / "x", server.url)
    assert (status, out, err.count("\n")) == (1, "", 1)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no disk that is full")
def test_a_full_disk_ends_the_recording_and_not_the_conversation() -> None:
    with serve() as server:
        status, out, err = finished(
            "-r", "-t", "x", "--count", "1", "--record", "/dev/full", server.url
        )
    assert (status, out, err.count("\n")) == (1, "x\n", 1)
    assert "the recording has ended" in err


def test_an_echo_server_writes_down_its_conversations(path: Path) -> None:
    with Piped("--listen", "--record", str(path)) as wsdump:
        wsdump.until_out(b")\n")
        ws = create_connection(wsdump.out.decode().split()[2], timeout=20)
        ws.send("hello")
        assert ws.recv() == "hello"
        ws.close(4001, "enough")
        deadline = time.monotonic() + PATIENCE
        while "enough" not in path.read_text():
            assert time.monotonic() < deadline
        wsdump.interrupt()
        assert wsdump.wait() == 0
    assert said(path) == [
        ("sent", "open", b""),
        ("sent", "text", "hello"),
        ("received", "text", "hello"),
        ("sent", "close", (4001, "enough")),
    ]


# --- replaying ------------------------------------------------------------------------------------


def test_what_was_sent_is_sent_again_in_its_time_and_the_answers_are_shown(path: Path) -> None:
    recording(
        path, sent(0.1, "one"), received(0.2, "never shown"), sent(0.6, "two"), received(1.0, "")
    )
    times: list[float] = []

    def handler(connection: Connection) -> None:
        for message in connection:
            times.append(time.monotonic())
            connection.send(f"{message}!")

    with serve(handler) as server:
        began = time.monotonic()
        status, out, err = finished("-r", "--replay", path, server.url, stdin=b"not read\n")
        took = time.monotonic() - began
    assert (status, out, err) == (0, "one!\ntwo!\n", "")
    assert times[1] - times[0] > 0.45
    assert took > 1.0  # as long as the recording, for the answers


def test_all_kinds_are_replayed(path: Path) -> None:
    with serve() as server, Piped("-r", "--binary", "--record", str(path), server.url) as wsdump:
        wsdump.type(b"\x00\xff\n")
        wsdump.until_out(b"b'\\x00\\xff'\n")
        wsdump.end()
        assert wsdump.wait() == 0
    with path.open("a") as file:
        for kind, rest in (
            ("ping", '"data": "aGk="'),
            ("pong", '"data": ""'),
            ("close", '"code": 1000, "reason": "done"'),
        ):
            file.write(f'{{"time": 9, "direction": "sent", "type": "{kind}", {rest}}}\n')
    text = path.read_text().replace('"time": 9', '"time": 0.2')
    path.write_text(text)
    steps = [expect_frame(BINARY, b"\x00\xff"), expect_frame(PING, b"hi"), expect_frame(10, b"")]
    with script(accept(), *steps, expect_frame(CLOSE, b"\x03\xe8done"), hang()) as server:
        assert finished("-r", "--replay", path, server.url)[0] == 0


def test_on_a_terminal_what_is_replayed_is_shown_too(path: Path) -> None:
    recording(path, sent(0.0, "hello 日本"), received(60.0, "later"))
    with serve() as server, Terminal("--replay", str(path), server.url) as terminal:
        terminal.until_row("< hello 日 ?本 ?")
        assert any(row.startswith("> hello") for row in terminal.rows())
        terminal.type(b"\x03")
        assert terminal.wait() == 0


def test_count_ends_a_replay_that_is_not_over(path: Path) -> None:
    recording(path, sent(0.0, "one"), sent(600.0, "ten minutes later"))
    with serve() as server:
        assert finished("-r", "--count", "1", "--replay", path, server.url) == (0, "one\n", "")


def test_what_is_replayed_can_be_recorded(path: Path, tmp_path: Path) -> None:
    recording(path, sent(0.0, "one"))
    again = tmp_path / "again.jsonl"
    with serve() as server:
        finished("-r", "--count", "1", "--replay", path, "--record", again, server.url)
    assert ("sent", "text", "one") in said(again)
    with replay(again) as server:
        assert finished("-r", "--count", "1", "--replay", path, server.url)[:2] == (0, "one\n")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: the file is empty"),
        ("# Notes\n", "line 1: expected a JSON object"),
        ('{"format": "websocket-recording", "version": 2}\n', "line 1: version 2 is not known"),
        ('{"format": "websocket-recording", "version": 1}\n{"time"\n', "line 2: "),
    ],
)
@pytest.mark.parametrize("listen", [False, True])
def test_what_is_no_recording_is_one_line_and_status_2(
    path: Path, text: str, complaint: str, listen: bool
) -> None:
    path.write_text(text)
    status, out, err = finished(
        "--replay", path, *(["--listen"] if listen else ["ws://x.invalid/"])
    )
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert complaint in err and "talk.jsonl" in err


def test_a_server_that_replays_does_not_record(path: Path) -> None:
    status, _, err = finished("--listen", "--replay", path, "--record", path)
    assert status == 2 and "--record" in err


def test_a_recording_that_is_not_there_is_one_line_and_status_1(path: Path) -> None:
    status, out, err = finished("--replay", path, "ws://x.invalid/")
    assert (status, out, err.count("\n")) == (1, "", 1)


def test_with_listen_the_server_of_the_recording_is_played(path: Path) -> None:
    """To everybody anew, in its time, whatever they send."""
    close = RecordedEvent(0.8, "received", "close", b"", 4000, "over")
    recording(path, received(0.1, "one"), sent(0.2, "anything"), received(0.6, "two"), close)
    times: list[float] = []
    with Piped("--listen", "--replay", str(path), "-v") as wsdump:
        wsdump.until_out(b")\n")
        url = wsdump.out.decode().split()[2]

        def listen(ws: WebSocket) -> None:
            ws.send(f"from {ws.local_address[1]}")
            assert [ws.recv(), times.append(time.monotonic()), ws.recv()] == ["one", None, "two"]
            times.append(time.monotonic())
            ws.recv_data_frame(True)
            assert (ws.close_code, ws.close_reason) == (4000, "over")
            ws.close()

        clients = [create_connection(url, timeout=20) for _ in range(2)]
        threads = [threading.Thread(target=listen, args=(ws,)) for ws in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert len(times) == 4 and max(times) - min(times) > 0.4
        assert wsdump.out.count(b"\nfrom ") == 2
        wsdump.interrupt()
        assert (wsdump.wait(), bytes(wsdump.err)) == (0, b"")
