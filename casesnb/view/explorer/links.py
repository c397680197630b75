"""Links between a model's traits and widgets, and the parts pages are made of."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from casesnb.view.plots.png import png
from casesnb.view.plots.style import plot_text
from casesnb.view.text import escaped

if TYPE_CHECKING:
    from collections.abc import Callable

    import traitlets as tl
    from matplotlib.axes import Axes


WIDE = {"width": "auto"}
"""The layout of what is as wide as the page, margins and all."""

_DPI = 110


def tie(
    model: tl.HasTraits,
    name: str,
    other: tl.HasTraits,
    their: str = "value",
    there: Callable[[Any], Any] = lambda value: value,
    back: Callable[[Any], Any] = lambda value: value,
) -> None:
    """Keep a choice equal on both sides; the model's value is the first."""
    setattr(other, their, there(getattr(model, name)))
    # What is so now: an observer before this one may have chosen again.
    model.observe(lambda _: setattr(other, their, there(getattr(model, name))), name)
    # To read the other side may wait for what it is to be told of.
    other.observe(lambda change: setattr(model, name, back(change.new)), their)


def row(*parts: widgets.Widget) -> widgets.Widget:
    """Return parts side by side, equally wide."""
    columns = " ".join(["minmax(0, 1fr)"] * len(parts))
    return widgets.GridBox(parts, layout={"grid_template_columns": columns, **WIDE})


class Picture(widgets.HTML):
    """A plot as an image with its words, which an ipywidgets ``Image`` cannot have."""

    def __init__(self) -> None:
        super().__init__(layout=WIDE)

    def show(self, axes: Axes | None) -> None:
        """Show a plot, or nothing."""
        self.value = "" if axes is None else _figure(axes)


def _figure(axes: Axes) -> str:
    data = base64.b64encode(png(axes, dpi=_DPI)).decode()
    words = plot_text(axes)
    return (
        f'<figure class="casesnb-picture"><img src="data:image/png;base64,{data}" '
        f'alt="{escaped(words.partition(chr(10))[0])}">'
        f"<details><summary>This picture in words</summary>"
        f"<pre>{escaped(words)}</pre></details></figure>"
    )
