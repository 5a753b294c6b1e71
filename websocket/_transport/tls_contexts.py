"""Contexts kept per set of options: building one costs a third of a TLS connection.

Safety goes first. A context that the user made is never kept. One that we made is shared only while
nobody can have changed it, and while its files, and whatever else it was made of, are the same as
when they were read; passwords, directories of CAs and key logs are left to those who read them anew
each time.
"""

from __future__ import annotations

import os
import sys

from .environment import names, none_is_set
from .tls import context_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Hashable, Mapping
    from typing import Any

__all__ = ["forget_context", "kept_context_for"]

_MOST = 16  # one program connects to few servers in few ways
_FILES = ("ca_certs", "certfile", "keyfile")
_NEVER = ("context", "password", "ca_cert_path")
_BUNDLE = "WEBSOCKET_CLIENT_CA_BUNDLE"
_VARIABLES = (_BUNDLE, "SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF", "SSLKEYLOGFILE")
_ALL = names(*_VARIABLES)

_built_in: list[str] = []  # the paths that were compiled into OpenSSL, once they are known
_kept: dict[Hashable, ssl.SSLContext] = {}  # each operation on it is atomic


def kept_context_for(sslopt: Mapping[str, Any] | None) -> ssl.SSLContext:
    """As `context_for`, or what it returned before for the same options, files and environment.

    Whoever hands it to a user calls `forget_context` first.
    """
    made_of = _made_of(sslopt or {})  # before it is made: a file may change meanwhile
    context = None if made_of is None else _kept.get(made_of)
    if context is None:
        context = context_for(sslopt)
        if made_of is not None:
            if len(_kept) >= _MOST:
                _kept.clear()
            _kept[made_of] = context
    return context


def forget_context(context: ssl.SSLContext) -> None:
    """Share it with no further connection: a user has got hold of it, and may change it. For the
    others that have it that is too late: what matters was copied when their handshake began."""
    for made_of, kept in list(_kept.items()):
        if kept is context:
            _kept.pop(made_of, None)


def _made_of(sslopt: Mapping[str, Any]) -> Hashable | None:
    """Everything that a context depends on; None if that cannot be told, or may change unseen."""
    try:
        import ssl  # here since it is slow to import
    except ImportError:
        return None  # `context_for` says so

    said: dict[str, str | None] = {}
    if not none_is_set(_ALL, os.environ):
        said = {name: os.environ.get(name) for name in _VARIABLES}
    if sys.platform == "win32" or said.get("SSLKEYLOGFILE"):
        return None  # the certificates of Windows have no date that we could see
    given = {key: value for key, value in sslopt.items() if value is not None}
    for key, value in given.items():
        if key in _NEVER or not isinstance(value, (str, bytes, int)):
            return None
    bundle = said.get(_BUNDLE)
    if bundle and not os.path.isfile(bundle):
        return None
    files = [given.get(key) for key in _FILES]
    files.append(bundle)
    if not (bundle or given.get("ca_certs")):  # else the system's are not loaded
        files += _system_authorities(said)
    return (
        ssl.SSLContext,  # packages that bring the system's trust put a class of theirs here
        frozenset([(key, type(value).__name__, value) for key, value in given.items()]),
        tuple(said.values()),
        tuple(map(_state_of, files)),
    )


def _system_authorities(said: dict[str, str | None]) -> tuple[str, str]:
    """Where OpenSSL looks for the authorities that the system trusts: a file and a directory."""
    import ssl

    if not _built_in:
        paths = ssl.get_default_verify_paths()
        _built_in.extend((paths.openssl_cafile, paths.openssl_capath))
    file, directory = _built_in
    return said.get("SSL_CERT_FILE") or file, said.get("SSL_CERT_DIR") or directory


def _state_of(file: str | bytes | None) -> Hashable:
    """What changes when the file does; a directory does when an entry comes or goes."""
    if not file:
        return None
    try:
        found = os.stat(file)
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


if hasattr(os, "register_at_fork"):
    # A lock of OpenSSL's that another thread held at the fork stays locked in the child.
    os.register_at_fork(after_in_child=_kept.clear)
