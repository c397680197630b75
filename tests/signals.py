"""Loads, reports and exports that a signal ends at a random moment.

Run as a program it makes ready once and then forks for each line that it reads, so
that a trial costs no start of Python.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import casesnb as cn

WORLD = cn.sandbox.World(seed=5, domains=1, cases=40)
SIGNALS = {"Ctrl-C": signal.SIGINT, "ended": signal.SIGTERM, "killed": signal.SIGKILL}
FILES = ("log.xes", "log.json", "log.sqlite")


def load(url: str, _: Path) -> int:
    client = cn.connect(endpoint_url=url)
    domain_id, _ = WORLD.showcase
    ids = WORLD.case_ids(domain_id)
    cn.load_histories(client, domain_id, ids, pace=200, progress=False)
    return 0


def report(url: str, folder: Path) -> int:
    from casesnb.cli import main

    file = str(folder / "report.html")
    return main(["report", *WORLD.showcase, "--endpoint-url", url, "--out", file])


def export(_: str, folder: Path) -> int:
    history = READY[0]
    history.to_parquet_folder(folder / "parquet")
    history.to_csv_folder(folder / "csv")
    cn.export.to_xes(history, folder / "log.xes")
    for name in FILES[1:]:
        cn.export.to_ocel(history, folder / name)
    return 0


TASKS: dict[str, Callable[[str, Path], int]] = {
    "load": load,
    "report": report,
    "export": export,
}
READY: list[Any] = []


def is_whole_or_absent(task: str, folder: Path, whole: Path, *, is_asked: bool) -> bool:
    """Whether nothing in a folder is half-written; asked to stop, nothing is left over."""
    if task == "report":
        page = folder / "report.html"
        is_right = not page.exists() or page.read_bytes().endswith(
            b"<!-- end of report -->\n"
        )
    else:
        is_right = all(
            not (folder / name).exists()
            or (folder / name).read_bytes() == (whole / name).read_bytes()
            for name in FILES
        )
        for name, read in (
            ("parquet", cn.History.from_parquet_folder),
            ("csv", cn.History.from_csv_folder),
        ):
            if (folder / name / "history.json").exists():
                is_right &= len(read(folder / name).events) > 0
    known = {"report.html", "parquet", "csv", *FILES}
    left = {path.name for path in folder.iterdir()} - known
    return is_right and (not is_asked or not left)


class Trials:
    """Trials of each task against one server."""

    def __init__(self, server: cn.sandbox.SandboxServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.spent: dict[str, float] = {}

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        """Start what forks, and see how long each task takes if left alone."""
        with subprocess.Popen(
            [sys.executable, __file__, self.server.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as forks:
            assert forks.stdin is not None
            assert forks.stdout is not None
            self._in: IO[str] = forks.stdin
            self._out: IO[str] = forks.stdout
            for task in TASKS:
                started = time.monotonic()
                assert self._start(task, f"{task} whole") > 0
                assert int(self._out.readline()) == 0
                self.spent[task] = time.monotonic() - started
            yield
            self._in.close()

    def _start(self, task: str, name: str) -> int:
        folder = self.folder / name
        folder.mkdir()
        print(f"{task} {folder}", file=self._in, flush=True)
        return int(self._out.readline())

    def trial(self, task: str, how: str, number: int, dice: random.Random) -> bool:
        """End a task at a random moment; return whether all is right then."""
        pid = self._start(task, name := f"{task} {number}")
        time.sleep(dice.uniform(0, 1.05 * self.spent[task]))
        sent = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, SIGNALS[how])
        code = int(self._out.readline())
        is_quick = time.monotonic() - sent < 1.5
        n_requests = self.server.n_requests
        time.sleep(0.05)
        expected = 130 if how == "Ctrl-C" else -SIGNALS[how]
        return (
            is_quick
            and code in {0, expected}
            and self.server.n_requests == n_requests
            and is_whole_or_absent(
                task,
                self.folder / name,
                self.folder / f"{task} whole",
                is_asked=how == "Ctrl-C",
            )
        )


def main(url: str) -> None:
    """Make ready, and fork for each line: a task and a folder."""
    # What a shell starts in the background ignores Ctrl-C from the beginning.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
    os.environ["AWS_DEFAULT_REGION"] = "eu-central-1"
    domain_id, _ = WORLD.showcase
    client = cn.connect(WORLD)
    ids = WORLD.case_ids(domain_id)
    READY.append(cn.load_histories(client, domain_id, ids, progress=False))
    for line in sys.stdin:
        task, _, folder = line.rstrip("\n").partition(" ")
        if not (pid := os.fork()):
            code = 1
            try:
                with (
                    Path(os.devnull).open("w") as quiet,
                    contextlib.redirect_stdout(quiet),
                ):
                    code = TASKS[task](url, Path(folder))
            except KeyboardInterrupt:
                code = 130
            finally:
                os._exit(code)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
