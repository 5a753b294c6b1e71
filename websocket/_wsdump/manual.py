"""The manual page of wsdump in roff, made of the parser and of what is to be said beside it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import groupby

from websocket import __version__

from .arguments import make_parser
from .completion import Option, options_in

__all__ = ["manual"]

_DESCRIPTION = (
    "wsdump connects to a WebSocket server, prints what it sends, and sends the lines of standard"
    " input as messages. On a terminal messages appear above the line that is being typed;"
    " elsewhere, or with --raw, the output is made for other programs.",
    "The server is named by a URL: ws://host:port/path, wss:// for TLS, or"
    " ws+unix:/path/to/socket:/resource for a unix socket.",
)

_EXAMPLES = (
    ("wsdump ws://127.0.0.1:8080/", "Talk; Ctrl+C ends."),
    ("wsdump --raw wss://example.com/feed | grep price", "One item a line, for pipes."),
    (
        "wsdump -t hello --count 1 --wait 5 wss://example.com/",
        "Is it alive? The exit status tells.",
    ),
    ("wsdump --doctor wss://example.com/", "Why can it not be reached?"),
    ("wsdump --listen 8080", "A server that sends everything back."),
)

_STATUS = (
    ("0", "The end: Ctrl+C, the end of standard input, --count reached, --wait over, a normal"
     " close on a terminal; with --doctor: all is well."),
    ("1", "No connection (refused, no such name, TLS, proxy, HTTP status), or --count not"
     " reached; with --doctor: something is wrong."),
    ("2", "Wrong usage."),
    ("3", "An abnormal end of the connection that ended the program, or a line could not be"
     " sent any more."),
)  # fmt: skip

_ENVIRONMENT = (
    ("NO_COLOR", "Not empty: no colours."),
    ("WSDUMP_CLASSIC", "Not empty: the output of websocket-client's wsdump, byte by byte."),
    (
        "http_proxy, https_proxy, ws_proxy, wss_proxy, all_proxy",
        "Proxies, unless --proxy is given.",
    ),
    ("no_proxy", "Hosts that are reached without a proxy, with commas between."),
    ("WEBSOCKET_CLIENT_CA_BUNDLE", "File or directory of the CAs to trust, unless --ca is given."),
    ("SSLKEYLOGFILE", "A file for the keys of TLS connections, to read them in Wireshark."),
)


def manual() -> str:
    """The page, section 1."""
    return "".join(f"{line}\n" for line in _page(make_parser()))


def _page(parser: argparse.ArgumentParser) -> Iterator[str]:
    options = list(options_in(parser))
    yield '.\\" Made by `wsdump --man`.'
    yield f'.TH WSDUMP 1 "" "websocket\\-client {__version__}" "User Commands"'
    yield from (".SH NAME", "wsdump \\- talk to a WebSocket server")
    yield from (".SH SYNOPSIS", ".B wsdump", "[\\fIoptions\\fR] \\fIws_url\\fR", ".br")
    yield from (".B wsdump \\-\\-listen", "[\\fIPORT\\fR]", ".SH DESCRIPTION")
    for paragraph in _DESCRIPTION:
        yield from (".PP", _text(paragraph))
    yield ".SH OPTIONS"
    for title, members in groupby(options, lambda option: option.group):
        if title not in ("options", "optional arguments"):  # argparse's own title varies
            yield f'.SS "{_text(title.capitalize())}"'
        for option in members:
            yield from (".TP", _usage(option), _text(option.help))
    yield ".SH EXIT STATUS"
    for status, meaning in _STATUS:
        yield from (".TP", f".B {status}", _text(meaning))
    yield ".SH ENVIRONMENT"
    for name, meaning in _ENVIRONMENT:
        yield from (".TP", f".B {_text(name)}", _text(meaning))
    yield ".SH EXAMPLES"
    for command, meaning in _EXAMPLES:
        yield from (".TP", f".B {_text(command)}", _text(meaning))
    yield from (".SH NOTES", _text(
        "Arguments can be seen by other users of the machine: mind the passwords among them."
    ))  # fmt: skip


def _usage(option: Option) -> str:
    """The line that names an option and its value."""
    value = f"\\fI{_text(option.value)}\\fR" if option.value else ""
    if option.optional:
        value = f"[{value}]"
    names = ", ".join(f"\\fB{_text(name)}\\fR" for name in option.names)
    return f"{names} {value}".rstrip()


def _text(text: str) -> str:
    """A text in which roff sees no commands."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text
