"""The charts: bars for the README, every row at a glance, and lines that show how things grow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from results import Results
from rows import ROWS, Row
from svg import Canvas, class_of
from verdicts import FLOORS, OURS, figure_of, short

__all__ = ["draw"]

_PANELS = (
    "echo 1 KiB text",
    "receive flood 1 KiB text",
    "send 1 KiB text",
    "echo 1 MiB",
    "wss echo 1 KiB text",
    "wss flood 1 KiB text",
)
_WIDTH = 880.0
_BAR, _GAP = 13.0, 5.0
_LONGEST = 4.0  # times the longer of ours and the floor: what exceeds it is cut


def draw(results: Results) -> dict[str, str]:
    """All charts for which there are figures, by file name."""
    charts: dict[str, Canvas | None] = {
        "performance.svg": _panels(results),
        "performance-rows.svg": _rows(results),
        "performance-sizes.svg": _sizes(results),
        "performance-connections.svg": _connections(results),
        "performance-threads.svg": _threads(results),
    }
    return {name: str(chart) for name, chart in charts.items() if chart is not None}


def _footnote(results: Results) -> str:
    machine = results.machine
    return f"{machine['date']}, {machine['python']}, {machine['cores']} cores, {machine['system']}"


def _panels(results: Results) -> Canvas | None:
    """Bars in six panels, the shortest on top."""
    titles = [title for title in _PANELS if title in results.rows]
    if not titles:
        return None
    most = max(len(_ranked(results.rows[title])) for title in titles)
    height = most * (_BAR + _GAP) + 46
    canvas = Canvas(
        _WIDTH, 70 + height * math.ceil(len(titles) / 2) + 8, "CPU time per message, side by side"
    )
    canvas.text(24, 34, "Microseconds of CPU per message", size=17, bold=True)
    canvas.text(24, 54, f"shorter is better · {_footnote(results)}", colour="soft")
    for number, title in enumerate(titles):
        left = 24 + (number % 2) * (_WIDTH / 2 - 4)
        _panel(canvas, left, 70 + height * (number // 2), title, results.rows[title])
    return canvas


def _ranked(figures: Mapping[str, Any]) -> list[tuple[float, str]]:
    return sorted(
        (float(figure["figure"]), name)
        for name, figure in figures.items()
        if name not in FLOORS and "figure" in figure
    )


def _panel(canvas: Canvas, left: float, top: float, title: str, figures: dict[str, Any]) -> None:
    ranked, floor = _ranked(figures), figure_of(figures, "floor") or 0.0
    ours = figure_of(figures, "ours") or ranked[0][0]
    limit = min(ranked[-1][0], _LONGEST * max(ours, floor))
    start, width = left + 122, _WIDTH / 2 - 122 - 90
    canvas.text(left, top + 18, title, size=14, bold=True)
    y = top + 28
    for value, name in ranked:
        colour = class_of(name) if name in OURS else "peer"
        length = min(value, limit) / limit * width
        words = "ours" if name == "ours" else name
        canvas.text(start - 8, y + _BAR - 2.5, words, size=11.5, anchor="end", bold=name == "ours")
        canvas.bar(start, y, max(length, 1.0), _BAR, colour=colour)
        if value > limit:
            canvas.cut(start + length - 14, y, _BAR)
        canvas.text(
            start + length + 6, y + _BAR - 2.5, short(value), size=11.5, bold=name == "ours"
        )
        y += _BAR + _GAP
    if floor:
        x = start + min(floor, limit) / limit * width
        canvas.path([(x, top + 22), (x, y)], colour="floor", width=1.2, dashed=True)
        right = left + _WIDTH / 2 - 44
        words = f"raw socket {short(floor)}"
        canvas.text(right, top + 18, words, size=11, colour="soft", anchor="end")
        sample = right - 6.2 * len(words) - 8
        ends = [(sample, top + 8), (sample, top + 20)]
        canvas.path(ends, colour="floor", width=1.2, dashed=True)


def _rows(results: Results) -> Canvas | None:
    """Each row a line, each library a dot: how many times our CPU it needs."""
    rows = [
        row
        for row in ROWS
        if row.section in ("ws", "wss", "more")
        and figure_of(results.rows.get(row.title, {}), "ours")
    ]
    if not rows:
        return None
    names = [name for name in results.machine["versions"] if name not in FLOORS and name != "ours"]
    start, end, step, top = 300.0, _WIDTH - 30, 21.0, 112.0
    canvas = Canvas(_WIDTH, top + step * len(rows) + 44, "Every row, relative to ours")
    canvas.text(24, 34, "Every row: how many times our cost", size=17, bold=True)
    canvas.text(
        24, 54, f"right of the line: needs more than ours · {_footnote(results)}", colour="soft"
    )
    _legend(canvas, names, 78)
    ratios = [
        (figure_of(results.rows[row.title], name) or 0)
        / (figure_of(results.rows[row.title], "ours") or 1)
        for row in rows
        for name in names
    ]
    least = min([ratio for ratio in ratios if ratio > 0] or [1.0])
    low, high = math.log10(min(0.5, least) * 0.9), math.log10(max(max(ratios), 10) * 1.1)

    def place(ratio: float) -> float:
        return start + (math.log10(ratio) - low) / (high - low) * (end - start)

    bottom = top + step * len(rows)
    for tick in (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000):
        if low <= math.log10(tick) <= high:
            colour, width = ("ours", 2.0) if tick == 1 else ("line", 1.0)
            canvas.line((place(tick), top - 6), (place(tick), bottom), colour=colour, width=width)
            words = "ours" if tick == 1 else f"{tick:g}x"
            canvas.text(place(tick), bottom + 18, words, size=11, colour="soft", anchor="middle")
    for number, row in enumerate(rows):
        y = top + step * number + step / 2
        figures = results.rows[row.title]
        canvas.text(start - 14, y + 4, row.title, size=11.5, anchor="end")
        ours = figure_of(figures, "ours") or 1.0
        for name in reversed(names):
            value = figure_of(figures, name)
            if value:
                canvas.dot(place(value / ours), y, 5, colour=class_of(name))
    return canvas


def _legend(canvas: Canvas, names: Sequence[str], y: float) -> None:
    x = 30.0
    for name in names:
        canvas.dot(x, y, 5, colour=class_of(name))
        canvas.text(x + 9, y + 4, name, size=11.5)
        x += 26 + 6.3 * len(name)


def _sizes(results: Results) -> Canvas | None:
    rows = [row for row in ROWS if row.kind == "echo" and not (row.tls or row.text or row.deflate)]
    return _lines(
        results,
        "An echo, by the size of the message",
        "CPU per message",
        [(row, max(row.size, 0.25)) for row in rows],
        _bytes,
        lambda value: _seconds(value * 1e-6),
    )


def _connections(results: Results) -> Canvas | None:
    rows = [row for row in ROWS if row.kind == "idle"]
    return _lines(
        results,
        "Idle connections",
        "memory of each",
        [(row, row.count) for row in rows],
        lambda count: f"{count:,.0f}",
        lambda value: f"{value:g} KiB",
    )


def _threads(results: Results) -> Canvas | None:
    rows = [row for row in ROWS if row.kind == "threads"]
    return _lines(
        results,
        "Echo 1 KiB in 1 to 64 threads (tasks of one thread in asyncio)",
        "CPU per message",
        [(row, row.count) for row in rows],
        lambda count: f"{count:,.0f}",
        lambda value: _seconds(value * 1e-6),
    )


def _lines(
    results: Results,
    title: str,
    measure: str,
    points: Sequence[tuple[Row, float]],
    tell_x: Callable[[float], str],
    tell_y: Callable[[float], str],
) -> Canvas | None:
    """Lines over two logarithmic axes; the names stand where the lines end."""
    points = sorted((p for p in points if p[0].title in results.rows), key=lambda p: p[1])
    lines: dict[str, list[tuple[float, float]]] = {}
    for row, x in points:
        scale = 1000.0 if row.unit == "ms" else 1.0
        for name in results.machine["versions"]:
            value = figure_of(results.rows[row.title], name)
            if value and name != "BIO":
                lines.setdefault(name, []).append((math.log10(x), math.log10(value * scale)))
    if len(points) < 2 or not lines:
        return None
    left, right, top, bottom = 78.0, _WIDTH - 150, 78.0, 396.0
    canvas = Canvas(_WIDTH, 440, title)
    canvas.text(24, 34, title, size=17, bold=True)
    canvas.text(24, 54, f"{measure}, lower is better · {_footnote(results)}", colour="soft")
    places = [place for line in lines.values() for place in line]
    low_x, high_x = min(x for x, _ in places), max(x for x, _ in places)
    low_y, high_y = min(y for _, y in places) - 0.1, max(y for _, y in places) + 0.1

    def spot(place: tuple[float, float]) -> tuple[float, float]:
        x = left + (place[0] - low_x) / (high_x - low_x) * (right - left)
        return x, bottom - (place[1] - low_y) / (high_y - low_y) * (bottom - top)

    for tick in _ticks(low_y, high_y):
        _, y = spot((low_x, math.log10(tick)))
        canvas.line((left, y), (right, y), colour="line")
        canvas.text(left - 8, y + 4, tell_y(tick), size=11, colour="soft", anchor="end")
    for _, value in points:
        x, _ = spot((math.log10(value), low_y))
        canvas.line((x, bottom), (x, bottom + 4), colour="edge")
        canvas.text(x, bottom + 20, tell_x(value), size=11, colour="soft", anchor="middle")
    for name in sorted(lines, key=lambda name: name in OURS):  # ours on top
        spots = [spot(place) for place in lines[name]]
        width = 3.0 if name == "ours" else 1.6
        canvas.path(spots, colour=class_of(name), width=width, dashed=name == "floor")
    _names_at_the_ends(canvas, {name: spot(line[-1]) for name, line in lines.items()}, right)
    return canvas


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between two powers of ten: 1, 2, 5 where there is room for them."""
    steps = (1, 2, 5) if high - low < 1.7 else (1,)
    powers = range(math.floor(low), math.ceil(high) + 1)
    found = [step * 10.0**power for power in powers for step in steps]
    return [tick for tick in found if low <= math.log10(tick) <= high]


def _names_at_the_ends(canvas: Canvas, ends: dict[str, tuple[float, float]], right: float) -> None:
    """Names beside the lines' ends, moved apart where they would cover each other."""
    lowest = -math.inf
    labels: list[tuple[str, float]] = []
    for name, (_, y) in sorted(ends.items(), key=lambda item: item[1][1]):
        lowest = max(y, lowest + 15)
        labels.append((name, lowest))
    shift = max(0.0, labels[-1][1] - 400.0)
    for name, y in labels:
        end_x, end_y = ends[name]
        label_y = y - shift if shift else y
        canvas.line((end_x, end_y), (right + 12, label_y), colour="line")
        words = "raw socket" if name == "floor" else name
        canvas.dot(right + 16, label_y, 4, colour=class_of(name))
        canvas.text(right + 25, label_y + 4, words, size=11.5, bold=name == "ours")


def _bytes(size: float) -> str:
    if size < 1:
        return "0 B"
    for unit, scale in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= scale:
            return f"{size / scale:g} {unit}"
    return f"{size:g} B"


def _seconds(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale * 0.999:
            return f"{seconds / scale:g} {unit}"
    return f"{seconds * 1e6:g} us"
