"""What AWS sent, as it came: pages and items, and tables made of your own pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from casesnb.tables.load import iter_cases
from casesnb.tables.tidy import OPERATION, changes_frame, events_frame
from casesnb.wire.pages import Page, iter_pages
from casesnb.wire.responder import Request, Responder, Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from casesnb.wire.client import Client

__all__ = [
    "Page",
    "Request",
    "Responder",
    "Response",
    "changes_frame",
    "events_frame",
    "iter_audit_events",
    "iter_audit_pages",
    "iter_cases",
]
PAGE_SIZE = 25
"""The most events that AWS gives in one audit page."""


def __dir__() -> list[str]:
    return __all__


def iter_audit_pages(
    client: Client, domain_id: str, case_id: str, *, page_size: int = PAGE_SIZE
) -> Iterator[Page]:
    """Yield a case's audit pages as raw bytes, first page first.

    Parameters
    ----------
    client : Client
        Any boto3 ``connectcases`` client.
    domain_id : str
        The domain.
    case_id : str
        The case.
    page_size : int, default 25
        Events a page, 1 to 25.

    Yields
    ------
    Page
        One answer of ``GetCaseAuditEvents``.

    Raises
    ------
    PageError
        If an answer is not a whole page, or a token comes twice.
    botocore.exceptions.ClientError
        Whatever the service answers instead.
    """
    yield from iter_pages(
        client, OPERATION, domainId=domain_id, caseId=case_id, maxResults=page_size
    )


def iter_audit_events(
    client: Client, domain_id: str, case_id: str, *, page_size: int = PAGE_SIZE
) -> Iterator[dict[str, Any] | None]:
    """Yield a case's audit events as AWS sent them, in the order they came.

    Parameters
    ----------
    client : Client
        Any boto3 ``connectcases`` client.
    domain_id : str
        The domain.
    case_id : str
        The case.
    page_size : int, default 25
        Events a page, 1 to 25.

    Yields
    ------
    dict or None
        One event's JSON: every member, known or not. None where AWS sent null.

    Raises
    ------
    PageError
        If an answer is not a whole page, or a token comes twice.
    botocore.exceptions.ClientError
        Whatever the service answers instead.
    """
    for page in iter_audit_pages(client, domain_id, case_id, page_size=page_size):
        yield from page.items("auditEvents")
