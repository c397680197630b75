"""How sure a number is: Wilson's and Newcombe's intervals, the bootstrap over cases."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Numbers = np.ndarray[Any, Any]

Z = 1.959963984540054  # of a normal distribution, 95% lie so close to its middle
_CELLS = 4_000_000  # weights that are drawn at once


def with_wilson(frame: Any) -> Any:
    """Return ``n`` of ``n_of`` with their rate and Wilson's interval."""
    n, n_of = nw.col("n").cast(nw.Float64), nw.col("n_of").cast(nw.Float64)
    frame = frame.with_columns(rate=nw.when(n_of > 0).then(n / n_of))
    rate, spread = nw.col("rate"), 1 + Z**2 / n_of
    middle = (rate + Z**2 / (2 * n_of)) / spread
    half = (rate * (1 - rate) / n_of + Z**2 / (4 * n_of * n_of)) ** 0.5 * Z / spread
    # Of none and of all it ends where the rate does, whatever the last digit says.
    low = nw.when(n > 0).then(middle - half).otherwise(nw.lit(0.0))
    high = nw.when(n < n_of).then(middle + half).otherwise(nw.lit(1.0))
    is_any = nw.when(n_of > 0)
    return frame.with_columns(low=is_any.then(low), high=is_any.then(high))


def wilson(n: int, n_of: int) -> tuple[float, float]:
    """Return Wilson's interval of one rate."""
    rate, spread = n / n_of, 1 + Z**2 / n_of
    middle = (rate + Z**2 / (2 * n_of)) / spread
    half = Z * math.sqrt(rate * (1 - rate) / n_of + Z**2 / (4 * n_of**2)) / spread
    return (middle - half if n else 0.0), (middle + half if n < n_of else 1.0)


def poisson(n: int) -> tuple[float, float]:
    """Return the interval of the mean of which a count is one, by its score test."""
    middle, half = n + Z**2 / 2, Z * math.sqrt(n + Z**2 / 4)
    return (middle - half if n else 0.0), middle + half


def newcombe(n: int, n_of: int, m: int, m_of: int) -> tuple[float, float]:
    """Return Newcombe's interval of the second rate less the first."""
    (low, high), (low_2, high_2) = wilson(n, n_of), wilson(m, m_of)
    rate, rate_2 = n / n_of, m / m_of
    return (
        rate_2 - rate - math.hypot(rate_2 - low_2, high - rate),
        rate_2 - rate + math.hypot(high_2 - rate_2, rate - low),
    )


def case_weights(n: int, n_resamples: int, seed: int) -> Iterator[Numbers]:
    """Yield how often each of `n` cases is drawn, some resamples at a time."""
    dice = np.random.default_rng(seed)
    step = max(_CELLS // max(n, 1), 1)
    for done in range(0, n_resamples, step):
        size = min(step, n_resamples - done)
        yield dice.multinomial(n, np.full(n, 1 / n), size=size).astype(float)


def interval(draws: Numbers, n: float = math.inf) -> tuple[Any, Any]:
    """Return between which values 95% of what was drawn lie, for a mean of `n`."""
    shares = expanded(n)
    low, high = np.quantile(draws, shares, axis=0, method="closest_observation")
    return low, high


def expanded(n: float) -> tuple[float, float]:
    """Return the two shares of draws between which 95% of means of `n` lie."""
    # Resampling a few makes them look too much alike: Hesterberg, The American
    # Statistician 69 (2015). Student's quantile is told by its expansion.
    df = max(n - 1, 1.0)
    t = Z + (Z**3 + Z) / (4 * df) + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * df**2)
    low = 0.5 * math.erfc(t * math.sqrt(1 + 1 / df) / math.sqrt(2))
    return low, 1 - low


def resampled(
    cases: Sequence[Numbers],
    n_resamples: int,
    seed: int,
    statistic: Callable[[Numbers], Numbers],
) -> Numbers:
    """Return what a statistic is in each resample of cases, told by their numbers."""
    # In the order of these the draws are the same whatever the cases are called.
    place = np.argsort(np.lexsort(cases[::-1]))
    weights = case_weights(len(place), n_resamples, seed)
    return np.concatenate([statistic(each[:, place]) for each in weights])


class Curve:
    """Kaplan and Meier's curve of durations, for any weights of their cases."""

    def __init__(self, hours: Numbers, ended: Numbers, case: Numbers) -> None:
        order = np.argsort(hours, kind="stable")
        self._case, self._ended = case[order], ended[order].astype(float)
        self.times, self._first = np.unique(hours[order], return_index=True)

    def shares(self, weights: Numbers) -> Numbers:
        """Return what share lasts longer than each time, a row per row of weights."""
        each = weights[:, self._case]
        gone = np.add.reduceat(each, self._first, axis=1)
        ended = np.add.reduceat(each * self._ended, self._first, axis=1)
        at_risk = np.cumsum(gone[:, ::-1], axis=1)[:, ::-1]
        hazard = np.divide(ended, at_risk, out=np.zeros_like(ended), where=at_risk > 0)
        shares: Numbers = np.cumprod(1 - hazard, axis=1)
        return shares

    def statistics(self, weights: Numbers, horizon: float) -> Numbers:
        """Return the restricted mean and the median for each row of weights."""
        shares = self.shares(weights)
        before = np.concatenate([np.ones((len(shares), 1)), shares], axis=1)
        bounds = np.clip(np.concatenate([[0.0], self.times, [np.inf]]), 0, horizon)
        means = before @ np.diff(bounds)
        is_past = shares <= 0.5 + 1e-12
        place = is_past.argmax(axis=1)
        medians = np.where(is_past.any(axis=1), self.times[place], np.inf)
        return np.stack([means, medians], axis=1)


def period_quantiles(
    entry: Numbers,
    hours: Numbers,
    ended: Numbers,
    shares: Sequence[float],
    *,
    n_resamples: int,
    seed: int,
) -> list[tuple[float | None, float | None, float | None]]:
    """Return times until which shares end by the pace of a period, with intervals."""
    # A period's life table: each case is followed from its age at the period's start
    # (`entry`) to that at its end, or its own. A time that is not reached is infinite.
    if not len(hours):
        return [(None, None, None)] * len(shares)
    times = np.unique(hours[ended])
    by_entry, by_hours = (np.argsort(each, kind="stable") for each in (entry, hours))
    # Whoever comes as old as another ends is not yet at risk of that.
    come = np.searchsorted(entry[by_entry], times, side="left")
    gone = np.searchsorted(hours[by_hours], times, side="left")
    place = np.searchsorted(times, hours[ended])
    of = np.flatnonzero(ended)[np.argsort(place, kind="stable")]
    first = np.unique(np.sort(place), return_index=True)[1]

    def quantiles(weights: Numbers) -> Numbers:
        zero = np.zeros((len(weights), 1))
        sums = [
            np.concatenate([zero, np.cumsum(weights[:, order], axis=1)], axis=1)
            for order in (by_entry, by_hours)
        ]
        at_risk = sums[0][:, come] - sums[1][:, gone]
        if not len(times):
            return np.full((len(weights), len(shares)), np.inf)
        deaths = np.add.reduceat(weights[:, of], first, axis=1)
        hazard = np.divide(
            deaths, at_risk, out=np.zeros_like(deaths), where=at_risk > 0
        )
        left = np.cumprod(1 - hazard, axis=1)
        found = []
        for share in shares:
            is_past = left <= 1 - share + 1e-12
            reached = times[is_past.argmax(axis=1)]
            found.append(np.where(is_past.any(axis=1), reached, np.inf))
        return np.stack(found, axis=1)

    (value,) = quantiles(np.ones((1, len(hours))))
    draws = resampled([entry, hours, ended], n_resamples, seed, quantiles)
    low, high = interval(draws, len(hours))
    return [
        (float(each), float(low[i]), float(high[i])) for i, each in enumerate(value)
    ]
