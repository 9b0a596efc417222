// Sets the chosen theme before anything is painted. A classic script: modules run too late for that.

(() => {
  const root = document.documentElement;
  const stored = () => {
    try {
      return localStorage.getItem("theme") || "";
    } catch {
      return ""; // a browser that keeps nothing follows the system
    }
  };

  function wear(theme) {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    for (const button of document.querySelectorAll("[data-themes] button")) {
      button.setAttribute("aria-pressed", String(button.value === theme));
    }
  }

  function choose(theme) {
    try {
      if (theme) localStorage.setItem("theme", theme);
      else localStorage.removeItem("theme");
    } catch {
      // It holds for this page then.
    }
    wear(theme);
  }

  wear(stored());
  addEventListener("storage", ({ key }) => key === "theme" && wear(stored()));
  addEventListener("DOMContentLoaded", () => {
    for (const group of document.querySelectorAll("[data-themes]")) {
      group.hidden = false;
      group.addEventListener("click", ({ target }) => target.matches("button") && choose(target.value));
    }
    wear(stored());
  });
})();
