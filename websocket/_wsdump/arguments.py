"""What the command line may say, and what it means for the connection."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

__all__ = ["make_parser", "options_of", "parse"]

_Number = TypeVar("_Number", int, float)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments, checked; ends the program with status 2 and the usage if they are wrong."""
    parser = make_parser()
    args = parser.parse_args(argv)
    if args.url is None:
        _find_url(args)
    alone = args.listen is not None or args.completion or args.man
    if args.url is None and not alone:
        parser.error("the following arguments are required: ws_url")
    try:
        args.verbose = _level(args.verbose)
    except ValueError:
        parser.error(f"argument -v: {args.verbose!r} is not a level, expected -v, -vv or -v N")
    if args.key and not args.cert:
        parser.error("argument --key: it belongs to a certificate, which --cert names")
    if args.stats and args.listen is not None:
        parser.error("argument --stats: it is for a client, not for --listen")
    if args.record and args.replay and args.listen is not None:
        parser.error("argument --record: a server that replays has nothing to record")
    return args


def make_parser() -> argparse.ArgumentParser:
    """All options, in the groups in which they are shown."""
    result = argparse.ArgumentParser(
        prog="wsdump",
        description="Prints what a WebSocket server sends, and sends what is typed.",
    )
    add = result.add_argument
    add("url", metavar="ws_url", nargs="?", help="where to connect, as ws://127.0.0.1:8080/path")
    add("-p", "--proxy", metavar="URL", help="http, https or socks5h://user:password@host:port")
    add("-v", "--verbose", nargs="?", default="0", const="1", action=_Verbosity, metavar="N",
        help="say what kind each item is; -vv: trace the exchange on stderr")  # fmt: skip
    add("-n", "--nocert", action="store_true", help="do not verify the server's certificate")
    add("-r", "--raw", action="store_true", help="one item a line, no prompt, no colours")
    add("-s", "--subprotocols", nargs="*", metavar="NAME", help="subprotocols to ask for")
    add("-o", "--origin", help="value of the Origin header")
    add("--eof-wait", default=0, type=int, metavar="SECONDS", help="to stay after the end of stdin")
    add("-t", "--text", help="a text to send right after connecting")
    add("--timings", action="store_true", help="put the seconds since the start before each line")
    add("--headers", metavar="LINES", help="header lines with commas between: 'X-A: 1,X-B: 2'")
    _add_connecting(result.add_argument_group("connecting"))
    _add_talking(result.add_argument_group("talking"))
    _add_helping(result.add_argument_group("help"))
    return result


def _add_connecting(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--header", action="append", default=[], type=_header, metavar="LINE",
        help="a header line, 'Name: value'; may be repeated")  # fmt: skip
    add("--auth", type=_credentials, metavar="USER:PASSWORD", help="Basic authentication")
    add("--cookie", metavar="'A=1; B=2'", help="cookies to send")
    add("--ca", metavar="PATH", help="file or directory of the CAs to trust instead")
    add("--cert", metavar="FILE", help="our certificate (with --listen: the server's)")
    add("--key", metavar="FILE", help="its key, if that is not in the same file")
    add("--pin", metavar="SHA256", help="accept only the certificate with this fingerprint")
    add("--unix", metavar="PATH", help="connect to this unix socket")
    add("--address", type=_address, metavar="HOST:PORT", help="dial this, not what the URL names")
    add("--timeout", type=_positive(float), metavar="SECONDS", help="for connecting")
    add("--compression", action="store_true", help="offer permessage-deflate")
    add("--ping-interval", type=_positive(float), metavar="SECONDS",
        help="send pings; without an answer until the next it is lost")  # fmt: skip
    add("--reconnect", action="store_true", help="connect again whenever the connection ends")


def _add_talking(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--binary", action="store_true", help="send lines of stdin as binary messages")
    add("--json", action="store_true", help="show texts that are JSON indented")
    add("--count", type=_positive(int), metavar="N", help="exit after so many messages")
    add("--wait", type=_positive(float), metavar="SECONDS", help="exit after this time")
    add("--record", metavar="FILE", help="write the conversation to this file")
    add("--replay", metavar="FILE",
        help="send what was recorded, in its time; with --listen, as the server")  # fmt: skip
    add("--stats", action="store_true", help="show rates and sizes")
    add("--listen", nargs="?", type=_port, const=0, metavar="PORT",
        help="be a server that sends back what it gets, to try things out")  # fmt: skip


def _add_helping(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--doctor", action="store_true",
        help="examine the way to the server, say what works, what does not, and what to do; "
        "with --json as JSON")  # fmt: skip
    add("--completion", choices=("bash", "zsh", "fish"), metavar="SHELL",
        help="print the completions for bash, zsh or fish")  # fmt: skip
    add("--man", action="store_true", help="print the manual page, for `man -l -`")


class _Verbosity(argparse.Action):
    """-v, -vv, -vvv or -v N; what that means is found when all has been read."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, str(values))


def _level(text: str) -> int:
    """What -v was given: a number, or the v's behind the first one."""
    return len(text) + 1 if text and not text.strip("v") else int(text)


def _find_url(args: argparse.Namespace) -> None:
    """The URL behind `-v` and `-s A B`, which take the word that follows.

    A level is a number, and a subprotocol is a token (RFC 6455 4.1), so there is no mistaking.
    """
    if ":" in args.verbose:
        args.url, args.verbose = args.verbose, "1"
    elif args.subprotocols and ":" in args.subprotocols[-1]:
        args.url = args.subprotocols.pop()


def _positive(kind: Callable[[str], _Number]) -> Callable[[str], _Number]:
    def convert(text: str) -> _Number:
        with_problem = argparse.ArgumentTypeError(f"{text!r} is no number above 0")
        try:
            value = kind(text)
        except ValueError:
            raise with_problem from None
        if not 0 < value < 1e9:
            raise with_problem
        return value

    return convert


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port, expected 0 to 65535")
    return int(text)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (host and colon):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), _port(port)


def _credentials(text: str) -> tuple[str, str]:
    user, colon, password = text.partition(":")
    if not colon:
        # The text is not repeated: it may be a password.
        raise argparse.ArgumentTypeError("expected USER:PASSWORD, there is no colon")
    return user, password


def _header(text: str) -> str:
    if ":" not in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not 'Name: value'")
    return text


# --- for the connection ---------------------------------------------------------------------------


def options_of(args: argparse.Namespace) -> dict[str, Any]:
    """The options of `create_connection` that the arguments ask for."""
    header = [line.strip() for line in args.headers.split(",")] if args.headers else []
    proxy = args.proxy
    return {
        "sslopt": _sslopt_of(args),
        "origin": args.origin,
        "subprotocols": args.subprotocols,
        "header": header + args.header or None,
        "proxy": proxy if not proxy or "//" in proxy else f"http://{proxy}",
        "auth": args.auth,
        "cookie": args.cookie,
        "unix_socket": args.unix,
        "address": args.address,
        "timeout": args.timeout,
        "compression": "deflate" if args.compression else None,
        "ping_interval": args.ping_interval,
        "ping_timeout": args.ping_interval,
    }


def _sslopt_of(args: argparse.Namespace) -> dict[str, Any]:
    """The TLS options that the arguments ask for."""
    result: dict[str, Any] = {"certfile": args.cert, "keyfile": args.key, "fingerprint": args.pin}
    if args.ca:
        result["ca_cert_path" if os.path.isdir(args.ca) else "ca_certs"] = args.ca
    if args.nocert:
        import ssl

        result.update(cert_reqs=ssl.CERT_NONE, check_hostname=False)
    return {name: value for name, value in result.items() if value is not None}
