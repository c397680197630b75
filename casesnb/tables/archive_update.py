"""One update of an archive: what it asks of a domain, keeps, and has come to."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from casesnb.tables.archive_plan import AUDIT, SEARCH
from casesnb.tables.arguments import need_whole
from casesnb.tables.progress import shown
from casesnb.tables.workers import as_they_come
from casesnb.wire.calls import Until
from casesnb.wire.errors import error_code, is_locked_out
from casesnb.wire.store import ArchiveError, now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from casesnb.wire.client import Client
    from casesnb.wire.pages import Page
    from casesnb.wire.store import Store
    from casesnb.wire.store_rows import KeptCase

DAY = 86_400.0
_SEARCH_AGE = 3600.0  # seconds for which a search is not asked again after a kill
_PAGE_SIZE = 25
_PATIENCE = 1.0  # seconds in which what is in flight at the end may be kept
_N_FAILURES = 20  # cases that cannot be read one after another, and nothing else
LISTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("ListDomains", {"maxResults": 10}),
    ("GetDomain", {}),
    ("ListFields", {"maxResults": 100}),
    ("ListTemplates", {"maxResults": 100, "status": ["Active", "Inactive"]}),
)


class Budget:
    """Calls, or time, after which no further case is begun."""

    def __init__(self, most: int | dt.timedelta | None) -> None:
        if most is not None and not isinstance(most, dt.timedelta):
            need_whole(most, "budget", 0)
        self._most = most
        self._began = time.monotonic()

    def is_spent(self, n_calls: int) -> bool:
        """Return whether it is used up after so many calls."""
        if isinstance(self._most, dt.timedelta):
            return time.monotonic() - self._began > self._most.total_seconds()
        return self._most is not None and n_calls >= self._most


@dataclass(slots=True)
class Came:
    """What came of an update so far."""

    budget: Budget
    calls: list[str] = field(default_factory=list)
    cases: defaultdict[str, list[str]] = field(
        default_factory=lambda: defaultdict(list)
    )
    failed: dict[str, Exception] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    n_left: int = 0

    @property
    def n_whole(self) -> int:
        """How many cases were read whole."""
        return sum(map(len, self.cases.values()))


class Asking:
    """What one update asks of a domain and keeps."""

    def __init__(
        self,
        store: Store,
        client: Client,
        domain_id: str,
        came: Came,
        begun_at: int,
    ) -> None:
        self._store = store
        self._client = client
        self._domain_id = domain_id
        self._came = came
        self._begun_at = begun_at

    def _tell(self, page: Page) -> None:
        self._came.calls.append(page.operation)

    def listing(self, operation: str, asked: dict[str, Any], *, max_age: float) -> int:
        """Return the capture of a listing, asked for unless it was lately."""
        params = asked
        if operation != "ListDomains":
            params = {"domainId": self._domain_id, **asked}
        earliest = now() - max_age * 1e6
        if operation == SEARCH:
            earliest = max(earliest, self._begun_at)
        domain_id = params.get("domainId")
        for kept in self._store.captures(operation=operation, domain_id=domain_id)[
            ::-1
        ]:
            if kept.params == params and kept.begun_at >= earliest:
                return kept.id
        return self._store.capture(self._client, operation, told=self._tell, **params)

    def search(self, asked: dict[str, Any]) -> int:
        """Return the capture of a search, asked for unless this update began with it."""
        return self.listing(SEARCH, asked, max_age=_SEARCH_AGE)

    def lists(self) -> None:
        """Keep what names the domain's fields and values, as far as it may be read."""

        def keep(operation: str, asked: dict[str, Any]) -> int | None:
            try:
                return self.listing(operation, asked, max_age=DAY)
            except Exception as error:
                if is_locked_out(error) or isinstance(error, ArchiveError):
                    raise
                self._came.unread.append(f"{operation} ({error_code(error)})")
                return None

        for operation, asked in LISTS:
            number = keep(operation, dict(asked))
            if operation == "ListFields" and number is not None:
                for page in self._store.pages([number]):
                    for item in page.items("fields"):
                        if item is not None and item.get("type") == "SingleSelect":
                            about = {"fieldId": item["fieldId"], "maxResults": 100}
                            keep("ListFieldOptions", about)

    def cases(
        self,
        todo: Sequence[str],
        listed: Mapping[str, str | None],
        before: Mapping[str, KeptCase],
        *,
        workers: int,
        progress: bool | Callable[[int], object],
    ) -> None:
        """Keep cases' histories as far as the budget goes; compare them with `before`."""
        came, left, n_failures = self._came, iter(todo), 0

        def within() -> Iterator[str]:
            while not came.budget.is_spent(len(came.calls)):
                if (case_id := next(left, None)) is None:
                    return
                yield case_id

        def read(case_id: str) -> str:
            return self._case(case_id, listed.get(case_id), before.get(case_id))

        crew = as_they_come(
            read, within(), Until(), workers=workers, patience=_PATIENCE
        )
        with closing(crew):
            for case_id, outcome in shown(
                crew, "cases", progress=progress, total=len(todo)
            ):
                error = outcome.exception()
                if error is None:
                    came.cases[outcome.result()].append(case_id)
                    n_failures = 0
                    continue
                n_failures += 1
                if (
                    not isinstance(error, Exception)
                    or isinstance(error, ArchiveError)
                    or is_locked_out(error)
                    or n_failures >= _N_FAILURES
                ):
                    raise error
                came.failed[case_id] = error
        came.n_left = sum(1 for _ in left)

    def _case(self, case_id: str, at: str | None, case: KeptCase | None) -> str:
        """Keep a case's history: ``kept``, ``moved`` if it tells more, or ``deleted``."""
        asked: dict[str, Any] = {"domainId": self._domain_id, "caseId": case_id}
        try:
            number = self._store.capture(
                self._client,
                AUDIT,
                last_updated=at,
                told=self._tell,
                maxResults=_PAGE_SIZE,
                **asked,
            )
        except Exception as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            self._came.calls.append(AUDIT)
            self._store.mark_deleted(self._domain_id, case_id)
            return "deleted"
        if case is None:
            return "kept"
        before, now = (self._events(n) for n in (case.capture_id, number))
        return "kept" if before == now else "moved"

    def _events(self, capture_id: int) -> list[Any]:
        pages = self._store.pages([capture_id])
        return [event for page in pages for event in page.items("auditEvents")]


def begun(store: Store, about: dict[str, Any]) -> dict[str, Any]:
    """Return what is to be done, from when it was begun and not ended, or new."""
    told = unfinished(store, about)
    if told is None:
        told = {"about": _named(about), "at": now()}
        store.tell("begun", json.dumps(told))
    return told


def unfinished(store: Store, about: dict[str, Any]) -> dict[str, Any] | None:
    """Return what was begun within a day and not ended."""
    told: dict[str, Any] = json.loads(store.meta.get("begun", "{}"))
    is_it = told.get("about") == _named(about) and now() - told["at"] < DAY * 1e6
    return told if is_it else None


def _named(about: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
