"""The timeout of connections that are given none: one for the whole process."""

from __future__ import annotations

__all__ = ["getdefaulttimeout", "setdefaulttimeout"]

_default_timeout: float | None = None


def setdefaulttimeout(timeout: float | None) -> None:
    """The timeout in seconds of connections that are given none; None waits for ever."""
    global _default_timeout
    _default_timeout = timeout


def getdefaulttimeout() -> float | None:
    """The timeout in seconds of connections that are given none."""
    return _default_timeout
