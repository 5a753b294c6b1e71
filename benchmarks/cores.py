"""Who runs on which core: the server has one of its own, so that an exchange always crosses cores.

Left alone, the scheduler puts client and server now on one core, now on two, and an echo costs four
times as much CPU in the one case as in the other.
"""

from __future__ import annotations

import os

__all__ = ["keep_off_the_server", "take_the_server_s_core"]


def take_the_server_s_core() -> None:
    """From now on this process runs on the last core."""
    _move(_last())


def keep_off_the_server() -> None:
    """From now on this process runs on the other cores."""
    _move(_all() - _last())


def _all() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def _last() -> set[int]:
    return {max(_all(), default=0)}


def _move(cores: set[int]) -> None:
    if cores and len(_all()) > 1:
        os.sched_setaffinity(0, cores)
