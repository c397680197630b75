"""One schema: in the code, in the docstrings and in the README."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

import pandas as pd
import pytest
from engines import dtypes_of
from refresh_readme import README, refreshed

import casesnb as cn
from casesnb import schema
from casesnb.schema import TABLES, Column, Table
from casesnb.tables.schema import TEXT_TYPE, TIME

NAMES = {
    name: value for name, value in vars(schema).items() if isinstance(value, Table)
}
FUNCTIONS = [name for name in cn.__all__ if inspect.isfunction(getattr(cn, name))]


def test_every_table_is_listed_once() -> None:
    assert sorted(t.name for t in TABLES) == sorted(t.name for t in NAMES.values())
    assert {name.lower() for name in NAMES} == {t.name for t in TABLES}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_names_follow_the_house(table: Table) -> None:
    assert table.grain.startswith("One row per ")
    assert table.grain.endswith(".")
    assert len(table.names) == len(set(table.names))
    for column in table.columns:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", column.name)
        assert column.meaning
        if column.name.endswith("_at"):
            assert column.dtype == TIME
        if column.name.startswith("is_"):
            assert column.dtype == "bool"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_no_rows_have_all_columns_and_dtypes(table: Table) -> None:
    frame = table.empty()
    assert len(frame) == 0
    assert dtypes_of(frame) == table.dtypes


def test_a_cast_drops_what_the_table_does_not_name_and_keeps_the_input() -> None:
    table = Table(
        "t", "One row per x.", (Column("a", "category", "a"), Column("n", "int32", "n"))
    )
    given = pd.DataFrame({"n": [1], "z": [0], "a": ["x"]}, index=[5])
    before = given.copy()
    out = table.cast(given)
    assert out.columns.tolist() == ["a", "n"]
    assert out.index.tolist() == [0]
    assert out["a"].cat.categories.dtype == TEXT_TYPE
    pd.testing.assert_frame_equal(given, before)
    with pytest.raises(KeyError):
        table.cast(given.drop(columns="a"))


def test_the_readme_has_the_columns_of_the_schema() -> None:
    readme = README.read_text("utf-8")
    assert readme == refreshed(readme), "run `make readme`"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_docstring_names_the_table_it_returns_or_its_columns(name: str) -> None:
    function = getattr(cn, name)
    returns = str(inspect.signature(function).return_annotation)
    doc = inspect.getdoc(function) or ""
    for table in re.findall(r"schema\.([A-Z_]+)", doc):
        assert table in NAMES, f"cn.{name} names schema.{table}, which is not there"
    if "DataFrame" in returns or "FrameT" in returns:
        section = doc.partition("Returns\n")[2].partition("\n\n")[0]
        assert "schema." in section or "`" in section or ":" in section


def test_the_schema_is_where_docstrings_cite_it() -> None:
    code = "import casesnb as cn; print(cn.schema.SPELLS.name)"
    told = subprocess.run(  # another interpreter, which has imported nothing of ours
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert told.stdout == "spells\n"
