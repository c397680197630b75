"""How long pictures take, as ratios to an empty dated Axes saved as PNG."""

from __future__ import annotations

import datetime as dt
import io
import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import casesnb as cn
from casesnb.schema import CHANGES, EVENTS
from casesnb.tables.schema import ACTOR_KINDS

pytestmark = pytest.mark.bench


def changes(n: int, *, n_cases: int = 1, n_fields: int = 8) -> pd.DataFrame:
    """Changes of random fields at random times within ninety days."""
    rng = np.random.default_rng(1)
    seconds = np.sort(rng.integers(0, 90 * 86_400, n))
    start = pd.Timestamp("2026-01-01", tz="UTC")
    frame = pd.DataFrame(
        {
            "domain_id": "d",
            "case_id": pd.Series(rng.integers(0, n_cases, n)).astype("str"),
            "event_id": pd.Series(np.arange(n)).astype("str"),
            "sequence": np.arange(n),
            "slot": 0,
            "performed_at": start + pd.to_timedelta(seconds, unit="s"),
            "event_type": "Case.Updated",
            "actor": pd.Series(rng.integers(0, 40, n)).astype("str"),
            "actor_kind": np.array(ACTOR_KINDS)[rng.integers(0, 5, n)],
            "field_id": pd.Series(rng.integers(0, n_fields, n)).astype("str"),
            "new_kind": "string",
            "new": pd.Series(rng.integers(0, 6, n)).astype("str"),
            "is_order_known": True,
            "is_outcome_known": True,
        }
    )
    frame["old"] = frame.groupby(["case_id", "field_id"])["new"].shift()
    frame["old_kind"] = np.where(frame["old"].isna(), None, "string")
    return CHANGES.cast(frame.reindex(columns=CHANGES.names))


def events(n: int) -> pd.DataFrame:
    found = changes(n, n_cases=20_000)
    known = set(found.columns)
    more = {name: None for name in EVENTS.names if name not in known}
    return EVENTS.cast(found.assign(**{**more, "n_changes": 1}))


def saved(ax: Axes, kind: str = "png") -> int:
    buffer = io.BytesIO()
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    figure.savefig(buffer, format=kind)
    return len(buffer.getvalue())


def empty() -> None:
    ax = Figure(figsize=(10, 3.2)).add_subplot()
    ax.xaxis_date()
    ax.set_xlim(dt.datetime(2026, 1, 1), dt.datetime(2026, 4, 1))  # noqa: DTZ001
    saved(ax)


def ratio(draw: Callable[[], object], times: int = 9) -> float:
    """The median of pairs, so that what else the machine does falls on both."""
    draw(), empty()
    ratios = []
    for _ in range(times):
        start = time.process_time()
        empty()
        middle = time.process_time()
        draw()
        ratios.append((time.process_time() - middle) / (middle - start))
    return statistics.median(ratios)


@pytest.mark.parametrize(("n", "limit"), [(100, 3), (10_000, 6)])
def test_a_timeline_takes_a_few_empty_figures(n: int, limit: float) -> None:
    frame = changes(n)
    whole = ratio(lambda: saved(cn.plot_changes(frame)))
    # The numbers come from the analysis, whose speed is held by its own benchmark.
    numbers = ratio(lambda: cn.spells(frame))
    print(
        f"{n:,} changes: {whole:.1f} empty figures, {numbers:.1f} of them for the "
        f"spells; {whole - numbers:.1f} for the picture, at most {limit}"
    )
    assert whole - numbers <= limit


def test_a_million_events_take_a_few_empty_figures() -> None:
    frame = events(1_000_000)
    whole = ratio(lambda: saved(cn.plot_activity(frame)))
    print(f"1,000,000 events: {whole:.1f} empty figures, at most 5")
    assert whole <= 5


@pytest.mark.parametrize(
    ("plot", "limit"),
    [
        (cn.plot_backlog, 15),
        (cn.plot_handoffs, 15),
        (cn.plot_aging, 15),
        (cn.plot_time_in, 19),
    ],
)
def test_a_million_changes_take_less_than_twenty_empty_figures(
    plot: Callable[..., Axes], limit: float
) -> None:
    frame = changes(1_000_000, n_cases=100_000, n_fields=3)
    names = {"0": "status", "1": "assigned_user", "2": "priority"}
    frame["field_id"] = frame["field_id"].astype("str").map(names)
    for column in ("old", "new"):  # one status in six means closed
        frame[column] = frame[column].replace({"3": "closed"})
    frame = CHANGES.cast(frame)
    whole = ratio(lambda: saved(plot(frame)), times=5)
    name = plot.__name__
    print(f"{name} of 1,000,000 changes: {whole:.1f} empty figures, below {limit}")
    assert whole < limit


def test_a_vector_file_of_ten_thousand_spans_is_small() -> None:
    size = saved(cn.plot_changes(changes(10_000)), "svg")
    print(f"SVG of 10,000 spans: {size:,} bytes, below 200,000")
    assert size < 200_000
