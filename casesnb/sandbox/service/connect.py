"""What Amazon Connect answers about a world: its instances, users and queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from casesnb.sandbox.contact_centre import to_ms
from casesnb.sandbox.service.filters import NotSimulatedError, user_holds
from casesnb.sandbox.service.requests import Asked, ServiceError, not_found

if TYPE_CHECKING:
    from collections.abc import Callable

    from casesnb.sandbox.contact_centre import Agent, Domain
    from casesnb.sandbox.service.source import Source


class ConnectAnswers:
    """The answers of the ``connect`` service that give names."""

    def __init__(self, world: Source) -> None:
        self.world = world
        self.now = to_ms(world.now)

    def list_instances(self, asked: Asked) -> dict[str, Any]:
        """Return the instances."""
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
        return asked.page("InstanceSummaryList", listed, 10)

    def list_integration_associations(self, asked: Asked) -> dict[str, Any]:
        """Return which Cases domain an instance has."""
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
        return asked.page("IntegrationAssociationSummaryList", listed, 100)

    def list_users(self, asked: Asked) -> dict[str, Any]:
        """Return an instance's users."""
        domain = self._instance(asked)
        listed = [
            {"Id": agent.user_id, "Arn": agent.arn, "Username": agent.username}
            for agent in domain.agents_at(self.now)
        ]
        return asked.page("UserSummaryList", listed, 1000)

    def search_users(self, asked: Asked) -> dict[str, Any]:
        """Return the users that a search finds."""
        domain = self._instance(asked)
        criteria = asked.get("SearchCriteria")
        try:
            found = [
                agent
                for agent in domain.agents_at(self.now)
                if not criteria or user_holds(criteria, agent)
            ]
        except NotSimulatedError as error:
            raise ServiceError("ValidationException", str(error)) from error
        page = asked.page(
            "Users", found, 500, lambda a: _user(domain, a, searched=True)
        )
        return {**page, "ApproximateTotalCount": len(found)}

    def describe_user(self, asked: Asked) -> dict[str, Any]:
        """Return a user."""
        domain = self._instance(asked)
        for agent in domain.agents_at(self.now):
            if agent.user_id == asked["UserId"]:
                return {"User": _user(domain, agent, searched=False)}
        raise not_found("User", asked["UserId"])

    def list_queues(self, asked: Asked) -> dict[str, Any]:
        """Return an instance's queues."""
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
        return asked.page("QueueSummaryList", listed, 1000)

    def _instance(self, asked: Asked) -> Domain:
        wanted = asked["InstanceId"]
        for domain in self.world.domains:
            if wanted in {domain.instance_id, domain.instance_arn}:
                return domain
        raise not_found("Instance", wanted)


ANSWERS: dict[str, Callable[[ConnectAnswers, Asked], dict[str, Any]]] = {
    "DescribeUser": ConnectAnswers.describe_user,
    "ListInstances": ConnectAnswers.list_instances,
    "ListIntegrationAssociations": ConnectAnswers.list_integration_associations,
    "ListQueues": ConnectAnswers.list_queues,
    "ListUsers": ConnectAnswers.list_users,
    "SearchUsers": ConnectAnswers.search_users,
}
"""The operations that are answered."""


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
