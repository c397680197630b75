"""The report as a notebook: papermill gives it other cases, and it verifies them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

import casesnb as cn
from casesnb.sandbox.server import SandboxServer

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "90_report.ipynb"
WORLD = cn.sandbox.World(seed=3, domains=1, cases=3)
DOMAIN, CASE = WORLD.showcase


def run(folder: Path, **parameters: Any) -> str:
    """Everything that the notebook prints with these parameters."""
    command = [sys.executable, "-m", "papermill", "--no-progress-bar"]
    command += ["--cwd", str(folder), str(NOTEBOOK), str(folder / "run.ipynb")]
    for name, value in parameters.items():
        command += ["-y", f"{name}: {value}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    cells = nbformat.read(folder / "run.ipynb", as_version=4).cells
    outputs = [o for cell in cells for o in cell.get("outputs", ())]
    return "".join(
        o.get("text") or o.get("data", {}).get("text/plain", "")
        for o in outputs
        if o.get("name") != "stderr"
    )


def test_its_parameters_are_those_that_it_tells_of() -> None:
    (cell,) = (
        cell
        for cell in nbformat.read(NOTEBOOK, as_version=4).cells
        if "parameters" in cell.metadata.get("tags", ())
    )
    given: dict[str, Any] = {}
    exec(cell.source, given)  # noqa: S102 - our own cell of assignments
    names = ["domain_id", "case_ids", "source", "title", "tz", "out"]
    assert [name for name in given if name != "__builtins__"] == names


@pytest.mark.long
@pytest.mark.parametrize(
    "case_ids",
    [CASE, pytest.param("null", marks=pytest.mark.slow)],
    ids=["case", "domain"],
)
def test_papermill_reports_other_cases_and_the_file_verifies(
    case_ids: str, tmp_path: Path
) -> None:
    with SandboxServer(WORLD) as server:
        said = run(
            tmp_path,
            domain_id=DOMAIN,
            case_ids=case_ids,
            source=server.url,
            title="For the auditor",
            tz="Europe/London",
            out=tmp_path / "report.html",
        )
        found = cn.verify_report(
            tmp_path / "report.html",
            cn.connect(endpoint_url=server.url),
            connect=cn.connect(endpoint_url=server.url, service_name="connect"),
        )
    assert found.is_reproduced
    assert f"{len(found.checks):,} items: " in said
    assert "differs" not in said
    assert "h0 name" not in said  # they were looked up again
    assert "<title>For the auditor</title>" in (tmp_path / "report.html").read_text()
    assert "Europe/London" in said
    ids = cn.load_cases(cn.connect(WORLD), DOMAIN)["case_id"]
    wanted = [CASE] if case_ids == CASE else [*ids]
    told = [case for case in ids if case[:8] in said]
    assert sorted(told) == sorted(wanted)
