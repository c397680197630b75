"""The drill: attacks and faults by the thousand, in a bounded time, as a table.

Run by ``make drill``. Each drill gives what it tried and whether it was caught, until
its share of the time is over.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import histories
import wire_faults
from answers import Pages
from forgeries import cuts, flips, forgeries, in_a_hurry, is_caught
from histories import history
from signals import SIGNALS, TASKS, WORLD, Trials

import casesnb as cn

Tried = Iterator[tuple[str, bool]]


def forged_reports(folder: Path) -> Tried:
    """A report's file, altered in one place."""
    source, path = cn.connect(Pages(histories.PLAIN)), folder / "report.html"
    with in_a_hurry():
        page = cn.write_report(history(), path).read_bytes()
        for seed in count():
            for make, n in ((forgeries, 45), (flips, 10), (cuts, 5)):
                for kind, forged in make(page, n=n, seed=seed):
                    yield f"report: {kind}", is_caught(forged, path, source)


def untouched_reports(folder: Path) -> Tried:
    """Reports of simulated cases that nobody touched."""
    for seed in count():
        world = cn.sandbox.World(seed=seed, domains=1, cases=4)
        client = cn.connect(world)
        read = cn.load_history(client, *world.showcase)
        path = cn.write_report(read, folder / "report.html")
        found = cn.verify_report(path, client)
        yield "report: left alone, and reproduced", found.is_reproduced


def signals_at_any_moment(folder: Path) -> Tried:
    """A load, a report or an export that a signal ends at a random moment."""
    dice, numbers = random.Random(1), count()
    with cn.sandbox.SandboxServer(WORLD) as server:
        trials = Trials(server, folder)
        with trials.ready():
            while True:
                for task in TASKS:
                    for how in SIGNALS:
                        is_right = trials.trial(task, how, next(numbers), dice)
                        yield f"{task}: {how} at a random moment", is_right


# The share of the time that each may take.
DRILLS: dict[Callable[[Path], Tried], float] = {
    forged_reports: 0.25,
    untouched_reports: 0.1,
    signals_at_any_moment: 0.25,
}
WIRE = 0.4  # that of the wire's faults, which have a table of their own


def run(seconds: float) -> tuple[Counter[str], Counter[str]]:
    """Return how often each thing was tried, and how often it came out right."""
    tried: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for drill, share in DRILLS.items():
        until = time.monotonic() + share * seconds
        with tempfile.TemporaryDirectory() as folder:
            for what, is_right in drill(Path(folder)):
                tried[what] += 1
                right[what] += is_right
                if time.monotonic() > until:
                    break
    return tried, right


def main() -> int:
    """Print the tables; fail if anything came out wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    seconds = parser.parse_args().seconds
    tried, right = run(seconds)
    print("| what was done | tried | right |\n|---|---:|---:|")
    for what, n in tried.items():
        print(f"| {what} | {n:,} | {right[what]:,} |")
    with tempfile.TemporaryDirectory() as folder:
        outcomes = [*wire_faults.rehearse(Path(folder), WIRE * seconds)]
    print(f"\n{wire_faults.table(outcomes)}")
    is_bad = any(each.is_short or each.is_lost for _, _, each in outcomes)
    return 1 if tried != right or is_bad else 0


if __name__ == "__main__":
    sys.exit(main())
