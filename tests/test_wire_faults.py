"""No fault of the wire gives less than all called complete, or takes what was kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from wire_faults import (
    ALWAYS,
    ONCE,
    TRIALS,
    WIRE,
    keep_all,
    quick_waits,
    rehearse,
    table,
    trial,
)

from casesnb.sandbox.faults import FAULTS

# One of each kind that has an end of its own, and each way once at least.
SOME = [
    ("dripping", ONCE, "load_history"),
    ("signed_out", ONCE, "load_histories"),
    ("other_json", ALWAYS, "update"),
    ("not_json", ALWAYS, "first_update"),
    ("empty_page", ALWAYS, "recording"),
    ("repeated_token", ALWAYS, "recording"),
    ("expired_token", ONCE, "first_recording"),
]


@pytest.mark.long
def test_a_fault_of_the_wire_takes_nothing_and_adds_nothing(tmp_path: Path) -> None:
    with quick_waits():
        keep_all(tmp_path / "all")
        for number, (fault, often, way) in enumerate(SOME):
            came = trial(fault, often, way, tmp_path / "all", tmp_path / str(number))
            assert came.has_struck, (fault, way)
            assert not came.is_short, (fault, way)
            assert not came.is_lost, (fault, way)
            assert came.seconds < 15, (fault, way)


@pytest.mark.slow
def test_no_fault_in_any_way_takes_anything(tmp_path: Path) -> None:
    outcomes = [*rehearse(tmp_path, 1e9)]
    assert len(outcomes) == len(TRIALS)
    for fault, _, came in outcomes:
        assert came.has_struck, fault
        assert (came.is_short, came.is_lost) == (False, False), (fault, came.said)
    assert table(outcomes).count("| 0 | 0 |\n") == len(WIRE) - 1


def test_each_fault_of_the_wire_is_one_of_the_sandbox() -> None:
    # The others change what an answer says, not whether it comes whole.
    assert {*WIRE} < {*FAULTS}
