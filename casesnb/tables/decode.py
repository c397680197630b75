"""Raw audit pages to Arrow columns, exact about what could not be read.

Pages as AWS documents them are read by Arrow's JSON reader, many at a time. What
it refuses is halved until the odd page stands alone; that one is walked member by
member, so that the unknown is kept and counted and the impossible is an error that
names the case, the page and its token.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from casesnb.tables.values import KINDS, MEMBERS, Value, exact_time, value_text
from casesnb.wire.pages import Page, PageError
from casesnb.wire.text import read_json, shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    Array = np.ndarray[Any, Any]
    _Reading = tuple[Sequence[Page], Array]

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
"""The event types that AWS documents."""

RELATED_ITEM_TYPES = frozenset(
    {"Contact", "Comment", "File", "Sla", "ConnectCase", "Custom"}
)
"""The related item types that AWS documents."""

ESCAPED = "text that is not Unicode, escaped"
"""What is counted of a text with half of a surrogate pair."""

_BATCH = 16_000_000  # bytes read at a time: few enough to keep memory flat
_MANY = 50_000  # rows from which on threads are worth it
_WORKERS = min(4, os.cpu_count() or 1)
_TEXT = pa.large_string()
_READ = pa.string()  # which the JSON reader makes sooner; a batch fits into it
_TIME = pa.timestamp("us", "UTC")
_FINER = pa.float64()

# AWS's own shape. The reader refuses any other member and any other type.
_VALUE = pa.struct(
    [
        ("stringValue", _READ),
        ("doubleValue", pa.float64()),
        ("booleanValue", pa.bool_()),
        ("emptyValue", pa.struct([])),
        ("userArnValue", _READ),
    ]
)
_FIELD = pa.struct(
    [("eventFieldId", _READ), ("oldValue", _VALUE), ("newValue", _VALUE)]
)
_USER = pa.struct([("userArn", _READ), ("customEntity", _READ)])
_PERFORMED_BY = pa.struct([("iamPrincipalArn", _READ), ("user", _USER)])
_MERGE = pa.struct(
    [("mergeEventId", _READ), ("primaryCaseId", _READ), ("secondaryCaseId", _READ)]
)
_EVENT = pa.struct(
    [
        ("eventId", _READ),
        ("type", _READ),
        ("performedTime", _READ),
        ("fields", pa.list_(_FIELD)),
        ("relatedItemType", _READ),
        ("performedBy", _PERFORMED_BY),
        ("mergeMetadata", _MERGE),
    ]
)
_SHAPE = pa.schema([("auditEvents", pa.list_(_EVENT)), ("nextToken", _READ)])

# Our columns, and where they are in AWS's event.
_EVENT_PATHS = {
    "event_id": ("eventId",),
    "event_type": ("type",),
    "related_item_type": ("relatedItemType",),
    "user_arn": ("performedBy", "user", "userArn"),
    "custom_entity": ("performedBy", "user", "customEntity"),
    "iam_principal_arn": ("performedBy", "iamPrincipalArn"),
    "merge_event_id": ("mergeMetadata", "mergeEventId"),
    "primary_case_id": ("mergeMetadata", "primaryCaseId"),
    "secondary_case_id": ("mergeMetadata", "secondaryCaseId"),
}
_EVENT_COLUMNS = (*_EVENT_PATHS, "performed_at", "finer", "extra")
_CHANGE_COLUMNS = ("field_id", "old_kind", "old", "new_kind", "new")
_IDS = {*_EVENT_PATHS, "field_id", "old_kind", "new_kind"} - {"event_id"}


@dataclass(slots=True)
class Counts:
    """What was seen of one case on the way from pages to tables."""

    n_nulls: int = 0  # null items and members skipped
    n_duplicates: int = 0  # events that came a second time and were dropped
    n_conflicts: int = 0  # of them with other content than the first
    n_ties: int = 0  # events whose place among events of one instant is undecided
    # what casesnb does not know, by its name, and how often it came
    unknowns: Counter[str] = field(default_factory=Counter)
    order_seen: str = "not told"  # ``newest first``, ``oldest first`` or ``mixed``


@dataclass(frozen=True, slots=True)
class Decoded:
    """Audit pages as columns, in the order they came, each event once."""

    cases: list[tuple[str, str]]  # domain and case, by case number
    case: Array  # each event's case number
    n_changes: Array  # how many changes each event has
    events: dict[str, pa.Array]  # a value for each event, by column
    # a value for each change, by column, in the events' order
    changes: dict[str, pa.Array]
    counts: dict[int, Counts]  # what was seen, by case number


def decode(pages: Iterable[Page]) -> Decoded:
    """Read raw audit pages into columns."""
    decoder = Decoder()
    for page in pages:
        decoder.add(page)
    return decoder.finish()


class Decoder:
    """Reads raw audit pages as they come, some megabytes at a time, and lets them go."""

    def __init__(
        self,
        cases: Iterable[tuple[str, str]] = (),
        *,
        odd: dict[tuple[str, str], PageError] | None = None,
    ) -> None:
        self._cases = {case: number for number, case in enumerate(cases)}
        self._odd = odd  # gets each case with a page that no table can hold, and why
        self._batch: tuple[list[Page], list[int]] = [], []
        self._size = 0
        self._waiting: deque[tuple[int, _Reading, Callable[[], _Chunk]]] = deque()
        self._read: dict[int, tuple[list[_Chunk], dict[int, Counts]]] = {}
        self._pool: ThreadPoolExecutor | None = None

    def add(self, page: Page) -> None:
        """Take the next page."""
        case = (page.params["domainId"], page.params["caseId"])
        pages, of_page = self._batch
        of_page.append(self._cases.setdefault(case, len(self._cases)))
        pages.append(page)
        self._size += len(page.body)
        if self._size < _BATCH:
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_WORKERS, "casesnb-read")
        batch = pages, np.asarray(of_page, dtype=np.int64)
        self._await(batch, self._pool.submit(_standard, *batch).result)
        if len(self._waiting) > _WORKERS + 1:
            self._read_next()

    def read_rest(self) -> None:
        """Read what has come and is not read yet: the odd cases are known then."""
        while self._waiting:
            self._read_next()
        pages, numbers = self._batch
        if pages:
            batch = pages, np.asarray(numbers, dtype=np.int64)
            self._await(batch, partial(_standard, *batch))
            self._read_next()
        if self._pool is not None:
            self._pool.shutdown(wait=False)

    def finish(self, cases: Iterable[tuple[str, str]] | None = None) -> Decoded:
        """Return what came as columns: of all cases but the odd ones, or of some."""
        self.read_rest()
        kept = set(self._cases if cases is None else cases) - {*(self._odd or ())}
        # So that there are columns without pages too.
        chunks = [_chunk([], [])]
        counts: defaultdict[int, Counts] = defaultdict(Counts)
        for _, (some, seen) in sorted(self._read.items(), key=lambda item: item[0]):
            chunks += some
            for number, told in seen.items():
                counts[number].n_nulls += told.n_nulls
                counts[number].unknowns += told.unknowns
        is_kept = np.array([case in kept for case in self._cases], dtype=bool)
        return _joined(chunks, [*self._cases], is_kept, counts)

    def _await(self, batch: _Reading, standard: Callable[[], _Chunk]) -> None:
        number = len(self._read) + len(self._waiting)
        self._waiting.append((number, batch, standard))
        self._batch, self._size = ([], []), 0

    def _read_next(self) -> None:
        """Set a batch's chunks down by its number: one who interrupts it reads it anew."""
        number, (pages, of_page), standard = self._waiting[0]
        counts: defaultdict[int, Counts] = defaultdict(Counts)
        try:
            chunks = [standard()]
        except _ODD:
            chunks = []  # it shows values: no error of what follows may come from it
        if not chunks:
            odd = partial(self._set_down, [*self._cases])
            chunks = [*_halved(pages, of_page, counts, odd)]
        self._read[number] = chunks, counts
        self._waiting.popleft()

    def _set_down(
        self, cases: Sequence[tuple[str, str]], number: int, error: PageError
    ) -> None:
        if self._odd is None:
            raise error
        self._odd.setdefault(cases[number], error)


def _joined(
    chunks: Sequence[_Chunk],
    cases: list[tuple[str, str]],
    is_kept: Array,
    counts: defaultdict[int, Counts],
) -> Decoded:
    """Return the chunks' events of the cases to be kept, each once."""
    case = np.concatenate([chunk.case for chunk in chunks])
    n_changes = np.concatenate([chunk.n_changes for chunk in chunks])

    def joined(name: str) -> pa.Array:
        parts = pa.chunked_array([chunk.columns[name] for chunk in chunks])
        return parts.unify_dictionaries().combine_chunks()

    event_id = joined("event_id")
    names = [n for n in (*_EVENT_COLUMNS, *_CHANGE_COLUMNS) if n != "event_id"]
    first, *columns = side_by_side(
        [
            partial(_first_of_each, case, event_id),
            *(partial(joined, name) for name in names),
        ],
        n_rows=len(case),
    )
    told = {"event_id": event_id, **dict(zip(names, columns, strict=True))}
    events = {name: told[name] for name in _EVENT_COLUMNS}
    changes = {name: told[name] for name in _CHANGE_COLUMNS}
    is_wanted = is_kept[case]
    if len(first) < len(case) or not is_wanted.all():
        kept = np.zeros(len(case), dtype=bool)
        kept[first] = True
        again = ~kept & is_wanted
        if again.any():
            _count_duplicates(case, n_changes, events, changes, kept, again, counts)
        kept &= is_wanted
        of_change = pa.array(np.repeat(kept, n_changes))
        events = {
            name: values.filter(pa.array(kept)) for name, values in events.items()
        }
        changes = {name: values.filter(of_change) for name, values in changes.items()}
        case, n_changes = case[kept], n_changes[kept]
    for name, known in (
        ("event_type", EVENT_TYPES),
        ("related_item_type", RELATED_ITEM_TYPES),
    ):
        for value in pc.unique(events[name]).to_pylist():
            if value is not None and value not in known:
                is_it = pc.fill_null(pc.equal(events[name], value), False)
                for number in case[is_it.to_numpy(zero_copy_only=False)].tolist():
                    what = f"{name.replace('_', ' ')} {value}"
                    counts[number].unknowns[what] += 1
    return Decoded(cases, case, n_changes, events, changes, counts)


def _count_duplicates(
    case: Array,
    n_changes: Array,
    events: Mapping[str, pa.Array],
    changes: Mapping[str, pa.Array],
    kept: Array,
    is_again: Array,
    counts: Mapping[int, Counts],
) -> None:
    """Count the events that came again, and those that say something else then."""
    starts = np.cumsum(n_changes) - n_changes

    def said(row: int) -> list[Any]:
        about = [events[name][row].as_py() for name in _EVENT_COLUMNS]
        rows = slice(int(starts[row]), int(starts[row] + n_changes[row]))
        return about + [changes[name][rows].to_pylist() for name in _CHANGE_COLUMNS]

    again = np.flatnonzero(is_again)
    ids = {events["event_id"][row].as_py() for row in again.tolist()}
    of_ids = pc.is_in(events["event_id"], pa.array([*ids], _TEXT))
    maybe = np.flatnonzero(kept & of_ids.to_numpy(zero_copy_only=False))
    once = {(int(case[row]), events["event_id"][row].as_py()): row for row in maybe}
    for row in again.tolist():
        number = int(case[row])
        counts[number].n_duplicates += 1
        first = once[number, events["event_id"][row].as_py()]
        counts[number].n_conflicts += said(row) != said(int(first))


def side_by_side(tasks: Sequence[Callable[[], Any]], *, n_rows: int) -> list[Any]:
    """Return what tasks give, done at one time if they are about many rows."""
    if n_rows < _MANY:  # a thread would cost more than it saves
        return [task() for task in tasks]
    with ThreadPoolExecutor(_WORKERS, "casesnb-tidy") as pool:
        return [*pool.map(lambda task: task(), tasks)]


def _first_of_each(case: Array, event_id: pa.Array) -> Array:
    """Return the first place of each (case, event id), in order."""
    encoded = pc.dictionary_encode(event_id)
    if len(encoded.dictionary) == len(case):  # none came twice
        return np.arange(len(case))
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    keys = case * (int(codes.max(initial=0)) + 1) + codes
    _, first = np.unique(keys, return_index=True)
    return np.sort(first)


# --------------------------------------------------------------- many at a time


@dataclass(frozen=True, slots=True)
class _Chunk:
    case: Array
    n_changes: Array
    columns: Mapping[str, pa.Array]


class _NotStandardError(Exception):
    """Some page of a batch is not as AWS documents it."""


_ODD = (pa.ArrowInvalid, UnicodeDecodeError, _NotStandardError)
"""What says that a batch holds an odd page."""


def _halved(
    pages: Sequence[Page],
    of_page: Array,
    counts: Mapping[int, Counts],
    odd: Callable[[int, PageError], None],
) -> Iterator[_Chunk]:
    """Yield the chunks of a batch that holds an odd page, that page one by one."""
    if len(pages) == 1:
        case = int(of_page[0])
        try:
            yield _careful(pages[0], case, counts[case])
        except PageError as error:
            odd(case, error)
        return
    half = len(pages) // 2
    for part in (slice(None, half), slice(half, None)):
        try:
            yield _standard(pages[part], of_page[part])
            continue
        except _ODD:
            pass
        yield from _halved(pages[part], of_page[part], counts, odd)


def _standard(pages: Sequence[Page], of_page: Array) -> _Chunk:
    """Read pages that hold what AWS documents, and nothing else."""
    for page in pages:
        # A null is told from an absence only member by member.
        if b"null" in page.body or not (
            page.body[:1] == b"{" and page.body[-1:] == b"}"
        ):
            raise _NotStandardError
        # Arrow takes any bytes for text, and fails on them later.
        if not page.body.isascii():
            page.body.decode()
    # Line breaks in JSON are white space: text has them escaped.
    lines = b"\n".join(page.body.replace(b"\n", b" ") for page in pages)
    table = pyarrow.json.read_json(
        pa.BufferReader(lines),
        read_options=pyarrow.json.ReadOptions(
            use_threads=False, block_size=len(lines) + 1
        ),
        parse_options=pyarrow.json.ParseOptions(
            explicit_schema=_SHAPE, unexpected_field_behavior="error"
        ),
    )
    listed = table["auditEvents"].combine_chunks()
    if len(listed) != len(pages) or listed.null_count:
        raise _NotStandardError
    events = listed.flatten()
    fields = events.field("fields")
    changes = fields.flatten()
    columns = {name: _at(events, path) for name, path in _EVENT_PATHS.items()}
    time = _at(events, ("performedTime",))
    columns["field_id"] = _at(changes, ("eventFieldId",))
    required = (columns["event_id"], columns["event_type"], columns["field_id"], time)
    if fields.null_count or any(map(_has_gaps, required)):
        raise _NotStandardError
    columns["performed_at"], columns["finer"] = _times(time)
    columns["extra"] = pa.nulls(len(events), _TEXT)
    for side in ("old", "new"):
        columns[f"{side}_kind"], columns[side] = _value(changes, f"{side}Value")
    columns["event_id"] = columns["event_id"].cast(_TEXT)
    for name in _IDS - {"old_kind", "new_kind"}:
        columns[name] = _without_blanks(columns[name].dictionary_encode())
    lengths = pc.list_value_length(listed).to_numpy(zero_copy_only=False)
    n_changes = pc.list_value_length(fields).to_numpy(zero_copy_only=False)
    return _Chunk(np.repeat(of_page, lengths), n_changes.astype(np.int64), columns)


def _times(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return times to the microsecond, and what they have below it."""
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    if longest <= len("2026-03-02T09:00:00.123456Z"):
        return pc.cast(texts, _TIME), pa.nulls(len(texts), _FINER)
    below = pc.extract_regex(texts, r"\.\d{6}(?P<digits>\d+)").field("digits")
    zero, point = pa.scalar("0", _READ), pa.scalar(".", _READ)
    finer = pc.binary_join_element_wise(zero, below, point).cast(_FINER)
    cut = pc.replace_substring_regex(texts, r"(\.\d{6})\d+", r"\1")
    return pc.cast(cut, _TIME), finer


def _has_gaps(texts: pa.Array) -> bool:
    """Whether a text is missing or blank."""
    return bool(texts.null_count or pc.min(pc.binary_length(texts)).as_py() == 0)


def _without_blanks(ids: pa.DictionaryArray) -> pa.DictionaryArray:
    """Return ids with a blank one missing."""
    names = ids.dictionary.cast(_TEXT)
    if not len(names) or not _has_gaps(names):
        return pa.DictionaryArray.from_arrays(ids.indices, names)
    return (
        pc.if_else(pc.equal(names, ""), None, names)
        .take(ids.indices)
        .dictionary_encode()
    )


def _at(values: pa.Array, path: Sequence[str]) -> pa.Array:
    for name in path:
        values = pc.struct_field(values, name)
    return values


def _value(changes: pa.Array, name: str) -> tuple[pa.Array, pa.Array]:
    """Return the kind and the text of a value union."""
    union = _at(changes, (name,))
    members = {member: _at(union, (member,)) for member in MEMBERS}
    code = np.full(len(union), -1, dtype=np.int32)
    n_told = 0
    for number, values in enumerate(members.values()):
        if values.null_count < len(values):
            code[values.is_valid().to_numpy(zero_copy_only=False)] = number
            n_told += len(values) - values.null_count
    is_missing = code < 0
    if n_told > len(code) - int(is_missing.sum()):
        raise _NotStandardError  # two members in one
    kind = pa.DictionaryArray.from_arrays(
        pa.array(code, mask=is_missing), pa.array(KINDS, _TEXT)
    )
    texts = [members["stringValue"]]
    if members["userArnValue"].null_count < len(union):
        texts.append(members["userArnValue"])
    if members["doubleValue"].null_count < len(union):
        doubles = members["doubleValue"].dictionary_encode()
        if not pc.all(pc.is_finite(doubles.dictionary)).as_py():
            raise _NotStandardError  # too large: its text is kept
        shown = pa.array([repr(x) for x in doubles.dictionary.to_pylist()], _READ)
        texts.append(shown.take(doubles.indices))
    if members["booleanValue"].null_count < len(union):
        texts.append(members["booleanValue"].cast(_READ))
    return kind, pc.coalesce(*texts).cast(_TEXT)


def _chunk(case: Sequence[int], events: Sequence[_Careful]) -> _Chunk:
    """Return events that were read one by one as a chunk."""
    changes = [change for event in events for change in event.fields]
    texts: dict[str, list[str | None]] = {
        name: [event.texts[name] for event in events] for name in _EVENT_COLUMNS
    }
    texts["field_id"] = [field_id for field_id, _, _ in changes]
    texts["old_kind"] = [old[0] for _, old, _ in changes]
    texts["old"] = [old[1] for _, old, _ in changes]
    texts["new_kind"] = [new[0] for _, _, new in changes]
    texts["new"] = [new[1] for _, _, new in changes]
    columns = {}
    for name, values in texts.items():
        array = pa.array(values, _TEXT)
        if name == "performed_at":
            array = pc.cast(array, _TIME)
        elif name == "finer":
            array = pc.cast(array, _FINER)
        elif name in _IDS:
            array = array.dictionary_encode()
        columns[name] = array
    return _Chunk(
        np.asarray(case, dtype=np.int64),
        np.asarray([len(event.fields) for event in events], dtype=np.int64),
        columns,
    )


# ------------------------------------------------------------------- one by one


@dataclass(frozen=True, slots=True)
class _Careful:
    texts: Mapping[str, str | None]
    fields: Sequence[tuple[str, Value, Value]]


def _careful(page: Page, case: int, counts: Counts) -> _Chunk:
    """Read one page member by member."""
    try:
        answer = read_json(page.body, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise PageError(
            f"{page} is not whole JSON ({error}). Load it again."
        ) from error
    if not isinstance(answer, dict) or not isinstance(answer.get("auditEvents"), list):
        raise PageError(f"{page} holds no list of auditEvents. Load it again.")
    for name in answer.keys() - {"auditEvents", "nextToken"}:
        counts.unknowns[f"page member {name}"] += 1
    events = []
    for event in answer["auditEvents"]:
        if event is None:
            counts.n_nulls += 1
        else:
            events.append(_careful_event(_Reader(event, "event", page, counts)))
    return _chunk([case] * len(events), events)


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; one that says two things by one name says nothing."""
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("a member comes twice in one object")
    return found


def _careful_event(event: _Reader) -> _Careful:
    by, merge = event.object("performedBy"), event.object("mergeMetadata")
    user = by.object("user")
    parts = {"performedBy": by, "user": user, "mergeMetadata": merge}
    texts: dict[str, str | None] = {
        name: parts[path[-2]].text(path[-1])
        if len(path) > 1
        else event.text(path[0], required=name in {"event_id", "event_type"})
        for name, path in _EVENT_PATHS.items()
    }
    texts["performed_at"], texts["finer"] = event.time("performedTime")
    fields = []
    extra: dict[str, Any] = {}
    for item in event.list("fields"):
        change = _Reader(item, "field", event.page, event.counts)
        field_id = change.text("eventFieldId", required=True) or ""
        fields.append((field_id, change.value("oldValue"), change.value("newValue")))
        if left := change.rest():
            extra.setdefault("fields", []).append({"eventFieldId": field_id, **left})
    extra |= {name: left for name, part in parts.items() if (left := part.rest())}
    extra |= event.rest()
    texts["extra"] = (
        json.dumps(extra, ensure_ascii=True, default=str) if extra else None
    )
    return _Careful(texts, fields)


class _Reader:
    """One JSON object, read member by member; what is left over is unknown."""

    def __init__(self, value: Any, what: str, page: Page, counts: Counts) -> None:
        if not isinstance(value, dict):
            raise PageError(f"{page} holds {shape(value)} where an {what} should be.")
        self._left = dict(value)
        self._what = what
        self.page = page
        self.counts = counts

    def _take(self, name: str) -> Any:
        value = self._left.pop(name, _ABSENT)
        if value is None:
            self.counts.n_nulls += 1
        return None if value is _ABSENT else value

    def text(self, name: str, *, required: bool = False) -> str | None:
        value = self._take(name)
        if value is not None and not isinstance(value, str):
            raise PageError(
                f"{self.page} has {shape(value)} as the {name} of an {self._what}."
            )
        if required and not value:
            raise PageError(f"{self.page} holds an {self._what} without {name}.")
        return self._unicode(value) if value else None

    def object(self, name: str) -> _Reader:
        value = self._take(name)
        return _Reader({} if value is None else value, name, self.page, self.counts)

    def list(self, name: str) -> Iterator[Any]:
        value = self._take(name)
        if value is None:
            return
        if not isinstance(value, list):
            raise PageError(
                f"{self.page} has {shape(value)} where a list of {name} should be."
            )
        for item in value:
            if item is None:
                self.counts.n_nulls += 1
            else:
                yield item

    def time(self, name: str) -> tuple[str, str | None]:
        value = self._take(name)
        try:
            return exact_time(value)
        except (ValueError, OverflowError, OSError, TypeError) as error:
            raise PageError(
                f"{self.page} has {shape(value)} as the {name} of an {self._what}: "
                "not a time."
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
            member = next(name for name, told in value.items() if told is not None)
            self.counts.unknowns[f"value member {member}"] += 1
        if kind == "empty":
            for member in value["emptyValue"]:
                self.counts.unknowns[f"emptyValue member {member}"] += 1
        return kind, self._unicode(text) if text else text

    def rest(self) -> dict[str, Any]:
        for name in self._left:
            self.counts.unknowns[f"{self._what} member {name}"] += 1
        return self._left

    def _unicode(self, text: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:  # half a surrogate pair: shown as its escape
            self.counts.unknowns[ESCAPED] += 1
            return text.encode("utf-8", "backslashreplace").decode()
        return text


_ABSENT = object()
