"""What the service asks of whoever knows the cases: a `World`, or one like it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from casesnb.sandbox.case_life import Life
    from casesnb.sandbox.contact_centre import Domain


class Source(Protocol):
    """The cases that a service answers from, as they stand at one moment."""

    seed: int

    @property
    def now(self) -> datetime:
        """When the cases are looked at."""

    @property
    def provenance(self) -> dict[str, Any]:
        """Where answers come from, for manifests."""

    @property
    def domains(self) -> tuple[Domain, ...]:
        """The contact centres."""

    def domain(self, domain_id: str) -> Domain:
        """Return a contact centre; KeyError if there is none."""

    def case_ids(self, domain_id: str | None = None) -> Iterator[str]:
        """Yield the cases that exist by now."""

    def find(self, case_id: str) -> Life | None:
        """Return a case's life, or None if there is none by now."""

    def life(self, case_id: str) -> Life:
        """Return a case's life; KeyError if there is none by now."""
