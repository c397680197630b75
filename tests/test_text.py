"""Strangers' text: what it holds is seen, and nothing of it runs."""

from __future__ import annotations

import pytest

from casesnb.view.text import escaped, shortened, visible
from casesnb.wire.text import shape


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


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (None, "null"),
        (True, "true or false"),
        (7, "a number"),
        (7.5, "a number"),
        ("secret", "a text of 6 characters"),
        (["secret"], "a list of 1 item"),
        ({"secret": "x"}, "an object of 1 member"),
        ((), "tuple"),
    ],
)
def test_a_shape_says_what_a_value_is_and_nothing_of_what_it_says(
    value: object, what: str
) -> None:
    assert shape(value) == what
