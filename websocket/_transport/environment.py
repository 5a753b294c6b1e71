"""Whether the environment has anything to say, asked on every connect, and so asked quickly."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["names", "none_is_set"]


def names(*variables: str) -> frozenset[bytes]:
    """The names of environment variables as `none_is_set` takes them."""
    return frozenset(variable.encode() for variable in variables)


def none_is_set(variables: frozenset[bytes], environ: Mapping[str, str]) -> bool:
    """Whether it is known, without asking `os.environ` for one after the other, that it has none.

    It takes a microsecond for each; the dictionary behind it, on POSIX, a fiftieth.
    """
    behind: dict[bytes, bytes] | None = getattr(environ, "_data", None)
    return os.name == "posix" and behind is not None and variables.isdisjoint(behind)
