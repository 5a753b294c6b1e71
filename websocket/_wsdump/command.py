"""The command: which display, which conversation, and the exit status of each ending.

Exit status: 0 the end, 1 no connection or not what was asked for, 2 usage, 3 an abnormal close that
ended the program. One line on stderr says why and what to do.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from websocket import WebSocketException, enableTrace

from .arguments import parse
from .classic import Classic
from .completion import completion
from .counting import Meter
from .doctor import examine
from .items import plain
from .manual import manual
from .recording import Tape
from .replaying import Replay
from .screen import Screen
from .talking import Display, Talk, Watcher, one_line

try:
    import readline  # also gives input() editing and history
except ImportError:  # where the system has none
    _readline: ModuleType | None = None
else:
    _readline = readline

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    args = parse(argv)
    if args.verbose > 1:
        enableTrace(True)
    try:
        if args.completion or args.man:
            return _print(completion(args.completion) if args.completion else manual())
        if args.doctor:
            return examine(args)
        if args.listen is not None:
            from .listening import listen

            listen(args)
            return 0
        return talk(args).run()
    except KeyboardInterrupt:
        return 0
    except (WebSocketException, OSError) as exc:
        return _complain(exc, 1)
    except (ValueError, TypeError) as exc:
        return _complain(exc, 2)


def talk(args: argparse.Namespace) -> Talk:
    """The conversation, and who listens to it. Raises OSError and ValueError for the files that it
    is replayed from and recorded to."""
    shown = display(args)
    replay = Replay(args.replay) if args.replay else None
    watchers: list[Watcher] = []
    if args.record:
        watchers.append(Tape(args.record, args.url, shown.note))
    if args.stats:
        watchers.append(Meter(shown.status))
    return Talk(args, shown, watchers, replay)


def display(args: argparse.Namespace) -> Display:
    """The screen on a terminal, unless another output was asked for or it cannot be."""
    terminal = sys.stdout.isatty() and not os.environ.get("WSDUMP_CLASSIC")
    if not terminal or args.raw or os.environ.get("TERM", "dumb") == "dumb":
        return Classic(args, safe=terminal)
    if args.replay or not sys.stdin.isatty():
        return Screen(args, None)
    return Screen(args, _readline) if _readline is not None else Classic(args, safe=True)


def _print(text: str) -> int:
    sys.stdout.write(text)
    return 0


def _complain(exc: Exception, status: int) -> int:
    print(f"wsdump: {plain(one_line(exc), '')}", file=sys.stderr)
    return status
