"""The week's rhythm and the work over time hold the numbers of the analysis."""

from __future__ import annotations

import histories
import pytest

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


@pytest.mark.parametrize("tz", ["UTC", "America/New_York", "Asia/Kathmandu"])
@pytest.mark.parametrize("freq", ["15m", "6h", "1d", "1w", "1mo", "1q", "y"])
def test_a_bar_counts_what_the_analysis_counts_in_its_period(
    freq: str, tz: str
) -> None:
    events = histories.many().events
    expected = cn.actors.actor_activity(events, freq=freq, tz=tz)
    begun = expected["period_at"].dt.tz_convert(tz).dt.tz_localize(None)
    drawn = cn.plot_data(cn.plot_activity(events, freq=freq, tz=tz))
    assert (
        drawn.groupby("period")["n_events"].sum().to_dict()
        == expected.groupby(begun)["n_events"].sum().to_dict()
    )


@pytest.mark.parametrize(
    ("freq", "said"),
    [
        ("1h", "most in the hour from 2026-02-02 09:00, 1 event"),
        ("1d", "most on 2026-02-02, 1 event"),
        ("1w", "most in the week of 2026-02-02, 2 events"),
        ("2w", "most in the 2 weeks from 2026-01-26, 2 events"),
        ("1mo", "most in 2026-02, 3 events"),
    ],
)
def test_the_title_names_the_period_that_has_most(freq: str, said: str) -> None:
    told = [
        histories.event(n, f"{day:02}T09:00:00", histories.by("anna"), title=f"{n}")
        for n, day in enumerate([2, 8, 9])  # a Monday, its Sunday, the next Monday
    ]
    ax = cn.plot_activity(histories.history(told), freq=freq)
    assert cn.plot_text(ax).splitlines()[0].endswith(said)


def test_two_people_of_one_name_are_told_apart() -> None:
    told = [
        histories.event(n, f"{n + 2:02}T09:00:00", histories.by(who), title=f"{n}")
        for n, who in enumerate(["anna", "ben", "anna"])
    ]
    events = histories.history(told).events.assign(actor_name="Sam Novak")
    words = cn.plot_text(cn.plot_activity(events, by="actor"))
    assert "Sam Novak (anna): 2 in" in words
    assert "Sam Novak (ben): 1 in" in words
