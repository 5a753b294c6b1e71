"""Promise: the floors import each other along the arrows of docs/design.md, and stay readable.

The tables below are the architecture. A test that fails here asks for a change of the design, or
of the code; it is mended by a line in a table only when the design has been thought over.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "websocket"
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    .removesuffix("__init__")
    .rstrip("."): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
"""Dotted names below `websocket`; "" is `websocket` itself."""

LONGEST_FILE = 350
LONGEST_FUNCTION = 60

# --- who may import whom --------------------------------------------------------------------------
# A name stands for the module and, of a package, for all in it.

GROUND = {"_exceptions", "_logging", "_tracing"}
PILLARS = {"_wire", "_protocol", "_transport"} | GROUND
WEBSOCKET = PILLARS | {
    *("_abnf", "_authorization", "_classic", "_connection", "_cookiejar", "_facts", "_keepalive"),
    *("_line", "_opening", "_options", "_parts", "_pings", "_pulse", "_receiving", "_sending"),
    "_streaming",
    "_writing",
}
DOORS = {"_handshake", "_http", "_socket", "_ssl_compat", "_url", "_utils"}
ENTRANCES = {"", "__main__", "_wsdump", "testing"}

ARROWS: dict[str, set[str]] = {
    # 0: ground, and values <-> bytes
    "_exceptions": set(),
    "_logging": {"_tracing"},
    "_tracing": set(),
    "_wire": {"_wire", "_exceptions"},
    # 1 and 2: the two pillars, which never touch
    "_protocol": {"_protocol", "_wire"} | GROUND,
    "_transport": {"_transport", "_wire.http1", "_wire.headers", "_wire.bodies", "_wire.urls"}
    | {"_wire.patterns"}
    | GROUND,
    # 3: the roof
    "_raw": GROUND,
    "_classic_frames": {"_wire"} | GROUND,
    "_abnf": {"_classic_frames"},
    "_cookiejar": {"_wire"} | GROUND,
    "_keepalive": GROUND,
    "_options": set(),
    "_pings": GROUND,
    "_line": PILLARS | {"_keepalive", "_pings"},
    "_writing": PILLARS | {"_line"},
    "_reading": PILLARS | {"_writing"},
    "_arriving": PILLARS | {"_reading"},
    "_connection": PILLARS | {"_arriving"},
    "_authorization": {"_wire"} | GROUND,
    "_opening": PILLARS | {"_agreed", "_authorization", "_connection", "_cookiejar", "_pulse"},
    "_streaming": PILLARS | {"_connection"},
    "_classic": PILLARS | {"_opening"},
    "_agreed": PILLARS,
    "_facts": PILLARS | {"_abnf", "_agreed", "_classic", "_connection", "_opening", "_stats"},
    "_stats": PILLARS | {"_pings"},
    "_sending": PILLARS | {"_abnf", "_classic", "_connection", "_facts", "_pings", "_streaming"},
    "_parts": PILLARS | {"_abnf", "_connection", "_sending"},
    "_receiving": PILLARS | {"_abnf", "_latest", "_parts", "_streaming"},
    "_latest": PILLARS | {"_connection"},
    "_defaults": set(),
    "_core": WEBSOCKET | {"_defaults", "_raw"},
    "_reconnect": {"_cookiejar", "_core", "_transport"} | GROUND,
    # 4: WebSocketApp
    "_pulse": {"_keepalive", "_wire"} | GROUND,
    "_loop_parts": set(),
    "_loop_poll": set(),
    "_loop": {"_loop_parts", "_loop_poll"} | GROUND,
    "_dispatcher": {"_raw", "_transport"} | GROUND,
    "_queued": PILLARS | {"_connection", "_dispatcher", "_loop", "_loop_parts"},
    "_delivery": PILLARS,
    "_session": PILLARS | {"_core", "_delivery", "_keepalive", "_reconnect"},
    "_dispatched": PILLARS | {"_session"},
    "_looped": PILLARS
    | {"_connection", "_dispatched", "_dispatcher", "_loop", "_loop_parts", "_queued"},
    "_callback_types": set(),
    "_callbacks": GROUND,
    "_app": PILLARS
    | {
        "_abnf",
        "_callbacks",
        "_cookiejar",
        "_core",
        "_dispatcher",
        "_keepalive",
        "_looped",
        "_reconnect",
    },
    # 5: what stands beside the house
    "_explain": PILLARS
    | {"_connection", "_explain_addresses", "_explain_open", "_explain_record", "_explain_tls"}
    | {"_opening"},
    "_explain_addresses": PILLARS,
    "_explain_certificate": set(),
    "_explain_open": PILLARS | {"_connection", "_explain_record"},
    "_explain_record": {"_wire"},
    "_explain_tls": PILLARS | {"_explain_certificate", "_explain_record"},
    "__main__": {"", "_wire"} | GROUND,
    "_records": {"_wire"},
    "_wsdump": {"_wsdump", "testing", "_records", ""},
    # It connects to the real server whose conversation it records, by the public names.
    "testing._recording": {"testing", "_records", "_wire", ""} | GROUND,
    "testing": {"testing", "_protocol", "_records", "_wire"} | GROUND,
}

FOR_TYPES_ONLY: dict[str, set[str]] = {
    "_options": {"_cookiejar", "_protocol"},
    "_explain": {"_options"},
    "_latest": {"_receiving"},
    "_stats": {"_connection"},
    "_line": {"_pulse"},
    "_pulse": {"_connection"},
    "_reconnect": {"_options"},
    "_receiving": {"_connection"},
    "_delivery": {"_app"},
    "_session": {"_app"},
    "_callbacks": {"_callback_types"},
    "_app": {"_callback_types", "_options", "_session"},
}
"""Arrows besides those above that only a type checker follows."""

# --- what may be imported from elsewhere ----------------------------------------------------------

WAITING = {"asyncio", "select", "selectors", "socket", "ssl", "threading", "time"}
PURE = ("_wire", "_protocol")
"""These know no socket, no thread and no clock."""

SLOW = {
    "datetime",
    "email",
    "hashlib",
    "http",
    "json",
    "logging",
    "netrc",
    "random",
    "signal",
    "ssl",
    "urllib",
    "uuid",
    "zlib",
}
"""They take longer to import than we do, so only functions that need them import them ..."""
SLOWISH = {"re"}
"""So do these, for those of our modules that every program imports."""
MAY_BE_SLOW = {
    "_transport.guarded_stream",
    "_transport.tls_socket",
    "_transport.tls_engine",
    "_transport.tls_stream",
    "_records",
    "_ssl_compat",
    "_wsdump",
    "testing",
}
"""... or modules that nobody imports at the start."""

OPTIONAL = {"eventlet", "gevent", "python_socks", "rel", "socks"}
"""Packages that users may have."""

LATE = {("_transport.sockets", name) for name in MAY_BE_SLOW if name.startswith("_transport.")} | {
    ("_classic", "_transport.proxies"),
    ("_classic", "_transport.proxy_errors"),
    ("_facts", "_stats"),
    ("_receiving", "_latest"),
    ("_opening", "_authorization"),
    ("_opening", "_protocol.deflate"),
    ("_opening", "_pulse"),
    ("_opening", "_transport.tls"),
    ("_transport.connecting", "_transport.proxies"),
    ("_transport.exchange", "_transport.tls"),
    ("_transport.connecting", "_transport.proxy_route"),
    ("_transport.sockets", "_transport.duck_stream"),
    ("_transport.sockets", "_transport.tls"),
    ("_transport.sockets", "_transport.tls_contexts"),
    ("_wire.urls", "_wire.ipv6"),
    ("_wsdump.command", "_wsdump.listening"),
}
"""Who may import which of our modules inside a function: for ssl, or a server, or what few programs
use, not to be loaded without need."""


class Import(NamedTuple):
    """One import of one module, ours (`target` is a key of MODULES) or not."""

    importer: str
    line: int
    target: str
    ours: bool
    in_function: bool
    for_types: bool

    def __str__(self) -> str:
        target = f"websocket.{self.target}".rstrip(".") if self.ours else self.target
        return f"{MODULES[self.importer].relative_to(PACKAGE.parent)}:{self.line} imports {target}"


def covers(names: set[str], module: str) -> bool:
    """Whether one of `names` is `module` or a package around it."""
    return any(module == name or (name and module.startswith(name + ".")) for name in names)


def imports_of(importer: str) -> Iterator[Import]:
    def walk(node: ast.AST, in_function: bool, for_types: bool) -> Iterator[Import]:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for target, ours in targets(importer, node):
                yield Import(importer, node.lineno, target, ours, in_function, for_types)
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for statement in node.body:
                yield from walk(statement, in_function, True)
            for statement in node.orelse:
                yield from walk(statement, in_function, for_types)
        else:
            inside = in_function or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            for child in ast.iter_child_nodes(node):
                yield from walk(child, inside, for_types)

    return walk(tree(importer), False, False)


def targets(importer: str, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, bool]]:
    """The modules that an import statement names."""
    if isinstance(node, ast.Import):
        dotted = [alias.name for alias in node.names]
    else:
        base = node.module or ""
        if node.level:
            package = ["websocket", *importer.split(".")] if importer else ["websocket"]
            if MODULES[importer].name != "__init__.py":
                package.pop()
            package = package[: len(package) - node.level + 1]
            base = ".".join([*package, *base.split(".")]).rstrip(".")
        # `from package import name` may mean a module of that name.
        dotted = [f"{base}.{alias.name}" for alias in node.names]
        dotted = [name if below(name) in MODULES else base for name in dotted]
    for name in dict.fromkeys(dotted):
        inner = below(name)
        yield (name, False) if inner is None else (inner, True)


def below(dotted: str) -> str | None:
    """The name below `websocket`, None for what is not ours."""
    if dotted == "websocket":
        return ""
    return dotted.removeprefix("websocket.") if dotted.startswith("websocket.") else None


def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


IMPORTS = [found for module in MODULES for found in imports_of(module)]


def allowed(module: str) -> set[str]:
    """What `module` may import of ours."""
    everything = set(ARROWS) | DOORS | {""}
    if module == "":
        return everything - ENTRANCES
    if module in DOORS:
        return everything - ENTRANCES
    return ARROWS[next(name for name in ARROWS if covers({name}, module))]


def test_every_module_has_a_floor() -> None:
    """A new module is put on a floor before it imports anything."""
    known = set(ARROWS) | DOORS | {""}
    assert [module for module in MODULES if not covers(known, module)] == []


def test_imports_follow_the_arrows() -> None:
    """Lower floors know nothing of higher ones, the pillars nothing of each other."""
    astray = [
        str(found)
        for found in IMPORTS
        if found.ours
        and not covers(allowed(found.importer), found.target)
        and not (
            found.for_types and covers(FOR_TYPES_ONLY.get(found.importer, set()), found.target)
        )
    ]
    assert astray == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for found in IMPORTS:
        if found.ours and not found.for_types and found.target != found.importer:
            graph[found.importer].add(found.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as exc:
        pytest.fail(f"a cycle: {' -> '.join(exc.args[1])}")


def test_wire_and_protocol_know_no_socket_thread_or_clock() -> None:
    astray = [
        str(found)
        for found in IMPORTS
        if not found.ours
        and not found.for_types
        and covers(set(PURE), found.importer)
        and covers(WAITING, found.target)
    ]
    assert astray == []


def test_functions_import_only_slow_or_optional_modules() -> None:
    """All else stands at the top of the file, where readers look for it."""
    astray = [
        str(found)
        for found in IMPORTS
        if found.in_function
        and not found.for_types
        and (
            (found.importer, found.target) not in LATE
            if found.ours
            else not covers(SLOW | SLOWISH | OPTIONAL, found.target)
        )
    ]
    assert astray == []


def test_slow_modules_are_not_imported_at_the_top() -> None:
    astray = [
        str(found)
        for found in IMPORTS
        if not (found.in_function or found.for_types)
        and not covers(MAY_BE_SLOW, found.importer)
        and covers(MAY_BE_SLOW if found.ours else SLOW, found.target)
    ]
    assert astray == []


def test_importing_the_package_loads_no_slow_module() -> None:
    """The same, as the interpreter sees it: `import websocket` is quick."""
    program = (
        f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); before = set(sys.modules); "
        f"from websocket import WebSocket; print(*sorted({SLOW!r} & (set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [], "")


def test_nothing_is_required_besides_the_standard_library() -> None:
    astray = [
        str(found)
        for found in IMPORTS
        if not found.ours
        and not found.for_types
        and not (found.in_function and covers(OPTIONAL, found.target))
        and found.target.partition(".")[0] not in sys.stdlib_module_names
    ]
    assert astray == []


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_it_knows(module: str) -> None:
    assert ast.get_docstring(tree(module)), f"{MODULES[module]} has no docstring"


@pytest.mark.parametrize("module", MODULES)
def test_files_and_functions_are_short(module: str) -> None:
    lines = len(MODULES[module].read_text(encoding="utf-8").splitlines())
    long = [f"{lines} lines"] if lines > LONGEST_FILE else []
    for node in ast.walk(tree(module)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                long.append(f"{node.name} has {length} lines")
    assert long == []
