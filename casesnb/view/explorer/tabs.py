"""The explorer's tabs: each draws one side of the case that is chosen."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets as widgets

from casesnb.analysis.actors import actor_matrix, work_share
from casesnb.analysis.checks import findings
from casesnb.analysis.flow import handoffs, reopens
from casesnb.analysis.state import state_at
from casesnb.analysis.trust import continuity
from casesnb.tables.frames import as_of_of
from casesnb.view.explorer.links import WIDE, Picture, row, tie
from casesnb.view.explorer.model import ORDERS, CaseSelection
from casesnb.view.explorer.picker import Picker, in_turn
from casesnb.view.plots.case import plot_changes
from casesnb.view.plots.lanes import is_of_item
from casesnb.view.plots.people import plot_activity
from casesnb.view.report.story import deed, doer, story
from casesnb.view.table import table_html
from casesnb.view.text import escaped, shortened
from casesnb.view.timeline.widget import MOST_CASES, Timeline, loads_from_afar
from casesnb.view.wording import (
    actor_names,
    called,
    counted,
    field_names,
    hours_text,
    is_missing,
    percents,
    standing,
    tail,
    value_name,
    value_names,
    work_percents,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from casesnb.tables.history import History


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
        history = self.selection.named
        self.text.value = (
            ""
            if history is None
            else f"{facts_html(history)}"
            '<pre class="casesnb-story">'
            f"{escaped(story(history, notes=self.selection.notes))}</pre>"
        )


class TimelineTab(widgets.VBox):
    """What each field held and who set it; who acted when."""

    title = "Timeline"

    # What a person does in the timeline is in the model, and the other way round.
    _LINKED: ClassVar = {"span": "span", "moment": "as_of", "notes": "notes"}

    def __init__(self, selection: CaseSelection) -> None:
        self.selection = selection
        self.other = Picker(
            selection,
            "other_id",
            "other_options",
            "cases",
            "catalogue",
            "thread",
            description="Compare",
            tooltip="Another case beside this one, both since their creation",
        )
        self.shown: Timeline | None = None
        self.live = widgets.VBox(layout=WIDE)
        self.changes, self.activity = Picture(), Picture()
        selection.observe(self._from_model, [*self._LINKED.values()])
        parts = [self.other, self.live, self.changes, self.activity]
        super().__init__(parts, layout=WIDE)

    def draw(self) -> None:
        """Draw the case that is chosen, or nothing."""
        model, before = self.selection, self.shown
        history = model.compared
        self.shown = None
        self.changes.show(None)
        if history is None:
            self.activity.show(None)
        else:
            if loads_from_afar() or history.certificate.n_cases > MOST_CASES:
                self.draw_picture()
            else:
                align = "calendar" if model.other is None else "creation"
                self.shown = Timeline(history, align=align, notes=model.kept)
                self._from_model()
                self.shown.observe(self._to_model, [*self._LINKED])
            self.activity.show(plot_activity(history))
        self.live.children = [] if self.shown is None else [self.shown]
        if before is not None:
            before.close()

    def draw_picture(self) -> None:
        """Draw what stands in for the timeline where no script runs."""
        history = self.selection.compared
        self.changes.show(None if history is None else plot_changes(history))

    def _to_model(self, change: Any) -> None:
        with self.selection.lock:
            if change.owner is not self.shown:
                return  # late, of a case before
            # Of time since creation the model knows nothing.
            is_ours = change.name != "span" or self.shown.align == "calendar"
            value = change.new if is_ours else None
            setattr(self.selection, self._LINKED[change.name], value)

    def _from_model(self, _: object = None) -> None:
        model, shown = self.selection, self.shown
        if shown is None or model.history is None:
            return
        if shown.align == "calendar":
            shown.span = model.span
        shown.moment, shown.notes = model.as_of, model.kept


class ChangesTab(widgets.VBox):
    """Every change, to filter and sort; long text opens on a click."""

    title = "Changes"

    def __init__(self, selection: CaseSelection) -> None:
        self.selection = selection
        self.field, self.actor = (
            Picker(
                selection,
                name,
                options,
                "history",
                "catalogue",
                description=description,
                tooltip=tooltip,
            )
            for name, options, description, tooltip in (
                ("field_id", "field_options", "Field", "Only changes of this field"),
                ("actor", "actor_options", "By", "Only changes by this actor"),
            )
        )
        self.order = widgets.Dropdown(
            options=ORDERS,
            description="Order",
            tooltip="How the changes are sorted",
            layout=WIDE,
        )
        self.whole = widgets.Button(
            description="All times",
            tooltip="Not only what is selected in the timeline",
        )
        self.whole.on_click(lambda _: setattr(selection, "span", None))
        self.table = widgets.HTML(layout=WIDE)
        self.more = widgets.Button(
            description="More changes", tooltip=f"Show {ROWS} more changes"
        )
        self.more.on_click(self._show_more)
        self._n_shown = ROWS
        tie(selection, "order", self.order)
        selection.observe(self.draw, "changes")
        sieve = row(self.field, self.actor, self.order)
        super().__init__([sieve, self.whole, self.table, self.more], layout=WIDE)

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
        self.whole.layout.display = "none" if model.span is None else ""
        caption = f"{shown:,} of {counted(n, 'change')}"
        if model.span is not None:
            start, end = (f"{at:%Y-%m-%d %H:%M:%S}" for at in model.span)
            caption += f" from {start} to {end} UTC, as selected in the timeline"
        self.table.value = (
            ""
            if model.history is None
            else changes_html(model.changes.head(shown), caption=caption)
        )


class PeopleTab(widgets.VBox):
    """Who acted, as what, how often and when; how much of it was people's work."""

    title = "People"

    def __init__(self, selection: CaseSelection) -> None:
        self.selection = selection
        self.picture = Picture()
        self.tables = widgets.HTML(layout=WIDE)
        super().__init__([self.picture, self.tables], layout=WIDE)

    def draw(self) -> None:
        """Draw the case that is chosen, or nothing."""
        history = self.selection.named
        if history is None:
            self.picture.show(None)
            self.tables.value = ""
            return
        self.picture.show(plot_activity(history, by="actor"))
        self.tables.value = people_html(history.events)


class AsOfTab(widgets.VBox):
    """The case at one moment: what held, who had set it, and what differs now."""

    title = "As of"

    def __init__(self, selection: CaseSelection) -> None:
        self.selection = selection
        self.slider = in_turn(
            widgets.IntSlider,
            selection.lock,
            description="Event",
            tooltip="The moment to look at, by event",
            readout=False,
            layout={**WIDE, "flex": "1 1 auto"},
        )
        # Notebook 7 keeps the arrow keys for itself: buttons serve every keyboard.
        self.earlier = widgets.Button(
            description="Earlier", tooltip="To the event before", disabled=True
        )
        self.later = widgets.Button(
            description="Later", tooltip="To the next event", disabled=True
        )
        self.earlier.on_click(lambda _: self._step(-1))
        self.later.on_click(lambda _: self._step(1))
        self.moment = widgets.HTML(layout=WIDE)
        self.table = widgets.HTML(layout=WIDE)
        self._moments: list[dt.datetime] = []
        self.slider.observe(self._on_slide, "value")
        selection.observe(self._draw_moment, "as_of")
        along = widgets.HBox([self.slider, self.earlier, self.later], layout=WIDE)
        super().__init__([along, self.moment, self.table], layout=WIDE)

    def draw(self) -> None:
        """Draw the case that is chosen, or nothing."""
        self._moments = self.selection.moments
        n = len(self._moments)
        self.slider.disabled = n < 2
        self.slider.max = max(n - 1, 0)
        self._draw_moment()

    def _on_slide(self, change: Any) -> None:
        model = self.selection
        with model.lock:
            # The slider also moves when a moment between two events is chosen.
            if self._moments and change.new != self._place(model.as_of):
                model.as_of = self._moments[change.new]

    def _step(self, by: int) -> None:
        model = self.selection
        with model.lock:
            if model.as_of is None:
                return
            before = bisect_left(self._moments, model.as_of) - 1
            place = before if by < 0 else bisect_right(self._moments, model.as_of)
            if 0 <= place < len(self._moments):
                model.as_of = self._moments[place]

    def _place(self, as_of: dt.datetime | None) -> int:
        return max(bisect_right(self._moments, as_of) - 1, 0) if as_of else 0

    def _draw_moment(self, _: object = None) -> None:
        model = self.selection
        history = model.named
        if history is None or model.as_of is None:
            self.slider.value = 0
            self.moment.value = self.table.value = ""
            self.earlier.disabled = self.later.disabled = True
            return
        place = self._place(model.as_of)
        self.earlier.disabled = bisect_left(self._moments, model.as_of) == 0
        self.later.disabled = place + 1 >= len(self._moments)
        self.slider.value = place
        self.moment.value = (
            f"<b>{model.as_of:%Y-%m-%d %H:%M:%S} UTC</b>, "
            f"event {place + 1:,} of {len(self._moments):,}"
        )
        self.table.value = state_html(history, model.as_of)


class EvidenceTab(widgets.VBox):
    """How complete the history is, where it contradicts itself."""

    title = "Evidence"

    def __init__(self, selection: CaseSelection) -> None:
        self.selection = selection
        self.page = widgets.HTML(layout=WIDE)
        super().__init__([self.page], layout=WIDE)

    def draw(self) -> None:
        """Draw the case that is chosen, or nothing."""
        history = self.selection.named
        self.page.value = "" if history is None else evidence_html(history)


def people_html(events: pd.DataFrame) -> str:
    """Return who acted, and how much of it was people's work, as HTML tables."""
    names = actor_names(events)
    matrix = actor_matrix(events)
    rows = []
    for (actor, kind), of_actor in matrix.groupby(
        ["actor", "actor_kind"], dropna=False
    ):
        rows.append(
            {
                "who": doer(actor, kind, names),
                "n": int(of_actor["n_events"].sum()),
                "first": of_actor["first_at"].min(),
                "last": of_actor["last_at"].max(),
                "id": actor,
            }
        )
    rows.sort(key=lambda row: (-row["n"], row["who"]))
    people = table_html(
        rows,
        {
            "who": "Who",
            "n": "Events",
            "first": "First (UTC)",
            "last": "Last (UTC)",
            "id": "Id",
        },
        caption="Who acted",
    )
    shares = []
    work = work_percents(events)
    for worker, found in work_share(events).groupby("worker"):
        parts = percents(found["n_events"].tolist(), work.get(str(worker), 0))
        told = found.assign(share=[f"{part}%" for part in parts])
        shares += told.to_dict("records")
    headings = {
        "worker": "Work of",
        "share": "Share",
        "n_events": "Events",
        "evidence": "How we know",
    }
    return people + table_html(shares, headings, caption="People's work and machines'")


def state_html(history: History[Any], as_of: dt.datetime) -> str:
    """Return what every field held at a moment, and whether it holds it still."""
    changes = history.changes[~is_of_item(history.changes)]
    fields, values = field_names(changes), value_names(changes)
    actors = actor_names(changes)
    kinds = dict(zip(changes["actor"], changes["actor_kind"], strict=True))
    then, now = _state(changes, as_of), _state(changes, as_of_of(history, None))
    rows = []
    for key, held in then.items():
        later = now.get(key, held)
        same = (held["kind"], held["value"]) == (later["kind"], later["value"])
        field_id = held["field_id"]
        rows.append(
            {
                "case_id": held["case_id"],
                "field": fields[field_id],
                "value": _value(held["kind"], held["value"], field_id, values),
                "since": held["since_at"],
                "who": doer(held["actor"], kinds.get(held["actor"]), actors),
                "now": "the same"
                if same
                else f"≠ {_value(later['kind'], later['value'], field_id, values)}",
            }
        )
    headings = {"field": "Field", "value": "Then", "now": "Now"}
    headings |= {"since": "Since (UTC)", "who": "Set by"}
    if len({row["case_id"] for row in rows}) > 1:
        headings = {"case_id": "Case", **headings}
    n = sum(row["now"] != "the same" for row in rows)
    caption = f"{counted(len(rows), 'field')} known by then, {n:,} of them other now"
    return table_html(rows, headings, caption=caption)


def evidence_html(history: History[Any]) -> str:
    """Return how complete a history is, and where it contradicts itself."""
    certificate = history.certificate
    rows = [
        {"what": name.replace("_", " "), "value": _plain(value)}
        for name, value in certificate.summary().items()
    ]
    headings = {"what": "What", "value": "Value"}
    parts = [f"<p><b>{escaped(standing(history))}</b></p>"]
    if len(history.unloaded):
        missing = history.unloaded.to_dict("records")
        names = {"case_id": "Case", "error": "Error", "message": "What it said"}
        parts.append(table_html(missing, names, caption="Not loaded"))
    fields, values = field_names(history.changes), value_names(history.changes)
    people = actor_names(history.changes) | actor_names(history.events)
    found = [
        {**line, "message": called(line["message"], people)}
        for line in findings(history).to_dict("records")
    ]
    parts.append(
        table_html(
            found,
            {
                "severity": "Severity",
                "rule": "Rule",
                "verdict": "Verdict",
                "message": "What",
                "found_at": "When (UTC)",
                "event_ids": "Events",
            },
            caption=f"Findings: {counted(len(found), 'line')}; a rule without a line "
            "found nothing",
        )
    )
    breaks = [
        {
            **line,
            "field": fields[line["field_id"]],
            **{
                side: _value(line[f"{side}_kind"], line[side], line["field_id"], values)
                for side in ("expected", "found")
            },
        }
        for line in continuity(history).to_dict("records")
    ]
    parts.append(
        table_html(
            breaks,
            {
                "field": "Field",
                "reason": "Why",
                "expected": "Was set to",
                "found": "Was said to be",
                "after_at": "Lost after",
                "before_at": "Lost before",
                "event_id": "Event",
            },
            caption=f"Continuity: {counted(len(breaks), 'break')} between a value and "
            "the next one's old value",
        )
    )
    parts.append(table_html(rows, headings, caption="Certificate of what was loaded"))
    return "".join(parts)


def _state(
    changes: pd.DataFrame, as_of: dt.datetime | None
) -> dict[tuple[str, str], dict[Any, Any]]:
    return {
        (row["case_id"], row["field_id"]): {
            name: None if is_missing(value) else value for name, value in row.items()
        }
        for row in state_at(changes, as_of=as_of).to_dict("records")
    }


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(value) or "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def facts_html(history: History[Any]) -> str:
    """Return the few facts that a supervisor asks for first."""
    events, certificate = history.events, history.certificate
    changes = history.changes[~is_of_item(history.changes)]
    values, actors = value_names(changes), actor_names(changes)
    held = {
        row["field_id"]: row["value"]
        for row in _state(changes, as_of_of(history, None)).values()
        if row["case_id"] == (events["case_id"].iloc[0] if len(events) else None)
    }
    status, holder = held.get("status"), held.get("assigned_user")
    shares = work_percents(events).items()
    work = ", ".join(f"{share}% {worker}" for worker, share in shares)
    age = "–"
    first, last = certificate.first_event_at, certificate.as_of
    if first is not None and last is not None:
        passed = last - first
        age = hours_text(passed.total_seconds() / 3600)
    facts = {
        "Status": value_name(values, "status", status) if status else "not known",
        "Age": age,
        "Held by": actors.get(holder) or tail(holder) if holder else "nobody",
        "Reopened": f"{len(reopens(history)):,} ×",
        "Handed over": f"{len(handoffs(history)):,} ×",
        "Work by": work or "–",
        "History": standing(history),
    }
    cells = "".join(
        f"<div><dt>{name}</dt><dd>{escaped(shortened(text, 120))}</dd></div>"
        for name, text in facts.items()
    )
    return f'<dl class="casesnb-facts">{cells}</dl>'


def changes_html(changes: pd.DataFrame, *, caption: str) -> str:
    """Return changes as an HTML table, in the order of the frame."""
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
