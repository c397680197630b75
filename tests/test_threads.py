"""Merged cases as one thread, on a chain by hand and against the World's truth."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pandas as pd
import pytest
from test_actors import ANN, agent, event, events_of, expected

import casesnb as cn
from casesnb.analysis.threads import (
    merges,
    thread_changes,
    thread_events,
    thread_summary,
)
from casesnb.schema import (
    CHANGES,
    EVENTS,
    MERGES,
    THREAD_CHANGES,
    THREAD_EVENTS,
    THREAD_SUMMARY,
)


def merged(name: str, primary: str, secondary: str) -> dict[str, Any]:
    return {
        "merge_event_id": name,
        "primary_case_id": primary,
        "secondary_case_id": secondary,
        "event_type": "Case.Merged",
    }


def chain() -> pd.DataFrame:
    """a into b, then b into c; x is alone; y of another domain is called a."""
    one, two = merged("m1", "b", "a"), merged("m2", "c", "b")
    moved = {"event_type": "RelatedItem.Created", "related_item_type": "Comment"}
    return events_of(
        event(0, "2026-03-02T09:00Z", "a", **agent()),
        event(1, "2026-03-02T10:00Z", "b", **agent()) | one | moved,
        event(2, "2026-03-02T10:00Z", "b", **agent()) | one,
        event(1, "2026-03-02T10:00Z", "a", **agent()) | one,
        event(0, "2026-03-02T11:00Z", "c", **agent("bob")),
        event(1, "2026-03-02T12:00Z", "c", **agent()) | two,
        event(3, "2026-03-02T12:00Z", "b", **agent()) | two,
        event(0, "2026-03-02T13:00Z", "x", **agent()),
        event(0, "2026-03-02T13:00Z", "a", **agent()) | {"domain_id": "e"},
    )


def test_a_merge_is_one_row_however_many_events_tell_it() -> None:
    pd.testing.assert_frame_equal(
        merges(chain()),
        expected(
            MERGES,
            ("d", "m1", "b", "a", "2026-03-02T10:00Z", 2, 1),
            ("d", "m2", "c", "b", "2026-03-02T12:00Z", 1, 1),
        ),
    )


def test_cases_that_were_merged_in_turn_are_one_thread() -> None:
    found = thread_events(chain())
    assert found.columns.tolist() == THREAD_EVENTS.names
    cases = found.groupby(["domain_id", "thread_id"])["case_id"].agg(
        lambda ids: "".join(sorted(set(ids)))
    )
    assert cases.to_dict() == {("d", "c"): "abc", ("d", "x"): "x", ("e", "a"): "a"}
    assert found.loc[
        found["is_counted"], ["case_id", "event_id"]
    ].to_numpy().tolist() == [
        ["a", "e0"],
        ["b", "e2"],
        ["c", "e0"],
        ["c", "e1"],
        ["x", "e0"],
        ["a", "e0"],
    ]


def test_a_thread_counts_nothing_twice() -> None:
    pd.testing.assert_frame_equal(
        thread_summary(chain()),
        expected(
            THREAD_SUMMARY,
            ("d", "c", 3, 2, 4, 4, 2, "2026-03-02T09:00Z", "2026-03-02T12:00Z"),
            ("d", "x", 1, 0, 1, 1, 1, "2026-03-02T13:00Z", "2026-03-02T13:00Z"),
            ("e", "a", 1, 0, 1, 1, 1, "2026-03-02T13:00Z", "2026-03-02T13:00Z"),
        ),
    )


def test_a_case_that_is_merged_back_and_forth_is_one_thread() -> None:
    events = events_of(
        event(0, "2026-03-02T10:00Z", "a", actor=ANN) | merged("m1", "b", "a"),
        event(1, "2026-03-03T10:00Z", "a", actor=ANN) | merged("m2", "a", "b"),
    )
    assert thread_events(events)["thread_id"].tolist() == ["a", "a"]


def test_one_side_of_a_merge_is_enough_to_know_the_thread() -> None:
    events = events_of(
        event(0, "2026-03-02T10:00Z", "a", actor=ANN) | merged("m1", "b", "a")
    )
    assert thread_events(events)["thread_id"].tolist() == ["b"]


def test_no_event_makes_no_thread() -> None:
    assert thread_summary(EVENTS.empty()).columns.tolist() == THREAD_SUMMARY.names
    assert merges(EVENTS.empty()).columns.tolist() == MERGES.names
    none = thread_changes(CHANGES.empty(), events=EVENTS.empty())
    assert none.columns.tolist() == THREAD_CHANGES.names
    assert len(none) == 0


def check(seeds: range) -> int:
    """Threads equal what the cases' lives say, told without their merges."""
    n_merges = 0
    rates = cn.sandbox.Rates(merge=0.6, without_creation=0, no_event=0)
    for seed in seeds:
        world = cn.sandbox.World(seed=seed, cases=12, domains=1, rates=rates)
        domain_id = world.domains[0].domain_id
        ids = list(world.case_ids(domain_id))
        history = cn.load_histories(cn.connect(world), domain_id, ids)
        true = [each for case_id in ids for each in world.true_events(case_id)]
        into = {
            each.secondary_case_id: each.primary_case_id
            for each in true
            if each.merge_event_id is not None
        }
        n_merges += len(into)
        own: dict[str, list[Any]] = defaultdict(list)
        for each in true:
            if each.merge_event_id is None:
                own[into.get(each.case_id, each.case_id)].append(each)
        events = thread_events(history.events)
        for thread_id, lives in own.items():
            rows = events[(events["thread_id"] == thread_id) & events["is_counted"]]
            rows = rows[rows["merge_event_id"].isna()]
            assert sorted(rows["event_id"]) == sorted(e.event_id for e in lives)
            assert rows["n_changes"].sum() == sum(e.n_changes for e in lives)
            actors = {e.actor for e in lives if e.actor is not None}
            assert set(rows["actor"].dropna()) == actors
            assert rows["performed_at"].is_monotonic_increasing
        summary = thread_summary(history.events).set_index("thread_id")
        assert set(summary.index) == set(own)
        assert summary["n_merges"].sum() == len(into)
        for thread_id, lives in own.items():
            here = summary.loc[thread_id]
            assert here["n_events"] == len(lives) + here["n_merges"]
            assert here["n_changes"] == sum(e.n_changes for e in lives)
        changes = thread_changes(history.changes, events=history.events)
        counted = changes[changes["is_counted"]]
        true_changes = [c for case_id in ids for c in world.true_changes(case_id)]
        merged_events = {(e.case_id, e.event_id) for e in true if e.merge_event_id}
        assert len(counted) == sum(
            (c.case_id, c.event_id) not in merged_events for c in true_changes
        )
    return n_merges


def test_threads_equal_the_unsplit_truth() -> None:
    assert check(range(12)) > 10


@pytest.mark.slow
def test_threads_equal_the_unsplit_truth_on_200_seeds() -> None:
    assert check(range(200)) > 200
