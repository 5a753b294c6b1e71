"""The program that the guards count: `python counted.py KIND COUNT URL AUTHORITY`.

It warms up, does COUNT messages more, and leaves without saying goodbye. What a message costs is
the difference between two runs, so that starting and connecting do not count.
"""

import os
import sys
from itertools import repeat

import websocket

_WARM = 64  # messages


def main() -> None:
    kind, count, url, authority = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    options = {"ca_certs": authority} if url.startswith("wss:") else {}
    ws = websocket.create_connection(url, timeout=50, sslopt=options)
    for times in (_WARM, count):
        if kind == "echo":
            for _ in repeat(None, times):
                ws.send("x" * 32)
                ws.recv()
        elif kind == "send":
            for _ in repeat(None, times):
                ws.send("x" * 32)
        else:
            for _ in repeat(None, times):
                ws.recv()
    print(websocket.backend(), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
