// What somebody does with a log beside reading it: search, choose what is shown, have it read out.

const PATIENCE = 250; // ms after the last key
const MOST = 1_000; // hits that are told at once
const PAUSE = 5_000; // ms between two announcements
const SPOKEN = 3; // lines; who listens cannot hear more of them
const KEY = "log"; // in this browser's storage

// How times are shown: of the line, from the time of the one before it and of the first one of the log; ms since 1970.
const time = (ms) => new Date(ms).toISOString().slice(11, 23);
export const FORMS = {
  utc: time,
  local: (ms) => time(ms - new Date(ms).getTimezoneOffset() * 60_000),
  start: (ms, _, begin) => time(Math.max(0, ms - begin)),
  delta: (ms, before) => `+${((ms - before) / 1_000).toFixed(3)}`.padStart(12),
};

function pattern(query, isRegex) {
  try {
    return query && new RegExp(isRegex ? query : query.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi");
  } catch {
    return null; // it is not complete yet, or only the server understands it
  }
}

// Where in a line the pattern is found, as ranges of its text nodes.
function rangesIn(line, found) {
  const nodes = [...line.childNodes].map((node) => node.firstChild ?? node).filter((node) => node.data);
  return [...line.textContent.matchAll(found)].map(({ index, 0: { length } }) => {
    const range = new Range();
    let at = index;
    for (const node of nodes) {
      if (at >= 0 && at < node.length) range.setStart(node, at);
      if (at + length > 0 && at + length <= node.length) range.setEnd(node, at + length);
      at -= node.length;
    }
    return range;
  });
}

// What keys do to this log while nobody types.
export function onKeys(log, deeds) {
  document.addEventListener("keydown", ({ key, target, ctrlKey, metaKey, altKey }) => {
    if (!log.isConnected || ctrlKey || metaKey || altKey || target.closest("input, textarea, select, dialog")) return;
    deeds[key]?.();
  });
}

// The server counts and tells the hits of the whole log, the page shows those in what it has.
export function search({ log, part, seen, ask, goTo, notice }) {
  const form = part("search");
  const { query, regex } = form.elements;
  const count = form.querySelector("output");
  let hits = [];
  let total = 0;
  let at = -1; // among the hits
  let asked; // what the hits are of
  let timer, asking;
  let failure = 0; // line of the error that was shown last

  const wanted = () => (/^(:|$)/.test(query.value) ? null : { q: query.value, ...(regex.checked && { regex: 1 }) });
  const isAsked = () => JSON.stringify(wanted()) === asked;

  function paint() {
    const found = wanted() && pattern(query.value, regex.checked);
    const lines = found ? [...seen].flatMap((block) => [...block.children]) : [];
    CSS.highlights?.set("log-hit", new Highlight(...lines.flatMap((line) => rangesIn(line, found))));
  }

  function tell() {
    const all = total.toLocaleString("en");
    count.textContent = !wanted() ? "" : !total ? "no hits" : at < 0 ? all : `${at + 1} of ${all}`;
  }

  async function find() {
    clearTimeout(timer);
    asking?.abort(); // the server ends a search that nobody waits for
    asking = new AbortController();
    asked = JSON.stringify(wanted());
    const { signal } = asking;
    let answer = { hits: [], total: 0 };
    if (wanted()) answer = await ask("log-search", { ...wanted(), limit: MOST }, { signal });
    if (signal.aborted) return;
    ({ hits, total } = answer);
    at = -1;
    tell();
    paint();
  }

  async function step(by) {
    if (query.value[0] === ":") return goTo([Number(query.value.slice(1)) || 1]);
    if (!isAsked()) await find();
    if (!hits.length) return;
    if (by > 0 && at === hits.length - 1 && at < total - 1) {
      hits.push(...(await ask("log-search", { ...wanted(), limit: MOST, after: hits[at].line })).hits);
    }
    at = (at + by + hits.length + (at < 0 && by < 0)) % hits.length;
    tell();
    await goTo([hits[at].line]);
  }

  async function nextError() {
    const [hit] = (await ask("log-search", { level: "ex", after: failure, limit: 1 })).hits;
    if (!hit && failure) {
      failure = 0;
      return nextError();
    }
    failure = hit?.line ?? 0;
    if (hit) await goTo([failure]);
    else notice("No line of this log is an error.");
  }

  const doing = (deed, ...details) =>
    deed(...details).catch((refusal) => refusal.name !== "AbortError" && notice(refusal.message));

  query.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(doing, PATIENCE, find);
  });
  regex.addEventListener("change", () => doing(find));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    doing(step, Number(event.submitter?.value ?? 1));
  });
  part("error").addEventListener("click", () => doing(nextError));
  query.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.shiftKey) return;
    event.preventDefault();
    doing(step, -1);
  });
  onKeys(log, { n: () => doing(step, 1), N: () => doing(step, -1) });
  return paint;
}

// Each field of the form has a value of its own; those that are checked are kept in this browser.
export function choices(form, apply) {
  const fields = [...form.elements].filter((field) => field.name);
  const values = (isChosen) => fields.filter(isChosen).map((field) => field.value);
  try {
    const kept = JSON.parse(localStorage.getItem(KEY));
    if (kept) for (const field of fields) field.checked = kept.includes(field.value);
  } catch {
    // Storage is forbidden, or holds what is not ours: then the choice is the page's, and holds as long as it.
  }
  const choose = () =>
    apply({
      checked: values((field) => field.checked),
      hidden: values((field) => field.name === "show" && !field.checked).join(""),
      times: form.elements.times.value,
    });
  form.addEventListener("change", () => {
    choose();
    try {
      localStorage.setItem(KEY, JSON.stringify(values((field) => field.checked)));
    } catch {
      // As above.
    }
  });
  choose();
}

// Has what arrives read out, at most every five seconds and then its last lines only.
export function announcer(region) {
  let timer;
  let waiting = "";
  function speak() {
    timer = waiting ? setTimeout(speak, PAUSE) : null;
    if (!waiting) return;
    const lines = waiting.trimEnd().split("\n");
    const left = lines.length - SPOKEN;
    region.textContent = (left > 0 ? `${left} more lines, then: ` : "") + lines.slice(-SPOKEN).join("\n");
    waiting = "";
  }
  return (text) => {
    waiting = (waiting + text).slice(-100_000);
    timer ??= setTimeout(speak);
  };
}
