"""How cases flow: from value to value, from holder to holder, closed and reopened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from casesnb.analysis.calendar import with_work
from casesnb.analysis.closing import CLOSED, closed_values, is_closed
from casesnb.analysis.spells import begun, living, replaced
from casesnb.analysis.timezones import hours_between
from casesnb.tables.field_chain import (
    Chains,
    chains,
    differs,
    field_ids_of,
    is_creation,
)
from casesnb.tables.frames import (
    NO_TEXT,
    as_given,
    as_of_of,
    beside,
    handed_back,
    is_history,
    opened,
    rows_like,
    rows_of,
    texts,
    texts_of,
    windowed,
)
from casesnb.tables.keys import looked_up, summed_by, told_apart
from casesnb.tables.schema import (
    BY,
    CHAIN,
    CHAIN_ORDER,
    CHANGES,
    EVENTS,
    FROM_TO,
    OF_CASE,
    OF_FIELD,
    TEXT,
    TIME,
    Column,
    Table,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from narwhals.typing import IntoFrameT

    from casesnb.analysis.calendar import Calendar
    from casesnb.tables.history import History

HOLDERS = ("assigned_user", "assigned_queue")
"""The fields that say who holds a case."""

TIMED = ("status", "assigned_user")
"""The fields of which first times are told."""

_CASE = ("domain_id", "case_id")
_KEY = list(_CASE)


TRANSITIONS = Table(
    "transitions",
    "One row per pair of values of a field that followed each other in a case.",
    (
        Column("field_id", TEXT, "the field"),
        *FROM_TO,
        Column("n", "int64", "how often"),
        Column("n_cases", "int64", "in how many cases"),
        Column(
            "median_hours", "float64", "how long the value before had held, the median"
        ),
    ),
)

HANDOFFS = Table(
    "handoffs",
    "One row per change of who holds a case: its user or its queue.",
    (
        *OF_FIELD,
        Column("from_value", TEXT, "who held it; missing for nobody"),
        Column("to_value", TEXT, "who holds it then; missing for nobody"),
        Column("at", TIME, "when"),
        Column("held_hours", "float64", "hours since the one before had got it"),
        Column(
            "is_ping_pong", "bool", "back to the holder before last, gaps left aside"
        ),
        *BY,
    ),
)

REOPENS = Table(
    "reopens",
    "One row per time that a closed case was opened again.",
    (
        *OF_CASE,
        Column("closed_at", TIME, "when it was closed; missing if not told"),
        Column("reopened_at", TIME, "when it was opened again"),
        Column("hours", "float64", "hours between"),
        Column("to_value", TEXT, "the status that it got"),
        Column("closed_by", TEXT, "`merge` or `change`; missing without events"),
        Column("close_event_id", TEXT, "the event that closed it"),
        Column("close_actor", TEXT, "who closed it; missing if not told"),
        *BY,
    ),
)

VARIANTS = Table(
    "variants",
    "One row per way that cases took through a field's values.",
    (
        Column("field_id", TEXT, "the field"),
        Column("variant", TEXT, "the values in order, `→` between them"),
        Column("n_steps", "int64", "how many values are told"),
        Column("n_cases", "int64", "cases that went so"),
        Column("share", "float64", "of all cases, from 0 to 1"),
    ),
)

FIRST_TIMES = Table(
    "first_times",
    "One row per case: when something first happened to it.",
    (
        *OF_CASE,
        Column("created_at", TIME, "when it was created; missing if not told"),
        Column("first_touch_at", TIME, "an agent's first event after creation"),
        Column("touch_hours", "float64", "hours from creation to it"),
        Column("first_assigned_at", TIME, "first time that a user held it"),
        Column("assigned_hours", "float64", "hours from creation to it"),
        Column("first_comment_at", TIME, "its first comment"),
        Column("comment_hours", "float64", "hours from creation to it"),
        Column("first_closed_at", TIME, "first close that no merge made"),
        Column("closed_hours", "float64", "hours from creation to it"),
    ),
)


def transitions(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    field_id: str = "status",
    *,
    as_of: dt.datetime | None = None,
) -> IntoFrameT:
    """One row per pair of values that followed each other in a case.

    What a case is created with follows nothing. Where the history has a break,
    the value that AWS says was replaced counts, its duration does not.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    field_id : str, default "status"
        The field.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest change of a frame.

    Returns
    -------
    DataFrame
        The columns of ``schema.TRANSITIONS``, by the two values, in the kind of
        frame that was given.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> found = transitions(history)
    >>> found.loc[found["to_value"] == "escalated", "from_value"].tolist()
    ['in_progress']
    """
    (field_id,) = field_ids_of(history, [field_id])
    moves = steps_of(begun(history, field_id, as_of=as_of)).with_chain().frame
    key = ("from_kind", "from_value", "to_kind", "to_value")
    moves = moves.select(*key, "chain", "hours", one=nw.lit(1, nw.Int64))
    found = (
        windowed(moves)
        .group_by(*key)
        .agg(
            n=nw.col("one").sum(),
            n_cases=nw.col("chain").n_unique(),
            median_hours=nw.col("hours").median(),
        )
    )
    found = found.with_columns(
        nw.col("n", "n_cases").cast(nw.Int64), field_id=nw.lit(field_id)
    )
    columns = ("field_id", *key, "n", "n_cases", "median_hours")
    return handed_back(found, history, key, columns)


def moves_of(linked: Chains) -> Chains:
    """Return of what `begun` does the changes of a value, after creation."""
    done = ("old", "old_kind", "prior", "prior_kind", "until_at", "then_break")
    is_told = ~nw.col("new_kind").is_null()  # or nobody knows where it went
    is_move = differs("new", "previous") & is_told & ~nw.col("is_creation")
    moves = living(replaced(linked)).filter(is_move, without=done)
    return moves.with_columns(
        from_kind=nw.col("previous_kind"),
        from_value=nw.col("previous"),
        to_kind=nw.col("new_kind"),
        to_value=nw.col("new"),
        at=nw.col("performed_at"),
        hours=hours_between(moves.frame, "since_at", "performed_at"),
    )


def steps_of(linked: Chains) -> Chains:
    """Return of what `moves_of` does the changes of which both values are told."""
    return moves_of(linked).filter(~nw.col("from_kind").is_null())


def handoffs(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    *,
    as_of: dt.datetime | None = None,
    calendar: Calendar | None = None,
) -> IntoFrameT:
    """One row per change of who holds a case: ``assigned_user``, ``assigned_queue``.

    What a case is created with is not handed over. A row from nobody is an
    assignment, a row to nobody a release; only rows with two names are handoffs
    in the strict sense.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest change of a frame.
    calendar : Calendar, optional
        Also tell ``held_working_hours`` by these hours of work.

    Returns
    -------
    DataFrame
        The columns of ``schema.HANDOFFS``, by case, field and time, in the kind
        of frame that was given. ``held_hours`` counts from the case's creation
        where nobody held it before, and is missing where the history does not
        tell since when.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> found = handoffs(history)
    >>> int(found["is_ping_pong"].sum())
    1
    """
    as_of, given = as_of_of(history, as_of), as_given(history, CHANGES)
    key = _KEY
    if isinstance(given, nw.DataFrame):  # one short key is quicker to join
        given, key = told_apart(given, "case", _CASE), ["case"]
    born = given.select(*key, "performed_at", "event_type").filter(is_creation())
    born = texts(born.group_by(*key).agg(born=nw.col("performed_at").min()))
    linked = handed_over(begun(given, *HOLDERS, as_of=as_of))
    linked = linked.told(*CHAIN, *key, "event_id", "actor")
    moves = linked.joined(born, key).frame
    # Nobody held it since it was created, if its first change says so.
    from_birth = (
        nw.col("since_at").is_null()
        & ~nw.col("is_break")
        & (nw.col("from_kind") == "empty").fill_null(False)
    )
    moves = moves.with_columns(
        since_at=nw.when(from_birth).then("born").otherwise("since_at")
    )
    moves = moves.with_columns(held_hours=hours_between(moves, "since_at", "at"))
    columns: tuple[str, ...] = (
        *CHAIN,
        "from_value",
        "to_value",
        "at",
        "held_hours",
        "is_ping_pong",
        "event_id",
        "actor",
    )
    if calendar is not None:
        moves = with_work(moves, calendar, start="since_at", end="at")
        moves = moves.with_columns(held_working_hours=nw.col("working_hours"))
        columns = (*columns, "held_working_hours")
    return handed_back(moves, history, linked.order, columns)


def handed_over(linked: Chains) -> Chains:
    """Return of what `begun` does the changes of who holds a case."""
    moves = moves_of(_named(linked))
    # To empty what never held anybody hands nothing over.
    is_named = ~nw.col("from_value").is_null() | ~nw.col("to_value").is_null()
    return moves.filter(is_named).with_columns(is_ping_pong=nw.col("is_back"))


def _named(linked: Chains) -> Chains:
    """Return the changes with ``is_back``: to the holder before the last one."""
    # An old value tells who held it too: before the first change, and after a break.
    name = nw.coalesce("new", "old")
    linked = linked.with_columns(name=name, is_named=~name.is_null())
    linked = linked.beside("is_named", told_name=("name", 1))
    linked = linked.with_columns(last_name=nw.coalesce("old", "told_name"))
    last = nw.col("last_name")
    is_other = (nw.col("name") != last).fill_null(True)
    is_gap = (last != nw.col("told_name")).fill_null(True)
    # Each change of the holder beside the one whom it takes the place of.
    linked = linked.with_columns(
        is_gap=is_gap,
        is_other=nw.col("is_named") & (is_other | is_gap),
        replaced_name=nw.when(is_other).then("last_name").otherwise("told_name"),
    )
    linked = linked.beside("is_other", name_before=("replaced_name", 1))
    before = nw.when(nw.col("is_gap")).then("told_name").otherwise("name_before")
    is_back = (nw.col("new") == before) & (nw.col("new") != last)
    return linked.with_columns(is_back=nw.col("is_other") & is_back.fill_null(False))


def reopens(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    *,
    events: IntoFrameT | None = None,
    closed: str | Sequence[str] = CLOSED,
    as_of: dt.datetime | None = None,
) -> IntoFrameT:
    """One row per time that a closed case was opened again.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    events : DataFrame, optional
        Beside changes alone, ``schema.EVENTS`` of the same kind: they tell which
        close was a merge's, which resolves nothing.
    closed : str or sequence of str, default "closed"
        The statuses that mean closed, in small letters or capitals.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest change of a frame.

    Returns
    -------
    DataFrame
        The columns of ``schema.REOPENS``, by case and time, in the kind of
        frame that was given. ``closed_at`` is missing where the history does
        not tell when it was closed, ``closed_by`` where there are no events.
        From one status that means closed to another is neither a close nor a
        reopening. A status that AWS did not send reopens nothing.

    Raises
    ------
    ValueError
        If no case ever had a status that is to mean closed.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> reopens(history)["hours"].round(1).tolist()
    [53.1]
    """
    values = closed_values(history, closed)
    linked = closings(begun(history, "status", as_of=as_of), values)
    moves = reopenings(linked)
    hours = hours_between(moves, "since_at", "performed_at")
    is_sure = nw.when(~nw.col("since_at").is_null())
    moves = moves.select(
        *_CASE,
        "sequence",
        "event_id",
        "actor",
        closed_at=nw.col("since_at"),
        reopened_at=nw.col("performed_at"),
        hours=hours,
        to_value=nw.col("new"),
        close_event_id=is_sure.then("closer"),
        close_actor=is_sure.then("close_actor"),
    )
    if events is not None or is_history(history):
        events = beside(history, events, EVENTS)
    if events is None:
        moves = moves.with_columns(closed_by=NO_TEXT)
    else:
        merged = opened(events, EVENTS).select(
            *_CASE,
            close_event_id=nw.col("event_id"),
            closed_by=nw.when(nw.col("merge_event_id").is_null())
            .then(nw.lit("change"))
            .otherwise(nw.lit("merge")),
        )
        moves = moves.join(merged, on=[*_KEY, "close_event_id"], how="left")
    columns = (
        *_CASE,
        "closed_at",
        "reopened_at",
        "hours",
        "to_value",
        "closed_by",
        "close_event_id",
        "close_actor",
        "event_id",
        "actor",
    )
    return handed_back(moves, history, (*_CASE, "sequence"), columns)


def reopenings(linked: Chains) -> Any:
    """Return of what `closings` does the changes that open a case again."""
    is_again = nw.col("was_closed") & nw.col("is_told") & ~nw.col("now_closed")
    moves = linked.filter(is_again & ~nw.col("is_creation"))
    return moves.told(*_CASE, "sequence").frame


def closings(linked: Chains, closed: Sequence[str]) -> Chains:
    """Return of what `begun` does with a status what closes a case or opens one."""
    linked = (
        replaced(linked)
        .with_columns(
            was_closed=is_closed(nw.col("previous"), closed),
            now_closed=is_closed(nw.col("new"), closed),
            is_told=~nw.col("new_kind").is_null(),
        )
        .beside(prior_at=("performed_at", 1))
    )
    # What AWS did not send neither closes nor opens. What comes after it may tell
    # that something did, as what comes after a break does.
    is_after = nw.col("is_after_untold")
    linked = linked.beside("is_told", had_closed=("now_closed", 1))
    is_other = nw.col("was_closed") != nw.col("had_closed").fill_null(False)
    linked = linked.with_columns(
        is_break=nw.col("is_break") | (is_after & nw.col("is_told") & is_other)
    )
    linked = linked.filter(nw.col("is_told") | nw.col("until_at").is_null())
    is_kept = nw.col("was_closed") != nw.col("now_closed")
    is_kept = is_kept | nw.col("is_first") | nw.col("is_break") | ~nw.col("is_told")
    linked = linked.filter(is_kept | is_after).told("event_id", "actor")
    # From closed to closed, since when is not told.
    is_stay = nw.col("was_closed") & nw.col("now_closed")
    is_start = nw.when(~is_stay & nw.col("is_told"))
    linked = linked.with_columns(began_at=is_start.then("performed_at"))
    linked = linked.beside(
        since_at=("began_at", 1),
        closer=("event_id", 1),
        close_actor=("actor", 1),
        then_at=("performed_at", -1),
    )
    is_sure = ~nw.col("is_break") & ~nw.col("is_after_untold")
    return linked.with_columns(since_at=nw.when(is_sure).then("since_at"))


def variants(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    field_id: str = "status",
    *,
    max_steps: int = 20,
    as_of: dt.datetime | None = None,
) -> IntoFrameT:
    """One row per way that cases took through a field's values.

    A way begins with the first value that the history tells: where it begins
    late, with the one that its first change replaced.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    field_id : str, default "status"
        The field.
    max_steps : int, default 20
        Ways are the same if their first so many values are.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest change of a frame.

    Returns
    -------
    DataFrame
        The columns of ``schema.VARIANTS``, the most frequent first, in the kind
        of frame that was given.

    Raises
    ------
    ValueError
        If `max_steps` is below 1.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> variants(history, max_steps=3)["variant"].tolist()
    ['open → in_progress → waiting_on_customer → …']
    """
    if not isinstance(max_steps, int) or max_steps < 1:
        raise ValueError(f"max_steps={max_steps}: give 1 or more.")
    (field_id,) = field_ids_of(history, [field_id])
    linked = living(begun(history, field_id, as_of=as_of))
    linked = linked.told(*CHAIN, *CHAIN_ORDER)
    is_late = nw.col("is_first") & ~nw.col("is_same") & ~nw.col("is_creation")
    frame = windowed(linked.frame).with_columns(before=nw.when(is_late).then("old"))
    frame = frame.with_columns(taken=1 + (~nw.col("before").is_null()).cast(nw.Int64))
    frame = frame.with_columns(
        place=nw.col("taken").cum_sum().over(*CHAIN, order_by=CHAIN_ORDER)
    ).select(
        *_CASE,
        "place",
        "before",
        # Texts first, whose type pandas 2 then keeps.
        step=nw.when(~nw.col("new_kind").is_null())
        .then(nw.col("new").fill_null("(empty)"))
        .otherwise(nw.lit("(not told)")),
    )
    (most,) = rows_of(frame.select(most=nw.col("place").max()))
    if most["most"] is None:  # pandas 2 joins no texts of no row
        none = rows_like([], VARIANTS, as_given(history, CHANGES))
        return handed_back(none, history, (), VARIANTS.names)
    steps = range(1, min(int(most["most"]), max_steps) + 1)
    frame = frame.with_columns(
        **{f"step_{n}": nw.when(nw.col("place") == n).then("step") for n in steps}
    ).with_columns(step_1=nw.coalesce("step_1", "before"))
    ways = frame.group_by(*_CASE).agg(
        nw.col(*(f"step_{n}" for n in steps)).max(), n_steps=nw.col("place").max()
    )
    rest = nw.when(nw.col("n_steps") > max_steps).then(nw.lit("…"))
    ways = ways.select(
        *_CASE,
        n_steps=nw.when(nw.col("n_steps") > max_steps)
        .then(nw.lit(max_steps))
        .otherwise("n_steps"),
        variant=nw.concat_str(
            *(nw.col(f"step_{n}") for n in steps),
            rest,
            separator=" → ",
            ignore_nulls=True,
        ),
        one=nw.lit(1, nw.Int64),
    )
    found = ways.group_by("variant", "n_steps").agg(n_cases=nw.col("one").sum())
    n_cases = nw.col("n_cases").cast(nw.Int64)
    found = found.with_columns(
        field_id=nw.lit(field_id),
        n_steps=nw.col("n_steps").cast(nw.Int64),
        n_cases=n_cases,
        share=nw.col("n_cases").cast(nw.Float64)
        / nw.col("n_cases").sum().cast(nw.Float64),
        rank=0 - n_cases,
    )
    columns = ("field_id", "variant", "n_steps", "n_cases", "share")
    return handed_back(found, history, ("rank", "variant"), columns)


def first_times(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    *,
    changes: IntoFrameT | None = None,
    closed: str | Sequence[str] = CLOSED,
) -> IntoFrameT:
    """One row per case: when it was first touched, assigned, commented, closed.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its events alone (``schema.EVENTS``), of pandas, Polars,
        DuckDB or PySpark.
    changes : DataFrame, optional
        Beside events alone, ``schema.CHANGES`` of the same kind.
    closed : str or sequence of str, default "closed"
        The statuses that mean closed, in small letters or capitals.

    Returns
    -------
    DataFrame
        The columns of ``schema.FIRST_TIMES``, by case, in the kind of frame
        that was given; missing where it did not happen, or where its time is
        not told. A merge's close is not counted. A case without an event has no
        row.

    Raises
    ------
    ValueError
        If no case ever had a status that is to mean closed.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> first = first_times(history)
    >>> bool((first["first_closed_at"] > first["created_at"]).all())
    True
    """
    changed = beside(history, changes, CHANGES)
    values = closed_values(changed, closed)
    linked = chains(changed, *TIMED)
    return handed_back(first_times_of(history, linked, values), history, _CASE)


def first_times_of(events: object, linked: Chains, closed: Sequence[str]) -> Any:
    """Return what `first_times` does, from chains of `TIMED`, not yet handed back."""
    kinds = ("event_type", "related_item_type", "actor_kind")
    frame = texts_of(as_given(events, EVENTS), *kinds)
    is_comment = (nw.col("event_type") == "RelatedItem.Created").fill_null(False) & (
        nw.col("related_item_type") == "Comment"
    ).fill_null(False)
    is_touch = ~is_creation() & (nw.col("actor_kind") == "agent").fill_null(False)
    names = {
        "created_at": is_creation(),
        "first_touch_at": is_touch,
        "first_comment_at": is_comment,
    }
    times = frame.select(
        *_CASE,
        **{name: nw.when(when).then("performed_at") for name, when in names.items()},
    )
    times = summed_by(times, _CASE, nw.col(*names).min())
    was = nw.when(~nw.col("is_first")).then("prior")
    before = nw.when(nw.col("old_kind").is_null()).then(was).otherwise("old")
    moves = linked.told(*CHAIN)
    given = first_holders(moves)
    is_told = nw.when(~nw.col("was_held"))
    given = given.select(*_CASE, first_assigned_at=is_told.then("performed_at"))
    # A join takes all of both sides: merges are few, and so are closes.
    merges = frame.filter(~nw.col("merge_event_id").is_null())
    merges = texts(merges.select(*_CASE, "event_id")).unique()
    ended = moves.filter(
        nw.col("field_id") == "status", is_closed(nw.col("new"), closed)
    )
    ended = ended.filter(~is_closed(before, closed))  # to close it again is no close
    ended = ended.told("event_id").frame
    ended = ended.join(merges, on=[*_KEY, "event_id"], how="anti")
    ended = summed_by(ended, _CASE, first_closed_at=nw.col("performed_at").min())
    both = looked_up(looked_up(times, given, _CASE), ended, _CASE)
    spans = ("touch", "assigned", "comment", "closed")
    both = both.with_columns(
        **{
            f"{name}_hours": hours_between(both, "created_at", f"first_{name}_at")
            for name in spans
        }
    )
    return both.select(
        *_CASE,
        "created_at",
        *(column for n in spans for column in (f"first_{n}_at", f"{n}_hours")),
    )


def first_holders(linked: Chains) -> Any:
    """Return each case's first change that names a user, and if one held it before."""
    is_user = nw.col("field_id") == "assigned_user"
    linked = linked.told(*CHAIN).filter(is_user)
    linked = linked.beside(since_at=("performed_at", 1))
    is_named = ~nw.col("new").is_null() | ~nw.col("old").is_null()
    linked = linked.filter(is_named).beside(named_at=("performed_at", 1))
    first = linked.filter(nw.col("named_at").is_null()).frame
    was_held = ~nw.col("old").is_null() & ~nw.col("is_creation")
    return first.select(*_CASE, "since_at", "performed_at", was_held=was_held)
