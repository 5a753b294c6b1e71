"""Promise: whatever window was agreed, we keep to it, and read all that keeps to it.

What we send is judged by an inflate of its own (RFC 1951, below), which measures how far a stream
looks back; what we read is made by zlib, used by itself.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from websocket import Deflate
from websocket._protocol.deflate import Deflater, Inflater, answer_offers

TAIL = b"\x00\x00\xff\xff"
BITS = range(8, 16)


# --- RFC 1951, as slow as it is short -------------------------------------------------------------

LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115]
LENGTHS += [131, 163, 195, 227, 258]
LENGTH_BITS = [0] * 8 + [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4 + [5] * 4 + [0]
DISTANCES = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025]
DISTANCES += [1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577]
DISTANCE_BITS = [0, 0, 0, 0, *(n // 2 for n in range(2, 28))]
ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]


class Reader:
    """Inflates a raw stream that is cut between two blocks, and notes the longest look back."""

    def __init__(self, data: bytes):
        self.data = data
        self.position = 0  # in bits
        self.output = bytearray()
        self.furthest = 0
        while self.position + 3 <= 8 * len(data):
            final, kind = self.bits(1), self.bits(2)
            if kind == 0:
                self.stored()
            else:
                self.compressed(*(self.fixed() if kind == 1 else self.dynamic()))
            if final:
                break

    def bits(self, count: int) -> int:
        value = 0
        for place in range(count):
            byte = self.data[self.position >> 3]
            value |= (byte >> (self.position & 7) & 1) << place
            self.position += 1
        return value

    def stored(self) -> None:
        begin = (self.position + 7) // 8
        length = int.from_bytes(self.data[begin : begin + 2], "little")
        assert length ^ 0xFFFF == int.from_bytes(self.data[begin + 2 : begin + 4], "little")
        self.output += self.data[begin + 4 : begin + 4 + length]
        self.position = 8 * (begin + 4 + length)

    @staticmethod
    def codes(lengths: list[int]) -> dict[tuple[int, int], int]:
        """(length, code) -> symbol (RFC 1951 3.2.2)."""
        found: dict[tuple[int, int], int] = {}
        code = 0
        for length in range(1, 16):
            for symbol, wanted in enumerate(lengths):
                if wanted == length:
                    found[length, code] = symbol
                    code += 1
            code <<= 1
        return found

    def fixed(self) -> tuple[dict[tuple[int, int], int], dict[tuple[int, int], int]]:
        return self.codes([8] * 144 + [9] * 112 + [7] * 24 + [8] * 8), self.codes([5] * 30)

    def dynamic(self) -> tuple[dict[tuple[int, int], int], dict[tuple[int, int], int]]:
        literals, far, count = self.bits(5) + 257, self.bits(5) + 1, self.bits(4) + 4
        lengths = [0] * 19
        for symbol in ORDER[:count]:
            lengths[symbol] = self.bits(3)
        code, all_lengths = self.codes(lengths), []
        while len(all_lengths) < literals + far:
            symbol = self.symbol(code)
            if symbol < 16:
                all_lengths.append(symbol)
            elif symbol == 16:
                all_lengths += [all_lengths[-1]] * (3 + self.bits(2))
            else:
                all_lengths += [0] * (3 + self.bits(3) if symbol == 17 else 11 + self.bits(7))
        return self.codes(all_lengths[:literals]), self.codes(all_lengths[literals:])

    def symbol(self, code: dict[tuple[int, int], int]) -> int:
        value = 0
        for length in range(1, 16):
            value = value << 1 | self.bits(1)
            if (length, value) in code:
                return code[length, value]
        raise AssertionError("no such code")

    def compressed(
        self, literals: dict[tuple[int, int], int], far: dict[tuple[int, int], int]
    ) -> None:
        while (symbol := self.symbol(literals)) != 256:
            if symbol < 256:
                self.output.append(symbol)
                continue
            length = LENGTHS[symbol - 257] + self.bits(LENGTH_BITS[symbol - 257])
            kind = self.symbol(far)
            distance = DISTANCES[kind] + self.bits(DISTANCE_BITS[kind])
            self.furthest = max(self.furthest, distance)
            for _ in range(length):
                self.output.append(self.output[-distance])


# --- what we send ---------------------------------------------------------------------------------


def messages(seed: int, total: int) -> Iterator[bytes]:
    """Messages that repeat what was said from 1 to 40,000 bytes ago."""
    chance = random.Random(seed)
    said = bytearray(chance.randbytes(300))
    yield bytes(said)
    while len(said) < total:
        parts = bytearray()
        for _ in range(chance.randrange(1, 20)):
            back = min(len(said), int(2 ** chance.uniform(3, 15.3)))
            parts += said[-back:][: chance.randrange(3, 300)]
            parts += chance.randbytes(chance.randrange(5))
        said += parts
        yield bytes(parts)


def halves(bits: int, level: int, mem_level: int) -> Iterator[Deflater]:
    """The compressor that results from each way of agreeing on `bits`."""
    settings: dict[str, Any] = {"level": level, "mem_level": mem_level}
    answer = f"permessage-deflate; client_max_window_bits={bits}"
    yield Deflate(client_max_window_bits=15, **settings).agree(answer)[1]
    yield Deflate(client_max_window_bits=bits, **settings).agree("permessage-deflate")[1]
    offer = f"permessage-deflate; server_max_window_bits={bits}"
    answered = answer_offers(offer, Deflate(server_max_window_bits=15, **settings))
    assert answered is not None
    yield answered[2]


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize(("level", "mem_level"), [(6, 5), (1, 9), (9, 1)])
def test_we_never_look_back_further_than_agreed(bits: int, level: int, mem_level: int) -> None:
    """With 8 bits, too, which zlib has no compressor for."""
    for deflater in halves(bits, level, mem_level):
        stream, said = b"", b""
        for message in messages(bits, 30_000):
            squeezed = deflater.deflate(message, True, True)
            assert squeezed is not None
            stream += squeezed + TAIL
            said += message
        reader = Reader(stream)
        assert reader.output == said
        assert 0 < reader.furthest <= 2**bits
        assert len(stream) < len(said)


@pytest.mark.parametrize("bits", BITS)
def test_a_peer_of_that_window_reads_us(bits: int) -> None:
    """zlib's decompressor with the window that was agreed, its output asked for in bits and pieces
    so that the window counts."""
    for deflater in halves(bits, 6, 5):
        peer = zlib.decompressobj(-bits)
        for message in messages(bits + 100, 60_000):
            squeezed = deflater.deflate(message, True, True)
            assert squeezed is not None
            read, rest = b"", squeezed + TAIL
            while piece := peer.decompress(rest, 50):
                read, rest = read + piece, peer.unconsumed_tail
            assert read == message


# --- what we read ---------------------------------------------------------------------------------


def inflaters(bits: int) -> Iterator[Inflater]:
    yield Deflate().agree(f"permessage-deflate; server_max_window_bits={bits}")[0]
    yield Deflate(bits).agree(f"permessage-deflate; server_max_window_bits={bits}")[0]
    offer = f"permessage-deflate; client_max_window_bits={bits}"
    answered = answer_offers(offer, Deflate(client_max_window_bits=bits))
    assert answered is not None
    yield answered[1]


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("level", [1, 6, 9])
def test_we_read_peers_of_every_window(bits: int, level: int) -> None:
    for inflater in inflaters(bits):
        peer = zlib.compressobj(level, zlib.DEFLATED, -max(bits, 9))
        for message in messages(bits + 200, 60_000):
            squeezed = peer.compress(message) + peer.flush(zlib.Z_SYNC_FLUSH)
            assert squeezed.endswith(TAIL)
            assert inflater.inflate(squeezed[:-4], True, len(message)) == message


@pytest.mark.parametrize("bits", [8, 9])
def test_a_peer_that_makes_512_bytes_where_256_were_agreed_is_read(bits: int) -> None:
    """zlib did that silently until 1.2.9, and node does it still: 8 becomes 9."""
    for inflater in inflaters(bits):
        noise = random.Random(1).randbytes(500)
        # Stored; then, in fixed codes (RFC 1951 3.2.5), three bytes from 400 bytes back: length
        # code 257, distance code 17 and 15 more, end of block; behind it begins an empty block.
        stored = b"\x00" + len(noise).to_bytes(2, "little")
        stored += (0xFFFF ^ len(noise)).to_bytes(2, "little") + noise
        match = "010" + "0000001" + "10001" + "1111000" + "0000000" + "000"
        payload = stored + int(match[::-1], 2).to_bytes(4, "little")
        assert Reader(payload + TAIL).furthest == 400
        assert inflater.inflate(payload, True, None) == noise + noise[100:103]
