"""A short conversation over a real socket, printed: `demo.py [URL]`.

Without a URL it talks to an echo server of its own on a free loopback port.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import time

import websocket

TIMEOUT = 10.0  # seconds, for each step
TEXT = "Hello, WebSocket! Привет, 你好 👋"
BINARY = bytes(range(256)) * 4

_coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def main() -> int:
    parser = argparse.ArgumentParser(description="A short WebSocket conversation, printed.")
    parser.add_argument("url", nargs="?", help="ws:// or wss://; default: a server of its own")
    url: str | None = parser.parse_args().url
    try:
        if url is not None:
            converse(url, "")
        else:
            from websocket.testing import serve

            with serve() as server:
                converse(server.url, " (an echo server in this process)")
    except KeyboardInterrupt:
        return 130
    except (websocket.WebSocketException, OSError, ValueError) as exc:
        sys.stdout.flush()
        what = without_password(url) if url is not None else "the conversation"
        print(f"demo: {what} failed: {' '.join(str(exc).split())}", file=sys.stderr)
        return 1
    return 0


def converse(url: str, remark: str) -> None:
    """Connect, send text and bytes, ping, close; say what happens."""
    print(f"\n  websocket-client {websocket.__version__}")
    print(f"  talking to {without_password(url)}{remark}\n")

    start = time.perf_counter()
    ws = websocket.create_connection(url, timeout=TIMEOUT)
    took = time.perf_counter() - start
    with ws:
        say("connect", f"HTTP status {ws.status}, the connection is open", took)

        exchange(ws, "text", TEXT)
        exchange(ws, "binary", BINARY)

        # A pong comes to whoever reads, so this ping goes out just before another exchange.
        pong = ws.ping("are you there?")
        exchange(ws, "text", "Are you there?")
        say("ping", "the pong came back", pong.wait(TIMEOUT))

        start = time.perf_counter()
        ws.close(1000, "Goodbye")
        took = time.perf_counter() - start
        code = ws.close_code
        if code == 1006:
            say("close", "said 1000, the server hung up without an answer", took)
        else:
            say("close", f"said 1000 Goodbye, the server answered {code}", took)
    print("\n  That was a whole conversation.\n")


def exchange(ws: websocket.WebSocket, kind: str, message: str | bytes) -> None:
    """Send one message, wait for the answer."""
    start = time.perf_counter()
    if isinstance(message, str):
        size = ws.send(message)
    else:
        size = ws.send_bytes(message)
    say("send", f"{kind:7} {shown(message)}, {size} bytes on the wire")
    answer = ws.recv()
    took = time.perf_counter() - start
    if answer == message:
        say("recv", f"{kind:7} the same came back", took)
    else:
        say("recv", f"{'text' if isinstance(answer, str) else 'binary':7} {shown(answer)}", took)


def without_password(url: str) -> str:
    """The URL as it may be shown to others."""
    return re.sub(r"//[^/@]*@", "//...@", url)


def shown(message: str | bytes) -> str:
    """A message, short enough for a line."""
    if isinstance(message, str):
        return f'"{message}"' if len(message) <= 60 else f'"{message[:60]}..."'
    return f"{len(message)} bytes {message[:6].hex(' ')} ..."


def say(verb: str, what: str, seconds: float | None = None) -> None:
    """One line: the verb, what it did and how long it took."""
    took = "" if seconds is None else f"  ({seconds * 1000:.1f} ms)"
    if _coloured:
        verb, took = f"\033[1;36m{verb:8}\033[0m", f"\033[2m{took}\033[0m"
    print(f"  {verb:8} {what}{took}", flush=True)


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Not every terminal can show every character; that must not end the conversation.
        sys.stdout.reconfigure(errors="replace")
    sys.exit(main())
