"""Promise: away from a terminal wsdump prints the bytes that scripts know, and has its options."""

from __future__ import annotations

import gzip
import re
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from wsdump_process import BANNER, PATIENCE, ROOT, Piped, Terminal, environment

from websocket.testing import (
    Step,
    accept,
    drop,
    expect_frame,
    expect_request,
    frame,
    hang,
    script,
    send,
)

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def deflated(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


NO_TEXT = gzip.compress(b"\xff")
ITEMS = (
    (frame(TEXT, "grüße"), "text", "grüße"),
    (frame(BINARY, b"\x01\xff"), "binary", r"b'\x01\xff'"),
    (frame(PING, b"there?"), "ping", "b'there?'"),
    (frame(PONG, b"here"), "pong", "b'here'"),
    (frame(BINARY, gzip.compress(b"packed")), "binary", "[gzip] packed"),
    (frame(BINARY, deflated(b"tight")), "binary", "[zlib] tight"),
    (frame(BINARY, NO_TEXT), "binary", repr(NO_TEXT)),
    (frame(TEXT, "frag", fin=False), "text", "frag"),
    (frame(0, "ment"), "cont", "b'ment'"),
    (frame(TEXT, ""), "text", ""),
    (frame(BINARY, b""), "binary", "b''"),
    (frame(CLOSE, b"\x03\xe9bye"), "close", ""),
)
ALL = b"".join(item[0] for item in ITEMS)
ANSWERS: tuple[Step, ...] = (
    expect_frame(PONG, b"there?"),
    expect_frame(CLOSE, lambda body: body[:2] == b"\x03\xe9"),
)


def drawn(*texts: str) -> bytes:
    """Items as they are drawn: clear the line, next line, blue, the prompt again."""
    return b"".join(b"\x1b[2K\x1b[E\x1b[34m< %s\x1b[39m\n> " % text.encode() for text in texts)


def test_items_are_drawn_with_a_prompt_behind_each() -> None:
    """Text as it is, bytes as Python writes them, unpacked where that gives text."""
    with script(accept(), send(ALL), *ANSWERS, hang()) as server, Piped(server.url) as wsdump:
        expected = drawn(*(text for _, _, text in ITEMS))
        wsdump.until(lambda: wsdump.out.count(b"> ") > len(ITEMS))
        wsdump.end()
        assert wsdump.wait() == 0
        out = bytes(wsdump.out)
        assert out.startswith(BANNER)
        # The first prompt, of the thread that reads stdin, falls before or behind any item.
        assert out.removeprefix(BANNER).removeprefix(b"> ").replace(b"> > ", b"> ") == expected
        assert wsdump.err == b""


@pytest.mark.parametrize("options", [["-v"], ["-v", "1"], ["--verbose"], ["-v1"]])
def test_verbose_names_the_kind_of_each_item(options: list[str]) -> None:
    with (
        script(accept(), send(ALL), *ANSWERS, hang()) as server,
        Piped(*options, "--raw", server.url) as wsdump,
    ):
        expected = "".join(f"{kind}: {text}\n" for _, kind, text in ITEMS).encode()
        wsdump.until(lambda: bytes(wsdump.out) == expected)
        wsdump.end()
        assert (wsdump.wait(), bytes(wsdump.out), bytes(wsdump.err)) == (0, expected, b"")


def test_raw_is_one_item_a_line_without_banner_and_prompt() -> None:
    with (
        script(accept(), send(ALL), *ANSWERS, hang()) as server,
        Piped("-r", server.url) as wsdump,
    ):
        expected = "".join(f"{text}\n" for _, _, text in ITEMS).encode()
        wsdump.until(lambda: bytes(wsdump.out) == expected)
        wsdump.end()
        assert wsdump.wait() == 0


@pytest.mark.parametrize("options", [["-vv"], ["-v", "2"], ["-vvv"]])
def test_from_level_two_on_the_exchange_is_traced_on_stderr(options: list[str]) -> None:
    with (
        script(accept(), send(frame(TEXT, "x")), hang()) as server,
        Piped(*options, "-r", server.url) as wsdump,
    ):
        wsdump.until_out(b"text: x\n")
        wsdump.end()
        assert wsdump.wait() == 0
        assert b"GET / HTTP/1.1" in wsdump.err
        assert bytes(wsdump.out) == b"text: x\n"


def test_timings_put_the_seconds_before_each_line() -> None:
    with (
        script(accept(), send(frame(TEXT, "x")), hang()) as server,
        Piped("--timings", "-r", "-v", server.url) as wsdump,
    ):
        wsdump.until_out(b"text: x\n")
        assert re.fullmatch(rb"\d+\.\d{5}: text: x\n", wsdump.out)


def test_lines_of_stdin_are_sent_as_text_behind_that_of_the_option() -> None:
    steps = [expect_frame(TEXT, text) for text in (b"first", "zwölf".encode(), b"", b"end")]
    with (
        script(accept(), *steps, send(frame(TEXT, "done")), hang()) as server,
        Piped("-t", "first", "--eof-wait", "30", server.url) as wsdump,
    ):
        wsdump.type("zwölf\n\nend".encode())  # no line end behind the last one
        wsdump.end()
        wsdump.until_out(drawn("done"))
        assert wsdump.process.poll() is None  # it stays, for it was told to
        wsdump.interrupt()
        assert wsdump.wait() == 0


def test_the_end_of_stdin_ends_it_without_a_closing_handshake() -> None:
    with script(accept(), expect_frame(TEXT, b"a"), hang()) as server:
        with Piped(server.url) as wsdump:
            wsdump.type(b"a\n")
            wsdump.end()
            assert wsdump.wait() == 0
            assert bytes(wsdump.out) == BANNER + b"> > "
        assert not server.received[0].partition(b"\r\n\r\n")[2][7:]  # a frame of 7 bytes, no more


def test_a_lost_connection_is_shown_as_a_close_and_stdin_is_still_read() -> None:
    with (
        script(accept(), send(frame(TEXT, "x")), drop()) as server,
        Piped("-v", server.url) as wsdump,
    ):
        wsdump.until_out(drawn("close: "))
        assert wsdump.process.poll() is None
        wsdump.end()
        assert (wsdump.wait(), bytes(wsdump.err)) == (0, b"")


@pytest.mark.parametrize("raw", [["-r"], []])
def test_ctrl_c_is_an_ordinary_end(raw: list[str]) -> None:
    with (
        script(accept(), send(frame(TEXT, "x")), hang()) as server,
        Piped(*raw, server.url) as wsdump,
    ):
        wsdump.until_out(b"x")
        wsdump.interrupt()
        assert (wsdump.wait(), bytes(wsdump.err)) == (0, b"")


def test_ctrl_c_ends_connecting_too() -> None:
    with script(expect_request(), hang()) as server, Piped(server.url) as wsdump:
        server.wait_received(b"\r\n\r\n")
        wsdump.interrupt()
        assert (wsdump.wait(), bytes(wsdump.err)) == (0, b"")


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (["-s", "--"], None),
        (["-s", "one", "--"], "one"),
        (["-s", "one", "two", "-r"], "one,two"),
        (["--subprotocols", "one", "two"], "one,two"),  # the URL is told by its colon
    ],
)
def test_subprotocols_take_any_number_of_values(options: list[str], asked: str | None) -> None:
    chosen = asked and asked.split(",")[0]
    steps = (accept(subprotocol=chosen), send(frame(TEXT, "x")), hang())
    with script(*steps) as server, Piped(*options, server.url) as wsdump:
        wsdump.until_out(b"x")
        line = f"Sec-WebSocket-Protocol: {asked}\r\n".encode()
        assert (line in server.received[0]) == (asked is not None)


def test_origin_and_headers_are_in_the_request() -> None:
    with (
        script(accept(), send(frame(TEXT, "x")), hang()) as server,
        Piped("-o", "http://o.example", "--headers", "X-A: 1, X-B: 2", server.url) as wsdump,
    ):
        wsdump.until_out(b"x")
        for line in (b"Origin: http://o.example", b"X-A: 1", b"X-B: 2"):
            assert b"\r\n" + line + b"\r\n" in server.received[0]


def test_the_url_may_follow_verbose() -> None:
    """-v takes the next word as its level; a URL is none."""
    with (
        script(accept(), send(frame(TEXT, "x")), hang()) as server,
        Piped("-r", "-v", server.url) as wsdump,
    ):
        wsdump.until_out(b"text: x\n")


def test_classic_on_a_terminal_when_the_environment_says_so() -> None:
    evil = "\x1b]0;title\x07"
    with (
        script(accept(), send(frame(TEXT, "x" + evil)), hang()) as server,
        Terminal(server.url, env={"WSDUMP_CLASSIC": "1"}) as wsdump,
    ):
        wsdump.until_out(b"\x1b[2K\x1b[E\x1b[34m< x" + evil.encode() + b"\x1b[39m")
        wsdump.type(b"\x03")
        assert wsdump.wait() == 0


@pytest.mark.parametrize("name", ["wsdump", "wsdump.py"])
def test_it_runs_from_a_checkout_and_from_any_directory(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(ROOT / "bin" / name), "--help"],
        cwd=tmp_path,
        capture_output=True,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHON": sys.executable},
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"--eof-wait" in done.stdout


def test_a_reader_that_goes_away_is_no_error() -> None:
    """As with `wsdump ... | head -1`."""
    steps = (accept(), send(frame(TEXT, "one")), expect_frame(TEXT), send(frame(TEXT, "two")))
    with script(*steps, hang()) as server:
        command = [sys.executable, "-m", "websocket._wsdump", "-r", server.url]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment(None)
        ) as wsdump:
            assert wsdump.stdin and wsdump.stdout and wsdump.stderr
            assert wsdump.stdout.readline() == b"one\n"
            wsdump.stdout.close()
            wsdump.stdin.write(b"go on\n")
            wsdump.stdin.flush()
            assert (wsdump.wait(PATIENCE), wsdump.stderr.read()) == (0, b"")


def test_termination_by_signal_stays_what_it_is() -> None:
    with (
        script(accept(), send(frame(TEXT, "x")), hang()) as server,
        Piped("-r", server.url) as wsdump,
    ):
        wsdump.until_out(b"x")
        wsdump.process.terminate()
        assert wsdump.wait() == -signal.SIGTERM
