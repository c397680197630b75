"""How fast the timeline draws and moves in headless Chromium, and what memory it takes.

Times are those of ``requestAnimationFrame``: a redraw is measured with its pixels, a
frame from one call to the next. What the machine does beside it is in them.
"""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from browsers import chromium

import casesnb as cn
from casesnb.tables.schema import ACTOR_KINDS, CHANGES
from casesnb.view.timeline.page import SCRIPT

pytestmark = pytest.mark.bench

PAGE = b"<!doctype html><meta charset=utf-8><body><div id=el style='width:1240px'>"
MEASURE = """async () => {
  const bytes = await (await fetch("/data")).arrayBuffer();
  const { mount } = await import("/timeline.js");
  const frame = () => new Promise(requestAnimationFrame);
  const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
  await frame();
  const began = performance.now();
  const t = mount(document.getElementById("el"), bytes);
  await frame();
  await frame();
  const found = { first: performance.now() - began };
  const { low, high } = t.axis;
  const wide = high - low;
  // Zoom in to a thousandth and out again, then walk along the whole.
  const zoomed = (i) => {
    const part = 2 ** (-10 * Math.sin((Math.PI * i) / 120) ** 2);
    const middle = low + wide * 0.43;
    return [middle - (middle - low) * part, middle + (high - middle) * part];
  };
  const panned = (i) => [low + (wide * 0.9 * i) / 120, low + wide * (0.1 + (0.9 * i) / 120)];
  const redraws = [];
  for (let i = 0; i < 60; i++) {
    await frame();
    t.state.view = i % 2 ? zoomed(i) : null;
    const start = performance.now();
    t.paint();
    t.painter.context.getImageData(0, 0, 1, 1);
    redraws.push(performance.now() - start);
  }
  found.redraw = median(redraws);
  const rate = async (move) => {
    const gaps = [];
    for (let i = 0, last = await frame(); i < 120; i++) {
      if (move) t.take({ view: move(i) });
      const now = await frame();
      gaps.push(now - last);
      last = now;
    }
    return { rate: (1000 * gaps.length) / gaps.reduce((a, b) => a + b), gap: median(gaps) };
  };
  found.idle = await rate(null);
  found.whole = await rate(() => null);
  found.zoom = await rate(zoomed);
  found.pan = await rate(panned);
  return found;
}"""


def changes(n: int, n_fields: int = 12) -> pd.DataFrame:
    """Changes of random fields of one case at random times within ninety days."""
    rng = np.random.default_rng(1)
    numbers = pd.Series(np.arange(n))
    at = np.sort(rng.integers(0, 90 * 86_400 * 10**6, n))
    frame = pd.DataFrame(
        {
            "domain_id": "d",
            "case_id": "c",
            "event_id": numbers.map("{:08x}-1111-4000-8000-000000000000".format),
            "sequence": numbers,
            "slot": 0,
            "performed_at": pd.Timestamp("2026-01-01", tz="UTC")
            + pd.to_timedelta(at, unit="us"),
            "event_type": "Case.Updated",
            "actor": pd.Series(rng.integers(0, 50, n)).astype("str"),
            "actor_kind": np.array(ACTOR_KINDS)[rng.integers(0, 5, n)],
            "field_id": pd.Series(rng.integers(0, n_fields, n)).astype("str"),
            "old_kind": "string",
            "new_kind": "string",
            "new": pd.Series(rng.integers(0, 1_000, n)).astype("str"),
            "is_order_known": True,
            "is_outcome_known": True,
        }
    )
    before = frame.groupby("field_id")["new"].shift().fillna("new")
    # A tenth of the changes contradict what was there before them.
    frame["old"] = before.where(rng.random(n) > 0.1, "another")
    return CHANGES.cast(frame.reindex(columns=CHANGES.names))


def serve(data: bytes) -> http.server.ThreadingHTTPServer:
    found = {
        "/": ("text/html", PAGE),
        "/data": ("application/octet-stream", data),
        "/timeline.js": ("text/javascript", SCRIPT.read_bytes()),
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, body = found.get(self.path, ("text/plain", b""))
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def memory() -> float:
    """The megabytes that the largest page has for itself."""
    return max(
        process.memory_full_info().uss / 1e6
        for process in psutil.Process().children(recursive=True)
        if "--type=renderer" in process.cmdline()
    )


@pytest.fixture
def page() -> Iterator[Any]:
    with chromium() as browser:
        yield browser.new_page(viewport={"width": 1280, "height": 900})


@pytest.mark.parametrize(("n", "most"), [(100_000, 16), (1_000_000, 60)])
def test_a_redraw_fits_a_frame(n: int, most: float, page: Any) -> None:
    began = time.perf_counter()
    shown = cn.timeline(changes(n))
    made = time.perf_counter() - began
    server = serve(shown._data)
    try:
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        blank = memory()
        found = page.evaluate(MEASURE)
        page.context.new_cdp_session(page).send("HeapProfiler.collectGarbage")
        time.sleep(0.5)
        taken = memory() - blank
    finally:
        server.shutdown()
        server.server_close()
    print(
        f"\n{n:,} changes, {len(shown._data) / 1e6:.0f} MB made in {made:.1f} s: first "
        f"frame {found['first']:.0f} ms, redraw {found['redraw']:.1f} ms; "
        + ", ".join(
            f"{name} {found[name]['rate']:.0f} frames a second"
            for name in ("idle", "whole", "zoom", "pan")
        )
        + f"; {taken:.0f} MB"
    )
    assert found["redraw"] <= most
    assert found["first"] < 500
    assert taken < 200
    # A busy machine drops frames of a page that does nothing, too.
    for move in ("zoom", "pan"):
        assert found[move]["rate"] >= min(50, 0.8 * found["idle"]["rate"])
