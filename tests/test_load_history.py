"""Histories: whole frames, their certificate, and many cases at once."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from typing import Any

import pandas as pd
import pytest
from answers import Pages, event, reply
from botocore.exceptions import ClientError
from engines import dtypes_of
from pandas.testing import assert_frame_equal

import casesnb as cn
from casesnb.schema import CHANGES, EVENTS, UNLOADED
from casesnb.tables.workers import as_they_come


def denied(request: cn.raw.Request) -> cn.raw.Response:
    return reply(
        {"message": "not yours"}, 403, **{"x-amzn-errortype": "AccessDeniedException"}
    )


def test_zero_events_give_full_columns_and_dtypes() -> None:
    history = cn.load_history(cn.connect(Pages([])), "d", "c")
    for frame, table in ((history.events, EVENTS), (history.changes, CHANGES)):
        assert len(frame) == 0
        assert dtypes_of(frame) == table.dtypes
    some = cn.load_history(cn.connect(Pages([event(0)])), "d", "c")
    assert (history.events.dtypes.astype(str) == some.events.dtypes.astype(str)).all()


def test_trust_travels_in_the_history_and_in_no_frame() -> None:
    history = cn.load_history(cn.connect(Pages([event(0)])), "d", "c")
    assert not history.events.attrs
    assert not history.changes.attrs
    assert repr(history) == f"History: {history.certificate}"


def test_the_certificate_says_what_was_loaded() -> None:
    pages = Pages([event(i) for i in range(60)], newest_first=True)
    certificate = cn.load_history(cn.connect(pages), "d", "c").certificate
    told = certificate.summary()
    for name in ("sha256", "boto3_version", "casesnb_version", "content"):
        assert told.pop(name)
    assert told == {
        "verdict": "complete",
        "reasons": [],
        "domain_id": "d",
        "n_cases": 1,
        "empty_cases": [],
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
        "as_of": "2026-03-02T12:00:00+00:00",
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

    def __call__(self, request: cn.raw.Request) -> cn.raw.Response:
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
    assert history.certificate.reasons == ("no case was asked for",)
    assert "0 pages, sha256" in str(history.certificate)


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
                        "GetCaseAuditEvents operation: not yours casesnb was asking "
                        "for GetCaseAuditEvents page 1 of domainId d, caseId c2. "
                        "Ask for the read-only policy of the README, of which "
                        "cases:GetCaseAuditEvents is missing on this domain or what is "
                        "in it; or choose another case."
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


def test_ctrl_c_is_raised_with_what_is_whole() -> None:
    answer = Cases()
    seen: list[str] = []

    def counted(request: cn.raw.Request) -> cn.raw.Response:
        seen.append(request.path)
        return answer(request)

    def tell(n: int) -> None:
        if n == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as raised:
        cn.load_histories(
            cn.connect(counted),
            "d",
            [f"c{i}" for i in range(40)],
            workers=2,
            progress=tell,
        )
    history = raised.value.history  # type: ignore[attr-defined]
    assert raised.value.__notes__ == [
        "casesnb kept what came whole: 4 of 40 cases, as this error's `history` (in the "
        "next cell of a notebook `import sys; sys.last_value.history`). Its certificate "
        "says that it is partial."
    ]
    assert history.certificate.n_cases == history.events["case_id"].nunique() == 4
    assert history.certificate.verdict == "partial"
    assert history.certificate.reasons == ("stopped after 4 of 40 cases",)
    assert not history.certificate.reached_end
    sent = len(seen)
    assert sent < 12
    time.sleep(0.2)
    assert len(seen) == sent


def test_workers_of_a_stopped_load_ask_for_no_further_page() -> None:
    # Each case has pages without end: only the stop ends a worker's asking.
    answer, gate = Cases(), threading.Event()
    seen: list[str] = []

    def endless(request: cn.raw.Request) -> cn.raw.Response:
        seen.append(request.path)
        gate.wait(20)
        page = json.loads(answer(request).body)
        page["nextToken"] = f"t{len(seen)}"
        return cn.raw.Response(200, {}, json.dumps(page).encode())

    def collect() -> None:
        with contextlib.suppress(Exception):
            list(as_they_come(read, ["c0", "c1"], stop, workers=2))

    def read(case_id: str) -> list[Any]:
        return list(cn.raw.iter_audit_pages(client, "d", case_id))

    client, stop = cn.connect(endless), threading.Event()
    load = threading.Thread(target=collect, daemon=True)
    load.start()
    while len(seen) < 2:
        time.sleep(0.01)
    stop.set()
    gate.set()
    load.join(10)
    assert not load.is_alive()
    assert len(seen) == 2


def test_an_error_that_ends_a_load_hands_over_the_cases_that_are_whole() -> None:
    def tell(n: int) -> None:
        if n == 3:
            raise TimeoutError("budget spent")

    client = cn.connect(Cases())
    cases = [f"c{i}" for i in range(9)]
    with pytest.raises(TimeoutError, match="budget spent") as raised:
        cn.load_histories(client, "d", cases, workers=1, progress=tell)
    history = raised.value.history  # type: ignore[attr-defined]
    assert history.certificate.reasons == ("ended by TimeoutError after 2 of 9 cases",)
    assert list(history.events["case_id"].unique()) == ["c0", "c1"]
    with pytest.raises(ClientError, match="AccessDenied") as denied:
        cn.load_histories(cn.connect(Cases(deny=("c4",))), "d", cases, workers=1)
    history = denied.value.history  # type: ignore[attr-defined]
    assert history.certificate.reasons == (
        "ended by AccessDeniedException after 4 of 9 cases",
    )


@pytest.mark.parametrize("errors", ["raise", "collect"])
def test_an_expired_token_ends_the_load_and_nothing_more_is_asked(errors: Any) -> None:
    answer = Cases()
    refused: list[str] = []

    def expires(request: cn.raw.Request) -> cn.raw.Response:
        if request.path.split("/")[4] in {"c0", "c1", "c2"}:
            return answer(request)
        refused.append(request.path)
        body = b'{"message": "The security token included in the request is expired"}'
        return cn.raw.Response(403, {"x-amzn-errortype": "ExpiredTokenException"}, body)

    client = cn.connect(expires)
    cases = [f"c{i}" for i in range(500)]
    with pytest.raises(ClientError) as raised:
        cn.load_histories(client, "d", cases, workers=2, errors=errors)
    # The other worker may still be at the third.
    assert raised.value.history.certificate.n_cases in {2, 3}  # type: ignore[attr-defined]
    time.sleep(0.2)
    assert len(refused) <= 4


def test_a_long_case_keeps_the_pages_that_came() -> None:
    def tell(n: int) -> None:
        if n == 4:
            raise KeyboardInterrupt

    pages = Pages([event(number) for number in range(200)])
    with pytest.raises(KeyboardInterrupt) as raised:
        cn.load_history(cn.connect(pages), "d", "c", progress=tell)
    history = raised.value.history  # type: ignore[attr-defined]
    assert len(history.events) == 75
    assert history.certificate.verdict == "partial"
    assert history.certificate.reasons[0] == "ended by KeyboardInterrupt after 3 pages"
    assert not history.certificate.reached_end


def test_a_stopped_load_does_not_hold_up_the_end_of_python() -> None:
    code = """
import time, casesnb as cn
def stuck(request):
    time.sleep(60)
import os, signal, threading
load, client = cn.load_histories, cn.connect(stuck)
threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
load(client, "d", ["a", "b", "c"])
"""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert "KeyboardInterrupt" in done.stderr
    assert "came whole: 0 of 3 cases" in done.stderr
    assert time.monotonic() - began < 20


def test_ctrl_c_does_not_wait_for_what_is_under_way() -> None:
    gate, answer = threading.Event(), Cases(deny=("c1",))
    late: list[str] = []

    def stuck(request: cn.raw.Request) -> cn.raw.Response:
        case_id = request.path.split("/")[4]
        if case_id not in {"c0", "c1"} and not gate.wait(20):
            late.append(case_id)
        return answer(request)

    def tell(n: int) -> None:
        if n == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as raised:
        cn.load_histories(
            cn.connect(stuck),
            "d",
            [f"c{i}" for i in range(40)],
            workers=2,
            errors="collect",
            progress=tell,
        )
    history = raised.value.history  # type: ignore[attr-defined]
    gate.set()
    assert late == []
    # What was told of is not lost.
    assert history.certificate.n_cases + len(history.unloaded) == 1
    (stopped, *failed) = history.certificate.reasons
    assert stopped == f"stopped after {history.certificate.n_cases} of 40 cases"
    assert all(each == "1 case could not be loaded" for each in failed)


def test_a_history_is_itself_and_no_other() -> None:
    history = cn.load_histories(cn.connect(Cases()), "d", ["c1"])
    assert history == history
    assert len({history, history}) == 1
    assert history != cn.load_histories(cn.connect(Cases()), "d", ["c1"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"errors": "ignore"}, r"errors='ignore' is neither 'raise' nor 'collect'\."),
        ({"workers": 0}, r"workers=0: give a whole number from 1 on\."),
        ({"workers": "8"}, r"workers='8': give a whole number from 1 on\."),
        ({"workers": 2.5}, r"workers=2\.5: give a whole number from 1 on\."),
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
    assert [at.isoformat(" ", "microseconds") for at in frame["performed_at"]] == [
        "2026-03-29 00:59:59.123456+00:00",
        "2026-03-29 01:00:00.000000+00:00",
        "2026-03-29 02:00:00.500000+00:00",
        "2026-03-29 02:00:01.000000+00:00",
    ]


def test_a_load_may_be_given_a_time_and_a_pace_of_its_own() -> None:
    answer = Cases()
    began = time.monotonic()

    def slow(request: cn.raw.Request) -> cn.raw.Response:
        if time.monotonic() - began > 0.3:
            time.sleep(0.5)
        return answer(request)

    client, cases = cn.connect(slow), [f"c{i}" for i in range(900)]
    with pytest.raises(
        cn.errors.LoadTimeout, match=r"longer than timeout=0\.6"
    ) as raised:
        cn.load_histories(client, "d", cases, workers=2, timeout=0.6)
    history = raised.value.history  # type: ignore[attr-defined]
    assert 0 < history.certificate.n_cases < 900
    assert history.certificate.reasons[0].startswith("ended by LoadTimeout after")
    with pytest.raises(cn.errors.LoadTimeout):
        cn.load_history(client, "d", "c0", timeout=1e-9)
    with pytest.raises(ValueError, match="timeout=0 is no time"):
        cn.load_histories(client, "d", ["c0"], timeout=0)
    with pytest.raises(TypeError, match="pace='slow' is not a rate"):
        cn.load_history(client, "d", "c0", pace="slow")  # type: ignore[arg-type]
    client, at = cn.connect(Cases()), time.monotonic()
    cn.load_histories(client, "d", cases[:4], pace=8.0)
    assert time.monotonic() - at > 0.35


@pytest.mark.parametrize("errors", ["raise", "collect"])
def test_a_case_that_no_table_can_hold_ends_a_load_only_if_it_is_to_raise(
    errors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("casesnb.tables.decode._BATCH", 1)  # each page is read at once
    asked = []

    def answer(request: cn.raw.Request) -> cn.raw.Response:
        asked.append(request.path)
        odd = {"performedTime": "never"} if "/c0/" in request.path else {}
        return Pages([event(0, **odd)])(request)

    names = [f"c{n}" for n in range(40)]

    def load() -> cn.History[Any]:
        return cn.load_histories(
            cn.connect(answer), "d", names, errors=errors, workers=1, progress=False
        )

    if errors == "collect":
        history = load()
        assert (history.certificate.n_cases, len(asked)) == (39, 40)
        assert history.unloaded["case_id"].tolist() == ["c0"]
    else:
        with pytest.raises(cn.errors.PageError, match="not a time"):
            load()
        assert len(asked) < 20
