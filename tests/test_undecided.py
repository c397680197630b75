"""What is computed over a tie holds in every order of it that may have been.

Histories are made as they were done, so that the truth is known.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
import pytest
from test_order import FIELDS, Event, history, in_pages, outcome, possible

import casesnb as cn
from casesnb.schema import CASE_FIELDS

START = dt.datetime(2026, 3, 1, 9, tzinfo=dt.UTC)
Held = tuple[str, dt.datetime, dt.datetime]


def moment(instant: int) -> dt.datetime:
    """The time of an event, as the column keeps it."""
    return START + dt.timedelta(microseconds=instant // 10)


def end_of(events: list[Event]) -> dt.datetime:
    return moment(events[-1].instant) + dt.timedelta(seconds=7)


def held(events: list[Event], field: str) -> list[Held]:
    """What a field held, from when to when, as it was done."""
    steps = [(moment(e.instant), e.own()[field][1]) for e in events if field in e.own()]
    if not steps:
        return []
    ends = [*(at for at, _ in steps[1:]), end_of(events)]
    return [
        (str(new), at, end)
        for (at, new), end in zip(steps, ends, strict=True)
        if end > at
    ]


def own(events: list[Event]) -> list[str]:
    """The fields that the history tells of the case itself."""
    return sorted({field for event in events for field in event.own()})


def whole(seeds: Iterable[int]) -> dict[int, list[Event]]:
    """Histories without a lost event, whose new values are all told."""
    made = {seed: history(seed, n_tied=5) for seed in seeds}
    return {
        seed: events
        for seed, events in made.items()
        if events
        and all(new is not None for event in events for _, _, new in event.changes)
    }


def frames(events: list[Event], seed: int) -> list[pd.DataFrame]:
    """The changes of a history, from six orders of its pages."""
    return [
        cn.raw.changes_frame(
            [{"auditEvents": page} for page in pages], domain_id="d", case_id="c"
        )
        for pages in in_pages(events, seed).values()
    ]


def said(kind: Any, value: Any) -> str:
    if pd.isna(kind):
        return "not told"
    return "" if kind == "empty" else str(value)


def judge_states(
    events: list[Event], changes: pd.DataFrame, seen: Counter[str]
) -> None:
    best, orders = possible(events)
    assert not best
    start = 0
    for consistent in orders:
        group = events[start : start + len(next(iter(consistent)))]
        start += len(group)
        as_of = moment(group[-1].instant)
        if start < len(events) and moment(events[start].instant) == as_of:
            continue  # digits that the column does not keep
        state = cn.state_at(changes, as_of=as_of).set_index("field_id")
        for field in FIELDS:
            values = held(events[:start], field)
            if not values:
                assert field not in state.index
                continue
            row = state.loc[field]
            is_right = said(row["kind"], row["value"]) == values[-1][0]
            seen["known" if row["is_known"] else "unsure"] += 1
            assert is_right or not row["is_known"]
            if any(field in event.own() for event in group):
                left = {outcome(order, field) for order in consistent}
                assert row["is_known"] == (len(left) == 1)
                table = cn.state_table(changes, as_of=as_of)
                if not row["is_known"]:
                    assert table[field].isna().all()


def judge_spells(
    events: list[Event], changes: pd.DataFrame, seen: Counter[str]
) -> None:
    as_of = end_of(events)
    for field in own(events):
        truth = held(events, field)
        found = cn.spells(changes, field, as_of=as_of)
        for row in found[found["is_known"] & (found["hours"] > 0)].itertuples():
            seen["spells"] += 1
            # What was saved again did not end.
            value = said(row.kind, row.value)
            parts = [(at, end) for v, at, end in truth if v == value]
            spent = sum(
                (
                    min(end, row.end_at) - max(at, row.start_at)
                    for at, end in parts
                    if at < row.end_at and end > row.start_at
                ),
                dt.timedelta(),
            )
            assert spent == row.end_at - row.start_at


def judge_bounds(
    events: list[Event], changes: pd.DataFrame, seen: Counter[str]
) -> None:
    as_of = end_of(events)
    for field in own(events):
        hours: dict[str, float] = defaultdict(float)
        for value, at, end in held(events, field):
            hours[value] += (end - at) / dt.timedelta(hours=1)
        for current in (None, now(events, field)):
            bounds = cn.trust.time_bounds(changes, field, as_of=as_of, current=current)
            rows = {said(row.kind, row.value): row for row in bounds.itertuples()}
            for value, spent in hours.items():
                seen["bounds"] += 1
                seen["loose"] += rows[value].hours_min != rows[value].hours_max
                assert rows[value].hours_min <= spent + 1e-12
                assert not rows[value].hours_max < spent - 1e-12


def now(events: list[Event], field: str, value: str | None = None) -> pd.DataFrame:
    told = held(events, field)[-1][0] if value is None else value
    kind = "string" if told else "empty"
    row = ("d", "c", field, kind, told or None)
    return CASE_FIELDS.cast(
        pd.DataFrame([dict(zip(CASE_FIELDS.names, row, strict=False))]).reindex(
            columns=CASE_FIELDS.names
        )
    )


def judge_current(
    events: list[Event], changes: pd.DataFrame, seen: Counter[str]
) -> None:
    assert "contradicted" not in set(cn.trust.continuity(changes)["reason"])
    for field in own(events):
        verdicts = {}
        for value in (None, "another"):
            found = cn.trust.compare_with_current(changes, now(events, field, value))
            verdicts[value] = found.set_index("field_id").loc[field, "verdict"]
        seen[verdicts[None]] += 1
        assert verdicts[None] in {"match", "unverifiable"}
        assert verdicts["another"] == "contradicted"


JUDGES = [judge_states, judge_spells, judge_bounds, judge_current]


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize(
    "seeds",
    [(0, 3, 16, 35), pytest.param(range(120), marks=pytest.mark.slow)],
    ids=len,
)
def test_answers_over_ties_hold_in_every_order(
    judge: Any, seeds: Sequence[int]
) -> None:
    seen: Counter[str] = Counter()
    for seed, events in whole(seeds).items():
        for changes in frames(events, seed)[:: 5 if len(seeds) < 100 else 3]:
            if len(changes):
                judge(events, changes, seen)
    assert len(seen) == {judge_spells: 1}.get(judge, 2)
