"""Change the code in one place at a time, and see whether a test notices: `make mutants`.

cosmic-ray makes the mutants; here they are sampled over wire, tables and analysis, each
is tried in a copy of the tree by the tests that run its line (as coverage tells), the
quickest first, and the share that was noticed is held. Survivors are printed; those
that are understood are explained in `mutants.toml`.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import os
import pickle
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ROOMS = ("wire", "tables", "analysis")
DATA = {"QUOTAS"}  # what AWS publishes; a test could only repeat it
HELD = 0.85  # the share that tests must notice
N_WORKERS = 2
PATIENCE = 40.0  # seconds of tests, as they took without a mutant, for each mutant

# These read the source, or look at pictures, pages and the sandbox: other rooms.
NOT_ASKED = (
    "browser", "docstrings", "explorer", "explorer_model", "hostile", "house",
    "notebooks", "plots_case", "plots_cases", "plots_comparison", "plots_flow",
    "plots_people", "plots_style", "pm4py", "pytest_plugin", "readme",
    "report", "report_forgeries", "report_notebook", "report_verify", "server", "service",
    "story", "text", "timeline", "timeline_browser", "web", "world",
)  # fmt: skip

# Tests of tests, which are long and notice nothing that the others do not.
NOT_THESE = "not bug_is_noticed and not swallows_an_unknown and not worth_reading"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
ADDED = PROJECT["tool"]["pytest"]["ini_options"]["addopts"]
LANES = ADDED[ADDED.index("-m") + 1].replace(
    "not long and ", ""
)  # those of CI's `long`

OPERATORS = (
    "AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr",
    "ReplaceOrWithAnd", "ReplaceBreakWithContinue", "ReplaceContinueWithBreak",
    "ExceptionReplacer", "NumberReplacer", "ZeroIterationForLoop",
    "ReplaceUnaryOperator_Delete_Not", "ReplaceUnaryOperator_Delete_USub",
    *(f"ReplaceComparisonOperator_{a}_{b}" for a, b in (
        ("Eq", "NotEq"), ("NotEq", "Eq"), ("Lt", "LtE"), ("Lt", "GtE"), ("LtE", "Lt"),
        ("LtE", "Gt"), ("Gt", "GtE"), ("Gt", "LtE"), ("GtE", "Gt"), ("GtE", "Lt"),
        ("Is", "IsNot"), ("IsNot", "Is"),
    )),
    *(f"ReplaceBinaryOperator_{a}_{b}" for a, b in (
        ("Add", "Sub"), ("Sub", "Add"), ("Mul", "Div"), ("Div", "Mul"), ("Mod", "Mul"),
        ("FloorDiv", "Mul"), ("BitOr", "BitAnd"), ("BitAnd", "BitOr"),
    )),
)  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change of one place."""

    path: str  # the module, from the root
    operator: str
    occurrence: int
    line: int

    def code(self) -> str | None:
        from cosmic_ray.mutating import mutate_code
        from cosmic_ray.plugins import get_operator

        source = (ROOT / self.path).read_text("utf-8")
        try:
            made: str | None = mutate_code(
                source, get_operator(f"core/{self.operator}")(), self.occurrence
            )
        except AttributeError:  # of some dotted names it cannot make one
            return None
        return None if made == source else made

    def change(self) -> tuple[str, str]:
        """The first line that differs, before and after."""
        lines = (ROOT / self.path).read_text("utf-8").splitlines()
        for old, new in zip(lines, (self.code() or "").splitlines(), strict=False):
            if old != new:
                return old.strip(), new.strip()
        return "", ""


def all_mutants() -> list[Mutant]:
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator

    found = []
    for room in ROOMS:
        for module in sorted((ROOT / "casesnb" / room).glob("**/*.py")):
            path = module.relative_to(ROOT).as_posix()
            source = module.read_text("utf-8")
            skipped = not_code(source)
            nodes = list(ast_nodes(get_ast(source)))
            for name in OPERATORS:
                operator = get_operator(f"core/{name}")()
                places = [p for n in nodes for p in operator.mutation_positions(n)]
                found += [
                    Mutant(path, name, i, start[0])
                    for i, (start, _) in enumerate(places)
                    if not any(low <= start < high for low, high in skipped)
                ]
    return found


def in_an_order(mutants: list[Mutant], seed: int) -> list[Mutant]:
    """Return those to try as chance orders them: by what they are, not where they stand.

    So a change of the code leaves the others in their order.
    """
    found, seen = [], Counter[str]()
    lines = {m.path: (ROOT / m.path).read_text("utf-8").splitlines() for m in mutants}
    for mutant in mutants:
        text = lines[mutant.path][mutant.line - 1].strip()
        what = f"{seed} {mutant.path} {mutant.operator} {text}"
        seen[what] += 1
        digest = hashlib.sha256(f"{what} {seen[what]}".encode()).hexdigest()
        found.append((digest, mutant))
    ordered = [mutant for _, mutant in sorted(found, key=lambda each: each[0])]
    # Of each number one more, not one less: what notices the one notices the other.
    return [
        m for m in ordered if m.operator != "NumberReplacer" or m.occurrence % 2 == 0
    ]


def not_code(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where there is what mypy reads, a guard, or the star between arguments."""
    spans: list[ast.AST] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in DATA:
            spans.append(node)
        if isinstance(node, ast.ClassDef):
            spans += [d for d in node.decorator_list if "frozen" in ast.unparse(d)]
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            spans.append(node)
        if isinstance(node, ast.FunctionDef) and node.returns is not None:
            spans.append(node.returns)
        if isinstance(node, ast.keyword) and node.arg == "strict":
            spans.append(node)  # a guard against what does not come
        annotation = getattr(node, "annotation", None)
        if annotation is not None:
            spans.append(annotation)
    marks = [
        ((number, found.start()), (number, found.end()))
        for number, line in enumerate(source.splitlines(), 1)
        if (found := re.search(r"\*,|^\s+/,$", line))
    ]
    return marks + [
        ((n.lineno, n.col_offset), (n.end_lineno, n.end_col_offset))  # type: ignore[attr-defined]
        for n in spans
    ]


def copy_tree(where: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (where / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, where / name)


def pytest(tree: Path, *words: str, seconds: float) -> int:
    """Run tests in a tree; 124 if they took too long."""
    command = [sys.executable, "-m", *words]
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tree), os.environ.get("PYTHONPATH", "")]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with (tree / "log").open("w") as log:
        started = subprocess.Popen(
            command, cwd=tree, env=env, stdout=log, stderr=log, start_new_session=True
        )
        RUNNING.add(started)
        try:
            return started.wait(seconds)
        except subprocess.TimeoutExpired:
            stop(started)
            return 124
        finally:
            RUNNING.discard(started)


def stop(started: subprocess.Popen[bytes]) -> None:
    """End a run of tests and whatever it started itself."""
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()


RUNNING: set[subprocess.Popen[bytes]] = set()
QUIET = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly")


def side_by_side(work: Callable[[Path], None], trees: list[Path]) -> None:
    """Work in every tree at once; nothing goes on once this one is stopped."""
    workers = [threading.Thread(target=work, args=(t,), daemon=True) for t in trees]
    for worker in workers:
        worker.start()
    try:
        for worker in workers:
            worker.join()
    finally:
        for started in list(RUNNING):
            stop(started)


def who_runs_what(
    trees: list[Path],
) -> tuple[dict[tuple[str, int], set[str]], dict[str, float]]:
    """Run the tests once; tell which of them run each line, and how long they take."""
    files = sorted(
        f"tests/{path.name}"
        for path in (ROOT / "tests").glob("test_*.py")
        if path.stem.removeprefix("test_") not in NOT_ASKED
    )
    waiting: queue.Queue[str] = queue.Queue()
    for name in files:
        waiting.put(name)
    failed: set[str] = set()
    broken: list[str] = []
    runs: dict[tuple[str, int], set[str]] = defaultdict(set)
    took: Counter[str] = Counter()
    lock = threading.Lock()

    def work(tree: Path) -> None:
        (tree / "coverage.ini").write_text(
            "[run]\ndynamic_context = test_function\nsource = casesnb\n", "utf-8"
        )
        while True:
            try:
                file = waiting.get_nowait()
            except queue.Empty:
                return
            (tree / ".coverage").unlink(missing_ok=True)
            words = ("coverage", "run", "--rcfile=coverage.ini", "-m", "pytest", file)
            some = ("-m", LANES, "-k", NOT_THESE, "--junitxml=junit.xml")
            code = pytest(tree, *words, *QUIET, *some, seconds=600)
            with lock:
                if code == 5:  # all tests of the file are slow ones
                    continue
                if code not in (0, 1):
                    broken.append(f"{file}: {(tree / 'log').read_text()[-2000:]}")
                    continue
                for case in ET.parse(tree / "junit.xml").iter("testcase"):  # noqa: S314
                    test = f"{file}::{str(case.get('name')).partition('[')[0]}"
                    took[test] += float(case.get("time") or 0)
                    if case.find("failure") is not None:
                        failed.add(test)
                read_contexts(tree, file, runs)

    side_by_side(work, trees)
    if broken or len(failed) > 3:
        raise SystemExit(f"Tests fail without any mutant: {broken or sorted(failed)}")
    for test in failed:  # by the clock, on a busy machine
        print(f"Left out, as it fails without any mutant: {test}")
        del took[test]
    return runs, took


def read_contexts(tree: Path, file: str, runs: dict[tuple[str, int], set[str]]) -> None:
    import coverage

    data = coverage.CoverageData(str(tree / ".coverage"))
    data.read()
    for path in data.measured_files():
        module = Path(path).relative_to(tree).as_posix()
        for line, contexts in data.contexts_by_lineno(path).items():
            for context in contexts:
                name = context.rpartition(".")[2]
                # Without a context a line runs while modules are imported.
                runs[module, line].add(f"{file}::{name}" if name else file)


def try_mutant(
    mutant: Mutant, tree: Path, runs: dict[tuple[str, int], set[str]], took: Any
) -> str:
    """Try one mutant: `killed`, `survived` or `not run`."""
    code = mutant.code()
    if code is None:
        return "none"
    tests = runs.get((mutant.path, mutant.line), set())
    alone = {test for test in tests if "::" in test and test in took}
    if not alone or not is_in_a_function(mutant):
        # Run while the module is imported, whichever test comes first, or by a process
        # that a test starts: any test of the module may tell.
        tests = {t for (m, _), told in runs.items() if m == mutant.path for t in told}
        files = {test for test in tests if "::" not in test}
        alone = {t for t in took if t in tests or t.partition("::")[0] in files}
    if not alone:
        return "not run"
    own = f"tests/test_{Path(mutant.path).stem}.py::"  # what the module is tested by
    chosen, left = [], PATIENCE
    for test in sorted(alone, key=lambda t: (not t.startswith(own), took[t])):
        if not chosen or took[test] <= left:
            chosen.append(test)
            left -= took[test]
    target = tree / mutant.path
    before = target.read_text("utf-8")
    target.write_text(code, "utf-8")
    try:
        # In two steps, as a handful of tests notices most.
        for some in (chosen[:8], chosen[8:]):
            words = ("pytest", *QUIET, "-x", "-m", LANES, *some)
            if some and pytest(tree, *words, seconds=3 * PATIENCE) != 0:
                return "killed"
        return "survived"
    finally:
        target.write_text(before, "utf-8")


def is_in_a_function(mutant: Mutant) -> bool:
    tree = ast.parse((ROOT / mutant.path).read_text("utf-8"))
    return any(
        node.body[0].lineno <= mutant.line <= (node.end_lineno or 0)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    )


@cache
def explained() -> dict[tuple[str, str, str], str]:
    """Why some survivors are no loss, by module and line before and after."""
    told = tomllib.loads((ROOT / "tests" / "mutants.toml").read_text("utf-8"))
    return {
        (each["module"], each["before"], each["after"]): each["why"]
        for each in told.get("survivor", [])
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="which sample")
    parser.add_argument("--minutes", type=float, default=20, help="all in all")
    parser.add_argument("--only", default="", help="modules whose path holds this")
    parser.add_argument("--most", type=int, default=1000, help="how many at most")
    parser.add_argument(
        "--baseline", type=Path, help="keeps which test runs what, and is read if there"
    )
    asked = parser.parse_args()
    end = time.monotonic() + 60 * asked.minutes - 1.5 * PATIENCE
    mutants = [m for m in all_mutants() if asked.only in m.path]
    mutants = in_an_order(mutants, asked.seed)
    print(f"{len(mutants)} mutants; the tests without any ...", flush=True)
    tried: list[tuple[Mutant, str]] = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees = [Path(folder, str(n)) for n in range(N_WORKERS)]
        for tree in trees:
            copy_tree(tree)
        if asked.baseline and asked.baseline.exists():
            runs, took = pickle.loads(asked.baseline.read_bytes())  # noqa: S301
        else:
            runs, took = who_runs_what(trees)
        if asked.baseline:
            asked.baseline.write_bytes(pickle.dumps((runs, took)))
        print(f"{len(took)} tests of {sum(took.values()):.0f} s.", flush=True)
        waiting = iter(mutants[: asked.most])
        lock = threading.Lock()

        def work(tree: Path) -> None:
            while time.monotonic() < end:
                with lock:
                    mutant = next(waiting, None)
                if mutant is None:
                    return
                found = try_mutant(mutant, tree, runs, took)
                if found != "none":
                    tried.append((mutant, found))
                if found not in {"none", "killed"}:
                    tell(mutant, found)

        side_by_side(work, trees)
    return report(tried)


def tell(mutant: Mutant, found: str) -> None:
    before, after = mutant.change()
    why = explained().get((mutant.path, before, after), "NOT EXPLAINED")
    print(
        f"{mutant.path}:{mutant.line} {found} ({mutant.operator}): {why}\n"
        f"  - {before}\n  + {after}",
        flush=True,
    )


def report(tried: list[tuple[Mutant, str]]) -> int:
    counts = Counter((m.path.split("/")[1], found) for m, found in tried)
    for room in ROOMS:
        print(room, {found: n for (r, found), n in counts.items() if r == room})
    killed = sum(found == "killed" for _, found in tried)
    print(f"{killed} of {len(tried)} killed: {killed / max(1, len(tried)):.1%}")
    return int(killed < HELD * len(tried))


if __name__ == "__main__":
    sys.exit(main())
