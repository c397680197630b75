"""Raw audit pages to tidy frames: pure, and exact about what it could not read.

Pages as AWS documents them are decoded by a typed decoder. A page that holds
anything else is walked member by member, so that the unknown is kept and counted
and the impossible is an error that names the case, the page and its token.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import UNSET, UnsetType

from casesnb.tables.order import in_order
from casesnb.tables.schema import CHANGES, EVENTS, ID, TEXT, Table
from casesnb.tables.values import Value, value_text
from casesnb.wire.pages import Page, PageError, as_body

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    RawPage = Page | bytes | str | Mapping[str, Any]

OPERATION = "GetCaseAuditEvents"
EVENT_TYPES = frozenset(
    {
        "Case.Created",
        "Case.Updated",
        "Case.Merged",
        "RelatedItem.Created",
        "RelatedItem.Updated",
        "RelatedItem.Deleted",
    }
)
RELATED_ITEM_TYPES = frozenset(
    {"Contact", "Comment", "File", "Sla", "ConnectCase", "Custom"}
)
_SERVICE_ROLE = "AWSServiceRoleForAmazonConnect"
_CHUNK = 20_000  # changes turned into Arrow at a time: Python objects stay few


# ---------------------------------------------------------------- typed decoder


class _Empty(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    pass


class _Value(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    stringValue: str | UnsetType = UNSET  # noqa: N815 - AWS's names, here and below
    userArnValue: str | UnsetType = UNSET  # noqa: N815
    emptyValue: _Empty | UnsetType = UNSET  # noqa: N815
    doubleValue: float | UnsetType = UNSET  # noqa: N815
    booleanValue: bool | UnsetType = UNSET  # noqa: N815


class _Field(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    eventFieldId: str  # noqa: N815
    newValue: _Value | UnsetType = UNSET  # noqa: N815
    oldValue: _Value | UnsetType = UNSET  # noqa: N815


class _User(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    userArn: str | UnsetType = UNSET  # noqa: N815
    customEntity: str | UnsetType = UNSET  # noqa: N815


class _PerformedBy(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    iamPrincipalArn: str | UnsetType = UNSET  # noqa: N815
    user: _User | UnsetType = UNSET


class _Merge(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    mergeEventId: str  # noqa: N815
    primaryCaseId: str  # noqa: N815
    secondaryCaseId: str  # noqa: N815


class _Event(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    eventId: str  # noqa: N815
    type: str
    performedTime: str  # noqa: N815
    fields: list[_Field]
    relatedItemType: str | UnsetType = UNSET  # noqa: N815
    performedBy: _PerformedBy | UnsetType = UNSET  # noqa: N815
    mergeMetadata: _Merge | UnsetType = UNSET  # noqa: N815


class _AuditPage(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    auditEvents: list[_Event]  # noqa: N815
    nextToken: str | None = None  # noqa: N815


_typed = msgspec.json.Decoder(_AuditPage)


# ---------------------------------------------------------------------- public


@dataclass(slots=True)
class Counts:
    """What was seen while tidying, for the certificate.

    Parameters
    ----------
    n_nulls : int
        Null items and members skipped.
    n_duplicates : int
        Events that came a second time and were dropped.
    n_ties : int
        Events whose place among events of the same instant is undecided.
    unknowns : Counter
        What casesnb does not know, by its name, and how often it came.
    order_seen : str
        ``newest first``, ``oldest first``, ``mixed`` or ``not told``.
    """

    n_nulls: int = 0
    n_duplicates: int = 0
    n_ties: int = 0
    unknowns: Counter[str] = field(default_factory=Counter)
    order_seen: str = "not told"


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
) -> tuple[pd.DataFrame, pd.DataFrame, Counts]:
    """Both tables from raw pages, and what was seen on the way.

    Parameters
    ----------
    pages : iterable of Page, bytes, str or Mapping
        Audit pages, each case's pages together and in the order they came.
    domain_id : str, optional
        The domain, where the pages do not carry it.
    case_id : str, optional
        The case, where the pages do not carry it.

    Returns
    -------
    events : DataFrame
        The columns of ``schema.EVENTS``.
    changes : DataFrame
        The columns of ``schema.CHANGES``.
    counts : Counts
        Nulls, duplicates, unknowns, ties and the order seen.

    Raises
    ------
    PageError
        If a page cannot be read as what it claims to be.
    """
    rows = _Rows()
    for page in _pages(pages, domain_id, case_id):
        rows.add(page)
    return rows.frames()


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


# ------------------------------------------------------------------------ rows


class _Rows:
    """Rows in the making: Python lists for one chunk, Arrow for what is behind it."""

    _EVENT_TEXT = ("event_id", "performed_at", "extra")
    _EVENT_IDS = (
        "event_type",
        "related_item_type",
        "user_arn",
        "custom_entity",
        "iam_principal_arn",
        "merge_event_id",
        "primary_case_id",
        "secondary_case_id",
    )
    _CHANGE_IDS = ("field_id", "old_kind", "new_kind")
    _CHANGE_TEXT = ("old", "new")

    def __init__(self) -> None:
        self.counts = Counts()
        self._cases: dict[tuple[str, str], int] = {}
        self._seen: set[str] = set()
        self._case = -1
        self._event_case: list[int] = []
        self._n_changes: list[int] = []
        self._chunks: dict[str, list[pa.Array]] = {
            name: []
            for name in (
                *self._EVENT_TEXT,
                *self._EVENT_IDS,
                *self._CHANGE_IDS,
                *self._CHANGE_TEXT,
            )
        }
        self._rows: dict[str, list[Any]] = {name: [] for name in self._chunks}

    def add(self, page: Page) -> None:
        """Add one page's events and changes."""
        key = (page.params["domainId"], page.params["caseId"])
        case = self._cases.setdefault(key, len(self._cases))
        if case != self._case:
            self._case = case
            self._seen = set()
        try:
            events: Iterable[_Event] = _typed.decode(page.body).auditEvents
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._add_careful(page)
        else:
            self._add_typed(page, events)
        if (
            len(self._rows["field_id"]) >= _CHUNK
            or len(self._rows["event_id"]) >= _CHUNK
        ):
            self._flush()

    def _add_typed(self, page: Page, events: Iterable[_Event]) -> None:
        rows = self._rows
        field_ids, old_kinds, olds = rows["field_id"], rows["old_kind"], rows["old"]
        new_kinds, news = rows["new_kind"], rows["new"]
        for event in events:
            if not self._is_new(event.eventId, page):
                continue
            by, merge = event.performedBy, event.mergeMetadata
            user = UNSET if by is UNSET else by.user
            self._event(
                page,
                event.eventId,
                event.type,
                event.performedTime,
                event.relatedItemType or None,
                (user.userArn or None) if user else None,
                (user.customEntity or None) if user else None,
                (by.iamPrincipalArn or None) if by else None,
                (merge.mergeEventId, merge.primaryCaseId, merge.secondaryCaseId)
                if merge
                else (None, None, None),
                len(event.fields),
                None,
            )
            for change in event.fields:
                if not change.eventFieldId:
                    raise PageError(f"{page} holds a field without eventFieldId.")
                field_ids.append(change.eventFieldId)
                kind, text = _typed_value(change.oldValue, page)
                old_kinds.append(kind)
                olds.append(text)
                kind, text = _typed_value(change.newValue, page)
                new_kinds.append(kind)
                news.append(text)

    def _add_careful(self, page: Page) -> None:
        for event in _careful_events(page, self.counts):
            if not self._is_new(event.event_id, page):
                continue
            self._event(
                page,
                event.event_id,
                event.type,
                event.time,
                event.related,
                event.user_arn,
                event.custom_entity,
                event.principal,
                event.merge,
                len(event.fields),
                json.dumps(event.extra, ensure_ascii=False) if event.extra else None,
            )
            for field_id, (old_kind, old), (new_kind, new) in event.fields:
                self._rows["field_id"].append(field_id)
                self._rows["old_kind"].append(old_kind)
                self._rows["old"].append(old)
                self._rows["new_kind"].append(new_kind)
                self._rows["new"].append(new)

    def _is_new(self, event_id: str, page: Page) -> bool:
        if not event_id:
            raise PageError(f"{page} holds an event without eventId.")
        if event_id in self._seen:
            self.counts.n_duplicates += 1
            return False
        self._seen.add(event_id)
        return True

    def _event(
        self,
        page: Page,
        event_id: str,
        event_type: str,
        time: str,
        related: str | None,
        user_arn: str | None,
        custom_entity: str | None,
        principal: str | None,
        merge: tuple[str | None, str | None, str | None],
        n_changes: int,
        extra: str | None,
    ) -> None:
        if event_type not in EVENT_TYPES:
            self.counts.unknowns[f"event type {event_type}"] += 1
        if related is not None and related not in RELATED_ITEM_TYPES:
            self.counts.unknowns[f"related item type {related}"] += 1
        rows = self._rows
        rows["event_id"].append(event_id)
        rows["event_type"].append(event_type)
        rows["performed_at"].append(time)
        rows["related_item_type"].append(related)
        rows["user_arn"].append(user_arn)
        rows["custom_entity"].append(custom_entity)
        rows["iam_principal_arn"].append(principal)
        rows["merge_event_id"].append(merge[0])
        rows["primary_case_id"].append(merge[1])
        rows["secondary_case_id"].append(merge[2])
        rows["extra"].append(extra)
        self._event_case.append(self._case)
        self._n_changes.append(n_changes)

    def _flush(self) -> None:
        for name, values in self._rows.items():
            array = pa.array(values, pa.large_string())
            if name not in self._EVENT_TEXT and name not in self._CHANGE_TEXT:
                array = array.dictionary_encode()
            elif name == "performed_at":
                array = _times(array)
            self._chunks[name].append(array)
            values.clear()

    def frames(self) -> tuple[pd.DataFrame, pd.DataFrame, Counts]:
        """Return what was added as the two frames, in order."""
        self._flush()
        columns = {name: _joined(chunks) for name, chunks in self._chunks.items()}
        case = np.asarray(self._event_case, dtype=np.int64)
        n_changes = np.asarray(self._n_changes, dtype=np.int64)
        times = columns["performed_at"].cast(pa.int64()).to_numpy()
        order = in_order(case, times, n_changes, columns)
        self.counts.n_ties = int((~order.known).sum())
        self.counts.order_seen = order.seen

        place = order.place  # event rows, in their final order
        events: dict[str, Any] = {
            name: columns[name].take(pa.array(place))
            for name in (*self._EVENT_TEXT, *self._EVENT_IDS)
        }
        events |= _who(events)
        events |= self._whose(case[place])
        events["sequence"] = order.sequence
        events["n_changes"] = n_changes[place]
        events["order_known"] = order.known[place]

        # Each change follows its event; within it, the order of AWS's list holds.
        first = (
            np.concatenate(([0], np.cumsum(n_changes)[:-1])) if len(place) else place
        )
        counts = n_changes[place]
        parent = np.repeat(np.arange(len(place)), counts)
        slot = np.arange(len(parent)) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = pa.array(np.repeat(first[place], counts) + slot)
        of_event = pa.array(parent)
        changes: dict[str, Any] = {
            name: columns[name].take(rows)
            for name in (*self._CHANGE_IDS, *self._CHANGE_TEXT)
        }
        changes["slot"] = slot
        for name in CHANGES.names:
            if name not in changes:
                value = events[name]
                changes[name] = (
                    value[parent]
                    if isinstance(value, np.ndarray)
                    else value.take(of_event)
                )
        return _frame(EVENTS, events), _frame(CHANGES, changes), self.counts

    def _whose(self, case: np.ndarray[Any, Any]) -> dict[str, pa.DictionaryArray]:
        domains = pa.array([domain for domain, _ in self._cases], pa.large_string())
        cases = pa.array([case for _, case in self._cases], pa.large_string())
        index = pa.array(case, pa.int32())
        return {
            "domain_id": domains.take(index).dictionary_encode(),
            "case_id": pa.DictionaryArray.from_arrays(index, cases),
        }


def _typed_value(value: _Value | UnsetType, page: Page) -> Value:
    if value is UNSET:
        return None, None
    found: list[Value] = []
    if value.stringValue is not UNSET:
        found.append(("string", value.stringValue))
    if value.userArnValue is not UNSET:
        found.append(("user_arn", value.userArnValue))
    if value.emptyValue is not UNSET:
        found.append(("empty", None))
    if value.doubleValue is not UNSET:
        found.append(("double", repr(value.doubleValue)))
    if value.booleanValue is not UNSET:
        found.append(("boolean", "true" if value.booleanValue else "false"))
    if len(found) > 1:
        raise PageError(f"{page} holds a value of two kinds at once: {found}.")
    return found[0] if found else (None, None)


# -------------------------------------------------------------- careful reading


@dataclass(slots=True)
class _Careful:
    event_id: str
    type: str
    time: str
    fields: list[tuple[str, Value, Value]]
    related: str | None = None
    user_arn: str | None = None
    custom_entity: str | None = None
    principal: str | None = None
    merge: tuple[str | None, str | None, str | None] = (None, None, None)
    extra: dict[str, Any] = field(default_factory=dict)


def _careful_events(page: Page, counts: Counts) -> Iterator[_Careful]:
    try:
        answer = json.loads(page.body)
    except (ValueError, RecursionError) as error:
        raise PageError(
            f"{page} is not whole JSON ({error}). Load it again."
        ) from error
    if not isinstance(answer, dict) or not isinstance(answer.get("auditEvents"), list):
        raise PageError(f"{page} holds no list of auditEvents. Load it again.")
    for name in answer.keys() - {"auditEvents", "nextToken"}:
        counts.unknowns[f"page member {name}"] += 1
    for event in answer["auditEvents"]:
        if event is None:
            counts.n_nulls += 1
        else:
            yield _careful_event(_Reader(event, "event", page, counts))


def _careful_event(event: _Reader) -> _Careful:
    by, merge = event.object("performedBy"), event.object("mergeMetadata")
    user = by.object("user")
    fields = []
    for item in event.list("fields"):
        change = _Reader(item, "field", event.page, event.counts)
        fields.append(
            (
                change.text("eventFieldId", required=True) or "",
                change.value("oldValue"),
                change.value("newValue"),
            )
        )
        if extra := change.rest():
            event.extra.setdefault("fields", []).append(extra)
    out = _Careful(
        event.text("eventId", required=True) or "",
        event.text("type", required=True) or "",
        event.time("performedTime"),
        fields,
        event.text("relatedItemType"),
        user.text("userArn"),
        user.text("customEntity"),
        by.text("iamPrincipalArn"),
        (
            merge.text("mergeEventId"),
            merge.text("primaryCaseId"),
            merge.text("secondaryCaseId"),
        ),
    )
    for name, part in (("user", user), ("performedBy", by), ("mergeMetadata", merge)):
        if extra := part.rest():
            event.extra[name] = extra
    out.extra = {**event.extra, **event.rest()}
    return out


class _Reader:
    """One JSON object, read member by member; what is left over is unknown."""

    def __init__(self, value: Any, what: str, page: Page, counts: Counts) -> None:
        if not isinstance(value, dict):
            raise PageError(f"{page} holds {value!r:.80} where an {what} should be.")
        self.left = dict(value)
        self.what = what
        self.page = page
        self.counts = counts
        self.extra: dict[str, Any] = {}

    def _take(self, name: str) -> Any:
        if name in self.left:
            value = self.left.pop(name)
            if value is None:
                self.counts.n_nulls += 1
            return value
        return None

    def text(self, name: str, *, required: bool = False) -> str | None:
        value = self._take(name)
        if value is not None and not isinstance(value, str):
            raise PageError(
                f"{self.page} has {value!r:.80} as the {name} of an {self.what}."
            )
        if required and not value:
            raise PageError(f"{self.page} holds an {self.what} without {name}.")
        return value or None

    def object(self, name: str) -> _Reader:
        value = self._take(name)
        return _Reader({} if value is None else value, name, self.page, self.counts)

    def list(self, name: str) -> Iterator[Any]:
        value = self._take(name)
        if value is None:
            return
        if not isinstance(value, list):
            raise PageError(
                f"{self.page} has {value!r:.80} where a list of {name} should be."
            )
        for item in value:
            if item is None:
                self.counts.n_nulls += 1
            else:
                yield item

    def time(self, name: str) -> str:
        value = self._take(name)
        try:
            return _utc_text(value)
        except (ValueError, OverflowError, OSError, TypeError) as error:
            raise PageError(
                f"{self.page} has {value!r:.80} as the {name} of an {self.what}: not a time."
            ) from error

    def value(self, name: str) -> Value:
        value = self._take(name)
        try:
            kind, text = value_text(value)
        except ValueError as error:
            raise PageError(
                f"{self.page} holds a field whose {name} is odd: {error}."
            ) from error
        if value is not None:
            self.counts.n_nulls += sum(content is None for content in value.values())
        if kind == "unknown":
            self.counts.unknowns[f"value member {text}"] += 1
        if kind == "empty":
            for member in value["emptyValue"]:
                self.counts.unknowns[f"emptyValue member {member}"] += 1
        return kind, text

    def rest(self) -> dict[str, Any]:
        for name in self.left:
            self.counts.unknowns[f"{self.what} member {name}"] += 1
        return self.left


# ------------------------------------------------------------------------ time


def _times(texts: pa.Array) -> pa.Array:
    """Return ISO 8601 texts as UTC microseconds."""
    try:
        return pc.cast(texts, pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:
        # Finer than a microsecond, or spelled in a way that Arrow does not read.
        return pc.cast(
            pa.array([_utc_text(text) for text in texts.to_pylist()]),
            pa.timestamp("us", "UTC"),
        )


def _utc_text(value: object) -> str:
    """Return a time as AWS may send it (ISO 8601, epoch seconds) as ISO in UTC."""
    if isinstance(value, bool) or value is None:
        raise TypeError(value)
    try:
        moment = dt.datetime.fromtimestamp(float(value), dt.UTC)  # type: ignore[arg-type]
    except ValueError:
        stamp = pd.Timestamp(str(value))
        stamp = (
            stamp.tz_localize("UTC") if stamp.tz is None else stamp.tz_convert("UTC")
        )
        moment = stamp.floor("us").to_pydatetime()
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


# ----------------------------------------------------------------------- arrow


def _joined(chunks: list[pa.Array]) -> pa.Array:
    return pa.chunked_array(chunks).unify_dictionaries().combine_chunks()


def _who(events: Mapping[str, pa.Array]) -> dict[str, pa.DictionaryArray]:
    """Return who acted and what kind of actor that is, from the three ids."""
    user, custom, principal = (
        events[name].cast(pa.large_string())
        for name in ("user_arn", "custom_entity", "iam_principal_arn")
    )
    by_service = pc.fill_null(pc.match_substring(principal, _SERVICE_ROLE), False)
    kind = pc.if_else(
        pc.is_valid(user),
        "agent",
        pc.if_else(
            pc.is_valid(custom),
            "custom",
            pc.if_else(
                by_service,
                "service",
                pc.if_else(pc.is_valid(principal), "role", "unknown"),
            ),
        ),
    )
    return {
        "actor": pc.coalesce(user, custom, principal).dictionary_encode(),
        "actor_kind": kind.cast(pa.large_string()).dictionary_encode(),
    }


def _frame(table: Table, columns: Mapping[str, Any]) -> pd.DataFrame:
    out = {}
    for column in table.columns:
        values = columns[column.name]
        if column.dtype == ID:
            out[column.name] = _categorical(values)
        elif column.dtype == TEXT:
            out[column.name] = pd.array(values, dtype=TEXT)
        elif isinstance(values, pa.Array):
            out[column.name] = values.to_pandas()
        else:
            out[column.name] = values
    return table.cast(pd.DataFrame(out))


def _categorical(values: pa.DictionaryArray) -> pd.Categorical:
    """Return codes and sorted categories: the same values give the same frame."""
    names = values.dictionary
    codes = values.indices.to_numpy(zero_copy_only=False)
    codes = (
        np.where(np.isnan(codes), -1, codes).astype(np.int64)
        if values.null_count
        else codes
    )
    used = np.unique(codes[codes >= 0])
    texts = pd.Index(names.take(pa.array(used)).to_pandas(), dtype=TEXT)
    order = np.argsort(texts.to_numpy(dtype=object), kind="stable")
    place = np.full(len(names) + 1, -1, dtype=np.int64)
    place[used[order]] = np.arange(len(used))
    return pd.Categorical.from_codes(place[codes], categories=texts[order])
