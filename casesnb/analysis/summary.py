"""One row per case: the numbers that a team lead asks for first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from casesnb.analysis.closing import CLOSED, closed_values
from casesnb.analysis.flow import (
    FIRST_TIMES,
    HOLDERS,
    TIMED,
    closings,
    first_times_of,
    handed_over,
    reopenings,
    steps_of,
)
from casesnb.analysis.spells import begun_of
from casesnb.analysis.timezones import hours_between
from casesnb.tables.field_chain import chains
from casesnb.tables.frames import (
    as_given,
    as_of_of,
    beside,
    handed_back,
    instant,
    stacked,
    texts_of,
    up_to,
)
from casesnb.tables.keys import looked_up, summed_by, told_apart, with_numbers
from casesnb.tables.schema import CHANGES, EVENTS, TEXT, TIME, Column, Table

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from narwhals.typing import IntoFrameT

    from casesnb.tables.field_chain import Chains
    from casesnb.tables.history import History

_CASE = ("domain_id", "case_id")
_KEY = list(_CASE)
_COUNTS = (
    "n_events",
    "n_changes",
    "n_actors",
    "n_agents",
    "n_by_agents",
    "n_comments",
    "n_contacts",
    "n_merge_events",
    "n_status_changes",
    "n_breaks",
    "n_reopens",
    "n_user_handoffs",
    "n_queue_handoffs",
    "n_ping_pongs",
)


CASE_SUMMARY = Table(
    "case_summary",
    "One row per case: its times, its counts and where it stands.",
    (
        *FIRST_TIMES.columns,
        Column("last_event_at", TIME, "its newest event"),
        Column("idle_hours", "float64", "hours since then"),
        Column("status", TEXT, "the status that it has"),
        Column("status_at", TIME, "since when; missing if not told"),
        Column("status_hours", "float64", "hours since then"),
        Column("is_closed", "bool", "the status means closed"),
        Column("age_hours", "float64", "hours from creation to its close, if it is"),
        Column("assigned_user", TEXT, "who holds it; missing for nobody"),
        Column("assigned_queue", TEXT, "which queue holds it; missing for none"),
        Column("n_events", "int64", "audit events"),
        Column("n_changes", "int64", "field changes in them"),
        Column("n_actors", "int64", "distinct actors that AWS names"),
        Column("n_agents", "int64", "of them agents"),
        Column("n_by_agents", "int64", "events by agents"),
        Column("n_comments", "int64", "comments added"),
        Column("n_contacts", "int64", "contacts added"),
        Column("n_merge_events", "int64", "events that a merge made"),
        Column("n_status_changes", "int64", "changes of status after its first"),
        Column("n_breaks", "int64", "old values that the history does not explain"),
        Column("n_reopens", "int64", "times that it was opened again"),
        Column("n_user_handoffs", "int64", "from one user to another"),
        Column("n_queue_handoffs", "int64", "from one queue to another"),
        Column("n_ping_pongs", "int64", "back to the holder before last"),
    ),
)


def case_summary(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    *,
    changes: IntoFrameT | None = None,
    closed: str | Sequence[str] = CLOSED,
    as_of: dt.datetime | None = None,
) -> IntoFrameT:
    """One row per case: its times, its counts and where it stands.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its events alone (``schema.EVENTS``), of pandas, Polars,
        DuckDB or PySpark.
    changes : DataFrame, optional
        Beside events alone, ``schema.CHANGES`` of the same kind.
    closed : str or sequence of str, default "closed"
        The statuses that mean closed, in small letters or capitals.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest event of a frame.

    Returns
    -------
    DataFrame
        The columns of ``schema.CASE_SUMMARY``, by case, in the kind of frame
        that was given. A case without an event has no row. Of events from
        `threads.thread_events`, beside changes from `threads.thread_changes`,
        one row per thread: ``thread_id`` in place of ``case_id``, what its cases
        did together, and how the one that was kept stands.

    Raises
    ------
    ValueError
        If no case ever had a status that is to mean closed.

    See Also
    --------
    durations : Medians over cases, those still open counted too.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> case_summary(history)["n_reopens"].tolist()
    [1]
    """
    changed = as_given(beside(history, changes, CHANGES), CHANGES)
    values = closed_values(changed, closed)
    happened, as_of = as_given(history, EVENTS), as_of_of(history, as_of)
    told = ("event_type", "related_item_type", "actor_kind")
    happened = texts_of(happened, *told)
    happened, changed = up_to(as_of, happened, changed)
    (happened, changed), with_ids = with_numbers(happened, changed)
    until = nw.col("performed_at").max()
    if as_of is not None:
        until = instant(happened, as_of)
    happened = happened.with_columns(as_of=until)
    in_threads = "thread_id" in happened.collect_schema().names()
    found = _counted(happened.filter("is_counted") if in_threads else happened)
    linked = chains(changed)
    broken = linked.filter(nw.col("is_break")).told(*_CASE).frame
    broken = broken.select(*_CASE, n_breaks=nw.lit(1, nw.Int64))
    linked = linked.told("field_id").filter(_is_of(*_STANDING))
    times = first_times_of(happened, linked.filter(_is_of(*TIMED)), values)
    found = looked_up(found, times, _CASE)
    held = begun_of(linked, as_of)
    of_status = held.filter(_is_of("status"))
    steps = steps_of(of_status).told(*_CASE).frame  # as transitions count
    steps = steps.select(*_CASE, n_status_changes=nw.lit(1, nw.Int64))
    moves = handed_over(held.filter(_is_of(*HOLDERS))).told(*_CASE).frame
    moves = moves.with_columns(
        is_named=~nw.col("from_value").is_null() & ~nw.col("to_value").is_null(),
        is_user=nw.col("field_id") == "assigned_user",
    )
    moves = moves.select(
        *_CASE,
        n_user_handoffs=(nw.col("is_named") & nw.col("is_user")).cast(nw.Int64),
        n_queue_handoffs=(nw.col("is_named") & ~nw.col("is_user")).cast(nw.Int64),
        n_ping_pongs=nw.col("is_ping_pong").cast(nw.Int64),
    )
    closes = closings(of_status, values)
    again = reopenings(closes).select(*_CASE, n_reopens=nw.lit(1, nw.Int64))
    # One sum over all of them: grouping by texts is what takes its time.
    parts = [broken, steps, moves, again]
    names = [
        n for part in parts for n in part.collect_schema().names() if n[:2] == "n_"
    ]
    none = {name: nw.lit(0, nw.Int64) for name in names}
    parts = [
        part.select(
            *_CASE,
            **{
                name: nw.col(name) if name in part.collect_schema().names() else zero
                for name, zero in none.items()
            },
        )
        for part in parts
    ]
    sums = summed_by(stacked(parts), _CASE, nw.col(*names).sum())
    found = looked_up(found, sums, _CASE)
    found = looked_up(found, _standing(held), _CASE)
    last = closes.filter(nw.col("then_at").is_null()).told(*_CASE)
    last = last.frame.select(
        *_CASE, was_closed=nw.col("now_closed").cast(nw.Int64), closed_at="began_at"
    )
    found = looked_up(found, last, _CASE)
    case: tuple[str, ...] = _CASE
    if in_threads:
        case = ("domain_id", "thread_id")
        found = _by_thread(found, happened)
    found = looked_up(found, _named(happened, case), case)
    found = found.with_columns(
        nw.col(*_COUNTS).fill_null(0).cast(nw.Int64),
        is_closed=nw.col("was_closed").fill_null(0) == 1,
    ).with_columns(
        ends_at=nw.when(nw.col("is_closed")).then("closed_at").otherwise("as_of")
    )
    found = found.with_columns(
        age_hours=hours_between(found, "created_at", "ends_at"),
        idle_hours=hours_between(found, "last_event_at", "as_of"),
        status_hours=hours_between(found, "status_at", "as_of"),
    )
    columns = (
        *case,
        "created_at",
        "first_touch_at",
        "touch_hours",
        "first_assigned_at",
        "assigned_hours",
        "first_comment_at",
        "comment_hours",
        "first_closed_at",
        "closed_hours",
        "last_event_at",
        "idle_hours",
        "status",
        "status_at",
        "status_hours",
        "is_closed",
        "age_hours",
        "assigned_user",
        "assigned_queue",
        *_COUNTS,
    )
    return handed_back(with_ids(found.select(*columns)), history, case)


_FIRST = ("touch", "assigned", "comment", "closed")
_STANDING = ("status", "assigned_user", "assigned_queue")


def _by_thread(found: Any, events: Any) -> Any:
    """Return what is told of cases added up by thread; the kept one says how it stands."""
    thread = ("domain_id", "thread_id")
    of_case = events.select(*_CASE, "thread_id").unique()
    found = looked_up(found, of_case, _CASE)
    is_kept = nw.col("case_id") == nw.col("thread_id")
    names = (*_STANDING, "status_at", "closed_at", "was_closed")
    found = found.with_columns(
        **{name: nw.when(is_kept).then(name) for name in names},
    )
    counts = [n for n in _COUNTS if n in found.collect_schema().names()]
    first = ("created_at", *(f"first_{name}_at" for name in _FIRST))
    found = found.group_by(*thread).agg(
        nw.col(*counts).sum(),
        nw.col(*first).min(),
        nw.col(*names, "last_event_at", "as_of").max(),
    )
    return found.with_columns(
        **{
            f"{name}_hours": hours_between(found, "created_at", f"first_{name}_at")
            for name in _FIRST
        }
    )


def _named(events: Any, case: tuple[str, ...]) -> Any:
    """Return how many actors the events of each case or thread name."""
    if "is_counted" in events.collect_schema().names():
        events = events.filter("is_counted")
    named = events.select(
        *case, "actor", actor_kind=nw.col("actor_kind").fill_null("unknown")
    )
    named = named.filter(~nw.col("actor").is_null())
    named = told_apart(named, "who", (*case, "actor", "actor_kind"))
    named = named.select(
        *case,
        "who",
        n_actors=nw.lit(1, nw.Int64),
        n_agents=(nw.col("actor_kind") == "agent").cast(nw.Int64),
    )
    counts = ("n_actors", "n_agents")
    named = named.group_by("who").agg(nw.col(*case, *counts).max())
    return summed_by(named, case, nw.col(*counts).sum())


def _counted(events: Any) -> Any:
    """Return what the events alone tell of each case."""
    is_agent = (nw.col("actor_kind") == "agent").fill_null(False)
    is_added = (nw.col("event_type") == "RelatedItem.Created").fill_null(False)

    def added(kind: str) -> nw.Expr:
        return is_added & (nw.col("related_item_type") == kind).fill_null(False)

    rows = events.select(
        *_CASE,
        "performed_at",
        "as_of",
        n_changes=nw.col("n_changes").cast(nw.Int64),
        n_events=nw.lit(1, nw.Int64),
        n_by_agents=is_agent.cast(nw.Int64),
        n_comments=added("Comment").cast(nw.Int64),
        n_contacts=added("Contact").cast(nw.Int64),
        n_merge_events=(~nw.col("merge_event_id").is_null()).cast(nw.Int64),
    )
    sums = [name for name in _COUNTS if name in rows.collect_schema().names()]
    return summed_by(
        rows,
        _CASE,
        nw.col(*sums).sum(),
        last_event_at=nw.col("performed_at").max(),
        as_of=nw.col("as_of").max(),
    )


def _is_of(*field_ids: str) -> nw.Expr:
    return nw.any_horizontal(
        *(nw.col("field_id") == name for name in field_ids), ignore_nulls=True
    ).fill_null(False)


def _standing(linked: Chains) -> Any:
    """Return each case's status and holders as the last changes left them."""
    held = linked.filter(nw.col("until_at").is_null()).told(*_CASE).frame
    is_status = (nw.col("field_id") == "status") & ~nw.col("new_kind").is_null()
    held = held.select(
        *_CASE,
        status_at=nw.when(is_status).then("began_at"),
        **{n: nw.when(nw.col("field_id") == n).then("new") for n in _STANDING},
    )
    names = ("status_at", *_STANDING)
    return summed_by(held, _CASE, nw.col(*names).max())
