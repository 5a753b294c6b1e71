"""A door: small helpers that programs take from here."""

from __future__ import annotations

__all__ = ["NoLock", "extract_err_message", "extract_error_code", "validate_utf8"]


class NoLock:
    """A lock that locks nothing."""

    def __enter__(self) -> None:
        """Enter at once."""

    def __exit__(self, *_: object) -> None:
        """Leave."""


def validate_utf8(utfbytes: str | bytes) -> bool:
    """Whether bytes are UTF-8, or a str can be encoded as UTF-8 (a lone surrogate cannot)."""
    try:
        if isinstance(utfbytes, str):
            utfbytes.encode()
        else:
            bytes(utfbytes).decode()
    except UnicodeError:
        return False
    return True


def extract_err_message(exception: BaseException) -> str | None:
    """The first argument of an exception as a str, or None."""
    return str(exception.args[0]) if exception.args else None


def extract_error_code(exception: BaseException) -> int | None:
    """The number that an exception with several arguments begins with, or None."""
    code = exception.args[0] if len(exception.args) > 1 else None
    return code if isinstance(code, int) else None
