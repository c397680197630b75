"""Pictures of the work: at which hours it is done, and who passes it to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from casesnb.analysis.actors import rhythm
from casesnb.tables.given import need_pandas
from casesnb.view.plot_page import INK, Drawing, finish, like, nothing, page
from casesnb.view.plot_time import zone
from casesnb.view.wording import counted, standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.axes import Axes

    Numbers = np.ndarray[Any, Any]

WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

SHADES = LinearSegmentedColormap.from_list(
    "casesnb", ["#f4f7fb", "#c7daf0", "#7fa8d9", "#3c6cb4", "#152f5e"]
)
"""From little to much: lighter to darker to every eye."""


def plot_rhythm(
    events: pd.DataFrame, *, ax: Axes | None = None, tz: str = "UTC"
) -> Axes:
    """Draw how many events fall on each weekday and hour.

    Parameters
    ----------
    events : DataFrame
        ``schema.EVENTS``.
    ax : Axes, optional
        Where to draw; a fresh figure otherwise.
    tz : str, default "UTC"
        The IANA zone whose weekdays and hours are meant.

    Returns
    -------
    Axes
        With one row per weekday and hour that has events as `drawn`.

    Raises
    ------
    ValueError
        If there is no such time zone.

    See Also
    --------
    casesnb.rhythm : The numbers behind it.
    """
    need_pandas(events)
    zone_ = zone(tz)
    counts = np.zeros((7, 24), dtype="int64")
    if len(events):
        hours = rhythm(events, tz=tz)
        at = hours["weekday"].to_numpy(dtype=int) - 1, hours["hour"].to_numpy(dtype=int)
        np.add.at(counts, at, hours["n_events"].to_numpy(dtype="int64"))
    ax = page(ax, height=3.3, left=0.6, top=0.55, bottom=0.75)
    title = f"When the work is done, {zone_} time"
    footer = f"{counted(len(events), 'event')} · {standing(events)}"

    def frame() -> pd.DataFrame:
        day, hour = np.nonzero(counts)
        columns = {"weekday": day + 1, "hour": hour, "n_events": counts[day, hour]}
        return like(events, columns)

    if events.empty:
        nothing(ax, "No event to draw.")
        return finish(ax, Drawing(title, frame, lambda: (), footer))
    grid_of(ax, counts)
    ax.set_yticks(range(7), list(WEEK))
    ax.set_xticks(range(0, 24, 2), [f"{hour:02}:00" for hour in range(0, 24, 2)])

    def lines() -> list[str]:
        said = []
        for day, of_day in zip(WEEK, counts, strict=True):
            most = f", most at {of_day.argmax():02}:00" if of_day.any() else ""
            said.append(f"{day}: {of_day.sum():,}{most}")
        return said

    return finish(ax, Drawing(title, frame, lines, footer))


def grid_of(
    ax: Axes, counts: Numbers, notes: Mapping[tuple[int, int], str] | None = None
) -> None:
    """Draw a matrix of counts, each written into its cell.

    Parameters
    ----------
    ax : Axes
        Where.
    counts : ndarray
        Rows from the top, columns from the left.
    notes : Mapping, optional
        What else to write into a cell, by its row and column.
    """
    most = max(int(counts.max()), 1)
    ax.imshow(
        np.sqrt(counts / most), cmap=SHADES, vmin=0, vmax=1, aspect="auto", zorder=1
    )
    n_rows, n_columns = counts.shape
    ends: dict[str, Any] = {"color": "white", "linewidth": 1.5, "zorder": 2}
    ax.hlines(np.arange(1, n_rows) - 0.5, -0.5, n_columns - 0.5, **ends)
    ax.vlines(np.arange(1, n_columns) - 0.5, -0.5, n_rows - 0.5, **ends)
    ax.spines["bottom"].set_visible(False)
    for row, column in zip(*np.nonzero(counts), strict=True):
        n = int(counts[row, column])
        text = f"{n:,}" if n < 10_000 else f"{n / 1000:,.0f}k"
        note = (notes or {}).get((row, column), "")
        dark = (n / most) ** 0.5 > 0.55
        ax.text(
            column,
            row,
            f"{text}\n{note}" if note else text,
            ha="center",
            va="center",
            fontsize=8,
            color="white" if dark else INK,
            zorder=3,
        )
