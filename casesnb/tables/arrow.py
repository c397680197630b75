"""A pandas frame as the Arrow table that it holds, and what Arrow asks of texts.

pandas keeps texts in Arrow's memory, so they become a table without a copy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Arrow's other kind of text ends at two gigabytes in one column.
TEXT = pa.large_string()


def as_table(frame: Any) -> pa.Table:
    """Return a pandas frame as an Arrow table, without its index.

    Parameters
    ----------
    frame : pandas.DataFrame
        Any frame.

    Returns
    -------
    pyarrow.Table
        Its columns, categories as dictionaries, times in microseconds and, if
        they have a zone, in UTC; columns of objects that Arrow does not know are
        left out.

    Examples
    --------
    >>> import pandas as pd
    >>> as_table(pd.DataFrame({"id": ["a", None], "what": [[1], {}]})).column_names
    ['id']
    """
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


def with_texts(table: pa.Table, *, coded: bool = True) -> pa.Table:
    """Return a table with all its texts of one kind, those of dictionaries too.

    Parameters
    ----------
    table : pyarrow.Table
        Any table.
    coded : bool, default True
        False leaves dictionaries as they are.

    Returns
    -------
    pyarrow.Table
        The same rows.
    """
    for place, field in enumerate(table.schema):
        is_coded = coded and pa.types.is_dictionary(field.type)
        if is_coded or pa.types.is_string(field.type):
            told = table.column(place).cast(TEXT)
            table = table.set_column(place, field.name, told)
    return table


def coded(column: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Return a column's values as numbers, and what these stand for.

    Parameters
    ----------
    column : pyarrow.ChunkedArray
        Texts, in a dictionary or not.

    Returns
    -------
    codes : numpy.ndarray of int64
        Places in `known`; -1 for missing.
    known : pyarrow.Array
        The distinct values.
    """
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries().combine_chunks()
    codes = column.indices.cast(pa.int64()).fill_null(-1)
    return codes.to_numpy(zero_copy_only=False), column.dictionary


def ranked(column: pa.ChunkedArray) -> tuple[np.ndarray, int]:
    """Return the places of a column's values among its distinct ones, in order.

    Parameters
    ----------
    column : pyarrow.ChunkedArray
        Texts, in a dictionary or not.

    Returns
    -------
    ranks : numpy.ndarray of int64
        From 0; that of a missing value is the last.
    count : int
        How many ranks there are, that of missing values included.

    Examples
    --------
    >>> ranks, count = ranked(pa.chunked_array([["b", None, "a"]]))
    >>> ranks.tolist(), count
    ([1, 2, 0], 3)
    """
    codes, known = coded(column)
    ranks = np.empty(len(known) + 1, "int64")
    ranks[pc.sort_indices(known).to_numpy()] = np.arange(len(known))
    ranks[-1] = len(known)  # where the code -1 points
    return ranks[codes], len(ranks)
