"""The certificate: one word, one line, and the same after a trip through JSON."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path
from typing import Any

import histories
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from answers import Pages, event, reply

import casesnb as cn
from casesnb.schema import CAPTURES, UNLOADED
from casesnb.tables.certificate import Certificate

CAPTURE: dict[str, Any] = {
    "domain_id": "d",
    "case_id": "c",
    "n_pages": 2,
    "n_events": 1200,
    "n_changes": 1,
    "n_nulls": 0,
    "n_duplicates": 0,
    "n_conflicts": 0,
    "n_ties": 0,
    "n_tokens": 1,
    "n_retries": 0,
    "n_throttles": 0,
    "unknowns": None,
    "order_seen": "newest first",
    "first_event_at": dt.datetime(2026, 3, 1, tzinfo=dt.UTC),
    "last_event_at": pd.NaT,
    "has_creation": True,
    "reached_end": True,
    "start_at": pd.NaT,
    "end_at": pd.NaT,
    "fetched_at": dt.datetime(2026, 3, 2, 12, 0, 0, 5, tzinfo=dt.UTC),
    "sha256": "0123456789abcdef" * 4,
    "source": "sandbox",
    "boto3_version": "1",
    "casesnb_version": "2",
}


def certificate(*captures: dict[str, Any], **more: Any) -> Certificate:
    frame = pd.DataFrame([{**CAPTURE, **each} for each in captures or ({},)])
    for column in CAPTURES.columns:
        if column.dtype.startswith("datetime"):
            frame[column.name] = pd.to_datetime(frame[column.name], utc=True)
    return Certificate(captures=CAPTURES.cast(frame), **more)


def loaded(*sent: Any) -> Certificate:
    return cn.load_history(cn.connect(Pages(list(sent))), "d", "c").certificate


def test_it_prints_as_one_line() -> None:
    counts = (
        "(1,200 events, 1 change, 1 case, 2 pages, read 2026-03-02 12:00:00 UTC from "
        "sandbox, sha256 0123456789ab)"
    )
    assert str(certificate()) == f"complete {counts}"
    but = certificate({"n_nulls": 2}, contradictions=("another",))
    assert str(but) == f"complete, but: 2 nulls skipped; another {counts}"
    partial = certificate(ended_by="stopped")
    assert str(partial) == f"partial: stopped {counts}"
    assert str(certificate(n_left_out=3)) == f"complete · cut to 1 of 4 cases {counts}"


def test_the_content_stands_beside_what_the_pages_say() -> None:
    steps = [
        {"oldValue": {"stringValue": "open"}, "newValue": {"stringValue": "held"}},
        {"oldValue": {"stringValue": "open"}, "newValue": {"stringValue": "closed"}},
    ]
    sent = [
        event(i, fields=[{"eventFieldId": "status", **step}])
        for i, step in enumerate(steps)
    ]
    told = loaded(*sent)
    assert told.verdict == "complete"
    assert told.content is not None
    # The first old value has no event before it, the second contradicts the first.
    assert dataclasses.asdict(told.content) == {
        "n_breaks": 2,
        "n_late_starts": 0,
        "n_ties": 0,
        "n_future": 0,
        "n_conflicts": 0,
    }
    assert "complete · 2 breaks (" in str(told)
    whole = loaded(event(0, fields=[]), event(1, fields=[]))
    assert "complete · no contradiction in its content (" in str(whole)


def test_an_event_of_the_future_is_said_and_ends_no_span() -> None:
    history = cn.load_history(
        cn.connect(Pages([event(0), event(1, performedTime="2099-01-01T00:00:00Z")])),
        "d",
        "c",
    )
    assert "1 event later than the reading" in str(history.certificate)
    assert history.certificate.as_of == dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
    assert cn.time_in(history, "title")["hours"].sum() < 48


def test_clocks_that_differ_by_seconds_hide_no_event() -> None:
    last = dt.datetime(2026, 3, 2, 12, 0, 7, tzinfo=dt.UTC)
    told = loaded(event(0), event(1, performedTime=last.isoformat()))
    assert told.as_of == last
    assert told.content is not None
    assert told.content.n_future == 0


def test_several_cases_are_counted_together() -> None:
    other = {
        "case_id": "k",
        "n_events": 0,
        "n_changes": 0,
        "has_creation": False,
        "source": "live",
        "order_seen": "not told",
        "fetched_at": dt.datetime(2026, 3, 3, tzinfo=dt.UTC),
    }
    both = certificate({}, other)
    assert (both.n_cases, both.n_events, both.n_pages) == (2, 1200, 4)
    assert both.empty_cases == ("k",)
    assert both.source == "sandbox, live"
    assert both.order_seen == "newest first"
    assert both.fetched_at == dt.datetime(2026, 3, 3, tzinfo=dt.UTC)
    assert both.reasons == (
        "no Case.Created for 1 of 2 cases, so the beginning may be missing",
    )
    mixed = certificate({}, {"case_id": "k", "order_seen": "oldest first"})
    assert mixed.order_seen == "mixed"


def test_a_terminal_obeys_nothing_that_is_in_it() -> None:
    line = str(loaded(event(0), event(1, type="Case.\x1b[2JSang\nnow\u202e")))
    assert line.isprintable()
    assert r"Case.\x1b[2JSang\nnow\u202e" in line
    assert line.startswith("complete")


@pytest.mark.parametrize("with_tables", [True, False])
def test_it_is_the_same_after_json(with_tables: bool) -> None:
    unloaded = UNLOADED.cast(
        pd.DataFrame([["d", "k", "Gone", "no"]], columns=UNLOADED.names)
    )
    plain = certificate(
        {"unknowns": '{"x": 2}'},
        {"case_id": "z", "n_events": 0},
        unloaded=unloaded,
        ended_by="stopped",
        n_left_out=2,
        contradictions=("a", "b"),
    )
    for each in (plain, loaded(event(0), event(1))):
        told = json.loads(json.dumps(each.to_dict(with_tables=with_tables)))
        beside = () if with_tables else (each.captures, each.unloaded)
        again = Certificate.from_dict(told, *beside)
        assert again == each
        assert str(again) == str(each)
        assert hash(again) == hash(each)
    assert plain != certificate()
    assert plain != "a certificate"


def test_it_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        certificate().ended_by = "no"  # type: ignore[misc]


def test_one_of_another_casesnb_is_an_error_that_says_what_differs() -> None:
    told = certificate().to_dict()
    del told["n_left_out"]
    told["mood"] = "good"
    with pytest.raises(ValueError, match="mood, n_left_out differ"):
        Certificate.from_dict(told)


@pytest.mark.parametrize(
    "hostile",
    [
        [],
        {"captures": 1},
        {"captures": [{"case_id": 1}]},
        {"captures": [["d"]]},
        {"captures": [{**CAPTURE, "fetched_at": "soon"}]},
        {"unloaded": 7},
        {"content": [1]},
        {"content": {"n_breaks": 1}},
        {"n_left_out": "many"},
        {"contradictions": 5},
    ],
)
def test_what_is_no_certificate_is_one_clear_error(hostile: Any) -> None:
    told = certificate().to_dict()
    told = told | hostile if isinstance(hostile, dict) else hostile
    with pytest.raises(ValueError, match="This is not a certificate of this casesnb"):
        Certificate.from_dict(told)


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
    ],
)
def test_each_thing_to_know_is_counted_and_said(
    sent: list[Any], counts: dict[str, Any], reason: str
) -> None:
    told = loaded(*sent)
    assert told.verdict == "complete_but"
    assert any(reason in each for each in told.reasons)
    assert {name: getattr(told, name) for name in counts} == counts
    clean = {"n_nulls", "n_duplicates", "n_unknowns", "n_ties"} - counts.keys()
    assert {name: getattr(told, name) for name in clean} == dict.fromkeys(clean, 0)


def test_an_order_that_is_not_known_is_said_beside_the_verdict() -> None:
    """It says nothing against the pages: they are all there."""
    at_once = "2026-03-02T00:00:00Z"
    two = [event(n, performedTime=at_once, fields=[]) for n in (1, 2)]
    told = loaded(event(0, fields=[]), *two)
    assert (told.verdict, told.reasons, told.n_ties) == ("complete", (), 2)
    assert "2 events in undecided order" in str(told)


def test_nothing_to_say_is_complete() -> None:
    told = loaded(event(0), event(1))
    assert (told.verdict, told.reasons) == ("complete", ())


def test_the_summary_is_what_a_report_shows() -> None:
    told = loaded(event(0, fields=[]), event(1, fields=[])).summary()
    assert told["verdict"] == "complete"
    assert told["content"] == "no contradiction in its content"
    assert json.loads(json.dumps(told)) == told


def test_the_hash_is_over_the_bytes_that_came() -> None:
    first = loaded(event(0))
    assert loaded(event(0)).sha256 == first.sha256
    assert loaded(event(0, mood=1)).sha256 != first.sha256
    spaced = json.dumps({"auditEvents": [event(0)]}, indent=1).encode()
    client = cn.connect(lambda request: reply(spaced))
    other = cn.load_history(client, "d", "c").certificate
    assert other.sha256 != first.sha256
    assert other.n_events == first.n_events


def test_every_place_that_shows_a_certificate_says_what_its_content_says(
    tmp_path: Path,
) -> None:
    history = histories.history()
    assert history.certificate.verdict == "complete"
    report = cn.write_report(history, tmp_path / "report.html")
    drawn = cn.plot_changes(history)
    picture = cn.plot_time_in(history)
    said = "complete · 1 break"
    for place in (
        str(history.certificate),
        cn.story(history),
        report.read_text("utf-8"),
        cn.plot_text(drawn),
        cn.plot_text(picture),
        cn.timeline(history)._data.decode("utf-8", "replace").replace("\\u00b7", "·"),
    ):
        assert said in place
    assert history.certificate.summary()["content"] == "1 break"
    plt.close("all")


def test_a_case_whose_creation_did_not_come_is_told() -> None:
    def answer(request: cn.raw.Request) -> cn.raw.Response:
        first = 0 if "/whole/" in request.path else 1
        return Pages([event(n) for n in range(first, 3)])(request)

    history = cn.load_histories(cn.connect(answer), "d", ["whole", "late"])
    captures = history.certificate.captures.set_index("case_id")
    assert captures["has_creation"].to_dict() == {"whole": True, "late": False}
    assert "no Case.Created for 1 of 2 cases" in str(history.certificate)


def test_a_case_without_an_event_counts_nothing() -> None:
    captures = cn.load_history(
        cn.connect(Pages([])), "d", "c"
    ).certificate.captures.iloc[0]
    counts = captures[[name for name in captures.index if name.startswith("n_")]]
    assert counts.drop("n_pages").eq(0).all()
    assert captures["n_pages"] == 1
    assert captures["order_seen"] == "not told"
    assert not captures["has_creation"]
