#!/usr/bin/env python3
"""Installs Autobahn|Testsuite on Python 3 into a directory: `setup_wstest.py DIR`.

The package index's autobahntestsuite is Python 2.7 source. This script takes that release (pinned
by SHA-256), converts it (see suite_convert.py and suite_patches.py), and puts it into a virtual
environment beside the WebSocket engine that the suite itself pins. It leaves:

    DIR/venv         the interpreter and the packages
    DIR/wstest       launcher, with the command line of the original
    DIR/cases.json   the ids, sections and descriptions of all cases

It does nothing when DIR was completed by this same script. It needs a Python 3.9 to 3.12 (which it
looks for when started by another one), a package index, and about 20 seconds.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile

from suite_convert import convert, replace_exactly
from suite_patches import BUILD, DEPENDENCIES, ENGINE, ENGINE_PATCHES, SUITE_SHA256, SUITE_VERSION

# lib2to3 left in 3.13; the pinned setuptools needs 3.9.
SUPPORTED = ((3, 9), (3, 12))
CANDIDATES = ("python3.11", "python3.12", "python3.10", "python3.9")
NEEDED = "import ensurepip, lib2to3, venv"
FILES = ("setup_wstest.py", "suite_convert.py", "suite_patches.py")

CATALOGUE = """
import json, re, sys
import autobahntestsuite
from autobahntestsuite import case
from autobahntestsuite.caseset import CaseSet
suite = CaseSet("", case.CaseBasename, case.Cases, case.CaseCategories, case.CaseSubCategories)
text = lambda html: " ".join(re.sub("<[^>]*>", " ", html).split())
cases = {suite.caseClasstoId(c): text(c.DESCRIPTION) for c in case.Cases}
json.dump({"version": autobahntestsuite.version, "sections": case.CaseCategories,
           "subsections": case.CaseSubCategories, "cases": cases}, sys.stdout, indent=1)
"""


def log(message: str) -> None:
    """One line of progress."""
    print(f"[setup_wstest] {message}", flush=True)


def serves(python: str) -> str | None:
    """None if the interpreter `python` can install the suite, otherwise what it lacks."""
    path = shutil.which(python)
    if path is None:
        return "not there"
    run = subprocess.run([path, "-W", "ignore", "-c", NEEDED], capture_output=True, text=True)
    if run.returncode == 0:
        return None
    return (run.stderr.strip().splitlines() or ["does not start"])[-1]


def reexecute() -> None:
    """Continue in a Python that can do it, unless this one can; SystemExit says what is missing."""
    if SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1] and serves(sys.executable) is None:
        return
    lacks: list[str] = []
    for python in CANDIDATES:
        problem = serves(python)
        if problem is None:
            os.execvp(python, [python, os.path.abspath(__file__), *sys.argv[1:]])
        lacks.append(f"  {python}: {problem}")
    raise SystemExit(
        "Autobahn|Testsuite needs a Python 3.9 to 3.12 with the modules venv, ensurepip and"
        " lib2to3 (Debian: apt-get install python3-venv python3-lib2to3). Looked at:\n"
        + "\n".join(lacks)
    )


def digest(target: str) -> str:
    """What a completed installation is recognised by: these scripts and the place."""
    state = hashlib.sha256(target.encode())
    for name in FILES:
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), "rb") as file:
            state.update(file.read())
    return state.hexdigest()


def install_packages(target: str) -> str:
    """Make the virtual environment with everything but the suite; returns its interpreter."""
    venv = os.path.join(target, "venv")
    shutil.rmtree(venv, ignore_errors=True)
    subprocess.check_call([sys.executable, "-m", "venv", venv])
    python = os.path.join(venv, "bin", "python")
    install = [python, "-m", "pip", "-qq", "--disable-pip-version-check", "install"]
    subprocess.check_call([*install, *BUILD])
    subprocess.check_call([*install, *DEPENDENCIES])
    subprocess.check_call([*install, "--no-deps", "--no-build-isolation", *ENGINE])
    return python


def download_suite(python: str, target: str) -> str:
    """Fetch, verify and unpack the release; returns the directory of its package."""
    downloads, source = os.path.join(target, "download"), os.path.join(target, "source")
    pip = [python, "-m", "pip", "-qq", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--no-binary", ":all:", "-d", downloads]
    subprocess.check_call([*pip, "download", *options, f"autobahntestsuite=={SUITE_VERSION}"])
    archive = os.path.join(downloads, f"autobahntestsuite-{SUITE_VERSION}.tar.gz")
    with open(archive, "rb") as file:
        found = hashlib.sha256(file.read()).hexdigest()
    if found != SUITE_SHA256:
        raise SystemExit(f"autobahntestsuite: SHA-256 is {found}, expected {SUITE_SHA256}")
    shutil.rmtree(source, ignore_errors=True)
    with tarfile.open(archive) as tar:
        # Old versions have no filters, new ones complain without; the digest was checked above.
        if hasattr(tarfile, "data_filter"):
            tar.extractall(source, filter="data")
        else:
            tar.extractall(source)
    return os.path.join(source, f"autobahntestsuite-{SUITE_VERSION}", "autobahntestsuite")


def install_suite(python: str, package: str) -> None:
    """Put the converted suite beside the patched engine."""
    where = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    site = subprocess.check_output([python, "-c", where], text=True).strip()
    files, literals = convert(package, os.path.join(site, "autobahntestsuite"))
    log(f"converted {files} files, {literals} payload literals made bytes")
    for name, old, new, count in ENGINE_PATCHES:
        path = os.path.join(site, name)
        with open(path, encoding="utf-8") as file:
            text = replace_exactly(file.read(), old, new, count, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def write_launcher(python: str, target: str) -> None:
    """Leave the command and the list of cases, which also proves that the suite imports."""
    launcher = os.path.join(target, "wstest")
    with open(launcher, "w", encoding="utf-8") as file:
        run = "from autobahntestsuite.wstest import run; run()"
        file.write(f'#!/bin/sh\nexec "{python}" -W ignore -c "{run}" "$@"\n')
    os.chmod(launcher, 0o755)
    catalogue = subprocess.check_output([python, "-W", "ignore", "-c", CATALOGUE], text=True)
    with open(os.path.join(target, "cases.json"), "w", encoding="utf-8") as file:
        file.write(catalogue)


def main() -> None:
    """Install into the directory of the command line."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    reexecute()
    target = os.path.abspath(sys.argv[1])
    marker = os.path.join(target, ".complete")
    stamp = digest(target)
    if os.path.exists(marker):
        with open(marker, encoding="utf-8") as file:
            if file.read() == stamp:
                return
        os.remove(marker)
    os.makedirs(target, exist_ok=True)
    with open(os.path.join(target, ".gitignore"), "w", encoding="utf-8") as file:
        file.write("*\n")
    log(f"installing Autobahn|Testsuite {SUITE_VERSION}, about 20 seconds")
    try:
        python = install_packages(target)
        install_suite(python, download_suite(python, target))
        write_launcher(python, target)
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"this failed: {' '.join(error.cmd)}") from error
    with open(marker, "w", encoding="utf-8") as file:
        file.write(stamp)
    log("ready")


if __name__ == "__main__":
    main()
