"""A declared flow: what it does not allow is found, and nothing else."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from decisions import history_of, whole_cases, world_and_history
from test_flow import off
from test_flow import on as on_engine
from test_spells import MISSING, changes_of, text

import casesnb as cn
from casesnb.analysis.conformance import moves_of_flow

EARLY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
FLOW = {
    "open": ["in_progress", "closed"],
    "in_progress": ["waiting_on_customer", "closed"],
    "waiting_on_customer": ["in_progress"],
    "closed": ["open"],
}


def on(engine: str, frame: Any) -> Any:
    return (
        pa.Table.from_pandas(frame) if engine == "Arrow" else on_engine(engine, frame)
    )


def test_moves_that_are_not_allowed_cite_their_event_and_what_they_skipped() -> None:
    history = history_of(
        {
            "fine": [(0, "open", "a"), (1, "in_progress", "a"), (2, "closed", "a")],
            "skips": [(0, "open", "a"), (1, "waiting_on_customer", "b")],
            "odd": [(0, "in_progress", "a"), (1, "gone", "c")],
        }
    )
    found = cn.conformance(history, FLOW)
    columns = ["case_id", "from_value", "to_value", "skipped", "event_id", "actor"]
    rows = found[columns].astype(object).where(found[columns].notna(), None)
    assert rows.to_numpy().tolist() == [
        ["odd", None, "in_progress", "open", "odd-0", "a"],
        ["odd", "in_progress", "gone", None, "odd-1", "c"],
        ["skips", "open", "waiting_on_customer", "in_progress", "skips-1", "b"],
    ]
    assert found["message"].tolist() == [
        "begins with in_progress is not allowed: open left out",
        "in_progress → gone is not allowed",
        "open → waiting_on_customer is not allowed: in_progress left out",
    ]
    (share,) = cn.rates(history, "conforming", flow=FLOW).to_dict("records")
    assert (share["n"], share["n_of"]) == (1, 3)


@pytest.mark.parametrize(
    "seeds", [range(2), pytest.param(range(200), marks=pytest.mark.slow)]
)
def test_the_moves_of_a_world_are_judged_as_its_truth_says(seeds: range) -> None:
    allowed = {("", "open"), *((a, b) for a, several in FLOW.items() for b in several)}
    n = 0
    for seed in seeds:
        world, history = world_and_history(seed, 10)
        found = cn.conformance(history, FLOW)
        by_case = found.groupby("case_id", observed=True)["event_id"].agg(list)
        for case_id in whole_cases(world, history):
            wanted, before = [], ""
            for change in world.true_changes(case_id):
                is_own = change.event_type.startswith("Case.")
                if change.field_id != "status" or not is_own:
                    continue
                if change.new != before and (before, change.new) not in allowed:
                    wanted.append(change.event_id)
                before = change.new or ""
            assert by_case.get(case_id, []) == wanted
            n += len(wanted)
    assert n > len(seeds)


def test_a_history_that_begins_late_or_breaks_is_not_checkable() -> None:
    history = history_of({"late": [(0, "open", "a"), (1, "in_progress", "a")]})
    events, changes = history.events.iloc[1:], history.changes.iloc[1:]
    late = cn.conformance(cn.History(events, changes), FLOW)
    assert late["verdict"].tolist() == ["not_checkable"]
    assert late["message"].tolist() == ["the field's history begins after the case did"]
    rate = cn.rates(cn.History(events, changes), "conforming", flow=FLOW)
    assert rate["excluded"].tolist() == ["1 not checkable"]
    changes = history.changes.assign(old=[None, "gone"])
    broken = cn.conformance(cn.History(history.events, changes), FLOW)
    assert "the history has a break" in broken["message"].tolist()
    assert pd.isna(broken["at"].iloc[0])


@pytest.mark.parametrize("engine", ["pandas", "Arrow", "Polars", "lazy Polars"])
def test_a_case_whose_events_list_no_field_is_not_checkable(engine: str) -> None:
    whole = history_of(
        {"fine": [(0, "open", "a")], "none": [(0, "open", "a"), (2, "closed", "a")]}
    )
    changes = whole.changes[whole.changes["case_id"] == "fine"]
    tables = [on(engine, frame) for frame in (whole.events, changes)]
    history = cn.History(*tables)
    found = off(cn.conformance(history, FLOW))
    assert found[["case_id", "verdict", "message"]].to_numpy().tolist() == [
        ["none", "not_checkable", "no event tells the field"]
    ]
    cases = off(cn.outcomes(history, "conforming", flow=FLOW)).set_index("case_id")
    assert cases["outcome"].dropna().to_dict() == {"fine": "conforming"}
    assert cases["excluded"].dropna().to_dict() == {"none": "not checkable"}
    # Before a case was created there is nothing to check.
    assert off(cn.conformance(history, FLOW, as_of=EARLY)).empty


def test_a_flow_may_be_drawn() -> None:
    drawn = """
        open -> in_progress → closed --> open
        in_progress → waiting_on_customer → in_progress
        open → closed
    """
    told = moves_of_flow(drawn)
    assert {k: sorted(v) for k, v in told.items()} == {
        k: sorted(v) for k, v in FLOW.items()
    }


def test_what_is_no_flow_is_refused() -> None:
    history = history_of({"a": [(0, "open", "a")]})
    with pytest.raises(ValueError, match="There are open"):
        cn.conformance(history, {"Open": ["Closed"]})
    with pytest.raises(ValueError, match="allows no move"):
        cn.conformance(history, {"open": []})
    with pytest.raises(TypeError, match=r"give several in a list: \['closed'\]"):
        cn.conformance(history, {"open": "closed"})
    with pytest.raises(ValueError, match="lacks a value at an arrow"):
        cn.conformance(history, "open → ")
    with pytest.raises(TypeError, match="is no flow"):
        cn.conformance(history, 7)  # type: ignore[arg-type]


def test_a_value_that_is_nearly_one_of_the_history_is_refused() -> None:
    changes = changes_of(
        (0, "status", MISSING, text("open")),
        (1, "status", text("open"), text("in_progress")),
        (2, "status", text("in_progress"), text("closed")),
    )
    near = "'in_progres' of flow=. Near it is in_progress"
    with pytest.raises(ValueError, match=near):
        cn.conformance(changes, "open → in_progres → closed")
    with pytest.raises(ValueError, match="'Open' of flow=. Near it is open"):
        cn.conformance(changes, "in_progress → closed", start="Open")
    with pytest.raises(ValueError, match="'Closed' of order=. Near it is closed"):
        cn.rework.backward_moves(changes, ["open", "Closed"])
    # What never occurred is no mistake, nor is what both occur.
    flow = "open → in_progress → escalated → closed\nin_progress → closed"
    assert cn.conformance(changes, flow).empty
    assert cn.conformance(changes, flow + "\nopen → in_progress2").empty
