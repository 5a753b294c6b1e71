"""What has to be in the sdist and in the two wheels, and nothing else: run by bin/package."""

from __future__ import annotations

import re
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

EGG_INFO = "websocket_client.egg-info/"
"""What setuptools puts into each sdist beside the sources; so are PKG-INFO and setup.cfg."""


def findings_of_sdist(path: Path, known: set[str]) -> list[str]:
    """What is wrong with the sdist, where `known` are all files that .gitignore does not name."""
    top = path.name.removesuffix(".tar.gz") + "/"
    with tarfile.open(path) as archive:
        members = {member.name: member for member in archive if not member.isdir()}
    names = {name.removeprefix(top) for name in members}
    made = {name for name in names if name.startswith(EGG_INFO)} | {"PKG-INFO"}
    return [
        *(f"lies outside of {top}: {name}" for name in sorted(members) if not name.startswith(top)),
        *(f"is no plain file: {name}" for name in sorted(members) if not members[name].isfile()),
        *(f"is missing: {name}" for name in sorted(known - names)),
        *(f"is not in the checkout: {name}" for name in sorted(names - known - made)),
    ]


def findings_of_wheel(path: Path, known: set[str]) -> list[str]:
    """What is wrong with the wheel: it has the modules, py.typed and metadata."""
    pure = path.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        info = sorted({name.split("/")[0] + "/" for name in names if ".dist-info/" in name})
        if len(info) != 1:
            return [f"has not one .dist-info, but {len(info)}"]
        metadata = BytesParser().parsebytes(archive.read(info[0] + "METADATA"))
        wheel = BytesParser().parsebytes(archive.read(info[0] + "WHEEL"))
        licence = archive.read(info[0] + "licenses/LICENSE")
    package = {name for name in names if not name.startswith(info[0])}
    wanted = {
        name
        for name in known - {"setup.py"}
        if re.fullmatch(r"websocket/(.*\.py|py\.typed)|[^/]*\.py", name)
    }
    compiled = {name for name in package if name.endswith((".so", ".pyd"))}
    here = [
        *(f"is missing: {name}" for name in sorted(wanted - package)),
        *(f"has no place in a wheel: {name}" for name in sorted(package - wanted - compiled)),
    ]
    if len(compiled) != (0 if pure else 1):
        here.append(f"has {len(compiled)} compiled modules")
    if wheel["Root-Is-Purelib"] != str(pure).lower():
        here.append(f"says of itself Root-Is-Purelib: {wheel['Root-Is-Purelib']}")
    if licence != Path("LICENSE").read_bytes():
        here.append("has another licence than the checkout")
    return here + findings_of_metadata(metadata)


def findings_of_metadata(metadata: Message) -> list[str]:
    """What is wrong with what pip and the package index read."""
    here: list[str] = []
    for field, value in {
        "Name": "websocket-client",
        "License-Expression": "Apache-2.0",
        "Requires-Python": ">=3.10",
        "Description-Content-Type": "text/markdown",
    }.items():
        if metadata[field] != value:
            here.append(f"has {field}: {metadata[field]} instead of {value}")
    required = metadata.get_all("Requires-Dist", [])
    here += [f"requires {line}" for line in required if "extra ==" not in line]
    extras = set(metadata.get_all("Provides-Extra", []))
    here += [f"has no extra {name!r}" for name in sorted({"optional", "socks", "test"} - extras)]
    classifiers = set(metadata.get_all("Classifier", []))
    if "Typing :: Typed" not in classifiers:
        here.append("does not say that it is typed")
    here += [f"has two licences, by {name}" for name in classifiers if name.startswith("License")]
    addresses = [line.split(", ")[-1] for line in metadata.get_all("Project-URL", [])]
    here += [f"has the address {url}" for url in addresses if not url.startswith("https://")]
    return here


def main(folder: str, listed: str) -> int:
    """Print what is wrong with the packages in `folder`; `listed` holds the known files, each
    ended by NUL. Returns the exit status."""
    known = set(Path(listed).read_text(encoding="utf-8").split("\0")) - {""}
    packages = sorted(Path(folder).iterdir())
    kinds = sorted(path.name.split("-")[-1].split(".", 1)[-1] for path in packages)
    failed = 0
    if len(packages) != 3:
        print(f"three packages were expected, there are: {kinds}", file=sys.stderr)
        failed = 1
    for path in packages:
        check = findings_of_sdist if path.name.endswith(".tar.gz") else findings_of_wheel
        for finding in check(path, known):
            print(f"{path.name} {finding}", file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
