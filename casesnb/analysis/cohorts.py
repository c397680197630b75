"""Two cohorts compared: durations of which some are not over, and rates."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import narwhals as nw
import numpy as np

from casesnb.analysis.closing import CLOSED, closed_values
from casesnb.analysis.comparison import WAITS, Cohort, Comparison, Effect, Step
from casesnb.analysis.durations import survival
from casesnb.analysis.flow import TIMED, first_holders, first_times_of
from casesnb.analysis.rates import MEASURES, closes_of, outcomes_of
from casesnb.analysis.uncertainty import (
    Curve,
    interval,
    newcombe,
    resampled,
    wilson,
)
from casesnb.tables.arguments import moment, need_columns, need_history
from casesnb.tables.field_chain import chains, is_creation
from casesnb.tables.frames import (
    as_of_of,
    is_history,
    opened,
    rows_of,
    up_to,
)
from casesnb.tables.schema import CHANGES, EVENTS, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from narwhals.typing import IntoFrame

    from casesnb.analysis.conformance import Flow
    from casesnb.tables.history import History

    Numbers = np.ndarray[Any, Any]

__all__ = ["Comparison", "compare_before_after"]


def __dir__() -> list[str]:
    return __all__


_SPELLS = Table(
    "durations",
    "One row per duration.",
    (),
    needs=("hours", "is_open"),
    source="what has hours and is_open, such as spells",
)
_EARLY = "the history begins after the case did"
_NO_START = "no known start"


class _Sample(NamedTuple):
    """Durations of one cohort."""

    low: Numbers  # hours, at least
    high: Numbers  # hours, at most; the same but for those that ended in a gap
    ended: Numbers  # whether it is over
    case: Numbers  # the number of its case
    keys: list[Any]  # the cases
    excluded: dict[str, int]  # what is left out, and how many

    def of_cases(self) -> list[Numbers]:
        """Return numbers that tell cases apart: their longest duration, and the sum."""
        n, found = len(self.keys), []
        for each in (self.high, self.low, self.ended.astype(float)):
            longest = np.full(n, -np.inf)
            np.maximum.at(longest, self.case, each)
            found += [longest, np.bincount(self.case, each, n)]
        return found


def compare(
    a: History[Any] | IntoFrame,
    b: History[Any] | IntoFrame,
    /,
    measure: str = "closed_hours",
    *,
    names: tuple[str, str] = ("a", "b"),
    horizon: float | None = None,
    within: dt.timedelta | None = None,
    flow: Flow | None = None,
    closed: str | Sequence[str] = CLOSED,
    as_of: dt.datetime | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Return how two cohorts differ, with intervals: durations or a rate.

    Parameters
    ----------
    a, b : History or DataFrame
        Two histories of other cases; or, for ``"hours"``, two tables with
        ``hours`` and ``is_open``, such as parts of what `spells` returned, of
        any engine.
    measure : str, default "closed_hours"
        ``"touch_hours"``, ``"assigned_hours"``, ``"comment_hours"`` or
        ``"closed_hours"``: how long after its creation a case was first
        touched, assigned, commented, closed; cases that wait still count with
        the time they have waited. ``"hours"``: the durations of two tables. Or a
        rate, as `rates` takes it.
    names : tuple of str, default ("a", "b")
        What the two are called in words.
    horizon : float, optional
        The hours up to which the restricted mean counts; by default as far as
        both cohorts were followed.
    within : timedelta, optional
        Of the rate ``"reopened"``: how soon.
    flow : mapping or str, optional
        Of the rate ``"conforming"``: the allowed moves.
    closed : str or sequence of str, default "closed"
        The statuses that mean closed, in small letters or capitals.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when each was read.
    n_resamples : int, default 2000
        How many times cases are drawn anew for the intervals of durations.
    seed : int, default 0
        The same seed draws the same.

    Returns
    -------
    Comparison
        ``print`` tells it in one sentence. Its main effect is the first of
        ``effects``: the difference of restricted means or of rates.

    Raises
    ------
    TypeError
        If histories and tables are mixed.
    ValueError
        If there is no such measure, or nothing to compare in one of the two.
    ModuleNotFoundError
        If SciPy is not installed, which durations are compared with.

    See Also
    --------
    compare_before_after : The same, before and after a date.

    References
    ----------
    .. [1] R. G. Newcombe, "Interval estimation for the difference between
       independent proportions", Statistics in Medicine 17 (1998).

    Examples
    --------
    >>> import pandas as pd
    >>> short = pd.DataFrame({"hours": [float(n) for n in range(1, 21)]})
    >>> long = pd.DataFrame({"hours": [2.0 * n for n in range(1, 21)]})
    >>> found = compare(
    ...     short.assign(is_open=False), long.assign(is_open=False), "hours")
    >>> found.is_different
    True
    >>> print(found)
    until they were over it took 10.5 h (a) and 15.5 h (b) on average, counted up to ...
    """
    first, second = is_history(a), is_history(b)
    if first != second:
        raise TypeError(
            "One of the two is a history and the other a table. Give two of a kind."
        )
    if measure in MEASURES:
        asked = [
            outcomes_of(each, measure, within, None, flow, closed, as_of)
            for each in (a, b)
        ]
        return _compared_rates([rows_of(each) for each in asked], measure, names)
    samples = []
    for each in (a, b):
        if measure == "hours":
            samples.append(_of_table(each))
        else:
            samples.append(_waits(each, measure, closed, as_of))
    return _compared(samples, measure, names, horizon, n_resamples, seed)


def compare_before_after(
    history: History[Any],
    /,
    measure: str = "closed_hours",
    *,
    at: dt.datetime,
    horizon: float | None = None,
    within: dt.timedelta | None = None,
    flow: Flow | None = None,
    closed: str | Sequence[str] = CLOSED,
    as_of: dt.datetime | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Return how cases created from a date on differ from those before it.

    What happened from the date on to a case that was created before it belongs
    to neither: such a case counts with what had happened until then, and
    ``n_straddling`` says how many there are.

    Parameters
    ----------
    history : History
        Cases from before and from after.
    measure : str, default "closed_hours"
        What to compare, as `compare` takes it, ``"hours"`` left out.
    at : datetime
        The date, with its zone: when the process changed.
    horizon : float, optional
        The hours up to which the restricted mean counts.
    within : timedelta, optional
        Of the rate ``"reopened"``: how soon.
    flow : mapping or str, optional
        Of the rate ``"conforming"``: the allowed moves.
    closed : str or sequence of str, default "closed"
        The statuses that mean closed, in small letters or capitals.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when it was read.
    n_resamples : int, default 2000
        How many times cases are drawn anew for the intervals of durations.
    seed : int, default 0
        The same seed draws the same.

    Returns
    -------
    Comparison
        Of the cohorts ``before`` and ``after``.

    Raises
    ------
    ValueError
        If there is no such measure, or no case on one side of the date.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7, cases=60)
    >>> domain_id = world.domains[0].domain_id
    >>> ids = list(world.case_ids(domain_id))
    >>> history = cn.load_histories(cn.connect(world), domain_id, ids)
    >>> february = dt.datetime(2026, 2, 15, tzinfo=dt.UTC)
    >>> found = compare_before_after(history, "touchless", at=february)
    >>> found.cohorts[0].name, found.cohorts[1].name
    ('before', 'after')
    """
    need_history(history)
    at = moment(at)
    # What happened at the date itself is not before it; times are whole microseconds.
    cut = at - dt.timedelta(microseconds=1)
    names = ("before", "after")
    until = as_of_of(history, as_of)
    if until is not None and at >= until:
        raise ValueError(f"at={at} is not before {until}, up to which things are told.")
    births = _births(history)
    born = {key: when for key, when in births.items() if when is not None}
    is_before = {key: when < at for key, when in born.items()}
    n_late = len(births) - len(born)
    straddling = _waits(history, "closed_hours", closed, cut)
    # A case that a merge closed by then does not go on.
    n_straddling = sum(
        not ended and key in born and hours >= (cut - born[key]) / dt.timedelta(hours=1)
        for key, hours, ended in zip(
            straddling.keys, straddling.high, straddling.ended, strict=True
        )
    )
    if measure in MEASURES:
        parts = []
        for side, moment_ in ((True, cut), (False, until)):
            found = rows_of(
                outcomes_of(history, measure, within, None, flow, closed, moment_)
            )
            parts.append([r for r in found if is_before.get(_key_of(r)) is side])
        result = _compared_rates(parts, measure, names)
    else:
        then = straddling
        if measure != "closed_hours":
            then = _waits(history, measure, closed, cut)
        now = _waits(history, measure, closed, until)
        samples = [_only(then, is_before, True), _only(now, is_before, False)]
        result = _compared(samples, measure, names, horizon, n_resamples, seed)
    if n_late:
        # Nobody knows on which side they are.
        cohorts = [
            each._replace(
                n_excluded=each.n_excluded + n_late,
                excluded="; ".join(filter(None, [each.excluded, f"{n_late} {_EARLY}"])),
                share=each.n / max(each.n + each.n_excluded + n_late, 1),
            )
            for each in result.cohorts
        ]
        result = replace(result, cohorts=(cohorts[0], cohorts[1]))
    return replace(result, n_straddling=n_straddling)


def _key_of(row: Mapping[str, Any]) -> tuple[Any, Any]:
    return row["domain_id"], row["case_id"]


def _births(history: Any) -> dict[tuple[Any, Any], dt.datetime | None]:
    """Return when each case was created, None where that is not told."""
    births = opened(history, EVENTS).select(
        "domain_id", "case_id", at=nw.when(is_creation()).then("performed_at")
    )
    births = births.group_by("domain_id", "case_id").agg(nw.col("at").min())
    return {_key_of(row): row["at"] for row in rows_of(births)}


def _waits(
    history: Any,
    measure: str,
    closed: str | Sequence[str],
    as_of: dt.datetime | None,
) -> _Sample:
    """Return how long each case waited, or has waited."""
    if measure not in WAITS:
        raise ValueError(
            f"measure={measure!r}: give one of {', '.join((*WAITS, 'hours', *MEASURES))}."
        )
    if not is_history(history):
        raise TypeError(
            f"{measure!r} takes whole histories. For the durations of two tables give "
            "'hours'."
        )
    as_of = as_of_of(history, as_of)
    events, changes = opened(history, EVENTS), opened(history, CHANGES)
    events, changes = up_to(as_of, events, changes)
    column = WAITS[measure][0]
    values = closed_values(history, closed)
    # In one order, so that every engine draws the same cases again.
    found = first_times_of(events, chains(changes, *TIMED), values)
    times = sorted(rows_of(found), key=_key_of)
    gaps: dict[Any, tuple[Any, Any]] = {}
    merged: dict[Any, Any] = {}
    if measure == "closed_hours":
        for row in rows_of(closes_of(changes, events, values)):
            key = _key_of(row)
            if row["is_merge"]:
                merged.setdefault(key, row["at"])
            elif not row["is_told"]:
                known = gaps.get(key)
                if known is None or row["gap_at"] < known[1]:
                    gaps[key] = (row["since_at"], row["gap_at"])
    elif measure == "assigned_hours":
        held = first_holders(chains(changes, "assigned_user")).filter("was_held")
        for row in rows_of(held):
            gaps[_key_of(row)] = (row["since_at"], row["performed_at"])
    low, high, ended, keys = [], [], [], []
    excluded: dict[str, int] = {}
    for row in times:
        born, key, done = row["created_at"], _key_of(row), row[column]
        if born is None:
            excluded[_EARLY] = excluded.get(_EARLY, 0) + 1
            continue
        since, until = gaps.get(key, (None, None))
        if until is not None and (done is None or until < done):
            span = (max(since or born, born), until)
        elif done is None:
            stop = merged.get(key) or as_of
            span = (stop, stop)
        else:
            span = (done, done)
        ended.append(done is not None or until is not None)
        low.append((span[0] - born) / dt.timedelta(hours=1))
        high.append((span[1] - born) / dt.timedelta(hours=1))
        keys.append(key)
    case = np.arange(len(keys))
    return _Sample(
        np.array(low, dtype=float),
        np.array(high, dtype=float),
        np.array(ended, dtype=bool),
        case,
        keys,
        excluded,
    )


def _of_table(frame: Any) -> _Sample:
    """Return the durations that a table holds."""
    given = opened(frame)
    names = given.collect_schema().names()
    need_columns(names, _SPELLS)
    of_case = {"domain_id", "case_id"} <= {*names}
    wanted = ["hours", "is_open", *(["domain_id", "case_id"] if of_case else [])]
    wanted += ["is_known"] if "is_known" in names else []
    high, low, ended, case = [], [], [], []
    numbers: dict[Any, int] = {}
    excluded: dict[str, int] = {}
    for place, row in enumerate(rows_of(given.select(*wanted))):
        if row["hours"] is None:
            excluded[_NO_START] = excluded.get(_NO_START, 0) + 1
            continue
        key = _key_of(row) if of_case else place
        is_gap = not row.get("is_known", True) and not row["is_open"]
        high.append(row["hours"])
        low.append(0.0 if is_gap else row["hours"])
        ended.append(not row["is_open"])
        case.append(numbers.setdefault(key, len(numbers)))
    return _Sample(
        np.array(low, dtype=float),
        np.array(high, dtype=float),
        np.array(ended, dtype=bool),
        np.array(case, dtype=int),
        [*numbers],
        excluded,
    )


def _only(sample: _Sample, is_before: Mapping[Any, bool], side: bool) -> _Sample:
    """Return the cases of one side of a date."""
    kept = np.array([is_before.get(key) is side for key in sample.keys], dtype=bool)
    keys = [key for key in sample.keys if is_before.get(key) is side]
    return _Sample(
        sample.low[kept],
        sample.high[kept],
        sample.ended[kept],
        np.arange(len(keys)),
        keys,
        {},
    )


def _compared(
    samples: Sequence[_Sample],
    measure: str,
    names: tuple[str, str],
    horizon: float | None,
    n_resamples: int,
    seed: int,
) -> Comparison:
    stats = _scipy()
    for sample, name in zip(samples, names, strict=True):
        _need_some(sample.high, name, _in_words(sample.excluded))
    if horizon is None:
        horizon = min(float(sample.high.max()) for sample in samples)
    effects = _effects(samples, horizon, n_resamples, seed)
    p_value = None
    if all(len(sample.keys) == len(sample.high) for sample in samples):
        one, other = (
            stats.CensoredData.right_censored(sample.high, ~sample.ended)
            for sample in samples
        )
        if any(sample.ended.any() for sample in samples):
            with np.errstate(invalid="ignore"):  # all ended at one time
                found = float(stats.logrank(one, other).pvalue)
            p_value = None if math.isnan(found) else found
    cohorts = [
        Cohort(
            name,
            len(sample.high),
            len(sample.keys),
            int((~sample.ended).sum()),
            int((sample.low < sample.high).sum()),
            sum(sample.excluded.values()),
            _in_words(sample.excluded),
            len(sample.high) / (len(sample.high) + sum(sample.excluded.values())),
        )
        for sample, name in zip(samples, names, strict=True)
    ]
    steps = [
        step
        for sample, name in zip(samples, names, strict=True)
        for step in _steps(sample, name)
    ]
    shared = {*samples[0].keys} & {*samples[1].keys} if measure in WAITS else set()
    return Comparison(
        measure,
        (cohorts[0], cohorts[1]),
        tuple(effects),
        tuple(steps),
        p_value,
        horizon,
        len(shared),
    )


def _in_words(excluded: Mapping[str, int]) -> str:
    return "; ".join(f"{n} {why}" for why, n in excluded.items())


def _need_some(counted: Any, name: str, why: str) -> None:
    """Refuse a cohort of which nothing is counted."""
    if not len(counted):
        raise ValueError(
            f"There is nothing to compare in the cohort {name!r}"
            f"{f' ({why})' if why else ''}. Give one that has cases."
        )


def _scipy() -> Any:
    try:
        from scipy import stats
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "Durations are compared with SciPy, which is not installed. "
            "Try: pip install 'casesnb[stats]'."
        ) from None
    return stats


def _effects(
    samples: Sequence[_Sample], horizon: float, n_resamples: int, seed: int
) -> list[Effect]:
    """Return how means and medians differ, with what gaps leave open."""
    ends = [(0, 0)]
    if any((sample.low < sample.high).any() for sample in samples):
        # The second at its longest against the first at its shortest, and so on.
        ends = [(1, 0), (0, 1), (0, 0)]
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    for low_a, low_b in ends:
        hours = [
            sample.low if is_low else sample.high
            for sample, is_low in zip(samples, (low_a, low_b), strict=True)
        ]
        told, draws = [], []
        for number, (sample, lasted) in enumerate(zip(samples, hours, strict=True)):
            curve = Curve(lasted, sample.ended, sample.case)
            n = len(sample.keys)

            def statistic(weights: Numbers, curve: Curve = curve) -> Numbers:
                return curve.statistics(weights, horizon)

            told.append(statistic(np.ones((1, n)))[0])
            draws.append(
                resampled(sample.of_cases(), n_resamples, seed * 2 + number, statistic)
            )
        for place, effect in enumerate(("restricted mean hours", "median hours")):
            one, other = told[0][place], told[1][place]
            with np.errstate(invalid="ignore"):
                differences = draws[1][:, place] - draws[0][:, place]
            differences = np.nan_to_num(
                differences, nan=0.0, posinf=np.inf, neginf=-np.inf
            )
            # Of a mean; a median's draws vary enough as they are.
            n_cases = float(min(len(sample.keys) for sample in samples))
            low, high = interval(differences, np.inf if place else n_cases)
            found.setdefault(effect, []).append((one, other, low, high))
    effects = []
    for effect, several in found.items():
        one, other, *_ = several[-1]
        with np.errstate(invalid="ignore"):
            difference = float(np.subtract(other, one))
        low = min(each[2] for each in several)
        high = max(each[3] for each in several)
        effects.append(
            Effect(
                effect, float(one), float(other), difference, float(low), float(high)
            )
        )
    return effects


def _steps(sample: _Sample, name: str) -> list[Step]:
    """Return a cohort's curve with its interval."""
    cohort = [name] * len(sample.high)
    told = {"cohort": cohort, "hours": sample.high, "is_open": ~sample.ended}
    spells = nw.from_dict(told, backend="pyarrow").to_native()
    names = ("hours", "share", "low", "high")
    rows = rows_of(nw.from_native(survival(spells, by=["cohort"])).select(*names))
    return [
        Step(name, *(math.nan if row[n] is None else row[n] for n in names))
        for row in rows
    ]


def _compared_rates(
    parts: Sequence[Sequence[Mapping[str, Any]]], measure: str, names: tuple[str, str]
) -> Comparison:
    counted = MEASURES[measure][0]
    cohorts, tallies = [], []
    for rows, name in zip(parts, names, strict=True):
        reasons: dict[str, int] = {}
        for row in rows:
            if row["excluded"] is not None:
                reasons[row["excluded"]] = reasons.get(row["excluded"], 0) + 1
        told = [row for row in rows if row["outcome"] is not None]
        why = _in_words(dict(sorted(reasons.items())))
        _need_some(told, name, why)
        n_cases = len({_key_of(row) for row in told})
        n_out = sum(reasons.values())
        share = len(told) / len(rows)
        cohorts.append(Cohort(name, len(told), n_cases, 0, 0, n_out, why, share))
        tallies.append(
            [sum(row["outcome"] == outcome for row in told) for outcome in counted]
        )
    effects = []
    for place, outcome in enumerate(counted):
        n, m = (tally[place] for tally in tallies)
        n_of, m_of = (cohort.n for cohort in cohorts)
        difference = m / m_of - n / n_of
        effects.append(
            Effect(outcome, n / n_of, m / m_of, difference, *newcombe(n, n_of, m, m_of))
        )
    one, other = ({_key_of(row) for row in rows} for rows in parts)
    return Comparison(
        measure,
        (cohorts[0], cohorts[1]),
        tuple(effects),
        n_shared=len(one & other),
    )


def rate_interval(cohort: Cohort, rate: float) -> tuple[float, float]:
    """Return Wilson's interval of a cohort's rate, for a picture."""
    return wilson(round(rate * cohort.n), cohort.n)
