"""The logger, the trace switch, and what must never be read in a log.

`logging` is imported at the first line that somebody may want to read: a quiet program does not pay
for it. Trace lines show the exchange with credentials and cookies hidden; payloads are shown, as
they are what one traces for.
"""

from __future__ import annotations

import sys

from . import _tracing

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from typing import Any

__all__ = [
    "debug",
    "dump",
    "enableTrace",
    "error",
    "info",
    "isEnabledForDebug",
    "isEnabledForError",
    "isEnabledForTrace",
    "redact_head",
    "trace",
    "warning",
]

_SECRET_LINES = (
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "proxy-authenticate-info",
    "authentication-info",
)

_trace_handler: logging.Handler | None = None
_level_before: int | None = None


def get_logger() -> logging.Logger:
    """The logger named "websocket", which is silent until somebody configures logging."""
    import logging

    logger = logging.getLogger("websocket")
    if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
        logger.addHandler(logging.NullHandler())
    return logger


def __getattr__(name: str) -> Any:
    if name == "_logger":  # an old private name that programs reach for
        return get_logger()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def enableTrace(
    traceable: bool, handler: logging.Handler | None = None, level: str | int = "DEBUG"
) -> None:
    """Switch the trace of requests and frames on or off; any thread.

    `handler` receives the lines, by default a new one on stderr; it takes the place of the last
    one. `level` becomes the level of the logger "websocket"; switching off restores what it was.
    """
    global _trace_handler, _level_before
    import logging

    logger = get_logger()
    if _trace_handler is not None:
        logger.removeHandler(_trace_handler)
        _trace_handler = None
    if traceable:
        _trace_handler = handler if handler is not None else logging.StreamHandler()
        logger.addHandler(_trace_handler)
        if _level_before is None:
            _level_before = logger.level
        logger.setLevel(level)
    elif _level_before is not None:
        logger.setLevel(_level_before)
        _level_before = None
    _tracing.on = traceable


def dump(title: str, message: str) -> None:
    """Trace a block of text under a title."""
    if _tracing.on:
        logger = get_logger()
        logger.debug(f"--- {title} ---")
        logger.debug(message)
        logger.debug("-----------------------")


def trace(msg: str) -> None:
    """Log at DEBUG while the trace is on."""
    if _tracing.on:
        get_logger().debug(msg)


def _logging_in_use() -> bool:
    # Whoever wants to read our lines has imported logging to say so.
    return "logging" in sys.modules


def debug(msg: str) -> None:
    """Log at DEBUG."""
    if _logging_in_use():
        get_logger().debug(msg)


def info(msg: str) -> None:
    """Log at INFO."""
    if _logging_in_use():
        get_logger().info(msg)


def warning(msg: str) -> None:
    """Log at WARNING."""
    if _logging_in_use():
        get_logger().warning(msg)


def error(msg: str, exc_info: BaseException | None = None) -> None:
    """Log at ERROR, with the traceback of `exc_info` if given."""
    if _logging_in_use():
        get_logger().error(msg, exc_info=exc_info)


def isEnabledForError() -> bool:
    """Whether a line at ERROR would be handled."""
    return get_logger().isEnabledFor(40)


def isEnabledForDebug() -> bool:
    """Whether a line at DEBUG would be handled."""
    return get_logger().isEnabledFor(10)


def isEnabledForTrace() -> bool:
    """Whether the trace is on."""
    return _tracing.on


def redact_head(head: str) -> str:
    """A request or response head with the values of credential lines hidden."""
    lines: list[str] = []
    for line in head.splitlines():
        name, colon, _ = line.partition(":")
        secret = colon and name.strip().lower() in _SECRET_LINES
        lines.append(f"{name}: <hidden>" if secret else line)
    return "\n".join(lines)
