"""How fast the analysis is beside queries written by hand: ratios of medians, one run.

Run with ``make bench``. ``CASESNB_BENCH_CHANGES`` sets the size, one million else.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import casesnb as cn
from casesnb.tables.schema import CHANGES

pytestmark = [pytest.mark.bench, pytest.mark.filterwarnings("default")]

N = int(os.environ.get("CASESNB_BENCH_CHANGES", "1_000_000"))
PART = ["domain_id", "case_id", "field_id"]


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
            "event_type": "Case.Updated",
            "actor": "a",
            "actor_kind": "agent",
            "new_kind": "string",
            "order_known": True,
        }
    )
    before = frame.groupby(PART, observed=True)["new"].shift(1)
    frame["old"] = before
    frame["old_kind"] = before.notna().map({True: "string", False: None})
    return CHANGES.cast(frame)


def median(work: Callable[[], Any], times: int = 3) -> float:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def spells_by_hand(changes: pd.DataFrame) -> pd.DataFrame:
    frame = changes.sort_values([*PART, "sequence", "slot"])
    grouped = frame.groupby(PART, observed=True, sort=False)
    before = grouped["new"].shift(1)
    frame = frame[(frame["new"] != before) | before.isna()]
    ends = frame.groupby(PART, observed=True, sort=False)["performed_at"].shift(-1)
    as_of = changes["performed_at"].max()
    found = frame[[*PART, "new", "performed_at", "event_id", "actor"]].copy()
    found["end_at"] = ends.fillna(as_of)
    found["is_open"] = ends.isna()
    lasted = found["end_at"] - found["performed_at"]
    found["hours"] = lasted.dt.total_seconds() / 3600
    return found.reset_index(drop=True)


def spells_by_apply(changes: pd.DataFrame) -> pd.DataFrame:
    def of_one(rows: pd.DataFrame) -> pd.DataFrame:
        rows = rows.sort_values(["sequence", "slot"])
        rows = rows[rows["new"] != rows["new"].shift(1)]
        return rows.assign(end_at=rows["performed_at"].shift(-1))

    return changes.groupby(PART, observed=True).apply(of_one)


SPELLS_SQL = """
    WITH begun AS (
        SELECT *, lag(new) OVER w AS before, max(performed_at) OVER () AS as_of
        FROM changes WINDOW w AS (PARTITION BY domain_id, case_id, field_id ORDER BY sequence, slot)
    ), kept AS (
        SELECT * FROM begun WHERE new IS DISTINCT FROM before
    )
    SELECT domain_id, case_id, field_id, new, performed_at, event_id, actor,
        coalesce(lead(performed_at) OVER w, as_of) AS end_at,
        lead(performed_at) OVER w IS NULL AS is_open,
        epoch_us(coalesce(lead(performed_at) OVER w, as_of) - performed_at) / 3.6e9
    FROM kept WINDOW w AS (PARTITION BY domain_id, case_id, field_id ORDER BY sequence, slot)
    ORDER BY domain_id, case_id, field_id, sequence, slot
"""


def spells_in_polars(changes: pl.DataFrame) -> pl.DataFrame:
    frame = changes.sort(*PART, "sequence", "slot")
    as_of = changes["performed_at"].max()
    kept = frame.filter(
        pl.col("new").ne_missing(pl.col("new").shift(1).over(PART))
    ).with_columns(until=pl.col("performed_at").shift(-1).over(PART))
    end = pl.col("until").fill_null(as_of)
    hours = (end - pl.col("performed_at")).dt.total_microseconds() / 3.6e9
    return kept.select(
        *PART,
        "new",
        "performed_at",
        "event_id",
        "actor",
        end_at=end,
        is_open=pl.col("until").is_null(),
        hours=hours,
    )


def told(name: str, ours: float, theirs: float) -> float:
    print(f"\n{name}, {N:,} changes: {ours:.2f} s against {theirs:.2f} s", end="")
    print(f" by hand, {ours / theirs:.2f} times")
    return ours / theirs


def test_spells_on_pandas(changes: pd.DataFrame) -> None:
    ours = median(lambda: cn.spells(changes))
    assert len(cn.spells(changes)) >= len(spells_by_hand(changes))
    assert told("spells, pandas", ours, median(lambda: spells_by_hand(changes))) < 12
    few = changes.head(20_000)
    slow = median(lambda: spells_by_apply(few), 1) * len(changes) / len(few)
    print(f"groupby.apply, by its first 20,000: {slow / ours:.0f} times slower")
    assert slow / ours > 50


def test_spells_on_polars(changes: pd.DataFrame) -> None:
    frame = pl.from_pandas(changes).with_columns(pl.col(pl.Categorical).cast(pl.String))
    ours = median(lambda: cn.spells(frame))
    by_hand = median(lambda: spells_in_polars(frame))
    assert told("spells, Polars", ours, by_hand) < 1.5


def test_spells_on_duckdb(changes: pd.DataFrame) -> None:
    frame = pl.from_pandas(changes).with_columns(pl.col(pl.Categorical).cast(pl.String))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        table = frame.to_arrow()
        connection.register("given", table)
        connection.execute("CREATE TABLE changes AS SELECT * FROM given")
        relation = connection.table("changes")
        ours = median(lambda: cn.spells(relation).to_arrow_table())
        by_hand = median(lambda: connection.sql(SPELLS_SQL).to_arrow_table())
        assert told("spells, DuckDB", ours, by_hand) < 4


@pytest.mark.parametrize(
    "name", ["state_at", "transitions", "handoffs", "time_in", "reopens"]
)
def test_the_others_beside_spells_by_hand(changes: pd.DataFrame, name: str) -> None:
    ours = median(lambda: getattr(cn, name)(changes))
    theirs = median(lambda: spells_by_hand(changes))
    assert told(f"{name}, pandas (spells by hand)", ours, theirs) < 16
