"""Pages as raw bytes: the one loop on ``nextToken`` that serves every list call."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import msgspec

from casesnb.wire.answers import NoAnswer, check_answer, members
from casesnb.wire.calls import ask_until, call
from casesnb.wire.errors import (
    PageError,
    about_body,
    advise,
    error_code,
    is_locked_out,
)
from casesnb.wire.text import read_json, shortened

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from botocore.client import BaseClient as Client

    from casesnb.wire.responder import Request

__all__ = [
    "Page",
    "PageError",
    "as_body",
    "ask",
    "ask_until",
    "error_code",
    "is_locked_out",
    "iter_pages",
    "less",
]

N_BARREN = 100
"""How many pages in a row may hold nothing new before a listing has no end."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer, its bytes as they came, and the call that earned it.

    Parameters
    ----------
    operation : str
        The operation, such as ``"GetCaseAuditEvents"``.
    params : Mapping
        The call's parameters, the token among them.
    number : int
        The page's place in its listing, from 0.
    body : bytes
        The body as it came.
    next_token : str or None
        The token of the next page; None at the end.
    date : str or None
        The service's own clock, from the answer's ``Date`` header.
    retries : int
        How often it was asked for again.
    throttles : int
        How many of the answers said that we ask too fast.
    request : Request or None
        The request as sent; None where the client answered without HTTP.
    """

    operation: str
    params: Mapping[str, Any]
    number: int
    body: bytes
    next_token: str | None = None
    date: str | None = None
    retries: int = 0
    throttles: int = 0
    request: Request | None = None

    def items(self, member: str) -> list[Any]:
        """Return the page's list, null items and all.

        Parameters
        ----------
        member : str
            The answer's member that holds the list.

        Returns
        -------
        list
            The items as JSON gives them.

        Raises
        ------
        PageError
            If the answer holds no such list.
        """
        items = read_json(self.body).get(member)
        if not isinstance(items, list):
            raise PageError(f"{self} holds no list of {member}. Load it again.")
        return items

    @property
    def sent_at(self) -> dt.datetime | None:
        """When the service sent it, UTC; None where it did not say so readably."""
        return moment_of(self.date)

    def __str__(self) -> str:
        """Name the page for a person: what was asked, which page, with which token."""
        token = self.params.get("nextToken") or self.params.get("NextToken")
        about = ", ".join(
            f"{name} {shortened(value, 80)}"
            for name, value in self.params.items()
            if name.endswith("Id") and isinstance(value, str)
        )
        earned = f" (token {shortened(token, 24)})" if token else ""
        return (
            f"{self.operation} page {self.number + 1}{earned} of {about or 'the list'}"
        )


@lru_cache(maxsize=64)  # the pages of one second say the same
def moment_of(date: str | None) -> dt.datetime | None:
    """Return what a ``Date`` header says, UTC; None where it is not readable."""
    try:
        sent = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return sent.replace(tzinfo=sent.tzinfo or dt.UTC).astimezone(dt.UTC)


class _Envelope(msgspec.Struct):
    nextToken: str | None = None  # noqa: N815 - AWS's name
    NextToken: str | None = None  # in the service that names users and queues


_envelope = msgspec.json.Decoder(_Envelope)
_items = msgspec.json.Decoder(list[msgspec.Raw])


def iter_pages(
    client: Client, operation: str, /, after: Page | None = None, **params: Any
) -> Iterator[Page]:
    """Yield every page of a listing to its end, or those that follow one."""
    tokens: set[str] = set()
    items: set[int] = set()
    n_barren = 0
    if after is None:
        page = ask(client, operation, params)
        yield page
    else:
        page = after
    named = _token_name(client, operation)
    while page.next_token:
        if page.next_token in tokens:
            raise PageError(
                f"The service sent one token twice, last with {page}, so the listing "
                "has no end. Load it again from the first page."
            )
        n_known = len(items)
        items.update(_told(page.body))
        n_barren = 0 if len(items) > n_known else n_barren + 1
        if n_barren >= N_BARREN:
            raise PageError(
                f"The {N_BARREN} pages up to {page} hold nothing new, so the listing "
                "has no end. Load it again from the first page."
            )
        tokens.add(page.next_token)
        page = ask(
            client, operation, {**params, named: page.next_token}, page.number + 1
        )
        yield page


def less(pages: Iterable[Page], member: str, left_out: Container[str]) -> bytes:
    """Return a listing as one body, less the items of some ``eventId``."""
    kept = []
    for page in pages:
        try:
            items = [
                bytes(each) for each in _items.decode(members.decode(page.body)[member])
            ]
        except (KeyError, ValueError):  # half of a surrogate pair, say
            items = [json.dumps(each).encode() for each in page.items(member)]
        for item in items:
            told = json.loads(item, parse_int=str, parse_float=str)  # of any length
            if not isinstance(told, dict) or told.get("eventId") not in left_out:
                kept.append(item)
    return b'{"%b":[%b]}' % (member.encode(), b",".join(kept))


def _told(body: bytes) -> Iterator[int]:
    """Yield a number for each item of a page's lists, equal for equal ones."""
    try:
        for member in members.decode(body).values():
            if bytes(member).startswith(b"["):
                yield from map(hash, map(bytes, _items.decode(member)))
    except ValueError:  # half of a surrogate pair, which msgspec does not take
        yield hash(body)


def _token_name(client: Client, operation: str) -> str:
    meta = getattr(client, "meta", None)
    if meta is None:
        return "nextToken"
    asked = meta.service_model.operation_model(operation).input_shape
    return "NextToken" if "NextToken" in asked.members else "nextToken"


def ask(
    client: Client, operation: str, params: Mapping[str, Any], number: int = 0
) -> Page:
    """Make one call and return its answer as raw bytes."""
    page = Page(operation, params, number, b"")
    try:
        answer = call(client, operation, params, partial(_read, client, operation))
    except Exception as error:
        # It stays boto3's own error; its traceback tells which page it was about.
        advise(error, f"casesnb was asking for {page}.")
        raise
    if (body := answer.body) is None:  # a Stubber or a fake, without HTTP
        body = as_body(answer.parsed or {})
        answer.take(body)
    page = replace(
        page,
        body=body,
        next_token=answer.next_token,
        date=answer.date,
        retries=answer.n_retries,
        throttles=answer.n_throttles,
        request=answer.request,
    )
    if answer.problem is not None:
        why = f"is not whole JSON ({answer.problem})"
        if isinstance(answer.problem, NoAnswer):
            why = str(answer.problem)
        raise PageError(f"{page} {why}. {about_body(body)}") from answer.problem
    return page


def _read(client: Client, operation: str, body: bytes) -> str | None:
    """Return the token of an answer, and refuse what is none."""
    token = read_token(body)
    if (meta := getattr(client, "meta", None)) is not None:
        check_answer(meta.service_model.operation_model(operation), body)
    return token


def read_token(body: bytes) -> str | None:
    """Return the token of the page after a page's, or raise if it is no whole JSON."""
    try:
        envelope = _envelope.decode(body)
    except ValueError:
        # Python takes what msgspec does not: half of a surrogate pair.
        envelope = msgspec.convert(
            json.loads(body, parse_constant=_refused), type=_Envelope
        )
    return envelope.nextToken or envelope.NextToken or None


def _refused(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def as_body(parsed: Mapping[str, Any]) -> bytes:
    """Return an answer that boto3 has parsed as the JSON it may have come from."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            if "SDK_UNKNOWN_MEMBER" in value:
                return {value["SDK_UNKNOWN_MEMBER"]["name"]: {}}
            return {k: plain(v) for k, v in value.items() if k != "ResponseMetadata"}
        if isinstance(value, list):
            return [plain(item) for item in value]
        if isinstance(value, dt.datetime):
            return value.isoformat()
        return value

    return json.dumps(plain(dict(parsed)), ensure_ascii=False).encode()
