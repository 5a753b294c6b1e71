"""`wsdump --doctor`: the way to a server examined, as text or, with --json, as JSON."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys

import websocket

from .arguments import options_of
from .items import plain

__all__ = ["examine"]

_COLOURS = {"ok": 32, "warning": 33, "failed": 31, "skipped": 2}
_OUTCOME = re.compile(rf"^(  \w+ +)({'|'.join(_COLOURS)})\b", re.MULTILINE)


def examine(args: argparse.Namespace) -> int:
    """Examine and print; 0 if the server can be talked to, else 1. Raises ValueError."""
    found = websocket.explain(args.url, **options_of(args))
    text = json.dumps(found.as_dict(), indent=2) if args.json else plain(str(found))
    encoding = sys.stdout.encoding or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    if sys.stdout.isatty() and not args.json and not os.environ.get("NO_COLOR"):
        text = _OUTCOME.sub(lambda m: f"{m[1]}\033[{_COLOURS[m[2]]}m{m[2]}\033[0m", text)
    sys.stdout.write(text + "\n")
    return 0 if found.ok else 1
