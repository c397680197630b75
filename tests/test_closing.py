"""What closed means, in every function that asks for it."""

from __future__ import annotations

import datetime as dt
import inspect
from functools import partial
from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from engines import public_functions
from histories import event, history
from test_spells import EMPTY, MISSING, changes_of, text

import casesnb as cn

# Resolved on the 3rd, closed by itself on the 5th, open again on the 6th.
HELPED = history(
    [
        event(0, "02T09:00:00", None, kind="Case.Created", status="Open"),
        event(1, "03T09:00:00", None, status=("Open", "Resolved")),
        event(2, "04T09:00:00", None, title="Late"),
        event(3, "05T09:00:00", None, status=("Resolved", "Closed")),
        event(4, "06T09:00:00", None, status=("Closed", "Open")),
        event(5, "07T09:00:00", None, status=("Open", "RESOLVED")),
    ]
)
DONE = ("resolved", "closed")
LATER = history(
    [event(0, "09T09:00:00", None, kind="Case.Created", status="new")], "later"
)
BETWEEN = dt.datetime(2026, 2, 8, tzinfo=dt.UTC)

ASKED: dict[str, Any] = {
    "reopens": cn.reopens,
    "first_times": cn.first_times,
    "case_summary": cn.case_summary,
    "findings": cn.findings,
    "plot_aging": cn.plot_aging,
    "plot_backlog": cn.plot_backlog,
    "outcomes": cn.outcomes,
    "rates": cn.rates,
    "triage": cn.triage,
    "effort": cn.rework.effort,
    "tail": partial(cn.rework.tail, n_resamples=9),
    "compare": lambda history, **options: cn.compare(
        history, history, n_resamples=9, **options
    ),
    "compare_before_after": lambda history, **options: cn.cohorts.compare_before_after(
        cn.concat([history, LATER]), at=BETWEEN, n_resamples=9, **options
    ),
}


def test_every_function_that_means_closed_is_asked() -> None:
    meaning = {
        name
        for name, there in public_functions()
        if "closed" in inspect.signature(there).parameters
    }
    assert meaning == {*ASKED}


@pytest.mark.parametrize("name", ASKED)
def test_a_status_that_never_was_is_refused_with_the_nearest(name: str) -> None:
    with pytest.raises(ValueError, match="'Resolvd'. Near it is resolved"):
        ASKED[name](HELPED, closed=["closed", "Resolvd"])
    with pytest.raises(ValueError, match="Name one, such as 'closed'"):
        ASKED[name](HELPED, closed=[])


@pytest.mark.parametrize("name", ASKED)
def test_the_default_is_never_misspelt(name: str) -> None:
    never = history([event(0, "02T09:00:00", None, kind="Case.Created", status="new")])
    ASKED[name](never)
    ASKED[name](never, closed="CLOSED")
    plt.close("all")


@pytest.mark.parametrize("closed", ["closed", "Closed", ["CLOSED"]])
def test_closed_is_closed_in_capitals_too(closed: Any) -> None:
    again = cn.reopens(HELPED, closed=closed)
    assert again["closed_at"].tolist() == [pd.Timestamp("2026-02-05 09:00", tz="UTC")]
    first = cn.first_times(HELPED, closed=closed)
    assert first["closed_hours"].tolist() == [72.0]
    assert cn.case_summary(HELPED, closed=closed)["n_reopens"].tolist() == [1]


def test_from_one_closed_status_to_another_is_no_close_and_no_reopening() -> None:
    again = cn.reopens(HELPED, closed=DONE)
    assert again["hours"].tolist() == [72.0]
    assert again["close_event_id"].tolist() == ["e1"]
    summary = cn.case_summary(HELPED, closed=DONE).iloc[0]
    assert summary["closed_hours"] == 24.0
    assert summary["n_reopens"] == 1
    assert summary["is_closed"]
    assert summary["age_hours"] == 120.0


def test_a_summary_and_its_reopenings_mean_the_same_by_closed() -> None:
    found = cn.case_summary(HELPED, closed="resolved")
    assert found["n_reopens"].tolist() == [len(cn.reopens(HELPED, closed="resolved"))]
    assert not cn.case_summary(HELPED)["is_closed"].any()
    steps = ["open", "resolved", "open", "resolved", "open"]
    moves = [("open", "open"), *pairwise(steps)]
    again = history(
        [
            event(n, f"{2 + n:02}T09:00:00", None, status=move if n else "open")
            for n, move in enumerate(moves)
        ]
    )
    assert len(cn.reopens(again)) == 0
    assert cn.case_summary(again, closed="resolved")["n_reopens"].tolist() == [2]


def test_rules_ask_whether_a_case_is_closed_as_everything_else_does() -> None:
    edited = cn.findings(HELPED, rules="edited_after_close", closed=DONE)
    assert edited["event_ids"].tolist() == ["e2"]
    assert cn.findings(HELPED, rules="edited_after_close").empty
    late = HELPED.certificate.as_of + pd.Timedelta(days=99)
    assert cn.findings(HELPED, rules="stale", closed=DONE, as_of=late).empty
    assert len(cn.findings(HELPED, rules="stale", as_of=late)) == 1


def test_pictures_ask_whether_a_case_is_closed_as_everything_else_does() -> None:
    assert len(cn.plot_data(cn.plot_aging(HELPED, closed=DONE))) == 0
    assert len(cn.plot_data(cn.plot_aging(HELPED))) == 1
    ax = cn.plot_backlog(HELPED, closed=DONE)
    labels = [handle.get_text() for handle in ax.get_legend().get_texts()]
    assert labels[-1] == "Open"
    plt.close("all")


@pytest.mark.parametrize("old", [text("closed"), text("resolved")])
def test_what_was_closed_before_the_history_has_no_beginning(old: Any) -> None:
    found = cn.reopens(
        changes_of(
            (1, "title", MISSING, text("x")),
            (2, "status", old, text("closed")),
            (5, "status", text("closed"), text("open")),
        ),
        closed=["closed", old[1]],
    )
    assert found["hours"].isna().tolist() == [True]
    assert found["close_event_id"].isna().tolist() == [True]


def test_a_status_that_was_not_sent_opens_nothing() -> None:
    changes = changes_of(
        (0, "status", MISSING, text("open")),
        (1, "status", text("open"), text("closed")),
        (2, "status", text("closed"), MISSING),
        (3, "status", text("closed"), text("open")),
    )
    found = cn.reopens(changes)
    assert found["event_id"].tolist() == ["e3"]
    assert found["hours"].isna().tolist() == [True]
    held = cn.spells(changes, "status")
    assert held["is_known"].tolist() == [True, True, False, True]


def test_a_reopening_names_who_closed_the_case_and_who_opened_it() -> None:
    found = cn.reopens(
        changes_of(
            (0, "status", MISSING, text("open")),
            (1, "status", text("open"), text("closed")),
            (2, "status", text("closed"), text("open")),
        )
    )
    assert found[["close_actor", "actor"]].to_numpy().tolist() == [["a1", "a2"]]


def test_a_first_change_that_saves_the_same_value_is_no_start() -> None:
    changes = changes_of(
        (0, "title", MISSING, text("x")),
        (1, "status", text("open"), text("open")),
        (4, "status", text("open"), text("held")),
        (5, "assigned_user", text("ann"), text("ann")),
        (9, "assigned_user", text("ann"), text("ben")),
    )
    assert cn.transitions(changes)["median_hours"].isna().tolist() == [True]
    assert cn.handoffs(changes)["held_hours"].isna().tolist() == [True]


def test_emptying_what_never_held_anybody_hands_nothing_over() -> None:
    changes = changes_of(
        (0, "status", MISSING, text("open")),
        (1, "assigned_user", MISSING, EMPTY),
        (2, "assigned_user", EMPTY, text("ann")),
    )
    assert cn.handoffs(changes)["to_value"].tolist() == ["ann"]


def test_a_summary_counts_the_changes_of_status_that_transitions_count() -> None:
    late = history(
        [
            event(0, "02T09:00:00", None, title="Late"),
            event(1, "03T09:00:00", None, status="open"),
            event(2, "04T09:00:00", None, status=("open", "closed")),
        ]
    )
    for each in (late, HELPED):
        (n,) = cn.case_summary(each)["n_status_changes"]
        assert n == cn.transitions(each)["n"].sum()


def test_a_field_is_asked_for_by_its_name_where_the_frame_has_names() -> None:
    changes = HELPED.changes.assign(field="Where it stands", field_id="8f0c")
    for ask in (cn.spells, cn.time_in, cn.transitions, cn.variants):
        pd.testing.assert_frame_equal(
            ask(changes, "Where it stands"), ask(changes, "8f0c")
        )
    for draw in (cn.plot_transitions, cn.plot_time_in, cn.plot_backlog):
        by_name, by_id = (
            cn.plot_data(draw(changes, field_id=asked))
            for asked in ("Where it stands", "8f0c")
        )
        pd.testing.assert_frame_equal(by_name, by_id)
        with pytest.raises(ValueError, match="Near it is Where it stands"):
            draw(changes, field_id="Where it stand")
    plt.close("all")
