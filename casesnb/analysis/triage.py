"""Which cases to look at: how surprising each is among its like, and why."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import narwhals as nw
import numpy as np

from casesnb.analysis.checks import findings
from casesnb.analysis.closing import CLOSED, closed_values
from casesnb.analysis.durations import hours_text
from casesnb.analysis.flow import handoffs, reopens, steps_of
from casesnb.analysis.spells import begun, spells
from casesnb.analysis.uncertainty import Curve
from casesnb.tables.arguments import need_history
from casesnb.tables.certificate import counted
from casesnb.tables.frames import (
    as_given,
    as_of_of,
    handed_back,
    opened,
    rows_like,
    rows_of,
    up_to,
)
from casesnb.tables.schema import CHANGES, EVENTS, OF_CASE, TEXT, Column, Table

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from narwhals.typing import IntoFrameT

    from casesnb.analysis.checks import Rule
    from casesnb.analysis.uncertainty import Numbers
    from casesnb.tables.history import History

    Reasons = Iterator[tuple[tuple[Any, Any], "_Reason"]]

TRIAGE = Table(
    "triage",
    "One row per case to look at, the most surprising first, with the reasons.",
    (
        Column("rank", "int64", "its place, from 1"),
        *OF_CASE,
        Column("score", "float64", "bits of surprise, those of its reasons together"),
        Column("n_reasons", "int64", "how many reasons"),
        Column("reasons", TEXT, "why, in words, the weightiest first, `;` between two"),
        Column("event_ids", TEXT, "the events that show it, a space between two"),
    ),
)

Key = tuple[Any, Any]

_CASE = ("domain_id", "case_id")
_LIKE = 30  # cases at least that others are compared with
_RARE = 0.15  # what more cases do is no reason
_LONG = 0.5  # what a bit of a duration counts
_INFO = 0.5  # what a bit of a finding counts that is good to know
_CITED = 6  # events of a reason


class _Reason(NamedTuple):
    """Why a case is surprising."""

    bits: float
    words: str
    event_ids: tuple[str, ...]


def triage(
    history: History[IntoFrameT],
    /,
    *,
    top: int = 20,
    cases: IntoFrameT | None = None,
    rules: Iterable[str | Rule] | None = None,
    closed: str | Sequence[str] = CLOSED,
    as_of: dt.datetime | None = None,
) -> IntoFrameT:
    """One row per case to look at, the most surprising first, with the reasons.

    A case is compared with its like: those of its template and about its age.
    What few of them do is a reason, and weighs as many bits as it is rare: one
    in eight weighs three. Durations weigh half, for some case is always the
    longest. The same history gives the same list.

    Parameters
    ----------
    history : History
        Many cases, with frames of pandas, Polars, DuckDB or PySpark.
    top : int, default 20
        How many cases at most. Cases without a reason are never listed.
    cases : DataFrame, optional
        One row per case with ``template_id``, as `load_cases` gives it, in the
        same kind of frame; without it templates are not told apart.
    rules : iterable of Rule or str, optional
        The rules of `findings` to ask; by default all.
    closed : str or sequence of str, default "closed"
        The statuses that mean closed, in small letters or capitals.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when it was read.

    Returns
    -------
    DataFrame
        The columns of ``schema.TRIAGE``, by rank, in the kind of frame that the
        history holds.

    Raises
    ------
    TypeError
        If it is not given a History.
    ValueError
        If `top` is below 1.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> domain_id = world.showcase[0]
    >>> ids = list(world.case_ids(domain_id))
    >>> history = cn.load_histories(cn.connect(world), domain_id, ids)
    >>> look = triage(history, top=3)
    >>> look["rank"].tolist()
    [1, 2, 3]
    """
    need_history(history)
    if top < 1:
        raise ValueError(f"top={top} lists nothing. Give 1 or more.")
    as_of = as_of_of(history, as_of)
    values = closed_values(history, closed)
    kin = _Kin(_events_of(history, as_of), cases, as_of)
    found: dict[Key, list[_Reason]] = defaultdict(list)
    if kin.cases:
        for reasons in (
            _moves(history, kin, as_of),
            _long(history, kin, values, as_of),
            _passed(history, kin, as_of),
            _reopened(history, kin, values, as_of),
            _found(history, kin, rules, values, as_of),
            _unnamed(kin),
        ):
            for key, reason in reasons:
                if key in kin.cases:
                    found[key].append(reason)
    ranked = sorted(
        ((key, sorted(each, key=_weight)) for key, each in found.items()),
        key=lambda pair: (-_score(pair[1]), str(pair[0])),
    )
    rows = [
        {
            "rank": rank,
            "domain_id": key[0],
            "case_id": key[1],
            "score": _score(reasons),
            "n_reasons": len(reasons),
            "reasons": "; ".join(reason.words for reason in reasons),
            "event_ids": " ".join(
                dict.fromkeys(i for reason in reasons for i in reason.event_ids)
            ),
        }
        for rank, (key, reasons) in enumerate(ranked[:top], 1)
    ]
    found = rows_like(rows, TRIAGE, as_given(history, CHANGES))
    return handed_back(found, history, ("rank",), TRIAGE.names)


def _weight(reason: _Reason) -> tuple[float, str]:
    return -reason.bits, reason.words


def _score(reasons: Sequence[_Reason]) -> float:
    return round(math.fsum(reason.bits for reason in reasons), 9)


def _events_of(history: Any, as_of: dt.datetime | None) -> list[dict[str, Any]]:
    """Return each case's beginning, its last event, and how many name nobody."""
    (events,) = up_to(as_of, opened(history, EVENTS))
    is_unnamed = (nw.col("actor_kind") == "unknown").fill_null(True)
    frame = events.select(
        *_CASE,
        "performed_at",
        unnamed=is_unnamed.cast(nw.Int64),
        nobodys=nw.when(is_unnamed).then("event_id"),
    )
    frame = frame.group_by(*_CASE).agg(
        first_at=nw.col("performed_at").min(),
        last_at=nw.col("performed_at").max(),
        n_unnamed=nw.col("unnamed").sum(),
        nobodys=nw.col("nobodys").min(),
    )
    return rows_of(frame)


class _Kin:
    """The cases, and with which of them each is compared."""

    def __init__(
        self, rows: list[dict[str, Any]], told: object, as_of: dt.datetime | None
    ) -> None:
        self.cases = {
            _key(row): row for row in sorted(rows, key=lambda r: str(_key(r)))
        }
        self.as_of = as_of or max((row["last_at"] for row in rows), default=None)
        self.template: dict[Key, Any] = {}
        if told is not None:
            frame = opened(told).select(*_CASE, "template_id")
            self.template = {_key(row): row["template_id"] for row in rows_of(frame)}
        born = sorted(row["first_at"] for row in rows)
        thirds = [born[len(born) * n // 3] for n in (1, 2)] if born else []
        names: dict[Key, list[Any]] = {}
        members: dict[Any, list[Key]] = defaultdict(list)
        for key, row in self.cases.items():
            age = sum(row["first_at"] >= border for border in thirds)
            template = self.template.get(key)
            names[key] = [(template, age), (template,), ()]
            for name in names[key]:
                members[name].append(key)
        self._members = members
        self._group = {
            key: next(n for n in several if not n or len(members[n]) >= _LIKE)
            for key, several in names.items()
        }

    def rare(
        self, of_case: Mapping[Key, float]
    ) -> Iterator[tuple[Key, float, int, int]]:
        """Yield each case with as much as few of its like have: bits, how few, of all."""
        sorted_: dict[Any, Numbers] = {}
        for key, value in of_case.items():
            group = self._group.get(key)
            if group is None or not value:
                continue
            if group not in sorted_:
                several = [of_case.get(each, 0) for each in self._members[group]]
                sorted_[group] = np.sort(np.array(several, dtype=float))
            values = sorted_[group]
            n_such = len(values) - int(np.searchsorted(values, value))
            if n_such <= _RARE * len(values):
                yield key, _bits(n_such, len(values)), n_such, len(values)


def _bits(n_such: float, n: int) -> float:
    return -math.log2((n_such + 0.5) / (n + 1))


def _key(row: Mapping[str, Any]) -> Key:
    return row["domain_id"], row["case_id"]


def _so_did(n_such: int, n: int) -> str:
    return f"{n_such:,} of {n:,} like it"


def _several(
    kin: _Kin, events: Mapping[Key, list[str]], one: str, many: str
) -> Reasons:
    """Yield what is rare by how often it was done, citing the events."""
    counts = {key: len(ids) for key, ids in events.items()}
    for key, bits, n_such, n in kin.rare(counts):
        n_times = counts[key]
        words = one if n_times == 1 else many.format(n_times)
        words = f"{words} ({_so_did(n_such, n)})"
        yield key, _Reason(bits, words, tuple(events[key][:_CITED]))


def _cited(rows: Iterable[Mapping[str, Any]], name: str) -> dict[Key, list[str]]:
    """Return each case's event ids, in their order."""
    found: dict[Key, list[str]] = defaultdict(list)
    for row in rows:
        found[_key(row)].append(row[name])
    return found


def _moves(history: Any, kin: _Kin, as_of: dt.datetime | None) -> Reasons:
    """Yield the rarest move of each case between two statuses."""
    moves = steps_of(begun(history, "status", as_of=as_of))
    moves = moves.told(*_CASE, "sequence", "slot", "event_id")
    frame = moves.frame.select(
        *_CASE, "from_value", "to_value", "event_id", "sequence", "slot"
    )
    done: dict[Any, dict[Key, str]] = defaultdict(dict)
    for row in sorted(rows_of(frame), key=lambda r: (r["sequence"], r["slot"])):
        done[row["from_value"], row["to_value"]].setdefault(_key(row), row["event_id"])
    rarest: dict[Key, _Reason] = {}
    for (start, end), by_case in sorted(done.items(), key=str):
        for key, bits, n_such, n in kin.rare(dict.fromkeys(by_case, 1.0)):
            if key not in rarest or bits > rarest[key].bits:
                words = f"went {start or '(empty)'} → {end or '(empty)'}"
                words = f"{words} ({_so_did(n_such, n)})"
                rarest[key] = _Reason(bits * _LONG, words, (by_case[key],))
    yield from rarest.items()


def _long(
    history: Any, kin: _Kin, closed: Sequence[str], as_of: dt.datetime | None
) -> Reasons:
    """Yield each case's longest stay, and its silence, by what share last so long."""
    frame = opened(spells(history, "status", as_of=as_of)).select(
        *_CASE, "kind", "value", "start_at", "hours", "is_open", "event_id"
    )
    frame = frame.filter(~nw.col("kind").is_null())
    rows = sorted(
        (row for row in rows_of(frame) if str(row["value"]).lower() not in closed),
        key=lambda row: (str(_key(row)), str(row["start_at"])),
    )
    told = [row for row in rows if row["hours"] is not None]
    by_value: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in told:
        by_value[row["value"]].append(row)
    n_spells = Counter(_key(row) for row in told)
    best: dict[Key, tuple[float, dict[str, Any], float]] = {}
    for _, several in sorted(by_value.items(), key=str):
        hours = np.array([row["hours"] for row in several])
        ended = np.array([not row["is_open"] for row in several])
        for row, share in zip(several, _lasting(hours, ended), strict=True):
            # The more often a case stays, the longer is its longest stay.
            chance = 1 - (1 - share) ** n_spells[_key(row)]
            known = best.get(_key(row))
            if known is None or chance < known[0]:
                best[_key(row)] = (chance, row, share)
    for key, (chance, row, share) in best.items():
        if chance <= _RARE / 3:
            bits = -math.log2(max(chance, 1 / (len(told) + 1)))
            words = (
                f"{hours_text(row['hours'])} in {row['value'] or '(empty)'}, as long as "
                f"{max(share, 1 / len(told)):.1%} of such stays"
            )
            ids = (row["event_id"],) if row["event_id"] else ()
            yield key, _Reason(bits * _LONG, words, ids)
    now = {_key(row) for row in rows if row["is_open"]} & kin.cases.keys()
    quiet = {
        key: (kin.as_of - kin.cases[key]["last_at"]).total_seconds() / 3600
        for key in sorted(now, key=str)
    }
    lengths = np.sort(np.array([*quiet.values()]))
    for key, hours_ in quiet.items():
        n_such = len(lengths) - int(np.searchsorted(lengths, hours_))
        if n_such <= _RARE / 3 * len(lengths):
            bits = _bits(n_such, len(lengths)) * _LONG
            words = f"nothing done for {hours_text(hours_)}, while not closed"
            words = f"{words} ({n_such:,} of {len(lengths):,} that are not)"
            yield key, _Reason(bits, words, ())


def _lasting(hours: Numbers, ended: Numbers) -> Numbers:
    """Return what share of stays last at least as long, by Kaplan and Meier."""
    curve = Curve(hours, ended, np.zeros(len(hours), int))
    (after,) = curve.shares(np.ones((1, 1)))
    lasts = np.concatenate([[1.0], after[:-1]])
    shares: Numbers = lasts[np.searchsorted(curve.times, hours)]
    return shares


def _passed(history: Any, kin: _Kin, as_of: dt.datetime | None) -> Reasons:
    """Yield cases that were passed back to the holder before last."""
    rows = rows_of(
        opened(handoffs(history, as_of=as_of)).filter(nw.col("is_ping_pong"))
    )
    rows.sort(key=lambda row: (str(row["at"]), str(row["event_id"])))
    yield from _several(
        kin,
        _cited(rows, "event_id"),
        "passed back to the holder before last",
        "passed back to the holder before last {} times",
    )


def _reopened(
    history: Any, kin: _Kin, closed: Sequence[str], as_of: dt.datetime | None
) -> Reasons:
    """Yield cases that were opened again."""
    rows = rows_of(opened(reopens(history, closed=closed, as_of=as_of)))
    rows.sort(key=lambda row: (str(row["reopened_at"]), str(row["event_id"])))
    yield from _several(
        kin, _cited(rows, "event_id"), "opened again", "opened again {} times"
    )


def _found(
    history: Any,
    kin: _Kin,
    rules: Any,
    closed: Sequence[str],
    as_of: dt.datetime | None,
) -> Reasons:
    """Yield what a rule finds in few cases."""
    frame = opened(findings(history, rules=rules, closed=closed, as_of=as_of))
    frame = frame.filter(nw.col("verdict") == "found")
    columns = (*_CASE, "rule", "severity", "event_ids", "message", "found_at")
    by_rule: dict[Any, dict[Key, list[dict[str, Any]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    rows = rows_of(frame.select(*columns))
    rows.sort(key=lambda row: (str(row["found_at"]), str(row["event_ids"])))
    for row in rows:
        by_rule[row["rule"], row["severity"]][_key(row)].append(row)
    for (rule, severity), by_case in sorted(by_rule.items(), key=str):
        for key, bits, n_such, n in kin.rare(dict.fromkeys(by_case, 1.0)):
            several = by_case[key]
            first = str(several[0]["message"]).replace("; ", ", ")
            others = counted(len(several) - 1, "more finding")
            more = f", and {others}" if len(several) > 1 else ""
            words = f"{rule}: {first}{more} ({_so_did(n_such, n)})"
            ids = [i for row in several for i in (row["event_ids"] or "").split()]
            weight = _INFO if severity == "info" else 1.0
            yield key, _Reason(bits * weight, words, tuple(ids[:_CITED]))


def _unnamed(kin: _Kin) -> Reasons:
    """Yield cases with events whose doer AWS does not name."""
    counts = {key: float(row["n_unnamed"]) for key, row in kin.cases.items()}
    for key, bits, n_such, n in kin.rare(counts):
        row = kin.cases[key]
        words = f"AWS names nobody for {counted(int(row['n_unnamed']), 'event')}"
        words = f"{words} ({_so_did(n_such, n)})"
        yield key, _Reason(bits * _INFO, words, (row["nobodys"],))
