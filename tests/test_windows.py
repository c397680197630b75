"""Windows of time: parts add up to the whole, and what is cut says so."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest
from decisions import DAY, FEBRUARY, UTC, whole_cases, world_and_history
from hypothesis import given, settings
from hypothesis import strategies as st

import casesnb as cn
from casesnb.analysis.timezones import periods

START = dt.datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def history() -> cn.History[Any]:
    return world_and_history(3)[1]


def test_a_spell_is_cut_to_its_window_and_says_where() -> None:
    day = pd.date_range("2026-03-01", periods=6, tz="UTC")
    frame = pd.DataFrame(
        {
            "case_id": ["in", "early", "late", "around", "before", "open", "untold"],
            "start_at": day[[1, 0, 2, 0, 0, 2, 0]].where([True] * 6 + [False]),
            "end_at": day[[2, 2, 4, 5, 1, 5, 2]],
            "is_open": [False] * 5 + [True, False],
        }
    )
    cut = cn.between(frame, window=(day[1], day[3])).set_index("case_id")
    assert cut["hours"].astype(object).where(cut["hours"].notna(), None).to_dict() == {
        "in": 24.0,
        "early": 24.0,
        "late": 24.0,
        "around": 48.0,
        "open": 24.0,
        "untold": None,
    }
    assert sorted(cut.index[cut["is_clipped_start"]]) == ["around", "early"]
    assert sorted(cut.index[cut["is_clipped_end"]]) == ["around", "late", "open"]
    # What went on after the window had not ended by then.
    assert sorted(cut.index[cut["is_open"]]) == ["around", "late", "open"]


@settings(max_examples=4, deadline=None)
@given(hours=st.lists(st.integers(1, 75 * 24), min_size=1, max_size=5, unique=True))
def test_adjoining_windows_add_up_to_the_whole(
    hours: list[int], history: cn.History[Any]
) -> None:
    as_of = cn.spells(history)["end_at"].max()
    cuts = [START, *(START + dt.timedelta(hours=n) for n in sorted(hours))]
    cuts.append(START + 100 * DAY)
    whole = cn.time_in(history, by=(), window=(cuts[0], cuts[-1]))
    parts = pd.concat(
        cn.time_in(history, by=(), window=pair)
        for pair in pairwise(cuts)
        if pair[0] < as_of
    )
    found = parts.groupby("value", observed=True)["hours"].sum()
    expected = whole.set_index("value")["hours"]
    pd.testing.assert_series_equal(
        found.sort_index(),
        expected.sort_index(),
        check_names=False,
        check_index_type=False,
    )


@pytest.mark.parametrize(
    ("freq", "tz"),
    [("1w", "UTC"), ("1mo", "Europe/Berlin"), ("6h", "America/New_York")],
)
def test_periods_add_up_to_the_window(
    freq: str, tz: str, history: cn.History[Any]
) -> None:
    key = ["case_id", "value"]
    calendar = cn.Calendar(tz="Europe/Berlin")
    whole = cn.time_in(history, window=FEBRUARY, calendar=calendar).set_index(key)
    parts = cn.time_in(history, window=FEBRUARY, freq=freq, tz=tz, calendar=calendar)
    found = parts.groupby(key, observed=True)[["hours", "working_hours"]].sum()
    wanted = whole[["hours", "working_hours"]].sort_index()
    pd.testing.assert_frame_equal(found.sort_index(), wanted, check_index_type=False)


def test_what_lasts_at_the_end_of_a_period_lasts_at_the_start_of_the_next(
    history: cn.History[Any],
) -> None:
    spells = cn.spells(history, "status")
    weeks = cn.under_way(spells, freq="1w", tz="Europe/Berlin")
    n = weeks["n_at_start"] + weeks["n_began"] - weeks["n_ended"]
    assert (n == weeks["n_at_end"]).all()
    for _, rows in weeks.groupby("value"):
        table = rows.set_index("period_at")["n_at_end"]
        following = rows.set_index("period_at")["n_at_start"]
        for at, later in zip(table.index, table.index[1:], strict=False):
            if later - at <= pd.Timedelta(days=7, hours=1):
                assert table[at] == following[later]
    assert weeks["n_began"].sum() == spells["start_at"].notna().sum()
    assert weeks["hours"].sum() == pytest.approx(spells["hours"].sum())


@pytest.mark.parametrize(
    "seeds", [range(1), pytest.param(range(200), marks=pytest.mark.slow)]
)
def test_the_time_in_a_window_is_the_worlds(seeds: range) -> None:
    start, end = FEBRUARY
    n = 0
    for seed in seeds:
        world, history = world_and_history(seed, 8)
        found = cn.time_in(history, window=FEBRUARY)
        hours = {
            (row.case_id, row.value): row.hours
            for row in found.itertuples()
            if row.value
        }
        for case_id in whole_cases(world, history):
            wanted: dict[Any, float] = {}
            for spell in world.true_spells(case_id, "status"):
                since, until = max(spell.start_at, start), min(spell.end_at, end)
                if since < until and spell.value:
                    wanted[spell.value] = wanted.get(spell.value, 0.0) + (
                        until - since
                    ) / dt.timedelta(hours=1)
            for value, expected in wanted.items():
                assert hours[case_id, value] == pytest.approx(expected, abs=1e-6)
                n += 1
    assert n > 10 * len(seeds)


def test_a_period_of_the_wall_clock_is_told_also_where_the_clock_is_moved() -> None:
    start = dt.datetime(2026, 10, 24, 22, tzinfo=UTC)
    found = periods(start, start + 2 * DAY, "1d", "Europe/Berlin")
    assert [(until - since) / dt.timedelta(hours=1) for _, since, until in found] == [
        25,
        23,
    ]
    spring = dt.datetime(2026, 3, 29, 0, tzinfo=UTC)
    hours = periods(spring, spring + dt.timedelta(hours=3), "1h", "Europe/Berlin")
    assert [at for at, _, _ in hours] == [
        spring + dt.timedelta(hours=n) for n in range(3)
    ]


def test_what_is_no_window_is_refused(history: cn.History[Any]) -> None:
    late = dt.datetime(2027, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="is not after its start"):
        cn.spells(history, window=(late, late))
    with pytest.raises(
        ValueError, match=r"told up to .* only\. Give an earlier window"
    ):
        cn.time_in(history, window=(late, late + DAY))
    with pytest.raises(TypeError, match="is no pair of times"):
        cn.time_in(history, window=late)  # type: ignore[arg-type]
    work = cn.spells(history, "status", calendar=cn.Calendar())
    with pytest.raises(ValueError, match="working_hours cannot be cut afterwards"):
        cn.between(work, window=FEBRUARY)


def test_what_ends_when_a_period_does_ends_in_the_next() -> None:
    day = [pd.Timestamp(f"2026-03-{n:02}T00:00Z") for n in (2, 3)]
    spells = pd.DataFrame(
        {
            "domain_id": "d", "case_id": ["a", "b"], "field_id": "status",
            "value": "open", "value_kind": "string",
            "start_at": day[0] + pd.Timedelta(hours=6),
            "end_at": [day[1], day[1] - pd.Timedelta(hours=1)],
            "is_open": False, "is_known": True,
        }
    )  # fmt: skip
    found = cn.under_way(spells, freq="1d", by=[]).set_index("period_at")
    assert found["n_ended"].tolist() == [1, 1]
    assert found["n_at_end"].tolist() == [1, 0]
    assert found["n_at_start"].tolist() == [0, 1]
