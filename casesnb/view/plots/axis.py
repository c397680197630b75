"""Times on a plot: the clock of a zone, matplotlib's days, periods, and their axis."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from casesnb.view.plots.style import grid

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    Numbers = np.ndarray[Any, Any]

_DAY = 86_400e6  # in microseconds: matplotlib counts days


def plain_times(times: pd.Series[Any]) -> Numbers:
    """Return times as ``datetime64[us]`` of UTC."""
    return wall_times(times, dt.UTC)


def wall_times(times: pd.Series[Any], tz: dt.tzinfo) -> Numbers:
    """Return what a clock on the wall of a zone showed, as ``datetime64[us]``."""
    # Zone-aware times become objects on their way to numpy: 50 times slower.
    plain = times.dt.tz_convert(tz).dt.tz_localize(None)
    values: Numbers = plain.to_numpy("datetime64[us]")
    return values


def day_numbers(times: Numbers) -> Numbers:
    """Return times as matplotlib's days since 1970, NaN where missing."""
    values: Numbers = times.astype("datetime64[us]").astype("int64") / _DAY
    values[np.isnat(times)] = np.nan
    return values


def periods(times: Numbers, freq: str) -> tuple[Numbers, Numbers]:
    """Return the periods that times fall in, and which each falls in."""
    number, unit = _parts(freq)
    whole = times.astype(f"datetime64[{unit}]").astype("int64") // number
    first, last = whole.min(), whole.max()
    starts = (np.arange(first, last + 1) * number).astype(f"datetime64[{unit}]")
    return starts.astype("datetime64[us]"), whole - first


def days_of(freq: str) -> float:
    """Return how long a period is, in days."""
    number, unit = _parts(freq)
    return number * {"m": 1 / 1440, "h": 1 / 24, "D": 1.0, "W": 7.0, "M": 28.0}[unit]


def _parts(freq: str) -> tuple[int, str]:
    found = re.fullmatch(r"([1-9]\d*)(m|h|d|w|mo)", freq)
    if found is None:
        raise ValueError(
            f"freq={freq!r} is no period. Give a number and m, h, d, w or mo, such as "
            "'6h' or '1d'."
        )
    units = {"m": "m", "h": "h", "d": "D", "w": "W", "mo": "M"}
    return int(found[1]), units[found[2]]


class _Calendar(AutoDateLocator):
    """Ticks of a view, found once: a picture asks for them seven times."""

    _found: tuple[tuple[float, ...], Any] = ((), ())

    def __call__(self) -> Any:
        """Return the places of the ticks."""
        view = tuple(map(float, self.axis.get_view_interval()))  # type: ignore[union-attr]
        if self._found[0] != view:
            self._found = view, super().__call__()  # type: ignore[no-untyped-call]
        return self._found[1]


def time_axis(ax: Axes, tz: dt.tzinfo) -> None:
    """Give a plot a calendar along its foot."""
    locator = _Calendar(tz=tz, minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    dates = ConciseDateFormatter(locator, tz=tz)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(dates)
    grid(ax, "x")


def moment(when: float | dt.datetime, tz: dt.tzinfo) -> str:
    """Return a moment as text, to the minute."""
    if not isinstance(when, dt.datetime):
        when = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=when)
    return f"{when.astimezone(tz):%Y-%m-%d %H:%M}"


def span(first: float, last: float, tz: dt.tzinfo) -> str:
    """Return a stretch of time as text."""
    return f"{moment(first, tz)} to {moment(last, tz)} {tz}"
