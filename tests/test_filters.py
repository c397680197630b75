"""Filters: written as Python compares, taken as AWS's model says."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import botocore.session
import numpy as np
import pandas as pd
import pytest
from answers import reply
from botocore.validate import ParamValidator

import casesnb as cn
from casesnb.tables.filters import CaseFilter

MODEL = botocore.session.get_session().get_service_model("connectcases")
USER = "arn:aws:connect:us-east-1:111122223333:instance/i-1/agent/a-1"
ZONE = dt.timezone(dt.timedelta(hours=2))


def widest(condition: Any) -> int:
    """The most conditions in any one group."""
    if not isinstance(condition, dict):
        return 0
    groups = [v for k, v in condition.items() if k in {"andAll", "orAll"}]
    inner = [part for group in groups for part in group]
    inner += [v for k, v in condition.items() if k == "not"]
    return max([len(g) for g in groups] + [widest(part) for part in inner], default=0)


def leaves(condition: Any) -> list[Any]:
    ((name, inner),) = condition.items()
    if name in {"andAll", "orAll"}:
        return [leaf for part in inner for leaf in leaves(part)]
    return [condition]


def valid(condition: CaseFilter) -> dict[str, Any]:
    shape = MODEL.operation_model("SearchCases").input_shape
    asked = {"domainId": "d", "filter": dict(condition)}
    report = ParamValidator().validate(asked, shape)
    assert not report.has_errors(), report.generate_report()
    return asked["filter"]


@pytest.mark.parametrize(
    ("value", "union"),
    [
        ("open", {"stringValue": "open"}),
        ("", {"stringValue": ""}),
        (3, {"doubleValue": 3.0}),
        (0.5, {"doubleValue": 0.5}),
        (np.int64(3), {"doubleValue": 3.0}),
        (np.float64(0.5), {"doubleValue": 0.5}),
        (True, {"booleanValue": True}),
        (np.bool_(False), {"booleanValue": False}),
        (None, {"emptyValue": {}}),
        (USER, {"userArnValue": USER}),
        (f"see {USER}", {"stringValue": f"see {USER}"}),
        (
            dt.datetime(2026, 3, 1, 9, tzinfo=ZONE),
            {"stringValue": "2026-03-01T07:00:00Z"},
        ),
        (
            pd.Timestamp("2026-03-01T09:00:00.123456789Z"),
            {"stringValue": "2026-03-01T09:00:00.123456Z"},
        ),
    ],
)
def test_a_value_is_rendered_as_its_own_kind(value: Any, union: Any) -> None:
    expected = {"field": {"equalTo": {"id": "f", "value": union}}}
    assert valid(cn.where("f") == value) == expected


@pytest.mark.parametrize(
    ("condition", "operator"),
    [
        (cn.where("f") < 2, "lessThan"),
        (cn.where("f") <= 2, "lessThanOrEqualTo"),
        (cn.where("f") > 2, "greaterThan"),
        (cn.where("f") >= 2, "greaterThanOrEqualTo"),
        (2 > cn.where("f"), "lessThan"),  # noqa: SIM300
    ],
)
def test_each_comparison_is_its_operator(condition: CaseFilter, operator: str) -> None:
    operand = {"id": "f", "value": {"doubleValue": 2.0}}
    assert valid(condition) == {"field": {operator: operand}}


def test_contains_between_and_is_in() -> None:
    f = cn.where("f")
    operand = {"id": "f", "value": {"stringValue": USER}}
    assert valid(f.contains(USER)) == {"field": {"contains": operand}}
    assert valid(f.between(1, 2)) == {"andAll": [dict(f >= 1), dict(f <= 2)]}
    assert valid(f.is_in(["a", None])) == {"orAll": [dict(f == "a"), dict(f == None)]}  # noqa: E711
    assert valid(f.is_in(["a"])) == dict(f == "a")


def test_not_and_tags() -> None:
    tag = cn.where_tag("team") == "x"
    expected = {"tag": {"equalTo": {"key": "team", "value": "x"}}}
    assert valid(tag) == expected
    assert valid(cn.where_tag("team") != "x") == {"not": expected}
    assert valid(~tag) == {"not": expected}
    assert valid(~~tag) == expected
    assert valid(cn.where("f") != 1) == {"not": dict(cn.where("f") == 1)}


def test_groups_of_one_kind_are_one_group() -> None:
    a, b, c, d = (cn.where(name) == 1 for name in "abcd")
    assert valid((a & b) & (c & d)) == {"andAll": [dict(x) for x in (a, b, c, d)]}
    assert valid(a | (b | c)) == {"orAll": [dict(x) for x in (a, b, c)]}
    assert valid(a & (b | c)) == {"andAll": [dict(a), {"orAll": [dict(b), dict(c)]}]}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (np.datetime64("2026-03-01T09:00"), "2026-03-01 09:00:00 has no time zone"),
        (np.datetime64("2026-03-01T09:00", "ns"), "has no time zone"),
        (np.datetime64("NaT"), "NaT has no time zone"),
        (pd.NaT, "NaT has no time zone"),
        (np.timedelta64(5, "h"), "is not a value of a case"),
        (np.timedelta64(5, "ns"), "is not a value of a case"),
        (pd.Series(["open"]), "is not a value of a case"),
        (np.array(["open"]), "is not a value of a case"),
    ],
)
def test_what_numpy_and_pandas_have_is_no_number(value: Any, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        cn.where("f").__ge__(value)


@pytest.mark.parametrize("n", [1, 10, 11, 20, 21, 100, 101, 1234])
def test_no_group_is_wider_than_aws_takes_and_nothing_is_lost(n: int) -> None:
    condition = cn.where("f").is_in([f"v{i}" for i in range(n)])
    rendered = valid(condition)
    assert widest(rendered) <= 10
    assert leaves(rendered) == [dict(cn.where("f") == f"v{i}") for i in range(n)]
    assert widest(valid(~condition & condition)) <= 10


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: cn.where("f") < None, "more or less than None"),
        (lambda: cn.where("f") == [1], "not a value of a case"),
        (lambda: cn.where("f") == dt.date(2026, 3, 1), "not a value of a case"),
        (lambda: cn.where("f") == dt.datetime(2026, 3, 1), "has no time zone"),  # noqa: DTZ001
        (lambda: cn.where("f") > math.inf, "not a number"),
        (lambda: 1 < cn.where("f") < 2, "neither true nor false"),
        (lambda: cn.where("f").is_in([]), "at least one value"),
        (lambda: cn.where("f").is_in("open"), "Give a list"),
        (lambda: cn.where("f").contains(1), "looks for text"),
        (lambda: cn.where(""), "named by its id"),
        (lambda: cn.where_tag("t") == 1, "holds text"),
        (
            lambda: ((cn.where_tag("t") == "x") | (cn.where("a") == 1)).matches({}),
            r"No history tells a case's tags: .*history\.only",
        ),
        (lambda: (cn.where("f") == 1) & {"field": {}}, "is not a filter"),
        (lambda: (cn.where("f") == 1) & "open", "is not a filter"),
        (lambda: CaseFilter({}), "one condition"),
    ],
)
def test_what_cannot_be_asked_is_an_error(wrong: Any, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        wrong()


def test_load_cases_takes_a_filter_or_a_plain_mapping() -> None:
    asked: list[bytes] = []

    def answer(request: cn.raw.Request) -> cn.raw.Response:
        asked.append(request.body)
        return reply({"cases": []})

    wanted = (cn.where("status") == "open") & (cn.where("title") != "x")
    cn.load_cases(cn.connect(answer), "d", filter=wanted)
    cn.load_cases(cn.connect(answer), "d", filter=dict(wanted))
    assert asked[0] == asked[1]
    assert b'"filter":' in asked[0]


def test_the_sandbox_finds_what_the_filter_says() -> None:
    client = cn.connect(cn.sandbox.World(seed=7))
    domain_id = cn.load_domains(client).loc[0, "domain_id"]
    everything = cn.load_cases(client, domain_id)
    since = everything["created_datetime"].quantile(0.5)
    wanted = (cn.where("status") == "closed") & (cn.where("created_datetime") >= since)
    found = cn.load_cases(client, domain_id, filter=wanted)
    expected = everything[
        (everything["status"] == "closed") & (everything["created_datetime"] >= since)
    ]
    assert 0 < len(found) < len(everything)
    assert set(found["case_id"]) == set(expected["case_id"])
    others = cn.load_cases(client, domain_id, filter=~wanted)
    assert len(found) + len(others) == len(everything)
