"""A pytest plugin: tests and notebooks that are answered by a recording.

pytest loads it wherever casesnb is installed, so it imports nothing else until a
test asks for it.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from casesnb.sandbox.server import SandboxServer
    from casesnb.wire.client import Client

_RECORD = "CASESNB_RECORD"
_USE = "CASESNB_RECORDING_USE"
_MOST_SHOWN = 10
_server: pytest.StashKey[SandboxServer] = pytest.StashKey()


class RecordingFolder:
    """The recording that answers a test, and what records it anew."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def connect(self, **how: Any) -> Client:
        """Return a boto3 client that the recording answers, as `casesnb.connect`."""
        import casesnb as cn

        return cn.connect(self.path, **how)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of recordings."""
    group = parser.getgroup("casesnb", "recordings of Amazon Connect Cases")
    group.addoption(
        "--casesnb-record",
        nargs="?",
        const="live",
        metavar="WHERE",
        help="record anew, redacted: from AWS (live, as without a value), from "
        "sandbox:SEED, or from the address of a service",
    )
    parser.addini(
        "casesnb_recordings",
        "the folder of the recording, from the root; by default `recordings` beside "
        "the test",
        default="",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Tell this run's processes, kernels of notebooks too, what to record and note."""
    if hasattr(config, "workerinput"):
        return  # a worker of xdist has it from the run that started it
    where = config.getoption("casesnb_record")
    if where and where.startswith("sandbox:"):
        import casesnb as cn

        seed = where.removeprefix("sandbox:")
        if not seed.isdecimal():
            raise pytest.UsageError(
                f"{where} names no world. Give a number: sandbox:7."
            )
        server = cn.sandbox.SandboxServer(cn.sandbox.World(seed=int(seed)))
        config.stash[_server] = server
        where = server.__enter__().url
    if where:
        os.environ[_RECORD] = where
    # Nobody can lay a link where they cannot guess the name.
    noted = Path(tempfile.gettempdir()) / f"casesnb-{secrets.token_hex(16)}"
    os.environ[_USE] = str(noted)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Undo what this run told its processes."""
    if hasattr(config, "workerinput"):
        return
    os.environ.pop(_RECORD, None)
    noted = os.environ.pop(_USE, None)
    if noted:
        Path(noted).unlink(missing_ok=True)
    server = config.stash.get(_server, None)
    if server is not None:
        server.__exit__(None, None, None)


@pytest.fixture
def casesnb_recording(request: pytest.FixtureRequest) -> RecordingFolder:
    """Answer a test from a recording: ``casesnb_recording.connect()`` is a client."""
    named = request.config.getini("casesnb_recordings")
    if named:
        return RecordingFolder(request.config.rootpath / named)
    return RecordingFolder(request.path.parent / "recordings")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """List the answers that tests missed, and those that no test asked for."""
    noted = Path(os.environ.get(_USE, ""))
    if not noted.is_file():
        return
    missed: dict[str, list[str]] = defaultdict(list)
    used: dict[str, set[str]] = defaultdict(set)
    for line in noted.read_text("utf-8").splitlines():
        told = json.loads(line)
        if _is_of_a_test(told["recording"], config):
            continue
        if told["answer"] is None:
            missed[told["recording"]].append(told["asked"])
        used[told["recording"]].add(told["answer"] or "")
    arguments = shlex.join(map(str, config.invocation_params.args))
    again = f"pytest {arguments} --casesnb-record".replace("  ", " ")
    # Where a test was left out or fell, what it would have asked is not known.
    stats = terminalreporter.stats
    is_whole = not any(stats.get(n) for n in ("deselected", "failed", "error"))
    unused = {
        folder: left
        for folder, answers in used.items()
        if is_whole and (left := sorted(_answers(folder) - answers))
    }
    if not missed and not unused:
        return
    terminalreporter.section("recordings of casesnb")
    for folder, asked in missed.items():
        terminalreporter.line(f"{folder} holds no answer to:")
        _list(terminalreporter, dict.fromkeys(asked))
        terminalreporter.line(f"  To record what is missing: {again}")
    for folder, left in unused.items():
        terminalreporter.line(f"{folder} holds answers that no test asked for:")
        _list(terminalreporter, left)
        terminalreporter.line(f"  To keep only what is asked: delete it, then {again}")


def _is_of_a_test(folder: str, config: pytest.Config) -> bool:
    """Return whether a recording is in what a test's ``tmp_path`` was, and goes with it."""
    made = getattr(config, "_tmp_path_factory", None)  # pytest tells it no other way
    return made is not None and Path(folder).is_relative_to(made.getbasetemp())


def _answers(folder: str) -> set[str]:
    return {
        file.relative_to(folder).as_posix() for file in Path(folder).glob("*/*.json")
    }


def _list(terminalreporter: pytest.TerminalReporter, lines: Any) -> None:
    shown = [*lines]
    for line in shown[:_MOST_SHOWN]:
        terminalreporter.line("  " + line.encode("unicode_escape").decode())
    if len(shown) > _MOST_SHOWN:
        terminalreporter.line(f"  and {len(shown) - _MOST_SHOWN} more")
