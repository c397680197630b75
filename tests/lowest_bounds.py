"""Write pyproject's lower bounds as pip's constraints, so that they can be tested."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def lowest_bounds() -> list[str]:
    """Each direct dependency at its lower bound, and any fix of it: 1.18 is 1.18.*."""
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    wanted = [Requirement(r) for rs in (project["dependencies"], *extras) for r in rs]
    return sorted(
        f"{each.name}=={bound.version}" + ".*" * (bound.version.count(".") < 2)
        for each in wanted
        for bound in each.specifier
        if bound.operator == ">="
    )


if __name__ == "__main__":
    print("\n".join(lowest_bounds()))
