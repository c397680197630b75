"""The certificate: one word, one line, and the same after a trip through JSON."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from answers import Pages, event, reply

import casesnb as cn

WHOLE: dict[str, Any] = {
    "verdict": "complete",
    "reasons": (),
    "domain_id": "d",
    "n_cases": 1,
    "empty_cases": (),
    "n_pages": 2,
    "n_events": 1200,
    "n_changes": 1,
    "n_nulls": 0,
    "n_duplicates": 0,
    "n_unknowns": 0,
    "n_ties": 0,
    "n_tokens": 1,
    "order_seen": "newest first",
    "n_retries": 0,
    "n_throttles": 0,
    "first_event_at": dt.datetime(2026, 3, 1, tzinfo=dt.UTC),
    "last_event_at": None,
    "has_creation": True,
    "reached_end": True,
    "fetched_at": dt.datetime(2026, 3, 2, 12, 0, 0, 5, tzinfo=dt.UTC),
    "sha256": "0123456789abcdef" * 4,
    "source": "sandbox",
    "boto3_version": "1",
    "casesnb_version": "2",
}


def loaded(*sent: Any) -> cn.Certificate:
    return cn.load_history(cn.connect(Pages(list(sent))), "d", "c").certificate


def test_it_prints_as_one_line() -> None:
    assert str(cn.Certificate(**WHOLE)) == (
        "complete (1,200 events, 1 change, 1 case, 2 pages, read 2026-03-02 12:00:00 "
        "UTC from sandbox, sha256 0123456789ab)"
    )
    but = {**WHOLE, "verdict": "complete_but", "reasons": ("one thing", "another")}
    assert str(cn.Certificate(**but)).startswith(
        "complete, but: one thing; another (1,200 events"
    )
    partial = {**WHOLE, "verdict": "partial", "reasons": ("stopped",)}
    assert str(cn.Certificate(**partial)).startswith("partial: stopped (")


def test_a_terminal_obeys_nothing_that_is_in_it() -> None:
    line = str(loaded(event(0), event(1, type="Case.\x1b[2JSang\nnow\u202e")))
    assert line.isprintable()
    assert r"Case.\x1b[2JSang\nnow\u202e" in line


def test_it_is_the_same_after_json() -> None:
    certificate = cn.Certificate(
        **{**WHOLE, "reasons": ("a", "b"), "empty_cases": ("c",)}
    )
    told = certificate.to_dict()
    assert cn.Certificate.from_dict(told) == certificate
    assert cn.Certificate.from_dict(json.loads(json.dumps(told))) == certificate


def test_it_cannot_be_changed() -> None:
    certificate = cn.Certificate(**WHOLE)
    with pytest.raises(AttributeError):
        certificate.verdict = "complete"  # type: ignore[misc]


def test_one_of_another_casesnb_is_an_error_that_says_what_differs() -> None:
    told = cn.Certificate(**WHOLE).to_dict()
    del told["n_ties"]
    told["mood"] = "good"
    with pytest.raises(ValueError, match="mood, n_ties differ"):
        cn.Certificate.from_dict(told)


@pytest.mark.parametrize(
    ("sent", "counts", "reason"),
    [
        ([event(0), None], {"n_nulls": 1}, "1 null skipped"),
        ([event(0), None, None], {"n_nulls": 2}, "2 nulls skipped"),
        (
            [event(0), event(1), event(1)],
            {"n_duplicates": 1},
            "1 event came twice, kept once",
        ),
        (
            [event(0), event(1), event(0), event(1)],
            {"n_duplicates": 2},
            "2 events came twice, kept once",
        ),
        ([event(0), event(1, type="Case.Sang")], {"n_unknowns": 1}, "Case.Sang"),
        (
            [event(0), event(1, mood="good")],
            {"n_unknowns": 1},
            "event member mood",
        ),
        (
            [event(0), event(1, relatedItemType="Song")],
            {"n_unknowns": 1},
            "related item type Song",
        ),
        ([event(1), event(2)], {"has_creation": False}, "no Case.Created"),
        (
            [event(0), event(2), event(1)],
            {"order_seen": "mixed"},
            "no order of time",
        ),
        (
            [
                event(0, performedTime="2026-03-01T00:00:00Z", type="Case.Updated"),
                event(9, performedTime="2026-03-01T00:00:00Z", fields=[]),
            ],
            {"n_ties": 2, "has_creation": False},
            "2 events of one instant in an order that nothing decides",
        ),
    ],
)
def test_each_thing_to_know_is_counted_and_said(
    sent: list[Any], counts: dict[str, Any], reason: str
) -> None:
    certificate = loaded(*sent)
    assert certificate.verdict == "complete_but"
    assert any(reason in each for each in certificate.reasons)
    told = certificate.to_dict()
    assert {name: told[name] for name in counts} == counts
    clean = {"n_nulls": 0, "n_duplicates": 0, "n_unknowns": 0, "n_ties": 0}
    assert {n: told[n] for n in clean if n not in counts} == {
        n: 0 for n in clean if n not in counts
    }


def test_nothing_to_say_is_complete() -> None:
    certificate = loaded(event(0), event(1))
    assert (certificate.verdict, certificate.reasons) == ("complete", ())


def test_the_hash_is_over_the_bytes_that_came() -> None:
    first = loaded(event(0))
    assert loaded(event(0)).sha256 == first.sha256
    assert loaded(event(0, mood=1)).sha256 != first.sha256
    spaced = json.dumps({"auditEvents": [event(0)]}, indent=1).encode()
    client = cn.connect(lambda request: reply(spaced))
    other = cn.load_history(client, "d", "c").certificate
    assert other.sha256 != first.sha256
    assert other.n_events == first.n_events
