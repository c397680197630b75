"""The week's rhythm: the cells hold the numbers of the analysis."""

from __future__ import annotations

import histories

import casesnb as cn


def test_the_cells_are_the_rhythm_of_the_analysis() -> None:
    events = histories.many().events
    expected = cn.actors.rhythm(events, tz="Asia/Tokyo")
    expected = expected.groupby(["weekday", "hour"])["n_events"].sum()
    ax = cn.plot_rhythm(events, tz="Asia/Tokyo")
    drawn = cn.plot_data(ax).set_index(["weekday", "hour"])["n_events"]
    assert drawn.to_dict() == expected.to_dict()
    written = [int(text.get_text()) for text in ax.texts if text.get_text().isdigit()]
    assert sorted(written) == sorted(expected)
