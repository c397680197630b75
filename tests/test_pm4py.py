"""Our numbers beside pm4py's, on a log without ties; where they part, and how fast.

pm4py is AGPL and no dependency: ``make pm4py`` has a home of its own for both.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from histories import ANNA, BEN, by, event, history

import casesnb as cn
from casesnb.schema import CHANGES

pytestmark = [pytest.mark.pm4py, pytest.mark.filterwarnings("default")]

NOBODY = "nobody"
BAR = 1.5
"""Under what is measured, 2.6 to 36 times: a machine that does other work."""
Pair = tuple[str, str]


@pytest.fixture(scope="module")
def pm4py() -> Any:
    import pm4py

    return pm4py


@cache
def changes() -> pd.DataFrame:
    """Three hundred cases, whole histories, no two acts on one at one instant."""
    rates = cn.sandbox.Rates(
        same_instant=0,
        merge=0,
        bulk_edit=0,
        without_creation=0,
        no_event=0,
        thousands=0,
        reopen=0.4,
        ping_pong=0.4,
    )
    world = cn.sandbox.World(seed=11, cases=300, domains=1, rates=rates)
    domain_id = world.domains[0].domain_id
    ids = list(world.case_ids(domain_id))
    return cn.load_histories(cn.connect(world), domain_id, ids).changes


def log_of(found: pd.DataFrame, field_id: str) -> pd.DataFrame:
    """An event per change of a field, named by the value that the field got."""
    found = found[found["field_id"] == field_id]
    got = found["new"].fillna(NOBODY)
    return cn.export.to_pm4py(found.assign(got=got, actor=got), activity="got")


def log_without_ties(field_id: str) -> pd.DataFrame:
    log = log_of(changes(), field_id)
    assert not log.duplicated(["case:concept:name", "time:timestamp"]).any()
    assert len(log) > 400
    return log


def by_pair(found: pd.DataFrame, column: str) -> dict[Pair, Any]:
    """A column of `transitions` by the two values, as pm4py keeps it."""
    ends = [found[name].fillna(NOBODY) for name in ("from_value", "to_value")]
    return dict(zip(zip(*ends, strict=True), found[column].tolist(), strict=True))


def first_takers() -> Counter[Pair]:
    """Users by whom a case was taken first: what they replaced is no event."""
    mine = changes()[changes()["field_id"] == "assigned_user"]
    first = mine.drop_duplicates("case_id")
    assert set(first["old_kind"]) == {"empty"}
    return Counter((NOBODY, user) for user in first["new"])


# ------------------------------------------------------------------ where we agree


@pytest.mark.parametrize("field_id", ["status", "assigned_queue"])
def test_transitions_are_its_directly_follows_graph(field_id: str, pm4py: Any) -> None:
    log = log_without_ties(field_id)
    found = cn.transitions(changes(), field_id)
    graph, _, _ = pm4py.discover_dfg(log)
    assert by_pair(found, "n") == graph
    times, _, _ = pm4py.discover_performance_dfg(log)
    medians = {pair: told["median"] / 3_600 for pair, told in times.items()}
    assert by_pair(found, "median_hours") == pytest.approx(medians)


def test_closed_spells_take_the_time_of_its_edges(pm4py: Any) -> None:
    log = log_without_ties("status")
    spells = cn.spells(changes(), "status")
    closed = spells[~spells["is_open"]]
    times, _, _ = pm4py.discover_performance_dfg(log)
    hours: dict[str, float] = defaultdict(float)
    for (value, _), told in times.items():
        hours[value] += told["sum"] / 3_600
    assert closed.groupby("value")["hours"].sum().to_dict() == pytest.approx(hours)
    # All of a case's time in status, less that of the one that it is in.
    every = cn.time_in(changes()).groupby("case_id")["hours"].sum()
    last = spells[spells["is_open"]].set_index("case_id")["hours"]
    theirs = [seconds / 3_600 for seconds in pm4py.get_all_case_durations(log)]
    assert sorted(every - last) == pytest.approx(sorted(theirs), abs=1e-6)


def test_handoffs_are_its_handover_of_work(pm4py: Any) -> None:
    log = log_without_ties("assigned_user")
    found = cn.handoffs(changes())
    found = found[found["field_id"] == "assigned_user"]
    ends = [found[name].fillna(NOBODY) for name in ("from_value", "to_value")]
    ours = Counter(zip(*ends, strict=True)) - first_takers()
    network = pm4py.discover_handover_of_work_network(log, beta=0)
    theirs = {pair: share * ours.total() for pair, share in network.connections.items()}
    assert dict(ours) == pytest.approx({pair: n for pair, n in theirs.items() if n})


def test_reopens_are_its_edges_out_of_closed_and_its_rework(pm4py: Any) -> None:
    log = log_without_ties("status")
    found = cn.reopens(changes())
    graph, _, _ = pm4py.discover_dfg(log)
    out = {to: n for (value, to), n in graph.items() if value == "closed"}
    assert found["to_value"].value_counts().to_dict() == out
    times, _, _ = pm4py.discover_performance_dfg(log)
    hours = {to: times["closed", to]["sum"] / 3_600 for to in out}
    assert found.groupby("to_value")["hours"].sum().to_dict() == pytest.approx(hours)
    spent = cn.time_in(changes())
    again = spent[spent["n_spells"] > 1]["value"].value_counts().to_dict()
    assert again == pm4py.get_rework_cases_per_activity(log)
    n = spent.loc[spent["value"] == "closed", "n_spells"]
    follows = pm4py.discover_eventually_follows_graph(log)
    assert follows["closed", "closed"] == (n * (n - 1) // 2).sum()


# ------------------------------------------------------------------ where we differ


def test_saving_the_same_value_again_is_no_step_of_ours(pm4py: Any) -> None:
    """Open for four hours, saved as open after one: DECISIONS.md, transitions."""
    saved = history(
        [
            event(0, "02T09:00:00", by(), kind="Case.Created", status="open"),
            event(1, "02T10:00:00", by("anna"), status=("open", "open")),
            event(2, "02T13:00:00", by("anna"), status=("open", "closed")),
        ]
    ).changes
    found = cn.transitions(saved)
    assert by_pair(found, "median_hours") == {("open", "closed"): 4.0}
    times, _, _ = pm4py.discover_performance_dfg(log_of(saved, "status"))
    theirs = {pair: told["median"] / 3_600 for pair, told in times.items()}
    assert theirs == {("open", "open"): 1.0, ("open", "closed"): 3.0}


def test_a_status_that_a_case_is_in_takes_no_time_there(pm4py: Any) -> None:
    """Closed after an hour, seen a day later: DECISIONS.md, time_in."""
    closed = history(
        [
            event(0, "02T09:00:00", by(), kind="Case.Created", status="open"),
            event(1, "02T10:00:00", by("anna"), status=("open", "closed")),
            event(2, "03T10:00:00", by("anna"), title="seen"),
        ]
    ).changes
    spent = cn.time_in(closed).set_index("value")["hours"].to_dict()
    assert spent == {"open": 1.0, "closed": 24.0}
    (seconds,) = pm4py.get_all_case_durations(log_of(closed, "status"))
    assert seconds == 3_600


def test_what_is_lost_is_a_step_from_what_was_replaced(pm4py: Any) -> None:
    """Open, then out of closed: the close itself is lost. DECISIONS.md, transitions."""
    lost = history(
        [
            event(0, "02T09:00:00", by(), kind="Case.Created", status="open"),
            event(1, "02T12:00:00", by("anna"), status=("closed", "held")),
        ]
    ).changes
    assert by_pair(cn.transitions(lost), "n") == {("closed", "held"): 1}
    assert cn.transitions(lost)["median_hours"].isna().all()
    graph, _, _ = pm4py.discover_dfg(log_of(lost, "status"))
    assert graph == {("open", "held"): 1}


def test_who_takes_a_case_from_nobody_is_no_handover_there(pm4py: Any) -> None:
    """Taken, released, taken by another: DECISIONS.md, handoffs."""
    taken = history(
        [
            event(0, "02T09:00:00", by(), kind="Case.Created", status="open"),
            event(1, "02T10:00:00", by("anna"), assigned_user=(None, ANNA)),
            event(2, "02T11:00:00", by("anna"), assigned_user=(ANNA, None)),
            event(3, "02T14:00:00", by("ben"), assigned_user=(None, BEN)),
        ]
    ).changes
    found = cn.handoffs(taken).fillna({"from_value": NOBODY, "to_value": NOBODY})
    steps = list(zip(found["from_value"], found["to_value"], strict=True))
    assert steps == [(NOBODY, ANNA), (ANNA, NOBODY), (NOBODY, BEN)]
    assert found["held_hours"].tolist() == [1, 1, 3]
    log = log_of(taken, "assigned_user")
    network = pm4py.discover_handover_of_work_network(log, beta=0)
    assert set(network.connections) == set(steps[1:])
    named = log[log["org:resource"] != NOBODY]
    network = pm4py.discover_handover_of_work_network(named, beta=0)
    assert set(network.connections) == {(ANNA, BEN)}


def test_a_tie_falls_there_as_the_frame_lies(pm4py: Any) -> None:
    """Two steps at one instant, the frame newest first: DECISIONS.md, transitions."""
    tied = history(
        [
            event(0, "02T09:00:00", by(), kind="Case.Created", status="open"),
            event(1, "02T10:00:00", by("anna"), status=("open", "held")),
            event(2, "02T10:00:00", by("anna"), status=("held", "closed")),
        ]
    ).changes
    newest_first = tied.iloc[::-1].reset_index(drop=True)
    steps = {("open", "held"): 1, ("held", "closed"): 1}
    assert by_pair(cn.transitions(newest_first), "n") == steps
    graph, _, _ = pm4py.discover_dfg(log_of(newest_first, "status"))
    assert graph == {("open", "closed"): 1, ("closed", "held"): 1}


# ----------------------------------------------------------------------- how fast


def many(n: int, field_id: str) -> pd.DataFrame:
    """Changes of one field, six a case, as the loaders would give them."""
    rng = np.random.default_rng(1)
    case = np.arange(n) // 6
    step = np.arange(n) % 6
    ids = pd.Index([f"{number:032x}" for number in range(n // 6)], dtype="str")
    values = np.array(["open", "waiting", "held", "closed"])
    seconds = case * 60 + step * 3_600 + rng.integers(0, 3_000, n)
    frame = pd.DataFrame(
        {
            "domain_id": "d",
            "case_id": pd.Categorical.from_codes(case, ids),
            "event_id": pd.Series(np.arange(n)).astype("str"),
            "sequence": step,
            "slot": 0,
            "performed_at": pd.Timestamp("2026-01-01", tz="UTC")
            + pd.to_timedelta(seconds, unit="s"),
            "event_type": np.where(step, "Case.Updated", "Case.Created"),
            "actor": "a",
            "actor_kind": "agent",
            "field_id": field_id,
            "new_kind": "string",
            "new": values[(rng.integers(0, 2, n) + step * 2) % 4],
            "is_order_known": True,
            "is_outcome_known": True,
        }
    )
    return CHANGES.cast(frame.reindex(columns=CHANGES.names))


def ratio(ours: Callable[[], Any], theirs: Callable[[], Any], turns: int) -> float:
    """How many times longer theirs takes: by turns, the median, each warmed up."""
    took = []
    for _ in range(turns + 1):
        moments = [time.perf_counter()]
        for work in (ours, theirs):
            work()
            moments.append(time.perf_counter())
        took.append((moments[1] - moments[0], moments[2] - moments[1]))
    mine, other = (statistics.median(side) for side in zip(*took[1:], strict=True))
    times = statistics.median(other / mine for mine, other in took[1:])
    print(f"casesnb {mine:.3f} s, pm4py {other:.3f} s: {times:.1f} times")
    return times


def test_transitions_are_faster_than_its_two_graphs(pm4py: Any) -> None:
    """A million changes in memory; counts and medians on both sides."""
    found = many(1_200_000, "status")
    log = log_of(found, "status")

    def graphs() -> None:
        pm4py.discover_dfg(log)
        pm4py.discover_performance_dfg(log)

    assert ratio(lambda: cn.transitions(found), graphs, 7) > BAR


def test_handoffs_are_twice_as_fast_as_its_handover_of_work(pm4py: Any) -> None:
    found = many(1_200_000, "assigned_user")
    log = log_of(found, "assigned_user")

    def network() -> None:
        pm4py.discover_handover_of_work_network(log, beta=0)

    assert ratio(lambda: cn.handoffs(found), network, 3) > BAR


def test_time_in_status_is_twice_as_fast_as_its_intervals(pm4py: Any) -> None:
    """A hundred thousand changes: the intervals of a million take a minute there."""
    found = many(120_000, "status")
    log = log_of(found, "status")

    def intervals() -> None:
        pm4py.convert_log_to_time_intervals(log)

    assert ratio(lambda: cn.time_in(found), intervals, 1) > BAR
