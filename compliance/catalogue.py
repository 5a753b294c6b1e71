"""The suite's cases: their ids and titles, which of them to run, and what a good result is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

PASSED = ("OK", "INFORMATIONAL")
COMPRESSION = ("12", "13")
# These send much or often; all others mostly wait for the suite's own timers, which are as short
# as half a second. So the two kinds never run at the same time.
HEAVY = ("9", *COMPRESSION)
# One case of each subsection of 12 and 13: they differ in what is negotiated.
NEGOTIATION = ("12.*.1", "13.*.1")


def parts(case: str) -> tuple[int, ...]:
    """The numbers of an id, for sorting."""
    return tuple(int(part) for part in case.split("."))


def section_of(case: str) -> str:
    """`"6"` for `"6.4.1"`."""
    return case.split(".")[0]


def subsection_of(case: str) -> str:
    """`"6.4"` for `"6.4.1"`; the section where there are no subsections, as in 2.1 and 5.20."""
    return case.rsplit(".", 1)[0]


def seconds_allowed(case: str) -> float:
    """How long a case may take before the client is stopped: more than the suite itself allows."""
    if section_of(case) in COMPRESSION:
        return 540.0
    return 240.0 if section_of(case) == "9" else 60.0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one case."""

    case: str
    behavior: str
    closing: str
    seconds: float
    # The suite's sentences about the two, then what the harness saw.
    explanation: str = ""
    trouble: str = ""

    @property
    def why(self) -> str:
        """Everything that is known about how the verdicts came about."""
        return f"{self.explanation} {self.trouble}".strip()

    @property
    def passed(self) -> bool:
        """Whether the case is as it should be in behaviour, in closing and for the harness."""
        return self.behavior in PASSED and self.closing in PASSED and not self.trouble


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All cases that the installed suite has."""

    version: str
    sections: dict[str, str]
    subsections: dict[str, str]
    cases: dict[str, str]

    @classmethod
    def load(cls, path: Path) -> Catalogue:
        """Read the file that the installation left."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def title(self, part: str) -> str:
        """The suite's title of a section or subsection."""
        title = self.subsections.get(part) or self.sections.get(part, "")
        # The titles of section 13 say at length what a client would offer; here it is the server.
        policy = title.split(" / server accept ")
        return f"Server accepts {policy[1]}" if len(policy) == 2 else title

    def matching(self, patterns: Iterable[str]) -> list[str]:
        """The cases that fit any pattern: an id, a section or subsection, or with wildcards.

        Raises ValueError for a pattern that fits no case.
        """
        chosen: set[str] = set()
        for pattern in patterns:
            found = {
                case
                for case in self.cases
                if fnmatchcase(case, pattern) or case.startswith(pattern + ".")
            }
            if not found:
                raise ValueError(f"no case fits {pattern!r}")
            chosen |= found
        return sorted(chosen, key=parts)

    def select(self, *, quick: bool, compression: bool) -> list[str]:
        """All cases, or those for each landing; without 12 and 13 if there is no compression."""
        chosen = self.matching(["*"])
        if quick:
            negotiation = set(self.matching(NEGOTIATION))
            chosen = [c for c in chosen if section_of(c) not in COMPRESSION or c in negotiation]
        if not compression:
            chosen = [c for c in chosen if section_of(c) not in COMPRESSION]
        return chosen


def phases(cases: Sequence[str]) -> list[list[str]]:
    """The order to run them in: first what hangs on timers, then what needs the processor."""
    light = [case for case in cases if section_of(case) not in HEAVY]
    heavy = [case for case in cases if section_of(case) in HEAVY]
    # The last cases of a subsection take longest. Begun first, they leave no server idle at the
    # end of the run.
    heavy.sort(key=lambda case: (parts(case)[:-1], -parts(case)[-1]))
    return [phase for phase in (light, heavy) if phase]


def count(results: Iterable[Result]) -> tuple[Counter[str], Counter[str]]:
    """How often each verdict occurs, for behaviour and for closing."""
    listed = list(results)
    return Counter(r.behavior for r in listed), Counter(r.closing for r in listed)


def in_words(counts: Counter[str]) -> str:
    """`"294 OK, 3 INFORMATIONAL"`."""
    return ", ".join(f"{number} {verdict}" for verdict, number in counts.most_common())
