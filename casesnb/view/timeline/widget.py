"""`timeline`: a case as lanes that one can zoom, read, search, select and compare."""

from __future__ import annotations

import base64
import datetime as dt
import os
import sys
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets as tl

from casesnb.analysis.timezones import zone
from casesnb.tables.arguments import as_ids, moment
from casesnb.tables.notes import Note, Notes, notes_of
from casesnb.tables.schema import TEXT_TYPE
from casesnb.view.plots.case import plot_changes
from casesnb.view.plots.lanes import lanes_of
from casesnb.view.plots.png import png
from casesnb.view.plots.style import plot_text
from casesnb.view.timeline.arrays import EVERY_LANE, Arrays, micros
from casesnb.view.timeline.page import SCRIPT, page_html, place_html
from casesnb.view.wording import counted, standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from narwhals.typing import IntoFrame

    from casesnb.tables.history import History

    Span = tuple[Any, Any]

MOST_CASES = 12
"""The most cases that are compared."""

ALIGNS = ("calendar", "creation")
SORTS = ("drawn", "case", "name", "count", "first")

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def timeline(
    history: History[Any] | IntoFrame,
    /,
    *,
    events: IntoFrame | None = None,
    as_of: dt.datetime | None = None,
    fields: Sequence[str] | None = None,
    tz: str | dt.tzinfo = "UTC",
    align: str = "calendar",
    notes: Iterable[Note] = (),
) -> Timeline:
    """Show a case as lanes that one can zoom, read, search and select in.

    What `plot_changes` draws, interactive: a lane per field, a span per value, a
    mark per change. Two to twelve cases share the axis, a lane for each of their
    fields. It works by mouse, by touch and by the keyboard alone (the button
    *Keys* lists them), in JupyterLab, Notebook 7, Voila, marimo and, by
    `Timeline.to_html`, in one file without server or network. Where scripts do
    not run, the picture of `plot_changes` stands in for it.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of any engine; names
        are used where `with_names` added them.
    events : DataFrame, optional
        Beside changes alone, ``schema.EVENTS`` of the same cases: comments,
        contacts, files and SLAs then have a lane each. Without it they share one.
    as_of : datetime, optional
        The moment up to which to draw, with its zone; by default up to when the
        history was read, or to the newest change of a frame.
    fields : sequence of str, optional
        The ``field_id`` of each lane, in order; all otherwise.
    tz : str or tzinfo, default "UTC"
        The zone of the time axis and of the times that are read.
    align : str, default "calendar"
        ``calendar``, or ``creation``: each case's time since its creation.
    notes : Notes or iterable of Note, optional
        Notes to show. To `Notes` one can add in the picture, on an event that is
        pinned, on a selection or on the case.

    Returns
    -------
    Timeline
        A widget, whose traits say what is looked at, selected and pinned.

    Raises
    ------
    TypeError
        If `history` or `fields` is something else.
    ValueError
        If there are more than twelve cases, or no such time zone, event or `align`.

    See Also
    --------
    plot_changes : The same as a picture.
    plot_cases : Many cases at once.

    Examples
    --------
    >>> import datetime as dt
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> history = cn.load_history(cn.connect(world), *world.showcase)
    >>> shown = cn.timeline(history)
    >>> first = history.events["performed_at"].iloc[0].to_pydatetime()
    >>> shown.span = first, first + dt.timedelta(hours=1)
    >>> len(shown.selection) < len(history.changes)
    True
    """
    return Timeline(
        history,
        events=events,
        as_of=as_of,
        fields=fields,
        tz=tz,
        align=align,
        notes=notes,
    )


class Timeline(anywidget.AnyWidget):
    """One or more cases as lanes in a notebook: what `timeline` returns.

    Each attribute works both ways: what a person does in the picture is in it,
    and what is assigned to it is done in the picture.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone.
    events : DataFrame, optional
        Beside changes alone, ``schema.EVENTS`` of the same cases.
    as_of : datetime, optional
        The moment up to which to draw.
    fields : sequence of str, optional
        The ``field_id`` of each lane.
    tz : str or tzinfo, default "UTC"
        The zone of the axis.
    align : str, default "calendar"
        ``calendar`` or ``creation``.
    notes : Notes or iterable of Note, optional
        Notes to show; to `Notes` one can add in the picture.

    Attributes
    ----------
    view : tuple of datetime or None
        What is looked at, from when to when; None for the whole. Times since
        creation are timedelta, here and in `span`.
    span : tuple of datetime or None
        What is selected, both ends included.
    selection : DataFrame
        The changes of `span`; all of them where nothing is selected. It follows
        `span` and is not assigned.
    pinned : tuple of str
        The ``event_id`` of the events that are pinned.
    moment : datetime or None
        The moment at which one stands, drawn as a line: as of then.
    search : str
        What is searched for.
    align : str
        ``calendar`` or ``creation``. Changing it clears `view` and `span`.
    sort : str
        The order of the lanes: ``drawn``, ``case``, ``name``, ``count`` (most
        changes first) or ``first`` (first change first).
    hidden, folded : tuple of str
        The names of lanes that are hidden, and of those that are folded.
    notes : tuple of Note
        The notes on these cases.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> history = cn.load_history(cn.connect(world), *world.showcase)
    >>> cn.timeline(history, fields=["status"])
    Timeline: 9 marks in 1 lane
    """

    _esm = SCRIPT
    _data = tl.Bytes().tag(sync=True)
    _state = tl.Dict().tag(sync=True, echo_update=False)
    _notes: Any = tl.List().tag(sync=True)
    _can_note = tl.Bool(False).tag(sync=True)

    view = tl.Any(None, allow_none=True)
    span = tl.Any(None, allow_none=True)
    selection = tl.Any(read_only=True)
    pinned = tl.Any(())
    moment = tl.Any(None, allow_none=True)
    search = tl.Unicode()
    align = tl.Enum(ALIGNS, ALIGNS[0])
    sort = tl.Enum(SORTS, SORTS[0])
    hidden = tl.Any(())
    folded = tl.Any(())
    notes = tl.Any(())

    def __init__(
        self,
        history: History[Any] | IntoFrame,
        /,
        *,
        events: IntoFrame | None = None,
        as_of: dt.datetime | None = None,
        fields: Sequence[str] | None = None,
        tz: str | dt.tzinfo = "UTC",
        align: str = "calendar",
        notes: Iterable[Note] = (),
    ) -> None:
        if align not in ALIGNS:
            raise ValueError(f"align={align!r}: give one of {', '.join(ALIGNS)}.")
        given: Any = {"events": events, "as_of": as_of, "fields": fields}
        lanes = self._lanes = lanes_of(history, **given, top=EVERY_LANE)
        n_cases = lanes.changes["case_id"].nunique()
        if n_cases > MOST_CASES:
            raise ValueError(
                f"A timeline compares at most {MOST_CASES} cases, not {n_cases:,}. Give "
                "some of them, or draw all with plot_cases."
            )
        self._draw = partial(plot_changes, history, **given, tz=tz)
        self._arrays = Arrays(lanes, standing(history), zone(tz))
        self._kept = notes if isinstance(notes, Notes) else None
        self._cases = dict.fromkeys(
            each
            for frame in (lanes.events, lanes.changes)
            if frame is not None
            for each in zip(frame["case_id"], frame["domain_id"], strict=True)
        )
        super().__init__(
            _data=self._arrays.to_bytes(),
            _can_note=self._kept is not None,
            align=align,
            notes=notes,
        )
        self._state = self._told()
        self._select()
        self.on_msg(self._on_message)

    @property
    def data(self) -> pd.DataFrame:
        """The spans and marks, as `plot_data` gives those of `plot_changes`."""
        return self._lanes.frame()

    def to_html(self) -> str:
        """Return the timeline as one page that needs no kernel and no network.

        Returns
        -------
        str
            HTML; the page may run its own script and load nothing. The static
            picture is in it, for print and where scripts are off.
        """
        words = self._words
        data = self._arrays.to_bytes(self._told(), self._notes)
        place = place_html(data, self._png, words)
        return page_html(words.partition("\n")[0], place)

    # ------------------------------------------------- traits and their twins

    @tl.validate("view", "span")
    def _valid_span(self, proposal: Any) -> Span | None:
        given = proposal["value"]
        return None if given is None else self._both(given, proposal["trait"].name)

    @tl.validate("pinned")
    def _valid_pinned(self, proposal: Any) -> tuple[str, ...]:
        wanted = tuple(as_ids(proposal["value"]))
        for event_id in wanted:
            self._numbers(event_id)
        return wanted

    @tl.validate("moment")
    def _valid_moment(self, proposal: Any) -> dt.datetime | None:
        given = proposal["value"]
        return None if given is None else moment(given)

    @tl.validate("hidden", "folded")
    def _valid_lanes(self, proposal: Any) -> tuple[str, ...]:
        wanted = tuple(as_ids(proposal["value"]))
        for name in wanted:
            if name not in self._lanes.names:
                raise ValueError(
                    f"There is no lane {name!r:.80}. Give some of: "
                    f"{', '.join(self._lanes.names)!s:.300}."
                )
        return wanted

    @tl.validate("notes")
    def _valid_notes(self, proposal: Any) -> tuple[Note, ...]:
        notes = tuple(proposal["value"])
        for note in notes:
            if not isinstance(note, Note):
                raise TypeError(
                    f"{type(note).__name__} is no note. Give cn.Notes, or some of them."
                )
        return notes_of(notes, ((domain, case) for case, domain in self._cases))

    @tl.observe("notes")
    def _on_notes(self, _: object) -> None:
        self._notes = self._arrays.notes(self.notes)

    @tl.observe(
        "view", "span", "moment", "pinned", "search", "sort", "hidden", "folded"
    )
    def _on_choice(self, change: Any) -> None:
        if change.name == "span":
            self._select()
        if not self._is_taking:
            self._state = self._told()

    @tl.observe("align")
    def _on_align(self, _: object) -> None:
        with self.hold_trait_notifications():
            self.view = self.span = None
        if not self._is_taking:
            self._state = self._told()

    @tl.observe("_state")
    def _on_state(self, change: Any) -> None:
        """Take over what a person did in the picture."""
        changed = change.new.get("changed", ())
        lanes, ids = self._lanes.names, self._arrays.event_ids
        self._is_taking = True
        try:
            for name in [name for name in self._told() if name in changed]:
                value = change.new[name]
                if name in {"view", "span"}:
                    value = self._from_micros(value)
                elif name == "moment" and value is not None:
                    value = _EPOCH + dt.timedelta(microseconds=value)
                elif name in {"hidden", "folded"}:
                    value = tuple(lanes[i] for i in value)
                elif name == "pins":
                    name, value = "pinned", tuple(dict.fromkeys(ids[i] for i in value))
                setattr(self, name, value)
        finally:
            self._is_taking = False

    _is_taking = False

    def _told(self) -> dict[str, Any]:
        """Return the choices as the script knows them."""
        names = self._lanes.names
        return {
            # The axis comes first: it says what the ends of a stretch are.
            "align": self.align,
            "view": self._to_micros(self.view),
            "span": self._to_micros(self.span),
            "moment": None if self.moment is None else micros(self.moment),
            "pins": [n for event_id in self.pinned for n in self._numbers(event_id)],
            "search": self.search,
            "sort": self.sort,
            "hidden": [names.index(name) for name in self.hidden],
            "folded": [names.index(name) for name in self.folded],
        }

    def _numbers(self, event_id: Any) -> list[int]:
        """Return the numbers of an event, one for each case that has such an id."""
        found = self._arrays.numbers.get(event_id, [])
        if not found:
            raise ValueError(
                f"There is no event {event_id!r:.80} here. Give an event_id of the "
                "changes or events that the timeline shows."
            )
        return found

    def _both(self, given: Any, what: str) -> Span:
        """Return both ends of a stretch of the axis, checked."""
        try:
            start, end = given
        except (TypeError, ValueError):
            raise TypeError(
                f"{what} takes two moments, or None. Give (start, end)."
            ) from None
        if self.align == "creation":
            if not all(isinstance(at, dt.timedelta) for at in (start, end)):
                raise TypeError(
                    f"{what} is time since creation here. Give two timedeltas, or "
                    'set align = "calendar" first.'
                )
            start, end = (dt.timedelta(microseconds=at // _MICROSECOND) for at in given)
        else:
            start, end = moment(start), moment(end)
        if start > end:
            raise ValueError(f"{what} ends before it begins. Give (start, end).")
        return start, end

    def _to_micros(self, both: Span | None) -> list[int] | None:
        if both is None:
            return None
        if self.align == "creation":
            return [at // _MICROSECOND for at in both]
        return [micros(at) for at in both]

    def _from_micros(self, both: Sequence[float] | None) -> Span | None:
        if both is None:
            return None
        start, end = (dt.timedelta(microseconds=round(at)) for at in both)
        if self.align == "creation":
            return start, end
        return _EPOCH + start, _EPOCH + end

    def _select(self) -> None:
        """Set the selection to the changes of the span."""
        changes = self._lanes.changes
        if self.span is not None:
            start, end = self.span
            at = changes["performed_at"]
            if self.align == "creation":
                zeros = {
                    case["id"]: _EPOCH + dt.timedelta(microseconds=case["zero"])
                    for case in self._arrays.head["cases"]
                }
                begun = changes["case_id"].astype(TEXT_TYPE).map(zeros)
                at = at - begun.astype(at.dtype)  # also where there is none
            changes = changes[(at >= start) & (at <= end)]
        self.set_trait("selection", changes)

    def _on_message(self, _: object, content: Any, __: object) -> None:
        """Keep a note that was written in the picture."""
        if self._kept is None:
            return
        try:
            case_id = self._arrays.head["cases"][content["case"]]["id"]
            domain_id = next(d for case, d in self._cases if case == case_id)
            span = [_EPOCH + dt.timedelta(microseconds=at) for at in content["span"]]
            start, end = span or (None, None)
            self._kept.add(
                content["text"],
                domain_id=domain_id,
                case_id=case_id,
                event_ids=[self._arrays.event_ids[n] for n in content["events"]],
                start=start,
                end=end,
            )
            self.notes = self._kept
            said = "Note added"
        except Exception as error:  # noqa: BLE001 - nowhere else to be seen
            said = f"The note was not kept: {error} Try again."
        self.send({"say": said})

    # --------------------------------------------------- where nothing runs

    @cached_property
    def _axes(self) -> Any:
        return self._draw()

    @cached_property
    def _words(self) -> str:
        return plot_text(self._axes)

    @cached_property
    def _png(self) -> bytes:
        return png(self._axes, dpi=110)

    def __repr__(self) -> str:
        n = int(self._lanes.rows.is_mark.sum())
        lanes = counted(len(self._lanes.names), "lane")
        return f"Timeline: {counted(n, 'mark')} in {lanes}"

    def _ipython_display_(self) -> None:
        """Show the widget, and below it the picture for where no script runs."""
        from IPython.display import display

        show: Any = display  # IPython has no types
        if not loads_from_afar():
            bundle, metadata = self._repr_mimebundle_() or ({}, {})
            live = {**bundle, "text/plain": repr(self)}
            show(live, metadata=metadata, raw=True)
        coded = base64.b64encode(self._png).decode()
        picture = {"image/png": coded, "text/plain": self._words}
        alt = {"image/png": {"alt": self._words}}
        show(picture, metadata=alt, raw=True)


def loads_from_afar() -> bool:
    """Say whether this notebook would ask a server elsewhere for the widget's loader."""
    return "google.colab" in sys.modules or "VSCODE_PID" in os.environ
