"""Values: five things stay five things, as text and back."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from answers import Pages, event
from engines import dtypes_of
from pandas.testing import assert_frame_equal, assert_series_equal

import casesnb as cn
from casesnb.tables.schema import TEXT_TYPE
from casesnb.tables.values import as_type, utc_text, value_text


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        ({"stringValue": "open"}, ("string", "open")),
        ({"stringValue": ""}, ("string", "")),
        ({"stringValue": "0.0"}, ("string", "0.0")),
        ({"doubleValue": 0.0}, ("double", "0.0")),
        ({"doubleValue": -0.0}, ("double", "-0.0")),
        ({"doubleValue": 0}, ("double", "0.0")),
        ({"doubleValue": 0.1 + 0.2}, ("double", "0.30000000000000004")),
        ({"doubleValue": 5e-324}, ("double", "5e-324")),
        ({"doubleValue": "NaN"}, ("double", "nan")),
        ({"doubleValue": "-Infinity"}, ("double", "-inf")),
        ({"booleanValue": False}, ("boolean", "false")),
        ({"booleanValue": True}, ("boolean", "true")),
        ({"emptyValue": {}}, ("empty", None)),
        ({"userArnValue": "arn:x"}, ("user_arn", "arn:x")),
        ({"novelValue": [1]}, ("unknown", '{"novelValue":[1]}')),
        ({"novel": {"b": 1, "a": "é"}}, ("unknown", '{"novel":{"a":"é","b":1}}')),
        ({"doubleValue": 10**400}, ("double", f"1{400 * '0'}")),
        ({}, (None, None)),
        (None, (None, None)),
        ({"stringValue": None}, (None, None)),
        ({"stringValue": None, "booleanValue": False}, ("boolean", "false")),
    ],
)
def test_a_value_is_its_kind_and_its_text(sent: Any, value: Any) -> None:
    assert value_text(sent) == value


@pytest.mark.parametrize("number", ["1e999", "-1E400", "9" * 400, f"-{'9' * 5_000}"])
def test_a_number_that_no_float_holds_keeps_its_text(number: str) -> None:
    body = (
        '{"auditEvents": [{"eventId": "e", "type": "Case.Created", '
        '"performedTime": "2026-03-02T09:00:00Z", "fields": [{"eventFieldId": "f", '
        f'"newValue": {{"doubleValue": {number}}}}}]}}]}}'
    )
    changes = cn.raw.changes_frame([body], domain_id="d", case_id="c")
    assert changes[["new_kind", "new"]].to_numpy().tolist() == [["double", number]]


def test_a_change_of_an_unknown_kind_is_a_change_and_is_compared() -> None:
    def listed(*items: str) -> dict[str, Any]:
        return {"listValue": [*items]}

    def saved(number: int, **values: Any) -> dict[str, Any]:
        return event(number, fields=[{"eventFieldId": "tags", **values}])

    history = cn.load_history(
        cn.connect(
            Pages(
                [
                    saved(0, newValue=listed("a")),
                    saved(1, oldValue=listed("a"), newValue=listed("b")),
                ]
            )
        ),
        "d",
        "c",
    )
    assert cn.spells(history, "tags")["value"].tolist() == [
        '{"listValue":["a"]}',
        '{"listValue":["b"]}',
    ]
    assert cn.transitions(history, "tags")["n"].tolist() == [1]
    assert "unknown to casesnb, kept as they came" in str(history.certificate)
    current = pd.DataFrame(
        [["d", "c", "tags", "unknown", '{"listValue":["zzz"]}']],
        columns=cn.schema.CASE_FIELDS.names,
    )
    (verdict,) = cn.trust.compare_with_current(history, current)["verdict"]
    assert verdict == "contradicted"


@pytest.mark.parametrize(
    "sent",
    [
        {"stringValue": 1},
        {"stringValue": "a", "doubleValue": 1},
        {"stringValue": "a", "novelValue": 1},
        {"doubleValue": "1"},
        {"doubleValue": True},
        {"booleanValue": 0},
        {"booleanValue": "false"},
        {"emptyValue": []},
        {"userArnValue": {}},
        [],
        "open",
        0,
    ],
)
def test_what_is_not_of_its_kind_is_an_error(sent: Any) -> None:
    with pytest.raises(ValueError, match="is not a|of two kinds"):
        value_text(sent)


@pytest.mark.parametrize("number", [0.1, 1e308, 5e-324, -0.0, 2**53 + 1, 1 / 3])
def test_a_doubles_text_is_lossless(number: float) -> None:
    _, text = value_text({"doubleValue": number})
    assert text is not None
    assert repr(float(text)) == repr(float(number))


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("2026-03-29T00:59:59Z", "2026-03-29T00:59:59.000000Z"),
        ("2026-03-29T02:59:59.5+02:00", "2026-03-29T00:59:59.500000Z"),
        ("2026-03-29 02:59+0200", "2026-03-29T00:59:00.000000Z"),
        ("2026-03-29T00:59:59.123456999Z", "2026-03-29T00:59:59.123456Z"),
        ("2026-03-29T00:59:59", "2026-03-29T00:59:59.000000Z"),
        ("2026-03-29", "2026-03-29T00:00:00.000000Z"),
        (1774745999, "2026-03-29T00:59:59.000000Z"),
        (1774745999.25, "2026-03-29T00:59:59.250000Z"),
        ("1774745999", "2026-03-29T00:59:59.000000Z"),
        (-1, "1969-12-31T23:59:59.000000Z"),
    ],
)
def test_a_time_is_utc_to_the_microsecond(sent: Any, text: str) -> None:
    assert utc_text(sent) == text


@pytest.mark.parametrize(
    "sent",
    [
        *("now", "today", "09:00", "NaT", "nan", "", "March 2026", "2026-02-30", "1_0"),
        *(None, True, [], {}, 10**20, float("nan"), "２０２６-03-01"),
    ],
)
def test_what_is_no_time_is_an_error_and_no_clock_is_read(sent: Any) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError, OSError)):
        utc_text(sent)


def test_text_becomes_the_type_of_its_field() -> None:
    def text(*values: str | None) -> Any:
        return pd.Series(values, dtype=TEXT_TYPE)

    assert_series_equal(
        as_type(text("1.5", None, "x"), "Number"),
        pd.Series([1.5, None, None], dtype="Float64"),
    )
    assert_series_equal(
        as_type(text("true", "false", None, "yes"), "Boolean"),
        pd.Series([True, False, None, None], dtype="boolean"),
    )
    assert_series_equal(
        as_type(text("2026-03-01T09:00:00+01:00", None, "soon"), "DateTime"),
        pd.Series(
            [pd.Timestamp("2026-03-01T08:00Z"), None, None],
            dtype="datetime64[us, UTC]",
        ),
    )
    for other in ("Text", "SingleSelect", "Url", "User", "Novel"):
        assert_series_equal(as_type(text("1", None), other), text("1", None))


def changes(*pairs: tuple[Any, Any]) -> pd.DataFrame:
    fields = [
        {"eventFieldId": "f", "oldValue": old, "newValue": new} for old, new in pairs
    ]
    event = {
        "eventId": "e",
        "type": "Case.Updated",
        "performedTime": "2026-03-01T09:00:00Z",
        "fields": [*fields, {"eventFieldId": "g", "newValue": {"stringValue": "x"}}],
    }
    return cn.raw.changes_frame([{"auditEvents": [event]}], domain_id="d", case_id="c")


@pytest.mark.parametrize(
    ("pairs", "dtype", "new"),
    [
        ([({"emptyValue": {}}, {"doubleValue": 0})], "Float64", 0.0),
        ([(None, {"booleanValue": False})], "boolean", False),
        (
            [(None, {"stringValue": "2026-03-01T09:00:00Z"})],
            "datetime64[us, UTC]",
            pd.Timestamp("2026-03-01T09:00Z"),
        ),
        ([({"doubleValue": 1}, {"stringValue": "1"})], "str", "1"),
        ([(None, {"stringValue": "1.5"})], "str", "1.5"),
    ],
)
def test_typed_gives_the_type_that_all_values_have(
    pairs: Any, dtype: str, new: Any
) -> None:
    frame = changes(*pairs)
    before = frame.copy()
    rows = cn.typed(frame, "f")
    assert len(rows) == len(pairs)
    told = dtypes_of(rows)
    assert (told["old"], told["new"]) == (dtype, dtype)
    assert rows["new"][0] == new
    assert_frame_equal(frame, before)


def test_typed_says_which_fields_there_are() -> None:
    with pytest.raises(KeyError, match="'h'. Fields that changed: g"):
        cn.typed(changes(), "h")
