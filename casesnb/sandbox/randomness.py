"""Dice that fall alike on every machine and Python version.

Python promises one thing of seeded randomness: that ``random()`` repeats. All else
is made from it here with plain arithmetic, so no logarithm and no hash order can
differ between machines.
"""

from __future__ import annotations

import hashlib
from random import Random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


class Dice:
    """A stream of chance of its own for everything that has a name."""

    __slots__ = ("_random",)

    def __init__(self, *name: object) -> None:
        self._random = Random(":".join(map(str, name))).random

    def share(self) -> float:
        """Return a number from 0 up to 1."""
        return self._random()

    def chance(self, rate: float) -> bool:
        """Whether something that happens at `rate` happens now."""
        return self._random() < rate

    def below(self, n: int) -> int:
        """Return a whole number from 0 up to `n`."""
        return int(self._random() * n)

    def between(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included."""
        return low + int(self._random() * (high - low + 1))

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of `choices`, each as likely as the others."""
        return choices[int(self._random() * len(choices))]

    def weighted(self, choices: Sequence[tuple[int, T]]) -> T:
        """Return one of `choices`, each as likely as its weight says."""
        left = self._random() * sum(weight for weight, _ in choices)
        for weight, choice in choices:
            left -= weight
            if left < 0:
                return choice
        return choices[-1][1]

    def tail(self, middle: int, most: int) -> int:
        """Return a whole number about `middle`, now and then far above it."""
        share = self._random()
        return min(most, int(middle * share / (1 - share)))


def digest(*name: object, bits: int = 128) -> int:
    """Return a number that stands for `name`, the same everywhere."""
    text = ":".join(map(str, name)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=bits // 8).digest())


def as_uuid(number: int) -> str:
    """Return 128 bits as a random UUID's text."""
    text = f"{number:032x}"
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"
