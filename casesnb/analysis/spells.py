"""Spells: the intervals during which a field held one value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import narwhals as nw

if TYPE_CHECKING:
    import datetime as dt

    from narwhals.typing import IntoFrameT

_PART = ("domain_id", "case_id", "field_id")
_ORDER = ("sequence", "slot")
_TEXT = (
    "domain_id",
    "case_id",
    "field_id",
    "old_kind",
    "old",
    "new_kind",
    "new",
    "event_id",
    "actor",
)


def _differs(a: str, b: str) -> nw.Expr:
    """Whether two texts differ, a missing one being a value like any other."""
    x, y = nw.col(a), nw.col(b)
    return (x.fill_null("\0") != y.fill_null("\0")).fill_null(False)


def spells(
    changes: IntoFrameT,
    field_id: str | None = None,
    *,
    as_of: dt.datetime | None = None,
) -> IntoFrameT:
    """One row per case, field and interval during which it held one value.

    A change to the value that a field already has does not end a spell. What a
    field held before its first recorded change is a spell without a start, if
    AWS gave the old value there. Where an old value is not the one before it,
    something is missing from the history: the spells on both sides of the break
    are not ``known``.

    Parameters
    ----------
    changes : DataFrame
        The columns of ``schema.CHANGES``, in pandas, Polars, DuckDB or PySpark.
    field_id : str, optional
        Only this field; all fields otherwise.
    as_of : datetime, optional
        Up to this moment, with its zone; up to the newest change otherwise.

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
    >>> bool(spells(history.changes, "status")["is_open"].iloc[-1])
    True
    """
    text = [nw.col(name).cast(nw.String) for name in _TEXT]
    frame: Any = nw.from_native(cast("Any", changes)).select(
        *text, "sequence", "slot", "performed_at"
    )
    if field_id is not None:
        frame = frame.filter(nw.col("field_id") == field_id)
    if as_of is None:
        frame = frame.with_columns(as_of=nw.col("performed_at").max())
    else:
        moment = nw.lit(as_of)
        frame = frame.with_columns(as_of=moment).filter(
            nw.col("performed_at") <= moment
        )

    def of(column: str, step: int) -> nw.Expr:
        return nw.col(column).shift(step).over(*_PART, order_by=_ORDER)

    frame = frame.with_columns(
        before=of("new", 1),
        before_kind=of("new_kind", 1),
        # Not by cum_count: Narwhals 2.29 counts wrongly over two orders on pandas.
        is_first=of("event_id", 1).is_null(),
    )
    frame = frame.with_columns(
        is_break=~nw.col("is_first")
        & ~nw.col("old_kind").is_null()
        & (_differs("old", "before") | _differs("old_kind", "before_kind")),
        is_change=_differs("new", "before") | _differs("new_kind", "before_kind"),
    )
    begun = frame.filter(
        nw.col("is_first") | nw.col("is_change") | nw.col("is_break")
    ).with_columns(
        # A flag shifted past the end would turn into an object in pandas.
        break_before=nw.col("is_break").cast(nw.Int8)
    )
    begun = begun.with_columns(
        until=of("performed_at", -1), then_break=of("break_before", -1)
    )

    key = list(_PART)
    after = begun.select(
        *key,
        kind=nw.col("new_kind"),
        value=nw.col("new"),
        start_at=nw.col("performed_at"),
        end_at=nw.coalesce("until", "as_of"),
        is_open=nw.col("until").is_null(),
        known=nw.col("then_break").fill_null(0) == 0,
        event_id=nw.col("event_id"),
        actor=nw.col("actor"),
    )
    none = nw.lit(None, nw.String)
    earlier = frame.filter(nw.col("is_first") & ~nw.col("old_kind").is_null()).select(
        *key,
        kind=nw.col("old_kind"),
        value=nw.col("old"),
        start_at=nw.when(~nw.col("is_first")).then("performed_at"),
        end_at=nw.col("performed_at"),
        is_open=nw.lit(False),
        known=nw.lit(False),
        event_id=none,
        actor=none,
    )
    both = nw.concat([earlier, after], how="vertical")
    hours = (
        nw.col("end_at") - nw.col("start_at")
    ).dt.total_microseconds() / 3.6e9 + 0.0
    ordered = (
        both.with_columns(hours=hours.cast(nw.Float64))
        .select(
            *key,
            "kind",
            "value",
            "start_at",
            "end_at",
            "hours",
            "is_open",
            "known",
            "event_id",
            "actor",
        )
        .sort(*key, "start_at", nulls_last=False)
    )
    return cast("IntoFrameT", nw.maybe_reset_index(ordered).to_native())
