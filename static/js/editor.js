// The editor of the submit page: line numbers, faulty lines marked, a click on a fault leads to its line, files.

const WAIT_FOR_FILE = 1_000_000; // bytes; a larger file is left to the server to refuse

function edit(editor) {
  const text = editor.querySelector("textarea");
  const gutter = editor.querySelector("[data-gutter]");
  const file = editor.querySelector("input[type=file]");
  const form = text.form;
  let shown = 0;

  function number() {
    const count = text.value.split("\n").length;
    for (; shown < count; shown++) gutter.append(document.createElement("li"));
    for (; shown > count; shown--) gutter.lastChild.remove();
    gutter.scrollTop = text.scrollTop;
  }

  function mark() {
    const faults = [...form.querySelectorAll("[data-line]")];
    const lines = new Set(faults.map((fault) => Number(fault.dataset.line)));
    [...gutter.children].forEach((item, at) => item.classList.toggle("bad", lines.has(at + 1)));
  }

  function goTo(line) {
    const before = text.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1);
    const end = text.value.indexOf("\n", before);
    text.focus();
    text.setSelectionRange(before, end < 0 ? text.value.length : end);
    text.scrollTop = (text.scrollHeight / shown) * Math.max(0, line - 6);
  }

  function put(value) {
    text.value = value;
    text.dispatchEvent(new Event("input", { bubbles: true }));
  }

  async function take(chosen) {
    if (!chosen || chosen.size > WAIT_FOR_FILE) return;
    put(await chosen.text());
    file.value = ""; // the text is sent, as it may be changed now
  }

  text.addEventListener("input", number);
  text.addEventListener("scroll", () => (gutter.scrollTop = text.scrollTop));
  text.addEventListener("dragover", (event) => event.preventDefault());
  text.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });
  file.addEventListener("change", () => take(file.files[0]));
  form.addEventListener("click", (event) => {
    const fault = event.target.closest("[data-line]");
    if (!fault) return;
    event.preventDefault();
    goTo(Number(fault.dataset.line));
  });
  form.addEventListener("htmx:afterSwap", mark);

  editor.classList.add("numbered");
  number();
  mark();
}

document.querySelectorAll("[data-editor]").forEach(edit);
