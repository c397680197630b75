"""The chain of a field's changes: each old value should be the new one before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from casesnb.analysis.clock import moment
from casesnb.analysis.engine import opened

if TYPE_CHECKING:
    import datetime as dt

PART = ("domain_id", "case_id", "field_id")
ORDER = ("sequence", "slot")


def chained(
    changes: object, field_id: str | None = None, *, as_of: dt.datetime | None = None
) -> Any:
    """Return the changes of cases' own fields, each beside the one before it.

    Related items are left out: two comments share a field id but no value.

    Parameters
    ----------
    changes : DataFrame
        The columns of ``schema.CHANGES``, in any engine.
    field_id : str, optional
        Only this field; all fields otherwise.
    as_of : datetime, optional
        Up to this moment, with its zone; up to the newest change otherwise.

    Returns
    -------
    narwhals.DataFrame or narwhals.LazyFrame
        The rows with ``before``, ``before_kind``, ``before_at`` and
        ``before_event_id`` (the change before), ``next_at`` (when the next one
        came), ``is_first``, ``is_last``, ``as_of`` and ``is_break``: the old
        value is not the new one before. An old or new value that AWS did not
        send contradicts nothing.
    """
    frame = opened(changes)
    if as_of is None:
        frame = frame.with_columns(as_of=nw.col("performed_at").max())
    else:
        until = nw.lit(moment(as_of), nw.Datetime("us", "UTC"))
        frame = frame.filter(nw.col("performed_at") <= until).with_columns(as_of=until)
    if field_id is not None:
        frame = frame.filter(nw.col("field_id") == field_id)
    frame = frame.filter(
        ~nw.col("event_type").str.starts_with("RelatedItem.").fill_null(False)
    )
    frame = in_chains(frame)
    frame = beside(
        frame,
        1,
        before_kind="new_kind",
        before="new",
        before_at="performed_at",
        before_event_id="event_id",
    )
    frame = beside(frame, -1, next_at="performed_at")
    both = ~nw.col("old_kind").is_null() & ~nw.col("before_kind").is_null()
    return frame.with_columns(
        is_first=nw.col("before_at").is_null(),
        is_last=nw.col("next_at").is_null(),
        is_break=both & differs("old", "before"),
    )


def differs(value: str, other: str) -> nw.Expr:
    """Return whether two values differ, kind and text, missing ones being alike.

    Parameters
    ----------
    value, other : str
        Columns of texts; their kinds are in ``<name>_kind``.

    Returns
    -------
    narwhals.Expr
        True or False, never missing.
    """
    # Engines differ on what missing equals, so nothing compared here is missing.
    kinds = [nw.col(f"{name}_kind").fill_null("") for name in (value, other)]
    texts = [nw.col(name).fill_null("") for name in (value, other)]
    return (kinds[0] != kinds[1]) | (texts[0] != texts[1])


def in_chains(frame: Any) -> Any:
    """Return opened changes ready for `beside`.

    Parameters
    ----------
    frame : narwhals.DataFrame or narwhals.LazyFrame
        With the columns of `PART` and `ORDER`.

    Returns
    -------
    narwhals.DataFrame or narwhals.LazyFrame
        The same rows; where rows have an order, in the chains' order.
    """
    if isinstance(frame, nw.LazyFrame):
        return frame
    # One sort and plain shifts beat a window per column by far.
    frame = frame.sort(*PART, *ORDER)
    starts = nw.lit(False)
    for name in PART:
        starts = starts | (nw.col(name) != nw.col(name).shift(1)).fill_null(True)
    frame = frame.with_columns(chain=starts)
    return frame.with_columns(chain=nw.col("chain").cast(nw.Int64).cum_sum())


def beside(frame: Any, step: int, **names: str) -> Any:
    """Return rows of `in_chains` with columns of a neighbour in their chain.

    Parameters
    ----------
    frame : narwhals.DataFrame or narwhals.LazyFrame
        From `in_chains`, perhaps with fewer rows.
    step : int
        1 for the row before, -1 for the row after.
    **names : str
        The new columns, each with the column that it is taken from.

    Returns
    -------
    narwhals.DataFrame or narwhals.LazyFrame
        The same rows; missing where there is no such neighbour.
    """
    if isinstance(frame, nw.LazyFrame):
        return frame.with_columns(
            **{
                name: nw.col(source).shift(step).over(*PART, order_by=ORDER)
                for name, source in names.items()
            }
        )
    is_same = nw.col("chain") == nw.col("chain").shift(step)
    return frame.with_columns(
        **{
            name: nw.when(is_same).then(nw.col(source).shift(step))
            for name, source in names.items()
        }
    )
