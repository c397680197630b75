"""Frames as HTML tables that a stranger's text cannot break out of."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from casesnb.view.text import escaped, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

WIDTH = 60
"""Characters of a text that a cell shows before it is opened."""


def table_html(
    frame: pd.DataFrame,
    headings: Mapping[str, str],
    *,
    caption: str,
    limit: int | None = None,
) -> str:
    """Return the rows of a frame as an HTML table, long text folded.

    Parameters
    ----------
    frame : DataFrame
        The rows.
    headings : Mapping
        The columns to show, in order, and what to call them. A value's column
        is shown with its ``*_kind`` where the frame has one.
    caption : str
        What the table is, for those who cannot see where it stands.
    limit : int, optional
        The most rows to show; all otherwise.

    Returns
    -------
    str
        One ``<table>``, everything in it escaped.

    Examples
    --------
    >>> import pandas as pd
    >>> print(table_html(pd.DataFrame({"n": [1]}), {"n": "N"}, caption="Counts"))
    <table class="casesnb-table"><caption>Counts</caption><thead><tr><th
    scope="col">N</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>
    """
    shown = frame if limit is None else frame.head(limit)
    head = "".join(
        f'<th scope="col">{escaped(text)}</th>' for text in headings.values()
    )
    rows = []
    for row in shown.to_dict("records"):
        cells = "".join(f"<td>{_cell(row, name)}</td>" for name in headings)
        rows.append(f"<tr>{cells}</tr>")
    return (
        f'<table class="casesnb-table"><caption>{escaped(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def text_html(text: str, width: int = WIDTH) -> str:
    """Return text as HTML, folded behind its beginning where it is long.

    Parameters
    ----------
    text : str
        Any text.
    width : int, default WIDTH
        Characters shown before it is opened.

    Returns
    -------
    str
        Escaped text, or a ``<details>`` that holds it whole.

    Examples
    --------
    >>> text_html("a < b")
    'a &lt; b'
    """
    short = shortened(text, width)
    if not short.endswith("…") or short == text:
        return escaped(short)
    return (
        f"<details><summary>{escaped(short)}</summary>"
        f'<div class="casesnb-long">{escaped(text)}</div></details>'
    )


def _cell(row: Mapping[Any, Any], name: str) -> str:
    value = row[name]
    missing = value is None or value != value  # so are NaN and NaT alone
    if missing and f"{name}_kind" in row:
        kind = row[f"{name}_kind"]
        return (
            f'<span class="casesnb-none">{"empty" if kind == "empty" else "–"}</span>'
        )
    if missing:
        return '<span class="casesnb-none">–</span>'
    if isinstance(value, dt.datetime):
        return f'<span class="casesnb-time">{value:%Y-%m-%d %H:%M:%S}</span>'
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, int):
        return f"{value:,}"
    return text_html(str(value))
