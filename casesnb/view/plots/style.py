"""The page that every plot is drawn on: its Axes, its colours, its text twin.

A plot is drawn on an Axes of yours, or on a fresh figure that pyplot does not know.
That one shows itself at the end of a notebook cell, and its ``repr`` says in text
what is drawn: nbval, which does not compare pictures, compares that.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path
from matplotlib.text import Annotation
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from casesnb.view.plots.labels import BOX, apart, drawable, literal, n_letters, width_of
from casesnb.view.text import shortened
from casesnb.view.wording import KIND_LABELS, standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd
    from matplotlib.text import Text

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
    "custom": Ink(KIND_LABELS["custom"], "#dcb02f", "D", "///"),
    "service": Ink(KIND_LABELS["service"], "#2d9c94", "s", "..."),
    "role": Ink(KIND_LABELS["role"], "#6d0b28", "^", "xxx"),
    "unknown": Ink(KIND_LABELS["unknown"], "#575757", "X", "---"),
}
"""How each kind of actor is drawn, in the order of a legend."""

INK = "#22303c"
QUIET = "#6b7a88"
GRID = "#e4e9ee"
UNKNOWN = "#eef0f2"


class Paper(NamedTuple):
    """What a picture is drawn on, and what can be read on it."""

    ground: str
    ink: str  # words
    quiet: str  # words and lines that say less
    grid: str
    alarm: str  # words that warn


_PAPERS = (
    Paper("#ffffff", INK, QUIET, GRID, "#9c2f12"),
    Paper("#000000", "#e8edf2", "#a9b6c2", "#39434e", "#ff9d7a"),
)

COHORTS = (KINDS["agent"], KINDS["custom"])
"""How the lines of two cohorts are drawn."""

OTHER = "other"
_LINE = 600  # characters of one line of words
_SHOWN_DPI = 144
_STANDING = "The history is"
_SMALL = 8.5  # points
_LEADING = 1.25
_FOOT = 4  # lines of a footer
_HEAD = 6  # lines of a title, for which a fresh page grows
_HEAD_ALONE = 4  # of that of a plot on a page of the caller's
_HEAD_BESIDE = 2  # of that of a plot beside others
_TITLE = 12.0  # points
_ABOVE = 10.0  # points from a plot to its title
_EDGE = 8.0  # points at the sides of a page
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
        figure = figure_of(self)
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
    lines.append(f"{drawing.footer} Drawn {digest}.")
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
    if _is_alone(ax):  # where `finish` will have it, about
        ax.set_position((0.2, 0.28, 0.75, 0.5))
    on = paper(ax)
    ax.grid(visible=False)  # a style's own
    ax.set_facecolor(on.ground)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set(visible=True, color=on.quiet, linewidth=0.8)
    size = 9 * scale(ax)
    ax.tick_params(
        colors=on.ink, length=0, labelsize=size, labelleft=True, labelbottom=True
    )
    ax.xaxis.get_offset_text().set(color=on.ink, size=size)
    ax.set_axisbelow(True)
    return ax


def figure_of(ax: Axes) -> Figure:
    """Return the figure that a plot is drawn on."""
    figure = ax.get_figure(root=True)
    assert figure is not None  # noqa: S101 - what is drawn on has one
    return figure


def _is_alone(ax: Axes) -> bool:
    """Say whether a plot has a page of the caller's for itself, as nothing laid it out."""
    figure = figure_of(ax)
    is_ours = isinstance(ax, _Picture) or ax.get_subplotspec() is None
    return not is_ours and len(figure.axes) == 1 and not figure.get_layout_engine()


def scale(ax: Axes) -> float:
    """Return by how much words are smaller on a small page of the caller's."""
    if isinstance(ax, _Picture):
        return 1.0
    width, height = (size / ax.figure.dpi for size in _cell(ax))
    return float(np.clip(min(width / 6.0, height / 3.6), 0.6, 1.0))


def _cell(ax: Axes) -> tuple[float, float]:
    """Return the size in pixels of the page that a plot has for itself."""
    figure = figure_of(ax)
    whole = figure.bbox if len(figure.axes) == 1 else ax.bbox
    return whole.width, whole.height


def paper(ax: Axes) -> Paper:
    """Return what can be read on a plot's figure, which a style may have darkened."""
    figure = figure_of(ax)
    red, green, blue, alpha = to_rgba(figure.get_facecolor())
    light = alpha * (0.2126 * red + 0.7152 * green + 0.0722 * blue) + 1 - alpha
    if light > 0.45:
        return _PAPERS[0]._replace(ground=to_hex((red, green, blue)) if alpha else "w")
    return _PAPERS[1]._replace(ground=to_hex((red, green, blue)))


def finish(
    ax: Axes, drawing: Drawing, *, title: str | None = None, below: float = 34.0
) -> Axes:
    """Set the title and the footer of a plot, and attach what it drew."""
    if title is not None:
        drawing = replace(drawing, title=title)
    if not isinstance(ax, _Picture):
        _make_room(ax, drawing, below * scale(ax))
    below *= scale(ax)
    called, lines = _words(ax, drawing)
    above = _above(ax, called)
    head_words, foot_words = (drawable("\n".join(part)) for part in (called, lines))
    texts = _texts(ax)  # which asks both axes for their ticks
    if BOX in "".join([head_words, foot_words, *(t.get_text() for t in texts)]):
        lines = [*lines, f"{BOX} stands for what no font of this machine has."]
        foot_words = drawable("\n".join(lines))
    if isinstance(ax, _Picture):
        foot = below + len(lines) * _LEADING * _SMALL + _MARGIN
        head = above + (len(called) - 1) * _TITLE * _LEADING - _ABOVE
        box, height = ax.get_position(), ax.figure.bbox.height / ax.figure.dpi
        _heighten(ax, max(foot / 72 - box.y0 * height, 0), head / 72)
    on = paper(ax)
    head_text = ax.annotate(
        head_words,
        (0, 1),
        xytext=(0, above),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=_TITLE * scale(ax),
        fontweight="bold",
        linespacing=_LEADING,
        color=on.ink,
        annotation_clip=False,
    )
    is_partial = drawing.footer.find(f"{_STANDING} partial") >= 0
    foot_text = ax.annotate(
        foot_words,
        (0, 0),
        xytext=(0, -below),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=_SMALL * scale(ax),
        linespacing=_LEADING,
        va="top",
        color=on.alarm if is_partial else on.quiet,
        annotation_clip=False,
    )
    literal([head_text, foot_text, *texts])
    # An Axes of the caller's own carries it as well as ours does.
    ax.casesnb_drawing = drawing  # type: ignore[attr-defined]
    return ax


def _make_room(ax: Axes, drawing: Drawing, below: float) -> None:
    """Move the edges of a plot that is alone on a page of the caller's."""
    figure = figure_of(ax)
    if not _is_alone(ax):
        return
    width, height = (
        figure.bbox.width / figure.dpi * 72,
        figure.bbox.height / figure.dpi * 72,
    )
    box = ax.get_position()
    side = ax.yaxis.get_tightbbox()
    left = _EDGE + (0 if side is None else (ax.bbox.x0 - side.x0) / figure.dpi * 72)
    left = min(left, width / 2)
    right = _EDGE + max(
        [0.0, *(float(t.xyann[0]) for t in ax.texts if isinstance(t, Annotation))]
    )
    ax.set_position((left / width, box.y0, 1 - (left + right) / width, box.height))
    title, lines = _words(ax, drawing)
    size = scale(ax)
    head = _above(ax, title) + (len(title) + 0.4) * _TITLE * _LEADING * size
    foot = below + (len(lines) + 1) * _LEADING * _SMALL * size
    # A page that is too low for its words keeps its plot.
    kept = min(1.0, 0.7 * height / (head + foot))
    bottom, top = foot * kept / height, 1 - head * kept / height
    ax.set_position((left / width, bottom, 1 - (left + right) / width, top - bottom))


def sentences(subject: object, *parts: str) -> str:
    """Return what a footer says in sentences; the last says how complete it is."""
    said = [f"{part[:1].upper()}{part[1:].rstrip('.')}." for part in parts if part]
    return " ".join([*said, f"{_STANDING} {standing(subject)}."])


def _texts(ax: Axes) -> list[Text]:
    """Return the texts of a plot that may hold what a stranger wrote."""
    shown: list[Text] = [*ax.get_xticklabels(), *ax.get_yticklabels(), *ax.texts]
    box = ax.get_legend()
    return shown if box is None else [*shown, *box.get_texts()]


def _words(ax: Axes, drawing: Drawing) -> tuple[list[str], list[str]]:
    """Return the lines of a picture's title and of its footer, as wide as it is now."""
    size = scale(ax)
    title = shortened(drawing.title, 190)
    most = _HEAD_ALONE if _is_alone(ax) else _HEAD_BESIDE
    if isinstance(ax, _Picture):
        most = _HEAD
    return (
        _wrapped(ax, title, _TITLE * size, most, letter=0.64, weight="bold"),
        _wrapped(ax, drawing.footer, _SMALL * size, _FOOT, letter=0.56),
    )


def _wrapped(
    ax: Axes,
    text: str,
    size: float,
    most: int,
    *,
    letter: float,
    weight: str = "normal",
) -> list[str]:
    """Return a text in lines that end before the page does; a letter takes of a size."""
    figure = figure_of(ax)
    wide = ax.bbox.width  # beside others a plot has no more
    if len(figure.axes) == 1:
        wide = (1 - ax.get_position().x0) * figure.bbox.width
    points = max(wide / figure.dpi * 72 - 8, 24 * letter * size)

    def fits(line: str) -> bool:
        by_letters = n_letters(line) * letter * size
        return max(by_letters, width_of(line, size, weight)) <= points

    lines = _broken(shortened(text, _LINE), fits)
    if len(lines) > most:
        last = " ".join(lines[most - 1 :])
        ends = range(len(last), 0, -1)
        cut = (shortened(last, n) for n in ends if fits(shortened(last, n)))
        lines[most - 1] = next(cut, "…")
    return lines[:most]


def _broken(text: str, fits: Callable[[str], bool]) -> list[str]:
    """Return a text in lines that fit; a word that is longer than one is broken."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if fits(longer):
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and not fits(lines[-1] + letter):
                lines.append("")
            lines[-1] += letter
    return lines


def _above(ax: Axes, title: Sequence[str]) -> float:
    """Return how far over the plot its title stands: beside the legend, or over it."""
    box = ax.get_legend()
    if box is None:
        return _ABOVE
    room, labels = _room(ax), [text.get_text() for text in box.get_texts()]
    columns, width = _columns(labels, room, scale(ax))
    rows = -(-len(labels) // columns)
    if len(title) == rows == 1 and n_letters(title[0]) * 7.6 * scale(ax) + width < room:
        return _ABOVE
    return 14.0 + 14.0 * scale(ax) * rows


def _room(ax: Axes) -> float:
    """Return the width of a plot in points."""
    return ax.bbox.width / ax.figure.dpi * 72


def _columns(labels: Sequence[str], room: float, size: float) -> tuple[int, float]:
    """Return in how many columns a legend fits, and about how wide it is then."""
    widths = [(31.0 + 5.0 * n_letters(label)) * size for label in labels]
    for rows in range(1, len(labels) + 1):
        columns = [max(widths[i : i + rows]) for i in range(0, len(widths), rows)]
        if sum(columns) <= room:
            break
    return len(columns), sum(columns)


def _heighten(ax: Axes, foot: float, head: float) -> None:
    """Make the page of a fresh plot higher by inches; the plot stays as it is."""
    figure = figure_of(ax)
    if not (foot or head):
        return
    box = ax.get_position()
    width, height = figure.get_size_inches()
    whole = height + foot + head
    figure.set_size_inches(width, whole)
    below = (box.y0 * height + foot) / whole
    ax.set_position((box.x0, below, box.width, box.height * height / whole))


def fit_side(ax: Axes) -> None:
    """Make the page of a fresh plot wider where the words at its side need it."""
    side = ax.yaxis.get_tightbbox() if isinstance(ax, _Picture) else None
    if side is None:
        return
    figure = figure_of(ax)
    more = _EDGE / 72 - side.x0 / figure.dpi
    if more <= 0:
        return
    box = ax.get_position()
    width, height = figure.get_size_inches()
    figure.set_size_inches(width + more, height)
    ax.set_position(
        (
            (box.x0 * width + more) / (width + more),
            box.y0,
            box.width * width / (width + more),
            box.height,
        )
    )


def legend(ax: Axes, inks: Iterable[Ink], values: Iterable[Ink] = ()) -> None:
    """Put a legend of marks, and of values as areas, above the right end of a plot."""
    marks = [
        Line2D(
            [],
            [],
            linestyle="",
            color=ink.colour,
            marker=ink.marker,
            markeredgecolor=paper(ax).ground,
            markersize=8,
            label=drawable(shortened(ink.label, 28)),
        )
        for ink in inks
    ]
    place_legend(ax, [*marks, *patches(values)])


def patches(inks: Iterable[Ink]) -> list[Patch]:
    """Return the entries of a legend for areas."""
    drawn = [*inks]
    labels = apart([ink.label for ink in drawn], 24)
    return [
        Patch(label=drawable(label), **area(ink))
        for label, ink in zip(labels, drawn, strict=True)
    ]


def place_legend(ax: Axes, handles: Sequence[Any]) -> None:
    """Put `handles` above the right end of a plot."""
    if not handles:
        return
    box = ax.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=_columns([each.get_label() for each in handles], _room(ax), scale(ax))[0],
        frameon=False,
        fontsize=9 * scale(ax),
        labelcolor=paper(ax).ink,
        handletextpad=0.3,
        columnspacing=1.2,
        borderaxespad=0.2,
    )
    literal(box.get_texts())


def nothing(ax: Axes, why: str) -> None:
    """Write into an empty plot why it is empty."""
    ax.set_xticks([])
    ax.set_yticks([])
    style: dict[str, Any] = {"ha": "center", "va": "center", "color": paper(ax).quiet}
    ax.text(0.5, 0.5, why, transform=ax.transAxes, **style)


def factorized(values: pd.Series[Any]) -> tuple[Numbers, list[Any]]:
    """Return a number for each value, and the values that they stand for."""
    if hasattr(values, "cat"):  # what is a category has its number already
        codes = values.cat.codes.to_numpy(dtype="int64")
        found = values.cat.categories.tolist()
    else:
        codes, uniques = values.factorize()
        found = uniques.tolist()
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
    on = paper(ax)
    ax.set_ylabel(noun, color=on.quiet, fontsize=9 * scale(ax))
    grid(ax, "y")


def grid(ax: Axes, axis: Literal["x", "y"]) -> None:
    """Rule a plot along one of its sides."""
    ax.grid(visible=True, axis=axis, color=paper(ax).grid, linewidth=0.8, linestyle="-")


def like(frame: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Return a new DataFrame of the kind that `frame` is."""
    return frame.from_dict(dict(columns))


def area(ink: Ink) -> dict[str, Any]:
    """Return how an area is drawn; its hatch is a shade of its colour."""
    colour = np.array(to_rgb(ink.colour))
    shade = colour * 0.84 if colour.mean() > 0.5 else 0.72 * colour + 0.28
    red, green, blue = (float(part) for part in shade)
    return {
        "facecolor": ink.colour,
        "hatch": ink.hatch,
        "edgecolor": to_hex((red, green, blue)),
        "linewidth": 0.0,
    }


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
