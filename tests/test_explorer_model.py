"""The explorer's model: assignments load, stale answers are dropped, errors speak."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import threading
from collections import Counter
from typing import Any

import pytest
import traitlets as tl
from answers import Pages, event, reply
from pandas.testing import assert_frame_equal

import casesnb as cn
from casesnb.schema import CHANGES
from casesnb.view.explorer.jobs import explain
from casesnb.view.explorer.model import ORDERS, PAGE, CaseSelection

DATE_1, DATE_2 = (dt.datetime(2026, 3, day, tzinfo=dt.UTC) for day in (1, 2))
NAMES: dict[str, Any] = {
    "GetDomain": {"domainId": "d", "domainArn": "arn:d", "name": "D"},
    "ListFields": {
        "fields": [
            {
                "fieldId": key,
                "fieldArn": f"arn:{key}",
                "name": key.title(),
                "type": kind,
                "namespace": "System",
            }
            for key, kind in {"title": "Text", "status": "SingleSelect"}.items()
        ]
    },
    "ListFieldOptions": {
        "options": [{"name": "Open", "value": "open", "active": True}]
    },
    "ListTemplates": {
        "templates": [
            {
                "templateId": "t1",
                "templateArn": "arn:t1",
                "name": "Claim",
                "status": "Active",
            }
        ]
    },
}


class Desk:
    """Two domains of cases; a gate holds audit pages back, errors are set by case."""

    def __init__(self, n_cases: int = 4) -> None:
        self.cases = {
            f"c{n}": [event(i) for i in range(20 * n)] for n in range(n_cases)
        }
        self.errors: dict[str, cn.raw.Response] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.asked: Counter[str] = Counter()
        self.searches: list[dict[str, Any]] = []

    def __call__(self, request: cn.raw.Request) -> cn.raw.Response:
        self.asked[request.operation] += 1
        if request.operation in self.errors:
            return self.errors[request.operation]
        if request.operation == "ListDomains":
            names = {"d2": "Retail", "d1": "Bank"}
            return reply(
                {
                    "domains": [
                        {"domainId": key, "domainArn": f"arn:{key}", "name": name}
                        for key, name in names.items()
                    ]
                }
            )
        if request.operation == "SearchCases":
            asked = json.loads(request.body)
            self.searches.append(asked)
            found = [
                {
                    "caseId": key,
                    "templateId": f"t{n % 2}",
                    "fields": [
                        {"id": "title", "value": {"stringValue": f"Title {n}"}},
                        {"id": "status", "value": {"stringValue": "open"}},
                        {
                            "id": "last_updated_datetime",
                            "value": {
                                "stringValue": f"2026-03-{n % 28 + 1:02}T09:00:00Z"
                            },
                        },
                    ],
                }
                for n, key in enumerate(self.cases)
            ]
            return reply({"cases": found[: asked["maxResults"]]})
        if request.operation in NAMES:
            return reply(NAMES[request.operation])
        case_id = request.path.split("/")[4]
        if case_id in self.errors:
            return self.errors[case_id]
        assert self.gate.wait(30)
        return Pages(self.cases[case_id])(request)


def error(code: str, status: int, message: str = "because") -> cn.raw.Response:
    return reply({"message": message}, status, **{"x-amzn-errortype": code})


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def selection(desk: Desk) -> CaseSelection:
    selection = CaseSelection(cn.connect(desk))
    assert selection.wait(30)
    return selection


def test_the_model_has_never_heard_of_widgets() -> None:
    code = (
        "import sys, casesnb.view.explorer.model; "
        "print(sorted({'ipywidgets', 'IPython', 'matplotlib.pyplot'} & {*sys.modules}))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"


def test_the_first_domain_by_name_and_its_cases_are_there_at_once(
    selection: CaseSelection,
) -> None:
    assert selection.domain_id == "d1"
    assert selection.domain_options == [("Bank", "d1"), ("Retail", "d2")]
    assert selection.case_options[1] == ("2026-03-02 · Open · Title 1 · —", "c1")
    assert (selection.case_id, selection.history) == ("", None)
    assert selection.status == "Choose a case."
    assert_frame_equal(selection.changes, CHANGES.empty())


def test_a_case_chosen_is_a_case_loaded(selection: CaseSelection) -> None:
    selection.case_id = "c2"
    assert selection.wait(30)
    assert len(selection.history.events) == 40
    assert_frame_equal(
        selection.changes, cn.with_names(selection.history.changes, selection.catalogue)
    )
    assert selection.as_of == dt.datetime(2026, 3, 1, 0, 39, tzinfo=dt.UTC)
    assert len(selection.moments) == 40
    assert "complete" in selection.status
    assert not selection.is_loading
    assert not selection.has_failed


def test_a_case_need_not_be_in_the_list(desk: Desk, selection: CaseSelection) -> None:
    desk.cases["far"] = [event(0)]
    selection.case_id = "far"
    assert selection.wait(30)
    assert len(selection.history.events) == 1


def test_what_is_given_at_first_is_not_overruled_by_the_first_domain() -> None:
    selection = CaseSelection(cn.connect(Desk()), domain_id="d2", case_id="c1")
    assert selection.wait(30)
    assert (selection.domain_id, selection.case_id) == ("d2", "c1")
    assert len(selection.history.events) == 20


def test_another_domain_forgets_the_case(selection: CaseSelection) -> None:
    selection.case_id = "c1"
    selection.wait(30)
    selection.domain_id = "d2"
    assert selection.wait(30)
    assert (selection.case_id, selection.history, selection.as_of) == ("", None, None)
    assert set(selection.cases["domain_id"]) == {"d2"}


def test_nothing_of_the_case_before_is_seen_while_the_next_one_loads(
    desk: Desk, selection: CaseSelection
) -> None:
    selection.case_id = "c3"
    selection.wait(30)
    desk.gate.clear()
    selection.field_id = "title"
    selection.case_id = "c1"
    assert (selection.history, selection.as_of, selection.field_id) == (None, None, "")
    assert len(selection.changes) == 0
    assert selection.is_loading
    assert selection.status == "Reading case c1…"
    assert not selection.wait(0.01)
    desk.gate.set()
    assert selection.wait(30)
    assert len(selection.history.events) == 20


def test_the_last_choice_wins_however_late_the_others_come(
    desk: Desk, selection: CaseSelection
) -> None:
    desk.gate.clear()
    for case_id in ("c3", "c2", "c3", "c1"):
        selection.case_id = case_id
    desk.gate.set()
    assert selection.wait(30)
    assert len(selection.history.events) == 20
    assert set(selection.history.events["case_id"]) == {"c1"}


def test_a_cancelled_load_leaves_the_page_usable_and_asks_no_more(
    desk: Desk, selection: CaseSelection
) -> None:
    desk.cases["long"] = [event(i) for i in range(500)]
    desk.gate.clear()
    selection.case_id = "long"
    selection.cancel()
    assert not selection.is_loading
    assert selection.history is None
    assert selection.has_failed
    assert selection.status == "Stopped reading case long. Try again when you like."
    desk.gate.set()
    for thread in threading.enumerate():
        if thread.name == "casesnb-case":
            thread.join(30)
    assert desk.asked["GetCaseAuditEvents"] <= 1
    selection.reload()
    assert selection.wait(30)
    assert len(selection.history.events) == 500
    assert not selection.has_failed


def test_a_case_that_is_read_again_is_looked_at_as_before(
    desk: Desk, selection: CaseSelection
) -> None:
    selection.case_id = "c1"
    assert selection.wait(30)
    selection.order, selection.field_id = "newest first", "title"
    desk.cases["c1"] += [event(i) for i in range(20, 25)]
    selection.reload()
    assert selection.wait(30)
    newest = selection.moments[-1]
    assert (selection.as_of, len(selection.changes)) == (newest, 25)
    assert selection.changes["performed_at"].is_monotonic_decreasing
    selection.as_of = before = selection.moments[3]
    desk.cases["c1"] += [event(i) for i in range(25, 30)]
    selection.reload()
    assert selection.wait(30)
    assert (selection.as_of, len(selection.changes)) == (before, 30)
    assert (selection.order, selection.field_id) == ("newest first", "title")


def test_pages_are_counted_while_they_come(
    desk: Desk, selection: CaseSelection
) -> None:
    said = []
    selection.observe(lambda change: said.append(change.new), "status")
    selection.case_id = "c3"
    assert selection.wait(30)
    assert said[:4] == [
        "Reading case c3…",
        "Reading case c3… 1 page so far.",
        "Reading case c3… 2 pages so far.",
        "Reading case c3… 3 pages so far.",
    ]


@pytest.mark.parametrize(
    ("code", "status", "says"),
    [
        ("AccessDeniedException", 403, "not allowed to read case c1: because"),
        ("ResourceNotFoundException", 404, "There is no case c1: because"),
        ("ThrottlingException", 429, "asked too often to read case c1"),
        ("InternalServerException", 500, "The service failed to read case c1"),
        ("ValidationException", 400, "does not accept case c1: because"),
        ("NewException", 400, "Could not read case c1: because (NewException)"),
    ],
)
def test_an_error_says_what_happened_and_what_to_try(
    desk: Desk,
    selection: CaseSelection,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    status: int,
    says: str,
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)  # botocore's pauses to retry
    desk.errors["c1"] = error(code, status)
    selection.case_id = "c2"
    selection.wait(30)
    selection.case_id = "c1"
    assert selection.wait(30)
    assert says in selection.status
    assert selection.status.endswith(".")
    assert selection.has_failed
    assert selection.history is None
    selection.case_id = "c2"
    assert selection.wait(30)
    assert not selection.has_failed
    assert len(selection.history.events) == 40


def test_half_a_page_is_an_error_that_names_it(
    desk: Desk, selection: CaseSelection
) -> None:
    desk.errors["c1"] = reply(b'{"auditEvents": [')
    selection.case_id = "c1"
    selection.wait(30)
    assert "GetCaseAuditEvents page 1" in selection.status
    assert selection.has_failed


def test_no_domains_and_no_cases_are_said() -> None:
    desk = Desk(n_cases=0)
    selection = CaseSelection(cn.connect(desk), domain_id="d1")
    selection.wait(30)
    assert selection.status == "No case matches. Widen the filters."
    desk.errors["ListDomains"] = reply({"domains": []})
    selection = CaseSelection(cn.connect(desk))
    selection.wait(30)
    assert selection.status == "This account has no Cases domain in this Region."


def test_a_list_that_fails_is_said_beside_the_case_that_came(desk: Desk) -> None:
    desk.errors["SearchCases"] = error("AccessDeniedException", 403)
    selection = CaseSelection(cn.connect(desk), domain_id="d1", case_id="c1")
    selection.wait(30)
    assert "not allowed to read the cases" in selection.status
    assert "complete" in selection.status
    assert len(selection.history.events) == 20


def test_filters_are_asked_of_the_service(desk: Desk, selection: CaseSelection) -> None:
    selection.search = "refund"
    selection.wait(30)
    assert desk.searches[-1]["searchTerm"] == "refund"
    selection.case_status = "open"
    selection.wait(30)
    selection.updated_since = "2026-03-02"
    selection.wait(30)
    assert desk.searches[-1]["filter"] == {
        "andAll": [
            {"field": {"equalTo": {"id": "status", "value": {"stringValue": "open"}}}},
            {
                "field": {
                    "greaterThanOrEqualTo": {
                        "id": "last_updated_datetime",
                        "value": {"stringValue": "2026-03-02T00:00:00Z"},
                    }
                }
            },
        ]
    }
    assert desk.searches[-1]["sorts"] == [
        {"fieldId": "last_updated_datetime", "sortOrder": "Desc"}
    ]


CASE, ELSE = (
    "19d0cfcc-bacd-40b1-b16f-39bbd6d8baeb",
    "f70c2113-d64e-4e57-95da-77fc0a30fab7",
)


@pytest.mark.parametrize(
    "text",
    [
        CASE,
        f" {CASE}\n",
        f"https://desk.my.connect.aws/agent-app-v2/cases/case-detail/{CASE}?tab=1",
        f"https://x.test/cases/?domainId={ELSE}&caseId={CASE}&of={ELSE}",
        f"https://x.test/{ELSE}/{CASE}",
    ],
)
def test_a_pasted_id_or_address_opens_the_case_at_once(desk: Desk, text: str) -> None:
    desk.cases[CASE] = [event(0)]
    selection = CaseSelection(cn.connect(desk))
    assert selection.wait(30)
    n_searches = len(desk.searches)
    selection.search = text
    assert selection.wait(30)
    assert (selection.case_id, selection.search) == (CASE, "")
    assert len(selection.history.events) == 1
    assert len(desk.searches) == n_searches  # nothing is searched for


def test_words_beside_an_id_are_a_search(desk: Desk, selection: CaseSelection) -> None:
    selection.search = f"refund {CASE}"
    assert selection.wait(30)
    assert selection.case_id == ""
    assert desk.searches[-1]["searchTerm"] == f"refund {CASE}"


@pytest.mark.parametrize("odd", [(DATE_2, DATE_1), ("x", "y"), (DATE_1,)])
def test_a_span_that_is_none_is_refused(selection: CaseSelection, odd: Any) -> None:
    with pytest.raises((tl.TraitError, ValueError)):
        selection.span = odd
    assert selection.span is None


def test_a_day_that_is_none_is_refused(selection: CaseSelection) -> None:
    with pytest.raises(tl.TraitError, match="Give one such as 2026-03-31"):
        selection.updated_since = "tomorrow"
    assert selection.updated_since == ""


def test_templates_are_sieved_from_what_was_read(selection: CaseSelection) -> None:
    selection.template_id = "t1"
    selection.wait(30)
    assert list(selection.cases["case_id"]) == ["c1", "c3"]
    assert selection.template_options == [("Any template", ""), ("Claim", "t1")]


def test_more_cases_are_read_on_demand() -> None:
    desk = Desk(n_cases=0)
    desk.cases = {f"c{n}": [] for n in range(70)}
    selection = CaseSelection(cn.connect(desk))
    selection.wait(30)
    assert (len(selection.cases), selection.may_have_more) == (PAGE, True)
    selection.more()
    selection.wait(30)
    assert (len(selection.cases), selection.may_have_more) == (70, False)
    assert selection.limit == 2 * PAGE


def test_changes_are_sieved_and_sorted(selection: CaseSelection) -> None:
    selection.case_id = "c2"
    selection.wait(30)
    whole = selection.history.changes
    selection.order = "newest first"
    assert list(selection.changes["sequence"]) == [*range(39, -1, -1)]
    selection.field_id = "status"
    assert len(selection.changes) == 0
    selection.field_id = "title"
    selection.actor = "arn:aws:iam::111122223333:role/desk"
    for selection.order in ORDERS:
        assert len(selection.changes) == len(whole)
        kept = selection.changes[list(whole.columns)]
        assert dict(kept.dtypes) == dict(whole.dtypes)
        assert whole.attrs.items() <= selection.changes.attrs.items()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-03-01T10:00:00+02:00", dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)),
        (None, None),
    ],
)
def test_a_moment_is_kept_in_utc(
    selection: CaseSelection, given: Any, kept: Any
) -> None:
    selection.as_of = given
    assert selection.as_of == kept


@pytest.mark.parametrize("odd", ["2026-03-01T10:00:00", 7])
def test_a_moment_without_a_zone_is_refused(selection: CaseSelection, odd: Any) -> None:
    with pytest.raises(tl.TraitError, match=r"has no time zone|is not a time"):
        selection.as_of = odd
    assert selection.as_of is None


def test_an_observer_that_fails_is_seen(selection: CaseSelection) -> None:
    def fails(change: Any) -> None:
        if change.new is not None:
            raise RuntimeError("no room to draw")

    selection.observe(fails, "history")
    selection.case_id = "c1"
    assert selection.wait(30)
    assert selection.has_failed
    assert "no room to draw (RuntimeError)" in selection.status


def test_an_odd_error_is_one_short_line() -> None:
    said = explain(RuntimeError("<b>\u202e" + "x" * 5000), "case 7")
    assert said.startswith("Could not read case 7: <b>‹U+202E›xxx")
    assert len(said) < 400


def merged(secondary: str, primary: str, number: int) -> dict[str, Any]:
    return event(
        number,
        type="Case.Merged",
        fields=[],
        mergeMetadata={
            "mergeEventId": f"m-{secondary}",
            "primaryCaseId": primary,
            "secondaryCaseId": secondary,
        },
    )


def test_merged_cases_open_as_one_thread(desk: Desk, selection: CaseSelection) -> None:
    # c2 was merged into c1, and then c1 into c0: whichever is opened, all are there.
    desk.cases = {
        "c0": [event(0), merged("c1", "c0", 9)],
        "c1": [event(0), merged("c2", "c1", 5), merged("c1", "c0", 9)],
        "c2": [event(0), merged("c2", "c1", 5)],
    }
    for case_id in desk.cases:
        selection.case_id = case_id
        assert selection.wait(30)
        assert selection.thread[0] == case_id
        assert sorted(selection.thread) == ["c0", "c1", "c2"]
        assert len(selection.history.events) == 7
        assert not selection.has_failed


def test_a_merged_case_that_is_forbidden_is_said_and_does_not_hide_the_rest(
    desk: Desk, selection: CaseSelection
) -> None:
    desk.cases["c1"] = [event(0), merged("c2", "c1", 5)]
    desk.errors["c2"] = error("AccessDeniedException", 403)
    selection.case_id = "c1"
    assert selection.wait(30)
    assert len(selection.history.events) == 2
    assert selection.history.certificate.verdict == "partial"
    assert "partial: 1 of 2 cases could not be loaded" in selection.status


def test_the_code_gives_the_same_frames(desk: Desk, selection: CaseSelection) -> None:
    desk.cases["c3"][5] = merged("c2", "c3", 5)
    for choices in (
        {"case_id": "c1"},
        {"case_id": "c3", "search": "re'fund", "template_id": "t1"},
        {"order": "newest first", "field_id": "title", "updated_since": "2026-03-01"},
        {"order": "by actor", "actor": "arn:aws:iam::111122223333:role/desk"},
        {"order": "by field", "as_of": "2026-03-01T00:02:00Z", "limit": 2},
    ):
        for name, value in choices.items():
            setattr(selection, name, value)
            assert selection.wait(30)
        made: dict[str, Any] = {"client": selection.client}
        exec(selection.code(), made)  # noqa: S102
        assert_frame_equal(made["cases"], selection.cases)
        assert_frame_equal(made["history"].events, selection.named.events)
        assert_frame_equal(made["changes"], selection.changes)
        assert made["as_of"] == selection.as_of


def test_the_code_of_nothing_chosen_runs_too(selection: CaseSelection) -> None:
    made: dict[str, Any] = {"client": selection.client}
    exec(selection.code(), made)  # noqa: S102
    assert_frame_equal(made["cases"], selection.cases)
    assert "history" not in made


def test_a_case_chosen_before_the_domains_came_is_kept(desk: Desk) -> None:
    selection = CaseSelection(cn.connect(desk))
    selection.case_id = "c1"
    assert selection.wait(30)
    assert (selection.domain_id, selection.case_id) == ("d1", "c1")
    assert len(selection.history.events) == 20


def test_names_come_after_the_ids_without_holding_them_up(desk: Desk) -> None:
    gate = threading.Event()

    def slow_names(request: cn.raw.Request) -> cn.raw.Response:
        if request.operation in NAMES:
            assert gate.wait(30)
        return desk(request)

    selection = CaseSelection(cn.connect(slow_names), domain_id="d1", case_id="c1")
    seen = threading.Event()
    selection.observe(lambda _: seen.set(), "history")
    assert seen.wait(30) or selection.history is not None
    with selection.lock:
        assert "field" not in selection.changes
        assert selection.status.startswith("Reading the names…")
        assert selection.field_options == [("All fields", ""), ("title", "title")]
    gate.set()
    assert selection.wait(30)
    assert set(selection.changes["field"]) == {"Title"}
    assert selection.field_options == [("All fields", ""), ("Title", "title")]
    assert selection.status_options == [("Any status", ""), ("Open", "open")]


def test_names_are_looked_up_once_for_each_domain(
    desk: Desk, selection: CaseSelection
) -> None:
    for selection.domain_id in ("d2", "d1", "d2"):
        assert selection.wait(30)
    assert desk.asked["ListTemplates"] == 2
    assert selection.catalogue.domain_id == "d2"


def test_a_history_without_names_is_no_failure(desk: Desk) -> None:
    desk.errors["ListFields"] = error("ValidationException", 400)
    selection = CaseSelection(cn.connect(desk), domain_id="d1", case_id="c1")
    assert selection.wait(30)
    assert selection.status.startswith("Some ids are shown without names. The service")
    assert not selection.has_failed
    assert len(selection.changes) == 20
