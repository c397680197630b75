"""What is chosen in the explorer and what came for it: a model without widgets.

Everything a mouse can do is one assignment here. An assignment starts a load in a
thread and returns at once; `CaseSelection.wait` waits for what was asked. What is
loaded is taken over only if it is still what was asked for.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import traitlets as tl

from casesnb.tables.filters import where
from casesnb.tables.history import concat
from casesnb.tables.load import is_field, load_cases, load_domains, load_fields
from casesnb.tables.load_history import load_histories, load_history
from casesnb.tables.names import load_catalogue, with_names
from casesnb.tables.notes import Notes, notes_of
from casesnb.tables.schema import CASES, CHANGES, DOMAINS
from casesnb.view.explorer.jobs import Load, Loads, explain
from casesnb.view.text import shortened
from casesnb.view.wording import actor_names, field_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from casesnb.tables.history import History
    from casesnb.tables.names import Catalogue
    from casesnb.tables.notes import Note
    from casesnb.wire.client import Client

PAGE = 50
"""Cases read at first; each `CaseSelection.more` doubles it."""

ORDERS = ("oldest first", "newest first", "by field", "by actor")
"""How the changes may be sorted."""

# How the case is looked at: forgotten with it, kept when it is only read again.
_LOOKED_AT = ("field_id", "actor", "order", "span", "other_id", "as_of")
_COLUMN = {"by field": "field_id", "by actor": "actor"}
# Of what there is to say, in the order a person meets it.
_KINDS = ("domains", "cases", "case", "other", "names", "page")
_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_UNNAMED = "Some ids are shown without names."


class CaseSelection(tl.HasTraits):
    """What is chosen, what came for it and how that went; knows no widgets."""

    domains = tl.Any()
    domain_id = tl.Unicode()
    search = tl.Unicode()
    case_status = tl.Unicode()
    template_id = tl.Unicode()
    updated_since = tl.Unicode()
    limit = tl.Int(PAGE, min=1)
    cases = tl.Any()
    case_id = tl.Unicode()
    thread = tl.Tuple()
    history = tl.Any(None, allow_none=True)
    catalogue = tl.Any(None, allow_none=True)
    field_id = tl.Unicode()
    actor = tl.Unicode()
    order = tl.Enum(ORDERS, ORDERS[0])
    span = tl.Any(None, allow_none=True)
    other_id = tl.Unicode()
    other = tl.Any(None, allow_none=True)
    notes = tl.Tuple()
    changes = tl.Any()
    as_of = tl.Any(None, allow_none=True)
    status = tl.Unicode()
    is_loading = tl.Bool(False)
    has_failed = tl.Bool(False)
    n_read = tl.Int(0)

    def __init__(
        self,
        client: Client,
        *,
        domain_id: str = "",
        case_id: str = "",
        connect: Client | None = None,
        notes: Notes | None = None,
    ) -> None:
        super().__init__(
            domains=DOMAINS.empty(),
            cases=CASES.empty(),
            changes=CHANGES.empty(),
            domain_id=domain_id,
            case_id=case_id,
        )
        self.client = client
        self.connect = connect
        self.kept = Notes() if notes is None else notes
        self._catalogues: dict[str, Catalogue] = {}
        self._sought: dict[str, set[str]] = {}  # fields that no list names any more
        self._loads = Loads(_KINDS, self._say)
        # Whoever waits for a load also waits until all that observes it is done.
        self.lock = self._loads.lock
        self.observe(self._on_domain, "domain_id")
        self.observe(
            self._on_filter,
            ["case_status", "template_id", "updated_since", "limit"],
        )
        self.observe(self._on_search, "search")
        self.observe(self._on_case, "case_id")
        self.observe(self._on_other, "other_id")
        self.observe(self._on_sieve, ["field_id", "actor", "order", "span"])
        with self.lock:
            self._read_domains()
            if domain_id:
                self._read_cases()
                self._read_names()
            if domain_id and case_id:
                self._read_case()

    # ------------------------------------------------------------- what to do

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until everything asked for has come, failed or been cancelled."""
        return self._loads.wait(timeout)

    def cancel(self) -> None:
        """Stop every load under way; what was there before them is not brought back."""
        self._loads.cancel()

    def reload(self) -> None:
        """Ask again for what failed or was stopped; for all of it if nothing was."""
        with self.lock:
            kinds = self._loads.failed - {"page"} or set(_KINDS)
            if "domains" in kinds:
                self._read_domains()
            if "cases" in kinds and self.domain_id:
                self._read_cases()
            if "case" in kinds and self.domain_id and self.case_id:
                kept = {name: getattr(self, name) for name in _LOOKED_AT}
                if self.as_of == max(self.moments, default=None):
                    del kept["as_of"]  # the newest event is followed
                self._read_case()
                for name, value in kept.items():
                    setattr(self, name, value)
            elif "other" in kinds and self.other_id:
                self._read_other()
            if "names" in kinds and self.domain_id:
                self._catalogues.pop(self.domain_id, None)
                self._sought.pop(self.domain_id, None)
                self._read_names()

    def report(self, error: Exception, of: str) -> None:
        """Say on the status line that something could not be drawn."""
        self._loads.note("page", explain(error, of), is_error=True)

    def more(self) -> None:
        """Read twice as many cases."""
        self.limit *= 2

    def add_note(
        self,
        text: str,
        *,
        event_ids: Iterable[str] = (),
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
    ) -> Note:
        """Write a note on the case, on events of it, or on a span of time."""
        if not (self.domain_id and self.case_id):
            raise ValueError("There is no case to write on. Choose one.")
        note = self.kept.add(
            text,
            domain_id=self.domain_id,
            case_id=self.case_id,
            event_ids=event_ids,
            start=start,
            end=end,
        )
        self._show_notes()
        return note

    def remove_note(self, note: Note) -> None:
        """Take a note away."""
        self.kept.remove(note)
        self._show_notes()

    def code(self) -> str:
        """Return the cell that repeats what was chosen."""
        lines = ["import datetime as dt", "", "import casesnb as cn", ""]
        lines.append("# client: the one that the explorer was given")
        if self.connect is not None:
            lines.append("# connect: the other one")
        if self.domain_id:
            asked = {"search": self.search or None, "filter": self._filter()}
            asked = {name: value for name, value in asked.items() if value}
            how = "".join(f", {name}={value!r}" for name, value in asked.items())
            domain = repr(self.domain_id)
            lines.append(
                f"cases = cn.load_cases(client, {domain}{how}, limit={self.limit})"
            )
            if self.template_id:
                lines.append(_where("cases", "template_id", self.template_id))
        if self.domain_id and self.case_id:
            if len(self.thread) > 1:
                cases = f"{list(self.thread)!r}, errors='collect'"
                lines.append(f"history = cn.load_histories(client, {domain}, {cases})")
            else:
                lines.append(
                    f"history = cn.load_history(client, {domain}, {self.case_id!r})"
                )
            if self.catalogue is not None:
                who = ", connect=connect" if self.connect is not None else ""
                of = f"{domain}{who}, field_ids=mentioned"
                lines += [
                    "mentioned = history.changes['field_id']  # deleted fields, too",
                    f"catalogue = cn.load_catalogue(client, {of})",
                    "history = cn.with_names(history, catalogue)",
                ]
            lines.append("changes = history.changes")
            if self.field_id:
                lines.append(_where("changes", "field_id", self.field_id))
            if self.actor:
                lines.append(_where("changes", "actor", self.actor))
            if self.span is not None:
                ends = ", ".join(map(_moment, self.span))
                lines += [
                    f"is_in = changes['performed_at'].between({ends})",
                    "changes = changes[is_in].reset_index(drop=True)",
                ]
            if self.order == "newest first":
                lines.append("changes = changes.iloc[::-1].reset_index(drop=True)")
            elif column := _COLUMN.get(self.order):
                how = f"{column!r}, kind='stable', ignore_index=True"
                lines.append(f"changes = changes.sort_values({how})")
            if self.other is not None:
                lines.append(
                    f"other = cn.load_history(client, {domain}, {self.other_id!r})"
                )
                if self.catalogue is not None:
                    lines.append("other = cn.with_names(other, catalogue)")
                lines.append("both = cn.concat([history, other])")
        if self.as_of is not None:
            lines.append(f"as_of = {_moment(self.as_of)}")
        if self.notes:
            lines.append("notes = cn.Notes()")
            lines += [f"notes.add({_arguments(note)})" for note in self.notes]
        return "\n".join(lines) + "\n"

    @property
    def may_have_more(self) -> bool:
        """Whether the list ended at the limit rather than at its end."""
        return self._n_listed >= self.limit

    # -------------------------------------------------------- what is on offer

    @property
    def domain_options(self) -> list[tuple[str, str]]:
        """The domains as label and id, the one chosen among them."""
        names = dict(zip(self.domains["domain_id"], self.domains["name"], strict=True))
        if self.domain_id:
            names.setdefault(self.domain_id, self.domain_id)
        return [(shortened(name, 60), key) for key, name in names.items()]

    @property
    def case_options(self) -> list[tuple[str, str]]:
        """The cases as label and id: what it is about, how it stands, since when."""
        return [
            (_case_label(row, self._statuses()), row["case_id"])
            for row in self.cases.to_dict("records")
        ]

    @property
    def other_options(self) -> list[tuple[str, str]]:
        """The cases to compare with, as label and id."""
        others = [pair for pair in self.case_options if pair[1] not in self.thread]
        if self.other_id and self.other_id not in dict(map(reversed, others)):  # type: ignore[arg-type]
            others.insert(0, (self.other_id, self.other_id))
        return [("No other case", ""), *others]

    @property
    def status_options(self) -> list[tuple[str, str]]:
        """The statuses to filter by, as label and value."""
        seen = self.cases["status"].dropna() if "status" in self.cases else ()
        names = self._statuses()
        return _options("Any status", {*seen, *names, self.case_status}, names)

    @property
    def template_options(self) -> list[tuple[str, str]]:
        """The templates to filter by, as label and id."""
        seen, names = self.cases["template_id"].dropna(), {}
        if self.catalogue is not None:
            templates = self.catalogue.templates
            names = dict(zip(templates["template_id"], templates["name"], strict=True))
        return _options("Any template", {*seen, *names, self.template_id}, names)

    @property
    def field_options(self) -> list[tuple[str, str]]:
        """The fields that changed, as label and id."""
        names = {} if self.named is None else field_names(self.named.changes)
        return _options("All fields", {*names, self.field_id}, names)

    @property
    def actor_options(self) -> list[tuple[str, str]]:
        """Who changed them, as label and id."""
        names = {} if self.named is None else actor_names(self.named.changes)
        return _options("Everybody", {*names, self.actor}, names)

    def _statuses(self) -> dict[str, str]:
        """Return what the catalogue calls each status."""
        if self.catalogue is None:
            return {}
        options = self.catalogue.options
        of_status = options[options["field_id"] == "status"]
        return dict(zip(of_status["value"], of_status["name"], strict=True))

    @property
    def moments(self) -> list[dt.datetime]:
        """The times at which something happened in the case, oldest first."""
        if self.history is None:
            return []
        times = self.history.events["performed_at"].drop_duplicates().sort_values()
        return [time.to_pydatetime() for time in times]

    # ------------------------------------------------------------ what is chosen

    @tl.validate("updated_since")
    def _is_day(self, proposal: Any) -> str:
        value = str(proposal["value"])
        try:
            return dt.date.fromisoformat(value).isoformat() if value else ""
        except ValueError:
            raise tl.TraitError(
                f"updated_since={value!r} is not a day. Give one such as 2026-03-31."
            ) from None

    @tl.validate("as_of")
    def _to_utc(self, proposal: Any) -> dt.datetime | None:
        value = proposal["value"]
        if isinstance(value, str):
            value = dt.datetime.fromisoformat(value)
        if value is not None and not isinstance(value, dt.datetime):
            raise tl.TraitError(f"as_of={value!r} is not a time. Give a datetime.")
        if value is not None and value.tzinfo is None:
            raise tl.TraitError(
                f"as_of={value} has no time zone. Give one, such as {value}+00:00."
            )
        return None if value is None else value.astimezone(dt.UTC)

    @tl.validate("span")
    def _both_utc(self, proposal: Any) -> tuple[dt.datetime, dt.datetime] | None:
        given = proposal["value"]
        if given is None:
            return None
        start, end = (self._to_utc({"value": at}) for at in given)
        if start is None or end is None or start > end:
            raise tl.TraitError("span ends before it begins. Give (start, end).")
        return start, end

    def _on_domain(self, change: Any) -> None:
        with self.lock:
            self._loads.drop("cases")
            if change.old:  # a case may be chosen before there is any domain
                self.case_id = ""
            self.case_status = self.template_id = ""
            self.cases, self._n_listed = CASES.empty(), 0
            self.limit = PAGE
            self._loads.drop("names")
            self.catalogue = None
            if self.domain_id:
                self._read_names()
                self._read_cases()
            if self.domain_id and self.case_id:
                self._read_case()

    def _on_search(self, change: Any) -> None:
        if _pasted(change.old):
            return  # what was searched for before stands there again
        if not (case_id := _pasted(change.new)):
            self._on_filter(change)
            return
        with self.lock:
            self.case_id, self.search = case_id, change.old

    def _on_filter(self, _: object) -> None:
        with self.lock:
            if self.domain_id:
                self._read_cases()

    def _on_case(self, _: object) -> None:
        with self.lock:
            if self.domain_id and self.case_id:
                self._read_case()
            else:
                self._forget_case()
                self._say()

    def _on_other(self, _: object) -> None:
        with self.lock:
            self._loads.drop("other")
            self._loads.forget("other")
            self.other = None
            if self.domain_id and self.other_id:
                self._read_other()
            else:
                self._say()

    def _on_sieve(self, _: object) -> None:
        with self.lock:
            self.changes = self._sieved(self.history, self.catalogue)

    # -------------------------------------------------------------------- loads

    _n_listed = 0

    def _read_domains(self) -> None:
        def read(_: Load) -> pd.DataFrame:
            return load_domains(self.client)

        def take(domains: pd.DataFrame) -> str:
            self.domains = domains
            if domains.empty:
                return "This account has no Cases domain in this Region."
            if not self.domain_id:
                self.domain_id = domains["domain_id"].iloc[0]
            return ""

        self._loads.start("domains", "the domains", read, take)

    def _read_cases(self) -> None:
        domain_id, search, limit = self.domain_id, self.search or None, self.limit
        template_id = self.template_id
        asked = self._filter()

        def read(_: Load) -> pd.DataFrame:
            return load_cases(
                self.client, domain_id, search=search, filter=asked, limit=limit
            )

        def take(cases: pd.DataFrame) -> str:
            self._n_listed = len(cases)
            # Search has no filter for the template: it is applied to what was read.
            if template_id:
                cases = cases[cases["template_id"] == template_id]
                cases = cases.reset_index(drop=True)
            self.cases = cases
            return "" if len(cases) else "No case matches. Widen the filters."

        self._loads.start("cases", "the cases", read, take)

    def _read_names(self) -> None:
        domain_id = self.domain_id
        if domain_id in self._catalogues:  # today's names: once is enough
            self.catalogue = self._catalogues[domain_id]
            return

        def read(_: Load) -> Catalogue:
            return load_catalogue(self.client, domain_id, connect=self.connect)

        def take(catalogue: Catalogue) -> str:
            self._take_names(catalogue)
            return ""

        self._loads.start("names", "the names", read, take, lack=_UNNAMED)

    def _take_names(self, catalogue: Catalogue) -> None:
        self._catalogues[catalogue.domain_id] = catalogue
        self.changes = self._sieved(self.history, catalogue)
        self.catalogue = catalogue
        self._read_deleted()

    def _read_deleted(self) -> None:
        """Look up the fields of the case that the domain does not list any more."""
        catalogue = self.catalogue
        if catalogue is None or self.history is None or self._loads.has("names"):
            return  # what is under way comes back here
        known = {*catalogue.fields["field_id"]}
        sought = self._sought.setdefault(self.domain_id, set())
        mentioned = self.history.changes["field_id"].unique()
        unknown = {name for name in mentioned if is_field(name)} - known
        if unknown <= sought:
            return

        def read(_: Load) -> pd.DataFrame:
            asked = sorted(known | unknown)
            return load_fields(self.client, catalogue.domain_id, field_ids=asked)

        def take(fields: pd.DataFrame) -> str:
            sought.update(unknown)
            self._take_names(replace(catalogue, fields=fields))
            return ""

        self._loads.start(
            "names", "the names of deleted fields", read, take, lack=_UNNAMED
        )

    def _read_other(self) -> None:
        domain_id, other_id = self.domain_id, self.other_id

        def read(load: Load) -> History[Any]:
            return load_history(self.client, domain_id, other_id, progress=load.tell)

        def take(history: History[Any]) -> str:
            self.other = history
            return ""

        self._loads.start("other", f"case {other_id}", read, take)

    @property
    def compared(self) -> History[Any] | None:
        """The history, with that of the case beside it, named as far as may be."""
        history, other = self.named, self.other
        if history is None or other is None or self.other_id in self.thread:
            return history
        if self.catalogue is not None:
            other = with_names(other, self.catalogue)
        return concat([history, other])

    def _show_notes(self) -> None:
        with self.lock:
            cases = [(self.domain_id, case_id) for case_id in self.thread]
            self.notes = notes_of(self.kept, cases)

    @property
    def named(self) -> History[Any] | None:
        """The history with names beside its ids, as far as they are known."""
        history: History[Any] | None = self.history
        if history is None or self.catalogue is None:
            return history
        return with_names(history, self.catalogue)

    def _filter(self) -> Mapping[str, Any] | None:
        """Return the CaseFilter that the choices make."""
        wanted = None
        if self.case_status:
            wanted = where("status") == self.case_status
        if self.updated_since:
            day = dt.datetime.fromisoformat(self.updated_since).replace(tzinfo=dt.UTC)
            since = where("last_updated_datetime") >= day
            wanted = since if wanted is None else wanted & since
        return None if wanted is None else dict(wanted)

    def _read_case(self) -> None:
        domain_id, case_id = self.domain_id, self.case_id
        self._forget_case()

        def read(load: Load) -> tuple[tuple[str, ...], History[Any]]:
            history = load_history(self.client, domain_id, case_id, progress=load.tell)
            thread: tuple[str, ...] = (case_id,)
            # A merge names the other case; that one may have been merged before.
            while found := _merged_with(history) - {*thread}:
                thread += tuple(sorted(found))
                history = load_histories(
                    self.client, domain_id, thread, errors="collect", progress=load.tell
                )
            return thread, history

        def take(result: tuple[tuple[str, ...], History[Any]]) -> str:
            self.thread, history = result
            events = history.events
            # A moment, a field or an order may have been chosen meanwhile.
            if self.as_of is None and len(events):
                self.as_of = events["performed_at"].max()
            self._show_notes()
            # The history last: whoever sees it finds the rest in place.
            self.changes = self._sieved(history, self.catalogue)
            self.history = history
            self._read_deleted()
            return ""

        self._loads.start("case", f"case {case_id}", read, take)

    def _forget_case(self) -> None:
        self._loads.drop("case")
        self._loads.forget("case", "page")
        self.history = None
        self.thread = self.notes = ()
        self.span = None
        self.field_id = self.actor = self.other_id = ""
        self.order = ORDERS[0]
        self.as_of = None
        self.changes = CHANGES.empty()

    # ------------------------------------------------------------------- status

    def _say(self) -> None:
        loads = self._loads
        said = loads.said
        if not loads.running:
            if self.history is not None:
                said.append(f"{shortened(str(self.history.certificate), 400)}.")
            elif not said and not self.case_id:
                said.append("Choose a case.")
        self.n_read = loads.n_read
        self.has_failed = bool(loads.failed)
        self.is_loading = bool(loads.running)
        self.status = " ".join(said)  # last: whoever sees it finds the rest in place

    # ------------------------------------------------------------------ changes

    def _sieved(
        self, history: History[Any] | None, catalogue: Catalogue | None
    ) -> pd.DataFrame:
        if history is None:
            return CHANGES.empty()
        changes: pd.DataFrame = history.changes
        if catalogue is not None:
            changes = with_names(changes, catalogue)
        if self.field_id:
            changes = changes[changes["field_id"] == self.field_id]
        if self.actor:
            changes = changes[changes["actor"] == self.actor]
        if self.span is not None:
            changes = changes[changes["performed_at"].between(*self.span)]
        if self.order == "newest first":
            changes = changes.iloc[::-1]
        elif column := _COLUMN.get(self.order):
            changes = changes.sort_values(column, kind="stable")
        return changes.reset_index(drop=True)


def _where(frame: str, column: str, value: str) -> str:
    return f"{frame} = {frame}[{frame}[{column!r}] == {value!r}].reset_index(drop=True)"


def _moment(at: dt.datetime) -> str:
    return f"dt.datetime.fromisoformat({at.isoformat()!r})"


def _arguments(note: Note) -> str:
    """Return what `Notes.add` is given for a note, as code."""
    given = [repr(note.text)]
    names = ("domain_id", "case_id", "by")
    given += [f"{name}={getattr(note, name)!r}" for name in names]
    if note.event_ids:
        given.append(f"event_ids={[*note.event_ids]!r}")
    for name in ("start", "end", "written_at"):
        at = getattr(note, name)
        given += [] if at is None else [f"{name}={_moment(at)}"]
    return ", ".join(given)


def _pasted(text: str) -> str:
    """Return the case whose id or address was pasted, if it is no search."""
    text = text.strip()
    found = [*re.finditer(_ID, text)]
    if not found or not (text == found[0][0] or re.match(r"https?://\S+$", text)):
        return ""
    # An address may also name an instance and a domain.
    named = [
        each for each in found if re.search(r"case[\w-]*[/=]$", text[: each.start()])
    ]
    return (named or found)[-1][0]


def _merged_with(history: History[Any]) -> set[str]:
    events = history.events
    named = {*events["primary_case_id"].dropna(), *events["secondary_case_id"].dropna()}
    return named - set(history.unloaded["case_id"])


def _options(
    every: str, values: set[str], names: Mapping[str, str]
) -> list[tuple[str, str]]:
    labels = {v: shortened(names.get(v) or v, 60) for v in values if v}
    by_label = sorted(labels.items(), key=lambda pair: (pair[1].casefold(), pair[0]))
    return [(every, "")] + [(label, value) for value, label in by_label]


def _case_label(row: Mapping[Any, Any], statuses: Mapping[str, str]) -> str:
    def text(name: str, width: int) -> str:
        value = row.get(name)
        return shortened(value, width) if isinstance(value, str) and value else "—"

    updated = row.get("last_updated_datetime")
    is_known = isinstance(updated, dt.datetime) and updated == updated  # NaT is not
    day = f"{updated:%Y-%m-%d}" if is_known else "—"
    title, status = text("title", 70), text("status", 20)
    status = shortened(statuses.get(row.get("status", ""), status), 20)
    return f"{day} · {status} · {title} · {text('reference_number', 12)}"
