"""Loaders: whole frames, whole listings, and many cases at once."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pandas as pd
import pytest
from answers import Pages, event, reply
from pandas.testing import assert_frame_equal

import casesnb as cn
from casesnb.tables.schema import CASES, CHANGES, DOMAINS, EVENTS, UNLOADED

ARN = "arn:aws:cases:us-east-1:111122223333:domain/d"


def denied(request: cn.Request) -> cn.Response:
    return reply(
        {"message": "not yours"}, 403, **{"x-amzn-errortype": "AccessDeniedException"}
    )


def listing(member: str, items: list[Any], size: int = 2) -> Any:
    """Answer any list call with `items`, `size` a page."""

    def answer(request: cn.Request) -> cn.Response:
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


def test_zero_events_give_full_columns_and_dtypes() -> None:
    history = cn.load_history(cn.connect(Pages([])), "d", "c")
    for frame, table in ((history.events, EVENTS), (history.changes, CHANGES)):
        assert len(frame) == 0
        assert {
            name: str(dtype) for name, dtype in frame.dtypes.items()
        } == table.dtypes
    some = cn.load_history(cn.connect(Pages([event(0)])), "d", "c")
    assert (history.events.dtypes.astype(str) == some.events.dtypes.astype(str)).all()


def test_every_frame_of_a_history_carries_its_certificate() -> None:
    history = cn.load_history(cn.connect(Pages([event(0)])), "d", "c")
    for frame in (
        history.events,
        history.changes,
        history.events.query("sequence == 0"),
    ):
        assert (
            cn.Certificate.from_dict(frame.attrs["certificate"]) == history.certificate
        )
    assert repr(history) == f"History: {history.certificate}"


def test_the_certificate_says_what_was_loaded() -> None:
    pages = Pages([event(i) for i in range(60)], newest_first=True)
    certificate = cn.load_history(cn.connect(pages), "d", "c").certificate
    told = certificate.to_dict()
    for name in ("sha256", "boto3_version", "casesnb_version"):
        assert told.pop(name)
    assert told == {
        "verdict": "complete",
        "reasons": [],
        "domain_id": "d",
        "n_cases": 1,
        "n_pages": 3,
        "n_events": 60,
        "n_changes": 60,
        "n_nulls": 0,
        "n_duplicates": 0,
        "n_unknowns": 0,
        "n_ties": 0,
        "n_tokens": 2,
        "order_seen": "newest first",
        "n_retries": 0,
        "n_throttles": 0,
        "first_event_at": "2026-03-01T00:00:00+00:00",
        "last_event_at": "2026-03-01T00:59:00+00:00",
        "has_creation": True,
        "reached_end": True,
        "fetched_at": "2026-03-02T12:00:00+00:00",
        "source": "Pages",
    }


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("page_size", [1, 2, 7, 25])
def test_frames_do_not_depend_on_page_size_or_order(
    newest_first: bool, page_size: int
) -> None:
    events = [event(i) for i in range(30)]
    expected = cn.load_history(cn.connect(Pages(events)), "d", "c")
    client = cn.connect(Pages(events, newest_first=newest_first))
    history = cn.load_history(client, "d", "c", page_size=page_size)
    assert_frame_equal(history.events, expected.events)
    assert_frame_equal(history.changes, expected.changes)


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

    def answer(request: cn.Request) -> cn.Response:
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
            "title": pd.array(["One", None], dtype="str"),
            "created_datetime": pd.array(
                [pd.Timestamp("2026-03-01T09:00Z"), pd.NaT], dtype="datetime64[us, UTC]"
            ),
            "score": pd.array([2.0, None], dtype="Float64"),
            "vip": pd.array([False, None], dtype="boolean"),
        }
    )
    assert_frame_equal(frame, expected)


def test_a_limit_asks_for_no_more_pages_than_it_needs() -> None:
    asked: list[cn.Request] = []
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

    def answer(request: cn.Request) -> cn.Response:
        if request.operation == "ListFields":
            return reply({"fields": fields})
        first = {"id": "status", "value": {"stringValue": "open"}}
        second = {"id": "summary", "value": {"emptyValue": {}}}
        if b"nextToken" in request.body:
            return reply({"fields": [second], "templateId": "t"})
        return reply({"fields": [first, None], "templateId": "t", "nextToken": "n"})

    frame = cn.load_case(cn.connect(answer), "d", "c")
    assert frame[["field_id", "kind", "value"]].fillna("-").to_numpy().tolist() == [
        ["status", "string", "open"],
        ["summary", "empty", "-"],
    ]


def test_a_missing_case_is_botocores_own_error() -> None:
    missing = {"x-amzn-errortype": "ResourceNotFoundException"}
    gone = {"message": "gone", "resourceId": "c", "resourceType": "Case"}
    client = cn.connect(lambda request: reply(gone, 404, **missing))
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        cn.load_history(client, "d", "c")


class Cases:
    """Many cases of three events each; some denied, and one maybe slow."""

    def __init__(self, *, deny: tuple[str, ...] = (), hold: str | None = None) -> None:
        self.deny = deny
        self.hold = hold
        self.held = threading.Event()
        self.asked: list[str] = []

    def __call__(self, request: cn.Request) -> cn.Response:
        case_id = request.path.split("/")[4]
        self.asked.append(case_id)
        if case_id in self.deny:
            return denied(request)
        if case_id == self.hold:
            self.held.set()
            time.sleep(0.3)
        return Pages([event(i) for i in range(3)])(request)


def test_many_cases_come_in_the_order_asked_each_once() -> None:
    client = cn.connect(Cases(hold="c1"))
    history = cn.load_histories(client, "d", ["c2", "c1", "c3", "c1"], workers=3)
    assert history.events["case_id"].unique().tolist() == ["c2", "c1", "c3"]
    assert history.events["sequence"].tolist() == [0, 1, 2] * 3
    assert history.certificate.n_cases == 3
    assert history.certificate.verdict == "complete"
    one = cn.load_history(client, "d", "c2")
    rows = history.changes[history.changes["case_id"] == "c2"].reset_index(drop=True)
    assert_frame_equal(
        rows.astype({"case_id": "str"}), one.changes.astype({"case_id": "str"})
    )


def test_no_cases_are_an_empty_history() -> None:
    history = cn.load_histories(cn.connect(Cases()), "d", [])
    assert_frame_equal(history.events, EVENTS.empty())
    assert history.certificate.n_cases == 0


def test_a_denied_case_is_set_down_beside_the_rest() -> None:
    client = cn.connect(Cases(deny=("c2",)))
    cases = [f"c{i}" for i in range(5)]
    history = cn.load_histories(client, "d", cases, errors="collect")
    assert_frame_equal(
        history.unloaded,
        UNLOADED.cast(
            pd.DataFrame(
                {
                    "domain_id": ["d"],
                    "case_id": ["c2"],
                    "error": ["AccessDeniedException"],
                    "message": [
                        "An error occurred (AccessDeniedException) when calling the "
                        "GetCaseAuditEvents operation: not yours"
                    ],
                }
            )
        ),
    )
    assert history.certificate.verdict == "partial"
    assert history.certificate.reasons == ("1 of 5 cases could not be loaded",)
    assert set(history.events["case_id"]) == {"c0", "c1", "c3", "c4"}


def test_a_denied_case_ends_the_load_unless_collected() -> None:
    client = cn.connect(Cases(deny=("c0",)))
    with pytest.raises(client.exceptions.AccessDeniedException):
        cn.load_histories(client, "d", [f"c{i}" for i in range(50)], workers=2)


def test_ctrl_c_returns_what_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Cases()
    seen: list[str] = []

    def interrupted(request: cn.Request) -> cn.Response:
        seen.append(request.path)
        return answer(request)

    import casesnb.tables.load as load

    def shown(items: Any, *_: Any, **__: Any) -> Any:
        for number, item in enumerate(items):
            yield item
            if number == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(load, "_shown", shown)
    history = cn.load_histories(
        cn.connect(interrupted), "d", [f"c{i}" for i in range(40)], workers=2
    )
    assert history.certificate.n_cases == 4
    assert history.certificate.verdict == "partial"
    assert history.certificate.reasons == ("stopped after 4 of 40 cases",)
    assert not history.certificate.reached_end
    assert len(seen) < 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"errors": "ignore"}, r"errors='ignore' is neither 'raise' nor 'collect'\."),
        ({"workers": 0}, r"workers=0 asks for nobody\. Give 1 or more\."),
    ],
)
def test_odd_arguments_are_one_sentence(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        cn.load_histories(cn.connect(Cases()), "d", ["c"], **arguments)


def test_progress_is_shown_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    client = cn.connect(Cases())
    cn.load_histories(client, "d", ["c1", "c2"])
    assert capsys.readouterr().err == ""
    cn.load_histories(client, "d", ["c1", "c2"], progress=True)
    assert "2/2" in capsys.readouterr().err


def test_progress_may_be_told_to_a_function_which_may_stop_the_load() -> None:
    class EnoughError(Exception):
        pass

    def tell(n: int) -> None:
        told.append(n)
        if n == 2:
            raise EnoughError

    told: list[int] = []
    pages = Pages([event(number) for number in range(100)])
    with pytest.raises(EnoughError):
        cn.load_history(cn.connect(pages), "d", "c", progress=tell)
    assert told == [1, 2]
    assert len(pages.asked) == 2


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set this process's time zone, and put it back."""

    def move(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield move
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "zone", ["UTC", "America/Caracas", "Asia/Kolkata", "Pacific/Apia"]
)
def test_frames_do_not_depend_on_this_machines_zone(zone: str, elsewhere: Any) -> None:
    events = [
        event(0, performedTime="2026-03-29T00:59:59.123456789Z"),
        event(1, performedTime="2026-03-29T03:00:00+02:00"),
        event(2, performedTime=1774749600.5),
        event(3, performedTime="2026-03-29T02:00:01"),
    ]
    elsewhere(zone)
    frame = cn.load_history(cn.connect(Pages(events)), "d", "c").events
    assert frame["performed_at"].astype(str).tolist() == [
        "2026-03-29 00:59:59.123456+00:00",
        "2026-03-29 01:00:00.000000+00:00",
        "2026-03-29 02:00:00.500000+00:00",
        "2026-03-29 02:00:01.000000+00:00",
    ]
