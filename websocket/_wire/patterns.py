"""Regular expressions, compiled when they are first used: most programs never meet most of them,
and `import websocket` is to be quick."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["findall", "fullmatch", "match", "search", "split", "sub"]


def fullmatch(pattern: str | bytes) -> Callable[..., Any]:
    """`re.compile(pattern).fullmatch`, later."""
    return _later(pattern, "fullmatch")


def match(pattern: str | bytes) -> Callable[..., Any]:
    """`re.compile(pattern).match`, later."""
    return _later(pattern, "match")


def search(pattern: str) -> Callable[..., Any]:
    """`re.compile(pattern).search`, later."""
    return _later(pattern, "search")


def findall(pattern: str) -> Callable[..., list[Any]]:
    """`re.compile(pattern).findall`, later."""
    return _later(pattern, "findall")


def split(pattern: str) -> Callable[..., list[str]]:
    """`re.compile(pattern).split`, later; of a pattern without groups."""
    return _later(pattern, "split")


def sub(pattern: str) -> Callable[..., str]:
    """`re.compile(pattern).sub`, later."""
    return _later(pattern, "sub")


def _later(pattern: str | bytes, verb: str) -> Callable[..., Any]:
    compiled: Callable[..., Any] | None = None

    def call(*arguments: Any) -> Any:
        nonlocal compiled
        ready = compiled
        if ready is None:
            import re

            ready = compiled = getattr(re.compile(pattern), verb)
        return ready(*arguments)

    return call
