"""Promise: a module with zlib's interface can take zlib's place; none is loaded without need."""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from websocket import Deflate, WebSocketPayloadException

ROOT = Path(__file__).resolve().parents[2]
TAIL = b"\x00\x00\xff\xff"


class Counting:
    """zlib in another's name: what a pluggable module looks like from here."""

    __name__ = "counting"
    error = zlib.error

    def __init__(self) -> None:
        self.made: list[tuple[object, ...]] = []

    def compressobj(self, *args: Any) -> object:
        self.made.append(args)
        return zlib.compressobj(*args)

    def decompressobj(self, *args: Any) -> object:
        self.made.append(args)
        return zlib.decompressobj(*args)


def test_a_module_in_the_place_of_zlib_is_used_once_for_each_direction() -> None:
    module = Counting()
    inflater, deflater = Deflate(zlib=module, level=3, mem_level=8).agree("permessage-deflate")
    module.made.clear()
    for _ in range(10):
        squeezed = deflater.deflate(b"Hello", True, True)
        assert squeezed is not None
        assert inflater.inflate(squeezed, True, 5) == b"Hello"
    assert module.made == [(3, 8, -12, 8), (-15,)]


class Quiet:
    """A compressor that says nothing when there is nothing to flush, as zlib may."""

    def __init__(self, *args: Any) -> None:
        self._peer = zlib.compressobj(*args)
        self._flushed = False

    def compress(self, data: bytes) -> bytes:
        self._flushed = self._flushed and not data
        return self._peer.compress(data) if data else b""

    def flush(self, mode: int) -> bytes:
        flushed, self._flushed = self._flushed, True
        return b"" if flushed else self._peer.flush(mode)


def test_a_flush_that_gives_nothing_is_an_empty_message() -> None:
    module = Counting()
    module.compressobj = Quiet  # type: ignore[method-assign]
    inflater, deflater = Deflate(zlib=module).agree("permessage-deflate")
    for message in (b"", b"", b"Hello", b"", b"", b"Hello"):
        squeezed = deflater.deflate(message, True, True)
        assert squeezed is not None
        assert inflater.inflate(squeezed, True, 5) == message


@pytest.mark.parametrize(("name", "level"), [("isal.isal_zlib", 1), ("zlib_ng.zlib_ng", 6)])
@pytest.mark.parametrize("bits", range(8, 16))
def test_real_modules_in_the_place_of_zlib(name: str, level: int, bits: int) -> None:
    module = pytest.importorskip(name)
    settings = Deflate(bits, bits, level=level, zlib=module)
    inflater, deflater = settings.agree(f"permessage-deflate; server_max_window_bits={bits}")
    peer = zlib.decompressobj(-bits)
    for number in range(200):
        message = b"message %d of many, " % number * (number % 30)
        squeezed = deflater.deflate(message, True, True)
        assert squeezed is not None
        assert inflater.inflate(squeezed, True, len(message)) == message
        assert peer.decompress(squeezed + TAIL) == message
    with pytest.raises(WebSocketPayloadException) as caught:
        inflater.inflate(b"\xff" * 10, True, 1000)
    assert caught.value.close_code == 1007


def test_without_zlib_python_still_works() -> None:
    """`import websocket` does not load it, and so does not need it."""
    program = (
        "import sys; sys.modules['zlib'] = None; import websocket; "
        "assert websocket.Deflate; print('fine')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("fine\n", "")
