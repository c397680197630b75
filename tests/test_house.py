"""The design's rules about rooms, doors and public names, read from the code itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import casesnb as cn

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "casesnb"
ROOMS = ("wire", "tables", "analysis", "view")
FRONT = {"casesnb", "casesnb.cli", "casesnb.__main__", "casesnb.sandbox"}
MODULES = sorted(PACKAGE.rglob("*.py"))
# Each third-party library enters by one door.
DOORS = {
    "boto3": {"wire/"},
    # The sandbox reads AWS's own service model.
    "botocore": {"wire/", "sandbox/service/model.py"},
    "ahocorasick_rs": {"wire/redact/leaks.py"},
    "platformdirs": {"wire/limits.py", "wire/redact/"},
    "msgspec": {"wire/", "tables/"},
    "pandas": {"tables/"},
    "pyarrow": {"tables/"},
    "narwhals": {
        "tables/frames.py",
        "tables/chain_rows.py",
        "tables/chain_windows.py",
        "tables/field_chain.py",
        "tables/history.py",
        "tables/keys.py",
        "analysis/",
    },
    "scipy": {"analysis/cohorts.py"},
    "matplotlib": {"view/plots/"},
    "jinja2": {"view/report/write.py"},
    "cryptography": {"view/report/sign.py"},
    "ipywidgets": {"view/explorer/"},
    "traitlets": {"view/explorer/", "view/timeline/"},
    "anywidget": {"view/timeline/"},
    "tornado": {"sandbox/server.py"},
    "filelock": {"wire/"},
    "openpyxl": {"tables/spreadsheet.py"},
    "zstandard": {"wire/store.py"},
    "pytest": {"pytest_plugin.py"},
}


def room(module: Path) -> str:
    parts = module.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else "front"


def is_module(name: str) -> bool:
    return (ROOT / name.replace(".", "/")).with_suffix(".py").exists()


def imports(module: Path) -> list[tuple[str, bool]]:
    """Every imported module's full name, and whether only type checkers import it."""
    found = []

    def walk(node: ast.AST, typing_only: bool) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            typing_only = True
        if isinstance(node, ast.Import):
            found.extend((alias.name, typing_only) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            name = node.module or ""
            found.append((name, typing_only))
            inner = (f"{name}.{alias.name}" for alias in node.names)
            found.extend((n, typing_only) for n in inner if is_module(n))
        for child in ast.iter_child_nodes(node):
            walk(child, typing_only)

    walk(ast.parse(module.read_text("utf-8")), False)
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(PACKAGE)))
def test_a_room_imports_only_from_the_rooms_before_it(module: Path) -> None:
    here = room(module)
    for name, typing_only in imports(module):
        if not name.startswith("casesnb"):
            continue
        parts = name.split(".")
        there = parts[1] if len(parts) > 1 else "front"
        if here == "front":
            continue
        if here == "sandbox":
            allowed = {f"casesnb.wire.{n}" for n in ("address", "limits", "responder")}
            assert name in allowed or there == "sandbox", f"the sandbox imports {name}"
        else:
            assert there in ROOMS[: ROOMS.index(here) + 1], f"{here} imports {name}"
        del typing_only


# The floors of a full room, lowest first; a floor imports only from itself and below.
FLOORS = {
    "wire": (
        ("address", "answers", "limits", "responder", "text", "whole_file"),
        ("errors",),
        ("calls", "redact"),
        ("pages", "recording"),
        ("store", "store_rows"),
        ("store_copy",),
        ("client",),
    ),
    "tables": (
        ("schema", "ties", "progress", "workers"),
        ("arguments", "arrow", "certificate"),
        ("frames", "values"),
        ("keys",),
        ("chain_rows", "chain_windows"),
        ("decode", "field_chain", "filters", "files", "load", "notes"),
        ("order", "history", "archive_plan", "spreadsheet"),
        ("tidy", "names", "export"),
        ("raw", "history_builder", "archive_update", "redacted"),
        ("archive_dataset",),
        ("archive",),
        ("load_history",),
    ),
    "analysis": (
        ("timezones", "closing", "threads", "uncertainty"),
        ("calendar", "windows", "trust"),
        ("spells", "actors"),
        ("state", "durations", "flow", "overlap", "slas", "sla_ledger", "conformance"),
        ("rule",),
        ("rules",),
        ("checks",),
        ("summary", "rates", "tail", "triage", "why", "comparison"),
        ("cohorts", "rework", "weekly"),
    ),
    "view": (
        ("text", "wording", "table"),
        ("plots",),
        ("timeline",),
        ("report",),
        ("explorer",),
    ),
    "sandbox": (
        ("randomness", "texts", "rates", "contact_centre", "case_life"),
        ("simulate", "truth"),
        ("service",),
        ("world", "faults"),
        ("server",),
    ),
}


@pytest.mark.parametrize("here", FLOORS)
def test_a_floor_imports_only_from_the_floors_below(here: str) -> None:
    height = {name: n for n, floor in enumerate(FLOORS[here]) for name in floor}
    for module in (PACKAGE / here).rglob("*.py"):
        name = module.relative_to(PACKAGE / here).parts[0].removesuffix(".py")
        if name == "__init__":
            continue
        assert name in height, f"{module} has no floor"
        for full, _ in imports(module):
            if full.startswith(f"casesnb.{here}."):
                there = full.split(".")[2]
                assert height[there] <= height[name], f"{module} imports {full}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    # What only type checkers import counts: a circle of types is a circle to a reader.
    names = {
        ".".join(m.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): m
        for m in MODULES
    }
    left = {
        name: {n for n, _ in imports(module) if n in names and n != name}
        for name, module in names.items()
        if name not in FRONT
    }
    assert left["casesnb.view.report.verify"] >= {"casesnb.view.report.write"}
    while free := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in free:
            del left[name]
    assert not left


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(PACKAGE)))
def test_a_library_enters_by_its_own_door(module: Path) -> None:
    here = module.relative_to(PACKAGE).as_posix()
    for name, typing_only in imports(module):
        doors = DOORS.get(name.partition(".")[0])
        allowed = doors is None or any(here.startswith(door) for door in doors)
        assert typing_only or allowed, f"{here} imports {name}"


def test_what_all_rows_of_a_key_come_to_is_asked_in_one_place() -> None:
    # Narwhals answers this by a join, after which Arrow's rows are in any order.
    found = [
        module.relative_to(PACKAGE).as_posix()
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") == "over"
        and "order_by" not in {each.arg for each in node.keywords}
    ]
    assert found == ["tables/keys.py"]  # in beside_all


def test_no_module_is_a_drawer() -> None:
    drawers = {"utils", "core", "base", "helpers", "common", "manager", "misc"}
    assert not drawers & {module.stem.strip("_") for module in MODULES}


def test_the_front_door_lists_each_name_once_for_people_and_for_type_checkers() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    typed = {
        alias.asname: f"{node.module}.{alias.name}"
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    listed = {name: f"casesnb.{home}.{name}" for name, home in cn._HOME.items()}
    assert typed == listed | cn._FAMILIES
    assert len(cn.__all__) == len(set(cn.__all__))


@pytest.mark.parametrize("name", cn.__all__)
def test_a_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(cn, name)
    assert value.__doc__, f"cn.{name} has no docstring"
    assert name in dir(cn)


@pytest.mark.parametrize("name", cn.__all__)
def test_a_public_name_is_used_in_a_notebook_or_the_readme(name: str) -> None:
    shown = (ROOT / "README.md").read_text("utf-8") + "".join(
        path.read_text("utf-8") for path in (ROOT / "notebooks").glob("*.ipynb")
    )
    assert f"cn.{name}" in shown


def test_importing_casesnb_is_light() -> None:
    heavy = {"pandas", "boto3", "matplotlib", "narwhals", "pyarrow"}
    heavy |= {"ipywidgets", "anywidget"}
    code = f"import sys, casesnb; print(*sorted({heavy} & set(sys.modules)))"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == ""


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'plot_everything'"):
        cn.plot_everything  # noqa: B018


def test_what_is_pinned_runs_on_the_oldest_python_of_each_line() -> None:
    # Debian's 3.11.2, say: a pin that wants a later one leaves pip without an answer.
    pins = (ROOT / "binder" / "constraints.txt").read_text("utf-8").splitlines()
    seen = 0
    for pin in pins:
        name = Requirement(pin).name
        try:
            found = distribution(name)
        except PackageNotFoundError:  # of another lane
            continue
        seen += 1
        if found.version not in Requirement(pin).specifier:  # another lane's
            continue
        wants = found.metadata["Requires-Python"]
        for python in ("3.11.0", "3.12.0", "3.13.0"):
            assert python in SpecifierSet(wants or ""), f"{pin} wants Python {wants}"
    assert seen > 100
