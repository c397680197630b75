"""What a search looks for: filters of cases, related items and users, and sorting."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from casesnb.sandbox.case_life import EMPTY
from casesnb.sandbox.contact_centre import to_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from casesnb.sandbox.case_life import Value
    from casesnb.sandbox.contact_centre import Agent

MEMBERS = {
    "string": "stringValue",
    "double": "doubleValue",
    "boolean": "booleanValue",
    "user_arn": "userArnValue",
}
"""AWS's member for each kind of value."""


class NotSimulatedError(Exception):
    """A search that AWS knows and the sandbox does not."""


def fields_of(condition: Any, sorts: Sequence[Mapping[str, str]]) -> Iterable[str]:
    """Yield the fields that a search speaks of."""
    yield from (sort["fieldId"] for sort in sorts)
    if not condition:
        return
    (kind, inner), *_ = condition.items()
    if kind == "field":
        yield from (operand["id"] for operand in inner.values())
    elif kind == "not":
        yield from fields_of(inner, ())
    elif kind in {"andAll", "orAll"}:
        for each in inner:
            yield from fields_of(each, ())


def holds(
    condition: Mapping[str, Any], fields: Mapping[str, Value], tags: Mapping[str, str]
) -> bool:
    """Whether a case fulfils a filter."""
    (kind, inner), *_ = condition.items()
    if kind == "not":
        return not holds(inner, fields, tags)
    if kind == "andAll":
        return all(holds(each, fields, tags) for each in inner)
    if kind == "orAll":
        return any(holds(each, fields, tags) for each in inner)
    if kind == "tag":
        wanted = inner["equalTo"]
        return bool(tags.get(wanted["key"]) == wanted.get("value", ""))
    (operator, operand), *_ = inner.items()
    return _compares(operator, fields.get(operand["id"], EMPTY), operand["value"])


def _compares(operator: str, value: Value, union: Mapping[str, Any]) -> bool:
    (member, wanted), *_ = union.items()
    if member == "emptyValue":
        return operator == "equalTo" and value == EMPTY
    kind, text = value
    if text is None or MEMBERS.get(str(kind)) != member:
        return False
    mine: Any = text
    if member == "doubleValue":
        mine = float(text)
    elif member == "booleanValue":
        mine = text == "true"
    elif operator != "contains" and isinstance(wanted, str):
        mine, wanted = _as_time(text), _as_time(wanted)
        if type(mine) is not type(wanted):
            mine, wanted = text, union[member]
    match operator:
        case "equalTo":
            return bool(mine == wanted)
        case "contains":
            return str(wanted).casefold() in text.casefold()
        case "greaterThan":
            return bool(mine > wanted)
        case "greaterThanOrEqualTo":
            return bool(mine >= wanted)
        case "lessThan":
            return bool(mine < wanted)
    return bool(mine <= wanted)


def _as_time(text: str) -> Any:
    """Return a time's milliseconds, or the text as it is."""
    if len(text) < 10 or not text[:4].isdigit() or text[4] != "-":
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def mentions(term: str, fields: Mapping[str, Value]) -> bool:
    """Whether every word of a search term is in some value of a case."""
    words = " ".join(text for _, text in fields.values() if text).casefold()
    return all(word in words for word in term.split())


def sort_key(value: Value | None) -> tuple[int, float, str]:
    """Return what a value is sorted by."""
    if value is None or value[1] is None:
        return 0, 0.0, ""
    if value[0] == "double":
        return 1, float(value[1]), ""
    return 1, 0.0, value[1].casefold()


def item_holds(wanted: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
    """Whether a related item fulfils one filter."""
    (kind, inner), *_ = wanted.items()
    content = item["content"].get(kind)
    if content is None:
        return False
    if kind == "custom" and inner.get("fields"):
        values = {field["id"]: _value(field["value"]) for field in content["fields"]}
        return holds(inner["fields"], values, {})
    if kind == "contact" and inner.get("channel"):
        channels = {channel.upper() for channel in inner["channel"]}
        if content["channel"].upper() not in channels:
            return False
    if kind == "sla":
        content = content["slaConfiguration"]
    return all(
        content.get(name) == value
        for name, value in inner.items()
        if name not in {"channel", "fields"}
    )


def _value(union: Mapping[str, Any]) -> Value:
    (member, content), *_ = union.items()
    if member == "doubleValue":
        return "double", repr(content)
    return "string", content


def user_holds(criteria: Mapping[str, Any], agent: Agent) -> bool:
    """Whether a user fulfils a search."""
    if "OrConditions" in criteria:
        return any(user_holds(each, agent) for each in criteria["OrConditions"])
    if "AndConditions" in criteria:
        return all(user_holds(each, agent) for each in criteria["AndConditions"])
    condition = criteria.get("StringCondition")
    if not condition:
        raise NotSimulatedError("Only StringCondition is simulated.")
    names = {
        "username": agent.username,
        "firstname": agent.first,
        "lastname": agent.last,
        "resourceid": agent.user_id,
    }
    have = names.get(condition.get("FieldName", "").lower(), "").casefold()
    wanted = condition.get("Value", "").casefold()
    match condition.get("ComparisonType"):
        case "EXACT":
            return bool(have == wanted)
        case "CONTAINS":
            return bool(wanted in have)
    return bool(have.startswith(wanted))
