"""A client under a tool that counts: what a message costs, as the difference between two runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from trustme import CA

_ROOT = Path(__file__).resolve().parent.parent
_CLIENT = _ROOT / "tests" / "guards" / "counted.py"
_PATIENCE = 50.0  # seconds for one run; valgrind makes a program some fifty times slower
_TRIES = 6


class Workload(NamedTuple):
    """What the counted client does, and of how many messages a run consists."""

    kind: str
    path: str  # says to the server what it has to do
    count: int


class Server(NamedTuple):
    """Where the server of the benchmarks listens, and who vouches for it."""

    plain: str
    tls: str
    authority: str

    def per_message(
        self,
        count: Callable[[Callable[[Sequence[str]], str]], float],
        work: Workload,
        *,
        tls: bool,
        pure: bool,
        enough: float,
    ) -> float:
        """What `count` tells of a run of twice as many messages, less that of a run, for each.

        `count` gets a function that runs the client behind a tool's command line and returns what
        was said on standard error.

        On a busy machine the server is late, and a client that waits for it pays for more waits
        and smaller reads. So the fewest of some runs say what a message costs: one pair of runs
        where that is at most `enough`, else of as many as there is patience for.
        """

        def counted(times: int) -> float:
            return count(lambda tool: self._run(tool, work, work.count * times, tls, pure))

        self._run([], work, 1, tls, pure)  # Python compiles what it has not compiled yet
        once = twice = float("inf")
        for _ in range(_TRIES):
            once, twice = min(once, counted(1)), min(twice, counted(2))
            if twice - once <= enough * work.count:
                break
        return (twice - once) / work.count

    def _run(self, tool: Sequence[str], work: Workload, count: int, tls: bool, pure: bool) -> str:
        surroundings = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(_ROOT),
            "PYTHONHASHSEED": "0",  # the same dictionaries in each run
        }
        if pure:
            surroundings["WEBSOCKET_CLIENT_PURE_PYTHON"] = "1"
        url = (self.tls if tls else self.plain) + work.path
        client = [sys.executable, str(_CLIENT), work.kind, str(count), url, self.authority]
        ended = subprocess.run(
            [*tool, *client],
            check=False,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            env=surroundings,
        )
        assert ended.returncode == 0, ended.stderr[-2000:]
        if not pure and ended.stdout.split()[-1] != "c":
            pytest.skip("the accelerator is not built")
        return ended.stderr


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """The server of the benchmarks, in a process that nobody counts; papers go into `folder`."""
    authority, chain, key = (str(folder / name) for name in ("ca.pem", "chain.pem", "key.pem"))
    ca = CA()
    issued = ca.issue_cert("localhost")
    ca.cert_pem.write_to_path(authority)
    issued.private_key_pem.write_to_path(key)
    for certificate in issued.cert_chain_pems:
        certificate.write_to_path(chain, append=True)
    command = [sys.executable, str(_ROOT / "benchmarks" / "server.py"), chain, key]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            plain, tls = process.stdout.readline().split()
            yield Server(f"ws://localhost:{plain}", f"wss://localhost:{tls}", authority)
        finally:
            process.kill()
