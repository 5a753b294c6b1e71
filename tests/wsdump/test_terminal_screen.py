"""Promise: on a terminal the half-typed line stays, and a server cannot steer the terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from wsdump_process import PATIENCE, Terminal

from websocket._wsdump.items import closing, cut, hex_rows, plain
from websocket.testing import (
    Connection,
    accept,
    drop,
    expect_frame,
    frame,
    hang,
    script,
    send,
    serve,
)

TEXT, CLOSE = 1, 8
Act = Callable[[Connection], object]


@contextmanager
def told(
    *options: str, columns: int = 80, lines: int = 24, env: dict[str, str] | None = None
) -> Iterator[tuple[Terminal, Callable[[Act], None], list[str]]]:
    """A terminal, a function that has the server do something, and what the server got."""
    connections: list[Connection] = []
    there = threading.Event()
    got: list[str] = []

    def handler(connection: Connection) -> None:
        connections.append(connection)
        there.set()
        for message in connection:
            got.append(message if isinstance(message, str) else repr(message))
            connection.send(f"got {message!r}")

    def do(act: Act) -> None:
        assert there.wait(PATIENCE)
        act(connections[-1])

    with (
        serve(handler) as server,
        Terminal(*options, server.url, columns=columns, lines=lines, env=env) as terminal,
    ):
        terminal.until(lambda: terminal.rows()[-1:] == [">"])
        yield terminal, do, got


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_half_typed_line_stays_while_messages_arrive(columns: int) -> None:
    """The cursor, too: what is typed then goes where it would have gone."""
    with told(columns=columns) as (terminal, do, got):
        terminal.type(b"hello wrld\x02\x02\x02")  # three to the left: behind the w
        terminal.until(lambda: terminal.screen().cursor.x == len("> hello w"))
        for number in range(3):
            do(lambda connection, number=number: connection.send(f"message {number} 日本"))
        terminal.until_row("< message 2 日 ?本 ?")
        assert terminal.rows()[-1] == "> hello wrld"
        assert terminal.screen().cursor.x == len("> hello w")
        terminal.type(b"o\r")
        terminal.until_row("< got 'hello world'")
        assert got == ["hello world"]
        assert [row for row in terminal.rows() if row.startswith(">")] == ["> hello world", ">"]


def test_it_stays_at_the_bottom_of_the_screen_and_when_longer_than_a_row() -> None:
    line = "0123456789" * 9
    with told(columns=40, lines=6) as (terminal, do, got):
        terminal.type(line.encode())
        terminal.until_row("<.*9")
        do(lambda connection: connection.send("\n".join(f"row {number}" for number in range(30))))
        terminal.until_row("row 29")
        rows = terminal.rows()
        assert rows[:-1] == [f"row {number}" for number in range(25, 30)]
        assert rows[-1].endswith("9")
        terminal.type(b"\r")
        terminal.until(lambda: got == [line])


def test_terminal_escapes_of_the_server_are_shown_and_not_obeyed() -> None:
    evil = "\x1b[2J\x1b]0;owned\x07\x9b1m\r\x08\u202egnp.exe\u2028"
    with told() as (terminal, do, _):
        do(lambda connection: connection.send(evil))
        terminal.until_row(r"< \\x1b\[2J\\x1b\]0;owned\\x07\\x9b1m\\r\\x08\\u202egnp\.exe\\u2028")
        assert terminal.rows()[0].startswith("* connected")
        assert b"\x1b[2J" not in terminal.out


def test_escapes_are_not_obeyed_in_raw_output_on_a_terminal() -> None:
    with (
        script(accept(), send(frame(TEXT, "\x1b[2J")), hang()) as server,
        Terminal("--raw", server.url) as terminal,
    ):
        terminal.until_row(r"\\x1b\[2J")


def test_binary_is_a_hex_dump_and_pings_and_fragments_show_with_verbose() -> None:
    def act(connection: Connection) -> None:
        connection.send(bytes(range(20)))
        connection.ping("there?")
        connection.send_frame(TEXT, b"frag", fin=False)
        connection.send_frame(0, b"ment")

    with told("-v") as (terminal, do, _):
        do(act)
        terminal.until_row("< cont: b'ment'")
        assert terminal.rows()[1:-1] == [
            "< binary: 20 bytes",
            "000000  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f  ................",
            "000010  10 11 12 13                                      ....",
            "< ping: b'there?'",
            "< text (more follows): frag",
            "< cont: b'ment'",
        ]


def test_without_verbose_there_are_messages_only() -> None:
    def act(connection: Connection) -> None:
        connection.ping("there?")
        connection.send_frame(TEXT, b"frag", fin=False)
        connection.send_frame(0, b"ment")

    with told() as (terminal, do, _):
        do(act)
        terminal.until_row("< fragment")
        assert len(terminal.rows()) == 3


def test_json_takes_as_many_rows_as_it_needs() -> None:
    with told("--json") as (terminal, do, _):
        do(lambda connection: connection.send('{"a":[1]}'))
        terminal.until_row("}")
        assert terminal.rows()[1:-1] == ["< {", '  "a": [', "    1", "  ]", "}"]


@pytest.mark.parametrize(("env", "coloured"), [(None, True), ({"NO_COLOR": "1"}, False)])
def test_colours_unless_they_are_not_wanted(env: dict[str, str] | None, coloured: bool) -> None:
    with told(env=env) as (terminal, do, _):
        do(lambda connection: connection.send("sky"))
        terminal.until_row("< sky")
        assert (b"\x1b[34m< sky" in terminal.out) == coloured


@pytest.mark.parametrize(
    ("body", "said", "status"),
    [
        (b"\x03\xe8", r"1000 \(normal closure\)", 0),
        (b"", r"1005 \(no code\)", 0),
        (b"\x03\xf0go \x1b[31maway", r"1008 \(policy violation\): go \\x1b\[31maway", 3),
        (b"\x0f\xa1", r"4001 \(private use\)", 3),
    ],
)
def test_the_close_of_the_server_is_shown_and_ends_it(body: bytes, said: str, status: int) -> None:
    """With code, name and reason; the half-typed line is cleared away."""
    steps = (accept(), expect_frame(TEXT), send(frame(CLOSE, body)), hang())
    with script(*steps) as server, Terminal(server.url) as terminal:
        terminal.until(lambda: terminal.rows()[-1:] == [">"])
        terminal.type(b"sent\rhalf typ")
        assert terminal.wait() == status
        terminal.until_row(rf"\* closed by the server: {said}")
        assert terminal.rows()[-1].startswith("* closed") and not terminal.err


def test_a_lost_connection_is_said_and_is_status_3() -> None:
    with script(accept(), expect_frame(TEXT), drop()) as server, Terminal(server.url) as terminal:
        terminal.until_row(">")
        terminal.type(b"go\r")
        assert terminal.wait() == 3
        terminal.until_row(r"\* connection lost: .*")


@pytest.mark.parametrize("key", [b"\x03", b"\x04"])
def test_ctrl_c_and_ctrl_d_end_it_with_a_closing_handshake(key: bytes) -> None:
    steps = (
        accept(),
        expect_frame(CLOSE, b"\x03\xe8"),
        lambda peer: peer.send(frame(CLOSE, b"\x03\xe8")),
    )
    with script(*steps) as server, Terminal(server.url) as terminal:
        terminal.until_row(">")
        terminal.type(key)
        assert (terminal.wait(), bytes(terminal.err)) == (0, b"")
        assert len(terminal.rows()) == 1


def test_count_ends_it_while_a_line_is_being_typed() -> None:
    with told("--count", "1") as (terminal, do, _):
        terminal.type(b"half")
        terminal.until_row("> half")
        do(lambda connection: connection.send("only"))
        assert terminal.wait() == 0
        assert terminal.rows()[-1] == "< only"


def test_the_terminal_is_left_as_it_was() -> None:
    """Echo and line mode are back, however it ends."""
    with told("--wait", "0.5") as (terminal, _, _got):
        assert terminal.wait() == 0
        assert terminal.modes_at_end == terminal.modes_at_start


def test_rows_are_cut_by_what_characters_take() -> None:
    assert list(cut("日本語", 4)) == ["日本", "語"]
    assert list(cut("e\u0301" * 3, 3)) == ["e\u0301" * 3]
    assert list(cut("a\tb\n\nc", 80)) == ["a       b", "", "c"]
    assert list(cut("", 80)) == [""]


def test_hex_fits_the_terminal_and_ends_somewhere() -> None:
    for columns in (80, 60, 40):
        rows = list(hex_rows(bytes(100_000), columns))
        assert max(map(len, rows)) < columns
        assert rows[-1] == "... 95904 bytes more"


def test_text_that_steers_nothing_stays() -> None:
    text = "naïve 日本 \u3000 👩\u200d💻 a\u00a0b\n\tc"
    assert plain(text) == text
    assert closing(4999, "x") == "4999 (private use): x"
