"""Rows by the key that they share: told apart, summed, looked up and carried on.

Arrow joins and groups by texts slowly and in any order, so its rows go by numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from casesnb.tables.arrow import carried, numbered, numbers, order_of, rows_at
from casesnb.tables.frames import texts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def told_apart(frame: Any, name: str, columns: Sequence[str]) -> Any:
    """Return rows with one column in place of several that tell them apart."""
    if not frame.implementation.is_pyarrow():
        *others, last = columns
        if isinstance(frame, nw.DataFrame):  # one domain tells no case from another
            others = [column for column in others if frame[column].n_unique() > 1]
        parts = [nw.col(n).cast(nw.String).fill_null("\x1e") for n in (*others, last)]
        told = nw.concat_str(*parts, separator="\x1f") if others else parts[0]
        return frame.with_columns(told.alias(name))
    native = frame.to_native()
    number, size = np.zeros(len(native), "int64"), 1
    for column in columns:
        codes, count = numbers(native[column])
        if size * (count + 1) >= 2**63:
            found, number = np.unique(number, return_inverse=True)
            size = len(found)
        number = number * (count + 1) + codes + 1  # 0 is none
        size *= count + 1
    return frame.with_columns(nw.new_series(name, number, backend=frame.implementation))


def beside_all(frame: Any, key: Sequence[str], **told: Any) -> Any:
    """Return rows beside what all rows of their key come to."""
    if not frame.implementation.is_pyarrow():
        return frame.with_columns(**{n: each.over(*key) for n, each in told.items()})
    # Narwhals joins for this, and Arrow's joins give a table's rows in any order.
    rows = told_apart(frame, "group_", key)
    found = rows.group_by("group_").agg(**told)
    found = looked_up(rows.select("group_"), found, ["group_"])
    return frame.with_columns(*(found[name] for name in told))


def carried_by(
    frame: Any,
    part: Sequence[str],
    order: Sequence[str],
    *,
    on: Sequence[str],
    back: Sequence[str],
    **after: str,
) -> Any:
    """Return rows whose gaps are filled from before, or after, and next to others."""
    if not frame.implementation.is_pyarrow():
        found = {n: nw.col(n).fill_null(strategy="forward") for n in on}
        found |= {n: nw.col(n).fill_null(strategy="backward") for n in back}
        found |= {n: nw.col(source).shift(-1) for n, source in after.items()}
        return frame.with_columns(
            **{n: value.over(*part, order_by=order) for n, value in found.items()}
        )
    rows = told_apart(frame, "group_", part).to_native()
    keys = [rows[name].to_numpy().astype("int64") for name in ("group_", *order)]
    keys = [key - key.min(initial=0) for key in keys]
    place = order_of(*((key, int(key.max(initial=0)) + 1) for key in keys))
    rows, group = rows.drop(["group_"]).take(place), keys[0][place]
    is_last = np.append(group[1:] != group[:-1], True)[: len(group)]
    columns = dict(zip(rows.column_names, rows.columns, strict=True))
    columns |= {name: carried(columns[name], is_last) for name in on}
    columns |= {name: carried(columns[name], is_last, back=True) for name in back}
    then = pa.array(np.arange(1, len(group) + 1), mask=is_last)
    columns |= {name: rows[source].take(then) for name, source in after.items()}
    return nw.from_native(pa.table(columns))


def with_numbers(*frames: Any) -> tuple[list[Any], Callable[[Any], Any]]:
    """Return frames with numbers for cases' ids, and how to tell the ids again."""
    # Arrow joins and groups by numbers in a tenth of the time that texts take. They
    # are in the order of the ids. Another engine gets its texts back as they were.
    if not frames[0].implementation.is_pyarrow():
        return [*frames], lambda frame: frame
    natives = [frame.to_native() for frame in frames]
    ids: dict[str, Any] = {}
    for names in (("domain_id",), ("case_id", "thread_id")):
        there = [
            (place, name)
            for place, native in enumerate(natives)
            for name in names
            if name in native.column_names
        ]
        columns, known = numbered([natives[place][name] for place, name in there])
        ids |= dict.fromkeys(names, known)
        for (place, name), column in zip(there, columns, strict=True):
            at = natives[place].column_names.index(name)
            natives[place] = natives[place].set_column(at, name, column)

    def told(frame: Any) -> Any:
        native = frame.to_native()
        for name, known in ids.items():
            if name in native.column_names:
                at = native.column_names.index(name)
                native = native.set_column(at, name, known.take(native[name]))
        return nw.from_native(native)

    return [nw.from_native(native) for native in natives], told


def looked_up(frame: Any, other: Any, on: Sequence[str]) -> Any:
    """Return rows with what another frame tells once of each key, in their order."""
    if isinstance(frame, nw.LazyFrame):
        return frame.join(other, on=[*on], how="left")
    # A join copies every column that goes through it, in any order.
    if not frame.implementation.is_pyarrow():
        keys = (
            frame.select(*on).with_row_index("row_").join(other, on=[*on], how="left")
        )
        keys = nw.maybe_reset_index(keys.sort("row_"))
        return frame.with_columns(*(keys[n] for n in other.columns if n not in on))
    native, told = frame.to_native(), other.to_native()
    row = rows_at([native[name] for name in on], [told[name] for name in on])
    for name in told.column_names:
        if name not in on:
            native = native.append_column(name, told[name].take(row))
    return nw.from_native(native)


def summed_by(frame: Any, columns: Sequence[str], *sums: Any, **named: Any) -> Any:
    """Return what rows that share some ids come to together."""
    if not frame.implementation.is_pyarrow():
        return frame.group_by(*columns).agg(*sums, **named)
    # Arrow groups by one number in a tenth of the time that texts take.
    coded = told_apart(frame, "group_", columns).with_row_index("row_")
    found = coded.group_by("group_").agg(*sums, **named, row_=nw.col("row_").min())
    ids = texts(frame.select(*columns)[found["row_"].to_numpy()])
    return found.with_columns(*(ids[name] for name in columns)).drop("group_", "row_")
