"""A whole domain, kept: what an update asks, and what is read of a million changes.

Each figure is measured in a process of its own where it is about memory.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from memory import printed

import casesnb as cn
from casesnb.tables.archive_dataset import _WRITTEN
from casesnb.wire.store import Store

pytestmark = [pytest.mark.bench, pytest.mark.filterwarnings("default")]


def measured(code: str, *arguments: str) -> dict[str, float]:
    """Run code in a process of its own, and return what it prints, memory in MB."""
    code += "\nprint(peak_kb() // 1000, 'MB')"
    lines = [line.split() for line in printed(code, *arguments)]  # some are of a bar
    return {pair[1]: float(pair[0]) for pair in lines if len(pair) == 2}


LOAD = """
import sys
import casesnb as cn
client, domain_id = cn.connect(sys.argv[1]), sys.argv[2]
cases = cn.Archive(sys.argv[1]).cases()["case_id"]
cn.load_histories(client, domain_id, cases[:50])
before = peak_kb()
history = cn.load_histories(client, domain_id, cases)
print((peak_kb() - before) / 1000, "MB_more")
tables = sum(f.memory_usage(deep=True).sum() for f in (history.events, history.changes))
print(tables / 1e6, "MB_of_tables")
"""


def test_a_load_takes_the_memory_of_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "some.cases"
    measured(KEEP, str(path), "5000")
    with Store(path) as store:
        answers = sum(len(page.body) for page in store.pages()) / 1e6
    domain_id = cn.sandbox.World(seed=5, domains=1, cases=5_000).domains[0].domain_id
    found = measured(LOAD, str(path), domain_id)
    print(f"\n{answers:.0f} MB of answers: {found}")
    assert found["MB_more"] < 5 * found["MB_of_tables"] + 60


KEEP = """
import sys, time
import casesnb as cn
world = cn.sandbox.World(seed=5, domains=1, cases=int(sys.argv[2]))
client, seen = cn.connect(world), []
def tell(n):
    if n % 5_000 == 0:
        seen.append(peak_kb() // 1000)
archive = cn.Archive(sys.argv[1])
began = time.monotonic()
done = archive.update(client, world.domains[0].domain_id, progress=tell)
assert done.is_whole and done.n_new == int(sys.argv[2]), done
print(round(time.monotonic() - began), "seconds")
print(done.calls["GetCaseAuditEvents"], "pages")
print(seen[0], "MB_at_5,000_cases")
print(seen[-1], "MB_at_the_end")
"""


N_LARGE = int(os.environ.get("CASESNB_BENCH_CASES", "20000"))  # 100000: half an hour


def test_a_large_domain_is_kept_with_flat_memory(tmp_path: Path) -> None:
    found = measured(KEEP, str(tmp_path / "large.cases"), str(N_LARGE))
    print(f"\n{N_LARGE:,} cases kept: {found}")
    assert found["MB_at_the_end"] - found["MB_at_5,000_cases"] < 250


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of more than a million changes."""
    path = tmp_path_factory.mktemp("archive") / "million.cases"
    measured(KEEP, str(path), "32000")
    cn.Archive(path).scan()
    return path


OPEN = """
import sys, time
import casesnb as cn, casesnb.tables.archive, casesnb.view.plots.flow, pandas, polars, pyarrow.parquet
began = time.perf_counter()
archive = cn.Archive(sys.argv[1])
history = archive.histories() if sys.argv[2] == "raw" else archive.scan()
n = history.certificate.n_changes
opened = time.perf_counter() - began
cn.plot_backlog(history).figure.canvas.draw()
print(n, "changes")
print(round(opened, 2), "opened")
print(round(time.perf_counter() - began, 2), "drawn")
"""


# 3 s from raw are wanted. It takes 6 s of processor, so 4.5 to 5.2 s on two cores.
@pytest.mark.parametrize(("how", "most"), [("raw", 6.0), ("parquet", 0.5)])
def test_a_million_changes_are_opened_and_drawn(
    kept: Path, how: str, most: float
) -> None:
    best = min(
        (measured(OPEN, str(kept), how) for _ in range(3)), key=lambda f: f["drawn"]
    )
    print(f"\nfrom {how}: {best}")
    assert best["changes"] > 1_000_000
    assert best["drawn"] < most


def test_a_change_takes_few_bytes(kept: Path) -> None:
    archive = cn.Archive(kept)
    n_changes = archive.scan().certificate.n_changes
    files = [*archive.dataset.parent.rglob("*.parquet")]
    parquet = sum(file.stat().st_size for file in files) / n_changes
    raw = kept.stat().st_size / n_changes
    print(f"\n{parquet:.1f} bytes a change in Parquet, {raw:.1f} in SQLite")
    assert parquet <= 30
    assert raw <= 120


SCAN = """
import sys
import casesnb as cn
from pathlib import Path
from casesnb.tables.archive_dataset import scanned
import narwhals as nw
events, changes = scanned(Path(sys.argv[1]), sys.argv[2])
rows = nw.from_native(changes)
if hasattr(rows, "lazy"):
    rows = rows.lazy()
asked = rows.group_by("field_id").agg(n=nw.len(), last=nw.col("performed_at").max())
found = asked.collect("pyarrow")
print(sum(found["n"].to_list()), "changes")
told = nw.from_native(cn.transitions(changes, "status")).lazy().collect("pyarrow")
print(len(told), "transitions")
"""


@pytest.fixture(scope="module")
def ten_million(kept: Path) -> Path:
    """The dataset ten times over, each time with cases of its own."""
    archive = cn.Archive(kept)
    folder = kept.with_name("ten.parquet")
    for file in sorted(archive.dataset.glob("*/*.parquet")):
        table = pq.read_table(file, partitioning=None)
        place = table.column_names.index("case_id")
        for n in range(10):
            ids = [f"{value}{n}" for value in table["case_id"].to_pylist()]
            to = folder / file.parent.relative_to(archive.dataset) / f"{n}.parquet"
            to.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table.set_column(place, "case_id", [ids]), to, **_WRITTEN)
    return folder


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_ten_million_changes_are_scanned_in_less_than_a_gigabyte(
    ten_million: Path, engine: str
) -> None:
    began = time.perf_counter()
    found = measured(SCAN, str(ten_million), engine)
    print(f"\n{engine}: {found} in {time.perf_counter() - began:.1f} s")
    assert found["changes"] > 10_000_000
    assert found["MB"] < 1000


def test_an_update_asks_for_what_changed_and_a_sample(tmp_path: Path) -> None:
    world = cn.sandbox.World(seed=5, domains=1, cases=20_000)
    domain_id = world.domains[0].domain_id
    archive = cn.Archive(tmp_path / "domain.cases")
    earlier = world.at(world.now - dt.timedelta(hours=1))
    first = archive.update(cn.connect(earlier), domain_id, progress=False)
    client = cn.connect(world)
    plan = archive.plan(client, domain_id)
    done = archive.update(client, domain_id, progress=False)
    print(f"\nfirst: {first} ({first.seconds:.0f} s)\nplan: {plan}")
    print(f"then: {done} ({done.seconds:.0f} s)")
    assert done.n_asked == done.n_new + done.n_changed + 100
    assert 0 < done.n_changed < 0.03 * done.n_listed
    assert done.n_calls == pytest.approx(plan.n_calls, rel=0.1)
    assert archive.histories().certificate.n_cases == 20_000
