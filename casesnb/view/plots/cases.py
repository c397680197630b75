"""Pictures of many cases: when each was worked on, and how old the open ones are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from casesnb.analysis.closing import CLOSED, closed_values
from casesnb.analysis.spells import spells
from casesnb.analysis.timezones import zone
from casesnb.tables.frames import as_of_of, to_pandas
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
    Drawing,
    count_axis,
    factorized,
    finish,
    legend,
    like,
    nothing,
    page,
    top_or_other,
)
from casesnb.view.text import shortened
from casesnb.view.wording import (
    counted,
    hours_text,
    is_missing,
    standing,
    tail,
    value_name,
    value_names,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from narwhals.typing import IntoFrame

    from casesnb.tables.history import History

    Numbers = np.ndarray[Any, Any]

_NAMED = 30  # cases that are named at the side
_DOTS = 3_000  # beyond so many, a dot is a pixel


def plot_cases(
    history: History[Any] | IntoFrame,
    /,
    *,
    ax: Axes | None = None,
    tz: str | dt.tzinfo = "UTC",
    relative: bool = False,
) -> Axes:
    """Draw a dot per event, a row per case, oldest case first.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its events alone (``schema.EVENTS``), of any engine, of
        many cases.
    ax : Axes, optional
        Where to draw; a fresh figure otherwise.
    tz : str or tzinfo, default "UTC"
        The zone of the time axis.
    relative : bool, default False
        Count days from each case's first event, longest case first.

    Returns
    -------
    Axes
        With one row per case as `plot_data`: first and last event, events by kind.

    Raises
    ------
    ValueError
        If there is no such time zone.
    """
    events = to_pandas(history, EVENTS)
    zone_ = zone(tz)
    case, pairs = _cases(events)
    title = "Every event of " + counted(len(pairs), "case")
    if events.empty:
        ax = page(ax)
        nothing(ax, "No event to draw.")
        none = like(events, {"case_id": [], "first_at": [], "last_at": []})
        footer = f"0 events · {standing(history)}"
        return finish(ax, Drawing(title, lambda: none, lambda: (), footer))
    ids = [case_id for _, case_id in pairs]
    kind, kinds = factorized(events["actor_kind"])
    kinds = [name if name in KINDS else "unknown" for name in kinds]
    x = day_numbers(plain_times(events["performed_at"]))
    first, last = np.full(len(ids), np.inf), np.full(len(ids), -np.inf)
    np.minimum.at(first, case, x)
    np.maximum.at(last, case, x)
    by_kind = np.bincount(case * len(kinds) + kind, minlength=len(ids) * len(kinds))
    by_kind = by_kind.reshape(len(ids), len(kinds))
    order = np.argsort(first - last if relative else first, kind="stable")
    row = np.empty(len(ids), dtype=int)
    row[order] = np.arange(len(ids))

    few = len(ids) <= _NAMED
    ax = page(
        ax, height=min(2.2 + 0.16 * len(ids), 6.5), left=1.2 if few else 0.75, top=0.6
    )
    if relative:
        shown = x - first[case]
        ax.set_xlabel("days since the first event", color=QUIET, fontsize=9)
        ax.grid(axis="x", color=GRID, linewidth=0.8)
    else:
        shown = x
        time_axis(ax, zone_)
    low, high = shown.min(), shown.max()
    room = max(high - low, 1 / 24) * 0.015
    ax.set_xlim(low - room, high + room)
    ax.set_ylim(len(ids) - 0.3, -0.7)
    if few:
        names = [drawable(shortened(tail(str(ids[i])), 16)) for i in order]
        ax.set_yticks(range(len(ids)), names)
        literal(ax.get_yticklabels())
        ax.hlines(np.arange(len(ids)), low, high, color=GRID, linewidth=0.6, zorder=1)
    else:
        count_axis(ax, "cases")
        ax.grid(visible=False, axis="y")
    across, down = (high - low + 2 * room) / ax.bbox.width, len(ids) / ax.bbox.height
    spots = []
    for ink_of in KINDS:
        here = np.isin(kind, [i for i, name in enumerate(kinds) if name == ink_of])
        # What falls on one pixel is drawn once.
        places = np.stack([shown[here] // across, row[case[here]] // max(down, 1)])
        at = np.unique(places.astype(np.int64).T @ [1 << 20, 1], return_index=True)[1]
        spots.append((KINDS[ink_of], np.flatnonzero(here)[at]))
    crowded = sum(len(at) for _, at in spots) > _DOTS
    for ink, at in spots:
        ax.plot(
            shown[at],
            row[case[at]],
            linestyle="",
            marker="," if crowded else ink.marker,
            color=ink.colour,
            markersize=1 if crowded else 5,
            markeredgecolor=ink.colour if crowded else "white",
            markeredgewidth=0 if crowded else 0.4,
            rasterized=crowded,
            zorder=3,
        )
    legend(ax, [ink for ink, at in spots if len(at)])

    def frame() -> pd.DataFrame:
        columns = {
            "case_id": [ids[i] for i in order],
            "first_at": _times(first[order]),
            "last_at": _times(last[order]),
            **{f"n_{name}": by_kind[order, i] for i, name in enumerate(kinds)},
        }
        return like(events, columns)

    def lines() -> list[str]:
        total = by_kind.sum(axis=0)
        parts = [f"{KINDS[name].label} {total[i]:,}" for i, name in enumerate(kinds)]
        longest = int((last - first).argmax())
        hours = (last - first)[longest] * 24
        return [
            f"done by: {', '.join(parts)}",
            f"longest: case {tail(str(ids[longest]))}, {hours_text(hours)}",
        ]

    footer = " · ".join(
        [
            f"{counted(len(events), 'event')} of {counted(len(ids), 'case')}",
            span(x.min(), x.max(), zone_),
            standing(history),
        ]
    )
    drawing = Drawing(title, frame, lines, footer)
    return finish(ax, drawing, below=46.0 if relative else 34.0)


def plot_aging(
    history: History[Any] | IntoFrame,
    /,
    *,
    closed: str | Sequence[str] = CLOSED,
    ax: Axes | None = None,
    as_of: dt.datetime | None = None,
    top: int = 8,
    tz: str | dt.tzinfo = "UTC",
) -> Axes:
    """Draw how old each open case is, in columns by its status.

    A case is open while its status is not one that means closed. Its age counts
    from its first recorded change; where its creation is not in the history it
    may be older, and the dot is hollow.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of any
        engine, of many cases.
    closed : str or sequence of str, default "closed"
        The statuses that mean closed, in small letters or capitals.
    ax : Axes, optional
        Where to draw; a fresh figure otherwise.
    as_of : datetime, optional
        The moment to look at, with its zone; by default when the history was
        read, or the newest change of a frame.
    top : int, default 8
        The most statuses; the rest become "other (n)".
    tz : str or tzinfo, default "UTC"
        The zone that the moment is told in.

    Returns
    -------
    Axes
        With one row per open case as `plot_data`.

    Raises
    ------
    ValueError
        If there is no such time zone, `top` is below 1, or no case ever had a
        status that is to mean closed.
    """
    changes = to_pandas(history, CHANGES)
    done = closed_values(changes, closed)
    zone_ = zone(tz)
    if top < 1:
        raise ValueError(f"top={top} leaves nothing to draw. Give 1 or more.")
    as_of = as_of_of(history, as_of)
    if as_of is None and len(changes):
        as_of = changes["performed_at"].max()
    held = spells(changes, "status", as_of=as_of)
    held = held[held["is_open"].to_numpy(dtype=bool)]
    values = value_names(changes)
    key = ["domain_id", "case_id"]
    by_case = changes.groupby(key, observed=True)
    begun = by_case["performed_at"].min().to_dict()
    is_creation = changes["event_type"] == "Case.Created"
    created = set(changes.loc[is_creation, key].itertuples(index=False, name=None))
    rows: list[tuple[str, str, float, float, bool]] = []
    for row in held.to_dict("records"):
        if str(row["value"]).lower() in done:
            continue
        case = row["domain_id"], row["case_id"]
        name = (
            "not told"
            if is_missing(row["value"])
            else value_name(values, "status", row["value"])
        )
        age = (as_of - begun[case]).total_seconds() / 3600
        rows.append((row["case_id"], name, age, row["hours"], case in created))
    rows.sort(key=lambda row: (-row[2], row[0]))
    columns = ("case_id", "status", "age_hours", "status_hours", "has_creation")
    frame = like(
        changes, {name: [row[i] for row in rows] for i, name in enumerate(columns)}
    )
    ax = page(ax, width=8.0, height=4.0, left=0.75)
    title = (
        f"How old {counted(len(rows), 'open case')} {'is' if len(rows) == 1 else 'are'}"
    )
    if not rows:
        nothing(ax, "No case is open.")
        footer = f"0 open cases · {standing(history)}"
        return finish(ax, Drawing(title, lambda: frame, lambda: (), footer))
    weight: dict[str, float] = {}
    for _, name, *_ in rows:
        weight[name] = weight.get(name, 0) + 1
    kept, rest = top_or_other(weight, top)
    names = [*kept, f"{OTHER} ({len(rest)})"] if rest else kept
    place = {name: i for i, name in enumerate(kept)}
    column = np.array([place.get(row[1], len(kept)) for row in rows])
    age = np.array([row[2] for row in rows]) / 24
    known = np.array([row[4] for row in rows], dtype=bool)
    # Dots of one column stand side by side in a fixed pattern: nothing is random.
    number = np.arange(len(rows)) % 7
    x = column + (number * 5 % 7 - 3) * 0.06
    for which, face in ((known, KINDS["agent"].colour), (~known, "white")):
        ax.plot(
            x[which],
            age[which],
            linestyle="",
            marker="o",
            markersize=6,
            markerfacecolor=face,
            markeredgecolor=KINDS["agent"].colour,
            rasterized=len(rows) > _DOTS,
            zorder=3,
        )
    middle = [float(np.median(age[column == i])) for i in range(len(names))]
    at = np.arange(len(names))
    ax.hlines(middle, at - 0.32, at + 0.32, color=INK, linewidth=1.6, zorder=4)
    for i, days in enumerate(middle):
        text = hours_text(days * 24)
        ax.text(i + 0.34, days, text, fontsize=8, color=QUIET, va="center")
    ax.set_xlim(-0.6, len(names) - 0.25)
    ax.set_ylim(0, age.max() * 1.08)
    ax.set_xticks(at, [drawable(shortened(name, 16)) for name in names])
    literal(ax.get_xticklabels())
    ax.set_ylabel("days since creation", color=QUIET, fontsize=9)
    ax.grid(axis="y", color=GRID, linewidth=0.8)

    def lines() -> list[str]:
        return [
            f"{shortened(name, 40)}: {counted(int((column == i).sum()), 'case')}, "
            f"median age {hours_text(middle[i] * 24)}, "
            f"oldest {hours_text(age[column == i].max() * 24)}"
            for i, name in enumerate(names)
        ]

    hollow = int((~known).sum())
    footer = " · ".join(
        [
            counted(len(rows), "open case"),
            *([] if as_of is None else [f"as of {moment(as_of, zone_)} {zone_}"]),
            *([f"{hollow:,} hollow: may be older"] if hollow else []),
            standing(history),
        ]
    )
    return finish(ax, Drawing(title, lambda: frame, lines, footer))


def _cases(events: pd.DataFrame) -> tuple[Numbers, list[Any]]:
    """Return a number for each case, and the domain and id that it stands for."""
    domain, domains = factorized(events["domain_id"])
    case, ids = factorized(events["case_id"])
    found, codes = np.unique(domain * len(ids) + case, return_inverse=True)
    return codes, [(domains[n // len(ids)], ids[n % len(ids)]) for n in found]


def _times(days: Numbers) -> Numbers:
    return np.round(days * 86_400e6).astype("int64").astype("datetime64[us]")
