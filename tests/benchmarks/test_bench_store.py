"""An archive's file: its size, and how fast it is read, beside what reading JSON costs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import casesnb as cn
from casesnb.wire.pages import iter_pages
from casesnb.wire.store import AUDIT, Store

pytestmark = pytest.mark.bench


def seconds(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def test_an_archive_is_small_and_read_faster_than_its_json(tmp_path: Path) -> None:
    world = cn.sandbox.World(seed=3, cases=4000)
    domain_id = world.domains[0].domain_id
    client = cn.connect(world)
    path = tmp_path / "bench.cases"
    n_changes = 0
    with Store(path, write=True) as store:
        for case_id in list(world.case_ids(domain_id))[:1500]:
            capture = store.begin(AUDIT, domainId=domain_id, caseId=case_id)
            for page in iter_pages(client, AUDIT, domainId=domain_id, caseId=case_id):
                capture.keep(page)
                n_changes += page.body.count(b'"eventFieldId"')
    bodies = [page.body for page in Store(path).pages()]
    raw = sum(map(len, bodies)) / 1e6
    read = min(seconds(lambda: list(Store(path).pages())) for _ in range(3))
    parse = min(seconds(lambda: list(map(json.loads, bodies))) for _ in range(3))
    check = seconds(Store(path).check)
    size = path.stat().st_size / n_changes
    print(
        f"\n{len(bodies)} pages, {n_changes:,} changes, {raw:.0f} MB raw: "
        f"{size:.0f} bytes a change; read and proved at {raw / read:.0f} MB/s, "
        f"json.loads alone {raw / parse:.0f} MB/s; checked in {check:.1f} s"
    )
    assert size < 120
    assert read < parse
