"""What a history can be trusted for, by hand and with events lost at random."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest
from engines import dtypes_of
from test_actors import ANN, agent, change, changes_of, event, events_of, expected

import casesnb as cn
from casesnb.analysis.trust import (
    compare_captures,
    compare_with_current,
    continuity,
    time_bounds,
)
from casesnb.schema import (
    CASE_FIELDS,
    CHANGES,
    COMPARE_CAPTURES,
    COMPARE_WITH_CURRENT,
    CONTINUITY,
    EVENTS,
    TIME_BOUNDS,
)
from casesnb.tables.history import History


def step(number: int, hour: int, old: str | None, new: str | None, **by: Any) -> Any:
    """A change of the status of case c, at an hour of one day."""
    kinds = {"old_kind": "string" if old else None, "new_kind": "string"}
    at = f"2026-03-02T{hour:02}:00Z"
    return change(
        number, at, "c", **kinds | {"field_id": "status", "old": old, "new": new} | by
    )


CREATED = {"event_type": "Case.Created"}


def test_a_break_is_where_an_old_value_is_not_the_new_one_before() -> None:
    changes = changes_of(
        step(0, 9, None, "open", **CREATED),
        step(1, 10, "open", "waiting"),
        step(3, 12, "escalated", "closed"),
        step(3, 12, "low", "high", field_id="priority", slot=1),
    )
    priority = ("d", "c", "priority", "e3", "unexplained", None, None, "string")
    status = ("d", "c", "status", "e3", "contradicted", "string", "waiting", "string")
    pd.testing.assert_frame_equal(
        continuity(changes),
        expected(
            CONTINUITY,
            (*priority, "low", None, "2026-03-02T09:00Z", "2026-03-02T12:00Z", True),
            (
                *status,
                "escalated",
                "e1",
                "2026-03-02T10:00Z",
                "2026-03-02T12:00Z",
                True,
            ),
        ),
    )


def test_two_comments_are_not_one_field() -> None:
    comment = {"event_type": "RelatedItem.Created", "field_id": "comment.body"}
    changes = changes_of(
        step(0, 9, None, "one", **comment), step(1, 10, "other", "two", **comment)
    )
    assert continuity(changes).empty


@pytest.mark.parametrize(
    "old",
    [None, "open"],  # AWS may send no old value
)
def test_what_agrees_or_is_not_told_is_no_break(old: str | None) -> None:
    changes = changes_of(
        step(0, 9, None, "open", **CREATED), step(1, 10, old, "closed")
    )
    assert continuity(changes).empty


def test_empty_and_a_text_of_no_characters_differ() -> None:
    changes = changes_of(
        step(0, 9, None, None, **CREATED, new_kind="empty"),
        step(1, 10, "", "x", old_kind="string"),
    )
    assert continuity(changes)["reason"].tolist() == ["contradicted"]


def test_bounds_are_apart_by_the_time_of_the_break() -> None:
    changes = changes_of(
        step(0, 9, None, "open", **CREATED),
        step(1, 10, "open", "waiting"),
        step(3, 12, "escalated", "closed"),
    )
    until = dt.datetime(2026, 3, 2, 15, tzinfo=dt.UTC)
    pd.testing.assert_frame_equal(
        time_bounds(changes, as_of=until),
        expected(
            TIME_BOUNDS,
            ("d", "c", "string", "closed", 3.0, 5.0),
            ("d", "c", "string", "escalated", 0.0, 2.0),
            ("d", "c", "string", "open", 1.0, 3.0),
            ("d", "c", "string", "waiting", 0.0, 2.0),
        ),
    )
    current = state(("status", "string", "open"))
    bounds = time_bounds(changes, as_of=until, current=current).set_index("value")
    assert bounds.loc["closed", ["hours_min", "hours_max"]].tolist() == [0.0, 5.0]


def test_nothing_bounds_what_began_before_the_history() -> None:
    bounds = time_bounds(changes_of(step(4, 9, "open", "closed")))
    assert bounds["hours_min"].tolist() == [0.0, 0.0]
    assert bounds["hours_max"].isna().all()


def state(*rows: tuple[str, str | None, str | None]) -> pd.DataFrame:
    return CASE_FIELDS.cast(
        pd.DataFrame([("d", "c", *row) for row in rows], columns=CASE_FIELDS.names)
    )


def test_verify_compares_each_field_and_names_the_event() -> None:
    changes = changes_of(
        step(0, 9, None, "open", **CREATED),
        step(0, 9, None, "t", **CREATED, field_id="title", slot=1),
        step(0, 9, None, "u", **CREATED, field_id="assigned_user", slot=2),
        step(0, 9, None, "x", **CREATED, field_id="cause", slot=3),
        step(0, 9, None, None, **CREATED, field_id="link", slot=4, new_kind="empty"),
        step(1, 10, "new", "closed"),
    )
    current = state(
        ("status", "string", "closed"),
        ("title", "string", "T"),
        ("assigned_user", "user_arn", "u"),
        ("link", "string", ""),
        ("reference_number", "string", "0012"),
    )
    found = compare_with_current(changes, current)
    assert dtypes_of(found) == COMPARE_WITH_CURRENT.dtypes
    said = found[["field_id", "verdict", "event_id", "n_breaks"]]
    said = said.astype({"event_id": object}).where(said.notna(), None)
    assert [tuple(row) for row in said.itertuples(index=False)] == [
        ("assigned_user", "match", "e0", 0),
        ("cause", "unverifiable", "e0", 0),
        ("link", "contradicted", "e0", 0),
        ("reference_number", "unverifiable", None, 0),
        ("status", "match", "e1", 1),
        ("title", "contradicted", "e0", 0),
    ]


def test_an_undecided_order_contradicts_nothing() -> None:
    tie = {"is_order_known": False, "is_outcome_known": False}
    changes = changes_of(
        step(1, 9, None, "open", **tie), step(2, 9, None, "closed", **tie)
    )
    found = compare_with_current(changes, state(("status", "string", "open")))
    assert found["verdict"].tolist() == ["unverifiable"]
    found = compare_with_current(changes, state(("status", "string", "closed")))
    assert found["verdict"].tolist() == ["unverifiable"]
    # No order of them ends in this.
    found = compare_with_current(changes, state(("status", "string", "lost")))
    assert found["verdict"].tolist() == ["contradicted"]


def capture(*hours: int, **by: Any) -> Any:
    events = events_of(
        *(event(h, f"2026-03-02T{h:02}:00Z", **agent() | by) for h in hours)
    )
    changes = changes_of(*(step(h, h, "a", f"v{h}") for h in hours))
    return History(events=events, changes=changes)


def test_drift_tells_new_late_vanished_and_altered_apart() -> None:
    earlier, later = capture(8, 9, 11, 12), capture(8, 10, 11, 12, 13)
    later.changes.loc[later.changes["event_id"] == "e11", "new"] = "other"
    acted = later.events.astype({"actor": "str"}).assign(
        actor=lambda frame: frame["actor"].where(frame["event_id"] != "e12", "bob")
    )
    later = History(EVENTS.cast(acted), later.changes)
    day = "2026-03-02T{}:00Z"
    pd.testing.assert_frame_equal(
        compare_captures(earlier, later),
        expected(
            COMPARE_CAPTURES,
            ("d", "c", "e9", day.format("09"), "vanished", None),
            ("d", "c", "e10", day.format("10"), "late", None),
            ("d", "c", "e11", day.format("11"), "altered", "changes"),
            ("d", "c", "e12", day.format("12"), "altered", "actor"),
            ("d", "c", "e13", day.format("13"), "new", None),
        ),
    )
    assert compare_captures(earlier, earlier).empty
    until = dt.datetime(2026, 3, 2, 14, tzinfo=dt.UTC)
    late = compare_captures(earlier, later, as_of=until)["verdict"].tolist()
    assert late == ["vanished", "late", "altered", "altered", "late"]


def test_a_case_of_one_capture_only_is_not_compared() -> None:
    earlier = capture(8)
    nothing = History(events=EVENTS.empty(), changes=CHANGES.empty())
    assert compare_captures(earlier, nothing).empty
    assert compare_captures(nothing, earlier).empty
    assert compare_captures(nothing, nothing).columns.tolist() == COMPARE_CAPTURES.names


def test_no_rows_have_all_columns_and_nothing_given_is_changed() -> None:
    assert continuity(CHANGES.empty()).columns.tolist() == CONTINUITY.names
    assert time_bounds(CHANGES.empty()).columns.tolist() == TIME_BOUNDS.names
    assert (
        compare_with_current(CHANGES.empty(), state()).columns.tolist()
        == COMPARE_WITH_CURRENT.names
    )
    changes, current = (
        changes_of(step(1, 9, "a", "b")),
        state(("status", "string", "b")),
    )
    before = changes.copy(deep=True), current.copy(deep=True)
    continuity(changes)
    time_bounds(changes, current=current)
    compare_with_current(changes, current)
    pd.testing.assert_frame_equal(changes, before[0])
    pd.testing.assert_frame_equal(current, before[1])
    assert ANN in changes["actor"].tolist()


# ---------------------------------------------------- events lost at random


class Lost:
    """A world's history from which events are lost, and what that must show."""

    def __init__(self, seed: int) -> None:
        self.world = cn.sandbox.World(seed=seed, cases=6, domains=1)
        client = cn.connect(self.world)
        domain_id = self.world.domains[0].domain_id
        self.ids = list(self.world.case_ids(domain_id))
        history = cn.load_histories(client, domain_id, self.ids)
        roll = random.Random(seed)
        keep = [roll.random() < 0.75 for _ in range(len(history.events))]
        kept = set(history.events.loc[keep, "event_id"])
        is_kept = history.changes["event_id"].isin(kept)
        self.changes = history.changes[is_kept].reset_index(drop=True)
        self.current = pd.concat(
            [cn.load_case_fields(client, domain_id, case_id) for case_id in self.ids],
            ignore_index=True,
        )
        # By case and field: all that was done, in order, and whether it is there.
        self.chains: dict[tuple[str, str], list[Any]] = defaultdict(list)
        self.born: dict[str, dt.datetime] = {}
        for case_id in self.ids:
            for true in self.world.true_events(case_id):
                if true.event_type == "Case.Created":
                    self.born[case_id] = true.performed_at
            for true in self.world.true_changes(case_id):
                if true.event_type.startswith("Case."):
                    chain = self.chains[case_id, true.field_id]
                    chain.append((true, true.event_id in kept))

    def traces(self) -> set[tuple[str, str, str, str | None, str]]:
        """Every lost run that shows: case, field, reason, and the events around it."""
        out = set()
        for (case_id, field_id), chain in self.chains.items():
            here = [true for true, is_kept in chain if is_kept]
            for before, after in pairwise(here):
                if (after.old_kind, after.old) != (before.new_kind, before.new):
                    ends = (before.event_id, after.event_id)
                    out.add((case_id, field_id, "contradicted", *ends))
            if here and here[0].old_kind not in {None, "empty"}:
                out.add((case_id, field_id, "unexplained", None, here[0].event_id))
        return out

    def leaves_a_trace(self, case_id: str, field_id: str, now: tuple[Any, Any]) -> bool:
        """Whether every lost run of a chain shows, its end included."""
        chain = self.chains[case_id, field_id]
        here = [i for i, (_, is_kept) in enumerate(chain) if is_kept]
        if not here:
            return False
        first, last = chain[here[0]][0], chain[here[-1]][0]
        if here[0] > 0 and first.old_kind in {None, "empty"}:
            return False
        if here[-1] < len(chain) - 1 and (last.new_kind, last.new) == now:
            return False
        return all(
            j == i + 1
            or (chain[j][0].old_kind, chain[j][0].old)
            != (chain[i][0].new_kind, chain[i][0].new)
            for i, j in pairwise(here)
        )

    def hours(self, case_id: str, field_id: str) -> dict[tuple[Any, Any], float]:
        """How long each value was really held."""
        chain = [true for true, _ in self.chains[case_id, field_id]]
        points = [(true.performed_at, (true.new_kind, true.new)) for true in chain]
        if chain[0].event_type != "Case.Created":
            old = (chain[0].old_kind, chain[0].old)
            points.insert(0, (self.born[case_id], old))
        out: dict[tuple[Any, Any], float] = defaultdict(float)
        ends = [at for at, _ in points[1:]] + [self.world.now]
        for (start, value), end in zip(points, ends, strict=True):
            out[value] += (end - start).total_seconds() / 3600
        return out


def some(value: Any) -> Any:
    return None if pd.isna(value) else value


def check(seeds: range) -> Counter[str]:
    seen: Counter[str] = Counter()
    for seed in seeds:
        lost = Lost(seed)
        found = continuity(lost.changes)
        columns = ["case_id", "field_id", "reason", "after_event_id", "event_id"]
        located = {
            tuple(some(value) for value in row)
            for row in found[columns].itertuples(index=False)
        }
        assert located == lost.traces()
        seen["located"] += len(located)

        states = {case_id: lost.world.true_state(case_id) for case_id in lost.ids}
        for row in compare_with_current(lost.changes, lost.current).itertuples(
            index=False
        ):
            seen[row.verdict] += 1
            if row.verdict != "unverifiable":
                is_so = some(row.history_value) == states[row.case_id][row.field_id][1]
                assert is_so == (row.verdict == "match")

        now = {
            (row.case_id, row.field_id): (some(row.kind), some(row.value))
            for row in lost.current.itertuples(index=False)
        }
        for field_id in ("status", "assigned_user"):
            bounds = time_bounds(
                lost.changes, field_id, as_of=lost.world.now, current=lost.current
            )
            for case_id, rows in bounds.groupby("case_id"):
                if not lost.leaves_a_trace(case_id, field_id, now[case_id, field_id]):
                    seen["traceless"] += 1
                    continue
                true = lost.hours(case_id, field_id)
                for row in rows.itertuples(index=False):
                    held = true.get((some(row.kind), some(row.value)), 0.0)
                    assert row.hours_min <= held + 1e-6
                    assert pd.isna(row.hours_max) or held <= row.hours_max + 1e-6
                    seen["bounded"] += not pd.isna(row.hours_max)
                    seen["wide"] += row.hours_max > row.hours_min + 1e-6
    return seen


def test_lost_events_are_located_never_matched_falsely_and_bounded() -> None:
    seen = check(range(12))
    assert min(seen[name] for name in ("located", "match", "contradicted")) > 10
    assert min(seen[name] for name in ("unverifiable", "bounded", "wide")) > 10


@pytest.mark.slow
def test_lost_events_are_located_and_bounded_on_200_seeds() -> None:
    assert check(range(200))["wide"] > 100
