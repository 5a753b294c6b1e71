"""Promise: whatever the stream, inflating it costs no more memory than `max_size` allows, and no
more time than its length warrants.
"""

from __future__ import annotations

import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from websocket import Deflate, WebSocketPayloadException
from websocket._protocol.deflate import Inflater

ROOT = Path(__file__).resolve().parents[2]


def new_inflater() -> Inflater:
    return Deflate().agree("permessage-deflate")[0]


def raw(data: bytes, flush: int = zlib.Z_SYNC_FLUSH) -> bytes:
    """A raw stream of its own."""
    peer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return peer.compress(data) + peer.flush(flush)


@pytest.mark.parametrize("size", [0, 1, 1000, 8192, 100_000])
def test_the_limit_is_exact(size: int) -> None:
    message = bytes(size)
    payload = raw(message)[:-4]
    assert new_inflater().inflate(payload, True, size) == message
    if size:
        with pytest.raises(WebSocketPayloadException, match="Message too big") as caught:
            new_inflater().inflate(payload, True, size - 1)
        assert caught.value.close_code == 1009


def test_the_limit_holds_across_streams() -> None:
    payload = raw(bytes(1000), zlib.Z_FINISH) * 5 + b"\x00"
    assert new_inflater().inflate(payload, True, 5000) == bytes(5000)
    with pytest.raises(WebSocketPayloadException) as caught:
        new_inflater().inflate(payload, True, 4999)
    assert caught.value.close_code == 1009


BOMB = """
import resource, sys, zlib
from websocket import WebSocketPayloadException
from websocket._protocol.deflate import Deflate
from websocket._protocol.receiving import Receiver
from websocket._wire.frames import BINARY, encode_frame

peer = zlib.compressobj(9, zlib.DEFLATED, -15)
first, more = (peer.compress(bytes(1 << 20)) + peer.flush(zlib.Z_SYNC_FLUSH) for _ in range(2))
bomb = (first + 1023 * more)[:-4]  # 1 GiB
limit = int(sys.argv[1])
receiver = Receiver(max_size=limit, inflater=Deflate().agree("permessage-deflate")[0])
receiver.feed(encode_frame(BINARY, bomb, None, True, 4))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    receiver.next_message()
except WebSocketPayloadException as exc:
    assert exc.close_code == 1009, exc
else:
    raise AssertionError("the bomb was taken")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.parametrize("limit", [1 << 10, 1 << 20, 32 << 20])
def test_a_bomb_is_never_inflated_whole(limit: int) -> None:
    """At most three times max_size and 16 MB, whatever is announced: here 1 MB stands for 1 GiB."""
    done = subprocess.run(
        [sys.executable, "-c", BOMB, str(limit)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 3 * limit + 16_000_000


def seconds(payload: bytes, copies: int) -> float:
    """The best of three."""
    best = 1e9
    for _ in range(3):
        inflater = new_inflater()
        stream = payload * copies + b"\x00"
        began = time.perf_counter()
        inflater.inflate(stream, True, None)
        best = min(best, time.perf_counter() - began)
    return best


@pytest.mark.parametrize(
    "unit",
    [
        b"\x03\x00",  # the shortest stream there is, with nothing in it
        b"\x01\x00\x00\xff\xff",
        b"\x00\x00\x00\xff\xff",  # the shortest block
        raw(b"text", zlib.Z_FINISH),
        raw(b"text" * 1000, zlib.Z_FINISH),
    ],
)
def test_time_grows_with_the_length_and_no_faster(unit: bytes) -> None:
    """Many streams in a message, each of which zlib ends by copying what is behind it."""
    copies = 40_000 // len(unit)
    few, many = seconds(unit, copies), seconds(unit, 16 * copies)
    assert many < 16 * few * 3 + 0.05  # quadratic would be 256 times
