"""The ledger of SLAs: deadlines, ends, who held the case, and what edits did to them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import narwhals as nw

from casesnb.analysis.spells import spells
from casesnb.tables.field_chain import is_creation, is_of_case
from casesnb.tables.frames import (
    as_given,
    as_of_of,
    beside,
    handed_back,
    opened,
    rows_like,
    texts,
    texts_of,
    up_to,
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
from casesnb.tables.values import utc_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from narwhals.typing import IntoFrameT

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

VERDICTS = ("met", "missed", "under way", "not checkable", "not told")
"""What became of an SLA."""

_FIELDS = (
    *("name", "status", "fieldId", "targetFieldValues", "targetTime"),
    "completionTime",
)
_ENDS = {"met": "met", "notmet": "missed"}
_KNOWN = {"active", "overdue", *_ENDS}

_NO_FIELDS = "the event that added it lists no deadline"
_NO_START = "no event tells that it was added"
_UNTOLD = "an event about an SLA of this case does not tell which, or what it did"
_UNDATED = "its end is told, but neither its status nor its deadline"
_ODD = "its status is told as one that AWS does not document"
_CONTRARY = "its status contradicts its deadline and its end"
_NO_END = "its field got the value, but no event tells that it ended"

Key = tuple[Any, Any]
Told = dict[str, tuple[str | None, str | None]]


@dataclass(slots=True)
class _Edit:
    """An edit of an SLA."""

    event: Mapping[str, Any]
    old_target: dt.datetime | None
    new_target: dt.datetime | None
    before: str  # verdicts at that moment
    after: str

    @property
    def is_of_status(self) -> bool:
        """Whether it left the deadline as it was."""
        return self.old_target == self.new_target


@dataclass(slots=True)
class Sla:
    """An SLA of a case, as far as events tell it."""

    key: Key
    event_id: str
    created_at: dt.datetime | None = None
    name: str | None = None
    field_id: str | None = None
    value: str | None = None
    first: dt.datetime | None = None  # the deadline at first, and as it stands
    target: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    is_over: bool = False
    status: str | None = None
    first_end: str | None = None  # the status that AWS gave it when it ended
    closer: str | None = None
    edits: list[_Edit] = field(default_factory=list)
    event_ids: list[str] = field(default_factory=list)
    reason: str | None = None
    is_doubtful: bool = False  # an edit may be there that is not told

    def state(self, at: dt.datetime, target: dt.datetime | None) -> str:
        """Return what it is at a moment, with a deadline, as AWS works it out."""
        until = self.ended_at if self.is_over else at
        if target is None or until is None:
            return "not checkable"
        if until <= target:
            return "met" if self.is_over else "under way"
        return "missed"

    def is_met_by_edit(self, at: dt.datetime) -> bool:
        """Return whether it is met, and would have been missed without an edit."""
        verdict = self.verdict(at, self.target)
        return verdict == "met" and self.without_edits(at) == "missed"

    def without_edits(self, at: dt.datetime) -> str:
        """Return what became of it, had nobody edited it."""
        verdict = self.verdict(at, self.target)
        if not self.edits or verdict in {"not told", "not checkable"}:
            return verdict
        if self.first is not None:
            return self.state(at, self.first)
        return _ENDS.get((self.first_end or "").lower(), "not checkable")

    def verdict(self, at: dt.datetime, target: dt.datetime | None) -> str:
        """Return what became of it, with a deadline."""
        if self.reason is not None:
            return (
                "not told"
                if self.reason in (_NO_FIELDS, _NO_START)
                else "not checkable"
            )
        told = _ENDS.get((self.status or "").lower())
        # AWS tells how it ended, though not what its deadline was, or against it.
        if told is not None and (target is None or self.is_by_status):
            return told
        return self.state(at, target)

    @property
    def is_by_status(self) -> bool:
        """Whether its status was edited last, and not its deadline."""
        return bool(self.edits) and self.edits[-1].is_of_status


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
    return _given_back(ledger_rows(history, events, as_of), SLAS, history)


def ledger_rows(
    history: Any, events: Any, as_of: dt.datetime | None
) -> list[dict[str, Any]]:
    """Return the rows of `slas`, with ``closer``: who ended it."""
    found, until = ledger(history, events, as_of)
    users, queues = (
        _held(history, name, found, as_of)
        for name in ("assigned_user", "assigned_queue")
    )
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
    found, until = ledger(history, events, as_of)
    return _given_back([*edits_of(found, until)], SLA_EDITS, history)


def edits_of(found: Iterable[Sla], until: dt.datetime) -> Iterator[dict[str, Any]]:
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
    found, until = ledger(history, events, as_of)
    users = _held(history, "assigned_user", found, as_of)
    rows = []
    for sla in found:
        stretches = _stretches(sla, until, users)
        for place, (start, end, holder, event_id, actor) in enumerate(stretches):
            target = _target_at(sla, start)
            is_last = place == len(stretches) - 1
            passed = sla.target is not None and start < sla.target
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
                    "is_at_deadline": passed and bool(sla.target < end),  # type: ignore[operator]
                    "event_id": event_id,
                    "actor": actor,
                }
            )
    return _given_back(rows, SLA_HOLDERS, history)


def _target_at(sla: Sla, at: dt.datetime) -> dt.datetime | None:
    """Return an SLA's deadline as it stood at a moment."""
    target = sla.first
    for edit in sla.edits:
        if edit.event["performed_at"] <= at:
            target = edit.new_target
    return target


def _case(sla: Sla) -> dict[str, Any]:
    return dict(zip(("domain_id", "case_id"), sla.key, strict=True))


def _hours(start: dt.datetime | None, end: dt.datetime | None) -> float | None:
    if start is None or end is None:
        return None
    return (end - start) / dt.timedelta(hours=1)


def _given_back(
    rows: list[dict[str, Any]],
    table: Table,
    history: History[IntoFrameT] | IntoFrameT,
) -> IntoFrameT:
    frame = rows_like(rows, table, as_given(history, CHANGES))
    return handed_back(frame, history, ("place",), table.names)


# Who held the case: from when, to when, who, and the event and actor that began it.
_Stretch = tuple[dt.datetime, dt.datetime, Any, Any, Any]


def _held(
    history: Any, name: str, found: Sequence[Sla], as_of: dt.datetime | None
) -> dict[Key, list[dict[str, Any]]]:
    """Return the stretches of a field that says who holds a case, by case."""
    wanted = {sla.key for sla in found}
    if not wanted:
        return {}
    frame = opened(spells(history, name, as_of=as_of))
    frame = frame.filter(nw.col("case_id").is_in(sorted({key[1] for key in wanted})))
    columns = (
        "domain_id",
        "case_id",
        "value",
        "start_at",
        "end_at",
        "event_id",
        "actor",
    )
    held: dict[Key, list[dict[str, Any]]] = defaultdict(list)
    for row in _rows(frame.select(*columns)):
        key = (row["domain_id"], row["case_id"])
        if key in wanted:
            held[key].append(row)
    return held


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
    if begun is None or end is None or sla.reason in (_NO_FIELDS, _NO_START):
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


# ------------------------------------------------------------- from events to SLAs


def ledger(
    history: Any, events: Any, as_of: dt.datetime | None
) -> tuple[list[Sla], dt.datetime]:
    """Return the SLAs that events tell of, and the moment up to which they count."""
    as_of = as_of_of(history, as_of)
    changes = as_given(history, CHANGES)
    happened = as_given(beside(history, events, EVENTS), EVENTS)
    happened, changes = up_to(as_of, happened, changes)
    about = texts_of(happened, "related_item_type")
    about = about.filter((nw.col("related_item_type") == "Sla").fill_null(False))
    columns = ("domain_id", "case_id", "event_id", "sequence", "performed_at")
    about = _rows(texts(about.select(*columns, "event_type", "actor")))
    if not about:
        return [], dt.datetime.min.replace(tzinfo=dt.UTC)
    until: Any = as_of
    if until is None:
        (last,) = _rows(happened.select(at=nw.col("performed_at").max()))
        until = last["at"]
    told = _told(changes)
    by_case: dict[Key, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(about, key=lambda row: row["sequence"]):
        by_case[row["domain_id"], row["case_id"]].append(row)
    books = [
        _Book(key, [(row, told.get((*key, row["event_id"]), {})) for row in rows])
        for key, rows in sorted(by_case.items(), key=str)
    ]
    waited = {sla.field_id for book in books for sla in book.slas} - {None}
    values = {sla.value for book in books for sla in book.slas} - {None}
    of_them = nw.col("case_id").is_in(sorted({key[1] for key in by_case}))
    got = _got(changes, waited, values, of_them)
    begun = _begun(happened, of_them)
    for book in books:
        book.follow(got.get(book.key, {}), is_whole=book.key in begun)
    return [sla for book in books for sla in book.slas], until


def _told(changes: Any) -> dict[tuple[Any, Any, Any], Told]:
    """Return what each event about an SLA lists, by its case and its id."""
    is_sla = [nw.col("field_id") == f"sla.{name}" for name in _FIELDS]
    rows = changes.filter(nw.any_horizontal(*is_sla, ignore_nulls=True))
    columns = ("domain_id", "case_id", "event_id", "field_id", "old", "new")
    told: dict[tuple[Any, Any, Any], Told] = defaultdict(dict)
    for row in _rows(texts(rows.select(*columns))):
        domain_id, case_id, event_id, field_id, old, new = row.values()
        told[domain_id, case_id, event_id][field_id[4:]] = (old, new)
    return told


def _got(
    changes: Any, fields: set[Any], values: set[Any], of_them: nw.Expr
) -> dict[Key, dict[tuple[Any, Any], list[dt.datetime]]]:
    """Return when a case's fields got values that SLAs wait for."""
    got: dict[Key, dict[tuple[Any, Any], list[dt.datetime]]] = {}
    if not fields:
        return got
    asked = [nw.col("field_id") == name for name in sorted(fields)]
    rows = changes.filter(nw.any_horizontal(*asked, ignore_nulls=True)).select(
        "domain_id", "case_id", "field_id", "new", "performed_at", "event_type"
    )
    is_waited_for = nw.col("new").is_in(sorted(values))
    for row in _rows(texts(rows).filter(is_of_case(), is_waited_for, of_them)):
        domain_id, case_id, name, value, at, _ = row.values()
        of_case = got.setdefault((domain_id, case_id), {})
        of_case.setdefault((name, value), []).append(at)
    return got


def _begun(happened: Any, of_them: nw.Expr) -> set[Key]:
    """Return the cases whose creation is told."""
    made = texts(happened.filter(is_creation()).select("domain_id", "case_id"))
    return {(*row.values(),) for row in _rows(made.filter(of_them))}


def _rows(frame: Any) -> list[dict[str, Any]]:
    """Return a frame's rows as dictionaries, quickly."""
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect("pyarrow")
    table = frame.to_arrow()
    lists = [
        [each and each.replace(tzinfo=dt.UTC) for each in values]
        if str(column.type).startswith("timestamp")
        else values
        for column in table.columns
        for values in [column.to_pylist()]
    ]
    names = table.column_names
    return [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]


def _moment(text: str | None) -> dt.datetime | None:
    """Return a told time; None if there is none, or it is none."""
    if text is None:
        return None
    try:
        return dt.datetime.fromisoformat(utc_text(text))
    except (ValueError, TypeError, OverflowError):
        return None


class _Book:
    """The SLAs of one case, followed event by event."""

    def __init__(self, key: Key, events: list[tuple[dict[str, Any], Told]]) -> None:
        self.key = key
        self.slas: list[Sla] = []
        self.updates: list[tuple[dict[str, Any], Told]] = []
        self.set_at: set[dt.datetime] = set()  # when a field got a waited-for value
        for event, told in events:
            if event["event_type"] == "RelatedItem.Created":
                self._add(event, told)
            else:
                self.updates.append((event, told))

    def _add(self, event: dict[str, Any], told: Told) -> None:
        def new(name: str) -> str | None:
            return told.get(name, (None, None))[1]

        sla = Sla(
            self.key,
            event["event_id"],
            event["performed_at"],
            new("name"),
            new("fieldId"),
            new("targetFieldValues"),
            first=_moment(new("targetTime")),
            status=new("status"),
            event_ids=[event["event_id"]],
        )
        sla.target = sla.first
        self.slas.append(sla)

    def follow(
        self, got: dict[tuple[Any, Any], list[dt.datetime]], *, is_whole: bool
    ) -> None:
        """Take each update for the SLA that it is of, and say what is in doubt."""
        self.set_at = {at for times in got.values() for at in times}
        waiting = self.updates
        while waiting:
            left = [each for each in waiting if not self._take(*each, got, is_whole)]
            if len(left) == len(waiting):
                # The first of an SLA that no event adds, or one that fits nothing.
                event, told = left.pop(0)
                self._take_alone(event, told)
            waiting = left
        for sla in self.slas:
            sla.reason = sla.reason or self._doubt(sla, got)

    def _doubt(self, sla: Sla, got: Mapping[tuple[Any, Any], list[dt.datetime]]) -> Any:
        status = (sla.status or "").lower()
        if sla.created_at is None:
            return _NO_START
        if sla.first is None and status not in _ENDS:
            return _NO_FIELDS
        if sla.is_doubtful:
            return _UNTOLD
        if sla.status is not None and status not in _KNOWN:
            return _ODD
        if sla.is_over:
            if sla.ended_at is None and status not in _ENDS:
                return _UNDATED
            if sla.target is not None and status in _ENDS and sla.ended_at is not None:
                worked_out = sla.state(sla.ended_at, sla.target)
                if worked_out != _ENDS[status] and not sla.is_by_status:
                    return _CONTRARY
            return None
        times = got.get((sla.field_id, sla.value), ())
        if any(at > sla.created_at for at in times):
            return _NO_END
        return None

    def _take(
        self,
        event: dict[str, Any],
        told: Told,
        got: Mapping[tuple[Any, Any], list[dt.datetime]],
        is_whole: bool,
    ) -> bool:
        """Take an update for the one SLA that it can be of."""
        at = event["performed_at"]
        started = [s for s in self.slas if s.created_at is None or s.created_at <= at]
        if "targetTime" in told:
            old = _moment(told["targetTime"][0])
            fits = [s for s in started if s.target is not None and s.target == old]
            if old is None and is_whole and len(self.slas) == 1:
                fits = started
            if len(fits) > 1 and (status := told.get("status", (None, None))[0]):
                same = [s for s in fits if (s.status or "").lower() == status.lower()]
                fits = same or fits
        elif "completionTime" in told:
            end = _moment(told["completionTime"][1])
            set_then = {name for name, times in got.items() if end in times}
            fits = [s for s in started if not s.is_over]
            if set_then:
                fits = [s for s in fits if (s.field_id, s.value) in set_then]
                fits = self._of_outcome(fits, told, end)
            elif not is_whole:
                fits = []
        elif "status" in told and len(self.slas) == 1 and is_whole:
            fits = started
        else:
            return False
        if len(fits) != 1:
            return False
        _apply(fits[0], event, told)
        return True

    def _of_outcome(
        self, fits: list[Sla], told: Told, end: dt.datetime | None
    ) -> list[Sla]:
        """Return one of the SLAs that a value ended, by what is told to become of it."""
        outcome = _ENDS.get((told.get("status", ("", ""))[1] or "").lower())
        if outcome is None or end is None:
            return fits
        same = [
            s
            for s in fits
            if s.target is not None and (end <= s.target) == (outcome == "met")
        ]
        return (same or fits)[:1] if same or len(fits) == 1 else fits

    def _take_alone(self, event: dict[str, Any], told: Told) -> None:
        """Note an update of an SLA that is not told otherwise, or that may be any's."""
        old = _moment(told.get("targetTime", (None, None))[0])
        if old is not None:
            alike = [sla for sla in self.slas if sla.target == old]
        elif "completionTime" in told:
            alike = [s for s in self.slas if not s.is_over and s.created_at is None]
            if not alike and (end := _moment(told["completionTime"][1])) is not None:
                waiting = [s for s in self.slas if not s.is_over]
                alike = waiting if end not in self.set_at else []
        else:
            alike = self.slas
        for sla in alike:
            sla.is_doubtful = True
        if not alike:
            self.slas.append(Sla(self.key, event["event_id"], first=old, target=old))
            _apply(self.slas[-1], event, told)


def _apply(sla: Sla, event: dict[str, Any], told: Told) -> None:
    """Let an update change an SLA."""
    at = event["performed_at"]
    sla.event_ids.append(event["event_id"])
    old_target = sla.target
    status = told.get("status", (None, None))[1]
    is_end = not sla.is_over and (
        "completionTime" in told or ("targetTime" not in told and _is_end(status))
    )
    if is_end:
        told_end = told.get("completionTime", (None, None))[1]
        sla.ended_at = _moment(told_end) if told_end is not None else at
        sla.is_over = True
        sla.first_end = status
        sla.closer = event["actor"]
    before = sla.state(at, old_target)
    if "targetTime" in told:
        sla.target = _moment(told["targetTime"][1])
    after = sla.state(at, sla.target)
    if "targetTime" not in told and not is_end and status is not None:
        before, after = (
            _ENDS.get((each or "").lower(), now)
            for each, now in ((sla.status, before), (status, after))
        )
    sla.status = status or sla.status
    if "targetTime" in told or (before != after and not is_end):
        sla.edits.append(_Edit(event, old_target, sla.target, before, after))


def _is_end(status: str | None) -> bool:
    return (status or "").lower() in _ENDS
