"""Verification: what was altered is found and named, and nothing else is."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import histories
import pytest
from answers import Pages
from histories import event, history

import casesnb as cn
from casesnb.cli import main
from casesnb.view.report.verify import CHANGED, DIFFERS, REPRODUCED


def client(events: list[Any]) -> Any:
    return cn.connect(Pages(events))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("report") / "report.html"
    return cn.write_report(history(), path).read_bytes()


@pytest.fixture
def report(written: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_bytes(written)
    return path


def alter(report: Path, old: str, new: str) -> Path:
    text = report.read_text("utf-8")
    assert old in text
    report.write_text(text.replace(old, new, 1), "utf-8")
    return report


def named(found: Any, verdict: str) -> list[str]:
    return [check.item for check in found.checks if check.verdict == verdict]


def test_a_report_of_the_same_data_is_reproduced(report: Path) -> None:
    found = cn.verify_report(report, client(histories.PLAIN))
    assert found.is_reproduced
    assert not found.has_differences
    assert str(found) == f"{len(found.checks)} items: {len(found.checks)} reproduced"
    assert len(found.checks) > 50


ALTERED = {
    "h0c0 share": ('share">50%', 'share">51%'),
    "h0c0 events": ('events">8<', 'events">9<'),
    "h0c0 story": ("anna added a comment", "ben added a comment"),
    "h0 certificate": ("8 events, 8 changes", "8 events, 7 changes"),
    "the rest of the page": (">The case<", ">The cases<"),
    "h0c0 changes picture": ('alt="What changed', 'alt="What never changed'),
}


def test_each_item_altered_in_the_file_is_named_and_no_other(report: Path) -> None:
    for old, new in ALTERED.values():
        alter(report, old, new)
    found = cn.verify_report(report, client(histories.PLAIN))
    assert set(named(found, DIFFERS)) == set(ALTERED)
    assert not named(found, CHANGED)
    assert str(found).startswith("differs: ")


def test_one_altered_byte_of_a_picture_is_named(report: Path) -> None:
    alter(report, "base64,iVBORw0KGgoAAAANSUhEUgAA", "base64,iVBORw0KGgoAAAANSUhEUgAB")
    found = cn.verify_report(report, client(histories.PLAIN))
    assert named(found, DIFFERS) == ["h0c0 changes picture"]


def test_each_version_altered_in_the_file_is_named(report: Path) -> None:
    packages = ["casesnb", "boto3", "pandas", "matplotlib"]
    for package in packages:
        text = report.read_text("utf-8")
        number = re.search(rf'version {package}"><td>.*?<td class="id">(.*?)<', text)
        assert number is not None
        row = number[0]
        alter(report, row, row.replace(f">{number[1]}<", ">9.9.9<"))
    found = cn.verify_report(report, client(histories.PLAIN))
    assert named(found, DIFFERS) == [f"version {package}" for package in packages]


def test_a_version_altered_in_the_certificate_too_is_named(report: Path) -> None:
    text = report.read_text("utf-8")
    version = history().certificate.boto3_version
    plain = f"&quot;boto3_version&quot;: &quot;{version}&quot;"
    assert plain in text
    text = text.replace(plain, plain.replace(version, "9.9.9"))
    row = f'boto3_version</td><td class="id">{version}<'
    assert row in text
    report.write_text(text.replace(row, row.replace(version, "9.9.9")), "utf-8")
    found = cn.verify_report(report, client(histories.PLAIN))
    assert named(found, DIFFERS) == ["h0 boto3_version"]


@pytest.mark.parametrize("number", [0, 3, 7])
def test_an_event_altered_at_the_source_is_named(report: Path, number: int) -> None:
    events = copy.deepcopy(histories.PLAIN)
    events[number]["performedTime"] = (
        events[number]["performedTime"]
        .replace(":00:00Z", ":00:07Z")
        .replace(":05:00Z", ":05:07Z")
    )
    found = cn.verify_report(report, client(events))
    differing = [check for check in found.checks if check.verdict == DIFFERS]
    assert {event for check in differing for event in check.event_ids} == {f"e{number}"}
    assert not named(found, CHANGED)


def test_a_value_altered_at_the_source_is_named(report: Path) -> None:
    events = copy.deepcopy(histories.PLAIN)
    events[3]["fields"][0]["newValue"] = {"doubleValue": 150.0}
    found = cn.verify_report(report, client(events))
    row = next(
        c for c in found.checks if c.item.endswith("change 0") and "149" in c.reported
    )
    assert row.verdict == DIFFERS
    assert row.event_ids == ("e3",)
    assert "150.0" in row.recomputed
    assert "[events e3]" in str(row)


def test_an_event_that_vanished_is_named(report: Path) -> None:
    events = [*histories.PLAIN[:2], *histories.PLAIN[3:]]
    found = cn.verify_report(report, client(events))
    gone = [check for check in found.checks if check.recomputed == "nothing"]
    assert [check.event_ids for check in gone] == [("e2",)]
    # The rows of all other events are as they were.
    rows = [check for check in found.checks if re.match(r"h0c0e\w{10}", check.item)]
    assert (
        len([check for check in rows if check.verdict == REPRODUCED]) == len(rows) - 1
    )


def test_events_that_came_since_are_told_from_alterations(report: Path) -> None:
    later = event(8, "06T09:00:00", histories.by("ben"), status=("open", "closed"))
    found = cn.verify_report(report, client([*histories.PLAIN, later]))
    assert not found.has_differences
    assert not found.is_reproduced
    assert found.checks[-1].item == "events that came since"
    assert found.checks[-1].event_ids == ("e8",)
    assert "h0c0 events" in named(found, CHANGED)
    assert "h0c0 agents" in named(found, REPRODUCED)


def test_an_alteration_is_found_though_events_came_since(report: Path) -> None:
    later = event(8, "06T09:00:00", histories.by("ben"), status=("open", "closed"))
    found = cn.verify_report(
        alter(report, 'share">50%', 'share">51%'),
        client([*histories.PLAIN, later]),
    )
    assert named(found, DIFFERS) == ["h0c0 share"]


def test_what_later_pages_tell_changed_since_and_is_no_difference(report: Path) -> None:
    later = event(8, "06T09:00:00", histories.by("ben"), status=("open", "closed"))
    later["type"] = "Case.Reviewed"  # a type that nobody documents
    source = client([*histories.PLAIN, None, later])
    found = cn.verify_report(report, source)
    assert not found.has_differences
    assert {"h0 n_nulls", "h0 n_unknowns", "h0 verdict"} <= {*named(found, CHANGED)}
    assert "h0 n_duplicates" in named(found, REPRODUCED)
    forged = alter(report, "&quot;n_nulls&quot;: 0", "&quot;n_nulls&quot;: 7")
    assert "h0 n_nulls" in named(cn.verify_report(forged, source), DIFFERS)


def test_names_are_those_that_the_report_was_made_with(tmp_path: Path) -> None:
    plain = history()
    plain.events["actor_name"] = (
        plain.events["actor"].astype(object).map({histories.ANNA: "Anna Lopez"})
    )
    plain.changes["actor_name"] = (
        plain.changes["actor"].astype(object).map({histories.ANNA: "Anna Lopez"})
    )
    plain.changes["field"] = plain.changes["field_id"].astype(str).str.title()
    plain.changes["old_label"] = None
    plain.changes["new_label"] = plain.changes["new"].map({"open": "Offen"})
    path = cn.write_report(plain, tmp_path / "named.html")
    assert "Anna Lopez added a comment" in path.read_text("utf-8")
    found = cn.verify_report(path, client(histories.PLAIN))
    assert named(found, DIFFERS) == []


def test_cases_keep_the_order_in_which_they_were_asked_for(tmp_path: Path) -> None:
    world = cn.sandbox.World(seed=7, cases=4)
    client = cn.connect(world)
    cases = cn.load_cases(client, world.showcase[0], limit=2)["case_id"]
    order = sorted(cases, reverse=True)  # not the one that a sorted page would have
    history = cn.load_histories(client, world.showcase[0], order)
    path = cn.write_report(history, tmp_path / "cases.html")
    assert cn.verify_report(path, client).is_reproduced


def test_cases_of_which_no_table_tells_are_asked_for_again(tmp_path: Path) -> None:
    rates = cn.sandbox.Rates(no_event=0.4)
    world = cn.sandbox.World(seed=7, cases=12, rates=rates)
    client = cn.connect(world)
    cases = [*cn.load_cases(client, world.showcase[0])["case_id"][:5], "gone"]
    history = cn.load_histories(client, world.showcase[0], cases, errors="collect")
    empty = history.certificate.empty_cases
    assert 0 < len(empty) < 5
    assert cases.index(empty[0]) < 4  # not the last one that was asked for
    path = cn.write_report(history, tmp_path / "cases.html")
    assert cn.verify_report(path, client).is_reproduced


def test_a_hostile_case_is_reproduced(tmp_path: Path) -> None:
    hostile = histories.hostile_history()
    path = cn.write_report(hostile, tmp_path / "hostile.html")
    assert "&lt;b&gt;case" in path.read_text("utf-8")
    found = cn.verify_report(path, client(histories.HOSTILE_EVENTS))
    assert found.is_reproduced


@pytest.mark.parametrize(
    "text", ["", "<p>hello", '<pre id="casesnb-manifest">{}</pre>']
)
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.html"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match="is not a report that this casesnb can read"):
        cn.verify_report(path, client([]))


def test_the_commands_write_and_verify(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    domain_id, case_id = cn.sandbox.World(seed=7).showcase
    path = tmp_path / "case.html"
    asked = ["report", domain_id, case_id, "--from", "sandbox:7", "--out", str(path)]
    assert main(asked) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert main(["verify", str(path), "--against", "sandbox:7"]) == 0
    assert "differs" not in capsys.readouterr().out
    alter(path, 'agents">', 'agents">1')
    assert main(["verify", str(path), "--against", "sandbox:7"]) == 1
    assert "differs: h0c0 agents" in capsys.readouterr().out
    assert main(["verify", str(tmp_path / "none"), "--against", "sandbox:7"]) == 2
    assert "none" in capsys.readouterr().err


def test_a_report_of_the_command_has_names_and_says_which_it_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = cn.sandbox.World(seed=7)
    path, kept = tmp_path / "r.html", tmp_path / "kept"
    where = ["report", *world.showcase, "--out", str(path), "--from"]
    assert main([*where, "sandbox:7"]) == 0
    assert capsys.readouterr().err == ""
    page = path.read_text("utf-8")
    assert all(name in page for name in ("Claim amount", "Priya Mensah", "Claims"))
    assert main(["verify", str(path), "--against", "sandbox:7"]) == 0
    cn.load_history(cn.connect(world, record=kept), *world.showcase)
    assert main([*where, str(kept)]) == 0
    assert "Without the names of the domain (RecordingNotFound); fi" in (
        capsys.readouterr().err
    )
    assert main(["verify", str(path), "--against", str(kept)]) == 0
