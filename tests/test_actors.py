"""Who acted, when and as what, on small histories and against the World's truth."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from engines import dtypes_of

import casesnb as cn
from casesnb.analysis.actors import (
    WORKERS,
    actor_activity,
    actor_matrix,
    attribution,
    bursts,
    off_hours,
    rhythm,
    spans_of_users,
    with_users,
    work_share,
)
from casesnb.schema import (
    ACTOR_ACTIVITY,
    ACTOR_MATRIX,
    ATTRIBUTION,
    BURSTS,
    CHANGES,
    EVENTS,
    OFF_HOURS,
    RHYTHM,
    WORK_SHARE,
    Table,
)

CONNECT = "arn:aws:iam::1:role/aws-service-role/AWSServiceRoleForAmazonConnect_x"
ROLE = "arn:aws:iam::1:role/loader"
ANN = "arn:aws:connect:eu-central-1:1:instance/i/agent/ann"


def event(number: int, at: str, case_id: str = "c", **by: Any) -> dict[str, Any]:
    return {
        "domain_id": "d",
        "case_id": case_id,
        "event_id": f"e{number}",
        "sequence": number,
        "performed_at": at,
        "event_type": "Case.Updated",
        "n_changes": 1,
        "is_order_known": True,
        **by,
    }


def events_of(*rows: dict[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(rows).reindex(columns=EVENTS.names)
    frame["performed_at"] = pd.to_datetime(
        frame["performed_at"], utc=True, format="ISO8601"
    )
    return EVENTS.cast(frame)


def changes_of(*rows: dict[str, Any]) -> pd.DataFrame:
    rows = tuple({"is_outcome_known": True, **row} for row in rows)
    frame = pd.DataFrame(rows).reindex(columns=CHANGES.names)
    frame["performed_at"] = pd.to_datetime(
        frame["performed_at"], utc=True, format="ISO8601"
    )
    return CHANGES.cast(frame)


def expected(table: Table, *rows: tuple[Any, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=table.names)
    for column in table.columns:
        if column.name.endswith("_at"):
            frame[column.name] = pd.to_datetime(
                frame[column.name], utc=True, format="ISO8601"
            )
    return table.cast(frame)


def agent(name: str = ANN) -> dict[str, Any]:
    return {
        "actor": name,
        "actor_kind": "agent",
        "user_arn": name,
        "iam_principal_arn": CONNECT,
    }


NOBODY = {"actor_kind": "unknown"}


def test_the_moment_at_which_work_begins_is_in_it_and_its_end_is_off() -> None:
    events = events_of(
        event(0, "2026-03-02T09:00Z", **agent()),  # a Monday
        event(1, "2026-03-02T16:59:59.999999Z", **agent()),
        event(2, "2026-03-02T17:00Z", **agent()),
        event(3, "2026-03-02T08:59:59.999999Z", **agent()),
    )
    found = off_hours(events, calendar=cn.Calendar({1: ("09:00", "17:00")}))
    assert found["n_events"].tolist() == [4]
    assert found["n_off_hours"].tolist() == [2]


def test_activity_counts_events_changes_and_cases_by_actor_and_day() -> None:
    events = events_of(
        {**event(0, "2026-03-02T09:00Z", **agent()), "n_changes": 3},
        event(1, "2026-03-02T23:59:59.999999Z", "c2", **agent()),
        event(2, "2026-03-03T00:00Z", **agent()),
        event(3, "2026-03-03T10:00Z", **NOBODY),
    )
    pd.testing.assert_frame_equal(
        actor_activity(events),
        expected(
            ACTOR_ACTIVITY,
            (ANN, "agent", "2026-03-02", 2, 4, 2),
            (ANN, "agent", "2026-03-03", 1, 1, 1),
            (None, "unknown", "2026-03-03", 1, 1, 1),
        ),
    )


def test_two_domains_may_have_a_case_of_the_same_id() -> None:
    events = events_of(
        event(0, "2026-03-02T09:00Z", **agent()),
        {**event(0, "2026-03-02T09:00Z", **agent()), "domain_id": "d2"},
    )
    assert actor_activity(events)["n_cases"].tolist() == [2]


def test_the_matrix_says_who_did_what_how_often() -> None:
    comment = {"event_type": "RelatedItem.Created", "related_item_type": "Comment"}
    events = events_of(
        event(0, "2026-03-02T09:00Z", **agent()),
        event(1, "2026-03-04T09:00Z", **agent()),
        event(2, "2026-03-05T09:00Z", **agent()) | comment,
    )
    pd.testing.assert_frame_equal(
        actor_matrix(events),
        expected(
            ACTOR_MATRIX,
            (
                ANN,
                "agent",
                "Case.Updated",
                None,
                2,
                1,
                "2026-03-02T09Z",
                "2026-03-04T09Z",
            ),
            (
                ANN,
                "agent",
                "RelatedItem.Created",
                "Comment",
                1,
                1,
                *["2026-03-05T09Z"] * 2,
            ),
        ),
    )


def test_the_rhythm_is_that_of_the_zone_also_across_its_clock_change() -> None:
    # 07:30 UTC is 08:30 in Berlin's winter and 09:30 in its summer.
    events = events_of(
        event(0, "2026-03-27T07:30Z", **agent()),
        event(1, "2026-03-30T07:30Z", **agent()),
        event(2, "2026-03-29T22:30Z", "c2", **agent()),  # already Monday there
    )
    pd.testing.assert_frame_equal(
        rhythm(events, tz="Europe/Berlin"),
        expected(
            RHYTHM,
            (1, 0, "agent", 1, 1),
            (1, 9, "agent", 1, 1),
            (5, 8, "agent", 1, 1),
        ),
    )
    assert rhythm(events)["weekday"].tolist() == [1, 5, 7]


def test_each_kind_of_work_has_its_evidence() -> None:
    custom = {"actor": "ERP", "actor_kind": "custom", "custom_entity": "ERP"}
    events = events_of(
        event(0, "2026-03-02T09:00Z", **agent()),
        event(1, "2026-03-02T09:01Z", **agent() | {"iam_principal_arn": ROLE}),
        event(2, "2026-03-02T09:02Z", **agent() | {"iam_principal_arn": None}),
        event(3, "2026-03-02T09:03Z", **custom, iam_principal_arn=ROLE),
        event(4, "2026-03-02T09:04Z", actor_kind="service", iam_principal_arn=CONNECT),
        event(5, "2026-03-02T09:05Z", actor_kind="role", iam_principal_arn=ROLE),
        event(6, "2026-03-02T09:06Z", **NOBODY),
    )
    found = attribution(events)
    assert dtypes_of(found) == ATTRIBUTION.dtypes
    said = found[["worker", "is_asserted", "evidence"]].itertuples(index=False)
    assert [tuple(row) for row in said] == [
        ("human", False, "a user under Connect's own role"),
        ("human", True, "a user named by a caller of the API"),
        ("human", True, "a user, no principal"),
        ("api", True, "a custom entity named by a caller of the API"),
        ("automation", False, "Connect's own role, no user: a flow or a rule"),
        ("api", False, "a principal of its own, no user"),
        ("unknown", False, "nobody is named"),
    ]
    assert events["actor_kind"].map(WORKERS).tolist() == found["worker"].tolist()
    share = work_share(events)
    assert dtypes_of(share) == WORK_SHARE.dtypes
    assert share.groupby("worker")["n_events"].sum().to_dict() == {
        "api": 2,
        "automation": 1,
        "human": 3,
        "unknown": 1,
    }
    assert share["share"].sum() == pytest.approx(1)


def change(
    number: int, at: str, case_id: str, new: str = "high", **by: Any
) -> dict[str, Any]:
    return {
        **event(number, at, case_id, actor=ANN, actor_kind="agent"),
        "slot": 0,
        "field_id": "priority",
        "old_kind": "string",
        "old": "low",
        "new_kind": "string",
        "new": new,
        **by,
    }


def test_a_burst_is_one_value_on_many_cases_without_a_long_pause() -> None:
    minute = dt.timedelta(minutes=1)
    changes = changes_of(
        *(change(1, f"2026-03-02T09:0{i}:00Z", f"c{i}") for i in range(5)),
        change(2, "2026-03-02T09:06:01Z", "c6"),  # a second too late
        change(3, "2026-03-02T09:02:00Z", "c7", "low"),  # another value
        change(3, "2026-03-02T09:02:00Z", "c8", actor="bob"),
        change(0, "2026-03-02T09:02:00Z", "c9", event_type="Case.Created"),
    )
    found = bursts(changes, within=minute, min_cases=5)
    pd.testing.assert_frame_equal(
        found,
        expected(
            BURSTS,
            (
                "2026-03-02T09:00Z",
                "2026-03-02T09:04Z",
                ANN,
                "agent",
                "priority",
                "string",
                "high",
                5,
                5,
            ),
        ),
    )
    assert bursts(changes, within=minute, min_cases=6).empty
    assert bursts(changes, within=3 * minute, min_cases=6)["n_cases"].tolist() == [6]


def test_one_case_changed_often_is_no_burst() -> None:
    changes = changes_of(
        *(change(i, f"2026-03-02T09:00:{i:02}Z", "c") for i in range(10))
    )
    assert bursts(changes).empty


@pytest.mark.parametrize(
    "bad", [{"within": dt.timedelta(seconds=-1)}, {"min_cases": 1}]
)
def test_what_can_be_no_burst_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a burst is at least 2 cases"):
        bursts(changes_of(change(0, "2026-03-02T09:00Z", "c")), **bad)


def roles(*rows: tuple[str, str, str | None, str | None]) -> pd.DataFrame:
    frame = pd.DataFrame(
        rows, columns=["actor", "team", "valid_from_at", "valid_to_at"]
    )
    for name in ("valid_from_at", "valid_to_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601").astype(
            "datetime64[us, UTC]"
        )
    return frame


def test_todays_team_does_not_rewrite_the_past() -> None:
    events = events_of(
        event(0, "2026-02-28T23:59:59Z", **agent()),
        event(1, "2026-03-01T00:00Z", **agent()),
        event(2, "2026-03-09T00:00Z", **agent()),
        event(3, "2026-03-09T00:00Z", **agent("bob")),
        event(4, "2026-03-09T00:00Z", **NOBODY),
    )
    users = roles(
        (ANN, "desk", None, "2026-03-01"),
        (ANN, "expert", "2026-03-01", "2026-03-09"),
    )
    told = with_users(events, users)
    assert told["team"].where(told["team"].notna(), "-").tolist() == [
        "desk",
        "expert",
        "-",
        "-",
        "-",
    ]
    assert told["event_id"].tolist() == events["event_id"].tolist()


def test_two_teams_at_one_time_are_refused() -> None:
    users = roles(
        (ANN, "desk", None, "2026-03-02"), (ANN, "expert", "2026-03-01", None)
    )
    events = events_of(event(0, "2026-03-01T00:00Z", **agent()))
    with pytest.raises(ValueError, match=f"hold for '{ANN}' at 2026-03-01"):
        with_users(events, users)
    users = roles((ANN, "desk", None, "2026-03-02"), (ANN, "expert", None, None))
    with pytest.raises(ValueError, match=f"hold for '{ANN}' from the beginning"):
        with_users(events, users)


def test_a_column_of_both_frames_is_refused() -> None:
    users = roles((ANN, "desk", None, None)).rename(columns={"team": "sequence"})
    with pytest.raises(ValueError, match="Both frames have sequence"):
        with_users(events_of(event(0, "2026-03-01T00:00Z", **agent())), users)


@pytest.mark.parametrize(
    ("function", "table"),
    [
        (actor_activity, ACTOR_ACTIVITY),
        (actor_matrix, ACTOR_MATRIX),
        (off_hours, OFF_HOURS),
        (rhythm, RHYTHM),
        (attribution, ATTRIBUTION),
        (work_share, WORK_SHARE),
        (bursts, BURSTS),
    ],
)
def test_no_rows_have_all_columns_and_nothing_given_is_changed(
    function: Any, table: Table
) -> None:
    empty = CHANGES.empty() if table is BURSTS else EVENTS.empty()
    found = function(empty)
    assert found.columns.tolist() == table.names
    assert len(found) == 0
    given = (
        changes_of(change(0, "2026-03-02T09:00Z", "c"))
        if table is BURSTS
        else events_of(event(0, "2026-03-02T09:00Z", **agent()))
    )
    before = given.copy(deep=True)
    function(given)
    pd.testing.assert_frame_equal(given, before)


# -------------------------------------------------------------- the World's truth

DOERS = {"person": "human", "automation": "automation", "integration": "api"}


def confusion(seeds: range) -> Counter[tuple[str, str]]:
    """How often who it really was, by what the audit event lets us say."""
    counts: Counter[tuple[str, str]] = Counter()
    for seed in seeds:
        world = cn.sandbox.World(seed=seed, cases=12)
        client = cn.connect(world)
        for domain in world.domains:
            ids = list(world.case_ids(domain.domain_id))
            history = cn.load_histories(client, domain.domain_id, ids)
            found = attribution(history.events)
            said = dict(zip(found["event_id"], found["worker"], strict=True))
            kinds = dict(
                zip(
                    history.events["event_id"],
                    history.events["actor_kind"],
                    strict=True,
                )
            )
            for case_id in ids:
                for true in world.true_events(case_id):
                    if true.is_served:
                        assert kinds[true.event_id] == true.actor_kind
                        counts[DOERS[true.doer], said[true.event_id]] += 1
    return counts


def check(counts: Counter[tuple[str, str]]) -> None:
    assert counts
    for (true, said), n in counts.items():
        assert true == said or said == "unknown", (
            f"{n} of {true} were said to be {said}"
        )
    named = sum(n for (_, said), n in counts.items() if said != "unknown")
    assert named / counts.total() > 0.95


def test_workers_are_who_they_were_or_unknown() -> None:
    check(confusion(range(12)))


@pytest.mark.slow
def test_workers_are_who_they_were_or_unknown_on_200_seeds() -> None:
    counts = confusion(range(200))
    check(counts)
    told = Path(__file__).parents[1].joinpath("DECISIONS.md").read_text("utf-8")
    assert f"(200 seeds, {counts.total():,} events)" in told
    assert as_table(counts) in told


def as_table(counts: Counter[tuple[str, str]]) -> str:
    """The confusion matrix as DECISIONS.md has it."""
    said = ("human", "automation", "api", "unknown")
    lines = [("really", *(f"said {name}" for name in said)), ("---",) * 5]
    for doer, name in (
        ("a person", "human"),
        ("a flow or a rule", "automation"),
        ("an integration", "api"),
    ):
        lines.append((doer, *(f"{counts[name, other]:,}" for other in said)))
    rows = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join(rows).replace(
        "| --- | --- | --- | --- | --- |", "|---|---|---|---|---|"
    )


def test_each_row_stays_one_whatever_tells_it_from_others() -> None:
    told = {**event(1, "2026-03-02T09:00Z", **agent()), "slot": 0}
    rows = [{**told, "field_id": name} for name in "ab"]
    users = pd.DataFrame({"actor": [ANN], "team": ["desk"]})
    users["valid_from_at"] = users["valid_to_at"] = pd.NaT  # always
    for left_out in (["slot"], ["slot", "event_id"], ["slot", "event_id", "case_id"]):
        changes = changes_of(*rows).drop(columns=left_out)
        assert cn.actors.with_users(changes, users)["team"].tolist() == ["desk", "desk"]


def test_a_team_of_no_time_is_refused() -> None:
    users = pd.DataFrame({"actor": [ANN], "team": ["desk"], "valid_to_at": [None]})
    users["valid_from_at"] = pd.Timestamp("2026-03-02")
    with pytest.raises(ValueError, match=r"valid_from_at of `users` holds no times"):
        cn.actors.with_users(events_of(event(1, "2026-03-02T09:00Z", **agent())), users)


def test_between_two_teams_an_agent_is_in_none() -> None:
    events = events_of(
        *(event(n, f"2026-03-{n + 1:02}T00:00Z", **agent()) for n in range(8))
    )
    users = roles(
        (ANN, "desk", None, "2026-03-03"), (ANN, "expert", "2026-03-05", "2026-03-07")
    )
    team = with_users(events, users)["team"]
    assert team.where(team.notna(), "-").tolist() == [
        "desk", "desk", "-", "-", "expert", "expert", "-", "-",
    ]  # fmt: skip
    spans = spans_of_users(users).to_native()
    spans = spans.sort_values("since", na_position="first")
    assert spans["team"].where(spans["team"].notna(), "-").tolist() == [
        "desk", "-", "expert", "-",
    ]  # fmt: skip
    assert spans["since"].dt.day.fillna(0).tolist() == [0, 3, 5, 7]
    assert spans["until"].dt.day.fillna(0).tolist() == [3, 5, 7, 0]
