"""Many cases: every event has its dot, every open case its age."""

from __future__ import annotations

import datetime as dt

import histories
import pytest

import casesnb as cn


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
    assert "1 hollow: may be older" in cn.plot_text(cn.plot_aging(cut.changes))
