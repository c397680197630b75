"""Checks: small named rules that cite their events and know what they cannot tell.

A rule is a function from what it is given to findings. Yours become one with `rule`::

    @cn.checks.rule(severity="warning")
    def untitled(context):
        "Find cases that were created without a title."
        ...
        return frame  # domain_id, case_id, event_ids, message

    cn.findings(history, rules=[*cn.checks.RULES, untitled])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from casesnb.analysis.closing import CLOSED, closed_values
from casesnb.analysis.rule import Rule, RuleContext, rule
from casesnb.analysis.rules import RULES
from casesnb.tables.arguments import need_history
from casesnb.tables.frames import as_of_of, handed_back, stacked

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from casesnb.tables.history import History

__all__ = [
    "RULES",
    "Rule",
    "RuleContext",
    "rule",
]


def __dir__() -> list[str]:
    return __all__


def findings(
    history: History[Any],
    /,
    *,
    rules: Rule | str | Iterable[Rule | str] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    closed: str | Sequence[str] = CLOSED,
    as_of: dt.datetime | None = None,
) -> Any:
    """One row per finding of a rule, or per case that it could not check.

    A case without a row for a rule was checked, and nothing was found.

    Parameters
    ----------
    history : History
        What to check, with frames of any engine.
    rules : Rule, str or iterable of them, optional
        Which rules, those of ``RULES`` by name if you like; all of them otherwise.
    options : mapping of str to mapping, optional
        For rules by name, what they are to do otherwise, such as
        ``{"stale": {"days": 30}}``.
    closed : str or sequence of str, default "closed"
        The statuses that mean closed, in small letters or capitals.
    as_of : datetime, optional
        When the history was read, with its zone; by default as its certificate
        says.

    Returns
    -------
    DataFrame
        The columns of ``schema.FINDINGS``, by case, time and rule, in the kind
        of frame that was given.

    Raises
    ------
    TypeError
        If one of `rules` is no `Rule`, or a rule has no such option.
    ValueError
        If there is no rule, none of such a name, a rule returns no findings'
        columns or another verdict, or no case ever had a status that is to mean
        closed.

    Examples
    --------
    >>> import casesnb as cn
    >>> world = cn.sandbox.World(seed=7)
    >>> history = cn.load_history(cn.connect(world), *world.showcase)
    >>> found = findings(history)
    >>> set(found["verdict"]) <= {"found", "not_checkable"}
    True
    >>> found = findings(history, rules="stale", options={"stale": {"days": 365}})
    >>> len(found)
    0
    """
    need_history(history)
    chosen = _chosen(RULES if rules is None else rules, options or {})
    context = RuleContext(
        history.events,
        history.changes,
        as_of_of(history, as_of),
        closed_values(history, closed),
    )
    found = stacked([each(context) for each in chosen])
    order = ("domain_id", "case_id", "found_at", "rule", "event_ids", "field_id")
    return handed_back(found, history.events, order)


def _chosen(
    rules: Rule | str | Iterable[Rule | str], options: Mapping[str, Mapping[str, Any]]
) -> list[Rule]:
    known = {each.name: each for each in RULES}
    chosen = []
    for each in [rules] if isinstance(rules, (Rule, str)) else rules:
        if isinstance(each, str):
            _need_known(each, known)
            each = known[each]
        if not isinstance(each, Rule):
            raise TypeError(
                f"{each!r} is no rule. Put @cn.checks.rule before the function."
            )
        chosen.append(each)
    if not chosen:
        raise ValueError("There is no rule to check. Leave `rules` out for all.")
    for name in options:
        _need_known(name, [each.name for each in chosen])
    return [each.with_options(**options.get(each.name, {})) for each in chosen]


def _need_known(name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise ValueError(f"No rule is called {name!r}: {', '.join(known)}.")
