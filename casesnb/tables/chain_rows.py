"""Chains of frames whose rows have numbers: a chain is a stretch of sorted rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from casesnb.tables.arguments import moment
from casesnb.tables.arrow import order_of, ranked
from casesnb.tables.frames import instant, rows_of, stacked, texts
from casesnb.tables.keys import looked_up
from casesnb.tables.schema import CHAIN, CHAIN_ORDER

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMPARED = ("performed_at", "old_kind", "old", "new_kind", "new")


@dataclass(frozen=True)
class RowChains:
    """Chains as stretches of rows in order.

    Only what is compared is sorted; the other columns are taken by row when they
    are asked for.
    """

    frame: Any
    until: Any
    given: Any  # every change as it was given

    @property
    def order(self) -> tuple[str, ...]:
        """No column: its rows are in order already."""
        return ()

    def filter(self, *where: Any, without: Sequence[str] = ()) -> RowChains:
        """Return the rows that fulfil every condition, some columns done with."""
        kept = nw.all_horizontal(*where, ignore_nulls=False).fill_null(False)
        mask = self.frame.select(kept=kept)["kept"]
        left = self.frame.drop(*without)
        return self._of(left if mask.all() else left.filter(mask))

    def with_columns(self, **columns: Any) -> RowChains:
        """Return the same rows with more columns."""
        return self._of(self.frame.with_columns(**columns))

    def with_prior(self) -> RowChains:
        """Return the rows with ``prior`` and ``prior_kind``."""
        if "prior" in self.frame.columns:
            return self
        return self.beside(prior_kind=("new_kind", 1), prior=("new", 1))

    def with_as_of(self) -> RowChains:
        """Return the rows with ``as_of``."""
        (until,) = rows_of(self.until)
        at = until["as_of"] and moment(until["as_of"])
        return self.with_columns(as_of=instant(self.frame, at))

    def with_chain(self) -> RowChains:
        """Return the rows, which have a ``chain``."""
        return self

    def beside(self, among: str = "", **names: tuple[str, int]) -> RowChains:
        """Return the rows with columns of neighbours in their chain."""
        if among:
            sources = {source for source, _ in names.values()}
            some = self._of(self.frame.select("chain", among, *sources)).filter(among)
            found = some.beside("", **names).frame
            if found.is_empty():
                none = {n: nw.lit(None, found.schema[n]) for n in names}
                return self.with_columns(**none)
            place = (self.frame[among].to_numpy().cumsum() - 1).clip(0)
            return self.with_columns(
                **{n: nw.when(among).then(found[n][place]) for n in names}
            )
        columns = {}
        for name, (source, step) in names.items():
            is_same = nw.col("chain") == nw.col("chain").shift(step)
            columns[name] = nw.when(is_same).then(nw.col(source).shift(step))
        return self.with_columns(**columns)

    def preceded(self, where: Any, **changed: Any) -> RowChains:
        """Return the rows and, before each that fulfils a condition, a changed one."""
        linked = self.with_as_of()
        first = linked.filter(where)
        if first.frame.is_empty():
            return linked
        first = first.with_columns(**changed, place=nw.col("place") - 1)
        parts = [first.frame.select(*linked.frame.columns), linked.frame]
        return self._of(stacked([texts(part) for part in parts]).sort("place"))

    def joined(self, other: Any, on: list[str]) -> RowChains:
        """Return the rows with what another frame tells of a key of theirs."""
        return self._of(looked_up(self.frame, other, on))

    def told(self, *names: str, where: Any = None) -> RowChains:
        """Return the rows with columns of the changes, categories as texts."""
        frame = self.frame
        there = set(frame.columns)
        wanted = [name for name in names if name not in there]
        taken = self.given.select(*wanted)[frame["row"].to_numpy()]
        frame = texts(frame.with_columns(*(taken[name] for name in wanted)))
        if names and where is not None and not frame.select(w=where)["w"].all():
            masked = {name: nw.when(where).then(name) for name in names}
            frame = frame.with_columns(**masked)
        return self._of(frame)

    def _of(self, frame: Any) -> RowChains:
        return replace(self, frame=frame)


def rows_in_chains(
    given: Any, where: list[Any], until: Any, **columns: Any
) -> RowChains:
    """Return the changes that fulfil every condition in their chains."""
    if not given.implementation.is_pyarrow():
        given = texts(given)
    chain = nw.col("chain")
    frame = _in_order(given, where, columns).with_columns(
        prior_kind=nw.col("new_kind").shift(1),
        prior=nw.col("new").shift(1),
        is_first=(chain != chain.shift(1)).fill_null(True),
        is_last=(chain != chain.shift(-1)).fill_null(True),
    )
    return RowChains(frame, until, given)


def _in_order(given: Any, where: list[Any], columns: dict[str, nw.Expr]) -> Any:
    """Return what is compared, chain by chain, with the rows' numbers."""
    if given.implementation.is_pyarrow():
        told = texts(given.select("event_type"))["event_type"]
        given = given.with_columns(told)
        mask = given.select(kept=nw.all_horizontal(*where, ignore_nulls=True))["kept"]
        row, chain = _arrow_order(given.to_native(), mask.to_numpy().nonzero()[0])
    else:
        keys = given.with_row_index("row").filter(*where)
        keys = keys.select("row", *CHAIN, *CHAIN_ORDER)
        keys = keys.sort(*CHAIN, *CHAIN_ORDER, nulls_last=True)
        starts = nw.lit(False)
        for name in CHAIN:
            before = nw.col(name).shift(1)
            starts = starts | (nw.col(name) != before).fill_null(True) & ~(
                nw.col(name).is_null() & before.is_null()
            )
        keys = keys.with_columns(chain=starts)
        keys = keys.select("row", nw.col("chain").cast(nw.Int64).cum_sum())
        row, chain = keys["row"].to_numpy(), keys["chain"].to_numpy()
    frame = texts(given.select(*_COMPARED, **columns)[row])
    # Even places, so that a row may be put before another one.
    place = (row * 0 + 2).cumsum()
    return frame.with_columns(
        nw.new_series(name, values, backend=given.implementation)
        for name, values in {"row": row, "chain": chain, "place": place}.items()
    )


def _arrow_order(native: Any, rows: Any) -> tuple[Any, Any]:
    """Return the numbers of rows in the chains' order, and the chain of each."""
    chain: Any = 0
    n_chains = 1
    for name in CHAIN:
        ranks, count = ranked(native[name])
        chain = chain * count + ranks
        n_chains *= count
    places = [native[name].to_numpy().astype("int64") for name in CHAIN_ORDER]
    if len(rows) < len(native):
        chain, *places = (values[rows] for values in (chain, *places))
    ends = [int(values.max(initial=0)) + 1 for values in places]
    order = order_of((chain, n_chains), *zip(places, ends, strict=True))
    return rows[order], chain[order]
