"""Measures the libraries side by side: rounds interleaved, each measurement in a new process.

Run it by `bin/bench`. Needs nothing but the standard library; pip fetches the peers.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from environments import LIBRARIES, Library, certificate, environment_of, prepare
from report import table
from rows import ROWS, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).resolve().parent
_SCALE = {"us": 1e6, "ms": 1e3, "KiB": 1 / 1024}
_UNABLE = {
    ("64 MiB in 4 KiB fragments", "websocket-client"),  # over 30 seconds for one
    ("64 MiB in 4 KiB fragments", "websockets"),  # refuses so many fragments
    ("200,000 one-byte fragments", "websockets"),
}


class Place(NamedTuple):
    """Where the server listens."""

    plain: str
    tls: str | None
    authority: str


def main() -> int:
    """The command line."""
    options = _options()
    libraries = [lib for lib in LIBRARIES if not options.only or lib.name in options.only]
    rows = [
        row for row in ROWS if not options.rows or any(part in row.title for part in options.rows)
    ]
    pythons: dict[str, str] = {}
    versions: dict[str, str] = {}
    for library in libraries:
        try:
            pythons[library.name], versions[library.name] = prepare(library)
        except subprocess.CalledProcessError as exc:
            print(f"{library.name} is left out: {exc}", file=sys.stderr)
    libraries = [library for library in libraries if library.name in pythons]
    results: dict[tuple[str, str], list[float]] = defaultdict(list)
    with _server() as place:
        for row in rows:
            for _ in range(options.rounds):
                for library in libraries:
                    figure = _measure(row, library, pythons[library.name], place, options.seconds)
                    if figure is not None:
                        results[row.title, library.name].append(figure * _SCALE[row.unit])
            least = {lib.name: min(results.get((row.title, lib.name), [0])) for lib in libraries}
            shown = ", ".join(f"{name} {figure:.4g}" for name, figure in least.items())
            print(f"{row.title} ({row.unit}): {shown}", file=sys.stderr)
    page = table(rows, versions, results, options.rounds)
    print(page)
    if options.output:
        Path(options.output).write_text(page)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/bench", description="Speed, side by side.")
    parser.add_argument("--quick", action="store_true", help="few and short rounds")
    parser.add_argument("--rounds", type=int, help="rounds (default 5, quick 2)")
    parser.add_argument("--seconds", type=float, help="CPU of a batch (default 0.4, quick 0.1)")
    parser.add_argument("--only", action="append", metavar="LIBRARY", help="only this one, too")
    parser.add_argument(
        "--rows", action="append", metavar="PART", help="rows with this in the name"
    )
    parser.add_argument("--output", metavar="FILE", help="write the table there, too")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (0.1 if options.quick else 0.4)
    return options


@contextmanager
def _server() -> Iterator[Place]:
    files = certificate()
    command = [sys.executable, str(_HERE / "server.py"), *map(str, files or ())]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            ports = _said(process.stdout).split()
            over_tls = f"wss://localhost:{ports[1]}" if files else None
            authority = str(files[0]) if files else ""
            yield Place(f"ws://127.0.0.1:{ports[0]}", over_tls, authority)
        finally:
            process.terminate()


def _said(output: IO[str] | None) -> str:
    assert output is not None
    return output.readline()


def _measure(row: Row, library: Library, python: str, place: Place, seconds: float) -> float | None:
    """One figure in seconds or bytes; None where the library has no such thing."""
    client: str | None = library.client
    if row.kind == "import":
        return _import_time(library, python)
    if row.deflate:
        client = library.deflate_client
    base = place.tls if row.tls else place.plain
    if client is None or base is None or (row.title, library.name) in _UNABLE:
        return None
    if row.kind == "app" and client != "clients:WebSocketClient":
        return None
    if row.kind == "idle" and library.name == "picows":
        return None  # its memory is not Python's, tracemalloc does not see it
    task = {
        "client": client,
        "row": row,
        "url": base + row.path,
        "authority": place.authority,
        "seconds": seconds,
    }
    try:
        told = _run([python, str(_HERE / "worker.py"), json.dumps(task)], library)
        return float(json.loads(told))
    except (subprocess.SubprocessError, ValueError) as exc:
        print(f"{library.name}, {row.title}: {exc}", file=sys.stderr)
        return None


def _run(command: Sequence[str], library: Library) -> str:
    return subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=20,
        cwd=_HERE,
        env=environment_of(library),
    ).stdout


def _import_time(library: Library, python: str) -> float:
    """CPU seconds of an interpreter that imports it, beyond one that imports nothing."""
    cost: list[float] = []
    for code in ("pass", f"import {library.module}"):
        least = float("inf")
        for _ in range(5):
            before = _children()
            _run([python, "-c", code], library)
            least = min(least, _children() - before)
        cost.append(least)
    return max(0.0, cost[1] - cost[0])


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
