// The elements of a timeline, and what is listed around the picture.

import { counted, moment, short, visible } from "./data.js";
import { ALIGNS, SORTS } from "./lanes.js";
import { coloursOf, glyph } from "./paint.js";
import { laneName } from "./words.js";

const KEYS = {
  "\u2190 \u2192": "the event before, the event after",
  "\u2191 \u2193": "the lane above, the lane below",
  "Home End": "the first, the last event of the lane",
  Enter: "pin the event, or unpin it",
  "+ \u2212 0": "zoom in, zoom out, the whole",
  "Page Up, Down": "earlier, later",
  "Shift + \u2190 \u2192": "select from here to the event before or after",
  "[ ]": "the selection begins here, ends here",
  Escape: "clear the selection, then the search",
  "/": "search; Enter there goes to the next that is found",
  F: "fold the lane, or unfold it",
  H: "hide the lane",
  M: "as of the event; a double click does it anywhere",
  U: "show and unfold all lanes",
  S: "sort the lanes another way",
  C: "calendar, or since creation",
  Mouse: "drag to move, Shift and drag to select, wheel to zoom once you clicked (Ctrl and wheel at once)",
};

// Make an element. What is given as text stays text.
export function make(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export const lines = (texts) => texts.map((text) => make("p", {}, visible(text)));

export const button = (text, label, onclick) => make("button", { type: "button", "aria-label": label, title: label, onclick }, text);

const choice = (label, options, act) =>
  make(
    "select",
    { "aria-label": label, onchange: (e) => act(e.target.value) },
    ...Object.entries(options).map(([value, text]) => make("option", { value }, text)),
  );

const menu = (name, ...inside) => make("details", {}, make("summary", {}, name), make("div", { class: "menu", tabindex: 0, role: "group", "aria-label": name }, ...inside));

function footer(data) {
  const parts = [`${counted(data.marks.at.length, "mark")} in ${counted(data.lanes.length, "lane")}`];
  const minute = (at) => moment(data, at).slice(0, 16);
  if (data.marks.at.length) parts.push(`${minute(data.first)} to ${minute(data.last)} ${data.zone}`);
  if (data.asOf !== null) parts.push(`as of ${minute(data.asOf)}`);
  return [...parts, data.standing].join(" \u00b7 ");
}

// Make the page; `act` holds what its controls do.
export function pageOf(data, act) {
  const n = data.lanes.length;
  const page = {
    brush: button("Select", "Select a stretch of time by dragging", act.brush),
    align: choice("Time axis", ALIGNS, act.align),
    sort: choice("Order of the lanes", SORTS, act.sort),
    search: make("input", {
      type: "search",
      "aria-label": "Search in the timeline",
      placeholder: "Search",
      oninput: (e) => act.search(e.target.value),
      onkeydown: act.searchKey,
    }),
    found: make("span", { class: "footer", role: "status" }),
    lanes: make("ul"),
    canvas: make("canvas", { "aria-hidden": true }),
    surface: make("div", { class: "surface" }),
    names: make("div", { class: "names" }),
    filler: make("div"),
    map: make("canvas", { class: "map", "aria-hidden": true }),
    legend: make("ul", { class: "legend", "aria-label": "What the marks and colours mean" }),
    said: make("p", { class: "said", role: "status" }),
    cards: make("div", { class: "cards", role: "group", "aria-label": "Pinned events" }),
    noteList: make("ul", { class: "notes", "aria-label": "Notes" }),
    about: make("div"),
    table: make("div", { class: "table", tabindex: 0, role: "region", "aria-label": "What is selected", hidden: true }),
    tip: make("div", { class: "tip", "aria-hidden": true, hidden: true }),
  };
  page.menus = [
    menu("Lanes", page.sort, " ", button("Fold all", "Fold all lanes", act.foldAll), " ", button("Show all", "Show all lanes, unfolded", act.showAll), page.lanes),
    menu("Keys", make("dl", {}, ...Object.entries(KEYS).flatMap(([key, does]) => [make("dt", {}, key), make("dd", {}, does)]))),
  ];
  const about = { role: "application", "aria-roledescription": "timeline", "aria-label": `${visible(data.title)}: ${footer(data)}` };
  page.plot = make(
    "div",
    { class: "plot", tabindex: 0, ...about, "aria-describedby": "help" },
    make("div", { class: "pane" }, page.canvas, page.names, page.surface),
    page.filler,
  );
  page.root = make(
    "section",
    { class: "timeline", "aria-label": visible(data.title) },
    make("p", { class: "title" }, short(data.title, 200)),
    make(
      "div",
      { class: "bar", role: "group", "aria-label": "What is shown" },
      button("\u2212", "Zoom out", act.out),
      button("+", "Zoom in", act.in),
      button("\u25c2", "Earlier", act.earlier),
      button("\u25b8", "Later", act.later),
      button("Whole", "Show the whole", act.whole),
      page.brush,
      page.align,
      page.search,
      page.found,
      ...page.menus,
    ),
    ...[page.plot, page.map, page.legend, page.said, page.cards, page.table, page.noteList, page.about],
    make("p", { class: "footer" }, visible(footer(data))),
    make("p", { class: "unseen", id: "help" }, `Arrow keys go from event to event and from lane to lane, Enter pins, plus and minus zoom, slash searches. The ${counted(n, "lane")} and all keys are listed in the menus above.`),
    page.tip,
  );
  return page;
}

export function legendItems(data, isDark) {
  const colours = coloursOf(data, isDark);
  const used = new Set(data.events.kind);
  const items = data.kinds.flatMap((kind, i) =>
    used.has(i) ? [make("li", {}, glyph(kind, colours.kinds[i], colours.ground, 2), kind.label)] : [],
  );
  const sample = (name, text) => items.push(make("li", {}, make("i", { class: name }), text));
  const { flags, value } = data.spans;
  if (flags.some((flag) => !(flag & 1))) sample("unsure", "not known for sure");
  if (value.some((code) => code < 2)) sample("bare", "no value");
  sample("dense", "more than fits: zoom in");
  return items;
}

export function laneItems(data, state, act) {
  return data.lanes.map((lane, i) => {
    const name = laneName(lane);
    const does = state.folded.includes(i) ? "Unfold" : "Fold";
    const box = make("input", { type: "checkbox", onchange: () => act.toggle(i) });
    box.checked = !state.hidden.includes(i);
    return make("li", {}, make("label", {}, box, ` ${name}`), button(does, `${does} ${name}`, () => act.fold(i)));
  });
}

export function tableOf(caption, headings, rows) {
  const cells = (texts, tag, more) => make("tr", {}, ...texts.map((text) => make(tag, more, visible(text))));
  return make(
    "table",
    {},
    make("caption", {}, visible(caption)),
    make("thead", {}, cells(headings, "th", { scope: "col" })),
    make("tbody", {}, ...rows.map((texts) => cells(texts, "td"))),
  );
}

export function seemsDark() {
  const { jpThemeLight } = document.body.dataset;
  if (jpThemeLight) return jpThemeLight === "false";
  for (const element of [document.body, document.documentElement]) {
    if (element.matches(".dark, [data-theme=dark]")) return true;
    if (element.matches(".light, [data-theme=light]")) return false;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}
