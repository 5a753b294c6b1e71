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


def issue(folder: Path) -> Papers:
    """New papers for localhost, and files with them in `folder`."""
    authority = trustme.CA()
    signed = authority.issue_cert("localhost", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    signed.configure_cert(context)
    paths = [folder / name for name in ("ca.pem", "both.pem", "cert.pem", "key.pem")]
    authority.cert_pem.write_to_path(str(paths[0]))
    signed.private_key_and_cert_chain_pem.write_to_path(str(paths[1]))
    for blob in signed.cert_chain_pems:
        blob.write_to_path(str(paths[2]), append=True)
    signed.private_key_pem.write_to_path(str(paths[3]))
    return Papers(authority, context, *paths)
