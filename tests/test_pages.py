"""The one loop: to the last page, with each page's own token, or an error."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from answers import Pages, event, reply

import casesnb as cn
from casesnb.wire.pages import iter_pages


def audit(answer: Any) -> Any:
    return list(
        iter_pages(cn.connect(answer), "GetCaseAuditEvents", domainId="d", caseId="c")
    )


@pytest.mark.parametrize(
    ("n", "n_pages"), [(0, 1), (1, 1), (25, 1), (26, 2), (10_000, 400)]
)
def test_a_case_loads_whole_whatever_its_length(n: int, n_pages: int) -> None:
    pages = Pages([event(i) for i in range(n)])
    history = cn.load_history(cn.connect(pages), "d", "c")
    assert history.events["event_id"].tolist() == [f"e{i}" for i in range(n)]
    assert len(pages.asked) == history.certificate.n_pages == n_pages
    assert history.certificate.reached_end


def test_the_second_page_is_asked_for_with_the_first_pages_token() -> None:
    pages = Pages([event(i) for i in range(26)])
    cn.load_history(cn.connect(pages), "d", "c")
    asked = [json.loads(request.body) for request in pages.asked]
    assert asked == [{"maxResults": 25}, {"maxResults": 25, "nextToken": "from-25"}]


@pytest.mark.parametrize("last", [None, ""])
def test_a_missing_and_an_empty_token_end_the_listing(last: str | None) -> None:
    answers = [
        {"auditEvents": [], "nextToken": "t"},
        {"auditEvents": [], "nextToken": last},
    ]
    assert len(audit(lambda request: reply(answers.pop(0)))) == 2


def test_an_empty_page_with_a_token_does_not_end_it() -> None:
    answers = [
        {"auditEvents": [], "nextToken": "t"},
        {"auditEvents": [event(0)]},
    ]
    history = cn.load_history(
        cn.connect(lambda request: reply(answers.pop(0))), "d", "c"
    )
    assert len(history.events) == 1


def test_a_repeated_token_raises() -> None:
    with pytest.raises(cn.PageError, match="sent one token twice"):
        audit(lambda request: reply({"auditEvents": [], "nextToken": "same"}))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>busy</html>",
        b'{"auditEvents":[{"eventId":"e',
        b"[]",
        b'{"auditEvents":[NaN]}',
        b'{"nextToken":7}',
    ],
)
def test_a_page_that_is_not_whole_raises_and_is_named(body: bytes) -> None:
    with pytest.raises(cn.PageError, match=r"GetCaseAuditEvents page 1 of .*caseId c"):
        audit(lambda request: reply(body))


def test_half_of_a_surrogate_pair_is_a_text() -> None:
    cut = json.dumps({"auditEvents": [event(0)]}).replace("t0", "t\\ud83d").encode()
    history = cn.load_history(cn.connect(lambda request: reply(cut)), "d", "c")
    assert history.changes["new"].tolist() == ["t\\ud83d"]
    assert history.certificate.reasons == (
        "unknown to casesnb, kept as they came: text that is not Unicode, escaped (1)",
    )


@pytest.mark.parametrize("date", ["yesterday", "Mon, 99 Mar 2026 12:00:00 GMT", ""])
def test_a_date_that_cannot_be_read_loses_nothing(date: str) -> None:
    def answer(request: cn.raw.Request) -> cn.raw.Response:
        return reply({"auditEvents": [event(0)]}, date=date)

    before = dt.datetime.now(dt.UTC)
    certificate = cn.load_history(cn.connect(answer), "d", "c").certificate
    assert certificate.verdict == "complete"
    assert before <= certificate.fetched_at <= dt.datetime.now(dt.UTC)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"auditEvents":null}', b'{"auditEvents":{}}']
)
def test_a_page_without_its_list_raises(body: bytes) -> None:
    with pytest.raises(cn.PageError, match="holds no list of auditEvents"):
        cn.load_history(cn.connect(lambda request: reply(body)), "d", "c")


def test_a_history_cut_short_by_an_error_raises() -> None:
    pages = Pages([event(i) for i in range(60)])

    def cut(request: cn.raw.Request) -> cn.raw.Response:
        if b"from-50" in request.body:
            denied = {"x-amzn-errortype": "AccessDeniedException"}
            return reply({"message": "no more"}, 403, **denied)
        return pages(request)

    client = cn.connect(cut)
    with pytest.raises(client.exceptions.AccessDeniedException):
        cn.load_history(client, "d", "c")


def test_raw_events_come_as_aws_sent_them() -> None:
    sent = [event(0, newMember={"x": 1}), None]
    events = list(cn.raw.iter_audit_events(cn.connect(Pages(sent)), "d", "c"))
    assert events == sent


def test_throttles_and_retries_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    slow = {"x-amzn-errortype": "ThrottlingException"}
    answers = [reply({}, 429, **slow), reply({"auditEvents": [event(0)]})]
    history = cn.load_history(cn.connect(lambda request: answers.pop(0)), "d", "c")
    assert (history.certificate.n_retries, history.certificate.n_throttles) == (1, 1)
    assert history.certificate.verdict == "complete"
