"""Text that strangers wrote, ready for a page: visible, short, escaped."""

from __future__ import annotations

import html

from casesnb.wire.text import shortened, visible

__all__ = ["escaped", "shortened", "visible"]


def escaped(text: str) -> str:
    """Return `text` ready to stand in HTML, in an attribute too."""
    return html.escape(visible(text, lines=True))
