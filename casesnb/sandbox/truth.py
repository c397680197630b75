"""What really happened, in the words of the tables: pure, from lives.

The rows are named tuples of plain values, so ``pandas.DataFrame(rows)`` has their
names as columns. A value is its kind and its text, as in `casesnb.tables.schema`.
Times are datetimes in UTC. All of it is told by the lives, which were written
forwards; nothing is read back from what the service answers.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from casesnb.sandbox.case_life import CLOSED, EMPTY, Value, sla_status
from casesnb.sandbox.contact_centre import has_come, to_iso, to_moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from casesnb.sandbox.case_life import Act, Item, Life

HOLDERS = ("assigned_user", "assigned_queue")
"""The fields that say who holds a case."""


class TrueEvent(NamedTuple):
    """One row per thing that was done to a case."""

    domain_id: str  # the case
    case_id: str
    event_id: str  # the audit event
    # its place among all that was done to the case, from 0, the order in which
    # it was done, also at one instant and also if it is not served
    sequence: int
    performed_at: datetime  # when
    event_type: str  # as AWS names it
    related_item_type: str | None  # the related item's type
    actor: str | None  # user ARN, custom entity or principal, the first that AWS says
    # ``agent`` (a user ARN), ``custom`` (a custom entity), ``service`` (the
    # service-linked role alone), ``role`` (another principal alone) or
    # ``unknown`` (AWS does not say)
    actor_kind: str
    doer: str  # who it really was: ``person``, ``automation`` or ``integration``
    merge_event_id: str | None  # the merge that it belongs to
    primary_case_id: str | None
    secondary_case_id: str | None
    n_changes: int  # fields that it lists
    is_served: bool  # whether the case's audit history has it


class TrueChange(NamedTuple):
    """One row per field of something that was done to a case."""

    domain_id: str  # the event
    case_id: str
    event_id: str
    sequence: int  # the event's place, as in `TrueEvent`
    slot: int  # the field's place in the event, from 0
    performed_at: datetime  # when
    event_type: str  # as AWS names it
    actor: str | None  # who, as in `TrueEvent`
    actor_kind: str  # what kind of actor, as in `TrueEvent`
    field_id: str  # the field; of a related item it is a path such as ``comment.body``
    old_kind: str | None  # the value before
    old: str | None
    new_kind: str | None  # the value after
    new: str | None
    is_served: bool  # whether the case's audit history has it


class TrueSpell(NamedTuple):
    """One row per interval during which a case's field held one value."""

    domain_id: str  # the field of the case
    case_id: str
    field_id: str
    kind: str | None  # what it held
    value: str | None
    start_at: datetime  # when it began
    end_at: datetime  # when it ended, or the world's now if it had not
    is_open: bool  # whether it still held then
    # the event that began it; None where nobody had set the field yet
    event_id: str | None
    actor: str | None  # who began it
    is_known: bool  # whether the audit history has the events at both its ends


class TrueHandoff(NamedTuple):
    """One row per change of who holds a case."""

    domain_id: str  # the case
    case_id: str
    field_id: str  # ``assigned_user`` or ``assigned_queue``
    from_value: str | None  # who held it and who holds it then; None is nobody
    to_value: str | None
    at: datetime  # when
    held_hours: float  # how long the one before held it, or how long nobody did
    event_id: str  # the event
    actor: str | None  # who passed it on
    is_ping_pong: bool  # whether it went back to the one who had it before `from_value`
    is_served: bool  # whether the case's audit history has the event


class TrueReopen(NamedTuple):
    """One row per time that a closed case was opened again."""

    domain_id: str  # the case
    case_id: str
    closed_at: datetime  # when it was closed
    reopened_at: datetime  # when it was opened again
    hours: float  # how long it was closed
    close_event_id: str  # the event that closed it
    event_id: str  # the event that opened it
    actor: str | None  # who opened it
    is_after_merge: bool  # whether a merge had closed it, which resolves nothing
    is_served: bool  # whether the case's audit history has both events


class TrueSla(NamedTuple):
    """One row per SLA of a case, as it stands."""

    domain_id: str  # the case
    case_id: str
    related_item_id: str  # the SLA
    event_id: str  # the event that added it
    name: str  # its name
    field_id: str  # the field that it waits for, and the value that ends it
    target_value: str
    created_at: datetime  # when it was made
    first_target_at: datetime  # its deadline when it was made
    target_at: datetime  # its deadline now
    completed_at: datetime | None  # when the field got the value, if it did
    status: str  # ``Active``, ``Overdue``, ``Met`` or ``NotMet``, as AWS says it
    first_status: str  # what it would be, had nobody edited the target
    n_edits: int  # how often that was done
    # whether the audit history has each of its events, with their fields; if not,
    # what happened to it can't be checked there
    is_told: bool


class TrueSlaEdit(NamedTuple):
    """One row per edit of an SLA's target."""

    domain_id: str  # the case
    case_id: str
    related_item_id: str  # the SLA
    event_id: str  # the event
    edited_at: datetime  # when
    actor: str | None  # who, as in `TrueEvent`
    actor_kind: str  # what kind of actor, as in `TrueEvent`
    doer: str  # who it really was, as in `TrueEvent`
    old_minutes: int  # from when the SLA was made to its deadline, before and after
    new_minutes: int
    old_target_at: datetime  # the deadline before and after
    new_target_at: datetime
    old_status: str  # the SLA's status before and after, as AWS works it out
    new_status: str
    hours_late: float  # from the deadline before to the edit; below zero if before it
    is_told: bool  # whether the audit history has the event, with its fields


class TrueMerge(NamedTuple):
    """One row per merge of two cases."""

    domain_id: str  # the domain
    merge_event_id: str  # shared by all its events on both cases
    primary_case_id: str  # the case that was kept
    secondary_case_id: str  # the case that was closed
    at: datetime  # when it began
    primary_event_ids: tuple[str, ...]  # its events on the two cases
    secondary_event_ids: tuple[str, ...]


class Anomaly(NamedTuple):
    """One row per odd thing that the world holds on purpose."""

    kind: str  # one of `ANOMALIES`
    domain_id: str  # the case
    case_id: str
    event_id: str | None  # the event; None where the whole history is meant
    field_id: str | None  # the field, where one is meant
    at: datetime  # when
    note: str  # what exactly, for a person


ANOMALIES = {
    "bulk_edit": "one of many cases that were edited at the same moment",
    "changed_back": "a value that went back to what it was two changes before",
    "deleted_agent": "done by, or given to, a user who has since been deleted",
    "deleted_field": "a change of a field that has since been deleted",
    "edited_after_close": "a change other than of the status while closed",
    "empty_text": "a text of no characters, which is neither empty nor absent",
    "hostile_text": "a text that attacks whoever shows it",
    "inactive_option": "a choice that can no longer be chosen",
    "long_text": "a text of 4,100 characters",
    "merge": "the case that a merge kept",
    "merge_close": "closed by a merge",
    "no_event": "a case whose audit history is empty",
    "out_of_hours": "done by a person outside Monday to Friday, 08:00 to 18:00",
    "ping_pong": "passed back to the one who had it before",
    "renamed_field": "a change of a field that now has another name",
    "reopen": "opened again",
    "same_instant": "at the very time of the event before it",
    "sla_edited": "the target of an SLA was edited",
    "sla_met": "the start of an SLA that was met",
    "sla_missed": "the start of an SLA that was missed",
    "sla_running": "the start of an SLA that still runs, or is overdue and open",
    "thousands_of_events": "a case with thousands of events",
    "unnamed": "an event without ``performedBy``",
    "without_creation": "a history that begins after the case did",
}
"""Every kind of anomaly, and what it is."""


def events(life: Life, now: int) -> Iterator[TrueEvent]:
    """One row per thing that was done to a case, in the order it was done."""
    for sequence, act in enumerate(_acts(life, now)):
        merge = act.merge
        yield TrueEvent(
            life.domain.domain_id,
            life.case_id,
            act.event_id,
            sequence,
            to_moment(act.ms),
            act.type,
            act.item_type,
            act.who.actor,
            act.who.kind,
            act.who.doer,
            merge and merge.merge_event_id,
            merge and merge.primary_case_id,
            merge and merge.secondary_case_id,
            len(act.changes),
            act.is_served,
        )


def changes(life: Life, now: int) -> Iterator[TrueChange]:
    """One row per field of what was done to a case, in the order it was done."""
    for sequence, act in enumerate(_acts(life, now)):
        at, who = to_moment(act.ms), act.who
        for slot, (field_id, old, new) in enumerate(act.changes):
            yield TrueChange(
                life.domain.domain_id,
                life.case_id,
                act.event_id,
                sequence,
                slot,
                at,
                act.type,
                who.actor,
                who.kind,
                field_id,
                *old,
                *new,
                act.is_served,
            )


def spells(life: Life, field_id: str, now: int) -> list[TrueSpell]:
    """One row per interval during which the field held one value, oldest first."""
    told = [
        (act, change)
        for act in _acts(life, now)
        if act.type.startswith("Case.")
        for change in act.changes
        if change.field_id == field_id
    ]
    if not told:
        return []
    begins: list[tuple[int, Value, Act | None]] = [
        (act.ms, change.new, act) for act, change in told
    ]
    first, change = told[0]
    if first.type != "Case.Created" and change.old == EMPTY:
        begins.insert(0, (life.start_ms, EMPTY, None))
    out = []
    for i, (ms, (kind, value), act) in enumerate(begins):
        is_open = i == len(begins) - 1
        end_act = None if is_open else begins[i + 1][2]
        out.append(
            TrueSpell(
                life.domain.domain_id,
                life.case_id,
                field_id,
                kind,
                value,
                to_moment(ms),
                to_moment(now if is_open else begins[i + 1][0]),
                is_open,
                None if act is None else act.event_id,
                None if act is None else act.who.actor,
                (act is not None and act.is_served)
                and (end_act is None or end_act.is_served),
            )
        )
    return out


def handoffs(life: Life, now: int) -> list[TrueHandoff]:
    """One row per change of who holds the case, after it was created."""
    out: list[TrueHandoff] = []
    since = dict.fromkeys(HOLDERS, life.start_ms)
    held: dict[str, list[str]] = {field_id: [] for field_id in HOLDERS}
    for act in _acts(life, now):
        if not act.type.startswith("Case."):
            continue
        for field_id, old, new in act.changes:
            if field_id not in HOLDERS:
                continue
            names = held[field_id]
            if act.type != "Case.Created":
                out.append(
                    TrueHandoff(
                        life.domain.domain_id,
                        life.case_id,
                        field_id,
                        old[1],
                        new[1],
                        to_moment(act.ms),
                        (act.ms - since[field_id]) / 3_600_000,
                        act.event_id,
                        act.who.actor,
                        len(names) > 1
                        and new[1] is not None
                        and names[-1] != new[1]
                        and names[-2] == new[1],
                        act.is_served,
                    )
                )
            since[field_id] = act.ms
            if new[1] is not None and names[-1:] != [new[1]]:
                names.append(new[1])
    return out


def reopens(life: Life, now: int) -> list[TrueReopen]:
    """One row per time that the closed case was opened again."""
    out = []
    closed: Act | None = None
    for act in _acts(life, now):
        for field_id, _, new in act.changes:
            if field_id != "status" or not act.type.startswith("Case."):
                continue
            if new == CLOSED:
                closed = closed or act
            elif closed is not None:
                out.append(
                    TrueReopen(
                        life.domain.domain_id,
                        life.case_id,
                        to_moment(closed.ms),
                        to_moment(act.ms),
                        (act.ms - closed.ms) / 3_600_000,
                        closed.event_id,
                        act.event_id,
                        act.who.actor,
                        closed.merge is not None,
                        closed.is_served and act.is_served,
                    )
                )
                closed = None
    return out


def anomalies(life: Life, now: int) -> Iterator[Anomaly]:
    """One row per odd thing about the case, all of each kind."""

    def found(kind: str, act: Act, field_id: str | None, note: str) -> Anomaly:
        return Anomaly(kind, *case, act.event_id, field_id, to_moment(act.ms), note)

    case = (life.domain.domain_id, life.case_id)
    for oddity in life.oddities:
        if oddity.ms <= now:
            kind, ms, event_id, field_id, note = oddity
            yield Anomaly(kind, *case, event_id, field_id, to_moment(ms), note)
    by_id = {act.event_id: act for act in _acts(life, now)}
    for reopen in reopens(life, now):
        note = "after a merge" if reopen.is_after_merge else "after a close"
        yield found("reopen", by_id[reopen.event_id], "status", note)
    for handoff in handoffs(life, now):
        if handoff.is_ping_pong:
            note = f"back to {handoff.to_value}"
            yield found("ping_pong", by_id[handoff.event_id], handoff.field_id, note)
    agents = life.domain.agents
    gone = {agent.arn for agent in agents if has_come(agent.deleted_ms, now)}
    fields = life.domain.fields_by_id
    before: dict[str, list[Value]] = {}
    for act in by_id.values():
        if act.who.user in gone:
            yield found("deleted_agent", act, None, "done by")
        for change in act.changes:
            field_id, _, new = change
            values = before.setdefault(field_id, [])
            if field_id in fields and values[-2:-1] == [new] and new != EMPTY:
                yield found("changed_back", act, field_id, f"to {new[1]!r:.40}")
            values.append(new)
            if new[0] == "user_arn" and new[1] in gone:
                yield found("deleted_agent", act, field_id, "given to")
            field = fields.get(field_id)
            if field is None:
                continue
            if has_come(field.deleted_ms, now):
                yield found("deleted_field", act, field_id, field.name)
            if field.name_at(now) != field.name_at(act.ms):
                yield found("renamed_field", act, field_id, f"was {field.former_name}")
            for option in field.options:
                retired = has_come(option.retired_ms, now)
                if retired and new == ("string", option.value):
                    yield found("inactive_option", act, field_id, option.name)
    for sla in slas(life, now):
        kind, at = _SLA_KINDS[sla.status], sla.created_at
        yield Anomaly(kind, *case, sla.event_id, None, at, sla.name)
    for edit in sla_edits(life, now):
        note = f"{edit.old_status} to {edit.new_status}"
        yield found("sla_edited", by_id[edit.event_id], "sla.targetTime", note)


_SLA_KINDS = {
    "Active": "sla_running",
    "Overdue": "sla_running",
    "Met": "sla_met",
    "NotMet": "sla_missed",
}


def slas(life: Life, now: int) -> Iterator[TrueSla]:
    """One row per SLA of the case, as it stands."""
    for item, versions in _slas(life, now):
        (made, first), (_, last) = versions[0], versions[-1]
        edits = [
            after["targetTime"] != before["targetTime"]
            for (_, before), (_, after) in pairwise(versions)
        ]
        over = last.get("completionTime")
        status = last["status"] if over else sla_status(last, to_iso(now))
        unedited = {**last, "targetTime": first["targetTime"]}
        yield TrueSla(
            life.domain.domain_id,
            life.case_id,
            item.item_id,
            made.event_id,
            first["name"],
            first["fieldId"],
            first["targetFieldValues"],
            to_moment(item.associated_ms),
            datetime.fromisoformat(first["targetTime"]),
            datetime.fromisoformat(last["targetTime"]),
            datetime.fromisoformat(over) if over else None,
            status,
            sla_status(unedited, to_iso(now)) if any(edits) else status,
            sum(edits),
            all(_is_told(act) for act, _ in versions),
        )


def sla_edits(life: Life, now: int) -> Iterator[TrueSlaEdit]:
    """One row per edit of the target of one of the case's SLAs."""
    for item, versions in _slas(life, now):
        made = to_moment(item.associated_ms)
        for (_, before), (act, after) in pairwise(versions):
            if after["targetTime"] == before["targetTime"]:
                continue
            at = to_moment(act.ms)
            old, new = (
                datetime.fromisoformat(each["targetTime"]) for each in (before, after)
            )
            yield TrueSlaEdit(
                life.domain.domain_id,
                life.case_id,
                item.item_id,
                act.event_id,
                at,
                act.who.actor,
                act.who.kind,
                act.who.doer,
                round((old - made) / timedelta(minutes=1)),
                round((new - made) / timedelta(minutes=1)),
                old,
                new,
                sla_status(before, to_iso(act.ms)),
                after["status"],
                (at - old) / timedelta(hours=1),
                _is_told(act),
            )


def _slas(
    life: Life, now: int
) -> Iterator[tuple[Item, list[tuple[Act, dict[str, Any]]]]]:
    """Yield each SLA with the acts about it and what it was after each."""
    for item in life.items:
        versions = [(v.act, v.content) for v in item.versions if v.ms <= now]
        if item.type == "Sla" and versions:
            yield item, [(act, content or {}) for act, content in versions]


def _is_told(act: Act) -> bool:
    return act.is_served and bool(act.changes)


def _acts(life: Life, now: int) -> Iterator[Act]:
    for act in life.acts:
        if act.ms > now:
            return
        yield act
