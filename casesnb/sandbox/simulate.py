"""A case's life, forwards: what people and programs do to it, step by step.

A life follows from the seed and the case's place alone, so that any case of a
hundred thousand can be simulated by itself. Nothing in it comes from a response.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from casesnb.sandbox.case_life import (
    ABSENT,
    CLOSED,
    DAY,
    EMPTY,
    HOUR,
    MINUTE,
    WEEKEND,
    Act,
    Change,
    Item,
    Life,
    Merge,
    Oddity,
    Value,
    Version,
    Who,
    sla_status,
)
from casesnb.sandbox.contact_centre import at_work, has_come, next_shift, to_iso, to_ms
from casesnb.sandbox.randomness import Dice, as_uuid, digest
from casesnb.sandbox.texts import COMMENTS, HOSTILE, NEXT_STEPS, TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from casesnb.sandbox.contact_centre import Agent, Domain
    from casesnb.sandbox.rates import Rates

_MERGEABLE = ("assigned_queue", "assigned_user", "summary", "case_reason")
_CHANNELS = ("VOICE", "CHAT", "TASK", "EMAIL")
_HOSTILE = frozenset(HOSTILE)

LONGEST = 4100
"""Characters that AWS allows in a value."""

LONGEST_SLA = 1_051_200
"""Minutes that AWS allows an SLA."""

MOST_EDITS = 5
"""Edits of one SLA's target."""

BATCH = "BatchUpdate"
"""The role that edits in bulk."""


def simulate(plan: Plan) -> Life:
    """Return what happens to a case."""
    return _Case(plan).run()


class Plan(NamedTuple):
    """What is settled about a case before its life begins."""

    domain: Domain  # its domain
    number: int  # its place in the domain
    case_id: str  # its id
    start_ms: int  # when it is created
    rates: Rates  # how often odd things happen
    customer: str  # the customer's profile ARN
    manner: str  # who does most of it: ``people``, ``automation`` or ``integration``
    neighbour: str  # an older case's id, to link to
    # when it is merged, the merge and the other case's life, if it is known
    merge: tuple[int, Merge, Life | None] | None = None
    bulk_ms: int | None = None  # when a bulk edit reaches it
    is_showcase: bool = False  # whether it is the one to show
    n_events: int | None = None  # exactly how many events it shall have


class _Case:
    """One case as it goes; each method is something that people or programs do."""

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
            if not has_come(t.retired_ms, plan.start_ms)
        ]
        template = templates[0] if plan.is_showcase else self.dice.pick(templates)
        self.customer_writes = HOSTILE if self.dice.chance(self.rates.hostile) else None
        self.bookkeeping = self.dice.chance(self.rates.bookkeeping)
        if plan.bulk_ms is not None:
            self.due.append((plan.bulk_ms, self.bulk_edit))
        if plan.merge is not None:
            self.due.append((plan.merge[0], self.merge))
        self.due.sort(key=lambda due: due[0])
        self.manner = plan.manner
        self.queue = self.domain.queues[0].arn
        self.holder: Agent | None = None
        self.life = Life(
            self.domain, plan.case_id, template, plan.start_ms, self.creator()
        )

    def run(self) -> Life:
        plan = self.plan
        if plan.n_events is not None:
            self.run_exactly(plan.n_events)
        elif plan.is_showcase:
            self.run_showcase()
        else:
            self.run_usual()
        if plan.n_events is None:
            while self.due and not self.over:
                ms, what = self.due.pop(0)
                self.now = max(self.now, ms)
                what(self.now)
        self.hide()
        return self.life

    def run_usual(self) -> None:
        dice, rates = self.dice, self.rates
        self.create()
        self.contact(self.service())
        if dice.chance(rates.sla):
            self.add_slas()
        self.take()
        if dice.chance(rates.long_text):
            self.long_note()
        n = 1 + dice.tail(5, 120)
        if dice.chance(rates.thousands):
            self.chatter(dice.between(1000, 3000))
            self.note("thousands_of_events", None, "an integration that chats")
        for _ in range(n):
            self.step()
        if dice.chance(rates.ping_pong):
            self.ping_pong()
        if dice.chance(rates.changed_back):
            self.change_back()
        if dice.chance(0.12):  # some are never finished
            return
        self.close()
        while dice.chance(rates.reopen):
            self.reopen()
            for _ in range(dice.between(1, 4)):
                self.step()
            if dice.chance(0.1):
                return
            self.close()
        if dice.chance(rates.edit_after_close):
            self.edit_after_close()

    def run_showcase(self) -> None:
        """Do what the case that is shown first is for: a bit of everything, readable."""
        self.create()
        self.contact(self.service())
        self.add_slas()
        self.wait(4)
        self.route(1)
        self.take(now_and_then=False)
        self.wait(25)
        self.comment(self.agent(), COMMENTS[0])
        self.wait(300)
        self.set(self.agent(), status="waiting_on_customer")
        self.wait(600)
        self.contact(self.service())
        self.attach_file(self.service())
        self.set(self.service(), status="in_progress")
        self.wait(40)
        self.comment(self.agent(), COMMENTS[1])
        self.set(self.agent(), amount=1240.0, summary=self.longer_summary())
        self.wait(90)
        self.ping_pong()
        self.wait(200)
        self.set(self.agent(), status="escalated", priority="high")
        self.pass_on(2)
        self.wait(150)
        self.comment(self.agent(), COMMENTS[5])
        self.set(self.agent(), checked=True)
        self.wait(240)
        self.custom_item(self.integration())
        self.set(self.integration(), amount=1180.5)
        self.wait(60)
        self.comment(self.agent(), COMMENTS[7])
        self.close()
        self.wait(1500)
        self.reopen()
        self.wait(30)
        self.comment(self.agent(), COMMENTS[8])
        self.set(self.agent(), status="in_progress", amount=1240.0)
        self.set(self.agent(), cause="Excess was deducted twice")
        self.wait(120)
        self.comment(self.agent(), COMMENTS[13])
        self.close()

    def run_exactly(self, n: int) -> None:
        if n == 0:
            self.create()
            self.hide_all()
            return
        self.create()
        if n > 1:
            self.take(now_and_then=False)
        if n > 5_000:
            self.chatter(n - 60 - len(self.life.acts))
        while len(self.life.acts) < n:
            self.step()
        del self.life.acts[n:]
        last = self.life.acts[-1].ms
        self.life.oddities = [p for p in self.life.oddities if p.ms <= last]
        for item in self.life.items:
            item.versions = [v for v in item.versions if v.ms <= last]

    def step(self) -> None:
        """Do one of the things that fill a working day."""
        dice = self.dice
        self.wait(dice.pick((5, 20, 60, 240, 900)))
        if self.manner == "integration" and dice.chance(0.6):
            self.set(self.integration(), amount=dice.below(400_000) / 100)
            return
        if self.manner == "automation" and dice.chance(0.3):
            status = dice.pick(("in_progress", "waiting_on_customer", "escalated"))
            self.set(self.service(), status=status)
            return
        dice.weighted(_STEPS)(self)

    # ---------------------------------------------------------------- who does it

    def creator(self) -> Who:
        if self.manner == "integration":
            return self.integration()
        if self.plan.is_showcase or self.manner == "automation":
            return self.service()
        if self.dice.chance(0.05):
            return self.program()
        at_work_now = [
            agent
            for agent in self.domain.teams[self.queue]
            if at_work(self.now, agent.zone) and not self.leaves(agent)
        ]
        return self.person(
            self.dice.pick(at_work_now) if at_work_now else self.colleague()
        )

    def person(self, agent: Agent) -> Who:
        if self.dice.chance(self.rates.unnamed) and not self.plan.is_showcase:
            return Who(None, None, None, "person")
        principal = self.domain.service_role
        if self.dice.chance(0.03):  # through a tool of their own
            principal = self.domain.role("TeamDesktop", agent.username)
        return Who(principal, agent.arn, None, "person")

    def agent(self) -> Who:
        """Return whoever holds the case, or somebody of its queue, when at work."""
        agent = self.holder
        if agent is None or self.leaves(agent):
            agent = self.colleague()
        if self.dice.chance(self.rates.out_of_hours) and not self.plan.is_showcase:
            return self.person(agent)  # from home, whatever the hour
        if self.plan.n_events is None:
            self.now = next_shift(self.now, agent.zone, self.dice)
        return self.person(agent)

    def colleague(self, queue: str | None = None) -> Agent:
        return self.domain.colleague(self.dice, queue or self.queue, self.now + WEEKEND)

    def leaves(self, agent: Agent) -> bool:
        """Whether somebody is gone, or will be before the next shift."""
        return has_come(agent.deleted_ms, self.now + WEEKEND)

    def service(self) -> Who:
        return Who(self.domain.service_role, None, None, "automation")

    def integration(self) -> Who:
        name = self.dice.pick(("billing-sync", "crm@partner.example", "Parcel/Tracker"))
        role = self.domain.role("CaseSync", "nightly" if name[0] == "b" else None)
        return Who(role, None, name, "integration")

    def program(self) -> Who:
        if self.dice.chance(self.rates.unnamed):
            return Who(None, None, None, "integration")
        return Who(self.domain.role("CaseImport"), None, None, "integration")

    # ------------------------------------------------------------- things they do

    def create(self) -> None:
        dice, rates = self.dice, self.rates
        kinds = TEMPLATES[self.domain.kind]
        texts = kinds.get(self.life.template.name) or dice.pick(list(kinds.values()))
        title, summary = texts[0] if self.plan.is_showcase else dice.pick(texts)
        values: dict[str, object] = {
            "title": self.said(title),
            "status": "open",
            "case_reason": dice.pick(self.domain.fields["case_reason"].options).value,
            "customer_id": self.plan.customer,
            "assigned_queue": self.queue,
            "reference_number": f"{digest(self.plan.case_id, bits=64) % 10**8:08d}",
            "priority": dice.weighted(((6, "normal"), (2, "low"), (2, "high"))),
            "number": f"{dice.below(10**7):07d}",
        }
        if dice.chance(rates.empty_text) and not self.plan.is_showcase:
            values["summary"] = ""
        elif dice.chance(0.85) or self.plan.is_showcase:
            values["summary"] = self.said(summary)
        if dice.chance(0.2):
            values["due"] = None
        if dice.chance(0.3):
            values["checked"] = False
        if dice.chance(0.3):
            values["amount"] = 0.0 if dice.chance(0.3) else dice.below(400_000) / 100
        if not has_come(self.domain.fields["segment"].deleted_ms, self.now):
            values["segment"] = dice.pick(("standard", "gold"))
        if dice.chance(0.15):
            values["link"] = f"https://portal.example/{values['number']}"
        old = EMPTY if dice.chance(rates.empty_before_creation) else ABSENT
        changes = []
        for key, new in values.items():
            the_field = self.domain.fields[key]
            value = self.value(new)
            changes.append(Change(the_field.field_id, old, value))
            self.state[the_field.field_id] = value
        self.act("Case.Created", self.life.created_by, tuple(changes))
        self.life.tags = {"channel": dice.pick(_CHANNELS).lower()}

    def take(self, *, now_and_then: bool = True) -> None:
        """Assign the case to somebody of its queue."""
        if now_and_then and self.dice.chance(0.05):
            return  # nobody picks it up
        self.wait(15)
        agent = self.colleague()
        by_rule = self.manner == "automation" or self.dice.chance(0.25)
        self.holder = agent
        who = self.service() if by_rule else self.agent()
        self.set(who, assigned_user=agent, status="in_progress")

    def route(self, place: int) -> None:
        self.queue = self.domain.queues[place].arn
        self.set(self.service(), assigned_queue=self.queue)

    def pass_on(self, place: int | None = None) -> None:
        """Give the case to another person, now and then of another queue."""
        who = self.agent()
        values: dict[str, object] = {}
        if place is not None or self.dice.chance(0.4):
            queue = self.domain.queues[
                self.dice.below(4) if place is None else place
            ].arn
            values["assigned_queue"] = self.queue = queue
        others = [
            agent
            for agent in self.domain.teams[self.queue]
            if agent != self.holder and not self.leaves(agent)
        ]
        if others:
            self.holder = self.dice.pick(others)
            values["assigned_user"] = self.holder
        self.set(who, **values)

    def drop(self) -> None:
        """Put the case back, so that nobody holds it."""
        if self.holder is None:
            self.take()
            return
        who = self.agent()
        self.holder = None
        self.set(who, assigned_user=None)

    def ping_pong(self) -> None:
        """Pass the case on and get it back."""
        if self.holder is None:
            self.take(now_and_then=False)
        first, queue = self.holder, self.queue
        self.wait(60)
        self.pass_on()
        self.wait(60)
        who = self.agent()
        self.holder, self.queue = first, queue
        self.set(who, assigned_user=first, assigned_queue=queue)

    def change_back(self) -> None:
        field_id = self.domain.fields["priority"].field_id
        before = self.state.get(field_id, EMPTY)[1]
        other = "low" if before == "high" else "high"
        self.wait(60)
        self.set(self.agent(), priority=other)
        self.wait(90)
        self.set(self.agent(), priority=before)

    def comment(self, who: Who, text: str | None = None) -> None:
        body = self.said(text or self.dice.pick(COMMENTS))
        self.add("Comment", who, {"body": body, "contentType": "Text/Plain"})

    def retract(self) -> None:
        """Edit or delete a comment."""
        comments = [
            item
            for item in self.life.items
            if item.type == "Comment" and item.content(self.now) is not None
        ]
        if not comments:
            self.comment(self.agent())
            return
        item = self.dice.pick(comments)
        who = self.agent()
        content = item.content(self.now) or {}
        text = ("string", content["body"])
        if self.dice.chance(0.5):
            gone = (Change("comment.body", text, EMPTY),)
            if self.act("RelatedItem.Deleted", who, gone, "Comment"):
                self.becomes(item, None)
            return
        body = content["body"][:200] + " (corrected)"
        changes = (Change("comment.body", text, ("string", body)),)
        if self.act("RelatedItem.Updated", who, changes, "Comment"):
            self.becomes(item, {**content, "body": body})

    def contact(self, who: Who) -> None:
        contact = as_uuid(digest(self.plan.case_id, "contact", len(self.life.items)))
        self.add(
            "Contact",
            who,
            {
                "contactArn": f"{self.domain.instance_arn}/contact/{contact}",
                "channel": self.dice.pick(_CHANNELS),
                "connectedToSystemTime": to_iso(self.now),
            },
            listed=False,
        )

    def attach_file(self, who: Who) -> None:
        file = as_uuid(digest(self.plan.case_id, "file", len(self.life.items)))
        arn = f"{self.domain.arn}/case/{self.plan.case_id}/file/{file}"
        self.add("File", who, {"fileArn": arn})

    def custom_item(self, who: Who) -> None:
        self.add(
            "Custom",
            who,
            {"order": f"A-{self.dice.below(10_000):04d}", "total": self.dice.below(99)},
        )

    def link(self, who: Who) -> None:
        self.add("ConnectCase", who, {"caseId": self.plan.neighbour})

    def add_slas(self) -> None:
        hours = self.life.template.sla_hours
        self.add_sla(f"Resolve in {hours} hours", "closed", hours * 60)
        if not self.plan.is_showcase and self.happens(self.rates.sla_second):
            self.add_sla(f"Begin in {hours * 5} minutes", "in_progress", hours * 5)

    def add_sla(self, name: str, status: str, minutes: int) -> None:
        item = self.add(
            "Sla",
            self.service(),
            {
                "name": name,
                "status": "Active",
                "fieldId": self.domain.fields["status"].field_id,
                "targetFieldValues": status,
                "targetTime": to_iso(self.now + minutes * MINUTE),
            },
        )
        if item is None or self.plan.is_showcase:
            return
        for _ in range(MOST_EDITS):
            if not self.happens(self.rates.sla_edit):
                break
            # Before the deadline or after it, whether the case is closed by then or not.
            ms = self.now + self.dice.between(5, 3 * minutes) * MINUTE
            self.due.append((ms, partial(self.edit_sla, item)))
        self.due.sort(key=lambda due: due[0])

    def edit_sla(self, item: Item, _: int) -> None:
        """Give an SLA another target, which counts from when it was made."""
        who = self.dice.weighted(
            ((6, self.agent), (2, self.program), (1, self.integration))
        )()
        self.do_what_is_due()
        before = item.content(self.now) or {}
        made, now = item.associated_ms, to_iso(self.now)
        over = to_ms(datetime.fromisoformat(before.get("completionTime", now)))
        if sla_status(before, now) in {"Overdue", "NotMet"} and self.dice.chance(0.7):
            spent = -(-(over - made) // MINUTE)
            minutes = spent + self.dice.between(1, 600)  # so that it is met after all
        else:
            minutes = self.dice.between(5, 120) * self.life.template.sla_hours
        target = made + min(minutes, LONGEST_SLA) * MINUTE
        after = {**before, "targetTime": to_iso(target)}
        after["status"] = sla_status(after, now)
        self.update_sla(item, who, before, after)

    def end_slas(self, status: str) -> None:
        """End the SLAs that waited for a status."""
        over = to_iso(self.now)
        self.do_what_is_due()
        for item in self.life.items:
            before = item.content(self.now) or {}
            if (
                item.type != "Sla"
                or before["targetFieldValues"] != status
                or "completionTime" in before
            ):
                continue
            after = {**before, "completionTime": over}
            after["status"] = sla_status(after, over)
            self.update_sla(item, self.service(), before, after)

    def update_sla(
        self, item: Item, who: Who, before: dict[str, Any], after: dict[str, Any]
    ) -> None:
        names = ("targetTime", "status", "completionTime")
        changes = tuple(
            Change(
                f"sla.{name}",
                ("string", before[name]) if name in before else EMPTY,
                ("string", after[name]),
            )
            for name in names
            if after.get(name) != before.get(name)
        )
        if changes and self.act("RelatedItem.Updated", who, changes, "Sla"):
            if not self.rates.sla_edit:
                # Worlds without edits stay as they were: the item is a moment late.
                after = {**after, "completionTime": to_iso(self.now)}
            self.becomes(item, after)

    def close(self) -> None:
        self.wait(self.dice.pick((20, 120, 600)))
        if self.plan.merge is not None:  # the two are merged while both are open
            self.now = max(self.now, self.plan.merge[0] + HOUR)
        by_rule = self.manner != "people" and self.dice.chance(0.5)
        who = self.service() if by_rule else self.agent()
        self.set(who, status="closed")

    def reopen(self) -> None:
        self.wait(self.dice.pick((60, 900, 3000)))
        by_flow = self.manner == "automation" or self.plan.is_showcase
        if by_flow:  # the customer wrote again
            self.contact(self.service())
        who = self.service() if by_flow else self.agent()
        self.set(who, status="open")

    def edit_after_close(self) -> None:
        self.wait(600)
        who = self.dice.pick((self.integration, self.program))()
        self.set(who, amount=self.dice.below(400_000) / 100)

    def chatter(self, n: int) -> None:
        """Have an integration write a reading every few minutes."""
        who = self.integration()
        readings = 0
        while len(self.life.acts) < n and not self.over:
            readings += 1
            if self.plan.n_events is None:
                self.now += 1000 + self.dice.below(5 * MINUTE)
            else:
                self.wait(0)
            self.set(who, amount=float(readings))

    def long_note(self) -> None:
        words = " ".join(COMMENTS)
        text = (words * (LONGEST // len(words) + 1))[:LONGEST]
        self.set(self.agent(), notes=text)

    def longer_summary(self) -> str:
        before = self.state.get("summary", EMPTY)[1] or ""
        return f"{before} {self.dice.pick(NEXT_STEPS)}".strip()[:3000]

    # ------------------------------------------------------ things done to many

    def bulk_edit(self, _: int) -> None:
        if self.was_closed and self.dice.chance(0.7):
            return  # most bulk edits leave closed cases alone
        role = self.domain.role(BATCH)
        who = Who(role, self.domain.agents[0].arn, None, "person")
        self.set(who, priority="high", checked=True)

    def merge(self, ms: int) -> None:
        """Merge the two cases: this one is kept, or closed."""
        assert self.plan.merge is not None  # noqa: S101 - only then is it due
        _, merge, other = self.plan.merge
        self.now = ms
        agent = self.colleague()
        who = Who(self.domain.service_role, agent.arn, None, "person")
        if other is None:
            self.merge_away(who, merge)
        else:
            self.merge_in(who, merge, other)

    def merge_away(self, who: Who, merge: Merge) -> None:
        before = self.state.get("status", EMPTY)
        self.state["status"] = CLOSED
        change = Change("status", before, CLOSED)
        self.act("Case.Updated", who, (change,), merge=merge)
        for item in _movable(self.life, self.now):
            self.act("RelatedItem.Deleted", who, (), item.type, merge=merge)
            self.becomes(item, None)
        self.add("ConnectCase", who, {"caseId": merge.primary_case_id}, merge=merge)
        self.act("Case.Merged", who, (), merge=merge)
        self.note("merge_close", "status", f"into {merge.primary_case_id}")
        if self.dice.chance(0.2):  # a closed case may be opened again
            self.now += self.dice.between(1, 3) * DAY
            self.set(self.agent(), status="open")
        self.over = True

    def merge_in(self, who: Who, merge: Merge, other: Life) -> None:
        before = self.now - 1  # the other case empties while this one fills
        theirs = other.state(before)
        keys = [*_MERGEABLE, "amount", "cause", "link", "specialist", "notes"]
        changes = []
        for key in keys:
            field_id = self.domain.fields[key].field_id
            mine = self.state.get(field_id, EMPTY)
            value = theirs.get(field_id, EMPTY)
            empty = mine[0] == "empty"
            if value != mine and (empty or (key == "case_reason")):
                changes.append(Change(field_id, mine, value))
                self.state[field_id] = value
        if changes:
            self.act("Case.Updated", who, tuple(changes), merge=merge)
        moved = sorted(_movable(other, before), key=lambda item: item.associated_ms)
        for item in moved:
            content = item.content(before)
            self.act("RelatedItem.Created", who, (), item.type, merge=merge)
            self.life.items.append(
                Item(
                    item.item_id,
                    item.type,
                    item.associated_ms,
                    item.who,
                    [Version(self.now, content, self.life.acts[-1])],
                )
            )
        self.add("ConnectCase", who, {"caseId": merge.secondary_case_id}, merge=merge)
        self.act("Case.Merged", who, (), merge=merge)
        self.note("merge", None, f"from {merge.secondary_case_id}")

    # --------------------------------------------------------- how it is recorded

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
            if has_come(the_field.deleted_ms, self.now):
                continue
            value = self.value(new)
            before = self.state.get(the_field.field_id, EMPTY)
            if value != before:
                changes.append(Change(the_field.field_id, before, value))
        if not changes or not self.act("Case.Updated", who, tuple(changes)):
            return False
        if "status" in values:
            self.end_slas(str(values["status"]))
        return True

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
        item = Item(item_id, item_type, self.now, who, [])
        self.becomes(item, dict(content))
        self.life.items.append(item)
        return item

    def becomes(self, item: Item, content: dict[str, Any] | None) -> None:
        """Note what the last act made of a related item."""
        item.versions.append(Version(self.now, content, self.life.acts[-1]))

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
            self.do_what_is_due()
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

    def do_what_is_due(self) -> None:
        """Do what was to be done by now, each at its time."""
        asked = self.now
        while self.due and self.due[0][0] <= asked and not self.over:
            ms, what = self.due.pop(0)
            last = self.life.acts[-1].ms if self.life.acts else ms
            self.now = max(ms, last)
            what(self.now)
            self.now = max(asked, self.now)

    def happens(self, rate: float) -> bool:
        """Whether something that few worlds have happens now."""
        # No die is cast where there is none of it: other worlds stay as they were.
        return rate > 0 and self.dice.chance(rate)

    def _notice(self, act: Act) -> None:
        """Note what is odd about an act that was just written."""
        acts = self.life.acts
        if len(acts) > 1 and acts[-2].ms == act.ms:
            self.note("same_instant", None, f"as {acts[-2].event_id}")
        agent = self.domain.agents_by_arn.get(act.who.user or "")
        if agent is not None and not at_work(act.ms, agent.zone):
            self.note("out_of_hours", None, f"{agent.username}, {agent.zone}")
        if act.who.principal == self.domain.role(BATCH):
            self.note("bulk_edit", None, "many cases at this very moment")
        if act.who.principal is None:
            self.note("unnamed", None, f"done by {act.who.doer}")
        changed = {change.field_id for change in act.changes}
        if act.type == "Case.Updated" and self.was_closed and "status" not in changed:
            self.note("edited_after_close", None, f"by {act.who.doer}")
        for change in act.changes:
            text = change.new[1]
            if text in _HOSTILE:
                self.note("hostile_text", change.field_id, "never to be run")
            if text == "":
                self.note("empty_text", change.field_id, "no characters")
            if text is not None and len(text) == LONGEST:
                self.note("long_text", change.field_id, "4,100 characters")
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

    def note(self, kind: str, field_id: str | None, note: str) -> None:
        """Note something odd about the last act."""
        act = self.life.acts[-1]
        self.life.oddities.append(Oddity(kind, act.ms, act.event_id, field_id, note))

    def hide(self) -> None:
        """Leave out of the served history what rates say it lacks."""
        if self.plan.is_showcase or self.plan.n_events is not None:
            return
        if self.dice.chance(self.rates.no_event):
            self.hide_all()
        elif self.dice.chance(self.rates.without_creation):
            for act in self.life.acts[: self.dice.between(1, 4)]:
                act.is_served = False
            self._note_for_all("without_creation", "begins in mid-life")
        about_slas = [act for act in self.life.acts if act.item_type == "Sla"]
        if self.happens(self.rates.sla_without_events):
            for act in about_slas:
                act.is_served = False
        elif self.happens(self.rates.sla_without_fields):
            for act in about_slas:
                act.changes = ()

    def hide_all(self) -> None:
        """Leave the whole history out."""
        for act in self.life.acts:
            act.is_served = False
        self._note_for_all("no_event", "the history is empty")

    def _note_for_all(self, kind: str, note: str) -> None:
        self.life.oddities.append(Oddity(kind, self.plan.start_ms, None, None, note))


def _movable(life: Life, ms: int) -> list[Item]:
    """Return what a merge moves; files and SLAs stay."""
    return [
        item
        for item in life.items
        if item.type in {"Comment", "Contact", "ConnectCase", "Custom"}
        and item.content(ms) is not None
    ]


_STEPS: tuple[tuple[int, Callable[[_Case], Any]], ...] = (
    (8, lambda case: case.comment(case.agent())),
    (
        6,
        lambda case: case.set(
            case.agent(),
            status=case.dice.pick(("in_progress", "waiting_on_customer", "escalated"))
            if case.now > case.domain.middle_ms or case.dice.chance(0.8)
            else "on_hold",
        ),
    ),
    (4, _Case.pass_on),
    (1, _Case.drop),
    (3, lambda case: case.contact(case.service())),
    (2, lambda case: case.attach_file(case.agent())),
    (
        3,
        lambda case: case.set(
            case.agent(),
            priority=case.dice.pick(("low", "normal", "high", "critical"))
            if case.now < case.domain.middle_ms
            else case.dice.pick(("low", "normal", "high")),
        ),
    ),
    (2, lambda case: case.set(case.agent(), summary=case.longer_summary())),
    (2, lambda case: case.set(case.agent(), amount=case.dice.below(400_000) / 100)),
    (1, lambda case: case.set(case.agent(), checked=case.dice.chance(0.7))),
    (1, lambda case: case.set(case.agent(), due=to_iso(case.now + 3 * DAY))),
    (1, lambda case: case.set(case.agent(), due=None)),
    (1, lambda case: case.set(case.agent(), cause=case.said("Wear and tear"))),
    (1, lambda case: case.set(case.agent(), segment="gold")),
    (
        1,
        lambda case: case.set(
            case.agent(),
            specialist=case.colleague(case.domain.queues[2].arn),
        ),
    ),
    (1, lambda case: case.retract()),
    (1, lambda case: case.link(case.agent())),
    (1, lambda case: case.custom_item(case.integration())),
    (
        1,
        lambda case: case.set(
            case.program(), link=f"https://portal.example/{case.dice.below(10**7)}"
        ),
    ),
)
"""What happens on a working day, and how often."""
