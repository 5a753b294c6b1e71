"""Links to files above docs/, such as ../SECURITY.md, which are right where the repository is
browsed: in the site they lead to the pages that stand for those files."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["PAGES", "inside", "setup"]

# Above docs/ or not part of the site -> the page, both relative to docs/.
PAGES = {
    "README.md": "index.md",
    "../README.md": "index.md",
    "../CHANGELOG.md": "changelog.md",
    "../CONTRIBUTING.md": "contributing.md",
    "../SECURITY.md": "security.md",
    "../examples": "examples.md",
    "../compliance/report.md": "compliance.md",
}

_LINK = re.compile(r"(?<=\]\()([^)#\s:]+)(#[^)\s]*)?(?=\))")


def inside(text: str, page: str) -> str:
    """The text of a page (`page` is its name, as howto/tls) with its links turned inwards."""
    folder = posixpath.dirname(page)

    def turned(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[1]))
        if target.startswith("../examples/"):
            target = "../examples"
        stands_for = PAGES.get(target)
        if stands_for is None:
            return link[0]
        return posixpath.relpath(stands_for, folder or ".") + (link[2] or "")

    return _LINK.sub(turned, text)


def setup(app: Sphinx) -> dict[str, bool]:
    def turn(app: Sphinx, page: str, source: list[str]) -> None:
        source[0] = inside(source[0], page)

    app.connect("source-read", turn)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
