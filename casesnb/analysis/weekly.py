"""The key figures of a week beside those of the week before, with their intervals."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, NamedTuple

import narwhals as nw
import numpy as np

from casesnb.analysis.actors import attributed
from casesnb.analysis.closing import CLOSED, closed_values
from casesnb.analysis.flow import first_times
from casesnb.analysis.rates import BY_MERGE, outcomes
from casesnb.analysis.spells import spells
from casesnb.analysis.state import state_at
from casesnb.analysis.uncertainty import (
    interval,
    period_quantiles,
    poisson,
    resampled,
    wilson,
)
from casesnb.tables.frames import as_of_of, opened
from casesnb.tables.schema import EVENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from casesnb.analysis.uncertainty import Numbers
    from casesnb.tables.history import History

WEEK = dt.timedelta(days=7)

_RESAMPLES = 200
_SEED = 7
_KEY = ["domain_id", "case_id"]


class Estimate(NamedTuple):
    """A number with its 95% interval and what it is of."""

    value: float | None  # missing if there is nothing to count, infinite if not reached
    low: float | None = None
    high: float | None = None
    of: str = ""


class Figure(NamedTuple):
    """A key figure of a week, and of the week before."""

    name: str
    label: str
    unit: str  # ``cases``, ``hours`` or ``share``
    now: Estimate
    before: Estimate


Span = tuple[dt.datetime, dt.datetime]


def key_figures(
    history: History[Any], /, *, closed: str | Sequence[str] = CLOSED
) -> tuple[Span, list[Figure]]:
    """Return the week that ends when a history was read, and its figures."""
    read = as_of_of(history, None)
    assert read is not None  # noqa: S101 - there is an event
    as_of = read.astimezone(dt.UTC)
    weeks = (as_of - WEEK, as_of), (as_of - 2 * WEEK, as_of - WEEK)
    told = _Told(history, as_of, closed)
    asked = (
        ("arrivals", "Cases created", "cases", told.arrivals),
        ("closes", "Cases closed", "cases", told.closes),
        ("backlog", "Cases not closed at the end", "cases", told.backlog),
        ("touch_median", "To the first touch, the median", "hours", told.touch(0.5)),
        ("touch_tail", "To the first touch, nine of ten", "hours", told.touch(0.9)),
        ("close_median", "To the first close, the median", "hours", told.close(0.5)),
        ("close_tail", "To the first close, nine of ten", "hours", told.close(0.9)),
        ("reopened", "Reopened within 7 days", "share", told.reopened),
        ("sla_met", "SLAs met", "share", told.sla_met),
        ("automation", "Events by automation or API", "share", told.automation),
    )
    figures = [
        Figure(name, label, unit, *(measure(week) for week in weeks))
        for name, label, unit, measure in asked
    ]
    return weeks[0], figures


class _Told:
    """What the figures are taken from, each asked for once."""

    def __init__(
        self, history: History[Any], as_of: dt.datetime, closed: str | Sequence[str]
    ) -> None:
        self.as_of = as_of
        self.closed = values = closed_values(history, closed)
        changes: pd.DataFrame = history.changes
        self.statuses = changes[changes["field_id"] == "status"]
        self.first: pd.DataFrame = first_times(history, closed=closed)
        self.ends: pd.DataFrame = outcomes(history, within=WEEK, closed=closed)
        self.slas: pd.DataFrame = outcomes(history, "sla_met")
        held: pd.DataFrame = spells(history, "status")
        # A merge's close is no close, but the case is not followed any longer.
        is_closed = held["value"].str.lower().isin(values)
        over = held[is_closed].groupby(_KEY)["start_at"].min()
        born = self.first.dropna(subset=["created_at"]).set_index(_KEY)
        self.born = born.join(over.rename("over_at"))
        self.curves: dict[tuple[str, Any], Any] = {}
        events = attributed(opened(history, EVENTS)).select(
            *_KEY, "performed_at", "worker"
        )
        self.done: pd.DataFrame = nw.to_native(events).to_pandas()

    def arrivals(self, week: Span) -> Estimate:
        """Count cases whose creation is told."""
        return _count(_in(self.first["created_at"], week).sum())

    def closes(self, week: Span) -> Estimate:
        """Count closes, but for those of merges."""
        # What else leaves a close out does so from saying if it was opened again.
        is_counted = ~self.ends["excluded"].isin([BY_MERGE])
        return _count(_in(self.ends["at"][is_counted], week).sum())

    def backlog(self, week: Span) -> Estimate:
        """Count cases whose status is told and means not closed at a week's end."""
        states = state_at(self.statuses, as_of=week[1])
        is_closed = states["value"].str.lower().isin(self.closed)
        n = (~is_closed & states["kind"].notna()).sum()
        return Estimate(float(n), of="counted, so without an interval")

    def touch(self, share: float) -> Any:
        """Return how to ask for the time until which a share was touched."""
        return lambda week: self._time(week, "first_touch_at", "over_at", share)

    def close(self, share: float) -> Any:
        """Return how to ask for the time until which a share was closed."""
        return lambda week: self._time(week, "first_closed_at", "over_at", share)

    def _time(self, week: Span, event: str, over: str, share: float) -> Estimate:
        key = (event, week)
        if key not in self.curves:
            self.curves[key] = self._times(week, event, over)
        found, n, n_ended = self.curves[key]
        value, low, high = found[0 if share == 0.5 else 1]
        what = "touched" if event == "first_touch_at" else "closed"
        return Estimate(value, low, high, f"{n_ended:,} {what} of {n:,} followed")

    def _times(self, week: Span, event: str, over: str) -> Any:
        start, end = week
        born, at = self.born["created_at"], self.born[event]
        stop = self.born[over].fillna(self.as_of)
        ended = at.notna() & (at <= stop)
        out = at.where(ended, stop)
        is_in = (out >= start) & (born < end) & (out > born)
        since = born.where(born >= start, start)[is_in]
        until = out.where(out < end, end)[is_in]
        is_ended = (ended & (out < end))[is_in].to_numpy(bool)
        hour = dt.timedelta(hours=1)
        entry = ((since - born[is_in]) / hour).to_numpy(float)
        hours = ((until - born[is_in]) / hour).to_numpy(float)
        found = period_quantiles(
            entry, hours, is_ended, (0.5, 0.9), n_resamples=_RESAMPLES, seed=_SEED
        )
        return found, len(hours), int(is_ended.sum())

    def reopened(self, week: Span) -> Estimate:
        """Return what share of the closes of the week before was opened again."""
        earlier = (week[0] - WEEK, week[1] - WEEK)
        return _share(self.ends, "reopened", earlier, "closes of the week before")

    def sla_met(self, week: Span) -> Estimate:
        """Return what share of the SLAs that were met or missed was met."""
        return _share(self.slas, "met", week, "SLAs")

    def automation(self, week: Span) -> Estimate:
        """Return what share of events no person did, by a bootstrap over cases."""
        done = self.done[_in(self.done["performed_at"], week)]
        done = done[done["worker"] != "unknown"]
        by_case = done.assign(is_own=done["worker"] != "human").groupby(_KEY)["is_own"]
        counts = by_case.agg(["sum", "size"]).to_numpy(float)
        if not len(counts):
            return Estimate(None, of="no event that names who did it")
        value = counts[:, 0].sum() / counts[:, 1].sum()

        def share(weights: Numbers) -> Numbers:
            sums = weights @ counts
            found: Numbers = np.divide(
                sums[:, 0],
                sums[:, 1],
                out=np.full(len(sums), value),
                where=sums[:, 1] > 0,
            )
            return found

        draws = resampled([*counts.T], _RESAMPLES, _SEED, share)
        low, high = interval(draws, len(counts))
        of = f"of {int(counts[:, 1].sum()):,} events"
        return Estimate(float(value), float(low), float(high), of)


def _in(times: pd.Series[Any], week: Span) -> pd.Series[bool]:
    start, end = week
    return (times >= start) & (times < end)


def _count(n: Any) -> Estimate:
    low, high = poisson(int(n))
    return Estimate(float(n), low, high)


def _share(found: pd.DataFrame, outcome: str, week: Span, what: str) -> Estimate:
    """Return what `rates` tells of outcomes in a span."""
    found = found[_in(found["at"], week)]
    n, n_of = int((found["outcome"] == outcome).sum()), int(found["outcome"].count())
    if not n_of:
        return Estimate(None, of=f"no {what}")
    of = f"{n:,} of {n_of:,} {what}"
    if len(found) > n_of:
        of = f"{of}, {len(found) - n_of:,} left out"
    return Estimate(n / n_of, *wilson(n, n_of), of)
