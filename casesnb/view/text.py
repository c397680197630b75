"""Text that strangers wrote, made safe to look at: visible, short, escaped."""

from __future__ import annotations

import html
import unicodedata

_JOINERS = "\u200c\u200d"  # these hold emoji and some scripts together
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # no shape of their own, or they turn others


def visible(text: str, *, lines: bool = False) -> str:
    """Return `text` with its control and direction characters made visible."""
    if text.isprintable():
        return text
    plain = text.replace("\r\n", "\n")
    if not lines:
        plain = plain.replace("\n", "⏎").replace("\t", " ")
    return "".join(map(_shown, plain))


def shortened(text: str, width: int) -> str:
    """Return `text` on one line of at most `width` characters, all visible."""
    plain = visible(text[: width + 1])  # a text may be long: look at what can be shown
    if len(plain) <= width and len(text) <= width:
        return plain
    return f"{plain[: width - 1].rstrip()}…"


def escaped(text: str) -> str:
    """Return `text` ready to stand in HTML, in an attribute too."""
    return html.escape(visible(text, lines=True))


def _shown(char: str) -> str:
    if char.isprintable() or char in "\n\t" or char in _JOINERS:
        return char
    if unicodedata.category(char) in _HIDDEN:
        return f"‹U+{ord(char):04X}›"
    return char
