"""Which colour a value has: one in all lanes, cases and pictures of a session.

Where two that are drawn together have the same one, the later gets another there.

Colours are light enough for words to be read on them. A closed status is grey; the
other options of a field take theirs by the domain's order, where that is known.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from casesnb.view.plots.style import Ink
from casesnb.view.wording import value_name, value_names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import pandas as pd

VALUES = (
    Ink("", "#86b0e0", "o", ""),
    Ink("", "#f4dc92", "D", "///"),
    Ink("", "#5fb3a1", "s", "..."),
    Ink("", "#f2b3c4", "^", "\\\\\\"),
    Ink("", "#cfe9f9", "v", "---"),
    Ink("", "#e3936a", "X", "xxx"),
    Ink("", "#c3cc5c", "P", "||"),
    Ink("", "#9a8fc6", "*", "++"),
)
"""How values are drawn, told apart by hatch too where they are areas."""

CLOSED_VALUES = tuple(Ink("", "#c9d1d8", "o", hatch) for hatch in ("", "//", ".."))
"""How statuses that mean closed are drawn."""

THE_REST = Ink("", "#eceff2", "o", "")
"""How what shares one place with others is drawn."""

TINTS = (*(ink.colour for ink in VALUES), CLOSED_VALUES[0].colour)
"""The colour of each number that `Colours` gives."""

_GREY = len(VALUES)  # the number of what is closed
_HATCHES = 3  # from the hatch of a colour to that of its next turn
_MANY = 1 << 30  # more than a session draws of one field


class Colours:
    """The number of each value's colour, given when the value is first drawn."""

    def __init__(self) -> None:
        # Of texts by their hash: none is kept.
        self._number: dict[int, int] = {}
        self._turn: dict[int, int] = {}  # the how manyth it was to get its number
        self._often: dict[str, list[int]] = {}  # of each field, by number

    def numbers(
        self,
        field_id: str,
        names: Sequence[str],
        *,
        closed: Collection[str] = (),
        options: Mapping[str, int] | None = None,
        beside: Mapping[str, Collection[str]] | None = None,
    ) -> list[int]:
        """Return a place in `TINTS` for each name of a field's values."""
        often = self._often.setdefault(field_id, [0] * _GREY)
        taken = [n / _MANY for n in often]  # how often here, then how often ever
        place = options or {}
        keys = {name: _key(name) for name in names if name not in closed}
        for key in keys.values():
            if self._number.get(key, _GREY) != _GREY:
                taken[self._number[key]] += 1
        for name in sorted(keys, key=lambda name: place.get(name, len(place))):
            if keys[name] in self._number:
                continue
            wanted = place.get(name, 0) % _GREY
            if name not in place or taken[wanted] >= 1:
                wanted = taken.index(min(taken))
            self._give(keys[name], wanted)
            taken[wanted] += 1 + 1 / _MANY
            often[wanted] += 1
        for name in closed:
            self._give(_key(name), _GREY)
        shown = self._apart(keys, taken, beside or {})
        return [shown.get(name, _GREY) for name in names]

    def _give(self, key: int, number: int) -> None:
        self._number.setdefault(key, number)
        self._turn.setdefault(key, len(self._turn))

    def _apart(
        self,
        keys: Mapping[str, int],
        taken: list[float],
        beside: Mapping[str, Collection[str]],
    ) -> dict[str, int]:
        """Return the number of each name in one picture."""
        # Of two that got the same one in different pictures, the later has another
        # here, if one is free or the two are drawn side by side.
        shown: dict[str, int] = {}
        there: set[int] = set()
        for name in sorted(keys, key=lambda name: self._turn[keys[name]]):
            number = self._number[keys[name]]
            near = {shown[other] for other in beside.get(name, ()) if other in shown}
            is_twice = number in there and min(taken) < 1
            if number != _GREY and (is_twice or number in near):
                free = [n for n in range(_GREY) if n not in near] or [number]
                number = min(free, key=lambda n: taken[n])
                taken[number] += 1
            there.add(number)
            shown[name] = number
        return shown


_SESSION = Colours()
_NOW = ContextVar("colours", default=_SESSION)


@contextmanager
def colours_of(own: Colours) -> Iterator[None]:
    """Draw with colours of one's own, whatever the session has drawn before."""
    token = _NOW.set(own)
    try:
        yield
    finally:
        _NOW.reset(token)


def tints_of(field_id: str, names: Sequence[str], **known: Any) -> list[int]:
    """Return a place in `TINTS` for each name of a field's values."""
    return _NOW.get().numbers(field_id, names, **known)


def inks_of(
    field_id: str,
    names: Sequence[str],
    *,
    closed: Collection[str] = (),
    options: Mapping[str, int] | None = None,
    rest: str = "",
) -> list[Ink]:
    """Return how each of a field's values is drawn as an area, and the rest of them."""
    numbers = tints_of(field_id, names, closed=closed, options=options)
    often = [0] * (_GREY + 1)
    inks = []
    for name, number in zip(names, numbers, strict=True):
        again = often[number]
        often[number] += 1
        if number == _GREY:
            ink = CLOSED_VALUES[again % len(CLOSED_VALUES)]
        else:  # a colour that is there already has another hatch
            hatch = VALUES[(number + _HATCHES * again) % len(VALUES)].hatch
            ink = VALUES[number]._replace(hatch=hatch)
        inks.append(ink._replace(label=name))
    return [*inks, THE_REST._replace(label=rest)] if rest else inks


def options_of(changes: pd.DataFrame, field_id: str) -> dict[str, int]:
    """Return the place of each value's name among the options of its field."""
    if "new_option" not in changes:
        return {}
    own = (changes["field_id"] == field_id) & changes["new_option"].notna()
    once = changes[own.to_numpy(dtype=bool)].drop_duplicates("new")
    names = value_names(once)
    return {
        value_name(names, field_id, value): int(place)
        for value, place in zip(once["new"], once["new_option"], strict=True)
    }


def _key(name: str) -> int:
    """Return what stands for a value, however its name is spelled."""
    return hash(re.sub(r"[\W_]+", " ", name).strip().casefold() or name)
