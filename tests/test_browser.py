"""A walk through the explorer in a real Chromium: Voila, JupyterLab and Notebook 7.

Chromium is Debian's: ``apt-get install --no-install-recommends chromium``. Where it
is missing these tests fail: a walk that nobody took proves nothing.
"""

from __future__ import annotations

import json
import re
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from browsers import LAB_IS_READY, chromium, free_port, jupyter, running
from playwright.sync_api import Page, expect

import casesnb as cn
from casesnb.sandbox.server import SandboxServer
from casesnb.view.explorer.web import explorer_notebook

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)

ARTIFACTS = Path(__file__).parents[1] / "artifacts"
WORLD = cn.sandbox.World(seed=0)
DOMAIN, SHOWN = WORLD.showcase
LIST = cn.load_cases(cn.connect(WORLD), DOMAIN)
CASES = [*LIST["case_id"]]
NUMBERS = dict(zip(CASES, LIST["reference_number"], strict=True))
SLOW, THROTTLED, FORBIDDEN, HOSTILE, OTHER = [c for c in CASES if c != SHOWN][:5]
TITLE = "<img src=x onerror=window.pwned=1><script>window.pwned=1</script>"


class Troubled:
    """The sandbox with one slow, one throttled, one forbidden and one hostile case."""

    def __init__(self, order: str) -> None:
        self.inner = WORLD.service(order=order)
        self.asked: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __call__(self, request: cn.raw.Request) -> cn.raw.Response:
        if request.operation == "GetCaseAuditEvents":
            case_id = request.path.split("/")[4]
            self.asked[case_id] += 1
            if case_id == SLOW:
                time.sleep(4)
            if case_id == FORBIDDEN:
                return self.inner.error(request, "AccessDeniedException", "not yours")
            if case_id == THROTTLED and self.asked[case_id] < 3:
                return self.inner.error(request, "ThrottlingException", "Rate exceeded")
        response = self.inner(request)
        if request.operation == "SearchCases":
            found = json.loads(response.body)
            for case in found["cases"]:
                if case["caseId"] == HOSTILE:
                    for field in case["fields"]:
                        if field["id"] == "title":
                            field["value"] = {"stringValue": TITLE}
            return cn.raw.Response(200, response.headers, json.dumps(found).encode())
        if request.operation == "GetCaseAuditEvents" and HOSTILE in request.path:
            found = json.loads(response.body)
            for event in found["auditEvents"]:
                for field in event["fields"]:
                    field["newValue"] = {"stringValue": TITLE}
            return cn.raw.Response(200, response.headers, json.dumps(found).encode())
        return response


class TroubledWorld(cn.sandbox.World):
    def service(self, *, order: str = "newest first") -> Any:
        return Troubled(order)


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with SandboxServer(TroubledWorld(seed=0)) as server:
        yield server.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(60_000)
    page.faults = []
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("websocket", lambda socket: page.asked.append(socket.url))
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on(
        "console",
        lambda message: (
            page.faults.append(message.text)
            if "setting state" in message.text or "model not found" in message.text
            else None
        ),
    )
    yield page
    page.close()


def shot(page: Page, name: str) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png")


def choose(page: Page, case_id: str) -> None:
    """Click on the case itself, wherever the list now shows it."""
    cases = page.get_by_label("Case", exact=True)
    cases.locator("option", has_text=NUMBERS[case_id]).click()


def walk(page: Page, where: str) -> None:
    """Do what a person does, and look."""
    explorer = page.locator(".casesnb-explorer").first
    status = explorer.locator(".casesnb-status")
    domain = page.get_by_label("Domain", exact=True)
    expect(status).to_contain_text("Choose a case")
    names = [d.name for d in WORLD.domains]
    # As fast as a script can, so that the page shows an older list now and then.
    domain.select_option(label=names[1])
    domain.select_option(label=names[0])
    choose(page, SHOWN)
    expect(status).to_contain_text("complete")
    expect(explorer.locator(".casesnb-story")).to_contain_text("created the case")
    shot(page, f"{where}-story")
    page.get_by_role("tab", name="Timeline").click()
    title = explorer.locator(".title")
    expect(title).to_contain_text(f"case {SHOWN[:8]}")
    shot(page, f"{where}-timeline")
    choose(page, OTHER)
    expect(title).to_contain_text(f"case {OTHER[:8]}")
    expect(status).to_contain_text("complete")

    page.get_by_label("Search", exact=True).fill(f"https://x.test/case/{SHOWN}")
    page.get_by_label("Search", exact=True).press("Enter")
    expect(title).to_contain_text(f"case {SHOWN[:8]}")
    work_in(page, where)
    page.get_by_role("tab", name="As of").click()
    n = len({event.performed_at for event in WORLD.true_events(SHOWN)})
    # As the line on the timeline says, early in the case.
    expect(explorer.get_by_text(re.compile(rf"event [2-6] of {n}"))).to_be_visible()
    handle = explorer.locator(".noUi-handle:visible")
    place, track = handle.bounding_box(), explorer.locator(".noUi-target:visible")
    assert place
    handle.hover()
    page.mouse.down()
    page.mouse.move((track.bounding_box() or place)["x"] + 2, place["y"] + 5, steps=8)
    page.mouse.up()
    expect(explorer.get_by_text(f"event 1 of {n}")).to_be_visible()
    expect(explorer.get_by_text("≠").first).to_be_visible()
    later = page.get_by_role("button", name="Later")
    if where == "notebook":  # which keeps the arrow keys for itself
        later.click()
    else:
        handle.press("ArrowRight")
    expect(explorer.get_by_text(f"event 2 of {n}")).to_be_visible()
    later.press("Enter")  # and by the keyboard
    expect(explorer.get_by_text(f"event 3 of {n}")).to_be_visible()
    page.get_by_role("button", name="Earlier").press("Space")
    expect(explorer.get_by_text(f"event 2 of {n}")).to_be_visible()
    shot(page, f"{where}-as-of")

    page.get_by_role("tab", name="Changes").click()
    page.get_by_label("Field", exact=True).select_option(label="Status")
    page.get_by_label("Order", exact=True).select_option(label="newest first")
    rows = explorer.locator(".casesnb-table:visible tbody tr")
    expect(rows.first).to_contain_text("Status")
    shot(page, f"{where}-changes")

    choose(page, SLOW)
    expect(status).to_contain_text("Reading case")
    page.get_by_role("button", name="Cancel").click()
    expect(status).to_contain_text("Stopped reading case")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    shot(page, f"{where}-cancelled")
    choose(page, THROTTLED)
    # The pace is that of all who ask from this machine, and slow after refusals.
    expect(status).to_contain_text("complete", timeout=60_000)
    choose(page, FORBIDDEN)
    expect(status).to_contain_text("You are not allowed to read case")
    expect(rows).to_have_count(0)
    shot(page, f"{where}-forbidden")

    choose(page, HOSTILE)
    expect(status).to_contain_text("complete")
    for name in ("Story", "Timeline", "Changes", "People", "As of", "Evidence"):
        page.get_by_role("tab", name=name, exact=True).click()
        page.wait_for_timeout(200)
    for words in page.locator("summary:visible").all():
        words.click()
    page.get_by_role("tab", name="Changes").click()
    expect(rows.first).to_contain_text("<img src=x")
    shot(page, f"{where}-hostile")
    assert page.evaluate("window.pwned") is None
    assert page.faults == []  # type: ignore[attr-defined]


def work_in(page: Page, where: str) -> None:
    """Select, look as of then, write notes and compare, in the timeline."""
    explorer = page.locator(".casesnb-explorer").first
    plot, said = explorer.locator(".plot"), explorer.locator(".said")
    rows = explorer.locator(".casesnb-table:visible tbody tr")
    plot.focus()
    expect(said).to_contain_text("Status: ")
    for key in ("Home", "ArrowRight", "m", "Enter", "Shift+ArrowRight"):
        plot.press(key)
    page.get_by_label("A note on this event").fill("Look <b>here</b>")
    page.get_by_role("button", name="Add the note on this event").click()
    expect(explorer.get_by_role("list", name="Notes")).to_contain_text("Look <b>here")
    page.get_by_label("A note on the case").fill("Odd")
    page.get_by_role("button", name="Add the note on the case").press("Enter")
    expect(explorer.get_by_role("list", name="Notes")).to_contain_text("Odd")
    shot(page, f"{where}-notes")
    page.get_by_role("tab", name="Story").click()
    expect(explorer.locator(".casesnb-story")).to_contain_text("Look <b>here</b>")
    page.get_by_role("tab", name="Changes").click()
    expect(explorer.get_by_text("as selected in the timeline")).to_be_visible()
    few = rows.count()
    page.get_by_role("button", name="All times").click()
    expect(explorer.get_by_text("as selected in the timeline")).to_have_count(0)
    assert 0 < few < rows.count()
    page.get_by_role("tab", name="Timeline").click()
    compare = page.get_by_label("Compare")
    other = compare.locator("option", has_text=NUMBERS[OTHER]).text_content()
    compare.select_option(label=other)
    expect(explorer.locator(".title")).to_contain_text("2 cases")
    expect(page.get_by_label("Time axis")).to_have_value("creation")
    shot(page, f"{where}-compare")
    compare.select_option(label="No other case")
    expect(page.get_by_label("Time axis")).to_have_value("calendar")


def test_a_walk_in_voila(page: Page, service: str, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-u", "-m", "casesnb", "explore", "--no-browser"]
    command += ["--endpoint-url", service, "--port", str(port)]
    with running(command, url, tmp_path / "log") as said:
        page.goto(url)
        assert "casesnb-explorer" not in page.content()  # no token, no cases
        address = next(word for word in said.split() if word.startswith(url))
        page.goto(address)
        page.get_by_label("Case", exact=True).wait_for()
        walk(page, "voila")
        hosts = Counter(urlsplit(asked).hostname for asked in page.asked)  # type: ignore[attr-defined]
        assert hosts.pop("127.0.0.1") > 50
        hosts.pop(None, None)  # what a page holds itself, as data
        assert not hosts


def test_the_page_answers_to_this_machines_names_alone(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-u", "-m", "casesnb", "explore", "--no-browser"]
    command += ["--sandbox", "0", "--port", str(port)]
    with running(command, url, tmp_path / "log") as said:
        token = said.partition("?token=")[2].split()[0]

        def status(path: str, host: str) -> int:
            asked = urllib.request.Request(f"{url}{path}?token={token}")
            asked.add_header("Host", host)
            try:
                with urllib.request.urlopen(asked, timeout=30) as answer:
                    policy = answer.headers["Content-Security-Policy"]
                    assert policy.startswith("default-src 'self' ")
                    return int(answer.status)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code

        kernel = "api/kernels/00000000-0000-0000-0000-000000000000"
        for path, found in (("", 200), ("login", 200), (kernel, 404)):
            assert status(path, f"127.0.0.1:{port}") == found
            assert status(path, f"localhost:{port}") == found
            for host in ("evil.example", f"127.0.0.1.evil.example:{port}", "10.0.0.1"):
                assert status(path, host) == 403


@pytest.mark.parametrize(
    ("program", "app", "opened"),
    [
        ("jupyterlab", "LabApp", "lab/tree"),
        ("notebook", "JupyterNotebookApp", "notebooks"),
    ],
)
def test_a_walk_in_jupyter(
    program: str, app: str, opened: str, page: Page, service: str, tmp_path: Path
) -> None:
    (tmp_path / "work").mkdir()
    notebook = explorer_notebook(f"endpoint_url={service!r}")
    (tmp_path / "work" / "explorer.ipynb").write_text(notebook, "utf-8")
    with jupyter(program, app, tmp_path) as url:
        page.goto(f"{url}{opened}/explorer.ipynb")
        page.wait_for_selector(".jp-Notebook")
        page.evaluate(LAB_IS_READY)
        page.get_by_label("Case", exact=True).wait_for()
        if program == "notebook":  # it trips over its own settings while it starts
            page.faults.clear()  # type: ignore[attr-defined]
        walk(page, program)
