"""Many cases: every event has its dot, every open case its age."""

from __future__ import annotations

import datetime as dt

import histories
import numpy as np
import pytest
from decisions import history_of

import casesnb as cn
from casesnb.view.plots.swarm import swarm


@pytest.fixture(scope="module")
def many() -> cn.History:
    return histories.many()


def test_each_case_is_a_row_oldest_first(many: cn.History) -> None:
    drawn = cn.plot_data(cn.plot_cases(many.events))
    assert drawn["first_at"].is_monotonic_increasing
    counts = drawn[[name for name in drawn if name.startswith("n_")]].sum(axis=1)
    expected = many.events["case_id"].value_counts()
    assert dict(zip(drawn["case_id"], counts, strict=True)) == expected.to_dict()


def test_relative_rows_begin_at_nought_longest_first(many: cn.History) -> None:
    ax = cn.plot_cases(many.events, relative=True)
    assert min(min(line.get_xdata()) for line in ax.get_lines()) == 0  # type: ignore[type-var, arg-type]
    drawn = cn.plot_data(ax)
    assert (drawn["last_at"] - drawn["first_at"]).is_monotonic_decreasing


def test_an_open_case_is_as_old_as_its_creation() -> None:
    plain = histories.history()
    moment = dt.datetime(2026, 2, 3, 9, tzinfo=dt.UTC)
    drawn = cn.plot_data(cn.plot_aging(plain.changes, as_of=moment))
    assert drawn.to_dict("records") == [
        {
            "case_id": "4711",
            "status": "open",
            "age_hours": 24.0,
            "status_hours": 24.0,
            "has_creation": True,
        }
    ]
    closed = dt.datetime(2026, 2, 3, 13, tzinfo=dt.UTC)
    assert "0 open cases" in cn.plot_text(cn.plot_aging(plain.changes, as_of=closed))


def test_a_case_without_its_creation_may_be_older() -> None:
    cut = histories.history(histories.PLAIN[1:])
    words = cn.plot_text(cn.plot_aging(cut.changes))
    assert "1 may be older (hollow): no creation is told." in words


def test_the_oldest_open_case_is_the_title(many: cn.History) -> None:
    ax = cn.plot_aging(many, as_of=dt.datetime(2026, 2, 12, 12, tzinfo=dt.UTC))
    drawn = cn.plot_data(ax)
    assert drawn["age_hours"].is_monotonic_decreasing
    days = f"{drawn['age_hours'].iloc[0] / 24:.1f} d"
    assert cn.plot_text(ax).startswith(
        f"{len(drawn)} cases are open: the oldest {days}"
    )
    titled = cn.plot_aging(many, title="We are behind")
    assert cn.plot_text(titled).startswith("We are behind\n")


# ------------------------------------------------------------------- dots


@pytest.mark.parametrize(
    ("n", "room", "n_each"), [(1, 3, 1), (40, 9, 1), (3_000, 9, 20)]
)
def test_dots_of_a_swarm_lie_side_by_side(n: int, room: int, n_each: int) -> None:
    dice = np.random.default_rng(1)
    at, group = dice.normal(30, 8, n), dice.integers(0, 2, n)
    kind = (dice.random(n) < 0.3).astype(int)
    found = swarm(at, group, kind, room=room)
    assert found.n_each == n_each
    for number in set(group.tolist()):
        own = group[found.row] == number
        for line in set(found.aside[own].tolist()):
            places = np.sort(at[found.row][own & (found.aside == line)])
            assert (np.diff(places) >= 1 - 1e-9).all()
        assert np.abs(found.aside[own]).max() <= room / 2
        for part in (0, 1):  # as many dots as the things they stand for
            is_part = (group == number) & (kind == part)
            dots = (own & (kind[found.row] == part)).sum()
            assert dots == max(round(is_part.sum() / n_each), is_part.any())


def test_dots_for_many_are_spread_as_the_many_are() -> None:
    at = np.sort(np.random.default_rng(2).normal(50, 9, 5_000))
    nothing = np.zeros(5_000, dtype=int)
    found = swarm(at, nothing, nothing, room=15)
    assert found.n_each > 1
    shares = [0.1, 0.5, 0.9]
    drawn = np.quantile(at[found.row], shares)
    assert np.allclose(drawn, np.quantile(at, shares), atol=0.5)


def test_columns_with_long_names_are_told_apart() -> None:
    begin = "Status of the day, number "
    ways = {f"c{n}": [(0.0, f"{begin}{n}", "a")] for n in range(1, 8)}
    ax = cn.plot_aging(history_of(ways), as_of=dt.datetime(2026, 2, 3, tzinfo=dt.UTC))
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert len({*labels}) == len(ways)
    assert {label.split("\n")[0][-2:] for label in labels} >= {" 1", " 7"}


def test_columns_of_statuses_that_share_a_name_are_told_apart() -> None:
    ways = {f"c{n}": [(0.0, f"s{n}", "a")] for n in range(2)}
    changes = history_of(ways).changes.assign(new_label="Held", old_label=None)
    as_of = dt.datetime(2026, 2, 3, tzinfo=dt.UTC)
    drawn = cn.plot_data(cn.plot_aging(changes, as_of=as_of))
    assert set(drawn["status"]) == {"Held (s0)", "Held (s1)"}
