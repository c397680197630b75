"""The simulated service: pure, a world and a request in, an answer's bytes out.

Amazon Connect Cases' read operations, and those of Amazon Connect that give names.
Every request and every answer is held against botocore's own service model.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from email.utils import format_datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from casesnb.sandbox.centre import to_iso, to_ms
from casesnb.sandbox.dice import Dice, as_uuid, digest
from casesnb.sandbox.filters import (
    MEMBERS,
    NotSimulatedError,
    fields_of,
    holds,
    item_holds,
    mentions,
    sort_key,
    user_holds,
)
from casesnb.sandbox.life import ABSENT, CLOSED, EMPTY
from casesnb.sandbox.shapes import shapes
from casesnb.sandbox.tokens import TokenError, new_token, read_token
from casesnb.wire.responder import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from casesnb.sandbox.centre import Agent, Domain, Field, Template
    from casesnb.sandbox.life import Act, Item, Life, Value
    from casesnb.sandbox.world import World
    from casesnb.wire.responder import Request

ORDERS = ("newest first", "oldest first", "mixed")

_ANSWERS_KEPT = 4096
_LISTINGS_KEPT = 16


class ServiceError(Exception):
    """An error that the service answers with.

    Parameters
    ----------
    code : str
        Its name, such as ``"ResourceNotFoundException"``.
    message : str
        What it says.
    **members : Any
        Its other members, in the model's spelling.
    """

    def __init__(self, code: str, message: str, **members: Any) -> None:
        super().__init__(message)
        self.code = code
        self.members = {"message": message, **members}


class Service:
    """Answers requests about a world as Amazon Connect Cases would.

    Parameters
    ----------
    world : World
        The world.
    order : str, default "newest first"
        How audit events come: ``"newest first"``, ``"oldest first"`` or
        ``"mixed"``, which is any order at all, the same each time.

    Raises
    ------
    ValueError
        If `order` is none of these.

    Examples
    --------
    >>> from casesnb.sandbox import World
    >>> from casesnb.wire.responder import Request
    >>> service = Service(World(seed=7))
    >>> service(Request("ListDomains", "POST", "/domains-list")).status
    200
    """

    def __init__(self, world: World, *, order: str = ORDERS[0]) -> None:
        if order not in ORDERS:
            raise ValueError(f"order={order!r} is none of {', '.join(ORDERS)}.")
        self.world = world
        self.order = order
        self._now = to_ms(world.now)
        self._date = format_datetime(world.now.replace(microsecond=0), usegmt=True)
        self._kept: OrderedDict[object, bytes] = OrderedDict()
        self._listings: OrderedDict[object, list[str]] = OrderedDict()

    @property
    def provenance(self) -> dict[str, Any]:
        """Where answers come from, for manifests."""
        return {**self.world.provenance, "order": self.order}

    def __call__(self, request: Request) -> Response:
        """Answer one request.

        Parameters
        ----------
        request : Request
            The request.

        Returns
        -------
        Response
            The answer, or the error, as AWS sends it.
        """
        kept = self._kept.get(request)
        if kept is not None:
            return self._response(request, 200, kept)
        model = shapes(request.service)
        operation = model.operation(request.method, request.path)
        try:
            if operation is None:
                raise ServiceError(
                    "UnknownOperationException",
                    f"{request.method} {request.path} is no operation.",
                )
            answer = _ANSWERS.get((request.service, operation))
            if answer is None:
                raise ServiceError(
                    "AccessDeniedException",
                    f"User: anonymous is not authorized to perform: {operation}. The "
                    "simulated service answers read operations only.",
                )
            asked, wrong = model.read(operation, request)
            if wrong:
                raise ServiceError("ValidationException", " ".join(wrong))
            found = answer(self, _Asked(operation, request.service, asked))
        except ServiceError as error:
            refusal = model.refusal(operation, error.code, **error.members)
            headers = {"x-amzn-errortype": refusal.code, **refusal.headers}
            body = _json(refusal.body)
            return self._response(request, refusal.status, body, headers)
        wrong = model.wrong(str(operation), found)
        if wrong:
            raise AssertionError(f"The sandbox's answer to {request} is wrong: {wrong}")
        body = _json(found)
        self._keep(request, body)
        return self._response(request, 200, body)

    def error(
        self, request: Request, code: str, message: str, **members: Any
    ) -> Response:
        """Return an error as the service would send it.

        Parameters
        ----------
        request : Request
            What was asked.
        code : str
            The error's name.
        message : str
            What it says.
        **members : Any
            Its other members, in the model's spelling.

        Returns
        -------
        Response
            Status, header and body.
        """
        model = shapes(request.service)
        operation = model.operation(request.method, request.path)
        refusal = model.refusal(operation, code, message=message, **members)
        headers = {"x-amzn-errortype": refusal.code, **refusal.headers}
        return self._response(request, refusal.status, _json(refusal.body), headers)

    def _response(
        self,
        request: Request,
        status: int,
        body: bytes,
        more: Mapping[str, str] | None = None,
    ) -> Response:
        asked = as_uuid(digest(self.world.seed, self._now, request.path, request.body))
        headers = {
            "content-type": "application/json",
            "date": self._date,
            "x-amzn-requestid": asked,
        }
        return Response(status, headers | dict(more or {}), body)

    def _keep(self, request: Request, body: bytes) -> None:
        self._kept[request] = body
        if len(self._kept) > _ANSWERS_KEPT:
            self._kept.popitem(last=False)

    # ------------------------------------------------------------------ the cases

    def _list_domains(self, asked: _Asked) -> dict[str, Any]:
        listed = [
            {"domainId": d.domain_id, "domainArn": d.arn, "name": d.name}
            for d in self.world.domains
        ]
        return self._page(asked, "domains", listed, 10)

    def _get_domain(self, asked: _Asked) -> dict[str, Any]:
        domain = self._domain(asked)
        return {
            "domainId": domain.domain_id,
            "domainArn": domain.arn,
            "name": domain.name,
            "createdTime": to_iso(domain.created_ms),
            "domainStatus": "Active",
            "tags": {},
        }

    def _list_fields(self, asked: _Asked) -> dict[str, Any]:
        domain = self._domain(asked)
        listed = [
            self._field_summary(domain, field)
            for field in domain.fields.values()
            if not field.deleted_at(self._now)
        ]
        return self._page(asked, "fields", listed, 100)

    def _field_summary(self, domain: Domain, field: Field) -> dict[str, Any]:
        summary: dict[str, Any] = {
            "fieldId": field.field_id,
            "fieldArn": f"{domain.arn}/field/{field.field_id}",
            "name": field.name_at(self._now),
            "type": field.type,
            "namespace": "System" if field.is_system else "Custom",
        }
        if field.type == "Text":
            summary["attributes"] = {"text": {"isMultiline": field.is_multiline}}
        return summary

    def _batch_get_field(self, asked: _Asked) -> dict[str, Any]:
        domain = self._domain(asked)
        found, errors = [], []
        for field_id in dict.fromkeys(field["id"] for field in asked["fields"]):
            field = domain.fields_by_id.get(field_id)
            if field is None:
                errors.append(
                    {
                        "id": field_id,
                        "errorCode": "ResourceNotFoundException",
                        "message": f"Field {field_id} not found",
                    }
                )
                continue
            renamed = (
                field.renamed_ms if field.name_at(self._now) != field.name else None
            )
            changed = [
                ms
                for ms in (field.renamed_ms, field.deleted_ms)
                if ms is not None and ms <= self._now and renamed is None
            ]
            found.append(
                {
                    **self._field_summary(domain, field),
                    "tags": {},
                    "deleted": field.deleted_at(self._now),
                    "createdTime": to_iso(domain.created_ms),
                    "lastModifiedTime": to_iso(max([domain.created_ms, *changed])),
                }
            )
        return {"fields": found, "errors": errors}

    def _list_field_options(self, asked: _Asked) -> dict[str, Any]:
        domain = self._domain(asked)
        field = domain.fields_by_id.get(asked["fieldId"])
        if field is None:
            raise _not_found("Field", asked["fieldId"])
        if field.type != "SingleSelect":
            raise ServiceError(
                "ValidationException", f"Field {field.field_id} is not a SingleSelect."
            )
        wanted = asked.get("values")
        listed = [
            {
                "name": option.name,
                "value": option.value,
                "active": option.retired_ms is None or self._now < option.retired_ms,
            }
            for option in field.options
            if not wanted or option.value in wanted
        ]
        return self._page(asked, "options", listed, 100)

    def _list_templates(self, asked: _Asked) -> dict[str, Any]:
        domain = self._domain(asked)
        wanted = asked.get("status") or ["Active"]
        listed = [
            {
                "templateId": template.template_id,
                "templateArn": f"{domain.arn}/template/{template.template_id}",
                "name": template.name,
                "status": self._template_status(template),
            }
            for template in domain.templates
            if self._template_status(template) in wanted
        ]
        return self._page(asked, "templates", listed, 100)

    def _template_status(self, template: Template) -> str:
        retired = template.retired_ms is not None and template.retired_ms <= self._now
        return "Inactive" if retired else "Active"

    def _get_template(self, asked: _Asked) -> dict[str, Any]:
        domain = self._domain(asked)
        for template in domain.templates:
            if template.template_id == asked["templateId"]:
                return {
                    "templateId": template.template_id,
                    "templateArn": f"{domain.arn}/template/{template.template_id}",
                    "name": template.name,
                    "layoutConfiguration": {"defaultLayout": template.layout_id},
                    "requiredFields": [{"fieldId": "title"}],
                    "tags": {},
                    "status": self._template_status(template),
                    "deleted": False,
                    "createdTime": to_iso(domain.created_ms),
                    "lastModifiedTime": to_iso(domain.created_ms),
                    "rules": [],
                }
        raise _not_found("Template", asked["templateId"])

    def _list_layouts(self, asked: _Asked) -> dict[str, Any]:
        domain = self._domain(asked)
        names = {t.layout_id: t.name for t in reversed(domain.templates)}
        listed = [
            {
                "layoutId": layout_id,
                "layoutArn": f"{domain.arn}/layout/{layout_id}",
                "name": f"{name} layout",
            }
            for layout_id, name in reversed(names.items())
        ]
        return self._page(asked, "layouts", listed, 100)

    def _get_case(self, asked: _Asked) -> dict[str, Any]:
        life = self._case(asked)
        fields = self._current(life)
        listed = [
            {"id": field_id, "value": _union(fields[field_id])}
            for field_id in dict.fromkeys(field["id"] for field in asked["fields"])
            if self._known_field(life.domain, field_id) and field_id in fields
        ]
        page = self._page(asked, "fields", listed, 220)
        return {**page, "templateId": life.template.template_id, "tags": life.tags}

    def _known_field(self, domain: Domain, field_id: str) -> bool:
        if field_id not in domain.fields_by_id:
            raise _not_found("Field", field_id)
        return True

    def _current(self, life: Life) -> dict[str, Value]:
        """Return a case's fields as they stand, with what Cases keeps by itself."""
        acts = [act for act in life.acts if act.ms <= self._now]
        last = acts[-1]
        current = life.state(self._now)
        closed = reopened = None
        status = None
        for act in acts:
            for field_id, _, new in act.changes:
                if field_id == "status":
                    if new == CLOSED:
                        closed = act.ms
                    elif status == CLOSED:
                        reopened = act.ms
                    status = new
        targets = [
            content["targetTime"]
            for item in life.items
            for content in [item.content(self._now)]
            if item.type == "Sla" and content and content["status"] == "Active"
        ]
        kept: dict[str, Value] = {
            "case_id": ("string", life.case_id),
            "created_datetime": ("string", to_iso(life.start_ms)),
            "last_updated_datetime": ("string", to_iso(last.ms)),
        }
        if life.created_by.user is not None:
            kept["created_by"] = ("user_arn", life.created_by.user)
        if last.who.user is not None:
            kept["last_updated_user"] = ("user_arn", last.who.user)
        if closed is not None:
            kept["last_closed_datetime"] = ("string", to_iso(closed))
        if reopened is not None:
            kept["last_reopened_datetime"] = ("string", to_iso(reopened))
        if targets:
            kept["next_sla_breach_datetime"] = ("string", min(targets))
        return kept | current

    def _get_case_audit_events(self, asked: _Asked) -> dict[str, Any]:
        life = self._case(asked)
        acts = [act for act in life.acts if act.ms <= self._now and act.is_served]
        if self.order == "newest first":
            acts.reverse()
        elif self.order == "mixed":
            dice = Dice(self.world.seed, life.case_id, "mixed")
            acts.sort(key=lambda _: dice.share())
        return self._page(asked, "auditEvents", acts, 25, _audit_event)

    def _search_cases(self, asked: _Asked) -> dict[str, Any]:
        domain = self._domain(asked)
        wanted = [field["id"] for field in asked.get("fields", ())]
        for field_id in wanted:
            self._known_field(domain, field_id)
        listed = self._matching(domain, asked)
        page = self._page(
            asked, "cases", listed, 25, lambda case_id: self._found(case_id, wanted)
        )
        return {**page, "totalCount": len(listed)}

    def _found(self, case_id: str, wanted: Sequence[str]) -> dict[str, Any]:
        life = self.world.life(case_id)
        fields = self._current(life) if wanted else {}
        return {
            "caseId": case_id,
            "templateId": life.template.template_id,
            "fields": [
                {"id": field_id, "value": _union(fields[field_id])}
                for field_id in dict.fromkeys(wanted)
                if field_id in fields
            ],
            "tags": life.tags,
        }

    def _matching(self, domain: Domain, asked: _Asked) -> list[str]:
        """Return the cases that a search finds, in its order."""
        condition, term = asked.get("filter"), asked.get("searchTerm", "").casefold()
        sorts = asked.get("sorts") or []
        key = json.dumps([domain.domain_id, condition, term, sorts], sort_keys=True)
        known = self._listings.get(key)
        if known is not None:
            return known
        ids = list(self.world.case_ids(domain.domain_id))
        ids.reverse()  # the newest first, about
        if condition or term or sorts:
            for field_id in fields_of(condition, sorts):
                self._known_field(domain, field_id)
            rows = []
            for case_id in ids:
                life = self.world.life(case_id)
                fields = self._current(life)
                if (not condition or holds(condition, fields, life.tags)) and (
                    not term or mentions(term, fields)
                ):
                    rows.append(
                        (case_id, [fields.get(sort["fieldId"]) for sort in sorts])
                    )
            for i, sort in reversed(list(enumerate(sorts))):
                # Cases without a value come last, whichever way.
                down = sort["sortOrder"] == "Desc"
                rows.sort(key=lambda row: sort_key(row[1][i]), reverse=down)
                rows.sort(key=lambda row: row[1][i] in (None, EMPTY))
            ids = [case_id for case_id, _ in rows]
        self._listings[key] = ids
        if len(self._listings) > _LISTINGS_KEPT:
            self._listings.popitem(last=False)
        return ids

    # ----------------------------------------------------------- related items

    def _search_related_items(self, asked: _Asked) -> dict[str, Any]:
        life = self._case(asked)
        listed = self._items(life, asked.get("filters"))
        return self._page(asked, "relatedItems", listed, 25, lambda item: item[1])

    def _search_all_related_items(self, asked: _Asked) -> dict[str, Any]:
        domain = self._domain(asked)
        listed = [
            {**item, "caseId": case_id}
            for case_id in self.world.case_ids(domain.domain_id)
            for _, item in self._items(self.world.life(case_id), asked.get("filters"))
        ]
        keys = {"AssociationTime": "associationTime", "CaseId": "caseId"}
        for sort in reversed(asked.get("sorts") or []):
            key = keys[sort["sortProperty"]]
            down = sort["sortOrder"] == "Desc"
            listed.sort(key=lambda item: item[key], reverse=down)
        return self._page(asked, "relatedItems", listed, 25)

    def _items(
        self, life: Life, filters: Sequence[Mapping[str, Any]] | None
    ) -> list[tuple[int, dict[str, Any]]]:
        found = []
        for item in life.items:
            content = item.content(self._now)
            if content is None:
                continue
            shown = self._item(item, content)
            if not filters or any(item_holds(each, shown) for each in filters):
                found.append((item.associated_ms, shown))
        return found

    def _item(self, item: Item, content: Mapping[str, Any]) -> dict[str, Any]:
        name = item.type[:1].lower() + item.type[1:]
        inner: dict[str, Any] = dict(content)
        if item.type == "Sla":
            if inner["status"] == "Active" and inner["targetTime"] < to_iso(self._now):
                inner["status"] = "Overdue"
            inner["targetFieldValues"] = [{"stringValue": inner["targetFieldValues"]}]
            inner = {"slaConfiguration": {**inner, "type": "CaseField"}}
        elif item.type == "Custom":
            inner = {
                "fields": [
                    {
                        "id": key,
                        "value": {"stringValue": value}
                        if isinstance(value, str)
                        else {"doubleValue": float(value)},
                    }
                    for key, value in content.items()
                ]
            }
        shown = {
            "relatedItemId": item.item_id,
            "type": item.type,
            "associationTime": to_iso(item.associated_ms),
            "content": {name: inner},
            "tags": {},
        }
        if item.who.user is not None:
            shown["performedBy"] = {"userArn": item.who.user}
        elif item.who.custom is not None:
            shown["performedBy"] = {"customEntity": item.who.custom}
        return shown

    def _list_cases_for_contact(self, asked: _Asked) -> dict[str, Any]:
        domain = self._domain(asked)
        wanted = asked["contactArn"]
        listed = [
            {"caseId": case_id, "templateId": life.template.template_id}
            for case_id in self.world.case_ids(domain.domain_id)
            for life in [self.world.life(case_id)]
            if any(
                (item.content(self._now) or {}).get("contactArn") == wanted
                for item in life.items
            )
        ]
        return self._page(asked, "cases", listed, 10)

    def _get_merge_cases_status(self, asked: _Asked) -> dict[str, Any]:
        life = self._case(asked)
        acts = [act for act in life.acts if act.merge is not None]
        if acts and acts[0].ms <= self._now:
            merge = acts[0].merge
            assert merge is not None  # noqa: S101 - only those were kept
            runs = self._now < acts[-1].ms
            if runs or merge.secondary_case_id == life.case_id:
                return {
                    "status": "IN_PROGRESS" if runs else "COMPLETED",
                    "primaryCaseId": merge.primary_case_id,
                    "secondaryCaseIds": [merge.secondary_case_id],
                }
        raise _not_found("Case", life.case_id)

    def _get_case_event_configuration(self, asked: _Asked) -> dict[str, Any]:
        self._domain(asked)
        return {
            "eventBridge": {
                "enabled": True,
                "includedData": {
                    "caseData": {"fields": [{"id": "status"}, {"id": "title"}]},
                    "relatedItemData": {"includeContent": False},
                },
            }
        }

    # ---------------------------------------------------------- names, of Connect

    def _list_instances(self, asked: _Asked) -> dict[str, Any]:
        listed = [
            {
                "Id": domain.instance_id,
                "Arn": domain.instance_arn,
                "IdentityManagementType": "CONNECT_MANAGED",
                "InstanceAlias": domain.name,
                "CreatedTime": domain.created_ms / 1000,
                "ServiceRole": domain.service_role,
                "InstanceStatus": "ACTIVE",
                "InboundCallsEnabled": True,
                "OutboundCallsEnabled": True,
            }
            for domain in self.world.domains
        ]
        return self._page(asked, "InstanceSummaryList", listed, 10)

    def _list_integration_associations(self, asked: _Asked) -> dict[str, Any]:
        domain = self._instance(asked)
        listed = []
        if asked.get("IntegrationType", "CASES_DOMAIN") == "CASES_DOMAIN":
            association = domain.new_id("association")
            listed.append(
                {
                    "IntegrationAssociationId": association,
                    "IntegrationAssociationArn": f"{domain.instance_arn}/"
                    f"integration-association/{association}",
                    "InstanceId": domain.instance_id,
                    "IntegrationType": "CASES_DOMAIN",
                    "IntegrationArn": domain.arn,
                    "SourceType": "CASES",
                }
            )
        wanted = asked.get("IntegrationArn")
        listed = [x for x in listed if wanted in (None, x["IntegrationArn"])]
        return self._page(asked, "IntegrationAssociationSummaryList", listed, 100)

    def _list_users(self, asked: _Asked) -> dict[str, Any]:
        domain = self._instance(asked)
        listed = [
            {"Id": agent.user_id, "Arn": agent.arn, "Username": agent.username}
            for agent in self._agents(domain)
        ]
        return self._page(asked, "UserSummaryList", listed, 1000)

    def _search_users(self, asked: _Asked) -> dict[str, Any]:
        domain = self._instance(asked)
        criteria = asked.get("SearchCriteria")
        try:
            found = [
                agent
                for agent in self._agents(domain)
                if not criteria or user_holds(criteria, agent)
            ]
        except NotSimulatedError as error:
            raise ServiceError("ValidationException", str(error)) from error
        page = self._page(
            asked, "Users", found, 500, lambda a: _user(domain, a, searched=True)
        )
        return {**page, "ApproximateTotalCount": len(found)}

    def _describe_user(self, asked: _Asked) -> dict[str, Any]:
        domain = self._instance(asked)
        for agent in self._agents(domain):
            if agent.user_id == asked["UserId"]:
                return {"User": _user(domain, agent, searched=False)}
        raise _not_found("User", asked["UserId"])

    def _list_queues(self, asked: _Asked) -> dict[str, Any]:
        domain = self._instance(asked)
        listed = []
        if "STANDARD" in (asked.get("QueueTypes") or ["STANDARD"]):
            listed = [
                {
                    "Id": queue.queue_id,
                    "Arn": queue.arn,
                    "Name": queue.name,
                    "QueueType": "STANDARD",
                }
                for queue in domain.queues
            ]
        return self._page(asked, "QueueSummaryList", listed, 1000)

    def _agents(self, domain: Domain) -> list[Agent]:
        return [
            agent
            for agent in domain.agents
            if agent.deleted_ms is None or self._now < agent.deleted_ms
        ]

    # -------------------------------------------------------------------- finding

    def _domain(self, asked: _Asked) -> Domain:
        try:
            return self.world.domain(asked["domainId"])
        except KeyError:
            raise _not_found("Domain", asked["domainId"]) from None

    def _case(self, asked: _Asked) -> Life:
        domain = self._domain(asked)
        life = self.world.find(asked["caseId"])
        if life is None or life.domain is not domain:
            raise _not_found("Case", asked["caseId"])
        return life

    def _instance(self, asked: _Asked) -> Domain:
        wanted = asked["InstanceId"]
        for domain in self.world.domains:
            if wanted in {domain.instance_id, domain.instance_arn}:
                return domain
        raise _not_found("Instance", wanted)

    def _page(
        self,
        asked: _Asked,
        member: str,
        listed: Sequence[Any],
        default: int,
        shown: Callable[[Any], Any] | None = None,
    ) -> dict[str, Any]:
        """Return one page of a listing, and the token of the next."""
        big = asked.service == "connect"
        token_name = "NextToken" if big else "nextToken"
        size = asked.get("MaxResults" if big else "maxResults", default)
        start = 0
        if token := asked.get(token_name):
            try:
                start = read_token(token, self._bound(asked))
            except TokenError:
                raise ServiceError(
                    "ValidationException", f"Invalid {token_name}."
                ) from None
        items = list(islice(listed, start, start + size))
        page = {member: [shown(item) for item in items] if shown else items}
        if start + size < len(listed):
            page[token_name] = new_token(start + size, self._bound(asked))  # type: ignore[assignment]
        return page

    def _bound(self, asked: _Asked) -> str:
        """Return what a token of this request is good for."""
        members = {k: v for k, v in asked.members.items() if k.lower() != "nexttoken"}
        bound_to = [self.world.seed, asked.service, asked.operation, members]
        return json.dumps(bound_to, sort_keys=True)

    def place(self, request: Request) -> int:
        """Return how many items of its listing came before a page.

        Parameters
        ----------
        request : Request
            What was asked.

        Returns
        -------
        int
            0 on the first page.
        """
        asked = self._asked(request)
        token = asked.get("nextToken")
        return read_token(token, self._bound(asked)) if token else 0

    def token(self, request: Request, place: int, *, copy: int = 0) -> str:
        """Return a token by which a request's listing goes on from a place.

        Parameters
        ----------
        request : Request
            What was asked.
        place : int
            How many items came before.
        copy : int, default 0
            Which of the tokens for that place.

        Returns
        -------
        str
            The token.
        """
        return new_token(place, self._bound(self._asked(request)), copy=copy)

    def _asked(self, request: Request) -> _Asked:
        model = shapes(request.service)
        operation = str(model.operation(request.method, request.path))
        members, _ = model.read(operation, request)
        return _Asked(operation, request.service, members)


class _Asked:
    """A request that was read."""

    __slots__ = ("members", "operation", "service")

    def __init__(
        self, operation: str, service: str, members: Mapping[str, Any]
    ) -> None:
        self.operation = operation
        self.service = service
        self.members = members

    def __getitem__(self, name: str) -> Any:
        return self.members[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.members.get(name, default)


_ANSWERS: dict[tuple[str, str], Callable[[Service, _Asked], dict[str, Any]]] = {
    ("connectcases", "BatchGetField"): Service._batch_get_field,
    ("connectcases", "GetCase"): Service._get_case,
    ("connectcases", "GetCaseAuditEvents"): Service._get_case_audit_events,
    (
        "connectcases",
        "GetCaseEventConfiguration",
    ): Service._get_case_event_configuration,
    ("connectcases", "GetDomain"): Service._get_domain,
    ("connectcases", "GetMergeCasesStatus"): Service._get_merge_cases_status,
    ("connectcases", "GetTemplate"): Service._get_template,
    ("connectcases", "ListCasesForContact"): Service._list_cases_for_contact,
    ("connectcases", "ListDomains"): Service._list_domains,
    ("connectcases", "ListFieldOptions"): Service._list_field_options,
    ("connectcases", "ListFields"): Service._list_fields,
    ("connectcases", "ListLayouts"): Service._list_layouts,
    ("connectcases", "ListTemplates"): Service._list_templates,
    ("connectcases", "SearchAllRelatedItems"): Service._search_all_related_items,
    ("connectcases", "SearchCases"): Service._search_cases,
    ("connectcases", "SearchRelatedItems"): Service._search_related_items,
    ("connect", "DescribeUser"): Service._describe_user,
    ("connect", "ListInstances"): Service._list_instances,
    ("connect", "ListIntegrationAssociations"): Service._list_integration_associations,
    ("connect", "ListQueues"): Service._list_queues,
    ("connect", "ListUsers"): Service._list_users,
    ("connect", "SearchUsers"): Service._search_users,
}
OPERATIONS = tuple(_ANSWERS)
"""The operations that are answered, by service and name."""


# ------------------------------------------------------------------ what is sent


def _audit_event(act: Act) -> dict[str, Any]:
    fields = []
    for field_id, old, new in act.changes:
        field: dict[str, Any] = {"eventFieldId": field_id}
        if old != ABSENT:
            field["oldValue"] = _union(old)
        field["newValue"] = _union(new)
        fields.append(field)
    event: dict[str, Any] = {
        "eventId": act.event_id,
        "type": act.type,
        "performedTime": to_iso(act.ms),
        "fields": fields,
    }
    if act.item_type is not None:
        event["relatedItemType"] = act.item_type
    principal, user, custom, _ = act.who
    if principal is not None:
        by: dict[str, Any] = {"iamPrincipalArn": principal}
        if user is not None:
            by["user"] = {"userArn": user}
        elif custom is not None:
            by["user"] = {"customEntity": custom}
        event["performedBy"] = by
    if act.merge is not None:
        event["mergeMetadata"] = {
            "mergeEventId": act.merge.merge_event_id,
            "primaryCaseId": act.merge.primary_case_id,
            "secondaryCaseId": act.merge.secondary_case_id,
        }
    return event


def _union(value: Value) -> dict[str, Any]:
    kind, text = value
    if kind == "empty" or text is None:
        return {"emptyValue": {}}
    if kind == "double":
        return {"doubleValue": float(text)}
    if kind == "boolean":
        return {"booleanValue": text == "true"}
    return {MEMBERS[str(kind)]: text}


def _user(domain: Domain, agent: Agent, *, searched: bool) -> dict[str, Any]:
    identity = {"FirstName": agent.first, "LastName": agent.last}
    if not searched:
        identity["Email"] = f"{agent.username}@{domain.name}.example"
    return {
        "Id": agent.user_id,
        "Arn": agent.arn,
        "Username": agent.username,
        "IdentityInfo": identity,
        "RoutingProfileId": domain.new_id("routing"),
        "SecurityProfileIds": [domain.new_id("security")],
        "Tags": {},
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _not_found(kind: str, name: str) -> ServiceError:
    return ServiceError(
        "ResourceNotFoundException",
        f"{kind} {name} not found",
        resourceId=name,
        resourceType=kind,
    )
