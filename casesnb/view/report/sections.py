"""The sections of a report: which template each is written by, and what it tells.

A report is a list of sections. What a domain's manager reads and what an auditor
reads of one case differ in the list alone.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from casesnb.analysis.checks import findings
from casesnb.analysis.summary import case_summary
from casesnb.analysis.triage import triage
from casesnb.tables.certificate import case_keys
from casesnb.tables.frames import as_of_of
from casesnb.tables.notes import notes_of
from casesnb.tables.schema import CHANGES, EVENTS
from casesnb.view.plots.colours import Colours, colours_of
from casesnb.view.report.headline import headline, headline_of_many
from casesnb.view.report.manifest import cases_in
from casesnb.view.report.names import each_name, people_of
from casesnb.view.report.overview import overview
from casesnb.view.report.pictures import picture_of_activity, picture_of_changes
from casesnb.view.report.story import (
    about,
    cases_of,
    deed,
    doer,
    held_now,
    told,
    written,
)
from casesnb.view.text import shortened
from casesnb.view.wording import (
    called,
    counted,
    day_text,
    field_names,
    hours_text,
    is_missing,
    tail,
    value_names,
    work_percents,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from casesnb.tables.history import History
    from casesnb.tables.notes import Note
    from casesnb.view.report.names import Names

_FULL = 25  # so many cases are told in full, more by key figures unless asked for
_TOP = 20  # of so many cases that are told together it says which to read
_LINKS = 40  # events that a number unfolds; of more the table of events tells


class Section(NamedTuple):
    """A part of a report: a template, and what it tells."""

    template: str
    told: Mapping[str, Any]


class Chapter(NamedTuple):
    """What a report tells of one history."""

    headline: str
    sections: Sequence[Section]


class Value(NamedTuple):
    """What a cell says, and what AWS's own word for it is."""

    text: str
    hint: str = ""
    is_told: bool = True


class _Links(NamedTuple):
    """Where the events of a case stand on the page."""

    table: str
    places: Mapping[str, str]
    numbers: Mapping[str, int]

    def __call__(self, event_ids: Iterable[str]) -> dict[str, Any]:
        known = [event for event in event_ids if event in self.places]
        shown = known[: _LINKS if len(known) <= _LINKS else 0]
        links = [(self.places[event], self.numbers[event]) for event in shown]
        return {
            "links": links,
            "n": counted(len(known), "event") if known else "",
            "table": self.table,
        }


def chapter(
    history: History[Any],
    key: str,
    *,
    names: Names,
    notes: Iterable[Note],
    full: bool | None = None,
) -> Chapter:
    """Return what a report tells of a history; each case in full if that is asked."""
    notes = notes_of(notes, cases_in(history.certificate))
    numbers = case_summary(history)
    found: dict[tuple[str, str], list[Any]] = {}
    told = findings(history)  # once: each rule costs its time
    for row in told.to_dict("records"):
        found.setdefault((row["domain_id"], row["case_id"]), []).append(row)
    n_found = sum(row["verdict"] == "found" for rows in found.values() for row in rows)
    captures = history.certificate.captures
    keys = case_keys(captures)
    places = {case: place for place, case in enumerate(keys)}
    sections = [Section("verdict.html", _verdict(history, key))]
    n_asked = len(captures) + len(history.unloaded)
    is_many, in_full = is_summed(history, full=full), history
    if is_many:
        top = triage(history, top=_TOP)
        if not full:
            noted = (note.case_id for note in notes)
            in_full = history.only(case_ids={*top["case_id"], *noted})
    cases = {
        (case.domain_id, case.case_id): case
        for events, changes in cases_of(in_full)
        for case in [
            _Case(history, events, changes, found, numbers, key, places, notes)
        ]
    }
    with colours_of(Colours()):  # not those of the session: a report is made again
        if is_many:
            about_top = {each: cases[each].headline for each in case_keys(top)}
            summed = overview(history, key, told, top, about_top)
            sections.append(Section("overview.html", summed))
            if not full:
                sections += _notes_of(cases.values(), key, is_linked=False)
                cases = {}
        if len(cases) == n_asked == 1:
            (case,) = cases.values()
            said = case.headline
            sections += case.sections(is_alone=True)
        else:
            said = headline_of_many(numbers, n_found)
            sections += _of_many(history, [*cases.values()], key, is_many=is_many)
    sections.append(Section("evidence.html", _evidence(history, key, names)))
    return Chapter(said, sections)


def is_summed(history: History[Any], *, full: bool | None) -> bool:
    """Return whether a history's cases are told together, by key figures."""
    n_asked = len(history.certificate.captures) + len(history.unloaded)
    return n_asked > _FULL or (full is False and n_asked > 1)


def _verdict(history: History[Any], key: str) -> dict[str, Any]:
    certificate = history.certificate
    counts = (
        counted(certificate.n_cases, "case"),
        counted(certificate.n_events, "event"),
        counted(certificate.n_changes, "change"),
    )
    read = certificate.fetched_at
    when = "" if read is None else f"Read {time_text(read)} UTC from "
    return {
        "key": key,
        "verdict": certificate.verdict,
        "standing": certificate.standing,
        "counts": ", ".join(counts),
        "read": f"{when}{certificate.source}",
    }


def _of_many(
    history: History[Any], cases: Sequence[_Case], key: str, *, is_many: bool
) -> Iterator[Section]:
    unloaded = [
        (
            f"{key} unloaded {row['case_id']}",
            row["domain_id"],
            row["case_id"],
            row["error"],
            row["message"],
        )
        for row in history.unloaded.to_dict("records")
    ]
    empty = history.certificate.captures
    empty = empty[empty["n_events"] == 0]
    ids = {
        "unloaded": unloaded,
        "empty": [*case_keys(empty)],
    }
    is_bare = is_many or not len(history.events)  # an overview has pictures of its own
    pictures = [] if is_bare else [picture_of_activity(history)]
    rows = [case.row for case in cases]
    told = {"key": key, "rows": rows, "pictures": pictures, **ids}
    if rows or unloaded or ids["empty"] or not is_many:
        yield Section("cases.html", told)
    yield from _notes_of(cases, key, is_linked=True)
    for case in cases:
        yield from case.sections(is_alone=False)


def _notes_of(
    cases: Iterable[_Case], key: str, *, is_linked: bool
) -> Iterator[Section]:
    """Yield the notes on several cases, if there are any."""
    notes = [note for case in cases for note in case.told_notes(is_linked=is_linked)]
    if notes:
        yield Section("notes.html", {"key": key, "notes": notes, "is_alone": False})


class _Case:
    """One case of a history, as the sections need it."""

    def __init__(
        self,
        history: History[Any],
        events: pd.DataFrame,
        changes: pd.DataFrame,
        found: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]],
        numbers: pd.DataFrame,
        key: str,
        places: Mapping[tuple[str, str], int],
        notes: Sequence[Note],
    ) -> None:
        self.domain_id, self.case_id = events[["domain_id", "case_id"]].iloc[0]
        place = places[self.domain_id, self.case_id]
        self.key = f"{key}c{place}"
        self._history, self._events, self._changes = history, events, changes
        self._key, own = key, (self.domain_id, self.case_id)
        number = {note: n for n, note in enumerate(notes)}
        self.notes = {note: number[note] for note in notes_of(notes, [own])}
        self._found = found.get((self.domain_id, self.case_id), ())
        self._as_of = as_of_of(history, None)
        self._now = held_now(changes, self._as_of)
        self._fields, self._values = field_names(changes), value_names(changes)
        self._people = people_of(events, changes)
        self._links = _Links(
            f"{key}events",
            {event: f"{key}e{_short_hash(event)}" for event in events["event_id"]},
            dict(zip(events["event_id"], events["sequence"], strict=True)),
        )
        is_own = numbers["case_id"] == self.case_id
        is_own &= numbers["domain_id"] == self.domain_id
        (own,) = numbers[is_own].to_dict("records")
        n_found = sum(row["verdict"] == "found" for row in self._found)
        self.headline = headline(events, changes, self._now, own, n_found)

    @property
    def row(self) -> dict[str, Any]:
        """The case as a row of the table of cases."""
        held = {row["field_id"]: row for row in self._now.to_dict("records")}
        title, status, holder = (
            self._value(held[name], "value", "kind") if name in held else None
            for name in ("title", "status", "assigned_user")
        )
        return {
            "key": self.key,
            "case_id": self.case_id,
            "domain_id": self.domain_id,
            "title": title,
            "status": status,
            "holder": holder,
            "first": time_text(self._events["performed_at"].min()),
            "last": time_text(self._events["performed_at"].max()),
            "n_events": f"{len(self._events):,}",
            "n_changes": f"{len(self._changes):,}",
            "n_findings": f"{len(self._found):,}",
        }

    def sections(self, *, is_alone: bool) -> Iterator[Section]:
        """Yield what a report tells of the case: findings first, evidence last."""
        own = self._history
        if not is_alone:
            own = own.only(case_ids=[self.case_id])
        case = {
            "key": self.key,
            "case_id": self.case_id,
            "domain_id": self.domain_id,
            "is_alone": is_alone,
            "headline": self.headline,
        }
        yield Section("facts.html", case | {"facts": [*self._facts()]})
        yield Section("findings.html", case | {"findings": [*self._told_findings()]})
        if is_alone and self.notes:
            yield Section("notes.html", case | {"notes": [*self.told_notes()]})
        pictures = []
        if len(self._changes):
            pictures.append(picture_of_changes(own, [*self.notes]))
        yield Section(
            "pictures.html", case | {"pictures": [*pictures, picture_of_activity(own)]}
        )
        words = told(self._events, self._changes, self._now, self.notes)
        more = {"as_of": self._as_of, "day": day_text, "written": written}
        numbers = {"item_of": lambda note: self._item(note) + " in the story"}
        yield Section("story.html", case | {"told": words} | more | numbers)
        tables = {"changes": [*self._told_changes()], "events": [*self._told_events()]}
        yield Section("tables.html", case | tables)

    def told_notes(self, *, is_linked: bool = True) -> Iterator[dict[str, Any]]:
        """Yield the notes on the case, with links where it is told in full."""
        for note in self.notes:
            yield {
                "item": self._item(note),
                "key": self.key if is_linked else "",
                "case_id": self.case_id,
                "text": note.text,
                "written": written(note),
                "on": "" if note.event_ids and note.start is None else about(note),
                **self._links(note.event_ids if is_linked else ()),
            }

    def _item(self, note: Note) -> str:
        # No item of an event: no source tells a note.
        return f"{self._key} note {self.notes[note]}"

    def _value(self, row: Mapping[Any, Any], value: str, kind: str) -> Value:
        if is_missing(row[value]):
            return Value("empty" if row[kind] == "empty" else "not told", is_told=False)
        text = str(row[value])
        name = self._values.get((row["field_id"], text), text)
        if row[kind] == "user_arn":
            name = self._people.get(text, name)
        if name == text and text.startswith("arn:"):
            name = tail(text)
        return Value(name, "" if name == text else text)

    def _facts(self) -> Iterator[dict[str, Any]]:
        events, changes, links = self._events, self._changes, self._links

        def fact(name: str, label: str, text: Any, event_ids: Iterable[str]) -> Any:
            text = text if isinstance(text, Value) else Value(str(text))
            text = text._replace(text=shortened(text.text, 80))
            return {"name": name, "label": label, "value": text, **links(event_ids)}

        for field_id, label, length, nobody, no_length in _HELD:
            for row in self._now[self._now["field_id"] == field_id].to_dict("records"):
                value = self._value(row, "value", "kind")
                since = [] if is_missing(row["event_id"]) else [row["event_id"]]
                if not value.is_told:
                    value, length = Value(nobody, is_told=False), no_length
                yield fact(field_id, label, value, since)
                if since:
                    yield fact(
                        f"{field_id} for", length, hours_text(row["hours"]), since
                    )
        first, last = events["performed_at"].min(), events["performed_at"].max()
        ids = events["event_id"].to_numpy()
        whole = (events["event_type"] == "Case.Created").any()
        yield fact(
            "first", "Created" if whole else "Known since", time_text(first), ids[:1]
        )
        yield fact("last", "Last event", time_text(last), ids[-1:])
        age = hours_text((self._as_of - first).total_seconds() / 3600)
        yield fact("age", "Age when it was read", age, ids[:1])
        yield fact("events", "Events", f"{len(events):,}", ids)
        changing = changes["event_id"].unique()
        yield fact("changes", "Field changes", f"{len(changes):,}", changing)
        by_agents = events[events["actor_kind"] == "agent"]
        n_agents = f"{by_agents['actor'].nunique():,}"
        yield fact("agents", "Agents at work", n_agents, by_agents["event_id"])
        share = f"{work_percents(events).get('human', 0)}%"
        yield fact("share", "Events by agents", share, by_agents["event_id"])

    def _told_findings(self) -> Iterator[dict[str, Any]]:
        for row in self._found:
            ids = [] if is_missing(row["event_ids"]) else row["event_ids"].split(" ")
            field = "" if is_missing(row["field_id"]) else row["field_id"]
            yield {
                "rule": row["rule"].replace("_", " "),
                "stands": f"{row['severity']}, {row['verdict'].replace('_', ' ')}",
                "severity": row["severity"],
                "field": self._fields.get(field, field),
                "message": called(row["message"], self._people),
                **self._links(ids),
            }

    def _who(self, row: Mapping[Any, Any]) -> Value:
        actor, kind = row["actor"], row["actor_kind"]
        hint = "" if is_missing(actor) else str(actor)
        return Value(doer(actor, kind, self._people), hint)

    def _told_changes(self) -> Iterator[dict[str, Any]]:
        for row in self._changes.to_dict("records"):
            yield {
                "event_id": row["event_id"],
                "slot": row["slot"],
                "place": self._links.places[row["event_id"]],
                "number": row["sequence"],
                "at": time_text(row["performed_at"]),
                "who": self._who(row),
                "field": self._fields[row["field_id"]],
                "old": self._value(row, "old", "old_kind"),
                "new": self._value(row, "new", "new_kind"),
            }

    def _told_events(self) -> Iterator[dict[str, Any]]:
        for row in self._events.to_dict("records"):
            yield {
                "event_id": row["event_id"],
                "place": self._links.places[row["event_id"]],
                "number": row["sequence"],
                "at": time_text(row["performed_at"]),
                "who": self._who(row),
                "did": deed(row["event_type"], row["related_item_type"]),
                "actor": "–" if is_missing(row["actor"]) else row["actor"],
            }


# A field, what its value and its length are called, and both where it holds none.
_HELD = (
    ("status", "Status", "In this status for", "not told", "Not told for"),
    ("assigned_user", "Held by", "Held for", "nobody", "Held by nobody for"),
)


def _evidence(history: History[Any], key: str, names: Names) -> dict[str, Any]:
    asked = {
        "operation": "connectcases:GetCaseAuditEvents, every page of every case",
        "content_sha256": content_sha256(history),
    }
    summary = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in (asked | history.certificate.summary()).items()
    }
    return {"key": key, "summary": summary, "names": [*each_name(names)]}


def content_sha256(history: History[Any]) -> str:
    """Return one hash over what the events and changes of a history say."""
    digest = hashlib.sha256()
    for frame, table in ((history.events, EVENTS), (history.changes, CHANGES)):
        text = frame[table.names].to_csv(index=False, lineterminator="\n")
        digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def time_text(moment: dt.datetime) -> str:
    """Return a moment in UTC as a page tells it."""
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]
