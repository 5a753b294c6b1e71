"""Certificates for tests: a CA of their own and what it has signed."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, NamedTuple

import trustme


class Papers(NamedTuple):
    """A CA and what it has signed for localhost."""

    authority: trustme.CA
    context: ssl.SSLContext  # a server's
    ca: Path
    both: Path  # certificate and key in one file
    certificate: Path
    key: Path

    @property
    def sslopt(self) -> dict[str, Any]:
        """What a client needs to trust the server."""
        return {"ca_certs": str(self.ca)}
