"""How the plain prose of our docstrings becomes reStructuredText, for the reference.

Docstrings are written to be read in an editor: names stand in single backticks, programs and tables
are indented. Here names become literals, or links where they name something of ours; what is
indented stays as it stands; nothing else is markup.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["as_markup", "setup"]

_QUOTED = re.compile(r"`([^`]+)`")
_NAME = re.compile(r"([A-Za-z_][\w.]*?)(\(\))?$")
_OURS = re.compile(r"\b(WebSocket\w*Exception|InvalidState|ScriptFailure)\b")
_MARKUP = re.compile(r"([*|\\]|(?<=\w)_(?!\w))")
_ITEM = re.compile(r"- ")
_PLACES = ("websocket", "websocket.testing")


def as_markup(text: str, owner: str, parameters: frozenset[str] = frozenset()) -> str:
    """A docstring, its indentation removed, as reStructuredText.

    `owner` is the dotted name of what it describes, or of the class around that; names of
    `parameters` are no links.
    """
    blocks = re.split(r"\n[ \t]*\n", text.strip("\n"))
    return "\n\n".join(_block(block, owner, parameters) for block in blocks)


def _block(block: str, owner: str, parameters: frozenset[str]) -> str:
    if block.startswith("    "):
        body = dedent(block)
        if table := _table(body):
            return table
        language = "python" if _is_python(body) else "text"
        return f".. code-block:: {language}\n\n{indent(body, '    ')}"
    lines = block.splitlines()
    first_item = next((n for n, line in enumerate(lines) if _ITEM.match(line)), None)
    prose = _prose(block, owner, parameters)
    if first_item:  # a list right behind its introduction wants a blank line between
        lines = prose.splitlines()
        first_item = next(n for n, line in enumerate(lines) if _ITEM.match(line))
        prose = "\n".join([*lines[:first_item], "", *lines[first_item:]])
    return prose


def _table(text: str) -> str | None:
    """Lines of two columns, the second of which begins at the same place in all, as a table."""
    lines = text.splitlines()
    for column in range(4, min(map(len, lines))):
        if all(line[column - 2 : column].isspace() and line[column] != " " for line in lines):
            cells = [(line[:column].strip(), line[column:]) for line in lines]
            rows = [
                f"* - {_names(left)}\n  - {_prose(right, '', frozenset())}" for left, right in cells
            ]
            head = ".. list-table::\n    :class: callbacks\n\n"
            return head + indent("\n".join(rows), "    ") if len(rows) > 1 else None
    return None


def _names(text: str) -> str:
    return " ".join(f"``{name}``" for name in re.split(r" {2,}", text))


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _prose(text: str, owner: str, parameters: frozenset[str]) -> str:
    parts: list[str] = []
    for number, part in enumerate(_QUOTED.split(text)):
        if number % 2:
            parts.append(_quoted(" ".join(part.split()), owner, parameters))
        else:
            parts.append(_OURS.sub(_exception, _MARKUP.sub(r"\\\1", part)))
    return "".join(parts)


def _exception(found: re.Match[str]) -> str:
    target = _target(found[1], "")
    return f":py:exc:`~{target}`" if target else found[1]


def _quoted(name: str, owner: str, parameters: frozenset[str]) -> str:
    shape = _NAME.match(name)
    target = None if shape is None or name in parameters else _target(shape[1], owner)
    return f"``{name}``" if target is None else f":py:obj:`{name} <{target}>`"


def _target(name: str, owner: str) -> str | None:
    """The dotted name of what is meant, if it is public and ours."""
    if any(part.startswith("_") for part in name.split(".")):
        return None
    for place in (owner, *_PLACES):
        if place and place.startswith("websocket") and _find(f"{place}.{name}") is not None:
            return f"{place}.{name}"
    return None


def _find(dotted: str) -> Any:
    module, _, rest = dotted.partition(".")
    found: Any = importlib.import_module(module)
    for part in filter(None, rest.split(".")):
        if not hasattr(found, part):
            return None
        found = getattr(found, part)
    return None if inspect.ismodule(found) else found


def _parameters(what: Any) -> frozenset[str]:
    """The names that are arguments here, and so are not links to a method of that name."""
    try:
        names = set(inspect.signature(what).parameters)
    except (TypeError, ValueError):
        return frozenset()
    if "options" in names:
        options = importlib.import_module("websocket._options")
        names |= set(options.ConnectOptions.__annotations__)
        names |= set(options.FurtherOptions.__annotations__)
    return frozenset(names)


def _process(app: Sphinx, kind: str, name: str, what: Any, options: Any, lines: list[str]) -> None:
    if not name.startswith("websocket"):
        return
    owner = name if kind in ("class", "exception") else name.rpartition(".")[0]
    text = as_markup("\n".join(lines), owner, _parameters(what))
    lines[:] = text.splitlines()


def _show_constants(
    app: Sphinx, kind: str, name: str, what: Any, options: Any, signature: str | None, result: Any
) -> tuple[str | None, Any]:
    """A default that is a private constant is shown as its value."""
    names = vars(sys.modules[getattr(what, "__module__", __name__)])

    def value(found: re.Match[str]) -> str:
        return repr(names[found[1]]) if found[1] in names else found[0]

    return signature and re.sub(r"(?<== )(_[A-Z_]+)\b", value, signature), result


def _no_link(app: Sphinx, env: Any, node: Any, contnode: Any) -> Any:
    """A name that has no entry in the reference, or is the standard library's, is just shown."""
    if node.get("refdomain") != "py":
        return None
    target = node.get("reftarget", "")
    foreign = not target.startswith("websocket") or "._" in target
    typed = node.get("reftype") in ("class", "data")
    return contnode if (typed and foreign) or node.get("reftype") == "obj" else None


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-process-signature", _show_constants)
    app.connect("missing-reference", _no_link)
    importlib.import_module("websocket.testing")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
