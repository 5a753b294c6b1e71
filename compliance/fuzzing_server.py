"""Runs the suite's fuzzing server for as long as the harness that started it lives.

Started with the suite's own interpreter. Standard input is a pipe from the harness: its end, which
comes however the harness ends, ends the server too.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading


def main() -> None:
    """Serve by the specification file of the command line."""

    def follow() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=follow, daemon=True).start()
    sys.argv[1:] = ["-m", "fuzzingserver", "-s", sys.argv[1], "-u", "0"]
    importlib.import_module("autobahntestsuite.wstest").run()


if __name__ == "__main__":
    main()
