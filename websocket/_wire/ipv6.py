"""What is an IPv6 address, and what a zone of one."""

from __future__ import annotations

from . import patterns

__all__ = ["is_ipv6", "is_zone"]

is_zone = patterns.fullmatch(r"[A-Za-z0-9._~\-]{1,64}")

_hex_group = patterns.fullmatch(r"[0-9a-f]{1,4}")
_byte_group = patterns.fullmatch(r"0|[1-9][0-9]{0,2}")


def is_ipv6(text: str) -> bool:
    """RFC 4291, 2.2: eight groups, one run of zeros as "::", the last two as an IPv4 address."""
    head, gap, tail = text.partition("::")
    groups = head.split(":") if head else []
    if gap:
        groups += tail.split(":") if tail else []
    count = len(groups)
    last = tail if gap else head
    if groups and "." in groups[-1] and last:
        parts = groups.pop().split(".")
        if len(parts) != 4 or not all(_byte_group(p) and int(p) < 256 for p in parts):
            return False
        count += 1
    return all(map(_hex_group, groups)) and (count < 8 if gap else count == 8)
