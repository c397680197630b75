"""The picture of a case: what each field held when, and who changed it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import PolyCollection

from casesnb.analysis.spells import spells
from casesnb.analysis.timezones import zone
from casesnb.tables.arguments import as_ids
from casesnb.tables.field_chain import field_ids_of
from casesnb.tables.frames import as_of_of, beside, is_history, to_pandas
from casesnb.tables.schema import CHANGES, EVENTS
from casesnb.view.plots.axis import (
    day_numbers,
    moment,
    plain_times,
    span,
    time_axis,
)
from casesnb.view.plots.labels import drawable, literal
from casesnb.view.plots.style import (
    GRID,
    INK,
    KINDS,
    OTHER,
    QUIET,
    UNKNOWN,
    Drawing,
    boxes,
    finish,
    legend,
    like,
    nothing,
    page,
)
from casesnb.view.text import shortened
from casesnb.view.wording import (
    counted,
    field_names,
    hours_text,
    is_missing,
    standing,
    tail,
    value_name,
    value_names,
    whose,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from narwhals.typing import IntoFrame

    from casesnb.tables.history import History

    Numbers = np.ndarray[Any, Any]

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

_TINTS = ("#d3e2f3", "#f3e6c4", "#cfe6dc", "#e7d5e3", "#dadfe4", "#b9cfe8")
_DENSE = "#93a9c2"
_EMPTY = "#ffffff"
_EMPTY_WORD = "empty"
_NOT_TOLD = "not told"
_PATCH = {"facecolor": UNKNOWN, "edgecolor": "none", "pad": 1.5}
_HALF = 0.33  # of a lane's height: the bar's half
_LABELS = 120  # the most spans that are labelled
_TAIL = 0.22  # how much of the picture may go to what just goes on


def plot_changes(
    history: History[Any] | IntoFrame,
    /,
    *,
    events: IntoFrame | None = None,
    ax: Axes | None = None,
    as_of: dt.datetime | None = None,
    fields: Sequence[str] | None = None,
    top: int = 14,
    tz: str | dt.tzinfo = "UTC",
    relative: bool = False,
) -> Axes:
    """Draw a case as lanes: what each field held, from when to when, who set it.

    A lane per field; in it a span per value, with the value written in where
    there is room, and on its edge a mark per change, its colour and shape
    telling what kind of actor made it. What the history does not tell is
    hatched. A span that still held when the case was read has an arrowhead.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of any engine; names
        are used where `with_names` added them.
    events : DataFrame, optional
        Beside changes alone, ``schema.EVENTS`` of the same case: comments,
        contacts, files and SLAs then have a lane each. Without it they share one.
    ax : Axes, optional
        Where to draw; a fresh figure otherwise.
    as_of : datetime, optional
        The moment up to which to draw, with its zone; by default up to when the
        history was read, or to the newest change of a frame.
    fields : sequence of str, optional
        The ``field_id`` of each lane, in order; all otherwise. The footer names
        those that never changed.
    top : int, default 14
        The most lanes; further fields share the lane "other (n)".
    tz : str or tzinfo, default "UTC"
        The zone of the time axis.
    relative : bool, default False
        Count hours or days from the first change.

    Returns
    -------
    Axes
        With the spans and marks as `plot_data` and in words as `plot_text`.

    Raises
    ------
    TypeError
        If `fields` is one text.
    ValueError
        If there is no such time zone, or `top` is below 1.
    """
    changes, as_of = to_pandas(history, CHANGES), as_of_of(history, as_of)
    told = None
    if events is not None or is_history(history):
        told = to_pandas(beside(history, events, EVENTS), EVENTS)
    zone_ = zone(tz)
    if top < 1:
        raise ValueError(f"top={top} leaves nothing to draw. Give 1 or more.")
    asked = None if fields is None else _asked(changes, as_ids(fields))
    lanes = _Lanes(changes, told, asked, top, as_of)
    absent = [f"no change of {', '.join(lanes.absent)}"] if lanes.absent else []
    n = max(len(lanes.names), 1)
    ax = page(
        ax,
        height=1.35 + 0.44 * n,
        left=0.35 + 0.078 * max((min(len(x), 26) for x in lanes.names), default=4),
        top=0.62,
        bottom=0.73,
    )
    title = f"What changed in {whose(changes, 'this case')}"
    if not lanes.names:
        nothing(ax, "No change in this history.")
        footer = " · ".join(["0 changes", *absent, standing(history)])
        return finish(ax, Drawing(title, lanes.frame, lambda: (), footer))

    rows = lanes.rows
    first, last = np.nanmin(rows.left), np.nanmax(rows.left)
    end = max(last, float(np.nanmax(rows.right)))
    width = max(last - first, min(end - first, 1 / 24), 1 / 1440)
    # A case may have been read long after its last change: that stretch is cut.
    low, high = first - 0.02 * width, min(max(end, last), last + _TAIL * width)
    left = np.where(np.isnan(rows.left), low, rows.left)
    right = np.where(np.isnan(rows.right), high, np.minimum(rows.right, high))
    if relative:
        unit, name = (24, "hours") if width < 3 else (1, "days")
        left, right, low, high = ((v - first) * unit for v in (left, right, low, high))
        ax.set_xlabel(f"{name} since the first change", color=QUIET, fontsize=9)
        ax.grid(axis="x", color=GRID, linewidth=0.8)
    else:
        time_axis(ax, zone_)
    room = 0.02 * (high - low)
    ax.set_xlim(low, high + room)
    ax.set_ylim(n - 0.45, -0.6)
    ax.set_yticks(range(n), [drawable(shortened(name, 26)) for name in lanes.names])
    literal(ax.get_yticklabels())
    pixel = (high - low) / ax.bbox.width
    bare = np.arange(n - lanes.n_bare, n)
    ax.hlines(bare, low, high, color=GRID, linewidth=0.8, zorder=1)
    _draw_spans(ax, rows, left, right, pixel, high, room)
    kinds = _draw_marks(ax, rows, left, pixel)
    legend(ax, [KINDS[kind] for kind in KINDS if kind in kinds])
    footer = " · ".join(
        [
            f"{counted(int(rows.is_mark.sum()), 'change')} in {counted(n, 'lane')}",
            span(first, last, zone_),
            *lanes.as_of(zone_),
            *absent,
            standing(history),
        ]
    )
    below = 46.0 if relative else 34.0
    drawing = Drawing(title, lanes.frame, lanes.lines, footer)
    return finish(ax, drawing, below=below)


def _asked(changes: pd.DataFrame, fields: Sequence[str]) -> list[str]:
    """Return the ids of fields and the names of items' lanes that are asked for."""
    of_item = [name for name in fields if name.endswith(_ITEMS)]
    found = field_ids_of(changes, [name for name in fields if name not in of_item])
    ids = dict(zip([n for n in fields if n not in of_item], found, strict=True))
    return [ids.get(name, name) for name in fields]


@dataclass(frozen=True, slots=True)
class _Rows:
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

    @property
    def left(self) -> Numbers:
        return day_numbers(self.start_at)

    @property
    def right(self) -> Numbers:
        return day_numbers(self.end_at)

    @property
    def is_bare(self) -> Numbers:
        return np.array([is_missing(value) for value in self.value], dtype=bool)


class _Lanes:
    """The lanes of a case, top to bottom, and the spans and marks on them."""

    def __init__(
        self,
        changes: pd.DataFrame,
        events: pd.DataFrame | None,
        fields: Sequence[str] | None,
        top: int,
        as_of: dt.datetime | None,
    ) -> None:
        self._changes = changes
        self._as_of = as_of
        types = changes["event_type"].astype(object)
        of_item = np.array(
            [str(kind).startswith("RelatedItem") for kind in types], bool
        )
        of_case = changes[~of_item]
        if fields is not None:
            of_case = of_case[of_case["field_id"].isin(list(fields))]
        # Of all changes: the fields that are drawn may have ended before.
        newest = changes["performed_at"].max() if len(changes) else None
        until = as_of or newest
        items = _items(changes[of_item], events)
        if fields is not None:
            items = {name: rows for name, rows in items.items() if name in fields}
        there = {*of_case["field_id"], *items}
        self.absent = [name for name in fields or () if name not in there]
        case = of_case["case_id"].to_numpy(dtype=object)
        field = of_case["field_id"].to_numpy(dtype=object)
        keys = list(zip(case, field, strict=True))
        names = _lane_names(keys, field_names(of_case))
        kept, rest = _ordered(keys, names, fields, max(top - len(items), 1))
        self.n_bare = len(items) + bool(rest)
        self.names = [names[key] for key in kept]
        if rest:
            self.names.append(f"{OTHER} ({len(rest)})")
        self.names += items
        place = {key: i for i, key in enumerate(kept)}
        place |= dict.fromkeys(rest, len(kept))
        called = _Called(of_case)
        # Of the fields that share a lane only the marks are drawn.
        parts = [
            _spans(of_case, until, place, len(kept), keys, called),
            _marks(of_case, [place[key] for key in keys], called),
            *(
                _marks(rows, [len(self.names) - len(items) + i] * len(rows), None)
                for i, rows in enumerate(items.values())
            ),
        ]
        self.rows = _Rows(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in _Rows.__slots__
            )
        )

    def as_of(self, tz: dt.tzinfo) -> list[str]:
        """Say when the case was read."""
        return [] if self._as_of is None else [f"as of {moment(self._as_of, tz)}"]

    def frame(self) -> pd.DataFrame:
        """Return the rows as a frame, lanes top to bottom."""
        rows = self.rows
        frame = like(
            self._changes,
            {
                "lane": [self.names[i] for i in rows.lane],
                "what": np.where(rows.is_mark, "mark", "span"),
                **{name: getattr(rows, name) for name in _Rows.__slots__[2:]},
            },
        )
        for name in ("start_at", "end_at"):
            frame[name] = frame[name].dt.tz_localize("UTC")
        text = ("lane", "what", "kind", "value", "event_id", "actor_kind")
        order = np.lexsort((rows.is_mark, rows.lane))
        return frame.astype(dict.fromkeys(text, "str")).iloc[order]

    def lines(self) -> list[str]:
        """Say what is on each lane."""
        frame = self.frame()
        marks = frame[frame["what"] == "mark"]
        return [*_lane_lines(frame, self.names), _by_kind(marks)]


class _Called:
    """What values are called in a picture, each looked up once."""

    def __init__(self, of_case: pd.DataFrame) -> None:
        self._names = value_names(of_case)
        self._known: dict[tuple[str, Any], Any] = {}

    def __call__(self, fields: Numbers, values: Numbers) -> Numbers:
        return np.array([*map(self._call, fields, values)], dtype=object)

    def _call(self, field_id: str, value: Any) -> Any:
        if is_missing(value):
            return None
        key = field_id, value
        if key not in self._known:
            self._known[key] = value_name(self._names, field_id, value)
        return self._known[key]


def _spans(
    of_case: pd.DataFrame,
    as_of: dt.datetime | None,
    place: Mapping[tuple[str, str], int],
    n_kept: int,
    keys: Sequence[tuple[str, str]],
    called: _Called,
) -> _Rows:
    """Return the spans of the fields that have a lane of their own."""
    found = spells(of_case, as_of=as_of)
    column = {name: found[name].to_numpy(dtype=object) for name in _SPANS}
    lane = np.array(
        [place[key] for key in zip(column["case_id"], column["field_id"], strict=True)],
        dtype=int,
    )
    cases = (case_id for case_id, _ in keys)
    events = zip(cases, of_case["event_id"].to_numpy(dtype=object), strict=True)
    actors: Any = of_case["actor_kind"].to_numpy(dtype=object)
    kinds = dict(zip(events, actors, strict=True))
    began = zip(column["case_id"], column["event_id"], strict=True)
    rows = _Rows(
        lane,
        np.zeros(len(lane), dtype=bool),
        column["kind"],
        called(column["field_id"], column["value"]),
        plain_times(found["start_at"]),
        plain_times(found["end_at"]),
        found["is_known"].to_numpy(dtype=bool),
        found["is_open"].to_numpy(dtype=bool),
        column["event_id"],
        np.array([kinds.get(event) for event in began], dtype=object),
    )
    own = lane < n_kept
    return _Rows(*(getattr(rows, name)[own] for name in _Rows.__slots__))


_SPANS = ("case_id", "field_id", "kind", "value", "event_id")


def _marks(rows: pd.DataFrame, lanes: Sequence[int], called: _Called | None) -> _Rows:
    """Return a mark for each change; without names for each event of an item."""
    n = len(rows)
    if called is None:
        kind, value = np.full(n, None), rows["event_type"].to_numpy(dtype=object)
    else:
        kind = rows["new_kind"].to_numpy(dtype=object)
        field = rows["field_id"].to_numpy(dtype=object)
        value = called(field, rows["new"].to_numpy(dtype=object))
    at = plain_times(rows["performed_at"])
    return _Rows(
        np.array(lanes, dtype=int),
        np.ones(n, dtype=bool),
        kind,
        value,
        at,
        at,
        np.ones(n, dtype=bool),
        np.zeros(n, dtype=bool),
        rows["event_id"].to_numpy(dtype=object),
        rows["actor_kind"].to_numpy(dtype=object),
    )


def _items(of_item: pd.DataFrame, events: pd.DataFrame | None) -> dict[str, Any]:
    """Each lane of related items and the events or changes on it."""
    if events is None:
        once = of_item.drop_duplicates(["case_id", "event_id"])
        return {RELATED: once} if len(once) else {}
    about = events[events["related_item_type"].notna()]
    kinds = about["related_item_type"].astype("str")
    return {
        f"{name} items" if name != "Sla" else "SLAs": about[kinds == name]
        for name in kinds.unique()
    }


def _lane_names(
    keys: Sequence[tuple[str, str]], called: Mapping[str, str]
) -> dict[tuple[str, str], str]:
    """Name the lane of each case and field."""
    several = len({case_id for case_id, _ in keys}) > 1
    names: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    for case_id, field_id in dict.fromkeys(keys):
        text = called[field_id]
        if several:
            text = f"{text} · {tail(case_id)}"
        if text in taken:  # two fields may bear one name, two ids one beginning
            text = f"{text} ({field_id})"
        taken.add(text)
        names[case_id, field_id] = text
    return names


def _ordered(
    keys: Sequence[tuple[str, str]],
    names: Mapping[tuple[str, str], str],
    fields: Sequence[str] | None,
    room: int,
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Split cases and fields into those with a lane of their own and the rest."""
    counts = Counter(keys)
    place = {name: i for i, name in enumerate(fields if fields is not None else FIRST)}
    after = {name: i for i, name in enumerate(LAST, len(place) + 1)}

    def rank(key: tuple[str, str]) -> tuple[Any, ...]:
        where = place.get(key[1], after.get(key[1], len(place)))
        return where, -counts[key], names[key]

    ranked = sorted(names, key=rank)
    if len(ranked) <= room:
        return ranked, []
    keep = max(room - 1, 0)
    return ranked[:keep], ranked[keep:]


def _draw_spans(
    ax: Axes,
    rows: _Rows,
    left: Numbers,
    right: Numbers,
    pixel: float,
    high: float,
    room: float,
) -> None:
    y, is_span, empty = rows.lane, ~rows.is_mark, rows.is_bare
    # A value has one tint wherever it comes back in its lane.
    tint = np.zeros(len(y), dtype=int)
    seen: dict[int, dict[Any, int]] = {}
    for row in np.flatnonzero(is_span):
        of_lane = seen.setdefault(y[row], {})
        tint[row] = of_lane.setdefault(rows.value[row], len(of_lane)) % len(_TINTS)
    narrow = is_span & (right - left < pixel)
    shown = is_span & ~narrow
    groups: list[tuple[Numbers, dict[str, Any]]] = [
        (shown & rows.is_known & ~empty & (tint == i), {"facecolor": colour})
        for i, colour in enumerate(_TINTS)
    ]
    bare = {"facecolor": _EMPTY, "edgecolor": GRID}
    groups.append((shown & rows.is_known & empty, bare))
    hatched = {"facecolor": UNKNOWN, "edgecolor": "#b4bec7", "hatch": "////"}
    groups.append((shown & ~rows.is_known, hatched))
    # What is narrower than a pixel is drawn once a pixel, however many there are.
    cells = np.stack([y[narrow], np.floor(left[narrow] / pixel)], axis=1)
    once = np.flatnonzero(narrow)[np.unique(cells, axis=0, return_index=True)[1]]
    dense = np.zeros(len(y), dtype=bool)
    dense[once] = True
    groups.append((dense, {"facecolor": _DENSE}))
    crowded = int(shown.sum() + dense.sum()) > 1_000
    for some, style in groups:
        if some.any():
            boxes(
                ax,
                left[some],
                np.maximum(right[some], left[some] + pixel),
                y[some] - _HALF,
                y[some] + _HALF,
                **{"linewidth": 0.0 if crowded else 0.8, "edgecolor": "white", **style},
                # A vector file of ten thousand boxes would be megabytes.
                rasterized=crowded,
                zorder=2,
            )
    ends = np.flatnonzero(is_span & rows.is_open)
    # From a little inside the box, so that no edge shows between the two.
    across = high + room * np.array([-0.1, 0, 0.8, 0, -0.1])
    down = y[ends, None] + _HALF * np.array([-1, -1, 0, 1, 1])
    corners: Any = np.stack([np.broadcast_to(across, down.shape), down], axis=2)
    heads = PolyCollection(
        corners,
        facecolors=[_EMPTY if empty[i] else _TINTS[tint[i]] for i in ends],
        edgecolors=[GRID if empty[i] else "none" for i in ends],
        zorder=3,
    )
    ax.add_collection(heads, autolim=False)
    words = rows.value.copy()
    words[empty] = np.where(rows.kind[empty] == "empty", _EMPTY_WORD, _NOT_TOLD)
    _write_values(ax, words, left, right, y, shown, pixel, rows.is_known, empty)


def _write_values(
    ax: Axes,
    words: Numbers,
    left: Numbers,
    right: Numbers,
    y: Numbers,
    shown: Numbers,
    pixel: float,
    known: Numbers,
    missing: Numbers,
) -> None:
    scale = ax.figure.dpi / 72
    size = 8.5
    letter = 0.56 * size * scale  # what a letter takes on average, in pixels
    room = (right - left) / pixel - 9 * scale
    rows = np.flatnonzero(shown & (room > 3 * letter))
    rows = rows[np.argsort(-room[rows], kind="stable")[:_LABELS]]
    for row in rows:
        n_letters = int(room[row] / letter)
        label = shortened(str(words[row]), n_letters)
        if label.endswith("…") and n_letters < 5:
            continue
        ax.text(
            left[row] + 6 * scale * pixel,
            y[row] + 0.03,
            drawable(label),
            fontsize=size,
            color=QUIET if missing[row] else INK,
            style="italic" if missing[row] else "normal",
            va="center",
            clip_on=True,
            parse_math=False,
            zorder=4,
            bbox=None if known[row] else _PATCH,  # words on a hatch need a ground
        )


def _draw_marks(ax: Axes, rows: _Rows, left: Numbers, pixel: float) -> set[str]:
    kinds = np.array([x if x in KINDS else "unknown" for x in rows.actor_kind], object)
    # On a lane of spans a mark sits on the upper edge; otherwise in the middle.
    edge = np.isin(rows.lane, rows.lane[~rows.is_mark])
    for kind, ink in KINDS.items():
        some = np.flatnonzero(rows.is_mark & (kinds == kind))
        place = np.stack([np.round(left[some] / pixel), rows.lane[some]], axis=1)
        once = some[np.unique(place, axis=0, return_index=True)[1]]
        crowded = len(once) > 1_000
        ax.plot(
            left[once],
            rows.lane[once] - np.where(edge[once], _HALF, 0),
            linestyle="",
            marker=ink.marker,
            color=ink.colour,
            markeredgecolor="white",
            markeredgewidth=0.0 if crowded else 0.7,
            markersize=4 if crowded else 7,
            rasterized=crowded,
            clip_on=False,
            zorder=5,
        )
    return set(kinds[rows.is_mark])


def _lane_lines(frame: pd.DataFrame, names: Sequence[str], most: int = 8) -> list[str]:
    lines = []
    for name in names:
        rows = frame[frame["lane"] == name]
        spans = rows[rows["what"] == "span"]
        if spans.empty:
            lines.append(f"{shortened(name, 40)}: {counted(len(rows), 'mark')}")
            continue
        spans = spans[["kind", "value", "start_at", "end_at", "is_known", "is_open"]]
        held = [_span_text(*span) for span in spans.itertuples(index=False)]
        more = len(held) - most
        if more > 1:  # how it began and how it stands
            held[most // 2 : most // 2 + more] = [f"… {more:,} more …"]
        lines.append(f"{shortened(name, 40)}: {' → '.join(held)}")
    return lines


def _span_text(
    kind: Any, value: Any, start: Any, end: Any, known: bool, is_open: bool
) -> str:
    if is_missing(value):
        text = _EMPTY_WORD if kind == "empty" else _NOT_TOLD
    else:
        text = shortened(str(value), 40)
    if is_missing(start):
        return f"{text} (since when is not known)"
    unsure = "" if known else " or less"  # something is missing before its end
    hours = hours_text((end - start).total_seconds() / 3600)
    return f"{text} {hours}{unsure}{' and on' if is_open else ''}"


def _by_kind(marks: pd.DataFrame) -> str:
    counts = marks["actor_kind"].value_counts()
    parts = [
        f"{ink.label} {counts[kind]:,}"
        for kind, ink in KINDS.items()
        if counts.get(kind)
    ]
    return f"changed by: {', '.join(parts)}"
