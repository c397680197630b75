"""What to redact and under which key: `Redaction`, a policy and nothing that acts."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from casesnb.wire.redact.pseudonyms import SHAPE, Pseudonyms
from casesnb.wire.redact.rules import BY_NAME, FIELDS
from casesnb.wire.whole_file import whole_file

FreeText = Literal["drop", "words", "keep"] | Callable[[str], str]

KEY_VARIABLE = "CASESNB_REDACTION_KEY"
"""The environment variable that names another key file than one's own."""

_SHORTEST_KEY = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """What a recording keeps of customers' data, and the key of its pseudonyms.

    What no rule knows is replaced. Numbers, booleans, times, AWS's own words,
    the order of things and how long a text is about stay: the README lists every
    rule. Before anything is written, it is searched for every value that was
    replaced; a hit refuses to save.

    Parameters
    ----------
    keep : collection of str, default ("status",)
        Fields whose options or text stay, by id, such as ``"status"``, or by
        the pseudonym that a recording has for it; and what
        is named by the rules ``"queue_name"``, ``"template_name"``,
        ``"field_name"``, ``"domain_name"``, ``"name"``, ``"tag"``,
        ``"search_term"`` and ``"custom_entity"``.
    free_text : {"drop", "words", "keep"} or callable, default "drop"
        What becomes of titles, summaries, comments and the text of custom
        fields: a number in place of each; a made-up word for each word; the text
        as it is, but for addresses and numbers of people; or what your function
        makes of the text.
    times : {"keep", "shift"}, default "keep"
        Whether times stay, or all go back by one number of whole weeks, 1 to 20
        years, that follows from the key. Weekday and hour stay in UTC; in a zone
        with summer time some are an hour off.
    allow : collection of str
        Texts that may be written although a value equals them, such as a name
        that is an everyday word.
    key : bytes or Path, optional
        The secret, 16 bytes or more, or the file that holds it; by default one's
        own key file, made when first needed. Under one key a value has one
        pseudonym everywhere; who has the key can tell whether a guess is right.

    Raises
    ------
    TypeError
        If `keep`, `allow`, `free_text` or `key` is of another type.
    ValueError
        If `free_text` or `times` is none of these, or the key too short.

    See Also
    --------
    connect : Records under a redaction.

    Examples
    --------
    >>> import casesnb as cn
    >>> cn.Redaction(keep=["status", "case_reason"], key=bytes(range(32)))
    Redaction(keep=('case_reason', 'status'), free_text='drop', times='keep', ...)
    """

    keep: Collection[str] = ("status",)
    free_text: FreeText = "drop"
    times: Literal["keep", "shift"] = "keep"
    allow: Collection[str] = ()
    key: bytes | os.PathLike[str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("keep", "allow"):
            given = getattr(self, name)
            if isinstance(given, str) or not all(isinstance(n, str) for n in given):
                raise TypeError(f"{name} is a list of texts. Give {name}=['status'].")
            object.__setattr__(self, name, tuple(sorted(set(given))))
        for rule in map(BY_NAME.get, self.keep):
            if rule is not None and not rule.may_stay:
                able = ", ".join(r.name for r in BY_NAME.values() if r.may_stay)
                raise ValueError(
                    f"keep={rule.name!r} names a rule whose values never stay. Name a "
                    f"field, or one of {able}."
                )
        if not callable(self.free_text) and self.free_text not in {
            "drop",
            "words",
            "keep",
        }:
            raise ValueError(
                f"free_text={self.free_text!r} is none of 'drop', 'words' and 'keep'. "
                "Give one of them, or a function from a text to a text."
            )
        if self.times not in {"keep", "shift"}:
            raise ValueError(
                f"times={self.times!r} is neither 'keep' nor 'shift'. Give one of them."
            )
        if isinstance(self.key, bytes):
            _long_enough(self.key, "key")
        elif self.key is not None and not isinstance(self.key, os.PathLike):
            raise TypeError(
                f"key is bytes or a Path, not {type(self.key).__name__}. Give "
                "secrets.token_bytes(32), or the Path of a file that holds a key."
            )

    def pseudonyms(self) -> Pseudonyms:
        """Read the key, and return what gives a value its pseudonym."""
        if isinstance(self.key, bytes):
            return Pseudonyms(self.key)
        return Pseudonyms(_key_of(self.key_file or own_key_file()))

    @property
    def key_file(self) -> Path | None:
        """The file that holds the key; None where the key itself was given."""
        if isinstance(self.key, bytes):
            return None
        return own_key_file() if self.key is None else Path(self.key).expanduser()

    def to_dict(self) -> dict[str, Any]:
        """Return what a manifest says of it: the policy, and which key it was.

        Returns
        -------
        dict
            ``keep``, in which an id is its pseudonym, ``free_text``, ``times``
            and ``key``, a fingerprint that tells keys apart and nothing else.
        """
        made = self.pseudonyms()
        return {
            "keep": sorted(
                name
                if name in FIELDS or name in BY_NAME or SHAPE.fullmatch(name)
                else made.identifier(name)
                for name in self.keep
            ),
            "free_text": "own" if callable(self.free_text) else self.free_text,
            "times": self.times,
            "key": made.fingerprint(),
        }


def own_key_file() -> Path:
    """Return where this user's key is: among the user's settings, never with data."""
    named = os.environ.get(KEY_VARIABLE)
    if named:
        return Path(named).expanduser()
    from platformdirs import user_config_path

    return user_config_path("casesnb") / "redaction.key"


def _key_of(file: Path) -> bytes:
    if not file.exists():
        # Of two processes that make it at once, one does, and both read that one.
        with whole_file(file, replace=False) as new:
            new.write(secrets.token_hex(32).encode() + b"\n")
    try:
        return _long_enough(bytes.fromhex(file.read_text("ascii")), str(file))
    except ValueError as error:
        raise ValueError(
            f"{file} holds no key of {_SHORTEST_KEY} bytes or more, as hexadecimal "
            "digits. Name another file, or delete it: a new key gives new pseudonyms."
        ) from error


def _long_enough(key: bytes, what: str) -> bytes:
    if len(key) < _SHORTEST_KEY:
        raise ValueError(
            f"{what} has {len(key)} bytes, and fewer than {_SHORTEST_KEY} can be "
            "guessed. Give secrets.token_bytes(32)."
        )
    return key
