"""Times on a plot: the clock of a zone, matplotlib's days, periods, and their axis."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from casesnb.analysis.timezones import offsets
from casesnb.view.plots.style import grid

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    Numbers = np.ndarray[Any, Any]

_DAY = 86_400e6  # in microseconds: matplotlib counts days
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MONDAY = np.timedelta64(3, "D")  # from a week's Monday to the Thursday in it
_SHOWN = {"D": "%Y-%m-%d", "W": "%Y-%m-%d", "M": "%Y-%m"}

_TENS = tuple(n * 10**power for power in range(3) for n in (1, 2, 5))
_UNITS = (  # hours of each, and how many of it are a tick
    (1 / 3.6e9, "µs", _TENS),
    (1 / 3.6e6, "ms", _TENS),
    (1 / 3600, "s", (1, 2, 4, 8, 15, 30)),
    (1 / 60, "min", (1, 2, 4, 8, 15, 30)),
    (1.0, "h", (1, 2, 4, 8, 12)),
    (24.0, "d", (1, 2, 4)),
    (168.0, "w", (1, 2)),
    (730.0, "mo", (1, 2, 3, 6)),
    (8766.0, "y", (1, 2, 4, 8, 16, 32, 64, 128)),
)
_SHORT_STEPS = [(n * each, f"{n} {unit}") for each, unit, of in _UNITS for n in of]
_LENGTHS = [tick for tick in _SHORT_STEPS if tick[1].startswith("1 ")]
_LEAST = 5.0  # how much longer the end of an axis of durations is than its beginning


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


def day_number(at: dt.datetime) -> float:
    """Return a moment as matplotlib's days since 1970."""
    return (at - _EPOCH) / dt.timedelta(days=1)


def periods(times: Numbers, freq: str) -> tuple[Numbers, Numbers]:
    """Return the periods that times fall in, and which each falls in."""
    number, unit = _parts(freq)
    # numpy's weeks begin on the Thursday that 1970 began with.
    later = _MONDAY if unit == "W" else np.timedelta64(0, "us")
    whole = (times + later).astype(f"datetime64[{unit}]").astype("int64") // number
    first, last = whole.min(), whole.max()
    starts = (np.arange(first, last + 1) * number).astype(f"datetime64[{unit}]")
    return starts.astype("datetime64[us]") - later, whole - first


def ends_of(starts: Numbers, freq: str, tz: dt.tzinfo) -> Numbers:
    """Return when the periods of a zone end that began at `starts`, times of UTC."""
    number, unit = _parts(freq)
    first, last = (
        _at(day) + dt.timedelta(days=far)
        for day, far in ((starts.min(), -3), (starts.max(), 3 + days_of(freq) * 1.2))
    )
    shifts = offsets(tz, first, last)
    since = np.array([_plain(at) for at, _ in shifts])
    ahead = np.array([np.timedelta64(offset) for _, offset in shifts])
    of_start = np.searchsorted(since, starts, side="right") - 1
    walls = starts + ahead[np.maximum(of_start, 0)]
    if unit == "M":
        walls = (walls.astype("datetime64[M]") + number).astype("datetime64[us]")
    else:
        walls = walls + np.timedelta64(number, unit)
    ends = walls - ahead[0]
    for n in range(1, len(shifts)):
        # When its clock showed a time for the first time.
        showed = since[n] + max(ahead[n - 1], ahead[n])
        ends = np.where(walls >= showed, walls - ahead[n], ends)
    found: Numbers = ends.astype("datetime64[us]")
    return found


def days_of(freq: str) -> float:
    """Return how long a period is, in days."""
    number, unit = _parts(freq)
    return number * {"m": 1 / 1440, "h": 1 / 24, "D": 1.0, "W": 7.0, "M": 28.0}[unit]


def length_of(freq: str) -> str:
    """Return what a period is called: a day, or several."""
    number, unit = _parts(freq)
    name = {"m": "minute", "h": "hour", "D": "day", "W": "week", "M": "month"}[unit]
    return name if number == 1 else f"{number} {name}s"


def when(start: Numbers, freq: str) -> str:
    """Return the period that begins at a time of a wall as words of a sentence."""
    number, unit = _parts(freq)
    at = _at(start)
    text = f"{at:{_SHOWN.get(unit, '%Y-%m-%d %H:%M')}}"
    if number > 1 or unit in {"m", "h"}:
        return f"in the {length_of(freq)} from {text}"
    return f"{({'D': 'on', 'W': 'in the week of', 'M': 'in'})[unit]} {text}"


def date_of(end: float, freq: str, tz: dt.tzinfo) -> str:
    """Return when a period of a zone ended as words of a sentence."""
    if _parts(freq)[1] in {"m", "h"}:
        return f"at {moment(end, tz)}"
    at = _EPOCH + dt.timedelta(days=end)
    # At midnight it is the day before that has ended.
    return f"on {at.astimezone(tz) - dt.timedelta(microseconds=1):%Y-%m-%d}"


def _at(time: Any) -> dt.datetime:
    """Return a time of numpy as one of UTC."""
    plain: dt.datetime = time.astype("datetime64[us]").item()
    return plain.replace(tzinfo=dt.UTC)


def _plain(at: dt.datetime) -> Any:
    return np.datetime64(at.astimezone(dt.UTC).replace(tzinfo=None), "us")


def _parts(freq: str) -> tuple[int, Any]:
    found = re.fullmatch(r"([1-9]\d*|)(m|h|d|w|mo|q|y)", freq)
    if found is None:
        raise ValueError(
            f"freq={freq!r} is no period. Give a number and m, h, d, w, mo, q or y, "
            "such as '6h' or '1d'."
        )
    units = {"m": "m", "h": "h", "d": "D", "w": "W", "mo": "M", "q": "M", "y": "M"}
    months = {"q": 3, "y": 12}
    return int(found[1] or 1) * months.get(found[2], 1), units[found[2]]


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


def duration_axis(ax: Axes, low: float, high: float) -> None:
    """Give a plot lengths of time along its foot, in hours and on a log scale."""
    if high < _LEAST * low:  # or there may be no two ticks between
        middle = (low * high) ** 0.5
        low, high = middle / _LEAST**0.5, middle * _LEAST**0.5
    ticks = [tick for tick in _LENGTHS if low < tick[0] < high]
    if len(ticks) < 3:
        ticks = [tick for tick in _SHORT_STEPS if low < tick[0] < high]
        ticks = ticks[:: 1 + len(ticks) // 12]
    ax.set_xscale("log")
    ax.set_xticks([at for at, _ in ticks], [text for _, text in ticks])
    ax.set_xticks([], minor=True)
    ax.set_xlim(low, high)
    grid(ax, "x")


def moment(when: float | dt.datetime, tz: dt.tzinfo) -> str:
    """Return a moment as text, to the minute."""
    if not isinstance(when, dt.datetime):
        when = _EPOCH + dt.timedelta(days=when)
    return f"{when.astimezone(tz):%Y-%m-%d %H:%M}"


def span(first: float, last: float, tz: dt.tzinfo) -> str:
    """Return a stretch of time as text."""
    return f"{moment(first, tz)} to {moment(last, tz)} {tz}"
