"""The picture of a case: what each field held when, and who changed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.transforms import TransformedPatchPath

from casesnb.analysis.timezones import zone
from casesnb.tables.frames import is_history, table_of, to_pandas
from casesnb.tables.schema import CHANGES
from casesnb.view.plots.axis import span, time_axis
from casesnb.view.plots.colours import TINTS
from casesnb.view.plots.labels import drawable, n_letters
from casesnb.view.plots.lanes import (
    DENSE,
    EMPTY,
    Lanes,
    Rows,
    lanes_of,
)
from casesnb.view.plots.style import (
    GRID,
    INK,
    KINDS,
    QUIET,
    UNKNOWN,
    Drawing,
    boxes,
    finish,
    grid,
    legend,
    nothing,
    page,
    paper,
    scale,
    sentences,
)
from casesnb.view.plots.values import EMPTY_WORD, NOT_TOLD
from casesnb.view.text import shortened
from casesnb.view.wording import counted, hours_text, is_missing, whose

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from narwhals.typing import IntoFrame

    from casesnb.tables.history import History

    Numbers = np.ndarray[Any, Any]

_PATCH = {"facecolor": UNKNOWN, "edgecolor": "none", "pad": 1.5}
_HALF = 0.33  # of a lane's height: the bar's half
_MOST_CASES = 12  # whose lanes are drawn
_LABELS = 120  # the most spans that are labelled


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
    title: str | None = None,
) -> Axes:
    """Draw a case as lanes: what each field held, from when to when, who set it.

    A lane per field; in it a span per value, with the value written in where
    there is room, and on its edge a mark per change, its colour and shape
    telling what kind of actor made it. A related item's event is one mark,
    however many fields it changed, and the footer counts marks. What the history
    does not tell is hatched. A span that still held when the case was read has
    an arrowhead.

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
        The most lanes. Status, holder, queue, reason and title come first, then
        the fields that changed most; further ones share the lane "other (n)".
    tz : str or tzinfo, default "UTC"
        The zone of the time axis.
    relative : bool, default False
        Count hours or days from the first change.
    title : str, optional
        What stands above the picture; what it is of and its largest number
        otherwise.

    Returns
    -------
    Axes
        With the spans and marks as `plot_data` and in words as `plot_text`.

    Raises
    ------
    TypeError
        If `fields` is one text.
    ValueError
        If there is no such time zone, `top` is below 1, or there are more than
        twelve cases, and more than `top` lanes of them.

    See Also
    --------
    plot_cases : Draws every case of a history, however many.
    """
    zone_ = zone(tz)
    if top < 1:
        raise ValueError(f"top={top} leaves nothing to draw. Give 1 or more.")
    given: Any = history  # a lazy frame is asked once
    shown = given.to_pandas() if is_history(given) else to_pandas(given, CHANGES)
    _refuse_many(table_of(shown, CHANGES), fields, top)
    lanes = lanes_of(shown, events=events, as_of=as_of, fields=fields, top=top)
    absent = f"no change of {', '.join(lanes.absent)}" if lanes.absent else ""
    n = max(len(lanes.names), 1)
    ax = page(
        ax,
        height=1.35 + 0.44 * n,
        left=0.35 + 0.078 * max((min(len(x), 26) for x in lanes.names), default=4),
        top=0.62,
        bottom=0.73,
    )
    about = f"What changed in {whose(lanes.changes, 'this case')}"
    if not lanes.names:
        nothing(ax, "No change in this history.")
        footer = sentences(history, "0 marks", absent)
        drawing = Drawing(about, lanes.frame, lambda: (), footer)
        return finish(ax, drawing, title=title)

    rows, on = lanes.rows, paper(ax)
    first, last, low, high, width = rows.extent()
    left = np.where(np.isnan(rows.left), low, rows.left)
    right = np.where(np.isnan(rows.right), high, np.minimum(rows.right, high))
    if relative:
        unit, name = (24, "hours") if width < 3 else (1, "days")
        left, right, low, high = ((v - first) * unit for v in (left, right, low, high))
        ax.set_xlabel(
            f"{name} since the first change", color=on.quiet, fontsize=9 * scale(ax)
        )
        grid(ax, "x")
    else:
        time_axis(ax, zone_)
    room = 0.02 * (high - low)
    ax.set_xlim(low, high + room)
    ax.set_ylim(n - 0.45, -0.6)
    ax.set_yticks(range(n), [drawable(shortened(name, 26)) for name in lanes.names])
    pixel = (high - low) / ax.bbox.width
    if lanes.n_bare:
        bare = np.arange(n - lanes.n_bare, n)
        ax.hlines(bare, low, high, color=on.grid, linewidth=0.8, zorder=1)
    _draw_spans(ax, lanes, left, right, pixel, high, room)
    kinds = _draw_marks(ax, rows, left, pixel)
    legend(ax, [KINDS[kind] for kind in KINDS if kind in kinds], lanes.statuses())
    footer = sentences(
        history,
        f"{counted(int(rows.is_mark.sum()), 'mark')} in {counted(n, 'lane')} from "
        f"{span(first, last, zone_)}{''.join(f', {told}' for told in lanes.as_of(zone_))}",
        absent,
        _left_out(lanes),
        "A value has one colour in all lanes" if len(lanes.names) > 1 else "",
    )
    below = 46.0 if relative else 34.0
    about += _most(lanes)
    drawing = Drawing(about, lanes.frame, lambda: _lines(lanes), footer)
    return finish(ax, drawing, title=title, below=below)


def _refuse_many(changes: pd.DataFrame, fields: Sequence[str] | None, top: int) -> None:
    """Refuse the lanes of so many cases that most would not be seen."""
    n_cases = changes["case_id"].nunique()
    if n_cases <= _MOST_CASES or (fields is not None and n_cases * len(fields) <= top):
        return
    raise ValueError(
        f"plot_changes draws the lanes of at most {_MOST_CASES} cases, not "
        f"{n_cases:,}. Choose some with history.only(case_ids=...), or draw all of "
        "them with cn.plot_cases."
    )


def _left_out(lanes: Lanes) -> str:
    """Say by which rule fields have no lane of their own."""
    if not lanes.n_rest:
        return ""
    n_cases = lanes.changes["case_id"].nunique()
    more = " (cn.plot_cases draws a row per case)" if n_cases > 1 else ""
    verb = "shares" if lanes.n_rest == 1 else "share"
    return (
        f"The {counted(lanes.n_rest, 'field')} with the fewest changes {verb} one "
        f"lane{more}"
    )


def _most(lanes: Lanes) -> str:
    """Say which lane of a field has most changes, and how many."""
    own = len(lanes.names) - lanes.n_bare
    counts = np.bincount(
        lanes.rows.lane[lanes.rows.is_mark], minlength=len(lanes.names)
    )
    if not own or not counts[:own].any():
        return ""
    most = int(counts[:own].argmax())
    return f": {shortened(lanes.names[most], 40)} most often, {counted(int(counts[most]), 'time')}"


def _draw_spans(
    ax: Axes,
    lanes: Lanes,
    left: Numbers,
    right: Numbers,
    pixel: float,
    high: float,
    room: float,
) -> None:
    rows, tint = lanes.rows, lanes.tints
    y, is_span, empty = rows.lane, ~rows.is_mark, rows.is_bare
    narrow = is_span & (right - left < pixel)
    shown = is_span & ~narrow
    groups: list[tuple[Numbers, dict[str, Any]]] = [
        (shown & rows.is_known & ~empty & (tint == i), {"facecolor": colour})
        for i, colour in enumerate(TINTS)
    ]
    bare = {"facecolor": EMPTY, "edgecolor": GRID}
    groups.append((shown & rows.is_known & empty, bare))
    hatched = {"facecolor": UNKNOWN, "edgecolor": "#d3dae0", "hatch": "///"}
    groups.append((shown & ~rows.is_known, hatched))
    # What is narrower than a pixel is drawn once a pixel, however many there are.
    cells = np.stack([y[narrow], np.floor(left[narrow] / pixel)], axis=1)
    once = np.flatnonzero(narrow)[np.unique(cells, axis=0, return_index=True)[1]]
    dense = np.zeros(len(y), dtype=bool)
    dense[once] = True
    groups.append((dense, {"facecolor": DENSE}))
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
        facecolors=[EMPTY if empty[i] else TINTS[tint[i]] for i in ends],
        edgecolors=[GRID if empty[i] else "none" for i in ends],
        zorder=3,
    )
    ax.add_collection(heads, autolim=False)
    _write_values(ax, rows.words(), left, right, y, shown, pixel, rows.is_known, empty)


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
    per_point = ax.figure.dpi / 72
    size = 8.5 * scale(ax)
    letter = 0.56 * size * per_point  # what a letter takes on average, in pixels
    room = (right - left) / pixel - 9 * per_point
    rows = np.flatnonzero(shown & (room > 3 * letter))
    rows = rows[np.argsort(-room[rows], kind="stable")[:_LABELS]]
    # One clip for all: a text makes four transforms for one of its own.
    clip = TransformedPatchPath(ax.patch)
    for row in rows:
        word, most = str(words[row]), int(room[row] / letter)
        if most < n_letters(word):
            most = most * len(word) // n_letters(word)
        label = shortened(word, max(most, 1))
        if label.endswith("…") and most < 5:
            continue
        ax.text(
            left[row] + 6 * per_point * pixel,
            y[row] + 0.03,
            drawable(label),
            fontsize=size,
            color=QUIET if missing[row] else INK,
            style="italic" if missing[row] else "normal",
            va="center",
            clip_on=True,
            clip_box=ax.bbox,
            clip_path=clip,
            parse_math=False,
            zorder=4,
            bbox=None if known[row] else _PATCH,  # words on a hatch need a ground
        )


def _draw_marks(ax: Axes, rows: Rows, left: Numbers, pixel: float) -> set[str]:
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
            markeredgecolor=paper(ax).ground,
            markeredgewidth=0.0 if crowded else 0.7,
            markersize=(4 if crowded else 7) * scale(ax),
            rasterized=crowded,
            clip_on=False,
            zorder=5,
        )
    return set(kinds[rows.is_mark])


def _lines(lanes: Lanes) -> list[str]:
    """Say what is on each lane."""
    frame = lanes.frame()
    marks = frame[frame["what"] == "mark"]
    return [*_lane_lines(frame, lanes.names), _by_kind(marks)]


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
        text = EMPTY_WORD if kind == "empty" else NOT_TOLD
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
