"""What the tests of rates, cohorts and rework share: worlds, and plain changes."""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Any

import pandas as pd

import casesnb as cn
from casesnb.schema import CHANGES, EVENTS

UTC = dt.UTC
DAY = dt.timedelta(days=1)
FEBRUARY = (dt.datetime(2026, 2, 1, tzinfo=UTC), dt.datetime(2026, 3, 1, tzinfo=UTC))


def told(history: cn.History[Any], case_ids: set[str]) -> cn.History[Any]:
    """Some cases of a history, of which nothing is claimed."""
    tables = [
        frame[frame["case_id"].isin(case_ids)].reset_index(drop=True)
        for frame in (history.events, history.changes)
    ]
    return cn.History(*tables)


@cache
def world_and_history(
    seed: int, cases: int = 16, **rates: float
) -> tuple[cn.sandbox.World, cn.History[Any]]:
    """A world of one centre, and all that its service tells."""
    given = cn.sandbox.Rates(**rates)
    world = cn.sandbox.World(seed=seed, cases=cases, domains=1, rates=given)
    domain_id = world.domains[0].domain_id
    ids = list(world.case_ids(domain_id))
    return world, cn.load_histories(cn.connect(world), domain_id, ids)


def whole_cases(world: cn.sandbox.World, history: cn.History[Any]) -> set[str]:
    """The cases of which the service tells every event."""
    there = set(history.events["case_id"].astype("str"))
    return {
        case_id
        for case_id in there
        if all(each.is_served for each in world.true_events(case_id))
    }


def history_of(
    ways: dict[str, list[tuple[float, str, str]]],
    *,
    field_id: str = "status",
    as_of: float | None = None,
) -> cn.History[Any]:
    """Cases made of (hours since the first of February, value, actor), by case."""
    start = pd.Timestamp("2026-02-01", tz="UTC")
    events, changes = [], []
    for case_id, steps in ways.items():
        before: str | None = None
        for n, (hours, value, actor) in enumerate(steps):
            event = {
                "domain_id": "d",
                "case_id": case_id,
                "event_id": f"{case_id}-{n}",
                "sequence": n,
                "performed_at": start + pd.Timedelta(hours=hours),
                "event_type": "Case.Updated" if n else "Case.Created",
                "actor": actor,
                "actor_kind": "agent" if actor.startswith("agent") else "service",
                "is_order_known": True,
            }
            events.append({**event, "n_changes": 1})
            changes.append(
                {
                    **event,
                    "slot": 0,
                    "field_id": field_id,
                    "old_kind": "string" if n else None,
                    "old": before,
                    "new_kind": "string",
                    "new": value,
                }
            )
            before = value
    tables = [
        table.cast(pd.DataFrame(rows).reindex(columns=table.names))
        for table, rows in ((EVENTS, events), (CHANGES, changes))
    ]
    return cn.History(*tables)
