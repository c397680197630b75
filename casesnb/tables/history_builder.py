"""A History put together as its pages come, which are let go at once."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from casesnb.tables.certificate import Certificate
from casesnb.tables.decode import Counts, Decoder
from casesnb.tables.history import belonging
from casesnb.tables.schema import CAPTURES, TIME, UNLOADED
from casesnb.tables.tidy import tables_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from casesnb.tables.decode import Decoded
    from casesnb.tables.history import History
    from casesnb.wire.pages import Page, PageError

Key = tuple[str, str]
"""A domain and a case."""


@dataclass(slots=True)
class _Seen:
    """What was seen of one case's pages."""

    n_pages: int = 0
    n_tokens: int = 0
    n_retries: int = 0
    n_throttles: int = 0
    reached_end: bool = False
    fetched_at: dt.datetime | None = None  # by the service's own clock
    digest: Any = field(default_factory=hashlib.sha256)

    def add(self, page: Page) -> None:
        self.n_pages += 1
        self.n_tokens += "nextToken" in page.params
        self.n_retries += page.retries
        self.n_throttles += page.throttles
        self.reached_end = page.next_token is None
        self.digest.update(page.body)
        sent = page.sent_at
        if sent is not None and (self.fetched_at is None or sent > self.fetched_at):
            self.fetched_at = sent


class HistoryBuilder:
    """Decodes pages as they come, and counts what came of each case."""

    def __init__(self, source: str, cases: Iterable[Key] = ()) -> None:
        self.odd: dict[Key, PageError] = {}  # cases that no table can hold, and why
        self._source = source
        self._decoder = Decoder(cases, odd=self.odd)
        self._seen: dict[Key, _Seen] = {}

    def add(self, page: Page) -> None:
        """Take the next page."""
        key = (page.params["domainId"], page.params["caseId"])
        if key not in self._seen:
            self._seen[key] = _Seen()
        self._seen[key].add(page)
        self._decoder.add(page)

    def read_rest(self) -> None:
        """Read what has come and is not read yet: `odd` is complete then."""
        self._decoder.read_rest()

    def history(
        self,
        cases: Iterable[Key] | None = None,
        *,
        unloaded: Sequence[Mapping[str, str]] = (),
        ended_by: str = "",
    ) -> History[pd.DataFrame]:
        """Return the History of all that came, or of some cases of it."""
        found = self._decoder.finish(cases)
        wanted = {*(self._seen if cases is None else cases)} - self.odd.keys()
        events, changes = tables_of(found)
        certificate = Certificate(
            captures=self._captures(found, wanted),
            unloaded=UNLOADED.cast(pd.DataFrame([*unloaded], columns=UNLOADED.names)),
            ended_by=ended_by,
        )
        return belonging(events, changes, certificate)

    def _captures(self, found: Decoded, wanted: Collection[Key]) -> pd.DataFrame:
        """Return what came for each case; those without an event last."""
        n_cases = len(found.cases)
        n_events = np.bincount(found.case, minlength=n_cases)
        n_changes = np.bincount(found.case, found.n_changes, n_cases).astype("int64")
        at = found.events["performed_at"].cast("int64").to_numpy()
        first, last = np.full(n_cases, _NEVER), np.full(n_cases, -_NEVER)
        np.minimum.at(first, found.case, at)
        np.maximum.at(last, found.case, at)
        is_creation = pc.equal(found.events["event_type"], "Case.Created")
        created = found.case[is_creation.to_numpy(zero_copy_only=False)]
        has_creation = np.bincount(created, minlength=n_cases) > 0
        keys = [
            (number, key) for number, key in enumerate(found.cases) if key in wanted
        ]
        keys.sort(key=lambda each: n_events[each[0]] == 0)
        numbers = np.array([number for number, _ in keys], dtype="int64")
        seen = [self._seen[key] for _, key in keys]
        nothing = Counts()
        counts = [found.counts.get(number, nothing) for number in numbers.tolist()]
        now = dt.datetime.now(dt.UTC)
        columns: dict[str, Any] = {
            "domain_id": [domain_id for _, (domain_id, _) in keys],
            "case_id": [case_id for _, (_, case_id) in keys],
            "n_events": n_events[numbers],
            "n_changes": n_changes[numbers],
            "first_event_at": _times(first[numbers]),
            "last_event_at": _times(last[numbers]),
            "has_creation": has_creation[numbers],
            "unknowns": [
                json.dumps(each.unknowns) if each.unknowns else None for each in counts
            ],
            "fetched_at": [each.fetched_at or now for each in seen],
            "sha256": [each.digest.hexdigest() for each in seen],
            "start_at": pd.NaT,
            "end_at": pd.NaT,
            "source": self._source,
            "boto3_version": version("boto3"),
            "casesnb_version": version("casesnb"),
        }
        for name in ("n_nulls", "n_duplicates", "n_conflicts", "n_ties", "order_seen"):
            columns[name] = [getattr(each, name) for each in counts]
        for name in ("n_pages", "n_tokens", "n_retries", "n_throttles", "reached_end"):
            columns[name] = [getattr(each, name) for each in seen]
        frame = pd.DataFrame(columns, index=range(len(keys)))
        for column in CAPTURES.columns:
            if column.dtype == TIME:
                frame[column.name] = pd.to_datetime(frame[column.name], utc=True)
        return CAPTURES.cast(frame)


_NEVER = np.iinfo("int64").max


def _times(at: np.ndarray[Any, Any]) -> pd.Series[Any]:
    """Return microseconds since 1970 as times, without those that never were."""
    known = np.where(np.abs(at) == _NEVER, np.iinfo("int64").min, at)
    return pd.Series(known.view("datetime64[us]"))
