"""What things of a case are called where people read them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from casesnb.analysis.actors import WORKERS
from casesnb.analysis.durations import (
    hours_text as hours_text,  # noqa: PLC0414 - told on
)
from casesnb.tables.certificate import counted as counted  # noqa: PLC0414 - told on
from casesnb.tables.frames import is_history
from casesnb.tables.names import tail as tail  # noqa: PLC0414 - told on from here

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from casesnb.tables.certificate import Certificate

_ARN = re.compile(r"arn:[\w-]*:[^\s()\[\],;]+")

KIND_LABELS = {
    "agent": "agent",
    "custom": "custom entity",
    "service": "service",
    "role": "API role",
    "unknown": "unknown",
}
"""What each kind of actor is called, in the order of a legend."""


# Not those of the machine's language: the same data give the same page everywhere.
MONTHS = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def day_text(moment: dt.datetime) -> str:
    """Return a day and its name."""
    return f"{moment:%Y-%m-%d} {_DAYS[moment.weekday()]}"


def percents(counts: Sequence[int], whole: int = 100) -> list[int]:
    """Return counts as parts of a hundred that add up to it."""
    total = sum(counts)
    if not total:
        return [0] * len(counts)
    parts, lost = zip(*(divmod(whole * n, total) for n in counts), strict=True)
    by_loss = sorted(range(len(parts)), key=lambda i: (-lost[i], -counts[i]))
    more = by_loss[: whole - sum(parts)]
    return [part + (place in more) for place, part in enumerate(parts)]


def work_percents(events: pd.DataFrame) -> dict[str, int]:
    """Return each kind of work's share of the events, in per cent that add up."""
    kinds = events["actor_kind"].astype(object).map(WORKERS).fillna("unknown")
    counts = kinds.value_counts().sort_index()
    return dict(zip(counts.index, percents(counts.tolist()), strict=True))


def standing(subject: object) -> str:
    """Say in a few words how complete a history is; a bare frame claims nothing."""
    if not is_history(subject):
        return "not certified"
    found: Certificate = subject.certificate  # type: ignore[attr-defined]
    return found.standing


def whose(frame: pd.DataFrame, otherwise: str) -> str:
    """Return whose events or changes a frame holds, for a title."""
    n = frame["case_id"].nunique()
    if n == 1:
        return f"case {tail(str(frame['case_id'].iloc[0]))}"
    return f"{n:,} cases" if n else otherwise


def is_missing(value: Any) -> bool:
    """Say whether a cell of a frame holds nothing."""
    return value is None or bool(value != value)


def field_names(changes: pd.DataFrame) -> dict[str, str]:
    """Return what to call each field of a frame."""
    once = changes.drop_duplicates("field_id")
    ids = once["field_id"].astype(object)
    names = once["field"].astype(object) if "field" in once else ids
    return {
        field_id: tail(field_id if is_missing(name) else str(name))
        for field_id, name in zip(ids, names, strict=True)
    }


def value_names(changes: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return what to call the values that have a label."""
    names: dict[tuple[str, str], str] = {}
    for value, label in (("old", "old_label"), ("new", "new_label")):
        if label in changes:
            once = changes.dropna(subset=[value, label])
            once = once.drop_duplicates(["field_id", value])
            rows = zip(once["field_id"], once[value], once[label], strict=True)
            names |= {(field_id, text): str(name) for field_id, text, name in rows}
    return names


def value_name(names: Mapping[tuple[str, str], str], field_id: str, value: Any) -> str:
    """Return what to call a value that is not missing."""
    return tail(names.get((field_id, value)) or str(value))


def actor_names(frame: pd.DataFrame) -> dict[str, str]:
    """Return what to call each actor of a frame."""
    once = frame.dropna(subset=["actor"]).drop_duplicates("actor")
    ids = once["actor"].astype(object)
    names = once["actor_name"].astype(object) if "actor_name" in once else ids
    return {
        actor: tail(actor if is_missing(name) else str(name))
        for actor, name in zip(ids, names, strict=True)
    }


def called(text: str, names: Mapping[str, str]) -> str:
    """Return a sentence in which people are called by name, not by ARN."""
    return _ARN.sub(lambda arn: names.get(arn[0]) or tail(arn[0]), text)
