"""Whatever is done to a report's file is found, and a report left alone is not refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import histories
import pytest
from answers import Pages
from drill import run
from forgeries import KINDS, cuts, flips, forgeries, in_a_hurry, is_caught
from histories import history

import casesnb as cn


@pytest.fixture(autouse=True)
def hurry() -> Iterator[None]:
    with in_a_hurry():
        yield


@pytest.mark.long
@pytest.mark.parametrize(
    "n", [pytest.param(100), pytest.param(2_000, marks=pytest.mark.slow)]
)
def test_no_forgery_of_many_seeds_is_reproduced(n: int, tmp_path: Path) -> None:
    source, path = cn.connect(Pages(histories.PLAIN)), tmp_path / "r.html"
    page = cn.write_report(history(), path).read_bytes()
    tried: Counter[str] = Counter()
    for make, share in ((forgeries, 0.8), (flips, 0.15), (cuts, 0.05)):
        for kind, forged in make(page, n=int(n * share), seed=n):
            assert is_caught(forged, path, source), kind
            tried[kind] += 1
    assert tried.keys() >= KINDS.keys()
    assert tried.total() >= n - 2
    assert not is_caught(page, path, source)


def test_the_drill_says_what_was_tried_and_that_it_came_out_right() -> None:
    tried, right = run(seconds=0.0)
    assert [*tried] == [
        "report: a text altered",
        "report: left alone, and reproduced",
        "load: Ctrl-C at a random moment",
    ]
    assert tried == right


@pytest.mark.slow
def test_no_report_that_was_left_alone_is_refused(tmp_path: Path) -> None:
    for seed in range(40):
        world = cn.sandbox.World(seed=seed, domains=1, cases=4)
        client = cn.connect(world)
        read = cn.load_history(client, *world.showcase)
        path = cn.write_report(read, tmp_path / "r.html")
        assert cn.verify_report(path, client).is_reproduced, seed
