"""A report made again from its source, and compared with the file byte by byte."""

from __future__ import annotations

import html
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from casesnb.tables.frames import is_history
from casesnb.tables.names import load_catalogue, with_names
from casesnb.tables.notes import notes_of
from casesnb.tables.redacted import in_pseudonyms, redaction_of, redactor_of
from casesnb.view.plots.png import drawn_by
from casesnb.view.report.again import ask_again
from casesnb.view.report.manifest import TIME, said_in, without_pictures
from casesnb.view.report.names import Names, each_name, names_in, with_names_of
from casesnb.view.report.write import each_of, report_body, software
from casesnb.view.text import shortened, visible
from casesnb.view.wording import counted
from casesnb.wire.client import connect as connected

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from casesnb.tables.certificate import Certificate
    from casesnb.tables.history import History
    from casesnb.view.report.again import Again
    from casesnb.view.report.manifest import Part, Said
    from casesnb.view.report.sign import PublicKey
    from casesnb.wire.client import Client

REPRODUCED = "reproduced"
DIFFERS = "differs"
CHANGED = "data changed since"
NOT_VERIFIED = "not verified"

_VERDICTS = (REPRODUCED, DIFFERS, CHANGED, NOT_VERIFIED)
_NEW = "events that came since"
_PICTURES = "pictures"
_NOBODY = Names({}, {}, {})
_HEAD = "the head of the page"
_ORDER = "the order of the page"
# The start tag of an item, as a template writes it, and the item's name.
_ITEM = re.compile(rb'<[a-z0-9]+(?: [a-z-]+="[^"<>]*")*? data-item="([^"<>]*)"')
_OF_A_CASE = re.compile(r"(h\d+)(c\d+)? ")
_OF_AN_EVENT = re.compile(r"(h\d+c\d+) (?:event|change \d+) (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Check:
    """What came of one item of a report.

    Parameters
    ----------
    item : str
        Its name in the file.
    verdict : str
        ``reproduced``, ``differs``, ``data changed since`` or ``not verified``.
    reported : str
        What the report says.
    recomputed : str
        What the source gives now; of what is not verified, why.
    event_ids : tuple of str
        The events that it rests on and that are not as reported.
    """

    item: str
    verdict: str
    reported: str
    recomputed: str
    event_ids: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it in one line."""
        line = f"{self.verdict}: {shortened(self.item, 160)}"
        if self.verdict == REPRODUCED:
            return line
        if self.verdict == NOT_VERIFIED:
            said = f" (the report says “{shortened(self.reported, 80)}”)"
            return f"{line}{said if self.reported else ''}: {visible(self.recomputed)}"
        events = f" [events {', '.join(self.event_ids)}]" if self.event_ids else ""
        said, given = _around_the_difference(self.reported, self.recomputed)
        return (
            f"{line}: the report says “{said}”, the source “{given}”"
            f"{shortened(events, 160)}"
        )


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of a whole report.

    Parameters
    ----------
    checks : tuple of Check
        One for each item, in the order of the page.
    unverified : tuple of Check
        What the report says, and no source that was asked can tell.
    """

    checks: tuple[Check, ...]
    unverified: tuple[Check, ...] = ()

    @property
    def is_reproduced(self) -> bool:
        """Whether all was reproduced that a source could tell."""
        return not any(check.verdict in {DIFFERS, CHANGED} for check in self.checks)

    @property
    def has_differences(self) -> bool:
        """Whether an item is not what its own data give."""
        return any(check.verdict == DIFFERS for check in self.checks)

    def __str__(self) -> str:
        """Say what was not reproduced, then how much was."""
        said = [check for check in self.checks if check.verdict in {DIFFERS, CHANGED}]
        counts = Counter(check.verdict for check in self.checks)
        total = ", ".join(
            f"{n:,} {'differ' if verdict == DIFFERS and n != 1 else verdict}"
            for verdict in _VERDICTS
            if (n := counts[verdict])
        )
        lines = map(str, (*said, *self.unverified))
        return "\n".join([*lines, f"{counted(len(self.checks), 'item')}: {total}"])


def verify_report(
    path: str | Path,
    against: Any = None,
    *,
    connect: Client | None = None,
    signed_by: PublicKey | None = None,
    key: bytes | os.PathLike[str] | None = None,
    free_text: Callable[[str], str] | None = None,
) -> Verification:
    """Make a report again from its source, and compare it byte by byte.

    Where the bytes differ, it says which items do. An item is reproduced, differs
    from what its data give, or its data changed since: events came after the
    report was written, without which it is right. Nobody is asked but `against`
    and `connect`, for no other cases than those that the report shows.

    No source tells the pseudonyms of a redacted report: it is made again from the
    history that it was written of, under the key.

    Parameters
    ----------
    path : str or Path
        A file that `write_report` wrote.
    against : object, optional
        A boto3 ``connectcases`` client, or what `connect` takes: a folder of
        recordings, a responder; the live service otherwise. Of a redacted report
        the History that it was written of, or a list of them.
    connect : Client, optional
        A boto3 ``connect`` client: with it the names of people, fields and values
        are looked up today and compared. Without it they are claims.
    signed_by : Ed25519PublicKey, str or Path, optional
        A public key, or the path of a PEM file that holds one: the report's
        signature must be by its holder. Needs ``casesnb[sign]``.
    key : bytes or Path, optional
        The key of a redacted report, or the file that holds it; one's own key file
        otherwise.
    free_text : callable, optional
        The function that made a redacted report's texts, where it had one.

    Returns
    -------
    Verification
        One check for each item, and what is not verified; ``print`` shows all
        that was not reproduced.

    Raises
    ------
    ValueError
        If the file is cut, or is no report that this casesnb can read; if it is
        redacted and `against` is not its histories, or the key another.
    botocore.exceptions.ClientError
        Whatever the service answers instead of a history.
    """
    here = software()
    said = said_in(Path(path).expanduser().read_bytes(), path, here["casesnb"])
    signature = [*_signature(said, signed_by)]
    if any(part.certificate.redacted is not None for part in said.parts):
        originals = each_of(against)
        if len(originals) != len(said.parts) or not all(map(is_history, originals)):
            raise ValueError(
                f"{shortened(str(path), 200)} tells pseudonyms, and its original alone "
                "proves them. Give every History that it was written of as against=, "
                "and the key as key=."
            )
        return _of_pseudonyms(said, originals, signature, key, free_text)
    client: Client = (
        against if hasattr(against, "get_case_audit_events") else connected(against)
    )
    found = [ask_again(client, part) for part in said.parts]
    then = _body(said, _named(said, [each.then for each in found]))
    new = [event_id for each in found for event_id in each.came_since]
    full = _body(said, _named(said, [each.now for each in found])) if new else then
    names = [*_names(said.parts, found, client, connect)]
    claims = [*_claims(said, found), *_pictures(said)]
    bare = then
    if unnamed := [each for each in names if each.verdict == NOT_VERIFIED]:
        nameless = _named(said, [each.then for each in found], are_named=False)
        bare = _body(said, nameless)
        claims += unnamed
    pages = [said.body, then, full, bare]
    if any(each.item == _PICTURES for each in claims):
        pages = [*map(without_pictures, pages)]
    asked = {each.item: each for each in names if each.verdict != NOT_VERIFIED}
    checks = [
        asked.get(each.item, each) if each.verdict == REPRODUCED else each
        for each in _compared(pages, claims, dict(_lost(said.parts, found)))
    ]
    checks += [each for each in signature if each.verdict != NOT_VERIFIED]
    if new:
        ids = tuple(sorted(new))
        checks.append(Check(_NEW, CHANGED, "none", f"{len(new):,}", ids))
    claims += [each for each in signature if each.verdict == NOT_VERIFIED]
    return Verification(tuple(checks), tuple(claims))


def _of_pseudonyms(
    said: Said,
    originals: Sequence[History[Any]],
    signature: Sequence[Check],
    key: bytes | os.PathLike[str] | None,
    free_text: Callable[[str], str] | None,
) -> Verification:
    """Make a redacted report again from its originals: whether every byte is theirs."""
    made = []
    for part, original in zip(said.parts, originals, strict=True):
        policy = part.certificate.redacted or {}
        redactor = redactor_of(redaction_of(policy, key, free_text))
        made.append(in_pseudonyms(original, redactor))
    page = _body(said, made)
    claims = [*_claims(said, []), *_pictures(said)]
    pages = [said.body, page]
    if any(each.item == _PICTURES for each in claims):
        pages = [*map(without_pictures, pages)]
    checks = [*_compared([*pages, pages[1], pages[1]], claims, {})]
    checks += [each for each in signature if each.verdict != NOT_VERIFIED]
    claims += [each for each in signature if each.verdict == NOT_VERIFIED]
    return Verification(tuple(checks), tuple(claims))


def _named(
    said: Said, histories: Sequence[History[Any]], *, are_named: bool = True
) -> list[History[Any]]:
    return [
        with_names_of(history, part.names if are_named else _NOBODY)
        for history, part in zip(histories, said.parts, strict=True)
    ]


def _body(said: Said, histories: Sequence[History[Any]]) -> bytes:
    """Return the report that a file says it is, of other histories."""
    return report_body(
        histories,
        title=said.title,
        full=said.full,
        notes=said.notes,
        written_at=said.written_at,
        made_by=said.software,
    )


# --------------------------------------------------------------------- the bytes


def _compared(
    pages: Sequence[bytes],
    claims: Sequence[Check],
    lost: Mapping[str, str],
) -> Iterator[Check]:
    """Yield a check for each item: any byte that differs is in one of them."""
    items, again, later, unnamed = map(_items, pages)
    names = [*dict.fromkeys([*items, *again])]
    differing = [name for name in names if items.get(name) != again.get(name)]
    events = [match for name in differing if (match := _OF_AN_EVENT.fullmatch(name))]
    claimed = tuple(f"{each.item} " for each in claims)
    are_masked = any(each.item == _PICTURES for each in claims)
    for name in names:
        given = again.get(name)
        told = _told(items.get(name), given)
        if items.get(name) != given:
            case = _OF_A_CASE.match(name)
            own = _OF_AN_EVENT.fullmatch(name)
            rests_on = {
                match[2]
                for match in events
                if (match[2] == own[2] if own else case and match[1] == case[0][:-1])
            }
            why = case and (lost.get(case[0]) or lost.get(f"{case[1]} "))
            yield Check(name, DIFFERS, told[0], why or told[1], tuple(sorted(rests_on)))
        elif given != later.get(name):
            yield Check(name, CHANGED, *_told(given, later.get(name)))
        elif (
            given != unnamed.get(name)
            or f"{name} ".startswith(claimed)
            or (are_masked and name.endswith(" picture"))
        ):
            yield Check(name, NOT_VERIFIED, told[0], "")
        else:
            yield Check(name, REPRODUCED, *told)
    if pages[0] != pages[1] and not differing:
        yield Check(_ORDER, DIFFERS, "another one", "the one that a report has")


def _items(page: bytes) -> dict[str, bytes]:
    """Return a page cut before each item, by the items' names."""
    found: dict[str, bytes] = {}
    starts = [(0, _HEAD), *((m.start(), _name(m[1])) for m in _ITEM.finditer(page))]
    ends = [start for start, _ in starts[1:]] + [len(page)]
    for (start, name), end in zip(starts, ends, strict=True):
        # A second item of one name would hide what the first says.
        found[name] = found.get(name, b"") + page[start:end]
    return found


def _name(given: bytes) -> str:
    return html.unescape(given.decode("utf-8", "replace"))


def _told(page: bytes | None, other: bytes | None) -> tuple[str, str]:
    """Return parts of pages as a person reads them; as they are where that is equal."""
    raw = [(part or b"").decode("utf-8", "replace") for part in (page, other)]
    plain = (html.unescape(re.sub(r"<[^>]*>", " ", each)) for each in raw)
    texts = [" ".join(each.split()) for each in plain]
    said, given = texts if texts[0] != texts[1] else raw
    return said or "nothing", given or "nothing"


def _around_the_difference(first: str, second: str) -> list[str]:
    """Return both texts, short, from a little before where they part."""
    pairs = enumerate(zip(first, second, strict=False))
    part = next((i for i, (a, b) in pairs if a != b), min(len(first), len(second)))
    start = max(part - 24, 0) if max(len(first), len(second)) > 80 else 0
    lead = "…" if start else ""
    return [lead + shortened(text[start:], 80) for text in (first, second)]


# ------------------------------------------------------------ what no source tells


def _lost(parts: Sequence[Part], found: Sequence[Again]) -> Iterator[tuple[str, str]]:
    """Yield the items of what cannot be read now, and why."""
    for i, (part, again) in enumerate(zip(parts, found, strict=True)):
        for n, key in enumerate(part.captured):
            if why := again.unread.get(key):
                yield f"h{i}c{n} ", f"nothing, as the case cannot be read now: {why}"
                yield f"h{i} ", f"less, as not every case can be read now: {why}"


def _claims(said: Said, found: Sequence[Again]) -> Iterator[Check]:
    """Yield what is taken from the report, by the items that show it."""
    yield _claim("written", f"{said.written_at:{TIME}} UTC")
    yield _claim(
        "software", ", ".join(" ".join(each) for each in said.software.items())
    )
    if said.title is not None:
        yield _claim("title", said.title)
    for i, (part, again) in enumerate(zip(said.parts, found, strict=False)):
        told = part.certificate
        why = "the service's clock told it once; what lasted until then rests on it"
        yield _claim(f"h{i} read", f"{told.fetched_at} from {told.source}", why)
        for name in sorted({*again.unverified, "as_of"}):
            yield _claim(f"h{i} evidence {name}", str(getattr(told, name)))
        if own := notes_of(said.notes, part.captured):
            why = "people wrote them, and no event tells them"
            yield _claim(f"h{i} note", counted(len(own), "note"), why)
        yield _claim(f"h{i} left out", "; ".join(_beside(told)) or "nothing")
        for row in told.unloaded.to_dict("records"):
            error = f"{row['error']}: {row['message']}"
            if again.unread.get((row["domain_id"], row["case_id"])) != error:
                yield _claim(f"h{i} unloaded {row['case_id']}", error)


def _beside(told: Certificate) -> Iterator[str]:
    if told.n_left_out:
        yield counted(told.n_left_out, "case")
    if told.ended_by:
        yield told.ended_by
    yield from told.contradictions


def _claim(item: str, reported: str, why: str = "no source tells it again") -> Check:
    return Check(item, NOT_VERIFIED, reported, why)


def _pictures(said: Said) -> Iterator[Check]:
    """Say that pictures cannot be compared where something else draws them here."""
    here, there = drawn_by(), said.software
    odd = [name for name in here if there.get(name) != here[name]]
    if odd:
        given = ", ".join(f"{name} {there.get(name, 'not told')}" for name in odd)
        mine = ", ".join(f"{name} {here[name]}" for name in odd)
        why = f"here it is {mine}, so their words and their data alone are compared"
        yield _claim(_PICTURES, f"drawn by {given}", why)


def _names(
    parts: Sequence[Part],
    found: Sequence[Again],
    client: Client,
    connect: Client | None,
) -> Iterator[Check]:
    """Yield a check for each name that a report gives."""
    for i, (part, again) in enumerate(zip(parts, found, strict=True)):
        given = dict(_each(part.names))
        if given and connect is None:
            why = "nobody was asked for the names of today, and what shows one rests on it"
            yield _claim(f"h{i} name", f"{counted(len(given), 'name')}", why)
        elif given and connect is not None:
            today, unread = _names_today(again.now, client, connect)
            for name, said in given.items():
                item, now = f"h{i} name of {name}", today.get(name)
                if now is None:
                    yield _claim(item, said, "; ".join(unread) or "it has none today")
                else:
                    yield Check(item, REPRODUCED if now == said else DIFFERS, said, now)


def _names_today(
    history: History[Any], client: Client, connect: Client
) -> tuple[dict[str, str], list[str]]:
    found: dict[str, str] = {}
    unread: list[str] = []
    plain = with_names_of(history, _NOBODY)
    for domain_id in dict.fromkeys(history.certificate.captures["domain_id"]):
        fields = history.changes["field_id"].drop_duplicates()
        catalogue = load_catalogue(client, domain_id, connect=connect, field_ids=fields)
        unread += catalogue.unread
        found |= dict(_each(names_in(with_names(plain, catalogue))))
    return found, unread


def _each(names: Names) -> Iterator[tuple[str, str]]:
    return ((f"{kind} {id_}", name) for kind, id_, name in each_name(names))


def _signature(said: Said, key: PublicKey | None) -> Iterator[Check]:
    """Yield what came of the signature, where there is one or one is wanted."""
    if said.signature is None:
        if key is not None:
            yield Check("the signature", DIFFERS, "nothing", "one by the key given")
        return
    by, signature = said.signature
    if key is None:
        yield _claim("the signature", by, "no public key was given")
        return
    from casesnb.view.report.sign import is_signed, raw_key

    wanted = raw_key(key)
    if by != wanted:
        yield Check("the signature", DIFFERS, f"by {by}", f"by {wanted}")
    elif is_signed(said.body, signature, key):
        yield Check("the signature", REPRODUCED, by, wanted)
    else:
        yield Check("the signature", DIFFERS, f"by {by}", "not of these bytes")
