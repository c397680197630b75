"""Pictures of many cases: when each was worked on, and how old the open ones are."""

from __future__ import annotations

import datetime as dt
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
from casesnb.view.plots.colours import options_of
from casesnb.view.plots.labels import apart, drawable
from casesnb.view.plots.style import (
    KINDS,
    OTHER,
    Drawing,
    count_axis,
    factorized,
    finish,
    grid,
    legend,
    like,
    nothing,
    page,
    paper,
    scale,
    sentences,
    top_or_other,
)
from casesnb.view.plots.swarm import draw_swarm
from casesnb.view.plots.values import names_of, values_of
from casesnb.view.text import shortened
from casesnb.view.wording import (
    counted,
    hours_text,
    tail,
    value_names,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from narwhals.typing import IntoFrame

    from casesnb.tables.history import History

    Numbers = np.ndarray[Any, Any]

_NAMED = 30  # cases that are named at the side
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_WIDE = 0.3  # of a column: half of its swarm
_DOTS = 3_000  # beyond so many, a dot is a pixel


def plot_cases(
    history: History[Any] | IntoFrame,
    /,
    *,
    ax: Axes | None = None,
    tz: str | dt.tzinfo = "UTC",
    relative: bool = False,
    title: str | None = None,
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
    title : str, optional
        What stands above the picture; what it is of and its largest number
        otherwise.

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
    about = "Every event of " + counted(len(pairs), "case")
    if events.empty:
        ax = page(ax)
        nothing(ax, "No event to draw.")
        none = like(events, {"case_id": [], "first_at": [], "last_at": []})
        footer = sentences(history, "0 events")
        return finish(ax, Drawing(about, lambda: none, lambda: (), footer), title=title)
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
    on = paper(ax)
    if relative:
        shown = x - first[case]
        ax.set_xlabel(
            "days since the first event", color=on.quiet, fontsize=9 * scale(ax)
        )
        grid(ax, "x")
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
        ends: dict[str, Any] = {"color": on.grid, "linewidth": 0.6, "zorder": 1}
        ax.hlines(np.arange(len(ids)), low, high, **ends)
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
    small = min(max(ax.bbox.height / ax.figure.dpi * 72 / len(ids), 0.75), 4)
    for ink, at in spots:
        ax.plot(
            shown[at],
            row[case[at]],
            linestyle="",
            marker="s" if crowded else ink.marker,
            color=ink.colour,
            markersize=small if crowded else 5,
            markeredgecolor=on.ground,
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

    longest = int((last - first).argmax())
    hours = (last - first)[longest] * 24
    about += f": from first to last {hours_text(hours)} at most"

    def lines() -> list[str]:
        total = by_kind.sum(axis=0)
        parts = [f"{KINDS[name].label} {total[i]:,}" for i, name in enumerate(kinds)]
        return [
            f"done by: {', '.join(parts)}",
            f"longest: case {tail(str(ids[longest]))}, {hours_text(hours)}",
        ]

    order_of_rows = "longest" if relative else "oldest"
    footer = sentences(
        history,
        f"{counted(len(events), 'event')} of {counted(len(ids), 'case')} from "
        f"{span(x.min(), x.max(), zone_)}",
        f"A row is a case, the {order_of_rows} above" if len(ids) > 1 else "",
    )
    drawing = Drawing(about, frame, lines, footer)
    return finish(ax, drawing, title=title, below=46.0 if relative else 34.0)


def plot_aging(
    history: History[Any] | IntoFrame,
    /,
    *,
    closed: str | Sequence[str] = CLOSED,
    ax: Axes | None = None,
    as_of: dt.datetime | None = None,
    top: int = 8,
    tz: str | dt.tzinfo = "UTC",
    title: str | None = None,
) -> Axes:
    """Draw how old each open case is, in columns by its status.

    A case is open while its status is not one that means closed. Its age counts
    from its first recorded change; where its creation is not in the history it
    may be older, and the dot is hollow. Where cases are many, a dot stands for
    several of them; the footer says for how many.

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
    title : str, optional
        What stands above the picture; what it is of and its largest number
        otherwise.

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
    about, ages = "How old open cases are", _ages(changes, done, as_of)
    ax = page(ax, height=4.0, left=0.75)
    if ages.empty:
        nothing(ax, "No case is open.")
        footer = sentences(history, "0 open cases")
        return finish(ax, Drawing(about, lambda: ages, lambda: (), footer), title=title)
    code, found = factorized(ages["status"])
    weight = dict(zip(found, np.bincount(code).tolist(), strict=True))
    kept, rest = top_or_other(weight, top)
    options = options_of(changes, "status")
    if options:
        kept.sort(key=lambda name: options.get(name, len(options)))
    names = [*kept, f"{OTHER} ({len(rest)})"] if rest else kept
    place = {name: i for i, name in enumerate(kept)}
    column = np.array([place.get(name, len(kept)) for name in found])[code]
    age = ages["age_hours"].to_numpy(dtype=float) / 24
    known = ages["has_creation"].to_numpy(dtype=bool)
    n_of = np.bincount(column, minlength=len(names))
    oldest = hours_text(age[0] * 24)
    is_one = len(ages) == 1
    about = f"{counted(len(ages), 'case')} {'is' if is_one else 'are'} open: "
    about += f"{oldest} old" if is_one else f"the oldest {oldest} old"
    ax.set_xlim(-0.6, len(names) - 0.25)
    ax.set_ylim(0, max(age.max(), 1 / 24) * 1.08)
    n_each = draw_swarm(
        ax,
        age,
        column,
        ~known,
        place=age / ax.get_ylim()[1],
        along="y",
        size=4.8,
        gap=0.8,
        wide=2 * _WIDE,
    )
    middle = [float(np.median(age[column == i])) for i in range(len(names))]
    at, on = np.arange(len(names)), paper(ax)
    ax.hlines(middle, at - _WIDE, at + _WIDE, color=on.ink, linewidth=1.8, zorder=4)
    for i, days in enumerate(middle):
        text, beside = hours_text(days * 24), (i + _WIDE + 0.02, days)
        ax.text(
            *beside, text, fontsize=8 * scale(ax), color=on.ink, va="center", zorder=4
        )
    room = max(int(ax.bbox.width / ax.figure.dpi * 72 / len(names) / 5.6), 4)
    ax.set_xticks(
        at,
        [
            f"{drawable(name)}\n{n:,}"
            for name, n in zip(apart(names, min(room, 22)), n_of, strict=True)
        ],
    )
    ax.set_ylabel("days since creation", color=on.quiet, fontsize=9 * scale(ax))
    grid(ax, "y")

    def lines() -> list[str]:
        return [
            f"{name}: {counted(int(n_of[i]), 'case')}, "
            f"median age {hours_text(middle[i] * 24)}, "
            f"oldest {hours_text(age[column == i].max() * 24)}"
            for i, name in enumerate(apart(names, 40))
        ]

    hollow = int((~known).sum())
    told = "" if as_of is None else f" as of {moment(as_of, zone_)} {zone_}"
    footer = sentences(
        history,
        f"{counted(len(ages), 'open case')}{told}",
        f"A dot stands for {n_each:,} cases" if n_each > 1 else "",
        "A line is the median of its column",
        f"{hollow:,} may be older (hollow): no creation is told" if hollow else "",
    )
    drawing = Drawing(about, lambda: ages, lines, footer)
    return finish(ax, drawing, title=title, below=46.0)


def _ages(
    changes: pd.DataFrame, done: Sequence[str], as_of: dt.datetime | None
) -> pd.DataFrame:
    """Return one row per open case: its status and how old it is, the oldest first."""
    held = spells(changes, "status", as_of=as_of)
    held = held[held["is_open"].to_numpy(dtype=bool)]
    is_closed = held["value"].str.lower().isin(done).fillna(False)
    held = held[~is_closed.to_numpy(dtype=bool)]
    of_status = changes[(changes["field_id"] == "status").to_numpy(dtype=bool)]
    code, values = values_of(held)
    names = names_of(value_names(of_status), "status", values)
    called = [names[value] for value in values]
    case, pairs = _cases(changes)
    number = {pair: i for i, pair in enumerate(pairs)}
    cases = zip(held["domain_id"].tolist(), held["case_id"].tolist(), strict=True)
    own = np.array([number[pair] for pair in cases], dtype=int)
    begun = np.full(len(pairs), np.iinfo("int64").max)
    np.minimum.at(begun, case, plain_times(changes["performed_at"]).astype("int64"))
    is_creation = (changes["event_type"] == "Case.Created").to_numpy(dtype=bool)
    created = np.zeros(len(pairs), dtype=bool)
    created[case[is_creation]] = True
    now = 0 if as_of is None else (as_of - _EPOCH) // dt.timedelta(microseconds=1)
    ages = like(
        changes,
        {
            "case_id": held["case_id"].array,
            "status": like(changes, {"status": called})["status"].array.take(code),
            "age_hours": (now - begun[own]) / 3_600e6,
            "status_hours": held["hours"].to_numpy(dtype=float),
            "has_creation": created[own],
        },
    )
    by = {"age_hours": False, "case_id": True}
    return ages.sort_values([*by], ascending=[*by.values()], ignore_index=True)


def _cases(events: pd.DataFrame) -> tuple[Numbers, list[Any]]:
    """Return a number for each case, and the domain and id that it stands for."""
    domain, domains = factorized(events["domain_id"])
    case, ids = factorized(events["case_id"])
    pair = domain * len(ids) + case
    if len(domains) == 1:  # each of the ids is there
        return pair, [(domains[0], case_id) for case_id in ids]
    found, codes = np.unique(pair, return_inverse=True)
    return codes, [(domains[n // len(ids)], ids[n % len(ids)]) for n in found]


def _times(days: Numbers) -> Numbers:
    return np.round(days * 86_400e6).astype("int64").astype("datetime64[us]")
