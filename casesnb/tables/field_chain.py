"""The chain of a field's changes: each old value should be the new one before it."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from casesnb.tables.arguments import moment
from casesnb.tables.arrow import ranked
from casesnb.tables.frames import (
    as_given,
    as_of_of,
    instant,
    rows_of,
    texts,
    whole,
)
from casesnb.tables.schema import CHANGES, SYSTEM_FIELDS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

PART = ("domain_id", "case_id", "field_id")
ORDER = ("sequence", "slot")

_OUTCOME = "is_outcome_known"
_TEXTUAL = ("string", "user_arn")
_COMPARED = ("performed_at", "old_kind", "old", "new_kind", "new")


@dataclass(frozen=True)
class Chains:
    """The changes of cases' own fields, each in its chain.

    Where rows have numbers (Arrow, Polars) a chain is a stretch of sorted rows.
    Only what is compared is sorted; the other columns are taken by row when they
    are asked for. Elsewhere a chain is a window and every column is there.
    """

    # one row per change: `performed_at`, both values and their kinds, ``prior``
    # and ``prior_kind`` (the new value before, where there is one),
    # ``is_first``, ``is_last`` and ``is_break``: the old value is not the new
    # one before. A value that AWS did not send contradicts nothing. ``is_unsure``:
    # another order of its instant may leave the field with another value
    frame: Any
    until: Any  # one row: ``as_of``, the moment up to which changes count
    given: Any = None  # every change as it was given, where rows have numbers

    @property
    def order(self) -> tuple[str, ...]:
        """The columns that put its rows in order."""
        return (*PART, *ORDER) if self.given is None else ("place",)

    def filter(self, *where: Any, without: tuple[str, ...] = ()) -> Chains:
        """Return the rows that fulfil every condition."""
        if self.given is None:
            return self.of(self.frame.filter(*where))
        kept = nw.all_horizontal(*where, ignore_nulls=False).fill_null(False)
        mask = self.frame.select(kept=kept)["kept"]
        left = self.frame.drop(*without)
        return self.of(left if mask.all() else left.filter(mask))

    def with_columns(self, **columns: Any) -> Chains:
        """Return the same rows with more columns."""
        return replace(self, frame=self.frame.with_columns(**columns))

    def of(self, frame: Any) -> Chains:
        """Return another frame with the numbers of these rows."""
        return replace(self, frame=frame)

    def beside(self, among: str = "", **names: tuple[str, int]) -> Chains:
        """Return the rows with columns of neighbours in their chain."""
        if self.given is None:
            part = (*PART, among) if among else PART
            found = {
                name: nw.col(source).shift(step).over(*part, order_by=ORDER)
                for name, (source, step) in names.items()
            }
            if among:
                found = {n: nw.when(among).then(value) for n, value in found.items()}
            return self.with_columns(**found)
        if among:
            sources = {source for source, _ in names.values()}
            some = self.of(self.frame.select("chain", among, *sources)).filter(among)
            some = some.beside("", **names).frame
            if some.is_empty():
                none = {n: nw.lit(None, some.schema[n]) for n in names}
                return self.with_columns(**none)
            is_among = self.frame[among].to_numpy()
            place = (is_among.cumsum() - 1).clip(0)
            return self.with_columns(
                **{n: nw.when(among).then(some[n][place]) for n in names}
            )
        found = {}
        for name, (source, step) in names.items():
            is_same = nw.col("chain") == nw.col("chain").shift(step)
            found[name] = nw.when(is_same).then(nw.col(source).shift(step))
        return self.with_columns(**found)

    def joined(self, other: Any, on: list[str]) -> Chains:
        """Return the rows with what another frame tells of a key of theirs."""
        if self.given is None:
            return self.of(self.frame.join(other, on=on, how="left"))
        # A join copies every column that goes through it, in any order.
        keys = self.frame.select("place", *on).join(other, on=on, how="left")
        keys = keys.sort("place")
        found = (keys[name] for name in other.columns if name not in on)
        return self.of(self.frame.with_columns(*found))

    def with_as_of(self) -> Chains:
        """Return the rows with ``as_of``, the moment up to which changes count."""
        if self.given is None:
            return self.of(self.frame.join(self.until, how="cross"))
        (until,) = rows_of(self.until)
        at = until["as_of"] and moment(until["as_of"])
        return self.with_columns(as_of=instant(self.frame, at))

    def told(self, *names: str) -> Chains:
        """Return the rows with columns of the changes, categories as texts."""
        frame = self.frame
        if self.given is not None:
            there = set(frame.columns)
            wanted = [name for name in names if name not in there]
            taken = self.given.select(*wanted)[frame["row"].to_numpy()]
            frame = frame.with_columns(*(taken[name] for name in wanted))
        return replace(self, frame=texts(frame))


def field_ids_of(subject: object, asked: Sequence[str]) -> list[str]:
    """Return the ids of the fields asked for by id or, where there are any, by name."""
    # A misspelt field would look like an empty answer. What every domain has is not
    # misspelt, and a frame without a row tells of none.
    for name in asked:
        if not isinstance(name, str):
            raise TypeError(
                f"field_id={name!r}: give one field's id, such as 'status'."
            )
    if all(name in SYSTEM_FIELDS for name in asked):
        return [*asked]
    given = whole(subject, table=CHANGES)
    columns = [n for n in ("field_id", "field") if n in given.collect_schema().names()]
    rows = rows_of(given.select(nw.col(*columns).cast(nw.String)).unique())
    ids = {row["field_id"] for row in rows if row["field_id"] is not None}
    named: dict[str, set[str]] = {}
    for row in rows:
        if row.get("field") and row["field_id"] is not None:
            named.setdefault(row["field"], set()).add(row["field_id"])
    found: list[str] = []
    for name in asked:
        of_name = named.get(name, set()) if name not in ids else {name}
        if len(of_name) > 1:
            raise ValueError(
                f"Several fields are called {name!r}: give one of the ids "
                f"{', '.join(sorted(of_name))}."
            )
        if not of_name and ids and name not in SYSTEM_FIELDS:
            known = sorted(ids | named.keys() | SYSTEM_FIELDS.keys())
            near = difflib.get_close_matches(name, known, 3)
            hint = ", ".join(near or sorted(ids)[:8])
            raise ValueError(
                f"No change is of a field {name!r}. {'Near it' if near else 'There'} "
                f"{'is' if len(near) == 1 else 'are'} {hint}."
            )
        found.extend(of_name or {name})
    return found


def chains(
    changes: object, *field_ids: str, as_of: dt.datetime | None = None
) -> Chains:
    """Return the changes of cases' own fields in their chains."""
    given = as_given(changes, CHANGES)
    as_of = as_of_of(changes, as_of)
    until = given.select(as_of=nw.col("performed_at").max())
    where = [is_of_case()]
    if field_ids:
        is_asked = [nw.col("field_id") == name for name in field_ids]
        where.append(nw.any_horizontal(*is_asked, ignore_nulls=True).fill_null(False))
    if as_of is not None:
        at = instant(given, as_of)
        where.append(nw.col("performed_at") <= at)
        until = until.with_columns(as_of=at)
    unsure = nw.lit(False)
    if _OUTCOME in given.collect_schema().names():
        unsure = ~nw.col(_OUTCOME)
    if isinstance(given, nw.LazyFrame):
        rows = texts(given).filter(*where).with_columns(is_unsure=unsure)
        linked = Chains(rows, until).beside(
            prior_kind=("new_kind", 1),
            prior=("new", 1),
            prior_at=("performed_at", 1),
            next_at=("performed_at", -1),
        )
        linked = linked.with_columns(
            is_first=nw.col("prior_at").is_null(), is_last=nw.col("next_at").is_null()
        )
    else:
        if not given.implementation.is_pyarrow():
            given = texts(given)
        frame = _in_order(given, where, unsure)
        chain = nw.col("chain")
        linked = Chains(
            frame.with_columns(
                prior_kind=nw.col("new_kind").shift(1),
                prior=nw.col("new").shift(1),
                is_first=(chain != chain.shift(1)).fill_null(True),
                is_last=(chain != chain.shift(-1)).fill_null(True),
            ),
            until,
            given,
        )
    return linked.with_columns(
        is_break=~nw.col("is_first")
        & ~nw.col("old_kind").is_null()
        & ~nw.col("prior_kind").is_null()
        & differs("old", "prior")
    )


def _in_order(given: Any, where: list[Any], unsure: nw.Expr) -> Any:
    """Return what is compared, chain by chain, with the rows' numbers."""
    if given.implementation.is_pyarrow():
        told = texts(given.select("event_type"))["event_type"]
        asked = given.select("field_id", "performed_at").with_columns(told)
        mask = asked.select(kept=nw.all_horizontal(*where, ignore_nulls=True))["kept"]
        row, chain = _arrow_order(given.to_native(), mask.to_numpy().nonzero()[0])
    else:
        keys = given.with_row_index("row").filter(*where)
        keys = keys.select("row", *PART, *ORDER).sort(*PART, *ORDER, nulls_last=True)
        starts = nw.lit(False)
        for name in PART:
            before = nw.col(name).shift(1)
            starts = starts | (nw.col(name) != before).fill_null(True) & ~(
                nw.col(name).is_null() & before.is_null()
            )
        keys = keys.with_columns(chain=starts)
        keys = keys.select("row", nw.col("chain").cast(nw.Int64).cum_sum())
        row, chain = keys["row"].to_numpy(), keys["chain"].to_numpy()
    frame = texts(given.select(*_COMPARED, is_unsure=unsure)[row])
    # Even places, so that a row may be put before another one.
    place = (row * 0 + 2).cumsum()
    return frame.with_columns(
        nw.new_series(name, values, backend=given.implementation)
        for name, values in {"row": row, "chain": chain, "place": place}.items()
    )


def _arrow_order(native: Any, rows: Any) -> tuple[Any, Any]:
    """Return the numbers of rows in the chains' order, and the chain of each."""
    counts: list[int] = [1]
    chain: Any = 0
    for name in PART:
        ranks, count = ranked(native[name])
        chain = chain * count + ranks[rows]
        counts.append(count)
    place: Any = 0
    for name in ORDER:
        values = native[name].to_numpy()[rows].astype("int64")
        count = int(values.max()) + 1 if len(rows) else 1
        place = place * count + values
        counts.append(count)
    if math.prod(counts) < 2**63:
        order = (chain * math.prod(counts[-2:]) + place).argsort(kind="stable")
    else:
        order = place.argsort(kind="stable")
        order = order[chain[order].argsort(kind="stable")]
    return rows[order], chain[order]


def chained(
    changes: object, *field_ids: str, as_of: dt.datetime | None = None
) -> Chains:
    """Return the changes of cases' own fields, each beside the one before it."""
    as_of, given = as_of_of(changes, as_of), as_given(changes, CHANGES)
    told = chains(given, *field_ids, as_of=as_of).told(*given.collect_schema().names())
    return told.beside(
        before_kind=("new_kind", 1),
        before=("new", 1),
        before_at=("performed_at", 1),
        before_event_id=("event_id", 1),
        next_at=("performed_at", -1),
    )


def is_creation() -> nw.Expr:
    """Return whether an event created its case."""
    return (nw.col("event_type") == "Case.Created").fill_null(False)


def is_of_case() -> nw.Expr:
    """Return whether a change is of the case itself, not of an item related to it."""
    return ~nw.col("event_type").str.starts_with("RelatedItem.").fill_null(False)


def is_unexplained() -> nw.Expr:
    """Return whether a field's first change replaces a value that no event had set."""
    return (
        nw.col("is_first")
        & ~nw.col("old_kind").is_null()
        & (nw.col("old_kind") != "empty").fill_null(False)
    )


def is_new() -> nw.Expr:
    """Return whether a change begins a value: to save it again begins none."""
    return nw.col("is_first") | nw.col("is_break") | differs("new", "prior")


def differs(value: str, other: str) -> nw.Expr:
    """Return whether two values differ, kind and text, missing ones being alike."""
    # One user is one user, as an ARN or as text.
    kinds = [nw.col(f"{name}_kind") for name in (value, other)]
    is_text = [kind.is_in(_TEXTUAL).fill_null(False) for kind in kinds]
    is_other_kind = _unlike(f"{value}_kind", f"{other}_kind") & ~(
        is_text[0] & is_text[1]
    )
    return is_other_kind | _unlike(value, other)


def _unlike(name: str, other: str) -> nw.Expr:
    # Engines differ on what missing equals, so nothing here leans on that.
    one, two = nw.col(name), nw.col(other)
    return (one != two).fill_null(True) & ~(one.is_null() & two.is_null())
