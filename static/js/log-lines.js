// The lines of a log that are loaded: an element each, in blocks that are laid out when they are seen. Their numbers,
// times and levels are attributes, which nobody selects or copies.

import { PLAIN, terminal } from "./log-ansi.js";

const LINES = 500; // per block
const AGAIN = 1_000; // ms until it is asked what the newest lines are
const MARKS = ["bold", "dim", "italic", "underline"];

const make = (name) => document.createElement(name);
const textNode = (text) => document.createTextNode(text);

function drawn([look, text]) {
  if (look === PLAIN) return textNode(text);
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
  run.appendChild(textNode(text));
  return run;
}

// A line that only grew keeps its text node, and with it what is selected there.
function fill(line, value, end) {
  const old = line.firstChild;
  if (typeof value !== "string") {
    line.replaceChildren(...value.map(drawn));
    if (end) line.appendChild(textNode(end));
  } else if (!old) line.appendChild(textNode(value + end));
  else if (old.data && old === line.lastChild && value.startsWith(old.data)) {
    old.appendData(value.slice(old.data.length) + end);
  } else line.textContent = value + end;
}

// Writes text before the node `before`, and returns how many lines it began.
function writer(lines, before, onBlock) {
  const feed = terminal();
  let room = 0;
  let block, open;
  return (text) => {
    const fresh = new DocumentFragment();
    let begun = 0;
    function add(value, end) {
      if (!open) {
        if (!room) {
          block = fresh.appendChild(make("pre"));
          onBlock(block);
          room = LINES;
        }
        open = block.appendChild(make("span"));
        room -= 1;
        begun += 1;
      }
      fill(open, value, end);
      if (end) open = null;
    }
    const { ended, open: left } = feed(text);
    for (const value of ended) add(value, "\n");
    if (left || open) add(left, "");
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
      for (const block of lines.children) {
        yield [block, number];
        number += block.childElementCount;
      }
    },
    numberOf(block) {
      for (const [each, number] of this.blocks()) if (each === block) return number;
    },
    element(line) {
      for (const [block, number] of this.blocks()) {
        if (line < number + block.childElementCount) return block.children[line - number];
      }
    },
    // Has a block begin with this line. Those before it leave, as lines may still be added to the block.
    split(line) {
      for (const [block, number] of this.blocks()) {
        if (line <= number || line >= number + block.childElementCount) continue;
        const earlier = make("pre");
        earlier.append(...[...block.children].slice(0, line - number));
        block.before(earlier);
        for (const part of [earlier, block]) part.style.setProperty("--lines", part.childElementCount);
        onBlock(earlier);
        return;
      }
    },
  };
}

// Only blocks that are seen are written on, and asked about one after another.
export function gutter(view, loaded, ask, onSeen) {
  const facts = new WeakMap(); // of a block: what is known of its lines
  const asked = new WeakMap(); // of a block: when, in ms
  const seen = new Set();
  let form, begin, learning, timer;
  let isWanted; // whether somebody looks at times or levels of lines that still come

  function label(block) {
    if (!loaded.first || !block.isConnected) return;
    const number = loaded.numberOf(block);
    const digits = Math.max(4, String(loaded.last).length);
    const { times = [], levels = "", first = number } = facts.get(block) ?? {};
    view.style.setProperty("--gutter", `${digits + (form ? 14 : 1)}ch`);
    for (const [at, line] of [...block.children].entries()) {
      const of = number + at - first;
      const told = form && times[of] ? form(times[of], times[of - 1] ?? times[of], begin) : "";
      const text = `${told} ${String(number + at).padStart(digits)}`;
      if (line.dataset.at !== text) line.dataset.at = text;
      if (levels[of]) line.dataset.level = levels[of];
    }
  }

  const isUnknown = (block) => !(facts.get(block)?.times.length >= block.childElementCount);

  async function learn(block) {
    asked.set(block, Date.now());
    const line = loaded.numberOf(block);
    begin ??= (await ask("log-lines", { line: 1, count: 1 })).times[0];
    const answer = await ask("log-lines", { line, count: block.childElementCount });
    if (seen.has(block)) facts.set(block, answer);
  }

  async function study() {
    if (learning || !loaded.first) return;
    learning = true;
    clearTimeout(timer);
    const isDue = (block) => block.isConnected && isUnknown(block) && !(Date.now() - asked.get(block) < AGAIN);
    try {
      for (let block; (block = [...seen].find(isDue)); label(block)) await learn(block);
    } catch {
      // It is asked again for what is seen next.
    }
    learning = false;
    if (isWanted && [...seen].some(isUnknown)) timer = setTimeout(study, AGAIN);
  }

  function renew() {
    seen.forEach(label);
    if (isWanted) study();
  }

  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting && !target.hidden) seen.add(target);
        else seen.delete(target);
      }
      seen.forEach(label);
      study();
      onSeen();
    },
    { root: view, rootMargin: "50%" },
  );

  return {
    seen,
    renew,
    // Anew if it was watched before: what is hidden is not seen.
    watch(block) {
      watcher.unobserve(block);
      watcher.observe(block);
    },
    // The form in which times are shown, or none; and whether some levels are hidden.
    choose(newForm, isFiltered) {
      form = newForm;
      isWanted = form || isFiltered;
      renew();
    },
    clear() {
      seen.clear();
      begin = null;
    },
  };
}
