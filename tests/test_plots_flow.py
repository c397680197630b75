"""How cases move: the matrices, the stays and the backlog hold the analysis' numbers."""

from __future__ import annotations

import datetime as dt
import io
import re
import warnings
from collections.abc import Callable

import histories
import numpy as np
import pandas as pd
import pytest
from decisions import history_of
from matplotlib.axes import Axes
from matplotlib.dates import num2date
from matplotlib.figure import Figure

import casesnb as cn
from casesnb.view.plots.axis import duration_axis
from casesnb.view.plots.labels import drawable


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
    title = cn.plot_text(ax).splitlines()[0]
    assert title.endswith("longest in held, median not reached after 9.0 h")


@pytest.mark.parametrize(
    ("after", "hours", "said"),
    [
        (["held"], 1514, "longest in held, median not reached after 63.0 d"),
        (["held", "lost"], 1514, "median not reached in 2 of 3, in held after 63.0 d"),
        ([], 1512, "longest in open, median not reached after 63.0 d"),
        (["closed"], 1514, "longest in open, median 2.0 h (closed left out)"),
        (["held"], 3, "longest median reached in open, 2.0 h; not reached in held"),
        (
            ["a", "b"],
            3,
            "longest median reached in open, 2.0 h; not reached in 2 others",
        ),
    ],
)
def test_the_title_claims_no_median_that_is_not_reached(
    after: list[str], hours: int, said: str
) -> None:
    # Two hours in open, and since then in a value that none of them has left.
    ways = {
        f"c{n}": [(0.0, "open", "a"), *([(2.0, value, "a")] if after else [])]
        for n, value in enumerate((after or ["open"]) * 5)
    }
    as_of = dt.datetime(2026, 2, 1, tzinfo=dt.UTC) + dt.timedelta(hours=hours)
    ax = cn.plot_time_in(history_of(ways), as_of=as_of)
    assert cn.plot_text(ax).splitlines()[0].endswith(said)


def test_a_dot_is_all_the_time_of_a_case_in_a_value() -> None:
    steps = ["open", "held", "open", "held", "lost", "held"]
    history = history_of({"a": [(float(n), v, "a") for n, v in enumerate(steps)]})
    as_of = dt.datetime(2026, 2, 3, tzinfo=dt.UTC)
    words = cn.plot_text(cn.plot_time_in(history, as_of=as_of))
    assert "A dot is a case's whole time in a value: 3 in all, 1 still growing" in words
    # Two values share a row: the one case is counted once.
    assert "other (2): 1 case," in cn.plot_text(
        cn.plot_time_in(history, as_of=as_of, top=2)
    )


@pytest.mark.parametrize("shortest", [10.0**n for n in np.arange(-8, 5.6, 0.4)])
@pytest.mark.parametrize("times", [1, 2.75, 40])
def test_an_axis_of_durations_has_ticks_for_any_range(
    shortest: float, times: float
) -> None:
    ax = Figure().add_subplot()
    duration_axis(ax, shortest / 1.5, shortest * times * 1.5)
    low, high = ax.get_xlim()
    assert low <= shortest / 1.5 < shortest * times * 1.5 <= high
    ticks = [at for at in ax.get_xticks() if low < at < high]
    assert 2 <= len(ticks) <= 12
    assert all(re.fullmatch(r"\d+ \w+", t.get_text()) for t in ax.get_xticklabels())


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


@pytest.mark.parametrize("letter", "aW名")
@pytest.mark.parametrize(
    "plot", [cn.plot_handoffs, cn.plot_transitions, cn.plot_time_in]
)
def test_long_names_are_on_the_page_and_in_the_title(
    plot: Callable[..., Axes], letter: str
) -> None:
    one, other = (f"{letter * 17} {end}" for end in ("Mensah", "Larsen"))
    field = "assigned_user" if plot is cn.plot_handoffs else "status"
    steps = [(0.0, one, "a"), (1.0, other, "a")]
    ax = plot(history_of({f"c{n}": steps for n in range(5)}, field_id=field))
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    figure.savefig(io.BytesIO(), format="png")
    for text in [ax.yaxis.label, *ax.get_yticklabels(), *ax.texts]:
        box = text.get_window_extent()
        assert box.x0 >= 0, text.get_text()
        assert box.x1 <= figure.bbox.width, text.get_text()
    drawn = "".join(ax.texts[-2].get_text().split())
    assert drawn == "".join(drawable(cn.plot_text(ax).splitlines()[0]).split())


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
    (footer,) = cn.plot_text(ax).splitlines()[-1:]
    assert re.search(r"from 2026-\d\d-\d\d 00:00 to .* Asia/Tokyo\.", footer)


QUEUES = [f"arn:aws:connect:r:1:instance/i/queue/{n}" for n in "abc"]


def same_name() -> pd.DataFrame:
    """Five cases in three queues, two of which are called Support."""
    ways = {
        f"c{n}": [(24.0 * n, QUEUES[queue], "a")]
        for n, queue in enumerate([0, 0, 0, 1, 2])
    }
    changes = history_of(ways, field_id="assigned_queue").changes
    names = dict(zip(QUEUES, ["Support", "Support", "Sales"], strict=True))
    return changes.assign(old_label=None, new_label=changes["new"].map(names))


def legend_of(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_values_that_share_a_name_are_each_counted() -> None:
    ax = cn.plot_backlog(same_name(), field_id="assigned_queue")
    assert legend_of(ax) == ["Support (a)", "Sales", "Support (b)"]
    title, *lines = cn.plot_text(ax).splitlines()[:4]
    assert "5 in the end, 5 at most" in title
    assert lines == [
        "  Support (a): 3 in the end, 3 at most",
        "  Sales: 1 in the end, 1 at most",
        "  Support (b): 1 in the end, 1 at most",
    ]
    words = cn.plot_text(cn.plot_time_in(same_name(), "assigned_queue"))
    assert "Support (a): 3 cases" in words
    assert "Support (b): 1 case," in words


def test_long_names_are_shortened_so_that_they_differ() -> None:
    ways = {f"c{n}": [(0.0, "x " * 20 + end, "a")] for n, end in enumerate("AB")}
    legend = legend_of(cn.plot_backlog(history_of(ways)))
    assert [label[-4:] for label in legend] == [" x A", " x B"]
    assert max(map(len, legend)) <= 24


def test_a_text_that_reads_like_a_word_of_ours_is_in_quotes() -> None:
    told = [
        histories.event(0, "01T09:00:00", histories.by("a"), kind="Case.Created", **f)
        for f in ({"status": "empty"}, {"status": None}, {"status": ""})
    ]
    changes = pd.concat(
        histories.history([event], case_id=f"c{n}").changes
        for n, event in enumerate(told)
    )
    ax = cn.plot_backlog(changes)
    assert sorted(legend_of(ax)) == ["empty", "“empty”", "“”"]
    assert "3 in the end" in cn.plot_text(ax)


def edges_of(ax: Axes) -> list[tuple[str, float]]:
    """From when on a backlog of one value holds how many cases."""
    (line,) = (line for line in ax.get_lines() if line.get_drawstyle() == "steps-post")
    x, y = line.get_data()
    return [
        (f"{num2date(at):%Y-%m-%d %H:%M}", float(n)) for at, n in zip(x, y, strict=True)
    ]


def test_a_count_is_drawn_from_the_end_of_its_period_up_to_as_of() -> None:
    ways = {"a": [(9.0, "open", "a")], "b": [(33.0, "open", "a")]}
    as_of = dt.datetime(2026, 2, 20, 6, tzinfo=dt.UTC)
    ax = cn.plot_backlog(history_of(ways), as_of=as_of)
    assert edges_of(ax) == [
        ("2026-02-01 00:00", 0),
        ("2026-02-02 00:00", 1),
        ("2026-02-03 00:00", 2),
        ("2026-02-20 06:00", 2),
    ]
    assert num2date(ax.get_xlim()[1]) == as_of
    title, *_, footer = cn.plot_text(ax).splitlines()
    assert title.endswith("2 in the end, 2 at most on 2026-02-02")
    assert "end of every day, from 2026-02-01 00:00 to 2026-02-20 06:00 UTC" in footer


def test_a_history_that_was_read_later_is_drawn_up_to_then(many: cn.History) -> None:
    low, high = (num2date(end) for end in cn.plot_backlog(many).get_xlim())
    assert many.certificate.as_of is not None
    assert low < many.changes["performed_at"].max() < many.certificate.as_of <= high


@pytest.mark.parametrize(
    ("freq", "tz", "ends", "said"),
    [
        ("1d", "UTC", "2026-03-29 00:00", "on 2026-03-28"),
        ("1w", "UTC", "2026-03-30 00:00", "on 2026-03-29"),
        ("1mo", "UTC", "2026-04-01 00:00", "on 2026-03-31"),
        ("1q", "UTC", "2026-04-01 00:00", "on 2026-03-31"),
        ("6h", "UTC", "2026-03-28 12:00", "at 2026-03-28 12:00"),
        # The clocks of Berlin were put forward on the 29th.
        ("1d", "Europe/Berlin", "2026-03-28 23:00", "on 2026-03-28"),
        ("1w", "Europe/Berlin", "2026-03-29 22:00", "on 2026-03-29"),
        ("6h", "Asia/Kathmandu", "2026-03-28 12:15", "at 2026-03-28 18:00"),
    ],
)
def test_the_title_names_when_most_cases_were_counted(
    freq: str, tz: str, ends: str, said: str
) -> None:
    ways = {"a": [(24 * 55 + 9.0, "open", "a"), (24 * 100.0, "closed", "a")]}
    ax = cn.plot_backlog(history_of(ways), freq=freq, tz=tz)
    assert edges_of(ax)[1] == (ends, 1)
    assert cn.plot_text(ax).splitlines()[0].endswith(f"0 in the end, 1 at most {said}")


def test_what_was_counted_last_is_seen_in_a_period_that_is_not_over() -> None:
    ways = {"a": [(9.0, "open", "a")], "b": [(33.0, "open", "a")]}
    ax = cn.plot_backlog(history_of(ways), freq="1mo")
    low, high = ax.get_xlim()
    assert edges_of(ax)[1] == ("2026-02-02 09:00", 2)
    assert cn.plot_text(ax).splitlines()[0].endswith("2 at most on 2026-02-02")
    last = edges_of(ax)[-1][0]
    assert last == f"{num2date(high):%Y-%m-%d %H:%M}" > "2026-02-02 15:00"
    assert low < high


def test_cases_that_no_period_ends_with_are_told_in_words() -> None:
    ways = {"a": [(9.0, "open", "a"), (12.0, "closed", "a")]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = cn.plot_backlog(history_of(ways))
        figure = ax.get_figure(root=True)
        assert isinstance(figure, Figure)
        figure.savefig(io.BytesIO(), format="png")
    assert "No case was open at the end of any day." in [t.get_text() for t in ax.texts]
    assert "none at the end of any day" in cn.plot_text(ax)


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
