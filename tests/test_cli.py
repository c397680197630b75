"""The command in a pipe, in a log and on a terminal that knows few characters."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from casesnb.cli import _told_now_and_then, main
from casesnb.sandbox import World
from casesnb.wire.store import Store

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


def test_an_archive_is_kept_from_a_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, domain_id = str(tmp_path / "retail.cases"), World(seed=7).showcase[0]
    about = [file, "--from", "sandbox:7", "--domain", domain_id]

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(["archive", *arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    status, out, _ = run("plan", *about)
    assert (status, out[:45]) == (0, "20 cases listed. To ask for: 20 cases (20 new")
    status, out, err = run("update", *about, "--budget", "12", "--no-wait")
    assert (status, err) == (1, "")
    assert "left for the next update" in out
    assert run("update", *about)[0] == 0
    status, out, _ = run("status", file)
    assert (status, out.splitlines()[1]) == (
        0,
        "20 cases in 20 captures, 0 of them deleted since",
    )
    assert run("check", file) == (0, "All is as it was kept.\n", "")
    case_id, shown = World(seed=7).showcase[1], str(tmp_path / "shown")
    some = ["--domain", domain_id, "--case", case_id, "--from", file, "--out", shown]
    assert main(["record", *some]) == 0
    said = capsys.readouterr()
    assert "answers, redacted. In a notebook" in said.out
    assert "Without the cases' fields and related items: " in said.err
    page = tmp_path / "week.html"
    asked = ["report", "--weekly", domain_id, "--from", file, "--out", str(page)]
    assert main(asked) == 0
    assert capsys.readouterr().out == f"{page}\n"
    assert 'data-item="h0 figures"' in page.read_text("utf-8")
    assert main(["verify", str(page), "--against", file]) == 0
    assert main(asked[:1] + asked[2:]) == 2
    assert capsys.readouterr().err.startswith("No case is named. Name one or more")
    since = ["--since", "2026-03-29"]
    assert run("plan", *about, *since)[1].startswith("0 cases listed")
    with Store(file, write=True):
        status, _, err = run("update", *about, "--no-wait")
    assert status == os.EX_TEMPFAIL == 75
    assert err.startswith("Another process writes to")
    with sqlite3.connect(file) as db:
        db.execute("UPDATE page SET body = zeroblob(9) WHERE rowid = 9")
    db.close()
    status, out, err = run("check", file)
    assert status == 1
    assert " is not as it was kept (" in out
    assert err == f"{file} is damaged. Restore it from a copy.\n"
    status, _, err = run("check", str(tmp_path / "none.cases"))
    assert (status, err[:25]) == (2, "There is no archive at " + err[23:25])
    status, _, err = run("plan", file, "--from", "sandbox:7")
    assert (status, err[:20]) == (2, "There are 2 domains.")


def test_a_report_of_pseudonyms_is_written_from_a_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    domain_id, case_id = World(seed=7).showcase
    page = tmp_path / "shown.html"
    asked = ["report", domain_id, case_id, "--from", "sandbox:7", "--out", str(page)]
    assert main([*asked, "--shift-times"]) == 2
    assert capsys.readouterr().err == (
        "--keep, --free-text and --shift-times go with --redact.\n"
    )
    assert main([*asked, "--redact", "--keep", "Prioritty"]) == 2
    assert capsys.readouterr().err == (
        "--keep: this domain has no field 'Prioritty'. Near it is Priority.\n"
    )
    assert not page.exists()
    found = {}
    for keep in ([], ["--keep", "case reason"]):
        assert main([*asked, "--redact", *keep]) == 0
        found[bool(keep)] = page.read_text("utf-8")
        assert case_id not in found[bool(keep)]
        assert "Kemi Larsen" not in found[bool(keep)]
    assert "claim_status" not in found[False]
    assert "claim_status" in found[True]
    assert main(asked) == 0
    page_of_all = page.read_text("utf-8")
    assert case_id in page_of_all
    assert "Kemi Larsen" in page_of_all


def test_a_log_gets_a_line_a_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at = iter([0.0, 30.0, 61.0, 61.0, 90.0])
    monkeypatch.setattr("casesnb.cli.time.monotonic", lambda: next(at))
    tell = _told_now_and_then()
    for n in (10, 1_020, 1_500):
        tell(n)
    assert capsys.readouterr().err == "1,020 cases\n"
