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
    """Who acted, as AWS would say it, and who it really was.

    Parameters
    ----------
    principal : str or None
        The principal's ARN; None where AWS says nothing about who acted.
    user : str or None
        The user's ARN.
    custom : str or None
        The custom entity.
    doer : str
        Who it really was: ``person``, ``automation`` or ``integration``.
    """

    principal: str | None
    user: str | None
    custom: str | None
    doer: str

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
    """One field of an act.

    Parameters
    ----------
    field_id : str
        The field.
    old : tuple
        Its value before.
    new : tuple
        Its value after.
    """

    field_id: str
    old: Value
    new: Value


class Merge(NamedTuple):
    """What the events of one merge share.

    Parameters
    ----------
    merge_event_id : str
        The merge's id.
    primary_case_id : str
        The case that is kept.
    secondary_case_id : str
        The case that is closed.
    """

    merge_event_id: str
    primary_case_id: str
    secondary_case_id: str


@dataclass(slots=True)
class Act:
    """One thing that was done to a case.

    Parameters
    ----------
    event_id : str
        Its audit event's id.
    ms : int
        When, in milliseconds since 1970.
    type : str
        The audit event's type.
    item_type : str or None
        The related item's type.
    who : Who
        Who did it.
    changes : tuple of Change
        The fields that it touched.
    merge : Merge or None
        The merge that it belongs to.
    is_served : bool
        Whether the service still has it in the case's audit history.
    """

    event_id: str
    ms: int
    type: str
    item_type: str | None
    who: Who
    changes: tuple[Change, ...]
    merge: Merge | None = None
    is_served: bool = True


class Plant(NamedTuple):
    """Something odd that was done on purpose.

    Parameters
    ----------
    kind : str
        What it is.
    ms : int
        When it happened.
    event_id : str or None
        The act.
    field_id : str or None
        The field.
    note : str
        What exactly, for a person.
    """

    kind: str
    ms: int
    event_id: str | None
    field_id: str | None
    note: str


@dataclass(slots=True)
class Item:
    """One related item and what became of it.

    Parameters
    ----------
    item_id : str
        Its id; it keeps it when a merge moves it.
    type : str
        Its type, as AWS names it.
    associated_ms : int
        When it was first tied to a case.
    who : Who
        Who did that.
    versions : list
        Since when it has been what: a time and its content, None once gone.
    """

    item_id: str
    type: str
    associated_ms: int
    who: Who
    versions: list[tuple[int, dict[str, Any] | None]]

    def content(self, ms: int) -> dict[str, Any] | None:
        """Return its content at a time.

        Parameters
        ----------
        ms : int
            Milliseconds since 1970.

        Returns
        -------
        dict or None
            The content; None if it is not there.
        """
        found = None
        for since, content in self.versions:
            if since <= ms:
                found = content
        return found


@dataclass(slots=True)
class Life:
    """All that happened to one case.

    Parameters
    ----------
    domain : Domain
        Its domain.
    case_id : str
        The case.
    template : Template
        Its template.
    start_ms : int
        When it was created.
    created_by : Who
        Who created it.
    acts : list of Act
        What was done, in the order in which it was done.
    items : list of Item
        Its related items.
    plants : list of Plant
        What is odd about it on purpose.
    tags : dict of str to str
        Its tags.
    """

    domain: Domain
    case_id: str
    template: Template
    start_ms: int
    created_by: Who
    acts: list[Act] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    plants: list[Plant] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    def state(self, ms: int) -> dict[str, Value]:
        """Return the values of the case's fields at a time.

        Parameters
        ----------
        ms : int
            Milliseconds since 1970.

        Returns
        -------
        dict of str to tuple
            A value for each field that anybody had set by then.
        """
        state: dict[str, Value] = {}
        for act in self.acts:
            if act.ms > ms:
                break
            if act.type.startswith("Case."):
                for change in act.changes:
                    state[change.field_id] = change.new
        return state
