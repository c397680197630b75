"""One case's life: what was done to it, by whom, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from casesnb.sandbox.contact_centre import Domain, Template

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEKEND = 4 * DAY  # longer than any time without a shift

Value = tuple[str | None, str | None]
"""A value's kind and its text, as in the tables; both None where there is none."""

ABSENT: Value = (None, None)
EMPTY: Value = ("empty", None)
CLOSED: Value = ("string", "closed")


class Who(NamedTuple):
    """Who acted, as AWS would say it, and who it really was."""

    # the principal's ARN; None where AWS says nothing about who acted
    principal: str | None
    user: str | None  # the user's ARN
    custom: str | None  # the custom entity
    doer: str  # who it really was: ``person``, ``automation`` or ``integration``

    @property
    def kind(self) -> str:
        """The actor's kind, as far as an audit event can tell."""
        if self.user is not None:
            return "agent"
        if self.custom is not None:
            return "custom"
        if self.principal is None:
            return "unknown"
        if "AWSServiceRoleForAmazonConnect" in self.principal:
            return "service"
        return "role"

    @property
    def actor(self) -> str | None:
        """The actor's one id: user, custom entity or principal."""
        return self.user or self.custom or self.principal


class Change(NamedTuple):
    """One field of an act."""

    field_id: str  # the field
    old: Value  # its value before
    new: Value  # its value after


class Merge(NamedTuple):
    """What the events of one merge share."""

    merge_event_id: str  # the merge's id
    primary_case_id: str  # the case that is kept
    secondary_case_id: str  # the case that is closed


@dataclass(slots=True)
class Act:
    """One thing that was done to a case."""

    event_id: str  # its audit event's id
    ms: int  # when, in milliseconds since 1970
    type: str  # the audit event's type
    item_type: str | None  # the related item's type
    who: Who  # who did it
    changes: tuple[Change, ...]  # the fields that it touched
    merge: Merge | None = None  # the merge that it belongs to
    # whether the service still has it in the case's audit history
    is_served: bool = True


class Oddity(NamedTuple):
    """Something odd that was done on purpose."""

    kind: str  # what it is
    ms: int  # when it happened
    event_id: str | None  # the act
    field_id: str | None  # the field
    note: str  # what exactly, for a person


class Version(NamedTuple):
    """What a related item is from one act on."""

    ms: int  # since when
    content: dict[str, Any] | None  # what it holds; None once it is gone
    act: Act  # what made it so


@dataclass(slots=True)
class Item:
    """One related item and what became of it."""

    item_id: str  # its id; it keeps it when a merge moves it
    type: str  # its type, as AWS names it
    associated_ms: int  # when it was first tied to a case
    who: Who  # who did that
    versions: list[Version]  # what it was, oldest first

    def content(self, ms: int) -> dict[str, Any] | None:
        """Return its content at a time."""
        found = None
        for version in self.versions:
            if version.ms <= ms:
                found = version.content
        return found


@dataclass(slots=True)
class Life:
    """All that happened to one case."""

    domain: Domain  # its domain
    case_id: str  # the case
    template: Template  # its template
    start_ms: int  # when it was created
    created_by: Who  # who created it
    # what was done, in the order in which it was done
    acts: list[Act] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)  # its related items
    oddities: list[Oddity] = field(default_factory=list)  # what is odd about it
    tags: dict[str, str] = field(default_factory=dict)  # its tags

    def state(self, ms: int) -> dict[str, Value]:
        """Return the values of the case's fields at a time."""
        state: dict[str, Value] = {}
        for act in self.acts:
            if act.ms > ms:
                break
            if act.type.startswith("Case."):
                for change in act.changes:
                    state[change.field_id] = change.new
        return state


def sla_status(content: dict[str, Any], now: str) -> str:
    """Return an SLA's status as AWS works it out, from its target and its end."""
    over = content.get("completionTime")
    if over is None:
        return "Active" if now <= content["targetTime"] else "Overdue"
    return "Met" if over <= content["targetTime"] else "NotMet"
