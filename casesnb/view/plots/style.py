"""The page that every plot is drawn on: its Axes, its colours, its text twin.

A plot is drawn on an Axes of yours, or on a fresh figure that pyplot does not know.
That one shows itself at the end of a notebook cell, and its ``repr`` says in text
what is drawn: nbval, which does not compare pictures, compares that.
"""

from __future__ import annotations

import hashlib
import io
import textwrap
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from casesnb.view.plots.labels import drawable, literal
from casesnb.view.text import shortened
from casesnb.view.wording import KIND_LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd

    Numbers = np.ndarray[Any, Any]


class Ink(NamedTuple):
    """How one class of things is drawn: told apart by more than its colour."""

    label: str  # what it is called
    colour: str  # its colour, ``#rrggbb``
    marker: str  # the marker of its points
    hatch: str  # the hatch of its areas


# Told apart by shape and hatch, by each kind of colour-blind eye and in grey.
KINDS = {
    "agent": Ink(KIND_LABELS["agent"], "#4472bd", "o", ""),
    "custom": Ink(KIND_LABELS["custom"], "#dcb02f", "D", "////"),
    "service": Ink(KIND_LABELS["service"], "#2d9c94", "s", "...."),
    "role": Ink(KIND_LABELS["role"], "#6d0b28", "^", "xxxx"),
    "unknown": Ink(KIND_LABELS["unknown"], "#575757", "X", "----"),
}
"""How each kind of actor is drawn, in the order of a legend."""

INK = "#22303c"
QUIET = "#6b7a88"
GRID = "#e4e9ee"
UNKNOWN = "#eef0f2"
ALARM = "#9c2f12"

SERIES = (
    Ink("", "#4472bd", "o", ""),
    Ink("", "#dcb02f", "D", "////"),
    Ink("", "#2d9c94", "s", "...."),
    Ink("", "#6d0b28", "^", "xxxx"),
    Ink("", "#9fc3ec", "v", "\\\\\\\\"),
    Ink("", "#575757", "X", "----"),
    Ink("", "#f2dfb0", "P", "oo"),
    Ink("", "#1c2f52", "*", "++"),
)
"""How things without a colour of their own are drawn, first to last."""

OTHER = "other"
_LINE = 600  # characters of one line of words
_SHOWN_DPI = 144
_SMALL = 8.5  # points
_LEADING = 1.25
_FOOT = 3  # lines of a footer
_ABOVE = 10.0  # points from a plot to its title
_MARGIN = 7.5  # points under a footer


@dataclass(frozen=True, slots=True)
class Drawing:
    """What an Axes shows: the frame behind it and its words."""

    title: str  # what the plot is of
    # gives the numbers drawn; called when they are asked for
    frame: Callable[[], pd.DataFrame]
    # gives what a person would read off the picture, top to bottom
    lines: Callable[[], Sequence[str]]
    footer: str  # how much, from when to when, in which zone, how complete

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what is drawn, not how it comes about: figures are pickled."""
        given = partial(_given, self.frame()), partial(_given, tuple(self.lines()))
        return Drawing, (self.title, *given, self.footer)


def _given(value: Any) -> Any:
    return value


class _Picture(Axes):
    """An Axes that shows itself in a notebook and reads as `plot_text`."""

    casesnb_drawing: Drawing | None = None

    def __repr__(self) -> str:
        """Say what is drawn."""
        return super().__repr__() if self.casesnb_drawing is None else plot_text(self)

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        buffer = io.BytesIO()
        figure = self.get_figure(root=True)
        assert figure is not None  # noqa: S101 - an Axes of ours always has one
        figure.savefig(buffer, format="png", dpi=_SHOWN_DPI)
        width, height = (round(inches * 100) for inches in figure.get_size_inches())
        seen = {"width": width, "height": height, "alt": plot_text(self)}
        return buffer.getvalue(), seen


def plot_data(ax: Axes, /) -> pd.DataFrame:
    """Return the frame that a plot drew.

    Parameters
    ----------
    ax : Axes
        What a ``plot_*`` function returned.

    Returns
    -------
    DataFrame
        The numbers behind the picture, a copy: the columns are those of the table
        that the plot draws, or what its own docstring lists.

    Raises
    ------
    ValueError
        If no plot of casesnb was drawn there.
    """
    return _drawing(ax).frame().copy()


def plot_text(ax: Axes, /) -> str:
    """Say in text what a plot shows, the same for the same data.

    Parameters
    ----------
    ax : Axes
        What a ``plot_*`` function returned.

    Returns
    -------
    str
        The title, a line for each lane, bar or row of the picture, the footer,
        and a short hash of the frame drawn.

    Raises
    ------
    ValueError
        If no plot of casesnb was drawn there.
    """
    drawing = _drawing(ax)
    text = drawing.frame().to_csv(index=False, float_format="%.9g", lineterminator="\n")
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    lines = [drawing.title, *(f"  {line}" for line in drawing.lines())]
    lines.append(f"{drawing.footer} · drawn {digest}")
    return "\n".join(shortened(line, _LINE) for line in lines)


def _drawing(ax: Axes) -> Drawing:
    drawing = getattr(ax, "casesnb_drawing", None)
    if not isinstance(drawing, Drawing):
        raise ValueError(
            "Nothing of casesnb is drawn on this Axes. Give what a cn.plot_* function "
            "returned."
        )
    return drawing


# ------------------------------------------------------------- the sheet of paper


def page(
    ax: Axes | None,
    *,
    width: float = 10.0,
    height: float = 3.2,
    left: float = 0.9,
    right: float = 0.25,
    top: float = 0.55,
    bottom: float = 0.75,
) -> Axes:
    """Return `ax`, or a fresh Axes with margins in inches on its own figure."""
    if ax is None:
        figure = Figure(figsize=(width, height))
        # Margins are set by hand: a layout engine costs as much as a timeline.
        box = (
            left / width,
            bottom / height,
            1 - (left + right) / width,
            1 - (top + bottom) / height,
        )
        ax = figure.add_axes(_Picture(figure, box))
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(QUIET)
    ax.tick_params(colors=INK, length=0, labelsize=9)
    ax.set_axisbelow(True)
    return ax


def finish(ax: Axes, drawing: Drawing, *, below: float = 34.0) -> Axes:
    """Set the title and the footer of a plot, and attach what it drew."""
    called = drawable(shortened(drawing.title, 90))
    above = _above(ax, called)
    lines = _lines(ax, drawable(drawing.footer))
    if isinstance(ax, _Picture):
        foot = below + len(lines) * _LEADING * _SMALL + _MARGIN
        box, height = ax.get_position(), ax.figure.bbox.height / ax.figure.dpi
        _heighten(ax, max(foot / 72 - box.y0 * height, 0), (above - _ABOVE) / 72)
    title = ax.annotate(
        called,
        (0, 1),
        xytext=(0, above),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=12,
        fontweight="bold",
        color=INK,
        annotation_clip=False,
    )
    partial = " · partial" in f" · {drawing.footer}"
    footer = ax.annotate(
        "\n".join(lines),
        (0, 0),
        xytext=(0, -below),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=_SMALL,
        linespacing=_LEADING,
        va="top",
        color=ALARM if partial else QUIET,
        annotation_clip=False,
    )
    for text in (title, footer):
        text.set_parse_math(False)
    # An Axes of the caller's own carries it as well as ours does.
    ax.casesnb_drawing = drawing  # type: ignore[attr-defined]
    return ax


def _lines(ax: Axes, text: str) -> list[str]:
    """Return a footer in lines that end before the page does."""
    box, width = ax.get_position(), ax.figure.bbox.width / ax.figure.dpi
    room = (1 - box.x0) * width * 72 - 8
    lines = textwrap.wrap(text, max(int(room / (0.58 * _SMALL)), 24))
    if len(lines) > _FOOT:
        lines[_FOOT - 1] = shortened(" ".join(lines[_FOOT - 1 :]), len(lines[0]))
    return lines[:_FOOT]


def _above(ax: Axes, title: str) -> float:
    """Return how far over the plot its title stands: beside the legend, or over it."""
    box = ax.get_legend()
    if box is None:
        return _ABOVE
    room, labels = _room(ax), [text.get_text() for text in box.get_texts()]
    columns, width = _columns(labels, room)
    rows = -(-len(labels) // columns)
    if rows == 1 and len(title) * 7.6 + width < room:
        return _ABOVE
    return 14.0 + 14.0 * rows


def _room(ax: Axes) -> float:
    """Return the width of a plot in points."""
    return ax.bbox.width / ax.figure.dpi * 72


def _columns(labels: Sequence[str], room: float) -> tuple[int, float]:
    """Return in how many columns a legend fits, and about how wide it is then."""
    widths = [31.0 + 5.0 * len(label) for label in labels]
    for rows in range(1, len(labels) + 1):
        columns = [max(widths[i : i + rows]) for i in range(0, len(widths), rows)]
        if sum(columns) <= room:
            break
    return len(columns), sum(columns)


def _heighten(ax: Axes, foot: float, head: float) -> None:
    """Make the page of a fresh plot higher by inches; the plot stays as it is."""
    figure = ax.get_figure(root=True)
    if figure is None or not (foot or head):
        return
    box = ax.get_position()
    width, height = figure.get_size_inches()
    whole = height + foot + head
    figure.set_size_inches(width, whole)
    below = (box.y0 * height + foot) / whole
    ax.set_position((box.x0, below, box.width, box.height * height / whole))


def legend(ax: Axes, inks: Iterable[Ink], *, line: bool = False) -> None:
    """Put a legend above the right end of a plot."""
    handles = [
        Line2D(
            [],
            [],
            linestyle="-" if line else "",
            color=ink.colour,
            marker=ink.marker,
            markeredgecolor="white",
            markersize=8,
            label=drawable(shortened(ink.label, 28)),
        )
        for ink in inks
    ]
    if handles:
        place_legend(ax, handles)


def place_legend(ax: Axes, handles: Sequence[Any]) -> None:
    """Put `handles` above the right end of a plot."""
    box = ax.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=_columns([handle.get_label() for handle in handles], _room(ax))[0],
        frameon=False,
        fontsize=9,
        labelcolor=INK,
        handletextpad=0.3,
        columnspacing=1.2,
        borderaxespad=0.2,
    )
    literal(box.get_texts())


def nothing(ax: Axes, why: str) -> None:
    """Write into an empty plot why it is empty."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.text(
        0.5, 0.5, why, transform=ax.transAxes, ha="center", va="center", color=QUIET
    )


def factorized(values: pd.Series[Any]) -> tuple[Numbers, list[Any]]:
    """Return a number for each value, and the values that they stand for."""
    if hasattr(values, "cat"):  # what is a category has its number already
        codes = values.cat.codes.to_numpy(dtype="int64")
        found = [*values.cat.categories]
    else:
        codes, uniques = values.factorize()
        found = [*uniques]
    missing = codes < 0
    if missing.any():
        codes = np.where(missing, len(found), codes)
        found.append(None)
    used = np.bincount(codes, minlength=len(found)) > 0
    return (np.cumsum(used) - 1)[codes], [
        x for x, is_used in zip(found, used, strict=True) if is_used
    ]


def count_axis(ax: Axes, noun: str) -> None:
    """Give a plot whole numbers along its side."""
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.set_ylabel(noun, color=QUIET, fontsize=9)
    ax.grid(axis="y", color=GRID, linewidth=0.8)


def like(frame: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Return a new DataFrame of the kind that `frame` is."""
    return frame.from_dict(dict(columns))


def series_inks(labels: Sequence[str], *, rest: bool = False) -> list[Ink]:
    """Return how to draw things told apart by colour and hatch alone."""
    inks = [
        SERIES[i % len(SERIES)]._replace(label=label) for i, label in enumerate(labels)
    ]
    if rest:
        inks[-1] = Ink(labels[-1], "#c9d1d8", "o", "")
    return inks


# --------------------------------------------------------------------- shapes


def boxes(
    ax: Axes,
    left: Numbers,
    right: Numbers,
    low: Numbers,
    high: Numbers,
    *,
    hatch: str = "",
    **style: Any,
) -> None:
    """Draw many rectangles as one artist."""
    corners: Any = np.stack([left, low, left, high, right, high, right, low], axis=1)
    corners = corners.reshape(-1, 4, 2)
    if not hatch:
        ax.add_collection(PolyCollection(corners, **style), autolim=False)
        return
    # A collection hatches each of its rectangles anew; one path is hatched once.
    closed = np.concatenate([corners, corners[:, :1]], axis=1)
    path = Path.make_compound_path_from_polys(closed)
    ax.add_artist(PathPatch(path, hatch=hatch, **style))


def top_or_other(counts: Mapping[str, float], top: int) -> tuple[list[str], list[str]]:
    """Split names into those to show, largest first, and the rest."""
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    if len(ranked) <= top:
        return ranked, []
    keep = max(top - 1, 0)
    return ranked[:keep], ranked[keep:]
