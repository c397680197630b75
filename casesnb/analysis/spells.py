"""Spells: the intervals during which a field held one value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

from casesnb.analysis.calendar import with_work
from casesnb.analysis.timezones import (
    hours_between,
    in_hours,
    micros_between,
    with_period,
)
from casesnb.analysis.windows import (
    CLIPPED,
    Window,
    clipped,
    in_pieces,
    pieces_of,
    span_of,
)
from casesnb.tables.field_chain import (
    Chains,
    chains,
    differs,
    field_ids_of,
    in_thread,
    is_new,
)
from casesnb.tables.frames import (
    as_given,
    as_of_of,
    handed_back,
    instant,
    stacked,
    windowed,
)
from casesnb.tables.keys import summed_by
from casesnb.tables.schema import (
    CHAIN,
    CHANGES,
    HELD,
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

_COLUMNS = (
    *CHAIN,
    "kind",
    "value",
    "start_at",
    "end_at",
    "hours",
    "is_open",
    "is_known",
    "event_id",
    "actor",
)


SPELLS = Table(
    "spells",
    "One row per case, field and interval during which it held one value.",
    (
        Column("domain_id", TEXT, "the Cases domain"),
        Column("case_id", TEXT, "the case"),
        Column("field_id", TEXT, "the field"),
        Column("kind", TEXT, "kind of the value; missing if AWS sent none"),
        Column("value", TEXT, "the value as text; missing for empty and absent"),
        Column("start_at", TIME, "when it began; missing if before the history"),
        Column("end_at", TIME, "when it ended, or `as_of` if it had not"),
        Column("hours", "float64", "hours from `start_at` to `end_at`"),
        Column("is_open", "bool", "the value still held at `as_of`"),
        Column(
            "is_known",
            "bool",
            "both ends are in the history and nothing contradicts them",
        ),
        Column(
            "event_id", TEXT, "the event that began it; missing if before the history"
        ),
        Column("actor", TEXT, "who began it"),
    ),
    source="what spells returned",
)

TIME_IN = Table(
    "time_in",
    "One row per case and value of a field: how long it held.",
    (
        *OF_FIELD,
        *HELD,
        Column(
            "hours", "float64", "hours of all spells, as far as their start is told"
        ),
        Column("n_spells", "int64", "how many"),
        Column("is_open", "bool", "it still held at `as_of`"),
        Column("is_known", "bool", "every one of the spells is known"),
    ),
)

BACKLOG = Table(
    "backlog",
    "One row per period and value in or out of which a case went.",
    (
        Column("period_at", TIME, "when the period began"),
        Column("field_id", TEXT, "the field"),
        *HELD,
        Column("n_in", "int64", "times that a case got the value in the period"),
        Column("n_out", "int64", "times that a case lost it"),
        Column("n_cases", "int64", "cases that held it when the period ended"),
    ),
)


def spells(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    field_id: str | None = None,
    *,
    as_of: dt.datetime | None = None,
    window: Window | None = None,
    calendar: Calendar | None = None,
) -> IntoFrameT:
    """One row per case, field and interval during which it held one value.

    A change to the value that a field already has does not end a spell. What a
    field held before its first recorded change is a spell without a start, if
    AWS gave the old value there. Where an old value is not the one before it,
    something is missing from the history: the spell that ends in such a break
    is not ``is_known``, for another value came before its end. Nor is one whose
    value depends on the order of events of one instant that nothing decides.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    field_id : str, optional
        Only this field; all fields otherwise, related items' left out.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest change of a frame.
    window : tuple of datetime, optional
        From when on and until when, the end excluded, with their zones: spells
        are cut to it, and ``is_clipped_start`` and ``is_clipped_end`` say where,
        as `between` tells.
    calendar : Calendar, optional
        Also tell ``working_hours`` by these hours of work.

    Returns
    -------
    DataFrame
        The columns of ``schema.SPELLS``, by case, field and start, in the kind
        of frame that was given.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> bool(spells(history, "status")["is_open"].iloc[-1])
    True
    """
    fields = () if field_id is None else field_ids_of(history, [field_id])
    linked = _held(begun(history, *fields, as_of=as_of), "event_id", "actor")
    held = linked.frame
    columns: tuple[str, ...] = _COLUMNS
    if window is not None:
        held = clipped(held, *span_of(window, as_of_of(history, as_of)))
        columns = (*columns, *CLIPPED)
    if calendar is not None:
        held = with_work(held, calendar, start="start_at", end="end_at")
        columns = (*columns, "working_hours")
    return handed_back(held, history, linked.order, columns)


def begun(changes: object, *field_ids: str, as_of: dt.datetime | None = None) -> Chains:
    """Return the changes that begin a spell, each with the value before it."""
    linked = chains(changes, *field_ids, as_of=as_of)
    return begun_of(linked, as_of_of(changes, as_of))


def begun_of(linked: Chains, as_of: dt.datetime | None) -> Chains:
    """Return what `begun` does, from the changes in their chains."""
    # What did not begin a spell left the value before as it was.
    linked = linked.filter(is_new(), without=("prior", "prior_kind", "is_last"))
    is_late = nw.col("is_first") | nw.col("is_after_untold")
    linked = linked.with_columns(
        is_same=is_late & ~nw.col("old_kind").is_null() & ~differs("old", "new"),
    )
    # A change to the value that was there already is no start, nor is one to a value
    # that AWS did not send.
    is_start = ~nw.col("is_same") & ~nw.col("new_kind").is_null()
    began_at = nw.when(is_start).then("performed_at")
    linked = linked.with_columns(began_at=began_at).beside(
        since_at=("began_at", 1),
        until_at=("performed_at", -1),
        then_break=("is_break", -1),
    )
    linked = linked.with_columns(
        since_at=nw.when(~nw.col("is_break")).then("since_at"),
        then_break=nw.col("then_break").fill_null(False),
    )
    if "merged_at" not in linked.frame.collect_schema().names():
        return linked
    if as_of is not None:
        at = nw.col("merged_at")
        is_past = at <= instant(linked.frame, as_of)
        linked = linked.with_columns(merged_at=nw.when(is_past).then(at))
    linked = linked.with_columns(**in_thread("until_at"))
    return linked.with_columns(then_break=nw.col("then_break") & ~nw.col("is_cut"))


def living(linked: Chains) -> Chains:
    """Return what `begun` does without what a merge did to the case that it closed."""
    if "is_end" not in linked.frame.collect_schema().names():
        return linked
    return linked.filter(~nw.col("is_end"))


def is_known_spell() -> nw.Expr:
    """Return of what `begun` does whether value and both ends are told for sure."""
    is_told = ~nw.col("is_same") & ~nw.col("new_kind").is_null()
    return is_told & ~nw.col("then_break") & ~nw.col("is_unsure")


def replaced(linked: Chains) -> Chains:
    """Return what `begun` does with the values that the changes replaced."""
    has_old = ~nw.col("old_kind").is_null()
    return linked.with_prior().with_columns(
        previous_kind=nw.when(has_old).then("old_kind").otherwise("prior_kind"),
        previous=nw.when(has_old).then("old").otherwise("prior"),
    )


def _held(linked: Chains, *names: str, of: Sequence[str] = CHAIN) -> Chains:
    """Return the spells that `begun` changes begin, and those before the first."""
    linked = living(linked)
    is_sure = ~nw.col("is_same")
    # What a change replaced was a spell too, where nothing tells of its start.
    is_late = nw.col("is_first") & is_sure & ~nw.col("old_kind").is_null()
    linked = linked.preceded(
        is_late & ~nw.col("is_creation"),
        new_kind=nw.col("old_kind"),
        new=nw.col("old"),
        until_at=nw.col("performed_at"),
        is_same=nw.lit(True),
    )
    found = linked.with_columns(
        kind=nw.col("new_kind"),
        value=nw.col("new"),
        start_at=nw.when(is_sure).then("performed_at"),
        end_at=nw.coalesce("until_at", "as_of"),
        is_open=nw.col("until_at").is_null(),
        is_known=is_known_spell(),
    )
    found = found.told(*of).told(*names, where=is_sure)
    return found.with_columns(hours=hours_between(found.frame, "start_at", "end_at"))


def time_in(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    field_id: str = "status",
    *,
    by: Sequence[str] = ("domain_id", "case_id"),
    as_of: dt.datetime | None = None,
    window: Window | None = None,
    freq: str | None = None,
    tz: str | dt.tzinfo = "UTC",
    calendar: Calendar | None = None,
) -> IntoFrameT:
    """One row per case and value: how long the field held it, all spells together.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    field_id : str, default "status"
        The field.
    by : sequence of str, default ("domain_id", "case_id")
        Columns of `spells` that are kept apart beside the value: ``("actor",)``
        tells the time by who began it, ``()`` that of all cases together.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest change of a frame.
    window : tuple of datetime, optional
        Only the time from the first moment to the second, with their zones.
    freq : str, optional
        Also by period, as `actor_activity` takes it: ``period_at`` comes first.
    tz : str or tzinfo, default "UTC"
        The IANA time zone whose days, weeks and months the periods are.
    calendar : Calendar, optional
        Also tell ``working_hours`` by these hours of work.

    Returns
    -------
    DataFrame
        The columns of ``schema.TIME_IN``, those of `by` in place of the case's,
        by case and value, in the kind of frame that was given. In a window or
        period ``is_open`` says that it still held at the end.

    Raises
    ------
    ValueError
        If `by` names another column, `freq` is not a period, there is no such
        zone, or the window begins after what is told.

    See Also
    --------
    time_bounds : How long at least and at most, where the history has gaps.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> bool((time_in(history)["hours"] >= 0).all())
    True
    """
    if not set(by) <= {"domain_id", "case_id", "actor"}:
        raise ValueError(
            f"by={by!r}: give any of 'domain_id', 'case_id' and 'actor', as a sequence."
        )
    (field_id,) = field_ids_of(history, [field_id])
    told = set(by) & {"actor"}
    held = _held(begun(history, field_id, as_of=as_of), *told).frame
    if window is not None:
        window = span_of(window, as_of_of(history, as_of))
    if freq is not None:
        like = as_given(history, CHANGES)
        held = in_pieces(held, pieces_of(held, window, freq, tz), like)
    elif window is not None:
        held = clipped(held, *window)
    held = held.with_columns(micros=micros_between(held, "start_at", "end_at"))
    sums = {"micros": "hours"}
    if calendar is not None:
        held = with_work(held, calendar, start="start_at", end="end_at")
        sums["working_micros"] = "working_hours"
    key = ("period_at",) * (freq is not None) + (*by, "field_id", "kind", "value")
    held = held.with_columns(
        one=nw.lit(1, nw.Int64),
        open=nw.col("is_open").cast(nw.Int64),
        unsure=(~nw.col("is_known")).cast(nw.Int64),
    )
    held = held.with_columns(nw.col(name).fill_null(0) for name in sums)
    found = summed_by(
        held,
        key,
        *(nw.col(name).sum() for name in sums),
        n_spells=nw.col("one").sum(),
        n_open=nw.col("open").sum(),
        n_unsure=nw.col("unsure").sum(),
    )
    found = found.with_columns(
        **{new: in_hours(nw.col(old)) for old, new in sums.items()},
        n_spells=nw.col("n_spells").cast(nw.Int64),
        is_open=nw.col("n_open") > 0,
        is_known=nw.col("n_unsure") == 0,
    )
    columns = (
        *key,
        "hours",
        "n_spells",
        "is_open",
        "is_known",
        *list(sums.values())[1:],
    )
    return handed_back(found, history, key, columns)


def backlog(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    *,
    freq: str = "1d",
    field_id: str = "status",
    as_of: dt.datetime | None = None,
    tz: str | dt.tzinfo = "UTC",
) -> IntoFrameT:
    """One row per period and value in or out of which a case went.

    The number of cases stays as it is until the value's next row. A spell whose
    start the history does not tell is not counted.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    freq : str, default "1d"
        The period's length, as `actor_activity` takes it.
    field_id : str, default "status"
        The field whose values are counted; ``assigned_queue`` gives queues.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest change of a frame.
    tz : str or tzinfo, default "UTC"
        The IANA time zone whose days, weeks and months the periods are.

    Returns
    -------
    DataFrame
        The columns of ``schema.BACKLOG``, by period and value, in the kind of
        frame that was given.

    Raises
    ------
    ValueError
        If `freq` is not a period, or there is no such zone.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> flow = backlog(history)
    >>> int(flow["n_in"].sum() - flow["n_out"].sum())  # the case is somewhere
    1
    """
    (field_id,) = field_ids_of(history, [field_id])
    held = _held(begun(history, field_id, as_of=as_of), of=()).frame
    # A filter takes every column there is.
    held = held.select("kind", "value", "start_at", "end_at", "is_open")
    held = held.filter(~nw.col("start_at").is_null())
    one, none = nw.lit(1, nw.Int64), nw.lit(0, nw.Int64)
    came = held.select("kind", "value", at=nw.col("start_at"), n_in=one, n_out=none)
    went = held.filter(~nw.col("is_open"))
    went = went.select("kind", "value", at=nw.col("end_at"), n_in=none, n_out=one)
    moves = stacked([came, went])
    moves = with_period(moves, "at", freq, tz)
    key = ("period_at", "kind", "value")
    counted = moves.group_by(*key).agg(
        n_in=nw.col("n_in").sum(), n_out=nw.col("n_out").sum()
    )
    counted = (
        windowed(counted)
        .with_columns(
            net=(nw.col("n_in") - nw.col("n_out")).cast(nw.Int64),
            # One text that is never missing, as engines differ in what a missing key is.
            held=nw.concat_str(
                nw.col("kind").fill_null(""),
                nw.col("value").fill_null(""),
                separator="\x1f",
            ),
        )
        .with_columns(
            n_cases=nw.col("net").cum_sum().over("held", order_by="period_at"),
        )
    )
    counted = counted.with_columns(
        nw.col("n_in", "n_out", "n_cases").cast(nw.Int64), field_id=nw.lit(field_id)
    )
    columns = ("period_at", "field_id", "kind", "value", "n_in", "n_out", "n_cases")
    return handed_back(counted, history, key, columns)
