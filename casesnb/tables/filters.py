"""Filters of a case search, written as Python compares: `where`."""

from __future__ import annotations

import datetime as dt
import math
import operator
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from casesnb.tables.values import Value

_WIDEST = 10  # the most conditions that AWS takes in one group
_OPERATORS = {
    "equalTo": operator.eq,
    "greaterThan": operator.gt,
    "greaterThanOrEqualTo": operator.ge,
    "lessThan": operator.lt,
    "lessThanOrEqualTo": operator.le,
}
_KINDS = {
    "stringValue": "string",
    "doubleValue": "double",
    "booleanValue": "boolean",
    "userArnValue": "user_arn",
}
_USER = re.compile(r"arn:aws[a-z-]*:connect:[^:]*:\d*:instance/[^/]+/agent/\S+")


class CaseFilter(Mapping[str, Any]):
    """A condition that cases fulfil or not; ``&``, ``|`` and ``~`` combine them.

    It is a mapping, AWS's own ``CaseFilter``: give it to `load_cases`, or
    ``dict()`` of it to boto3.

    Parameters
    ----------
    condition : Mapping
        A ``CaseFilter`` as AWS documents it; groups may be of any size.

    Examples
    --------
    >>> dict(where("status") == "open")
    {'field': {'equalTo': {'id': 'status', 'value': {'stringValue': 'open'}}}}
    """

    __slots__ = ("_condition",)

    def __init__(self, condition: Mapping[str, Any]) -> None:
        if len(condition) != 1:
            raise ValueError(
                f"A filter is one condition, not {len(condition)}: {condition!r:.200}."
            )
        self._condition = dict(condition)

    def __and__(self, other: CaseFilter) -> CaseFilter:
        return self._joined("andAll", other)

    def __or__(self, other: CaseFilter) -> CaseFilter:
        return self._joined("orAll", other)

    def __invert__(self) -> CaseFilter:
        if "not" in self._condition:
            return CaseFilter(self._condition["not"])
        return CaseFilter({"not": self._condition})

    def __bool__(self) -> bool:
        raise TypeError(
            "A filter is neither true nor false: it is for AWS to decide. Combine "
            "filters with & | ~ and parentheses, not with and, or, not or a < b < c."
        )

    def __getitem__(self, name: str) -> Any:
        return _rendered(self._condition)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._condition)

    def __len__(self) -> int:
        return len(self._condition)

    def __repr__(self) -> str:
        return f"CaseFilter({_rendered(self._condition)!r})"

    @property
    def field_ids(self) -> list[str]:
        """The fields that it compares, each once."""
        return [*dict.fromkeys(_fields_of(self._condition))]

    def matches(self, values: Mapping[str, Value]) -> bool:
        """Return whether a case that holds these values fulfils it.

        Parameters
        ----------
        values : Mapping
            By field id, each value's kind and text; what is not there is empty.

        Returns
        -------
        bool
            What AWS documents of its search: texts and numbers compare by their
            own order, times as times.

        Raises
        ------
        ValueError
            If it asks for a tag.

        Examples
        --------
        >>> (where("status") == "open").matches({"status": ("string", "open")})
        True
        """
        return _matches(self._condition, values)

    def _joined(self, group: str, other: CaseFilter) -> CaseFilter:
        if not isinstance(other, CaseFilter):
            raise TypeError(
                f"{other!r:.80} is not a filter. Compare a field: where('status') == "
                "'open'; each comparison in parentheses."
            )
        parts: list[Any] = []
        for each in (self, other):
            parts.extend(each._condition.get(group, [each._condition]))
        return CaseFilter({group: parts})


class CaseField:
    """A field of a case, to be compared with a value."""

    __slots__ = ("_field_id",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, field_id: str) -> None:
        if not isinstance(field_id, str) or not field_id:
            raise TypeError(
                f"A field is named by its id, such as 'status', not {field_id!r}."
            )
        self._field_id = field_id

    def __repr__(self) -> str:
        return f"where({self._field_id!r})"

    def __eq__(self, value: object) -> CaseFilter:  # type: ignore[override]
        return self._compared("equalTo", value)

    def __ne__(self, value: object) -> CaseFilter:  # type: ignore[override]
        return ~self._compared("equalTo", value)

    def __lt__(self, value: object) -> CaseFilter:
        return self._compared("lessThan", value)

    def __le__(self, value: object) -> CaseFilter:
        return self._compared("lessThanOrEqualTo", value)

    def __gt__(self, value: object) -> CaseFilter:
        return self._compared("greaterThan", value)

    def __ge__(self, value: object) -> CaseFilter:
        return self._compared("greaterThanOrEqualTo", value)

    def contains(self, text: str) -> CaseFilter:
        """Return the cases whose field holds `text` somewhere."""
        if not isinstance(text, str):
            raise TypeError(f"contains looks for text, not {text!r}.")
        return self._made("contains", {"stringValue": text})

    def between(self, low: object, high: object) -> CaseFilter:
        """Return the cases whose field lies from `low` to `high`, both included."""
        return (self >= low) & (self <= high)

    def is_in(self, values: Iterable[object]) -> CaseFilter:
        """Return the cases whose field holds one of `values`."""
        if isinstance(values, str):
            raise TypeError(f"is_in takes several values. Give a list: [{values!r}].")
        parts = [dict((self == value)._condition) for value in values]
        if not parts:
            raise ValueError("is_in takes at least one value: no case is in nothing.")
        return CaseFilter({"orAll": parts} if len(parts) > 1 else parts[0])

    def _compared(self, operator: str, value: object) -> CaseFilter:
        if value is None and operator != "equalTo":
            raise TypeError(f"{self!r} cannot be more or less than None. Use == None.")
        return self._made(operator, _union(value))

    def _made(self, operator: str, union: Mapping[str, Any]) -> CaseFilter:
        operand = {"id": self._field_id, "value": dict(union)}
        return CaseFilter({"field": {operator: operand}})


class CaseTag:
    """A tag of a case, to be compared with its value."""

    __slots__ = ("_key",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, key: str) -> None:
        self._key = key

    def __repr__(self) -> str:
        return f"where_tag({self._key!r})"

    def __eq__(self, value: object) -> CaseFilter:  # type: ignore[override]
        if not isinstance(value, str):
            raise TypeError(f"A tag holds text, not {value!r}.")
        return CaseFilter({"tag": {"equalTo": {"key": self._key, "value": value}}})

    def __ne__(self, value: object) -> CaseFilter:  # type: ignore[override]
        return ~(self == value)


def where(field_id: str) -> CaseField:
    """Return a field to compare, for the filter of a case search.

    Parameters
    ----------
    field_id : str
        The field, such as ``"status"``.

    Returns
    -------
    CaseField
        Compare it with ``== != < <= > >=``, ``.contains()``, ``.between()`` or
        ``.is_in()``. Text, numbers, booleans, times with a zone and user ARNs
        are taken as they are; None stands for an empty field.

    See Also
    --------
    where_tag : The same for a tag.

    Examples
    --------
    >>> wanted = (where("status") == "open") & ~where("title").contains("test")
    >>> list(wanted["andAll"][1])
    ['not']
    """
    return CaseField(field_id)


def where_tag(key: str) -> CaseTag:
    """Return a tag to compare, for the filter of a case search.

    Parameters
    ----------
    key : str
        The tag's key.

    Returns
    -------
    CaseTag
        Compare it with ``==`` or ``!=``.

    See Also
    --------
    where : The same for a field.

    Examples
    --------
    >>> dict(where_tag("team") == "claims")
    {'tag': {'equalTo': {'key': 'team', 'value': 'claims'}}}
    """
    return CaseTag(key)


def _union(value: Any) -> dict[str, Any]:
    """Return a Python value as AWS's union."""
    if isinstance(value, np.datetime64):  # it has no time zone to have
        value = pd.Timestamp(value)
    elif isinstance(value, np.generic) and not isinstance(value, np.timedelta64):
        value = value.item()
    match value:
        case None:
            return {"emptyValue": {}}
        case bool():
            return {"booleanValue": value}
        case int() | float():
            if not math.isfinite(value):
                raise ValueError(f"{value!r} is not a number that AWS can compare.")
            return {"doubleValue": float(value)}
        case dt.datetime():
            return {"stringValue": _time(value)}
        case str():
            member = "userArnValue" if _USER.fullmatch(value) else "stringValue"
            return {member: value}
    raise TypeError(
        f"{value!r:.80} is not a value of a case. Give text, a number, a boolean, a "
        "datetime with a time zone, or None for an empty field."
    )


def _time(value: dt.datetime) -> str:
    if value.tzinfo is None or value.utcoffset() is None:
        raise ValueError(
            f"{value} has no time zone. Give it one: datetime(..., tzinfo=UTC)."
        )
    if hasattr(value, "to_pydatetime"):  # a Timestamp: AWS keeps no nanoseconds
        value = value.to_pydatetime(warn=False)
    text = value.astimezone(dt.UTC).isoformat()
    return text.replace("+00:00", "Z")


def _rendered(condition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a condition with no group wider than AWS takes."""
    ((name, inner),) = condition.items()
    if name == "not":
        return {name: _rendered(inner)}
    if name not in {"andAll", "orAll"}:
        return {name: inner}
    parts = [_rendered(part) for part in inner]
    while len(parts) > _WIDEST:
        parts = [
            {name: group} if len(group) > 1 else group[0]
            for group in (parts[i : i + _WIDEST] for i in range(0, len(parts), _WIDEST))
        ]
    return {name: parts}


def _fields_of(condition: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields that a condition compares."""
    ((name, inner),) = condition.items()
    if name == "tag":
        raise _no_tags()
    if name == "field":
        yield from (operand["id"] for operand in inner.values())
    else:
        for part in [inner] if name == "not" else inner:
            yield from _fields_of(part)


def _no_tags() -> ValueError:
    return ValueError(
        "No history tells a case's tags: search for them with load_cases, then "
        "give the cases found to history.only(case_ids=...)."
    )


def _matches(condition: Mapping[str, Any], values: Mapping[str, Value]) -> bool:
    ((name, inner),) = condition.items()
    if name == "tag":
        raise _no_tags()
    if name == "not":
        return not _matches(inner, values)
    if name in {"andAll", "orAll"}:
        held = (_matches(part, values) for part in inner)
        return all(held) if name == "andAll" else any(held)
    ((compared, operand),) = inner.items()
    ((member, wanted),) = operand["value"].items()
    kind, text = values.get(operand["id"], ("empty", None))
    if member == "emptyValue":
        return text is None
    if text is None or kind != _KINDS[member]:
        return False
    if compared == "contains":
        return wanted.casefold() in text.casefold()
    mine: Any = text
    if member == "doubleValue":
        mine = float(text)
    elif member == "booleanValue":
        mine = text == "true"
    elif (both := _as_times(text, wanted)) is not None:
        mine, wanted = both
    return bool(_OPERATORS[compared](mine, wanted))


def _as_times(*texts: str) -> list[dt.datetime] | None:
    """Return texts as moments; None where one of them is no moment."""
    try:
        found = [dt.datetime.fromisoformat(text) for text in texts]
    except ValueError:
        return None
    return found if all(each.tzinfo for each in found) else None
