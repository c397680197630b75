"""The ledger of SLAs against the sandbox's truth, and on cases made by hand."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import pandas as pd
import pytest
from decisions import world_and_history
from test_actors import ANN
from test_checks import ANN_, BOB, BOB_, FLOW, Story, found, told

import casesnb as cn

WORDS = {"Met": "met", "NotMet": "missed", "Overdue": "missed", "Active": "under way"}
RATES = {
    "sla": 1.0,
    "sla_second": 0.7,
    "sla_edit": 0.5,
    "sla_without_fields": 0.1,
    "sla_without_events": 0.1,
    "without_creation": 0.1,
    "merge": 0.3,
    "reopen": 0.4,
}
UNKNOWN = {"not told", "not checkable"}


def check(seeds: range) -> Counter[str]:
    """Compare verdicts and edits with what really happened."""
    seen = Counter[str]()
    for seed in seeds:
        world, history = world_and_history(seed, 40, **RATES)
        rows = cn.slas(history, as_of=world.now)
        told = {(row.case_id, row.event_id): row for row in rows.itertuples()}
        assert len(told) == len(rows)
        for sla in world.true_slas():
            row: Any = told.get((sla.case_id, sla.event_id))
            seen["slas"] += 1
            seen["edited"] += sla.n_edits > 0
            if row is None or row.verdict in UNKNOWN:
                assert row is None or isinstance(row.reason, str)
                seen["unknown though told"] += sla.is_told
                continue
            assert row.verdict == WORDS[sla.status]
            assert row.verdict_without == WORDS[sla.first_status]
            assert (row.n_edits, row.name) == (sla.n_edits, sla.name)
            assert row.target_at == sla.target_at
            assert row.first_target_at == sla.first_target_at
            ended = None if pd.isna(row.ended_at) else row.ended_at
            assert ended == sla.completed_at
            assert sla.is_told
            seen["became met"] += row.verdict_without == "missed" != row.verdict
        frame = cn.sla_edits(history, as_of=world.now)
        edits = {(row.case_id, row.event_id): row for row in frame.itertuples()}
        for edit in world.true_sla_edits():
            found_: Any = edits.get((edit.case_id, edit.event_id))
            if found_ is None or found_.verdict in UNKNOWN:
                continue
            assert found_.old_target_at == edit.old_target_at
            assert found_.new_target_at == edit.new_target_at
            assert found_.verdict_before == WORDS[edit.old_status]
            assert found_.verdict_after == WORDS[edit.new_status]
            assert found_.hours_late == pytest.approx(edit.hours_late)
            seen["edits"] += 1
    return seen


def test_no_verdict_is_wrong_also_where_a_deadline_was_moved() -> None:
    seen = check(range(3))
    assert seen["became met"] > 5
    assert seen["edits"] > 50


@pytest.mark.slow
def test_none_of_ten_thousand_verdicts_is_wrong() -> None:
    seen = check(range(160))
    assert seen["slas"] > 10_000
    assert seen["edited"] > 3_000
    # What a merge closed, of which no event tells whether it ended the SLA.
    assert seen["unknown though told"] < 0.1 * seen["slas"]


def at(hour: float) -> str:
    moment = dt.datetime(2026, 3, 2, tzinfo=dt.UTC) + dt.timedelta(hours=hour)
    return moment.isoformat()


def made(hour: float, value: str = "closed", **more: Any) -> dict[str, Any]:
    told = {
        "sla.name": (None, f"until {hour}"),
        "sla.status": (None, "Active"),
        "sla.fieldId": (None, "status"),
        "sla.targetFieldValues": (None, value),
        "sla.targetTime": (None, at(hour)),
    }
    return {**told, **more}


def ended(hour: float, status: str) -> dict[str, Any]:
    return {"sla.status": ("Active", status), "sla.completionTime": (None, at(hour))}


def moved(old: float, new: float, **status: Any) -> dict[str, Any]:
    told = {"sla.targetTime": (at(old), at(new))}
    return told | {f"sla.{name}": pair for name, pair in status.items()}


def case(*slas: dict[str, Any]) -> Story:
    """Created at 0, its SLAs at 1 and after."""
    story = Story().created(ANN_)
    for sla in slas:
        story.item(FLOW, "Created", "Sla", sla)
    return story


def verdicts(story: Story, **how: Any) -> list[tuple[Any, ...]]:
    frame = cn.slas(told(story), **how)
    names = ["verdict", "verdict_without", "is_open", "n_edits"]
    return [*frame[names].itertuples(index=False, name=None)]


def test_a_missed_sla_that_an_edit_made_met_says_who_and_how_late() -> None:
    story = case(made(3)).then(ANN_, {"assigned_user": (None, ANN)})
    story.then(BOB_, {"assigned_user": (ANN, BOB)})
    story.then(ANN_, {"status": ("open", "closed")}).item(
        FLOW, "Updated", "Sla", ended(4, "NotMet")
    )
    story.item(BOB_, "Updated", "Sla", moved(3, 5, status=("NotMet", "Met")))
    assert verdicts(story) == [("met", "missed", False, 1)]
    (edit,) = cn.sla_edits(told(story)).to_dict("records")
    assert edit == {
        "domain_id": "d",
        "case_id": "c",
        "sla_event_id": "e1",
        "name": "until 3",
        "edited_at": pd.Timestamp(at(6)),
        "old_target_at": pd.Timestamp(at(3)),
        "new_target_at": pd.Timestamp(at(5)),
        "hours_late": 3.0,
        "verdict_before": "missed",
        "verdict_after": "met",
        "verdict": "met",
        "verdict_without": "missed",
        "event_id": "e6",
        "actor": BOB,
    }
    (sla,) = cn.slas(told(story)).to_dict("records")
    assert (sla["hours_left"], sla["holder"], sla["n_holders"]) == (1.0, BOB, 2)
    assert (sla["n_late_edits"], sla["event_ids"]) == (1, "e1 e5 e6")
    assert found("sla_met_by_edit", story) == [
        ("found", "e6", "the SLA is met because it was edited after it was missed")
    ]
    (rate,) = cn.rates(told(story), "sla_met").to_dict("records")
    assert (rate["n"], rate["n_of"]) == (1, 1)  # once, as it stands


def test_holders_are_told_what_time_was_left_by_the_deadline_of_that_moment() -> None:
    story = case(made(4)).then(ANN_, {"assigned_user": (None, ANN)})
    story.item(BOB_, "Updated", "Sla", moved(4, 8))
    story.then(ANN_, {"assigned_user": (ANN, BOB)})
    for _ in range(5):
        story.then(ANN_)
    frame = cn.sla_holders(told(story))
    names = ["holder", "hours", "hours_left", "is_last", "is_at_deadline"]
    assert [*frame.astype(object)[names].itertuples(index=False, name=None)][1:] == [
        (ANN, 2.0, 2.0, False, False),
        (BOB, 5.0, 4.0, True, True),
    ]
    assert pd.isna(frame["holder"][0])  # nobody, for an hour
    assert verdicts(story) == [("missed", "missed", True, 1)]


def test_an_sla_past_its_deadline_is_missed_before_it_is_over() -> None:
    story = case(made(4))
    early, late = (dt.datetime(2026, 3, 2, h, tzinfo=dt.UTC) for h in (3, 5))
    assert verdicts(story, as_of=early) == [("under way", "under way", True, 0)]
    assert verdicts(story, as_of=late) == [("missed", "missed", True, 0)]
    (rate,) = cn.rates(told(story), "sla_met", as_of=late).to_dict("records")
    assert (rate["n"], rate["n_of"]) == (0, 1)


def test_an_end_is_that_of_the_sla_whose_value_was_set_then() -> None:
    story = case(made(9), made(9, "in_progress"))
    story.then(ANN_, {"status": ("open", "in_progress")})
    story.item(FLOW, "Updated", "Sla", ended(3, "Met"))
    assert verdicts(story) == [
        ("under way", "under way", True, 0),
        ("met", "met", False, 0),
    ]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({}, "an event about an SLA of this case does not tell which, or what it did"),
        (moved(9, 3), "an event about an SLA of this case does not tell which"),
        ({"sla.status": ("Active", "Met")}, "an event about an SLA of this case"),
    ],
)
def test_what_may_be_of_either_of_two_slas_leaves_both_unchecked(
    event: dict[str, Any], reason: str
) -> None:
    story = case(made(9), made(9)).item(BOB_, "Updated", "Sla", event)
    frame = cn.slas(told(story))
    assert frame["verdict"].tolist() == ["not checkable"] * 2
    assert frame["reason"].str.startswith(reason).all()
    assert [row[0] for row in found("sla_met_by_edit", story)] == ["not_checkable"]


@pytest.mark.parametrize(
    ("sla", "then", "verdict", "reason"),
    [
        ({}, None, "not told", "the event that added it lists no deadline"),
        (
            made(9, **{"sla.status": (None, "Paused")}),
            None,
            "not checkable",
            "its status is told as one that AWS does not document",
        ),
        (
            made(2),
            ended(3, "Met"),
            "not checkable",
            "its status contradicts its deadline and its end",
        ),
        (
            made(9),
            None,
            "not checkable",
            "its field got the value, but no event tells that it ended",
        ),
    ],
)
def test_what_events_do_not_show_has_no_verdict(
    sla: dict[str, Any], then: Any, verdict: str, reason: str
) -> None:
    story = case(sla)
    if then or (verdict == "not checkable" and "Paused" not in str(sla)):
        story.then(ANN_)
        story.then(ANN_, {"status": ("open", "closed")})
    if then:
        story.item(FLOW, "Updated", "Sla", then)
    frame = cn.slas(told(story))
    assert frame[["verdict", "reason"]].to_numpy().tolist() == [[verdict, reason]]
    assert frame["verdict_without"].tolist() == [verdict]


def test_an_sla_that_no_event_adds_is_not_told() -> None:
    story = Story().created(ANN_).item(BOB_, "Updated", "Sla", moved(2, 9))
    frame = cn.slas(told(story))
    assert frame["verdict"].tolist() == ["not told"]
    assert frame["reason"].tolist() == ["no event tells that it was added"]
    assert cn.sla_holders(told(story)).empty


def test_a_status_that_was_edited_alone_is_an_edit() -> None:
    story = case(made(2)).then(ANN_, {"status": ("open", "closed")})
    story.then(ANN_).item(FLOW, "Updated", "Sla", {"sla.status": ("Active", "NotMet")})
    story.item(BOB_, "Updated", "Sla", {"sla.status": ("NotMet", "Met")})
    (edit,) = cn.sla_edits(told(story)).to_dict("records")
    assert (edit["verdict_before"], edit["verdict_after"]) == ("missed", "met")
    assert (edit["verdict"], edit["verdict_without"]) == ("met", "missed")
    assert verdicts(story) == [("met", "missed", False, 1)]


def test_an_end_at_which_no_value_was_set_leaves_both_that_wait_unchecked() -> None:
    story = case(made(9), made(9, "waiting"))
    story.item(FLOW, "Updated", "Sla", {"sla.completionTime": (None, at(3))})
    frame = cn.slas(told(story))
    assert frame["verdict"].tolist() == ["not checkable"] * 2
    assert frame["event_ids"].tolist() == ["e1", "e2"]


def test_a_holder_whom_a_break_names_twice_held_it_all_the_time() -> None:
    story = case(made(9))
    for old in (None, BOB):  # the second tells that BOB had it meanwhile
        story.then(ANN_, {"assigned_user": (old, ANN)})
    story.then(ANN_, {"status": ("open", "closed")}).item(
        FLOW, "Updated", "Sla", ended(5, "Met")
    )
    frame = cn.sla_holders(told(story))
    assert frame["holder"].isna().tolist() == [True, False]
    assert frame["holder"][1] == ANN
    assert frame["start_at"].tolist() == [pd.Timestamp(at(h)) for h in (1, 2)]
    assert frame["end_at"].tolist() == [pd.Timestamp(at(h)) for h in (2, 5)]


def test_the_only_sla_is_the_one_that_gets_its_deadline_later() -> None:
    story = case({k: v for k, v in made(9).items() if k != "sla.targetTime"})
    story.item(BOB_, "Updated", "Sla", {"sla.targetTime": (None, at(5))})
    (row,) = cn.slas(told(story)).to_dict("records")
    assert (row["target_at"], row["event_ids"]) == (pd.Timestamp(at(5)), "e1 e2")


def test_who_passes_a_case_on_at_the_deadline_held_it_then() -> None:
    story = case(made(4)).then(ANN_, {"assigned_user": (None, ANN)}).then(ANN_)
    story.then(ANN_, {"assigned_user": (ANN, BOB)}).then(ANN_)
    (sla,) = cn.slas(told(story)).to_dict("records")
    assert (sla["verdict"], sla["holder"], sla["n_holders"]) == ("missed", ANN, 2)
    frame = cn.sla_holders(told(story))
    assert frame["is_at_deadline"].tolist() == [False, True, False]
    # One that ends at its deadline is met: no deadline passed.
    story = case(made(4)).then(ANN_, {"assigned_user": (None, ANN)})
    story.then(ANN_, {"status": ("open", "closed")})
    story.item(FLOW, "Updated", "Sla", ended(4, "Met"))
    assert cn.slas(told(story))["verdict"].tolist() == ["met"]
    assert not cn.sla_holders(told(story))["is_at_deadline"].any()


def test_who_had_passed_a_case_on_as_an_sla_was_added_never_held_it() -> None:
    story = Story().created(ANN_).then(ANN_, {"assigned_user": (None, ANN)})
    story.then(ANN_, {"assigned_user": (ANN, BOB)})
    story.item(FLOW, "Created", "Sla", made(9))
    added = story.events[-1]
    for row in (added, *story.changes):
        if row["event_id"] == added["event_id"]:
            row["performed_at"] = story.events[2]["performed_at"]
    story.then(ANN_)
    assert cn.sla_holders(told(story))["holder"].tolist() == [BOB]


def test_of_two_slas_with_one_deadline_the_status_tells_which_was_moved() -> None:
    story = case(made(9), made(9, **{"sla.status": (None, "Overdue")}))
    story.item(BOB_, "Updated", "Sla", moved(9, 12, status=("Overdue", "Active")))
    frame = cn.slas(told(story))
    assert frame["target_at"].tolist() == [pd.Timestamp(at(9)), pd.Timestamp(at(12))]
    assert frame["event_ids"].tolist() == ["e1", "e2 e3"]
    assert frame["reason"].isna().all()


def test_what_ended_in_time_by_a_late_edit_of_its_deadline_is_missed_without() -> None:
    story = case(made(3)).then(ANN_).then(ANN_)
    story.item(BOB_, "Updated", "Sla", moved(3, 5))
    story.then(ANN_, {"status": ("open", "closed")})
    story.item(FLOW, "Updated", "Sla", ended(5, "Met"))
    assert verdicts(story) == [("met", "missed", False, 1)]


def test_two_tables_tell_up_to_the_newest_event_though_it_lists_no_field() -> None:
    story = Story().created(ANN_, assigned_user=(None, ANN))
    story.item(FLOW, "Created", "Sla", made(3))
    for _ in range(5):
        story.item(ANN_, "Created", "Comment")
    whole = told(story)
    for ask in (cn.slas, cn.sla_holders):
        found = ask(whole.changes, events=whole.events)
        pd.testing.assert_frame_equal(found, ask(whole))
        assert found["holder"].tolist() == [ANN]
