"""A whole domain, kept: `Archive`, one file of raw answers that is asked instead of AWS."""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from casesnb.tables.archive_dataset import Dataset, histories_of, history_of
from casesnb.tables.archive_plan import (
    AUDIT,
    N_SAMPLE,
    SEARCH,
    Plan,
    Update,
    Work,
    is_deleted,
    listed_in,
    planned,
    search_for,
)
from casesnb.tables.archive_update import (
    DAY,
    LISTS,
    Asking,
    Budget,
    Came,
    begun,
    unfinished,
)
from casesnb.tables.arguments import as_ids, moment, need_whole
from casesnb.tables.certificate import Certificate, counted
from casesnb.tables.redacted import redactor_of
from casesnb.tables.schema import OF_CASE, TIME, UNLOADED, Column, Table
from casesnb.tables.workers import unloaded
from casesnb.wire.calls import paced
from casesnb.wire.client import source_of
from casesnb.wire.pages import iter_pages
from casesnb.wire.store import ArchiveDamaged, ArchiveError, Store, now
from casesnb.wire.store_copy import copied, redacted_copy
from casesnb.wire.store_rows import CaptureKey

if TYPE_CHECKING:
    import os
    from collections.abc import (
        Callable,
        Collection,
        Iterable,
        Iterator,
        Mapping,
    )

    from casesnb.tables.filters import CaseFilter
    from casesnb.tables.history import History
    from casesnb.wire.client import Client
    from casesnb.wire.limits import Pace
    from casesnb.wire.pages import Page
    from casesnb.wire.redact.redaction import Redaction
    from casesnb.wire.responder import Request, Response
    from casesnb.wire.store_rows import KeptCase

    Key = tuple[str, str]
    Given = CaseFilter | Mapping[str, Any] | None

ARCHIVED_CASES = Table(
    "archived_cases",
    "One row per case that an archive holds.",
    (
        *OF_CASE,
        Column("last_updated_at", TIME, "when it was last changed, as the search said"),
        Column("captured_at", TIME, "when its history was read last"),
        Column("n_captures", "int64", "how often its history was read and kept"),
        Column("deleted_at", TIME, "when it was found to be there no more"),
    ),
)

_PATIENCE = 60.0  # seconds that a scan waits for a process that writes
_LOOPBACK = re.compile(r"(https?://(?:127\.[\d.]+|localhost|\[::1\])):\d+/?")


class Archive:
    """A domain's histories in one file, as they came, with what proves it.

    What was kept is not asked for again: an update asks for the cases that are
    new or were changed since. Earlier captures stay, and so does the history of
    a case that AWS deletes. It answers requests as the service did:
    ``cn.connect("retail.cases")``, or the archive itself as the source.

    Parameters
    ----------
    path : path
        The file. `update` makes it; all else needs it to be there.

    Examples
    --------
    >>> import casesnb as cn, tempfile
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> domain_id = cn.load_domains(client).loc[0, "domain_id"]
    >>> archive = cn.Archive(tempfile.mkdtemp() + "/retail.cases")
    >>> archive.update(client, domain_id, progress=False).n_new
    20
    >>> archive.histories().certificate.n_cases
    20
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser().absolute()
        self._lock = threading.Lock()
        self._reader: Store | None = None

    def __repr__(self) -> str:
        return f"Archive({str(self.path)!r})"

    def __call__(self, request: Request) -> Response:
        """Answer a request as it was answered last."""
        return self._answering()(request)

    @property
    def provenance(self) -> dict[str, Any]:
        """Who answered what it holds."""
        return self._answering().provenance

    @property
    def redacted(self) -> dict[str, Any] | None:
        """The policy under which it is an archive of pseudonyms; None if it is none."""
        return self._answering().redacted

    def _answering(self) -> Store:
        with self._lock:
            if self._reader is None:
                self._reader = Store(self.path)
            return self._reader

    # -------------------------------------------------------------------- asking

    def plan(
        self,
        client: Client,
        domain_id: str,
        *,
        where: Given = None,
        since: dt.datetime | None = None,
        n_sample: int = N_SAMPLE,
        pace: Pace = True,
    ) -> Plan:
        """Say what `update` would ask, and how long it takes, by a few searches.

        Nothing is kept. The cases that were changed last are listed first, so the
        search ends where nothing is new and as many are kept as are listed.

        Parameters
        ----------
        client : Client
            Any boto3 ``connectcases`` client.
        domain_id : str
            The domain.
        where : CaseFilter, optional
            Which cases, such as ``cn.where("status") == "open"``; all otherwise.
        since : datetime, optional
            Only cases changed from this moment on.
        n_sample : int, default 100
            Cases to check again though nothing says that they changed.
        pace : bool, float or "full", default True
            How fast `update` would ask, as `connect` takes it.

        Returns
        -------
        Plan
            Cases, calls and minutes; ``print`` says it in a line.

        Raises
        ------
        ValueError
            If `n_sample` is no whole number from 0 on.
        ArchiveError
            If the file is there and cannot be read.
        botocore.exceptions.ClientError
            Whatever the service answers instead.
        """
        need_whole(n_sample, "n_sample", 0)
        asked = search_for(where, since)
        kept: list[KeptCase] = []
        n_lists = len(LISTS) + 2
        if self.path.exists():
            with Store(self.path) as store:
                kept = store.cases(domain_id)
                run = unfinished(store, {"domain": domain_id, "search": asked}) or {}
            if "sample" in run:  # an update goes on with the one that was drawn
                left = {case.case_id for case in kept if case.captured_at < run["at"]}
                n_sample = len(left & {*run["sample"]})
        there = sum(not is_deleted(case) for case in kept)
        is_all = where is None and since is None
        by_id = {case.case_id: case for case in kept}
        listed: dict[str, str | None] = {}
        n_listed = None
        with paced(client, None):
            for page in iter_pages(client, SEARCH, domainId=domain_id, **asked):
                some = listed_in([page])
                listed.update(some)
                total = json.loads(page.body).get("totalCount")
                if not isinstance(total, int) or total < len(listed):
                    continue
                work = Work.of(some, by_id, is_all=False)
                n_seen = sum(name not in by_id for name in listed)
                # Older cases may be new too, where an update left some.
                is_rest_kept = is_all and total <= there + n_seen
                if not kept or (is_rest_kept and not (work.new or work.changed)):
                    n_listed = total
                    break
        work = Work.of(listed, by_id, is_all=False)
        n_new = len(work.new)
        n_unlisted = 0
        if n_listed is None:
            n_listed = len(listed)
        elif not kept:
            n_new = n_listed
        if is_all:
            n_unlisted = max(0, there - (n_listed - n_new))
        unlisted = [case.case_id for case in kept if case.case_id not in listed]
        work = Work(work.new, work.changed, unlisted[:n_unlisted], work.rest)
        return planned(
            work,
            kept,
            n_listed=n_listed,
            n_new=n_new,
            n_sample=n_sample,
            n_lists=0 if self._has_lists(domain_id) else n_lists,
            pace=pace,
        )

    def update(
        self,
        client: Client,
        domain_id: str,
        *,
        where: Given = None,
        since: dt.datetime | None = None,
        budget: int | dt.timedelta | None = None,
        n_sample: int = N_SAMPLE,
        workers: int = 8,
        pace: Pace | None = None,
        wait: bool | float = True,
        progress: bool | Callable[[int], object] = True,
    ) -> Update:
        """Keep what is new: the newest-changed cases first, each whole or not at all.

        Whatever ends it early, a kill too, loses at most the pages in flight;
        begun again it goes on. A case is asked for if it is new or its
        ``last_updated_datetime`` moved. Not every event moves that, so a sample of
        the others is asked for as well, and what it finds is told.

        Parameters
        ----------
        client : Client
            Any boto3 ``connectcases`` client.
        domain_id : str
            The domain.
        where : CaseFilter, optional
            Which cases, such as ``cn.where("status") == "open"``; all otherwise.
        since : datetime, optional
            Only cases changed from this moment on.
        budget : int or timedelta, optional
            Calls, or time, after which no further case is begun; what is left
            comes first the next time.
        n_sample : int, default 100
            Cases to check again though nothing says that they changed.
        workers : int, default 8
            Cases asked for at a time.
        pace : bool, float or "full", optional
            How fast to ask, as `connect` takes it; the client's own pace otherwise.
        wait : bool or float, default True
            Whether to wait, or for how many seconds, while another process writes.
        progress : bool or callable, default True
            Show how many cases have come; or a function to call with that number,
            which ends the update if it raises.

        Returns
        -------
        Update
            What was asked and what came of it; ``print`` says it in a line.

        Raises
        ------
        ValueError
            If `budget`, `n_sample` or `workers` is less than it may be.
        ArchiveBusy
            If another process writes to it and `wait` says not to wait.
        ArchiveError
            If the file cannot be written, or was kept from another source.
        botocore.exceptions.ClientError
            What ends the update, such as credentials that expired. What was kept
            until then stays.

        See Also
        --------
        plan : Says before what it costs.
        """
        began = time.monotonic()
        need_whole(n_sample, "n_sample", 0)
        need_whole(workers, "workers", 1)
        asked_of = search_for(where, since)
        came = Came(Budget(budget))
        try:
            with self._writing(client, wait=wait) as store, paced(client, pace):
                run = begun(store, {"domain": domain_id, "search": asked_of})
                ask = Asking(store, client, domain_id, came, run["at"])
                ask.lists()
                search = ask.search(asked_of)
                listed = listed_in(store.pages([search]))
                kept = {case.case_id: case for case in store.cases(domain_id)}
                is_all = where is None and since is None
                work = Work.of(listed, kept, is_all=is_all)
                if "sample" not in run:
                    run["sample"] = work.sample(n_sample, seed=search)
                    store.tell("begun", json.dumps(run))
                fresh = {*work.new, *work.changed}
                todo = [name for name in listed if name in fresh]
                todo += [
                    name
                    for name in (*work.unlisted, *run["sample"])
                    if name not in fresh and kept[name].captured_at < run["at"]
                ]
                before = {name: kept[name] for name in todo if name not in fresh}
                ask.cases(todo, listed, before, workers=workers, progress=progress)
                if not came.n_left:
                    store.tell("begun", "{}")
                self._forget_reader()
                dataset = Dataset(self.path)
                if dataset.is_there:
                    dataset.refresh(store)
        except ArchiveError:
            raise  # which says itself what is kept
        except BaseException as error:
            error.add_note(
                f"The archive keeps what came whole: {counted(came.n_whole, 'case')} of "
                "this update. Begin it again and it goes on where it stopped."
            )
            raise
        fresh_ids = {*came.cases["kept"], *came.cases["moved"]}
        checked = fresh_ids - fresh
        rows = [unloaded(domain_id, *each) for each in came.failed.items()]
        return Update(
            n_listed=len(listed),
            n_new=len(fresh_ids & {*work.new}),
            n_changed=len(fresh_ids & {*work.changed}),
            n_checked=len(checked),
            moved=tuple(sorted(checked & {*came.cases["moved"]})),
            deleted=tuple(came.cases["deleted"]),
            n_left=came.n_left,
            calls=dict(Counter(came.calls)),
            unloaded=UNLOADED.cast(pd.DataFrame(rows, columns=UNLOADED.names)),
            unread=tuple(came.unread),
            seconds=time.monotonic() - began,
        )

    @contextmanager
    def going_on(
        self, client: Client, domain_id: str, case_ids: Collection[str], page_size: int
    ) -> Iterator[Callable[[str], list[Page]]]:
        """Give what reads a case for a load, from the archive where it was begun.

        Parameters
        ----------
        client : Client
            Any boto3 ``connectcases`` client.
        domain_id : str
            The domain.
        case_ids : collection of str
            The cases of the load, by which it is known again.
        page_size : int
            Events a page.

        Yields
        ------
        callable
            From a case's id to its pages.

        Raises
        ------
        ArchiveError
            If the file cannot be written, or was kept from another source.
        """
        with self._writing(client) as store:
            run = begun(store, {"domain": domain_id, "cases": sorted(case_ids)})
            done = {
                case.case_id: case.capture_id
                for case in store.cases(domain_id)
                if case.captured_at >= run["at"]
            }

            def read(case_id: str) -> list[Page]:
                capture = done.get(case_id)
                if capture is None:
                    capture = store.capture(
                        client,
                        AUDIT,
                        domainId=domain_id,
                        caseId=case_id,
                        maxResults=page_size,
                    )
                return [*store.pages([capture])]

            yield read
            store.tell("begun", "{}")
            self._forget_reader()

    @contextmanager
    def _writing(self, client: Client, *, wait: bool | float = True) -> Iterator[Store]:
        """Give the file to one that keeps what a client is answered."""
        source = _LOOPBACK.sub(r"\1", source_of(client))
        with Store(
            self.path, write=True, wait=wait, source={"source": source}
        ) as store:
            if store.redacted is not None:
                raise ArchiveError(
                    f"{self.path} holds pseudonyms, which answers do not belong to. Keep "
                    "them in the original, and redact it again."
                )
            yield store

    def _forget_reader(self) -> None:
        with self._lock:
            reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _has_lists(self, domain_id: str) -> bool:
        if not self.path.exists():
            return False
        with Store(self.path) as store:
            found = store.captures(operation="ListFields", domain_id=domain_id)
        return bool(found) and now() - found[-1].begun_at < DAY * 1e6

    # ------------------------------------------------------------------- reading

    def cases(self) -> pd.DataFrame:
        """One row per case that it holds, in the order they were first kept.

        Returns
        -------
        DataFrame
            The columns of ``schema.ARCHIVED_CASES``.

        Raises
        ------
        ArchiveError
            If there is no archive, or it is damaged.
        """
        with Store(self.path) as store:
            found = store.cases()
        rows = [
            {
                "domain_id": case.domain_id,
                "case_id": case.case_id,
                "last_updated_at": case.last_updated,
                "captured_at": _moment(case.captured_at),
                "n_captures": case.n_captures,
                "deleted_at": _moment(case.deleted_at) if is_deleted(case) else None,
            }
            for case in found
        ]
        frame = pd.DataFrame(rows, columns=ARCHIVED_CASES.names)
        for column in ARCHIVED_CASES.columns:
            if column.dtype == TIME:
                frame[column.name] = pd.to_datetime(
                    frame[column.name], utc=True, format="ISO8601", errors="coerce"
                )
        return ARCHIVED_CASES.cast(frame)

    def history(self, case_id: str) -> History[pd.DataFrame]:
        """Return what is kept of one case, as it was read last.

        Parameters
        ----------
        case_id : str
            The case.

        Returns
        -------
        History
            As `load_history` gives it.

        Raises
        ------
        ValueError
            If it does not hold the case.
        ArchiveError
            If there is no archive, or a page is not as it was kept.
        """
        return self.histories([case_id])

    def histories(
        self,
        case_ids: Iterable[str] | None = None,
        *,
        as_of: dt.datetime | None = None,
    ) -> History[pd.DataFrame]:
        """Return what is kept of several cases, or of all, as they were read last.

        Parameters
        ----------
        case_ids : iterable of str, optional
            The cases; all of them otherwise.
        as_of : datetime, optional
            As they were read by then; cases first read later are left out.

        Returns
        -------
        History
            As `load_histories` gives it.

        Raises
        ------
        ValueError
            If it does not hold a case.
        ArchiveError
            If there is no archive, or a page is not as it was kept.

        See Also
        --------
        scan : All of them as lazy frames, for more than memory holds.
        """
        asked = None if case_ids is None else as_ids(case_ids)
        with Store(self.path) as store:
            chosen = _chosen(store, as_of)
            if asked is not None:
                of = {case_id: (domain_id, case_id) for domain_id, case_id in chosen}
                if unknown := [name for name in asked if name not in of]:
                    raise _not_kept(unknown[0])
                chosen = {of[name]: chosen[of[name]] for name in asked}
            return history_of(store, chosen)

    def captures(self, case_id: str) -> list[History[pd.DataFrame]]:
        """Return a case's history each time that it was kept, the oldest first.

        Two of them are compared by `trust.compare_captures`.

        Parameters
        ----------
        case_id : str
            The case.

        Returns
        -------
        list of History
            One for each capture.

        Raises
        ------
        ValueError
            If it does not hold the case.
        ArchiveError
            If there is no archive, or a page is not as it was kept.
        """
        with Store(self.path) as store:
            found = store.captures(case_id)
            if not found:
                raise _not_kept(case_id)
            return [
                history_of(
                    store, {(each.domain_id or "", case_id): CaptureKey.of(each)}
                )
                for each in found
            ]

    def certificate(self) -> Certificate:
        """Return how complete all of it is, a part at a time: memory stays small.

        Returns
        -------
        Certificate
            That of `histories`, without what the tables say of themselves.

        Raises
        ------
        ArchiveError
            If there is no archive, or a page is not as it was kept.
        """
        with Store(self.path) as store:
            parts = [
                history.certificate
                for history, _ in histories_of(store, _chosen(store, None))
            ]
        return Certificate(
            captures=pd.concat([part.captures for part in parts], ignore_index=True),
            unloaded=pd.concat([part.unloaded for part in parts], ignore_index=True),
            redacted=parts[0].redacted,
        )

    def export(
        self, path: str | os.PathLike[str], *, redact: bool | Redaction = False
    ) -> Archive:
        """Write an archive to hand over: a copy, or one of pseudonyms.

        The raw answers and what was asked for are redacted as a recording's are,
        earlier captures too, and searched for every value that was replaced. The
        file is whole or absent.

        Parameters
        ----------
        path : path
            The new file.
        redact : bool or Redaction, default False
            Whether it gets pseudonyms, and by which policy; all as it is otherwise.

        Returns
        -------
        Archive
            The new one. One of pseudonyms is read as any, but not updated; its
            certificates name the policy and keep each original's hash under the key.

        Raises
        ------
        ArchiveError
            If `path` is there already or cannot be written, if this archive is
            redacted already, or if a page is not as it was kept.
        LeakFound
            If a value that was replaced is in what would be written.
        TypeError
            If `redact` is none of these.

        See Also
        --------
        casesnb.verify_redacted : Proves that it belongs to the original.
        """
        target = Path(path).expanduser().absolute()
        with Store(self.path) as store:
            if redact is False:
                copied(store, target)
            else:
                redacted_copy(store, target, redactor_of(redact))
        return Archive(target)

    def check(self) -> list[str]:
        """Say what is not as it was kept.

        Returns
        -------
        list of str
            A sentence each; none if all is as it was kept.

        Raises
        ------
        ArchiveError
            If there is no archive, or it is none that this casesnb can read.
        """
        try:
            with Store(self.path, prove=False) as store:
                return store.check()
        except ArchiveDamaged as error:  # too much to look any further
            return [error.said]

    # ------------------------------------------------------------------- dataset

    @property
    def dataset(self) -> Path:
        """The folder of the Parquet dataset, which `scan` makes.

        One row per field of an event, with what is told of the event. An event
        without a field has a row whose ``slot`` is missing.
        """
        return Dataset(self.path).rows

    def scan(self, *, engine: Literal["polars", "duckdb"] = "polars") -> History[Any]:
        """Return all of it as lazy frames over a Parquet dataset beside the file.

        The dataset is made at the first call and holds what the raw pages hold;
        an update appends to it. Remove its folder and it is made again.

        Parameters
        ----------
        engine : {"polars", "duckdb"}, default "polars"
            Whose lazy frames: of Polars, or relations of DuckDB.

        Returns
        -------
        History
            Lazy frames, with the certificate of what they hold. Every function of
            the analysis takes it.

        Raises
        ------
        ValueError
            If `engine` is neither of the two.
        ModuleNotFoundError
            If it is not installed.
        ArchiveBusy
            If the dataset has to be written, and another process writes to the
            archive for more than a minute. `histories` reads meanwhile.
        ArchiveError
            If there is no archive, or the dataset has to be written and cannot be.
        """
        if engine not in {"polars", "duckdb"}:
            raise ValueError(f"engine={engine!r} is neither 'polars' nor 'duckdb'.")
        dataset = Dataset(self.path)
        if not self.path.exists():
            Store(self.path)  # which says that there is none
        if not dataset.is_fresh():
            with Store(self.path, write=True, wait=_PATIENCE) as store:
                dataset.refresh(store)
        return dataset.scan(engine)


def _chosen(store: Store, as_of: dt.datetime | None) -> dict[Key, CaptureKey]:
    """Return the newest capture of each case, or the newest by a moment."""
    if as_of is None:
        return store.newest()
    until = moment(as_of).timestamp() * 1e6
    return {
        (each.domain_id or "", each.case_id or ""): CaptureKey.of(each)
        for each in store.captures()
        if each.ended_at <= until
    }


def _not_kept(case_id: str) -> ValueError:
    return ValueError(
        f"The archive holds no history of case {case_id!r}. Keep it first: "
        "archive.update(client, domain_id)."
    )


def _moment(at: int | None) -> dt.datetime | None:
    return None if at is None else dt.datetime.fromtimestamp(at / 1e6, dt.UTC)
