"""One value in two spellings: a user as ARN or as text, a time with or without zeros."""

from __future__ import annotations

import duckdb
import pandas as pd
import polars as pl
import pytest
from test_spells import MISSING, changes_of, text

import casesnb as cn
from casesnb.schema import CASE_FIELDS

ANN = "arn:aws:connect:us-east-1:1:instance/i/agent/ann"
BEN = ANN.replace("ann", "ben")


def arn(value: str) -> tuple[str, str]:
    return ("user_arn", value)


MIXED = changes_of(
    (0, "assigned_user", MISSING, arn(ANN)),
    (1, "assigned_user", text(ANN), text(ANN)),
    (2, "assigned_user", arn(ANN), arn(BEN)),
    (5, "assigned_user", text(BEN), text(ANN)),
)


@pytest.mark.parametrize(
    "given",
    [
        MIXED,
        pl.from_pandas(MIXED),
        duckdb.connect().from_arrow(pl.from_pandas(MIXED).to_arrow()),
    ],
    ids=["pandas", "Polars", "DuckDB"],
)
def test_one_user_is_one_user_as_an_arn_or_as_text(given: object) -> None:
    def counted(frame: object) -> int:
        return int(frame.shape[0])  # type: ignore[attr-defined]

    assert counted(cn.trust.continuity(given)) == 0
    assert counted(cn.spells(given)) == 3
    assert counted(cn.handoffs(given)) == 2


@pytest.mark.parametrize(
    ("told", "current", "verdict"),
    [
        ("2026-03-02T09:00:00Z", "2026-03-02T09:00:00.000Z", "match"),
        ("2026-03-02T09:00:00.120Z", "2026-03-02T09:00:00.12+00:00", "match"),
        ("2026-03-02T09:00:00Z", "2026-03-02T09:00:00+00:00", "match"),
        ("2026-03-02T09:00:00Z", "2026-03-02T09:00:00.001Z", "contradicted"),
        ("2026-03-02T09:00:00Z", "2026-03-02T09:00:10Z", "contradicted"),
        ("v1.0Z", "v1Z", "contradicted"),
        ("10Z", "1Z", "contradicted"),
    ],
)
def test_times_are_compared_as_times(told: str, current: str, verdict: str) -> None:
    changes = changes_of((0, "due", MISSING, text(told)))
    state = CASE_FIELDS.cast(
        pd.DataFrame([["d", "c", "due", "string", current]], columns=CASE_FIELDS.names)
    )
    found = cn.trust.compare_with_current(changes, state)
    assert found["verdict"].tolist() == [verdict]
