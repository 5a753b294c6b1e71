"""One measurement in a process of its own: `python worker.py JSON` prints JSON.

CPU time of this process, all threads, divided by the messages of the last batch. Batches double
until one of them takes long enough; those before it are the warm-up.
"""

from __future__ import annotations

import json
import os
import sys
import time
import tracemalloc
from importlib import import_module

from clients import Client
from rows import Row

_IDLE = 100  # connections
_PATIENCE = 3.0  # seconds by the clock for a batch: whoever needs them is slow enough


def cpu_per_message(client: Client, seconds: float) -> float:
    """Seconds of CPU per message, from a batch that took about `seconds`."""
    count = 1
    client.run(count)  # what is imported or made at the first use is not a message's cost
    while True:
        clock, cpu = time.monotonic(), time.process_time()
        done = client.run(count)
        cpu, clock = time.process_time() - cpu, time.monotonic() - clock
        if cpu >= seconds / 2 or clock >= _PATIENCE / 2:
            return cpu / done
        count *= 2


def bytes_per_connection(client: Client) -> float:
    """Bytes of Python's memory that an open connection holds on to."""
    held = [client.connect()]
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    held += [client.connect() for _ in range(_IDLE)]
    return (tracemalloc.get_traced_memory()[0] - before) / _IDLE


def main() -> None:
    """Measure what the argument describes."""
    said = json.loads(sys.argv[1])
    module, _, name = said["client"].partition(":")
    row = Row(*said["row"])
    client: Client = getattr(import_module(module), name)(row, said["url"], said["authority"])
    if row.kind == "idle":
        measured = bytes_per_connection(client)
    else:
        measured = cpu_per_message(client, said["seconds"])
    print(json.dumps(measured), flush=True)
    os._exit(0)  # a closing handshake could only wait: the server of a flood does not look for it


if __name__ == "__main__":
    main()
