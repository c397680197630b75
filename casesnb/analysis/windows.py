"""Windows of time: intervals cut to them, and what began, ended or was under way."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from casesnb.analysis.timezones import hours_between, in_hours, micros_between, periods
from casesnb.tables.arguments import as_ids, moment, need_columns
from casesnb.tables.frames import (
    frame_of,
    handed_back,
    instant,
    opened,
    rows_of,
    stacked,
    time_type,
)
from casesnb.tables.schema import HELD, TEXT, TIME, Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from narwhals.typing import IntoFrameT

Window = tuple[dt.datetime, dt.datetime]

_PLACED = ("domain_id", "case_id", "field_id", "start_at", "end_at")

UNDER_WAY = Table(
    "under_way",
    "One row per period and group of intervals: how many began, ended, lasted.",
    (
        Column("period_at", TIME, "when the period began"),
        Column("field_id", TEXT, "the field"),
        *HELD,
        Column("n_at_start", "int64", "that lasted when the period began"),
        Column("n_began", "int64", "that began in it"),
        Column("n_ended", "int64", "that ended in it"),
        Column("n_at_end", "int64", "that lasted when it ended"),
        Column("n_under_way", "int64", "that lasted at some time in it"),
        Column("n_unknown", "int64", "without a known start, in none of the others"),
        Column("hours", "float64", "hours of them that lie in the period"),
    ),
)

_INTERVALS = Table(
    "intervals",
    "One row per interval.",
    (),
    needs=("start_at", "end_at"),
    source="what has start_at and end_at, such as spells",
)


def between(frame: IntoFrameT, /, *, window: Window) -> IntoFrameT:
    """One row per interval that lies in a window of time, cut to the window.

    Cuts of adjoining windows add up to the whole. What is cut off at its end
    had not ended by then: it is ``is_open``, so that `durations` does not take
    it as over.

    Parameters
    ----------
    frame : DataFrame
        With ``start_at`` and ``end_at``, such as what `spells` returned, in
        pandas, Polars, DuckDB or PySpark.
    window : tuple of datetime
        From when on and until when, the end excluded, with their zones.

    Returns
    -------
    DataFrame
        The columns of `frame`, ``hours`` counted anew, and ``is_clipped_start``
        and ``is_clipped_end``, bool: the interval began before the window, or
        went on after it. An interval without a start stays, if it ended after
        the window began: how much of it lies there is not told.

    Raises
    ------
    ValueError
        If a column is missing, or there are ``working_hours``, which are not
        counted anew; if the window's end is not after its start.

    Examples
    --------
    >>> import pandas as pd
    >>> day = pd.date_range("2026-03-01", periods=4, tz="UTC")
    >>> stays = pd.DataFrame({"start_at": day[[0, 2]], "end_at": day[[2, 3]]})
    >>> cut = between(stays, window=(day[1], day[2]))
    >>> cut[["hours", "is_clipped_start", "is_clipped_end"]].values.tolist()
    [[24.0, True, False]]
    """
    rows = opened(frame)
    names = rows.collect_schema().names()
    need_columns(names, _INTERVALS)
    if "working_hours" in names:
        raise ValueError(
            "working_hours cannot be cut afterwards. Give calendar= and window= to "
            "what counts them, such as spells."
        )
    start, end = span_of(window)
    found = clipped(rows, start, end)
    columns = [*names, *(n for n in ("is_open", "hours", *CLIPPED) if n not in names)]
    # Of one instant those that lasted for none come first.
    order = [n for n in (*_PLACED, "event_id", "kind", "value") if n in names]
    return handed_back(found, frame, order, columns)


def under_way(
    frame: IntoFrameT,
    /,
    *,
    by: Sequence[str] = ("field_id", "kind", "value"),
    window: Window | None = None,
    freq: str | None = None,
    tz: str | dt.tzinfo = "UTC",
) -> IntoFrameT:
    """One row per period and group: how many began, ended, lasted.

    What lasts at the end of a period lasts at the start of the next:
    ``n_at_start + n_began - n_ended`` is ``n_at_end``.

    Parameters
    ----------
    frame : DataFrame
        With ``start_at``, ``end_at``, ``is_open`` and the columns of `by`, such
        as what `spells` returned, in pandas, Polars, DuckDB or PySpark.
    by : sequence of str, default ("field_id", "kind", "value")
        The columns that make a group.
    window : tuple of datetime, optional
        From when on and until when, the end excluded, with their zones; by
        default from the first start to the last end.
    freq : str, optional
        The period's length, as `actor_activity` takes it; one period otherwise.
    tz : str or tzinfo, default "UTC"
        The IANA time zone whose days, weeks and months the periods are.

    Returns
    -------
    DataFrame
        The columns of ``schema.UNDER_WAY``, those of `by` in place of the
        field's, by period and group, in the kind of frame that was given.
        Periods in which nothing of a group lasted have no row.

    Raises
    ------
    ValueError
        If a column is missing, `freq` is not a period, or there is no such zone.

    See Also
    --------
    backlog : The same for periods in which something moved.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> weeks = under_way(cn.spells(history, "status"), freq="1w")
    >>> bool((weeks["n_at_start"] + weeks["n_began"] >= weeks["n_ended"]).all())
    True
    """
    by = as_ids(by)
    rows = opened(frame)
    needs = (*_INTERVALS.needs, "is_open", *by)
    need_columns(rows.collect_schema().names(), replace(_INTERVALS, needs=needs))
    rows = rows.select(*needs)
    beside = _beside(rows, pieces_of(rows, window, freq, tz), rows)
    start, end = nw.col("start_at"), nw.col("end_at")
    since, until = nw.col("since"), nw.col("until")
    is_told = ~start.is_null()
    began = (start >= since) & (start < until)
    ended = ~nw.col("is_open") & (end >= since) & (end < until)
    at_start = (start < since) & (nw.col("is_open") | (end >= since))
    at_end = (start < until) & (nw.col("is_open") | (end >= until))
    lasted = _lies_in(start, end, since, until)
    counts = {
        "n_at_start": at_start,
        "n_began": began,
        "n_ended": ended & is_told,
        "n_at_end": at_end,
        "n_under_way": lasted,
        "n_unknown": ~is_told,
    }
    beside = _cut(beside)
    micros = micros_between(beside, "cut_start", "cut_end")
    beside = beside.select(
        "period_at",
        *by,
        micros=nw.when(lasted.fill_null(False)).then(micros).fill_null(0),
        **{n: is_so.fill_null(False).cast(nw.Int64) for n, is_so in counts.items()},
    )
    key = ("period_at", *by)
    found = beside.group_by(*key).agg(nw.col("micros", *counts).sum())
    found = found.with_columns(
        nw.col(*counts).cast(nw.Int64), hours=in_hours(nw.col("micros"))
    )
    return handed_back(found, frame, key, (*key, *counts, "hours"))


CLIPPED = ("is_clipped_start", "is_clipped_end")
"""What a window adds to each interval."""


def span_of(window: object, as_of: dt.datetime | None = None) -> Window:
    """Return a window's two moments; refuse one that nothing is told of."""
    if not isinstance(window, (tuple, list)) or len(window) != 2:
        raise TypeError(
            f"window={window!r:.80} is no pair of times: give (start, end)."
        )
    start, end = moment(window[0]), moment(window[1])
    if end <= start:
        raise ValueError(
            f"The window's end {end} is not after its start {start}. Give a later end."
        )
    if as_of is not None and start >= as_of:
        raise ValueError(
            f"The window begins at {start}, and things are told up to {as_of} only. "
            "Give an earlier window."
        )
    return start, end


Piece = tuple[dt.datetime, dt.datetime, dt.datetime]
"""When a period began, and from when to when the part of it lies that is meant."""

_PIECE = ("period_at", "since", "until")


def pieces_of(
    rows: Any, window: Window | None, freq: str | None, tz: str | dt.tzinfo
) -> list[Piece]:
    """Return the periods of a window, or of the time that intervals take up."""
    if window is None:
        at = {name: nw.col(f"{name}_at").min() for name in ("start", "end")}
        (span,) = rows_of(rows.select(**at, last=nw.col("end_at").max()))
        first = span["start"] or span["end"]
        if first is None:
            return []
        # The last moment is part of the last period.
        window = (moment(first), moment(span["last"]) + dt.timedelta(microseconds=1))
    start, end = span_of(window)
    return periods(start, end, freq, tz) if freq else [(start, start, end)]


def in_pieces(frame: Any, pieces: Sequence[Piece], like: Any) -> Any:
    """Return intervals cut to each piece that they lie in, ``period_at`` beside them."""
    return _clip(_beside(frame, pieces, like))


def clipped(frame: Any, start: dt.datetime, end: dt.datetime) -> Any:
    """Return intervals cut to one window."""
    since, until = instant(frame, start), instant(frame, end)
    return _clip(frame.with_columns(since=since, until=until))


def _beside(frame: Any, pieces: Sequence[Piece], like: Any) -> Any:
    """Return each interval beside each piece that it may lie in or touch."""
    told: list[dict[str, Any]]
    told = [dict(zip(_PIECE, piece, strict=True)) for piece in pieces]
    if isinstance(frame, nw.LazyFrame):
        rows = frame_of(told, dict.fromkeys(_PIECE, time_type(frame)), like)
        return frame.join(rows, how="cross").filter(_touches())
    # Piece by piece, as a product of the two may not fit into memory.
    parts = [
        frame.with_columns(**{n: instant(frame, at) for n, at in row.items()})
        for row in told or [dict.fromkeys(_PIECE)]
    ]
    return stacked([part.filter(_touches()) for part in parts])


def _touches() -> nw.Expr:
    """Return whether an interval has anything to do with its piece."""
    start, end = nw.col("start_at"), nw.col("end_at")
    return (start.is_null() | (start < nw.col("until")).fill_null(False)) & (
        (end >= nw.col("since")).fill_null(False)
    )


def _lies_in(start: nw.Expr, end: nw.Expr, since: nw.Expr, until: nw.Expr) -> nw.Expr:
    """Return whether an interval with a start lies in a piece, if only for a moment."""
    return (start < until) & ((end > since) | (start >= since))


def _cut(frame: Any) -> Any:
    """Return intervals with what is left of them in their piece."""
    start, end = nw.col("start_at"), nw.col("end_at")
    since, until = nw.col("since"), nw.col("until")
    return frame.with_columns(
        cut_start=nw.when((start < since).fill_null(False))
        .then(since)
        .otherwise(start),
        cut_end=nw.when((end > until).fill_null(False)).then(until).otherwise(end),
    )


def _clip(frame: Any) -> Any:
    start, end = nw.col("start_at"), nw.col("end_at")
    since, until = nw.col("since"), nw.col("until")
    is_in = _lies_in(start, end, since, until).fill_null(False)
    is_untold = start.is_null() & (end > since).fill_null(False)
    is_open = (
        nw.col("is_open") if "is_open" in frame.collect_schema() else nw.lit(False)
    )
    cut = _cut(frame.filter(is_in | is_untold)).with_columns(
        is_clipped_start=(start < since).fill_null(False),
        is_clipped_end=(end > until).fill_null(False),
    )
    cut = cut.with_columns(
        is_open=is_open | nw.col("is_clipped_end"),
        start_at=nw.col("cut_start"),
        end_at=nw.col("cut_end"),
    )
    cut = cut.with_columns(hours=hours_between(cut, "start_at", "end_at"))
    return cut.drop("since", "until", "cut_start", "cut_end")
