"""Promise: what the pages list is what there is: names, options, codes, examples, links."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import documents
import pytest
from documents import DOCS, ROOT

import websocket
import websocket.testing
from websocket import _options

REFERENCE = sorted((DOCS / "reference").glob("*.md"))
SURROUNDINGS = [ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")]
OPTIONS = (DOCS / "reference" / "connecting.md").read_text("utf-8")

# Names of websocket-client that are described together, in tables.
_IN_TABLES = re.compile(r"STATUS_[A-Z_]+")


@pytest.fixture
def extension(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imports a part of the site's own machinery."""
    monkeypatch.syspath_prepend(str(DOCS / "_extensions"))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        del sys.modules[name]


# --- links ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page", [*SURROUNDINGS, *documents.pages()], ids=lambda path: str(path.relative_to(ROOT))
)
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file that is there, and to a heading in it; where the repository is browsed."""
    wrong: list[str] = []
    for link in documents.links(page):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists():
            wrong.append(f"{link}: no such file")
        elif anchor and anchor not in documents.anchors(path):
            wrong.append(f"{link}: no such heading")
    assert wrong == []


def test_the_site_has_a_page_for_every_page_that_its_pages_link_to(extension: Any) -> None:
    """Links out of docs/ are turned to pages; without one they would be broken in the site. Files
    that are no pages can be downloaded there."""
    stands_for = extension("outside_links").PAGES
    for page in documents.pages():
        for link in documents.links(page):
            target = (page.parent / link.partition("#")[0]).resolve()
            if re.match(r"[a-z]+:|#", link) or DOCS in target.parents:
                continue
            if target.is_file() and target.suffix not in (".md", ".py"):
                continue
            names = {(DOCS / name).resolve(): there for name, there in stands_for.items()}
            there = names.get(target) or names.get(target.parent)
            assert there, f"{page.relative_to(ROOT)} links to {link}"
            assert (DOCS / there).exists()


def test_links_are_turned_to_the_pages_of_the_site(extension: Any) -> None:
    inside = extension("outside_links").inside
    assert inside("[a](../CONTRIBUTING.md#tests)", "design") == "[a](contributing.md#tests)"
    assert inside("[a](../../examples/tls.py)", "howto/tls") == "[a](../examples.md)"
    assert inside("[a](tls.md), [b](https://x/README.md)", "howto/x") == (
        "[a](tls.md), [b](https://x/README.md)"
    )


# --- the reference --------------------------------------------------------------------------------


def _described() -> str:
    return "\n".join(path.read_text("utf-8") for path in REFERENCE)


def _public(module: ModuleType) -> set[str]:
    """The names of `__all__`, or else those that the module imports `as` themselves."""
    if hasattr(module, "__all__"):
        return set(module.__all__)
    tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
    return {
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name and not alias.name.startswith("_")
    }


@pytest.mark.parametrize("module", [websocket, websocket.testing], ids=lambda each: each.__name__)
def test_every_public_name_is_in_the_reference(module: ModuleType) -> None:
    text = _described()
    missing = [
        name
        for name in sorted(_public(module))
        if not re.search(rf"(?m)(^\.\. auto\w+:: .*\b{name}\b|`(websocket\.)?{name}`)", text)
    ]
    assert missing == []


@pytest.mark.parametrize(
    "kind", [websocket.WebSocket, websocket.WebSocketApp, websocket.ClientProtocol]
)
def test_every_public_member_is_in_the_reference(kind: type) -> None:
    """Of the classes whose members are listed one by one."""
    text = _described()
    missing = [
        name
        for name, member in inspect.getmembers(kind)
        if not name.startswith("_")
        and (callable(member) or isinstance(member, property))
        and f":: {kind.__name__}.{name}\n" not in text
    ]
    assert missing == []


def test_the_close_codes_of_the_table_are_those_of_the_library() -> None:
    text = (DOCS / "reference" / "frames.md").read_text("utf-8")
    listed = dict(re.findall(r"^\| `(STATUS_\w+)` \| (\d+) \|$", text, re.MULTILINE))
    there = {name: getattr(websocket, name) for name in dir(websocket) if _IN_TABLES.match(name)}
    assert {name: int(code) for name, code in listed.items()} == there


# --- options --------------------------------------------------------------------------------------


def _table_of_options() -> dict[str, bool]:
    """Name -> whether it is marked as an option of run_forever."""
    options: dict[str, bool] = {}
    for names, mark in re.findall(r"^\| (`[^|]+) \| (✓?) ?\|", OPTIONS, re.MULTILINE):
        options.update(dict.fromkeys(re.findall(r"`(\w+)`", names), bool(mark)))
    return options


def test_the_table_has_every_option() -> None:
    further = set(inspect.signature(websocket.WebSocket).parameters) - {"_ignored"}
    expected = set(_options.ConnectOptions.__annotations__) | further
    expected |= set(_options.FurtherOptions.__annotations__)
    assert set(_table_of_options()) == expected


def test_the_table_marks_the_options_of_run_forever() -> None:
    named = set(inspect.signature(websocket.WebSocketApp.run_forever).parameters)
    takes = named | set(_options.FurtherOptions.__annotations__)
    wrong = {name: mark for name, mark in _table_of_options().items() if mark != (name in takes)}
    assert wrong == {}


# --- other lists ----------------------------------------------------------------------------------


def test_the_page_of_examples_has_them_all() -> None:
    text = (DOCS / "examples.md").read_text("utf-8")
    shown = set(re.findall(r"literalinclude} \.\./examples/(\w+\.py)", text))
    assert shown == {path.name for path in (ROOT / "examples").glob("*.py")}


def test_every_page_is_in_the_index_for_readers_of_the_repository() -> None:
    """docs/README.md leads to every page, by itself or by the index of its folder."""
    linked = {DOCS / link.partition("#")[0] for link in documents.links(DOCS / "README.md")}
    apart = {"README", "index", "changelog", "contributing", "compliance", "examples"}
    missing = [
        path.name for path in DOCS.glob("*.md") if path not in linked and path.stem not in apart
    ]
    assert missing == []


def test_every_row_of_the_feature_matrix_is_proved() -> None:
    text = (DOCS / "features.md").read_text("utf-8")
    cells = dict(re.findall(r"^\| ([^|\n]+?) \[\^\d+\] \| ([^|\n]+?) \|", text, re.MULTILINE))
    assert cells == documents.proved_rows()


# --- docstrings -----------------------------------------------------------------------------------


def test_docstrings_become_markup(extension: Any) -> None:
    """Names are links where they name something of ours, and literals where they do not."""
    as_markup = extension("prose_docstrings").as_markup
    prose = as_markup(
        "Waits as `recv` does, `timeout` seconds, `x + 1`. 2*3_", "websocket.WebSocket"
    )
    assert ":py:obj:`recv <websocket.WebSocket.recv>`" in prose
    assert "``x + 1``" in prose and r"2\*3\_" in prose
    named = as_markup("At most `timeout` seconds.", "websocket.WebSocket", frozenset({"timeout"}))
    assert "``timeout``" in named
    assert ":py:exc:`~websocket.WebSocketException`" in as_markup("WebSocketException.", "")


def test_indented_parts_of_docstrings_stay_as_they_are(extension: Any) -> None:
    as_markup = extension("prose_docstrings").as_markup
    text = as_markup("A server:\n\n    with serve() as `server`:\n        pass\n\nEnd.", "")
    assert ".. code-block:: text\n\n    with serve() as `server`:\n        pass" in text
    assert ".. code-block:: python" in as_markup("Do:\n\n    x = 1\n", "")
    table = as_markup("Two columns:\n\n    on_open()  first\n    on_x(y)    second\n", "")
    assert ".. list-table::" in table and "* - ``on_x(y)``\n      - second" in table
