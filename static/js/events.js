// Has the list of events drawn anew as soon as there is another. What the stream tells is not used: the server draws.

const AT_MOST_EVERY = 1_000;
const PAUSE = 5_000;

const place = document.querySelector("[data-stream]:not([hidden])");

let due;

function heard() {
  due ??= setTimeout(() => {
    due = undefined;
    dispatchEvent(new Event("events:heard"));
  }, AT_MOST_EVERY);
}

function listen() {
  const address = new URL(place.dataset.stream, location);
  if (place.dataset.filter) address.searchParams.set("filter", place.dataset.filter);
  const stream = new EventSource(address);
  for (const type of place.dataset.types.split(" ")) stream.addEventListener(type, heard);
  // What was missed is drawn by the next look of the page, so it need not be heard.
  stream.onerror = () => {
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, PAUSE);
  };
}

if (place) listen();
