"""Promise: `python -m websocket` tells what is installed, and whether somebody else claims the name
`websocket`: exit status 1, and what to do."""

from __future__ import annotations

import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

import websocket

ROOT = Path(__file__).resolve().parents[2]


def report(*further: Path, first: Path = ROOT) -> tuple[int, str]:
    """Status and output with these folders on sys.path behind ours, or the one given instead."""
    done = subprocess.run(
        [sys.executable, "-m", "websocket"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=first.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (first, *further)))},
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def install(folder: Path, name: str, version: str, package: str = "websocket") -> Path:
    """A distribution as pip leaves it behind."""
    folder.mkdir(exist_ok=True)
    (folder / package).mkdir(exist_ok=True)
    (folder / package / "__init__.py").touch()
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text(f"{package}/__init__.py,,\n")
    return folder


def test_what_is_installed_is_told() -> None:
    status, out = report()
    assert status == 0
    rows = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert rows["websocket"].startswith(f"{websocket.__version__} in {ROOT}")
    assert rows["Python"].startswith(platform.python_version())
    assert rows["backend"] == websocket.backend()
    assert rows["OpenSSL"] == ssl.OPENSSL_VERSION
    assert re.search(r"^import name +ours alone$", out, re.MULTILINE)
    assert {"python-socks", "truststore", "rel", "isal", "zlib-ng"} <= set(rows)


@pytest.mark.parametrize(
    ("name", "version"), [("websocket-client", "1.9.2"), ("websocket", "0.2.1")]
)
def test_another_distribution_beside_us_is_status_1(
    name: str, version: str, tmp_path: Path
) -> None:
    status, out = report(install(tmp_path / "site", name, version))
    assert status == 1 and "contested" in out
    assert f"{name} {version} in {tmp_path}/site/websocket" in out
    assert f"pip uninstall {name}" in out
    assert ("until pip finds none" in out) == (name == "websocket-client")


def test_one_in_the_same_folder_is_told_to_be_mixed_with_us(tmp_path: Path) -> None:
    """As when the old `websocket` package was installed over us."""
    folder = install(tmp_path / "site", "websocket", "0.2.1")
    (folder / "websocket" / "__init__.py").unlink()
    (folder / "websocket").rmdir()
    (folder / "websocket").symlink_to(ROOT / "websocket")
    status, out = report(folder)
    assert status == 1 and "files of both" in out


def test_files_of_another_package_over_ours_are_told(tmp_path: Path) -> None:
    """That one's `__init__` is imported, our `__main__` is still there."""
    ignored = shutil.ignore_patterns("__pycache__", "*.so")
    shutil.copytree(ROOT / "websocket", tmp_path / "websocket", ignore=ignored)
    (tmp_path / "websocket" / "__init__.py").write_text('__version__ = "1.9.2"\n')
    status, out = report(first=tmp_path)
    assert status == 1 and "contested" in out
    assert "The files here are not all ours" in out


def test_neighbours_with_other_names_are_no_rivals(tmp_path: Path) -> None:
    status, _ = report(install(tmp_path / "site", "websockets", "15.0", "websockets"))
    assert status == 0


def test_our_own_release_twice_is_no_rival(tmp_path: Path) -> None:
    folder = install(tmp_path / "site", "websocket_client", websocket.__version__)
    assert report(folder)[0] == 0
