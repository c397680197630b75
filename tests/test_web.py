"""`casesnb explore`: which notebook is served, and how."""

from __future__ import annotations

import ast
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from voila.paths import collect_template_paths

import casesnb as cn
from casesnb.cli import main
from casesnb.view.explorer import web

RECORDINGS = Path(__file__).parents[1] / "notebooks" / "recordings"


@pytest.mark.parametrize(
    ("arguments", "source", "domain"),
    [
        ([], "cn.connect()", ""),
        (["--domain", "d'1"], "cn.connect()", "d'1"),
        (["--sandbox"], "cn.connect(cn.sandbox.World(seed=0))", ""),
        (["--sandbox", "7"], "cn.connect(cn.sandbox.World(seed=7))", ""),
        (["--recordings", str(RECORDINGS)], f"cn.connect({str(RECORDINGS)!r})", ""),
        (["--endpoint-url", "http://x"], "cn.connect(endpoint_url='http://x')", ""),
    ],
)
def test_the_page_asks_whom_the_command_names(
    arguments: list[str], source: str, domain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: dict[str, Any] = {}

    def serve(notebook: str, **how: Any) -> int:
        served.update(how, cell=json.loads(notebook)["cells"][0]["source"])
        return 0

    monkeypatch.setattr(web, "serve", serve)
    assert main(["explore", *arguments, "--port", "8999", "--no-browser"]) == 0
    lines = served["cell"].splitlines()
    assert lines[1] == f"client = {source}"
    kept = f", notes='{RECORDINGS}.notes.json'" if "--recordings" in arguments else ""
    chosen = f"domain_id={domain!r}, connect=connect{kept}"
    assert lines[3] == f"cn.CaseExplorer(client, {chosen})"
    compile(served["cell"], "cell", "exec")
    assert (served["port"], served["open_browser"]) == (8999, False)


def test_notes_are_kept_beside_the_archive(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: list[str] = []
    monkeypatch.setattr(web, "serve", lambda notebook, **_: made.append(notebook) or 0)
    world, kept = cn.sandbox.World(seed=7), tmp_path / "retail"
    cn.load_domains(cn.connect(world, record=kept))
    assert main(["explore", "--recordings", str(kept)]) == 0
    beside = tmp_path / "retail.notes.json"
    assert f"notes={str(beside)!r}" in json.loads(made[0])["cells"][0]["source"]
    assert not beside.exists()  # before there is a note
    beside.write_text("{}", "utf-8")
    assert main(["explore", "--recordings", str(kept)]) == 2
    assert main(["explore", "--sandbox"]) == 0
    assert "notes=" not in made[-1]


def test_it_listens_on_loopback_behind_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(
        command: list[str], *, env: dict[str, str], **_: Any
    ) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        notebook = Path(command[3])
        assert json.loads(notebook.read_text("utf-8"))["nbformat"] == 4
        ours, *theirs = env["JUPYTER_PATH"].split(os.pathsep)
        assert (ours, theirs) == (str(notebook.parent), ["/their/own"])
        assert set(collect_template_paths(["voila"], "casesnb", root_dirs=[ours])) >= {
            f"{ours}/voila/templates/casesnb",
            f"{ours}/voila/templates/lab",
        }
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setenv("JUPYTER_PATH", "/their/own")
    assert web.serve(web.explorer_notebook(), port=1234, open_browser=False) == 3
    assert {"--Voila.ip=127.0.0.1", "--token", "--port=1234", "--no-browser"} <= {
        *ran[0]
    }
    assert "--template=casesnb" in ran[0]
    (settings,) = [a.partition("=")[2] for a in ran[0] if "tornado_settings" in a]
    settings = ast.literal_eval(settings)
    assert settings["allow_remote_access"] is False
    assert settings["headers"]["Content-Security-Policy"].startswith(
        "default-src 'self'"
    )
    assert not Path(ran[0][3]).exists()


def test_without_voila_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install voila"):
        web.serve("")
