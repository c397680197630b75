"""What an update of an archive has to ask, what that costs, and what came of it."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd  # noqa: TC002 - a field of a dataclass

from casesnb.tables.certificate import counted
from casesnb.tables.filters import CaseFilter, where
from casesnb.tables.load import CASE_COLUMNS, search_params
from casesnb.tables.schema import UNLOADED
from casesnb.wire.limits import Limiter
from casesnb.wire.pages import moment_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from casesnb.wire.limits import Pace
    from casesnb.wire.pages import Page
    from casesnb.wire.store_rows import KeptCase

AUDIT = "GetCaseAuditEvents"
SEARCH = "SearchCases"
N_SAMPLE = 100
"""Cases that are asked for again though nothing says that they changed."""

_CHANGED_AT = "last_updated_datetime"
_PAGES_OF_A_CASE = 1.2  # in the sandbox; an archive that holds cases knows its own
_SETTLED = dt.timedelta(minutes=10)  # after which a history tells what happened
_LEAST = 20  # cases from which on an archive's own mean is taken


@dataclass(frozen=True, slots=True)
class Plan:
    """What an update would ask, and how long that takes.

    Parameters
    ----------
    n_listed : int
        Cases that the search lists.
    n_new : int
        Of them, cases that the archive does not hold.
    n_changed : int
        Of them, cases that were changed since they were kept.
    n_unlisted : int
        Cases of the archive that are listed no more: deleted, perhaps.
    n_sample : int
        Of the others, cases that are checked again.
    calls : Mapping
        How many calls of each operation.
    minutes : float
        How long they take.
    rate : float
        Calls of ``GetCaseAuditEvents`` a second.
    """

    n_listed: int
    n_new: int
    n_changed: int
    n_unlisted: int
    n_sample: int
    calls: Mapping[str, int]
    minutes: float
    rate: float

    @property
    def n_cases(self) -> int:
        """Cases to ask for."""
        return self.n_new + self.n_changed + self.n_unlisted + self.n_sample

    @property
    def n_calls(self) -> int:
        """Calls in all."""
        return sum(self.calls.values())

    def __str__(self) -> str:
        """Say it in one line."""
        parts = [f"{self.n_new:,} new", f"{self.n_changed:,} changed"]
        if self.n_unlisted:
            parts.append(f"{self.n_unlisted:,} listed no more")
        if self.n_sample:
            parts.append(f"{self.n_sample:,} to check again")
        calls = ", ".join(f"{n:,} {name}" for name, n in self.calls.items() if n)
        return (
            f"{counted(self.n_listed, 'case')} listed. To ask for: "
            f"{counted(self.n_cases, 'case')} ({', '.join(parts)}) in about "
            f"{counted(self.n_calls, 'call')} ({calls}), which take "
            f"{_spoken(self.minutes)} at {self.rate:g} calls a second."
        )


@dataclass(frozen=True, slots=True)
class Update:
    """What came of an update.

    Parameters
    ----------
    n_listed : int
        Cases that the search lists.
    n_new : int
        Cases kept for the first time.
    n_changed : int
        Cases kept anew, since they were changed.
    n_checked : int
        Cases that nothing said were changed, and that were asked for again.
    moved : tuple of str
        Of them, those whose history tells other events than before.
    deleted : tuple of str
        Cases that are there no more; their history stays.
    n_left : int
        Cases that the budget left for the next update.
    calls : Mapping
        How many calls of each operation were answered with a page.
    unloaded : DataFrame
        One row per case that could not be read: ``schema.UNLOADED``.
    unread : tuple of str
        Lists of names that could not be read.
    seconds : float
        How long it took.
    """

    n_listed: int = 0
    n_new: int = 0
    n_changed: int = 0
    n_checked: int = 0
    moved: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    n_left: int = 0
    calls: Mapping[str, int] = field(default_factory=dict)
    unloaded: pd.DataFrame = field(default_factory=UNLOADED.empty)
    unread: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def n_asked(self) -> int:
        """Cases asked for."""
        kept = self.n_new + self.n_changed + self.n_checked
        return kept + len(self.deleted) + len(self.unloaded)

    @property
    def n_calls(self) -> int:
        """Calls in all."""
        return sum(self.calls.values())

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left for another time."""
        return not self.n_left and self.unloaded.empty

    def __str__(self) -> str:
        """Say it in one line."""
        parts = [f"{self.n_new:,} new", f"{self.n_changed:,} changed"]
        if self.n_checked:
            found = f"{len(self.moved):,} of which had changed unseen"
            parts.append(f"{self.n_checked:,} checked again, {found}")
        if self.deleted:
            parts.append(f"{len(self.deleted):,} deleted since")
        if len(self.unloaded):
            parts.append(f"{len(self.unloaded):,} could not be read")
        if self.n_left:
            parts.append(f"{self.n_left:,} left for the next update")
        unread = f" Without {', '.join(self.unread)}." if self.unread else ""
        return (
            f"{counted(self.n_listed, 'case')} listed; asked for "
            f"{counted(self.n_asked, 'case')} in {counted(self.n_calls, 'call')}: "
            f"{'; '.join(parts)}.{unread}"
        )


@dataclass(frozen=True, slots=True)
class Work:
    """Which cases an update asks for, the newest-changed first."""

    new: list[str]
    changed: list[str]
    unlisted: list[str]
    rest: list[str]

    @classmethod
    def of(
        cls,
        listed: Mapping[str, str | None],
        kept: Mapping[str, KeptCase],
        *,
        is_all: bool,
    ) -> Work:
        """Compare what is listed with what is kept."""
        new, changed, rest = [], [], []
        for case_id, at in listed.items():
            case = kept.get(case_id)
            if case is None:
                new.append(case_id)
            elif _is_changed(case, at):
                changed.append(case_id)
            else:
                rest.append(case_id)
        unlisted = [
            case_id
            for case_id, case in kept.items()
            if is_all and case_id not in listed and not is_deleted(case)
        ]
        return cls(new, changed, unlisted, rest)

    def sample(self, n_sample: int, seed: int) -> list[str]:
        """Return some of the cases that nothing says were changed."""
        dice = random.Random(seed)  # noqa: S311 - nobody has to guess it
        return dice.sample(self.rest, min(n_sample, len(self.rest)))


def _is_changed(case: KeptCase, at: str | None) -> bool:
    """Return whether a case may have been changed since it was kept."""
    if at is None or is_deleted(case):
        return True
    if case.last_updated is not None:
        return case.last_updated != at
    # A load kept it, which does not know when it was changed last.
    read = moment_of(case.date)
    try:
        return read is None or dt.datetime.fromisoformat(at) > read - _SETTLED
    except (TypeError, ValueError):
        return True


def is_deleted(case: KeptCase) -> bool:
    """Return whether a case was found to be there no more after it was kept."""
    return case.deleted_at is not None and case.deleted_at > case.captured_at


def search_for(
    chosen: CaseFilter | Mapping[str, Any] | None, since: dt.datetime | None
) -> dict[str, Any]:
    """Return what to ask the search for: as `load_cases` asks it by default."""
    if chosen is not None and not isinstance(chosen, Mapping):
        raise TypeError(f"where={chosen!r:.80}: give cn.where('status') == 'open'.")
    condition = None if chosen is None else CaseFilter(chosen)
    if since is not None:
        moved = where(_CHANGED_AT) >= since
        condition = moved if condition is None else condition & moved
    return search_params(None, condition, f"-{_CHANGED_AT}", CASE_COLUMNS, 100)


def listed_in(pages: Iterable[Page]) -> dict[str, str | None]:
    """Return the cases of a search, and when each was changed, as AWS tells it."""
    found: dict[str, str | None] = {}
    for page in pages:
        for item in page.items("cases"):
            if item is None:
                continue
            told = [f for f in item.get("fields") or () if f and f["id"] == _CHANGED_AT]
            value = told[0].get("value") if told else None
            at = value.get("stringValue") if value else None
            found.setdefault(item["caseId"], at)  # one that moved meanwhile comes twice
    return found


def planned(
    work: Work,
    kept: Sequence[KeptCase],
    *,
    n_listed: int,
    n_new: int,
    n_sample: int,
    n_lists: int,
    pace: Pace,
) -> Plan:
    """Return what work costs, by what its cases took before."""
    pages = {case.case_id: case.n_pages for case in kept}
    mean = _PAGES_OF_A_CASE
    if len(pages) >= _LEAST:
        mean = sum(pages.values()) / len(pages)
    again = sum(pages[case_id] for case_id in (*work.changed, *work.unlisted))
    sampled = min(n_sample, n_listed - n_new - len(work.changed))
    calls = {
        SEARCH: max(1, math.ceil(n_listed / 100)),
        AUDIT: round(n_new * mean + again + sampled * mean),
        "for names": n_lists,
    }
    limiter = Limiter(pace)
    seconds = 0.0
    if pace is not False:
        for operation, n in calls.items():
            allowed = limiter.allowed(operation)
            seconds += max(0, n - allowed.burst) / allowed.rate
    return Plan(
        n_listed=n_listed,
        n_new=n_new,
        n_changed=len(work.changed),
        n_unlisted=len(work.unlisted),
        n_sample=sampled,
        calls=calls,
        minutes=seconds / 60,
        rate=limiter.allowed(AUDIT).rate,
    )


def _spoken(minutes: float) -> str:
    if minutes < 1:
        return "less than a minute"
    if minutes < 100:
        return f"about {counted(round(minutes), 'minute')}"
    return f"about {minutes / 60:.1f} hours"
