"""What was measured, as a Markdown table with the circumstances."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

from rows import Row

__all__ = ["Results", "table"]

Results = Mapping[tuple[str, str], Sequence[float]]  # (row, library) -> one figure a round


def table(rows: Sequence[Row], versions: Mapping[str, str], results: Results, rounds: int) -> str:
    """The page."""
    names = list(versions)
    lines = [
        "# Benchmarks",
        "",
        "CPU time of the client's process per message, all threads; each cell: the least of"
        f" {rounds} rounds (their median), and the least divided by the floor's. The floor is a"
        " blocking socket that sends ready-made frames and counts bytes. Made by `bin/bench`.",
        "",
        _circumstances(versions),
        "",
        "| workload | " + " | ".join(names) + " |",
        "| :-- |" + " --: |" * len(names),
    ]
    lines += [f"| {_title(row)} | {_cells(row, names, results)} |" for row in rows]
    lines += [
        "",
        "A dash: the library has no such thing, refuses so many fragments (websockets), or needs"
        " over 30 seconds for one message (websocket-client). The TLS"
        " rows verify the server's certificate. aiohttp and picows run on asyncio's own loop;"
        " websockets is its threading client."
        " On a machine that others use, too, compare within a row, and the least rather than the"
        " median.",
        "",
    ]
    return "\n".join(lines)


def _title(row: Row) -> str:
    return f"{row.title}, {row.unit}"


def _cells(row: Row, names: Sequence[str], results: Results) -> str:
    floors = results.get((row.title, "floor"))
    cells: list[str] = []
    for name in names:
        figures = results.get((row.title, name))
        if not figures:
            cells.append("–")
            continue
        least = min(figures)
        cell = f"{_short(least)} ({_short(median(figures))})"
        if name != "floor" and floors and min(floors) > 0:
            cell += f" {least / min(floors):.2f}x"
        cells.append(cell)
    return " | ".join(cells)


def _short(figure: float) -> str:
    if figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.3g}"


def _circumstances(versions: Mapping[str, str]) -> str:
    known = ", ".join(f"{name} {said}" for name, said in versions.items() if said)
    when = datetime.now(timezone.utc).strftime("%Y-%m-%d")
    machine = f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{when}; {machine}; {python}; {known}."


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names and names[0] else platform.machine()
