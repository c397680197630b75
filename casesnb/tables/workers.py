"""Several workers on a list of cases, each outcome handed over when it is there."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from casesnb.wire.calls import ask_until
from casesnb.wire.errors import error_code

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

_T = TypeVar("_T")


def as_they_come(
    read: Callable[[str], _T],
    asked: Iterable[str],
    stop: threading.Event,
    *,
    workers: int,
    patience: float = 0.0,
) -> Generator[tuple[str, Future[_T]], None, None]:
    """Yield each case's outcome when it is there; wait for what is in flight at the end."""
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

    n_at_work = 0
    threads: list[threading.Thread] = []
    try:
        for case_id in islice(left, workers):
            todo.put(case_id)
            name = f"casesnb-load-{len(threads)}"
            thread = threading.Thread(target=work, name=name, daemon=True)
            thread.start()
            threads.append(thread)
            n_at_work += 1
        while n_at_work:
            done = come.get()
            n_at_work -= 1
            for following in islice(left, 1):
                todo.put(following)
                n_at_work += 1
            yield done
    finally:
        stop.set()
        for _ in threads:
            todo.put(None)
        ends_at = time.monotonic() + patience
        for thread in threads if patience else ():
            thread.join(max(0.0, ends_at - time.monotonic()))


def unloaded(domain_id: str, case_id: str, error: Exception) -> dict[str, str]:
    """Return the row of a case that could not be loaded."""
    return {
        "domain_id": domain_id,
        "case_id": case_id,
        "error": error_code(error),
        "message": " ".join([str(error), *getattr(error, "__notes__", ())]),
    }
