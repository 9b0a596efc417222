// Keeps what is chosen in a list whose rows are drawn anew, and says how much it is.

const list = document.querySelector("[data-choices]");
const form = document.getElementById(list.dataset.choices);
const count = form.querySelector("[data-chosen]");
const choice = form.querySelector("[data-choose-all]");
const all = choice.querySelector("input");
const nothing = count.textContent;
const rest = form.querySelectorAll("[data-when-chosen]");

const boxes = () => [...list.querySelectorAll(`input[form="${form.id}"]`)];
const chosen = new Set(boxes().filter((box) => box.checked).map((box) => box.value));

function note(box) {
  if (box.checked) chosen.add(box.value);
  else chosen.delete(box.value);
}

function tell() {
  const shown = boxes();
  const number = shown.filter((box) => box.checked).length;
  all.checked = number > 0 && number === shown.length;
  all.indeterminate = number > 0 && number < shown.length;
  count.textContent = number ? `${number} chosen` : nothing;
  rest.forEach((part) => (part.hidden = number === 0));
}

list.addEventListener("change", ({ target }) => {
  note(target);
  tell();
});

all.addEventListener("change", () => {
  boxes().forEach((box) => {
    box.checked = all.checked;
    note(box);
  });
  tell();
});

new MutationObserver(() => {
  boxes().forEach((box) => (box.checked = chosen.has(box.value)));
  tell();
}).observe(list, { childList: true, subtree: true });

choice.hidden = false;
tell();
