"""Spells and the state they give, on small histories, whole frames compared."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest

import casesnb as cn
from casesnb.analysis.durations import hours_text
from casesnb.schema import (
    BACKLOG,
    BLAME,
    CHANGES,
    DIFF,
    DURATIONS,
    HANDOFFS,
    REOPENS,
    SPELLS,
    STATE_AT,
    TIME_IN,
    TRANSITIONS,
    VARIANTS,
    Table,
)
from casesnb.tables.schema import TEXT_TYPE

MISSING = (None, None)


def text(value: str) -> tuple[str, str]:
    return ("string", value)


EMPTY = ("empty", None)


def changes_of(*rows: tuple[Any, ...], case_id: str = "c") -> pd.DataFrame:
    """Changes at hours of a Monday: (hour, field, old, new), the first creates."""
    built = [
        {
            "domain_id": "d",
            "case_id": case_id,
            "event_id": f"e{place}",
            "sequence": place,
            "slot": 0,
            "performed_at": pd.Timestamp("2026-03-02", tz="UTC")
            + pd.Timedelta(hours=hour),
            "event_type": "Case.Updated" if place else "Case.Created",
            "actor": f"a{place}",
            "actor_kind": "agent",
            "field_id": field_id,
            "old_kind": old[0],
            "old": old[1],
            "new_kind": new[0],
            "new": new[1],
            "is_order_known": True,
            "is_outcome_known": True,
        }
        for place, (hour, field_id, old, new) in enumerate(rows)
    ]
    return CHANGES.cast(pd.DataFrame(built, columns=CHANGES.names))


def expected(table: Table, *rows: tuple[Any, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=table.names)
    for column in table.columns:
        if column.dtype.startswith("datetime"):
            frame[column.name] = [at(hour) for hour in frame[column.name]]
    return table.cast(frame)


def at(hour: float | None) -> pd.Timestamp | None:
    if hour is None or hour != hour:
        return None
    return pd.Timestamp("2026-03-02", tz="UTC") + pd.Timedelta(hours=hour)


KEY = ("d", "c", "status")
LIFE = (
    (0, "status", MISSING, text("open")),
    (1, "status", text("open"), text("open")),  # changes nothing
    (3, "status", text("open"), text("closed")),
    (7, "status", text("closed"), text("open")),
    (8, "status", text("open"), EMPTY),
)


def check(found: pd.DataFrame, wanted: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, wanted)


def test_a_spell_lasts_until_another_value() -> None:
    check(
        cn.spells(changes_of(*LIFE), as_of=at(10)),
        expected(
            SPELLS,
            (*KEY, "string", "open", 0, 3, 3.0, False, True, "e0", "a0"),
            (*KEY, "string", "closed", 3, 7, 4.0, False, True, "e2", "a2"),
            (*KEY, "string", "open", 7, 8, 1.0, False, True, "e3", "a3"),
            (*KEY, "empty", None, 8, 10, 2.0, True, True, "e4", "a4"),
        ),
    )


def test_what_comes_after_as_of_has_not_happened() -> None:
    check(
        cn.spells(changes_of(*LIFE), "status", as_of=at(3)),
        expected(
            SPELLS,
            (*KEY, "string", "open", 0, 3, 3.0, False, True, "e0", "a0"),
            (*KEY, "string", "closed", 3, 3, 0.0, True, True, "e2", "a2"),
        ),
    )


def test_the_value_before_the_first_change_has_no_start() -> None:
    late = changes_of(
        (0, "title", MISSING, text("t")), (5, "status", text("open"), text("closed"))
    )
    check(
        cn.spells(late, "status"),
        expected(
            SPELLS,
            (*KEY, "string", "open", None, 5, None, False, False, None, None),
            (*KEY, "string", "closed", 5, 5, 0.0, True, True, "e1", "a1"),
        ),
    )
    same = changes_of(
        (0, "title", MISSING, text("t")), (5, "status", text("open"), text("open"))
    )
    check(
        cn.spells(same, "status"),
        expected(
            SPELLS, (*KEY, "string", "open", None, 5, None, True, False, None, None)
        ),
    )


def test_a_break_makes_the_spell_before_it_unknown() -> None:
    broken = changes_of(
        (0, "status", MISSING, text("open")),
        (4, "status", text("held"), text("open")),  # who put it on hold, and when?
    )
    check(
        cn.spells(broken, as_of=at(6)),
        expected(
            SPELLS,
            (*KEY, "string", "open", 0, 4, 4.0, False, False, "e0", "a0"),
            (*KEY, "string", "open", 4, 6, 2.0, True, True, "e1", "a1"),
        ),
    )
    flow = cn.transitions(broken)
    check(
        flow,
        expected(
            TRANSITIONS, ("status", "string", "held", "string", "open", 1, 1, None)
        ),
    )


def test_five_kinds_of_nothing_stay_apart() -> None:
    life = changes_of(
        (0, "f", MISSING, EMPTY),
        (1, "f", EMPTY, ("string", "")),
        (2, "f", ("string", ""), ("boolean", "false")),
        (3, "f", ("boolean", "false"), ("double", "0.0")),
        (4, "f", ("double", "0.0"), MISSING),
    )
    found = cn.spells(life)
    assert found["kind"].fillna("none").tolist() == [
        "empty",
        "string",
        "boolean",
        "double",
        "none",
    ]


def test_changes_of_one_instant_follow_their_sequence() -> None:
    tied = changes_of(
        (0, "status", MISSING, text("b")),
        (0, "status", text("b"), text("a")),
        (0, "status", text("a"), text("c")),
    )
    found = cn.spells(tied.iloc[::-1])
    assert found["value"].tolist() == ["b", "a", "c"]
    assert cn.state_at(tied)["value"].tolist() == ["c"]


def test_related_items_have_no_spells() -> None:
    item = changes_of(*LIFE).assign(event_type="RelatedItem.Created")
    assert len(cn.spells(item)) == 0
    assert cn.spells(item).dtypes.to_dict() == SPELLS.empty().dtypes.to_dict()


@pytest.mark.parametrize(
    ("ask", "table"),
    [
        (cn.spells, SPELLS),
        (cn.time_in, TIME_IN),
        (cn.backlog, BACKLOG),
        (cn.state_at, STATE_AT),
        (cn.blame, BLAME),
        (cn.transitions, TRANSITIONS),
        (cn.handoffs, HANDOFFS),
        (cn.reopens, REOPENS),
        (cn.variants, VARIANTS),
    ],
)
def test_no_changes_give_no_rows_and_all_columns(ask: Any, table: Table) -> None:
    found = ask(CHANGES.empty())
    assert len(found) == 0
    assert found.columns.tolist() == table.names


def test_time_in_adds_up_the_spells_of_a_value() -> None:
    check(
        cn.time_in(changes_of(*LIFE), as_of=at(10)),
        expected(
            TIME_IN,
            (*KEY, "empty", None, 2.0, 1, True, True),
            (*KEY, "string", "closed", 4.0, 1, False, True),
            (*KEY, "string", "open", 4.0, 2, False, True),
        ),
    )


def test_time_in_keeps_apart_only_what_it_is_told_to() -> None:
    with pytest.raises(ValueError, match="by="):
        cn.time_in(changes_of(*LIFE), by=["value"])
    by_actor = cn.time_in(changes_of(*LIFE), by=["actor"], as_of=at(10))
    assert by_actor["actor"].tolist() == ["a0", "a2", "a3", "a4"]


def test_the_backlog_counts_in_out_and_what_is_left() -> None:
    both = pd.concat(
        [changes_of(*LIFE[:3]), changes_of(LIFE[0], case_id="x")], ignore_index=True
    )
    check(
        cn.backlog(both, freq="1h"),
        expected(
            BACKLOG,
            (0, "status", "string", "open", 2, 0, 2),
            (3, "status", "string", "closed", 1, 0, 1),
            (3, "status", "string", "open", 0, 1, 1),
        ),
    )


def test_blame_names_who_set_the_value_and_what_was_there() -> None:
    check(
        cn.blame(changes_of(*LIFE), as_of=at(7.5)),
        expected(
            BLAME,
            (*KEY, "string", "open", True, "e3", "a3", "agent", 7, "string", "closed"),
        ),
    )


def test_diff_has_only_what_is_another_value() -> None:
    life = changes_of(*LIFE)
    assert len(cn.diff(life, start=at(0), end=at(2))) == 0
    assert len(cn.diff(life, start=at(0), end=at(7))) == 0  # closed and opened again
    check(
        cn.diff(life, start=at(0), end=at(4)),
        expected(
            DIFF, (*KEY, "string", "open", "string", "closed", True, 3, "e2", "a2")
        ),
    )
    with pytest.raises(ValueError, match="Give them in order"):
        cn.diff(life, start=at(4), end=at(0))


def test_a_table_of_states_has_typed_columns() -> None:
    life = changes_of(
        (0, "n", MISSING, ("double", "1.5")),
        (1, "b", MISSING, ("boolean", "true")),
        (2, "s", MISSING, text("x")),
        (3, "e", text("y"), EMPTY),
    )
    check(
        cn.state_table(life),
        pd.DataFrame(
            {
                "domain_id": ["d"],
                "case_id": ["c"],
                "b": [1.0],
                "e": [None],
                "n": [1.5],
                "s": ["x"],
            }
        ).astype(dict.fromkeys(["domain_id", "case_id", "e", "s"], TEXT_TYPE)),
    )


def test_a_handoff_goes_back_and_nobody_counts_from_creation() -> None:
    ann, bob = ("user_arn", "ann"), ("user_arn", "bob")
    held = changes_of(
        (0, "status", MISSING, text("open")),
        (2, "assigned_user", EMPTY, ann),
        (3, "assigned_user", ann, bob),
        (4, "assigned_user", bob, EMPTY),
        (6, "assigned_user", EMPTY, ann),
    )
    key = ("d", "c", "assigned_user")
    check(
        cn.handoffs(held),
        expected(
            HANDOFFS,
            (*key, None, "ann", 2, 2.0, False, "e1", "a1"),
            (*key, "ann", "bob", 3, 1.0, False, "e2", "a2"),
            (*key, "bob", None, 4, 1.0, False, "e3", "a3"),
            (*key, None, "ann", 6, 2.0, True, "e4", "a4"),
        ),
    )


def test_a_reopening_counts_from_the_first_close() -> None:
    life = changes_of(
        *LIFE[:3],
        (5, "status", text("closed"), text("closed")),
        (7, "status", text("closed"), text("open")),
    )
    check(
        cn.reopens(life),
        expected(REOPENS, ("d", "c", 3, 7, 4.0, "open", None, "e2", "a2", "e4", "a4")),
    )


def test_ways_are_cut_where_they_get_long() -> None:
    check(
        cn.variants(changes_of(*LIFE)),
        expected(VARIANTS, ("status", "open → closed → open → (empty)", 4, 1, 1.0)),
    )
    assert cn.variants(changes_of(*LIFE), max_steps=1)["variant"].tolist() == [
        "open → …"
    ]


def test_open_spells_make_a_median_longer_not_shorter() -> None:
    waits = pd.DataFrame(
        {
            "field_id": "f",
            "kind": "string",
            "value": "v",
            "hours": [1.0, 2.0, 3.0, 4.0, None],
            "is_open": [False, True, False, False, False],
        }
    )
    # Left after 1 h: 3/4. After 3 h: 3/4 * 1/2. After 4 h: nothing.
    check(
        cn.durations(waits),
        expected(
            DURATIONS,
            ("f", "string", "v", 5, 1, 1, 0, 1.0, 3.0, 4.0, 1.0, 3.0, 4.0),
        ),
    )
    with pytest.raises(ValueError, match="Name at least one column"):
        cn.durations(waits, by=())


def test_only_of_what_ended_in_a_break_are_two_times_told() -> None:
    rows = pd.DataFrame(
        {
            "value": ["a", "a", "b", "b"],
            "hours": [2.0, 1.0, 3.0, 4.0],
            "is_open": [False, True, False, False],
            "is_known": [False, True, True, True],
        }
    )
    found = cn.durations(rows, by=["value"])
    assert found["n_broken"].tolist() == [1, 0]
    assert found["q90_hours"].tolist() == [2.0, 4.0]
    # Had it ended at once, the other one, still open, would be all that is left.
    assert found["q90_hours_min"].isna().tolist() == [True, False]
    assert found["median_hours_min"].tolist() == [0.0, 3.0]


def test_what_ended_in_a_break_ended_some_time_before() -> None:
    changes = [
        changes_of((0, "status", MISSING, text("open")), (hours, *ends), case_id=case)
        for case, hours, ends in (
            ("a", 2, ("status", text("open"), text("closed"))),
            ("b", 8, ("status", text("open"), text("closed"))),
            ("c", 9, ("status", text("lost"), text("closed"))),
        )
    ]
    spells = cn.spells(pd.concat(changes, ignore_index=True), "status", as_of=at(10))
    found = cn.durations(spells[spells["value"] == "open"])
    check(
        found,
        expected(
            DURATIONS,
            ("status", "string", "open", 3, 0, 0, 1, 2.0, 8.0, 9.0, 0.0, 2.0, 8.0),
        ),
    )


# ---------------------------------------------------------------- working hours

BERLIN = "Europe/Berlin"


def worked(calendar: cn.Calendar, start: str, end: str) -> float:
    life = changes_of(
        (0, "status", MISSING, text("open")), (1, "status", text("open"), text("x"))
    )
    life["performed_at"] = pd.to_datetime([start, end], utc=True).as_unit("us")
    return float(cn.spells(life, calendar=calendar)["working_hours"].iloc[0])


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-03-06T15:30Z", "2026-03-09T08:30Z", 1.0),  # Friday to Monday
        ("2026-03-27T15:00Z", "2026-03-30T08:00Z", 2.0),  # the clock changes between
        ("2026-03-02T00:00Z", "2026-03-09T00:00Z", 40.0),
        ("2026-03-07T00:00Z", "2026-03-08T00:00Z", 0.0),
        ("2026-04-03T00:00Z", "2026-04-04T00:00Z", 0.0),  # a holiday
    ],
)
def test_office_hours_are_those_of_the_zone(start: str, end: str, hours: float) -> None:
    office = cn.Calendar(tz=BERLIN, holidays=[dt.date(2026, 4, 3)])
    assert worked(office, start, end) == pytest.approx(hours)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-03-28T12:00Z", "2026-03-29T12:00Z"),  # 23 hours on the wall's Sunday
        ("2026-10-24T12:00Z", "2026-10-25T12:00Z"),  # 25
        ("2026-03-29T00:30Z", "2026-03-29T01:30Z"),
        ("2026-10-25T00:30Z", "2026-10-25T01:30Z"),
    ],
)
def test_work_around_the_clock_is_the_time_itself(start: str, end: str) -> None:
    always = cn.Calendar(dict.fromkeys(range(1, 8), ("00:00", "24:00")), BERLIN)
    hours = (pd.Timestamp(end) - pd.Timestamp(start)).total_seconds() / 3600
    assert worked(always, start, end) == pytest.approx(hours)


def test_a_night_shift_loses_the_hour_that_the_wall_skips() -> None:
    night = cn.Calendar({7: ("01:00", "05:00")}, BERLIN)
    assert worked(night, "2026-03-28T12:00Z", "2026-03-29T12:00Z") == 3
    assert worked(night, "2026-10-24T12:00Z", "2026-10-25T12:00Z") == 5


def test_working_hours_are_those_counted_minute_by_minute() -> None:
    from zoneinfo import ZoneInfo

    calendar = cn.Calendar(
        {1: [("08:00", "12:00"), ("13:00", "17:30")], 7: ("00:30", "04:00")},
        BERLIN,
        [dt.date(2026, 3, 30)],
    )
    minutes = pd.date_range("2026-03-27T20:10Z", "2026-04-07T09:40Z", freq="min")[:-1]
    n = 0
    for minute in minutes.tz_convert(ZoneInfo(BERLIN)):
        of_day = (minute.hour * 60 + minute.minute) * 60_000_000
        spans = calendar.spans_of(minute.date())
        n += any(start <= of_day < end for start, end in spans)
    found = worked(calendar, "2026-03-27T20:10Z", "2026-04-07T09:40Z")
    assert found == pytest.approx(n / 60)


def test_any_table_can_tell_its_working_hours() -> None:
    times = pd.to_datetime(["2026-03-06T15:30Z", "2026-03-09T08:30Z", None])
    waits = pd.DataFrame(
        {
            "asked_at": times[[0, 1, 0]],
            "done_at": times[[1, 0, 2]],
            "note": list("abc"),
        },
        index=[7, 7, 3],
    )
    office = cn.Calendar(tz=BERLIN)
    found = cn.with_working_hours(waits, office, start="asked_at", end="done_at")
    expected = waits.assign(working_hours=[1.0, -1.0, None])
    pd.testing.assert_frame_equal(found, expected)
    with pytest.raises(ValueError, match="'touched_at' here. Name two of: asked_at"):
        cn.with_working_hours(waits, office, start="asked_at", end="touched_at")
    with pytest.raises(ValueError, match="'a' here. Name two of: asked_at"):
        cn.with_working_hours(waits, office, start="b", end="a")
    with pytest.raises(ValueError, match="Name another with hours="):
        cn.with_working_hours(
            waits, office, start="asked_at", end="done_at", hours="note"
        )


def test_a_handoff_tells_the_working_hours_that_the_case_was_held() -> None:
    held = changes_of(
        (0, "assigned_user", MISSING, text("ann")),
        (1, "assigned_user", text("ann"), text("bob")),
        (2, "assigned_user", text("eve"), text("dan")),
    )
    held["performed_at"] = pd.to_datetime(
        ["2026-03-06T15:30Z", "2026-03-09T08:30Z", "2026-03-09T09:00Z"]
    ).as_unit("us")
    found = cn.handoffs(held, calendar=cn.Calendar(tz=BERLIN))
    pd.testing.assert_frame_equal(found[HANDOFFS.names], cn.handoffs(held))
    assert found["held_hours"].tolist()[0] == 65
    assert found["held_working_hours"].tolist()[0] == 1
    assert found["held_working_hours"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("hours", "told"),
    [
        ({8: ("09:00", "17:00")}, "no weekday"),
        ({0: ("09:00", "17:00")}, "no weekday"),
        ({1: ("17:00", "09:00")}, "not in order"),
        ({1: ("09:00", "25:00")}, "not in order"),
        ({1: [("09:00", "13:00"), ("12:00", "17:00")]}, "not in order"),
        ({1: ("nine", "five")}, "no time of day"),
    ],
)
def test_hours_that_make_no_sense_are_refused(hours: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        cn.Calendar(hours)
    with pytest.raises(ValueError, match="no time zone"):
        cn.Calendar(tz="Berlin")


@pytest.mark.parametrize(
    ("hours", "told"),
    [
        (0, "0 min"), (0.99, "59 min"), (1, "1.0 h"), (47.94, "47.9 h"), (48, "2.0 d"),
        (24_012, "1,000.5 d"), (float("nan"), "unknown"),
    ],
)  # fmt: skip
def test_a_duration_is_told_in_the_unit_that_suits_it(hours: float, told: str) -> None:
    assert hours_text(hours) == told
