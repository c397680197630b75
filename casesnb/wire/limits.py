"""How fast AWS lets an account ask in one Region, and how fast we do.

Source of the quotas: "Amazon Connect Cases API throttling quotas" and "Amazon
Connect API throttling quotas" in the Amazon Connect administrator guide. All
callers of an account share them, agents and flows among them; so we take half, and
less while others are refused.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import threading
import time
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Pace = bool | float | Literal["full"]
"""How fast to ask: see `casesnb.connect`."""


class Quota(NamedTuple):
    """How often an operation may be called."""

    rate: float  # calls a second, sustained
    burst: int  # calls at once, before the rate applies


DEFAULT = {"connectcases": Quota(2, 5), "connect": Quota(2, 5)}
"""Where AWS lists nothing for an operation, the lowest that it lists for any."""

QUOTAS = {
    ("connectcases", "GetCaseAuditEvents"): Quota(2, 10),
    ("connectcases", "SearchCases"): Quota(2, 10),
    ("connectcases", "SearchRelatedItems"): Quota(2, 10),
    ("connectcases", "ListTemplates"): Quota(2, 10),
    ("connectcases", "ListLayouts"): Quota(2, 10),
    ("connectcases", "ListCaseRules"): Quota(2, 10),
    ("connectcases", "GetCaseEventConfiguration"): Quota(2, 10),
    ("connectcases", "GetCase"): Quota(4, 10),
    ("connectcases", "ListCasesForContact"): Quota(2, 2),
    ("connectcases", "ListFields"): Quota(2, 5),
    ("connectcases", "ListDomains"): Quota(2, 5),
    ("connectcases", "GetDomain"): Quota(2, 5),
    ("connectcases", "ListFieldOptions"): Quota(6, 16),
    ("connectcases", "GetTemplate"): Quota(6, 20),
    ("connectcases", "GetLayout"): Quota(6, 20),
    ("connectcases", "BatchGetField"): Quota(8, 25),
    ("connectcases", "BatchGetCaseRule"): Quota(8, 25),
    ("connect", "ListIntegrationAssociations"): Quota(25, 50),
}
"""Rate and burst by service and operation, for the read operations that AWS lists."""


def quota(service: str, operation: str) -> Quota:
    """Return the published quota of an operation, or the lowest of its service."""
    return QUOTAS.get((service, operation), DEFAULT.get(service, Quota(2, 5)))


FULL = 0.97
"""The share of the published rate that is asked for at most: clocks differ."""

# How a share is found where others ask too: halved by a refusal, and won back in about
# a quarter of an hour. Slow, since each time too much is found others are refused too.
_BACK = 0.5
_FORTH = 0.001  # of the whole rate, each second
_MOMENT = 1.0  # seconds in which several refusals count as one
_LEAST = 0.05  # requests a second, however often refused
_PATIENCE = 600.0  # seconds of refusals and nothing else before one is an error
_LOOK = 0.25  # seconds between two looks at whether the load was stopped
_DAY = 86_400.0


def check_pace(pace: object) -> None:
    """Refuse a pace that is no rate."""
    if pace == "full" or isinstance(pace, bool):
        return
    told = (
        f"pace={pace!r} is not a rate. Give requests a second, such as 0.5, 'full' where "
        "nobody else asks, or False for no pacing."
    )
    if not isinstance(pace, (int, float)):
        raise TypeError(told)
    if not 0 < pace < math.inf:
        raise ValueError(told)


@dataclass(slots=True)
class _Bucket:
    """What is left of one operation's share, and how much of it is taken."""

    tokens: float
    at: float
    share: float = 1.0
    refused_at: float = -_DAY

    def refill(self, allowed: Quota, now: float) -> None:
        # A clock that was put back, or a file of another day, must not stall anyone.
        gone = min(max(0.0, now - self.at), _DAY)
        self.share = min(1.0, self.share + gone * _FORTH)
        debt = -(allowed.burst + 60 * allowed.rate)
        grown = self.tokens + gone * allowed.rate * self.share
        self.tokens = max(min(float(allowed.burst), grown), debt)
        self.at = now


_Buckets = dict[str, _Bucket]


class OwnBuckets:
    """The buckets of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: _Buckets = {}

    @contextmanager
    def held(self) -> Iterator[_Buckets]:
        """Give the buckets to one thread at a time."""
        with self._lock:
            yield self._held


class SharedBuckets(OwnBuckets):
    """The buckets of all processes of one user, in a file that one holds at a time."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        from filelock import FileLock

        self._path = path
        # A holder that was killed lets go of it; one that was halted is not waited for.
        self._file = FileLock(path.with_suffix(".lock"), timeout=1.0, mode=0o600)

    @contextmanager
    def held(self) -> Iterator[_Buckets]:
        """Give the buckets to one thread of one process at a time."""
        with self._lock:
            try:
                self._file.acquire()
            except OSError:  # a folder that is not ours or has no locks, or a Timeout
                yield self._held
                return
            try:
                buckets = self._read()
                yield buckets
                self._held = buckets
                self._write(buckets)
            finally:
                self._file.release()

    def _read(self) -> _Buckets:
        try:
            told = json.loads(self._path.read_bytes())
            return {name: _Bucket(*map(float, values)) for name, values in told.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return dict(self._held)  # not there yet, or cut short by a kill

    def _write(self, buckets: _Buckets) -> None:
        told = {name: astuple(bucket) for name, bucket in buckets.items()}
        try:
            self._path.touch(mode=0o600)
            self._path.write_text(json.dumps(told), "utf-8")
        except OSError:
            pass  # a full disk: this process keeps its own count


class Limiter:
    """Keeps each operation of one account and Region below its rate.

    Safe to share between threads and clients.
    """

    def __init__(
        self,
        pace: Pace = True,
        *,
        service: str = "connectcases",
        buckets: OwnBuckets | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        check_pace(pace)
        self._pace = pace
        self._service = service
        self._buckets = buckets or OwnBuckets()
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._lock = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}
        self._refused_since: dict[str, float] = {}

    def wait(self, operation: str, check: Callable[[], None] = lambda: None) -> float:
        """Sleep until `operation` may be asked; `check` may raise to end the wait."""
        with self._lock:
            turn = self._turns.setdefault(operation, threading.Lock())
        # One thread at a time is promised a moment, so that a kill loses one at most.
        while not turn.acquire(timeout=_LOOK):
            check()
        try:
            allowed = self.allowed(operation)
            with self._bucket(operation, allowed) as bucket:
                bucket.tokens -= 1
                pace = allowed.rate * bucket.share
                pause = max(0.0, -bucket.tokens / pace)
            if pause:
                # In step with another caller, one of the two would always be refused.
                pause += self._jitter() / pace
            left = pause
            while left > 0:
                check()
                self._sleep(min(left, _LOOK))
                left -= _LOOK
        finally:
            turn.release()
        return pause

    def refused(self, operation: str) -> None:
        """Ask less often from now on: somebody asks too fast."""
        allowed = self.allowed(operation)
        with self._bucket(operation, allowed) as bucket:
            if bucket.at - bucket.refused_at >= _MOMENT:
                least = min(1.0, _LEAST / allowed.rate)
                bucket.share = max(bucket.share * _BACK, least)
                bucket.tokens = min(bucket.tokens, 0.0)
                bucket.refused_at = bucket.at
        with self._lock:
            self._refused_since.setdefault(operation, self._clock())

    def answered(self, operation: str) -> None:
        """Note that an answer came, whatever it was."""
        self._refused_since.pop(operation, None)

    def is_patient(self, operation: str) -> bool:
        """Return whether to ask again after a refusal."""
        with self._lock:
            since = self._refused_since.get(operation, self._clock())
        return self._clock() - since < _PATIENCE

    def allowed(self, operation: str) -> Quota:
        """Return how often `operation` may be asked where nobody is refused."""
        if isinstance(self._pace, (int, float)) and not isinstance(self._pace, bool):
            return Quota(self._pace, 1)
        published = quota(self._service, operation)
        if self._pace == "full":
            return Quota(published.rate * FULL, max(1, published.burst - 1))
        return Quota(published.rate * FULL / 2, max(1, published.burst // 2))

    @contextmanager
    def _bucket(self, operation: str, allowed: Quota) -> Iterator[_Bucket]:
        now = self._clock()
        with self._buckets.held() as buckets:
            bucket = buckets.setdefault(operation, _Bucket(float(allowed.burst), now))
            bucket.refill(allowed, now)
            yield bucket


_limiters: dict[tuple[bool, str], Limiter] = {}
_shared: dict[str, OwnBuckets] = {}
_limiters_lock = threading.Lock()


def limiter(
    pace: Literal[True, "full"], service: str, account: str, region: str, endpoint: str
) -> Limiter:
    """Return the limiter of an account, Region and endpoint, one for all processes."""
    told = f"{service}\n{account}\n{region}\n{endpoint}".encode()
    # An account is twelve digits: only a slow hash hides which it is.
    key = hashlib.pbkdf2_hmac("sha256", told, b"casesnb", 50_000).hex()[:32]
    with _limiters_lock:
        if key not in _shared:
            _shared[key] = _buckets(key)
        return _limiters.setdefault(
            (pace == "full", key), Limiter(pace, service=service, buckets=_shared[key])
        )


def _buckets(key: str) -> OwnBuckets:
    try:
        folder = _folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in folder.glob("*.json"):
            if time.time() - old.stat().st_mtime > _DAY:
                old.unlink(missing_ok=True)
                old.with_suffix(".lock").unlink(missing_ok=True)
        return SharedBuckets(folder / f"{key}.json")
    except OSError:  # no home, or none that may be written: this process counts alone
        return OwnBuckets()


def _folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("casesnb", appauthor=False) / "limits"
