"""Pacing: half of the quota, less while others are refused, one count for all."""

from __future__ import annotations

import json
import logging
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3
import pytest
from answers import Pages, event, over_http, reply
from botocore import UNSIGNED
from botocore.config import Config

import casesnb as cn
from casesnb.sandbox.server import Buckets
from casesnb.wire import limits
from casesnb.wire.calls import paced, prepare
from casesnb.wire.limits import (
    FULL,
    QUOTAS,
    Limiter,
    OwnBuckets,
    Quota,
    SharedBuckets,
    limiter,
    quota,
)
from casesnb.wire.pages import ask
from casesnb.wire.responder import Request, Response

AUDIT = "GetCaseAuditEvents"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of this test's own."""
    found = tmp_path / "limits"
    monkeypatch.setattr(limits, "_folder", lambda: found)
    return found


def keeper(clock: Clock, pace: Any = True, **more: Any) -> Limiter:
    quiet = {"jitter": lambda: 0.0, **more}
    return Limiter(pace, clock=clock, sleep=clock.sleep, **quiet)


def times(pace: Limiter, clock: Clock, operation: str, n: int) -> list[float]:
    out = []
    for _ in range(n):
        pace.wait(operation)
        out.append(clock.now)
    return out


# ------------------------------------------------------------------- how fast


def test_half_of_the_burst_goes_at_once_and_then_half_of_the_rate() -> None:
    clock = Clock()
    at = times(keeper(clock), clock, AUDIT, 60)
    assert at[:5] == [0.0] * 5
    assert at[5] > 0
    steps = {round(b - a, 6) for a, b in pairwise(at[4:])}
    assert steps == {round(1 / FULL, 6)}  # of two a second, one


@pytest.mark.parametrize("jitter", [random.Random(7).random, lambda: 0.0])
@pytest.mark.parametrize(
    "operation", sorted(name for s, name in QUOTAS if s == "connectcases")
)
def test_no_window_holds_more_than_the_published_quota(
    operation: str, jitter: Any
) -> None:
    clock = Clock()
    at = times(keeper(clock, "full", jitter=jitter), clock, operation, 80)
    published = quota("connectcases", operation)
    tokens, last = float(published.burst), 0.0
    for moment in at:
        tokens = min(published.burst, tokens + (moment - last) * published.rate) - 1
        last = moment
        assert tokens >= 0
    assert at[-1] <= 80 / (published.rate * FULL)


def test_operations_have_quotas_of_their_own() -> None:
    clock = Clock()
    pace = keeper(clock)
    times(pace, clock, AUDIT, 5)
    assert pace.wait("GetCase") == 0


def test_a_number_is_requests_a_second() -> None:
    clock = Clock()
    assert times(keeper(clock, 2), clock, "X", 3) == [0, 0.5, 1]


@pytest.mark.parametrize("pace", [0, -1, float("nan"), float("inf"), "fast", None, "2"])
def test_what_is_no_pace_is_refused_with_what_is_one(pace: Any) -> None:
    told = f"pace={pace!r} is not a rate. Give requests a second, such as 0.5, 'full'"
    with pytest.raises((TypeError, ValueError)) as caught:
        Limiter(pace)
    assert str(caught.value).startswith(told)


def test_threads_together_stay_below_the_rate() -> None:
    clock = Clock()
    lock = threading.Lock()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        with lock:
            slept.append(seconds)

    pace = Limiter(clock=clock, sleep=sleep, jitter=lambda: 0.0)
    with ThreadPoolExecutor(8) as threads:
        pauses = sorted(threads.map(lambda _: pace.wait(AUDIT), range(40)))
    # The clock stands still, so the 40 calls are told 40 different moments.
    want = [0.0] * 5 + [n / FULL for n in range(1, 36)]
    assert pauses == pytest.approx(want)
    assert sum(slept) == pytest.approx(sum(want))


def test_a_wait_ends_when_it_is_told_to() -> None:
    clock = Clock()
    pace = keeper(clock, 0.001)
    pace.wait(AUDIT)
    looks: list[float] = []

    def check() -> None:
        looks.append(clock.now)
        if len(looks) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pace.wait(AUDIT, check)
    assert clock.now < 1


# --------------------------------------------------- where others ask as well


def shared_with(
    production: Iterator[float], pace: Any, *, seconds: float, seed: int
) -> tuple[float, float]:
    """Return the share of production's calls that are refused, and our calls a second."""
    clock = Clock()
    aws = Buckets(clock=clock)
    ours = keeper(clock, pace, jitter=random.Random(seed).random)
    arrivals = iter(production)
    due = next(arrivals)
    refused: list[bool] = []
    n_ours = 0

    def sleep(lasts: float) -> None:
        nonlocal due
        until = clock.now + lasts
        while due <= until:
            clock.now = max(clock.now, due)
            refused.append(not aws.take("connectcases", AUDIT))
            due += next(arrivals)
        clock.now = until

    ours._sleep = sleep
    while clock.now < seconds:
        ours.wait(AUDIT)
        if aws.take("connectcases", AUDIT):
            ours.answered(AUDIT)
            n_ours += 1
        else:
            ours.refused(AUDIT)
        sleep(0.06)  # what an answer takes
    return sum(refused) / len(refused), n_ours / clock.now


def every(seconds: float) -> Iterator[float]:
    while True:
        yield seconds


def at_random(rate: float, seed: int) -> Iterator[float]:
    dice = random.Random(seed)
    while True:
        yield dice.expovariate(rate)


HOUR = 3600


@pytest.mark.parametrize("seed", range(3))
def test_production_at_half_of_the_quota_is_hardly_ever_refused(seed: int) -> None:
    refused, ours = shared_with(every(1.0), True, seconds=HOUR, seed=seed)
    assert refused == 0
    assert ours > 0.95
    refused, ours = shared_with(at_random(1.0, seed), True, seconds=HOUR, seed=seed)
    assert refused < 0.01
    assert ours > 0.6


@pytest.mark.parametrize("seed", range(3))
def test_our_share_is_found_where_others_take_more_than_half(seed: int) -> None:
    # Of two a second one and a half: in step with them, nobody would ever find out.
    refused, ours = shared_with(every(1 / 1.5), True, seconds=HOUR, seed=seed)
    assert refused < 0.02
    assert 0.4 < ours < 0.55
    refused, ours = shared_with(every(1.0), "full", seconds=HOUR, seed=seed)
    assert refused < 0.02
    assert 0.75 < ours < 1.1


def refused(n: int, *, every: float) -> tuple[Limiter, Clock, float]:
    """A limiter that was refused, its clock, and how long it waits between two calls."""
    clock = Clock()
    pace = keeper(clock)
    times(pace, clock, AUDIT, 20)
    for _ in range(n):
        clock.now += every
        pace.refused(AUDIT)
    asked = times(pace, clock, AUDIT, 3)
    return pace, clock, asked[2] - asked[1]


def test_what_is_lost_is_won_back_when_others_are_gone() -> None:
    pace, clock, pause = refused(3, every=10)
    assert pause > 6
    clock.now += 1000
    later = times(pace, clock, AUDIT, 12)
    assert later[-1] - later[-2] == pytest.approx(1 / FULL)


def test_refusals_of_one_moment_count_once() -> None:
    _, _, pause = refused(8, every=0)  # of eight workers at once
    assert pause == pytest.approx(2 / FULL, rel=0.05)


def test_refusals_and_nothing_else_for_ten_minutes_are_an_error_at_last() -> None:
    clock = Clock()
    pace = keeper(clock)
    assert pace.is_patient(AUDIT)
    n = 0
    while pace.is_patient(AUDIT):
        pace.wait(AUDIT)
        pace.refused(AUDIT)
        n += 1
    assert 10 < n < 60
    assert 600 <= clock.now < 660
    pace.answered(AUDIT)
    assert pace.is_patient(AUDIT)


# ------------------------------------------------------------ one count for all


def test_one_account_and_region_share_one_limiter() -> None:
    one = limiter(True, "connectcases", "acct", "us-east-1", "https://x")
    assert limiter(True, "connectcases", "acct", "us-east-1", "https://x") is one
    assert limiter(True, "connectcases", "acct", "us-west-2", "https://x") is not one


def test_two_processes_count_as_one(tmp_path: Path) -> None:
    clock = Clock()
    both = [keeper(clock, buckets=SharedBuckets(tmp_path / "x.json")) for _ in range(2)]
    at = [times(pace, clock, AUDIT, 1)[0] for pace in both * 15]
    assert at[:5] == [0.0] * 5
    assert at[-1] == pytest.approx(25 / FULL, rel=0.01)
    # What one learns by a refusal, the other keeps to.
    clock.now += 10
    both[0].refused(AUDIT)
    asked = times(both[1], clock, AUDIT, 3)
    assert asked[2] - asked[1] == pytest.approx(2 / FULL, rel=0.05)


LOAD = """
import sys
from pathlib import Path
import casesnb as cn
from casesnb.wire import limits
limits._folder = lambda: Path(sys.argv[2])
limits.QUOTAS["connectcases", "GetCaseAuditEvents"] = limits.Quota(60, 10)
client = cn.connect(endpoint_url=sys.argv[1])
print(flush=True)
sys.stdin.readline()
for n in range(40):
    cn.load_history(client, "d", "c")
"""


def test_two_processes_together_stay_below_the_rate(folder: Path) -> None:
    at: list[float] = []
    pages = Pages([event(0)])

    def answer(request: Request) -> Response:
        at.append(time.monotonic())
        return pages(request)

    with over_http(answer) as url:
        ends = [
            subprocess.Popen(
                [sys.executable, "-c", LOAD, url, str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        for end in ends:
            assert end.stdout is not None
            end.stdout.readline()  # both have loaded what they need
        for end in ends:
            end.communicate("go\n")
    assert [end.returncode for end in ends] == [0, 0]
    assert len(at) == 80
    # Thirty a second after five at once: alone, each would be through in half of that.
    assert max(at) - min(at) > 0.9 * 75 / (30 * FULL)


@pytest.mark.parametrize(
    "content",
    [b"", b'{"GetCaseAudit', b"[]", b'{"x": 1}', b'{"x": ["a", 1, 1, 1]}', b"\xff"],
)
def test_a_file_that_was_cut_short_is_begun_again(
    content: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    clock = Clock()
    pace = keeper(clock, buckets=SharedBuckets(file))
    assert times(pace, clock, AUDIT, 2) == [0.0, 0.0]
    assert json.loads(file.read_text())[AUDIT][0] == 3.0


def test_a_file_of_a_clock_that_ran_ahead_stalls_nobody(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps({AUDIT: [-1e9, 1e12, 1.0, 0.0]}))
    clock = Clock()
    clock.now = 1000.0
    pace = keeper(clock, buckets=SharedBuckets(file))
    assert pace.wait(AUDIT) < 90


def test_who_holds_the_file_and_halts_is_not_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    held = "import sys, filelock\nlock = filelock.FileLock(sys.argv[1])\nlock.acquire()"
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"{held}; print(flush=True); sys.stdin.read()",
            str(file.with_suffix(".lock")),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        pace = keeper(Clock(), buckets=SharedBuckets(file))
        began = time.monotonic()
        assert pace.wait(AUDIT) == 0
        assert time.monotonic() - began < 5
        assert not file.exists()
        holder.kill()  # and one that was killed has let go of it
        holder.wait()
        pace.wait(AUDIT)
        assert file.exists()


def test_nobody_else_reads_whose_quota_it_is(folder: Path) -> None:
    pace = limiter(True, "connectcases", "111122223333", "eu-west-2", "https://x")
    pace.wait(AUDIT)
    (file,) = folder.glob("*.json")
    assert file.stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0
    assert "1111" not in file.name + file.read_text()


def test_a_folder_that_cannot_be_written_leaves_each_process_its_own_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(limits, "_folder", lambda: tmp_path / "file" / "limits")
    assert type(limits._buckets("x")) is OwnBuckets


def test_files_of_other_days_go(folder: Path) -> None:
    folder.mkdir()
    for name in ("old.json", "old.lock", "new.json"):
        (folder / name).write_text("{}")
    os.utime(folder / "old.json", (0, 0))
    limits._buckets("x")
    assert {path.name for path in folder.iterdir()} == {"new.json"}


# ---------------------------------------------------------------- any client


def plain(url: str, **config: Any) -> Any:
    """A boto3 client that casesnb has never seen."""
    return boto3.session.Session().client(
        "connectcases",
        region_name="us-east-1",
        endpoint_url=url,
        config=Config(signature_version=UNSIGNED, **config),
    )


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[Quota]:
    """What is asked of the limiters, of which none makes anyone wait."""
    asked: list[Quota] = []

    def wait(self: Limiter, operation: str, check: Any = None) -> float:
        asked.append(self.allowed(operation))
        return 0.0

    monkeypatch.setattr(Limiter, "wait", wait)
    return asked


HALF, WHOLE = Quota(FULL, 5), Quota(2 * FULL, 9)


def test_any_client_that_asks_over_a_network_is_paced_and_told_so_once(
    waits: list[Quota], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with over_http(Pages([event(n) for n in range(60)])) as url:
        client = plain(url)
        cn.load_history(client, "d", "c")
        assert waits == [HALF] * 3
        with paced(client, "full"):
            cn.load_history(client, "d", "c")
        assert waits[3:] == [WHOLE] * 3
        with paced(client, 0.3):
            cn.load_history(client, "d", "c")
        assert waits[6:] == [Quota(0.3, 1)] * 3
        with paced(client, False):
            cn.load_history(client, "d", "c")
        assert waits[9:] == []
        cn.load_history(client, "d", "c")
        assert waits[9:] == [HALF] * 3
    (said,) = [record.message for record in caplog.records if record.name == "casesnb"]
    assert said.startswith("casesnb asks at half of AWS's published rate")


def test_a_client_of_connect_is_paced_as_it_was_made(
    waits: list[Quota], caplog: pytest.LogCaptureFixture
) -> None:
    pages = Pages([event(0)])
    with over_http(pages) as url:
        for pace in (True, "full", 0.3, False):
            cn.load_history(cn.connect(endpoint_url=url, pace=pace), "d", "c")  # type: ignore[arg-type]
    cn.load_history(cn.connect(pages), "d", "c")
    cn.load_history(cn.connect(pages, pace=0.3), "d", "c")
    assert waits == [HALF, WHOLE, Quota(0.3, 1), Quota(0.3, 1)]
    assert not caplog.records


def test_a_fake_without_events_can_be_paced_by_nobody() -> None:
    class Fake:
        def get_case_audit_events(self, **asked: object) -> object:
            return {"auditEvents": []}

    with paced(Fake(), "full"):  # type: ignore[arg-type]
        ask(Fake(), AUDIT, {})  # type: ignore[arg-type]
    assert prepare(Fake()) is None  # type: ignore[arg-type]


def test_two_profiles_of_one_account_share_one_limiter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, ...]] = []

    def told(pace: Any, *whose: str) -> Limiter:
        asked.append(whose)
        return Limiter(False)

    monkeypatch.setattr("casesnb.wire.calls.limiter", told)
    monkeypatch.setattr(Limiter, "wait", lambda *_: 0.0)
    with over_http(Pages([event(0)])) as url:
        for key, account in (("a", "111122223333"), ("b", "111122223333"), ("c", None)):
            client = boto3.session.Session(
                aws_access_key_id=key,
                aws_secret_access_key="x",
                aws_account_id=account,
            ).client("connectcases", endpoint_url=url, region_name="eu-west-2")
            cn.load_history(client, "d", "c")
        where = ("eu-west-2", url)
    assert asked == [
        ("connectcases", "111122223333", *where),
        ("connectcases", "111122223333", *where),
        ("connectcases", "c", *where),
    ]


def refusing(n: int) -> Any:
    """Refuse so many requests, and then answer."""
    left = [reply({}, 429, **{"x-amzn-errortype": "ThrottlingException"})] * n
    pages = Pages([event(0)])
    return lambda request: left.pop() if left else pages(request)


def test_a_refusal_is_met_by_waiting_and_never_by_failing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Limiter, "wait", lambda *_: 0.0)
    with over_http(refusing(40)) as url:
        client = plain(url, retries={"total_max_attempts": 1})
        history = cn.load_history(client, "d", "c")
    assert history.certificate.n_throttles == history.certificate.n_retries == 40
    assert history.certificate.verdict == "complete"


def test_refusals_without_an_end_are_an_error_with_what_to_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Limiter, "wait", lambda *_: 0.0)
    monkeypatch.setattr(limits, "_PATIENCE", 0.5)
    with over_http(refusing(10**6)) as url:
        client = plain(url)
        with pytest.raises(client.exceptions.ThrottlingException) as caught:
            cn.load_history(client, "d", "c")
    assert "pace=0.5, or try again" in caught.value.__notes__[1]


def test_a_client_that_is_not_paced_fails_as_boto3_does() -> None:
    with over_http(refusing(2)) as url:
        client = plain(url, retries={"total_max_attempts": 1})
        with (
            paced(client, False),
            pytest.raises(client.exceptions.ThrottlingException),
        ):
            cn.load_history(client, "d", "c")


def test_a_disk_that_is_full_leaves_a_process_its_own_count(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buckets = limits._buckets("1111")
    assert isinstance(buckets, limits.SharedBuckets)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "touch", full)
    for taken in (1.0, 2.0):
        with buckets.held() as held:
            assert held.get("x", limits._Bucket(0.0, 0.0)).tokens == taken - 1
            held["x"] = limits._Bucket(taken, 0.0)


def test_however_often_it_is_refused_it_asks_once_in_twenty_seconds() -> None:
    _, _, pause = refused(12, every=1)
    assert 10 < pause <= 20


def test_what_processes_share_is_in_the_users_cache(tmp_path: Path) -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "from casesnb.wire import limits; print(limits._folder())",
        ],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)},
    ).stdout.strip()
    assert Path(told).name == "limits"
    assert Path(told).parent.name == "casesnb"
    assert tmp_path in Path(told).parents
