"""How complete a load is: `Certificate`, which travels with every `History`."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

VERDICTS = ("complete", "complete_but", "partial")
"""Whole; whole, with something to know first; not whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What was loaded, from whom, and whether it is the whole history.

    Parameters
    ----------
    verdict : str
        ``complete``, ``complete_but`` or ``partial``.
    reasons : tuple of str
        Why it is not simply complete.
    domain_id : str
        The domain.
    n_cases : int
        Cases loaded whole.
    empty_cases : tuple of str
        Those of them whose history holds no event: no table tells of them.
    n_pages : int
        Pages read.
    n_events : int
        Events in the tables.
    n_changes : int
        Field changes in the tables.
    n_nulls : int
        Null items and members that the service sent, skipped.
    n_duplicates : int
        Events that came twice, dropped once.
    n_unknowns : int
        Things casesnb does not know, kept as they came.
    n_ties : int
        Events whose order among others of the same instant is undecided.
    n_tokens : int
        Page tokens followed.
    order_seen : str
        How the pages ran: ``newest first``, ``oldest first``, ``mixed`` or
        ``not told``.
    n_retries : int
        How often a request was sent again.
    n_throttles : int
        How often the service said that we ask too fast.
    first_event_at : datetime or None
        The oldest event, UTC.
    last_event_at : datetime or None
        The newest event, UTC.
    has_creation : bool
        Every case's history holds its ``Case.Created``.
    reached_end : bool
        Every case's last page was reached.
    fetched_at : datetime
        When the last page was answered, UTC, by the service's own clock.
    sha256 : str
        Over the raw pages in the order they came; over the cases' own hashes,
        in the order asked and those without an event last, where there are
        several.
    source : str
        Who answered.
    boto3_version : str
        The boto3 that asked.
    casesnb_version : str
        The casesnb that read the answers.
    """

    verdict: str
    reasons: tuple[str, ...]
    domain_id: str
    n_cases: int
    empty_cases: tuple[str, ...]
    n_pages: int
    n_events: int
    n_changes: int
    n_nulls: int
    n_duplicates: int
    n_unknowns: int
    n_ties: int
    n_tokens: int
    order_seen: str
    n_retries: int
    n_throttles: int
    first_event_at: dt.datetime | None
    last_event_at: dt.datetime | None
    has_creation: bool
    reached_end: bool
    fetched_at: dt.datetime
    sha256: str
    source: str
    boto3_version: str
    casesnb_version: str

    def __str__(self) -> str:
        """Say it in one line."""
        verdict = self.verdict.replace("_", ", ") if self.reasons else self.verdict
        why = f": {'; '.join(self.reasons)}" if self.reasons else ""
        line = (
            f"{verdict}{why} ({counted(self.n_events, 'event')}, "
            f"{counted(self.n_changes, 'change')}, {counted(self.n_cases, 'case')}, "
            f"{counted(self.n_pages, 'page')}, read {self.fetched_at:%Y-%m-%d %H:%M:%S} UTC "
            f"from {self.source}, sha256 {self.sha256[:12]})"
        )
        # What AWS named is in it: a terminal must not obey its control characters.
        return line if line.isprintable() else repr(line)[1:-1]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-like values, for ``DataFrame.attrs`` and Parquet.

        Returns
        -------
        dict
            Times as ISO 8601 text, the reasons as a list.
        """
        return {
            name: value.isoformat()
            if isinstance(value, dt.datetime)
            else list(value)
            if isinstance(value, tuple)
            else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Certificate:
        """Return the certificate that `to_dict` wrote.

        Parameters
        ----------
        values : Mapping
            What `to_dict` returned, or what JSON made of it.

        Returns
        -------
        Certificate
            Equal to the one written.

        Raises
        ------
        ValueError
            If members are missing or unknown.
        """
        names = {field.name for field in fields(cls)}
        if values.keys() != names:
            odd = ", ".join(sorted(values.keys() ^ names))
            raise ValueError(
                f"This is not a certificate of this casesnb: {odd} differ. Load the "
                "history again, or read it with the casesnb that wrote it."
            )
        plain = dict(values)
        for name in ("first_event_at", "last_event_at", "fetched_at"):
            if plain[name] is not None:
                plain[name] = dt.datetime.fromisoformat(plain[name])
        for name in ("reasons", "empty_cases"):
            plain[name] = tuple(plain[name])
        return cls(**plain)


def counted(n: int, noun: str) -> str:
    """Return a number and what it counts, in the singular for one."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
