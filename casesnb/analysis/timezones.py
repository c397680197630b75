"""What a clock on the wall of a time zone shows, on every engine.

DuckDB and Spark cannot convert a column to a zone through Narwhals, so the zone's
changes of offset within the data are looked up and folded into one expression.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import narwhals as nw

from casesnb.tables.arguments import moment
from casesnb.tables.frames import TIME, instant, need_wall, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_PERIOD = re.compile(r"(\d*)(m|h|d|w|mo|q|y)")


def wall(frame: Any, column: str, tz: str | dt.tzinfo) -> nw.Expr:
    """Return a column's times as the wall of a zone showed them."""
    at = nw.col(column)
    changes = () if str(tz) == "UTC" else _changes(frame, column, tz)
    if not changes:
        return at
    shown = _later(at, changes[0][1])
    for since, offset in changes[1:]:
        is_since = at >= instant(frame, since)
        shown = nw.when(is_since).then(_later(at, offset)).otherwise(shown)
    return shown


def _at(
    frame: Any,
    wall: nw.Expr,
    changes: Sequence[tuple[dt.datetime, dt.timedelta]],
) -> nw.Expr:
    """Return when the wall first showed a time; after a jump that skipped it."""
    at = _later(wall, -changes[0][1])
    for (_, before), (since, offset) in pairwise(changes):
        showed = instant(frame, since + max(before, offset))
        at = nw.when(wall >= showed).then(_later(wall, -offset)).otherwise(at)
    return at


def _changes(
    frame: Any, column: str, tz: str | dt.tzinfo, before: dt.timedelta = dt.timedelta()
) -> tuple[tuple[dt.datetime, dt.timedelta], ...]:
    """Return a zone's offsets while a column's times last, and `before` them."""
    zone(tz)  # there may be no time to ask it for
    at = nw.col(column)
    (span,) = rows_of(frame.select(first=at.min(), last=at.max()))
    if span["first"] is None:
        return ()
    first, last = (moment(span[end]).replace(microsecond=0) for end in span)
    return offsets(tz, first - before, last)


def _later(at: nw.Expr, offset: dt.timedelta) -> nw.Expr:
    # Offsets before 1972 have odd seconds; none since then has.
    return at.dt.offset_by(f"{offset // dt.timedelta(minutes=1)}m")


@lru_cache(maxsize=64)
def offsets(
    tz: str | dt.tzinfo, first: dt.datetime, last: dt.datetime
) -> tuple[tuple[dt.datetime, dt.timedelta], ...]:
    """Return a zone's offsets from UTC from `first` to `last`."""
    there = zone(tz)

    def offset(at: dt.datetime) -> dt.timedelta:
        return at.astimezone(there).utcoffset() or dt.timedelta()

    # Clocks change at whole seconds: between two of them nothing is to be found.
    first, last = (at.replace(microsecond=0) for at in (first, last))
    found = [(first, offset(first))]
    here, day = first, dt.timedelta(days=1)
    while here < last:
        after = min(here + day, last)
        if offset(after) != offset(here):
            low, high = here, after  # the change is after low, at or before high
            while high - low > dt.timedelta(seconds=1):
                middle = low + (high - low) // 2
                middle = middle.replace(microsecond=0)
                low, high = (
                    (middle, high) if offset(middle) == offset(here) else (low, middle)
                )
            found.append((high, offset(high)))
        here = after
    return tuple(found)


def zone(tz: str | dt.tzinfo) -> dt.tzinfo:
    """Return a time zone by its name."""
    try:
        return tz if isinstance(tz, dt.tzinfo) else ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError, AttributeError):
        raise ValueError(
            f"There is no time zone {tz!r}. Name one as IANA does: 'Europe/Berlin'."
        ) from None


def with_period(frame: Any, column: str, freq: str, tz: str | dt.tzinfo = "UTC") -> Any:
    """Return the rows with when the period began in which each one's time lies."""
    need_wall(frame)
    if str(tz) == "UTC":
        return frame.with_columns(period_at=_began(frame, nw.col(column), freq))
    # A period may have begun before the first time that lies in it, by a year at most.
    changes = _changes(frame, column, tz, before=dt.timedelta(days=367))
    frame = frame.with_columns(period_at=wall(frame, column, tz))
    frame = frame.with_columns(period_at=_began(frame, nw.col("period_at"), freq))
    return (
        frame.with_columns(period_at=_at(frame, nw.col("period_at"), changes))
        if changes
        else frame
    )


def periods(
    start: dt.datetime, end: dt.datetime, freq: str, tz: str | dt.tzinfo = "UTC"
) -> list[tuple[dt.datetime, dt.datetime, dt.datetime]]:
    """Return when each period in a span began, and from when to when it lies in it."""
    number, unit = _parts(freq)
    there = zone(tz)

    def begun(at: dt.datetime) -> dt.datetime:
        return _wall_truncated(at.astimezone(there).replace(tzinfo=None), number, unit)

    def first(wall: dt.datetime, fold: int = 0) -> dt.datetime:
        return wall.replace(tzinfo=there, fold=fold).astimezone(dt.UTC)

    # Where a clock is put back its wall shows hours for a second time.
    day = dt.timedelta(days=1)
    bounds = {start, *(since for since, _ in offsets(tz, start, end))}
    wall, last = begun(start - day), begun(end) + day
    while wall <= last:
        bounds |= {first(wall), first(wall, 1)}
        wall = _wall_next(wall, number, unit)
    inside = sorted(at for at in bounds if start <= at < end)
    found: list[tuple[dt.datetime, dt.datetime, dt.datetime]] = []
    for since, until in pairwise([*inside, end]):
        period = first(begun(since))
        if found and found[-1][0] == period:
            period, since, _ = found.pop()
        elif found and found[-1][0] > period:
            period = since  # minutes shown again, with others between
        found.append((period, since, until))
    return found


def _wall_truncated(at: dt.datetime, number: int, unit: str) -> dt.datetime:
    if unit == "m":
        return at.replace(minute=at.minute // number * number, second=0, microsecond=0)
    if unit == "h":
        return at.replace(
            hour=at.hour // number * number, minute=0, second=0, microsecond=0
        )
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "w":
        return day - dt.timedelta(days=day.weekday())
    month = {"d": day.month, "mo": day.month, "q": (day.month - 1) // 3 * 3 + 1}
    return day if unit == "d" else day.replace(month=month.get(unit, 1), day=1)


def _wall_next(at: dt.datetime, number: int, unit: str) -> dt.datetime:
    if unit in {"mo", "q", "y"}:
        month = at.month - 1 + {"mo": 1, "q": 3, "y": 12}[unit]
        return at.replace(year=at.year + month // 12, month=month % 12 + 1)
    step = {"m": {"minutes": number}, "h": {"hours": number}, "d": {"days": 1}}
    return at + dt.timedelta(**step.get(unit, {"days": 7}))


def _began(frame: Any, at: nw.Expr, freq: str) -> nw.Expr:
    if not frame.implementation.is_pyarrow():
        return _truncated(at, freq)
    # Arrow looks a zone's rules up for each time, even UTC's: ten times as slow.
    return _truncated(at.cast(nw.Datetime("us")), freq).cast(TIME)


def _parts(freq: str) -> tuple[int, str]:
    """Return the number and the unit of a period."""
    match = _PERIOD.fullmatch(str(freq))
    number = int(match[1] or 1) if match else 0
    unit = match[2] if match else ""
    if not number or {"m": 60, "h": 24}.get(unit, 1) % number:
        raise ValueError(
            f"freq={freq!r} is not a period. Give 1m, 1h, 1d, 1w, 1mo, 1q or 1y, or "
            "minutes that divide an hour (15m) or hours that divide a day (6h)."
        )
    return number, unit


def _truncated(at: nw.Expr, freq: str) -> nw.Expr:
    number, unit = _parts(freq)
    if unit in {"mo", "q", "y"}:
        return at.dt.truncate(f"1{unit}")
    if unit == "w":
        number, unit, place = 7, "d", weekday(at) - 1
    elif unit == "m":
        place = at.dt.minute()
    else:
        place = at.dt.hour()
    # DuckDB and Spark truncate to one unit only: go back to the one that begins it.
    began = shown = at.dt.truncate(f"1{unit}")
    for back in range(1, number):
        shown = (
            nw.when(place % number == back)
            .then(began.dt.offset_by(f"-{back}{unit}"))
            .otherwise(shown)
        )
    return shown


def weekday(at: nw.Expr) -> nw.Expr:
    """Return the day of the week, 1 for Monday to 7 for Sunday."""
    # Spark's Sunday is 0, that of the others 7.
    return (at.dt.weekday().cast(nw.Int64) + 6) % 7 + 1


def micros_between(frame: Any, start: str, end: str) -> nw.Expr:
    """Return the microseconds from one column's time to another's."""
    if frame.implementation.is_pandas_like():
        # Narwhals takes total_microseconds from seconds, at times one too few.
        return nw.col(end).dt.timestamp("us") - nw.col(start).dt.timestamp("us")
    if not frame.implementation.is_spark_like():
        return (nw.col(end) - nw.col(start)).dt.total_microseconds()
    # Spark through Narwhals has no durations: a time as a number is its seconds.
    seconds = nw.col(end).cast(nw.Int64) - nw.col(start).cast(nw.Int64)
    rest = nw.col(end).dt.microsecond() - nw.col(start).dt.microsecond()
    return seconds * 1_000_000 + rest


def in_hours(micros: nw.Expr) -> nw.Expr:
    """Return microseconds as hours."""
    return micros.cast(nw.Float64) / 3.6e9


def hours_between(frame: Any, start: str, end: str) -> nw.Expr:
    """Return the hours from one column's time to another's."""
    return in_hours(micros_between(frame, start, end))
