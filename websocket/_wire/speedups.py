"""Which of two twins runs: the C one of `_speedups`, where it was built and is wanted, or ours."""

from __future__ import annotations

import os
from typing import Any, TypeVar

__all__ = ["backend", "pick", "receive_messages", "send_frame"]

_T = TypeVar("_T")

_accelerator: Any = None
if not os.environ.get("WEBSOCKET_CLIENT_PURE_PYTHON"):
    try:
        from . import _speedups as _accelerator  # type: ignore[attr-defined, no-redef]
    except ImportError:
        pass  # a wheel without it, or no compiler


def pick(name: str, twin: _T) -> _T:
    """The accelerator's function of that name, or `twin`, which does the same in Python."""
    picked: _T = getattr(_accelerator, name, twin)
    return picked


send_frame: Any = pick("send_frame", None)
"""`send_frame(stream, socket, opcode, payload, next_key)`: a message encoded and sent in one call;
its length on the wire, or (frame, how much was sent) where the kernel did not take all of it. There
is no twin (None): without it the floors do the same one after the other."""

receive_messages: Any = pick("receive_messages", None)
"""`receive_messages(socket, consumed, truncate, max_size, ahead, wait)`: take what was consumed out
of the kernel's queue, peek, and parse the whole plain messages: (rest, messages, their bytes, those
of their payloads). If not `ahead`, one message; `rest` is None where it is out of the queue
already. No twin either."""


def backend() -> str:
    """Which of them masks and frames: "c" or "python"."""
    return "python" if _accelerator is None else "c"
