"""Text on a plot: what the fonts can draw, and never as mathematics."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.font_manager import FontProperties, findfont, get_font

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.text import Text


def drawable(text: str) -> str:
    """Return `text` with a box for each character that the font lacks."""
    return text if text.isascii() else "".join(map(_drawable, text))


def literal(texts: Iterable[Text]) -> None:
    """Keep matplotlib from reading mathematics into dollar signs."""
    for text in texts:
        text.set_parse_math(False)


def _drawable(char: str) -> str:
    return char if char.isascii() or _has_glyph(char) else "▯"


@cache
def _has_glyph(char: str) -> bool:
    return any(get_font(path).get_char_index(ord(char)) for path in _font_paths())


@cache
def _font_paths() -> tuple[str, ...]:
    settings: Any = mpl.rcParams
    families: list[str] = []
    for family in settings["font.family"]:
        families += settings.get(f"font.{family}", [family])
    paths = []
    for family in families:
        try:
            paths.append(
                findfont(FontProperties(family=[family]), fallback_to_default=False)
            )
        except ValueError:
            continue
    return tuple(map(str, paths)) or (str(findfont(FontProperties())),)
