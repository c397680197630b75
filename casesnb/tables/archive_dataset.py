"""The Parquet files beside an archive: what its raw pages hold, for engines to scan.

A file for each table and each month in which cases were created, so that a case
that is kept anew changes one of them. They can be made again at any time.
"""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from casesnb.tables.arrow import as_table, with_texts
from casesnb.tables.certificate import Certificate
from casesnb.tables.history import belonging
from casesnb.tables.history_builder import HistoryBuilder
from casesnb.tables.schema import CAPTURES, CHANGES, EVENTS, UNLOADED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Self

    from casesnb.tables.history import History
    from casesnb.wire.store import Store

    Key = tuple[str, str]

FORMAT = 1
_TABLES = {"events": EVENTS, "changes": CHANGES}
_PART = 2_000  # cases decoded at a time
_ROWS = 200_000  # rows of a month that are put together before they are written
_NO_MONTH = "none"  # where no case has an event
_WRITTEN: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 9,
    "use_dictionary": True,
    "dictionary_pagesize_limit": 8 << 20,
    "store_schema": False,
}


class Dataset:
    """The folder of Parquet files of an archive."""

    def __init__(self, archive: Path) -> None:
        self.folder = archive.with_name(f"{archive.name}.parquet")
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
        chosen = {(c.domain_id, c.case_id): c.capture_id for c in store.cases()}
        store.settle()
        told = self._told()
        if told is None:
            self._make(store, chosen)
            return
        captures = pd.read_parquet(self._captures)
        keys = zip(captures["domain_id"], captures["case_id"], strict=True)
        known = dict(zip(keys, captures["capture_id"].tolist(), strict=True))
        known.update({(d, c): number for d, c, number in told["odd"]})
        fresh = {key: n for key, n in chosen.items() if known.get(key) != n}
        if fresh:
            self._renew(store, fresh, captures, told)
        else:
            self._tell({**told, "file": self._file()})

    def scan(self, engine: str) -> History[Any]:
        """Return lazy frames of an engine over it, with its certificate."""
        told = self._told() or {}
        captures = CAPTURES.cast(pd.read_parquet(self._captures))
        unloaded = pd.DataFrame(told.get("unloaded", []), columns=UNLOADED.names)
        certificate = Certificate(captures=captures, unloaded=UNLOADED.cast(unloaded))
        events, changes = _scanned(self.folder, engine)
        return belonging(events, changes, certificate)

    # ------------------------------------------------------------------- writing

    def _make(self, store: Store, chosen: Mapping[Key, int]) -> None:
        """Write all of it anew, beside the old one until it is whole."""
        new = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        captures: list[pd.DataFrame] = []
        odd: list[dict[str, str]] = []
        with ExitStack() as opened:
            writers: dict[tuple[str, str], _Writer] = {}
            for part in _parts(store, chosen):
                captures.append(part.captures)
                odd.extend(part.odd)
                for place, table in part.tables():
                    if place not in writers:
                        path = _path(new, *place)
                        writers[place] = opened.enter_context(_Writer(path))
                    writers[place].add(table)
        _need_files(new)
        frame = pd.concat(captures, ignore_index=True)
        frame.to_parquet(new / self._captures.name, compression="zstd", index=False)
        shutil.rmtree(self.folder, ignore_errors=True)
        new.replace(self.folder)
        self._tell(self._manifest_of(odd, chosen))

    def _renew(
        self,
        store: Store,
        fresh: Mapping[Key, int],
        captures: pd.DataFrame,
        told: Mapping[str, Any],
    ) -> None:
        """Put the cases that were kept since in the place of what was there."""
        is_old = np.array(
            [
                key in fresh
                for key in zip(captures["domain_id"], captures["case_id"], strict=True)
            ],
            dtype=bool,
        )
        # A kill from here on leaves none, and all is made again.
        self._manifest.unlink()
        cases = pa.array([case_id for _, case_id in fresh], pa.string())
        months = {*_months(captures[is_old])}
        came: dict[tuple[str, str], list[pa.Table]] = {
            (name, month): [] for name in _TABLES for month in months
        }
        kept = [captures[~is_old]]
        odd = [row for row in told["unloaded"] if _key(row) not in fresh]
        for part in _parts(store, fresh):
            kept.append(part.captures)
            odd.extend(part.odd)
            for place, table in part.tables():
                came.setdefault(place, []).append(table)
        for place, tables in came.items():
            path = _path(self.folder, *place)
            new = path.with_name(f".{path.name}.new")
            with _Writer(new) as writer:
                if path.exists():
                    for table in _tables_in(path):
                        writer.add(
                            table.filter(
                                pc.invert(pc.is_in(table["case_id"], value_set=cases))
                            )
                        )
                for table in tables:
                    writer.add(table)
            if writer.n_rows:
                new.replace(path)
            else:
                new.unlink(missing_ok=True)
                path.unlink(missing_ok=True)
        _need_files(self.folder)
        frame = pd.concat(kept, ignore_index=True)
        frame.to_parquet(self._captures, compression="zstd", index=False)
        odd_before = {(d, c): n for d, c, n in told["odd"]}
        self._tell(self._manifest_of(odd, {**odd_before, **fresh}))

    def _manifest_of(
        self, odd: Sequence[Mapping[str, str]], chosen: Mapping[Key, int]
    ) -> dict[str, Any]:
        keys = [_key(row) for row in odd]
        return {
            "format": FORMAT,
            "columns": _columns(),
            "unloaded": list(odd),
            "odd": [[*key, chosen[key]] for key in keys],
            "file": self._file(),
        }

    def _tell(self, told: Mapping[str, Any]) -> None:
        new = self._manifest.with_suffix(".new")
        new.write_text(json.dumps(told), "utf-8")
        new.replace(self._manifest)

    def _told(self) -> dict[str, Any] | None:
        try:
            told: dict[str, Any] = json.loads(self._manifest.read_text("utf-8"))
        except (OSError, ValueError):
            return None
        if told.get("format") != FORMAT or told.get("columns") != _columns():
            return None  # another casesnb wrote it
        return told if self._captures.exists() else None

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
        self.n_rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self._write()
        if self._file is not None:
            self._file.close()

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
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = pq.ParquetWriter(self._path, table.schema, **_WRITTEN)
        self._file.write_table(table, row_group_size=_ROWS)
        self._waiting, self._n_waiting = [], 0


class _Part:
    """The history of some cases, by month of creation."""

    def __init__(
        self, history: History[pd.DataFrame], chosen: Mapping[Key, int]
    ) -> None:
        captures = history.certificate.captures
        keys = zip(captures["domain_id"], captures["case_id"], strict=True)
        numbers = [chosen[key] for key in keys]
        self.captures = captures.assign(capture_id=np.array(numbers, dtype="int64"))
        self.odd: list[dict[str, str]] = history.unloaded.to_dict("records")  # type: ignore[assignment]
        self._history = history

    def tables(self) -> Iterator[tuple[tuple[str, str], pa.Table]]:
        """Yield the rows of each table and month."""
        names, of_case = np.unique(_months(self.captures), return_inverse=True)
        ids = pa.array(self.captures["case_id"], pa.string())
        for name, table in _TABLES.items():
            rows = with_texts(as_table(getattr(self._history, name)[table.names]))
            place = pc.index_in(rows["case_id"].cast(pa.string()), value_set=ids)
            month = of_case[place.to_numpy()]
            for number, called in enumerate(names):
                some = np.flatnonzero(month == number)
                if len(some):
                    yield (name, str(called)), rows.take(pa.array(some))


def _parts(store: Store, chosen: Mapping[Key, int]) -> Iterator[_Part]:
    """Yield the history of cases, some at a time; at least one part."""
    items = [*chosen.items()]
    source = f"archive of {store.provenance.get('source', 'live')}"
    for start in range(0, max(1, len(items)), _PART):
        some = dict(items[start : start + _PART])
        yield _Part(history_of(store, some, source), some)


def history_of(
    store: Store, chosen: Mapping[Key, int], source: str
) -> History[pd.DataFrame]:
    """Return the history that captures hold; a case that no table can hold is told."""
    builder = HistoryBuilder(source, chosen)
    for page in store.pages(chosen.values()):
        builder.add(page)
    builder.read_rest()
    unloaded = [
        {
            "domain_id": domain_id,
            "case_id": case_id,
            "error": type(error).__name__,
            "message": str(error),
        }
        for (domain_id, case_id), error in builder.odd.items()
    ]
    return builder.history(chosen, unloaded=unloaded)


def _months(captures: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Return the month in which each case was created, as far as is told."""
    told = captures["first_event_at"].dt.strftime("%Y-%m")
    return np.asarray(told.astype(object).fillna(_NO_MONTH), dtype=str)


def _path(folder: Path, name: str, month: str) -> Path:
    return folder / name / f"created={month}" / "part.parquet"


def _tables_in(path: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            yield with_texts(file.read_row_group(number), coded=False)


def _need_files(folder: Path) -> None:
    """Write a file without a row for a table that has none: a scan needs one."""
    for name, table in _TABLES.items():
        if not any((folder / name).glob("*/*.parquet")):
            path = _path(folder, name, _NO_MONTH)
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(with_texts(as_table(table.empty())), path, **_WRITTEN)


def _columns() -> list[list[str]]:
    return [table.names for table in (*_TABLES.values(), CAPTURES)]


def _key(row: Mapping[str, str]) -> Key:
    return row["domain_id"], row["case_id"]


def _scanned(folder: Path, engine: str) -> tuple[Any, Any]:
    """Return both tables as lazy frames of an engine."""
    files = [str(folder / name / "*" / "*.parquet") for name in _TABLES]
    try:
        if engine == "polars":
            import polars as pl

            events, changes = (pl.scan_parquet(each) for each in files)
            return events, changes
        import duckdb

        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        return (
            connection.read_parquet(files[0], hive_partitioning=False),
            connection.read_parquet(files[1], hive_partitioning=False),
        )
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{engine} is not installed. Install it: pip install {engine}."
        ) from error
