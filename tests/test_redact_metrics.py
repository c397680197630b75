"""What is counted on a redacted history is what is counted on the original.

Each function's answer on the original, its values put into pseudonyms, is its answer on
what a redacted recording gives, and `redacted` gives the same frames.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import casesnb as cn
from casesnb.wire.redact.redactor import Redactor

KEY = b"k" * 32


def both(world: cn.sandbox.World, folder: Path, **how: Any) -> list[dict[str, Any]]:
    """A world's first domain, as it is and from a redacted recording of it."""
    redaction = cn.Redaction(key=KEY, **how)
    domain_id, case_id = world.showcase
    live = cn.connect(world, record=folder, redact=redaction)
    asked = loaded(live, domain_id, case_id)
    name = Redactor(redaction).replace
    replay = cn.connect(folder)
    ids = name("identifier", domain_id), name("identifier", case_id)
    return [asked, loaded(replay, *ids)]


def loaded(client: Any, domain_id: str, case_id: str) -> dict[str, Any]:
    cases = cn.load_cases(client, domain_id)
    return {
        "history": cn.load_histories(client, domain_id, cases["case_id"]),
        "one": cn.load_history(client, domain_id, case_id),
        "current": cn.load_case_fields(client, domain_id, case_id),
        "cases": cases,
        "items": cn.load_related_items(client, domain_id, case_id),
    }


def pairs(raw: dict[str, Any], kept: dict[str, Any]) -> dict[str, str]:
    """Each text of the original and what stands in its place: they are in one order."""
    found: dict[str, str] = {}
    for name in ("events", "changes"):
        a, b = getattr(raw["history"], name), getattr(kept["history"], name)
        assert len(a) == len(b)
        for column in a.columns:
            if a[column].dtype.name in ("str", "object", "category"):
                texts = a[column].astype("str"), b[column].astype("str")
                assert (texts[0].isna() == texts[1].isna()).all(), column
                for one, other in zip(*(t.dropna() for t in texts), strict=True):
                    other = number_of(other)
                    assert found.setdefault(one, other) == other, (column, one)
    current = kept["current"].set_index("field_id")["value"]
    for field, value in raw["current"].set_index("field_id")["value"].items():
        if pd.notna(value):
            now = number_of(current[found.get(field, field)])
            assert found.setdefault(value, now) == now, field
    assert len(set(found.values())) == len(found)  # what differs goes on differing
    return found


def by_instant(history: cn.History[Any]) -> pd.DataFrame:
    """A thread's changes whose place is that of their instant: in it, ids decide."""

    def key(frame: pd.DataFrame) -> list[pd.Series[Any]]:
        ids = [frame[name].astype("str") for name in ("domain_id", "thread_id")]
        return [*ids, frame["performed_at"]]

    events = cn.threads.thread_events(history)
    changes = cn.threads.thread_changes(history)
    first = events["sequence"].groupby(key(events)).min()
    places = first.reindex(pd.MultiIndex.from_arrays(key(changes)))
    return changes.assign(sequence=places.to_numpy())


MAY_BE_EMPTY = {"bursts", "continuity", "findings", "merges", "reopens"}
# What the frames of an answer are put in order by is an id, and ids sort otherwise.
COUNTED: dict[str, Callable[[dict[str, Any]], pd.DataFrame]] = {
    "spells": lambda d: cn.spells(d["history"]),
    "time_in": lambda d: cn.time_in(d["history"]),
    "backlog": lambda d: cn.backlog(d["history"], freq="1d"),
    "state_at": lambda d: cn.state_at(
        d["history"], as_of=d["history"].events["performed_at"].median()
    ),
    "blame": lambda d: cn.blame(
        d["history"], as_of=d["history"].events["performed_at"].median()
    ),
    "transitions": lambda d: cn.transitions(d["history"]),
    "variants": lambda d: cn.variants(d["history"]),
    "handoffs": lambda d: cn.handoffs(d["history"]),
    "reopens": lambda d: cn.reopens(d["history"]),
    "first_times": lambda d: cn.first_times(d["history"]),
    "case_summary": lambda d: cn.case_summary(d["history"]),
    "durations": lambda d: cn.durations(cn.spells(d["history"], "status")),
    "actor_activity": lambda d: cn.actors.actor_activity(d["history"]),
    "actor_matrix": lambda d: cn.actors.actor_matrix(d["history"]),
    "rhythm": lambda d: cn.actors.rhythm(d["history"]),
    "attribution": lambda d: cn.actors.attribution(d["history"]),
    "work_share": lambda d: cn.actors.work_share(d["history"]),
    "off_hours": lambda d: cn.actors.off_hours(
        d["history"],
        calendar=cn.Calendar(dict.fromkeys(range(1, 6), ("08:00", "18:00"))),
    ),
    "bursts": lambda d: cn.actors.bursts(d["history"], min_cases=2),
    "merges": lambda d: cn.threads.merges(d["history"]),
    "thread_summary": lambda d: cn.threads.thread_summary(d["history"]),
    "thread_changes": lambda d: by_instant(d["history"]),
    "continuity": lambda d: cn.trust.continuity(d["history"]),
    "time_bounds": lambda d: cn.trust.time_bounds(d["history"]),
    "compare_with_current": lambda d: cn.trust.compare_with_current(
        d["one"], d["current"]
    ),
    "findings": lambda d: cn.findings(d["history"]).drop(columns="message"),
}


def number_of(text: str) -> str:
    """A pseudonym without its label, which tells the field that the text stands in."""
    return re.sub(r"^[A-Z][a-z]+ ((?:\d{3}_){3}\d{3})(?: \.+)?$", r"\1", text)


def compared(frame: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """A frame in pseudonyms, its rows in an order that does not depend on them."""

    def named(text: Any) -> Any:
        if pd.isna(text):
            return text
        known = names.get(text)
        if known is None:  # event_ids are several
            known = " ".join(names.get(word, word) for word in text.split(" "))
        return number_of(known)

    out = frame.copy()
    for column in out.columns:
        if out[column].dtype.name in ("str", "object", "category"):
            out[column] = out[column].astype("object").map(named).astype("str")
    rows = out.astype("str").fillna("-").to_numpy().tolist()
    return out.iloc[sorted(range(len(out)), key=rows.__getitem__)].reset_index(
        drop=True
    )


def hold(world: cn.sandbox.World, folder: Path, **how: Any) -> None:
    raw, kept = both(world, folder, **how)
    by_column = cn.redacted(raw["history"], cn.Redaction(key=KEY, **how))
    assert_frame_equal(by_column.events, kept["history"].events)
    assert_frame_equal(by_column.changes, kept["history"].changes)
    names = pairs(raw, kept)
    by = raw["history"].certificate.fetched_at - kept["history"].certificate.fetched_at
    assert bool(by) == ("times" in how)
    for name, count in COUNTED.items():
        one, other = count(raw), count(kept)
        for column in one.columns:
            if str(one[column].dtype).startswith("datetime"):
                one[column] = one[column] - by
        assert len(one) or name in MAY_BE_EMPTY, name
        assert_frame_equal(compared(one, names), compared(other, {}), obj=name)


def test_every_number_is_the_same_after_a_shift_of_times(tmp_path: Path) -> None:
    hold(cn.sandbox.World(seed=5, domains=1, cases=8), tmp_path, times="shift")


@pytest.mark.parametrize(
    "seed",
    [
        *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(20)),
        *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(20, 200)),
    ],
)
def test_every_number_is_the_same_in_200_worlds(seed: int, tmp_path: Path) -> None:
    how = {"times": "shift"} if seed % 2 else {}
    hold(cn.sandbox.World(seed=1000 + seed, domains=1, cases=12), tmp_path, **how)
