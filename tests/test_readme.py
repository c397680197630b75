"""The README's quick start runs as it stands, and its links and pictures are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import casesnb as cn

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_quick_start_runs_and_is_about_ten_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    block = README.partition("## Quick start")[2].partition("```python\n")[2]
    code = block.partition("```")[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own README
    assert "complete" in capsys.readouterr().out
    assert (tmp_path / "case.html").stat().st_size > 10_000


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#:]+)\)", README))
def test_a_link_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists()


def test_the_commands_it_names_are_there() -> None:
    targets = re.findall(
        r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE
    )
    assert set(re.findall(r"(?:`|\$ )make ([a-z]+)", README)) <= set(targets)


def test_the_policy_grants_nothing_but_reading() -> None:
    actions = re.findall(r'"((?:cases|connect|ds):\w+)"', README)
    assert len(actions) > 10
    verbs = r"(Get|List|Search|BatchGet|Describe)"
    assert all(re.match(rf"\w+:{verbs}", action) for action in actions)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\bcn\.(\w+)", README))))
def test_what_it_calls_is_there(name: str) -> None:
    assert name in cn.__all__
