"""The leak checker: whether a value that was replaced is in what would be written.

It trusts no rule. It reads all that would be written, keys, texts and file names,
in every form that a text may hide in, and looks for all values at once
(Aho-Corasick, so the time grows with the size and not with the number of values).
Values that come later are looked for in what was written before.
"""

from __future__ import annotations

import binascii
import html
import re
import threading
import time
import unicodedata
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import ahocorasick_rs

from casesnb.wire.errors import CasesError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_SHORTEST = 4
_BOUNDED = 6  # a shorter value may be part of a word
_LONG_NUMBER = 9  # a shorter number may be part of a longer one
_CUT = 12  # a longer value is found by any piece of 23 characters, too
_STRIDE = 12
_DEPTH = 3  # gzip in base64 in a URL
_MOST_BYTES = 50_000_000  # what is unpacked of one text
_FEW = 8_000  # characters that are looked through again for each new answer
_SAME = 8  # indexes of one size, before they become one
_SHARE = 9  # looking through more takes at most a tenth of the time

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{6,}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){4,}")
_ESCAPE = re.compile(r"\\+u([0-9a-fA-F]{4})")
_ARN = re.compile(r"arn:[^\s\"'<>,;&\\]+")
_NUMBER = re.compile(r"[\d\s:.,tz+/-]+")
_ARN_PARTS = re.compile(r"[:/]")
_SPACE = re.compile(r"\s+")


class LeakFound(CasesError, ValueError):  # noqa: N818 - reads as RecordingNotFound does
    """A value that a rule replaces, found in what would be written: not saved.

    Its message names the rule and the place, never the value.
    """


class LeakChecker:
    """Looks for the values that were replaced in what would be written."""

    def __init__(
        self,
        *,
        is_public: Callable[[str], bool] = lambda text: False,
        identifying: Iterable[str] = (),
        allow: Iterable[str] = (),
    ) -> None:
        self._is_public = is_public
        self._identifying = frozenset(identifying)
        self._allow = {_plain(text) for text in allow}
        self._lock = threading.RLock()
        self._seen: dict[str, bool] = {}  # and whether it identifies
        self._new: list[tuple[str, str]] = []  # values in no index yet
        self._n_looked = 0  # of them already looked for in what is written
        # Indexes that were not looked for in what is written, and all, large to small.
        self._unchecked: list[_Index] = []
        self._indexes: list[_Index] = []
        self._kept: set[str] = set()
        # What is written and not public, each text once.
        self._written: dict[str, _Text] = {}
        self._n_written = 0  # characters of them, in all forms
        self._again_at = 0.0

    def add(self, rule: str, value: str) -> None:
        """Look for `value` from now on: `rule` replaces it."""
        identifies = rule in self._identifying
        if len(value) < _SHORTEST or self._seen.get(value, -1) >= identifies:
            return
        with self._lock:
            self._seen[value] = identifies
            if value.startswith("arn:"):
                for part in _ARN_PARTS.split(value):
                    if not self._is_public(part):
                        self.add(rule, part)
            self._new.append((rule, value))

    def keep(self, text: str) -> None:
        """Take `text` as one that stays: only what identifies is looked for in it."""
        self._kept.add(text)

    def is_original(self, text: str) -> bool:
        """Say whether a text is a value that was replaced."""
        return text in self._seen

    def check(self, where: str, content: Any) -> None:
        """Raise LeakFound if `content`, bytes, text or JSON, holds a value."""
        new = self._texts(where, content)
        with self._lock:
            # Seldom anything: only then are all values put in order to be looked for.
            hits = self._hits(new, self._index_all()) if new else {}
            for text, rule in hits.items():
                places = _places(where, content, self._is_public)
                place = next((at for at, each in places if each == text), where)
                raise _leak(place, rule, "it is not saved")
            if self._written and (
                self._n_written < _FEW or time.monotonic() >= self._again_at
            ):
                self._look_again()
            self._remember(new)

    def check_prose(self, where: str, text: str, words: str) -> None:
        """Raise LeakFound if a text holds a value that is not among its own `words`."""

        def told_of(arn: re.Match[str]) -> str:
            return " " if self._is_public(arn[0]) else arn[0]

        plain = _plain(words)
        own = plain + _SPACE.sub("", plain)
        with self._lock:
            indexes = self._index_all()
            for form in _Text(where, _ARN.sub(told_of, text)).forms:
                found = (hit for index in indexes for hit in index.hits_in(form))
                for rule, hit in found:
                    # A number says nothing where numbers are all about.
                    is_told = rule in self._identifying or not _NUMBER.fullmatch(hit)
                    if is_told and hit not in own:
                        raise _leak(where, rule, "it is not saved")

    def remember(self, where: str, content: Any) -> None:
        """Look for the values to come in `content`, which was written before."""
        with self._lock:
            self._remember(self._texts(where, content))

    def has_leak(self, content: Any) -> bool:
        """Say whether `content` holds a value, whatever was found before."""
        found = {t: _Text("", t) for t in _strings(content) if not self._is_public(t)}
        with self._lock:
            return bool(self._hits(found, self._index_all()))

    def finish(self) -> None:
        """Look for the newest values in all that was written."""
        with self._lock:
            self._look_again()

    def _texts(self, where: str, content: Any) -> dict[str, _Text]:
        """Return what `content` holds that is not public and not written yet."""
        return {
            text: _Text(where, text)
            for text in _strings(content)
            if text not in self._written and not self._is_public(text)
        }

    def _remember(self, texts: dict[str, _Text]) -> None:
        self._written |= texts
        self._n_written += sum(len(f) for text in texts.values() for f in text.forms)

    def _look_again(self) -> None:
        began = time.monotonic()
        found: dict[str, str] = {}
        if self._written and (self._unchecked or self._may_be_written()):
            self._index_all()
            found = self._hits(self._written, self._unchecked)
            self._unchecked = []
        ended = time.monotonic()
        self._again_at = ended + _SHARE * (ended - began)
        held = {text: self._written.pop(text).where for text in found}
        for text, rule in found.items():
            raise _leak(f"{held[text]}, written before,", rule, "it is taken back")

    def _may_be_written(self) -> bool:
        """Say whether a new value is in what was written, wherever words end."""
        if self._n_written > _FEW:  # else an automaton costs more than it saves
            return True
        written = "\n".join(f for text in self._written.values() for f in text.forms)
        begin, self._n_looked = self._n_looked, len(self._new)
        return any(
            pattern in written
            for _, value in self._new[begin:]
            for pattern in (*_patterns(value), *_tight(value))
        )

    def _index_all(self) -> list[_Index]:
        """Return the indexes of all values, a few of each size."""
        if self._new:
            made = _Index(self._new, self._allow, self._identifying)
            self._unchecked.append(made)
            self._indexes.append(made)
            self._new, self._n_looked = [], 0
        while len(last := self._indexes[-_SAME:]) == _SAME and (
            last[0].size <= _SAME * last[-1].size
        ):
            values = [value for index in last for value in index.values]
            merged = _Index(values, self._allow, self._identifying)
            self._indexes[-_SAME:] = [merged]
        return self._indexes

    def _hits(self, texts: dict[str, _Text], indexes: list[_Index]) -> dict[str, str]:
        """Return the texts that hold a value, each with the value's rule."""
        found = {}
        for text, told in texts.items():
            rules = self._identifying if text in self._kept else None
            hits = (
                index.rule_in(form, rules) for form in told.forms for index in indexes
            )
            rule = next(filter(None, hits), None)
            if rule is not None:
                found[text] = rule
        return found


class _Text:
    """A text that is written: where, and all that it may be the coded form of."""

    __slots__ = ("forms", "where")

    def __init__(self, where: str, text: str) -> None:
        self.where = where
        plain = dict.fromkeys(map(_plain, _forms(text)))
        # As it is compared, and without any space.
        self.forms = tuple(plain | dict.fromkeys(_SPACE.sub("", f) for f in plain))


def _leak(place: str, rule: str, so: str) -> LeakFound:
    return LeakFound(
        f"{place} holds a value that the rule {rule!r} replaces, so {so}. "
        "Take what stands there out of keep=, use free_text='drop', or name an "
        "everyday word in allow=."
    )


class _Index:
    """Values in one automaton, and what makes a hit of any one a leak."""

    def __init__(
        self,
        values: list[tuple[str, str]],
        allow: set[str],
        identifying: frozenset[str],
    ) -> None:
        self.values = values
        self.size = len(values)
        known: dict[str, str] = {}
        for rule, value in values:
            for pattern in (*_patterns(value), *_tight(value)):
                # Of two rules of one value, the one that identifies counts.
                if pattern not in allow and (
                    pattern not in known or rule in identifying
                ):
                    known[pattern] = rule
        self._rules = list(known.values())
        self._automaton = ahocorasick_rs.AhoCorasick(
            known,
            store_patterns=False,
            implementation=ahocorasick_rs.Implementation.ContiguousNFA,
        )

    def rule_in(self, text: str, rules: frozenset[str] | None) -> str | None:
        """Return the rule of a value that `text` holds, if it holds one."""
        for rule, _ in self.hits_in(text):
            if rules is None or rule in rules:
                return rule
        return None

    def hits_in(self, text: str) -> Iterator[tuple[str, str]]:
        """Yield each value that `text` holds, or its piece, after its rule."""
        found = self._automaton.find_matches_as_indexes(text, overlapping=True)
        for number, start, end in found:
            if _stands_alone(text, start, end):
                yield self._rules[number], text[start:end]


def _patterns(value: str) -> Iterator[str]:
    """Yield the texts that tell of `value`: itself, and its pieces if it is long."""
    plain = _plain(value)
    if len(plain) < _SHORTEST or not any(c.isalnum() or c > "\x7f" for c in plain):
        return
    yield plain
    if plain.startswith("arn:"):  # its parts are values of their own
        return
    for start in range(0, len(plain) - _CUT, _STRIDE):
        yield plain[start : start + _CUT]
    if len(plain) > _CUT:
        yield plain[-_CUT:]


def _tight(value: str) -> Iterator[str]:
    """Yield `value` without its spaces, if it has some and is long enough for that."""
    plain = _plain(value)
    if " " in plain and len(tight := plain.replace(" ", "")) >= 2 * _SHORTEST:
        yield tight


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether a hit is more than a part of a word or of a number."""
    around = text[max(start - 1, 0) : start] + text[end : end + 1]
    if end - start < _BOUNDED:
        return not any(c.isalnum() for c in around)
    if end - start < _LONG_NUMBER and text[start:end].isdigit():
        return not any(c.isdigit() for c in around)
    return True


def _plain(text: str) -> str:
    """Return a text as it is compared: without case, forms of letters and of space."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _SPACE.sub(" ", folded).strip()


def _strings(content: Any) -> list[str]:
    """Return every text of what would be written."""
    found: list[str] = []
    todo = [content]
    while todo:
        match todo.pop():
            case str() as text:
                found.append(text)
            case dict() as members:
                found.extend(members)
                todo.extend(members.values())
            case list() as items:
                todo.extend(items)
            case bytes() as data:
                found.extend(_decoded(data))
    return found


def _places(
    where: str, content: Any, is_public: Callable[[str], bool]
) -> Iterator[tuple[str, str]]:
    """Yield where each text of what would be written stands, and the text."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield f"a member's name in {where}", key
            name = key if is_public(key) else "…"
            yield from _places(f"{where}.{name}" if name else where, value, is_public)
    elif isinstance(content, list):
        for number, value in enumerate(content):
            yield from _places(f"{where}[{number}]", value, is_public)
    elif not isinstance(content, (int, float, type(None))):
        for text in _strings(content):
            yield where, text


def _forms(text: str, depth: int = _DEPTH) -> Iterator[str]:
    """Yield a text and all that it may be the coded form of."""
    yield text
    if depth == 0:
        return
    inner: list[str] = []
    if "%" in text or "+" in text:
        inner.append(unquote_plus(text))
    if "&" in text:
        inner.append(html.unescape(text))
    if "\\" in text:
        plain = _ESCAPE.sub(lambda m: chr(int(m[1], 16)), text)
        inner.append(
            plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        )
    for run in _HEX.findall(text):
        inner.extend(_decoded(bytes.fromhex(run)))
    for run in _BASE64.findall(text):
        run = run.replace("-", "+").replace("_", "/")
        for skipped in range(4):  # it may begin in the middle of the run
            inner.extend(_decoded(_from_base64(run[skipped:])))
    for each in inner:
        if each != text:
            yield from _forms(each, depth - 1)


def _from_base64(run: str) -> bytes:
    run = run[: len(run) - (len(run) % 4 == 1)]
    try:
        return binascii.a2b_base64(run + "=" * (-len(run) % 4))
    except binascii.Error:
        return b""


def _decoded(data: bytes) -> Iterator[str]:
    """Yield bytes as text, as each coding that they may be in."""
    if len(data) < _SHORTEST:
        return
    if data[:2] == b"\x1f\x8b":
        data = _unpacked(data)
    yield data.decode("utf-8", "ignore")
    if b"\0" in data:
        for coding in ("utf-16-le", "utf-16-be"):
            for start in (0, 1):
                yield data[start:].decode(coding, "ignore")


def _unpacked(data: bytes) -> bytes:
    """Return what gzip packed, as far as it goes."""
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        return unpack.decompress(data, _MOST_BYTES)
    except zlib.error:
        return data
