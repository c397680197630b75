"""The order of a case's events, from times, from pages and from the values.

AWS promises none. Time comes first. Events of one instant follow the pages, whose
direction is read from the data. Where the pages are silent or contradict the
times, the chain of old → new values decides; what it leaves open is marked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from casesnb.tables.decode import Decoded
    from casesnb.tables.values import Value

    Array = np.ndarray[Any, Any]
    Change = tuple[str, Value, Value]  # field, value before, value after

_STEPS = 500  # how far a knot of events at one instant is followed
_NEWEST_FIRST, _SILENT, _OLDEST_FIRST, _MIXED = -1, 0, 1, 2
_SEEN = {
    _NEWEST_FIRST: "newest first",
    _SILENT: "not told",
    _OLDEST_FIRST: "oldest first",
    _MIXED: "mixed",
}


@dataclass(frozen=True, slots=True)
class Order:
    """Where each event belongs."""

    place: Array  # event rows, case by case and oldest first
    sequence: Array  # each place's number in its case, from 0
    known: Array  # by event row: False where its place among its equals is undecided
    seen: list[str]  # how each case's pages ran, by case number


def in_order(found: Decoded) -> Order:
    """Put events in order, case by case."""
    case = found.case
    times = found.events["performed_at"].cast("int64").to_numpy()
    known = np.ones(len(case), dtype=bool)
    if not len(case):
        return Order(np.empty(0, np.int64), np.empty(0, np.int64), known, [])
    direction = _directions(case, times)
    of_event = direction[case]
    arrival = np.arange(len(case))
    page_order = np.where(of_event == _NEWEST_FIRST, -arrival, arrival)
    place = np.lexsort((page_order, times, case))
    cases = case[place]
    starts = np.flatnonzero(np.concatenate(([True], cases[1:] != cases[:-1])))
    sequence = np.arange(len(case)) - np.repeat(
        starts, np.diff(np.append(starts, len(case)))
    )
    chain = None
    for start, stop in _runs_of_equals(cases, times[place]):
        if of_event[place[start]] in (_SILENT, _MIXED):
            chain = chain or _Chain(found, place)
            group = chain.ordered(start, stop, since=start - int(sequence[start]))
            if group is None:
                known[place[start:stop]] = False
            else:
                place[start:stop] = group
    return Order(place, sequence, known, [_SEEN[way] for way in direction.tolist()])


def _directions(case: Array, times: Array) -> Array:
    """Return, by case, how its times run through the pages."""
    together = np.argsort(case, kind="stable")  # cases may take turns
    case, step = case[together], np.diff(times[together])
    same = np.diff(case) == 0
    n_cases = int(case[-1]) + 1
    up = np.bincount(case[1:][same & (step > 0)], minlength=n_cases) > 0
    down = np.bincount(case[1:][same & (step < 0)], minlength=n_cases) > 0
    return np.select(
        [up & down, up, down], [_MIXED, _OLDEST_FIRST, _NEWEST_FIRST], _SILENT
    )


def _runs_of_equals(case: Array, times: Array) -> Iterator[tuple[int, int]]:
    equal = (case[1:] == case[:-1]) & (times[1:] == times[:-1])
    edges = np.flatnonzero(np.diff(np.concatenate(([False], equal, [False]))))
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        yield start, stop + 1


class _Chain:
    """The values before and after, by which events of one instant are told apart.

    Asked for groups in the order of their places; walks each case once.
    """

    def __init__(self, found: Decoded, place: Array) -> None:
        self._found = found
        self._place = place  # shared: holds the groups decided so far
        self._last = np.cumsum(found.n_changes)
        self._first = self._last - found.n_changes
        self._reached = -1
        self._state: dict[str, Value] = {}

    def ordered(self, start: int, stop: int, *, since: int) -> list[int] | None:
        """Return the one order of a group that its values allow, or None."""
        if self._reached < since:  # another case
            self._reached, self._state = since, {}
        self._walk(self._place[self._reached : start].tolist())
        self._reached = start
        group = self._place[start:stop].tolist()
        created = [e for e in group if self._type(e) == "Case.Created"]
        if len(created) > 1:
            return None
        rest = [event for event in group if event not in created]
        state = dict(self._state)
        for event in created:
            state |= {name: new for name, _, new in self._changes(event)}
        found: list[list[int]] = []
        self._search(
            rest, {e: self._changes(e) for e in rest}, state, [], found, [_STEPS]
        )
        return [*created, *found[0]] if len(found) == 1 else None

    def _search(
        self,
        left: list[int],
        changes: Mapping[int, list[Change]],
        state: Mapping[str, Value],
        path: list[int],
        found: list[list[int]],
        steps: list[int],
    ) -> None:
        """Collect the orders in which every old value is the one before; two will do."""
        steps[0] -= 1
        if len(found) > 1 or steps[0] < 0:
            found.extend([[], []])  # more than one, or too many to tell: undecided
            return
        if not left:
            found.append(path)
            return
        for event in left:
            after = dict(state)
            for name, old, new in changes[event]:
                # An old value that AWS did not send contradicts nothing.
                if old[0] is not None and name in after and after[name] != old:
                    break
                after[name] = new
            else:
                rest = [other for other in left if other != event]
                self._search(rest, changes, after, [*path, event], found, steps)

    def _walk(self, events: Sequence[int]) -> None:
        for event in events:
            self._state |= {name: new for name, _, new in self._changes(event)}

    def _type(self, event: int) -> Any:
        return self._found.events["event_type"][event].as_py()

    def _changes(self, event: int) -> list[Change]:
        first, last = int(self._first[event]), int(self._last[event])
        names, old_kinds, olds, new_kinds, news = (
            self._found.changes[name].slice(first, last - first).to_pylist()
            for name in ("field_id", "old_kind", "old", "new_kind", "new")
        )
        return [
            (name, (ok, old), (nk, new))
            for name, ok, old, nk, new in zip(
                names, old_kinds, olds, new_kinds, news, strict=True
            )
        ]
