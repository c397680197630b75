"""Raw audit pages to tidy frames: pure, and in order."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from casesnb.tables.decode import Counts, Decoded, decode, side_by_side
from casesnb.tables.order import ORDER_BY, in_order
from casesnb.tables.schema import (
    CHANGES,
    EVENTS,
    ID,
    SERVICE_ROLE,
    TEXT,
    TEXT_TYPE,
    Table,
)
from casesnb.wire.pages import Page, as_body

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    RawPage = Page | bytes | str | Mapping[str, Any]

OPERATION = "GetCaseAuditEvents"


def events_frame(
    pages: Iterable[RawPage],
    *,
    domain_id: str | None = None,
    case_id: str | None = None,
) -> pd.DataFrame:
    """One row per audit event, oldest first, from raw pages.

    Parameters
    ----------
    pages : iterable of Page, bytes, str or Mapping
        Answers of ``GetCaseAuditEvents``: pages of `iter_pages`, bodies as
        text, or what boto3 returned.
    domain_id : str, optional
        The domain, where the pages do not carry it.
    case_id : str, optional
        The case, where the pages do not carry it.

    Returns
    -------
    DataFrame
        The columns of ``schema.EVENTS``.

    Raises
    ------
    PageError
        If a page cannot be read as what it claims to be.
    ValueError
        If the pages do not say which case they belong to.

    See Also
    --------
    changes_frame : One row per field of an event.

    Examples
    --------
    >>> page = {"auditEvents": [{
    ...     "eventId": "e1", "type": "Case.Created",
    ...     "performedTime": "2026-03-02T09:00:00Z", "fields": []}]}
    >>> events = events_frame([page], domain_id="d", case_id="c")
    >>> events.loc[0, "event_type"]
    'Case.Created'
    """
    return tidy(pages, domain_id=domain_id, case_id=case_id)[0]


def changes_frame(
    pages: Iterable[RawPage],
    *,
    domain_id: str | None = None,
    case_id: str | None = None,
) -> pd.DataFrame:
    """One row per field of an audit event, oldest first, from raw pages.

    Parameters
    ----------
    pages : iterable of Page, bytes, str or Mapping
        Answers of ``GetCaseAuditEvents``: pages of `iter_pages`, bodies as
        text, or what boto3 returned.
    domain_id : str, optional
        The domain, where the pages do not carry it.
    case_id : str, optional
        The case, where the pages do not carry it.

    Returns
    -------
    DataFrame
        The columns of ``schema.CHANGES``.

    Raises
    ------
    PageError
        If a page cannot be read as what it claims to be.
    ValueError
        If the pages do not say which case they belong to.

    See Also
    --------
    events_frame : One row per event.

    Examples
    --------
    >>> page = {"auditEvents": [{
    ...     "eventId": "e1", "type": "Case.Updated",
    ...     "performedTime": "2026-03-02T09:00:00Z", "fields": [{
    ...         "eventFieldId": "status",
    ...         "oldValue": {"stringValue": "open"},
    ...         "newValue": {"stringValue": "closed"}}]}]}
    >>> changes = changes_frame([page], domain_id="d", case_id="c")
    >>> changes.loc[0, ["field_id", "old", "new"]].tolist()
    ['status', 'open', 'closed']
    """
    return tidy(pages, domain_id=domain_id, case_id=case_id)[1]


def tidy(
    pages: Iterable[RawPage],
    *,
    domain_id: str | None = None,
    case_id: str | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[tuple[str, str], Counts]]:
    """Both tables from raw pages, and what was seen on the way."""
    found = decode(_pages(pages, domain_id, case_id))
    counts = {case: found.counts[number] for number, case in enumerate(found.cases)}
    return *tables_of(found), counts


def tables_of(found: Decoded) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables from what was decoded, whose counts get those of the order."""
    order = in_order(found)
    n_ties = np.bincount(found.case[~order.known], minlength=len(order.seen))
    for number, (ties, seen) in enumerate(zip(n_ties, order.seen, strict=True)):
        found.counts[number].n_ties = int(ties)
        found.counts[number].order_seen = seen

    place = order.place  # event rows, in their final order
    events = _taken(found.events, pa.array(place))
    events |= _who(events) | _whose(found, place)
    events["sequence"] = order.sequence
    events["n_changes"] = n_changes = found.n_changes[place]
    events["is_order_known"] = order.known[place]
    events["order_by"] = pa.DictionaryArray.from_arrays(
        pa.array(order.by[place]), pa.array(ORDER_BY, pa.large_string())
    )
    tie = pa.array(order.tie[place], mask=order.tie[place] < 0)
    events["tie_id"] = found.events["event_id"].take(tie).dictionary_encode()

    # Each change follows its event; within it, the order of AWS's list holds.
    event = np.repeat(np.arange(len(place)), n_changes)
    slot = np.arange(len(event)) - np.repeat(
        np.cumsum(n_changes) - n_changes, n_changes
    )
    first = np.cumsum(found.n_changes) - found.n_changes
    row = first[place][event] + slot
    changes = _taken(found.changes, pa.array(row))
    of_event = {name: events[name] for name in CHANGES.names if name in events}
    changes |= _taken(of_event, pa.array(event))
    changes["slot"] = slot
    changes["is_outcome_known"] = ~order.unsure[row]
    return _frame(EVENTS, events), _frame(CHANGES, changes)


def _taken(columns: Mapping[str, Any], rows: pa.Array) -> dict[str, Any]:
    def taken(values: Any) -> Any:
        return values.take(rows if isinstance(values, pa.Array) else rows.to_numpy())

    tasks = [partial(taken, values) for values in columns.values()]
    found = side_by_side(tasks, n_rows=len(rows))
    return dict(zip(columns, found, strict=True))


def _pages(
    pages: Iterable[RawPage], domain_id: str | None, case_id: str | None
) -> Iterator[Page]:
    if isinstance(pages, (bytes, str, dict)):
        raise TypeError("pages is one page. Give a list of pages: [page].")
    named = {"domainId": domain_id, "caseId": case_id}
    for number, page in enumerate(pages):
        if isinstance(page, Page):
            yield page
            continue
        if domain_id is None or case_id is None:
            raise ValueError(
                "An audit page does not say which case it is of. Give domain_id= and "
                "case_id=."
            )
        body = page.encode() if isinstance(page, str) else page
        body = body if isinstance(body, bytes) else as_body(body)
        yield Page(OPERATION, named, number, body)


def _whose(found: Decoded, place: np.ndarray[Any, Any]) -> dict[str, pa.Array]:
    """Return the domain and the case of each event."""
    index = pa.array(found.case[place], pa.int32())
    domains, cases = (
        pa.array([case[i] for case in found.cases], pa.large_string()) for i in (0, 1)
    )
    return {
        "domain_id": domains.take(index).dictionary_encode(),
        "case_id": pa.DictionaryArray.from_arrays(index, cases)
        if len(set(cases.to_pylist())) == len(cases)
        else cases.take(index).dictionary_encode(),
    }


def _who(events: Mapping[str, pa.Array]) -> dict[str, pa.DictionaryArray]:
    """Return who acted and what kind of actor that is, from the three ids."""
    sources = ("user_arn", "custom_entity", "iam_principal_arn")
    kinds = pa.array(["agent", "custom", "role", "service", "unknown"])
    names = pa.concat_arrays(
        [events[name].dictionary.cast(pa.large_string()) for name in sources]
    )
    actor = np.full(len(events["user_arn"]), -1, dtype=np.int64)
    kind = np.full(len(actor), 4, dtype=np.int32)
    last = len(names)
    for number in (2, 1, 0):  # a user counts before the principal he acted by
        ids = events[sources[number]]
        last -= len(ids.dictionary)
        told = ids.is_valid().to_numpy(zero_copy_only=False)
        codes = ids.indices.fill_null(0).to_numpy(zero_copy_only=False)
        actor[told] = codes[told] + last
        kind[told] = number
    by_service = pc.match_substring(names, SERVICE_ROLE).to_numpy(zero_copy_only=False)
    is_role = kind == 2
    kind[is_role] += by_service[actor[is_role]]
    once = names.dictionary_encode()  # an id may be in two of the three
    return {
        "actor": pa.DictionaryArray.from_arrays(
            once.indices.take(pa.array(actor, mask=actor < 0)), once.dictionary
        ),
        "actor_kind": pa.DictionaryArray.from_arrays(
            pa.array(kind), kinds.cast(pa.large_string())
        ),
    }


def _frame(table: Table, columns: Mapping[str, Any]) -> pd.DataFrame:
    tasks = [partial(_values, each.dtype, columns[each.name]) for each in table.columns]
    found = side_by_side(tasks, n_rows=len(columns["sequence"]))
    return table.cast(pd.DataFrame(dict(zip(table.names, found, strict=True))))


def _values(dtype: str, values: Any) -> Any:
    if dtype == ID:
        return _categorical(values)
    if dtype == TEXT:
        return pd.array(values, dtype=TEXT_TYPE)
    return values.to_pandas() if isinstance(values, pa.Array) else values


def _categorical(values: pa.DictionaryArray) -> pd.Categorical:
    """Return codes and sorted categories: the same values give the same frame."""
    names = values.dictionary
    codes = values.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    used = np.flatnonzero(np.bincount(codes + 1, minlength=len(names) + 1)[1:])
    texts = pd.Index(names.take(pa.array(used)).to_pandas(), dtype=TEXT_TYPE)
    order = np.argsort(texts.to_numpy(dtype=object), kind="stable")
    place = np.full(len(names) + 1, -1, dtype=np.int64)
    place[used[order]] = np.arange(len(used))
    return pd.Categorical.from_codes(place[codes], categories=texts[order])
