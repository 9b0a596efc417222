// Shows one log as it grows, from the server to the screen.

import { folds } from "./log-folds.js";
import { gutter } from "./log-gutter.js";
import { linesIn } from "./log-lines.js";
import { places, rangeOf } from "./log-places.js";
import { announcer, choices, FORMS, onKeys, search } from "./log-tools.js";
import { poll } from "./poll.js";
import { push } from "./push.js";

const SAYINGS = {
  live: () => "Live",
  part: () => "A part of the log",
  slow: () => "Waiting for the server…",
  lost: (wait) => `Connection lost. Trying again in ${Math.ceil(wait / 1_000)} s, nothing is skipped.`,
  refused: (status) =>
    status === 404
      ? "This log is not here any more: its job was deleted, or is hidden from you."
      : "You may not read this log. Log in in another tab, and it goes on here.",
  finished: () => "Complete log",
};

function show(log) {
  const part = (name) => log.querySelector(`[data-log-${name}]`);
  const [view, lines, state, notices] = ["view", "lines", "state", "notice"].map(part);
  const { url, socket, start, begin } = log.dataset;
  const aloud = announcer(part("announcement"));
  let announces = false;
  let isComplete = log.dataset.state === "finished";
  let connection = 0; // of which only the last one counts

  // Asks what is beside the tail, of the same attempt. An Error says what the server has against it.
  async function ask(name, query, options) {
    const answer = await fetch(url.replace("log-tail", name).replace("start=", "") + new URLSearchParams(query), options);
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(told.error ?? "The server did not answer. Try again in a moment.");
    return told;
  }

  function notice(text) {
    notices.textContent = text;
    notices.hidden = !text;
  }

  function say(word, detail) {
    log.dataset.state = word;
    state.textContent = SAYINGS[word](detail);
  }

  const text = lines.textContent;
  const loaded = linesIn(lines, (block) => beside.watch(block));
  const beside = gutter(view, loaded, ask, () => paint());
  const reader = places({
    part, view, lines, loaded, ask, notice,
    end: "cut" in log.dataset ? Number(start) : null,
    attach: connect,
    reveal: (range) => sections.reveal(range),
    changed(first) {
      beside.renew();
      sections.settle(first);
    },
    detach() {
      connection += 1;
      if (!isComplete) say("part");
    },
  });
  const sections = folds({ view, loaded, reader, ask, watch: beside.watch });
  const paint = search({ log, part, ask, notice, seen: beside.seen, goTo: reader.goTo });

  function append(piece) {
    const count = loaded.append(piece);
    reader.stick();
    reader.miss(count);
    beside.renew();
    sections.hear(piece);
    if (announces) aloud(piece);
  }

  function restart() {
    loaded.clear(1);
    beside.clear();
    sections.clear();
    reader.settle();
    notice("The log began anew: this is the output of a new attempt.");
    log.dispatchEvent(new Event("log:restarted", { bubbles: true }));
    reader.follow();
  }

  function finish() {
    isComplete = true;
    say("finished");
    log.dispatchEvent(new Event("log:finished", { bubbles: true }));
  }

  function connect(from) {
    if (isComplete) return;
    const mine = ++connection;
    const isGone = () => !log.isConnected || mine !== connection;
    const unlessGone = (deed) => (...details) => isGone() || deed(...details);
    const polling = poll(url, from, {
      isGone,
      content: unlessGone(append),
      restart: unlessGone(restart),
      state: unlessGone(say),
      finish: unlessGone(finish),
    });
    if (socket) push(socket, polling);
    else polling.go();
  }

  async function open() {
    const first = begin > 0 ? (await ask("log-lines", { start: begin, end: Number(begin) + 1 })).first : 1;
    if (loaded.first) return; // it began anew meanwhile
    loaded.first = first;
    reader.settle();
    const wanted = rangeOf(location.hash);
    if (wanted) await reader.goTo(wanted);
  }

  // What the page brought is drawn again, as a terminal would have shown it.
  loaded.clear(null);
  loaded.append(text);
  if ("cut" in log.dataset || "place" in log.dataset) reader.leave(); // whoever came for a place stays there
  else reader.follow();
  open().catch((refusal) => notice(refusal.message));
  if (!("cut" in log.dataset)) connect(Number(start));

  onKeys(log, { f: () => part("choices").querySelector("[value=fold]").click() });
  choices(part("choices"), ({ checked, hidden, times }) => {
    announces = checked.includes("announce");
    log.classList.toggle("unwrapped", !checked.includes("wrap"));
    log.dataset.hide = hidden;
    beside.choose(FORMS[times], hidden);
    sections.choose(checked.includes("fold"));
    reader.stick();
  });
  for (const tool of log.querySelectorAll("[data-log-tool]")) tool.hidden = false;
}

const showIn = (part) => part.querySelectorAll("[data-log]").forEach(show);

showIn(document);
// A tab that htmx has brought; what it loads with the page was shown above.
addEventListener("htmx:load", ({ detail }) => detail.elt !== document.body && showIn(detail.elt));
