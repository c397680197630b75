"""The timeline in a page of its own: no server, no network, one script by its hash."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from casesnb.view.text import escaped

SCRIPT = Path(__file__).with_name("timeline.js")

STYLE = """<style>
.casesnb-unseen { position: absolute; clip-path: inset(50%); }
.casesnb-static { margin: 0; }
.casesnb-static img { max-width: 100%; height: auto; background: white; }
[data-casesnb-timeline=live] ~ .casesnb-static { display: none; }
@media print {
  [data-casesnb-timeline=live] { display: none; }
  [data-casesnb-timeline=live] ~ .casesnb-static { display: block; }
}
</style>"""
"""What shows the static picture where the script does not run, and in print."""


@cache
def script_source() -> str:
    """Return what a page's ``Content-Security-Policy`` has to name for the script."""
    digest = hashlib.sha256(script().encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def place_html(data: bytes, picture: bytes, words: str) -> str:
    """Return the data of a timeline, and the picture that stands in for it."""
    coded, shown = (base64.b64encode(each).decode() for each in (data, picture))
    return (
        f"<div data-casesnb-place><pre data-casesnb-data hidden>{coded}</pre>"
        f'<figure class="casesnb-static"><img '
        f'src="data:image/png;base64,{shown}" alt="{escaped(words)}"></figure></div>'
    )


def page_html(title: str, place: str) -> str:
    """Return a page that shows one timeline and may load nothing."""
    policy = (
        f"default-src 'none'; script-src {script_source()}; "
        "style-src 'unsafe-inline'; img-src data:"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escaped(title)}</title>{STYLE}</head>"
        f'<body><main><h1 class="casesnb-unseen">{escaped(title)}</h1>{place}</main>'
        f'<script type="module">{script()}</script></body></html>\n'
    )


@cache
def script() -> str:
    """Return the text of the script's element; one is enough for many timelines."""
    # Nothing of it may end the element that it stands in.
    return SCRIPT.read_text("utf-8").replace("</script", "<\\/script")
