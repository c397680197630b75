"""`History`: what happened to cases, and how complete that is. It asks nobody."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import narwhals as nw
import numpy as np
import pandas as pd

from casesnb.tables.arguments import as_ids, moment, nearest, need_history
from casesnb.tables.certificate import Certificate, Content, case_keys, counted
from casesnb.tables.field_chain import (
    chains,
    field_ids_of,
    is_creation,
    is_of_case,
    is_unexplained,
)
from casesnb.tables.files import InFiles
from casesnb.tables.filters import CaseFilter
from casesnb.tables.frames import (
    as_given,
    as_moments,
    instant,
    opened,
    rows_of,
    stacked,
    to_pandas,
    whole,
)
from casesnb.tables.schema import (
    CAPTURES,
    CHAIN,
    CHAIN_ORDER,
    CHANGES,
    EVENTS,
    ID,
    TEXT,
    TEXT_TYPE,
    TIME,
    UNLOADED,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Sequence

    from casesnb.tables.schema import Table

FrameT = TypeVar("FrameT")
_CASE = ["domain_id", "case_id"]


# Two frames are equal cell by cell, not as one truth: a History equals itself.
@dataclass(frozen=True, slots=True, repr=False, eq=False)
class History(InFiles, Generic[FrameT]):
    """What happened to one case or many, and how complete that is.

    The subject of the analysis, the pictures and the reports. Its frames may be
    of any engine; cut and join it by its own methods, so that what it says of
    itself stays true.

    Parameters
    ----------
    events : DataFrame
        One row per audit event: ``schema.EVENTS``, in pandas, Polars, DuckDB or
        PySpark.
    changes : DataFrame
        One row per field of an event: ``schema.CHANGES``, in the same engine.
    certificate : Certificate, optional
        What was loaded, and whether it is whole. Without it nothing is claimed.

    Raises
    ------
    TypeError
        If a frame is none.
    ValueError
        If a frame lacks a column, or if the certificate counts other events or
        changes than the frames hold.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> history = cn.load_history(cn.connect(world), *world.showcase)
    >>> cn.History(history.events, history.changes).certificate.verdict
    'not_certified'
    """

    events: FrameT
    changes: FrameT
    certificate: Certificate = field(default=cast("Certificate", None))

    def __post_init__(self) -> None:
        held = _held(self.events, self.changes)
        certificate: Certificate | None = self.certificate
        if certificate is None:
            certificate = _uncertified(self.events, self.changes)
        else:
            _need_belonging(certificate, held)
        made = belonging(self.events, self.changes, certificate)
        object.__setattr__(self, "certificate", made.certificate)

    def __repr__(self) -> str:
        return f"History: {self.certificate}"

    @property
    def unloaded(self) -> pd.DataFrame:
        """One row per case that could not be loaded: ``schema.UNLOADED``."""
        return self.certificate.unloaded

    def to_pandas(self) -> History[pd.DataFrame]:
        """Return the same history with frames of pandas.

        Returns
        -------
        History
            Itself, if its frames are of pandas.
        """
        if isinstance(self.events, pd.DataFrame):
            return cast("History[pd.DataFrame]", self)
        events, changes = to_pandas(self, EVENTS), to_pandas(self, CHANGES)
        return History(events, changes, self.certificate)

    # ------------------------------------------------------------------- cutting

    def only(self, *, case_ids: Iterable[str]) -> History[FrameT]:
        """Return the history of some of its cases, each as whole as it was.

        Parameters
        ----------
        case_ids : iterable of str
            The cases to keep.

        Returns
        -------
        History
            With a certificate that counts these cases and says how many were left
            out.

        Raises
        ------
        ValueError
            If a case is not in it.
        """
        kept = as_ids(case_ids)
        known = [
            *self.certificate.captures["case_id"],
            *self.certificate.unloaded["case_id"],
        ]
        if unknown := [case_id for case_id in kept if case_id not in {*known}]:
            hint = nearest(unknown[0], known, known) if known else "It holds no case."
            raise ValueError(f"No case {unknown[0]!r} is in this history. {hint}")
        return self._of_cases(lambda key: key[1] in {*kept})

    def where(self, condition: CaseFilter) -> History[FrameT]:
        """Return the history of the cases that now fulfil a condition.

        Parameters
        ----------
        condition : CaseFilter
            What `where` writes, such as ``cn.where("status") == "open"``; read
            from the last value that each field was given.

        Returns
        -------
        History
            With a certificate that counts these cases and says how many were left
            out.

        Raises
        ------
        TypeError
            If it is no condition.
        ValueError
            If it asks for a tag, which no history tells.
        """
        if not isinstance(condition, CaseFilter):
            raise TypeError(
                f"{condition!r:.80} is no condition. Give cn.where('status') == 'open'."
            )
        asked = field_ids_of(self.changes, condition.field_ids)
        values = _last_values(self.changes, asked)
        return self._of_cases(lambda key: condition.matches(values.get(key, {})))

    def between(
        self, start: dt.datetime | None = None, end: dt.datetime | None = None
    ) -> History[FrameT]:
        """Return the history cut to the events of a span of time.

        Parameters
        ----------
        start : datetime, optional
            Events from this moment on, with its zone; from the first otherwise.
        end : datetime, optional
            Events before this moment, with its zone; to the last otherwise.

        Returns
        -------
        History
            With a certificate that is partial and says where it was cut. What a
            field held before `start` is told only by the old values after it.

        Raises
        ------
        ValueError
            If `end` is not after `start`, or one of them has no zone.
        """
        start = None if start is None else moment(start)
        end = None if end is None else moment(end)
        if start is not None and end is not None and end <= start:
            raise ValueError(f"end={end} is not after start={start}. Give a later one.")

        def cut(frame: FrameT) -> FrameT:
            given = whole(frame, "performed_at")
            at = nw.col("performed_at")
            if start is not None:
                given = given.filter(at >= instant(given, start))
            if end is not None:
                given = given.filter(at < instant(given, end))
            given = nw.maybe_reset_index(as_moments(given, frame))
            return cast("FrameT", given.to_native())

        events, changes = cut(self.events), cut(self.changes)
        captures = recounted(self.certificate.captures, events, changes)
        for name, at in (("start_at", start), ("end_at", end)):
            if at is not None:
                told = captures[name].fillna(pd.Timestamp(at))
                is_wider = told < at if name == "start_at" else told > at
                captures[name] = told.mask(is_wider, pd.Timestamp(at))
        certificate = replace(self.certificate, captures=captures)
        return History(events, changes, certificate)

    def _of_cases(self, is_kept: Callable[[tuple[str, str]], bool]) -> History[FrameT]:
        """Return the history of the cases whose domain and id are to be kept."""
        certificate = self.certificate
        captures, unloaded = (
            _rows_of_keys(frame, is_kept).reset_index(drop=True)
            for frame in (certificate.captures, certificate.unloaded)
        )
        kept = [*case_keys(captures)]
        n_left_out = certificate.n_cases - len(kept) + certificate.n_left_out
        own = replace(
            certificate,
            captures=captures,
            unloaded=unloaded,
            n_left_out=n_left_out,
        )
        events, changes = (_with_cases(f, kept) for f in (self.events, self.changes))
        return History(events, changes, own)


def belonging(
    events: FrameT,
    changes: FrameT,
    certificate: Certificate,
    *,
    n_breaks: int | None = None,
) -> History[FrameT]:
    """Return the History of frames that are known to be what a certificate counts."""
    history: History[FrameT] = object.__new__(History)
    for name, value in (("events", events), ("changes", changes)):
        object.__setattr__(history, name, value)
    content = cache(lambda: _content(certificate, events, changes, n_breaks))
    object.__setattr__(history, "certificate", certificate.with_content(content))
    return history


def concat(histories: Iterable[History[FrameT]]) -> History[FrameT]:
    """Return several histories as one, a case that is in two of them once.

    Of such a case the later capture counts. Where the earlier one tells an event
    otherwise, or tells one that the later one lacks, the certificate says so.

    Parameters
    ----------
    histories : iterable of History
        At least one, with frames of one engine.

    Returns
    -------
    History
        The cases in the order given, with one `Certificate`.

    Raises
    ------
    TypeError
        If one of them is no History.
    ValueError
        If there is none, if their engines differ, or if they are redacted otherwise.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> history = cn.load_history(cn.connect(world), *world.showcase)
    >>> cn.concat([history, history]).certificate.n_cases
    1
    """
    one: object = histories
    if isinstance(one, History):
        raise TypeError("concat takes several histories. Give a list: [one, other].")
    parts = [*histories]
    if not parts:
        raise ValueError("There is no history to join. Give at least one.")
    for each in parts:
        need_history(each)
    engines = {nw.from_native(each.events).implementation for each in parts}  # type: ignore[call-overload]
    if len(engines) > 1:
        named = ", ".join(sorted(engine.value for engine in engines))
        raise ValueError(
            f"These histories are of several engines ({named}). Give those of one."
        )
    redacted = parts[0].certificate.redacted
    if any(part.certificate.redacted != redacted for part in parts):
        raise ValueError(
            "These histories are not redacted alike. Redact all of them under one "
            "redaction, or none, and join them then."
        )
    best: dict[tuple[str, str], int] = {}
    fetched: dict[tuple[str, str], Any] = {}
    for n, part in enumerate(parts):
        captures = part.certificate.captures
        for key, at in zip(case_keys(captures), captures["fetched_at"], strict=True):
            if key not in best or not at < fetched[key]:
                best[key], fetched[key] = n, at
    kept = [[key for key in best if best[key] == n] for n in range(len(parts))]
    again = [
        (part, [k for k in case_keys(part.certificate.captures) if best[k] != n])
        for n, part in enumerate(parts)
    ]
    frames = [
        _joined(
            [
                _with_cases(getattr(p, name), k)
                for p, k in zip(parts, kept, strict=True)
            ],
            table,
        )
        for name, table in (("events", EVENTS), ("changes", CHANGES))
    ]
    captures = pd.concat(
        _rows_of_keys(part.certificate.captures, {*keys}.__contains__)
        for part, keys in zip(parts, kept, strict=True)
    )
    unloaded = pd.concat([part.certificate.unloaded for part in parts])
    unloaded = _rows_of_keys(unloaded, lambda key: key not in best)
    unloaded = unloaded.drop_duplicates(_CASE, keep="last")
    contradictions = [c for part in parts for c in part.certificate.contradictions]
    contradictions += _contradictions(again, frames[0], frames[1])
    ends = [part.certificate.ended_by for part in parts if part.certificate.ended_by]
    certificate = Certificate(
        captures=CAPTURES.cast(captures),
        unloaded=UNLOADED.cast(unloaded),
        ended_by="; ".join(dict.fromkeys(ends)),
        n_left_out=max(part.certificate.n_left_out for part in parts),
        contradictions=tuple(dict.fromkeys(contradictions)),
        redacted=redacted,
    )
    return History(frames[0], frames[1], certificate)


# ---------------------------------------------------------------- what it counts


def _rows_of_keys(
    frame: pd.DataFrame, is_kept: Callable[[tuple[str, str]], bool]
) -> pd.DataFrame:
    """Return the rows of a frame whose domain and case are to be kept."""
    return frame[np.array([is_kept(key) for key in case_keys(frame)], dtype=bool)]


def _held(events: object, changes: object) -> dict[tuple[str, str], list[int]]:
    """Return how many events and changes the frames hold of each case."""
    found: dict[tuple[str, str], list[int]] = {}
    for place, (frame, table) in enumerate(((events, EVENTS), (changes, CHANGES))):
        given = as_given(frame, table, *_CASE)
        counts = given.select(*_CASE, one=nw.lit(1, nw.Int64)).group_by(*_CASE)
        for row in rows_of(counts.agg(n=nw.col("one").sum())):
            held = found.setdefault((row["domain_id"], row["case_id"]), [0, 0])
            held[place] = int(row["n"])
    return found


def _need_belonging(
    certificate: Certificate, held: dict[tuple[str, str], list[int]]
) -> None:
    """Refuse a certificate that counts other events or changes than there are."""
    captures = certificate.captures
    told = {
        key: [int(n_events), int(n_changes)]
        for key, n_events, n_changes in zip(
            case_keys(captures),
            captures["n_events"],
            captures["n_changes"],
            strict=True,
        )
        if n_events or n_changes
    }
    if told == held:
        return
    key = next(k for k in (*told, *held) if told.get(k) != held.get(k))
    counts = [
        f"{counted(n_events, 'event')} and {counted(n_changes, 'change')}"
        for n_events, n_changes in (told.get(key, [0, 0]), held.get(key, [0, 0]))
    ]
    raise ValueError(
        f"These frames and this certificate do not belong together: of case {key[1]!r} "
        f"the certificate counts {counts[0]}, the frames hold {counts[1]}. Cut a history "
        "with only, where or between, join with cn.concat, or leave the certificate out."
    )


def _uncertified(events: object, changes: object) -> Certificate:
    """Return a certificate that claims nothing."""
    rows = pd.DataFrame(
        [
            {"domain_id": domain, "case_id": case}
            for domain, case in _held(events, changes)
        ],
        columns=_CASE,
    )
    blank: dict[str, Any] = {"int64": 0, "bool": False, TEXT: ""}
    for column in CAPTURES.columns[2:]:
        if column.dtype == TIME:
            rows[column.name] = pd.Series(pd.NaT, rows.index, dtype=column.dtype)
        else:
            rows[column.name] = blank[column.dtype]
    rows["unknowns"] = None
    rows["order_seen"] = "not told"
    rows["reached_end"] = True
    rows["source"] = "frames that were not loaded"
    captures = recounted(CAPTURES.cast(rows), events, changes)
    newest = captures["last_event_at"].max()
    captures["fetched_at"] = captures["fetched_at"].fillna(newest)
    return Certificate(captures=captures)


def recounted(captures: pd.DataFrame, events: object, changes: object) -> pd.DataFrame:
    """Return captures with the counts and times of the frames there are now."""
    held = _held(events, changes)
    given = opened(events, EVENTS)
    rows = given.select(
        *_CASE,
        first=nw.col("performed_at"),
        last=nw.col("performed_at"),
        created=is_creation().cast(nw.Int64),
        ties=(~nw.col("is_order_known")).cast(nw.Int64)
        if "is_order_known" in given.collect_schema().names()
        else nw.lit(0, nw.Int64),
    )
    sums = rows.group_by(*_CASE).agg(
        nw.col("first").min(),
        nw.col("last").max(),
        nw.col("created").sum(),
        nw.col("ties").sum(),
    )
    of = {(row["domain_id"], row["case_id"]): row for row in rows_of(sums)}
    none: dict[str, Any] = {"first": None, "last": None, "created": 0, "ties": 0}
    found = [of.get(key, none) for key in case_keys(captures)]
    counts = [held.get(key, [0, 0]) for key in case_keys(captures)]
    return CAPTURES.cast(
        captures.assign(
            n_events=[n for n, _ in counts],
            n_changes=[n for _, n in counts],
            n_ties=[int(row["ties"]) for row in found],
            first_event_at=pd.to_datetime([row["first"] for row in found], utc=True),
            last_event_at=pd.to_datetime([row["last"] for row in found], utc=True),
            has_creation=[row["created"] > 0 for row in found],
        )
    )


def breaks_of(changes: object) -> dict[tuple[str, str], int]:
    """Return how many old values of a case no event before them explains."""
    linked = chains(changes)
    is_odd = nw.col("is_break") | is_unexplained()
    odd = linked.filter(is_odd).told(*_CASE).frame
    rows = rows_of(odd.select(*_CASE))
    return dict(Counter((row["domain_id"], row["case_id"]) for row in rows))


def _content(
    certificate: Certificate, events: object, changes: object, n_breaks: int | None
) -> Content:
    """Return what the frames say of themselves, whatever their pages say."""
    if n_breaks is None:
        is_odd = (nw.col("is_break") | is_unexplained()).cast(nw.Int64)
        found = chains(changes).frame.select(n=is_odd).select(nw.col("n").sum())
        (breaks,) = rows_of(found)
        n_breaks = int(breaks["n"] or 0)
    captures = certificate.captures
    n_future = 0
    as_of, last = certificate.as_of, certificate.last_event_at
    if as_of is not None and last is not None and last > as_of:
        given = opened(events, EVENTS)
        later = nw.col("performed_at") > instant(given, as_of)
        (row,) = rows_of(given.select(n=later.cast(nw.Int64)).select(nw.col("n").sum()))
        n_future = int(row["n"] or 0)
    return Content(
        n_breaks=n_breaks,
        n_late_starts=int((~captures["has_creation"]).sum()),
        n_ties=certificate.n_ties,
        n_future=n_future,
        n_conflicts=int(captures["n_conflicts"].sum()),
    )


# ------------------------------------------------------------- frames of any engine


def _with_cases(frame: FrameT, kept: Sequence[tuple[str, str]]) -> FrameT:
    """Return a frame's rows of some cases."""
    given: Any = nw.from_native(cast("Any", frame))
    domains = [*dict.fromkeys(domain for domain, _ in kept)]
    is_kept: Any = nw.col("case_id").is_null() & ~nw.col("case_id").is_null()
    for domain in domains:
        ids = [case_id for of, case_id in kept if of == domain]
        is_kept = is_kept | (
            (nw.col("domain_id").cast(nw.String) == domain)
            & nw.col("case_id").cast(nw.String).is_in(ids)
        )
    return cast("FrameT", nw.maybe_reset_index(given.filter(is_kept)).to_native())


def _plain_ids(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    coded = [name for name, dtype in table.dtypes.items() if dtype == ID]
    return frame.astype({n: TEXT_TYPE for n in coded if n in frame.columns})


def _joined(frames: Sequence[FrameT], table: Table) -> FrameT:
    """Return frames one after the other, with the columns that all of them have."""
    opened_: list[Any] = [nw.from_native(cast("Any", frame)) for frame in frames]
    shared = [
        name
        for name in opened_[0].collect_schema().names()
        if all(name in each.collect_schema().names() for each in opened_)
    ]
    if opened_[0].implementation.is_pandas():
        # Categories of two frames differ: as text they can be put together.
        both = pd.concat(
            [_plain_ids(f.to_native()[shared], table) for f in opened_],
            ignore_index=True,
        )
        more = [name for name in shared if name not in table.names]
        told = table.cast(both)
        coded = {
            name: "category"
            for name in more
            if isinstance(opened_[0].to_native()[name].dtype, pd.CategoricalDtype)
        }
        return cast("FrameT", told.join(both[more].astype(coded))[shared])
    texts = [opened(each.select(*shared)) for each in opened_]
    return cast("FrameT", as_moments(stacked(texts), frames[0]).to_native())


def _last_values(
    changes: object, field_ids: Sequence[str]
) -> dict[tuple[str, str], dict[str, tuple[str | None, str | None]]]:
    """Return what each case's fields were last set to, by kind and text."""
    given = opened(changes, CHANGES)
    is_own = is_of_case()
    last = given.filter(is_own & nw.col("field_id").is_in([*field_ids]))
    last = last.unique([*CHAIN], keep="last", order_by=[*CHAIN_ORDER])
    found: dict[tuple[str, str], dict[str, tuple[str | None, str | None]]] = {}
    for row in rows_of(last.select(*CHAIN, "new_kind", "new")):
        held = found.setdefault((row["domain_id"], row["case_id"]), {})
        held[row["field_id"]] = row["new_kind"], row["new"]
    return found


def _contradictions(
    again: Sequence[tuple[History[Any], Sequence[tuple[str, str]]]],
    events: object,
    changes: object,
) -> list[str]:
    """Say how many events the earlier captures of cases tell otherwise."""
    odd: Counter[tuple[str, str]] = Counter()
    for part, keys in again:
        if not keys:
            continue
        then = _said(_with_cases(part.events, keys), _with_cases(part.changes, keys))
        now = _said(_with_cases(events, keys), _with_cases(changes, keys))
        for key, said in then.items():
            if now.get(key) != said:
                odd[key[:2]] += 1
    if not odd:
        return []
    events_, cases = counted(odd.total(), "event"), counted(len(odd), "case")
    return [f"{events_} of {cases} told otherwise by an earlier capture"]


def _said(events: object, changes: object) -> dict[tuple[str, str, str], list[Any]]:
    """Return what is told of each event, to compare two captures."""
    key = (*_CASE, "event_id")
    about = ("performed_at", "event_type", "related_item_type", "actor", "n_changes")
    values = ("slot", "field_id", "old_kind", "old", "new_kind", "new")
    found: dict[tuple[str, str, str], list[Any]] = {}
    for row in rows_of(opened(events, EVENTS).select(*key, *about)):
        found[row[key[0]], row[key[1]], row[key[2]]] = [row[name] for name in about]
    rows = rows_of(opened(changes, CHANGES).select(*key, *values).sort(*key, "slot"))
    for row in rows:
        said = found.setdefault((row[key[0]], row[key[1]], row[key[2]]), [])
        said.append([row[name] for name in values])
    return found
