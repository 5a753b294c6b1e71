"""Promise: masking is the XOR of RFC 6455 5.3 at every size, for every kind of bytes, and the keys
come from the system's random source, each used once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings, strategies as st

from websocket._wire import masking
from websocket._wire.masking import fresh_key, mask

CROSSING = masking._CROSSING
CHUNK = masking._STRIDE_CHUNK
SIZES = sorted(
    {*range(20), *range(CROSSING - 5, CROSSING + 9)}
    | {chunks * CHUNK + off for chunks in (1, 2) for off in range(-5, 6)}
)


def naive(key: bytes, data: bytes) -> bytes:
    return bytes(byte ^ key[at & 3] for at, byte in enumerate(data))


@pytest.mark.parametrize("size", SIZES)
def test_masking_is_xor_around_every_crossing(size: int) -> None:
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    key = b"\x00\x5a\xff\x81"
    expected = naive(key, data)
    for same in (data, bytearray(data), memoryview(data), memoryview(bytearray(data))):
        masked = mask(key, same)
        assert masked == expected
        assert bytes(same) == data  # what was given is left alone
    assert mask(key, mask(key, data)) == data


@settings(deadline=None)
@given(st.binary(min_size=4, max_size=4), st.binary(max_size=2 * CROSSING))
def test_masking_is_xor_for_any_key(key: bytes, data: bytes) -> None:
    assert mask(key, data) == naive(key, data)


@settings(deadline=None)
@given(st.binary(min_size=4, max_size=4), st.binary(max_size=64), st.binary(max_size=64))
def test_a_payload_can_be_masked_in_pieces(key: bytes, first: bytes, second: bytes) -> None:
    """The second piece goes on with the key turned by the length of the first."""
    turn = len(first) % 4
    turned = key[turn:] + key[:turn]
    assert bytes(mask(key, first)) + mask(turned, second) == mask(key, first + second)


# --- keys -----------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _empty_pool() -> None:  # pyright: ignore[reportUnusedFunction]
    masking._keys.clear()


def test_keys_come_from_the_system_in_bulk_and_each_is_used_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    supply = iter(range(10**6))

    def urandom(size: int) -> bytes:
        asked.append(size)
        return b"".join(next(supply).to_bytes(4, "big") for _ in range(size // 4))

    monkeypatch.setattr(os, "urandom", urandom)
    keys = [fresh_key() for _ in range(1000)]
    assert {len(key) for key in keys} == {4}
    assert len(set(keys)) == 1000
    assert 0 < len(asked) < 20
    assert sum(asked) <= 4 * (1000 + masking._KEYS_AT_A_TIME)


def test_threads_never_get_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = threading.Lock()
    supply = iter(range(10**6))

    def urandom(size: int) -> bytes:
        with lock:
            return b"".join(next(supply).to_bytes(4, "big") for _ in range(size // 4))

    monkeypatch.setattr(os, "urandom", urandom)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        found: list[list[bytes]] = [[] for _ in range(4)]
        start = threading.Barrier(4)

        def draw(mine: list[bytes]) -> None:
            start.wait()
            mine.extend(fresh_key() for _ in range(3000))

        threads = [threading.Thread(target=draw, args=(mine,)) for mine in found]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    keys = [key for mine in found for key in mine]
    assert len(set(keys)) == len(keys) == 12000


FORKING = """
import os, sys
from websocket._wire.masking import fresh_key
fresh_key()  # the pool is full now
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    os.write(writing, b"".join(fresh_key() for _ in range(255)))
    os._exit(0)
os.close(writing)
theirs = b""
while data := os.read(reading, 4096):
    theirs += data
os.waitpid(child, 0)
ours = {fresh_key() for _ in range(255)}
assert len(theirs) == 4 * 255
# Of 255 and 255 random keys a single one is common once in 66,000 runs; two, never.
assert len(ours & {theirs[at:at + 4] for at in range(0, len(theirs), 4)}) < 2
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_does_not_use_its_parents_keys() -> None:
    subprocess.run(
        [sys.executable, "-c", FORKING],
        check=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
