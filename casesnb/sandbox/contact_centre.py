"""The contact centres themselves: domains, people, queues, fields and templates.

Everything here stays while cases come and go. It is made from the seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import NamedTuple
from zoneinfo import ZoneInfo

from casesnb.sandbox.randomness import Dice, as_uuid, digest
from casesnb.sandbox.texts import FIRST_NAMES, LAST_NAMES, TEMPLATES

ACCOUNT = "111122223333"  # AWS's own account number for examples
REGION = "us-east-1"

_HOUR = 3_600_000
_DAY = 24 * _HOUR
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MAX_DOMAINS = 5  # the quota of an account and Region


def to_ms(moment: datetime) -> int:
    """Return a moment as whole milliseconds since 1970, in UTC."""
    if moment.tzinfo is None:
        raise ValueError(
            f"{moment!r} has no time zone. Give one, such as tzinfo=datetime.UTC."
        )
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def to_moment(ms: int) -> datetime:
    """Return milliseconds since 1970 as a moment in UTC."""
    return _EPOCH + timedelta(milliseconds=ms)


def to_iso(ms: int) -> str:
    """Return milliseconds since 1970 as AWS writes a time."""
    text = to_moment(ms).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def has_come(ms: int | None, now: int) -> bool:
    """Whether a moment has come; one that there is not never does."""
    return ms is not None and ms <= now


@dataclass(frozen=True, slots=True)
class Agent:
    """One person who works cases."""

    user_id: str  # the user's id in the Connect instance
    arn: str  # the user's ARN
    username: str  # the user's name for signing in
    first: str  # the person's names
    last: str  # the person's names
    zone: str  # the IANA time zone of the person's site
    queue: str  # the ARN of the queue that the person serves
    deleted_ms: int | None = None  # when the user was deleted, if ever


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue."""

    queue_id: str  # its id in the Connect instance
    arn: str  # its ARN
    name: str  # its name


class Option(NamedTuple):
    """One choice of a field."""

    value: str  # what cases hold
    name: str  # what people see
    retired_ms: int | None = None  # since when it can no longer be chosen, if ever


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a domain."""

    field_id: str  # its id: a word for a system field, a UUID for a custom one
    key: str  # what this package calls it
    name: str  # its name in the end
    type: str  # its type, as AWS names it
    is_system: bool = False  # whether every domain has it
    options: tuple[Option, ...] = ()  # the choices of a SingleSelect
    former_name: str | None = None  # its name before it was renamed
    renamed_ms: int | None = None  # when it was renamed
    deleted_ms: int | None = None  # when it was deleted
    is_multiline: bool = False  # whether its text has several lines

    def name_at(self, ms: int) -> str:
        """Return its name at a time."""
        if self.former_name and not has_come(self.renamed_ms, ms):
            return self.former_name
        return self.name


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of case."""

    template_id: str  # its id
    name: str  # its name
    layout_id: str  # its layout
    sla_hours: int  # how long a case of it may take
    retired_ms: int | None = None  # since when it is inactive, if ever


@dataclass(frozen=True)
class Domain:
    """One Cases domain and the Connect instance that it serves."""

    number: int  # its place in the world, from 0
    seed: int  # the world's seed
    start_ms: int  # when the world's story begins and ends
    end_ms: int  # when the world's story begins and ends
    n_agents: int  # how many people work there

    @property
    def kind(self) -> str:
        """What business it is in."""
        return "retail" if self.number % 2 else "insurance"

    @property
    def name(self) -> str:
        """Its name."""
        places = ("harbour", "meadow", "northgate", "lakeside", "hilltop")
        return f"{places[self.number]}-{self.kind}"

    @property
    def zones(self) -> tuple[str, str]:
        """The time zones of its two sites."""
        return (
            ("America/New_York", "Asia/Manila")
            if self.number % 2
            else ("Europe/London", "America/New_York")
        )

    @cached_property
    def domain_id(self) -> str:
        """Its id."""
        return self.new_id("domain")

    @cached_property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:cases:{REGION}:{ACCOUNT}:domain/{self.domain_id}"

    @cached_property
    def instance_id(self) -> str:
        """The Connect instance's id."""
        return self.new_id("instance")

    @cached_property
    def instance_arn(self) -> str:
        """The Connect instance's ARN."""
        return f"arn:aws:connect:{REGION}:{ACCOUNT}:instance/{self.instance_id}"

    @cached_property
    def service_role(self) -> str:
        """The service-linked role that Connect acts under."""
        suffix = self.new_id("slr")[:22].replace("-", "x")
        return (
            f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/connect.amazonaws.com/"
            f"AWSServiceRoleForAmazonConnect_{suffix}"
        )

    @property
    def created_ms(self) -> int:
        """When it was created: well before the story begins."""
        return self.start_ms - 400 * _DAY

    @property
    def middle_ms(self) -> int:
        """Half-way through: when fields, options and agents are retired."""
        return self.start_ms + (self.end_ms - self.start_ms) // 2

    def role(self, name: str, session: str | None = None) -> str:
        """Return the principal of a program that calls the API."""
        if session is None:
            return f"arn:aws:iam::{ACCOUNT}:role/{name}"
        return f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}"

    def new_id(self, *name: object) -> str:
        """Return the id of something in this domain."""
        return as_uuid(digest(self.seed, self.number, *name))

    @cached_property
    def queues(self) -> tuple[Queue, ...]:
        """Its queues."""
        names = (
            ("First contact", "Claims", "Specialists", "Complaints")
            if self.kind == "insurance"
            else ("First contact", "Orders", "Returns", "Complaints")
        )
        return tuple(
            Queue(queue_id, f"{self.instance_arn}/queue/{queue_id}", name)
            for name in names
            for queue_id in [self.new_id("queue", name)]
        )

    @cached_property
    def agents(self) -> tuple[Agent, ...]:
        """Its people, in no order of rank; every eighth leaves half-way."""
        dice = Dice(self.seed, self.number, "agents")
        agents = []
        names: set[str] = set()
        for i in range(self.n_agents):
            first, last = dice.pick(FIRST_NAMES), dice.pick(LAST_NAMES)
            username = f"{first}.{last}".lower()
            while username in names:
                username += str(i)
            names.add(username)
            user_id = self.new_id("agent", i)
            # AWS's own pages write both forms.
            word = "user" if i % 7 == 6 else "agent"
            agents.append(
                Agent(
                    user_id,
                    f"{self.instance_arn}/{word}/{user_id}",
                    username,
                    first,
                    last,
                    self.zones[dice.chance(0.25)],
                    self.queues[i % len(self.queues)].arn,
                    self.middle_ms if i % 8 == 5 else None,
                )
            )
        return tuple(agents)

    def agents_at(self, ms: int) -> list[Agent]:
        """Return the people who are there at a time."""
        return [agent for agent in self.agents if not has_come(agent.deleted_ms, ms)]

    @cached_property
    def agents_by_arn(self) -> dict[str, Agent]:
        """Its people by their ARN."""
        return {agent.arn: agent for agent in self.agents}

    @cached_property
    def teams(self) -> dict[str, tuple[Agent, ...]]:
        """The people of each queue."""
        return {
            queue.arn: tuple(a for a in self.agents if a.queue == queue.arn)
            or self.agents
            for queue in self.queues
        }

    def colleague(self, dice: Dice, queue: str, ms: int) -> Agent:
        """Return somebody of a queue's team who is still there."""
        there = [a for a in self.teams[queue] if not has_come(a.deleted_ms, ms)]
        return dice.pick(there or self.agents_at(ms))

    @cached_property
    def fields(self) -> dict[str, Field]:
        """Its fields by what this package calls them."""
        fields = [*self._system_fields(), *self._custom_fields()]
        return {field.key: field for field in fields}

    @cached_property
    def fields_by_id(self) -> dict[str, Field]:
        """Its fields by their id."""
        return {field.field_id: field for field in self.fields.values()}

    def _system_fields(self) -> list[Field]:
        reasons = (
            (("new_claim", "New claim"), ("claim_status", "Claim status"))
            if self.kind == "insurance"
            else (("delivery", "Delivery"), ("refund", "Refund"))
        )
        options = {
            "status": (
                Option("open", "Open"),
                Option("in_progress", "In progress"),
                Option("waiting_on_customer", "Waiting on customer"),
                Option("escalated", "Escalated"),
                Option("on_hold", "On hold (old)", self.middle_ms),
                Option("closed", "Closed"),
            ),
            "case_reason": (
                *(Option(*reason) for reason in reasons),
                Option("complaint", "Complaint"),
                Option("other", "Other"),
            ),
        }
        return [
            Field(
                name,
                name,
                name.replace("_", " ").capitalize(),
                kind,
                is_system=True,
                options=options.get(name, ()),
                is_multiline=name == "summary",
            )
            for name, kind in SYSTEM_FIELDS.items()
        ]

    def _custom_fields(self) -> list[Field]:
        insurance = self.kind == "insurance"

        def field(key: str, name: str, kind: str, **more: object) -> Field:
            return Field(self.new_id("field", key), key, name, kind, **more)  # type: ignore[arg-type]

        return [
            field(
                "priority",
                "Priority",
                "SingleSelect",
                options=(
                    Option("low", "Low"),
                    Option("normal", "Normal"),
                    Option("high", "High"),
                    Option("critical", "Critical (old)", self.middle_ms),
                ),
            ),
            field("amount", "Claim amount" if insurance else "Order value", "Number"),
            field("checked", "Fraud check done", "Boolean"),
            field("due", "Follow-up due", "DateTime"),
            field("number", "Policy number" if insurance else "Order number", "Text"),
            field("link", "Portal link", "Url"),
            field("specialist", "Specialist", "User"),
            field("notes", "Working notes", "Text", is_multiline=True),
            field(
                "cause",
                "Root cause",
                "Text",
                former_name="Reason detail",
                renamed_ms=self.middle_ms,
            ),
            field("segment", "Customer segment", "Text", deleted_ms=self.middle_ms),
        ]

    @cached_property
    def templates(self) -> tuple[Template, ...]:
        """Its templates; the last is retired half-way."""
        hours = (72, 48, 24, 8)
        names = list(TEMPLATES[self.kind])
        active = [
            Template(
                self.new_id("template", name), name, self.new_id("layout", name), sla
            )
            for name, sla in zip(names, hours, strict=True)
        ]
        old = Template(
            self.new_id("template", "old"),
            "General (old)",
            self.new_id("layout", names[0]),
            96,
            self.middle_ms,
        )
        return (*active, old)


SYSTEM_FIELDS = {
    "assigned_queue": "Text",
    "assigned_user": "User",
    "case_id": "Text",
    "case_reason": "SingleSelect",
    "created_by": "User",
    "created_datetime": "DateTime",
    "customer_id": "Text",
    "last_closed_datetime": "DateTime",
    "last_reopened_datetime": "DateTime",
    "last_updated_datetime": "DateTime",
    "last_updated_user": "User",
    "next_sla_breach_datetime": "DateTime",
    "reference_number": "Text",
    "status": "SingleSelect",
    "summary": "Text",
    "title": "Text",
}
"""The fields that every domain has, and their types."""

_ZONES: dict[str, ZoneInfo] = {}


def at_work(ms: int, zone: str) -> bool:
    """Whether a time is within working hours: Monday to Friday, 08:00 to 18:00."""
    local = _local(ms, zone)
    return local.weekday() < 5 and 8 <= local.hour < 18


def next_shift(ms: int, zone: str, dice: Dice) -> int:
    """Return the time itself, or one early in the next shift."""
    if at_work(ms, zone):
        return ms
    local = _local(ms, zone)
    day = local.replace(hour=8, minute=0, second=0, microsecond=0, fold=0)
    if local.hour >= 8:
        day += timedelta(days=1)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return to_ms(day.astimezone(UTC)) + dice.below(2 * _HOUR)


def _local(ms: int, zone: str) -> datetime:
    if zone not in _ZONES:
        _ZONES[zone] = ZoneInfo(zone)
    return to_moment(ms).astimezone(_ZONES[zone])
