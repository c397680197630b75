"""What a few changes, told by hand, must give: saved again, closed again, not told."""

from __future__ import annotations

import itertools
from typing import Any

import pandas as pd
import polars as pl
import pytest
from test_actors import agent, changes_of, event, events_of

import casesnb as cn
from casesnb.schema import CASE_FIELDS
from casesnb.tables.history import History

Told = tuple[str | None, str | None]
ENGINES = ("pandas", "Polars", "lazy Polars")


def case(*steps: Told | str, created: bool = True, field: str = "status") -> Any:
    """Changes of one field, an hour apart; an old value of None was not sent."""
    rows = []
    for number, step in enumerate(steps):
        old, new = step if isinstance(step, tuple) else (None, step)
        row = event(number, f"2026-03-02T{number:02}:00Z", actor="ann")
        if created and number == 0:
            row["event_type"] = "Case.Created"
        told = {"field_id": field, "slot": 0, "old": old, "new": new}
        kinds = {"old_kind": old and "string", "new_kind": "string"}
        rows.append({**row, **told, **kinds})
    return changes_of(*rows)


def on(engine: str, frame: Any) -> Any:
    if engine == "pandas":
        return frame
    told = pl.from_pandas(frame)
    return told.lazy() if engine == "lazy Polars" else told


def off(frame: Any) -> Any:
    frame = frame.collect() if hasattr(frame, "collect") else frame
    return frame if isinstance(frame, pd.DataFrame) else frame.to_pandas()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_there_before_is_told_though_aws_did_not_send_it(engine: str) -> None:
    changes = on(engine, case("open", "waiting", "closed"))
    assert off(cn.blame(changes))["previous"].tolist() == ["waiting"]
    assert off(cn.blame(changes))["previous_kind"].tolist() == ["string"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_status_saved_again_is_no_change_of_it(engine: str) -> None:
    changes = case("open", ("open", "open"), ("open", "open"), ("open", "closed"))
    events = events_of(*(event(n, f"2026-03-02T{n:02}:00Z") for n in range(4)))
    found = off(cn.case_summary(on(engine, events), changes=on(engine, changes)))
    assert found["n_status_changes"].tolist() == [1]


def test_the_first_change_of_a_history_that_begins_later_is_one() -> None:
    changes = case(("open", "closed"), created=False)
    events = events_of(event(0, "2026-03-02T00:00Z"))
    assert cn.case_summary(events, changes=changes)["n_status_changes"].tolist() == [1]


@pytest.mark.parametrize("engine", ENGINES)
def test_back_to_whom_a_late_history_first_names_is_ping_pong(engine: str) -> None:
    steps = (("ann", "bob"), ("bob", "ann"), ("ann", "eve"), ("eve", "bob"))
    changes = case(*steps, created=False, field="assigned_user")
    found = off(cn.handoffs(on(engine, changes)))
    assert found["is_ping_pong"].tolist() == [False, True, False, False]


def every_way(first: str, others: str) -> Any:
    """Cases that begin with each of `first` and take each way through `others`."""
    rows = []
    for way in itertools.product(first, *[others] * 4):
        values = [None if value == "-" else value for value in way]
        kinds = ["string" if value else "empty" for value in values]
        for number, value in enumerate(values):
            row = event(number, f"2026-03-02T{number:02}:00Z", "".join(way))
            row |= {"field_id": "assigned_user", "slot": 0}
            row |= {"new": value, "new_kind": kinds[number]}
            if number:
                row |= {"old": values[number - 1], "old_kind": kinds[number - 1]}
            else:
                row["event_type"] = "Case.Created"
            rows.append(row)
    return changes_of(*rows)


@pytest.mark.parametrize("engine", ENGINES)
def test_ping_pong_needs_no_creation_that_the_first_old_value_repeats(
    engine: str,
) -> None:
    changes = every_way("-ab", "-ab")
    late = changes[changes["event_type"] != "Case.Created"]
    whole, found = (off(cn.handoffs(on(engine, each))) for each in (changes, late))
    columns = ["case_id", "from_value", "to_value", "at", "is_ping_pong"]
    pd.testing.assert_frame_equal(found[columns], whole[columns])
    assert 0 < found["is_ping_pong"].sum() < len(found) / 2
    back = found[found["case_id"] == "a-aba"]  # let go, taken again, given and back
    assert back["is_ping_pong"].tolist() == [False, False, False, True]


def backs(changes: pd.DataFrame) -> set[tuple[str, str]]:
    """Which changes give a case back, from all holders that a case's changes name."""
    found = set()
    for case_id, several in changes.groupby("case_id", observed=True):
        names: list[str] = []
        for row in several.sort_values("sequence").itertuples():
            if isinstance(row.old, str) and names[-1:] != [row.old]:
                names.append(row.old)
            if isinstance(row.new, str) and names[-1:] != [row.new]:
                if names[-2:-1] == [row.new]:
                    found.add((str(case_id), row.event_id))
                names.append(row.new)
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_after_a_break_the_holder_is_whom_it_was_taken_from(engine: str) -> None:
    for last, is_back in (("ann", False), ("bob", True)):
        changes = case("ann", ("ann", "bob"), ("eve", last), field="assigned_user")
        found = off(cn.handoffs(on(engine, changes)))
        assert found["is_ping_pong"].tolist() == [False, is_back]
    whole = every_way("-abc", "-abc")
    lost = whole.sample(frac=0.6, random_state=1)
    found = off(cn.handoffs(on(engine, lost)))
    found = found[found["is_ping_pong"]]
    wanted = backs(lost)
    assert {*zip(found["case_id"], found["event_id"], strict=True)} == wanted
    assert len(wanted) > 100


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("max_steps", [20, 3, 1])
def test_a_way_needs_no_creation_that_the_first_old_value_repeats(
    engine: str, max_steps: int
) -> None:
    changes = every_way("ab", "-ab")
    late = changes[changes["event_type"] != "Case.Created"]
    whole, found = (
        off(cn.variants(on(engine, each), "assigned_user", max_steps=max_steps))
        for each in (changes, late)
    )
    pd.testing.assert_frame_equal(found, whole)


def test_a_way_begins_with_a_value() -> None:
    ways = {
        "open → closed": case(("open", "closed"), created=False),
        "open": case(("open", "open"), created=False),
        "closed": case(("open", "closed")),  # creation replaces nothing
        "new": case("new", created=False).assign(old_kind="empty"),
    }
    for way, changes in ways.items():
        found = cn.variants(changes)
        assert found["variant"].tolist() == [way]
        assert found["n_steps"].tolist() == [way.count("→") + 1]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sent", [True, False])
def test_closing_a_closed_case_is_no_close(engine: str, sent: bool) -> None:
    again = ("closed", "closed") if sent else "closed"
    changes = case("open", ("open", "closed"), again)
    rows = [event(number, f"2026-03-02T{number:02}:00Z") for number in range(3)]
    rows[1] |= {"merge_event_id": "m", "primary_case_id": "p"}
    events = events_of(*rows)
    found = off(cn.first_times(on(engine, events), changes=on(engine, changes)))
    assert found["first_closed_at"].isna().all()  # a merge closed it


@pytest.mark.parametrize("engine", ENGINES)
def test_whom_a_change_takes_a_case_from_was_assigned_at_no_time_that_is_told(
    engine: str,
) -> None:
    none, ann, bob = ("empty", None), ("string", "ann"), ("string", "bob")
    unsent = (None, None)
    ways = {
        "created": [(unsent, ann)],
        "given": [(unsent, none), (none, ann), (ann, bob)],
        "handed": [None, (ann, bob), (bob, none), (none, ann)],
        "saved": [None, (ann, ann)],
        "broken": [(unsent, none), (ann, bob)],
        "released": [None, (ann, none), (none, bob)],
    }
    changes, events = [], []
    for case_id, steps in ways.items():
        for n, step in enumerate(steps):
            row = event(n, f"2026-03-02T{n:02}:00Z", case_id)
            row["event_type"] = "Case.Updated" if n else "Case.Created"
            events.append(row)
            if step is not None:
                (old_kind, old), (new_kind, new) = step
                row |= {"old_kind": old_kind, "old": old}
                row |= {"new_kind": new_kind, "new": new}
                changes.append(row | {"field_id": "assigned_user", "slot": 0})
    told = changes_of(*changes).sample(frac=1, random_state=1)
    found = off(
        cn.first_times(on(engine, events_of(*events)), changes=on(engine, told))
    )
    hours = found.set_index("case_id")["assigned_hours"].dropna().to_dict()
    assert hours == {"created": 0.0, "given": 1.0}


def test_what_getcase_tells_may_have_held_since_the_last_change() -> None:
    changes = case("open", ("open", "waiting"), ("waiting", "open"))
    current = CASE_FIELDS.cast(
        pd.DataFrame(
            [{"domain_id": "d", "case_id": "c", "field_id": "status"}]
        ).reindex(columns=CASE_FIELDS.names)
    ).assign(kind="string", value="closed")
    later = pd.Timestamp("2026-03-02T06:00Z")
    found = cn.trust.time_bounds(changes, current=current, as_of=later)
    told = found.set_index("value")[["hours_min", "hours_max"]]
    assert told.loc["closed"].tolist() == [0, 4]
    assert told.loc["open"].tolist() == [1, 5]


def test_a_story_keeps_the_cases_of_two_domains_apart() -> None:
    world = cn.sandbox.World(seed=7)
    history = cn.load_history(cn.connect(world), *world.showcase)
    once = cn.story(History(history.events, history.changes))
    twice = History(
        events=pd.concat(
            [history.events, history.events.assign(domain_id="other")]
        ).sample(frac=1, random_state=1),
        changes=pd.concat([history.changes, history.changes.assign(domain_id="other")]),
    )
    told = cn.story(twice)
    body = once[: once.index("What was loaded")]
    assert told.count(body.splitlines()[2]) == 2
    assert told.startswith(body.rstrip())


def test_a_merge_that_names_no_case_is_a_thread_of_nobody() -> None:
    world = cn.sandbox.World(seed=7)
    history = cn.load_history(cn.connect(world), *world.showcase)
    events = history.events.copy()
    events["merge_event_id"] = "m"
    told = cn.threads.thread_events(events)
    assert set(told["thread_id"]) == {world.showcase[1]}
    same = events.assign(
        primary_case_id=events["case_id"], secondary_case_id=events["case_id"]
    )
    for frame in (events, same):
        lone = History(
            events=frame,
            changes=history.changes,
        )
        assert "[merge]" in cn.story(lone)


def test_times_of_polars_may_be_finer() -> None:
    changes = case("open", ("open", "closed"))
    fine = pl.from_pandas(changes).with_columns(
        pl.col("performed_at").cast(pl.Datetime("ns", "UTC"))
    )
    for function in (cn.trust.time_bounds, cn.backlog, cn.spells):
        assert function(fine).equals(pl.from_pandas(function(changes)))


def test_the_first_comment_is_made_not_edited() -> None:
    about = ("RelatedItem.Updated", "Comment"), ("RelatedItem.Created", "File")
    about = (*about, ("RelatedItem.Created", "Comment"))
    events = events_of(
        event(0, "2026-03-02T00:00Z") | {"event_type": "Case.Created"},
        *(
            event(n, f"2026-03-02T{n:02}:00Z")
            | {"event_type": kind, "related_item_type": item}
            for n, (kind, item) in enumerate(about, 1)
        ),
    )
    first = cn.first_times(events, changes=case("open"))
    assert first["first_comment_at"].tolist() == [pd.Timestamp("2026-03-02T03:00Z")]
    assert first["comment_hours"].tolist() == [3.0]


def test_a_summary_counts_what_was_added_by_its_kind() -> None:
    items = ["Comment", "File", "File", "Contact", "Contact", "Contact", "Sla"]
    added = [
        event(n, f"2026-03-02T{n:02}:00Z")
        | {"event_type": "RelatedItem.Created", "related_item_type": item}
        for n, item in enumerate(items, 1)
    ]
    edited = event(9, "2026-03-02T09:00Z", **agent()) | {
        "event_type": "RelatedItem.Updated",
        "related_item_type": "Comment",
    }
    events = events_of(event(0, "2026-03-02T00:00Z"), *added, edited)
    (row,) = cn.case_summary(events, changes=case("open")).to_dict("records")
    assert (row["n_comments"], row["n_contacts"], row["n_events"]) == (1, 3, 9)
    assert row["n_by_agents"] == 1
