"""Pacing: the burst at once, then one interval apart, never above the rate."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest
from answers import reply

import casesnb as cn
from casesnb.wire.limits import SHARE, Limiter, limiter
from casesnb.wire.quotas import QUOTAS, quota


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def times(pace: Limiter, clock: Clock, operation: str, n: int) -> list[float]:
    out = []
    for _ in range(n):
        pace.wait(operation)
        out.append(clock.now)
    return out


def test_the_burst_goes_at_once_and_then_the_rate_holds() -> None:
    clock = Clock()
    pace = Limiter(clock=clock, sleep=clock.sleep)
    at = times(pace, clock, "GetCaseAuditEvents", 60)
    assert at[:9] == [0.0] * 9
    assert at[9] > 0
    steps = {round(b - a, 6) for a, b in pairwise(at[9:])}
    assert steps == {round(1 / (2 * SHARE), 6)}


@pytest.mark.parametrize(
    "operation", sorted(name for s, name in QUOTAS if s == "connectcases")
)
def test_no_window_holds_more_than_the_published_quota(operation: str) -> None:
    clock = Clock()
    at = times(Limiter(clock=clock, sleep=clock.sleep), clock, operation, 80)
    published = quota("connectcases", operation)
    tokens, last = float(published.burst), 0.0
    for moment in at:
        tokens = min(published.burst, tokens + (moment - last) * published.rate) - 1
        last = moment
        assert tokens >= 0


def test_operations_have_quotas_of_their_own() -> None:
    clock = Clock()
    pace = Limiter(clock=clock, sleep=clock.sleep)
    times(pace, clock, "GetCaseAuditEvents", 9)
    assert pace.wait("GetCase") == 0


def test_a_number_is_requests_a_second() -> None:
    clock = Clock()
    assert times(Limiter(2, clock=clock, sleep=clock.sleep), clock, "X", 3) == [
        0,
        0.5,
        1,
    ]


def test_a_rate_must_be_above_zero() -> None:
    with pytest.raises(ValueError, match="pace=0 is not a rate"):
        Limiter(0)


def test_one_account_and_region_share_one_limiter() -> None:
    one = limiter("connectcases", "acct", "us-east-1", "https://x")
    assert limiter("connectcases", "acct", "us-east-1", "https://x") is one
    assert limiter("connectcases", "acct", "us-west-2", "https://x") is not one


def test_threads_together_stay_below_the_rate() -> None:
    clock = Clock()
    lock = threading.Lock()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        with lock:
            slept.append(seconds)

    pace = Limiter(clock=clock, sleep=sleep)
    threads = [
        threading.Thread(
            target=lambda: [pace.wait("GetCaseAuditEvents") for _ in range(5)]
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The clock stands still, so the 40 calls are told 40 different moments.
    interval = 1 / (2 * SHARE)
    assert sorted(slept) == pytest.approx([interval * n for n in range(1, 32)])


def test_answers_in_process_are_paced_only_by_a_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("casesnb.wire.limits.time.sleep", waited.append)
    quick = cn.connect(lambda request: reply({"domains": []}))
    for _ in range(20):
        quick.list_domains()
    assert waited == []
