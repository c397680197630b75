"""What stands around one change: its state, what came before, and who."""

from __future__ import annotations

import datetime as dt
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from decisions import UTC, world_and_history
from engines import rows
from histories import ANNA, by, event, history
from test_spells import MISSING, at, changes_of, text
from test_untold import events_of

import casesnb as cn

EVENTS = [
    event(0, "02T09:00:00", by(), kind="Case.Created", status="open", title="Refund"),
    event(1, "02T10:00:00", by("anna"), assigned_user=(None, ANNA)),
    event(2, "02T10:05:00", by("anna"), kind="RelatedItem.Created", item="Comment"),
    event(3, "03T12:00:00", by("anna"), summary=("", "done")),
    event(4, "03T12:00:20", by(), status=("open", "closed"), case_reason=(None, "a")),
    event(5, "03T12:00:20", by(custom="crm"), amount=(1.0, 2.0)),
    event(6, "05T12:00:00", by("ben"), status=("closed", "open")),
]


def told(found: Any) -> list[tuple[str, str]]:
    return list(zip(found["part"], found["message"], strict=True))


def test_a_change_is_told_with_what_stands_around_it() -> None:
    found = cn.why(history(EVENTS), at=dt.datetime(2026, 2, 4, tzinfo=UTC))
    assert told(found) == [
        ("state", "status was open, for 27.0 h"),
        ("state", "assigned_user was …/anna, for 26.0 h"),
        ("before", "26.0 h before: assigned_user: (empty) → …/anna, by an agent"),
        ("before", "25.9 h before: Comment created, by an agent"),
        ("before", "20 s before: summary:  → done, by an agent"),
        ("same_instant", "at the same instant: amount: 1.0 → 2.0, by a program"),
        ("change", "status: open → closed, by a flow or a rule"),
        ("same_event", "with it case_reason: (empty) → a"),
        (
            "by",
            "Connect's own role, no user: a flow or a rule; an agent had acted 20 s "
            "before, which may have set it off",
        ),
    ]
    assert found["event_id"].tolist() == [
        "e0",
        "e1",
        "e1",
        "e2",
        "e3",
        "e5",
        "e4",
        "e4",
        "e4",
    ]


def test_the_newest_change_is_told_by_default() -> None:
    found = cn.why(history(EVENTS), n_before=1)
    assert ("change", "status: closed → open, by an agent") in told(found)
    assert ("by", "a user under Connect's own role") in told(found)
    assert found["part"].tolist().count("before") == 1


@pytest.mark.parametrize("engine", ["pandas", "Polars", "lazy Polars", "DuckDB"])
def test_how_a_case_stood_is_what_its_spells_tell(engine: str) -> None:
    changes = changes_of(
        (0, "status", MISSING, text("open")),
        (3, "status", text("open"), text("open")),  # to save it again begins nothing
        (4, "status", text("open"), text("held")),
        (5, "assigned_user", text("ann"), text("ann")),
        (6, "assigned_queue", text("billing"), MISSING),
        (8, "status", text("held"), MISSING),
        (9, "status", text("open"), text("closed")),
    )
    events = events_of(changes)
    assert states(engine, changes, events) == [
        ("status was (not told), for 1.0 h", at(8)),
        ("assigned_user was ann, since when is not told", None),
        ("assigned_queue was (not told), for 3.0 h", at(6)),
    ]
    assert states(engine, changes[:3], events[:3]) == [
        ("status was open, for 4.0 h", at(0))
    ]


def states(engine: str, changes: Any, events: Any) -> list[tuple[str, Any]]:
    """What `why` tells of how a case stood before its last change, and since when."""
    told_ = [changes, events]
    if engine == "DuckDB":
        told_ = [duckdb.from_arrow(pa.Table.from_pandas(each)) for each in told_]
    elif engine != "pandas":
        frames = [pl.from_pandas(each) for each in told_]
        told_ = [f.lazy() if engine == "lazy Polars" else f for f in frames]
    found = cn.why(told_[0], events=told_[1])
    names, found = rows(found.collect() if engine == "lazy Polars" else found)
    several = [dict(zip(names, row, strict=True)) for row in found]
    return [
        (row["message"], row["at"] and pd.Timestamp(row["at"]))
        for row in several
        if row["part"] == "state"
    ]


@pytest.mark.parametrize("n_before", [0, 1, 2, 3, 4])
def test_as_many_events_are_told_as_there_are(n_before: int) -> None:
    title = event(1, "02T10:00:00", by("anna"), title=("Refund", "Refunds"))
    closes = event(2, "02T11:00:00", by("anna"), status=("open", "closed"))
    found = cn.why(history([EVENTS[0], title, closes]), n_before=n_before)
    assert found["part"].tolist().count("before") == min(n_before, 2)


def test_any_change_of_a_world_can_be_told() -> None:
    _, several = world_and_history(5)
    for case_id in sorted(set(several.changes["case_id"]))[:3]:
        one = several.only(case_ids=[case_id])
        fields = one.changes.loc[
            one.changes["event_type"] == "Case.Updated", "field_id"
        ]
        for field_id in sorted(set(fields))[:3]:
            found = cn.why(one, field_id)
            assert found["part"].tolist().count("change") == 1
            assert set(found["event_id"]) <= set(one.events["event_id"])


def test_what_is_no_change_is_refused() -> None:
    _, several = world_and_history(5)
    with pytest.raises(ValueError, match=r"Give one: history\.only"):
        cn.why(several)
    early = dt.datetime(2026, 2, 1, tzinfo=UTC)
    with pytest.raises(
        ValueError, match="No event by 2026-02-01 00:00 UTC changes status"
    ):
        cn.why(history(EVENTS), at=early)
    with pytest.raises(ValueError, match="give 0 or more"):
        cn.why(history(EVENTS), n_before=-1)


def test_the_story_ends_with_it() -> None:
    lines = cn.story(history(EVENTS), why="status").splitlines()
    start = lines.index("Why status changed last")
    assert lines[start + 1].endswith("status was closed, for 48.0 h")
    assert any(line.endswith("status: closed → open, by an agent") for line in lines)
    assert "Why" not in cn.story(history(EVENTS))
    assert "Why" not in cn.story(history(EVENTS), why="assigned_queue")
    with pytest.raises(
        ValueError, match="No change is of a field 'statsu'. Near it is"
    ):
        cn.story(history(EVENTS), why="statsu")


@pytest.mark.parametrize(("seconds", "soon"), [(59, True), (60, True), (61, False)])
def test_what_came_a_minute_later_may_have_been_set_off(
    seconds: int, soon: bool
) -> None:
    later = f"02T10:{seconds // 60:02}:{seconds % 60:02}"
    acts = event(1, "02T10:00:00", by("anna"), title=("Refund", "Refunds"))
    closes = event(2, later, by(), status=("open", "closed"))
    words = told(cn.why(history([EVENTS[0], acts, closes])))
    (by_whom,) = [message for part, message in words if part == "by"]
    assert ("which may have set it off" in by_whom) is soon
    (before,) = [m for part, m in words if part == "before" and "Refunds" in m]
    assert before.startswith(f"{seconds} s before") is (seconds < 60)


def test_a_long_value_is_cut_where_it_is_longer_than_60_characters() -> None:
    for n, shown in ((60, "x" * 60), (61, "x" * 59 + "…")):
        sets = event(1, "02T10:00:00", by("anna"), title=("a", "x" * n))
        found = cn.why(history([EVENTS[0], sets]), "title")
        assert ("change", f"title: a → {shown}, by an agent") in told(found)
