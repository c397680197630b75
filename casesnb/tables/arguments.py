"""What a caller gave: refused in one sentence where it is something else."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from casesnb.tables.schema import Table


def need_table(given: object) -> None:
    """Refuse what is no table, a whole history among it."""
    if hasattr(type(given), "columns"):
        return
    if hasattr(given, "events") and hasattr(given, "changes"):
        raise TypeError(
            f"A {type(given).__name__} holds several tables. Give one of them: "
            "history.changes or history.events."
        )
    raise TypeError(
        f"This takes a history or one of its tables, not {type(given).__name__}. Give "
        "what load_history or load_histories returned, or its changes or events."
    )


def need_columns(there: Iterable[str], table: Table) -> None:
    """Refuse a frame that lacks what makes it the table that is asked for."""
    held = set(there)
    missing = [name for name in table.needs if name not in held]
    if missing:
        raise ValueError(
            f"This takes {table.source}, or some rows of it. The table given has no "
            f"{', '.join(missing)}."
        )


def need_pandas(given: object, table: Table | None = None) -> None:
    """Refuse what is not a pandas frame, or not the table that is asked for."""
    if hasattr(given, "events"):
        need_table(given)
    if not isinstance(given, pd.DataFrame):
        whose = type(given).__module__.partition(".")[0]
        raise TypeError(
            f"This takes a pandas DataFrame, not {type(given).__name__} of {whose}. "
            "Most frames become one by .to_pandas(), lazy ones by .collect().to_pandas()."
        )
    if table is not None:
        need_columns(given.columns, table)


def need_history(*given: object) -> None:
    """Refuse one table where a whole history is asked for."""
    for each in given:
        if not (hasattr(each, "events") and hasattr(each, "changes")):
            raise TypeError(
                f"This takes a whole history, not {type(each).__name__}. Give what "
                "load_history or load_histories returned."
            )


def as_ids(given: object) -> list[str]:
    """Return several ids as a list, each once, in the order given."""
    if isinstance(given, (str, bytes)):
        raise TypeError(f"{given!r} is one text. Give several in a list: [{given!r}].")
    if hasattr(given, "columns"):
        raise TypeError("A DataFrame is no list of ids. Give one column of it.")
    if hasattr(given, "to_pylist"):  # Arrow's values are no text by themselves
        given = given.to_pylist()
    if not isinstance(given, Iterable):
        raise TypeError(f"{given!r:.80} is no list of ids. Give them: ['...', '...'].")
    ids = list(dict.fromkeys(given))
    for each in ids:
        if not isinstance(each, str):
            raise TypeError(
                f"{each!r:.80} is no id: ids are text. Leave out what is missing."
            )
    return ids


def need_whole(value: object, name: str, least: int) -> None:
    """Refuse what is no whole number, or one that is too small."""
    if not isinstance(value, int) or value < least:
        raise ValueError(f"{name}={value!r}: give a whole number from {least} on.")


def moment(value: dt.datetime) -> dt.datetime:
    """Return a user's moment as a plain datetime in UTC."""
    if not isinstance(value, dt.datetime):
        raise TypeError(
            f"{value!r} is no datetime. Give datetime(2026, 3, 2, 9, tzinfo=UTC) or "
            "pd.Timestamp('2026-03-02 09:00', tz='UTC')."
        )
    if value != value or value.tzinfo is None:
        raise ValueError(
            f"{value} names no moment without its zone. Give it one: "
            "datetime(2026, 3, 2, 9, tzinfo=UTC)."
        )
    plain = dt.datetime.fromisoformat(value.isoformat(timespec="microseconds"))
    return plain.astimezone(dt.UTC)


def nearest(asked: str, known: Iterable[str], there: Iterable[str]) -> str:
    """Say which known names are nearly what was asked for, or else some that exist."""
    near = difflib.get_close_matches(asked, [*known], 3)
    said = near or [*there][:8]
    verb = "is" if len(near) == 1 else "are"
    return f"{'Near it' if near else 'There'} {verb} {', '.join(said)}."


def need_spelled(asked: Iterable[str], there: Iterable[str], what: str) -> None:
    """Refuse a value that never occurs where one not asked for is nearly the same."""
    asked, known = [*asked], {*there}
    others = {value.lower(): value for value in sorted(known - {*asked})}
    for value in asked:
        near = difflib.get_close_matches(value.lower(), others, 1, 0.85)
        if value not in known and near:
            raise ValueError(
                f"No case ever had the value {value!r} of {what}. Near it is "
                f"{others[near[0]]}."
            )
