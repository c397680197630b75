"""The rows of an archive's file: their tables, what they say, and their hashes."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from casesnb.wire.pages import Page
from casesnb.wire.responder import TOKENS, Request, less_of, token_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Self

_PAGING = (*TOKENS, "maxResults", "MaxResults")

SCHEMA = """
CREATE TABLE meta (
    name TEXT PRIMARY KEY, value TEXT NOT NULL, hash BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE dictionary (id INTEGER PRIMARY KEY, hash BLOB NOT NULL, data BLOB NOT NULL);
CREATE TABLE capture (
    id INTEGER PRIMARY KEY,
    operation TEXT NOT NULL,
    domain_id TEXT,
    case_id TEXT,
    asked TEXT NOT NULL,      -- the other parameters, as JSON
    last_updated TEXT,        -- the case's, when it was asked for
    begun_at INTEGER NOT NULL,  -- microseconds since 1970
    ended_at INTEGER,
    n_pages INTEGER,
    earlier INTEGER,          -- the capture of the same listing before it
    listing BLOB,             -- which request it answers
    proof BLOB,               -- a hash over its pages
    head BLOB                 -- one over all of it; there as soon as it is whole
);
CREATE INDEX capture_of ON capture (listing, id);
CREATE INDEX capture_open ON capture (operation, domain_id, case_id) WHERE head IS NULL;
CREATE TABLE page (
    capture_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    date TEXT,
    retries INTEGER NOT NULL,
    throttles INTEGER NOT NULL,
    token INTEGER,            -- a hash of the one that it was asked with
    hash BLOB NOT NULL,
    dictionary INTEGER,
    body BLOB NOT NULL,
    UNIQUE (capture_id, number)
);
CREATE TABLE deleted (
    domain_id TEXT NOT NULL,
    case_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (domain_id, case_id)
) WITHOUT ROWID;
"""


class KeptCapture(NamedTuple):
    """A listing that was kept whole."""

    id: int
    operation: str
    domain_id: str | None
    case_id: str | None
    params: Mapping[str, Any]
    last_updated: str | None
    begun_at: int
    ended_at: int
    n_pages: int
    earlier: int | None
    listing: bytes
    proof: bytes
    head: bytes


class KeptCase(NamedTuple):
    """A case whose history was kept, and the newest capture of it."""

    domain_id: str
    case_id: str
    capture_id: int
    last_updated: str | None
    captured_at: int
    n_pages: int
    n_captures: int
    date: str | None  # when it was answered by the service's clock, if need be
    deleted_at: int | None


class CaptureKey(NamedTuple):
    """What names a capture, whatever file it is in."""

    id: int
    head: str  # the capture's hash, in hexadecimal digits

    @classmethod
    def of(cls, capture: KeptCapture) -> Self:
        """Return what names a capture."""
        return cls(capture.id, capture.head.hex())


class Row(NamedTuple):
    """A page as it is kept."""

    capture_id: int
    number: int
    received_at: int
    date: str | None
    retries: int
    throttles: int
    token: int | None
    hash: bytes
    dictionary: int | None
    body: bytes


def _names(table: str, kind: type[NamedTuple], **others: str) -> str:
    return ", ".join(f"{table}.{others.get(n, n)}" for n in kind._fields)


ROW = _names("page", Row)
KEPT = _names("capture", KeptCapture, params="asked")
PAGES_OF = f"SELECT {ROW} FROM page WHERE capture_id = ? ORDER BY number"
WHOLE = f"SELECT {KEPT} FROM capture NOT INDEXED WHERE head IS NOT NULL "


def split_params(params: Mapping[str, Any]) -> tuple[tuple[Any, Any], str]:
    """Return what a listing is about, and what else is asked of it, as JSON."""
    rest = {k: v for k, v in params.items() if k not in {"domainId", "caseId"}}
    subject = params.get("domainId"), params.get("caseId")
    return subject, json.dumps(rest, sort_keys=True)


def kept_capture(told: Sequence[Any]) -> KeptCapture:
    """Return a capture as it is told by the columns of `KEPT`."""
    return KeptCapture(*told)._replace(params=asked_for(told))


def asked_for(told: Sequence[Any]) -> dict[str, Any]:
    """Return what was asked for a capture, without a token."""
    _, _, domain_id, case_id, asked, *_ = told
    about = {"domainId": domain_id, "caseId": case_id}
    return {k: v for k, v in about.items() if v is not None} | _asked(asked)


@lru_cache
def _asked(text: str) -> dict[str, Any]:
    return dict(json.loads(text))


def page_of(
    row: Row,
    body: bytes,
    operation: str,
    params: Mapping[str, Any],
    token: str | None,
    following: str | None,
) -> Page:
    """Return a page as `iter_pages` gave it, asked for with a token."""
    named = "NextToken" if "MaxResults" in params else "nextToken"
    return Page(
        operation,
        params if token is None else {**params, named: token},
        row.number,
        body,
        following,
        row.date,
        row.retries,
        row.throttles,
    )


def listing_of(request: Request) -> tuple[bytes, int | None]:
    """Return which listing a request asks for, and a number for its token."""
    plain = less_of(request, _PAGING)
    listing = hashlib.sha256(plain.canonical().encode()).digest()[:16]
    if (token := token_of(request)) is None:
        return listing, None
    number = hashlib.sha256(str(token).encode()).digest()[:8]
    return listing, int.from_bytes(number, "big", signed=True)


def proof_of(facts: Iterable[Sequence[Any]]) -> bytes:
    """Return a hash over all that is told of a capture's pages, their hashes too."""
    found = hashlib.sha256()
    for fact in facts:
        found.update(repr(tuple(fact)).encode())
    return found.digest()


def head_of(told: Sequence[Any], before: bytes | None) -> bytes:
    """Return a hash over a capture and the one of its listing before it."""
    return hashlib.sha256((before or b"") + repr(tuple(told[:-1])).encode()).digest()


def sum_of(*values: Any) -> bytes:
    """Return a short hash over what a row says."""
    return hashlib.sha256(repr(values).encode()).digest()[:8]
