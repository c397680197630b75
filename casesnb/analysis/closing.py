"""What closed means: the same in every number and every picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from casesnb.tables.arguments import as_ids, nearest
from casesnb.tables.frames import opened, rows_of
from casesnb.tables.schema import CHANGES

if TYPE_CHECKING:
    from collections.abc import Sequence

CLOSED = "closed"
"""The status of a closed case, by AWS's own name for it."""


def closed_values(changes: object, closed: str | Sequence[str]) -> tuple[str, ...]:
    """Return the statuses that mean closed, in small letters; refuse what never is."""
    asked = as_ids([closed] if isinstance(closed, str) else closed)
    if not asked:
        raise ValueError("closed=() is no status. Name one, such as 'closed'.")
    values = dict.fromkeys(value.lower() for value in asked)
    if values.keys() == {CLOSED}:  # what every domain has is not misspelt
        return (CLOSED,)
    of_status = opened(changes, CHANGES).filter(nw.col("field_id") == "status")
    rows = rows_of(of_status.select("old", "new").unique())
    known = {text for row in rows for text in row.values() if text}
    there = {text.lower() for text in known} | {CLOSED}
    for value in asked if known else ():
        if value.lower() not in there:
            near = nearest(value.lower(), sorted(there), sorted(known))
            raise ValueError(f"No case was ever {value!r}. {near}")
    return tuple(values)


def is_closed(status: nw.Expr, closed: Sequence[str]) -> nw.Expr:
    """Return whether a status is one that means closed, however it is spelled."""
    # pandas 2 has numbers where all are missing.
    return status.cast(nw.String).str.to_lowercase().is_in(closed).fill_null(False)
