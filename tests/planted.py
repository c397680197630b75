"""A service whose every answer holds secrets: what redaction must not let through.

Each of ``PLANTED`` is put where its name says; none may be found, in any form, in what
a recorder writes.
"""

from __future__ import annotations

import base64
import gzip
import json
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import quote

from answers import DATE

import casesnb as cn

PLANTED = {
    # ids and ARNs
    "account": "718239465102",
    "instance": "5e0b1d7a-91c4-4f3e-8a26-7d90c1e2f3a4",
    "domain": "3c91aa70-2b5d-4e8f-9107-65fe43dc21ba",
    "case": "a7710c3e-5f29-4d18-b6e4-90812f3d4c5e",
    "other case": "0d9e8f71-6a2b-4c3d-8e5f-1a2b3c4d5e6f",
    "custom field": "91e7c3d5-0f4a-4b6c-8d2e-f1a0b9c8d7e6",
    "template": "6b5a4938-2716-4f05-9e8d-7c6b5a493827",
    "event": "e81f2a3b-4c5d-4e6f-8091-a2b3c4d5e6f7",
    "merge": "2f4e6d8c-0b1a-4938-8776-655443322110",
    "related item": "77665544-3322-4110-8fee-ddccbbaa9988",
    "user": "c0ffee12-3456-4789-8abc-def012345678",
    "queue": "9a8b7c6d-5e4f-4032-8110-ffeeddccbbaa",
    "contact": "48151623-4200-4815-8162-342481516234",
    "customer profile": "c7a1f0e2d3b4495867a8b9c0d1e2f3a4",
    "role": "ClaimsDeskPowerUserRole",
    "session": "zuzanna.kowalczyk",
    "file": "14916253-6496-4811-8001-214416919622",
    # people
    "first name": "Zuzanna",
    "last name": "Kowalczyk",
    "username": "zkowalczyk-desk7",
    "email": "zuzanna.k@hospital-west.example",
    "phone": "+441632960814",
    "custom entity": "partner:nightly-sync@hospital-west",
    # names
    "domain name": "Hospital West Claims",
    "queue name": "Oncology billing",
    "template name": "Chemo reimbursement",
    "field name": "Ward of the patient",
    "SLA name": "Oncology answers in four hours",
    "option value": "palliative_ward",
    "option name": "Palliative ward",
    # free text
    "title": "Refund for Aleksander Wysocki, biopsy of 12 May",
    "summary": "Patient's wife rang about the second invoice",
    "comment": "He lives at 14 Wharf Lane and pays by direct debit",
    "custom text": "Wharf Lane 14, flat 3b",
    "date of birth": "1961-08-23T00:00:00Z",
    "search": "Wysocki biopsy",
    "message": "User zkowalczyk may not read Wysocki",
    "reference": "77120945",
    # tags, tokens, the unknown
    "tag key": "cost-centre-oncology",
    "tag value": "ward-nine-funds",
    "token": "eyJwYWdlIjoyLCJjYXNlIjoiV3lzb2NraSJ9",
    "new member": "insurerOfPatient",
    "new member's text": "Baltic Mutual policy",
    "header": "req-Wysocki-7712",
    "file name": "biopsy-wysocki-final.pdf",
    "new status": "AwaitingWysocki",
    # in the request, coded, or cut
    "query": "token-of-Kowalczyk==",
    "in base64": "Marszalkowska 104 m. 12",
    "in a URL": "patient=Wysocki&ward=nine",
    "in gzip": "the second opinion of Dr Nowacki",
    "in UTF-16": "insulin dosage adjusted",
    "escaped": "Łódź, ulica Piotrkowska 99",
    "split name": "Aleksander\nWysocki",
    "cut by a page": "diagnosed in the spring of 2019 with",
}
P = PLANTED
ARN = f"arn:aws:connect:eu-west-2:{P['account']}:instance/{P['instance']}"
CASES = f"arn:aws:cases:eu-west-2:{P['account']}:domain/{P['domain']}"
USER = f"{ARN}/agent/{P['user']}"
QUEUE = f"{ARN}/queue/{P['queue']}"
ROLE = f"arn:aws:sts::{P['account']}:assumed-role/{P['role']}/{P['session']}"
PROFILE = (
    f"arn:aws:profile:eu-west-2:{P['account']}:domains/{P['domain name']}/profiles/"
    f"{P['customer profile']}"
)


def text(value: str) -> dict[str, Any]:
    return {"stringValue": value}


def change(field_id: str, new: Any, old: Any = None) -> dict[str, Any]:
    told = {"eventFieldId": field_id, "newValue": new}
    return told if old is None else {**told, "oldValue": old}


CODED = {
    "in base64": base64.b64encode(P["in base64"].encode()).decode(),
    "in a URL": "https://portal.example/?" + quote(P["in a URL"]),
    "in gzip": base64.b64encode(gzip.compress(P["in gzip"].encode(), mtime=0)).decode(),
    "in UTF-16": base64.b64encode(P["in UTF-16"].encode("utf-16")).decode(),
    "escaped": json.dumps(P["escaped"]).strip('"'),
}

EVENTS = [
    {
        "eventId": P["event"],
        "type": "Case.Created",
        "performedTime": "2026-03-02T09:00:00.125Z",
        "fields": [
            change("title", text(P["title"])),
            change("summary", text(P["summary"]), text(P["split name"])),
            change("status", text("open")),
            change("status", text("with_doctor"), text("open")),
            change("case_reason", text(P["option value"])),
            change("reference_number", text(P["reference"])),
            change("assigned_queue", text(QUEUE)),
            change("assigned_user", {"userArnValue": USER}, {"emptyValue": {}}),
            change("customer_id", text(PROFILE)),
            change(P["custom field"], text(P["custom text"])),
            change("created_datetime", text("2026-03-02T09:00:00.000Z")),
            change(f"{P['custom field'][:-1]}0", text(P["date of birth"])),
            change("amount", {"doubleValue": 129.5}, {"booleanValue": True}),
            change("note", {P["new member"]: P["new member's text"]}),
        ],
        "performedBy": {
            "iamPrincipalArn": ROLE,
            "user": {"customEntity": P["custom entity"]},
        },
        "mergeMetadata": {
            "mergeEventId": P["merge"],
            "primaryCaseId": P["case"],
            "secondaryCaseId": P["other case"],
        },
        P["new member"]: {"inner": [P["new member's text"], 4711, True]},
    },
    None,
    {
        "eventId": "e2",
        "type": P["new status"],
        "performedTime": "2026-03-02T10:00:00Z",
        "relatedItemType": "Comment",
        "fields": [
            change("comment.body", text(P["comment"])),
            change("comment.contentType", text("Text/Plain")),
            change("file.fileName", text(P["file name"])),
            change("sla.name", text(P["SLA name"])),
            change("sla.status", text("Active")),
            change("custom.diagnosis", text(P["cut by a page"][:20])),
            *(change(f"note {n}", text(coded)) for n, coded in CODED.items()),
        ],
        "performedBy": {"iamPrincipalArn": ROLE, "user": {"userArn": USER}},
    },
]
LAST = [
    {
        "eventId": "e3",
        "type": "Case.Updated",
        "performedTime": "2026-03-03T10:00:00Z",
        "fields": [change("custom.diagnosis", text(P["cut by a page"][20:]))],
    }
]
TAGS = {P["tag key"]: P["tag value"]}

ANSWERS: dict[str, Any] = {
    "ListDomains": {
        "domains": [
            {"domainId": P["domain"], "domainArn": CASES, "name": P["domain name"]}
        ]
    },
    "GetDomain": {
        "domainId": P["domain"],
        "domainArn": CASES,
        "name": P["domain name"],
        "createdTime": "2024-01-01T00:00:00Z",
        "domainStatus": "Active",
        "tags": TAGS,
    },
    "ListFields": {
        "fields": [
            {
                "fieldId": P["custom field"],
                "fieldArn": f"{CASES}/field/{P['custom field']}",
                "name": P["field name"],
                "type": "Text",
                "namespace": "Custom",
            },
            {
                "fieldId": "status",
                "fieldArn": f"{CASES}/field/status",
                "name": "Status",
                "type": "SingleSelect",
                "namespace": "System",
            },
        ]
    },
    "ListFieldOptions": {
        "options": [
            {"name": P["option name"], "value": P["option value"], "active": True}
        ]
    },
    "ListTemplates": {
        "templates": [
            {
                "templateId": P["template"],
                "templateArn": f"{CASES}/template/{P['template']}",
                "name": P["template name"],
                "status": "Active",
            }
        ]
    },
    "SearchCases": {
        "cases": [
            {
                "caseId": P["case"],
                "templateId": P["template"],
                "fields": [{"id": "title", "value": text(P["title"])}],
                "tags": TAGS,
            }
        ],
        "totalCount": 1,
    },
    "GetCase": {
        "fields": [{"id": P["custom field"], "value": text(P["custom text"])}],
        "templateId": P["template"],
        "tags": TAGS,
    },
    "SearchRelatedItems": {
        "relatedItems": [
            {
                "relatedItemId": P["related item"],
                "type": "File",
                "associationTime": "2026-03-02T09:00:00Z",
                "content": {"file": {"fileArn": f"{CASES}/file/{P['file']}"}},
                "performedBy": {"customEntity": P["custom entity"]},
            },
            {
                "relatedItemId": "r2",
                "type": "Contact",
                "associationTime": "2026-03-02T09:00:00Z",
                "content": {"contact": {"contactArn": f"{ARN}/contact/{P['contact']}"}},
            },
        ]
    },
    "ListInstances": {
        "InstanceSummaryList": [
            {
                "Id": P["instance"],
                "Arn": ARN,
                "InstanceAlias": P["domain name"],
                "CreatedTime": 1704067200.0,
                "InstanceAccessUrl": f"https://{P['in a URL']}.example",
            }
        ]
    },
    "SearchUsers": {
        "Users": [
            {
                "Id": P["user"],
                "Arn": USER,
                "Username": P["username"],
                "IdentityInfo": {
                    "FirstName": P["first name"],
                    "LastName": P["last name"],
                },
                "Tags": TAGS,
            }
        ]
    },
    "DescribeUser": {
        "User": {
            "Id": P["user"],
            "Arn": USER,
            "Username": P["username"],
            "IdentityInfo": {"Email": P["email"], "Mobile": P["phone"]},
        }
    },
    "ListQueues": {
        "QueueSummaryList": [{"Id": P["queue"], "Arn": QUEUE, "Name": P["queue name"]}]
    },
}


class Planted:
    """Answers with the secrets, and refuses one case with an error that tells some."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {**ANSWERS, **answers}

    def __call__(self, request: cn.raw.Request) -> cn.raw.Response:
        headers = {"content-type": "application/json", "date": DATE}
        headers["x-amzn-requestid"] = P["header"]
        if request.operation == "GetCaseAuditEvents":
            if P["other case"] in request.path:
                told = {"message": P["message"], "resourceId": P["other case"]}
                headers["x-amzn-errortype"] = "ResourceNotFoundException"
                return cn.raw.Response(404, headers, json.dumps(told).encode())
            asked = json.loads(request.body).get("nextToken")
            page = {"auditEvents": LAST if asked else EVENTS}
            if not asked:
                page["nextToken"] = P["token"]
            return cn.raw.Response(200, headers, json.dumps(page).encode())
        answer = self.answers.get(request.operation, {})
        return cn.raw.Response(200, headers, json.dumps(answer).encode())


def ask_all(service: cn.raw.Responder, **how: Any) -> None:
    """Ask `service` for all that it answers, as the loaders and others do."""
    cases = cn.connect(service, **how)
    people = cn.connect(service, service_name="connect", **how)
    case = {"domainId": P["domain"], "caseId": P["case"]}
    cases.list_domains(nextToken=P["query"])
    cases.get_domain(domainId=P["domain"])
    cases.list_fields(domainId=P["domain"])
    cases.list_field_options(domainId=P["domain"], fieldId=P["custom field"])
    cases.list_templates(domainId=P["domain"], status=["Active"])
    cases.search_cases(
        domainId=P["domain"],
        searchTerm=P["search"],
        filter={"field": {"equalTo": {"id": "title", "value": text(P["title"])}}},
    )
    cases.get_case(**case, fields=[{"id": P["custom field"]}])
    cases.get_case_audit_events(**case, maxResults=25)
    cases.get_case_audit_events(**case, maxResults=25, nextToken=P["token"])
    cases.search_related_items(**case)
    with suppress(cases.exceptions.ResourceNotFoundException):
        cases.get_case_audit_events(domainId=P["domain"], caseId=P["other case"])
    people.list_instances()
    people.search_users(InstanceId=P["instance"])
    people.describe_user(InstanceId=P["instance"], UserId=P["user"])
    people.list_queues(InstanceId=P["instance"])


@cache
def exchanges() -> list[tuple[cn.raw.Request, cn.raw.Response]]:
    """What `ask_all` asks, and what is answered."""
    found = []
    service = Planted()

    def answer(request: cn.raw.Request) -> cn.raw.Response:
        found.append((request, service(request)))
        return found[-1][1]

    ask_all(answer)
    return found
