"""Cells of the feature matrix that begin with no are marked, so that they can look different."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["setup"]


def _mark(app: Sphinx, tree: nodes.document) -> None:
    for container in tree.findall(nodes.container):
        if "matrix" not in container["classes"]:
            continue
        for row in container.findall(nodes.row):
            for cell in list(row.findall(nodes.entry))[1:]:
                text = cell.astext()
                word = text.partition(",")[0]
                cell["classes"].append("no" if word == "no" else "some")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", _mark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
