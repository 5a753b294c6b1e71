"""Promise: `import websocket` loads what a program needs that connects, sends and receives, and
nothing else; the rest comes when it is first asked for, and behaves as if it had been there."""

from __future__ import annotations

import ast
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import websocket

PACKAGE = Path(websocket.__file__).parent

MOST_OF_OURS = 60
MOST_OF_ALL = 90
"""Modules that the import loads, the standard library's included; it was 55 and 89 in 2026-11."""

NOT_AT_THE_START = (
    *("_app", "_session", "_loop", "_dispatcher", "_reconnect", "_explain", "_latest", "_options"),
    *("_authorization", "_pulse", "_protocol.client", "_protocol.deflate", "_callback_types"),
    *("_transport.proxies", "_transport.proxy_route", "_transport.tls", "_transport.duck_stream"),
    *("_handshake", "_http", "_url", "_wsdump", "testing"),
)


def _loaded(statement: str) -> list[str]:
    """The modules that a statement loads in a new interpreter without site-packages."""
    lines = (
        f"import json, sys\nsys.path.insert(0, {str(PACKAGE.parent)!r})",
        "before = set(sys.modules)",
        statement,
        "print(json.dumps(sorted(set(sys.modules) - before)))",
    )
    command = [sys.executable, "-I", "-S", "-c", "\n".join(lines)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded: list[str] = json.loads(done.stdout)
    return loaded


def test_few_modules_are_loaded() -> None:
    loaded = _loaded("import websocket")
    ours = [name for name in loaded if name.partition(".")[0] == "websocket"]
    assert len(ours) <= MOST_OF_OURS, ours
    assert len(loaded) <= MOST_OF_ALL, loaded
    assert [name for name in NOT_AT_THE_START if f"websocket.{name}" in ours] == []


def test_a_plain_connection_loads_no_openssl() -> None:
    """It takes longer to load than all the rest."""
    statement = (
        "import websocket\n"
        "from websocket._protocol.handshake import accept_value\n"
        "assert accept_value('dGhlIHNhbXBsZSBub25jZQ==') == 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='"
    )
    assert {"_hashlib", "_ssl", "ssl", "hashlib"} & set(_loaded(statement)) == set()


def test_every_name_is_declared_for_checkers_and_can_be_had() -> None:
    """The names that checkers see, that `import *` takes and that exist are the same."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    declared = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    }
    assert {name for name in declared if name and not name.startswith("_")} == set(
        websocket.__all__
    )
    for name in websocket.__all__:
        assert getattr(websocket, name) is not None
    taken: dict[str, Any] = {}
    exec("from websocket import *", taken)  # as programs write it
    assert set(websocket.__all__) <= set(taken)
    assert set(websocket.__all__) <= set(dir(websocket))


def test_the_table_says_where_each_late_name_is() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    late = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    assert vars(websocket)["_LATE"] == late


def test_a_name_that_is_not_ours_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'websocket' has no attribute 'WebSockt'"):
        getattr(websocket, "WebSockt")  # noqa: B009 - checkers know that it is not there


def test_private_modules_are_reached_without_an_import() -> None:
    statement = "import websocket\nassert websocket._http.HAVE_PYTHON_SOCKS in (True, False)"
    assert "websocket._http" in _loaded(statement)


def test_a_late_name_can_be_patched_like_any_other() -> None:
    statement = (
        "import websocket, unittest.mock\n"
        "with unittest.mock.patch('websocket.WebSocketApp') as double:\n"
        "    assert websocket.WebSocketApp is double\n"
        "from websocket._app import WebSocketApp\n"
        "assert websocket.WebSocketApp is WebSocketApp"
    )
    assert "websocket._app" in _loaded(statement)
    with mock.patch.object(websocket, "Deflate") as double:
        assert websocket.Deflate is double
    assert websocket.Deflate.__name__ == "Deflate"


def test_exceptions_survive_pickling() -> None:
    told = websocket.WebSocketBadStatusException("no", 403, "Forbidden", {"a": "b"}, b"body")
    again = pickle.loads(pickle.dumps(told))
    assert type(again) is type(told)
    assert again.status_code == 403
