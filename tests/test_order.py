"""Order: times, then pages, then the chain of values; what is left open is marked."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

import casesnb as cn
from casesnb.tables.tidy import tidy
from casesnb.wire.pages import Page

Step = tuple[str, int, str | None, str | None]  # id, second, status before, after


def event(step: Step, kind: str = "Case.Updated") -> dict[str, Any]:
    name, second, old, new = step
    field: dict[str, Any] = {"eventFieldId": "status"}
    if old is not None:
        field["oldValue"] = {"stringValue": old}
    if new is not None:
        field["newValue"] = {"stringValue": new}
    return {
        "eventId": name,
        "type": "Case.Created" if name == "created" else kind,
        "performedTime": f"2026-03-01T09:00:{second:02}Z",
        "fields": [field] if old or new else [],
    }


def order(*pages: list[dict[str, Any]]) -> tuple[list[str], list[bool], str, int]:
    sent = [{"auditEvents": page} for page in pages]
    events, _, of_case = tidy(sent, domain_id="d", case_id="c")
    counts = of_case["d", "c"]
    assert events["sequence"].tolist() == list(range(len(events)))
    return (
        events["event_id"].tolist(),
        events["is_order_known"].tolist(),
        counts.order_seen,
        counts.n_ties,
    )


APART = [event(("a", 0, None, None)), event(("b", 1, None, None))]
EQUAL = [event((name, 1, None, None)) for name in "bcd"]


def test_times_put_pages_in_order_whichever_way_they_run() -> None:
    four = [event((name, i, None, None)) for i, name in enumerate("abcd")]
    up = order(four[:2], four[2:])
    assert up == (list("abcd"), [True] * 4, "oldest first", 0)
    down = order(four[:1:-1], four[1::-1])
    assert down == (list("abcd"), [True] * 4, "newest first", 0)
    for mixed in ([0, 2, 1, 3], [3, 1, 2, 0]):
        some = order([four[i] for i in mixed])
        assert some == (list("abcd"), [True] * 4, "mixed", 0)


def test_equals_follow_the_pages_whose_direction_the_data_tell() -> None:
    first = APART[0]
    assert order([first, *EQUAL]) == (list("abcd"), [True] * 4, "oldest first", 0)
    assert order([*EQUAL[::-1], first]) == (
        list("abcd"),
        [True] * 4,
        "newest first",
        0,
    )


CHAIN: list[Step] = [
    ("created", 0, None, "new"),
    ("p", 0, "new", "open"),
    ("q", 0, "open", "parked"),
    ("r", 0, "parked", "closed"),
]


@pytest.mark.parametrize("mixed", list(itertools.permutations(range(4))))
def test_the_chain_of_values_decides_where_pages_are_silent(
    mixed: tuple[int, ...],
) -> None:
    sent = [event(CHAIN[i]) for i in mixed]
    names = [step[0] for step in CHAIN]
    assert order(sent) == (names, [True] * 4, "not told", 0)


@pytest.mark.parametrize("mixed", list(itertools.permutations(range(3))))
def test_the_chain_goes_on_from_what_came_before(mixed: tuple[int, ...]) -> None:
    knot = [event((n, 5, o, w)) for n, o, w in (("p", "new", "x"), ("q", "x", "y"))]
    knot.append(event(("r", 5, "y", "new")))  # a circle: only the past opens it
    around = [event(("created", 0, None, "new")), event(("z", 9, "new", "end"))]
    # Times that go up and down: the pages say nothing about the knot.
    sent = [
        around[1],
        *(knot[i] for i in mixed),
        around[0],
        event(("m", 2, None, None)),
    ]
    names, known, seen, n_ties = order(sent)
    assert names == ["created", "m", "p", "q", "r", "z"]
    assert (all(known), seen, n_ties) == (True, "mixed", 0)


def test_what_nothing_decides_is_marked_and_counted() -> None:
    names, known, seen, n_ties = order(EQUAL)
    assert sorted(names) == list("bcd")
    assert (known, seen, n_ties) == ([False] * 3, "not told", 3)
    page = {"auditEvents": EQUAL}
    changes = cn.raw.changes_frame([page], domain_id="d", case_id="c")
    assert not changes["is_order_known"].any()


def test_only_the_undecided_are_marked() -> None:
    late = event(("z", 9, None, None))
    early = event(("a", 0, None, None))
    names, known, seen, n_ties = order(
        [late, *EQUAL, early, event(("y", 8, None, None))]
    )
    assert (names[0], names[-2:]) == ("a", ["y", "z"])
    assert known == [True, False, False, False, True, True]
    assert (seen, n_ties) == ("mixed", 3)


def test_a_chain_with_two_readings_decides_nothing() -> None:
    steps: list[Step] = [("p", 0, "a", "a"), ("q", 0, "a", "a")]
    _, known, _, n_ties = order([event(step) for step in steps])
    assert (known, n_ties) == ([False, False], 2)


def test_a_chain_that_does_not_fit_decides_nothing() -> None:
    steps: list[Step] = [("created", 0, None, "n"), ("p", 0, "a", "b")]
    steps.append(("q", 0, "c", "d"))
    _, known, _, n_ties = order([event(step) for step in steps])
    assert (any(known), n_ties) == (False, 3)


def test_creation_comes_first_among_its_equals() -> None:
    sent = [event(("p", 0, None, "open")), event(("created", 0, None, "new"))]
    assert order(sent)[0] == ["created", "p"]
    again = {**event(("created", 0, None, "b")), "eventId": "again"}
    twice = [event(("created", 0, None, "a")), again]
    assert order(twice)[1] == [False, False]


def test_a_large_knot_is_given_up_rather_than_followed_for_ever() -> None:
    many = [event((f"e{i:02}", 0, None, "same")) for i in range(60)]
    names, known, _, n_ties = order(many)
    assert len(names) == 60
    assert (any(known), n_ties) == (False, 60)


def test_each_case_is_put_in_order_by_its_own_pages() -> None:
    def page(case_id: str, number: int, *steps: Step) -> Page:
        body = json.dumps({"auditEvents": [event(step) for step in steps]}).encode()
        params = {"domainId": "d", "caseId": case_id}
        return Page("GetCaseAuditEvents", params, number, body)

    up = [("a", 0, None, None), ("b", 1, None, None), ("c", 1, None, None)]
    events, _, counts = tidy(
        [page("up", 0, *up[:2]), page("down", 0, *up[::-1]), page("up", 1, up[2])]
    )
    assert events["case_id"].tolist() == ["up"] * 3 + ["down"] * 3
    assert events["event_id"].tolist() == list("abcabc")
    assert events["is_order_known"].all()
    seen = {case[1]: each.order_seen for case, each in counts.items()}
    assert seen == {"up": "oldest first", "down": "newest first"}
