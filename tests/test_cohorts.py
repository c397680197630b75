"""Cohorts compared: SciPy's own numbers, and intervals that cover what was planted."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from decisions import UTC, history_of, told, world_and_history
from scipy import stats
from test_checks import ANN_, CLOSE, Story
from test_checks import told as history_told

import casesnb as cn
from casesnb.analysis.cohorts import Comparison, compare_before_after
from casesnb.analysis.uncertainty import newcombe


def waits(
    dice: np.random.Generator, mean: float, n: int = 100, of_case: int = 1
) -> pd.DataFrame:
    """Exponential durations, of which some are not over; those of a case are alike."""
    n_cases = n // of_case
    case = np.repeat(np.arange(n_cases), of_case)
    shape = 4.0
    pace = dice.gamma(shape, 1 / shape, n_cases) if of_case > 1 else np.ones(n_cases)
    hours = dice.exponential(mean, len(case)) / pace[case]
    until = dice.uniform(5, 60, len(case))
    return pd.DataFrame(
        {
            "domain_id": "d",
            "case_id": [f"c{number}" for number in case],
            "hours": np.minimum(hours, until),
            "is_open": hours > until,
        }
    )


def test_the_curve_is_scipys_with_its_interval() -> None:
    dice = np.random.default_rng(1)
    frame = waits(dice, 10.0, 200).round({"hours": 1}).assign(group="g")
    found = cn.survival(frame, by=["group"])
    theirs = stats.ecdf(
        stats.CensoredData.right_censored(frame["hours"], frame["is_open"])
    ).sf
    between = theirs.confidence_interval(method="log-log")
    assert found["hours"].tolist() == theirs.quantiles.tolist()
    for name, wanted in {
        "share": theirs.probabilities,
        "low": between.low.probabilities,
        "high": between.high.probabilities,
    }.items():
        told_ = found[name].to_numpy()
        both = ~np.isnan(told_)
        np.testing.assert_allclose(told_[both], wanted[both], atol=1e-12)
        assert (
            np.isnan(told_) <= ((found["share"] == 0) | (found["share"] == 1))
        ).all()
    assert found["n_ended"].sum() == (~frame["is_open"]).sum()
    assert (found["n_ended"] + found["n_censored"]).sum() == 200
    # `durations` tells three points of the same curve.
    (row,) = cn.durations(frame, by=["group"]).to_dict("records")
    is_half = found["share"] <= 0.5 + 1e-9
    assert row["median_hours"] == found.loc[is_half, "hours"].min()


def test_a_comparison_of_durations_is_told_in_one_sentence() -> None:
    dice = np.random.default_rng(2)
    one, other = waits(dice, 10.0, 200), waits(dice, 20.0, 200)
    found = cn.compare(one, other, "hours", names=("old", "new"))
    assert isinstance(found, Comparison)
    for name, frame in (("old", one), ("new", other)):
        curve = [step[1:] for step in found.curves if step.name == name]
        same = cn.survival(frame.assign(group="g"), by=["group"])
        same = same[same["n_ended"] > 0][["hours", "share", "low", "high"]]
        curve = [step for step in curve if step[0] in {*same["hours"]}]
        np.testing.assert_allclose(curve, same.to_numpy(), atol=1e-9)
    text = str(found)
    assert text.count(". ") == 0
    assert text.endswith(").")
    for part in (
        "(old)",
        "(new)",
        "95% interval",
        "200 and 200 cases counted",
        "log-rank p",
    ):
        assert part in text
    mean, median = found.effects
    assert mean.low < mean.difference < mean.high
    assert median.low < median.difference < median.high
    assert found.is_different
    for low, high, is_different in (
        (-2.0, -0.1, True), (0.1, 2.0, True), (-0.1, 0.1, False), (0.0, 2.0, False)
    ):  # fmt: skip
        (main, *others) = found.effects
        main = main._replace(low=low, high=high)
        with_it = dataclasses.replace(found, effects=(main, *others))
        assert with_it.is_different is is_different
    theirs = stats.logrank(
        *(
            stats.CensoredData.right_censored(f["hours"], f["is_open"])
            for f in (one, other)
        )
    )
    assert found.p_value == theirs.pvalue
    # The area below SciPy's own curve, up to the horizon.
    for frame, mean_of in ((one, mean.a), (other, mean.b)):
        curve = stats.ecdf(
            stats.CensoredData.right_censored(frame["hours"], frame["is_open"])
        ).sf
        at = np.clip([0.0, *curve.quantiles, math.inf], 0, found.horizon)
        area = np.sum(np.diff(at) * np.r_[1.0, curve.probabilities])
        assert mean_of == pytest.approx(area, rel=1e-9)


def test_the_same_seed_draws_the_same() -> None:
    dice = np.random.default_rng(3)
    one, other = waits(dice, 10.0), waits(dice, 12.0)
    found = [
        cn.compare(one, other, "hours", seed=seed, n_resamples=300)
        for seed in (0, 0, 1)
    ]
    assert found[0] == found[1]
    assert found[0].effects != found[2].effects


def test_ends_that_lie_in_a_gap_widen_the_interval_to_what_is_possible() -> None:
    dice = np.random.default_rng(4)
    one, other = waits(dice, 10.0), waits(dice, 12.0)
    sure = cn.compare(one, other, "hours", n_resamples=300)
    gap = one["is_open"].eq(False) & (np.arange(len(one)) % 3 == 0)
    unsure = cn.compare(one.assign(is_known=~gap), other, "hours", n_resamples=300)
    assert unsure.cohorts[0].n_between == gap.sum()
    assert f"{gap.sum()} and 0 ended at some time in a gap" in str(unsure)
    assert unsure.effects[0].high > sure.effects[0].high
    assert unsure.effects[0].low == sure.effects[0].low
    # Where both have gaps, the first may be at its shortest while the second is at
    # its longest, and the other way round.
    gaps = one.assign(is_known=~gap), other.assign(is_known=~gap)
    both = cn.compare(*gaps, "hours", n_resamples=300)
    other_alone = cn.compare(one, gaps[1], "hours", n_resamples=300)
    assert both.effects[0].difference == sure.effects[0].difference
    assert both.effects[0].high == unsure.effects[0].high
    assert both.effects[0].low == other_alone.effects[0].low < sure.effects[0].low


def test_a_comparison_of_rates_has_newcombes_interval() -> None:
    again = [(0, "open", "a"), (1, "closed", "a"), (2, "open", "a")]
    once = again[:2]
    one = history_of({f"a{n}": again if n < 6 else once for n in range(20)})
    other = history_of({f"b{n}": again if n < 1 else once for n in range(20)})
    found = cn.compare(one, other, "reopened")
    (effect,) = found.effects
    assert [tuple(each)[1:6] for each in found.cohorts] == [(20, 20, 0, 0, 0)] * 2
    assert (effect.a, effect.b) == (0.3, 0.05)
    assert (effect.low, effect.high) == newcombe(6, 20, 1, 20)
    assert "30.0% (a) and 5.0% (b), -25.0 points (95% interval" in str(found)
    assert found.p_value is None
    fresh = [(0, "open", "a"), (900, "closed", "a")]
    late = history_of({f"a{n}": fresh if n < 2 else once for n in range(20)})
    week = dt.timedelta(days=7)
    (cohort, _) = cn.compare(late, late, "reopened", within=week).cohorts
    assert (cohort.n, cohort.n_excluded) == (18, 2)
    assert cohort.excluded == "2 closed too short a time ago"


def test_before_and_after_tells_the_cases_that_straddle_the_date() -> None:
    world, history = world_and_history(7, 60)
    at = dt.datetime(2026, 2, 10, tzinfo=UTC)
    found = compare_before_after(history, at=at, n_resamples=200)
    kept = set(history.events["case_id"].astype("str"))
    born, straddling = {}, 0
    for case_id in kept:
        events = list(world.true_events(case_id))
        first = events[0]
        if not first.is_served:
            continue
        born[case_id] = first.performed_at
        closed = [
            c.performed_at
            for c in world.true_changes(case_id)
            if c.field_id == "status" and c.new == "closed"
        ]
        straddling += first.performed_at < at and not any(c < at for c in closed)
    before, after = found.cohorts
    assert before.n == sum(when < at for when in born.values())
    assert after.n == sum(when >= at for when in born.values())
    assert before.n_excluded == after.n_excluded == len(kept) - len(born)
    assert found.n_straddling == straddling > 0
    assert f"{straddling} cases straddle the date and count until then" in str(found)
    # What came after the date changes nothing of the cohort before it.
    early = told(history, {case for case, when in born.items() if when < at})
    alone = cn.compare(early, early, as_of=at, n_resamples=200)
    assert alone.cohorts[0].n_open == before.n_open


def test_what_happens_at_the_date_itself_is_not_before_it() -> None:
    at = dt.datetime(2026, 2, 3, tzinfo=UTC)
    ways = {f"a{n}": [(60.0, "open", "x"), (70.0, "closed", "x")] for n in range(4)}
    for n in range(4):
        ways[f"b{n}"] = [(0.0, "open", "x"), (48.0, "closed", "agent/b")]
        ways[f"c{n}"] = [(0.0, "open", "x"), (9.0, "closed", "x"), (48.0, "open", "x")]
        ways[f"d{n}"] = [(48.0, "open", "x"), (50.0, "closed", "x")]
    history = history_of(ways)
    waits = compare_before_after(history, at=at, n_resamples=9)
    before, after = waits.cohorts
    assert (before.n, before.n_open, after.n, after.n_open) == (8, 4, 8, 0)
    assert waits.n_straddling == 4
    again = compare_before_after(history, "reopened", at=at)
    assert [(each.a, each.b) for each in again.effects] == [(0.0, 0.0)]
    assert [each.n for each in again.cohorts] == [4, 8]
    assert again.n_straddling == 4
    touched = compare_before_after(history, "touchless", at=at)
    assert touched.cohorts[0].excluded == "4 not closed yet"


def test_an_end_of_an_interval_may_not_be_told() -> None:
    hours = [float(n) for n in range(1, 9)]
    few = pd.DataFrame({"hours": hours, "is_open": [n > 2 for n in hours]})
    many = few.assign(is_open=few["hours"] > 5)
    said = str(cn.compare(few, many, "hours"))
    assert "(b), not told (95% interval: lower end not told, upper end 3.0 h m" in said
    assert "1.5 h less (95% interval 4.9 h less to 2.0 h more)" in said


def test_what_cannot_be_compared_is_refused() -> None:
    history = history_of({"a": [(0, "open", "x"), (1, "closed", "x")]})
    frame = pd.DataFrame({"hours": [1.0], "is_open": [False]})
    with pytest.raises(TypeError, match="Give two of a kind"):
        cn.compare(history, frame)
    with pytest.raises(ValueError, match="measure='speed': give one of touch_hours"):
        cn.compare(history, history, "speed")
    with pytest.raises(TypeError, match="takes whole histories"):
        cn.compare(frame, frame)
    with pytest.raises(ValueError, match="nothing to compare in the cohort 'b'"):
        cn.compare(frame, frame.iloc[:0], "hours")
    late = dt.datetime(2027, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="is not before"):
        compare_before_after(history, at=late, as_of=late)


# Simulations with a known effect: what the intervals promise.

HORIZON = 30.0


def true_mean(mean: float, of_case: int) -> float:
    """The mean up to the horizon, of exponential waits with or without a pace."""
    if of_case == 1:
        return mean * (1 - math.exp(-HORIZON / mean))
    at = np.linspace(0, HORIZON, 20_001)
    lasts = (1 + at / (4 * mean)) ** -4.0
    return float(np.trapezoid(lasts, at))


def true_median(mean: float, of_case: int) -> float:
    if of_case == 1:
        return mean * math.log(2)
    return 4 * mean * (2**0.25 - 1)


def simulated(
    n_runs: int, means: tuple[float, float], of_case: int
) -> dict[str, float]:
    """How often the intervals of both effects cover the truth, and how often not 0."""
    wanted = [
        truth(means[1], of_case) - truth(means[0], of_case)
        for truth in (true_mean, true_median)
    ]
    covered, n_called = np.zeros(2), 0
    for run in range(n_runs):
        dice = np.random.default_rng([run, of_case])
        one, other = (waits(dice, mean, 120, of_case) for mean in means)
        found = cn.compare(
            one, other, "hours", horizon=HORIZON, n_resamples=1000, seed=run
        )
        covered += [
            e.low <= truth <= e.high
            for e, truth in zip(found.effects, wanted, strict=True)
        ]
        n_called += found.is_different
    share = covered / n_runs
    return {"mean": share[0], "median": share[1], "different": n_called / n_runs}


def test_a_few_runs_cover_a_known_effect() -> None:
    found = simulated(30, (10.0, 15.0), 1)
    assert found["mean"] > 0.8
    assert found["median"] > 0.8


# A hundred runs may be off by chance where a thousand are not.
RUNS = [
    pytest.param(100, 0.06, marks=pytest.mark.slow),
    pytest.param(1000, 0.02, marks=pytest.mark.nightly),
]


@pytest.mark.parametrize(("n_runs", "off"), RUNS)
@pytest.mark.parametrize("of_case", [1, 4])
def test_intervals_cover_a_known_effect_as_often_as_they_say(
    of_case: int, n_runs: int, off: float
) -> None:
    found = simulated(n_runs, (10.0, 15.0), of_case)
    assert abs(found["mean"] - 0.95) <= off
    assert abs(found["median"] - 0.95) <= off


@pytest.mark.parametrize(("n_runs", "off"), RUNS)
@pytest.mark.parametrize("of_case", [1, 4])
def test_no_effect_is_called_different_as_rarely_as_it_should(
    of_case: int, n_runs: int, off: float
) -> None:
    found = simulated(n_runs, (10.0, 10.0), of_case)
    assert found["different"] <= 0.05 + off / 2


@pytest.mark.slow
def test_newcombes_interval_covers_a_known_difference() -> None:
    dice = np.random.default_rng(5)
    n_covered = 0
    for _ in range(1000):
        n, m = dice.binomial(150, 0.2), dice.binomial(150, 0.3)
        low, high = newcombe(n, 150, m, 150)
        n_covered += low <= 0.1 <= high
    assert 0.93 <= n_covered / 1000 <= 0.97


def test_what_lasted_nobody_knows_how_long_is_left_out_and_counted() -> None:
    dice = np.random.default_rng(5)
    one, other = waits(dice, 10.0), waits(dice, 12.0)
    one.loc[:2, "hours"] = None
    found = cn.compare(one, other, "hours", n_resamples=50)
    assert [each.n_excluded for each in found.cohorts] == [3, 0]
    assert found.cohorts[0].excluded.startswith("3 ")


def test_what_was_so_before_the_first_change_that_tells_it_began_in_between() -> None:
    changes = {
        "assigned_hours": {"assigned_user": ("ann", "bob")},
        "closed_hours": {"status": ("closed", "closed")},
    }
    for measure, change in changes.items():
        stories = [Story(f"c{n}").created(ANN_) for n in range(6)]
        for story in stories:
            if measure == "closed_hours":  # of which the creation tells nothing
                story.changes.clear()
            story.then(ANN_).then(ANN_, change).then(ANN_)
        history = history_told(*stories)
        found = cn.compare(history, history, measure, n_resamples=9)
        (one, _) = found.cohorts
        assert (one.n, one.n_between, one.n_open) == (6, 6, 0)
        assert {step.hours for step in found.curves} == {2.0}


def test_a_close_that_shows_only_by_what_follows_it_was_before_that() -> None:
    stories = [Story(f"c{n}").created(ANN_) for n in range(6)]
    for story, n in product(stories, range(9)):
        story.then(ANN_)
        if n == 8:
            is_first = story is stories[0]
            story.then(ANN_, {"status": ("closed", "open")} if is_first else CLOSE)

    one, other = history_told(*stories), history_told(*stories[1:])
    found = cn.compare(one, other, "closed_hours", n_resamples=50)
    assert [each.n_between for each in found.cohorts] == [1, 0]
    assert [(step.name, step.hours) for step in found.curves] == [("a", 10), ("b", 10)]
    (mean, _) = found.effects
    assert (mean.a, mean.b) == (10.0, 10.0)
    # Who all end at one time differ in nothing that a test could judge.
    assert found.p_value is None
    assert "log-rank" not in str(found)
