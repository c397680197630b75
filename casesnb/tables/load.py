"""Ask, tidy, return: loaders that turn a client's lists into frames.

``iter_*`` yields what AWS sent; ``load_*`` returns frames. Every listing is read
to its last page or raises: a load is never quietly short.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from casesnb.tables.arguments import as_ids
from casesnb.tables.certificate import counted
from casesnb.tables.schema import (
    CASE_FIELDS,
    CASES,
    DOMAINS,
    FIELDS,
    OPTIONS,
    RELATED_ITEMS,
    SYSTEM_FIELDS,
    TEMPLATES,
    TEXT_TYPE,
    Table,
)
from casesnb.tables.values import as_type, utc_text, value_text
from casesnb.wire.pages import PageError, ask, iter_pages
from casesnb.wire.text import shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from casesnb.wire.client import Client
    from casesnb.wire.pages import Page

_T = TypeVar("_T")
_ITEM_CONTENTS = ("contact", "comment", "file", "sla", "connectCase")

CASE_COLUMNS = (
    "title",
    "status",
    "assigned_user",
    "assigned_queue",
    "reference_number",
    "created_datetime",
    "last_updated_datetime",
)


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
    """Return the cases that match, as AWS sent them, page by page as needed.

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

    Returns
    -------
    iterator of dict
        Each case's JSON.

    Raises
    ------
    TypeError
        If `filter` is no mapping, or `fields` are no ids.
    PageError
        If an answer is not a whole page, or a token comes twice.
    botocore.exceptions.ClientError
        Whatever the service answers instead.
    """
    asked = search_params(search, filter, sort, as_ids(fields), page_size)
    return listed(client, "SearchCases", "cases", domainId=domain_id, **asked)


def search_params(
    search: str | None,
    filter: Mapping[str, Any] | None,  # noqa: A002 - AWS's word
    sort: str | Sequence[str] | None,
    fields: Sequence[str],
    page_size: int,
) -> dict[str, Any]:
    """Return what to ask SearchCases."""
    if filter is not None and not isinstance(filter, Mapping):
        raise TypeError(
            f"filter={filter!r}: give cn.where('status') == 'open', or a CaseFilter."
        )
    sorts = [sort] if isinstance(sort, str) else list(sort or ())
    asked: dict[str, Any] = {
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
    return asked


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

    def row(item: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "domain_id": item["domainId"],
            "domain_arn": item["domainArn"],
            "name": item["name"],
        }

    rows = listed(client, "ListDomains", "domains", row, maxResults=10)
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
        for by name, which finds deleted fields; a field unknown to AWS has no row,
        nor has a related item's own member, such as ``comment.body``.

    Returns
    -------
    DataFrame
        The columns of ``schema.FIELDS``.

    Raises
    ------
    botocore.exceptions.ClientError
        Whatever the service answers instead.
    """
    mentioned = as_ids(field_ids)

    def row(item: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "domain_id": domain_id,
            "field_id": item["fieldId"],
            "name": item["name"],
            "type": item["type"],
            "namespace": item["namespace"],
            "field_arn": item["fieldArn"],
            "is_deleted": bool(item.get("deleted", False)),
        }

    rows = list(
        listed(client, "ListFields", "fields", row, domainId=domain_id, maxResults=100)
    )
    known = {each["field_id"] for each in rows}
    others = [name for name in mentioned if name not in known and is_field(name)]
    for some in _by(50, others):
        page = ask(
            client,
            "BatchGetField",
            {"domainId": domain_id, "fields": [{"id": name} for name in some]},
        )
        rows.extend(_rows(page, "fields", row))
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

    def row(field_id: str, item: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "domain_id": domain_id,
            "field_id": field_id,
            "value": item["value"],
            "name": item["name"],
            "is_active": bool(item.get("active", True)),
        }

    rows = [
        found
        for field_id in as_ids(field_ids)
        for found in listed(
            client,
            "ListFieldOptions",
            "options",
            partial(row, field_id),
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

    def row(item: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "domain_id": domain_id,
            "template_id": item["templateId"],
            "name": item["name"],
            "template_arn": item["templateArn"],
            "is_active": item["status"] == "Active",
        }

    rows = listed(
        client,
        "ListTemplates",
        "templates",
        row,
        domainId=domain_id,
        maxResults=100,
        status=["Active", "Inactive"],
    )
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
        as Float64, booleans as boolean, all else as text. A value of a kind that
        casesnb does not know is missing here; `load_case_fields` names its kind.
        A case that came on two pages, as the list moved while it was read, has
        one row, and a warning counts such cases.

    Raises
    ------
    TypeError
        If `fields` are no ids, or `filter` is none.
    ValueError
        If `limit` is below 0.
    botocore.exceptions.ClientError
        Whatever the service answers instead.
    """
    if limit is not None and limit < 0:
        raise ValueError(f"limit={limit}: give how many cases to stop after.")
    names = as_ids(fields)

    def row(item: Mapping[str, Any]) -> dict[str, Any]:
        held = {
            "domain_id": domain_id,
            "case_id": item["caseId"],
            "template_id": item.get("templateId"),
        }
        for each in item["fields"]:
            if each is not None:
                kind, text = value_text(each.get("value"))
                held[each["id"]] = None if kind == "unknown" else text
        return held

    page_size = 100 if limit is None else max(1, min(limit, 100))
    asked = search_params(search, filter, sort, names, page_size)
    found = listed(client, "SearchCases", "cases", row, domainId=domain_id, **asked)
    rows = _each_once(found, limit)
    types = _field_types(client, domain_id, names)
    frame = _table(CASES, rows)
    for name in names:
        if name not in frame:
            text = pd.Series([row.get(name) for row in rows], dtype=TEXT_TYPE)
            frame[name] = as_type(text, types.get(name, "Text"))
    return frame


def load_case_fields(
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
    names = as_ids(fields)

    def row(item: Mapping[str, Any]) -> dict[str, Any]:
        kind, text = value_text(item.get("value"))
        return {
            "domain_id": domain_id,
            "case_id": case_id,
            "field_id": item["id"],
            "kind": kind,
            "value": text,
        }

    rows: list[dict[str, Any]] = []
    for some in _by(220, names):  # the most that one call takes
        asked = [{"id": name} for name in some]
        about = {"domainId": domain_id, "caseId": case_id, "fields": asked}
        rows.extend(listed(client, "GetCase", "fields", row, **about))
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

    def row(item: Mapping[str, Any]) -> dict[str, Any]:
        content = item.get("content") or {}
        inner = {name: content.get(name) or {} for name in _ITEM_CONTENTS}
        sla = inner["sla"].get("slaConfiguration") or {}
        by = item.get("performedBy") or {}
        return {
            "domain_id": domain_id,
            "case_id": case_id,
            "related_item_id": item["relatedItemId"],
            "related_item_type": item["type"],
            "associated_at": _time(item.get("associationTime")),
            "user_arn": by.get("userArn"),
            "custom_entity": by.get("customEntity"),
            "contact_arn": inner["contact"].get("contactArn"),
            "channel": inner["contact"].get("channel"),
            "comment": inner["comment"].get("body"),
            "file_arn": inner["file"].get("fileArn"),
            "sla_name": sla.get("name"),
            "sla_status": sla.get("status"),
            "sla_target_at": _time(sla.get("targetTime")),
            "sla_completed_at": _time(sla.get("completionTime")),
            "linked_case_id": inner["connectCase"].get("caseId"),
            "content": json.dumps(content, ensure_ascii=False),
        }

    about = {"domainId": domain_id, "caseId": case_id, "maxResults": 25}
    rows = listed(client, "SearchRelatedItems", "relatedItems", row, **about)
    by_time = ["associated_at", "related_item_id"]
    return _table(RELATED_ITEMS, rows).sort_values(by_time, ignore_index=True)


# ---------------------------------------------------------------------- reading


def is_field(field_id: str) -> bool:
    """Say whether an id of a history's changes is that of a field of the case."""
    return "." not in field_id


def listed(
    client: Client,
    operation: str,
    member: str,
    row: Callable[[Mapping[str, Any]], dict[str, Any]] = dict,
    /,
    **params: Any,
) -> Iterator[dict[str, Any]]:
    """Yield the items of any listing to its last page, nulls left out."""
    for page in iter_pages(client, operation, **params):
        yield from _rows(page, member, row)


def _rows(
    page: Page, member: str, row: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    for item in page.items(member):
        if item is None:
            continue
        try:
            made = row(item)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            why = f"no {error.args[0]}" if isinstance(error, KeyError) else error
            raise PageError(
                f"{page} holds {shape(item)} that is not one of {member} ({why})."
            ) from error
        yield made


def _each_once(found: Iterator[dict[str, Any]], most: int | None) -> list[Any]:
    """Return the first cases, each once and as it came last; say if one came twice."""
    rows: dict[str, dict[str, Any]] = {}
    n_twice = 0
    while most is None or len(rows) < most:
        row = next(found, None)
        if row is None:
            break
        n_twice += row["case_id"] in rows
        rows[row["case_id"]] = row
    if n_twice:
        warnings.warn(
            f"{counted(n_twice, 'case')} came twice: the list changed while its pages "
            "were read, so others may be missing. Load it again, with a sort that does "
            "not move, such as sort='created_datetime'.",
            stacklevel=3,
        )
    return list(rows.values())


def _time(value: Any) -> Any:
    """Return a time as AWS may send it, in UTC."""
    if value is None:
        return None
    try:
        return pd.Timestamp(utc_text(value))
    except (ValueError, OverflowError, OSError, TypeError) as error:
        raise ValueError(f"{shape(value)} is not a time") from error


def _by(size: int, items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield `items` in groups of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _table(table: Table, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    return table.cast(pd.DataFrame(list(rows), columns=table.names))


def _field_types(
    client: Client, domain_id: str, names: Sequence[str]
) -> Mapping[str, str]:
    if all(name in SYSTEM_FIELDS for name in names):
        return SYSTEM_FIELDS
    known = load_fields(client, domain_id)
    return {**SYSTEM_FIELDS, **dict(zip(known["field_id"], known["type"], strict=True))}
