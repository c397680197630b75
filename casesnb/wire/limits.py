"""How fast we ask: one limiter per account and Region, below the published quotas."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from casesnb.wire.quotas import Quota, quota

if TYPE_CHECKING:
    from collections.abc import Callable

SHARE = 0.97
"""The share of the published rate that is used: other callers need some too."""


class Limiter:
    """Keeps each operation of one account and Region below its rate.

    Safe to share between threads and clients. A call may go at once while the
    burst lasts; after that calls go one interval apart.
    """

    def __init__(
        self,
        rate: float | None = None,
        *,
        service: str = "connectcases",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if rate is not None and not rate > 0:
            raise ValueError(
                f"pace={rate!r} is not a rate. Give requests a second, such as 1.4, "
                "or False for no pacing."
            )
        self._rate = rate
        self._service = service
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._due: dict[str, float] = {}

    def wait(self, operation: str) -> float:
        """Sleep until `operation` may be asked."""
        allowed = self._quota(operation)
        interval = 1 / allowed.rate
        with self._lock:
            now = self._clock()
            due = max(self._due.get(operation, now), now)
            self._due[operation] = due + interval
        # `due` runs ahead of the clock by one interval a call; the burst lets it.
        pause = due - now - (allowed.burst - 1) * interval
        if pause <= 0:
            return 0.0
        self._sleep(pause)
        return pause

    def _quota(self, operation: str) -> Quota:
        if self._rate is not None:
            return Quota(self._rate, 1)
        published = quota(self._service, operation)
        return Quota(published.rate * SHARE, max(1, published.burst - 1))


_limiters: dict[tuple[str, ...], Limiter] = {}
_limiters_lock = threading.Lock()


def limiter(service: str, account: str, region: str, endpoint: str) -> Limiter:
    """Return the one limiter of an account, Region and endpoint."""
    key = (service, account, region, endpoint)
    with _limiters_lock:
        return _limiters.setdefault(key, Limiter(service=service))
