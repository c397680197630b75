"""The rules that casesnb has: what each finds, and what it cannot tell."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from casesnb.analysis.actors import attributed, in_bursts
from casesnb.analysis.closing import is_closed
from casesnb.analysis.rule import (
    FINDINGS,
    Rule,
    RuleContext,
    changes_of,
    events_of,
    rule,
)
from casesnb.analysis.sla_ledger import ledger
from casesnb.analysis.timezones import micros_between
from casesnb.tables.arguments import as_ids
from casesnb.tables.field_chain import (
    Chains,
    chained,
    differs,
    field_ids_of,
    is_creation,
    is_new,
)
from casesnb.tables.frames import (
    NO_TEXT,
    as_given,
    instant,
    rows_like,
    stacked,
    windowed,
)
from casesnb.tables.keys import beside_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BOOKKEEPING = ("last_updated_datetime", "last_updated_user")
"""Fields that Cases itself keeps: their changes are nobody's edit."""

_CASE = ("domain_id", "case_id")
_EVENT = ("domain_id", "case_id", "event_id")


def chained_of(context: RuleContext) -> Chains:
    """Return the changes in their chains."""
    return chained(context.once(changes_of))


def edits_of(context: RuleContext) -> Any:
    """Return what was edited, each beside the state of its case just then."""
    # `was` is the status before the event, `sets` the one that it sets. Merges are
    # left out, which edit nothing, and so is what Cases keeps itself.
    merged = context.once(events_of).filter(~nw.col("merge_event_id").is_null())
    frame = context.once(changes_of)
    frame = frame.with_columns(
        status_=_set("status", nw.col("new").str.to_lowercase()),
        holder_=_set("assigned_user", nw.col("new")),
        left_=nw.when(~nw.col("old_kind").is_null()).then(
            _set("assigned_user", nw.col("old"), "old_kind")
        ),
    )
    order = ("sequence", "slot")
    frame = windowed(frame).with_columns(
        status=nw.col("status_")
        .fill_null(strategy="forward")
        .over(*_CASE, order_by=order),
        holder=nw.col("holder_")
        .fill_null(strategy="forward")
        .over(*_CASE, order_by=order),
        # Before anybody is named, whoever the first change took it from.
        left=nw.col("left_")
        .fill_null(strategy="backward")
        .over(*_CASE, order_by=order),
    )
    told = nw.when(~nw.col("old_kind").is_null()).then(
        nw.col("old").str.to_lowercase().fill_null("")
    )
    before = nw.col("status").shift(1).over(*_CASE, order_by=order)
    frame = frame.with_columns(
        holder=nw.coalesce("holder", "left"),
        had_=_set("status", nw.coalesce(told, before)),
    )
    frame = beside_all(
        frame, _EVENT, sets=nw.col("status_").max(), had=nw.col("had_").max()
    )
    is_set = ~nw.col("sets").is_null()
    frame = frame.with_columns(was=nw.when(is_set).then("had").otherwise("status"))
    edits = as_given(frame).filter(~nw.col("field_id").is_in(BOOKKEEPING))
    return edits.join(merged.select(*_EVENT), on=list(_EVENT), how="anti")


def _set(field_id: str, text: nw.Expr, kind: str = "new_kind") -> nw.Expr:
    """Return what a row makes of a field: "" for emptied, missing for other fields."""
    # A value that AWS did not send is like no other.
    is_untold = nw.col(kind).is_null()
    none = nw.when(is_untold).then(nw.lit("\x1f")).otherwise(nw.lit(""))
    text = nw.coalesce(text, none)
    return nw.when(nw.col("field_id") == field_id).then(text)


def _not_checkable(frame: Any, message: str) -> Any:
    """Return one row per case of `frame` that could not be checked."""
    return (
        frame.select(*_CASE)
        .unique()
        .select(
            *_CASE,
            verdict=nw.lit("not_checkable"),
            field_id=NO_TEXT,
            found_at=instant(frame, None),
            actor=NO_TEXT,
            event_ids=NO_TEXT,
            message=nw.lit(message),
        )
    )


def _found(
    frame: Any,
    *message: str | nw.Expr,
    event_ids: nw.Expr | None = None,
    field_id: nw.Expr | None = None,
) -> Any:
    """Return one finding per row of `frame`, which has the event's columns."""
    parts = [nw.lit(part) if isinstance(part, str) else part for part in message]
    return frame.select(
        *_CASE,
        verdict=nw.lit("found"),
        field_id=NO_TEXT if field_id is None else field_id,
        found_at=nw.col("performed_at"),
        actor=nw.col("actor"),
        event_ids=nw.col("event_id") if event_ids is None else event_ids,
        message=nw.concat_str(*parts, separator="") if len(parts) > 1 else parts[0],
    )


def _without(frame: Any, cases: Any) -> Any:
    return frame.join(cases.select(*_CASE).unique(), on=list(_CASE), how="anti")


def _created(context: RuleContext) -> Any:
    return context.once(events_of).filter(is_creation())


def _closes(context: RuleContext) -> Any:
    """Return the events that closed a case; a merge closes none."""
    return context.once(edits_of).filter(
        (nw.col("field_id") == "status")
        & is_closed(nw.col("status_"), context.closed)
        & ~is_closed(nw.col("was"), context.closed)
    )


@rule(severity="warning")
def edited_after_close(context: RuleContext) -> Any:
    """Find fields that were edited while their case was closed."""
    edits = context.once(edits_of)
    of_case = ~nw.col("event_type").str.starts_with("RelatedItem.")
    found = edits.filter(
        of_case
        & (nw.col("field_id") != "status")
        & is_closed(nw.col("was"), context.closed)
        # no edit that opens it
        & (nw.col("sets").is_null() | is_closed(nw.col("sets"), context.closed))
    )
    told = context.once(changes_of).filter(nw.col("field_id") == "status")
    return stacked(
        [
            _found(found, "edited while closed", field_id=nw.col("field_id")),
            _not_checkable(
                _without(context.once(events_of), told), "no event tells the status"
            ),
        ]
    )


@rule(severity="warning")
def closed_without_comment(context: RuleContext) -> Any:
    """Find cases that were closed though nobody had ever commented on them."""
    comments = (
        context.once(events_of)
        .filter(
            (nw.col("event_type") == "RelatedItem.Created")
            & (nw.col("related_item_type") == "Comment").fill_null(False)
        )
        .group_by(*_CASE)
        .agg(commented=nw.col("sequence").min())
    )
    silent = (
        _closes(context)
        .join(comments, on=list(_CASE), how="left")
        .filter(
            nw.col("commented").is_null()
            | (nw.col("commented") > nw.col("sequence")).fill_null(False)
        )
    )
    created = _created(context).select(*_CASE).unique()
    whole = silent.join(created, on=list(_CASE), how="inner")
    return stacked(
        [
            _found(
                whole, "closed without any comment before", field_id=nw.lit("status")
            ),
            _not_checkable(
                _without(silent, created), "the history begins after the case did"
            ),
        ]
    )


@rule(severity="warning")
def tug_of_war(context: RuleContext, *, radius: int = 1) -> Any:
    """Find values that were changed and that somebody else changed back."""
    if not isinstance(radius, int) or radius < 1:
        raise ValueError(f"radius={radius!r}: give how many changes back, 1 or more.")
    workers = attributed(context.once(events_of)).select(*_EVENT, "worker")
    merged = context.once(events_of).filter(~nw.col("merge_event_id").is_null())
    linked = context.once(chained_of).filter(is_new())
    is_broken = nw.col("is_break") | nw.col("is_after_untold")
    linked = linked.with_columns(broken=is_broken.cast(nw.Int64))
    sources = {
        "undone_event_id": "event_id",
        "undone_actor": "actor",
        "undone_called": "called",
        "undone_at": "performed_at",
        "first": "old",
        "broke": "broken",
    }
    steps = range(1, radius + 1)
    before: dict[str, Any] = {
        f"{name}_{n}": (column, n) for name, column in sources.items() for n in steps
    }
    before |= {f"first_{n}_kind": ("old_kind", n) for n in steps}
    frame = linked.beside(**before).frame
    # The nearest change that replaced what is set again, without a break since.
    undone = dict.fromkeys(
        ["undone_event_id", "undone_actor", "undone_called"], NO_TEXT
    )
    undone["undone_at"] = instant(frame, None)
    is_whole = {1: ~is_broken}
    for n in steps[1:]:
        is_whole[n] = is_whole[n - 1] & (nw.col(f"broke_{n - 1}") == 0).fill_null(False)
    for n in reversed(steps):
        is_told = ~nw.col(f"first_{n}_kind").is_null() & ~nw.col("new_kind").is_null()
        is_back = is_whole[n] & is_told & ~differs(f"first_{n}", "new")
        undone = {
            name: nw.when(is_back).then(f"{name}_{n}").otherwise(other)
            for name, other in undone.items()
        }
    frame = frame.with_columns(**undone)
    frame = frame.with_columns(
        hours=(micros_between(frame, "undone_at", "performed_at") // 3_600_000_000)
        .cast(nw.Int64)
        .cast(nw.String)
    )
    # Whoever holds a case and gives it back does what is asked of them.
    is_given_back = (nw.col("field_id") == "assigned_user") & (
        nw.col("actor") == nw.col("old")
    ).fill_null(False)
    back = (
        frame.filter(
            ~nw.col("field_id").is_in((*BOOKKEEPING, "status"))
            & ~nw.col("undone_event_id").is_null()
            & (nw.col("old").fill_null("") != nw.col("new").fill_null(""))
            & ~is_given_back
        )
        .join(merged.select(*_EVENT), on=list(_EVENT), how="anti")
        .join(workers, on=list(_EVENT), how="left")
        .join(
            workers,
            left_on=["domain_id", "case_id", "undone_event_id"],
            right_on=list(_EVENT),
            how="left",
            suffix="_before",
        )
    )
    is_named = ~nw.col("actor").is_null() & ~nw.col("undone_actor").is_null()
    found = back.filter(
        is_named & (nw.col("actor") != nw.col("undone_actor")).fill_null(False)
    )
    return stacked(
        [
            _found(
                found,
                "changed back by ",
                nw.col("called"),
                " (",
                nw.col("worker"),
                ") against ",
                nw.col("undone_called"),
                " (",
                nw.col("worker_before"),
                ") after ",
                nw.col("hours"),
                " h",
                event_ids=nw.concat_str("undone_event_id", "event_id", separator=" "),
                field_id=nw.col("field_id"),
            ),
            _not_checkable(
                back.filter(~is_named), "changed back, but an event names nobody"
            ),
        ]
    )


@rule(severity="info")
def raised_and_closed_by_one(context: RuleContext) -> Any:
    """Find cases that were raised and closed by the same person."""
    created = _created(context).select(
        *_CASE, created_by=nw.col("actor"), created_id=nw.col("event_id")
    )
    closes = _closes(context).filter(nw.col("actor_kind") == "agent")
    both = closes.join(created, on=list(_CASE), how="inner")
    return stacked(
        [
            _found(
                both.filter((nw.col("actor") == nw.col("created_by")).fill_null(False)),
                "closed by the one who raised it",
                event_ids=nw.concat_str("created_id", "event_id", separator=" "),
                field_id=nw.lit("status"),
            ),
            _not_checkable(
                _without(closes, created), "the history begins after the case did"
            ),
        ]
    )


@rule(severity="problem")
def deleted_comment(context: RuleContext) -> Any:
    """Find comments that were deleted, other than by a merge that moved them."""
    deleted = context.once(events_of).filter(
        (nw.col("event_type") == "RelatedItem.Deleted")
        & (nw.col("related_item_type") == "Comment").fill_null(False)
        & nw.col("merge_event_id").is_null()
    )
    return _found(deleted, "a comment was deleted; the history does not keep its text")


@rule(severity="problem")
def personal_data_edited_by_machine(
    context: RuleContext, *, fields: Iterable[str] = ("customer_id", "title", "summary")
) -> Any:
    """Find personal data that was edited by automation or through the API."""
    workers = attributed(context.once(events_of)).select(*_EVENT, "worker")
    asked = field_ids_of(context.once(changes_of), as_ids(fields))
    # To save the value that was there already edits nothing.
    is_same = nw.col("is_first") & ~differs("old", "new")
    edited = context.once(chained_of).filter(is_new()).filter(~is_same).frame
    edits = (
        context.once(edits_of)
        .filter(
            nw.col("field_id").is_in(asked) & (nw.col("event_type") == "Case.Updated")
        )
        .join(edited.select(*_EVENT, "slot"), on=[*_EVENT, "slot"], how="inner")
        .join(workers, on=list(_EVENT), how="left")
    )
    return stacked(
        [
            _found(
                edits.filter(nw.col("worker").is_in(("automation", "api"))),
                "edited by ",
                nw.col("worker"),
                field_id=nw.col("field_id"),
            ),
            _not_checkable(
                edits.filter(nw.col("worker") == "unknown"),
                "edited, but the event names nobody",
            ),
        ]
    )


@rule(severity="info")
def bulk_burst(
    context: RuleContext,
    *,
    within: dt.timedelta = dt.timedelta(minutes=1),
    min_cases: int = 5,
) -> Any:
    """Find cases that got the same value as many others at about the same time."""
    rows = in_bursts(context.once(changes_of), within=within, min_cases=min_cases)
    return _found(
        rows.filter(~nw.col("field_id").is_in(BOOKKEEPING)),
        "one of many cases that got this value",
        field_id=nw.col("field_id"),
    )


@rule(severity="info")
def stale(context: RuleContext, *, days: float = 7) -> Any:
    """Find open cases to which nothing has been done for some days."""
    since = _earlier(context.as_of, days)
    events = context.once(events_of)
    last = beside_all(events, _CASE, last_=nw.col("sequence").max())
    last = last.filter(nw.col("sequence") == nw.col("last_"))
    states = context.once(chained_of).frame.filter(
        nw.col("is_last") & (nw.col("field_id") == "status")
    )
    states = states.select(*_CASE, "new_kind", status=nw.col("new"))
    idle = last.filter(nw.col("performed_at") < instant(last, since))
    stands = idle.join(states, on=list(_CASE), how="inner")
    is_untold = nw.col("new_kind").is_null()
    still_open = stands.filter(
        ~is_untold & ~is_closed(nw.col("status"), context.closed)
    )
    return stacked(
        [
            _found(still_open, f"open, and nothing done for more than {days} days"),
            _not_checkable(
                stands.filter(is_untold),
                "AWS did not send the status that was set last",
            ),
            _not_checkable(_without(idle, states), "no event tells the status"),
        ]
    )


def _earlier(as_of: dt.datetime | None, days: float) -> dt.datetime | None:
    try:
        passed = dt.timedelta(days=float(days))
        if passed >= dt.timedelta():
            return as_of and as_of - passed
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError(f"days={days!r}: give how many, such as 7 or 0.5.")


@rule(severity="problem")
def sla_missed_while_unassigned(context: RuleContext) -> Any:
    """Find SLAs that were told to be missed while nobody had the case."""
    edits = context.once(edits_of)
    ends = edits.filter(nw.col("field_id") == "sla.status").with_columns(
        end=nw.col("new").str.to_lowercase().fill_null("")
    )
    missed = ends.filter(nw.col("end").is_in(("notmet", "overdue")))
    created = _created(context).select(*_CASE).unique()
    nobody = (nw.col("holder").fill_null("") == "") & (
        nw.col("field_id") == "sla.status"
    )
    unassigned = missed.filter(nobody)
    # Never mentioned: nobody, if the history holds the case's beginning.
    sure = unassigned.join(created, on=list(_CASE), how="inner")
    slas = context.once(events_of).filter(
        (nw.col("related_item_type") == "Sla").fill_null(False)
    )
    ended = ends.filter(nw.col("end") != "active")
    return stacked(
        [
            _found(
                sure,
                "the SLA was missed and nobody had the case",
                field_id=nw.lit("assigned_user"),
            ),
            _not_checkable(
                _without(unassigned, created), "the history begins after the case did"
            ),
            _not_checkable(_without(slas, ended), "no event tells how the SLA ended"),
        ]
    )


@rule(severity="problem")
def sla_met_by_edit(context: RuleContext) -> Any:
    """Find SLAs that are met because somebody edited what would have been missed."""
    slas, until = ledger(
        context.once(changes_of), context.once(events_of), context.as_of
    )
    rows: list[dict[str, Any]] = []
    unsure: dict[tuple[Any, Any], str] = {}
    for sla in slas:
        if sla.is_doubtful or sla.created_at is None:
            unsure.setdefault(sla.key, sla.reason or "an edit of an SLA may be missing")
        elif sla.is_met_by_edit(until):
            last = sla.edits[-1]
            late = [each for each in sla.edits if each.before == "missed"]
            when = "after it was missed" if late else "before it would have been missed"
            told = (late or [last])[-1].event
            ids = [each.event["event_id"] for each in sla.edits]
            message = f"the SLA is met because it was edited {when}"
            rows.append(_row_of(sla.key, "found", message, told, " ".join(ids)))
    rows += [_row_of(key, "not_checkable", why) for key, why in unsure.items()]
    return rows_like(rows, _FOUND, context.once(events_of))


def _row_of(
    key: tuple[Any, Any],
    verdict: str,
    message: str,
    event: Mapping[str, Any] | None = None,
    event_ids: str | None = None,
) -> dict[str, Any]:
    return {
        "domain_id": key[0],
        "case_id": key[1],
        "verdict": verdict,
        "field_id": "sla.targetTime" if event else None,
        "found_at": event and event["performed_at"],
        "actor": event and event["actor"],
        "event_ids": event_ids,
        "message": message,
    }


_FOUND = replace(
    FINDINGS,
    columns=tuple(c for c in FINDINGS.columns if c.name not in {"rule", "severity"}),
)


RULES: tuple[Rule, ...] = (
    edited_after_close,
    closed_without_comment,
    tug_of_war,
    raised_and_closed_by_one,
    deleted_comment,
    personal_data_edited_by_machine,
    bulk_burst,
    stale,
    sla_missed_while_unassigned,
    sla_met_by_edit,
)
"""The rules that casesnb has; add yours to a list of them."""
