"""What the timeline's script reads: typed arrays behind an index in JSON.

Spans and marks are columns, sorted by lane and time; texts are stored once each, and
every event of the case has a place that spans and marks refer to.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from casesnb.analysis.timezones import offsets
from casesnb.view.plots.axis import plain_times
from casesnb.view.plots.colours import TINTS
from casesnb.view.plots.lanes import DENSE, EMPTY
from casesnb.view.plots.style import GRID, INK, KINDS, QUIET, UNKNOWN, factorized, like
from casesnb.view.plots.values import EMPTY_WORD, NOT_TOLD
from casesnb.view.wording import actor_names, tail, whose

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from casesnb.tables.notes import Note
    from casesnb.view.plots.lanes import Lanes

    Numbers = np.ndarray[Any, Any]

EVERY_LANE = sys.maxsize
"""As `top` of `lanes_of`: the timeline folds and hides lanes itself."""

DAY = 86_400e6  # in microseconds, which the script counts in

ORDERS = {
    "time": "by its time",
    "creation": "the creation comes first",
    "chain": "by the values before and after",
    "page": "as the service gave it, not certain",
    "known": "known",
    "undecided": "not decided among events of the same instant",
}
"""How an event's place among the others was decided, in words."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_BARE = (EMPTY_WORD, NOT_TOLD)  # what is written where there is no value
_KINDS = [*KINDS]
_ORDERS = [*ORDERS]


class Arrays:
    """The lanes of a case as arrays, and which event has which place in them."""

    def __init__(
        self,
        lanes: Lanes,
        standing: str,
        tz: dt.tzinfo,
    ) -> None:
        self._arrays: list[Numbers] = []
        self._n_bytes = 0
        rows, changes = lanes.rows, lanes.changes
        given = [changes] if lanes.events is None else [lanes.events, changes]
        place = self._number_events(rows.case_id, rows.event_id, given)
        value, old, texts = _values(lanes)
        left = rows.start_at.astype("int64").astype("float64")
        left[np.isnat(rows.start_at)] = -np.inf
        right = rows.end_at.astype("int64").astype("float64")
        # Spans first in each lane, then marks, both by time.
        self.order = np.lexsort((left, rows.is_mark, rows.lane))
        is_mark = rows.is_mark[self.order]
        spans, marks = self.order[~is_mark], self.order[is_mark]
        some = [place[spans], value[spans]]
        head: dict[str, Any] = {
            "title": f"What changed in {whose(changes, 'this case')}",
            "standing": standing,
            "zone": str(tz),
            "asOf": lanes.told_at and micros(lanes.told_at),
            "kinds": [ink._asdict() for ink in KINDS.values()],
            "tints": TINTS,
            "colours": {
                "ink": INK,
                "quiet": QUIET,
                "grid": GRID,
                "unknown": UNKNOWN,
                "dense": DENSE,
                "empty": EMPTY,
            },
            "orders": [*ORDERS.values()],
            "lanes": self._lanes(lanes, rows.lane[spans], rows.lane[marks]),
            "spans": {
                "left": self._put(left[spans], "f8"),
                "right": self._put(right[spans], "f8"),
                "event": self._put(some[0], "i4"),
                "value": self._put(some[1], "i4"),
                "tint": self._put(lanes.tints[spans], "u1"),
                "flags": self._put(
                    rows.is_known[spans] + 2 * rows.is_open[spans], "u1"
                ),
            },
            "marks": {
                "at": self._put(left[marks], "f8"),
                "event": self._put(place[marks], "i4"),
                "value": self._put(value[marks], "i4"),
                "old": self._put(old[marks], "i4"),
            },
            "values": self._texts([*_BARE, *texts]),
            **self._events(given),
        }
        first, last, low, high = 0.0, 0.0, 0.0, DAY
        if len(rows.lane):
            first, last, low, high = (at * DAY for at in rows.extent()[:4])
        end = max(high, float(np.max(right, initial=high)))
        head |= {"first": first, "last": last, "low": low, "high": high, "end": end}
        # What is looked at may begin before the case and end after it.
        span = _moment(low - DAY), _moment(end + DAY)
        head["offsets"] = [
            [micros(since), offset // dt.timedelta(microseconds=1)]
            for since, offset in offsets(tz, *span)
        ]
        self.head = head

    def to_bytes(self, state: Any = None, notes: Sequence[Any] = ()) -> bytes:
        """Return the index and the arrays as the script reads them."""
        head = {**self.head, "state": state or {}, "notes": notes}
        index = json.dumps(head, ensure_ascii=False).encode("utf-8", "replace")
        index += b" " * (-(len(index) + 4) % 8)  # arrays begin at a multiple of 8
        parts = [len(index).to_bytes(4, "little"), index]
        for array in self._arrays:
            parts += [array.tobytes(), bytes(-array.nbytes % 8)]
        return b"".join(parts)

    def notes(self, notes: Iterable[Note]) -> list[dict[str, Any]]:
        """Return notes on these cases as the script reads them."""
        return [
            {
                "case": self._cases.index(note.case_id),
                "events": [
                    number
                    for event_id in note.event_ids
                    for number in self.numbers.get(event_id, ())
                    if self.case_ids[number] == note.case_id
                ],
                "span": None
                if note.start is None or note.end is None
                else [micros(note.start), micros(note.end)],
                "text": note.text,
                "by": f"{note.by}, {note.written_at:%Y-%m-%d %H:%M} UTC",
            }
            for note in notes
            if note.case_id in self._cases
        ]

    @cached_property
    def numbers(self) -> dict[Any, list[int]]:
        """The numbers of each event id, one for each case that has it."""
        found: dict[Any, list[int]] = {}
        for number, event_id in enumerate(self.event_ids):
            found.setdefault(event_id, []).append(number)
        return found

    # -------------------------------------------------------------- the arrays

    def _put(self, array: Numbers, kind: str) -> list[Any]:
        """Keep an array and return where the script finds it."""
        array = np.ascontiguousarray(array, dtype=f"<{kind}")
        found = [kind, self._n_bytes, len(array)]
        self._arrays.append(array)
        self._n_bytes += array.nbytes + -array.nbytes % 8
        return found

    def _texts(self, texts: Sequence[Any]) -> list[Any]:
        """Keep texts as UTF-8 with the place where each ends."""
        coded = [str(text).encode("utf-8", "replace") for text in texts]
        ends = np.cumsum([0, *map(len, coded)])
        whole = np.frombuffer(b"".join(coded), dtype="u1")
        return [self._put(ends, "i4"), self._put(whole, "u1")]

    # -------------------------------------------------------------- the events

    def _number_events(
        self, case_id: Numbers, event_id: Numbers, given: Sequence[pd.DataFrame]
    ) -> Numbers:
        """Return the number of each row's event, or -1, and number all there are."""
        frame = given[0]
        both = {"case_id": case_id, "event_id": event_id}
        for name, first in both.items():
            more = [each[name].to_numpy(dtype=object) for each in given]
            both[name] = np.concatenate([*more, first])
        case, cases = factorized(like(frame, both)["case_id"])
        event, ids = factorized(like(frame, both)["event_id"])
        wide = max(len(ids), 1)
        n_given = sum(map(len, given))
        known, self._at, number = np.unique(
            (case * wide + event)[:n_given], return_index=True, return_inverse=True
        )
        del number
        self.case_ids = np.array([*cases, None], dtype=object)[known // wide]
        self.event_ids = np.array([*ids, None], dtype=object)[known % wide]
        self._case = known // wide
        self._cases = cases
        wanted = (case * wide + event)[n_given:]
        place = np.searchsorted(known, wanted)
        found = np.append(known, -1)[place] == wanted
        return np.where(found, place, -1)

    def _events(self, given: Sequence[pd.DataFrame]) -> dict[str, Any]:
        """Return what is told of each event, and of each case."""
        column = {
            name: np.concatenate([each[name].to_numpy(dtype=object) for each in given])[
                self._at
            ]
            for name in ("event_type", "actor", "actor_kind", "sequence")
        }
        at = np.concatenate([plain_times(each["performed_at"]) for each in given])
        at = at[self._at].astype("int64").astype("float64")
        names: dict[Any, str] = {}
        for each in given:
            names |= actor_names(each)
        like_given = like(given[0], column)
        kind, kinds = factorized(like_given["event_type"])
        actor, actors = factorized(like_given["actor"])
        actors = [names.get(one, "") for one in actors]
        return {
            "events": {
                "at": self._put(at, "f8"),
                "case": self._put(self._case, "u2"),
                "type": self._put(kind, "u2"),
                "actor": self._put(actor, "i4"),
                "kind": self._put(_codes(like_given, "actor_kind", _KINDS), "u1"),
                "order": self._put(self._orders(given), "u1"),
                "sequence": self._put(column["sequence"].astype("int32"), "i4"),
            },
            "ids": self._texts(self.event_ids),
            "actors": self._texts(actors),
            "types": [str(one) for one in kinds],
            "cases": self._told_cases(at, column["event_type"] == "Case.Created"),
        }

    def _orders(self, given: Sequence[pd.DataFrame]) -> Numbers:
        """Return how each event's place was decided, as a number of `ORDERS`."""
        parts = []
        for each in given:
            if "order_by" in each:
                parts.append(_codes(each, "order_by", _ORDERS))
                continue
            is_known = each["is_order_known"].to_numpy(dtype=bool)
            known, undecided = _ORDERS.index("known"), _ORDERS.index("undecided")
            parts.append(np.where(is_known, known, undecided))
        orders: Numbers = np.concatenate(parts)[self._at]
        return orders

    def _told_cases(self, at: Numbers, is_created: Numbers) -> list[dict[str, Any]]:
        """Return each case's name and where its own time begins."""
        found: list[dict[str, Any]] = []
        for number, case_id in enumerate(self._cases):
            own = self._case == number
            created = own & is_created
            zero = at[created if created.any() else own]
            found.append(
                {
                    "id": str(case_id),
                    "name": tail(str(case_id)),
                    "zero": float(zero.min(initial=np.inf)) if len(zero) else 0.0,
                    "isCreated": bool(created.any()),
                }
            )
        return found

    def _lanes(
        self, lanes: Lanes, spans: Numbers, marks: Numbers
    ) -> list[dict[str, Any]]:
        """Return each lane's name, its case, and where its rows are."""
        number = {case_id: i for i, case_id in enumerate(self._cases)}
        n = np.arange(len(lanes.names) + 1)
        ends = np.searchsorted(spans, n), np.searchsorted(marks, n)
        return [
            {
                "name": name,
                "short": field,
                "case": -1 if case_id is None else number[case_id],
                "spans": [int(ends[0][i]), int(ends[0][i + 1])],
                "marks": [int(ends[1][i]), int(ends[1][i + 1])],
            }
            for i, (name, field, case_id) in enumerate(
                zip(lanes.names, lanes.fields, lanes.cases, strict=True)
            )
        ]


def micros(when: dt.datetime) -> int:
    """Return a moment as microseconds since 1970."""
    return (when - _EPOCH) // dt.timedelta(microseconds=1)


def _moment(at: float) -> dt.datetime:
    return _EPOCH + dt.timedelta(microseconds=at)


def _codes(frame: pd.DataFrame, column: str, names: Sequence[str]) -> Numbers:
    """Return a column as numbers of `names`; what is none of them is the last."""
    code, found = factorized(frame[column])
    number = {name: i for i, name in enumerate(names)}
    last = len(names) - 1
    return np.array([*(number.get(one, last) for one in found), last])[code]


def _values(lanes: Lanes) -> tuple[Numbers, Numbers, Sequence[Any]]:
    """Return each row's value, the one before it, and the texts they are numbers of."""
    rows, n = lanes.rows, len(lanes.rows.lane)
    old_kind, old_value = lanes.old()
    both = np.concatenate([rows.value, old_value])
    code, texts = factorized(like(lanes.changes, {"value": both})["value"])
    kind = np.concatenate([rows.kind, old_kind])
    is_bare = np.array([text is None for text in texts] or [True], dtype=bool)[code]
    codes = code + len(_BARE)
    codes[is_bare] = np.where(
        kind[is_bare] == "empty", _BARE.index(EMPTY_WORD), _BARE.index(NOT_TOLD)
    )
    old = codes[n:]
    old[is_bare[n:] & (old_kind != "empty")] = -1  # AWS told no value before
    return codes[:n], old, texts
