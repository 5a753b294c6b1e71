"""Programs that depend on websocket-client, in an environment where this checkout stands for it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

import websocket

PATIENCE = 40.0
"""Seconds that a program may take for a step on a loaded machine before we call it a hang."""

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "dependents"

marks = [pytest.mark.dependents, pytest.mark.timeout(420)]
"""For `pytestmark`: whichever test is the first waits for pip."""

_FOREIGN = ("PYTHON", "REQUESTS_", "CURL_", "DOCKER_", "KUBE", "SLACK_", "SE_")
_PARTS = ("websocket", "setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
_SETTINGS = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_QUIET": "1"}


class Program:
    """A running program: it and the test tell each other values as lines of JSON."""

    def __init__(self, process: subprocess.Popen[str], log: Path):
        self._process = process
        self._log = log
        self._said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.put(line)
        self._said.put(None)

    def next(self) -> Any:
        """What it says next; the test fails when it ends instead, or says nothing for long."""
        try:
            line = self._said.get(timeout=PATIENCE)
        except queue.Empty:
            self._process.send_signal(signal.SIGABRT)  # faulthandler then shows where it is
            self._process.wait(10)
            pytest.fail(f"The program says nothing.\n{self._errors()}", pytrace=False)
        if line is None:
            code = self._process.wait(PATIENCE)
            pytest.fail(f"The program has ended with {code}.\n{self._errors()}", pytrace=False)
        return json.loads(line)

    def tell(self, value: object) -> None:
        """Something that it waits for."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    def finish(self) -> None:
        """It says nothing more and ends well."""
        line = self._said.get(timeout=PATIENCE)
        code = self._process.wait(PATIENCE)
        assert (line, code) == (None, 0), self._errors()

    def end(self) -> None:
        """It need not go on."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._listener.join()

    def _errors(self) -> str:
        logs = sorted(self._log.parent.glob("*.log"), key=lambda log: log.stat().st_mtime)[-3:]
        return "".join(f"--- {log.name}\n{log.read_text(errors='replace')[-8000:]}" for log in logs)


class Dependents:
    """The environment that the programs run in."""

    def __init__(self, python: Path, packages: tuple[Path, ...], logs: Path):
        self.python = python
        self.packages = packages
        self._logs = logs
        self._count = 0

    def instead(self, packages: Path) -> Dependents:
        """The same with what lies in another folder, in place of what pip installed."""
        return Dependents(self.python, (*self.packages, packages), self._logs)

    @contextmanager
    def running(self, name: str, **arguments: object) -> Iterator[Program]:
        """One of the programs in `programs` while the block runs."""
        self._count += 1
        log = self._logs / f"{name}-{self._count}-{len(self.packages)}.log"
        environment = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
        environment["PYTHONPATH"] = os.pathsep.join(map(str, self.packages))
        command = [self.python, "-u", "-X", "faulthandler", FOLDER / "programs" / f"{name}.py"]
        with log.open("w") as errors, _pipes(command, arguments, environment, errors) as process:
            program = Program(process, log)
            try:
                yield program
            finally:
                program.end()


def _pipes(
    command: list[Any], arguments: object, environment: dict[str, str], errors: IO[str]
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*command, json.dumps(arguments)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )


def caches() -> Path:
    """Where what was fetched stays from run to run."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return folder / "websocket-client-tests"


@contextmanager
def _once(folder: Path) -> Iterator[bool]:
    """Whether `folder` is still to be filled; other runs wait meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "done"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not done.exists()
        done.touch()


def make(scratch: Path) -> Dependents:
    """The environment, from the cache if it is there, with this checkout as it is now."""
    source = scratch / "source"
    source.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", "*.so")
    for name in _PARTS:
        part = ROOT / name
        if part.is_dir():
            shutil.copytree(part, source / name, ignore=ignored)
        else:
            shutil.copy(part, source)
    python = _environment(source)
    ours = scratch / "ours"
    _pip(python, "install", "--no-build-isolation", "--no-deps", "--target", ours, source)
    return Dependents(python, (ours,), scratch)


def _environment(source: Path) -> Path:
    """An interpreter that has the requirements; pip took this distribution for theirs."""
    requirements = FOLDER / "requirements.txt"
    wanted = requirements.read_bytes() + websocket.__version__.encode()
    version = ".".join(map(str, sys.version_info[:3]))
    digest = hashlib.sha256(wanted).hexdigest()[:12]
    folder = caches() / f"dependents-{version}-{digest}"
    python = folder / "venv" / "bin" / "python"
    with _once(folder) as missing:
        if missing:
            venv.create(folder / "venv", clear=True, with_pip=True, symlinks=True)
            _pip(python, "install", source)
            _pip(python, "install", "--requirement", requirements)
            _pip(python, "check")
    return python


def older(dependents: Dependents, *requirements: str) -> Dependents:
    """The same environment with other releases of some packages."""
    name = "-".join(requirements).replace("==", "-")
    folder = caches() / f"{name}-{sys.version_info[0]}.{sys.version_info[1]}"
    packages = folder / "packages"
    with _once(folder) as missing:
        if missing:
            _pip(dependents.python, "install", "--no-deps", "--target", packages, *requirements)
    return dependents.instead(packages)


def _pip(python: Path, *arguments: str | Path) -> None:
    done = subprocess.run(
        [python, "-m", "pip", *arguments],
        env={**os.environ, **_SETTINGS},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = f"pip {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}"[-3000:]
        if os.environ.get("CI") == "true" or "check" in arguments:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
