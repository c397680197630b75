"""Pictures of a case: what changed, and who was at work when."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.patches import Patch

from casesnb.analysis.actors import actor_activity
from casesnb.analysis.spells import spells
from casesnb.view.plot_page import (
    GRID,
    INK,
    KINDS,
    OTHER,
    QUIET,
    UNKNOWN,
    Drawing,
    boxes,
    count_axis,
    days,
    drawable,
    finish,
    legend,
    like,
    literal,
    moment,
    nothing,
    page,
    place_legend,
    series_inks,
    span,
    time_axis,
    top_or_other,
    zone,
)
from casesnb.view.text import shortened
from casesnb.view.wording import (
    actor_names,
    certificate_of,
    counted,
    field_names,
    hours_text,
    is_missing,
    standing,
    tail,
    value_name,
    value_names,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from casesnb.view.plot_page import Ink

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
    changes: pd.DataFrame,
    *,
    events: pd.DataFrame | None = None,
    ax: Axes | None = None,
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
    changes : DataFrame
        ``schema.CHANGES``; names are used where `with_names` added them.
    events : DataFrame, optional
        ``schema.EVENTS`` of the same case: comments, contacts, files and SLAs
        then have a lane each. Without it they share one.
    ax : Axes, optional
        Where to draw; a fresh figure otherwise.
    fields : sequence of str, optional
        The ``field_id`` of each lane, in order; all otherwise.
    top : int, default 14
        The most lanes; further fields share the lane "other (n)".
    tz : str or tzinfo, default "UTC"
        The zone of the time axis.
    relative : bool, default False
        Count hours or days from the first change.

    Returns
    -------
    Axes
        With the spans and marks as `drawn` and in words as `describe`.

    Raises
    ------
    ValueError
        If there is no such time zone, or `top` is below 1.
    """
    zone_ = zone(tz)
    if top < 1:
        raise ValueError(f"top={top} leaves nothing to draw. Give 1 or more.")
    lanes = _Lanes(changes, events, fields, top)
    n = max(len(lanes.names), 1)
    ax = page(
        ax,
        height=1.35 + 0.44 * n,
        left=0.35 + 0.078 * max((len(name) for name in lanes.names), default=4),
        top=0.62,
        bottom=0.73,
    )
    frame = lanes.frame
    title = f"What changed in {_whose(changes, 'this case')}"
    if not lanes.names:
        nothing(ax, "No change in this history.")
        footer = f"0 changes · {standing(changes)}"
        return finish(ax, Drawing(title, frame, (), footer))

    left, right = days(frame["start_at"]), days(frame["end_at"])
    is_mark = (frame["what"] == "mark").to_numpy(dtype=bool)
    first, last = np.nanmin(left), np.nanmax(left)
    end = max(last, float(np.nanmax(right)))
    width = max(last - first, (end - first) * 0.1, 1 / 1440)
    # A case may have been read long after its last change: that stretch is cut.
    low, high = first - 0.02 * width, min(max(end, last), last + _TAIL * width)
    left = np.where(np.isnan(left), low, left)
    right = np.where(np.isnan(right), high, right)
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
    y = frame["lane"].map({name: i for i, name in enumerate(lanes.names)})
    y_ = y.to_numpy(dtype=float)
    pixel = (high - low) / ax.bbox.width
    _draw_spans(
        ax, frame, left, np.minimum(right, high), y_, ~is_mark, pixel, high, room
    )
    bare = n - lanes.n_bare
    ax.hlines(np.arange(bare, n), low, high, color=GRID, linewidth=0.8, zorder=1)
    kinds = _draw_marks(ax, frame, left, y_, is_mark, pixel)
    legend(ax, [KINDS[kind] for kind in KINDS if kind in kinds])
    count = int(is_mark.sum())
    footer = " · ".join(
        [
            f"{counted(count, 'change')} in {counted(len(lanes.names), 'lane')}",
            span(first, last, zone_),
            *lanes.as_of(zone_),
            standing(changes),
        ]
    )
    lines = (*_lane_lines(frame, lanes.names), _by_kind(frame[is_mark]))
    below = 46.0 if relative else 34.0
    return finish(ax, Drawing(title, frame, lines, footer), below=below)


class _Lanes:
    """The lanes of a case, top to bottom, and the spans and marks on them."""

    def __init__(
        self,
        changes: pd.DataFrame,
        events: pd.DataFrame | None,
        fields: Sequence[str] | None,
        top: int,
    ) -> None:
        of_item = changes["event_type"].astype("str").str.startswith("RelatedItem")
        of_case = changes[~of_item.to_numpy(dtype=bool, na_value=False)]
        if fields is not None:
            of_case = of_case[of_case["field_id"].isin(list(fields))]
        certificate = certificate_of(changes)
        self._as_of = None if certificate is None else certificate.fetched_at
        found = spells(of_case, as_of=self._as_of)
        items = _items(changes[of_item.to_numpy(dtype=bool, na_value=False)], events)
        if fields is not None:
            items = {name: rows for name, rows in items.items() if name in fields}
        several = len(changes["case_id"].unique()) > 1
        names = _lane_names(of_case, several=several)
        room = max(top - len(items), 1)
        kept, rest = _ordered(of_case, names, fields, room)
        lane_of = {key: names[key] for key in kept}
        other = f"{OTHER} ({len(rest)})"
        lane_of |= dict.fromkeys(rest, other)
        self.n_bare = len(items) + bool(rest)
        self.names = [*dict.fromkeys(lane_of.values()), *items]
        self.frame = self._rows(changes, of_case, found, items, lane_of, other)

    def as_of(self, tz: dt.tzinfo) -> list[str]:
        """When the case was read, in words."""
        if self._as_of is None:
            return []
        return [f"as of {moment(self._as_of, tz)}"]

    def _rows(
        self,
        changes: pd.DataFrame,
        of_case: pd.DataFrame,
        found: pd.DataFrame,
        items: Mapping[str, pd.DataFrame],
        lane_of: Mapping[tuple[str, str], str],
        other: str,
    ) -> pd.DataFrame:
        labels = value_names(of_case)
        events = zip(of_case["case_id"], of_case["event_id"], strict=True)
        kinds: Any = dict(
            zip(events, of_case["actor_kind"].astype(object), strict=True)
        )
        columns: dict[str, list[Any]] = {name: [] for name in _FRAME}

        def add(rows: pd.DataFrame) -> None:
            for name, column in columns.items():
                column.extend(rows[name])

        keys = list(zip(found["case_id"], found["field_id"], strict=True))
        lanes = [lane_of[key] for key in keys]
        shown = [lane != other for lane in lanes]
        found_events = zip(found["case_id"], found["event_id"], strict=True)
        of_field = found.assign(
            lane=lanes,
            what="span",
            value=[
                _label(labels, field_id, value)
                for field_id, value in zip(
                    found["field_id"], found["value"], strict=True
                )
            ],
            actor_kind=[kinds.get(event) for event in found_events],
        )
        add(of_field[shown])
        for lane, rows in [*_by_lane(of_case, lane_of), *items.items()]:
            of_item = lane in items
            value = (
                [
                    _label(labels, field_id, value)
                    for field_id, value in zip(
                        rows["field_id"], rows["new"], strict=True
                    )
                ]
                if not of_item
                else rows["event_type"].astype(object)
            )
            add(
                rows.assign(
                    lane=lane,
                    what="mark",
                    kind=None if of_item else rows["new_kind"].astype(object),
                    value=list(value),
                    start_at=rows["performed_at"],
                    end_at=rows["performed_at"],
                    known=True,
                    is_open=False,
                    actor_kind=rows["actor_kind"].astype(object),
                )
            )
        frame = like(changes, columns)
        times = {"start_at": _UTC, "end_at": _UTC}
        text = dict.fromkeys(
            ("lane", "what", "kind", "value", "event_id", "actor_kind"), "str"
        )
        return frame.astype({**times, **text, "known": "bool", "is_open": "bool"})


_UTC = "datetime64[us, UTC]"
_FRAME = (
    "lane",
    "what",
    "kind",
    "value",
    "start_at",
    "end_at",
    "known",
    "is_open",
    "event_id",
    "actor_kind",
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


def _lane_names(of_case: pd.DataFrame, *, several: bool) -> dict[tuple[str, str], str]:
    """Name the lane of each case and field."""
    called = field_names(of_case)
    once = of_case.drop_duplicates(["case_id", "field_id"])
    names: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    for case_id, field_id in zip(once["case_id"], once["field_id"], strict=True):
        text = called[field_id]
        if several:
            text = f"{text} · {tail(case_id)}"
        if text in taken:  # two fields may bear one name, two ids one beginning
            text = f"{text} ({field_id})"
        taken.add(text)
        names[case_id, field_id] = text
    return names


def _ordered(
    of_case: pd.DataFrame,
    names: Mapping[tuple[str, str], str],
    fields: Sequence[str] | None,
    room: int,
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Split cases and fields into those with a lane of their own and the rest."""
    counts = of_case.groupby(["case_id", "field_id"], observed=True).size().to_dict()
    place = {name: i for i, name in enumerate(fields if fields is not None else FIRST)}
    after = {name: i for i, name in enumerate(LAST, len(place) + 1)}
    seen = {case_id: i for i, (case_id, _) in enumerate(names)}

    def rank(key: tuple[str, str]) -> tuple[Any, ...]:
        case_id, field_id = key
        where = place.get(field_id, after.get(field_id, len(place)))
        return where, -counts[key], names[key], seen[case_id]

    keys = sorted(names, key=rank)
    if len(keys) <= room:
        return keys, []
    keep = max(room - 1, 0)
    return keys[:keep], keys[keep:]


def _label(labels: Mapping[tuple[str, str], str], field_id: str, value: Any) -> Any:
    return None if is_missing(value) else value_name(labels, field_id, value)


def _by_lane(
    of_case: pd.DataFrame, lane_of: Mapping[tuple[str, str], str]
) -> list[tuple[str, pd.DataFrame]]:
    keys = zip(of_case["case_id"], of_case["field_id"], strict=True)
    lanes = of_case["event_id"].copy()
    lanes[:] = [lane_of[key] for key in keys]
    return [(lane, of_case[lanes == lane]) for lane in dict.fromkeys(lane_of.values())]


def _draw_spans(
    ax: Axes,
    frame: pd.DataFrame,
    left: Numbers,
    right: Numbers,
    y: Numbers,
    is_span: Numbers,
    pixel: float,
    high: float,
    room: float,
) -> None:
    value = frame["value"].where(frame["value"].notna(), None).astype(object)
    known = frame["known"].to_numpy(dtype=bool)
    empty = frame["value"].isna().to_numpy(dtype=bool)
    # A value has one tint wherever it comes back in its lane.
    tint = np.zeros(len(frame), dtype=int)
    for lane in np.unique(y[is_span]):
        here = is_span & (y == lane)
        tint[here] = value[here].factorize()[0] % len(_TINTS)
    narrow = is_span & (right - left < pixel)
    shown = is_span & ~narrow
    groups = [
        (shown & known & ~empty & (tint == i), {"facecolor": colour})
        for i, colour in enumerate(_TINTS)
    ]
    groups.append((shown & known & empty, {"facecolor": _EMPTY, "edgecolor": GRID}))
    hatched = {"facecolor": UNKNOWN, "edgecolor": "#b4bec7", "hatch": "////"}
    groups.append((shown & ~known, hatched))
    # What is narrower than a pixel is drawn once a pixel, however many there are.
    cells = np.stack([y[narrow], np.floor(left[narrow] / pixel)], axis=1)
    once = np.flatnonzero(narrow)[np.unique(cells, axis=0, return_index=True)[1]]
    dense = np.zeros(len(frame), dtype=bool)
    dense[once] = True
    groups.append((dense, {"facecolor": _DENSE}))
    crowded = int(shown.sum() + dense.sum()) > 1_000
    for rows, style in groups:
        if rows.any():
            boxes(
                ax,
                left[rows],
                np.maximum(right[rows], left[rows] + pixel),
                y[rows] - _HALF,
                y[rows] + _HALF,
                **{"linewidth": 0.8, "edgecolor": "white", **style},
                antialiased=not crowded,
                # A vector file of ten thousand boxes would be megabytes.
                rasterized=crowded,
                zorder=2,
            )
    _draw_open_ends(
        ax, is_span & frame["is_open"].to_numpy(dtype=bool), tint, empty, y, high, room
    )
    was_empty = (frame["kind"] == "empty").to_numpy(dtype=bool)
    words = np.array(value, dtype=object)
    words[empty] = np.where(was_empty, _EMPTY_WORD, _NOT_TOLD)[empty]
    _write_values(ax, words, left, right, y, shown, pixel, known, empty)


def _draw_open_ends(
    ax: Axes,
    is_open: Numbers,
    tint: Numbers,
    empty: Numbers,
    y: Numbers,
    high: float,
    room: float,
) -> None:
    for row in np.flatnonzero(is_open):
        ax.fill(
            # From a little inside the box, so that no edge shows between the two.
            [high - room * 0.1, high, high + room * 0.8, high, high - room * 0.1],
            y[row] + _HALF * np.array([-1, -1, 0, 1, 1]),
            facecolor=_EMPTY if empty[row] else _TINTS[tint[row]],
            edgecolor="none",
            zorder=3,
        )


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


def _draw_marks(
    ax: Axes,
    frame: pd.DataFrame,
    left: Numbers,
    y: Numbers,
    is_mark: Numbers,
    pixel: float,
) -> set[str]:
    kinds = frame["actor_kind"].where(frame["actor_kind"].isin(list(KINDS)), "unknown")
    spans = set(frame["lane"][frame["what"] == "span"])
    # On a lane of spans a mark sits on the upper edge; otherwise in the middle.
    edge = frame["lane"].isin(spans).to_numpy(dtype=bool)
    for kind, ink in KINDS.items():
        rows = is_mark & (kinds == kind).to_numpy(dtype=bool)
        if not rows.any():
            continue
        place = np.stack([np.round(left[rows] / pixel), y[rows]], axis=1)
        once = np.flatnonzero(rows)[np.unique(place, axis=0, return_index=True)[1]]
        crowded = len(once) > 1_000
        ax.plot(
            left[once],
            y[once] - np.where(edge[once], _HALF, 0),
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
    return set(kinds[is_mark])


def _whose(frame: pd.DataFrame, otherwise: str) -> str:
    """Name the case or cases of a frame."""
    n = frame["case_id"].nunique()
    if n == 1:
        return f"case {tail(str(frame['case_id'].iloc[0]))}"
    return f"{n:,} cases" if n else otherwise


def _lane_lines(frame: pd.DataFrame, names: Sequence[str], most: int = 8) -> list[str]:
    lines = []
    for name in names:
        rows = frame[frame["lane"] == name]
        spans = rows[rows["what"] == "span"]
        if spans.empty:
            lines.append(f"{shortened(name, 40)}: {counted(len(rows), 'mark')}")
            continue
        held = [
            _span_text(*row)
            for row in spans.head(most)[
                ["kind", "value", "start_at", "end_at", "known", "is_open"]
            ].itertuples(index=False)
        ]
        more = len(spans) - most
        tail_ = f" → … {more:,} more" if more > 0 else ""
        lines.append(f"{shortened(name, 40)}: {' → '.join(held)}{tail_}")
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


def plot_activity(
    events: pd.DataFrame,
    *,
    ax: Axes | None = None,
    by: Literal["actor_kind", "actor"] = "actor_kind",
    freq: str | None = None,
    top: int = 6,
    tz: str | dt.tzinfo = "UTC",
) -> Axes:
    """Draw how many events there were over time, stacked by who acted.

    Parameters
    ----------
    events : DataFrame
        ``schema.EVENTS``, of one case or a million.
    ax : Axes, optional
        Where to draw; a fresh figure otherwise.
    by : {"actor_kind", "actor"}, default "actor_kind"
        What the bars are made of.
    freq : str, optional
        How long a bar is, such as ``1h``, ``1d`` or ``1mo``; one that suits the
        span otherwise.
    top : int, default 6
        The most actors to tell apart; the rest become "other (n)".
    tz : str or tzinfo, default "UTC"
        The zone whose hours, days and months the bars are.

    Returns
    -------
    Axes
        With one row per bar and part as `drawn`.

    Raises
    ------
    ValueError
        If there is no such time zone, `by` is neither, or `top` is below 1.

    See Also
    --------
    casesnb.actor_activity : The numbers behind it.
    """
    if by not in {"actor_kind", "actor"}:
        raise ValueError(f"by={by!r} is neither 'actor_kind' nor 'actor'.")
    if top < 1:
        raise ValueError(f"top={top} leaves nothing to draw. Give 1 or more.")
    zone_ = zone(tz)
    ax = page(ax, height=3.3, left=0.6)
    title = f"Activity in {_whose(events, 'no case')}"
    if events.empty:
        nothing(ax, "No event in this history.")
        frame = like(events, {"period": [], "part": [], "n_events": []})
        footer = f"0 events · {standing(events)}"
        return finish(ax, Drawing(title, frame, (), footer))
    first, last = events["performed_at"].min(), events["performed_at"].max()
    freq = freq or _suiting((last - first).total_seconds() / 86_400)
    counts = actor_activity(_on_the_wall(events, zone_), freq=freq)
    names = actor_names(events) if by == "actor" else {}
    part = counts[by].astype(object).where(counts[by].notna(), "unknown")
    weight: dict[Any, float] = counts["n_events"].groupby(part).sum().to_dict()
    if by == "actor":
        kept, rest = top_or_other(weight, top)
    else:
        kept, rest = [kind for kind in KINDS if kind in weight], []
        kept += sorted(set(weight) - set(kept))
    other = f"{OTHER} ({len(rest)})"
    parts = [*kept, other] if rest else kept
    frame = (
        counts.assign(part=part.where(part.isin(kept), other))
        .groupby(["period_at", "part"])["n_events"]
        .sum()
        .reset_index()
        .rename(columns={"period_at": "period"})
    )
    frame["period"] = frame["period"].dt.tz_localize(None)
    frame["part"] = frame["part"].map(lambda name: names.get(name, name))
    labels = [names.get(name, name) for name in parts]
    inks = (
        [
            KINDS.get(kind, KINDS["unknown"])._replace(
                label=KINDS[kind].label if kind in KINDS else kind
            )
            for kind in parts
        ]
        if by == "actor_kind"
        else series_inks(labels, rest=bool(rest))
    )
    total = _draw_bars(ax, frame, labels, inks, freq)
    time_axis(ax, dt.UTC)  # the wall's own time: no zone turns it again
    count_axis(ax, "events")
    footer = " · ".join(
        [
            counted(len(events), "event"),
            f"one bar is {freq}",
            f"{moment(first, zone_)} to {moment(last, zone_)} {zone_}",
            standing(events),
        ]
    )
    lines = [
        f"{ink.label}: {n:,} in {counted(periods, 'bar')}"
        for ink, (n, periods) in zip(inks, total, strict=True)
    ]
    busiest = frame.groupby("period")["n_events"].sum()
    lines.append(
        f"most in one bar: {busiest.max():,}, {busiest.idxmax():%Y-%m-%d %H:%M}"
    )
    return finish(ax, Drawing(title, frame, tuple(lines), footer))


def _draw_bars(
    ax: Axes,
    frame: pd.DataFrame,
    labels: Sequence[str],
    inks: Sequence[Ink],
    freq: str,
) -> list[tuple[int, int]]:
    """Draw the stacked bars; return each part's events and bars."""
    starts = frame["period"].drop_duplicates().sort_values()
    x = days(starts.dt.tz_localize("UTC"))
    place = frame["period"].map({start: i for i, start in enumerate(starts)})
    wide = _days_of(freq)
    base = np.zeros(len(x))
    handles, totals = [], []
    for label, ink in zip(labels, inks, strict=True):
        rows = (frame["part"] == label).to_numpy(dtype=bool)
        height = np.zeros(len(x))
        height[place[rows]] = frame["n_events"][rows]
        some = height > 0
        style: dict[str, Any] = {
            "facecolor": ink.colour,
            "edgecolor": "white",
            "hatch": ink.hatch,
        }
        boxes(
            ax,
            x[some],
            x[some] + wide * 0.94,
            base[some],
            (base + height)[some],
            **style,
            linewidth=0.4,
            zorder=2,
        )
        base += height
        handles.append(
            Patch(**style, linewidth=0.4, label=drawable(shortened(ink.label, 24)))
        )
        totals.append((int(height.sum()), int(some.sum())))
    room = max((x.max() + wide - x.min()) * 0.01, wide * 0.1)
    ax.set_xlim(x.min() - room, x.max() + wide + room)
    ax.set_ylim(0, base.max() * 1.08)
    place_legend(ax, handles)
    return totals


def _on_the_wall(events: pd.DataFrame, tz: dt.tzinfo) -> pd.DataFrame:
    """Return the events with the time that a clock on the wall of `tz` showed."""
    if str(tz) == "UTC":
        return events
    wall = events["performed_at"].dt.tz_convert(tz).dt.tz_localize(None)
    return events.assign(performed_at=wall.dt.tz_localize("UTC"))


def _suiting(n_days: float) -> str:
    for limit, freq in ((0.15, "5m"), (3, "1h"), (14, "6h"), (150, "1d")):
        if n_days <= limit:
            return freq
    return "1mo"


def _days_of(freq: str) -> float:
    number = int("".join(char for char in freq if char.isdigit()) or 1)
    unit = freq.lstrip("0123456789")
    length = {"m": 1 / 1440, "h": 1 / 24, "d": 1, "w": 7, "mo": 29.5, "q": 90, "y": 365}
    return number * length.get(unit, 1)
