"""The pictures of a report: each in two widths, with its words; one is live, too."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from casesnb.analysis.timezones import zone
from casesnb.view.plots.case import plot_changes
from casesnb.view.plots.labels import literal
from casesnb.view.plots.lanes import lanes_of
from casesnb.view.plots.people import plot_activity
from casesnb.view.plots.png import default_style, png
from casesnb.view.plots.style import INK, page, plot_text
from casesnb.view.timeline.arrays import EVERY_LANE, Arrays
from casesnb.view.wording import standing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes

    from casesnb.tables.history import History
    from casesnb.tables.notes import Note

_DPI = 120
_NARROW = 3.9  # inches, of which a telephone shows about a hundred pixels each
_LANE = 0.58  # inches of a lane with its name above it


class Picture(NamedTuple):
    """A picture as a page holds it."""

    name: str
    title: str
    words: Sequence[str]
    wide: Drawn
    narrow: Drawn
    live: str = ""  # the arrays of the timeline as base64, where there is one
    notes: str = ""  # on it, as JSON


class Drawn(NamedTuple):
    """A PNG file as base64, and its size in pixels."""

    data: str
    width: int
    height: int


def picture_of_changes(history: History[Any], notes: Sequence[Note]) -> Picture:
    """Draw what changed in a case, with the notes on it."""
    with default_style():
        wide = plot_changes(history)
        lanes = len(wide.get_yticks())
        narrow = page(
            None,
            width=_NARROW,
            height=1.5 + _LANE * lanes,
            left=0.12,
            right=0.12,
            top=0.6,
            bottom=0.75,
        )
        plot_changes(history, ax=narrow)
        _names_above(narrow)
        drawn = _picture("changes", wide, narrow)
    given: Any = {"events": None, "as_of": None, "fields": None, "top": EVERY_LANE}
    arrays = Arrays(lanes_of(history, **given), standing(history), zone("UTC"))
    return drawn._replace(
        live=base64.b64encode(arrays.to_bytes()).decode("ascii"),
        notes=json.dumps(arrays.notes(notes)) if notes else "",
    )


def picture_of_activity(history: History[Any]) -> Picture:
    """Draw how many events there were, and by whom."""
    return picture_of("activity", lambda ax: plot_activity(history, ax=ax), left=0.5)


def picture_of(
    name: str,
    draw: Callable[[Axes | None], Axes],
    *,
    left: float,
    right: float = 0.12,
) -> Picture:
    """Draw a picture in both widths, with so many inches beside the narrow one."""
    with default_style():
        narrow = page(None, width=_NARROW, height=3.3, left=left, right=right)
        return _picture(name, draw(None), draw(narrow))


def _picture(name: str, wide: Axes, narrow: Axes) -> Picture:
    title, *words = plot_text(wide).splitlines()
    return Picture(name, title, words, _drawn(wide), _drawn(narrow))


def _names_above(ax: Axes) -> None:
    """Write the name of each lane above it, where there is no room beside it."""
    for number, name in zip(ax.get_yticks(), ax.get_yticklabels(), strict=True):
        text = ax.annotate(
            name.get_text(),
            (0, number - 0.33),  # a bar's upper edge, on which marks sit
            xytext=(0, 4.5),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            fontsize=8.5,
            fontweight="bold",
            color=INK,
            annotation_clip=False,
        )
        literal([text])
    ax.set_yticklabels([])


def _drawn(ax: Axes) -> Drawn:
    file = png(ax, dpi=_DPI)
    # A PNG file tells its size at a fixed place.
    width, height = (int.from_bytes(file[i : i + 4], "big") for i in (16, 20))
    return Drawn(base64.b64encode(file).decode("ascii"), width, height)
