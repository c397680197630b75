"""A plot as a PNG file: on the same versions, the same bytes."""

from __future__ import annotations

import io
import platform
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib import ft2font
from matplotlib.font_manager import FontProperties, findfont

from casesnb.view.plots.labels import other_fonts
from casesnb.view.plots.style import figure_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes


_FAR = "字あ가ไअ😀"  # of scripts that our font lacks


@contextmanager
def default_style() -> Iterator[None]:
    """Draw by matplotlib's own settings, but for the fonts that are set here."""
    settings = mpl.rcParams
    fonts = {name: settings[name] for name in settings if name.startswith("font.")}
    with mpl.rc_context():
        mpl.rcdefaults()
        settings.update(fonts)
        yield


def png(ax: Axes, *, dpi: float) -> bytes:
    """Return the figure of a plot as a PNG file."""
    file = io.BytesIO()
    figure_of(ax).savefig(file, format="png", dpi=dpi, metadata={"Software": None})
    return file.getvalue()


@cache
def drawn_by() -> dict[str, str]:
    """Return what decides a picture's bytes beside what it shows."""
    named = {name: version(name) for name in ("matplotlib", "numpy", "pillow")}
    font = findfont(FontProperties()).rpartition("/")[2].rpartition("\\")[2]
    font = ", ".join([font, *other_fonts(_FAR)])
    return named | {
        "FreeType": ft2font.__freetype_version__,
        "font": font,
        "machine": platform.machine(),
    }
