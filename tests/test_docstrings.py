"""Every public docstring is whole by numpydoc's own rules."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import tomllib
from pathlib import Path

import pytest
from numpydoc.validate import validate

import casesnb

# Reading a widget class's members touches what ipywidgets has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Widget:DeprecationWarning")

ROOT = Path(__file__).parents[1]
CHECKS = set(
    tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][
        "numpydoc_validation"
    ]["checks"]
)


def public_names() -> list[str]:
    names = []
    for found in pkgutil.walk_packages(casesnb.__path__, "casesnb."):
        if found.name.endswith("__main__"):
            continue
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if name.startswith("_") or getattr(value, "__module__", "") != found.name:
                continue
            if inspect.isclass(value) or inspect.isfunction(value):
                names.append(f"{found.name}.{name}")
            if inspect.isclass(value):
                names.extend(
                    f"{found.name}.{name}.{method}"
                    for method, member in vars(value).items()
                    if not method.startswith("_")
                    and (inspect.isfunction(member) or isinstance(member, classmethod))
                )
    return names


@pytest.mark.parametrize("name", public_names())
def test_a_public_docstring_is_whole(name: str) -> None:
    checks = CHECKS
    owner = name.rpartition(".")[0].rpartition(".")[2]
    if owner[:1].isupper():
        checks = CHECKS - {"PR01", "RT01"}  # short methods may say it in one sentence
    if name.endswith((".Responder", ".Source")):
        checks = CHECKS - {"PR01"}  # a protocol is never constructed
    errors = [e for e in validate(name)["errors"] if e[0] in checks]
    assert errors == []


@pytest.mark.parametrize("name", public_names())
def test_a_public_docstring_fits_a_notebook(name: str) -> None:
    prose = (validate(name)["docstring"] or "").partition("Examples\n")[0]
    assert [line for line in prose.splitlines() if len(line.strip()) > 79] == []
