// Keeps the parts of a page that are marked `data-live` as the server would draw them now.

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

// Returns whether anything was different; whoever stands on a replaced element by keyboard stays there.
function update(page) {
  const old = parts().filter((part) => {
    const now = page.getElementById(part.id);
    return now && !part.isEqualNode(now);
  });
  const focused = document.activeElement?.id;
  old.forEach((part) => part.replaceWith(document.adoptNode(page.getElementById(part.id))));
  if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus();
  return old.length > 0;
}

async function refresh() {
  if (asking || document.hidden) return;
  asking = true;
  try {
    const address = new URL(location);
    address.searchParams.set("fragment", "live");
    const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(answer.status);
    if (update(new DOMParser().parseFromString(await answer.text(), "text/html"))) lastChange = Date.now();
    lost.hidden = true;
  } catch {
    lost.hidden = false;
  }
  asking = false;
  later();
}

if (parts().length) {
  addEventListener("visibilitychange", refresh);
  addEventListener("online", refresh);
  addEventListener("log:finished", refresh);
  addEventListener("log:restarted", refresh);
  later();
}
