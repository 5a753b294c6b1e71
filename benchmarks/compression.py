"""What permessage-deflate costs and saves: ratio, time and memory for several settings.

python benchmarks/compression.py [--seconds 1.0]: the tables of docs/compression.md. Times are those
of one thread, per message; bytes are those of the payload, headers aside.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import time
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

from websocket import Deflate
from websocket._protocol.deflate import Deflater, Inflater

NAMES = ("Ada", "Grace", "Edsger", "Barbara", "Donald", "Frances", "Alan", "Radia")
WORDS = (
    *("the", "of", "to", "and", "in", "is", "it", "you", "that", "he", "was", "for", "on", "are"),
    *("with", "as", "his", "they", "at", "be", "this", "from", "have", "or", "by", "one", "had"),
    *("not", "but", "what", "all", "were", "when", "we", "there", "can", "an", "your", "which"),
)


def ticks(chance: random.Random) -> bytes:
    """A market's ticker: many small JSON messages that are alike."""
    price = 30_000 + chance.gauss(0, 300)
    when = f"{chance.randrange(24):02}:{chance.randrange(60):02}:00.{chance.randrange(10**6):06}"
    tick = {
        "type": "ticker",
        "sequence": chance.randrange(10**10),
        "product_id": chance.choice(["BTC-USD", "ETH-USD", "SOL-EUR"]),
        "price": f"{price:.2f}",
        "best_bid": f"{price - 0.01:.2f}",
        "best_ask": f"{price + 0.01:.2f}",
        "side": chance.choice(["buy", "sell"]),
        "time": f"2025-01-01T{when}Z",
        "last_size": f"{chance.random():.8f}",
    }
    return json.dumps(tick).encode()


def chat(chance: random.Random) -> bytes:
    """Sentences of people."""
    return " ".join(chance.choices(WORDS, k=chance.randrange(3, 25))).encode()


def pages(chance: random.Random) -> bytes:
    """JSON documents of some 16 KB."""
    rows = [
        {
            "id": chance.randrange(10**6),
            "name": chance.choice(NAMES),
            "text": " ".join(chance.choices(WORDS, k=12)),
            "score": chance.random(),
            "active": chance.random() < 0.5,
        }
        for _ in range(100)
    ]
    return json.dumps(rows).encode()


def photos(chance: random.Random) -> bytes:
    """What is compressed already."""
    return chance.randbytes(16_384)


KINDS: tuple[tuple[str, Callable[[random.Random], bytes], int], ...] = (
    ("ticker, 230 bytes", ticks, 2000),
    ("chat, 60 bytes", chat, 2000),
    ("JSON, 16 KB", pages, 60),
    ("random, 16 KB", photos, 60),
)
SETTINGS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("the default", {}),
    ("level 1", {"level": 1}),
    ("level 9", {"level": 9}),
    ("window 9, mem_level 1", {"client_max_window_bits": 9, "mem_level": 1}),
    ("window 10, mem_level 3", {"client_max_window_bits": 10, "mem_level": 3}),
    ("window 15, mem_level 8 (zlib's own)", {"client_max_window_bits": 15, "mem_level": 8}),
    ("window 15, mem_level 9, level 9", {"client_max_window_bits": 15, "mem_level": 9, "level": 9}),
    ("no context takeover", {"client_no_context_takeover": True}),
)


def halves(settings: dict[str, Any]) -> tuple[Inflater, Deflater]:
    """Both ends of the direction in which we send."""
    _, deflater = Deflate(**settings).agree("permessage-deflate")
    alone = "; server_no_context_takeover" if settings.get("client_no_context_takeover") else ""
    inflater, _ = Deflate().agree("permessage-deflate" + alone)
    return inflater, deflater


def squeeze(deflater: Deflater, messages: list[bytes]) -> list[bytes]:
    """The messages as they travel."""
    return [deflater.deflate(message, True, True) or b"" for message in messages]


def measure(messages: list[bytes], settings: dict[str, Any], seconds: float) -> tuple[float, ...]:
    """Ratio in percent, microseconds for a message out and in; the best that `seconds` gave."""
    best_out = best_in = 1e9
    until = time.monotonic() + seconds
    while True:
        inflater, deflater = halves(settings)
        began = time.process_time()
        squeezed = squeeze(deflater, messages)
        best_out = min(best_out, time.process_time() - began)
        began = time.process_time()
        for payload in squeezed:
            inflater.inflate(payload, True, None)
        best_in = min(best_in, time.process_time() - began)
        if time.monotonic() > until:
            break
    ratio = 100 * sum(map(len, squeezed)) / sum(map(len, messages))
    return ratio, 1e6 * best_out / len(messages), 1e6 * best_in / len(messages)


def memory(settings: dict[str, Any], messages: list[bytes]) -> tuple[float, float]:
    """KiB that a deflater and an inflater hold between messages, after some use."""
    found: list[float] = []
    squeezed = squeeze(halves(settings)[1], messages)
    tracemalloc.start()
    for index in (1, 0):
        before = tracemalloc.get_traced_memory()[0]
        kept = [halves(settings)[index] for _ in range(20)]
        for half in kept:
            if isinstance(half, Deflater):
                squeeze(half, messages)
            else:
                for payload in squeezed:
                    half.inflate(payload, True, None)
        found.append((tracemalloc.get_traced_memory()[0] - before) / len(kept) / 1024)
        del kept
    tracemalloc.stop()
    return found[0], found[1]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each row")
    seconds = parser.parse_args().seconds
    print(f"Python {platform.python_version()}, zlib {zlib.ZLIB_RUNTIME_VERSION}")
    for name, make, count in KINDS:
        chance = random.Random(1)
        messages = [make(chance) for _ in range(count)]
        print(f"\n{name}\n\n| Setting | Size | Sending | Receiving |\n| :-- | --: | --: | --: |")
        for title, settings in SETTINGS:
            ratio, out, back = measure(messages, settings, seconds)
            print(f"| {title} | {ratio:.0f} % | {out:.1f} us | {back:.1f} us |")
    print("\nmemory\n\n| Setting | Sending | Receiving |\n| :-- | --: | --: |")
    chance = random.Random(1)
    some = [pages(chance) for _ in range(5)]
    for title, settings in SETTINGS:
        out, back = memory(settings, some)
        print(f"| {title} | {out:.0f} KiB | {back:.0f} KiB |")


if __name__ == "__main__":
    main()
