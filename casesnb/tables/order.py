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

    import pyarrow as pa

    Array = np.ndarray[Any, Any]
    Change = tuple[str, Any, Any]  # field, value before, value after

_STEPS = 500  # how far a knot of events at one instant is followed
_NEWEST_FIRST, _SILENT, _OLDEST_FIRST, _MIXED = -1, 0, 1, 2


@dataclass(frozen=True, slots=True)
class Order:
    """Where each event belongs.

    Parameters
    ----------
    place : ndarray of int64
        Event rows, case by case and oldest first.
    sequence : ndarray of int64
        Each place's number in its case, from 0.
    known : ndarray of bool
        By event row: False where its place among its equals is undecided.
    seen : str
        ``newest first``, ``oldest first``, ``mixed`` or ``not told``.
    """

    place: Array
    sequence: Array
    known: Array
    seen: str


def in_order(
    case: Array, times: Array, n_changes: Array, columns: Mapping[str, pa.Array]
) -> Order:
    """Put events in order, case by case.

    Parameters
    ----------
    case : ndarray of int64
        Each event's case, cases together, events as they came.
    times : ndarray of int64
        Each event's time, in microseconds.
    n_changes : ndarray of int64
        How many changes each event has.
    columns : Mapping of str to Array
        ``event_type`` by event; ``field_id, old_kind, old, new_kind, new`` by
        change, in the events' order.

    Returns
    -------
    Order
        The events' places.
    """
    n = len(case)
    known = np.ones(n, dtype=bool)
    if n == 0:
        return Order(np.empty(0, np.int64), np.empty(0, np.int64), known, "not told")
    direction = _directions(case, times)
    arrival = np.arange(n)
    of_event = direction[case]
    page_order = np.where(of_event == _NEWEST_FIRST, -arrival, arrival)
    place = np.lexsort((page_order, times, case))
    open_ties = [
        (start, stop)
        for start, stop in _runs_of_equals(case[place], times[place])
        if of_event[place[start]] in (_SILENT, _MIXED)
    ]
    if open_ties:
        chain = _Chain(columns, n_changes)
        for start, stop in open_ties:
            group = place[start:stop]
            before = place[np.searchsorted(case[place], case[group[0]]) : start]
            ordered = chain.ordered(group.tolist(), before.tolist())
            if ordered is None:
                known[group] = False
            else:
                place[start:stop] = ordered
    cases = case[place]
    starts = np.flatnonzero(np.concatenate(([True], cases[1:] != cases[:-1])))
    lengths = np.diff(np.append(starts, n))
    sequence = np.arange(n) - np.repeat(starts, lengths)
    return Order(place, sequence, known, _seen(direction))


def _directions(case: Array, times: Array) -> Array:
    """Return, by case, how its times run through the pages."""
    step = np.diff(times)
    same = case[1:] == case[:-1]
    n_cases = int(case.max()) + 1
    up = np.bincount(case[1:][same & (step > 0)], minlength=n_cases) > 0
    down = np.bincount(case[1:][same & (step < 0)], minlength=n_cases) > 0
    return np.select(
        [up & down, up, down], [_MIXED, _OLDEST_FIRST, _NEWEST_FIRST], _SILENT
    )


def _seen(direction: Array) -> str:
    told = set(direction.tolist()) - {_SILENT}
    if not told:
        return "not told"
    if told == {_NEWEST_FIRST}:
        return "newest first"
    return "oldest first" if told == {_OLDEST_FIRST} else "mixed"


def _runs_of_equals(case: Array, times: Array) -> Iterator[tuple[int, int]]:
    equal = (case[1:] == case[:-1]) & (times[1:] == times[:-1])
    edges = np.flatnonzero(np.diff(np.concatenate(([False], equal, [False]))))
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        yield start, stop + 1


class _Chain:
    """The values before and after, by which events of one instant are told apart."""

    def __init__(self, columns: Mapping[str, pa.Array], n_changes: Array) -> None:
        self._columns = columns
        self._last = np.cumsum(n_changes)
        self._first = self._last - n_changes

    def ordered(self, group: Sequence[int], before: Sequence[int]) -> list[int] | None:
        """Return the one order of `group` that its values allow, or None."""
        created = [e for e in group if self._type(e) == "Case.Created"]
        if len(created) > 1:
            return None
        rest = [event for event in group if event not in created]
        state: dict[str, Any] = {}
        for event in (*before, *created):
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
        state: Mapping[str, Any],
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

    def _type(self, event: int) -> Any:
        return self._columns["event_type"][event].as_py()

    def _changes(self, event: int) -> list[Change]:
        first, last = int(self._first[event]), int(self._last[event])
        names, old_kinds, olds, new_kinds, news = (
            self._columns[name].slice(first, last - first).to_pylist()
            for name in ("field_id", "old_kind", "old", "new_kind", "new")
        )
        return [
            (name, (ok, old), (nk, new))
            for name, ok, old, nk, new in zip(
                names, old_kinds, olds, new_kinds, news, strict=True
            )
        ]
