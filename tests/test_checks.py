"""Each rule on a history that breaks it, one that does not, and one that cannot tell."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from engines import dtypes_of
from test_actors import ANN, CONNECT, NOBODY, ROLE, agent, changes_of, event, events_of

import casesnb as cn
from casesnb.analysis.checks import RULES, Rule, RuleContext, findings, rule
from casesnb.schema import CHANGES, EVENTS, FINDINGS
from casesnb.tables.history import History

NAMED = {each.name: each for each in RULES}
BOB = ANN.replace("ann", "bob")
FLOW = {"actor": CONNECT, "actor_kind": "service", "iam_principal_arn": CONNECT}
LOADER = {"actor": ROLE, "actor_kind": "role", "iam_principal_arn": ROLE}
OPEN = {"status": (None, "open")}
CLOSE = {"status": ("open", "closed")}


class Story:
    """A case told an hour at a time: who did what to which fields."""

    def __init__(self, case_id: str = "c") -> None:
        self.case_id = case_id
        self.events: list[dict[str, Any]] = []
        self.changes: list[dict[str, Any]] = []

    def then(self, who: dict[str, Any], what: Any = None, **members: Any) -> Story:
        number = len(self.events)
        at = f"2026-03-{2 + number // 24:02}T{number % 24:02}:00Z"
        row = event(number, at, self.case_id, **who | members)
        self.events.append(row)
        for slot, (field_id, (old, new)) in enumerate((what or {}).items()):
            self.changes.append(
                row
                | {"slot": slot, "field_id": field_id, "old": old, "new": new}
                | {"old_kind": "string" if old else None}
                | {"new_kind": "string" if new else "empty"}
            )
        return self

    def created(self, who: dict[str, Any], **what: Any) -> Story:
        return self.then(who, {**OPEN, **what}, event_type="Case.Created")

    def item(
        self, who: dict[str, Any], verb: str, kind: str, what: Any = None, **m: Any
    ) -> Story:
        named = {"event_type": f"RelatedItem.{verb}", "related_item_type": kind}
        return self.then(who, what, **named | m)


def told(*stories: Story) -> History[pd.DataFrame]:
    """The history that holds these cases."""
    return History(
        events=events_of(*(row for story in stories for row in story.events)),
        changes=changes_of(*(row for story in stories for row in story.changes))
        if any(story.changes for story in stories)
        else CHANGES.empty(),
    )


def found(name: str, *stories: Story, **options: Any) -> list[tuple[str, str, Any]]:
    """Verdict, events and message of what the one rule finds."""
    history = told(*stories)
    chosen = NAMED[name].with_options(**options) if options else NAMED[name]
    frame = findings(history, rules=[chosen])
    assert frame.columns.tolist() == FINDINGS.names
    assert set(frame["rule"]) <= {name}
    rows = frame[["verdict", "event_ids", "message"]].itertuples(index=False)
    return [(v, None if pd.isna(e) else e, m) for v, e, m in rows]


ANN_, BOB_ = agent(), agent(BOB)


def test_a_field_edited_while_closed_is_found() -> None:
    story = (
        Story()
        .created(ANN_)
        .then(ANN_, {"priority": ("low", "high")})
        .then(ANN_, CLOSE)
        .then(LOADER, {"amount": ("1.0", "2.0")})
        .then(ANN_, {"last_updated_user": ("a", "b")})
        .then(ANN_, {"status": ("closed", "open"), "amount": ("2.0", "3.0")})
        .then(ANN_, {"priority": ("high", "low")})
    )
    assert found("edited_after_close", story) == [
        ("found", "e3", "edited while closed")
    ]
    silent = Story().then(ANN_, {"priority": ("low", "high")})
    assert found("edited_after_close", silent) == [
        ("not_checkable", None, "no event tells the status")
    ]


def test_a_merge_is_no_edit() -> None:
    merge = {"merge_event_id": "m", "primary_case_id": "c", "secondary_case_id": "x"}
    story = (
        Story()
        .created(ANN_)
        .then(ANN_, CLOSE, **merge)
        .then(ANN_, {"a": ("1", "2")}, **merge)
        .item(ANN_, "Deleted", "Comment", **merge)
    )
    assert found("edited_after_close", story) == []
    assert found("closed_without_comment", story) == []
    assert found("deleted_comment", story) == []


def test_a_close_without_comment_is_found() -> None:
    late = Story().created(ANN_).then(ANN_, CLOSE).item(ANN_, "Created", "Comment")
    assert found("closed_without_comment", late) == [
        ("found", "e1", "closed without any comment before")
    ]
    for kind in ("File", None):
        other = Story().created(ANN_).then(ANN_, event_type="RelatedItem.Created")
        other.events[-1]["related_item_type"] = kind
        other.then(ANN_, CLOSE)
        assert [row[:2] for row in found("closed_without_comment", other)] == [
            ("found", "e2")
        ]
    said = Story().created(ANN_).item(ANN_, "Created", "Comment").then(ANN_, CLOSE)
    assert found("closed_without_comment", said) == []
    assert found("closed_without_comment", Story().then(ANN_, CLOSE)) == [
        ("not_checkable", None, "the history begins after the case did")
    ]


def test_a_tug_of_war_says_who_against_whom() -> None:
    story = (
        Story()
        .created(ANN_, priority=(None, "low"))
        .then(ANN_, {"priority": ("low", "high")})
        .then(FLOW, {"priority": ("high", "low")})
        .then(FLOW, {"priority": ("low", "high")})  # its own change
        .then(NOBODY, {"priority": ("high", "low")})
        .then(BOB_, {"priority": ("low", "other")})
    )
    assert found("tug_of_war", story) == [
        (
            "found",
            "e1 e2",
            f"changed back by {CONNECT} (automation) against {ANN} (human) after 1 h",
        ),
        ("not_checkable", None, "changed back, but an event names nobody"),
    ]


@pytest.mark.parametrize(("field_id", "n"), [("status", 0), ("title", 1)])
def test_the_cycle_of_a_status_is_no_tug_of_war(field_id: str, n: int) -> None:
    story = Story().created(ANN_, title=(None, "open"))
    story.then(ANN_, {field_id: ("open", "closed")})
    story.then(BOB_, {field_id: ("closed", "open")})
    assert len(found("tug_of_war", story)) == n


def test_a_tug_of_war_may_go_on_over_several_changes() -> None:
    story = (
        Story()
        .created(ANN_, priority=(None, "low"))
        .then(ANN_, {"priority": ("low", "high")})
        .then(ANN_, {"priority": ("high", "urgent")})
        .then(BOB_, {"priority": ("urgent", "low")})
    )
    assert found("tug_of_war", story) == []
    told = f"changed back by {BOB} (human) against {ANN} (human) after 2 h"
    assert found("tug_of_war", story, radius=2) == [("found", "e1 e3", told)]
    broken = (
        Story()
        .created(ANN_, priority=(None, "low"))
        .then(ANN_, {"priority": ("low", "high")})
        .then(ANN_, {"priority": ("lost", "urgent")})
        .then(BOB_, {"priority": ("urgent", "low")})
    )
    assert found("tug_of_war", broken, radius=9) == []
    with pytest.raises(ValueError, match="radius=0: give how many changes back"):
        found("tug_of_war", story, radius=0)


def test_a_holder_who_gives_a_case_back_fights_nobody() -> None:
    story = (
        Story()
        .created(ANN_, assigned_user=(None, ANN))
        .then(ANN_, {"assigned_user": (ANN, BOB)})
        .then(BOB_, {"assigned_user": (BOB, ANN)})
        .then(ANN_, {"assigned_user": (ANN, BOB)})
        .then(FLOW, {"assigned_user": (BOB, ANN)})
    )
    assert [row[1] for row in found("tug_of_war", story)] == ["e3 e4"]


def test_findings_name_people_where_names_are_given() -> None:
    story = (
        Story()
        .created(ANN_, priority=(None, "low"))
        .then(ANN_, {"priority": ("low", "high")})
        .then(BOB_, {"priority": ("high", "low")})
    )
    names = {ANN: "Ann Other", BOB: None}
    events, changes = events_of(*story.events), changes_of(*story.changes)
    events, changes = (
        frame.assign(actor_name=frame["actor"].astype(object).map(names))
        for frame in (events, changes)
    )
    (message,) = findings(History(events, changes), rules="tug_of_war")["message"]
    assert (
        message == f"changed back by {BOB} (human) against Ann Other (human) after 1 h"
    )


def test_personal_data_that_is_saved_again_is_no_edit() -> None:
    story = (
        Story()
        .created(ANN_, title=(None, "a"))
        .then(LOADER, {"title": ("a", "a")})
        .then(LOADER, {"title": (None, "a"), "summary": ("x", "x")})
        .then(LOADER, {"title": ("a", "b")})
    )
    assert [r[1] for r in found("personal_data_edited_by_machine", story)] == ["e3"]


def test_who_raised_and_closed_a_case_is_found() -> None:
    name = "raised_and_closed_by_one"
    assert found(name, Story().created(ANN_).then(ANN_, CLOSE)) == [
        ("found", "e0 e1", "closed by the one who raised it")
    ]
    assert found(name, Story().created(ANN_).then(BOB_, CLOSE)) == []
    assert found(name, Story().created(FLOW).then(FLOW, CLOSE)) == []
    assert found(name, Story().then(ANN_, CLOSE))[0][0] == "not_checkable"


def test_a_deleted_comment_is_found() -> None:
    story = Story().created(ANN_).item(BOB_, "Deleted", "Comment")
    story.item(BOB_, "Deleted", "File")
    assert [row[:2] for row in found("deleted_comment", story)] == [("found", "e1")]


def test_personal_data_edited_by_a_machine_is_found() -> None:
    title = {"title": ("a", "b")}
    story = Story().created(FLOW, title=(None, "a")).then(ANN_, title)
    story.then(LOADER, title).then(FLOW, {"amount": ("1.0", "2.0")}).then(NOBODY, title)
    name = "personal_data_edited_by_machine"
    assert found(name, story) == [
        ("found", "e2", "edited by api"),
        ("not_checkable", None, "edited, but the event names nobody"),
    ]
    assert found(name, story, fields=["amount"]) == [
        ("found", "e3", "edited by automation")
    ]


def test_a_bulk_burst_is_found_on_each_case() -> None:
    stories = [
        Story(name).created(ANN_).then(ANN_, {"priority": ("low", "high")})
        for name in "abcde"
    ]
    rows = found("bulk_burst", *stories)
    assert rows == [("found", "e1", "one of many cases that got this value")] * 5
    assert found("bulk_burst", *stories, min_cases=6) == []


def test_a_stale_case_is_found_beyond_its_days() -> None:
    stories = (
        Story("old").created(ANN_),
        Story("done").created(ANN_).then(ANN_, CLOSE),
        Story("untold").then(ANN_),
    )
    history = told(*stories)
    later = dt.datetime(2026, 3, 9, 2, tzinfo=dt.UTC)
    frame = findings(history, rules=[NAMED["stale"]], as_of=later)
    assert frame[["case_id", "verdict"]].to_numpy().tolist() == [
        ["old", "found"],
        ["untold", "not_checkable"],
    ]
    longer = NAMED["stale"].with_options(days=8)
    assert findings(history, rules=[longer], as_of=later).empty
    assert findings(history, rules=[NAMED["stale"]]).empty  # as of the newest event


def test_whether_a_case_is_open_whose_status_aws_did_not_send_is_not_told() -> None:
    story = Story().created(ANN_).then(ANN_, {"status": ("open", None)})
    story.changes[-1]["new_kind"] = None
    why = "AWS did not send the status that was set last"
    later = dt.datetime(2026, 4, 1, tzinfo=dt.UTC)
    frame = findings(told(story), rules="stale", as_of=later)
    assert frame[["verdict", "message"]].to_numpy().tolist() == [["not_checkable", why]]


def test_an_sla_missed_while_nobody_had_the_case_is_found() -> None:
    missed = {"sla.status": ("Active", "NotMet")}
    made = {"sla.status": (None, "Active")}
    held = {"assigned_user": (None, ANN)}
    name = "sla_missed_while_unassigned"

    def story(*, holder: Any = None, end: Any = missed) -> Story:
        told = Story().created(ANN_).item(FLOW, "Created", "Sla", made)
        told.then(ANN_, holder or {"amount": ("1.0", "2.0")})
        return told.item(FLOW, "Updated", "Sla", end)

    assert found(name, story()) == [
        ("found", "e3", "the SLA was missed and nobody had the case")
    ]
    assert found(name, story(holder=held)) == []
    assert found(name, story(end={"sla.status": ("Active", "Met")})) == []
    assert found(name, story(end={})) == [
        ("not_checkable", None, "no event tells how the SLA ended")
    ]


def test_users_add_their_own_rules() -> None:
    @rule(severity="info")
    def untitled(tables: RuleContext) -> pd.DataFrame:
        """Find cases that were created without a title."""
        events = tables.events
        titled = tables.changes.query("field_id == 'title'")["case_id"]
        bare = events[
            (events["event_type"] == "Case.Created") & ~events["case_id"].isin(titled)
        ]
        return bare.assign(event_ids=bare["event_id"], message="no title")

    one, other = Story("a").created(ANN_), Story("b").created(ANN_, title=(None, "t"))
    history = History(
        events=events_of(*one.events, *other.events),
        changes=changes_of(*one.changes, *other.changes),
    )
    frame = findings(history, rules=[*RULES, untitled])
    mine = frame[frame["rule"] == "untitled"]
    assert mine[["case_id", "severity", "verdict", "message"]].to_numpy().tolist() == [
        ["a", "info", "found", "no title"]
    ]
    assert dtypes_of(frame) == FINDINGS.dtypes


def test_what_is_no_rule_is_refused() -> None:
    def silent(tables: RuleContext) -> Any:
        return tables.events

    history = History(events=EVENTS.empty(), changes=CHANGES.empty())
    with pytest.raises(ValueError, match="Rule silent has no docstring"):
        rule(silent)
    with pytest.raises(TypeError, match=r"'info' is no function.*\(severity='info'"):
        rule("info")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="is no rule. Put @cn.checks.rule before"):
        findings(history, rules=[silent])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="There is no rule to check"):
        findings(history, rules=[])
    with pytest.raises(ValueError, match="severity='fatal' of rule x is none of"):
        Rule("x", "fatal", "Find.", silent)
    with pytest.raises(ValueError, match=r"No rule is called 'nix': edited_after"):
        findings(history, rules=["nix"])
    with pytest.raises(ValueError, match=r"No rule is called 'stale': tug_of_war\.$"):
        findings(history, rules="tug_of_war", options={"stale": {"days": 1}})
    with pytest.raises(TypeError, match=r"Rule stale has no option day\. It has days"):
        findings(history, options={"stale": {"day": 1}})
    with pytest.raises(
        TypeError, match=r"tug_of_war has no option day\. It has radius"
    ):
        NAMED["tug_of_war"].with_options(day=1)
    silent.__doc__ = "Find nothing."
    with pytest.raises(ValueError, match="returned no column event_ids, message"):
        findings(history, rules=[rule(silent)])


def test_a_rule_of_ours_is_named_and_told_otherwise() -> None:
    story = Story().created(ANN_, status=(None, "open"))
    history = told(story)
    later = {"as_of": history.events["performed_at"].max() + pd.Timedelta("20D")}
    found = findings(history, rules="stale", **later)
    assert found["rule"].tolist() == ["stale"]
    assert found.equals(findings(history, rules=["stale"], **later))
    assert found.equals(findings(history, rules=[NAMED["stale"]], **later))
    assert findings(
        history, rules="stale", options={"stale": {"days": 30}}, **later
    ).empty

    @rule
    def any_option(tables: RuleContext, **options: Any) -> Any:
        "Find what the options say."
        return tables.events.assign(event_ids="", message=str(options))

    found = findings(history, rules=any_option, options={"any_option": {"x": 1}})
    assert found["message"].tolist() == ["{'x': 1}"]


def test_every_rule_asks_one_question_and_no_events_break_none() -> None:
    history = History(events=EVENTS.empty(), changes=CHANGES.empty())
    assert len(NAMED) == len(RULES) == 10
    assert all(each.question.startswith("Find ") for each in RULES)
    frame = findings(history)
    assert len(frame) == 0
    assert frame.columns.tolist() == FINDINGS.names


def check(seeds: range) -> int:
    """Edits after a close, as the World knows them, and nothing else."""
    n_found = 0
    rates = cn.sandbox.Rates(edit_after_close=0.5, bulk_edit=0, without_creation=0)
    for seed in seeds:
        world = cn.sandbox.World(seed=seed, cases=10, domains=1, rates=rates)
        domain_id = world.domains[0].domain_id
        ids = list(world.case_ids(domain_id))
        history = cn.load_histories(cn.connect(world), domain_id, ids)
        before = history.events.copy(deep=True), history.changes.copy(deep=True)
        # One world meets all rules; the others the one that is judged.
        rules = RULES if seed == 0 else [NAMED["edited_after_close"]]
        frame = findings(history, rules=rules)
        pd.testing.assert_frame_equal(history.events, before[0])
        pd.testing.assert_frame_equal(history.changes, before[1])
        assert set(frame.loc[frame["verdict"] == "found", "event_ids"].notna()) <= {
            True
        }
        mine = frame[frame["rule"] == "edited_after_close"]
        served = set(history.events["event_id"])
        true = {
            each.event_id
            for case_id in ids
            for each in world.true_anomalies(case_id)
            if each.kind == "edited_after_close" and each.event_id in served
        }
        merged = set(history.events.dropna(subset="merge_event_id")["event_id"])
        assert set(mine.loc[mine["verdict"] == "found", "event_ids"]) == true - merged
        n_found += len(true)
    return n_found


def test_edits_after_a_close_are_those_of_the_world() -> None:
    assert check(range(12)) > 10


@pytest.mark.slow
def test_edits_after_a_close_are_those_of_the_world_on_200_seeds() -> None:
    assert check(range(200)) > 200


@pytest.mark.parametrize("last", [True, False])
def test_a_status_that_is_saved_along_does_not_hide_an_edit(last: bool) -> None:
    def edit(**status: Any) -> dict[str, Any]:
        title = {"title": ("a", "b")}
        return {**title, **status} if last else {**status, **title}

    story = (
        Story()
        .created(ANN_, title=(None, "a"))
        .then(ANN_, edit(status=("open", "closed")))  # while it is open still
        .then(BOB_, edit(status=("closed", "closed")))
        .then(BOB_, edit(status=("closed", "open")))
    )
    assert found("edited_after_close", story) == [
        ("found", "e2", "edited while closed")
    ]


def test_a_close_that_is_saved_again_is_no_close() -> None:
    story = Story().created(ANN_).then(ANN_, CLOSE)
    story.then(ANN_, {"status": (None, "closed")})
    assert [row[1] for row in found("closed_without_comment", story)] == ["e1"]
    assert [row[1] for row in found("raised_and_closed_by_one", story)] == ["e0 e1"]


def test_a_tug_of_war_goes_on_over_a_value_that_is_saved_again() -> None:
    story = (
        Story()
        .created(ANN_, title=(None, "a"))
        .then(ANN_, {"title": ("a", "b")})
        .then(ANN_, {"title": ("b", "b")})
        .then(BOB_, {"title": ("b", "a")})
    )
    assert [row[:2] for row in found("tug_of_war", story)] == [("found", "e1 e3")]


def test_whom_the_first_change_took_a_case_from_had_it_before() -> None:
    story = (
        Story()
        .created(ANN_)
        .then(FLOW, {"sla.status": ("Active", "NotMet")})
        .then(ANN_, {"assigned_user": (ANN, BOB)})
    )
    assert found("sla_missed_while_unassigned", story) == []


def test_one_rule_need_not_be_in_a_list() -> None:
    story = Story().created(ANN_).then(ANN_, CLOSE)
    history = told(story)
    named = NAMED["closed_without_comment"]
    pd.testing.assert_frame_equal(
        findings(history, rules=named),
        findings(history, rules=[named]),
        check_dtype=True,
    )


def test_a_rule_that_returns_no_frame_is_named() -> None:
    @rule
    def forgetful(tables: RuleContext) -> Any:
        """Find nothing, and forget to say so."""

    story = Story().created(ANN_)
    history = told(story)
    with pytest.raises(
        TypeError, match="Rule forgetful returned NoneType, not a frame"
    ):
        findings(history, rules=forgetful)


def test_a_rule_may_tell_no_time_and_go_with_the_others() -> None:
    @rule
    def every_case(tables: RuleContext) -> Any:
        """Find every case."""
        cases = tables.events[["domain_id", "case_id"]].drop_duplicates()
        return cases.assign(event_ids=7, message="a case", found_at=None)

    story = Story().created(ANN_).then(ANN_, CLOSE)
    history = told(story)
    frame = findings(history, rules=[*RULES, every_case])
    assert dtypes_of(frame) == FINDINGS.dtypes
    assert frame.loc[frame["rule"] == "every_case", "event_ids"].tolist() == ["7"]


@pytest.mark.parametrize("engine", ["pandas", "Polars", "lazy Polars", "DuckDB"])
@pytest.mark.parametrize("verdict", ["fonud", "", None])
def test_a_verdict_is_found_or_not_checkable(verdict: Any, engine: str) -> None:
    told = Story().created(ANN_).events

    @rule
    def every_case(tables: RuleContext) -> Any:
        """Find every case."""
        events = events_of(*told)[["domain_id", "case_id"]]
        rows = events.assign(event_ids="e0", message="a case", verdict="found")
        rows = pd.concat([rows, rows.assign(verdict=verdict)], ignore_index=True)
        return of_engine(engine, rows.astype("str").assign(verdict=rows["verdict"]))

    frames = [of_engine(engine, each.empty()) for each in (EVENTS, CHANGES)]
    with pytest.raises(
        ValueError,
        match=f"Rule every_case gives the verdict {verdict!r}. "
        "Give found or not_checkable",
    ):
        findings(RuleContext(*frames), rules=every_case)


def of_engine(engine: str, frame: pd.DataFrame) -> Any:
    if engine == "pandas":
        return frame
    told = pl.from_pandas(frame)
    if engine == "DuckDB":
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        return connection.from_arrow(told.to_arrow())
    return told.lazy() if engine == "lazy Polars" else told


@pytest.mark.parametrize("days", [0.5, 7, 7.5, np.int64(7)])
def test_days_may_be_parts_of_days(days: float) -> None:
    story = Story().created(ANN_)
    history = told(story)
    created = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
    still = NAMED["stale"].with_options(days=days)
    then = created + dt.timedelta(days=float(days))
    assert findings(history, rules=still, as_of=then).empty
    later = findings(history, rules=still, as_of=then + dt.timedelta(microseconds=1))
    assert later["message"].tolist() == [
        f"open, and nothing done for more than {days} days"
    ]


@pytest.mark.parametrize("days", [None, "week", -1, float("nan"), 1e12, 1e7])
def test_what_are_no_days_is_refused(days: Any) -> None:
    story = Story().created(ANN_)
    history = told(story)
    still = NAMED["stale"].with_options(days=days)
    with pytest.raises(ValueError, match="days=.*: give how many, such as 7 or"):
        findings(history, rules=still)


def test_what_rules_are_given_stays_as_it_is_and_is_asked_once() -> None:
    asked = []
    context = RuleContext(events_of(), changes_of())
    for _ in range(2):
        context.once(asked.append)
    assert asked == [context]
    with pytest.raises(dataclasses.FrozenInstanceError):
        context.closed = ("open",)  # type: ignore[misc]


def test_a_rule_is_shown_without_its_function() -> None:
    assert "function" not in repr(RULES[0])
    assert repr(RULES[0].name) in repr(RULES[0])
