"""Pseudonyms: HMAC-SHA-256 of a value under a secret key, in a readable shape.

The same value has the same pseudonym in every answer, file and run under one key,
without a list of pairs that would have to be kept secret too. Their alphabets are
those that a value has least often: no vowel, no run of four digits. So a value
that turns up in what is written was not put there by chance.
"""

from __future__ import annotations

import hmac
import re
from functools import lru_cache

_QUARTET = "bcdf"  # hexadecimal, so that an id still reads as one, but no word
_QUARTETS = tuple(
    "".join(_QUARTET[n >> shift & 3] for shift in (6, 4, 2, 0)) for n in range(256)
)
_CONSONANTS = "bcdfghjkmnpqrtvwxz"
_BETWEEN = r"[\s.,;:!?'\"()/-]"  # what stands between two words
_WORD = re.compile(rf"[^{_BETWEEN[1:]}+")
_LENGTHS = (32, 128, 512, 2048)  # the classes of length that are kept

SHAPE = re.compile(
    r"[bcdf]{8}(?:-[bcdf]{4}){3}-[bcdf]{12}"  # an id
    r"|(?:[A-Z][a-z]+ |agent-)?\d{3}(?:_\d{3}){3}"  # a name, a text, a person
    r"(?: \.+|\.[a-z]{3,4}|@example\.invalid)?"
    rf"|{_BETWEEN}*[{_CONSONANTS}]{{5,}}(?:{_BETWEEN}+[{_CONSONANTS}]{{5,}})*{_BETWEEN}*"
    r"|Agent"
)
"""What a pseudonym looks like, whole."""


class Pseudonyms:
    """The pseudonyms of one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._digest = lru_cache(maxsize=20_000)(self._hmac)

    def _hmac(self, value: str) -> bytes:
        return hmac.digest(self._key, value.encode("utf-8", "surrogatepass"), "sha256")

    def identifier(self, value: str) -> str:
        """Return a pseudonym in the shape of a UUID."""
        text = "".join([_QUARTETS[byte] for byte in self._digest(value)[:8]])
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def number(self, value: str) -> str:
        """Return twelve digits, three at a time."""
        digits = f"{int.from_bytes(self._digest(value)[8:16]) % 10**12:012}"
        return f"{digits[:3]}_{digits[3:6]}_{digits[6:9]}_{digits[9:]}"

    def account(self, value: str) -> str:
        """Return twelve digits, the first three of them zero."""
        return f"{int.from_bytes(self._digest(value)[16:24]) % 10**9:012}"

    def labelled(self, label: str, value: str) -> str:
        """Return a label and a number, as long as `value` by its class of length."""
        text = f"{label} {self.number(value)}"
        short = max((n for n in _LENGTHS if n < len(value)), default=0) + 1 - len(text)
        return f"{text} {'.' * (short - 1)}" if short > 1 else text

    def letters(self, value: str, length: int = 24) -> str:
        """Return consonants, five or more."""
        number = int.from_bytes(self._digest(value))
        found = []
        for _ in range(max(5, min(length, 60))):  # a digest has no more to tell
            number, place = divmod(number, len(_CONSONANTS))
            found.append(_CONSONANTS[place])
        return "".join(found) + found[0] * (length - len(found))

    def words(self, text: str) -> str:
        """Return a text in which every word is replaced, its punctuation kept."""
        return _WORD.sub(lambda m: self.letters(m[0], len(m[0])), text)

    def weeks(self) -> int:
        """Return by how many weeks times are moved back: one to twenty years."""
        return 52 + int.from_bytes(self._digest("\0times")[:8]) % 988

    def proof(self, sha256: str) -> str:
        """Return what ties an original's hash to this key: none but its holder tests it."""
        return self._hmac(f"\0original {sha256}").hex()

    def fingerprint(self) -> str:
        """Return what tells one key from another, and nothing of either."""
        return self._digest("\0fingerprint")[:4].hex()


def length_class(text: str) -> int:
    """Return the class of length that a pseudonym shares with its value."""
    return sum(n < len(text) for n in _LENGTHS)
