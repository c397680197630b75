"""The picture of two cohorts shows what the comparison says."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from decisions import history_of
from matplotlib.figure import Figure

import casesnb as cn


def waits(mean: float, n: int = 40) -> pd.DataFrame:
    hours = np.random.default_rng(1).exponential(mean, n)
    return pd.DataFrame({"hours": np.minimum(hours, 60), "is_open": hours > 60})


def test_curves_are_drawn_with_their_bands() -> None:
    found = cn.compare(
        waits(10), waits(30), "hours", names=("$x$ <b>", "new"), n_resamples=100
    )
    ax = cn.plot_comparison(found)
    drawn = cn.plot_data(ax)
    assert len(drawn) == len(found.curves)
    assert drawn["share"].tolist() == [step.share for step in found.curves]
    assert str(found) in cn.plot_text(ax)
    a, b = (f"{hours:.1f} h" for hours in found.effects[0][1:3])
    said = f"Time until it is over: {a} ($x$ <b>) and {b} (new) on average\n"
    assert cn.plot_text(ax).startswith(said)
    curves = [line for line in ax.lines if len(line.get_xdata()) > 2]
    assert len(curves) == 2
    assert len(ax.collections) == 2
    assert {line.get_linestyle() for line in curves} == {"-", "--"}
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    figure.savefig(io.BytesIO(), format="png")


def test_rates_are_drawn_in_rows_with_their_intervals() -> None:
    again = [(0.0, "open", "a"), (1.0, "closed", "a"), (2.0, "open", "a")]
    one = history_of({f"a{n}": again if n < 6 else again[:2] for n in range(20)})
    other = history_of({f"b{n}": again if n < 1 else again[:2] for n in range(20)})
    found = cn.compare(one, other, "reopened")
    ax = cn.plot_comparison(found)
    drawn = cn.plot_data(ax)
    assert drawn["rate"].tolist() == [0.3, 0.05]
    spans = [tuple(line.get_xdata()) for line in ax.lines if len(line.get_xdata()) == 2]
    assert spans == list(zip(drawn["low"], drawn["high"], strict=True))
    assert "-25.0 points" in cn.plot_text(ax)
    assert cn.plot_text(ax).startswith("Reopened: 30.0% (a) and 5.0% (b)\n")
    titled = cn.plot_comparison(found, title="It helped")
    assert cn.plot_text(titled).startswith("It helped\n")


def test_what_is_no_comparison_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Give what cn\.compare\(a, b\) returned"):
        cn.plot_comparison(waits(1))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["after the new routing rule of the north " * 2, "W" * 70]
)
def test_a_long_name_of_a_cohort_stays_on_the_page(name: str) -> None:
    found = cn.compare(
        waits(10), waits(30), "hours", names=(name, "new"), n_resamples=100
    )
    ax = cn.plot_comparison(found)
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    figure.savefig(io.BytesIO(), format="png")
    for text in ax.texts:
        assert text.get_window_extent().x1 <= figure.bbox.width, text.get_text()
