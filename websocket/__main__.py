"""`python -m websocket`: what is installed here, and who else claims the name `websocket`.

For bug reports, and for the question why a program behaves as if it had found another library. The
exit status is 1 if the import name is contested.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from typing import NamedTuple

import websocket

__all__ = ["main"]

_OURS = "websocket-client"
_PARTS = (
    ("python-socks", "SOCKS proxies"),
    ("truststore", "the CAs of the system, as sslopt context"),
    ("rel", "run_forever(dispatcher=rel)"),
    ("isal", "faster compression, as Deflate(zlib=isal_zlib)"),
    ("zlib-ng", "faster compression, as Deflate(zlib=zlib_ng)"),
    ("gevent", "green threads"),
    ("eventlet", "green threads"),
)
"""Optional distributions, and what they are good for."""


_MIXED = (
    "",
    "The files here are not all ours: another package called websocket was installed over them.",
    "Uninstall all of those, then install this one again.",
)


class Rival(NamedTuple):
    """A distribution besides ours that brings a package `websocket`."""

    name: str
    version: str
    folder: str  # where its package is, or would be


def main() -> int:
    """Print it; returns 0, or 1 if the import name is contested."""
    rivals = list(_rivals(metadata.distributions()))
    mixed = not hasattr(websocket, "backend")  # another package's file stands in the place of ours
    rows = [
        *_facts(),
        *((name, f"{_version(name) or 'not installed'} ({use})") for name, use in _PARTS),
        ("import name", "contested" if rivals or mixed else "ours alone"),
    ]
    advice = [*(_MIXED if mixed else ()), *_advice(rivals)]
    print("\n".join([*(f"{name:<14} {value}" for name, value in rows), *advice]))
    return 1 if rivals or mixed else 0


def _facts() -> Iterator[tuple[str, str]]:
    installed = _version(_OURS) == websocket.__version__
    origin = _folder() + ("" if installed else " (not installed)")
    yield "websocket", f"{websocket.__version__} in {origin}"
    yield "Python", f"{platform.python_version()} ({platform.python_implementation()})"
    yield "system", platform.platform()
    yield "backend", websocket.backend() if hasattr(websocket, "backend") else "unknown"
    yield "OpenSSL", _openssl()


def _openssl() -> str:
    try:
        import ssl
    except ImportError:
        return "missing in this Python: no wss://"
    return ssl.OPENSSL_VERSION


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _folder() -> str:
    return os.path.dirname(os.path.abspath(__file__))


def _rivals(distributions: Iterable[metadata.Distribution]) -> Iterator[Rival]:
    """Those that bring a package `websocket` and are not this release of ours."""
    for each in distributions:
        name = each.metadata["Name"] or "?"
        ours = _same(name) and each.version == websocket.__version__
        if not ours and _brings_websocket(each):
            yield Rival(name, each.version, os.path.abspath(str(each.locate_file("websocket"))))


def _same(name: str) -> bool:
    return name.lower().replace("_", "-") == _OURS


def _brings_websocket(distribution: metadata.Distribution) -> bool:
    names = (distribution.read_text("top_level.txt") or "").split()
    names += [file.parts[0] for file in distribution.files or () if len(file.parts) > 1]
    return "websocket" in names


def _advice(rivals: list[Rival]) -> Iterator[str]:
    """What to do about them."""
    python = os.path.basename(sys.executable) or "python"
    for rival in rivals:
        yield ""
        if os.path.realpath(rival.folder) == os.path.realpath(_folder()):
            yield f"{rival.name} {rival.version} was installed into the same folder: files of both"
            yield "are mixed there, and uninstalling one breaks the other."
        else:
            yield f"{rival.name} {rival.version} in {rival.folder} brings a package"
            yield "of the same name: which of them a program imports depends on the order of"
            yield "sys.path; here it is this one."
        yield "To keep this one alone:"
        again = "until pip finds none, " if _same(rival.name) else ""
        yield f"  {python} -m pip uninstall {rival.name}, {again}then install this one again"


if __name__ == "__main__":
    sys.exit(main())
