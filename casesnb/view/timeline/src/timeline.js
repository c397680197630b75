// The timeline in a page: its state, gestures and keys, and what they read and show.

import { select } from "d3-selection";
import { zoom as zooming, zoomIdentity, zoomTransform } from "d3-zoom";
import { atLeast, counted, duration, moment, read, short, visible } from "./data.js";
import { ALIGNS, SORTS, axisOf, layout } from "./lanes.js";
import { WholeMap } from "./map.js";
import { button, laneItems, legendItems, lines, make, pageOf, seemsDark, tableOf } from "./page.js";
import { AXIS, Painter } from "./paint.js";
import style from "./timeline.css";
import { binLines, change, denseLines, laneName, markLines, order, spanLines, what, when, whichCase, who } from "./words.js";

const TALLEST = 520;
const noteLine = ({ by, text }) => `Note by ${short(by, 90)}: ${short(text, 400)}`;
const ROWS = 200; // of the table of what is selected
const STATE = { view: null, span: null, moment: null, pins: [], search: "", align: "calendar", sort: "drawn", hidden: [], folded: [] };

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const without = (list, one) => list.filter((each) => each !== one);
const toggled = (list, one) => (list.includes(one) ? without(list, one) : [...list, one]);

/* Put a timeline into `el`. A host may give the state to begin with, notes, and
   functions: `onState(patch)` is told what a person does, `onNote(note)` a note. */
export function mount(el, bytes, host) {
  return new Timeline(el, read(bytes), host ?? {});
}

class Timeline {
  constructor(el, data, host) {
    Object.assign(this, { el, data, host, notes: host.notes ?? data.notes });
    this.state = { ...STATE, ...data.state, ...host.state };
    this.cursor = null; // the lane and the place in it that keys are at
    this.ended = new AbortController();
    el.timeline = this;
    el.dataset.casesnbTimeline = "live";
    // JupyterLab's own keys stay out: N or H are ours here.
    el.dataset.lmSuppressShortcuts = "true";
    Object.assign(this, pageOf(data, this.#acts()));
    (el.shadowRoot ?? el.attachShadow({ mode: "open" })).replaceChildren(make("style", {}, style), this.root);
    this.painter = new Painter(this.canvas, data);
    this.whole = new WholeMap(this.map);
    this.width = 0; // until it is on a page
    this.#arrange();
    this.#watch();
    this.#show(() => true);
  }

  #acts() {
    return {
      out: () => this.#zoomBy(0.5),
      in: () => this.#zoomBy(2),
      earlier: () => this.#panBy(-0.5),
      later: () => this.#panBy(0.5),
      whole: () => this.#look(null),
      brush: () => this.#setBrushing(!this.isBrushing),
      align: (align) => this.#setAlign(align),
      sort: (sort) => this.#set({ sort }),
      search: (search) => this.#set({ search }),
      searchKey: (e) => this.#onSearchKey(e),
      foldAll: () => this.#set({ folded: this.data.lanes.map((_, i) => i) }),
      showAll: () => {
        this.#set({ folded: [], hidden: [] });
        this.say("All lanes are shown");
      },
      fold: (i) => this.#fold(i),
      toggle: (i) => this.#set({ hidden: toggled(this.state.hidden, i) }),
    };
  }

  #watch() {
    const { signal } = this.ended;
    const { plot, surface, map, root } = this;
    const on = (target, type, act, more) => target.addEventListener(type, act, { signal, ...more });
    const sizes = new ResizeObserver(() => this.#resize());
    sizes.observe(root);
    const themes = new MutationObserver(() => this.#resize());
    for (const element of [document.documentElement, document.body]) themes.observe(element, { attributes: true });
    on(signal, "abort", () => [sizes, themes].forEach((each) => each.disconnect()));
    on(matchMedia("(prefers-color-scheme: dark)"), "change", () => this.#resize());
    on(plot, "scroll", () => this.#draw());
    on(plot, "keydown", (e) => this.#onKey(e));
    on(plot, "focus", () => {
      // By a pointer one is somewhere already.
      if (plot.matches(":focus-visible")) this.#goTo(this.cursor ?? this.#enter(this.layout.rows.find((row) => row.lane)));
    });
    on(plot, "blur", () => this.#draw());
    // Keys that were meant for us are not the page's as well.
    on(root, "keydown", (e) => e.stopPropagation());
    on(root, "pointerdown", (e) => {
      for (const menu of this.menus) menu.open &&= e.composedPath().includes(menu);
    });
    on(surface, "pointermove", (e) => this.#onHover(e));
    on(surface, "pointerleave", () => this.#hideTip());
    on(surface, "click", (e) => this.#onClick(e));
    on(surface, "dblclick", (e) => this.#lookAsOf(this.#timeAt(e)));
    on(surface, "wheel", (e) => this.#onWheel(e), { capture: true, passive: false });
    // What was done here is told before what is done next elsewhere.
    on(document, "pointerdown", () => this.#tellNow(), { capture: true });
    on(root, "focusout", () => this.#tellNow());
    on(this.names, "click", (e) => this.#foldRow(this.#rowAt(e)));
    this.zoom = zooming()
      .clickDistance(4)
      .filter((e) => (e.type === "wheel" ? this.#hasWheel(e) : !e.button && !e.ctrlKey && !this.#isBrush(e)))
      .on("zoom", (e) => this.#onZoom(e.transform));
    select(surface).call(this.zoom).on("dblclick.zoom", null);
    this.#drag(surface, (e) => this.#isBrush(e), (e, began) => this.#onBrush(e, began));
    this.#drag(map, () => true, (e) => this.#onMap(e));
    this.#resize();
  }

  // Follow a pointer that is pressed where `isOurs`.
  #drag(element, isOurs, moved) {
    let began = null;
    const on = (type, act) => element.addEventListener(type, act, { signal: this.ended.signal });
    on("pointerdown", (e) => {
      if (e.button || !isOurs(e)) return;
      began = this.#timeAt(e);
      element.setPointerCapture(e.pointerId);
      moved(e, began);
    });
    on("pointermove", (e) => began !== null && moved(e, began));
    for (const type of ["pointerup", "pointercancel"]) on(type, () => (began = null));
  }

  destroy() {
    this.ended.abort();
    clearTimeout(this.telling);
    this.el.shadowRoot.replaceChildren();
  }

  // ----------------------------------------------------------------- the state

  /* Take what a person did here, show it, and tell the host. */
  #set(patch) {
    this.take(patch);
    this.#tell(patch);
  }

  #tell(patch) {
    this.untold = { ...this.untold, ...patch };
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.#tellNow(), 80);
  }

  #tellNow() {
    if (this.untold) this.host.onState?.(this.untold);
    this.untold = null;
  }

  /* Take what the host says, and show it. */
  take(patch) {
    const before = this.state;
    const next = (this.state = { ...before, ...patch });
    const changed = (...names) => names.some((name) => !same(before[name], next[name]));
    if (changed("align")) this.axis = null;
    if (changed("align", "sort", "hidden", "folded")) this.#arrange();
    if (changed("align", "view")) this.#rezoom();
    this.#show(changed);
  }

  #show(changed) {
    const { data, state, search } = this;
    this.align.value = state.align;
    this.sort.value = state.sort;
    if (search.value !== state.search) search.value = state.search;
    if (changed("search", "align")) this.#find();
    if (changed("pins", "align")) this.#showCards();
    if (changed("span", "align")) this.#showTable();
    if (changed("hidden", "folded")) {
      const focusable = () => [...this.lanes.querySelectorAll("input, button")];
      const at = focusable().indexOf(this.lanes.getRootNode().activeElement);
      this.lanes.replaceChildren(...laneItems(data, state, this.#acts()));
      focusable()[at]?.focus();
      const n = state.hidden.length;
      this.menus[0].firstChild.textContent = n ? `Lanes (${n} hidden)` : "Lanes";
    }
    this.#draw();
  }

  setNotes(notes) {
    this.notes = notes;
    this.#showCards();
    this.#draw();
  }

  say(text) {
    this.said.textContent = visible(text);
  }

  #setAlign(align) {
    this.#set({ align, view: null, span: null });
    this.say(`Time axis: ${ALIGNS[align]}`);
  }

  #setBrushing(isBrushing) {
    this.isBrushing = isBrushing;
    this.brush.setAttribute("aria-pressed", isBrushing);
    this.surface.classList.toggle("brushing", isBrushing);
  }

  #resize() {
    const isDark = seemsDark();
    this.root.classList.toggle("dark", isDark);
    const width = this.plot.clientWidth;
    if (!width || (width === this.width && isDark === this.isDark)) return;
    Object.assign(this, { width, isDark });
    this.#arrange();
    this.legend.replaceChildren(...legendItems(this.data, isDark));
    this.#rezoom();
    this.#draw();
  }

  #arrange() {
    const { data, state, width } = this;
    this.axis ??= this.painter.axis = axisOf(data, state.align);
    const isNarrow = width < 560;
    const longest = Math.max(...data.lanes.map((lane) => Math.min(lane.name.length, 26)), 4);
    this.label = isNarrow ? 0 : Math.ceil(longest * 7.3 + 18);
    this.plotWidth = Math.max(width - this.label, 1);
    this.layout = layout(data, state, isNarrow);
    const height = (this.height = Math.min(Math.max(this.layout.height, 60), TALLEST) + AXIS);
    const place = (element, box) => {
      for (const [name, size] of Object.entries(box)) element.style[name] = `${size}px`;
    };
    place(this.filler, { height: Math.max(this.layout.height + AXIS, height) });
    place(this.plot, { height: height + 2 });
    place(this.canvas, { height });
    place(this.surface, { left: this.label, height });
    place(this.names, { width: this.label, height: height - AXIS });
    this.isStale = true;
  }

  // -------------------------------------------------------------- what is seen

  get view() {
    const { axis, state, label } = this;
    const [low, high] = state.view ?? [axis.low, axis.high];
    return { low, high, label, top: this.plot.scrollTop, align: state.align };
  }

  #draw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (!this.ended.signal.aborted && this.width) this.paint();
    });
  }

  paint() {
    const { painter, whole, state, width, height, isDark, axis, view } = this;
    if (this.isStale) {
      painter.prepare({ width, height, isDark });
      whole.prepare(axis, width, painter.ratio);
    }
    this.isStale = false;
    const matches = this.matches?.places.length ? this.matches : null;
    const { pinned, noted } = this;
    const focused = this.#hasFocus() ? this.cursor : null;
    painter.paint(view, this.layout, { span: state.span, moment: state.align === "calendar" && state.moment, matches, pinned, noted, focused });
    whole.paint(view, painter.colours, state.span, matches);
  }

  #hasFocus() {
    return this.plot.getRootNode().activeElement === this.plot;
  }

  // Look at a stretch of the axis; the whole is null.
  #look(view) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.#set({ view });
      return;
    }
    const arrive = () => (this.ahead = null);
    const move = select(this.surface).transition().duration(220).on("interrupt end", arrive);
    move.call(this.zoom.transform, this.#transformOf(view));
    this.ahead = view ?? [this.axis.low, this.axis.high];
  }

  // What is looked at, once it has moved there.
  #seen() {
    const { low, high } = this.view;
    return this.ahead ?? [low, high];
  }

  #transformOf(view) {
    const { axis, plotWidth } = this;
    const whole = axis.high - axis.low;
    const [low, high] = view ?? [axis.low, axis.high];
    return zoomIdentity.scale(whole / (high - low)).translate((-(low - axis.low) * plotWidth) / whole, 0);
  }

  // Tell d3's zoom what is looked at, and how far one can go.
  #rezoom() {
    const { axis, zoom, surface, plotWidth: width, state } = this;
    const whole = axis.high - axis.low;
    const right = ((axis.end - axis.low) / whole) * width;
    const far = Infinity;
    zoom
      .extent([[0, 0], [width, 100]])
      .scaleExtent([width / right, Math.max(whole / 1e3, 1)])
      .translateExtent([[0, -far], [right, far]]);
    this.isTaking = true;
    select(surface).interrupt().call(zoom.transform, this.#transformOf(state.view));
    this.isTaking = false;
  }

  #onZoom({ x, k }) {
    if (this.isTaking) return;
    const { axis, plotWidth } = this;
    const whole = axis.high - axis.low;
    const low = axis.low - (x / k / plotWidth) * whole;
    const isWhole = Math.abs(k - 1) < 1e-9 && Math.abs(x) < 1e-6;
    const view = isWhole ? null : [low, low + whole / k];
    this.state = { ...this.state, view };
    this.#tell({ view });
    this.#hideTip();
    this.#draw();
  }

  // The page scrolls as ever, until one is in the picture.
  #hasWheel(e) {
    return e.ctrlKey || e.metaKey || this.#hasFocus();
  }

  #onWheel(e) {
    const across = e.shiftKey ? e.deltaX || e.deltaY : e.deltaX;
    if (!this.#hasWheel(e) || (!e.shiftKey && Math.abs(across) <= Math.abs(e.deltaY))) return;
    e.preventDefault();
    e.stopImmediatePropagation();
    select(this.surface).call(this.zoom.translateBy, -across / zoomTransform(this.surface).k, 0);
  }

  #zoomBy(factor) {
    const [low, high] = this.#seen();
    const t = this.cursor ? this.axis.at[this.cursor.at] : NaN;
    const middle = t >= low && t <= high ? t : (low + high) / 2;
    this.#lookAt(middle - (middle - low) / factor, middle + (high - middle) / factor);
  }

  #panBy(part) {
    const [low, high] = this.#seen();
    this.#lookAt(low + (high - low) * part, high + (high - low) * part);
  }

  #lookAt(low, high) {
    this.#look(this.#within(low, high));
  }

  // A stretch of the axis that is there: not before its beginning nor after its end.
  #within(low, high) {
    const { axis } = this;
    const width = Math.min(Math.max(high - low, 1e3), axis.end - axis.low);
    const from = Math.max(Math.min(low, axis.end - width), axis.low);
    return [from, from + width];
  }

  #onMap(e) {
    const at = this.whole.at(e.clientX - this.map.getBoundingClientRect().left);
    const { low, high } = this.view;
    this.#set({ view: this.#within(at - (high - low) / 2, at + (high - low) / 2) });
  }

  // ------------------------------------------------------------------ pointers

  #timeAt(e) {
    const { low, high } = this.view;
    return low + ((e.clientX - this.surface.getBoundingClientRect().left) / this.plotWidth) * (high - low);
  }

  // How far down the lanes a pointer is; below them it is nowhere.
  #down(e) {
    const y = e.clientY - this.canvas.getBoundingClientRect().top;
    return y > this.height - AXIS ? NaN : y + this.plot.scrollTop;
  }

  #rowAt(e) {
    const y = this.#down(e);
    return this.layout.rows.find((row) => y >= row.y && y < row.y + row.height);
  }

  #hitAt(e) {
    const row = this.#rowAt(e);
    const hit = this.painter.hit(row, e.clientX - this.canvas.getBoundingClientRect().left);
    // The upper part of a lane is for marks, the lower one for spans.
    if (hit?.bin && hit.span && this.#down(e) > row.edge + 7 && hit.bin.off > 3) hit.bin = null;
    return hit;
  }

  #linesOf({ row: { lane }, bin, span }) {
    const { data, axis, painter } = this;
    if (bin?.n === 1) return this.#markLines(lane, bin.at);
    if (bin) {
      const ends = [bin.at, bin.at + bin.n - 1];
      const rows = bin.n > 4 ? [] : Array.from({ length: bin.n }, (_, i) => painter.markOf(bin.at + i));
      const isOne = axis.at[ends[0]] === axis.at[ends[1]];
      return binLines(data, lane, { n: bin.n, isOne, rows, ends: ends.map((at) => painter.markOf(at)), counts: painter.counts(bin) });
    }
    return span && (span.n === 1 ? spanLines : denseLines)(data, lane, span);
  }

  #markLines(lane, at) {
    const { data, painter } = this;
    const mark = painter.markOf(at);
    // The span that it began, or was in: the last one that begins no later.
    const i = atLeast(data.spans.left, data.marks.at[mark] + 1, ...lane.spans) - 1;
    return [...markLines(data, lane, mark, i >= lane.spans[0] ? i : -1), ...this.#notesOf(data.marks.event[mark])];
  }

  #notesOf(event) {
    return this.notes.filter((note) => note.events.includes(event)).map(noteLine);
  }

  #onHover(e) {
    if (e.buttons) return;
    const { tip, surface, root } = this;
    const hit = this.#hitAt(e);
    const texts = hit && this.#linesOf(hit);
    surface.style.cursor = hit?.bin ? "pointer" : "";
    tip.hidden = !texts;
    if (!texts) return;
    tip.replaceChildren(...lines(texts));
    const box = root.getBoundingClientRect();
    tip.style.left = `${Math.max(Math.min(e.clientX - box.left + 14, box.width - tip.offsetWidth - 6), 4)}px`;
    tip.style.top = `${e.clientY - box.top + 18}px`;
  }

  #hideTip() {
    this.tip.hidden = true;
  }

  #onClick(e) {
    const hit = this.#hitAt(e);
    if (!hit || this.#isBrush(e)) return;
    const { bin, span, row, at } = hit;
    const { low, high } = this.view;
    const near = Math.min(atLeast(this.axis.at, at, ...row.lane.marks), row.lane.marks[1] - 1);
    this.cursor = { lane: row.number, at: bin ? bin.at : Math.max(near, -1) };
    if (bin) {
      const [first, last] = [bin.at, bin.at + bin.n - 1].map((place) => this.axis.at[place]);
      const room = (last - first) / 3;
      if (room) this.#lookAt(first - room, last + room);
      else this.#pin(this.#eventOf(this.cursor));
    } else if (span?.n > 1) this.#lookAt(at - (high - low) / 16, at + (high - low) / 16);
    else if (span) this.#pin(this.data.spans.event[span.first]);
  }

  #isBrush(e) {
    return e.shiftKey || this.isBrushing;
  }

  #onBrush(e, began) {
    const at = this.#timeAt(e);
    if (at !== began) this.#set({ span: [began, at].map(Math.round).sort((a, b) => a - b) });
  }

  // Of calendar time alone one can say what held then.
  #lookAsOf(at) {
    if (this.state.align === "calendar") this.#set({ moment: Math.round(at) });
  }

  // ---------------------------------------------------------------------- keys

  #onKey(e) {
    if (e.altKey || e.ctrlKey || e.metaKey || e.target !== this.plot) return;
    const { state, cursor } = this;
    const acts = this.#acts();
    const pin = () => cursor && this.#pin(this.#eventOf(cursor));
    const act = {
      ArrowLeft: () => this.#step(-1, e.shiftKey),
      ArrowRight: () => this.#step(1, e.shiftKey),
      ArrowUp: () => this.#stepLane(-1),
      ArrowDown: () => this.#stepLane(1),
      Home: () => this.#step(-Infinity),
      End: () => this.#step(Infinity),
      Enter: pin,
      " ": pin,
      "+": acts.in,
      "=": acts.in,
      "-": acts.out,
      0: acts.whole,
      PageUp: acts.earlier,
      PageDown: acts.later,
      "[": () => this.#extend(0),
      "]": () => this.#extend(1),
      Escape: () => this.#clear(),
      "/": () => this.search.focus(),
      "?": () => this.menus[1].firstChild.click(),
      f: () => this.#fold(cursor?.lane),
      h: () => this.#hide(cursor?.lane),
      m: () => cursor?.at >= 0 && this.#lookAsOf(this.axis.at[cursor.at]),
      u: acts.showAll,
      s: () => this.#sortNext(),
      c: () => this.#setAlign(state.align === "calendar" ? "creation" : "calendar"),
    }[e.key.length === 1 ? e.key.toLowerCase() : e.key];
    if (!act) return;
    e.preventDefault();
    act();
  }

  #sortNext() {
    const names = Object.keys(SORTS);
    const sort = names[(names.indexOf(this.state.sort) + 1) % names.length];
    this.#set({ sort });
    this.say(`Lanes: ${SORTS[sort]}`);
  }

  #clear() {
    this.#hideTip();
    this.#set(this.state.span ? { span: null } : { search: "" });
  }

  #onSearchKey(e) {
    if (e.key === "Enter") this.#nextMatch(e.shiftKey ? -1 : 1);
    else if (e.key === "Escape") {
      this.#set({ search: "" });
      this.plot.focus();
    } else return;
    e.preventDefault();
  }

  // Where keys enter a lane: at its first mark, if it has one.
  #enter(row) {
    const [first, upTo] = row?.lane.marks ?? [0, 0];
    return row && { lane: row.number, at: first < upTo ? first : -1 };
  }

  #step(by, isSelecting) {
    const { axis, data } = this;
    const cursor = this.cursor ?? this.#enter(this.layout.rows.find((row) => row.lane));
    if (!cursor) return;
    const { spans, marks } = data.lanes[cursor.lane];
    // Before the first mark there may be a value that has no beginning.
    const isBefore = spans[0] < spans[1] && data.spans.left[spans[0]] === -Infinity;
    const from = cursor.at < 0 ? marks[0] - 1 : cursor.at;
    const at = Math.max(Math.min(from + by, marks[1] - 1), marks[0] - isBefore);
    if (isSelecting && from >= marks[0] && at >= marks[0]) {
      const [a, b] = [axis.at[from], axis.at[at]];
      const span = this.state.span ?? [a, a];
      // The end that the cursor is at moves with it.
      const other = a === span[1] ? span[0] : a === span[0] ? span[1] : a;
      this.#set({ span: [Math.min(other, b), Math.max(other, b)] });
    }
    this.#goTo({ lane: cursor.lane, at: at < marks[0] ? -1 : at });
  }

  #stepLane(by) {
    const { cursor, axis } = this;
    const rows = this.layout.rows.filter((row) => row.lane);
    const from = rows.findIndex((row) => row.number === cursor?.lane);
    const row = rows[Math.min(Math.max(from + by, 0), rows.length - 1)];
    const next = this.#enter(row);
    if (!(cursor?.at >= 0) || !(next?.at >= 0)) {
      this.#goTo(next);
      return;
    }
    // The mark there that is nearest in time.
    const [low, high] = row.lane.marks;
    const t = axis.at[cursor.at];
    const after = Math.min(atLeast(axis.at, t, low, high), high - 1);
    const isBefore = after > low && t - axis.at[after - 1] < axis.at[after] - t;
    this.#goTo({ lane: row.number, at: after - isBefore });
  }

  #extend(end) {
    const { cursor, state, axis } = this;
    if (!(cursor?.at >= 0)) return;
    const at = axis.at[cursor.at];
    const span = [...(state.span ?? [at, at])];
    span[end] = at;
    this.#set({ span: span[0] > span[1] ? [at, at] : span });
  }

  #eventOf({ lane, at }) {
    const { data, painter } = this;
    return at < 0 ? -1 : data.marks.event[painter.markOf(at)];
  }

  // Put the cursor somewhere, bring it into view, and read it.
  #goTo(cursor) {
    if (!cursor) return;
    this.cursor = cursor;
    const { data, axis, plot } = this;
    const row = this.layout.rows.find((each) => each.number === cursor.lane);
    if (row) {
      const room = this.height - AXIS - row.height;
      plot.scrollTop = Math.min(Math.max(plot.scrollTop, row.y - room), row.y);
    }
    const lane = data.lanes[cursor.lane];
    const [first, upTo] = lane.marks;
    const n = `${(cursor.at - first + 1).toLocaleString("en")} of ${(upTo - first).toLocaleString("en")} in this lane`;
    const [low, high] = this.#seen();
    const at = axis.at[cursor.at];
    const margin = (high - low) * 0.03;
    if (cursor.at < 0) {
      const [span] = lane.spans;
      this.say(span < lane.spans[1] ? spanLines(data, lane, { first: span }).join(". ") : `${laneName(lane)}: nothing`);
    } else {
      if (at < low + (low > axis.low && margin) || at > high - margin) {
        this.#set({ view: this.#within(at - (high - low) / 2, at + (high - low) / 2) });
      }
      this.say([...this.#markLines(lane, cursor.at), n].join(". "));
    }
    this.#draw();
  }

  // -------------------------------------------------------------------- search

  #find() {
    const { data, state, painter } = this;
    const query = state.search.trim().toLowerCase();
    Object.assign(this, { match: -1, inTime: null, matches: null });
    this.found.textContent = "";
    if (!query) return;
    const has = (text) => text.toLowerCase().includes(query);
    const flags = (texts) => Uint8Array.from({ length: texts.length }, (_, i) => has(texts.at(i)));
    const [values, actors, ids] = [data.values, data.actors, data.ids].map(flags);
    const types = data.types.map(has);
    const { events, marks } = data;
    const isFound = (mark) => {
      const event = marks.event[mark];
      const isOfEvent = ids[event] || actors[events.actor[event]] || types[events.type[event]];
      return isOfEvent || values[marks.value[mark]] || (marks.old[mark] >= 0 && values[marks.old[mark]]);
    };
    const places = [];
    for (const lane of data.lanes) {
      const isNamed = has(lane.name);
      for (let i = lane.marks[0]; i < lane.marks[1]; i++) if (isNamed || isFound(painter.markOf(i))) places.push(i);
    }
    // A map of a few hundred pixels needs no more of them.
    const some = places.filter((_, i) => i % Math.ceil(places.length / 2000) === 0);
    this.matches = { places: Int32Array.from(places), some };
    this.found.textContent = `${places.length.toLocaleString("en")} found`;
  }

  #nextMatch(by) {
    const { axis, data, matches } = this;
    const n = matches?.places.length;
    if (!n) return;
    this.inTime ??= Array.from(matches.places).sort((a, b) => axis.at[a] - axis.at[b] || a - b);
    this.match = (Math.max(this.match, by < 0 ? 0 : -1) + by + n) % n;
    const at = this.inTime[this.match];
    const lane = data.lanes.findIndex(({ marks }) => at >= marks[0] && at < marks[1]);
    this.#set({ hidden: without(this.state.hidden, lane) });
    this.#goTo({ lane, at });
    this.#pin(this.#eventOf(this.cursor), true);
    this.found.textContent = `${this.match + 1} of ${n.toLocaleString("en")} found`;
  }

  // --------------------------------------------------------------------- lanes

  #fold(lane) {
    if (lane === undefined) return;
    const folded = toggled(this.state.folded, lane);
    this.#set({ folded });
    this.say(`${laneName(this.data.lanes[lane])} ${folded.includes(lane) ? "folded" : "unfolded"}`);
  }

  // A heading folds the lanes below it.
  #foldRow(row) {
    if (!row || row.lane) {
      this.#fold(row?.number);
      return;
    }
    const { folded } = this.state;
    const own = this.data.lanes.flatMap((lane, i) => (lane.case === row.head ? [i] : []));
    const others = folded.filter((i) => !own.includes(i));
    this.#set({ folded: own.every((i) => folded.includes(i)) ? others : [...others, ...own] });
  }

  #hide(lane) {
    if (lane === undefined) return;
    const rows = this.layout.rows.filter((row) => row.lane);
    const at = rows.findIndex((row) => row.number === lane);
    this.cursor = this.#enter(rows[at + 1] ?? rows[at - 1]);
    this.#set({ hidden: [...this.state.hidden, lane] });
    this.say(`${laneName(this.data.lanes[lane])} hidden`);
  }

  // ------------------------------------------------------------ pins and notes

  #pin(event, isKept) {
    const { pins } = this.state;
    const isPinned = pins.includes(event);
    if (event < 0) this.say("No event of the history began this.");
    else if (!isKept || !isPinned) {
      this.#set({ pins: toggled(pins, event) });
      if (!isKept) this.say(isPinned ? "Unpinned" : "Pinned");
    }
  }

  // The marks of some events: where their rings and notes are drawn.
  #placesOf(events) {
    const wanted = new Set(events);
    const { data, painter } = this;
    const places = [];
    data.lanes.forEach((lane, number) => {
      for (let at = lane.marks[0]; wanted.size && at < lane.marks[1]; at++) {
        const mark = painter.markOf(at);
        const event = data.marks.event[mark];
        if (wanted.has(event)) places.push({ lane: number, at, mark, event });
      }
    });
    return places;
  }

  #showCards() {
    const { data, state, cards } = this;
    this.pinned = this.#placesOf(state.pins);
    this.noted = this.#placesOf(this.notes.flatMap((note) => note.events));
    this.written = new Map([...cards.querySelectorAll("textarea")].map((area) => [area.name, area.value]));
    cards.replaceChildren(...state.pins.map((event) => this.#card(data, event)));
    this.noteList.replaceChildren(...this.notes.map((note) => make("li", {}, ...lines([noteLine(note)]), this.#shower(note))));
    if (!this.about.firstChild) this.about.append(...this.#noteOn("the case"));
  }

  // What shows the place that a note is on.
  #shower({ events, span }) {
    const act = span
      ? () => this.#set({ align: "calendar", span })
      : () => this.#set({ pins: [...new Set([...this.state.pins, ...events])] });
    return span || events.length ? button("Show", "Show what the note is on", act) : "";
  }

  // What a note is written in, where one can be kept: on an event, a stretch, or the one case.
  #noteOn(what, event, span = []) {
    const { onNote } = this.host;
    const { cases, events } = this.data;
    if (!onNote || (event === undefined && cases.length > 1)) return [];
    const label = `A note on ${what}`;
    const area = make("textarea", { "aria-label": label, placeholder: label, name: event ?? what, maxlength: 1e4 });
    area.value = this.written.get(area.name) ?? "";
    const keep = () => {
      const text = area.value.trim();
      if (text) onNote({ text, span, events: event === undefined ? [] : [event], case: event === undefined ? 0 : events.case[event] });
      area.value = "";
    };
    return [area, button("Add note", `Add the note on ${what}`, keep), " "];
  }

  #card(data, event) {
    const marks = this.pinned.filter((place) => place.event === event);
    const card = make("article", { class: "card", "aria-label": `Pinned: ${when(data, event)}` });
    const changes = marks.map(({ lane, mark }) => `${laneName(data.lanes[lane])}: ${change(data, mark)}`);
    card.append(...lines([when(data, event), ...whichCase(data, event), what(data, event), ...changes, order(data, event)]));
    card.append(...lines([`Event id ${short(data.ids.at(event), 80)}`, ...this.#notesOf(event)]));
    card.append(...this.#noteOn("this event", event));
    const unpin = () => {
      this.#pin(event);
      this.plot.focus();
    };
    card.append(button("Unpin", `Unpin ${when(data, event)}`, unpin));
    return card;
  }

  // ----------------------------------------------------------- what is selected

  #showTable() {
    const { data, state, table, axis, painter } = this;
    table.hidden = !state.span;
    table.replaceChildren();
    if (!state.span) return;
    const [low, high] = state.span;
    const found = [];
    let n = 0;
    for (const lane of data.lanes) {
      const from = atLeast(axis.at, low, ...lane.marks);
      const upTo = atLeast(axis.at, high + 0.5, from, lane.marks[1]);
      n += upTo - from;
      for (let at = from; at < Math.min(upTo, from + ROWS); at++) found.push({ lane, at });
    }
    found.sort((a, b) => axis.at[a.at] - axis.at[b.at] || a.at - b.at);
    const rows = found.slice(0, ROWS).map(({ lane, at }) => {
      const mark = painter.markOf(at);
      const event = data.marks.event[mark];
      return [moment(data, data.events.at[event]), laneName(lane), change(data, mark), who(data, event)];
    });
    const ends = state.span.map((at) => (state.align === "creation" ? duration(at) : moment(data, at)));
    const more = n > ROWS ? `; the first ${ROWS} are listed` : "";
    const unselect = () => {
      this.#set({ span: null });
      this.plot.focus();
    };
    table.append(
      tableOf(`${counted(n, "change")} from ${ends.join(" to ")}${more}`, [`When (${data.zone})`, "Lane", "Change", "By"], rows),
      button("Clear the selection", "Clear the selection", unselect),
      ...(state.align === "calendar" ? this.#noteOn("this stretch", undefined, state.span) : []),
    );
  }
}
