"""The story: every event is told, in order, by whom, and where it left the case."""

from __future__ import annotations

import dataclasses
import itertools
import re
from pathlib import Path

import histories
import pandas as pd
import pytest
from histories import by, event, history

import casesnb as cn
from casesnb.view.explorer.tabs import facts_html, people_html
from casesnb.view.report.story import deed, doer
from casesnb.view.wording import percents, work_percents

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
    certificate = dataclasses.replace(plain.certificate, unloaded=unloaded)
    told = cn.story(cn.History(plain.events, plain.changes, certificate))
    assert told.endswith("not loaded: case x (Denied: no)")
    nothing = cn.History(plain.events.iloc[:0], plain.changes.iloc[:0])
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


def shared(api: int, automation: int, human: int) -> cn.History:
    """A case whose events are of three kinds of work, so many of each."""
    who = [*api * [by(custom="crm")], *automation * [by()], *human * [by("anna")]]
    return history(
        [
            event(n, f"02T{n // 60:02}:{n % 60:02}:00", each)
            for n, each in enumerate(who)
        ]
    )


@pytest.mark.parametrize("counts", [(2, 11, 17), (1, 1, 1), (1, 1, 6), (3, 16, 25)])
def test_shares_of_work_add_up_wherever_they_are_shown(
    counts: tuple[int, int, int], tmp_path: Path
) -> None:
    told = shared(*counts)
    work = re.search("Work by</dt><dd>(.*?)</dd>", facts_html(told))
    assert work is not None
    names = ("api", "automation", "human")
    facts = [int(share) for share in re.findall(r"(\d+)% \w+", work[1])]
    assert work[1] == ", ".join(
        f"{n}% {name}" for n, name in zip(facts, names, strict=True)
    )
    assert sum(facts) == 100
    for share, count in zip(facts, counts, strict=True):
        assert abs(share - 100 * count / sum(counts)) < 1
    assert [int(n) for n in re.findall(r">(\d+)%<", people_html(told.events))] == facts
    assert f"at work, {facts[-1]}% of the events by agents." in cn.story(told)
    page = cn.write_report(told, tmp_path / "r.html").read_text("utf-8")
    assert f'share"><b><span>{facts[-1]}%<' in page


def test_kinds_of_evidence_add_up_to_their_kind_of_work() -> None:
    world = cn.sandbox.World(seed=7)
    for case_id in list(world.case_ids(world.showcase[0]))[:12]:
        told = cn.load_history(cn.connect(world), world.showcase[0], case_id)
        if told.events.empty:
            continue
        shares = work_percents(told.events)
        page = people_html(told.events).rpartition("<table")[2]
        found = re.findall(r"<td[^>]*>(\w+)</td><td[^>]*>(\d+)%</td>", page)
        assert len(found) >= len(shares)
        sums = dict.fromkeys(shares, 0)
        for worker, share in found:
            sums[worker] += int(share)
        assert sums == shares


def test_parts_of_a_hundred_are_the_nearest_that_add_up() -> None:
    assert percents([]) == []
    assert percents([0, 0]) == [0, 0]
    assert percents([1, 1, 1]) == [34, 33, 33]
    assert percents([2, 11, 17]) == [6, 37, 57]
    assert percents([1, 2], 7) == [2, 5]
    for counts in itertools.product(range(7), repeat=4):
        found = percents(counts)
        if sum(counts):
            exact = [100 * count / sum(counts) for count in counts]
            assert sum(found) == 100
            assert all(abs(a - b) < 1 for a, b in zip(found, exact, strict=True))
            rest = sum(int(part) for part in exact)
            assert sum(a > b for a, b in zip(found, exact, strict=True)) == 100 - rest
