// Light, dark, or as the system says; the choice is kept by the browser, and applied before anything is drawn.
"use strict";
(() => {
  const CHOICES = ["system", "light", "dark"];
  const root = document.documentElement;
  const remembered = () => {
    try { return localStorage.getItem("foldgraft-theme"); } catch { return null; }
  };
  const apply = (choice) => {
    if (choice === "system") delete root.dataset.theme;
    else root.dataset.theme = choice;
  };
  let chosen = CHOICES.includes(remembered()) ? remembered() : "system";
  apply(chosen);
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const label = () => { button.textContent = `Colours: ${chosen}`; };
    button.addEventListener("click", () => {
      chosen = CHOICES[(CHOICES.indexOf(chosen) + 1) % CHOICES.length];
      try { localStorage.setItem("foldgraft-theme", chosen); } catch { /* a page that may keep nothing */ }
      apply(chosen);
      label();
    });
    label();
    button.hidden = false;
  });
})();
