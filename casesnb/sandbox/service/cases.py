"""What Amazon Connect Cases answers about a world: each read operation, as a dict."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from casesnb.sandbox.case_life import ABSENT, CLOSED, EMPTY, sla_status
from casesnb.sandbox.contact_centre import has_come, to_iso, to_ms
from casesnb.sandbox.randomness import Dice
from casesnb.sandbox.service.filters import (
    MEMBERS,
    fields_of,
    holds,
    item_holds,
    mentions,
    sort_key,
)
from casesnb.sandbox.service.requests import Asked, ServiceError, not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from casesnb.sandbox.case_life import Act, Item, Life, Value
    from casesnb.sandbox.contact_centre import Domain, Field, Template
    from casesnb.sandbox.service.source import Source

ORDERS = ("newest first", "oldest first", "mixed")
_LISTINGS_KEPT = 16


class CasesAnswers:
    """The answers of the ``connectcases`` service."""

    def __init__(self, world: Source, order: str) -> None:
        if order not in ORDERS:
            raise ValueError(f"order={order!r} is none of {', '.join(ORDERS)}.")
        self.world = world
        self.order = order
        self.now = to_ms(world.now)
        self._found_before: OrderedDict[object, list[str]] = OrderedDict()

    def list_domains(self, asked: Asked) -> dict[str, Any]:
        """Return the domains."""
        listed = [
            {"domainId": d.domain_id, "domainArn": d.arn, "name": d.name}
            for d in self.world.domains
        ]
        return asked.page("domains", listed, 10)

    def get_domain(self, asked: Asked) -> dict[str, Any]:
        """Return a domain."""
        domain = self._domain(asked)
        return {
            "domainId": domain.domain_id,
            "domainArn": domain.arn,
            "name": domain.name,
            "createdTime": to_iso(domain.created_ms),
            "domainStatus": "Active",
            "tags": {},
        }

    def list_fields(self, asked: Asked) -> dict[str, Any]:
        """Return a domain's fields, without the deleted."""
        domain = self._domain(asked)
        listed = [
            self._field_summary(domain, field)
            for field in domain.fields.values()
            if not has_come(field.deleted_ms, self.now)
        ]
        return asked.page("fields", listed, 100)

    def _field_summary(self, domain: Domain, field: Field) -> dict[str, Any]:
        summary: dict[str, Any] = {
            "fieldId": field.field_id,
            "fieldArn": f"{domain.arn}/field/{field.field_id}",
            "name": field.name_at(self.now),
            "type": field.type,
            "namespace": "System" if field.is_system else "Custom",
        }
        if field.type == "Text":
            summary["attributes"] = {"text": {"isMultiline": field.is_multiline}}
        return summary

    def batch_get_field(self, asked: Asked) -> dict[str, Any]:
        """Return fields by id, deleted ones among them."""
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
            changed = [
                ms
                for ms in (field.renamed_ms, field.deleted_ms)
                if ms is not None and ms <= self.now
            ]
            found.append(
                {
                    **self._field_summary(domain, field),
                    "tags": {},
                    "deleted": has_come(field.deleted_ms, self.now),
                    "createdTime": to_iso(domain.created_ms),
                    "lastModifiedTime": to_iso(max([domain.created_ms, *changed])),
                }
            )
        return {"fields": found, "errors": errors}

    def list_field_options(self, asked: Asked) -> dict[str, Any]:
        """Return a single-select field's options, inactive ones among them."""
        domain = self._domain(asked)
        field = domain.fields_by_id.get(asked["fieldId"])
        if field is None:
            raise not_found("Field", asked["fieldId"])
        if field.type != "SingleSelect":
            raise ServiceError(
                "ValidationException", f"Field {field.field_id} is not a SingleSelect."
            )
        wanted = asked.get("values")
        listed = [
            {
                "name": option.name,
                "value": option.value,
                "active": not has_come(option.retired_ms, self.now),
            }
            for option in field.options
            if not wanted or option.value in wanted
        ]
        return asked.page("options", listed, 100)

    def list_templates(self, asked: Asked) -> dict[str, Any]:
        """Return a domain's templates."""
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
        return asked.page("templates", listed, 100)

    def _template_status(self, template: Template) -> str:
        return "Inactive" if has_come(template.retired_ms, self.now) else "Active"

    def get_template(self, asked: Asked) -> dict[str, Any]:
        """Return a template."""
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
        raise not_found("Template", asked["templateId"])

    def list_layouts(self, asked: Asked) -> dict[str, Any]:
        """Return a domain's layouts."""
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
        return asked.page("layouts", listed, 100)

    def get_case(self, asked: Asked) -> dict[str, Any]:
        """Return a case's fields as they stand."""
        life = self._case(asked)
        fields = self._current(life)
        listed = [
            {"id": field_id, "value": _union(fields[field_id])}
            for field_id in dict.fromkeys(field["id"] for field in asked["fields"])
            if self._known_field(life.domain, field_id) and field_id in fields
        ]
        page = asked.page("fields", listed, 220)
        return {**page, "templateId": life.template.template_id, "tags": life.tags}

    def _known_field(self, domain: Domain, field_id: str) -> bool:
        if field_id not in domain.fields_by_id:
            raise not_found("Field", field_id)
        return True

    def _current(self, life: Life) -> dict[str, Value]:
        """Return a case's fields as they stand, with what Cases keeps by itself."""
        acts = [act for act in life.acts if act.ms <= self.now]
        last = acts[-1]
        current = life.state(self.now)
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
            for content in [item.content(self.now)]
            if item.type == "Sla" and content and "completionTime" not in content
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

    def get_case_audit_events(self, asked: Asked) -> dict[str, Any]:
        """Return what happened to a case, in the order that was set."""
        life = self._case(asked)
        acts = [act for act in life.acts if act.ms <= self.now and act.is_served]
        if self.order == "newest first":
            acts.reverse()
        elif self.order == "mixed":
            dice = Dice(self.world.seed, life.case_id, "mixed")
            acts.sort(key=lambda _: dice.share())
        return asked.page("auditEvents", acts, 25, _audit_event)

    def search_cases(self, asked: Asked) -> dict[str, Any]:
        """Return the cases that a search finds."""
        domain = self._domain(asked)
        wanted = [field["id"] for field in asked.get("fields", ())]
        for field_id in wanted:
            self._known_field(domain, field_id)
        listed = self._matching(domain, asked)
        page = asked.page(
            "cases", listed, 25, lambda case_id: self._found(case_id, wanted)
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

    def _matching(self, domain: Domain, asked: Asked) -> list[str]:
        """Return the cases that a search finds, in its order."""
        condition, term = asked.get("filter"), asked.get("searchTerm", "").casefold()
        sorts = asked.get("sorts") or []
        key = json.dumps([domain.domain_id, condition, term, sorts], sort_keys=True)
        known = self._found_before.get(key)
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
        self._found_before[key] = ids
        if len(self._found_before) > _LISTINGS_KEPT:
            self._found_before.popitem(last=False)
        return ids

    # ----------------------------------------------------------- related items

    def search_related_items(self, asked: Asked) -> dict[str, Any]:
        """Return a case's related items."""
        life = self._case(asked)
        listed = self._items(life, asked.get("filters"))
        return asked.page("relatedItems", listed, 25, lambda item: item[1])

    def search_all_related_items(self, asked: Asked) -> dict[str, Any]:
        """Return the related items of a domain's cases."""
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
        return asked.page("relatedItems", listed, 25)

    def _items(
        self, life: Life, filters: Sequence[Mapping[str, Any]] | None
    ) -> list[tuple[int, dict[str, Any]]]:
        found = []
        for item in life.items:
            content = item.content(self.now)
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
            if "completionTime" not in inner:
                inner["status"] = sla_status(inner, to_iso(self.now))
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

    def list_cases_for_contact(self, asked: Asked) -> dict[str, Any]:
        """Return the cases that a contact is related to."""
        domain = self._domain(asked)
        wanted = asked["contactArn"]
        listed = [
            {"caseId": case_id, "templateId": life.template.template_id}
            for case_id in self.world.case_ids(domain.domain_id)
            for life in [self.world.life(case_id)]
            if any(
                (item.content(self.now) or {}).get("contactArn") == wanted
                for item in life.items
            )
        ]
        return asked.page("cases", listed, 10)

    def get_merge_cases_status(self, asked: Asked) -> dict[str, Any]:
        """Return what a case was merged with, and how far that is."""
        life = self._case(asked)
        acts = [act for act in life.acts if act.merge is not None]
        if acts and acts[0].ms <= self.now:
            merge = acts[0].merge
            assert merge is not None  # noqa: S101 - only those were kept
            runs = self.now < acts[-1].ms
            if runs or merge.secondary_case_id == life.case_id:
                return {
                    "status": "IN_PROGRESS" if runs else "COMPLETED",
                    "primaryCaseId": merge.primary_case_id,
                    "secondaryCaseIds": [merge.secondary_case_id],
                }
        raise not_found("Case", life.case_id)

    def get_case_event_configuration(self, asked: Asked) -> dict[str, Any]:
        """Return which events a domain sends on."""
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

    # -------------------------------------------------------------------- finding

    def _domain(self, asked: Asked) -> Domain:
        try:
            return self.world.domain(asked["domainId"])
        except KeyError:
            raise not_found("Domain", asked["domainId"]) from None

    def _case(self, asked: Asked) -> Life:
        domain = self._domain(asked)
        life = self.world.find(asked["caseId"])
        if life is None or life.domain is not domain:
            raise not_found("Case", asked["caseId"])
        return life


ANSWERS: dict[str, Callable[[CasesAnswers, Asked], dict[str, Any]]] = {
    "BatchGetField": CasesAnswers.batch_get_field,
    "GetCase": CasesAnswers.get_case,
    "GetCaseAuditEvents": CasesAnswers.get_case_audit_events,
    "GetCaseEventConfiguration": CasesAnswers.get_case_event_configuration,
    "GetDomain": CasesAnswers.get_domain,
    "GetMergeCasesStatus": CasesAnswers.get_merge_cases_status,
    "GetTemplate": CasesAnswers.get_template,
    "ListCasesForContact": CasesAnswers.list_cases_for_contact,
    "ListDomains": CasesAnswers.list_domains,
    "ListFieldOptions": CasesAnswers.list_field_options,
    "ListFields": CasesAnswers.list_fields,
    "ListLayouts": CasesAnswers.list_layouts,
    "ListTemplates": CasesAnswers.list_templates,
    "SearchAllRelatedItems": CasesAnswers.search_all_related_items,
    "SearchCases": CasesAnswers.search_cases,
    "SearchRelatedItems": CasesAnswers.search_related_items,
}
"""The operations that are answered."""


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
