"""How fast the analysis is beside queries written by hand: ratios of medians, one run.

Run with ``make bench``. ``CASESNB_BENCH_CHANGES`` sets the size, one million else.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import casesnb as cn
from casesnb.schema import CHANGES, EVENTS

pytestmark = [pytest.mark.bench, pytest.mark.filterwarnings("default")]

N = int(os.environ.get("CASESNB_BENCH_CHANGES", "1_000_000"))
CASE = ["domain_id", "case_id"]
PART = [*CASE, "field_id"]
HOLDERS = ["assigned_user", "assigned_queue"]


@pytest.fixture(scope="module")
def changes() -> pd.DataFrame:
    """Ten changes of three fields a case, as the loaders would give them."""
    rng = np.random.default_rng(1)
    n_cases = N // 10
    case = np.repeat(np.arange(n_cases), 10)
    sequence = np.tile(np.arange(10), n_cases)
    status = np.array(["open", "waiting", "closed", "held"])
    value = rng.integers(0, 4, N)
    ids = pd.Index([f"{n:032x}" for n in range(n_cases)], dtype="str")
    fields = pd.Index(["assigned_user", "priority", "status"], dtype="str")
    field = rng.integers(0, 3, N)
    frame = pd.DataFrame(
        {
            "domain_id": pd.Categorical.from_codes(np.zeros(N, int), ["d"]),
            "case_id": pd.Categorical.from_codes(case, ids),
            "event_id": pd.Series(np.arange(N)).astype("str"),
            "sequence": sequence.astype("int32"),
            "slot": np.zeros(N, "int32"),
            "performed_at": pd.Timestamp("2026-01-01", tz="UTC")
            + pd.to_timedelta(case * 60 + sequence * 3600, unit="s"),
            "field_id": pd.Categorical.from_codes(field, fields),
            "new": pd.Series(status[value], dtype="str"),
            "event_type": np.where(sequence, "Case.Updated", "Case.Created"),
            "actor": pd.Series(rng.integers(0, 200, N)).astype("str"),
            "actor_kind": "agent",
            "new_kind": "string",
            "is_order_known": True,
            "order_by": "time",
            "tie_id": pd.Categorical([None] * N),
            "is_outcome_known": True,
        }
    )
    before = frame.groupby(PART, observed=True)["new"].shift(1)
    frame["old"] = before
    frame["old_kind"] = before.notna().map({True: "string", False: None})
    return CHANGES.cast(frame.reindex(columns=CHANGES.names))


@pytest.fixture(scope="module")
def in_polars(changes: pd.DataFrame) -> pl.DataFrame:
    return pl.from_pandas(changes).with_columns(pl.col(pl.Categorical).cast(pl.String))


@pytest.fixture(scope="module")
def in_duckdb(in_polars: pl.DataFrame) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("given", in_polars.to_arrow())
        connection.execute("CREATE TABLE changes AS SELECT * FROM given")
        yield connection


def timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(what: str, ours: Callable[[], Any], theirs: Callable[[], Any]) -> float:
    """Ours to theirs, the medians of five, taken by turns."""
    taken = [(timed(ours), timed(theirs)) for _ in range(5)]
    one, other = (statistics.median(each) for each in zip(*taken, strict=True))
    print(f"\n{what}, {N:,} changes: {one:.2f} s against {other:.2f} s", end="")
    print(f" by hand, {one / other:.2f} times")
    return one / other


# -------------------------------------------------------------- by hand, in pandas


def begun(changes: pd.DataFrame) -> pd.DataFrame:
    """Sort, shift, mask: the changes that begin a spell, with the value before."""
    frame = changes.sort_values([*PART, "sequence", "slot"])
    grouped = frame.groupby(PART, observed=True, sort=False)
    frame["before"] = grouped["new"].shift(1)
    return frame[(frame["new"] != frame["before"]) | frame["before"].isna()]


def beside(frame: pd.DataFrame, name: str, step: int) -> pd.Series[Any]:
    return frame.groupby(PART, observed=True, sort=False)[name].shift(step)


def hours(end: pd.Series[Any], start: pd.Series[Any]) -> pd.Series[Any]:
    return (end - start).dt.total_seconds() / 3600


def spells_by_hand(changes: pd.DataFrame) -> pd.DataFrame:
    frame = begun(changes)
    ends = beside(frame, "performed_at", -1)
    found = frame[[*PART, "new", "performed_at", "event_id", "actor"]].copy()
    found["end_at"] = ends.fillna(changes["performed_at"].max())
    found["is_open"] = ends.isna()
    found["hours"] = hours(found["end_at"], found["performed_at"])
    return found.reset_index(drop=True)


def state_by_hand(changes: pd.DataFrame) -> pd.DataFrame:
    frame = begun(changes)
    is_last = beside(frame, "performed_at", -1).isna()
    columns = [*PART, "new", "performed_at", "event_id", "actor"]
    return frame.loc[is_last, columns].reset_index(drop=True)


def transitions_by_hand(changes: pd.DataFrame) -> pd.DataFrame:
    frame = begun(changes[changes["field_id"] == "status"])
    frame["hours"] = hours(frame["performed_at"], beside(frame, "performed_at", 1))
    frame = frame[frame["before"].notna()]
    grouped = frame.groupby(["before", "new"])
    return grouped.agg(
        n=("new", "size"), n_cases=("case_id", "nunique"), hours=("hours", "median")
    ).reset_index()


def handoffs_by_hand(changes: pd.DataFrame) -> pd.DataFrame:
    frame = begun(changes[changes["field_id"].isin(HOLDERS)])
    frame["held"] = hours(frame["performed_at"], beside(frame, "performed_at", 1))
    frame["is_back"] = frame["new"] == beside(frame, "before", 1)
    is_created = frame["event_type"] == "Case.Created"
    frame = frame[frame["before"].notna() | ~is_created]
    columns = [*PART, "before", "new", "performed_at", "held", "is_back"]
    return frame[[*columns, "event_id", "actor"]].reset_index(drop=True)


def activity_by_hand(events: pd.DataFrame) -> pd.DataFrame:
    day = events["performed_at"].dt.floor("1D")
    grouped = events.groupby(["actor", "actor_kind", day], observed=True)
    return grouped.agg(
        n_events=("event_id", "size"),
        n_changes=("n_changes", "sum"),
        n_cases=("case_id", "nunique"),
    ).reset_index()


def events_of(changes: pd.DataFrame) -> pd.DataFrame:
    return changes.assign(n_changes=1)


# Two fields at once: the values of both from change to change, filled forward.


def overlap_by_hand(changes: pd.DataFrame) -> pd.DataFrame:
    names = ["status", "assigned_user"]
    frame = changes[changes["field_id"].isin(names)]
    frame = frame.sort_values([*CASE, "sequence", "slot"])
    for name in names:
        is_own = frame["field_id"] == name
        value = frame["new"].where(is_own)
        frame[name] = value.groupby([frame[n] for n in CASE], observed=True).ffill()
    ends = frame.groupby(CASE, observed=True)["performed_at"].shift(-1)
    frame["hours"] = hours(
        ends.fillna(changes["performed_at"].max()), frame["performed_at"]
    )
    return frame.groupby([*CASE, *names], observed=True, dropna=False)["hours"].sum()


def reopened_by_hand(changes: pd.DataFrame) -> float:
    frame = begun(changes[changes["field_id"] == "status"])
    closes = (frame["new"] == "closed") & (frame["before"] != "closed")
    opened = closes & beside(frame, "new", -1).notna()
    return float(opened.sum() / closes.sum())


def backward_by_hand(changes: pd.DataFrame) -> pd.DataFrame:
    frame = begun(changes[changes["field_id"] == "status"])
    place = {"open": 0, "waiting": 1, "closed": 2}
    back = frame["before"].map(place) - frame["new"].map(place)
    return frame[back > 0].reset_index(drop=True)


def conformance_by_hand(changes: pd.DataFrame) -> pd.DataFrame:
    frame = begun(changes[changes["field_id"] == "status"])
    is_made = frame["event_type"] == "Case.Created"
    names = {"performed_at": "at", "before": "from_value", "new": "to_value"}
    moves = frame[frame["before"].notna() | is_made].rename(columns=names)
    pairs = moves["from_value"].fillna("") + " " + moves["to_value"]
    follows = {"": ["open"], **FLOW}
    is_wrong = ~pairs.isin({f"{a} {b}" for a, to in follows.items() for b in to})
    moves, pairs = moves[is_wrong], pairs[is_wrong]
    skipped = {}
    for pair in pairs.unique():
        start, _, end = pair.partition(" ")
        skipped[pair] = next(one for one in follows[start] if end in follows[one])
    moves["skipped"] = pairs.map(skipped)
    first = (moves["from_value"] + " → ").fillna("begins with ") + moves["to_value"]
    moves["message"] = first + " is not allowed: " + moves["skipped"] + " left out"
    flags = {
        "is_late": frame["before"].isna() & ~is_made,
        "is_break": frame["before"].notna() & (frame["old"] != frame["before"]),
        "is_unsent": frame["new_kind"].isna(),
    }
    told = frame.assign(**flags).groupby(CASE, observed=True)[[*flags]].any()
    cases = changes[CASE].drop_duplicates().merge(told.reset_index(), "left", on=CASE)
    is_untold = cases["is_late"].isna()
    late, broken, unsent = (cases[n].fillna(False).astype(bool) for n in flags)
    reasons = {
        "the field's history begins after the case did": late,
        "the history has a break": broken & ~late,
        "an event does not tell the value that it sets": unsent,
        "no event tells the field": is_untold,
    }
    none = [
        cases.loc[is_so, CASE].assign(
            verdict="not_checkable", message=reason, n_skipped=0, sequence=-1
        )
        for reason, is_so in reasons.items()
    ]
    found = pd.concat([moves.assign(verdict="not_allowed", n_skipped=1), *none])
    columns = ["verdict", "at", "from_value", "to_value", "n_skipped", "skipped"]
    columns = [*CASE, *columns, "event_id", "actor", "message"]
    return found.sort_values([*CASE, "sequence"])[columns].reset_index(drop=True)


FLOW = {
    "open": ["waiting", "closed", "held"],
    "waiting": ["open", "closed"],
    "closed": ["open"],
    "held": ["open", "waiting"],
}


def with_slas(changes: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A tenth of the cases get an SLA, which half of them meet."""
    cases = changes.drop_duplicates("case_id").iloc[::10]
    due = (cases["performed_at"] + pd.Timedelta("3h")).dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    over = cases["performed_at"] + pd.to_timedelta(np.arange(len(cases)) % 6, unit="h")
    end = over.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    is_met = end <= due
    told = {
        "Created": {
            "name": "answer",
            "fieldId": "status",
            "targetFieldValues": "closed",
            "status": "Active",
            "targetTime": due,
        },
        "Updated": {
            "status": np.where(is_met, "Met", "NotMet"),
            "completionTime": end,
        },
    }
    rows = []
    for n, (verb, values) in enumerate(told.items()):
        for slot, (name, value) in enumerate(values.items()):
            row = cases.assign(
                event_id=cases["event_id"] + verb,
                sequence=100 + n,
                slot=slot,
                event_type=f"RelatedItem.{verb}",
                field_id=f"sla.{name}",
                performed_at=cases["performed_at"] if n == 0 else over,
                new=value,
            )
            rows.append(row.assign(old=None, old_kind=None))
    texts = dict.fromkeys(["field_id", "event_type"], "str")
    all_ = CHANGES.cast(
        pd.concat([changes.astype(texts), *(r.astype(texts) for r in rows)])
    )
    events = all_.drop_duplicates(["case_id", "event_id"])
    kind = events["event_type"].astype("str").str.startswith("RelatedItem.")
    none = dict.fromkeys([c for c in EVENTS.names if c not in events])
    events = events.assign(**{**none, "n_changes": 1})
    events["related_item_type"] = kind.map({True: "Sla", False: None})
    return EVENTS.cast(events), all_


def slas_by_hand(changes: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """All but edits and doubts; one SLA a case, told whole, taken for granted."""
    sla = changes[changes["field_id"].astype("str").str.startswith("sla.")]
    sla = sla.sort_values([*CASE, "sequence", "slot"])
    added = sla[sla["event_type"] == "RelatedItem.Created"]
    how: Any = {"index": CASE, "columns": "field_id", "values": "new", "observed": True}
    wide = sla.pivot_table(**how, aggfunc="last")
    first = added.pivot_table(**how, aggfunc="last")
    wide["first_target_at"] = pd.to_datetime(first["sla.targetTime"], utc=True)
    wide["created_at"] = added.groupby(CASE, observed=True)["performed_at"].first()
    ids = sla.drop_duplicates("event_id").groupby(CASE, observed=True)["event_id"]
    wide["event_id"], wide["event_ids"] = ids.first(), ids.agg(" ".join)
    wide = wide.reset_index().astype(dict.fromkeys(CASE, "str"))
    wide["target_at"] = due = pd.to_datetime(wide["sla.targetTime"], utc=True)
    wide["ended_at"] = end = pd.to_datetime(wide["sla.completionTime"], utc=True)
    is_met = end <= due
    wide["verdict"] = np.where(is_met, "met", "missed")
    wide["met_at"], wide["missed_at"] = end.where(is_met), due.where(~is_met)
    wide["hours_left"] = hours(due, end)
    wide["at"] = end.where(is_met, due).astype("datetime64[us, UTC]")
    for name, field in (("holder", "assigned_user"), ("queue", "assigned_queue")):
        held = changes[changes["field_id"] == field].sort_values("performed_at")
        held = held[[*CASE, "performed_at", "new"]].astype(dict.fromkeys(CASE, "str"))
        wide = pd.merge_asof(
            wide.sort_values("at"),
            held.rename(columns={"new": name}),
            left_on="at",
            right_on="performed_at",
            by=CASE,
            allow_exact_matches=False,
        ).drop(columns="performed_at")
    held = begun(changes[changes["field_id"] == "assigned_user"])
    held["until"] = beside(held, "performed_at", -1)
    held = held[[*CASE, "performed_at", "until", "new"]]
    held = held.astype(dict.fromkeys(CASE, "str")).merge(
        wide[[*CASE, "created_at", "ended_at"]], on=CASE
    )
    is_before, is_over = (
        held["performed_at"] < held["ended_at"],
        held["until"] <= held["created_at"],
    )
    held = held[is_before & ~is_over].groupby(CASE)["new"].nunique()
    wide = wide.merge(held.rename("n_holders").reset_index(), "left", on=CASE)
    names = {
        "sla.name": "name",
        "sla.fieldId": "field_id",
        "sla.targetFieldValues": "target_value",
        "sla.status": "status",
    }
    wide = wide.fillna({"n_holders": 0}).rename(columns=names)
    return wide.drop(columns=["at", "sla.targetTime", "sla.completionTime"])


def all_of(columns: Sequence[str]) -> Callable[[pd.DataFrame], Any]:
    """Return what takes these columns of a frame, to compare them cell by cell."""

    def told(frame: pd.DataFrame) -> Any:
        rows = frame.sort_values([*CASE], kind="stable")[[*columns]]
        return [
            *rows.astype("object").where(rows.notna(), None).itertuples(index=False)
        ]

    return told


MOVES = "verdict at from_value to_value n_skipped skipped event_id actor message"
CONFORMING = all_of(["case_id", *MOVES.split()])
VERDICTS = (
    "event_id name field_id target_value created_at first_target_at target_at ended_at "
    "met_at missed_at hours_left status verdict holder queue n_holders event_ids"
)
LEDGER = all_of(["case_id", *VERDICTS.split()])


PANDAS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "spells": (cn.spells, spells_by_hand),
    "state_at": (cn.state_at, state_by_hand),
    "transitions": (cn.transitions, transitions_by_hand),
    "handoffs": (cn.handoffs, handoffs_by_hand),
    "actor_activity": (cn.actors.actor_activity, activity_by_hand),
}


@pytest.mark.parametrize("name", PANDAS)
def test_on_pandas(name: str, changes: pd.DataFrame) -> None:
    ours, by_hand = PANDAS[name]
    given = events_of(changes) if name == "actor_activity" else changes
    assert len(ours(given)) == len(by_hand(given))
    found = ratio(f"{name}, pandas", lambda: ours(given), lambda: by_hand(given))
    assert found < 1.5


# Of each the function, by hand, and what both tell, which must be equal. By hand nothing
# is known of kinds, merges, several SLAs of a case or their edits.
NEWER: dict[str, tuple[Any, Any, Any, Any]] = {
    "overlap": (
        lambda c, _: cn.overlap(c, "status", "assigned_user"),
        lambda c, _: overlap_by_hand(c),
        lambda ours: ours.dropna(subset=["status", "assigned_user"])["hours"].sum(),
        lambda hand: hand.reset_index().dropna()["hours"].sum(),
    ),
    "rates": (
        lambda c, e: cn.rates(c, events=e),
        lambda c, _: reopened_by_hand(c),
        lambda ours: ours["rate"].iloc[0],
        float,
    ),
    "backward_moves": (
        lambda c, _: cn.rework.backward_moves(c, ["open", "waiting", "closed"]),
        lambda c, _: backward_by_hand(c),
        len,
        len,
    ),
    "conformance": (
        lambda c, _: cn.conformance(c, FLOW),
        lambda c, _: conformance_by_hand(c),
        CONFORMING,
        CONFORMING,
    ),
    "slas": (
        lambda c, e: cn.slas(c, events=e),
        slas_by_hand,
        LEDGER,
        LEDGER,
    ),
}


@pytest.fixture(scope="module")
def with_events(changes: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return with_slas(changes)


@pytest.mark.parametrize("name", NEWER)
def test_newer_ones_on_pandas(
    name: str, with_events: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    ours, by_hand, told, told_by_hand = NEWER[name]
    events, changes = with_events
    found, by = told(ours(changes, events)), told_by_hand(by_hand(changes, events))
    assert found == (pytest.approx(by) if isinstance(by, float) else by)
    times = ratio(
        f"{name}, pandas",
        lambda: ours(changes, events),
        lambda: by_hand(changes, events),
    )
    assert times < 2


SECONDS: dict[str, tuple[Callable[[Any, Any], Any], float]] = {
    "case_summary": (lambda c, e: cn.case_summary(e, changes=c), 1.5),
    "first_times": (lambda c, e: cn.first_times(e, changes=c), 1.5),
    "bursts": (lambda c, _: cn.actors.bursts(c), 1.5),
}


@pytest.mark.parametrize("name", SECONDS)
def test_what_sums_cases_up_takes_seconds(
    name: str, with_events: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    ask, most = SECONDS[name]
    events, changes = with_events
    taken = statistics.median(timed(lambda: ask(changes, events)) for _ in range(3))
    print(f"\n{name}, {N:,} changes: {taken:.2f} s")
    assert taken < most


def spells_by_apply(changes: pd.DataFrame) -> pd.DataFrame:
    def of_one(rows: pd.DataFrame) -> pd.DataFrame:
        rows = rows.sort_values(["sequence", "slot"])
        rows = rows[rows["new"] != rows["new"].shift(1)]
        return rows.assign(end_at=rows["performed_at"].shift(-1))

    return changes.groupby(PART, observed=True).apply(of_one)


def test_beside_apply(changes: pd.DataFrame) -> None:
    few = changes.head(20_000)
    ours = statistics.median(timed(lambda: cn.spells(changes)) for _ in range(3))
    slow = timed(lambda: spells_by_apply(few)) * len(changes) / len(few)
    print(f"\ngroupby.apply, by its first 20,000: {slow / ours:.0f} times slower")
    assert slow / ours > 50


# -------------------------------------------------------------- by hand, in Polars


def begun_in_polars(changes: pl.DataFrame) -> pl.DataFrame:
    frame = changes.sort(*PART, "sequence", "slot")
    frame = frame.with_columns(before=pl.col("new").shift(1).over(PART))
    return frame.filter(pl.col("new").ne_missing(pl.col("before")))


def spells_in_polars(changes: pl.DataFrame) -> pl.DataFrame:
    until = pl.col("performed_at").shift(-1).over(PART)
    frame = begun_in_polars(changes).with_columns(until=until)
    end = pl.col("until").fill_null(changes["performed_at"].max())
    lasted = (end - pl.col("performed_at")).dt.total_microseconds() / 3.6e9
    return frame.select(
        *PART,
        "new",
        "performed_at",
        "event_id",
        "actor",
        end_at=end,
        is_open=pl.col("until").is_null(),
        hours=lasted,
    )


def state_in_polars(changes: pl.DataFrame) -> pl.DataFrame:
    is_last = pl.col("performed_at").shift(-1).over(PART).is_null()
    columns = (*PART, "new", "performed_at", "event_id", "actor")
    return begun_in_polars(changes).filter(is_last).select(*columns)


def held_in_polars(frame: pl.DataFrame) -> pl.DataFrame:
    is_created = pl.col("event_type") == "Case.Created"
    since = pl.col("performed_at").shift(1).over(PART)
    lasted = (pl.col("performed_at") - since).dt.total_microseconds() / 3.6e9
    return frame.with_columns(
        held=lasted, is_back=pl.col("new") == pl.col("before").shift(1).over(PART)
    ).filter(pl.col("before").is_not_null() | ~is_created)


def transitions_in_polars(changes: pl.DataFrame) -> pl.DataFrame:
    frame = begun_in_polars(changes.filter(pl.col("field_id") == "status"))
    frame = held_in_polars(frame).filter(pl.col("before").is_not_null())
    grouped = frame.group_by("before", "new")
    found = grouped.agg(pl.len(), pl.col("case_id").n_unique(), pl.col("held").median())
    return found.sort("before", "new")


def handoffs_in_polars(changes: pl.DataFrame) -> pl.DataFrame:
    frame = begun_in_polars(changes.filter(pl.col("field_id").is_in(HOLDERS)))
    columns = (*PART, "before", "new", "performed_at", "held", "is_back")
    return held_in_polars(frame).select(*columns, "event_id", "actor")


def activity_in_polars(events: pl.DataFrame) -> pl.DataFrame:
    day = pl.col("performed_at").dt.truncate("1d").alias("day")
    grouped = events.group_by("actor", "actor_kind", day)
    found = grouped.agg(
        pl.len(), pl.col("n_changes").sum(), pl.col("case_id").n_unique()
    )
    return found.sort("day", "actor", "actor_kind")


POLARS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "spells": (cn.spells, spells_in_polars),
    "state_at": (cn.state_at, state_in_polars),
    "transitions": (cn.transitions, transitions_in_polars),
    "handoffs": (cn.handoffs, handoffs_in_polars),
    "actor_activity": (cn.actors.actor_activity, activity_in_polars),
}


@pytest.mark.parametrize("name", POLARS)
def test_on_polars(name: str, in_polars: pl.DataFrame) -> None:
    ours, by_hand = POLARS[name]
    given = in_polars
    if name == "actor_activity":
        given = given.with_columns(n_changes=pl.lit(1, pl.Int32))
    assert len(ours(given)) == len(by_hand(given))
    found = ratio(f"{name}, Polars", lambda: ours(given), lambda: by_hand(given))
    assert found < 1.5


# -------------------------------------------------------------- by hand, in DuckDB

# These tell kinds apart and see breaks, as the tables need it.
BEGUN = """
    WITH chained AS (
        SELECT *, lag(new) OVER w AS prior, lag(new_kind) OVER w AS prior_kind,
            row_number() OVER w = 1 AS is_first
        FROM changes WHERE event_type NOT LIKE 'RelatedItem.%' AND field_id IN $fields
        WINDOW w AS (PARTITION BY domain_id, case_id, field_id ORDER BY sequence, slot)
    ), broken AS (
        SELECT *, NOT is_first AND old_kind IS NOT NULL AND prior_kind IS NOT NULL
            AND (old, old_kind) IS DISTINCT FROM (prior, prior_kind) AS is_break,
            CASE WHEN old_kind IS NULL THEN prior ELSE old END AS previous,
            coalesce(old_kind, prior_kind) AS previous_kind
        FROM chained
    ), begun AS (
        SELECT *, lag(performed_at) OVER w AS since, lead(performed_at) OVER w AS until,
            lead(is_break) OVER w AS ends_in_break
        FROM broken WHERE is_first OR is_break
            OR (new, new_kind) IS DISTINCT FROM (prior, prior_kind)
        WINDOW w AS (PARTITION BY domain_id, case_id, field_id ORDER BY sequence, slot)
    ), moved AS (
        SELECT *, epoch_us(performed_at - since) / 3.6e9 AS held FROM begun
        WHERE event_type <> 'Case.Created'
            AND (new, new_kind) IS DISTINCT FROM (previous, previous_kind)
    )
"""
DUCKDB = {
    "spells": """
        SELECT domain_id, case_id, field_id, new_kind, new, performed_at, event_id,
            actor, coalesce(until, newest) AS end_at, until IS NULL AS is_open,
            epoch_us(coalesce(until, newest) - performed_at) / 3.6e9 AS hours,
            NOT coalesce(ends_in_break, false) AS is_known
        FROM begun, (SELECT max(performed_at) AS newest FROM changes)
        ORDER BY domain_id, case_id, field_id, sequence, slot""",
    "state_at": """
        SELECT domain_id, case_id, field_id, new_kind, new, performed_at, event_id, actor
        FROM begun WHERE until IS NULL ORDER BY domain_id, case_id, field_id""",
    "transitions": """
        SELECT field_id, previous_kind, previous, new_kind, new, count(*),
            count(DISTINCT (domain_id, case_id)), median(held)
        FROM moved WHERE previous_kind IS NOT NULL
        GROUP BY ALL ORDER BY previous_kind, previous, new_kind, new""",
    "handoffs": """
        , named AS (
            SELECT *, lag(new) OVER w AS last_name FROM begun WHERE new IS NOT NULL
            WINDOW w AS (PARTITION BY domain_id, case_id, field_id ORDER BY sequence, slot)
        ), turned AS (
            SELECT *, new = lag(new, 2) OVER w AS is_back FROM named
            WHERE new IS DISTINCT FROM last_name
            WINDOW w AS (PARTITION BY domain_id, case_id, field_id ORDER BY sequence, slot)
        ), born AS (
            SELECT domain_id, case_id, min(performed_at) AS born FROM changes
            WHERE event_type = 'Case.Created' GROUP BY ALL
        )
        SELECT domain_id, case_id, field_id, moved.previous, moved.new,
            moved.performed_at, coalesce(is_back, false), moved.event_id, moved.actor,
            coalesce(held, epoch_us(moved.performed_at - born) / 3.6e9)
        FROM moved LEFT JOIN born USING (domain_id, case_id)
            LEFT JOIN turned USING (domain_id, case_id, field_id, sequence, slot)
        ORDER BY domain_id, case_id, field_id, sequence, slot""",
    "actor_activity": """
        SELECT actor, actor_kind, date_trunc('day', performed_at) AS day, count(*),
            sum(1), count(DISTINCT (domain_id, case_id))
        FROM changes GROUP BY ALL ORDER BY day, actor, actor_kind""",
}
FIELDS = {"transitions": ["status"], "handoffs": HOLDERS}


@pytest.mark.parametrize("name", DUCKDB)
def test_on_duckdb(name: str, in_duckdb: duckdb.DuckDBPyConnection) -> None:
    given = in_duckdb.table("changes")
    if name == "actor_activity":
        given = in_duckdb.sql("SELECT *, 1::INTEGER AS n_changes FROM changes")

    def ours() -> Any:
        of = cn.actors if name == "actor_activity" else cn
        return getattr(of, name)(given).to_arrow_table()

    query = BEGUN + DUCKDB[name]
    fields = FIELDS.get(name, ["assigned_user", "priority", "status"])

    def by_hand() -> Any:
        return in_duckdb.execute(query, {"fields": fields}).to_arrow_table()

    assert ours().num_rows == by_hand().num_rows
    # A tenth of a second of ours is planning, which tells only in the quickest.
    most = 1.7 if name == "transitions" else 1.5
    assert ratio(f"{name}, DuckDB", ours, by_hand) < most
