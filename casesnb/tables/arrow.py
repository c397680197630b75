"""A pandas frame as the Arrow table that it holds, and what Arrow asks of texts.

pandas keeps texts in Arrow's memory, so they become a table without a copy.
"""

from __future__ import annotations

import hashlib
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from casesnb.tables.schema import TEXT_TYPE

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
    if not column.num_chunks:  # which older pyarrow cannot combine
        return np.empty(0, "int64"), pa.array([], column.type.value_type)
    column = column.unify_dictionaries().combine_chunks()
    codes = column.indices.cast(pa.int64()).fill_null(-1)
    return codes.to_numpy(zero_copy_only=False), column.dictionary


def ranked(column: pa.ChunkedArray) -> tuple[np.ndarray, int]:
    """Return the places of a column's values among its distinct ones, in order."""
    codes, known = coded(column)
    ranks = np.empty(len(known) + 1, "int64")
    ranks[pc.sort_indices(known).to_numpy()] = np.arange(len(known))
    ranks[-1] = len(known)  # where the code -1 points
    return ranks[codes], len(ranks)


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
