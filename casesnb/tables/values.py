"""A value of a case: its kind and its text, and back to a type."""

from __future__ import annotations

import datetime as dt
import json
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pandas as pd

from casesnb.tables.arguments import need_pandas
from casesnb.wire.text import Large, shape

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = tuple[str | None, str | None]
"""A value's kind and its text; both missing where AWS sent none."""

MEMBERS = {
    "stringValue": "string",
    "doubleValue": "double",
    "booleanValue": "boolean",
    "emptyValue": "empty",
    "userArnValue": "user_arn",
}
"""AWS's members of a value, and the kind that each is."""

_ISO = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SECONDS = re.compile(r"-?\d+(\.\d+)?", re.ASCII)

KINDS = tuple(MEMBERS.values())


def value_text(value: Mapping[str, Any] | None) -> Value:
    """Return a value of AWS's JSON as its kind and its text."""
    if value is None:
        return None, None
    if not isinstance(value, dict):
        raise ValueError(f"{shape(value)} is not a value")
    found = [(name, content) for name, content in value.items() if content is not None]
    if not found:
        return None, None
    if len(found) > 1:
        raise ValueError(f"{shape(value)} is a value of two kinds at once")
    member, content = found[0]
    kind = MEMBERS.get(member)
    match kind, content:
        case None, _:
            return "unknown", json_text({member: content})
        case (("string" | "user_arn"), str()):
            return kind, content
        case "boolean", bool():
            return kind, "true" if content else "false"
        case "double", bool():
            pass
        case "double", Large():
            return kind, content.text
        case "double", int() | float() | "NaN" | "Infinity" | "-Infinity":
            try:
                return kind, repr(float(content))
            except OverflowError:
                return kind, str(content)
        case "empty", dict():
            return kind, None
    raise ValueError(f"{shape(content)} is not a {member}")


def json_text(value: object) -> str:
    """Return the one text of a value of JSON, however its members came."""
    try:
        return json.dumps(
            value,
            ensure_ascii=False,
            sort_keys=True,
            separators=(",", ":"),
            default=str,
        )
    except RecursionError:
        raise ValueError(f"{shape(value)} goes too deep") from None


def utc_text(value: object) -> str:
    """Return a time as AWS may send it as ISO 8601 text in UTC, to the microsecond."""
    return exact_time(value)[0]


def exact_time(value: object) -> tuple[str, str | None]:
    """Return a time as `utc_text` does, and the part of a microsecond that is cut."""
    moment, below = _exactly(value)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z"), below


def utc_moment(value: object) -> dt.datetime:
    """Return the moment that `utc_text` writes."""
    return _exactly(value)[0]


def _exactly(value: object) -> tuple[dt.datetime, str | None]:
    if isinstance(value, str) and (written := _ISO.fullmatch(value)):
        moment = dt.datetime.fromisoformat(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=dt.UTC)
        moment = moment.astimezone(dt.UTC)
        digits = (written[3] or "")[7:]
        below = f"0.{digits}" if digits else None
    elif isinstance(value, str) and not _SECONDS.fullmatch(value):
        # No other parser is asked: pandas reads "now" and "09:00" by the clock.
        raise ValueError(f"{shape(value)} is not a time")
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
        micros, left = divmod(Fraction(str(value)) * 1_000_000, 1)
        moment = _EPOCH + dt.timedelta(microseconds=micros)
        below = str(float(left)) if left else None
    else:
        raise TypeError(f"{shape(value)} is not a time")
    return moment, below


def utc_texts(times: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of times as `utc_text` writes them, whatever their zone."""
    texts: pd.Series[Any] = times.dt.tz_convert("UTC").dt.strftime(
        "%Y-%m-%dT%H:%M:%S.%fZ"
    )
    return texts


def as_type(text: pd.Series[Any], field_type: str) -> pd.Series[Any]:
    """Return values' text as the type of their field."""
    match field_type:
        case "DateTime":
            # pandas reads "4711" as a year and "now" as this moment.
            told = text.where(text.str.fullmatch(_ISO.pattern, na=False).astype(bool))
            times = pd.to_datetime(told, utc=True, format="ISO8601", errors="coerce")
            return times.astype("datetime64[us, UTC]")
        case "Number":
            return pd.to_numeric(text, errors="coerce").astype("Float64")
        case "Boolean":
            return text.map({"true": True, "false": False}).astype("boolean")
    return text


def typed(changes: pd.DataFrame, field_id: str) -> pd.DataFrame:
    """One row per change of one field, its values as numbers, booleans or times.

    Parameters
    ----------
    changes : DataFrame
        The columns of ``schema.CHANGES``.
    field_id : str
        The field.

    Returns
    -------
    DataFrame
        The field's rows of `changes`, with ``old`` and ``new`` as Float64 where
        all its values are doubles, as boolean where all are booleans, as UTC
        times where all are ISO 8601 times, and as text otherwise.

    Raises
    ------
    KeyError
        If `changes` holds no change of `field_id`.

    Examples
    --------
    >>> changes = pd.DataFrame({
    ...     "field_id": ["score"], "old_kind": ["double"], "old": ["1.0"],
    ...     "new_kind": ["double"], "new": ["2.5"]})
    >>> typed(changes, "score").loc[0, "new"]
    np.float64(2.5)
    """
    need_pandas(changes)
    rows = changes.loc[changes["field_id"] == field_id].reset_index(drop=True)
    if rows.empty:
        known = ", ".join(map(str, changes["field_id"].unique()[:10])) or "none"
        raise KeyError(
            f"No change of field {field_id!r}. Fields that changed: {known}."
        )
    kinds = {*rows["old_kind"].dropna(), *rows["new_kind"].dropna()} - {"empty"}
    texts = pd.concat([rows["old"], rows["new"]]).dropna()
    if kinds == {"double"}:
        field_type = "Number"
    elif kinds == {"boolean"}:
        field_type = "Boolean"
    elif (
        kinds == {"string"} and len(texts) and as_type(texts, "DateTime").notna().all()
    ):
        field_type = "DateTime"
    else:
        return rows
    return rows.assign(
        old=as_type(rows["old"], field_type), new=as_type(rows["new"], field_type)
    )
