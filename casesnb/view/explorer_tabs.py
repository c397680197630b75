"""The explorer's tabs: each draws one side of the case that is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from casesnb.view.links import WIDE, Picture, choose, row, tie
from casesnb.view.plot import plot_activity, plot_changes
from casesnb.view.selection import ORDERS, CaseSelection
from casesnb.view.story import deed, doer, story
from casesnb.view.table import table_html
from casesnb.view.text import escaped
from casesnb.view.wording import (
    actor_names,
    counted,
    field_names,
    is_missing,
    value_name,
    value_names,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

ROWS = 100
"""Changes shown at first; each click on "More changes" adds as many."""


class StoryTab(widgets.VBox):
    """What happened, in words."""

    title = "Story"

    def __init__(self, selection: CaseSelection) -> None:
        self.selection = selection
        self.text = widgets.HTML(layout=WIDE)
        super().__init__([self.text], layout=WIDE)

    def draw(self) -> None:
        """Draw the case that is chosen, or nothing."""
        history = self.selection.history
        self.text.value = (
            ""
            if history is None
            else f'<pre class="casesnb-story">{escaped(story(history))}</pre>'
        )


class TimelineTab(widgets.VBox):
    """What each field held and who set it; who acted when."""

    title = "Timeline"

    def __init__(self, selection: CaseSelection) -> None:
        self.selection = selection
        self.changes, self.activity = Picture(), Picture()
        super().__init__([self.changes, self.activity], layout=WIDE)

    def draw(self) -> None:
        """Draw the case that is chosen, or nothing."""
        history = self.selection.history
        if history is None:
            self.changes.show(None)
            self.activity.show(None)
        else:
            self.changes.show(plot_changes(history.changes, events=history.events))
            self.activity.show(plot_activity(history.events))


class ChangesTab(widgets.VBox):
    """Every change, to filter and sort; long text opens on a click."""

    title = "Changes"

    def __init__(self, selection: CaseSelection) -> None:
        self.selection = selection
        self.field = widgets.Dropdown(
            description="Field", tooltip="Only changes of this field", layout=WIDE
        )
        self.actor = widgets.Dropdown(
            description="By", tooltip="Only changes by this actor", layout=WIDE
        )
        self.order = widgets.Dropdown(
            options=ORDERS,
            description="Order",
            tooltip="How the changes are sorted",
            layout=WIDE,
        )
        self.table = widgets.HTML(layout=WIDE)
        self.more = widgets.Button(
            description="More changes", tooltip=f"Show {ROWS} more changes"
        )
        self.more.on_click(self._show_more)
        self._n_shown = ROWS
        choose(selection, "field_id", "field_options", self.field, "history")
        choose(selection, "actor", "actor_options", self.actor, "history")
        tie(selection, "order", self.order)
        selection.observe(self.draw, "changes")
        sieve = row(self.field, self.actor, self.order)
        super().__init__([sieve, self.table, self.more], layout=WIDE)

    def draw(self, _: object = None) -> None:
        """Draw the changes that are chosen, from their beginning."""
        self._n_shown = ROWS
        self._draw_table()

    def _show_more(self, _: object) -> None:
        self._n_shown += ROWS
        self._draw_table()

    def _draw_table(self) -> None:
        model = self.selection
        n = len(model.changes)
        shown = min(n, self._n_shown)
        self.more.layout.display = "" if shown < n else "none"
        self.table.value = (
            ""
            if model.history is None
            else changes_html(
                model.changes.head(shown),
                caption=f"{shown:,} of {counted(n, 'change')}",
            )
        )


def changes_html(changes: pd.DataFrame, *, caption: str) -> str:
    """Return changes as an HTML table, in the order of the frame.

    Parameters
    ----------
    changes : DataFrame
        ``schema.CHANGES``, with names where `with_names` added them.
    caption : str
        What the table is.

    Returns
    -------
    str
        One ``<table>``, everything in it escaped.
    """
    headings = {"when": "When (UTC)", "field": "Field", "old": "From", "new": "To"}
    if changes["case_id"].nunique() > 1:  # noqa: PD101 - missing ids do not count
        headings["case_id"] = "Case"
    headings |= {"who": "By", "what": "Event"}
    return table_html(_rows(changes), headings, caption=caption)


def _rows(changes: pd.DataFrame) -> Iterator[Mapping[str, Any]]:
    fields, values = field_names(changes), value_names(changes)
    actors = actor_names(changes)
    for change in changes.to_dict("records"):
        field_id = change["field_id"]
        yield {
            "when": change["performed_at"],
            "field": fields[field_id],
            "old": _value(change["old_kind"], change["old"], field_id, values),
            "new": _value(change["new_kind"], change["new"], field_id, values),
            "case_id": change["case_id"],
            "who": doer(change["actor"], change["actor_kind"], actors),
            "what": deed(change["event_type"], None) or "updated",
        }


def _value(
    kind: Any, value: Any, field_id: str, values: Mapping[tuple[str, str], str]
) -> str | None:
    if not is_missing(value):
        return value_name(values, field_id, value) or "“”"
    return "(empty)" if kind == "empty" else None
