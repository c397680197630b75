"""The service: a genuine client can't tell it from the real one by its protocol."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from test_world import OFTEN, world_of

import casesnb as cn
from casesnb.sandbox import World
from casesnb.sandbox.service.cases import ORDERS
from casesnb.sandbox.service.model import Shapes, shapes
from casesnb.sandbox.service.service import OPERATIONS, Service

DATE = "Mon, 30 Mar 2026 17:00:00 GMT"


def clients(world: World, order: str = "newest first") -> dict[str, Any]:
    service = world.service(order=order)
    return {
        name: cn.connect(service, service_name=name)
        for name in ("connectcases", "connect")
    }


def call(service: Service, path: str, body: Any = None, **how: str) -> cn.raw.Response:
    raw = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    return service(cn.raw.Request("", how.pop("method", "POST"), path, body=raw, **how))


# ------------------------------------------------------------------- the long walk


class Walk:
    """Asks anything that a client may ask, as chance has it, and checks each answer."""

    def __init__(self, world: World, order: str, seed: int) -> None:
        self.clients = clients(world, order)
        self.world = world
        self.chance = random.Random(seed)
        self.asked: Counter[tuple[str, str]] = Counter()
        self.refused: Counter[str] = Counter()
        self.pending: list[tuple[str, str, dict[str, Any]]] = []
        self.domains = list(world.domains)
        self.contacts = [
            item.versions[0][1]["contactArn"]
            for case_id in world.case_ids()
            for item in world.life(case_id).items
            if item.type == "Contact" and item.versions[0][1]
        ]

    def step(self) -> None:
        if self.pending and self.chance.random() < 0.4:
            service, operation, params = self.pending.pop()
        else:
            service, operation = self.chance.choice(OPERATIONS)
            params = self.params(service, operation)
        self.ask(service, operation, params)

    def ask(self, service: str, operation: str, params: dict[str, Any]) -> None:
        client = self.clients[service]
        self.asked[service, operation] += 1
        try:
            answer = getattr(client, botocore.xform_name(operation))(**params)
        except ClientError as error:  # which of them may come is the model's to say
            code = error.response["Error"]["Code"]
            shape = client.meta.service_model.operation_model(operation).error_shapes
            assert code in {each.name for each in shape}
            self.refused[code] += 1
            return
        meta = answer.pop("ResponseMetadata")
        assert meta["HTTPStatusCode"] == 200
        assert meta["HTTPHeaders"]["date"] == DATE
        model = client.meta.service_model.operation_model(operation)
        report = ParamValidator().validate(answer, model.output_shape)
        assert not report.has_errors(), (operation, report.generate_report())
        for name in ("nextToken", "NextToken"):
            if name in answer:
                self.pending.append(
                    (service, operation, {**params, name: answer[name]})
                )

    def params(self, service: str, operation: str) -> dict[str, Any]:
        """Required members always, each other member now and then, some of them odd."""
        model = self.clients[service].meta.service_model.operation_model(operation)
        shape = model.input_shape
        if shape is None:
            return {}
        domain = self.chance.choice(self.domains)
        params = {}
        for name, member in shape.members.items():
            needed = name in shape.required_members
            if name.lower() != "nexttoken" and (needed or self.chance.random() < 0.4):
                params[name] = self.value(name, member, domain)
        return {name: value for name, value in params.items() if value is not None}

    def value(self, name: str, member: Any, domain: Any) -> Any:
        chance = self.chance
        ids = [*self.world.case_ids(domain.domain_id), *self.world.awkward.values()]
        fields = [*domain.fields_by_id]
        low, high = member.metadata.get("min", 1), member.metadata.get("max", 100)
        match name:
            case "domainId":
                return chance.choice([domain.domain_id] * 19 + ["no-domain"])
            case "caseId":
                return chance.choice([*ids, "no-case"])
            case "fieldId":
                return chance.choice([*fields, "no-field"])
            case "templateId":
                return chance.choice([t.template_id for t in domain.templates] + ["no"])
            case "InstanceId":
                return chance.choice([domain.instance_id] * 9 + ["no"])
            case "UserId":
                return chance.choice([a.user_id for a in domain.agents] + ["no"])
            case "contactArn":
                return chance.choice([*self.contacts, "arn:no"])
            case "maxResults" | "MaxResults":
                return chance.randint(low, min(high, 9))
            case "fields":
                few = chance.sample(fields, chance.randint(1, 9))
                return [{"id": field_id} for field_id in few]
            case "filter":
                return self.filter(fields, 0)
            case "searchTerm":
                return chance.choice(["water", "refund order", "zzz", ""])
            case "sorts" if "AssociationTime" in str(member.member.members):
                return [{"sortProperty": "AssociationTime", "sortOrder": "Desc"}]
            case "sorts":
                return (
                    [
                        {"fieldId": chance.choice(fields), "sortOrder": order}
                        for order in ("Asc", "Desc")[: chance.randint(0, 2)]
                    ]
                    if "sortProperty" not in member.member.members
                    else [
                        {
                            "sortProperty": key,
                            "sortOrder": chance.choice(["Asc", "Desc"]),
                        }
                        for key in ("AssociationTime", "CaseId")[: chance.randint(0, 2)]
                    ]
                )
            case "filters":
                return chance.sample(self.item_filters(), chance.randint(1, 3))
            case "status":
                return chance.choice([["Active"], ["Inactive"], ["Active", "Inactive"]])
            case "values":
                return ["open"]
            case "IntegrationType":
                return chance.choice(["CASES_DOMAIN", "EVENT"])
            case "IntegrationArn":
                return domain.arn
            case "QueueTypes":
                return [chance.choice(["STANDARD", "AGENT"])]
            case "SearchCriteria":
                return {
                    "StringCondition": {
                        "FieldName": "Username",
                        "Value": "a",
                        "ComparisonType": chance.choice(["CONTAINS", "STARTS_WITH"]),
                    }
                }
        return None

    def filter(self, fields: list[str], depth: int) -> dict[str, Any]:
        chance = self.chance
        kind = chance.choice(["field"] * 3 + ["tag", "not", "andAll", "orAll"])
        if kind in {"andAll", "orAll"} and depth < 2:
            return {kind: [self.filter(fields, depth + 1) for _ in range(2)]}
        if kind == "not" and depth < 2:
            return {kind: self.filter(fields, depth + 1)}
        if kind == "tag":
            return {"tag": {"equalTo": {"key": "channel", "value": "voice"}}}
        operator = chance.choice(
            ["equalTo", "contains", "greaterThan", "lessThanOrEqualTo", "lessThan"]
        )
        value = chance.choice(
            [
                {"stringValue": "open"},
                {"stringValue": "2026-02-01T00:00:00Z"},
                {"doubleValue": 100.0},
                {"booleanValue": True},
                {"emptyValue": {}},
            ]
        )
        return {"field": {operator: {"id": chance.choice(fields), "value": value}}}

    def item_filters(self) -> list[dict[str, Any]]:
        value = {"id": "total", "value": {"doubleValue": 10.0}}
        return [
            {"comment": {}},
            {"file": {}},
            {"contact": {"channel": ["VOICE", "CHAT"]}},
            {"sla": {"status": "Met"}},
            {"connectCase": {}},
            {"custom": {"fields": {"field": {"greaterThan": value}}}},
            {"custom": {}},
        ]


@pytest.mark.parametrize(
    "order", [ORDERS[0], pytest.param(ORDERS[1], marks=pytest.mark.slow)]
)
def test_every_answer_of_a_walk_of_two_thousand_requests_is_valid(order: str) -> None:
    walk = Walk(world_of(6, cases=12), order, seed=20)
    for _ in range(2000):
        walk.step()
    assert sum(walk.asked.values()) == 2000
    assert set(walk.asked) == set(OPERATIONS)
    assert sum(walk.refused.values()) < 500
    assert {"ResourceNotFoundException"} <= set(walk.refused)


# ---------------------------------------------------------------- single operations


def test_both_orders_and_a_mixture_hold_the_same_events() -> None:
    world = world_of(2)
    domain_id, case_id = world.showcase
    ids = {}
    for order in ORDERS:
        client = cn.connect(world.service(order=order))
        events = cn.raw.iter_audit_events(client, domain_id, case_id)
        ids[order] = [event["eventId"] for event in events]
    assert ids["newest first"] == ids["oldest first"][::-1]
    assert ids["mixed"] not in (ids["newest first"], ids["oldest first"])
    assert sorted(ids["mixed"]) == sorted(ids["oldest first"])
    with pytest.raises(ValueError, match="order='any' is none of newest first"):
        world.service(order="any")


def test_search_finds_what_its_filter_says() -> None:
    world = world_of(9, cases=60, domains=1)
    client = cn.connect(world)
    (domain,) = world.domains
    amount = domain.fields["amount"].field_id
    states = {case_id: world.true_state(case_id) for case_id in world.case_ids()}

    def found(**asked: Any) -> list[str]:
        pages = client.get_paginator("search_cases").paginate(
            domainId=domain.domain_id, **asked
        )
        return [case["caseId"] for page in pages for case in page["cases"]]

    def field(operator: str, field_id: str, value: Any) -> dict[str, Any]:
        return {"field": {operator: {"id": field_id, "value": value}}}

    closed = field("equalTo", "status", {"stringValue": "closed"})
    is_closed = {c for c, s in states.items() if s["status"][1] == "closed"}
    assert set(found(filter=closed)) == is_closed
    assert 0 < len(is_closed) < 60
    assert set(found(filter={"not": closed})) == set(states) - is_closed
    dear = field("greaterThan", amount, {"doubleValue": 1000.0})
    is_dear = {
        c for c, s in states.items() if amount in s and float(s[amount][1] or 0) > 1000
    }
    assert set(found(filter=dear)) == is_dear
    assert set(found(filter={"andAll": [closed, dear]})) == is_closed & is_dear
    assert set(found(filter={"orAll": [closed, dear]})) == is_closed | is_dear
    nobody = field("equalTo", "assigned_user", {"emptyValue": {}})
    assert set(found(filter=nobody)) == {
        c for c, s in states.items() if s.get("assigned_user", ("", None))[1] is None
    }
    since = field(
        "greaterThanOrEqualTo", "created_datetime", {"stringValue": "2026-02-15"}
    )
    created = {c: next(world.true_events(c)).performed_at for c in states}
    assert set(found(filter=since)) == {
        c for c, at in created.items() if at.isoformat() >= "2026-02-15"
    }
    word = field("contains", "title", {"stringValue": "WATER"})
    assert set(found(filter=word)) == {
        c for c, s in states.items() if "water" in (s["title"][1] or "").casefold()
    }
    assert set(found(searchTerm="water")) >= set(found(filter=word))
    for tag in ("voice", "chat", "task", "email"):
        wanted = {"tag": {"equalTo": {"key": "channel", "value": tag}}}
        assert len(found(filter=wanted)) == sum(
            world.life(c).tags["channel"] == tag for c in states
        )
    for order in ("Asc", "Desc"):
        ranked = found(sorts=[{"fieldId": amount, "sortOrder": order}])
        amounts = [states[c].get(amount, ("", None))[1] for c in ranked]
        there = [float(a) for a in amounts if a is not None]
        assert there == sorted(there, reverse=order == "Desc")
        assert amounts[len(there) :] == [None] * (60 - len(there))
    answer = client.search_cases(
        domainId=domain.domain_id,
        filter=closed,
        maxResults=1,
        fields=[{"id": "status"}],
    )
    assert answer["totalCount"] == len(is_closed)
    assert answer["cases"][0]["fields"] == [
        {"id": "status", "value": {"stringValue": "closed"}}
    ]


def test_related_items_are_those_that_are_there_now() -> None:
    world = world_of(3)
    client = cn.connect(world)
    for domain in world.domains:
        everywhere = [
            (item["caseId"], item["relatedItemId"])
            for page in client.get_paginator("search_all_related_items").paginate(
                domainId=domain.domain_id
            )
            for item in page["relatedItems"]
        ]
        by_case = [
            (case_id, item["relatedItemId"])
            for case_id in world.case_ids(domain.domain_id)
            for page in client.get_paginator("search_related_items").paginate(
                domainId=domain.domain_id, caseId=case_id
            )
            for item in page["relatedItems"]
        ]
        assert everywhere == by_case
        assert len(set(by_case)) == len(by_case)
        n: Counter[str] = Counter()
        for event in world.true_events():
            if event.domain_id == domain.domain_id:
                kind = event.event_type
                n[event.case_id] += kind == "RelatedItem.Created"
                n[event.case_id] -= kind == "RelatedItem.Deleted"
        assert Counter(case_id for case_id, _ in by_case) == +n


def test_a_merged_cases_items_move_and_its_status_says_so() -> None:
    world = next(w for w in map(world_of, range(20)) if w.true_merges())
    client = cn.connect(world)
    merge = world.true_merges()[0]
    secondary = {"domainId": merge.domain_id, "caseId": merge.secondary_case_id}
    primary = {"domainId": merge.domain_id, "caseId": merge.primary_case_id}
    status = client.get_merge_cases_status(**secondary)
    assert status["status"] == "COMPLETED"
    assert status["primaryCaseId"] == merge.primary_case_id
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_merge_cases_status(**primary)
    running = cn.connect(world.at(merge.at))
    for case in (primary, secondary):
        assert running.get_merge_cases_status(**case)["status"] == "IN_PROGRESS"
    left = client.search_related_items(**secondary)["relatedItems"]
    assert {item["type"] for item in left} <= {"ConnectCase", "Sla", "File"}
    items = client.search_related_items(**primary)["relatedItems"]
    contacts = [item for item in items if item["type"] == "Contact"]
    arn = contacts[-1]["content"]["contact"]["contactArn"]
    found = client.list_cases_for_contact(domainId=merge.domain_id, contactArn=arn)
    assert [case["caseId"] for case in found["cases"]] == [merge.primary_case_id]


def test_names_lead_from_the_domain_to_its_people() -> None:
    world = World(seed=5)
    by_name = clients(world)
    connect = by_name["connect"]
    domain = world.domains[1]
    (instance,) = [
        instance
        for instance in connect.list_instances()["InstanceSummaryList"]
        for found in connect.list_integration_associations(
            InstanceId=instance["Id"], IntegrationType="CASES_DOMAIN"
        )["IntegrationAssociationSummaryList"]
        if found["IntegrationArn"] == domain.arn
    ]
    users = connect.list_users(InstanceId=instance["Id"])["UserSummaryList"]
    gone = {agent.user_id for agent in domain.agents if agent.deleted_ms is not None}
    assert {user["Id"] for user in users} == {a.user_id for a in domain.agents} - gone
    assert gone
    user = connect.describe_user(InstanceId=instance["Id"], UserId=users[0]["Id"])
    assert user["User"]["IdentityInfo"]["FirstName"] == domain.agents[0].first
    with pytest.raises(connect.exceptions.ResourceNotFoundException):
        connect.describe_user(InstanceId=instance["Id"], UserId=gone.pop())
    queues = connect.list_queues(InstanceId=instance["Id"])["QueueSummaryList"]
    assert [queue["Arn"] for queue in queues] == [queue.arn for queue in domain.queues]


def test_a_deleted_field_is_not_listed_but_can_be_got_and_a_renamed_one_is() -> None:
    world = World(seed=5)
    domain = world.domains[0]
    early = world.at(world.now.replace(month=1, day=20))
    names = {}
    for each in (early, world):
        client = cn.connect(each)
        listed = client.list_fields(domainId=domain.domain_id)["fields"]
        names[each.now.month] = {field["name"] for field in listed}
        segment = domain.fields["segment"].field_id
        asked = [{"id": segment}, {"id": "no-field"}]
        got = client.batch_get_field(domainId=domain.domain_id, fields=asked)
        assert got["fields"][0]["deleted"] == (each is world)
        assert [error["id"] for error in got["errors"]] == ["no-field"]
    assert names[1] - names[3] == {"Customer segment", "Reason detail"}
    assert names[3] - names[1] == {"Root cause"}
    options = cn.connect(world).list_field_options(
        domainId=domain.domain_id, fieldId="status"
    )["options"]
    assert [o["value"] for o in options if not o["active"]] == ["on_hold"]


# -------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/domains/nope", {}, 404, "ResourceNotFoundException"),
        ("/domains/{d}/cases/nope/audit-history", {}, 404, "ResourceNotFoundException"),
        ("/domains/{d}/cases/{c}/audit-history", b"{", 400, "ValidationException"),
        ("/domains/{d}/cases/{c}/audit-history", b"[]", 400, "ValidationException"),
        (
            "/domains/{d}/cases/{c}/audit-history",
            {"maxResults": 26},
            400,
            "ValidationException",
        ),
        (
            "/domains/{d}/cases/{c}/audit-history",
            {"nextToken": "made-up"},
            400,
            "ValidationException",
        ),
        ("/domains/{d}/cases/{c}", {}, 400, "ValidationException"),
        ("/domains/{d}/cases/{c}", {"fields": []}, 400, "ValidationException"),
        (
            "/domains/{d}/cases/{c}",
            {"fields": [{"id": "x"}]},
            404,
            "ResourceNotFoundException",
        ),
        (
            "/domains/{d}/cases-search",
            {"filter": {"field": {}}},
            400,
            "ValidationException",
        ),
        (
            "/domains/{d}/cases-search",
            {"sorts": [{"fieldId": "title", "sortOrder": "Up"}]},
            400,
            "ValidationException",
        ),
        ("/domains/{d}/fields/title/options-list", {}, 400, "ValidationException"),
        ("/domains/{d}/cases", {}, 403, "AccessDeniedException"),
        ("/nothing", {}, 400, "UnknownOperationException"),
    ],
)
def test_an_error_is_as_the_model_describes_it(
    path: str, body: Any, status: int, code: str
) -> None:
    world = World(seed=1)
    domain_id, case_id = world.showcase
    response = call(world.service(), path.format(d=domain_id, c=case_id), body)
    assert response.status == status
    assert response.headers["x-amzn-errortype"] == code
    assert response.headers["date"] == DATE
    answer = json.loads(response.body)
    assert answer["message"]
    if code == "ResourceNotFoundException":
        assert answer["resourceId"] in {"nope", "x"}
        assert answer["resourceType"] in {"Domain", "Case", "Field"}


def test_a_case_of_another_domain_is_not_found() -> None:
    world = World(seed=1)
    other = world.domains[1].domain_id
    client = cn.connect(world)
    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
        client.get_case_audit_events(domainId=other, caseId=world.showcase[1])
    assert caught.value.response["resourceType"] == "Case"


def test_the_retry_after_of_an_internal_error_is_where_the_model_puts_it() -> None:
    refusal = shapes("connectcases").refusal(
        "GetCase", "InternalServerException", message="Oh", retryAfterSeconds=3
    )
    assert refusal.status == 500
    assert refusal.headers == {"retry-after": "3"}
    assert refusal.body == {"message": "Oh"}


def test_a_token_is_good_for_its_own_request_only() -> None:
    world = World(seed=1)
    domain_id = world.domains[0].domain_id
    client = cn.connect(world)
    asked = {"domainId": domain_id, "caseId": world.awkward["26 events"]}
    token = client.get_case_audit_events(**asked)["nextToken"]
    again = client.get_case_audit_events(**asked, nextToken=token)
    assert len(again["auditEvents"]) == 1
    assert "nextToken" not in again
    others = (
        {**asked, "caseId": world.awkward["10000 events"]},
        {**asked, "maxResults": 10},
    )
    for other in others:
        with pytest.raises(client.exceptions.ValidationException):
            client.get_case_audit_events(**other, nextToken=token)
    with pytest.raises(client.exceptions.ValidationException):
        client.search_cases(domainId=domain_id, nextToken=token)
    stranger = cn.connect(World(seed=2))
    with pytest.raises(ClientError):
        stranger.get_case_audit_events(**asked, nextToken=token)


@pytest.mark.parametrize("size", [1, 7, 25])
def test_pages_of_any_size_hold_the_whole_history_once(size: int) -> None:
    world = World(seed=1)
    client = cn.connect(world)
    domain_id, case_id = world.showcase
    events = cn.raw.iter_audit_events(client, domain_id, case_id, page_size=size)
    ids = [event["eventId"] for event in events]
    assert ids == [event.event_id for event in world.true_events(case_id)][::-1]


def test_a_world_says_where_its_answers_come_from_and_what_time_it_is() -> None:
    world = World(seed=7, rates=OFTEN)
    assert world.provenance["source"] == "sandbox"
    assert world.provenance["seed"] == 7
    json.dumps(world.provenance)
    earlier = world.at(world.now.replace(month=2, day=3))
    response = call(earlier.service(), "/domains-list")
    assert response.headers["date"] == "Tue, 03 Feb 2026 17:00:00 GMT"
    assert call(world.service(), "/domains-list").headers["date"] == DATE


def test_loading_again_later_finds_what_has_happened_since() -> None:
    world = World(seed=7)
    domain_id, case_id = world.showcase
    times = [event.performed_at for event in world.true_events(case_id)]
    earlier = world.at(times[10])
    for each, n in ((earlier, 11), (world, len(times))):
        history = cn.load_history(cn.connect(each), domain_id, case_id)
        assert len(history.events) == n
        assert history.certificate.fetched_at == each.now.replace(microsecond=0)


def test_threads_may_ask_before_the_checks_are_made() -> None:
    """SearchCases' filter holds itself; its check is made once, on first use."""
    case_filter = {"andAll": [{"not": {"field": {"equalTo": {"id": "x"}}}}]}
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(30):
            model = Shapes("connectcases")
            shape = model._model.operation_model("SearchCases").input_shape

            def check(_: int, model: Any = model, shape: Any = shape) -> list[str]:
                return list(model._check(shape)({"filter": case_filter}, ""))

            with ThreadPoolExecutor(8) as pool:
                found = list(pool.map(check, range(16)))
            assert found == [found[0]] * 16
    finally:
        sys.setswitchinterval(before)
