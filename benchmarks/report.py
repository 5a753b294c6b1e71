"""The page and the charts, from results.json: Markdown tables between two markers of the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from charts import draw
from results import Results
from rows import ROWS, Row
from verdicts import FLOORS, OURS, best_peer, figure_of, goal_text, short, verdict

__all__ = ["saved", "table"]

_DOCS = Path(__file__).resolve().parent.parent / "docs"
_PAGE = _DOCS / "performance.md"
_IMAGES = _DOCS / "images"
_BEGIN = "<!-- made by bin/bench --save: begin -->\n"
_END = "<!-- made by bin/bench --save: end -->\n"
_LARGEST_RATIO = 20.0  # beyond it, the floor has too little to do to be a measure
_SIGNS = {"met": "✅", "must": "🟢", "level": "🟡", "behind": "🔴"}
_SECTIONS = {
    "ws": "Plain",
    "wss": "TLS",
    "more": "Callbacks, two threads, many connections",
    "memory": "Memory",
    "scaling": "Scaling",
}


def saved(results: Results) -> None:
    """Write the page's block and the charts anew."""
    page = _PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    _PAGE.write_text(before + _BEGIN + "\n" + table(results) + "\n" + _END + after, "utf-8")
    _IMAGES.mkdir(exist_ok=True)
    for name, picture in draw(results).items():
        (_IMAGES / name).write_text(picture, encoding="utf-8")


def table(results: Results) -> str:
    """All tables and the circumstances."""
    parts = [_circumstances(results.machine), _tally(results)]
    for section, title in _SECTIONS.items():
        rows = [row for row in ROWS if row.section == section and row.title in results.rows]
        if rows:
            parts.append(f"### {title}\n\n" + _summary(rows, results, section != "scaling"))
            parts.append(
                "<details><summary>Every library</summary>\n\n"
                + _everybody(rows, results)
                + "\n\n</details>"
            )
    parts += [_latencies(results), _idle(results), _notes(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _circumstances(machine: dict[str, Any]) -> str:
    versions = ", ".join(
        said if name not in OURS else f"{name}: {said}"
        for name, said in machine["versions"].items()
        if said and name != "picows.websockets"
    )
    quick = " A quick run: take no figure of it for granted." if machine["quick"] else ""
    return (
        f"Measured on {machine['date']}: {machine['processor']}, {machine['cores']} cores,"
        f" {machine['memory_gib']} GiB, {machine['system']}, {machine['python']},"
        f" {machine['openssl']}; {machine['rounds']} rounds in {machine.get('minutes', '?')}"
        f" minutes.{quick} {versions}."
    )


def _tally(results: Results) -> str:
    """How many rows are where."""
    kinds = [
        verdict(row, results.rows[row.title]).kind
        for row in ROWS
        if row.goal is not None and row.title in results.rows
    ]
    words = {
        "met": "goal met",
        "must": "ahead of every peer, goal missed",
        "level": "level with a peer",
        "behind": "behind a peer",
    }
    counted = ", ".join(f"{_SIGNS[kind]} {words[kind]}: {kinds.count(kind)}" for kind in words)
    return f"Of {len(kinds)} rows with a goal: {counted}."


def _lines(head: Sequence[str], rows: list[list[str]]) -> str:
    rule = [":--"] + ["--:"] * (len(head) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [list(head), rule, *rows])


def _summary(rows: Sequence[Row], results: Results, with_goals: bool) -> str:
    lines: list[list[str]] = []
    for row in rows:
        figures = results.rows[row.title]
        peer = best_peer(figures)
        said = verdict(row, figures)
        cells = [
            f"{row.title}, {row.unit}",
            _floors(row, figures),
            *(_cell(row, figures, name) for name in OURS),
            f"{short(peer[1])} {peer[0]}" if peer else "–",
        ]
        lines.append([*cells, goal_text(row), f"{_SIGNS[said.kind]} {said.words}"])
    head = ["workload", "floor", *OURS, "best peer", "goal", "where we stand"]
    if not with_goals:
        return _lines(head[:-2], [line[:-2] for line in lines])
    return _lines(head, lines)


def _floors(row: Row, figures: dict[str, Any]) -> str:
    floor, bio = (figure_of(figures, name) for name in FLOORS)
    if floor is None:
        return "–"
    return short(floor) + (f" (BIO {short(bio)})" if bio is not None else "")


def _cell(row: Row, figures: dict[str, Any], name: str) -> str:
    figure, floor = figure_of(figures, name), figure_of(figures, "floor")
    if figure is None:
        return str(figures.get(name, {}).get("note", "–"))
    times = figure / floor if floor else _LARGEST_RATIO
    ratio = f" ({times:.2f}x)" if times < _LARGEST_RATIO and row.unit in ("us", "ms") else ""
    return (f"**{short(figure)}**" if name == "ours" else short(figure)) + ratio


def _everybody(rows: Sequence[Row], results: Results) -> str:
    names = [
        name
        for name in results.machine["versions"]
        if any(name in results.rows[row.title] for row in rows)
    ]
    lines: list[list[str]] = []
    for row in rows:
        figures = results.rows[row.title]
        cells = [
            short(value) if (value := figure_of(figures, name)) is not None else "–"
            for name in names
        ]
        lines.append([f"{row.title}, {row.unit}", *cells])
    return _lines(["workload", *names], lines)


def _latencies(results: Results) -> str:
    """Percentiles by the clock, of the rows that have them."""
    rows = [
        row
        for row in ROWS
        if row.kind == "echo"
        and any("p99" in figure for figure in results.rows.get(row.title, {}).values())
    ]
    if not rows:
        return ""
    names = list(results.machine["versions"])

    def cell(row: Row, name: str) -> str:
        figure = results.rows[row.title].get(name, {})
        return f"{short(figure['p50'])} / {short(figure['p99'])}" if "p99" in figure else "–"

    lines = [[row.title, *(cell(row, name) for name in names)] for row in rows]
    return (
        "### An exchange by the clock\n\nMicroseconds from sending to having the answer: half of"
        " all exchanges need at most the first figure, 99 of 100 at most the second.\n\n"
        + _lines(["workload", *names], lines)
    )


def _idle(results: Results) -> str:
    """Memory, resident memory and threads by the number of connections."""
    rows = [row for row in ROWS if row.kind == "idle" and row.title in results.rows]
    rows.sort(key=lambda row: row.count)
    if not rows:
        return ""
    names = [name for name in results.machine["versions"] if name != "BIO"]

    def tell(figure: dict[str, Any]) -> str:
        if "threads" not in figure:
            return "–"
        held, resident = short(figure["figure"]), short(figure["resident"])
        return f"{held} / {resident} / {figure['threads']:g}"

    lines = [
        [f"{row.count:,}", *(tell(results.rows[row.title].get(name, {})) for name in names)]
        for row in rows
    ]
    return (
        "### Idle connections\n\nFor each connection: KiB that malloc has handed out / KiB"
        " resident; then the threads of all together.\n\n" + _lines(["connections", *names], lines)
    )


def _notes(results: Results) -> str:
    """Why figures are missing, and who failed on the way."""
    said: dict[str, list[str]] = {}
    for title, figures in results.rows.items():
        for name, figure in figures.items():
            reasons = [figure["note"]] if "note" in figure else figure.get("failures", [])
            for reason in dict.fromkeys(reasons):
                said.setdefault(f"{name}: {reason}", []).append(title)
    lines = [f"- {reason} ({'; '.join(titles)})" for reason, titles in said.items()]
    slow = [title for title, figures in results.rows.items() if _server_is_slower(figures)]
    if slow:
        lines.append(f"- The server needs more CPU for a message than ours: {'; '.join(slow)}")
    return "### Missing figures, failures, doubts\n\n" + "\n".join(lines) if lines else ""


def _server_is_slower(figures: dict[str, Any]) -> bool:
    ours = figures.get("ours", {})
    return "server" in ours and float(ours["server"]) > float(ours["figure"])
