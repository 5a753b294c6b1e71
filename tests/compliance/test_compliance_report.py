"""Promise: the report tells what was run, counts every verdict, and hides no bad one."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

COMPLIANCE = Path(__file__).resolve().parents[2] / "compliance"


@pytest.fixture(scope="module")
def modules() -> Iterator[tuple[Any, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(COMPLIANCE))
        yield importlib.import_module("catalogue"), importlib.import_module("report")
        for name in ("catalogue", "report"):
            sys.modules.pop(name, None)


def run_of(modules: tuple[Any, Any], verdicts: dict[str, tuple[str, str, str]], known: int) -> Any:
    catalogue, report = modules
    cases = {**dict.fromkeys(verdicts, "t"), **{f"99.1.{n}": "t" for n in range(known)}}
    listed = catalogue.Catalogue("25.10.1", {"1": "Framing", "7": "Closing"}, {}, cases)
    results = [
        catalogue.Result(case, behavior, closing, 0.5, why)
        for case, (behavior, closing, why) in verdicts.items()
    ]
    return report.Run(
        listed, results, "1.10.0", "CPython 3.11", "plain (ws)", True, "2025-01-02", 3.0
    )


GOOD = {
    "1.1.1": ("OK", "OK", "Fine."),
    "7.1.6": ("INFORMATIONAL", "INFORMATIONAL", "Whatever."),
}
BAD = {**GOOD, "7.1.7": ("FAILED", "OK", "Expected <1> | got <2>."), "7.1.8": ("OK", "UNCLEAN", "")}


def test_a_clean_run_says_so(modules: tuple[Any, Any]) -> None:
    run = run_of(modules, GOOD, 0)
    assert run.passed
    for text in (modules[1].markdown(run), modules[1].html(run)):
        assert "2 of the suite&#x27;s 2 cases passed." in text or "2 of the suite's 2" in text
        for fact in ("websocket-client 1.10.0", "CPython 3.11", "2025-01-02", "25.10.1", "plain"):
            assert fact in text
        assert "1 OK, 1 INFORMATIONAL" in text


def test_a_part_is_not_passed_off_as_the_whole(modules: tuple[Any, Any]) -> None:
    assert run_of(modules, GOOD, 3).headline() == "2 of 2 cases chosen passed."


def test_every_bad_case_has_a_line_of_its_own(modules: tuple[Any, Any]) -> None:
    run = run_of(modules, BAD, 0)
    assert not run.passed
    markdown = modules[1].markdown(run)
    assert "2 of the suite's 4 cases passed, 2 did not." in markdown
    assert "| 7.1.7 | FAILED | OK | Expected <1> \\| got <2>. |" in markdown
    assert "| 7.1.8 | OK | UNCLEAN |" in markdown
    assert "1 not clean" in markdown
    bad_first = markdown.index("| 7.1.7 |") < markdown.index("| 7.1.6 |")
    assert bad_first


class Page(HTMLParser):
    """Which elements are open, and what text there is."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while tag != self.open[-1] and self.open[-1] in ("td", "th"):
            self.open.pop()  # their end tags may be left out
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_and_escaped(modules: tuple[Any, Any]) -> None:
    page = Page()
    page.feed(modules[1].html(run_of(modules, BAD, 0)))
    page.close()
    assert page.open == []
    assert "Expected <1> | got <2>." in page.text


@pytest.mark.parametrize("name", ["report", "report-tls"])
def test_the_report_in_the_repository_is_of_a_clean_run(name: str) -> None:
    """517 of 517: 514 OK, 3 informational, in behaviour and in closing, plain and over TLS."""
    text = (COMPLIANCE / f"{name}.md").read_text(encoding="utf-8")
    assert "**517 of the suite's 517 cases passed.**" in text
    assert "- Behaviour: 514 OK, 3 INFORMATIONAL\n" in text
    assert "- Closing: 514 OK, 3 INFORMATIONAL\n" in text
    assert "permessage-deflate: offered" in text
