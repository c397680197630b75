"""How cases move: the matrices, the stays and the backlog hold the analysis' numbers."""

from __future__ import annotations

import histories
import pandas as pd
import pytest

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


def test_a_case_that_is_still_there_is_drawn_as_an_arrow(many: cn.History) -> None:
    ax = cn.plot_time_in(many.changes)
    n_open = int(cn.plot_data(ax)["is_open"].sum())
    arrows = [line for line in ax.get_lines() if line.get_marker() == ">"]
    assert [len(line.get_xdata()) for line in arrows] == [n_open]  # type: ignore[arg-type]


def test_the_backlog_ends_with_the_cases_as_they_stand(many: cn.History) -> None:
    held = cn.spells(many.changes, "status", as_of=many.certificate.fetched_at)
    now = held[held["is_open"]]["value"].value_counts()
    words = cn.plot_text(cn.plot_backlog(many.changes))
    for status, n in now.items():
        assert f"{status}: {n} in the end" in words


def test_the_backlogs_days_are_those_of_the_zone(many: cn.History) -> None:
    ax = cn.plot_backlog(many.changes, tz="Asia/Tokyo")
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
