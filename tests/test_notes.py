"""Notes: kept whole and private beside a history, and shown where they belong."""

from __future__ import annotations

import datetime as dt
import html
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import histories
import pytest
from answers import Pages
from forgeries import in_a_hurry
from histories import history

import casesnb as cn
from casesnb.view.report.verify import NOT_VERIFIED, REPRODUCED

CASE: Any = {"domain_id": "d", "case_id": "4711"}
THEN = dt.datetime(2026, 3, 3, 8, 0, tzinfo=dt.UTC)
HOSTILE = '</pre></textarea><script>alert(1)</script><img src=x onerror="a()">\u202e'


def three(path: Path | None = None) -> cn.Notes:
    """A note on an event, one on a span and one on the case."""
    notes = cn.Notes(path, by="Ada")
    notes.add("Look", event_ids=["e4"], written_at=THEN, **CASE)
    start, end = (dt.datetime(2026, 2, day, tzinfo=dt.UTC) for day in (3, 4))
    notes.add("Slow", start=start, end=end, written_at=THEN, **CASE)
    notes.add("Odd", by="Grace", written_at=THEN, **CASE)
    return notes


def test_notes_are_kept_in_a_file_of_their_owner(tmp_path: Path) -> None:
    path = tmp_path / "retail.notes.json"
    notes = three(path)
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text("utf-8"))["notes"][0] == {
        **CASE,
        "text": "Look",
        "by": "Ada",
        "written_at": "2026-03-03T08:00:00Z",
        "event_ids": ["e4"],
    }
    again = cn.Notes(path)
    assert [*again] == [*notes]
    again.remove([*again][1])
    assert [note.text for note in cn.Notes(path)] == ["Look", "Odd"]
    with pytest.raises(ValueError, match="no such note"):
        again.remove([*notes][1])
    assert repr(notes) == f"Notes: 3 notes on 1 case in {path}"


def test_what_others_added_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "n.json"
    both = [cn.Notes(path, by=name) for name in ("Ada", "Grace")]
    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(both[n % 2].add, str(n), **CASE) for n in range(20)]
    assert [job.result().text for job in jobs] == [str(n) for n in range(20)]
    assert {note.text for note in cn.Notes(path)} == {str(n) for n in range(20)}


def test_a_full_disk_leaves_the_notes_that_were_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = three(tmp_path / "n.json")
    before = notes.path and notes.path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        notes.add("More", **CASE)
    assert len(notes) == 3
    assert notes.path
    assert notes.path.read_bytes() == before


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"format": 2, "notes": []}', '{"format": 1, "notes": [{}]}'],
)
def test_another_file_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "n.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match="is no file of notes that this casesnb"):
        cn.Notes(path)
    assert path.read_text("utf-8") == text


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"text": " "}, ValueError, "A note of 0 characters: give 1 to 10,000"),
        ({"text": "x" * 10_001}, ValueError, "A note of 10,001 characters"),
        ({"text": "x", "start": THEN}, ValueError, "Half a span"),
        (
            {"text": "x", "start": THEN, "end": THEN - dt.timedelta(1)},
            ValueError,
            "ends before it begins",
        ),
        ({"text": "x", "event_ids": "e4"}, TypeError, "Give several in a list"),
    ],
)
def test_what_is_no_note_is_refused(
    given: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        cn.Notes().add(**given, **CASE)


def test_notes_are_a_table_that_a_spreadsheet_may_open(tmp_path: Path) -> None:
    notes = three()
    notes.add("=HYPERLINK(A1)", written_at=THEN, **CASE)
    frame = notes.to_frame()
    assert [*frame.columns] == cn.schema.NOTES.names
    assert frame["event_ids"].fillna("-").tolist() == ["e4", "-", "-", "-"]
    assert frame["by"].tolist() == ["Ada", "Ada", "Grace", "Ada"]
    assert cn.Notes().to_frame().dtypes.equals(frame.dtypes)
    text = notes.to_csv(tmp_path / "n.csv").read_text("utf-8-sig")
    assert '"\'=HYPERLINK(A1)"' in text


def test_a_story_tells_each_note_where_it_belongs() -> None:
    lines = cn.story(history(), notes=three()).splitlines()
    said = [line.strip() for line in lines if "Look" in line or " by " in line]
    place = lines.index("            Note by Ada, 2026-03-03 08:00 UTC: Look")
    assert lines[place - 2] == "  12:00:00  anna changed"
    assert "On the case, by Grace, 2026-03-03 08:00 UTC: Odd" in said
    span = "On 2026-02-03 00:00:00 to 2026-02-04 00:00:00 UTC, by Ada, "
    assert f"{span}2026-03-03 08:00 UTC: Slow" in said
    assert "Look" not in cn.story(history(case_id="4712"), notes=three())
    few = cn.story(history(), notes=three(), most=2)
    assert "On other events, by Ada" in few


def test_the_timeline_shows_notes_and_takes_them() -> None:
    notes = three()
    shown = cn.timeline(history(), notes=notes)
    place = [*shown._arrays.event_ids].index("e4")
    by = "Ada, 2026-03-03 08:00 UTC"
    assert shown._notes[0] == {
        "case": 0,
        "events": [place],
        "span": None,
        "text": "Look",
        "by": by,
    }
    low, high = shown._notes[1]["span"]
    assert high - low == 86_400_000_000
    assert shown._can_note
    said: list[Any] = []
    shown.send = said.append  # type: ignore[method-assign]
    written = {"text": "Here", "case": 0, "events": [place], "span": []}
    shown._handle_custom_msg(written, [])
    shown._handle_custom_msg(written | {"events": [], "span": [low, high]}, [])
    assert said == [{"say": "Note added"}] * 2
    one, two = [*notes][3:]
    assert (one.event_ids, one.start, one.by) == (("e4",), None, "Ada")
    assert (two.event_ids, two.start, two.end) == (
        (),
        [*notes][1].start,
        [*notes][1].end,
    )
    assert [each["text"] for each in shown._notes][3:] == ["Here", "Here"]
    shown._handle_custom_msg(written | {"text": " "}, [])
    assert said[-1]["say"].startswith("The note was not kept: A note of 0 characters")
    assert len(notes) == 5
    # Some notes, and no file to add to.
    shown = cn.timeline(history(), notes=[*notes])
    assert not shown._can_note
    shown._handle_custom_msg(written, [])
    assert len(notes) == 5
    assert cn.timeline(history(case_id="4712"), notes=notes).notes == ()
    with pytest.raises(TypeError, match="dict is no note"):
        cn.timeline(history(), notes=[{"text": "Look"}])  # type: ignore[list-item]


def test_a_report_shows_notes_and_calls_them_claims(tmp_path: Path) -> None:
    source = cn.connect(Pages(histories.PLAIN))
    with in_a_hurry():
        path = cn.write_report(history(), tmp_path / "r.html", notes=three())
        page = path.read_text("utf-8")
        told = re.findall(r'<tr data-item="h0 note \d">(.*?)</tr>', page)
        plain = [" ".join(re.sub("<[^>]*>", " ", row).split()) for row in told]
        assert plain == [
            "event 4 Look Ada, 2026-03-03 08:00 UTC",
            "2026-02-03 00:00:00 to 2026-02-04 00:00:00 UTC Slow "
            "Ada, 2026-03-03 08:00 UTC",
            "the case Odd Grace, 2026-03-03 08:00 UTC",
        ]
        assert (
            'h0 note 0 in the story">Note by Ada, 2026-03-03 08:00 UTC: Look<' in page
        )
        (coded,) = re.findall(r"data-casesnb-notes hidden>([^<]*)<", page)
        assert [note["text"] for note in json.loads(html.unescape(coded))] == [
            "Look",
            "Slow",
            "Odd",
        ]
        found = cn.verify_report(path, source)
        assert found.is_reproduced
        (claim,) = (each for each in found.unverified if each.item == "h0 note")
        assert claim.reported == "3 notes"
        said = {check.item: check.verdict for check in found.checks}
        for item in (
            "h0 note 2",
            "h0 note 0 in the story",
            "h0 note on the timeline of h0c0",
        ):
            assert said[item] == NOT_VERIFIED
        assert said["h0c0 changes timeline"] == said["h0c0 deed 4"] == REPRODUCED
        path.write_text(page.replace(">Slow<", ">Quick<"), "utf-8")
        assert cn.verify_report(path, source).has_differences


def test_a_report_of_many_cases_says_which_case_a_note_is_on() -> None:
    from casesnb.view.report.write import report_body

    with in_a_hurry():
        both = cn.concat([history(), history(case_id="4712")])
        page = report_body(both, notes=three(), written_at=THEN).decode()
    assert '<a href="#h0c0">4711</a> the case' in page
    assert page.count("Slow") == 3  # in the table, the timeline and the manifest


def test_a_hostile_note_stays_text(tmp_path: Path) -> None:
    notes = cn.Notes(by=HOSTILE)
    notes.add(HOSTILE, event_ids=["e4"], **CASE)
    source = cn.connect(Pages(histories.PLAIN))
    with in_a_hurry():
        path = cn.write_report(history(), tmp_path / "r.html", notes=notes)
        page = path.read_text("utf-8")
        assert page.count("<script") == 1
        assert "<img src=x" not in page
        assert "\u202e" not in page
        assert cn.verify_report(path, source).is_reproduced
    shown = cn.timeline(history(), notes=notes).to_html()
    assert "<img src=x" not in shown
    assert shown.count("<script") == 1


def test_somebody_whom_the_machine_does_not_name_writes_notes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", nobody)
    notes = cn.Notes(tmp_path / "case.notes.json")
    notes.add("Looked at.", domain_id="d", case_id="c")
    assert [note.by for note in notes] == ["somebody not named"]
