"""The colours of programs in the site: three for what carries meaning, grey for comments."""

from __future__ import annotations

from typing import ClassVar

from pygments.style import Style
from pygments.token import Comment, Error, Keyword, Name, Number, Operator, String, Token

__all__ = ["Dark", "Light"]


def _styles(ink: str, word: str, text: str, number: str, comment: str) -> dict[object, str]:
    return {
        Token: ink,
        Comment: f"italic {comment}",
        Keyword: f"bold {word}",
        Keyword.Constant: number,
        Operator.Word: f"bold {word}",
        Name.Decorator: number,
        Number: number,
        String: text,
        String.Interpol: number,
        Error: ink,
    }


class Light(Style):
    """On white; every colour has a contrast of at least 4.5."""

    background_color = "#f8f9fb"
    styles: ClassVar[dict[object, str]] = _styles(
        "#1c2a30", "#0a6c83", "#2f6f2f", "#a8480f", "#66757c"
    )


class Dark(Style):
    """On near-black; the same colours, lighter."""

    background_color = "#1a2126"
    styles: ClassVar[dict[object, str]] = _styles(
        "#dfe7ea", "#5ad1e6", "#a5d58a", "#ffab7a", "#8c9ba3"
    )
