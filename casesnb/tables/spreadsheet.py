"""Tables as sheets of one Excel file."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from casesnb.tables.arguments import need_pandas
from casesnb.tables.files import FORMULA
from casesnb.tables.frames import is_history
from casesnb.wire.text import visible
from casesnb.wire.whole_file import whole_file

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from casesnb.tables.history import History

_ROWS = 1_048_575  # of a sheet, below its header
_CHARS = 32_767  # of a cell
_EXACT = 2**53  # whole numbers beyond it are no longer those that were given
_WIDEST = 60  # characters of a column
_SEEN = 200  # rows that a column's width is taken from
_NOT_A_NAME = re.compile(r"[\[\]:*?/\\]")
_TIME = "yyyy-mm-dd hh:mm:ss.000"


def to_excel(
    tables: History[pd.DataFrame] | pd.DataFrame | Mapping[str, pd.DataFrame],
    path: str | os.PathLike[str],
    /,
) -> Path:
    """Write one Excel file with a sheet per table, headers frozen, times in UTC.

    The file is whole or absent. Needs ``casesnb[excel]``.

    Parameters
    ----------
    tables : History, DataFrame or mapping of str to DataFrame
        What to write: a history's events, changes and certificate, one table, or
        several by the names of their sheets; of pandas.
    path : str or Path
        The file to write, ``.xlsx``.

    Returns
    -------
    Path
        The file written. Excel knows no zones and keeps milliseconds: times are
        those of UTC, as their header says. A text is never a formula, whatever
        it begins with, and what Excel cannot hold is told by its escape. What
        Excel would round is a text.

    Raises
    ------
    ValueError
        If there is no table, a table has more rows than a sheet, or two sheets
        would have one name.
    ModuleNotFoundError
        If openpyxl is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import casesnb as cn
    >>> client = cn.connect(cn.sandbox.World(seed=7))
    >>> history = cn.load_history(client, *cn.sandbox.World(seed=7).showcase)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = to_excel({"spells": cn.spells(history)}, f"{folder}/spells.xlsx")
    >>> file.name
    'spells.xlsx'
    """
    try:
        from openpyxl import Workbook
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "An Excel file needs openpyxl: pip install 'casesnb[excel]'."
        ) from None
    sheets = dict(_sheets(tables))
    if not sheets:
        raise ValueError("There is no table to write. Give one, or several by name.")
    titles: dict[str, str] = {}
    for name, frame in sheets.items():
        need_pandas(frame)
        title = _NOT_A_NAME.sub("_", name).strip("'")[:31] or "table"
        if title.casefold() in {each.casefold() for each in titles.values()}:
            raise ValueError(
                f"Two sheets would be called {title!r}. Name one otherwise."
            )
        if len(frame) > _ROWS:
            raise ValueError(
                f"{name} has {len(frame):,} rows; a sheet holds {_ROWS:,}. Write "
                "fewer of them, or all with history.to_parquet_folder."
            )
        titles[name] = title
    book = Workbook(write_only=True)
    for name, frame in sheets.items():
        _write(book.create_sheet(titles[name]), frame)
    target = Path(path).expanduser()
    with whole_file(target) as file:
        book.save(file)
    return target


def _sheets(tables: Any) -> Iterator[tuple[str, pd.DataFrame]]:
    if is_history(tables):
        yield "events", tables.events
        yield "changes", tables.changes
        told = tables.certificate.summary().items()
        rows = [(k, v if isinstance(v, str) else json.dumps(v)) for k, v in told]
        yield "certificate", pd.DataFrame(rows, columns=["name", "value"])
    elif isinstance(tables, Mapping):
        yield from tables.items()
    else:
        yield "table", tables


def _write(sheet: Any, frame: pd.DataFrame) -> None:
    """Write a table into an empty sheet."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    columns = [_Column(frame.iloc[:, n]) for n in range(frame.shape[1])]
    # What is said of a sheet comes before its rows.
    sheet.freeze_panes = "A2"
    for place, column in enumerate(columns, 1):
        sheet.column_dimensions[get_column_letter(place)].width = column.width
    if columns:
        last = get_column_letter(len(columns))
        sheet.auto_filter.ref = f"A1:{last}{len(frame) + 1}"

    def cell(value: Any, column: _Column) -> Any:
        found = WriteOnlyCell(sheet, value)
        if isinstance(value, str):
            found.data_type = "s"  # never a formula
            if value.startswith(FORMULA):
                found.quotePrefix = True  # nor once somebody edits it
        elif column.is_time and value is not None:
            found.number_format = _TIME
        return found

    head = [cell(column.header, column) for column in columns]
    for each in head:
        each.font = Font(bold=True)
    sheet.append(head)
    for row in zip(*(column.cells for column in columns), strict=True):
        sheet.append(
            [cell(value, column) for value, column in zip(row, columns, strict=True)]
        )


class _Column:
    """A column as a sheet holds it."""

    def __init__(self, values: pd.Series[Any]) -> None:
        self.is_time = values.dtype.kind == "M"
        name = _text(str(values.name))
        zoned = isinstance(values.dtype, pd.DatetimeTZDtype)
        self.header = f"{name} (UTC)" if zoned else name
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            values = values.dt.tz_convert("UTC").dt.tz_localize(None)
        self.cells = [_value(each) for each in values.astype(object)]
        seen = [self.header, *self.cells[:_SEEN]]
        longest = max(len(_TIME) if self.is_time else len(str(each)) for each in seen)
        self.width = min(max(longest, len(self.header)) + 2, _WIDEST)


def _value(value: Any) -> Any:
    """Return a value as a cell holds it, None for a missing one."""
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime(warn=False)
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, bool):
        return plain
    is_number = isinstance(plain, (int, float))
    if is_number and math.isfinite(plain) and abs(plain) <= _EXACT:
        return plain
    return _text(str(plain))


def _text(text: str) -> str:
    told = visible(text, lines=True)
    return told if len(told) <= _CHARS else f"{told[: _CHARS - 1]}…"
