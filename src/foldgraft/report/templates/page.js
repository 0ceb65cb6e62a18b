// Folded chapters open when a link leads into them, and all of them for the printer.
"use strict";
(() => {
  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    const folded = [...target.querySelectorAll("details.chapter")];
    for (let at = target; at; at = at.parentElement) if (at.matches("details")) folded.push(at);
    folded.forEach((one) => { one.open = true; });
    target.scrollIntoView();
  };
  window.addEventListener("hashchange", open);
  window.addEventListener("load", open);
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((one) => { one.open = true; });
  });
  window.addEventListener("afterprint", () => closed.forEach((one) => { one.open = false; }));

  // Tables and figures for the reader's own use.
  const { save, saveText, button } = window.foldgraft;
  const numbers = {};
  const named = (element, kind, ending) => {
    const place = `${document.documentElement.dataset.run}-${element.closest("section")?.id ?? "page"}-${kind}`;
    numbers[place] = (numbers[place] ?? 0) + 1;
    return `${place}-${numbers[place]}.${ending}`;
  };
  // A text that a spreadsheet would compute gets an apostrophe, as in the tables that the workflow writes.
  const formula = (text) => /^'*[=+@\t\r-]/.test(text) && Number.isNaN(Number(text));
  const quoted = (cell) => {
    const text = cell.textContent.trim();
    return `"${(formula(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
  };
  document.querySelectorAll("table").forEach((table) => {
    const name = named(table, "table", "csv");
    const rows = () => [...table.rows].map((row) => [...row.cells].map(quoted).join(",")).join("\n");
    table.parentElement.after(button("CSV", "Save this table as CSV", () => saveText(name, "text/csv", `${rows()}\n`)));
  });
  // Colours follow the page through variables; a saved figure has those for paper, which stand beside them.
  const drawing = (svg) => new XMLSerializer().serializeToString(svg).replaceAll(/var\(--[a-z]+, (#[0-9a-f]+)\)/g, "$1");
  document.querySelectorAll("figure svg").forEach((svg) => {
    const name = named(svg, "figure", "svg");
    svg.after(button("SVG", "Save this figure as SVG", () => saveText(name, "image/svg+xml", drawing(svg))));
  });
  document.querySelectorAll("figure img").forEach((img) => {
    const name = named(img, "picture", "png");
    img.after(button("PNG", "Save this picture as PNG", () => save(name, img.src)));
  });
})();
