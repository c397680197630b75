"""Who acted, and when: people, integrations, Connect itself and API callers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import narwhals as nw

if TYPE_CHECKING:
    from narwhals.typing import IntoFrameT


def actor_activity(events: IntoFrameT, *, freq: str = "1d") -> IntoFrameT:
    """One row per actor and period in which they acted.

    Parameters
    ----------
    events : DataFrame
        The columns of ``schema.EVENTS``, in pandas, Polars, DuckDB or PySpark.
    freq : str, default "1d"
        The period's length, such as ``"1h"``, ``"1d"`` or ``"1mo"``, in UTC.

    Returns
    -------
    DataFrame
        The columns of ``schema.ACTOR_ACTIVITY``, by period and actor, in the
        kind of frame that was given.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> activity = actor_activity(history.events)
    >>> int(activity["n_events"].sum()) == len(history.events)
    True
    """
    frame: Any = nw.from_native(cast("Any", events))
    frame = frame.select(
        nw.col("actor").cast(nw.String),
        nw.col("actor_kind").cast(nw.String),
        nw.col("domain_id").cast(nw.String),
        nw.col("case_id").cast(nw.String),
        nw.col("n_changes").cast(nw.Int64),
        period_at=nw.col("performed_at").dt.truncate(freq),
    ).with_columns(
        # A case is its domain and its id.
        case=nw.concat_str("domain_id", "case_id", separator="\n"),
        one=nw.lit(1, nw.Int64),
    )
    counted = frame.group_by("actor", "actor_kind", "period_at").agg(
        n_events=nw.col("one").sum(),
        n_changes=nw.col("n_changes").sum(),
        n_cases=nw.col("case").n_unique(),
    )
    counts = [
        nw.col(name).cast(nw.Int64) for name in ("n_events", "n_changes", "n_cases")
    ]
    counted = counted.with_columns(*counts)
    ordered = counted.sort("period_at", "actor", "actor_kind", nulls_last=True)
    return cast("IntoFrameT", nw.maybe_reset_index(ordered).to_native())
