"""The command in a pipe, in a log and on a terminal that knows few characters."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from casesnb.cli import main

COMMAND = (sys.executable, "-m", "casesnb")


def plain(**more: str) -> dict[str, str]:
    """Return this environment without what a test run says of Python's streams."""
    ours = ("PYTHONUNBUFFERED", "PYTHONIOENCODING", "PYTHONUTF8")
    return {k: v for k, v in os.environ.items() if k not in ours} | more


def start(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*COMMAND, *arguments], env=plain(), **options)


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    pipe = subprocess.PIPE
    command = start("demo", cwd=tmp_path, stdout=pipe, stderr=pipe)
    assert command.stdout is not None
    assert command.stdout.readline().startswith(b"A simulated")
    command.stdout.close()
    command.stdout = None
    assert command.communicate(timeout=60)[1] == b""
    assert command.returncode == 141  # as `yes | head -1` has it


def test_a_log_shows_the_address_while_the_service_runs(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as out:
        command = start("sandbox", "--port", "0", stdout=out)
    try:
        until = time.monotonic() + 20
        while b"http://127.0.0.1" not in log.read_bytes() and time.monotonic() < until:
            time.sleep(0.1)
    finally:
        command.terminate()
        command.wait(20)
    assert b"http://127.0.0.1" in log.read_bytes()


def test_a_terminal_without_arrows_gets_their_escapes(tmp_path: Path) -> None:
    told = subprocess.run(
        [*COMMAND, "demo"],
        cwd=tmp_path,
        env=plain(PYTHONIOENCODING="cp1252"),
        capture_output=True,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, b"")
    assert rb"First contact \u2192 Claims" in told.stdout


def test_ctrl_c_during_a_report_writes_nothing_and_exits_with_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("casesnb.load_histories", stopped)
    out = tmp_path / "report.html"
    assert main(["report", "d", "c", "--from", "sandbox:7", "--out", str(out)]) == 130
    assert capsys.readouterr().err == "Stopped.\n"
    assert not out.exists()
