"""Lineage: cases that were merged, and the one thread that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from casesnb.tables.frames import (
    THREAD,
    beside,
    handed_back,
    instant,
    opened,
    plain,
    rows_of,
    windowed,
)
from casesnb.tables.keys import beside_all
from casesnb.tables.schema import CHANGES, EVENTS, ID, TEXT, TIME, Column, Table

if TYPE_CHECKING:
    from narwhals.typing import IntoFrameT

    from casesnb.tables.history import History

_THREAD = (
    Column("thread_id", TEXT, "the case that was kept in the end, or the case itself"),
    Column("is_counted", "bool", "False for what a merge repeats from the other case"),
    Column(
        "merged_at", TIME, "when a merge closed its case for good; missing if none did"
    ),
)
_PLACE = "the event's place in its thread, oldest first, from 0"


def _in_threads(table: Table) -> tuple[Column, ...]:
    """Return a table's columns as analysis gives them: plain texts, in a thread."""
    plain = [
        Column(
            column.name,
            TEXT if column.dtype == ID else column.dtype,
            _PLACE if column.name == "sequence" else column.meaning,
        )
        for column in table.columns
    ]
    return (plain[0], *_THREAD, *plain[1:])


MERGES = Table(
    "merges",
    "One row per merge of two cases.",
    (
        Column("domain_id", TEXT, "the Cases domain"),
        Column("merge_event_id", TEXT, "shared by the merge's events on both cases"),
        Column("primary_case_id", TEXT, "the case that was kept"),
        Column("secondary_case_id", TEXT, "the case that was closed"),
        Column("merged_at", TIME, "its first event"),
        Column("n_primary_events", "int64", "its events on the case that was kept"),
        Column("n_secondary_events", "int64", "its events on the one that was closed"),
    ),
)

THREAD_EVENTS = Table(
    "thread_events",
    "One row per event, with the thread that its case belongs to.",
    _in_threads(EVENTS),
)

THREAD_CHANGES = Table(
    "thread_changes",
    "One row per field change, with the thread that its case belongs to.",
    _in_threads(CHANGES),
)

THREAD_SUMMARY = Table(
    "thread_summary",
    "One row per thread: a case, or several that were merged into one.",
    (
        Column("domain_id", TEXT, "the Cases domain"),
        Column("thread_id", TEXT, "the case that was kept in the end"),
        Column("n_cases", "int64", "cases"),
        Column("n_merges", "int64", "merges"),
        Column("n_events", "int64", "counted events"),
        Column("n_changes", "int64", "field changes in them"),
        Column("n_actors", "int64", "distinct actors named by them"),
        Column("first_at", TIME, "the first of them"),
        Column("last_at", TIME, "the last of them"),
    ),
)


__all__ = [
    "merges",
    "thread_changes",
    "thread_events",
    "thread_summary",
]


def __dir__() -> list[str]:
    return __all__


_MERGE = ("domain_id", "merge_event_id", "primary_case_id", "secondary_case_id")


def merges(
    history: History[IntoFrameT] | IntoFrameT,
    /,
) -> IntoFrameT:
    """One row per merge of two cases.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its events alone (``schema.EVENTS``), of pandas, Polars,
        DuckDB or PySpark;
        of either case or of both.

    Returns
    -------
    DataFrame
        The columns of ``schema.MERGES``, oldest first, in the kind of frame
        that was given.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> client = cn.connect(world)
    >>> domain_id = world.domains[0].domain_id
    >>> history = cn.load_histories(client, domain_id, world.case_ids(domain_id))
    >>> merged = merges(history)
    >>> bool((merged["n_primary_events"] > 0).all())
    True
    """
    frame = opened(history, EVENTS).filter(~nw.col("merge_event_id").is_null())
    is_primary = nw.col("case_id") == nw.col("primary_case_id")
    frame = frame.with_columns(
        on_primary=is_primary.cast(nw.Int64), on_secondary=(~is_primary).cast(nw.Int64)
    )
    found = frame.group_by(*_MERGE).agg(
        at=nw.col("performed_at").min(),
        n_primary_events=nw.col("on_primary").sum(),
        n_secondary_events=nw.col("on_secondary").sum(),
    )
    counts = ("n_primary_events", "n_secondary_events")
    found = found.select(
        *_MERGE, *(nw.col(name).cast(nw.Int64) for name in counts), merged_at="at"
    )
    found = found.select(*_MERGE, "merged_at", *counts)
    return handed_back(found, history, ("domain_id", "merged_at", "merge_event_id"))


def thread_events(
    history: History[IntoFrameT] | IntoFrameT,
    /,
) -> IntoFrameT:
    """One row per event, with the thread that its case belongs to.

    Cases joined by merges, however many in a row, are one thread; it has the id
    of the case that was kept in the end. A merge repeats on the one case what
    it takes from the other (comments that move, fields that are filled in, the
    close of the secondary): such events are not ``is_counted``, except for the
    one ``Case.Merged`` on the case that was kept, so that nothing counts twice.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its events alone (``schema.EVENTS``), of pandas, Polars,
        DuckDB or PySpark.

    Returns
    -------
    DataFrame
        The columns of ``schema.THREAD_EVENTS``, by thread and in the order in
        which things were done, in the kind of frame that was given.

    See Also
    --------
    thread_changes : The same for field changes.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> history = cn.load_history(cn.connect(world), *world.showcase)
    >>> thread = thread_events(history)
    >>> thread["thread_id"].unique().tolist() == [world.showcase[1]]
    True
    """
    frame = plain(history, "performed_at", table=EVENTS)
    names = _own(frame)
    is_counted = nw.col("merge_event_id").is_null() | (
        (nw.col("event_type") == "Case.Merged")
        & (nw.col("case_id") == nw.col("primary_case_id")).fill_null(False)
    )
    thread_id, has_merge = _threads(frame)
    frame = frame.with_columns(thread_id=thread_id, is_counted=is_counted)
    if has_merge:
        frame = _in_their_places(_with_end(frame))
    else:
        frame = frame.with_columns(merged_at=instant(frame, None))
    frame = frame.select("domain_id", *THREAD, *names)
    order = ("domain_id", "thread_id", "performed_at", "case_id", "sequence")
    return handed_back(frame, history, order)


def _with_end(frame: Any) -> Any:
    """Return events with when a merge closed their case, if none kept it later."""
    is_other = nw.col("case_id") != nw.col("thread_id")
    is_own = (nw.col("case_id") == nw.col("secondary_case_id")).fill_null(False)
    is_close = ~nw.col("merge_event_id").is_null() & is_own
    is_close = is_close & ~nw.col("event_type").str.starts_with("RelatedItem.")
    ends = frame.filter(is_other & is_close)
    ends = ends.group_by("domain_id", "case_id", "merge_event_id")
    ends = ends.agg(end_=nw.col("performed_at").min())
    ends = ends.group_by("domain_id", "case_id").agg(merged_at=nw.col("end_").max())
    return frame.join(ends, on=["domain_id", "case_id"], how="left")


def _in_their_places(frame: Any) -> Any:
    """Return events with their place in the thread, where it has several cases."""
    # A case's events keep their order, which is that of their times.
    frame = windowed(frame)
    order = ("performed_at", "case_id", "sequence")
    thread = ("domain_id", "thread_id")
    is_moved = (nw.col("case_id") != nw.col("thread_id")).cast(nw.Int64)
    frame = frame.with_columns(one_=nw.lit(1, nw.Int64), moved_=is_moved)
    frame = frame.with_columns(
        place_=nw.col("one_").cum_sum().over(*thread, order_by=order) - 1
    )
    frame = beside_all(frame, thread, moved_=nw.col("moved_").max())
    place = nw.when(nw.col("moved_") > 0).then("place_").otherwise("sequence")
    return frame.with_columns(sequence=place.cast(nw.Int32))


def thread_changes(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    *,
    events: IntoFrameT | None = None,
) -> IntoFrameT:
    """One row per field change, with the thread that its case belongs to.

    Each case keeps its own values. In this frame a case that was merged for good
    ends with its merge: `spells` and whatever else tells values end there.
    `case_summary` takes it beside `thread_events` and has a row per thread.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    events : DataFrame, optional
        Beside changes alone, ``schema.EVENTS`` of the same cases and kind: changes
        do not say which merge they belong to.

    Returns
    -------
    DataFrame
        The columns of ``schema.THREAD_CHANGES``, by thread and in the order in
        which things were done, in the kind of frame that was given.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> history = cn.load_history(cn.connect(world), *world.showcase)
    >>> thread = thread_changes(history)
    >>> len(thread) == len(history.changes)
    True
    """
    frame = plain(history, "performed_at", table=CHANGES)
    names = _own(frame)
    key = ["domain_id", "case_id", "event_id"]
    told = plain(thread_events(beside(history, events, EVENTS)), "merged_at").select(
        *key, *THREAD, place_="sequence"
    )
    frame = (
        frame.join(told, on=key, how="left")
        .with_columns(
            thread_id=nw.coalesce("thread_id", "case_id"),
            is_counted=nw.col("is_counted").fill_null(True),
            sequence=nw.coalesce("place_", "sequence").cast(nw.Int32),
        )
        .select("domain_id", *THREAD, *names)
    )
    order = ("domain_id", "thread_id", "performed_at", "case_id", "sequence", "slot")
    return handed_back(frame, history, order)


def thread_summary(
    history: History[IntoFrameT] | IntoFrameT,
    /,
) -> IntoFrameT:
    """One row per thread: a case, or several that were merged into one.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its events alone (``schema.EVENTS``), of pandas, Polars,
        DuckDB or PySpark.

    Returns
    -------
    DataFrame
        The columns of ``schema.THREAD_SUMMARY``, by thread, in the kind of
        frame that was given. The counts are of counted events alone.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> history = cn.load_history(cn.connect(world), *world.showcase)
    >>> int(thread_summary(history).loc[0, "n_cases"])
    1
    """
    frame = opened(thread_events(history)).with_columns(
        one=nw.col("is_counted").cast(nw.Int64),
        # One event on the case that was kept tells each merge.
        is_merge=(nw.col("is_counted") & ~nw.col("merge_event_id").is_null()).cast(
            nw.Int64
        ),
    )
    key = ("domain_id", "thread_id")
    cases = frame.group_by(*key).agg(n_cases=nw.col("case_id").n_unique())
    counted = frame.filter(nw.col("is_counted"))
    actors = (
        counted.filter(~nw.col("actor").is_null())
        .group_by(*key)
        .agg(n_actors=nw.col("actor").n_unique())
    )
    sums = counted.group_by(*key).agg(
        n_events=nw.col("one").sum(),
        n_changes=nw.col("n_changes").sum(),
        n_merges=nw.col("is_merge").sum(),
        first_at=nw.col("performed_at").min(),
        last_at=nw.col("performed_at").max(),
    )
    counts = ("n_cases", "n_merges", "n_events", "n_changes", "n_actors")
    found = (
        cases.join(sums, on=list(key), how="left")
        .join(actors, on=list(key), how="left")
        .select(
            *key,
            *(nw.col(name).fill_null(0).cast(nw.Int64) for name in counts),
            "first_at",
            "last_at",
        )
    )
    return handed_back(found, history, key)


def _own(frame: Any) -> list[str]:
    """Return the columns of a frame that come after those of its thread."""
    names = frame.collect_schema().names()
    if there := [name for name in THREAD if name in names]:
        raise ValueError(
            f"There is a column {there[0]!r} already. Drop it, or give the frame as it "
            "was loaded."
        )
    return [name for name in names if name != "domain_id"]


def _threads(frame: Any) -> tuple[nw.Expr, bool]:
    """Return each row's thread: its own case where no merge moves it; whether any is."""
    rows = rows_of(
        frame.filter(
            ~nw.col("merge_event_id").is_null()
            & ~nw.col("primary_case_id").is_null()
            & ~nw.col("secondary_case_id").is_null()
        )
        .group_by("domain_id", "primary_case_id", "secondary_case_id")
        .agg(at=nw.col("performed_at").max())
        .sort("at", "domain_id", "primary_case_id", "secondary_case_id")
    )
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def kept(case: tuple[str, str]) -> tuple[str, str]:
        while parent.get(case, case) != case:
            parent[case] = parent.get(parent[case], parent[case])
            case = parent[case]
        return case

    for row in rows:  # oldest first: the case that was kept last gives its name
        primary, secondary = (
            kept((row["domain_id"], row[f"{name}_case_id"]))
            for name in ("primary", "secondary")
        )
        latest = (row["domain_id"], row["primary_case_id"])
        for case in (primary, secondary, latest):
            parent[case] = latest
    moved = {case: kept(case) for case in parent if kept(case) != case}
    if not moved:
        return nw.col("case_id"), False
    name = nw.concat_str("domain_id", "case_id", separator="\n")
    thread_id = name.replace_strict(
        ["\n".join(case) for case in moved],
        [case_id for _, case_id in moved.values()],
        default=nw.col("case_id"),
        return_dtype=nw.String,
    )
    return thread_id, True
