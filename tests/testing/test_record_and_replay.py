"""Promise: a conversation that was recorded against the real server can be had without it."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

import websocket
from websocket.testing import (
    Connection,
    RecordedEvent,
    Recording,
    Request,
    Response,
    ScriptFailure,
    accept,
    drop,
    expect_frame,
    frame,
    read_recording,
    record,
    replay,
    script,
    send,
    serve,
)

TIMEOUT = 20.0
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
OPEN = RecordedEvent(0.0, "sent", "open")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recording.jsonl"


def dial(url: str, **options: Any) -> websocket.WebSocket:
    return websocket.create_connection(url, timeout=TIMEOUT, **options)


def sent(data: str | bytes, time: float = 0.0, connection: int = 0) -> RecordedEvent:
    kind = "text" if isinstance(data, str) else "binary"
    return RecordedEvent(time, "sent", kind, data, connection=connection)


def received(data: str | bytes, time: float = 0.0, connection: int = 0) -> RecordedEvent:
    kind = "text" if isinstance(data, str) else "binary"
    return RecordedEvent(time, "received", kind, data, connection=connection)


def closed(direction: Any, code: int, reason: str = "") -> RecordedEvent:
    return RecordedEvent(0.0, direction, "close", b"", code, reason)


def made_of(*events: RecordedEvent) -> Recording:
    return Recording("ws://example.com/", "", list(events))


def said(path: Path, connection: int = 0) -> list[tuple[Any, ...]]:
    return [
        (event.direction, event.type, (event.code, event.reason) if event.code else event.data)
        for event in read_recording(path).events
        if event.connection == connection
    ]


def seen_close(ws: websocket.WebSocket) -> tuple[int | None, str | None]:
    """The code and the reason of the server's close, or of the connection's loss."""
    try:
        opcode, _ = ws.recv_data_frame(True)
        assert opcode == CLOSE
    except websocket.WebSocketConnectionClosedException:
        pass
    return ws.close_code, ws.close_reason


# --- recording ------------------------------------------------------------------------------------


def chat(connection: Connection) -> None:
    connection.send("welcome")
    for message in connection:
        if message == "bye":
            connection.close(4000, "see you")
        else:
            connection.send(message)


def converse(url: str) -> None:
    """A client, which does not know with whom it speaks."""
    ws = dial(url)
    assert ws.recv() == "welcome"
    ws.send("grüße")
    assert ws.recv() == "grüße"
    ws.send_bytes(b"\x00\xff" * 50_000)
    assert ws.recv() == b"\x00\xff" * 50_000
    ws.send("bye")
    assert seen_close(ws) == (4000, "see you")
    ws.close()


def test_what_was_recorded_is_replayed(path: Path) -> None:
    """The client notices no difference between the real server, the recorder and the replay."""
    with serve(chat) as real:
        converse(real.url)
        with record(path, real.url) as recorder:
            converse(recorder.url)
            assert recorder.errors == []
    assert said(path) == [
        ("sent", "open", b""),
        ("received", "text", "welcome"),
        ("sent", "text", "grüße"),
        ("received", "text", "grüße"),
        ("sent", "binary", b"\x00\xff" * 50_000),
        ("received", "binary", b"\x00\xff" * 50_000),
        ("sent", "text", "bye"),
        ("received", "close", (4000, "see you")),
    ]
    with replay(path) as server:
        for _ in range(3):
            converse(server.url)


def test_a_close_of_the_client_reaches_the_real_server(path: Path) -> None:
    codes: list[tuple[int | None, str | None]] = []

    def handler(connection: Connection) -> None:
        list(connection)
        codes.append((connection.close_code, connection.close_reason))

    with serve(handler) as real, record(path, real.url) as recorder:
        dial(recorder.url).close(4001, "enough")
        ws = dial(recorder.url)
        ws.send_close(1005)
        ws.close()
        dial(recorder.url).shutdown()
    assert {(4001, "enough"), (1005, "")} < set(codes)
    answered = [("sent", "close", (4001, "enough")), ("received", "close", (4001, ""))]
    assert said(path, 0)[1:] == answered
    assert said(path, 1)[1:2] == [("sent", "close", (1005, ""))]


def test_an_end_without_a_close_frame_is_passed_on(path: Path) -> None:
    with (
        script(accept(), send(frame(TEXT, "x")), drop()) as real,
        record(path, real.url) as recorder,
    ):
        ws = dial(recorder.url)
        assert ws.recv() == "x"
        assert seen_close(ws)[0] == 1006
    assert said(path)[-1] == ("received", "close", (1006, ""))
    with serve() as real, record(path, real.url) as recorder:
        ws = dial(recorder.url)
        ws.send("x")
        assert ws.recv() == "x"
        ws.shutdown()
        deadline = time.monotonic() + TIMEOUT
        while "1006" not in path.read_text():
            assert time.monotonic() < deadline
    assert said(path)[-2:] == [("received", "text", "x"), ("sent", "close", (1006, ""))]


def test_pings_of_the_real_server_reach_the_client(path: Path) -> None:
    steps = accept(), send(frame(PING, "there?")), expect_frame(PONG, b"there?"), send(frame(CLOSE))
    with script(*steps) as real, record(path, real.url) as recorder:
        ws = dial(recorder.url)
        opcode, ping = ws.recv_data_frame(True)
        assert (opcode, ping.data) == (PING, b"there?")
        assert seen_close(ws)[0] == 1005
    assert said(path)[1:] == [("received", "ping", b"there?"), ("received", "close", (1005, ""))]
    with replay(path) as server:
        ws = dial(server.url)
        opcode, ping = ws.recv_data_frame(True)
        assert (opcode, ping.data) == (PING, b"there?")
        assert seen_close(ws)[0] == 1005


def test_the_request_is_passed_on_and_the_answer_back(path: Path) -> None:
    """Path, query, subprotocols and header lines; but the recorder's own Host and Origin, and what
    `record` was told; nothing of it is recorded."""
    requests: list[Request] = []
    with (
        serve(
            chat, on_request=lambda request: requests.append(request), subprotocols=["b"]
        ) as real,
        record(path, f"{real.url}/v1/", header={"X-Key": "secret1"}) as recorder,
    ):
        ws = dial(
            f"{recorder.url}/feed?token=secret2",
            header=["Authorization: Bearer secret3", "X-Key: other"],
            cookie="session=secret4",
            subprotocols=["a", "b"],
        )
        assert ws.subprotocol == "b"
        assert ws.recv() == "welcome"
        ws.close()
    (request,) = requests
    assert request.path == "/v1/feed?token=secret2"
    assert request.headers["Host"] == f"127.0.0.1:{real.port}"
    assert request.headers["Origin"] == f"http://127.0.0.1:{real.port}"
    assert request.headers.get_all("X-Key") == ["secret1"]
    assert request.headers["Authorization"] == "Bearer secret3"
    assert request.headers["Cookie"] == "session=secret4"
    assert "secret" not in path.read_text()
    with replay(path) as server:
        ws = dial(server.url, subprotocols=["a", "b"])
        assert (ws.subprotocol, ws.recv()) == ("a", "welcome")
        ws.close()


def test_a_refusal_is_passed_back(path: Path) -> None:
    refusal = Response(429, [("Retry-After", "7")], b"not so fast")
    with (
        serve(on_request=lambda _: refusal) as real,
        record(path, real.url) as recorder,
        pytest.raises(websocket.WebSocketBadStatusException) as caught,
    ):
        dial(recorder.url)
    assert caught.value.status_code == 429
    assert (caught.value.resp_headers or {})["retry-after"] == "7"
    assert caught.value.resp_body == b"not so fast"


def test_a_real_server_that_cannot_be_reached_is_a_502_that_says_so(path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        record(path, f"ws://127.0.0.1:{port}/") as recorder,
        pytest.raises(websocket.WebSocketBadStatusException) as caught,
    ):
        dial(recorder.url)
    assert caught.value.status_code == 502
    assert b"could not connect" in (caught.value.resp_body or b"")


def test_a_recorder_needs_a_url_and_a_file(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="http"):
        record(path, "http://example.com/")
    with pytest.raises(OSError, match="none"):
        record(tmp_path / "none" / "x", "ws://example.com/")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no disk that is full")
def test_a_recording_that_cannot_be_written_is_loud() -> None:
    """It ends the conversation, and is raised at the end of the block."""

    def run() -> None:
        with serve() as real, record("/dev/full", real.url) as recorder:
            ws = dial(recorder.url)
            assert seen_close(ws)[0] == 1011
            ws.close()

    with pytest.raises(OSError, match="space"):
        run()


def test_a_message_that_is_too_long_for_a_recording_is_loud(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From either side; both connections end, and what was written before can be read."""
    monkeypatch.setattr("websocket._records.LONGEST_LINE", 1000)

    def run(talk: Callable[[websocket.WebSocket], object]) -> None:
        with (
            serve(lambda connection: connection.send("x" * int(connection.recv()))) as real,
            record(path, real.url) as recorder,
        ):
            ws = dial(recorder.url)
            talk(ws)
            assert seen_close(ws)[0] == 1011
            ws.close()

    with pytest.raises(ValueError, match="too long"):
        run(lambda ws: ws.send("2000"))
    with pytest.raises(ValueError, match="too long"):
        run(lambda ws: ws.send("1" * 2000))
    assert said(path)[0] == ("sent", "open", b"")


def test_many_connections_at_once_are_told_apart(path: Path) -> None:
    def client(number: int) -> None:
        ws = dial(recorder.url)
        for count in range(20):
            ws.send(f"{number}.{count}")
            assert ws.recv() == f"{number}.{count}"
        ws.close()

    with serve() as real, record(path, real.url) as recorder:
        threads = [threading.Thread(target=client, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT)
    found = [said(path, connection) for connection in range(5)]
    for events in found:
        texts = [data for _, kind, data in events if kind == "text"]
        number = texts[0].partition(".")[0]
        assert texts == [f"{number}.{count}" for count in range(20) for _ in range(2)]


def test_closing_the_recorder_ends_what_is_open(path: Path) -> None:
    gone = threading.Event()

    def handler(connection: Connection) -> None:
        list(connection)
        gone.set()

    with serve(handler) as real:
        with record(path, real.url) as recorder:
            ws = dial(recorder.url)
            ws.send("x")
            thread = threading.Thread(target=seen_close, args=(ws,))
            thread.start()
        assert gone.wait(TIMEOUT)
        thread.join(TIMEOUT)
        assert ws.close_code == 1001
    assert said(path)[:2] == [("sent", "open", b""), ("sent", "text", "x")]
    assert ("sent", "close", (1001, "")) not in said(path)


# --- replaying ------------------------------------------------------------------------------------


def test_answers_wait_for_their_questions() -> None:
    with replay(
        made_of(OPEN, sent("one?"), received("one"), sent("two?"), received("two"))
    ) as server:
        ws = dial(server.url)
        with pytest.raises(websocket.WebSocketTimeoutException):
            ws.recv(timeout=0.1)
        ws.send("one?")
        assert ws.recv() == "one"
        ws.send("two?")
        assert ws.recv() == "two"
        ws.close()


Client = Callable[[websocket.WebSocket], object]


@pytest.mark.parametrize(
    ("client", "said"),
    [
        (lambda ws: ws.send("b"), "line 3: expected 'a', got 'b'"),
        (lambda ws: ws.send_bytes(b"a"), "line 3: expected 'a', got b'a'"),
        (lambda ws: ws.send("x" * 999), r"line 3: expected 'a', got 'xxx.*\(999 characters\)"),
        (lambda ws: ws.close(), "line 3: expected 'a', but the connection has ended"),
        (lambda ws: ws.shutdown(), "line 3: expected 'a', but the connection has ended"),
        (lambda ws: None, "line 3: expected 'a', but it has not come in time"),
        (lambda ws: (ws.send("a"), ws.close()), r"line 5: expected b'\\x00', but the connection"),
        (
            lambda ws: (ws.send("a"), ws.send_bytes(b"\x00"), ws.send("z")),
            "no more messages, got 'z'",
        ),
    ],
)
def test_a_client_that_does_something_else_is_a_failure(client: Client, said: str) -> None:
    """It is raised at the end of the block, and the client sees 1011."""
    recording = made_of(OPEN, sent("a"), received("b"), sent(b"\x00"), received("c"))

    def run() -> None:
        with replay(recording, timeout=0.3) as server:
            ws = dial(server.url)
            client(ws)
            while ws.connected and seen(ws) not in (None, CLOSE):
                pass
            assert ws.close_code in (1000, 1006, 1011)
            ws.close()

    with pytest.raises(ScriptFailure, match=said):
        run()


def seen(ws: websocket.WebSocket) -> int | None:
    try:
        return int(ws.recv_data_frame(True)[0])
    except websocket.WebSocketConnectionClosedException:
        return None


def test_a_failure_does_not_hide_that_of_the_block() -> None:
    def run() -> None:
        with replay(made_of(sent("a"))) as server:
            ws = dial(server.url)
            ws.send("b")
            assert seen_close(ws)[0] == 1011
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        run()
    assert isinstance(caught.value.__context__, ScriptFailure)


def test_a_client_that_leaves_while_it_is_spoken_to_is_no_failure() -> None:
    with replay(made_of(received("one"), received("two"))) as server:
        ws = dial(server.url)
        assert ws.recv() == "one"
        ws.close()


def test_check_decides_what_is_the_same() -> None:
    compared: list[tuple[Any, Any]] = []

    def check(recorded: str | bytes, came: str | bytes) -> bool:
        compared.append((recorded, came))
        return recorded[:3] == came[:3]

    recording = made_of(sent("id 1"), received("yes"), sent("id 2"), received("no"))
    with replay(recording, check=check) as server:
        ws = dial(server.url)
        ws.send("id 7")
        assert ws.recv() == "yes"
        ws.send("id 8")
        assert ws.recv() == "no"
        ws.close()
    assert compared == [("id 1", "id 7"), ("id 2", "id 8")]
    with pytest.raises(ScriptFailure, match="got 'other'"):
        _say_other(recording, check)


def _say_other(recording: Recording, check: Callable[[Any, Any], bool]) -> None:
    with replay(recording, check=check) as server:
        ws = dial(server.url)
        ws.send("other")
        seen_close(ws)


def test_without_check_all_is_said_at_once_and_what_comes_is_reported() -> None:
    came: list[str | bytes] = []
    recording = made_of(sent("a"), received("b"), sent("c"), received("d"))
    with replay(recording, check=False, on_message=came.append) as server:
        ws = dial(server.url)
        assert [ws.recv(), ws.recv()] == ["b", "d"]
        ws.send("whatever")
        ws.close()
    assert came == ["whatever"]


@pytest.mark.parametrize(("speed", "least", "most"), [(1.0, 0.75, 10), (4.0, 0.19, 0.7)])
def test_speed_keeps_the_pauses(speed: float, least: float, most: float) -> None:
    """Counted from the message that is answered, so a slow client is not hurried."""
    recording = made_of(sent("a", 5.0), received("b", 5.4), received("c", 5.8))
    with replay(recording, speed=speed) as server:
        ws = dial(server.url)
        ws.send("a")
        began = time.monotonic()
        assert [ws.recv(), ws.recv()] == ["b", "c"]
        took = time.monotonic() - began
        ws.close()
    assert least < took < most


def test_what_comes_during_a_pause_is_not_lost() -> None:
    recording = made_of(received("a", 0.3), sent("b", 0.4), received("c", 0.5))
    with replay(recording, speed=1.0) as server:
        ws = dial(server.url)
        ws.send("b")
        assert [ws.recv(), ws.recv()] == ["a", "c"]
        ws.close()


@pytest.mark.parametrize("speed", [0, -1, float("inf"), float("nan")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        replay(made_of(), speed=speed)


def test_connections_are_played_in_turn() -> None:
    recording = made_of(
        received("first", connection=0),
        received("second", connection=1),
        received("too", connection=0),
    )
    with replay(recording) as server:
        for expected in (["first", "too"], ["second"], ["first", "too"]):
            ws = dial(server.url)
            assert [ws.recv() for _ in expected] == expected
            ws.close()


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, ""), (4000, "later"), (1011, "sorry"), (1005, ""), (1006, None)]
)
def test_the_close_of_the_server_is_played(code: int, reason: str | None) -> None:
    with replay(made_of(received("x"), closed("received", code, reason or ""))) as server:
        ws = dial(server.url)
        assert ws.recv() == "x"
        assert seen_close(ws)[0] == code
        assert (ws.close_reason or "") == (reason or "")


def test_a_close_of_the_client_is_waited_for() -> None:
    with replay(made_of(received("x"), closed("sent", 1000), closed("received", 1000))) as server:
        ws = dial(server.url)
        assert ws.recv() == "x"
        with pytest.raises(websocket.WebSocketTimeoutException):
            ws.recv(timeout=0.1)
        ws.close()
        assert ws.close_code == 1000


def test_an_empty_recording_is_a_silent_server() -> None:
    with replay(made_of()) as server:
        dial(server.url).close()


messages = st.tuples(st.just("text"), st.text()) | st.tuples(st.just("binary"), st.binary())
controls = st.tuples(st.sampled_from(["ping", "pong"]), st.binary(max_size=125))


@settings(max_examples=30, deadline=None)
@given(
    items=st.lists(
        st.tuples(st.just("sent"), messages) | st.tuples(st.just("received"), messages | controls),
        max_size=8,
    ),
    code=st.sampled_from([1000, 1003, 1005, 1006, 4999]),
)
def test_whatever_is_in_a_recording_can_be_played(items: list[Any], code: int) -> None:
    """By a client that does as recorded, to its end."""
    events = [RecordedEvent(0.0, direction, *what) for direction, what in items]
    with replay(made_of(*events, closed("received", code))) as server:
        ws = dial(server.url)
        for direction, (kind, data) in items:
            if direction == "sent":
                ws.send(data, {"text": TEXT, "binary": BINARY}[kind])
        for direction, (kind, data) in items:
            if direction == "received":
                _, frame = ws.recv_data_frame(True)
                assert frame.data == (data.encode() if kind == "text" else data)
        assert (seen(ws), ws.close_code) == (CLOSE if code != 1006 else None, code)


def test_compression_is_agreed_on_if_wanted(path: Path) -> None:
    with replay(made_of(sent("a" * 100), received("b" * 100)), compression="deflate") as server:
        ws = dial(server.url, compression="deflate")
        ws.send("a" * 100)
        assert ws.recv() == "b" * 100
        assert "permessage-deflate" in (ws.headers or {})["sec-websocket-extensions"]
        ws.close()
