"""Measures the libraries side by side: `bin/bench --help`.

Each row has a process for each library, and each round asks all of them, one after the other. Needs
nothing but the standard library; pip fetches the peers.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from environments import LIBRARIES, Library, certificate, prepare
from measuring import Place, Setting, measure_row
from report import saved, table
from results import Results, circumstances, written
from rows import ROWS, Row

_HERE = Path(__file__).resolve().parent
RESULTS = _HERE / "results.json"


class Plan(NamedTuple):
    """What the command line asks for."""

    libraries: list[Library]
    rows: list[Row]
    setting: Setting


def main() -> int:
    """The command line."""
    options = _options()
    if options.report:
        saved(Results(**json.loads(RESULTS.read_text(encoding="utf-8"))))
        return 0
    plan = _plan(options)
    if options.list:
        print(*(row.title for row in plan.rows), sep="\n")
        return 0
    pythons, versions = _environments(plan.libraries)
    started = time.monotonic()
    results = Results(circumstances(versions, options.quick, plan.setting.rounds), {})
    with _server() as place:
        for row in plan.rows:
            figures = measure_row(row, plan.libraries, pythons, place, plan.setting)
            results.rows[row.title] = figures
            print(_line(row, figures), file=sys.stderr, flush=True)
    results.machine["minutes"] = round((time.monotonic() - started) / 60, 1)
    print(table(results))
    if options.save:
        if options.only and RESULTS.exists():
            results = _among(results)
        RESULTS.write_text(written(results), encoding="utf-8")
        saved(results)
    return 0


def _among(results: Results) -> Results:
    """The rows that were measured before, with those of `results` in their places."""
    before = Results(**json.loads(RESULTS.read_text(encoding="utf-8")))
    rows = {**before.rows, **results.rows}
    order = [row.title for row in ROWS]
    known = sorted((title for title in rows if title in order), key=order.index)
    return Results(before.machine, {title: rows[title] for title in known})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/bench",
        description="Speed of this library and its peers beside a raw socket, in one run. All of it"
        " takes some 12 minutes on two cores, --quick two. Environments are made at the first"
        " time.",
    )
    add = parser.add_argument
    add(
        "--quick",
        action="store_true",
        help="few and short rounds, without the scaling rows and some others",
    )
    add("--only", metavar="REGEX", help="rows whose title matches")
    add("--peers", metavar="NAMES", help="beside the floors and ours only these, with commas; or -")
    add("--rounds", type=int, help="rounds (default 5, quick 2)")
    add("--seconds", type=float, help="length of a batch (default 0.12, quick 0.04)")
    add(
        "--save",
        action="store_true",
        help="write results, page and charts; with --only, these rows of them",
    )
    add("--report", action="store_true", help="measure nothing; write page and charts anew")
    add("--list", action="store_true", help="measure nothing; print the titles of the rows")
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> Plan:
    peers = None if options.peers is None else options.peers.split(",")
    libraries = [
        library
        for library in LIBRARIES
        if peers is None or library.is_floor or library.is_ours or library.name in peers
    ]
    rows = [
        row
        for row in ROWS
        if (row.quick or not options.quick)
        and (options.only is None or re.search(options.only, row.title))
    ]
    setting = Setting(
        options.rounds or (2 if options.quick else 5),
        options.seconds or (0.04 if options.quick else 0.12),
        10.0 if options.quick else 30.0,
    )
    return Plan(libraries, rows, setting)


def _environments(libraries: list[Library]) -> tuple[dict[str, str], dict[str, str]]:
    """The interpreters and the versions, by library; who cannot be installed is left out."""
    pythons: dict[str, str] = {}
    versions: dict[str, str] = {}
    for library in libraries:
        try:
            pythons[library.name], versions[library.name] = prepare(library)
        except subprocess.CalledProcessError as exc:
            print(f"{library.name} is left out: {exc}", file=sys.stderr)
    return pythons, versions


@contextmanager
def _server() -> Iterator[Place]:
    files = certificate()
    command = [sys.executable, str(_HERE / "server.py"), *map(str, files or ())]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            ports = process.stdout.readline().split()
            over_tls = f"wss://localhost:{ports[1]}" if files else None
            yield Place(
                f"ws://127.0.0.1:{ports[0]}", over_tls, str(files[0]) if files else "", process.pid
            )
        finally:
            process.kill()


def _line(row: Row, figures: dict[str, Any]) -> str:
    told = [
        f"{name} {figure['figure']:.4g}" if "figure" in figure else f"{name} ({figure['note']})"
        for name, figure in figures.items()
    ]
    return f"{row.title} ({row.unit}): {', '.join(told)}"


if __name__ == "__main__":
    sys.exit(main())
