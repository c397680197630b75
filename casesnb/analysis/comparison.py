"""What a comparison of two cohorts came to: effects with intervals, told in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from casesnb.analysis.durations import hours_text

WAITS = {
    "touch_hours": ("first_touch_at", "first touched"),
    "assigned_hours": ("first_assigned_at", "first assigned"),
    "comment_hours": ("first_comment_at", "first commented"),
    "closed_hours": ("first_closed_at", "closed"),
}
"""What a case waits for, as `first_times` calls it."""


class Effect(NamedTuple):
    """One row per effect: what it is in both cohorts, and how they differ."""

    effect: str  # "restricted mean hours", "median hours", or the outcome of a rate
    a: float  # in the first cohort; infinite where a median is not reached
    b: float  # in the second
    difference: float  # the second less the first
    low: float  # where the difference's 95% interval begins
    high: float  # where it ends


class Cohort(NamedTuple):
    """One row per cohort: how much of it was used, and how much is not over."""

    name: str  # what it is called
    n: int  # durations, cases or closes that were counted
    n_cases: int  # cases of them
    n_open: int  # of a duration: not over, so known to last at least so long
    n_between: int  # ended at some time between two that are told
    n_excluded: int  # left out
    excluded: str  # how many of them why
    share: float  # counted, of all there are


class Step(NamedTuple):
    """One row per cohort and duration at which one of it ended."""

    name: str  # the cohort
    hours: float  # the duration
    share: float  # that lasts longer
    low: float  # where its 95% interval begins
    high: float  # where it ends


@dataclass(frozen=True)
class Comparison:
    """How two cohorts differ: effects with intervals, never a bare p-value.

    ``print`` tells it in one sentence. What `compare` returns.

    Parameters
    ----------
    measure : str
        What was compared.
    cohorts : tuple of Cohort
        The two cohorts: how many were counted, how many are not over, how many
        were left out and why.
    effects : tuple of Effect
        The effects, the main one first; ``pandas.DataFrame(effects)`` has them
        as a table.
    curves : tuple of Step
        Of durations: Kaplan and Meier's curve of both cohorts.
    p_value : float or None
        Of durations: the log-rank test's, where each case counts once.
    horizon : float or None
        Of durations: the hours up to which the restricted mean counts.
    n_shared : int
        Cases that are in both cohorts.
    n_straddling : int or None
        Of a before and after: cases that were created before and were not
        closed by then. They count up to that moment.
    """

    measure: str
    cohorts: tuple[Cohort, Cohort]
    effects: tuple[Effect, ...]
    curves: tuple[Step, ...] = field(default=(), repr=False)
    p_value: float | None = None
    horizon: float | None = None
    n_shared: int = 0
    n_straddling: int | None = None

    @property
    def is_different(self) -> bool:
        """Whether the main effect's interval leaves no difference out."""
        effect = self.effects[0]
        return bool(effect.low > 0 or effect.high < 0)

    def __str__(self) -> str:
        of_rate = self.horizon is None
        told = "; ".join(
            _of_rate(self, effect) if of_rate else _of_hours(self, effect)
            for effect in self.effects
        )
        more = []
        noun = "" if of_rate else " durations" if self._is_many() else " cases"
        counts = " and ".join(f"{each.n:,}" for each in self.cohorts)
        shares = " and ".join(f"{each.share:.0%}" for each in self.cohorts)
        more.append(f"{counts}{noun} counted, {shares} of those there are")
        if not of_rate:
            n_open = " and ".join(f"{each.n_open:,}" for each in self.cohorts)
            more.append(f"{n_open} of them not over")
        if any(each.n_between for each in self.cohorts):
            n = " and ".join(f"{each.n_between:,}" for each in self.cohorts)
            more.append(
                f"{n} ended at some time in a gap of the history, which the intervals "
                "allow for"
            )
        if self.n_straddling is not None:
            more.append(
                f"{self.n_straddling:,} cases straddle the date and count until then"
            )
        if self.n_shared:
            more.append(f"{self.n_shared:,} cases are in both")
        if self.p_value is not None:
            p = "below 0.001" if self.p_value < 0.001 else f"{self.p_value:.3f}"
            more.append(f"log-rank p {p}")
        return f"{told} ({'; '.join(more)})."

    __repr__ = __str__

    def _is_many(self) -> bool:
        return any(each.n != each.n_cases for each in self.cohorts)


def _of_hours(of: Comparison, effect: Effect) -> str:
    """Tell an effect on durations in words."""
    one, other = (each.name for each in of.cohorts)
    verb = WAITS[of.measure][1] if of.measure in WAITS else "over"
    low, high = _less(effect.low), _less(effect.high)
    between = f" {low} to {high}"
    if not np.isfinite([effect.low, effect.high]).all():
        between = f": lower end {low}, upper end {high}"
    if effect.effect == "median hours":
        lead = f"half were {verb} within {_hours(effect.a)} ({one}) and {_hours(effect.b)} ({other})"
    else:
        until = hours_text(of.horizon or 0.0)
        lead = (
            f"until they were {verb} it took {_hours(effect.a)} ({one}) and "
            f"{_hours(effect.b)} ({other}) on average, counted up to {until}"
        )
    return f"{lead}, {_less(effect.difference)} (95% interval{between})"


def _of_rate(of: Comparison, effect: Effect) -> str:
    """Tell an effect on rates in words."""
    one, other = (each.name for each in of.cohorts)
    lead = dict.fromkeys((of.measure, effect.effect))
    return (
        f"{', '.join(lead)}: {effect.a:.1%} ({one}) and {effect.b:.1%} "
        f"({other}), {100 * effect.difference:+.1f} points (95% interval "
        f"{100 * effect.low:+.1f} to {100 * effect.high:+.1f})"
    )


def _hours(hours: float) -> str:
    return "more than is told" if hours == np.inf else hours_text(hours)


def _less(hours: float) -> str:
    if hours != hours or abs(hours) == np.inf:
        return "not told"
    if hours == 0:
        return "no difference"
    return f"{hours_text(abs(hours))} {'less' if hours < 0 else 'more'}"
