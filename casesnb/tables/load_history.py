"""Ask, tidy, return: what happened to cases, and how complete that is.

One case or many, each read to its last page; a load that falls short raises, or
its certificate says so.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import threading
from concurrent.futures import Future
from contextlib import closing
from importlib.metadata import version
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Literal, TypeVar, cast

import pandas as pd

from casesnb.tables.arguments import as_ids
from casesnb.tables.certificate import Certificate, counted
from casesnb.tables.decode import Counts, decode
from casesnb.tables.history import History
from casesnb.tables.raw import PAGE_SIZE, iter_audit_pages
from casesnb.tables.schema import CAPTURES, TIME, UNLOADED
from casesnb.tables.tidy import tidy
from casesnb.wire.client import source_of
from casesnb.wire.pages import (
    Page,
    PageError,
    ask_until,
    error_code,
    is_locked_out,
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

    from casesnb.wire.client import Client

_T = TypeVar("_T")


def load_history(
    client: Client,
    domain_id: str,
    case_id: str,
    *,
    page_size: int = PAGE_SIZE,
    progress: bool | Callable[[int], object] = False,
) -> History[pd.DataFrame]:
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
        The events, the changes and the `Certificate` of the load.

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
            part = _history(client, {(domain_id, case_id): read}, ended_by=came)
            _hand_over(error, part, counted(len(read), "page"))
        raise
    return _history(client, {(domain_id, case_id): read})


def load_histories(
    client: Client,
    domain_id: str,
    case_ids: Iterable[str],
    *,
    workers: int = 8,
    errors: Literal["raise", "collect"] = "raise",
    page_size: int = PAGE_SIZE,
    progress: bool | Callable[[int], object] = False,
) -> History[pd.DataFrame]:
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
        and one `Certificate`.

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

    def history(ended_by: str = "") -> History[pd.DataFrame]:
        return _history(
            client,
            {(domain_id, name): whole[name] for name in asked if name in whole},
            [failed[case_id] for case_id in asked if case_id in failed],
            ended_by=ended_by,
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


def _hand_over(error: BaseException, part: History[pd.DataFrame], what: str) -> None:
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
    cases: Mapping[tuple[str, str], Sequence[Page]],
    unloaded: Sequence[Mapping[str, str]] = (),
    *,
    ended_by: str = "",
) -> History[pd.DataFrame]:
    """Return the History of cases, each given as all its pages."""
    events, changes, counts = tidy(page for pages in cases.values() for page in pages)
    certificate = Certificate(
        captures=_captures(client, cases, events, counts),
        unloaded=UNLOADED.cast(pd.DataFrame([*unloaded], columns=UNLOADED.names)),
        ended_by=ended_by,
    )
    return History(events, changes, certificate)


def _captures(
    client: Client,
    cases: Mapping[tuple[str, str], Sequence[Page]],
    events: pd.DataFrame,
    counts: Mapping[tuple[str, str], Counts],
) -> pd.DataFrame:
    """Return what came for each case; those without an event last."""
    of_case = events.groupby(["domain_id", "case_id"], observed=True, sort=False)
    at = of_case["performed_at"].agg(["size", "min", "max"])
    n_changes = of_case["n_changes"].sum()
    created = {*_keys(events[events["event_type"] == "Case.Created"])}
    counts_of = zip(at["size"], n_changes, at["min"], at["max"], strict=True)
    told = dict(zip(at.index, counts_of, strict=True))
    now = dt.datetime.now(dt.UTC)
    provenance = {
        "source": source_of(client),
        "boto3_version": version("boto3"),
        "casesnb_version": version("casesnb"),
    }
    rows = []
    for key in sorted(cases, key=lambda key: key not in told):
        pages, seen = cases[key], counts.get(key, Counts())
        n_events, n_fields, first, last = told.get(key, (0, 0, None, None))
        body = hashlib.sha256()
        for page in pages:
            body.update(page.body)
        rows.append(
            {
                "domain_id": key[0],
                "case_id": key[1],
                "n_pages": len(pages),
                "n_events": n_events,
                "n_changes": n_fields,
                "n_nulls": seen.n_nulls,
                "n_duplicates": seen.n_duplicates,
                "n_conflicts": seen.n_conflicts,
                "n_ties": seen.n_ties,
                "n_tokens": sum("nextToken" in page.params for page in pages),
                "n_retries": sum(page.retries for page in pages),
                "n_throttles": sum(page.throttles for page in pages),
                "unknowns": json.dumps(seen.unknowns) if seen.unknowns else None,
                "order_seen": seen.order_seen,
                "first_event_at": first,
                "last_event_at": last,
                "has_creation": key in created,
                "reached_end": pages[-1].next_token is None,
                # The service's own clock: a recording says when it was made.
                "fetched_at": max(
                    (sent for page in pages if (sent := page.sent_at)), default=now
                ),
                "sha256": body.hexdigest(),
                **provenance,
            }
        )
    frame = pd.DataFrame(rows, columns=CAPTURES.names)
    for column in CAPTURES.columns:
        if column.dtype == TIME:
            frame[column.name] = pd.to_datetime(frame[column.name], utc=True)
    return CAPTURES.cast(frame)


def _keys(frame: pd.DataFrame) -> Iterator[tuple[str, str]]:
    return zip(frame["domain_id"], frame["case_id"], strict=True)


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
