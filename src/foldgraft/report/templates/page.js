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
  const save = (name, type, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const button = (label, what, action) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "save";
    made.textContent = label;
    made.setAttribute("aria-label", what);
    made.addEventListener("click", action);
    return made;
  };
  const quoted = (cell) => `"${cell.textContent.replaceAll('"', '""')}"`;
  document.querySelectorAll("table").forEach((table, number) => {
    const rows = () => [...table.rows].map((row) => [...row.cells].map(quoted).join(",")).join("\n");
    const save_table = () => save(`table-${number + 1}.csv`, "text/csv", `${rows()}\n`);
    table.parentElement.after(button("CSV", "Save this table as CSV", save_table));
  });
  document.querySelectorAll("figure").forEach((figure, number) => {
    figure.querySelectorAll("svg").forEach((svg, part) => {
      const name = `figure-${number + 1}${part ? `-${part + 1}` : ""}.svg`;
      const text = () => new XMLSerializer().serializeToString(svg);
      svg.after(button("SVG", "Save this figure as SVG", () => save(name, "image/svg+xml", text())));
    });
  });
})();
