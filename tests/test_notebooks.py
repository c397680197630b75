"""The notebooks: executed, light, and red when a recorded value changes.

pytest runs each notebook's cells by nbval; here is what nbval does not see.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_executed(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [o for cell in code for o in cell.outputs if o.output_type == "error"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_asks_one_question_and_names_no_machine(path: Path) -> None:
    assert re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem)
    text = path.read_text("utf-8")
    assert nbformat.read(path, as_version=4).cells[0].source.startswith("# ")
    assert not re.search(r"/(home|root|work|tmp|Users)/", text)
    assert len(text) < 1_500_000


def test_recordings_say_what_they_were_recorded_from() -> None:
    manifest = json.loads((NOTEBOOKS / "recordings" / "manifest.json").read_text())
    assert manifest["recorded_from"]["source"] == "sandbox"


def check(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--nbval",
    ]
    command += [
        "--nbval-current-env",
        "--nbval-cell-timeout=120",
        "-c",
        "/dev/null",
        name,
    ]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    [
        "01_quickstart.ipynb",
        pytest.param("02_investigate_a_case.ipynb", marks=pytest.mark.slow),
    ],
)
def test_one_changed_value_in_a_recording_turns_a_notebook_red(
    name: str, tmp_path: Path
) -> None:
    shutil.copy(NOTEBOOKS / name, tmp_path)
    shutil.copytree(NOTEBOOKS / "recordings", tmp_path / "recordings")
    assert check(tmp_path, name).returncode == 0
    changed = 0
    # One value of every case: the notebook shows one of them.
    for file in sorted(tmp_path.glob("recordings/GetCaseAuditEvents/*.json")):
        held = json.loads(file.read_text("utf-8"))
        for event in held["response"].get("json", {}).get("auditEvents", []):
            fields = [f for f in event["fields"] if f["eventFieldId"] == "status"]
            if fields:
                fields[0]["newValue"] = {"stringValue": "tampered"}
                changed += 1
                file.write_text(json.dumps(held), "utf-8")
                break
    assert changed
    result = check(tmp_path, name)
    assert result.returncode == 1, result.stdout
    assert "tampered" in result.stdout
