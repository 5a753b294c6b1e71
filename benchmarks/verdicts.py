"""Whether a row's goal is met, and who is ahead: from figures to words."""

from __future__ import annotations

from typing import Any, NamedTuple

from rows import Row

__all__ = ["FLOORS", "OURS", "Verdict", "best_peer", "goal_text", "short", "verdict"]

FLOORS = ("floor", "BIO")
OURS = ("ours", "ours, pure Python")
_LEVEL = 1.03  # below this nobody is ahead: two runs differ by as much


class Verdict(NamedTuple):
    """`kind` is for a glance: met, must, level or behind."""

    kind: str
    words: str


def figure_of(figures: dict[str, Any], name: str) -> float | None:
    """The figure of a library; None where it has none."""
    value = figures.get(name, {}).get("figure")
    return None if value is None else float(value)


def best_peer(figures: dict[str, Any]) -> tuple[str, float] | None:
    """The fastest of the others."""
    ranked = [
        (float(figure["figure"]), name)
        for name, figure in figures.items()
        if name not in FLOORS + OURS and "figure" in figure
    ]
    return min(ranked)[::-1] if ranked else None


def goal_value(row: Row, figures: dict[str, Any]) -> float | None:
    """The goal in the row's unit; None without one, or without the floor that it refers to."""
    if row.goal is None:
        return None
    if row.goal.figure is not None:
        return row.goal.figure
    name, times = ("BIO", row.goal.bio) if row.goal.bio is not None else ("floor", row.goal.floor)
    floor = figure_of(figures, name)
    return None if floor is None or times is None else floor * times


def goal_text(row: Row) -> str:
    """The goal as it was set."""
    if row.goal is None:
        return "–"
    if row.goal.figure is not None:
        unit = "x" if row.unit == "x" else f" {row.unit}"
        return f"<= {row.goal.figure:g}{unit}"
    if row.goal.bio is not None:
        return f"<= {row.goal.bio:.2f}x BIO"
    return f"<= {row.goal.floor:.2f}x floor"


def verdict(row: Row, figures: dict[str, Any]) -> Verdict:
    """Where ours stands in this row."""
    ours, goal, peer = figure_of(figures, "ours"), goal_value(row, figures), best_peer(figures)
    if ours is None:
        note = figures.get("ours", {}).get("note", "not measured")
        return Verdict("behind", f"no figure: {note}")
    met = goal is not None and ours <= goal
    said: list[str] = []
    if goal is not None:
        said.append("goal met" if met else f"goal missed by {_percent(ours / goal)}")
    if row.unit == "x":  # memory: nobody can need less than the message
        kind = "met" if met else "must" if not peer or ours <= peer[1] else "behind"
        return Verdict(kind, "; ".join(said))
    if peer is None:
        return Verdict("met" if met else "must", "; ".join(said) or "no peer")
    name, theirs = peer
    if ours * _LEVEL <= theirs:
        said.append("ahead of every peer")
        return Verdict("met" if met or goal is None else "must", "; ".join(said))
    if ours <= theirs * _LEVEL:
        said.append(f"level with {name}")
        kind = "level"
    else:
        said.append(f"behind {name} by {_percent(ours / theirs)}")
        kind = "behind"
    if met and row.goal is not None and row.goal.is_the_must:
        kind = "met"
        said.append("the goal is the must")
    return Verdict(kind, "; ".join(said))


def _percent(times: float) -> str:
    return f"{(times - 1) * 100:.0f} %" if times < 3 else f"{times:.1f} times"


def short(figure: float) -> str:
    """Three digits, or all before the point."""
    if figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.3g}"
