"""How what comes is put into words: texts, bytes, JSON, hex, closes; and what must not be shown."""

from __future__ import annotations

import gzip
import json
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import suppress

from websocket import ABNF

__all__ = ["NORMAL", "closing", "columns_of", "cut", "hex_rows", "indented", "plain", "text_of"]

NORMAL = (1000, 1001, 1005)
"""Close codes of an end that nobody needs to worry about (1005: none was sent)."""

_GZIP = b"\x1f\x8b"
_JOINERS = "\u200c\u200d"  # of scripts and emoji: harmless, and wrong to take out
_MOST_HEX = 4096  # bytes; more than that nobody reads, and it would push all else off the screen

# RFC 6455 7.4.1 and the registry of IANA
_CODES = {
    1000: "normal closure",
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported data",
    1005: "no code",
    1006: "connection lost",
    1007: "invalid payload",
    1008: "policy violation",
    1009: "message too big",
    1010: "extension missing",
    1011: "internal error",
    1012: "service restart",
    1013: "try again later",
    1014: "bad gateway",
}


def text_of(opcode: int, data: bytes) -> str:
    """How an item is shown: text as it is, bytes as Python writes them, unpacked if that works."""
    if opcode == ABNF.OPCODE_TEXT:
        return data.decode(errors="replace")
    if opcode == ABNF.OPCODE_CLOSE:
        return ""
    if opcode == ABNF.OPCODE_BINARY:
        with suppress(OSError, EOFError, zlib.error, UnicodeDecodeError):
            if data[:2] == _GZIP:
                return "[gzip] " + gzip.decompress(data).decode()
            return "[zlib] " + zlib.decompress(data, -zlib.MAX_WBITS).decode()
    return repr(data)


def indented(text: str) -> str:
    """A text that is JSON on several lines; any other as it is."""
    with suppress(ValueError, RecursionError):
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return text


def closing(code: int | None, reason: str | None) -> str:
    """A close by the server: code, name and reason."""
    number = 1005 if code is None else code
    name = _CODES.get(number, "private use" if 4000 <= number <= 4999 else "unknown code")
    return f"{number} ({name})" + (f": {reason}" if reason else "")


def plain(text: str, keep: str = "\n\t") -> str:
    r"""The text with what could steer a terminal written as \x1b, \u202e and the like."""
    if text.isprintable():
        return text
    return "".join(
        char
        if char.isprintable()
        or char in keep
        or char in _JOINERS
        or unicodedata.category(char) == "Zs"
        else char.encode("unicode_escape").decode()
        for char in text
    )


def columns_of(char: str) -> int:
    """How many columns of a terminal a character takes."""
    if char in _JOINERS or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, columns: int) -> Iterator[str]:
    """The rows that a text takes on a terminal so wide; at least one."""
    for line in text.split("\n"):
        row: list[str] = []
        used = 0
        for char in line.expandtabs(8):
            width = columns_of(char)
            if used + width > columns and row:
                yield "".join(row)
                row, used = [], 0
            row.append(char)
            used += width
        yield "".join(row)


def hex_rows(data: bytes, columns: int) -> Iterator[str]:
    """Bytes as offsets, hex and characters, as many in a row as a terminal so wide has room for."""
    size = next((size for size in (16, 8) if 12 + 4 * size < columns), 4)
    for at in range(0, min(len(data), _MOST_HEX), size):
        part = data[at : at + size]
        seen = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        yield f"{at:06x}  {part.hex(' '):<{3 * size}} {seen}"
    if len(data) > _MOST_HEX:
        yield f"... {len(data) - _MOST_HEX} bytes more"
