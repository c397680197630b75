"""What a client asks and what it is told: `Request`, `Response`, `Responder`.

A responder is any callable ``(Request) -> Response``. A recording folder, an
archive and the sandbox are responders, and so is your own function.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from botocore.awsrequest import AWSPreparedRequest


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request of an AWS client, without host and signature.

    Parameters
    ----------
    operation : str
        The operation's name, such as ``"GetCaseAuditEvents"``.
    method : str
        The HTTP method, such as ``"POST"``.
    path : str
        The path as sent, percent-encoded, without the query.
    query : str, default ""
        The query as sent, without the question mark.
    body : bytes, default b""
        The body as sent.
    service : str, default "connectcases"
        The service's name in boto3.
    """

    operation: str
    method: str
    path: str
    query: str = ""
    body: bytes = b""
    service: str = "connectcases"

    def canonical(self) -> str:
        """Return the text that two equal requests share, whatever their spelling.

        Returns
        -------
        str
            One line of JSON: service, operation, method, decoded path, sorted
            query and the body with sorted keys. A body that is not JSON stands
            as its text.
        """
        try:
            body = json.loads(self.body) if self.body else None
        except ValueError:
            body = self.body.decode("utf-8", "backslashreplace")
        query = urlencode(sorted(parse_qsl(self.query, keep_blank_values=True)))
        parts = [self.service, self.operation, self.method, unquote(self.path), query]
        # An absent body and an empty object ask the same thing.
        return json.dumps([*parts, body or None], sort_keys=True, ensure_ascii=False)


def as_request(sent: AWSPreparedRequest, operation: str, service: str) -> Request:
    """Return what boto3 is about to send."""
    url = urlsplit(sent.url)
    body: Any = sent.body or b""
    return Request(
        operation,
        sent.method,
        url.path,
        url.query,
        body.encode() if isinstance(body, str) else bytes(body),
        service,
    )


TOKENS = ("nextToken", "NextToken")
"""What the services call the token that names a page of a listing."""


def asked_in(request: Request) -> tuple[dict[str, str], dict[str, Any]]:
    """Return what a request asks by its query, and what by its body."""
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    try:
        body = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        body = None
    return query, body if isinstance(body, dict) else {}


def token_of(request: Request) -> str | None:
    """Return the token of the page that is asked for; None is the first."""
    query, body = asked_in(request)
    asked = {**query, **body}
    return next((asked[name] for name in TOKENS if asked.get(name)), None)


def less_of(request: Request, left_out: Collection[str]) -> Request:
    """Return a request that does not ask for some members, be they in query or body."""
    asked = asked_in(request)
    query, body = (
        {name: value for name, value in part.items() if name not in left_out}
        for part in asked
    )
    told = json.dumps(body).encode() if asked[1] else request.body
    return replace(request, query=urlencode(query), body=told)


def at_token(request: Request, token: str) -> Iterator[Request]:
    """Yield the ways to ask for another page of a request's listing."""
    first = less_of(request, TOKENS)
    query, body = asked_in(first)
    for name in TOKENS:
        yield replace(first, body=json.dumps({**body, name: token}).encode())
        yield replace(first, query=urlencode({**query, name: token}))


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer, as raw as it came.

    Parameters
    ----------
    status : int
        The HTTP status code.
    headers : Mapping[str, str]
        The headers, their names in lower case.
    body : bytes
        The body, decoded from any transfer encoding.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Responder(Protocol):
    """Anything that answers a request in place of AWS.

    A responder may have a ``provenance`` attribute, a JSON-like dict; it is
    written into the manifest of what is recorded from it, and its ``"source"``
    names the kind of source, such as ``"sandbox"``.
    """

    def __call__(self, request: Request, /) -> Response:
        """Answer one request."""
        ...
