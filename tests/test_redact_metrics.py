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
from engines import FLOW, analysis_functions
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


TEXTS = ("str", "string", "object", "category")  # "string" is pandas 2


def pairs(raw: dict[str, Any], kept: dict[str, Any]) -> dict[str, str]:
    """Each text of the original and what stands in its place: they are in one order."""
    found: dict[str, str] = {}
    for name in ("events", "changes"):
        a, b = getattr(raw["history"], name), getattr(kept["history"], name)
        assert len(a) == len(b)
        for column in a.columns:
            if a[column].dtype.name in TEXTS:
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


def by_instant(history: cn.History[Any], *, changes: bool) -> pd.DataFrame:
    """A thread's rows whose place is that of their instant: in it, ids decide."""

    def key(frame: pd.DataFrame) -> list[pd.Series[Any]]:
        ids = [frame[name].astype("str") for name in ("domain_id", "thread_id")]
        return [*ids, frame["performed_at"]]

    events = cn.threads.thread_events(history)
    rows = cn.threads.thread_changes(history) if changes else events
    first = events["sequence"].groupby(key(events)).min()
    places = first.reindex(pd.MultiIndex.from_arrays(key(rows)))
    return rows.assign(sequence=places.to_numpy())


def window(d: dict[str, Any]) -> tuple[pd.Timestamp, pd.Timestamp]:
    """The middle half of what happened."""
    at = d["history"].events["performed_at"]
    return at.quantile(0.25, "lower"), at.quantile(0.75, "lower")


def teams(d: dict[str, Any]) -> pd.DataFrame:
    """Users who all change from one team to another in the middle."""
    users = d["history"].events["actor"].dropna().astype("str").unique()
    moved, never = window(d)[0], pd.NaT
    rows = [(user, "a", never, moved) for user in users]
    rows += [(user, "b", moved, never) for user in users]
    names = ["actor", "team", "valid_from_at", "valid_to_at"]
    return pd.DataFrame(rows, columns=names)


def halves(history: cn.History[Any]) -> tuple[cn.History[Any], cn.History[Any]]:
    ids = history.events["case_id"].astype("str").unique()
    return history.only(case_ids=ids[::2]), history.only(case_ids=ids[1::2])


def both_ways(pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs as if each of the two came first by name, which depends on the names."""
    names = {"one": "other", "other": "one", "n_forth": "n_back", "n_back": "n_forth"}
    return pd.concat([pairs, pairs.rename(columns=names)])


def told(compared: cn.cohorts.Comparison) -> pd.DataFrame:
    frame = pd.DataFrame(compared.effects)
    for name in ("p_value", "horizon", "n_shared", "n_straddling"):
        frame[name] = getattr(compared, name)
    return frame.assign(cohorts=str(compared.cohorts))


WORK = cn.Calendar(dict.fromkeys(range(1, 6), ("08:00", "18:00")))
MAY_BE_EMPTY = {
    *(
        "bursts",
        "continuity",
        "findings",
        "merges",
        "reopens",
        "diff",
        "backward_moves",
    ),
    *("slas", "sla_edits", "sla_holders", "tail", "pairs"),
}
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
    "off_hours": lambda d: cn.actors.off_hours(d["history"], calendar=WORK),
    "bursts": lambda d: cn.actors.bursts(d["history"], min_cases=2),
    "merges": lambda d: cn.threads.merges(d["history"]),
    "thread_summary": lambda d: cn.threads.thread_summary(d["history"]),
    "thread_changes": lambda d: by_instant(d["history"], changes=True),
    "continuity": lambda d: cn.trust.continuity(d["history"]),
    "time_bounds": lambda d: cn.trust.time_bounds(d["history"]),
    "compare_with_current": lambda d: cn.trust.compare_with_current(
        d["one"], d["current"]
    ),
    "findings": lambda d: cn.findings(d["history"]).drop(columns="message"),
    "compare_captures": lambda d: cn.trust.compare_captures(
        cn.History(
            d["history"].events.drop(index=[2, 9]),
            d["history"].changes[
                ~d["history"]
                .changes["event_id"]
                .isin(d["history"].events["event_id"].iloc[[2, 9]])
            ],
        ),
        d["history"],
    ),
    "thread_events": lambda d: by_instant(d["history"], changes=False),
    "with_users": lambda d: cn.actors.with_users(d["history"].events, teams(d)),
    "survival": lambda d: cn.survival(cn.spells(d["history"], "status")),
    "between": lambda d: cn.between(cn.spells(d["history"]), window=window(d)),
    "under_way": lambda d: cn.under_way(
        cn.spells(d["history"], "status"), window=window(d), freq="1d"
    ),
    "overlap": lambda d: cn.overlap(
        d["history"], "status", "assigned_queue", window=window(d)
    ),
    "overlap by team": lambda d: cn.overlap(
        d["history"], "status", "team", users=teams(d)
    ),
    "outcomes": lambda d: cn.outcomes(d["history"]),
    "outcomes of a flow": lambda d: cn.outcomes(d["history"], "conforming", flow=FLOW),
    **{
        f"rates: {measure}": lambda d, measure=measure: cn.rates(d["history"], measure)
        for measure in ("reopened", "touchless", "holders", "sla_met")
    },
    "rates by queue": lambda d: cn.rates(d["history"], by=["queue"]),
    "slas": lambda d: cn.slas(d["history"]),
    "sla_edits": lambda d: cn.sla_edits(d["history"]),
    "sla_holders": lambda d: cn.sla_holders(d["history"]),
    "conformance": lambda d: cn.conformance(d["history"], FLOW),
    "with_working_hours": lambda d: cn.with_working_hours(
        cn.case_summary(d["history"]), WORK, start="created_at", end="first_touch_at"
    ),
    "diff": lambda d: cn.diff(d["history"], start=window(d)[0], end=window(d)[1]),
    "state_table": lambda d: (
        cn.state_table(d["history"]).astype("str").melt(["domain_id", "case_id"])
    ),
    "triage": lambda d: cn.triage(d["history"], top=100).drop(
        columns=["rank", "reasons", "event_ids"]
    ),
    "why": lambda d: cn.why(d["one"]).drop(columns="message"),
    "backward_moves": lambda d: cn.rework.backward_moves(
        d["history"], ["open", "in_progress", "escalated", "closed"]
    ),
    "effort": lambda d: cn.rework.effort(d["history"], calendar=WORK),
    "pairs": lambda d: both_ways(cn.rework.pairs(d["history"])),
    "tail": lambda d: cn.rework.tail(d["history"], n_resamples=20),
    "compare": lambda d: told(cn.compare(*halves(d["history"]), n_resamples=50)),
    "compare rates": lambda d: told(cn.compare(*halves(d["history"]), "reopened")),
    "compare_before_after": lambda d: told(
        cn.cohorts.compare_before_after(d["history"], at=window(d)[0], n_resamples=50)
    ),
}


NO_HISTORY = {"rule"}  # it makes a rule


def test_every_function_of_the_analysis_is_counted() -> None:
    functions = analysis_functions()
    asked = {re.split("[: ]", name)[0] for name in COUNTED}
    assert functions - asked == NO_HISTORY


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
        if out[column].dtype.name in TEXTS:
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


@pytest.mark.long
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
