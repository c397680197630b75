"""Dots side by side: one for each of a few, one for many where they are many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from casesnb.view.plots.style import KINDS, paper

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Numbers = np.ndarray[Any, Any]

_STEPS = (1, 2, 5)  # and their tens: what one dot may stand for
_DOTS = 3_000  # more are pixels, in a file of lines too


class Swarm(NamedTuple):
    """Dots that do not overlap, one place each in every array."""

    row: Numbers  # which of the things given each dot is
    aside: Numbers  # how far from the middle of its group, in dots
    n_each: int  # how many of the things given a dot stands for


def swarm(at: Numbers, group: Numbers, kind: Numbers, *, room: int) -> Swarm:
    """Place dots at `at`, told in dots, at most `room` of them side by side."""
    if not len(at):
        return Swarm(np.arange(0), np.zeros(0), 1)
    part = group * (int(kind.max()) + 1) + kind
    order = np.argsort(at, kind="stable")
    # Of short numbers numpy sorts millions at once.
    short = part[order].astype(np.min_scalar_type(int(part.max())))
    order = order[np.argsort(short, kind="stable")]
    starts = np.flatnonzero(np.diff(part[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(at)))
    owner = group[order[starts]]
    most = room * (int(at.max() - at.min()) + 2)
    power = 0
    while True:
        n_each = _STEPS[power % 3] * 10 ** (power // 3)
        power += 1
        if np.bincount(owner, weights=_counts(sizes, n_each)).max() > most:
            continue
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
    n = _counts(sizes, n_each)
    part = np.repeat(np.arange(len(n)), n)
    within = np.arange(len(part)) - np.repeat(np.cumsum(n) - n, n)
    places: Numbers = starts[part] + ((within + 0.5) * sizes[part] / n[part]).astype(
        int
    )
    return places


def _counts(sizes: Numbers, n_each: int) -> Numbers:
    """Return how many dots each part has, if one stands for `n_each` of it."""
    counts: Numbers = np.maximum(np.round(sizes / n_each).astype(int), 1)
    return counts


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


def draw_swarm(
    ax: Axes,
    values: Numbers,
    group: Numbers,
    is_hollow: Numbers,
    *,
    place: Numbers,
    along: Literal["x", "y"],
    size: float,
    gap: float,
    wide: float,
) -> int:
    """Draw a dot for each value, or for each `n_each` of them, which is returned."""
    # Places go from 0 to 1 along the axis of the values; sizes and gaps are points.
    box, limits = ax.bbox, ax.get_xlim() if along == "y" else ax.get_ylim()
    sizes = (box.height, box.width) if along == "y" else (box.width, box.height)
    points, others = (each / ax.figure.dpi * 72 for each in sizes)
    across = others / abs(np.diff(limits))[0]
    room = max(int(wide * across / size), 3)
    dots = swarm(place * points / size, group, is_hollow.astype(int), room=room)
    aside = group[dots.row] + dots.aside * size / across
    ink, ground = KINDS["agent"].colour, paper(ax).ground
    of_dots = is_hollow[dots.row]
    for which, face in ((~of_dots, ink), (of_dots, ground)):
        value, beside = values[dots.row][which], aside[which]
        ax.plot(
            *((beside, value) if along == "y" else (value, beside)),
            linestyle="",
            marker="o",
            markersize=size - gap,
            markerfacecolor=face,
            markeredgecolor=ink,
            markeredgewidth=0.8,
            rasterized=len(aside) > _DOTS,
            zorder=3,
        )
    return dots.n_each
