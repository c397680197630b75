"""A pandas frame as the Arrow table that it holds, and what Arrow asks of texts.

pandas keeps texts in Arrow's memory, so they become a table without a copy.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from casesnb.tables.schema import TEXT_TYPE

if TYPE_CHECKING:
    from collections.abc import Sequence

# Arrow's other kind of text ends at two gigabytes in one column.
TEXT = pa.large_string()


def as_table(frame: Any) -> pa.Table:
    """Return a pandas frame as an Arrow table, without its index."""
    columns = {}
    for name, values in frame.items():
        try:
            column = pa.array(values, from_pandas=True)
        except (pa.ArrowException, TypeError):
            continue
        if pa.types.is_timestamp(column.type):
            zone = column.type.tz and "UTC"
            column = column.cast(pa.timestamp("us", zone), safe=False)
        if pa.types.is_null(column.type):
            column = column.cast(TEXT)
        columns[str(name)] = column
    return pa.table(columns)


def as_frame(table: pa.Table) -> Any:
    """Return an Arrow table as a pandas frame, whose texts pandas 2 would unpack."""
    if TEXT_TYPE == "str":
        return table.to_pandas()
    kinds = {pa.string(): TEXT_TYPE, TEXT: TEXT_TYPE}
    return table.to_pandas(types_mapper=kinds.get)


def with_texts(table: pa.Table, *, coded: bool = True) -> pa.Table:
    """Return a table with all its texts of one kind, those of dictionaries too."""
    for place, field in enumerate(table.schema):
        is_coded = coded and pa.types.is_dictionary(field.type)
        if is_coded or pa.types.is_string(field.type):
            told = table.column(place).cast(TEXT)
            table = table.set_column(place, field.name, told)
    return table


def coded(column: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Return a column's values as numbers, and what these stand for."""
    if not len(column):  # whose dictionary may be of nothing at all
        return np.empty(0, "int64"), pa.array([], TEXT)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries().combine_chunks()
    codes = column.indices.cast(pa.int64())
    if codes.null_count:
        codes = codes.fill_null(-1)
    return codes.to_numpy(), column.dictionary


def ranked(column: pa.ChunkedArray) -> tuple[np.ndarray, int]:
    """Return the places of a column's values among its distinct ones, in order."""
    if _is_dense(column):
        return numbers(column)
    codes, known = coded(column)
    order = pc.sort_indices(known).to_numpy()
    place = np.arange(len(known) + 1)  # the last one is where the code -1 points
    if (order == place[:-1]).all() and not column.null_count:
        return codes, len(place)
    ranks = np.empty_like(place)
    ranks[order], ranks[-1] = place[:-1], len(known)
    return ranks[codes], len(ranks)


def numbers(column: pa.ChunkedArray) -> tuple[np.ndarray, int]:
    """Return numbers that tell a column's values apart, and one above all of them."""
    if not _is_dense(column):
        codes, known = coded(column)
        return codes, len(known)
    codes = column.to_numpy()
    return codes, int(codes.max()) + 1


def _is_dense(column: pa.ChunkedArray) -> bool:
    """Return whether a column's values are such numbers already."""
    if not pa.types.is_integer(column.type) or column.null_count or not len(column):
        return False
    ends = pc.min_max(column).as_py()
    return bool(ends["min"] >= 0 and ends["max"] < 2 * len(column))


def order_of(*numbers: tuple[np.ndarray, int]) -> np.ndarray:
    """Return the order of rows by numbers, the first one's first, each below a count."""
    if math.prod(count for _, count in numbers) >= 2**63:
        return np.lexsort([number for number, _ in reversed(numbers)])
    place: Any = 0
    for number, count in numbers:
        place = place * count + number
    order: np.ndarray = place.argsort(kind="stable")
    return order


def carried(
    column: pa.ChunkedArray, is_last: np.ndarray, *, back: bool = False
) -> pa.ChunkedArray:
    """Return a column, its gaps filled from before or after in parts that end so."""
    there = column.is_valid().to_numpy()
    place = np.arange(len(there))
    if back:
        from_ = np.where(there | is_last, place, len(there))
        return column.take(pa.array(np.minimum.accumulate(from_[::-1])[::-1]))
    is_first = np.append(True, is_last)[: len(there)]
    from_ = np.where(there | is_first, place, 0)
    return column.take(pa.array(np.maximum.accumulate(from_)))


def numbered(columns: Sequence[pa.ChunkedArray]) -> tuple[list[pa.Array], pa.Array]:
    """Return several columns' texts as places in the order of all, and that order."""
    parts = [coded(column) for column in columns]
    parts = [(codes, known.cast(TEXT)) for codes, known in parts]
    known = pc.unique(pa.chunked_array([values for _, values in parts], TEXT))
    known = known.take(pc.sort_indices(known))
    places = []
    for codes, values in parts:
        found = pc.index_in(values, known).to_numpy().astype("int64")
        # The code -1 of no value points at the last place.
        found = np.append(found, -1)[codes]
        places.append(pa.array(found, mask=found < 0))
    return places, known


def rows_at(
    keys: Sequence[pa.ChunkedArray], others: Sequence[pa.ChunkedArray]
) -> pa.Array:
    """Return at which row of others each key is, or none."""
    here, there = np.zeros(len(keys[0]), "int64"), np.zeros(len(others[0]), "int64")
    is_none = np.zeros(len(here), bool)
    for key, other in zip(keys, others, strict=True):
        if _is_dense(key) and _is_dense(other):
            one, two = key.to_numpy(), other.to_numpy()
            count = int(max(one.max(), two.max())) + 1
        else:
            (one, wanted), (two, known) = coded(key), coded(other)
            if wanted.type != known.type:
                wanted, known = wanted.cast(TEXT), known.cast(TEXT)
            found = pc.index_in(wanted, value_set=known)
            found = found.fill_null(-1).to_numpy().astype("int64")
            one, count = np.append(found, -1)[one], len(known)  # where -1 points
            is_none |= one < 0
        here, there = here * count + one, there * count + two
    return pc.index_in(pa.array(here, mask=is_none), value_set=pa.array(there))


def listed(column: pa.ChunkedArray) -> list[Any]:
    """Return a column's values as Python's: times in UTC, None for what is missing."""
    # Arrow itself makes them one by one.
    kind = column.type
    if pa.types.is_dictionary(kind):
        codes, known = coded(column)
        texts = [*listed(pa.chunked_array([known])), None]  # for the code -1
        return [texts[code] for code in codes.tolist()]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        found: list[Any] = column.to_numpy().tolist()
        return found
    if pa.types.is_timestamp(kind):
        times = column.cast(pa.timestamp("us"), safe=False).to_numpy().tolist()
        return [at and at.replace(tzinfo=dt.UTC) for at in times]
    values: list[Any] = column.to_pylist()
    if pa.types.is_floating(kind):
        return [None if value != value else value for value in values]
    return values


def digest(table: pa.Table) -> str:
    """Return one hash over a table's names and values, row by row, in 64 digits."""
    found = hashlib.sha256()
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if pa.types.is_dictionary(kind) or pa.types.is_string(kind):
            column, blank = column.cast(TEXT), cast("Any", "")
        elif pa.types.is_large_string(kind):
            blank = ""
        else:
            column, blank = column.cast(pa.int64(), safe=False), 0
        values = (
            pa.concat_arrays(column.chunks)
            if column.num_chunks
            else pa.array([], column.type)
        )
        there = values.is_valid().cast(pa.int8())
        # What stands where nothing is must not count, nor where a slice began.
        filled = pc.fill_null(values, blank).take(pa.array(np.arange(len(values))))
        found.update(f"{name}\n{len(values)}\n".encode())
        for array in (there, filled):
            for buffer in array.buffers()[1:]:
                found.update(memoryview(buffer or b""))
    return found.hexdigest()
