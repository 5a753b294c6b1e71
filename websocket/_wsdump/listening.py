"""`wsdump --listen`: a server that sends back what it gets, to try things out."""

from __future__ import annotations

import argparse
import sys
import threading

from websocket.testing import Connection, serve

from .items import plain

__all__ = ["listen"]


def listen(args: argparse.Namespace) -> None:
    """Serve until Ctrl+C. Raises OSError when it cannot listen or read the certificate."""
    context = None
    if args.cert:
        import ssl

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(args.cert, args.key)
    lock = threading.Lock()

    def handler(connection: Connection) -> None:
        for message in connection:
            if args.verbose or args.raw:
                text = message if isinstance(message, str) else repr(message)
                with lock:
                    sys.stdout.write(plain(text) + "\n")
                    sys.stdout.flush()
            connection.send(message)

    with serve(
        handler,
        ssl=context,
        subprotocols=args.subprotocols,
        unix_socket=args.unix,
        compression="deflate" if args.compression else None,
        port=args.listen,
    ) as server:
        print(f"Listening on {server.url} (Press Ctrl+C to quit)", flush=True)
        threading.Event().wait(args.wait)
