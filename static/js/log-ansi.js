// What a terminal would show of a log: pieces of text in, lines out, each a string or a list of runs [look, text], with
// the newline that ends it.
// Carriage return, backspace and erasing change their own line only; what has no meaning in a log is swallowed.

const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;
const SEQUENCE =
  /\x1b(?:\[([0-?]{0,64})[ -/]{0,8}([@-~])?|[\]PX^_]([^\x07\x1b\n]{0,4096})(\x07|\x1b\\)?|[ -/]{0,8}([0-OQ-WYZ`-~\\])?)/y;
const WIDEST = 1_000; // columns to which the cursor may be moved
const MOST_LOOKS = 4_096; // that are remembered

const ON = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse" };
const OFF = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["reverse"], 39: ["ink"], 49: ["paper"] };
const COLOURS = { 3: ["ink", 0], 4: ["paper", 0], 9: ["ink", 8], 10: ["paper", 8] }; // by the tens of a code
const KEYS = [...Object.values(ON), "ink", "paper", "href"];

export const PLAIN = { after: {} }; // a look knows those that sequences have made of it
let looks = {};
let count = 0;

// The colour of `5;208` or `2;255;135;0`: one of the 16 by its number, any other as CSS has it.
function colourOf([kind, ...values]) {
  const [n] = values;
  if (kind === 2 && values.length > 2) return `rgb(${values.slice(-3)})`;
  if (kind !== 5 || !(n < 256)) return undefined;
  if (n < 16) return n;
  if (n > 231) return `rgb(${[0, 0, 0].fill(8 + 10 * (n - 232))})`;
  return `rgb(${[36, 6, 1].map((unit) => (Math.floor((n - 16) / unit) % 6) * 40).map((step) => step && step + 55)})`;
}

function styled(look, parameters) {
  const codes = parameters.split(";");
  while (codes.length) {
    const [code, ...inner] = codes.shift().split(":").filter(Boolean).map(Number);
    const [name, bright] = COLOURS[Math.floor(code / 10)] ?? [];
    if (!code) look = { href: look.href };
    else if (ON[code]) look[ON[code]] = inner[0] !== 0 || undefined;
    else if (OFF[code]) for (const off of OFF[code]) look[off] = undefined;
    else if (code % 10 === 8 && bright === 0) {
      look[name] = colourOf(inner.length ? inner : codes.splice(0, codes[0] === "2" ? 4 : 2).map(Number));
    } else if (name && code % 10 < 8) look[name] = (code % 10) + bright;
  }
  return look;
}

export function terminal() {
  let rest = ""; // of a sequence whose end has not come yet
  let runs = []; // of the line that is being written
  let width = 0;
  let column = 0;
  let look = PLAIN;

  // What looks the same is one object.
  function wear(how, change) {
    const make = () => {
      const name = JSON.stringify(change({ ...look }), KEYS);
      if (name === "{}") return PLAIN;
      if (!looks[name] && ++count % MOST_LOOKS === 0) [looks, PLAIN.after] = [{}, {}];
      return (looks[name] ??= { ...JSON.parse(name), after: {} });
    };
    look = look.after[how] ??= make();
  }

  function push(itsLook, text) {
    const last = runs.at(-1);
    if (last?.[0] === itsLook) last[1] += text;
    else runs.push([itsLook, text]);
    width += text.length;
  }

  // Puts `text` between two columns, in place of what is there.
  function replace(from, to, text) {
    const cells = runs.flatMap(([itsLook, old]) => old.split("").map((letter) => [itsLook, letter]));
    while (cells.length < from) cells.push([PLAIN, " "]);
    runs = [];
    width = 0;
    for (const cell of cells.slice(0, from)) push(...cell);
    if (text) push(look, text);
    for (const cell of cells.slice(to)) push(...cell);
  }

  function put(text) {
    if (!text) return;
    if (!column && text.length >= width) [runs, width] = [[], 0];
    if (column === width) push(look, text);
    else replace(column, column + text.length, text);
    column += text.length;
  }

  const line = () => (runs.length > 1 || (runs.length && runs[0][0] !== PLAIN) ? runs : (runs[0]?.[1] ?? ""));

  function print(text, ended) {
    let from = 0;
    for (let to; (to = text.indexOf("\n", from) + 1); from = to) {
      if (look === PLAIN && !width && !column) ended.push(text.slice(from, to)); // as nearly all are
      else {
        put(text.slice(from, to - 1));
        push(PLAIN, "\n");
        ended.push(line());
        runs = [];
        width = column = 0;
      }
    }
    put(text.slice(from));
  }

  function erase(kind) {
    if (kind !== 1) replace(kind ? 0 : Math.min(column, width), width, "");
    else if (column) replace(0, column, " ".repeat(column));
  }

  const move = (to) => (column = Math.max(0, Math.min(to, Math.max(width, WIDEST))));
  const COMMANDS = {
    m: (_, codes) => wear(codes, (now) => styled(now, codes)),
    K: erase,
    J: (kind) => kind || erase(0), // the lines below are not there yet
    G: (to) => move(to - 1),
    C: (by) => move(column + (by || 1)),
    D: (by) => move(column - (by || 1)),
  };

  // Obeys the control at this place. How long it is, or 0 if its end has not come yet.
  function obey(text, at) {
    if (text[at] === "\r") column = 0;
    if (text[at] === "\b") move(column - 1);
    if (text[at] !== "\x1b") return 1;
    SEQUENCE.lastIndex = at;
    const [{ length }, codes, letter, string, end, single] = SEQUENCE.exec(text);
    const next = text.slice(at + length, at + length + 2);
    if (!letter && !end && !single && (!next || (string !== undefined && next === "\x1b"))) return 0;
    if (letter && /^[\d;:]*$/.test(codes)) COMMANDS[letter]?.(Number.parseInt(codes, 10) || 0, codes);
    const [, href] = (end && text[at + 1] === "]" && /^8;[^;]*;(.*)/.exec(string)) || [];
    if (href !== undefined) wear(string, (now) => ({ ...now, href: /^https?:\/\//i.test(href) ? href : undefined }));
    return length;
  }

  // The lines that `text` ends, and the one that it leaves open.
  return (text) => {
    const ended = [];
    text = rest + text;
    rest = "";
    for (let at = 0; at < text.length; ) {
      CONTROL.lastIndex = at;
      const stop = CONTROL.test(text) ? CONTROL.lastIndex - 1 : text.length;
      if (stop > at) print(text.slice(at, stop), ended);
      const length = stop < text.length && obey(text, stop);
      if (!length) rest = text.slice(stop);
      at = length ? stop + length : text.length;
    }
    return { ended, open: line() };
  };
}
