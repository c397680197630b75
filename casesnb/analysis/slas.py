"""What became of SLAs: their verdicts, who held the case, and what edits did to them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import narwhals as nw

from casesnb.analysis.sla_ledger import ledger
from casesnb.analysis.spells import spells
from casesnb.tables.frames import (
    as_given,
    beside,
    handed_back,
    opened,
    rows_like,
    rows_of,
    texts_of,
    until_of,
)
from casesnb.tables.schema import (
    BY,
    CHANGES,
    EVENTS,
    OF_CASE,
    TEXT,
    TIME,
    Column,
    Table,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from narwhals.typing import IntoFrameT

    from casesnb.analysis.sla_ledger import Key, Sla
    from casesnb.tables.history import History

_OF_SLA = (
    Column("sla_event_id", TEXT, "the event that added the SLA, as in `slas`"),
    Column("name", TEXT, "the SLA's name; missing if not told"),
)

SLAS = Table(
    "slas",
    "One row per SLA of a case that events tell of.",
    (
        *OF_CASE,
        Column("event_id", TEXT, "the event that added it, or the first that tells it"),
        Column("name", TEXT, "its name; missing if not told"),
        Column("field_id", TEXT, "the field that it waits for"),
        Column("target_value", TEXT, "the value that ends it"),
        Column("created_at", TIME, "when it was added; missing if not told"),
        Column("first_target_at", TIME, "its deadline before any edit that is told"),
        Column("target_at", TIME, "its deadline as it stands"),
        Column("ended_at", TIME, "when its field got the value; missing if not told"),
        Column("met_at", TIME, "that moment, if it was met"),
        Column("missed_at", TIME, "the deadline, if it was missed"),
        Column(
            "hours_left",
            "float64",
            "hours from its end, or `as_of`, to its deadline; below zero if it was over",
        ),
        Column("status", TEXT, "its status as events tell it last, in AWS's words"),
        Column(
            "verdict",
            TEXT,
            "`met`, `missed`, `under way`, `not checkable` or `not told`",
        ),
        Column("verdict_without", TEXT, "the same, had nobody edited it"),
        Column("is_open", "bool", "no event tells its end"),
        Column("n_edits", "int64", "edits of its deadline or its status"),
        Column("n_late_edits", "int64", "of them after the deadline of that moment"),
        Column(
            "holder", TEXT, "the user who held the case when that was decided, if any"
        ),
        Column("queue", TEXT, "the queue that held it then, if any"),
        Column("n_holders", "int64", "users who held the case while it was under way"),
        Column("reason", TEXT, "why it is not checkable or not told"),
        Column("event_ids", TEXT, "the events that show it, a space between two"),
    ),
)

SLA_EDITS = Table(
    "sla_edits",
    "One row per edit of an SLA's deadline or status.",
    (
        *OF_CASE,
        *_OF_SLA,
        Column("edited_at", TIME, "when"),
        Column("old_target_at", TIME, "the deadline before; missing if not told"),
        Column("new_target_at", TIME, "the deadline after"),
        Column(
            "hours_late",
            "float64",
            "hours from the deadline before to the edit; below zero if it came first",
        ),
        Column("verdict_before", TEXT, "what the SLA was until then"),
        Column("verdict_after", TEXT, "what it was by the edit"),
        Column("verdict", TEXT, "what it is, as in `slas`"),
        Column("verdict_without", TEXT, "what it would be without this edit"),
        *BY,
    ),
)

SLA_HOLDERS = Table(
    "sla_holders",
    "One row per stretch of an SLA during which one user, or nobody, held the case.",
    (
        *OF_CASE,
        *_OF_SLA,
        Column("holder", TEXT, "the user; missing for nobody, and if not told"),
        Column("start_at", TIME, "when it was handed to them, or the SLA was added"),
        Column("end_at", TIME, "when they passed it on, or the SLA ended, or `as_of`"),
        Column("hours", "float64", "hours in between"),
        Column("target_at", TIME, "the deadline as it stood at the start"),
        Column("hours_left", "float64", "hours from the start to it"),
        Column("is_last", "bool", "they held the case at the SLA's end, or at `as_of`"),
        Column("is_at_deadline", "bool", "the deadline that stands passed meanwhile"),
        *BY,
    ),
)


def slas(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    *,
    events: IntoFrameT | None = None,
    as_of: dt.datetime | None = None,
) -> IntoFrameT:
    """One row per SLA of a case that events tell of.

    AWS documents neither what the events of SLAs list nor that each change of one
    has an event. What they do not show is ``not told`` where they list nothing,
    and ``not checkable`` where something is missing or fits several SLAs.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    events : DataFrame, optional
        Beside changes alone, ``schema.EVENTS`` of the same kind.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest event of a frame.

    Returns
    -------
    DataFrame
        The columns of ``schema.SLAS``, by case and by when they were added, in
        the kind of frame that was given. An SLA that is not over and past its
        deadline is ``missed`` and ``is_open``.

    See Also
    --------
    sla_edits : Each edit of one, by whom, and what it would be without.
    sla_holders : Who held the case meanwhile, and how much time was left.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> slas(history)[["name", "verdict", "n_holders"]].values.tolist()
    [['Resolve in 72 hours', 'met', 3]]
    """
    given = _given(history, events, as_of)
    return _given_back(ledger_rows(*given), SLAS, given[0], history)


def _given(
    history: Any, events: Any, as_of: dt.datetime | None
) -> tuple[Any, Any, dt.datetime | None]:
    """Return changes and events, each opened once, and up to when they count."""
    changes = as_given(history, CHANGES)
    happened = as_given(beside(history, events, EVENTS), EVENTS)
    return changes, happened, until_of(history, happened, as_of)


def ledger_rows(
    changes: Any, events: Any, as_of: dt.datetime | None
) -> list[dict[str, Any]]:
    """Return the rows of `slas`, with ``closer``: who ended it."""
    found, until = ledger(changes, events, as_of)
    users, queues = _held(changes, ("assigned_user", "assigned_queue"), found, as_of)
    return [_row(sla, until, users, queues) for sla in found]


def _row(sla: Sla, until: dt.datetime, users: Any, queues: Any) -> dict[str, Any]:
    verdict = sla.verdict(until, sla.target)
    over = sla.ended_at if sla.is_over else until
    decided = over
    if verdict == "missed" and sla.target is not None:
        decided = sla.target
    held = [each for each in _stretches(sla, until, users) if each[2] is not None]
    is_told = verdict != "not told"
    return {
        **_case(sla),
        "event_id": sla.event_id,
        "name": sla.name,
        "field_id": sla.field_id,
        "target_value": sla.value,
        "created_at": sla.created_at,
        "first_target_at": sla.first,
        "target_at": sla.target,
        "ended_at": sla.ended_at,
        "met_at": sla.ended_at if verdict == "met" else None,
        "missed_at": sla.target if verdict == "missed" else None,
        "hours_left": _hours(over, sla.target) if is_told else None,
        "status": sla.status,
        "verdict": verdict,
        "verdict_without": sla.without_edits(until),
        "is_open": not sla.is_over,
        "n_edits": len(sla.edits),
        "n_late_edits": sum(each.before == "missed" for each in sla.edits),
        "holder": _holder_at(users, sla.key, decided),
        "queue": _holder_at(queues, sla.key, decided),
        "n_holders": len({each[2] for each in held}),
        "reason": sla.reason,
        "closer": sla.closer,
        "event_ids": " ".join(sla.event_ids),
    }


def sla_edits(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    *,
    events: IntoFrameT | None = None,
    as_of: dt.datetime | None = None,
) -> IntoFrameT:
    """One row per edit of an SLA's deadline or status.

    ``UpdateRelatedItem`` sets how long an SLA may take, counted from when it was
    made, and AWS works the status out again: what was missed may be met then.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    events : DataFrame, optional
        Beside changes alone, ``schema.EVENTS`` of the same kind.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest event of a frame.

    Returns
    -------
    DataFrame
        The columns of ``schema.SLA_EDITS``, by case and time, in the kind of
        frame that was given. Only the last edit of a deadline decides:
        without another one the SLA would be what it is.

    See Also
    --------
    slas : What became of each SLA.

    Examples
    --------
    >>> import casesnb as cn
    >>> rates = cn.sandbox.Rates(sla=1.0, sla_edit=0.9)
    >>> world = cn.sandbox.World(seed=7, cases=12, domains=1, rates=rates)
    >>> domain_id = world.domains[0].domain_id
    >>> client = cn.connect(world)
    >>> history = cn.load_histories(client, domain_id, [*world.case_ids(domain_id)])
    >>> edits = sla_edits(history)
    >>> bool((edits["verdict_before"] != edits["verdict_after"]).any())
    True
    """
    given = _given(history, events, as_of)
    rows = [*_edits_of(*ledger(*given))]
    return _given_back(rows, SLA_EDITS, given[0], history)


def _edits_of(found: Iterable[Sla], until: dt.datetime) -> Iterator[dict[str, Any]]:
    """Yield the edits of SLAs as rows of `SLA_EDITS`."""
    for sla in found:
        for edit in sla.edits:
            verdict = without = sla.verdict(until, sla.target)
            if edit is sla.edits[-1] and verdict not in {"not told", "not checkable"}:
                without = (
                    edit.before
                    if edit.is_of_status
                    else sla.state(until, edit.old_target)
                )
            at = edit.event["performed_at"]
            yield {
                **_case(sla),
                "sla_event_id": sla.event_id,
                "name": sla.name,
                "edited_at": at,
                "old_target_at": edit.old_target,
                "new_target_at": edit.new_target,
                "hours_late": _hours(edit.old_target, at),
                "verdict_before": edit.before,
                "verdict_after": edit.after,
                "verdict": verdict,
                "verdict_without": without,
                "event_id": edit.event["event_id"],
                "actor": edit.event["actor"],
            }


def sla_holders(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    *,
    events: IntoFrameT | None = None,
    as_of: dt.datetime | None = None,
) -> IntoFrameT:
    """One row per stretch of an SLA during which one user, or nobody, held the case.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    events : DataFrame, optional
        Beside changes alone, ``schema.EVENTS`` of the same kind.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest event of a frame.

    Returns
    -------
    DataFrame
        The columns of ``schema.SLA_HOLDERS``, by case, SLA and time, in the kind
        of frame that was given. An SLA of which no event tells when it was
        added has no row.

    See Also
    --------
    slas : What became of each SLA.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> sla_holders(history)["hours_left"].round(1).tolist()
    [72.0, 71.8, 45.2, 44.5, 40.9]
    """
    changes, happened, as_of = _given(history, events, as_of)
    found, until = ledger(changes, happened, as_of)
    (users,) = _held(changes, ("assigned_user",), found, as_of)
    rows = []
    for sla in found:
        stretches = _stretches(sla, until, users)
        for place, (start, end, holder, event_id, actor) in enumerate(stretches):
            target = sla.target_at(start)
            is_last = place == len(stretches) - 1
            # Who passes it on at the deadline itself held it until then, as `slas` says.
            passed = sla.target is not None and (
                start < sla.target < end or (sla.target == end and not is_last)
            )
            rows.append(
                {
                    **_case(sla),
                    "sla_event_id": sla.event_id,
                    "name": sla.name,
                    "holder": holder,
                    "start_at": start,
                    "end_at": end,
                    "hours": _hours(start, end),
                    "target_at": target,
                    "hours_left": _hours(start, target),
                    "is_last": is_last,
                    "is_at_deadline": passed,
                    "event_id": event_id,
                    "actor": actor,
                }
            )
    return _given_back(rows, SLA_HOLDERS, changes, history)


def _case(sla: Sla) -> dict[str, Any]:
    return dict(zip(("domain_id", "case_id"), sla.key, strict=True))


def _hours(start: dt.datetime | None, end: dt.datetime | None) -> float | None:
    if start is None or end is None:
        return None
    return (end - start) / dt.timedelta(hours=1)


def _given_back(
    rows: list[dict[str, Any]],
    table: Table,
    like: Any,
    history: History[IntoFrameT] | IntoFrameT,
) -> IntoFrameT:
    frame = rows_like(rows, table, like)
    return handed_back(frame, history, ("place",), table.names)


# Who held the case: from when, to when, who, and the event and actor that began it.
_Stretch = tuple[dt.datetime, dt.datetime, Any, Any, Any]


def _held(
    changes: Any, fields: Sequence[str], found: Sequence[Sla], as_of: dt.datetime | None
) -> list[dict[Key, list[dict[str, Any]]]]:
    """Return the stretches of fields that say who holds a case, each by case."""
    if not found:
        return [{} for _ in fields]
    of_them = nw.col("case_id").is_in(sorted({sla.key[1] for sla in found}))
    changes = texts_of(changes, "case_id").filter(of_them).to_native()
    columns = (
        "domain_id",
        "case_id",
        "value",
        "start_at",
        "end_at",
        "event_id",
        "actor",
    )
    told: list[dict[Key, list[dict[str, Any]]]] = []
    for name in fields:
        held: dict[Key, list[dict[str, Any]]] = defaultdict(list)
        frame = opened(spells(changes, name, as_of=as_of))
        for row in rows_of(frame.select(*columns)):
            held[row["domain_id"], row["case_id"]].append(row)
        told.append(held)
    return told


def _holder_at(held: Any, key: Key, at: dt.datetime | None) -> Any:
    """Return who held a case just before a moment."""
    if at is None:
        return None
    for row in held.get(key, ()):
        start = row["start_at"]
        if (start is None or start < at) and at <= row["end_at"]:
            return row["value"]
    return None


def _stretches(sla: Sla, until: dt.datetime, held: Any) -> list[_Stretch]:
    """Return who held the case of an SLA, from when it was added until it ended."""
    end = sla.ended_at if sla.is_over else until
    begun = sla.created_at
    if begun is None or end is None or not sla.is_told:
        return []
    parts: list[_Stretch] = []
    for row in held.get(sla.key, ()):
        start, stop = row["start_at"] or begun, min(row["end_at"], end)
        if parts and parts[-1][2] == row["value"] and start < stop and begun < stop:
            first = parts[-1]
            parts[-1] = (first[0], stop, *first[2:])
        elif max(start, begun) < stop:
            told = (row["value"], row["event_id"], row["actor"])
            parts.append((max(start, begun), stop, *told))
    if not parts or begun < parts[0][0]:
        stop = parts[0][0] if parts else end
        if begun < stop:
            parts.insert(0, (begun, stop, None, None, None))
    return parts
