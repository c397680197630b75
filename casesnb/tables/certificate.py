"""How complete a load is: `Certificate`, which travels with every `History`."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from casesnb.tables.schema import CAPTURES, TIME, UNLOADED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from casesnb.tables.schema import Table

VERDICTS = ("complete", "complete_but", "partial", "not_certified")
"""Whole; whole, with something to know first; not whole; nobody knows."""

_SKEW = dt.timedelta(minutes=5)  # by which two clocks of a service may differ


@dataclass(frozen=True, slots=True)
class Content:
    """What the tables of a history say of it, whatever its pages say."""

    n_breaks: int  # old values that no event before them explains
    n_late_starts: int  # cases whose creation is not told
    n_ties: int  # events of one instant whose order is not known
    n_future: int  # events later than their reading
    n_conflicts: int  # event ids that came twice with different content

    def __str__(self) -> str:
        found = (
            (self.n_breaks, "break", ""),
            (self.n_late_starts, "case", " without a beginning"),
            (self.n_ties, "event", " in undecided order"),
            (self.n_future, "event", " later than the reading"),
            (self.n_conflicts, "event", " told in two ways"),
        )
        said = [f"{counted(n, noun)}{what}" for n, noun, what in found if n]
        if not said:
            return "no contradiction in its content"
        return ", ".join(said)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Certificate:
    """What was loaded, from whom, and whether it is the whole history.

    A `History` makes it; every number in it is that of the cases it holds.

    Parameters
    ----------
    captures : DataFrame
        One row per case loaded, with what came for it: ``schema.CAPTURES``.
    unloaded : DataFrame
        One row per case that could not be loaded: ``schema.UNLOADED``.
    ended_by : str, default ""
        What ended the load early.
    n_left_out : int, default 0
        Cases that were loaded and left out since.
    contradictions : tuple of str
        What parts that were joined tell differently.
    redacted : Mapping, optional
        The policy under which all of it is pseudonyms, and the fingerprint of the
        key. Each capture's ``sha256`` is then the original's under that key.

    Attributes
    ----------
    verdict : str
        ``complete``, ``complete_but``, ``partial`` or ``not_certified``.
    reasons : tuple of str
        Why it is not simply complete.
    content : Content or None
        What the tables themselves say: breaks, beginnings, ties.
    as_of : datetime or None
        The moment up to which the history tells, UTC.
    """

    captures: pd.DataFrame
    unloaded: pd.DataFrame = field(default_factory=UNLOADED.empty)
    ended_by: str = ""
    n_left_out: int = 0
    contradictions: tuple[str, ...] = ()
    redacted: Mapping[str, Any] | None = None
    # Asked for when somebody looks: it takes a pass over every change.
    _content: Callable[[], Content] | None = field(init=False, default=None)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Certificate):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(self.sha256)

    # ----------------------------------------------------------- what it counts

    @property
    def domain_id(self) -> str:
        """The domain; several with a comma between them."""
        return ", ".join(self._named("domain_id"))

    @property
    def n_cases(self) -> int:
        """Cases loaded whole, or as far as ``reasons`` says."""
        return len(self.captures)

    @property
    def empty_cases(self) -> tuple[str, ...]:
        """Those of them whose history holds no event: no table tells of them."""
        return tuple(self.captures.loc[self.captures["n_events"] == 0, "case_id"])

    @property
    def n_pages(self) -> int:
        """Pages read."""
        return self._sum("n_pages")

    @property
    def n_events(self) -> int:
        """Events in the tables."""
        return self._sum("n_events")

    @property
    def n_changes(self) -> int:
        """Field changes in the tables."""
        return self._sum("n_changes")

    @property
    def n_nulls(self) -> int:
        """Null items and members that the service sent, skipped."""
        return self._sum("n_nulls")

    @property
    def n_duplicates(self) -> int:
        """Events that came twice, dropped once."""
        return self._sum("n_duplicates")

    @property
    def n_unknowns(self) -> int:
        """Things casesnb does not know, kept as they came."""
        return self._unknowns().total()

    @property
    def n_ties(self) -> int:
        """Events whose order among others of the same instant is undecided."""
        return self._sum("n_ties")

    @property
    def n_tokens(self) -> int:
        """Page tokens followed."""
        return self._sum("n_tokens")

    @property
    def order_seen(self) -> str:
        """How the pages ran: newest or oldest first, ``mixed`` or ``not told``."""
        told = {*self._named("order_seen")} - {"not told"}
        return told.pop() if len(told) == 1 else "mixed" if told else "not told"

    @property
    def n_retries(self) -> int:
        """How often a request was sent again."""
        return self._sum("n_retries")

    @property
    def n_throttles(self) -> int:
        """How often the service said that we ask too fast."""
        return self._sum("n_throttles")

    @property
    def first_event_at(self) -> dt.datetime | None:
        """The oldest event, UTC."""
        return _moment(self.captures["first_event_at"].min())

    @property
    def last_event_at(self) -> dt.datetime | None:
        """The newest event, UTC."""
        return _moment(self.captures["last_event_at"].max())

    @property
    def has_creation(self) -> bool:
        """Every case's history holds its ``Case.Created``."""
        return bool(self.captures["has_creation"].all())

    @property
    def reached_end(self) -> bool:
        """Every case's last page was reached."""
        whole = self.captures["reached_end"].all() and not self.ended_by
        return bool(whole) and self.unloaded.empty

    @property
    def fetched_at(self) -> dt.datetime | None:
        """When the last page was answered, UTC, by the service's own clock."""
        return _moment(self.captures["fetched_at"].max())

    @property
    def as_of(self) -> dt.datetime | None:
        """The moment up to which the history tells, UTC.

        That is when it was read, or where it was cut. The newest event counts
        where the service's clocks differ by a few seconds.
        """
        read, last = self.fetched_at, self.last_event_at
        if read is not None and last is not None and read < last <= read + _SKEW:
            read = last
        ends = self.captures["end_at"]
        if read is None or ends.isna().any() or ends.empty:
            return read
        cut = _moment(ends.max())
        return read if cut is None else min(read, cut)

    @property
    def sha256(self) -> str:
        """Over the raw pages; over the cases' own hashes where there are several.

        The order of the cases does not count.
        """
        digests = sorted(self.captures["sha256"].tolist())
        if len(digests) == 1:
            return str(digests[0])
        return hashlib.sha256("".join(digests).encode()).hexdigest()

    @property
    def source(self) -> str:
        """Who answered."""
        return ", ".join(self._named("source"))

    @property
    def boto3_version(self) -> str:
        """The boto3 that asked."""
        return ", ".join(self._named("boto3_version"))

    @property
    def casesnb_version(self) -> str:
        """The casesnb that read the answers."""
        return ", ".join(self._named("casesnb_version"))

    @property
    def verdict(self) -> str:
        """``complete``, ``complete_but``, ``partial`` or ``not_certified``."""
        if not self.captures["n_pages"].all():  # frames of nobody knows where
            return "not_certified"
        if [*self._shortfalls()]:
            return "partial"
        return "complete_but" if [*self._caveats()] else "complete"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not simply complete."""
        return (*self._shortfalls(), *self._caveats())

    @property
    def content(self) -> Content | None:
        """What the tables say of themselves; None for a certificate without any."""
        return None if self._content is None else self._content()

    @property
    def standing(self) -> str:
        """The verdict, the reasons, what was left out and the content, in words."""
        verdict = self.verdict.replace("_", " ")
        if self.reasons and self.verdict == "complete_but":
            verdict = "complete, but"
        why = f": {'; '.join(self.reasons)}" if self.reasons else ""
        parts = [f"{verdict}{why}"]
        if self.n_left_out:
            loaded = self.n_cases + self.n_left_out
            parts.append(f"cut to {self.n_cases:,} of {loaded:,} cases")
        if self.content is not None:
            parts.append(str(self.content))
        if self.redacted is not None:
            parts.append(f"redacted under key {self.redacted.get('key')}")
        return " · ".join(parts)

    def _shortfalls(self) -> Iterator[str]:
        """Say what makes it partial."""
        if self.ended_by:
            yield self.ended_by
        if n_unloaded := len(self.unloaded):
            asked = f"{n_unloaded} of {n_unloaded + self.n_cases} cases"
            if self.ended_by:  # which says of how many
                asked = counted(n_unloaded, "case")
            yield f"{asked} could not be loaded"
        short = int((~self.captures["reached_end"]).sum())
        if short and not self.ended_by:
            yield f"{counted(short, 'case')} without the last page"
        yield from self._cuts()
        if not (self.n_cases or self.unloaded.size or self.ended_by):
            yield "no case was asked for"

    def _cuts(self) -> Iterator[str]:
        """Say between which moments the events are, where they were cut."""
        cuts = self.captures[["start_at", "end_at"]].drop_duplicates()
        for start, end in cuts.itertuples(index=False):
            since = "" if pd.isna(start) else f" from {start:%Y-%m-%d %H:%M}"
            until = "" if pd.isna(end) else f" before {end:%Y-%m-%d %H:%M}"
            if since or until:
                yield f"cut to events{since}{until}"

    def _caveats(self) -> Iterator[str]:
        """Say what to know first of what is whole."""
        n_without = int((~self.captures["has_creation"]).sum())
        if n_without and self.captures["start_at"].isna().all():
            which = (
                "the case" if self.n_cases == 1 else f"{n_without} of {self.n_cases}"
            )
            which += "" if self.n_cases == 1 else " cases"
            yield f"no Case.Created for {which}, so the beginning may be missing"
        if self.n_nulls:
            yield f"{counted(self.n_nulls, 'null')} skipped"
        if self.n_duplicates:
            yield f"{counted(self.n_duplicates, 'event')} came twice, kept once"
        if unknowns := self._unknowns():
            named = ", ".join(f"{name} ({n})" for name, n in sorted(unknowns.items()))
            yield f"unknown to casesnb, kept as they came: {named}"
        if self.order_seen == "mixed":
            yield "pages in no order of time, put in order by time"
        yield from self.contradictions

    def __str__(self) -> str:
        """Say it in one line."""
        read = self.fetched_at
        verb = "told up to" if self.verdict == "not_certified" else "read"
        when = "" if read is None else f", {verb} {read:%Y-%m-%d %H:%M:%S} UTC"
        source = f" from {self.source}" if self.source else ""
        line = (
            f"{self.standing} ({counted(self.n_events, 'event')}, "
            f"{counted(self.n_changes, 'change')}, {counted(self.n_cases, 'case')}, "
            f"{counted(self.n_pages, 'page')}{when}{source}, "
            f"sha256 {self.sha256[:12]})"
        )
        # What AWS named is in it: a terminal must not obey its control characters.
        return line if line.isprintable() else repr(line)[1:-1]

    def __repr__(self) -> str:
        return f"Certificate: {self}"

    # ------------------------------------------------------------------ as data

    def summary(self) -> dict[str, Any]:
        """Return what it says of all cases together, as JSON-like values.

        Returns
        -------
        dict
            Times as ISO 8601 text, the reasons as a list.
        """
        content = self.content
        return {name: _plain(getattr(self, name)) for name in _SUMMED} | {
            "content": None if content is None else str(content)
        }

    def to_dict(self, *, with_tables: bool = True) -> dict[str, Any]:
        """Return all of it as JSON-like values.

        Parameters
        ----------
        with_tables : bool, default True
            Each case's capture among them, and each case not loaded.

        Returns
        -------
        dict
            Times as ISO 8601 text, tables as lists of rows.
        """
        content = self.content
        told = {name: _plain(getattr(self, name)) for name in _OWN}
        told["content"] = None if content is None else asdict(content)
        if self.redacted is not None:
            told["redacted"] = dict(self.redacted)
        if with_tables:
            told["captures"] = _rows(self.captures)
            told["unloaded"] = _rows(self.unloaded)
        return told

    @classmethod
    def from_dict(
        cls,
        values: Mapping[str, Any],
        captures: pd.DataFrame | None = None,
        unloaded: pd.DataFrame | None = None,
    ) -> Certificate:
        """Return the certificate that `to_dict` wrote.

        Parameters
        ----------
        values : Mapping
            What `to_dict` returned, or what JSON made of it.
        captures : DataFrame, optional
            ``schema.CAPTURES``, where it was written without tables.
        unloaded : DataFrame, optional
            ``schema.UNLOADED``, where it was written without tables.

        Returns
        -------
        Certificate
            Equal to the one written.

        Raises
        ------
        ValueError
            If members are missing, unknown or of another type.
        """
        tables = set() if captures is not None else {"captures", "unloaded"}
        try:
            names = {*_OWN, "content", *tables}
            if odd := (values.keys() - {"redacted"}) ^ names:
                raise ValueError(f"{', '.join(sorted(map(str, odd)))} differ")
            if captures is None:
                captures = _frame(CAPTURES, values["captures"])
                unloaded = _frame(UNLOADED, values["unloaded"])
            content, redacted = values["content"], values.get("redacted")
            told = None if content is None else Content(**content)
            found = cls(
                captures=captures,
                unloaded=UNLOADED.empty() if unloaded is None else unloaded,
                ended_by=str(values["ended_by"]),
                n_left_out=int(values["n_left_out"]),
                contradictions=tuple(map(str, values["contradictions"])),
                redacted=None if redacted is None else dict(redacted),
            )
            return found if told is None else found.with_content(lambda: told)
        except (
            AttributeError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            raise ValueError(
                f"This is not a certificate of this casesnb ({error}). Load the "
                "history again, or read it with the casesnb that wrote it."
            ) from error

    def with_content(self, content: Callable[[], Content]) -> Certificate:
        """Return the same certificate beside what tables say.

        Parameters
        ----------
        content : callable
            Gives what the tables say when it is asked for.

        Returns
        -------
        Certificate
            A new one.
        """
        made = replace(self)
        object.__setattr__(made, "_content", content)
        return made

    def _sum(self, name: str) -> int:
        return int(self.captures[name].sum())

    def _named(self, name: str) -> list[str]:
        return [*self.captures[name].dropna().astype(str).unique()]

    def _unknowns(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for told in self.captures["unknowns"].dropna():
            found.update(json.loads(told))
        return found


_OWN = ("ended_by", "n_left_out", "contradictions")
_SUMMED = (
    "verdict",
    "reasons",
    "domain_id",
    "n_cases",
    "empty_cases",
    "n_pages",
    "n_events",
    "n_changes",
    "n_nulls",
    "n_duplicates",
    "n_unknowns",
    "n_ties",
    "n_tokens",
    "order_seen",
    "n_retries",
    "n_throttles",
    "first_event_at",
    "last_event_at",
    "has_creation",
    "reached_end",
    "fetched_at",
    "as_of",
    "sha256",
    "source",
    "boto3_version",
    "casesnb_version",
)


def counted(n: int, noun: str) -> str:
    """Return a number and what it counts, in the singular for one."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def case_keys(frame: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Return the domain and the id of the case of each row."""
    return zip(frame["domain_id"], frame["case_id"], strict=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as JSON has them."""
    rows: list[dict[str, Any]] = []
    for row in frame.to_dict("records"):
        told = {
            str(name): None if value != value else value for name, value in row.items()
        }
        rows.append({name: _plain(value) for name, value in told.items()})
    return rows


def _frame(table: Table, rows: Any) -> pd.DataFrame:
    """Return rows of JSON as the table that they were."""
    frame = pd.DataFrame([*rows], columns=table.names)
    for column in table.columns:
        if column.dtype == TIME:
            frame[column.name] = pd.to_datetime(
                frame[column.name], utc=True, format="ISO8601"
            )
    return table.cast(frame)


def _moment(value: Any) -> dt.datetime | None:
    return None if pd.isna(value) else value.to_pydatetime().astimezone(dt.UTC)
