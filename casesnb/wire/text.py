"""Text that strangers wrote, made safe to look at: visible, short, or only its shape."""

from __future__ import annotations

import json
import math
import unicodedata
from dataclasses import dataclass
from typing import Any

_MOST_DIGITS = 4_000  # Python reads no more as one number
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


@dataclass(frozen=True, slots=True)
class Large:
    """A number that is too large for a float, as it was written."""

    text: str

    def __str__(self) -> str:
        return self.text


def read_json(body: bytes, **hooks: Any) -> Any:
    """Read JSON; a number that no float holds keeps its text."""
    return json.loads(body, parse_float=_float, parse_int=_int, **hooks)


def _float(text: str) -> float | Large:
    return Large(text) if math.isinf(value := float(text)) else value


def _int(text: str) -> int | Large:
    return Large(text) if len(text) > _MOST_DIGITS else int(text)


def shape(value: object) -> str:
    """Return what a JSON value is, and nothing of what it says."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float() | Large():
            return "a number"
        case str():
            return f"a text of {_counted(value, 'character')}"
        case list():
            return f"a list of {_counted(value, 'item')}"
        case dict():
            return f"an object of {_counted(value, 'member')}"
    return type(value).__name__


def _counted(values: str | list[object] | dict[object, object], noun: str) -> str:
    return f"{len(values):,} {noun}{'' if len(values) == 1 else 's'}"


def _shown(char: str) -> str:
    if char.isprintable() or char in "\n\t" or char in _JOINERS:
        return char
    if unicodedata.category(char) in _HIDDEN:
        return f"‹U+{ord(char):04X}›"
    return char
