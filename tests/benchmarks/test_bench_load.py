"""How fast pages become frames: ratios, each measured in one run on sandbox data.

Run with ``make bench``. Beside each ratio stands what no table can be faster than:
Arrow's JSON reader alone on the same pages, boto3's calls alone with nothing read.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import botocore.parsers
import botocore.session
import pandas as pd
import pyarrow as pa
import pyarrow.json
import pytest

import casesnb as cn
from casesnb.tables import decode
from casesnb.tables.load_history import iter_audit_pages
from casesnb.tables.tidy import tidy
from casesnb.wire.pages import Page

pytestmark = [pytest.mark.bench, pytest.mark.filterwarnings("default")]

SERVER = """
import sys, casesnb as cn
from casesnb.sandbox.server import SandboxServer
with SandboxServer(cn.sandbox.World(seed=3, cases=4000), **eval(sys.argv[1])) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def served(**how: Any) -> Iterator[str]:
    """The simulated service in a process of its own, as AWS would be."""
    command = [sys.executable, "-c", SERVER, repr(how)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate("", timeout=30)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    yield from served()


@pytest.fixture(scope="module")
def slow_url() -> Iterator[str]:
    yield from served(quotas=True, latency=0.08)


@pytest.fixture(scope="module")
def pages() -> list[Page]:
    """Pages of one million changes."""
    world = cn.sandbox.World(seed=1, cases=1_000_000, domains=1)
    client, domain_id = cn.connect(world), world.domains[0].domain_id
    found: list[Page] = []
    n_bytes = n_changes = 0
    for case_id in world.case_ids(domain_id):
        for page in iter_audit_pages(client, domain_id, case_id):
            found.append(page)
            n_bytes += len(page.body)
            n_changes += page.body.count(b'"eventFieldId"')
        if n_changes >= 1_000_000:
            break
    print(f"\n{n_changes:,} changes in {len(found):,} pages, {n_bytes / 1e6:,.0f} MB")
    return found


def test_recorded_pages_to_frames(pages: list[Page]) -> None:
    shape = (
        botocore.session.get_session()
        .get_service_model("connectcases")
        .operation_model("GetCaseAuditEvents")
        .output_shape
    )
    parser = botocore.parsers.create_parser("rest-json")

    def usual(pages: list[Page]) -> pd.DataFrame:
        events = []
        for page in pages:
            answer = {"status_code": 200, "headers": {}, "body": page.body}
            events += parser.parse(answer, shape)["auditEvents"]
        return pd.json_normalize(
            events, "fields", ["eventId", "type", "performedTime"], errors="ignore"
        )

    # A twentieth is enough of the slow way; both are a time for each change.
    some = pages[: len(pages) // 20]
    usual_each = seconds(lambda: usual(some)) / len(usual(some))
    ours = min(seconds(lambda: tidy(pages)) for _ in range(3))
    alone = min(seconds(lambda: read_alone(pages)) for _ in range(3))
    events, changes, _ = tidy(pages)
    ours_each = ours / len(changes)
    size = changes.memory_usage(deep=True).sum() / len(changes)
    print(
        f"\n{len(changes):,} changes: {ours:.2f} s; botocore's parser + json_normalize "
        f"{usual_each * len(changes):.1f} s: {usual_each / ours_each:.1f} times faster; "
        f"{size:.0f} bytes a change in memory; Arrow's reader alone {alone:.2f} s"
    )
    assert size < 250
    assert usual_each / ours_each > 25
    assert ours / alone < 3
    del events


def read_alone(pages: list[Page]) -> None:
    """Arrow's JSON reader on the same batches and threads, its tables thrown away."""

    def read(lines: bytes) -> None:
        pyarrow.json.read_json(
            pa.BufferReader(lines),
            read_options=pyarrow.json.ReadOptions(
                use_threads=False, block_size=len(lines) + 1
            ),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=decode._SHAPE),
        )

    batches: list[list[bytes]] = [[]]
    size = 0
    for page in pages:
        batches[-1].append(page.body)
        size += len(page.body)
        if size >= decode._BATCH:
            batches.append([])
            size = 0
    with ThreadPoolExecutor(decode._WORKERS) as pool:
        list(pool.map(lambda batch: read(b"\n".join(batch)), batches))


def calls_alone(url: str, domain_id: str, case_ids: list[str]) -> None:
    """The same calls by boto3, with their answers thrown away."""
    client = cn.connect(endpoint_url=url, pace=False)
    for case_id in case_ids:
        for _ in iter_audit_pages(client, domain_id, case_id):
            pass


def boto_loop(url: str, domain_id: str, case_ids: list[str]) -> pd.DataFrame:
    client = boto3.client(
        "connectcases",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="y",
    )
    events = []
    for case_id in case_ids:
        asked = {"domainId": domain_id, "caseId": case_id}
        while True:
            answer = client.get_case_audit_events(**asked)
            events += answer["auditEvents"]
            if not answer.get("nextToken"):
                break
            asked["nextToken"] = answer["nextToken"]
    return pd.json_normalize(events, "fields", ["eventId", "type", "performedTime"])


@pytest.mark.parametrize("what", ["one case of 10,000 events", "2,000 cases"])
def test_live_over_loopback(what: str, url: str) -> None:
    world = cn.sandbox.World(seed=3, cases=4000)
    domain_id = world.domains[0].domain_id
    one = what.startswith("one")
    cases = (
        [world.awkward["10000 events"]]
        if one
        else list(world.case_ids(domain_id))[:2000]
    )
    client = cn.connect(endpoint_url=url, pace=False)
    load = lambda: cn.load_histories(client, domain_id, cases, workers=4)  # noqa: E731
    load()
    ours = min(seconds(load) for _ in range(2))
    alone = min(seconds(lambda: calls_alone(url, domain_id, cases)) for _ in range(2))
    usual = seconds(lambda: boto_loop(url, domain_id, cases))
    print(
        f"\n{what}: ours {ours:.2f} s, boto3 loop + json_normalize {usual:.2f} s: "
        f"{usual / ours:.1f} times faster; boto3's calls alone {alone:.2f} s"
    )
    assert usual / ours > 3
    assert ours / alone < 1.5


def test_the_quota_is_used_and_not_exceeded(slow_url: str) -> None:
    world = cn.sandbox.World(seed=3, cases=4000)
    domain_id = world.domains[0].domain_id
    cases = list(world.case_ids(domain_id))[:100]
    client = cn.connect(endpoint_url=slow_url, pace="full")
    start = time.perf_counter()
    history = cn.load_histories(client, domain_id, cases, errors="collect")
    took = time.perf_counter() - start
    n_calls = history.certificate.n_pages
    best = (n_calls - 10) / 2  # the burst at once, then two a second
    print(
        f"\n{n_calls} calls in {took:.1f} s, the quota allows {best:.1f} s: "
        f"{best / took:.1%} of it used; {history.certificate.n_throttles} throttled, "
        f"{len(history.unloaded)} cases lost"
    )
    assert best / took > 0.92
    assert history.certificate.n_throttles < 0.01 * n_calls
    assert history.unloaded.empty
