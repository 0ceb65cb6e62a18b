// What scripts of a page share: elements, buttons, and files for the reader's own use.
"use strict";
(() => {
  const make = (tag, className, parent, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text) made.textContent = text;
    parent?.append(made);
    return made;
  };
  const save = (name, href) => {
    const link = document.createElement("a");
    link.href = href;
    link.download = name;
    link.click();
  };
  const saveText = (name, type, text) => {
    const href = URL.createObjectURL(new Blob([text], { type }));
    save(name, href);
    setTimeout(() => URL.revokeObjectURL(href), 1000);
  };
  const button = (label, what, action) => {
    const made = make("button", "save", null, label);
    made.type = "button";
    made.setAttribute("aria-label", what);
    made.addEventListener("click", action);
    return made;
  };
  window.foldgraft = { make, save, saveText, button };
})();
