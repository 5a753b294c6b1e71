"""The callbacks of `WebSocketApp` as types, for programs that annotate with them.

What a callback may take narrower than it comes is Any here: a program knows whether its server
sends text or binary, or which class its app has, and says so in its own function.
"""

from __future__ import annotations

from typing import Any, Protocol

__all__ = [
    "OnClose",
    "OnContMessage",
    "OnData",
    "OnError",
    "OnMessage",
    "OnOpen",
    "OnPing",
    "OnPong",
    "OnReconnect",
]


class OnOpen(Protocol):
    """Called when the first connection is open."""

    def __call__(self, app: Any, /) -> object: ...


class OnReconnect(Protocol):
    """Called when a later connection is open."""

    def __call__(self, app: Any, /) -> object: ...


class OnMessage(Protocol):
    """Called for each message: a str for text, bytes for binary."""

    def __call__(self, app: Any, message: Any, /) -> object: ...


class OnData(Protocol):
    """Called before `OnMessage` and `OnContMessage`: the message or fragment, its opcode, and
    whether it is whole or the last fragment."""

    def __call__(self, app: Any, data: Any, opcode: int, fin: Any, /) -> object: ...


class OnContMessage(Protocol):
    """Called for each fragment but the first: its bytes, and whether it is the last."""

    def __call__(self, app: Any, data: bytes, fin: Any, /) -> object: ...


class OnPing(Protocol):
    """Called for each ping, which has been answered by then."""

    def __call__(self, app: Any, payload: bytes, /) -> object: ...


class OnPong(Protocol):
    """Called for each pong."""

    def __call__(self, app: Any, payload: bytes, /) -> object: ...


class OnError(Protocol):
    """Called with the exception of a failed attempt, a lost connection or another callback."""

    def __call__(self, app: Any, exception: Any, /) -> object: ...


class OnClose(Protocol):
    """Called once, at the end of a run: close code (int) and reason (str) of the server, each None
    where it said none."""

    def __call__(self, app: Any, code: Any, reason: Any, /) -> object: ...
