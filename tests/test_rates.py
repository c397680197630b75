"""Rates: the counts are the world's, the intervals the books'."""

from __future__ import annotations

import datetime as dt
from typing import Any

import narwhals as nw
import pandas as pd
import pytest
from decisions import FEBRUARY, history_of, told, whole_cases, world_and_history
from scipy import stats
from test_checks import ANN_, CLOSE, Story
from test_checks import told as history_told

import casesnb as cn
from casesnb.analysis.uncertainty import (
    expanded,
    newcombe,
    poisson,
    wilson,
    with_wilson,
)

BOTH = [range(2), pytest.param(range(200), marks=pytest.mark.slow)]


@pytest.mark.parametrize(("n", "n_of"), [(0, 7), (7, 7), (1, 2), (3, 40), (55, 1000)])
def test_wilsons_interval_is_scipys(n: int, n_of: int) -> None:
    theirs = stats.binomtest(n, n_of).proportion_ci(method="wilson")
    assert wilson(n, n_of) == pytest.approx((theirs.low, theirs.high))


@pytest.mark.parametrize("n", [0, 1, 9, 400])
def test_a_count_is_at_both_ends_of_its_interval_as_unlikely(n: int) -> None:
    low, high = poisson(n)
    of_normal = stats.norm.ppf(0.975)
    assert (high - n) / high**0.5 == pytest.approx(of_normal)
    assert low == 0 if not n else (n - low) / low**0.5 == pytest.approx(of_normal)


@pytest.mark.parametrize(("n", "within"), [(5, 0.002), (10, 3e-4), (1e9, 1e-6)])
def test_few_draws_are_widened_as_students_quantile_asks(
    n: float, within: float
) -> None:
    low, high = expanded(n)
    wider = stats.t.ppf(0.025, n - 1) * (n / (n - 1)) ** 0.5
    assert low == pytest.approx(stats.norm.cdf(wider), abs=within)
    assert low + high == 1


def test_newcombes_interval_is_that_of_his_paper() -> None:
    # Statistics in Medicine 17 (1998), table II, method 10: the first rate less
    # the second.
    for (a, b, c, d), wanted in {
        (56, 70, 48, 80): (0.0524, 0.3339),
        (9, 10, 3, 10): (0.1705, 0.8090),
        (10, 10, 0, 20): (0.6791, 1.0000),
    }.items():
        low, high = newcombe(c, d, a, b)
        assert (low, high) == pytest.approx(wanted, abs=5e-5)


def true_closes(world: Any, case_id: str) -> list[tuple[int, Any, bool, str | None]]:
    """Each close of a case: place, time, whether a merge did it, who."""
    merges = {e.event_id: e.merge_event_id for e in world.true_events(case_id)}
    status, found = None, []
    for change in world.true_changes(case_id):
        is_own = change.event_type.startswith("Case.")
        if change.field_id == "status" and is_own:
            if change.new == "closed" and status != "closed":
                is_merge = merges[change.event_id] is not None
                row = (change.sequence, change.performed_at, is_merge, change.actor)
                found.append(row)
            status = change.new
    return found


@pytest.mark.parametrize("seeds", BOTH)
def test_reopened_closes_are_the_worlds(seeds: range) -> None:
    n_again = 0
    for seed in seeds:
        world, history = world_and_history(seed, 10, reopen=0.5)
        whole = whole_cases(world, history)
        found = cn.rates(told(history, whole), "reopened")
        closes = {case: true_closes(world, case) for case in whole}
        resolved = sum(not row[2] for rows in closes.values() for row in rows)
        again = sum(
            not each.is_after_merge
            for case in whole
            for each in world.true_reopens(case)
        )
        (row,) = found.to_dict("records")
        assert (row["n"], row["n_of"]) == (again, resolved)
        n_again += again
    assert n_again > len(seeds)


@pytest.mark.parametrize("seeds", BOTH)
def test_holders_and_touchless_cases_are_the_worlds(seeds: range) -> None:
    seen = set()
    for seed in seeds:
        world, history = world_and_history(seed, 10, unnamed=0.0, automation=0.5)
        whole = whole_cases(world, history)
        given = told(history, whole)
        holders = cn.outcomes(given, "holders").set_index("case_id")["outcome"]
        touched = cn.outcomes(given, "touchless").set_index("case_id")["outcome"]
        for case_id in whole:
            closes = [row for row in true_closes(world, case_id) if not row[2]]
            if not closes:
                assert pd.isna(holders[case_id])
                assert pd.isna(touched[case_id])
                continue
            until = closes[0][0]
            names = {
                c.new
                for c in world.true_changes(case_id)
                if c.field_id == "assigned_user" and c.new and c.sequence <= until
            }
            word = {0: "none", 1: "one"}.get(len(names), "two or more")
            assert holders[case_id] == word
            by_agent = any(
                e.actor_kind == "agent" and 0 < e.sequence <= until
                for e in world.true_events(case_id)
                if e.event_type != "Case.Created"
            )
            assert touched[case_id] == ("touched" if by_agent else "touchless")
            seen |= {word, touched[case_id]}
    assert {"one", "two or more", "touched"} <= seen


def test_a_case_that_does_not_conform_cites_its_first_wrong_move() -> None:
    _, history = world_and_history(3, 30, reopen=0.6)
    flow = {"open": ["in_progress"], "in_progress": ["closed"]}
    wrong = cn.conformance(history, flow).query("verdict == 'not_allowed'")
    found = cn.outcomes(history, "conforming", flow=flow).set_index("case_id")
    first = wrong.groupby("case_id")["event_id"].first()
    assert found["event_ids"].dropna().to_dict() == first.to_dict()
    # Ids are no order: the first by id is another one of some case.
    assert not first.equals(wrong.groupby("case_id")["event_id"].min())


def test_what_is_left_out_is_told_with_its_reason() -> None:
    history = history_of(
        {
            "again": [
                (0, "open", "agent/a"),
                (1, "closed", "agent/b"),
                (2, "open", "x"),
            ],
            "fresh": [(0, "open", "agent/a"), (100, "closed", "agent/b")],
            "fast": [(0, "open", "agent/a"), (1, "closed", "agent/c")],
            "waits": [(0, "open", "agent/a")],
        }
    )
    (row,) = cn.rates(history, within=dt.timedelta(hours=10)).to_dict("records")
    assert (row["n"], row["n_of"], row["n_excluded"]) == (1, 2, 1)
    assert row["excluded"] == "1 closed too short a time ago"
    assert (row["low"], row["high"]) == pytest.approx(wilson(1, 2))
    holders = cn.rates(history, "holders")
    assert holders["excluded"].tolist() == ["1 not closed yet"] * 3
    assert holders["n"].tolist() == [3, 0, 0]


def test_groups_name_who_closed_and_cite_the_events() -> None:
    history = history_of(
        {
            "again": [
                (0, "open", "agent/a"),
                (1, "closed", "agent/b"),
                (2, "open", "x"),
            ],
            "fast": [(0, "open", "agent/a"), (1, "closed", "agent/c")],
        }
    )
    by = cn.rates(history, by=["closer"]).set_index("closer")
    assert by["n"].to_dict() == {"agent/b": 1, "agent/c": 0}
    rows = cn.outcomes(history).set_index("case_id")["event_ids"]
    assert rows.to_dict() == {"again": "again-1 again-2", "fast": "fast-1"}
    cases = pd.DataFrame(
        {"domain_id": "d", "case_id": ["again", "fast"], "template_id": ["t", "u"]}
    )
    templates = cn.rates(history, by=["template_id"], cases=cases)
    assert templates[["template_id", "n"]].to_numpy().tolist() == [["t", 1], ["u", 0]]
    users = pd.DataFrame(
        {
            "actor": ["agent/b", "agent/b"],
            "team": ["old", "new"],
            "valid_from_at": [pd.NaT, pd.Timestamp("2026-02-01 01:00", tz="UTC")],
            "valid_to_at": [pd.Timestamp("2026-02-01 01:00", tz="UTC"), pd.NaT],
        }
    )
    teams = cn.rates(history, by=["team"], users=users)
    assert teams["team"].astype(object).where(teams["team"].notna(), None).tolist() == [
        "new",
        None,
    ]


def test_a_window_counts_what_was_closed_in_it() -> None:
    _, history = world_and_history(4, 30)
    whole = cn.outcomes(history)
    start, end = FEBRUARY
    inside = whole["at"].between(start, end, inclusive="left")
    (row,) = cn.rates(history, window=FEBRUARY).to_dict("records")
    assert row["n_of"] == (inside & whole["outcome"].notna()).sum()
    weeks = cn.rates(history, window=FEBRUARY, freq="1w", tz="Europe/Berlin")
    assert weeks["n_of"].sum() == row["n_of"]


def test_what_no_rate_can_tell_is_refused() -> None:
    _, history = world_and_history(4)
    with pytest.raises(ValueError, match="measure='solved': give one of reopened, "):
        cn.rates(history, "solved")
    with pytest.raises(ValueError, match="by='team': give closer, holder, queue"):
        cn.rates(history, by=["team"])
    with pytest.raises(ValueError, match="flow= goes with 'conforming'"):
        cn.rates(history, "conforming")
    with pytest.raises(ValueError, match=r"give timedelta\(days=7\) of 'reopened'"):
        cn.rates(history, "holders", within=dt.timedelta(days=1))


@pytest.mark.parametrize(("hours", "is_again"), [(9, False), (10, True), (11, True)])
def test_a_close_counts_as_reopened_within_the_span_its_end_included(
    hours: int, is_again: bool
) -> None:
    ways = {"a": [(0, "open", "x"), (1, "closed", "x"), (11, "open", "x")]}
    ways["b"] = [(50, "open", "x")]  # the history goes on
    history = history_of(ways)
    (row,) = cn.rates(history, within=dt.timedelta(hours=hours)).to_dict("records")
    assert (row["n"], row["n_of"]) == (int(is_again), 1)


def test_two_tables_tell_up_to_the_newest_event_though_it_lists_no_field() -> None:
    story = Story().created(ANN_).then(ANN_, CLOSE).then(ANN_).then(ANN_)
    whole, within = history_told(story), dt.timedelta(hours=2)
    found = cn.rates(whole.changes, events=whole.events, within=within)
    pd.testing.assert_frame_equal(found, cn.rates(whole, within=within))
    assert found["n_of"].tolist() == [1]


def test_of_none_there_is_no_rate_and_no_interval() -> None:
    counts = pd.DataFrame({"n": [0, 0, 2], "n_of": [0, 2, 2]})
    none, *some = with_wilson(nw.from_native(counts)).to_native().itertuples()
    assert all(pd.isna(each) for each in (none.rate, none.low, none.high))
    for row in some:
        assert (row.low, row.high) == pytest.approx(wilson(row.n, row.n_of))


def test_the_fewer_cases_the_wider() -> None:
    lows = [expanded(n)[0] for n in (1, 2, 3, 4, 10, 1e9)]
    assert lows[0] == lows[1]
    assert lows[1:] == sorted(set(lows[1:]))
