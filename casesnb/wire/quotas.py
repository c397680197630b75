"""The published quotas as data: how fast AWS lets one account ask in one Region.

Source: "Amazon Connect Cases API throttling quotas" and "Amazon Connect API
throttling quotas" in the Amazon Connect administrator guide. All callers of an
account share them.
"""

from __future__ import annotations

from typing import NamedTuple


class Quota(NamedTuple):
    """How often an operation may be called."""

    rate: float  # calls a second, sustained
    burst: int  # calls at once, before the rate applies


DEFAULT = {"connectcases": Quota(2, 5), "connect": Quota(2, 5)}
"""Where AWS lists nothing for an operation, the lowest that it lists for any."""

QUOTAS = {
    ("connectcases", "GetCaseAuditEvents"): Quota(2, 10),
    ("connectcases", "SearchCases"): Quota(2, 10),
    ("connectcases", "SearchRelatedItems"): Quota(2, 10),
    ("connectcases", "ListTemplates"): Quota(2, 10),
    ("connectcases", "ListLayouts"): Quota(2, 10),
    ("connectcases", "ListCaseRules"): Quota(2, 10),
    ("connectcases", "GetCaseEventConfiguration"): Quota(2, 10),
    ("connectcases", "GetCase"): Quota(4, 10),
    ("connectcases", "ListCasesForContact"): Quota(2, 2),
    ("connectcases", "ListFields"): Quota(2, 5),
    ("connectcases", "ListDomains"): Quota(2, 5),
    ("connectcases", "GetDomain"): Quota(2, 5),
    ("connectcases", "ListFieldOptions"): Quota(6, 16),
    ("connectcases", "GetTemplate"): Quota(6, 20),
    ("connectcases", "GetLayout"): Quota(6, 20),
    ("connectcases", "BatchGetField"): Quota(8, 25),
    ("connectcases", "BatchGetCaseRule"): Quota(8, 25),
    ("connect", "ListIntegrationAssociations"): Quota(25, 50),
}
"""Rate and burst by service and operation, for the read operations that AWS lists."""


def quota(service: str, operation: str) -> Quota:
    """Return the published quota of an operation, or the lowest of its service."""
    return QUOTAS.get((service, operation), DEFAULT.get(service, Quota(2, 5)))
