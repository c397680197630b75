"""The lanes of a case: which there are, and the spans and marks on them.

One frame is behind the picture and the interactive timeline.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from casesnb.analysis.closing import CLOSED
from casesnb.analysis.spells import spells
from casesnb.tables.arguments import as_ids
from casesnb.tables.field_chain import field_ids_of
from casesnb.tables.frames import as_of_of, beside, is_history, to_pandas
from casesnb.tables.schema import CHANGES, EVENTS, TEXT_TYPE
from casesnb.view.plots.axis import day_numbers, moment, plain_times
from casesnb.view.plots.colours import TINTS, options_of, tints_of
from casesnb.view.plots.style import OTHER, Ink, factorized, like
from casesnb.view.plots.values import EMPTY_WORD, NOT_TOLD, names_of
from casesnb.view.wording import (
    field_names,
    is_missing,
    tail,
    value_name,
    value_names,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from narwhals.typing import IntoFrame

    from casesnb.tables.history import History

    Numbers = np.ndarray[Any, Any]
    Chain = tuple[str, str]  # a case's field

FIRST = ("status", "assigned_user", "assigned_queue", "case_reason", "title")
"""Fields whose lanes come first, in this order."""

LAST = (
    "summary",
    "reference_number",
    "customer_id",
    "created_by",
    "created_datetime",
    "last_closed_datetime",
    "last_reopened_datetime",
    "last_updated_user",
    "last_updated_datetime",
)
"""Fields whose lanes come last: what the service itself keeps, and long text."""

RELATED = "related items"
_ITEMS = (" items", "SLAs")  # how the lanes of related items are called

DENSE = "#93a9c2"
"""The colour of spans that are narrower than a pixel."""

EMPTY = "#ffffff"

_TAIL = 0.22  # how much of a picture may go to what just goes on


@dataclass(frozen=True, slots=True)
class Rows:
    """Spans and marks, one place each in every array."""

    lane: Numbers
    is_mark: Numbers
    kind: Numbers
    value: Numbers
    start_at: Numbers
    end_at: Numbers
    is_known: Numbers
    is_open: Numbers
    event_id: Numbers
    actor_kind: Numbers
    case_id: Numbers
    change: Numbers  # which row of the changes a mark stands for; -1 for others

    @property
    def left(self) -> Numbers:
        """When each began, as matplotlib's days; NaN where that is not told."""
        return day_numbers(self.start_at)

    @property
    def right(self) -> Numbers:
        """When each ended, as matplotlib's days."""
        return day_numbers(self.end_at)

    @property
    def is_bare(self) -> Numbers:
        """Which have no value."""
        return np.array([is_missing(value) for value in self.value], dtype=bool)

    def words(self) -> Numbers:
        """Return what is written for each value, also where there is none."""
        words, bare = self.value.copy(), self.is_bare
        words[bare] = np.where(self.kind[bare] == "empty", EMPTY_WORD, NOT_TOLD)
        return words

    def extent(self) -> tuple[Any, Any, Any, Any, Any]:
        """Return the first and last change, where a picture begins and ends, a width."""
        left, right = self.left, self.right
        first, last = float(np.nanmin(left)), float(np.nanmax(left))
        end = max(last, float(np.nanmax(right)))
        width = max(last - first, min(end - first, 1 / 24), 1 / 1440)
        # A case may have been read long after its last change: that stretch is cut.
        low, high = first - 0.02 * width, min(end, last + _TAIL * width)
        return first, last, low, high, width


_SHOWN = Rows.__slots__[2:10]  # the columns of the frame beside lane and what


class Lanes:
    """The lanes of a case, top to bottom, and the spans and marks on them."""

    def __init__(
        self,
        changes: pd.DataFrame,
        events: pd.DataFrame | None,
        fields: Sequence[str] | None,
        top: int,
        as_of: dt.datetime | None,
    ) -> None:
        self.changes, self.events, self.told_at = changes, events, as_of
        of_item = is_of_item(changes)
        own = ~of_item
        if fields is not None:
            own &= changes["field_id"].isin(list(fields)).to_numpy(dtype=bool)
        of_case = changes if own.all() else changes[own]
        # Of all changes: the fields that are drawn may have ended before.
        newest = changes["performed_at"].max() if len(changes) else None
        until = as_of or newest
        items = _items(changes[of_item], events)
        if fields is not None:
            items = {name: rows for name, rows in items.items() if name in fields}
        there = {*of_case["field_id"].unique(), *items}
        self.absent = [name for name in fields or () if name not in there]
        chains = _Chains(of_case)
        fields_called = field_names(of_case)
        names = _lane_names(chains.counts, fields_called)
        room = max(top - len(items), 1)
        kept, rest = _ordered(chains.counts, names, fields, room)
        self.n_bare = len(items) + bool(rest)
        self.names = [names[chain] for chain in kept]
        if rest:
            self.names.append(f"{OTHER} ({len(rest)})")
        self.names += items
        # The case of each lane, none of those that are shared; and its field's name.
        self.cases = [case_id for case_id, _ in kept] + [None] * self.n_bare
        self.fields = [fields_called[field_id] for _, field_id in kept]
        self.fields += self.names[len(kept) :]
        self._field_ids = [field_id for _, field_id in kept]
        self.n_rest = len(rest)
        place = {chain: i for i, chain in enumerate(kept)}
        place |= dict.fromkeys(rest, len(kept))
        called = self._called = _Called(of_case)
        first = len(self.names) - len(items)
        # Of the fields that share a lane only the marks are drawn.
        parts = [
            _spans(of_case, chains, place, len(kept), called, until),
            _marks(of_case, chains.lanes(place), called, np.flatnonzero(own)),
            *(_marks(rows, first + i, None) for i, rows in enumerate(items.values())),
        ]
        self.rows = Rows(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in Rows.__slots__
            )
        )

    @cached_property
    def tints(self) -> Numbers:
        """Return the number in `TINTS` of each span's value; -1 for marks."""
        rows = self.rows
        spans = np.flatnonzero(~rows.is_mark)
        lane, value = rows.lane[spans], rows.value[spans]
        code, names = factorized(like(self.changes, {"value": value})["value"])
        fields = [*dict.fromkeys(self._field_ids)]
        field = np.array([fields.index(one) for one in self._field_ids], dtype=int)
        wide = max(len(names), 1)
        pairs, first, place = np.unique(
            field[lane] * wide + code, return_index=True, return_inverse=True
        )
        beside = _beside([str(name) for name in names], code, lane)
        numbers = np.zeros(len(pairs), dtype=int)
        for number, field_id in enumerate(fields):
            own = [i for i in np.argsort(first) if pairs[i] // wide == number]
            own = [i for i in own if not is_missing(names[pairs[i] % wide])]
            called = [str(names[pairs[i] % wide]) for i in own]
            known = self._known(field_id)
            numbers[own] = tints_of(field_id, called, beside=beside, **known)
        tint = np.full(len(rows.lane), -1)
        tint[spans] = numbers[place]
        return tint

    def _known(self, field_id: str) -> dict[str, Any]:
        """Return what decides the colours of a field's values."""
        options = options_of(self.changes, field_id)
        if field_id != "status":
            return {"options": options}
        of_status = self.changes[self.changes["field_id"] == field_id]
        values = {*of_status["old"].dropna(), *of_status["new"].dropna()}
        names = value_names(of_status)
        closed = {
            value_name(names, field_id, one) for one in values if one.lower() == CLOSED
        }
        return {"options": options, "closed": closed}

    def statuses(self) -> list[Ink]:
        """Return how each status that has a span is drawn, by colour."""
        if "status" not in self._field_ids:
            return []
        own = np.array(
            [one == "status" for one in self._field_ids] + [False] * self.n_bare
        )
        rows = self.rows
        some = np.flatnonzero(~rows.is_mark & own[rows.lane] & ~rows.is_bare)
        names = dict(zip(rows.value[some], self.tints[some].tolist(), strict=True))
        places = self._known("status")["options"]
        return [
            Ink(str(name), TINTS[names[name]], "o", "")
            for name in sorted(names, key=lambda one: (names[one], places.get(one, 0)))
        ]

    def as_of(self, tz: dt.tzinfo) -> list[str]:
        """Say when the case was read."""
        return [] if self.told_at is None else [f"as of {moment(self.told_at, tz)}"]

    def old(self) -> tuple[Numbers, Numbers]:
        """Return the kinds and values that changes replaced, a place for each row."""
        rows, n = self.rows, len(self.rows.lane)
        kind, value = (np.full(n, None, dtype=object) for _ in range(2))
        some = rows.change >= 0
        before = self.changes.iloc[rows.change[some]]
        kind[some] = before["old_kind"].to_numpy(dtype=object)
        value[some] = self._called(before, "old")
        return kind, value

    def frame(self) -> pd.DataFrame:
        """Return the rows as a frame, lanes top to bottom."""
        rows = self.rows
        names = np.array([*self.names, ""], dtype=object)
        frame = like(
            self.changes,
            {
                "lane": names[rows.lane],
                "what": np.where(rows.is_mark, "mark", "span"),
                **{name: getattr(rows, name) for name in _SHOWN},
            },
        )
        for name in ("start_at", "end_at"):
            frame[name] = frame[name].dt.tz_localize("UTC")
        text = ("lane", "what", "kind", "value", "event_id", "actor_kind")
        return frame.astype(dict.fromkeys(text, TEXT_TYPE)).iloc[
            np.lexsort((rows.is_mark, rows.lane))
        ]


def lanes_of(
    history: History[Any] | IntoFrame,
    *,
    events: IntoFrame | None,
    as_of: dt.datetime | None,
    fields: Sequence[str] | None,
    top: int,
) -> Lanes:
    """Return the lanes of a history, or of its changes alone."""
    changes, told = to_pandas(history, CHANGES), None
    if events is not None or is_history(history):
        told = to_pandas(beside(history, events, EVENTS), EVENTS)
    asked = None if fields is None else _asked(changes, as_ids(fields))
    return Lanes(changes, told, asked, top, as_of_of(history, as_of))


def _asked(changes: pd.DataFrame, fields: Sequence[str]) -> list[str]:
    """Return the ids of fields and the names of items' lanes that are asked for."""
    of_item = [name for name in fields if name.endswith(_ITEMS)]
    found = field_ids_of(changes, [name for name in fields if name not in of_item])
    ids = dict(zip([n for n in fields if n not in of_item], found, strict=True))
    return [ids.get(name, name) for name in fields]


def _beside(names: Sequence[str], code: Numbers, lane: Numbers) -> dict[str, set[str]]:
    """Return which values each value is drawn next to, on any lane."""
    is_next = (lane[1:] == lane[:-1]) & (code[1:] != code[:-1])
    pairs = np.stack([code[:-1][is_next], code[1:][is_next]], axis=1)
    beside: dict[str, set[str]] = {}
    for one, other in np.unique(pairs, axis=0).tolist():
        beside.setdefault(names[one], set()).add(names[other])
        beside.setdefault(names[other], set()).add(names[one])
    return beside


class _Chains:
    """The case and field of each change, as a number of the pairs there are."""

    def __init__(self, of_case: pd.DataFrame) -> None:
        case, cases = factorized(of_case["case_id"])
        field, fields = factorized(of_case["field_id"])
        found, first, self._number, n = np.unique(
            case * max(len(fields), 1) + field,
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        wide = max(len(fields), 1)
        self._pairs = [(cases[one // wide], fields[one % wide]) for one in found]
        order = np.argsort(first)
        self.counts = {self._pairs[i]: int(n[i]) for i in order}

    def lanes(self, place: Mapping[Chain, int]) -> Numbers:
        """Return the lane of each change."""
        lanes = np.array([place[pair] for pair in self._pairs], dtype=int)
        numbers: Numbers = lanes[self._number]
        return numbers


class _Called:
    """What values are called in a picture, each looked up once."""

    def __init__(self, of_case: pd.DataFrame) -> None:
        labels = value_names(of_case)
        there: dict[str, dict[str, None]] = {}
        for column in ("old", "new"):
            once = of_case.drop_duplicates(["field_id", column])
            once = once[once[column].notna()]
            for field_id, text in zip(once["field_id"], once[column], strict=True):
                there.setdefault(field_id, {})[str(text)] = None
        self._names: dict[tuple[str, str], str] = {}
        for field_id, texts in there.items():
            values = [("", text) for text in texts]
            names = names_of(labels, field_id, values)
            self._names |= {(field_id, str(text)): n for (_, text), n in names.items()}

    def __call__(self, rows: pd.DataFrame, column: str) -> Numbers:
        field, fields = factorized(rows["field_id"])
        value, values = factorized(rows[column])
        wide = max(len(values), 1)
        pairs, place = np.unique(field * wide + value, return_inverse=True)
        names = np.empty(len(pairs), dtype=object)
        for i, pair in enumerate(pairs):
            found = values[pair % wide]
            if not is_missing(found):
                names[i] = self._names[fields[pair // wide], str(found)]
        called: Numbers = names[place]
        return called


def is_of_item(changes: pd.DataFrame) -> Numbers:
    """Return which changes are of an item related to their case."""
    code, types = factorized(changes["event_type"])
    of_item = [str(kind).startswith("RelatedItem") for kind in types]
    return np.array([*of_item, False], dtype=bool)[code]


def _spans(
    of_case: pd.DataFrame,
    chains: _Chains,
    place: Mapping[Chain, int],
    n_kept: int,
    called: _Called,
    as_of: dt.datetime | None,
) -> Rows:
    """Return the spans of the fields that have a lane of their own."""
    found = spells(of_case, as_of=as_of)
    lane = _Chains(found).lanes(place)
    rows = Rows(
        lane,
        np.zeros(len(lane), dtype=bool),
        found["kind"].to_numpy(dtype=object),
        called(found, "value"),
        plain_times(found["start_at"]),
        plain_times(found["end_at"]),
        found["is_known"].to_numpy(dtype=bool),
        found["is_open"].to_numpy(dtype=bool),
        found["event_id"].to_numpy(dtype=object),
        _actor_kinds(found, of_case),
        found["case_id"].to_numpy(dtype=object),
        np.full(len(lane), -1),
    )
    own = lane < n_kept
    return Rows(*(getattr(rows, name)[own] for name in Rows.__slots__))


def _actor_kinds(found: pd.DataFrame, of_case: pd.DataFrame) -> Numbers:
    """Return the kind of actor whose event began each spell."""
    told, events = (
        [*zip(frame["case_id"].tolist(), frame["event_id"].tolist(), strict=True)]
        for frame in (found, of_case)
    )
    kinds = dict(zip(events, of_case["actor_kind"].tolist(), strict=True))
    began = np.empty(len(told), dtype=object)
    began[:] = [kinds.get(event) for event in told]
    return began


def _marks(
    rows: pd.DataFrame,
    lanes: Numbers | int,
    called: _Called | None,
    change: Numbers | int = -1,
) -> Rows:
    """Return a mark for each change; without names for each event of an item."""
    n = len(rows)
    if called is None:
        kind, value = np.full(n, None), rows["event_type"].to_numpy(dtype=object)
    else:
        kind, value = rows["new_kind"].to_numpy(dtype=object), called(rows, "new")
    at = plain_times(rows["performed_at"])
    return Rows(
        np.full(n, lanes, dtype=int),
        np.ones(n, dtype=bool),
        kind,
        value,
        at,
        at,
        np.ones(n, dtype=bool),
        np.zeros(n, dtype=bool),
        rows["event_id"].to_numpy(dtype=object),
        rows["actor_kind"].to_numpy(dtype=object),
        rows["case_id"].to_numpy(dtype=object),
        np.full(n, change, dtype=int),
    )


def _items(of_item: pd.DataFrame, events: pd.DataFrame | None) -> dict[str, Any]:
    """Each lane of related items and the events or changes on it."""
    if events is None:
        once = of_item.drop_duplicates(["case_id", "event_id"])
        return {RELATED: once} if len(once) else {}
    about = events[events["related_item_type"].notna()]
    kinds = about["related_item_type"].astype(TEXT_TYPE)
    return {
        f"{name} items" if name != "Sla" else "SLAs": about[kinds == name]
        for name in kinds.unique()
    }


def _lane_names(
    chains: Mapping[Chain, int], called: Mapping[str, str]
) -> dict[Chain, str]:
    """Name the lane of each case and field."""
    several = len({case_id for case_id, _ in chains}) > 1
    names: dict[Chain, str] = {}
    taken: set[str] = set()
    for case_id, field_id in chains:
        text = called[field_id]
        if several:
            text = f"{text} · {tail(case_id)}"
        if text in taken:  # two fields may bear one name, two ids one beginning
            text = f"{text} ({field_id})"
        taken.add(text)
        names[case_id, field_id] = text
    return names


def _ordered(
    counts: Mapping[Chain, int],
    names: Mapping[Chain, str],
    fields: Sequence[str] | None,
    room: int,
) -> tuple[list[Chain], list[Chain]]:
    """Split cases and fields into those with a lane of their own and the rest."""
    place = {name: i for i, name in enumerate(fields if fields is not None else FIRST)}
    after = {name: i for i, name in enumerate(LAST, len(place) + 1)}

    def rank(key: Chain) -> tuple[Any, ...]:
        where = place.get(key[1], after.get(key[1], len(place)))
        return where, -counts[key], names[key]

    ranked = sorted(names, key=rank)
    if len(ranked) <= room:
        return ranked, []
    keep = max(room - 1, 0)
    return ranked[:keep], ranked[keep:]
