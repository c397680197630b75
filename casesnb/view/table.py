"""Rows as HTML tables that a stranger's text cannot break out of."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from casesnb.view.text import escaped, shortened
from casesnb.view.wording import is_missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WIDTH = 60
"""Characters of a text that a cell shows before it is opened."""


def table_html(
    rows: Iterable[Mapping[Any, Any]], headings: Mapping[str, str], *, caption: str
) -> str:
    """Return rows as an HTML table, long text folded."""
    head = "".join(
        f'<th scope="col">{escaped(text)}</th>' for text in headings.values()
    )
    body = "".join(
        f"<tr>{''.join(f'<td>{_cell(row[name])}</td>' for name in headings)}</tr>"
        for row in rows
    )
    return (
        f'<table class="casesnb-table"><caption>{escaped(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def text_html(text: str, width: int = WIDTH) -> str:
    """Return text as HTML, folded behind its beginning where it is long."""
    short = shortened(text, width)
    if not short.endswith("…") or short == text:
        return escaped(short)
    return (
        f"<details><summary>{escaped(short)}</summary>"
        f'<div class="casesnb-long">{escaped(text)}</div></details>'
    )


def _cell(value: Any) -> str:
    if is_missing(value):
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
