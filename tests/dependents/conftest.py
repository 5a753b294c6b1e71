"""What the tests with dependents share: their environment, certificates."""

from __future__ import annotations

import ssl

import dependent
import pytest
import trustme
from papers import Papers


@pytest.fixture(scope="session")
def dependents(tmp_path_factory: pytest.TempPathFactory) -> dependent.Dependents:
    return dependent.make(tmp_path_factory.mktemp("dependents"))


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    folder = tmp_path_factory.mktemp("papers")
    authority = trustme.CA()
    signed = authority.issue_cert("localhost", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    signed.configure_cert(context)
    paths = [folder / name for name in ("ca.pem", "both.pem", "cert.pem", "key.pem")]
    authority.cert_pem.write_to_path(str(paths[0]))
    signed.private_key_and_cert_chain_pem.write_to_path(str(paths[1]))
    for blob in signed.cert_chain_pems:
        blob.write_to_path(str(paths[2]), append=True)
    signed.private_key_pem.write_to_path(str(paths[3]))
    return Papers(authority, context, *paths)
