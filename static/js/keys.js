// The keyboard: ways to the main pages, the search, the next failure; menus and the help. Never while somebody types.

const PATIENCE = 1_500; // ms between the two keys of a pair
const PLACES = { h: "/", j: "/jobs/", d: "/devices/", s: "/submit/" };

let asked = 0; // when `g` was pressed

const isTyping = ({ target }) => target.closest("input, textarea, select, [contenteditable]");
const help = document.getElementById("keys");

function nextFailure() {
  const all = [...document.querySelectorAll("[data-failure]")];
  const next = all[(all.indexOf(document.activeElement) + 1) % all.length];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

const KEYS = {
  "?": () => help.showModal(),
  "/": () => document.querySelector("input[type=search]")?.focus(),
  e: nextFailure,
  g: () => (asked = Date.now()),
};

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (menu !== except) menu.open = false;
  }
}

function press(event) {
  if (event.key === "Escape") {
    const menu = event.target.closest("details[data-menu][open]");
    menu?.querySelector("summary").focus();
    closeMenus();
    return;
  }
  if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  const place = Date.now() - asked < PATIENCE && PLACES[event.key];
  asked = 0;
  if (place) location.assign(place);
  else if (KEYS[event.key]) {
    event.preventDefault();
    KEYS[event.key]();
  }
}

addEventListener("keydown", press);
addEventListener("click", ({ target }) => {
  closeMenus(target.closest("details[data-menu]"));
  const opener = target.closest("[data-opens]");
  if (!opener) return;
  closeMenus();
  document.getElementById(opener.dataset.opens).showModal();
});
for (const opener of document.querySelectorAll("[data-opens]")) opener.hidden = false;
