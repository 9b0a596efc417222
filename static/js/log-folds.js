// The sections of a log, one for each step: the line that begins one is its heading, and folds those that follow it.
// What is folded is hidden until the browser's own search finds something in it.

const RELEARN = 1_000; // ms until it is asked again what the sections are
const DOUBT = 3_000; // ms in which the server may still learn of the steps that a piece tells of
const TELLING = /^(start|end): \d|^(Starting|Ending) test /m;
const UNITS = [["h", 3_600], ["min", 60], ["s", 1]];

function duration(seconds) {
  if (seconds === null) return "running";
  const largest = UNITS.findIndex(([, length]) => seconds >= length);
  const counts = UNITS.map(([unit, length], at) => `${Math.floor((at ? seconds % UNITS[at - 1][1] : seconds) / length)} ${unit}`);
  return largest < 0 ? "0 s" : counts.slice(largest, largest + 2).join(" ");
}

export function folds({ view, loaded, reader, ask, watch }) {
  let sections = [];
  let foldsFinished = false;
  let folded = new Set(); // headings of those that are, by their numbers
  const chosen = new Map(); // what somebody wants of one, whatever is wanted of all
  let timer;
  let due = 0;

  const isFolded = ({ first, isGood }) => chosen.get(first) ?? (foldsFinished && isGood);
  const touches = ({ first, last }, [from, to]) => first < to && last >= from;
  const bottom = (element) => element.getBoundingClientRect().bottom;

  function lineAt(y) {
    for (const [block, first] of loaded.blocks()) {
      if (block.hidden || bottom(block) <= y) continue;
      const at = [...block.children].findIndex((line) => bottom(line) > y);
      if (at >= 0) return { line: block.children[at], number: first + at };
    }
  }

  function head(line, section) {
    let button = line.querySelector("button");
    if (!button) {
      button = document.createElement("button");
      button.type = "button";
      line.classList.add("heading");
      line.prepend(button);
    }
    const { level, name, state, first, seconds } = section;
    const took = duration(seconds);
    button.dataset.first = first;
    button.dataset.state = state;
    button.dataset.took = took;
    button.ariaLabel = [`${level} ${name}`, state, ...(state === "running" ? [] : [took])].join(", ");
    button.ariaExpanded = !folded.has(first);
  }

  function draw() {
    const here = sections.filter(({ first }) => loaded.has(first));
    const focused = document.activeElement; // which moving it takes from it
    const hidden = []; // from, to
    folded = new Set();
    for (const section of here.filter(isFolded)) {
      const { first, last } = section;
      folded.add(first);
      // Also within another one, so that what is found in a block is in all folds that the block is in.
      for (const edge of [first + 1, last + 1]) loaded.split(edge);
      if (!(hidden.at(-1)?.[1] > first)) hidden.push([first + 1, last]);
    }
    for (const [block, first] of loaded.blocks()) {
      while (hidden[0]?.[1] < first) hidden.shift();
      const isHidden = hidden[0]?.[0] <= first;
      if (isHidden !== block.hasAttribute("hidden")) {
        block.parentNode.classList.add("uneven");
        if (isHidden) block.setAttribute("hidden", "until-found");
        else block.removeAttribute("hidden");
        watch(block);
      }
      for (; here[0]?.first < first + block.children.length; here.shift()) {
        head(block.children[here[0].first - first], here[0]);
      }
    }
    if (document.activeElement !== focused) focused.focus({ preventScroll: true });
  }

  // What is read stays where it is; of what is folded away, its heading is shown.
  function steadily(change, line = lineAt(view.getBoundingClientRect().top)?.line) {
    const top = line?.getBoundingClientRect().top;
    change();
    if (reader.isFollowing) return reader.stick();
    if (!line) return;
    let block = line.parentNode;
    while (block.hidden) block = block.previousSibling ?? block.parentNode.previousSibling.lastChild;
    if (block !== line.parentNode) block.lastChild.scrollIntoView({ block: "nearest" });
    const moved = block === line.parentNode && line.getBoundingClientRect().top - top;
    if (moved) view.scrollTop += moved; // to set it would end a smooth scrolling also where nothing has moved
  }

  // Nothing is folded over what somebody reads or has gone to. What comes before the line `first` is just coming.
  function spare(first) {
    const fresh = sections.filter((section) => isFolded(section) && !folded.has(section.first));
    if (!fresh.length || reader.isFollowing) return;
    const { top, bottom } = view.getBoundingClientRect();
    const read = [lineAt(top), lineAt(bottom)].map((found) => Math.max(found?.number ?? loaded.last, first));
    for (const section of fresh) {
      if (touches(section, read) || (reader.range && touches(section, reader.range))) chosen.set(section.first, false);
    }
  }

  function settle(first) {
    if (!sections.length || !loaded.first) return;
    spare(first);
    draw();
  }

  function reveal(range) {
    const closed = sections.filter((section) => folded.has(section.first) && touches(section, range));
    for (const { first } of closed) chosen.set(first, false);
    if (closed.length) draw();
  }

  function take(steps) {
    for (const step of steps) step.last ??= Infinity;
    const bad = steps.filter(({ state }) => state !== "pass");
    for (const step of steps) step.isGood = !bad.some(({ first }) => first >= step.first && first <= step.last);
    sections = steps;
    if (sections.length) steadily(() => settle(loaded.first));
  }

  async function learn() {
    const known = sections;
    try {
      const { steps } = await ask("log-lines", { line: 1, count: 1, steps: 1 });
      if (sections === known) take(steps); // unless the log began anew
    } catch {
      // It is asked again when the log tells of the next step.
    }
    timer = Date.now() < due ? setTimeout(learn, RELEARN) : null;
  }

  function doubt() {
    due = Date.now() + DOUBT;
    timer ??= setTimeout(learn, RELEARN);
  }

  function hear(piece) {
    if (sections.some(({ first, last }) => last === Infinity && folded.has(first))) draw();
    if (TELLING.test(piece)) doubt();
  }

  view.addEventListener("click", ({ target }) => {
    const section = sections.find(({ first }) => first === Number(target.dataset.first));
    if (!section) return;
    const isOpening = isFolded(section);
    chosen.set(section.first, !isOpening);
    if (isOpening) reader.leave();
    steadily(draw, target.parentNode);
  });
  addEventListener("log:finished", () => view.isConnected && doubt()); // the end of a job ends steps that still run
  view.addEventListener("beforematch", ({ target }) => {
    const number = loaded.numberOf(target);
    reader.leave();
    reveal([number, number]);
  });

  // What is selected is copied whole.
  document.addEventListener("copy", () => {
    const place = view.scrollTop;
    const closed = [...view.querySelectorAll("pre[hidden]")].filter((block) => getSelection().containsNode(block, true));
    if (!closed.length) return;
    for (const block of closed) block.removeAttribute("hidden");
    setTimeout(() => {
      draw();
      view.scrollTop = place;
    });
  });

  timer = setTimeout(learn);
  return {
    settle,
    reveal,
    hear,
    choose(isWanted) {
      if (isWanted === foldsFinished) return;
      foldsFinished = isWanted;
      chosen.clear();
      if (sections.length) steadily(draw);
    },
    clear() {
      sections = [];
      chosen.clear();
      folded.clear();
    },
  };
}
