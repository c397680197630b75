"""What a field's values are called in a picture: each so that no other is called so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from casesnb.view.plots.style import factorized
from casesnb.view.wording import is_missing, tail, value_name, value_names

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
    changes: pd.DataFrame,
    field_id: str,
    values: Iterable[Value],
    *,
    empty: str = EMPTY_WORD,
    untold: str = NOT_TOLD,
    others: Mapping[str, str] | None = None,
) -> dict[Value, str]:
    """Return what to call each value of a field: no two that are there alike."""
    labels = value_names(changes)
    called: dict[Value, str] = {}
    for kind, text in dict.fromkeys(values):
        if text is None:
            called[kind, text] = untold if kind is None else empty
            continue
        name = value_name(labels, field_id, text)
        if (field_id, text) not in labels and others and text in others:
            name = others[text]
        called[kind, text] = f"“{name}”" if _OURS.fullmatch(name) else name
    same: dict[str, list[Value]] = {}
    for value, name in called.items():
        same.setdefault(name, []).append(value)
    for name, some in same.items():
        told = [(kind, text) for kind, text in some if text is not None]
        if len(told) > 1:
            for value, apart in zip(told, _what_differs(told), strict=True):
                called[value] = f"{name} ({apart})"
    return called


def _what_differs(values: list[tuple[str | None, str]]) -> list[str]:
    """Return of each value what tells it from the others."""
    ways = (
        [tail(text) for _, text in values],
        [text for _, text in values],
        [str(kind) for kind, _ in values],
    )
    for way in ways:
        if len(set(way)) == len(way):
            return way
    return [f"{text}, {kind}" for kind, text in values]


def _plain(cell: Any) -> str | None:
    return None if is_missing(cell) else str(cell)
