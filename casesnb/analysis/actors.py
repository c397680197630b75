"""Who acted, when and as what: people, integrations, Connect itself, API callers."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import narwhals as nw

from casesnb.analysis.calendar import Calendar, need_calendar
from casesnb.analysis.timezones import micros_between, wall, weekday, with_period
from casesnb.tables.frames import (
    NO_TEXT,
    as_given,
    handed_back,
    instant,
    is_zoned,
    need_wall,
    need_zone,
    opened,
    plain,
    rows_of,
    stacked,
    texts,
    time_type,
    windowed,
)
from casesnb.tables.keys import beside_all, told_apart
from casesnb.tables.schema import (
    CHANGES,
    EVENTS,
    SERVICE_ROLE,
    TEXT,
    TIME,
    Column,
    Table,
)

if TYPE_CHECKING:
    from narwhals.typing import IntoFrameT

    from casesnb.tables.history import History

ACTOR_ACTIVITY = Table(
    "actor_activity",
    "One row per actor and period in which they acted.",
    (
        Column("actor", TEXT, "who acted; missing if AWS named none"),
        Column("actor_kind", TEXT, "`agent`, `custom`, `service`, `role` or `unknown`"),
        Column("period_at", TIME, "when the period began"),
        Column("n_events", "int64", "audit events"),
        Column("n_changes", "int64", "field changes in them"),
        Column("n_cases", "int64", "distinct cases"),
    ),
)

ACTOR_MATRIX = Table(
    "actor_matrix",
    "One row per actor and kind of event that they caused.",
    (
        Column("actor", TEXT, "who acted; missing if AWS named none"),
        Column("actor_kind", TEXT, "`agent`, `custom`, `service`, `role` or `unknown`"),
        Column("event_type", TEXT, "as AWS names it"),
        Column("related_item_type", TEXT, "the related item's type, if there is one"),
        Column("n_events", "int64", "audit events"),
        Column("n_cases", "int64", "distinct cases"),
        Column("first_at", TIME, "the first of them"),
        Column("last_at", TIME, "the last of them"),
    ),
)

RHYTHM = Table(
    "rhythm",
    "One row per kind of actor, weekday and hour in which they acted.",
    (
        Column("weekday", "int64", "1 for Monday to 7 for Sunday, in the zone"),
        Column("hour", "int64", "0 to 23, in the zone"),
        Column("actor_kind", TEXT, "`agent`, `custom`, `service`, `role` or `unknown`"),
        Column("n_events", "int64", "audit events"),
        Column("n_cases", "int64", "distinct cases"),
    ),
)

ATTRIBUTION = Table(
    "attribution",
    "One row per event: the kind of work it was, and what that rests on.",
    (
        Column("domain_id", TEXT, "the Cases domain"),
        Column("case_id", TEXT, "the case"),
        Column("event_id", TEXT, "the audit event"),
        Column("sequence", "int64", "the event's place in its case, from 0"),
        Column("performed_at", TIME, "when it was done"),
        Column("actor", TEXT, "who acted; missing if AWS named none"),
        Column("worker", TEXT, "`human`, `automation`, `api` or `unknown`"),
        Column("is_asserted", "bool", "a caller of the API says so; nobody checked"),
        Column("evidence", TEXT, "what in the event says so"),
    ),
)

WORK_SHARE = Table(
    "work_share",
    "One row per kind of work and evidence for it.",
    (
        Column("worker", TEXT, "`human`, `automation`, `api` or `unknown`"),
        Column("evidence", TEXT, "what in the events says so"),
        Column("is_asserted", "bool", "a caller of the API says so; nobody checked"),
        Column("n_events", "int64", "audit events"),
        Column("n_changes", "int64", "field changes in them"),
        Column("n_cases", "int64", "distinct cases"),
        Column("share", "float64", "of all events, from 0 to 1"),
    ),
)

OFF_HOURS = Table(
    "off_hours",
    "One row per actor: how much of their work was done outside working hours.",
    (
        Column("actor", TEXT, "who acted; missing if AWS named none"),
        Column("actor_kind", TEXT, "`agent`, `custom`, `service`, `role` or `unknown`"),
        Column("n_events", "int64", "audit events"),
        Column("n_off_hours", "int64", "those outside the calendar's hours"),
        Column("share", "float64", "of the actor's events, from 0 to 1"),
    ),
)

BURSTS = Table(
    "bursts",
    "One row per burst: one actor gave one field one value on many cases.",
    (
        Column("started_at", TIME, "its first change"),
        Column("ended_at", TIME, "its last change"),
        Column("actor", TEXT, "who did it; missing if AWS named none"),
        Column("actor_kind", TEXT, "`agent`, `custom`, `service`, `role` or `unknown`"),
        Column("field_id", TEXT, "the field"),
        Column("kind", TEXT, "kind of the value that it got"),
        Column("value", TEXT, "the value that it got"),
        Column("n_cases", "int64", "distinct cases"),
        Column("n_changes", "int64", "field changes"),
    ),
)


__all__ = [
    "actor_activity",
    "actor_matrix",
    "attribution",
    "bursts",
    "off_hours",
    "rhythm",
    "with_users",
    "work_share",
]


def __dir__() -> list[str]:
    return __all__


WORKERS = {
    "agent": "human",
    "custom": "api",
    "role": "api",
    "service": "automation",
    "unknown": "unknown",
}
"""Whose work an event is, by the kind of its actor: what `attribution` finds."""

_MINUTE = 60_000_000  # microseconds
_COUNTS = ("n_events", "n_changes", "n_cases")

_CASE = ("domain_id", "case_id")


def actor_activity(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    *,
    freq: str = "1d",
    tz: str | dt.tzinfo = "UTC",
) -> IntoFrameT:
    """One row per actor and period in which they acted.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its events alone (``schema.EVENTS``), of pandas, Polars,
        DuckDB or PySpark.
    freq : str, default "1d"
        The period's length: ``1m``, ``1h``, ``1d``, ``1w``, ``1mo``,
        ``1q``, ``1y``, or minutes or hours that divide an hour or a day.
    tz : str or tzinfo, default "UTC"
        The IANA time zone whose days, weeks and months the periods are.

    Returns
    -------
    DataFrame
        The columns of ``schema.ACTOR_ACTIVITY``, by period and actor, in the
        kind of frame that was given.

    Raises
    ------
    ValueError
        If `freq` is not a period, or there is no such zone.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> activity = actor_activity(history)
    >>> int(activity["n_events"].sum()) == len(history.events)
    True
    """
    asked = ("actor", "actor_kind", "performed_at", "n_changes")
    given = as_given(history, EVENTS, *_CASE, *asked)  # a quarter of what it may hold
    frame = told_apart(given, "case", _CASE)
    frame = with_period(frame, "performed_at", freq, tz).select(
        "actor",
        "actor_kind",
        "case",
        "period_at",
        n_changes=nw.col("n_changes").cast(nw.Int64),
    )
    key = ("actor", "actor_kind", "period_at")
    counted = frame.group_by(*key).agg(
        n_events=nw.len(),
        n_changes=nw.col("n_changes").sum(),
        n_cases=nw.col("case").n_unique(),
    )
    counts = (nw.col(name).cast(nw.Int64) for name in _COUNTS)
    counted = texts(counted.select(*key, *counts))
    return handed_back(counted, history, ("period_at", "actor", "actor_kind"))


def actor_matrix(
    history: History[IntoFrameT] | IntoFrameT,
    /,
) -> IntoFrameT:
    """One row per actor and kind of event that they caused.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its events alone (``schema.EVENTS``), of pandas, Polars,
        DuckDB or PySpark.

    Returns
    -------
    DataFrame
        The columns of ``schema.ACTOR_MATRIX``, by actor and kind of event, in
        the kind of frame that was given.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> matrix = actor_matrix(history)
    >>> int(matrix["n_events"].sum()) == len(history.events)
    True
    """
    key = ("actor", "actor_kind", "event_type", "related_item_type")
    frame = told_apart(as_given(history, EVENTS), "case", _CASE).select(
        *key, "performed_at", "case", one=nw.lit(1, nw.Int64)
    )
    counted = frame.group_by(*key).agg(
        n_events=nw.col("one").sum(),
        n_cases=nw.col("case").n_unique(),
        first_at=nw.col("performed_at").min(),
        last_at=nw.col("performed_at").max(),
    )
    counted = counted.with_columns(nw.col("n_events", "n_cases").cast(nw.Int64))
    return handed_back(texts(counted), history, key)


def rhythm(
    history: History[IntoFrameT] | IntoFrameT, /, *, tz: str | dt.tzinfo = "UTC"
) -> IntoFrameT:
    """One row per kind of actor, weekday and hour in which they acted.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its events alone (``schema.EVENTS``), of pandas, Polars,
        DuckDB or PySpark.
    tz : str, default "UTC"
        The IANA time zone whose weekdays and hours are meant, daylight saving
        included.

    Returns
    -------
    DataFrame
        The columns of ``schema.RHYTHM``, by weekday, hour and kind of actor, in
        the kind of frame that was given. Hours without an event have no row.

    Raises
    ------
    ValueError
        If there is no such time zone.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> hours = rhythm(history, tz="Europe/Berlin")
    >>> int(hours["n_events"].sum()) == len(history.events)
    True
    """
    frame = told_apart(as_given(history, EVENTS), "case", _CASE)
    need_wall(frame)
    frame = frame.select(
        "actor_kind", "case", shown=wall(frame, "performed_at", tz)
    ).with_columns(
        weekday=weekday(nw.col("shown")),
        hour=nw.col("shown").dt.hour().cast(nw.Int64),
        one=nw.lit(1, nw.Int64),
    )
    key = ("weekday", "hour", "actor_kind")
    counted = frame.group_by(*key).agg(
        n_events=nw.col("one").sum(),
        n_cases=nw.col("case").n_unique(),
    )
    counted = counted.with_columns(nw.col("n_events", "n_cases").cast(nw.Int64))
    return handed_back(texts(counted), history, key)


def attribution(
    history: History[IntoFrameT] | IntoFrameT,
    /,
) -> IntoFrameT:
    """One row per event: the kind of work it was, and what that rests on.

    An audit event names ids, not kinds of work. A user ARN under Connect's own
    role is a person in the agent workspace; that role alone is a flow or a
    rule; any other principal is a caller of the API. Such a caller may name a
    user or a custom entity, which nobody checks: ``is_asserted``.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its events alone (``schema.EVENTS``), of pandas, Polars,
        DuckDB or PySpark.

    Returns
    -------
    DataFrame
        The columns of ``schema.ATTRIBUTION``, by case and sequence, in the kind
        of frame that was given.

    See Also
    --------
    work_share : The same, counted.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> attribution(history).loc[0, ["worker", "evidence"]].tolist()
    ['automation', "Connect's own role, no user: a flow or a rule"]
    """
    frame = attributed(opened(history, EVENTS)).select(
        "domain_id",
        "case_id",
        "event_id",
        nw.col("sequence").cast(nw.Int64),
        "performed_at",
        "actor",
        "worker",
        "is_asserted",
        "evidence",
    )
    return handed_back(frame, history, ("domain_id", "case_id", "sequence"))


def attributed(frame: Any) -> Any:
    """Return events with the worker, the evidence and whether it is only claimed."""
    user = ~nw.col("user_arn").is_null()
    custom = ~nw.col("custom_entity").is_null()
    principal = ~nw.col("iam_principal_arn").is_null()
    frame = frame.with_columns(
        by_connect=nw.col("iam_principal_arn")
        .fill_null("")
        .str.contains(SERVICE_ROLE, literal=True)
    )
    connect = nw.col("by_connect")
    classes = (
        (user & connect, "human", False, "a user under Connect's own role"),
        (user & principal, "human", True, "a user named by a caller of the API"),
        (user, "human", True, "a user, no principal"),
        (custom, "api", True, "a custom entity named by a caller of the API"),
        (connect, "automation", False, "Connect's own role, no user: a flow or a rule"),
        (principal, "api", False, "a principal of its own, no user"),
    )
    worker = nw.lit("unknown")
    evidence = nw.lit("nobody is named")
    asserted = nw.lit(False)
    for condition, kind, claimed, why in reversed(classes):
        worker = nw.when(condition).then(nw.lit(kind)).otherwise(worker)
        evidence = nw.when(condition).then(nw.lit(why)).otherwise(evidence)
        asserted = nw.when(condition).then(nw.lit(claimed)).otherwise(asserted)
    return frame.with_columns(worker=worker, evidence=evidence, is_asserted=asserted)


def work_share(
    history: History[IntoFrameT] | IntoFrameT,
    /,
) -> IntoFrameT:
    """One row per kind of work and evidence for it, with its share of all events.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its events alone (``schema.EVENTS``), of pandas, Polars,
        DuckDB or PySpark.

    Returns
    -------
    DataFrame
        The columns of ``schema.WORK_SHARE``, by worker and evidence, in the
        kind of frame that was given. The shares of all rows add up to 1.

    See Also
    --------
    attribution : Which event is of which kind, and why.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> round(float(work_share(history)["share"].sum()), 9)
    1.0
    """
    key = ("worker", "evidence", "is_asserted")
    frame = attributed(texts(told_apart(as_given(history, EVENTS), "case", _CASE)))
    frame = frame.select(
        *key, "case", nw.col("n_changes").cast(nw.Int64), one=nw.lit(1, nw.Int64)
    )
    counted = frame.group_by(*key).agg(
        n_events=nw.col("one").sum(),
        n_changes=nw.col("n_changes").sum(),
        n_cases=nw.col("case").n_unique(),
    )
    counted = counted.with_columns(
        nw.col(name).cast(nw.Int64) for name in _COUNTS
    ).with_columns(
        share=nw.col("n_events").cast(nw.Float64)
        / nw.col("n_events").sum().cast(nw.Float64)
    )
    return handed_back(counted, history, key)


def off_hours(
    history: History[IntoFrameT] | IntoFrameT, /, *, calendar: Calendar | None = None
) -> IntoFrameT:
    """One row per actor: how much of their work was done outside working hours.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its events alone (``schema.EVENTS``), of pandas, Polars,
        DuckDB or PySpark.
    calendar : Calendar, optional
        The working hours; Monday to Friday, nine to five UTC, otherwise.

    Returns
    -------
    DataFrame
        The columns of ``schema.OFF_HOURS``, by actor, in the kind of frame that
        was given.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> berlin = Calendar({day: ("08:00", "18:00") for day in range(1, 6)}, tz="Europe/Berlin")
    >>> late = off_hours(history, calendar=berlin)
    >>> int(late["n_events"].sum()) == len(history.events)
    True
    """
    calendar = Calendar() if calendar is None else calendar
    need_calendar(calendar)
    frame = opened(history, EVENTS)
    need_wall(frame)
    key = ("actor", "actor_kind")
    frame = frame.select(*key, shown=wall(frame, "performed_at", calendar.tz))
    shown = nw.col("shown")
    hours = (weekday(shown) - 1) * 24 + shown.dt.hour().cast(nw.Int64)
    minutes = hours * 60 + shown.dt.minute().cast(nw.Int64)
    is_working = nw.lit(False)
    for start, end in calendar.weekly():
        is_in = (minutes >= start // _MINUTE) & (minutes < end // _MINUTE)
        is_working = is_working | is_in
    for day in calendar.holidays:
        midnight = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
        is_free = shown.dt.truncate("1d") == instant(frame, midnight)
        is_working = is_working & ~is_free
    frame = frame.with_columns(
        off=(~is_working).cast(nw.Int64), one=nw.lit(1, nw.Int64)
    )
    counted = frame.group_by(*key).agg(
        n_events=nw.col("one").sum(), n_off_hours=nw.col("off").sum()
    )
    counted = counted.with_columns(
        nw.col("n_events", "n_off_hours").cast(nw.Int64)
    ).with_columns(
        share=nw.col("n_off_hours").cast(nw.Float64)
        / nw.col("n_events").cast(nw.Float64)
    )
    return handed_back(counted, history, key)


def bursts(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    *,
    within: dt.timedelta = dt.timedelta(minutes=1),
    min_cases: int = 5,
) -> IntoFrameT:
    """One row per burst: one actor gave one field one value on many cases.

    Changes belong to one burst while each comes no later than `within` after
    the one before it. What a case is created with and what related items hold
    are not counted.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    within : timedelta, default one minute
        The longest pause inside a burst.
    min_cases : int, default 5
        The fewest cases that make a burst.

    Returns
    -------
    DataFrame
        The columns of ``schema.BURSTS``, oldest first, in the kind of frame
        that was given.

    Raises
    ------
    ValueError
        If `within` is negative, or `min_cases` is below 2.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> history = cn.load_history(cn.connect(world), *world.showcase)
    >>> len(bursts(history))  # one case is no burst
    0
    """
    frame = in_bursts(opened(history, CHANGES), within=within, min_cases=min_cases)
    key = ("actor", "actor_kind", "field_id", "new_kind", "new", "burst")
    found = frame.group_by(*key).agg(
        started_at=nw.col("performed_at").min(),
        ended_at=nw.col("performed_at").max(),
        n_cases=nw.col("case").n_unique(),
        n_changes=nw.col("one").sum(),
    )
    found = found.select(
        "started_at",
        "ended_at",
        "actor",
        "actor_kind",
        "field_id",
        kind=nw.col("new_kind"),
        value=nw.col("new"),
        n_cases=nw.col("n_cases").cast(nw.Int64),
        n_changes=nw.col("n_changes").cast(nw.Int64),
    )
    return handed_back(
        found, history, ("started_at", "actor", "field_id", "kind", "value")
    )


def in_bursts(frame: Any, *, within: dt.timedelta, min_cases: int) -> Any:
    """Return the changes that are part of a burst, with its number."""
    if not isinstance(within, dt.timedelta):
        raise TypeError(f"within={within!r}: give a timedelta(minutes=1).")
    if within < dt.timedelta() or min_cases < 2:
        raise ValueError(
            f"within={within}, min_cases={min_cases}: a burst is at least 2 cases, and "
            "a pause is not negative."
        )
    # One text that is never missing, as engines differ in what a missing key is.
    parts = ("actor_kind", "actor", "field_id", "new_kind", "new")
    same = nw.concat_str(
        *(nw.col(name).fill_null("") for name in parts), separator="\x1f"
    )
    order = ("performed_at", "domain_id", "case_id", "sequence", "slot")
    pause = within // dt.timedelta(microseconds=1)
    before = nw.col("performed_at").shift(1).over("same", order_by=order)
    frame = frame.filter(
        (nw.col("event_type") != "Case.Created")
        & ~nw.col("event_type").str.starts_with("RelatedItem.")
    )
    frame = (
        windowed(told_apart(frame, "case", _CASE))
        .with_columns(one=nw.lit(1, nw.Int64), same=same)
        .with_columns(before=before)
    )
    passed = micros_between(frame, "before", "performed_at")
    frame = frame.with_columns(
        starts=(passed > pause).fill_null(True).cast(nw.Int64)
    ).with_columns(burst=nw.col("starts").cum_sum().over("same", order_by=order))
    sizes = (
        frame.group_by("same", "burst")
        .agg(size=nw.col("case").n_unique())
        .filter(nw.col("size") >= min_cases)
        .select("same", "burst")
    )
    return frame.join(sizes, on=["same", "burst"], how="inner")


def with_users(
    frame: IntoFrameT, users: IntoFrameT, *, actor: str = "actor"
) -> IntoFrameT:
    """One row per row of `frame`, with what was true of its actor at that time.

    Today's teams and roles do not rewrite the past: each row of `users` holds
    from ``valid_from_at`` on, and no longer from ``valid_to_at`` on.

    Parameters
    ----------
    frame : DataFrame
        The columns of ``schema.EVENTS`` or ``schema.CHANGES``, in pandas,
        Polars, DuckDB or PySpark.
    users : DataFrame
        In the same kind of frame: ``actor``, ``valid_from_at``,
        ``valid_to_at`` (with their zone; NaT where it always held), and what is
        told, such as ``team`` and ``role``.
    actor : str, default "actor"
        The column of `frame` that is looked up.

    Returns
    -------
    DataFrame
        The columns of `frame`, texts instead of categories, and those of
        `users` beside its three own: missing where nobody told.

    Raises
    ------
    ValueError
        If `users` lacks one of the three, two of its rows hold for one actor at
        one time, their times have no zone, or a column is in both frames.

    Examples
    --------
    >>> import pandas as pd
    >>> day = pd.date_range("2026-03-01", periods=3, tz="UTC")
    >>> events = pd.DataFrame({
    ...     "case_id": "c", "event_id": ["e0", "e1", "e2"], "actor": "ann",
    ...     "performed_at": day})
    >>> users = pd.DataFrame({
    ...     "actor": "ann", "team": ["desk", "expert"],
    ...     "valid_from_at": day[[0, 1]], "valid_to_at": [day[1], pd.NaT]})
    >>> with_users(events, users)["team"].tolist()
    ['desk', 'expert', 'expert']
    """
    rows, told = plain(frame, "performed_at"), _told_of(users)
    names = rows.collect_schema().names()
    own = ("actor", "valid_from_at", "valid_to_at")
    extra = [name for name in told.collect_schema().names() if name not in own]
    if both := sorted(set(extra) & set(names)):
        raise ValueError(
            f"Both frames have {', '.join(both)}. Rename what `users` tells."
        )
    at, since, until = map(nw.col, ("performed_at", "valid_from_at", "valid_to_at"))
    # An actor and a time tell all there is to know, however often they come.
    key = ["performed_at", "actor_"]
    named = nw.col(actor)
    if rows.collect_schema()[actor] != nw.String:  # nobody is named at all
        named = named.cast(nw.String)
    rows = rows.with_columns(actor_=named)
    found = (
        rows.select(*key)
        .unique()
        .join(told, left_on="actor_", right_on="actor", how="inner")
        .filter(
            (since.is_null() | (at >= since).fill_null(False))
            & (until.is_null() | (at < until).fill_null(False))
        )
        .select(*key, *extra)
    )
    parts = ("domain_id", "case_id", "sequence", "event_id", "slot")
    order = [name for name in parts if name in names]
    out = rows.join(found, on=key, how="left").select(*names, *extra)
    return handed_back(out, frame, order)


def _told_of(users: object) -> Any:
    """Return what is told of users, each row from when to when."""
    spans = ("valid_from_at", "valid_to_at")
    told = plain(users)
    there = told.collect_schema().names()
    if lacks := [name for name in ("actor", *spans) if name not in there]:
        raise ValueError(
            f"`users` has no {', '.join(lacks)}: who it was, since when and until "
            "when. A time may be missing (NaT) where it always held."
        )
    for name in spans:
        need_zone(told, name, "users")
    told = plain(users, *spans)
    told = told.with_columns(_validity(told, name) for name in spans)
    _refuse_overlaps(told.select("actor", *spans))
    return told


def spans_of_users(users: object) -> Any:
    """Return what is told of users, with rows of nothing where nothing is."""
    told = windowed(_told_of(users))
    since, until = nw.col("valid_from_at"), nw.col("valid_to_at")
    names = [
        name
        for name in told.collect_schema().names()
        if name not in {"actor", "valid_from_at", "valid_to_at"}
    ]
    order = ("has_start", "valid_from_at")
    told = told.with_columns(has_start=(~since.is_null()).cast(nw.Int64)).with_columns(
        before=until.shift(1).over("actor", order_by=order),
        place=nw.col("has_start").cum_count().over("actor", order_by=order),
    )
    told = beside_all(told, ["actor"], n=nw.len())
    nothing = {name: NO_TEXT.alias(name) for name in names}
    columns = ("actor", *names, "since", "until")
    is_gap = ~since.is_null() & ((nw.col("place") == 1) | (nw.col("before") < since))
    parts = [
        told.with_columns(since=since, until=until),
        told.filter(is_gap).with_columns(
            **nothing, since=nw.col("before"), until=since
        ),
        told.filter((nw.col("place") == nw.col("n")) & ~until.is_null()).with_columns(
            **nothing, since=until, until=instant(told, None)
        ),
    ]
    kinds = {name: nw.col(name).cast(nw.String) for name in names}
    return stacked([part.with_columns(**kinds).select(*columns) for part in parts])


def _validity(users: Any, name: str) -> nw.Expr:
    """Return a column of times; nothing but missing values is of any type."""
    dtype, kind = users.collect_schema()[name], time_type(users)
    if isinstance(dtype, nw.Datetime) and is_zoned(dtype) == is_zoned(kind):
        return nw.col(name).cast(kind)
    return instant(users, None).alias(name)


def _refuse_overlaps(users: Any) -> None:
    first, last = (
        dt.datetime.min.replace(tzinfo=dt.UTC),
        dt.datetime.max.replace(tzinfo=dt.UTC),
    )
    spans: dict[str, list[tuple[dt.datetime, dt.datetime]]] = {}
    for row in rows_of(users):
        span = (row["valid_from_at"] or first, row["valid_to_at"] or last)
        spans.setdefault(row["actor"], []).append(span)
    for actor, periods in spans.items():
        periods.sort()
        for (_, until), (since, _) in pairwise(periods):
            if since < until:
                when = "from the beginning" if since == first else f"at {since}"
                raise ValueError(
                    f"Two rows of `users` hold for {actor!r} {when}. "
                    "End one with valid_to_at where the other begins."
                )
