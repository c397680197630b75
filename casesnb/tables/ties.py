"""The orders of events of one instant that their values before and after allow.

Where an old value is not the new value before it, there is a break. The orders with
the fewest breaks are what may have happened. If even these have a break, an event is
missing, and an order with one break more may be the true one as well.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Edge = tuple[int, int]  # a field's value before and after
    State = tuple[int, ...]  # what each field holds
    # How many events are placed, those of this tie (as bits), the state, the breaks.
    Node = tuple[int, int, State, int]
    Step = tuple[int, Node]  # an event, and what it leads to

UNTOLD = 0  # a value that AWS did not send, or that no event tells
LINKED = -1  # a value that the order of another tie decides
_SMALL = 7  # events whose orders are all looked at, whatever it takes
_LARGE = 10_000  # events from which on none is looked at
_NO_LIMIT = 2**62
_WORK = 250_000  # what is looked at for a tie between the two


@dataclass(frozen=True, slots=True)
class Tie:
    """Events of one instant that change the same fields, in the pages' order."""

    changes: list[dict[int, Edge]]  # each event's change of each field
    before: dict[int, int]  # what each field held as the instant began
    after: dict[int, int]  # what it held by the next event that tells


@dataclass(frozen=True, slots=True)
class Solved:
    """What may have happened at a tie."""

    order: list[int]  # one with the fewest breaks that were found
    group: list[int]  # by event: 0 if decided, else alike for those that change places
    unsure: set[int]  # the fields that other orders leave with another value


class Parts:
    """Things that are joined to parts, by number."""

    def __init__(self) -> None:
        self._home: dict[int, int] = {}

    def root(self, one: int) -> int:
        """Return what stands for the part of a thing."""
        home = self._home
        while (up := home.setdefault(one, one)) != one:
            home[one] = one = home[up]
        return one

    def join(self, one: int, other: int) -> None:
        """Make two parts one."""
        self._home[self.root(one)] = self.root(other)


class _TooManyError(Exception):
    """There are more orders than can be looked at."""


def solved(ties: Sequence[Tie]) -> list[Solved]:
    """Return the orders of ties that are linked, oldest first."""
    sizes = [len(tie.changes) for tie in ties]
    order = [event for size in sizes for event in range(size)]
    groups = [[1] * size for size in sizes]
    ends = [_ends(tie) for tie in ties]
    if max(sizes) < _LARGE:
        search = _Search(ties)
        try:
            order, breaks = search.best()
            groups, ends = search.groups(breaks + (breaks > 0))
        except _TooManyError:
            order = search.order or search.likely()
    found = []
    for size, group, values in zip(sizes, groups, ends, strict=True):
        unsure = {field for field, held in values.items() if len(held) > 1}
        found.append(Solved(order[:size], group, unsure))
        order = order[size:]
    return found


def _ends(tie: Tie) -> dict[int, set[int]]:
    """Return the values that each field may hold after a tie, whatever the order."""
    found: dict[int, set[int]] = {}
    for change in tie.changes:
        for field, (_, new) in change.items():
            found.setdefault(field, set()).add(new)
    return found


class _Stage:
    """One tie of a search: which events fit a state, and what is left at least."""

    def __init__(self, tie: Tie, places: dict[int, int]) -> None:
        self.changes = [
            [(places[field], *edge) for field, edge in change.items()]
            for change in tie.changes
        ]
        alike: dict[tuple[tuple[int, int, int], ...], list[int]] = {}
        for event, change in enumerate(self.changes):
            alike.setdefault(tuple(sorted(change)), []).append(event)
        # An event's bit. Events that change the same in the same way are neighbours,
        # and taken in one order only: each waits for the one before.
        self.events = [event for events in alike.values() for event in events]
        self.twins: list[int] = []
        self.alike: set[int] = set()
        self.waits = self.every = 0
        for events in alike.values():
            first = 1 << self.every.bit_length()
            twins = (first << len(events)) - first
            self.every |= twins
            self.waits |= twins ^ first
            if len(events) > 1:
                self.twins.append(twins)
                self.alike.update(events)
        self.before = {places[field]: value for field, value in tie.before.items()}
        self.after = {places[field]: value for field, value in tie.after.items()}
        self.edges: dict[int, dict[Edge, int]] = {field: {} for field in self.before}
        for bit, event in enumerate(self.events):
            for field, old, new in self.changes[event]:
                edges = self.edges[field]
                edges[old, new] = edges.get((old, new), 0) | 1 << bit
        self.fits = {field: self._fits(edges) for field, edges in self.edges.items()}

    def _fits(self, edges: dict[Edge, int]) -> dict[int, int]:
        """Return which events contradict no state of a field, by that state."""
        told: dict[int, int] = {}
        free = self.every
        for (old, _), events in edges.items():
            if old != UNTOLD:
                told[old] = told.get(old, 0) | events
                free &= ~events
        return {UNTOLD: free, **{old: events | free for old, events in told.items()}}

    def entered(self, state: State) -> State:
        """Return a state as the instant finds it."""
        held = list(state)
        for field, value in self.before.items():
            if value != LINKED:
                held[field] = value
        return tuple(held)

    def ended(self, held: list[int]) -> int:
        """Forget what no other tie asks for; return the breaks with what comes after."""
        breaks = 0
        for field, value in self.after.items():
            if value != LINKED:
                breaks += _is_break(value, held[field])
                held[field] = UNTOLD
        return breaks

    def options(self, done: int, state: State, slack: int) -> Iterator[tuple[int, int]]:
        """Yield the bits of the events that may come next, and the breaks of each."""
        left = self.every & ~done
        left &= ~(left << 1 & self.waits)
        if not slack:
            for field, fits in self.fits.items():
                if state[field] != UNTOLD:
                    left &= fits.get(state[field], fits[UNTOLD])
        while left:
            bit = (left & -left).bit_length() - 1
            left &= left - 1
            change = self.changes[self.events[bit]]
            breaks = sum(_is_break(old, state[field]) for field, old, _ in change)
            if breaks <= slack:
                yield bit, breaks

    def left(self, done: int, state: State) -> dict[int, _Left]:
        """Return what is left of each field, with what it holds and will hold."""
        found = {}
        for field, edges in self.edges.items():
            after = self.after[field]
            rest = [(UNTOLD if after == LINKED else after, state[field], 1)]
            for (old, new), events in edges.items():
                if n := (events & ~done).bit_count():
                    rest.append((old, new, n))
            found[field] = _Left(rest)
        return found


def _is_break(old: int, held: int) -> bool:
    return old != held and UNTOLD not in {old, held}


class _Left:
    """The changes of a field that are left, and the breaks among them."""

    def __init__(self, edges: list[tuple[int, int, int]]) -> None:
        self._edges = edges
        self._balance: dict[int, int] = {}
        n_free = 0
        balance = self._balance
        for old, new, n in edges:
            if new != UNTOLD:
                balance[new] = balance.get(new, 0) + n
            if old == UNTOLD:
                n_free += n
            else:
                balance[old] = balance.get(old, 0) - n
        # A new value that no old one takes up is followed by an untold one, or breaks.
        self.ends = sum(n for n in balance.values() if n > 0) - n_free

    def ends_after(self, old: int, held: int) -> int:
        """Return the ends once a change from `old` is made."""
        if old == held != UNTOLD:
            return self.ends
        is_new = old == UNTOLD or self._balance[old] >= 0
        return self.ends + is_new - (self._balance.get(held, 0) > 0)

    def breaks(self) -> int:
        """Return the breaks of a circle through all of it at least."""
        parts = Parts()
        is_open = [value for value, n in self._balance.items() if n]
        is_blank = False
        for old, new, _ in self._edges:
            if UNTOLD not in {old, new}:
                parts.join(old, new)
            elif old == new:
                is_blank = True
            else:
                is_open.append(old or new)
        closed = {parts.root(value) for value in self._balance}
        if is_blank + len(closed) > 1:  # to reach a closed circle, it must be cut
            closed -= {parts.root(value) for value in is_open}
            return max(0, self.ends + len(closed))
        return max(0, self.ends)


class _Seen:
    """What is noted of every order of linked ties, by place."""

    def __init__(self, at: Sequence[_Stage]) -> None:
        self.at = at
        self.taken: list[set[int]] = [set() for _ in at]  # the events that come there
        self.passed: list[set[int]] = [set() for _ in at]  # those before them, as bits
        # What fields hold then, by the field's place; told where a tie ends.
        self.left: list[dict[int, set[int]]] = [{} for _ in at]

    def takes(self, node: Node, event: int) -> None:
        """Note an event that comes after a node."""
        place, done, state, _ = node
        self.taken[place].add(event)
        stage = self.at[place]
        if done.bit_count() + 1 == len(stage.changes):
            held = dict(enumerate(state))
            held |= {field: new for field, _, new in stage.changes[event]}
            for field in stage.before:
                self.left[place].setdefault(field, set()).add(held[field])


class _Search:
    """The orders of linked ties, event by event and depth first."""

    def __init__(self, ties: Sequence[Tie]) -> None:
        self.fields = [*dict.fromkeys(field for tie in ties for field in tie.before)]
        places = {field: place for place, field in enumerate(self.fields)}
        self.stages = [_Stage(tie, places) for tie in ties]
        self.at = [stage for stage in self.stages for _ in stage.changes]
        nothing = (UNTOLD,) * len(places)
        self.root: Node = (0, 0, self.stages[0].entered(nothing), 0)
        self.order: list[int] = []
        self.work = 0
        # One order is worth more work than to see that there are others.
        self.more = 4 * min(len(self.at), 500) ** 2
        self.limit = _WORK * len(ties) + self.more
        if len(self.at) <= _SMALL:
            self.limit = _NO_LIMIT
        # By place: the breaks that are to come at least when its tie is over.
        self.later: list[int] = []
        later = 0
        for stage in reversed(self.stages):
            self.later += [later] * len(stage.changes)
            left = stage.left(0, stage.entered(nothing))
            later += sum(field.breaks() for field in left.values())
        self.later.reverse()

    def best(self) -> tuple[list[int], int]:
        """Return a best order, the first in the pages' order, and its breaks."""
        bound = self._least(self.root)
        while not self.order:
            self.order = self._walked(bound)
            bound += 1
        return self.order, bound - 1

    def groups(self, bound: int) -> tuple[list[list[int]], list[dict[int, set[int]]]]:
        """Return what orders of so many breaks move, and leave fields with, by tie."""
        self.work = self.more
        seen = _Seen(self.at)
        self._walked(bound, seen)
        found, left, start = [], [], 0
        for stage in self.stages:
            places = range(start, start := start + len(stage.changes))
            left.append(
                {self.fields[at]: told for at, told in seen.left[start - 1].items()}
            )
            n_places = Counter(event for place in places for event in seen.taken[place])
            # Where every order has placed the same events, a group ends.
            ends = [
                done
                for place in places
                if len(seen.passed[place]) == 1
                for done in seen.passed[place]
                if all(done & twins in {0, twins} for twins in stage.twins)
            ]
            group = [0] * len(places)
            for bit, event in enumerate(stage.events):
                if n_places[event] > 1 or event in stage.alike:
                    group[event] = sum(not done >> bit & 1 for done in ends)
            found.append(group)
        return found, left

    def likely(self) -> list[int]:
        """Return an order with few breaks, each event the best that comes next."""
        self.work = 0
        node, order = self.root, []
        while node[0] < len(self.at):
            steps = self._steps(node, node[3])
            step = next(steps, None)
            if step is None:  # whatever comes next, it breaks
                steps = self._steps(node, _NO_LIMIT)
                step = next(steps)
            if self.work < self.limit:
                with suppress(_TooManyError):
                    step = min([step, *steps], key=self._promise)
            event, node = step
            order.append(event)
        return order

    def _promise(self, step: Step) -> int:
        return step[1][3] + self._least(step[1])

    def _walked(self, bound: int, seen: _Seen | None = None) -> list[int]:
        """Return the first order within the bound; note all, where that is asked."""
        leads: dict[Node, bool] = {}  # whether it leads to the end
        path: list[int] = []
        frames = [(self.root, self._children(self.root, bound, leads))]
        leads[self.root] = False
        while frames:
            node, children = frames[-1]
            for event, child in children:
                if child[0] == len(self.at):
                    leads[child] = True
                    if seen is None:
                        return [*path, event]
                if child not in leads:
                    leads[child] = False
                    path.append(event)
                    frames.append((child, self._children(child, bound, leads)))
                    break
                if leads[child] and seen is not None:
                    leads[node] = True
                    seen.takes(node, event)
            else:
                frames.pop()
                if frames:
                    event = path.pop()
                if leads[node] and seen is not None:
                    seen.passed[node[0]].add(node[1])
                    if frames:
                        before = frames[-1][0]
                        leads[before] = True
                        seen.takes(before, event)
        return path

    def _children(
        self, node: Node, bound: int, known: dict[Node, bool]
    ) -> Iterator[Step]:
        """Yield what may come next within the bound."""
        if bound > node[3]:
            self._looked_at(len(self.at[node[0]].events))
        steps = sorted(self._steps(node, bound))
        if len(steps) == 1:  # nothing is to choose
            yield from steps
            return
        steps = self._promising(node, steps, bound)
        for event, child in steps:
            if child in known or child[3] + self._least(child) <= bound:
                yield event, child

    def _promising(self, node: Node, steps: list[Step], bound: int) -> list[Step]:
        """Return those steps that a glance at what is left does not rule out."""
        stage, state, left = self.at[node[0]], node[2], self._left(node)
        ends = sum(max(0, field.ends) for field in left.values())
        found = []
        for event, child in steps:
            breaks = child[3] + ends
            for field, old, _ in stage.changes[event]:
                rest = left[field]
                breaks += max(0, rest.ends_after(old, state[field])) - max(0, rest.ends)
            if breaks <= bound:
                found.append((event, child))
        return found

    def _steps(self, node: Node, bound: int) -> Iterator[Step]:
        """Yield what may come next, if nothing after it breaks."""
        place, done, state, cost = node
        stage = self.at[place]
        for bit, breaks in stage.options(done, state, bound - cost):
            held = list(state)
            for field, _, new in stage.changes[stage.events[bit]]:
                held[field] = new
            then, total = done | 1 << bit, cost + breaks
            after = tuple(held)
            if then == stage.every:
                then = 0
                total += stage.ended(held)
                after = tuple(held)
                if place + 1 < len(self.at):
                    after = self.at[place + 1].entered(after)
            if total <= bound:
                yield stage.events[bit], (place + 1, then, after, total)

    def _left(self, node: Node) -> dict[int, _Left]:
        """Return what is left of the tie, by field."""
        place, done, state, _ = node
        stage = self.at[place]
        self._looked_at(sum(map(len, stage.edges.values())))
        return stage.left(done, state)

    def _least(self, node: Node) -> int:
        """Return how many breaks are to come at least."""
        place = node[0]
        if place == len(self.at):
            return 0
        left = self._left(node)
        return sum(field.breaks() for field in left.values()) + self.later[place]

    def _looked_at(self, n: int) -> None:
        """Count what was looked at, and stop where that is too much."""
        self.work += n
        if self.work > self.limit:
            raise _TooManyError
