"""How the Python 2 source of Autobahn|Testsuite becomes Python 3: patches, lib2to3, bytes."""

from __future__ import annotations

import ast
import os
import shutil
import warnings
from collections.abc import Iterator
from typing import Any

from suite_patches import (
    DROP,
    EVENTS,
    HEX_CALL,
    HEX_IN_DESCRIPTION,
    PAYLOAD_KEYWORDS,
    PAYLOAD_NAMES,
    PRE,
)


def replace_exactly(text: str, old: str, new: str, count: int, where: str) -> str:
    """Replace `old`, and insist that it occurs `count` times: a changed release fails loudly."""
    found = text.count(old)
    if found != count:
        raise SystemExit(f"patch for {where}: expected {count} x {old!r}, found {found}")
    return text.replace(old, new)


def _sequence_parts(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Octets inside createUtf8TestSequences, the generator of the cases of section 6."""
    for node in ast.walk(function):
        if isinstance(node, ast.Tuple) and len(node.elts) == 2:  # (valid?, octets)
            yield node.elts[1]
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "k":
            yield node.value
        elif isinstance(node, ast.For) and getattr(node.target, "id", "") in ("z1", "z2", "z3"):
            yield node.iter
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "zz":
            yield node.value
        elif isinstance(node, ast.Compare) and getattr(node.left, "id", "") in ("z1", "z2", "zz"):
            yield node


def _call_parts(call: ast.Call) -> Iterator[ast.AST]:
    """Octets among the arguments of a call: payload keywords, and what "".join() joins."""
    for keyword in call.keywords:
        if keyword.arg in PAYLOAD_KEYWORDS:
            yield keyword.value
    function = call.func
    if (
        isinstance(function, ast.Attribute)
        and function.attr == "join"
        and isinstance(function.value, ast.Constant)
        and function.value.value == ""
    ):
        yield function.value


def _payload_expressions(tree: ast.AST) -> Iterator[ast.AST]:
    """Expressions of a case module whose string literals stand for octets on the wire."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if getattr(target, "id", getattr(target, "attr", None)) in PAYLOAD_NAMES:
                    yield node.value
        elif isinstance(node, ast.Call):
            yield from _call_parts(node)
        elif isinstance(node, ast.Tuple) and len(node.elts) > 1:
            first = node.elts[0]
            if isinstance(first, ast.Constant) and first.value in EVENTS:
                yield node.elts[1]
        elif isinstance(node, ast.FunctionDef) and node.name == "createUtf8TestSequences":
            yield from _sequence_parts(node)


def _payload_literals(tree: ast.AST) -> list[tuple[tuple[int, int], ast.Constant]]:
    """Positions and nodes of the literals that have to become bytes, last one first."""
    found: dict[tuple[int, int], ast.Constant] = {}

    def take(node: ast.AST) -> None:
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and node.kind != "u":
                found[(node.lineno, node.col_offset)] = node
        elif not (
            isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("decode", "encode")
        ):
            for child in ast.iter_child_nodes(node):
                take(child)

    for expression in _payload_expressions(tree):
        take(expression)
    return sorted(found.items(), key=lambda item: item[0], reverse=True)


def to_bytes_literals(source: str, path: str) -> tuple[str, int]:
    """Turn the payload literals of a case module into bytes; returns the source and their count."""
    literals = _payload_literals(ast.parse(source, path))
    lines = source.encode("utf-8").splitlines(keepends=True)
    for (line, column), node in literals:
        if node.end_lineno != line:
            raise SystemExit(f"{path}:{line}: payload literal of more than one line")
        raw = lines[line - 1]
        literal = raw[column : node.end_col_offset]
        if literal[:1] not in (b"'", b'"'):
            raise SystemExit(f"{path}:{line}: unexpected literal {literal!r}")
        if all(byte < 0x80 for byte in literal):
            new = b"b" + literal  # '\xfe' escapes keep their Python 2 meaning
        elif b"\\" in literal:
            raise SystemExit(f"{path}:{line}: escape in a literal that is not ASCII")
        else:
            new = literal + b'.encode("utf-8")'  # Python 2: the file's own (UTF-8) octets
        lines[line - 1] = raw[:column] + new + raw[node.end_col_offset :]
    return b"".join(lines).decode("utf-8"), len(literals)


def _patched(text: str, name: str) -> str:
    """The Python 2 source of the module `name` (path with slashes) with its patches applied."""
    for old, new, count in PRE.get(name, []):
        text = replace_exactly(text, old, new, count, name)
    if name == "case/case6_x_x.py":
        text = replace_exactly(text, "(object, Case, )", "(Case, )", 1, name)
        # The validator's self-tests (run by hand only) stay Python 2: cut them.
        start, end = text.index("def test_utf8(validator):"), text.index("Case6_X_X = []")
        text = text[:start] + text[end:]
        text = text[: text.index("import binascii\nimport array\n\ndef encode(c):")]
    if name in HEX_IN_DESCRIPTION:
        text, found = HEX_CALL.subn(r'\1.decode("ascii")', text)
        if found != HEX_IN_DESCRIPTION[name]:
            raise SystemExit(f"{name}: found {found} descriptions in hex")
    return text if text.endswith("\n") else text + "\n"


def _refactoring_tools() -> tuple[Any, Any]:
    """lib2to3 for plain modules and for cases, where u"" has to stay: it tells text from octets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lib2to3.refactor import RefactoringTool, get_fixers_from_package
    fixers = get_fixers_from_package("lib2to3.fixes")
    return (
        RefactoringTool(fixers),
        RefactoringTool([name for name in fixers if not name.endswith("fix_unicode")]),
    )


def convert(source: str, target: str) -> tuple[int, int]:
    """Copy a package to `target` as Python 3; returns how many files and literals changed."""
    plain, cases = _refactoring_tools()
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    for name in DROP:
        path = os.path.join(target, name)
        shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    done: set[str] = set()
    literals = 0
    for folder, _, files in os.walk(target):
        for path in (os.path.join(folder, name) for name in sorted(files) if name.endswith(".py")):
            name = os.path.relpath(path, target).replace(os.sep, "/")
            with open(path, encoding="utf-8") as file:
                text = _patched(file.read(), name)
            is_case = name.startswith("case/case")
            # The real path, because fix_import looks at the siblings.
            text = str((cases if is_case else plain).refactor_string(text, path))
            if is_case:
                text, count = to_bytes_literals(text, name)
                literals += count
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # old escapes in patterns
                compile(text, name, "exec")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            done.add(name)
    missing = sorted(set(PRE) - done)
    if missing:
        raise SystemExit(f"patched files that the release lacks: {missing}")
    return len(done), literals
