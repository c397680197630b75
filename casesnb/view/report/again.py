"""A report's history asked for again: as it is now, and as the report could have it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np

from casesnb.tables.history import History, concat, recounted
from casesnb.tables.load_history import load_histories
from casesnb.tables.raw import iter_audit_pages
from casesnb.tables.schema import CAPTURES
from casesnb.view.wording import is_missing
from casesnb.wire.client import connect
from casesnb.wire.pages import less
from casesnb.wire.responder import Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pandas as pd

    from casesnb.view.report.manifest import Part
    from casesnb.wire.client import Client

    Key = tuple[str, str]
    Rows = Mapping[Key, Mapping[Any, Any]]

# What was so when the report asked, and is not to be asked again.
_OF_THE_ASKING = (
    "n_retries",
    "n_throttles",
    "fetched_at",
    "source",
    "boto3_version",
    "casesnb_version",
)
# What only the bytes of the pages tell: they may differ from asking to asking.
_OF_THE_PAGES = ("n_pages", "n_tokens", "order_seen", "n_duplicates", "sha256")
_OF_WHAT_CAME = (*_OF_THE_PAGES, "n_nulls", "n_conflicts", "unknowns")


@dataclass(frozen=True, slots=True)
class Again:
    """A history asked for again."""

    then: History[Any]  # what the report could have
    now: History[Any]  # that, and what came since
    came_since: tuple[str, ...]  # the ids of these events
    unread: Mapping[Key, str]  # cases that are not to be had now, and why
    unverified: frozenset[str]  # columns of captures that only the report tells


def ask_again(client: Client, part: Part) -> Again:
    """Ask for the cases of a report, and for nothing else."""
    said = _by_case(part.certificate.captures)
    now = _loaded(client, part.cases)
    late = dict(_late(now, part, said))
    then = _before(client, now, late) if late else now
    then, unverified = _as_said(then, part, said, late)
    full, of_now = _as_said(now, part, said, {})
    return Again(
        then=then,
        now=full,
        came_since=tuple(sorted(event for ids in late.values() for event in ids)),
        unread={
            key: f"{row['error']}: {row['message']}"
            for key, row in _by_case(now.unloaded).items()
        },
        unverified=frozenset({*_OF_THE_ASKING, *unverified, *of_now}),
    )


def _loaded(client: Client, cases: Iterable[Key]) -> History[Any]:
    asked: dict[str, list[str]] = {}
    for domain_id, case_id in cases:
        asked.setdefault(domain_id, []).append(case_id)
    return concat(
        load_histories(client, domain_id, case_ids, errors="collect")
        for domain_id, case_ids in (asked or {"": []}).items()
    )


def _late(
    now: History[Any], part: Part, said: Rows
) -> Iterator[tuple[Key, frozenset[str]]]:
    """Yield by case the events later than the report's reading that it does not name."""
    for key, events in now.events.groupby(_CASE, observed=True, sort=False):
        row = said.get(key)
        if row is None:
            continue
        could = events["event_id"].isin(part.events.get(key, ()))
        if row["reached_end"]:
            could |= events["performed_at"] <= row["fetched_at"]
        if not could.all():
            yield key, frozenset(events["event_id"][~could])


def _before(
    client: Client, now: History[Any], late: Mapping[Key, frozenset[str]]
) -> History[Any]:
    """Return a history as it would have been loaded before some events."""
    # Read anew, as what comes later may decide the order of what came before.
    moved = {case_id for _, case_id in late}
    keys = _by_case(now.certificate.captures)
    bodies = {
        key: less(
            iter_audit_pages(client, *key), "auditEvents", late.get(key, frozenset())
        )
        for key in keys
        if key[1] in moved
    }

    def answer(request: Request) -> Response:
        _, _, domain_id, _, case_id, *_ = request.path.split("/")
        return Response(200, {}, bodies[unquote(domain_id), unquote(case_id)])

    parts = [_loaded(connect(answer), bodies)]
    if rest := [case_id for _, case_id in keys if case_id not in moved]:
        parts.append(now.only(case_ids=rest))
    return concat(parts)


def _as_said(
    history: History[Any], part: Part, said: Rows, late: Mapping[Key, frozenset[str]]
) -> tuple[History[Any], set[str]]:
    """Return a history as a report would have it, and what only the report tells."""
    found, unverified = _by_case(history.certificate.captures), set[str]()
    told: dict[str, list[Any]] = {name: [] for name in _OF_WHAT_CAME}
    for key, row in said.items():
        own = found.get(key, row)
        claimed: set[str] = set()
        if key in late or own["sha256"] != row["sha256"]:
            claimed |= {*_OF_THE_PAGES}
        if key in late:  # of a null nobody knows since when it is there
            claimed.add("n_nulls")
        for name in _OF_WHAT_CAME:
            told[name].append(row[name] if name in claimed else own[name])
        unverified |= claimed
    captures = CAPTURES.cast(part.certificate.captures.assign(**told))
    events, changes = (_cut(f, said) for f in (history.events, history.changes))
    captures = recounted(captures, events, changes)
    certificate = replace(part.certificate, captures=captures)
    return History(events, changes, certificate), unverified


def _cut(frame: pd.DataFrame, said: Rows) -> pd.DataFrame:
    """Return the rows of a report's cases, in their order, within their cuts."""
    of_case = dict([*frame.groupby(_CASE, observed=True, sort=False).indices.items()])
    kept = []
    for key, row in said.items():
        places = of_case.get(key, np.array([], int))
        at, is_in = frame["performed_at"].iloc[places], np.ones(len(places), bool)
        if not is_missing(row["start_at"]):
            is_in &= (at >= row["start_at"]).to_numpy(bool)
        if not is_missing(row["end_at"]):
            is_in &= (at < row["end_at"]).to_numpy(bool)
        kept.append(places[is_in])
    places = np.concatenate([*kept, np.array([], int)])
    return frame.iloc[places].reset_index(drop=True)


_CASE = ["domain_id", "case_id"]


def _by_case(frame: pd.DataFrame) -> dict[Key, dict[Any, Any]]:
    return {(row["domain_id"], row["case_id"]): row for row in frame.to_dict("records")}
