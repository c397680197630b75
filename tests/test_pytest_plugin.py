"""The pytest plugin: recorded anew by an option, replayed, and what was missed is told."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import casesnb as cn

pytest_plugins = ["pytester"]

TEST = """
import casesnb as cn

def test_it(casesnb_recording):
    client = casesnb_recording.connect()
    domain_id = cn.load_domains(client).loc[0, "domain_id"]
    case = cn.load_cases(client, domain_id, limit=3).loc[0]
    history = cn.load_history(client, domain_id, case["case_id"])
    assert history.certificate.verdict == "complete"
    assert case["title"].startswith("Title "), "what is seen is what is recorded"
"""


@pytest.fixture
def project(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> pytest.Pytester:
    for name in ("CASESNB_RECORD", "CASESNB_RECORDING_USE"):
        monkeypatch.delenv(name, raising=False)
    # Not those of this run: it may have the plugin already.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    plugin = ("-p", "casesnb.pytest_plugin", "-p", "no:cacheprovider", "-q")
    return project.runpytest_subprocess(*plugin, *arguments, timeout=120)


def test_a_test_is_recorded_once_and_replayed(project: pytest.Pytester) -> None:
    project.makepyfile(TEST)
    run(project, "--casesnb-record", "sandbox:7").assert_outcomes(passed=1)
    folder = project.path / "recordings"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["redacted"]["keep"] == ["status"]
    assert b"harbour-insurance" not in contents(folder)
    again = run(project)
    again.assert_outcomes(passed=1)
    again.stdout.no_fnmatch_line("*recordings of casesnb*")


@pytest.mark.slow
def test_a_recording_made_anew_is_the_same_to_the_byte(
    project: pytest.Pytester,
) -> None:
    project.makepyfile(TEST)
    without = run(project)
    without.assert_outcomes(failed=1)
    without.stdout.fnmatch_lines(["*There is no recording at*recordings*"])
    made = []
    for _ in range(2):
        run(project, "--casesnb-record", "sandbox:7").assert_outcomes(passed=1)
        made.append(contents(project.path / "recordings"))
    assert made[0] == made[1]


def contents(folder: Path) -> bytes:
    return b"".join(p.read_bytes() for p in sorted(folder.rglob("*.json")))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of a few calls, made before pytester sets this process apart."""
    folder: Path = tmp_path_factory.mktemp("kept") / "cases"
    redaction = cn.Redaction(key=b"k" * 32)
    client = cn.connect(cn.sandbox.World(seed=7), record=folder, redact=redaction)
    domain_id = cn.load_domains(client).loc[0, "domain_id"]
    for field_id in ("status", "case_reason"):
        cn.load_options(client, domain_id, [field_id])
    return folder


@pytest.mark.slow
def test_what_no_test_asked_for_is_told(kept: Path, project: pytest.Pytester) -> None:
    project.makeini(f"[pytest]\ncasesnb_recordings = {kept}\n")
    project.makepyfile(
        """
        import casesnb as cn

        def test_lists(casesnb_recording):
            cn.load_domains(casesnb_recording.connect())
        """
    )
    used = run(project)
    used.assert_outcomes(passed=1)
    used.stdout.fnmatch_lines(
        [
            "*recordings of casesnb*",
            f"{kept} holds answers that no test asked for:",
            "  ListFieldOptions/*.json",
            "  ListFieldOptions/*.json",
            "  To keep only what is asked: delete it, then pytest * --casesnb-record",
        ]
    )
    used.stdout.no_fnmatch_line("  ListDomains/*")


def test_what_was_missed_is_told(kept: Path, project: pytest.Pytester) -> None:
    project.makeini(f"[pytest]\ncasesnb_recordings = {kept}\n")
    project.makepyfile(
        """
        import casesnb as cn
        import pytest

        def test_own(tmp_path):
            cn.load_domains(cn.connect(cn.sandbox.World(seed=7), record=tmp_path))
            with pytest.raises(cn.errors.RecordingNotFound):
                cn.load_fields(cn.connect(tmp_path), "nowhere")

        def test_more(casesnb_recording):
            cn.load_templates(casesnb_recording.connect(), "nowhere")
        """
    )
    missed = run(project)
    missed.assert_outcomes(failed=1, passed=1)
    missed.stdout.fnmatch_lines(
        [
            f"{kept} holds no answer to:",
            "  POST /domains/nowhere/templates-list*",
            "  To record what is missing: pytest * --casesnb-record",
        ]
    )
    missed.stdout.no_fnmatch_line("*no test asked for*")
    missed.stdout.no_fnmatch_line("*test_own* holds *")  # it went with its test


def test_a_folder_can_be_named_in_the_settings(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\ncasesnb_recordings = kept/cases\n")
    project.makepyfile(
        "def test_it(casesnb_recording):\n"
        "    assert str(casesnb_recording.path).endswith('kept/cases')\n"
    )
    run(project).assert_outcomes(passed=1)


def test_a_world_that_cannot_be_is_refused(project: pytest.Pytester) -> None:
    result = run(project, "--casesnb-record", "sandbox:seven")
    result.stderr.fnmatch_lines(["*sandbox:seven names no world. Give a number*"])


def test_the_plugin_is_light_and_declared() -> None:
    root = Path(__file__).parents[1]
    declared = (root / "pyproject.toml").read_text("utf-8")
    assert 'casesnb = "casesnb.pytest_plugin"' in declared
    assert os.environ.get("CASESNB_RECORD") is None
