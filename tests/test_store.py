"""An archive's file: whole captures or none, whatever happens to it meanwhile."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from answers import Pages, asking, event, over_http, reply
from pandas.testing import assert_frame_equal

import casesnb as cn
from casesnb.sandbox import World
from casesnb.wire.pages import Page, ask, iter_pages
from casesnb.wire.responder import Request, Response
from casesnb.wire.store import AUDIT, ArchiveBusy, ArchiveError, Store

WORLD = World(seed=7)
DOMAIN, CASE = WORLD.showcase
CLIENT = cn.connect(WORLD)  # a new one takes longer than most of what is asked here
CASES = [CASE, *(each for each in WORLD.case_ids(DOMAIN) if each != CASE)][:6]
SOURCE = {"source": "sandbox", "seed": 7}


def asked(case_id: str, **more: Any) -> dict[str, Any]:
    return {"domainId": DOMAIN, "caseId": case_id, "maxResults": 25, **more}


def keep(store: Store, *cases: str, client: Any = None, **more: Any) -> list[int]:
    client = client or CLIENT
    return [store.capture(client, AUDIT, **asked(case, **more)) for case in cases]


def bare(pages: Any) -> list[tuple[Any, ...]]:
    """Pages as what they hold, without how they were sent."""
    return [
        (p.operation, dict(p.params), p.number, p.body, p.next_token, p.date)
        for p in pages
    ]


def live(case_id: str, **more: Any) -> list[Page]:
    return list(iter_pages(CLIENT, AUDIT, **asked(case_id, **more)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "retail.cases"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path, write=True, source=SOURCE) as opened:
        yield opened


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of some cases, two of them kept twice, and of a search."""
    path = tmp_path_factory.mktemp("archive") / "kept.cases"
    with Store(path, write=True, source=SOURCE) as opened:
        keep(opened, *CASES, maxResults=5)
        keep(opened, *CASES[:2], maxResults=5)
        opened.capture(CLIENT, "SearchCases", domainId=DOMAIN, maxResults=9)
        opened.mark_deleted(DOMAIN, CASES[3])
    return path


# ------------------------------------------------------------- what is kept


def test_pages_come_back_as_they_came(store: Store) -> None:
    ids = keep(store, *CASES, maxResults=5)
    want = [page for case in CASES for page in live(case, maxResults=5)]
    assert len(want) > 20
    assert bare(store.pages()) == bare(want)
    assert bare(store.pages(ids[::-1])) == bare(
        page for case in CASES[::-1] for page in live(case, maxResults=5)
    )
    assert store.check() == []


def test_a_listing_of_many_pages_is_read_in_its_order(store: Store) -> None:
    client = asking(Pages([event(i) for i in range(150)]))
    keep(store, "c", client=client, maxResults=1)
    keep(store, "d", client=client, maxResults=25)
    read = list(store.pages())
    assert [page.number for page in read] == [*range(150), *range(6)]
    assert read[70].params["nextToken"] == read[69].next_token == "from-70"
    assert read[149].next_token is None


def test_an_archive_answers_as_the_service_did(store: Store, path: Path) -> None:
    keep(store, *CASES)
    want = cn.load_histories(CLIENT, DOMAIN, CASES)
    for source in (store, path, str(path)):
        found = cn.load_histories(cn.connect(source), DOMAIN, CASES)
        assert_frame_equal(found.events, want.events)
        assert found.certificate.sha256 == want.certificate.sha256
        assert found.certificate.source == "archive of sandbox (seed 7)"


def test_whatever_the_page_size_what_was_kept_answers(kept: Path) -> None:
    client = cn.connect(kept)
    history = cn.load_history(client, DOMAIN, CASE)
    assert history.certificate.n_pages == len(live(CASE, maxResults=5))
    cases = cn.load_cases(CLIENT, DOMAIN)
    found: list[Any] = []
    for page in iter_pages(client, "SearchCases", domainId=DOMAIN, maxResults=50):
        found += page.items("cases")
    assert {each["caseId"] for each in found} == set(cases["case_id"])


def test_what_was_not_kept_is_told_apart(kept: Path) -> None:
    client = cn.connect(kept)
    with pytest.raises(cn.errors.RecordingNotFound, match="holds no answer to GetCase"):
        cn.load_history(client, DOMAIN, "another")
    with pytest.raises(
        cn.errors.RecordingNotFound, match="holds no answer to ListDomains"
    ):
        cn.load_domains(client)


def test_an_earlier_capture_stays_and_the_newest_answers(
    store: Store, path: Path
) -> None:
    events = [event(i) for i in range(40)]
    client = asking(Pages(events))
    keep(store, "c", client=client)
    events += [event(i) for i in range(40, 60)]
    keep(store, "c", client=client)
    first, second = store.captures("c")
    assert (first.n_pages, second.n_pages) == (2, 3)
    assert second.earlier == first.id
    assert len(list(store.pages([first.id]))) == 2
    assert len(list(store.pages())) == 3
    assert len(cn.load_history(asking(Store(path)), DOMAIN, "c").events) == 60
    (case,) = store.cases()
    assert (case.n_captures, case.capture_id) == (2, second.id)


def test_cases_tell_when_and_of_which_state_they_were_kept(store: Store) -> None:
    before = time.time_ns() // 1000
    for n, case in enumerate(CASES):
        store.capture(CLIENT, AUDIT, last_updated=f"2026-03-0{n + 1}", **asked(case))
    store.mark_deleted(DOMAIN, CASES[1])
    store.mark_deleted(DOMAIN, CASES[1])
    found = store.cases(DOMAIN)
    assert [case.case_id for case in found] == CASES
    assert [case.last_updated for case in found][:2] == ["2026-03-01", "2026-03-02"]
    assert all(before <= case.captured_at <= time.time_ns() // 1000 for case in found)
    (gone,) = [case for case in found if case.deleted_at is not None]
    assert gone.case_id == CASES[1]
    assert len(store.captures(CASES[1])) == 1  # its history stays
    assert store.cases("another") == []


def test_what_is_told_of_an_archive_stays(store: Store, path: Path) -> None:
    store.tell("domain", DOMAIN)
    store.tell("domain", "another")
    with Store(path) as read:
        assert read.meta["domain"] == "another"
        assert read.provenance == SOURCE


# ------------------------------------------------------- whole, or not there


def test_a_capture_is_there_for_nobody_until_it_is_whole(
    store: Store, path: Path
) -> None:
    pages = live(CASE, maxResults=5)
    capture = store.begin(AUDIT, **asked(CASE, maxResults=5))
    with Store(path) as read:
        client = cn.connect(read)
        for page in pages:
            assert read.captures(CASE) == read.cases() == list(read.pages()) == []
            with pytest.raises(cn.errors.RecordingNotFound):
                cn.load_history(client, DOMAIN, CASE)
            assert not capture.is_whole
            capture.keep(page)
        assert capture.is_whole
        capture.abandon()  # too late
        assert bare(read.pages()) == bare(pages)


def test_one_that_was_left_open_goes_on_where_it_was(store: Store, path: Path) -> None:
    pages = Pages([event(i) for i in range(120)])
    client = asking(pages)
    capture = store.begin(AUDIT, **asked("c"))
    for page in iter_pages(client, AUDIT, **asked("c")):
        capture.keep(page)
        if page.number == 2:
            break
    pages.asked.clear()
    store.close()
    with Store(path, write=True) as again:
        keep(again, "c", client=client)
        assert [json.loads(r.body).get("nextToken") for r in pages.asked] == [
            "from-75",
            "from-100",
        ]
        assert len(list(again.pages())) == 5
        assert again.check() == []


def test_one_whose_token_has_expired_begins_again(store: Store) -> None:
    events = [event(i) for i in range(60)]
    pages = Pages(events)
    first, second, *_ = iter_pages(asking(pages), AUDIT, **asked("c"))
    capture = store.begin(AUDIT, **asked("c"))
    capture.keep(first)
    capture.keep(second)
    events.append(event(60))

    def expired(request: Request) -> Response:
        if b"from-50" in request.body and len(pages.asked) < 4:
            pages.asked.append(request)
            told = {"message": "The nextToken has expired"}
            named = {"x-amzn-errortype": "ValidationException"}
            return reply(told, 400, **named)
        return pages(request)

    keep(store, "c", client=asking(expired))
    (whole,) = store.captures("c")
    assert whole.n_pages == 3
    assert len(cn.load_history(asking(store), DOMAIN, "c").events) == 61


def test_one_that_was_left_open_for_long_begins_again(store: Store) -> None:
    capture = store.begin(AUDIT, **asked(CASE, maxResults=5))
    capture.keep(live(CASE, maxResults=5)[0])
    assert store.begin(AUDIT, **asked(CASE, maxResults=5)).n_pages == 1
    again = store.begin(AUDIT, max_age=0, **asked(CASE, maxResults=5))
    assert again.n_pages == 0


def test_one_that_is_abandoned_leaves_nothing(store: Store) -> None:
    capture = store.begin(AUDIT, **asked(CASE))
    capture.keep(live(CASE)[0])
    capture.abandon()
    assert store.begin(AUDIT, **asked(CASE)).n_pages == 0


def test_an_error_while_asking_keeps_what_came(store: Store) -> None:
    events = Pages([event(i) for i in range(60)])

    def cut(request: Request) -> Response:
        if b"from-50" in request.body:
            return reply({}, 403, **{"x-amzn-errortype": "ExpiredTokenException"})
        return events(request)

    with pytest.raises(Exception, match="ExpiredToken"):
        keep(store, "c", client=asking(cut))
    assert store.cases() == []
    events.asked.clear()
    keep(store, "c", client=asking(events))
    assert len(events.asked) == 1


@pytest.mark.parametrize("odd", ["not next", "of another", "another size", "a fake's"])
def test_what_does_not_follow_is_not_kept(store: Store, odd: str) -> None:
    first, second, *_ = live(CASE, maxResults=5)
    capture = store.begin(AUDIT, **asked(CASE, maxResults=5))
    wrong = {
        "not next": second,
        "of another": live(CASES[1], maxResults=5)[0],
        "another size": live(CASE, maxResults=6)[0],
        "a fake's": Page(AUDIT, first.params, 0, first.body),
    }[odd]
    with pytest.raises(ValueError, match=r"GetCaseAuditEvents page \d"):
        capture.keep(wrong)
    capture.keep(first)
    with pytest.raises(ValueError, match="does not follow the 1 pages"):
        capture.keep(first)
    assert store.captures() == []


def test_an_id_that_is_not_there_is_no_empty_answer(store: Store) -> None:
    keep(store, CASE)
    with pytest.raises(ValueError, match="holds 1 of the 2 captures asked for"):
        list(store.pages([1, 99]))


def test_eight_threads_keep_their_captures_side_by_side(store: Store) -> None:
    pages = Pages([event(i) for i in range(60)])
    client = asking(pages)
    failed: list[BaseException] = []

    def work(case: str) -> None:
        try:
            keep(store, case, client=client)
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=work, args=(f"c{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(store.cases()) == 8
    assert store.check() == []


# --------------------------------------------------------- what is no archive


def other_database(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE capture (id)")
    db.close()


def newer(path: Path) -> None:
    with Store(path, write=True):
        pass
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 2")
    db.close()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: None, "There is no archive at"),
        (lambda path: path.mkdir(), "There is no archive at"),
        (lambda path: path.write_bytes(b""), "is no archive of casesnb"),
        (lambda path: path.write_text("{}"), "is no archive of casesnb"),
        (other_database, "is no archive of casesnb"),
        (newer, "is of format 2, and this casesnb reads 1"),
    ],
)
def test_what_is_no_archive_is_told_in_a_sentence(
    path: Path, make: Callable[[Path], None], told: str
) -> None:
    make(path)
    content = path.read_bytes() if path.is_file() else b""
    for write in (False, True) if content else (False,):  # else one is made there
        with pytest.raises(ArchiveError, match=told) as caught:
            Store(path, write=write)
        assert str(caught.value).count(". ") == 1
        assert (path.read_bytes() if path.is_file() else b"") == content


def test_no_archive_is_made_in_the_place_of_a_folder(path: Path) -> None:
    path.mkdir()
    with pytest.raises(ArchiveError, match="There is no archive at|cannot be written"):
        Store(path, write=True)
    assert path.is_dir()


def test_an_empty_file_that_a_kill_left_is_begun_again(path: Path) -> None:
    path.write_bytes(b"")
    with Store(path, write=True) as store:
        keep(store, CASE)
    assert len(Store(path).cases()) == 1


def test_what_a_kill_left_of_one_that_is_gone_is_not_taken_up(path: Path) -> None:
    with Store(path, write=True) as store:
        keep(store, CASE)
        wal = Path(f"{path}-wal").read_bytes()
    path.unlink()
    Path(f"{path}-wal").write_bytes(wal)
    path.with_name(f"{path.name}.new").write_bytes(b"half")
    with Store(path, write=True) as store:
        assert store.cases() == []
        keep(store, CASES[1])
        assert store.check() == []


def test_an_archive_of_one_source_is_not_mixed_with_another(
    store: Store, path: Path
) -> None:
    store.close()
    with pytest.raises(ArchiveError, match=r"was kept from \{'source': 'sandbox'"):
        Store(path, write=True, source={"source": "live"})
    with Store(path, write=True, source=SOURCE):
        pass


def test_one_that_is_open_to_read_or_closed_keeps_nothing(kept: Path) -> None:
    store = Store(kept)
    with pytest.raises(ArchiveError, match="was opened to read"):
        store.begin(AUDIT, **asked(CASE))
    store.close()
    store.close()
    with pytest.raises(ArchiveError, match="was closed"):
        store.cases()


def test_only_its_user_reads_an_archive(store: Store, path: Path) -> None:
    keep(store, CASE)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file.name


AS_NOBODY = """
import os, sys
from casesnb.wire.store import ArchiveError, Store
if os.getuid() == 0:
    os.setuid(65534)
store = Store(sys.argv[1])
print(len(store.cases()), sum(1 for _ in store.pages()), store.check())
try:
    Store(sys.argv[1], write=True)
except ArchiveError as error:
    print(error)
"""


def test_a_folder_that_is_read_only_can_be_read(kept: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(kept, tmp_path))
    path.chmod(0o444)
    for folder in (tmp_path, *tmp_path.parents):
        if "pytest" in str(folder):
            folder.chmod(0o755)
    tmp_path.chmod(0o555)
    try:
        told = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(path)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        ).stdout.splitlines()
    finally:
        tmp_path.chmod(0o755)
    n_pages = sum(1 for _ in Store(kept).pages())
    assert told[0] == f"{len(CASES)} {n_pages} []"
    assert "cannot be written" in told[1]
    assert "Give a file in a folder that you may write to" in told[1]


# -------------------------------------------------------------- two at a time

HOLD = """
import sys
from casesnb.wire.store import Store
store = Store(sys.argv[1], write=True)
print(flush=True)
sys.stdin.readline()
store.close()
"""


def test_two_processes_write_one_after_the_other_and_a_third_reads(path: Path) -> None:
    with Store(path, write=True) as store:
        keep(store, CASE)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(ArchiveBusy, match="Another process writes to"):
            Store(path, write=True, wait=False)
        with pytest.raises(ArchiveBusy):
            Store(path, write=True, wait=0.2)
        assert len(Store(path).cases()) == 1
        release = threading.Timer(0.3, lambda: print(file=holder.stdin, flush=True))
        release.start()
        began = time.monotonic()
        with Store(path, write=True) as store:
            assert time.monotonic() - began > 0.2
            keep(store, CASES[1])
        assert holder.wait() == 0
        release.join()


def test_who_was_killed_holds_nothing(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        holder.kill()
        holder.wait()
    with Store(path, write=True, wait=False) as store:
        keep(store, CASE)


def test_what_is_read_is_of_one_moment(store: Store, path: Path) -> None:
    keep(store, *CASES[:3])
    with Store(path) as read:
        pages = read.pages()
        first = next(pages)
        keep(store, *CASES)  # newer captures of the same cases
        assert bare([first, *pages]) == bare(
            p for case in CASES[:3] for p in live(case)
        )


# ------------------------------------------------------------ kills, full disks


LIMITED = """
import resource, signal, sys
import casesnb as cn
from casesnb.wire.store import AUDIT, ArchiveError, Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
world = cn.sandbox.World(seed=7)
client = cn.connect(world)
domain, _ = world.showcase
store = Store(sys.argv[1], write=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
done = []
try:
    for case in world.case_ids(domain):
        store.capture(client, AUDIT, domainId=domain, caseId=case, maxResults=25)
        done.append(case)
except ArchiveError as error:
    print(len(done), error)
print([case.case_id for case in store.cases()] == done, store.check())
"""


def test_a_full_disk_keeps_what_is_whole_and_says_so(path: Path) -> None:
    with Store(path, write=True):
        pass
    run = [sys.executable, "-c", LIMITED, str(path), "1000000"]
    told = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    said, whole = told.splitlines()
    n, _, error = said.partition(" ")
    assert error.startswith(f"There is no room for more in {path}")
    assert error.endswith("What was kept is whole: make room, and go on.")
    assert whole == "True []"
    assert 3 < int(n) < 40
    with Store(path, write=True) as store:  # there is room again
        assert len(store.cases()) == int(n)
        keep(store, *CASES)
        assert store.check() == []


def test_a_write_that_fails_loses_nothing_of_what_was_kept(store: Store) -> None:
    pages = live(CASE, maxResults=5)
    capture = store.begin(AUDIT, **asked(CASE, maxResults=5))
    capture.keep(pages[0])
    keep(store, CASES[1])
    (n,) = store._open.execute("PRAGMA page_count").fetchone()
    store._open.execute(f"PRAGMA max_page_count = {n}")
    with pytest.raises(ArchiveError, match="There is no room for more"):
        keep(store, *CASES[2:], CASE)
    store._open.execute(f"PRAGMA max_page_count = {10 * n}")
    for page in pages[1:]:
        capture.keep(page)
    assert len(store.captures(CASES[1])) == 1
    assert bare(store.pages(each.id for each in store.captures(CASE))) == bare(pages)
    assert store.check() == []


KILLED = """
import json, os, random, signal, sys, time
import casesnb as cn
from casesnb.wire.store import AUDIT, Store
from casesnb.wire.limits import Limiter
url, path, domain, seed, cases = *sys.argv[1:5], json.loads(sys.argv[5])
client = cn.connect(endpoint_url=url, pace=False)
dice = random.Random(int(seed))
print(flush=True)

def update():
    with Store(path, write=True, source={"source": "sandbox"}) as store:
        there = {case.case_id for case in store.cases()}
        for case in cases:
            if case not in there:
                asked = dict(domainId=domain, caseId=case, maxResults=5)
                store.capture(client, AUDIT, **asked)

n_killed = 0
for _ in range(int(sys.stdin.readline())):
    child = os.fork()
    if not child:
        update()
        os._exit(0)
    time.sleep(dice.uniform(0, 0.25))
    os.kill(child, signal.SIGKILL)
    n_killed += os.waitpid(child, 0)[1] == signal.SIGKILL
    if n_killed == 0 or dice.random() < 0.2:
        with Store(path, write=True) as store:
            assert store.check() == [], store.check()
update()
print(n_killed)
"""


def kill(path: Path, n: int, seed: int, n_cases: int = 40) -> None:
    """Kill an update so many times, and compare what it keeps at last."""
    seen: Counter[tuple[str, bytes]] = Counter()

    def answer(request: Request) -> Response:
        if request.body.endswith(b"}"):  # a kill may cut what is being sent
            seen[request.path, request.body] += 1
        return WORLD(request)

    cases = list(WORLD.case_ids(DOMAIN))[:n_cases]
    with (
        over_http(answer) as url,
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                KILLED,
                url,
                str(path),
                DOMAIN,
                str(seed),
                json.dumps(cases),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as update,
    ):
        assert update.stdout is not None
        update.stdout.readline()
        n_killed = int(update.communicate(f"{n}\n")[0])
        assert update.returncode == 0
    want = [page for case in cases for page in live(case, maxResults=5)]
    with Store(path) as store:
        assert store.check() == []
        assert bare(store.pages()) == bare(want)
    # Each kill costs the page in flight at most.
    assert len(seen) == len(want)
    assert sum(seen.values()) - len(want) <= n_killed
    assert n_killed > 2


def test_an_update_that_is_killed_again_and_again_ends_the_same(path: Path) -> None:
    kill(path, 5, seed=1, n_cases=20)


@pytest.mark.slow
def test_a_hundred_kills_at_random_moments_change_nothing(tmp_path: Path) -> None:
    for round_ in range(10):
        kill(tmp_path / f"{round_}.cases", 10, seed=100 + round_)


# ------------------------------------------------------------------- damage


def altered(kept: Path, path: Path, *changes: str) -> Path:
    """A copy of an archive in which somebody ran some SQL."""
    shutil.copy(kept, path)
    db = sqlite3.connect(path)
    for change in changes:
        db.execute(change)
    db.commit()
    db.close()
    return path


ALTERED = {
    "a page's bytes": "UPDATE page SET body = (SELECT body FROM page WHERE rowid = 9) "
    "WHERE rowid = 3",
    "a page's cut bytes": "UPDATE page SET body = substr(body, 1, 40) WHERE rowid = 3",
    "two pages' places": "UPDATE page SET number = CASE number WHEN 0 THEN -1 ELSE 0 END"
    " WHERE capture_id = 1 AND number < 2",
    "a page's date": "UPDATE page SET date = 'Mon, 02 Mar 2020' WHERE rowid = 3",
    "a page's time": "UPDATE page SET received_at = 1 WHERE rowid = 3",
    "a page's hash": "UPDATE page SET hash = randomblob(32) WHERE rowid = 3",
    "a lost page": "DELETE FROM page WHERE rowid = 3",
    "a lost last page": "DELETE FROM page WHERE capture_id = 1 AND number = "
    "(SELECT max(number) FROM page WHERE capture_id = 1)",
    "a page more": "INSERT INTO page SELECT 1, 99, received_at, date, 0, 0, token, hash,"
    " dictionary, body FROM page WHERE rowid = 3",
    "a case's name": "UPDATE capture SET case_id = 'another' WHERE id = 1",
    "what was asked": "UPDATE capture SET asked = '{}' WHERE id = 1",
    "when it was asked": "UPDATE capture SET begun_at = 1 WHERE id = 1",
    "how new it was": "UPDATE capture SET last_updated = 'x' WHERE id = 1",
    "the number of pages": "UPDATE capture SET n_pages = 1 WHERE id = 1",
    "what proves it": "UPDATE capture SET head = randomblob(32) WHERE id = 1",
    "a lost capture": "DELETE FROM capture WHERE id = 2",
    "a search that was asked": "UPDATE capture SET asked = '{}' WHERE "
    "operation = 'SearchCases'",
    "whose it is": "UPDATE meta SET value = '{}' WHERE name = 'source'",
    "one that is no longer whole": "UPDATE capture SET head = NULL WHERE id = 2",
    "one whose earlier is another": "UPDATE capture SET earlier = 3 WHERE id = 7",
    "a mark": "UPDATE deleted SET at = 1",
}


@pytest.mark.parametrize("what", ALTERED)
def test_what_somebody_altered_is_never_read_as_if_it_were_whole(
    kept: Path, path: Path, what: str
) -> None:
    altered(kept, path, ALTERED[what])

    def read() -> None:
        with Store(path) as store:
            assert store.check()
            store.cases()
            list(store.pages(each.id for each in store.captures()))

    with pytest.raises(ArchiveError, match="is damaged: .*Restore it from a copy"):
        read()
    # Whoever asks what is damaged is told, as far as the file can be opened.
    found = cn.Archive(path).check()
    assert found
    assert all(re.fullmatch(r"[A-Z0-9*].*\.", said, re.DOTALL) for said in found)


def test_what_is_altered_is_not_replayed(kept: Path, path: Path) -> None:
    altered(kept, path, "UPDATE page SET received_at = 1 WHERE capture_id = 4")
    client = cn.connect(path)
    cn.load_history(client, DOMAIN, CASES[4])
    with pytest.raises(ArchiveError, match="capture 4 is not as it was kept"):
        cn.load_history(client, DOMAIN, CASES[3])


def test_a_dropped_row_of_a_chain_is_noticed(kept: Path, path: Path) -> None:
    # Whoever takes a capture away, and counts right, still breaks what follows it.
    altered(
        kept,
        path,
        "DELETE FROM page WHERE capture_id = 1",
        "DELETE FROM capture WHERE id = 1",
    )
    with pytest.raises(ArchiveError, match="capture 7 is not as it was kept"):
        Store(path)


def flips(kept: Path, path: Path, n: int, seed: int) -> Counter[str]:
    """Flip one bit so many times, and read all there is each time."""
    whole = kept.read_bytes()
    dice = random.Random(seed)

    def read(file: Path) -> Any:
        with Store(file) as store:
            ids = [each.id for each in store.captures()]
            told = store.meta, store.provenance, store.captures(), store.cases()
            return told, bare(store.pages(ids)), bare(store.pages())

    want = read(kept)
    outcomes: Counter[str] = Counter()
    for _ in range(n):
        place, bit = dice.randrange(len(whole)), 1 << dice.randrange(8)
        flipped = bytearray(whole)
        flipped[place] ^= bit
        path.write_bytes(flipped)
        try:
            found = read(path)
        except ArchiveError:
            outcomes["refused"] += 1
            continue
        assert found == want, (place, bit)
        outcomes["of no account"] += 1
    return outcomes


def test_a_flipped_bit_is_told_or_changes_nothing(kept: Path, path: Path) -> None:
    assert flips(kept, path, 80, seed=1)["refused"] > 20


@pytest.mark.slow
def test_two_thousand_flipped_bits_are_told_or_change_nothing(
    kept: Path, path: Path
) -> None:
    assert flips(kept, path, 2000, seed=2)["refused"] > 500


# ---------------------------------------------------------------- the dictionary


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive whose pages share a dictionary."""
    path = tmp_path_factory.mktemp("archive") / "large.cases"
    world = World(seed=3, cases=100)
    domain = world.domains[0].domain_id
    client = cn.connect(world)
    with Store(path, write=True, source=SOURCE) as store:
        store._train_at = 30
        for case in list(world.case_ids(domain))[:80]:
            params = {"domainId": domain, "caseId": case, "maxResults": 25}
            store.capture(client, AUDIT, **params)
    return path


def test_pages_share_a_dictionary_once_there_are_enough(
    large: Path, tmp_path: Path
) -> None:
    def size(rows: str) -> float:
        db = sqlite3.connect(large)
        query = f"SELECT avg(length(body)) FROM page WHERE {rows}"  # noqa: S608
        ((found,),) = db.execute(query)
        db.close()
        return float(found)

    assert size("dictionary = 1") < 0.7 * size("dictionary IS NULL")
    want = bare(Store(large).pages())
    assert Store(large).check() == []
    one = tmp_path / "one.cases"
    altered(large, one, "UPDATE dictionary SET data = zeroblob(9) WHERE id = 1")
    assert bare(Store(one).pages()) == want
    both = tmp_path / "both.cases"
    altered(large, both, "UPDATE dictionary SET data = zeroblob(9)")
    with pytest.raises(ArchiveError, match="the dictionary of its pages"):
        Store(both)


def test_a_process_that_goes_on_uses_the_same_dictionary(
    large: Path, path: Path
) -> None:
    shutil.copy(large, path)
    with Store(path, write=True) as store:
        keep(store, CASE)
        assert bare(store.pages([each.id for each in store.captures(CASE)])) == bare(
            live(CASE)
        )
        assert store._rows("SELECT count(*) FROM dictionary") == [(2,)]


def test_answers_too_short_to_learn_from_are_kept_without(
    store: Store,
) -> None:
    store._train_at = 5
    client = asking(Pages([]))
    keep(store, *[f"c{n}" for n in range(8)], client=client)
    assert store._dictionary is None
    assert len(list(store.pages())) == 8


def test_what_is_asked_of_the_store_is_asked_by_any_client(store: Store) -> None:
    with over_http(Pages([event(0)])) as url:
        page = ask(cn.connect(endpoint_url=url, pace=False), AUDIT, asked("c"))
    assert page.request is not None
    assert page.request.path == f"/domains/{DOMAIN}/cases/c/audit-history"
    capture = store.begin(AUDIT, **asked("c"))
    capture.keep(page)
    assert len(cn.load_history(asking(store), DOMAIN, "c").events) == 1


def test_an_index_that_lost_its_rows_is_told(kept: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(kept, tmp_path))
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute(
            "UPDATE sqlite_master SET sql = 'CREATE INDEX capture_of ON capture "
            "(id, listing)' WHERE name = 'capture_of'"
        )
        db.commit()
    with Store(path) as store:
        told = store.check()
        assert len(list(store.pages())) > 3  # the pages are whole
    assert told
    assert all("missing from index capture_of" in each for each in told)
