"""What every plot keeps to: its Axes, its words, its colours, strangers' text."""

from __future__ import annotations

import dataclasses
import inspect
import io
import itertools
import math
import pickle
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import histories
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

import casesnb as cn
from casesnb.view.plots.axis import days_of, periods
from casesnb.view.plots.colours import (
    CLOSED_VALUES,
    THE_REST,
    VALUES,
    Colours,
    colours_of,
    inks_of,
)
from casesnb.view.plots.labels import drawable
from casesnb.view.plots.style import INK, KINDS

Plot = Callable[..., Axes]
OF_CHANGES: dict[str, Plot] = {
    "plot_changes": cn.plot_changes,
    "plot_aging": cn.plot_aging,
    "plot_backlog": cn.plot_backlog,
    "plot_handoffs": cn.plot_handoffs,
    "plot_time_in": cn.plot_time_in,
    "plot_transitions": cn.plot_transitions,
}
OF_EVENTS: dict[str, Plot] = {
    "plot_activity": cn.plot_activity,
    "plot_cases": cn.plot_cases,
    "plot_rhythm": cn.plot_rhythm,
}
PLOTS = {**OF_CHANGES, **OF_EVENTS}


def subject_for(name: str, history: cn.History) -> cn.History:
    if name != "plot_changes":
        return history
    cases = history.certificate.captures["case_id"]
    return history.only(case_ids=cases.head(5)) if len(cases) > 5 else history


def frame_for(name: str, history: cn.History) -> pd.DataFrame:
    history = subject_for(name, history)
    return history.changes if name in OF_CHANGES else history.events


@pytest.fixture(scope="module")
def many() -> cn.History:
    return histories.many()


def png(ax: Axes) -> bytes:
    buffer = io.BytesIO()
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def test_every_plot_is_held_to_these_rules() -> None:
    about = {"plot_data", "plot_text", "plot_comparison"}  # of no history
    assert {*PLOTS} | about == {n for n in cn.__all__ if n.startswith("plot_")}


@pytest.fixture(scope="module")
def doubtful() -> cn.History:
    """A centre of which much is to be known first, said in a long footer."""
    world = cn.sandbox.World(seed=7, cases=60)
    domain_id = world.domains[0].domain_id
    client = cn.connect(world)
    history = cn.load_histories(client, domain_id, list(world.case_ids(domain_id)))
    catalogue = cn.load_catalogue(
        client, domain_id, connect=cn.connect(world, service_name="connect")
    )
    assert history.certificate.reasons
    return cn.with_names(history, catalogue)


HOW: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in PLOTS),
    ("plot_changes", {"relative": True}),
    ("plot_changes", {"relative": True, "top": 1}),
    ("plot_cases", {"relative": True}),
    ("plot_activity", {"by": "actor", "top": 8}),
    ("plot_backlog", {"field_id": "assigned_user", "top": 8}),
]


@pytest.mark.parametrize(
    "n_reasons", [0, 12, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 4))]
)
@pytest.mark.parametrize(("name", "how"), HOW)
def test_no_word_goes_off_the_page_or_over_another(
    name: str, how: dict[str, Any], n_reasons: int, doubtful: cn.History
) -> None:
    more = tuple(f"thing to know number {n}" for n in range(n_reasons))
    doubtful = subject_for(name, doubtful)
    certificate = dataclasses.replace(doubtful.certificate, contradictions=more)
    frames = {"events": doubtful.events.copy(), "changes": doubtful.changes.copy()}
    for frame in frames.values():
        for label in {"actor_name", "new_label", "old_label"} & {*frame}:
            if how and n_reasons > 1:  # long names
                frame[label] = frame[label].astype("str") + ", second line, north"
    ax = PLOTS[name](cn.History(**frames, certificate=certificate), **how)
    png(ax)
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    width, height = figure.bbox.size
    texts = [text for text in figure.findobj(Text) if text.get_text()]
    texts = [text for text in texts if text.get_visible()]
    footers = [text.get_text().replace("\n", " ") for text in texts]
    assert any("The history is complete" in text for text in footers)
    shown = {id(label) for label in (*ax.get_xticklabels(), *ax.get_yticklabels())}
    for text in texts:
        box = text.get_window_extent()
        if type(text) is Text and text in ax.texts:
            continue  # a value is cut where its span is
        if text.get_text().lstrip("−")[0].isdigit() and id(text) in shown:
            continue  # a number beyond the axis is not drawn
        inside = (
            box.x0 >= -1
            and box.y0 >= -1
            and box.x1 <= width + 1
            and box.y1 <= height + 1
        )
        assert inside, text.get_text()
    title, box = ax.texts[-2], ax.get_legend()
    assert title.get_text().split("…")[0].replace("\n", " ") in cn.plot_text(ax)
    if box is not None:
        one, other = title.get_window_extent(), box.get_window_extent()
        assert not one.overlaps(other)


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_leaves_its_frame_alone(name: str, many: cn.History) -> None:
    frame = frame_for(name, many)
    before = frame.copy()
    PLOTS[name](frame)
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_says_the_same_of_the_same_data(name: str, many: cn.History) -> None:
    frame = frame_for(name, many)
    first, second = PLOTS[name](frame), PLOTS[name](frame.copy())
    assert cn.plot_text(first) == cn.plot_text(second) == repr(first)
    assert png(first) == png(second)
    pd.testing.assert_frame_equal(cn.plot_data(first), cn.plot_data(second))


@pytest.mark.parametrize("name", PLOTS)
def test_one_changed_row_changes_what_a_plot_says(name: str, many: cn.History) -> None:
    frame = frame_for(name, many)
    words = cn.plot_text(PLOTS[name](frame))
    changed = frame.copy()
    if name in {"plot_handoffs", "plot_transitions"}:  # it is counts that are drawn
        fewer = frame[~frame["case_id"].isin([frame["case_id"].iloc[0]])]
        assert cn.plot_text(PLOTS[name](fewer)) != words
        return
    where = 0
    if name in OF_CHANGES:  # most of them draw the status
        where = int(np.flatnonzero(frame["field_id"] == "status")[0])
    if name == "plot_aging":  # only cases that are open are drawn
        is_open = cn.plot_data(PLOTS[name](frame))["case_id"].iloc[0]
        where = int(np.flatnonzero(frame["case_id"] == is_open)[0])
    time = changed.columns.get_loc("performed_at")
    changed.iloc[where, time] += pd.Timedelta(days=-8, minutes=-61)
    assert cn.plot_text(PLOTS[name](changed)) != words


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_tells_how_complete_its_data_are(name: str, many: cn.History) -> None:
    def footer(subject: Any) -> str:
        return cn.plot_text(PLOTS[name](subject)).splitlines()[-1]

    many = subject_for(name, many)
    assert footer(many).count(f"The history is {many.certificate.standing}.") == 1
    frame = frame_for(name, many)
    for bare in (frame, frame.iloc[:12], pd.concat([frame, frame.iloc[:2]])):
        assert "not certified" in footer(bare)
        assert "is complete" not in footer(bare)
    ended = dataclasses.replace(many.certificate, ended_by="stopped after 3 of 9 cases")
    partial = cn.History(many.events, many.changes, ended)
    assert "The history is partial: stopped after 3 of 9 cases" in footer(partial)
    middle = many.events["performed_at"].quantile(0.5)
    assert "partial: cut to events before" in footer(many.between(end=middle))


@pytest.mark.parametrize("name", PLOTS)
def test_an_empty_frame_is_drawn_as_nothing(name: str, many: cn.History) -> None:
    ax = PLOTS[name](frame_for(name, many).iloc[:0])
    assert png(ax)
    assert len(cn.plot_data(ax)) == 0
    assert "\n0 " in cn.plot_text(ax)


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_keeps_to_the_axes_it_is_given(name: str, many: cn.History) -> None:
    settings = dict(mpl.rcParams)
    figure = Figure(figsize=(9, 6))
    left, right = figure.subplots(1, 2)
    ax = PLOTS[name](frame_for(name, many), ax=left)
    assert ax is left
    assert not right.has_data()
    assert figure.get_size_inches().tolist() == [9, 6]
    assert figure.axes == [left, right]
    assert dict(mpl.rcParams) == settings
    assert cn.plot_text(ax)


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_shows_itself_in_a_notebook(name: str, many: cn.History) -> None:
    from IPython.core.formatters import DisplayFormatter

    ax = PLOTS[name](frame_for(name, many))
    data, metadata = DisplayFormatter().format(ax)
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["text/plain"] == cn.plot_text(ax)
    assert metadata["image/png"]["alt"] == cn.plot_text(ax)


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_survives_a_pickle(name: str, many: cn.History) -> None:
    ax = PLOTS[name](frame_for(name, many))
    again = pickle.loads(pickle.dumps(ax.figure)).axes[0]  # noqa: S301
    assert cn.plot_text(again) == cn.plot_text(ax)
    assert png(again) == png(ax)


@pytest.mark.parametrize("name", PLOTS)
def test_a_stranger_can_write_nothing_that_a_plot_obeys(name: str) -> None:
    hostile = histories.hostile_history()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = PLOTS[name](frame_for(name, hostile))
        assert png(ax)
        figure = ax.get_figure(root=True)
        buffer = io.StringIO()
        assert isinstance(figure, Figure)
        figure.savefig(buffer, format="svg")
    shown: list[Any] = figure.findobj(mpl.text.Text)
    texts = [text for text in shown if text.get_visible() and text.get_text()]
    ours = [t for t in texts if "$" in t.get_text() or "x" * 9 in t.get_text()]
    assert not [t for t in ours if t.get_parse_math()]
    assert max(len(text.get_text()) for text in texts) <= 200
    cell = re.compile(r"\d+\n[\d.]+ (min|h|d)")  # what a matrix writes itself
    texts = [text for text in texts if not cell.fullmatch(text.get_text())]
    ours = {id(text) for text in ax.texts[-2:]}  # title and footer have lines
    shown = [
        text.get_text().replace("\n", " ")
        if id(text) in ours
        else re.sub(r"\n[\d,]+$", "", text.get_text())  # a label and its count
        for text in texts
    ]
    for char in "\n\r\t\x00\x07\x1b\u202e\u2066":
        assert not [text for text in shown if char in text]
    assert "<script" not in buffer.getvalue()
    assert "<img" not in buffer.getvalue()
    assert max(map(len, cn.plot_text(ax).splitlines())) < 700


def test_a_foreign_axes_has_nothing_to_say() -> None:
    ax = Figure().add_subplot()
    with pytest.raises(ValueError, match="Nothing of casesnb is drawn on this Axes"):
        cn.plot_text(ax)
    with pytest.raises(ValueError, match="Give what a cn.plot"):
        cn.plot_data(ax)


def test_drawing_needs_no_pyplot() -> None:
    code = (
        "import sys, casesnb as cn; w = cn.sandbox.World(seed=7);"
        "h = cn.load_history(cn.connect(w), *w.showcase);"
        "cn.plot_changes(h.changes); cn.plot_activity(h.events);"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "False"


def test_a_character_that_the_font_lacks_is_a_box() -> None:
    assert drawable("é → 名") == "é → ▯"


ZONED = [name for name in PLOTS if "tz" in inspect.signature(PLOTS[name]).parameters]


@pytest.mark.parametrize("tz", ["Nowhere/Town", "", "../etc"])
@pytest.mark.parametrize("name", ZONED)
def test_a_zone_that_is_none_is_refused(name: str, tz: str, many: cn.History) -> None:
    with pytest.raises(ValueError, match="There is no time zone"):
        PLOTS[name](frame_for(name, many), tz=tz)


@pytest.mark.parametrize(
    ("freq", "begins", "days"),
    [
        ("5m", "2026-02-28T23:55", 5 / 1440),
        ("6h", "2026-02-28T18:00", 0.25),
        ("1d", "2026-02-28T00:00", 1),
        ("d", "2026-02-28T00:00", 1),
        ("1mo", "2026-02-01T00:00", 28),
    ],
)
def test_a_period_begins_where_a_clock_says(
    freq: str, begins: str, days: float
) -> None:
    time = np.array(["2026-02-28T23:59:59", "2026-03-01T00:00:01"], "datetime64[us]")
    starts, place = periods(time, freq)
    assert str(starts[0])[:16] == begins
    assert place.tolist() == [0, 1]
    assert days_of(freq) == pytest.approx(days)


@pytest.mark.parametrize("freq", ["", "1x", "0d", "d1", "-1d", "1 d"])
def test_a_period_that_is_none_is_refused(freq: str, many: cn.History) -> None:
    with pytest.raises(ValueError, match="is no period. Give a number and"):
        cn.plot_activity(many.events, freq=freq or " ")


# ----------------------------------------------------------------------- colours

# What each kind of colour-blind eye makes of linear RGB (Machado et al. 2009).
EYES = {
    "all colours": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
    "grey print": [[0.2126729, 0.7151522, 0.0721750]] * 3,
}


def lab(colour: str, eye: str) -> tuple[float, float, float]:
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(EYES[eye]) @ linear, 0, 1)
    xyz = (
        np.array(
            [
                [0.4124564, 0.3575761, 0.1804375],
                [0.2126729, 0.7151522, 0.0721750],
                [0.0193339, 0.1191920, 0.9503041],
            ]
        )
        @ seen
        / np.array([0.95047, 1.0, 1.08883])
    )
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(first: Any, second: Any) -> float:
    """CIEDE2000: about 2 is just seen side by side."""
    (l1, a1, b1), (l2, a2, b2) = first, second
    c = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    g = 1.5 - 0.5 * math.sqrt(c**7 / (c**7 + 25**7))
    a1, a2 = a1 * g, a2 * g
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1 = math.degrees(math.atan2(b1, a1)) % 360
    h2 = math.degrees(math.atan2(b2, a2)) % 360
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0
    hue = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2))
    lm, cm, hm = (l1 + l2) / 2, (c1 + c2) / 2, (h1 + turn / 2) % 360
    t = (
        1
        - 0.17 * math.cos(math.radians(hm - 30))
        + 0.24 * math.cos(math.radians(2 * hm))
        + 0.32 * math.cos(math.radians(3 * hm + 6))
        - 0.20 * math.cos(math.radians(4 * hm - 63))
    )
    sl = 1 + 0.015 * (lm - 50) ** 2 / math.sqrt(20 + (lm - 50) ** 2)
    sc, sh = 1 + 0.045 * cm, 1 + 0.015 * cm * t
    turned = math.radians(60 * math.exp(-(((hm - 275) / 25) ** 2)))
    rt = -2 * math.sqrt(cm**7 / (cm**7 + 25**7)) * math.sin(turned)
    dl, dc, dh = (l2 - l1) / sl, (c2 - c1) / sc, hue / sh
    return math.sqrt(dl**2 + dc**2 + dh**2 + rt * dc * dh)


@pytest.mark.parametrize(
    ("first", "second", "far"),
    [  # from the test data of Sharma, Wu and Dalal (2005)
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_distance_is_ciede2000(first: Any, second: Any, far: float) -> None:
    assert distance(first, second) == pytest.approx(far, abs=1e-4)


@pytest.mark.parametrize("eye", EYES)
def test_every_eye_tells_the_kinds_of_actor_apart(eye: str) -> None:
    pairs = itertools.combinations(KINDS.values(), 2)
    nearest = min(distance(lab(a.colour, eye), lab(b.colour, eye)) for a, b in pairs)
    assert nearest >= 9


@pytest.mark.parametrize("eye", [eye for eye in EYES if eye != "grey print"])
def test_every_eye_tells_the_first_values_apart(eye: str) -> None:
    inks = [*VALUES[:6], CLOSED_VALUES[0]]
    pairs = itertools.combinations(inks, 2)
    nearest = min(distance(lab(a.colour, eye), lab(b.colour, eye)) for a, b in pairs)
    assert nearest >= 4.8


def test_words_can_be_read_on_every_value() -> None:
    def light(colour: str) -> float:
        rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ EYES["grey print"][0])

    for ink in (*VALUES, *CLOSED_VALUES, THE_REST):
        assert (light(ink.colour) + 0.05) / (light(INK) + 0.05) >= 4.5  # WCAG 2, AA


def test_a_value_keeps_its_number_in_a_session() -> None:
    colours = Colours()
    status = ["Closed", "Open", "Held"]
    numbers = colours.numbers(
        "status", status, closed=["Closed"], options={"Open": 0, "Closed": 1, "Held": 2}
    )
    assert numbers == [len(VALUES), 0, 2]  # grey, and the others by their place
    assert colours.numbers("assigned_user", ["Ann", "Ben", "Cy"]) == [0, 1, 2]
    assert colours.numbers("assigned_user", ["Cy"]) == [2]
    # The same value in another field, and as AWS spells it, is the same.
    assert colours.numbers("specialist", ["Dee", "Cy"]) == [0, 2]
    assert colours.numbers("status", ["HELD", "open"]) == [2, 0]
    assert Colours().numbers("status", ["held", "open"]) == [0, 1]


def test_what_is_drawn_together_differs_while_there_are_colours() -> None:
    colours = Colours()
    for field in ("a", "b"):
        colours.numbers(field, [f"{field} {n}" for n in range(5)])
    names = ["a 0", "b 0", *(f"new {n}" for n in range(6))]
    numbers = colours.numbers("c", names)
    assert numbers[0] == 0  # as it was drawn before
    assert sorted(numbers) == [*range(8)]
    assert colours.numbers("c", ["b 0"]) == [0]  # in the other picture alone
    spellings = colours.numbers("e", ["In progress", "in_progress"])
    assert len(set(spellings)) == 2
    assert len(set(colours.numbers("d", [f"d {n}" for n in range(8)]))) == 8


def test_any_two_values_differ_whatever_was_drawn_before() -> None:
    colours = Colours()
    names = [f"stage {n}" for n in range(12)]
    first = colours.numbers("status", names)
    assert len(set(first)) == 8
    for pair in itertools.permutations(names, 2):
        one, other = colours.numbers("status", pair)
        assert one != other, pair
        assert first[names.index(min(pair, key=names.index))] in (one, other)
    assert colours.numbers("status", names) == first


def test_what_is_side_by_side_differs_though_colours_are_few() -> None:
    colours = Colours()
    names = [f"stage {n}" for n in range(30)]
    first = dict(zip(names, colours.numbers("status", names), strict=True))
    beside = {
        name: {
            other for other in names if other != name and first[other] == first[name]
        }
        for name in names
    }
    shown = dict(
        zip(names, colours.numbers("status", names, beside=beside), strict=True)
    )
    assert all(shown[a] != shown[b] for a, others in beside.items() for b in others)


def test_more_values_than_colours_differ_by_their_hatch() -> None:
    with colours_of(Colours()):
        inks = inks_of("status", [f"stage {n}" for n in range(40)])
    assert len({(ink.colour, ink.hatch) for ink in inks}) == 40


def test_colour_is_never_alone() -> None:
    for inks in (list(KINDS.values()), list(VALUES)):
        assert len({ink.marker for ink in inks}) == len(inks)
        assert len({ink.hatch for ink in inks}) == len(inks)
        assert len({ink.colour for ink in inks}) == len(inks)


def test_shades_grow_darker_to_every_eye() -> None:
    from casesnb.view.plots.people import SHADES

    ramp = [mpl.colors.to_hex(SHADES(x)) for x in np.linspace(0, 1, 6)]
    for eye in EYES:
        light = [lab(colour, eye)[0] for colour in ramp]
        assert all(a - b > 5 for a, b in itertools.pairwise(light))
