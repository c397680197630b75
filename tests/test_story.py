"""The story: every event is told, in order, by whom, and where it left the case."""

from __future__ import annotations

import dataclasses

import histories
import pandas as pd
import pytest
from histories import event, history

import casesnb as cn
from casesnb.view.story import deed, doer

TOLD = """\
Case 4711
Refund
Created 2026-02-02 09:00 UTC; last event 2026-02-05 13:00; now open; held by ben.
8 events in 3.2 d, 2 agents at work, 50% of the events by agents.

2026-02-02 Monday
  09:00:00  Amazon Connect (service) created the case
            status         open
            title          Refund
            amount         129.5
  10:00:00  anna changed
            assigned_user  (empty) → anna
  10:05:00  anna added a comment

2026-02-03 Tuesday
  09:00:00  crm-sync (custom entity) changed
            amount         129.5 → 149.0
  12:00:00  anna changed
            status         open → closed

2026-02-04 Wednesday
  12:00:00  api (API role) changed
            status         closed → open

2026-02-05 Thursday
  12:00:00  ben changed
            assigned_user  cy → ben
  13:00:00  somebody not named added an SLA

Where it stands, 2026-03-02 12:00 UTC
  status         open  [since 2026-02-04 12:00, by api (API role)]
  assigned_user  ben  [since 2026-02-05 12:00, by ben]
  title          Refund  [since 2026-02-02 09:00, by Amazon Connect (service)]
  amount         149.0  [since 2026-02-03 09:00, by crm-sync (custom entity)]

What was loaded
  """


def test_a_case_is_told_whole() -> None:
    plain = history()
    assert cn.story(plain) == TOLD + str(plain.certificate)


def test_names_are_used_where_there_are_names() -> None:
    plain = history()
    named = dataclasses.replace(
        plain,
        events=plain.events.assign(actor_name="Anna Lopez"),
        changes=plain.changes.assign(
            field="Feld",
            old_label=None,
            new_label=plain.changes["new"].map({"open": "Offen"}),
            actor_name="Anna Lopez",
        ),
    )
    told = cn.story(named)
    assert "Feld  closed → Offen" in told
    assert "Anna Lopez changed" in told
    assert "held by Anna Lopez" in told


def test_a_long_case_is_told_by_its_ends() -> None:
    told = cn.story(history(), most=3)
    assert "… 5 events not told here …" in told
    assert "09:00:00  Amazon Connect (service) created" in told
    assert "10:00:00" in told
    assert "10:05:00" not in told
    assert "13:00:00" in told
    with_all = cn.story(history(), most=8)
    assert "not told here" not in with_all


def test_every_case_of_a_history_is_told() -> None:
    many = histories.many(limit=4)
    told = cn.story(many)
    for case_id in many.events["case_id"].unique():
        assert f"Case {case_id}\n" in told
    assert told.endswith(str(many.certificate))


def test_what_was_not_loaded_is_told() -> None:
    plain = history()
    unloaded = pd.DataFrame(
        [{"domain_id": "d", "case_id": "x", "error": "Denied", "message": "no"}]
    )
    told = cn.story(dataclasses.replace(plain, unloaded=unloaded))
    assert told.endswith("not loaded: case x (Denied: no)")
    nothing = dataclasses.replace(
        plain, events=plain.events.iloc[:0], changes=plain.changes.iloc[:0]
    )
    assert cn.story(nothing).startswith("No event in this history.\n\nWhat was loaded")


def test_a_history_without_its_beginning_says_so() -> None:
    told = cn.story(history(histories.PLAIN[1:]))
    assert "Known since 2026-02-02 10:00 UTC" in told
    assert "Its creation is not in this history" in told


def test_a_merge_names_the_other_case() -> None:
    merged = event(0, "02T09:00:00", histories.by("anna"), kind="Case.Merged")
    merged["mergeMetadata"] = {
        "mergeEventId": "m",
        "primaryCaseId": "4711",
        "secondaryCaseId": "4712",
    }
    told = cn.story(history([merged]))
    assert "anna merged the case [merge with case 4712]" in told


def test_a_strangers_text_stays_on_its_line() -> None:
    told = cn.story(histories.hostile_history())
    assert max(map(len, told.splitlines())) < 300
    for char in "\r\t\x00\x07\x1b\u202e\u2066":
        assert char not in told
    assert "two⏎lines⏎and tabs" in told
    told.encode()


@pytest.mark.parametrize(
    ("event_type", "item", "words"),
    [
        ("Case.Created", None, "created the case"),
        ("RelatedItem.Deleted", "Comment", "deleted a comment"),
        ("RelatedItem.Created", "Sla", "added an SLA"),
        ("RelatedItem.Created", "WorkPlan", "added a workplan"),
        ("Case.Frozen", float("nan"), "did Case.Frozen"),
    ],
)
def test_a_deed_is_put_in_words(event_type: str, item: object, words: str) -> None:
    assert deed(event_type, item) == words


def test_a_bare_id_is_said_to_be_an_agent() -> None:
    arn = f"{histories.AGENTS}6ab2e1f0-77aa-4bcd-9e01-2f5ce04711aa"
    assert doer(arn, "agent", {}) == "agent 6ab2e1f0…"
    assert doer(arn, "agent", {arn: "Anna Lopez"}) == "Anna Lopez"
