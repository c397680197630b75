"""Small histories for the tests of what people look at, hostile texts among them."""

from __future__ import annotations

from typing import Any

from answers import Pages

import casesnb as cn

AGENTS = "arn:aws:connect:eu-west-2:111122223333:instance/9d/agent/"
SERVICE = (
    "arn:aws:iam::111122223333:role/aws-service-role/connect.amazonaws.com/"
    "AWSServiceRoleForAmazonConnect_x"
)
HOSTILE = (
    "costs $100 or $x_1^2$",
    '<img src=x onerror="alert(1)">',
    "</pre></script><script>alert(2)</script>",
    "pay\u202eexe.txt\u2066",
    "x" * 4_100,
    "two\nlines\r\nand\ttabs",
    "nul\x00bell\x07esc\x1b[31m",
    "=HYPERLINK(A1)",
    "名前 👩\u200d👧 é",
    "{braces} %s %(x)s \\frac{1}{2}",
    "",
    " ",
)


def by(agent: str = "", *, custom: str = "", role: str = SERVICE) -> dict[str, Any]:
    who: dict[str, Any] = {"iamPrincipalArn": role}
    if agent:
        who["user"] = {"userArn": AGENTS + agent}
    if custom:
        who["user"] = {"customEntity": custom}
    return who


def value(given: Any) -> dict[str, Any]:
    match given:
        case None:
            return {"emptyValue": {}}
        case bool():
            return {"booleanValue": given}
        case float():
            return {"doubleValue": given}
    kind = "userArnValue" if given.startswith(AGENTS) else "stringValue"
    return {kind: given}


def event(
    number: int,
    at: str,
    who: dict[str, Any] | None,
    *,
    kind: str = "Case.Updated",
    item: str = "",
    **fields: Any,
) -> dict[str, Any]:
    """One event; a field is its new value, or its old and its new one."""
    listed = []
    for name, change in fields.items():
        old_new = change if isinstance(change, tuple) else (..., change)
        told = {"eventFieldId": name, "newValue": value(old_new[1])}
        if old_new[0] is not ...:
            told["oldValue"] = value(old_new[0])
        listed.append(told)
    made: dict[str, Any] = {
        "eventId": f"e{number}",
        "type": kind,
        "performedTime": f"2026-02-{at}Z",
        "fields": listed,
    }
    if who is not None:
        made["performedBy"] = who
    if item:
        made["relatedItemType"] = item
    return made


ANNA, BEN = AGENTS + "anna", AGENTS + "ben"

PLAIN = [
    event(
        0,
        "02T09:00:00",
        by(),
        kind="Case.Created",
        status="open",
        title="Refund",
        amount=129.5,
    ),
    event(1, "02T10:00:00", by("anna"), assigned_user=(None, ANNA)),
    event(2, "02T10:05:00", by("anna"), kind="RelatedItem.Created", item="Comment"),
    event(3, "03T09:00:00", by(custom="crm-sync"), amount=(129.5, 149.0)),
    event(4, "03T12:00:00", by("anna"), status=("open", "closed")),
    event(
        5, "04T12:00:00", by(role="arn:aws:iam::1:role/api"), status=("closed", "open")
    ),
    # The holder before is not the one that the history knows: something is missing.
    event(6, "05T12:00:00", by("ben"), assigned_user=(AGENTS + "cy", BEN)),
    event(7, "05T13:00:00", None, kind="RelatedItem.Created", item="Sla"),
]


def history(events: list[Any] | None = None, case_id: str = "4711") -> cn.History:
    events = PLAIN if events is None else events
    return cn.load_history(cn.connect(Pages(events)), "d", case_id)


HOSTILE_EVENTS = [
    event(
        n,
        f"{1 + n:02}T09:00:00",
        by(custom=text or "?") if n % 2 else by("anna"),
        kind="Case.Updated" if n else "Case.Created",
        title=(HOSTILE[n - 1], text) if n else text,
        status=text[:100],
        **{f"field {text[:400]}": text},
    )
    for n, text in enumerate(HOSTILE)
]


def hostile_history() -> cn.History:
    """A case whose every text was written by an enemy."""
    return history(HOSTILE_EVENTS, case_id="<b>case</b> $4711$")


def many(limit: int | None = None) -> cn.History:
    """Cases of the sandbox's first domain."""
    world = cn.sandbox.World(seed=7)
    client = cn.connect(world)
    domain_id = world.showcase[0]
    cases = cn.load_cases(client, domain_id, limit=limit)
    return cn.load_histories(client, domain_id, cases["case_id"])
