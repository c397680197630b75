"""`CaseExplorer`: choose a domain and a case, and look at what happened to it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import traitlets as tl

from casesnb.tables.certificate import counted
from casesnb.tables.notes import Notes
from casesnb.view.explorer.links import WIDE, row, tie
from casesnb.view.explorer.model import CaseSelection
from casesnb.view.explorer.picker import Picker
from casesnb.view.explorer.tabs import (
    AsOfTab,
    ChangesTab,
    EvidenceTab,
    PeopleTab,
    StoryTab,
    TimelineTab,
)
from casesnb.view.text import escaped

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from casesnb.tables.notes import Note
    from casesnb.wire.client import Client

_PATIENCE = 20.0  # seconds that a cell waits for what it displays
_STYLE = """<style>
.casesnb-explorer { max-width: 1080px; overflow: visible; }
.casesnb-explorer .widget-html-content { line-height: 1.45; }
.casesnb-explorer select { font-variant-numeric: tabular-nums; }
.casesnb-status { padding: 6px 10px; border-left: 4px solid #5b7083;
  background: rgba(91, 112, 131, .1); border-radius: 2px; overflow-wrap: anywhere; }
.casesnb-status.casesnb-failed { border-left-color: #b3451b;
  background: rgba(179, 69, 27, .1); }
.casesnb-table { border-collapse: collapse; width: 100%; font-size: 13px; }
.casesnb-table caption { text-align: left; opacity: .75; padding: 4px 0; }
.casesnb-table th, .casesnb-table td { text-align: left; vertical-align: top;
  padding: 4px 14px 4px 0; border-bottom: 1px solid rgba(127, 127, 127, .25);
  overflow-wrap: break-word; max-width: 22em; }
.casesnb-table th { white-space: nowrap; }
.casesnb-time { white-space: nowrap; font-variant-numeric: tabular-nums; }
.casesnb-none { opacity: .55; }
pre.casesnb-story, .casesnb-picture pre { tab-size: 4;
  font-family: var(--jp-code-font-family, monospace) !important; }
.casesnb-story { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 13px;
  line-height: 1.5; margin: 0; }
.casesnb-facts { display: flex !important; flex-wrap: wrap; gap: 8px 32px;
  margin: 0 0 14px !important; padding-bottom: 12px;
  border-bottom: 1px solid rgba(127, 127, 127, .25); }
.casesnb-facts dt, .casesnb-facts dd { float: none !important; margin: 0 !important;
  width: auto !important; overflow-wrap: anywhere; }
.casesnb-facts dt { opacity: .75; font-size: 12px; font-weight: normal !important; }
.casesnb-facts dd { font-weight: 600; }
.casesnb-picture { margin: 0 0 12px; }
.casesnb-picture img { max-width: 100%; height: auto; background: white; }
.casesnb-picture summary { cursor: pointer; opacity: .75; }
.casesnb-picture pre { white-space: pre-wrap; overflow-wrap: anywhere; }
.casesnb-long { white-space: pre-wrap; max-height: 20em; overflow: auto; }
.casesnb-table summary { cursor: pointer; overflow-wrap: anywhere; }
body:has(.casesnb-explorer) .casesnb-static { display: none; }
</style>"""


class _Settled(tl.Any):
    """A trait that is read once nothing is being loaded any more.

    So the next cell never goes on from half a case, or from the one before.
    """

    def get(self, obj: Any, cls: Any = None) -> Any:
        obj.selection.wait()
        return super().get(obj, cls)


class CaseExplorer(widgets.VBox):
    """Choose a domain and a case; see its story, timeline and changes.

    What a mouse does, an assignment does: ``explorer.case_id = "..."``. Reading
    ``history``, ``changes`` or ``as_of`` waits for the load under way, so that the
    next cell goes on from what was chosen last.

    Parameters
    ----------
    client : Client
        Any boto3 ``connectcases`` client.
    domain_id : str, default ""
        The domain to begin with; the first by name otherwise.
    case_id : str, default ""
        The case to begin with; none otherwise.
    connect : Client, optional
        Any boto3 ``connect`` client, such as ``cn.connect(service_name="connect")``
        makes: it names users and queues.
    notes : Notes, str or Path, optional
        Where notes are kept, such as ``retail.notes.json`` beside an archive;
        in memory otherwise.

    Attributes
    ----------
    selection : CaseSelection
        The model behind it: every choice, option and frame.
    domain_id, case_id : str
        The domain and the case chosen.
    history : History or None
        What came for the case; None if none is chosen or it failed.
    changes : DataFrame
        The changes shown, filtered and sorted as they are on the page, with names
        beside the ids.
    as_of : datetime or None
        The moment looked at.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> explorer = cn.CaseExplorer(cn.connect(world))
    >>> explorer.domain_id, explorer.case_id = world.showcase
    >>> explorer.history.certificate.verdict
    'complete'
    """

    domain_id = tl.Unicode()
    case_id = tl.Unicode()
    history = _Settled(None, allow_none=True)
    changes = _Settled()
    as_of = _Settled(None, allow_none=True)

    def __init__(
        self,
        client: Client,
        *,
        domain_id: str = "",
        case_id: str = "",
        connect: Client | None = None,
        notes: Notes | str | os.PathLike[str] | None = None,
    ) -> None:
        self.selection = CaseSelection(
            client,
            domain_id=domain_id,
            case_id=case_id,
            connect=connect,
            notes=notes if isinstance(notes, Notes) else Notes(notes),
        )
        # What comes meanwhile waits until there is something to draw it.
        with self.selection.lock:
            self._build(self.selection)

    def _build(self, model: CaseSelection) -> None:
        self.story_tab, self.timeline_tab = StoryTab(model), TimelineTab(model)
        self.changes_tab, self.people_tab = ChangesTab(model), PeopleTab(model)
        self.as_of_tab, self.evidence_tab = AsOfTab(model), EvidenceTab(model)
        self._pages: list[Any] = [self.story_tab, self.timeline_tab, self.changes_tab]
        self._pages += [self.people_tab, self.as_of_tab, self.evidence_tab]
        titles = [page.title for page in self._pages]
        self.tab = widgets.Tab(self._pages, titles=titles, layout=WIDE)
        style = widgets.HTML(_STYLE)
        super().__init__(
            [style, self._pickers(), self._status_line(), self.tab], layout=WIDE
        )
        self.add_class("casesnb-explorer")
        for name in ("domain_id", "case_id", "as_of"):
            tie(model, name, self, name)
        for name in ("history", "changes"):
            tl.dlink((model, name), (self, name))
        model.observe(self._draw, ["history", "catalogue"])
        model.observe(lambda _: self._renew(self.timeline_tab), "other")
        model.observe(lambda _: self._renew(self.story_tab), "notes")
        self.tab.observe(self._draw_shown, "selected_index")
        self._draw()

    def _draw(self, _: object = None) -> None:
        """Draw the page that is looked at, and the others when they are."""
        self._undrawn = list(self._pages)
        if self.selection.history is None:
            self._draw_pages(self._pages)
        else:
            self._draw_shown()

    def _renew(self, page: Any) -> None:
        """Draw one page again: at once, if it is looked at."""
        if page not in self._undrawn:
            self._undrawn.append(page)
        self._draw_shown()

    def _draw_shown(self, _: object = None) -> None:
        with self.selection.lock:
            self._draw_pages([self._pages[self.tab.selected_index or 0]])

    def _draw_pages(self, pages: list[Any]) -> None:
        for page in pages:
            if page in self._undrawn:
                self._undrawn.remove(page)
                try:
                    page.draw()
                except Exception as error:  # noqa: BLE001 - the status line says it
                    self.selection.report(error, f"the page {page.title}")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until everything asked for has come, failed or been cancelled.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait at most.

        Returns
        -------
        bool
            False if the time ran out first.
        """
        return self.selection.wait(timeout)

    def add_note(
        self,
        text: str,
        *,
        event_ids: Iterable[str] = (),
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
    ) -> Note:
        """Write a note on the case that is chosen, as the timeline does.

        Parameters
        ----------
        text : str
            What to write.
        event_ids : iterable of str, optional
            The events that it is on; the whole case otherwise.
        start, end : datetime, optional
            The span of time that it is on.

        Returns
        -------
        Note
            The note, kept in ``explorer.selection.kept``.
        """
        return self.selection.add_note(text, event_ids=event_ids, start=start, end=end)

    def code(self) -> str:
        """Return the cell that repeats what was clicked.

        Returns
        -------
        str
            Python that needs a `client` and gives ``cases``, ``history``,
            ``changes``, ``as_of`` and ``notes`` as they are here; ``both`` where
            two cases are compared.
        """
        self.wait()
        return self.selection.code()

    def __repr__(self) -> str:
        chosen = f"domain_id={self.domain_id!r}, case_id={self.case_id!r}"
        return f"CaseExplorer({chosen})"

    def _ipython_display_(self) -> None:
        """Show the widget, and beside it what remains where no kernel runs."""
        from IPython.display import display

        show: Any = display  # IPython has no types

        # The words of a live page would change with what has come so far.
        live = {**self._repr_mimebundle_(), "text/plain": "CaseExplorer"}
        show(live, raw=True)
        # Only a case that was chosen is waited for, and not for ever.
        if self.case_id and self.wait(_PATIENCE) and self.selection.history is not None:
            bundle = {"text/html": self.snapshot(), "text/plain": repr(self)}
            show(bundle, raw=True)

    def snapshot(self) -> str:
        """Return the case as HTML that needs no kernel: pictures and changes.

        Returns
        -------
        str
            HTML, its pictures inside.
        """
        self.wait()
        with self.selection.lock:
            self._draw_pages([self.story_tab, self.timeline_tab, self.changes_tab])
            picture = self.timeline_tab.changes.value
            self.timeline_tab.draw_picture()
            parts = [
                self.story_tab.text,
                self.timeline_tab.changes,
                self.timeline_tab.activity,
                self.changes_tab.table,
            ]
            inside = "".join(part.value for part in parts)
            self.timeline_tab.changes.value = picture
        return f'{_STYLE}<div class="casesnb-static">{inside}</div>'

    # ------------------------------------------------------------------ pickers

    def _pickers(self) -> widgets.Widget:
        model = self.selection
        self.domain = Picker(
            model,
            "domain_id",
            "domain_options",
            "domains",
            description="Domain",
            tooltip="The Cases domain",
        )
        self.search = widgets.Text(
            description="Search",
            placeholder="Words, or a case's id or address",
            tooltip="Words to look for in the cases, or the id or address of one",
            continuous_update=False,
            layout=WIDE,
        )
        self.case_status = Picker(
            model,
            "case_status",
            "status_options",
            "cases",
            "catalogue",
            description="Status",
            tooltip="Only cases of this status",
        )
        self.template = Picker(
            model,
            "template_id",
            "template_options",
            "cases",
            "catalogue",
            description="Template",
            tooltip="Only cases of this template",
        )
        self.since = widgets.DatePicker(
            description="Since", tooltip="Updated on this day or later", layout=WIDE
        )
        self.case = Picker(
            model,
            "case_id",
            "case_options",
            "cases",
            "catalogue",
            kind=widgets.Select,
            of="domain_id",
            rows=8,
            description="Case",
            tooltip="The cases, last updated first: date, status, title, number",
        )
        self.more = widgets.Button(
            description="More cases", tooltip="Read twice as many cases"
        )
        self.n_cases = widgets.Label(layout=widgets.Layout(margin="2px 12px 2px 90px"))
        self.more.on_click(lambda _: model.more())
        tie(model, "search", self.search)
        tie(model, "updated_since", self.since, "value", _to_date, _from_date)
        model.observe(self._draw_more, ["cases", "is_loading"])
        self._draw_more()
        return widgets.VBox(
            [
                row(self.domain, self.search),
                row(self.case_status, self.template, self.since),
                self.case,
                widgets.HBox([self.n_cases, self.more]),
            ],
            layout=WIDE,
        )

    def _draw_more(self, _: object = None) -> None:
        model = self.selection
        n = len(model.cases)
        more = model.may_have_more
        self.n_cases.value = f"{counted(n, 'case')}, last updated first"
        self.more.layout.display = "" if more else "none"

    def _status_line(self) -> widgets.Widget:
        model = self.selection
        self.status = widgets.HTML(layout=WIDE)
        self.cancel = widgets.Button(
            description="Cancel", tooltip="Stop what is being read"
        )
        self.retry = widgets.Button(
            description="Try again", tooltip="Ask again for what failed"
        )
        self.cancel.on_click(lambda _: model.cancel())
        self.retry.on_click(lambda _: model.reload())
        model.observe(self._draw_status, "status")
        self._draw_status()
        buttons = widgets.HBox([self.cancel, self.retry])
        return widgets.VBox([self.status, buttons], layout=WIDE)

    def _draw_status(self, _: object = None) -> None:
        model = self.selection
        failed = model.has_failed and not model.is_loading
        self.status.value = (
            f'<div role="status" aria-live="polite" class="casesnb-status'
            f'{" casesnb-failed" if failed else ""}">'
            f"{'⚠ ' if failed else ''}{escaped(model.status)}</div>"
        )
        self.cancel.layout.display = "" if model.is_loading else "none"
        self.retry.layout.display = "" if failed else "none"


def _to_date(text: str) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


def _from_date(day: dt.date | None) -> str:
    return day.isoformat() if day else ""
