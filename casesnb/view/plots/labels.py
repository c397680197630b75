"""Text on a plot: in a font that has its characters, and never as mathematics."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

import matplotlib as mpl
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

from casesnb.view.text import shortened, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.text import Text

BOX = "▯"
"""What stands for a character that no font of the machine has."""

_FINE = 100  # points, at which no rounding tells
_SLACK = 1.03  # on a page letters take whole pixels

# Their glyphs are bitmaps, or say only which script it would be.
_UNFIT = ("color", "lastresort", "last resort")


def drawable(text: str) -> str:
    """Return `text` with a box for each character that no font has."""
    return text if text.isascii() else "".join(map(_drawable, text))


def apart(names: Sequence[str], width: int) -> list[str]:
    """Return names of at most `width` characters, those that differ still unlike."""
    shown = [shortened(name, width) for name in names]
    for _ in range(2):
        if len({*shown}) == len({*names}):
            return shown
        often = Counter(dict(zip(names, shown, strict=True)).values())
        shown = [
            text if often[text] == 1 else _both_ends(name, width)
            for name, text in zip(names, shown, strict=True)
        ]
    place = {name: f" {i}" for i, name in enumerate(dict.fromkeys(names), 1)}
    often = Counter(dict(zip(names, shown, strict=True)).values())
    return [
        text
        if often[text] == 1
        else shortened(name, max(width - len(place[name]), 1)) + place[name]
        for name, text in zip(names, shown, strict=True)
    ]


def _both_ends(name: str, width: int) -> str:
    """Return a name without its middle."""
    n_last = max((width - 1) // 2, 1)
    first, last = visible(name[:width]), visible(name[-n_last:])
    return f"{first[: max(width - 1 - n_last, 0)]}…{last[-n_last:]}"


def literal(texts: Iterable[Text]) -> None:
    """Draw texts as they stand: no mathematics, other fonts where theirs lacks some."""
    for text in texts:
        text.set_parse_math(False)
        if not (shown := text.get_text()).isascii():
            others = dict.fromkeys(filter(None, map(_other_font, shown)))
            if others:
                text.set_fontfamily([*text.get_fontfamily(), *others])


def n_letters(text: str) -> int:
    """Return how many letters of ours a text is as wide as."""
    if text.isascii():
        return len(text)
    return sum(1 + (east_asian_width(char) in "WF") for char in text)


def width_of(text: str, size: float, weight: str = "normal") -> float:
    """Return about how many points a line is wide, in our font."""
    return sum(_advance(char, weight) for char in text) * size * _SLACK


@cache
def _advance(char: str, weight: str) -> float:
    """Return how wide a letter of our font is, of its size."""
    font = get_font(str(findfont(FontProperties(weight=weight))))
    font.set_size(_FINE, 72)
    # What the font may lack is taken to be as wide as its widest letters.
    plain = char if char.isascii() and char.isprintable() else "M"
    return (
        n_letters(char) * font.load_char(ord(plain)).linearHoriAdvance / 65536 / _FINE
    )


def other_fonts(sample: str) -> list[str]:
    """Return the fonts that stand in for ours, for some characters that it lacks."""
    return [*dict.fromkeys(filter(None, map(_other_font, sample)))]


def _drawable(char: str) -> str:
    is_there = char.isascii() or _has_glyph(char) or _other_font(char)
    return char if is_there else BOX


@cache
def _has_glyph(char: str) -> bool:
    return any(get_font(path).get_char_index(ord(char)) for path in _font_paths())


@cache
def _other_font(char: str) -> str:
    """Return the family of a font that has what ours lacks, or nothing."""
    if char.isascii() or _has_glyph(char):
        return ""
    own = mpl.get_data_path()  # what it draws formulas with has a letter here and there
    for font in sorted(fontManager.ttflist, key=lambda font: (font.name, font.fname)):
        is_unfit = any(word in font.name.lower() for word in _UNFIT)
        if is_unfit or font.fname.startswith(own):
            continue
        try:
            if get_font(font.fname).get_char_index(ord(char)):
                return str(font.name)
        except (OSError, RuntimeError):  # gone since the list was made, or no font
            continue
    return ""


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
