"""The server of the guards."""

from __future__ import annotations

from collections.abc import Iterator

import counting
import pytest


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[counting.Server]:
    """One for the tests of a module, plain and TLS."""
    with counting.server(tmp_path_factory.mktemp("guards")) as running:
        yield running
