"""Dots side by side: one for each of a few, one for many where they are many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    Numbers = np.ndarray[Any, Any]

_STEPS = (1, 2, 5)  # and their tens: what one dot may stand for


class Swarm(NamedTuple):
    """Dots that do not overlap, one place each in every array."""

    row: Numbers  # which of the things given each dot is
    aside: Numbers  # how far from the middle of its group, in dots
    n_each: int  # how many of the things given a dot stands for


def swarm(at: Numbers, group: Numbers, kind: Numbers, *, room: int) -> Swarm:
    """Place dots at `at`, told in dots, at most `room` of them side by side."""
    if not len(at):
        return Swarm(np.arange(0), np.zeros(0), 1)
    order = np.lexsort((at, kind, group))
    parts = group[order] * (int(kind.max()) + 1) + kind[order]
    starts = np.flatnonzero(np.diff(parts, prepend=-1))
    sizes = np.diff(np.append(starts, len(at)))
    power = 0
    while True:
        n_each = _STEPS[power % 3] * 10 ** (power // 3)
        power += 1
        row = order if n_each == 1 else order[_quantiles(starts, sizes, n_each)]
        row = row[np.lexsort((at[row], group[row]))]
        low = at[row] - at[row].min()
        cell = group[row] * (int(low.max()) + 2) + low.astype("int64")
        if np.unique(cell, return_counts=True)[1].max() > room:
            continue
        slot, n_slots = _slots(at[row], group[row])
        if n_slots <= room:
            # 0, 1, 2, 3, ... become 0, 1, -1, 2, ...
            aside = np.where(slot % 2, (slot + 1) // 2, -(slot // 2))
            return Swarm(row, aside.astype(float), n_each)


def _quantiles(starts: Numbers, sizes: Numbers, n_each: int) -> Numbers:
    """Return evenly spread places of each part, one for every `n_each` of it."""
    n = np.maximum(np.round(sizes / n_each).astype(int), 1)
    part = np.repeat(np.arange(len(n)), n)
    within = np.arange(len(part)) - np.repeat(np.cumsum(n) - n, n)
    places: Numbers = starts[part] + ((within + 0.5) * sizes[part] / n[part]).astype(
        int
    )
    return places


def _slots(at: Numbers, group: Numbers) -> tuple[Numbers, int]:
    """Return the first line, from the middle outwards, on which each dot is free."""
    slots = np.zeros(len(at), dtype=int)
    ends: list[float] = []
    now, most = -1, 0
    for i, (place, own) in enumerate(zip(at.tolist(), group.tolist(), strict=True)):
        if own != now:
            now, ends = own, []
        slot = next((n for n, end in enumerate(ends) if end <= place), len(ends))
        if slot == len(ends):
            ends.append(0.0)
        ends[slot] = place + 1
        slots[i] = slot
        most = max(most, slot + 1)
    return slots, most
