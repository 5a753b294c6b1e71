"""Promise: the manual page is that of the parser, names every option, and is good roff."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from websocket import __version__
from websocket._wsdump.arguments import make_parser
from websocket._wsdump.completion import options_in
from websocket._wsdump.manual import manual

PAGE = Path(__file__).resolve().parents[2] / "man" / "wsdump.1"
COMMANDS = {".TH", ".SH", ".SS", ".PP", ".TP", ".B", ".br", '.\\"'}


def test_the_file_in_the_repository_is_what_the_command_prints() -> None:
    remedy = f"python -m websocket._wsdump --man > man/{PAGE.name}"
    assert PAGE.read_text() == manual(), f"out of date: {remedy}"


def test_every_option_is_described() -> None:
    lines = manual().splitlines()
    for option in options_in(make_parser()):
        name = option.names[0].replace("-", "\\-")
        at = [n for n, line in enumerate(lines) if line.startswith(f"\\fB{name}\\fR")]
        assert len(at) == 1, name
        assert lines[at[0] - 1] == ".TP" and lines[at[0] + 1]


def test_the_structure_is_that_of_a_manual_page() -> None:
    lines = manual().splitlines()
    assert lines[1].startswith(".TH WSDUMP 1 ") and __version__ in lines[1]
    sections = [line[4:] for line in lines if line.startswith(".SH ")]
    assert sections[:4] == ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"]
    assert {"EXIT STATUS", "ENVIRONMENT", "EXAMPLES"} <= set(sections)
    used = {line.split()[0] for line in lines if line.startswith((".", "'"))}
    assert used <= COMMANDS
    # "-" alone is a hyphen, which nobody can search for or paste.
    assert not [line for line in lines if re.search(r"(?<!\\)-", line.partition('"')[0])]


def test_man_has_nothing_to_complain_of() -> None:
    man = shutil.which("man")
    if man is None or shutil.which("groff") is None:
        pytest.skip("man or groff is not installed: apt-get install man-db groff-base")
    done = subprocess.run(
        [man, "--warnings", "-l", str(PAGE)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MANPAGER": "cat"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = re.sub(r".\x08", "", done.stdout)
    assert "wsdump - talk to a WebSocket server" in shown
    assert "--doctor" in shown and "--completion SHELL" in shown
