"""Regular expressions, compiled when they are first used: most programs never meet most of them,
and `import websocket` is to be quick."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

__all__ = ["findall", "fullmatch", "match", "search"]

_Matching = Callable[..., "re.Match[str] | None"]


def fullmatch(pattern: str) -> _Matching:
    """`re.compile(pattern).fullmatch`, later."""
    return _later(pattern, "fullmatch")


def match(pattern: str) -> _Matching:
    """`re.compile(pattern).match`, later."""
    return _later(pattern, "match")


def search(pattern: str) -> _Matching:
    """`re.compile(pattern).search`, later."""
    return _later(pattern, "search")


def findall(pattern: str) -> Callable[[str], list[str]]:
    """`re.compile(pattern).findall`, later; of a pattern without groups."""
    return _later(pattern, "findall")


def _later(pattern: str, verb: str) -> Callable[..., Any]:
    compiled: Callable[..., Any] | None = None

    def call(*arguments: Any) -> Any:
        nonlocal compiled
        ready = compiled
        if ready is None:
            ready = compiled = getattr(re.compile(pattern), verb)
        return ready(*arguments)

    return call
