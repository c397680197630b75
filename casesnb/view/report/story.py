"""A case in plain words: who changed what, when, and where that left it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from casesnb.analysis.spells import spells
from casesnb.analysis.why import why as reasons
from casesnb.tables.arguments import need_history
from casesnb.tables.field_chain import field_ids_of
from casesnb.tables.frames import as_of_of
from casesnb.tables.notes import notes_of
from casesnb.view.plots.lanes import is_of_item
from casesnb.view.text import shortened, visible
from casesnb.view.wording import (
    KIND_LABELS,
    actor_names,
    counted,
    day_text,
    field_names,
    hours_text,
    is_missing,
    tail,
    value_name,
    value_names,
    work_percents,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from casesnb.tables.history import History
    from casesnb.tables.notes import Note


VERBS = {
    "Case.Created": "created the case",
    "Case.Updated": "changed",
    "Case.Merged": "merged the case",
    "RelatedItem.Created": "added",
    "RelatedItem.Updated": "changed",
    "RelatedItem.Deleted": "deleted",
}
"""What each type of event is called after the name of who did it."""

ITEMS = {"Sla": "an SLA", "ConnectCase": "a linked case", "Custom": "a custom item"}
"""What related items are called; any other by its own name in small letters."""

MOST = 200
"""The most events of a case that are told."""

_WIDTH = 72  # characters of a value
_NAME = 24  # characters of a field's name
_LINE = 400  # characters of a note


class Changed(NamedTuple):
    """A field that an event changed, in words."""

    field: str
    old: str  # nothing where AWS told no value before
    new: str


class Deed(NamedTuple):
    """An event in words."""

    at: dt.datetime
    words: str  # who did what
    is_order_known: bool
    changed: Sequence[Changed]
    notes: Sequence[Note]  # on this event


class Held(NamedTuple):
    """What a field holds at the end, in words."""

    field: str
    value: str
    since: str


class Told(NamedTuple):
    """A case in words."""

    heading: Sequence[str]
    deeds: Sequence[Deed]
    n_first: int  # of the deeds, before those that are not told
    n_left_out: int
    held: Sequence[Held]
    notes: Sequence[Note]  # on the case or on a span of time


def story(
    history: History[Any],
    *,
    most: int = MOST,
    why: str | None = None,
    notes: Iterable[Note] = (),
) -> str:
    """Tell a case as plain text: who changed what, when, and how it stands now.

    Parameters
    ----------
    history : History
        One case or several; each is told for itself. Names are used where
        `with_names` added them to its frames.
    most : int, default 200
        The most events to tell of a case; its first and last where it has more.
    why : str, optional
        A field, such as ``"status"``: also tell why it changed last, as `why`
        does, of the cases in which it did.
    notes : Notes or iterable of Note, optional
        Notes to tell, each where it belongs.

    Returns
    -------
    str
        Lines of text in UTC: what it is about, what happened, where it stands,
        and what was loaded. Text of the case is on one line and visible.

    Raises
    ------
    TypeError
        If `history` is no whole history.
    ValueError
        If `most` is less than 1, or no change is of the field that `why` names.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> history = cn.load_history(cn.connect(world), *world.showcase)
    >>> print(cn.story(history).splitlines()[-1])
    complete · no contradiction in its content (...)
    """
    need_history(history)
    history = history.to_pandas()
    if why is not None:
        (why,) = field_ids_of(history, [why])
    if most < 1:
        raise ValueError(f"most={most} tells nothing. Give 1 or more.")
    loaded = ["What was loaded", "  " + visible(str(history.certificate))]
    for row in history.unloaded.to_dict("records"):
        said = shortened(f"{row['error']}: {row['message']}", 120)
        loaded.append(f"  not loaded: case {shortened(row['case_id'], 60)} ({said})")
    as_of, notes = as_of_of(history, None), [*notes]
    cases = [
        "\n".join(
            [
                *_lines(
                    told(events, changes, held_now(changes, as_of), notes, most), as_of
                ),
                *_why(events, changes, why),
            ]
        )
        for events, changes in cases_of(history)
    ]
    if not cases:
        cases = ["No event in this history."]
    return "\n\n".join([*cases, "\n".join(loaded)])


def _why(
    events: pd.DataFrame, changes: pd.DataFrame, field_id: str | None
) -> Iterator[str]:
    """Yield lines on why a field changed last, if it did."""
    is_own = ~is_of_item(changes)
    if field_id is None or not (is_own & (changes["field_id"] == field_id)).any():
        return
    yield ""
    yield f"Why {visible(field_id)} changed last"
    for row in reasons(changes, field_id, events=events).to_dict("records"):
        yield f"  {row['at']:%Y-%m-%d %H:%M:%S}  {shortened(row['message'], 160)}"


def cases_of(history: History[Any]) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Yield each case's events and changes, in the order of the history."""
    changes = dict(_by_case(history.changes, "sequence", "slot"))
    none = history.changes.iloc[:0]
    for case, events in _by_case(history.events, "sequence"):
        yield events, changes.get(case, none)


def _by_case(rows: pd.DataFrame, *order: str) -> Iterator[tuple[Any, pd.DataFrame]]:
    """Yield each case's rows in order, the cases as they come."""
    key = ["domain_id", "case_id"]
    for case, found in rows.groupby(key, observed=True, sort=False):
        yield case, found.iloc[np.lexsort([found[name] for name in reversed(order)])]


def doer(actor: Any, kind: Any, names: Mapping[str, str]) -> str:
    """Return who acted, with their kind where it is no agent."""
    if is_missing(actor):
        return "somebody not named"
    name = shortened(names.get(actor) or tail(str(actor)), 60)
    if kind == "agent":
        return f"agent {name}" if name.endswith("…") else name  # an id, not a name
    return f"{name} ({KIND_LABELS.get(kind, kind)})"


def deed(event_type: Any, item: Any) -> str:
    """Return what an event did, as words after a name."""
    verb = VERBS.get(event_type)
    if verb is None:
        verb = f"did {shortened(str(event_type), 40)}"
    if is_missing(item):
        return verb
    what = shortened(str(item), 40)
    return f"{verb} {ITEMS.get(what) or 'a ' + what.lower()}".strip()


def told(
    events: pd.DataFrame,
    changes: pd.DataFrame,
    now: pd.DataFrame,
    notes: Iterable[Note] = (),
    most: int = MOST,
) -> Told:
    """Return a case in words, with what `held_now` gives."""
    own = notes_of(notes, [tuple(events[["domain_id", "case_id"]].iloc[0])])
    now = now.sort_values("field_id", key=_first_things_first)
    fields, values = field_names(changes), value_names(changes)
    names = actor_names(changes) | actor_names(events)
    kinds = dict(
        zip(
            events["actor"].astype(object),
            events["actor_kind"].astype(object),
            strict=True,
        )
    )
    held = []
    for row in now.to_dict("records"):
        since = "since before the history"
        if not is_missing(row["start_at"]):
            who = doer(row["actor"], kinds.get(row["actor"]), names)
            since = f"since {row['start_at']:%Y-%m-%d %H:%M}, by {who}"
        value = _value(row["kind"], row["value"], row["field_id"], values)
        held.append(Held(fields[row["field_id"]], value, since))
    n_left_out = max(len(events) - most, 0)
    n_first = most - most // 2 if n_left_out else len(events)
    kept = events.iloc[[*range(n_first), *range(n_first + n_left_out, len(events))]]
    details: dict[str, list[Changed]] = {}
    about = changes[changes["event_id"].isin(kept["event_id"])]
    for row in about.to_dict("records"):
        field_id, old = row["field_id"], ""
        if not is_missing(row["old_kind"]):
            old = _value(row["old_kind"], row["old"], field_id, values)
        new = _value(row["new_kind"], row["new"], field_id, values)
        changed = Changed(fields[field_id], old, new)
        details.setdefault(row["event_id"], []).append(changed)
    deeds = [
        Deed(
            row["performed_at"],
            f"{doer(row['actor'], row['actor_kind'], names)} {_did(row)}".rstrip(),
            bool(row["is_order_known"]),
            details.get(row["event_id"], ()),
            [note for note in own if row["event_id"] in note.event_ids],
        )
        for row in kept.to_dict("records")
    ]
    heading = [*_heading(events, now, values, names)]
    told_above = {*kept["event_id"]}
    rest = [note for note in own if told_above.isdisjoint(note.event_ids)]
    return Told(heading, deeds, n_first, n_left_out, held, rest)


def about(note: Note) -> str:
    """Return what a note is on, as words, where that is no event."""
    if note.start is None or note.end is None:
        return "the case"
    return f"{note.start:%Y-%m-%d %H:%M:%S} to {note.end:%Y-%m-%d %H:%M:%S} UTC"


def written(note: Note) -> str:
    """Return who wrote a note and when."""
    return f"{shortened(note.by, 60)}, {note.written_at:%Y-%m-%d %H:%M} UTC"


def held_now(changes: pd.DataFrame, as_of: Any) -> pd.DataFrame:
    """Return what each field of a case holds at the end."""
    held = spells(changes, as_of=as_of)
    return held[held["is_open"].to_numpy(dtype=bool)]


def _heading(
    events: pd.DataFrame,
    now: pd.DataFrame,
    values: Mapping[tuple[str, str], str],
    names: Mapping[str, str],
) -> Iterator[str]:
    held = {
        row["field_id"]: _value(row["kind"], row["value"], row["field_id"], values)
        for row in now.to_dict("records")
    }
    case_id = shortened(str(events["case_id"].iloc[0]), 80)
    yield f"Case {case_id}"
    if "title" in held:
        yield held["title"]
    first, last = events["performed_at"].min(), events["performed_at"].max()
    whole = bool((events["event_type"] == "Case.Created").any())
    facts = [
        f"{'Created' if whole else 'Known since'} {first:%Y-%m-%d %H:%M} UTC",
        f"last event {last:%Y-%m-%d %H:%M}",
    ]
    if "status" in held:
        facts.append(f"now {held['status']}")
    if "assigned_user" in held:
        user = now.loc[now["field_id"] == "assigned_user", "value"].iloc[0]
        holder = held["assigned_user"]
        if not is_missing(user):
            holder = shortened(names.get(user, holder), 60)
        facts.append(f"held by {holder}")
    people = events.loc[events["actor_kind"] == "agent", "actor"].nunique()
    share = work_percents(events).get("human", 0)
    yield "; ".join(facts) + "."
    yield (
        f"{counted(len(events), 'event')} in "
        f"{hours_text((last - first).total_seconds() / 3600)}, "
        f"{counted(people, 'agent')} at work, {share}% of the events by agents."
    )
    if not whole:
        yield "Its creation is not in this history: what was before is not known."


def _did(event: Mapping[Any, Any]) -> str:
    """Return what an event did, with which other case it was merged."""
    did = deed(event["event_type"], event["related_item_type"])
    if is_missing(event["merge_event_id"]):
        return did
    other = [
        shortened(str(case), 60)
        for case in (event["primary_case_id"], event["secondary_case_id"])
        if case != event["case_id"] and not is_missing(case)
    ]
    return f"{did} [merge{' with case ' * bool(other)}{', '.join(other)}]".strip()


def _lines(case: Told, as_of: Any) -> Iterator[str]:
    """Yield a case as lines of text."""
    yield from case.heading
    width = _width(change.field for each in case.deeds for change in each.changed)
    day = ""
    for number, each in enumerate(case.deeds):
        if case.n_left_out and number == case.n_first:
            yield f"\n{_left_out(case)}"
            day = ""
        if day_text(each.at) != day:
            day = day_text(each.at)
            yield ""
            yield day
        unsure = "" if each.is_order_known else "  (order not known)"
        yield f"  {each.at:%H:%M:%S}  {each.words}{unsure}"
        for field, old, new in each.changed:
            was = f"{old} → " if old else ""
            yield f"            {shortened(field, width):{width}}  {was}{new}"
        for note in each.notes:
            yield f"            Note by {written(note)}: {shortened(note.text, _LINE)}"
    if case.n_left_out and case.n_first == len(case.deeds):
        yield f"\n{_left_out(case)}"
    if case.notes:
        yield ""
        yield "Notes"
        for note in case.notes:
            on = "other events" if note.event_ids else about(note)
            yield f"  On {on}, by {written(note)}: {shortened(note.text, _LINE)}"
    if case.held:
        yield ""
        yield f"Where it stands, {as_of:%Y-%m-%d %H:%M} UTC"
        for field, value, since in case.held:
            yield f"  {shortened(field, width):{width}}  {value}  [{since}]"


def _left_out(case: Told) -> str:
    return f"  … {counted(case.n_left_out, 'event')} not told here …"


def _width(names: Iterable[str]) -> int:
    return min(max(map(len, names), default=0), _NAME)


def _value(
    kind: Any, value: Any, field_id: str, values: Mapping[tuple[str, str], str]
) -> str:
    if not is_missing(value):
        text = value_name(values, field_id, value)
        return shortened(text, _WIDTH) if text else "“”"
    return "(empty)" if kind == "empty" else "(not told)"


def _first_things_first(fields: pd.Series[Any]) -> pd.Series[Any]:
    first: Sequence[str] = ("status", "assigned_user", "assigned_queue", "title")
    place = {name: f"{i:02}" for i, name in enumerate(first)}
    return fields.map(lambda name: place.get(name, f"~{name}"))
