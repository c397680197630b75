"""Several workers on a list of cases, each outcome handed over when it is there."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from casesnb.wire.calls import ask_until

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

_T = TypeVar("_T")


def as_they_come(
    read: Callable[[str], _T],
    asked: Sequence[str],
    stop: threading.Event,
    *,
    workers: int,
) -> Generator[tuple[str, Future[_T]], None, None]:
    """Yield each case's outcome when it is there, keeping every worker busy."""
    left = iter(asked)
    todo: SimpleQueue[str | None] = SimpleQueue()
    come: SimpleQueue[tuple[str, Future[_T]]] = SimpleQueue()

    def work() -> None:
        ask_until(stop)
        while (case_id := todo.get()) is not None:
            outcome: Future[_T] = Future()
            try:
                outcome.set_result(read(case_id))
            except BaseException as error:  # noqa: BLE001 - the caller raises it
                outcome.set_exception(error)
            come.put((case_id, outcome))

    crew = range(min(workers, len(asked)))
    try:
        for n in crew:
            todo.put(next(left))
            threading.Thread(target=work, name=f"casesnb-load-{n}", daemon=True).start()
        for _ in asked:
            done = come.get()
            for following in islice(left, 1):
                todo.put(following)
            yield done
    finally:
        stop.set()
        for _ in crew:
            todo.put(None)
