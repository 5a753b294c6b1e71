"""A run of the suite as a page to read: Markdown for the repository, HTML for a browser."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from catalogue import Catalogue, Result, count, in_words, parts, section_of, subsection_of

# The order of the columns; a verdict that did not occur has none.
VERDICTS = (
    "OK",
    "INFORMATIONAL",
    "NON-STRICT",
    "UNIMPLEMENTED",
    "WRONG CODE",
    "UNCLEAN",
    "FAILED",
    "FAILED BY CLIENT",
    "MISSING",
)


@dataclass(frozen=True, slots=True)
class Run:
    """Everything about one run that its report says."""

    catalogue: Catalogue
    results: list[Result]
    client: str
    python: str
    transport: str
    compression: bool
    date: str
    minutes: float

    @property
    def passed(self) -> bool:
        """Whether every case is as it should be."""
        return all(result.passed for result in self.results)

    def facts(self) -> list[tuple[str, str]]:
        """What was tested, with what, when."""
        return [
            ("Client", f"websocket-client {self.client}"),
            ("Python", self.python),
            ("Suite", f"Autobahn|Testsuite {self.catalogue.version}"),
            ("Transport", self.transport),
            ("permessage-deflate", "offered" if self.compression else "not offered"),
            ("Date", f"{self.date} (took {self.minutes:.1f} minutes)"),
        ]

    def headline(self) -> str:
        """The outcome in one sentence."""
        good = sum(result.passed for result in self.results)
        total, known = len(self.results), len(self.catalogue.cases)
        scope = f"of the suite's {known} cases" if total == known else f"of {total} cases chosen"
        return f"{good} {scope} passed" + ("." if self.passed else f", {total - good} did not.")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: a section or a subsection."""

    part: str
    title: str
    results: list[Result]

    @property
    def unclean(self) -> int:
        """Cases whose closing was neither OK nor informational."""
        return sum(result.closing not in ("OK", "INFORMATIONAL") for result in self.results)

    @property
    def seconds(self) -> float:
        """Time that the cases took together."""
        return sum(result.seconds for result in self.results)


def section_rows(run: Run) -> list[Row]:
    """The sections that were run, in order."""
    names = dict.fromkeys(section_of(result.case) for result in run.results)
    return [
        Row(name, run.catalogue.title(name), [r for r in run.results if section_of(r.case) == name])
        for name in names
    ]


def subsection_rows(run: Run) -> list[Row]:
    """The subsections that were run, in order; sections without any are left out."""
    names = dict.fromkeys(subsection_of(result.case) for result in run.results)
    return [
        Row(
            name,
            run.catalogue.title(name),
            [r for r in run.results if subsection_of(r.case) == name],
        )
        for name in sorted(names, key=parts)
        if "." in name
    ]


def columns(results: Iterable[Result]) -> list[str]:
    """The verdicts on behaviour that occurred."""
    occurred = count(results)[0]
    return [verdict for verdict in VERDICTS if occurred[verdict]] + sorted(
        set(occurred) - set(VERDICTS)
    )


def cells(row: Row, verdicts: list[str]) -> list[str]:
    """The text of a row's cells, the same in both formats."""
    counts = count(row.results)[0]
    closing = f"{row.unclean} not clean" if row.unclean else "clean"
    numbers = [str(counts[verdict]) if counts[verdict] else "" for verdict in verdicts]
    return [row.part, row.title, str(len(row.results)), *numbers, closing, f"{row.seconds:.1f} s"]


def notable(run: Run) -> list[Result]:
    """What deserves a line of its own: first the bad, then the informational."""
    informational = [r for r in run.results if r.passed and r.behavior != "OK"]
    return [r for r in run.results if not r.passed] + informational


def _markdown_table(rows: list[Row], verdicts: list[str]) -> list[str]:
    head = ["Section", "Title", "Cases", *verdicts, "Closing", "Time"]
    aligned = [":--", ":--", "--:", *("--:" for _ in verdicts), ":--", "--:"]
    lines = [head, aligned, *(cells(row, verdicts) for row in rows)]
    # Titles such as Autobahn|Testsuite would end a cell.
    return ["| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines]


def markdown(run: Run) -> str:
    """The report for the repository's page."""
    behavior, closing = count(run.results)
    verdicts = columns(run.results)
    lines = ["# Autobahn|Testsuite report", "", f"**{run.headline()}**", ""]
    lines += [f"- {name}: {value}" for name, value in run.facts()]
    lines += [f"- Behaviour: {in_words(behavior)}", f"- Closing: {in_words(closing)}", ""]
    lines += [
        "Made by `bin/compliance`. INFORMATIONAL is the suite's only verdict for three cases",
        "(7.1.6, 7.13.1, 7.13.2), whatever the client does.",
        "",
        "## Sections",
        "",
        *_markdown_table(section_rows(run), verdicts),
        "",
        "## Subsections",
        "",
        *_markdown_table(subsection_rows(run), verdicts),
    ]
    listed = notable(run)
    if listed:
        lines += ["", "## Cases that are not plainly OK", ""]
        lines += ["| Case | Behaviour | Closing | Explanation |", "| :-- | :-- | :-- | :-- |"]
        for r in listed:
            why = " ".join(r.why.split()).replace("|", "\\|")
            lines.append(f"| {r.case} | {r.behavior} | {r.closing} | {why} |")
    return "\n".join(lines) + "\n"


STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5d6877; --line: #dfe4ea;
  --page: #f6f7f9; --card: #fff; --ok: #2e9e5b; --info: #4a7fd4; --warn: #d9972b; --bad: #d0453f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ebf0; --soft: #98a3b1; --line: #2e3742;
  --page: #12161b; --card: #1a2027; --ok: #3fb56d; --info: #6b9bea; --warn: #e0a945;
  --bad: #e8655e; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 2.5rem 1rem 4rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 66rem; margin: auto; }
h1 { font-size: 1.7rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .8rem; }
.lead { font-size: 1.15rem; margin: .4rem 0 1.6rem; font-weight: 600; }
.lead.good { color: var(--ok); } .lead.poor { color: var(--bad); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 1.1rem 1.3rem; overflow-x: auto; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: .9rem 2rem;
  margin: 0; }
dt { color: var(--soft); font-size: .8rem; } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .38rem .7rem; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--soft); font-weight: 500; font-size: .8rem; white-space: nowrap; }
tr:last-child td { border-bottom: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.map { display: flex; gap: .8rem; align-items: baseline; margin: .45rem 0; }
.map b { flex: 0 0 2rem; text-align: right; font-weight: 500; }
.map div { display: flex; flex-wrap: wrap; gap: 3px; }
.map i, .key i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; }
.ok { background: var(--ok); } .info { background: var(--info); } .warn { background: var(--warn); }
.bad { background: var(--bad); }
.key { color: var(--soft); font-size: .8rem; margin: .9rem 0 0; } .key i { margin: 0 .3rem 0 1rem; }
.key i:first-child { margin-left: 0; }
"""


def _kind(result: Result) -> str:
    """The colour of a case."""
    if result.passed:
        return "ok" if result.behavior == "OK" else "info"
    return "warn" if result.behavior in VERDICTS[:4] and not result.trouble else "bad"


def _html_table(rows: list[Row], verdicts: list[str]) -> str:
    head = ["Section", "Title", "Cases", *verdicts, "Closing", "Time"]
    numeric = {2, *range(3, 3 + len(verdicts)), len(head) - 1}

    def line(tag: str, texts: list[str]) -> str:
        return "".join(
            f"<{tag}{' class=number' if i in numeric else ''}>{escape(text)}</{tag}>"
            for i, text in enumerate(texts)
        )

    body = "\n".join(f"<tr>{line('td', cells(row, verdicts))}</tr>" for row in rows)
    return f"<div class=card><table>\n<tr>{line('th', head)}</tr>\n{body}\n</table></div>"


def _case_map(run: Run) -> str:
    """Every case as a coloured square, a line for each section."""
    lines: list[str] = []
    for row in section_rows(run):
        squares = "".join(
            f'<i class={_kind(r)} title="{r.case}: {escape(r.behavior)}, closing '
            f'{escape(r.closing)}"></i>'
            for r in row.results
        )
        lines.append(f"<div class=map><b>{row.part}</b><div>{squares}</div></div>")
    key = (
        "<p class=key><i class=ok></i>OK <i class=info></i>informational "
        "<i class=warn></i>not strict, unimplemented or not clean <i class=bad></i>failed</p>"
    )
    return "<div class=card>" + "\n".join(lines) + key + "</div>"


def html(run: Run) -> str:
    """The report as a self-contained page."""
    behavior, closing = count(run.results)
    verdicts = columns(run.results)
    facts = [*run.facts(), ("Behaviour", in_words(behavior)), ("Closing", in_words(closing))]
    listed = "\n".join(
        f"<tr><td>{r.case}<td>{escape(r.behavior)}<td>{escape(r.closing)}"
        f"<td>{escape(run.catalogue.cases.get(r.case, ''))}"
        f"<td>{escape(r.why)}</tr>"
        for r in notable(run)
    )
    details = (
        "<h2>Cases that are not plainly OK</h2>\n<div class=card><table>\n<tr><th>Case"
        "<th>Behaviour<th>Closing<th>The case<th>Explanation</tr>\n"
        f"{listed}\n</table></div>\n"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Autobahn|Testsuite report</title>\n<style>{STYLE}</style>\n<main>\n"
        "<h1>Autobahn|Testsuite report</h1>\n"
        f'<p class="lead {"good" if run.passed else "poor"}">{escape(run.headline())}</p>\n'
        "<div class=card><dl>"
        + "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts)
        + "</dl></div>\n<h2>Every case</h2>\n"
        + f"{_case_map(run)}\n<h2>Sections</h2>\n{_html_table(section_rows(run), verdicts)}\n"
        + f"<h2>Subsections</h2>\n{_html_table(subsection_rows(run), verdicts)}\n"
        + (details if listed else "")
        + "</main>\n</html>\n"
    )
