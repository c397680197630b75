// One module, two hosts: a widget of a notebook, and a page without any server.

import { mount } from "./timeline.js";

// Below a live timeline its picture is not needed.
const HIDE = `.jp-OutputArea-child:has([data-casesnb-timeline=live]) +
  .jp-OutputArea-child:has(.jp-RenderedImage) { display: none; }`;

// In a notebook the state and the notes are Python's too.
function render({ model, el }) {
  // What changed here since Python last told its state: only that is Python's to take,
  // for what it has set meanwhile must not be undone.
  const changed = new Set();
  let isOurs = false;
  const state = () => {
    const { changed: _, ...told } = model.get("_state");
    return told;
  };
  const timeline = mount(el, model.get("_data"), {
    state: state(),
    notes: model.get("_notes"),
    onState(patch) {
      for (const name of Object.keys(patch)) changed.add(name);
      isOurs = true;
      model.set("_state", { ...state(), ...patch, changed: [...changed] });
      isOurs = false;
      model.save_changes();
    },
    onNote: model.get("_can_note") && ((note) => model.send(note)),
  });
  const style = document.createElement("style");
  style.textContent = HIDE;
  el.append(style);
  const heard = {
    "change:_state": () => {
      if (isOurs) return;
      changed.clear();
      timeline.take(state());
    },
    "change:_notes": () => timeline.setNotes(model.get("_notes")),
    "msg:custom": (message) => timeline.say(String(message.say)),
  };
  for (const [name, act] of Object.entries(heard)) model.on(name, act);
  return () => {
    for (const [name, act] of Object.entries(heard)) model.off(name, act);
    timeline.destroy();
  };
}

// In a page the data stand in it, in base64, and the static picture beside them.
function fill(place) {
  const text = atob(place.querySelector("[data-casesnb-data]").textContent);
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  const notes = place.querySelector("[data-casesnb-notes]");
  const live = document.createElement("div");
  place.prepend(live);
  return mount(live, bytes, notes && { notes: JSON.parse(notes.textContent) });
}

// Only where this module stands in the page itself, not where a notebook loads it.
const whole = (url) => url.split("#")[0];
if (whole(import.meta.url) === whole(document.baseURI)) {
  for (const place of document.querySelectorAll("[data-casesnb-place]")) fill(place);
}

export { mount };
export default { render };
