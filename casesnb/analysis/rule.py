"""What a rule is: a function from a history's tables to findings, with a name."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

import narwhals as nw

from casesnb.analysis.closing import CLOSED
from casesnb.tables.frames import (
    NO_TEXT,
    as_given,
    instant,
    opened,
    rows_of,
    texts,
    time_type,
)
from casesnb.tables.schema import CHANGES, EVENTS, TEXT, TIME, Column, Table

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

FINDINGS = Table(
    "findings",
    "One row per finding of a rule, or per case that it could not check.",
    (
        Column("domain_id", TEXT, "the Cases domain"),
        Column("case_id", TEXT, "the case"),
        Column("rule", TEXT, "the rule"),
        Column("severity", TEXT, "`info`, `warning` or `problem`"),
        Column("verdict", TEXT, "`found` or `not_checkable`"),
        Column("field_id", TEXT, "the field, where one is meant"),
        Column("found_at", TIME, "when it was done; missing if not checkable"),
        Column("actor", TEXT, "who did it; missing if AWS named none"),
        Column("event_ids", TEXT, "the events that show it, a space between two"),
        Column("message", TEXT, "what was found, or why it cannot be checked"),
    ),
)


SEVERITIES = ("info", "warning", "problem")
"""What a finding may be: good to know, to be looked at, to be explained."""

VERDICTS = ("found", "not_checkable")
"""What a rule says of a case; of one that it checked without finding, nothing."""

_CASE = ("domain_id", "case_id")
_OURS = f"{__package__}.rules"  # whose findings are known to be right
_T = TypeVar("_T")


@dataclass(frozen=True)
class RuleContext:
    """What a rule is given: a history's tables in any engine, and when it was read.

    Parameters
    ----------
    events : DataFrame
        The columns of ``schema.EVENTS``, in the engine that was given.
    changes : DataFrame
        The columns of ``schema.CHANGES``, in the same engine.
    as_of : datetime or None
        When the history was read; None if there is no event at all.
    closed : tuple of str
        The statuses that mean closed, in small letters.
    """

    events: Any
    changes: Any
    as_of: dt.datetime | None = None
    closed: tuple[str, ...] = (CLOSED,)

    _known: dict[Any, Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def once(self, ask: Callable[[RuleContext], _T]) -> _T:
        """Return what a function gives of this, asked once for all rules.

        Parameters
        ----------
        ask : callable
            From `RuleContext` to what several rules need, such as a join.

        Returns
        -------
        Any
            What it gave the first time.

        Examples
        --------
        >>> import pandas as pd
        >>> def by_night(context):
        ...     return context.events[context.events["performed_at"].dt.hour < 6]
        >>> at = pd.to_datetime(["2026-03-02T03:00Z", "2026-03-02T09:00Z"])
        >>> context = RuleContext(pd.DataFrame({"performed_at": at}), None)
        >>> len(context.once(by_night))
        1
        >>> context.once(by_night) is context.once(by_night)
        True
        """
        if ask not in self._known:
            self._known[ask] = ask(self)
        found: _T = self._known[ask]
        return found


def events_of(context: RuleContext) -> Any:
    """Return the events, opened, beside what their actors are called."""
    return _with_names_of_actors(context.events, EVENTS)


def changes_of(context: RuleContext) -> Any:
    """Return the changes, opened, beside what their actors are called."""
    return _with_names_of_actors(context.changes, CHANGES)


def _with_names_of_actors(frame: object, table: Table) -> Any:
    """Return a table beside what its actors are called, by their ids at worst."""
    given = texts(as_given(frame, table, *table.names, "actor_name"))
    there = given.collect_schema().names()
    names = [name for name in ("actor_name", "actor") if name in there]
    return given.with_columns(called=nw.coalesce(*names))


@dataclass(frozen=True, slots=True)
class Rule:
    """A named check: call it with `RuleContext`, or give it to `findings`.

    Parameters
    ----------
    name : str
        Its name, as findings give it.
    severity : str
        ``info``, ``warning`` or ``problem``.
    question : str
        What it looks for, in one sentence.
    function : callable
        From `RuleContext` to a frame of findings.
    options : mapping of str to Any
        Its function's keyword arguments.
    """

    name: str
    severity: str
    question: str
    function: Callable[..., Any] = field(repr=False)
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(
                f"severity={self.severity!r} of rule {self.name} is none of "
                f"{', '.join(SEVERITIES)}."
            )

    def __call__(self, context: RuleContext) -> Any:
        """Return the rule's findings, with all columns."""
        given = self.function(context, **self.options)
        try:
            found = opened(given)
        except TypeError as error:
            raise TypeError(
                f"Rule {self.name} returned {type(given).__name__}, not a frame of "
                "findings."
            ) from error
        names = found.collect_schema().names()
        in_utc = time_type(context.once(events_of))
        if missing := {*_CASE, "event_ids", "message"} - {*names}:
            raise ValueError(
                f"Rule {self.name} returned no column {', '.join(sorted(missing))}. A "
                "finding says its case, its events and what was found."
            )
        told = {name: nw.col(name) for name in names}
        defaults = {
            "verdict": nw.lit("found"),
            "field_id": NO_TEXT,
            "actor": NO_TEXT,
            "found_at": instant(context.once(events_of), None),
        }
        columns = {**defaults, **told}
        verdict = columns["verdict"].cast(nw.String)
        # Where frames are lazy this runs the rule; ours are known to be right.
        if "verdict" in names and self.function.__module__ != _OURS:
            for row in rows_of(found.select(verdict=verdict).unique()):
                if row["verdict"] not in VERDICTS:
                    raise ValueError(
                        f"Rule {self.name} gives the verdict {row['verdict']!r}. Give "
                        f"{' or '.join(VERDICTS)}."
                    )
        return found.select(
            *_CASE,
            rule=nw.lit(self.name),
            severity=nw.lit(self.severity),
            verdict=verdict,
            field_id=columns["field_id"].cast(nw.String),
            found_at=columns["found_at"].cast(in_utc),
            actor=columns["actor"].cast(nw.String),
            event_ids=nw.col("event_ids").cast(nw.String),
            message=nw.col("message").cast(nw.String),
        )

    def with_options(self, **options: Any) -> Rule:
        """Return the same rule with other options.

        Parameters
        ----------
        **options : Any
            Keyword arguments of its function, such as ``days=30``.

        Returns
        -------
        Rule
            A new rule of the same name.

        Raises
        ------
        TypeError
            If the function takes no such argument.
        """
        _, *takes = inspect.signature(self.function).parameters.values()
        named = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
        known = [each.name for each in takes if each.kind in named]
        takes_any = any(each.kind is each.VAR_KEYWORD for each in takes)
        for name in options:
            if not takes_any and name not in known:
                has = f"It has {', '.join(known)}." if known else "It has none."
                raise TypeError(f"Rule {self.name} has no option {name}. {has}")
        return replace(self, options={**self.options, **options})


@overload
def rule(function: Callable[..., Any]) -> Rule: ...
@overload
def rule(*, severity: str = ...) -> Callable[[Callable[..., Any]], Rule]: ...
def rule(
    function: Callable[..., Any] | None = None, *, severity: str = "warning"
) -> Rule | Callable[[Callable[..., Any]], Rule]:
    """Make a rule of a function: its name is the rule's, its docstring the question.

    Parameters
    ----------
    function : callable, optional
        From `RuleContext` to a frame with ``domain_id``, ``case_id``, ``event_ids``
        (ids, a space between two) and ``message``; if it likes, ``verdict``
        (``found`` or ``not_checkable``), ``field_id``, ``found_at`` and
        ``actor``.
    severity : str, default "warning"
        ``info``, ``warning`` or ``problem``.

    Returns
    -------
    Rule or callable
        The rule; a decorator if there is no function yet.

    Raises
    ------
    ValueError
        If there is no such severity, or the function has no docstring.

    Examples
    --------
    >>> @rule(severity="info")
    ... def on_a_sunday(context):
    ...     "Find what was done on a Sunday."
    ...     events = context.events
    ...     sunday = events[events["performed_at"].dt.dayofweek == 6]
    ...     return sunday.assign(event_ids=sunday["event_id"], message="a Sunday")
    >>> on_a_sunday.question
    'Find what was done on a Sunday.'
    """
    if function is None:
        return partial(_as_rule, severity=severity)
    if not callable(function):
        raise TypeError(
            f"{function!r} is no function. Say it by name: @cn.checks.rule(severity='info')."
        )
    return _as_rule(function, severity=severity)


def _as_rule(function: Callable[..., Any], *, severity: str) -> Rule:
    question = (function.__doc__ or "").strip().partition("\n")[0]
    if not question:
        raise ValueError(
            f"Rule {function.__name__} has no docstring. Say in one line what it finds."
        )
    return Rule(function.__name__, severity, question, function)
