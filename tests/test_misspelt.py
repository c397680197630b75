"""What is misspelt is refused by every function, and never looks like no rows."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
import pytest
from engines import public_functions
from test_spells import MISSING, changes_of, text
from test_untold import events_of

import casesnb as cn

CHANGES = changes_of(
    (0, "status", MISSING, text("open")),
    (1, "8f0c", MISSING, text("gold")),
    (2, "status", text("open"), text("closed")),
    (3, "8f0c", text("gold"), text("silver")),
    (4, "status", text("closed"), text("open")),
)
CHANGES = CHANGES.assign(
    field=CHANGES["field_id"].astype("str").map({"status": "Status", "8f0c": "Tier"})
)
EVENTS = events_of(CHANGES)

Ask = Callable[[Any, Any, str], Any]
ASKED: dict[str, Ask] = {
    "spells": lambda c, e, f: cn.spells(c, f),
    "time_in": lambda c, e, f: cn.time_in(c, f),
    "backlog": lambda c, e, f: cn.backlog(c, field_id=f),
    "overlap": lambda c, e, f: cn.overlap(c, "status", f),
    "transitions": lambda c, e, f: cn.transitions(c, f),
    "variants": lambda c, e, f: cn.variants(c, f),
    "conformance": lambda c, e, f: cn.conformance(c, "gold → silver", field_id=f),
    "time_bounds": lambda c, e, f: cn.trust.time_bounds(c, f),
    "backward_moves": lambda c, e, f: cn.rework.backward_moves(
        c, ["silver", "gold"], field_id=f
    ),
    "tail": lambda c, e, f: cn.rework.tail(c, f, events=e, n_resamples=9),
    "why": lambda c, e, f: cn.why(c, f, events=e),
}
DRAWN: dict[str, Ask] = {
    "plot_changes": lambda c, e, f: cn.plot_changes(c, fields=[f]),
    "plot_transitions": lambda c, e, f: cn.plot_transitions(c, field_id=f),
    "plot_time_in": lambda c, e, f: cn.plot_time_in(c, field_id=f),
    "plot_backlog": lambda c, e, f: cn.plot_backlog(c, field_id=f),
    "plot_handoffs": lambda c, e, f: cn.plot_handoffs(c, f),
    "timeline": lambda c, e, f: cn.timeline(cn.History(e, c), fields=[f]),
}
ENGINES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "lazy Polars": lambda frame: pl.from_pandas(frame).lazy(),
}


def test_every_function_that_takes_a_field_is_asked() -> None:
    taking = {
        name
        for name, there in public_functions()
        if there.__module__.split(".")[1] in {"analysis", "view"}
        and {"field_id", "fields"} & {*inspect.signature(there).parameters}
    }
    assert len(taking) > 12
    assert taking == {*ASKED, *DRAWN}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ASKED)
def test_a_misspelt_field_is_refused_with_the_nearest(name: str, engine: str) -> None:
    frames = [ENGINES[engine](frame) for frame in (CHANGES, EVENTS)]
    for wrong, near in (("staus", "status"), ("Teir", "Tier")):
        with pytest.raises(ValueError, match=f"of a field '{wrong}'. Near it .*{near}"):
            ASKED[name](*frames, wrong)


@pytest.mark.parametrize("name", DRAWN)
def test_no_picture_is_drawn_of_a_misspelt_field(name: str) -> None:
    told = "No change is of a field 'Teir'|field_id='Teir' names no holder"
    with pytest.raises(ValueError, match=told):
        DRAWN[name](CHANGES, EVENTS, "Teir")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ASKED)
def test_a_field_has_a_name_in_every_function(name: str, engine: str) -> None:
    frames = [ENGINES[engine](frame) for frame in (CHANGES, EVENTS)]
    by_name, by_id = (ASKED[name](*frames, asked) for asked in ("Tier", "8f0c"))
    if engine == "lazy Polars":
        by_name, by_id = by_name.collect(), by_id.collect()
    assert by_name.shape[0] > 0
    assert by_name.equals(by_id)
