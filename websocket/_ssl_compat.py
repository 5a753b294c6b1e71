"""A door: the names of the `ssl` module that programs take from here, even if Python lacks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from ssl import SSLEOFError, SSLError, SSLWantReadError, SSLWantWriteError

    HAVE_SSL: bool = True
else:
    try:
        import ssl
        from ssl import SSLEOFError, SSLError, SSLWantReadError, SSLWantWriteError

        HAVE_SSL = True
    except ImportError:
        ssl = None
        HAVE_SSL = False

        class SSLError(Exception):
            """Never raised: without the ssl module there is no TLS."""

        class SSLEOFError(SSLError):
            """Never raised."""

        class SSLWantReadError(SSLError):
            """Never raised."""

        class SSLWantWriteError(SSLError):
            """Never raised."""


__all__ = [
    "HAVE_SSL",
    "SSLEOFError",
    "SSLError",
    "SSLWantReadError",
    "SSLWantWriteError",
    "ssl",
]
