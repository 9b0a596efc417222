// The lines of a log that are loaded: an element each, in blocks that are laid out when they are seen, in groups, as
// each frame looks at whatever is not within something else.

import { PLAIN, terminal } from "./log-ansi.js";

const LINES = 500; // per block
const BLOCKS = 20; // per group
const MARKS = ["bold", "dim", "italic", "underline"];

const make = (name) => document.createElement(name);

function dressed(look) {
  const { href, reverse } = look;
  const run = make(href ? "a" : "span");
  const [ink, paper] = reverse ? [look.paper, look.ink] : [look.ink, look.paper];
  const names = MARKS.filter((mark) => look[mark]);
  if (reverse || (paper !== undefined && ink === undefined)) names.push("turned");
  if (ink >= 0) names.push("ink" + ink);
  else if (ink) run.style.color = ink;
  if (paper >= 0) names.push("paper" + paper);
  else if (paper) run.style.backgroundColor = paper;
  run.className = names.join(" ");
  if (href) Object.assign(run, { href, rel: "noopener noreferrer nofollow", target: "_blank" });
  return run;
}

function drawn([look, text]) {
  if (look === PLAIN) return text;
  const run = (look.element ??= dressed(look)).cloneNode();
  run.textContent = text;
  return run;
}

// A line that only grew keeps its text node, and with it what is selected there.
function fill(line, value) {
  const old = line.firstChild;
  if (typeof value !== "string") line.replaceChildren(...value.map(drawn));
  else if (old?.data && old === line.lastChild && value.startsWith(old.data)) old.appendData(value.slice(old.data.length));
  else line.textContent = value;
}

// Writes text before the node `before`, and returns how many lines it began.
function writer(lines, before, onBlock) {
  const feed = terminal();
  let room = 0;
  let group, block, open;
  return (text) => {
    const fresh = new DocumentFragment();
    let begun = 0;
    let spans = []; // of the block: a third faster than to append one by one
    function settle() {
      block?.append(...spans);
      spans = [];
    }
    function begin() {
      if (!room) {
        settle();
        if (!(group?.children.length < BLOCKS)) group = fresh.appendChild(make("div"));
        block = group.appendChild(make("pre"));
        onBlock(block);
        room = LINES;
      }
      room -= 1;
      begun += 1;
      spans.push(make("span"));
      return spans.at(-1);
    }
    const { ended, open: left } = feed(text);
    for (const value of ended) {
      if (open) fill(open, value);
      else fill(begin(), value);
      open = null;
    }
    if (left || open) fill((open ??= begin()), left);
    settle();
    lines.insertBefore(fresh, before);
    return begun;
  };
}

export function linesIn(lines, onBlock) {
  let write = writer(lines, null, onBlock);
  return {
    first: null, // number of the first line, when it is known
    count: 0,
    append(text) {
      const begun = write(text);
      this.count += begun;
      return begun;
    },
    prepend(text) {
      const begun = writer(lines, lines.firstChild, onBlock)(text);
      this.count += begun;
      this.first -= begun;
      if (begun) lines.firstChild.style.setProperty("--group", begun);
    },
    clear(first) {
      lines.replaceChildren();
      write = writer(lines, null, onBlock);
      this.first = first;
      this.count = 0;
    },
    get last() {
      return this.first + this.count - 1;
    },
    has(number) {
      return number >= this.first && number <= this.last;
    },
    // Each with the number of its first line.
    *blocks() {
      let number = this.first;
      for (const group of lines.children) {
        for (const block of group.children) {
          yield [block, number];
          number += block.children.length;
        }
      }
    },
    numberOf(block) {
      for (const [each, number] of this.blocks()) if (each === block) return number;
    },
    element(line) {
      for (const [block, number] of this.blocks()) {
        if (line < number + block.children.length) return block.children[line - number];
      }
    },
    // Has a block begin with this line. Those before it leave, as lines may still be added to the block.
    split(line) {
      for (const [block, number] of this.blocks()) {
        if (line <= number || line >= number + block.children.length) continue;
        const earlier = make("pre");
        earlier.append(...[...block.children].slice(0, line - number));
        block.before(earlier);
        for (const part of [earlier, block]) part.style.setProperty("--block", part.children.length);
        onBlock(earlier);
        return;
      }
    },
  };
}
