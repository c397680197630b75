"""Frames of any engine: ids that are missing, and cases that must not mix."""

from __future__ import annotations

from typing import Any

import duckdb
import narwhals as nw
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from engines import assert_same, rows
from test_spells import MISSING, changes_of, text

import casesnb as cn
from casesnb.tables.frames import rows_of
from casesnb.tables.schema import TEXT_TYPE

OPEN = (0, "status", MISSING, text("open"))
PARTS = [
    changes_of(OPEN, (2, "status", text("open"), text("closed")), case_id="a"),
    changes_of(
        (0, "status", MISSING, text("new")),
        (1, "status", text("new"), text("held")),
        (3, "status", text("held"), text("closed")),
        case_id="b",
    ),
    changes_of(OPEN, (1, "status", text("open"), text("lost")), case_id="a").assign(
        domain_id=pd.Series(["other"] * 2, dtype=TEXT_TYPE).astype("category")
    ),
]
CATEGORIES = ["domain_id", "case_id", "field_id", "old_kind", "new_kind", "actor"]


def arrow() -> pa.Table:
    """Chunks that each number their categories anew."""
    tables = [pa.Table.from_pandas(part, preserve_index=False) for part in PARTS]
    return pa.concat_tables(tables)


ENGINES: dict[str, Any] = {
    "pandas": lambda: pd.concat(PARTS, ignore_index=True).astype(
        dict.fromkeys(CATEGORIES, "category")
    ),
    "pandas, in other orders": lambda: pd.concat(
        [
            part.assign(case_id=part["case_id"].cat.set_categories(["b", "a"]))
            for part in PARTS
        ],
        ignore_index=True,
    ),
    "Arrow": arrow,
    "Polars": lambda: pl.concat(
        [pl.from_pandas(part) for part in PARTS], how="vertical_relaxed"
    ),
    "lazy Polars": lambda: pl.concat([pl.from_pandas(part).lazy() for part in PARTS]),
    "DuckDB": lambda: duckdb.connect().from_arrow(arrow()),
}
PLAIN = pd.concat(PARTS, ignore_index=True).astype(dict.fromkeys(CATEGORIES, TEXT_TYPE))


ASKED: list[Any] = [
    cn.spells,
    cn.transitions,
    cn.trust.continuity,
    lambda changes: cn.conformance(changes, "open → closed"),
    lambda changes: cn.overlap(changes, "status", "assigned_user"),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("ask", ASKED)
def test_two_domains_and_two_numberings_never_mix_cases(ask: Any, engine: str) -> None:
    found = ask(ENGINES[engine]())
    if isinstance(found, pl.LazyFrame):
        found = found.collect()
    if isinstance(found, pa.Table):
        found = pl.from_arrow(found)
    assert_same(found, rows(ask(PLAIN)))


MISSING_IDS = pd.concat(PARTS, ignore_index=True).astype(
    dict.fromkeys(["domain_id", "case_id", "field_id"], TEXT_TYPE)
)


@pytest.mark.parametrize("name", ["domain_id", "case_id", "event_id", "field_id"])
@pytest.mark.parametrize(
    "given",
    [
        lambda frame: frame,
        lambda frame: frame.astype({"case_id": "category", "field_id": "category"}),
        pa.Table.from_pandas,
        pl.from_pandas,
        lambda frame: pl.from_pandas(frame).lazy(),
        lambda frame: duckdb.connect().from_arrow(pl.from_pandas(frame).to_arrow()),
    ],
)
def test_rows_that_do_not_say_whose_they_are_are_refused(given: Any, name: str) -> None:
    frame = MISSING_IDS.copy()
    frame.loc[1, name] = None
    for ask in (cn.spells, cn.trust.continuity, cn.threads.thread_changes):
        with pytest.raises(ValueError, match=f"Some rows of changes have no {name}"):
            ask(given(frame))
    with pytest.raises(ValueError, match=f"Some rows of changes have no {name}"):
        cn.plot_changes(given(frame))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_field_may_be_called_as_a_case_is(engine: str) -> None:
    changes = changes_of(
        (0, "case_id", MISSING, text("mine")),
        (1, "domain_id", MISSING, text("yours")),
        (2, "field_case_id", MISSING, text("theirs")),
    )
    given: Any = {
        "pandas": changes,
        "Arrow": pa.Table.from_pandas(changes),
        "Polars": pl.from_pandas(changes),
        "lazy Polars": pl.from_pandas(changes).lazy(),
        "DuckDB": duckdb.connect().from_arrow(pl.from_pandas(changes).to_arrow()),
    }.get(engine, changes)
    found = cn.state_table(given)
    found = found.collect() if isinstance(found, pl.LazyFrame) else found
    found = pl.from_arrow(found) if isinstance(found, pa.Table) else found
    columns, told = rows(found)
    assert columns == [
        *("domain_id", "case_id", "field_case_id_", "field_domain_id"),
        "field_case_id",
    ]
    assert told == [("d", "c", "mine", "yours", "theirs")]


@pytest.mark.parametrize("engine", ["pandas", "Polars", "lazy Polars", "DuckDB"])
def test_before_anything_happened_a_table_of_states_has_no_rows(engine: str) -> None:
    before = PLAIN["performed_at"].min() - pd.Timedelta(days=1)
    found = cn.state_table(ENGINES[engine](), as_of=before)
    found = found.collect() if isinstance(found, pl.LazyFrame) else found
    assert rows(found) == (["domain_id", "case_id"], [])


@pytest.mark.parametrize("of", [pd.DataFrame, pl.from_pandas, pa.Table.from_pandas])
def test_rows_tell_what_is_missing_and_no_word_is(of: Any) -> None:
    at = pd.to_datetime(["2026-03-01T09:00Z", None], utc=True)
    frame = of(pd.DataFrame({"text": ["NaT", None], "n": [1.5, None], "at": at}))
    one, other = rows_of(nw.from_native(frame))
    assert (one["text"], one["n"]) == ("NaT", 1.5)
    assert one["at"].isoformat() == "2026-03-01T09:00:00+00:00"
    assert list(other.values()) == [None, None, None]


def test_times_of_another_zone_are_those_of_utc() -> None:
    world = cn.sandbox.World(seed=7)
    history = cn.load_history(cn.connect(world), *world.showcase)
    there = history.changes.assign(
        performed_at=history.changes["performed_at"].dt.tz_convert("Asia/Kolkata")
    )
    for ask in (cn.spells, cn.transitions, cn.handoffs, cn.backlog):
        pd.testing.assert_frame_equal(ask(there), ask(history.changes))


def test_a_column_that_holds_nothing_at_all_is_one_of_texts() -> None:
    changes = changes_of((9, "status", MISSING, text("open")))
    told = pl.from_pandas(changes).with_columns(old=None, old_kind=None)
    assert told.schema["old"] == pl.Null
    found = cn.blame(told)
    assert found["previous"].to_list() == [None]
    assert found.schema["previous"] == pl.String
