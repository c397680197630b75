// The picture on the canvas, however many spans and marks: what is narrower than a
// pixel is drawn once a pixel, and marks that would hide each other are one bin.

import { ticks } from "d3-array";
import { utcTicks } from "d3-time";
import { DAY, HOUR, atLeast, fromWall, nextAtLeast, short, wall } from "./data.js";

export const AXIS = 26; // the height of the axis
const MARK = 10; // the least width of a bin
const LABELS = 300; // the most values that are written

// The colours of the static picture; for a dark ground the same, made as dark or light.
export function coloursOf(data, isDark) {
  const { colours, tints } = data;
  const kinds = data.kinds.map((kind) => kind.colour);
  const marked = { found: "#ffd24d", hatch: "#b4bec7", focus: "#0b57d0", brush: "#0b57d022" };
  if (!isDark) return { ground: "#ffffff", ...colours, ...marked, tints, kinds };
  const ground = "#1b2129";
  return {
    ...marked,
    ground,
    empty: ground,
    ink: "#e6ebf0",
    quiet: "#a7b3bf",
    grid: "#343d47",
    unknown: "#272f38",
    hatch: "#5b6773",
    focus: "#8ab4f8",
    brush: "#8ab4f833",
    dense: "#74889f",
    tints: tints.map((tint) => `hsl(from ${tint} h calc(s * .75) 31%)`),
    kinds: kinds.map((kind) => `color-mix(in srgb, ${kind} 60%, white)`),
  };
}

// Markers as matplotlib draws them: told apart by shape, not by colour alone.
const SHAPES = {
  o: (c, r) => c.arc(0, 0, r, 0, 7),
  s: (c, r) => c.rect(-r, -r, 2 * r, 2 * r),
  D: (c, r) => polygon(c, r * 1.25, [0, -1, 1, 0, 0, 1, -1, 0]),
  "^": (c, r) => polygon(c, r * 1.15, [0, -1, 1, 0.9, -1, 0.9]),
  X: (c, r) => polygon(c, r / 2, [-2, -1, -1, -2, 0, -1, 1, -2, 2, -1, 1, 0, 2, 1, 1, 2, 0, 1, -1, 2, -2, 1, -1, 0]),
};

function polygon(c, r, corners) {
  for (let i = 0; i < corners.length; i += 2) c.lineTo(corners[i] * r, corners[i + 1] * r);
  c.closePath();
}

export function glyph(kind, colour, edge, ratio, r = 4.5) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 18 * ratio;
  const c = canvas.getContext("2d");
  c.scale(ratio, ratio);
  c.translate(9, 9);
  c.beginPath();
  (SHAPES[kind.marker] ?? SHAPES.o)(c, r);
  c.fillStyle = colour;
  c.strokeStyle = edge;
  c.lineWidth = 2;
  c.lineJoin = "round";
  c.stroke();
  c.fill();
  return canvas;
}

function hatched(colours, ratio) {
  const canvas = document.createElement("canvas");
  const size = (canvas.width = canvas.height = Math.round(7 * ratio));
  const c = canvas.getContext("2d");
  c.fillStyle = colours.unknown;
  c.fillRect(0, 0, size, size);
  c.strokeStyle = colours.hatch;
  c.lineWidth = ratio;
  c.beginPath();
  for (const x of [-size, 0, size]) {
    c.moveTo(x - 1, size + 1);
    c.lineTo(x + size + 1, -1);
  }
  c.stroke();
  return canvas;
}

export class Painter {
  constructor(canvas, data) {
    this.canvas = canvas;
    this.data = data;
    this.context = canvas.getContext("2d", { alpha: false });
  }

  // Make what depends on the size, the screen and the colours only.
  prepare({ width, height, isDark }) {
    const ratio = Math.min(globalThis.devicePixelRatio || 1, 2);
    const { canvas, data } = this;
    Object.assign(this, { width, height, ratio, colours: coloursOf(data, isDark) });
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const { kinds, ground } = this.colours;
    this.glyphs = data.kinds.map((kind, i) => glyph(kind, kinds[i], ground, ratio));
    this.dots = data.kinds.map((kind, i) => glyph(kind, kinds[i], ground, ratio, 3));
    const pattern = this.context.createPattern(hatched(this.colours, ratio), "repeat");
    pattern.setTransform(new DOMMatrix([1 / ratio, 0, 0, 1 / ratio, 0, 0]));
    const { tints, empty, dense } = this.colours;
    this.fills = [...tints, empty, pattern, dense, ...kinds, this.colours.unknown];
    this.bare = tints.length; // the place of what has no value; its hatch, the crowd and the kinds follow
    this.boxes = this.fills.map(() => []);
    this.font = getComputedStyle(canvas).fontFamily;
    this.context.font = `12px ${this.font}`;
    this.letter = this.context.measureText("abcdefghijklmnopqrstuvwxyz").width / 25;
  }

  // `view`: where the axis is looked at, and what of the lanes.
  paint(view, layout, state) {
    const { context: c, colours, width, height, ratio } = this;
    this.view = view;
    this.k = (width - view.label) / (view.high - view.low);
    // The time that a bin takes: it stays where it is while one pans.
    const step = 2 ** Math.ceil(Math.log2(MARK / this.k));
    if (step !== this.step || this.counted.axis !== this.axis) {
      Object.assign(this, { step, counted: { axis: this.axis } });
    }
    const shown = layout.rows.filter(
      (row) => row.y + row.height > view.top && row.y < view.top + height - AXIS,
    );
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.fillStyle = colours.ground;
    c.fillRect(0, 0, width, height);
    this.#paintAxis();
    c.save();
    c.beginPath();
    c.rect(view.label, 0, width - view.label, height - AXIS);
    c.clip();
    c.translate(0, -view.top);
    for (const boxes of this.boxes) boxes.length = 0;
    this.labels = [];
    this.points = [];
    this.heads = [];
    for (const row of shown) if (row.lane) this.#paintLane(row);
    this.#paintBoxes();
    if (state.matches) this.#paintMatches(shown, state.matches);
    this.#paintSpan(state.span);
    c.restore();
    c.save();
    c.beginPath();
    c.rect(0, 0, width, height - AXIS);
    c.clip();
    c.translate(0, -view.top);
    this.#paintNames(shown);
    this.#paintRings(layout, state);
    c.restore();
  }

  #x(at) {
    return this.view.label + (at - this.view.low) * this.k;
  }

  #paintAxis() {
    const { context: c, colours, view, width, height } = this;
    c.strokeStyle = colours.grid;
    c.lineWidth = 1;
    c.font = `11px ${this.font}`;
    c.textBaseline = "middle";
    c.textAlign = "left";
    c.fillStyle = colours.ink;
    const day = this.#day();
    if (day) c.fillText(day, 8, height - AXIS / 2 + 2);
    c.textAlign = "center";
    let until = day ? 8 + c.measureText(day).width + 8 : -Infinity;
    for (const [at, text, isMain] of this.#ticks()) {
      const x = Math.round(this.#x(at)) + 0.5;
      c.beginPath();
      c.moveTo(x, 0);
      c.lineTo(x, height - AXIS + 4);
      c.stroke();
      const half = c.measureText(text).width / 2;
      if (x - half < until || x - half < 2 || x + half > width - 2) continue;
      c.fillStyle = isMain ? colours.ink : colours.quiet;
      c.fillText(text, x, height - AXIS / 2 + 2);
      until = x + half + 8;
    }
    c.beginPath();
    c.moveTo(view.label, height - AXIS + 0.5);
    c.lineTo(width, height - AXIS + 0.5);
    c.stroke();
  }

  // What the ticks may not name: the day that one looks at, or the year.
  #day() {
    const { data, view } = this;
    if (view.align === "creation") return "";
    const day = new Date(wall(data, view.low) / 1000).toISOString().slice(0, 10);
    if (view.high - view.low < 2 * DAY) return day;
    return view.label ? day.slice(0, 4) : "";
  }

  #ticks() {
    const { data, view, width } = this;
    const n = Math.max(Math.floor((width - view.label) / (view.label ? 90 : 75)), 2);
    const { low, high } = view;
    if (view.align === "creation") return elapsed(low, high, n);
    const [from, to] = [low, high].map((at) => new Date(wall(data, at) / 1000));
    return utcTicks(from, to, n).map((date) => [fromWall(data, date * 1000), ...calendar(date, to - from)]);
  }

  #paintLane(row) {
    const { data, axis, view, k, boxes } = this;
    const { lane } = row;
    const { value, tint, flags } = data.spans;
    const { left, right } = axis;
    const { width } = this;
    const pixel = 1 / k;
    const bar = row.bar;
    const y = row.edge;
    let i = atLeast(right, view.low, ...lane.spans);
    let from = null; // a run of pixels with more spans than can be seen
    let to = 0;
    const run = () => {
      if (from !== null) boxes[this.bare + 2].push(from, y, Math.max(to - from, 2), bar);
      from = null;
    };
    for (const upTo = lane.spans[1]; i < upTo && left[i] < view.high; ) {
      const a = Math.max(this.#x(left[i]), view.label - 2);
      const b = Math.min(this.#x(right[i]), width + 2);
      if (b - a >= 1.5 || (flags[i] & 2 && b >= width)) {
        run();
        const isBare = value[i] < 2;
        // On what is narrow a hatch is not seen, and takes long to paint.
        const unknown = b - a < 6 ? this.fills.length - 1 : this.bare + 1;
        const style = flags[i] & 1 ? (isBare ? this.bare : tint[i]) : unknown;
        boxes[style].push(a, y, b - a > 4 ? b - a - 1 : b - a, bar);
        if (flags[i] & 2) this.heads.push(Math.min(b, width - 7), y, bar, isBare ? this.bare : tint[i]);
        const room = Math.floor((b - Math.max(a, view.label) - 12) / this.letter);
        if (room > 2 && !row.isFolded) this.labels.push(a, b, y + bar / 2 + 1, i, room);
        i++;
        continue;
      }
      const cell = Math.floor(a);
      if (from === null || cell > to + 1) {
        run();
        from = cell;
      }
      to = cell + 1;
      const edge = view.low + (cell + 1 - view.label) * pixel;
      const next = nextAtLeast(left, edge, i, upTo);
      // The last one that begins in this pixel may be wide.
      const last = next - 1;
      i = last > i && (right[last] - left[last]) * k >= 1.5 ? last : Math.max(next, i + 1);
    }
    run();
    this.#bins(row, view.low - 8 * pixel, view.high + 8 * pixel, (bin) => {
      if (bin.n === 1) this.points.push(bin.x, row.edge, this.#kindOf(bin.at), row.isFolded ? 1 : 0);
      else this.#paintBin(row, bin);
    });
  }

  // Which mark stands at a place of the axis.
  markOf(at) {
    return this.axis.mark ? this.axis.mark[at] : at;
  }

  #kindOf(at) {
    const { marks, events } = this.data;
    return events.kind[marks.event[this.markOf(at)]];
  }

  // Call `each` for the marks of a lane between two times, by themselves or in bins.
  #bins(row, low, high, each) {
    const { step } = this;
    const { at } = this.axis;
    const upTo = row.lane.marks[1];
    for (let i = atLeast(at, low, row.lane.marks[0], upTo); i < upTo && at[i] < high; ) {
      const began = Math.floor(at[i] / step) * step;
      const next = Math.max(nextAtLeast(at, began + step, i, upTo), i + 1);
      each({ at: i, n: next - i, x: next - i === 1 ? this.#x(at[i]) : this.#x(began) });
      i = next;
    }
  }

  // How many of a bin are of each kind of actor.
  counts(bin, stride = 1) {
    const counts = this.data.kinds.map(() => 0);
    for (let i = bin.at; i < bin.at + bin.n; i += stride) counts[this.#kindOf(i)] += stride;
    return counts;
  }

  #paintBin(row, bin) {
    const width = this.step * this.k - 1.5;
    const whole = Math.min(3 + 1.6 * Math.log2(bin.n), row.isFolded ? 6 : 10);
    const middle = row.isBare ? whole / 2 : 0;
    let y = row.edge + middle;
    // Of very many it is enough to look at every so many.
    const counts = (this.counted[bin.at] ??= this.counts(bin, Math.max(bin.n >> 9, 1)));
    counts.forEach((n, kind) => {
      if (!n) return;
      const height = (whole * n) / bin.n;
      this.boxes[this.bare + 3 + kind].push(bin.x, y - height, width, height);
      y -= height;
    });
  }

  #paintBoxes() {
    const { context: c, boxes, fills, data, colours, view, glyphs, dots } = this;
    boxes.forEach((box, style) => {
      c.fillStyle = fills[style];
      for (let i = 0; i < box.length; i += 4) c.fillRect(box[i], box[i + 1], box[i + 2], box[i + 3]);
    });
    c.strokeStyle = colours.quiet;
    c.lineWidth = 1;
    const bare = boxes[this.bare];
    for (let i = 0; i < bare.length; i += 4) {
      c.strokeRect(bare[i] + 0.5, bare[i + 1] + 0.5, bare[i + 2] - 1, bare[i + 3] - 1);
    }
    this.#paintHeads();
    c.font = `12px ${this.font}`;
    c.textAlign = "left";
    const { labels } = this;
    for (let i = 0; i < Math.min(labels.length, 5 * LABELS); i += 5) {
      const [a, b, y, span, room] = labels.slice(i, i + 5);
      const code = data.spans.value[span];
      const text = short(data.values.at(code), Math.min(room, 80));
      if (text.endsWith("\u2026") && room < 5) continue;
      const x = Math.max(a, view.label) + 6;
      if (!(data.spans.flags[span] & 1)) {
        c.fillStyle = colours.unknown; // words on a hatch need a ground
        c.fillRect(x - 3, y - 8, Math.min(text.length * this.letter + 6, b - x - 2), 15);
      }
      c.font = `${code < 2 ? "italic " : ""}12px ${this.font}`;
      c.fillStyle = code < 2 ? colours.quiet : colours.ink;
      c.fillText(text, x, y, Math.max(b - x - 6, 1));
    }
    const { points } = this;
    for (let i = 0; i < points.length; i += 4) {
      const picture = (points[i + 3] ? dots : glyphs)[points[i + 2]];
      c.drawImage(picture, points[i] - 9, points[i + 1] - 9, 18, 18);
    }
  }

  // What still held when the case was read goes on.
  #paintHeads() {
    const { context: c, heads, fills, colours } = this;
    for (let i = 0; i < heads.length; i += 4) {
      const [x, y, bar, style] = heads.slice(i, i + 4);
      c.beginPath();
      c.moveTo(x - 1, y);
      c.lineTo(x + 6, y + bar / 2);
      c.lineTo(x - 1, y + bar);
      c.fillStyle = colours.ground;
      c.fillRect(x - 1, y - 1, 9, bar + 2);
      c.fillStyle = fills[style];
      c.fill();
      if (style === this.bare) c.stroke();
    }
  }

  #paintMatches(shown, matches) {
    const { context: c, colours, view, width, axis } = this;
    c.globalAlpha = 0.6;
    c.fillStyle = colours.ground;
    c.fillRect(view.label, view.top, width, this.height);
    c.globalAlpha = 1;
    for (const { lane, edge } of shown) {
      if (!lane) continue;
      const found = matches.places;
      let i = atLeast(found, lane.marks[0], 0, found.length);
      const upTo = atLeast(found, lane.marks[1], i, found.length);
      let last = -Infinity;
      for (; i < upTo; i++) {
        const x = this.#x(axis.at[found[i]]);
        if (x < view.label - 9 || x > width + 9 || x - last < 5) continue;
        last = x;
        c.fillStyle = colours.found;
        c.beginPath();
        c.arc(x, edge, 8, 0, 7);
        c.fill();
        c.drawImage(this.glyphs[this.#kindOf(found[i])], x - 9, edge - 9, 18, 18);
      }
    }
  }

  #paintSpan(span) {
    if (!span) return;
    const { context: c, colours, view } = this;
    const [a, b] = span.map((at) => Math.round(this.#x(at)));
    c.fillStyle = colours.brush;
    c.fillRect(a, view.top, Math.max(b - a, 1), this.height);
    c.fillStyle = colours.focus;
    for (const x of [a, b]) c.fillRect(x - 1, view.top, 2, this.height);
  }

  #paintNames(shown) {
    const { context: c, colours, view, width } = this;
    c.textBaseline = "middle";
    c.textAlign = "left";
    for (const row of shown) {
      if (!row.lane) {
        c.fillStyle = colours.grid;
        c.fillRect(0, row.y + row.height - 1, width, 1);
        c.fillStyle = colours.ink;
        c.font = `bold 12px ${this.font}`;
        c.fillText(short(row.name, 60), view.label ? 8 : 4, row.y + row.height - 12, width - 16);
        continue;
      }
      const size = row.isFolded ? 11 : 12;
      c.font = `${size}px ${this.font}`;
      c.fillStyle = row.isFolded ? colours.quiet : colours.ink;
      const room = (view.label || width) - 16;
      const text = short(row.name, Math.max(Math.floor(room / this.letter), 3));
      const y = row.label ? row.y + row.label / 2 : row.edge + row.bar / 2;
      if (row.label || view.label) c.fillText(text, row.label ? 4 : 8, y, room);
    }
  }

  #paintRings(layout, state) {
    const { context: c, colours, view, width } = this;
    const rowOf = new Map(layout.rows.map((row) => [row.number, row]));
    const ring = (place, colour, dash) => {
      const row = rowOf.get(place.lane);
      if (!row) return;
      const x = place.at < 0 ? view.label + 6 : this.#x(this.axis.at[place.at]);
      if (x < view.label - 9 || x > width + 9) return;
      c.strokeStyle = colour;
      c.lineWidth = 2;
      c.setLineDash(dash);
      c.beginPath();
      c.arc(x, row.edge, 8.5, 0, 7);
      c.stroke();
      c.setLineDash([]);
    };
    for (const place of state.pinned) ring(place, colours.ink, []);
    for (const place of state.noted) this.#paintNote(rowOf.get(place.lane), place);
    const x = state.moment ? this.#x(state.moment) : 0;
    c.fillStyle = colours.ink;
    if (x >= view.label) c.fillRect(x - 1, view.top, 2, this.height);
    if (!state.focused) return;
    const { focused } = state;
    const row = rowOf.get(focused.lane);
    if (row && focused.at >= 0) {
      c.fillStyle = colours.focus;
      const x = this.#x(this.axis.at[focused.at]);
      if (x >= view.label) c.fillRect(x - 0.5, view.top, 1, this.height);
    }
    ring(focused, colours.focus, []);
  }

  #paintNote(row, place) {
    const { context: c, colours, view, width } = this;
    if (!row) return;
    const x = this.#x(this.axis.at[place.at]);
    if (x < view.label || x > width) return;
    c.fillStyle = colours.found;
    c.strokeStyle = colours.ink;
    c.lineWidth = 1;
    c.beginPath();
    polygon(c, 1, [x + 3, row.edge - 11, x + 13, row.edge - 11, x + 13, row.edge - 3, x + 8, row.edge - 3, x + 3, row.edge + 2]);
    c.fill();
    c.stroke();
  }

  // What is at a point of the picture: a mark, a bin, a span or a run of spans.
  hit(row, x) {
    const { view, data, axis, k } = this;
    if (!row?.lane || x < view.label) return null;
    const at = view.low + (x - view.label) / k;
    let best = null;
    this.#bins(row, at - 24 / k, at + 24 / k, (bin) => {
      const width = bin.n === 1 ? 0 : this.step * k;
      const off = Math.max(bin.x - x, x - bin.x - width, 0);
      if (off <= 7 && (!best || off < best.off)) best = { ...bin, off };
    });
    return { row, at, bin: best, span: this.#spanAt(row, at), data, axis };
  }

  #spanAt(row, at) {
    const { left, right } = this.axis;
    const [from, upTo] = row.lane.spans;
    const i = atLeast(left, at + 1 / this.k, from, upTo) - 1;
    if (i < from || right[i] < at - 1 / this.k) return null;
    if ((right[i] - left[i]) * this.k >= 1.5) return { first: i, last: i, n: 1 };
    const first = atLeast(left, at - 1 / this.k, from, upTo);
    return { first: Math.min(first, i), last: i, n: i - Math.min(first, i) + 1 };
  }
}

// The words of a tick: the larger unit where one begins.
function calendar(date, width) {
  const text = date.toISOString();
  const month = date.toLocaleString("en", { month: "short", timeZone: "UTC" });
  const day = `${month} ${date.getUTCDate()}`;
  if (date % 1000) return [text.slice(19, 23), false];
  if (date.getUTCSeconds()) return [text.slice(11, 19), false];
  if (date.getUTCHours() || date.getUTCMinutes()) return [text.slice(11, 16), false];
  if (date.getUTCDate() > 1 || width < 5 * 864e5) return [day, width < 5 * 864e5];
  if (date.getUTCMonth()) return [month, false];
  return [String(date.getUTCFullYear()), true];
}

// Ticks of time since the creation, in the unit that suits them.
function elapsed(low, high, n) {
  const units = { d: DAY, h: HOUR, min: 60e6, s: 1e6 };
  const wide = (high - low) / n;
  const name = Object.keys(units).find((unit) => wide * 2 >= units[unit]) ?? "s";
  const unit = units[name];
  return ticks(low / unit, high / unit, n).map((at) => [at * unit, at ? `${at.toLocaleString("en")} ${name}` : "0", !at]);
}
