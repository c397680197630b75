"""Ask, tidy, return: what happened to cases, and how complete that is.

One case or many, each read to its last page; a load that falls short raises, or
its certificate says so.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Literal

from casesnb.tables.arguments import as_ids, need_whole
from casesnb.tables.certificate import counted
from casesnb.tables.history_builder import HistoryBuilder
from casesnb.tables.progress import shown
from casesnb.tables.raw import PAGE_SIZE, iter_audit_pages
from casesnb.tables.workers import as_they_come, unloaded
from casesnb.wire.calls import Until, paced, time_limit
from casesnb.wire.client import source_of
from casesnb.wire.errors import error_code, is_locked_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd

    from casesnb.tables.archive import Archive
    from casesnb.tables.history import History
    from casesnb.wire.client import Client
    from casesnb.wire.limits import Pace
    from casesnb.wire.pages import Page


def load_history(
    client: Client,
    domain_id: str,
    case_id: str,
    *,
    page_size: int = PAGE_SIZE,
    pace: Pace | None = None,
    timeout: float | None = None,
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
    pace : bool, float or "full", optional
        How fast to ask in this load, as `connect` takes it; the client's own pace
        otherwise.
    timeout : float, optional
        Seconds after which the load ends; as long as it takes otherwise.
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
    LoadTimeout
        If it takes longer than `timeout`; what came is the error's ``history``.
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
    builder = HistoryBuilder(source_of(client), [(domain_id, case_id)])
    n_pages = 0
    try:
        with paced(client, pace), time_limit(timeout):
            for page in shown(pages, "pages", progress=progress):
                builder.add(page)
                n_pages += 1
    except BaseException as error:
        if n_pages:
            what = counted(n_pages, "page")
            part = builder.history(
                ended_by=f"ended by {error_code(error)} after {what}"
            )
            _hand_over(error, part, what)
        raise
    history = builder.history()
    for odd in builder.odd.values():
        raise odd
    return history


def load_histories(
    client: Client,
    domain_id: str,
    case_ids: Iterable[str],
    *,
    workers: int = 8,
    errors: Literal["raise", "collect"] = "raise",
    page_size: int = PAGE_SIZE,
    into: Archive | None = None,
    pace: Pace | None = None,
    timeout: float | None = None,
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
    into : Archive, optional
        Where to keep each page as it comes. A load that ended early and is begun
        again within a day, with the same cases, goes on where it stopped.
    pace : bool, float or "full", optional
        How fast to ask in this load, as `connect` takes it; the client's own pace
        otherwise.
    timeout : float, optional
        Seconds after which the load ends; as long as it takes otherwise.
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
    LoadTimeout
        If it takes longer than `timeout`.
    ArchiveError
        If the archive cannot be written.
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
    need_whole(workers, "workers", 1)
    if into is not None and not hasattr(into, "going_on"):
        raise TypeError(f"into={into!r} is no archive. Give cn.Archive({str(into)!r}).")
    asked = as_ids(case_ids)
    builder = HistoryBuilder(source_of(client), [(domain_id, name) for name in asked])
    whole: dict[str, None] = {}
    failed: dict[str, dict[str, str]] = {}

    def set_down_odd() -> None:
        """Count no case as whole that no table can hold."""
        builder.read_rest()
        for (_, case_id), odd in builder.odd.items():
            whole.pop(case_id, None)
            if errors == "collect":
                failed[case_id] = unloaded(domain_id, case_id, odd)

    def history(ended_by: str = "") -> History[pd.DataFrame]:
        return builder.history(
            [(domain_id, name) for name in whole],
            unloaded=[failed[name] for name in asked if name in failed],
            ended_by=ended_by,
        )

    def ask(case_id: str) -> list[Page]:
        return list(iter_audit_pages(client, domain_id, case_id, page_size=page_size))

    read: Callable[[str], list[Page]] = ask

    stop = Until(timeout)
    try:
        with ExitStack() as opened:
            opened.enter_context(paced(client, pace))
            if into is not None:
                read = opened.enter_context(
                    into.going_on(client, domain_id, asked, page_size=page_size)
                )
            crew = as_they_come(read, asked, stop, workers=workers)
            opened.enter_context(closing(crew))
            for case_id, outcome in shown(
                crew, "cases", progress=progress, total=len(asked)
            ):
                error = outcome.exception()
                if error is None:
                    for page in outcome.result():
                        builder.add(page)
                    whole[case_id] = None
                elif (
                    errors == "raise"
                    or not isinstance(error, Exception)
                    or is_locked_out(error)
                ):
                    raise error
                else:
                    failed[case_id] = unloaded(domain_id, case_id, error)
                if builder.odd and errors == "raise":
                    break
        set_down_odd()
        if builder.odd and errors == "raise":
            raise next(iter(builder.odd.values()))
        return history()
    except BaseException as error:
        set_down_odd()
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
