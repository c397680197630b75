"""Making a report again from its source, and saying item by item what came of it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import Counter
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from casesnb.tables.certificate import Certificate
from casesnb.tables.history import History, concat, recounted
from casesnb.tables.load_history import load_histories
from casesnb.tables.schema import CAPTURES
from casesnb.view.report.write import FORMAT, report_html
from casesnb.view.text import shortened
from casesnb.wire.client import connect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from casesnb.wire.client import Client

REPRODUCED = "reproduced"
DIFFERS = "differs"
CHANGED = "data changed since"

_REST = "the rest of the page"
_NEW = "events that came since"
# What tells how it was asked and loaded, not what: another load has its own.
_OF_THE_ASKING = (
    "n_retries",
    "n_throttles",
    "fetched_at",
    "source",
    "start_at",
    "end_at",
)
_OF_THE_LOAD = ("n_pages", "n_tokens", "order_seen", "sha256", "reached_end")
_OF_THE_PAGES = ("n_nulls", "n_duplicates", "n_conflicts", "unknowns")
_VOID = {"img", "meta", "br", "hr", "input", "link"}


@dataclass(frozen=True, slots=True)
class Check:
    """What came of one item of a report.

    Parameters
    ----------
    item : str
        Its name in the file.
    verdict : str
        ``reproduced``, ``differs`` or ``data changed since``.
    reported : str
        What the report says.
    recomputed : str
        What the source gives now.
    event_ids : tuple of str
        The events that it rests on and that are not as reported.
    """

    item: str
    verdict: str
    reported: str
    recomputed: str
    event_ids: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it in one line."""
        if self.verdict == REPRODUCED:
            return f"{self.verdict}: {self.item}"
        events = f" [events {', '.join(self.event_ids)}]" if self.event_ids else ""
        said, given = _around_the_difference(self.reported, self.recomputed)
        return (
            f"{self.verdict}: {self.item}: the report says “{said}”, the source "
            f"“{given}”{shortened(events, 160)}"
        )


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of a whole report.

    Parameters
    ----------
    checks : tuple of Check
        One for each item, in the order of the page.
    """

    checks: tuple[Check, ...]

    @property
    def is_reproduced(self) -> bool:
        """Whether every item was reproduced."""
        return all(check.verdict == REPRODUCED for check in self.checks)

    @property
    def has_differences(self) -> bool:
        """Whether an item is not what its own data give."""
        return any(check.verdict == DIFFERS for check in self.checks)

    def __str__(self) -> str:
        """Say what was not reproduced, then how much was."""
        said = [str(check) for check in self.checks if check.verdict != REPRODUCED]
        counts = Counter(check.verdict for check in self.checks)
        total = ", ".join(
            f"{counts[verdict]:,} {verdict}"
            for verdict in (REPRODUCED, DIFFERS, CHANGED)
            if counts[verdict]
        )
        return "\n".join([*said, f"{len(self.checks):,} items: {total}"])


def verify_report(path: str | Path, against: Any = None) -> Verification:
    """Make a report again from its source, and compare it item by item.

    An item is reproduced, differs from what its data give, or its data changed
    since: events came after the report was written, without which it is right.

    Parameters
    ----------
    path : str or Path
        A file that `write_report` wrote.
    against : object, optional
        A boto3 ``connectcases`` client, or what `connect` takes: a folder of
        recordings, a responder; the live service otherwise.

    Returns
    -------
    Verification
        One check for each item; ``print`` shows what was not reproduced.

    Raises
    ------
    ValueError
        If the file is not a report that this casesnb can read.
    botocore.exceptions.ClientError
        Whatever the service answers instead of a history.
    """
    # What is no UTF-8 is no item of ours: it differs, or there is no manifest.
    page = _read(Path(path).expanduser().read_text("utf-8", "replace"))
    manifest = _manifest_of(page, path)
    client: Client = (
        against if hasattr(against, "get_case_audit_events") else connect(against)
    )
    now = [_loaded(client, told) for told in manifest["histories"]]
    before = [
        _as_reported(history, told)
        for history, told in zip(now, manifest["histories"], strict=True)
    ]
    then = _again(before, manifest["title"])
    later = [
        History(
            history.events,
            history.changes,
            replace(
                old.certificate,
                captures=_as_said(
                    history.certificate.captures, old.certificate.captures, False
                ),
            ),
        )
        for history, old in zip(now, before, strict=True)
    ]
    new = [*_ids(later) - _ids(before)]
    full = _again(later, manifest["title"]) if new else then
    suspects = _suspects(page, then, manifest["histories"])
    checks = [
        _compare(item, page, then, full, suspects)
        for item in dict.fromkeys([*page.items, *then.items])
    ]
    if new:
        checks.append(Check(_NEW, CHANGED, "none", f"{len(new):,}", tuple(sorted(new))))
    return Verification(tuple(checks))


def _around_the_difference(first: str, second: str) -> list[str]:
    """Return both texts, short, from a little before where they part."""
    pairs = enumerate(zip(first, second, strict=False))
    part = next((i for i, (a, b) in pairs if a != b), min(len(first), len(second)))
    start = max(part - 24, 0) if max(len(first), len(second)) > 80 else 0
    lead = "…" if start else ""
    return [lead + shortened(text[start:], 80) for text in (first, second)]


# ---------------------------------------------------------------- both versions


def _manifest_of(page: _Page, path: str | Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(page.manifest)
        if manifest["format"] != FORMAT:
            raise ValueError(f"format {manifest['format']}")
        for told in manifest["histories"]:
            Certificate.from_dict(told["certificate"])
            dict(told["events"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is not a report that this casesnb can read ({error}). Give a file "
            "of cn.write_report, and the casesnb that wrote it."
        ) from None
    return manifest


def _loaded(client: Client, told: Mapping[str, Any]) -> History[Any]:
    asked: dict[str, list[str]] = {}
    for row in (*told["certificate"]["captures"], *told["certificate"]["unloaded"]):
        asked.setdefault(row["domain_id"], []).append(row["case_id"])
    history = concat(
        load_histories(client, domain_id, case_ids, errors="collect")
        for domain_id, case_ids in asked.items()
    )
    return replace(
        history,
        events=_named(history.events, told),
        changes=_named(history.changes, told),
    )


def _named(frame: pd.DataFrame, told: Mapping[str, Any]) -> pd.DataFrame:
    """Return the frame with the names that the report was made with."""
    added: dict[str, Any] = {}
    if told["actors"] is not None:
        added["actor_name"] = frame["actor"].astype(object).map(told["actors"])
    if told["fields"] is not None and "field_id" in frame:
        added["field"] = frame["field_id"].astype(object).map(told["fields"])
    if told["values"] and "field_id" in frame:
        called = {(field_id, value): label for field_id, value, label in told["values"]}
        for value in ("old", "new"):
            keys = zip(frame["field_id"], frame[value], strict=True)
            added[f"{value}_label"] = [called.get(key) for key in keys]
    return frame.assign(**added)


def _as_reported(now: History[Any], told: Mapping[str, Any]) -> History[Any]:
    """Return what was loaded, less the events that the report did not have."""
    keys = {
        (case, event) for case, events in told["events"].items() for event in events
    }

    def kept(frame: pd.DataFrame) -> pd.DataFrame:
        pairs = zip(frame["case_id"], frame["event_id"], strict=True)
        there = np.array([pair in keys for pair in pairs], bool)  # of no row, too
        return frame[there].reset_index(drop=True)

    events, changes = kept(now.events), kept(now.changes)
    said = Certificate.from_dict(told["certificate"])
    captures = recounted(now.certificate.captures, events, changes)
    counts = captures["n_events"] < now.certificate.captures["n_events"]
    captures = _as_said(captures, said.captures, counts)
    certificate = replace(said, captures=captures, unloaded=now.unloaded)
    return History(events, changes, certificate)


def _as_said(now: pd.DataFrame, said: pd.DataFrame, came_since: Any) -> pd.DataFrame:
    """Return captures with what only the load, or only its pages, could tell."""
    # What only pages tell cannot be told again of fewer events: it is as said, and
    # changed since if the pages of today tell otherwise.
    key = ["domain_id", "case_id"]
    told = now[key].merge(said, on=key, how="left")
    known = told["sha256"].notna()
    same = known & (told["sha256"] == now["sha256"])
    captures = now.copy()
    for names, where in (
        (_OF_THE_ASKING, known),
        (_OF_THE_LOAD, known & ~same),
        (_OF_THE_PAGES, known & came_since),
    ):
        for name in names:
            captures[name] = captures[name].mask(where, told[name])
    return CAPTURES.cast(captures)


def _again(histories: Sequence[History[Any]], title: str | None) -> _Page:
    when = dt.datetime.min.replace(tzinfo=dt.UTC)  # not compared
    return _read(report_html(histories, title=title, generated_at=when))


def _ids(histories: Sequence[History[Any]]) -> set[str]:
    return {str(event) for history in histories for event in history.events["event_id"]}


# ---------------------------------------------------------------------- compared


def _compare(
    item: str,
    page: _Page,
    then: _Page,
    full: _Page,
    suspects: Mapping[str, Sequence[str]],
) -> Check:
    said, given = page.items.get(item), then.items.get(item)
    chapter = item.partition(" ")[0]
    events = tuple(suspects.get(chapter) or suspects.get(chapter.partition("e")[0], ()))
    if said != given:
        return Check(item, DIFFERS, said or "nothing", given or "nothing", events)
    later = full.items.get(item)
    if given != later:
        return Check(item, CHANGED, given or "nothing", later or "nothing")
    return Check(item, REPRODUCED, said or "", given or "")


def _suspects(
    page: _Page, then: _Page, histories: Sequence[Mapping[str, Any]]
) -> dict[str, list[str]]:
    """Return the events whose rows differ, by row and by case."""
    found: dict[str, list[str]] = {}
    for place, event_id in _places(histories):
        rows = {
            item
            for item in (*page.items, *then.items)
            if item == place or item.startswith(f"{place} ")
        }
        if any(page.items.get(row) != then.items.get(row) for row in rows):
            found[place] = [event_id]
            found.setdefault(place.partition("e")[0], []).append(event_id)
    return found


def _places(histories: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for i, told in enumerate(histories):
        for n, events in enumerate(told["events"].values()):
            for event_id in events:
                raw = event_id.encode("utf-8", "surrogatepass")
                yield f"h{i}c{n}e{hashlib.sha256(raw).hexdigest()[:10]}", event_id


class _Page(HTMLParser):
    """The items of a report, by name, and a hash of what is around them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.items: dict[str, str] = {}
        self.manifest = ""
        self._open: list[tuple[str, str | None]] = []  # tag, what its text goes to
        self._around: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element; keep an item's name, or a picture's hash."""
        named = dict(attrs)
        goal = self._open[-1][1] if self._open else _REST
        if named.get("id") == "casesnb-manifest":
            goal = "manifest"
        elif named.get("id") == "generated-at" or "data-skip" in named:
            goal = None
        elif "data-item" in named:
            goal = str(named["data-item"])
            # A second item of one name would hide what the first says.
            self.items[goal] = self.items.get(goal, "")
            if tag == "img":
                seen = json.dumps(attrs, sort_keys=True)
                self.items[goal] += hashlib.sha256(seen.encode()).hexdigest()
        elif goal == _REST:
            self._around.append(json.dumps([tag, attrs]))
        elif goal in self.items:
            self.items[goal] += " "  # a cell ends where the next begins
        if tag not in _VOID:
            self._open.append((tag, goal))

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        """Give text to the item that it stands in."""
        goal = self._open[-1][1] if self._open else _REST
        if goal == "manifest":
            self.manifest += data
        elif goal == _REST:
            self._around.append(data.strip())
        elif goal is not None:
            self.items[goal] += data

    def handle_comment(self, data: str) -> None:
        """Count a comment as part of the rest."""
        self._around.append(data)

    def close(self) -> None:
        """Finish: text compares without its white space at line ends."""
        super().close()
        text = "\n".join(self._around)
        self.items = {name: " ".join(said.split()) for name, said in self.items.items()}
        self.items[_REST] = hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(html: str) -> _Page:
    page = _Page()
    page.feed(html)
    page.close()
    return page
