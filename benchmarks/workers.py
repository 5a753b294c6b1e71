"""The harness's end of a worker process: orders and answers, each with a deadline."""

from __future__ import annotations

import json
import selectors
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["FailedError", "Worker"]

_HERE = Path(__file__).resolve().parent
_WORDS = 120  # characters of an error that are kept


class FailedError(Exception):
    """A worker did not answer in time, or died; says why in a line."""


class Worker:
    """A running `worker.py`. Whoever does not answer in time is killed; no row waits for ever."""

    def __init__(
        self, command: Sequence[str], task: Mapping[str, Any], environment: dict[str, str]
    ):
        self._process = subprocess.Popen(
            [*command, str(_HERE / "worker.py"), json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=_HERE,
            env=environment,
        )
        self._held = b""

    def ready(self, seconds: float) -> None:
        """Wait until it is connected."""
        self._answer(seconds)

    def ask(self, order: str, seconds: float, depth: int, patience: float) -> dict[str, Any]:
        """Have it measure something; raises FailedError."""
        line = json.dumps({"order": order, "seconds": seconds, "depth": depth})
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise FailedError(self._last_words()) from None
        return self._answer(patience)

    def end(self) -> None:
        """Kill it if it is there, and forget it."""
        self._process.kill()
        self._process.communicate()

    def _answer(self, seconds: float) -> dict[str, Any]:
        output = self._process.stdout
        assert output is not None
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while b"\n" not in self._held:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self.end()
                    raise FailedError(f"no answer within {seconds:g} s")
                data = output.read1(1 << 20)  # type: ignore[attr-defined]
                if not data:
                    raise FailedError(self._last_words())
                self._held += data
        line, _, self._held = self._held.partition(b"\n")
        told: dict[str, Any] = json.loads(line)
        return told

    def _last_words(self) -> str:
        self._process.kill()
        _, errors = self._process.communicate()
        lines = errors.decode(errors="replace").strip().splitlines()
        return lines[-1][:_WORDS] if lines else "it died without a word"
