"""Verification: what was altered is found and named, and nothing else is."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import histories
import pytest
from answers import Pages
from decisions import world_and_history
from forgeries import in_a_hurry
from histories import event, history

import casesnb as cn
from casesnb.cli import main
from casesnb.view.plots.png import drawn_by
from casesnb.view.report import write
from casesnb.view.report.verify import CHANGED, DIFFERS, NOT_VERIFIED, REPRODUCED
from casesnb.view.report.write import software

LATER = event(8, "06T09:00:00", histories.by("ben"), status=("open", "closed"))
# The sandbox and the answers here say that they answer at noon of 2 March 2026.
SINCE = LATER | {"performedTime": "2026-03-02T12:00:01Z"}


def client(events: list[Any]) -> Any:
    return cn.connect(Pages(events))


@pytest.fixture(scope="module", autouse=True)
def hurry() -> Iterator[None]:
    with in_a_hurry():
        yield


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


def with_manifest(report: Path, change: Any) -> Path:
    """The same report with another manifest."""
    text = report.read_text("utf-8")
    start = text.index(">", text.index('<pre id="manifest"')) + 1
    end = text.index("</pre>", start)
    told = json.loads(html.unescape(text[start:end]))
    told = change(told) or told
    told = told if isinstance(told, str) else json.dumps(told)
    report.write_text(text[:start] + html.escape(told) + text[end:], "utf-8")
    return report


def named(found: Any, verdict: str) -> list[str]:
    return [check.item for check in found.checks if check.verdict == verdict]


def test_a_report_of_the_same_data_is_reproduced_but_for_what_nobody_tells(
    report: Path,
) -> None:
    found = cn.verify_report(report, client(histories.PLAIN))
    assert found.is_reproduced
    assert not found.has_differences
    n, m = len(named(found, REPRODUCED)), len(named(found, NOT_VERIFIED))
    assert n > 80
    assert str(found).splitlines()[-1] == (
        f"{n + m} items: {n} reproduced, {m} not verified"
    )
    asking = (
        "as_of boto3_version casesnb_version fetched_at n_retries n_throttles source"
    )
    assert [claim.item for claim in found.unverified] == [
        "written",
        "software",
        "h0 read",
        *(f"h0 evidence {name}" for name in asking.split()),
        "h0 left out",
    ]
    for claim in found.unverified:
        assert claim.item not in named(found, REPRODUCED)


ALTERED = {
    "h0c0 share": ("<span>50%</span>", "<span>51%</span>"),
    "h0c0 events": ("<span>8</span>", "<span>9</span>"),
    "h0c0 deed 2": ("anna added a comment", "ben added a comment"),
    "h0 counts": ("8 events, 8 changes", "8 events, 7 changes"),
    "the head of the page": ('content="casesnb"', 'content="cases"'),
    "h0c0 changes picture": ('alt="What changed', 'alt="What never changed'),
    "h0c0 changes timeline": (
        "data-casesnb-data hidden>",
        "data-casesnb-data hidden>A",
    ),
    "script": ("Apache-2.0. It holds", "Apache-2.1. It holds"),
    "h0c0 activity in words": ("most in one bar: 3", "most in one bar: 2"),
    "software pandas": ('"row">pandas<', '"row">panda<'),
    "h0 evidence source": (">Pages<", ">the live service<"),
    "written": ("Written 2", "Written 1"),
    "end": ("End of the report.", "End."),
}


def test_each_item_altered_in_the_file_is_named_and_no_other(report: Path) -> None:
    for old, new in ALTERED.values():
        alter(report, old, new)
    found = cn.verify_report(report, client(histories.PLAIN))
    assert {*named(found, DIFFERS)} == {*ALTERED}
    assert not named(found, CHANGED)
    assert f", {len(ALTERED)} differ, " in str(found)
    assert "differs: h0c0 share: the report says “51%" in str(found)


def test_one_altered_byte_of_a_picture_is_named(report: Path) -> None:
    alter(report, "base64,iVBORw0KGg", "base64,iVBORw0KGh")
    found = cn.verify_report(report, client(histories.PLAIN))
    assert named(found, DIFFERS) == ["h0c0 changes picture"]
    assert ", 1 differs, " in str(found)


def test_what_only_the_manifest_says_otherwise_differs_from_the_page(
    report: Path,
) -> None:
    def change(told: Any) -> None:
        told["software"]["pandas"] = "9.9.9"
        told["histories"][0]["certificate"]["captures"][0]["n_retries"] = 7

    found = cn.verify_report(with_manifest(report, change), client(histories.PLAIN))
    wanted = {"software pandas", "h0 evidence n_retries", "manifest"}
    assert {*named(found, DIFFERS)} >= wanted - {"manifest"}
    assert {*named(found, DIFFERS)} <= wanted


@pytest.mark.parametrize("number", [0, 3, 7])
def test_an_event_altered_at_the_source_is_named(report: Path, number: int) -> None:
    events = copy.deepcopy(histories.PLAIN)
    at = events[number]["performedTime"]
    events[number]["performedTime"] = re.sub(r":00Z$", ":07Z", at)
    found = cn.verify_report(report, client(events))
    differing = [check for check in found.checks if check.verdict == DIFFERS]
    assert {event for check in differing for event in check.event_ids} == {f"e{number}"}
    assert not named(found, CHANGED)


def test_a_value_altered_at_the_source_is_named(report: Path) -> None:
    events = copy.deepcopy(histories.PLAIN)
    events[3]["fields"][0]["newValue"] = {"doubleValue": 150.0}
    found = cn.verify_report(report, client(events))
    (row,) = (check for check in found.checks if check.item == "h0c0 change 0 e3")
    assert row.verdict == DIFFERS
    assert row.event_ids == ("e3",)
    assert "150.0" in row.recomputed
    assert "[events e3]" in str(row)


def test_an_event_that_vanished_is_named(report: Path) -> None:
    events = [*histories.PLAIN[:2], *histories.PLAIN[3:]]
    found = cn.verify_report(report, client(events))
    gone = [check for check in found.checks if check.item == "h0c0 event e2"]
    assert [(check.recomputed, check.event_ids) for check in gone] == [
        ("nothing", ("e2",))
    ]


def test_events_that_came_since_are_told_from_alterations(report: Path) -> None:
    found = cn.verify_report(report, client([*histories.PLAIN, SINCE]))
    assert not found.has_differences
    assert not found.is_reproduced
    assert found.checks[-1].item == "events that came since"
    assert found.checks[-1].event_ids == ("e8",)
    assert "h0c0 events" in named(found, CHANGED)
    assert "h0c0 first" in named(found, REPRODUCED)


def test_an_event_that_was_there_and_is_not_in_the_report_differs(report: Path) -> None:
    # It happened weeks before the report was read: nobody wrote it since.
    found = cn.verify_report(report, client([*histories.PLAIN, LATER]))
    assert found.has_differences
    assert "h0c0 event e8" in named(found, DIFFERS)
    assert not named(found, CHANGED)


def test_an_alteration_is_found_though_events_came_since(report: Path) -> None:
    found = cn.verify_report(
        alter(report, *ALTERED["h0c0 share"]), client([*histories.PLAIN, SINCE])
    )
    assert named(found, DIFFERS) == ["h0c0 share"]


def test_what_later_pages_tell_changed_since_and_is_no_difference(report: Path) -> None:
    later = SINCE | {"type": "Case.Reviewed"}  # a type that nobody documents
    found = cn.verify_report(report, client([*histories.PLAIN, None, later]))
    assert not found.has_differences
    changed = {*named(found, CHANGED)}
    assert {f"h0 evidence {name}" for name in ("n_unknowns", "verdict")} <= changed


@pytest.fixture(scope="module")
def named_pages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Any]:
    """A report that calls people by name, the same with two swapped, and its world."""
    world = cn.sandbox.World(seed=7)
    client, connect = cn.connect(world), cn.connect(world, service_name="connect")
    plain = cn.load_history(client, *world.showcase)
    catalogue = cn.load_catalogue(client, world.showcase[0], connect=connect)
    right = cn.with_names(plain, catalogue)
    people = right.events.loc[right.events["user_arn"].notna(), "actor_name"].unique()
    first, second, *_ = (name for name in people if not name.endswith("…"))
    swap = {first: second, second: first}
    wrong = cn.History(
        *(
            frame.assign(actor_name=frame["actor_name"].replace(swap))
            for frame in (right.events, right.changes)
        ),
        right.certificate,
    )
    folder = tmp_path_factory.mktemp("named")
    paths = folder / "right.html", folder / "wrong.html"
    return *map(cn.write_report, (right, wrong), paths), world  # type: ignore[return-value]


def test_names_are_compared_where_somebody_can_be_asked(
    named_pages: tuple[Path, Path, Any],
) -> None:
    right, wrong, world = named_pages
    client, connect = cn.connect(world), cn.connect(world, service_name="connect")
    found = cn.verify_report(right, client, connect=connect)
    assert found.is_reproduced
    of_names = [item for item in named(found, REPRODUCED) if "name of" in item]
    assert len(of_names) > 20
    assert not [claim for claim in found.unverified if "name" in claim.item]
    found = cn.verify_report(wrong, client, connect=connect)
    differing = named(found, DIFFERS)
    assert len(differing) == 2
    assert all(item.startswith("h0 name of person arn:") for item in differing)


def test_names_that_nobody_was_asked_for_are_never_counted_as_reproduced(
    named_pages: tuple[Path, Path, Any],
) -> None:
    _, wrong, world = named_pages
    page = wrong.read_text("utf-8")
    names = re.findall(r"h0 name of person .*?Called\">([^<]+)<", page)
    assert len(names) >= 2
    found = cn.verify_report(wrong, cn.connect(world))
    assert not found.has_differences
    assert "h0 name" in [claim.item for claim in found.unverified]
    said = [c.reported for c in found.checks if c.verdict == REPRODUCED]
    assert len(said) > 50
    assert not [text for text in said for name in names if name in text]


def test_a_title_is_its_author_s_and_not_verified(tmp_path: Path) -> None:
    path = cn.write_report(history(), tmp_path / "r.html", title="Fraud")
    found = cn.verify_report(path, client(histories.PLAIN))
    assert found.is_reproduced
    assert "title" in [claim.item for claim in found.unverified]
    assert "headline" in named(found, REPRODUCED)
    path.write_text(path.read_text("utf-8").replace("Fraud", "Theft"), "utf-8")
    found = cn.verify_report(path, client(histories.PLAIN))
    assert "title" in named(found, NOT_VERIFIED)


def test_pictures_that_another_drew_are_compared_by_their_words_and_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = {**drawn_by(), "matplotlib": "9.9.9"}
    monkeypatch.setattr(write, "software", lambda: {**software(), **there})
    path = cn.write_report(history(), tmp_path / "r.html")
    alter(path, "base64,iVBORw0KGg", "base64,iVBORw0KGh")
    source = client(histories.PLAIN)
    found = cn.verify_report(path, source)
    assert not found.has_differences
    (claim,) = (each for each in found.unverified if each.item == "pictures")
    assert claim.reported == "drawn by matplotlib 9.9.9"
    assert "h0c0 changes picture" not in named(found, REPRODUCED)
    found = cn.verify_report(alter(path, *ALTERED["h0c0 activity in words"]), source)
    assert named(found, DIFFERS) == ["h0c0 activity in words"]


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


def test_a_case_that_cannot_be_read_now_differs_and_the_others_do_not(
    tmp_path: Path,
) -> None:
    world = cn.sandbox.World(seed=7, cases=4)
    client, kept = cn.connect(world), tmp_path / "kept"
    domain_id = world.showcase[0]
    cases = [*cn.load_cases(client, domain_id, limit=2)["case_id"]]
    path = cn.write_report(
        cn.load_histories(client, domain_id, cases), tmp_path / "cases.html"
    )
    cn.load_history(cn.connect(world, record=kept, redact=False), domain_id, cases[1])
    found = cn.verify_report(path, kept)
    assert "RecordingNotFound" in str(found)
    assert not [
        c for c in found.checks if c.item[:5] == "h0c0 " and c.verdict == REPRODUCED
    ]
    assert {"h0c1 first", "h0c1 events", "h0c1 deed 0"} <= {*named(found, REPRODUCED)}


def test_a_hostile_case_is_reproduced(tmp_path: Path) -> None:
    hostile = histories.hostile_history()
    path = cn.write_report(hostile, tmp_path / "hostile.html")
    assert "&lt;b&gt;case" in path.read_text("utf-8")
    found = cn.verify_report(path, client(histories.HOSTILE_EVENTS))
    assert found.is_reproduced


def test_a_cut_history_is_reproduced_as_it_was_cut(tmp_path: Path) -> None:
    cut = history().between(
        dt.datetime(2026, 2, 3, tzinfo=dt.UTC), dt.datetime(2026, 2, 5, tzinfo=dt.UTC)
    )
    path = cn.write_report(cut, tmp_path / "cut.html")
    found = cn.verify_report(path, client([*histories.PLAIN, SINCE]))
    assert not found.has_differences


# ---------------------------------------------------------- other files and forgeries


@pytest.mark.parametrize(
    "text",
    ["", "<p>hello", '<pre id="manifest">{}</pre>', "<!DOCTYPE html><!-- casesnb"],
)
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.html"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match="is not a report that this casesnb can read"):
        cn.verify_report(path, client([]))


@pytest.mark.parametrize("kept", [0.2, 0.9, -1, -2])
def test_a_report_that_was_cut_is_said_to_be_cut(report: Path, kept: float) -> None:
    page = report.read_bytes()
    report.write_bytes(page[: int(kept * len(page)) if kept > 0 else int(kept)])
    with pytest.raises(ValueError, match="is cut: it lacks the last line"):
        cn.verify_report(report, client(histories.PLAIN))


def nested(depth: int = 100_000) -> str:
    return "[" * depth + "]" * depth


def captures(told: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = told["histories"][0]["certificate"]["captures"]
    return rows


HOSTILE = {
    "deep": lambda told: nested(),
    "no JSON": lambda told: "{",
    "a list": lambda told: "[]",
    "nothing": lambda told: "{}",
    "a number": lambda told: "1" * 5_000,
    "a huge time": lambda told: captures(told)[0].update(fetched_at="99999-01-01"),
    "no time": lambda told: captures(told)[0].update(fetched_at=None),
    "a huge count": lambda told: captures(told)[0].update(n_pages=10**40),
    "a text for a count": lambda told: captures(told)[0].update(n_pages="many"),
    "a list for a case": lambda told: captures(told)[0].update(case_id=["4711"]),
    "names of no kind": lambda told: told["histories"][0].update(people=[1]),
    "notes of no kind": lambda told: told.update(notes={"a": 1}),
    "a note of no kind": lambda told: told.update(notes=[{"text": 1}]),
    "a name of no kind": lambda told: told["histories"][0].update(people={"a": 1}),
    "events of no kind": lambda told: told["histories"][0].update(events={"a": 1}),
    "title of no kind": lambda told: told.update(title={}),
    "no version": lambda told: told["software"].pop("casesnb") and None,
    "no certificate": lambda told: told["histories"][0].pop("certificate") and None,
    "one more member": lambda told: told["histories"][0]["certificate"].update(x=1),
    "a case twice": lambda told: captures(told).append(captures(told)[0]),
    "a case more": lambda told: captures(told).append(
        captures(told)[0] | {"case_id": "another"}
    ),
    "another domain": lambda told: captures(told)[0].update(domain_id="theirs"),
    "another case": lambda told: told["histories"][0]["certificate"]["unloaded"].append(
        {"domain_id": "d", "case_id": "x", "error": "E", "message": "m"}
    ),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_manifest_is_one_clear_error_and_asks_nobody(
    report: Path, change: Any
) -> None:
    def nobody(request: Any) -> Any:
        raise AssertionError(f"asked {request}")

    with_manifest(report, change)
    with pytest.raises(ValueError, match="does not say readably") as caught:
        cn.verify_report(report, cn.connect(nobody))
    assert "Ask whoever gave it to you" in str(caught.value)
    assert len(str(caught.value)) < 500


SCRIPT = '<script data-skip>document.title="x"</script>'
ATTACKS = {
    "a script before the policy": ('<meta charset="utf-8">', f"{SCRIPT}\\g<0>"),
    "a false banner that asks to be skipped": (
        "<main>",
        "\\g<0><p data-skip>Verified by AWS</p>",
    ),
    "a true item hidden beside a false one": (
        r"<dd data-item=\"h0c0 share\">",
        '<dd>90%</dd><dd style="display:none" data-item="h0c0 share">',
    ),
    "a stranger's picture in an item": (
        r"<span>50%</span>",
        '\\g<0><img src="https://x.test/a.png">',
    ),
    "a stranger's link in an item": (
        r"<span>50%</span>",
        '<a href="https://x.test">\\g<0></a>',
    ),
    "a frame in an item": (r"<span>50%</span>", '\\g<0><iframe srcdoc="x"></iframe>'),
    "a text beside the date": (r"(Written [\d :-]+UTC)", "\\1, approved by AWS"),
    "another date": (r"(Written )\d{4}", "\\g<1>1999"),
    "CDATA": ("<main>", "\\g<0><![CDATA[ > FORGED ]]>"),
    "a comment": ("<main>", "\\g<0><!-- x -->"),
    "a style of its own": ("</style>", ".facts{display:none}</style>"),
    "another script that the policy lets in": ("'sha256-", "'unsafe-inline' \\g<0>"),
    "data that run": (
        "<pre (data-item=[^>]*) data-casesnb-data hidden>",
        "<script \\1>",
    ),
    "no policy": (r'<meta http-equiv="Content[^>]*>', ""),
    "an attribute": ("<main>", "<main hidden>"),
    "an item twice": (r'<dd data-item="h0c0 share">.*?</dd>', "\\g<0>\\g<0>"),
    "two items in another order": (
        r"(<tr[^>]*event e0.*?</tr>\n)(<tr[^>]*event e1.*?</tr>\n)",
        "\\2\\1",
    ),
    "a white space": ("<main>", "<main >"),
    "a null byte": ("<main>", "\\g<0>\0"),
    "what follows the end": (r"\Z", "<script>1</script>"),
    "what precedes the beginning": (r"\A", "<script>1</script>"),
    "line ends of another system": ("\n", "\r\n"),
    "a second page": (r"\A", "<p>x</p><!-- "),
    "a signature that is none": (
        r"end of report -->\n\Z",
        f"end of report, signed by Ed25519 key {'a' * 64}: {'b' * 128}<b>x</b> -->\n",
    ),
}


def test_no_attack_on_the_page_is_reproduced(report: Path) -> None:
    source, page = client(histories.PLAIN), report.read_text("utf-8")
    for attack, (pattern, by) in ATTACKS.items():
        forged = re.sub(pattern, by, page, count=1, flags=re.DOTALL)
        assert forged != page, attack
        report.write_bytes(forged.encode("utf-8"))
        with contextlib.suppress(ValueError):  # it is no report any more
            found = cn.verify_report(report, source)
            assert found.has_differences, attack
            assert "differs: " in str(found), attack


# ----------------------------------------------------------------- signatures, commands


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A private key, its public half, and another's public half."""
    from cryptography.hazmat.primitives import serialization as written
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    folder = tmp_path_factory.mktemp("keys")
    paths = folder / "private.pem", folder / "public.pem", folder / "other.pem"
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    pem, info = written.Encoding.PEM, written.PublicFormat.SubjectPublicKeyInfo
    none = written.NoEncryption()
    paths[0].write_bytes(key.private_bytes(pem, written.PrivateFormat.PKCS8, none))
    paths[1].write_bytes(key.public_key().public_bytes(pem, info))
    paths[2].write_bytes(other.public_key().public_bytes(pem, info))
    return paths


def test_a_signature_proves_who_wrote_the_bytes(
    tmp_path: Path, keys: tuple[Path, Path, Path]
) -> None:
    private, public, other = keys
    source = client(histories.PLAIN)
    path = cn.write_report(history(), tmp_path / "r.html", sign=private)
    found = cn.verify_report(path, source, signed_by=public)
    assert "the signature" in named(found, REPRODUCED)
    assert found.is_reproduced
    found = cn.verify_report(path, source, signed_by=other)
    assert named(found, DIFFERS) == ["the signature"]
    found = cn.verify_report(path, source)
    assert "the signature" in [claim.item for claim in found.unverified]
    assert "the signature" not in named(found, REPRODUCED)
    page = path.read_bytes()
    last = page.rstrip(b"\n").rindex(b"\n") + 1
    path.write_bytes(page.replace(b"Written 20", b"Written 19"))
    found = cn.verify_report(path, source, signed_by=public)
    assert named(found, DIFFERS) == ["written", "the signature"]
    path.write_bytes(page[:last] + b"<!-- end of report -->\n")
    found = cn.verify_report(path, source, signed_by=public)
    assert named(found, DIFFERS) == ["the signature"]


def test_a_key_that_is_none_is_refused_in_one_sentence(
    tmp_path: Path, keys: tuple[Path, Path, Path]
) -> None:
    _, public, _ = keys
    with pytest.raises(ValueError, match="holds no private key in PEM"):
        cn.write_report(history(), tmp_path / "r.html", sign=public)
    with pytest.raises(TypeError, match="is no private Ed25519 key"):
        cn.write_report(history(), tmp_path / "r.html", sign=1)  # type: ignore[arg-type]
    assert not (tmp_path / "r.html").exists()


def test_the_commands_write_and_verify(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    keys: tuple[Path, Path, Path],
) -> None:
    domain_id, case_id = cn.sandbox.World(seed=7).showcase
    path, (private, public, _) = tmp_path / "case.html", map(str, keys)
    asked = ["report", domain_id, case_id, "--from", "sandbox:7", "--out", str(path)]
    notes = cn.Notes(tmp_path / "n.json")
    notes.add("Ask again", domain_id=domain_id, case_id=case_id)
    asked += ["--notes", str(notes.path)]
    assert main([*asked, "--sign", private]) == 0
    assert capsys.readouterr() == (f"{path}\n", "")
    page = path.read_text("utf-8")
    assert all(name in page for name in ("Claim amount", "Priya Mensah", "Ask again"))
    verified = ["verify", str(path), "--against", "sandbox:7"]
    assert main([*verified, "--signed-by", public]) == 0
    said = capsys.readouterr().out
    assert "differs" not in said
    assert "not verified: h0 name" not in said
    alter(path, 'agents"><b>', 'agents"><b>1')
    assert main(verified) == 1
    assert "differs: h0c0 agents" in capsys.readouterr().out
    assert main(["verify", str(tmp_path / "none"), "--against", "sandbox:7"]) == 2
    assert "none" in capsys.readouterr().err


def test_a_report_of_the_command_says_which_names_it_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, kept = cn.sandbox.World(seed=7), tmp_path / "kept"
    cn.load_history(cn.connect(world, record=kept), *world.showcase)
    out = ["--out", str(tmp_path / "r.html")]
    assert main(["report", *world.showcase, *out, "--from", str(kept)]) == 0
    assert "Without the names of the domain (RecordingNotFound); fi" in (
        capsys.readouterr().err
    )


@pytest.mark.long
def test_a_report_of_many_cases_verifies_and_says_what_decided_it(
    tmp_path: Path,
) -> None:
    world, few = world_and_history(3, 4)
    source = cn.connect(world)
    path = cn.write_report(few, tmp_path / "week.html", full=False)
    assert cn.verify_report(path, source).is_reproduced
    text = path.read_text("utf-8")
    start = text.index("<b>", text.index('data-item="h0 figure arrivals"')) + 3
    path.write_text(f"{text[:start]}1{text[start:]}", "utf-8")
    assert "h0 figure arrivals" in named(cn.verify_report(path, source), DIFFERS)
    path.write_text(text.replace('"full": false', '"full": true'), "utf-8")
    assert cn.verify_report(path, source).has_differences
    path.write_text(text.replace('"full": false', '"full": 0'), "utf-8")
    with pytest.raises(ValueError, match="int where true, false or null is"):
        cn.verify_report(path, source)
