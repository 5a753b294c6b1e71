"""What a process holds: bytes given out by malloc, resident bytes and their peak, threads."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

__all__ = ["allocated", "forget_peak", "peak", "resident", "threads"]

_STATUS = Path("/proc/self/status")


class _Mallinfo(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def allocated() -> int:
    """Bytes in use by the C library's count, of Python (under PYTHONMALLOC=malloc), C and C++."""
    gc.collect()
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = _Mallinfo
    told = mallinfo()
    return int(told.uordblks + told.hblkhd)


def forget_peak() -> None:
    """From now on `peak` counts anew."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """The most resident bytes since `forget_peak`."""
    return _kibibytes("VmHWM") * 1024


def resident() -> int:
    """Resident bytes now."""
    return _kibibytes("VmRSS") * 1024


def threads() -> int:
    """Threads of this process, those of C libraries, too."""
    return _kibibytes("Threads")


def _kibibytes(name: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise LookupError(name)
