"""A virtual environment for each library, under a cache folder outside the repository."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

__all__ = ["LIBRARIES", "Library", "certificate", "environment_of", "prepare"]

_ROOT = Path(__file__).resolve().parent.parent
_SOURCES = (
    *("setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"),
    "websocket",
)


class Library(NamedTuple):
    """What is installed into one environment, and which of the clients drives it."""

    name: str
    client: str
    requirements: tuple[str, ...] = ()  # none: this checkout
    module: str = "websocket"  # what the import row imports
    environment: str = ""  # the name of the environment, where it is not the library's own
    deflates: bool = True
    pure: bool = False  # without the accelerator

    @property
    def is_floor(self) -> bool:
        """Whether it is a raw socket of ours and not a library."""
        return self.name in ("floor", "BIO")

    @property
    def is_ours(self) -> bool:
        """Whether it is built from this checkout."""
        return not self.requirements and not self.is_floor


_OURS = "clients:WebSocketClient"
_UVLOOP = "uvloop==0.23.0"
_PICOWS = ("picows==2.3.1", "aiofastnet==1.2.0", _UVLOOP)

LIBRARIES = (
    Library("floor", "small_clients:Floor", module="socket", deflates=False),
    Library("BIO", "small_clients:BioFloor", module="ssl", deflates=False),
    Library("ours", _OURS),
    Library("ours, pure Python", _OURS, pure=True),
    Library(
        "websocket-client", _OURS, ("websocket-client==1.9.2", "wsaccel==0.6.7"), deflates=False
    ),
    Library(
        "websockets", "clients:Websockets", ("websockets==17.4",), module="websockets.sync.client"
    ),
    Library("aiohttp", "async_clients:Aiohttp", ("aiohttp==3.14.5", _UVLOOP), module="aiohttp"),
    Library("picows", "picows_client:Picows", _PICOWS, module="picows", deflates=False),
    Library(
        "picows.websockets",
        "async_clients:PicowsFacade",
        _PICOWS,
        module="picows.websockets",
        environment="picows",
    ),
    Library(
        "curl_cffi",
        "clients:CurlCffi",
        ("curl_cffi==0.16.3",),
        module="curl_cffi",
        deflates=False,
    ),
    Library("wsproto", "small_clients:Wsproto", ("wsproto==1.3.2",), module="wsproto"),
)


def cache() -> Path:
    """Where environments and the certificate are kept; created if it is not there."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "websocket-client-benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def prepare(library: Library) -> tuple[str, str]:
    """Make or reuse the environment; its interpreter, and the library's version."""
    if library.is_floor:
        return sys.executable, ""
    version = ".".join(map(str, sys.version_info[:2]))
    name = (library.environment or library.name).replace(", ", "-").replace(" ", "-")
    home = cache() / f"{name}-{version}"
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
    names = [requirement.partition("==")[0] for requirement in library.requirements]
    code = (
        "from importlib.metadata import version as v; "
        f"print(' + '.join(f'{{name}} {{v(name)}}' for name in {names}))"
    )
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
