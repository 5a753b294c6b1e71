"""Promise: --stats shows rates and sizes on a row of their own, and elsewhere only on stderr."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyte
import pytest
from wsdump_process import BANNER, PATIENCE, Piped, Terminal

from websocket import ABNF
from websocket._wsdump.counting import Meter, amount
from websocket.testing import Connection, accept, frame, hang, script, send, serve

LIVE = r"(received )?\d+ .*\(.*/s, .*B/s\).*"


@contextmanager
def counted(
    columns: int, lines: int = 12
) -> Iterator[tuple[Terminal, Callable[[str], None], list[str]]]:
    """A terminal with statistics, a function that has the server send, and what the server got."""
    connections: list[Connection] = []
    there = threading.Event()
    got: list[str] = []

    def handler(connection: Connection) -> None:
        connections.append(connection)
        there.set()
        got.extend(str(message) for message in connection)

    def say(text: str) -> None:
        assert there.wait(PATIENCE)
        connections[0].send(text)

    with (
        serve(handler) as server,
        Terminal("--stats", server.url, columns=columns, lines=lines) as terminal,
    ):
        terminal.until(lambda: re.fullmatch(LIVE, bottom(terminal)) and ">" in terminal.rows())
        yield terminal, say, got


def bottom(terminal: Terminal) -> str:
    return terminal.screen().display[-1].rstrip()


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_live_line_disturbs_neither_the_half_typed_line_nor_what_comes(columns: int) -> None:
    """It is in the last row, and all else scrolls above it; the cursor stays, too."""
    with counted(columns) as (terminal, say, got):
        terminal.type(b"hello wrld\x02\x02\x02")
        terminal.until(lambda: terminal.screen().cursor.x == len("> hello w"))
        for number in range(30):
            say(f"message {number} 日本語")
        terminal.until_row("< message 29 日 ?本 ?語 ?")
        terminal.until(lambda: re.match(r"(received )?30 ", bottom(terminal)))
        screen = terminal.screen()
        rows = [row.rstrip() for row in screen.display]
        assert rows[-2] == "> hello wrld"
        assert (screen.cursor.x, screen.cursor.y) == (len("> hello w"), len(rows) - 2)
        assert [row for row in rows if row.startswith("<")] == rows[:-2]
        assert rows[-3].startswith("< message 29")
        terminal.type(b"o\r")
        terminal.until(lambda: got == ["hello world"])
        terminal.until(lambda: re.search(r"sent 1\b|^30 ", bottom(terminal)))
        assert [row for row in terminal.rows() if row.startswith(">")] == ["> hello world", ">"]


def test_the_line_goes_and_the_whole_screen_scrolls_again_at_the_end() -> None:
    with counted(80) as (terminal, say, _):
        say("four")
        terminal.until_row("< four")
        terminal.type(b"half\x03")
        assert terminal.wait() == 0
        screen = terminal.screen()
        assert screen.margins is None
        assert terminal.rows() == [terminal.rows()[0], "< four"]
        assert re.fullmatch(
            rb"wsdump: [\d.]+ s; received 1 message, 4 B \(\S+/s, \S+ k?B/s; "
            rb"smallest 4 B, mean 4 B, largest 4 B\); sent 0 messages, 0 B\n",
            bytes(terminal.err),
        )


@pytest.mark.parametrize(("columns", "lines"), [(60, 8), (100, 20)])
def test_it_follows_the_size_of_the_terminal(columns: int, lines: int) -> None:
    with counted(80) as (terminal, say, _):
        terminal.type(b"half")
        terminal.until_row("> half")
        before = len(terminal.out)
        terminal.resize(columns, lines)

        def screen() -> pyte.Screen:
            seen = pyte.Screen(80, 12)
            stream = pyte.ByteStream(seen)
            stream.feed(bytes(terminal.out[:before]))
            seen.resize(lines, columns)
            stream.feed(bytes(terminal.out[before:]))
            return seen

        def is_right() -> bool:
            rows = [row.rstrip() for row in screen().display]
            return re.fullmatch(LIVE, rows[-1]) is not None and rows[-2] == "> half"

        for number in range(30):
            say(f"message {number}")
        terminal.until(is_right)


def test_a_terminal_of_few_rows_has_no_live_line() -> None:
    with serve() as server, Terminal("--stats", server.url, columns=80, lines=3) as terminal:
        terminal.until(lambda: terminal.rows()[-1:] == [">"])
        terminal.type(b"hello\r")
        terminal.until_row("< hello")
        assert not any(re.fullmatch(LIVE, row) for row in terminal.rows())


@pytest.mark.parametrize("raw", [[], ["--raw"]])
def test_elsewhere_stdout_stays_as_it_is_and_stderr_has_the_summary(raw: list[str]) -> None:
    """Fragments are one message; pings are none."""
    items = frame(1, "ab", fin=False) + frame(9, "ping") + frame(0, "c") + frame(2, b"x" * 2000)
    outputs: list[bytes] = []
    for stats in ([], ["--stats"]):
        with (
            script(accept(), send(items), hang()) as server,
            Piped(*stats, *raw, "-t", "grüße", "--count", "2", server.url) as wsdump,
        ):
            assert wsdump.wait() == 0
            # The prompt comes from another thread, before or between the items.
            outputs.append(bytes(wsdump.out).removeprefix(BANNER).replace(b"> ", b""))
    assert outputs[0] == outputs[1]
    said = wsdump.err.decode()
    assert re.match(r"wsdump: [\d.]+ s; received 2 messages, 2 kB \(", said)
    assert "smallest 3 B, mean 1 kB, largest 2 kB); sent 1 message, 7 B\n" in said
    assert said.count("\n") == 1


def test_without_a_connection_there_is_no_summary() -> None:
    with script(send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")) as server:
        with Piped("--stats", server.url) as wsdump:
            assert wsdump.wait() == 1
        assert wsdump.err.count(b"\n") == 1 and b"404" in wsdump.err


def test_stats_are_not_for_a_server() -> None:
    with Piped("--stats", "--listen") as wsdump:
        assert wsdump.wait() == 2
        assert b"--stats" in wsdump.err


def test_the_live_line_has_a_form_for_every_width(capsys: pytest.CaptureFixture[str]) -> None:
    shown: list[list[str]] = []
    news = threading.Event()

    def show(texts: object) -> None:
        shown.append(list(texts))
        news.set()

    meter = Meter(show)
    meter.opened()
    assert news.wait(PATIENCE)
    meter.came(ABNF.create_frame(b"x" * 1234567, ABNF.OPCODE_BINARY))
    meter.leave()
    assert [len(text) for text in shown[0]] == sorted(map(len, shown[0]), reverse=True)
    assert len(shown[0][-1]) == 1
    assert "1.23 MB" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 B"),
        (12.345, "12.3 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (999_600, "1 MB"),
        (1_234_567, "1.23 MB"),
        (5e9, "5 GB"),
        (5e12, "5 TB"),
        (5e15, "5000 TB"),
    ],
)
def test_sizes_are_for_people(size: float, said: str) -> None:
    assert amount(size) == said
