"""`wsdump --listen`: a server to try things out, which sends back what it gets, or plays one that
was recorded."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable
from typing import Any

from websocket._records import Kind, Writer
from websocket.testing import Connection, Server, replay, serve

from .items import plain

__all__ = ["listen"]

_ABNORMAL = 1006
Shown = Callable[["str | bytes"], None]


def listen(args: argparse.Namespace) -> None:
    """Serve until Ctrl+C. Raises OSError when it cannot listen or read the certificate or file, and
    ValueError when the file is no recording."""
    context = None
    if args.cert:
        import ssl

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(args.cert, args.key)
    show = _shower(args.verbose or args.raw)
    options: dict[str, Any] = {
        "ssl": context,
        "subprotocols": args.subprotocols,
        "unix_socket": args.unix,
        "compression": "deflate" if args.compression else None,
        "port": args.listen,
    }
    writer = Writer(args.record, "") if args.record else None
    try:
        if args.replay:
            server: Server = replay(args.replay, speed=1.0, check=False, on_message=show, **options)
        else:
            server = serve(_Echo(show, writer), **options)
        with server:
            print(f"Listening on {server.url} (Press Ctrl+C to quit)", flush=True)
            threading.Event().wait(args.wait)
    finally:
        if writer is not None:
            writer.close()


def _shower(wanted: bool) -> Shown:
    lock = threading.Lock()

    def show(message: str | bytes) -> None:
        if wanted:
            text = message if isinstance(message, str) else repr(message)
            with lock:
                sys.stdout.write(plain(text) + "\n")
                sys.stdout.flush()

    return show


class _Echo:
    """A handler that sends back what it gets, and writes it down if there is a writer."""

    def __init__(self, show: Shown, writer: Writer | None) -> None:
        self._show = show
        self._writer = writer

    def __call__(self, connection: Connection) -> None:
        number = connection.number
        if self._writer is not None:
            self._writer.write("sent", "open", connection=number)
        for message in connection:
            self._show(message)
            if self._writer is not None:
                kind: Kind = "text" if isinstance(message, str) else "binary"
                self._writer.write("sent", kind, message, connection=number)
                self._writer.write("received", kind, message, connection=number)
            connection.send(message)
        if self._writer is not None:
            code, reason = connection.close_code, connection.close_reason or ""
            self._writer.write("sent", "close", b"", code or _ABNORMAL, reason, number)
