"""Promise: a context is built once per set of options, and shared only where nobody can notice."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from websocket._transport import tls_contexts
from websocket._transport.tls_contexts import forget_context, kept_context_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is kept on Windows")


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)
    monkeypatch.delenv("WEBSOCKET_CLIENT_CA_BUNDLE", raising=False)
    tls_contexts._kept.clear()
    yield
    tls_contexts._kept.clear()


def test_the_same_options_give_the_same_context() -> None:
    assert kept_context_for(None) is kept_context_for({}) is kept_context_for({"ca_certs": None})
    unverified = {"cert_reqs": ssl.CERT_NONE}
    assert kept_context_for(unverified) is kept_context_for(dict(unverified))


def test_other_options_give_another_context() -> None:
    """CERT_NONE is 0 and so is False: not even values that are equal are mixed up."""
    options: list[dict[str, Any]] = [
        {},
        {"cert_reqs": ssl.CERT_NONE},
        {"check_hostname": False},
        {"ciphers": "ECDHE+AESGCM"},
    ]
    made = [kept_context_for(each) for each in options]
    assert len({id(context) for context in made}) == len(made)
    assert made[1].verify_mode == ssl.CERT_NONE
    assert made[0].verify_mode == ssl.CERT_REQUIRED
    assert made[0].check_hostname
    assert not made[2].check_hostname


def test_a_context_of_the_user_is_not_kept() -> None:
    theirs = ssl.create_default_context()
    assert kept_context_for({"context": theirs}) is theirs
    assert not tls_contexts._kept


def test_a_context_that_a_user_has_got_hold_of_is_shared_no_more() -> None:
    first = kept_context_for(None)
    forget_context(first)
    assert kept_context_for(None) is not first


def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    default = ssl.get_default_verify_paths().cafile
    if default is None or not os.path.exists(default):
        pytest.skip("this machine has no file of CAs")
    bundle = tmp_path / "authorities.pem"
    bundle.write_bytes(Path(default).read_bytes())
    options = {"ca_certs": str(bundle)}
    first = kept_context_for(options)
    assert kept_context_for(options) is first
    bundle.write_bytes(Path(default).read_bytes() + b"\n")
    assert kept_context_for(options) is not first


def test_another_environment_gives_another_context(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = kept_context_for(None)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    second = kept_context_for(None)
    assert second is not first
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    assert kept_context_for(None) is not second
    assert kept_context_for(None) is not kept_context_for(None)


def test_another_class_of_contexts_is_not_mixed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """truststore and its like put a class of their own in the place of ssl's."""

    ours = tls_contexts._made_of({})
    assert tls_contexts._made_of({}) == ours
    monkeypatch.setattr(ssl, "SSLContext", type("Theirs", (ssl.SSLContext,), {}))
    assert tls_contexts._made_of({}) != ours


def test_what_is_kept_is_bounded() -> None:
    for number in range(3 * tls_contexts._MOST):
        kept_context_for({"server_hostname": f"host-{number}"})
    assert 0 < len(tls_contexts._kept) <= tls_contexts._MOST


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_keeps_nothing_of_its_parent() -> None:
    kept_context_for(None)
    child = os.fork()
    if child == 0:
        os._exit(len(tls_contexts._kept))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert tls_contexts._kept
