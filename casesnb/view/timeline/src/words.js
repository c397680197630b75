// What a mark, a span or a bin says when it is hovered, focused or pinned.

import { counted, duration, moment, short } from "./data.js";

const LONG = 400;

const value = (data, code) => {
  const text = data.values.at(code);
  return code < 2 ? text : text ? short(text, LONG) : "\u201c\u201d";
};

export const laneName = (lane) => short(lane.name, 80);

export function who(data, event) {
  const { events, kinds } = data;
  const name = data.actors.at(events.actor[event]);
  const kind = kinds[events.kind[event]].label;
  return name ? `${short(name, 80)} (${kind})` : "somebody not named";
}

export function when(data, event) {
  const at = data.events.at[event];
  const { zero, isCreated } = data.cases[data.events.case[event]];
  const since = isCreated ? "creation" : "the first event";
  const after = at === zero ? "at" : `${duration(at - zero)} after`;
  return `${moment(data, at)} ${data.zone}, ${after} ${since}`;
}

export function whichCase(data, event) {
  const { name } = data.cases[data.events.case[event]];
  return data.cases.length > 1 ? [`Case ${short(name, 80)}`] : [];
}

export function change(data, mark) {
  const { marks } = data;
  const old = marks.old[mark] < 0 ? "" : `${value(data, marks.old[mark])} \u2192 `;
  return old + value(data, marks.value[mark]);
}

export const what = (data, event) => `${who(data, event)}: ${short(data.types[data.events.type[event]], 60)}`;

export function order(data, event) {
  const { events, orders } = data;
  return `Event ${(events.sequence[event] + 1).toLocaleString("en")} of its case; order: ${orders[events.order[event]]}`;
}

function heldFor(data, span) {
  const { left, right, flags } = data.spans;
  const isOpen = flags[span] & 2;
  const asOf = data.asOf === null ? "" : `, as of ${moment(data, data.asOf)}`;
  const until = isOpen ? `still held${asOf}` : `until ${moment(data, right[span])}`;
  if (left[span] === -Infinity) return `since when is not known, ${until}`;
  const unsure = flags[span] & 1 ? "" : " or less, for something is missing before its end";
  return `for ${duration(right[span] - left[span])}${unsure}, ${until}`;
}

export function markLines(data, lane, mark, span) {
  const event = data.marks.event[mark];
  return [
    when(data, event),
    ...whichCase(data, event),
    what(data, event),
    `${laneName(lane)}: ${change(data, mark)}`,
    ...(span < 0 ? [] : [`Held ${heldFor(data, span)}`]),
    order(data, event),
  ];
}

export function spanLines(data, lane, { first: span }) {
  const { event, value: values, flags } = data.spans;
  const ends = flags[span] & 2 ? "its beginning is" : "both ends are";
  const known = flags[span] & 1 ? `Known: ${ends} in the history` : "Not known for sure";
  const began = event[span];
  return [
    `${laneName(lane)}: ${value(data, values[span])}`,
    `Held ${heldFor(data, span)}`,
    ...(began < 0 ? [] : [`Set by ${who(data, began)}`, when(data, began)]),
    ...(began < 0 ? [] : [order(data, began)]),
    known,
  ];
}

export function binLines(data, lane, bin) {
  const { marks, kinds } = data;
  const parts = kinds
    .map((kind, i) => [kind.label, bin.counts[i]])
    .filter(([, n]) => n)
    .map(([label, n]) => `${label} ${n.toLocaleString("en")}`);
  const [first, last] = bin.ends.map((i) => moment(data, marks.at[i]));
  const from = bin.isOne ? `At ${first}` : `From ${first} to ${last}`;
  const few = bin.rows.map((i) => `${who(data, marks.event[i])}: ${change(data, i)}`);
  return [
    `${laneName(lane)}: ${counted(bin.n, "change")}`,
    from,
    `By ${parts.join(", ")}`,
    ...few,
    bin.isOne ? "All at one instant: step through them with the arrow keys" : "Click to open it",
  ];
}

export function denseLines(data, lane, dense) {
  const { left, right } = data.spans;
  const from = left[dense.first] === -Infinity ? "before the history" : moment(data, left[dense.first]);
  return [
    `${laneName(lane)}: ${counted(dense.n, "value")} in less than a pixel each`,
    `From ${from} to ${moment(data, right[dense.last])}`,
    "Zoom in to open it",
  ];
}
