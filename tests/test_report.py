"""The report: one file, offline, escaped, and each number beside its events."""

from __future__ import annotations

import datetime as dt
import re
from html.parser import HTMLParser
from pathlib import Path

import histories
import pytest
from histories import history

import casesnb as cn
from casesnb.view.report.write import report_html

THEN = dt.datetime(2026, 3, 3, 8, 0, tzinfo=dt.UTC)


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and whether each is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page() -> str:
    return report_html(history(), generated_at=THEN)


def test_a_report_is_one_file_that_asks_nobody(page: str) -> None:
    tags = Tags(page)
    assert tags.open == []
    names = {tag for tag, _ in tags.found}
    assert not names & {"script", "link", "iframe", "object", "form"}
    sources = [attrs["src"] for tag, attrs in tags.found if "src" in attrs]
    assert len(sources) == 2
    assert all(str(src).startswith("data:image/png;base64,") for src in sources)
    links = [str(attrs["href"]) for tag, attrs in tags.found if "href" in attrs]
    assert links
    assert all(link.startswith("#") for link in links)
    assert "default-src 'none'" in page


def test_every_link_leads_to_an_event_of_the_page(page: str) -> None:
    tags = Tags(page)
    ids = [attrs["id"] for _, attrs in tags.found if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = {str(attrs["href"])[1:] for _, attrs in tags.found if "href" in attrs}
    assert links <= set(ids)


def test_the_numbers_stand_beside_the_events_they_rest_on(page: str) -> None:
    facts = dict(
        re.findall(r'data-item="h0c0 ([\w ]+)">([^<]+)<small data-skip>event', page)
    )
    assert facts == {
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
    share = re.search(r'h0c0 share">50%<small data-skip>(.*?)</small>', page)
    assert share is not None
    assert re.findall(r">(\d+)</a>", share[1]) == ["1", "2", "4", "6"]


def test_a_report_holds_story_tables_certificate_and_versions(page: str) -> None:
    plain = history()
    for event_id in plain.events["event_id"]:
        assert f'<td class="id">{event_id}</td>' in page
    assert str(plain.certificate) in page
    assert "anna added a comment" in page
    assert plain.certificate.sha256 in page
    assert f'<td class="id">{cn.__version__}</td>' in page
    assert "GetCaseAuditEvents" in page


def test_the_same_data_give_the_same_bytes_but_for_the_time(
    page: str, tmp_path: Path
) -> None:
    written = cn.write_report(history(), tmp_path / "a.html").read_text("utf-8")
    pairs = zip(written.splitlines(), page.splitlines(), strict=True)
    assert [a for a, b in pairs if a != b and "generated-at" not in a] == []
    later = report_html(history(), generated_at=THEN + dt.timedelta(days=1))
    changed = set(later.splitlines()) - set(page.splitlines())
    assert [line.split(">")[1].split(" ")[0] for line in changed] == ["Written"]


def test_a_stranger_writes_no_html() -> None:
    hostile = histories.hostile_history()
    page = report_html(hostile, generated_at=THEN, title="<script>alert(0)</script>")
    tags = Tags(page)
    assert tags.open == []
    assert "script" not in {tag for tag, _ in tags.found}
    assert {tag for tag, attrs in tags.found if tag == "img"} == {"img"}
    for _, attrs in tags.found:
        assert not {name for name in attrs if name.startswith("on")}
    for char in "\u202e\u2066\x00\x07\x1b":
        assert char not in page
    assert "x" * 4_100 in page  # a report holds all of it


def test_many_cases_have_an_overview_and_a_chapter_each() -> None:
    many = histories.many(limit=2)
    page = report_html(many, generated_at=THEN)
    tags = Tags(page)
    assert tags.open == []
    n = many.certificate.n_cases
    assert page.count(' row"><td') == n
    assert f'data-item="h0 cases">{n}<' in page
    for case_id in many.events["case_id"].unique():
        assert f">Case {case_id}</h2>" in page


def test_several_histories_are_chapters_of_one_report() -> None:
    page = report_html(
        [history(case_id="one"), history(case_id="two")], generated_at=THEN
    )
    assert Tags(page).open == []
    assert "<title>2 cases</title>" in page
    assert 'id="h0c0"' in page
    assert 'id="h1c0"' in page
    with pytest.raises(ValueError, match="There is no history to report"):
        report_html([], generated_at=THEN)


def test_a_history_of_nothing_is_a_report_of_nothing() -> None:
    page = report_html(history([]), generated_at=THEN)
    assert Tags(page).open == []
    assert 'data-item="h0 events">0<' in page


def test_a_finding_calls_people_by_name_and_rests_on_its_case_alone() -> None:
    world = cn.sandbox.World(seed=7, cases=6)
    client, connect = cn.connect(world), cn.connect(world, service_name="connect")
    domain_id = world.showcase[0]
    cases = cn.load_cases(client, domain_id)["case_id"]
    history = cn.load_histories(client, domain_id, cases)
    catalogue = cn.load_catalogue(client, domain_id, connect=connect)
    page = report_html(cn.with_names(history, catalogue), generated_at=THEN)
    rows = re.findall(r'h0c\d+ row">.*?</td><td>(\w+) <span class="none">(\w+)<', page)
    assert ("Closed", "closed") in rows  # the table says what the cards say
    found = re.findall(r'<tr data-item="h0c\d+ finding.*?</tr>', page)
    alone = [
        cn.findings(cn.load_history(client, domain_id, case_id)) for case_id in cases
    ]
    assert len(found) == sum(map(len, alone)) > 3
    assert any("changed back by" in line for line in found)
    assert not [line for line in found if "arn:" in line]
    names = "|".join(catalogue.users["name"])
    assert any(re.search(f"by ({names}) .* against ({names})", line) for line in found)
