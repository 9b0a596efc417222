// Shows one log as it grows: text nodes in <pre> blocks, and a place that follows the end until the reader looks up.

import { poll } from "./poll.js";
import { push } from "./push.js";

const LINES = 500; // per block: the browser lays out only the blocks that are on the screen
const NEAR = 25; // px from the end that still count as the end
const UPWARDS = new Set(["ArrowUp", "PageUp", "Home"]);
const SCROLLING = new Set([...UPWARDS, "ArrowDown", "PageDown", "End"]);

const countLines = (text) => text.split("\n").length - 1;

// Where the `count`th line of `text` ends, or the text itself if it has fewer.
function endOfLine(text, count) {
  let end = 0;
  while (count-- > 0) {
    end = text.indexOf("\n", end) + 1;
    if (!end) return text.length;
  }
  return end;
}

// Appends text before the node `before`, in blocks that are only ever broken at the end of a line.
function writer(lines, before, block) {
  let room = block ? LINES - countLines(block.textContent) : 0;
  return (text) => {
    while (text) {
      if (room <= 0) {
        block = lines.insertBefore(document.createElement("pre"), before);
        room = LINES;
      }
      const piece = text.slice(0, endOfLine(text, room));
      block.append(piece);
      room -= countLines(piece);
      text = text.slice(piece.length);
    }
  };
}

export function show(log) {
  const part = (name) => log.querySelector(`[data-log-${name}]`);
  const view = part("view");
  const lines = part("lines");
  const state = part("state");
  const notice = part("notice");
  const pill = part("follow");
  const unread = part("unread");
  const earlier = part("earlier");

  let following = false;
  let missed = 0;
  let place = 0;
  let write = writer(lines, null, lines.lastElementChild);

  const fromEnd = () => view.scrollHeight - view.scrollTop - view.clientHeight;

  function stick() {
    if (!following) return;
    view.scrollTop = view.scrollHeight;
    place = view.scrollTop;
  }

  function follow() {
    following = true;
    missed = 0;
    unread.textContent = "";
    pill.hidden = true;
    stick();
  }

  function letGo() {
    if (!following || view.scrollHeight <= view.clientHeight) return;
    following = false;
    pill.hidden = false;
  }

  function append(text) {
    write(text);
    notice.hidden = true;
    stick();
    if (following) return;
    missed += countLines(text);
    unread.textContent = missed ? `${missed.toLocaleString("en")} new ${missed === 1 ? "line" : "lines"}` : "";
  }

  function restart() {
    lines.replaceChildren();
    write = writer(lines, null);
    earlier?.remove();
    notice.textContent = "The log began anew: this is the output of a new attempt.";
    notice.hidden = false;
    log.dispatchEvent(new Event("log:restarted", { bubbles: true }));
    follow();
  }

  function say(word, detail) {
    log.dataset.state = word;
    state.textContent = {
      live: () => "Live",
      slow: () => "Waiting for the server…",
      lost: (wait) => `Connection lost. Trying again in ${Math.ceil(wait / 1_000)} s, nothing is skipped.`,
      refused: (status) =>
        status === 404
          ? "This log is not here any more: its job was deleted, or is hidden from you."
          : "You may not read this log. Log in in another tab, and it goes on here.",
      finished: () => "Complete log",
    }[word](detail);
  }

  async function loadEarlier(event) {
    event.preventDefault();
    const end = Number(earlier.dataset.end);
    const writeEarlier = writer(lines, lines.firstElementChild);
    let start = Number(earlier.dataset.start);
    earlier.removeEventListener("click", loadEarlier);
    try {
      while (start < end) {
        earlier.textContent = `Loading earlier output, ${Math.floor((100 * start) / end)} %`;
        const answer = await fetch(`${log.dataset.url}${start}&end=${end}`);
        if (!answer.ok) throw new Error(answer.statusText);
        const { content, new_size } = await answer.json();
        const height = view.scrollHeight;
        writeEarlier(content);
        view.scrollTop += view.scrollHeight - height; // what is being read stays where it is
        start = new_size;
      }
      earlier.remove();
    } catch {
      // The link goes on from here at the next click.
      earlier.dataset.start = start;
      earlier.textContent = "Earlier output could not be loaded. Try again";
      earlier.addEventListener("click", loadEarlier);
    }
  }

  view.addEventListener("wheel", (event) => event.deltaY < 0 && letGo(), { passive: true });
  view.addEventListener("touchmove", letGo, { passive: true });
  view.addEventListener("pointerdown", (event) => event.offsetX > view.clientWidth && letGo()); // the scrollbar
  view.addEventListener("scroll", () => {
    if (!following && view.scrollTop > place && fromEnd() <= NEAR && getSelection().isCollapsed) follow();
    place = view.scrollTop;
  });
  document.addEventListener("selectionchange", () => {
    const selection = getSelection();
    if (!selection.isCollapsed && lines.contains(selection.anchorNode)) letGo();
  });
  document.addEventListener("keydown", (event) => {
    const here = event.target === document.body || event.target === view;
    if (!here || !SCROLLING.has(event.key)) return;
    view.focus({ preventScroll: true });
    if (UPWARDS.has(event.key)) letGo();
    if (event.key === "End") follow();
  });
  pill.addEventListener("click", () => {
    getSelection().removeAllRanges();
    follow();
  });
  earlier?.addEventListener("click", loadEarlier);
  // Blocks get their true height only when they are painted first, and the window may change: the end moves then.
  const resized = new ResizeObserver(stick);
  resized.observe(lines);
  resized.observe(view);

  if ("place" in log.dataset) pill.hidden = false; // whoever came for a place stays there
  else follow();
  if (log.dataset.state === "finished") return;
  const polling = poll(log.dataset.url, Number(log.dataset.start), {
    isGone: () => !log.isConnected,
    content: append,
    restart,
    state: say,
    finish() {
      say("finished");
      log.dispatchEvent(new Event("log:finished", { bubbles: true }));
    },
  });
  if (log.dataset.socket) push(log.dataset.socket, polling);
  else polling.go();
}

// Above the log there is little room for an outline that is not asked for; beside it there is.
const narrow = matchMedia("(max-width: 60rem)");
const fold = () => document.querySelectorAll("[data-fold]").forEach((part) => (part.open = !narrow.matches));

function showIn(part) {
  part.querySelectorAll("[data-log]").forEach(show);
  fold();
}

narrow.addEventListener("change", fold);
showIn(document);
// A tab that htmx has brought; what it loads with the page was shown above.
addEventListener("htmx:load", ({ detail }) => detail.elt !== document.body && showIn(detail.elt));
