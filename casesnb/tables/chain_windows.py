"""Chains of lazy frames: a chain is a window, and every column is there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw

from casesnb.tables.frames import stacked, texts
from casesnb.tables.keys import told_apart
from casesnb.tables.schema import CHAIN, CHAIN_ORDER

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class WindowChains:
    """Chains as windows of a lazy frame."""

    frame: Any
    until: Any

    @property
    def order(self) -> tuple[str, ...]:
        """The columns that put its rows in order."""
        return (*CHAIN, *CHAIN_ORDER)

    def filter(self, *where: Any, without: Sequence[str] = ()) -> WindowChains:
        """Return the rows that fulfil every condition."""
        # An engine leaves out by itself what nobody asks for.
        return self._of(self.frame.filter(*where))

    def with_columns(self, **columns: Any) -> WindowChains:
        """Return the same rows with more columns."""
        return self._of(self.frame.with_columns(**columns))

    def with_prior(self) -> WindowChains:
        """Return the rows, whose ``prior`` is never done with."""
        return self

    def with_as_of(self) -> WindowChains:
        """Return the rows with ``as_of``."""
        return self._of(self.frame.join(self.until, how="cross"))

    def with_chain(self) -> WindowChains:
        """Return the rows with ``chain``, one value for each chain."""
        return self._of(told_apart(self.frame, "chain", CHAIN))

    def beside(self, among: str = "", **names: tuple[str, int]) -> WindowChains:
        """Return the rows with columns of neighbours in their chain."""
        part = (*CHAIN, among) if among else CHAIN
        found = {
            name: nw.col(source).shift(step).over(*part, order_by=CHAIN_ORDER)
            for name, (source, step) in names.items()
        }
        if among:
            found = {n: nw.when(among).then(value) for n, value in found.items()}
        return self.with_columns(**found)

    def preceded(self, where: Any, **changed: Any) -> WindowChains:
        """Return the rows and, before each that fulfils a condition, a changed one."""
        # One pass: a union would look for every change's neighbours twice.
        sides = [self.until.with_columns(side=nw.lit(n, nw.Int8)) for n in (0, 1)]
        both = self.frame.join(stacked(sides), how="cross")
        is_after = nw.col("side") == 1
        changed["sequence"] = nw.lit(-1, nw.Int32)
        return self._of(both.filter(is_after | where)).with_columns(
            **{
                name: nw.when(is_after).then(name).otherwise(other)
                for name, other in changed.items()
            }
        )

    def joined(self, other: Any, on: list[str]) -> WindowChains:
        """Return the rows with what another frame tells of a key of theirs."""
        return self._of(self.frame.join(other, on=on, how="left"))

    def told(self, *names: str, where: Any = None) -> WindowChains:
        """Return the rows, their categories as texts."""
        told = self._of(texts(self.frame))
        if where is None or not names:
            return told
        return told.with_columns(**{name: nw.when(where).then(name) for name in names})

    def _of(self, frame: Any) -> WindowChains:
        return replace(self, frame=frame)


def windows_of(rows: Any, until: Any) -> WindowChains:
    """Return a lazy frame's changes in their chains."""
    linked = WindowChains(rows, until).beside(
        prior_kind=("new_kind", 1),
        prior=("new", 1),
        prior_at=("performed_at", 1),
        next_at=("performed_at", -1),
    )
    return linked.with_columns(
        is_first=nw.col("prior_at").is_null(), is_last=nw.col("next_at").is_null()
    )
