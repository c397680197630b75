"""Laws that hold for any history: with ties, gaps, merges and no creation.

The oracle is a walk over what was done, change by change, in plain Python.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import pandas as pd
import pytest
from engines import plain
from histories import value
from hypothesis import given, settings
from hypothesis import strategies as st

import casesnb as cn
from casesnb.schema import CASE_FIELDS
from casesnb.tables.tidy import OPERATION, tidy
from casesnb.wire.pages import Page

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
FIELDS = ("status", "assigned_user")
VALUES = ("open", "closed", "held", "1.0", 1.0, None)

Value = tuple[str | None, str | None]  # its kind and its text
Chain = tuple[str, str]  # a case's field


class Change(NamedTuple):
    """One field of an event, as it was done."""

    field_id: str
    old: str | float | None
    new: str | float | None
    tells_old: bool


class Event(NamedTuple):
    """One event, as it was done."""

    event_id: str
    hour: int
    type: str
    merge: dict[str, str] | None
    changes: tuple[Change, ...]

    @property
    def at(self) -> dt.datetime:
        return START + dt.timedelta(hours=self.hour)


class Story(NamedTuple):
    """What was done to each case, and which events of it are left."""

    cases: dict[str, list[Event]]
    left: frozenset[str]

    @property
    def now(self) -> dt.datetime:
        return max(event.at for events in self.cases.values() for event in events)

    def told(self) -> dict[str, list[Event]]:
        return {
            case_id: [event for event in events if event.event_id in self.left]
            for case_id, events in self.cases.items()
        }

    def frames(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The events and the changes that are left, as the loaders give them."""
        pages = []
        for case_id, events in self.told().items():
            body = json.dumps({"auditEvents": [raw(event) for event in events]})
            ids = {"domainId": "d", "caseId": case_id}
            pages.append(Page(OPERATION, ids, 0, body.encode()))
        return tidy(pages)[:2]


def raw(event: Event) -> dict[str, Any]:
    """The event as AWS would send it."""
    fields = []
    for change in event.changes:
        told = {"eventFieldId": change.field_id, "newValue": value(change.new)}
        if change.tells_old:
            told["oldValue"] = value(change.old)
        fields.append(told)
    made = {
        "eventId": event.event_id,
        "type": event.type,
        "performedTime": event.at.isoformat(),
        "fields": fields,
    }
    return made | ({"mergeMetadata": event.merge} if event.merge else {})


@st.composite
def stories(
    draw: st.DrawFn, *, loses: bool = False, ties: bool = True, repeats: bool = True
) -> Story:
    """Draw up to three cases; those of no repeats never hold a value twice."""
    fresh = iter(range(1_000))
    values = st.sampled_from(VALUES)
    if not repeats:
        values = st.builds(lambda: f"v{next(fresh)}")
    gap = st.sampled_from((0, 0, 1, 5) if ties else (1, 2, 5))
    told = st.just(True) if loses else st.sampled_from((True, True, False))
    change = st.tuples(st.sampled_from(FIELDS), values, told)
    n_changes = 2 if repeats else 1
    step = st.tuples(gap, st.lists(change, min_size=1, max_size=n_changes))
    cases = {}
    for n in range(draw(st.integers(1, 3))):
        hour, state, events = n, dict.fromkeys(FIELDS), []
        for place, (wait, listed) in enumerate(draw(st.lists(step, max_size=7))):
            hour += wait if place else 0
            changes = []
            for field_id, new, tells_old in listed:
                old, state[field_id] = state[field_id], new
                changes.append(Change(field_id, old, new, tells_old and place > 0))
            kind = "Case.Updated" if place else "Case.Created"
            events.append(Event(f"c{n}e{place}", hour, kind, None, tuple(changes)))
        if not events:
            events.append(Event(f"c{n}e0", hour, "Case.Created", None, ()))
        cases[f"c{n}"] = events
    if len(cases) > 1 and draw(st.booleans()):
        merge(cases)
    ids = [event.event_id for events in cases.values() for event in events]
    if loses:
        left = [name for name in ids if draw(st.booleans())]
    else:  # at most the creations are missing
        left = [n for n in ids if not n.endswith("e0") or draw(st.booleans())]
    return Story(cases, frozenset(left))


def merge(cases: dict[str, list[Event]]) -> None:
    """Merge the second case into the first, after all that was done to both."""
    hour = max(cases["c0"][-1].hour, cases["c1"][-1].hour) + 1
    ids = {"mergeEventId": "m", "primaryCaseId": "c0", "secondaryCaseId": "c1"}
    old = [c.new for e in cases["c1"] for c in e.changes if c.field_id == "status"]
    close = Change("status", old[-1] if old else None, "closed", True)
    cases["c0"].append(Event("c0m", hour, "Case.Merged", ids, ()))
    cases["c1"].append(Event("c1m", hour, "Case.Merged", ids, (close,)))


def as_told(given_: str | float | None) -> Value:
    if given_ is None:
        return "empty", None
    return ("double" if isinstance(given_, float) else "string"), str(given_)


def walked(story: Story) -> dict[Chain, list[tuple[Event, Change]]]:
    """Each field's changes that are left, in the order in which they were done."""
    found: dict[Chain, list[tuple[Event, Change]]] = defaultdict(list)
    for case_id, events in story.told().items():
        for event in events:
            for change in event.changes:
                found[case_id, change.field_id].append((event, change))
    return found


def rows(frame: pd.DataFrame, *names: str) -> list[tuple[Any, ...]]:
    columns = [frame[name].astype(object).tolist() for name in names]
    return [tuple(plain(v) for v in row) for row in zip(*columns, strict=True)]


def chains(frame: pd.DataFrame) -> Iterator[tuple[Chain, list[Any]]]:
    """The rows of each case's field, in the frame's order."""
    listed = list(frame.itertuples(index=False))
    for chain, found in groupby(listed, key=lambda row: (row.case_id, row.field_id)):
        yield chain, list(found)


def moments(story: Story) -> list[dt.datetime]:
    """A moment at which something was done, and one just before."""
    hours = sorted({event.hour for e in story.cases.values() for event in e})
    hour = hours[len(hours) // 2]
    return [START + dt.timedelta(hours=h) for h in (hour - 0.5, hour)]


Law = Callable[[Story], None]


def spells_follow_each_other(story: Story) -> None:
    _, changes = story.frames()
    found = cn.spells(changes, as_of=story.now)
    done = walked(story)
    assert {chain for chain, _ in chains(found)} == set(done)
    for chain, spells in chains(found):
        for before, after in pairwise(spells):
            assert before.end_at == after.start_at
            assert not before.is_open
            if before.is_known:
                assert (plain(before.kind), plain(before.value)) != (
                    plain(after.kind),
                    plain(after.value),
                )
        last = spells[-1]
        assert last.is_open
        assert last.end_at == story.now
        assert (last.kind, plain(last.value)) == as_told(done[chain][-1][1].new)
        # Only the first may be without a start.
        assert all(pd.notna(spell.start_at) for spell in spells[1:])
        assert all(spell.start_at <= spell.end_at for spell in spells[1:])


def time_in_adds_up_to_the_span(story: Story) -> None:
    _, changes = story.frames()
    spells = dict(chains(cn.spells(changes, as_of=story.now)))
    field_id = "status"
    found = cn.time_in(changes, field_id, as_of=story.now)
    sums = found.groupby("case_id")["hours"].sum().to_dict()
    counts = found.groupby("case_id")["n_spells"].sum().to_dict()
    for case_id, hours in sums.items():
        listed = spells[case_id, field_id]
        assert counts[case_id] == len(listed)
        starts = [s.start_at for s in listed if pd.notna(s.start_at)]
        since = min(starts, default=story.now)
        span = (story.now - since) / dt.timedelta(hours=1)
        assert hours == pytest.approx(span)
        first, change = walked(story)[case_id, field_id][0]
        if (
            first.type == "Case.Created"
            or not change.tells_old
            or change.old != change.new
        ):
            assert since == first.at


def the_state_is_the_spell_that_covers_the_moment(story: Story) -> None:
    _, changes = story.frames()
    spells = cn.spells(changes, as_of=story.now)
    first = {chain: done[0][0].at for chain, done in walked(story).items()}
    names = ("case_id", "field_id", "kind", "value", "start_at", "event_id")
    for when in moments(story):
        began = ~(spells["start_at"] > when)
        covers = began & ((spells["end_at"] > when) | spells["is_open"])
        known = [first[chain] <= when for chain in zip(*(spells[n] for n in names[:2]))]  # noqa: B905
        wanted = rows(spells[covers & pd.Series(known, dtype="bool")], *names)
        state = cn.state_at(changes, as_of=when).rename(
            columns={"since_at": "start_at"}
        )
        assert rows(state, *names) == wanted


def nothing_differs_between_equal_states(story: Story) -> None:
    _, changes = story.frames()

    def state(when: dt.datetime) -> dict[Chain, Value]:
        names = ("case_id", "field_id", "kind", "value")
        found = rows(cn.state_at(changes, as_of=when), *names)
        return {(case, field): (kind, text) for case, field, kind, text in found}

    t1, t2 = moments(story)[0], story.now
    before, after = state(t1), state(t2)
    found = rows(cn.diff(changes, start=t1, end=t2), "case_id", "field_id")
    assert found == sorted(c for c in after if after[c] != before.get(c))


Move = tuple[str, Value | None, Value, Event]


def walked_moves(story: Story, field_id: str) -> list[Move]:
    """Each change of value after creation; None before it where nothing is told."""
    moves = []
    for (case_id, field), done in sorted(walked(story).items()):
        prior: Value | None = None
        for event, change in done if field == field_id else ():
            before = as_told(change.old) if change.tells_old else prior
            new = as_told(change.new)
            if before != new and event.type != "Case.Created":
                moves.append((case_id, before, new, event))
            prior = new
    return moves


def transitions_count_each_change_of_value(story: Story) -> None:
    _, changes = story.frames()
    field_id = "status"
    found = cn.transitions(changes, field_id, as_of=story.now)
    moves = [move for move in walked_moves(story, field_id) if move[1]]
    n = Counter((before, new) for _, before, new, _ in moves)
    of = Counter((before, new) for _, before, new in {m[:3] for m in moves})
    names = ("from_kind", "from_value", "to_kind", "to_value", "n", "n_cases")
    told = {(row[:2], row[2:4]): row[4:] for row in rows(found, *names)}
    assert told == {pair: (n[pair], of[pair]) for pair in n}


def a_handoff_takes_from_whom_the_last_one_gave_to(story: Story) -> None:
    _, changes = story.frames()
    found = cn.handoffs(changes, as_of=story.now)
    moves = walked_moves(story, "assigned_user")
    names = ("case_id", "from_value", "to_value", "at", "event_id")
    assert rows(found, *names) == [
        (case_id, before and before[1], new[1], plain(event.at), event.event_id)
        for case_id, before, new, event in moves
        # To empty what never held anybody hands nothing over.
        if (before and before[1]) is not None or new[1] is not None
    ]
    whole = story._replace(left=frozenset(_ids(story)))
    if whole.left != story.left:
        return
    for _, listed in chains(found):
        for before, after in pairwise(listed):
            assert plain(before.to_value) == plain(after.from_value)
            held = (after.at - before.at) / dt.timedelta(hours=1)
            assert after.held_hours == pytest.approx(held)


def _ids(story: Story) -> Iterator[str]:
    for events in story.cases.values():
        yield from (event.event_id for event in events)


def between_two_reopens_lies_a_close(story: Story) -> None:
    events, changes = story.frames()
    found = cn.reopens(changes, events=events, as_of=story.now)
    wanted = [
        (case_id, plain(event.at), event.event_id)
        for case_id, before, new, event in walked_moves(story, "status")
        if before == ("string", "closed")
    ]
    assert rows(found, "case_id", "reopened_at", "event_id") == wanted
    merged = set(events.loc[events["merge_event_id"].notna(), "event_id"])
    for _, listed in groupby(found.itertuples(index=False), key=lambda r: r.case_id):
        for row in (kept := list(listed)):
            if pd.notna(row.closed_at):
                assert row.closed_at <= row.reopened_at
                is_merge = row.close_event_id in merged
                assert row.closed_by == ("merge" if is_merge else "change")
        for before, after in pairwise(kept):
            assert not after.closed_at < before.reopened_at


def bounds_contain_what_was(story: Story) -> None:
    _, changes = story.frames()
    current = current_of(story)
    field_id = "status"
    found = cn.trust.time_bounds(changes, field_id, as_of=story.now, current=current)
    for row in found.itertuples(index=False):
        real = held(story.cases[row.case_id], field_id, story.now)
        hours = real.get((plain(row.kind), plain(row.value)), 0.0)
        assert row.hours_min <= hours + 1e-9
        assert pd.isna(row.hours_max) or hours <= row.hours_max + 1e-9


def held(
    events: Sequence[Event], field_id: str, now: dt.datetime
) -> dict[Value, float]:
    """How long each value was really held, from the case's creation on."""
    points = [(events[0].at, as_told(None))]
    points += [
        (event.at, as_told(change.new))
        for event in events
        for change in event.changes
        if change.field_id == field_id
    ]
    found: dict[Value, float] = defaultdict(float)
    for (start, text), end in zip(
        points, [*(p[0] for p in points[1:]), now], strict=True
    ):
        found[text] += (end - start) / dt.timedelta(hours=1)
    return found


def current_of(story: Story) -> pd.DataFrame:
    """What GetCase says of the cases, all that was done to them included."""
    whole = story._replace(left=frozenset(_ids(story)))
    found = [
        ("d", *chain, *as_told(done[-1][1].new))
        for chain, done in sorted(walked(whole).items())
    ]
    names = ["domain_id", "case_id", "field_id", "kind", "value"]
    return CASE_FIELDS.cast(pd.DataFrame(found, columns=names))


def a_match_is_one(story: Story) -> None:
    _, changes = story.frames()
    found = cn.trust.compare_with_current(changes, current_of(story))
    whole = walked(story._replace(left=frozenset(_ids(story))))
    done = walked(story)
    assert {chain for chain, _ in chains(found)} == set(whole)
    for row in found.itertuples(index=False):
        chain = row.case_id, row.field_id
        if chain not in done:
            assert row.verdict == "unverifiable"
            continue
        is_so = as_told(done[chain][-1][1].new) == as_told(whole[chain][-1][1].new)
        assert row.verdict == ("match" if is_so else "contradicted")


LAWS: dict[Law, st.SearchStrategy[Story]] = {
    spells_follow_each_other: stories(),
    time_in_adds_up_to_the_span: stories(),
    the_state_is_the_spell_that_covers_the_moment: stories(),
    nothing_differs_between_equal_states: stories(),
    transitions_count_each_change_of_value: stories(),
    a_handoff_takes_from_whom_the_last_one_gave_to: stories(),
    between_two_reopens_lies_a_close: stories(),
    # Lost changes that undid each other leave no trace: no value comes twice.
    bounds_contain_what_was: stories(loses=True, repeats=False),
    a_match_is_one: stories(loses=True, ties=False),
}
NAMES = [pytest.param(law, id=law.__name__) for law in LAWS]


def hold(law: Law, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, derandomize=True, database=None)
    @given(LAWS[law])
    def check(story: Story) -> None:
        law(story)

    check()


@pytest.mark.parametrize("law", NAMES)
def test_law(law: Law) -> None:
    hold(law, 8)


@pytest.mark.slow
@pytest.mark.parametrize("law", NAMES)
def test_law_on_more_stories(law: Law) -> None:
    hold(law, 100)
