"""The pages of docs/ as tests read them: which there are, their blocks, headings and links."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"

_Test = TypeVar("_Test", bound=Callable[..., None])

_FENCE = re.compile(r"^(`{3,})([^\n`]*)\n(.*?)^\1`*$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_LINK = re.compile(r"\[(?:[^\[\]]|`[^`]*`)*\]\(([^()\s]+)\)")
_LABEL = re.compile(r"!?\[((?:[^\[\]]|`[^`]*`)*)\]\([^()]*\)")


def pages() -> list[Path]:
    """All pages of the site that are written by hand."""
    built = DOCS / "_build"
    return sorted(path for path in DOCS.rglob("*.md") if built not in path.parents)


def python_blocks(path: Path) -> list[str]:
    """The programs on a page."""
    return [body for _, name, body in _FENCE.findall(path.read_text("utf-8")) if name == "python"]


def block_names(path: Path) -> set[str]:
    """What stands behind the opening fences of a page: a language, or {a directive}."""
    return {name for _, name, _ in _FENCE.findall(path.read_text("utf-8"))}


def links(path: Path) -> list[str]:
    """The targets of a page's links, blocks left out."""
    return _LINK.findall(_FENCE.sub("", path.read_text("utf-8")))


def anchors(path: Path) -> set[str]:
    """What may stand behind # in a link to a page, as browsers of repositories make it."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", path.read_text("utf-8"))):
        text = _LABEL.sub(r"\1", heading).replace("`", "").lower()
        plain = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        anchor, count = plain, 0
        while anchor in found:
            count += 1
            anchor = f"{plain}-{count}"
        found.add(anchor)
    return found


def row(label: str, cell: str) -> Callable[[_Test], _Test]:
    """Marks the test that proves what our cell says in this row of the feature matrix."""
    return lambda test: test


def proved_rows() -> dict[str, str]:
    """What is marked so, in all tests of the matrix: label and cell."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "tests").glob("test_feature_matrix*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "row":
                label, cell = (ast.literal_eval(argument) for argument in node.args)
                found[label] = cell
    return found
