"""How far a load is: a bar, or a function that is told and may stop it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Progress = bool | Callable[[int], object]

_T = TypeVar("_T")


def shown(
    items: Iterable[_T], unit: str, *, progress: Progress, total: int | None = None
) -> Iterable[_T]:
    """Return items that show, as they are taken, how many were."""
    if progress is False:
        return items
    if callable(progress):
        return _told(items, progress)
    from tqdm.auto import tqdm

    return cast("Iterable[_T]", tqdm(items, unit=f" {unit}", total=total))


def _told(items: Iterable[_T], tell: Callable[[int], object]) -> Iterator[_T]:
    for n, item in enumerate(items, 1):
        tell(n)
        yield item
