"""How cases move: the matrices, the stays and the backlog hold the analysis' numbers."""

from __future__ import annotations

import histories
import pandas as pd
import pytest
from decisions import history_of

import casesnb as cn


@pytest.fixture(scope="module")
def many() -> cn.History:
    return histories.many()


def test_transitions_are_those_of_the_analysis(many: cn.History) -> None:
    expected = cn.transitions(many.changes, as_of=many.certificate.fetched_at)
    drawn = cn.plot_data(cn.plot_transitions(many.changes))
    assert drawn["n"].sum() == expected["n"].sum()
    pairs = zip(expected["from_value"], expected["to_value"], strict=True)
    assert set(zip(drawn["from"], drawn["to"], strict=True)) == set(pairs)


def test_what_does_not_fit_a_matrix_is_other(many: cn.History) -> None:
    ax = cn.plot_handoffs(many.changes, top=4)
    rows = [label.get_text() for label in ax.get_yticklabels()]
    assert len(rows) == 4
    assert rows[-1].startswith("other (")
    counts = [int(text.get_text()) for text in ax.texts if text.get_text().isdigit()]
    assert sum(counts) == cn.plot_data(ax)["n"].sum()


def test_a_case_that_is_still_there_is_hollow(many: cn.History) -> None:
    ax = cn.plot_time_in(many.changes)
    n_open = int(cn.plot_data(ax)["is_open"].sum())
    dots = {
        str(line.get_markerfacecolor()): len(line.get_xdata())  # type: ignore[arg-type]
        for line in ax.get_lines()
        if line.get_marker() == "o"
    }
    assert dots["#ffffff"] == n_open
    assert sum(dots.values()) == len(cn.plot_data(ax))


def test_median_and_90th_percentile_count_what_is_not_over() -> None:
    hours = [1.0, 2.0, 3.0, 10.0, 10.0, 10.0]
    lives = {
        f"c{n}": [(0.0, "open", "a"), *([(end, "held", "a")] if n < 4 else [])]
        for n, end in enumerate(hours)
    }
    history = history_of(lives)
    ax = cn.plot_time_in(history)
    (line,) = (
        row for row in cn.plot_text(ax).splitlines() if row.startswith("  open:")
    )
    assert "6 cases, half within 3.0 h, nine tenths within a time not reached" in line
    told = cn.durations(cn.plot_data(ax).drop(columns="is_known"), by=["value"])
    told = told.set_index("value").loc["open"]
    assert (told["median_hours"], told["n_open"]) == (3.0, 2)
    assert "longest in open" in cn.plot_text(ax)


def test_more_goes_to_the_right_of_the_diagonal(many: cn.History) -> None:
    ax = cn.plot_transitions(many)
    rows = [label.get_text() for label in ax.get_yticklabels()]
    columns = [label.get_text() for label in ax.get_xticklabels()]
    both = [name for name in rows if name in columns]
    assert both == [name for name in columns if name in rows]  # one order
    drawn = cn.plot_data(ax)
    place = {name: n for n, name in enumerate(dict.fromkeys([*rows, *columns]))}
    forward = drawn["from"].map(place) < drawn["to"].map(place)
    assert drawn.loc[forward, "n"].sum() > drawn.loc[~forward, "n"].sum()
    most = drawn.sort_values("n").iloc[-1]
    assert f"most often from {most['from']} to {most['to']}" in cn.plot_text(ax)


def test_who_had_no_case_comes_first(many: cn.History) -> None:
    ax = cn.plot_handoffs(many)
    assert ax.get_yticklabels()[0].get_text() == "nobody"


def test_closed_cases_are_left_out_unless_they_are_asked_for(many: cn.History) -> None:
    found = cn.backlog(many)
    drawn = cn.plot_data(cn.plot_backlog(many, with_closed=True))
    pd.testing.assert_frame_equal(drawn, found)
    words = cn.plot_text(cn.plot_backlog(many))
    is_closed = found["value"] == "closed"
    rest = found[~is_closed].reset_index(drop=True)
    pd.testing.assert_frame_equal(cn.plot_data(cn.plot_backlog(many)), rest)
    n_closed = found.loc[is_closed, "n_cases"].iloc[-1]
    assert f"Left out: {n_closed} closed cases in the end" in words
    assert "closed:" not in words


def test_the_backlog_ends_with_the_cases_as_they_stand(many: cn.History) -> None:
    held = cn.spells(many.changes, "status", as_of=many.certificate.fetched_at)
    now = held[held["is_open"]]["value"].value_counts()
    words = cn.plot_text(cn.plot_backlog(many.changes, with_closed=True))
    for status, n in now.items():
        assert f"{status}: {n} in the end" in words


def test_the_backlogs_days_are_those_of_the_zone(many: cn.History) -> None:
    ax = cn.plot_backlog(many.changes, with_closed=True, tz="Asia/Tokyo")
    assert set(cn.plot_data(ax)["period_at"].dt.hour) == {15}
    in_tokyo = cn.backlog(
        many.changes, as_of=many.certificate.fetched_at, tz="Asia/Tokyo"
    )
    pd.testing.assert_frame_equal(cn.plot_data(ax), in_tokyo)
    assert "00:00 Asia/Tokyo" in cn.plot_text(ax)


def test_a_choice_that_is_none_is_refused(many: cn.History) -> None:
    with pytest.raises(ValueError, match="names no holder. Give 'assigned_user'"):
        cn.plot_handoffs(many.changes, "status")
    for plot in (
        cn.plot_transitions,
        cn.plot_handoffs,
        cn.plot_time_in,
        cn.plot_backlog,
    ):
        with pytest.raises(ValueError, match="top=0 leaves nothing to draw"):
            plot(many.changes, top=0)
