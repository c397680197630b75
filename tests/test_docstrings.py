"""Every public docstring is whole by numpydoc's own rules."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from numpydoc.validate import validate

import casesnb
from casesnb.tables.files import InFiles

# Reading a widget class's members touches what ipywidgets has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Widget:DeprecationWarning")

ROOT = Path(__file__).parents[1]
CHECKS = set(
    tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][
        "numpydoc_validation"
    ]["checks"]
)


def modules() -> list[ModuleType]:
    found = pkgutil.walk_packages(casesnb.__path__, "casesnb.")
    names = [each.name for each in found if not each.name.endswith("__main__")]
    return [importlib.import_module(name) for name in names]


def is_public(value: object) -> bool:
    return any(value is each for each in PUBLIC)


FAMILIES = [getattr(casesnb, name) for name in casesnb._FAMILIES]
PUBLIC = [
    *(getattr(casesnb, name) for name in casesnb._HOME),
    *(getattr(home, name) for home in FAMILIES for name in home.__all__),
    InFiles,  # of a History
]


def public_names() -> list[str]:
    names = []
    for value in PUBLIC:
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        whole = f"{value.__module__}.{value.__qualname__}"
        names.append(whole)
        if inspect.isclass(value):
            names.extend(
                f"{whole}.{method}"
                for method, member in vars(value).items()
                if not method.startswith("_")
                and (inspect.isfunction(member) or isinstance(member, classmethod))
            )
    return names


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)
def test_an_internal_docstring_has_one_line(module: ModuleType) -> None:
    owners = [module, *(v for v in vars(module).values() if inspect.isclass(v))]
    for owner in owners:
        if is_public(owner):
            continue
        for value in vars(owner).values():
            if (
                inspect.isfunction(value)
                and value.__module__ == module.__name__
                and not is_public(value)
            ):
                assert "\n" not in (value.__doc__ or ""), value.__qualname__


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
