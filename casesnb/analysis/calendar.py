"""Hours of work: working time beside clock time, right across daylight saving."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import narwhals as nw

from casesnb.analysis.timezones import in_hours, micros_between, offsets, wall
from casesnb.tables.arguments import moment
from casesnb.tables.frames import as_moments, instant, need_zone, rows_of, whole

if TYPE_CHECKING:
    from collections.abc import Collection

    from narwhals.typing import IntoFrameT

_DAY = 86_400_000_000
_WEEK = 7 * _DAY
_MONDAY = dt.datetime(1970, 1, 5, tzinfo=dt.UTC)
_MICRO = dt.timedelta(microseconds=1)
# Names that no column of a user's has.
_SHOWN, _BEGAN, *_UNTIL = (f"casesnb working {n}" for n in range(4))

_HOURS = "hours by weekday, as in {1: ('09:00', '17:30')}"

OFFICE = dict.fromkeys(range(1, 6), ("09:00", "17:00"))
"""Monday to Friday, nine to five."""


@dataclass(frozen=True)
class Calendar:
    """Hours of work: by weekday, less holidays, on the wall of one time zone.

    Parameters
    ----------
    hours : mapping of int to (str, str) or to a list of such pairs
        By weekday, 1 for Monday to 7 for Sunday: from when to when, such as
        ``("09:00", "17:30")``; ``"24:00"`` ends a day. A day that is not in it
        is free.
    tz : str, default "UTC"
        The IANA time zone.
    holidays : collection of date
        Days without work.

    Raises
    ------
    TypeError
        If hours or holidays are of another kind.
    ValueError
        If hours are not in order, or there is no such zone.

    Examples
    --------
    >>> berlin = Calendar(tz="Europe/Berlin", holidays=[dt.date(2026, 4, 3)])
    >>> berlin.spans_of(dt.date(2026, 4, 2))  # microseconds of the day
    ((32400000000, 61200000000),)
    >>> berlin.spans_of(dt.date(2026, 4, 3))
    ()
    """

    hours: Mapping[int, Any] = field(default_factory=lambda: dict(OFFICE))
    tz: str = "UTC"
    holidays: Collection[dt.date] = ()

    def __post_init__(self) -> None:
        offsets(self.tz, _MONDAY, _MONDAY)
        object.__setattr__(self, "holidays", _days(self.holidays))
        if not isinstance(self.hours, Mapping):
            raise TypeError(f"hours={self.hours!r}: give {_HOURS}.")
        for day in self.hours:
            if day not in range(1, 8):
                raise ValueError(f"{day!r} is no weekday: give 1 (Monday) to 7.")
            try:
                spans = self._spans(day)
            except (TypeError, AttributeError):
                raise TypeError(
                    f"The hours of weekday {day} are {self.hours[day]!r}: give {_HOURS}."
                ) from None
            within = all(start < end <= _DAY for start, end in spans)
            if not within or any(a[1] > b[0] for a, b in pairwise(spans)):
                raise ValueError(
                    f"The hours of weekday {day} are not in order: {self.hours[day]!r}. "
                    "Give spans that follow each other, up to '24:00'."
                )

    def _spans(self, weekday: int) -> tuple[tuple[int, int], ...]:
        told = self.hours.get(weekday, ())
        if len(told) and isinstance(told[0], str):
            told = [told]
        if any(isinstance(span, str) or len(span) != 2 for span in told):
            raise TypeError
        return tuple((_of_day(start), _of_day(end)) for start, end in told)

    def spans_of(self, day: dt.date) -> tuple[tuple[int, int], ...]:
        """Return a day's spans of work.

        Parameters
        ----------
        day : date
            The day.

        Returns
        -------
        tuple of (int, int)
            From and to, in microseconds of the day.
        """
        return () if day in self.holidays else self._spans(day.isoweekday())

    def weekly(self) -> tuple[tuple[int, int], ...]:
        """Return a week's spans of work, holidays not heeded.

        Returns
        -------
        tuple of (int, int)
            From and to, in microseconds since Monday began.
        """
        return tuple(
            ((day - 1) * _DAY + start, (day - 1) * _DAY + end)
            for day in range(1, 8)
            for start, end in self._spans(day)
        )


def _days(holidays: Any) -> tuple[dt.date, ...]:
    """Return holidays as plain dates, in order."""
    try:
        days = [day.date() if isinstance(day, dt.datetime) else day for day in holidays]
    except TypeError:
        days = [None]
    for day in days:
        if not isinstance(day, dt.date):
            raise TypeError(
                f"holidays={holidays!r}: give dates, as in [date(2026, 4, 3)]."
            )
    return tuple(sorted({*days}))


def _of_day(text: str) -> int:
    hour, _, minute = text.partition(":")
    if not (hour.isdigit() and minute.isdigit() and int(minute) < 60):
        raise ValueError(f"{text!r} is no time of day: give it as '09:00'.")
    return (int(hour) * 60 + int(minute)) * 60_000_000


def with_working_hours(
    frame: IntoFrameT,
    calendar: Calendar,
    *,
    start: str,
    end: str,
    hours: str = "working_hours",
) -> IntoFrameT:
    """One row per row of `frame`, with the hours of work between two of its times.

    For any table that has both, such as `case_summary`: how long from a case's
    creation to the first touch, nights and holidays left out.

    Parameters
    ----------
    frame : DataFrame
        With both columns, in pandas, Polars, DuckDB or PySpark.
    calendar : Calendar
        The hours of work.
    start, end : str
        Columns of times with a zone; they are told in UTC then.
    hours : str, default "working_hours"
        The column to add.

    Returns
    -------
    DataFrame
        The columns of `frame`, its order and its index, and `hours`, float64:
        missing where one of the times is, negative where the end comes first.

    Raises
    ------
    ValueError
        If `frame` lacks a column, or has `hours` already, or a time has no zone.

    Examples
    --------
    >>> import pandas as pd
    >>> friday = pd.Timestamp("2026-03-06 16:00", tz="UTC")
    >>> waits = pd.DataFrame({"asked_at": [friday], "done_at": [friday]})
    >>> waits["done_at"] += pd.Timedelta(days=3)
    >>> office = Calendar()  # Monday to Friday, nine to five, UTC
    >>> waits = with_working_hours(waits, office, start="asked_at", end="done_at")
    >>> waits["working_hours"].tolist()
    [8.0]
    """
    rows = whole(frame)
    names = rows.collect_schema().names()
    if missing := sorted({start, end} - set(names)):
        raise ValueError(
            f"No column {missing[0]!r} here. Name two of: {', '.join(names)}."
        )
    if hours in names:
        raise ValueError(f"{hours!r} is there already. Name another with hours=.")
    times = {"start": start, "end": end}
    need_zone(rows, start)
    need_zone(rows, end)
    rows = whole(frame, start, end)
    worked = with_work(rows, calendar, **times, hours=hours, micros=_SHOWN)
    worked = as_moments(worked.select(*names, hours), frame)
    return cast("IntoFrameT", worked.to_native())


def need_calendar(given: object) -> None:
    """Refuse what is no calendar."""
    if not isinstance(given, Calendar):
        raise TypeError(
            f"calendar={given!r} is no Calendar. Give cn.Calendar(), or one with "
            "your hours: cn.Calendar({1: ('08:00', '18:00')}, tz='Europe/Berlin')."
        )


def with_work(
    frame: Any,
    calendar: Calendar,
    *,
    start: str,
    end: str,
    hours: str = "working_hours",
    micros: str = "working_micros",
) -> Any:
    """Return the rows with the hours of work between two of their times."""
    need_calendar(calendar)
    one, other = nw.col(start), nw.col(end)
    (span,) = rows_of(
        frame.select(a=one.min(), b=other.min(), c=one.max(), d=other.max())
    )
    told = [_utc(at) for at in span.values() if at is not None] or [_MONDAY]
    first, last = min(told), max(told)
    for name, worked in ((start, _UNTIL[0]), (end, _UNTIL[1])):
        frame = _with_worked(frame, calendar, name, first, last, worked)
    until_start, until_end = map(nw.col, _UNTIL)
    frame = frame.with_columns(**{micros: until_end - until_start})
    return frame.with_columns(**{hours: in_hours(nw.col(micros))}).drop(*_UNTIL)


def _utc(value: dt.datetime) -> dt.datetime:
    return moment(value if value.tzinfo else value.replace(tzinfo=dt.UTC))


def _with_worked(
    frame: Any,
    calendar: Calendar,
    name: str,
    first: dt.datetime,
    last: dt.datetime,
    to: str,
) -> Any:
    """Return the rows with the microseconds worked since 1970, up to a time."""
    weekly = calendar.weekly()
    total = sum(end - start for start, end in weekly)
    frame = frame.with_columns(
        **{_SHOWN: wall(frame, name, calendar.tz), _BEGAN: instant(frame, _MONDAY)}
    )
    # A missing time is worked out as any other and left out at the end.
    micros = micros_between(frame, _BEGAN, _SHOWN).fill_null(0).cast(nw.Int64)
    frame = frame.with_columns(**{_SHOWN: micros})
    shown = nw.col(_SHOWN)
    place = shown % _WEEK
    worked = ((shown - place) / _WEEK).cast(nw.Int64) * total
    for start, end in weekly:
        worked = worked + _within(place, start, end)
    for start, end in _free(calendar, first, last):
        worked = worked - _within(shown, start, end)
    for since, jump in _jumps(calendar, first, last):
        is_since = nw.col(name) >= instant(frame, since)
        worked = worked + nw.when(is_since).then(nw.lit(jump)).otherwise(nw.lit(0))
    known = ~nw.col(name).is_null()
    worked = nw.when(known).then(worked)
    return frame.with_columns(**{to: worked}).drop(_SHOWN, _BEGAN)


def _within(place: nw.Expr, start: int, end: int) -> nw.Expr:
    """How much of the span from `start` to `end` has passed at `place`."""
    passed = nw.when(place <= start).then(nw.lit(0)).otherwise(place - start)
    return nw.when(place >= end).then(nw.lit(end - start)).otherwise(passed)


def _free(
    calendar: Calendar, first: dt.datetime, last: dt.datetime
) -> list[tuple[int, int]]:
    """Return the spans of work that holidays take out, on the wall since 1970."""
    day = dt.timedelta(days=1)
    out = []
    for holiday in calendar.holidays:
        if first.date() - day <= holiday <= last.date() + day:
            midnight = (holiday - _MONDAY.date()) // _MICRO
            spans = calendar._spans(holiday.isoweekday())
            out += [(midnight + start, midnight + end) for start, end in spans]
    return out


def _jumps(
    calendar: Calendar, first: dt.datetime, last: dt.datetime
) -> list[tuple[dt.datetime, int]]:
    """Return when the wall's clock jumped, and what to add to the work it shows."""
    free = _free(calendar, first, last)

    def worked(at: dt.datetime) -> int:
        shown = (at - _MONDAY) // _MICRO
        weeks, place = divmod(shown, _WEEK)
        weekly = calendar.weekly()
        found = weeks * sum(end - start for start, end in weekly)
        found += sum(min(max(place - start, 0), end - start) for start, end in weekly)
        return found - sum(min(max(shown - s, 0), e - s) for s, e in free)

    changes = offsets(calendar.tz, first, last)
    return [
        (since, worked(since + before) - worked(since + after))
        for (_, before), (since, after) in pairwise(changes)
    ]
