"""Strangers' text: what it holds is seen, and nothing of it runs."""

from __future__ import annotations

import pytest

from casesnb.view.text import escaped, shortened, visible


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain", "plain"),
        ("", ""),
        ("two\r\nlines\tand a tab", "two⏎lines and a tab"),
        ("nul\x00 bell\x07 c1\x85", "nul‹U+0000› bell‹U+0007› c1‹U+0085›"),
        ("\u202etxt.exe\u2066", "‹U+202E›txt.exe‹U+2066›"),
        ("half \ud83d", "half ‹U+D83D›"),
        ("line\u2028sep", "line‹U+2028›sep"),
        ("👩\u200d👧 é ünï\u00a0x", "👩\u200d👧 é ünï\u00a0x"),
    ],
)
def test_hidden_characters_are_seen(text: str, seen: str) -> None:
    assert visible(text) == seen
    visible(text).encode()  # and may be written


def test_lines_stay_where_there_is_room_for_them() -> None:
    assert visible("a\r\nb\tc\u202e", lines=True) == "a\nb\tc‹U+202E›"


@pytest.mark.parametrize("width", [1, 2, 5, 40])
@pytest.mark.parametrize("text", ["", "ab", "abc def ghi", "x" * 4100, "\x00" * 50])
def test_short_text_fits(text: str, width: int) -> None:
    short = shortened(text, width)
    assert len(short) <= width
    assert (short == visible(text)) == (len(visible(text)) <= width)


def test_html_is_text() -> None:
    assert escaped("<script>&'\"\u202e") == "&lt;script&gt;&amp;&#x27;&quot;‹U+202E›"
