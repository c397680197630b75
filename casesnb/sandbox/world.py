"""A seeded contact centre whose truth is known: what really happened in it."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from casesnb.sandbox import truth
from casesnb.sandbox.case_life import DAY, HOUR, Merge
from casesnb.sandbox.contact_centre import (
    ACCOUNT,
    MAX_DOMAINS,
    REGION,
    Domain,
    next_shift,
    to_moment,
    to_ms,
)
from casesnb.sandbox.randomness import Dice, as_uuid, digest
from casesnb.sandbox.rates import Rates
from casesnb.sandbox.simulate import Plan, simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from casesnb.sandbox.case_life import Life, Value
    from casesnb.sandbox.service.service import Service
    from casesnb.wire.responder import Request, Response

_Row = TypeVar("_Row")

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
END = datetime(2026, 3, 30, 17, tzinfo=UTC)

_BLOCK = 100  # cases that one bulk edit can reach
_AWKWARD = 1 << 38  # numbers from here on are cases that no listing has
_DOMAIN_BITS = 40
_ID_BITS = 48
_AWKWARD_SIZES = (0, 1, 25, 26, 10_000)


class World:
    """Contact centres in which everything that happened is known.

    The same arguments give the same world, to the byte, on every machine. Hand
    it to ``connect`` and it answers as Amazon Connect Cases would. What is
    called ``true_...`` tells what really happened by `now`: to one case, or to
    all of them where no ``case_id`` is given.

    Parameters
    ----------
    seed : int, default 0
        Which world.
    domains : int, default 2
        How many Cases domains it has, 1 to 5.
    cases : int, default 40
        How many cases in all domains together.
    start, end : datetime
        When its story begins and ends. Its own "now" is `end`.
    agents : int, default 24
        How many people work in each domain.
    rates : Rates
        How often each odd thing happens.

    Raises
    ------
    ValueError
        If a number is out of range, or a time has no time zone.

    See Also
    --------
    casesnb.connect : A client that this world answers.

    Examples
    --------
    >>> world = World(seed=7, cases=10)
    >>> domain_id, case_id = world.showcase
    >>> [event.event_type for event in world.true_events(case_id)][:2]
    ['Case.Created', 'RelatedItem.Created']
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        domains: int = 2,
        cases: int = 40,
        start: datetime = START,
        end: datetime = END,
        agents: int = 24,
        rates: Rates = Rates(),  # noqa: B008 - frozen
    ) -> None:
        if not 1 <= domains <= MAX_DOMAINS:
            raise ValueError(f"domains={domains}: AWS allows 1 to {MAX_DOMAINS}.")
        if cases < 0 or agents < 1:
            raise ValueError(
                f"cases={cases}, agents={agents}: give at least 0 cases and 1 agent."
            )
        self.seed = seed
        self.rates = rates
        self.n_cases = cases
        self._start, self._end = to_ms(start), to_ms(end)
        if self._end - self._start < DAY:
            raise ValueError(
                f"start={start}, end={end}: the story takes at least a day."
            )
        self._now = self._end
        self._domains = tuple(
            Domain(number, seed, self._start, self._end, agents)
            for number in range(domains)
        )
        self._by_id = {domain.domain_id: domain for domain in self._domains}
        # An odd factor permutes the numbers below 2**48, and back.
        self._factor = digest(seed, "factor", bits=_ID_BITS) | 1
        self._shift = digest(seed, "shift", bits=_ID_BITS)
        self._inverse = pow(self._factor, -1, 1 << _ID_BITS)
        self._arguments = {
            "seed": seed,
            "domains": domains,
            "cases": cases,
            "start": start.isoformat(),
            "end": end.isoformat(),
            "agents": agents,
        }
        self._life = lru_cache(maxsize=1024)(self._simulate)

    def __repr__(self) -> str:
        return f"World(seed={self.seed}, cases={self.n_cases}) at {self.now}"

    def __call__(self, request: Request) -> Response:
        """Answer one request as the service would."""
        return self._service(request)

    @cached_property
    def _service(self) -> Service:
        return self.service()

    def service(self, *, order: str = "newest first") -> Service:
        """Return what answers requests about this world.

        Parameters
        ----------
        order : str, default "newest first"
            How audit events come: ``"newest first"``, ``"oldest first"`` or
            ``"mixed"``. AWS promises none.

        Returns
        -------
        Service
            A responder.
        """
        from casesnb.sandbox.service.service import Service

        return Service(self, order=order)

    @property
    def provenance(self) -> dict[str, Any]:
        """Where answers come from, for manifests: ``"source"`` is ``"sandbox"``."""
        return {
            "source": "sandbox",
            **self._arguments,
            "now": self.now.isoformat(),
        }

    @property
    def now(self) -> datetime:
        """The world's own time: when it is looked at."""
        return to_moment(self._now)

    def at(self, as_of: datetime) -> World:
        """Return the same world seen at another moment.

        Parameters
        ----------
        as_of : datetime
            With a time zone. After `end`, nothing more happens.

        Returns
        -------
        World
            The same world, in which the rest has not happened yet.

        Raises
        ------
        ValueError
            If `as_of` has no time zone.
        """
        other = copy.copy(self)
        other._now = to_ms(as_of)
        other.__dict__.pop("_service", None)
        return other

    # ------------------------------------------------------------- what there is

    @property
    def domains(self) -> tuple[Domain, ...]:
        """The contact centres: people, queues, fields, templates."""
        return self._domains

    def domain(self, domain_id: str) -> Domain:
        """Return the contact centre of an id; KeyError if there is none."""
        if domain_id not in self._by_id:
            raise KeyError(
                f"This world has no domain {domain_id!r}. There are "
                f"{', '.join(self._by_id)}."
            )
        return self._by_id[domain_id]

    def case_ids(self, domain_id: str | None = None) -> Iterator[str]:
        """Yield the cases that exist by now, about in the order of creation.

        Of one domain, or of all; those of `awkward` are not among them.

        Yields
        ------
        str
            A case's id.
        """
        domains = self._domains if domain_id is None else [self.domain(domain_id)]
        for domain in domains:
            for number in range(self.size(domain)):
                if self._created(domain, number)[0] <= self._now:
                    yield self.case_id(domain, number)

    def size(self, domain: Domain) -> int:
        """Return how many cases a contact centre ever gets."""
        share, left = divmod(self.n_cases, len(self._domains))
        return share + (domain.number < left)

    @property
    def showcase(self) -> tuple[str, str]:
        """The domain and the case to show first: a bit of everything, readable.

        Raises
        ------
        LookupError
            If the world has no case.
        """
        domain = self._domains[0]
        if not self.n_cases:
            raise LookupError("This world has no case. Give cases=1 or more.")
        return domain.domain_id, self.case_id(domain, self._shown(domain))

    @property
    def awkward(self) -> dict[str, str]:
        """Cases of exactly 0, 1, 25, 26 and 10,000 served events, by their name.

        They are in the first domain, in no listing, and told when asked for.
        """
        domain = self._domains[0]
        return {
            f"{n} event{'' if n == 1 else 's'}": self.case_id(domain, _AWKWARD + i)
            for i, n in enumerate(_AWKWARD_SIZES)
        }

    def case_id(self, domain: Domain, number: int) -> str:
        """Return the id of a case by its place in a contact centre.

        It is a UUID from which the place can be told, so that no index is kept.
        """
        place = (domain.number << _DOMAIN_BITS) | number
        low = (place + self._shift) * self._factor % (1 << _ID_BITS)
        high = digest(self.seed, "case", place, bits=80)
        return as_uuid((high << _ID_BITS) | low)

    def find(self, case_id: str) -> Life | None:
        """Return all that ever happens to a case; None if there is none by now."""
        try:
            low = int(case_id[-12:], 16)
        except ValueError:
            return None
        place = (low * self._inverse - self._shift) % (1 << _ID_BITS)
        d, number = divmod(place, 1 << _DOMAIN_BITS)
        if d >= len(self._domains):
            return None
        domain = self._domains[d]
        if number >= _AWKWARD:
            known = d == 0 and number < _AWKWARD + len(_AWKWARD_SIZES)
        else:
            known = number < self.size(domain)
        if not known or self.case_id(domain, number) != case_id:
            return None
        if self._created(domain, number)[0] > self._now:
            return None
        return self._life(d, number)

    def life(self, case_id: str) -> Life:
        """Return all that ever happens to a case; KeyError if there is none by now."""
        life = self.find(case_id)
        if life is None:
            raise KeyError(f"This world has no case {case_id!r} at {self.now}.")
        return life

    # ------------------------------------------------------------------ the truth

    def true_events(self, case_id: str | None = None) -> Iterator[truth.TrueEvent]:
        """One row per thing that was done, case by case, in the order it was done.

        What the audit history lacks is in it too, and not ``is_served``.
        """
        return self._rows(truth.events, case_id)

    def true_changes(self, case_id: str | None = None) -> Iterator[truth.TrueChange]:
        """One row per field of what was done, case by case, in that order.

        What the audit history lacks is in it too, and not ``is_served``.
        """
        return self._rows(truth.changes, case_id)

    def true_state(
        self, case_id: str, *, as_of: datetime | None = None
    ) -> dict[str, Value]:
        """Return the values of a case's fields at a moment.

        Parameters
        ----------
        case_id : str
            The case.
        as_of : datetime, optional
            The moment, all that was done at it included; now by default.

        Returns
        -------
        dict of str to tuple
            By field id: kind and text. A field is in it once anybody has set or
            cleared it. Related items and what Cases keeps by itself (such as
            ``last_updated_datetime``) are not in it, unless an event lists them.
        """
        ms = self._now if as_of is None else min(self._now, to_ms(as_of))
        return self.life(case_id).state(ms)

    def true_spells(self, case_id: str, field_id: str) -> list[truth.TrueSpell]:
        """One row per interval during which a field held one value, oldest first.

        They go from the case's creation on, without gaps: the value that the field
        got then, or ``empty`` where its first change says that it had none. A field
        that no event mentions has no spell.
        """
        return truth.spells(self.life(case_id), field_id, self._now)

    def true_handoffs(self, case_id: str | None = None) -> list[truth.TrueHandoff]:
        """One row per change of ``assigned_user`` or ``assigned_queue`` after creation.

        Rows with two names are handoffs in the strict sense; None is nobody.
        ``is_ping_pong``: back to the holder before, unassigned time between them
        left aside.
        """
        return list(self._rows(truth.handoffs, case_id))

    def true_reopens(self, case_id: str | None = None) -> list[truth.TrueReopen]:
        """One row per time that a closed case was opened again.

        A merge closes a case too, though it resolves nothing: such rows are
        ``is_after_merge``.
        """
        return list(self._rows(truth.reopens, case_id))

    def true_slas(self, case_id: str | None = None) -> list[truth.TrueSla]:
        """One row per SLA of a case, as it stands.

        ``first_status`` is what it would be, had nobody edited its target;
        ``is_told``: whether the audit history can show what happened to it.
        """
        return list(self._rows(truth.slas, case_id))

    def true_sla_edits(self, case_id: str | None = None) -> list[truth.TrueSlaEdit]:
        """One row per edit of an SLA's target: none, unless `Rates` say ``sla_edit``."""
        return list(self._rows(truth.sla_edits, case_id))

    def true_actor_kind(self, case_id: str) -> dict[str, str]:
        """Return what kind of actor each of a case's events names, by event id.

        ``agent`` where a user ARN is named, ``custom`` where a custom entity is,
        ``service`` for the service-linked role alone, ``role`` for another principal
        alone, ``unknown`` where nobody is. Who it really was is ``TrueEvent.doer``.
        """
        return {event.event_id: event.actor_kind for event in self.true_events(case_id)}

    def true_merges(self) -> list[truth.TrueMerge]:
        """One row per merge of two cases, with its events on both."""
        found = {}
        for life in self._lives(None):
            for act in life.acts:
                if act.merge is not None and act.ms <= self._now:
                    found[act.merge.merge_event_id] = (life.domain, act.merge)
                    break
        out = []
        for domain, merge in found.values():
            acts = [
                [
                    act
                    for act in self.life(case_id).acts
                    if act.merge == merge and act.ms <= self._now
                ]
                for case_id in (merge.primary_case_id, merge.secondary_case_id)
            ]
            primary, secondary = (tuple(a.event_id for a in each) for each in acts)
            at = min(act.ms for each in acts for act in each)
            out.append(
                truth.TrueMerge(
                    domain.domain_id, *merge, to_moment(at), primary, secondary
                )
            )
        return out

    def true_thread(self, case_id: str) -> list[truth.TrueEvent]:
        """One row per thing done to a case and to what was merged into it.

        The story as if it had never been two cases: both cases' events, each with
        its own case, in the order of time; at one instant, the kept case's first.
        What happens to the other case after the merge is its own and is left out;
        the merge's own events are in it and named.
        """
        rows = list(self.true_events(case_id))
        merged = {
            event.secondary_case_id
            for event in rows
            if event.merge_event_id is not None and event.primary_case_id == case_id
        }
        for other in merged:
            theirs = list(self.true_events(other))
            last = max(i for i, e in enumerate(theirs) if e.merge_event_id is not None)
            rows += theirs[: last + 1]
        return sorted(rows, key=lambda e: (e.performed_at, e.case_id != case_id))

    def true_anomalies(
        self, case_id: str | None = None, *, kind: str | None = None
    ) -> list[truth.Anomaly]:
        """One row per odd thing that the world holds on purpose.

        All of each kind, or of one of the kinds of ``truth.ANOMALIES``.
        """
        found = self._rows(truth.anomalies, case_id)
        return [row for row in found if kind in (None, row.kind)]

    def _rows(
        self, table: Callable[[Life, int], Iterable[_Row]], case_id: str | None
    ) -> Iterator[_Row]:
        for life in self._lives(case_id):
            yield from table(life, self._now)

    def _lives(self, case_id: str | None) -> Iterator[Life]:
        if case_id is not None:
            yield self.life(case_id)
            return
        for each in self.case_ids():
            yield self.life(each)

    # ------------------------------------------------------------------ the plans

    def _shown(self, domain: Domain) -> int:
        """Return the number of the case to show: neither the first nor the last."""
        return self.size(domain) * 2 // 5

    def _created(self, domain: Domain, number: int) -> tuple[int, str]:
        """Return when a case is created, and who will do most of it."""
        if number >= _AWKWARD:
            return self._start + HOUR, "people"
        dice = Dice(self.seed, domain.number, number, "created")
        share = dice.share()
        roll = dice.share()
        rates = self.rates
        manner = (
            "automation"
            if roll < rates.automation
            else "integration"
            if roll < rates.automation + rates.integration
            else "people"
        )
        if domain.number == 0 and number == self._shown(domain):
            manner = "people"
        ms = self._start + int(
            (self._end - self._start - self._margin)
            * (number + share)
            / self.size(domain)
        )
        if manner == "people":
            shifted = next_shift(ms, domain.zones[0], dice)
            ms = shifted if shifted < self._end else ms
        return ms, manner

    @property
    def _margin(self) -> int:
        """Time at the end in which no case is created."""
        return min(6 * DAY, (self._end - self._start) // 10)

    def _simulate(self, number_of_domain: int, number: int) -> Life:
        domain = self._domains[number_of_domain]
        return simulate(self._plan(domain, number, with_merge=True))

    def _plan(self, domain: Domain, number: int, *, with_merge: bool) -> Plan:
        start, manner = self._created(domain, number)
        awkward = number >= _AWKWARD
        shown = domain.number == 0 and number == self._shown(domain)
        pair = number // 2
        plan = Plan(
            domain=domain,
            number=number,
            case_id=self.case_id(domain, number),
            start_ms=start,
            rates=self.rates,
            customer=self._customer(domain, number),
            manner=manner,
            neighbour=self.case_id(domain, 0 if awkward else max(0, number - 1)),
            is_showcase=shown,
            n_events=_AWKWARD_SIZES[number - _AWKWARD] if awkward else None,
        )
        if shown or awkward:
            return plan
        merge_ms = self._merge_ms(domain, pair) if with_merge else None
        if merge_ms is not None:
            first = Dice(self.seed, domain.number, pair, "first").chance(0.7)
            primary, secondary = (
                (2 * pair, 2 * pair + 1) if first else (2 * pair + 1, 2 * pair)
            )
            merge = Merge(
                domain.new_id("merge", pair),
                self.case_id(domain, primary),
                self.case_id(domain, secondary),
            )
            other = self._life(domain.number, secondary) if number == primary else None
            plan = plan._replace(merge=(merge_ms, merge, other))
        return plan._replace(bulk_ms=self._bulk_ms(domain, number, start))

    def _customer(self, domain: Domain, number: int) -> str:
        # The two of a pair may turn out to be of one customer.
        who = number // 2 if self._merges(domain, number // 2) else f"only {number}"
        profile = domain.new_id("customer", who)
        return (
            f"arn:aws:profile:{REGION}:{ACCOUNT}:domains/{domain.name}/profiles/"
            f"{profile.replace('-', '')}"
        )

    def _merges(self, domain: Domain, pair: int) -> bool:
        numbers = (2 * pair, 2 * pair + 1)
        if numbers[1] >= self.size(domain):
            return False
        if domain.number == 0 and self._shown(domain) in numbers:
            return False
        return Dice(self.seed, domain.number, pair, "pair").chance(self.rates.merge)

    def _merge_ms(self, domain: Domain, pair: int) -> int | None:
        if not self._merges(domain, pair):
            return None
        created = max(self._created(domain, 2 * pair + i)[0] for i in (0, 1))
        dice = Dice(self.seed, domain.number, pair, "merge")
        ms = created + dice.between(HOUR, 30 * HOUR)
        return next_shift(ms, domain.zones[0], dice)

    def _bulk_ms(self, domain: Domain, number: int, start: int) -> int | None:
        block = number // _BLOCK
        dice = Dice(self.seed, domain.number, block, "bulk")
        if not dice.chance(self.rates.bulk_edit):
            return None
        size = self.size(domain)
        first, last = block * _BLOCK, min(size, (block + 1) * _BLOCK)
        span = self._end - self._start - self._margin
        ms = self._start + span * (first + 2 * last) // (3 * size)
        ms = next_shift(ms, domain.zones[0], dice)
        # It reaches most of the block's cases that are there by then.
        reached = Dice(self.seed, domain.number, number, "bulk").chance(0.8)
        if not reached or ms < start + HOUR:
            return None
        return ms
