"""The command line: `wsdump URL` prints what a server sends, and sends what is typed.

    wsdump ws://127.0.0.1:8080/            talk
    wsdump --raw wss://example.com/feed    only what the server sends, line by line, for pipes

Exit status: 0 the end, 1 no connection (one line on stderr says why and what to do), 2 usage.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

from websocket import ABNF, WebSocket, WebSocketException, create_connection, enableTrace

__all__ = ["main"]

_DATA = (ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY)
_GZIP = b"\x1f\x8b"


def parser() -> argparse.ArgumentParser:
    """What the command line may say."""
    result = argparse.ArgumentParser(prog="wsdump", description="WebSocket Simple Dump Tool")
    add = result.add_argument
    add("url", metavar="ws_url", help="websocket url. ex. ws://echo.websocket.events/")
    add("-p", "--proxy", help="proxy url. ex. http://127.0.0.1:8080")
    add("-v", "--verbose", nargs="?", default=0, dest="verbose", action=_Verbosity,
        help="say what kind each item is; twice or more: trace the exchange on stderr")  # fmt: skip
    add("-n", "--nocert", action="store_true", help="ignore invalid SSL certificates")
    add("-r", "--raw", action="store_true", help="raw output: one item a line, no prompt")
    add("-s", "--subprotocols", nargs="*", help="subprotocols to ask for")
    add("-o", "--origin", help="value of the Origin header")
    add("--eof-wait", default=0, type=int, help="seconds to stay after the end of stdin")
    add("-t", "--text", help="text to send right after connecting")
    add("--timings", action="store_true", help="put the seconds since the start before each line")
    add("--headers", help="headers, separated by commas. ex. 'X-A: 1,X-B: 2'")
    return result


class _Verbosity(argparse.Action):
    """-v, -vv, -vvv or -v N."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        given = "1" if values is None else str(values)
        try:
            level = int(given)
        except ValueError:
            if given.strip("v"):
                parser.error(f"argument -v: {given!r} is not a level, expected -v, -vv or -v N")
            level = given.count("v") + 1
        setattr(namespace, self.dest, level)


def sslopt_of(args: argparse.Namespace) -> dict[str, Any]:
    """The TLS options that the arguments ask for."""
    if not args.nocert:
        return {}
    import ssl

    return {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}


def proxy_of(args: argparse.Namespace) -> dict[str, Any]:
    """The proxy options that the arguments ask for."""
    if not args.proxy:
        return {}
    url = urlsplit(args.proxy if "//" in args.proxy else f"http://{args.proxy}")
    auth = (unquote(url.username), unquote(url.password or "")) if url.username else None
    return {
        "http_proxy_host": url.hostname,
        "http_proxy_port": url.port,
        "http_proxy_auth": auth,
        "proxy_type": url.scheme,
    }


class Console:
    """Where items are shown: with a prompt that is drawn again behind each, or raw."""

    def __init__(self, raw: bool):
        self.raw = raw
        self._lock = threading.Lock()

    def show(self, text: str) -> None:
        """Show one item; any thread."""
        with self._lock:
            if self.raw:
                sys.stdout.write(text + "\n")
            else:
                # clear the line, go to the next, blue, default colour, and the prompt again
                sys.stdout.write(f"\033[2K\033[E\033[34m< {text}\033[39m\n> ")
            sys.stdout.flush()

    def read(self) -> str:
        """One line of stdin; raises EOFError at its end."""
        return input("" if self.raw else "> ")


def receive(ws: WebSocket) -> tuple[int, bytes]:
    """The next frame, pings and closes answered; a lost connection looks like a close."""
    try:
        frame = ws.recv_frame()
        if frame.opcode == ABNF.OPCODE_CLOSE:
            ws.send_close()
            return frame.opcode, b""
        if frame.opcode == ABNF.OPCODE_PING:
            ws.pong(frame.data)
        return frame.opcode, frame.data
    except (WebSocketException, OSError):
        return ABNF.OPCODE_CLOSE, b""


def text_of(opcode: int, data: bytes) -> str:
    """How an item is shown: text as it is, bytes as Python writes them, unpacked if that works."""
    if opcode == ABNF.OPCODE_TEXT:
        return data.decode(errors="replace")
    if opcode == ABNF.OPCODE_CLOSE:
        return ""
    if opcode == ABNF.OPCODE_BINARY:
        with suppress(OSError, EOFError, zlib.error, UnicodeDecodeError):
            if data[:2] == _GZIP:
                return "[gzip] " + gzip.decompress(data).decode()
            return "[zlib] " + zlib.decompress(data, -zlib.MAX_WBITS).decode()
    return repr(data)


def show_all(ws: WebSocket, console: Console, verbose: int, stamp: Callable[[], str]) -> None:
    """Show what comes until the connection ends."""
    opcode = None
    while opcode != ABNF.OPCODE_CLOSE:
        opcode, data = receive(ws)
        text = text_of(opcode, data)
        if verbose:
            console.show(f"{stamp()}{ABNF.OPCODE_MAP[opcode]}: {text}")
        elif opcode in _DATA:
            console.show(stamp() + text)


def connect(args: argparse.Namespace) -> WebSocket:
    """The connection that the arguments describe."""
    return create_connection(
        args.url,
        sslopt=sslopt_of(args),
        origin=args.origin,
        subprotocols=args.subprotocols,
        header=[line.strip() for line in args.headers.split(",")] if args.headers else None,
        **proxy_of(args),
    )


def talk(ws: WebSocket, args: argparse.Namespace) -> None:
    """Send the lines of stdin until it ends, while a thread shows what comes."""
    start = time.time()
    console = Console(args.raw)
    if not args.raw:
        print("Press Ctrl+C to quit", flush=True)
    stamp = (lambda: f"{time.time() - start:.5f}: ") if args.timings else str
    shower = threading.Thread(target=show_all, args=(ws, console, args.verbose, stamp), daemon=True)
    shower.start()
    if args.text:
        ws.send(args.text)
    try:
        while True:
            ws.send(console.read())
    except EOFError:
        time.sleep(args.eof_wait)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    args = parser().parse_args(argv)
    if args.verbose > 1:
        enableTrace(True)
    with suppress(ImportError):
        __import__("readline")  # editing and history for input(), where the system has it
    try:
        talk(connect(args), args)
    except KeyboardInterrupt:
        return 0
    except (WebSocketException, OSError, ValueError) as exc:
        print(f"wsdump: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
