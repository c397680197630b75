"""Rework: moves back, touches, hours held, and pairs that pass a case to and fro."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from casesnb.analysis.calendar import with_work
from casesnb.analysis.closing import CLOSED, closed_values
from casesnb.analysis.flow import TIMED, first_times_of, handoffs, moves_of
from casesnb.analysis.spells import begun, spells
from casesnb.analysis.tail import tail as tail  # noqa: PLC0414 - of this family
from casesnb.analysis.timezones import hours_between, in_hours, micros_between
from casesnb.tables.arguments import as_ids, need_spelled
from casesnb.tables.field_chain import chains, field_ids_of, is_creation
from casesnb.tables.frames import (
    beside,
    handed_back,
    instant,
    opened,
    rows_of,
    until_of,
    up_to,
    windowed,
)
from casesnb.tables.schema import (
    BY,
    CHANGES,
    EVENTS,
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

__all__ = ["backward_moves", "effort", "pairs", "tail"]


def __dir__() -> list[str]:
    return __all__


BACKWARD_MOVES = Table(
    "backward_moves",
    "One row per move of a case back against a declared order of values.",
    (
        *OF_FIELD,
        Column("from_value", TEXT, "the value before"),
        Column("to_value", TEXT, "the value after, which comes earlier in the order"),
        Column("n_back", "int64", "how many places back"),
        Column("at", TIME, "when"),
        *BY,
    ),
)

EFFORT = Table(
    "effort",
    "One row per case: how often it was touched, and how long somebody held it.",
    (
        *OF_CASE,
        Column("created_at", TIME, "when it was created; missing if not told"),
        Column("end_at", TIME, "its first close, or `as_of` if it is not closed"),
        Column("is_open", "bool", "not closed by then"),
        Column("n_touches", "int64", "events of agents in between"),
        Column("n_agents", "int64", "different agents among them"),
        Column("hours", "float64", "hours from creation to the end"),
        Column("held_hours", "float64", "of them held by a user"),
        Column("share", "float64", "held, of all; missing if it took no time"),
    ),
)

PAIRS = Table(
    "pairs",
    "One row per two holders who passed cases to each other: how often, each way.",
    (
        Column("field_id", TEXT, "`assigned_user` or `assigned_queue`"),
        Column("one", TEXT, "a holder, the first by name"),
        Column("other", TEXT, "the other"),
        Column("n", "int64", "handoffs between them"),
        Column("n_forth", "int64", "from `one` to `other`"),
        Column("n_back", "int64", "from `other` to `one`"),
        Column("n_ping_pong", "int64", "back to the holder before last"),
        Column("n_cases", "int64", "cases that they passed"),
    ),
)

_CASE = ("domain_id", "case_id")
_KEY = list(_CASE)


def backward_moves(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    order: Sequence[str],
    *,
    field_id: str = "status",
    as_of: dt.datetime | None = None,
) -> IntoFrameT:
    """One row per move of a case back against a declared order of values.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    order : sequence of str
        The values in the order in which a case should go through them, such as
        ``["open", "in_progress", "closed"]``. Moves from or to any other value
        go neither forth nor back.
    field_id : str, default "status"
        The field.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest change of a frame.

    Returns
    -------
    DataFrame
        The columns of ``schema.BACKWARD_MOVES``, by case and time, in the kind
        of frame that was given.

    Raises
    ------
    ValueError
        If `order` has fewer than two values or one twice, none of them is in
        the history, or one is nearly one that is.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> back = backward_moves(history, ["open", "in_progress", "closed"])
    >>> back[["from_value", "to_value", "n_back"]].values.tolist()
    [['closed', 'open', 2]]
    """
    given, order = order, as_ids(order)
    if len(order) < 2 or len(order) < len(given):
        raise ValueError(f"order={[*given]!r}: give two values or more, each once.")
    (field_id,) = field_ids_of(history, [field_id])
    linked = begun(history, field_id, as_of=as_of)
    there = {row["new"] for row in rows_of(linked.told().frame.select("new").unique())}
    if there and not {*order} & there:
        some = ", ".join(sorted(value for value in there if value)[:8])
        raise ValueError(
            f"None of order={order!r} is a value of {field_id}. There are {some:.300}."
        )
    need_spelled(order, filter(None, there), "order=")
    moves = moves_of(linked).told(*_CASE, "field_id", "event_id", "actor")
    place_from, place_to = nw.lit(None, nw.Int64), nw.lit(None, nw.Int64)
    for place, value in enumerate(order):
        is_from, is_to = nw.col("from_value") == value, nw.col("to_value") == value
        place_from = nw.when(is_from).then(nw.lit(place)).otherwise(place_from)
        place_to = nw.when(is_to).then(nw.lit(place)).otherwise(place_to)
    moves = moves.with_columns(n_back=(place_from - place_to).cast(nw.Int64))
    moves = moves.filter((nw.col("n_back") > 0).fill_null(False))
    return handed_back(moves.frame, history, moves.order, BACKWARD_MOVES.names)


def effort(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    *,
    events: IntoFrameT | None = None,
    closed: str | Sequence[str] = CLOSED,
    as_of: dt.datetime | None = None,
    calendar: Calendar | None = None,
) -> IntoFrameT:
    """One row per case: how often it was touched, and how long somebody held it.

    What lean management calls flow efficiency is ``share``: the time during
    which a user held the case, of the time from its creation to its first
    close. A case that nobody holds waits.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    events : DataFrame, optional
        Beside changes alone, ``schema.EVENTS`` of the same kind.
    closed : str or sequence of str, default "closed"
        The statuses that mean closed, in small letters or capitals.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest event of a frame.
    calendar : Calendar, optional
        Also tell ``held_working_hours`` and ``working_share``: held in these
        hours of work, of all hours from creation to the end.

    Returns
    -------
    DataFrame
        The columns of ``schema.EFFORT``, by case, in the kind of frame that was
        given. Hours are missing where the creation is not told, and held ones
        count as far as their start is told. A merge's close is no close.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> bool(effort(history)["share"].between(0, 1).all())
    True
    """
    values = closed_values(history, closed)
    changes = opened(history, CHANGES)
    happened = opened(beside(history, events, EVENTS), EVENTS)
    as_of = until_of(history, happened, as_of)
    happened, changes = map(windowed, up_to(as_of, happened, changes))
    cases = first_times_of(
        happened.to_native(), chains(changes.to_native(), *TIMED), values
    )
    cases = windowed(cases).select(*_CASE, "created_at", "first_closed_at")
    cases = cases.select(
        *_CASE,
        "created_at",
        end_at=nw.coalesce("first_closed_at", instant(cases, as_of)),
        is_open=nw.col("first_closed_at").is_null(),
    )
    span = cases.select(*_CASE, born="created_at", end="end_at")
    by_agent = (nw.col("actor_kind") == "agent").fill_null(False)
    done = happened.filter(by_agent & ~is_creation())
    done = done.select(*_CASE, "performed_at", "actor").join(span, on=_KEY, how="inner")
    done = done.filter((nw.col("performed_at") <= nw.col("end")).fill_null(False))
    n_touches = done.group_by(*_CASE).agg(n_touches=nw.len())
    n_agents = done.select(*_CASE, "actor").unique().group_by(*_CASE)
    cases = cases.join(n_touches, on=_KEY, how="left")
    cases = cases.join(n_agents.agg(n_agents=nw.len()), on=_KEY, how="left")
    held = opened(spells(changes.to_native(), "assigned_user", as_of=as_of))
    held = windowed(held)
    held = held.filter(~nw.col("value").is_null(), ~nw.col("start_at").is_null())
    held = held.select(*_CASE, "start_at", "end_at").join(span, on=_KEY, how="inner")
    start, end = nw.col("start_at"), nw.col("end_at")
    held = held.with_columns(
        start_at=nw.when(start < nw.col("born")).then("born").otherwise("start_at"),
        end_at=nw.when(end > nw.col("end")).then("end").otherwise("end_at"),
    ).filter((start < end).fill_null(False))
    held = held.with_columns(micros=micros_between(held, "start_at", "end_at"))
    sums = {"micros": "held_hours"}
    if calendar is not None:
        held = with_work(held, calendar, start="start_at", end="end_at")
        sums["working_micros"] = "held_working_hours"
    held = held.group_by(*_CASE).agg(nw.col(*sums).sum())
    cases = cases.join(held, on=_KEY, how="left")
    cases = cases.with_columns(hours=hours_between(cases, "created_at", "end_at"))
    is_told = nw.when(~nw.col("created_at").is_null())
    cases = cases.with_columns(
        nw.col("n_touches", "n_agents").fill_null(0).cast(nw.Int64),
        **{
            name: is_told.then(in_hours(nw.col(micros).fill_null(0)))
            for micros, name in sums.items()
        },
    )
    hours = nw.col("hours")
    shares = {"held_hours": "share", "held_working_hours": "working_share"}
    cases = cases.with_columns(
        **{
            shares[name]: nw.when((hours > 0).fill_null(False)).then(
                nw.col(name) / hours
            )
            for name in sums.values()
        }
    )
    more = () if calendar is None else ("held_working_hours", "working_share")
    return handed_back(cases, history, _CASE, (*EFFORT.names, *more))


def pairs(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    *,
    as_of: dt.datetime | None = None,
) -> IntoFrameT:
    """One row per two holders who passed cases to each other: how often, each way.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest change of a frame.

    Returns
    -------
    DataFrame
        The columns of ``schema.PAIRS``, by field and the most handoffs, in the
        kind of frame that was given.

    See Also
    --------
    handoffs : Each of them, with its event.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> pairs(history)[["n", "n_ping_pong"]].values.tolist()
    [[1, 0], [1, 0], [2, 1], [1, 0]]
    """
    moves = opened(handoffs(history, as_of=as_of))
    start, end = nw.col("from_value"), nw.col("to_value")
    moves = moves.filter(~start.is_null(), ~end.is_null(), (start != end))
    is_forth = start < end
    moves = moves.select(
        *_CASE,
        "field_id",
        one=nw.when(is_forth).then("from_value").otherwise("to_value"),
        other=nw.when(is_forth).then("to_value").otherwise("from_value"),
        n_forth=is_forth.cast(nw.Int64),
        n_back=(~is_forth).cast(nw.Int64),
        n_ping_pong=nw.col("is_ping_pong").cast(nw.Int64),
    )
    key = ("field_id", "one", "other")
    counts = ("n_forth", "n_back", "n_ping_pong")
    of_case = moves.group_by(*_CASE, *key).agg(nw.col(*counts).sum(), one_=nw.len())
    found = of_case.group_by(*key).agg(nw.col(*counts).sum(), n_cases=nw.len())
    found = found.with_columns(nw.col(*counts, "n_cases").cast(nw.Int64))
    found = found.with_columns(n=nw.col("n_forth") + nw.col("n_back"))
    found = found.with_columns(rank=0 - nw.col("n"))
    return handed_back(
        found, history, ("field_id", "rank", "one", "other"), PAIRS.names
    )
