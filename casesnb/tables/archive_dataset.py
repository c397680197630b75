"""The Parquet files beside an archive: what its raw pages hold, for engines to scan.

One row per field of an event, with what is told of the event; an event without a
field has a row of its own. So each id and time is kept once, which halves the size.
A file for each month in which cases were created: a case that is kept anew changes
one of them. All can be made again at any time.
"""

from __future__ import annotations

import glob
import json
import shutil
from contextlib import ExitStack
from dataclasses import replace
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from casesnb.tables.arrow import TEXT, as_frame, as_table, with_texts
from casesnb.tables.certificate import Certificate, case_keys
from casesnb.tables.history import belonging, breaks_of
from casesnb.tables.history_builder import HistoryBuilder
from casesnb.tables.schema import CAPTURES, CHANGES, EVENTS, UNLOADED
from casesnb.tables.workers import unloaded
from casesnb.wire.store import ArchiveError
from casesnb.wire.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from casesnb.tables.history import History
    from casesnb.wire.store import Store
    from casesnb.wire.store_rows import CaptureKey

    Key = tuple[str, str]

FORMAT = 2
_OF_CHANGE = [name for name in CHANGES.names if name not in EVENTS.names]
_PART = 2_000  # cases decoded at a time
_ROWS = 200_000  # rows of a month that are put together before they are written
_NO_MONTH = "none"  # where no case has an event
_ENCODINGS = {
    "event_id": "DELTA_LENGTH_BYTE_ARRAY",
    "performed_at": "DELTA_BINARY_PACKED",
}
_WRITTEN: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 9,
    # All but what tells rows apart, which no dictionary makes smaller.
    "use_dictionary": [
        name
        for name in dict.fromkeys([*EVENTS.names, *CHANGES.names])
        if name not in _ENCODINGS
    ],
    "column_encoding": _ENCODINGS,
    "dictionary_pagesize_limit": 8 << 20,
    "store_schema": False,
}


class Dataset:
    """The folder of Parquet files of an archive."""

    def __init__(self, archive: Path) -> None:
        self.folder = archive.with_name(f"{archive.name}.parquet")
        self.rows = self.folder / "rows"
        self._archive = archive
        self._manifest = self.folder / "dataset.json"
        self._captures = self.folder / "captures.parquet"

    @property
    def is_there(self) -> bool:
        """Whether it was made, and made whole."""
        return self._told() is not None

    def is_fresh(self) -> bool:
        """Whether the archive's file is as it was when this was written."""
        told = self._told()
        return told is not None and told["file"] == self._file()

    def refresh(self, store: Store) -> None:
        """Make it hold what the archive holds: all of it, or what came since."""
        try:
            self._refresh(store)
        except OSError as error:
            raise ArchiveError(
                f"{self.folder} cannot be written ({error}). Make room, or remove what "
                "stands in its place, and scan again. The archive is as it was."
            ) from error

    def _refresh(self, store: Store) -> None:
        chosen = store.newest()
        store.settle()
        told = self._told()
        if told is None or told["redacted"] != store.redacted:
            self._make(store, chosen)
            return
        captures = _captures_in(self._captures)
        # Another file may have stood here, whose captures had the same numbers.
        known = dict(zip(case_keys(captures), captures["head"], strict=True))
        known.update({(d, c): head for d, c, head in told["odd"]})
        fresh = {key: one for key, one in chosen.items() if known.get(key) != one.head}
        if not known.keys() <= chosen.keys():
            self._make(store, chosen)
        elif fresh:
            self._renew(store, fresh, captures, told)
        else:
            self._tell({**told, "file": self._file()})

    def scan(self, engine: str) -> History[Any]:
        """Return lazy frames of an engine over it, with its certificate."""
        told = self._told() or {}
        kept = _captures_in(self._captures, [*CAPTURES.names, "n_breaks"])
        captures = CAPTURES.cast(kept)
        odd = pd.DataFrame(told.get("unloaded", []), columns=UNLOADED.names)
        certificate = Certificate(
            captures=captures,
            unloaded=UNLOADED.cast(odd),
            redacted=told.get("redacted"),
        )
        events, changes = scanned(self.rows, engine)
        n_breaks = int(kept["n_breaks"].sum())
        return belonging(events, changes, certificate, n_breaks=n_breaks)

    # ------------------------------------------------------------------- writing

    def _make(self, store: Store, chosen: Mapping[Key, CaptureKey]) -> None:
        """Write all of it anew, beside the old one until it is whole."""
        new = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        captures: list[pd.DataFrame] = []
        odd: list[dict[str, str]] = []
        with ExitStack() as opened:
            writers: dict[str, _Writer] = {}
            for part in starmap(_Part, histories_of(store, chosen)):
                captures.append(part.captures)
                odd.extend(part.odd)
                for month, table in part.rows():
                    if month not in writers:
                        path = _path(new / self.rows.name, month)
                        writers[month] = opened.enter_context(_Writer(path))
                    writers[month].add(table)
        _need_a_file(new / self.rows.name)
        frame = pd.concat(captures, ignore_index=True)
        _write_frame(frame, new / self._captures.name)
        shutil.rmtree(self.folder, ignore_errors=True)
        new.replace(self.folder)
        self._tell(self._manifest_of(store, odd, _heads(chosen)))

    def _renew(
        self,
        store: Store,
        fresh: Mapping[Key, CaptureKey],
        captures: pd.DataFrame,
        told: Mapping[str, Any],
    ) -> None:
        """Put the cases that were kept since in the place of what was there."""
        is_old = np.array(
            [key in fresh for key in case_keys(captures)],
            dtype=bool,
        )
        # A kill from here on leaves none, and all is made again.
        self._manifest.unlink()
        cases = pa.array([case_id for _, case_id in fresh], pa.string())
        came: dict[str, list[pa.Table]]
        came = {month: [] for month in _months(captures[is_old]).tolist()}
        kept = [captures[~is_old]]
        odd = [row for row in told["unloaded"] if _key(row) not in fresh]
        for part in starmap(_Part, histories_of(store, fresh)):
            kept.append(part.captures)
            odd.extend(part.odd)
            for month, table in part.rows():
                came.setdefault(month, []).append(table)
        for month, tables in came.items():
            path = _path(self.rows, month)
            with _Writer(path) as writer:
                if path.exists():
                    for table in _tables_in(path):
                        writer.add(
                            table.filter(
                                pc.invert(pc.is_in(table["case_id"], value_set=cases))
                            )
                        )
                for table in tables:
                    writer.add(table)
            if not writer.n_rows:
                path.unlink(missing_ok=True)
        _need_a_file(self.rows)
        frame = pd.concat(kept, ignore_index=True)
        _write_frame(frame, self._captures)
        odd_before = {(d, c): head for d, c, head in told["odd"]}
        self._tell(self._manifest_of(store, odd, {**odd_before, **_heads(fresh)}))

    def _manifest_of(
        self, store: Store, odd: Sequence[Mapping[str, str]], heads: Mapping[Key, str]
    ) -> dict[str, Any]:
        keys = [_key(row) for row in odd]
        return {
            "format": FORMAT,
            "columns": _columns(),
            "unloaded": list(odd),
            "odd": [[*key, heads[key]] for key in keys],
            "redacted": store.redacted,
            "file": self._file(),
            "parts": self._parts(),
        }

    def _tell(self, told: Mapping[str, Any]) -> None:
        with whole_file(self._manifest) as file:
            file.write(json.dumps(told).encode())

    def _told(self) -> dict[str, Any] | None:
        try:
            told: dict[str, Any] = json.loads(self._manifest.read_text("utf-8"))
            if told["format"] != FORMAT or told["columns"] != _columns():
                return None  # another casesnb wrote it
            return told if told["parts"] == self._parts() else None
        except (LookupError, OSError, RecursionError, TypeError, ValueError):
            return None

    def _parts(self) -> dict[str, list[int]]:
        """Return what tells whether a file was changed, taken away or added."""
        stats = {path: path.stat() for path in self.folder.rglob("*.parquet")}
        return {
            path.relative_to(self.folder).as_posix(): [stat.st_size, stat.st_mtime_ns]
            for path, stat in stats.items()
        }

    def _file(self) -> list[int]:
        """Return what tells whether the archive's file was written to."""
        wal = Path(f"{self._archive}-wal")
        n_waiting = wal.stat().st_size if wal.exists() else 0
        stat = self._archive.stat()
        return [stat.st_size, stat.st_mtime_ns, n_waiting]


class _Writer:
    """Writes a file of one table, some rows at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[pa.Table] = []
        self._n_waiting = 0
        self._file: Any = None
        self._opened = ExitStack()
        self.n_rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            with self._opened:
                self._write()
        else:
            self._opened.__exit__(kind, error, trace)

    def add(self, table: pa.Table) -> None:
        self._waiting.append(table)
        self._n_waiting += len(table)
        self.n_rows += len(table)
        if self._n_waiting >= _ROWS:
            self._write()

    def _write(self) -> None:
        if not self._n_waiting:
            return
        table = pa.concat_tables(self._waiting)
        if self._file is None:
            new = self._opened.enter_context(whole_file(self._path))
            self._file = self._opened.enter_context(
                pq.ParquetWriter(new, table.schema, **_WRITTEN)
            )
        self._file.write_table(table, row_group_size=_ROWS)
        self._waiting, self._n_waiting = [], 0


class _Part:
    """The history of some cases, by month of creation."""

    def __init__(
        self, history: History[pd.DataFrame], chosen: Mapping[Key, CaptureKey]
    ) -> None:
        captures = history.certificate.captures
        keys = [*case_keys(captures)]
        breaks = breaks_of(history.changes)
        self.captures = captures.assign(
            head=[chosen[key].head for key in keys],
            n_breaks=np.array([breaks.get(key, 0) for key in keys], dtype="int64"),
        )
        self.odd: list[dict[str, str]] = history.unloaded.to_dict("records")  # type: ignore[assignment]
        self._history = history

    def rows(self) -> Iterator[tuple[str, pa.Table]]:
        """Yield the rows of each month."""
        rows = _rows(self._history)
        names, of_case = np.unique(_months(self.captures), return_inverse=True)
        ids = pa.array(self.captures["case_id"], TEXT)
        place = pc.index_in(rows["case_id"], value_set=ids)
        month = of_case[place.to_numpy()]
        for number, called in enumerate(names.tolist()):
            some = np.flatnonzero(month == number)
            if len(some):
                yield called, rows.take(pa.array(some))


def _rows(history: History[pd.DataFrame]) -> pa.Table:
    """Return a row for each field of an event, and for each event without one."""
    events, changes = (
        with_texts(as_table(frame[table.names]))
        for frame, table in ((history.events, EVENTS), (history.changes, CHANGES))
    )
    n_changes = events["n_changes"].to_numpy()
    n_rows = np.maximum(n_changes, 1)
    event = np.repeat(np.arange(len(events)), n_rows)
    change = np.full(len(event), -1)
    change[np.repeat(n_changes > 0, n_rows)] = np.arange(len(changes))
    of_event = events.take(pa.array(event))
    taken = changes.select(_OF_CHANGE).take(pa.array(change, mask=change < 0))
    for name in _OF_CHANGE:
        of_event = of_event.append_column(name, taken[name])
    return of_event


def histories_of(
    store: Store, chosen: Mapping[Key, CaptureKey]
) -> Iterator[tuple[History[pd.DataFrame], Mapping[Key, CaptureKey]]]:
    """Yield the history of cases and their captures, some at a time; at least once."""
    items = [*chosen.items()]
    for start in range(0, max(1, len(items)), _PART):
        some = dict(items[start : start + _PART])
        yield history_of(store, some), some


def history_of(store: Store, chosen: Mapping[Key, CaptureKey]) -> History[pd.DataFrame]:
    """Return the history that captures hold; a case that no table can hold is told."""
    kind = "archive" if store.redacted is None else "redacted archive"
    source = f"{kind} of {store.provenance.get('source', 'live')}"
    builder = HistoryBuilder(source, chosen)
    for page in store.pages(one.id for one in chosen.values()):
        builder.add(page)
    builder.read_rest()
    odd = [unloaded(*key, error) for key, error in builder.odd.items()]
    history = builder.history(chosen, unloaded=odd)
    if store.redacted is None:
        return history
    proofs, captures = store.originals, history.certificate.captures
    keys = case_keys(captures)
    told = [proofs.get(chosen[key].id, "") for key in keys]
    captures["sha256"] = pd.Series(told, captures.index, captures["sha256"].dtype)
    certificate = replace(history.certificate, redacted=store.redacted)
    return belonging(history.events, history.changes, certificate)


def _months(captures: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Return the month in which each case was created, as far as is told."""
    told = captures["first_event_at"].dt.strftime("%Y-%m")
    return np.asarray(told.astype(object).fillna(_NO_MONTH), dtype=str)


def _path(folder: Path, month: str) -> Path:
    return folder / f"created={month}" / "part.parquet"


def _tables_in(path: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            yield with_texts(file.read_row_group(number), coded=False)


def _captures_in(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    with pq.ParquetFile(path) as file:
        frame: pd.DataFrame = as_frame(file.read(columns))
    return frame


def _need_a_file(folder: Path) -> None:
    """Write a file without a row where there is none: a scan needs one."""
    if not any(folder.glob("*/*.parquet")):
        path = _path(folder, _NO_MONTH)
        nothing = belonging(
            EVENTS.empty(), CHANGES.empty(), Certificate(captures=CAPTURES.empty())
        )
        with whole_file(path) as file:
            pq.write_table(_rows(nothing), file, **_WRITTEN)


def _write_frame(frame: pd.DataFrame, path: Path) -> None:
    with whole_file(path) as file:
        frame.to_parquet(file, compression="zstd", index=False)


def _columns() -> list[list[str]]:
    return [table.names for table in (EVENTS, CHANGES, CAPTURES)]


def _key(row: Mapping[str, str]) -> Key:
    return row["domain_id"], row["case_id"]


def _heads(chosen: Mapping[Key, CaptureKey]) -> dict[Key, str]:
    return {key: one.head for key, one in chosen.items()}


def scanned(folder: Path, engine: str) -> tuple[Any, Any]:
    """Return both tables as lazy frames of an engine."""
    # Each file by its name: a folder may have a name that is a pattern to them.
    files = sorted(folder.glob("*/*.parquet"))
    try:
        if engine == "polars":
            import polars as pl

            rows = pl.scan_parquet(files, glob=False, hive_partitioning=False)
            slot = pl.col("slot")
            events = rows.filter(slot.is_null() | (slot == 0)).select(EVENTS.names)
            return events, rows.filter(slot.is_not_null()).select(CHANGES.names)
        import duckdb

        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        names = [glob.escape(str(file)) for file in files]
        told = connection.read_parquet(names, hive_partitioning=False)
        return (
            told.filter("slot IS NULL OR slot = 0").select(*EVENTS.names),
            told.filter("slot IS NOT NULL").select(*CHANGES.names),
        )
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{engine} is not installed. Install it: pip install {engine}."
        ) from error
