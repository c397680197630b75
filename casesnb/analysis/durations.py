"""Durations of which some are not over: Kaplan and Meier's medians, nothing dropped."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from casesnb.analysis.spells import SPELLS
from casesnb.analysis.uncertainty import Z
from casesnb.tables.arguments import as_ids, need_columns
from casesnb.tables.frames import handed_back, opened, windowed
from casesnb.tables.keys import beside_all, told_apart
from casesnb.tables.schema import HELD, TEXT, Column, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from narwhals.typing import IntoFrameT

_QUANTILES = {"q25_hours": 0.75, "median_hours": 0.5, "q90_hours": 0.1}
_LEAST = {f"{name}_min": share for name, share in _QUANTILES.items()}


DURATIONS = Table(
    "durations",
    "One row per field and value: how long its spells last, open ones censored.",
    (
        Column("field_id", TEXT, "the field"),
        *HELD,
        Column("n", "int64", "spells"),
        Column("n_open", "int64", "of them still open"),
        Column("n_unknown", "int64", "of them without a known start, not counted"),
        Column("n_broken", "int64", "of them that ended in a break, nobody knows when"),
        Column(
            "q25_hours", "float64", "hours after which a quarter had ended, at most"
        ),
        Column("median_hours", "float64", "hours after which half had ended, at most"),
        Column(
            "q90_hours", "float64", "hours after which nine tenths had ended, at most"
        ),
        Column("q25_hours_min", "float64", "the same at least; differs after breaks"),
        Column("median_hours_min", "float64", "the same at least"),
        Column("q90_hours_min", "float64", "the same at least"),
    ),
)

SURVIVAL = Table(
    "survival",
    "One row per group and duration at which something ended: what share lasts longer.",
    (
        Column("field_id", TEXT, "the field"),
        *HELD,
        Column("hours", "float64", "hours since it began"),
        Column("n_at_risk", "int64", "that had lasted so long"),
        Column("n_ended", "int64", "of them ended just then"),
        Column("n_censored", "int64", "of them not followed any longer than that"),
        Column("share", "float64", "that lasts longer, from 0 to 1"),
        Column("low", "float64", "where its 95% interval begins; missing at 0 and 1"),
        Column("high", "float64", "where it ends"),
    ),
)


def hours_text(hours: float) -> str:
    """Return a duration in the unit that suits it."""
    if hours != hours:
        return "unknown"
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:,.1f} d"


def durations(
    frame: IntoFrameT,
    *,
    by: Sequence[str] = ("field_id", "kind", "value"),
    hours: str = "hours",
) -> IntoFrameT:
    """One row per group: how long its spells last, those still open counted too.

    An open spell has lasted at least so long: it is at risk until then and
    leaves without an end (it is censored). Dropping open spells, or taking them
    as ended, makes a median too short.

    A spell that ended in a break of the history ended at some time before:
    each quantile is told at most, as if such a spell had lasted to its break,
    and at least, as if it had ended at once.

    Parameters
    ----------
    frame : DataFrame
        With the columns of `by`, `hours` and ``is_open``, as `spells` returns
        them, in pandas, Polars, DuckDB or PySpark; with ``is_known``, which says
        what ended in a break, if there is one.
    by : sequence of str, default ("field_id", "kind", "value")
        The columns that make a group.
    hours : str, default "hours"
        The column of hours. A row without a number is not counted, except in
        ``n_unknown``.

    Returns
    -------
    DataFrame
        The columns of ``schema.DURATIONS``, those of `by` in place of the
        field's, in the kind of frame that was given. A quantile that the group
        did not reach yet is missing.

    Raises
    ------
    TypeError
        If `by` is one text.
    ValueError
        If `by` is empty, or a column is missing.

    References
    ----------
    .. [1] E. L. Kaplan and P. Meier, "Nonparametric Estimation from Incomplete
       Observations", JASA 53 (1958).

    Examples
    --------
    >>> import pandas as pd
    >>> waits = pd.DataFrame({"hours": [1.0, 2, 3, 9], "queue": "q"})
    >>> waits["is_open"] = [False, False, True, True]
    >>> durations(waits, by=["queue"])["median_hours"].tolist()
    [2.0]
    """
    by, rows = _told(frame, by, hours)
    groups = rows.group_by(*by, "group_").agg(
        n=nw.col("one").sum(),
        n_ended=nw.col("ended").sum(),
        n_unknown=nw.col("unknown").sum(),
        n_broken=nw.col("broken").sum(),
    )
    most = _quantiles(rows, _QUANTILES)
    least = beside_all(rows, ["group_"], n_broken=nw.col("broken").sum())
    least = least.filter(nw.col("n_broken") > 0).with_columns(hours=nw.col("least"))
    both = groups.join(most, on="group_", how="left")
    both = both.join(_quantiles(least, _LEAST), on="group_", how="left")
    both = both.with_columns(
        # Where no spell ended in a break, the quantiles at least are those at most.
        **{
            name: nw.when(nw.col("n_broken") > 0).then(name).otherwise(most_name)
            for name, most_name in zip(_LEAST, _QUANTILES, strict=True)
        },
        n=nw.col("n").cast(nw.Int64),
        n_open=(nw.col("n") - nw.col("n_ended")).cast(nw.Int64),
        n_unknown=nw.col("n_unknown").cast(nw.Int64),
        n_broken=nw.col("n_broken").cast(nw.Int64),
    )
    counts = ("n", "n_open", "n_unknown", "n_broken")
    return handed_back(both, frame, by, (*by, *counts, *_QUANTILES, *_LEAST))


def survival(
    frame: IntoFrameT,
    /,
    *,
    by: Sequence[str] = ("field_id", "kind", "value"),
    hours: str = "hours",
) -> IntoFrameT:
    """One row per group and duration at which one ended: what share lasts longer.

    Kaplan and Meier's curve of which `durations` tells three points, with
    Greenwood's variance and an interval that stays between 0 and 1. A spell that
    ended in a break of the history counts as if it had lasted to its break: the
    shares are then told at most.

    Parameters
    ----------
    frame : DataFrame
        With the columns of `by`, `hours` and ``is_open``, as `spells` returns
        them, in pandas, Polars, DuckDB or PySpark.
    by : sequence of str, default ("field_id", "kind", "value")
        The columns that make a group.
    hours : str, default "hours"
        The column of hours. A row without a number is not counted.

    Returns
    -------
    DataFrame
        The columns of ``schema.SURVIVAL``, those of `by` in place of the
        field's, by group and hours, in the kind of frame that was given. Hours
        at which only censored ones left have a row, as the curve goes on until
        there.

    Raises
    ------
    TypeError
        If `by` is one text.
    ValueError
        If `by` is empty, or a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> waits = pd.DataFrame({"hours": [1.0, 2, 3, 9], "queue": "q"})
    >>> waits["is_open"] = [False, False, True, True]
    >>> survival(waits, by=["queue"])["share"].round(9).tolist()
    [0.75, 0.5, 0.5, 0.5]
    """
    by, rows = _told(frame, by, hours)
    steps = _steps(rows, by)
    n, d = nw.col("at_risk"), nw.col("ended")
    left = nw.when(n > d).then(d / (n * (n - d))).otherwise(nw.lit(0.0))
    steps = steps.with_columns(left=left).with_columns(
        variance=_summed_up(steps, "left"),
        share=nw.when(nw.col("survived") < 1e-300)
        .then(nw.lit(0.0))
        .otherwise("survived"),
    )
    share = nw.col("share")
    is_inside = (share > 0) & (share < 1 - 1e-12)
    safe = nw.when(is_inside).then(share).otherwise(nw.lit(0.5))
    spread = (nw.col("variance") ** 0.5 * Z / -safe.log()).exp()
    found = steps.select(
        *by,
        "hours",
        "share",
        n_at_risk=n.cast(nw.Int64),
        n_ended=d.cast(nw.Int64),
        n_censored=(nw.col("left_here") - d).cast(nw.Int64),
        low=nw.when(is_inside).then((safe.log() * spread).exp()),
        high=nw.when(is_inside).then((safe.log() / spread).exp()),
    )
    columns = (*by, *SURVIVAL.names[3:])
    return handed_back(found, frame, (*by, "hours"), columns)


def _told(frame: object, by: Sequence[str], hours: str) -> tuple[tuple[str, ...], Any]:
    """Return the columns of a group, and what is told of each duration."""
    by = tuple(as_ids(by))
    if not by:
        raise ValueError("by=() makes no group. Name at least one column.")
    rows = opened(frame)
    there = rows.collect_schema().names()
    need_columns(there, replace(SPELLS, needs=(*by, hours, "is_open")))
    rows = told_apart(rows, "group_", by)
    is_known = nw.col("is_known") if "is_known" in there else nw.lit(True)
    is_broken = ~is_known & ~nw.col("is_open") & ~nw.col(hours).is_null()
    told = rows.select(
        *by,
        "group_",
        hours=nw.col(hours),
        least=nw.when(is_broken).then(nw.lit(0.0)).otherwise(nw.col(hours)),
        broken=is_broken.cast(nw.Int64),
        ended=(~nw.col("is_open")).cast(nw.Int64),
        one=nw.lit(1, nw.Int64),
        unknown=nw.col(hours).is_null().cast(nw.Int64),
    )
    return by, windowed(told)


def _quantiles(rows: Any, shares: Mapping[str, float]) -> Any:
    """Return after how many hours so much of each group is left."""
    found = _steps(rows, ()).select(
        "group_",
        **{
            name: nw.when(nw.col("survived") <= share + 1e-9).then("hours")
            for name, share in shares.items()
        },
    )
    return found.group_by("group_").agg(nw.col(*shares).min())


def _steps(rows: Any, by: Sequence[str]) -> Any:
    """Return the steps of each group's curve, by Kaplan and Meier."""
    steps = rows.filter(nw.col("unknown") == 0).group_by(*by, "group_", "hours")
    steps = steps.agg(ended=nw.col("ended").sum(), left_here=nw.col("one").sum())
    if isinstance(steps, nw.DataFrame):  # in order once, not for every sum
        steps = steps.sort("group_", "hours")
    steps = steps.with_columns(gone=_summed_up(steps, "left_here"))
    steps = beside_all(steps, ["group_"], total=nw.col("left_here").sum()).with_columns(
        at_risk=(nw.col("total") - nw.col("gone") + nw.col("left_here")).cast(
            nw.Float64
        ),
        ended=nw.col("ended").cast(nw.Float64),
    )
    # A product as a sum of logarithms; nobody left is as good as minus infinity.
    is_last = nw.col("ended") >= nw.col("at_risk")
    safe = (
        nw.when(is_last)
        .then(nw.lit(1.0))
        .otherwise(1 - nw.col("ended") / nw.col("at_risk"))
    )
    steps = steps.with_columns(safe=safe).with_columns(
        part=nw.when(is_last).then(nw.lit(-1e6)).otherwise(nw.col("safe").log())
    )
    return steps.with_columns(survived=_summed_up(steps, "part").exp())


def _summed_up(steps: Any, name: str) -> nw.Expr:
    """Return what a column of a group's steps comes to up to each of them."""
    order = None if isinstance(steps, nw.DataFrame) else "hours"
    return nw.col(name).cum_sum().over("group_", order_by=order)
