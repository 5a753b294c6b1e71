"""A process that measures one library in one row: `python worker.py JSON`, then orders on stdin.

Each order is a line, and so is each answer, both JSON: {"order": "batch", "seconds": 0.2, "depth":
5} and {"cpu": ..., "wall": ..., "count": ...}. CPU time is that of this process, all threads.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
import tracemalloc
from collections.abc import Callable
from importlib import import_module
from typing import Any

import memory
from clients import Client
from cores import keep_off_the_server
from many import group_for
from rows import Row

_GROUPS = ("spread", "polled", "burst")


class Measurement:
    """A client at work; remembers how many messages take about as long as a batch shall."""

    def __init__(self, task: dict[str, Any]):
        said = dict(task["row"])
        said["goal"] = None
        self.row = Row(**said)
        self.library = task["library"]
        module, _, name = task["client"].partition(":")
        make = getattr(import_module(module), name)
        import_module(task["module"])  # all processes of a row start at once: on any core
        if not self.row.has_two_at_work:
            keep_off_the_server()
        self.client: Client = make(self.row, task["url"], task["authority"])
        self.count = 1
        self.group: Any = None
        if self.row.kind in _GROUPS:
            self.group = group_for(self.library, self.client, self.row, task["url"])

    def batch(self, seconds: float) -> dict[str, Any]:
        """CPU and clock of a batch that takes about so long, by the clock."""
        if self.group is not None:
            return self._once(self.group.run, max(1, int(seconds * 50)) * self.row.count)
        if self.row.heavy:
            return self._once(self.client.run, 1)
        total = 0
        if self.count == 1:
            total = self.client.run(1)  # what the first use imports or makes is no message's cost
        while True:
            told = self._once(self.client.run, self.count)
            total = told["total"] = total + told["count"]
            wall = float(told["wall"])
            if wall >= seconds * 0.6:
                self.count = max(1, round(self.count * min(1.0, seconds / wall)))
                return told
            self.count = max(self.count + 1, int(self.count * min(16, seconds / max(wall, 1e-6))))

    def times(self, seconds: float) -> dict[str, Any]:
        """Seconds by the clock of single exchanges."""
        count = max(5, min(self.count, int(self.count * seconds)))
        return {"times": self.client.times(count)}

    def burst(self, seconds: float) -> dict[str, Any]:
        """Seconds from the start of a burst until each of its messages was here."""
        self.group.run(max(3, int(seconds * 60)) * self.row.count)
        return {"times": self.group.latencies}

    def idle(self, seconds: float) -> dict[str, Any]:
        """What so many open connections hold, all together, and the threads they need."""
        held = [self.client.connect()]
        before = memory.allocated(), memory.resident(), memory.threads()
        held += [self.client.connect() for _ in range(self.row.count)]
        time.sleep(0.05)  # a library's threads come to rest
        after = memory.allocated(), memory.resident(), memory.threads()
        grown = [now - then for now, then in zip(after, before, strict=True)]
        return {"bytes": grown[0], "resident": grown[1], "threads": grown[2], "held": len(held)}

    def traced(self, seconds: float) -> dict[str, Any]:
        """What Python has allocated for them, as tracemalloc counts it: not what C has."""
        held = [self.client.connect()]
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        held += [self.client.connect() for _ in range(self.row.count)]
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        return {"bytes": after - before, "held": len(held)}

    def peak(self, seconds: float) -> dict[str, Any]:
        """The most resident bytes while a message is received, beyond those from before."""
        before = memory.resident()
        memory.forget_peak()
        self.client.run(1)
        return {"bytes": memory.peak() - before}

    def _once(self, run: Callable[[int], int], count: int) -> dict[str, Any]:
        cpu, wall = time.process_time(), time.perf_counter()
        done = run(count)
        return {
            "cpu": time.process_time() - cpu,
            "wall": time.perf_counter() - wall,
            "count": done,
        }


def deeper(depth: int, call: Callable[[float], dict[str, Any]], seconds: float) -> dict[str, Any]:
    """Call it so many frames down.

    CPython 3.11 keeps frames in chunks of 16 KiB; a loop that crosses an edge with each call runs
    many times slower. Another depth is another place in the chunk.
    """
    return deeper(depth - 1, call, seconds) if depth else call(seconds)


def main() -> None:
    """Serve orders until standard input ends."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    measurement = Measurement(json.loads(sys.argv[1]))
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        call = getattr(measurement, order["order"])
        told = deeper(order["depth"], call, order["seconds"])
        print(json.dumps(told), file=answers, flush=True)
    os._exit(0)  # a closing handshake could only wait: the server of a flood does not look for it


if __name__ == "__main__":
    main()
