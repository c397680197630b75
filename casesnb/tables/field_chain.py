"""The chain of a field's changes: each old value should be the new one before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import narwhals as nw

from casesnb.tables.arguments import nearest
from casesnb.tables.chain_rows import rows_in_chains
from casesnb.tables.chain_windows import windows_of
from casesnb.tables.frames import (
    THREAD,
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

_OUTCOME = "is_outcome_known"
_TEXTUAL = ("string", "user_arn")


class Chains(Protocol):
    """The changes of cases' own fields, each in its chain.

    One frame, a row per change: `performed_at`, both values and their kinds,
    ``prior`` and ``prior_kind`` (the new value before, where there is one),
    ``is_first``, ``is_last``, ``is_creation`` and ``is_break``: the old value is
    not the new one before. A value that AWS did not send contradicts nothing;
    ``is_after_untold``: the change before did not tell its value. Of a thread also
    ``merged_at`` and ``is_counted``. ``is_unsure``: another order of its instant may leave the field with another
    value. `chain_rows` numbers rows, `chain_windows` asks lazy engines for windows.
    """

    @property
    def frame(self) -> Any:
        """The rows, of which only `told` columns can be relied on."""

    @property
    def until(self) -> Any:
        """One row: ``as_of``, the moment up to which changes count."""

    @property
    def order(self) -> tuple[str, ...]:
        """The columns that put its rows in order, where they are not."""

    def filter(self, *where: Any, without: Sequence[str] = ()) -> Chains:
        """Return the rows that fulfil every condition, some columns done with."""

    def with_columns(self, **columns: Any) -> Chains:
        """Return the same rows with more columns."""

    def with_prior(self) -> Chains:
        """Return the rows with ``prior`` and ``prior_kind``, were they done with."""

    def with_as_of(self) -> Chains:
        """Return the rows with ``as_of``, the moment up to which changes count."""

    def with_chain(self) -> Chains:
        """Return the rows with ``chain``, one value for each chain."""

    def beside(self, among: str = "", **names: tuple[str, int]) -> Chains:
        """Return the rows with columns of neighbours in their chain."""

    def preceded(self, where: Any, **changed: Any) -> Chains:
        """Return the rows and, before each that fulfils a condition, a changed one."""

    def joined(self, other: Any, on: list[str]) -> Chains:
        """Return the rows with what another frame tells of a key of theirs."""

    def told(self, *names: str, where: Any = None) -> Chains:
        """Return the rows with columns of the changes, categories as texts."""


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
            raise ValueError(
                f"No change is of a field {name!r}. {nearest(name, known, sorted(ids))}"
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
    is_unsure = nw.lit(False)
    if _OUTCOME in given.collect_schema().names():
        is_unsure = ~nw.col(_OUTCOME)
    own = {"is_unsure": is_unsure, "is_creation": is_creation()}
    there = given.collect_schema().names()
    own |= {name: nw.col(name) for name in THREAD[1:] if name in there}
    linked: Chains
    if isinstance(given, nw.LazyFrame):
        linked = windows_of(texts(given).filter(*where).with_columns(**own), until)
    else:
        linked = rows_in_chains(given, where, until, **own)
    is_untold = nw.col("prior_kind").is_null()
    return linked.with_columns(
        is_break=~nw.col("is_first")
        & ~nw.col("old_kind").is_null()
        & ~is_untold
        & differs("old", "prior"),
        is_after_untold=~nw.col("is_first") & is_untold,
    )


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


def in_thread(end: str) -> dict[str, nw.Expr]:
    """Return what ends rows of a thread, by `end`, where a merge ended their case."""
    # `is_end`: what the merge itself did to the case that it closed.
    at, merged = nw.col("performed_at"), nw.col("merged_at")
    is_end = (at >= merged).fill_null(False) & ~nw.col("is_counted")
    is_cut = (at < merged).fill_null(False)
    is_cut = is_cut & (nw.col(end).is_null() | (nw.col(end) > merged).fill_null(False))
    ended = nw.when(is_cut).then("merged_at").otherwise(end)
    return {"is_end": is_end, "is_cut": is_cut, end: ended}


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
    one, two = ((kind == _TEXTUAL[0]) | (kind == _TEXTUAL[1]) for kind in kinds)
    is_text = (one & two).fill_null(False)
    is_other_kind = _unlike(f"{value}_kind", f"{other}_kind") & ~is_text
    return is_other_kind | _unlike(value, other)


def _unlike(name: str, other: str) -> nw.Expr:
    # Engines differ on what missing equals, so nothing here leans on that.
    one, two = nw.col(name), nw.col(other)
    return (one != two).fill_null(True) & ~(one.is_null() & two.is_null())
