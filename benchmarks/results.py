"""What a run has found, and under which circumstances; checked in as results.json."""

from __future__ import annotations

import json
import os
import platform
import ssl
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Results", "circumstances", "written"]


class Results(NamedTuple):
    """`rows`: by title, then by library: "figure", "least", "rounds", "p50", ... or a "note"."""

    machine: dict[str, Any]
    rows: dict[str, dict[str, Any]]


def circumstances(versions: Mapping[str, str], quick: bool, rounds: int) -> dict[str, Any]:
    """Machine, kernel, interpreter, versions, date."""
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "openssl": ssl.OPENSSL_VERSION,
        "rounds": rounds,
        "quick": quick,
        "versions": dict(versions),
    }


def written(results: Results) -> str:
    """JSON with a line for each library in each row, so that differences can be read."""

    def line(value: object) -> str:
        return json.dumps(value, ensure_ascii=False)

    rows = [
        f"  {line(title)}: {{\n"
        + ",\n".join(f"   {line(name)}: {line(figure)}" for name, figure in figures.items())
        + "\n  }"
        for title, figures in results.rows.items()
    ]
    return (
        f'{{\n "machine": {line(results.machine)},\n "rows": {{\n' + ",\n".join(rows) + "\n }\n}\n"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    named = [name for name in names if not name.isdigit()]
    return named[0] if named else f"{platform.machine()}, model not told"
