// What Python sent: an index in JSON, then typed arrays; and times and texts in words.

const ARRAYS = { f8: Float64Array, i4: Int32Array, u2: Uint16Array, u1: Uint8Array };
const utf8 = new TextDecoder();

export const HOUR = 3600e6; // times are microseconds since 1970, as everywhere here
export const DAY = 24 * HOUR;

export function read(given) {
  let bytes = given.buffer
    ? new Uint8Array(given.buffer, given.byteOffset, given.byteLength)
    : new Uint8Array(given);
  if (bytes.byteOffset % 8) bytes = bytes.slice();
  const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const head = JSON.parse(utf8.decode(bytes.subarray(4, 4 + size)));
  const start = bytes.byteOffset + 4 + size;
  const array = ([kind, at, n]) => new ARRAYS[kind](bytes.buffer, start + at, n);
  const table = (columns) =>
    Object.fromEntries(Object.entries(columns).map(([name, at]) => [name, array(at)]));
  const texts = ([ends, whole]) => {
    const [end, utf] = [array(ends), array(whole)];
    return {
      length: end.length - 1,
      at: (i) => utf8.decode(utf.subarray(end[i], end[i + 1])),
    };
  };
  return {
    ...head,
    spans: table(head.spans),
    marks: table(head.marks),
    events: table(head.events),
    values: texts(head.values),
    actors: texts(head.actors),
    ids: texts(head.ids),
  };
}

// A clock on the wall of the zone that was chosen: Python tells when it was set.
export function wall(data, at) {
  const { offsets } = data;
  let i = offsets.length - 1;
  while (i > 0 && at < offsets[i][0]) i--;
  return at + offsets[i][1];
}

export function fromWall(data, shown) {
  const { offsets } = data;
  let i = offsets.length - 1;
  while (i > 0 && shown - offsets[i][1] < offsets[i][0]) i--;
  return shown - offsets[i][1];
}

export function moment(data, at) {
  const text = new Date(wall(data, at) / 1000).toISOString().slice(0, 19);
  const rest = ((at % 1e6) + 1e6) % 1e6;
  const digits = rest ? `.${String(rest).padStart(6, "0").replace(/000$/, "")}` : "";
  return text.replace("T", " ") + digits;
}

export function duration(micros) {
  const hours = micros / HOUR;
  if (hours < 1) return `${(hours * 60).toFixed(0)} min`;
  if (hours < 48) return `${hours.toFixed(1)} h`;
  return `${(hours / 24).toFixed(1).replace(/\B(?=(\d{3})+\.)/g, ",")} d`;
}

export const counted = (n, noun) =>
  `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;

// Strangers wrote these texts: what has no shape of its own is made visible.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

export function visible(text) {
  return text.replace(/\r\n/g, "\n").replace(HIDDEN, (char) => {
    if ("\n\t\u200c\u200d".includes(char)) return char;
    const code = char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    return `\u2039U+${code}\u203a`;
  });
}

export function short(text, n) {
  const line = visible(text.slice(0, n + 1)).replace(/\n/g, "\u23ce").replace(/\t/g, " ");
  const letters = [...line];
  if (letters.length <= n && text.length <= n) return line;
  return `${letters.slice(0, Math.max(n - 1, 0)).join("").trimEnd()}\u2026`;
}

// The first place from `low` on, below `high`, whose number is at least `wanted`.
export function atLeast(numbers, wanted, low, high) {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

// The same where it is likely to be near: in steps that double.
export function nextAtLeast(numbers, wanted, low, high) {
  let step = 1;
  while (low + step < high && numbers[low + step] < wanted) {
    low += step;
    step *= 2;
  }
  return atLeast(numbers, wanted, low, Math.min(low + step + 1, high));
}
