"""Promise: `bin/compliance` runs the cases that it is asked for, and only good results pass."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

COMPLIANCE = Path(__file__).resolve().parents[2] / "compliance"
CASES = ["1.1.1", "1.1.2", "2.1", "6.4.1", "7.1.6", "9.1.1", "9.1.2", "10.1.1"]
CASES += ["12.1.1", "12.1.2", "12.2.1", "13.3.1", "13.3.2"]


@pytest.fixture(scope="module")
def catalogue() -> Iterator[Any]:
    """The harness is a handful of scripts, not a package: they find each other by the path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(COMPLIANCE))
        yield importlib.import_module("catalogue")
        sys.modules.pop("catalogue", None)


@pytest.fixture
def known(catalogue: Any) -> Any:
    sections = {"1": "Framing", "12": "Compression"}
    subsections = {"13.3": "Client offers ... / server accept client_max_window_bits=9"}
    return catalogue.Catalogue("25.10.1", sections, subsections, dict.fromkeys(CASES, "a title"))


def test_cases_are_sorted_by_number(known: Any) -> None:
    assert known.matching(["*"]) == CASES


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("1.1.1", ["1.1.1"]),
        ("1", ["1.1.1", "1.1.2"]),
        ("1.1", ["1.1.1", "1.1.2"]),
        ("2.1", ["2.1"]),
        ("12", ["12.1.1", "12.1.2", "12.2.1"]),
        ("1?.*.1", ["10.1.1", "12.1.1", "12.2.1", "13.3.1"]),
    ],
)
def test_a_pattern_is_a_case_a_section_or_has_wildcards(
    known: Any, pattern: str, found: list[str]
) -> None:
    assert known.matching([pattern]) == found


def test_a_pattern_that_fits_nothing_is_an_error(known: Any) -> None:
    with pytest.raises(ValueError, match=r"no case fits '8\.1'"):
        known.matching(["1.1.1", "8.1"])


def test_the_quick_selection_has_one_case_of_each_negotiation(known: Any) -> None:
    assert known.select(quick=True, compression=True) == [
        *("1.1.1", "1.1.2", "2.1", "6.4.1", "7.1.6", "9.1.1", "9.1.2", "10.1.1"),
        *("12.1.1", "12.2.1", "13.3.1"),
    ]
    assert known.select(quick=False, compression=True) == CASES
    assert known.select(quick=False, compression=False) == CASES[:8]


def test_what_waits_for_timers_never_runs_beside_what_needs_the_processor(
    catalogue: Any,
) -> None:
    light, heavy = catalogue.phases(CASES)
    assert light == ["1.1.1", "1.1.2", "2.1", "6.4.1", "7.1.6", "10.1.1"]
    assert sorted(heavy) == sorted(set(CASES) - set(light))
    assert heavy[:2] == ["9.1.2", "9.1.1"]  # the long ones first
    assert catalogue.phases([]) == []


@pytest.mark.parametrize(
    ("behavior", "closing", "trouble", "passed"),
    [
        ("OK", "OK", "", True),
        ("INFORMATIONAL", "INFORMATIONAL", "", True),
        ("NON-STRICT", "OK", "", False),
        ("UNIMPLEMENTED", "OK", "", False),
        ("FAILED", "OK", "", False),
        ("MISSING", "MISSING", "", False),
        ("OK", "UNCLEAN", "", False),
        ("OK", "WRONG CODE", "", False),
        ("OK", "OK", "The client raised KeyError.", False),
    ],
)
def test_only_ok_and_informational_pass(
    catalogue: Any, behavior: str, closing: str, trouble: str, passed: bool
) -> None:
    result = catalogue.Result("1.1.1", behavior, closing, 0.1, "Explained.", trouble)
    assert result.passed is passed
    assert result.why == f"Explained. {trouble}".strip()


def test_titles_of_negotiations_say_what_the_server_does(known: Any) -> None:
    assert known.title("13.3") == "Server accepts client_max_window_bits=9"
    assert known.title("1") == "Framing"
    assert known.title("99") == ""


def test_every_case_may_take_as_long_as_the_suite_allows(catalogue: Any) -> None:
    assert catalogue.seconds_allowed("1.1.1") < catalogue.seconds_allowed("9.1.1")
    assert catalogue.seconds_allowed("9.1.1") < catalogue.seconds_allowed("12.1.1")
