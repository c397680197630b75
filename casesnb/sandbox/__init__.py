"""A simulated Cases service whose truth is known."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from casesnb.sandbox.faults import FAULTS as FAULTS
    from casesnb.sandbox.faults import Fault as Fault
    from casesnb.sandbox.faults import Faulty as Faulty
    from casesnb.sandbox.rates import Rates as Rates
    from casesnb.sandbox.server import SandboxServer as SandboxServer
    from casesnb.sandbox.world import World as World

# A module is imported when its name is first used.
_HOME = {
    "FAULTS": "faults",
    "Fault": "faults",
    "Faulty": "faults",
    "Rates": "rates",
    "SandboxServer": "server",
    "World": "world",
}

__all__ = ["FAULTS", "Fault", "Faulty", "Rates", "SandboxServer", "World"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'casesnb.sandbox' has no attribute {name!r}")
    value = getattr(import_module(f"casesnb.sandbox.{_HOME[name]}"), name)
    globals()[name] = value
    return value
