"""What leaves the house as pseudonyms beside recordings: histories, archives, reports."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from histories import by, event, history
from pandas.testing import assert_frame_equal
from planted import PLANTED, exchanges

import casesnb as cn
from casesnb.tables.schema import SYSTEM_FIELDS
from casesnb.wire.pages import Page
from casesnb.wire.redact.redactor import REPLACE, Redactor
from casesnb.wire.store import Store

KEY = bytes(range(32))
REDACTION = cn.Redaction(key=KEY, times="shift")
WORLD = cn.sandbox.World(seed=7, domains=1, cases=8)
DOMAIN, CASE = WORLD.showcase


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> cn.Archive:
    """A domain kept twice, in which a case was deleted."""
    made = cn.Archive(tmp_path_factory.mktemp("kept") / "retail.cases")
    made.update(cn.connect(WORLD), DOMAIN, progress=False)
    with Store(made.path, write=True) as store:
        store.mark_deleted(DOMAIN, store.cases()[0].case_id)
    return made


@pytest.fixture(scope="module")
def original(archive: cn.Archive) -> cn.History[pd.DataFrame]:
    return archive.histories()


@pytest.fixture(scope="module")
def shown(original: cn.History[pd.DataFrame]) -> cn.History[pd.DataFrame]:
    return cn.redacted(original, REDACTION)


@pytest.fixture(scope="module")
def exported(archive: cn.Archive) -> cn.Archive:
    return archive.export(archive.path.with_name("shown.cases"), redact=REDACTION)


def planted_pages(redactor: Redactor | None = None) -> list[Page]:
    """The audit pages that hold secrets, as they are or redacted as answers."""
    pages = []
    for request, response in exchanges():
        if request.operation != "GetCaseAuditEvents" or response.status != 200:
            continue
        if b"auditEvents" not in response.body:
            continue
        if redactor is not None:
            response = redactor.exchange(request, response)[1]
        ids = PLANTED["domain"], PLANTED["case"]
        if redactor is not None:
            ids = tuple(redactor.replace("identifier", text) for text in ids)
        params = dict(zip(("domainId", "caseId"), ids, strict=True))
        pages.append(Page("GetCaseAuditEvents", params, len(pages), response.body))
    return pages


@cache
def planted() -> cn.History[pd.DataFrame]:
    pages = planted_pages()
    return cn.History(cn.raw.events_frame(pages), cn.raw.changes_frame(pages))


def traces(content: bytes) -> set[str]:
    """The secrets of which something is in bytes, as they are or escaped."""
    folded = content.lower()
    return {
        name
        for name, secret in PLANTED.items()
        if any(
            part.encode().lower() in folded
            for part in (secret, secret.encode("unicode_escape").decode())
        )
    }


# -------------------------------------------------------------------- a history


def test_by_column_and_by_answer_the_pseudonyms_are_the_same(
    shown: cn.History[pd.DataFrame], exported: cn.Archive
) -> None:
    of_answers = exported.histories()
    assert_frame_equal(shown.events, of_answers.events)
    assert_frame_equal(shown.changes, of_answers.changes)
    about = [each.certificate.captures for each in (shown, of_answers)]
    assert_frame_equal(*(captures.drop(columns="source") for captures in about))


@pytest.mark.parametrize(("free_text", "times"), [("drop", "shift"), ("words", "keep")])
def test_so_they_are_of_answers_that_hold_what_nobody_knows(
    free_text: Any, times: Any
) -> None:
    redactor = Redactor(cn.Redaction(key=KEY, free_text=free_text, times=times))
    pages = planted_pages(redactor)
    made = cn.redacted(planted(), redactor.redaction)
    assert made.events["extra"].notna().any()
    assert (made.changes["new_kind"] == "unknown").any()
    assert_frame_equal(made.events, cn.raw.events_frame(pages))
    assert_frame_equal(made.changes, cn.raw.changes_frame(pages))


def test_its_files_and_exports_hold_no_secret(tmp_path: Path) -> None:
    given = planted()
    for name, each in (("raw", given), ("shown", cn.redacted(given, REDACTION))):
        each.to_csv_folder(tmp_path / name / "csv")
        each.to_parquet_folder(tmp_path / name / "parquet")
        cn.export.to_xes(each, tmp_path / name / "log.xes")
        cn.export.to_ocel(each, tmp_path / name / "log.json")
        cn.export.to_pm4py(each.changes).to_csv(tmp_path / name / "pm4py.csv")
    for kind in ("*.csv", "*.xes", "*.json"):
        raw, made = (
            b"".join(file.read_bytes() for file in (tmp_path / name).rglob(kind))
            for name in ("raw", "shown")
        )
        assert len(traces(raw)) > 10
        assert not traces(made)
    again = cn.History.from_parquet_folder(tmp_path / "shown" / "parquet")
    assert again.certificate.redacted == REDACTION.to_dict()


def test_its_certificate_says_so_and_names_no_source_but_its_kind(
    shown: cn.History[pd.DataFrame], original: cn.History[pd.DataFrame]
) -> None:
    key = REDACTION.to_dict()["key"]
    assert f"redacted under key {key}" in shown.certificate.standing
    assert shown.certificate.source == "archive of sandbox (seed 7)"
    assert shown.certificate.sha256 != original.certificate.sha256
    odd = SMALL.certificate.captures.assign(source="https://desk.hospital.example")
    named = replace(SMALL, certificate=replace(SMALL.certificate, captures=odd))
    assert "hospital" not in cn.redacted(named, REDACTION).certificate.source


def test_a_certificate_tells_no_message_and_no_name_of_the_unknown() -> None:
    given = planted()
    captures = given.certificate.captures.assign(
        unknowns='{"event member insurerOfPatient": 2, "event type Odd.Wysocki": 1}'
    )
    unloaded = pd.DataFrame(
        [[PLANTED["domain"], "c", "AccessDeniedException", PLANTED["message"]]],
        columns=given.unloaded.columns,
    )
    certificate = replace(
        given.certificate,
        captures=captures,
        unloaded=cn.schema.UNLOADED.cast(unloaded),
        ended_by=PLANTED["message"],
        contradictions=(PLANTED["comment"],),
    )
    made = cn.redacted(replace(given, certificate=certificate), REDACTION).certificate
    told = str(made.to_dict())
    assert "AccessDeniedException" in told
    assert not traces(told.encode())
    assert "Wysocki" not in told
    assert made.n_unknowns == 3


def test_names_beside_ids_become_pseudonyms_and_other_columns_go(
    original: cn.History[pd.DataFrame],
) -> None:
    client = cn.connect(WORLD)
    names = cn.load_catalogue(
        client, DOMAIN, connect=cn.connect(WORLD, service_name="connect")
    )
    named = cn.with_names(original, names)
    mine = replace(named, events=named.events.assign(note="seen by Aleksander"))
    made = cn.redacted(mine, REDACTION)
    assert "note" not in made.events
    agents = made.events.loc[made.events["actor_kind"] == "agent", "actor_name"]
    assert agents.str.fullmatch(r"Agent (\d{3}_){3}\d{3}|[bcdf]{8}…").all()
    by_name = named.events["actor_name"].astype(str), made.events["actor_name"]
    assert pd.DataFrame(dict(enumerate(by_name))).drop_duplicates()[0].is_unique
    custom = ~made.changes["field_id"].isin(SYSTEM_FIELDS)
    plain = made.changes["field"].astype(str)
    assert plain[~custom].isin(named.changes["field"].astype(str)).all()
    is_told = plain.str.fullmatch(
        r"Field (\d{3}_){3}\d{3}|[bcdf]{8}…"
    ) | plain.str.contains(".", regex=False)
    assert is_told[custom].all()
    real = {*names.users["name"], *names.options["name"], *names.queues["name"]}
    kept = {"Open", "Closed"} | {*names.options.query("field_id == 'status'")["name"]}
    for column in ("old_label", "new_label"):
        assert not {*made.changes[column].dropna()} & (real - kept)


def test_other_engines_give_the_same(
    original: cn.History[pd.DataFrame], shown: cn.History[pd.DataFrame]
) -> None:
    import pyarrow as pa

    of_arrow = cn.History(
        pa.Table.from_pandas(original.events),
        pa.Table.from_pandas(original.changes),
        original.certificate,
    )
    made = cn.redacted(of_arrow, REDACTION)
    assert_frame_equal(made.changes, shown.changes, check_dtype=False)


@pytest.mark.parametrize(
    ("rule", "where"),
    [
        ("identifier", "domain_id"),
        ("arn", "actor"),
        ("custom_entity", "actor"),
        ("text", "old"),
        ("file_name", "new"),
        ("name", "new"),
        ("unknown", "event_type"),
    ],
)
def test_a_rule_that_replaces_nothing_is_seen(
    rule: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = planted()
    monkeypatch.setitem(REPLACE, rule, lambda redactor, value, label: value)
    with pytest.raises(cn.errors.LeakFound, match=rf"\.({where}).*{rule!r}") as leak:
        cn.redacted(given, REDACTION)
    assert not traces(str(leak.value).encode())


def test_what_is_redacted_is_not_redacted_again(
    shown: cn.History[pd.DataFrame], original: cn.History[pd.DataFrame]
) -> None:
    with pytest.raises(ValueError, match="redacted already"):
        cn.redacted(shown)
    with pytest.raises(ValueError, match="not redacted alike"):
        cn.concat([shown, original])
    with pytest.raises(TypeError, match="is no redaction"):
        cn.redacted(original, "status")  # type: ignore[arg-type]
    assert cn.concat([shown, shown]).certificate.redacted == REDACTION.to_dict()


# -------------------------------------------------------------------- the proof


def test_who_has_the_original_and_the_key_proves_that_they_belong_together(
    shown: cn.History[pd.DataFrame],
    exported: cn.Archive,
    original: cn.History[pd.DataFrame],
) -> None:
    few = shown.only(case_ids=shown.certificate.captures["case_id"][:3])
    for redacted in (shown, few, exported.histories(), exported.scan(engine="duckdb")):
        assert cn.verify_redacted(original, redacted, KEY) == []


def altered(given: cn.History[Any], what: str) -> cn.History[Any]:
    events, changes, certificate = given.events, given.changes, given.certificate
    if what == "a value":
        changes = changes.copy()
        changes.loc[changes["field_id"] == "status", "new"] = "open"
    elif what == "a time":
        later = events["performed_at"] + pd.Timedelta(minutes=1)
        events = events.assign(performed_at=later)
    elif what == "an original's hash":
        captures = certificate.captures.assign(sha256="0" * 64)
        certificate = replace(certificate, captures=captures)
    return cn.History(events, changes, certificate)


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("a value", "of changes are"),
        ("a time", "of events"),
        ("an original's hash", "of captures is"),
    ],
)
def test_what_is_not_the_originals_is_told(
    what: str,
    told: str,
    shown: cn.History[pd.DataFrame],
    original: cn.History[pd.DataFrame],
) -> None:
    found = cn.verify_redacted(original, altered(shown, what), KEY)
    ids = {re.findall(r"^case (\S+): \d+ row", each)[0] for each in found}
    assert ids <= {*shown.certificate.captures["case_id"]}
    assert len(ids) == len(found) > 0
    assert all(told in each for each in found)


def test_a_case_of_another_original_is_told(
    shown: cn.History[pd.DataFrame], original: cn.History[pd.DataFrame]
) -> None:
    few = original.only(case_ids=[CASE])
    found = cn.verify_redacted(few, shown, KEY)
    assert len(found) == shown.certificate.n_cases - 1
    assert all("of no case of the original" in each for each in found)


def test_without_the_key_nothing_is_verified(
    shown: cn.History[pd.DataFrame], original: cn.History[pd.DataFrame]
) -> None:
    with pytest.raises(ValueError, match="redacted under the key"):
        cn.verify_redacted(original, shown, b"another key, 16+")
    with pytest.raises(ValueError, match="names no redaction"):
        cn.verify_redacted(original, original, KEY)


def test_texts_of_ones_own_function_need_it_again() -> None:
    given = planted()

    def short(text: str) -> str:
        return f"{len(text)} letters"

    own = cn.redacted(given, cn.Redaction(key=KEY, free_text=short))
    assert cn.verify_redacted(given, own, KEY, free_text=short) == []
    with pytest.raises(ValueError, match="free_text="):
        cn.verify_redacted(given, own, KEY)


# -------------------------------------------------------------------- an archive


def test_a_plain_export_is_a_copy(archive: cn.Archive, tmp_path: Path) -> None:
    made = archive.export(tmp_path / "new" / "copy.cases")
    assert made.check() == []
    assert made.histories().certificate == archive.histories().certificate
    assert_frame_equal(made.cases(), archive.cases())
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert [*made.path.parent.iterdir()] == [made.path]
    with pytest.raises(cn.errors.ArchiveError, match="already"):
        archive.export(made.path)


def bodies(path: Path) -> Iterator[bytes]:
    """All that an archive's file holds: its pages unpacked, and itself."""
    with Store(path) as store:
        for page in store.pages([each.id for each in store.captures(operation=None)]):
            yield page.body
    with closing(sqlite3.connect(path)) as db:
        yield "\n".join(db.iterdump()).encode()


def test_a_redacted_archive_holds_nothing_of_the_original(
    archive: cn.Archive, exported: cn.Archive, original: cn.History[pd.DataFrame]
) -> None:
    texts = pd.concat(
        [
            original.changes.query("new_kind == 'string' & field_id != 'status'")[
                "new"
            ],
            *(original.events[name] for name in ("case_id", "event_id", "user_arn")),
        ]
    )
    words = {*texts.dropna().astype(str)}
    secrets = [text.encode() for text in words if len(text) > 11]
    assert len(secrets) > 100
    raw, made = (b"".join(bodies(each.path)) for each in (archive, exported))
    times = [text for text in secrets if text[:2] == b"20" and text[-1:] == b"Z"]
    assert sum(text in raw for text in secrets) > 0.9 * len(secrets)
    assert [t for t in secrets if t in made] == [t for t in times if t in made]
    assert exported.path.stat().st_mode & 0o777 == 0o600


def test_a_redacted_archive_answers_as_one_does(
    archive: cn.Archive, exported: cn.Archive, tmp_path: Path
) -> None:
    assert exported.check() == []
    client = cn.connect(exported)
    domain_id = cn.load_domains(client).loc[0, "domain_id"]
    cases = cn.load_cases(client, domain_id)
    assert len(cases) == len(archive.cases())
    loaded = cn.load_histories(client, domain_id, cases["case_id"])
    assert loaded.certificate.source == "redacted archive of sandbox (seed 7)"
    assert {*cn.load_fields(client, domain_id)["field_id"]} >= {"status", "title"}
    mine, theirs = archive.cases(), exported.cases()
    assert (mine["deleted_at"].isna() == theirs["deleted_at"].isna()).all()
    for name in ("captured_at", "last_updated_at", "deleted_at"):
        back = (mine[name] - theirs[name]).dropna().unique()
        assert [*back] == [Redactor(REDACTION).back]
    again = cn.connect(exported, record=tmp_path)
    cn.load_domains(again)
    assert "redacted" in (tmp_path / "manifest.json").read_text("utf-8")


def test_a_redacted_archive_takes_no_answers(
    exported: cn.Archive, tmp_path: Path
) -> None:
    with pytest.raises(cn.errors.ArchiveError, match="holds pseudonyms"):
        exported.update(cn.connect(WORLD), DOMAIN, progress=False)
    with pytest.raises(cn.errors.ArchiveError, match="redacted already"):
        exported.export(tmp_path / "twice.cases", redact=True)
    assert exported.export(tmp_path / "copy.cases").redacted == exported.redacted


def test_an_archive_that_leaks_is_not_written(
    archive: cn.Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(cn.errors.LeakFound, match="file's name"):
        archive.export(tmp_path / f"{CASE}.cases", redact=REDACTION)
    monkeypatch.setitem(REPLACE, "text", lambda redactor, value, label: value)
    with pytest.raises(cn.errors.LeakFound, match="'text'"):
        archive.export(tmp_path / "shown.cases", redact=REDACTION)
    assert [*tmp_path.iterdir()] == []


# -------------------------------------------------------------------- a report

REFUND = "Refund for Aleksander Wysocki"
SMALL = history(
    [
        event(0, "02T09:00:00", by("zofia"), title=REFUND, status="open"),
        event(1, "02T11:00:00", by(custom="desk robot 7"), status="closed"),
    ]
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    return cn.write_report(SMALL, folder / "case.html", redact=REDACTION)


def test_a_report_of_pseudonyms_is_made_again_from_its_original(
    report: Path, tmp_path: Path
) -> None:
    page = report.read_text("utf-8")
    for secret in ("Wysocki", "zofia", "desk robot", "111122223333"):
        assert secret not in page
    assert "Title " in page
    assert "redacted under key" in page
    other = tmp_path / "other.html"
    other.write_text(page.replace("Title ", "Topic ", 1), "utf-8")
    found = cn.verify_report(other, SMALL, key=KEY)
    assert {each.item for each in found.unverified} >= {"written", "software"}
    (odd,) = (each for each in found.checks if each.verdict == "differs")
    assert "Topic" in odd.reported
    assert sum(each.verdict == "reproduced" for each in found.checks) > 20


def test_a_report_of_pseudonyms_proves_nothing_without_original_and_key(
    report: Path,
) -> None:
    for against in (None, cn.connect(WORLD), [SMALL, SMALL]):
        with pytest.raises(ValueError, match="its original alone proves them"):
            cn.verify_report(report, against, key=KEY)
    with pytest.raises(ValueError, match="redacted under the key"):
        cn.verify_report(report, SMALL, key=b"another key, 16+")


def page_that_says(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every report say one thing beside all else."""
    monkeypatch.setattr(
        "casesnb.view.report.write.report_body",
        lambda *_, **__: f"<p>2026, where it stands: {text}</p>".encode(),
    )


@pytest.mark.parametrize("where", ["title", "name", "page"])
def test_a_report_that_leaks_is_not_written(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_that_says(REFUND if where == "page" else "nothing", monkeypatch)
    with pytest.raises(cn.errors.LeakFound, match=r"the report|the title") as leak:
        cn.write_report(
            SMALL,
            tmp_path / ("desk robot 7.html" if where == "name" else "case.html"),
            title=f"{REFUND}: what happened" if where == "title" else None,
            redact=REDACTION,
        )
    assert "Wysocki" not in str(leak.value)
    assert [*tmp_path.iterdir()] == []


def test_a_word_of_the_page_itself_is_no_leak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_that_says("nothing", monkeypatch)
    words = history(
        [
            event(0, "02T09:00:00", by("zofia"), title="where it stands"),
            event(1, "02T11:00:00", by("zofia"), title="2026", status="open"),
        ]
    )
    cn.write_report(words, tmp_path / "case.html", redact=cn.Redaction(key=KEY))
