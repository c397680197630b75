"""Tidy: a dict literal in, the whole frame out."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pandas as pd
import pytest
from answers import event as event_of
from pandas.testing import assert_frame_equal

import casesnb as cn
from casesnb.schema import CHANGES, EVENTS
from casesnb.tables import decode
from casesnb.tables.tidy import OPERATION, tidy
from casesnb.wire.pages import Page

ANNA = "arn:aws:connect:us-east-1:1:instance/i/agent/anna"
SERVICE = (
    "arn:aws:iam::1:role/aws-service-role/connect.amazonaws.com/"
    "AWSServiceRoleForAmazonConnect_x"
)
PAGE = {
    "auditEvents": [
        {
            "eventId": "e3",
            "type": "Case.Merged",
            "performedTime": "2026-03-01T11:00:00.5Z",
            "fields": [],
            "performedBy": {"iamPrincipalArn": "arn:aws:iam::1:role/desk"},
            "mergeMetadata": {
                "mergeEventId": "m",
                "primaryCaseId": "c",
                "secondaryCaseId": "k",
            },
        },
        {
            "eventId": "e2",
            "type": "RelatedItem.Created",
            "relatedItemType": "Comment",
            "performedTime": "2026-03-01T11:30:00+01:00",
            "fields": [
                {"eventFieldId": "comment.body", "newValue": {"stringValue": ""}},
                {
                    "eventFieldId": "score",
                    "oldValue": {"emptyValue": {}},
                    "newValue": {"doubleValue": 0},
                },
                {"eventFieldId": "score", "newValue": {"booleanValue": False}},
            ],
            "performedBy": {
                "iamPrincipalArn": "arn:aws:iam::1:role/desk",
                "user": {"userArn": ANNA},
            },
        },
        {
            "eventId": "e1",
            "type": "Case.Created",
            "performedTime": "2026-03-01T10:00:00Z",
            "fields": [
                {"eventFieldId": "assigned_user", "newValue": {"userArnValue": ANNA}}
            ],
            "performedBy": {"iamPrincipalArn": SERVICE, "user": {}},
        },
    ]
}


def rows(table: Any, common: dict[str, Any], *each: dict[str, Any]) -> pd.DataFrame:
    blank = dict.fromkeys(table.names)
    return table.cast(pd.DataFrame([{**blank, **common, **row} for row in each]))


FIRST = {
    "event_id": "e1",
    "sequence": 0,
    "performed_at": pd.Timestamp("2026-03-01T10:00Z"),
    "event_type": "Case.Created",
    "actor": SERVICE,
    "actor_kind": "service",
}
SECOND = {
    "event_id": "e2",
    "sequence": 1,
    "performed_at": pd.Timestamp("2026-03-01T10:30Z"),
    "event_type": "RelatedItem.Created",
    "actor": ANNA,
    "actor_kind": "agent",
}
COMMON = {
    "domain_id": "d",
    "case_id": "c",
    "is_order_known": True,
    "order_by": "time",
}


def test_events_are_a_row_each_oldest_first() -> None:
    expected = rows(
        EVENTS,
        COMMON,
        {**FIRST, "iam_principal_arn": SERVICE, "n_changes": 1},
        {
            **SECOND,
            "related_item_type": "Comment",
            "user_arn": ANNA,
            "iam_principal_arn": "arn:aws:iam::1:role/desk",
            "n_changes": 3,
        },
        {
            "event_id": "e3",
            "sequence": 2,
            "performed_at": pd.Timestamp("2026-03-01T11:00:00.5Z"),
            "event_type": "Case.Merged",
            "actor": "arn:aws:iam::1:role/desk",
            "actor_kind": "role",
            "iam_principal_arn": "arn:aws:iam::1:role/desk",
            "merge_event_id": "m",
            "primary_case_id": "c",
            "secondary_case_id": "k",
            "n_changes": 0,
        },
    )
    found = cn.raw.events_frame([PAGE], domain_id="d", case_id="c")
    assert_frame_equal(found, expected)


def test_changes_are_a_row_each_in_the_order_of_their_event() -> None:
    expected = rows(
        CHANGES,
        {**COMMON, "is_outcome_known": True},
        {
            **FIRST,
            "slot": 0,
            "field_id": "assigned_user",
            "new_kind": "user_arn",
            "new": ANNA,
        },
        {
            **SECOND,
            "slot": 0,
            "field_id": "comment.body",
            "new_kind": "string",
            "new": "",
        },
        {
            **SECOND,
            "slot": 1,
            "field_id": "score",
            "old_kind": "empty",
            "new_kind": "double",
            "new": "0.0",
        },
        {
            **SECOND,
            "slot": 2,
            "field_id": "score",
            "new_kind": "boolean",
            "new": "false",
        },
    )
    found = cn.raw.changes_frame([PAGE], domain_id="d", case_id="c")
    assert_frame_equal(found, expected)


@pytest.mark.parametrize(
    "spelling",
    [
        json.dumps,
        lambda page: json.dumps(page).encode(),
        lambda page: json.dumps(page, indent=3),
        lambda page: {**page, "ResponseMetadata": {"HTTPStatusCode": 200}},
        lambda page: f" \r\n{json.dumps(page)}\n",
    ],
)
def test_a_page_may_come_as_text_bytes_or_what_boto3_returned(spelling: Any) -> None:
    expected = tidy([PAGE], domain_id="d", case_id="c")
    found = tidy([spelling(PAGE)], domain_id="d", case_id="c")
    assert_frame_equal(found[0], expected[0])
    assert_frame_equal(found[1], expected[1])


def test_an_event_on_two_pages_is_one_and_is_counted() -> None:
    first, second = PAGE["auditEvents"][:2], PAGE["auditEvents"][1:]
    events, changes, counts = tidy(
        [{"auditEvents": first}, {"auditEvents": second}], domain_id="d", case_id="c"
    )
    expected = tidy([PAGE], domain_id="d", case_id="c")
    assert_frame_equal(events, expected[0])
    assert_frame_equal(changes, expected[1])
    assert counts["d", "c"].n_duplicates == 1
    assert counts["d", "c"].n_conflicts == 0


@pytest.mark.parametrize("batch", [1, 300, 10**6])
def test_an_event_of_two_batches_is_one_and_an_id_of_two_cases_is_two_events(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "_BATCH", batch)
    events = [event_of(n) for n in range(6)]

    def page(case_id: str, some: list[dict[str, Any]]) -> Page:
        body = json.dumps({"auditEvents": some}).encode()
        return Page(OPERATION, {"domainId": "d", "caseId": case_id}, 0, body)

    pages = [
        page("c", events[:4]),
        page("other", events[:4]),
        page("c", events[3:]),
        page("third", [events[0], events[1], events[0]]),
    ]
    found, _, counts = tidy(pages)
    held = found.groupby("case_id", observed=True)["event_id"].agg(list).to_dict()
    assert {name: len(ids) for name, ids in held.items()} == {
        "c": 6,
        "other": 4,
        "third": 2,
    }
    assert all(
        ids == [e["eventId"] for e in events[: len(ids)]] for ids in held.values()
    )
    told = {case_id: each.n_duplicates for (_, case_id), each in counts.items()}
    assert told == {"c": 1, "other": 0, "third": 1}


def test_an_event_that_comes_again_with_other_content_is_counted_as_a_conflict() -> (
    None
):
    first, again = PAGE["auditEvents"][:2], json.loads(json.dumps(PAGE["auditEvents"]))
    again[1]["performedBy"] = {"iamPrincipalArn": "arn:aws:iam::1:role/other"}
    pages = [{"auditEvents": first}, {"auditEvents": again}]
    _, _, counts = tidy(pages, domain_id="d", case_id="c")
    assert (counts["d", "c"].n_duplicates, counts["d", "c"].n_conflicts) == (2, 1)


def test_what_casesnb_does_not_know_is_kept_beside_the_rest() -> None:
    event = {
        **PAGE["auditEvents"][1],
        "mood": "good",
        "performedBy": {"user": {"userArn": ANNA, "badge": 7}, "via": "api"},
        "fields": [
            {
                "eventFieldId": "f",
                "newValue": {"novelValue": 1},
                "confidence": 0.5,
            },
            None,
        ],
    }
    events, changes, counts = tidy(
        [{"auditEvents": [None, event]}], domain_id="d", case_id="c"
    )
    assert json.loads(events.loc[0, "extra"]) == {
        "fields": [{"eventFieldId": "f", "confidence": 0.5}],
        "performedBy": {"via": "api"},
        "user": {"badge": 7},
        "mood": "good",
    }
    assert changes[["new_kind", "new"]].to_numpy().tolist() == [
        ["unknown", '{"novelValue":1}']
    ]
    assert counts["d", "c"].n_nulls == 2
    assert counts["d", "c"].unknowns == {
        "value member novelValue": 1,
        "field member confidence": 1,
        "performedBy member via": 1,
        "user member badge": 1,
        "event member mood": 1,
    }


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (json.dumps(PAGE)[:-20], "is not whole JSON"),
        ("<html>", "is not whole JSON"),
        ("{}", "holds no list of auditEvents"),
        ('{"auditEvents": null}', "holds no list of auditEvents"),
        ('{"auditEvents": [1]}', "holds a number where an event should be"),
        ('{"auditEvents": [{"type": "x"}]}', "without eventId"),
        (json.dumps(PAGE).replace("doubleValue", "stringValue"), "not a stringValue"),
        (
            json.dumps(PAGE).replace('"emptyValue": {}', '"emptyValue": {}, "x": 1'),
            "of two kinds",
        ),
        (json.dumps(PAGE).replace("2026-03-01T10", "soon"), "not a time"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_names_page_and_case(
    body: str, says: str
) -> None:
    pages = [PAGE, body]
    with pytest.raises(cn.errors.PageError, match=says) as caught:
        tidy(pages, domain_id="d", case_id="c")
    assert "page 2 of domainId d, caseId c" in str(caught.value)


def test_one_page_or_a_page_of_no_case_is_an_error_that_says_what_to_give() -> None:
    with pytest.raises(TypeError, match=r"Give a list of pages: \[page\]"):
        cn.raw.events_frame(PAGE, domain_id="d", case_id="c")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Give domain_id= and case_id="):
        cn.raw.events_frame([PAGE])


def test_no_pages_are_the_whole_tables_without_rows() -> None:
    events, changes, counts = tidy([])
    assert_frame_equal(events, EVENTS.empty())
    assert_frame_equal(changes, CHANGES.empty())
    assert counts == {}


def test_the_pages_given_are_left_as_they_were() -> None:
    before = json.dumps(PAGE)
    tidy([PAGE], domain_id="d", case_id="c")
    assert json.dumps(PAGE) == before


@pytest.mark.parametrize("size", [1, 3_000, 40_000])
def test_it_does_not_matter_how_many_bytes_are_read_at_a_time(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty pages, three of them odd: one says more, one is null in part."""
    pages = []
    for number in range(40):
        page = json.loads(json.dumps(PAGE))
        for event in page["auditEvents"]:
            event["eventId"] += f" of page {number}"
        if number == 7:
            page["auditEvents"][0]["mood"] = "good"
        if number in {20, 39}:
            page["auditEvents"].append(None)
        pages.append(page)
    events, changes, counts = tidy(pages, domain_id="d", case_id="c")
    of_case = counts["d", "c"]
    assert (len(events), of_case.n_nulls, of_case.unknowns.total()) == (120, 2, 1)
    monkeypatch.setattr(decode, "_BATCH", size)
    again = tidy(pages, domain_id="d", case_id="c")
    assert_frame_equal(again[0], events)
    assert_frame_equal(again[1], changes)
    assert again[2] == counts


def test_a_blank_type_of_item_is_none() -> None:
    page = json.loads(json.dumps(PAGE))
    for event in page["auditEvents"]:
        event["relatedItemType"] = ""
    events, _, counts = tidy([page], domain_id="d", case_id="c")
    assert events["related_item_type"].isna().all()
    assert not counts["d", "c"].unknowns


def test_what_boto3_parsed_is_read_as_what_came() -> None:
    at = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
    text, novel = {"stringValue": "a"}, {"SDK_UNKNOWN_MEMBER": {"name": "novelValue"}}
    page = {
        "auditEvents": [
            {
                "eventId": "e0",
                "type": "Case.Created",
                "performedTime": at,
                "fields": [{"eventFieldId": "f", "oldValue": text, "newValue": novel}],
            }
        ],
        "ResponseMetadata": {"HTTPStatusCode": 200},
    }
    events, changes, counts = tidy([page], domain_id="d", case_id="c")
    assert events["performed_at"].tolist() == [pd.Timestamp(at)]
    assert changes[["old", "new_kind"]].to_numpy().tolist() == [["a", "unknown"]]
    assert counts["d", "c"].unknowns == {"value member novelValue": 1}


def test_a_member_of_a_page_that_nobody_documents_is_counted() -> None:
    page = json.loads(json.dumps(PAGE)) | {"mood": "good"}
    _, _, counts = tidy([page, page], domain_id="d", case_id="c")
    assert counts["d", "c"].unknowns == {"page member mood": 2}


def test_a_page_was_asked_for_once_unless_it_says_more() -> None:
    page = Page(OPERATION, {"domainId": "d", "caseId": "c"}, 0, b"{}")
    assert (page.retries, page.throttles, page.next_token) == (0, 0, None)
