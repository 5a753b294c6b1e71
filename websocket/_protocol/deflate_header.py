"""What Sec-WebSocket-Extensions says of permessage-deflate (RFC 7692 7.1): text <-> parameters."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from .._exceptions import WebSocketException
from .._wire import patterns

__all__ = ["LARGEST", "NAME", "SMALLEST", "Parameters", "format_parameters", "parse_extensions"]

NAME = "permessage-deflate"
SMALLEST, LARGEST = 8, 15  # RFC 7692 7.1.2: of windows, as powers of two

_parameter = patterns.match(
    r'[ \t]*([!#$%&\'*+\-.^_`|~0-9A-Za-z]+)[ \t]*(?:=[ \t]*(?:"((?:[^"\\]|\\.)*)"|'
    r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+))[ \t]*)?([;,]|\Z)"
)
_bits = patterns.fullmatch(r"[89]|1[0-5]")
_BITS_NAMES = ("server_max_window_bits", "client_max_window_bits")
_FLAG_NAMES = ("server_no_context_takeover", "client_no_context_takeover")


class Parameters(NamedTuple):
    """What one offer or answer says; 0 is `client_max_window_bits` without a value."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int | None = None
    client_max_window_bits: int | None = None

    @classmethod
    def of(cls, pairs: list[tuple[str, str | None]]) -> Parameters:
        """Check parameters by RFC 7692 7.1; raises WebSocketException."""
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise WebSocketException(f"{NAME}: {name} is there twice")
            if name in _FLAG_NAMES:
                if value is not None:
                    raise WebSocketException(f"{NAME}: {name} is {value!r}, expected no value")
                found[name] = True
            elif name in _BITS_NAMES:
                if value is None and name == "client_max_window_bits":
                    found[name] = 0
                elif value is None or not _bits(value):
                    raise WebSocketException(f"{NAME}: {name} is {value!r}, expected 8 to 15")
                else:
                    found[name] = int(value)
            else:
                raise WebSocketException(f"{NAME}: unknown parameter {name!r}")
        return cls(**found)


def format_parameters(
    server_alone: bool, client_alone: bool, server_bits: int | None, client_bits: int | str | None
) -> str:
    """An offer or an answer; `client_bits` "" is the parameter without a value."""
    parts = [NAME]
    if server_alone:
        parts.append("server_no_context_takeover")
    if client_alone:
        parts.append("client_no_context_takeover")
    if server_bits is not None:
        parts.append(f"server_max_window_bits={server_bits}")
    if client_bits is not None:
        parts.append(f"client_max_window_bits={client_bits}".rstrip("="))
    return "; ".join(parts)


def parse_extensions(header: str) -> list[tuple[str, list[tuple[str, str | None]]]]:
    """Extensions and their parameters (RFC 6455 9.1); raises WebSocketException."""
    extensions: list[tuple[str, list[tuple[str, str | None]]]] = []
    position, separator = 0, ","
    while position < len(header):
        if separator == "," and header[position] in " \t,":
            position += 1  # RFC 9110 5.6.1: empty elements of a list count for nothing
            continue
        match = _parameter(header, position)
        if match is None or (separator == "," and match.group(2, 3) != (None, None)):
            raise WebSocketException(f"malformed extensions {header!r} at {position}")
        name, quoted, plain, following = match.groups()
        if separator == ",":
            extensions.append((name, []))
        else:
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            extensions[-1][1].append((name, value))
        position, separator = match.end(), following
    if separator == ";":
        raise WebSocketException(f"malformed extensions {header!r}: nothing behind the last ';'")
    return extensions
