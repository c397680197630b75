"""Merged cases as one thread, on a chain by hand and against the World's truth."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pandas as pd
import pytest
from test_actors import ANN, agent, changes_of, event, events_of, expected

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
        told = cn.spells(changes)
        assert not (told["hours"] < 0).any()
        by_case = told["case_id"].isin(into)
        last = events.groupby("case_id")["merged_at"].max()
        late = told["start_at"] > told["case_id"].map(last)
        assert not (by_case & told["is_open"] & ~late).any()
        found = cn.case_summary(thread_events(history.events), changes=changes)
        found = found.set_index("thread_id")
        for name in ("n_events", "n_changes", "n_actors"):
            assert (found[name] == summary[name]).all()
        for thread_id, lives in own.items():
            born = min(e.performed_at for e in lives if e.event_type == "Case.Created")
            assert found.loc[thread_id, "created_at"] == born
            n_again = sum(
                len(world.true_reopens(case)) for case in {e.case_id for e in lives}
            )
            assert found.loc[thread_id, "n_reopens"] == n_again
        counted = changes[changes["is_counted"]]
        true_changes = [c for case_id in ids for c in world.true_changes(case_id)]
        merged_events = {(e.case_id, e.event_id) for e in true if e.merge_event_id}
        assert len(counted) == sum(
            (c.case_id, c.event_id) not in merged_events for c in true_changes
        )
    return n_merges


@pytest.mark.long
def test_threads_equal_the_unsplit_truth() -> None:
    assert check(range(12)) > 10


@pytest.mark.slow
def test_threads_equal_the_unsplit_truth_on_200_seeds() -> None:
    assert check(range(200)) > 200


def two_cases() -> tuple[pd.DataFrame, pd.DataFrame]:
    """a is opened and taken, then merged into b, which is closed later."""
    one = merged("m", "b", "a")
    steps: list[tuple[str, str, str, dict[str, Any], list[tuple[str, Any, Any]]]] = [
        ("a", "09:00", "Case.Created", {}, [("status", None, "open")]),
        ("b", "09:30", "Case.Created", {}, [("status", None, "open")]),
        ("a", "10:00", "Case.Updated", {}, [("assigned_user", None, "ann")]),
        ("b", "10:30", "Case.Updated", {}, [("status", "open", "held")]),
        ("a", "12:00", "Case.Updated", one, [("status", "open", "closed")]),
        ("a", "12:00", "Case.Merged", one, []),
        ("b", "12:00", "Case.Updated", one, [("assigned_user", None, "ann")]),
        ("b", "12:00", "Case.Merged", one, []),
        ("b", "14:00", "Case.Updated", {}, [("status", "held", "closed")]),
        ("b", "15:00", "Case.Updated", {}, [("title", None, "x")]),
    ]
    events, changes = [], []
    places = dict.fromkeys("ab", 0)
    for case_id, at, kind, merge, fields in steps:
        place = places[case_id]
        places[case_id] += 1
        row = event(place, f"2026-03-02T{at}Z", case_id, **agent())
        row = row | merge | {"event_type": kind, "n_changes": len(fields)}
        events.append(row)
        for slot, (field_id, old, new) in enumerate(fields):
            told = {"old_kind": old and "string", "old": old, "new": new}
            more = {"slot": slot, "field_id": field_id, "new_kind": "string"}
            changes.append(row | told | more)
    return events_of(*events), changes_of(*changes)


@pytest.mark.parametrize("counted", [False, True])
def test_a_close_by_merge_ends_all_spells_of_the_case(counted: bool) -> None:
    events, changes = two_cases()
    thread = thread_changes(changes, events=events)
    if counted:
        thread = thread[thread["is_counted"]]
    found = cn.spells(thread).query("case_id == 'a'")
    assert found[["field_id", "value", "hours"]].to_numpy().tolist() == [
        ["assigned_user", "ann", 2.0],
        ["status", "open", 3.0],
    ]
    assert found["is_known"].all()
    assert not found["is_open"].any()
    hours = cn.time_in(thread).query("case_id == 'a'")["hours"]
    assert hours.tolist() == [3.0]
    assert cn.trust.time_bounds(thread).query("case_id == 'a'")[
        ["value", "hours_min", "hours_max"]
    ].to_numpy().tolist() == [["open", 3.0, 3.0]]
    both = cn.overlap(thread, "status", "assigned_user").query("case_id == 'a'")
    assert both["hours"].sum() == 3.0
    assert not both["is_open"].any()
    assert set(cn.state_at(thread)["case_id"]) == {"b"}
    moves = cn.transitions(thread)
    assert moves[["from_value", "to_value"]].to_numpy().tolist() == [
        ["held", "closed"],
        ["open", "held"],
    ]


def test_before_a_merge_its_case_is_as_any_other() -> None:
    events, changes = two_cases()
    thread = thread_changes(changes, events=events)
    noon = pd.Timestamp("2026-03-02T11:00Z")
    before = cn.spells(thread, as_of=noon)
    pd.testing.assert_frame_equal(before, cn.spells(changes, as_of=noon))
    assert len(cn.state_at(thread, as_of=noon)) == 3


def test_a_thread_has_places_of_its_own() -> None:
    events, changes = two_cases()
    thread = thread_events(events)
    assert thread["sequence"].tolist() == list(range(len(events)))
    told = thread_changes(changes, events=events)
    assert told["sequence"].is_monotonic_increasing
    # Who takes a thread for a case has no spell that ends before it begins.
    found = cn.spells(told.assign(case_id=told["thread_id"]))
    assert (found["end_at"] >= found["start_at"]).all()


def test_a_summary_of_threads_counts_what_their_cases_did() -> None:
    events, changes = two_cases()
    found = cn.case_summary(
        thread_events(events), changes=thread_changes(changes, events=events)
    )
    (row,) = found.to_dict("records")
    assert row["thread_id"] == "b"
    assert row["created_at"] == pd.Timestamp("2026-03-02T09:00Z")
    assert row["first_closed_at"] == pd.Timestamp("2026-03-02T14:00Z")
    assert row["age_hours"] == row["closed_hours"] == 5.0
    assert row["status"] == "closed"
    assert row["is_closed"]
    assert row["assigned_user"] == "ann"
    assert row["n_status_changes"] == 2
    assert row["n_merge_events"] == 1
    summary = thread_summary(events).iloc[0]
    for name in ("n_events", "n_changes", "n_actors"):
        assert row[name] == summary[name]


def test_a_change_whose_event_is_not_there_is_counted_in_its_own_case() -> None:
    events, changes = two_cases()
    thread = thread_changes(changes, events=events.iloc[:0])
    assert thread["is_counted"].all()
    assert thread["thread_id"].tolist() == thread["case_id"].tolist()
