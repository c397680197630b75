"""A declared flow: which moves of cases it does not allow, and what they skipped."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import narwhals as nw

from casesnb.analysis.spells import begun, living, replaced
from casesnb.tables.arguments import need_spelled
from casesnb.tables.field_chain import differs, field_ids_of
from casesnb.tables.frames import (
    NO_TEXT,
    as_given,
    as_of_of,
    handed_back,
    instant,
    is_history,
    rows_of,
    stacked,
    table_of,
    texts,
    up_to,
)
from casesnb.tables.keys import looked_up, summed_by, with_numbers
from casesnb.tables.schema import (
    BY,
    CHAIN,
    CHANGES,
    EVENTS,
    OF_FIELD,
    TEXT,
    TIME,
    Column,
    Table,
)

if TYPE_CHECKING:
    import datetime as dt

    from narwhals.typing import IntoFrame, IntoFrameT

    from casesnb.tables.history import History

CONFORMANCE = Table(
    "conformance",
    "One row per move that a flow does not allow, or per case that was not checkable.",
    (
        *OF_FIELD,
        Column("verdict", TEXT, "`not_allowed` or `not_checkable`"),
        Column("at", TIME, "when; missing if not checkable"),
        Column("from_value", TEXT, "the value before; missing for none"),
        Column("to_value", TEXT, "the value after; missing for none"),
        Column("n_skipped", "int64", "steps of the shortest allowed way left out"),
        Column("skipped", TEXT, "those steps in order, `→` between them"),
        *BY,
        Column("message", TEXT, "what was found, or why it cannot be checked"),
    ),
)

_CASE = ("domain_id", "case_id")
_ARROW = re.compile(r"\s*(?:→|[-=]+>)\s*")
_BEGIN = ""  # what a case has before its first value
Flow = Mapping[Any, Iterable[str]] | str


def conformance(
    history: History[IntoFrameT] | IntoFrameT,
    /,
    flow: Flow,
    *,
    field_id: str = "status",
    start: str | Iterable[str] | None = None,
    as_of: dt.datetime | None = None,
) -> IntoFrameT:
    """One row per move that a flow does not allow, or per case not checkable.

    A case without a row conforms, as far as it went: a case that is still on
    its way breaks no rule. Changes alone tell of no case whose events list no
    field; of a history such a case is not checkable.

    Parameters
    ----------
    history : History or DataFrame
        A history, or its changes alone (``schema.CHANGES``), of pandas, Polars,
        DuckDB or PySpark.
    flow : mapping or str
        The allowed moves: for each value those that may follow it, as in
        ``{"open": ["closed"], "closed": []}``; or drawn, a way a line, as in
        ``"open → in_progress → closed"`` (``->`` and ``-->`` will do).
        The ``adj`` of networkx's graphs is such a mapping.
    field_id : str, default "status"
        The field.
    start : str or iterable of str, optional
        What a case may begin with; by default the first value of `flow`.
    as_of : datetime, optional
        Up to this moment, with its zone; by default up to when the history was
        read, or to the newest change of a frame.

    Returns
    -------
    DataFrame
        The columns of ``schema.CONFORMANCE``, by case and time, in the kind of
        frame that was given. ``skipped`` is what lies between the two values on
        the shortest way that `flow` allows; where no way leads there, nothing.

    Raises
    ------
    TypeError
        If `flow` is neither a mapping nor text.
    ValueError
        If `flow` allows no move, none of its values is in the history, or one
        of them is nearly one that is.

    See Also
    --------
    rates : The share of cases that conform, by ``rates(history, "conforming")``.

    Examples
    --------
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> flow = '''open → in_progress → closed → open
    ...           in_progress → waiting_on_customer → in_progress'''
    >>> conformance(history, flow)["message"].tolist()
    ['in_progress → escalated is not allowed', 'escalated → closed is not allowed']
    """
    events = table_of(history, EVENTS) if is_history(history) else None
    found = judged(
        history, flow, events=events, field_id=field_id, start=start, as_of=as_of
    )
    order = (*_CASE, "sequence", "event_id", "message")
    return handed_back(found, history, order, CONFORMANCE.names)


def judged(
    history: History[Any] | IntoFrame,
    flow: Flow,
    *,
    events: object = None,
    field_id: str = "status",
    start: str | Iterable[str] | None = None,
    as_of: dt.datetime | None = None,
) -> Any:
    """Return what `conformance` does and the place of each move, in no order."""
    allowed = moves_of_flow(flow)
    first = start_of(allowed, start)
    (field_id,) = field_ids_of(history, [field_id])
    as_of = as_of_of(history, as_of)
    given = [as_given(history, CHANGES)]
    if events is not None:  # which tell of cases without a change
        given.append(as_given(events, EVENTS))
    (changes, *others), with_ids = with_numbers(*up_to(as_of, *given))
    linked = living(replaced(begun(changes, field_id, as_of=as_of))).told()
    # "" is not yet a value where a case begins, and an empty one anywhere else.
    linked = linked.with_columns(
        before=nw.when(nw.col("is_creation") & nw.col("is_first"))
        .then(nw.lit(_BEGIN))
        .otherwise(nw.col("previous").fill_null("(empty)")),
        after=nw.col("new").fill_null("(empty)"),
        is_told=nw.col("is_creation") | ~nw.col("previous_kind").is_null(),
        is_late=nw.col("is_first") & ~nw.col("is_creation"),
    )
    _need_some(linked.frame, allowed, first)
    is_untold = nw.col("new_kind").is_null()
    is_move = differs("new", "previous") | (nw.col("before") == _BEGIN)
    is_move = nw.col("is_told") & ~is_untold & is_move
    pair = nw.concat_str("before", "after", separator="\n")
    known = [f"{one}\n{other}" for one, others in allowed.items() for other in others]
    known += [f"{_BEGIN}\n{value}" for value in first]
    wrong = linked.with_columns(pair=pair)
    wrong = wrong.filter(is_move, ~nw.col("pair").is_in(known))
    moves = wrong.told(*CHAIN, "sequence", "event_id", "actor").frame
    skipped, n_skipped = NO_TEXT, nw.lit(0, nw.Int64)
    for row in rows_of(moves.select("before", "after").unique()):
        way = _between(allowed, first, row["before"], row["after"])
        if way:
            is_it = nw.col("pair") == f"{row['before']}\n{row['after']}"
            skipped = nw.when(is_it).then(nw.lit(" → ".join(way))).otherwise(skipped)
            n_skipped = nw.when(is_it).then(nw.lit(len(way))).otherwise(n_skipped)
    moves = moves.with_columns(skipped=skipped)
    begins = nw.col("before") == _BEGIN
    message = nw.concat_str(
        nw.when(begins)
        .then(nw.concat_str(nw.lit("begins with "), nw.col("after"), separator=""))
        .otherwise(nw.concat_str("before", "after", separator=" → ")),
        nw.lit(" is not allowed"),
        nw.when(~nw.col("skipped").is_null())
        .then(nw.concat_str(nw.lit(": "), "skipped", nw.lit(" left out"), separator=""))
        .otherwise(nw.lit("")),
        separator="",
    )
    found = moves.select(
        *CHAIN,
        verdict=nw.lit("not_allowed"),
        at=nw.col("performed_at"),
        from_value=nw.when(~begins).then("previous"),
        to_value=nw.col("new"),
        n_skipped=n_skipped.cast(nw.Int64),
        skipped=nw.col("skipped"),
        event_id=nw.col("event_id"),
        actor=nw.col("actor"),
        message=message,
        sequence=nw.col("sequence").cast(nw.Int64),
    )
    flags = {
        "late": nw.col("is_late"),
        "broken": nw.col("is_break"),
        "unsent": is_untold,
        "told": nw.lit(True),
    }
    flags = {name: each.cast(nw.Int64) for name, each in flags.items()}
    of_case = linked.told(*_CASE).frame.select(*_CASE, **flags)
    of_case = summed_by(of_case, _CASE, nw.col(*flags).max())
    cases = stacked([texts(each.select(*_CASE)) for each in (changes, *others)])
    cases = cases.with_columns(one=nw.lit(1, nw.Int64))
    cases = summed_by(cases, _CASE, nw.col("one").max())
    cases = looked_up(cases, of_case, _CASE)
    late, broken, unsent, told = (nw.col(name) == 1 for name in flags)
    unsure = [
        cases.filter(is_so.fill_null(False)).select(
            *_CASE,
            field_id=nw.lit(field_id),
            verdict=nw.lit("not_checkable"),
            at=instant(linked.frame, None),
            from_value=NO_TEXT,
            to_value=NO_TEXT,
            n_skipped=nw.lit(0, nw.Int64),
            skipped=NO_TEXT,
            event_id=NO_TEXT,
            actor=NO_TEXT,
            message=nw.lit(why),
            sequence=nw.lit(-1, nw.Int64),
        )
        for is_so, why in (
            (late, "the field's history begins after the case did"),
            (broken & ~late, "the history has a break"),
            (unsent, "an event does not tell the value that it sets"),
            (~told.fill_null(False), "no event tells the field"),
        )
    ]
    return with_ids(stacked([found, *unsure]))


def moves_of_flow(flow: Flow) -> dict[str, list[str]]:
    """Return the moves that a flow allows, from a mapping or a drawing."""
    allowed: dict[str, list[str]] = {}
    if isinstance(flow, str):
        for line in flow.splitlines():
            steps = [step.strip() for step in _ARROW.split(line.strip())]
            if steps == [""]:
                continue
            if "" in steps:
                raise ValueError(
                    f"{line.strip()!r:.80} lacks a value at an arrow. Draw it as "
                    "'open → in_progress → closed'."
                )
            for step in steps:
                allowed.setdefault(step, [])
            for one, other in pairwise(steps):
                if other not in allowed[one]:
                    allowed[one].append(other)
    elif isinstance(flow, Mapping):
        for one, others in flow.items():
            if isinstance(others, str):
                raise TypeError(
                    f"{one!r} may be followed by {others!r}: give several in a list: "
                    f"[{others!r}]."
                )
            allowed[str(one)] = [str(other) for other in others]
    else:
        raise TypeError(
            f"flow={flow!r:.80} is no flow. Give {{'open': ['closed']}} or 'open → closed'."
        )
    if not any(allowed.values()):
        raise ValueError(
            "This flow allows no move at all. Give {'open': ['closed']} or 'open → closed'."
        )
    return allowed


def start_of(
    allowed: Mapping[str, list[str]], start: str | Iterable[str] | None
) -> list[str]:
    """Return the values that a case may begin with."""
    if start is None:
        return [next(iter(allowed))]
    return [start] if isinstance(start, str) else [*start]


def _need_some(
    frame: Any, allowed: Mapping[str, list[str]], first: Sequence[str]
) -> None:
    """Refuse a flow of which no value ever occurs, or one is misspelt."""
    there = [row["after"] for row in rows_of(frame.select("after").unique())]
    named = {*allowed, *(value for values in allowed.values() for value in values)}
    if there and not named & {*there}:
        some = ", ".join(sorted(there)[:8])
        raise ValueError(
            f"None of this flow's values is in the history. There are {some:.300}."
        )
    need_spelled(sorted({*named, *first}), there, "flow=")


def _between(
    allowed: Mapping[str, list[str]], first: list[str], start: str, end: str
) -> list[str]:
    """Return what lies between two values on the shortest allowed way."""
    follows = {**allowed, _BEGIN: first}
    ways, seen = deque([[start]]), {start}
    while ways:
        way = ways.popleft()
        for value in follows.get(way[-1], ()):
            if value == end:
                return way[1:]
            if value not in seen:
                seen.add(value)
                ways.append([*way, value])
    return []
