"""What a report says of itself: its first and its last line, and what it is made of.

The first line promises the last one, so that a report that was cut is known as such.
"""

from __future__ import annotations

import datetime as dt
import html
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from casesnb.tables.certificate import Certificate, case_keys
from casesnb.tables.notes import Note, notes_from, notes_to
from casesnb.view.report.names import Names, names_in
from casesnb.view.text import shortened, visible

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from casesnb.tables.history import History

FORMAT = 2
"""Of the file; `verify_report` reads this one."""

TIME = "%Y-%m-%d %H:%M:%S"

_FIRST = (
    "<!DOCTYPE html><!-- casesnb {version} report, format {format}, written {at} UTC; "
    "it is whole only if it ends with the line: end of report -->\n"
)
_FIRST_READ = re.compile(
    r"<!DOCTYPE html><!-- casesnb (?P<version>[\w.+!-]{1,40}) report, "
    r"format (?P<format>\d{1,4}), written (?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC; "
    r"it is whole only if it ends with the line: end of report -->\n",
    re.ASCII,
)
_LAST = re.compile(
    rb"<!-- end of report(?:, signed by Ed25519 key ([0-9a-f]{64}): ([0-9a-f]{128}))? "
    rb"-->\n\Z"
)
_BEGINS, _ENDS = b'<pre id="manifest" data-item="manifest" hidden>', b"</pre>"
_PICTURE = re.compile(
    rb'data:image/png;base64,[A-Za-z0-9+/=]*" width="\d+" height="\d+"'
)
_NAMED = re.compile(rb'data-id="([^"]*)"')
_SHOWN = re.compile(rb'data-id="([^"]*)">([^<]*)<')


@dataclass(frozen=True, slots=True)
class Part:
    """What a report says of one of its histories."""

    certificate: Certificate
    events: Mapping[tuple[str, str], frozenset[str]]  # by case, those of no rule
    names: Names

    @property
    def captured(self) -> list[tuple[str, str]]:
        """The domain and the id of each case that was read, in their order."""
        return cases_in(self.certificate)

    @property
    def cases(self) -> list[tuple[str, str]]:
        """Those, and the cases that could not be read."""
        return [*self.captured, *case_keys(self.certificate.unloaded)]


@dataclass(frozen=True, slots=True)
class Said:
    """What a report says of itself."""

    written_at: dt.datetime
    title: str | None
    full: bool | None  # whether each case is told in full
    software: Mapping[str, str]
    parts: Sequence[Part]
    notes: Sequence[Note]
    body: bytes  # all but the last line
    signature: tuple[str, str] | None  # the public key, the signature


def cases_in(certificate: Certificate) -> list[tuple[str, str]]:
    """Return the domain and the id of each case that was read, in their order."""
    return [*case_keys(certificate.captures)]


def without_pictures(page: bytes) -> bytes:
    """Return a page whose pictures are a word each."""
    return _PICTURE.sub(b"(a picture)", page)


def first_line(version: str, written_at: dt.datetime) -> str:
    """Return what a report begins with."""
    return _FIRST.format(version=version, format=FORMAT, at=f"{written_at:{TIME}}")


def last_line(signature: tuple[str, str] | None) -> str:
    """Return what a report ends with."""
    by = (
        "" if signature is None else ", signed by Ed25519 key {}: {}".format(*signature)
    )
    return f"<!-- end of report{by} -->\n"


def manifest(
    title: str | None,
    software: Mapping[str, str],
    histories: Sequence[History[Any]],
    notes: Sequence[Note],
    *,
    full: bool | None = None,
) -> str:
    """Return what a report is made of and no event tells, as JSON."""
    told = {
        "title": title,
        "full": full,
        "software": dict(software),
        "histories": [_part(history) for history in histories],
        "notes": notes_to(notes),
    }
    return json.dumps(told)


def _part(history: History[Any]) -> dict[str, Any]:
    names = names_in(history)
    return {
        "certificate": history.certificate.to_dict(),
        "events": _by_no_rule(history),
        "people": names.people,
        "fields": names.fields,
        "values": [[*key, name] for key, name in names.options.items()],
    }


def _by_no_rule(history: History[Any]) -> list[list[Any]]:
    """Return by case the events beside those of a whole case up to its reading."""
    key = ["domain_id", "case_id"]
    events = history.events[[*key, "event_id", "performed_at"]]
    by_case = dict([*events.groupby(key, observed=True, sort=False)])
    found = []
    for row in history.certificate.captures.to_dict("records"):
        own = by_case.get((row["domain_id"], row["case_id"]), events.iloc[:0])
        if row["reached_end"]:
            own = own[own["performed_at"] > row["fetched_at"]]
        if len(own):
            found.append([row["domain_id"], row["case_id"], [*own["event_id"]]])
    return found


def said_in(page: bytes, path: str | os.PathLike[str], version: str) -> Said:
    """Read what a report says of itself, or refuse it in one sentence."""
    name = shortened(str(path), 200)
    first = _FIRST_READ.match(page[:400].decode("ascii", "replace"))
    if first is None:
        raise ValueError(
            f"{name} is not a report that this casesnb can read. Give a file that "
            "cn.write_report wrote."
        )
    if (first["version"], first["format"]) != (version, str(FORMAT)):
        raise ValueError(
            f"{name} was written by casesnb {first['version']} and this is {version}. "
            f"Only the same one makes it again: pip install casesnb=={first['version']}."
        )
    last = _LAST.search(page)
    if last is None or page[last.start() - 1 : last.start()] != b"\n":
        raise ValueError(
            f"{name} is cut: it lacks the last line that its first line promises. Ask "
            "whoever gave it to you for the whole file."
        )
    body = page[: last.start()]
    start = body.rfind(_BEGINS) + len(_BEGINS)
    text = body[start : body.find(_ENDS, start)].decode("ascii", "replace")
    try:
        written_at = dt.datetime.strptime(first["at"], TIME).replace(tzinfo=dt.UTC)
        told = json.loads(html.unescape(text))
        said = Said(
            written_at,
            None if told["title"] is None else _text(told["title"]),
            _choice(told["full"]),
            {_text(key): _text(value) for key, value in told["software"].items()},
            tuple(map(_read, told["histories"])),
            notes_from(told["notes"]),
            body,
            (last[1].decode(), last[2].decode()) if last[1] else None,
        )
        if "casesnb" not in said.software:
            raise ValueError("it does not name casesnb")
        _need_shown(said)
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise ValueError(
            f"{name} does not say readably what it was made of "
            f"({shortened(str(error), 160)}). Ask whoever gave it to you for the file "
            "as it was written."
        ) from error
    return said


def _read(told: Mapping[str, Any]) -> Part:
    certificate = Certificate.from_dict(told["certificate"])
    if (
        certificate.captures[["domain_id", "case_id", "fetched_at"]]
        .isna()
        .any(axis=None)
    ):
        raise ValueError("a capture without its case or its time")
    events = {
        (_text(domain), _text(case)): frozenset(map(_text, ids))
        for domain, case, ids in told["events"]
    }
    people, fields = (
        {_text(key): _text(name) for key, name in told[what].items()}
        for what in ("people", "fields")
    )
    values = {
        (_text(field), _text(value)): _text(name)
        for field, value, name in told["values"]
    }
    return Part(certificate, events, Names(people, fields, values))


def _need_shown(said: Said) -> None:
    """Refuse a manifest that names cases of which the page shows nothing."""
    domains = {_unescaped(each) for each in _NAMED.findall(said.body)}
    cases = {_unescaped(a) for a, b in _SHOWN.findall(said.body) if a == b}
    for part in said.parts:
        keys = part.cases
        if len({*keys}) < len(keys):
            raise ValueError("it names a case twice")
        for domain_id, case_id in keys:
            is_shown = visible(domain_id, lines=True) in domains
            if not is_shown or visible(case_id, lines=True) not in cases:
                raise ValueError(
                    "it names a case or a domain that the page does not show"
                )


def _unescaped(text: bytes) -> str:
    return html.unescape(text.decode("utf-8", "replace"))


def _choice(value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise TypeError(f"{type(value).__name__} where true, false or null is")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where a text is")
    return value
