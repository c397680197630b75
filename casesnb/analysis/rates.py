"""Rates with their denominator, their interval, and what was left out and why."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import narwhals as nw

from casesnb.analysis.actors import spans_of_users
from casesnb.analysis.closing import CLOSED, closed_values
from casesnb.analysis.conformance import Flow, judged
from casesnb.analysis.flow import closings
from casesnb.analysis.slas import ledger_rows
from casesnb.analysis.spells import begun
from casesnb.analysis.timezones import with_period
from casesnb.analysis.uncertainty import with_wilson
from casesnb.analysis.windows import Window, span_of
from casesnb.tables.arguments import as_ids
from casesnb.tables.field_chain import is_creation, is_of_case
from casesnb.tables.frames import (
    NO_TEXT,
    as_given,
    as_of_of,
    beside,
    frame_of,
    handed_back,
    instant,
    opened,
    rows_like,
    stacked,
    texts,
    until_of,
    up_to,
    windowed,
)
from casesnb.tables.keys import carried_by, looked_up, summed_by, with_numbers
from casesnb.tables.schema import CHANGES, EVENTS, OF_CASE, TEXT, TIME, Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from narwhals.typing import IntoFrameT

    from casesnb.tables.history import History

OUTCOMES = Table(
    "outcomes",
    "One row per close, case or SLA that a rate counts, or leaves out.",
    (
        *OF_CASE,
        Column("measure", TEXT, "the rate's measure"),
        Column("outcome", TEXT, "what came of it; missing if it is left out"),
        Column("excluded", TEXT, "why it is left out; missing if it is counted"),
        Column(
            "at",
            TIME,
            "when it was closed, or the SLA met or missed; missing if not told",
        ),
        Column("closer", TEXT, "who closed it; missing if AWS named none"),
        Column("holder", TEXT, "the user who held the case just before"),
        Column("queue", TEXT, "the queue that held the case just before"),
        Column("event_ids", TEXT, "the events that show it, a space between two"),
    ),
)

RATES = Table(
    "rates",
    "One row per group and outcome: how many of how many, with a 95% interval.",
    (
        Column("measure", TEXT, "what is measured"),
        Column("outcome", TEXT, "what is counted"),
        Column("n", "int64", "that came out so"),
        Column("n_of", "int64", "that were counted"),
        Column("rate", "float64", "`n` of `n_of`, from 0 to 1; missing if of none"),
        Column("low", "float64", "where the 95% interval begins"),
        Column("high", "float64", "where it ends"),
        Column("n_excluded", "int64", "that were left out"),
        Column("excluded", TEXT, "how many of them why; missing if none were"),
    ),
)

TOO_YOUNG = "closed too short a time ago"
"""Why a close is left out of which it is not told yet whether it will last."""

BY_MERGE = "closed by a merge"
"""Why a close is left out that resolves nothing."""

_EARLY = "the history begins after the case did"
_OPEN = "not closed yet"
_UNTOLD = "its close is not in the history"
_UNSENT = "AWS did not send the status after it"
_NOBODY = "an event names nobody"
_DECIDED = ("met", "missed")
_UNCHECKED = "not checkable"

MEASURES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "reopened": (("reopened",), (BY_MERGE, _UNTOLD, _UNSENT, TOO_YOUNG)),
    "holders": (("none", "one", "two or more"), (_OPEN, BY_MERGE, _EARLY, _UNTOLD)),
    "touchless": (("touchless",), (_OPEN, BY_MERGE, _EARLY, _UNTOLD, _NOBODY)),
    "sla_met": (("met",), ("under way", _UNCHECKED, "not told")),
    "conforming": (("conforming",), (_UNCHECKED,)),
}
"""Of each measure, the outcomes that are counted, and why something is left out."""

_CASE = ("domain_id", "case_id")
_KEY = list(_CASE)
_OWN = ("closer", "holder", "queue")
_NO_ONE = "\x1f"  # what is no id


def rates(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    measure: str = "reopened",
    *,
    by: Sequence[str] = (),
    freq: str | None = None,
    tz: str | dt.tzinfo = "UTC",
    window: Window | None = None,
    within: dt.timedelta | None = None,
    cases: IntoFrameT | None = None,
    users: IntoFrameT | None = None,
    events: IntoFrameT | None = None,
    flow: Flow | None = None,
    closed: str | Sequence[str] = CLOSED,
    as_of: dt.datetime | None = None,
) -> IntoFrameT:
    """One row per group and outcome: how many of how many, with a 95% interval.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    measure : str, default "reopened"
        ``"reopened"``: of closes, those after which the case was opened again.
        ``"holders"``: of closed cases, those that none, one, two or more people
        held until their first close. ``"touchless"``: of closed cases, those
        on which no agent did anything between creation and first close.
        ``"sla_met"``: of SLAs that are over or past their deadline, those that
        were met, as they stand after any edit.
        ``"conforming"``: of cases, those whose moves `flow` allows.
    by : sequence of str, default ()
        What makes a group: ``closer``, ``holder`` or ``queue``, columns of
        `cases` such as ``template_id``, columns of `users` such as ``team``,
        which is that of the closer at the time.
    freq : str, optional
        Also by period of the close, as `actor_activity` takes it.
    tz : str or tzinfo, default "UTC"
        The IANA time zone whose days, weeks and months the periods are.
    window : tuple of datetime, optional
        Only what was closed from the first moment to the second.
    within : timedelta, optional
        Of ``"reopened"``: how soon. Closes that are not yet so old are left
        out; without it recent closes look better than they will turn out.
    cases : DataFrame, optional
        One row per case, as `load_cases` gives it, in the same kind of frame.
    users : DataFrame, optional
        Who was what, and when, as `with_users` takes it, in the same kind.
    events : DataFrame, optional
        Beside changes alone, ``schema.EVENTS`` of the same kind.
    flow : mapping or str, optional
        Of ``"conforming"``: the allowed moves, as `conformance` takes them.
    closed : str or sequence of str, default "closed"
        The statuses that mean closed, in small letters or capitals.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest event of a frame.

    Returns
    -------
    DataFrame
        ``period_at`` if there is `freq`, the columns of `by`, and those of
        ``schema.RATES``, by period, group and outcome, in the kind of frame
        that was given. What is left out stands in the group of which it would
        be, as far as that is told.

    Raises
    ------
    TypeError
        If one table is given without the other that is needed.
    ValueError
        If there is no such measure or column, or something that the measure
        needs is not given.

    See Also
    --------
    outcomes : What is behind each number, with its events.

    References
    ----------
    .. [1] E. B. Wilson, "Probable Inference, the Law of Succession, and
       Statistical Inference", JASA 22 (1927).

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> rates(history, "reopened")[["n", "n_of"]].values.tolist()
    [[1, 2]]
    """
    by = as_ids(by)
    held = not {"holder", "queue"}.isdisjoint(by)
    found = outcomes_of(
        history, measure, within, events, flow, closed, as_of, with_holders=held
    )
    if window is not None:
        start, end = span_of(window, as_of_of(history, as_of))
        at = nw.col("at")
        is_in = (at >= instant(found, start)) & (at < instant(found, end))
        found = found.filter(is_in.fill_null(False))
    found = _beside(found, by, cases, users)
    if freq is not None:
        found = windowed(with_period(as_given(found), "at", freq, tz))
    key = [*(["period_at"] if freq else []), *by]
    counted, reasons = MEASURES[measure]
    outcome, excluded = nw.col("outcome"), nw.col("excluded")
    flags = {
        "n_of": ~outcome.is_null(),
        "n_excluded": ~excluded.is_null(),
        **{f"n_{i}": outcome == name for i, name in enumerate(counted)},
        **{f"why_{i}": excluded == why for i, why in enumerate(reasons)},
    }
    flags = {name: each.fill_null(False).cast(nw.Int64) for name, each in flags.items()}
    found = found.select(*key, **flags)
    if key:
        found = found.group_by(*key).agg(nw.col(*flags).sum())
    else:
        found = found.select(nw.col(*flags).sum().fill_null(0))
    found = found.with_columns(nw.col(*flags).cast(nw.Int64))
    told = [
        nw.when(nw.col(f"why_{i}") > 0).then(
            nw.concat_str(
                nw.col(f"why_{i}").cast(nw.String), nw.lit(why), separator=" "
            )
        )
        for i, why in enumerate(reasons)
    ]
    if len(told) > 1:
        whole = nw.concat_str(*told, separator="; ", ignore_nulls=True)
    else:
        whole = told[0]
    places = [{"place": i, "outcome": name} for i, name in enumerate(counted)]
    types = {"place": nw.Int64(), "outcome": nw.String()}
    found = found.join(frame_of(places, types, found), how="cross")
    n = nw.lit(0, nw.Int64)
    for i, _ in enumerate(counted):
        n = nw.when(nw.col("place") == i).then(nw.col(f"n_{i}")).otherwise(n)
    found = found.with_columns(
        n=n,
        measure=nw.lit(measure),
        excluded=nw.when(nw.col("n_excluded") > 0).then(whole),
    )
    return handed_back(
        with_wilson(found), history, (*key, "place"), (*key, *RATES.names)
    )


def outcomes(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    measure: str = "reopened",
    *,
    within: dt.timedelta | None = None,
    events: IntoFrameT | None = None,
    flow: Flow | None = None,
    closed: str | Sequence[str] = CLOSED,
    as_of: dt.datetime | None = None,
) -> IntoFrameT:
    """One row per close, case or SLA that a rate counts, or leaves out.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    measure : str, default "reopened"
        What `rates` counts.
    within : timedelta, optional
        Of ``"reopened"``: how soon.
    events : DataFrame, optional
        Beside changes alone, ``schema.EVENTS`` of the same kind.
    flow : mapping or str, optional
        Of ``"conforming"``: the allowed moves.
    closed : str or sequence of str, default "closed"
        The statuses that mean closed, in small letters or capitals.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest event of a frame.

    Returns
    -------
    DataFrame
        The columns of ``schema.OUTCOMES``, by case and time, in the kind of
        frame that was given.

    Raises
    ------
    TypeError
        If one table is given without the other that is needed.
    ValueError
        If there is no such measure, or something that it needs is not given.

    See Also
    --------
    rates : The same, counted.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> outcomes(history, "reopened")["outcome"].tolist()
    ['reopened', 'not reopened']
    """
    found = outcomes_of(
        history, measure, within, events, flow, closed, as_of, with_holders=True
    )
    order = (*_CASE, "at", "event_ids")
    return handed_back(found, history, order, OUTCOMES.names)


def outcomes_of(
    history: Any,
    measure: str,
    within: dt.timedelta | None,
    events: object,
    flow: Flow | None,
    closed: str | Sequence[str],
    as_of: dt.datetime | None,
    *,
    with_holders: bool = False,
) -> Any:
    """Return what `outcomes` does, not yet handed back, and holders only if asked."""
    if measure not in MEASURES:
        raise ValueError(f"measure={measure!r}: give one of {', '.join(MEASURES)}.")
    if within is not None and (measure != "reopened" or within <= dt.timedelta()):
        raise ValueError(
            f"within={within!r} of {measure!r}: give timedelta(days=7) of 'reopened'."
        )
    if (flow is None) == (measure == "conforming"):
        raise ValueError(
            "flow= goes with 'conforming' and with nothing else. Give rates(history, "
            "'conforming', flow={'open': ['closed']})."
        )
    values = closed_values(history, closed)
    changes = as_given(history, CHANGES)
    happened = as_given(beside(history, events, EVENTS), EVENTS)
    as_of = until_of(history, happened, as_of)
    changes, happened = up_to(as_of, changes, happened)
    if measure == "sla_met":
        found = windowed(_slas(changes, happened, as_of))
    else:
        (asked, told), with_ids = with_numbers(changes, happened)
        closes = closes_of(asked, told, values)
        if with_holders:  # to find them takes a quarter of the time
            closes = _with_holders(closes, asked)
        else:
            closes = closes.with_columns(holder=NO_TEXT, queue=NO_TEXT)
        closes = windowed(with_ids(closes))
        if measure == "conforming":
            found = _conforming(closes, changes, happened, flow)
        elif measure == "reopened":
            found = _reopened(closes, within, as_of)
        elif measure == "holders":
            found = _holders(_first_closes(closes, happened), changes)
        else:
            found = _touchless(_first_closes(closes, happened), happened)
    return found.with_columns(measure=nw.lit(measure)).select(*OUTCOMES.names)


def closes_of(changes: Any, events: Any, closed: Sequence[str]) -> Any:
    """Return each close, and each that shows only by what follows it."""
    linked = closings(begun(changes, "status"), closed)
    was, is_new = nw.col("was_closed"), nw.col("now_closed")
    # A break after it may hide that it was opened, if it was not closed just before.
    opens = nw.col("is_told") & ~is_new | nw.col("is_break") & ~was
    linked = linked.with_columns(
        opens=opens.cast(nw.Int64), unsent=(~nw.col("is_told")).cast(nw.Int64)
    ).beside(
        next_id=("event_id", -1),
        then_opens=("opens", -1),
        then_unsent=("unsent", -1),
    )
    is_odd = was & (nw.col("is_first") | nw.col("is_break"))
    rows = linked.filter((is_new & ~was) | is_odd)
    rows = rows.told(*_CASE, "sequence").frame
    merges = events.filter(~nw.col("merge_event_id").is_null())
    merges = texts(merges.select(*_CASE, "event_id"))
    rows = rows.select(
        *_CASE,
        "event_id",
        "next_id",
        sequence=nw.col("sequence").cast(nw.Int64),
        is_told=(~is_odd).cast(nw.Int64),
        then_unsent=nw.col("then_unsent").fill_null(0),
        at=nw.when(~is_odd).then("performed_at"),
        until_at=nw.when((nw.col("then_opens") == 1).fill_null(False)).then("then_at"),
        # A close that shows only by what follows it was between these two.
        gap_at=nw.when(is_odd).then("performed_at"),
        since_at=nw.when(is_odd).then("prior_at"),
        closer=nw.when(~is_odd).then("actor"),
    )
    merges = merges.with_columns(is_merge=nw.lit(1, nw.Int64))
    rows = looked_up(rows, merges, (*_CASE, "event_id"))
    return rows.with_columns(is_merge=nw.col("is_merge").fill_null(0))


def _with_holders(rows: Any, changes: Any) -> Any:
    """Return rows with the user and the queue that held their case just before."""
    names = {"assigned_user": "holder", "assigned_queue": "queue"}
    is_it = {name: nw.col("field_id") == field_id for field_id, name in names.items()}
    is_any = nw.any_horizontal(*is_it.values(), ignore_nulls=True).fill_null(False)
    columns = (*_CASE, "event_type", "field_id", "sequence", "slot", "new")
    held = texts(changes.filter(is_any).select(*columns)).filter(is_of_case())
    # That nobody holds it is to be carried on too.
    value = nw.col("new").fill_null(_NO_ONE)
    held = held.select(
        *_CASE,
        nw.col("sequence", "slot").cast(nw.Int64),
        **{name: nw.when(each).then(value) for name, each in is_it.items()},
        is_change=nw.lit(1, nw.Int64),
    )
    # Of one event, what it closes comes before whom it gives the case to.
    asked = rows.select(
        *_CASE,
        "sequence",
        slot=nw.lit(-1, nw.Int64),
        **dict.fromkeys(is_it, NO_TEXT),
        is_change=nw.lit(0, nw.Int64),
    )
    order = ("sequence", "slot")
    both = carried_by(stacked([held, asked]), _CASE, order, on=[*is_it], back=())
    key = (*_CASE, "sequence")
    both = both.filter(nw.col("is_change") == 0).select(
        *key,
        **{name: nw.when(nw.col(name) != _NO_ONE).then(name) for name in is_it},
    )
    return looked_up(rows, both.unique([*key]), key)  # an event may close it twice


def _answered(rows: Any, outcome: nw.Expr, *excluded: tuple[nw.Expr, str]) -> Any:
    """Return rows with their outcome, or with the first reason to leave them out."""
    why = NO_TEXT
    for is_so, reason in reversed(excluded):
        why = nw.when(is_so).then(nw.lit(reason)).otherwise(why)
    rows = rows.with_columns(excluded=why)
    return rows.with_columns(
        outcome=nw.when(nw.col("excluded").is_null()).then(outcome)
    )


def _reopened(
    closes: Any, within: dt.timedelta | None, as_of: dt.datetime | None
) -> Any:
    is_again = ~nw.col("until_at").is_null()
    too_young = nw.lit(False)
    if within is not None:
        pause = f"{within // dt.timedelta(microseconds=1)}us"
        due = nw.col("at").dt.offset_by(pause)
        is_again = is_again & (nw.col("until_at") <= due).fill_null(False)
        if as_of is not None:
            # Also those that were: else the rest would count for less than it is.
            too_young = due > instant(closes, as_of)
    rows = _answered(
        closes,
        nw.when(is_again).then(nw.lit("reopened")).otherwise(nw.lit("not reopened")),
        (nw.col("is_told") == 0, _UNTOLD),
        (nw.col("is_merge") == 1, BY_MERGE),
        (nw.col("then_unsent") == 1, _UNSENT),
        (too_young.fill_null(False), TOO_YOUNG),
    )
    both = nw.concat_str("event_id", "next_id", separator=" ")
    return rows.with_columns(
        event_ids=nw.when(is_again).then(both).otherwise("event_id")
    )


def _first_closes(closes: Any, events: Any) -> Any:
    """Return each case with its first close, and why it may have to be left out."""
    told = closes.filter((nw.col("is_merge") == 0) | (nw.col("is_told") == 0))
    first = told.unique(_KEY, keep="first", order_by=["sequence"])
    merged = closes.filter(nw.col("is_merge") == 1).select(*_CASE).unique()
    cases = texts(events.select(*_CASE, is_whole=is_creation().cast(nw.Int64)))
    cases = windowed(summed_by(cases, _CASE, nw.col("is_whole").max()))
    first = first.drop("is_merge", "until_at", "next_id", "gap_at", "since_at")
    cases = cases.join(first, on=_KEY, how="left")
    merged = merged.with_columns(in_merge=nw.lit(1, nw.Int64))
    cases = cases.join(merged, on=_KEY, how="left")
    return cases.with_columns(event_ids=nw.col("event_id"))


def _left_out() -> list[tuple[nw.Expr, str]]:
    """Return why cases of `_first_closes` are left out, what matters most first."""
    is_open = nw.col("event_id").is_null()
    return [
        (nw.col("is_whole") == 0, _EARLY),
        (is_open & (nw.col("in_merge") == 1).fill_null(False), BY_MERGE),
        (is_open, _OPEN),
        ((nw.col("is_told") == 0).fill_null(False), _UNTOLD),
    ]


def _holders(cases: Any, changes: Any) -> Any:
    """Return each case with how many people held it until its first close."""
    held = changes.filter(nw.col("field_id") == "assigned_user")
    held = texts(held.select(*_CASE, "event_type", "sequence", "old", "new"))
    held = windowed(held.filter(is_of_case()))
    names = [
        held.select(*_CASE, then=nw.col("sequence").cast(nw.Int64), name=nw.col(value))
        for value in ("old", "new")
    ]
    named = stacked(names).filter(~nw.col("name").is_null())
    named = cases.select(*_CASE, "sequence").join(named, on=_KEY, how="inner")
    named = named.filter((nw.col("then") <= nw.col("sequence")).fill_null(False))
    named = named.select(*_CASE, "name").unique()
    counts = named.with_columns(n_holders=nw.lit(1, nw.Int64)).group_by(*_CASE)
    cases = cases.join(counts.agg(nw.col("n_holders").sum()), on=_KEY, how="left")
    n = nw.col("n_holders").fill_null(0)
    outcome = nw.when(n > 1).then(nw.lit("two or more")).otherwise(nw.lit("one"))
    outcome = nw.when(n == 0).then(nw.lit("none")).otherwise(outcome)
    return _answered(cases, outcome, *_left_out())


def _touchless(cases: Any, events: Any) -> Any:
    """Return each case with whether an agent did anything until its first close."""
    is_after = ~is_creation()
    done = events.filter(is_after).select(*_CASE, "sequence", "actor_kind")
    done = windowed(texts(done)).select(
        *_CASE,
        then=nw.col("sequence").cast(nw.Int64),
        by_agent=(nw.col("actor_kind") == "agent").fill_null(False).cast(nw.Int64),
        by_nobody=(nw.col("actor_kind") == "unknown").fill_null(True).cast(nw.Int64),
    )
    done = cases.select(*_CASE, "sequence").join(done, on=_KEY, how="inner")
    done = done.filter((nw.col("then") <= nw.col("sequence")).fill_null(False))
    done = done.group_by(*_CASE).agg(nw.col("by_agent", "by_nobody").max())
    cases = cases.join(done, on=_KEY, how="left")
    by_agent = nw.col("by_agent").fill_null(0) == 1
    by_nobody = nw.col("by_nobody").fill_null(0) == 1
    outcome = nw.when(by_agent).then(nw.lit("touched")).otherwise(nw.lit("touchless"))
    return _answered(cases, outcome, *_left_out(), (by_nobody & ~by_agent, _NOBODY))


def _slas(changes: Any, events: Any, as_of: dt.datetime | None) -> Any:
    """Return each SLA and whether it was met, by its ledger."""
    rows = [
        {
            **row,
            "measure": "sla_met",
            "outcome": row["verdict"] if row["verdict"] in _DECIDED else None,
            "excluded": None if row["verdict"] in _DECIDED else row["verdict"],
            "at": row["met_at"] or row["missed_at"],
        }
        for row in ledger_rows(changes, events, as_of)
    ]
    return rows_like(rows, OUTCOMES, events)


def _conforming(closes: Any, changes: Any, events: Any, flow: Any) -> Any:
    """Return each case with whether all its moves are allowed, and its last close."""
    closes = closes.unique(_KEY, keep="last", order_by=["sequence"])
    found = windowed(judged(changes, flow, events=events))
    is_wrong = nw.col("verdict") == "not_allowed"
    wrong = found.filter(is_wrong).unique(_KEY, keep="first", order_by=["sequence"])
    of_case = found.select(
        *_CASE, n_wrong=is_wrong.cast(nw.Int64), n_unsure=(~is_wrong).cast(nw.Int64)
    )
    of_case = of_case.group_by(*_CASE).agg(nw.col("n_wrong", "n_unsure").sum())
    wrong = wrong.select(*_CASE, event_ids=nw.col("event_id"))
    of_case = of_case.join(wrong, on=_KEY, how="left")
    cases = windowed(texts(events.select(*_CASE))).unique()
    cases = cases.join(of_case, on=_KEY, how="left")
    closes = closes.select(*_CASE, "at", "closer", "holder", "queue")
    cases = cases.join(closes, on=_KEY, how="left")
    is_wrong = nw.col("n_wrong").fill_null(0) > 0
    is_unsure = (nw.col("n_unsure").fill_null(0) > 0) & ~is_wrong
    outcome = (
        nw.when(is_wrong).then(nw.lit("not conforming")).otherwise(nw.lit("conforming"))
    )
    return _answered(cases, outcome, (is_unsure, _UNCHECKED))


def _beside(found: Any, by: Sequence[str], cases: object, users: object) -> Any:
    """Return outcomes with the columns that make their groups."""
    left = [name for name in by if name not in _OWN]
    for frame, called in ((cases, "cases"), (users, "users")):
        if frame is None or not left:
            continue
        told = windowed(opened(frame))
        names = [name for name in left if name in told.collect_schema().names()]
        left = [name for name in left if name not in names]
        if not names:
            continue
        if called == "cases":
            told = told.select(*_CASE, *names).unique(_KEY)
            found = found.join(told, on=_KEY, how="left")
        else:
            spans = spans_of_users(frame).select(
                *names, closer_="actor", since_="since", until_="until"
            )
            spans = spans.filter(~nw.col("closer_").is_null())
            found = found.join(spans, left_on="closer", right_on="closer_", how="left")
            found = found.filter(
                ~(nw.col("at") < nw.col("since_")).fill_null(False),
                ~(nw.col("at") >= nw.col("until_")).fill_null(False),
            )
    if left:
        raise ValueError(
            f"by={left[0]!r}: give closer, holder, queue, or a column of the frame that "
            "is given as cases= or users=."
        )
    return found
