"""How the site is built: `bin/docs`, or `python -m sphinx docs docs/_build`. Needs no network."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_extensions")]

import websocket  # noqa: E402

project = "websocket-client"
author = "its authors"
copyright = f"{author}. Licence: Apache-2.0"
version = release = websocket.__version__

extensions = [
    "sphinx.ext.autodoc",
    "myst_parser",
    "matrix_cells",
    "outside_links",
    "prose_docstrings",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "README.md"]  # that one is the index for readers of the repository

# --- Markdown ----------------------------------------------------------------------------------
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 4  # the same anchors as where the repository is browsed
myst_footnote_transition = False
highlight_language = "text"

# --- the reference -----------------------------------------------------------------------------
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
add_module_names = False
toc_object_entries_show_parents = "hide"
nitpicky = True
smartquotes = False  # "" is an empty text, and no quotation

# --- looks -------------------------------------------------------------------------------------
html_theme = "furo"
html_title = f"websocket-client {release}"
html_short_title = "websocket-client"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/mark.svg"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
pygments_style = "code_colours.Light"
pygments_dark_style = "code_colours.Dark"

_SANS = (
    'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", '
    '"Liberation Sans", Arial, sans-serif'
)
_MONO = (
    'ui-monospace, SFMono-Regular, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", '
    '"Liberation Mono", monospace'
)

html_theme_options = {
    "light_logo": "wordmark-light.svg",
    "dark_logo": "wordmark-dark.svg",
    "sidebar_hide_name": True,
    "navigation_with_keys": True,
    "light_css_variables": {
        "font-stack": _SANS,
        "font-stack--monospace": _MONO,
        "color-brand-primary": "#0a6c83",
        "color-brand-content": "#0a6c83",
        "color-brand-visited": "#0a6c83",
        "color-api-name": "#0a6c83",
        "color-api-pre-name": "#5b6b73",
    },
    "dark_css_variables": {
        "color-brand-primary": "#5ad1e6",
        "color-brand-content": "#5ad1e6",
        "color-brand-visited": "#5ad1e6",
        "color-api-name": "#5ad1e6",
        "color-api-pre-name": "#93a4ac",
        "color-background-primary": "#12171a",
        "color-background-secondary": "#171d21",
        "color-background-hover": "#1f272c",
        "color-code-background": "#1a2126",
    },
}
