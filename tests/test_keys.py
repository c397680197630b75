"""Rows by the key that they share, on engines whose rows have an order and on Arrow's."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from casesnb.tables.arrow import ranked
from casesnb.tables.frames import rows_of
from casesnb.tables.keys import beside_all, carried_by, looked_up, told_apart

EAGER: list[Any] = [pa.Table.from_pylist, pl.DataFrame, pd.DataFrame]


@pytest.mark.parametrize("n_chunks", [1, 1000])
@pytest.mark.parametrize("missing", [None, "k7"])
def test_what_all_rows_of_a_key_come_to_stands_beside_each(
    missing: str | None, n_chunks: int
) -> None:
    # Arrow's threads take some rows each and join what they have in any order.
    n = 100_000
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 5_000, n)
    key = [missing if number == 7 else f"k{number}" for number in numbers]
    other = [missing if number % 3 == 0 else "b" for number in numbers]
    table = pa.table({"key": key, "other": other, "at": rng.permutation(n)})
    step = n // n_chunks
    chunks = pa.concat_tables(table.slice(i, step) for i in range(0, n, step))
    wanted = pd.Series(table["at"].to_numpy()).groupby(numbers).transform("max")
    for _ in range(3):
        found = beside_all(
            nw.from_native(chunks), ("key", "other"), last=nw.col("at").max()
        ).to_native()
        assert found["at"].equals(chunks["at"])
        assert (found["last"].to_numpy() == wanted).all()
    none = beside_all(nw.from_native(table[:0]), ("key",), last=nw.col("at").max())
    assert none.shape == (0, 4)


def test_what_is_missing_is_another_thing_than_the_last_one() -> None:
    kinds, values = ["string", "string", "empty"], ["a", None, None]
    table = pa.table({"kind": kinds, "value": values})
    found = told_apart(nw.from_native(table), "number", ["kind", "value"])
    assert found["number"].n_unique() == 3
    found = told_apart(nw.from_native(table), "number", ["value", "kind"])
    assert found["number"].n_unique() == 3


def listed(frame: Any) -> list[dict[str, Any]]:
    return rows_of(nw.from_native(nw.to_native(frame)))


@pytest.mark.parametrize("of", EAGER)
def test_what_is_told_once_of_a_key_stands_beside_its_rows_in_their_order(
    of: Any,
) -> None:
    asked = [("x", "b"), ("y", "a"), ("x", "a"), ("x", None), ("x", "b")]
    told = [("x", "b", 1), ("y", "b", 2), ("x", "c", 3), ("x", "a", None)]
    frame = of([{"domain": one, "case": two} for one, two in asked])
    other = of([dict(zip(("domain", "case", "n"), row, strict=True)) for row in told])
    found = looked_up(*map(nw.from_native, (frame, other)), ("domain", "case"))
    assert [(row["domain"], row["case"]) for row in listed(found)] == asked
    assert [row["n"] for row in listed(found)] == [1, None, None, None, 1]


@pytest.mark.parametrize("of", EAGER)
def test_a_gap_is_filled_from_its_own_case_alone(of: Any) -> None:
    given = [
        *(("b", 0, None, None), ("b", 1, "open", "u"), ("b", 2, None, None)),
        *(("a", 1, None, "v"), ("a", 0, "new", None), ("c", 0, None, None)),
    ]
    names = ("case", "sequence", "status", "user")
    frame = of([dict(zip(names, row, strict=True)) for row in given])
    found = carried_by(
        nw.from_native(frame),
        ("case",),
        ("sequence",),
        on=["status"],
        back=["user"],
        then="sequence",
    )
    order = sorted(listed(found), key=lambda row: (row["case"], row["sequence"]))
    assert [(*row.values(),) for row in order] == [
        *(("a", 0, "new", "v", 1), ("a", 1, "new", "v", None)),
        *(
            ("b", 0, None, "u", 1),
            ("b", 1, "open", "u", 2),
            ("b", 2, "open", None, None),
        ),
        ("c", 0, None, None, None),
    ]


def test_rows_of_many_keys_are_told_apart_where_no_number_is_large_enough() -> None:
    rng = np.random.default_rng(0)
    n, names = 300, [f"key_{place}" for place in range(9)]
    keys = {name: [f"k{number}" for number in rng.permutation(n)] for name in names}
    both = pa.table({name: values + values for name, values in keys.items()})
    found = told_apart(nw.from_native(both), "who", names)["who"].to_numpy()
    assert (found[:n] == found[n:]).all()
    assert len({*found[:n].tolist()}) == n


@pytest.mark.parametrize("values", [["a", "b", None], ["b", None, "a"], ["a", "b"]])
@pytest.mark.parametrize("is_coded", [False, True])
def test_what_is_missing_is_ranked_last(
    values: list[str | None], is_coded: bool
) -> None:
    column = pa.chunked_array([pa.array(values)])
    column = column.dictionary_encode() if is_coded else column
    places, n = ranked(column)
    assert places.tolist() == [{"a": 0, "b": 1, None: 2}[each] for each in values]
    assert n == 3
