"""What a field's values are called in a picture: each so that no other is called so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from casesnb.view.plots.style import factorized
from casesnb.view.wording import is_missing, tail, value_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    Numbers = np.ndarray[Any, Any]
    Value = tuple[str | None, str | None]  # its kind, and its text

EMPTY_WORD = "empty"
NOT_TOLD = "not told"
NOBODY = "nobody"

_OURS = re.compile(rf"{EMPTY_WORD}|{NOT_TOLD}|{NOBODY}|other \(\d+\)|\s*")


def values_of(rows: pd.DataFrame, side: str = "") -> tuple[Numbers, list[Value]]:
    """Return a number for the value of each row, and the values that they stand for."""
    kind, kinds = factorized(rows[f"{side}kind"])
    text, texts = factorized(rows[f"{side}value"])
    wide = max(len(kinds), 1)
    pairs, codes = np.unique(text * wide + kind, return_inverse=True)
    found = [(kinds[pair % wide], texts[pair // wide]) for pair in pairs]
    return codes, [(_plain(kind), _plain(text)) for kind, text in found]


def names_of(
    labels: Mapping[tuple[str, str], str],
    field_id: str,
    values: Iterable[Value],
    *,
    empty: str = EMPTY_WORD,
    untold: str = NOT_TOLD,
    others: Mapping[str, str] | None = None,
) -> dict[Value, str]:
    """Return what to call each value of a field: no two that are there alike."""
    called: dict[Value, str] = {}
    for kind, text in dict.fromkeys(values):
        if text is None:
            called[kind, text] = untold if kind is None else empty
            continue
        name = value_name(labels, field_id, text)
        if (field_id, text) not in labels and others and text in others:
            name = others[text]
        called[kind, text] = f"“{name}”" if _OURS.fullmatch(name) else name
    told = {value: name for value, name in called.items() if value[1] is not None}
    return called | _apart(told)


def unlike(called: Mapping[str, str]) -> dict[str, str]:
    """Return the names of ids, those that several bear with the id behind them."""
    told = _apart({(None, text): name for text, name in called.items()})
    return {str(text): name for (_, text), name in told.items()}


def _apart(called: Mapping[Value, str]) -> dict[Value, str]:
    """Return names of values, those that several bear with what tells them apart."""
    bearers: dict[str, list[Value]] = {}
    for value, name in called.items():
        bearers.setdefault(name, []).append(value)
    apart = dict(called)
    for name, values in bearers.items():
        if len(values) > 1:
            for value, differs in zip(values, _what_differs(values), strict=True):
                apart[value] = f"{name} ({differs})"
    return apart


def _what_differs(values: list[Value]) -> list[str]:
    """Return of each value what tells it from the others."""
    ways = (
        [tail(str(text)) for _, text in values],
        [str(text) for _, text in values],
        [str(kind) for kind, _ in values],
    )
    for way in ways:
        if len(set(way)) == len(way):
            return way
    return [f"{text}, {kind}" for kind, text in values]


def _plain(cell: Any) -> str | None:
    return None if is_missing(cell) else str(cell)
