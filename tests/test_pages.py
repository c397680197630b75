"""The one loop: to the last page, with each page's own token, or an error."""

from __future__ import annotations

import datetime as dt
import gzip
import itertools
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from answers import Pages, asking, event, over_http, reply

import casesnb as cn
from casesnb.wire import calls
from casesnb.wire.calls import Until, ask_until, time_limit
from casesnb.wire.errors import LoadStopped, LoadTimeout
from casesnb.wire.limits import Limiter
from casesnb.wire.pages import Page, ask, iter_pages, less
from casesnb.wire.responder import Request, Response


def audit(answer: Any) -> Any:
    return list(
        iter_pages(asking(answer), "GetCaseAuditEvents", domainId="d", caseId="c")
    )


@pytest.mark.parametrize(
    ("n", "n_pages"), [(0, 1), (1, 1), (25, 1), (26, 2), (10_000, 400)]
)
def test_a_case_loads_whole_whatever_its_length(n: int, n_pages: int) -> None:
    pages = Pages([event(i) for i in range(n)])
    history = cn.load_history(asking(pages), "d", "c")
    assert history.events["event_id"].tolist() == [f"e{i}" for i in range(n)]
    assert len(pages.asked) == history.certificate.n_pages == n_pages
    assert history.certificate.reached_end


def test_the_second_page_is_asked_for_with_the_first_pages_token() -> None:
    pages = Pages([event(i) for i in range(26)])
    cn.load_history(asking(pages), "d", "c")
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
    history = cn.load_history(asking(lambda request: reply(answers.pop(0))), "d", "c")
    assert len(history.events) == 1


@pytest.mark.parametrize("n", [0, 25])
def test_tokens_without_an_end_and_nothing_new_raise(n: int) -> None:
    told = {"auditEvents": [event(i) for i in range(n)]}
    numbers = itertools.count()
    with pytest.raises(
        cn.errors.PageError, match="The 100 pages up to .* hold nothing new"
    ):
        audit(lambda request: reply({**told, "nextToken": f"t{next(numbers)}"}))
    assert next(numbers) == 100 + bool(n)


def test_the_same_items_in_other_company_are_nothing_new() -> None:
    # A service that begins again and again, each time one event later.
    events = [event(i) for i in range(50)]
    numbers = itertools.count()

    def again(request: Request) -> Response:
        start = next(numbers)
        shown = [events[(start + i) % 50] for i in range(25)]
        return reply({"auditEvents": shown, "nextToken": f"t{start}"})

    with pytest.raises(cn.errors.PageError, match="hold nothing new"):
        audit(again)
    assert next(numbers) < 200


def test_empty_pages_between_others_are_got_over() -> None:
    events = [[event(i // 60)] if i % 60 == 0 else [] for i in range(240)]
    answers = [
        {"auditEvents": page, "nextToken": f"t{i}"} for i, page in enumerate(events)
    ]
    del answers[-1]["nextToken"]
    answers.reverse()
    assert len(audit(lambda request: reply(answers.pop()))) == 240


def test_a_listing_goes_on_after_a_page() -> None:
    pages = Pages([event(i) for i in range(100)])
    client = asking(pages)
    asked = {"domainId": "d", "caseId": "c"}
    first, *_ = iter_pages(client, "GetCaseAuditEvents", **asked)
    pages.asked.clear()
    rest = list(iter_pages(client, "GetCaseAuditEvents", first, **asked))
    assert [page.number for page in rest] == [1, 2, 3]
    assert b"from-25" in pages.asked[0].body
    assert list(iter_pages(client, "GetCaseAuditEvents", rest[-1], **asked)) == []


def test_a_repeated_token_raises() -> None:
    with pytest.raises(cn.errors.PageError, match="sent one token twice"):
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
    with pytest.raises(
        cn.errors.PageError, match=r"GetCaseAuditEvents page 1 of .*caseId c"
    ):
        audit(lambda request: reply(body))


def test_an_answer_that_is_cut_short_is_asked_for_again() -> None:
    whole = json.dumps({"auditEvents": [event(0)]}).encode()
    answers = [reply(whole[:40]), reply(b"<html>busy</html>"), reply(whole)]
    history = cn.load_history(asking(lambda _: answers.pop(0)), "d", "c")
    assert history.certificate.verdict == "complete"
    assert history.certificate.n_retries == 2


def test_an_answer_that_is_cut_short_each_time_is_asked_for_three_times() -> None:
    asked: list[Request] = []

    def cut(request: Request) -> Response:
        asked.append(request)
        return reply(b'{"auditEvents":[{"eventId":"e')

    with (
        over_http(cut) as url,
        pytest.raises(cn.errors.PageError, match="is not whole JSON"),
    ):
        cn.load_history(cn.connect(endpoint_url=url, pace=False), "d", "c")
    assert len(asked) == 3


SECRET = "4111 1111 1111 1111"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (f"<html>{SECRET}</html>".encode(), "It is a web page, as proxies"),
        (
            gzip.compress(SECRET.encode(), mtime=0),
            "It is compressed, which nobody asked for",
        ),
        (b"", "It is empty"),
        (f'{{"auditEvents": ["{SECRET}'.encode(), "cut or replaced it"),
    ],
)
def test_what_is_no_page_is_told_by_what_it_is_and_not_by_what_it_says(
    body: bytes, told: str
) -> None:
    with pytest.raises(cn.errors.PageError, match=told) as caught:
        audit(lambda request: reply(body))
    assert SECRET not in str(caught.value)


EVENT = event(0)
CUSTOMER = {"stringValue": SECRET, "doubleValue": 1.0}


@pytest.mark.parametrize(
    "odd",
    [
        SECRET,
        [SECRET],
        {**EVENT, "eventId": {"is": SECRET}},
        {**EVENT, "fields": SECRET},
        {**EVENT, "fields": [SECRET]},
        {**EVENT, "performedTime": SECRET},
        {**EVENT, "performedBy": SECRET},
        {**EVENT, "fields": [{"eventFieldId": "title", "newValue": SECRET}]},
        {**EVENT, "fields": [{"eventFieldId": "title", "newValue": CUSTOMER}]},
        {
            **EVENT,
            "fields": [{"eventFieldId": "n", "newValue": {"doubleValue": SECRET}}],
        },
    ],
)
def test_an_error_about_a_page_shows_shape_and_place_but_no_value(odd: Any) -> None:
    client = asking(lambda request: reply({"auditEvents": [odd]}))
    with pytest.raises(cn.errors.PageError, match=r"page 1 of .*caseId c") as caught:
        cn.load_history(client, "d", "c")
    error: BaseException | None = caught.value
    while error is not None:  # a traceback shows what it came from, too
        assert SECRET not in str(error)
        error = error.__cause__ or error.__context__


def test_a_token_reaches_no_terminal_as_it_is() -> None:
    hostile = "\x1b]0;owned\x07"
    answers = [{"auditEvents": [], "nextToken": hostile}, []]
    with pytest.raises(cn.errors.PageError) as caught:
        audit(lambda request: reply(answers.pop(0) if len(answers) > 1 else b"?"))
    assert "(token ‹U+001B›]0;owned‹U+0007›)" in str(caught.value)
    assert str(caught.value).isprintable()


def test_half_of_a_surrogate_pair_is_a_text() -> None:
    cut = json.dumps({"auditEvents": [event(0)]}).replace("t0", "t\\ud83d").encode()
    history = cn.load_history(asking(lambda request: reply(cut)), "d", "c")
    assert history.changes["new"].tolist() == ["t\\ud83d"]
    assert history.certificate.reasons == (
        "unknown to casesnb, kept as they came: text that is not Unicode, escaped (1)",
    )


@pytest.mark.parametrize("date", ["yesterday", "Mon, 99 Mar 2026 12:00:00 GMT", ""])
def test_a_date_that_cannot_be_read_loses_nothing(date: str) -> None:
    def answer(request: cn.raw.Request) -> cn.raw.Response:
        return reply({"auditEvents": [event(0)]}, date=date)

    before = dt.datetime.now(dt.UTC)
    certificate = cn.load_history(asking(answer), "d", "c").certificate
    assert certificate.verdict == "complete"
    assert before <= certificate.fetched_at <= dt.datetime.now(dt.UTC)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"auditEvents":null}', b'{"auditEvents":{}}']
)
def test_a_page_without_its_list_raises(body: bytes) -> None:
    with pytest.raises(cn.errors.PageError, match="holds no list of auditEvents"):
        cn.load_history(asking(lambda request: reply(body)), "d", "c")


@pytest.mark.parametrize("body", [b'{"status":"ok"}', b'{"auditEvents":{}}', b"{}"])
def test_what_something_in_between_answers_is_asked_again(body: bytes) -> None:
    answers = [reply(body), reply(body), reply({"auditEvents": [event(0)]})]
    history = cn.load_history(asking(lambda request: answers.pop(0)), "d", "c")
    assert history.certificate.verdict == "complete"
    assert history.certificate.n_retries == 2


def test_names_that_something_in_between_answers_are_no_names() -> None:
    answers = {"GetDomain": reply({"status": "ok"}), "ListUsers": reply({"x": []})}
    client = asking(lambda request: answers[request.operation])
    with pytest.raises(cn.errors.PageError, match="holds nothing that GetDomain ans"):
        ask(client, "GetDomain", {"domainId": "d"})
    connect = cn.connect(
        lambda request: answers[request.operation], service_name="connect"
    )
    with pytest.raises(cn.errors.PageError, match="holds nothing that ListUsers ans"):
        ask(connect, "ListUsers", {"InstanceId": "i"})


def test_a_history_cut_short_by_an_error_raises() -> None:
    pages = Pages([event(i) for i in range(60)])

    def cut(request: cn.raw.Request) -> cn.raw.Response:
        if b"from-50" in request.body:
            denied = {"x-amzn-errortype": "AccessDeniedException"}
            return reply({"message": "no more"}, 403, **denied)
        return pages(request)

    client = asking(cut)
    with pytest.raises(client.exceptions.AccessDeniedException):
        cn.load_history(client, "d", "c")


def test_raw_events_come_as_aws_sent_them() -> None:
    sent = [event(0, newMember={"x": 1}), None]
    events = list(cn.raw.iter_audit_events(asking(Pages(sent)), "d", "c"))
    assert events == sent


def test_throttles_and_retries_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    slow = {"x-amzn-errortype": "ThrottlingException"}
    answers = [reply({}, 429, **slow), reply({"auditEvents": [event(0)]})]
    history = cn.load_history(asking(lambda request: answers.pop(0)), "d", "c")
    assert (history.certificate.n_retries, history.certificate.n_throttles) == (1, 1)
    assert history.certificate.verdict == "complete"


# ------------------------------------------------------------ everything ends


@contextmanager
def dripping() -> Iterator[tuple[str, list[float]]]:
    """Serve a body that never ends, one byte at a time, and note each request."""
    asked: list[float] = []
    done = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65_536)
                asked.append(time.monotonic())
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                    b"content-length: 100000\r\n\r\n{"
                )
                while not done.wait(0.02):
                    connection.sendall(b" ")
            except OSError:
                pass

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            if done.is_set():
                connection.close()
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{port}", asked
    finally:
        done.set()
        socket.create_connection(("127.0.0.1", port)).close()
        accepting.join()
        listening.close()


def took(ask: Callable[[], object], error: type[BaseException]) -> tuple[str, float]:
    began = time.monotonic()
    with pytest.raises(error) as caught:
        ask()
    return str(caught.value), time.monotonic() - began


def test_a_body_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "ANSWER_TIME", 0.4)
    with dripping() as (url, asked):
        client = cn.connect(endpoint_url=url)
        said, seconds = took(
            lambda: cn.load_history(client, "d", "c"), cn.errors.PageError
        )
    assert "had no end within 0.4 seconds" in said
    assert seconds < 3
    assert len(asked) == 1


def test_a_wait_for_its_turn_is_not_counted_as_an_answers_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls, "ANSWER_TIME", 0.2)
    monkeypatch.setattr(Limiter, "wait", lambda *_: time.sleep(0.5))
    with over_http(Pages([event(i) for i in range(30)])) as url:
        assert len(cn.load_history(cn.connect(endpoint_url=url), "d", "c").events) == 30


def test_a_load_ends_when_its_time_is_over() -> None:
    with dripping() as (url, asked):
        client = cn.connect(endpoint_url=url)

        def load() -> None:
            with time_limit(0.3):
                cn.load_history(client, "d", "c")

        said, seconds = took(load, LoadTimeout)
        assert said == (
            "The load took longer than timeout=0.3 seconds. Give it more, or load "
            "fewer cases at a time."
        )
        assert seconds < 3
        assert len(asked) == 1


def test_a_wait_for_its_turn_ends_when_the_time_is_over() -> None:
    client = cn.connect(Pages([event(i) for i in range(60)]), pace=0.01)

    def load() -> None:
        with time_limit(0.3):
            cn.load_history(client, "d", "c")

    assert took(load, LoadTimeout)[1] < 3


def test_what_asks_in_a_thread_ends_with_the_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    until = Until()
    outcome: list[BaseException] = []

    def load(client: Any) -> None:
        ask_until(until)
        try:
            cn.load_history(client, "d", "c")
        except LoadStopped as error:
            outcome.append(error)

    with dripping() as (url, asked):
        thread = threading.Thread(
            target=load, args=(cn.connect(endpoint_url=url, pace=False),)
        )
        thread.start()
        while not asked:
            time.sleep(0.01)
        until.set()
        thread.join(3)
        assert not thread.is_alive()
        assert str(outcome[0]) == "The load was stopped; this was not asked."
        assert len(asked) == 1


def test_what_was_left_behind_is_not_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Request] = []

    def slow(request: Request) -> Response:
        asked.append(request)
        time.sleep(0.6)
        return reply({}, 500, **{"x-amzn-errortype": "InternalServerException"})

    with over_http(slow) as url:
        client = cn.connect(endpoint_url=url, pace=False)
        with pytest.raises(LoadTimeout), time_limit(0.3):
            cn.load_history(client, "d", "c")
        time.sleep(1.5)
    assert len(asked) == 1


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_no_time_is_no_timeout(timeout: float) -> None:
    with pytest.raises(ValueError, match="is no time. Give seconds above 0"):
        Until(timeout)


def test_a_time_limit_is_over_with_its_block() -> None:
    client = asking(Pages([event(0)]))
    with time_limit(0.01):
        time.sleep(0.05)
        with pytest.raises(LoadTimeout):
            ask(client, "GetCaseAuditEvents", {"domainId": "d", "caseId": "c"})
    with time_limit(None):
        ask(client, "GetCaseAuditEvents", {"domainId": "d", "caseId": "c"})


STOPPED = """
import sys, time
import casesnb as cn
client = cn.connect(endpoint_url=sys.argv[1], pace=False)
print(flush=True)
try:
    if sys.argv[2] == "one":
        cn.load_history(client, "d", "c")
    else:
        cn.load_histories(client, "d", [f"c{n}" for n in range(50)])
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("which", ["one", "many"])
def test_ctrl_c_ends_it_at_once_and_nothing_more_is_asked(which: str) -> None:
    with (
        dripping() as (url, asked),
        subprocess.Popen(
            [sys.executable, "-c", STOPPED, url, which], stdout=subprocess.PIPE
        ) as load,
    ):
        assert load.stdout is not None
        load.stdout.readline()
        while len(asked) < (1 if which == "one" else 8):
            time.sleep(0.01)
        n, stopped = len(asked), time.monotonic()
        load.send_signal(signal.SIGINT)
        assert load.wait(10) == 130
        assert time.monotonic() - stopped < 1.5
        assert len(asked) == n


def test_pages_less_some_events_hold_the_others_as_they_came() -> None:
    bodies = (
        b'{"auditEvents": [{"eventId": "a", "n": 1.50}, null, {"eventId": "b"}]}',
        b'{"auditEvents": [{"eventId":"c","n":%b}]}' % (b"9" * 5_000),
        b'{"auditEvents": [{"x": "\\ud800"}]}',
    )
    pages = [Page("GetCaseAuditEvents", {}, n, body) for n, body in enumerate(bodies)]
    assert less(pages, "auditEvents", {"b"}) == (
        b'{"auditEvents":[{"eventId": "a", "n": 1.50},null,{"eventId":"c","n":%b},'
        b'{"x": "\\ud800"}]}' % (b"9" * 5_000)
    )
