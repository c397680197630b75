"""What a report is about, in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from casesnb.view.report.names import people_of
from casesnb.view.text import shortened
from casesnb.view.wording import (
    MONTHS,
    counted,
    is_missing,
    tail,
    value_name,
    value_names,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

_TIMES = {1: "once", 2: "twice"}


def headline(
    events: pd.DataFrame,
    changes: pd.DataFrame,
    now: pd.DataFrame,
    numbers: Mapping[str, Any],
    n_found: int,
) -> str:
    """Say of one case what it is about, how it stands and what was found."""
    case_id = str(events["case_id"].iloc[0])
    held = {row["field_id"]: row for row in now.to_dict("records")}
    parts = [f"Case {shortened(tail(case_id), 60)}"]
    if "title" in held and not is_missing(held["title"]["value"]):
        parts = [shortened(held["title"]["value"], 120)]
    status = held.get("status")
    if status is not None and not is_missing(status["value"]):
        parts.append(_standing(status, events, changes, held, numbers))
    if n := int(numbers["n_reopens"]):
        parts.append(f"reopened {_TIMES.get(n, f'{n:,} times')}")
    return f"{', '.join(parts)}; {_found(n_found)}"


def headline_of_many(numbers: pd.DataFrame, n_found: int) -> str:
    """Say of several cases how many there are, how they stand and what was found."""
    n_closed = int(numbers["is_closed"].sum())
    n_open = len(numbers) - n_closed
    return (
        f"{counted(len(numbers), 'case')}: {n_closed:,} closed, {n_open:,} not; "
        f"{_found(n_found)}"
    )


def _standing(
    status: Mapping[Any, Any],
    events: pd.DataFrame,
    changes: pd.DataFrame,
    held: Mapping[str, Mapping[Any, Any]],
    numbers: Mapping[str, Any],
) -> str:
    values, people = value_names(changes), people_of(events, changes)
    since = status["start_at"]
    if numbers["is_closed"]:
        words = ["closed"]
        if not is_missing(since):
            words.append(f"on {since.day} {MONTHS[since.month - 1]} {since.year}")
            words.append(f"by {_closer(status['event_id'], events, people)}")
        if not is_missing(numbers["age_hours"]):
            words.append(f"after {_for(numbers['age_hours'])}")
        return " ".join(words)
    words = [shortened(value_name(values, "status", status["value"]), 40)]
    if not is_missing(status["hours"]):
        words.append(f"for {_for(status['hours'])}")
    if "assigned_user" in held:
        user = held["assigned_user"]["value"]
        holder = "nobody" if is_missing(user) else people.get(user)
        holder = holder or value_name(values, "assigned_user", user)
        words[-1] += f", held by {shortened(holder, 60)}"
    return " ".join(words)


def _closer(event_id: Any, events: pd.DataFrame, people: Mapping[str, str]) -> str:
    (event,) = events[events["event_id"] == event_id].to_dict("records")
    if not is_missing(event["merge_event_id"]):
        return "a merge"
    if is_missing(event["actor"]):
        return "somebody not named"
    return shortened(people[event["actor"]], 60)


def _for(hours: float) -> str:
    """Return a length of time as one says it."""
    units: Sequence[tuple[float, float, str]] = (
        (1, 1 / 60, "minute"),
        (48, 1, "hour"),
        (float("inf"), 24, "day"),
    )
    unit, noun = next((unit, noun) for below, unit, noun in units if hours < below)
    return counted(round(hours / unit), noun)


def _found(n: int) -> str:
    return f"{counted(n, 'finding')}" if n else "no finding"
