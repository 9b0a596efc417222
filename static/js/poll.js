// Follows one log: asks `url` for what comes after byte `start`, hands it on, decides when to ask again.
// The offset is all that is remembered between two requests, and there is never more than one of them.

const HIDDEN = 30_000;
const BIG = 512 * 1024; // an answer of this size was cut by the server's limit: more is waiting

export function poll(url, start, on) {
  let timer, attempt;
  let asking = false;
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
    timer = setTimeout(ask, wait);
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
    const wait = Math.min(30, 2 ** failures) * (500 + 500 * Math.random());
    on.state("lost", wait);
    return wait;
  }

  async function ask() {
    if (asking || finished || on.isGone()) return;
    asking = true;
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
    asking = false;
    if (finished) on.finish();
    else later(wait);
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? later(HIDDEN) : ask()));
  addEventListener("online", ask);
  ask();
}
