// Buttons that copy the text of the element they name: `<button data-copy="id" hidden>Copy</button>`.

const SAID = 2_000; // ms for which a button says what it did

function textOf(source) {
  const lines = [...source.querySelectorAll("li code")];
  return lines.length ? lines.map((line) => `${line.textContent}\n`).join("") : source.textContent;
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const word = button.textContent;
  try {
    await navigator.clipboard.writeText(textOf(source));
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source); // without the clipboard, as on plain HTTP, the keys do it
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => (button.textContent = word), SAID);
}

const show = (part) => part.querySelectorAll("[data-copy]").forEach((button) => (button.hidden = false));

show(document);
addEventListener("htmx:load", ({ detail }) => show(detail.elt));
addEventListener("click", ({ target }) => {
  const button = target.closest("[data-copy]");
  if (button) copy(button);
});
