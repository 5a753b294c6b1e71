"""One row, all libraries: who takes part, rounds interleaved, doubtful figures measured again."""

from __future__ import annotations

import math
import os
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any, NamedTuple

from environments import Library, environment_of
from rows import Row
from workers import FailedError, Worker

__all__ = ["Place", "Setting", "measure_row"]

_SCALE = {"us": 1e6, "ms": 1e3, "KiB": 1 / 1024, "x": 1.0}
_DEPTHS = 7  # frames from one round to the next
_DOUBT = 1.8  # times the least: rounds as different as this are not believed
_START = 20.0  # seconds for a process to be connected
_IMPORTS = 2  # times as many as rounds

# Who is not asked, and why.
_UNABLE = {
    ("echo 0 B", "curl_cffi"): "does not send empty messages",
    ("64 MiB in 4 KiB fragments", "websocket-client"): "over 30 s",
    ("peak of 64 MiB in 4 KiB fragments", "websocket-client"): "over 30 s",
    ("64 MiB in 4 KiB fragments", "websockets"): "refuses so many fragments",
    ("peak of 64 MiB in 4 KiB fragments", "websockets"): "refuses so many fragments",
    ("200,000 one-byte fragments", "websockets"): "refuses so many fragments",
}
_NOT_POLLED = ("websockets", "aiohttp", "picows", "picows.websockets")


class Place(NamedTuple):
    """Where the server listens."""

    plain: str
    tls: str | None
    authority: str
    number: int  # of its process

    def cpu(self) -> float:
        """Seconds of CPU that the server has used; 0.0 where the system does not tell."""
        try:
            # The clock of another process, all its threads; clock_getcpuclockid(3) makes it so.
            return time.clock_gettime((~self.number << 3) | 2)
        except (AttributeError, OSError):
            return 0.0


class Setting(NamedTuple):
    """How long and how often."""

    rounds: int
    seconds: float
    patience: float  # seconds for one answer


class _Taken(NamedTuple):
    rounds: list[float]
    times: list[float]
    more: dict[str, Any]
    failures: list[str]


def measure_row(
    row: Row,
    libraries: Sequence[Library],
    pythons: dict[str, str],
    place: Place,
    setting: Setting,
) -> dict[str, Any]:
    """The figures of each library in the row's unit, or a note that says why there are none."""
    if row.kind == "import":
        return _imports(libraries, pythons, setting)
    figures: dict[str, Any] = {}
    takes_part: list[Library] = []
    for library in libraries:
        if library.name not in pythons or (library.name == "BIO" and not row.tls):
            continue
        note = _why_not(row, library, place)
        if note:
            figures[library.name] = {"note": note}
        else:
            takes_part.append(library)

    def start(library: Library) -> Worker:
        return _start(row, library, pythons[library.name], place)

    taken = {library.name: _Taken([], [], {}, []) for library in takes_part}
    if row.is_measured_alone:
        for library in takes_part:
            _measure_alone(row, library, start, setting, taken[library.name])
    else:
        _measure_rounds(row, takes_part, start, place, setting, taken, 0)
        doubtful = [
            library for library in takes_part if _is_doubtful(taken[library.name], setting.rounds)
        ]
        if doubtful:
            _measure_rounds(row, doubtful, start, place, setting, taken, setting.rounds)
    for library in takes_part:
        figures[library.name] = _figure(row, taken[library.name])
    order = [library.name for library in libraries]
    return dict(sorted(figures.items(), key=lambda item: order.index(item[0])))


def _why_not(row: Row, library: Library, place: Place) -> str | None:
    if (row.title, library.name) in _UNABLE:
        return _UNABLE[row.title, library.name]
    if row.tls and place.tls is None:
        return "openssl is missing"
    if row.deflate and library.is_floor:
        return "does not compress"
    if row.deflate and not library.deflates:
        return "has no compression"
    if row.kind.startswith("duplex") and library.name in ("curl_cffi", "wsproto"):
        return "not for two threads"
    if row.kind == "polled" and library.name in _NOT_POLLED:
        return "cannot be polled"
    return None


def _start(row: Row, library: Library, python: str, place: Place) -> Worker:
    base = place.tls if row.tls else place.plain
    group = next(_numbers) if row.part().role == "group" else 0
    task = {
        "library": library.name,
        "client": library.client,
        "module": library.module,
        "row": row._asdict(),
        "url": f"{base}{row.part(group).path}",
        "authority": place.authority,
    }
    surroundings = environment_of(library)
    if row.kind == "idle":
        surroundings["PYTHONMALLOC"] = "malloc"  # so that one count knows Python's and C's
    return Worker([python], task, surroundings)


_numbers = iter(range(1, 1 << 30))


def _measure_rounds(
    row: Row,
    libraries: Sequence[Library],
    start: Callable[[Library], Worker],
    place: Place,
    setting: Setting,
    taken: dict[str, _Taken],
    first: int,
) -> None:
    """All processes are there at the same time, and one of them works at a time."""
    workers = {library.name: start(library) for library in libraries}
    working = dict(workers)

    def ask(name: str, call: Callable[[Worker], None]) -> None:
        try:
            if name in working:
                call(working[name])
        except FailedError as exc:
            taken[name].failures.append(str(exc))
            working.pop(name).end()

    try:
        for name in workers:
            ask(name, lambda worker: worker.ready(_START))
        for number in range(first, first + setting.rounds):
            for name in workers:
                ask(name, partial(_round, row, place, setting, taken[name], number))
    finally:
        for worker in workers.values():
            worker.end()


def _round(
    row: Row, place: Place, setting: Setting, taken: _Taken, number: int, worker: Worker
) -> None:
    depth, before = number * _DEPTHS, place.cpu()
    if row.kind == "burst":
        told = worker.ask("burst", setting.seconds, depth, setting.patience)
        taken.times.extend(told["times"])
        taken.rounds.append(_percentile(told["times"], 99) * _SCALE[row.unit])
        return
    told = worker.ask("batch", setting.seconds, depth, setting.patience)
    if "total" in told:  # all that were sent, also while the right number was looked for
        served = (place.cpu() - before) / told["total"]
        taken.more.setdefault("server", []).append(served * _SCALE[row.unit])
    taken.rounds.append(told["cpu"] / told["count"] * _SCALE[row.unit])
    taken.more.setdefault("wall", []).append(told["wall"] / told["count"] * _SCALE[row.unit])
    if row.kind == "echo" and number < 2:
        taken.times.extend(worker.ask("times", 0.5, depth, setting.patience)["times"])


def _measure_alone(
    row: Row,
    library: Library,
    start: Callable[[Library], Worker],
    setting: Setting,
    taken: _Taken,
) -> None:
    """Memory, and messages that take seconds: once, in a process that has done nothing else."""
    worker = start(library)
    try:
        worker.ready(_START)
        if row.heavy:
            for number in range(2 if row.size < 1 << 26 else 1):
                told = worker.ask("batch", setting.seconds, number * _DEPTHS, setting.patience)
                taken.rounds.append(told["cpu"] / told["count"] * _SCALE[row.unit])
            return
        told = worker.ask(row.kind, setting.seconds, 0, setting.patience)
        if row.kind == "peak":
            taken.rounds.append(told["bytes"] / row.size)
            return
        taken.rounds.append(told["bytes"] / row.count * _SCALE[row.unit])
        if row.kind == "idle":
            taken.more.update(threads=told["threads"], resident=told["resident"] / row.count / 1024)
    except FailedError as exc:
        taken.failures.append(str(exc))
    finally:
        worker.end()


def _is_doubtful(taken: _Taken, rounds: int) -> bool:
    """Whether it gets another chance: rounds that differ much, or a process that did not last."""
    differs = rounds > 2 and bool(taken.rounds) and max(taken.rounds) > _DOUBT * min(taken.rounds)
    return differs or bool(taken.failures)


def _figure(row: Row, taken: _Taken) -> dict[str, Any]:
    if not taken.rounds:
        return {"note": taken.failures[-1] if taken.failures else "no figure"}
    figure: dict[str, Any] = {
        "figure": _short(median(taken.rounds)),
        "least": _short(min(taken.rounds)),
        "rounds": [_short(value) for value in taken.rounds],
    }
    if taken.times:
        figure["p50"], figure["p99"] = (
            _short(_percentile(taken.times, percent) * 1e6) for percent in (50, 99)
        )
    for name in ("wall", "server"):
        if taken.more.get(name):
            figure[name] = _short(median(taken.more[name]))
    for name in ("threads", "resident"):
        if name in taken.more:
            figure[name] = _short(taken.more[name])
    if taken.failures:
        figure["failures"] = taken.failures
    return figure


def _percentile(values: Sequence[float], percent: int) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, math.ceil(len(ranked) * percent / 100) - 1)]


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _imports(
    libraries: Sequence[Library], pythons: dict[str, str], setting: Setting
) -> dict[str, Any]:
    """CPU of an interpreter that imports the library, less that of one that imports nothing."""
    rounds: dict[str, list[float]] = {}
    for _ in range(setting.rounds * _IMPORTS):
        for library in libraries:
            if library.name not in pythons or library.name == "BIO":
                continue
            python = pythons[library.name]
            cost = _cpu_of(library, python, f"import {library.module}")
            bare = _cpu_of(library, python, "pass")
            rounds.setdefault(library.name, []).append(cost * 1e3)
            rounds.setdefault(library.name + " bare", []).append(bare * 1e3)
    return {
        library.name: {
            "figure": _short(
                max(0.0, min(rounds[library.name]) - min(rounds[library.name + " bare"]))
            ),
            "rounds": [_short(value) for value in rounds[library.name]],
        }
        for library in libraries
        if library.name in rounds
    }


def _cpu_of(library: Library, python: str, code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([python, "-c", code], check=True, env=environment_of(library), cwd=os.sep)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
