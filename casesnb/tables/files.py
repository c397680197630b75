"""A History in files: Parquet for machines, CSV that a spreadsheet may open."""

from __future__ import annotations

import csv
import json
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from casesnb.tables.arguments import need_history
from casesnb.tables.certificate import Certificate
from casesnb.tables.load_history import History
from casesnb.tables.schema import (
    CHANGES,
    EVENTS,
    ID,
    NAMES,
    TEXT,
    TIME,
    UNLOADED,
    Table,
)
from casesnb.tables.values import utc_texts

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

_TABLES = {"events": EVENTS, "changes": CHANGES, "unloaded": UNLOADED}
_BEGINS = tuple("=+-@\t\r\n'＝＋－＠")
# A reader that cuts at other separators than ours sees a cell begin inside a text.
_INNER = re.compile(r"([;\t\r\n])('*)(?=[=+\-@＝＋－＠])")
_INNER_SAFE = re.compile(r"([;\t\r\n])'('*)(?=[=+\-@＝＋－＠])")


def to_parquet(history: History, path: str | os.PathLike[str]) -> None:
    """Write a History as a folder of Parquet files.

    Parameters
    ----------
    history : History
        What to write.
    path : path
        The folder; made if it is not there. It gets ``events.parquet``,
        ``changes.parquet`` and ``unloaded.parquet``, each with the certificate.

    See Also
    --------
    read_parquet : Reads it back.
    """
    need_history(history)
    folder = Path(path).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    certificate = history.certificate.to_dict()
    for name in _TABLES:
        frame = getattr(history, name).copy(deep=False)
        frame.attrs = {**frame.attrs, "certificate": certificate}
        frame.to_parquet(folder / f"{name}.parquet", index=False)


def read_parquet(path: str | os.PathLike[str]) -> History:
    """Read the History that `to_parquet` wrote.

    Parameters
    ----------
    path : path
        The folder.

    Returns
    -------
    History
        The same frames, dtypes and attributes, and the same certificate.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If the files are not of one History.

    See Also
    --------
    to_parquet : Writes it.
    """
    folder = Path(path).expanduser()
    frames = {
        name: _restored(pd.read_parquet(folder / f"{name}.parquet"), table)
        for name, table in _TABLES.items()
    }
    told = [frame.attrs.get("certificate") for frame in frames.values()]
    if not told[0] or any(each != told[0] for each in told):
        raise ValueError(
            f"The files in {path} are not of one History: their certificates differ. "
            "Write them again with to_parquet."
        )
    frames["unloaded"].attrs = {}
    return History(certificate=Certificate.from_dict(told[0]), **frames)


def to_csv(history: History, path: str | os.PathLike[str]) -> None:
    """Write a History as a folder of CSV files that a spreadsheet may open.

    Values of a case are written by strangers, and a spreadsheet takes a text that
    begins with ``= + - @`` for a formula to run. Such a text gets an apostrophe in
    front, inside too where a line or a cell may seem to begin; `read_csv` takes it
    away again. A missing value is an empty cell, a blank text a lone apostrophe.

    Parameters
    ----------
    history : History
        What to write.
    path : path
        The folder; made if it is not there. It gets ``events.csv``,
        ``changes.csv``, ``unloaded.csv`` and ``certificate.json``.

    See Also
    --------
    read_csv : Reads it back.
    """
    need_history(history)
    folder = Path(path).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    for name in _TABLES:
        frame = getattr(history, name)
        columns = [_cells(frame[column]) for column in frame.columns]
        with (folder / f"{name}.csv").open(
            "w", encoding="utf-8-sig", newline=""
        ) as out:
            writer = csv.writer(out, quoting=csv.QUOTE_ALL)
            writer.writerow(frame.columns)
            writer.writerows(zip(*columns, strict=True))
    told = {
        "certificate": history.certificate.to_dict(),
        "attrs": {name: getattr(history, name).attrs for name in _TABLES},
        "n_rows": {name: len(getattr(history, name)) for name in _TABLES},
    }
    text = json.dumps(told, indent=1, ensure_ascii=False)
    (folder / "certificate.json").write_text(text + "\n", "utf-8")


def read_csv(path: str | os.PathLike[str]) -> History:
    """Read the History that `to_csv` wrote.

    Parameters
    ----------
    path : path
        The folder.

    Returns
    -------
    History
        The same values and dtypes; columns that casesnb does not know are text.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is not as `to_csv` wrote it.

    See Also
    --------
    to_csv : Writes it.
    """
    folder = Path(path).expanduser()
    with _as_written(folder / "certificate.json") as file:
        told = json.loads(file.read_text("utf-8"))
        certificate = Certificate.from_dict(told["certificate"])
        attrs = {name: dict(told["attrs"][name]) for name in _TABLES}
        n_rows = {name: told.get("n_rows", {}).get(name) for name in _TABLES}
    frames = {}
    for name, table in _TABLES.items():
        with _as_written(folder / f"{name}.csv") as file:
            frames[name] = _read_table(file, table, n_rows[name])
        frames[name].attrs = attrs[name]
    return History(certificate=certificate, **frames)


@contextmanager
def _as_written(file: Path) -> Iterator[Path]:
    """Name the file in which something is not as it was written."""
    try:
        yield file
    except (AttributeError, LookupError, TypeError, ValueError, csv.Error) as error:
        why = f"no {error.args[0]}" if isinstance(error, KeyError) else error
        raise ValueError(
            f"{file} is not as to_csv wrote it: {why}. Write it again."
        ) from error


def _read_table(file: Path, table: Table, n_rows: int | None) -> pd.DataFrame:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        csv.field_size_limit(2**31 - 1)
        header, *rows = [*csv.reader(lines, strict=True)] or [[]]
    if n_rows is not None and len(rows) != n_rows:
        raise ValueError(f"it has {len(rows)} rows, not {n_rows}")
    odd = [row for row in rows if len(row) != len(header)]
    if odd or not set(table.names) <= set(header):
        raise ValueError("columns or cells are missing")
    dtypes = {**NAMES.dtypes, **table.dtypes}
    columns = {
        column: _column([row[i] for row in rows], dtypes.get(column, TEXT))
        for i, column in enumerate(header)
    }
    return pd.DataFrame(columns)


def _restored(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return a frame with its categories: Parquet forgets one that has no value."""
    dtypes = {**NAMES.dtypes, **table.dtypes}
    for name in frame.columns:
        if dtypes.get(name) == ID and frame[name].isna().all():
            frame[name] = frame[name].astype("str").astype("category")
    return frame


def _cells(values: pd.Series[Any]) -> list[str]:
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return ["" if pd.isna(time) else str(time) for time in utc_texts(values)]
    if values.dtype.kind in "bif":
        return [str(value) for value in values]
    return ["" if pd.isna(text) else _safe(str(text)) for text in values.astype(object)]


def _safe(text: str) -> str:
    text = _INNER.sub(r"\1'\2", text)
    return f"'{text}" if not text or text.startswith(_BEGINS) else text


def _plain(cell: str) -> str | None:
    if not cell:
        return None
    return _INNER_SAFE.sub(r"\1\2", cell.removeprefix("'"))


def _column(cells: list[str], dtype: str) -> pd.Series[Any]:
    if dtype == TIME:
        texts = pd.Series([cell or None for cell in cells], dtype="str")
        times: Any = pd.to_datetime(texts, utc=True, format="ISO8601")
        return cast("pd.Series[Any]", times.astype(TIME))
    if dtype == "bool":  # a spreadsheet writes TRUE
        flags = [cell.lower() for cell in cells]
        if odd := sorted({*flags} - {"true", "false"}):
            raise ValueError(f"{odd[0]!r} is neither true nor false")
        return pd.Series([flag == "true" for flag in flags], dtype="bool")
    if dtype not in {ID, TEXT}:
        numbers: Any = pd.Series(cells, dtype="str")
        return cast("pd.Series[Any]", numbers.astype(dtype))
    texts = pd.Series([_plain(cell) for cell in cells], dtype="str")
    return texts.astype("category") if dtype == ID else texts
