"""Promise: what is installed is websocket-client 1.10.0 with types and without dependencies."""

from __future__ import annotations

import importlib.metadata
import re
from configparser import ConfigParser
from importlib.resources import files
from pathlib import Path

import websocket

NAME = "websocket-client"
ROOT = Path(__file__).resolve().parent.parent


def test_the_version_is_that_of_the_metadata() -> None:
    """Dependents demand `>=1.9.2,<2` of the distribution and print `websocket.__version__`."""
    assert websocket.__version__ == importlib.metadata.version(NAME) == "1.10.0"


def test_no_dependency_is_required() -> None:
    """`pip install websocket-client` brings one package; extras bring the rest."""
    required = importlib.metadata.requires(NAME) or []
    assert [line for line in required if "extra ==" not in line] == []


def test_the_extras_are_there() -> None:
    extras = importlib.metadata.metadata(NAME).get_all("Provides-Extra") or []
    assert {"socks", "optional", "test", "docs"} <= set(extras)


def test_it_is_licensed_under_apache_2() -> None:
    assert importlib.metadata.metadata(NAME)["License-Expression"] == "Apache-2.0"


def test_wsdump_is_a_command() -> None:
    commands = importlib.metadata.entry_points(group="console_scripts", name="wsdump")
    assert {command.value for command in commands} == {"websocket._wsdump:main"}


def test_types_are_shipped() -> None:
    """PEP 561: the marker lies in the package and is named as its data."""
    assert files(websocket).joinpath("py.typed").is_file()
    config = ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    assert config["options.package_data"]["websocket"] == "py.typed"


def test_each_python_that_we_name_is_tested() -> None:
    """Those of the classifiers are in the workflow's table, and the first is the one required."""
    metadata = importlib.metadata.metadata(NAME)
    lines = "\n".join(metadata.get_all("Classifier") or [])
    named = re.findall(r"^Programming Language :: Python :: (3\.\d+)$", lines, re.M)
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    tested = re.search(r"^ +python: \[(.*)\]$", workflow, re.M)
    assert tested is not None
    assert set(named) <= set(re.findall(r"[\d.]+", tested[1]))
    assert metadata["Requires-Python"] == f">={named[0]}"


def test_a_star_import_gives_the_public_names() -> None:
    """`from websocket import *` is what many scripts begin with; it fails on a name of `__all__`
    that is not there."""
    names: dict[str, object] = {}
    exec("from websocket import *", names)
    expected = {"WebSocket", "create_connection", "enableTrace", "ABNF", "WebSocketException"}
    assert expected <= set(names)
    assert not [name for name in names if name.startswith("_") and name != "__builtins__"]
