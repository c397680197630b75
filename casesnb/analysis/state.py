"""What a case's fields held at a moment, who set it, and what changed between two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from casesnb.analysis.spells import begun, living, replaced
from casesnb.tables.arguments import moment
from casesnb.tables.field_chain import Chains, differs
from casesnb.tables.frames import handed_back, rows_of
from casesnb.tables.schema import (
    BY,
    CHAIN,
    FROM_TO,
    HELD,
    OF_FIELD,
    TEXT,
    TIME,
    Column,
    Table,
)

if TYPE_CHECKING:
    import datetime as dt

    from narwhals.typing import IntoFrameT

    from casesnb.tables.history import History

_CASE = ("domain_id", "case_id")
_IS_KNOWN = Column(
    "is_known",
    "bool",
    "False where AWS did not send it, or where nothing decides which of the changes of "
    "one instant came last",
)


STATE_AT = Table(
    "state_at",
    "One row per case and field that the history tells by a moment.",
    (
        *OF_FIELD,
        *HELD,
        _IS_KNOWN,
        Column("since_at", TIME, "when it got the value; missing if not told"),
        *BY,
    ),
)

BLAME = Table(
    "blame",
    "One row per case and field: its value, who set it, when, from what.",
    (
        *OF_FIELD,
        *HELD,
        _IS_KNOWN,
        *BY,
        Column("actor_kind", TEXT, "`agent`, `custom`, `service`, `role` or `unknown`"),
        Column("since_at", TIME, "when it got the value; missing if not told"),
        Column("previous_kind", TEXT, "kind of the value before; missing if not told"),
        Column("previous", TEXT, "the value before"),
    ),
)

DIFF = Table(
    "diff",
    "One row per case and field that held another value at a later moment.",
    (
        *OF_FIELD,
        *FROM_TO,
        Column("is_known", "bool", "both values are"),
        Column("since_at", TIME, "when it got the later value"),
        *BY,
    ),
)


def state_at(
    history: History[IntoFrameT] | IntoFrameT, /, *, as_of: dt.datetime | None = None
) -> IntoFrameT:
    """One row per case and field that the history tells by then: what it held.

    A field whose first recorded change comes later has no row: when it got the
    old value of that change is not told.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    as_of : datetime, optional
        The moment, with its zone, all that was done at it included; by default
        when the history was read, or the newest change of a frame.

    Returns
    -------
    DataFrame
        The columns of ``schema.STATE_AT``, by case and field, in the kind of
        frame that was given.

    See Also
    --------
    trust.compare_with_current : Whether it is what GetCase tells.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> state_at(history).query("field_id == 'status'")["value"].tolist()
    ['closed']
    """
    columns = (*CHAIN, "kind", "value", "is_known", "since_at", "event_id", "actor")
    state = _state(history, as_of, "event_id", "actor")
    return handed_back(state.frame, history, state.order, columns)


def blame(
    history: History[IntoFrameT] | IntoFrameT, /, *, as_of: dt.datetime | None = None
) -> IntoFrameT:
    """One row per case and field: its value, who set it, when, and what was there.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    as_of : datetime, optional
        The moment, with its zone; by default when the history was read, or the
        newest change of a frame.

    Returns
    -------
    DataFrame
        The columns of ``schema.BLAME``, by case and field, in the kind of frame
        that was given.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> blame(history).query("field_id == 'status'")["previous"].tolist()
    ['in_progress']
    """
    columns = (
        *CHAIN,
        "kind",
        "value",
        "is_known",
        "event_id",
        "actor",
        "actor_kind",
        "since_at",
        "previous_kind",
        "previous",
    )
    state = _state(history, as_of, *columns[6:])
    return handed_back(state.frame, history, state.order, columns)


def _state(changes: object, as_of: dt.datetime | None, *names: str) -> Chains:
    """Return the changes that began what still held, with columns of `blame`."""
    linked = begun(changes, as_of=as_of)
    if "previous" in names:
        linked = replaced(linked)  # by its neighbour, which is not among the last
    linked = living(linked).filter(nw.col("until_at").is_null())
    is_sure = ~nw.col("is_same")
    state = linked.with_columns(
        kind=nw.col("new_kind"),
        value=nw.col("new"),
        is_known=~nw.col("is_unsure") & ~nw.col("new_kind").is_null(),
        since_at=nw.when(is_sure).then("performed_at"),
    )
    return state.told(*CHAIN).told(*names, where=is_sure)


def state_table(
    history: History[IntoFrameT] | IntoFrameT, /, *, as_of: dt.datetime | None = None
) -> IntoFrameT:
    """One row per case, one column per field: what each held at a moment.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    as_of : datetime, optional
        The moment, with its zone; by default when the history was read, or the
        newest change of a frame.

    Returns
    -------
    DataFrame
        ``domain_id``, ``case_id`` and the fields by their ids, by case, in the
        kind of frame that was given; a field with one of these two ids is
        ``field_case_id`` or ``field_domain_id``. A field whose values are all
        numbers is float64, one whose values are all booleans is 1.0 for true
        and 0.0 for false, any other text; missing where the case does not have
        it or it is not known, as `state_at` tells.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> state_table(history)["status"].tolist()
    ['closed']
    """
    state = _state(history, as_of).frame
    found = rows_of(state.select("field_id", "kind").unique())
    kinds: dict[str, set[str]] = {}
    for row in found:
        told = kinds.setdefault(row["field_id"], set())
        if row["kind"] not in {None, "empty"}:
            told.add(row["kind"])
    fields = sorted(kinds)
    if not fields:
        return handed_back(state.select(*_CASE), history, _CASE)
    typed = {}
    for field_id in fields:
        is_told = nw.col("is_known") & ~nw.col("value").is_null()
        is_here = (nw.col("field_id") == field_id) & is_told
        if kinds[field_id] == {"double"}:
            value = nw.when(is_here).then("value").cast(nw.Float64)
        elif kinds[field_id] == {"boolean"}:
            is_true = (nw.col("value") == "true").fill_null(False)
            value = nw.when(is_here).then(is_true.cast(nw.Float64))
        else:
            value = nw.when(is_here).then("value")
        name = f"field_{field_id}" if field_id in _CASE else field_id
        while name != field_id and name in kinds:
            name = f"{name}_"
        typed[name] = value
    wide = state.select(*_CASE, **typed).group_by(*_CASE).agg(nw.col(*typed).max())
    return handed_back(wide.select(*_CASE, *typed), history, _CASE)


def diff(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    *,
    start: dt.datetime,
    end: dt.datetime,
) -> IntoFrameT:
    """One row per case and field that held another value at `end` than at `start`.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    start, end : datetime
        Two moments, with their zones.

    Returns
    -------
    DataFrame
        The columns of ``schema.DIFF``, by case and field, in the kind of frame
        that was given. ``from_kind`` is missing for a field that no event had
        told by `start`.

    Raises
    ------
    ValueError
        If `end` is before `start`.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> history = cn.load_history(cn.connect(world), *world.showcase)
    >>> found = diff(history, start=world.now.replace(month=1), end=world.now)
    >>> found.query("field_id == 'status'")["to_value"].tolist()
    ['closed']
    """
    if moment(end) < moment(start):
        raise ValueError(f"end={end} is before start={start}. Give them in order.")
    before = _state(history, start).frame.select(
        *CHAIN,
        from_kind="kind",
        from_value="value",
        was_known="is_known",
        told=nw.lit(1, nw.Int8),
    )
    after = _state(history, end, "event_id", "actor").frame.select(
        *CHAIN,
        "is_known",
        "since_at",
        "event_id",
        "actor",
        to_kind=nw.col("kind"),
        to_value=nw.col("value"),
    )
    both = after.join(before, on=list(CHAIN), how="left")
    # `differs` names its columns as changes do.
    both = both.with_columns(
        value_a=nw.col("from_value"),
        value_a_kind=nw.col("from_kind"),
        value_b=nw.col("to_value"),
        value_b_kind=nw.col("to_kind"),
    )
    is_new = nw.col("told").is_null()
    found = both.filter(is_new | differs("value_a", "value_b"))
    was_known = nw.col("was_known").fill_null(True)
    found = found.with_columns(is_known=nw.col("is_known") & was_known)
    columns = (
        *CHAIN,
        "from_kind",
        "from_value",
        "to_kind",
        "to_value",
        "is_known",
        "since_at",
        "event_id",
        "actor",
    )
    return handed_back(found, history, CHAIN, columns)
