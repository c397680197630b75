"""What the analysis says of a world's history is what happened in that world."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pandas as pd
import pytest
from engines import plain

import casesnb as cn

FEW = range(12)
MANY = range(200)
SEEDS = [
    *FEW,
    *(pytest.param(n, marks=pytest.mark.slow) for n in MANY if n not in FEW),
]


def loaded(world: cn.sandbox.World) -> dict[str, cn.History]:
    client = cn.connect(world)
    return {
        domain.domain_id: cn.load_histories(
            client, domain.domain_id, list(world.case_ids(domain.domain_id))
        )
        for domain in world.domains
    }


def told(frame: pd.DataFrame, *names: str) -> list[tuple[Any, ...]]:
    columns = [frame[name].astype(object).tolist() for name in names]
    return [tuple(plain(v) for v in row) for row in zip(*columns, strict=True)]


def row_of(truth: Any, *names: str) -> tuple[Any, ...]:
    return tuple(plain(getattr(truth, name)) for name in names)


def is_whole(world: cn.sandbox.World, case_id: str) -> bool:
    """Whether every change of the case's own fields is served."""
    return all(c.is_served for c in world.true_changes(case_id))


@pytest.mark.parametrize("seed", SEEDS)
def test_state_spells_handoffs_and_reopens_are_the_worlds(seed: int) -> None:
    world = cn.sandbox.World(seed=seed, cases=16)
    dice = random.Random(seed)
    for history in loaded(world).values():
        changes = history.changes
        ids = sorted(set(changes["case_id"].astype("str")))
        whole = [case_id for case_id in ids if is_whole(world, case_id)]
        assert len(whole) > len(ids) / 2
        check_states(world, changes, whole, dice)
        check_spells(world, changes, whole)
        check_handoffs(world, changes, whole)
        check_reopens(world, history, whole)
        check_summaries(world, history, whole)


def check_states(
    world: cn.sandbox.World, changes: pd.DataFrame, ids: list[str], dice: random.Random
) -> None:
    span = world.now - cn.sandbox.world.START
    for _ in range(3):
        when = cn.sandbox.world.START + dice.random() * span
        when = when.replace(microsecond=when.microsecond // 1000 * 1000)
        found = cn.state_at(changes, when)
        for case_id in ids:
            rows = told(found[found["case_id"] == case_id], "field_id", "kind", "value")
            state = world.true_state(case_id, when)
            assert {field: (kind, text) for field, kind, text in rows} == state


def check_spells(
    world: cn.sandbox.World, changes: pd.DataFrame, whole: list[str]
) -> None:
    names = ("kind", "value", "start_at", "end_at", "is_open", "event_id", "actor")
    found = cn.spells(changes, as_of=world.now)
    for (case_id, field_id), rows in found.groupby(["case_id", "field_id"]):
        truth = [s for s in world.true_spells(case_id, field_id) if s.event_id]
        if case_id in whole:
            began = rows[rows["event_id"].notna()]
            assert told(began, *names) == [row_of(s, *names) for s in merged(truth)]
        # Of any history, gaps or not: what is called known is true.
        sure = rows[rows["known"]]
        real = {row_of(s, "start_at", "value") for s in truth}
        assert {*told(sure, "start_at", "value")} <= real
    # A history may have lost all but its related items.
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


def check_handoffs(
    world: cn.sandbox.World, changes: pd.DataFrame, ids: list[str]
) -> None:
    names = ("field_id", "from_value", "to_value", "at", "event_id", "actor")
    found = cn.handoffs(changes)
    for case_id in ids:
        rows = found[found["case_id"] == case_id]
        truth = sorted(
            world.true_handoffs(case_id), key=lambda row: (row.field_id, row.at)
        )
        assert told(rows, *names, "is_ping_pong") == [
            row_of(row, *names, "is_ping_pong") for row in truth
        ]
        assert rows["held_hours"].tolist() == pytest.approx(
            [row.held_hours for row in truth]
        )


def check_reopens(world: cn.sandbox.World, history: cn.History, ids: list[str]) -> None:
    names = ("closed_at", "reopened_at", "close_event_id", "event_id", "actor")
    found = cn.reopens(history.changes, history.events)
    for case_id in ids:
        rows = found[found["case_id"] == case_id]
        truth = world.true_reopens(case_id)
        assert told(rows, *names) == [row_of(row, *names) for row in truth]
        assert rows["hours"].tolist() == pytest.approx([row.hours for row in truth])
        by_merge = [row.is_after_merge for row in truth]
        assert (rows["closed_by"] == "merge").tolist() == by_merge


def check_summaries(
    world: cn.sandbox.World, history: cn.History, ids: list[str]
) -> None:
    found = cn.case_summary(history.events, history.changes, as_of=world.now)
    for case_id in ids:
        (row,) = found[found["case_id"] == case_id].to_dict("records")
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
        end = since if status.value == "closed" else world.now
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
        state = cn.state_at(changes, when).set_index("field_id")
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
