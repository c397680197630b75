"""The key figures of a week: the life table's times, and how sure they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from decisions import world_and_history
from test_spells import MISSING, changes_of, text
from test_untold import events_of

import casesnb as cn
from casesnb.analysis.uncertainty import period_quantiles, poisson
from casesnb.analysis.weekly import WEEK, _Told, key_figures


def by_hand(entry: list[float], hours: list[float], ended: list[bool]) -> float:
    """Until when half have ended, followed from entry: each death one by one."""
    left = 1.0
    for time in sorted({h for h, e in zip(hours, ended, strict=True) if e}):
        rows = [*zip(entry, hours, ended, strict=True)]
        at_risk = sum(a < time <= h for a, h, _ in rows)
        left *= 1 - sum(h == time and e for _, h, e in rows) / at_risk
        if left <= 0.5 + 1e-12:
            return time
    return float("inf")


@pytest.mark.parametrize("seed", range(20))
def test_a_life_table_counts_each_case_while_it_was_followed(seed: int) -> None:
    dice = np.random.default_rng(seed)
    entry = np.where(dice.random(40) < 0.5, 0.0, dice.integers(0, 30, 40).astype(float))
    hours = entry + dice.integers(1, 30, 40)
    ended = dice.random(40) < 0.6
    (found, *_) = period_quantiles(entry, hours, ended, [0.5], n_resamples=5, seed=1)
    assert found[0] == by_hand([*entry], [*hours], [*ended])


def test_what_nobody_reached_is_infinite_and_what_nobody_was_followed_for_missing() -> (
    None
):
    one = np.array([1.0])
    (told,) = period_quantiles(
        one * 0, one, np.array([False]), [0.5], n_resamples=9, seed=1
    )
    assert told == (np.inf, np.inf, np.inf)
    none = np.array([])
    assert period_quantiles(none, none, none, [0.5], n_resamples=9, seed=1) == [
        (None, None, None)
    ]


@pytest.mark.slow
def test_95_percent_of_the_intervals_of_a_median_hold_it() -> None:
    held = 0
    for seed in range(400):
        dice = np.random.default_rng(seed)
        born = dice.uniform(0, 1_000, 600)
        gone = born + dice.exponential(48, 600) / np.log(2)  # half within 48 hours
        is_in = (gone >= 832) & (born < 1_000)
        entry = np.maximum(832 - born, 0)[is_in]
        hours = (np.minimum(gone, 1_000) - born)[is_in]
        ((_, low, high),) = period_quantiles(
            entry, hours, (gone < 1_000)[is_in], [0.5], n_resamples=200, seed=seed
        )
        assert low is not None
        assert high is not None
        held += low <= 48 <= high
    assert 0.92 <= held / 400 <= 0.98


@pytest.mark.slow
def test_95_percent_of_the_intervals_of_a_count_hold_its_mean() -> None:
    counts = np.random.default_rng(1).poisson(12, 10_000)
    held = [low <= 12 <= high for low, high in map(poisson, counts)]
    assert 0.94 <= np.mean(held) <= 0.97


def test_the_week_ends_when_the_history_was_read() -> None:
    world, history = world_and_history(3, 30, sla=1.0)
    (start, end), figures = key_figures(history)
    assert (end, end - start) == (world.now, WEEK)
    closes = sum(
        start <= each.performed_at < end and each.field_id == "status"
        for case_id in world.case_ids(world.domains[0].domain_id)
        for each in world.true_changes(case_id)
        if each.is_served and each.new == "closed" and each.old != "closed"
    )
    told = {each.name: each for each in figures}
    merged = sum(start <= each.at < end for each in world.true_merges())
    assert told["closes"].now.value == closes - merged
    for each in figures:
        for week in (each.now, each.before):
            if week.low is not None and week.value is not None:
                assert week.low <= week.value <= (week.high or np.inf)


def test_where_one_case_in_four_was_automated_the_share_may_have_been_none() -> None:
    told = object.__new__(_Told)
    at, case_ids = pd.Timestamp("2026-03-02T09:00Z"), ["a", "b", "c", "d"]
    told.done = pd.DataFrame(
        {
            "domain_id": "d",
            "case_id": [*case_ids, "e"],
            "performed_at": at,
            "worker": ["automation", "human", "human", "human", "unknown"],
        }
    )
    found = told.automation((at, at + WEEK))
    assert (found.value, found.low, found.of) == (0.25, 0.0, "of 4 events")
    assert found.high is not None
    assert 0.25 < found.high < 1
    told.done = told.done[told.done["worker"] == "unknown"]
    assert told.automation((at, at + WEEK)).value is None


def test_who_was_closed_at_once_was_not_followed_and_the_tail_is_not_the_median() -> (
    None
):
    told = object.__new__(_Told)
    start = pd.Timestamp("2026-03-02T00:00Z")
    hours = [0, *range(1, 11)]
    ends = [start + pd.Timedelta(hours=n) for n in hours]
    told.as_of, told.curves = start + WEEK, {}
    told.born = pd.DataFrame(
        {"created_at": start, "first_closed_at": ends, "over_at": ends}
    )
    week = (start, start + WEEK)
    assert told.close(0.5)(week).of == "10 closed of 10 followed"
    assert told.close(0.5)(week).value == 5
    assert told.close(0.9)(week).value == 9
    # A case that a merge ended was followed until then, and never closed.
    told.curves = {}
    told.born.loc[5:, "first_closed_at"] = pd.NaT
    assert told.close(0.5)(week).of == "4 closed of 10 followed"


def history_of(*rows: tuple[Any, ...]) -> cn.History[Any]:
    """A case whose changes are told with their hour, and an event each."""
    changes = changes_of(*rows)
    return cn.History(events_of(changes), changes)


def week_and_week_before(name: str, history: cn.History[Any]) -> tuple[Any, Any]:
    (told,) = (each for each in key_figures(history)[1] if each.name == name)
    return told.now.value, told.before.value


def test_what_is_not_closed_is_what_a_status_told_by_then_means() -> None:
    opens = (0, "title", MISSING, text("a"))
    takes = (48, "status", text("open"), text("held"))
    # The status before its first change is told, but not since when.
    assert week_and_week_before("backlog", history_of(opens, takes)) == (1, 0)
    months_later = (24 * 30, "title", text("a"), text("b"))
    late = history_of(opens, takes, months_later)
    assert week_and_week_before("backlog", late) == (1, 1)
    unsent = (72, "status", text("held"), MISSING)
    assert week_and_week_before("backlog", history_of(opens, takes, unsent)) == (0, 0)


def test_a_close_that_is_told_counts_whatever_is_told_after_it() -> None:
    created = (0, "status", MISSING, text("open"))
    closed = (24, "status", text("open"), text("closed"))
    unsent = (48, "status", text("closed"), MISSING)
    assert week_and_week_before("closes", history_of(created, closed, unsent)) == (1, 0)
