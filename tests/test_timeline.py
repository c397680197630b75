"""The timeline's data, choices and pages: what a browser shows is in a test beside it."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import histories
import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nbconvert import HTMLExporter
from test_properties import Event, Story, stories

import casesnb as cn
from casesnb.tables.order import ORDER_BY
from casesnb.view.plots.colours import TINTS
from casesnb.view.plots.lanes import EMPTY_WORD, NOT_TOLD
from casesnb.view.plots.style import KINDS
from casesnb.view.timeline import arrays, page

HERE = Path(page.__file__).parent
SCRIPT = page.SCRIPT.read_text("utf-8")
ALL = 1_000_000  # lanes
OLD, NEW = (dt.datetime(2026, 2, day, tzinfo=dt.UTC) for day in (2, 3))
NOTHING = Story({"c": [Event("e", 0, "Case.Created", None, ())]}, frozenset())
NAIVE = OLD.replace(tzinfo=None)
ARRAYS = {"f8": "<f8", "i4": "<i4", "u2": "<u2", "u1": "u1"}


@pytest.fixture(scope="module")
def plain() -> cn.History:
    return histories.history()


def read(data: bytes) -> dict[str, Any]:
    """Read what the script reads, as it reads it."""
    size = int.from_bytes(data[:4], "little")
    head = json.loads(data[4 : 4 + size])
    assert (4 + size) % 8 == 0

    def array(place: list[Any]) -> np.ndarray[Any, Any]:
        kind, at, n = place
        assert at % 8 == 0
        return np.frombuffer(data, ARRAYS[kind], n, 4 + size + at)

    for table in ("spans", "marks", "events"):
        head[table] = {name: array(place) for name, place in head[table].items()}
    for name in ("values", "actors", "ids"):
        ends, whole = map(array, head[name])
        raw = whole.tobytes()
        head[name] = [raw[a:b].decode() for a, b in pairwise(ends)]
    return head


def time(micros: float) -> Any:
    return (
        pd.NaT if np.isinf(micros) else pd.Timestamp(int(micros), unit="us", tz="UTC")
    )


def frame_of(told: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of the picture, made again from what the script reads."""
    kinds = [*KINDS]
    spans, marks, events = (told[name] for name in ("spans", "marks", "events"))
    rows: list[tuple[Any, ...]] = []

    def row(
        lane: str, what: str, value: int, event: int, left: Any, right: Any, flags: int
    ) -> None:
        text = None if value < 2 else told["values"][value]
        event_id = told["ids"][event] if event >= 0 else None
        kind = kinds[events["kind"][event]] if event >= 0 else None
        known, open_ = bool(flags & 1), bool(flags & 2)
        times = time(left), time(right)
        rows.append((lane, what, text, *times, known, open_, event_id, kind))

    for lane in told["lanes"]:
        for i in range(*lane["spans"]):
            column = {name: array[i] for name, array in spans.items()}
            del column["tint"]
            row(lane["name"], "span", **column)
        for i in range(*lane["marks"]):
            event = marks["event"][i]
            assert marks["at"][i] == events["at"][event]
            at = marks["at"][i]
            row(lane["name"], "mark", marks["value"][i], event, at, at, 1)
    return rows


def drawn_rows(drawn: pd.DataFrame) -> list[tuple[Any, ...]]:
    """The rows of the picture, in each lane by time as the script has them."""
    order = {name: i for i, name in enumerate(drawn["lane"].drop_duplicates())}
    ordered = drawn.assign(
        place=drawn["lane"].map(order), is_mark=drawn["what"] == "mark"
    ).sort_values(["place", "is_mark", "start_at"], kind="stable", na_position="first")
    names = ["lane", "what", "value", "start_at", "end_at"]
    names += ["is_known", "is_open", "event_id", "actor_kind"]
    return [
        tuple(None if pd.isna(cell) and cell is not pd.NaT else cell for cell in row)
        for row in ordered[names].itertuples(index=False)
    ]


def same(one: list[tuple[Any, ...]], other: list[tuple[Any, ...]]) -> None:
    def plain(cell: Any) -> Any:
        return "missing" if cell is pd.NaT else cell

    assert [tuple(map(plain, row)) for row in one] == [
        tuple(map(plain, row)) for row in other
    ]


# ------------------------------------------------------------------------ the data


@settings(max_examples=25, deadline=None)
@given(stories(loses=True), st.booleans())
def test_the_data_are_those_of_the_picture(story: Story, has_events: bool) -> None:
    events, changes = story.frames()
    given = events if has_events else None
    shown = cn.timeline(changes, events=given)
    drawn = cn.plot_data(cn.plot_changes(changes, events=given, top=ALL))
    pd.testing.assert_frame_equal(shown.data, drawn)
    same(frame_of(read(shown._data)), drawn_rows(drawn))


@pytest.mark.parametrize(
    "history", [histories.history, histories.hostile_history, lambda: histories.many(6)]
)
def test_the_data_of_awkward_cases_are_those_of_the_picture(history: Any) -> None:
    loaded = history()
    shown = cn.timeline(loaded)
    ax = cn.plot_changes(loaded, top=ALL)
    same(frame_of(read(shown._data)), drawn_rows(cn.plot_data(ax)))


def test_colours_and_words_are_those_of_the_picture(plain: cn.History) -> None:
    told = read(cn.timeline(plain)._data)
    assert [kind["colour"] for kind in told["kinds"]] == [
        ink.colour for ink in KINDS.values()
    ]
    assert [kind["marker"] for kind in told["kinds"]] == [
        ink.marker for ink in KINDS.values()
    ]
    assert tuple(told["tints"]) == TINTS
    assert told["values"][:2] == [EMPTY_WORD, NOT_TOLD]
    # The same value has the same tint in its lane (open, closed, open); closed is grey.
    (status,) = (lane for lane in told["lanes"] if lane["name"] == "status")
    first, second, third = told["spans"]["tint"][slice(*status["spans"])]
    assert (first, second) == (third, len(TINTS) - 1)
    shapes = re.search(
        r"const SHAPES = \{(.*?)\n\};", (HERE / "src/paint.js").read_text(), re.DOTALL
    )
    assert shapes is not None
    for ink in KINDS.values():
        assert f"{ink.marker}: (" in shapes[1].replace('"', "")


def test_what_a_change_replaced_and_how_it_was_ordered_is_told(
    plain: cn.History,
) -> None:
    told = read(cn.timeline(plain)._data)
    (status,) = (lane for lane in told["lanes"] if lane["name"] == "status")
    old = told["marks"]["old"][slice(*status["marks"])]
    assert [None if code < 0 else told["values"][code] for code in old] == [
        None,
        "open",
        "closed",
    ]
    (user,) = (lane for lane in told["lanes"] if lane["name"] == "assigned_user")
    assert told["marks"]["old"][user["marks"][0]] == 0  # empty, as AWS says
    for order_by in ORDER_BY:
        assert orders(plain.changes.assign(order_by=order_by)) == {
            arrays.ORDERS[order_by]
        }


def test_of_a_table_without_how_it_was_ordered_it_is_told_whether_it_is_known(
    plain: cn.History,
) -> None:
    older = plain.changes.drop(columns=["order_by", "tie_id"])
    assert orders(older) == {"known"}
    assert orders(older.assign(is_order_known=False)) == {
        "not decided among events of the same instant"
    }


def orders(changes: pd.DataFrame) -> set[str]:
    """How the places of the events are said to have been decided."""
    told = read(cn.timeline(changes)._data)
    return {told["orders"][code] for code in told["events"]["order"]}


def test_a_clock_of_the_zone_is_told(plain: cn.History) -> None:
    told = read(cn.timeline(plain, tz="Europe/Berlin")._data)
    assert told["zone"] == "Europe/Berlin"
    # The case was read in March; what is looked at may last until then.
    assert [offset for _, offset in told["offsets"]] == [3_600_000_000]
    told = read(cn.timeline(histories.many(6), tz="Europe/Berlin")._data)
    spring = dt.datetime(2026, 3, 29, 1, tzinfo=dt.UTC)
    assert [arrays.micros(spring), 7_200_000_000] in told["offsets"]


def test_a_case_begins_with_its_creation_or_with_what_is_known(
    plain: cn.History,
) -> None:
    (case,) = read(cn.timeline(plain)._data)["cases"]
    assert case["id"] == case["name"] == "4711"
    assert case["isCreated"]
    assert time(case["zero"]) == plain.events["performed_at"].min()
    later = plain.changes[plain.changes["event_type"] != "Case.Created"]
    (case,) = read(cn.timeline(later)._data)["cases"]
    assert not case["isCreated"]
    assert time(case["zero"]) == later["performed_at"].min()


def test_a_case_without_changes_is_an_empty_timeline(plain: cn.History) -> None:
    shown = cn.timeline(plain.changes.iloc[:0])
    assert repr(shown) == "Timeline: 0 marks in 0 lanes"
    assert frame_of(read(shown._data)) == []
    assert "0 marks" in shown._words


# --------------------------------------------------------------------- the choices


def told_by_a_person(shown: cn.Timeline, **patch: Any) -> None:
    """What the script sends when a person did something in the picture."""
    shown.set_state({"_state": {**shown._state, **patch, "changed": [*patch]}})


def test_a_span_selects_the_changes_in_it(plain: cn.History) -> None:
    shown = cn.timeline(plain)
    at = plain.changes["performed_at"]
    assert shown.selection is plain.changes
    shown.span = at.iloc[4].to_pydatetime(), at.iloc[6]
    expected = plain.changes[(at >= at.iloc[4]) & (at <= at.iloc[6])]
    pd.testing.assert_frame_equal(shown.selection, expected)
    assert 0 < len(expected) < len(plain.changes)
    assert shown._state["span"] == [*map(arrays.micros, (at.iloc[4], at.iloc[6]))]
    shown.span = None
    assert len(shown.selection) == len(plain.changes)


@settings(max_examples=25, deadline=None)
@example(NOTHING, 0, 0, "creation")
@given(
    stories(),
    st.integers(-2, 40),
    st.integers(0, 40),
    st.sampled_from(["calendar", "creation"]),
)
def test_a_brush_in_the_picture_is_the_filter_on_the_frame(
    story: Story, first: int, hours: int, align: str
) -> None:
    events, changes = story.frames()
    shown = cn.timeline(changes, events=events, align=align)
    zero = 0
    at = changes["performed_at"].map(arrays.micros).astype("int64")
    if align == "creation":
        created = changes["event_type"] == "Case.Created"
        begun = changes[created].groupby("case_id", observed=True)["performed_at"].min()
        whole = events.groupby("case_id", observed=True)["performed_at"].min()
        zeros = {**whole.to_dict(), **begun.to_dict()}
        at = at - [arrays.micros(zeros[case_id]) for case_id in changes["case_id"]]
    else:
        zero = arrays.micros(dt.datetime(2026, 3, 2, tzinfo=dt.UTC))
    low, high = zero + first * 3_600_000_000, zero + (first + hours) * 3_600_000_000
    told_by_a_person(shown, span=[low, high])
    expected = changes[((at >= low) & (at <= high)).to_numpy(dtype=bool)]
    pd.testing.assert_frame_equal(shown.selection, expected)


def test_what_a_person_does_is_in_the_traits(plain: cn.History) -> None:
    shown = cn.timeline(plain)
    heard: list[str] = []
    shown.observe(lambda change: heard.append(change.name))
    places = {event_id: i for i, event_id in enumerate(shown._arrays.event_ids)}
    ids = ["e4", "e1"]
    names = [*shown.data["lane"].drop_duplicates()]
    low = arrays.micros(plain.events["performed_at"].iloc[1])
    told_by_a_person(
        shown,
        pins=[places[event_id] for event_id in ids],
        view=[low + 0.4, low + 3.6e9],
        moment=low,
        search="ope",
        sort="name",
        hidden=[1],
        folded=[0, 2],
    )
    assert shown.pinned == ("e4", "e1")
    start = plain.events["performed_at"].iloc[1].to_pydatetime()
    assert shown.view == (start, start + dt.timedelta(hours=1))
    assert shown.moment == start
    assert (shown.search, shown.sort) == ("ope", "name")
    assert shown.hidden == (names[1],)
    assert shown.folded == (names[0], names[2])
    assert {"pinned", "view", "search", "sort", "hidden", "folded"} <= {*heard}


def test_what_is_assigned_is_done_in_the_picture(plain: cn.History) -> None:
    shown = cn.timeline(plain)
    names = [*shown.data["lane"].drop_duplicates()]
    shown.pinned = ["e4"]
    shown.hidden = [names[1]]
    shown.sort = "count"
    shown.moment = plain.events["performed_at"].iloc[1]
    state = shown._state
    assert state["moment"] == arrays.micros(shown.moment)
    assert [shown._arrays.event_ids[i] for i in state["pins"]] == ["e4"]
    assert (state["hidden"], state["sort"]) == ([1], "count")
    made = cn.timeline(plain)
    for name in ("pinned", "hidden", "sort", "moment"):
        setattr(made, name, getattr(shown, name))
    assert made._state == state  # the order of doing it does not matter


def test_what_is_done_in_the_picture_undoes_nothing_that_was_set_meanwhile(
    plain: cn.History,
) -> None:
    shown = cn.timeline(plain)
    before = shown._state
    at = plain.events["performed_at"]
    shown.span = at.iloc[0], at.iloc[1]
    # This was sent before it was known that there is a span now.
    shown.set_state({"_state": {**before, "search": "open", "changed": ["search"]}})
    assert shown.search == "open"
    assert shown.span == (at.iloc[0], at.iloc[1])


def test_another_axis_clears_what_was_seen_and_selected(plain: cn.History) -> None:
    shown = cn.timeline(plain)
    at = plain.events["performed_at"]
    shown.span = shown.view = at.iloc[0], at.iloc[1]
    shown.align = "creation"
    assert shown.span is shown.view is None
    shown.span = dt.timedelta(0), dt.timedelta(hours=1)
    assert shown._state["span"] == [0, 3_600_000_000]
    assert [*shown.selection["event_id"].unique()] == ["e0", "e1"]


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("span", 3, TypeError, r"takes two moments, or None. Give \(start, end\)"),
        ("view", (NAIVE, NAIVE), ValueError, "names no moment without its zone"),
        ("span", (NEW, OLD), ValueError, "span ends before it begins"),
        ("pinned", ["nothing"], ValueError, "There is no event 'nothing' here"),
        ("pinned", "e1", TypeError, r"Give several in a list: \['e1'\]"),
        ("hidden", ["nothing"], ValueError, "There is no lane 'nothing'"),
        ("notes", [{"text": "Look"}], TypeError, "dict is no note. Give cn.Notes"),
        ("moment", NAIVE, ValueError, "names no moment without its zone"),
    ],
)
def test_what_cannot_be_done_is_refused(
    plain: cn.History, name: str, value: Any, error: type[Exception], message: str
) -> None:
    shown = cn.timeline(plain)
    before = shown._state
    with pytest.raises(error, match=message):
        setattr(shown, name, value)
    assert shown._state == before


def test_time_since_creation_is_no_calendar_time(plain: cn.History) -> None:
    shown = cn.timeline(plain, align="creation")
    at = plain.events["performed_at"]
    with pytest.raises(TypeError, match="span is time since creation here"):
        shown.span = at.iloc[0], at.iloc[1]


def test_more_cases_than_can_be_compared_are_refused() -> None:
    changes = histories.many(14).changes
    with pytest.raises(ValueError, match="at most 12 cases, not 14.*plot_cases"):
        cn.timeline(changes)
    ids = [*changes["case_id"].unique()[:12]]
    assert cn.timeline(changes[changes["case_id"].isin(ids)])


def test_fields_choose_the_lanes(plain: cn.History) -> None:
    shown = cn.timeline(plain, fields=["amount", "status"])
    assert [*shown.data["lane"].drop_duplicates()] == ["amount", "status"]
    with pytest.raises(TypeError, match="Give several in a list"):
        cn.timeline(plain, fields="status")
    with pytest.raises(ValueError, match="no time zone 'Mars'"):
        cn.timeline(plain, tz="Mars")
    with pytest.raises(ValueError, match="align='left': give one of calendar, creat"):
        cn.timeline(plain, align="left")
    with pytest.raises(
        TypeError, match="This takes a history or one of its tables, not list"
    ):
        cn.timeline([1, 2])  # type: ignore[arg-type]


# ------------------------------------------------------------- where nothing runs


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a cell gets to show, as a notebook keeps it."""
    kept: list[Any] = []

    def show(data: Any, *, metadata: Any = None, raw: bool = False) -> None:
        assert raw
        kept.append(nbformat.v4.new_output("display_data", data, metadata=metadata))

    monkeypatch.setattr("IPython.display.display", show)
    return kept


def test_a_cell_shows_the_widget_and_below_it_the_picture(
    plain: cn.History, outputs: list[Any]
) -> None:
    cn.timeline(plain)._ipython_display_()
    live, picture = outputs
    assert live.data["text/plain"] == "Timeline: 10 marks in 6 lanes"
    assert "application/vnd.jupyter.widget-view+json" in live.data
    assert base64.b64decode(picture.data["image/png"]).startswith(b"\x89PNG")
    ax = cn.plot_changes(plain)
    assert picture.data["text/plain"] == cn.plot_text(ax)


@pytest.mark.parametrize("where", ["VS Code", "Colab"])
def test_who_would_load_the_widget_from_afar_gets_the_picture(
    where: str, plain: cn.History, outputs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = cn.timeline(plain)
    if where == "VS Code":
        monkeypatch.setenv("VSCODE_PID", "1")
    else:
        monkeypatch.setitem(sys.modules, "google.colab", object())
    shown._ipython_display_()
    (picture,) = outputs
    assert "image/png" in picture.data


def test_a_converted_notebook_is_never_blank(
    plain: cn.History, outputs: list[Any]
) -> None:
    cn.timeline(plain)._ipython_display_()
    coded = outputs[1].data["image/png"]
    cell = nbformat.v4.new_code_cell("cn.timeline(history)", outputs=outputs)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    html, _ = HTMLExporter().from_notebook_node(notebook)
    assert f"data:image/png;base64,{coded[:200]}" in html


class Elements(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_a_page_may_load_nothing_and_run_its_own_script_only(
    plain: cn.History,
) -> None:
    html = cn.timeline(plain).to_html()
    (policy,) = (
        str(attributes["content"])
        for _, attributes in Elements(html).found
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy == (
        f"default-src 'none'; script-src {page.script_source()}; "
        "style-src 'unsafe-inline'; img-src data:"
    )
    for tag, attributes in Elements(html).found:
        source = attributes.get("src") or "data:image/png"
        assert source.startswith("data:image/png"), tag
        assert "href" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
    assert len(html) < 400_000


def test_a_page_of_a_hostile_case_has_no_element_more() -> None:
    def tags(history: cn.History) -> list[str]:
        return [tag for tag, _ in Elements(cn.timeline(history).to_html()).found]

    assert tags(histories.hostile_history()) == tags(histories.history())


def test_a_page_opens_as_it_was_left(plain: cn.History) -> None:
    notes = cn.Notes(by="Ada")
    notes.add("Look", domain_id="d", case_id="4711", event_ids=["e4"])
    shown = cn.timeline(plain, notes=notes)
    shown.search, shown.align = "open", "creation"
    coded = re.search(r"data-casesnb-data hidden>([\w+/=]+)<", shown.to_html())
    assert coded is not None
    told = read(base64.b64decode(coded[1]))
    assert told["state"] == shown._state
    assert told["notes"] == shown._notes


# ---------------------------------------------------------------------- the script


def test_the_script_needs_nobody() -> None:
    assert not re.findall(r"\beval\(|new Function|\bimport\(|\bfetch\(|XMLHttp", SCRIPT)
    for source in (HERE / "src").glob("*.js"):
        text = source.read_text("utf-8")
        assert not re.findall(r"innerHTML|insertAdjacent|document\.write", text)
    namespaces = {*re.findall(r"https?://([^/\"'`\s]+)", SCRIPT)}
    assert namespaces <= {"www.w3.org"}
    assert SCRIPT.isascii()


def test_the_script_is_small_and_names_the_licences_in_it() -> None:
    assert len(SCRIPT) < 120_000
    head = SCRIPT.partition("*/")[0]
    for name in ("d3-zoom", "d3-selection", "d3-time", "d3-array", "d3-ease"):
        assert name in head
    assert "Permission to use, copy, modify, and/or distribute" in head
    assert "Redistribution and use in source and binary forms" in head


def test_the_lock_holds_no_addresses() -> None:
    lock = (HERE / "package-lock.json").read_text("utf-8")
    assert "resolved" not in lock
    assert not re.findall(r"https?://(?!opencollective|github)[^\"]+", lock)
    assert '"integrity"' in lock
