"""The same frame on each engine, and any engine's answer as plain rows."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import polars as pl

import casesnb as cn
from casesnb.tables.schema import TEXT_TYPE

Row = tuple[Any, ...]

FLOW = """
open → in_progress → closed → open
in_progress → waiting_on_customer → in_progress → escalated → in_progress
"""


def public_functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function of casesnb and of its families, by its name."""
    families = [getattr(cn, name) for name in cn._FAMILIES if name != "schema"]
    for home in (cn, *families):
        for name in home.__all__:
            if inspect.isfunction(there := getattr(home, name)):
                yield name, there


def analysis_functions() -> set[str]:
    """The names of those that analyse."""
    return {
        name
        for name, there in public_functions()
        if there.__module__.startswith("casesnb.analysis.")
    }


def dtypes_of(frame: Any) -> dict[str, str]:
    """What the dtypes are called in schemas; pandas 2 has another name for texts."""
    return {
        name: "str" if dtype == TEXT_TYPE else str(dtype)
        for name, dtype in frame.dtypes.items()
    }


def plain(value: Any) -> Any:
    """A value that compares: None for missing, UTC texts for times."""
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return None
    if hasattr(value, "isoformat"):
        at = pd.Timestamp(value)
        at = at.tz_localize("UTC") if at.tzinfo is None else at.tz_convert("UTC")
        return at.isoformat(timespec="microseconds")
    return value.item() if hasattr(value, "item") else value


def rows(frame: Any) -> tuple[list[str], list[Row]]:
    """The columns and the rows of any engine's frame, in its order."""
    if hasattr(frame, "toPandas"):  # PySpark
        found = [tuple(row) for row in frame.collect()]
    elif hasattr(frame, "fetchall"):  # DuckDB
        found = pl.from_arrow(frame.to_arrow_table()).rows()
    elif isinstance(frame, pd.DataFrame):
        columns = [frame[name].astype(object).tolist() for name in frame.columns]
        found = list(zip(*columns, strict=True)) if columns else []
    else:
        found = (frame.collect() if hasattr(frame, "collect") else frame).rows()
    return list(frame.columns), [tuple(plain(v) for v in row) for row in found]


def assert_same(found: Any, expected: tuple[list[str], list[Row]]) -> None:
    """The same columns, rows and order; engines divide with other last digits."""
    columns, told = rows(found)
    assert columns == expected[0]
    if len(told) != len(expected[1]):
        left = [repr(row) for row in told], [repr(row) for row in expected[1]]
        more, fewer = (sorted({*a} - {*b})[:9] for a, b in (left, left[::-1]))
        raise AssertionError(f"more: {more}; fewer: {fewer}")
    for row, other in zip(told, expected[1], strict=True):
        for name, value, wanted in zip(columns, row, other, strict=True):
            if isinstance(value, float) and isinstance(wanted, float):
                assert math.isclose(value, wanted, rel_tol=1e-12, abs_tol=1e-12), name
            else:
                assert value == wanted, f"{name} of {other}"
                assert type(value) is type(wanted), f"{name} of {other}"
