"""Rows find their chains whatever their ids are made of."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import pandas as pd
import polars as pl
import pytest
from engines import assert_same, rows
from test_spells import changes_of, text

import casesnb as cn
from casesnb.tables import arrow
from casesnb.tables.field_chain import chains
from casesnb.tables.schema import CHAIN, TEXT_TYPE


def changes() -> pd.DataFrame:
    """Three cases, told last first, and a change of no field."""
    open_, held, closed = (text(value) for value in ("open", "held", "closed"))
    told = [
        changes_of(
            (0, "status", (None, None), open_),
            (1, "priority", (None, None), held),
            (2, "status", open_, closed),
            (3, "status", held, closed),
            case_id=case_id,
        )
        for case_id in ("c", "a", "b")
    ]
    frame = pd.concat(told, ignore_index=True)
    frame["field_id"] = frame["field_id"].astype("str")
    return frame


def in_appearance(values: pd.Series[Any]) -> pd.Series[Any]:
    """Categories in the order in which they come, not in that of their letters."""
    return values.astype(pd.CategoricalDtype(values.dropna().unique()))


FORMS = {
    "texts": lambda f: f.astype(
        dict.fromkeys(f.select_dtypes("category").columns, TEXT_TYPE)
    ),
    "objects": lambda f: f.astype(dict.fromkeys(CHAIN, object)),
    "categories out of order": lambda f: f.assign(
        **{name: in_appearance(f[name].astype("str")) for name in CHAIN}
    ),
    "kinds of two types": lambda f: f.assign(new_kind=f["new_kind"].astype("str")),
    "rows with names": lambda f: f.set_index("event_id", drop=False),
    "rows upside down": lambda f: f.iloc[::-1],
    "rows numbered alike": lambda f: f.set_axis([0] * len(f)),
    "Polars": pl.from_pandas,
}


@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_the_ids_does_not_matter(form: str) -> None:
    frame = changes()
    for ask in (cn.spells, cn.state_at, cn.transitions, cn.trust.continuity):
        assert_same(ask(FORMS[form](frame)), rows(ask(frame)))


def test_chains_come_by_letter() -> None:
    found = cn.spells(changes())
    keys = found[[*CHAIN]].drop_duplicates()
    assert keys["case_id"].tolist() == ["a", "a", "b", "b", "c", "c"]
    assert keys["field_id"].tolist() == ["priority", "status"] * 3


def test_more_places_than_a_number_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = changes().sample(frac=1, random_state=1)
    expected = rows(cn.spells(frame))
    asked = []
    monkeypatch.setattr(
        arrow.math, "prod", lambda counts: asked.append([*counts]) or 2**63
    )
    assert_same(cn.spells(frame), expected)
    assert asked


def test_no_rows_have_no_chains() -> None:
    for name in ("spells", "state_at", "transitions", "handoffs", "reopens"):
        assert len(getattr(cn, name)(changes().head(0))) == 0


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.from_pandas])
def test_a_filter_drops_what_is_not_sure(kind: Any) -> None:
    linked = chains(kind(changes()))
    assert len(linked.filter(nw.col("place") > 0).frame) == len(linked.frame)
    some = linked.filter(nw.col("old_kind") == "string", nw.col("place") > 0)
    assert some.frame["old_kind"].to_list() == ["string"] * 6
    less = linked.filter(nw.col("place") > 0, without=("old", "old_kind"))
    assert set(linked.frame.columns) - set(less.frame.columns) == {"old", "old_kind"}
