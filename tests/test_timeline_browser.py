"""The timeline in a real Chromium: in a file without network, and in four programs."""

from __future__ import annotations

import datetime as dt
import html
import random
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import histories
import nbformat
import pytest
from browsers import LAB_IS_READY, chromium, free_port, jupyter, running
from playwright.sync_api import Browser, Locator, Page, expect

import casesnb as cn
from casesnb.view.plots.style import KINDS
from casesnb.view.wording import hours_text

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)

ROOT = Path(__file__).parents[1]
ARTIFACTS = ROOT / "artifacts"
AXE = ROOT / "casesnb/view/timeline/node_modules/axe-core/axe.min.js"
ZONE = "Europe/London"
PAGE_IS_CALM = "() => new Promise(done => setTimeout(done, 350))"  # a move takes 220 ms
COUNT_VIOLATIONS = """
  window.violations = [];
  document.addEventListener("securitypolicyviolation",
    (e) => window.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def history() -> cn.History:
    """The sandbox's showcase with names."""
    world = cn.sandbox.World(seed=7)
    client, connect = cn.connect(world), cn.connect(world, service_name="connect")
    domain_id, case_id = world.showcase
    catalogue = cn.load_catalogue(client, domain_id, connect=connect)
    return cn.with_names(cn.load_history(client, domain_id, case_id), catalogue)


@pytest.fixture(scope="module")
def several() -> cn.History:
    """Three cases, one of them the showcase."""
    world = cn.sandbox.World(seed=7)
    client = cn.connect(world)
    domain_id, case_id = world.showcase
    others = cn.load_cases(client, domain_id, limit=4)["case_id"]
    ids = [case_id, *others[others != case_id]][:3]
    return cn.load_histories(client, domain_id, ids)


class Opened:
    """A timeline in a file that was opened with the network off."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.plot = page.locator(".plot")
        self.said = page.locator(".said")
        self.tip = page.locator(".tip")
        self.cards = page.locator(".card")
        self.caption = page.locator("caption")

    @property
    def state(self) -> Any:
        self.page.evaluate(PAGE_IS_CALM)
        return self.plot.evaluate("plot => plot.getRootNode().host.timeline.state")

    def place(self, lane: int, at: float) -> tuple[float, float]:
        """Where a moment of a lane is on the page: on the edge where marks stand."""
        found = self.plot.evaluate(
            """(plot, [lane, at]) => {
              const t = plot.getRootNode().host.timeline;
              const box = t.canvas.getBoundingClientRect();
              const row = t.layout.rows.find((row) => row.number === lane);
              const { low, high, label, top } = t.view;
              const x = label + (at - low) / (high - low) * (t.width - label);
              return [box.left + x, box.top + row.edge - top];
            }""",
            [lane, at],
        )
        return found[0], found[1]

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def drag(self, x: float, y: float, by: float, *, shift: bool = False) -> None:
        if shift:
            self.page.keyboard.down("Shift")
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + by / 2, y, steps=3)
        self.page.mouse.move(x + by, y, steps=3)
        self.page.mouse.up()
        if shift:
            self.page.keyboard.up("Shift")


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    """Open the page of a timeline; whatever goes wrong on it fails the test."""
    faults: list[str] = []
    contexts = []

    def open_(shown: cn.Timeline | Path, **how: Any) -> Opened:
        file = tmp_path / "timeline.html"
        page_ = shown.read_text("utf-8") if isinstance(shown, Path) else shown.to_html()
        file.write_text(page_, "utf-8")
        how = {"viewport": {"width": 1280, "height": 1000}} | how
        context = browser.new_context(offline=True, **how)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(COUNT_VIOLATIONS)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text))
        page.on("request", lambda request: faults.append(request.url))
        page.goto(file.as_uri())
        page.locator(".plot, figure").first.wait_for()
        return Opened(page)

    yield open_
    for context in contexts:
        for page in context.pages:
            assert page.evaluate("window.violations ?? []") == []
        context.close()
    assert [fault for fault in faults if not fault.startswith("file:")] == []
    assert all(fault.endswith("timeline.html") for fault in faults)


def micros(when: dt.datetime) -> int:
    return (when - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(
        microseconds=1
    )


def marks(shown: cn.Timeline, lane: str) -> Any:
    data = shown.data
    return data[(data["lane"] == lane) & (data["what"] == "mark")].reset_index()


def test_hover_reads_what_a_mark_and_a_span_are(
    opened: Any, history: cn.History
) -> None:
    shown = cn.timeline(history, tz=ZONE)
    there = opened(shown)
    mark = marks(shown, "Status").iloc[4]
    there.page.mouse.move(*there.place(0, micros(mark["start_at"])))
    event = history.events.set_index("event_id").loc[mark["event_id"]]
    here = mark["start_at"].tz_convert(ZONE)
    change = history.changes[
        (history.changes["event_id"] == mark["event_id"])
        & (history.changes["field_id"] == "status")
    ].iloc[0]
    held = (
        marks(shown, "Status").iloc[5]["start_at"] - mark["start_at"]
    ).total_seconds()
    for words in (
        f"{here:%Y-%m-%d %H:%M:%S}",
        ZONE,
        f"{event['actor_name']} ({KINDS[event['actor_kind']].label})",
        f"Status: {change['old_label']} → {change['new_label']}",
        f"Held for {hours_text(held / 3600)}",
        f"Event {event['sequence'] + 1} of its case; order: by its time",
    ):
        expect(there.tip).to_contain_text(words)
    x, y = there.place(0, micros(mark["start_at"]))
    there.page.mouse.move(x + 40, y + 12)
    expect(there.tip).to_contain_text(f"Status: {change['new_label']}")
    expect(there.tip).to_contain_text("Known: both ends are in the history")
    last = marks(shown, "Status").iloc[-1]["start_at"]
    x, y = there.place(0, micros(last))
    there.page.mouse.move(x + 40, y + 12)
    expect(there.tip).to_contain_text("still held")
    expect(there.tip).to_contain_text("Known: its beginning is in the history")
    there.page.mouse.move(2, 2)
    expect(there.tip).to_be_hidden()


def test_the_unknown_is_said_to_be_unknown(opened: Any) -> None:
    there = opened(cn.timeline(histories.history()))
    there.plot.focus()
    there.press("ArrowDown", "Home", "ArrowLeft")
    expect(there.said).to_contain_text("assigned_user: empty. Held since when is not")
    expect(there.said).to_contain_text("Not known for sure")
    there.press("ArrowRight")
    expect(there.said).to_contain_text("3.1 d or less, for something is missing")


def test_wheel_keys_buttons_and_drags_zoom_and_pan(
    opened: Any, history: cn.History
) -> None:
    there = opened(cn.timeline(history))
    x, y = there.place(3, micros(history.events["performed_at"].iloc[9]))
    there.page.mouse.move(x, y + 12)
    there.page.mouse.wheel(0, -400)  # the page's own scroll, until one is in it
    assert there.state["view"] is None
    there.page.keyboard.down("Control")
    there.page.mouse.wheel(0, -400)
    there.page.keyboard.up("Control")
    first = there.state["view"]
    assert first is not None
    there.plot.focus()
    there.page.mouse.wheel(0, -400)
    second = there.state["view"]
    assert second[1] - second[0] < first[1] - first[0]
    there.page.mouse.wheel(300, 0)
    later = there.state["view"]
    assert later[0] > second[0]
    assert later[1] - later[0] == pytest.approx(second[1] - second[0], rel=1e-6)
    there.drag(x, y + 12, 120)
    assert there.state["view"][0] < later[0]
    there.press("0")
    assert there.state["view"] is None
    there.press("+", "PageDown")
    keyed = there.state["view"]
    there.page.get_by_role("button", name="Whole").click()
    assert there.state["view"] is None
    for name in ("Zoom in", "Later"):
        there.page.get_by_role("button", name=name).click()
        there.page.evaluate(PAGE_IS_CALM)
    assert there.state["view"] == pytest.approx(keyed, rel=1e-3)
    box = there.page.locator(".map").bounding_box()
    there.page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + 10)
    assert there.state["view"][0] > keyed[0]


def test_two_fingers_zoom(opened: Any, history: cn.History) -> None:
    there = opened(cn.timeline(history), has_touch=True)
    x, y = there.place(3, micros(history.events["performed_at"].iloc[20]))
    session = there.page.context.new_cdp_session(there.page)

    def touch(kind: str, *offsets: float) -> None:
        points = [{"x": x + by, "y": y, "id": i} for i, by in enumerate(offsets)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", -20, 20)
    for step in range(1, 8):
        touch("touchMove", -20 - 12 * step, 20 + 12 * step)
    touch("touchEnd")
    view = there.state["view"]
    whole = there.page.evaluate(
        "(({low, high}) => high - low)"
        "(document.querySelector('[data-casesnb-timeline]').timeline.axis)"
    )
    assert whole / (view[1] - view[0]) == pytest.approx(5.2, rel=0.15)


def test_bins_open_as_one_zooms(opened: Any, history: cn.History) -> None:
    shown = cn.timeline(history)
    there = opened(shown)
    first = marks(shown, "Status").iloc[:2]
    x, y = there.place(0, micros(first["start_at"].iloc[0]))
    there.page.mouse.move(x, y - 2)
    expect(there.tip).to_contain_text("Status: 2 changes")
    expect(there.tip).to_contain_text("By agent 1, service 1")
    there.page.mouse.click(x, y - 2)
    view = there.state["view"]
    assert view[0] < micros(first["start_at"].iloc[0])
    assert view[1] > micros(first["start_at"].iloc[1])
    for at in first["start_at"]:
        there.page.mouse.move(*there.place(0, micros(at)))
        expect(there.tip).to_contain_text(f"{at:%Y-%m-%d %H:%M:%S}")


def test_a_click_pins_an_event_with_all_that_it_changed(
    opened: Any, history: cn.History
) -> None:
    shown = cn.timeline(history)
    there = opened(shown)
    counts = history.changes["event_id"].value_counts()
    mark = next(
        row
        for _, row in marks(shown, "Status").iloc[3:].iterrows()
        if counts[row["event_id"]] > 1
    )
    there.page.mouse.click(*there.place(0, micros(mark["start_at"])))
    own = history.changes[history.changes["event_id"] == mark["event_id"]]
    expect(there.cards).to_have_count(1)
    for field in own["field"]:
        expect(there.cards).to_contain_text(f"{field}: ")
    expect(there.cards).to_contain_text(str(mark["event_id"]))
    there.page.get_by_role("button", name="Unpin").click()
    expect(there.cards).to_have_count(0)


def test_a_brush_is_the_filter_on_the_frame(opened: Any, history: cn.History) -> None:
    shown = cn.timeline(history)
    there = opened(shown)
    drawn = shown.data[shown.data["what"] == "mark"]
    x, y = there.place(3, micros(drawn["start_at"].min()))
    chance = random.Random(1)
    for _ in range(8):
        at = x + chance.uniform(0, 900)
        there.drag(at, y + 12, chance.uniform(-150, 150), shift=True)
        low, high = there.state["span"]
        ends = [micros(at) for at in drawn["start_at"]]
        n = sum(low <= at <= high for at in ends)
        noun = "change" if n == 1 else "changes"
        expect(there.caption).to_contain_text(f"{n} {noun} from ")
        expect(there.page.locator("tbody tr")).to_have_count(n)
        start, end = (
            dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=at)
            for at in (low, high)
        )
        shown.span = start, end
        at = history.changes["performed_at"]
        expected = history.changes[(at >= start) & (at <= end)]
        assert shown.selection.equals(expected)
    there.page.get_by_role("button", name="Clear the selection").click()
    expect(there.caption).to_have_count(0)


def test_cases_are_compared_on_one_axis(opened: Any, several: cn.History) -> None:
    shown = cn.timeline(several, align="creation")
    there = opened(shown)
    zeros = several.events.groupby("case_id", observed=True)["performed_at"].min()
    there.plot.focus()
    for lane in range(3):  # the status of each case
        there.press("Home")
        expect(there.said).to_contain_text("at creation")
        name = shown.data["lane"].drop_duplicates().iloc[lane]
        expect(there.said).to_contain_text(f"{name}: ")
        mark = marks(shown, name).iloc[0]
        case_id = several.events.set_index("event_id")["case_id"][mark["event_id"]]
        assert mark["start_at"] == zeros[case_id]
        there.page.mouse.move(*there.place(lane, 0))
        expect(there.tip).to_contain_text(f"{name}: ")
        there.press("ArrowDown")
    there.page.get_by_label("Time axis").select_option("calendar")
    there.page.locator("summary", has_text="Lanes").click()
    there.page.get_by_label("Order of the lanes").select_option("case")
    there.page.get_by_label("Fold all lanes", exact=True).click()
    shot(there.page, "timeline-compare")
    assert there.state["align"] == "calendar"
    assert there.state["sort"] == "case"
    assert len(there.state["folded"]) == shown.data["lane"].nunique()
    there.page.locator(".names").click(position={"x": 40, "y": 12})  # a heading
    names = shown.data["lane"].drop_duplicates()
    of_first = names.str.endswith(f"· {several.events['case_id'].iloc[0][:8]}…")
    assert len(there.state["folded"]) == len(names) - of_first.sum()


def test_the_keyboard_alone_does_all_of_it(opened: Any, history: cn.History) -> None:
    shown = cn.timeline(history)
    there = opened(shown)
    for _ in range(12):
        there.press("Tab")
        if there.page.evaluate(
            "document.querySelector('[data-casesnb-timeline]').shadowRoot"
            ".activeElement.className"
        ).startswith("plot"):
            break
    expect(there.said).to_contain_text("Status: Open")
    outline = "getComputedStyle(document.querySelector('[data-casesnb-timeline]')"
    outline += ".shadowRoot.activeElement).outlineStyle"
    assert there.page.evaluate(outline) == "solid"
    n = len(marks(shown, "Status"))
    for place in range(2, n + 1):
        there.press("ArrowRight")
        expect(there.said).to_contain_text(f"{place} of {n} in this lane")
    there.press("Enter")
    expect(there.cards).to_have_count(1)
    there.press("Shift+ArrowLeft", "Shift+ArrowLeft")
    times = marks(shown, "Status")["start_at"]
    assert there.state["span"] == [micros(times.iloc[-3]), micros(times.iloc[-1])]
    there.press("Escape")
    assert there.state["span"] is None
    there.press("Home", "[", "End", "]")
    assert there.state["span"] == [micros(times.iloc[0]), micros(times.iloc[-1])]
    there.press("ArrowDown", "f", "h")
    names = [*shown.data["lane"].drop_duplicates()]
    assert (
        there.state["folded"] == there.state["hidden"] == [names.index("Assigned user")]
    )
    there.press("u", "s", "c")
    state = there.state
    assert (state["folded"], state["hidden"]) == ([], [])
    assert (state["sort"], state["align"]) == ("case", "creation")
    there.press("c", "/")
    there.page.keyboard.type("escalated")
    expect(there.page.locator(".bar [role=status]")).to_have_text("2 found")
    there.press("Enter")
    expect(there.said).to_contain_text("→ Escalated")
    expect(there.page.locator(".bar [role=status]")).to_have_text("1 of 2 found")
    there.press("Escape")
    assert there.state["search"] == ""
    there.press("?")
    expect(there.page.get_by_text("the lane above, the lane below")).to_be_visible()


def noted(history: cn.History, text: str = "<b>Look</b> here") -> cn.Notes:
    """A note on an event, one on a span of time and one on the case."""
    notes, event = cn.Notes(by="Ada"), history.events.iloc[12]
    case = {name: str(event[name]) for name in ("domain_id", "case_id")}
    at = history.events["performed_at"]
    notes.add(text, event_ids=[event["event_id"]], **case)
    notes.add(f"Slow {text}", start=at.iloc[14], end=at.iloc[20], **case)
    notes.add(f"Odd {text}", **case)
    return notes


def test_notes_are_shown_where_they_belong(opened: Any, history: cn.History) -> None:
    shown = cn.timeline(history, notes=noted(history))
    there = opened(shown)
    listed = there.page.get_by_role("list", name="Notes").get_by_role("listitem")
    expect(listed).to_have_count(3)
    expect(listed.nth(2)).to_contain_text("Odd <b>Look</b> here")
    expect(listed.nth(2).get_by_role("button")).to_have_count(0)
    listed.nth(0).get_by_role("button").press("Enter")
    expect(there.cards).to_contain_text("Note by Ada, 20")
    expect(there.cards).to_contain_text("UTC: <b>Look</b> here")
    listed.nth(1).get_by_role("button").click()
    assert there.state["span"] == shown._notes[1]["span"]
    # Nobody takes a note from a file.
    expect(there.page.locator("textarea")).to_have_count(0)


def test_a_moment_is_chosen_by_key_and_by_double_click(
    opened: Any, history: cn.History
) -> None:
    there = opened(cn.timeline(history))
    there.plot.focus()
    there.press("ArrowRight", "ArrowRight", "m")
    at = history.changes[history.changes["field_id"] == "status"]["performed_at"]
    assert there.state["moment"] == micros(at.iloc[2])
    x, y = there.place(3, micros(at.iloc[5]))
    there.page.mouse.dblclick(x, y + 12)
    assert there.state["moment"] == pytest.approx(micros(at.iloc[5]), abs=3.6e9)
    assert there.state["pins"] == []
    there.press("c", "m")  # since creation no moment is chosen
    assert there.state["align"] == "creation"
    assert there.state["moment"] == pytest.approx(micros(at.iloc[5]), abs=3.6e9)


def test_strangers_write_nothing_that_is_obeyed(opened: Any) -> None:
    hostile = histories.hostile_history()
    texts = histories.HOSTILE
    events, changes = hostile.events.copy(), hostile.changes.copy()
    for frame in (events, changes):
        frame["actor_name"] = frame["actor"].astype("str") + texts[1] + "\u202e$x$"
    changes["field"] = changes["field_id"].astype("str") + texts[2] + "\n"
    changes["new_label"] = changes["new"].astype("str") + texts[1]
    changes["old_label"] = changes["old"].astype("str") + texts[2]
    notes = cn.Notes(by=texts[1])
    for row in events.itertuples():
        case = {"domain_id": row.domain_id, "case_id": row.case_id}
        notes.add(texts[2] * 2, event_ids=[row.event_id], **case)
    shown = cn.timeline(changes, events=events, notes=notes)
    shown.pinned = tuple(events["event_id"])
    shown.search = texts[1]
    there = opened(shown)
    dialogs: list[str] = []
    there.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    there.plot.focus()
    for _ in range(14):
        there.press("Home", *["ArrowRight"] * 3, "Enter", "Enter", "ArrowDown")
    for menu in there.page.locator("summary").all():
        menu.click()
    there.press("0")
    first = events["performed_at"].min()
    for lane in range(6):
        there.page.mouse.move(*there.place(lane, micros(first)))
        there.page.mouse.move(*there.place(lane, micros(first) + 3e11))
    x, y = there.place(0, micros(first))
    there.drag(x - 5, y + 14, 900, shift=True)
    expect(there.page.locator("tbody")).to_contain_text("<img src=x")
    expect(there.cards.nth(1)).to_contain_text('onerror="alert(1)"')
    tags = there.page.evaluate(
        """() => {
          const { shadowRoot } = document.querySelector("[data-casesnb-timeline]");
          return [...new Set([...shadowRoot.querySelectorAll("*")].map((e) => e.tagName))];
        }"""
    )
    assert not {"IMG", "SCRIPT", "IFRAME", "B", "A", "OBJECT"} & {*tags}
    shot(there.page, "timeline-hostile")
    assert dialogs == []
    text = there.page.locator(".timeline").inner_text()
    assert "\u202e" not in text
    assert "‹U+202E›" in text


def test_a_script_that_somebody_adds_is_refused_and_counted(
    browser: Browser, history: cn.History, tmp_path: Path
) -> None:
    page = browser.new_page()
    page.add_init_script(COUNT_VIOLATIONS)
    file = tmp_path / "timeline.html"
    file.write_text(cn.timeline(history).to_html(), "utf-8")
    page.goto(file.as_uri())
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.pwned = 1";
          document.body.append(script);
        }"""
    )
    page.wait_for_function("window.violations.length === 1")
    assert page.evaluate("window.pwned") is None
    page.close()


def test_every_length_of_time_reads_as_the_picture_says_it(
    opened: Any, history: cn.History
) -> None:
    shown = cn.timeline(history, fields=["status", "assigned_user"])
    there = opened(shown)
    there.plot.focus()
    data = shown.data
    spans = data[(data["what"] == "span") & ~data["is_open"] & data["start_at"].notna()]
    for lane in ("Status", "Assigned user"):
        there.press("Home")
        if data.loc[data["lane"] == lane, "start_at"].isna().any():
            there.press("ArrowRight")  # past the value that has no beginning
        for span in spans[spans["lane"] == lane].itertuples():
            hours = (span.end_at - span.start_at).total_seconds() / 3600
            expect(there.said).to_contain_text(f"Held for {hours_text(hours)}")
            there.press("ArrowRight")
        there.press("ArrowDown")


def test_moves_are_not_animated_for_who_asks_for_none(
    opened: Any, history: cn.History
) -> None:
    there = opened(cn.timeline(history), reduced_motion="reduce")
    views = there.page.evaluate(
        """async () => {
          const { timeline } = document.querySelector("[data-casesnb-timeline]");
          const seen = new Set();
          timeline.root.querySelector("[aria-label='Zoom in']").click();
          for (let i = 0; i < 30; i++) {
            await new Promise(requestAnimationFrame);
            seen.add(JSON.stringify(timeline.state.view));
          }
          return seen.size;
        }"""
    )
    assert views == 1


def test_the_colours_follow_the_theme_of_the_notebook(
    opened: Any, history: cn.History
) -> None:
    there = opened(cn.timeline(history), color_scheme="light")
    root = there.page.locator(".timeline")
    expect(root).not_to_have_class("timeline dark")
    for light, name in ((False, "timeline dark"), (True, "timeline")):
        there.page.evaluate(
            f"document.body.dataset.jpThemeLight = '{light}'.toLowerCase()"
        )
        expect(root).to_have_class(name)


def test_print_and_pages_without_scripts_show_the_picture(
    opened: Any, history: cn.History
) -> None:
    shown = cn.timeline(history)
    without = opened(shown, java_script_enabled=False).page
    expect(without.locator(".casesnb-static img")).to_be_visible()
    expect(without.locator(".plot")).to_have_count(0)
    without.close()
    there = opened(shown).page
    expect(there.locator(".casesnb-static")).to_be_hidden()
    there.emulate_media(media="print")
    expect(there.locator(".casesnb-static img")).to_be_visible()
    expect(there.locator(".plot")).to_be_hidden()
    alt = str(there.locator(".casesnb-static img").get_attribute("alt"))
    assert alt.startswith("What changed in case")


def test_a_page_stands_in_a_frame_of_another(
    browser: Browser, history: cn.History, tmp_path: Path
) -> None:
    page = browser.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    inside = html.escape(cn.timeline(history).to_html())
    file = tmp_path / "outer.html"
    file.write_text(f'<!doctype html><iframe srcdoc="{inside}"></iframe>', "utf-8")
    page.goto(file.as_uri())
    expect(page.frame_locator("iframe").locator(".plot")).to_be_visible()
    expect(page.frame_locator("iframe").locator("figure")).to_be_hidden()
    page.close()


# ------------------------------------------------------------- how it looks


def shot(page: Page, name: str) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    page.evaluate(PAGE_IS_CALM)
    page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_violation(
    width: int, scheme: str, opened: Any, history: cn.History, several: cn.History
) -> None:
    if not AXE.exists():
        pytest.skip("No axe-core: npm ci --prefix casesnb/view/timeline")
    for name, shown in {
        "one": cn.timeline(history, tz=ZONE, notes=noted(history)),
        "several": cn.timeline(several, align="creation"),
    }.items():
        viewport = {"width": width, "height": 1000}
        # Axe is our own script: the policy of the page would not let it in.
        there = opened(shown, viewport=viewport, color_scheme=scheme, bypass_csp=True)
        where = f"timeline-{name}-{width}-{scheme}"
        shot(there.page, where)
        there.plot.focus()
        there.press("ArrowRight", "ArrowRight", "Enter", "Shift+ArrowRight")
        there.page.get_by_label("Search in the timeline").fill("in progress")
        shot(there.page, f"{where}-used")
        found = [*axe(there.page)]
        for menu in there.page.locator("summary").all():
            menu.click()
            found += axe(there.page)
        shot(there.page, f"{where}-menu")
        assert found == []
        wide = there.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width


def axe(page: Page) -> list[str]:
    """What axe-core finds, a line for each violation."""
    page.evaluate(AXE.read_text("utf-8"))
    results = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for each in results["violations"]
        for node in each["nodes"]
    ]


# ------------------------------------------------------------- in a report


@pytest.fixture(scope="module")
def report(history: cn.History, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with notes."""
    path = tmp_path_factory.mktemp("report") / "timeline.html"
    return cn.write_report(history, path, notes=noted(history))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_report_is_worked_with_from_a_file(
    width: int, scheme: str, opened: Any, history: cn.History, report: Path
) -> None:
    viewport = {"width": width, "height": 1000}
    there = opened(report, viewport=viewport, color_scheme=scheme)
    page = there.page
    shot(page, f"report-{width}-{scheme}")
    expect(page.locator("figure picture").first).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    there.plot.focus()
    expect(there.said).to_contain_text("Status: Open")
    there.press("ArrowRight", "Enter", "Shift+ArrowRight", "Shift+ArrowRight")
    expect(there.cards).to_have_count(1)
    assert there.state["span"] is not None
    there.press("+", "/")
    page.keyboard.type("escalated")
    expect(page.get_by_text(" found", exact=False).first).to_be_visible()
    expect(page.get_by_role("list", name="Notes")).to_contain_text("<b>Look</b>")
    at = history.changes[history.changes["field_id"] == "status"]["performed_at"]
    there.plot.scroll_into_view_if_needed()
    there.press("Escape", "0")
    assert there.state["view"] is None
    page.mouse.move(*there.place(0, micros(at.iloc[4])))
    expect(there.tip).to_contain_text("Status: ")
    page.emulate_media(media="print")
    expect(page.locator("figure picture").first).to_be_visible()
    expect(there.plot).to_be_hidden()
    if AXE.exists():
        again = opened(report, viewport=viewport, color_scheme=scheme, bypass_csp=True)
        assert axe(again.page) == []


def test_a_report_without_scripts_shows_its_pictures(opened: Any, report: Path) -> None:
    there = opened(report, java_script_enabled=False)
    expect(there.page.locator("figure picture").first).to_be_visible()
    expect(there.plot).to_have_count(0)


def test_a_report_runs_nothing_of_strangers(opened: Any, tmp_path: Path) -> None:
    hostile = histories.hostile_history()
    notes, texts = cn.Notes(by=histories.HOSTILE[2]), histories.HOSTILE
    case = {"domain_id": "d", "case_id": hostile.events["case_id"].iloc[0]}
    for text in texts[:3]:
        notes.add(text * 2, event_ids=[*hostile.events["event_id"]], **case)
    path = cn.write_report(hostile, tmp_path / "hostile.html", notes=notes)
    there = opened(path)
    dialogs: list[str] = []
    there.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    for fold in there.page.locator("summary").all():
        fold.click()
    there.plot.focus()
    for _ in range(14):
        there.press("Home", *["ArrowRight"] * 3, "Enter", "ArrowDown")
    assert there.page.evaluate("document.scripts.length") == 1
    assert there.page.evaluate("document.images.length") == 2
    assert dialogs == []  # and the fixture counts what the policy stopped: nothing
    # Another script in its place is stopped.
    page = path.read_text("utf-8").replace("Apache-2.0", "Apache-3.0", 1)
    path.write_text(page, "utf-8")
    forged = there.page.context.new_page()
    forged.goto(path.as_uri())
    expect(forged.locator("figure picture").first).to_be_visible()
    expect(forged.locator(".plot")).to_have_count(0)
    forged.close()


# ------------------------------------------------------------- in four programs

SETUP = """
import casesnb as cn
world = cn.sandbox.World(seed=7)
client = cn.connect(world)
connect = cn.connect(world, service_name="connect")
catalogue = cn.load_catalogue(client, world.showcase[0], connect=connect)
history = cn.with_names(cn.load_history(client, *world.showcase), catalogue)
event = history.events.iloc[12]
shown = cn.timeline(history, tz="Europe/London", notes=cn.Notes(by="Ada"))
"""
BESIDE = """
from ipywidgets import HTML
beside = HTML()
def tell(_=None):
    beside.value = (f"{len(shown.selection)} selected, {len(shown.pinned)} pinned, "
        f"{len(shown.notes)} notes, {'a part' if shown.view else 'the whole'}, "
        f"search {shown.search!r}")
shown.observe(tell, ["selection", "pinned", "notes", "view", "search"])
tell()
beside
"""
TELL_BACK = """
from ipywidgets import Button
def tell_back(_):
    at = history.events["performed_at"]
    shown.span = at.iloc[3].to_pydatetime(), at.iloc[9].to_pydatetime()
    shown.search = "escalated"
button = Button(description="Tell back")
button.on_click(tell_back)
button
"""
MARIMO = """
import marimo

app = marimo.App(width="full")


@app.cell
def _():
    import marimo as mo
{setup}
    view = mo.ui.anywidget(shown)
    view
    return history, mo, shown, view


@app.cell
def _(mo, shown, view):
    view.value
    n = len(shown.selection), len(shown.pinned), len(shown.notes)
    where = "a part" if shown.view else "the whole"
    mo.md(
        f'<p class="widget-html-content">{{n[0]}} selected, {{n[1]}} pinned, '
        f"{{n[2]}} notes, {{where}}, search {{shown.search!r}}</p>"
    )
    return


@app.cell
def _(history, mo, shown):
    def tell_back(_):
        at = history.events["performed_at"]
        shown.span = at.iloc[3].to_pydatetime(), at.iloc[9].to_pydatetime()
        shown.search = "escalated"

    mo.ui.button(label="Tell back", on_change=tell_back)
    return


if __name__ == "__main__":
    app.run()
"""


def notebook() -> str:
    cells = [f"{SETUP.strip()}\nshown", BESIDE.strip(), TELL_BACK.strip()]
    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    made.metadata.kernelspec = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    return str(nbformat.writes(made))


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(60_000)
    yield page
    page.close()


def walk(page: Page, where: str, history: cn.History) -> None:
    """Do what a person does, and look what Python heard of it."""
    beside: Locator = page.locator(".widget-html-content", has_text="selected")
    expect(beside).to_contain_text("54 selected, 0 pinned, 0 notes, the whole")
    there = Opened(page)
    there.plot.scroll_into_view_if_needed()
    n_cells = page.locator(".jp-Cell").count()
    shot(page, f"timeline-{where}")
    expect(page.locator(".jp-RenderedImage img:visible")).to_have_count(0)
    at = history.changes[history.changes["field_id"] == "status"]["performed_at"]
    x, y = there.place(0, micros(at.iloc[4]))
    page.mouse.move(x, y)
    expect(there.tip).to_contain_text("Held for")
    page.mouse.click(x, y)
    expect(beside).to_contain_text("1 pinned")
    page.get_by_label("A note on this event").fill("Look <b>here</b>")
    page.get_by_role("button", name="Add the note on this event").click()
    expect(there.cards).to_contain_text("UTC: Look <b>here</b>")
    there.plot.scroll_into_view_if_needed()
    x, y = there.place(0, micros(at.iloc[4]))
    there.drag(x, y + 12, 200, shift=True)
    low, high = there.state["span"]
    moments = history.changes["performed_at"].map(micros)
    n = int(((moments >= low) & (moments <= high)).sum())
    expect(beside).to_contain_text(f"{n} selected")
    there.plot.focus()
    x, y = there.place(0, micros(at.iloc[4]))
    page.mouse.move(x, y + 12)
    page.mouse.wheel(0, -300)
    expect(beside).to_contain_text("a part")
    # Letters are keys of the timeline here, and letters in the search.
    there.press("b", "h", "u", "d", "d", "0", "Home", "ArrowRight", "Escape")
    expect(there.said).to_contain_text("Assigned user: empty → Priya Mensah")
    expect(beside).to_contain_text("54 selected, 1 pinned, 1 notes, the whole")
    page.get_by_label("Search in the timeline").press_sequentially("abx")
    expect(beside).to_contain_text("search 'abx'")
    assert page.locator(".jp-Cell").count() == n_cells
    page.get_by_role("button", name="Tell back").click()
    expect(page.get_by_label("Search in the timeline")).to_have_value("escalated")
    start, end = (history.events["performed_at"].iloc[i] for i in (3, 9))
    assert there.state["span"] == [micros(start), micros(end)]
    there.plot.scroll_into_view_if_needed()
    shot(page, f"timeline-{where}-used")


@pytest.mark.parametrize(
    ("program", "app", "opened_at"),
    [
        ("jupyterlab", "LabApp", "lab/tree"),
        ("notebook", "JupyterNotebookApp", "notebooks"),
    ],
)
def test_a_walk_in_jupyter(
    program: str,
    app: str,
    opened_at: str,
    page: Page,
    history: cn.History,
    tmp_path: Path,
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "t.ipynb").write_text(notebook(), "utf-8")
    with jupyter(program, app, tmp_path) as url:
        page.goto(f"{url}{opened_at}/t.ipynb")
        page.wait_for_selector(".jp-Notebook")
        page.evaluate(LAB_IS_READY)
        page.locator(".plot").wait_for()
        walk(page, program, history)


def test_a_walk_in_voila(page: Page, history: cn.History, tmp_path: Path) -> None:
    (tmp_path / "t.ipynb").write_text(notebook(), "utf-8")
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-m", "voila", str(tmp_path / "t.ipynb")]
    command += ["--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"]
    with running(command, url, tmp_path / "log", cwd=tmp_path):
        page.goto(url)
        page.locator(".plot").wait_for()
        walk(page, "voila", history)


def test_a_walk_in_marimo(page: Page, history: cn.History, tmp_path: Path) -> None:
    setup = textwrap.indent(SETUP, " " * 4)
    (tmp_path / "t.py").write_text(MARIMO.format(setup=setup).lstrip(), "utf-8")
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-m", "marimo", "run", str(tmp_path / "t.py")]
    command += ["--headless", "--no-token", "--host=127.0.0.1", f"--port={port}"]
    with running(command, url, tmp_path / "log", cwd=tmp_path):
        page.goto(url)
        page.locator(".plot").wait_for()
        walk(page, "marimo", history)
