"""Excel files: times of UTC, no formula, and nothing that Excel would change."""

from __future__ import annotations

import datetime as dt
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from histories import history

import casesnb as cn

openpyxl = pytest.importorskip("openpyxl")


def read(path: Path) -> Any:
    return openpyxl.load_workbook(path)


def test_a_history_is_three_sheets_with_frozen_headers_and_times_of_utc(
    tmp_path: Path,
) -> None:
    told = history()
    path = cn.export.to_excel(told, tmp_path / "case.xlsx")
    book = read(path)
    assert book.sheetnames == ["events", "changes", "certificate"]
    sheet = book["events"]
    assert sheet.freeze_panes == "A2"
    assert re.fullmatch(f"A1:[A-Z]+{len(told.events) + 1}", sheet.auto_filter.ref)
    head = [cell.value for cell in sheet[1]]
    assert "performed_at (UTC)" in head
    place = head.index("performed_at (UTC)")
    times = [row[place].value for row in sheet.iter_rows(min_row=2)]
    wanted = told.events["performed_at"].dt.tz_localize(None)
    assert [pd.Timestamp(each) for each in times] == [*wanted.dt.round("ms")]
    assert len(sheet.column_dimensions) == len(head)
    assert all(cell.font.b for cell in sheet[1])
    assert not any(cell.font.b for cell in sheet[2])
    assert all(5 < column.width <= 62 for column in sheet.column_dimensions.values())
    kept = dict(book["certificate"].iter_rows(min_row=2, values_only=True))
    assert kept["verdict"] == told.certificate.verdict


TEXTS = ["=1+1", "@SUM(A1)", "+49 30", "-2", "'quoted", "\tx", "plain", "a\x00b", "é"]


def test_no_text_is_a_formula_and_all_of_it_comes_back(tmp_path: Path) -> None:
    frame = pd.DataFrame({"=cmd|'/c calc'!A1": TEXTS, "long": ["y" * 40_000] * 9})
    sheet = read(cn.export.to_excel(frame, tmp_path / "t.xlsx"))["table"]
    head, *cells = [row[0] for row in sheet.iter_rows()]
    assert {cell.data_type for cell in (head, *cells)} == {"s"}
    assert head.value == "=cmd|'/c calc'!A1"
    shown = [text.replace("\x00", "‹U+0000›") for text in TEXTS]
    assert [cell.value for cell in cells] == shown
    assert [bool(cell.quotePrefix) for cell in cells] == [True] * 6 + [False] * 3
    longest = {row[1].value for row in sheet.iter_rows(min_row=2)}
    assert longest == {"y" * 32_766 + "…"}


def test_numbers_that_excel_would_round_are_texts_and_missing_ones_are_empty(
    tmp_path: Path,
) -> None:
    frame = pd.DataFrame(
        {
            "n": [1, 2**53 + 1],
            "x": [0.5, np.inf],
            "b": [True, False],
            "t": pd.to_datetime(["2026-03-29T01:30:00+01:00", None], utc=True),
            "none": [None, None],
        }
    )
    sheet = read(cn.export.to_excel({"a/b": frame}, tmp_path / "n.xlsx"))["a_b"]
    rows = [*sheet.iter_rows(min_row=2, values_only=True)]
    assert rows == [
        (1, 0.5, True, dt.datetime(2026, 3, 29, 0, 30), None),  # noqa: DTZ001
        ("9007199254740993", "inf", False, None, None),
    ]


def test_what_cannot_be_written_is_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.xlsx"
    with pytest.raises(ValueError, match="There is no table to write"):
        cn.export.to_excel({}, path)
    one = pd.DataFrame({"a": [1]})
    with pytest.raises(ValueError, match="Two sheets would be called 'A_b'"):
        cn.export.to_excel({"a?b": one, "A*b": one}, path)
    with pytest.raises(TypeError, match="This takes a pandas DataFrame"):
        cn.export.to_excel({"a": [1]}, path)  # type: ignore[dict-item]
    monkeypatch.setattr("casesnb.tables.spreadsheet._ROWS", 0)
    with pytest.raises(ValueError, match="a sheet holds 0"):
        cn.export.to_excel(one, path)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ModuleNotFoundError, match="pip install 'casesnb\\[excel\\]'"):
        cn.export.to_excel(one, path)
    assert not path.exists()


def test_a_sheet_has_as_many_rows_as_excel_allows(tmp_path: Path) -> None:
    from casesnb.tables import spreadsheet

    cn.export.to_excel(pd.DataFrame({"a": [1]}), tmp_path / "x.xlsx")
    most = openpyxl.xml.constants.MAX_ROW
    assert most == spreadsheet._ROWS + 1  # with its header


def test_a_sheets_name_is_cut_to_what_excel_takes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1]})
    book = read(cn.export.to_excel({"x" * 31 + "yz": frame}, tmp_path / "x.xlsx"))
    assert book.sheetnames == ["x" * 31]
    with pytest.raises(ValueError, match="Two sheets would be called"):
        cn.export.to_excel({"x" * 32: frame, "X" * 33: frame}, tmp_path / "y.xlsx")
