"""The body of a close frame (RFC 6455 5.5.1, 7.4): codes, reasons, and which of them may travel."""

from __future__ import annotations

from typing import NamedTuple

from .._exceptions import WebSocketProtocolException

__all__ = [
    "ABNORMAL",
    "NO_STATUS",
    "Close",
    "check_close",
    "encode_close",
    "is_valid_close_code",
    "parse_close",
]


class Close(NamedTuple):
    """What a close frame says: a code (1005 when it says none, RFC 6455 7.4.1) and a reason."""

    code: int
    reason: str


NO_STATUS, ABNORMAL = 1005, 1006


def is_valid_close_code(code: int) -> bool:
    """Whether a close frame may carry this code (RFC 6455 7.4, and the IANA registry since)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def parse_close(payload: bytes) -> Close:
    """The body of a close frame; raises WebSocketProtocolException for one that is not allowed."""
    if not payload:
        return Close(NO_STATUS, "")
    if len(payload) == 1:
        raise WebSocketProtocolException("Invalid close frame: its body is a single byte")
    code = int.from_bytes(payload[:2], "big")
    if not is_valid_close_code(code):
        raise WebSocketProtocolException(f"Invalid close opcode {code}")
    try:
        return Close(code, payload[2:].decode())
    except UnicodeDecodeError as exc:
        raise WebSocketProtocolException("Invalid close frame: its reason is not UTF-8") from exc


def check_close(code: int, reason: str | bytes | None = b"") -> bytes:
    """The reason as the bytes that will travel; raises ValueError for what RFC 6455 forbids."""
    if not is_valid_close_code(code):
        raise ValueError(
            f"code is invalid range: {code} cannot be sent, "
            "expected 1000-1003, 1007-1014 or 3000-4999"
        )
    encoded = reason.encode() if isinstance(reason, str) else bytes(reason or b"")
    if len(encoded) > 123:  # RFC 6455 5.5: a control frame carries at most 125 bytes
        raise ValueError(f"reason is too long: {len(encoded)} bytes in UTF-8, expected at most 123")
    return encoded


def encode_close(code: int | None, reason: str | bytes | None = b"") -> bytes:
    """The body of a close frame; `code` None or 1005 gives an empty one."""
    if code is None or code == NO_STATUS:
        return b""
    encoded = check_close(code, reason)
    return code.to_bytes(2, "big") + encoded
