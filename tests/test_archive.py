"""A domain kept in one file: what is asked, what stays, and what is read of it."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import narwhals as nw
import pandas as pd
import pytest
from answers import Pages, asking, event, over_http, reply
from botocore.exceptions import ClientError
from engines import dtypes_of
from pandas.testing import assert_frame_equal

import casesnb as cn
from casesnb.sandbox import World
from casesnb.schema import ARCHIVED_CASES
from casesnb.tables.archive_dataset import Dataset
from casesnb.tables.archive_plan import Work, planned, search_for
from casesnb.tables.schema import TEXT_TYPE
from casesnb.wire.responder import Request, Response
from casesnb.wire.store import Store
from casesnb.wire.store_rows import KeptCase

WORLD = World(seed=7)
DOMAIN, CASE = WORLD.showcase
EARLIER = WORLD.at(WORLD.now - dt.timedelta(days=14))
CLIENT = cn.connect(WORLD)
BEFORE = cn.connect(EARLIER)
AUDIT = "GetCaseAuditEvents"
YESTERDAY: list[dt.datetime] = []


def update(archive: cn.Archive, client: Any = CLIENT, **how: Any) -> Any:
    return archive.update(client, DOMAIN, **{"progress": False, **how})


@pytest.fixture
def archive(tmp_path: Path) -> cn.Archive:
    return cn.Archive(tmp_path / "retail.cases")


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> cn.Archive:
    """An archive that was kept, scanned, and updated two weeks later."""
    archive = cn.Archive(tmp_path_factory.mktemp("archive") / "retail.cases")
    update(archive, BEFORE)
    archive.scan()
    YESTERDAY.append(dt.datetime.now(dt.UTC))
    update(archive, n_sample=3)
    return archive


@pytest.fixture
def copied(twice: cn.Archive, tmp_path: Path) -> cn.Archive:
    """A copy of it, to be spoiled."""
    shutil.copy(twice.path, tmp_path / "copy.cases")
    return cn.Archive(tmp_path / "copy.cases")


class Domain:
    """A domain whose cases' events, times of change and refusals are set by hand."""

    def __init__(self, n_cases: int = 4, n_events: int = 3) -> None:
        self.events = {
            f"c{i}": [event(n) for n in range(n_events)] for i in range(n_cases)
        }
        self.changed = {
            name: f"2026-03-01T0{i}:00:00Z" for i, name in enumerate(self.events)
        }
        self.refused: dict[str, str] = {}
        self.gone: set[str] = set()
        self.asked: list[str] = []
        self.n_answers = 10**9
        self.date: str | None = None  # of an answer, by the service's clock

    def __call__(self, request: Request) -> Response:
        if request.operation == "SearchCases":
            return self._search(request)
        if request.operation != AUDIT:
            empty = {"domains": [], "fields": [], "templates": []}
            about = {"domainId": "d", "domainArn": "a", "name": "n"}
            return reply({**empty, **about})
        case_id = request.path.split("/")[4]
        self.asked.append(case_id)
        if len(self.asked) > self.n_answers:
            return refusal("ExpiredTokenException")
        if case_id in self.gone:
            return refusal("ResourceNotFoundException", 404)
        if case_id in self.refused:
            return refusal(self.refused[case_id])
        answer = Pages(self.events[case_id])(request)
        if self.date is not None:
            headers = {**answer.headers, "date": self.date}
            return Response(answer.status, headers, answer.body)
        return answer

    def _search(self, request: Request) -> Response:
        there = sorted(
            (at, name) for name, at in self.changed.items() if name not in self.gone
        )
        cases = [
            {
                "caseId": name,
                "templateId": "t",
                "fields": [
                    {"id": "last_updated_datetime", "value": {"stringValue": at}}
                ],
            }
            for at, name in there[::-1]
        ]
        return reply({"cases": cases, "totalCount": len(cases)})

    def update(self, archive: cn.Archive, **how: Any) -> Any:
        how = {"progress": False, "workers": 1, "n_sample": 0, **how}
        self.asked.clear()
        return archive.update(asking(self), "d", **how)


def refusal(code: str, status: int = 403) -> Response:
    body = {"message": "no", "resourceId": "c", "resourceType": "Case"}
    return reply(body, status, **{"x-amzn-errortype": code})


# ------------------------------------------------------------------ what is asked


def test_what_is_kept_is_what_was_loaded(twice: cn.Archive) -> None:
    cases = cn.load_cases(CLIENT, DOMAIN)["case_id"]
    want = cn.load_histories(CLIENT, DOMAIN, cases)
    found = twice.histories(cases)
    assert_frame_equal(found.events, want.events)
    assert_frame_equal(found.changes, want.changes)
    told = {"source": pd.array(["archive of sandbox (seed 7)"] * len(cases), TEXT_TYPE)}
    assert_frame_equal(
        found.certificate.captures.drop(columns="fetched_at"),
        want.certificate.captures.assign(**told).drop(columns="fetched_at"),
    )
    one = cn.load_history(CLIENT, DOMAIN, CASE)
    assert_frame_equal(twice.history(CASE).events, one.events)


def test_a_plan_says_what_an_update_then_asks(archive: cn.Archive) -> None:
    plan = archive.plan(BEFORE, DOMAIN)
    assert not archive.path.exists()
    assert (plan.n_listed, plan.n_new, plan.n_cases) == (18, 18, 18)
    done = update(archive, BEFORE)
    assert done.n_new == done.n_listed == 18
    assert done.calls["SearchCases"] == plan.calls["SearchCases"] == 1
    lists = (cn.load_fields(CLIENT, DOMAIN)["type"] == "SingleSelect").sum()
    assert done.calls["ListFieldOptions"] == lists
    asked = {"SearchCases", "GetCaseAuditEvents"}
    n_lists = sum(n for name, n in done.calls.items() if name not in asked)
    assert plan.calls["for names"] == pytest.approx(n_lists, abs=2)
    plan = archive.plan(CLIENT, DOMAIN, n_sample=3)
    done = update(archive, n_sample=3)
    assert (plan.n_new, plan.n_changed, plan.n_sample) == (2, 2, 3)
    assert (done.n_new, done.n_changed, done.n_checked, done.n_asked) == (2, 2, 3, 7)
    assert done.n_calls == pytest.approx(plan.n_calls, abs=3)
    assert str(plan).startswith(f"20 cases listed. To ask for: {plan.n_cases} cases")
    assert "at 0.97 calls a second" in str(plan)
    assert archive.plan(CLIENT, DOMAIN, n_sample=0).n_cases == 0


def test_a_plan_of_hours_is_in_minutes_at_the_quota(archive: cn.Archive) -> None:
    many = asking(
        lambda request: reply({"cases": [], "totalCount": 100_000, "nextToken": "x"})
    )
    plan = archive.plan(many, "d")
    assert plan.n_new == 100_000
    assert plan.minutes == pytest.approx(plan.n_calls / 0.97 / 60, rel=0.01)
    assert "about 34.6 hours" in str(plan)
    full = archive.plan(many, "d", pace="full")
    assert full.minutes == pytest.approx(plan.minutes / 2, rel=0.01)


def test_only_what_moved_is_asked_for_again_newest_first(archive: cn.Archive) -> None:
    domain = Domain()
    domain.update(archive)
    assert domain.asked == ["c3", "c2", "c1", "c0"]
    assert domain.update(archive).n_asked == 0
    for name in ("c0", "c2"):
        domain.events[name].append(event(9))
        domain.changed[name] = f"2026-03-0{2 + int(name[1])}T00:00:00Z"
    done = domain.update(archive)
    assert domain.asked == ["c2", "c0"]
    assert (done.n_changed, done.n_new, done.n_checked) == (2, 0, 0)
    assert str(done) == (
        "4 cases listed; asked for 2 cases in 3 calls: 0 new; 2 changed."
    )
    assert [len(each.events) for each in archive.captures("c2")] == [3, 4]
    assert len(archive.histories().events) == 14


def test_what_a_sample_finds_is_told(archive: cn.Archive) -> None:
    domain = Domain()
    domain.update(archive)
    domain.events["c1"].append(event(9))  # and its time of change did not move
    done = domain.update(archive, n_sample=10)
    assert (done.n_checked, done.moved) == (4, ("c1",))
    assert "4 checked again, 1 of which had changed unseen" in str(done)
    assert len(archive.history("c1").events) == 4


def test_a_deleted_case_keeps_its_history_marked(archive: cn.Archive) -> None:
    domain = Domain()
    domain.update(archive)
    domain.gone.add("c2")
    assert archive.plan(asking(domain), "d", n_sample=0).n_unlisted == 1
    done = domain.update(archive)
    assert (domain.asked, done.deleted) == (["c2"], ("c2",))
    assert len(archive.history("c2").events) == 3
    told = archive.cases().set_index("case_id")["deleted_at"].notna()
    assert told.to_dict() == {"c3": False, "c2": True, "c1": False, "c0": False}
    assert domain.update(archive).n_asked == 0
    assert archive.plan(asking(domain), "d", n_sample=0).n_cases == 0
    first = archive.cases().set_index("case_id").loc["c2", "deleted_at"]
    with Store(archive.path, write=True) as store:
        store.mark_deleted("d", "c2")
    assert archive.cases().set_index("case_id").loc["c2", "deleted_at"] == first
    domain.gone.clear()  # it is there again
    assert domain.update(archive).n_changed == 1
    assert archive.cases()["deleted_at"].isna().all()
    domain.gone.add("c2")
    assert domain.update(archive).deleted == ("c2",)
    assert archive.cases().set_index("case_id").loc["c2", "deleted_at"] > first
    assert domain.update(archive).n_asked == 0


def test_a_case_that_is_not_listed_but_answers_is_kept(archive: cn.Archive) -> None:
    domain = Domain()
    domain.update(archive)
    at = domain.changed.pop("c2")
    done = domain.update(archive)
    assert (domain.asked, done.deleted, done.n_checked) == (["c2"], (), 1)
    domain.changed["c2"] = at
    assert domain.update(archive).deleted == ()


def test_a_condition_and_a_moment_choose_the_cases(archive: cn.Archive) -> None:
    done = update(archive, where=cn.where("status") == "open")
    is_open = cn.load_cases(CLIENT, DOMAIN, filter=cn.where("status") == "open")
    assert done.n_new == len(is_open) > 0
    since = WORLD.now - dt.timedelta(days=14)
    plan = archive.plan(CLIENT, DOMAIN, since=since)
    assert 0 < plan.n_listed < 20
    assert update(archive, since=since).n_listed == plan.n_listed
    told = search_for(cn.where("status") == "open", since)["filter"]
    assert [*told["andAll"][1]["field"]] == ["greaterThanOrEqualTo"]
    with pytest.raises(TypeError, match=r"give cn\.where\('status'\) == 'open'"):
        archive.plan(CLIENT, DOMAIN, where="open")  # type: ignore[arg-type]


def test_a_budget_leaves_the_rest_for_the_next_update(archive: cn.Archive) -> None:
    domain = Domain(n_cases=8)
    done = domain.update(archive, budget=8)
    assert 0 < done.n_left < 8
    assert not done.is_whole
    assert f"{done.n_left} left for the next update" in str(done)
    assert domain.asked == [f"c{7 - n}" for n in range(8 - done.n_left)]
    done = domain.update(archive, budget=dt.timedelta(minutes=1))
    assert (done.n_new, done.n_left) == (len(domain.asked), 0)
    assert archive.histories().certificate.n_cases == 8
    assert domain.update(archive, budget=dt.timedelta(0)).n_left == 0


def test_a_plan_counts_what_an_update_left(archive: cn.Archive) -> None:
    domain = Domain(n_cases=9)
    left = domain.update(archive, budget=8).n_left
    # A page of the search holds few cases, none of them new.
    some = domain._search

    def searched(request: Request) -> Response:
        answer = json.loads(some(request).body)
        n = int(json.loads(request.body or b"{}").get("nextToken") or 0)
        answer["cases"] = answer["cases"][n : n + 2]
        more = {"nextToken": str(n + 2)} if n + 2 < 9 else {}
        return reply({**answer, **more})

    domain._search = searched  # type: ignore[method-assign]
    plan = archive.plan(asking(domain), "d")
    assert (plan.n_new, plan.n_changed, plan.n_sample) == (left, 0, 0)
    done = domain.update(archive)
    assert (done.n_new, done.n_asked) == (left, left)
    domain.changed["c8"] = "2026-03-09T00:00:00Z"
    asked = []

    def counted(request: Request) -> Response:
        asked.append(request.operation)
        return domain(request)

    plan = archive.plan(asking(counted), "d", n_sample=3)
    assert (plan.n_new, plan.n_changed, plan.n_sample) == (0, 1, 3)
    assert asked == ["SearchCases"] * 2  # the second page holds nothing new
    only = archive.plan(asking(counted), "d", where=cn.where("status") == "open")
    assert len(asked) == 2 + 5  # who asks for some cases is told of all of them
    assert (only.n_listed, only.n_changed) == (9, 1)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"workers": 0}, "workers=0: give a whole number from 1 on"),
        ({"n_sample": -1}, "n_sample=-1: give a whole number from 0 on"),
        ({"n_sample": 1.5}, "n_sample=1.5: give a whole number"),
        ({"budget": "5"}, "budget='5': give a whole number from 0 on"),
        ({"budget": -1}, "budget=-1: give a whole number from 0 on"),
    ],
)
def test_odd_numbers_are_refused_before_anything_is_asked(
    how: dict[str, Any], told: str, archive: cn.Archive
) -> None:
    with pytest.raises(ValueError, match=told):
        update(archive, **how)
    assert not archive.path.exists()
    if "n_sample" in how:
        with pytest.raises(ValueError, match=told):
            archive.plan(CLIENT, DOMAIN, **how)


# ---------------------------------------------------------------- what ends it early


def test_an_expired_token_keeps_what_is_whole_and_the_next_goes_on(
    archive: cn.Archive,
) -> None:
    domain = Domain(n_cases=6, n_events=60)
    domain.n_answers = 7  # in the middle of the third case
    with pytest.raises(ClientError, match="ExpiredToken") as raised:
        domain.update(archive)
    assert raised.value.__notes__[-1] == (
        "The archive keeps what came whole: 2 cases of this update. Begin it again and "
        "it goes on where it stopped."
    )
    assert archive.histories().certificate.n_cases == 2
    assert archive.check() == []
    domain.n_answers = 10**9
    done = domain.update(archive)
    assert Counter(domain.asked) == {"c3": 2, "c2": 3, "c1": 3, "c0": 3}
    assert done.n_new == 4
    assert "SearchCases" not in done.calls  # the first one's is of a moment ago
    assert archive.histories().certificate.n_events == 360


def test_a_case_that_is_refused_is_told_and_the_rest_goes_on(
    archive: cn.Archive,
) -> None:
    domain = Domain()
    domain.refused["c2"] = "AccessDeniedException"
    done = domain.update(archive)
    assert done.unloaded["case_id"].tolist() == ["c2"]
    assert done.n_new == 3
    assert not done.is_whole
    domain.refused.clear()
    assert domain.update(archive).n_new == 1


@pytest.mark.parametrize("body", [b'{"status":"ok"}', b'{"auditEvents":null}', b"[]"])
def test_what_is_no_answer_of_the_service_is_not_kept(
    body: bytes, archive: cn.Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = Domain()
    domain.update(archive)
    before = archive.histories()
    answer = Domain.__call__
    monkeypatch.setattr(
        Domain,
        "__call__",
        lambda self, q: reply(body) if q.operation == AUDIT else answer(self, q),
    )
    done = domain.update(archive, n_sample=9)
    assert set(done.unloaded["error"]) == {"PageError"}
    assert len(done.unloaded) == 4
    after = archive.histories()
    assert_frame_equal(after.events, before.events)
    assert after.certificate.verdict == "complete"


def test_an_update_that_only_fails_ends(archive: cn.Archive) -> None:
    domain = Domain(n_cases=50)
    domain.changed = dict.fromkeys(domain.events, "2026-03-01T00:00:00Z")
    domain.refused = dict.fromkeys(domain.events, "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        domain.update(archive)
    assert len(domain.asked) < 30


def test_ctrl_c_keeps_what_is_whole(archive: cn.Archive) -> None:
    def tell(n: int) -> None:
        if n == 3:
            raise KeyboardInterrupt

    domain = Domain(n_cases=9)
    with pytest.raises(KeyboardInterrupt):
        domain.update(archive, progress=tell)
    n_kept = len(archive.cases())
    assert 2 <= n_kept < 9
    assert domain.update(archive).n_new == 9 - n_kept


KILLED = """
import os, random, signal, sys, time
import casesnb as cn
url, path, domain, seed, n = *sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5])
archive, dice = cn.Archive(path), random.Random(seed)
client = cn.connect(endpoint_url=url, pace=False)

def update():
    return archive.update(client, domain, n_sample=0, workers=1, progress=False)

n_killed = 0
for _ in range(n):
    child = os.fork()
    if not child:
        update()
        os._exit(0)
    time.sleep(dice.uniform(0, 0.5))
    os.kill(child, signal.SIGKILL)
    n_killed += os.waitpid(child, 0)[1] == signal.SIGKILL
    if archive.path.exists() and dice.random() < 0.3:
        assert archive.check() == [], archive.check()
update()
print(n_killed)
"""


def kill(folder: Path, n: int, seed: int) -> int:
    """Kill an update so many times, and compare what it keeps at last."""
    seen: Counter[tuple[str, bytes]] = Counter()
    ids = [*WORLD.case_ids(DOMAIN)]

    def answer(request: Request) -> Response:
        if request.operation == AUDIT and request.body.endswith(b"}"):
            seen[request.path, request.body] += 1
        return WORLD(request)

    path = folder / "killed.cases"
    with over_http(answer) as url:
        arguments = [url, str(path), DOMAIN, str(seed), str(n)]
        done = subprocess.run(
            [sys.executable, "-c", KILLED, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    n_killed = int(done.stdout)
    archive = cn.Archive(path)
    assert archive.check() == []
    want = cn.load_histories(CLIENT, DOMAIN, ids)
    found = archive.histories(ids)
    assert_frame_equal(found.events, want.events)
    assert_frame_equal(found.changes, want.changes)
    # Each kill costs the page in flight at most.
    assert sum(seen.values()) - len(seen) <= n_killed
    return n_killed


def test_an_update_that_is_killed_again_and_again_ends_the_same(tmp_path: Path) -> None:
    assert kill(tmp_path, 6, seed=1) > 0


@pytest.mark.slow
def test_a_hundred_kills_at_random_moments_change_nothing(tmp_path: Path) -> None:
    n_killed, numbers = 0, itertools.count()
    while n_killed < 100:  # a quick machine may be done before a kill
        number = next(numbers)
        assert number < 50
        folder = tmp_path / str(number)
        folder.mkdir()
        n_killed += kill(folder, 10, seed=number)


# ------------------------------------------------------------------- what goes wrong


def test_a_second_process_waits_or_is_refused(archive: cn.Archive) -> None:
    domain, gate, held = Domain(), threading.Event(), threading.Event()

    def slow(request: Request) -> Response:
        held.set()
        gate.wait(20)
        return domain(request)

    first = threading.Thread(
        target=lambda: archive.update(cn.connect(slow), "d", progress=False)
    )
    first.start()
    assert held.wait(20)
    code = (
        "import sys, casesnb as cn\n"
        "try: cn.Archive(sys.argv[1]).update(cn.connect(print), 'd', wait=False)\n"
        "except cn.errors.ArchiveBusy as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(archive.path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Another process writes to" in done.stdout
    gate.set()
    first.join(20)
    assert len(archive.cases()) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="links are POSIX's")
def test_two_names_of_one_file_share_its_lock(
    archive: cn.Archive, tmp_path: Path
) -> None:
    Domain().update(archive)
    link = tmp_path / "link.cases"
    link.symlink_to(archive.path)
    with Store(archive.path, write=True), pytest.raises(cn.errors.ArchiveBusy):
        Domain().update(cn.Archive(link), wait=False)


def test_a_scan_does_not_wait_for_ever(
    archive: cn.Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = Domain()
    domain.update(archive)
    monkeypatch.setattr("casesnb.tables.archive._PATIENCE", 0.1)
    with Store(archive.path, write=True):
        with pytest.raises(cn.errors.ArchiveBusy, match="or read meanwhile"):
            archive.scan()
        assert len(archive.histories().events) == 12
    archive.scan()
    with Store(archive.path, write=True):
        assert len(archive.scan().to_pandas().events) == 12  # nothing to be written


def test_what_is_not_there_or_is_none_is_told_in_a_sentence(tmp_path: Path) -> None:
    gone = cn.Archive(tmp_path / "gone.cases")
    for ask in (gone.histories, gone.cases, gone.check, gone.scan, gone.certificate):
        with pytest.raises(cn.errors.ArchiveError, match="There is no archive at"):
            ask()
    assert not gone.path.exists()
    other = tmp_path / "notes.cases"
    other.write_text("no archive")
    for ask in (cn.Archive(other).histories, lambda: update(cn.Archive(other))):
        with pytest.raises(cn.errors.ArchiveError, match="is no archive of casesnb"):
            ask()
    assert other.read_text() == "no archive"


def test_a_newer_format_and_a_corrupt_page_are_told(copied: cn.Archive) -> None:
    with sqlite3.connect(copied.path) as db:
        db.execute(
            "UPDATE page SET body = zeroblob(40) WHERE rowid = "
            "(SELECT max(rowid) FROM page)"
        )
    db.close()
    assert re.match(r"Page \d+ of capture \d+ is not as it was", copied.check()[0])
    for ask in (copied.histories, copied.certificate, copied.scan):
        with pytest.raises(cn.errors.ArchiveError, match="is damaged"):
            ask()
    assert not copied.dataset.exists()
    with sqlite3.connect(copied.path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(cn.errors.ArchiveError, match="is of format 99"):
        update(copied)


def test_an_archive_of_another_source_is_refused(copied: cn.Archive) -> None:
    with pytest.raises(cn.errors.ArchiveError, match="Keep it in a file of its own"):
        update(copied, cn.connect(World(seed=8)))


def test_a_case_that_is_not_kept_is_told_apart(twice: cn.Archive) -> None:
    for ask in (twice.history, twice.captures):
        with pytest.raises(ValueError, match="holds no history of case 'x'"):
            ask("x")


# --------------------------------------------------------------------- what is read


def test_cases_are_one_row_each(twice: cn.Archive) -> None:
    cases = twice.cases()
    assert dtypes_of(cases) == ARCHIVED_CASES.dtypes
    assert len(cases) == 20
    assert cases["n_captures"].isin([1, 2]).all()
    listed = cn.load_cases(CLIENT, DOMAIN).set_index("case_id")["last_updated_datetime"]
    at = cases.set_index("case_id")["last_updated_at"]
    assert at.to_dict() == listed.to_dict()


def test_what_changed_since_is_the_difference_of_two_captures(
    twice: cn.Archive,
) -> None:
    before, now = twice.histories(as_of=YESTERDAY[0]), twice.histories()
    known = before.certificate.captures["case_id"]
    assert len(known) == 18
    now = now.only(case_ids=known)
    new = cn.trust.compare_captures(before, now)
    assert {*new["verdict"]} == {"new"}
    assert new["case_id"].nunique() == 2
    assert len(new) == now.certificate.n_events - before.certificate.n_events > 0
    case_id = new["case_id"].iloc[0]
    again = cn.trust.compare_captures(*twice.captures(case_id))
    assert len(again) == (new["case_id"] == case_id).sum()


def test_the_certificate_of_all_is_that_of_the_histories(
    twice: cn.Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("casesnb.tables.archive_dataset._PART", 7)
    want = twice.histories().certificate
    assert_frame_equal(
        twice.certificate().captures.astype("str"), want.captures.astype("str")
    )
    assert twice.certificate().verdict == want.verdict


def test_an_archive_answers_the_explorer_a_report_and_its_verification(
    twice: cn.Archive, tmp_path: Path
) -> None:
    client = cn.connect(twice)
    assert_frame_equal(cn.load_cases(client, DOMAIN), cn.load_cases(CLIENT, DOMAIN))
    catalogue = cn.load_catalogue(client, DOMAIN)
    assert catalogue.unread == ()
    explorer = cn.CaseExplorer(cn.connect(str(twice.path)), domain_id=DOMAIN)
    explorer.selection.wait(60)
    assert len(explorer.selection.cases) == 20
    explorer.selection.case_id = CASE
    explorer.selection.wait(60)
    assert len(explorer.selection.history.events) > 10
    history = cn.with_names(twice.history(CASE), catalogue)
    report = cn.write_report(history, tmp_path / "report.html")
    assert cn.verify_report(report, twice).is_reproduced


# -------------------------------------------------------------------------- dataset


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_scan_holds_what_the_raw_pages_hold(twice: cn.Archive, engine: Any) -> None:
    want, lazy = twice.histories(), twice.scan(engine=engine)
    found = lazy.to_pandas()
    for name in ("events", "changes"):
        by = ["case_id", "sequence", *(["slot"] if name == "changes" else [])]
        expected, got = (
            getattr(h, name)
            .astype({"case_id": "str"})
            .sort_values(by, ignore_index=True)
            for h in (want, found)
        )
        assert_frame_equal(got[expected.columns], expected, check_categorical=False)
    assert lazy.certificate.verdict == want.certificate.verdict
    spells = cn.spells(lazy, "status")
    rows = nw.from_native(spells).lazy().collect("pyarrow")
    assert len(rows) == len(cn.spells(want, "status"))


def test_an_update_appends_to_the_dataset(archive: cn.Archive) -> None:
    domain = Domain(n_cases=5)
    domain.events["c4"] = []
    domain.update(archive)
    assert not archive.dataset.exists()
    assert archive.scan().certificate.n_events == 12
    old = archive.dataset / "created=2026-03" / "part.parquet"
    inode = old.stat().st_ino
    assert archive.scan().certificate.n_events == 12
    assert domain.update(archive).n_asked == 0
    assert old.stat().st_ino == inode
    domain.events["c5"] = [
        event(n, performedTime="2026-02-01T00:00:00Z") for n in (0, 1)
    ]
    domain.events["c1"].append(event(9))
    domain.changed |= {"c5": "2026-03-09T00:00:00Z", "c1": "2026-03-08T00:00:00Z"}
    domain.update(archive)
    assert Dataset(archive.path).is_fresh()
    found, want = archive.scan().to_pandas(), archive.histories()
    assert sorted(found.events["event_id"]) == sorted(want.events["event_id"])
    assert len(found.changes) == len(want.changes) == 15
    months = {path.parent.name for path in archive.dataset.glob("*/*")}
    assert months == {"created=2026-02", "created=2026-03"}


def test_a_dataset_that_was_removed_or_cut_short_is_made_again(
    archive: cn.Archive,
) -> None:
    Domain().update(archive)
    archive.scan()
    (archive.dataset.parent / "dataset.json").unlink()  # as a kill leaves it
    shutil.rmtree(archive.dataset / "created=2026-03")
    assert archive.scan().to_pandas().certificate.n_changes == 12
    shutil.rmtree(archive.dataset)
    assert len(archive.scan().to_pandas().changes) == 12


def _taken_away(rows: Path) -> None:
    shutil.rmtree(next(rows.iterdir()))


def _cut(rows: Path) -> None:
    part = next(rows.glob("*/*.parquet"))
    part.write_bytes(part.read_bytes()[:100])


def _of_another(rows: Path) -> None:
    part = next(rows.glob("*/*.parquet"))
    frame = pd.read_parquet(part)
    frame[:2].to_parquet(part, index=False)


def _added(rows: Path) -> None:
    part = next(rows.glob("*/*.parquet"))
    shutil.copy(part, part.with_name("more.parquet"))


def _told_oddly(rows: Path) -> None:
    (rows.parent / "dataset.json").write_text("[" * 100_000)


def test_a_dataset_of_another_file_is_not_taken_for_its_own(
    archive: cn.Archive, tmp_path: Path
) -> None:
    domain = Domain()
    domain.update(archive)
    archive.scan()
    backup = archive.export(tmp_path / "backup.cases")
    for n in (8, 9):  # the same case, kept under the same number, twice otherwise
        domain.events["c1"] = [event(i) for i in (0, 1, 2, n)]
        domain.changed["c1"] = f"2026-03-0{n}T00:00:00Z"
        domain.update(archive)
        found = archive.scan().to_pandas()
        assert {*found.events["event_id"]} == {*archive.histories().events["event_id"]}
        assert found.certificate.sha256 == archive.histories().certificate.sha256
        shutil.copy(backup.path, archive.path)
    # A file of fewer cases: what it does not hold is not read.
    archive.path.unlink()
    few = Domain(n_cases=2)
    few.update(archive)
    assert len(archive.scan().to_pandas().events) == 6


def test_a_scan_of_pseudonyms_is_of_the_policy_of_its_file(
    archive: cn.Archive, tmp_path: Path
) -> None:
    update(archive)
    shown = tmp_path / "shown.cases"
    for free_text in ("keep", "drop"):
        shown.unlink(missing_ok=True)
        policy = cn.Redaction(keep=["status"], free_text=free_text)  # type: ignore[arg-type]
        found = archive.export(shown, redact=policy)
        want, lazy = found.histories(), found.scan()
        assert lazy.certificate.redacted == want.certificate.redacted
        for part in (lazy.to_pandas().changes, want.changes):
            titles = part.loc[part["field_id"] == "title", "new"].dropna()
            assert titles.str.startswith("Title ").all() == (free_text == "drop")


@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_a_name_that_is_a_pattern_is_a_name(tmp_path: Path, engine: Any) -> None:
    names = ["a[1].cases", "a*.cases", "a?.cases", "{a,b}.cases"]
    for name in ("a1.cases", "ab.cases", *names):
        place = tmp_path / "in [2]" / name
        place.parent.mkdir(exist_ok=True)
        archive = cn.Archive(place)
        Domain(n_cases=len(name)).update(archive)
        found = archive.scan(engine=engine).to_pandas()
        assert len(found.events) == 3 * len(name)


@pytest.mark.parametrize("spoil", [_taken_away, _cut, _of_another, _added, _told_oddly])
def test_a_dataset_that_somebody_altered_is_made_again(
    spoil: Callable[[Path], None], archive: cn.Archive
) -> None:
    Domain().update(archive)
    archive.scan()
    spoil(archive.dataset)
    found = archive.scan()
    assert found.certificate.verdict == "complete"
    assert len(found.to_pandas().events) == 12


def test_a_dataset_is_its_owner_s(archive: cn.Archive) -> None:
    domain = Domain()
    domain.update(archive)
    archive.scan()
    domain.events["c1"].append(event(9))
    domain.changed["c1"] = "2026-03-08T00:00:00Z"
    domain.update(archive)
    found = {(p.is_dir(), p.stat().st_mode & 0o777) for p in _all(archive)}
    assert found == {(True, 0o700), (False, 0o600)}
    assert {p.suffix for p in _all(archive) if p.is_file()} == {".parquet", ".json"}


def _all(archive: cn.Archive) -> list[Path]:
    return [*archive.dataset.parent.rglob("*"), archive.dataset.parent]


@pytest.mark.parametrize("name", ["", ".new"])
def test_a_link_in_the_place_of_a_dataset_is_not_followed(
    name: str, archive: cn.Archive, tmp_path: Path
) -> None:
    Domain().update(archive)
    other = tmp_path / "another's"
    other.mkdir()
    (other / "file").touch()
    folder = archive.dataset.parent
    folder.with_name(f"{folder.name}{name}").symlink_to(other)
    with pytest.raises(cn.errors.ArchiveError, match="cannot be written .* scan again"):
        archive.scan()
    assert [path.name for path in other.iterdir()] == ["file"]


def test_an_archive_without_an_event_is_scanned(archive: cn.Archive) -> None:
    Domain(n_events=0).update(archive)
    for engine in ("polars", "duckdb"):
        found = archive.scan(engine=engine).to_pandas()  # type: ignore[arg-type]
        assert len(found.events) == len(found.changes) == 0
        assert found.certificate.n_cases == 4
    with pytest.raises(ValueError, match="neither 'polars' nor 'duckdb'"):
        archive.scan(engine="spark")  # type: ignore[arg-type]


# ------------------------------------------------------------------------- the loads


def test_a_load_into_an_archive_goes_on_where_it_stopped(archive: cn.Archive) -> None:
    domain = Domain(n_cases=6)
    cases = [*domain.events]
    domain.n_answers = 3

    def load() -> Any:
        domain.asked.clear()
        client = asking(domain)
        return cn.load_histories(client, "d", cases, workers=1, into=archive)

    with pytest.raises(ClientError) as raised:
        load()
    assert raised.value.history.certificate.n_cases == 3  # type: ignore[attr-defined]
    domain.n_answers = 10**9
    history = load()
    assert domain.asked == ["c3", "c4", "c5"]
    assert history.certificate.verdict == "complete"
    want = cn.load_histories(asking(domain), "d", cases)
    assert_frame_equal(history.events, want.events)
    assert history.certificate.sha256 == want.certificate.sha256
    # One that ended well is begun anew: nothing old is taken for new.
    load()
    assert domain.asked == cases
    assert len(archive.captures("c0")) == 2


def test_what_a_load_kept_is_not_asked_for_again(archive: cn.Archive) -> None:
    domain = Domain()
    domain.date = "Sun, 01 Mar 2026 02:05:00 GMT"
    with pytest.raises(TypeError, match=r"is no archive\. Give cn\.Archive\('x'\)"):
        cn.load_histories(asking(domain), "d", [], into="x")  # type: ignore[arg-type]
    cn.load_histories(asking(domain), "d", [*domain.events], into=archive)
    # Two were changed so shortly before that a history may not tell it.
    plan = archive.plan(asking(domain), "d", n_sample=0)
    assert (plan.n_new, plan.n_changed) == (0, 2)
    assert domain.update(archive).n_changed == 2
    assert domain.asked == ["c3", "c2"]
    assert domain.update(archive).n_asked == 0
    domain.changed["c0"] = "2026-03-05T00:00:00Z"
    domain.events["c1"].append(event(9))
    done = domain.update(archive, n_sample=4)
    assert (done.n_changed, done.n_checked, done.moved) == (1, 3, ("c1",))


def test_a_load_whose_answers_tell_no_time_is_asked_for_again(
    archive: cn.Archive,
) -> None:
    domain = Domain()
    domain.date = ""
    cn.load_histories(asking(domain), "d", [*domain.events], into=archive)
    assert domain.update(archive).n_changed == 4


def test_a_plan_counts_pages_by_what_the_cases_took() -> None:
    def kept(number: int) -> KeptCase:
        return KeptCase("d", f"c{number}", number, "then", 0, 3, 1, None, None)

    cases = [kept(number) for number in range(40)]
    listed = {case.case_id: "then" for case in cases[:38]}
    listed |= {"c0": "now", "c1": "now", "new": "now"}
    work = Work.of(listed, {case.case_id: case for case in cases}, is_all=True)
    plan = planned(
        work, cases, n_listed=39, n_new=1, n_sample=10, n_lists=4, pace="full"
    )
    # One is new, two were changed, two are listed no more, ten are checked again.
    assert plan.calls["GetCaseAuditEvents"] == 3 * (1 + 2 + 2 + 10)
    assert (plan.calls["SearchCases"], plan.n_calls) == (1, 45 + 1 + 4)
    assert str(plan) == (
        "39 cases listed. To ask for: 15 cases (1 new, 2 changed, 2 listed no more, "
        "10 to check again) in about 50 calls (1 SearchCases, 45 GetCaseAuditEvents, "
        "4 for names), which take less than a minute at 1.94 calls a second."
    )
    work = Work(["a", "b", "c", "d", "e"], [], [], [])
    # 1.2 pages each, or three as those that are kept
    for n, wanted in ((19, 6), (20, 15)):
        plan = planned(
            work, cases[:n], n_listed=5, n_new=5, n_sample=0, n_lists=0, pace=True
        )
        assert plan.calls["GetCaseAuditEvents"] == wanted
        assert "(5 new, 0 changed) in about" in str(plan)
