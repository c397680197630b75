"""The report: one file, offline, escaped, and each number beside its events."""

from __future__ import annotations

import base64
import datetime as dt
import errno
import html
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import decisions
import histories
import pytest
from histories import AGENTS, event, history

import casesnb as cn
from casesnb.view.report import pictures, sections
from casesnb.view.report.write import report_body
from casesnb.view.timeline.page import script, script_source

THEN = dt.datetime(2026, 3, 3, 8, 0, tzinfo=dt.UTC)


def report_html(history: Any, **how: Any) -> str:
    return report_body(history, written_at=THEN, **how).decode("utf-8")


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and whether each is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "source"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page() -> str:
    return report_html(history())


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pixels of the pictures out, which take a second."""
    monkeypatch.setattr(
        pictures, "png", lambda ax, **_: b"\x89PNG\r\n\x1a\n" + b"\0" * 32
    )


def test_a_report_is_one_file_that_asks_nobody(page: str) -> None:
    tags = Tags(page)
    assert tags.open == []
    names = {tag for tag, _ in tags.found}
    assert not names & {"link", "iframe", "object", "form"}
    drawn = [
        attrs[n] for _, attrs in tags.found for n in ("src", "srcset") if n in attrs
    ]
    assert len(drawn) == 4
    assert all(str(src).startswith("data:image/png;base64,") for src in drawn)
    links = [str(attrs["href"]) for tag, attrs in tags.found if "href" in attrs]
    assert links
    assert all(link.startswith("#") for link in links)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert html.unescape(policy) == (
        f"default-src 'none'; script-src {script_source()}; img-src data:; "
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )


def test_its_one_script_is_the_timeline_s_and_its_data_are_inert(page: str) -> None:
    assert [attrs for tag, attrs in Tags(page).found if tag == "script"] == [
        {"type": "module", "data-item": "script"}
    ]
    assert f'<script type="module" data-item="script">{script()}</script>' in page
    (coded,) = re.findall(
        r'<pre data-item="h0c0 changes timeline" data-casesnb-data hidden>([^<]*)</pre>',
        page,
    )
    told = base64.b64decode(coded, validate=True)
    assert b"What changed in case 4711" in told
    assert len(script()) + len(coded) - len(told) < 200_000


def test_its_first_line_promises_its_last(page: str, tmp_path: Path) -> None:
    promise = "it is whole only if it ends with the line: end of report -->\n"
    assert page.splitlines(keepends=True)[0].endswith(promise)
    path = cn.write_report(history([]), tmp_path / "r.html")
    assert path.read_text("utf-8").endswith("</html>\n<!-- end of report -->\n")


def test_every_link_leads_to_an_event_of_the_page(page: str) -> None:
    tags = Tags(page)
    ids = [attrs["id"] for _, attrs in tags.found if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = {str(attrs["href"])[1:] for _, attrs in tags.found if "href" in attrs}
    assert links <= set(ids)


def test_items_have_names_of_their_own(page: str) -> None:
    items = [
        attrs["data-item"] for _, attrs in Tags(page).found if "data-item" in attrs
    ]
    assert len(items) > 90
    assert len(items) == len(set(items))


def test_the_numbers_stand_beside_the_events_they_rest_on(page: str) -> None:
    cards = re.findall(
        r'<dd data-item="h0c0 ([\w ]+)"><b><span[^>]*>([^<]+)</span></b>'
        r'<div class="events">(.*?)</div>',
        page,
    )
    assert {name: text for name, text, _ in cards} == {
        "status": "open",
        "status for": "26.0 d",
        "assigned_user": "ben",
        "assigned_user for": "25.0 d",
        "first": "2026-02-02 09:00:00",
        "last": "2026-02-05 13:00:00",
        "age": "28.1 d",
        "events": "8",
        "changes": "8",
        "agents": "2",
        "share": "50%",
    }
    links = {name: re.findall(r">(\d+)</a>", events) for name, _, events in cards}
    assert links["share"] == ["1", "2", "4", "6"]
    assert links["status"] == ["5"]
    folded = {name for name, _, events in cards if "<summary>" in events}
    assert folded == {"events", "changes", "agents", "share"}  # more than three


def test_its_heading_is_what_the_case_is_about(page: str) -> None:
    said = "Refund, open for 26 days, held by ben, reopened once; 1 finding"
    assert f'<h1 data-item="title">{said}</h1>' in page
    assert f"<title>{said}</title>" in page


def test_findings_come_before_pictures_and_evidence_last(page: str) -> None:
    order = ["facts", "findings", "pictures", "story", "changes table", "events table"]
    places = [page.index(f'data-item="h0c0 {name}"') for name in order]
    places.append(page.index('data-item="h0 evidence"'))
    assert places == sorted(places)


@pytest.mark.usefixtures("undrawn")
def test_a_user_without_a_name_is_said_to_have_none() -> None:
    ids = [f"{n:08x}-aaaa-4bbb-8ccc-000000000000" for n in range(2)]
    events = [
        event(0, "02T09:00:00", histories.by(), kind="Case.Created", title="Refund"),
        event(1, "02T10:00:00", histories.by(ids[0]), assigned_user=AGENTS + ids[0]),
    ]
    page = report_html(history(events))
    (said,) = {*re.findall(r">(a user[^<]*here)</span>", page)}
    assert said == "a user without a name here"
    assert f'<span title="{AGENTS}{ids[0]}">{said}</span>' in page
    assert f"{ids[0][:8]}…" not in page
    events.append(
        event(2, "02T11:00:00", histories.by(ids[1]), assigned_user=AGENTS + ids[1])
    )
    page = report_html(history(events))
    assert "user 1 without a name here" in page
    assert "user 2 without a name here" in page


def test_a_report_holds_story_tables_certificate_and_versions(page: str) -> None:
    plain = history()
    for event_id in plain.events["event_id"]:
        assert f'<td data-head="Event id" class="id">{event_id}</td>' in page
    assert plain.certificate.standing in page
    assert "anna added a comment" in page
    assert plain.certificate.sha256 in page
    assert f'<td class="id">{cn.__version__}</td>' in page
    assert "GetCaseAuditEvents" in page


def test_the_same_data_give_the_same_bytes_but_for_the_time(page: str) -> None:
    again = report_body(history(), written_at=THEN + dt.timedelta(days=1)).decode()
    pairs = zip(again.splitlines(), page.splitlines(), strict=True)
    changed = [a for a, b in pairs if a != b]
    assert len(changed) == 2
    assert changed[0].startswith("<!DOCTYPE html><!-- casesnb")
    assert ">Written 2026-03-04 08:00:00 UTC by" in changed[1]


def test_the_machine_s_language_and_style_change_no_byte(
    page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"axes.facecolor": "black", "savefig.facecolor": "red"}):
        assert report_html(history()) == page


@pytest.mark.usefixtures("undrawn")
def test_a_stranger_writes_no_html() -> None:
    hostile = histories.hostile_history()
    page = report_html(hostile, title="<script>alert(0)</script>")
    tags = Tags(page)
    assert tags.open == []
    assert [tag for tag, _ in tags.found].count("script") == 1
    for _, attrs in tags.found:
        assert not {name for name in attrs if name.startswith("on")}
    written, _, _ = page.partition(script())
    for char in "\u202e\u2066\x00\x07\x1b":
        assert char not in written
    assert "x" * 4_100 in page  # a report holds all of it


@pytest.mark.usefixtures("undrawn")
def test_many_cases_have_a_table_and_a_chapter_each() -> None:
    many = histories.many(limit=2)
    page = report_html(many)
    tags = Tags(page)
    assert tags.open == []
    n = many.certificate.n_cases
    assert page.count(' row"><td') == n
    assert f">{n} cases: " in page
    for case_id in many.events["case_id"].unique():
        assert f'>Case <code data-id="{case_id}">{case_id}</code> of domain' in page


@pytest.mark.usefixtures("undrawn")
def test_several_histories_are_chapters_of_one_report() -> None:
    page = report_html([history(case_id="one"), history(case_id="two")])
    assert Tags(page).open == []
    assert "<title>2 cases in 2 histories</title>" in page
    assert 'id="h0c0"' in page
    assert 'id="h1c0"' in page
    with pytest.raises(ValueError, match="There is no history to report"):
        report_html([])


@pytest.mark.usefixtures("undrawn")
def test_a_history_of_nothing_is_a_report_of_nothing() -> None:
    page = report_html(history([]))
    assert Tags(page).open == []
    assert '<h1 data-item="title">0 cases: 0 closed, 0 not; no finding</h1>' in page
    assert '<code data-id="4711">4711</code>' in page  # which was asked for


@pytest.mark.usefixtures("undrawn")
def test_a_finding_calls_people_by_name_and_rests_on_its_case_alone() -> None:
    world = cn.sandbox.World(seed=7, cases=6)
    client, connect = cn.connect(world), cn.connect(world, service_name="connect")
    domain_id = world.showcase[0]
    cases = cn.load_cases(client, domain_id)["case_id"]
    history = cn.load_histories(client, domain_id, cases)
    catalogue = cn.load_catalogue(client, domain_id, connect=connect)
    page = report_html(cn.with_names(history, catalogue))
    rows = re.findall(r'h0c\d+ row">.*?Status"><span title="(\w+)">\s*(\w+)<', page)
    assert ("closed", "Closed") in rows  # the table says what the cards say
    found = re.findall(r'<tr class="\w+" data-item="h0c\d+ finding.*?</tr>', page)
    alone = [
        cn.findings(cn.load_history(client, domain_id, case_id)) for case_id in cases
    ]
    assert len(found) == sum(map(len, alone)) > 3
    assert any("changed back by" in line for line in found)
    assert not [line for line in found if "arn:" in line]
    names = "|".join(catalogue.users["name"])
    assert any(re.search(f"by ({names}) .* against ({names})", line) for line in found)


@pytest.mark.usefixtures("undrawn")
def test_a_full_disk_leaves_the_report_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = cn.write_report(history([]), tmp_path / "r.html")
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        cn.write_report(history(), path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["r.html"]


def overview(page: str) -> dict[str, str]:
    """What each key figure's card says, by its name."""
    found = re.findall(r'data-item="h0 figure (\w+)">(.*?)</dd>', page, re.DOTALL)
    return {
        name: " ".join(re.sub("<[^>]*>", " ", text).split()) for name, text in found
    }


@pytest.mark.usefixtures("undrawn")
def test_many_cases_open_with_the_figures_of_the_week_and_of_the_one_before() -> None:
    world, many = decisions.world_and_history(3, 30, sla=1.0)
    page = report_html(many)
    assert Tags(page).open == []
    week = many.certificate.as_of - dt.timedelta(days=7), many.certificate.as_of
    before = week[0] - dt.timedelta(days=7), week[0]
    first = cn.first_times(many)["created_at"]
    told = overview(page)
    n, n_before = (
        int(first.between(*w, inclusive="left").sum()) for w in (week, before)
    )
    assert re.fullmatch(
        rf"{n} 95%: \d+ to \d+ Week before: {n_before} 95%: \d+ to \d+",
        told["arrivals"],
    )
    summary = cn.case_summary(many)
    assert told["backlog"].startswith(f"{int((~summary['is_closed']).sum())} counted")
    (old,) = re.findall(r'data-item="h0 aging in words">(.*?)</div>', page, re.DOTALL)
    n_open = int((~summary["is_closed"]).sum())
    assert f"{n_open} open cases as of {world.now:%Y-%m-%d %H:%M} UTC" in old
    rate = cn.rates(many, "sla_met", window=week).to_dict("records")[0]
    assert f"{rate['n']} of {rate['n_of']} SLAs" in told["sla_met"]
    assert len(told) == 10
    # No case is told in full, but each is named, and twenty are to be read.
    assert page.count('class="facts-of') == 0
    assert page.count('data-item="h0 triage ') == len(cn.triage(many)) > 5
    for case_id in many.certificate.captures["case_id"]:
        assert f'data-id="{case_id}">{case_id}<' in page
    assert world.now == many.certificate.as_of


@pytest.mark.long
@pytest.mark.usefixtures("undrawn")
def test_whole_cases_and_key_figures_are_told_if_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = histories.many(limit=2)
    n = many.certificate.n_cases
    for full, has_figures, n_told in ((None, 0, n), (False, 1, 0), (True, 0, n)):
        page = report_html(many, full=full)
        assert page.count('data-item="h0 figures"') == has_figures
        assert page.count('class="facts-of') == n_told
    monkeypatch.setattr(sections, "_FULL", 1)
    page = report_html(many, full=True)
    assert page.count('data-item="h0 figures"') == 1
    assert page.count('class="facts-of') == n


@pytest.mark.slow
def test_a_report_of_a_thousand_cases_is_below_two_megabytes() -> None:
    _, many = decisions.world_and_history(7, 1_000)
    page = report_html(many)
    assert len(page.encode()) < 2_000_000
    assert page.count('data-item="h0 triage ') == 20
