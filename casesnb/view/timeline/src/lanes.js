// Which lanes are shown, in which order and how high; and the axis they stand along.

export const ALIGNS = { calendar: "Calendar", creation: "Since creation" };
export const SORTS = {
  drawn: "As in the picture",
  case: "By case",
  name: "By name",
  count: "Most changes first",
  first: "First change first",
};

// Where spans and marks are along the axis: calendar time, or each case's own.
export function axisOf(data, align) {
  const { spans, marks, events, cases, lanes } = data;
  const { low, high, end } = data;
  if (align !== "creation") {
    return { left: spans.left, right: spans.right, at: marks.at, mark: null, low, high, end };
  }
  const left = Float64Array.from(spans.left);
  const right = Float64Array.from(spans.right);
  const at = Float64Array.from(marks.at);
  let mark = null;
  for (const lane of lanes) {
    for (let i = lane.spans[0]; i < lane.spans[1]; i++) {
      left[i] -= cases[lane.case].zero;
      right[i] -= cases[lane.case].zero;
    }
    const [from, to] = lane.marks;
    for (let i = from; i < to; i++) at[i] -= cases[events.case[marks.event[i]]].zero;
    if (lane.case >= 0 || cases.length < 2) continue;
    // Marks of several cases stand in one lane: they come in another order now.
    mark ??= Int32Array.from(at, (_, i) => i);
    const own = mark.subarray(from, to).sort((a, b) => at[a] - at[b]);
    at.set(Float64Array.from(own, (i) => at[i]), from);
  }
  let [first, last] = [Infinity, 0];
  for (const t of at) {
    if (t < first) first = t;
    if (t > last) last = t;
  }
  if (first === Infinity) first = 0;
  const width = Math.max(last - first, (high - low) / 1e3, 60e6);
  const upTo = right.reduce((a, b) => Math.max(a, b), last);
  return {
    left,
    right,
    at,
    mark,
    low: first - 0.02 * width,
    high: Math.min(Math.max(upTo, first + width), last + 0.22 * width),
    end: Math.max(upTo, first + width),
  };
}

// The rows of the picture, top to bottom: lanes, and headings where cases are apart.
export function layout(data, state, isNarrow) {
  const { lanes, cases, marks } = data;
  const first = ([from, to]) => (from < to ? marks.at[from] : Infinity);
  const by = {
    drawn: () => 0,
    case: (a, b) => (a.case < 0) - (b.case < 0) || a.case - b.case,
    name: (a, b) => a.name.localeCompare(b.name, "en"),
    count: (a, b) => b.marks[1] - b.marks[0] - (a.marks[1] - a.marks[0]),
    first: (a, b) => first(a.marks) - first(b.marks) || 0,
  };
  const numbers = lanes
    .map((_, i) => i)
    .filter((i) => !state.hidden.includes(i))
    .sort((a, b) => by[state.sort](lanes[a], lanes[b]) || a - b);
  const rows = [];
  let y = 4;
  let headed = null;
  for (const number of numbers) {
    const lane = lanes[number];
    if (state.sort === "case" && cases.length > 1 && lane.case !== headed) {
      headed = lane.case;
      const height = rows.length ? 32 : 24; // apart from the case above
      rows.push({ y, height, head: headed, name: headed < 0 ? "All cases" : `Case ${cases[headed].name}` });
      y += height;
    }
    const isFolded = state.folded.includes(number);
    const isBare = lane.spans[0] === lane.spans[1];
    const label = isNarrow && !isFolded ? 15 : 0; // its name stands above it
    const bar = isFolded ? 8 : isBare ? 0 : 20;
    const height = isFolded ? 17 : label + (isBare ? 26 : 36);
    // Marks stand on the upper edge of the spans.
    const edge = y + label + (isFolded ? 7 : isBare ? 13 : 11);
    // Below a heading the case need not be named again.
    const name = headed === null ? lane.name : lane.short;
    rows.push({ y, height, number, lane, name, isFolded, isBare, label, bar, edge });
    y += height;
  }
  return { rows, height: y + 4 };
}
