"""Programs that tests run beside us: where they are, or why a test is skipped (in CI: fails)."""

from __future__ import annotations

import os
import shutil

import pytest

PACKAGES = {
    "chromedriver": "chromium-driver",
    "chromium": "chromium",
    "danted": "dante-server",
    "haproxy": "haproxy",
    "microsocks": "microsocks",
    "nginx": "nginx-light",
    "node": "nodejs",
    "npm": "npm",
    "openssl": "openssl",
    "squid": "squid",
    "strace": "strace",
    "tinyproxy": "tinyproxy",
    "valgrind": "valgrind",
}
"""The Debian package of each program."""

missing: set[str] = set()
"""The programs that tests of this run asked for in vain."""


def component(program: str) -> str:
    """The path of `program`; without it the test is skipped, or fails where CI=true.

    Call it in a fixture or a test, not while tests are collected.
    """
    # Debian keeps daemons out of the users' PATH.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    found = shutil.which(program, path=path)
    if found is not None:
        return found
    missing.add(program)
    reason = f"{program} is not installed: apt-get install {PACKAGES[program]}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def advice() -> str | None:
    """What to install for the tests that were skipped; None if none were."""
    if not missing:
        return None
    packages = sorted({PACKAGES[program] for program in missing})
    return f"Not installed: {', '.join(sorted(missing))}. To run those tests, too:\n" + (
        f"  apt-get install --no-install-recommends {' '.join(packages)}"
    )
