"""Raw answers kept in one SQLite file: whole listings, each with what proves it.

A capture is one listing read to its end: a case's audit pages, a search, a domain's
fields. Its pages are durable one by one, so that a kill loses the one in flight at
most; the capture itself is whole or not there. Earlier captures stay. Every page has
the SHA-256 of its bytes, and every capture one over all of it and over the capture
of the same listing before it; both are compared whenever something is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby, starmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import zstandard
from botocore.exceptions import ClientError
from filelock import FileLock, Timeout

from casesnb.wire.errors import CasesError, error_code
from casesnb.wire.pages import Page, iter_pages, read_token
from casesnb.wire.recording import RecordingNotFound
from casesnb.wire.responder import TOKENS, Request, Response
from casesnb.wire.store_rows import (
    KEPT,
    PAGES_OF,
    ROW,
    SCHEMA,
    WHOLE,
    CaptureKey,
    KeptCapture,
    KeptCase,
    Row,
    asked_for,
    head_of,
    kept_capture,
    listing_of,
    page_of,
    proof_of,
    split_params,
    sum_of,
)
from casesnb.wire.text import shortened

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Generator,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )
    from types import TracebackType
    from typing import Self

    from botocore.client import BaseClient as Client

AUDIT = "GetCaseAuditEvents"
FORMAT = 1
_APPLICATION = 0x63617365  # "case", in the file's header
_HOUR = 3600.0
_MOST = 1 << 28  # bytes of one answer: more is a damaged length
_NO_FIELDS = b'{"fields": [], "errors": []}'
_N_SAMPLES = 200  # pages from which the dictionary is made, once they are there
_DICTIONARY = 65_536


class ArchiveError(CasesError):
    """An archive that cannot be read or written; what it holds stays as it was."""


class ArchiveDamaged(ArchiveError):  # noqa: N818 - it is not wrong, only damaged
    """What an archive holds is not as it was kept."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{path} is damaged: {why}. Restore it from a copy; `casesnb archive check` "
            "lists all that is not as it was kept."
        )
        self.said = f"{why[:1].upper()}{why[1:]}."


class ArchiveBusy(ArchiveError):  # noqa: N818 - it is not wrong, only busy
    """Another process writes to the archive."""


class _Read(NamedTuple):
    """A page as it came, or why it is not there any more."""

    row: Row
    body: bytes = b""
    error: ArchiveDamaged | None = None


def now() -> int:
    """Return microseconds since 1970."""
    return time.time_ns() // 1000


class Store:
    """An archive's file: open to read, or, by one process at a time, to write."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        write: bool = False,
        wait: bool | float = True,
        source: Mapping[str, Any] | None = None,
        prove: bool = True,
    ) -> None:
        self.path = Path(path).expanduser().absolute()
        self._writes = write
        self._lock = threading.RLock()
        self._file_lock: FileLock | None = None
        self._here = threading.local()
        self._proven: set[int] = set()
        self._db: sqlite3.Connection | None = None
        self._train_at = _N_SAMPLES
        if write:
            self._file_lock = self._alone(wait)
        try:
            self._db = self._opened(source)
            self._dictionary = self._read_dictionary()
            told = self.meta
            self.provenance: dict[str, Any] = json.loads(told.get("source", "{}"))
            self.redacted: dict[str, Any] | None = json.loads(
                told.get("redacted", "null")
            )
            if source is not None and self.provenance != dict(source):
                raise ArchiveError(
                    f"{self.path} was kept from {self.provenance}, not from "
                    f"{dict(source)}. Keep it in a file of its own."
                )
            if prove:
                self._prove()
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            db, self._db = self._db, None
            if db is not None:
                with suppress(sqlite3.Error):
                    db.close()
            if self._file_lock is not None:
                self._file_lock.release()

    # ------------------------------------------------------------------- opening

    def _alone(self, wait: bool | float) -> FileLock:
        """Wait until no other process writes, or refuse to."""
        timeout = (-1.0 if wait else 0.0) if isinstance(wait, bool) else wait
        lock = FileLock(f"{self.path.resolve()}.lock", timeout=timeout, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            raise ArchiveBusy(
                f"Another process writes to {self.path}. Wait for it, or read meanwhile."
            ) from None
        except OSError as error:
            raise self._unwritable(error) from error
        return lock

    def _unwritable(self, error: Exception) -> ArchiveError:
        return ArchiveError(
            f"{self.path} cannot be written ({error}). Give a file in a folder that you "
            "may write to; what it holds can be read."
        )

    def _opened(self, source: Mapping[str, Any] | None) -> sqlite3.Connection:
        """Return a connection to the file, which is made where one is to be written."""
        if self._writes and not (self.path.exists() and self.path.stat().st_size):
            self._made(source or {"source": "live"})
        if not self.path.is_file():
            raise ArchiveError(
                f"There is no archive at {self.path}. Give the file that one was kept in."
            )
        try:
            with self.path.open("rb") as file:
                head = file.read(100)
        except OSError as error:
            raise ArchiveError(
                f"{self.path} cannot be read ({error}). Give one that you may read."
            ) from error
        if not head.startswith(b"SQLite format 3\0") or (
            int.from_bytes(head[68:72], "big") != _APPLICATION
        ):
            raise ArchiveError(
                f"{self.path} is no archive of casesnb. Give the file that one was kept "
                "in, or the folder that cn.connect(record=...) wrote."
            )
        written = int.from_bytes(head[60:64], "big")
        if written != FORMAT:
            raise ArchiveError(
                f"{self.path} is of format {written}, and this casesnb reads {FORMAT}. "
                "Use the casesnb that wrote it, or a newer one."
            )
        return self._writer() if self._writes else self._reader()

    def _made(self, source: Mapping[str, Any]) -> None:
        """Make an empty archive, whole at once: a kill leaves none."""
        new = self.path.with_name(f"{self.path.name}.new")
        try:
            new.unlink(missing_ok=True)
            os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            with (
                self._told(),
                closing(sqlite3.connect(new, isolation_level=None)) as db,
            ):
                db.executescript(
                    "PRAGMA page_size = 8192; PRAGMA journal_mode = MEMORY;"
                    f"PRAGMA synchronous = FULL; BEGIN; {SCHEMA}"
                    f"PRAGMA application_id = {_APPLICATION};"
                    f"PRAGMA user_version = {FORMAT};"
                )
                _tell(db, "source", json.dumps(dict(source)))
                _tell(db, "begun_at", str(now()))
                _tell(db, "n_whole", "0")
                db.execute("COMMIT")
            for left in ("-wal", "-shm"):  # of a file that somebody took away
                Path(f"{self.path}{left}").unlink(missing_ok=True)
            new.replace(self.path)
        except OSError as error:
            raise self._unwritable(error) from error

    def _writer(self) -> sqlite3.Connection:
        with self._told():
            db = self._connection("mode=rw")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            return db

    def _reader(self) -> sqlite3.Connection:
        with self._told():
            try:
                return self._connection("mode=ro")
            except sqlite3.OperationalError:
                # Where nothing may be written beside it, it is read as it lies there.
                if Path(f"{self.path}-wal").exists():
                    raise
                return self._connection("mode=ro&immutable=1")

    def _connection(self, how: str) -> sqlite3.Connection:
        db = sqlite3.connect(
            f"file:{quote(str(self.path))}?{how}",
            uri=True,
            timeout=60,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except BaseException:
            db.close()
            raise
        return db

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say what SQLite's errors mean for an archive."""
        try:
            yield
        except UnicodeDecodeError as error:
            raise self._damaged(str(error)) from error
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "") or ""
            if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
                said = (
                    f"There is no room for more in {self.path} ({error}). What was kept "
                    "is whole: make room, and go on."
                )
            elif name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
                raise self._unwritable(error) from error
            elif name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                raise ArchiveBusy(
                    f"Another program holds {self.path} ({error}). Try again when it is "
                    "done."
                ) from error
            else:
                raise self._damaged(str(error)) from error
            raise ArchiveError(said) from error

    def _damaged(self, why: str) -> ArchiveDamaged:
        return ArchiveDamaged(self.path, why)

    @property
    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            raise ArchiveError(f"{self.path} was closed. Open it again.")
        return self._db

    def _need_write(self) -> None:
        if not self._writes:
            raise ArchiveError(f"{self.path} was opened to read. Open it to write.")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for one change, which is durable at the end."""
        self._need_write()
        with self._lock, self._told():
            db = self._open
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with self._lock, self._told():
            return self._open.execute(query, values).fetchall()

    def _prove(self) -> None:
        """Refuse a file in which a capture is missing, or told of wrongly."""
        for error in self._disproofs():
            raise error

    def _disproofs(self) -> Iterator[ArchiveDamaged]:
        """Yield which captures are told of wrongly, and whether one is missing."""
        n = 0
        with self._lock, self._told():
            rows = self._open.execute(
                f"SELECT {KEPT}, earlier.head FROM capture NOT INDEXED "
                "LEFT JOIN capture AS earlier ON earlier.id = capture.earlier "
                "WHERE capture.head IS NOT NULL"
            )
            for *told, before in rows:
                n += 1
                if head_of(told, before) != told[-1]:
                    yield self._not_as_kept(told[0])
        if str(n) != self.meta.get("n_whole"):
            yield self._damaged(f"{n} captures are there, not as many as were kept")

    def _not_as_kept(self, capture_id: int) -> ArchiveDamaged:
        return self._damaged(
            f"capture {capture_id} is not as it was kept (its hash differs)"
        )

    @property
    def meta(self) -> dict[str, str]:
        """What is told of the archive as a whole, by name."""
        found = {}
        for name, value, told in self._rows("SELECT name, value, hash FROM meta"):
            if sum_of(name, value) != told:
                raise self._damaged("what it says of itself is not as it was kept")
            found[name] = value
        return found

    def tell(self, name: str, value: str) -> None:
        """Keep something about the archive as a whole."""
        with self._transaction() as db:
            _tell(db, name, value)

    @property
    def originals(self) -> dict[int, str]:
        """What ties each capture of a redacted archive to the original, by number."""
        told = json.loads(self.meta.get("originals", "{}"))
        return {int(number): proof for number, proof in told.items()}

    def draft(self) -> None:
        """Write without waiting for the disk: for a file that nobody has yet."""
        self._need_write()
        self._rows("PRAGMA synchronous = OFF")

    def settle(self) -> None:
        """Move all that was kept into the file itself, where no reader is in the way."""
        self._need_write()
        self._rows("PRAGMA wal_checkpoint(TRUNCATE)")

    # ------------------------------------------------------------------- keeping

    def begin(
        self,
        operation: str,
        /,
        *,
        last_updated: str | None = None,
        max_age: float = _HOUR,
        **params: Any,
    ) -> Capture:
        """Begin a capture, or go on with the one that was left open, if it is not old."""
        self._need_write()
        subject, asked = split_params(params)
        capture = Capture(self, operation, params, last_updated)
        found = self._rows(
            "SELECT id, begun_at FROM capture WHERE head IS NULL AND operation = ? "
            "AND domain_id IS ? AND case_id IS ? AND asked = ?",
            operation,
            *subject,
            asked,
        )
        for capture.id, begun_at in found:
            if now() - begun_at > max_age * 1e6:
                capture.abandon()
                continue
            token = None
            for row in starmap(Row, self._rows(PAGES_OF, capture.id)):
                body = self._body(row)
                following = read_token(body)
                capture.last = page_of(row, body, operation, params, token, following)
                token = following
        return capture

    def capture(
        self,
        client: Client,
        operation: str,
        /,
        *,
        last_updated: str | None = None,
        max_age: float = _HOUR,
        told: Callable[[Page], object] = bool,
        **params: Any,
    ) -> int:
        """Ask for a listing and keep it whole, going on where it was left; its number."""
        kept = self.begin(
            operation, last_updated=last_updated, max_age=max_age, **params
        )
        is_resumed = kept.last is not None
        try:
            for page in iter_pages(client, operation, kept.last, **params):
                kept.keep(page)
                told(page)
        except ClientError as error:
            if not (is_resumed and error_code(error) == "ValidationException"):
                raise
            kept.abandon()  # a token lasts for a while only
            return self.capture(
                client, operation, last_updated=last_updated, told=told, **params
            )
        return kept.id or 0

    def mark_deleted(
        self, domain_id: str, case_id: str, *, at: int | None = None
    ) -> None:
        """Note that a case is there no more; what was kept of it stays."""
        at = now() if at is None else at
        row = (domain_id, case_id, at, sum_of(domain_id, case_id, at))
        with self._transaction() as db:
            # The first time counts, unless it was read again since.
            db.execute(
                "INSERT INTO deleted VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
                "SET at = excluded.at, hash = excluded.hash WHERE deleted.at < ("
                "SELECT max(begun_at) FROM capture WHERE operation = ? "
                "AND head IS NOT NULL AND domain_id = excluded.domain_id "
                "AND case_id = excluded.case_id)",
                (*row, AUDIT),
            )

    def _keep(self, capture: Capture, page: Page, at: int | None = None) -> None:
        if page.request is None:
            raise ValueError(
                f"{page} came without HTTP, so it is not known what was sent for it. "
                "Ask with a boto3 client."
            )
        listing, token = listing_of(page.request)
        at = now() if at is None else at
        with self._transaction() as db:
            capture_id = capture.id
            if capture_id is None:
                subject, asked = split_params(capture.params)
                begun = (listing, capture.last_updated, capture.begun_at)
                ((capture_id,),) = db.execute(
                    "INSERT INTO capture (operation, domain_id, case_id, asked, listing, "
                    "last_updated, begun_at) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
                    (capture.operation, *subject, asked, *begun),
                )
            row = Row(
                capture_id,
                page.number,
                at,
                page.date,
                page.retries,
                page.throttles,
                token,
                hashlib.sha256(page.body).digest(),
                None if self._dictionary is None else 1,
                self._codecs().compressor.compress(page.body),
            )
            db.execute(f"INSERT INTO page VALUES ({', '.join('?' * len(row))})", row)
            if page.next_token is None:
                self._finish(db, capture_id, page.number + 1, at)
        capture.id = capture_id
        if page.next_token is None:
            self._train()

    def _finish(
        self, db: sqlite3.Connection, capture_id: int, n_pages: int, at: int
    ) -> None:
        """Make a capture whole, after the one of the same listing before it."""
        earlier, before = db.execute(
            "SELECT id, head FROM capture WHERE head IS NOT NULL AND listing = "
            "(SELECT listing FROM capture WHERE id = ?) ORDER BY id DESC LIMIT 1",
            (capture_id,),
        ).fetchone() or (None, None)
        proof = proof_of(
            db.execute(
                "SELECT number, received_at, date, retries, throttles, token, hash "
                "FROM page WHERE capture_id = ? ORDER BY number",
                (capture_id,),
            )
        )
        db.execute(
            "UPDATE capture SET ended_at = ?, n_pages = ?, earlier = ?, proof = ? "
            "WHERE id = ?",
            (at, n_pages, earlier, proof, capture_id),
        )
        told = db.execute(f"SELECT {KEPT} FROM capture WHERE id = ?", (capture_id,))
        head = head_of(told.fetchone(), before)
        db.execute("UPDATE capture SET head = ? WHERE id = ?", (head, capture_id))
        ((n_whole,),) = db.execute("SELECT value FROM meta WHERE name = 'n_whole'")
        _tell(db, "n_whole", str(int(n_whole) + 1))

    def _forget(self, capture_id: int) -> None:
        with self._transaction() as db:
            db.execute("DELETE FROM page WHERE capture_id = ?", (capture_id,))
            db.execute("DELETE FROM capture WHERE id = ?", (capture_id,))

    def _train(self) -> None:
        """Make the dictionary that pages share, once there are enough of them."""
        with self._lock:
            if self._dictionary is not None:
                return
            ((n,),) = self._rows("SELECT max(rowid) FROM page")
            if n is None or n < self._train_at:
                return
            self._train_at *= 4
            newest = f"SELECT {ROW} FROM page ORDER BY rowid DESC LIMIT {_N_SAMPLES}"
            samples = [self._body(Row(*row)) for row in self._rows(newest)]
            try:
                data = zstandard.train_dictionary(_DICTIONARY, [*samples]).as_bytes()
            except zstandard.ZstdError:  # too little to learn from
                return
            with self._transaction() as db:
                # Every page needs it, so it is kept twice.
                db.executemany(
                    "INSERT INTO dictionary VALUES (?, ?, ?)",
                    [(n, hashlib.sha256(data).digest(), data) for n in (1, 2)],
                )
            self._dictionary = zstandard.ZstdCompressionDict(data)

    def _read_dictionary(self) -> zstandard.ZstdCompressionDict | None:
        kept = self._rows("SELECT hash, data FROM dictionary")
        for told, data in kept:
            if hashlib.sha256(data).digest() == told:
                return zstandard.ZstdCompressionDict(data)
        if kept:
            raise self._damaged("the dictionary of its pages does not hold")
        return None

    def _codecs(self) -> _Codecs:
        """Return this thread's own: they are not safe to share."""
        found: _Codecs | None = getattr(self._here, "codecs", None)
        if found is None or found.dictionary is not self._dictionary:
            found = self._here.codecs = _Codecs(self._dictionary)
        return found

    def _body(self, row: Row) -> bytes:
        """Return a page's bytes as they came, or raise if they are not."""
        if row.dictionary is not None and self._dictionary is None:
            # It was made after this was opened.
            self._dictionary = self._read_dictionary()
        codecs = self._codecs()
        how = codecs.plain if row.dictionary is None else codecs.shared
        try:
            if not 0 <= zstandard.frame_content_size(row.body) <= _MOST:
                raise zstandard.ZstdError("its length is odd")
            body: bytes = how.decompress(row.body)
            if hashlib.sha256(body).digest() == row.hash:
                return body
            why = "its hash differs"
        except (zstandard.ZstdError, TypeError, MemoryError) as error:
            why = str(error)
        where = f"page {row.number} of capture {row.capture_id}"
        raise self._damaged(f"{where} is not as it was kept ({why})")

    def _as_it_came(self, row: Row) -> _Read:
        try:
            return _Read(row, self._body(row))
        except ArchiveDamaged as error:
            return _Read(row, error=error)

    # ------------------------------------------------------------------- reading

    def captures(
        self,
        case_id: str | None = None,
        *,
        domain_id: str | None = None,
        operation: str | None = AUDIT,
    ) -> list[KeptCapture]:
        """Return the whole captures of a case, or of all, oldest first."""
        wanted = "AND (?1 IS NULL OR operation = ?1) AND (?2 IS NULL OR case_id = ?2) "
        found = self._rows(
            f"{WHOLE} {wanted} AND (?3 IS NULL OR domain_id = ?3) ORDER BY id",
            operation,
            case_id,
            domain_id,
        )
        return [kept_capture(row) for row in found]

    def cases(self, domain_id: str | None = None) -> list[KeptCase]:
        """Return the cases whose history was kept, in the order they first were."""
        found = self._rows(
            "SELECT domain_id, case_id, id, last_updated, begun_at, n_pages, n, "
            "iif(last_updated IS NULL, (SELECT date FROM page "
            "WHERE capture_id = capture.id AND number = 0), NULL) FROM ("
            "SELECT max(id) AS id, min(id) AS first, count(*) AS n "
            "FROM capture NOT INDEXED WHERE operation = ?1 AND head IS NOT NULL "
            "AND (?2 IS NULL OR domain_id = ?2) GROUP BY domain_id, case_id"
            ") JOIN capture USING (id) ORDER BY first",
            AUDIT,
            domain_id,
        )
        deleted = {}
        for *case, at, told in self._rows("SELECT * FROM deleted"):
            if sum_of(*case, at) != told:
                raise self._damaged("the mark of a deleted case differs")
            deleted[tuple(case)] = at
        return [KeptCase._make((*row, deleted.get(row[:2]))) for row in found]

    def newest(self) -> dict[tuple[str, str], CaptureKey]:
        """Return the newest capture of each case, in the order they first were kept."""
        found = self._rows(
            "SELECT domain_id, case_id, id, head FROM ("
            "SELECT max(id) AS id, min(id) AS first FROM capture NOT INDEXED "
            "WHERE operation = ? AND head IS NOT NULL GROUP BY domain_id, case_id"
            ") JOIN capture USING (id) ORDER BY first",
            AUDIT,
        )
        return {(d, c): CaptureKey(number, head.hex()) for d, c, number, head in found}

    def pages(self, captures: Iterable[int] | None = None) -> Iterator[Page]:
        """Yield the pages of captures, or of the newest of each case, if all are whole."""
        for pages in self.listings(captures):
            yield from pages

    def listings(self, captures: Iterable[int] | None = None) -> Iterator[list[Page]]:
        """Yield each capture's pages, if all are whole."""
        if captures is None:
            captures = [one.id for one in self.newest().values()]
        with closing(self._read(captures)) as read:  # the error holds on to it
            for pages in read:
                if isinstance(pages, ArchiveDamaged):
                    raise pages
                yield pages

    def copy_to(self, path: Path) -> None:
        """Copy all of it into another file by SQLite's own backup."""
        with self._lock, self._told(), closing(sqlite3.connect(path)) as copy:
            self._open.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")

    def check(self) -> list[str]:
        """Return what is not as it was kept, each once, and nothing if all is."""
        found: dict[str, None] = {}
        for look in (self._integrity, self._disproofs, self._marks, self._bodies):
            try:
                found |= dict.fromkeys(error.said for error in look())
            except ArchiveDamaged as error:
                found[error.said] = None
        return [*found]

    def _integrity(self) -> Iterator[ArchiveDamaged]:
        """Yield what SQLite finds wrong in the file."""
        for (said,) in self._rows("PRAGMA integrity_check"):
            if said != "ok":
                yield self._damaged(said)

    def _marks(self) -> Iterator[ArchiveDamaged]:
        """Yield the first mark of a deleted case that differs."""
        try:
            self.cases()
        except ArchiveDamaged as error:
            yield error

    def _bodies(self) -> Iterator[ArchiveDamaged]:
        """Yield the captures whose pages are not as they were kept."""
        whole = self._rows("SELECT id FROM capture NOT INDEXED WHERE head IS NOT NULL")
        for each in self._read(sorted(number for (number,) in whole)):
            if isinstance(each, ArchiveDamaged):
                yield each

    def _read(self, captures: Iterable[int]) -> Generator[list[Page] | ArchiveDamaged]:
        """Yield each capture's pages, or why they are not as they were kept."""
        with self._told(), closing(self._reader()) as db:
            db.execute("PRAGMA temp_store = MEMORY")
            db.execute(
                "CREATE TEMP TABLE wanted (place INTEGER PRIMARY KEY, id INTEGER)"
            )
            db.execute("BEGIN")  # what is kept meanwhile is not seen
            ids = [(each,) for each in dict.fromkeys(captures)]
            db.executemany("INSERT INTO wanted (id) VALUES (?)", ids)
            ((n_known,),) = db.execute(
                "SELECT count(*) FROM wanted JOIN capture USING (id) "
                "WHERE head IS NOT NULL"
            )
            if n_known != len(ids):
                raise ValueError(
                    f"{self.path} holds {n_known} of the {len(ids)} captures asked "
                    "for. Give ids that captures() or cases() told."
                )
            kept = db.execute(
                f"SELECT {KEPT}, earlier.head FROM wanted "
                "CROSS JOIN capture ON capture.id = wanted.id "
                "LEFT JOIN capture AS earlier ON earlier.id = capture.earlier "
                "ORDER BY wanted.place"
            )
            rows = db.execute(
                f"SELECT {ROW} FROM wanted CROSS JOIN page "
                "ON page.capture_id = wanted.id ORDER BY wanted.place, page.number"
            )
            # An open cursor would keep the file open after `db` is closed.
            with closing(kept), closing(rows):
                came = (self._as_it_came(Row(*row)) for row in rows)
                groups = groupby(came, lambda read: read.row.capture_id)
                group = next(groups, None)
                for *told, before in kept:
                    reads: list[_Read] = []
                    if group is not None and group[0] == told[0]:
                        reads = list(group[1])
                        group = next(groups, None)
                    yield self._proved(told, before, reads)

    def _proved(
        self, told: Sequence[Any], before: bytes | None, reads: Sequence[_Read]
    ) -> list[Page] | ArchiveDamaged:
        """Return a capture's pages, if all of it is as it was kept."""
        proof = proof_of(read.row[1:8] for read in reads)
        if head_of(told, before) != told[-1] or proof != told[-2]:
            return self._not_as_kept(told[0])
        operation, params = told[1], asked_for(told)
        pages: list[Page] = []
        token = following = None
        for row, body, error in reads:
            if error is not None:
                return error
            if len(pages) < len(reads) - 1:  # the last has none, or it were not whole
                following = read_token(body)
            pages.append(page_of(row, body, operation, params, token, following))
            token, following = following, None
        return pages

    def __call__(self, request: Request) -> Response:
        """Answer `request` as it was answered in the newest capture of its listing."""
        listing, token = listing_of(request)
        found = None
        for how in ("", "NOT INDEXED"):  # a damaged index may hide what is there
            found = found or self._rows(
                f"SELECT {ROW} FROM capture {how} CROSS JOIN page {how} "
                "ON page.capture_id = capture.id WHERE listing = ? "
                "AND head IS NOT NULL AND token IS ? ORDER BY capture.id DESC LIMIT 1",
                listing,
                token,
            )
        if not found and request.operation == "BatchGetField":
            # Deleted fields that histories mention: nobody asked for their names.
            return Response(200, {"content-type": "application/json"}, _NO_FIELDS)
        if not found:
            raise RecordingNotFound(
                f"{self.path} holds no answer to {request.operation} "
                f"({shortened(request.path, 200)}). It holds histories and lists: "
                "update it, or ask AWS for anything else."
            )
        row = Row(*found[0])
        if row.capture_id not in self._proven:
            for _ in self.pages([row.capture_id]):
                pass
            self._proven.add(row.capture_id)
        headers = {"content-type": "application/json", "date": row.date or ""}
        return Response(200, headers, self._body(row))


@dataclass(slots=True)
class Capture:
    """A listing that is being kept: there for nobody until its last page is."""

    store: Store
    operation: str
    params: Mapping[str, Any]
    last_updated: str | None = None
    begun_at: int = field(default_factory=now)
    id: int | None = None  # from its first page on
    last: Page | None = None  # the last of its pages that was kept

    @property
    def n_pages(self) -> int:
        """How many of its pages were kept."""
        return 0 if self.last is None else self.last.number + 1

    @property
    def is_whole(self) -> bool:
        """Whether its last page was kept, which makes it one of the captures."""
        return self.last is not None and self.last.next_token is None

    def keep(self, page: Page, *, at: int | None = None) -> None:
        """Keep the next page, durable when this returns; the last one makes it whole."""
        asked = {name: v for name, v in page.params.items() if name not in TOKENS}
        expected = (self.operation, dict(self.params), self.n_pages)
        if self.is_whole or (page.operation, asked, page.number) != expected:
            raise ValueError(
                f"{page} does not follow the {self.n_pages} pages of {self.operation} "
                "that were kept. Keep a listing's pages in their order."
            )
        self.store._keep(self, page, at)
        self.last = page

    def abandon(self) -> None:
        """Forget its pages, unless it is whole."""
        if self.id is not None and not self.is_whole:
            self.store._forget(self.id)
            self.id = self.last = None


class _Codecs:
    """What one thread compresses and decompresses with."""

    def __init__(self, dictionary: zstandard.ZstdCompressionDict | None) -> None:
        self.dictionary = dictionary
        self.compressor = zstandard.ZstdCompressor(dict_data=dictionary)
        self.plain = zstandard.ZstdDecompressor()
        self.shared = zstandard.ZstdDecompressor(dict_data=dictionary)


def _tell(db: sqlite3.Connection, name: str, value: str) -> None:
    row = (name, value, sum_of(name, value))
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", row)
