"""Promise: the completions for bash, zsh and fish are those of the parser, list every option, and
work in these shells."""

from __future__ import annotations

import argparse
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from websocket._wsdump.arguments import make_parser
from websocket._wsdump.completion import completion, options_in

ROOT = Path(__file__).resolve().parents[2]
FILES = {"bash": "wsdump.bash", "zsh": "_wsdump", "fish": "wsdump.fish"}
PATIENCE = 20.0
OPTIONS = [name for option in options_in(make_parser()) for name in option.names]


def shell(name: str) -> str:
    """The path of a shell; without it the test is skipped."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install {name}")
    return found


def printed(program: str, *arguments: str, folder: Path = ROOT) -> list[str]:
    done = subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        cwd=folder,
        stdin=subprocess.DEVNULL,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout.splitlines()


def test_the_parser_hides_nothing() -> None:
    known = {name for action in make_parser()._actions for name in action.option_strings}
    assert known == set(OPTIONS) and "--doctor" in known and "-h" in known


@pytest.mark.parametrize("name", FILES)
def test_the_files_in_the_repository_are_what_the_command_prints(name: str) -> None:
    path = ROOT / "completions" / FILES[name]
    remedy = f"python -m websocket._wsdump --completion {name} > completions/{path.name}"
    assert path.read_text() == completion(name), f"out of date: {remedy}"


@pytest.mark.parametrize("name", FILES)
def test_every_option_is_listed(name: str) -> None:
    text = completion(name)
    for option in OPTIONS:
        bare = option.lstrip("-")
        sought = option if name != "fish" else f"-{'l' if option[:2] == '--' else 's'} {bare} "
        assert sought in text, option


def test_options_of_any_parser_are_understood() -> None:
    parser = argparse.ArgumentParser(prog="tool")
    parser.add_argument("--it", metavar="FILE", help="it's [50%%] of: %(prog)s")
    parser.add_argument("--hidden", help=argparse.SUPPRESS)
    parser.add_argument("-m", "--many", nargs="*", metavar="X")
    first, it, many = options_in(parser)
    assert first.names == ("-h", "--help") and first.value == ""
    assert it.takes_file and it.help == "it's [50%] of: tool"
    assert (many.value, many.optional) == ("X ...", False)


# --- bash -----------------------------------------------------------------------------------------

ASK = """
source completions/wsdump.bash
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
[[ $(complete -p wsdump) == *_wsdump* ]] && _wsdump
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(*words: str) -> list[str]:
    """What bash offers for the last of these words."""
    found = printed(shell("bash"), "--norc", "-c", ASK, "bash", "wsdump", *words)
    return [each for each in found if each]


def test_bash_understands_the_script() -> None:
    assert printed(shell("bash"), "-n", "completions/wsdump.bash") == []


def test_bash_completes() -> None:
    assert completed("--doc") == ["--doctor"]
    assert sorted(completed("-")) == sorted(OPTIONS)
    assert completed("") == ["ws://", "wss://"]
    assert completed("-v", "wss") == ["wss://"]
    assert completed("--completion", "z") == ["zsh"]
    assert completed("--completion", "=", "f") == ["fish"]
    assert completed("--completion", "=") == ["bash", "zsh", "fish"]
    assert completed("--timeout", "") == []
    assert completed("--ca", "completions/w") == [
        "completions/wsdump.bash",
        "completions/wsdump.fish",
    ]


def test_bash_completes_names_with_blanks(tmp_path: Path) -> None:
    (tmp_path / "my ca.pem").touch()
    assert completed("--ca", f"{tmp_path}/my") == [f"{tmp_path}/my ca.pem"]


def test_bash_completes_at_the_prompt() -> None:
    """As a user does it: type, press the tabulator, look."""
    own, theirs = os.openpty()
    env = {**os.environ, "TERM": "dumb", "INPUTRC": os.devnull, "PS1": "$ ", "HISTFILE": ""}
    with subprocess.Popen(
        [shell("bash"), "--norc", "--noprofile", "-i"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=env,
        cwd=ROOT,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            os.write(own, b"source completions/wsdump.bash; echo rea''dy\n")
            read_until(own, b"ready")
            os.write(own, b"wsdump --doct\t")
            read_until(own, b"--doctor ")
        finally:
            process.kill()
            os.close(own)


def read_until(descriptor: int, wanted: bytes) -> None:
    seen, deadline = b"", time.monotonic() + PATIENCE
    while wanted not in seen:
        left = deadline - time.monotonic()
        assert left > 0, seen
        if select.select([descriptor], [], [], left)[0]:
            seen += os.read(descriptor, 4096)


# --- zsh and fish ---------------------------------------------------------------------------------


def test_zsh_completes() -> None:
    """`_arguments` needs the line editor, so a terminal."""
    path = shell("zsh")
    assert printed(path, "-n", "completions/_wsdump") == []
    own, theirs = os.openpty()
    with subprocess.Popen(
        [path, "-f", "-i"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "dumb", "PS1": "$ "},
        cwd=ROOT,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            os.write(own, b"autoload -U compinit; compinit -u -D; fpath=(completions $fpath)\n")
            os.write(own, b"source completions/_wsdump; print rea''dy\n")
            read_until(own, b"ready")
            os.write(own, b"wsdump --doct\t")
            read_until(own, b"--doctor ")
            os.write(own, b"--completion zs\t")
            read_until(own, b"zsh ")
        finally:
            process.kill()
            os.close(own)


def test_fish_completes() -> None:
    path = shell("fish")
    assert printed(path, "--no-execute", "completions/wsdump.fish") == []

    def offered(line: str) -> list[str]:
        asked = f"source completions/wsdump.fish; complete -C '{line}'"
        return [row.partition("\t")[0] for row in printed(path, "--no-config", "-c", asked)]

    assert offered("wsdump --doc") == ["--doctor"]
    assert offered("wsdump --completion z") == ["zsh"]
    assert offered("wsdump wss") == ["wss://"]
    assert offered("wsdump --ca completions/w") == [
        "completions/wsdump.bash",
        "completions/wsdump.fish",
    ]
    long = [name for name in OPTIONS if name.startswith("--")]
    assert set(long) <= set(offered("wsdump --"))
