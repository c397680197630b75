"""Rework and the tail: the world's numbers, exact sums, intervals that cover."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from decisions import history_of, told, whole_cases, world_and_history
from test_actors import ANN
from test_checks import ANN_, Story
from test_checks import told as history_told
from test_flow import ENGINES, off, on

import casesnb as cn
from casesnb.analysis.rework import backward_moves, effort, pairs, tail
from casesnb.analysis.tail import Split
from casesnb.analysis.uncertainty import interval, resampled

BOTH = [range(2), pytest.param(range(200), marks=pytest.mark.slow)]
ORDER = ["open", "in_progress", "waiting_on_customer", "escalated", "closed"]
HOUR = dt.timedelta(hours=1)


@pytest.mark.parametrize("seeds", BOTH)
def test_moves_back_touches_and_pairs_are_the_worlds(seeds: range) -> None:
    n = {"back": 0, "pairs": 0}
    for seed in seeds:
        world, history = world_and_history(seed, 10, ping_pong=0.4)
        whole = whole_cases(world, history)
        given = told(history, whole)
        back = backward_moves(given, ORDER)
        found = list(zip(back["event_id"], back["n_back"], strict=True))
        work = effort(given).set_index("case_id")
        wanted_moves, wanted_pairs = [], {}
        for case_id in whole:
            status, closed_at = None, None
            for change in world.true_changes(case_id):
                is_own = change.event_type.startswith("Case.")
                if change.field_id != "status" or not is_own:
                    continue
                if status in ORDER and change.new in ORDER:
                    places = ORDER.index(status) - ORDER.index(change.new)
                    if places > 0:
                        wanted_moves.append((change.event_id, places))
                status = change.new
            events = list(world.true_events(case_id))
            merges = {e.event_id for e in events if e.merge_event_id}
            closes = [
                c.performed_at
                for c in world.true_changes(case_id)
                if c.field_id == "status"
                and c.new == "closed"
                and c.event_id not in merges
            ]
            closed_at = min(closes, default=None)
            row = work.loc[case_id]
            assert row["is_open"] == (closed_at is None)
            done = [
                e.actor
                for e in events
                if e.actor_kind == "agent"
                and e.event_type != "Case.Created"
                and (closed_at is None or e.performed_at <= closed_at)
            ]
            assert (row["n_touches"], row["n_agents"]) == (len(done), len(set(done)))
            held = sum(
                (min(s.end_at, closed_at or s.end_at) - s.start_at) / HOUR
                for s in world.true_spells(case_id, "assigned_user")
                if s.value and (closed_at is None or s.start_at < closed_at)
            )
            if closed_at is not None:
                assert row["held_hours"] == pytest.approx(held, abs=1e-6)
                assert row["hours"] * row["share"] == pytest.approx(held, abs=1e-6)
            for handoff in world.true_handoffs(case_id):
                names = handoff.from_value, handoff.to_value
                if None in names or names[0] == names[1]:
                    continue
                key = (handoff.field_id, *sorted(names))
                told_ = wanted_pairs.setdefault(key, [0, 0])
                told_[0] += 1
                told_[1] += handoff.is_ping_pong
        assert sorted(found) == sorted(wanted_moves)
        both = pairs(given)
        columns = ["field_id", "one", "other", "n", "n_ping_pong"]
        rows = {tuple(row[:3]): row[3:] for row in both[columns].to_numpy().tolist()}
        assert rows == wanted_pairs
        assert (both["n"] == both["n_forth"] + both["n_back"]).all()
        n["back"] += len(found)
        n["pairs"] += len(rows)
    assert min(n.values()) > len(seeds)


def test_held_working_hours_are_told_beside_the_elapsed_ones() -> None:
    monday = 24.0  # the second of February 2026, at midnight
    history = history_of(
        {"a": [(monday, "open", "x"), (monday + 24, "closed", "agent/b")]}
    )
    events = history.events
    holder = history.changes.iloc[[0]].assign(
        slot=1, field_id="assigned_user", new="agent/b", new_kind="user_arn"
    )
    changes = pd.concat([history.changes, holder], ignore_index=True)
    changes["slot"] = changes["slot"].astype("int32")
    calendar = cn.Calendar(tz="UTC")
    (row,) = effort(cn.History(events, changes), calendar=calendar).to_dict("records")
    assert (row["hours"], row["held_hours"], row["share"]) == (24.0, 24.0, 1.0)
    assert row["n_touches"] == 1
    work = cn.with_working_hours(
        pd.DataFrame({"start_at": [row["created_at"]], "end_at": [row["end_at"]]}),
        calendar,
        start="start_at",
        end="end_at",
    )["working_hours"].iloc[0]
    assert 0 < row["held_working_hours"] == work < 24
    assert row["working_share"] == work / 24


def test_an_order_that_is_none_is_refused() -> None:
    history = history_of({"a": [(0, "open", "x"), (1, "closed", "x")]})
    with pytest.raises(ValueError, match="give two values or more, each once"):
        backward_moves(history, ["open"])
    with pytest.raises(ValueError, match="'closed', 'open'.: give two values or more"):
        backward_moves(history, ["open", "closed", "open"])
    with pytest.raises(ValueError, match="There are closed, open"):
        backward_moves(history, ["Open", "Closed"])


def lives(n: int) -> cn.History[Any]:
    """Cases that wait an hour each; every fifth waits for a customer, long."""
    ways = {}
    for number in range(n):
        at, wait = number * 0.1, 50.0 + number if number % 5 == 0 else 0.0
        work = 5.0 + number % 7
        steps = [(at, "open", "x"), (at + 1, "in_progress", "x")]
        if wait:
            steps.append((at + 1 + work, "waiting_on_customer", "x"))
        ways[f"c{number:03}"] = [*steps, (at + 1 + work + wait, "closed", "x")]
    return history_of(ways)


def test_the_gap_is_split_over_stages_exactly() -> None:
    found = tail(lives(100), horizon=1000.0, n_resamples=300)
    assert found["n_open"].tolist() == [0] * len(found)
    stages = found.set_index("value")
    assert abs(found["gap_hours"].sum() - found["whole_gap_hours"].iloc[0]) < 1e-9
    # The slowest ten are those of the longest waits; the median ten do not wait.
    waits = np.array([50.0 + n for n in range(55, 100, 5)] + [100.0])
    assert stages.loc["waiting_on_customer", "median_hours"] == 0
    slow = stages.loc["waiting_on_customer", "slow_hours"]
    assert slow == pytest.approx(
        np.sort([50.0 + n for n in range(0, 100, 5)])[-10:].mean()
    )
    assert waits.size == 10
    assert stages.loc["open", "gap_hours"] == pytest.approx(0.0, abs=1e-9)
    assert found["value"].iloc[0] == "waiting_on_customer"
    assert found["share"].sum() == pytest.approx(1.0)
    assert (found["low"] <= found["gap_hours"] + 1e-9).all()
    assert (found["gap_hours"] <= found["high"] + 1e-9).all()


@pytest.mark.parametrize("field_id", ["status", "assigned_queue"])
def test_the_stages_add_up_to_the_gap_in_any_world(field_id: str) -> None:
    for seed in range(2):
        _, history = world_and_history(seed, 20)
        found = tail(history, field_id, n_resamples=20)
        whole = found["whole_gap_hours"].iloc[0]
        assert abs(found["gap_hours"].sum() - whole) < 1e-9
        assert found["n_open"].iloc[0] > 0
        again = tail(history, field_id, n_resamples=20)
        pd.testing.assert_frame_equal(found, again)


def test_open_cases_count_as_those_that_lasted_longer() -> None:
    whole, cut = lives(200), lives(200)
    as_of = pd.Timestamp("2026-02-01", tz="UTC") + pd.Timedelta(hours=110)
    asked = {"horizon": 100.0, "n_resamples": 20}
    full = tail(whole, **asked).set_index("value")
    told_ = tail(cut, as_of=as_of.to_pydatetime(), **asked).set_index("value")
    assert told_["n_open"].iloc[0] > 15
    # Left out or taken as closed they would make the tail half as long.
    gaps = [each.loc["waiting_on_customer", "gap_hours"] for each in (told_, full)]
    assert gaps[0] == pytest.approx(gaps[1], rel=0.15)


def test_what_has_no_tail_is_refused() -> None:
    history = lives(20)
    with pytest.raises(ValueError, match="give a share above 0"):
        tail(history, slow=0.6)
    late = cn.History(history.events.iloc[:0], history.changes.iloc[:0])
    with pytest.raises(ValueError, match="No case's creation is told"):
        tail(late)


HORIZON = 240.0
# The gap of each stage, from 4,000,000 cases of `stays`.
TRUE_GAPS = (-0.17777459, 10.24237681, 133.56698534)


def stays(dice: np.random.Generator, n: int) -> tuple[Any, Any]:
    """Hours in three stages, the last of which few go through, and how long followed."""
    long = np.where(dice.random(n) < 0.25, dice.exponential(80, n), 0)
    stages = np.stack([dice.exponential(8, n), dice.lognormal(2, 1, n), long], axis=1)
    return stages, dice.uniform(24, 600, n)


def cut_at(stages: Any, stop: Any) -> Any:
    ends = np.minimum(np.cumsum(stages, axis=1), stop[:, None])
    return np.diff(np.concatenate([np.zeros((len(stages), 1)), ends], axis=1), axis=1)


def covered(n_worlds: int, n: int) -> Any:
    """How often the intervals of each stage and of the whole cover the truth."""
    wanted = np.array([*TRUE_GAPS, sum(TRUE_GAPS)])
    found = []
    for number in range(n_worlds):
        stages, followed = stays(np.random.default_rng([number, 5]), n)
        stop = np.minimum(followed, HORIZON)
        lasted = np.minimum(stages.sum(axis=1), stop)
        is_over = (stages.sum(axis=1) <= followed) | (lasted >= HORIZON)
        split = Split(lasted, is_over, cut_at(stages, stop), 0.1)
        draws = resampled([lasted], 600, number, split.gaps)
        draws = np.concatenate([draws, draws.sum(axis=1, keepdims=True)], axis=1)
        low, high = interval(draws, 0.1 * n)
        found.append((low <= wanted) & (wanted <= high))
    return np.mean(found, axis=0)


def test_intervals_of_the_gaps_cover_in_a_few_worlds() -> None:
    assert (covered(10, 300) > 0.7).all()


@pytest.mark.slow
def test_intervals_of_the_gaps_cover_as_often_as_they_say() -> None:
    # Of 2,000 worlds a share is told to about 0.01: 0.969, 0.930, 0.953, 0.947 were seen.
    found = covered(2000, 600)
    assert ((found >= 0.92) & (found <= 0.98)).all(), found


@pytest.mark.parametrize("engine", ENGINES)
def test_two_tables_tell_up_to_the_newest_event_though_it_lists_no_field(
    engine: str,
) -> None:
    story = Story().created(ANN_, assigned_user=(None, ANN))
    whole = history_told(story.then(ANN_).then(ANN_).then(ANN_))
    changes, events = (on(engine, frame) for frame in (whole.changes, whole.events))
    (row,) = off(effort(changes, events=events)).to_dict("records")
    assert (row["hours"], row["held_hours"], row["share"]) == (3.0, 3.0, 1.0)
    stages = off(tail(changes, events=events, n_resamples=9))
    assert stages[["value", "slow_hours"]].to_numpy().tolist() == [["open", 3.0]]
