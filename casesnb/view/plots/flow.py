"""Pictures of how cases move: from value to value, from hand to hand, and how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Patch

from casesnb.analysis.closing import CLOSED, closed_values
from casesnb.analysis.flow import handoffs, transitions
from casesnb.analysis.spells import backlog, time_in
from casesnb.analysis.timezones import zone
from casesnb.tables.field_chain import field_ids_of
from casesnb.tables.frames import as_of_of, to_pandas
from casesnb.tables.schema import CHANGES
from casesnb.view.plots.axis import (
    day_numbers,
    days_of,
    moment,
    plain_times,
    time_axis,
)
from casesnb.view.plots.labels import drawable, literal
from casesnb.view.plots.people import grid_of
from casesnb.view.plots.style import (
    GRID,
    OTHER,
    QUIET,
    Drawing,
    Ink,
    count_axis,
    finish,
    like,
    nothing,
    page,
    place_legend,
    series_inks,
    top_or_other,
)
from casesnb.view.text import shortened
from casesnb.view.wording import (
    actor_names,
    counted,
    field_names,
    hours_text,
    is_missing,
    standing,
    value_name,
    value_names,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from narwhals.typing import IntoFrame

    from casesnb.tables.history import History

    Numbers = np.ndarray[Any, Any]

NOBODY = "nobody"
_CLOSED = [Ink("", "#c9d1d8", "o", hatch) for hatch in ("", "////", "....")]


def plot_transitions(
    history: History[Any] | IntoFrame,
    /,
    field_id: str = "status",
    *,
    ax: Axes | None = None,
    as_of: dt.datetime | None = None,
    top: int = 10,
) -> Axes:
    """Draw how often a field went from one value to another, and how soon.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of any
        engine, of one case or many.
    field_id : str, default "status"
        The field.
    ax : Axes, optional
        Where to draw; a fresh figure otherwise.
    as_of : datetime, optional
        The moment up to which to draw, with its zone; by default up to when the
        history was read, or to the newest change of a frame.
    top : int, default 10
        The most values at each side; the rest become "other (n)".

    Returns
    -------
    Axes
        A row per value before, a column per value after; in each cell how often,
        and the median time that the value before had held.

    Raises
    ------
    ValueError
        If `top` is below 1.

    See Also
    --------
    casesnb.transitions : The numbers behind it.
    """
    changes, as_of = to_pandas(history, CHANGES), as_of_of(history, as_of)
    (field_id,) = field_ids_of(changes, [field_id])
    found = transitions(changes, field_id, as_of=as_of)
    names = value_names(changes)
    called = field_names(changes).get(field_id, field_id)

    def name(value: Any) -> str:
        return "empty" if is_missing(value) else value_name(names, field_id, value)

    pairs = [
        (name(row["from_value"]), name(row["to_value"]), row["n"], row["median_hours"])
        for row in found.to_dict("records")
    ]
    title = f"How {called} moves"
    return _matrix(
        ax, history, changes, pairs, title, ("from", "to", "transition"), top
    )


def plot_handoffs(
    history: History[Any] | IntoFrame,
    /,
    field_id: str = "assigned_user",
    *,
    ax: Axes | None = None,
    as_of: dt.datetime | None = None,
    top: int = 10,
) -> Axes:
    """Draw who passed cases to whom, and how often.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of any
        engine, of one case or many.
    field_id : str, default "assigned_user"
        The holder: ``assigned_user`` or ``assigned_queue``.
    ax : Axes, optional
        Where to draw; a fresh figure otherwise.
    as_of : datetime, optional
        The moment up to which to draw, with its zone; by default up to when the
        history was read, or to the newest change of a frame.
    top : int, default 10
        The most holders at each side; the rest become "other (n)".

    Returns
    -------
    Axes
        A row per holder before, a column per holder after.

    Raises
    ------
    ValueError
        If `top` is below 1, or `field_id` names no holder.

    See Also
    --------
    casesnb.handoffs : The numbers behind it.
    """
    changes, as_of = to_pandas(history, CHANGES), as_of_of(history, as_of)
    if field_id not in {"assigned_user", "assigned_queue"}:
        raise ValueError(
            f"field_id={field_id!r} names no holder. Give 'assigned_user' or "
            "'assigned_queue'."
        )
    found = handoffs(changes, as_of=as_of)
    found = found[found["field_id"] == field_id]
    labels, people = value_names(changes), actor_names(changes)

    def name(value: Any) -> str:
        if is_missing(value):
            return NOBODY
        return (
            labels.get((field_id, value))
            or people.get(value)
            or value_name({}, field_id, value)
        )

    held: dict[tuple[str, str], list[float]] = {}
    for row in found.to_dict("records"):
        pair = name(row["from_value"]), name(row["to_value"])
        held.setdefault(pair, []).append(row["held_hours"])
    pairs = [(*pair, len(hours), None) for pair, hours in held.items()]
    who = "agent" if field_id == "assigned_user" else "queue"
    title = f"Which {who} passes cases to which"
    return _matrix(ax, history, changes, pairs, title, ("from", "to", "handoff"), top)


def plot_time_in(
    history: History[Any] | IntoFrame,
    /,
    field_id: str = "status",
    *,
    ax: Axes | None = None,
    as_of: dt.datetime | None = None,
    top: int = 10,
) -> Axes:
    """Draw how long each case spent in each value of a field.

    A dot per case and value. A case that is still there has a hollow arrow: it
    will have spent longer. Nothing is left out for not being over.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of any
        engine, of one case or many.
    field_id : str, default "status"
        The field.
    ax : Axes, optional
        Where to draw; a fresh figure otherwise.
    as_of : datetime, optional
        The moment up to which to draw, with its zone; by default up to when the
        history was read, or to the newest change of a frame.
    top : int, default 10
        The most values; the rest become "other (n)".

    Returns
    -------
    Axes
        With one row per case and value as `plot_data`.

    Raises
    ------
    ValueError
        If `top` is below 1.

    See Also
    --------
    casesnb.time_in : The numbers behind it.
    """
    changes, as_of = to_pandas(history, CHANGES), as_of_of(history, as_of)
    (field_id,) = field_ids_of(changes, [field_id])
    _check(top)
    found = time_in(changes, field_id, as_of=as_of)
    hours = found["hours"].to_numpy(dtype=float)
    found = found[hours > 0].reset_index(drop=True)
    names = value_names(changes)
    values = [
        "empty" if is_missing(value) else value_name(names, field_id, value)
        for value in found["value"]
    ]
    called = field_names(changes).get(field_id, field_id)
    title = f"How long cases spend in each {called}"
    weight: dict[str, float] = {}
    for value in values:
        weight[value] = weight.get(value, 0) + 1
    kept, rest = top_or_other(weight, top)
    rows = [*kept, f"{OTHER} ({len(rest)})"] if rest else kept
    ax = page(ax, height=1.6 + 0.5 * max(len(rows), 2), left=1.75, bottom=0.9)
    if not rows:
        nothing(ax, "No spell to draw.")
        footer = f"0 cases · {standing(history)}"
        return finish(ax, Drawing(title, lambda: found, lambda: (), footer))
    place = {name: i for i, name in enumerate(kept)}
    row = np.array([place.get(value, len(kept)) for value in values])
    hours = found["hours"].to_numpy(dtype=float)
    is_open = found["is_open"].to_numpy(dtype=bool)
    y = row + (np.arange(len(row)) * 5 % 7 - 3) * 0.07
    colour = series_inks([""])[0].colour
    for which, marker, face in ((~is_open, "o", colour), (is_open, ">", "white")):
        ax.plot(
            hours[which],
            y[which],
            linestyle="",
            marker=marker,
            markersize=5.5,
            markerfacecolor=face,
            markeredgecolor=colour if marker == ">" else "white",
            markeredgewidth=1.0 if marker == ">" else 0.4,
            rasterized=len(row) > 3_000,
            zorder=3,
        )
    ax.set_xscale("log")
    ticks = [(1 / 60, "1 min"), (1, "1 h"), (24, "1 d"), (168, "1 w"), (730, "1 mo")]
    low, high = hours.min() / 1.5, hours.max() * 1.5
    ticks = [(at, text) for at, text in [*ticks, (8766, "1 y")] if low < at < high]
    ax.set_xticks([at for at, _ in ticks], [text for _, text in ticks])
    ax.set_xticks([], minor=True)
    ax.set_xlim(low, high)
    ax.grid(axis="x", color=GRID, linewidth=0.8)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_yticks(range(len(rows)), [drawable(shortened(name, 22)) for name in rows])
    literal(ax.get_yticklabels())

    def lines() -> list[str]:
        return [
            f"{shortened(name, 40)}: {counted(int((row == i).sum()), 'case')}, "
            f"{hours_text(hours[row == i].min())} to "
            f"{hours_text(hours[row == i].max())}, "
            f"{int(is_open[row == i].sum())} still there"
            for i, name in enumerate(rows)
        ]

    footer = " · ".join(
        [
            counted(len(found), "stay"),
            f"{int(is_open.sum()):,} of them not over (arrows)",
            standing(history),
        ]
    )
    return finish(ax, Drawing(title, lambda: found, lines, footer))


def plot_backlog(
    history: History[Any] | IntoFrame,
    /,
    *,
    freq: str = "1d",
    field_id: str = "status",
    closed: str | Sequence[str] = CLOSED,
    ax: Axes | None = None,
    as_of: dt.datetime | None = None,
    top: int = 7,
    tz: str | dt.tzinfo = "UTC",
) -> Axes:
    """Draw how many cases were in each status over time, one upon another.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of any
        engine, of many cases.
    freq : str, default "1d"
        How long a step is, such as ``6h``, ``1d`` or ``1mo``.
    field_id : str, default "status"
        The field.
    closed : str or sequence of str, default "closed"
        The statuses that mean closed, in small letters or capitals; they are
        grey and below the others.
    ax : Axes, optional
        Where to draw; a fresh figure otherwise.
    as_of : datetime, optional
        The moment up to which to draw, with its zone; by default up to when the
        history was read, or to the newest change of a frame.
    top : int, default 7
        The most values to tell apart; the rest become "other (n)".
    tz : str or tzinfo, default "UTC"
        The zone whose hours, days and months the steps are.

    Returns
    -------
    Axes
        With one row per step and value that changed as `plot_data`.

    Raises
    ------
    ValueError
        If there is no such time zone, `top` is below 1, or no case ever had a
        status that is to mean closed.

    See Also
    --------
    casesnb.backlog : The numbers behind it.
    """
    as_of = as_of_of(history, as_of)
    (field_id,) = field_ids_of(history, [field_id])
    # A frame alone is told up to its newest change, of whatever field.
    changes = to_pandas(history, CHANGES, field_id=field_id if as_of else None)
    _check(top)
    done = closed_values(changes, closed)
    zone_ = zone(tz)
    found = backlog(changes, freq=freq, field_id=field_id, as_of=as_of, tz=zone_)
    called = field_names(changes).get(field_id, field_id)
    title = f"Cases in each {called} over time"
    ax = page(ax, height=3.6, left=0.6)
    if found.empty:
        nothing(ax, "No case to draw.")
        footer = f"0 cases · {standing(history)}"
        return finish(ax, Drawing(title, lambda: found, lambda: (), footer))
    names = value_names(changes)
    values = [
        "empty" if is_missing(value) else value_name(names, field_id, value)
        for value in found["value"]
    ]
    starts, place = np.unique(plain_times(found["period_at"]), return_inverse=True)
    counts = found["n_cases"].to_numpy(dtype="int64")
    held: dict[str, Numbers] = {}
    for value, at, n in zip(values, place, counts, strict=True):
        # It stays as it is until its next row.
        held.setdefault(value, np.zeros(len(starts), dtype="int64"))[at:] = n
    weight = {value: float(n.max()) for value, n in held.items()}
    kept, rest = top_or_other(weight, top)
    is_done = {
        name: field_id == "status" and str(value).lower() in done
        for name, value in zip(values, found["value"], strict=True)
    }
    kept.sort(key=lambda name: not is_done[name])  # what is done, below
    parts = [(value, held[value]) for value in kept]
    if rest:
        others = np.sum([held[value] for value in rest], axis=0)
        parts.append((f"{OTHER} ({len(rest)})", others))
    labels = [value for value, _ in parts]
    inks = series_inks(labels, rest=bool(rest))
    if n_done := sum(is_done[name] for name in kept):
        inks = [
            *(_CLOSED * n_done)[:n_done],
            *series_inks(labels[n_done:], rest=bool(rest)),
        ]
    x = day_numbers(starts)
    x = np.append(x, x[-1] + days_of(freq))
    base = np.zeros(len(x))
    handles = []
    for (value, n), ink in zip(parts, inks, strict=True):
        height = base + np.append(n, n[-1])
        style: dict[str, Any] = {
            "facecolor": ink.colour,
            "hatch": ink.hatch,
            "edgecolor": "white",
            "linewidth": 0.5,
        }
        ax.fill_between(x, base, height, step="post", zorder=2, **style)
        handles.append(Patch(label=drawable(shortened(value, 20)), **style))
        base = height
    time_axis(ax, zone_)
    count_axis(ax, "cases")
    ax.set_xlim(x[0], x[-1])
    ax.set_ylim(0, base.max() * 1.05)
    place_legend(ax, handles)

    def lines() -> list[str]:
        return [
            f"{shortened(value, 40)}: {n[-1]:,} in the end, {n.max():,} at most"
            for value, n in parts
        ]

    footer = " · ".join(
        [
            f"one step is {freq}",
            f"{moment(x[0], zone_)} to {moment(x[-1], zone_)} {zone_}",
            standing(history),
        ]
    )
    return finish(ax, Drawing(title, lambda: found, lines, footer))


def _matrix(
    ax: Axes | None,
    history: object,
    changes: pd.DataFrame,
    pairs: Sequence[tuple[str, str, int, float | None]],
    title: str,
    words: tuple[str, str, str],
    top: int,
) -> Axes:
    """Draw how often one went to the other, rows to columns."""
    _check(top)
    before, after, noun = words
    rows, row_of = _side({}, pairs, 0, top)
    columns, column_of = _side(row_of, pairs, 1, top)
    total = sum(n for _, _, n, _ in pairs)
    frame = like(
        changes,
        {
            before: [pair[0] for pair in pairs],
            after: [pair[1] for pair in pairs],
            "n": [pair[2] for pair in pairs],
            "median_hours": [pair[3] for pair in pairs],
        },
    )
    ax = page(
        ax,
        width=2.6 + 0.95 * max(len(columns), 3),
        height=1.9 + 0.5 * max(len(rows), 2),
        left=1.75,
        top=0.6,
        bottom=1.1,
    )
    footer = f"{counted(total, noun)} · {standing(history)}"
    if not pairs:
        nothing(ax, f"No {noun} in this history.")
        return finish(ax, Drawing(title, lambda: frame, lambda: (), footer))
    counts = np.zeros((len(rows), len(columns)), dtype="int64")
    notes: dict[tuple[int, int], str] = {}
    for first, second, n, hours in pairs:
        at = row_of[first], column_of[second]
        # A median of several medians is none: such a cell has its count alone.
        notes[at] = "" if at in notes or hours is None else hours_text(hours)
        counts[at] += n
    grid_of(ax, counts, notes)
    ax.set_yticks(range(len(rows)), [drawable(shortened(name, 22)) for name in rows])
    ax.set_xticks(
        range(len(columns)),
        [drawable(shortened(name, 22)) for name in columns],
        rotation=20,
        ha="right",
        rotation_mode="anchor",
    )
    literal([*ax.get_yticklabels(), *ax.get_xticklabels()])
    ax.set_ylabel(before, color=QUIET, fontsize=9)

    def lines() -> list[str]:
        ranked = sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1]))
        said = [
            f"{shortened(first, 40)} → {shortened(second, 40)}: {n:,}"
            + ("" if hours is None else f", after {hours_text(hours)}")
            for first, second, n, hours in ranked[:12]
        ]
        more = len(ranked) - 12
        return [*said, f"… {counted(more, 'more pair')}"] if more > 0 else said

    return finish(ax, Drawing(title, lambda: frame, lines, footer), below=58.0)


def _side(
    order: Mapping[str, int],
    pairs: Sequence[tuple[str, str, int, float | None]],
    side: int,
    top: int,
) -> tuple[list[str], dict[str, int]]:
    """Return the names along a side of a matrix, and the place of each."""
    weight: dict[str, float] = {}
    for pair in pairs:
        name = str(pair[side])
        weight[name] = weight.get(name, 0) + pair[2]
    kept, rest = top_or_other(weight, top)
    kept.sort(key=lambda name: order.get(name, len(order)))  # as along the other side
    place = {name: i for i, name in enumerate(kept)}
    place |= dict.fromkeys(rest, len(kept))
    return ([*kept, f"{OTHER} ({len(rest)})"] if rest else kept), place


def _check(top: int) -> None:
    if top < 1:
        raise ValueError(f"top={top} leaves nothing to draw. Give 1 or more.")
