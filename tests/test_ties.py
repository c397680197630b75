"""Ties: what `solved` says of them is what all permutations say."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from casesnb.tables import ties as ties_module
from casesnb.tables.ties import LINKED, UNTOLD, Tie, solved

Orders = tuple[tuple[int, ...], ...]  # one for each tie


def linked(dice: random.Random, n_ties: int, n_events: int, n_fields: int) -> list[Tie]:
    """Ties of a walk through values, some untold and some wrong."""
    values = range(1, dice.choice((3, 4, 5)))
    wrong = dice.choice((0, 0, 0.2))
    state = {field: dice.choice((UNTOLD, *values)) for field in range(n_fields)}
    start, told = dict(state), []
    for _ in range(n_ties):
        changes = []
        for _ in range(dice.randint(2, n_events)):
            change = {}
            for field in dice.sample(range(n_fields), dice.randint(1, n_fields)):
                old, new = state[field], dice.choice(values)
                state[field] = new
                if dice.random() < wrong:
                    old = dice.choice(values)
                change[field] = (
                    old if dice.random() < 0.85 else UNTOLD,
                    new if dice.random() < 0.95 else UNTOLD,
                )
            changes.append(change)
        told.append(dice.sample(changes, len(changes)))
    ties = []
    for number, changes in enumerate(told):
        before, after = {}, {}
        for field in {field for change in changes for field in change}:
            is_in = [any(field in change for change in each) for each in told]
            before[field] = LINKED if any(is_in[:number]) else start[field]
            after[field] = LINKED if any(is_in[number + 1 :]) else state[field]
        ties.append(Tie(changes, before, after))
    return ties


def walked(ties: list[Tie]) -> Iterator[tuple[int, Orders]]:
    """Every order of every tie, with its breaks."""
    every = [itertools.permutations(range(len(tie.changes))) for tie in ties]
    for orders in itertools.product(*map(list, every)):
        held: dict[int, int] = {}
        breaks = 0
        for tie, order in zip(ties, orders, strict=True):
            held |= {f: value for f, value in tie.before.items() if value != LINKED}
            rest = {f: value for f, value in tie.after.items() if value != LINKED}
            steps = [tie.changes[event] for event in order]
            steps.append({field: (old, UNTOLD) for field, old in rest.items()})
            for field, (old, new) in (x for step in steps for x in step.items()):
                breaks += UNTOLD not in {old, held[field]} and old != held[field]
                held[field] = new
        yield breaks, orders


def judged(ties: list[Tie]) -> tuple[int, int]:
    """Compare; return the fewest breaks and how many events are decided."""
    every = list(walked(ties))
    best = min(breaks for breaks, _ in every)
    # Where even these have a break, one more may be the truth.
    likely = [orders for breaks, orders in every if breaks <= best + (best > 0)]
    found = solved(ties)
    assert tuple(tuple(one.order) for one in found) == min(
        orders for breaks, orders in every if breaks == best
    )
    n_decided = 0
    for number, one in enumerate(found):
        places = [
            {orders[number].index(event) for orders in likely}
            for event in range(len(one.order))
        ]
        assert [not group for group in one.group] == [len(p) == 1 for p in places]
        n_decided += one.group.count(0)
        # Groups follow each other: all places between are their own.
        ends = [
            place
            for place in range(len(one.order))
            if len({frozenset(orders[number][:place]) for orders in likely}) == 1
        ]
        own = {
            (group, max(end for end in ends if end <= min(places[event])))
            for event, group in enumerate(one.group)
            if group
        }
        assert len(own) == len({group for group, _ in own}) == len({e for _, e in own})
    return best, n_decided


SHAPES = ((1, 6, 1), (1, 5, 2), (1, 5, 3), (2, 4, 1), (2, 3, 2), (3, 3, 2))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_ties_are_solved_as_all_permutations_say(shape: tuple[int, int, int]) -> None:
    dice = random.Random(repr(shape))
    seen: Counter[str] = Counter()
    for _ in range(60):
        best, n_decided = judged(linked(dice, *shape))
        seen["broken"] += best > 0
        seen["decided"] += n_decided
    assert seen["broken"] > 5
    assert seen["decided"] > 20


@pytest.mark.slow
def test_ties_of_seven_events_are_solved_as_all_permutations_say() -> None:
    dice = random.Random(7)
    for number in range(150):
        judged(linked(dice, 1, 7, number % 4 + 1))


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_many_ties_are_solved_as_all_permutations_say(
    shape: tuple[int, int, int],
) -> None:
    dice = random.Random(repr(("many", shape)))
    for _ in range(1_500):
        judged(linked(dice, *shape))


def test_a_tie_of_too_many_orders_follows_its_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ties_module, "_WORK", -1_000_000)
    for seed in range(20):
        walk = [{0: (n, n + 1)} for n in range(1, 13)]
        random.Random(seed).shuffle(walk)
        (found,) = solved([Tie(walk, {0: 1}, {0: 13})])
        assert [walk[event][0] for event in found.order] == [
            (n, n + 1) for n in range(1, 13)
        ]
        # Nothing is known of orders that were not looked at.
        assert set(found.group) == {1}
        # An event of which nothing goes on to the next costs one break, no more.
        walk.append({0: (40, 41)})
        (found,) = solved([Tie(walk, {0: 1}, {0: 13})])
        placed = [walk[event][0] for event in found.order]
        placed.remove((40, 41))
        assert placed == [(n, n + 1) for n in range(1, 13)]
