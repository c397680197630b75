"""Pictures of the work: who did how much of it when, and at which hours."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from casesnb.analysis.actors import rhythm
from casesnb.analysis.timezones import zone
from casesnb.tables.frames import to_pandas
from casesnb.tables.schema import EVENTS
from casesnb.view.plots.axis import (
    day_numbers,
    days_of,
    moment,
    periods,
    time_axis,
    wall_times,
    when,
)
from casesnb.view.plots.colours import inks_of
from casesnb.view.plots.labels import apart
from casesnb.view.plots.style import (
    INK,
    KINDS,
    OTHER,
    Drawing,
    area,
    boxes,
    count_axis,
    factorized,
    finish,
    like,
    nothing,
    page,
    paper,
    patches,
    place_legend,
    sentences,
    top_or_other,
)
from casesnb.view.plots.values import unlike
from casesnb.view.wording import actor_names, counted, is_missing, whose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from narwhals.typing import IntoFrame

    from casesnb.tables.history import History
    from casesnb.view.plots.style import Ink

    Numbers = np.ndarray[Any, Any]

_SMALLEST = 4.5  # points of a number in a cell

WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

SHADES = LinearSegmentedColormap.from_list(
    "casesnb", ["#f4f7fb", "#c7daf0", "#7fa8d9", "#3c6cb4", "#152f5e"]
)
"""From little to much: lighter to darker to every eye."""


def plot_activity(
    history: History[Any] | IntoFrame,
    /,
    *,
    ax: Axes | None = None,
    by: Literal["actor_kind", "actor"] = "actor_kind",
    freq: str | None = None,
    top: int = 6,
    tz: str | dt.tzinfo = "UTC",
    title: str | None = None,
) -> Axes:
    """Draw how many events there were over time, stacked by who acted.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its events alone (``schema.EVENTS``), of any engine, of one
        case or a million.
    ax : Axes, optional
        Where to draw; a fresh figure otherwise.
    by : {"actor_kind", "actor"}, default "actor_kind"
        What the bars are made of.
    freq : str, optional
        How long a bar is, such as ``1h``, ``1d``, ``1w`` or ``1mo``; one that suits
        the span otherwise. Weeks begin on Monday.
    top : int, default 6
        The most actors to tell apart; the rest become "other (n)".
    tz : str or tzinfo, default "UTC"
        The zone whose hours, days and months the bars are.
    title : str, optional
        What stands above the picture; what it is of and its largest number
        otherwise.

    Returns
    -------
    Axes
        With one row per bar and part as `plot_data`.

    Raises
    ------
    ValueError
        If there is no such time zone, `by` is neither, or `top` is below 1.

    See Also
    --------
    casesnb.actors.actor_activity : The numbers behind it.
    """
    events = to_pandas(history, EVENTS)
    if by not in {"actor_kind", "actor"}:
        raise ValueError(f"by={by!r} is neither 'actor_kind' nor 'actor'.")
    if top < 1:
        raise ValueError(f"top={top} leaves nothing to draw. Give 1 or more.")
    zone_ = zone(tz)
    ax = page(ax, height=3.3, left=0.6)
    about = f"Activity in {whose(events, 'no case')}"
    if events.empty:
        nothing(ax, "No event in this history.")
        none = like(events, {"period": [], "part": [], "n_events": []})
        footer = sentences(history, "0 events")
        return finish(ax, Drawing(about, lambda: none, lambda: (), footer), title=title)
    first, last = events["performed_at"].min(), events["performed_at"].max()
    freq = freq or _suiting((last - first).total_seconds() / 86_400)
    codes, found = factorized(events[by])
    found = ["unknown" if is_missing(name) else name for name in found]
    weight = dict(zip(found, np.bincount(codes, minlength=len(found)), strict=True))
    if by == "actor":
        kept, rest = top_or_other(weight, top)
    else:
        kept, rest = [kind for kind in KINDS if kind in weight], []
        kept += sorted(set(weight) - set(kept))
    other = f"{OTHER} ({len(rest)})"
    parts = [*kept, other] if rest else kept
    place = {name: i for i, name in enumerate(kept)}
    part = np.array([place.get(name, len(kept)) for name in found])[codes]
    starts, bar = periods(wall_times(events["performed_at"], zone_), freq)
    counts = np.bincount(bar * len(parts) + part, minlength=len(starts) * len(parts))
    counts = counts.reshape(len(starts), len(parts)).T
    names = unlike(actor_names(events)) if by == "actor" else {}
    labels = [names.get(name, name) for name in parts]
    inks = (
        [
            KINDS.get(kind, KINDS["unknown"])._replace(
                label=KINDS[kind].label if kind in KINDS else kind
            )
            for kind in parts
        ]
        if by == "actor_kind"
        else inks_of("actor", labels[: len(kept)], rest=other if rest else "")
    )
    _draw_bars(ax, starts, counts, inks, freq)
    time_axis(ax, dt.UTC)  # the wall's own time: no zone turns it again
    count_axis(ax, "events")
    bars = counts.sum(axis=0)
    busiest = when(starts[bars.argmax()], freq)
    about += f": most {busiest}, {counted(int(bars.max()), 'event')}"
    footer = sentences(
        history,
        f"{counted(len(events), 'event')} from {moment(first, zone_)} to "
        f"{moment(last, zone_)} {zone_}",
        f"One bar is {freq}",
    )

    def frame() -> pd.DataFrame:
        at, which = np.nonzero(counts.T)
        return like(
            events,
            {
                "period": starts[at],
                "part": [labels[i] for i in which],
                "n_events": counts.T[at, which],
            },
        )

    def lines() -> list[str]:
        said = [
            f"{name}: {of_part.sum():,} in {counted(int((of_part > 0).sum()), 'bar')}"
            for name, of_part in zip(
                apart([ink.label for ink in inks], 40), counts, strict=True
            )
        ]
        return [*said, f"most in one bar: {bars.max():,}, {busiest}"]

    return finish(ax, Drawing(about, frame, lines, footer), title=title)


def _draw_bars(
    ax: Axes, starts: Numbers, counts: Numbers, inks: Sequence[Ink], freq: str
) -> None:
    x, wide = day_numbers(starts), days_of(freq)
    base = np.zeros(len(x))
    for height, ink in zip(counts, inks, strict=True):
        some = height > 0
        ends = x[some], x[some] + wide * 0.94, base[some], (base + height)[some]
        boxes(ax, *ends, **area(ink), zorder=2)
        base += height
    room = max((x.max() + wide - x.min()) * 0.01, wide * 0.1)
    ax.set_xlim(x.min() - room, x.max() + wide + room)
    ax.set_ylim(0, base.max() * 1.08)
    place_legend(ax, patches(inks))


def _suiting(n_days: float) -> str:
    for limit, freq in ((0.15, "5m"), (3, "1h"), (14, "6h"), (150, "1d")):
        if n_days <= limit:
            return freq
    return "1mo"


def plot_rhythm(
    history: History[Any] | IntoFrame,
    /,
    *,
    ax: Axes | None = None,
    tz: str | dt.tzinfo = "UTC",
    title: str | None = None,
) -> Axes:
    """Draw how many events fall on each weekday and hour.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its events alone (``schema.EVENTS``), of any engine.
    ax : Axes, optional
        Where to draw; a fresh figure otherwise.
    tz : str or tzinfo, default "UTC"
        The zone whose weekdays and hours are meant.
    title : str, optional
        What stands above the picture; what it is of and its largest number
        otherwise.

    Returns
    -------
    Axes
        With one row per weekday and hour that has events as `plot_data`.

    Raises
    ------
    ValueError
        If there is no such time zone.

    See Also
    --------
    casesnb.actors.rhythm : The numbers behind it.
    """
    events = to_pandas(history, EVENTS)
    zone_ = zone(tz)
    counts = np.zeros((7, 24), dtype="int64")
    if len(events):
        hours = rhythm(events, tz=tz)
        at = hours["weekday"].to_numpy(dtype=int) - 1, hours["hour"].to_numpy(dtype=int)
        np.add.at(counts, at, hours["n_events"].to_numpy(dtype="int64"))
    ax = page(ax, height=3.3, left=0.6, top=0.55, bottom=0.75)
    about = f"When the work is done, {zone_} time"
    footer = sentences(history, counted(len(events), "event"))

    def frame() -> pd.DataFrame:
        day, hour = np.nonzero(counts)
        columns = {"weekday": day + 1, "hour": hour, "n_events": counts[day, hour]}
        return like(events, columns)

    if events.empty:
        nothing(ax, "No event to draw.")
        return finish(ax, Drawing(about, frame, lambda: (), footer), title=title)
    day, hour = divmod(int(counts.argmax()), 24)
    about += f": most on {WEEK[day]} at {hour:02}:00, {counted(counts.max(), 'event')}"
    grid_of(ax, counts)
    ax.set_yticks(range(7), list(WEEK))
    step = 2 if ax.bbox.width / ax.figure.dpi > 5 else 6
    ax.set_xticks(range(0, 24, step), [f"{hour:02}:00" for hour in range(0, 24, step)])

    def lines() -> list[str]:
        said = []
        for day, of_day in zip(WEEK, counts, strict=True):
            most = f", most at {of_day.argmax():02}:00" if of_day.any() else ""
            said.append(f"{day}: {of_day.sum():,}{most}")
        return said

    return finish(ax, Drawing(about, frame, lines, footer), title=title)


def grid_of(
    ax: Axes, counts: Numbers, notes: Mapping[tuple[int, int], str] | None = None
) -> None:
    """Draw a matrix of counts, each written into its cell."""
    most = max(int(counts.max()), 1)
    ax.imshow(
        np.sqrt(counts / most), cmap=SHADES, vmin=0, vmax=1, aspect="auto", zorder=1
    )
    n_rows, n_columns = counts.shape
    ends: dict[str, Any] = {"color": paper(ax).ground, "linewidth": 1.5, "zorder": 2}
    ax.hlines(np.arange(1, n_rows) - 0.5, -0.5, n_columns - 0.5, **ends)
    ax.vlines(np.arange(1, n_columns) - 0.5, -0.5, n_rows - 0.5, **ends)
    ax.spines["bottom"].set_visible(False)
    wide, high = (size / ax.figure.dpi * 72 for size in ax.bbox.size)
    for row, column in zip(*np.nonzero(counts), strict=True):
        n = int(counts[row, column])
        text = f"{n:,}" if n < 10_000 else f"{n / 1000:,.0f}k"
        note = (notes or {}).get((row, column), "")
        if high / n_rows < 22:
            note = ""
        letters = max(len(text), len(note))
        size = min(8.0, wide / n_columns / (0.64 * letters), high / n_rows * 0.8)
        if size < _SMALLEST:  # what no eye reads is not written
            continue
        dark = (n / most) ** 0.5 > 0.55
        ax.text(
            column,
            row,
            f"{text}\n{note}" if note else text,
            ha="center",
            va="center",
            fontsize=size,
            color="white" if dark else INK,
            zorder=3,
        )
