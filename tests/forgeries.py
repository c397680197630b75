"""Forgeries of a report: its elements, attributes and texts altered, added, hidden."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

import casesnb as cn
from casesnb.view.plots.style import plot_text
from casesnb.view.report import pictures, verify, write
from casesnb.view.report.manifest import TIME
from casesnb.view.report.names import names_in
from casesnb.view.report.sections import content_sha256

_TOKEN = re.compile(r"<[^>]*>|[^<]+")
_ATTRIBUTE = re.compile(r'="[^"]*"')
_ADDED = (
    "<script>document.title=1</script>",
    "<p data-skip>Verified</p>",
    '<img src="https://x.test/1.png">',
    '<iframe srcdoc="x"></iframe>',
    '<link rel="stylesheet" href="https://x.test/1.css">',
    "<style>p{display:none}</style>",
    '<a href="https://x.test">more</a>',
    "<!-- x -->",
    "<![CDATA[ > FORGED ]]>",
    '<meta http-equiv="refresh" content="0;url=https://x.test">',
    "\u202e",
    " ",
    "\n",
)
_HIDING = (" hidden", ' style="display:none"', ' class="none"', " inert", " data-skip")


def _tokens(page: str) -> list[str]:
    return _TOKEN.findall(page)


def _pick(found: list[str], rng: random.Random, is_it: Callable[[str], object]) -> int:
    return rng.choice([n for n, token in enumerate(found) if is_it(token)])


def _is_text(token: str) -> bool:
    return token[0] != "<" and not token.isspace()


def _is_start(token: str) -> bool:
    return token[0] == "<" and token[1].isalpha()


def _altered(text: str, rng: random.Random) -> str:
    place = rng.randrange(len(text))
    other = rng.choice([c for c in "0179axZ ." if c != text[place]])
    return text[:place] + other + text[place + 1 :]


def _text(found: list[str], rng: random.Random) -> None:
    n = _pick(found, rng, _is_text)
    found[n] = _altered(found[n], rng)


def _text_gone(found: list[str], rng: random.Random) -> None:
    found[_pick(found, rng, _is_text)] = ""


def _texts_swapped(found: list[str], rng: random.Random) -> None:
    n = _pick(found, rng, _is_text)
    m = _pick(found, rng, lambda token: _is_text(token) and token != found[n])
    found[n], found[m] = found[m], found[n]


def _attribute(found: list[str], rng: random.Random) -> None:
    n = _pick(found, rng, lambda token: _is_start(token) and _ATTRIBUTE.search(token))
    value = rng.choice([*_ATTRIBUTE.finditer(found[n])])
    start, end = value.start() + 2, value.end() - 1
    inner = found[n][start:end]
    forged = _altered(inner, rng) if inner else "x"
    found[n] = found[n][:start] + forged + found[n][end:]


def _attribute_added(found: list[str], rng: random.Random) -> None:
    n = _pick(found, rng, _is_start)
    added = rng.choice(_HIDING)
    tag = found[n]
    found[n] = f"{tag[:-1]}{added}>"


def _element_added(found: list[str], rng: random.Random) -> None:
    found.insert(rng.randrange(len(found) + 1), rng.choice(_ADDED))


def _element_gone(found: list[str], rng: random.Random) -> None:
    del found[_pick(found, rng, _is_start)]


def _element_twice(found: list[str], rng: random.Random) -> None:
    n = _pick(found, rng, _is_start)
    found.insert(n, found[n])


def _hidden_beside_false(found: list[str], rng: random.Random) -> None:
    n = _pick(found, rng, lambda token: _is_start(token) and "data-item" in token)
    name = found[n][1:].split(" ")[0]
    false = f"<{name}>All is well</{name}>"
    found[n] = f'{false}{found[n][:-1]} style="display:none">'


KINDS: dict[str, Callable[[list[str], random.Random], None]] = {
    "a text altered": _text,
    "a text taken away": _text_gone,
    "two texts swapped": _texts_swapped,
    "an attribute altered": _attribute,
    "an attribute added": _attribute_added,
    "an element added": _element_added,
    "an element taken away": _element_gone,
    "an element doubled": _element_twice,
    "a true item hidden beside a false one": _hidden_beside_false,
}


def forgeries(page: bytes, *, n: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield forged pages, each with what was done to it, all kinds in turn."""
    rng, text = random.Random(seed), page.decode("utf-8")
    tokens = _tokens(text)
    for number in range(n):
        kind = [*KINDS][number % len(KINDS)]
        while True:
            found = [*tokens]
            KINDS[kind](found, rng)
            forged = "".join(found)
            if forged != text:
                break
        yield kind, forged.encode("utf-8")


def flips(page: bytes, *, n: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield the page with one bit turned."""
    rng = random.Random(seed)
    for _ in range(n):
        place, bit = rng.randrange(len(page)), 1 << rng.randrange(8)
        flipped = bytes([page[place] ^ bit])
        yield "a bit flipped", page[:place] + flipped + page[place + 1 :]


def cuts(page: bytes, *, n: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield the page less its end."""
    rng = random.Random(seed)
    for _ in range(n):
        yield "the end cut off", page[: rng.randrange(len(page))]


def is_caught(page: bytes, path: Path, source: Any) -> bool:
    """Whether verification refuses a page, or says that it differs."""
    path.write_bytes(page)
    try:
        found = cn.verify_report(path, source)
    except ValueError as error:
        return 20 < len(str(error)) < 600
    return found.has_differences and "differs: " in str(found)


@contextmanager
def in_a_hurry() -> Iterator[None]:
    """Write a picture's words instead of its pixels, and the same page but once."""
    memory: dict[str, Any] = {}
    made, asked = write.report_body, verify.ask_again

    def in_words(ax: Any, **_: Any) -> bytes:
        digest = sha256(plot_text(ax).encode()).digest()
        return b"\x89PNG\r\n\x1a\n" + digest

    def body(
        history: Any,
        *,
        title: Any = None,
        full: Any = None,
        notes: Any = (),
        written_at: Any,
        made_by: Any = None,
    ) -> bytes:
        histories = history if isinstance(history, list) else [history]
        told = [
            [h.certificate.to_dict(), content_sha256(h), str(names_in(h))]
            for h in histories
        ]
        made_by = made_by or write.software()
        notes = [*notes]
        told.append([str(note) for note in notes])
        key = json.dumps([title, full, f"{written_at:{TIME}}", made_by, told])
        if key not in memory:
            how = {"title": title, "full": full, "notes": notes}
            how |= {"written_at": written_at, "made_by": made_by}
            memory[key] = made(history, **how)
        found: bytes = memory[key]
        return found

    def ask(client: Any, part: Any) -> Any:
        key = f"{id(client)} {part.certificate.to_dict()} {part.events}"
        if key not in memory:
            memory[key] = client, asked(client, part)  # who stays, so that its id does
        return memory[key][1]

    with (
        patch.object(pictures, "png", in_words),
        patch.object(write, "report_body", body),
        patch.object(verify, "report_body", body),
        patch.object(verify, "ask_again", ask),
    ):
        yield
