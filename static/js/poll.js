// Follows one log: asks `url` for what comes after byte `start`, hands it on, decides when to ask again.
// There is never more than one request. Who is told the log in another way holds it, gives it the pieces, lets it go.

export const backOff = (failures) => Math.min(30, 2 ** failures) * (500 + 500 * Math.random());

const HIDDEN = 30_000;
const BIG = 512 * 1024; // then more is waiting

export function poll(url, start, on) {
  let timer, attempt;
  let asking = Promise.resolve();
  let busy = false;
  let held = false;
  let finished = false;
  let failures = 0;
  let lastOutput = Date.now();

  function pause() {
    if (document.hidden) return HIDDEN;
    const quiet = Date.now() - lastOutput;
    return quiet < 3_000 ? 250 : quiet < 60_000 ? 1_000 : 5_000;
  }

  function later(wait) {
    clearTimeout(timer);
    if (!held) timer = setTimeout(ask, wait);
  }

  function take({ content, new_size, is_finished }, current) {
    const changed = attempt && attempt !== current;
    attempt = current;
    failures = 0;
    on.state("live");
    if (changed || new_size < start) {
      start = 0;
      on.restart();
      return 0;
    }
    const size = new_size - start;
    start = new_size;
    if (content) {
      lastOutput = Date.now();
      on.content(content);
    }
    finished = is_finished;
    return size >= BIG && !document.hidden ? 0 : pause();
  }

  function retry(status) {
    if ([401, 403, 404].includes(status)) {
      on.state("refused", status);
      return HIDDEN;
    }
    failures += 1;
    const wait = backOff(failures);
    on.state("lost", wait);
    return wait;
  }

  async function request() {
    const slow = setTimeout(on.state, 1_500, "slow");
    let wait;
    try {
      const answer = await fetch(url + start, {
        cache: "no-store",
        signal: AbortSignal.timeout(30_000),
      });
      wait = answer.ok ? take(await answer.json(), answer.headers.get("Log-Attempt")) : retry(answer.status);
    } catch {
      wait = retry();
    }
    clearTimeout(slow);
    busy = false;
    if (finished) on.finish();
    else later(wait);
  }

  function ask() {
    if (busy || held || finished || on.isGone()) return;
    busy = true;
    asking = request();
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? later(HIDDEN) : ask()));
  addEventListener("online", ask);

  return {
    go() {
      held = false;
      if (document.hidden) later(HIDDEN);
      else ask();
    },
    // Resolves when nothing is asked any more: to the byte at which the log goes on, or to null when it is at its end.
    async hold() {
      held = true;
      clearTimeout(timer);
      await asking;
      return finished || on.isGone() ? null : start;
    },
    // Whether the piece is what comes next, or the beginning of a new attempt; only then it is taken.
    give(piece) {
      if (piece.start > start || on.isGone()) return false;
      if (piece.start < start) {
        start = piece.start;
        on.restart();
      }
      take(piece, attempt);
      if (finished) on.finish();
      return true;
    },
  };
}
