// The page of a job, as it fits the window.

// Above the log there is little room for an outline that is not asked for; beside it there is.
const narrow = matchMedia("(max-width: 60rem)");
const fold = () => document.querySelectorAll("[data-fold]").forEach((part) => (part.open = !narrow.matches));

function fit() {
  // The sheet could ask whether the page :has() a log, but would look at each line of it whenever one is added.
  document.body.classList.toggle("whole", document.querySelector(".job") !== null);
  fold();
}

narrow.addEventListener("change", fold);
addEventListener("htmx:load", fit);
fit();
