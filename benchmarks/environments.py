"""A virtual environment for each library, under a cache folder outside the repository."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

__all__ = ["LIBRARIES", "Library", "certificate", "prepare"]

_ROOT = Path(__file__).resolve().parent.parent
_SOURCES = ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE", "websocket")


class Library(NamedTuple):
    """What is installed into one environment, and which of the clients drives it."""

    name: str
    client: str
    requirements: tuple[str, ...] = ()  # none: this checkout
    module: str = "websocket"  # what the import row imports
    deflate_client: str | None = None
    pure: bool = False  # without the accelerator

    @property
    def is_ours(self) -> bool:
        """Whether it is built from this checkout."""
        return not self.requirements and self.name != "floor"


_OURS = "clients:WebSocketClient"
LIBRARIES = (
    Library("floor", "clients:Floor", module="socket"),
    Library("ours", _OURS, deflate_client="clients:WebSocketClientDeflate"),
    Library("ours, pure", _OURS, deflate_client="clients:WebSocketClientDeflate", pure=True),
    Library("websocket-client", _OURS, ("websocket-client==1.9.2",)),
    Library(
        "websockets",
        "clients:Websockets",
        ("websockets==17.4",),
        "websockets.sync.client",
        "clients:Websockets",
    ),
    Library(
        "aiohttp",
        "async_clients:Aiohttp",
        ("aiohttp==3.14.5",),
        "aiohttp",
        "async_clients:Aiohttp",
    ),
    Library("picows", "async_clients:Picows", ("picows",), "picows"),
)


def cache() -> Path:
    """Where environments and the certificate are kept; created if it is not there."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "websocket-client-benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def prepare(library: Library) -> tuple[str, str]:
    """Make or reuse the environment; its interpreter, and the library's version."""
    if library.name == "floor":
        return sys.executable, ""
    version = ".".join(map(str, sys.version_info[:2]))
    home = cache() / f"{library.name.replace(', ', '-')}-{version}"
    python = str(home / "bin" / "python")
    wanted = _fingerprint() if library.is_ours else " ".join(library.requirements)
    stamp = home / "installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"making the environment of {library.name} ...", file=sys.stderr)
        if not Path(python).exists():
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        _install(library, python, home)
        stamp.write_text(wanted)
    return python, _version(library, python)


def _install(library: Library, python: str, home: Path) -> None:
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if not library.is_ours:
        subprocess.run([*pip, *library.requirements], check=True)
        return
    source = home / "source"  # a copy, so that the build leaves nothing in the checkout
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    for name in _SOURCES:
        if (_ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("*.so", "__pycache__")
            shutil.copytree(_ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(_ROOT / name, source / name)
    surroundings = environment_of(library)
    subprocess.run([*pip, "--force-reinstall", str(source)], check=True, env=surroundings)


def environment_of(library: Library) -> dict[str, str]:
    """The environment variables under which it is built and run."""
    surroundings = dict(os.environ)
    surroundings.pop("WEBSOCKET_CLIENT_PURE_PYTHON", None)
    surroundings.pop("PYTHONPATH", None)
    if library.pure:
        surroundings["WEBSOCKET_CLIENT_PURE_PYTHON"] = "1"
    return surroundings


def _version(library: Library, python: str) -> str:
    """The version; of ours also which twin runs, since a build without a compiler is pure, too."""
    name = library.requirements[0].partition("==")[0] if library.requirements else ""
    code = f"from importlib.metadata import version; print(version({name!r}))"
    if library.is_ours:
        code = "import websocket as w; print(w.__version__, w.backend())"
    told = subprocess.run(
        [python, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=cache(),
        env=environment_of(library),
    )
    return told.stdout.strip()


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for name in _SOURCES:
        path = _ROOT / name
        for file in sorted(path.rglob("*.*")) if path.is_dir() else [path]:
            if file.suffix in (".py", ".c", ".cfg", ".toml", ".typed"):
                digest.update(file.read_bytes())
    return digest.hexdigest()


def certificate() -> tuple[Path, Path] | None:
    """A self-signed certificate for `localhost` and its key, made by openssl; None without it."""
    chain, key = cache() / "localhost.pem", cache() / "localhost.key"
    if not chain.exists():
        if shutil.which("openssl") is None:
            return None
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        subprocess.run(
            [
                *command.split(),
                *("-days", "3650", "-subj", "/CN=localhost"),
                *("-addext", "subjectAltName=DNS:localhost"),
                *("-keyout", str(key), "-out", str(chain)),
            ],
            check=True,
            capture_output=True,
        )
    return chain, key
