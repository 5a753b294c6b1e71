"""Masking (RFC 6455 5.3): XOR with a 4-byte key, and where the keys come from.

Two ways to XOR in pure Python, and the size at which they cross: one big integer is cheapest for
small payloads, but converting it is slower than linear; four strided `bytes.translate` calls have
a dearer start and then run at about 1 GB/s.
"""

from __future__ import annotations

import os

from .speedups import pick

__all__ = ["fresh_key", "mask", "mask_in_python", "next_key"]

_CROSSING = 1536  # bytes; measured on CPython 3.10 to 3.13
_STRIDE_CHUNK = 1 << 16  # what the cache likes; also bounds the scratch copies

_xor_tables: list[bytes] = []  # made at the first large payload
_keys: list[bytes] = []
_KEYS_AT_A_TIME = 256


def mask_in_python(key: bytes, data: bytes | bytearray | memoryview) -> bytes | bytearray:
    """XOR `data` with the 4 bytes of `key`, starting at the key's first byte; any thread."""
    length = len(data)
    if length > _CROSSING:
        return _mask_large(key, data)
    repeated = key * ((length + 3) >> 2)
    masked = int.from_bytes(data, "little") ^ int.from_bytes(repeated[:length], "little")
    return masked.to_bytes(length, "little")


def _mask_large(key: bytes, data: bytes | bytearray | memoryview) -> bytearray:
    if not _xor_tables:
        _xor_tables.extend(bytes(value ^ k for value in range(256)) for k in range(256))
    tables = [_xor_tables[k] for k in key]
    masked = bytearray(data)
    for start in range(0, len(masked), _STRIDE_CHUNK):
        stop = min(start + _STRIDE_CHUNK, len(masked))
        for offset, table in enumerate(tables):
            strided = slice(start + offset, stop, 4)
            masked[strided] = masked[strided].translate(table)
    return masked


mask = pick("mask", mask_in_python)


next_key = _keys.pop
"""One of those that were bought, IndexError if there is none. Atomic: no two threads get one."""


def fresh_key() -> bytes:
    """A masking key that nobody can predict (RFC 6455 10.3): `os.urandom`, bought in bulk."""
    try:
        return next_key()
    except IndexError:
        pool = os.urandom(4 * _KEYS_AT_A_TIME)
        _keys.extend(pool[i : i + 4] for i in range(4, len(pool), 4))
        return pool[:4]


if hasattr(os, "register_at_fork"):
    # A child that went on with the parent's pool would mask with the parent's keys.
    os.register_at_fork(after_in_child=_keys.clear)
