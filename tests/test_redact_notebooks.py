"""Every notebook and the explorer run on a redacted recording, as on any other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from refresh_notebooks import NOTEBOOKS, run

import casesnb as cn
from casesnb.view.explorer.model import CaseSelection
from casesnb.wire.recording import Recording
from casesnb.wire.redact.redactor import Redactor

KEY = b"k" * 32
# A notebook holds the words of its own searches.
REDACTION = cn.Redaction(keep=["status", "search_term"], key=KEY)
PATHS = [
    path
    for path in sorted(NOTEBOOKS.glob("*.ipynb"))
    if "recordings/" in path.read_text("utf-8")
]
# What a list has shown can be asked for by its pseudonym.
LISTS = """
import casesnb as cn
_client = cn.connect("recordings/")
for _domain_id in cn.load_domains(_client)["domain_id"]:
    cn.load_cases(_client, _domain_id)
"""


@contextmanager
def recorded_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have ``folder/recordings`` recorded from the sandbox, under `REDACTION`."""
    key = folder / "settings" / "key"
    key.parent.mkdir()
    key.write_text(KEY.hex())
    monkeypatch.setenv("CASESNB_REDACTION_KEY", str(key))
    # The policy that is there already is the one that a run goes on with.
    Recording(
        folder / "recordings",
        provenance={"source": "live"},
        redactor=Redactor(REDACTION),
    )
    with cn.sandbox.SandboxServer(cn.sandbox.World(seed=7)) as server:
        monkeypatch.setenv("CASESNB_RECORD", server.url)
        yield
        monkeypatch.delenv("CASESNB_RECORD")


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_runs_on_a_redacted_recording(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = path.read_text("utf-8")
    name = Redactor(REDACTION).replace
    for identifier in cn.sandbox.World(seed=7).showcase:
        text = text.replace(identifier, name("identifier", identifier))
    notebook = tmp_path / path.name
    notebook.write_text(text, "utf-8")
    with recorded_anew(tmp_path, monkeypatch):
        run(notebook, first=LISTS)
    shutil.rmtree(tmp_path / "settings")  # whoever replays it has no key
    replayed = run(notebook)
    assert not [
        output
        for cell in replayed.cells
        for output in cell.get("outputs", ())
        if output.output_type == "error"
    ]
    assert "harbour-insurance" not in json.dumps(replayed)


def test_the_explorer_runs_on_a_redacted_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explored() -> tuple[object, ...]:
        selection = CaseSelection(
            cn.connect(tmp_path / "recordings"),
            connect=cn.connect(tmp_path / "recordings", service_name="connect"),
        )
        assert selection.wait(60)
        selection.domain_id = selection.domains.loc[0, "domain_id"]
        assert selection.wait(60)
        selection.case_status = "closed"
        assert selection.wait(60)
        selection.case_id = selection.cases.loc[0, "case_id"]
        assert selection.wait(60)
        selection.when = selection.moments[1]
        selection.order = "by actor"
        assert not selection.has_failed, selection.status
        named = selection.named
        return (
            selection.domain_options,
            selection.case_options,
            selection.field_options,
            selection.actor_options,
            None if named is None else named.changes.to_csv(),
            selection.changes.to_csv(),
        )

    with recorded_anew(tmp_path, monkeypatch):
        seen = explored()
    assert explored() == seen
    assert "Agent " in str(seen[3])
    assert "Domain " in str(seen[0])
