"""Ask, tidy, return: loaders that turn a client's answers into frames.

``iter_*`` yields what AWS sent; ``load_*`` returns frames. Every listing is read
to its last page or raises: a load is never quietly short.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import pandas as pd

from casesnb.tables.certificate import Certificate
from casesnb.tables.schema import (
    CASE_FIELDS,
    CASES,
    DOMAINS,
    FIELDS,
    OPTIONS,
    RELATED_ITEMS,
    TEMPLATES,
    UNLOADED,
    Table,
)
from casesnb.tables.tidy import OPERATION, tidy
from casesnb.tables.values import as_type, utc_text, value_text
from casesnb.wire.client import source_of
from casesnb.wire.pages import Page, PageError, ask, iter_pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from casesnb.tables.decode import Counts
    from casesnb.wire.client import Client

_T = TypeVar("_T")
_ITEM_CONTENTS = ("contact", "comment", "file", "sla", "connectCase")
_PAGE = 25  # the most that AWS gives in one audit page

SYSTEM_FIELDS = {
    "assigned_queue": "Text",
    "assigned_user": "User",
    "case_id": "Text",
    "case_reason": "SingleSelect",
    "created_by": "User",
    "created_datetime": "DateTime",
    "customer_id": "Text",
    "last_closed_datetime": "DateTime",
    "last_reopened_datetime": "DateTime",
    "last_updated_datetime": "DateTime",
    "last_updated_user": "User",
    "next_sla_breach_datetime": "DateTime",
    "reference_id": "Text",
    "reference_number": "Text",
    "status": "SingleSelect",
    "summary": "Text",
    "title": "Text",
}
"""The fields that every domain has, and their types."""

CASE_COLUMNS = (
    "title",
    "status",
    "assigned_user",
    "assigned_queue",
    "reference_number",
    "created_datetime",
    "last_updated_datetime",
)


@dataclass(frozen=True, slots=True, repr=False)
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


# --------------------------------------------------------------- what AWS sent


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
        yield from _items(page, "auditEvents")


def iter_cases(
    client: Client,
    domain_id: str,
    *,
    search: str | None = None,
    filter: Mapping[str, Any] | None = None,  # noqa: A002 - AWS's word
    sort: str | Sequence[str] | None = "-last_updated_datetime",
    fields: Iterable[str] = CASE_COLUMNS,
    page_size: int = 100,
) -> Iterator[dict[str, Any]]:
    """Yield the cases that match, as AWS sent them, page by page as needed.

    Parameters
    ----------
    client : Client
        Any boto3 ``connectcases`` client.
    domain_id : str
        The domain.
    search : str, optional
        Words to look for in the cases' text.
    filter : Mapping, optional
        Which cases: `where` writes it, or a ``CaseFilter`` as AWS documents it.
    sort : str or sequence of str, default "-last_updated_datetime"
        Up to two field ids, a minus before one for newest or largest first.
    fields : iterable of str
        The field ids whose values to ask for, at most 25.
    page_size : int, default 100
        Cases a page, 1 to 100.

    Yields
    ------
    dict
        One case's JSON.

    Raises
    ------
    PageError
        If an answer is not a whole page, or a token comes twice.
    botocore.exceptions.ClientError
        Whatever the service answers instead.
    """
    sorts = [sort] if isinstance(sort, str) else list(sort or ())
    asked = {
        "maxResults": page_size,
        "fields": [{"id": name} for name in fields],
        "sorts": [
            {
                "fieldId": name.removeprefix("-"),
                "sortOrder": "Desc" if name.startswith("-") else "Asc",
            }
            for name in sorts
        ],
    }
    if search:
        asked["searchTerm"] = search
    if filter is not None and len(filter):  # a CaseFilter is neither true nor false
        asked["filter"] = dict(filter)
    for page in iter_pages(client, "SearchCases", domainId=domain_id, **asked):
        yield from (case for case in _items(page, "cases") if case is not None)


# ------------------------------------------------------------------------ lists


def load_domains(client: Client) -> pd.DataFrame:
    """One row per Cases domain that the caller may list.

    Parameters
    ----------
    client : Client
        Any boto3 ``connectcases`` client.

    Returns
    -------
    DataFrame
        The columns of ``schema.DOMAINS``, by name.

    Raises
    ------
    botocore.exceptions.ClientError
        Whatever the service answers instead.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> list(cn.load_domains(client).columns)
    ['domain_id', 'domain_arn', 'name']
    """
    found = listed(client, "ListDomains", "domains", maxResults=10)
    rows = [
        {"domain_id": d["domainId"], "domain_arn": d["domainArn"], "name": d["name"]}
        for d in found
    ]
    return _table(DOMAINS, rows).sort_values(["name", "domain_id"], ignore_index=True)


def load_fields(
    client: Client, domain_id: str, *, field_ids: Iterable[str] = ()
) -> pd.DataFrame:
    """One row per field of a domain, system fields first, then by name.

    Parameters
    ----------
    client : Client
        Any boto3 ``connectcases`` client.
    domain_id : str
        The domain.
    field_ids : iterable of str
        Fields that a history mentions. Those that are no longer listed are asked
        for by name, which finds deleted fields; a field unknown to AWS has no row.

    Returns
    -------
    DataFrame
        The columns of ``schema.FIELDS``.

    Raises
    ------
    botocore.exceptions.ClientError
        Whatever the service answers instead.
    """
    found = list(
        listed(client, "ListFields", "fields", domainId=domain_id, maxResults=100)
    )
    known = {field["fieldId"] for field in found}
    others = [name for name in dict.fromkeys(field_ids) if name not in known]
    for some in _by(50, others):
        page = ask(
            client,
            "BatchGetField",
            {"domainId": domain_id, "fields": [{"id": name} for name in some]},
        )
        found.extend(field for field in _items(page, "fields") if field is not None)
    rows = [
        {
            "domain_id": domain_id,
            "field_id": f["fieldId"],
            "name": f["name"],
            "type": f["type"],
            "namespace": f["namespace"],
            "field_arn": f["fieldArn"],
            "is_deleted": bool(f.get("deleted", False)),
        }
        for f in found
    ]
    by = ["namespace", "name", "field_id"]
    return _table(FIELDS, rows).sort_values(
        by, ascending=[False, True, True], ignore_index=True
    )


def load_options(
    client: Client, domain_id: str, field_ids: Iterable[str] | None = None
) -> pd.DataFrame:
    """One row per option of a domain's single-select fields, in AWS's order.

    Parameters
    ----------
    client : Client
        Any boto3 ``connectcases`` client.
    domain_id : str
        The domain.
    field_ids : iterable of str, optional
        The fields; all single-select fields of the domain otherwise.

    Returns
    -------
    DataFrame
        The columns of ``schema.OPTIONS``, inactive options among them.

    Raises
    ------
    botocore.exceptions.ClientError
        Whatever the service answers instead.
    """
    if field_ids is None:
        fields = load_fields(client, domain_id)
        field_ids = fields.loc[fields["type"] == "SingleSelect", "field_id"]
    rows = [
        {
            "domain_id": domain_id,
            "field_id": field_id,
            "value": option["value"],
            "name": option["name"],
            "is_active": bool(option.get("active", True)),
        }
        for field_id in dict.fromkeys(field_ids)
        for option in listed(
            client,
            "ListFieldOptions",
            "options",
            domainId=domain_id,
            fieldId=field_id,
            maxResults=100,
        )
    ]
    return _table(OPTIONS, rows)


def load_templates(client: Client, domain_id: str) -> pd.DataFrame:
    """One row per template of a domain, active or not, by name.

    Parameters
    ----------
    client : Client
        Any boto3 ``connectcases`` client.
    domain_id : str
        The domain.

    Returns
    -------
    DataFrame
        The columns of ``schema.TEMPLATES``.

    Raises
    ------
    botocore.exceptions.ClientError
        Whatever the service answers instead.
    """
    found = listed(
        client,
        "ListTemplates",
        "templates",
        domainId=domain_id,
        maxResults=100,
        status=["Active", "Inactive"],
    )
    rows = [
        {
            "domain_id": domain_id,
            "template_id": t["templateId"],
            "name": t["name"],
            "template_arn": t["templateArn"],
            "is_active": t["status"] == "Active",
        }
        for t in found
    ]
    by = ["name", "template_id"]
    return _table(TEMPLATES, rows).sort_values(by, ignore_index=True)


def load_cases(
    client: Client,
    domain_id: str,
    *,
    search: str | None = None,
    filter: Mapping[str, Any] | None = None,  # noqa: A002 - AWS's word
    sort: str | Sequence[str] | None = "-last_updated_datetime",
    fields: Iterable[str] = CASE_COLUMNS,
    limit: int | None = None,
) -> pd.DataFrame:
    """One row per case that matches, with the fields asked for as they stand.

    Parameters
    ----------
    client : Client
        Any boto3 ``connectcases`` client.
    domain_id : str
        The domain.
    search : str, optional
        Words to look for in the cases' text.
    filter : Mapping, optional
        Which cases: `where` writes it, or a ``CaseFilter`` as AWS documents it.
    sort : str or sequence of str, default "-last_updated_datetime"
        Up to two field ids, a minus before one for newest or largest first.
    fields : iterable of str
        The field ids whose values to ask for, at most 25.
    limit : int, optional
        Stop after so many cases; all of them otherwise.

    Returns
    -------
    DataFrame
        The columns of ``schema.CASES`` and one per field: times in UTC, numbers
        as Float64, booleans as boolean, all else as text.

    Raises
    ------
    botocore.exceptions.ClientError
        Whatever the service answers instead.
    """
    names = list(dict.fromkeys(fields))
    rows = []
    page_size = 100 if limit is None else max(1, min(limit, 100))
    found = iter_cases(
        client,
        domain_id,
        search=search,
        filter=filter,
        sort=sort,
        fields=names,
        page_size=page_size,
    )
    if limit != 0:
        for case in found:
            row = {
                "domain_id": domain_id,
                "case_id": case["caseId"],
                "template_id": case.get("templateId"),
            }
            row |= {f["id"]: value_text(f.get("value"))[1] for f in case["fields"] if f}
            rows.append(row)
            if len(rows) == limit:
                break
    types = _field_types(client, domain_id, names) if rows else SYSTEM_FIELDS
    frame = _table(CASES, rows)
    for name in names:
        if name not in frame:
            text = pd.Series([row.get(name) for row in rows], dtype="str")
            frame[name] = as_type(text, types.get(name, "Text"))
    return frame


def load_case(
    client: Client, domain_id: str, case_id: str, *, fields: Iterable[str] | None = None
) -> pd.DataFrame:
    """One row per field of a case, as it stands now.

    Parameters
    ----------
    client : Client
        Any boto3 ``connectcases`` client.
    domain_id : str
        The domain.
    case_id : str
        The case.
    fields : iterable of str, optional
        The field ids to ask for; all of the domain's otherwise.

    Returns
    -------
    DataFrame
        The columns of ``schema.CASE_FIELDS``, in the order asked. A field that
        the service left out has no row.

    Raises
    ------
    botocore.exceptions.ClientError
        Whatever the service answers instead.
    """
    if fields is None:
        fields = load_fields(client, domain_id)["field_id"]
    names = list(dict.fromkeys(fields))
    rows = []
    for some in _by(220, names):  # the most that one call takes
        asked = [{"id": name} for name in some]
        for page in iter_pages(
            client, "GetCase", domainId=domain_id, caseId=case_id, fields=asked
        ):
            for item in _items(page, "fields"):
                if item is not None:
                    kind, text = value_text(item.get("value"))
                    rows.append(
                        {
                            "domain_id": domain_id,
                            "case_id": case_id,
                            "field_id": item["id"],
                            "kind": kind,
                            "value": text,
                        }
                    )
    return _table(CASE_FIELDS, rows)


def load_related_items(client: Client, domain_id: str, case_id: str) -> pd.DataFrame:
    """One row per related item of a case, as it stands now, oldest first.

    Parameters
    ----------
    client : Client
        Any boto3 ``connectcases`` client.
    domain_id : str
        The domain.
    case_id : str
        The case.

    Returns
    -------
    DataFrame
        The columns of ``schema.RELATED_ITEMS``. Deleted items have no row here;
        the history tells of them.

    Raises
    ------
    PageError
        If a time cannot be read.
    botocore.exceptions.ClientError
        Whatever the service answers instead.
    """
    rows = []
    for page in iter_pages(
        client, "SearchRelatedItems", domainId=domain_id, caseId=case_id, maxResults=25
    ):
        for item in _items(page, "relatedItems"):
            if item is None:
                continue
            content = item.get("content") or {}
            inner = {name: content.get(name) or {} for name in _ITEM_CONTENTS}
            sla = inner["sla"].get("slaConfiguration") or {}
            by = item.get("performedBy") or {}
            rows.append(
                {
                    "domain_id": domain_id,
                    "case_id": case_id,
                    "related_item_id": item["relatedItemId"],
                    "related_item_type": item["type"],
                    "associated_at": _time(page, item.get("associationTime")),
                    "user_arn": by.get("userArn"),
                    "custom_entity": by.get("customEntity"),
                    "contact_arn": inner["contact"].get("contactArn"),
                    "channel": inner["contact"].get("channel"),
                    "comment": inner["comment"].get("body"),
                    "file_arn": inner["file"].get("fileArn"),
                    "sla_name": sla.get("name"),
                    "sla_status": sla.get("status"),
                    "sla_target_at": _time(page, sla.get("targetTime")),
                    "sla_completed_at": _time(page, sla.get("completionTime")),
                    "linked_case_id": inner["connectCase"].get("caseId"),
                    "content": json.dumps(content, ensure_ascii=False),
                }
            )
    by_time = ["associated_at", "related_item_id"]
    return _table(RELATED_ITEMS, rows).sort_values(by_time, ignore_index=True)


# -------------------------------------------------------------------- histories


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
    read = list(_shown(pages, "pages", progress=progress))
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

    Ctrl-C stops it and returns the cases that are whole by then; the
    certificate says that it is partial.

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
        ``History.unloaded`` while the rest goes on.
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
    ValueError
        If `errors` is neither of the two or `workers` is below 1.
    PageError
        If an answer is not a whole page, or a token comes twice.
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
    if workers < 1:
        raise ValueError(f"workers={workers} asks for nobody. Give 1 or more.")
    asked = list(dict.fromkeys(case_ids))
    stop = threading.Event()

    def read(case_id: str) -> list[Page]:
        pages = []
        for page in iter_audit_pages(client, domain_id, case_id, page_size=page_size):
            pages.append(page)
            if stop.is_set():
                raise _Stopped
        return pages

    whole: dict[str, list[Page]] = {}
    failed: dict[str, dict[str, str]] = {}
    stopped = None
    pool = ThreadPoolExecutor(min(workers, max(1, len(asked))), "casesnb-load")
    try:
        # A case at a time is handed over as a worker falls free: an error or Ctrl-C
        # finds few requests under way and none waiting.
        for case_id, outcome in _shown(
            _as_they_come(pool, workers, read, asked),
            "cases",
            progress=progress,
            total=len(asked),
        ):
            error = outcome.exception()
            if error is None:
                whole[case_id] = outcome.result()
            elif errors == "raise" or not isinstance(error, Exception):
                raise error
            else:
                failed[case_id] = {
                    "domain_id": domain_id,
                    "case_id": case_id,
                    "error": _kind(error),
                    "message": str(error),
                }
    except KeyboardInterrupt:
        stopped = f"stopped after {len(whole)} of {len(asked)} cases"
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
    return _history(
        client,
        domain_id,
        [whole[case_id] for case_id in asked if case_id in whole],
        [failed[case_id] for case_id in asked if case_id in failed],
        stopped,
    )


class _Stopped(Exception):  # noqa: N818 - never seen outside
    """The load was given up while this case was being read."""


def _as_they_come(
    pool: ThreadPoolExecutor,
    workers: int,
    read: Callable[[str], list[Page]],
    asked: Sequence[str],
) -> Iterator[tuple[str, Future[list[Page]]]]:
    """Yield each case's outcome when it is there, keeping every worker busy."""
    left = iter(asked)
    running = {pool.submit(read, case): case for case in islice(left, workers)}
    while running:
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for outcome in done:
            case_id = running.pop(outcome)
            for following in islice(left, 1):
                running[pool.submit(read, following)] = following
            yield case_id, outcome


def _kind(error: Exception) -> str:
    """Return an error's name as AWS gives it, or as Python does."""
    answer = getattr(error, "response", None) or {}
    return str(answer.get("Error", {}).get("Code") or type(error).__name__)


def _history(
    client: Client,
    domain_id: str,
    cases: Sequence[Sequence[Page]],
    unloaded: Sequence[Mapping[str, str]] = (),
    stopped: str | None = None,
) -> History:
    """Return the History of whole cases, each given as all its pages."""
    events, changes, counts = tidy(page for pages in cases for page in pages)
    certificate = _certificate(
        client, domain_id, cases, events, changes, counts, unloaded, stopped
    )
    for frame in (events, changes):
        frame.attrs["certificate"] = certificate.to_dict()
    return History(events, changes, certificate, _table(UNLOADED, unloaded))


def _certificate(
    client: Client,
    domain_id: str,
    cases: Sequence[Sequence[Page]],
    events: pd.DataFrame,
    changes: pd.DataFrame,
    counts: Counts,
    unloaded: Sequence[Mapping[str, str]],
    stopped: str | None,
) -> Certificate:
    pages = [page for case in cases for page in case]
    created = events.loc[events["event_type"] == "Case.Created", "case_id"].nunique()
    known = events["performed_at"].agg(["min", "max"])
    partial = [stopped] if stopped else []
    if len(unloaded):
        partial.append(
            f"{len(unloaded)} of {len(cases) + len(unloaded)} cases could not be loaded"
        )
    reasons = [
        *partial,
        *_reasons(counts, n_without=len(cases) - created, n_cases=len(cases)),
    ]
    return Certificate(
        verdict="partial" if partial else "complete_but" if reasons else "complete",
        reasons=tuple(reasons),
        domain_id=domain_id,
        n_cases=len(cases),
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
        sha256=_sha256(cases),
        source=source_of(client),
        boto3_version=version("boto3"),
        casesnb_version=version("casesnb"),
    )


def _reasons(counts: Counts, *, n_without: int, n_cases: int) -> Iterator[str]:
    if n_without:
        which = "the case" if n_cases == 1 else f"{n_without} of {n_cases} cases"
        yield f"no Case.Created for {which}, so the beginning may be missing"
    if counts.n_nulls:
        yield f"{counts.n_nulls} nulls skipped"
    if counts.n_duplicates:
        yield f"{counts.n_duplicates} events came twice, kept once"
    if counts.unknowns:
        named = ", ".join(
            f"{name} ({n})" for name, n in sorted(counts.unknowns.items())
        )
        yield f"unknown to casesnb, kept as they came: {named}"
    if counts.n_ties:
        yield f"{counts.n_ties} events of one instant in an order that nothing decides"
    if counts.order_seen == "mixed":
        yield "pages in no order of time, put in order by time"


def _fetched_at(pages: Sequence[Page]) -> dt.datetime:
    # The service's own clock: a recording says when it was made, not when it is read.
    dates = [parsedate_to_datetime(page.date) for page in pages if page.date]
    return max(dates).astimezone(dt.UTC) if dates else dt.datetime.now(dt.UTC)


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


# ---------------------------------------------------------------------- reading


def _items(page: Page, member: str) -> list[Any]:
    """Return a page's list, null items and all."""
    items = json.loads(page.body).get(member)
    if not isinstance(items, list):
        raise PageError(f"{page} holds no list of {member}. Load it again.")
    return items


def listed(
    client: Client, operation: str, member: str, **params: Any
) -> Iterator[dict[str, Any]]:
    """Yield the items of any listing to its last page, nulls left out.

    Parameters
    ----------
    client : Client
        Any boto3 client that has the operation.
    operation : str
        The operation's name, such as ``"ListFields"``.
    member : str
        The answer's member that holds the list.
    **params : Any
        The call's own parameters, as boto3 spells them.

    Yields
    ------
    dict
        One item's JSON.

    Raises
    ------
    PageError
        If an answer is not a whole page, or a token comes twice.
    """
    for page in iter_pages(client, operation, **params):
        yield from (item for item in _items(page, member) if item is not None)


def _time(page: Page, value: Any) -> Any:
    """Return a time as AWS may send it, in UTC."""
    if value is None:
        return None
    try:
        return pd.Timestamp(utc_text(value))
    except (ValueError, OverflowError, OSError, TypeError) as error:
        raise PageError(f"{page} has {value!r:.80} where a time should be.") from error


def _by(size: int, items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield `items` in groups of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _table(table: Table, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    return table.cast(pd.DataFrame(list(rows), columns=table.names))


def _field_types(
    client: Client, domain_id: str, names: Sequence[str]
) -> Mapping[str, str]:
    if all(name in SYSTEM_FIELDS for name in names):
        return SYSTEM_FIELDS
    known = load_fields(client, domain_id)
    return {**SYSTEM_FIELDS, **dict(zip(known["field_id"], known["type"], strict=True))}


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
