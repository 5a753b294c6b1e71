"""How the programs and their test talk: values as lines of JSON."""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

PATIENCE = 30.0

arguments: dict[str, Any] = json.loads(sys.argv[1])

_lock = threading.Lock()


def say(value: object) -> None:
    """To the test; from any thread."""
    with _lock:
        print(json.dumps(value), flush=True)


def told() -> Any:
    """What the test says next."""
    return json.loads(sys.stdin.readline())
