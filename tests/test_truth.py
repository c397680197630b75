"""What the analysis says of a world's history is what happened in that world."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any, NamedTuple

import pandas as pd
import pytest
from engines import plain

import casesnb as cn
from casesnb.schema import CHANGES, EVENTS

FEW = range(6)
MANY = range(200)
BLOCKS = [
    FEW,
    *(pytest.param(MANY[n : n + 10], marks=pytest.mark.slow) for n in MANY[::10]),
]


class Loaded(NamedTuple):
    """Several worlds' histories in one frame each: a call costs more than its rows."""

    events: pd.DataFrame
    changes: pd.DataFrame
    worlds: dict[str, cn.sandbox.World]  # by case
    whole: list[str]  # cases of which every change of their own fields is served


def loaded(seeds: range) -> Loaded:
    histories = []
    worlds = {}
    for seed in seeds:
        world = cn.sandbox.World(seed=seed, cases=16)
        client = cn.connect(world)
        for domain in world.domains:
            ids = list(world.case_ids(domain.domain_id))
            history = cn.load_histories(client, domain.domain_id, ids)
            histories.append(history)
            there = set(history.changes["case_id"].astype("str"))
            worlds |= {case_id: world for case_id in ids if case_id in there}
    events = pd.concat([history.events for history in histories])
    changes = pd.concat([history.changes for history in histories])
    whole = [case_id for case_id in worlds if is_whole(worlds[case_id], case_id)]
    return Loaded(EVENTS.cast(events), CHANGES.cast(changes), worlds, whole)


class Cases:
    """A frame's rows case by case."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.none = frame.iloc[:0]
        self.rows = dict(list(frame.groupby("case_id", sort=False, observed=True)))

    def __getitem__(self, case_id: str) -> pd.DataFrame:
        return self.rows.get(case_id, self.none)


def told(frame: pd.DataFrame, *names: str) -> list[tuple[Any, ...]]:
    columns = [frame[name].astype(object).tolist() for name in names]
    return [tuple(plain(v) for v in row) for row in zip(*columns, strict=True)]


def row_of(truth: Any, *names: str) -> tuple[Any, ...]:
    return tuple(plain(getattr(truth, name)) for name in names)


def is_whole(world: cn.sandbox.World, case_id: str) -> bool:
    """Whether every change of the case's own fields is served."""
    return all(c.is_served for c in world.true_changes(case_id))


@pytest.mark.parametrize("seeds", BLOCKS, ids=str)
def test_state_spells_handoffs_and_reopens_are_the_worlds(seeds: range) -> None:
    found = loaded(seeds)
    assert len(found.whole) > len(found.worlds) / 2
    check_states(found, random.Random(seeds.start))
    check_spells(found)
    check_handoffs(found)
    check_reopens(found)
    check_summaries(found)


def check_states(found: Loaded, dice: random.Random) -> None:
    start, now = cn.sandbox.world.START, cn.sandbox.world.END
    for _ in range(6):
        when = start + dice.random() * (now - start)
        when = when.replace(microsecond=when.microsecond // 1000 * 1000)
        states = Cases(cn.state_at(found.changes, as_of=when))
        for case_id in found.whole:
            rows = told(states[case_id], "field_id", "kind", "value")
            state = found.worlds[case_id].true_state(case_id, as_of=when)
            assert {field: (kind, text) for field, kind, text in rows} == state


def check_spells(loaded: Loaded) -> None:
    names = ("kind", "value", "start_at", "end_at", "is_open", "event_id", "actor")
    whole = set(loaded.whole)
    found = cn.spells(loaded.changes, as_of=cn.sandbox.world.END)
    for (case_id, field_id), rows in found.groupby(["case_id", "field_id"]):
        world = loaded.worlds[case_id]
        truth = [s for s in world.true_spells(case_id, field_id) if s.event_id]
        if case_id in whole:
            began = rows[rows["event_id"].notna()]
            assert told(began, *names) == [row_of(s, *names) for s in merged(truth)]
        # Of any history, gaps or not: what is called known is true.
        sure = rows[rows["is_known"]]
        real = {row_of(s, "start_at", "value") for s in truth}
        assert {*told(sure, "start_at", "value")} <= real
    # A history may have lost all but its related items.
    changes = loaded.changes
    own = changes[changes["event_type"].astype("str").str.startswith("Case.")]
    assert set(found["case_id"]) == set(own["case_id"])


def merged(spells: list[Any]) -> list[Any]:
    """The truth's spells, one for several of the same value in a row."""
    out: list[Any] = []
    for spell in spells:
        if out and (out[-1].kind, out[-1].value) == (spell.kind, spell.value):
            spell = out.pop()._replace(end_at=spell.end_at, is_open=spell.is_open)
        out.append(spell)
    return out


def check_handoffs(loaded: Loaded) -> None:
    names = ("field_id", "from_value", "to_value", "at", "event_id", "actor")
    found = Cases(cn.handoffs(loaded.changes))
    for case_id in loaded.whole:
        rows = found[case_id]
        truth = sorted(
            loaded.worlds[case_id].true_handoffs(case_id),
            key=lambda row: (row.field_id, row.at),
        )
        assert told(rows, *names, "is_ping_pong") == [
            row_of(row, *names, "is_ping_pong") for row in truth
        ]
        assert rows["held_hours"].tolist() == pytest.approx(
            [row.held_hours for row in truth]
        )


def check_reopens(loaded: Loaded) -> None:
    names = ("closed_at", "reopened_at", "close_event_id", "event_id", "actor")
    found = Cases(cn.reopens(loaded.changes, events=loaded.events))
    for case_id in loaded.whole:
        rows = found[case_id]
        truth = loaded.worlds[case_id].true_reopens(case_id)
        assert told(rows, *names) == [row_of(row, *names) for row in truth]
        assert rows["hours"].tolist() == pytest.approx([row.hours for row in truth])
        by_merge = [row.is_after_merge for row in truth]
        assert (rows["closed_by"] == "merge").tolist() == by_merge


def check_summaries(loaded: Loaded) -> None:
    now = cn.sandbox.world.END
    found = cn.case_summary(loaded.events, changes=loaded.changes, as_of=now)
    rows = {row["case_id"]: row for row in found.to_dict("records")}
    assert len(rows) == len(found)
    for case_id in loaded.whole:
        row, world = rows[case_id], loaded.worlds[case_id]
        events = [e for e in world.true_events(case_id) if e.is_served]
        created = next(e for e in events if e.event_type == "Case.Created")
        assert row["created_at"] == created.performed_at
        assert row["n_events"] == len(events)
        assert row["n_by_agents"] == sum(e.actor_kind == "agent" for e in events)
        assert row["n_reopens"] == len(world.true_reopens(case_id))
        status = world.true_spells(case_id, "status")[-1]
        assert row["status"] == status.value
        since = merged(world.true_spells(case_id, "status"))[-1].start_at
        assert row["status_at"] == since
        end = since if status.value == "closed" else now
        hours = (end - created.performed_at) / dt.timedelta(hours=1)
        assert row["age_hours"] == pytest.approx(hours)
        strict = [
            h for h in world.true_handoffs(case_id) if h.from_value and h.to_value
        ]
        n_users = sum(h.field_id == "assigned_user" for h in strict)
        assert row["n_user_handoffs"] == n_users
        assert row["n_queue_handoffs"] == len(strict) - n_users


def test_the_moment_of_a_change_belongs_to_it() -> None:
    world = cn.sandbox.World(seed=7)
    changes = cn.load_history(cn.connect(world), *world.showcase).changes
    at = changes.loc[changes["new"] == "escalated", "performed_at"].iloc[0]
    for when, value in ((at, "escalated"), (at - pd.Timedelta("1us"), "in_progress")):
        state = cn.state_at(changes, as_of=when).set_index("field_id")
        assert state.loc["status", "value"] == value


def test_nothing_reads_the_clock() -> None:
    import ast
    from pathlib import Path

    import casesnb.analysis

    calls = {"now", "utcnow", "today", "time", "monotonic", "perf_counter"}
    modules = list(Path(casesnb.analysis.__file__).parent.glob("*.py"))
    assert len(modules) > 8
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in calls, f"{module.name}:{node.lineno}"
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names}
                assert "time" not in names, f"{module.name}:{node.lineno}"


def test_as_of_needs_a_zone() -> None:
    world = cn.sandbox.World(seed=7)
    changes = cn.load_history(cn.connect(world), *world.showcase).changes
    with pytest.raises(ValueError, match="names no moment without its zone"):
        cn.spells(changes, as_of=dt.datetime(2026, 3, 2))  # noqa: DTZ001
