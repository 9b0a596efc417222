// Above the log there is little room for an outline that is not asked for; beside it there is.

const narrow = matchMedia("(max-width: 60rem)");
const fold = () => document.querySelectorAll("[data-fold]").forEach((part) => (part.open = !narrow.matches));

narrow.addEventListener("change", fold);
addEventListener("htmx:load", fold);
fold();
