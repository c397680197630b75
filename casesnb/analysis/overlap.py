"""Several fields at once: how long which of their values held together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from casesnb.analysis.actors import spans_of_users
from casesnb.analysis.calendar import with_work
from casesnb.analysis.spells import begun, is_known_spell, living
from casesnb.analysis.timezones import in_hours, micros_between
from casesnb.analysis.windows import Window, clipped, in_pieces, pieces_of, span_of
from casesnb.tables.field_chain import field_ids_of, is_creation
from casesnb.tables.frames import (
    NO_TEXT,
    as_given,
    as_of_of,
    handed_back,
    instant,
    stacked,
    texts,
    windowed,
)
from casesnb.tables.keys import beside_all, carried_by, summed_by, with_numbers
from casesnb.tables.schema import CHAIN, CHAIN_ORDER, CHANGES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from narwhals.typing import IntoFrameT

    from casesnb.analysis.calendar import Calendar
    from casesnb.tables.history import History

_CASE: tuple[str, ...] = ("domain_id", "case_id")
_OURS = {*_CASE, "period_at", "hours", "is_open", "is_known", "working_hours"}
_USER = "assigned_user"


def overlap(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    *fields: str,
    by: Sequence[str] = _CASE,
    users: IntoFrameT | None = None,
    as_of: dt.datetime | None = None,
    window: Window | None = None,
    freq: str | None = None,
    tz: str | dt.tzinfo = "UTC",
    calendar: Calendar | None = None,
) -> IntoFrameT:
    """One row per case and combination of values: how long they held together.

    Time in each status while each queue held the case, say. The hours of all
    combinations add up to the time that the history tells of the case.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    *fields : str
        Two fields or more, such as ``"status", "assigned_queue"``; or columns
        of `users`, such as ``"team"``: that of whoever held the case then.
    by : sequence of str, default ("domain_id", "case_id")
        What is kept apart beside the values; ``()`` tells the time of all cases
        together.
    users : DataFrame, optional
        Who was what, and when, as `with_users` takes it, in the same kind of
        frame. A case is that of the team in which its holder was at the time.
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
        ``period_at`` if there is `freq`, the columns of `by`, for each field
        its value's kind and text (``status_kind``, ``status``), for a column of
        `users` the text alone; ``hours`` (float64), ``is_open`` (they held
        together at the end) and ``is_known`` (of each, as `spells` tells). A kind
        is missing while the history does not tell the field. By all of these
        columns, in the kind of frame that was given.

    Raises
    ------
    ValueError
        If there are fewer than two fields, one comes twice or is called as a
        column of ours, or `by` names another column; as `time_in` and
        `with_users` do besides.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> both = overlap(history, "status", "assigned_user")
    >>> total = cn.time_in(history)["hours"].sum()
    >>> bool(abs(both["hours"].sum() - total) < 1e-6)
    True
    """
    if not {*by} <= {*_CASE} or isinstance(by, str):
        raise ValueError(
            f"by={by!r}: give any of 'domain_id' and 'case_id', as a sequence."
        )
    told = None if users is None else spans_of_users(users)
    of_users = [] if told is None else [n for n in fields if n in told.columns]
    ids = field_ids_of(history, [name for name in fields if name not in of_users])
    named = dict(zip([n for n in fields if n not in of_users], ids, strict=True))
    columns = [named.get(name, name) for name in fields]
    if len(columns) < 2 or len({*columns}) < len(columns) or {*columns} & _OURS:
        raise ValueError(
            f"fields={', '.join(columns) or 'none'}: give two or more, each once, and "
            f"none that is called {', '.join(sorted(_OURS))}."
        )
    tracked = [*ids, *([_USER] if of_users and _USER not in ids else [])]
    as_of = as_of_of(history, as_of)
    rows = _stretches(history, tracked, as_of)
    if of_users or window is not None or freq is not None or calendar is not None:
        rows = windowed(rows)
    if told is not None and of_users:
        rows = _of_users(rows, told, f"value_{tracked.index(_USER)}", of_users)
    if window is not None:
        window = span_of(window, as_of)
    if freq is not None:
        like = as_given(history, CHANGES)
        rows = in_pieces(rows, pieces_of(rows, window, freq, tz), like)
    elif window is not None:
        rows = clipped(rows, *window)
    held = {
        column: expression
        for name in columns
        for column, expression in _columns(name, tracked)
    }
    sums = {"micros": "hours"}
    rows = rows.with_columns(micros=micros_between(rows, "start_at", "end_at"))
    if calendar is not None:
        rows = with_work(rows, calendar, start="start_at", end="end_at")
        sums["working_micros"] = "working_hours"
    key = (*(["period_at"] if freq else []), *by, *held)
    rows = rows.select(
        *(name for name in key if name not in held),
        *sums,
        **held,
        n_open=nw.col("is_open").cast(nw.Int64),
        n_unsure=sum((nw.col(f"unsure_{n}") for n, _ in enumerate(tracked)), nw.lit(0)),
    )
    found = summed_by(rows, key, nw.col(*sums, "n_open", "n_unsure").sum())
    found = found.with_columns(
        **{new: in_hours(nw.col(old)) for old, new in sums.items()},
        is_open=nw.col("n_open") > 0,
        is_known=nw.col("n_unsure") == 0,
    )
    rest = ("hours", "is_open", "is_known", *list(sums.values())[1:])
    return handed_back(found, history, key, (*key, *rest))


def _columns(name: str, tracked: Sequence[str]) -> list[tuple[str, nw.Expr]]:
    """Return the columns that tell a field's value, or what a user was."""
    if name not in tracked:
        return [(name, nw.col(name))]
    kind, value = (
        nw.col(f"{each}_{tracked.index(name)}") for each in ("kind", "value")
    )
    is_told = (kind != "").fill_null(False)
    has_text = is_told & (kind != "empty").fill_null(False)
    return [
        (f"{name}_kind", nw.when(is_told).then(kind)),
        (name, nw.when(has_text).then(value)),
    ]


def _stretches(
    subject: object, fields: Sequence[str], as_of: dt.datetime | None
) -> Any:
    """Return the stretches of time in which none of several fields changed."""
    (given,), with_ids = with_numbers(as_given(subject, CHANGES))
    linked = living(begun(given, *fields, as_of=as_of)).with_as_of()
    linked = linked.told(*CHAIN, *CHAIN_ORDER)
    in_threads = "merged_at" in linked.frame.collect_schema().names()
    parts: dict[str, nw.Expr] = {}
    for n, name in enumerate(fields):
        is_it = nw.when(nw.col("field_id") == name)
        # Nobody had set it since the case was created, if its first change says so.
        was_empty = nw.col("is_first") & ~nw.col("is_creation")
        was_empty = was_empty & (nw.col("old_kind") == "empty").fill_null(False)
        parts |= {
            f"kind_{n}": is_it.then(nw.col("new_kind").fill_null("")),
            f"value_{n}": is_it.then(nw.col("new").fill_null("")),
            f"unsure_{n}": is_it.then((~is_known_spell()).cast(nw.Int64)),
            f"born_{n}": nw.when((nw.col("field_id") == name) & was_empty).then(
                nw.lit("empty")
            ),
        }
    # A merge ends all that is told of the case that it closed.
    gone = nw.col("merged_at") if in_threads else instant(linked.frame, None)
    parts["gone"] = gone
    order = [nw.col(name).cast(nw.Int64) for name in CHAIN_ORDER]
    rows = linked.frame.select(*_CASE, *order, "performed_at", "as_of", **parts)
    births = texts(given.filter(is_creation()).select(*_CASE, "performed_at"))
    births = births.group_by(*_CASE).agg(nw.col("performed_at").min())
    ends = linked.until
    births = births.join(ends, how="cross").filter(
        (nw.col("performed_at") <= nw.col("as_of")).fill_null(False)
    )
    births = births.select(
        *_CASE,
        sequence=nw.lit(-1, nw.Int64),
        slot=nw.lit(0, nw.Int64),
        performed_at=nw.col("performed_at"),
        as_of=nw.col("as_of"),
        **{
            name: nw.lit(None, nw.Int64) if name.startswith("unsure") else NO_TEXT
            for name in parts
            if name != "gone"
        },
        gone=instant(births, None),
    ).select(*rows.collect_schema().names())
    # A birth is the first row of its case.
    is_born = nw.when(nw.col("sequence") == -1).then(nw.lit(1, nw.Int64))
    rows = carried_by(
        stacked([rows, births]).with_columns(has_birth=is_born),
        _CASE,
        CHAIN_ORDER,
        on=["has_birth", *(n for n in parts if not n.startswith(("born", "gone")))],
        back=[name for name in parts if name.startswith("born")],
        next_at="performed_at",
    )
    if in_threads:
        rows = beside_all(rows, _CASE, gone=nw.col("gone").max())
    for n, _ in enumerate(fields):
        born = nw.when(nw.col("has_birth") == 1).then(f"born_{n}")
        rows = rows.with_columns(
            **{
                f"kind_{n}": nw.coalesce(nw.col(f"kind_{n}"), born),
                f"unsure_{n}": nw.col(f"unsure_{n}").fill_null(0),
            }
        )
    at, gone, then = (nw.col(n) for n in ("performed_at", "gone", "next_at"))
    is_cut = (at < gone).fill_null(False) & (then.is_null() | (then > gone))
    rows = rows.with_columns(next_at=nw.when(is_cut).then(gone).otherwise(then))
    rows = rows.with_columns(
        start_at=nw.col("performed_at"),
        end_at=nw.coalesce("next_at", "as_of"),
        is_open=nw.col("next_at").is_null(),
    )
    # An "" is of a change that does not tell its value.
    is_told = [~nw.col(f"kind_{n}").is_null() for n, _ in enumerate(fields)]
    lasts = nw.col("is_open") | (nw.col("start_at") < nw.col("end_at"))
    rows = rows.filter(lasts, nw.any_horizontal(*is_told, ignore_nulls=True))
    parts_ = [name for name in parts if not name.startswith(("born", "gone"))]
    return with_ids(rows.select(*_CASE, "start_at", "end_at", "is_open", *parts_))


def _of_users(rows: Any, told: Any, holder: str, names: Sequence[str]) -> Any:
    """Return stretches cut where what their holder was changed."""
    told = told.select(*names, holder_="actor", since_="since", until_="until")
    both = rows.join(told, left_on=holder, right_on="holder_", how="left")
    start, end = nw.col("start_at"), nw.col("end_at")
    since, until = nw.col("since_"), nw.col("until_")
    both = both.with_columns(
        start_at=nw.when((since > start).fill_null(False)).then(since).otherwise(start),
        end_at=nw.when((until < end).fill_null(False)).then(until).otherwise(end),
        is_open=nw.col("is_open") & ~(until <= end).fill_null(False),
    )
    return both.filter(nw.col("is_open") | (nw.col("start_at") < nw.col("end_at")))
