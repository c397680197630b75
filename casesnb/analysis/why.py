"""Why a value changed: who did it, with what, and what came just before."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import narwhals as nw

from casesnb.analysis.actors import attributed
from casesnb.analysis.durations import hours_text
from casesnb.analysis.state import state_at
from casesnb.tables.arguments import moment
from casesnb.tables.field_chain import field_ids_of
from casesnb.tables.frames import (
    as_given,
    as_of_of,
    beside,
    handed_back,
    opened,
    rows_like,
    rows_of,
    up_to,
)
from casesnb.tables.schema import CHANGES, EVENTS, OF_CASE, TEXT, TIME, Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from narwhals.typing import IntoFrameT

    from casesnb.tables.history import History

    Row = dict[str, Any]

WHY = Table(
    "why",
    "One row per thing that stands around one change of a case, in order.",
    (
        *OF_CASE,
        Column(
            "part",
            TEXT,
            "`state`, `before`, `same_instant`, `change`, `same_event` or `by`",
        ),
        Column("at", TIME, "when; of a state, since when; missing if not told"),
        Column("event_id", TEXT, "the event; missing if not told"),
        Column("actor", TEXT, "who; missing if AWS named none"),
        Column("field_id", TEXT, "the field, where one is meant"),
        Column("message", TEXT, "what it was, in words"),
    ),
)

_STATE = ("status", "assigned_user", "assigned_queue")
_SOON = dt.timedelta(minutes=1)
_WIDTH = 60  # characters of a value


def why(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    field_id: str = "status",
    *,
    at: dt.datetime | None = None,
    n_before: int = 3,
    events: IntoFrameT | None = None,
    as_of: dt.datetime | None = None,
) -> IntoFrameT:
    """One row per thing that stands around one change of a case, in order.

    How the case stood, what was done just before, what happened at the same
    instant, the change itself, what its event changed besides, and what is told
    of who did it. That one thing caused another is told by no event; what came
    within a minute before is said to be so.

    Parameters
    ----------
    history : History or DataFrame
        One case: a history, or its changes alone (``schema.CHANGES``), of
        pandas, Polars, DuckDB or PySpark.
    field_id : str, default "status"
        The field that changed.
    at : datetime, optional
        The last change at or before this moment, with its zone; by default the
        newest.
    n_before : int, default 3
        How many events before it are told.
    events : DataFrame, optional
        Beside changes alone, ``schema.EVENTS`` of the same kind.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest change of a frame.

    Returns
    -------
    DataFrame
        The columns of ``schema.WHY``, in the order in which they are read, in
        the kind of frame that was given.

    Raises
    ------
    ValueError
        If there are several cases, or the field did not change by then.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> around = why(history, "status")
    >>> around.loc[around["part"] == "change", "message"].tolist()
    ['status: in_progress → closed, by an agent']
    """
    (field_id,) = field_ids_of(history, [field_id])
    if n_before < 0:
        raise ValueError(f"n_before={n_before}: give 0 or more.")
    as_of = as_of_of(history, as_of)
    changes = opened(history, CHANGES)
    happened = attributed(opened(beside(history, events, EVENTS), EVENTS))
    changes, happened = up_to(as_of, changes, happened)
    done = _sorted(happened)
    if len(several := {(row["domain_id"], row["case_id"]) for row in done}) > 1:
        raise ValueError(
            f"There are {len(several):,} cases. Give one: "
            "history.only(case_ids=[case_id])."
        )
    told = _sorted(changes)
    own = [
        row
        for row in told
        if row["field_id"] == field_id
        and not str(row["event_type"]).startswith("RelatedItem.")
        and (at is None or row["performed_at"] <= moment(at))
    ]
    if not own:
        when = "" if at is None else f" by {moment(at):%Y-%m-%d %H:%M} UTC"
        raise ValueError(
            f"No event{when} changes {field_id}. Give another field_id= or a later at=."
        )
    by_event: dict[str, list[Row]] = {}
    for row in told:
        by_event.setdefault(row["event_id"], []).append(row)
    change = own[-1]
    event = next(row for row in done if row["event_id"] == change["event_id"])
    earlier = changes.filter(nw.col("sequence") < change["sequence"])
    held = {
        row["field_id"]: row for row in rows_of(opened(state_at(earlier.to_native())))
    }
    rows = [*_around(event, change, done, held, by_event, n_before)]
    case = {name: event[name] for name in ("domain_id", "case_id")}
    rows = [{**case, **row} for row in rows]
    found = rows_like(rows, WHY, as_given(history, CHANGES))
    return handed_back(found, history, ("place",), WHY.names)


def _sorted(frame: Any) -> list[Row]:
    rows = rows_of(frame)
    return sorted(rows, key=lambda row: (row["sequence"], row.get("slot", 0)))


def _around(
    event: Row,
    change: Row,
    done: list[Row],
    held: dict[str, Row],
    by_event: dict[str, list[Row]],
    n_before: int,
) -> Iterator[Row]:
    """Yield what stands around a change, in the order in which it is read."""
    at, place = event["performed_at"], event["sequence"]
    for name in dict.fromkeys((*_STATE, change["field_id"])):
        if (state := held.get(name)) is not None:
            since = state["since_at"]
            hours = since and hours_text((at - since).total_seconds() / 3600)
            words = f"{name} was {_text(state['kind'], state['value'])}"
            words += f", for {hours}" if hours else ", since when is not told"
            yield _row("state", state | {"performed_at": since}, words, name)
    is_same = {row["event_id"] for row in done if row["performed_at"] == at}
    before = [
        row
        for row in done
        if row["sequence"] < place and row["event_id"] not in is_same
    ]
    for row in before[-n_before:] if n_before else ():
        pause = at - row["performed_at"]
        ago = hours_text(pause.total_seconds() / 3600)
        if pause < _SOON:
            ago = f"{pause.total_seconds():.0f} s"
        yield _row("before", row, f"{ago} before: {_deed(row, by_event)}")
    for row in done:
        if row["event_id"] in is_same and row["event_id"] != event["event_id"]:
            words = f"at the same instant: {_deed(row, by_event)}"
            yield _row("same_instant", row, words)
    words = f"{_move(change)}, by {_doer(event)}"
    yield _row("change", event, words, change["field_id"])
    for row in by_event[event["event_id"]]:
        if row is not change:
            yield _row("same_event", event, f"with it {_move(row)}", row["field_id"])
    yield _row("by", event, _of_doer(event, before))


def _row(part: str, of: Row, message: str, field_id: str | None = None) -> Row:
    return {
        "part": part,
        "at": of["performed_at"],
        "event_id": of["event_id"],
        "actor": of["actor"],
        "field_id": field_id,
        "message": message,
    }


def _of_doer(event: Row, before: list[Row]) -> str:
    """Tell on what evidence the doer is known, and what may have set it off."""
    words = str(event["evidence"])
    if event["merge_event_id"]:
        words += "; part of a merge of two cases"
    last = before[-1] if before else None
    if event["worker"] == "human" or last is None:
        return words
    pause = event["performed_at"] - last["performed_at"]
    if pause <= _SOON and last["actor"] != event["actor"]:
        words += (
            f"; {_doer(last)} had acted {pause.total_seconds():.0f} s before, which may "
            "have set it off"
        )
    return words


_DOERS = {
    "human": "an agent",
    "automation": "a flow or a rule",
    "api": "a program",
    "unknown": "somebody not named",
}


def _doer(event: Row) -> str:
    return _DOERS.get(event["worker"], "somebody")


def _deed(event: Row, by_event: dict[str, list[Row]]) -> str:
    """Tell an event in words, with the fields that it changed."""
    kind = str(event["event_type"])
    noun, _, verb = kind.partition(".")
    if noun == "RelatedItem":
        what = f"{event['related_item_type'] or 'related item'} {verb.lower()}"
    else:
        moves = [_move(row) for row in by_event.get(event["event_id"], [])[:3]]
        what = "; ".join(moves) or f"case {verb.lower()}"
        if verb == "Created":
            what = "case created"
    return f"{what}, by {_doer(event)}"


def _move(change: Row) -> str:
    new = _text(change["new_kind"], change["new"])
    if not change["old_kind"]:
        return f"{change['field_id']}: {new}"
    return f"{change['field_id']}: {_text(change['old_kind'], change['old'])} → {new}"


def _text(kind: str | None, value: Any) -> str:
    """Tell a value in words."""
    if value is None:
        return "(empty)" if kind else "(not told)"
    text = str(value)
    if kind == "user_arn" or text.startswith("arn:"):
        text = "…/" + text.rpartition("/")[2]
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
