"""A value that AWS did not send is told by no number: it is not a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from engines import assert_same, rows
from test_spells import EMPTY, MISSING, at, changes_of, text

import casesnb as cn
from casesnb.schema import EVENTS

# The status is not told three times, whoever holds the case once.
CHANGES = changes_of(
    (0, "status", MISSING, text("open")),
    (2, "status", text("open"), text("closed")),
    (3, "status", text("closed"), MISSING),
    (5, "status", text("open"), text("held")),
    (6, "status", text("held"), MISSING),
    (7, "status", text("closed"), text("closed")),
    (8, "status", text("closed"), text("open")),
    (9, "assigned_user", MISSING, text("ann")),
    (10, "assigned_user", text("ann"), MISSING),
    (12, "assigned_user", text("ann"), text("ben")),
    (13, "status", text("open"), text("closed")),
    (14, "status", text("closed"), MISSING),
)


def events_of(changes: pd.DataFrame) -> pd.DataFrame:
    """The events of the changes, one each."""
    events = changes.reindex(columns=EVENTS.names).assign(
        n_changes=1, is_order_known=True, order_by="time"
    )
    return EVENTS.cast(events)


FLOW = "open → closed → open\nopen → held"
ASKED: dict[str, Callable[[Any, Any], Any]] = {
    "spells": lambda c, e: cn.spells(c),
    "state_at": lambda c, e: cn.state_at(c),
    "time_in": lambda c, e: cn.time_in(c),
    "time_bounds": lambda c, e: cn.trust.time_bounds(c),
    "transitions": lambda c, e: cn.transitions(c),
    "handoffs": lambda c, e: cn.handoffs(c),
    "reopens": lambda c, e: cn.reopens(c, events=e),
    "outcomes": lambda c, e: cn.outcomes(c, events=e),
    "case_summary": lambda c, e: cn.case_summary(e, changes=c),
    "overlap": lambda c, e: cn.overlap(c, "status", "assigned_user"),
    "conformance": lambda c, e: cn.conformance(c, FLOW),
    "variants": lambda c, e: cn.variants(c),
    "tail": lambda c, e: cn.rework.tail(c, events=e, n_resamples=9),
}


def asked(name: str) -> list[tuple[Any, ...]]:
    """The answer's rows, without domain and case."""
    columns, found = rows(ASKED[name](CHANGES, events_of(CHANGES)))
    kept = [n for n, c in enumerate(columns) if c not in {"domain_id", "case_id"}]
    return [tuple(row[n] for n in kept) for row in found]


def test_no_transition_and_no_handoff_goes_to_what_is_not_told() -> None:
    assert asked("transitions") == [
        ("status", "string", "closed", "string", "open", 1, 1, None),
        ("status", "string", "open", "string", "closed", 2, 1, 3.5),
        ("status", "string", "open", "string", "held", 1, 1, None),
    ]
    assert [row[1:5] for row in asked("handoffs")] == [
        (None, "ann", str(at(9).isoformat(timespec="microseconds")), None),
        ("ann", "ben", str(at(12).isoformat(timespec="microseconds")), None),
    ]
    summary = cn.case_summary(events_of(CHANGES), changes=CHANGES).iloc[0]
    assert summary["n_status_changes"] == 4
    assert summary["n_user_handoffs"] == 1


def test_what_is_not_told_neither_reopens_a_case_nor_hides_that_it_was() -> None:
    found = cn.reopens(CHANGES)
    assert found["event_id"].tolist() == ["e6"]
    assert found["hours"].isna().all()
    assert [row[1:3] + row[-1:] for row in asked("outcomes")] == [
        ("reopened", None, "e1 e3"),
        (None, "AWS did not send the status after it", "e10"),
        (None, "its close is not in the history", "e5 e6"),
    ]


def test_what_is_not_told_is_no_sure_state() -> None:
    summary = cn.case_summary(events_of(CHANGES), changes=CHANGES).iloc[0]
    assert not summary["is_closed"]
    assert pd.isna(summary["status"])
    assert pd.isna(summary["status_at"])
    state = cn.state_at(CHANGES).set_index("field_id")["is_known"]
    assert state.to_dict() == {"assigned_user": True, "status": False}
    spells = cn.spells(CHANGES, "status")
    assert not spells.loc[spells["kind"].isna(), "is_known"].any()
    # Saved as closed after it: since when it was is not told.
    assert spells["start_at"].isna().tolist() == [n == 5 for n in range(9)]
    current = pd.DataFrame(
        [["d", "c", "status", "string", "open"]],
        columns=["domain_id", "case_id", "field_id", "kind", "value"],
    )
    found = cn.trust.compare_with_current(CHANGES, current).set_index("field_id")
    assert found.loc["status", "verdict"] == "unverifiable"


def test_any_value_may_have_held_while_it_is_not_told() -> None:
    assert asked("time_bounds") == [
        ("string", "closed", 3.0, 6.0),
        ("string", "held", 1.0, 4.0),
        ("string", "open", 7.0, 10.0),
        (None, None, 0.0, 3.0),
    ]


def test_a_value_that_only_what_follows_tells_has_bounds() -> None:
    found = cn.trust.time_bounds(
        changes_of(
            (0, "status", MISSING, text("open")),
            (1, "status", text("open"), MISSING),
            (3, "status", text("held"), text("open")),
        )
    )
    held = found[found["value"] == "held"]
    assert held[["hours_min", "hours_max"]].to_numpy().tolist() == [[0.0, 2.0]]


def test_hours_of_what_is_not_told_stay_in_the_sum() -> None:
    both = cn.overlap(CHANGES, "status", "assigned_user")
    assert both["hours"].sum() == 14
    none = cn.overlap(
        changes_of(
            (0, "status", MISSING, text("open")),
            (1, "status", text("open"), MISSING),
            (3, "status", text("open"), EMPTY),
            (4, "title", MISSING, text("x")),
        ),
        "status",
        "title",
    )
    assert none["hours"].sum() == 4


def test_a_way_with_a_step_that_is_not_told_is_not_checkable() -> None:
    (row,) = asked("conformance")
    assert row[1] == "not_checkable"
    assert row[-1] == "an event does not tell the value that it sets"
    assert asked("variants")[0][1].startswith("open → closed → (not told) → held")


def test_the_tail_tells_it_with_the_time_of_which_nothing_is_told() -> None:
    changes = changes_of(
        (0, "title", MISSING, text("x")),
        (2, "status", MISSING, text("open")),
        (3, "status", text("open"), MISSING),
        (6, "status", text("open"), text("closed")),
    )
    found = cn.rework.tail(changes, events=events_of(changes), n_resamples=9)
    hours = dict(zip(found["value"].fillna("none"), found["slow_hours"], strict=True))
    assert hours == {"none": 5.0, "open": 1.0}
    assert len(found) == 2


def test_nobody_is_told_to_have_changed_back_what_was_not_told() -> None:
    life = [
        (0, "team", MISSING, text("a")),
        (1, "team", text("a"), MISSING),
        (2, "team", text("b"), text("a")),
        (3, "team", text("a"), text("b")),
        (4, "team", text("b"), MISSING),
    ]
    changes = changes_of(*life)
    found = cn.findings(cn.History(events_of(changes), changes), rules=["tug_of_war"])
    assert found["event_ids"].tolist() == ["e2 e3"]


@pytest.mark.parametrize(
    "engine",
    [
        "Polars",
        *(
            pytest.param(engine, marks=pytest.mark.slow)
            for engine in ("Arrow", "lazy Polars", "DuckDB")
        ),
    ],
)
def test_every_engine_tells_the_same_of_it(engine: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'Europe/London'")
        given: Any = {
            "Arrow": pa.Table.from_pandas,
            "Polars": pl.from_pandas,
            "lazy Polars": lambda frame: pl.from_pandas(frame).lazy(),
            "DuckDB": lambda frame: connection.from_arrow(
                pl.from_pandas(frame).to_arrow()
            ),
        }[engine]
        events = events_of(CHANGES)
        for ask in ASKED.values():
            found = ask(given(CHANGES), given(events))
            found = found.collect() if engine == "lazy Polars" else found
            found = pl.from_arrow(found) if engine == "Arrow" else found
            assert_same(found, rows(ask(CHANGES, events)))
