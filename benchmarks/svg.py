"""A few shapes as SVG, in colours that suit a light page and a dark one."""

from __future__ import annotations

from html import escape

__all__ = ["Canvas", "class_of"]

# Each: on a light page, on a dark one. Hues that stay apart for colour-blind eyes.
_COLOURS = {
    "ours": ("#d9480f", "#ff8a4c"),
    "ours-pure": ("#f4a988", "#a85a35"),
    "floor": ("#868e96", "#8b949e"),
    "bio": ("#adb5bd", "#6e7681"),
    "picows": ("#1864ab", "#5aa9f0"),
    "picows-websockets": ("#7ab8ea", "#2f6fa8"),
    "aiohttp": ("#2b8a3e", "#57c26b"),
    "websockets": ("#862e9c", "#cf8ce0"),
    "websocket-client": ("#343a40", "#e6edf3"),
    "curl-cffi": ("#b08800", "#e3b341"),
    "wsproto": ("#0b7285", "#3bc9db"),
    "peer": ("#9db2c4", "#4d6479"),
}
_PAGE = {
    "card": ("#ffffff", "#0d1117"),
    "edge": ("#d0d7de", "#30363d"),
    "line": ("#e3e7eb", "#262c34"),
    "ink": ("#1f2328", "#e6edf3"),
    "soft": ("#59636e", "#9198a1"),
}
_FONT = "system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif"


def class_of(name: str) -> str:
    """The class of a library's colour."""
    known = {"ours, pure Python": "ours-pure", "BIO": "bio"}
    return known.get(name, name.replace(".", "-").replace("_", "-"))


class Canvas:
    """A picture that grows by one shape after the other."""

    def __init__(self, width: float, height: float, title: str):
        self.width, self.height, self.title = width, height, title
        self._parts: list[str] = []

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float = 12,
        colour: str = "ink",
        anchor: str = "start",
        bold: bool = False,
    ) -> None:
        """Words; `y` is the line they stand on."""
        weight = ' font-weight="600"' if bold else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}"'
            f'{weight} class="fill-{colour}">{escape(words)}</text>'
        )

    def line(
        self, start: tuple[float, float], end: tuple[float, float], *, colour: str, width: float = 1
    ) -> None:
        """A straight line."""
        (x1, y1), (x2, y2) = start, end
        self._parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
            f' stroke-width="{width:g}" class="stroke-{colour}"/>'
        )

    def path(
        self,
        points: list[tuple[float, float]],
        *,
        colour: str,
        width: float = 1.5,
        dashed: bool = False,
    ) -> None:
        """A line through all points."""
        steps = " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        dashes = ' stroke-dasharray="4 4"' if dashed else ""
        self._parts.append(
            f'<path d="M{steps}" fill="none" stroke-width="{width:g}" stroke-linejoin="round"'
            f'{dashes} class="stroke-{colour}"/>'
        )

    def bar(self, x: float, y: float, width: float, height: float, *, colour: str) -> None:
        """A bar whose right end is a little round."""
        radius = min(2.0, width / 2)
        self._parts.append(
            f'<path d="M{x:.1f} {y:.1f}h{width - radius:.1f}q{radius:g} 0 {radius:g} {radius:g}'
            f"v{height - 2 * radius:.1f}q0 {radius:g} -{radius:g} {radius:g}"
            f'h-{width - radius:.1f}z" class="fill-{colour}"/>'
        )

    def dot(self, x: float, y: float, radius: float, *, colour: str) -> None:
        """A disc with a rim of the page's colour, so that neighbours stay apart."""
        self._parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" stroke-width="1"'
            f' class="fill-{colour} stroke-card"/>'
        )

    def cut(self, x: float, y: float, height: float) -> None:
        """The sign that a bar is longer than it is drawn."""
        for shift in (0, 5):
            self.line(
                (x + shift - 3, y + height + 1), (x + shift + 3, y - 1), colour="card", width=2
            )

    def __str__(self) -> str:
        width, height = f"{self.width:g}", f"{self.height:g}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
            f' viewBox="0 0 {width} {height}" role="img" font-family="{_FONT}">\n'
            f"<title>{escape(self.title)}</title>\n<style>{_style()}</style>\n"
            f'<rect x="0.5" y="0.5" width="{self.width - 1:g}" height="{self.height - 1:g}" rx="8"'
            ' class="fill-card stroke-edge"/>\n' + "\n".join(self._parts) + "\n</svg>\n"
        )


def _style() -> str:
    def rules(which: int) -> str:
        return "".join(
            f".fill-{name}{{fill:{colours[which]}}}.stroke-{name}{{stroke:{colours[which]}}}"
            for name, colours in {**_COLOURS, **_PAGE}.items()
        )

    return f"{rules(0)}@media (prefers-color-scheme:dark){{{rules(1)}}}"
