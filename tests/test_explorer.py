"""The explorer: what it shows follows from what is chosen, whatever came before."""

from __future__ import annotations

import base64
import datetime as dt
import itertools
import json
import random
import re
import subprocess
import sys
import threading
import time
from typing import Any

import ipywidgets as widgets
import nbformat
import pytest
from answers import DATE, reply
from pandas.testing import assert_frame_equal

import casesnb as cn
from casesnb.view.explorer.model import ORDERS

WORLD = cn.sandbox.World(seed=0)
DOMAIN, SHOWN = WORLD.showcase
MERGE = WORLD.true_merges()[0]
AWKWARD = {
    "showcase": SHOWN,
    "no event": WORLD.awkward["0 events"],
    "one event": WORLD.awkward["1 event"],
    "two pages": WORLD.awkward["26 events"],
    "merged": MERGE.primary_case_id,
    "missing": "no-such-case",
    "none": "",
}


@pytest.fixture(scope="module")
def client() -> Any:
    return cn.connect(WORLD)


def made(client: Any, case_id: str = SHOWN, **choices: Any) -> cn.CaseExplorer:
    explorer = cn.CaseExplorer(client, domain_id=DOMAIN, case_id=case_id)
    assert explorer.wait(60)
    for name, value in choices.items():
        setattr(explorer.selection, name, value)
    assert explorer.wait(60)
    return explorer


def leafed(explorer: cn.CaseExplorer, *titles: str) -> cn.CaseExplorer:
    """The explorer after somebody looked at its pages: all but the slowest."""
    pages = [page.title for page in explorer.tab.children]
    for title in titles or ("Timeline", "Changes", "People", "As of", "Story"):
        explorer.tab.selected_index = pages.index(title)
    return explorer


def seen(widget: widgets.Widget, where: str = "") -> dict[str, Any]:
    """What a person sees of a widget and all in it, by its place."""
    shown = {
        f"{where}.{name}": getattr(widget, name)
        for name in (
            "value",
            "description",
            "disabled",
            "tooltip",
            "max",
            "placeholder",
        )
        if widget.has_trait(name)
    }
    if hasattr(widget, "options"):
        shown[f"{where}.options"] = [label for label, _ in _pairs(widget.options)]
    for name in ("_data", "_state", "_notes"):  # of a timeline
        if widget.has_trait(name):
            shown[f"{where}.{name}"] = getattr(widget, name)
    if widget.has_trait("layout"):
        shown[f"{where}.display"] = widget.layout.display
    for n, child in enumerate(getattr(widget, "children", ())):
        shown |= seen(child, f"{where}/{n}{type(child).__name__}")
    return shown


def _pairs(options: Any) -> list[tuple[str, Any]]:
    return [pair if isinstance(pair, tuple) else (pair, pair) for pair in options]


def html(explorer: cn.CaseExplorer) -> str:
    """All HTML that the explorer holds."""
    found, left = "", [explorer]
    while left:
        widget = left.pop()
        found += widget.value if isinstance(widget, widgets.HTML) else ""
        left += getattr(widget, "children", ())
    return found


# ----------------------------------------------------------------- choosing


def test_an_assignment_shows_the_case(client: Any) -> None:
    explorer = cn.CaseExplorer(client)
    explorer.domain_id, explorer.case_id = DOMAIN, SHOWN
    expected = cn.load_history(client, DOMAIN, SHOWN)
    assert_frame_equal(explorer.history.events, expected.events)
    named = cn.with_names(expected.changes, explorer.selection.catalogue)
    assert_frame_equal(explorer.changes, named)
    assert explorer.as_of == expected.certificate.last_event_at
    assert explorer.timeline_tab.shown is None  # drawn when it is looked at
    leafed(explorer)
    assert explorer.timeline_tab.live.children == (explorer.timeline_tab.shown,)
    assert explorer.timeline_tab.activity.value.count("<img") == 1
    assert "created the case" in explorer.story_tab.text.value
    assert explorer.changes_tab.table.value.count("<tr>") == 1 + len(expected.changes)


def test_what_a_mouse_does_is_what_an_assignment_does(client: Any) -> None:
    by_mouse, by_name = made(client, ""), made(client, "")
    case_id = by_mouse.case.options[3][1]
    by_mouse.case.value = case_id
    by_mouse.wait(60)
    by_mouse.changes_tab.order.value = "newest first"
    by_mouse.changes_tab.field.value = "status"
    by_mouse.case_status.value = "closed"
    by_name.case_id = case_id
    by_name.wait(60)
    by_name.selection.order = "newest first"
    by_name.selection.field_id = "status"
    by_name.selection.case_status = "closed"
    assert by_mouse.wait(60)
    assert by_name.wait(60)
    assert by_mouse.case_id == case_id
    assert seen(leafed(by_mouse)) == seen(leafed(by_name))
    assert_frame_equal(by_mouse.changes, by_name.changes)


def clicked(picker: Any, value: str) -> None:
    """What the page sends when somebody chooses: a place in the list it shows."""
    values = [value for _, value in picker.options]
    picker.set_state({"index": values.index(value)})


def test_a_choice_that_meets_a_delivery_waits_for_it_and_holds(client: Any) -> None:
    explorer = made(client, "")
    model, late = explorer.selection, explorer.selection.catalogue
    model.catalogue = None  # the labels change when the names come
    choice = threading.Thread(target=clicked, args=(explorer.case.menu, SHOWN))
    with model.lock:  # a load delivers; meanwhile the page says what was chosen
        choice.start()
        choice.join(0.2)
        assert explorer.case.menu.index is None
        model.catalogue = late
    choice.join()
    assert explorer.wait(60)
    assert explorer.case_id == explorer.case.value == SHOWN
    assert explorer.history.certificate.verdict == "complete"


def test_a_choice_in_a_list_that_is_renewed_is_the_one_that_was_seen(
    client: Any,
) -> None:
    explorer = made(client, "")
    on_page = explorer.case.menu
    explorer.domain.value = WORLD.domains[1].domain_id
    clicked(on_page, SHOWN)  # the page still shows the first domain's cases
    explorer.domain.value = DOMAIN  # and this came before, but waited in the page
    assert explorer.wait(60)
    assert (explorer.domain_id, explorer.case_id) == (DOMAIN, SHOWN)
    assert explorer.case.value == SHOWN
    assert explorer.history.certificate.verdict == "complete"


def test_a_list_is_of_the_domain_that_its_cases_came_from(client: Any) -> None:
    explorer = cn.CaseExplorer(client)
    explorer.domain_id = WORLD.domains[1].domain_id
    explorer.domain_id = DOMAIN  # before any of the other's cases came
    assert explorer.wait(60)
    clicked(explorer.case.menu, SHOWN)
    assert explorer.wait(60)
    assert (explorer.domain_id, explorer.case_id) == (DOMAIN, SHOWN)


def test_a_place_in_a_menu_never_comes_to_mean_something_else(client: Any) -> None:
    explorer = made(client, "")
    menu, values = explorer.case.menu, [v for _, v in explorer.case.options]
    explorer.selection.limit = len(values) - 5
    explorer.wait(60)
    assert explorer.case.menu is not menu  # fewer
    menu = explorer.case.menu
    explorer.more.click()
    explorer.wait(60)
    assert [v for _, v in explorer.case.options] == values
    assert explorer.case.menu is menu  # more of the same
    explorer.selection.catalogue = None
    assert explorer.case.menu is menu  # other names of the same
    before = [menu]
    for status in ("closed", "escalated", "closed", "escalated", ""):
        explorer.selection.case_status = status
        explorer.wait(60)
        before.append(explorer.case.menu)
    assert before[0].comm is None  # so old that nobody answers it any more
    assert before[1].comm is not None


def test_the_next_cell_never_goes_on_from_half_a_case() -> None:
    gate = threading.Event()

    def slow(request: cn.raw.Request) -> cn.raw.Response:
        if request.operation == "GetCaseAuditEvents":
            assert gate.wait(60)
        return WORLD(request)

    explorer = cn.CaseExplorer(cn.connect(slow), domain_id=DOMAIN)
    explorer.case_id = SHOWN
    threading.Timer(0.3, gate.set).start()
    assert len(explorer.changes) > 10  # reading it waited


def test_what_is_chosen_while_a_case_comes_holds() -> None:
    gate = threading.Event()

    def slow(request: cn.raw.Request) -> cn.raw.Response:
        if request.operation == "GetCaseAuditEvents":
            assert gate.wait(60)
        return WORLD(request)

    client = cn.connect(slow)
    when = dt.datetime(2026, 2, 9, 12, tzinfo=dt.UTC)
    meanwhile = cn.CaseExplorer(client, domain_id=DOMAIN, case_id=SHOWN)
    choose = {"as_of": when, "field_id": "status", "order": "newest first"}
    for name, value in choose.items():
        setattr(meanwhile.selection, name, value)
    gate.set()
    after = made(client, **choose)
    assert meanwhile.wait(60)
    assert meanwhile.as_of == when
    assert_frame_equal(meanwhile.changes, after.changes)
    assert seen(leafed(meanwhile)) == seen(leafed(after))


def test_a_page_is_there_before_the_service_has_answered() -> None:
    gate = threading.Event()

    def slow(request: cn.raw.Request) -> cn.raw.Response:
        assert gate.wait(60)
        return WORLD(request)

    explorer = cn.CaseExplorer(cn.connect(slow))
    assert "Reading the domains…" in explorer.status.value
    assert explorer.cancel.layout.display == ""
    assert explorer.domain.options == ()
    gate.set()
    assert explorer.wait(60)
    assert explorer.cancel.layout.display == "none"
    assert explorer.domain.value == explorer.domain_id != ""


def test_cancel_and_try_again_are_there_when_they_can_be_used() -> None:
    gate = threading.Event()

    def slow(request: cn.raw.Request) -> cn.raw.Response:
        if request.operation == "GetCaseAuditEvents":
            assert gate.wait(60)
        return WORLD(request)

    explorer = made(cn.connect(slow), "")
    explorer.case_id = SHOWN
    assert explorer.retry.layout.display == "none"
    explorer.cancel.click()
    assert "Stopped reading case" in explorer.status.value
    assert explorer.retry.layout.display == ""
    assert explorer.cancel.layout.display == "none"
    assert explorer.history is None
    gate.set()
    explorer.retry.click()
    assert explorer.wait(60)
    assert explorer.history is not None
    assert explorer.retry.layout.display == "none"


def test_a_forbidden_case_clears_the_page_and_says_what_to_try(client: Any) -> None:
    def guarded(request: cn.raw.Request) -> cn.raw.Response:
        if request.operation == "GetCaseAuditEvents" and SHOWN in request.path:
            kind = {"x-amzn-errortype": "AccessDeniedException"}
            return reply({"message": "no"}, 403, **kind)
        return WORLD(request)

    explorer = leafed(
        made(cn.connect(guarded), AWKWARD["two pages"]), "Changes", "Timeline"
    )
    assert explorer.timeline_tab.live.children
    explorer.case_id = SHOWN
    explorer.wait(60)
    assert "casesnb-failed" in explorer.status.value
    assert "⚠" in explorer.status.value  # not by colour alone
    assert "Ask for the read-only policy" in explorer.status.value
    assert explorer.timeline_tab.live.children == ()
    assert explorer.changes_tab.table.value == ""


# --------------------------------------------------------------- the moment


def test_the_slider_goes_through_the_moments_of_the_case(client: Any) -> None:
    explorer = leafed(made(client), "As of")
    slider, moments = explorer.as_of_tab.slider, explorer.selection.moments
    assert (slider.max, slider.value) == (len(moments) - 1, len(moments) - 1)
    assert "0 of them other now" in explorer.as_of_tab.table.value
    slider.value = 0
    assert explorer.as_of == moments[0]
    assert f"event 1 of {len(moments)}" in explorer.as_of_tab.moment.value
    assert "≠" in explorer.as_of_tab.table.value


def test_a_moment_between_two_events_is_kept(client: Any) -> None:
    explorer = leafed(made(client), "As of")
    moments = explorer.selection.moments
    between = moments[3] + (moments[4] - moments[3]) / 2
    explorer.as_of = between
    assert explorer.as_of == between
    assert explorer.as_of_tab.slider.value == 3
    explorer.as_of_tab.slider.value = 2
    assert explorer.as_of == moments[2]


def test_two_buttons_step_from_event_to_event(client: Any) -> None:
    explorer = leafed(made(client), "As of")
    tab, moments = explorer.as_of_tab, explorer.selection.moments
    assert (tab.earlier.disabled, tab.later.disabled) == (False, True)
    tab.later.click()
    assert explorer.as_of == moments[-1]
    tab.earlier.click()
    assert explorer.as_of == moments[-2]
    assert tab.slider.value == len(moments) - 2
    explorer.as_of = between = moments[0] + (moments[1] - moments[0]) / 2
    assert (tab.earlier.disabled, tab.later.disabled) == (False, False)
    tab.earlier.click()
    assert explorer.as_of == moments[0]
    assert (tab.earlier.disabled, tab.later.disabled) == (True, False)
    tab.earlier.click()
    assert explorer.as_of == moments[0]
    explorer.as_of = between
    tab.later.click()
    assert explorer.as_of == moments[1]


def test_the_state_then_is_the_true_state(client: Any) -> None:
    explorer = leafed(made(client), "As of")
    for when in explorer.selection.moments[::5]:
        explorer.as_of = when
        rows = re.findall(
            r"<tr><td>(.*?)</td><td>(?:<details>.*?<div .*?>)?([^<]*)<",
            explorer.as_of_tab.table.value,
        )
        held = dict(rows)
        true = WORLD.true_state(SHOWN, as_of=when)
        assert {"title", "status", "summary"} <= true.keys()
        for name in ("Title", "Summary"):
            assert held[name] == true[name.lower()][1]


# ----------------------------------------------------- people and evidence


def test_people_and_machines_are_told_apart(client: Any) -> None:
    explorer = leafed(made(client), "People")
    page = explorer.people_tab.tables.value
    events = explorer.history.events
    for actor in events["actor"].unique():
        assert actor in page
    counts = re.findall(r"<tr><td>[^<]*</td><td>(\d+)</td>", page)
    assert sum(map(int, counts)) == len(events)


def test_evidence_is_the_whole_certificate(client: Any) -> None:
    explorer = leafed(made(client), "Evidence")
    certificate = explorer.history.certificate
    assert certificate.sha256 in explorer.evidence_tab.page.value
    assert certificate.source in explorer.evidence_tab.page.value
    assert certificate.verdict in explorer.evidence_tab.page.value


def test_a_page_that_cannot_be_drawn_does_not_hide_the_others(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("no axis")

    monkeypatch.setattr("casesnb.view.explorer.tabs.Timeline", fails)
    explorer = leafed(made(client), "Timeline", "Story", "As of")
    assert "no axis (ZeroDivisionError)" in explorer.selection.status
    assert "created the case" in explorer.story_tab.text.value
    assert explorer.as_of_tab.table.value


# -------------------------------------------------------- created is updated


def moves(client: Any, cases: dict[str, str]) -> None:
    fresh = {
        name: seen(leafed(made(client, case_id))) for name, case_id in cases.items()
    }
    moved = made(client, "")
    for before, after in itertools.permutations(cases, 2):
        moved.case_id = cases[before]
        moved.case_id = cases[after]
        assert moved.wait(60)
        assert seen(leafed(moved)) == fresh[after], f"{before} → {after}"


def test_after_a_merged_case_all_others_can_be_compared_with(client: Any) -> None:
    moved = leafed(made(client, AWKWARD["merged"]), "Timeline")
    moved.case_id = AWKWARD["missing"]
    assert moved.wait(60)
    fresh = leafed(made(client, AWKWARD["missing"]), "Timeline")
    assert moved.timeline_tab.other.options == fresh.timeline_tab.other.options


@pytest.mark.long
def test_moved_is_made_for_pairs_of_awkward_cases(client: Any) -> None:
    moves(client, {name: AWKWARD[name] for name in ("one event", "no event", "none")})


@pytest.mark.slow
def test_moved_is_made_for_every_pair_of_awkward_cases(client: Any) -> None:
    moves(client, AWKWARD | {"long": WORLD.awkward["10000 events"]})


@pytest.mark.slow
def test_every_case_in_turn_leaves_nothing_behind(client: Any) -> None:
    moved = made(client, "")
    for before, after in itertools.pairwise([*AWKWARD.values(), SHOWN]):
        moved.case_id = before
        moved.wait(60)
        _walk(moved.selection, random.Random(before))
        moved.wait(60)
        moved.case_id = after
        moved.wait(60)
        moved.selection.search = moved.selection.case_status = ""
        moved.selection.template_id = moved.selection.updated_since = ""
        moved.wait(60)
        assert seen(leafed(moved)) == seen(
            leafed(made(client, after, limit=moved.selection.limit))
        )


def _walk(selection: Any, dice: random.Random) -> str:
    """Make one choice that a person could make; return its name."""
    cases = [case_id for _, case_id in selection.case_options] or [SHOWN]
    domains = [domain_id for _, domain_id in selection.domain_options] or [DOMAIN]
    fields = [field_id for _, field_id in selection.field_options]
    actors = [actor for _, actor in selection.actor_options]
    moments = selection.moments or [None]
    choices = {
        "domain_id": domains,
        "case_id": [*cases, *cases, *AWKWARD.values()],
        "search": ["", "", "damage", "<script>", "nothing has this"],
        "case_status": [value for _, value in selection.status_options],
        "template_id": [value for _, value in selection.template_options],
        "updated_since": ["", "2026-03-01", "2026-03-20"],
        "limit": [1, 50, 100],
        "field_id": fields,
        "actor": actors,
        "order": [*ORDERS],
        "as_of": moments,
        "span": [None, (moments[0], moments[-1] or dt.datetime.now(dt.UTC))]
        if moments[0]
        else [None],
        "other_id": ["", *cases, *AWKWARD.values()],
    }
    often = ["case_id", "as_of", "field_id", "order"]
    name = dice.choice([*choices, *often])
    setattr(selection, name, dice.choice(choices[name]))
    return name


def test_a_short_walk_never_leaves_a_stale_page(client: Any) -> None:
    stroll(client, seed=5, steps=25)


@pytest.mark.slow
def test_a_walk_quicker_than_the_service_never_leaves_a_stale_page() -> None:
    def slow(request: cn.raw.Request) -> cn.raw.Response:
        time.sleep(0.02)
        return WORLD(request)

    stroll(cn.connect(slow), seed=7, steps=50)


@pytest.mark.slow
def test_a_walk_of_200_choices_never_leaves_a_stale_page(client: Any) -> None:
    stroll(client, seed=6, steps=200)


def stroll(client: Any, *, seed: int, steps: int) -> None:
    dice = random.Random(seed)
    walked = leafed(cn.CaseExplorer(client), "Changes")
    for step in range(steps):
        _walk(walked.selection, dice)
        if dice.random() < 0.3:
            assert walked.wait(60)
        if step % 25 == 24:
            assert walked.wait(60)
            fresh = _again(client, walked)
            assert seen(leafed(walked)) == seen(leafed(fresh)), f"after {step} choices"


def _again(client: Any, walked: cn.CaseExplorer) -> cn.CaseExplorer:
    """A new explorer with the same choices, each made once."""
    old = walked.selection
    fresh = cn.CaseExplorer(client, domain_id=old.domain_id, case_id=old.case_id)
    assert fresh.wait(60)
    names = ["limit", "search", "case_status", "template_id", "updated_since"]
    names += ["field_id", "actor", "order", "as_of", "span", "other_id"]
    for name in names:
        setattr(fresh.selection, name, getattr(old, name))
    assert fresh.wait(60)
    return fresh


def test_what_is_pasted_opens_a_case_and_leaves_the_search_as_it_was(
    client: Any,
) -> None:
    explorer = made(client, "", search="damage")
    explorer.search.value = f"https://x.test/cases/{SHOWN}"
    assert explorer.wait(60)
    assert explorer.case_id == SHOWN
    assert explorer.search.value == explorer.selection.search == "damage"


def test_a_brush_in_the_timeline_filters_the_changes(client: Any) -> None:
    explorer = leafed(made(client), "Changes", "Timeline")
    model, shown = explorer.selection, explorer.timeline_tab.shown
    at = explorer.changes["performed_at"]
    shown.span = at.iloc[3], at.iloc[20]
    is_in = (at >= at.iloc[3]) & (at <= at.iloc[20])
    assert len(explorer.changes) == is_in.sum() < len(at)
    assert "as selected in the timeline" in explorer.changes_tab.table.value
    given: dict[str, Any] = {"client": client}
    exec(explorer.code(), given)  # noqa: S102
    assert_frame_equal(given["changes"], explorer.changes)
    explorer.changes_tab.whole.click()
    assert shown.span is model.span is None
    assert len(explorer.changes) == len(at)
    model.span = at.iloc[0], at.iloc[1]
    assert shown.span == model.span


def test_as_of_is_a_cursor_on_the_timeline(client: Any) -> None:
    explorer = leafed(made(client), "As of", "Timeline")
    shown = explorer.timeline_tab.shown
    assert shown.moment == explorer.as_of
    shown.moment = explorer.selection.moments[4]
    assert explorer.as_of == shown.moment
    assert explorer.as_of_tab.slider.value == 4
    explorer.as_of_tab.later.click()
    assert shown.moment == explorer.selection.moments[5]


def test_another_case_stands_beside_it(client: Any) -> None:
    explorer = leafed(made(client), "Timeline")
    model, tab = explorer.selection, explorer.timeline_tab
    other = AWKWARD["two pages"]
    model.other_id = other
    assert explorer.wait(60)
    assert {case["id"] for case in tab.shown._arrays.head["cases"]} == {SHOWN, other}
    assert tab.shown.align == "creation"
    tab.shown.span = dt.timedelta(0), dt.timedelta(hours=1)
    assert model.span is None  # it is no time of one case
    given: dict[str, Any] = {"client": client}
    exec(explorer.code(), given)  # noqa: S102
    assert_frame_equal(given["both"].events, model.compared.events)
    tab.other.value = ""
    assert tab.shown.align == "calendar"
    model.other_id = other
    explorer.case_id = AWKWARD["one event"]
    assert explorer.wait(60)
    assert (model.other_id, model.other) == ("", None)


def test_notes_are_written_shown_and_replayed(client: Any, tmp_path: Any) -> None:
    path = tmp_path / "retail.notes.json"
    explorer = cn.CaseExplorer(
        client, domain_id=DOMAIN, case_id=SHOWN, notes=cn.Notes(path, by="Ada")
    )
    leafed(explorer, "Timeline")
    assert explorer.wait(60)
    shown = explorer.timeline_tab.shown
    event = shown._arrays.event_ids[3]
    written = {"text": "Look <b>here</b>", "case": 0, "events": [3], "span": []}
    shown.send = lambda *_: None
    shown._handle_custom_msg(written, [])
    at = explorer.history.events["performed_at"]
    explorer.add_note("Slow", start=at.iloc[2], end=at.iloc[4])
    assert [note.event_ids for note in cn.Notes(path)] == [(event,), ()]
    assert [each["text"] for each in shown._notes] == ["Look <b>here</b>", "Slow"]
    assert explorer.timeline_tab.shown is shown  # not drawn again
    leafed(explorer, "Story")
    told = explorer.story_tab.text.value
    assert "Note by Ada" in told
    assert "Look &lt;b&gt;here&lt;/b&gt;" in told
    given: dict[str, Any] = {"client": client}
    exec(explorer.code(), given)  # noqa: S102
    assert [*given["notes"]] == [*explorer.selection.notes] == [*cn.Notes(path)]
    explorer.case_id = AWKWARD["one event"]
    assert explorer.wait(60)
    assert explorer.selection.notes == ()
    again = leafed(
        cn.CaseExplorer(client, domain_id=DOMAIN, case_id=SHOWN, notes=path), "Timeline"
    )
    assert again.wait(60)
    assert [each["text"] for each in again.timeline_tab.shown._notes][1:] == ["Slow"]
    again.selection.remove_note(again.selection.notes[0])
    assert len(cn.Notes(path)) == len(again.timeline_tab.shown._notes) == 1


def test_the_code_of_a_walk_gives_the_same_frames(client: Any) -> None:
    dice = random.Random(8)
    explorer = leafed(made(client), "Changes")
    for step in range(25):
        _walk(explorer.selection, dice)
        if step % 6 == 0:
            assert explorer.wait(60)
            given: dict[str, Any] = {"client": client}
            if explorer.selection.has_failed:
                continue
            exec(explorer.code(), given)  # noqa: S102
            assert_frame_equal(given["cases"], explorer.selection.cases)
            if explorer.case_id:
                named = explorer.selection.named
                assert_frame_equal(given["history"].events, named.events)
                assert_frame_equal(given["changes"], explorer.changes)
                assert given.get("as_of") == explorer.as_of


def test_a_deleted_field_is_called_by_its_name(client: Any) -> None:
    explorer = made(client)
    fields = explorer.selection.catalogue.fields
    deleted = fields.loc[fields["is_deleted"], ["field_id", "name"]]
    assert len(deleted)
    names = dict(zip(deleted["field_id"], deleted["name"], strict=True))
    changes = explorer.changes
    shown = changes.loc[changes["field_id"].isin(names), ["field_id", "field"]]
    assert dict(shown.itertuples(index=False)) == names
    assert all(name in html(leafed(explorer)) for name in names.values())
    assert not any(key in html(explorer) for key in names)


def test_a_deleted_field_is_asked_for_once() -> None:
    asked: list[str] = []

    def answer(request: cn.raw.Request) -> cn.raw.Response:
        asked.append(request.operation)
        if request.operation == "BatchGetField":
            return reply({"fields": [], "errors": []})  # not even by name
        return WORLD(request)

    explorer = made(cn.connect(answer))
    assert asked.count("BatchGetField") == 1
    for case_id in (AWKWARD["one event"], SHOWN):
        explorer.case_id = case_id
        assert explorer.wait(60)
    assert asked.count("BatchGetField") == 1


def test_names_stand_for_ids_everywhere() -> None:
    people = cn.connect(WORLD, service_name="connect")
    explorer = cn.CaseExplorer(
        cn.connect(WORLD), domain_id=DOMAIN, case_id=SHOWN, connect=people
    )
    assert explorer.wait(60)
    leafed(explorer)
    names = set(explorer.changes["actor_name"].dropna())
    assert names
    for page in (
        explorer.story_tab.text,
        explorer.changes_tab.table,
        explorer.as_of_tab.table,
    ):
        assert "Status" in page.value
        assert any(name in page.value for name in names)
    assert any(label in names for label, _ in explorer.changes_tab.actor.options)


# ------------------------------------------------------------------ strangers

HOSTILE = [
    '<img src=x onerror="window.pwned=1">',
    "<script>window.pwned=1</script>",
    "</pre></div></details><svg onload=alert(1)>",
    "$\\alpha$ & $$ %s {0} {{7*7}}",
    "\u202eesrever\u2066",
    "long " * 820,
    "line\none\r\ntwo\ttab\x00nul",
]


def hostile(request: cn.raw.Request) -> cn.raw.Response:
    """A case whose every text was written by somebody who means no good."""
    if request.operation == "ListDomains":
        return reply({"domains": [_domain(text, n) for n, text in enumerate(HOSTILE)]})
    if request.operation == "SearchCases":
        return reply({"cases": [_case(text, n) for n, text in enumerate(HOSTILE)]})
    if request.operation != "GetCaseAuditEvents":
        return reply({"message": HOSTILE[0]}, 403)
    events = [
        {
            "eventId": f"e{n}{text[:400]}",
            "type": "Case.Created" if n == 0 else text[:400],
            "relatedItemType": text[:400],
            "performedTime": f"2026-03-01T10:{n:02}:00Z",
            "fields": [
                {
                    "eventFieldId": field,
                    "oldValue": {"stringValue": HOSTILE[n - 1]},
                    "newValue": {"stringValue": text},
                }
                for field in (text[:400], "title", "status", "assigned_user")
            ],
            "performedBy": {
                "iamPrincipalArn": text[:400],
                "user": {"customEntity": text[:400]},
            },
        }
        for n, text in enumerate(HOSTILE)
    ]
    return reply({"auditEvents": events}, date=DATE)


def _domain(text: str, n: int) -> dict[str, Any]:
    return {"domainId": f"d{n}{text[:400]}", "domainArn": text[:400], "name": text}


def _case(text: str, n: int) -> dict[str, Any]:
    fields = ("title", "status", "reference_number")
    held = [{"id": name, "value": {"stringValue": text}} for name in fields]
    return {"caseId": f"c{n}", "templateId": text, "fields": held}


def test_no_text_of_a_stranger_becomes_markup() -> None:
    explorer = cn.CaseExplorer(cn.connect(hostile), case_id="c1")
    assert explorer.wait(60)
    leafed(explorer)
    assert explorer.selection.has_failed is False, explorer.selection.status
    page = html(explorer) + explorer.snapshot()
    tags = set(re.findall(r"<(\w+)", page))
    assert tags <= {
        *(
            "style",
            "div",
            "span",
            "pre",
            "p",
            "b",
            "table",
            "caption",
            "thead",
            "tbody",
        ),
        *("tr", "th", "td", "details", "summary", "figure", "img", "dl", "dt", "dd"),
        *("h3", "ul", "li", "code", "strong"),
    }
    assert all(
        src.startswith("data:image/png;base64,")
        for src in re.findall(r'<img src="?([^"\s]*)', page)
    )
    assert not re.search(r"<[^>]*\son\w+\s*=", page)
    assert "\u202e" not in page
    assert "\x00" not in page
    # Nothing is lost either: the whole of a long text is there to be opened.
    assert "long " * 800 in explorer.changes_tab.table.value


def test_long_text_is_folded(client: Any) -> None:
    explorer = cn.CaseExplorer(cn.connect(hostile), case_id="c1")
    explorer.wait(60)
    leafed(explorer)
    assert "<details><summary>long long" in explorer.changes_tab.table.value


# --------------------------------------------------------------------- quick


def test_the_pickers_stay_small_with_100_000_cases() -> None:
    asked = []

    def many(request: cn.raw.Request) -> cn.raw.Response:
        asked.append(request.operation)
        if request.operation != "SearchCases":
            return WORLD(request)
        body = json.loads(request.body)
        start = int(body.get("nextToken", 0))
        stop = start + body["maxResults"]
        found = [{"caseId": f"c{n}", "fields": []} for n in range(start, stop)]
        return reply({"cases": found, "nextToken": str(stop), "totalCount": 100_000})

    explorer = cn.CaseExplorer(cn.connect(many))
    assert explorer.wait(60)
    assert len(explorer.case.options) == 50
    assert explorer.more.layout.display == ""
    assert asked.count("SearchCases") == 1
    explorer.more.click()
    assert explorer.wait(60)
    assert len(explorer.case.options) == 100
    assert asked.count("SearchCases") == 2


# ------------------------------------------------------------------ remaining


def test_a_snapshot_needs_no_kernel_and_no_network(client: Any) -> None:
    page = made(client).snapshot()
    assert page.count('<img src="data:image/png;base64,') >= 2
    assert "<table" in page
    assert "http://" not in re.sub(r">[^<]*<", "><", page)
    assert "<script" not in page


def test_the_page_says_in_words_what_it_shows(client: Any) -> None:
    explorer = leafed(made(client), "Timeline")
    assert explorer.timeline_tab.changes.value == ""
    explorer.timeline_tab.draw_picture()
    for picture in (explorer.timeline_tab.changes, explorer.timeline_tab.activity):
        assert re.search(r'alt="[^"]{10,}"', picture.value)
        assert "This picture in words" in picture.value
    assert 'role="status" aria-live="polite"' in explorer.status.value
    for name in ("domain", "search", "case_status", "template", "since", "case"):
        picker = getattr(explorer, name)
        picker = getattr(picker, "menu", picker)
        assert picker.description
        assert picker.tooltip


def test_its_text_is_the_same_each_time(client: Any) -> None:
    assert repr(made(client)) == (
        f"CaseExplorer(domain_id={DOMAIN!r}, case_id={SHOWN!r})"
    )


def test_a_moment_may_be_given_as_text(client: Any) -> None:
    explorer = made(client)
    explorer.as_of = "2026-02-09T12:00:00+00:00"
    assert explorer.selection.as_of == dt.datetime(2026, 2, 9, 12, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A notebook with the explorer on two cases, executed, saved and made HTML."""
    folder = tmp_path_factory.mktemp("saved")
    cases = (SHOWN, WORLD.awkward["26 events"])
    shown = [
        f"cn.CaseExplorer(client, domain_id={DOMAIN!r}, case_id={c!r})" for c in cases
    ]
    first = "import casesnb as cn\nclient = cn.connect(cn.sandbox.World(seed=0))"
    cells = [nbformat.v4.new_code_cell(source) for source in (first, *shown)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "saved.ipynb")
    command = [sys.executable, "-m", "nbconvert", "--execute", "--to", "html"]
    done = subprocess.run(
        [*command, str(folder / "saved.ipynb")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return (folder / "saved.html").read_text("utf-8")


@pytest.mark.long
def test_a_converted_notebook_keeps_pictures_of_one_size_and_the_table(
    converted: str,
) -> None:
    static = converted.split('<div class="casesnb-static">')[1:]
    assert len(static) == 2
    widths = set()
    for part in static:
        pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', part)
        assert len(pictures) == 2
        for picture in pictures:
            png = base64.b64decode(picture)
            widths.add(int.from_bytes(png[16:20], "big"))
        assert part.count("<tr>") > 20
        assert "created the case" in part
    assert widths == {1100}
    # Hidden only beside a live explorer, which a page without a kernel lacks.
    live = re.findall(r'class="[^"]*casesnb-explorer', converted)
    assert live == []
