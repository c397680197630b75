"""Event logs for process mining (pm4py's column names, XES, OCEL 2.0), and Excel.

The writers are our own: pm4py is not needed to write what it reads.
"""

from __future__ import annotations

import io
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

import pandas as pd

from casesnb.tables.arguments import need_history, need_pandas
from casesnb.tables.schema import TEXT_TYPE
from casesnb.tables.spreadsheet import to_excel as to_excel  # noqa: PLC0414 - told on
from casesnb.tables.values import utc_texts
from casesnb.wire.whole_file import whole_file

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from casesnb.tables.history import History

__all__ = [
    "to_excel",
    "to_ocel",
    "to_pm4py",
    "to_xes",
]


def __dir__() -> list[str]:
    return __all__


_COLUMNS = {
    "case_id": "case:concept:name",
    "performed_at": "time:timestamp",
    "actor": "org:resource",
}
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_NAME = re.compile(r"[^\w.-]", re.ASCII)  # fewer than XML allows, as pm4py reads it
_XES_TYPES = {"double": "float", "boolean": "boolean"}
_EPOCH = "1970-01-01T00:00:00.000000Z"  # OCEL's time of what holds from the start


def to_pm4py(frame: pd.DataFrame, *, activity: str | None = None) -> pd.DataFrame:
    """One row per row of `frame`, under the names that pm4py expects.

    Parameters
    ----------
    frame : DataFrame
        ``schema.EVENTS`` or ``schema.CHANGES``.
    activity : str, optional
        The column that says what happened; ``field_id`` for changes and
        ``event_type`` for events otherwise.

    Returns
    -------
    DataFrame
        The frame's columns, in order, with ``case:concept:name``,
        ``time:timestamp`` and ``org:resource`` in place of ``case_id``,
        ``performed_at`` and ``actor``, and ``concept:name`` added: the activity.
        Case, actor and activity are text.

    Raises
    ------
    KeyError
        If a column is missing.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> history = cn.load_history(cn.connect(world), *world.showcase)
    >>> log = to_pm4py(history.events)
    >>> log.loc[0, "concept:name"]
    'Case.Created'
    """
    need_pandas(frame)
    if activity is None:
        activity = "field_id" if "field_id" in frame else "event_type"
    lacks = [name for name in (*_COLUMNS, activity) if name not in frame]
    if lacks:
        raise KeyError(f"The frame has no column {lacks[0]!r}. Give events or changes.")
    out = frame.rename(columns=_COLUMNS)
    # pm4py takes no categories for these.
    texts = ["case:concept:name", "org:resource"]
    out[texts] = out[texts].astype(TEXT_TYPE)
    out["concept:name"] = frame[activity].astype(TEXT_TYPE)
    return out


def to_xes(history: History[Any], path: str | os.PathLike[str]) -> None:
    r"""Write a History as XES: a trace per case, an event per audit event.

    Parameters
    ----------
    history : History
        What to write.
    path : path
        The file, such as ``cases.xes``. An event has its type as
        ``concept:name``, its actor as ``org:resource``, its ids, and each of its
        fields' values after under ``new:`` and before under ``old:`` the field's
        id, numbers and booleans as such. What XML cannot hold is written as its
        escape, such as ``\\x00``; in a name, as ``_x0020_``.

    See Also
    --------
    to_ocel : The same as OCEL 2.0, which knows more than one kind of object.
    """
    need_history(history)
    with whole_file(Path(path).expanduser()) as file:
        out = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
        out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
        out.write('<log xes.version="1849.2016" xes.features="">\n')
        for name, prefix in (
            ("Concept", "concept"),
            ("Time", "time"),
            ("Organizational", "org"),
        ):
            uri = f"http://www.xes-standard.org/{prefix}.xesext"
            out.write(f'<extension name="{name}" prefix="{prefix}" uri="{uri}"/>\n')
        out.write(_xml("string", "casesnb:certificate", str(history.certificate)))
        changes = _by_event(history)
        for case_id, events in _cases(history):
            out.write(f"<trace>\n{_xml('string', 'concept:name', case_id)}")
            for event in events:
                out.write("<event>\n")
                out.writelines(_xes_event(event, changes))
                out.write("</event>\n")
            out.write("</trace>\n")
        out.write("</log>\n")
        out.detach()


def to_ocel(history: History[Any], path: str | os.PathLike[str]) -> None:
    """Write a History as OCEL 2.0: events of cases and of those who acted.

    Parameters
    ----------
    history : History
        What to write.
    path : path
        The file: SQLite where its name ends in ``.sqlite``, JSON otherwise. Cases
        and actors are objects; a case's attributes are its fields with every
        value they had, an empty value as blank text.

    See Also
    --------
    to_xes : The same as XES.
    """
    need_history(history)
    log = _ocel(history)
    target = Path(path).expanduser()
    is_sqlite = target.suffix == ".sqlite"
    made = _sqlite(log) if is_sqlite else json.dumps(log, ensure_ascii=False).encode()
    with whole_file(target) as file:
        file.write(made)


# ----------------------------------------------------------------------- the parts


def _records(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield rows as plain dicts: missing as None, times as ISO 8601 text."""
    columns = []
    for name in frame.columns:
        values = frame[name]
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            values = utc_texts(values)
        plain = values.astype(object)
        columns.append(plain.where(plain.notna(), None))
    for row in zip(*columns, strict=True):
        yield dict(zip(frame.columns, row, strict=True))


def _cases(history: History[Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    cases: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for event in _records(history.events):
        cases.setdefault((event["domain_id"], event["case_id"]), []).append(event)
    for (_, case_id), events in cases.items():
        yield case_id, events


def _by_event(history: History[Any]) -> dict[Any, list[dict[str, Any]]]:
    changes: dict[Any, list[dict[str, Any]]] = {}
    for change in _records(history.changes):
        changes.setdefault(_event_of(change), []).append(change)
    return changes


def _event_of(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["domain_id"], row["case_id"], row["event_id"]


def _xes_event(
    event: Mapping[str, Any], changes: Mapping[Any, list[dict[str, Any]]]
) -> Iterator[str]:
    yield _xml("string", "concept:name", event["event_type"])
    yield _xml("date", "time:timestamp", event["performed_at"].replace("Z", "+00:00"))
    if event["actor"] is not None:
        yield _xml("string", "org:resource", event["actor"])
    for name in ("event_id", "actor_kind", "related_item_type", "merge_event_id"):
        if event[name] is not None:
            yield _xml("string", name, event[name])
    yield _xml("int", "sequence", event["sequence"])
    used: set[str] = set()
    for change in changes.get(_event_of(event), ()):
        for side in ("new", "old"):
            kind = change[f"{side}_kind"]
            if kind is None:
                continue
            key = f"{side}:{_xml_name(change['field_id'])}"
            if key in used:  # the same field twice in one event
                key = f"{key}.{change['slot']}"
            used.add(key)
            yield _xml(_XES_TYPES.get(kind, "string"), key, change[side] or "")


def _xml_name(text: str) -> str:
    """Return a text as part of a name of XML, what cannot be in one as its number."""
    return _NOT_NAME.sub(lambda found: f"_x{ord(found[0]):04X}_", text)


def _xml(kind: str, key: str, value: object) -> str:
    return f"<{kind} key={_quoted(key)} value={_quoted(str(value))}/>\n"


def _quoted(text: str) -> str:
    text = _NOT_XML.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return quoteattr(text, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _ocel(history: History[Any]) -> dict[str, Any]:
    """Return the log as OCEL 2.0's JSON."""
    objects: dict[tuple[str, str], dict[str, Any]] = {}

    def thing(kind: str, name: str) -> str:
        if (kind, name) not in objects:
            objects[kind, name] = {
                "id": f"{kind}:{name}",
                "type": kind,
                "attributes": [],
                "relationships": [],
            }
        return str(objects[kind, name]["id"])

    is_of_many = len(history.events["domain_id"].unique()) > 1

    def case_of(row: Mapping[str, Any], column: str = "case_id") -> str:
        return f"{row['domain_id']}/{row[column]}" if is_of_many else str(row[column])

    events = []
    for event in _records(history.events):
        related = {thing("case", case_of(event)): "case"}
        for role in ("primary", "secondary"):
            if event[f"{role}_case_id"] is not None:
                related[thing("case", case_of(event, f"{role}_case_id"))] = role
        if event["actor"] is not None:
            related[thing("actor", event["actor"])] = "actor"
        events.append(
            {
                "id": f"{case_of(event)}/{event['event_id']}",
                "type": event["event_type"],
                "time": event["performed_at"],
                "attributes": [
                    {"name": name, "value": str(event[name])}
                    for name in _EVENT_ATTRIBUTES
                    if event[name] is not None
                ],
                "relationships": [
                    {"objectId": object_id, "qualifier": qualifier}
                    for object_id, qualifier in related.items()
                ],
            }
        )
    fields: dict[str, None] = {}
    for change in _records(history.changes):
        if change["new_kind"] is not None:
            fields.setdefault(change["field_id"])
            thing("case", case_of(change))  # its events may have been filtered out
            objects["case", case_of(change)]["attributes"].append(
                {
                    "name": change["field_id"],
                    "time": change["performed_at"],
                    "value": change["new"] or "",
                }
            )
    kinds = dict(
        zip(history.events["actor"], history.events["actor_kind"], strict=True)
    )
    for (kind, name), entry in objects.items():
        if kind == "actor":
            entry["attributes"].append(
                {"name": "actor_kind", "time": _EPOCH, "value": str(kinds[name])}
            )
    return {
        "objectTypes": [
            {"name": "case", "attributes": _texts(fields)},
            {"name": "actor", "attributes": _texts(["actor_kind"])},
        ],
        "eventTypes": [
            {"name": name, "attributes": _texts(_EVENT_ATTRIBUTES)}
            for name in dict.fromkeys(event["type"] for event in events)
        ],
        "objects": list(objects.values()),
        "events": events,
    }


_EVENT_ATTRIBUTES = ("actor_kind", "related_item_type", "merge_event_id", "sequence")


def _texts(names: Iterable[str]) -> list[dict[str, str]]:
    return [{"name": name, "type": "string"} for name in names]


def _sqlite(log: Mapping[str, Any]) -> bytes:
    """Return OCEL 2.0's relational form: shared tables, and one for each type."""
    with closing(sqlite3.connect(":memory:")) as db:
        for what in ("event", "object"):
            db.execute(
                f"CREATE TABLE {what} (ocel_id TEXT PRIMARY KEY, ocel_type TEXT)"
            )
            db.execute(
                f"CREATE TABLE {what}_map_type "
                "(ocel_type TEXT PRIMARY KEY, ocel_type_map TEXT)"
            )
        db.execute(
            "CREATE TABLE event_object (ocel_event_id TEXT, ocel_object_id TEXT, "
            "ocel_qualifier TEXT)"
        )
        db.execute(
            "CREATE TABLE object_object (ocel_source_id TEXT, ocel_target_id TEXT, "
            "ocel_qualifier TEXT)"
        )
        for what in ("event", "object"):
            _write_types(db, what, log[f"{what}Types"], log[f"{what}s"])
        db.executemany(
            "INSERT INTO event_object VALUES (?, ?, ?)",
            (
                (event["id"], to["objectId"], to["qualifier"])
                for event in log["events"]
                for to in event["relationships"]
            ),
        )
        db.commit()
        return db.serialize()


def _write_types(
    db: sqlite3.Connection,
    what: str,
    types: Iterable[Mapping[str, Any]],
    entries: Sequence[Mapping[str, Any]],
) -> None:
    tables = _unlike([each["name"] for each in types])
    fixed = ["ocel_id", "ocel_time", *(["ocel_changed_field"] * (what == "object"))]
    for each in types:
        kind, table = each["name"], tables[each["name"]]
        columns = _unlike([attribute["name"] for attribute in each["attributes"]])
        named = ", ".join(f"{_name(c)} TEXT" for c in [*fixed, *columns.values()])
        db.execute(f"CREATE TABLE {_name(f'{what}_{table}')} ({named})")
        db.execute(f"INSERT INTO {what}_map_type VALUES (?, ?)", (kind, table))  # noqa: S608
        mine = [entry for entry in entries if entry["type"] == kind]
        db.executemany(
            f"INSERT INTO {what} VALUES (?, ?)",  # noqa: S608
            ((entry["id"], kind) for entry in mine),
        )
        marks = ", ".join("?" * (len(fixed) + len(columns)))
        rows = _event_row if what == "event" else _object_rows
        db.executemany(
            f"INSERT INTO {_name(f'{what}_{table}')} VALUES ({marks})",  # noqa: S608
            (row for entry in mine for row in rows(entry, columns)),
        )


def _event_row(
    event: Mapping[str, Any], columns: Mapping[str, str]
) -> Iterator[list[str | None]]:
    values = {each["name"]: each["value"] for each in event["attributes"]}
    yield [event["id"], event["time"], *(values.get(name) for name in columns)]


def _object_rows(
    thing: Mapping[str, Any], columns: Mapping[str, str]
) -> Iterator[list[str | None]]:
    first = {a["name"]: a["value"] for a in thing["attributes"] if a["time"] == _EPOCH}
    yield [thing["id"], _EPOCH, None, *(first.get(name) for name in columns)]
    for each in thing["attributes"]:
        if each["time"] != _EPOCH:
            values = (each["value"] if n == each["name"] else None for n in columns)
            yield [thing["id"], each["time"], columns[each["name"]], *values]


def _unlike(names: Iterable[str]) -> dict[str, str]:
    """Return a name for each that SQLite and pm4py take, no two alike."""
    taken: set[str] = {"ocel_id", "ocel_time", "ocel_changed_field"}
    made = {}
    for name in names:
        plain = trial = re.sub(r"\W+", "_", name, flags=re.ASCII) or "_"
        number = 1
        while trial.lower() in taken:  # SQLite tells no case apart
            number += 1
            trial = f"{plain}_{number}"
        taken.add(trial.lower())
        made[name] = trial
    return made


def _name(text: str) -> str:
    return f'"{text}"'  # of word characters only: see _unlike
