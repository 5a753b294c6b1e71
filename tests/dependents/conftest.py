"""What the tests with dependents share: their environment, certificates."""

from __future__ import annotations

import dependent
import pytest
from papers import Papers, issue


@pytest.fixture(scope="session")
def dependents(tmp_path_factory: pytest.TempPathFactory) -> dependent.Dependents:
    return dependent.make(tmp_path_factory.mktemp("dependents"))


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return issue(tmp_path_factory.mktemp("papers"))
