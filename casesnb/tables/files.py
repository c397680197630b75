"""A History in folders: Parquet for machines, CSV that a spreadsheet may open."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import warnings
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar, cast

import pandas as pd
import pyarrow as pa

from casesnb.tables.arrow import as_table, digest
from casesnb.tables.certificate import Certificate
from casesnb.tables.frames import to_pandas
from casesnb.tables.schema import (
    CAPTURES,
    CHANGES,
    EVENTS,
    ID,
    NAMES,
    TEXT,
    TEXT_TYPE,
    TIME,
    UNLOADED,
    Table,
)
from casesnb.tables.values import utc_texts
from casesnb.wire.whole_file import whole_file

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from typing import Self

_HistoryT = TypeVar("_HistoryT")
_MANIFEST = "history.json"
_FORMAT = 2
_TABLES = {table.name: table for table in (EVENTS, CHANGES, CAPTURES, UNLOADED)}
FORMULA = tuple("=+-@\t\r\n'＝＋－＠")
"""How a text begins that a spreadsheet would take for something else."""

# A reader that cuts at other separators than ours sees a cell begin inside a text.
_INNER = re.compile(r"([;\t\r\n])('*)(?=[=+\-@＝＋－＠])")
_INNER_SAFE = re.compile(r"([;\t\r\n])'('*)(?=[=+\-@＝＋－＠])")


class InFiles:
    """What a History can be written to and read from."""

    __slots__ = ()

    def to_parquet_folder(self, folder: str | os.PathLike[str]) -> Path:
        """Write the history as a folder of Parquet files.

        Parameters
        ----------
        folder : path
            Made if it is not there. It gets a file for each table and
            ``history.json``: the certificate, and a hash of each table. What was
            there before stays until all of them are whole.

        Returns
        -------
        Path
            The folder.

        See Also
        --------
        from_parquet_folder : Reads it back.

        Examples
        --------
        >>> import casesnb as cn, tempfile
        >>> world = cn.sandbox.World(seed=7)
        >>> history = cn.load_history(cn.connect(world), *world.showcase)
        >>> folder = history.to_parquet_folder(tempfile.mkdtemp())
        >>> cn.History.from_parquet_folder(folder).certificate == history.certificate
        True
        """
        return _write(self, folder, "parquet", _write_parquet)

    @classmethod
    def from_parquet_folder(cls, folder: str | os.PathLike[str]) -> Self:
        """Read the history that `to_parquet_folder` wrote.

        Parameters
        ----------
        folder : path
            The folder.

        Returns
        -------
        History
            The same frames, of pandas, and the same certificate.

        Raises
        ------
        FileNotFoundError
            If a file is missing.
        ValueError
            If a file is not as it was written.
        """
        return _read(cls, folder, "parquet", _read_parquet)

    def to_csv_folder(self, folder: str | os.PathLike[str]) -> Path:
        """Write the history as a folder of CSV files that a spreadsheet may open.

        Values of a case are written by strangers, and a spreadsheet takes a text
        that begins with ``= + - @`` for a formula to run. Such a text gets an
        apostrophe in front, inside too where a line or a cell may seem to begin;
        `from_csv_folder` takes it away again. A missing value is an empty cell, a
        blank text a lone apostrophe.

        Parameters
        ----------
        folder : path
            Made if it is not there. It gets a file for each table and
            ``history.json``: the certificate, and a hash of each table. What was
            there before stays until all of them are whole.

        Returns
        -------
        Path
            The folder.

        See Also
        --------
        from_csv_folder : Reads it back.
        """
        return _write(self, folder, "csv", write_csv)

    @classmethod
    def from_csv_folder(cls, folder: str | os.PathLike[str]) -> Self:
        """Read the history that `to_csv_folder` wrote.

        A program that wrote the files anew without changing a value is told of by
        a warning.

        Parameters
        ----------
        folder : path
            The folder.

        Returns
        -------
        History
            The same values and dtypes, of pandas; columns that casesnb does not
            know are text.

        Raises
        ------
        FileNotFoundError
            If a file is missing.
        ValueError
            If a value is not as it was written.
        """
        return _read(cls, folder, "csv", _read_csv)


# ------------------------------------------------------------------- the folder


def _tables(history: Any) -> Iterator[tuple[str, pd.DataFrame]]:
    for name in ("events", "changes"):
        yield name, to_pandas(history, _TABLES[name])
    yield "captures", history.certificate.captures
    yield "unloaded", history.certificate.unloaded


def _write(
    history: Any,
    path: str | os.PathLike[str],
    kind: str,
    write: Callable[[pd.DataFrame, IO[bytes]], None],
) -> Path:
    folder = Path(path).expanduser()
    tables: dict[str, Any] = {}
    told = {
        "format": _FORMAT,
        "kind": kind,
        "certificate": history.certificate.to_dict(with_tables=False),
        "tables": tables,
    }
    with ExitStack() as files:
        # They get their names once all are whole, the first one last: whoever is
        # stopped in between leaves tables that are not those of the manifest.
        manifest = files.enter_context(whole_file(folder / _MANIFEST))
        for name, frame in _tables(history):
            file = files.enter_context(whole_file(folder / f"{name}.{kind}"))
            write(frame, file)
            file.seek(0)
            tables[name] = {
                "n_rows": len(frame),
                "content_sha256": _content(frame, _TABLES[name]),
                "file_sha256": hashlib.sha256(file.read()).hexdigest(),
            }
        told["sha256"] = _seal(told)
        manifest.write(_dumped(told).encode("utf-8"))
    return folder


def _read(
    cls: type[_HistoryT],
    path: str | os.PathLike[str],
    kind: str,
    read: Callable[[Path, Table], pd.DataFrame],
) -> _HistoryT:
    folder = Path(path).expanduser()
    with _as_written(folder / _MANIFEST) as file:
        text = file.read_text("utf-8")
        told = json.loads(text)
        if told["format"] != _FORMAT or told["kind"] != kind:
            raise ValueError(f"it is of format {told['format']}, {told['kind']}")
        if text != _dumped(told) or told.pop("sha256") != _seal(told):
            raise ValueError("it was changed since")
        said = {name: dict(told["tables"][name]) for name in _TABLES}
    frames = {}
    for name, table in _TABLES.items():
        with _as_written(folder / f"{name}.{kind}") as file:
            frames[name] = read(file, table)
            found = len(frames[name]), _content(frames[name], table)
            if found != (said[name]["n_rows"], said[name]["content_sha256"]):
                raise ValueError("its values are not those that were written")
            if (
                hashlib.sha256(file.read_bytes()).hexdigest()
                != said[name]["file_sha256"]
            ):
                warnings.warn(
                    f"{file} was written anew since by another program. Every value is "
                    "as it was.",
                    UserWarning,
                    stacklevel=3,
                )
    with _as_written(folder / _MANIFEST):
        certificate = Certificate.from_dict(
            told["certificate"], frames["captures"], frames["unloaded"]
        )
        made: Any = cls
        return cast("_HistoryT", made(frames["events"], frames["changes"], certificate))


def _content(frame: pd.DataFrame, table: Table) -> str:
    """Return a hash over the columns that casesnb knows."""
    known = {*table.names, *NAMES.names}
    return digest(as_table(frame[[name for name in frame if name in known]]))


def _dumped(told: Any) -> str:
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def _seal(told: Any) -> str:
    return hashlib.sha256(_dumped(told).encode()).hexdigest()


@contextmanager
def _as_written(file: Path) -> Iterator[Path]:
    """Name the file in which something is not as it was written."""
    try:
        yield file
    except (
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
        csv.Error,
        pa.ArrowException,
    ) as error:
        why = f"no {error.args[0]}" if isinstance(error, KeyError) else error
        raise ValueError(
            f"{file} is not as History wrote it: {why}. Write the folder again; a file "
            "of your own is read with pandas."
        ) from error
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{file} is not as History wrote it: {error}.") from error


# ---------------------------------------------------------------------- Parquet


def _write_parquet(frame: pd.DataFrame, file: IO[bytes]) -> None:
    plain = frame.copy(deep=False)
    plain.attrs = {}
    plain.to_parquet(file, index=False)


def _read_parquet(file: Path, table: Table) -> pd.DataFrame:
    frame = pd.read_parquet(file)
    dtypes = {**NAMES.dtypes, **table.dtypes}
    if missing := {*table.names} - {*frame.columns}:
        raise ValueError(f"no {', '.join(sorted(missing))}")
    for name in frame.columns:  # Parquet forgets a category that has no value
        if dtypes.get(name) == ID and frame[name].isna().all():
            frame[name] = frame[name].astype(TEXT_TYPE).astype("category")
        if isinstance(frame[name].dtype, pd.CategoricalDtype):  # pandas 2 has objects
            known = frame[name].cat.categories.astype(TEXT_TYPE)
            frame[name] = frame[name].cat.rename_categories(known)
        if dtypes.get(name) == TEXT and _is_text(frame[name].dtype):  # of pandas 2
            frame[name] = frame[name].astype(TEXT_TYPE)
        wanted = TEXT_TYPE if dtypes.get(name) == TEXT else dtypes.get(name)
        if name in table.names and frame[name].dtype != wanted:
            raise ValueError(f"{name} is {frame[name].dtype}, not {dtypes[name]}")
    return frame


def _is_text(dtype: Any) -> Any:
    return isinstance(dtype, pd.StringDtype) or dtype.kind == "O"


# -------------------------------------------------------------------------- CSV


def write_csv(frame: pd.DataFrame, file: IO[bytes]) -> None:
    """Write a frame as CSV in which no cell is a formula."""
    columns = [_cells(frame[column]) for column in frame.columns]
    out = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(frame.columns)
    writer.writerows(zip(*columns, strict=True))
    out.detach()


def _read_csv(file: Path, table: Table) -> pd.DataFrame:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        csv.field_size_limit(2**31 - 1)
        header, *rows = [*csv.reader(lines, strict=True)] or [[]]
    odd = [row for row in rows if len(row) != len(header)]
    if odd or not set(table.names) <= set(header):
        raise ValueError("columns or cells are missing")
    dtypes = {**NAMES.dtypes, **table.dtypes}
    columns = {
        column: _column([row[i] for row in rows], dtypes.get(column, TEXT))
        for i, column in enumerate(header)
    }
    return pd.DataFrame(columns)


def _cells(values: pd.Series[Any]) -> list[str]:
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return ["" if pd.isna(time) else str(time) for time in utc_texts(values)]
    if values.dtype.kind in "bif":
        return [str(value) for value in values]
    return ["" if pd.isna(text) else _safe(str(text)) for text in values.astype(object)]


def _safe(text: str) -> str:
    text = _INNER.sub(r"\1'\2", text)
    return f"'{text}" if not text or text.startswith(FORMULA) else text


def _plain(cell: str) -> str | None:
    if not cell:
        return None
    return _INNER_SAFE.sub(r"\1\2", cell.removeprefix("'"))


def _column(cells: list[str], dtype: str) -> pd.Series[Any]:
    if dtype == TIME:
        texts = pd.Series([cell or None for cell in cells], dtype=TEXT_TYPE)
        times: Any = pd.to_datetime(texts, utc=True, format="ISO8601")
        return cast("pd.Series[Any]", times.astype(TIME))
    if dtype == "bool":  # a spreadsheet writes TRUE
        flags = [cell.lower() for cell in cells]
        if odd := sorted({*flags} - {"true", "false"}):
            raise ValueError(f"{odd[0]!r} is neither true nor false")
        return pd.Series([flag == "true" for flag in flags], dtype="bool")
    if dtype not in {ID, TEXT}:
        numbers: Any = pd.Series(cells, dtype=TEXT_TYPE)
        return cast("pd.Series[Any]", numbers.astype(dtype))
    texts = pd.Series([_plain(cell) for cell in cells], dtype=TEXT_TYPE)
    return texts.astype("category") if dtype == ID else texts
