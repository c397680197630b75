"""SLAs as the events of cases tell them: deadlines, ends, and edits of both."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import narwhals as nw

from casesnb.tables.field_chain import is_creation, is_of_case
from casesnb.tables.frames import (
    rows_of,
    texts,
    texts_of,
    tuples_of,
    until_of,
    up_to,
)
from casesnb.tables.values import utc_moment

if TYPE_CHECKING:
    from collections.abc import Mapping

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
class Edit:
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
    edits: list[Edit] = field(default_factory=list)
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

    def target_at(self, at: dt.datetime) -> dt.datetime | None:
        """Return its deadline as it stood at a moment."""
        target = self.first
        for edit in self.edits:
            if edit.event["performed_at"] <= at:
                target = edit.new_target
        return target

    @property
    def is_told(self) -> bool:
        """Whether events tell that it was added, and with which deadline."""
        return self.reason not in (_NO_FIELDS, _NO_START)

    def verdict(self, at: dt.datetime, target: dt.datetime | None) -> str:
        """Return what became of it, with a deadline."""
        if self.reason is not None:
            return "not checkable" if self.is_told else "not told"
        told = _ENDS.get((self.status or "").lower())
        # AWS tells how it ended, though not what its deadline was, or against it.
        if told is not None and (target is None or self.is_by_status):
            return told
        return self.state(at, target)

    @property
    def is_by_status(self) -> bool:
        """Whether its status was edited last, and not its deadline."""
        return bool(self.edits) and self.edits[-1].is_of_status


def ledger(
    changes: Any, happened: Any, as_of: dt.datetime | None
) -> tuple[list[Sla], dt.datetime]:
    """Return the SLAs that events tell of, and the moment up to which they count."""
    happened, changes = up_to(as_of, happened, changes)
    about = texts_of(happened, "related_item_type")
    about = about.filter((nw.col("related_item_type") == "Sla").fill_null(False))
    columns = ("domain_id", "case_id", "event_id", "sequence", "performed_at")
    about = rows_of(texts(about.select(*columns, "event_type", "actor")))
    if not about:
        return [], dt.datetime.min.replace(tzinfo=dt.UTC)
    until: Any = until_of(happened, happened, as_of)
    of_them = nw.col("case_id").is_in(sorted({row["case_id"] for row in about}))
    changes, happened = (
        texts_of(each, "case_id").filter(of_them) for each in (changes, happened)
    )
    told = _told(changes)
    by_case: dict[Key, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(about, key=lambda row: row["sequence"]):
        by_case[row["domain_id"], row["case_id"]].append(row)
    books = [
        _Book(key, [(row, told.get((*key, row["event_id"]), {})) for row in rows])
        for key, rows in sorted(by_case.items(), key=lambda each: str(each[0]))
    ]
    waited = {sla.field_id for book in books for sla in book.slas} - {None}
    values = {sla.value for book in books for sla in book.slas} - {None}
    got = _got(changes, waited, values)
    begun = _begun(happened)
    for book in books:
        book.follow(got.get(book.key, {}), is_whole=book.key in begun)
    return [sla for book in books for sla in book.slas], until


def _told(changes: Any) -> dict[tuple[Any, Any, Any], Told]:
    """Return what each event about an SLA lists, by its case and its id."""
    is_sla = [nw.col("field_id") == f"sla.{name}" for name in _FIELDS]
    rows = changes.filter(nw.any_horizontal(*is_sla, ignore_nulls=True))
    columns = ("domain_id", "case_id", "event_id", "field_id", "old", "new")
    told: dict[tuple[Any, Any, Any], Told] = defaultdict(dict)
    for row in tuples_of(texts(rows.select(*columns))):
        domain_id, case_id, event_id, field_id, old, new = row
        told[domain_id, case_id, event_id][field_id[4:]] = (old, new)
    return told


def _got(
    changes: Any, fields: set[Any], values: set[Any]
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
    for row in tuples_of(texts(rows).filter(is_of_case(), is_waited_for)):
        domain_id, case_id, name, value, at, _ = row
        of_case = got.setdefault((domain_id, case_id), {})
        of_case.setdefault((name, value), []).append(at)
    return got


def _begun(happened: Any) -> set[Key]:
    """Return the cases whose creation is told."""
    made = happened.filter(is_creation()).select("domain_id", "case_id")
    return {(domain_id, case_id) for domain_id, case_id in tuples_of(texts(made))}


def _moment(text: str | None) -> dt.datetime | None:
    """Return a told time; None if there is none, or it is none."""
    if text is None:
        return None
    try:
        return utc_moment(text)
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
        sla.edits.append(Edit(event, old_target, sla.target, before, after))


def _is_end(status: str | None) -> bool:
    return (status or "").lower() in _ENDS
