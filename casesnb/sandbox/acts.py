"""Writes down what is done to a case: acts in their order, and what is odd of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from casesnb.sandbox.case_life import (
    ABSENT,
    CLOSED,
    DAY,
    EMPTY,
    MINUTE,
    Act,
    Change,
    Item,
    Life,
    Merge,
    Plant,
    Value,
    Who,
)
from casesnb.sandbox.contact_centre import at_work, to_iso
from casesnb.sandbox.randomness import Dice, as_uuid, digest
from casesnb.sandbox.texts import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from casesnb.sandbox.contact_centre import Domain
    from casesnb.sandbox.rates import Rates

_HOSTILE = frozenset(HOSTILE)

LONGEST = 4100
"""Characters that AWS allows in a value."""

BATCH = "BatchUpdate"
"""The role that edits in bulk."""


class Plan(NamedTuple):
    """What is settled about a case before its life is told."""

    domain: Domain  # its domain
    number: int  # its place in the domain
    case_id: str  # its id
    start_ms: int  # when it is created
    rates: Rates  # how often odd things happen
    customer: str  # the customer's profile ARN
    manner: str  # who does most of it: ``people``, ``automation`` or ``integration``
    neighbour: str  # an older case's id, to link to
    # when it is merged, the merge and the other case's life, if it is told
    merge: tuple[int, Merge, Life | None] | None = None
    bulk_ms: int | None = None  # when a bulk edit reaches it
    is_showcase: bool = False  # whether it is the one to show
    n_events: int | None = None  # exactly how many events it shall have


class Pen:
    """Keeps a case's state and writes the acts that change it."""

    life: Life
    """What is written, once somebody has begun it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rates = plan.rates
        self.domain = plan.domain
        self.dice = Dice(plan.domain.seed, plan.domain.number, plan.number)
        self.now = plan.start_ms
        self.state: dict[str, Value] = {}
        self.due: list[tuple[int, Callable[[int], None]]] = []
        self.over = False
        self.was_closed = False
        self.tie = False
        templates = [
            t
            for t in self.domain.templates
            if t.retired_ms is None or plan.start_ms < t.retired_ms
        ]
        self.template = templates[0] if plan.is_showcase else self.dice.pick(templates)
        self.customer_writes = HOSTILE if self.dice.chance(self.rates.hostile) else None
        self.bookkeeping = self.dice.chance(self.rates.bookkeeping)

    def wait(self, minutes: int) -> None:
        """Let about so many minutes go by, now and then many more."""
        ms = minutes * MINUTE
        if self.plan.n_events is not None:  # in even steps, to be done in time
            span = self.domain.end_ms - DAY - self.plan.start_ms
            step = span * len(self.life.acts) // self.plan.n_events
            self.now = max(self.now, self.plan.start_ms + step)
        elif self.plan.is_showcase:
            self.now += ms // 2 + self.dice.below(ms)
        elif self.dice.chance(self.rates.same_instant):
            self.tie = True
        else:
            self.now += 1 + self.dice.tail(ms, 30 * ms)

    def set(self, who: Who, **values: object) -> bool:
        """Change fields of the case."""
        changes = []
        for key, new in values.items():
            the_field = self.domain.fields[key]
            if the_field.deleted_at(self.now):
                continue
            value = self.value(new)
            before = self.state.get(the_field.field_id, EMPTY)
            if value != before:
                changes.append(Change(the_field.field_id, before, value))
        return bool(changes) and self.act("Case.Updated", who, tuple(changes))

    def add(
        self,
        item_type: str,
        who: Who,
        content: Mapping[str, Any],
        *,
        listed: bool = True,
        merge: Merge | None = None,
    ) -> Item | None:
        """Add a related item to the case."""
        changes = tuple(
            Change(f"{item_type[0].lower()}{item_type[1:]}.{name}", ABSENT, value)
            for name, text in content.items()
            if listed
            for value in [
                ("double", repr(float(text)))
                if isinstance(text, int)
                else ("string", text)
            ]
        )
        if not self.act("RelatedItem.Created", who, changes, item_type, merge=merge):
            return None
        item_id = as_uuid(digest(self.plan.case_id, "item", len(self.life.items)))
        item = Item(item_id, item_type, self.now, who, [(self.now, dict(content))])
        self.life.items.append(item)
        return item

    def act(
        self,
        event_type: str,
        who: Who,
        changes: tuple[Change, ...],
        item_type: str | None = None,
        *,
        merge: Merge | None = None,
    ) -> bool:
        """Write one act, after whatever was due before it."""
        if merge is None:
            asked = self.now
            while self.due and self.due[0][0] <= asked and not self.over:
                ms, what = self.due.pop(0)
                last = self.life.acts[-1].ms if self.life.acts else ms
                self.now = max(ms, last)
                what(self.now)
                self.now = max(asked, self.now)
        if self.over:
            return False
        if event_type == "Case.Updated" and merge is None:
            # What was due may have changed the same fields a moment ago.
            fresh = []
            for change in changes:
                before = self.state.get(change.field_id, EMPTY)
                if before != change.new:
                    fresh.append(change._replace(old=before))
                    self.state[change.field_id] = change.new
            if not fresh:
                return False
            changes = (*fresh, *self._kept_books(who))
        acts = self.life.acts
        if acts and acts[-1].ms == self.now and not self.tie:
            self.now += 40 + self.dice.below(900)
        self.tie = False
        event_id = as_uuid(digest(self.plan.case_id, len(acts)))
        acts.append(Act(event_id, self.now, event_type, item_type, who, changes, merge))
        self._notice(acts[-1])
        return True

    def _notice(self, act: Act) -> None:
        """Note what is odd about an act that was just written."""
        acts = self.life.acts
        if len(acts) > 1 and acts[-2].ms == act.ms:
            self.plant("same_instant", None, f"as {acts[-2].event_id}")
        agent = self.domain.agents_by_arn.get(act.who.user or "")
        if agent is not None and not at_work(act.ms, agent.zone):
            self.plant("out_of_hours", None, f"{agent.username}, {agent.zone}")
        if act.who.principal == self.domain.role(BATCH):
            self.plant("bulk_edit", None, "many cases at this very moment")
        if act.who.principal is None:
            self.plant("unnamed", None, f"done by {act.who.doer}")
        changed = {change.field_id for change in act.changes}
        if act.type == "Case.Updated" and self.was_closed and "status" not in changed:
            self.plant("edited_after_close", None, f"by {act.who.doer}")
        for change in act.changes:
            text = change.new[1]
            if text in _HOSTILE:
                self.plant("hostile_text", change.field_id, "never to be run")
            if text == "":
                self.plant("empty_text", change.field_id, "no characters")
            if text is not None and len(text) == LONGEST:
                self.plant("long_text", change.field_id, "4,100 characters")
        if act.type.startswith("Case."):
            self.was_closed = self.state.get("status") == CLOSED

    def _kept_books(self, who: Who) -> list[Change]:
        if not self.bookkeeping:
            return []
        changes = []
        values: dict[str, Value] = {
            "last_updated_datetime": ("string", to_iso(self.now)),
            "last_updated_user": ("user_arn", who.user) if who.user else EMPTY,
        }
        for name, value in values.items():
            before = self.state.get(name, EMPTY)
            if before != value:
                changes.append(Change(name, before, value))
                self.state[name] = value
        return changes

    def said(self, text: str) -> str:
        """Return what a customer made of `text`."""
        if self.customer_writes is None or self.plan.is_showcase:
            return text
        return self.dice.pick(self.customer_writes)

    def value(self, new: object) -> Value:
        """Return what AWS would make of a value."""
        if new is None:
            return EMPTY
        if isinstance(new, bool):
            return "boolean", "true" if new else "false"
        if isinstance(new, float):
            return "double", repr(new)
        if isinstance(new, str):
            return "string", new
        return "user_arn", new.arn  # type: ignore[attr-defined]

    def plant(self, kind: str, field_id: str | None, note: str) -> None:
        """Note something odd about the last act."""
        act = self.life.acts[-1]
        self.life.plants.append(Plant(kind, act.ms, act.event_id, field_id, note))

    def hide(self) -> None:
        """Leave out of the served history what rates say it lacks."""
        if self.plan.is_showcase or self.plan.n_events is not None:
            return
        if self.dice.chance(self.rates.no_event):
            self.hide_all()
        elif self.dice.chance(self.rates.without_creation):
            for act in self.life.acts[: self.dice.between(1, 4)]:
                act.is_served = False
            self._plant_for_all("without_creation", "begins in mid-life")

    def hide_all(self) -> None:
        """Leave the whole history out."""
        for act in self.life.acts:
            act.is_served = False
        self._plant_for_all("no_event", "the history is empty")

    def _plant_for_all(self, kind: str, note: str) -> None:
        self.life.plants.append(Plant(kind, self.plan.start_ms, None, None, note))
