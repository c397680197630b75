"""Ask, tidy, return: what happened to cases, and how complete that is.

One case or many, each read to its last page; a load that falls short raises, or
its certificate says so.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import pandas as pd

from casesnb.tables.arguments import as_ids
from casesnb.tables.certificate import Certificate, counted
from casesnb.tables.decode import decode
from casesnb.tables.schema import UNLOADED
from casesnb.tables.tidy import OPERATION, tidy
from casesnb.wire.client import source_of
from casesnb.wire.pages import (
    Page,
    PageError,
    ask_until,
    error_code,
    is_locked_out,
    iter_pages,
)

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Generator,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from casesnb.tables.decode import Counts
    from casesnb.wire.client import Client

_T = TypeVar("_T")
_PAGE = 25  # the most that AWS gives in one audit page


# Two frames are equal cell by cell, not as one truth: a History equals itself.
@dataclass(frozen=True, slots=True, repr=False, eq=False)
class History:
    """What happened to one case or many, and how complete that is.

    Parameters
    ----------
    events : DataFrame
        One row per audit event: ``schema.EVENTS``.
    changes : DataFrame
        One row per field of an event: ``schema.CHANGES``.
    certificate : Certificate
        What was loaded, and whether it is whole.
    unloaded : DataFrame
        One row per case that could not be loaded: ``schema.UNLOADED``.
    """

    events: pd.DataFrame
    changes: pd.DataFrame
    certificate: Certificate
    unloaded: pd.DataFrame = field(default_factory=UNLOADED.empty)

    def __repr__(self) -> str:
        return f"History: {self.certificate}"


def iter_audit_pages(
    client: Client, domain_id: str, case_id: str, *, page_size: int = _PAGE
) -> Iterator[Page]:
    """Yield a case's audit pages as raw bytes, first page first.

    Parameters
    ----------
    client : Client
        Any boto3 ``connectcases`` client.
    domain_id : str
        The domain.
    case_id : str
        The case.
    page_size : int, default 25
        Events a page, 1 to 25.

    Yields
    ------
    Page
        One answer of ``GetCaseAuditEvents``.

    Raises
    ------
    PageError
        If an answer is not a whole page, or a token comes twice.
    botocore.exceptions.ClientError
        Whatever the service answers instead.
    """
    yield from iter_pages(
        client, OPERATION, domainId=domain_id, caseId=case_id, maxResults=page_size
    )


def iter_audit_events(
    client: Client, domain_id: str, case_id: str, *, page_size: int = _PAGE
) -> Iterator[dict[str, Any] | None]:
    """Yield a case's audit events as AWS sent them, in the order they came.

    Parameters
    ----------
    client : Client
        Any boto3 ``connectcases`` client.
    domain_id : str
        The domain.
    case_id : str
        The case.
    page_size : int, default 25
        Events a page, 1 to 25.

    Yields
    ------
    dict or None
        One event's JSON: every member, known or not. None where AWS sent null.

    Raises
    ------
    PageError
        If an answer is not a whole page, or a token comes twice.
    botocore.exceptions.ClientError
        Whatever the service answers instead.
    """
    for page in iter_audit_pages(client, domain_id, case_id, page_size=page_size):
        yield from page.items("auditEvents")


def load_history(
    client: Client,
    domain_id: str,
    case_id: str,
    *,
    page_size: int = _PAGE,
    progress: bool | Callable[[int], object] = False,
) -> History:
    """Load everything that the audit history says of one case.

    Parameters
    ----------
    client : Client
        Any boto3 ``connectcases`` client.
    domain_id : str
        The domain.
    case_id : str
        The case.
    page_size : int, default 25
        Events a page, 1 to 25.
    progress : bool or callable, default False
        Show how many pages have come; or a function to call with that number,
        which stops the load if it raises.

    Returns
    -------
    History
        The events, the changes and the certificate of the load.

    Raises
    ------
    PageError
        If an answer is not a whole page, or a token comes twice.
    botocore.exceptions.ClientError
        Whatever the service answers instead; a missing case is
        ``ResourceNotFoundException``.

    See Also
    --------
    load_histories : Many cases at the quota's pace.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> history = cn.load_history(cn.connect(world), *world.showcase)
    >>> history.certificate.verdict
    'complete'
    """
    pages = iter_audit_pages(client, domain_id, case_id, page_size=page_size)
    read: list[Page] = []
    try:
        read.extend(_shown(pages, "pages", progress=progress))
    except BaseException as error:
        if read:
            came = f"ended by {error_code(error)} after {counted(len(read), 'page')}"
            part = _history(client, domain_id, [read], stopped=came)
            _hand_over(error, part, counted(len(read), "page"))
        raise
    return _history(client, domain_id, [read])


def load_histories(
    client: Client,
    domain_id: str,
    case_ids: Iterable[str],
    *,
    workers: int = 8,
    errors: Literal["raise", "collect"] = "raise",
    page_size: int = _PAGE,
    progress: bool | Callable[[int], object] = False,
) -> History:
    """Load the audit histories of many cases, as fast as the quota allows.

    Whatever ends it early, Ctrl-C too, is raised with the cases that are whole
    by then as the error's ``history``, whose certificate says that it is
    partial. No further request is sent.

    Parameters
    ----------
    client : Client
        Any boto3 ``connectcases`` client. One made by `connect` keeps to the
        published rate, whatever the number of workers.
    domain_id : str
        The domain.
    case_ids : iterable of str
        The cases; one named twice is loaded once.
    workers : int, default 8
        Cases asked for at a time.
    errors : {"raise", "collect"}, default "raise"
        Whether a case that cannot be loaded ends the load, or is set down in
        ``History.unloaded`` while the rest goes on. Credentials that expired
        end it either way: no other case would be answered.
    page_size : int, default 25
        Events a page, 1 to 25.
    progress : bool or callable, default False
        Show how many cases have come; or a function to call with that number,
        which stops the load if it raises.

    Returns
    -------
    History
        Every case's events and changes in two frames, cases in the order asked,
        and one certificate.

    Raises
    ------
    TypeError
        If `case_ids` is one text or a whole frame.
    ValueError
        If `errors` is neither of the two or `workers` is no number above 0.
    PageError
        If an answer is not a whole page, or a token comes twice, with
        ``errors="raise"``.
    botocore.exceptions.ClientError
        Whatever the service answers instead, with ``errors="raise"``.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> domain_id = cn.load_domains(client).loc[0, "domain_id"]
    >>> cases = cn.load_cases(client, domain_id, limit=3)
    >>> cn.load_histories(client, domain_id, cases["case_id"]).certificate.n_cases
    3
    """
    if errors not in {"raise", "collect"}:
        raise ValueError(f"errors={errors!r} is neither 'raise' nor 'collect'.")
    if not isinstance(workers, int) or workers < 1:
        raise ValueError(f"workers={workers!r} is no number of workers: 1 or more.")
    asked = as_ids(case_ids)
    whole: dict[str, list[Page]] = {}
    failed: dict[str, dict[str, str]] = {}

    def history(stopped: str = "") -> History:
        return _history(
            client,
            domain_id,
            [whole[case_id] for case_id in asked if case_id in whole],
            [failed[case_id] for case_id in asked if case_id in failed],
            n_asked=len(asked),
            stopped=stopped,
        )

    def read(case_id: str) -> list[Page]:
        return list(iter_audit_pages(client, domain_id, case_id, page_size=page_size))

    stop = threading.Event()
    crew = _as_they_come(read, asked, stop, workers=workers)
    try:
        with closing(crew):
            for case_id, outcome in _shown(
                crew, "cases", progress=progress, total=len(asked)
            ):
                error = outcome.exception()
                if error is None:
                    whole[case_id] = outcome.result()
                elif (
                    errors == "raise"
                    or not isinstance(error, Exception)
                    or is_locked_out(error)
                ):
                    raise error
                else:
                    failed[case_id] = _unloaded(domain_id, case_id, error)
        try:
            return history()
        except PageError:
            # Whole answers, yet some hold what no table can.
            for case_id, odd in list(_unreadable(list(whole.items()))):
                del whole[case_id]
                if errors == "raise":
                    raise odd from None
                failed[case_id] = _unloaded(domain_id, case_id, odd)
            return history()
    except BaseException as error:
        for case_id, _ in list(_unreadable(list(whole.items()))):
            del whole[case_id]
        how = "stopped" if isinstance(error, KeyboardInterrupt) else "ended"
        by = "" if how == "stopped" else f" by {error_code(error)}"
        came = f"{len(whole)} of {len(asked)} cases"
        _hand_over(error, history(f"{how}{by} after {came}"), came)
        raise


def _hand_over(error: BaseException, part: History, what: str) -> None:
    """Give an error what came before it, and say so in its note."""
    error.__dict__["history"] = part
    error.add_note(
        f"casesnb kept what came whole: {what}, as this error's `history` (in the next "
        "cell of a notebook `import sys; sys.last_value.history`). Its certificate "
        "says that it is partial."
    )


def _as_they_come(
    read: Callable[[str], list[Page]],
    asked: Sequence[str],
    stop: threading.Event,
    *,
    workers: int,
) -> Generator[tuple[str, Future[list[Page]]], None, None]:
    """Yield each case's outcome when it is there, keeping every worker busy."""
    left = iter(asked)
    todo: SimpleQueue[str | None] = SimpleQueue()
    come: SimpleQueue[tuple[str, Future[list[Page]]]] = SimpleQueue()

    def work() -> None:
        ask_until(stop)
        while (case_id := todo.get()) is not None:
            outcome: Future[list[Page]] = Future()
            try:
                outcome.set_result(read(case_id))
            except BaseException as error:  # noqa: BLE001 - the caller raises it
                outcome.set_exception(error)
            come.put((case_id, outcome))

    crew = range(min(workers, len(asked)))
    try:
        for n in crew:
            todo.put(next(left))
            threading.Thread(target=work, name=f"casesnb-load-{n}", daemon=True).start()
        for _ in asked:
            done = come.get()
            for following in islice(left, 1):
                todo.put(following)
            yield done
    finally:
        stop.set()
        for _ in crew:
            todo.put(None)


def _unreadable(
    cases: Sequence[tuple[str, Sequence[Page]]],
) -> Iterator[tuple[str, PageError]]:
    """Yield the cases whose pages cannot be read, and why, halving to find them."""
    try:
        decode(page for _, pages in cases for page in pages)
    except PageError as error:
        if len(cases) == 1:
            yield cases[0][0], error
            return
        half = len(cases) // 2
        yield from _unreadable(cases[:half])
        yield from _unreadable(cases[half:])


def _unloaded(domain_id: str, case_id: str, error: Exception) -> dict[str, str]:
    """Return the row of a case that could not be loaded."""
    return {
        "domain_id": domain_id,
        "case_id": case_id,
        "error": error_code(error),
        "message": " ".join([str(error), *getattr(error, "__notes__", ())]),
    }


def _history(
    client: Client,
    domain_id: str,
    cases: Sequence[Sequence[Page]],
    unloaded: Sequence[Mapping[str, str]] = (),
    *,
    n_asked: int = 1,
    stopped: str = "",
) -> History:
    """Return the History of cases, each given as all its pages."""
    events, changes, counts = tidy(page for pages in cases for page in pages)
    partial = [stopped] if stopped else []
    if unloaded:
        partial.append(f"{len(unloaded)} of {n_asked} cases could not be loaded")
    certificate = _certificate(
        client, domain_id, cases, events, changes, counts, partial
    )
    for frame in (events, changes):
        frame.attrs["certificate"] = certificate.to_dict()
    not_loaded = pd.DataFrame(list(unloaded), columns=UNLOADED.names)
    return History(events, changes, certificate, UNLOADED.cast(not_loaded))


def _certificate(
    client: Client,
    domain_id: str,
    cases: Sequence[Sequence[Page]],
    events: pd.DataFrame,
    changes: pd.DataFrame,
    counts: Counts,
    partial: Sequence[str],
) -> Certificate:
    pages = [page for case in cases for page in case]
    told = set(events["case_id"].unique())
    full, empty = [
        [case for case in cases if (case[0].params["caseId"] in told) is is_told]
        for is_told in (True, False)
    ]
    created = events.loc[events["event_type"] == "Case.Created", "case_id"].nunique()
    known = events["performed_at"].agg(["min", "max"])
    reasons = [
        *partial,
        *_reasons(counts, n_without=len(cases) - created, n_cases=len(cases)),
    ]
    if not (cases or partial):
        reasons.append("no case was asked for")
    return Certificate(
        verdict="partial" if partial else "complete_but" if reasons else "complete",
        reasons=tuple(reasons),
        domain_id=domain_id,
        n_cases=len(cases),
        empty_cases=tuple(case[0].params["caseId"] for case in empty),
        n_pages=len(pages),
        n_events=len(events),
        n_changes=len(changes),
        n_nulls=counts.n_nulls,
        n_duplicates=counts.n_duplicates,
        n_unknowns=counts.unknowns.total(),
        n_ties=counts.n_ties,
        n_tokens=sum("nextToken" in page.params for page in pages),
        order_seen=counts.order_seen,
        n_retries=sum(page.retries for page in pages),
        n_throttles=sum(page.throttles for page in pages),
        first_event_at=_moment(known["min"]),
        last_event_at=_moment(known["max"]),
        has_creation=created == len(cases),
        reached_end=not partial and all(case[-1].next_token is None for case in cases),
        fetched_at=_fetched_at(pages),
        sha256=_sha256([*full, *empty]),
        source=source_of(client),
        boto3_version=version("boto3"),
        casesnb_version=version("casesnb"),
    )


def _reasons(counts: Counts, *, n_without: int, n_cases: int) -> Iterator[str]:
    if n_without:
        which = "the case" if n_cases == 1 else f"{n_without} of {n_cases} cases"
        yield f"no Case.Created for {which}, so the beginning may be missing"
    if counts.n_nulls:
        yield f"{counted(counts.n_nulls, 'null')} skipped"
    if counts.n_duplicates:
        yield f"{counted(counts.n_duplicates, 'event')} came twice, kept once"
    if counts.unknowns:
        named = ", ".join(
            f"{name} ({n})" for name, n in sorted(counts.unknowns.items())
        )
        yield f"unknown to casesnb, kept as they came: {named}"
    if counts.n_ties:
        ties = counted(counts.n_ties, "event")
        yield f"{ties} of one instant in an order that nothing decides"
    if counts.order_seen == "mixed":
        yield "pages in no order of time, put in order by time"


def _fetched_at(pages: Sequence[Page]) -> dt.datetime:
    # The service's own clock: a recording says when it was made, not when it is read.
    dates = [date for page in pages if (date := page.sent_at)]
    return max(dates, default=None) or dt.datetime.now(dt.UTC)


def _sha256(cases: Sequence[Sequence[Page]]) -> str:
    digests = []
    for pages in cases:
        digest = hashlib.sha256()
        for page in pages:
            digest.update(page.body)
        digests.append(digest.hexdigest())
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _moment(value: Any) -> dt.datetime | None:
    return None if pd.isna(value) else value.to_pydatetime().astimezone(dt.UTC)


def _shown(
    items: Iterable[_T],
    unit: str,
    *,
    progress: bool | Callable[[int], object],
    total: int | None = None,
) -> Iterable[_T]:
    if progress is False:
        return items
    if callable(progress):
        return _told(items, progress)
    from tqdm.auto import tqdm

    return cast("Iterable[_T]", tqdm(items, unit=f" {unit}", total=total))


def _told(items: Iterable[_T], tell: Callable[[int], object]) -> Iterator[_T]:
    for n, item in enumerate(items, 1):
        tell(n)
        yield item
