"""Pictures of two cohorts: their curves with bands, or their rates with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from casesnb.analysis.cohorts import rate_interval
from casesnb.analysis.comparison import WAITS, Comparison
from casesnb.analysis.durations import SURVIVAL
from casesnb.view.plots.labels import drawable
from casesnb.view.plots.style import (
    COHORTS,
    Drawing,
    finish,
    grid,
    like,
    page,
    paper,
    place_legend,
    scale,
)
from casesnb.view.text import shortened
from casesnb.view.wording import counted, hours_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes

    from casesnb.analysis.comparison import Effect, Step

_NAME = 28  # characters of a cohort's name
_LINES: tuple[Literal["-"], Literal["--"]] = ("-", "--")
_OFFSETS = (-0.14, 0.14)


def plot_comparison(
    comparison: Comparison, /, *, ax: Axes | None = None, title: str | None = None
) -> Axes:
    """Draw two cohorts: two curves with bands, or rates with intervals in rows.

    Parameters
    ----------
    comparison : Comparison
        What `compare` returned.
    ax : Axes, optional
        Where to draw; a fresh figure otherwise.
    title : str, optional
        What stands above the picture; the main effect in both cohorts otherwise.

    Returns
    -------
    Axes
        With one row per cohort and step of its curve, or per cohort and
        outcome, as `plot_data`; `plot_text` has the sentence.

    Raises
    ------
    TypeError
        If it is not given a comparison.

    See Also
    --------
    casesnb.compare : The numbers behind it.
    """
    if not isinstance(comparison, Comparison):
        raise TypeError(
            f"{type(comparison).__name__} is no comparison. Give what cn.compare(a, b) "
            "returned."
        )
    used = " and ".join(
        f"{each.n:,} ({each.share:.0%}) of {each.name}" for each in comparison.cohorts
    )
    draw = _rates if comparison.horizon is None else _curves
    return draw(comparison, ax, title, f"Counted are {used}")


def _about(comparison: Comparison) -> str:
    """Tell the main effect: what was measured, and how much it was in each cohort."""
    one, other = (shortened(each.name, _NAME) for each in comparison.cohorts)
    effect = comparison.effects[0]
    if comparison.horizon is None:
        what = ", ".join(dict.fromkeys((comparison.measure, effect.effect)))
        what, a, b, tail = _words(what), *_shares(effect), ""
    else:
        verb = WAITS.get(comparison.measure, ("", "it is over"))[1]
        what, tail = f"time until {verb}", " on average"
        a, b = (hours_text(hours) for hours in (effect.a, effect.b))
    return f"{what[:1].upper()}{what[1:]}: {a} ({one}) and {b} ({other}){tail}"


def _shares(effect: Effect) -> tuple[str, str]:
    return f"{effect.a:.1%}", f"{effect.b:.1%}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _curves(
    comparison: Comparison, ax: Axes | None, title: str | None, used: str
) -> Axes:
    ax = page(ax, height=3.8, left=0.75)
    longest = max((step.hours for step in comparison.curves), default=1.0)
    unit, n_hours = ("days", 24.0) if longest > 96 else ("hours", 1.0)
    handles = []
    for place, cohort in enumerate(comparison.cohorts):
        ink = COHORTS[place]
        steps = [s for s in comparison.curves if s.name == cohort.name]
        at = np.array([0.0, *(step.hours for step in steps)]) / n_hours
        share = np.array([1.0, *(step.share for step in steps)])
        low, high = (
            np.array([1.0, *(getattr(step, name) for step in steps)])
            for name in ("low", "high")
        )
        # Where the curve is 1 or 0 there is no interval.
        low, high = (np.where(np.isnan(v), share, v) for v in (low, high))
        ax.fill_between(
            at, low, high, step="post", color=ink.colour, alpha=0.18, linewidth=0
        )
        ax.step(at, share, where="post", color=ink.colour, linestyle=_LINES[place])
        handles.append(
            Line2D(
                [],
                [],
                color=ink.colour,
                linestyle=_LINES[place],
                label=drawable(shortened(f"{cohort.name} ({cohort.n:,})", _NAME)),
            )
        )
    on = paper(ax)
    ax.axhline(0.5, color=on.grid, linewidth=1, zorder=0)
    horizon = comparison.horizon or longest
    ax.axvline(horizon / n_hours, color=on.quiet, linewidth=0.8, linestyle=":")
    ax.set_xlim(0, longest / n_hours * 1.02)
    ax.set_ylim(0, 1.02)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_ylabel("not yet", color=on.quiet, fontsize=9 * scale(ax))
    ax.set_xlabel(unit, color=on.quiet, fontsize=9 * scale(ax))
    place_legend(ax, handles)
    rows = comparison.curves
    names = ("name", "hours", "share", "low", "high")
    frame = like(
        SURVIVAL.empty(), {name: [getattr(row, name) for row in rows] for name in names}
    )
    footer = (
        f"{used}. The bands are 95% intervals, the dotted line is the horizon up to "
        "which the average counts."
    )
    about = _about(comparison)
    drawing = Drawing(about, lambda: frame, lambda: [*_told(comparison)], footer)
    return finish(ax, drawing, title=title, below=46.0)


def _rates(
    comparison: Comparison, ax: Axes | None, title: str | None, used: str
) -> Axes:
    effects = comparison.effects
    ax = page(ax, height=1.5 + 0.55 * len(effects), left=1.6)
    rows: list[tuple[str, str, float, float, float]] = []
    handles = []
    for place, cohort in enumerate(comparison.cohorts):
        ink = COHORTS[place]
        for line, effect in enumerate(effects):
            rate = effect.b if place else effect.a
            low, high = rate_interval(cohort, rate)
            rows.append((cohort.name, effect.effect, rate, low, high))
            at = line + _OFFSETS[place]
            ax.plot([low, high], [at, at], color=ink.colour, linewidth=2)
            ax.plot([rate], [at], color=ink.colour, marker=ink.marker, markersize=7)
        label = drawable(shortened(f"{cohort.name} ({cohort.n:,})", _NAME))
        handles.append(Line2D([], [], color=ink.colour, marker=ink.marker, label=label))
    ax.set_ylim(len(effects) - 0.5, -0.5)
    labels = [drawable(shortened(_words(effect.effect), _NAME)) for effect in effects]
    ax.set_yticks(range(len(effects)), labels)
    ax.set_xlim(0, min(1.0, max(row[4] for row in rows) * 1.1))
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    grid(ax, "x")
    place_legend(ax, handles)
    names = ("name", "outcome", "rate", "low", "high")
    frame = like(
        SURVIVAL.empty(),
        dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)),
    )
    footer = f"{used}. The bars are 95% intervals."
    about = _about(comparison)
    drawing = Drawing(about, lambda: frame, lambda: [*_told(comparison)], footer)
    return finish(ax, drawing, title=title, below=28.0)


def _told(comparison: Comparison) -> Iterator[str]:
    yield str(comparison)
    for cohort in comparison.cohorts:
        if cohort.n_excluded:
            yield f"left out of {cohort.name}: {cohort.excluded}"
    for cohort in comparison.cohorts:
        steps = [step for step in comparison.curves if step.name == cohort.name]
        if steps:
            yield f"{cohort.name}: {counted(len(steps), 'step')}, {_ends(steps[-1])}"


def _ends(step: Step) -> str:
    return f"{step.share:.0%} last longer than {step.hours:,.1f} h"
