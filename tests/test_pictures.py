"""Pictures look as they did: each is compared with one that was looked at.

To draw them again: ``pytest tests/test_pictures.py --mpl-generate-path=tests/pictures``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import histories
import matplotlib as mpl
import pytest
from decisions import history_of
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import casesnb as cn
from casesnb.view.plots.colours import Colours, colours_of

DRAWN_BY = "3.11."  # another matplotlib draws letters a little otherwise
pytestmark = pytest.mark.skipif(
    not mpl.__version__.startswith(DRAWN_BY),
    reason=f"the pictures were drawn by matplotlib {DRAWN_BY}x",
)
AGAIN = [(0.0, "open", "a"), (1.0, "closed", "a"), (2.0, "open", "a")]


@pytest.fixture(scope="module")
def many() -> cn.History:
    return histories.many()


@pytest.fixture(autouse=True)
def own_colours() -> Iterator[None]:
    with colours_of(Colours()):
        yield


def comparison(_: cn.History) -> Axes:
    one = history_of({f"a{n}": AGAIN if n < 6 else AGAIN[:2] for n in range(20)})
    other = history_of({f"b{n}": AGAIN if n < 1 else AGAIN[:2] for n in range(20)})
    return cn.plot_comparison(cn.compare(one, other, "reopened"))


PICTURES: dict[str, Callable[[cn.History], Axes]] = {
    "changes": lambda _: cn.plot_changes(histories.history()),
    "aging": lambda many: cn.plot_aging(
        many, as_of=dt.datetime(2026, 2, 12, 12, tzinfo=dt.UTC)
    ),
    "backlog": lambda many: cn.plot_backlog(many, with_closed=True),
    "time_in": cn.plot_time_in,
    "transitions": cn.plot_transitions,
    "small": lambda many: cn.plot_activity(
        many, ax=Figure(figsize=(4, 3)).add_subplot()
    ),
    "comparison": comparison,
}


@pytest.mark.mpl_image_compare(
    baseline_dir="pictures", style="default", savefig_kwargs={"dpi": 50}, tolerance=3
)
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_looks_as_it_did(name: str, many: cn.History) -> Figure:
    figure = PICTURES[name](many).get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure
