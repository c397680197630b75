"""Several fields at once: the hours are the world's, and add up."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from decisions import FEBRUARY, whole_cases, world_and_history

import casesnb as cn

HOUR = dt.timedelta(hours=1)


@pytest.mark.parametrize(
    "seeds", [range(1), pytest.param(range(200), marks=pytest.mark.slow)]
)
def test_hours_of_two_fields_are_the_worlds(seeds: range) -> None:
    n = 0
    for seed in seeds:
        world, history = world_and_history(seed, 8)
        found = cn.overlap(history, "status", "assigned_queue")
        columns = ["case_id", "status", "assigned_queue", "hours"]
        hours = {
            (case, status, None if pd.isna(queue) else queue): told
            for case, status, queue, told in found[columns].itertuples(index=False)
        }
        for case_id in whole_cases(world, history):
            wanted: dict[Any, float] = {}
            for one in world.true_spells(case_id, "status"):
                for other in world.true_spells(case_id, "assigned_queue"):
                    since = max(one.start_at, other.start_at)
                    until = min(one.end_at, other.end_at)
                    if since < until:
                        key = (case_id, one.value, other.value)
                        wanted[key] = wanted.get(key, 0.0) + (until - since) / HOUR
            for key, expected in wanted.items():
                assert hours[key] == pytest.approx(expected, abs=1e-6)
                n += 1
    assert n > 10 * len(seeds)


def test_the_team_is_that_of_the_holder_at_the_time() -> None:
    _, history = world_and_history(5)
    holders = history.events.loc[history.events["actor_kind"] == "agent", "actor"]
    moved = pd.Timestamp("2026-02-10", tz="UTC")
    users = pd.DataFrame(
        [
            row
            for name in holders.astype("str").unique()
            for row in ((name, "a", pd.NaT, moved), (name, "b", moved, pd.NaT))
        ],
        columns=["actor", "team", "valid_from_at", "valid_to_at"],
    )
    teams = cn.overlap(history, "status", "team", users=users, by=(), freq="1d")
    early = teams["period_at"] < moved
    assert set(teams.loc[early, "team"].dropna()) == {"a"}
    assert set(teams.loc[~early, "team"].dropna()) == {"b"}
    held = cn.overlap(history, "status", "assigned_user", by=())
    named = held["assigned_user"].isin(users["actor"])
    assert teams.loc[teams["team"].notna(), "hours"].sum() == pytest.approx(
        held.loc[named, "hours"].sum()
    )
    assert teams["hours"].sum() == pytest.approx(held["hours"].sum())


def test_any_number_of_fields_add_up_in_any_window() -> None:
    _, history = world_and_history(5)
    calendar = cn.Calendar(tz="Europe/Berlin")
    fields = ("status", "assigned_queue", "assigned_user")
    many = cn.overlap(history, *fields, window=FEBRUARY, calendar=calendar)
    one = cn.time_in(history, window=FEBRUARY, calendar=calendar)
    for name in ("hours", "working_hours"):
        told = many[many["status"].notna()].groupby(["case_id", "status"])[name].sum()
        wanted = one.groupby(["case_id", "value"], observed=True)[name].sum()
        pd.testing.assert_series_equal(
            told, wanted, check_names=False, check_index=False
        )


def test_what_is_no_pair_of_fields_is_refused() -> None:
    _, history = world_and_history(5)
    with pytest.raises(ValueError, match="give two or more, each once"):
        cn.overlap(history, "status")
    with pytest.raises(ValueError, match="give two or more, each once"):
        cn.overlap(history, "status", "status")
    with pytest.raises(ValueError, match=r"No change is of a field 'assigned_queu'"):
        cn.overlap(history, "status", "assigned_queu")
    with pytest.raises(ValueError, match="give any of 'domain_id' and 'case_id'"):
        cn.overlap(history, "status", "assigned_queue", by=["actor"])


def test_what_the_order_of_an_instant_decides_is_not_known_of_several_fields() -> None:
    def event(number: int, second: int, **fields: str) -> dict[str, Any]:
        told = [
            {"eventFieldId": name, "newValue": {"stringValue": new}}
            for name, new in fields.items()
        ]
        return {
            "eventId": f"e{number}",
            "type": "Case.Updated" if number else "Case.Created",
            "performedTime": f"2026-03-01T09:00:{second:02}Z",
            "fields": told,
        }

    sent = [
        event(0, 0, status="open", priority="low"),
        event(1, 30, status="escalated"),
        event(2, 30, status="on_hold"),  # which of the two came last, nothing decides
    ]
    changes = cn.raw.changes_frame([{"auditEvents": sent}], domain_id="d", case_id="c")
    end = dt.datetime(2026, 3, 1, 10, tzinfo=dt.UTC)
    found = cn.overlap(changes, "status", "priority", as_of=end)
    alone = cn.time_in(changes, as_of=end)
    alone = alone[alone["hours"] > 0].set_index("value")["is_known"].to_dict()
    assert found.set_index("status")["is_known"].to_dict() == alone
    assert sorted(alone.values()) == [False, True]
