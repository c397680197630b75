"""Where the tail comes from: what slow cases do longer than the median case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import narwhals as nw
import numpy as np

from casesnb.analysis.closing import CLOSED, closed_values
from casesnb.analysis.flow import TIMED, first_times_of
from casesnb.analysis.spells import spells
from casesnb.analysis.timezones import micros_between
from casesnb.analysis.uncertainty import interval, resampled
from casesnb.tables.field_chain import chains, field_ids_of, is_creation
from casesnb.tables.frames import (
    as_given,
    beside,
    handed_back,
    opened,
    rows_like,
    rows_of,
    until_of,
    up_to,
)
from casesnb.tables.schema import CHANGES, EVENTS, HELD, TEXT, Column, Table

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from narwhals.typing import IntoFrameT

    from casesnb.analysis.uncertainty import Numbers
    from casesnb.tables.history import History

TAIL = Table(
    "tail",
    "One row per stage: what of the slow cases' gap to the median case it makes up.",
    (
        Column("field_id", TEXT, "the field whose values are the stages"),
        *HELD,
        Column("slow_hours", "float64", "hours that slow cases spend in it, the mean"),
        Column("median_hours", "float64", "hours that the median case spends in it"),
        Column("gap_hours", "float64", "the one less the other"),
        Column("low", "float64", "where the gap's 95% interval begins"),
        Column("high", "float64", "where it ends"),
        Column("share", "float64", "of the whole gap; missing if there is none"),
        Column("whole_gap_hours", "float64", "the gap of all stages together"),
        Column("whole_low", "float64", "where its 95% interval begins"),
        Column("whole_high", "float64", "where it ends"),
        Column("horizon_hours", "float64", "hours from creation that are counted"),
        Column("n_cases", "int64", "cases that were counted"),
        Column("n_open", "int64", "of them neither closed nor followed so long"),
    ),
)

_CASE = ("domain_id", "case_id")
_KEY = list(_CASE)
_MICROS = 3_600_000_000
_MIDDLE = (0.45, 0.55)  # of all cases in the order of their length


def tail(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    field_id: str = "status",
    *,
    slow: float = 0.1,
    horizon: float | None = None,
    events: IntoFrameT | None = None,
    closed: str | Sequence[str] = CLOSED,
    as_of: dt.datetime | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
) -> IntoFrameT:
    """One row per stage: what of the slow cases' gap to the median case it makes up.

    A case lasts from its creation until its first close, and is split over the
    values of a field. The rows' gaps add up to the whole gap. Cases that are
    still open count: as long as they have lasted they are as others, and what
    they will do is taken from those that lasted longer.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    field_id : str, default "status"
        The field whose values are the stages.
    slow : float, default 0.1
        The share of cases, the slowest, that are slow.
    horizon : float, optional
        Hours from creation that are counted of each case; by default so many
        that a quarter of the cases was followed as long.
    events : DataFrame, optional
        Beside changes alone, ``schema.EVENTS`` of the same kind.
    closed : str or sequence of str, default "closed"
        The statuses that mean closed, in small letters or capitals.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest event of a frame.
    n_resamples : int, default 2000
        How many times cases are drawn anew for the intervals.
    seed : int, default 0
        The same seed draws the same.

    Returns
    -------
    DataFrame
        The columns of ``schema.TAIL``, the largest gap first, in the kind of
        frame that was given. A row without a kind is time of which the history
        does not tell the field. The median case is the mean of the tenth of
        cases in the middle.

    Raises
    ------
    ValueError
        If `slow` is not between 0 and 0.45, or there is no case whose creation
        is told.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> domain_id = world.showcase[0]
    >>> ids = list(world.case_ids(domain_id))
    >>> history = cn.load_histories(cn.connect(world), domain_id, ids)
    >>> stages = tail(history, n_resamples=200)
    >>> whole = stages["whole_gap_hours"].iloc[0]
    >>> bool(abs(stages["gap_hours"].sum() - whole) < 1e-9)
    True
    """
    if not 0 < slow <= _MIDDLE[0]:
        raise ValueError(f"slow={slow}: give a share above 0 and up to {_MIDDLE[0]}.")
    like = as_given(history, CHANGES)
    (field_id,) = field_ids_of(history, [field_id])
    values = closed_values(history, closed)
    happened = opened(beside(history, events, EVENTS), EVENTS)
    as_of = until_of(history, happened, as_of)
    cases = _lives(history, happened, values, as_of)
    if not cases:
        raise ValueError(
            "No case's creation is told, so none has a known length. Load cases whose "
            "histories are whole."
        )
    lasted, is_over, followed = (
        np.array([case[n] for case in cases.values()]) for n in range(3)
    )
    if horizon is None:
        horizon = float(np.quantile(followed, 0.75, method="lower"))
    is_over = is_over | (lasted >= horizon)
    lasted = np.minimum(lasted, horizon)
    stages, hours = _stages(
        history, happened, field_id, values, as_of, horizon, [*cases], lasted
    )
    split = Split(lasted, is_over, hours, slow)
    slow_hours, middle = split.parts(np.ones((1, len(lasted))))
    gaps = (slow_hours - middle)[0]
    draws = resampled([followed, lasted], n_resamples, seed, split.gaps)
    whole = float(gaps.sum())
    n_slow = slow * len(lasted)
    low, high = interval(draws, n_slow)
    whole_low, whole_high = interval(draws.sum(axis=1), n_slow)
    rows = [
        {
            "field_id": field_id,
            "kind": kind,
            "value": value,
            "slow_hours": float(slow_hours[0, n]),
            "median_hours": float(middle[0, n]),
            "gap_hours": float(gaps[n]),
            "low": float(low[n]),
            "high": float(high[n]),
            "share": float(gaps[n]) / whole if whole else None,
            "whole_gap_hours": whole,
            "whole_low": float(whole_low),
            "whole_high": float(whole_high),
            "horizon_hours": horizon,
            "n_cases": len(lasted),
            "n_open": int((~is_over).sum()),
        }
        for n in np.argsort(-gaps, kind="stable")
        for kind, value in (stages[n],)
    ]
    found = rows_like(rows, TAIL, like)
    return handed_back(found, history, ("place",), TAIL.names)


class _Life(NamedTuple):
    """How long a case lasted."""

    lasted: float  # hours until its first close, or as long as it was followed
    is_over: bool  # whether it was closed
    followed: float  # hours since its creation


def _lives(
    history: object,
    happened: Any,
    closed: Sequence[str],
    as_of: dt.datetime | None,
) -> dict[tuple[Any, Any], _Life]:
    """Return how long each case lasted whose creation is told."""
    happened, changes = up_to(as_of, happened, opened(history, CHANGES))
    merged = happened.filter(
        ~nw.col("merge_event_id").is_null(),
        nw.col("case_id") == nw.col("secondary_case_id"),
    )
    merged = merged.group_by(*_CASE).agg(merged_at=nw.col("performed_at").min())
    times = first_times_of(happened, chains(changes, *TIMED), closed)
    times = times.join(merged, on=_KEY, how="left")
    found = {}
    for row in rows_of(
        times.select(*_CASE, "created_at", "first_closed_at", "merged_at")
    ):
        born, end = row["created_at"], row["first_closed_at"]
        if born is None or as_of is None:
            continue
        # A merge ends what is told of a case and solves nothing.
        stop = min(row["merged_at"] or as_of, end or as_of)
        is_over = end is not None and stop == end
        hours = [(at - born).total_seconds() / 3600 for at in (stop, as_of)]
        found[row["domain_id"], row["case_id"]] = _Life(hours[0], is_over, hours[1])
    return dict(sorted(found.items()))


def _stages(
    history: Any,
    happened: Any,
    field_id: str,
    closed: Sequence[str],
    as_of: dt.datetime | None,
    horizon: float,
    cases: list[tuple[Any, Any]],
    lasted: Numbers,
) -> tuple[list[tuple[str | None, str | None]], Numbers]:
    """Return the stages, and each case's hours in each; they add up to its length."""
    rows = opened(spells(history, field_id, as_of=as_of))
    rows = rows.select(*_CASE, "kind", "value", "start_at", "end_at")
    born = happened.filter(is_creation()).group_by(*_CASE)
    rows = rows.join(
        born.agg(born_at=nw.col("performed_at").min()), on=_KEY, how="inner"
    )
    rows = rows.with_columns(
        since=micros_between(rows, "born_at", "start_at"),
        until=micros_between(rows, "born_at", "end_at"),
    )
    rows = rows.select(*_CASE, "kind", "value", "since", "until")
    number = {case: n for n, case in enumerate(cases)}
    places: dict[tuple[str | None, str | None], int] = {}
    cells: list[tuple[int, int, float]] = []
    is_told = ~nw.col("since").is_null() & ~nw.col("kind").is_null()
    for row in rows_of(rows.filter(is_told)):
        case = number.get((row["domain_id"], row["case_id"]))
        if case is None:
            continue
        end = min(row["until"] / _MICROS, lasted[case])
        hours = end - max(row["since"] / _MICROS, 0.0)
        if hours > 1e-9:
            stage = places.setdefault((row["kind"], row["value"]), len(places))
            cells.append((case, stage, hours))
    found = np.zeros((len(cases), len(places) + 1))
    for case, stage, hours in cells:
        found[case, stage] += hours
    found[:, -1] = lasted - found.sum(axis=1)  # of which the history tells no value
    stages: list[tuple[str | None, str | None]] = [*places, (None, None)]
    is_there = np.abs(found).max(axis=0) > 1e-6 if len(cases) else []
    if not is_there[-1]:
        # What rounding left belongs to the longest stage.
        longest = found[:, :-1].argmax(axis=1) if places else 0
        found[np.arange(len(cases)), longest] += found[:, -1]
        stages, found = stages[:-1], found[:, :-1]
    return stages, found


class Split:
    """The hours of slow cases and of the median case, for any weights of the cases."""

    def __init__(
        self, lasted: Numbers, is_over: Numbers, hours: Numbers, slow: float
    ) -> None:
        # What is over at a time comes before what is followed no longer.
        order = np.lexsort([~is_over, lasted])
        self._order, self._slow = order, slow
        self._over = is_over[order].astype(float)
        self._hours = hours[order]
        _, self._first = np.unique(lasted[order], return_index=True)
        sizes = np.diff(np.append(self._first, len(lasted)))
        self._group = np.repeat(np.arange(len(sizes)), sizes)

    def gaps(self, weights: Numbers) -> Numbers:
        """Return each stage's gap, a row per row of weights."""
        slow, middle = self.parts(weights)
        gaps: Numbers = slow - middle
        return gaps

    def parts(self, weights: Numbers) -> tuple[Numbers, Numbers]:
        """Return the hours of slow cases and of the median case in each stage."""
        each = weights[:, self._order]
        at_risk = np.cumsum(each[:, ::-1], axis=1)[:, ::-1]
        hazard = np.divide(
            each * self._over, at_risk, out=np.zeros_like(each), where=at_risk > 0
        )
        lasts = np.cumprod(1 - hazard, axis=1)
        before = np.concatenate([np.ones((len(each), 1)), lasts[:, :-1]], axis=1)
        mass = before * hazard  # of each case that is over, and of those like it
        # What no case shows to the end is taken as it is: the longest that are there.
        left = 1 - mass.sum(axis=1)
        last = each.shape[1] - 1 - (each[:, ::-1] > 0).argmax(axis=1)
        mass[np.arange(len(each)), last] += np.clip(left, 0, None)
        of_group = np.add.reduceat(mass, self._first, axis=1)
        end = np.cumsum(of_group, axis=1)
        start = end - of_group
        found = []
        for low, high in ((1 - self._slow, 1.0), _MIDDLE):
            inside = np.clip(np.minimum(end, high) - np.maximum(start, low), 0, None)
            part = np.divide(
                inside, of_group, out=np.zeros_like(inside), where=of_group > 0
            )
            used = mass * part[:, self._group]
            used /= used.sum(axis=1, keepdims=True)
            found.append(used @ self._hours)
        return found[0], found[1]
