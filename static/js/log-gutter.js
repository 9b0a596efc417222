// The numbers, times and levels of lines, as attributes, which nobody selects or copies.

const AGAIN = 1_000; // ms until it is asked what the newest lines are

// Only blocks that are seen are written on, and asked about one after another.
export function gutter(view, loaded, ask, onSeen) {
  const facts = new WeakMap(); // of a block: what is known of its lines
  const asked = new WeakMap(); // of a block: when, in ms
  const seen = new Set();
  let form, begin, learning, timer;
  let isWanted; // whether somebody looks at times or levels of lines that still come

  function label(block) {
    if (!loaded.first || !block.isConnected) return;
    const number = loaded.numberOf(block);
    const digits = Math.max(4, String(loaded.last).length);
    const { times = [], levels = "", first = number } = facts.get(block) ?? {};
    view.style.setProperty("--gutter", `${digits + (form ? 14 : 1)}ch`);
    for (const [at, line] of [...block.children].entries()) {
      const of = number + at - first;
      const told = form && times[of] ? form(times[of], times[of - 1] ?? times[of], begin) : "";
      const text = `${told} ${String(number + at).padStart(digits)}`;
      if (line.dataset.at !== text) line.dataset.at = text;
      if (levels[of]) line.dataset.level = levels[of];
    }
  }

  const isUnknown = (block) => !(facts.get(block)?.times.length >= block.children.length);

  async function learn(block) {
    asked.set(block, Date.now());
    const line = loaded.numberOf(block);
    begin ??= (await ask("log-lines", { line: 1, count: 1 })).times[0];
    const answer = await ask("log-lines", { line, count: block.children.length });
    if (seen.has(block)) facts.set(block, answer);
  }

  async function study() {
    if (learning || !loaded.first) return;
    learning = true;
    clearTimeout(timer);
    const isDue = (block) => block.isConnected && isUnknown(block) && !(Date.now() - asked.get(block) < AGAIN);
    try {
      for (let block; (block = [...seen].find(isDue)); label(block)) await learn(block);
    } catch {
      // It is asked again for what is seen next.
    }
    learning = false;
    if (isWanted && [...seen].some(isUnknown)) timer = setTimeout(study, AGAIN);
  }

  function renew() {
    seen.forEach(label);
    if (isWanted) study();
  }

  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting && !target.hidden) seen.add(target);
        else seen.delete(target);
      }
      seen.forEach(label);
      study();
      onSeen();
    },
    { root: view, rootMargin: "50%" },
  );

  return {
    seen,
    renew,
    // Anew if it was watched before: what is hidden is not seen.
    watch(block) {
      watcher.unobserve(block);
      watcher.observe(block);
    },
    // The form in which times are shown, or none; and whether some levels are hidden.
    choose(newForm, isFiltered) {
      form = newForm;
      isWanted = form || isFiltered;
      renew();
    },
    clear() {
      seen.clear();
      begin = null;
    },
  };
}
