// Has the server push a log over a socket. Where that cannot be, or falls silent, the log is polled.

import { backOff } from "./poll.js";

const HELLO = 3_000; // until the first frame
const SILENCE = 20_000; // between two frames: two heartbeats of the server

export function push(address, polling) {
  const url = new URL(address, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  let socket, silence, again;
  let tries = 0; // of which only the last one counts
  let failures = 0;

  function leave() {
    tries += 1;
    clearTimeout(silence);
    clearTimeout(again);
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
    socket = null;
  }

  function lose() {
    leave();
    polling.go();
    again = setTimeout(connect, backOff(failures++));
  }

  function take({ data }) {
    clearTimeout(silence);
    silence = setTimeout(lose, SILENCE);
    const piece = JSON.parse(data);
    if (piece.error || !polling.give(piece)) lose();
    else if (piece.is_finished) leave();
    else failures = 0;
  }

  async function connect() {
    if (document.hidden) return poll();
    leave();
    const mine = tries;
    const start = await polling.hold();
    if (start === null || mine !== tries) return;
    socket = new WebSocket(url + start);
    socket.onmessage = take;
    socket.onclose = lose;
    silence = setTimeout(lose, HELLO);
  }

  function poll() {
    leave();
    polling.go();
  }

  document.addEventListener("visibilitychange", connect);
  addEventListener("offline", poll); // a socket that is cut off looks as if it were quiet
  addEventListener("online", connect);
  connect();
}
