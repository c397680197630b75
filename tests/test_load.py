"""Lists: each read to its last page, each frame whole."""

from __future__ import annotations

import json
import re
from typing import Any

import pandas as pd
import pytest
from answers import reply
from pandas.testing import assert_frame_equal

import casesnb as cn
from casesnb.schema import CASES, DOMAINS
from casesnb.tables.schema import TEXT_TYPE

ARN = "arn:aws:cases:us-east-1:111122223333:domain/d"


def listing(member: str, items: list[Any], size: int = 2) -> Any:
    """Answer any list call with `items`, `size` a page."""

    def answer(request: cn.raw.Request) -> cn.raw.Response:
        query = dict(pair.split("=") for pair in request.query.split("&") if pair)
        token = query.get("nextToken") or json.loads(request.body or b"{}").get(
            "nextToken"
        )
        start = int(token or 0)
        page: dict[str, Any] = {member: items[start : start + size]}
        if start + size < len(items):
            page["nextToken"] = str(start + size)
        return reply(page)

    return answer


def test_domains_are_read_to_the_last_page() -> None:
    sent = [
        {"domainId": f"d{i}", "domainArn": f"{ARN}{i}", "name": "N"} for i in range(5)
    ]
    frame = cn.load_domains(cn.connect(listing("domains", sent)))
    expected = pd.DataFrame(
        {
            "domain_id": [f"d{i}" for i in range(5)],
            "domain_arn": [f"{ARN}{i}" for i in range(5)],
            "name": ["N"] * 5,
        }
    )
    assert_frame_equal(frame, DOMAINS.cast(expected))


def test_no_domains_give_the_full_columns() -> None:
    assert_frame_equal(
        cn.load_domains(cn.connect(listing("domains", []))), DOMAINS.empty()
    )


def test_fields_say_which_are_system_fields() -> None:
    sent = [
        {
            "fieldId": name,
            "fieldArn": f"{ARN}/field/{name}",
            "name": name.title(),
            "type": "Text",
            "namespace": space,
        }
        for name, space in (
            ("zeta", "Custom"),
            ("alpha", "Custom"),
            ("title", "System"),
        )
    ]
    frame = cn.load_fields(cn.connect(listing("fields", sent)), "d")
    assert frame["field_id"].tolist() == ["title", "alpha", "zeta"]
    assert frame["is_deleted"].tolist() == [False] * 3


def test_cases_have_a_typed_column_for_each_field_asked() -> None:
    sent = [
        {
            "caseId": "c1",
            "templateId": "t",
            "fields": [
                {"id": "title", "value": {"stringValue": "One"}},
                {
                    "id": "created_datetime",
                    "value": {"stringValue": "2026-03-01T09:00:00Z"},
                },
                {"id": "score", "value": {"doubleValue": 2}},
                {"id": "vip", "value": {"booleanValue": False}},
            ],
        },
        None,
        {"caseId": "c2", "templateId": "t", "fields": [{"id": "vip", "value": {}}]},
    ]
    fields = [
        {"fieldId": n, "fieldArn": "a", "name": n, "type": t, "namespace": "Custom"}
        for n, t in (("score", "Number"), ("vip", "Boolean"))
    ]

    def answer(request: cn.raw.Request) -> cn.raw.Response:
        if request.operation == "ListFields":
            return reply({"fields": fields})
        return listing("cases", sent)(request)

    asked = ["title", "created_datetime", "score", "vip"]
    frame = cn.load_cases(cn.connect(answer), "d", fields=asked)
    expected = pd.DataFrame(
        {
            "domain_id": ["d", "d"],
            "case_id": ["c1", "c2"],
            "template_id": ["t", "t"],
            "title": pd.array(["One", None], dtype=TEXT_TYPE),
            "created_datetime": pd.array(
                [pd.Timestamp("2026-03-01T09:00Z"), pd.NaT], dtype="datetime64[us, UTC]"
            ),
            "score": pd.array([2.0, None], dtype="Float64"),
            "vip": pd.array([False, None], dtype="boolean"),
        }
    )
    expected = expected.astype(dict.fromkeys(CASES.names, TEXT_TYPE))
    assert_frame_equal(frame, expected)


def test_a_case_that_came_on_two_pages_has_one_row_and_is_told() -> None:
    def case(name: str, title: str) -> dict[str, Any]:
        field = {"id": "title", "value": {"stringValue": title}}
        return {"caseId": name, "templateId": "t", "fields": [field]}

    sent = [case("a", "old"), case("b", "x"), case("a", "new"), case("c", "y")]
    client = cn.connect(listing("cases", sent))
    with pytest.warns(UserWarning, match="1 case came twice: .* others may be missing"):
        frame = cn.load_cases(client, "d", fields=["title"])
    assert frame["case_id"].tolist() == ["a", "b", "c"]
    assert frame["title"].tolist() == ["new", "x", "y"]


def test_a_limit_asks_for_no_more_pages_than_it_needs() -> None:
    asked: list[cn.raw.Request] = []
    sent = [{"caseId": f"c{i}", "templateId": "t", "fields": []} for i in range(10)]
    answer = listing("cases", sent)
    client = cn.connect(lambda request: (asked.append(request), answer(request))[1])
    frame = cn.load_cases(client, "d", limit=3)
    assert frame["case_id"].tolist() == ["c0", "c1", "c2"]
    assert len(asked) == 2
    assert json.loads(asked[0].body)["maxResults"] == 3
    assert list(cn.load_cases(client, "d", limit=0).columns[:3]) == CASES.names
    assert len(asked) == 2


def test_a_case_has_a_row_for_each_field_it_was_given() -> None:
    fields = [
        {
            "fieldId": n,
            "fieldArn": "a",
            "name": n,
            "type": "Text",
            "namespace": "System",
        }
        for n in ("status", "summary", "title")
    ]

    def answer(request: cn.raw.Request) -> cn.raw.Response:
        if request.operation == "ListFields":
            return reply({"fields": fields})
        first = {"id": "status", "value": {"stringValue": "open"}}
        second = {"id": "summary", "value": {"emptyValue": {}}}
        if b"nextToken" in request.body:
            return reply({"fields": [second], "templateId": "t"})
        return reply({"fields": [first, None], "templateId": "t", "nextToken": "n"})

    frame = cn.load_case_fields(cn.connect(answer), "d", "c")
    assert frame[["field_id", "kind", "value"]].fillna("-").to_numpy().tolist() == [
        ["status", "string", "open"],
        ["summary", "empty", "-"],
    ]


CUSTOM = {
    "fieldId": "score",
    "fieldArn": f"{ARN}/field/score",
    "name": "Score",
    "type": "Number",
    "namespace": "Custom",
}


def found(*cases: Any) -> Any:
    """Answer a search with cases, and say what the field ``score`` is."""

    def answer(request: cn.raw.Request) -> cn.raw.Response:
        is_search = request.operation == "SearchCases"
        return reply({"cases": [*cases]} if is_search else {"fields": [CUSTOM]})

    return cn.connect(answer)


def test_columns_have_their_types_whatever_matches() -> None:
    held = {"id": "score", "value": {"doubleValue": 2}}
    case = {"caseId": "c", "templateId": "t", "fields": [held]}
    some, none = (
        cn.load_cases(client, "d", fields=["score", "created_datetime"])
        for client in (found(case), found())
    )
    assert some["score"].tolist() == [2.0]
    assert_frame_equal(some[:0], none)


def test_a_value_of_an_unknown_kind_keeps_its_content() -> None:
    odd = {"id": "title", "value": {"listValue": ["a"]}}
    case = {"caseId": "c", "templateId": "t", "fields": [odd, None]}
    frame = cn.load_cases(found(case), "d", fields=["title"])
    assert frame["title"].isna().tolist() == [True]
    client = cn.connect(listing("fields", [odd]))
    row = cn.load_case_fields(client, "d", "c", fields=["title"]).loc[0]
    assert (row["kind"], row["value"]) == ("unknown", '{"listValue":["a"]}')


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ({"templateId": "t", "fields": []}, r"\(no caseId\)"),
        ({"caseId": "c", "fields": [{"value": {}}]}, r"\(no id\)"),
        (
            {"caseId": "c", "fields": [{"id": "f", "value": {"doubleValue": "x"}}]},
            "a text of 1 character is not a doubleValue",
        ),
        ({"caseId": "c", "fields": [7]}, "'int' object"),
        ("c", "holds a text of 1 character that is not one of cases"),
    ],
)
def test_an_odd_item_names_its_page(case: Any, why: str) -> None:
    with pytest.raises(
        cn.errors.PageError, match=f"SearchCases page 1 of domainId d.*{why}"
    ):
        cn.load_cases(found(case), "d")


def test_options_are_those_of_every_list_where_no_field_is_named() -> None:
    def answer(request: cn.raw.Request) -> cn.raw.Response:
        if request.operation == "ListFields":
            told = {"fields": [
                {"fieldId": name, "fieldArn": f"{ARN}/field/{name}", "name": name,
                 "type": kind, "namespace": "Custom"}
                for name, kind in (("a", "SingleSelect"), ("b", "Text"))
            ]}  # fmt: skip
        else:
            (field_id,) = re.findall("fields/([^/]+)/options", request.path)
            told = {"options": [{"name": f"Of {field_id}", "value": "x"}]}
        return cn.raw.Response(200, {}, json.dumps(told).encode())

    found = cn.load_options(cn.connect(answer), "d")
    assert found[["field_id", "name"]].to_numpy().tolist() == [["a", "Of a"]]
    found = cn.load_options(cn.connect(answer), "d", ["b"])
    assert found[["field_id", "name"]].to_numpy().tolist() == [["b", "Of b"]]
