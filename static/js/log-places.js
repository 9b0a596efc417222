// Where the reader is: at the end, which is followed, until they look up, select or go elsewhere in the log.

const AT_END = 25; // px from the end that still count as the end
const NEAR = 400; // px from the edge of what is loaded
const PART = 2_000; // lines that are loaded at once
const BYTES = 256 * 1024; // of what follows
const AROUND = 300; // lines before the one to which somebody goes
const MOST_MARKED = 10_000; // lines
const UPWARDS = /^(Arrow|Page)Up$|^Home$/;
const SCROLLING = /^(Arrow|Page)(Up|Down)$|^Home$|^End$/;

const told = (number) => number.toLocaleString("en");

// `#L10` and `#L10-L20` as [10, 20]; nothing for any other address.
export function rangeOf(hash) {
  const [, from, to = from] = /^#L(\d{1,15})(?:-L?(\d{1,15}))?$/.exec(hash) ?? [];
  return from && [from, to].map(Number).sort((a, b) => a - b);
}

// `end`: the byte behind what is loaded if more comes behind it; the log is detached from its live end then.
export function places({ part, view, lines, loaded, end, ask, attach, detach, changed, reveal, notice }) {
  const [pill, unread, earlier, later] = ["follow", "unread", "earlier", "later"].map(part);
  let following = false;
  let missed = 0;
  let place = 0; // scrollTop
  let range; // that is marked
  let visit = 0; // of which only the last one counts
  let loading = false;

  const fromEnd = () => view.scrollHeight - view.scrollTop - view.clientHeight;

  function stick() {
    if (!following) return;
    view.scrollTop = view.scrollHeight;
    place = view.scrollTop;
  }

  async function follow() {
    if (end !== null) await jump((await ask("log-lines", { line: 1, count: 1 })).total);
    following = true;
    pill.hidden = true;
    missed = 0;
    miss(0);
    stick();
  }

  function leave() {
    following = false;
    pill.hidden = false;
  }

  function letGo() {
    if (following && view.scrollHeight > view.clientHeight) leave();
  }

  function miss(count) {
    if (!following) missed += count;
    unread.textContent = missed ? `${told(missed)} new ${missed === 1 ? "line" : "lines"}` : "";
  }

  function mark() {
    for (const line of view.querySelectorAll(".marked")) line.classList.remove("marked");
    if (!range) return;
    const from = Math.max(range[0], loaded.first);
    const to = Math.min(range[1], loaded.last, from + MOST_MARKED);
    for (let number = from; number <= to; number++) loaded.element(number).classList.add("marked");
  }

  // `first`: of the lines that were there before.
  function settle(first = loaded.first) {
    earlier.hidden = loaded.first === 1;
    later.hidden = end === null;
    mark();
    changed(first);
  }

  function reach() {
    const start = end;
    end = null;
    attach(start);
  }

  async function get(line, count) {
    const answer = await ask("log-lines", { line, count, text: 1 });
    if (answer.content_end) answer.content += "…\n"; // longer than an answer
    return { ...answer, next: answer.first + answer.times.length };
  }

  // Loads the lines around this one in place of those that are there. Whether the log has it.
  async function jump(line, around = AROUND) {
    const mine = ++visit;
    const answer = await get(Math.max(1, line - around), PART);
    if (mine !== visit || line > answer.total) return false;
    if (line >= answer.next && around) return jump(line, 0);
    detach();
    loaded.clear(answer.first);
    loaded.append(answer.content);
    end = answer.end;
    if (loaded.last >= answer.total) reach();
    settle();
    return true;
  }

  async function goTo([line, last = line]) {
    range = [line, last];
    reveal(range);
    try {
      const isThere = loaded.has(line) || (await jump(line));
      notice(isThere ? "" : `The log has no line ${told(line)} yet.`);
      if (!isThere) return;
    } catch (refusal) {
      return notice(refusal.message);
    }
    leave();
    mark();
    const show = () => loaded.element(line)?.scrollIntoView({ block: "center" });
    show();
    requestAnimationFrame(show); // what lies before it has its true height only now
  }

  async function before(mine) {
    let text = "";
    for (let line = Math.max(1, loaded.first - PART); line < loaded.first; ) {
      const { content, next } = await get(line, loaded.first - line);
      if (mine !== visit) return;
      text += content;
      line = Math.max(next, line + 1);
    }
    const { first } = loaded;
    const line = loaded.element(first);
    const top = line.getBoundingClientRect().top;
    const stay = () => (view.scrollTop += line.getBoundingClientRect().top - top); // what is being read
    loaded.prepend(text);
    stay();
    settle(first);
    stay();
  }

  async function behind(mine) {
    const { content, new_size } = await ask("log-tail", { start: end, end: end + BYTES });
    if (mine !== visit) return;
    const isLast = new_size < end + BYTES - 3; // a piece ends between two characters
    loaded.append(content);
    end = new_size;
    if (isLast) reach();
    settle();
  }

  function loader(link, words, load) {
    async function go() {
      if (loading || link.hidden || !loaded.first) return;
      loading = true;
      try {
        await load(visit);
        link.textContent = words;
      } catch {
        link.textContent = "This could not be loaded. Try again";
      }
      loading = false;
    }
    link.addEventListener("click", (event) => {
      if (loaded.first) event.preventDefault(); // otherwise it is a link as any other
      go();
    });
    return go;
  }

  const up = loader(earlier, "Earlier output", before);
  const down = loader(later, "Later output", behind);

  view.addEventListener("wheel", (event) => event.deltaY < 0 && letGo(), { passive: true });
  view.addEventListener("touchmove", letGo, { passive: true });
  view.addEventListener("pointerdown", (event) => event.offsetX > view.clientWidth && letGo()); // the scrollbar
  view.addEventListener("scroll", () => {
    const isBack = !following && view.scrollTop > place && fromEnd() <= AT_END;
    place = view.scrollTop;
    if (place < NEAR) up();
    else if (fromEnd() < NEAR) down();
    if (isBack && end === null && getSelection().isCollapsed) follow();
  });
  document.addEventListener("selectionchange", () => {
    const selection = getSelection();
    if (!selection.isCollapsed && lines.contains(selection.anchorNode)) letGo();
  });
  document.addEventListener("keydown", ({ target, key }) => {
    if ((target !== document.body && !view.contains(target)) || !SCROLLING.test(key)) return;
    if (target === document.body) view.focus({ preventScroll: true });
    if (UPWARDS.test(key)) letGo();
    if (key === "End") follow();
  });
  pill.addEventListener("click", () => {
    getSelection().removeAllRanges();
    follow();
  });
  // A click on a number makes it the address; with Shift, from the last one to this.
  view.addEventListener("click", ({ target, clientX, shiftKey }) => {
    if (!target.dataset.at || clientX > target.getBoundingClientRect().left) return;
    const number = Number(target.dataset.at.split(" ").pop());
    const [from, to] = (shiftKey && range) || [number, number];
    range = [Math.min(from, number), Math.max(to, number)];
    history.replaceState(history.state, "", `#L${range[0]}` + (range[1] > range[0] ? `-L${range[1]}` : ""));
    mark();
  });
  addEventListener("hashchange", () => {
    const wanted = view.isConnected && rangeOf(location.hash);
    if (wanted) goTo(wanted);
  });
  // Blocks get their true height only when they are painted first, and the window may change: the end moves then.
  const resized = new ResizeObserver(stick);
  resized.observe(lines);
  resized.observe(view);

  return {
    goTo, settle, follow, leave, stick, miss,
    get isFollowing() {
      return following;
    },
    // Of lines to which somebody went.
    get range() {
      return range;
    },
  };
}
