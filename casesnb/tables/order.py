"""The order of a case's events, as far as it is known.

AWS promises none. Time decides first, as precisely as it came. At one instant the
creation of a case comes before all else, and the chains of its fields' old and new
values decide what they can. Only then do the pages give a hint, if they run by time:
it is followed, but it is no knowledge.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from casesnb.tables.ties import LINKED, UNTOLD, Parts, Tie, solved

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from casesnb.tables.decode import Decoded

    Array = np.ndarray[Any, Any]

ORDER_BY = ("time", "creation", "chain", "page", "undecided")
"""What decided an event's place, strongest first; with the last two it is not known."""

_TIME, _CREATION, _CHAIN, _PAGE, _UNDECIDED = range(len(ORDER_BY))
_NO_KEY = _DECIDED = -1
_SIDES = ("old", "new")
_TEXT = pa.large_string()
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
    by: Array  # by event row: what decided its place, as a number of ORDER_BY
    tie: Array  # by event row: the first event that may change places with it, or -1
    unsure: Array  # by change row: other orders leave the field with another value
    seen: list[str]  # how each case's pages ran, by case number

    @property
    def known(self) -> Array:
        """Return whether each event's place is decided."""
        return self.by < _PAGE


def in_order(found: Decoded) -> Order:
    """Put events in order, case by case."""
    case = found.case
    by = np.full(len(case), _TIME, np.int8)
    tie = np.full(len(case), _DECIDED)
    unsure = np.zeros(len(found.changes["field_id"]), dtype=bool)
    if not len(case):
        nothing = np.empty(0, np.int64)
        return Order(nothing, nothing, by, tie, unsure, [])
    instant = _instants(found)
    direction = _directions(case, instant)
    arrival = np.arange(len(case))
    in_pages = np.where(direction[case] == _NEWEST_FIRST, -arrival, arrival)
    place = np.lexsort((in_pages, instant, case))
    is_first = np.append(True, np.diff(case[place]) != 0)
    starts = np.flatnonzero(is_first)
    sequence = arrival - np.repeat(starts, np.diff(np.append(starts, len(case))))
    is_equal = ~is_first & (np.diff(instant[place], prepend=0) == 0)
    if is_equal.any():
        unsure = _decide(found, place, is_equal, by, tie)
        # Where the values speak against the pages, these are no hint any more.
        is_hinted = np.isin(direction, (_NEWEST_FIRST, _OLDEST_FIRST))
        is_against = is_equal & (np.diff(in_pages[place], prepend=0) < 0)
        is_hinted[case[place[is_against]]] = False
        by[(by == _UNDECIDED) & is_hinted[case]] = _PAGE
        rows = place[tie[place] != _DECIDED]
        is_next = np.diff(tie[rows], prepend=_DECIDED) != 0
        tie[rows] = rows[is_next][np.cumsum(is_next) - 1]
    seen = [_SEEN[way] for way in direction.tolist()]
    return Order(place, sequence, by, tie, unsure, seen)


def _instants(found: Decoded) -> Array:
    """Return numbers that stand to each other as the times do."""
    times: Array = found.events["performed_at"].cast("int64").to_numpy()
    finer = found.events["finer"]
    if finer.null_count == len(finer):
        return times
    below = finer.fill_null(0).to_numpy(zero_copy_only=False)
    order = np.lexsort((below, times))
    is_later = (np.diff(times[order]) != 0) | (np.diff(below[order]) != 0)
    instants = np.empty(len(times), np.int64)
    instants[order] = np.append(0, np.cumsum(is_later))
    return instants


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


def _decide(
    found: Decoded, place: Array, is_equal: Array, by: Array, tie: Array
) -> Array:
    """Put events of one instant in order, noting how; return what is unsure then."""
    at = np.flatnonzero(is_equal | np.append(is_equal[1:], False))
    types = found.events["event_type"]
    is_created = _of_types(types, pc.equal(types.dictionary, "Case.Created"))
    instant = np.cumsum(~is_equal[at])
    first = np.lexsort((np.arange(len(at)), ~is_created[place[at]], instant))
    place[at] = rows = place[at][first]
    # Those created, then the others: within each, values decide.
    stage = 2 * instant + ~is_created[rows]
    stage = np.cumsum(np.append(0, np.diff(stage) != 0))
    size = np.bincount(stage)
    is_alone = size[stage] == 1
    by[rows] = np.where(is_alone, _CREATION, _UNDECIDED)
    tie[rows] = np.where(is_alone, _DECIDED, stage)
    n_ties = len(size)
    open_fields: dict[int, set[int]] = {}  # by event
    position = np.empty(len(place), np.int64)
    position[place] = np.arange(len(place))
    for linked in _linked(found, position, rows[~is_alone], stage[~is_alone]):
        answers = solved([one for one, _ in linked])
        for (_, members), answer in zip(linked, answers, strict=True):
            events, group = np.array(members), np.array(answer.group)
            place[np.sort(position[events])] = events[answer.order]
            if answer.unsure:
                open_fields |= dict.fromkeys(members, answer.unsure)
            # Beside events of other fields, a place in the chain is none in the tie.
            if len(events) == size[tie[events[0]]]:
                by[events[group == 0]] = _CHAIN
                tie[events] = np.where(group == 0, _DECIDED, n_ties + group)
                n_ties += len(events)
    is_open = np.isin(np.arange(len(found.case)), [*open_fields])
    event, change = _changes_of(found, is_open)
    fields = found.changes["field_id"].indices.to_numpy()
    unsure = np.zeros(len(fields), dtype=bool)
    told = zip(event.tolist(), fields[change].tolist(), strict=True)
    unsure[change] = [field in open_fields[one] for one, field in told]
    return unsure


def _of_types(types: pa.DictionaryArray, is_asked: pa.BooleanArray) -> Array:
    """Return whether each event's type is among those asked for."""
    found: Array = is_asked.take(types.indices).to_numpy(zero_copy_only=False)
    return found


def _linked(
    found: Decoded, position: Array, rows: Array, stage: Array
) -> Iterator[list[tuple[Tie, list[int]]]]:
    """Yield ties that lead to each other, oldest first, each with its events."""
    case, field = found.case, found.changes["field_id"].indices.to_numpy()
    n_fields = len(found.changes["field_id"].dictionary)
    types = found.events["event_type"]
    is_own = ~_of_types(types, pc.starts_with(types.dictionary, "RelatedItem."))
    stage_of = np.full(len(case), -1)
    stage_of[rows] = stage
    # A key is a stage and a field that several of its events change: their order
    # counts there.
    event, change = _changes_of(found, is_own & (stage_of >= 0))
    key = stage_of[event] * n_fields + field[change]
    once = np.unique(key * len(case) + event) // len(case)
    keys, n_events = np.unique(once, return_counts=True)
    keys = keys[n_events > 1]
    if not len(keys):
        return
    # Their chains, from the first change in the case to the last.
    case_of = np.empty(stage.max() + 1, np.int64)
    case_of[stage] = case[rows]
    chains = case_of[keys // n_fields] * n_fields + keys % n_fields
    is_asked = np.zeros(case.max() + 1, dtype=bool)
    is_asked[chains // n_fields] = True
    event, change = _changes_of(found, is_own & is_asked[case])
    chain = case[event] * n_fields + field[change]
    kept = np.flatnonzero(np.isin(chain, chains))
    kept = kept[np.lexsort((change[kept], position[event[kept]], chain[kept]))]
    event, change, chain = event[kept], change[kept], chain[kept]
    key = stage_of[event] * n_fields + field[change]
    key[~np.isin(key, keys)] = _NO_KEY
    told = (chain, key, event, *_values(found, change))
    listed = zip(*(column.tolist() for column in told), strict=True)
    yield from _ties(listed, n_fields, position)


def _ties(
    rows: Iterable[tuple[int, ...]], n_fields: int, position: Array
) -> Iterator[list[tuple[Tie, list[int]]]]:
    """Yield linked ties from changes: chain, key, event, value before, value after."""
    changes: dict[int, dict[int, tuple[int, int]]] = {}  # by key and event
    before: dict[int, int] = {}
    after: dict[int, int] = {}
    tied, linked = Parts(), Parts()
    for _, chain in groupby(rows, key=itemgetter(0)):
        last, held = _NO_KEY, UNTOLD
        for key, part in groupby(chain, key=itemgetter(1)):
            edges: dict[int, tuple[int, int]] = {}
            for _, _, event, old, new in part:
                edges[event] = edges.get(event, (old,))[0], new
            if key == _NO_KEY:
                listed = list(edges.values())
                after[last], held = listed[0][0], listed[-1][1]
            else:
                changes[key] = edges
                before[key], after[key] = held, UNTOLD
                if last != _NO_KEY:
                    before[key] = after[last] = LINKED
                    linked.join(~last, ~key)
                for event in edges:
                    tied.join(~key, event)
                    linked.join(~key, event)
            last = key
    ties: dict[int, list[int]] = defaultdict(list)
    for key in changes:
        ties[tied.root(~key)].append(key)
    clusters: dict[int, list[tuple[Tie, list[int]]]] = defaultdict(list)
    for keys in sorted(ties.values(), key=lambda keys: keys[0] // n_fields):
        events = {event for key in keys for event in changes[key]}
        members = sorted(events, key=lambda event: position[event])
        field = {key: key % n_fields for key in keys}
        tie = Tie(
            [
                {field[key]: changes[key][e] for key in keys if e in changes[key]}
                for e in members
            ],
            {field[key]: before[key] for key in keys},
            {field[key]: after[key] for key in keys},
        )
        clusters[linked.root(~keys[0])].append((tie, members))
    yield from clusters.values()


def _values(found: Decoded, change: Array) -> tuple[Array, Array]:
    """Return the values before and after changes as numbers, alike if these are."""
    rows = pa.array(change)
    kinds, texts = (
        pa.concat_arrays(
            [found.changes[side + part].take(rows).cast(_TEXT) for side in _SIDES]
        )
        for part in ("_kind", "")
    )
    # A user is the same as an ARN and as text.
    kinds = pc.if_else(pc.equal(kinds, "user_arn"), pa.scalar("string", _TEXT), kinds)
    said = pc.binary_join_element_wise(
        kinds, pc.fill_null(texts, ""), pa.scalar("\n", _TEXT)
    )
    codes = said.dictionary_encode().indices.fill_null(UNTOLD - 1).to_numpy() + 1
    return codes[: len(change)], codes[len(change) :]


def _changes_of(found: Decoded, is_asked: Array) -> tuple[Array, Array]:
    """Return the changes of events, and the event of each."""
    event = np.repeat(np.arange(len(is_asked)), found.n_changes)
    change = np.flatnonzero(is_asked[event])
    return event[change], change
