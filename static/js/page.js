// Keeps the parts of a page that are marked `data-live` as the server would draw them now, and htmx beside it.

const CHANGING = 2_000;
const CALM = 5_000;

const parts = () => [...document.querySelectorAll("[data-live]")];
const lost = document.querySelector("[data-lost]");

let timer;
let asking = false;
let lastChange = Date.now();

function later() {
  clearTimeout(timer);
  timer = setTimeout(refresh, Date.now() - lastChange < 60_000 && lost.hidden ? CHANGING : CALM);
}

// A part in which somebody types or has opened something is left alone until that is over; a box that is
// checked is no typing, and who chooses rows wants to see what becomes of them.
const inUse = (part) =>
  part.querySelector("details[open], :is(input:not([type=checkbox]), textarea, select):focus");

function twinOf(element) {
  if (element.id) return document.getElementById(element.id);
  const href = element.getAttribute("href");
  return href && document.querySelector(`[data-live] a[href="${CSS.escape(href)}"]`);
}

// Returns whether anything was different; whoever stands on a replaced element by keyboard stays there.
function update(page) {
  const old = parts().filter((part) => {
    const now = page.getElementById(part.id);
    return now && !part.isEqualNode(now) && !inUse(part);
  });
  const focused = document.activeElement;
  for (const part of old) {
    const now = document.adoptNode(page.getElementById(part.id));
    part.replaceWith(now);
    window.htmx?.process(now);
  }
  if (document.activeElement === document.body) twinOf(focused)?.focus({ preventScroll: true });
  return old.length > 0;
}

async function refresh() {
  if (asking || document.hidden || !parts().length) return later();
  asking = true;
  const address = new URL(location);
  try {
    const asked = new URL(address);
    asked.searchParams.set("fragment", "live");
    const answer = await fetch(asked, { cache: "no-store", signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    // Somebody may have gone on meanwhile to another filter or tab: this answer is not for it.
    if (location.href === address.href && update(page)) lastChange = Date.now();
    lost.hidden = true;
  } catch {
    lost.hidden = false;
  }
  asking = false;
  later();
}

addEventListener("visibilitychange", refresh);
addEventListener("online", refresh);
addEventListener("log:finished", refresh);
addEventListener("log:restarted", refresh);
addEventListener("events:heard", refresh);
later();

// htmx: short addresses, and what it could not do is done by the browser.
addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.verb !== "get") return;
  for (const [name, value] of Object.entries(detail.parameters)) {
    if (value === "") delete detail.parameters[name];
  }
});
// Whoever stood on what is gone, by keyboard, goes on from the place that the page names.
addEventListener("htmx:afterSettle", () => {
  if (document.activeElement === document.body) document.querySelector("[data-refuge]")?.focus({ preventScroll: true });
});
addEventListener("htmx:sendError", () => (lost.hidden = false));
addEventListener("htmx:responseError", ({ detail }) => {
  if (detail.requestConfig.verb === "get") location.assign(detail.pathInfo.finalRequestPath);
});
